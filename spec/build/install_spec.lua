-- make install, uninstall, static, dist, and what others build with: moil.pc and the rockspec. The
-- packages have .ci/package/deb-check.

local support = require "spec.support"

local sanitize = os.getenv("SANITIZER") or ""

-- This runs below `make test`: the same variables reach this make by its environment.
local function make(arguments, options)
  options = options or {}
  options.timeout = 120
  local command = "make --no-print-directory -s BUILD='%s' %s"
  return support.sh(command:format(support.build, arguments), options)
end

local function succeed(out)
  assert.equal(0, out.code, out.stderr .. out.stdout)
  return out
end

-- All that is below a folder, sorted: files, links and folders.
local function tree(dir)
  return support.sh(("cd %s && find . | sort"):format(dir)).stdout
end

-- A plain lua5.4 with nothing but the module below `where`.
local function requires(where)
  local out = support.lua {
    "-e", 'print(type(require("moil").send))',
    env = {
      LUA_PATH = ("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua"):format(where, where),
      LUA_CPATH = where .. "/lib/lua/5.4/?.so",
    },
  }
  assert.same({ code = 0, stdout = "function\n", stderr = "" }, out)
end

local function there(program)
  if support.sh("command -v " .. program).code == 0 then return true end
  assert.is_nil(os.getenv("MOIL_CI"), program .. " is missing (`make deps`)")
  pending(program .. " is missing")
end

local version = support.read("src/api/moil.h"):match('#define MOIL_VERSION "([^"]+)"')
local abi = support.read("src/api/moil.h"):match("#define MOIL_ABI_VERSION (%d+)")

local dir = support.tempdir()
local prefix = dir .. "/opt/moil"
setup(function() succeed(make(("install DESTDIR=%s PREFIX=/opt/moil"):format(dir))) end)

describe("make install", function()
  it("brings a program that runs", function()
    local out = succeed(support.sh(prefix .. "/bin/moil --version"))
    assert.matches(version, out.stdout, 1, true)
  end)

  it("brings a Lua module", function()
    requires(prefix)
  end)

  it("brings the man pages and the completion that the program prints", function()
    local count = 0
    for page in support.moil({ "--help=pages" }).stdout:gmatch("[^\n]+") do
      local path = ("%s/share/man/man%s/%s"):format(prefix, page:match("%d$"), page)
      assert.equal(support.moil({ "--help=man:" .. page }).stdout, support.read(path))
      count = count + 1
    end
    assert.is_true(count > 10)
    assert.equal(support.moil({ "--help=bash" }).stdout,
      support.read(prefix .. "/share/bash-completion/completions/moil"))
    assert.equal(support.moil({ "--help=zsh" }).stdout,
      support.read(prefix .. "/share/zsh/site-functions/_moil"))
  end)

  it("brings a unit that starts the program that it brought", function()
    local unit = support.read(prefix .. "/lib/systemd/system/moil@.service")
    assert.matches("\nExecStart=/opt/moil/bin/moil worker ", unit, 1, true)
    local example = support.read("examples/moil@.service")
    assert.equal(example:gsub("/usr/local/bin", "/opt/moil/bin"), unit)
    local hardened = support.read(prefix .. "/share/doc/moil/examples/moil-hardened.service")
    assert.matches("\nExecStart=/opt/moil/bin/moil worker ", hardened, 1, true)
  end)

  it("brings documents whose links lead somewhere", function()
    local readme = support.read(prefix .. "/share/doc/moil/README.md")
    for target in readme:gmatch("%]%(([^)#%s]+)") do
      local path = prefix .. "/share/doc/moil/" .. target
      assert.is_true(os.execute("test -e " .. path) or target == "CONTRIBUTING.md", target)
    end
  end)

  it("puts things where it is told", function()
    local other = support.tempdir()
    succeed(make(("install DESTDIR=%s prefix=/usr bindir=/sbin libdir=/usr/lib/x mandir=/m")
      :format(other)))
    for _, path in ipairs { "/sbin/moil", "/usr/lib/x/libmoil.a", "/m/man1/moil.1",
      "/usr/lib/x/lua/5.4/moil/core.so", "/usr/lib/x/pkgconfig/moil.pc", "/usr/include/moil.h" } do
      assert.is_true(os.execute("test -f " .. other .. path), path)
    end
    local pc = support.read(other .. "/usr/lib/x/pkgconfig/moil.pc")
    assert.matches("prefix=/usr\nlibdir=${prefix}/lib/x\nincludedir=${prefix}/include\n", pc, 1,
      true)
  end)

  it("refuses folders that are not absolute", function()
    local out = make "install PREFIX=here"
    assert.equal(2, out.code)
    assert.matches("make install: here: the folders must be absolute", out.stderr, 1, true)
    assert.is_nil(os.execute("test -e here"))
  end)
end)

describe("make uninstall", function()
  it("removes what install put there, and nothing else", function()
    local root = support.tempdir()
    support.sh(("mkdir -p %s/p/bin %s/p/share/man/man1"):format(root, root))
    support.write(root .. "/p/bin/mine", "")
    support.write(root .. "/p/share/man/man1/moil-mine.1", "")
    local before = tree(root)
    local arguments = ("DESTDIR=%s PREFIX=/p"):format(root)
    succeed(make("install " .. arguments))
    assert.not_equal(before, tree(root))
    succeed(make("uninstall " .. arguments))
    assert.equal(before, tree(root))
  end)

  it("leaves a folder in which something was put since", function()
    local root = support.tempdir()
    local arguments = ("DESTDIR=%s PREFIX=/p"):format(root)
    succeed(make("install " .. arguments))
    support.write(root .. "/p/share/lua/5.4/moil/mine.lua", "")
    succeed(make("uninstall " .. arguments))
    assert.equal(".\n./p\n./p/share\n./p/share/lua\n./p/share/lua/5.4\n./p/share/lua/5.4/moil\n"
      .. "./p/share/lua/5.4/moil/mine.lua\n", tree(root))
  end)

  it("knows what an earlier install made, which a later one takes away where it is gone", function()
    local root = support.tempdir()
    local arguments = ("DESTDIR=%s PREFIX=/p"):format(root)
    succeed(make("install " .. arguments))
    local installed = tree(root)
    local manifest = root .. "/p/share/moil/manifest"
    support.write(root .. "/p/share/lua/5.4/moil/old.lua", "")
    support.write(manifest, support.read(manifest) .. "file /p/share/lua/5.4/moil/old.lua\n")
    succeed(make("install " .. arguments))
    assert.equal(installed, tree(root))
    succeed(make("uninstall " .. arguments))
    assert.equal(".\n", tree(root))
  end)

  it("says so where nothing is installed", function()
    local out = make("uninstall DESTDIR= PREFIX=" .. support.tempdir())
    assert.equal(2, out.code)
    assert.matches("make uninstall: nothing is installed there: no [^\n]+manifest", out.stderr)
  end)
end)

describe("moil.pc", function()
  local flags = sanitize ~= "" and " -fsanitize=" .. sanitize or ""

  -- Compiles against the moil below `where` with nothing but what pkg-config says, and runs it.
  local function compile(where, libs)
    local work = support.tempdir()
    support.write(work .. "/version.c", [[
      #include <moil.h>
      #include <stdio.h>
      int main(void) { return puts(moil_version()) < 0; }
    ]])
    local command = "cd %s && cc -o version version.c%s $(pkg-config --cflags moil) %s && ./version"
    local out = support.sh(command:format(work, flags, libs), {
      env = { PKG_CONFIG_PATH = where .. "/lib/pkgconfig", LD_LIBRARY_PATH = where .. "/lib" },
    })
    assert.same({ code = 0, stdout = version .. "\n", stderr = "" }, out)
  end

  it("is right for programs with the shared library", function()
    compile(prefix, "$(pkg-config --libs moil)")
    local headers = support.sh("readelf -d " .. prefix .. "/lib/libmoil.so").stdout
    assert.matches("SONAME.*libmoil%.so%." .. abi, headers)
  end)

  it("is right for programs with the static library", function()
    compile(prefix, "$(pkg-config --static --libs moil | sed 's/-lmoil/-l:libmoil.a/')")
  end)

  it("is right where the folder was moved", function()
    local moved = support.tempdir() .. "/elsewhere"
    succeed(support.sh(("cp -r %s %s"):format(prefix, moved)))
    compile(moved, "$(pkg-config --libs moil)")
  end)

  it("has the version", function()
    local env = { PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" }
    assert.equal(version .. "\n", support.sh("pkg-config --modversion moil", { env = env }).stdout)
  end)
end)

describe("make static", function()
  it("links all but libc into one file, which runs jobs alone", function()
    if sanitize ~= "" then return end
    succeed(make "static")
    local needed = {}
    local program = support.build .. "/moil-static"
    for name in support.sh("readelf -d " .. program).stdout:gmatch("NEEDED.-%[([^%]]+)%]") do
      needed[#needed + 1] = name
    end
    for _, name in ipairs(needed) do
      assert.matches("^lib[cm]%.so%.6$", (name:gsub("^ld%-linux.*", "libc.so.6")))
    end
    local work = support.tempdir()
    support.write(work .. "/t.lua", 'require("moil").task("twice", function(n) return n * 2 end)')
    local redis = support.redis()
    local node = support.start_moil { "worker", "t.lua", "--workers", "1", program = program,
      cwd = work, redis = redis }
    local out = support.moil { "call", "twice", "21", "--wait", "--timeout", "30", timeout = 40,
      program = program, redis = redis }
    assert.same({ code = 0, stdout = "42\n" }, { code = out.code, stdout = out.stdout }, out.stderr)
    node:kill "TERM"
    assert.equal(0, node:wait(30))
    redis:stop()
  end)
end)

describe("make dist", function()
  -- In a tree without git, which it can be told by the archive's own sources.
  local function dist(where)
    local command = ("cd %s && make --no-print-directory -s dist BUILD=build"):format(where)
    local out = succeed(support.sh(command, { env = { SOURCE_DATE_EPOCH = "" } }))
    return where .. "/" .. out.stdout:match("[^\n]+")
  end

  it("packs the sources, to the same bytes from what was unpacked", function()
    local work = support.tempdir()
    local top = ".busted .ci .clang-format .clang-tidy .gitignore .luacheckrc *.md LICENSE "
      .. "Makefile bench docs examples lua rockspec spec src tasks"
    succeed(support.sh(("mkdir %s/first && cp -r %s %s/first"):format(work, top, work)))
    support.write(work .. "/first/my-notes", "")
    local first = dist(work .. "/first")
    succeed(support.sh(("tar -xzf %s -C %s"):format(first, work)))
    local unpacked = ("%s/moil-%s"):format(work, version)
    local second = dist(unpacked)
    assert.equal(support.read(first), support.read(second))
    local names = support.sh("tar -tzf " .. first).stdout
    for _, name in ipairs { "Makefile", ".ci/specs", "src/api/moil.h", "lua/moil/init.lua",
      "rockspec/moil-scm-1.rockspec", ".busted", "LICENSE" } do
      assert.matches("/" .. name .. "\n", names, 1, true)
    end
    assert.is_nil(names:find("my-notes", 1, true))
    assert.is_nil(names:find("^moil-[%d.]+/build/"))
    assert.is_nil(names:find("\nmoil-[%d.]+/build/"))
  end)
end)

describe("the rockspec", function()
  it("builds the module against what is installed", function()
    if sanitize ~= "" or not there "luarocks" then return end
    local work = support.tempdir()
    succeed(support.sh(("cp -r rockspec lua src %s"):format(work)))
    local command = "cd %s && HOME=%s luarocks --lua-version 5.4 --tree %s/tree make "
      .. "rockspec/moil-scm-1.rockspec MOIL_DIR=%s"
    succeed(support.sh(command:format(work, work, work, prefix), { timeout = 60 }))
    requires(work .. "/tree")
    local list = "cd %s/moil && find . -name '*.lua' | sort"
    assert.equal(support.sh(list:format("lua")).stdout,
      support.sh(list:format(work .. "/tree/share/lua/5.4")).stdout)
  end)
end)

-- What people do with the Makefile besides building: env, deps, help; and a machine without the
-- libraries. install_spec.lua has what is installed and packaged.

local support = require "spec.support"

-- This runs below `make test`: the same variables reach this make by its environment.
local function make(arguments, options)
  options = options or {}
  options.timeout = 60
  local command = "make --no-print-directory -s BUILD='%s' %s"
  return support.sh(command:format(support.build, arguments), options)
end

describe("make env", function()
  it("lets a plain lua5.4 find moil in the tree", function()
    local out = make "env"
    assert.equal("", out.stderr)
    local preload = os.getenv("MOIL_SPEC_PRELOAD")
    local command = '%s cd / && %s lua5.4 -e \'print(type(require("moil").send))\''
    out = support.sh(command:format(out.stdout:gsub("\n", ""),
      preload and "LD_PRELOAD=" .. preload or ""))
    assert.same({ code = 0, stdout = "function\n", stderr = "" }, out)
  end)
end)

describe("a machine without the libraries", function()
  it("is told of make deps", function()
    local out = make("all", { env = { PKG_CONFIG_LIBDIR = "/nowhere" } })
    assert.equal(2, out.code)
    assert.matches("Missing: hiredis uuid jansson lua5.4. `make deps` installs what is needed",
      out.stderr, 1, true)
  end)

  -- .ci/deps with a PATH in which redis-server and busted are missing, and apt-get writes down
  -- what it is asked.
  local function deps(groups, apt_get)
    local dir = support.tempdir()
    local tools = "sh id mktemp env rm tail grep printf cat pkg-config lua5.4"
    support.sh(("for t in %s; do ln -s $(command -v $t) %s/$t; done"):format(tools, dir))
    if apt_get then
      local script = '#!/bin/sh\necho "$*" >>%s/asked\n%s\n'
      support.write(dir .. "/apt-get", script:format(dir, apt_get))
      support.sh("chmod +x " .. dir .. "/apt-get")
    end
    local argv = { "/bin/sh", ".ci/deps", table.unpack(groups) }
    local out = support.spawn(argv, { env = { PATH = dir } })
    local code = out:wait(10)
    local asked = io.open(dir .. "/asked")
    return code, out:stdout(), out:stderr(), asked and asked:read("a")
  end

  it("gets just what is missing, after it was told so", function()
    local code, stdout, stderr, asked = deps({ "run", "test" }, "exit 0")
    assert.equal("", stderr)
    assert.equal(0, code)
    assert.matches("apt%-get install .* redis%-server lua%-busted valgrind[^\n]*\n", stdout)
    assert.matches("^update %-q\ninstall %-y [^\n]* redis%-server lua%-busted valgrind[^\n]*\n$",
      asked)
  end)

  it("learns why apt failed", function()
    local code, _, stderr = deps({ "run" }, "echo no network; exit 100")
    assert.equal(1, code)
    assert.matches("no network\nmake deps: this failed: apt-get update", stderr, 1, true)
  end)

  it("learns the names where there is no apt", function()
    local code, _, stderr = deps({ "test" }, nil)
    assert.equal(1, code)
    assert.matches("please install what these packages hold: lua-busted", stderr, 1, true)
  end)

  it("is left alone where nothing is missing", function()
    local out = support.sh(".ci/deps run test")
    assert.same({ code = 0, stdout = "", stderr = "" }, out)
  end)
end)

describe("make fuzz", function()
  it("refuses what it does not know, before anything is installed or built", function()
    local out = make "fuzz FUZZ_SECONDS=soon"
    assert.matches("make fuzz: FUZZ_SECONDS=soon: a whole number of seconds", out.stderr, 1, true)
    out = make "fuzz FUZZ_TARGETS='url nope'"
    assert.equal(2, out.code)
    assert.matches("there is no nope; there are: argv ", out.stderr, 1, true)
    assert.equal("", out.stdout)
    out = make "fuzz FUZZ_TARGETS="
    assert.equal(2, out.code)
    assert.matches("^make fuzz: FUZZ_TARGETS is empty; there are: argv ", out.stderr)
    assert.equal("", out.stdout)
  end)
end)

describe("make chaos", function()
  it("refuses what it does not know, before anything is installed or built", function()
    for given, line in pairs {
      ["SEED=abc"] = "make chaos: SEED=abc: a whole number\n",
      ["SEED=1.5"] = "make chaos: SEED=1.5: a whole number\n",
      ["SECONDS=x"] = "make chaos: SECONDS=x: a number above 0\n",
      ["SECONDS=0"] = "make chaos: SECONDS=0: a number above 0\n",
      ["SECONDS=-4"] = "make chaos: SECONDS=-4: a number above 0\n",
    } do
      local out = make("chaos " .. given)
      assert.equal(2, out.code)
      assert.equal(line, out.stderr:sub(1, #line))
      assert.equal("", out.stdout)
    end
  end)
end)

describe("make help", function()
  it("lists the targets", function()
    local out = make "help"
    for _, target in ipairs { "all", "test", "examples", "demo", "lint", "fuzz", "install", "bench",
      "uninstall", "deb", "dist", "static" } do
      assert.matches("make " .. target .. " ", out.stdout, 1, true)
    end
  end)
end)

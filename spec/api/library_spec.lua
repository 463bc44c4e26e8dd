local support = require "spec.support"

-- What the libraries are to a linker and the header to a compiler.

local function symbols(file, options)
  local out = support.sh(("nm -D --defined-only %s %s"):format(options or "", file))
  assert.equal(0, out.code, out.stderr)
  local names = {}
  for name in out.stdout:gmatch(" [A-Za-z] ([%w_]+)") do names[#names + 1] = name end
  assert.is_true(#names > 0)
  return names
end

describe("libmoil.so", function()
  it("exports what moil.h declares, and nothing else", function()
    local declared = {}
    local header = support.read(support.root .. "/src/api/moil.h")
    for name in header:gmatch("\nMOIL_API [^;(]-([%w_]+)%(") do
      declared[name] = true
    end
    assert.is_true(declared.moil_enqueue and declared.moil_runtime_run)
    for _, name in ipairs(symbols(support.build .. "/libmoil.so")) do
      assert.is_true(declared[name] ~= nil, name .. " is exported, but not declared")
      declared[name] = nil
    end
    assert.is_nil(next(declared))
  end)

  it("has the ABI's version in its name", function()
    local header = support.read(support.root .. "/src/api/moil.h")
    local version = header:match("#define MOIL_ABI_VERSION (%d+)\n")
    local out = support.sh("readelf -d " .. support.build .. "/libmoil.so")
    assert.matches("soname: %[libmoil%.so%." .. version .. "%]", out.stdout)
  end)
end)

describe("libmoil.a", function()
  it("has no name without the prefix", function()
    local out = support.sh("nm -A --defined-only -g " .. support.build .. "/libmoil.a")
    assert.equal(0, out.code, out.stderr)
    local count = 0
    for name in out.stdout:gmatch(" [A-Z] ([^\n]+)") do
      count = count + 1
      -- Linkers and compilers add their own with underscores.
      assert.is_true(name:find("^moil_") ~= nil or name:find("^__") ~= nil, name)
    end
    assert.is_true(count > 0)
  end)
end)

describe("core.so", function()
  it("exports its opener alone", function()
    assert.same({ "luaopen_moil_core" }, symbols(support.build .. "/lua/moil/core.so"))
  end)
end)

describe("moil.h", function()
  it("stands alone, in C99 and C11", function()
    local dir = support.tempdir()
    support.write(dir .. "/a.c", '#include "moil.h"\nint a(void);\nint a(void) { return 0; }\n')
    for _, std in ipairs { "c99", "c11" } do
      local command = "cc -std=%s -pedantic -Wall -Wextra -Werror -I%s/src/api -c -o a.o a.c"
      local out = support.sh(command:format(std, support.root), { cwd = dir })
      assert.equal(0, out.code, out.stderr)
    end
  end)

  it("serves a C++ program, which links", function()
    local dir = support.tempdir()
    support.write(dir .. "/a.cpp", [[
#include <moil.h>
#include <cstdio>
#include <cstring>

static void line(void *, moil_log_level, const char *, std::size_t) {}

int main()
{
    moil_client *client = nullptr;
    moil_client_options options = {};
    char why[256];
    moil_set_log(line, nullptr);
    options.url = "nonsense://";
    int status = moil_client_open(&client, &options, why, sizeof why);
    std::printf("%d %d %d\n", status, moil_abi_version() == MOIL_ABI_VERSION,
                std::strcmp(moil_version(), MOIL_VERSION));
    moil_client_close(client);
    return 0;
}
]])
    local sanitizer = os.getenv("MOIL_SPEC_PRELOAD") and "-fsanitize=address,undefined" or ""
    local command = "g++ -std=c++17 -Wall -Wextra -Werror -pedantic %s -I%s/src/api -o a a.cpp"
      .. " %s/libmoil.so -Wl,-rpath,%s && ./a"
    local out = support.sh(command:format(sanitizer, support.root, support.build, support.build),
      { cwd = dir, timeout = 60 })
    assert.equal(0, out.code, out.stderr)
    assert.equal("-2 1 0\n", out.stdout)
  end)

  it("has the library's version", function()
    local out = support.moil { "--version" }
    local version = support.read(support.root .. "/src/api/moil.h"):match('MOIL_VERSION "([^"]+)"')
    assert.equal("moil " .. version .. "\n", out.stdout)
  end)
end)

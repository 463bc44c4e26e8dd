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

  it("has the library's version", function()
    local out = support.moil { "--version" }
    local version = support.read(support.root .. "/src/api/moil.h"):match('MOIL_VERSION "([^"]+)"')
    assert.equal("moil " .. version .. "\n", out.stdout)
  end)
end)

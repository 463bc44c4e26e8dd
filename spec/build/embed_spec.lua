-- The generators of the build: what they refuse, and that what they make is what the files say.

local support = require "spec.support"

describe("embed-scripts", function()
  local dir

  before_each(function()
    dir = support.tempdir()
    support.write(dir .. "/scripts.h", "enum script_id { SCRIPT_ALPHA, /* */ SCRIPT_BETA };")
    support.write(dir .. "/prelude.lua",
      "-- c\nlocal ns = KEYS[1]\nlocal function unused()\n  return ns\nend\n")
    support.write(dir .. "/alpha.lua", "-- alpha\nreturn ns .. \"\\\"?\\n\"\n")
    support.write(dir .. "/beta.lua", "return 1")
  end)

  local function embed(...)
    local files = {}
    for _, name in ipairs { ... } do files[#files + 1] = dir .. "/" .. name .. ".lua" end
    local command = "lua5.4 .ci/embed-scripts %s/out %s/scripts.h %s"
    return support.sh(command:format(dir, dir, table.concat(files, " ")))
  end

  it("joins a script with what it needs of the prelude", function()
    assert.same({ code = 0, stdout = "", stderr = "" }, embed("alpha", "beta", "prelude"))
    assert.equal("local ns = KEYS[1]\nreturn ns .. \"\\\"?\\n\"\n",
      support.read(dir .. "/out/redis/alpha.lua"))
    assert.equal("return 1\n", support.read(dir .. "/out/redis/beta.lua"))
    local sum = support.sh("sha1sum " .. dir .. "/out/redis/alpha.lua").stdout:match("^%x+")
    assert.matches('"' .. sum .. '", SCRIPT_ALPHA}', support.read(dir .. "/out/scripts.c"), 1, true)
  end)

  local function assert_refused(message, ...)
    local out = embed(...)
    assert.equal(1, out.code)
    assert.matches(message, out.stderr, 1, true)
  end

  it("refuses files and names that do not match", function()
    assert_refused("SCRIPT_BETA has no file lua/redis/beta.lua", "alpha", "prelude")
    support.write(dir .. "/gamma.lua", "return 1")
    assert_refused("lua/redis/gamma.lua has no SCRIPT_GAMMA", "alpha", "beta", "gamma", "prelude")
    assert_refused("prelude.lua is missing", "alpha", "beta")
    support.write(dir .. "/scripts.h", "enum script_id { SCRIPT_BETA, SCRIPT_ALPHA };")
    assert_refused("not in the order of the alphabet", "alpha", "beta", "prelude")
  end)

  it("refuses a prelude that does something by itself", function()
    support.write(dir .. "/prelude.lua", "local ns = KEYS[1]\nredis.call('PING')\n")
    assert_refused("holds local definitions only", "alpha", "beta", "prelude")
  end)

  it("puts what only a module of the prelude needs inside it", function()
    support.write(dir .. "/prelude.lua", "local ns = 1\nlocal function both()\n  return ns\nend\n"
      .. "local function lone()\n  return 2\nend\n")
    support.write(dir .. "/prelude_m.lua",
      "local function m()\n  return both() + lone()\nend\n")
    support.write(dir .. "/alpha.lua", "return both() + m()")
    assert.equal(0, embed("alpha", "beta", "prelude", "prelude_m").code)
    assert.equal("local ns = 1\nlocal function both()\n  return ns\nend\nlocal function m()\n"
      .. "local function lone()\n  return 2\nend\n  return both() + lone()\nend\n"
      .. "return both() + m()\n", support.read(dir .. "/out/redis/alpha.lua"))
    support.write(dir .. "/prelude_m.lua", "local a = 1\nlocal b = 2\n")
    assert_refused("is a module: one definition", "alpha", "beta", "prelude", "prelude_m")
  end)

  it("made scripts that Redis loads under the name that the program knows", function()
    local redis = support.redis()
    local table_c = support.read(support.build .. "/gen/scripts.c")
    local count = 0
    local row = '"([%w_]+)", source_[%w_]+, sizeof source_[%w_]+ %- 1, "(%x+)"'
    for name, sha in table_c:gmatch(row) do
      assert.equal(sha, redis:call("SCRIPT", "LOAD", support.script(name)))
      count = count + 1
    end
    assert.is_true(count >= 20)
    redis:stop()
  end)
end)

describe("embed-lualib", function()
  it("refuses a file that does not parse, with its line", function()
    local dir = support.tempdir()
    support.write(dir .. "/bad.lua", "local x =\n")
    local out = support.sh(("lua5.4 .ci/embed-lualib %s/out.c %s/bad.lua"):format(dir, dir))
    assert.equal(1, out.code)
    assert.matches("bad.lua:2: unexpected symbol", out.stderr, 1, true)
  end)

  it("names modules by their files", function()
    local dir = support.tempdir()
    local command = "lua5.4 .ci/embed-lualib %s/out.c lua/moil/init.lua lua/moil/retry.lua"
    local out = support.sh(command:format(dir))
    assert.equal("", out.stderr)
    local text = support.read(dir .. "/out.c")
    assert.matches('{"moil", source_1,', text, 1, true)
    assert.matches('{"moil.retry", source_2,', text, 1, true)
  end)
end)

describe("the layer check", function()
  local function check(path, text)
    local dir = support.tempdir()
    support.sh(("mkdir -p %s/%s"):format(dir, path:match("(.+)/")))
    support.write(dir .. "/" .. path, text)
    return support.sh(support.root .. "/.ci/layers", { cwd = dir })
  end

  it("passes what is in order", function()
    local text = '/* head */\n#include "queue/x.h"\n#include <ev.h>\n\n#include "vm/y.h"\n'
      .. "/* exit( */\nint a(void)\n{\n}\n"
    assert.same({ code = 0, stdout = "", stderr = "" }, check("src/worker/x.c", text))
  end)

  it("tells each breach with file and line", function()
    local function body(lines) return "/* */\nvoid f(void)\n{\n" .. lines .. "}\n" end
    local cases = {
      { "queue/x.c", '/* */\n#include "vm/vm.h"\n', "x.c:2: queue/ may not include vm/vm.h" },
      { "base/x.c", '/* */\n#include "conf/url.h"\n', "x.c:2: base/ may not include conf/url.h" },
      { "super/x.c", '/* */\n#include "worker/worker.h"\n', "may not include worker/worker.h" },
      { "vm/x.c", "/* */\n#include <ev.h>\n", "x.c:2: vm/ may not know <ev.h>" },
      { "queue/x.c", "/* */\n#include <hiredis/hiredis.h>\n", "may not know <hiredis/hiredis.h>" },
      { "worker/x.c", "/* */\n#include <lua.h>\n", "may not know <lua.h>" },
      { "vm/x.c", body "    exit(1);\n", "x.c:4: exit() belongs to cli/ alone" },
      { "vm/x.c", "/* */\nint foo_manager;\n", 'x.c:2: a name with "manager" says nothing' },
      { "vm/x.c", body(("    g();\n"):rep(60)), "a function of 63 lines" },
      { "vm/x.c", "/* */\n" .. ("int x;\n"):rep(500), "a file of 501 lines" },
      { "vm/x.c", "/* */\nint x; \n", "x.c:2: a blank at the end" },
      { "vm/x.c", "int x;\n", "x.c:1: the first comment says" },
      { "odd/x.c", "/* */\n", "src/odd/ is no layer" },
    }
    for _, case in ipairs(cases) do
      local out = check("src/" .. case[1], case[2])
      assert.equal(1, out.code)
      assert.matches(case[3], out.stdout, 1, true)
    end
  end)
end)

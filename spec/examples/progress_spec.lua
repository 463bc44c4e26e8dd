-- examples/progress.lua with a real worker, in a terminal and without one.

local support = require "spec.support"

describe("examples/progress.lua", function()
  local EXAMPLE <const> = support.root .. "/examples/progress.lua"
  local redis

  setup(function()
    redis = support.redis()
    support.start_moil({ "worker", "-w", "1", support.root .. "/tasks", redis = redis })
      :read_until(" ready:", 20)
  end)

  it("prints how far a group is, as lines where there is no terminal", function()
    local out = support.lua { EXAMPLE, "100", "0.2", redis = redis, timeout = 60 }
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.is_nil(out.stdout:find("[\r\27]"))
    local last = -1
    for bar, done in out.stdout:gmatch("%[(#* *)%] (%d+)/100\n") do
      assert.equal(40, #bar)
      assert.equal(tonumber(done) * 40 // 100, select(2, bar:gsub("#", "")))
      assert.is_true(tonumber(done) > last)
      last = tonumber(done)
    end
    assert.equal(100, last)
    assert.matches("\n100 jobs slept [%d.]+ s in all, 0 failed\n$", out.stdout)
  end)

  it("draws one bar again and again in a terminal", function()
    local preload = os.getenv("MOIL_SPEC_PRELOAD") or "" -- for our module, not for script
    local command = ("script -qec 'LD_PRELOAD=%s exec lua5.4 %s 30 0.5' /dev/null"):format(preload,
      EXAMPLE)
    local path = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(support.root, support.root)
    local out = support.sh(command, { redis = redis, timeout = 60, env = {
      LUA_PATH = path, LUA_CPATH = support.build .. "/lua/?.so;;",
    } })
    assert.equal(0, out.code, out.stdout)
    local bars, lines = out.stdout:match("^(.*30/30)\r?\n(.*)$")
    assert.is_nil(bars:find("\n", 1, true))
    assert.is_true(select(2, bars:gsub("\r%[", "")) > 1)
    assert.matches("^30 jobs slept [%d.]+ s in all, 0 failed", lines)
  end)

  it("refuses what is no number of jobs", function()
    for _, args in ipairs { { "0" }, { "-1" }, { "1.5" }, { "many" }, { "1", "-1" } } do
      local out = support.lua { EXAMPLE, args[1], args[2], redis = redis }
      assert.same({ 2, "", "usage: lua5.4 examples/progress.lua [JOBS [SECONDS]]\n" },
        { out.code, out.stdout, out.stderr })
    end
  end)
end)

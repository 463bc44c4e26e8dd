local support = require "spec.support"
local moil = require "moil"

describe("tasks/demo.lua", function()
  local function run(task, ...)
    return moil.send(task, table.pack(...)):get { timeout = 10, propagate = false }
  end

  lazy_setup(function()
    local redis = support.redis()
    support.start_moil { "worker", "tasks/demo.lua", "-w", "1", redis = redis }
    moil.connect(redis.url)
  end)

  it("sleeps for as long as it is told, many at a time in one worker", function()
    local signatures = {}
    for i = 1, 40 do signatures[i] = moil.signature("demo.sleep", { 0.2 }) end
    assert.equal(0, run("demo.sleep", 0)) -- the worker is there
    local start = support.now()
    for _, r in ipairs(moil.enqueue_many(signatures)) do
      assert.equal(0.2, r:get { timeout = 10 })
    end
    local took = support.now() - start
    assert.is_true(took >= 0.2 and took < 6, took) -- one after the other: 8 s
  end)

  it("tells of its progress", function()
    local seen = {}
    local r = moil.send("demo.progress", { 4, 0.2 })
    local result = r:get { timeout = 10, on_message = function(m) seen[#seen + 1] = m end }
    assert.same({ steps = 4, seconds = 0.2 }, result)
    assert.is_true(#seen >= 1 and #seen <= 4)
    assert.equal("PROGRESS", seen[1].state)
    local last = seen[#seen].meta
    assert.equal(4, last.steps)
    assert.equal(last.step * 25, last.percent)
  end)

  it("refuses what it cannot do", function()
    local _, err = run("demo.sleep", -1)
    assert.equal("BadArgument", err.code)
    assert.equal("demo.sleep: seconds must be a number from 0 to 86400", err.message)
    _, err = run("demo.sleep")
    assert.equal("BadArgument", err.code)
    _, err = run("demo.progress", 0)
    assert.equal("demo.progress: steps must be a whole number from 1 to 10000", err.message)
    _, err = run("demo.progress", 2, "long")
    assert.equal("demo.progress: seconds must be a number from 0 to 86400", err.message)
  end)
end)

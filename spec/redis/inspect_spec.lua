-- inspect.lua: everything known about one job.

local world = require "spec.redis.world"

describe("inspect", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("tells the place of a job through its life", function()
    local record = world.record {}
    local function inspect() return w:eval("inspect", "a") end
    assert.is_nil(inspect())
    w:schedule({ "a" }, 1000)
    assert.same({ record, "delayed", "1000", "" }, inspect())
    w:eval("promote", 1)
    assert.same({ record, "pending", "", "" }, inspect())
    w:fetch(1)
    assert.same({ record, "inflight", w.worker, "" }, inspect())
    w:eval("progress", w.worker, 0, "a", "STARTED w 5\n")
    assert.same({ record, "inflight", w.worker, "STARTED w 5\n" }, inspect())
    w:settle { retry = { { "a", 0, record } } }
    assert.same({ record, "pending", "", "" }, inspect())
    w:fetch(1)
    w:settle { dead = { { "a", world.dead_record() } } }
    local died = w:key("ZSCORE", "dead", "a")
    assert.same({ world.dead_record(), "dead", died, "" }, inspect())
    w:eval("retry_dead", "a")
    w:fetch(1)
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } } }
    assert.same({ world.outcome {}, "ended", "", "" }, inspect())
  end)

  it("finds the one of several workers that holds it", function()
    for i = 2, 5 do w:eval("join", "worker-" .. i, "node") end
    w:enqueue("default", 5, { "a" })
    w:fetch(1, nil, "worker-4")
    assert.equal("worker-4", w:eval("inspect", "a")[3])
  end)

  it("shows a damaged record", function()
    w:enqueue("default", 5, { "a" })
    w:key("HSET", "jobs", "a", "garbage")
    assert.same({ "garbage", "pending", "", "" }, w:eval("inspect", "a"))
  end)

  it("tells of one that waits for others how many", function()
    w:accept { nodes = { { "b", plan = "2 f" }, { "a", links = "sFb nFb " } } }
    assert.same({ world.record {}, "deferred", "2", "" }, w:eval("inspect", "b"))
  end)
end)

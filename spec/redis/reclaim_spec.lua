-- reclaim.lua: jobs in flight whose fetch's reply was lost.

local world = require "spec.redis.world"

describe("reclaim", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    w:enqueue("default", 5, { "a", "b", "c" })
    w:fetch(3)
  end)
  after_each(function() w:check() end)

  it("gives what the worker does not hold, and leaves it in flight", function()
    local r = world.record {}
    assert.same({}, w:eval("reclaim", w.worker, "a", "b", "c"))
    assert.same({ "b", r }, w:eval("reclaim", w.worker, "a", "c"))
    assert.equal("inflight worker-1", w:place("b"))
    assert.equal(6, #w:eval("reclaim", w.worker))
  end)

  it("gives 250 at most", function()
    for batch = 1, 2 do
      local ids = {}
      for i = 1, 200 do ids[i] = ("%d-%d"):format(batch, i) end
      w:enqueue("default", 5, ids)
    end
    w:fetch(250)
    w:fetch(250)
    assert.equal(500, #w:eval("reclaim", w.worker, "a"))
  end)

  it("is refused for an incarnation that was taken off", function()
    assert.matches("^FENCED", select(2, w:try("reclaim", "other")))
  end)
end)

-- time_limits.lua: those that were set at run time, for people and for workers.

local world = require "spec.redis.world"

describe("time_limits", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)

  it("tells their version and all of them, as join does", function()
    w:reset()
    assert.same({ 0 }, w:eval "time_limits")
    w:eval("heartbeat", "a/1", '{"tasks":["t"],"workers":[]}')
    w:eval("time_limit", "t", "10", "5")
    assert.same({ 1, "t", "10 5" }, w:eval "time_limits")
    assert.same({ 1, "t", "10 5" }, w:eval("join", "new", "a/1"))
    assert.equal(1, w:eval("promote", 250)[7])
  end)
end)

-- control_claim.lua: a command is carried out once by each, and never late.

local support = require "spec.support"
local world = require "spec.redis.world"

describe("control_claim", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    w:eval("heartbeat", "a/1", "{}")
  end)

  it("says yes once to each", function()
    w:eval("control", "r", "*", 10000, "ping", "[]")
    assert.equal(1, w:eval("control_claim", "r", "a/1"))
    assert.equal(0, w:eval("control_claim", "r", "a/1"))
    assert.equal(1, w:eval("control_claim", "r", "worker"))
  end)

  it("says no when nobody asked, or waits any more", function()
    assert.equal(0, w:eval("control_claim", "r", "a/1"))
    w:eval("control", "r", "*", 1, "ping", "[]")
    support.wait_until(function() return w:key("EXISTS", "asked:r") == 0 end, 10, "it expires")
    assert.equal(0, w:eval("control_claim", "r", "a/1"))
    assert.equal(0, w:key("EXISTS", "asked:r"))
  end)
end)

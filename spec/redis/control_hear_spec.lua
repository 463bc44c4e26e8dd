-- control_hear.lua: what was answered so far.

local world = require "spec.redis.world"

describe("control_hear", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)

  it("gives what is new, in pages, and takes nothing away", function()
    w:reset()
    w:eval("heartbeat", "a/1", "{}")
    w:eval("control", "r", "*", 100000, "ping", "[]")
    assert.same({}, w:eval("control_hear", "r", 0))
    for i = 1, 300 do w:eval("control_reply", "r", tostring(i)) end
    local page = w:eval("control_hear", "r", 0)
    assert.same({ 250, "1" }, { #page, page[1] })
    assert.equal(250, #w:eval("control_hear", "r", 0))
    page = w:eval("control_hear", "r", 250)
    assert.same({ 50, "251" }, { #page, page[1] })
    assert.same({}, w:eval("control_hear", "r", 300))
  end)
end)

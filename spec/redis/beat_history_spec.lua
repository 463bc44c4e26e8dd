-- beat_history.lua: the last ticks. What is in it is tick's (tick_spec.lua).

local world = require "spec.redis.world"

describe("beat_history", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)

  it("gives a page, the newest first", function()
    assert.same({}, w:eval("beat_history", 0, 10))
    for i = 1, 5 do w:key("LPUSH", "beat_history", "line " .. i) end
    assert.same({ "line 5", "line 4" }, w:eval("beat_history", 0, 2))
    assert.same({ "line 2", "line 1" }, w:eval("beat_history", 3, 10))
    assert.same({}, w:eval("beat_history", 5, 10))
  end)
end)

-- control_reply.lua: answers to a command.

local world = require "spec.redis.world"

describe("control_reply", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("keeps an answer for who asked, and no longer", function()
    w:eval("heartbeat", "a/1", "{}")
    w:eval("control", "r", "*", 10000, "ping", "[]")
    assert.equal(1, w:eval("control_reply", "r", '{"n":1}'))
    assert.equal(1, w:eval("control_reply", "r", '{"n":2}'))
    assert.same({ '{"n":1}', '{"n":2}' }, w:key("LRANGE", "answers:r", 0, -1))
    local left = w:key("PTTL", "answers:r")
    assert.is_true(left > 0 and left <= 10000)
  end)

  it("drops one that nobody waits for", function()
    assert.equal(0, w:eval("control_reply", "r", "{}"))
    assert.equal(0, w:key("EXISTS", "answers:r"))
  end)
end)

-- nodes.lua: who is there.

local world = require "spec.redis.world"

describe("nodes", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("lists nodes with their last heartbeat and report", function()
    local before = w:now_ms()
    w:eval("heartbeat", "a", '{"x":"1 2\\n"}')
    w:eval("heartbeat", "b", "{}")
    local reply = w:eval("nodes")
    assert.equal(7, #reply)
    local now = tonumber(reply[1])
    assert.is_true(now >= before and now <= w:now_ms())
    local reports = {}
    for i = 2, 7, 3 do
      assert.is_true(tonumber(reply[i + 1]) >= before and tonumber(reply[i + 1]) <= now)
      reports[reply[i]] = reply[i + 2]
    end
    assert.same({ a = '{"x":"1 2\\n"}', b = "{}" }, reports)
  end)

  it("shows a damaged entry as an old one that says nothing", function()
    w:key("HSET", "nodes", "a", "garbage")
    assert.same({ "a", "0", "{}" }, { table.unpack(w:eval("nodes"), 2) })
  end)

  it("is there with nobody", function()
    assert.equal(1, #w:eval("nodes"))
  end)
end)

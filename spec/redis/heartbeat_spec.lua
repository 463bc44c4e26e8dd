-- heartbeat.lua: a node is alive.

local world = require "spec.redis.world"

describe("heartbeat", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("counts a node's lease up", function()
    assert.equal(1, w:eval("heartbeat", "a", "{}"))
    assert.equal(2, w:eval("heartbeat", "a", "{}"))
    assert.equal(1, w:eval("heartbeat", "b", "{}"))
    assert.same({ a = "2", b = "1" }, w:hash "leases")
  end)

  it("takes a node off", function()
    w:eval("heartbeat", "a", "{}")
    assert.equal(0, w:eval("heartbeat", "a", ""))
    assert.same({}, w:hash "leases")
    assert.same({}, w:hash "nodes")
  end)

  it("passes over maxmemory: a node that lives must not look dead", function()
    w:fill_memory()
    local first, why = w:try("heartbeat", "a", "{}")
    local second = w:try("heartbeat", "a", "{}")
    w:free_memory()
    assert.same({ 1, 2 }, { first or why, second })
  end)
end)

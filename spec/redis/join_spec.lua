-- join.lua: registers a worker incarnation.

local world = require "spec.redis.world"

describe("join", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("lets an incarnation fetch and settle", function()
    w:enqueue("default", 5, { "a" })
    assert.matches("^FENCED", select(2, w:try("fetch", "new", 1, "default")))
    local before = w:now_ms()
    assert.same({ 0 }, w:eval("join", "new", "node-7"))
    local node, since = w:key("HGET", "workers", "new"):match("^(%S+) (%d+)$")
    assert.equal("node-7", node)
    assert.is_true(tonumber(since) >= before and tonumber(since) <= w:now_ms())
    assert.same({ "a" }, w:fetch(1, { "default" }, "new"))
    assert.equal(1, w:settle({ dropped = { "a" } }, "new"))
    w:check()
  end)

  it("may be sent again", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    assert.same({ 0 }, w:eval("join", w.worker, "node"))
    assert.equal("inflight worker-1", w:place("a"))
  end)

  it("passes over maxmemory: who drains a full Redis must get in", function()
    w:fill_memory()
    local reply, why = w:try("join", "new", "node")
    w:free_memory()
    assert.same({ 0 }, reply or why)
  end)
end)

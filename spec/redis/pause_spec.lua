-- pause.lua: stops and resumes the fetching from a queue.

local world = require "spec.redis.world"

describe("pause", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("stops the fetching, not what runs, and says whether that changed anything", function()
    w:enqueue("q", 5, { "a", "b" })
    w:fetch(1, { "q" })
    assert.equal(1, w:eval("pause", "q", "p"))
    assert.equal(0, w:eval("pause", "q", "p"))
    assert.same({}, w:fetch(10, { "q" }))
    assert.equal(1, w:settle { dropped = { { queue = "q", "a" } } })
    assert.equal(1, w:eval("pause", "q", "r"))
    assert.equal(0, w:eval("pause", "q", "r"))
    assert.same({ "b" }, w:fetch(10, { "q" }))
  end)

  it("wakes a worker when it resumes", function()
    w:eval("pause", "q", "p")
    w:enqueue("q", 5, { "a" })
    w:eval("pause", "q", "r")
    assert.equal(1, w:key("LLEN", "wake:q"))
  end)

  it("knows a queue that has had no job yet", function()
    assert.equal(0, w:eval("pause", "q", "r"))
    assert.is_nil(w:key("HGET", "queues", "q"))
    assert.equal(1, w:eval("pause", "q", "p"))
    w:enqueue("q", 5, { "a" })
    w:enqueue("q", 7, { "b" })
    assert.equal("p75", w:key("HGET", "queues", "q"))
  end)

  it("passes over maxmemory, both ways", function()
    w:enqueue("q", 5, { "a" })
    w:fill_memory()
    local replies = { w:try("pause", "q", "p"), w:try("pause", "q", "r") }
    w:free_memory()
    assert.same({ 1, 1 }, replies)
    assert.equal("r5", w:key("HGET", "queues", "q"))
  end)
end)

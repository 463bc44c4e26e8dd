-- why.lua: where a job is, and what is before it.

local world = require "spec.redis.world"

describe("why", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  -- Its answer without the first two elements: the place comes first.
  local function why(id, cursor)
    local answer = w:eval("why", id, cursor or "0")
    return answer and { answer[1][2], table.unpack(answer, 3) }
  end

  it("knows nothing of an id without a record", function()
    assert.is_nil(why "nobody")
  end)

  it("counts what is before a pending job, and tells its queue's state", function()
    w:enqueue("default", 5, { "a", "b", "c" })
    w:enqueue("default", 9, { "first" })
    assert.same({ "pending", "r95", 0, "1", "0" }, why "first")
    assert.same({ "pending", "r95", 1, "1", "0" }, why "a")
    assert.same({ "pending", "r95", 3, "1", "0" }, why "c")
    w:eval("pause", "default", "p")
    assert.equal("p95", why("c")[2])
  end)

  it("is not misled by what an earlier life of the id left in the list", function()
    w:enqueue("default", 5, { "a" })
    w:eval("delete", "a")
    w:enqueue("default", 5, { "b", "a" })
    assert.equal(2, why("a")[3])
  end)

  it("tells the next jobs that a deferred one waits for", function()
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
    assert.same({ "deferred", "0", { "a", "PENDING", "t" } }, why "b")
  end)

  it("tells who holds a job in flight", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    local answer = why "a"
    assert.equal("inflight", answer[1])
    assert.matches("^%S+ %d+$", answer[2])
    assert.same({}, answer[3])
  end)

  it("tells what has ended, and what is dead", function()
    w:bury "gone"
    assert.same({ "dead" }, why "gone")
  end)
end)

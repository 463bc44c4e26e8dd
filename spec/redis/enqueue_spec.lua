-- enqueue.lua: new -> pending.

local world = require "spec.redis.world"

describe("enqueue", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local function list(name) return w:key("LRANGE", "queue:" .. name, 0, -1) end

  it("appends a batch in its order, records and all", function()
    assert.same({}, w:enqueue("q", 5, { "a", "b", "c" }))
    assert.same({}, w:enqueue("q", 5, { "d" }))
    assert.same({ "a", "b", "c", "d" }, list("q:5"))
    assert.equal(world.record { queue = "q" }, w:key("HGET", "jobs", "c"))
    assert.equal("pending q:5", w:place("b"))
  end)

  it("puts a batch in front, in its own order", function()
    w:enqueue("q", 5, { "x" })
    w:enqueue("q", 5, { "a", "b", "c" }, { front = true })
    w:enqueue("q", 5, { "z" }, { front = true })
    assert.same({ "z", "a", "b", "c", "x" }, list("q:5"))
    w:enqueue("q", 5, { "1", "2" }, { front = true })
    assert.same({ "1", "2", "z" }, w:key("LRANGE", "queue:q:5", 0, 2))
  end)

  it("keeps the levels that a queue uses, the highest first", function()
    for _, level in ipairs { 5, 0, 9, 5, 7, 9 } do
      w:enqueue("q", level, { ("%d-%s"):format(level, w:key("HLEN", "jobs")) })
    end
    assert.equal("r9750", w:key("HGET", "queues", "q"))
  end)

  it("leaves a job alone whose id has a record, and tells its position", function()
    assert.same({}, w:enqueue("q", 5, { "a" }))
    assert.same({ 1 }, w:enqueue("other", 7, { "a" }))
    assert.same({ 2 }, w:enqueue("q", 5, { "b", "a", "c" }))
    assert.same({ 1, 2 }, w:enqueue("q", 5, { "a", "b" }))
    assert.same({ "a", "b", "c" }, list("q:5"))
    assert.equal(world.record { queue = "q" }, w:key("HGET", "jobs", "a"))
    assert.same({}, list("other:7"))
  end)

  it("finds the same id twice in one batch", function()
    assert.same({ 3, 4 }, w:enqueue("q", 5, { "a", "b", "a", "b", "c" }))
    assert.same({ "a", "b", "c" }, list("q:5"))
    assert.same({ 2, 4 }, w:enqueue("q", 5, { "x", "a", "y", "x" }, { front = true }))
    assert.same({ "x", "y", "a", "b", "c" }, list("q:5"))
  end)

  it("leaves an ended job alone too", function()
    w:enqueue("q", 5, { "a" })
    w:fetch(1, { "q" })
    w:settle { ended = { { minute = 0, { "a", world.outcome { queue = "q" } } } } }
    assert.same({ 1 }, w:enqueue("q", 5, { "a" }))
    assert.equal("ended", w:place("a"))
  end)

  it("wakes one worker when a level gets its first job, and never twice", function()
    w:enqueue("q", 5, { "a", "b" })
    w:enqueue("q", 5, { "c" })
    w:enqueue("q", 9, { "d" })
    assert.equal(1, w:key("LLEN", "wake:q"))
    w:key("DEL", "wake:q")
    w:enqueue("q", 5, { "e" })
    assert.equal(0, w:key("LLEN", "wake:q"))
    w:enqueue("q", 1, { "f" })
    assert.equal(1, w:key("LLEN", "wake:q"))
  end)

  it("wakes nobody for a paused queue", function()
    w:eval("pause", "q", "p")
    w:enqueue("q", 5, { "a" })
    assert.equal("p5", w:key("HGET", "queues", "q"))
    assert.equal(0, w:key("LLEN", "wake:q"))
  end)

  it("takes 250 jobs, and bytes of every value", function()
    local ids = {}
    for i = 1, 250 do ids[i] = ("%036d"):format(i) end
    w:enqueue("q", 5, ids)
    assert.same(ids, list("q:5"))
    local args = '["\0\r\n\255"]'
    w:enqueue("q", 5, { "binary" }, { args = args })
    assert.equal(world.record { queue = "q", args = args }, w:key("HGET", "jobs", "binary"))
  end)

  it("is refused by a full Redis, and nothing has changed", function()
    w:fill_memory()
    local record = world.record { queue = "q" }
    local many, why = w:try("enqueue", "q", 5, 0, "a", record, "b", record)
    local one, why_one = w:try("enqueue", "q", 5, 0, "a", record)
    w:free_memory()
    assert.is_nil(many)
    assert.matches("^OOM ", why)
    assert.is_nil(one)
    assert.matches("^OOM ", why_one)
    assert.same({}, w:snapshot().jobs)
  end)

  it("refuses a level that there is not, before it writes", function()
    for _, level in ipairs { "", "10", "x", "-1" } do
      local reply, why = w:try("enqueue", "q", level, 0, "a", world.record {})
      assert.is_nil(reply)
      assert.matches("level", why)
    end
    assert.same({}, w:snapshot().jobs)
  end)

  it("refuses a record that names another queue or level, or none, before it writes", function()
    local good = world.record { queue = "q" }
    for _, bad in ipairs { "", "garbage", "J1 q", "J1 q 5", "J1 q 6 0 0 0 1 t 2 0 0\n[]",
      world.record { queue = "other" }, world.record { queue = "qq" }, "J2" .. good:sub(3) } do
      local reply, why = w:try("enqueue", "q", 5, 0, "a", good, "b", bad)
      assert.is_nil(reply)
      assert.matches("must begin with its queue and level: J1 q 5 ", why, 1, true)
    end
    assert.same({}, w:snapshot().jobs)
  end)

  it("runs a deleted job's id where its new life is, not at its old place", function()
    w:enqueue("q", 5, { "a", "b", "c" })
    w:eval("delete", "b")
    w:enqueue("q", 5, { "b" }, { front = true })
    assert.same({ "b", "a" }, w:fetch(2, { "q" }))
    w:check()
    assert.same({ "c" }, w:fetch(9, { "q" }))
  end)
end)

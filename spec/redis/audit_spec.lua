-- audit.lua: the counters beside what the structures hold. That they always agree is checked after
-- every step of every spec here (world.lua) and in random sequences (state_spec.lua).

local world = require "spec.redis.world"

describe("audit", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local function pairs_of(flat)
    local map = {}
    for i = 1, #flat, 2 do map[flat[i]] = math.tointeger(flat[i + 1]) end
    return map
  end

  -- {delayed, dead, inflight}, fences, and by queue: {entries, counters}.
  local function audit()
    local reply = w:eval "audit"
    local queues = {}
    for i = 7, #reply, 3 do queues[reply[i]] = { reply[i + 1], pairs_of(reply[i + 2]) } end
    return { table.unpack(reply, 1, 3) }, pairs_of(reply[5]), queues
  end

  local function counters(queue)
    local _, _, queues = audit()
    return queues[queue][2]
  end

  it("of nothing is nothing", function()
    assert.same({ 0, 0, 0, 0, {}, {} }, w:eval "audit")
  end)

  it("has every queue, place and end", function()
    w:enqueue("a", 5, { "1", "2", "3", "4", "5", "6" })
    w:enqueue("a", 9, { "7" })
    w:schedule({ "later" }, "+60000", { queue = "b" })
    assert.same({ "7", "1", "2", "3", "4" }, w:fetch(5, { "a" }))
    w:settle {
      dropped = { { queue = "a", "7" } },
      ended = { { minute = 0, { "1", world.outcome { queue = "a" } } } },
      dead = { { "2", world.dead_record { queue = "a" } } },
      retry = { { "3", 1000, world.record { queue = "a" } } },
    }
    w:eval("revoke", "5", "{}", 60)
    local totals, fences, queues = audit()
    assert.same({ 2, 1, 1 }, totals)
    assert.same({}, fences)
    assert.same({
      a = { 2, { enqueued = 7, inflight = 1, SUCCESS = 2, dead = 1, delayed = 1, stale = 1,
        REVOKED = 1 } },
      b = { 0, { enqueued = 1, delayed = 1 } },
    }, queues)
  end)

  it("counts what recovery has still to give back as in flight", function()
    w:enqueue("q", 5, { "1", "2" })
    w:fetch(2, { "q" })
    w:eval("condemn", w.worker, "crash", "-", "{}")
    assert.same({ 0, 0, 2 }, (audit()))
    w:eval("recover", w.worker, 3, 10)
    assert.same({ 0, 0, 2 }, (audit()))
    w:eval("recover", w.worker, 3, 10)
    assert.same({ 0, 0, 0 }, (audit()))
    assert.equal(0, counters("q").inflight)
  end)

  it("counts what is taken away by how", function()
    w:enqueue("q", 5, { "waits", "deleted", "p1", "p2" })
    w:schedule({ "later" }, "+60000", { queue = "q" })
    for _, id in ipairs { "dead1", "dead2", "dead3" } do
      w:bury(id, { queue = "q", level = 7 })
    end
    w:eval("delete", "deleted")
    w:eval("delete", "later")
    w:eval("delete", "dead1")
    w:eval("forget", "dead2")
    w:eval("sweep", 0, 3600)
    w:eval("purge", "q", 250)
    local c = counters "q"
    assert.same({ 8, 4, 1, 3 }, { c.enqueued, c.deleted, c.trimmed, c.purged })
  end)

  it("counts an ended job once, whatever becomes of its result", function()
    w:enqueue("q", 5, { "a", "b", "c" })
    w:fetch(3, { "q" })
    w:settle { ended = { { minute = 1, { "a", world.outcome { queue = "q", minute = 1 } },
      { "b", world.outcome { queue = "q", minute = 1 } },
      { "c", world.outcome { queue = "q", minute = 1 } } } } }
    w:eval("delete", "a")
    w:eval("forget", "b")
    w:eval("sweep", 100, 3600)
    assert.same({}, w:hash "jobs")
    local c = counters "q"
    assert.same({ 3, 3, 0 }, { c.enqueued, c.SUCCESS, c.deleted or 0 })
  end)

  it("counts an id that lives again as a new job, and a replayed one as the same", function()
    w:enqueue("q", 5, { "a" })
    w:enqueue("q", 5, { "a" })
    w:eval("delete", "a")
    w:enqueue("q", 5, { "a" }, { front = true })
    w:fetch(1, { "q" })
    w:settle { dead = { { "a", world.dead_record { queue = "q" } } } }
    w:eval("retry_dead", "a")
    local c = counters "q"
    assert.same({ 2, 1, 0, 1 }, { c.enqueued, c.deleted, c.dead, c.replayed })
  end)

  it("keeps the books of a record without a queue under -", function()
    w:schedule({ "a" }, 1)
    w:damage("a", "garbage")
    w:eval("promote", 250)
    assert.same({ delayed = -1, dead = 1 }, counters "-")
    w:eval("forget", "a")
    assert.same({ delayed = -1, dead = 0, deleted = 1 }, counters "-")
  end)

  describe("of what came too late", function()
    local function fences() return select(2, audit()) end

    it("counts the calls of who is fenced, and his verdicts", function()
      w:enqueue("q", 5, { "a", "b" })
      w:fetch(2, { "q" })
      w:eval("condemn", w.worker, "loss", "-", "{}")
      for _ = 1, 2 do
        assert.matches("^FENCED", select(2, w:try("settle", w.worker,
          world.verdicts { dropped = { { queue = "q", "a", "b" } } })))
      end
      assert.matches("^FENCED", select(2, w:try("fetch", w.worker, 1, "q")))
      assert.matches("^FENCED", select(2, w:try("progress", w.worker, 0, "a", "n")))
      assert.matches("^FENCED", select(2, w:try("reclaim", w.worker)))
      assert.same({ settle = 2, verdicts = 4, fetch = 1, progress = 1, reclaim = 1 }, fences())
      assert.same({ 0, 0, 2 }, (audit()))
    end)

    it("counts verdicts on jobs that are not the worker's any more", function()
      w:enqueue("q", 5, { "a", "b" })
      w:fetch(1, { "q" })
      local batch = { doubt = true, dropped = { { queue = "q", "a", "b", "c" } } }
      assert.equal(1, w:settle(batch))
      assert.equal(0, w:settle(batch))
      assert.same({ late = 5 }, fences())
    end)

    it("is refused by a full Redis too, uncounted", function()
      w:eval("condemn", w.worker, "loss", "-", "{}")
      w:fill_memory()
      local _, settle = w:try("settle", w.worker, world.verdicts {})
      local _, fetch = w:try("fetch", w.worker, 1, "q")
      w:free_memory()
      assert.matches("^FENCED", settle)
      assert.matches("^FENCED", fetch)
      assert.same({}, fences())
    end)
  end)

  it("has what waits for other jobs", function()
    w:accept { nodes = { { "b", plan = "1" }, { "c", plan = "1" }, { "a", links = "sFb lFc " } } }
    assert.equal(2, w:eval("audit")[4])
    assert.same({ enqueued = 3, deferred = 2 }, counters "default")
    w:run("a", false)
    assert.same({ enqueued = 3, deferred = 0, inflight = 0, FAILURE = 2, IGNORED = 1 },
      counters "default")
    assert.equal(0, w:eval("audit")[4])
  end)
end)

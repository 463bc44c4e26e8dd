-- fetch.lua: pending -> in flight.

local world = require "spec.redis.world"

describe("fetch", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  local function inflight()
    local ids = w:key("SMEMBERS", "inflight:" .. w.worker)
    table.sort(ids)
    return ids
  end

  local function ids_of(n, prefix)
    local ids = {}
    for i = 1, n do ids[i] = ("%s%04d"):format(prefix or "id", i) end
    return ids
  end

  it("hands over ids and records, in order, and notes who has them", function()
    w:enqueue("q", 5, { "a", "b", "c" })
    local r = world.record { queue = "q" }
    assert.same({ "a", r, "b", r }, w:eval("fetch", w.worker, 2, "q"))
    assert.same({ "a", "b" }, inflight())
    assert.same({ "c" }, w:key("LRANGE", "queue:q:5", 0, -1))
    w:check()
  end)

  it("takes from the queues in the order given, each with its highest level first", function()
    w:enqueue("low", 9, { "l9" })
    w:enqueue("high", 1, { "h1" })
    w:enqueue("high", 5, { "h5a", "h5b" })
    w:enqueue("mid", 5, { "m" })
    assert.same({ "h5a", "h5b", "h1", "m", "l9" }, w:fetch(10, { "high", "mid", "low" }))
    w:check()
  end)

  it("takes from one queue named of several", function()
    w:enqueue("a", 5, { "1" })
    w:enqueue("b", 5, { "2" })
    assert.same({ "2" }, w:fetch(10, { "b", "none" }))
    w:check()
  end)

  it("gives nothing, and writes nothing, where there is nothing", function()
    assert.same({}, w:fetch(10, { "q", "r" }))
    w:enqueue("q", 5, { "a" })
    w:fetch(1, { "q" })
    assert.same({}, w:fetch(1, { "q" }))
    w:check()
  end)

  it("is bounded by what is wanted", function()
    w:enqueue("q", 5, ids_of(250))
    w:enqueue("q", 4, ids_of(250, "low"))
    assert.equal(250, #w:fetch(250, { "q" }))
    assert.equal(200, #w:fetch(200, { "q" }))
    assert.equal(50, #w:fetch(250, { "q" }))
    assert.equal(500, #inflight())
    w:check()
  end)

  it("refuses an incarnation that is not registered, and takes nothing", function()
    w:enqueue("q", 5, { "a" })
    local reply, why = w:try("fetch", "nobody", 1, "q")
    assert.is_nil(reply)
    assert.matches("^FENCED", why)
    assert.equal("pending q:5", w:place("a"))
  end)

  describe("the wake token", function()
    local function wakes(queue) return w:key("LLEN", "wake:" .. queue) end

    -- As a worker does: the token is taken, then it fetches.
    local function woken(want, queues)
      for _, queue in ipairs(queues) do w:key("DEL", "wake:" .. queue) end
      return w:fetch(want, queues)
    end

    it("is passed on when a backlog is left", function()
      w:enqueue("q", 5, { "a", "b", "c" })
      woken(2, { "q" })
      assert.equal(1, wakes("q"))
      woken(1, { "q" })
      assert.equal(0, wakes("q"))
    end)

    it("is passed on for a lower level too", function()
      w:enqueue("q", 5, { "a" })
      w:enqueue("q", 3, { "b" })
      woken(1, { "q" })
      assert.equal(1, wakes("q"))
    end)

    it("is passed on for queues that were not reached", function()
      w:enqueue("a", 5, { "1", "2" })
      w:enqueue("b", 5, { "3" })
      w:enqueue("c", 5, { "4" })
      w:key("DEL", "wake:c")
      woken(2, { "a", "none", "b" })
      assert.same({ 0, 1, 0 }, { wakes("a"), wakes("b"), wakes("c") })
    end)

    it("stays one", function()
      w:enqueue("q", 5, { "a", "b", "c" })
      w:fetch(1, { "q" })
      w:fetch(1, { "q" })
      assert.equal(1, wakes("q"))
    end)

    it("is not given for a paused queue", function()
      w:enqueue("a", 5, { "1" })
      w:enqueue("b", 5, { "2" })
      w:eval("pause", "b", "p")
      woken(1, { "a", "b" })
      assert.equal(0, wakes("b"))
    end)
  end)

  it("takes nothing from a paused queue", function()
    w:enqueue("q", 5, { "a" })
    w:enqueue("r", 5, { "b" })
    w:eval("pause", "q", "p")
    assert.same({ "b" }, w:fetch(10, { "q", "r" }))
    w:eval("pause", "q", "r")
    assert.same({ "a" }, w:fetch(10, { "q", "r" }))
    w:check()
  end)

  describe("meeting jobs that ended as they waited", function()
    it("drops their entries and goes on", function()
      w:enqueue("q", 5, { "a", "b", "c", "d", "e" })
      w:eval("revoke", "a", "{}", 60)
      w:eval("delete", "c")
      w:eval("revoke", "d", "{}", 60)
      assert.same({ "b", "e" }, w:fetch(2, { "q" }))
      assert.same({ "b", "e" }, inflight())
      assert.same({}, w:snapshot().stale)
      w:check()
    end)

    it("drops them also when their record is gone since", function()
      w:enqueue("q", 5, { "a", "b" })
      w:eval("revoke", "a", "{}", 60)
      w:eval("forget", "a")
      assert.same({ "b" }, w:fetch(1, { "q" }))
      assert.same({}, w:snapshot().stale)
      w:check()
    end)

    it("runs a new life of the same id once", function()
      w:enqueue("q", 5, { "a", "b" })
      w:eval("delete", "a")
      w:enqueue("q", 5, { "a" })
      w:eval("delete", "a")
      w:enqueue("q", 5, { "a" })
      w:check()
      assert.same({ "b", "a" }, w:fetch(10, { "q" }))
      assert.same({}, w:fetch(10, { "q" }))
      w:check()
    end)

    it("runs it from the queue that it went to, not from its old one", function()
      w:enqueue("old", 5, { "a" })
      w:eval("delete", "a")
      w:enqueue("new", 5, { "a" })
      w:check()
      assert.same({ "a" }, w:fetch(10, { "new" }))
      assert.same({}, w:fetch(10, { "old" }))
      w:check()
    end)

    it("runs it at the level that it went to", function()
      w:enqueue("q", 3, { "a" })
      w:eval("revoke", "a", "{}", 60)
      w:eval("forget", "a")
      w:enqueue("q", 9, { "a" })
      w:enqueue("q", 5, { "b" })
      assert.same({ "a", "b" }, w:fetch(10, { "q" }))
      w:check()
    end)

    it("never holds Redis for long: it stops after 2,000, with a token and a marker", function()
      for batch = 0, 9 do
        local ids = ids_of(250, batch .. "-")
        w:enqueue("q", 5, ids)
        for _, id in ipairs(ids) do w:eval("delete", id) end
      end
      w:enqueue("q", 5, { "last" })
      w:key("DEL", "wake:q")
      local reply = w:eval("fetch", w.worker, 250, "q")
      assert.same({ "more" }, reply)
      assert.equal(1, w:key("LLEN", "wake:q"))
      assert.same({ "last" }, w:fetch(250, { "q" }))
      w:check()
    end)
  end)

  it("hands over a damaged record as it is", function()
    w:enqueue("q", 5, { "a", "b" })
    w:damage("a", "garbage\0")
    w:damage("b", "")
    assert.same({ "a", "garbage\0", "b", "" }, w:eval("fetch", w.worker, 10, "q"))
    assert.same({ "a", "b" }, inflight())
  end)

  it("works over maxmemory, with stale entries and a wake-up", function()
    w:enqueue("q", 5, { "a", "b", "c" })
    w:enqueue("q", 5, { "d" })
    w:eval("delete", "a")
    w:eval("delete", "b")
    w:key("DEL", "wake:q")
    w:fill_memory()
    local ok, ids = pcall(w.fetch, w, 1, { "q" })
    w:free_memory()
    assert.is_true(ok, ids)
    assert.same({ "c" }, ids)
    w:check()
  end)
end)

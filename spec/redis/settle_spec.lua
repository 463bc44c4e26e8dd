-- settle.lua: in flight -> ended, dead, delayed, or pending again.

local world = require "spec.redis.world"

describe("settle", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  -- Jobs in flight with w.worker.
  local function take(ids, queue, level)
    w:enqueue(queue or "default", level or 5, ids)
    assert.same(ids, w:fetch(#ids, { queue or "default" }))
  end

  local function inflight() return w:key("SCARD", "inflight:" .. w.worker) end

  local function wait_for(owner, ...) return w:eval("wait", owner, ...) end

  local function inbox(owner) return w:key("LRANGE", "inbox:" .. owner, 0, -1) end

  local function outcome(f) return world.outcome(f or {}) end

  it("dropped: nothing is kept", function()
    take { "a", "b" }
    assert.equal(2, w:settle { dropped = { "a", "b" } })
    assert.same({}, w:snapshot().jobs)
    assert.equal(0, inflight())
  end)

  it("ended: the result takes the record's place and stands in its minute's bucket", function()
    take { "a", "b", "c" }
    assert.equal(3, w:settle { ended = {
      { minute = 100, { "a", outcome { minute = 100 } }, { "b", outcome { minute = 100,
        value = '"\0"' } } },
      { minute = 101, { "c", outcome { minute = 101 } } },
    } })
    assert.equal(outcome { minute = 100, value = '"\0"' }, w:key("HGET", "jobs", "b"))
    assert.same({ "a", "b" }, w:key("LRANGE", "expire:100", 0, -1))
    assert.same({ "c" }, w:key("LRANGE", "expire:101", 0, -1))
    assert.same({ "100", "100", "101", "101" }, w:key("ZRANGE", "expiries", 0, -1, "WITHSCORES"))
    assert.equal("ended", w:place("a"))
  end)

  it("ended with minute 0: kept for ever, in no bucket", function()
    take { "a" }
    w:settle { ended = { { minute = 0, { "a", outcome() } } } }
    assert.equal(0, w:key("EXISTS", "expiries"))
    assert.equal("ended", w:place("a"))
  end)

  it("dead: kept in the dead set with the time of death", function()
    take { "a" }
    local before = w:now_ms()
    assert.equal(1, w:settle { dead = { { "a", world.dead_record() } } })
    local died = tonumber(w:key("ZSCORE", "dead", "a"))
    assert.is_true(died >= before and died <= w:now_ms())
    assert.equal(world.dead_record(), w:key("HGET", "jobs", "a"))
    assert.equal("dead", w:place("a"))
  end)

  it("retry: due after its delay, with its new record, and a tick", function()
    take { "a" }
    local before = w:now_ms()
    assert.equal(1, w:settle { retry = { { "a", 5000, world.record { retries = 1 } } } })
    local due = tonumber(w:key("ZSCORE", "delayed", "a"))
    assert.is_true(due >= before + 5000 and due <= w:now_ms() + 5000)
    assert.equal(world.record { retries = 1 }, w:key("HGET", "jobs", "a"))
    assert.equal(1, w:key("LLEN", "tick"))
  end)

  it("retry without a delay: to the end of its level at once", function()
    take({ "a" }, "q", 7)
    w:key("DEL", "wake:q")
    w:enqueue("q", 7, { "b" })
    w:settle { retry = { { "a", 0, world.record { queue = "q", level = 7, retries = 1 } } } }
    assert.same({ "b", "a" }, w:key("LRANGE", "queue:q:7", 0, -1))
  end)

  it("requeue: to the front of its level, the last one given first in line", function()
    take({ "a", "b", "c" }, "q", 7)
    w:enqueue("q", 7, { "d" })
    assert.equal(3, w:settle { requeue = { { "c", "q", 7 }, { "b", "q", 7 }, { "a", "q", 7 } } })
    assert.same({ "a", "b", "c", "d" }, w:key("LRANGE", "queue:q:7", 0, -1))
    assert.equal(world.record { queue = "q", level = 7 }, w:key("HGET", "jobs", "a"))
  end)

  it("requeue: wakes a worker where the queue was empty", function()
    take({ "a" }, "q")
    w:key("DEL", "wake:q")
    w:settle { requeue = { { "a", "q", 5 } } }
    assert.equal(1, w:key("LLEN", "wake:q"))
  end)

  it("takes all sections in one batch", function()
    take { "drop", "end1", "end2", "die", "again", "now", "back" }
    assert.equal(7, w:settle {
      dropped = { "drop" },
      ended = { { minute = 9, { "end1", outcome { minute = 9 } } }, { minute = 0, { "end2",
        outcome() } } },
      dead = { { "die", world.dead_record() } },
      retry = { { "again", 1000, world.record {} }, { "now", 0, world.record {} } },
      requeue = { { "back", "default", 5 } },
    })
    local where = {}
    for _, id in ipairs { "drop", "end1", "end2", "die", "again", "now", "back" } do
      where[#where + 1] = w:place(id) or "gone"
    end
    assert.same({ "gone", "ended", "ended", "dead", "delayed", "pending default:5",
      "pending default:5" }, where)
    assert.equal(0, inflight())
  end)

  it("takes 250 verdicts of each kind", function()
    local kinds = { "dropped", "ended", "dead", "retry", "requeue" }
    for _, kind in ipairs(kinds) do
      local ids, entries = {}, {}
      for i = 1, 250 do ids[i] = ("%s-%d"):format(kind, i) end
      take(ids)
      for i, id in ipairs(ids) do
        entries[i] = ({ dropped = id, ended = { minute = i % 3, { id,
          outcome { minute = i % 3 } } },
          dead = { id, world.dead_record() }, retry = { id, 1000, world.record {} },
          requeue = { id, "other", 5 } })[kind]
      end
      if kind == "requeue" then
        for _, id in ipairs(ids) do w:damage(id, world.record { queue = "other" }) end
      end
      assert.equal(250, w:settle { [kind] = entries })
    end
    assert.equal(0, inflight())
  end)

  it("ends an empty batch", function()
    assert.equal(0, w:settle {})
  end)

  describe("who waits", function()
    it("gets the last word, once", function()
      take { "a", "b", "c", "d" }
      wait_for("me", "a", "b", "c", "d")
      wait_for("you", "a")
      w:settle {
        dropped = { "d" },
        ended = { { minute = 0, { "a", outcome { value = "42" } } } },
        dead = { { "b", world.dead_record() } },
      }
      assert.same({ "Ud\n", "Fa\n" .. outcome { value = "42" }, "Fb\n" .. world.dead_record() },
        inbox "me")
      assert.same({ "Fa\n" .. outcome { value = "42" } }, inbox "you")
      assert.same({ c = "me " }, w:hash "waiters")
      local ttl = w:key("TTL", "inbox:me")
      assert.is_true(ttl > 60 and ttl <= 120)
    end)

    it("goes on waiting over retries and requeues", function()
      take { "a", "b" }
      wait_for("me", "a", "b")
      w:settle { retry = { { "a", 1000, world.record {} } }, requeue = { { "b", "default", 5 } } }
      assert.same({}, inbox "me")
      assert.same({ a = "me ", b = "me " }, w:hash "waiters")
    end)
  end)

  it("drops the notes of jobs that run no more", function()
    take { "a", "b", "c", "d", "e" }
    for _, id in ipairs { "a", "b", "c", "d", "e" } do w:eval("progress", w.worker, 0, id,
      "STARTED w 1\n") end
    w:settle {
      dropped = { "a" }, ended = { { minute = 0, { "b", outcome() } } }, dead = { { "c",
        world.dead_record() } },
      retry = { { "d", 10, world.record {} } }, requeue = { { "e", "default", 5 } },
    }
    assert.same({}, w:hash "running")
  end)

  it("of an incarnation that was taken off changes nothing", function()
    take { "a" }
    w:key("HDEL", "workers", w.worker)
    local reply, why = w:try("settle", w.worker, world.verdicts { dropped = { "a" } })
    w:eval("join", w.worker, "node")
    assert.is_nil(reply)
    assert.matches("^FENCED", why)
    assert.equal("inflight worker-1", w:place("a"))
  end)

  describe("sent again, as its reply was lost,", function()
    local batch

    before_each(function()
      take { "drop", "end", "die", "again", "back" }
      batch = {
        dropped = { "drop" },
        ended = { { minute = 5, { "end", outcome { minute = 5 } } } },
        dead = { { "die", world.dead_record() } },
        retry = { { "again", 60000, world.record { retries = 1 } } },
        requeue = { { "back", "default", 5 } },
      }
      w:settle(batch)
    end)

    it("changes nothing", function()
      local before = w:snapshot()
      w:settle(batch)
      assert.same(before, w:snapshot())
    end)

    it("leaves alone what lives again under the same id", function()
      w:eval("forget", "end")
      w:enqueue("default", 5, { "end", "drop" })
      w:eval("retry_dead", "die")
      local before = w:snapshot()
      assert.equal(0, w:settle(batch))
      assert.same(before, w:snapshot())
    end)

    it("leaves alone what another worker runs now", function()
      w:eval("join", "other", "node")
      assert.same({ "back" }, w:fetch(1, { "default" }, "other"))
      w:settle(batch)
      assert.equal("inflight other", w:place("back"))
    end)
  end)

  it("in doubt, tells a job of its own from one that lives again under its id", function()
    take { "a", "b", "c", "d", "e" }
    w:settle { dropped = { "a" }, ended = { { minute = 0, { "b", outcome() } } } }
    w:eval("forget", "b")
    w:enqueue("default", 5, { "a", "b" })
    assert.equal(2, w:settle { doubt = true, dropped = { "a", "c", "c" },
      ended = { { minute = 0, { "b", outcome { value = "2" } }, { "d", outcome() } } } })
    assert.equal("pending default:5", w:place("a"))
    assert.equal("pending default:5", w:place("b"))
    assert.is_nil(w:place("c"))
    assert.equal("ended", w:place("d"))
    assert.same({ "a", "b" }, w:fetch(9))
  end)

  it("in doubt, passes over maxmemory too", function()
    take { "a", "b" }
    w:fill_memory()
    local done, why = w:try("settle", w.worker, world.verdicts { doubt = true,
      ended = { { minute = 5, { "a", outcome { minute = 5 } }, { "gone", outcome() } } } })
    local again, why_again = w:try("settle", w.worker, world.verdicts { doubt = true,
      ended = { { minute = 5, { "a", outcome { minute = 5 } } } } })
    w:free_memory()
    assert.equal(1, done, why)
    assert.equal(0, again, why_again)
    w:settle { dropped = { "b" } }
  end)

  it("settles ids of which some are settled already", function()
    take { "a", "b", "c", "d" }
    w:settle { dropped = { "a" }, ended = { { minute = 0, { "b", outcome { value = "1" } } } } }
    w:settle {
      dropped = { "a", "c" },
      ended = { { minute = 0, { "b", outcome { value = "2" } }, { "d",
        outcome { value = "3" } } } },
    }
    assert.equal(0, inflight())
    assert.equal(outcome { value = "1" }, w:key("HGET", "jobs", "b"))
    assert.equal(outcome { value = "3" }, w:key("HGET", "jobs", "d"))
    assert.is_nil(w:key("HGET", "jobs", "c"))
  end)

  it("passes over maxmemory, whichever section it has", function()
    take { "drop", "end", "die", "again", "back" }
    wait_for("me", "end", "die")
    w:eval("progress", w.worker, 0, "end", "STARTED w 1\n")
    w:fill_memory()
    local ok, why = pcall(function()
      w:settle { requeue = { { "back", "default", 5 } } }
      w:settle { retry = { { "again", 60000, world.record {} } } }
      w:settle { dead = { { "die", world.dead_record() } } }
      w:settle { ended = { { minute = 5, { "end", outcome { minute = 5,
        value = ("x"):rep(10000) } } } } }
      w:settle { dropped = { "drop" } }
    end)
    w:free_memory()
    assert.is_true(ok, why)
    assert.equal(0, inflight())
    assert.equal(2, #inbox "me")
  end)

  describe("replaced:", function()
    local function stage(...)
      for i, nodes in ipairs { ... } do
        w:eval("stage", "T", i, table.unpack(world.batch { nodes = nodes }))
      end
    end

    local function replace() return w:settle { replaced = { { "a", "T" } } } end

    it("the job goes on as what was staged, with its links and waiters", function()
      w:accept { nodes = { { "z", plan = "1" }, { "a", links = "sFz " } } }
      assert.same({ "a" }, w:fetch(1))
      wait_for("me", "a")
      w:eval("progress", w.worker, 0, "a", "STARTED w 1\n")
      stage { { "a", plan = "1", args = "[2]", links = "w-a " }, { "b", links = "sFa " } }
      assert.equal(1, replace())
      assert.equal(0, replace())
      assert.same({ { a = "sFz w-a ", b = "sFa " }, {} }, { w:hash "links", w:hash "running" })
      w:run("b", "1")
      assert.equal("[1,2]", w:args "a")
      w:run("a", "3")
      assert.equal("[3]", w:args "z")
      assert.matches("^Fa\n", inbox("me")[1])
      assert.equal("3", w:hash("counters:default").enqueued)
      assert.equal(0, w:key("EXISTS", "staged:T", "accepted:T"))
    end)

    it("also by a chord of many batches, or of another queue", function()
      take { "a" }
      local nodes, batches, members = {}, {}, { "g" }
      for i = 1, 600 do
        nodes[i] = { "m" .. i, links = "hFg " }
        members[i + 1] = "m" .. i
      end
      batches[1] = { { "a", queue = "other", plan = "1", links = "u-g w-g " },
        { "g", plan = "600", task = "moil.group", links = "nFa " } }
      for i = 1, 600, 200 do batches[#batches + 1] = { table.unpack(nodes, i, i + 199) } end
      stage(table.unpack(batches))
      w:key("RPUSH", "members:g", table.unpack(members, 2))
      assert.equal(1, replace())
      w:advance()
      for _ = 1, 3 do
        local group = { minute = 0 }
        for i, id in ipairs(w:fetch(200)) do group[i] = { id, outcome() } end
        w:settle { ended = { group } }
      end
      assert.same({ "a" }, w:fetch(1, { "other" }))
      w:settle { dropped = { { queue = "other", "a" } } }
      w:advance()
      assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
    end)

    it("fails where nothing is staged, or not for it", function()
      for _, staged in ipairs { false, true } do
        w:reset()
        w:accept { nodes = { { "z", plan = "1" }, { "a", links = "sFz " } } }
        w:fetch(1)
        wait_for("me", "a")
        if staged then stage { { "b" } } end
        assert.equal(1, replace())
        local state, value = w:ended "a"
        assert.same({ "FAILURE", true }, { state, value:find("BadMessage", 1, true) ~= nil })
        assert.equal("FAILURE", (w:ended "z"))
        assert.equal(1, #inbox "me")
      end
    end)

    it("passes over maxmemory", function()
      take { "a" }
      stage { { "a", plan = "1" }, { "b", links = "sFa " } }
      w:fill_memory()
      local ok, why = pcall(replace)
      w:free_memory()
      assert.is_true(ok, why)
      assert.equal("deferred", w:place "a")
    end)
  end)

  it("follows links in each section of one batch", function()
    local nodes, places = {}, { "drop", "end", "die", "again", "back" }
    for _, id in ipairs(places) do
      nodes[#nodes + 1] = { id .. "2", plan = "1" }
    end
    for _, id in ipairs(places) do nodes[#nodes + 1] = { id, links = "sF" .. id .. "2 " } end
    w:accept { nodes = nodes }
    assert.same(places, w:fetch(5))
    w:eval("progress", w.worker, 0, "end", "STARTED w 1\n")
    wait_for("me", "die2")
    assert.equal(5, w:settle { dropped = { "drop" },
      ended = { { minute = 0, { "end", outcome { value = "1" } } } },
      dead = { { "die", world.dead_record() } }, retry = { { "again", 1000, world.record {} } },
      requeue = { { "back", "default", 5 } } })
    assert.same({ "[null]", "[1]", "FAILURE", "deferred", "deferred" }, { w:args "drop2",
      w:args "end2", (w:ended "die2"), w:place "again2", w:place "back2" })
    assert.same({ {}, 1 }, { w:hash "running", #inbox "me" })
  end)

  it("follows no links of what it does not settle", function()
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
    w:fetch(1)
    local other = { ended = { { minute = 0, { "x", outcome() }, { "a", outcome() } } } }
    assert.equal(1, w:settle(other))
    assert.equal("[1]", w:args "b")
    w:accept { nodes = { { "d", plan = "1" }, { "c", links = "sFd " } } }
    assert.equal(0, w:settle { ended = { { minute = 0, { "c", outcome() } } } })
    assert.equal("deferred", w:place "d")
  end)
end)

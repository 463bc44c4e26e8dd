local world = require "spec.redis.world"

-- condemn, evict, recover: what a dead worker or a vanished node held goes back, in order, and is
-- charged rightly.

local ERROR <const> = '{"code":"WorkerLost","message":"killed"}'
local w

setup(function() w = world.new() end)
teardown(function() w:stop() end)
before_each(function() w:reset() end)

local function recover(incarnation)
  local calls = 0
  repeat
    calls = calls + 1
    assert(calls < 100, "recovery does not end")
  until w:eval("recover", incarnation, 3, 10) == 0
  return calls
end

local function enqueue_aged(ids, level)
  local argv = { "default", level or 5, 0 }
  for i, id in ipairs(ids) do
    argv[#argv + 1] = id
    argv[#argv + 1] = world.record { level = level, enqueued = 1000 + i }
  end
  w:eval("enqueue", table.unpack(argv))
end

local function header(id, field)
  return w:key("HGET", "jobs", id):match(("^J1 %%S+ %%d %s(%%d+)"):format(("%d+ "):rep(field - 1)))
end

describe("a dead worker", function()
  it("is fenced from the moment it is condemned", function()
    enqueue_aged { "a" }
    w:fetch(1)
    assert.equal(1, w:eval("condemn", w.worker, "crash", "a", ERROR))
    assert.equal(0, w:eval("condemn", w.worker, "crash", "a", ERROR))
    local _, err = w:try("settle", w.worker, world.verdicts { dropped = { "a" } })
    assert.matches("^FENCED", err)
    assert.truthy(w:key("HGET", "jobs", "a"))
  end)

  it("gives its jobs back in front, in order, the one on the CPU charged with a crash", function()
    enqueue_aged { "a", "b", "c", "d" }
    w:fetch(3)
    w:eval("condemn", w.worker, "crash", "b", ERROR)
    recover(w.worker)
    assert.same({ "a", "b", "c", "d" }, w:key("LRANGE", "queue:default:5", 0, -1))
    assert.same({ "0", "1", "0" }, { header("a", 2), header("b", 2), header("c", 2) })
    assert.equal(0, w:key("HLEN", "recovering"))
    w:check()
  end)

  it("keeps the order over many batches and levels", function()
    local ids = {}
    for i = 1, 240 do ids[i] = ("j%03d"):format(i) end
    for at = 0, 2 do
      local part = {}
      for i = 1, 240 do part[i] = at .. ids[i] end
      local argv = { "default", 5, 0 }
      for i, id in ipairs(part) do
        argv[#argv + 1] = id
        argv[#argv + 1] = world.record { enqueued = at * 1000 + i }
      end
      w:eval("enqueue", table.unpack(argv))
    end
    local before = w:key("LRANGE", "queue:default:5", 0, -1)
    for _ = 1, 3 do w:fetch(240) end
    w:eval("condemn", w.worker, "crash", "-", ERROR)
    assert.is_true(recover(w.worker) > 5)
    assert.same(before, w:key("LRANGE", "queue:default:5", 0, -1))
    w:check()
  end)

  it("gives a job back with its verdict at its third crash, and buries it at the next", function()
    w:eval("enqueue", "default", 5, 0, "p", world.record { crashes = 2 })
    w:fetch(1)
    w:eval("condemn", w.worker, "crash", "p", ERROR)
    recover(w.worker)
    local body = world.record { crashes = 3 }
    assert.equal(body .. ERROR, w:key("HGET", "jobs", "p"))

    w:eval("join", w.worker, "node")
    w:fetch(1)
    w:eval("wait", "me", "p")
    w:eval("condemn", w.worker, "crash", "p", ERROR)
    recover(w.worker)
    local record = w:key("HGET", "jobs", "p")
    assert.matches("^R1 FAILURE default 5 0 4 ", record)
    assert.equal(ERROR .. world.record { crashes = 4 }, record:sub(-#ERROR - #body))
    assert.truthy(w:key("ZSCORE", "dead", "p"))
    assert.equal("Fp\n" .. record, w:key("LPOP", "inbox:me"))
    assert.equal(1, w:eval("retry_dead", "p")[1])
    assert.equal("0", header("p", 2))
    w:check()
  end)

  it("allows as many crashes as the job's sender knew, else as its worker did", function()
    local knows = world.record { crashes = 1, extra = '{"max_deliveries":3}' }
    for id, case in pairs {
      once = { world.record {}, "crash:1", true },
      again = { world.record { crashes = 3 }, "crash:5", false },
      sent = { knows, "crash:1", false },
    } do
      w:eval("join", "w-" .. id, "node")
      w:eval("enqueue", "default", 5, 0, id, case[1])
      w:eval("fetch", "w-" .. id, 1, "default")
      w:eval("condemn", "w-" .. id, case[2], id, ERROR)
      recover("w-" .. id)
      assert.equal(case[3], w:key("HGET", "jobs", id):sub(-#ERROR) == ERROR, id)
      w:key("DEL", "queue:default:5")
    end
  end)

  it("gives a job that was killed for its limit back with the verdict, uncharged", function()
    enqueue_aged { "a", "b" }
    w:fetch(2)
    w:eval("condemn", w.worker, "limit", "b", ERROR)
    recover(w.worker)
    assert.equal("0", header("b", 2))
    assert.equal(ERROR, w:key("HGET", "jobs", "b"):sub(-#ERROR))
    assert.not_equal(ERROR, w:key("HGET", "jobs", "a"):sub(-#ERROR))
  end)

  it("buries a damaged record with its bytes", function()
    enqueue_aged { "a" }
    w:fetch(1)
    w:damage("a", "J1 nonsense")
    w:eval("condemn", w.worker, "crash", "-", ERROR)
    recover(w.worker)
    assert.truthy(w:key("HGET", "jobs", "a"):find(ERROR .. "J1 nonsense", 1, true))
  end)

  it("is recovered on a full Redis too", function()
    enqueue_aged { "a", "b" }
    w:fetch(2)
    w.redis:call("CONFIG", "SET", "maxmemory", "1")
    w:eval("condemn", w.worker, "crash", "-", ERROR)
    recover(w.worker)
    w.redis:call("CONFIG", "SET", "maxmemory", "0")
    assert.same({ "a", "b" }, w:key("LRANGE", "queue:default:5", 0, -1))
  end)
end)

describe("a vanished node", function()
  it("is evicted only while its lease counter has not moved", function()
    local counter = w:eval("heartbeat", "node", "{}")
    w:eval("heartbeat", "node", "{}")
    assert.equal(-1, w:eval("evict", "node", counter, ERROR))
    assert.equal(1, w:eval("evict", "node", counter + 1, ERROR))
    assert.equal(0, w:key("HLEN", "workers"))
    assert.equal(0, w:key("HLEN", "nodes"))
  end)

  it("takes only its own workers along, and charges a loss to what ran alone", function()
    local counter = w:eval("heartbeat", "node", "{}")
    w:eval("join", "other", "node-2")
    enqueue_aged { "a", "b" }
    w:fetch(2)
    w:eval("progress", w.worker, 0, "b", "STARTED " .. w.worker .. " 1\n")
    assert.equal(1, w:eval("evict", "node", counter, ERROR))
    recover(w.worker)
    assert.same({ "a", "b" }, w:key("LRANGE", "queue:default:5", 0, -1))
    assert.same({ "0", "1" }, { header("a", 3), header("b", 3) })
    assert.same({ "other" }, w:key("HKEYS", "workers"))
    assert.equal(0, w:key("HLEN", "running"))
    w:check()
  end)
end)

describe("reclaim", function()
  it("brings what is in flight with a worker that does not know it", function()
    enqueue_aged { "a", "b", "c" }
    w:fetch(3)
    assert.same({ "b", w:key("HGET", "jobs", "b") }, w:eval("reclaim", w.worker, "a", "c"))
    assert.same({}, w:eval("reclaim", w.worker, "a", "b", "c"))
    local _, err = w:try("reclaim", "nobody")
    assert.matches("^FENCED", err)
  end)
end)

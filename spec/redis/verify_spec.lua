-- verify.lua: what is wrong with a job, looked for everywhere at one moment. cli/audit_spec.lua has
-- the damages of each kind, and state_spec.lua checks that it complains of nothing else.

local world = require "spec.redis.world"

describe("verify", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  local function verify(...) return w:eval("verify", ...) end

  it("complains of nothing where a job is in its one place", function()
    w:enqueue("q", 5, { "waits", "runs", "ended", "back", "gone" })
    w:schedule({ "later" }, "+1000")
    w:bury "dead"
    assert.same({ "waits", "runs", "ended", "back" }, w:fetch(4, { "q" }))
    w:settle { ended = { { minute = 5, { "ended", world.outcome { queue = "q", minute = 5 } } } },
      requeue = { { "waits", "q", 5 } } }
    w:eval("delete", "gone")
    w:eval("condemn", w.worker, "crash", "-", "{}")
    w:eval("recover", w.worker, 3, 10)
    w:eval("join", "other", "node")
    assert.same({ 8 }, verify("waits", "q:5", "runs", "", "ended", "", "back", "", "gone", "q:5",
      "later", "", "dead", "", "never", ""))
  end)

  it("complains of what would wait for ever, and of links that nobody follows", function()
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
    assert.same({ 2 }, verify("a", "default:5", "b", "deferred"))
    w:key("HSET", "deferred", "b", "2")
    w:key("HSET", "links", "ghost", "sFb ")
    assert.same({ 2, "ghost", "has no record, but links" }, verify("ghost", "", "b", "deferred"))
    w:key("HDEL", "links", "ghost")
    assert.same({ 1, "b", "waits for 2 jobs, but links of 1 lead to it" }, verify("b", "deferred"))
    w:key("RPUSH", "advancing", "l ghost")
    assert.same({ 1 }, verify("b", "deferred"))
    w:key("DEL", "advancing")
    w:key("HSET", "jobs", "a", world.outcome {})
    w:key("DEL", "queue:default:5")
    assert.same({ 1, "a", "has ended, but its links were not followed" }, verify("a", ""))
    w:enqueue("default", 5, { "x" })
    w:key("HSET", "deferred", "x", "1")
    assert.same({ 1, "x", "is in 2 places: deferred and pending in default:5" },
      verify("x", "default:5"))
  end)

  it("counts ends that come by a list, or as a group's members", function()
    w:enqueue("default", 5, { "x" })
    local argv = {}
    for i = 1, 300 do
      w:accept { nodes = { { "w" .. i, plan = "1" } }, deps = { { "x", "nFw" .. i } } }
      argv[2 * i - 1], argv[2 * i] = "w" .. i, "deferred"
    end
    assert.same({ 250 }, verify(table.unpack(argv, 1, 500)))
    w:accept { nodes = { { "g", plan = "2", task = "moil.group" },
      { "m1", plan = "1", links = "mFg " }, { "m2", plan = "1", links = "mFg " },
      { "a", links = "SFg " } }, members = { { "g", "m1", "m2" } } }
    assert.same({ 3 }, verify("m1", "deferred", "m2", "deferred", "g", "deferred"))
    w:accept { nodes = { { "d1", plan = "1" }, { "d2", plan = "1" } },
      members = { { "list", "d1", "d2" } }, deps = { { "x", "NFlist" } } }
    assert.same({ 2 }, verify("d1", "deferred", "d2", "deferred"))
  end)

  it("knows who holds a result whose time has come", function()
    w:accept { nodes = { { "g", plan = "2", task = "moil.group" }, { "m1", links = "hFg " },
      { "m2", links = "hFg " } }, members = { { "g", "m1", "m2" } } }
    w:run("m1", "1", { minute = 5 })
    assert.same({ 1 }, verify("m1", ""))
    w:key("DEL", "held")
    assert.same({ 1, "m1", "has ended, but its result will never expire" }, verify("m1", ""))
  end)

  it("tells a stale entry of a job's earlier life from the job", function()
    w:enqueue("q", 5, { "a", "b" })
    w:eval("delete", "a")
    w:enqueue("q", 5, { "a" })
    assert.same({ 2 }, verify("a", "q:5", "b", "q:5"))
    w:key("LPOP", "queue:q:5")
    assert.same({ 1, "a", "is nowhere: not delayed, not deferred, not in flight, not in q:5" },
      verify("a", "q:5"))
    w:key("RPOP", "queue:q:5")
    assert.same({ 1, "a", "is stale 1 times in q:5, but stands there 0 times" },
      verify("a", "q:5"))
  end)

  it("knows two workers that hold one job", function()
    w:enqueue("q", 5, { "a" })
    w:fetch(1, { "q" })
    w:eval("join", "worker-2", "node")
    w:key("SADD", "inflight:worker-2", "a")
    local why = verify("a", "")[3]
    assert.matches("^is in 2 places: in flight with worker%-%d and in flight with worker%-%d$", why)
  end)

  it("looks at a record without a queue where it was seen", function()
    w:enqueue("q", 5, { "a" })
    w:damage("a", "garbage")
    assert.same({ 1, "a", "has a record that cannot be read, and is pending in q:5" },
      verify("a", "q:5"))
    assert.same({ 1, "a", "is nowhere" }, verify("a", ""))
  end)

  it("stops where the lists are long, and goes on at the next call", function()
    w:eval("enqueue", "q", 5, 0, "a", world.record { queue = "q" })
    local filler = {}
    for i = 1, 5000 do filler[i] = "x" end
    for _ = 1, 110 do w:key("RPUSH", "queue:q:5", table.unpack(filler)) end
    assert.equal(2, verify("a", "q:5", "a", "q:5", "a", "q:5")[1])
  end)
end)

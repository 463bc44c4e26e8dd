-- `moil inspect audit`: 0 and the books where all is well, 6 and a line for each thing that is not.

local support = require "spec.support"

describe("moil inspect audit", function()
  local redis

  setup(function() redis = support.redis() end)
  teardown(function() redis:stop() end)
  before_each(function() redis:call("FLUSHALL") end)

  local function moil(...) return support.moil { redis = redis, ... } end

  local function call(...)
    local out = moil("call", ...)
    assert.equal(0, out.code, out.stderr)
    return (out.stdout:gsub("\n", ""))
  end

  local function key(command, name, ...) return redis:call(command, "{moil}:" .. name, ...) end

  -- The lines on stderr, and the object on stdout.
  local function audit(code)
    local out = moil("inspect", "audit", "--json")
    assert.equal(code, out.code, out.stdout .. out.stderr)
    local object = support.json_decode(out.stdout)
    assert.equal(code == 0, object.ok)
    local lines = {}
    for line in out.stderr:gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("^moil: ", "") end
    assert.same(lines, object.differences)
    return lines, object
  end

  -- The lines after the first n, in the order of the alphabet: jobs are found in none.
  local function sorted(lines, n)
    local rest = { table.unpack(lines, n + 1) }
    table.sort(rest)
    return table.move(rest, 1, #rest, n + 1, { table.unpack(lines, 1, n) })
  end

  -- Three jobs that wait, one that is delayed, and one in each other place.
  local function fill()
    for i = 1, 7 do call("t", "--id", "j" .. i, "--queue", "q") end
    call("t", "--id", "later", "--queue", "q", "--countdown", "100")
    support.eval_script(redis, "join", "{moil}:", "worker-1", "node")
    support.eval_script(redis, "fetch", "{moil}:", "worker-1", 3, "q")
    local record = "R1 FAILURE q 5 0 1 1 1 1 0 w t 2 0\n{}"
    support.eval_script(redis, "settle", "{moil}:", "worker-1", 2, 0, 1, "SUCCESS", "q", 1, "j1", 0,
      1, "j2", record, 0, 0)
    assert.equal(0, moil("revoke", "j7").code)
  end

  it("says that all is well, and how the books stand", function()
    assert.same({}, (audit(0)))
    assert.matches("^no queues yet.*\nrefused as too late: fetch 0, .*, late 0\n$",
      moil("inspect", "audit").stdout)
    fill()
    local _, object = audit(0)
    local q = object.queues[1]
    assert.same({ "q", 8, 3, 1, 0, 1, 1, true, true }, { q.queue, q.enqueued, q.pending, q.delayed,
      q.deferred, q.in_flight, q.dead, q.counted, q.ok })
    assert.same({ SUCCESS = 1, FAILURE = 0, REVOKED = 1, IGNORED = 0 }, q.ended)
    assert.same({ purged = 0, deleted = 0, trimmed = 0 }, q.discarded)
    for _, place in ipairs { "delayed", "dead", "in_flight" } do
      assert.same({ counted = 1, found = 1, ok = true }, object[place])
    end
    assert.matches("\nq +8 +3 +1 +0 +1 +1 +SUCCESS 1, REVOKED 1 +0 +yes\n",
      moil("inspect", "audit").stdout)
  end)

  it("finds jobs that are missing, wherever they were", function()
    local nowhere = " is nowhere: not delayed, not deferred, not in flight, not in q:5"
    for _, case in ipairs {
      { function() key("LPOP", "queue:q:5") end, "job j4" .. nowhere,
        "queue q: 8 enqueued, but 7 accounted for (-1): 5 in places, 2 ended, 0 discarded" },
      { function() key("DEL", "delayed") end, "job later" .. nowhere,
        "delayed jobs: 1 counted, 0 found" },
      { function() key("DEL", "inflight:worker-1") end, "job j3" .. nowhere,
        "jobs in flight: 1 counted, 0 found" },
      { function() key("HDEL", "workers", "worker-1") end, "job j3" .. nowhere,
        "jobs in flight: 1 counted, 0 found" },
      { function() key("DEL", "dead") end, nil, "dead jobs: 1 counted, 0 found" },
      { function() key("HDEL", "jobs", "j4") end, "job j4 has no record, but is pending in q:5" },
      { function() key("HDEL", "jobs", "later") end, "job later has no record, but is delayed" },
      { function() key("HDEL", "jobs", "j2") end, "job j2 has no record, but is dead" },
      { function() key("HDEL", "jobs", "j3") end,
        "job j3 has no record, but is in flight with worker-1" },
    } do
      redis:call("FLUSHALL")
      fill()
      case[1]()
      assert.same({ case[3] or case[2], case[3] and case[2] }, (audit(6)))
    end
  end)

  it("finds jobs that would wait for others for ever", function()
    local record = "J1 q 5 0 0 0 1 t 2 0 0\n[]"
    support.eval_script(redis, "accept", "{moil}:", "t", "b", "0", "J", "b", record, "2", "",
      "J", "a", record, "0", "sFb nFb ")
    assert.same({}, (audit(0)))
    assert.matches("\nq +2 +1 +0 +1 +0 +0 ", moil("inspect", "audit").stdout)
    key("HSET", "links", "a", "sFb ")
    assert.same({ "job b waits for 2 jobs, but links of 1 lead to it" }, (audit(6)))
    key("DEL", "deferred")
    assert.same({ "deferred jobs: 1 counted, 0 found",
      "job b is nowhere: not delayed, not deferred, not in flight, not in q:5" }, (audit(6)))
  end)

  it("finds jobs that nobody enqueued, or that are in two places", function()
    fill()
    key("RPUSH", "queue:q:5", "j4")
    key("ZADD", "delayed", 1, "j5")
    key("ZADD", "dead", 1, "j6")
    key("SADD", "inflight:worker-1", "j1")
    assert.same({
      "queue q: 8 enqueued, but 9 accounted for (+1): 7 in places, 2 ended, 0 discarded",
      "delayed jobs: 1 counted, 2 found",
      "dead jobs: 1 counted, 2 found",
      "jobs in flight: 1 counted, 2 found",
      "job j1 has no record, but is in flight with worker-1",
      "job j4 is in 2 places: pending in q:5 and pending in q:5",
      "job j5 is in 2 places: delayed and pending in q:5",
      "job j6 is in the dead set, but is pending in q:5",
    }, sorted((audit(6)), 4))
    assert.matches("\nq .* no\n", moil("inspect", "audit").stdout)
  end)

  it("finds what the counters cannot show", function()
    fill()
    key("LREM", "queue:q:5", 0, "j4")
    key("RPUSH", "queue:q:5", "j5")
    key("HSET", "running", "j6", "STARTED w 1\n")
    key("HSET", "waiters", "j2", "me ")
    key("HSET", "waiters", "gone", "me ")
    key("DEL", "expiries")
    assert.same({
      "job gone has no record, but is waited for",
      "job j2 has ended, but is waited for",
      "job j4 is nowhere: not delayed, not deferred, not in flight, not in q:5",
      "job j5 is in 2 places: pending in q:5 and pending in q:5",
      "job j6 has a note, but is pending in q:5",
      "job j7 has ended, but its result will never expire",
    }, sorted((audit(6)), 0))
  end)

  it("finds a job in the wrong list", function()
    fill()
    key("HSET", "queues", "other", "r5")
    key("LREM", "queue:q:5", 0, "j4")
    key("RPUSH", "queue:other:5", "j4")
    assert.same({
      "job j4 is pending in other:5, but its record says q:5",
      "queue other: 1 entries, but no counters: they are older than counting, "
        .. "or were put there by hand",
      "queue q: 8 enqueued, but 7 accounted for (-1): 5 in places, 2 ended, 0 discarded",
    }, sorted((audit(6)), 0))
  end)

  it("finds records that cannot be read", function()
    fill()
    for _, id in ipairs { "j3", "j4", "later" } do key("HSET", "jobs", id, "garbage") end
    assert.same({
      "job j3 has a record that cannot be read, and is in flight with worker-1",
      "job j4 has a record that cannot be read, and is pending in q:5",
      "job later has a record that cannot be read, and is delayed",
    }, sorted((audit(6)), 0))
  end)

  it("names each key of a wrong type, and so does inspect queues", function()
    for _, name in ipairs { "counters:q", "queue:q:5", "jobs", "delayed", "dead", "queues",
      "inflight:worker-1", "stale", "expiries", "running", "waiters", "workers", "fences" } do
      redis:call("FLUSHALL")
      fill()
      key("SET", name, "x")
      local line = "the key {moil}:" .. name .. " is of another type than what moil keeps there"
      assert.equal(line, audit(6)[1])
    end
    redis:call("FLUSHALL")
    fill()
    key("SET", "queue:q:5", "x")
    local out = moil("inspect", "queues")
    assert.not_equal(0, out.code)
    assert.matches("^moil: [^\n]*the key {moil}:queue:q:5 is of another type [^\n]*\n$", out.stderr)
    assert.is_nil(out.stderr:find "WRONGTYPE")
  end)

  it("tells each job once, and of many a hundred", function()
    local argv = { "q", 5, 0 }
    for i = 1, 150 do
      argv[#argv + 1] = "j" .. i
      argv[#argv + 1] = "J1 q 5 0 0 0 1 t 2 0 0\n[]"
    end
    support.eval_script(redis, "enqueue", "{moil}:", table.unpack(argv))
    key("DEL", "queue:q:5")
    local lines, seen = audit(6), {}
    assert.equal(102, #lines)
    assert.equal("50 more jobs are not in order", lines[102])
    for _, line in ipairs(lines) do
      assert.is_nil(seen[line])
      seen[line] = true
    end
  end)

  it("tells a queue that was never counted", function()
    fill()
    key("DEL", "counters:q")
    local lines, object = audit(6)
    assert.matches("^queue q: 4 entries, but no counters: ", lines[1])
    assert.is_false(object.queues[1].counted)
  end)

  it("shows what came too late", function()
    fill()
    support.eval_script(redis, "condemn", "{moil}:", "worker-1", "loss", "-", "{}")
    local ok = pcall(support.eval_script, redis, "settle", "{moil}:", "worker-1", 1, 0, 1,
      "SUCCESS", "q", 1, "j3", 0, 0, 0, 0)
    assert.is_false(ok)
    local _, object = audit(0)
    assert.same({ fetch = 0, settle = 1, progress = 0, reclaim = 0, requeue = 0,
      verdicts = 1, late = 0 }, object.fenced)
    assert.matches("refused as too late: fetch 0, settle 1, .* verdicts 1, late 0\n$",
      moil("inspect", "audit").stdout)
  end)

  it("takes nothing else", function()
    assert.equal(2, moil("inspect", "audit", "more").code)
    assert.equal(3, support.moil({ "inspect", "audit", redis = "unix:///nowhere" }).code)
  end)
end)

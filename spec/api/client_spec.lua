local client = require "spec.support.client"
local site = require "spec.support.site"
local support = require "spec.support"

-- The C client of moil.h, through a program that does what its stdin says
-- (spec/support/client_probe.c).

local TASKS <const> = [[
local moil = require "moil"
moil.task("quick", function(...) return (...) end)
moil.task("count", function(...) return select("#", ...) end)
moil.task("last", function(...) return (select(-1, ...)) end)
moil.task("fail", function() error { code = "NO", message = "not\nthis" } end)
moil.task("fail.other", function() error { code = "NO", message = "nor that" } end)
moil.task("nap", function(s) moil.sleep(s) return s end)
moil.task("steps", { bind = true }, function(self, n)
  for i = 1, n do self:update_state("STEP", { i = i }) moil.sleep(0.03) end
  return n
end)
moil.task("hold", function(gate) while not io.open(gate) do moil.sleep(0.01) end end)
moil.task("aside", { queue = "aside" }, function() end)
]]

local OK <const>, INVALID <const>, TOO_LARGE <const>, UNAVAILABLE <const> = 0, -2, -3, -4
local REPLY <const>, TIMEOUT <const>, UNKNOWN <const>, STATE <const> = -5, -6, -7, -16
local QUEUES <const>, ACTIVE <const>, SCHEDULED <const>, DEAD <const> = 0, 1, 2, 3
local NODES <const>, REGISTERED <const> = 4, 5

local here, c

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "1", "--name", "the-node" } }
  c = client(here.url)
end)

local function ok(...)
  local status, sentence, given, progress = c(...)
  assert.equal(OK, status, sentence)
  assert.equal("", sentence)
  return given, progress
end

local function enqueue(...)
  local given = ok("enqueue", ...)
  local ids = {}
  for id, created in given:gmatch("(%S+) (%d)") do
    ids[#ids + 1] = id
    assert.equal("1", created)
  end
  return table.unpack(ids)
end

-- Enqueues one job and waits for its end → "STATE value".
local function run(...)
  return (ok("wait", enqueue(...), "10"))
end

local function json(...) return support.json_decode((ok(...))) end

describe("moil_enqueue", function()
  it("takes one job, and moil_wait gives its result", function()
    local id = enqueue("task=quick", 'args=["a b",{"x":[1.5,null]}]')
    assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", id)
    assert.equal('SUCCESS "a b"', ok("wait", id, "10"))
    assert.equal("SUCCESS null", run("task=quick"))
    assert.equal("SUCCESS 9007199254740993", run("task=quick", "args=[9007199254740993]"))
    assert.equal('SUCCESS {"k":1}', run("task=last", "args=[1]", 'kwargs={"k":1}'))
    assert.equal("SUCCESS 1", run("task=count", "args=[1]", "kwargs={}"))
  end)

  it("takes many, to several places at once", function()
    local a, b, d, e = enqueue("task=quick", "args=[1]", ";", "task=aside", "queue=aside",
      "at_front=1", ";", "task=quick", "args=[3]", "countdown=0.1", ";", "task=quick",
      "args=[4]", "priority=9", 'options={"headers":{"a":1}}')
    assert.equal("SUCCESS 1", ok("wait", a, "10"))
    assert.equal("SUCCESS null", ok("wait", b, "10"))
    assert.equal("SUCCESS 3", ok("wait", d, "10"))
    assert.equal("SUCCESS 4", ok("wait", e, "10"))
    assert.equal("5000", ok("bulk", "quick", "5000", "bulk"))
    assert.equal("SUCCESS 5000", ok("wait", "bulk-5000", "10"))
    assert.equal("0", ok("bulk", "quick", "5000", "bulk"))
    assert.equal("1", ok("bulk", "quick", "5001", "bulk"))
    assert.equal("", ok("enqueue"))
  end)

  it("keeps ids that are given, and says what was created", function()
    local id = ("i"):rep(200)
    local status, _, given = c("enqueue", "task=quick", "id=" .. id, ";", "task=quick", "id=" .. id)
    assert.same({ OK, id .. " 1 " .. id .. " 0" }, { status, given })
    status, _, given = c("enqueue", "task=quick", "id=" .. id)
    assert.same({ OK, id .. " 0" }, { status, given })
  end)

  it("refuses wrong jobs, and says which and why", function()
    local function refused(pattern, ...)
      local status, sentence = c("enqueue", "task=quick", ";", ...)
      assert.equal(INVALID, status, pattern)
      assert.matches("^job 2: .*" .. pattern, sentence)
    end
    refused("task", "task=with space")
    refused("task", "queue=q")
    refused("queue", "task=quick", "queue=" .. ("q"):rep(201))
    refused("id", "task=quick", "id=")
    refused("priority", "task=quick", "priority=10")
    refused("countdown", "task=quick", "countdown=-1")
    refused("eta", "task=quick", "eta=nan")
    refused("exclude", "task=quick", "countdown=1", "eta=1900000000")
    refused("args", "task=quick", "args={}")
    refused("args", "task=quick", "args=[1,]")
    refused("args", "task=quick", "args=[99999999999999999999]")
    refused("kwargs", "task=quick", "kwargs=[1]")
    refused("options", "task=quick", "options=nonsense")
    refused("depends_on", "task=quick", 'options={"depends_on":["x"]}')
    refused("expirse.*expires", "task=quick", 'options={"expirse":1}')
    refused("expires", "task=quick", 'options={"expires":"soon"}')
    refused("soft_time_limit %(5 s%) must be less than time_limit %(5 s%)", "task=quick",
      'options={"soft_time_limit":5,"time_limit":5}')
    for _, limit in ipairs { "time_limit", "soft_time_limit", "max_deliveries" } do
      refused(limit .. " must be", "task=quick", ('options={"%s":0}'):format(limit))
      refused(limit .. " must be", "task=quick", ('options={"%s":-1}'):format(limit))
    end
    assert.equal(0, #json("view", SCHEDULED))
  end)

  it("refuses what is over the limit, naming it", function()
    local status, sentence = c("enqueue", "task=quick", 'args=["' .. ("x"):rep(1048576) .. '"]')
    assert.equal(TOO_LARGE, status)
    assert.matches("1048576", sentence)
    local small = client(here.url, "-", "0", "100")
    status, sentence = small("enqueue", "task=quick", 'args=["' .. ("x"):rep(100) .. '"]')
    assert.equal(TOO_LARGE, status)
    assert.matches("100", sentence)
    assert.equal(0, small.close())
  end)
end)

describe("moil_wait", function()
  it("gives errors as they are", function()
    local state, value = run("task=fail"):match("^(%S+) (.*)$")
    value = support.json_decode(value)
    assert.same({ "FAILURE", "NO", "not\nthis" }, { state, value.code, value.message })
  end)

  it("tells progress, and can be ended by it", function()
    local given, progress = ok("wait", enqueue("task=steps", "args=[3]"), "10", "99")
    assert.equal("SUCCESS 3", given)
    assert.same({ 'STEP {"i":1}', 'STEP {"i":2}', 'STEP {"i":3}' }, progress)
    local status, _, _, two = c("wait", enqueue("task=steps", "args=[9]"), "10", "2")
    assert.same({ TIMEOUT, 2 }, { status, #two })
  end)

  it("ends at its timeout, and at once for who is unknown", function()
    local id = enqueue("task=nap", "args=[1]", "countdown=60")
    local started = support.now()
    local status, sentence = c("wait", id, "0.2")
    local took = support.now() - started
    assert.equal(TIMEOUT, status)
    assert.is_true(took >= 0.19 and took < 20, took)
    assert.matches("did not end", sentence)
    assert.equal(TIMEOUT, (c("wait", id, "0")))
    assert.equal(UNKNOWN, (c("wait", "nobody", "10")))
    assert.equal(INVALID, (c("wait", "no id", "10")))
    assert.equal(INVALID, (c("wait", "-", "10")))
    ok("delete", id)
  end)

  it("ends when the job is revoked or deleted meanwhile", function()
    local function meanwhile(change)
      local id = enqueue("task=quick", "countdown=60")
      local other = client(here.url)
      other.ask("wait", id, "10")
      support.wait_until(function()
        return here.redis:call("HEXISTS", "{moil}:waiters", id) == 1
      end, 5, "it waits")
      ok(change, id)
      local status, _, given = other.answer()
      assert.equal(0, other.close())
      return status, given
    end
    local status, given = meanwhile("revoke")
    assert.equal(OK, status)
    assert.matches('^REVOKED .*"Revoked"', given)
    assert.equal(UNKNOWN, (meanwhile("delete")))
  end)
end)

describe("inspection", function()
  it("tells everything of a job", function()
    local id = enqueue("task=quick", "args=[1]", 'kwargs={"k":2}', "countdown=60", "priority=7")
    local job = json("job", id)
    assert.same({ id, "quick", "default", "SCHEDULED", 7, 0 },
      { job.id, job.task, job.queue, job.state, job.priority, job.retries })
    assert.same({ { 1 }, { k = 2 } }, { { job.args[1] }, { k = job.kwargs.k } })
    assert.is_true(job.due_at > job.enqueued_at + 59)
    ok("delete", id)
    assert.equal(UNKNOWN, (c("job", id)))
    assert.equal(INVALID, (c("job", "-")))
    assert.equal(INVALID, (c("job", "a b")))
  end)

  it("has its views, a page at a time", function()
    for i = 1, 3 do enqueue("task=quick", "id=later-" .. i, "countdown=" .. 60 + i) end
    local found = json("view", SCHEDULED)
    assert.same({ "later-1", "later-2", "later-3", 3 },
      { found[1].id, found[2].id, found[3].id, #found })
    found = json("view", SCHEDULED, "1", "1")
    assert.same({ "later-2", 1 }, { found[1].id, #found })
    assert.equal(0, #json("view", SCHEDULED, "3"))

    local held = enqueue("task=hold", 'args=["view-gate"]')
    support.wait_until(function()
      local active = json("view", ACTIVE)
      return #active == 1 and active[1].id == held
    end, 5, "it alone is active")
    assert.equal(STATE, (c("delete", held)))
    assert.equal("STARTED", ok("revoke", held))
    support.write(here.dir .. "/view-gate", "")
    ok("wait", held, "10")

    local by_name = {}
    for _, q in ipairs(json("view", QUEUES)) do by_name[q.queue or "sum"] = q end
    assert.same({ 3, 0, false },
      { by_name.sum.delayed, by_name.default.pending, by_name.default.paused })
    local nodes = json("view", NODES)
    assert.same({ 1, "the-node", true }, { #nodes, nodes[1].node, nodes[1].alive })
    assert.matches('"aside"', support.json_encode(nodes[1].queues))
    local names = {}
    for _, t in ipairs(json("view", REGISTERED)) do names[t.task] = t.nodes[1] end
    assert.equal("the-node", names["fail.other"])
    local status, sentence = c("view", "77")
    assert.equal(INVALID, status)
    assert.not_equal("", sentence)
    for i = 1, 3 do ok("delete", "later-" .. i) end
  end)

  it("pages through more than one script's worth", function()
    local calls = {}
    for i = 1, 600 do
      calls[i] = here.moil.signature("quick", {}, { id = "page-" .. i, countdown = 100 + i })
    end
    here.moil.enqueue_many(calls)
    local all = json("view", SCHEDULED, "0", "0")
    assert.same({ 600, "page-600" }, { #all, all[600].id })
    all = json("view", SCHEDULED, "10", "501")
    assert.same({ 501, "page-11", "page-511" }, { #all, all[1].id, all[501].id })
    for i = 1, 600 do here.redis:call("ZADD", "{moil}:delayed", 1, "page-" .. i) end
    here.redis:call("RPUSH", "{moil}:tick", "1")
    ok("wait", "page-600", "10")
  end)
end)

describe("steering", function()
  it("revokes, forgets and deletes", function()
    local id = enqueue("task=quick", "countdown=60")
    assert.equal("REVOKED", ok("revoke", id))
    assert.equal("REVOKED", ok("revoke", id))
    assert.equal(1, (c("forget", id)))
    assert.equal(0, (c("forget", id)))
    assert.equal(UNKNOWN, (c("revoke", id)))
    assert.equal(UNKNOWN, (c("delete", id)))
    id = enqueue("task=quick", "countdown=60")
    assert.equal(0, (c("forget", id)))
    ok("delete", id)
    for _, command in ipairs { "revoke", "forget", "delete", "purge", "pause", "resume" } do
      assert.equal(INVALID, (c(command, "-")), command)
      assert.equal(INVALID, (c(command, "a b")), command)
    end
  end)

  it("reschedules", function()
    local id = enqueue("task=quick", "countdown=60")
    assert.equal("SCHEDULED", ok("reschedule", id, "0", "1893459600"))
    assert.equal(1893459600, json("job", id).due_at)
    assert.equal("SCHEDULED", ok("reschedule", id, "3600", "0"))
    local due = json("job", id).due_at
    assert.is_true(math.abs(due - os.time() - 3600) < 60, due)
    assert.equal("SCHEDULED", ok("reschedule", id, "0", "0"))
    ok("wait", id, "10")
    assert.equal("SUCCESS", ok("reschedule", id, "60", "0"))
    assert.equal(UNKNOWN, (c("reschedule", "nobody", "60", "0")))
    for _, bad in ipairs { { "a b", "1", "0" }, { "-", "1", "0" }, { id, "-1", "0" },
      { id, "1", "2" }, { id, "nan", "0" }, { id, "inf", "0" }, { id, "0", "nan" },
      { id, "0", "1e12" } } do
      assert.equal(INVALID, (c("reschedule", table.unpack(bad))), table.concat(bad, " "))
    end
  end)

  it("pauses, purges and resumes a queue", function()
    ok("pause", "aside")
    ok("pause", "aside")
    local a = enqueue("task=aside", "queue=aside", ";", "task=aside", "queue=aside")
    assert.equal("PENDING", json("job", a).state)
    assert.equal("2", ok("purge", "aside"))
    assert.equal("0", ok("purge", "aside"))
    assert.equal("0", ok("purge", "no-such-queue"))
    assert.equal(UNKNOWN, (c("job", a)))
    local held = enqueue("task=aside", "queue=aside")
    ok("resume", "aside")
    ok("wait", held, "5")
  end)

  it("has the dead set: by id, by task, and all", function()
    local function die(task, n)
      local ids = {}
      for i = 1, n do ids[i] = enqueue("task=" .. task) end
      for _, id in ipairs(ids) do ok("wait", id, "10") end
      return ids
    end
    ok("dead_delete", "-", "-")
    local a, b = die("fail", 3), die("fail.other", 2)
    assert.equal(5, #json("view", DEAD))
    assert.equal("1", ok("dead_delete", a[1], "-"))
    assert.equal(UNKNOWN, (c("dead_delete", a[1], "-")))
    assert.equal(UNKNOWN, (c("dead_retry", "nobody", "-")))
    assert.equal("1", ok("dead_retry", a[2], "-"))
    ok("wait", a[2], "10")
    assert.equal("2", ok("dead_retry", "-", "fail.other"))
    for _, id in ipairs(b) do ok("wait", id, "10") end
    assert.equal(4, #json("view", DEAD))
    assert.equal("2", ok("dead_delete", "-", "fail.other"))
    assert.equal("0", ok("dead_delete", "-", "no.such"))
    assert.equal("2", ok("dead_retry", "-", "-"))
    ok("wait", a[3], "10")
    ok("wait", a[2], "10")
    assert.equal("2", ok("dead_delete", "-", "-"))
    assert.equal(0, #json("view", DEAD))
    local fine = enqueue("task=quick")
    ok("wait", fine, "10")
    assert.equal(UNKNOWN, (c("dead_delete", fine, "-")))
    assert.equal(INVALID, (c("dead_delete", "a b", "-")))
    assert.equal("SUCCESS", json("job", fine).state)
  end)

  it("knows which queues are served", function()
    support.wait_until(function() return (c("served", "-")) == 1 end, 8, "somebody serves")
    assert.equal(1, (c("served", "aside")))
    assert.equal(0, (c("served", "no-such-queue")))
    local other = client(here.url, "elsewhere")
    assert.equal(0, (other("served", "-")))
    other.close()
  end)
end)

describe("opening", function()
  it("refuses a bad URL or namespace, with the reason", function()
    for _, case in ipairs { { "http://x", "redis://" }, { "redis://h:99999", "port" },
      { here.url, "namespace", "a b" }, { here.url, "namespace", "{x}" } } do
      local status, sentence = client(case[1], case[3]).answer()
      assert.equal(INVALID, status)
      assert.matches(case[2], sentence)
    end
  end)

  it("asks nobody yet", function()
    local away = client("unix:///no/such/socket")
    local status, sentence = away("served", "-")
    assert.equal(UNAVAILABLE, status)
    assert.matches("/no/such/socket", sentence)
    assert.equal(0, away.close())
  end)
end)

describe("without Redis", function()
  local commands <const> = {
    { "enqueue", "task=quick" }, { "bulk", "quick", "3", "x" }, { "wait", "id", "5" },
    { "job", "id" }, { "view", "0" }, { "view", "4" }, { "revoke", "id" }, { "forget", "id" },
    { "reschedule", "id", "1", "0" },
    { "delete", "id" }, { "purge", "q" }, { "pause", "q" }, { "resume", "q" },
    { "dead_retry", "id", "-" }, { "dead_delete", "-", "-" }, { "served", "-" },
  }

  local function all_fail(mine, deadline)
    for _, command in ipairs(commands) do
      local started = support.now()
      local status, sentence = mine(table.unpack(command))
      local took = support.now() - started
      assert.equal(UNAVAILABLE, status, command[1] .. ": " .. sentence)
      assert.not_equal("", sentence)
      assert.is_true(took < deadline + 10, command[1] .. " took " .. took)
    end
  end

  -- Its deadline is too short to connect anew on a busy machine: once of several calls.
  local function works_again(mine, ...)
    local command, given = { ... }, nil
    support.wait_until(function()
      local status, _, said = mine(table.unpack(command))
      given = said
      return status == OK
    end, 10, command[1] .. " goes well")
    return given
  end

  it("each call fails within the deadline, and works again after a restart", function()
    local redis = support.redis { appendonly = true }
    local mine = client(redis.url, "-", "0.1")
    assert.equal(OK, (mine("enqueue", "task=quick", "id=kept")))
    redis:kill9()
    all_fail(mine, 0.1)
    redis:start()
    assert.equal("kept 0", works_again(mine, "enqueue", "task=quick", "id=kept"))
    assert.equal(0, mine.close())
  end)

  it("that answers nothing: the same", function()
    local redis = support.redis()
    local mine = client(redis.url, "-", "0.1")
    assert.equal(0, (mine("served", "-")))
    redis:call("CLIENT", "PAUSE", "60000", "ALL")
    all_fail(mine, 0.1)
    redis:kill9()
    redis:start()
    works_again(mine, "enqueue", "task=quick")
    assert.equal(0, mine.close())
  end)

  it("that comes back while one enqueues or waits: nothing is noticed", function()
    local redis = support.redis { appendonly = true }
    local mine = client(redis.url)
    assert.equal(OK, (mine("enqueue", "task=quick", "id=w")))
    redis:kill9()
    mine.ask("bulk", "quick", "2500", "b")
    redis:start()
    local status, sentence, given = mine.answer()
    assert.same({ OK, "2500" }, { status, given }, sentence)
    mine.ask("wait", "w", "20")
    support.wait_until(function() return redis:call("HEXISTS", "{moil}:waiters", "w") == 1 end, 5,
      "it waits")
    redis:kill9()
    redis:start()
    local node = here:worker { "-w", "1", redis = redis }
    status, sentence, given = mine.answer()
    assert.same({ OK, "SUCCESS null" }, { status, given }, sentence)
    node:stop()
    assert.equal(0, mine.close())
  end)

  it("that refuses: its own words", function()
    local redis = support.redis()
    local mine = client(redis.url, "-", "0.3")
    redis:call("CONFIG", "SET", "maxmemory", "1")
    local status, sentence = mine("enqueue", "task=quick")
    assert.equal(UNAVAILABLE, status)
    assert.matches("out of memory", sentence)
    redis:call("CONFIG", "SET", "maxmemory", "0")
    redis:call("SET", "{moil}:jobs", "somebody else's")
    status, sentence = mine("enqueue", "task=quick")
    assert.equal(REPLY, status)
    assert.matches("WRONGTYPE", sentence)
    assert.equal(0, mine.close())
  end)
end)

it("refuses deadlines that are none", function()
  for _, deadline in ipairs { "-1", "nan", "1e300" } do
    local out = support.sh(support.build .. "/spec/client_probe " .. here.url .. " - " .. deadline)
    assert.equal("-2\tdeadline: 0 (5 s) to 86400 s\t\n", out.stdout)
  end
end)

it("gives all memory back, whatever happens (valgrind)", function()
  if os.getenv("ASAN_OPTIONS") then return end -- the two do not mix, and that one looks too
  local redis = support.redis()
  local log = support.tempdir() .. "/valgrind"
  local process = support.spawn({ "valgrind", "-q", "--leak-check=full", "--error-exitcode=9",
    "--log-file=" .. log, support.build .. "/spec/client_probe", redis.url, "-", "1" },
    { stdin = "pipe", stdout = "pipe" })
  local node = here:worker { "-w", "1", redis = redis }
  local function expect(status, ...)
    process:write(table.concat({ ... }, "\t") .. "\n")
    local found
    repeat found = process:read_until("^([^\n]*)\n", 30, "stdout") until not found:find("^progress")
    assert.equal(status, math.tointeger(found:match("^%-?%d+")), found)
  end
  expect(OK, "bulk", "quick", "1500", "v")
  expect(OK, "wait", "v-1500", "20", "9")
  for view = 0, 5 do expect(OK, "view", view) end
  expect(INVALID, "enqueue", "task=quick", "args=x")
  expect(UNKNOWN, "wait", "nobody", "1")
  expect(OK, "enqueue", "task=steps", "args=[5]", "id=steps")
  expect(TIMEOUT, "wait", "steps", "20", "2")
  expect(OK, "enqueue", "task=nap", "countdown=50", "id=later")
  expect(TIMEOUT, "wait", "later", "0.1", "5")
  node:stop()
  redis:kill9()
  expect(UNAVAILABLE, "bulk", "quick", "1500", "w")
  redis:start()
  expect(OK, "bulk", "quick", "10", "w")
  process:close_stdin()
  assert.equal(0, process:wait(20), support.read(log))
end)

it("closes", function()
  assert.equal(0, c.close())
end)

local support = require "spec.support"

-- `moil why ID`: each thing that may keep a job from running.

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + y end)
moil.task("sleep", function(s) moil.sleep(s) return s end)
moil.task("fail", function(message) error(message, 0) end)
local retry = moil.retry.fixed { max = 5, delay = 1000 }
moil.task("again", { retry = retry }, function() error "no" end)
]]

local redis, dir, node

local function moil(args)
  args.redis, args.cwd = redis, dir
  return support.moil(args)
end

local function done(args)
  local out = moil(args)
  assert.equal(0, out.code, out.stderr)
  return (out.stdout:gsub("\n$", ""))
end

local function why(id) return done { "why", id } end

local function codes(id)
  local list = {}
  for i, reason in ipairs(support.json_decode(done { "why", id, "--json" }).reasons) do
    list[i] = reason.code
  end
  return table.concat(list, " ")
end

-- The first reason with that code.
local function reason(id, code)
  for _, r in ipairs(support.json_decode(done { "why", id, "--json" }).reasons) do
    if r.code == code then return r end
  end
  error("no reason " .. code .. ": " .. why(id))
end

local function wait_state(id, state)
  support.wait_until(function()
    return moil({ "result", id }).stdout:find(state, 1, true)
  end, 15, id .. " is " .. state)
end

setup(function()
  redis = support.redis()
  dir = support.tempdir()
  support.write(dir .. "/tasks.lua", TASKS)
end)

describe("moil why, where nobody works,", function()
  it("says so", function()
    done { "call", "add", "1", "2", "--queue", "empty", "--id", "alone" }
    assert.equal("add alone: PENDING, queue empty\n- no worker is running (start one: moil worker)",
      why "alone")
  end)

  it("counts the jobs before it, by priority and order", function()
    for i = 1, 4 do done { "call", "add", "1", "2", "--queue", "line", "--id", "line" .. i } end
    done { "call", "add", "1", "2", "--queue", "line", "--id", "urgent", "--priority", "9" }
    assert.matches("\n%- 4 jobs are before it in the queue \"line\"; none of the queue's jobs has "
      .. "ended in the last second", why "line4")
    assert.equal(1, reason("line1", "behind").before)
    assert.equal("no_worker", codes "urgent")
    done { "revoke", "line2" }
    done { "call", "add", "1", "2", "--queue", "line", "--id", "line5" }
    assert.is_true(reason("line5", "behind").exact)
  end)

  it("names a pause first", function()
    done { "pause", "line" }
    assert.matches("^paused no_worker behind$", codes "line4")
    assert.matches("the queue \"line\" is paused %(moil resume line%)", why "line4")
    done { "resume", "line" }
  end)

  it("says when it is due", function()
    done { "call", "add", "1", "2", "--countdown", "3000", "--id", "later" }
    assert.matches("^add later: SCHEDULED, queue default\n%- it is due in 50 min\n", why "later")
    assert.near(3000, reason("later", "not_due").due_at - os.time(), 60)
  end)

  it("names what it waits for", function()
    done { "call", "add", "1", "2", "--depends-on", "later,line1", "--id", "waits" }
    local text = why "waits"
    assert.matches("^add waits: DEFERRED", text)
    assert.matches("\n%- it waits for later %(add%), which is SCHEDULED", text)
    assert.matches("\n%- it waits for line1 %(add%), which is PENDING", text)
    assert.equal("line1", (function()
      for _, r in ipairs(support.json_decode(done { "why", "waits", "--json" }).reasons) do
        if r.job.id == "line1" then return r.job.id end
      end
    end)())
  end)

  it("finds what it waits for among many links", function()
    for i = 1, 1500 do
      redis:call("HSET", "{moil}:links", "many" .. i, "nFother" .. i .. " ")
    end
    assert.matches("it waits for later %(add%)", why "waits")
    for i = 1, 1500 do redis:call("HDEL", "{moil}:links", "many" .. i) end
  end)

  it("finds what it waits for among many that wait for the same", function()
    done { "call", "add", "1", "2", "--queue", "empty", "--id", "root" }
    local ids = {}
    for id in done({ "call", "add", "--stdin", "--depends-on", "root",
      stdin = ("[1,2]\n"):rep(12000) }):gmatch "%S+" do ids[#ids + 1] = id end
    for _, i in ipairs { 1, 4999, 5000, 5001, 12000 } do
      assert.matches("\n%- it waits for root %(add%), which is PENDING$", why(ids[i]))
    end
    done { "revoke", "root" }
  end)

  it("says what is gone, or never was", function()
    local out = moil { "why", "nobody" }
    assert.equal(5, out.code)
    assert.matches("^moil: no job has the id nobody: it was never enqueued, or its result has "
      .. "expired\n$", out.stderr)
    out = moil { "why" }
    assert.equal(2, out.code)
    assert.matches("the job's id is missing", out.stderr)
    assert.equal(2, moil({ "why", "a", "b" }).code)
    assert.equal(2, moil({ "why", "a b" }).code)
    out = support.moil { "why", "x", "--redis", "redis://127.0.0.1:1" }
    assert.equal(3, out.code)
  end)

  it("is not led astray by a damaged record", function()
    redis:call("HSET", "{moil}:jobs", "hurt", "garbage")
    assert.equal("damaged", codes "hurt")
    redis:call("HDEL", "{moil}:jobs", "hurt")
  end)
end)

describe("moil why, where a node works,", function()
  setup(function()
    redis:call("FLUSHALL")
    node = support.start_moil { "worker", "tasks.lua", "-w", "1", "-c", "2", redis = redis,
      cwd = dir }
    node:read_until("ready", 15)
    support.wait_until(function()
      return moil({ "inspect", "nodes", "--json" }).stdout:find('"workers":[{', 1, true)
    end, 15, "the worker in its node's report")
  end)

  it("tells a queue that nobody serves from a task that nobody has", function()
    done { "call", "add", "--queue", "unserved", "--id", "unserved" }
    assert.matches("\n%- no worker serves the queue \"unserved\" %(start one: moil worker %-q "
      .. "unserved%)$", why "unserved")
    done { "pause", "default" }
    done { "call", "missing.task", "--id", "missing" }
    assert.equal("paused no_task", codes "missing")
    assert.matches("no node that serves the queue \"default\" has the task \"missing.task\"",
      why "missing")
    done { "revoke", "missing" }
    done { "resume", "default" }
  end)

  it("says that all slots are taken, and what runs", function()
    for i = 1, 3 do done { "call", "sleep", "600", "--id", "nap" .. i } end
    wait_state("nap1", "STARTED")
    support.wait_until(function()
      return why("nap1"):find("it runs since", 1, true)
    end, 15, "the note of a job that runs")
    assert.matches("^sleep nap1: STARTED, queue default\n%- it runs since [%d.]+ s on %S+ "
      .. "%(worker %x+%-[%x-]+%)$", why "nap1")
    support.wait_until(function()
      return why("nap3"):find("all 2 slots of the workers that serve its queue are taken", 1, true)
    end, 15, "the node's report of taken slots")
    for i = 1, 3 do done { "revoke", "nap" .. i, "--terminate" } end
  end)

  it("counts retries", function()
    done { "call", "again", "--id", "again" }
    wait_state("again", "RETRY")
    assert.matches("\n%- retry 1 is due in 17 min", why "again")
  end)

  it("looks into a group that it waits for", function()
    local script = support.write(dir .. "/chord.lua", [[
      local moil = require "moil"
      local s = moil.signature
      local body = moil.chord({ s("add", { 1, 2 }), s("sleep", { 600 }, { id = "slow" }) },
        s("add", {}, { id = "body" })):delay()
    ]])
    local out = support.lua { script, redis = redis, cwd = dir }
    assert.equal(0, out.code, out.stderr)
    wait_state("slow", "STARTED")
    local text = why "body"
    assert.matches("\n%- it waits for %S+ %(moil.group%), which is DEFERRED", text)
    assert.matches("\n%- a member of the group has not ended: slow %(sleep%), which is STARTED",
      text)
    local group = reason("body", "waits_for").job.id
    assert.matches("\n%- it is a group, and ends with its members: 1 of them has not\n", why(group))
    done { "revoke", "slow", "--terminate" }
  end)

  it("says how it ended", function()
    moil { "call", "add", "1", "2", "--wait", "--id", "sum" }
    assert.matches("\n%- it ended as SUCCESS [%d.]+ s ago$", why "sum")
    moil { "call", "fail", "oh no", "--wait", "--id", "failed" }
    assert.matches("it ended as FAILURE [%d.]+ s ago: Error: oh no %(moil dead retry failed%)",
      why "failed")
    assert.equal("dead", codes "failed")
  end)

  it("cuts a long message between two characters", function()
    for pad = 0, 1 do
      local id = "long" .. pad
      moil { "call", "fail", ("x"):rep(pad) .. ("é"):rep(400), "--wait", "--id", id }
      assert.matches("it ended as FAILURE [%d.]+ s ago: Error: x*[é]+ %(moil dead retry " .. id
        .. "%)", reason(id, "dead").text)
    end
  end)

  it("says that a worker is gone", function()
    done { "call", "sleep", "600", "--id", "orphan" }
    wait_state("orphan", "STARTED")
    node:kill "KILL"
    node:wait(10)
    support.wait_until(function()
      local text = why "orphan"
      return text:find("its node %S+ has been silent for %d+ s") and text:find("after the lease")
    end, 30, "the silence of a dead node")
  end)
end)

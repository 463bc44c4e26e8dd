local site = require "spec.support.site"
local support = require "spec.support"

-- Which job runs, when, and whether at all: order, pauses, due times, expiry, revoking, the dead
-- set. Workers of one slot on queues of their own, in one Redis.

local TASKS <const> = site.NOTE .. [[
moil.task("mark", function(name) note(name) return name end)
moil.task("gate", { bind = true }, function(self, name)
  note("gate", name)
  while not io.open(name) do moil.sleep(0.01) end
end)
moil.task("when", { bind = true }, function(self) return { at = os.time(), eta = self.eta } end)
moil.task("drop", { ignore_result = true }, function() return 1 end)
moil.task("drop.fail", { ignore_result = true }, function() error { code = "E", message = "m" } end)
moil.task("brief", { result_ttl = 30 }, function() return 1 end)
moil.task("fail", function() error { code = "E", message = "m" } end)
moil.task("homed", { queue = "home" }, function() return "at home" end)
moil.task("two.args", { queue = "damage" }, function(a, b) return a + b end)
]]

local here, moil, redis

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "50" } }
  moil, redis = here.moil, here.redis
end)

-- Runs fn while the only slot of the queues' worker is taken, then lets it go → the order of marks.
local function ordered(queues, fn, names)
  local gate = "gate-" .. queues:gsub("%W", "")
  local first = queues:match("[%w.]+")
  local hold = moil.send("gate", { gate }, { queue = first })
  local node = here:worker { "-w", "1", "-c", "1", "-q", queues }
  here:wait_state(hold.id, "STARTED")
  local marked = {}
  local function mark(name, options) moil.send("mark", { name }, options) end
  fn(mark)
  support.write(here.dir .. "/" .. gate, "")
  support.wait_until(function()
    marked = {}
    for _, line in ipairs(here:notes()) do
      if line:find(names) then marked[#marked + 1] = line end
    end
    local ok, info = pcall(function() return moil.result(hold.id):info() end)
    return ok and info.state == "SUCCESS" and #marked >= 6
  end, 10, "the marks")
  node:stop()
  return marked
end

describe("order", function()
  it("is that of priorities, and at_front is the front of its level", function()
    assert.same({ "p9", "p5front", "p5a", "p5b", "p1front", "p1" }, ordered("prio", function(mark)
      mark("p1", { queue = "prio", priority = 1 })
      mark("p5a", { queue = "prio" })
      mark("p5b", { queue = "prio", priority = 5 })
      mark("p9", { queue = "prio", priority = 9 })
      mark("p5front", { queue = "prio", at_front = true })
      mark("p1front", { queue = "prio", priority = 1, at_front = true })
    end, "^p%d"))
  end)

  it("of strict queues is that of -q, whatever the priority", function()
    assert.same({ "s1", "s2", "s3", "s4", "s5", "s6" }, ordered("s.high,s.low", function(mark)
      mark("s5", { queue = "s.low", priority = 9 })
      mark("s6", { queue = "s.low" })
      mark("s2", { queue = "s.high" })
      mark("s3", { queue = "s.high", priority = 0 })
      mark("s1", { queue = "s.high", priority = 6 })
      mark("s4", { queue = "s.high", priority = 0 })
    end, "^s%d"))
  end)

  it("of weighted queues lets each of them go on", function()
    local marks = ordered("w.a:3,w.b:1", function(mark)
      for _ = 1, 200 do mark("wa", { queue = "w.a" }) mark("wb", { queue = "w.b" }) end
    end, "^w%a")
    local last = #here:notes()
    assert.is_true(last > 0 and #marks >= 6)
  end)
end)

describe("a pause", function()
  it("stops the fetching from its queue alone, and survives", function()
    local client = support.moil { "pause", "default", redis = redis }
    assert.equal(0, client.code, client.stderr)
    local held = moil.send("mark", { "paused" })
    assert.equal("at home", moil.send("homed", {}, { queue = "home" }):get { timeout = 5 })
    assert.equal("PENDING", held:state())
    assert.equal(0, support.moil({ "resume", "default", redis = redis }).code)
    assert.equal("paused", held:get { timeout = 3 })
  end)
end)

describe("queues that tasks name", function()
  it("are served without -q", function()
    assert.equal("at home", moil.send("homed", {}, { queue = "home" }):get { timeout = 10 })
  end)
end)

describe("a delayed job", function()
  it("runs not before its time, and within 100 ms after", function()
    local jobs, started = {}, {}
    for i = 1, 10 do
      jobs[i] = moil.send("when", {}, { countdown = 0.3 + 0.05 * i })
    end
    local eta = moil.send("when", {}, { eta = os.time() + 1 })
    local info = jobs[1]:info()
    assert.equal("SCHEDULED", info.state)
    for i, r in ipairs(jobs) do
      r:get { timeout = 10 }
      info = r:info()
      started[i] = info.started_at - info.enqueued_at - (0.3 + 0.05 * i)
      local late = started[i]
      assert.is_true(late >= -0.001 and late < 0.1, ("%d: %g late"):format(i, late))
    end
    assert.is_number(eta:get({ timeout = 10 }).eta)
    info = eta:info()
    local late = info.started_at - math.ceil(info.started_at - 0.5)
    assert.is_true(late >= 0 and late < 0.1, late)
  end)

  it("that is due earlier than the earliest is not missed", function()
    local far = moil.send("mark", { "far" }, { countdown = 3600 })
    local near = moil.send("mark", { "near" }, { countdown = 0.1 })
    near:get { timeout = 2 }
    assert.is_true(near:info().started_at - near:info().enqueued_at < 0.2)
    assert.is_true(far:delete())
  end)
end)

describe("expires", function()
  it("ends what was not started in time", function()
    local late = moil.send("mark", { "never" }, { countdown = 0.2, expires = 0.1 })
    local value, err = late:get { timeout = 5, propagate = false }
    assert.same({ nil, "Expired", "REVOKED" }, { value, err.code, late:state() })
    local fine = moil.send("mark", { "in time" }, { expires = 60 })
    assert.equal("in time", fine:get { timeout = 5 })
    for _, line in ipairs(here:notes()) do assert.not_equal("never", line) end
  end)
end)

describe("revoke", function()
  it("of a pending or delayed job: it never runs", function()
    redis:call("SCRIPT", "FLUSH")
    assert.equal(0, support.moil({ "pause", "home", redis = redis }).code)
    local pending = moil.send("mark", { "revoked" }, { queue = "home" })
    local delayed = moil.send("mark", { "revoked" }, { countdown = 0.3 })
    assert.equal("REVOKED", pending:revoke())
    assert.equal("REVOKED", delayed:revoke())
    assert.equal("REVOKED", delayed:revoke())
    local after = moil.send("mark", { "after" }, { queue = "home" })
    local later = moil.send("mark", { "later" }, { countdown = 0.4 })
    assert.equal(0, support.moil({ "resume", "home", redis = redis }).code)
    assert.equal("after", after:get { timeout = 5 })
    assert.equal("later", later:get { timeout = 5 })
    for _, r in ipairs { pending, delayed } do
      local _, err = r:get { timeout = 1, propagate = false }
      assert.same({ "REVOKED", "Revoked" }, { r:state(), err.code })
    end
    for _, line in ipairs(here:notes()) do assert.not_equal("revoked", line) end
    assert.same({}, redis:call("HGETALL", "{moil}:stale"))
  end)

  it("comes too late for one that runs or has ended", function()
    local running = moil.send("gate", { "gate-revoke" })
    here:wait_state(running.id, "STARTED")
    assert.equal("STARTED", running:revoke())
    support.write(here.dir .. "/gate-revoke", "")
    running:get { timeout = 5 }
    assert.equal("SUCCESS", running:revoke())
    local nobody = moil.result("nobody")
    assert.equal("UnknownJob", select(2, pcall(nobody.revoke, nobody)).code)
  end)
end)

describe("options that travel", function()
  it("may hold NUL bytes", function()
    local r = moil.send("mark", { "nul" }, { headers = { a = "c\0d" } })
    assert.equal("nul", r:get { timeout = 5 })
  end)
end)

describe("an id", function()
  it("that has a record is not enqueued again", function()
    local a = moil.send("mark", { "once" }, { id = "order-1" })
    local b = moil.send("mark", { "twice" }, { id = "order-1" })
    assert.same({ true, false }, { a.created, b.created })
    assert.equal("once", b:get { timeout = 5 })
    assert.is_false(moil.send("mark", { "thrice" }, { id = "order-1" }).created)
    assert.is_true(a:forget())
    assert.is_true(moil.send("mark", { "anew" }, { id = "order-1" }).created)
    assert.equal("anew", a:get { timeout = 5 })
  end)
end)

describe("a result that nobody wants", function()
  it("is not kept: ignore_result", function()
    local r = moil.send("drop")
    here:wait_state(r.id, "UnknownJob")
    r = moil.send("mark", { "x" }, { ignore_result = true })
    here:wait_state(r.id, "UnknownJob")
    assert.equal(1, moil.send("drop", {}, { ignore_result = false }):get { timeout = 5 })
  end)

  it("ends the waiting of who waits for it", function()
    local r = moil.send("gate", { "gate-ignored" }, { ignore_result = true })
    local waiter = support.start_moil { "result", r.id, "--wait", redis = redis }
    support.wait_until(function() return redis:call("HEXISTS", "{moil}:waiters", r.id) == 1 end, 5,
      "it waits")
    support.write(here.dir .. "/gate-ignored", "")
    assert.equal(5, waiter:wait(5))
  end)

  it("is kept when it is a failure, in the dead set", function()
    local err, r = here:failure("drop.fail")
    assert.equal("E", err.code)
    assert.is_true(r:info().dead)
  end)

  it("goes at its time: result_ttl", function()
    local r = moil.send("brief")
    r:get { timeout = 5 }
    local info = r:info()
    assert.is_true(info.expires_at - info.finished_at >= 30)
    assert.is_true(info.expires_at - info.finished_at <= 91)
    r = moil.send("mark", { "for ever" }, { result_ttl = false })
    r:get { timeout = 5 }
    assert.is_nil(r:info().expires_at)
    r = moil.send("mark", { "not at all" }, { result_ttl = 0 })
    here:wait_state(r.id, "UnknownJob")
  end)
end)

describe("a task that nobody registers", function()
  it("waits in the delayed set, then is dead, and can be replayed", function()
    local r = moil.send("deployed.later", { 7 }, { headers = { keep = 1 } })
    local info = support.wait_until(function()
      local i = r:info()
      return i.state == "SCHEDULED" and i
    end, 5, "it is put off")
    assert.is_number(info.options.unregistered_ms)
    -- As if a minute had passed.
    local record = redis:call("HGET", "{moil}:jobs", r.id)
    local since = math.tointeger(record:match('"unregistered_ms":(%d+)'))
    redis:call("HSET", "{moil}:jobs", r.id, (record:gsub(since, ("%d"):format(since - 60000))))
    redis:call("ZADD", "{moil}:delayed", 1, r.id)
    redis:call("RPUSH", "{moil}:tick", "1")
    local _, err = r:get { timeout = 5, propagate = false }
    assert.equal("TaskNotRegistered", err.code)
    assert.matches("deployed.later", err.message, 1, true)
    info = r:info()
    assert.is_true(info.dead)
    assert.same({ headers = { keep = 1 }, parent_id = info.options.parent_id,
      root_id = info.options.root_id }, info.options)
    -- A replay is tried for a minute again.
    assert.equal(0, support.moil({ "dead", "retry", r.id, redis = redis }).code)
    info = support.wait_until(function()
      local i = r:info()
      return i.state == "SCHEDULED" and i
    end, 10, "it is put off again")
    assert.is_true(info.options.unregistered_ms > since)
    local later = support.write(here.dir .. "/later.lua",
      'require("moil").task("deployed.later", function(x) return x end)')
    local node = here:worker { "-w", "1", "-q", "nothing", tasks = later }
    node:stop()
    r:delete()
  end)
end)

describe("a damaged record", function()
  it("goes to the dead set with its bytes, and the worker goes on", function()
    local whole = "J1 damage 5 0 0 0 1 two.args 5 0 0\n[1,2]"
    local bad = {
      garbage = "\0\1\2 no record",
      empty = "",
      short = whole:sub(1, -3),
      long = whole .. "x",
      huge = "J1 damage 5 0 0 0 1 two.args 999999999 0 0\n[1,2]",
      version = "J9 damage 5 0 0 0 1 two.args 5 0 0\n[1,2]",
      extra = "J1 damage 5 0 0 0 1 two.args 5 0 4\n[1,2][1,]",
    }
    for id, bytes in pairs(bad) do
      redis:call("HSET", "{moil}:jobs", id, bytes)
      redis:call("HSET", "{moil}:queues", "damage", "r5")
      redis:call("RPUSH", "{moil}:queue:damage:5", id)
    end
    redis:call("RPUSH", "{moil}:wake:damage", "1")
    for id, bytes in pairs(bad) do
      local info = here:wait_state(id, "FAILURE")
      assert.equal("BadMessage", info.error.code, id)
      assert.is_true(info.dead)
      local record = redis:call("HGET", "{moil}:jobs", id)
      assert.equal(bytes, record:sub(#record - #bytes + 1))
    end
    assert.equal(3, moil.send("two.args", { 1, 2 }, { queue = "damage" }):get { timeout = 5 })
    assert.equal(#bad, 0)
  end)

  it("whose arguments are no JSON fails", function()
    redis:call("HSET", "{moil}:jobs", "nojson", "J1 damage 5 0 0 0 1 two.args 5 0 0\n[1,2}")
    redis:call("RPUSH", "{moil}:queue:damage:5", "nojson")
    redis:call("RPUSH", "{moil}:wake:damage", "1")
    assert.equal("BadMessage", here:wait_state("nojson", "FAILURE").error.code)
  end)
end)

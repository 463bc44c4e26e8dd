local site = require "spec.support.site"
local support = require "spec.support"

-- `moil replay`: jobs that failed on a real worker, once more in a process of their own.

local TASKS <const> = [[
local moil = require "moil"
moil.task("div", { bind = true }, function(self, x, y, kwargs)
  self.log.info("dividing", { x = x })
  moil.send("told", { self.id, self.retries, self.headers.trace, kwargs and kwargs.why })
  moil.sleep(BROKEN and 0 or 3600)
  if y == 0 then error "division by zero" end
  return x // y
end)
moil.task("waits", function(n)
  local doubled = moil.send("double", { n }):get()
  if BROKEN then error { code = "TORN", message = "torn" } end
  return doubled + #moil.run({ "echo", "abc" }).stdout
end)
moil.task("double", function(n) return 2 * n end)
moil.task("told", { queue = "elsewhere" }, function() end)
moil.task("later", { bind = true, retry = moil.retry.fixed { max = 1, delay = 7 } }, function()
  error "not yet"
end)
moil.task("spins", { time_limit = 0.2 }, function() while true do end end)
moil.task("loops", function(path, ...)
  if BROKEN then error "no" end
  local file = assert(io.open(path, "w"))
  file:close()
  if ... then moil.run { ..., "-c", "echo $$ >" .. path .. "; exec sleep 1000" } end
  while true do end
end)
moil.task("program", { time_limit = 1 }, function()
  if BROKEN then error "no" end
  return moil.run({ "sleep", "1000" }).code
end)
moil.task("hungry", { memory_limit = 64, time_limit = 60,
  on_failure = function(self, err) self.log.info("heard " .. err.code) end }, function(caught)
  if BROKEN then error "no" end
  local t = {}
  local function eat()
    while true do t[#t + 1] = ("x"):rep(1000) .. #t end
  end
  while caught do pcall(eat) end
  eat()
end)
moil.task("tidy", { memory_limit = 64 }, function()
  if BROKEN then error "no" end
  local n = 0
  for i = 1, 300000 do n = n + #(("x"):rep(1000) .. i) end
  return n
end)
moil.task("huge", function()
  if BROKEN then error "no" end
  return #("x"):rep(1 << 28)
end)
moil.task("steps", function(waits)
  if BROKEN then error "no" end
  io.write "written"
  local step = moil.signature("double", { 1 })
  local chain = moil.chain(step, moil.signature "double", moil.signature "double"):delay()
  return waits and chain:get()
end)
moil.task("asks", function(id)
  if BROKEN then error "no" end
  return moil.result(id):get()
end)
moil.task("child", { result_ttl = 60 }, function(n, size)
  if n < 0 then error { code = "LOW", message = "too low" } end
  return size and (tostring(n)):rep(size) or n
end)
moil.task("body", function(results, factor)
  if BROKEN then error "no" end
  return { results, factor }
end)
moil.task("sizes", function(results)
  if BROKEN then error "no" end
  return { #results, #results[1] }
end)
moil.task("dies", function()
  if BROKEN then error "it would" end
  os.execute "kill -KILL $PPID"
end)
]]

local here, dir

setup(function()
  dir = support.tempdir()
  here = site.open { tasks = "BROKEN = true\n" .. TASKS, args = { "-w", "1", "-q", "default" } }
  support.sh("mkdir " .. dir .. "/tasks")
  support.write(dir .. "/tasks/t.lua", "BROKEN = false\n" .. TASKS)
  support.write(dir .. "/broken.lua", "BROKEN = true\n" .. TASKS)
end)

local function fail(task, args, options)
  local _, result = here:failure(task, args, options)
  return result.id
end

local function replay(id, ...)
  local argv = { "replay", id, ... }
  argv.redis, argv.cwd, argv.timeout = here.redis, dir, 60
  return support.moil(argv)
end

local function dump()
  return support.moil({ "inspect", "queues", "--json", redis = here.redis }).stdout
end

describe("moil replay", function()
  it("shows the error again, with its traceback, and what was not sent", function()
    local id = fail("div", { 6, 0 }, { kwargs = { why = "so" }, headers = { trace = "t-1" } })
    local out = replay(id, "broken.lua")
    assert.equal(1, out.code, out.stderr)
    assert.equal("", out.stdout)
    assert.matches("failure: Error: broken.lua:%d+: division by zero", out.stderr)
    assert.matches("stack traceback:", out.stderr)
    assert.not_matches("moil/testing", out.stderr)
    assert.matches('info dividing {"x":6}', out.stderr, 1, true)
    assert.matches(('not sent: told ["%s",0,"t-1","so"] to elsewhere'):format(id), out.stderr, 1,
      true)
  end)

  it("shows the result of what was mended, and needs no time for it", function()
    local id = fail("waits", { 4 })
    local out = replay(id)
    assert.equal("12\n", out.stdout, out.stderr)
    assert.equal(0, out.code)
    assert.matches("not sent: double [4] to default; it ran here: SUCCESS", out.stderr, 1, true)
  end)

  it("changes nothing in Redis", function()
    local id = fail("div", { 1, 0 })
    local before = here.moil.result(id):info()
    local queues = dump()
    replay(id)
    replay(id, "broken.lua")
    assert.same(before, here.moil.result(id):info())
    assert.equal(queues, dump())
  end)

  it("gives it all as JSON", function()
    local id = fail("waits", { 1 })
    local answer = support.json_decode(replay(id, "--json").stdout)
    assert.same({ "success", 6, id }, { answer.outcome, answer.result, answer.id })
    assert.equal("double", answer.enqueued[1].task)
    answer = support.json_decode(replay(id, "broken.lua", "--json").stdout)
    assert.same({ "failure", "TORN" }, { answer.outcome, answer.error.code })
  end)

  it("runs a job that waits, and tells of its retry", function()
    local r = here.moil.send("later", {}, { countdown = 600 })
    local out = replay(r.id)
    assert.equal(1, out.code)
    assert.matches("retry: Error: tasks/t.lua:%d+: not yet", out.stderr)
    assert.matches("it would be tried again in 7 s", out.stderr)
    assert.equal("SCHEDULED", r:state())
  end)

  it("ends what is over its limit, and survives what dies", function()
    local out = replay(fail "spins")
    assert.equal(1, out.code)
    assert.matches("TimeLimitExceeded", out.stderr)
    out = replay(fail "dies")
    assert.equal(1, out.code)
    assert.matches("lost: WorkerLost: its process was ended by signal 9", out.stderr)
  end)

  it("shows where it was when its time was up", function()
    local out = replay(fail "spins")
    assert.matches("stack traceback:\n%s*tasks/t.lua:%d+: in ", out.stderr)
  end)

  it("keeps a job within its memory", function()
    for _, caught in ipairs { false, true } do
      local out = replay(fail("hungry", { caught }))
      assert.equal(1, out.code)
      assert.matches("failure: MemoryLimitExceeded: the memory limit of 64 MB was exceeded",
        out.stderr, 1, true)
      assert.matches("stack traceback:\n.*tasks/t.lua:%d+: in ", out.stderr)
      assert.matches("heard MemoryLimitExceeded", out.stderr, 1, true)
    end
    local out = replay(fail "tidy")
    assert.equal(0, out.code, out.stderr)
    local huge = fail "huge"
    assert.equal("268435456\n", replay(huge).stdout)
    assert.matches("the memory limit of 100 MB", replay(huge, "--memory-limit", "100").stderr)
    assert.matches("the memory limit of 128 MB", replay(huge, "--max-memory", "64").stderr)
  end)

  it("lists what it would send in the order in which it would run", function()
    local out = replay(fail("steps", { true }))
    assert.equal("8\n", out.stdout, out.stderr)
    assert.matches("double %[1%].*double %[2%].*double %[4%]", out.stderr)
    assert.matches("written", out.stderr, 1, true)
    local answer = support.json_decode(replay(fail("steps", { false }), "--json").stdout)
    assert.same({ "PENDING", "DEFERRED", "DEFERRED" }, { answer.enqueued[1].state,
      answer.enqueued[2].state, answer.enqueued[3].state })
  end)

  it("says that it knows no other jobs", function()
    local r = here.moil.send("double", { 1 })
    r:get { timeout = 20 }
    local out = replay(fail("asks", { r.id }))
    assert.equal(1, out.code)
    assert.matches("UnknownJob: no job under this id in the replay", out.stderr, 1, true)
  end)

  it("ends a program that goes on past the job's limit", function()
    local out = replay(fail "program")
    assert.equal(1, out.code, out.stderr)
    assert.matches("failure: TimeLimitExceeded", out.stderr)
  end)

  -- Whether a process of this id runs: not one that is over and nobody's.
  local function lives(pid)
    local out = support.sh(("cat /proc/%s/stat"):format(pid)).stdout
    return out ~= "" and not out:find("%) [ZX] ")
  end

  -- Ends a replay that is busy by a signal, and waits until nothing of it is left.
  local function end_busy(signal, shell)
    local path = ("%s/%s-%s"):format(dir, signal, shell)
    local id = fail("loops", { path, shell })
    local process = support.start_moil { "replay", id, redis = here.redis, cwd = dir }
    local pids = {}
    support.wait_until(function()
      local file = io.open(path)
      if not file then return false end
      pids[1] = file:read "l"
      file:close()
      if shell and not pids[1] then return false end
      pids[#pids + 1] = support.read(("/proc/%d/task/%d/children")
        :format(process.pid, process.pid)):match "%d+"
      return true
    end, 30, "the task runs")
    assert.is_true(#pids >= 1)
    process:kill(signal)
    process:wait(30)
    support.wait_until(function()
      for _, pid in ipairs(pids) do
        if lives(pid) then return false end
      end
      return true
    end, 30, "all of it has ended")
  end

  it("leaves nothing when it is killed", function()
    end_busy "TERM"
    end_busy "KILL"
  end)

  it("leaves no program when it is killed", function()
    end_busy("INT", "sh")
    end_busy("KILL", "sh")
  end)

  -- A chord whose body fails, as it is to be → the body's id.
  local function fail_body(members, body, ...)
    local chord = here.moil.chord(members, here.moil.signature(body, { ... })):delay()
    local _, err = chord:get { timeout = 30, propagate = false }
    assert.truthy(err)
    return chord.id
  end

  it("gives the results of its group to a chord's body", function()
    local s = here.moil.signature
    local group = here.moil.group { s("child", { 2 }), s("child", { 3 }) }
    local id = fail_body({ s("child", { 1 }), group, s("child", { 4 }) }, "body", "x")
    local before = dump()
    local out = replay(id)
    assert.equal('[[1,[2,3],4],"x"]\n', out.stdout, out.stderr)
    assert.equal("DEAD", here.moil.result(id):info().dead and "DEAD")
    assert.equal(before, dump())
  end)

  it("gives it more than arguments may have, in pages", function()
    local members = {}
    for i = 1, 300 do members[i] = here.moil.signature("child", { i % 10, 8000 }) end
    local id = fail_body(members, "sizes")
    local out = replay(id)
    assert.equal("[300,8000]\n", out.stdout, out.stderr)
  end)

  it("says that the results of its group are gone", function()
    local id = fail_body({ here.moil.signature("child", { 1 }) }, "body")
    local group = here.moil.result(id):info().options.gather
    local function key(pattern) return here.redis:call("KEYS", pattern)[1] end
    here.redis:call("DEL", key("*:members:" .. group))
    here.redis:call("HDEL", key "*:jobs", group)
    local out = replay(id)
    assert.equal(5, out.code)
    assert.equal("moil: the group " .. group .. ", whose results it gets, is not known any more\n",
      out.stderr)
  end)

  it("tells what is missing where a job still waits for others", function()
    local s = here.moil.signature
    local chain = here.moil.chain(s("child", { 5 }):set { queue = "elsewhere" }, s "double"):delay()
    local out = replay(chain.id)
    assert.equal(1, out.code)
    assert.matches("warning it waits for 1 other job: what that one gives it is missing here",
      out.stderr, 1, true)
  end)

  it("says what it cannot do", function()
    assert.equal(5, replay("nobody-knows").code)
    local out = replay(fail("div", { 1, 0 }), support.root .. "/tasks/math.lua")
    assert.equal(5, out.code)
    assert.equal("moil: TaskNotRegistered: no task 'div' in these files\n", out.stderr)
    local good = here.moil.send("double", { 1 })
    good:get { timeout = 20 }
    out = replay(good.id)
    assert.equal(2, out.code)
    assert.matches("nothing is kept of the arguments", out.stderr)
    support.write(dir .. "/bad.lua", "local x = ")
    out = replay(fail("div", { 1, 0 }), "bad.lua")
    assert.equal(2, out.code)
    assert.matches("bad.lua:1:", out.stderr)
    assert.equal(2, support.moil({ "replay", redis = here.redis }).code)
  end)
end)

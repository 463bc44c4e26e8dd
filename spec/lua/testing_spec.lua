local support = require "spec.support"
local testing = require "moil.testing"

-- moil.testing: a world without Redis. That it does as real workers do is the business of
-- testing_conformance_spec; here is what it offers to specs of users' tasks.

local world, moil

local function open(options)
  world = testing.new(options)
  moil = world.moil
  return world
end

local function load(text)
  world:load(support.write(support.tempdir() .. "/tasks.lua",
    'local moil = require "moil"\n' .. text))
end

before_each(function() open() end)
after_each(function() world:close() end)

describe("a world", function()
  it("runs a task where its result is wanted", function()
    load 'moil.task("add", function(x, y) return x + y end)'
    assert.equal(8, world:task("add"):delay(4, 4):get())
    assert.equal(8, moil.send("add", { 4, 4 }):get { timeout = 1 })
  end)

  it("runs nothing by itself", function()
    load 'moil.task("add", function(x, y) return x + y end)'
    local r = moil.send("add", { 1, 2 })
    assert.equal("PENDING", r:state())
    assert.equal(1, world:work())
    assert.equal("SUCCESS", r:state())
  end)

  it("gives its library by require, and takes it back", function()
    assert.equal(moil, require "moil")
    world:load(support.write(support.tempdir() .. "/g.lua", "LEFT_BEHIND = 1"))
    assert.equal(1, rawget(_G, "LEFT_BEHIND"))
    local handle = moil.task("add", function() end)
    world:close()
    assert.not_equal(moil, require "moil")
    assert.is_nil(rawget(_G, "LEFT_BEHIND"))
    assert.error_matches(function() handle:delay() end, "this test world is closed")
    open()
  end)

  it("loads a folder, whose files require each other, once", function()
    local dir = support.tempdir()
    support.write(dir .. "/a.lua", 'local b = require "b" local moil = require "moil" '
      .. 'moil.task("a", function() return b.value end)')
    support.write(dir .. "/b.lua", 'require("moil").task("b", function() end) '
      .. 'return { value = 7 }')
    world:load(dir)
    assert.equal(7, moil.send("a"):get())
    world:close()
    assert.is_nil(package.loaded.b)
    open { tasks = dir }
    assert.equal(7, moil.send("a"):get())
  end)

  it("says which file is wrong", function()
    assert.has_error(function() world:load "no/such/folder" end)
    local ok, err = pcall(load, "moil.task(")
    assert.is_false(ok)
    assert.matches("tasks.lua:2:", tostring(err))
  end)

  it("refuses unknown options", function()
    assert.error_matches(function() testing.new { sed = 1 } end, "unknown option 'sed'")
    assert.error_matches(function() testing.new { seed = "x" } end, "seed must be a number")
  end)

  it("takes routes and defaults of a configuration", function()
    open { config = { routes = { ["img.*"] = "images" }, task_defaults = { priority = 7 } } }
    load 'moil.task("img.cut", function() end)'
    moil.send "img.cut"
    assert.same({ "images", 7 }, { world:enqueued()[1].queue, world:enqueued()[1].priority })
  end)
end)

describe("its clock", function()
  it("moves for countdowns, retries and sleeps, and for nothing else", function()
    load [[
      local moil = require "moil"
      moil.task("nap", function(s) moil.sleep(s) return s end)
      moil.task("flaky", { bind = true, retry = moil.retry.fixed { max = 3, delay = 60 } },
        function(self)
          if self.retries < 2 then error "not yet" end
          return self.attempt
        end)]]
    local from = world:now()
    assert.equal(100, moil.send("nap", { 100 }, { countdown = 50 }):get())
    assert.equal(150, world:now() - from)
    assert.equal(3, moil.send("flaky"):get())
    assert.equal(270, world:now() - from)
  end)

  it("is that of os.time and os.date within tasks alone", function()
    load 'moil.task("when", function() return os.time() .. os.date("! %Y", os.time()) end)'
    assert.equal("1767225600 2026", moil.send("when"):get())
    assert.not_equal(1767225600, os.time())
  end)

  it("has a day of retries and a schedule pass in a moment", function()
    load [[
      moil.task("never", { retry = moil.retry.fixed { max = false, delay = 60 } },
        function() error "no" end)
      moil.task("tick", function() end)]]
    world:beat { schedule = {
      often = { task = "tick", every = 60 }, noon = { task = "tick", cron = "0 12 * * *" },
    } }
    moil.send "never"
    world:advance(86400)
    assert.equal(1441, #world:runs "never")
    assert.equal(1440 + 1, #world:runs "tick")
    assert.equal(1767225600 + 43200, world:enqueued { beat = "noon" }[1].enqueued_at)
  end)

  it("stands still in drain where only a schedule goes on", function()
    load 'moil.task("tick", function() end)'
    world:beat { schedule = { often = { task = "tick", every = 60 } } }
    assert.equal(0, world:drain())
    assert.equal(1767225600, world:now())
  end)

  it("ends waiting in vain with what is to blame", function()
    load 'moil.task("a", function() end)'
    world:pause "default"
    local ok, err = pcall(function() moil.send("a"):get() end)
    assert.is_false(ok)
    assert.equal("Timeout", err.code)
    assert.matches("still PENDING", err.message)
    ok, err = pcall(function() moil.send("a"):get { timeout = 30 } end)
    assert.same({ false, "Timeout", 30 }, { ok, err.code, world:now() - 1767225600 })
  end)
end)

describe("time limits", function()
  it("hold in virtual time", function()
    load [[
      moil.task("long", { time_limit = 10 }, function()
        pcall(moil.sleep, 1000)
        moil.sleep(1000)
      end)
      moil.task("soft", { soft_time_limit = 5, time_limit = 10 }, function()
        local ok, err = pcall(moil.sleep, 1000)
        return { ok, err.code }
      end)]]
    local _, err = moil.send("long"):get { propagate = false }
    assert.equal("TimeLimitExceeded", err.code)
    assert.equal(10, world:now() - 1767225600)
    assert.same({ false, "SoftTimeLimitExceeded" }, moil.send("soft"):get())
  end)

  it("end a task that only computes", function()
    open { busy_limit = 0.05 }
    load [[moil.task("spin", { time_limit = 60 }, function()
      while true do pcall(function() while true do end end) end
    end)]]
    local _, err = moil.send("spin"):get { propagate = false }
    assert.equal("TimeLimitExceeded", err.code)
  end)
end)

describe("what was enqueued", function()
  it("ends programs that go on past a limit", function()
    load [[moil.task("slow", { time_limit = 0.2 }, function()
      moil.run { "sleep", "1000", timeout = false }
    end)
    moil.task("soft", { soft_time_limit = 0.2 }, function()
      local ok, err = pcall(moil.run, { "sleep", "1000" })
      return { ok, err.code, moil.run({ "sleep", "1000", timeout = 0.1 }).timed_out }
    end)]]
    local from = world:now()
    local _, err = moil.send("slow"):get { propagate = false }
    assert.equal("TimeLimitExceeded", err.code)
    assert.is_true(math.abs(world:now() - from - 0.2) < 0.01)
    assert.same({ false, "SoftTimeLimitExceeded", true }, moil.send("soft"):get())
  end)

  it("is recorded, whatever became of it", function()
    load [[
      moil.task("parent", function()
        moil.send("child", { 1 }, { queue = "low", countdown = 5 })
      end)
      moil.task("child", function() end)]]
    local parent = moil.send "parent"
    world:work()
    local child = world:enqueued("child")[1]
    assert.same({ 1 }, child.args)
    assert.same({ "low", "SCHEDULED", parent.id }, { child.queue, child.state, child.parent_id })
    assert.equal(world:now() + 5, child.due_at)
    world:drain()
    assert.equal("SUCCESS", world:job(child.id).state)
    world:clear()
    assert.same({}, world:enqueued())
  end)

  it("can be asserted", function()
    moil.send("mail", { "ann", { urgent = true } })
    world:assert_enqueued("mail", 1)
    testing.assert_enqueued(world, { task = "mail", args = { "ann", { urgent = true } } })
    world:assert_enqueued { args = function(args) return args[1] == "ann" end }
    world:refute_enqueued { task = "mail", args = { "bob" } }
    assert.error_matches(function() world:assert_enqueued { task = "mail", queue = "low" } end,
      'expected at least 1 of queue = "low", task = "mail" to be enqueued, but there were 0')
    assert.error_matches(function() world:refute_enqueued "mail" end, "expected no mail")
    assert.error_matches(function() world:assert_enqueued("mail", 2) end, "expected 2 of mail")
  end)

  it("went through JSON", function()
    load 'moil.task("echo", function(...) return { ... } end)'
    local back = moil.send("echo", { 4, 4.0, {}, moil.object {}, moil.null, n = 6 }):get()
    assert.equal("integer", math.type(back[1]))
    assert.equal("float", math.type(back[2]))
    assert.error_matches(function() moil.send("echo", { print }) end, "function")
    assert.error_matches(function() moil.send("echo", { { [1] = 1, a = 2 } }) end, "argument 1")
    assert.error_matches(function() moil.send("echo", { 0 / 0 }) end, "argument 1")
  end)
end)

describe("one attempt", function()
  it("is told of", function()
    load [[
      moil.task("div", { bind = true, retry = moil.retry.fixed { max = 1, delay = 7 } },
        function(self, x, y)
          self:update_state("AT", { x = x })
          if y == 0 then error { code = "ZERO", message = "division by zero" } end
          return x // y
        end)]]
    local good = world:perform("div", { 6, 3 })
    assert.same({ "success", 2 }, { good.outcome, good.result })
    assert.same({ { state = "AT", meta = { x = 6 } } }, good.states)
    local bad = world:perform("div", { 6, 0 })
    assert.same({ "retry", 7, "ZERO" }, { bad.outcome, bad.delay, bad.error.code })
    assert.equal("RETRY", bad.job.state)
    world:assert_state(bad.id, "RETRY")
    world:drain()
    assert.equal("ZERO", world:dead("div")[1].error.code)
    assert.equal(1, world:retry_dead())
    world:drain()
    assert.equal(4, #world:runs { task = "div", id = bad.id })
  end)
end)

it("a command of the tasks' own is called", function()
  load 'moil.on_control("drop", function(key) return "dropped " .. key end)'
  assert.equal("dropped x", world:control("drop", "x"))
  assert.same({}, world:enqueued())
  assert.same({ false, {} }, { moil.control("drop", { "x" }) })
end)

describe("what goes wrong", function()
  local COUNT <const> = [[
    local ran = 0
    moil.task("count", { retry = moil.retry.fixed { max = 5, delay = 1 } }, function()
      ran = ran + 1
      return ran
    end)]]

  it("is an error at the runs that were named", function()
    load(COUNT)
    world:fail("count", { 1, 2 }, { code = "SMTP", message = "421" })
    assert.equal(1, moil.send("count"):get())
    assert.same({ "retry", "retry", "success" }, { world:runs()[1].outcome,
      world:runs()[2].outcome, world:runs()[3].outcome })
    assert.equal("SMTP", world:runs()[2].error.code)
  end)

  it("is a worker's death, before or after", function()
    load(COUNT)
    world:crash("count", 1)
    world:crash("count", 2, "after")
    assert.equal(2, moil.send("count"):get())
    assert.equal(3, world:runs()[3].deliveries)
  end)

  it("is a poison pill in the end", function()
    load [[
      local heard
      moil.task("bad", { on_failure = function(_, err) heard = err.code end }, function() end)
      moil.task("heard", function() return heard end)]]
    world:crash("bad", "always")
    local r = moil.send "bad"
    world:drain()
    assert.equal("WorkerLost", world:assert_state(r, "FAILURE").error.code)
    assert.equal("WorkerLost", moil.send("heard"):get())
    assert.equal(1, #world:dead())
  end)

  it("is a second delivery of what has run", function()
    load(COUNT)
    world:deliver_twice "count"
    assert.equal(2, moil.send("count"):get())
    assert.same({ 1, 2 }, { world:runs()[1].deliveries, world:runs()[2].deliveries })
  end)

  it("is a Redis that is away", function()
    load(COUNT)
    world:redis_down(3)
    assert.equal(1, moil.send("count"):get()) -- a producer waits
    world:redis_down()
    local ok, err = pcall(moil.send, "count")
    assert.is_false(ok)
    assert.equal("RedisUnavailable", err.code)
    world:redis_up()
    assert.equal(2, moil.send("count"):get())
  end)

  it("is a program that fails", function()
    load [[
      moil.task("lines", function(path) return moil.run { "wc", "-l", path }.stdout end)
      moil.task("really", function() return moil.run({ "echo", "hi" }).stdout end)]]
    world:stub_run { wc = function(argv) return { stdout = "3 " .. argv[3] } end }
    assert.equal("3 x", moil.send("lines", { "x" }):get())
    assert.equal("hi\n", moil.send("really"):get())
  end)
end)

describe("chance", function()
  local TASKS <const> = [[
    moil.task("draw", function(i) return { i, math.random(1000000) } end)]]

  local function order_of(seed)
    open { seed = seed, shuffle = true }
    load(TASKS)
    for i = 1, 8 do moil.send("draw", { i }) end
    moil.send("draw", { 9 }, { priority = 9 })
    world:drain()
    local words = {}
    for i, run in ipairs(world:runs()) do words[i] = run.result[1] .. ":" .. run.result[2] end
    return table.concat(words, " ")
  end

  it("is the same for a seed, and another for another", function()
    local first = order_of(7)
    assert.equal(first, order_of(7))
    assert.not_equal(first, order_of(8))
    assert.matches("^9:", first)
    assert.not_matches("^9:%d+ 1:%d+ 2:%d+ 3:%d+ 4:%d+ 5:%d+ 6:%d+ 7:%d+ 8:", first)
  end)
end)

describe("rails", function()
  it("hold as in a worker, and for tasks alone", function()
    load [[
      moil.task("global", function() undeclared_thing = 1 end) -- luacheck: ignore
      moil.task("exit", function() os.exit(1) end)
      moil.task("yields", function() coroutine.yield() end)
      moil.task("says", function() print("hello", 1) moil.log.warn("careful", { n = 1 }) end)]]
    local _, err = moil.send("global"):get { propagate = false }
    assert.matches("undeclared global 'undeclared_thing'", err.message)
    _, err = moil.send("exit"):get { propagate = false }
    assert.matches("os.exit is not for tasks", err.message)
    _, err = moil.send("yields"):get { propagate = false }
    assert.matches("attempt to yield from outside a coroutine", err.message)
    moil.send("says"):get()
    assert.equal("hello\t1", world:logs({ level = "info" })[1].message)
    assert.same({ n = 1 }, world:logs({ level = "warning", task = "says" })[1].fields)
  end)

  it("let jobs wait within coroutines of their own", function()
    load [[
      moil.task("inner", function()
        local steps = {}
        local co = coroutine.wrap(function()
          moil.sleep(5)
          coroutine.yield("a")
          steps[#steps + 1] = moil.send("add", { 1, 2 }):get()
        end)
        steps[#steps + 1] = co()
        co()
        return steps
      end)
      moil.task("add", function(x, y) return x + y end)]]
    assert.same({ "a", 3 }, moil.send("inner"):get())
  end)
end)

describe("a schedule", function()
  it("skips, pauses and ends as it is told", function()
    load 'moil.task("slow", function() moil.sleep(25) end)'
    world:beat { timezone = "Asia/Shanghai", schedule = {
      slow = { task = "slow", every = 10, overlap = false },
      thrice = { task = "slow", every = 100, max_runs = 3, args = { 1 } },
      noon = { task = "slow", cron = "0 12 * * *", paused = true },
    } }
    world:advance(86400)
    assert.equal(3, #world:enqueued { beat = "thrice" })
    assert.equal(86400 // 30, #world:enqueued { beat = "slow" })
    assert.equal(0, #world:enqueued { beat = "noon" })
    assert.equal(1767225600 + 86400 + 4 * 3600, moil.beat.next({ task = "slow",
      cron = "0 12 * * *", timezone = "Asia/Shanghai" }, { n = 1 })[1])
  end)

  it("may be made by tasks", function()
    load 'moil.task("tick", function() end)'
    local tick = world:task "tick"
    local entry = tick:cron("@hourly", "hourly")
    assert.is_true(entry.created)
    assert.is_false(tick:cron("@hourly", "hourly").created)
    tick:schedule(10, nil, { repeats = 3, interval = 60 })
    world:advance(7200)
    assert.equal(2, #world:enqueued { beat = "hourly" })
    assert.equal(5, #world:runs "tick")
    assert.equal(2, moil.beat.get("hourly").runs)
    assert.is_true(moil.beat.pause "hourly")
    assert.is_true(moil.beat.change("hourly", { cron = "@daily" }))
    assert.is_true(moil.cancel "hourly")
    assert.is_nil(moil.beat.get "hourly")
    assert.equal(5, #moil.beat.history())
  end)
end)

describe("what cannot be meant", function()
  before_each(function() load 'moil.task("one", function() end)' end)

  it("is refused in a question", function()
    assert.error_matches(function() world:refute_enqueued { tsk = "one" } end,
      "unknown field 'tsk', did you mean 'task'")
    assert.error_matches(function() world:enqueued { taks = "one" } end, "unknown field 'taks'")
    assert.error_matches(function() world:runs { state = "x" } end, "unknown field 'state'")
    assert.error_matches(function() world:logs { other = "x" } end,
      "unknown field 'other': there are at, ")
  end)

  it("is refused as a fault", function()
    for _, deed in ipairs { "fail", "crash", "deliver_twice" } do
      assert.error_matches(function() world[deed](world, "nosuch", 1) end,
        "no task 'nosuch' is loaded")
      assert.error_matches(function() world[deed](world, "ome", 1) end, "did you mean 'one'")
    end
  end)

  it("is refused as a number", function()
    assert.error_matches(function() world:advance(0 / 0) end, "world:advance: takes a number")
    assert.error_matches(function() world:advance(math.huge) end, "world:advance: takes a number")
    assert.error_matches(function() testing.new { now = 0 / 0 } end, "testing.new: now must be")
    assert.error_matches(function() testing.new { time_limit = -1 } end, "time_limit must be")
    for key, value in pairs { seed = 1.5, time_limit = true, busy_limit = 0, steps = 0 } do
      assert.error_matches(function() testing.new { [key] = value } end, key .. " must be ")
    end
    assert.error_matches(function() testing.new { sede = 1 } end, "did you mean 'seed'")
  end)

  it("comes to an end that names the task", function()
    open { steps = 1000 }
    load 'moil.task("again", function() moil.send "again" end)'
    moil.send "again"
    assert.error_matches(function() world:drain() end, "comes to no end; it ran again last")
  end)

  it("comes to an end where no time passes, however much may", function()
    open { steps = 100 }
    world.steps_of_time = 1000000 -- as when nothing is said
    load [[
      moil.task("again", function() moil.send "again" end)
      moil.task("later", function() moil.send("later", {}, { countdown = 1 }) end)]]
    moil.send "later"
    world:advance(1000)
    assert.equal(1001, #world:runs())
    moil.send "again"
    assert.error_matches(function() world:advance(1000) end,
      "has made 101 steps and comes to no end; it ran again last")
  end)
end)

describe("tasks in C", function()
  it("have functions of the spec in their place", function()
    local text = [[moil.task("made", {}, function(x) return moil.native("thumb")(x) end)]]
    open { native = { thumb = function(x) return x .. ".png" end } }
    load(text)
    assert.equal("a.png", moil.send("made", { "a" }):get())
    open()
    load(text)
    assert.error_matches(function() moil.send("made", { "a" }):get() end, "no task 'thumb' in C")
    world:stub_native("thumb", function(x) return x .. ".gif" end)
    assert.equal("a.gif", moil.send("made", { "a" }):get())
    load 'moil.task("thumb", { queue = "c" }, moil.native("thumb"))'
    assert.equal("b.gif", moil.send("thumb", { "b" }):get())
  end)
end)

describe("a worker that dies each time", function()
  it("is counted once a delivery", function()
    local seen
    moil.task("dies", { max_deliveries = 2, bind = true,
      on_failure = function(self) seen = self.deliveries end }, function() end)
    world:crash("dies", "always")
    local result = moil.send "dies"
    world:drain()
    assert.same({ 2, 2 }, { seen, result:info().deliveries })
  end)
end)

local host = require "spec.support.host"
local site = require "spec.support.site"
local support = require "spec.support"

-- A worker on the host's own loop (moil.h, "worker"), in a program that is none of moil's
-- (spec/support/worker_probe.c); what C tasks do is in tasks_spec.lua.

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(a, b) return a + b end)
moil.task("nap", function(s) moil.sleep(s) return s end)
moil.task("version", function() return 1 end)
moil.task("hold", function(gate) while not io.open(gate) do moil.sleep(0.01) end return "one" end)
moil.task("spin", function() while true do end end)
moil.task("count", function(n) local x = 0 for i = 1, n do x = x + i end return x end)
moil.task("stubborn", function() while true do pcall(function() while true do end end) end end)
moil.task("sorted", function()
  table.sort({ 3, 2, 1, 5, 4 }, function() while true do end end)
end)
moil.task("thread", function()
  return coroutine.wrap(function() while true do end end)()
end)
moil.task("soft", { soft_time_limit = 0.1 }, function()
  local ok, err = pcall(function() while true do end end)
  return err.code
end)
moil.task("greedy", { memory_limit = 8 }, function()
  local t = {}
  for i = 1, 1e9 do t[i] = "x" .. i end
end)
moil.task("texts", function(n)
  local t = {}
  for i = 1, 300 do
    local text = ("y"):rep((i * n) % 90)
    t[i % 17] = text .. i
    local u = {}
    for j = 1, i % 9 do u[j] = text end
  end
  return #t
end)
moil.task("shell", function(...) return moil.run({ ... }).stdout end)
moil.task("feed", function()
  local r = moil.run { "true", input = ("x"):rep(1000000) }
  return r.code
end)
moil.task("beat", function() return "ticked" end)
moil.task("aside", { queue = "aside" }, function() return moil.current().queue end)
]]

local here, h

local function new_host(...)
  h = host(here.url, ...)
  return h
end

before_each(function() here = site.open { tasks = TASKS, idle = true } end)
after_each(function()
  if h then h.process:kill("KILL") h.process:wait(10) end
  h = nil
end)

local function call(task, ...) return here:call(task, ...) end

describe("moil_worker_open", function()
  it("serves tasks of files and tasks in C, and is a node like any other", function()
    new_host():open("a", here.tasks, { name = "the-host" })
    assert.equal(5, call("add", 2, 3))
    assert.equal(5, call("c.add", 2, 3))
    assert.equal("aside", here.moil.send("aside", {}, { queue = "aside" }):get { timeout = 15 })
    local node = here:nodes()[1]
    assert.equal("the-host", node.node)
    assert.equal(60, node.lease)
    assert.is_true(node.alive)
    table.sort(node.queues)
    assert.same({ "aside", "default", "shown" }, node.queues)
    assert.equal(h.process.pid, node.pid)
    local known = table.concat(node.tasks, " ")
    assert.truthy(known:find("c.add", 1, true) and known:find("aside", 1, true))
    h:stop("a")
    assert.same({}, here:nodes())
    assert.equal(0, h:finish())
  end)

  it("tells what is wrong in one line", function()
    local bad = support.write(here.dir .. "/bad.lua", "local x =\n\nnonsense(")
    local twice = support.write(here.dir .. "/twice.lua",
      'local moil = require "moil"\nmoil.task("c.add", function() end)')
    new_host()
    local function fails(command)
      local status, sentence = h:try(command)
      assert.equal(-2, status)
      assert.falsy(sentence:find("\n"))
      return sentence
    end
    assert.matches("/bad%.lua:3: ", fails("open a hook " .. bad))
    assert.matches("/none%.lua: No such file", fails("open a hook " .. here.dir .. "/none.lua"))
    assert.matches("/twice%.lua:2: .*is a task in C.*moil%.native%('c%.add'%)",
      fails("open a hook " .. twice))
    local endless = support.write(here.dir .. "/endless.lua",
      "local n = 0\nwhile true do\npcall(function() while true do n = n + 1 end end) end")
    assert.matches("/endless%.lua:%d: loading took more than 5 s", fails("open a hook " .. endless))
    assert.matches("^name \"", fails(("open a hook %s name=%s"):format(here.tasks, ("x"):rep(201))))
    assert.matches("^lease: 1 to", fails("open a hook " .. here.tasks .. " lease=0.5"))
    for _, given in ipairs { "lease=-1", "lease=nan", "time_limit=nan", "concurrency=1000000" } do
      assert.matches("^" .. given:match("[%a_]+") .. ": ",
        fails(("open a hook %s %s"):format(here.tasks, given)))
    end
    assert.matches("^result_ttl: at most",
      fails("open a hook " .. here.tasks .. " result_ttl=1e18"))
    assert.matches("config_json", fails("open a hook " .. here.tasks .. " config=[]"))
    h:open("a", here.tasks)
    assert.equal(3, call("add", 1, 2))
  end)

  it("is without Redis until Redis is there", function()
    here.redis:stop()
    new_host():open("a", here.tasks, { unready = true })
    here.redis:start()
    h:saw("ready a")
    assert.equal(3, call("add", 1, 2))
  end)
end)

describe("the host's process", function()
  it("keeps its signals, its children, its loop and its random numbers", function()
    new_host()
    local caught, ignored = h:signals()
    h:open("a", here.tasks, { queues = "default:2,aside:1" })
    assert.equal(3, call("add", 1, 2))
    assert.equal("TimeLimitExceeded", here:failure("spin", {}, { time_limit = 0.2 }).code)
    assert.equal("hello\n", call("shell", "echo", "hello"))
    assert.equal(0, call("feed")) -- a pipe that nobody reads: no SIGPIPE
    here.redis:restart()
    assert.equal(3, call("add", 1, 2)) -- a link that was cut: neither
    assert.same({ caught, ignored }, { h:signals() })
    h:stop("a")
    assert.same({ caught, ignored }, { h:signals() })
    assert.equal(0, h:finish())
  end)

  it("lends SIGALRM where it says so, and gets it back", function()
    new_host()
    local caught = h:signals()
    h:open("a", here.tasks, { limits = "signal" })
    assert.equal("TimeLimitExceeded", here:failure("spin", {}, { time_limit = 0.2 }).code)
    assert.equal(1 << 13, tonumber(h:signals(), 16) ~ tonumber(caught, 16))
    h:ask("close a")
    assert.equal(caught, (h:signals()))
  end)

  it("gets it back blocked where it was, and no other thread is disturbed", function()
    new_host("thread"):open("a", here.tasks, { limits = "signal" })
    assert.equal("TimeLimitExceeded", here:failure("spin", {}, { time_limit = 0.2 }).code)
    h:stop("a")
    assert.equal(0, h:finish(), h.process:stderr())
  end)

  it("may ignore SIGCHLD on libev's default loop", function()
    new_host("ignored"):open("a", here.tasks)
    assert.equal("hello\n", call("shell", "echo", "hello"))
    h:stop("a")
    assert.equal(0, h:finish())
  end)

  it("gets its turn after each slice", function()
    new_host():open("a", here.tasks)
    h:ask("quiet a")
    local before, spins = here.moil.send("c.turns", {}), {}
    for i = 1, 8 do spins[i] = here.moil.send("spin", {}, { time_limit = 0.5 }) end
    local after = here.moil.send("c.turns", {})
    h:ask("resume a")
    local first, last = before:get { timeout = 15 }, after:get { timeout = 15 }
    assert.is_true(last - first >= 6, last - first)
    for _, spin in ipairs(spins) do spin:get { timeout = 15, propagate = false } end
  end)

  it("may run it on libev's default loop", function()
    new_host("default"):open("a", here.tasks)
    assert.equal("hello\n", call("shell", "echo", "hello"))
    h:stop("a")
    assert.equal(0, h:finish())
  end)
end)

describe("the host's allocator", function()
  it("gets each block back, and none is used past its end", function()
    local folder = here.dir .. "/many"
    assert(os.execute(("mkdir %s && cp %s %s"):format(folder, here.tasks, folder)))
    new_host("checked"):open("a", folder)
    local m, list = here.moil, {}
    for i = 1, 200 do
      list[#list + 1] = m.signature("texts", { i })
      list[#list + 1] = m.signature("c.show", { ("x"):rep(i) }, { queue = "shown" })
    end
    for _, result in ipairs(m.enqueue_many(list)) do result:get { timeout = 30 } end
    h:ask("reload a")
    assert.equal("MemoryLimitExceeded", here:failure("greedy", {}).code)
    assert.equal("hello\n", call("shell", "echo", "hello"))
    h:stop("a")
    assert.equal(0, h:finish())
  end)
end)

describe("limits by a count hook", function()
  local function code(task, args)
    return here:failure(task, args or {}, { time_limit = task ~= "greedy" and 0.2 or nil }).code
  end

  before_each(function() new_host():open("a", here.tasks) end)

  it("hold for jobs on the CPU", function()
    assert.equal("TimeLimitExceeded", code("spin"))
    assert.equal("TimeLimitExceeded", code("stubborn"))
    assert.equal("TimeLimitExceeded", code("sorted"))
    assert.equal("TimeLimitExceeded", code("thread"))
    assert.equal("TimeLimitExceeded", code("nap", { 60 }))
    assert.equal("MemoryLimitExceeded", code("greedy"))
    assert.equal("SoftTimeLimitExceeded", call("soft"))
    assert.equal(50005000, call("count", 10000))
  end)

  it("give neighbours their turns, and the loop", function()
    local spin = here.moil.send("spin", {}, { time_limit = 60 })
    here:wait_state(spin.id, "STARTED")
    assert.equal(3, call("add", 1, 2))
    h:ask("beat")
    spin:revoke { terminate = true }
    here:wait_state(spin.id, "REVOKED")
    assert.equal(3, call("add", 1, 2))
  end)
end)

describe("moil_worker_reload", function()
  local function reload_to(n)
    support.write(here.tasks, (TASKS:gsub("return 1 end", "return " .. n .. " end")
      :gsub('"one"', '"' .. n .. '"')))
    h:ask("reload a")
    support.wait_until(function() return call("version") == n end, 20, "version " .. n)
  end

  it("brings the new code; jobs end with the code that they began with", function()
    new_host():open("a", here.tasks)
    local gate = here.dir .. "/gate"
    local old = here.moil.send("hold", { gate })
    here:wait_state(old.id, "STARTED")
    reload_to(2)
    local middle = here.moil.send("hold", { gate })
    here:wait_state(middle.id, "STARTED")
    reload_to(3)
    support.write(gate, "")
    assert.equal("one", old:get { timeout = 15 })
    assert.equal("2", middle:get { timeout = 15 })
    h:stop("a")
    assert.equal(0, h:finish())
  end)

  it("may be asked for by a task in C", function()
    new_host():open("a", here.tasks)
    support.write(here.tasks, (TASKS:gsub("return 1 end", "return 2 end")))
    assert.is_true(call("c.reload"))
    support.wait_until(function() return call("version") == 2 end, 20, "version 2")
    assert.is_true(call("c.reload"))
    h:stop("a")
    assert.equal(0, h:finish())
  end)

  it("leaves the old code serving when it fails, and tells why in one line", function()
    new_host():open("a", here.tasks)
    support.write(here.tasks, "this is no Lua")
    local status, sentence = h:try("reload a")
    assert.equal(-2, status)
    assert.matches("/tasks%.lua:1: ", sentence)
    assert.equal(1, call("version"))
    reload_to(4)
  end)

  it("refuses while four older generations end what they run", function()
    new_host():open("a", here.tasks)
    local gate = here.dir .. "/gate"
    for n = 2, 5 do
      local held = here.moil.send("hold", { gate })
      here:wait_state(held.id, "STARTED")
      reload_to(n)
    end
    local status, sentence = h:try("reload a")
    assert.equal(-16, status)
    assert.matches("^4 older generations", sentence)
    support.write(gate, "")
    support.wait_until(function() return not h:try("reload a") end, 20, "room for a reload")
  end)

  it("may come while Redis is away, and several times", function()
    new_host():open("a", here.tasks)
    here.redis:stop()
    for _ = 1, 10 do h:ask("reload a") end
    here.redis:start()
    assert.equal(1, call("version"))
    h:stop("a")
    assert.equal(0, h:finish())
  end)
end)

describe("moil_worker_stop", function()
  it("waits for what runs (warm)", function()
    new_host():open("a", here.tasks)
    local gate = here.dir .. "/gate"
    local held = here.moil.send("hold", { gate })
    here:wait_state(held.id, "STARTED")
    h:ask("stop a")
    local late = here.moil.send("add", { 1, 2 })
    support.write(gate, "")
    assert.equal("one", held:get { timeout = 15 })
    h:saw("stopped a")
    assert.equal("PENDING", late:state())
    assert.equal(0, h:finish())
  end)

  it("gives back what runs (cold), and turns warm into cold", function()
    new_host():open("a", here.tasks)
    local held = here.moil.send("nap", { 60 })
    here:wait_state(held.id, "STARTED")
    h:ask("stop a")
    h:stop("a", "cold")
    assert.equal("PENDING", held:state())
    assert.same({}, here:nodes())
  end)

  it("is over where Redis is away, too", function()
    new_host():open("a", here.tasks)
    here.redis:stop()
    h:stop("a")
    assert.equal(0, h:finish())
  end)

  it("is over where Redis does not answer, when cold, whatever runs", function()
    for _, task in ipairs { "nap", "c.later" } do
      new_host("checked"):open("a", here.tasks)
      local held = here.moil.send(task, { 60, 1 })
      here:wait_state(held.id, "STARTED")
      here.redis.process:kill("STOP")
      h:ask("stop a")
      h:stop("a", "cold")
      here.redis.process:kill("CONT")
      h:open("a", here.tasks)
      assert.equal(3, call("add", 1, 2))
      assert.equal(0, h:finish())
    end
    new_host():open("a", here.tasks)
    local held = here.moil.send("nap", { 60 })
    here:wait_state(held.id, "STARTED")
    here.redis:stop()
    h:stop("a", "cold")
    assert.equal(0, h:finish())
  end)

  it("may be told to take nothing new for a while by people, too", function()
    new_host():open("a", here.tasks)
    local function control(command) return support.moil { "control", command, redis = here.url } end
    assert.equal(0, control("quiet").code)
    local waiting = here.moil.send("add", { 1, 2 })
    h:ask("beat")
    assert.equal("PENDING", waiting:state())
    assert.equal(0, control("resume").code)
    assert.equal(3, waiting:get { timeout = 15 })
    local refused = control("reload")
    assert.equal(1, refused.code)
    assert.matches("a part of another program", refused.stdout)
  end)

  it("may be told to take nothing new for a while", function()
    new_host():open("a", here.tasks)
    h:ask("quiet a")
    local waiting = here.moil.send("add", { 1, 2 })
    h:ask("beat")
    assert.equal("PENDING", waiting:state())
    h:ask("resume a")
    assert.equal(3, waiting:get { timeout = 15 })
  end)
end)

describe("several workers in one process", function()
  it("share a loop, each with limits of its own", function()
    new_host():open("a", here.tasks, { queues = "qa", name = "na" })
    h:open("b", here.tasks, { queues = "qb", name = "nb" })
    h:open("c", nil, { queues = "qc", name = "nc", limits = "none" })
    local spin = here.moil.send("spin", {}, { queue = "qa", time_limit = 1 })
    assert.equal(3, here.moil.send("add", { 1, 2 }, { queue = "qb" }):get { timeout = 15 })
    assert.equal(3, here.moil.send("c.add", { 1, 2 }, { queue = "qc" }):get { timeout = 15 })
    local _, err = spin:get { timeout = 15, propagate = false }
    assert.equal("TimeLimitExceeded", err.code)
    assert.equal(3, #here:nodes())
    h:stop("b")
    assert.equal(3, here.moil.send("add", { 1, 2 }, { queue = "qa" }):get { timeout = 15 })
    h:stop("a")
    h:stop("c")
    assert.same({}, here:nodes())
    assert.equal(0, h:finish())
  end)
end)

describe("the agent's duties", function()
  it("are done on the loop: delayed jobs, entries of run time, workflows", function()
    new_host():open("a", here.tasks)
    local delayed = here.moil.send("add", { 1, 2 }, { countdown = 0.3 })
    assert.equal(3, delayed:get { timeout = 15 })
    local beat = { "beat", "add", "e", "--task", "beat", "--every", "1", redis = here.url }
    local added = support.moil(beat)
    assert.equal(0, added.code, added.stderr)
    local sum = here.moil.chord({ here.moil.signature("add", { 1, 2 }),
      here.moil.signature("c.add", { 3, 4 }) }, here.moil.signature("moil.collect"))
    assert.same({ 3, 7 }, sum:delay():get { timeout = 15 })
    support.wait_until(function()
      local list = support.moil { "beat", "history", "e", "--json", redis = here.url }
      return list.stdout:find("fired", 1, true)
    end, 20, "a tick")
  end)
end)

describe("moil_worker_close", function()
  it("leaves nothing on the loop, whatever is under way", function()
    new_host("checked")
    for turns = 0, 40 do
      h:ask "open a none -" -- not waited for: its first calls are out
      for _ = 1, turns % 14 do h:ask "beat" end
      h:ask "close a"
    end
    h:open("a", here.tasks)
    assert.equal(3, call("add", 1, 2))
    h:stop("a")
    assert.equal(0, h:finish())
  end)
end)

describe("a task in C", function()
  it("may close its worker", function()
    new_host("checked"):open("a", here.tasks)
    here.moil.send("c.close", {})
    h:saw("closed")
    h:open("b", here.tasks, { queues = "aside" })
    assert.equal("aside", here.moil.send("aside", {}, { queue = "aside" }):get { timeout = 15 })
    h:stop("b")
    assert.equal(0, h:finish())
  end)
end)

describe("a worker that vanishes", function()
  it("leaves its jobs to recovery when it is closed without a stop", function()
    new_host():open("a", here.tasks, { lease = 2 })
    local held = here.moil.send("nap", { 0.5 })
    here:wait_state(held.id, "STARTED")
    h:ask("close a")
    assert.equal(0, h:finish())
    here:worker { "-w", "1", "--lease", "1" }
    assert.equal(0.5, held:get { timeout = 40 })
  end)

  it("has its own lease, which others grant it", function()
    local node = here:worker { "-w", "1", "--lease", "1", "-q", "elsewhere" }
    new_host():open("a", here.tasks, { name = "patient" })
    assert.equal(3, call("add", 1, 2))
    h:open("b", here.tasks, { lease = 1, name = "short", queues = "elsewhere" })
    h:ask("close b")
    node:read_until("node short/%S+ has been silent for a lease %(1 s%)", 30)
    assert.falsy(node:stderr():find("patient", 1, true))
    assert.equal(3, call("add", 1, 2))
  end)

  it("is fenced where its loop stood still, and goes on", function()
    new_host():open("a", here.tasks, { lease = 1, name = "sleeper" })
    h:open("b", here.tasks, { lease = 1, name = "other", queues = "elsewhere" })
    local other = host(here.url)
    other:open("c", here.tasks, { lease = 1, name = "third" })
    other:ask("quiet c")
    local held = here.moil.send("hold", { here.dir .. "/gate" })
    here:wait_state(held.id, "STARTED")
    h.process:write(("stall %s/awake\n"):format(here.dir))
    other.process:read_until("silent for a lease", 30)
    other:ask("resume c")
    support.write(here.dir .. "/gate", "")
    assert.equal("one", held:get { timeout = 20 })
    support.write(here.dir .. "/awake", "")
    h:saw("ok stall")
    other:stop("c")
    assert.equal(3, call("add", 1, 2))
    other:finish()
  end)
end)

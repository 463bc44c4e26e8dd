local planned = require "spec.faults.crash_points"
local site = require "spec.support.site"
local support = require "spec.support"

-- Dies at every crash point of the sources, some runs at a time: whatever died, and wherever, each
-- acknowledged job has run and has ended once, and nothing else is left of it.

local TASKS <const> = site.NOTE .. [[
local function is_first(name)
  local f = io.open(name)
  if f then return f:close() and false end
  return assert(io.open(name, "w")):close()
end
moil.task("mark", function(i) note(i) return i end)
moil.task("nap", function(i) note(i) moil.sleep(0.02) return i end)
moil.task("spin", function(i)
  note(i)
  local till = os.clock() + 0.025
  while os.clock() < till do end
  return i
end)
moil.task("fail", function(i) note(i) error "on purpose" end)
moil.task("again", { bind = true, retry = moil.retry.fixed { max = 1, delay = 0.02 } },
  function(self, i)
    note(i)
    if self.retries == 0 then error "once" end
    return i
  end)
moil.task("ignored", { ignore_result = true }, function(i) note(i) end)
moil.task("parent", function(i)
  note(i)
  return moil.send("mark", { "child" }):get { timeout = 30 }
end)
moil.task("tock", { bind = true }, function(self) note(self.id) end)
moil.task("die", function(i)
  note(i)
  if is_first "died" then
    os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
    while true do end
  end
  return i
end)
-- Until the process has died, or for ten seconds.
local function wait_for_mark()
  for _ = 1, 500 do
    local f = io.open "mark"
    if f then return f:close() end
    moil.sleep(0.02)
  end
end
moil.task("hold", { blocking = true }, function(i) note(i) wait_for_mark() return i end)
moil.task("long", function(i) note(i) wait_for_mark() return i end)
moil.task("half", function(i) note(i) moil.sleep(0.5) return i end)
moil.task("stuck", function(i)
  note(i)
  os.execute "for i in $(seq 500); do [ -e mark ] && break; sleep 0.02; done"
  return i
end)
]]

-- Workflows of their own ids, so that a job that runs again makes the same. Of a fan-out to more
-- jobs than one script takes, the agent has to do a part.
local FLOWS <const> = [[
local core = require "moil.core"
local function node(task, id, args, fields)
  local made = { task = task, id = id, queue = "default", args = args, n = #args, priority = 5 }
  for k, v in pairs(fields or {}) do made[k] = v end
  return made
end
moil.task("total", function(list, i) note(i) return #list end)
moil.task("flow", { bind = true }, function(self, i)
  note(i)
  local tail, group, ids = i .. "-tail", i .. "-group", {}
  local nodes = {
    node("total", tail, { tail },
      { open = 1, extra = { gather = group }, links = "u-" .. group .. " " }),
    node("moil.group", group, {}, { open = 1200, links = "nF" .. tail .. " " }),
  }
  for k = 1, 1200 do
    ids[k] = i .. "-" .. k
    nodes[k + 2] = node("mark", ids[k], { ids[k] }, { open = 1, links = "hF" .. group .. " " })
  end
  nodes[#nodes + 1] = node("mark", i .. "-neck", { "neck" },
    { open = 1, links = "NF" .. group .. " " })
  nodes[#nodes + 1] = node("mark", i .. "-head", { "head" }, -- when the submission is over
    { links = "nF" .. i .. "-neck ", delay = 0.3, extra = { linked = true } })
  core.submit { wid = tail, nodes = nodes, members = { { group, ids } } }
  return moil.result(tail):get { timeout = 60 }
end)
moil.task("swap", { bind = true }, function(self, i)
  note(i)
  core.stop("replace",
    core.submit { wid = self.id, stage_only = true, nodes = { node("mark", self.id, { i }) } })
end)
]]

local BEAT <const> = [[
return { schedule = { grid = { task = "tock", every = 0.1, catch_up = "all" } } }
]]

local WORK <const> = { "mark", "nap", "spin", "fail", "again", "ignored", "parent" }
local LOADS <const> = {
  none = {},
  work = { WORK, WORK, WORK },
  die = { WORK, { "die" }, WORK },
  hold = { { "hold" }, WORK, WORK },
  stuck = { { "stuck" }, WORK, WORK },
  long = { { "long", "long", "long", "long", "long", "long" } },
  half = { { "half", "half", "half", "half", "half", "half" } },
  flow = { { "flow", "swap" }, WORK },
}
local ENDS <const> = { fail = "FAILURE", ignored = false } -- the others: SUCCESS
local AT_ONCE <const> = 6
local PATIENCE <const> = 60
local CRASH <const> = support.build .. "/crash/moil"

-- --- one run -------------------------------------------------------------------------------------

local run = {}
run.__index = run

local server, used = nil, 0 -- one Redis, a database for each run

-- Lets the other runs go on until fn returns something true.
local function await(what, fn)
  local deadline <const> = support.now() + PATIENCE
  while true do
    local value = fn()
    if value then return value end
    if support.now() > deadline then
      what = type(what) == "function" and what() or what
      error(("waited %d s in vain: %s"):format(PATIENCE, what))
    end
    coroutine.yield()
  end
end

local function open(point)
  used = used + 1
  local dir = support.tempdir()
  local self = setmetatable({ point = point, dir = dir, mark = dir .. "/mark", nodes = {} }, run)
  self.url = server.url .. "?db=" .. used
  self.redis = server:connect()
  self.redis:call("SELECT", tostring(used))
  self.tasks = support.write(dir .. "/tasks.lua", TASKS .. FLOWS)
  self.ids, self.kinds = {}, {}
  self.beat = point.scene == "beat" and support.write(dir .. "/beat.lua", BEAT) or nil
  return self
end

function run:call(command, key, ...)
  return assert(self.redis:call(command, "{moil}:" .. key, ...))
end

function run:enqueue(load)
  local moil = require "moil"
  moil.connect(self.url)
  for _, kinds in ipairs(LOADS[load]) do
    for _, kind in ipairs(kinds) do
      local id = ("%s-%d"):format(kind, #self.ids + 1)
      moil.send(kind, { id }, { id = id })
      self.ids[#self.ids + 1], self.kinds[id] = id, kind
    end
  end
end

-- `armed`: the node that dies at the point.
function run:node(armed)
  local point = self.point
  local node = support.start_moil {
    program = armed and CRASH or nil, redis = self.url, cwd = self.dir,
    env = armed and {
      MOIL_CRASH_AT = ("%s:%d:%s"):format(point.name, point.count, point.how),
      MOIL_CRASH_MARK = self.mark,
    },
    "worker", self.tasks, "-w", "1", "-c", "32", "--shutdown-timeout", "10",
    -- Two nodes that live must not take each other for gone, however slow the machine is.
    "--lease", point.scene == "late" and "5" or "1",
    self.beat and "--beat", self.beat,
  }
  self.nodes[#self.nodes + 1] = node
  return node
end

-- The pid of the process that came to the point, or nil.
function run:has_died()
  local f = io.open(self.mark)
  local pid = f and f:read("n")
  if f then f:close() end
  return pid
end

function run:notes()
  return site.notes(self)
end

-- The record of each job by now; nil: it is no more.
function run:records()
  local records = self:call("HMGET", "jobs", table.unpack(self.ids))
  local found = {}
  for i, id in ipairs(self.ids) do found[id] = records[i] or nil end
  return found
end

function run:report()
  local text = {}
  for _, node in ipairs(self.nodes) do text[#text + 1] = node:report() end
  return table.concat(text, "\n")
end

function run:await_ends()
  local waiting
  await(function() return "the end of " .. waiting .. "\n" .. self:report() end, function()
    local records = self:records()
    for _, id in ipairs(self.ids) do
      waiting = id
      if records[id] and records[id]:sub(1, 1) ~= "R" then return false end
    end
    return true
  end)
end

-- --- what must hold ------------------------------------------------------------------------------

function run:check_ends()
  local charged, lost = 0, self.point.name:find("^super") or self.point.scene == "evict"
  for id, record in pairs(self:records()) do
    local state, deliveries = record:match("^R1 (%S+) %S+ %d+ %d+ (%d+)")
    assert.equal(ENDS[self.kinds[id]] or "SUCCESS", state, id)
    if self.kinds[id] == "flow" then assert.equal("1200", record:match("\n(.*)$"), id) end
    if deliveries ~= "1" then
      local excused = lost or self.kinds[id] == "die" or self.point.charged
      assert.is_truthy(excused and deliveries == "2", id .. " was delivered " .. deliveries)
      charged = charged + 1
    end
  end
  if self.point.charged then assert.equal(1, charged, "jobs that are charged") end
end

-- Each end leaves its id in one place.
function run:check_places()
  local seen = {}
  for _, key in ipairs(self.redis:call("KEYS", "{moil}:expire:*")) do
    for _, id in ipairs(self.redis:call("LRANGE", key, "0", "-1")) do
      seen[id] = (seen[id] or 0) + 1
    end
  end
  for _, id in ipairs(self:call("ZRANGE", "dead", "0", "-1")) do seen[id] = (seen[id] or 0) + 1 end
  for _, id in ipairs(self.ids) do
    assert.equal(ENDS[self.kinds[id]] == false and 0 or 1, seen[id] or 0, "ends of " .. id)
  end
end

function run:check_runs()
  local first, runs = {}, {}
  for _, id in ipairs(self:notes()) do
    if not runs[id] and self.kinds[id] then first[#first + 1] = id end
    runs[id] = (runs[id] or 0) + 1
  end
  for _, id in ipairs(self.ids) do assert.is_truthy(runs[id], id .. " has never run") end
  if self.point.ordered then assert.same(self.ids, first) end
end

-- As the counters of its steps have it, each job is where it should be.
function run:check_counters()
  local audit = support.start_moil { "inspect", "audit", redis = self.url }
  await("the audit", function() return not audit:alive() end)
  assert.equal(0, audit.code, audit:report())
end

-- After the last node has left in good order.
function run:check_rest()
  for _, pattern in ipairs {
    "queue:*", "inflight:*", "recovering*", "delayed", "running", "workers", "deferred", "links*",
    "accepted:*", "advancing", "held", "faults",
  } do
    assert.same({}, self.redis:call("KEYS", "{moil}:" .. pattern), pattern)
  end
end

-- --- the scenes ----------------------------------------------------------------------------------

local function has_ended(node)
  return function() return not node:alive() end
end

function run:await_death()
  return await(function() return "a process that dies there\n" .. self:report() end,
    function() return self:has_died() end)
end

-- The jobs end on the armed node, or, where that one goes, on the next.
function run:heal(armed)
  local point = self.point
  self:await_death()
  local node = armed
  if point.signal or point.name:find("^super") then
    await("the end of the armed node", has_ended(armed))
    node = self:node(false)
  end
  self:await_ends()
  return node
end

function run:leave(node)
  await(function() return "a node that is ready\n" .. self:report() end, function()
    return node:stderr():find("ready: 1 worker", 1, true)
  end)
  await(function() return "its worker alone\n" .. self:report() end, function()
    return self:call("HLEN", "workers") == 1
  end)
  node:kill("TERM")
  await(function() return "the node's end\n" .. self:report() end, has_ended(node))
  assert.equal(0, node.code, node:report())
end

-- Declares the armed node's worker dead.
function run:condemn()
  local incarnation = self:call("HKEYS", "workers")[1]
  assert(self.redis:call("EVAL", support.script("condemn"), "1", "{moil}:", incarnation, "stop",
    "-", "{}"))
end

local scenes = {}

function scenes.node(self)
  self:enqueue(self.point.load)
  local armed = self:node(true)
  if self.point.signal then
    await("a job that runs", function() return #self:notes() > 0 or self:has_died() end)
    armed:kill(self.point.signal)
  end
  self:leave(self:heal(armed))
end

function scenes.evict(self)
  self:enqueue(self.point.load)
  local gone = self:node(false)
  await("jobs that run", function() return #self:notes() == #self.ids end)
  gone:kill("KILL")
  await("the end of the node", has_ended(gone))
  self:leave(self:heal(self:node(true)))
end

function scenes.fence(self)
  self:enqueue(self.point.load)
  local armed = self:node(true)
  await("jobs that run", function() return #self:notes() == #self.ids end)
  self:condemn()
  self:leave(self:heal(armed))
end

function scenes.late(self)
  self:enqueue(self.point.load)
  local armed = self:node(true)
  local pid = self:await_death()
  self:condemn()
  local node = self:node(false)
  self:await_ends()
  support.native.kill(pid, support.native.signals.CONT)
  await(function() return "a worker that is told\n" .. self:report() end, function()
    return armed:stderr():find("was declared dead while it lived", 1, true)
  end)
  armed:kill("TERM")
  await("the armed node's end", has_ended(armed))
  self:leave(node)
end

function scenes.client(self)
  local node = self:node(false)
  local function call(armed)
    local child = support.start_moil {
      program = armed and CRASH or nil, redis = self.url, cwd = self.dir,
      env = armed and { MOIL_CRASH_AT = self.point.name, MOIL_CRASH_MARK = self.mark },
      "call", "mark", "mark-1", "--id", "mark-1",
      self.point.waits and "--depends-on", self.point.waits and "mark-0",
    }
    await("the producer's end", has_ended(child))
    return child
  end
  if self.point.waits then
    require("moil").connect(self.url)
    require("moil").send("mark", { "mark-0" }, { id = "mark-0" })
    self.ids, self.kinds["mark-0"] = { "mark-0" }, "mark"
  end
  self.ids[#self.ids + 1], self.kinds["mark-1"] = "mark-1", "mark"
  assert.equal(9, call(true).signal)
  assert.is_truthy(self:has_died())
  assert.equal(0, call(false).code)
  self:await_ends()
  assert.same(self.ids, self:notes())
  self:leave(node)
end

function scenes.control(self)
  local node = self:node(true)
  local function tell(command)
    local child = support.start_moil { "control", command, redis = self.url }
    await("an answer, or its end", has_ended(child))
    return child.code == 0
  end
  await("its worker", function() return self:call("HLEN", "workers") == 1 end)
  tell("resume")
  self:await_death()
  await("an answer of the next agent", function() return tell("ping") end)
  self:enqueue(self.point.load)
  self:await_ends()
  self:leave(node)
end

-- The ticks of an entry go on where the scheduler died: each due time once, none left out.
function scenes.beat(self)
  local armed = self:node(true)
  self:await_death()
  local before = self:call("LLEN", "beat_history")
  await(function() return "more ticks\n" .. self:report() end, function()
    return self:call("LLEN", "beat_history") >= before + 10
  end)
  armed:kill("TERM")
  await(function() return "the node's end\n" .. self:report() end, has_ended(armed))
  local last
  for _, line in ipairs(self:call("LRANGE", "beat_history", "0", "-1")) do
    local due, id = line:match("^(%d+) %d+ (%S+) fired grid$")
    assert.equal(last and last - 100 or tonumber(due), tonumber(due), line)
    last = tonumber(due)
    table.insert(self.ids, 1, id)
    self.kinds[id] = "tock"
  end
  self.beat = nil
  local node = self:node(false) -- for what was enqueued last
  self:await_ends()
  self:leave(node)
end

-- --- all of them ---------------------------------------------------------------------------------

local function perform(point)
  local self = open(point)
  scenes[point.scene](self)
  self:check_ends()
  self:check_places()
  self:check_runs()
  self:check_rest()
  self:check_counters()
  self.redis:close()
end

-- Each run's error, for those that failed.
local function perform_all()
  local failures, going, next_one = {}, {}, 1
  repeat
    while #going < AT_ONCE and planned[next_one] do
      local point = planned[next_one]
      going[#going + 1] = { at = point, co = coroutine.create(function() perform(point) end) }
      next_one = next_one + 1
    end
    for i = #going, 1, -1 do
      local ok, err = coroutine.resume(going[i].co)
      if not ok then failures[going[i].at] = err end
      if coroutine.status(going[i].co) == "dead" then table.remove(going, i) end
    end
    support.native.poll({}, 0.005)
  until #going == 0
  return failures
end

local function names_in_sources()
  local names = {}
  local p = assert(io.popen("cat src/*/*.c"))
  for arguments in p:read("a"):gmatch("MOIL_CRASH_POINT[%u_]*(%b())") do
    local name = assert(arguments:match('"([%w_.]+)"%)$'), arguments)
    assert(not names[name], name .. " is there twice")
    names[name] = true
  end
  p:close()
  return names
end

describe("a process that dies", function()
  local failures

  setup(function()
    server = support.redis { config = { databases = #planned + 1 } }
    failures = perform_all()
  end)

  it("has a run for each crash point of the sources", function()
    local known = {}
    for _, point in ipairs(planned) do known[point.name] = true end
    assert.same(names_in_sources(), known)
  end)

  for _, point in ipairs(planned) do
    local title = ("at %s (%s) loses nothing"):format(point.name, point.scene)
    it(title, function()
      local err = failures[point]
      if err then error(type(err) == "table" and err.message or err, 0) end
    end)
  end
end)

local history = require "spec.support.ticks"
local site = require "spec.support.site"
local support = require "spec.support"

local ticks <const>, assert_grid <const> = history.of, history.assert_grid

-- Several schedulers of the same entries, while they die, reload, and their clocks are set, and
-- while Redis forgets its scripts or is full: each due time happens once.

local BY <const> = 60

local TASKS <const> = site.NOTE .. [[
moil.task("tick", { bind = true, ignore_result = true }, function(self) note(self.id) end)
]]

local function open(schedule, redis)
  local here = site.open { tasks = TASKS, idle = true, redis = redis }
  support.write(here.dir .. "/beat.lua", "return { schedule = {\n" .. schedule .. "} }\n")
  return here
end

local function scheduler(here, env)
  local node = support.start_moil {
    "beat", here.dir .. "/beat.lua", redis = here.url, cwd = here.dir, env = env,
  }
  node:read_until("ready: the schedule alone", BY)
  return node
end

local function stop(node)
  node:kill("TERM")
  assert.equal(0, (node:wait(BY)), node:report())
end

local function wait_ticks(here, entry, count)
  return history.wait(here, entry, count, BY)
end

-- Each id of the ticks has run, and none twice.
local function assert_runs(here, found)
  local runs
  support.wait_until(function()
    runs = {}
    for _, id in ipairs(here:notes()) do runs[id] = (runs[id] or 0) + 1 end
    for _, tick in ipairs(found) do if not runs[tick.id] then return false end end
    return true
  end, BY, "the jobs of all ticks")
  for id, count in pairs(runs) do assert.equal(1, count, id) end
end

-- The supervisor's oldest child; nil: it is being replaced.
local function agent_of(node)
  local f = assert(io.open(("/proc/%d/task/%d/children"):format(node.pid, node.pid)))
  local pid = f:read("n")
  f:close()
  return pid
end

describe("schedulers", function()
  it("fire each due time once while their agents die and reload", function()
    local here = open [[
      grid = { task = "tick", every = 0.05, catch_up = "all" },
      second = { task = "tick", cron = "* * * * * *", catch_up = "all" },
    ]]
    local nodes = { scheduler(here), scheduler(here), scheduler(here) }
    local worker = here:worker { "-w", "1" }
    local kills, reloads, count = 0, 0, 0
    for round = 1, 20 do
      count = count + 15
      wait_ticks(here, "grid", count)
      local pid = agent_of(nodes[round % 3 + 1])
      if pid and round % 2 == 0 then
        support.native.kill(pid, support.native.signals.KILL)
        kills = kills + 1
      else
        nodes[round % 3 + 1]:kill("HUP")
        reloads = reloads + 1
      end
    end
    local found = wait_ticks(here, "grid", count + 20)
    assert.is_true(kills > 5 and reloads > 5)
    assert_grid(found, 50)
    assert_grid(ticks(here, "second"), 1000)
    for _, node in ipairs(nodes) do stop(node) end
    assert_runs(here, ticks(here, "grid"))
    assert_runs(here, ticks(here, "second"))
    stop(worker)
  end)

  it("go on where one was killed with all that was its own", function()
    local here = open [[ grid = { task = "tick", every = 0.1, catch_up = "all" }, ]]
    for round = 1, 3 do
      local node = scheduler(here)
      wait_ticks(here, "grid", round * 10)
      node:kill("KILL")
      node:wait(BY)
    end
    local node = scheduler(here)
    assert_grid(wait_ticks(here, "grid", 50), 100)
    stop(node)
  end)

  it("run an entry at the times of either's file while these differ", function()
    local here = open [[ both = { task = "tick", every = 0.5 }, ]]
    local one = scheduler(here)
    wait_ticks(here, "both", 2)
    support.write(here.dir .. "/beat.lua", [[return { schedule = {
      both = { task = "tick", every = 0.5, start = "2020-01-01T00:00:00.25Z" },
    } }]])
    local other = scheduler(here)
    local halves = {}
    wait_ticks(here, "both", #ticks(here, "both") + 8)
    for _, tick in ipairs(ticks(here, "both")) do halves[tick.due % 500] = true end
    assert.same({ [0] = true, [250] = true }, halves)
    one:read_until('beat entry "both": another scheduler\'s file has other times', BY)
    stop(one)
    stop(other)
  end)

  it("begin again when Redis has forgotten its scripts, or was away", function()
    local here = open [[ grid = { task = "tick", every = 0.1, catch_up = "all" }, ]]
    local node = scheduler(here)
    wait_ticks(here, "grid", 5)
    here.redis:call("SCRIPT", "FLUSH")
    wait_ticks(here, "grid", 10)
    here.redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert_grid(wait_ticks(here, "grid", 30), 100)
    stop(node)
  end)

  it("wait while Redis is full, and say so", function()
    local here = open [[ grid = { task = "tick", every = 0.1 }, ]]
    local node = scheduler(here)
    wait_ticks(here, "grid", 3)
    here.redis:call("CONFIG", "SET", "maxmemory", "1")
    node:read_until('beat entry "grid" waits, as Redis refuses its tick: OOM', BY)
    local count = #ticks(here, "grid")
    here.redis:call("CONFIG", "SET", "maxmemory", "0")
    local found = wait_ticks(here, "grid", count + 3)
    assert.equal(100, found[#found].due - found[#found - 1].due)
    stop(node)
  end)
end)

-- A sanitizer's runtime must come first.
local RUNTIME <const> = os.getenv "MOIL_SPEC_PRELOAD"
local SHIM <const> = (RUNTIME and RUNTIME .. ":" or "") .. support.build .. "/spec/wall_shim.so"

-- A file for the shim, and what sets it.
local function wall(dir)
  local path = dir .. "/wall"
  support.write(path, string.pack("i8", 0))
  return path, function(seconds)
    local f <close> = assert(io.open(path, "r+b")) -- in place: it is mapped
    f:write(string.pack("i8", math.tointeger(seconds * 1000000)))
  end
end

describe("a scheduler whose Redis sets its clock back", function()
  it("goes on from the time that it is then", function()
    local path, set = wall(support.tempdir())
    local here = open([[ grid = { task = "tick", every = 0.2 }, ]],
      support.redis { env = { LD_PRELOAD = SHIM, MOIL_SPEC_WALL = path } })
    local node = scheduler(here)
    local found = wait_ticks(here, "grid", 3)
    set(-600)
    local last = found[#found].due
    support.wait_until(function()
      found = ticks(here, "grid")
      return #found > 8 and found[#found].due < last
    end, BY, "ticks after the step")
    node:read_until("Redis's clock was set back by %d+ s", BY)
    stop(node)
  end)
end)

describe("a client whose wall clock is ahead", function()
  it("repeats a job from the time that Redis tells", function()
    local here = open [[ grid = { task = "tick", every = 3600 }, ]]
    local path, set = wall(here.dir)
    set(7200)
    local node = scheduler(here)
    local call = support.start_moil {
      "call", "tick", "--repeat", "2", "--interval", "0.2", "--countdown", "0.1", "--id", "twice",
      redis = here.url, env = { LD_PRELOAD = SHIM, MOIL_SPEC_WALL = path },
    }
    assert.equal(0, (call:wait(BY)), call:report())
    assert_grid(wait_ticks(here, "twice", 2), 200)
    stop(node)
  end)
end)

describe("a scheduler whose wall clock is set", function()
  local function open_clock()
    local here = open [[
      grid = { task = "tick", every = 0.1, catch_up = "all" },
      rare = { task = "tick", every = 2, catch_up = "all" },
    ]]
    local path, set = wall(here.dir)
    local node = scheduler(here, { LD_PRELOAD = SHIM, MOIL_SPEC_WALL = path })
    return here, node, set
  end

  it("goes on as if nothing were, whichever way it jumps", function()
    local here, node, set = open_clock()
    local count = 0
    for _, seconds in ipairs { 3600, -3600, 86400 * 365, -86400 * 365, 0, 1.5, 0, -1.5, 0 } do
      count = count + 3
      wait_ticks(here, "grid", count)
      set(seconds)
    end
    set(-7200)
    wait_ticks(here, "rare", #ticks(here, "rare") + 1)
    assert_grid(wait_ticks(here, "grid", #ticks(here, "grid") + 3), 100)
    assert_grid(ticks(here, "rare"), 2000)
    set(-86400 * 3650) -- and its log shows that the clock is the process's own
    node:kill("USR1")
    node:read_until(os.date("!%Y", os.time() - 86400 * 3650) .. "%-[^\n]* state: running", BY)
    stop(node)
  end)

  it("is not thrown off by a step too small for libev", function()
    local here, node, set = open_clock()
    local late = {}
    wait_ticks(here, "grid", 3)
    for i = 1, 7 do
      local before = #ticks(here, "grid")
      set(-0.9 * i)
      local found = wait_ticks(here, "grid", before + 12)
      late[i] = 0
      for k = before + 1, before + 12 do
        late[i] = math.max(late[i], found[k].fired - found[k].due)
      end
    end
    table.sort(late) -- a machine that stands still at times is not what is looked for
    assert.is_true(late[4] < 450, ("%d ms late as a rule"):format(late[4]))
    assert_grid(ticks(here, "grid"), 100)
    stop(node)
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- A shutdown loses nothing, wherever it is cut off: nodes are told to stop while they work, and one
-- of their processes is killed a moment later. MOIL_SEED=N draws other moments. The task "shell"
-- sleeps in a call of C on purpose: a worker is to be met there, too.

local ROUNDS <const> = 9
local JOBS <const> = 300 -- a round
local PATIENCE <const> = 60
local SEED <const> = tonumber(os.getenv("MOIL_SEED") or "") or 1

local TASKS <const> = [[
local moil = require "moil"
local function ran(id)
  local f = assert(io.open("ran", "a"))
  f:write(id, "\n")
  f:close()
end
moil.task("quick", { bind = true }, function(self) ran(self.id) end)
moil.task("nap", { bind = true }, function(self)
  ran(self.id)
  moil.sleep(0.05)
end)
moil.task("shell", { bind = true }, function(self)
  ran(self.id)
  os.execute("sleep 0.02")
end)
]]

local function calls_of_a_round()
  local calls = {}
  for i = 1, JOBS do
    local task = i % 50 == 0 and "shell" or i % 2 == 0 and "nap" or "quick"
    calls[i] = require "moil".signature(task, {})
  end
  return calls
end

local function ids_that_ran(here)
  local counts = {}
  for line in io.lines(here.dir .. "/ran") do counts[line] = (counts[line] or 0) + 1 end
  return counts
end

-- Stops a node that works, kills one of its processes a moment later, and waits for all their ends.
local function cut_off(here, victim, delay, timeout)
  local node = here:worker { "-w", "2", "-c", "4", "--lease", "1", "--shutdown-timeout", timeout }
  local pids = site.pids(node)
  pids.supervisor = node.pid
  node:kill("TERM")
  support.native.poll({}, delay)
  support.native.kill(pids[victim], support.native.signals.KILL)
  local code, signal = node:wait(PATIENCE)
  for name, pid in pairs(pids) do
    support.wait_until(function() return not site.lives(pid) end, PATIENCE, "the end of " .. name)
  end
  assert.is_true(code == 0 or victim == "supervisor" and signal == 9)
end

describe("a shutdown that is cut off", function()
  it("loses no job, and ends none twice (seed " .. SEED .. ")", function()
    math.randomseed(SEED)
    local here = site.open { tasks = TASKS, idle = true }
    local results = {}
    for round = 1, ROUNDS do
      local new = here.moil.enqueue_many(calls_of_a_round())
      table.move(new, 1, #new, #results + 1, results)
      cut_off(here, ({ "supervisor", "worker 1", "agent" })[round % 3 + 1], math.random() * 0.08,
        math.random() < 0.5 and "0.1" or "25")
    end
    local node = here:worker { "-w", "2", "-c", "16", "--lease", "1" }
    for _, r in ipairs(results) do r:get { timeout = PATIENCE } end
    local counts = ids_that_ran(here)
    for _, r in ipairs(results) do
      assert.equal("SUCCESS", r:state())
      assert.is_true((counts[r.id] or 0) >= 1, r.id .. " never ran")
    end
    assert.equal(0, node:stop(PATIENCE))
    assert.equal(0, here.redis:call("EXISTS", "{moil}:workers", "{moil}:recovering",
      "{moil}:running", "{moil}:dead", "{moil}:queue:default:5"))
    assert.equal(0, support.moil({ "inspect", "audit", redis = here.redis }).code)
  end)
end)

-- How soon the jobs of the dead run again: of a worker killed with -9 while its supervisor lives,
-- and of a whole node, with the default lease.
local figures = require "bench.faults.figures"
local native = require "native"
local site = require "spec.support.site"

local LEASE <const> = 15 -- seconds, the default
local RUNNING <const> = 16

local TASKS <const> = [[
local moil = require "moil"
moil.task("recovery.nap", function() moil.sleep(2) end)
]]

-- Seconds since the epoch, by the clock that the records' times are of: the machine's.
local function now(world)
  local time = world.redis:call("TIME")
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

-- Jobs that run, all of them.
local function start_jobs(world)
  local results = {}
  for i = 1, RUNNING do results[i] = world.moil.send("recovery.nap") end
  for _, result in ipairs(results) do world:wait_state(result.id, "STARTED", 30) end
  return results
end

-- Seconds from `at` to the second start of each job.
local function restarts(results, at)
  local seconds = {}
  for _, info in ipairs(figures.infos(results, 120)) do
    assert(info.state == "SUCCESS" and info.started_at > at, "a job was not run again")
    seconds[#seconds + 1] = info.started_at - at
  end
  return seconds
end

local function worker_killed(world)
  local jobs = start_jobs(world)
  local pid = site.pids(world.node)["worker 1"]
  local at = now(world)
  native.kill(pid, native.signals.KILL)
  return restarts(jobs, at)
end

local function node_killed(world)
  local jobs = start_jobs(world)
  local second = world:worker { "-w", "1", "--name", "second" }
  local at = now(world)
  world.node:kill("KILL")
  local seconds = restarts(jobs, at)
  second:stop()
  return seconds
end

local recovery = { name = "recovery" }

function recovery.run()
  local world = site.open { tasks = TASKS, args = { "-w", "1", "--name", "first" } }
  local worker, node = worker_killed(world), node_killed(world)
  world.redis:stop()
  return {
    { what = "worker killed with -9: its 16 jobs run again after", unit = "s", digits = 3,
      value = figures.percentile(worker, 100), side = "<", bound = 1 },
    { what = "node killed with -9 (lease 15 s): after", unit = "s", digits = 1,
      value = figures.percentile(node, 100), side = "<", bound = 2 * LEASE },
  }
end

return recovery

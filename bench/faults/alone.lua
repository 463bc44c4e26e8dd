-- A job of some seconds on the CPU, alone on its worker, with soft and hard limits set: what slices
-- and limits cost it against the same function in a bare Lua state. CPU time of both, in turns.
local figures = require "bench.faults.figures"
local site = require "spec.support.site"
local support = require "spec.support"

-- Returns its seconds of CPU.
local WORK <const> = [[
local function work(rounds)
  local from = os.clock()
  local sum, t = 0, {}
  for i = 1, rounds do
    t[i % 64] = (i * 7919) % 1000
    if t[i % 64] > 500 then sum = sum + #tostring(i) else sum = sum - 1 end
  end
  return os.clock() - from
end
]]

local TASKS <const> = "local moil = require 'moil'\n" .. WORK .. [[
moil.task("alone.work", { soft_time_limit = 600, time_limit = 900 }, work)
]]

local function bare(rounds)
  local source = WORK .. ("return work(%d)"):format(rounds)
  local child = support.spawn { support.build .. "/bench/bare", source }
  child:wait(600)
  return assert(tonumber(child:stdout()), child:stderr())
end

local alone = { name = "alone" }

function alone.run(options)
  local world = site.open { tasks = TASKS, args = { "-w", "1" } }
  local rounds = math.floor((options.quick and 2 or 10) / bare(5000000) * 5000000)
  local here, there = {}, {}
  for i = 1, options.quick and 3 or 5 do
    here[i] = bare(rounds)
    there[i] = world.moil.send("alone.work", { rounds }):get { timeout = 600 }
  end
  world.node:stop()
  world.redis:stop()
  local plain, limited = figures.percentile(here, 50), figures.percentile(there, 50)
  return {
    { what = "a job on the CPU, bare Lua, median", value = plain, unit = "s", digits = 2 },
    { what = "  with both limits, in a worker", value = limited, unit = "s", digits = 2 },
    { what = "  slower by", value = (limited / plain - 1) * 100, unit = "%", digits = 2, side = "<",
      bound = 2 },
    { what = "  best runs: slower by", unit = "%", digits = 2,
      value = (figures.percentile(there, 0) / figures.percentile(here, 0) - 1) * 100 },
  }
end

return alone

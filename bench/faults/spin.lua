-- A job that spins in `pcall` until its time limit, beside 1,000 jobs of the same worker that sleep
-- and a stream of short ones: when the spinning one ends, and how late the others get.
local figures = require "bench.faults.figures"
local site = require "spec.support.site"
local support = require "spec.support"

local LIMIT <const> = 3 -- seconds
local SIBLINGS <const> = 1000

local TASKS <const> = [[
local moil = require "moil"
local function spin() while true do pcall(error) end end
moil.task("spin.plain", { time_limit = 3 }, spin)
moil.task("spin.coroutine", { time_limit = 3 }, function() coroutine.wrap(spin)() end)
moil.task("spin.nap", function(seconds) moil.sleep(seconds) end)
moil.task("spin.noop", function() end)
]]

local function naps(moil)
  local nap, signatures, seconds = "spin.nap", {}, {}
  for i = 1, SIBLINGS do
    seconds[i] = 0.1 + (LIMIT - 0.6) * i / SIBLINGS
    signatures[i] = moil.signature(nap, { seconds[i] })
  end
  return moil.enqueue_many(signatures), seconds
end

-- One no-op after the other until the spinning job has ended -> the results.
local function stream(moil, spinning)
  local sent = {}
  repeat
    sent[#sent + 1] = moil.send("spin.noop")
    sent[#sent]:get { timeout = 60 }
    support.native.poll({}, 0.005)
  until spinning:ready()
  return sent
end

local function one(world, task, title)
  local moil = world.moil
  local spinning = moil.send(task)
  world:wait_state(spinning.id, "STARTED", 30)
  local sleepers, seconds = naps(moil)
  local noops = stream(moil, spinning)
  local info = figures.infos({ spinning }, 60)[1]
  assert(info.error.code == "TimeLimitExceeded", "the spinning job ended as " .. info.state)
  local late = {}
  for i, nap in ipairs(figures.infos(sleepers, 60)) do
    late[i] = (nap.finished_at - nap.started_at - seconds[i]) * 1000
  end
  local short = figures.ms(figures.infos(noops, 60),
    function(job) return job.finished_at - job.enqueued_at end)
  local over = (info.finished_at - info.started_at - LIMIT) * 1000
  return {
    { what = title .. ": past its limit", value = over, unit = "ms", side = "<", bound = 100 },
    { what = "  1,000 sleeping siblings: too late, p99", value = figures.percentile(late, 99),
      unit = "ms", digits = 1, side = "<", bound = 50 },
    { what = "  the latest of them", value = figures.percentile(late, 100), unit = "ms",
      digits = 1 },
    { what = ("  %d short siblings: submit to end, p99"):format(#short), unit = "ms", digits = 1,
      value = figures.percentile(short, 99), side = "<", bound = 50 },
  }
end

local spin = { name = "spin" }

function spin.run()
  local world = site.open { tasks = TASKS, args = { "-w", "1", "-c", tostring(SIBLINGS + 10) } }
  local rows = one(world, "spin.plain", "pcall(error) for ever")
  table.move(one(world, "spin.coroutine", "the same in a coroutine"), 1, 4, #rows + 1, rows)
  world.node:stop()
  world.redis:stop()
  return rows
end

return spin

-- A job that would build a table of 10 GB under a memory limit, beside a stream of short jobs on
-- the same worker: what the worker's memory comes to, and how late the others get.
local figures = require "bench.faults.figures"
local site = require "spec.support.site"
local support = require "spec.support"

local LIMIT_MB <const> = 512

local TASKS <const> = ([[
local moil = require "moil"
moil.task("hog.build", { memory_limit = %d, time_limit = 300 }, function()
  local t = {}
  for i = 1, 10 * 1000 * 1000 do
    t[i] = ("%%01000d"):format(i)
  end
  return #t
end)
moil.task("hog.noop", function() end)
]]):format(LIMIT_MB)

-- No-ops, one each 5 ms or as soon as the one before has ended, until the large one has; and the
-- worker's memory meanwhile.
local function stream(world, hog, pid)
  local sent, peak = {}, 0
  repeat
    sent[#sent + 1] = world.moil.send("hog.noop")
    sent[#sent]:get { timeout = 60 }
    peak = math.max(peak, figures.memory(pid, "VmRSS") or 0)
    support.native.poll({}, 0.005)
  until hog:ready()
  return sent, peak
end

local hog = { name = "hog" }

function hog.run()
  local world = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8" } }
  local pid = site.pids(world.node)["worker 1"]
  world.moil.send("hog.noop"):get { timeout = 30 }
  local before = figures.memory(pid, "VmRSS")
  local job = world.moil.send("hog.build")
  world:wait_state(job.id, "STARTED", 30)
  local sent, peak = stream(world, job, pid)
  local info = figures.infos({ job }, 60)[1]
  assert(info.state == "FAILURE" and info.error.code == "MemoryLimitExceeded",
    "the large job ended as " .. info.state)
  local late = figures.ms(figures.infos(sent, 60),
    function(noop) return noop.finished_at - noop.enqueued_at end)
  world.node:stop()
  world.redis:stop()
  return {
    { what = ("a 10 GB table under memory_limit %d: fails after"):format(LIMIT_MB), digits = 2,
      value = info.finished_at - info.started_at, unit = "s" },
    { what = "  the worker's memory, of the limit", value = (peak - before) / (LIMIT_MB << 20),
      unit = "x", digits = 3, side = "<", bound = 1.1 },
    { what = ("  %d short siblings: submit to end, p50"):format(#late), unit = "ms", digits = 1,
      value = figures.percentile(late, 50) },
    { what = "  p99", unit = "ms", digits = 1, value = figures.percentile(late, 99), side = "<",
      bound = 250 },
    { what = "  the slowest", unit = "ms", digits = 1, value = figures.percentile(late, 100) },
  }
end

return hog

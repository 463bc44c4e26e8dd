-- A job that would build a table of 10 GB under a memory limit, beside a stream of short jobs on
-- the same worker: what the worker's memory comes to, and how late the others get.
local figures = require "bench.faults.figures"
local site = require "spec.support.site"
local support = require "spec.support"

local LIMIT_MB <const> = 512
local ROUNDS <const> = 5
local EVERY <const> = 0.005 -- seconds between two short jobs

local TASKS <const> = ([[
local moil = require "moil"
local function large(name, make)
  moil.task("hog." .. name, { memory_limit = %d, time_limit = 300 }, function()
    local t = {}
    for i = 1, 1000 * 1000 * 1000 do t[i] = make(i) end
    return #t
  end)
end
large("tables", function(i) return { i, i } end)
large("strings", function(i) return ("x"):rep(1000) .. i end)
large("integers", function(i) return i end)
moil.task("hog.noop", function() end)
]]):format(LIMIT_MB)

-- No-ops, one each 5 ms whether or not the ones before have ended, until the large job has; and the
-- worker's memory meanwhile.
local function stream(world, hog, pid)
  local from, sent, peak = support.now(), {}, 0
  while not hog:ready() do
    sent[#sent + 1] = world.moil.send("hog.noop")
    peak = math.max(peak, figures.memory(pid, "VmRSS") or 0)
    support.native.poll({}, math.max(0, from + #sent * EVERY - support.now()))
  end
  return sent, peak
end

-- One large job of a kind -> how long it lasted, the worker's peak, and its neighbours' latencies.
local function one(world, pid, kind, late)
  local job = world.moil.send("hog." .. kind)
  local sent, peak = stream(world, job, pid)
  local info = figures.infos({ job }, 60)[1]
  assert(info.state == "FAILURE" and info.error.code == "MemoryLimitExceeded",
    "the large job ended as " .. info.state .. ": " .. tostring((info.error or {}).message))
  for _, noop in ipairs(figures.infos(sent, 60)) do
    late[#late + 1] = (noop.finished_at - noop.enqueued_at) * 1000
  end
  return info.finished_at - info.started_at, peak
end

local function rows_of(world, kind, title)
  local pid = site.pids(world.node)["worker 1"]
  world.moil.send("hog.noop"):get { timeout = 30 }
  local before, late, seconds, peak = figures.memory(pid, "VmRSS"), {}, {}, 0
  for i = 1, ROUNDS do
    local took, high = one(world, pid, kind, late)
    seconds[i], peak = took, math.max(peak, high)
  end
  return {
    { what = title .. (", memory_limit %d: fails after"):format(LIMIT_MB), digits = 2,
      value = figures.percentile(seconds, 50), unit = "s" },
    { what = "  the worker's memory, of the limit", value = (peak - before) / (LIMIT_MB << 20),
      unit = "x", digits = 3, side = "<", bound = 1.1 },
    { what = ("  %d short siblings: submit to end, p50"):format(#late), unit = "ms", digits = 1,
      value = figures.percentile(late, 50) },
    { what = "  p99", unit = "ms", digits = 1, value = figures.percentile(late, 99), side = "<",
      bound = 250 },
    { what = "  the slowest", unit = "ms", digits = 1, value = figures.percentile(late, 100) },
  }
end

local hog = { name = "hog" }

function hog.run()
  local rows = {}
  for _, kind in ipairs { { "tables", "a 10 GB table of tables" },
    { "strings", "of strings of 1 KB" }, { "integers", "of integers" } } do
    local world = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8" } }
    table.move(rows_of(world, kind[1], kind[2]), 1, 5, #rows + 1, rows)
    world.node:stop()
    world.redis:stop()
  end
  return rows
end

return hog

-- Jobs with a time to come: how fast they go in, how late they start while a million others wait,
-- and how fast a queue drains where very many are due at the same second. bench/delays.c measures.
local world = require "bench.workflows.world"

local delays = { name = "delays" }

local function insert_rate(kind, jobs)
  local w = world.open()
  local rate = w:program("delays", "insert", tostring(jobs), kind).rate
  w:close()
  return rate
end

local function lateness(jobs, seconds)
  local w = world.open(2)
  w:program("delays", "insert", tostring(jobs), "delayed")
  local late = w:program("delays", "late", "100", tostring(seconds))
  w:close()
  return late
end

local function drain_rates(jobs, turns)
  local w = world.open(2)
  local rates = world.repeated(turns, function()
    local plain = w:program("delays", "drain", tostring(jobs), "plain").rate
    w.redis:call("DEL", "{moil}:jobs")
    local due = w:program("delays", "drain", tostring(jobs), "due").rate
    w.redis:call("DEL", "{moil}:jobs")
    return { plain = plain, due = due, ratio = due / plain }
  end)
  w:close()
  return rates
end

function delays.run(options)
  local jobs, turns = options.quick and 200000 or 1000000, options.quick and 3 or 5
  local inserts = world.repeated(options.quick and 1 or 3, function()
    local plain, delayed = insert_rate("plain", jobs), insert_rate("delayed", jobs)
    return { plain = plain, delayed = delayed, ratio = delayed / plain }
  end)
  local late = lateness(jobs, options.quick and 5 or 20)
  local drains = drain_rates(100000, turns)
  local many = ("%d jobs"):format(jobs)
  return {
    { what = many .. " in, 1,000 a call", value = inserts.plain, unit = "jobs/s" },
    { what = "  each due at a time of its own", value = inserts.delayed, unit = "jobs/s" },
    { what = "  of the plain rate", value = inserts.ratio, unit = "x", digits = 2, side = ">",
      bound = 0.25 },
    { what = many .. " wait: others start late, p50", value = late.p50, unit = "ms", digits = 2 },
    { what = "  p99", value = late.p99, unit = "ms", digits = 2, side = "<", bound = 20 },
    { what = "  the latest", value = late.max, unit = "ms", digits = 2 },
    { what = "100,000 in a queue that is resumed, 2 workers", value = drains.plain,
      unit = "jobs/s" },
    { what = "  all due at the same second", value = drains.due, unit = "jobs/s" },
    { what = "  of the plain rate", value = drains.ratio, unit = "x", digits = 2, side = ">",
      bound = 0.75 },
  }
end

return delays

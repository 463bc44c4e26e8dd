-- Whether a worker's memory stays as it is: after 20,000 jobs and after 2,000,000; and what Redis
-- holds when all results have expired.
local feed = require "bench.faults.feed"
local figures = require "bench.faults.figures"
local site = require "spec.support.site"
local support = require "spec.support"

local TASKS <const> = [[
local moil = require "moil"
moil.task("flat.work", function()
  return { n = 1, text = "a result of some bytes" }
end)
]]

local STEP <const> = 100000
local LASTING <const> = { -- the keys that are there while nothing is
  "jobs", "queues", "workers", "nodes", "leases", "expiries", "tick", "wake:default",
  "counters:default",
}

local function run_jobs(redis, n)
  for _ = 1, n // math.min(n, STEP) do
    local step = math.min(n, STEP)
    local before = redis:call("HLEN", "{moil}:jobs")
    assert(before >= 0)
    feed.fill(redis, step, "flat.work")
    support.wait_until(function()
      return feed.pending(redis) == 0 and redis:call("EVAL", [[
        local n = 0
        for _, key in ipairs(redis.call("KEYS", "{moil}:inflight:*")) do
          n = n + redis.call("SCARD", key)
        end
        return n]], "0") == 0
    end, 120, "the jobs are done")
  end
end

-- The names of keys that should not be left.
local function left_over(redis)
  local found = {}
  for _, key in ipairs(redis:call("KEYS", "*")) do
    local known = false
    for _, name in ipairs(LASTING) do known = known or key == "{moil}:" .. name end
    if not known then found[#found + 1] = key end
  end
  return found
end

local flat = { name = "flat" }

function flat.run(options)
  local many = options.quick and 400000 or 2000000
  local world = site.open { tasks = TASKS, args = { "-w", "1", "--result-ttl", "1" } }
  local pid = site.pids(world.node)["worker 1"]
  run_jobs(world.redis, 20000)
  local first = figures.memory(pid, "VmRSS")
  run_jobs(world.redis, many - 20000 - (many - 20000) % STEP)
  local last = figures.memory(pid, "VmRSS")
  support.wait_until(function() return world.redis:call("HLEN", "{moil}:jobs") == 0 end, 200,
    function() return world.redis:call("HLEN", "{moil}:jobs") .. " records: all results expire" end)
  local keys = left_over(world.redis)
  world.node:stop()
  world.redis:stop()
  return {
    { what = "a worker's memory after 20,000 jobs", value = first / 1e6, unit = "MB", digits = 2 },
    { what = ("  after %d more: times that"):format(many - 20000), value = last / first, unit = "x",
      digits = 3, side = "<", bound = 1.1 },
    { what = "  keys left in Redis when all results have expired: " .. table.concat(keys, " "),
      value = #keys, side = "<", bound = 0 },
  }
end

return flat

-- 100 chains of 100 links at once beside as many plain jobs; and a lone chain: what one of its links
-- costs in time and round trips.
local support = require "spec.support"
local world = require "bench.workflows.world"

local CHAINS <const>, LINKS <const> = 100, 100

local chains = { name = "chains" }

local function chain_of(moil, links)
  local steps = {}
  for i = 1, links do steps[i] = moil.signature("bench.noop") end
  return moil.chain(steps)
end

local function many(w)
  local jobs = CHAINS * LINKS
  return jobs / w:drain(jobs, function()
    for _ = 1, CHAINS do chain_of(w.moil, LINKS):apply_async() end
  end)
end

-- Round trips are what the workers ask for; each is a script or a BLPOP.
local function lone(w, links)
  local chain = chain_of(w.moil, links)
  local before = w:calls "evalsha" + w:calls "blpop"
  local from = support.now()
  chain:apply_async():get { timeout = 60 }
  local seconds = support.now() - from
  return {
    us = seconds / links * 1e6,
    trips = (w:calls "evalsha" + w:calls "blpop" - before) / links,
  }
end

function chains.run(options)
  local w, turns = world.open(2), options.quick and 3 or 7
  w:plain(CHAINS * LINKS)
  local rates = world.repeated(turns, function()
    local most, few, rate = w:plain(100000), w:plain(CHAINS * LINKS), many(w)
    w.redis:call("DEL", "{moil}:jobs")
    return { plain = most, few = few, chains = rate, ratio = rate / most, few_ratio = rate / few }
  end)
  local link = world.repeated(turns, function() return lone(w, 1000) end)
  w:close()
  return {
    { what = "100,000 plain jobs, 2 workers", value = rates.plain, unit = "jobs/s" },
    { what = "10,000", value = rates.few, unit = "jobs/s" },
    { what = "100 chains of 100 links", value = rates.chains, unit = "jobs/s" },
    { what = "  of the rate of 100,000", value = rates.ratio, unit = "x", digits = 2, side = ">",
      bound = 0.5 },
    { what = "  of the rate of 10,000", value = rates.few_ratio, unit = "x", digits = 2 },
    { what = "a link of a lone chain", value = link.us, unit = "us" },
    { what = "  round trips", value = link.trips, digits = 2, side = "<", bound = 3 },
  }
end

return chains

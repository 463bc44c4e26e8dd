-- 100 chains of 100 links at once beside as many plain jobs; and a lone chain: what a link of that
-- costs in time and round trips.
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

-- Seconds and commands from its first job's start to its end. Commands are what came from outside:
-- scripts and BLPOPs.
local function walk(w, links)
  local before
  local seconds = w:drain(links, function()
    chain_of(w.moil, links):apply_async()
    before = w:calls "evalsha" + w:calls "blpop"
  end)
  return seconds, w:calls "evalsha" + w:calls "blpop" - before
end

-- What the links of a long chain cost beyond those of a short one. A tenth of a round trip is what
-- agents may do meanwhile.
local function lone(w, links)
  local short_s, short = walk(w, links)
  local long_s, long = walk(w, 5 * links)
  return {
    us = (long_s - short_s) / (4 * links) * 1e6,
    trips = math.floor((long - short) / (4 * links) * 10 + 0.5) / 10,
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
  local link = world.repeated(turns, function() return lone(w, 200) end)
  w:close()
  return {
    { what = "100,000 plain jobs, 2 workers", value = rates.plain, unit = "jobs/s" },
    { what = "10,000", value = rates.few, unit = "jobs/s" },
    { what = "100 chains of 100 links", value = rates.chains, unit = "jobs/s" },
    { what = "  of the rate of 100,000", value = rates.ratio, unit = "x", digits = 2, side = ">",
      bound = 0.5 },
    { what = "  of the rate of 10,000", value = rates.few_ratio, unit = "x", digits = 2 },
    { what = "a link of a lone chain", value = link.us, unit = "us" },
    { what = "  round trips", value = link.trips, digits = 1, side = "<", bound = 3 },
  }
end

return chains

-- A chord of 10,000 members, from the moment when they may start to the end of its body, beside as
-- many plain jobs.
local world = require "bench.workflows.world"

local MEMBERS <const> = 10000

local chord = { name = "chord" }

local function one(w)
  local members, submitted = {}, nil
  for i = 1, MEMBERS do members[i] = w.moil.signature("bench.noop") end
  local signature = w.moil.chord(members, w.moil.signature "bench.count")
  local seconds = w:drain(MEMBERS + 2, function() submitted = signature:apply_async() end)
  assert(submitted:get { timeout = 10 } == MEMBERS, "the body has not seen all results")
  return MEMBERS / seconds
end

function chord.run(options)
  local w = world.open(2)
  w:plain(MEMBERS)
  local rates = world.repeated(options.quick and 3 or 7, function()
    local many, few = w:plain(100000), w:plain(MEMBERS)
    local rate = one(w)
    w.redis:call("DEL", "{moil}:jobs")
    return { many = many, few = few, chord = rate, ratio = rate / many, few_ratio = rate / few }
  end)
  w:close()
  return {
    { what = "100,000 plain jobs, 2 workers", value = rates.many, unit = "jobs/s" },
    { what = "10,000", value = rates.few, unit = "jobs/s" },
    { what = "a chord of 10,000, until its body has ended", value = rates.chord, unit = "jobs/s" },
    { what = "  of the rate of 100,000", value = rates.ratio, unit = "x", digits = 2, side = ">",
      bound = 0.5 },
    { what = "  of the rate of 10,000", value = rates.few_ratio, unit = "x", digits = 2 },
  }
end

return chord

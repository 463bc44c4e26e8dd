-- The schedule of a run: one beat entry of run time, which every agent fires; and what must hold of
-- its history in the end: each due time once, on the grid, not before its time. That each of its
-- jobs ran and ended is for the judge, to whom they are jobs like others.

local support = require "spec.support"

local schedule = {}

local NAME <const>, EVERY_S <const> = "chaos.tick", "0.4"
local EVERY_MS <const> = 400

---@param redis table       of support.redis
function schedule.add(redis)
  local out = support.moil { "beat", "add", NAME, "--task", "chaos.tick", "--every", EVERY_S,
    redis = redis }
  if out.code ~= 0 then error("beat add: " .. out.stderr, 0) end
end

---Ends it, when Redis is well again.
function schedule.remove(redis, seconds)
  local why
  support.wait_until(function()
    local out = support.moil { "beat", "remove", NAME, redis = redis }
    why = out.stderr
    return out.code == 0
  end, seconds, function() return "the schedule is removed: " .. why end)
end

---Its ticks that became jobs, the newest first.
---@param dump table        of dump.read
---@return { due: integer, fired: integer, id: string }[]
function schedule.fired(dump)
  local list = {}
  for _, line in ipairs(dump.history or {}) do
    local due, fired, id, outcome = line:match("^(%d+) (%d+) (%S+) (%S+) ")
    if outcome == "fired" then
      list[#list + 1] = { due = tonumber(due), fired = tonumber(fired), id = id }
    end
  end
  return list
end

---@param dump table
---@return string[] faults
function schedule.faults(dump)
  local faults, seen = {}, {}
  for _, tick in ipairs(schedule.fired(dump)) do
    local function add(text) faults[#faults + 1] = ("tick %d: %s"):format(tick.due, text) end
    if seen[tick.due] then add("happened twice") end
    if tick.due % EVERY_MS ~= 0 then add("is no multiple of its interval") end
    if tick.fired < tick.due then add("came " .. tick.due - tick.fired .. " ms before its time") end
    seen[tick.due] = true
  end
  return faults
end

return schedule

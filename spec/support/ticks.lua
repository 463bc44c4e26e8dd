-- The ticks of a schedule, as Redis keeps them. `site` is one of spec/support/site.lua.

local assert = require "luassert"
local support = require "spec.support"

local ticks = {}

---The ticks of an entry (nil: of all) so far, the oldest first.
---@return {due: integer, fired: integer, id: string, outcome: string}[] times in ms
function ticks.of(site, entry)
  local found = {}
  for _, line in ipairs(site.redis:call("LRANGE", "{moil}:beat_history", "0", "-1")) do
    local due, fired, id, outcome, name = line:match("^(%d+) (%d+) (%S+) (%S+) (.+)$")
    if not entry or name == entry then
      table.insert(found, 1,
        { due = tonumber(due), fired = tonumber(fired), id = id, outcome = outcome })
    end
  end
  return found
end

---Waits until there are so many.
---@param node? table the process that fires them: what it wrote is shown when they do not come
function ticks.wait(site, entry, count, seconds, node)
  return support.wait_until(function()
    local found = ticks.of(site, entry)
    return #found >= count and found
  end, seconds, function()
    return ("%d ticks of %s (%d now)\n%s"):format(count, entry or "any", #ticks.of(site, entry),
      node and node:report() or "")
  end)
end

---Each due time, `step` ms apart, once and in order, none before its time.
function ticks.assert_grid(found, step)
  for i, tick in ipairs(found) do
    assert.equal("fired", tick.outcome)
    assert.is_true(tick.fired >= tick.due)
    if i > 1 then assert.equal(found[i - 1].due + step, tick.due, "tick " .. i) end
  end
end

return ticks

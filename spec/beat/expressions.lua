-- Random cron expressions. With `plain`, only what croniter means in the same way: no W, no L-N, no
-- ranges over a field's end.

local oracle = require "spec.beat.oracle"

local expressions = {}

local pick = oracle.pick
local MONTHS <const> = { "jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct",
  "nov", "dec" }
local WEEKDAYS <const> = { [0] = "sun", "MON", "Tue", "wed", "thu", "fri", "sat" }

local function value(field)
  local v = math.random(field.min, field.max)
  return field.names and math.random(4) == 1 and field.names[v] or v
end

local function range(field, plain)
  local a, b = math.random(field.min, field.max), math.random(field.min, field.max)
  if plain then
    a, b = math.min(a, b), math.max(a, b)
    if a == b then a, b = field.min, field.max end
  end
  return a .. "-" .. b
end

local function item(field, plain)
  local roll = math.random(10)
  if roll <= 5 then return value(field) end
  if roll <= 7 then return range(field, plain) end
  local step = math.random(2, math.max(2, (field.max - field.min) // 2))
  if roll == 8 then return range(field, plain) .. "/" .. step end
  return "*/" .. step
end

local function list(field, plain, special)
  if math.random(100) <= field.stars then return "*" end
  local parts = {}
  for i = 1, math.random(5) == 1 and math.random(2, 4) or 1 do
    parts[i] = special and math.random(5) == 1 and special() or item(field, plain)
  end
  return table.concat(parts, ",")
end

local second = { min = 0, max = 59, stars = 5 }
local minute = { min = 0, max = 59, stars = 10 }
local hour = { min = 0, max = 23, stars = 20 }
local day = { min = 1, max = 31, stars = 50 }
local month = { min = 1, max = 12, stars = 50, names = MONTHS }
local weekday = { min = 0, max = 6, stars = 50, names = WEEKDAYS }

local function special_day()
  return pick { "L", "L-" .. math.random(0, 30), "LW", math.random(31) .. "W" }
end

local function special_weekday()
  local v = value(weekday)
  return pick { v .. "#" .. math.random(5), v .. "L", "L" .. v }
end

---@param plain boolean
---@return string fields without seconds
---@return string? seconds
function expressions.draw(plain)
  local days, weekdays
  if plain then
    days, weekdays = list(day, true), list(weekday, true)
    local roll = math.random(12)
    if roll == 1 then days = "L" end
    -- croniter wants these alone, and beside a star.
    if roll == 2 then
      days = "*"
      weekdays = math.random(0, 6) .. "#" .. math.random(5)
    end
    if roll == 3 then
      days = "*"
      weekdays = "L" .. math.random(0, 6)
    end
  else
    days, weekdays = list(day, false, special_day), list(weekday, false, special_weekday)
    if math.random(8) == 1 and weekdays ~= "*" then days = "?" end
  end
  local fields = table.concat({ list(minute, plain), list(hour, plain), days, list(month, plain),
    weekdays }, " ")
  return fields, math.random(4) == 1 and list(second, plain) or nil
end

return expressions

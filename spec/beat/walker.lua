-- Cron the slow way: every minute of every day is asked whether it matches, by the definition of
-- each field. What cron_next is compared with where croniter means something else.

local beat = require("spec.support").units.beat

local walker = {}

local NAMES <const> = {
  month = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
    oct = 10, nov = 11, dec = 12 },
  weekday = { sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6 },
}

local function items(text, names)
  local list = {}
  for item in text:lower():gmatch("[^,]+") do
    local last, rest = item:match("^(l?)(.*)$") -- LFRI
    list[#list + 1] = last .. rest:gsub("%a%a%a", names or {})
  end
  return list
end

-- The values that an item of digits, *, - and / stands for.
local function expand(item, min, max)
  local set = {}
  local range, step = item:match("^([^/]+)/?(%d*)$")
  local first, last = range:match("^(%d+)%-(%d+)$")
  if range == "*" or range == "?" then
    first, last = min, max
  elseif not first then
    first, last = range, step ~= "" and max or range
  end
  first, last, step = first // 1, last // 1, (step == "" and 1 or step) // 1
  local at, left = first, 0
  while true do
    if left % step == 0 then set[at] = true end
    if at == last then return set end
    at, left = at == max and min or at + 1, left + 1
  end
end

local function set_of(text, min, max, names)
  local set = {}
  for _, item in ipairs(items(text, names)) do
    for v in pairs(expand(item, min, max)) do set[v] = true end
  end
  return set
end

local function is_working(weekday)
  return weekday >= 1 and weekday <= 5
end

-- day: { d = , days = of the month, weekday = function of a day of this month }
local function nearest_workday(n, day)
  if n > day.days then return nil end
  for distance = 0, 2 do
    for _, d in ipairs { n - distance, n + distance } do
      if d >= 1 and d <= day.days and is_working(day.weekday(d)) then return d end
    end
  end
end

local function matches_day(item, day)
  if item == "l" then return day.d == day.days end
  if item:find("^l%-") then return day.d == day.days - item:sub(3) // 1 end
  if item == "lw" then
    local d = day.days
    while not is_working(day.weekday(d)) do d = d - 1 end
    return day.d == d
  end
  local n = item:match("^(%d+)w$")
  if n then return day.d == nearest_workday(n // 1, day) end
  return expand(item, 1, 31)[day.d] == true
end

local function matches_weekday(item, day)
  local weekday = day.weekday(day.d)
  local of, n = item:match("^(%d)#(%d)$")
  if of then return weekday == of % 7 and (day.d - 1) // 7 + 1 == n // 1 end
  of = item:match("^(%d)l$") or item:match("^l(%d)$")
  if of then return weekday == of % 7 and day.d + 7 > day.days end
  if item:find("%-7") and item:find("^7") then return weekday == 0 end
  -- 7 is Sunday: once more through the week, so that 5-7 and 7-2 need no case of their own.
  local first, last, step = item:match("^(%d)%-(%d)/?(%d*)$")
  if first then
    local length = last - first
    if length < 0 then length = (last - first) % 7 end
    for k = 0, length // 1, (step == "" and 1 or step) // 1 do
      if (first + k) % 7 == weekday then return true end
    end
    return false
  end
  local alone = item:match("^7")
  if alone then return weekday == 0 end
  return expand(item, 0, 6)[weekday] == true
end

local function any(list, matches, day)
  for _, item in ipairs(list) do
    if matches(item, day) then return true end
  end
  return false
end

local function days_in_month(year, month)
  if month == 12 then return 31 end
  return beat.days(year, month + 1, 1) - beat.days(year, month, 1)
end

---@param text string  five or six fields
---@return table cron
function walker.parse(text)
  local fields = {}
  for field in text:gmatch("%S+") do fields[#fields + 1] = field end
  if #fields == 5 then table.insert(fields, 1, "0") end
  return {
    seconds = set_of(fields[1], 0, 59),
    minutes = set_of(fields[2], 0, 59),
    hours = set_of(fields[3], 0, 23),
    days = items(fields[4]),
    months = set_of(fields[5], 1, 12, NAMES.month),
    weekdays = items(fields[6], NAMES.weekday),
    both = fields[4]:find("^[*?]") ~= nil or fields[6]:find("^[*?]") ~= nil,
  }
end

---Whether a field without L, W and # has all values there are.
function walker.has_all(text, min, max)
  if text:lower():find("[lw#]") and not text:lower():find("wed") then return false end
  local set = set_of(text, min, max, min == 0 and NAMES.weekday or nil)
  for v = min, max do
    if not set[v] then return false end
  end
  return true
end

local function has_day(cron, number)
  local year, month, d = beat.date(number)
  if not cron.months[month] then return false end
  local day = { d = d, days = days_in_month(year, month) }
  function day.weekday(other) return (number + 4 + other - d) % 7 end
  local by_month = any(cron.days, matches_day, day)
  local by_week = any(cron.weekdays, matches_weekday, day)
  if cron.both then return by_month and by_week end
  return by_month or by_week
end

---The local seconds that match, at least `from` and less than `to`, in order; of very many the
---first ones.
---@param text string
---@param enough? integer
---@return integer[]
function walker.locals(text, from, to, enough)
  local cron, found = walker.parse(text), {}
  for number = from // 86400, (to - 1) // 86400 do
    if enough and #found >= enough then break end
    for minute = 0, has_day(cron, number) and 1439 or -1 do
      for second = 0, cron.hours[minute // 60] and cron.minutes[minute % 60] and 59 or -1 do
        local at = number * 86400 + minute * 60 + second
        if cron.seconds[second] and at >= from and at < to then found[#found + 1] = at end
      end
    end
  end
  return found
end

---The instants at which a zone's clock comes to the matches, or over them: each is due once.
---@param text string       in whole minutes
---@param offset_at fun(instant: integer): integer
---@return integer[]
function walker.dues(text, offset_at, from, to)
  local wanted = walker.locals(text, from - 2 * 86400, to + 2 * 86400)
  local found, i, reached = {}, 1, math.mininteger
  for instant = from - 86400, to - 1, 60 do
    reached = math.max(reached, instant + offset_at(instant))
    local due = false
    while wanted[i] and wanted[i] <= reached do
      due, i = true, i + 1
    end
    if due and instant >= from then found[#found + 1] = instant end
  end
  return found
end

return walker

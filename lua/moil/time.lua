-- Points in time as users write them. Pure: "now" comes in as a parameter.

local time = {}

-- Numbers from here on are seconds since the epoch (2001-09-09); smaller ones cannot be meant so.
local EPOCH_FROM <const> = 1e9

-- Days since 1970-01-01 in the Gregorian calendar. March begins the year, so that leap days come
-- last.
local function days_from_civil(y, m, d)
  if m <= 2 then y = y - 1 end
  local era = y // 400
  local yoe = y - era * 400
  local doy = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + d - 1
  return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
end

local function days_in_month(y, m)
  if m == 2 then
    return (y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)) and 29 or 28
  end
  return (m == 4 or m == 6 or m == 9 or m == 11) and 30 or 31
end

local function offset_seconds(text)
  if text == "Z" or text == "z" then return 0 end
  local sign, hours, minutes = text:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  return (sign == "-" and -1 or 1) * (hours * 3600 + minutes * 60)
end

---Seconds since the epoch of an ISO 8601 date and time with an offset.
---@param text string       "2030-01-01T09:00:00+08:00", "2030-01-01T01:00:00.5Z"
---@return number?          nil when it is none
function time.parse_iso(text)
  local y, m, d, hh, mm, rest = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d)(.*)$")
  if not y then return nil end
  local ss, zone = rest:match("^:(%d%d)(.*)$")
  ss, zone = ss or "0", zone or rest
  local fraction, after = zone:match("^([.,]%d+)(.*)$")
  fraction, zone = fraction and fraction:gsub(",", ".") or ".0", after or zone
  local offset = offset_seconds(zone)
  y, m, d, hh, mm, ss = y // 1, m // 1, d // 1, hh // 1, mm // 1, ss // 1
  if not offset or m < 1 or m > 12 or d < 1 or d > days_in_month(y, m) then return nil end
  if hh > 23 or mm > 59 or ss > 60 then return nil end
  local seconds = hh * 3600 + mm * 60 + ss - offset + tonumber("0" .. fraction)
  return days_from_civil(y, m, d) * 86400 + seconds
end

---A point in time: seconds since the epoch, an ISO 8601 text with offset, or a table as of
---os.date("*t") (local time).
---@param value number|string|table
---@return number? seconds since the epoch
---@return string? what is wrong
function time.point(value)
  if type(value) == "number" then
    if value >= EPOCH_FROM and value < 1e11 then return value end
    return nil, "a number must be seconds since the epoch (for a delay there is countdown)"
  elseif type(value) == "string" then
    local at = time.parse_iso(value)
    if at then return at end
    return nil, "a text must be like 2030-01-01T09:00:00+08:00 (with its offset, or Z)"
  elseif type(value) == "table" then
    local ok, at = pcall(os.time, value)
    if ok and at then return at end
    return nil, "a table must be like that of os.date('*t')"
  end
  return nil, "must be seconds since the epoch, an ISO 8601 text, or a table as of os.date('*t')"
end

---When something is due: a small number is seconds from now, all else a point in time.
---@param value number|string|table
---@return number? seconds from now
---@return number? or seconds since the epoch
---@return string? or what is wrong
function time.due(value)
  if type(value) == "number" and value < EPOCH_FROM then
    if value >= 0 then return value end
    return nil, nil, "must be 0 or more seconds from now"
  end
  local at, wrong = time.point(value)
  return nil, at, wrong
end

---When something expires: a small number is seconds from now, as in Celery; all else is a point in
---time.
---@param value number|string|table
---@param now number        seconds since the epoch
---@return number? seconds since the epoch
---@return string? what is wrong
function time.expiry(value, now)
  if type(value) == "number" and value < EPOCH_FROM then
    if value > 0 then return now + value end
    return nil, "must be more than 0 seconds from now"
  end
  return time.point(value)
end

return time

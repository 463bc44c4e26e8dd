-- Zones and entries for the specs of src/beat.

local support = require "spec.support"
local beat = support.units.beat
local lfs = require "lfs"

local driver = { never = math.maxinteger }

local zones <const> = beat.zones()

---@return table zone
function driver.zone(name)
  return assert(zones:get(name))
end

---@return table? entry, string? message
function driver.parse(fields, name)
  local json = type(fields) == "string" and fields or support.json_encode(fields)
  return zones:entry(name or "e", json)
end

---@param fields table its task is "t" where it has none
---@return table entry
function driver.entry(fields)
  fields.task = fields.task or "t"
  return assert(driver.parse(fields))
end

---Seconds since the epoch of "2026-03-29T01:00:00Z", or with another offset.
function driver.at(text)
  return math.tointeger(support.units.conf.instant(text))
end

function driver.show(ms)
  return os.date("!%Y-%m-%dT%H:%M:%S", ms // 1000) .. (ms % 1000 > 0 and (".%03d"):format(ms % 1000)
    or "") .. "Z"
end

---The next runs after an instant.
---@return string[]
function driver.following(entry, after, count)
  local ms, shown = driver.at(after) * 1000, {}
  for i = 1, count do
    ms = entry:next(ms)
    if ms == driver.never then break end
    shown[i] = driver.show(ms)
  end
  return shown
end

local function list(path, prefix, names)
  for item in lfs.dir(path) do
    local full = path .. "/" .. item
    if not item:match("^%u[^.]*$") then
      goto continue -- "posix" and "right" hold all zones once more, the tables have a dot
    elseif lfs.attributes(full, "mode") == "directory" then
      list(full, prefix .. item .. "/", names)
    else
      names[#names + 1] = prefix .. item
    end
    ::continue::
  end
  return names
end

---The names of all zones of the database, old ones too, in order.
---@return string[]
function driver.zone_names()
  local names = list("/usr/share/zoneinfo", "", {})
  table.sort(names)
  return names
end

return driver

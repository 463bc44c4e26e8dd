-- Errors as users see them: tables {code, message}, told apart by `code`, with `where` ("file:line"
-- of the user's code that called moil) for people. Nothing here knows jobs or Redis.

local core = require "moil.core"

-- Lines of moil's own files are never where a user's mistake is.
core.library((debug.getinfo(1, "S").source:gsub("errors%.lua$", "")))

---@class moil.Error
---@field code string       one of errors.codes, or the code that a task raised
---@field message string
---@field traceback? string of the job that raised it
---@field where? string     "file:line"

local errors = {}

---moil's own codes. Tasks may raise any other.
errors.codes = {
  "BadArgument", "BadMessage", "DependencyFailed", "Expired", "MemoryLimitExceeded",
  "RedisUnavailable", "Revoked", "SoftTimeLimitExceeded", "TaskNotRegistered", "TimeLimitExceeded",
  "Timeout", "TooLarge", "UnknownEntry", "UnknownJob", "WorkerLost",
}

---What a name of a task, queue, state or job is.
errors.NAME = "1 to 200 printable ASCII characters without spaces"

---Raises {code, message, where}.
---@param code string
---@param message string
---@param ... any           for string.format
---@return any              never returns
---  errors.raise("BadArgument", "%s: unknown option '%s'", task, name)
function errors.raise(code, message, ...)
  return core.raise(code, select("#", ...) > 0 and message:format(...) or message)
end

---Raises a BadArgument.
---@param message string
---@param ... any
---@return any              never returns
function errors.bad(message, ...)
  return errors.raise("BadArgument", message, ...)
end

---Makes a decoded error raisable: with it an uncaught error reads "Code: message".
---@param err any           what was decoded from a result
---@return moil.Error
function errors.revive(err)
  if type(err) ~= "table" or err == core.null then
    err = { code = "Error", message = tostring(err) }
  end
  return setmetatable(err, core.error_meta)
end

-- Levenshtein distance.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

---The known name nearest to a wrong one, when it is near enough to be meant.
---@param wrong string
---@param known table<string, any>  the names are its keys
---@return string?
function errors.nearest(wrong, known)
  local best, best_distance = nil, math.max(2, #wrong // 3) + 1
  for name in pairs(known) do
    local d = distance(wrong, name)
    if d < best_distance or (d == best_distance and best and name < best) then
      best, best_distance = name, d
    end
  end
  return best
end

---Raises a BadArgument for the first key of `given` that is not in `known`, naming the nearest
---known one, and where it is no table.
---@param given any
---@param known table<string, any>
---@param who string        the task or function to name
function errors.check_known(given, known, who)
  if type(given) ~= "table" then
    errors.bad("%s: takes a table of options, not a %s", who, type(given))
  end
  for key in pairs(given) do
    if known[key] == nil then
      local near = type(key) == "string" and errors.nearest(key, known)
      errors.bad("%s: unknown option '%s'%s", who, tostring(key),
        near and (", did you mean '%s'?"):format(near) or "")
    end
  end
end

return errors

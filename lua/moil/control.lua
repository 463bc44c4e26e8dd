-- moil.on_control: commands of a user's own, for `moil control` and moil.control.

local core = require "moil.core"
local errors = require "moil.errors"

local control = {}

local TIME_LIMIT_MAX <const> = 60
local where_of = {} -- name → "file:line"

-- What every node knows, and nobody else may have.
local own = {}
for word in ("ping stats quiet resume reload grow shrink stop kill time-limit"):gmatch "%S+" do
  own[word] = true
end

---@class moil.ControlOptions
---@field time_limit? number     seconds that it may take, at most 60; 1 when not said
---@field memory_limit? number   MB that it may hold; when not said as jobs, or 64

local known = { time_limit = true, memory_limit = true }

local function check_options(given, who)
  if type(given) ~= "table" then errors.bad("%s: the options must be a table", who) end
  for key, value in pairs(given) do
    if not known[key] then
      errors.bad("%s: unknown option '%s': it is time_limit or memory_limit", who, tostring(key))
    elseif type(value) ~= "number" or value ~= value or value <= 0 then
      errors.bad("%s: %s must be a number above 0", who, key)
    end
  end
  if (given.time_limit or 0) > TIME_LIMIT_MAX then
    errors.bad("%s: time_limit is at most %d seconds", who, TIME_LIMIT_MAX)
  elseif (given.memory_limit or 0) > 1024 * 1024 then
    errors.bad("%s: memory_limit is at most 1048576 MB", who)
  end
end

---Registers a command: `moil control NAME ARG…` calls the function in each worker, with the
---arguments, and shows what it returns. It may wait, as a job may; what it raises is its answer.
---@param name string       1 to 64 letters, digits, _, . and -
---@param given moil.ControlOptions|function options, or the function when there are none
---@param fn? function
---  moil.on_control("cache.drop", function(key) cache[key] = nil return "dropped" end)
function control.register(name, given, fn)
  if fn == nil and type(given) == "function" then
    given, fn = {}, given
  end
  if type(name) ~= "string" or #name > 64 or not name:find "^[%w_.-]+$" then
    errors.bad("moil.on_control: the name (first argument) must be 1 to 64 letters, digits, _, . "
      .. "and -")
  end
  local who <const> = "moil.on_control '" .. name .. "'"
  if own[name] then
    errors.bad("%s: that is one of moil's own commands", who)
  elseif type(fn) ~= "function" then
    errors.bad("%s: the last argument must be the function", who)
  end
  check_options(given, who)
  if where_of[name] then
    errors.bad("%s: it is registered already, at %s", who, where_of[name])
  end
  where_of[name] = core.where() or "?"
  if core.register_control then
    core.register_control({ name = name, where = where_of[name], queue = "",
      time_limit = given.time_limit, memory_limit = given.memory_limit }, fn)
  end
end

return control

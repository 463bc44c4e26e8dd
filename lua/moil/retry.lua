-- Retry policies: plain functions (attempt, err) -> seconds until the next try, or nil for no more.
-- `attempt` counts from 1: the first retry. Any function of that shape is a policy; those made here
-- can also travel with a call, as data.
--
--   retry = moil.retry.exponential { max = 5, base = 1, cap = 60, jitter = true }

local errors = require "moil.errors"

---@alias moil.RetryPolicy fun(attempt: integer, err?: moil.Error): number?

---@class moil.PolicyOptions
---@field max? integer|false retries, not counting the first try; 3 when not said; false: no bound
---@field jitter? boolean|number share of the delay left to chance; true: 0.5
---@field random? fun(): number  0 to 1, for specs; a policy with it cannot travel

---@class moil.FixedOptions: moil.PolicyOptions
---@field delay? number     seconds; 1 when not said

---@class moil.LinearOptions: moil.PolicyOptions
---@field base? number      seconds before the first retry; 1 when not said
---@field step? number      seconds more each time; base when not said
---@field cap? number       seconds at most; 3600 when not said

---@class moil.ExponentialOptions: moil.PolicyOptions
---@field base? number      seconds before the first retry; 1 when not said
---@field factor? number    2 when not said
---@field cap? number       seconds at most; 3600 when not said

local retry = {}

local DEFAULT_MAX <const> = 3
local DEFAULT_CAP <const> = 3600

-- policy function -> its data, for calls that take it along
local specs = setmetatable({}, { __mode = "k" })

local function is_number(v)
  return type(v) == "number" and v == v and v < math.huge
end

local checks = {
  max = { function(v) return v == false or (math.type(v) == "integer" and v >= 1) end,
    "must be a whole number from 1, or false for no bound" },
  delay = { function(v) return is_number(v) and v >= 0 end, "must be seconds, 0 or more" },
  base = { function(v) return is_number(v) and v >= 0 end, "must be seconds, 0 or more" },
  step = { function(v) return is_number(v) and v >= 0 end, "must be seconds, 0 or more" },
  cap = { function(v) return is_number(v) and v > 0 end, "must be seconds, more than 0" },
  factor = { function(v) return is_number(v) and v >= 1 end, "must be a number from 1" },
  jitter = { function(v) return type(v) == "boolean" or (is_number(v) and v >= 0 and v <= 1) end,
    "must be true, false, or the share of the delay that is left to chance (0 to 1)" },
  random = { function(v) return type(v) == "function" end,
    "must be a function that gives a number from 0 to 1" },
}

-- true: between half of the delay and all of it, so that many jobs that failed together do not come
-- back together.
local function spread(seconds, options)
  local share = options.jitter == true and 0.5 or options.jitter or 0
  if share == 0 then return seconds end
  return seconds * (1 - share * (options.random or math.random)())
end

-- name -> {options it knows, function from attempt to seconds}
local shapes = {
  fixed = { { "delay" }, function(o) return o.delay or 1 end },
  linear = { { "base", "step", "cap" }, function(o, attempt)
    local base = o.base or 1
    return math.min(base + (o.step or base) * (attempt - 1), o.cap or DEFAULT_CAP)
  end },
  exponential = { { "base", "factor", "cap" }, function(o, attempt)
    return math.min((o.base or 1) * (o.factor or 2) ^ (attempt - 1), o.cap or DEFAULT_CAP)
  end },
}

local function check_options(name, options, own)
  local known = { max = true, jitter = true, random = true }
  for _, key in ipairs(own) do known[key] = true end
  errors.check_known(options, known, "moil.retry." .. name)
  for key, value in pairs(options) do
    if not checks[key][1](value) then
      errors.bad("moil.retry.%s: %s %s", name, key, checks[key][2])
    end
  end
end

local function make(name, options)
  options = options or {}
  if type(options) ~= "table" then
    errors.bad("moil.retry.%s: takes a table of options", name)
  end
  local own, seconds = table.unpack(shapes[name])
  check_options(name, options, own)
  local copy, spec = {}, { policy = name }
  for key, value in pairs(options) do
    copy[key] = value
    spec[key] = value
  end
  local max = options.max
  if max == nil then max = DEFAULT_MAX end
  local function policy(attempt)
    if max and attempt > max then return nil end
    return spread(seconds(copy, attempt), copy)
  end
  if not options.random then specs[policy] = spec end
  return policy
end

---The same delay each time.
---@param options? moil.FixedOptions
---@return moil.RetryPolicy
---  moil.retry.fixed { max = 3, delay = 10 }
function retry.fixed(options)
  return make("fixed", options)
end

---base, base + step, base + 2 step, … up to cap.
---@param options? moil.LinearOptions
---@return moil.RetryPolicy
---  moil.retry.linear { max = 5, base = 2 }
function retry.linear(options)
  return make("linear", options)
end

---base, base * factor, base * factor^2, … up to cap.
---@param options? moil.ExponentialOptions
---@return moil.RetryPolicy
---  moil.retry.exponential { max = 5, base = 1, cap = 60, jitter = true }
function retry.exponential(options)
  return make("exponential", options)
end

---The delays of a list, one after the other; as many retries as it has entries.
---@param delays number[] seconds
---@return moil.RetryPolicy
---  moil.retry.list { 1, 10, 60 }
function retry.list(delays)
  if type(delays) ~= "table" or #delays == 0 then
    errors.bad("moil.retry.list: takes a list of seconds")
  end
  local copy = {}
  for i, seconds in ipairs(delays) do
    if not checks.delay[1](seconds) then
      errors.bad("moil.retry.list: entry %d %s", i, checks.delay[2])
    end
    copy[i] = seconds
  end
  local function policy(attempt) return copy[attempt] end
  specs[policy] = { policy = "list", delays = copy }
  return policy
end

---What a policy of this module was made from, as data that can be JSON.
---@param policy moil.RetryPolicy
---@return table?           nil for a function of the user's own
function retry.to_data(policy)
  return specs[policy]
end

---The policy of such data: { policy = "fixed", max = 3, delay = 10 }.
---@param data table
---@return moil.RetryPolicy
function retry.from_data(data)
  local options = {}
  for key, value in pairs(data) do options[key] = value end
  options.policy = nil
  if data.policy == "list" then
    return retry.list(options.delays)
  elseif not shapes[data.policy] then
    errors.bad("retry: unknown policy '%s' (fixed, linear, exponential, list)",
      tostring(data.policy))
  end
  return make(data.policy, options)
end

return retry

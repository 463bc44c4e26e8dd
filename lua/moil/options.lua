-- The one table of what tasks and calls can be told, with the checks. Pure.

local core = require "moil.core"
local errors = require "moil.errors"
local retry = require "moil.retry"

---Seconds since the epoch, ISO 8601 with offset, or a table as of os.date("*t").
---@alias moil.Point number|string|table

---@class moil.CallOptions
---@field queue? string
---@field id? string             where a job with this id exists, that one is meant
---@field kwargs? table          names and values, given to the task as its last argument
---@field countdown? number      seconds until it is due
---@field eta? moil.Point        when it is due
---@field expires? moil.Point    not started any more after it; a number below 1e9: seconds from now
---@field priority? integer      0 to 9, higher first; 5 when not said
---@field at_front? boolean      in front of its priority level
---@field retry? moil.RetryPolicy|table|false a policy of moil.retry, its data, or false: none
---@field time_limit? number|false seconds; false: none
---@field soft_time_limit? number|false seconds; false: none
---@field result_ttl? number|false seconds that the result is kept; 0: not; false: for ever
---@field ignore_result? boolean
---@field headers? table<string, any> travels with the job; self.headers
---@field depends_on? string|moil.Result|moil.DependsOn jobs that must have ended first
---@field link? moil.Signature|moil.Signature[]         run with its result when it has succeeded
---@field link_error? moil.Signature|moil.Signature[]   run with the error and its id when it failed

---Ids and handles in a list, and what their failure does to the job. It holds too for what comes
---before the job in a workflow.
---@class moil.DependsOn
---@field [integer] string|moil.Result
---@field allow_failure? boolean it runs all the same
---@field on_failure? "fail"|"revoke" how it ends then: as FAILURE (when not said) or REVOKED

---@class moil.TaskOptions
---@field bind? boolean          the function gets self first
---@field blocking? boolean      runs alone in its worker
---@field queue? string
---@field countdown? number
---@field expires? number        seconds from each call
---@field priority? integer
---@field at_front? boolean
---@field headers? table<string, any>
---@field retry? moil.RetryPolicy|table|false
---@field retry_on? string[]     error codes: only these are retried
---@field dont_retry_on? string[] error codes: these are not
---@field max_deliveries? integer
---@field memory_limit? number|false MB (1,048,576 bytes); false: none
---@field time_limit? number|false
---@field soft_time_limit? number|false
---@field result_ttl? number|false
---@field ignore_result? boolean
---@field before_start? fun(self: moil.Self)
---@field on_success? fun(self: moil.Self, result: any)
---@field on_failure? fun(self: moil.Self, err: moil.Error)
---@field on_retry? fun(self: moil.Self, err: moil.Error, seconds: number)
---@field after_return? fun(self: moil.Self, state: string, result_or_err: any)

local options = {}

-- A check returns nothing, or what the value must be.
local function of_type(name)
  return function(v)
    if type(v) ~= name then return "must be a " .. name end
  end
end

local function name(v)
  if not core.is_name(v) then return "must be " .. errors.NAME end
end

local function is_finite(v)
  return type(v) == "number" and v == v and v < math.huge
end

local function seconds(v)
  if not is_finite(v) or v < 0 or v > 1e10 then return "must be a number of seconds, 0 or more" end
end

local LIMIT_MIN <const> = 0.01 -- as for --time-limit: below it, only noise is measured

local function limit(v)
  if v ~= false and not (is_finite(v) and v >= LIMIT_MIN and v <= 1e9) then
    return "must be a number of seconds, 0.01 to 1000000000, or false for none"
  end
end

local function ttl(v)
  if v ~= false and seconds(v) then
    return "must be a number of seconds, 0 for none kept, or false for ever"
  end
end

local MEMORY_MAX <const> = 1048576 -- MB: who means bytes is told so

local function memory(v)
  if v ~= false and not (is_finite(v) and v >= 1 and v <= MEMORY_MAX) then
    return "must be a number of megabytes, 1 to 1048576, or false for none"
  end
end

local DELIVERIES_MAX <const> = 1000000000

local function deliveries(v)
  if math.type(v) ~= "integer" or v < 1 or v > DELIVERIES_MAX then
    return "must be a whole number, 1 to 1000000000"
  end
end

local function priority(v)
  if math.type(v) ~= "integer" or v < 0 or v > 9 then
    return "must be a whole number from 0 to 9, higher first"
  end
end

local function point(v)
  if type(v) ~= "number" and type(v) ~= "string" and type(v) ~= "table" then
    return "must be a number of seconds, an ISO 8601 text, or a table as of os.date('*t')"
  end
end

local function codes(v)
  if type(v) ~= "table" or #v == 0 then return "must be a list of error codes" end
  for _, code in ipairs(v) do
    if type(code) ~= "string" then return "must be a list of error codes" end
  end
end

local function policy(v)
  if v ~= false and type(v) ~= "function" and not (type(v) == "table" and v.policy) then
    return "must be a policy such as moil.retry.fixed{}, or false for none"
  end
end

-- Workers could not read them. Deeper than JSON goes is refused where it becomes JSON.
local function has_nul_in_name(t, depth)
  for k, v in next, t do
    if type(k) == "string" and k:find("\0", 1, true) then return true end
    if type(v) == "table" and depth < 128 and has_nul_in_name(v, depth + 1) then return true end
  end
  return false
end

local function headers(v)
  if type(v) ~= "table" then return "must be a table" end
  if has_nul_in_name(v, 1) then return "must not have a NUL byte in a name" end
end

local function expiry(v)
  if type(v) == "number" and (v <= 0 or v ~= v) then return "must be more than 0" end
  return point(v)
end

local hook = of_type "function"
local flag = of_type "boolean"

---The name of the metatable of signatures.
options.SIGNATURE = "moil.Signature"

---@param v any
---@return boolean
function options.is_signature(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(meta) == "table" and meta.__name == options.SIGNATURE
end

local function is_result(v)
  local meta = type(v) == "table" and getmetatable(v)
  local kind = type(meta) == "table" and meta.__name
  return kind == "moil.Result" or kind == "moil.GroupResult"
end

local function callbacks(v)
  local wrong = "must be a signature (such as add:s(1, 2)) or a list of them"
  if options.is_signature(v) then return end
  if type(v) ~= "table" or getmetatable(v) or #v == 0 then return wrong end
  for key, entry in pairs(v) do
    if math.type(key) ~= "integer" or not options.is_signature(entry) then return wrong end
  end
end

local DEPENDENCIES_MAX <const> = 1000 -- of one job: what fits into one script with it

-- A field of depends_on that is not an entry of its list.
local function dependency_field(key, value)
  if key == "allow_failure" then
    if type(value) ~= "boolean" then return "allow_failure must be true or false" end
  elseif key == "on_failure" then
    if value ~= "fail" and value ~= "revoke" then return 'on_failure must be "fail" or "revoke"' end
  else
    return ("has no field '%s' (it has allow_failure and on_failure)"):format(tostring(key))
  end
end

local function dependencies(v)
  if core.is_name(v) or is_result(v) then return end
  if type(v) ~= "table" or getmetatable(v) then
    return "must be the id of a job, its handle, or a list of them"
  elseif #v > DEPENDENCIES_MAX then
    return "must not have more than 1000 jobs (put them into a group, and wait for that)"
  end
  for key, entry in pairs(v) do
    if math.type(key) ~= "integer" then
      local wrong = dependency_field(key, entry)
      if wrong then return wrong end
    elseif not core.is_name(entry) and not is_result(entry) then
      return ("must be a list of ids and handles of jobs; entry %d is none"):format(key)
    end
  end
  if v.allow_failure and v.on_failure then
    return "must not have both allow_failure and on_failure"
  end
end

local function member_failure(v)
  if v ~= "fail" and v ~= "revoke" and v ~= "wait" and v ~= "collect" then
    return 'must be "fail", "revoke", "wait" or "collect"'
  end
end

-- option -> { its check, known to calls, known to tasks }
local known = {
  at_front = { flag, true, true },
  after_return = { hook, false, true },
  before_start = { hook, false, true },
  bind = { flag, false, true },
  blocking = { flag, false, true },
  countdown = { seconds, true, true },
  depends_on = { dependencies, true, false },
  dont_retry_on = { codes, false, true },
  eta = { point, true, false },
  expires = { expiry, true, true },
  headers = { headers, true, true },
  id = { name, true, false },
  ignore_result = { flag, true, true },
  kwargs = { of_type "table", true, false },
  link = { callbacks, true, false },
  link_error = { callbacks, true, false },
  memory_limit = { memory, false, true },
  max_deliveries = { deliveries, false, true },
  on_failure = { hook, false, true },
  on_retry = { hook, false, true },
  on_success = { hook, false, true },
  priority = { priority, true, true },
  queue = { name, true, true },
  result_ttl = { ttl, true, true },
  retry = { policy, true, true },
  retry_on = { codes, false, true },
  soft_time_limit = { limit, true, true },
  time_limit = { limit, true, true },
}

local for_calls, for_tasks, for_workflows = {}, {}, { member_failure = true }
for option, row in pairs(known) do
  for_calls[option] = row[2] or nil
  for_tasks[option] = row[3] or nil
  for_workflows[option] = row[2] and option ~= "kwargs" or nil
end

local function check_values(given, allowed, who)
  for option in pairs(given) do
    if known[option] and not allowed[option] then
      errors.bad("%s: %s is an option of %s", who, option,
        allowed == for_calls and "tasks, not of calls" or "calls, not of tasks")
    end
  end
  errors.check_known(given, allowed, who)
  for option, value in pairs(given) do
    local wrong = known[option][1](value)
    if wrong then errors.bad("%s: %s %s", who, option, wrong) end
  end
end

---Checks the options of a signature, as far as they can be known without its task.
---@param given moil.CallOptions
---@param who string        the task's name
function options.check_values(given, who)
  check_values(given, for_calls, who)
end

---Checks the options of a workflow.
---@param given table
---@param kind "chain"|"group"|"chord"
function options.check_workflow(given, kind)
  if given.kwargs ~= nil then
    errors.bad("%s: kwargs are for single jobs: give them to its signatures", kind)
  elseif given.member_failure ~= nil and kind == "chain" then
    errors.bad("chain: member_failure is an option of groups and chords")
  end
  errors.check_known(given, for_workflows, kind)
  for option, value in pairs(given) do
    local row = known[option]
    local wrong = (row and row[1] or member_failure)(value)
    if wrong then errors.bad("%s: %s %s", kind, option, wrong) end
  end
  if given.countdown and given.eta then
    errors.bad("%s: countdown and eta exclude each other", kind)
  end
end

local function check_limits(soft, hard, who)
  if soft and hard and soft >= hard then
    errors.bad("%s: soft_time_limit (%g s) must be less than time_limit (%g s)", who, soft, hard)
  end
end

---Checks the options of a task; raises a BadArgument that names it.
---@param given moil.TaskOptions
---@param who string        the task's name
function options.check_task(given, who)
  check_values(given, for_tasks, who)
  check_limits(given.soft_time_limit, given.time_limit, who)
  if (given.retry_on or given.dont_retry_on) and not given.retry then
    errors.bad("%s: retry_on and dont_retry_on need a policy in `retry`", who)
  end
end

---Checks the limits of a task against those that its worker has for jobs in general.
---@param full moil.TaskOptions with the configuration's defaults
---@param who string        the task's name
function options.check_worker_limits(full, who)
  local held = full.memory_limit
  if held and core.max_memory and held > 2 * core.max_memory then
    errors.bad("%s: memory_limit (%g MB) is more than a job can hold, twice the worker's "
      .. "--max-memory (%g MB)", who, held, core.max_memory)
  end
  local soft, hard = full.soft_time_limit, full.time_limit
  if soft and hard == nil and core.time_limit and soft >= core.time_limit then
    errors.bad("%s: soft_time_limit (%g s) must be less than the worker's --time-limit (%g s)", who,
      soft, core.time_limit)
  elseif hard and soft == nil and core.soft_time_limit and core.soft_time_limit >= hard then
    errors.bad("%s: time_limit (%g s) must be more than the worker's --soft-time-limit (%g s): "
      .. "give the task a soft_time_limit of its own, or false", who, hard, core.soft_time_limit)
  end
end

---Checks the options of a call, knowing those of its task.
---@param given moil.CallOptions
---@param task moil.TaskOptions
---@param who string        the task's name
function options.check_call(given, task, who)
  check_values(given, for_calls, who)
  if given.countdown and given.eta then
    errors.bad("%s: countdown and eta exclude each other", who)
  end
  local soft, hard = given.soft_time_limit, given.time_limit
  if soft ~= nil or hard ~= nil then
    if soft == nil then soft = task.soft_time_limit end
    if hard == nil then hard = task.time_limit end
    check_limits(soft, hard, who)
  end
end

---A policy as data that can travel with a call.
---@param value moil.RetryPolicy|table|false
---@param who string
---@return table|false
function options.retry_data(value, who)
  if type(value) == "function" then
    local data = retry.to_data(value)
    if not data then
      errors.bad("%s: a retry function of your own cannot travel with a call: give it to the task, "
        .. "or use a policy of moil.retry (without `random`)", who)
    end
    return data
  end
  return value and retry.to_data(retry.from_data(value))
end

---A policy as a function.
---@param value moil.RetryPolicy|table|false|nil
---@return moil.RetryPolicy|false|nil
function options.retry_policy(value)
  return type(value) == "table" and retry.from_data(value) or value
end

return options

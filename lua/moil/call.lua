-- From a call to a job: puts the options of call, task and configuration together (in that order of
-- precedence) into the plain description that core.enqueue takes.

local core = require "moil.core"
local config = require "moil.config"
local errors = require "moil.errors"
local options = require "moil.options"
local result = require "moil.result"
local time = require "moil.time"

local call = {}

local NONE <const> = {}

-- name -> the options of a task registered in this process
local registered = {}

---Tells of a task, so that calls by name know its options too.
---@param name string
---@param task moil.TaskOptions
function call.know(name, task)
  registered[name] = task
end

-- Options of the call that travel with the job as they are.
local TRAVEL <const> = { "time_limit", "soft_time_limit", "result_ttl", "ignore_result" }

local function pick(name, given, task)
  if given[name] ~= nil then return given[name] end
  if task[name] ~= nil then return task[name] end
  return config.task_defaults[name]
end

local function check_time(who, name, at, wrong)
  if not at then errors.bad("%s: %s %s", who, name, wrong) end
  return at
end

-- The rarer fields of the envelope (docs/protocol.md, "extra").
local function extra_of(name, given, task)
  local extra = {}
  for _, option in ipairs(TRAVEL) do
    extra[option] = given[option]
  end
  if given.retry ~= nil then
    extra.retry = options.retry_data(given.retry, name)
  end
  local expires = pick("expires", given, task)
  if expires then
    extra.expires = check_time(name, "expires", time.expiry(expires, core.time()))
  end
  extra.headers = pick("headers", given, task)
  extra.max_deliveries = task.max_deliveries or config.task_defaults.max_deliveries
  extra.parent_id, extra.root_id = core.lineage()
  return extra
end

---The queue of a task where the call names none.
---@param name string
---@return string
function call.queue_of(name)
  local task = registered[name]
  return task and task.queue or config.queue_of(name)
end

---The description of a job.
---@param name string       the task
---@param args table        positional arguments; args.n counts trailing nils
---@param given? moil.CallOptions
---@return table
function call.describe(name, args, given)
  local task = registered[name] or NONE
  if given == nil then
    given = NONE
  elseif type(given) ~= "table" then
    errors.bad("%s: options must be a table", name)
  else
    options.check_call(given, task, name)
  end
  local spec = {
    task = name,
    args = args,
    n = math.type(args.n) == "integer" and args.n or #args,
    id = given.id,
    kwargs = given.kwargs,
    queue = given.queue or call.queue_of(name),
    priority = pick("priority", given, task),
    at_front = pick("at_front", given, task),
    extra = extra_of(name, given, task),
  }
  if given.eta then
    spec.due = check_time(name, "eta", time.point(given.eta))
    spec.extra.eta = spec.due
  else
    spec.delay = pick("countdown", given, task)
  end
  return spec
end

-- Options of tasks that hold for each run of an entry too.
local FOR_ENTRIES <const> = { "priority", "at_front", "headers", "expires", "max_deliveries" }

---Puts into an entry of the schedule what its task's options say, where they are known here and it
---says nothing itself.
---@param entry table       plain data
function call.fill_entry(entry)
  local name = entry.task
  if type(name) ~= "string" then return end
  local task = registered[name] or NONE
  for _, option in ipairs(FOR_ENTRIES) do
    entry[option] = pick(option, entry, task)
  end
  if entry.queue == nil then
    entry.queue = task.queue or config.route(name) or config.task_defaults.queue
  end
end

---Enqueues one job.
---@param name string
---@param args table
---@param given? moil.CallOptions
---@return moil.Result
function call.enqueue(name, args, given)
  local spec = call.describe(name, args, given)
  local created = core.enqueue { spec }
  return result.new(spec.id, created[1])
end

---Enqueues many, in order within each queue and priority.
---@param specs table[]     descriptions
---@return moil.Result[]
function call.enqueue_all(specs)
  local created = core.enqueue(specs)
  local results = {}
  for i, spec in ipairs(specs) do
    results[i] = result.new(spec.id, created[i])
  end
  return results
end

---Raises unless it is a list of arguments.
---@param name string
---@param args any
---@return table
function call.check_args(name, args)
  if args == nil then return NONE end
  if type(args) ~= "table" then
    errors.bad("%s: arguments must be a list, such as { 4, 4 }", name)
  end
  for key in pairs(args) do
    if math.type(key) ~= "integer" and key ~= "n" then
      errors.bad("%s: arguments must be a list, such as { 4, 4 }; named ones go into kwargs", name)
    end
  end
  return args
end

return call

-- moil.task: registers a function under a name and gives its handle.

local beat = require "moil.beat"
local call = require "moil.call"
local canvas = require "moil.canvas"
local config = require "moil.config"
local core = require "moil.core"
local errors = require "moil.errors"
local job = require "moil.job"
local native = require "moil.native"
local options = require "moil.options"
local signature = require "moil.signature"

local task = {}

---@class moil.Task
---@field name string
---@overload fun(...): any
local handle = {}
handle.__index = handle
handle.__name = "moil.Task"

local private = setmetatable({}, { __mode = "k" }) -- handle -> { fn, options }
local by_name = {}                                 -- name -> handle
local where_of = {}                                -- name -> "file:line"

---Runs the function here and now, without a queue.
function handle:__call(...)
  local own = private[self]
  if own.options.bind then
    return own.fn(job.direct(self.name, own.options, ...), ...)
  end
  return own.fn(...)
end

function handle:__tostring()
  return "moil.Task " .. self.name
end

---Enqueues a job with these arguments.
---@param ... any
---@return moil.Result
---  add:delay(4, 4)
function handle:delay(...)
  return call.enqueue(self.name, table.pack(...))
end

---Enqueues a job.
---@param args? table       positional arguments; args.n counts trailing nils
---@param given? moil.CallOptions
---@return moil.Result
---  add:apply_async({ 4, 4 }, { countdown = 10, queue = "high" })
function handle:apply_async(args, given)
  return signature.enqueue(self.name, args, given)
end

---A signature of it with these arguments.
---@param ... any
---@return moil.Signature
function handle:s(...)
  return signature.new(self.name, table.pack(...))
end

---An immutable signature: it takes no arguments from what comes before it.
---@param ... any
---@return moil.Signature
function handle:si(...)
  return signature.new(self.name, table.pack(...), nil, true)
end

---Enqueues a job each time that a cron expression says, under the name of an entry: calling it
---again with the same is harmless.
---@param expr string       "0 12 * * *"
---@param name string       for moil.cancel, moil.beat.pause, `moil beat list`
---@param args? table       positional arguments
---@param given? moil.EntryFields
---@return moil.Entry
---  report:cron("0 12 * * *", "noon", { "all" }, { timezone = "Asia/Shanghai" })
function handle:cron(expr, name, args, given)
  return beat.cron(self.name, expr, name, args, given)
end

---Enqueues a job later, or several times: `repeats` times (without it for ever) every `interval`
---seconds, the first of them then.
---@param when moil.Point   a number below 1e9: seconds from now
---@param args? table       positional arguments
---@param given? table      repeats, interval, name, and the options of a call or an entry
---@return moil.Result|moil.Entry an entry where it repeats, whose name (or id) moil.cancel takes
---  add:schedule(60, { 4, 4 })
---  add:schedule("2030-01-01T09:00:00+08:00", { 4, 4 }, { repeats = 5, interval = 10 })
function handle:schedule(when, args, given)
  return beat.schedule(self.name, when, args, given)
end

---A signature of one job that calls it with each item; see moil.map.
---@param items? any[]      none: what comes before it
---@return moil.Signature
---  add_one:map { 1, 2, 3 }
function handle:map(items)
  return canvas.map(self, items)
end

---A signature of one job that calls it with the arguments in each item; see moil.starmap.
---@param items? any[][]
---@return moil.Signature
---  add:starmap { { 1, 1 }, { 2, 2 } }
function handle:starmap(items)
  return canvas.starmap(self, items)
end

---A group of jobs that call it with n items each; see moil.chunks.
---@param items any[][]
---@param n integer
---@return moil.Signature
---  add:chunks({ { 1, 1 }, { 2, 2 }, { 3, 3 } }, 2)
function handle:chunks(items, n)
  return canvas.chunks(self, items, n)
end

-- before_start is composed in once, so that a task without one costs nothing.
local function compose(fn, given)
  local before, own = given.before_start, native.of(fn)
  if not before then return fn end
  if own then
    return function(self)
      before(self)
      return own.job()
    end
  end
  if given.bind then
    return function(self, ...)
      before(self)
      return fn(self, ...)
    end
  end
  return function(self, ...)
    before(self)
    return fn(...)
  end
end

-- The options as C and conclude read them: defaults of the configuration filled in.
local function resolve(name, given, fn)
  local full, own = {}, native.of(fn)
  for key, value in pairs(config.task_defaults) do full[key] = value end
  full.queue = nil
  for key, value in pairs(own and own.options or {}) do full[key] = value end
  if given.retry == false then full.retry_on, full.dont_retry_on = nil, nil end
  for key, value in pairs(given) do full[key] = value end
  options.check_task(full, name)
  options.check_worker_limits(full, name)
  full.retry = options.retry_policy(full.retry)
  full.queue = full.queue or config.queue_of(name)
  full.name = name
  local where = core.where()
  full.where = where ~= "?" and where or own and "C" or "?"
  full.needs_self = full.bind or full.before_start ~= nil
  return full
end

local function check(name, given, fn)
  if not core.is_name(name) then
    errors.bad("moil.task: the name (first argument) must be %s", errors.NAME)
  elseif name:find("^moil%.") then
    errors.bad("moil.task '%s': names that begin with 'moil.' are those of moil's own tasks", name)
  end
  if type(fn) ~= "function" then
    errors.bad("moil.task '%s': the last argument must be the function", name)
  end
  if type(given) ~= "table" then
    errors.bad("moil.task '%s': the options (second argument) must be a table", name)
  end
  local own = native.of(fn)
  if own and given.bind then
    errors.bad("moil.task '%s': bind is for functions in Lua", name)
  elseif not own and native.find(name) then
    errors.bad("moil.task '%s': this is a task in C of the program; register it with"
      .. " moil.native('%s') for its function, or another name", name, name)
  end
  options.check_task(given, name)
  if where_of[name] then
    errors.bad("moil.task: '%s' is registered already, at %s", name, where_of[name])
  end
end

local function add(name, given, fn)
  local full = resolve(name, given, fn)
  if core.register then
    core.register(full, compose(fn, full))
  end
  where_of[name] = full.where
  call.know(name, full)
  local new = setmetatable({ name = name }, handle)
  private[new] = { fn = fn, options = full }
  by_name[name] = new
  return new
end

---Registers a task.
---@param name string
---@param given moil.TaskOptions|function options, or the function when there are none
---@param fn? function
---@return moil.Task
---  local add = moil.task("math.add", function(x, y) return x + y end)
function task.register(name, given, fn)
  if fn == nil and type(given) == "function" then
    given, fn = {}, given
  end
  check(name, given, fn)
  return add(name, given, fn)
end

---Called by C after the last file: registers the tasks in C that no file has registered.
function task.register_natives()
  for _, name in ipairs(core.natives()) do
    if not by_name[name] then
      local fn = native.find(name)
      local ok, err = pcall(check, name, native.of(fn).options, fn)
      if ok then
        ok, err = pcall(add, name, {}, fn)
      end
      if not ok then
        err.where = "task in C"
        error(err, 0)
      end
    end
  end
end

---Registers one of moil's own.
---@param name string       moil.…
---@param fn function
---@return moil.Task
function task.builtin(name, fn)
  return add(name, {}, fn)
end

---The handle of a task that is registered here.
---@param name string
---@return moil.Task?
function task.find(name)
  return by_name[name]
end

return task

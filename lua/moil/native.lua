-- Tasks in C of the program that this worker is a part of: their functions, for Lua.

local core = require "moil.core"
local errors = require "moil.errors"

local native = {}

local by_name = {}                                -- name -> function
local known = setmetatable({}, { __mode = "k" })  -- function -> { job = function, options = table }

---The function of a task in C, or nil.
---@param name string
---@return function?
function native.find(name)
  if by_name[name] or not core.natives then return by_name[name] end
  local fn, job, options = core.native(name)
  if fn then
    by_name[name] = fn
    known[fn] = { job = job, options = options and core.decode(options) or {} }
  end
  return fn
end

---What is behind the function of a task in C: the same for the job that runs, with its own
---arguments, and the options that it was registered with. nil for any other function.
---@param fn function
---@return { job: function, options: moil.TaskOptions }?
function native.of(fn)
  return known[fn]
end

---The function of a task in C: to call it, or to register it with hooks.
---@param name string       as the program registered it (moil_task_register)
---@return function
---  moil.task("thumb.make", { on_failure = tell }, moil.native("thumb.make"))
function native.get(name)
  local fn = type(name) == "string" and native.find(name)
  if fn then return fn end
  return errors.bad("moil.native: this program has no task '%s' in C", tostring(name))
end

return native

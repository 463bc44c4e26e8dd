-- The tasks that every worker has, for workflows: they call tasks that are registered here.

local core = require "moil.core"
local errors = require "moil.errors"
local task = require "moil.task"

-- JSON's null is nil as an argument.
local function argument(v)
  if v == core.null then return nil end
  return v
end

local function arguments(item)
  local n = #item
  local args = table.move(item, 1, n, 1, {})
  for i = 1, n do args[i] = argument(args[i]) end
  return table.unpack(args, 1, n)
end

local function each(items, kwargs, call)
  local name = type(kwargs) == "table" and kwargs.task
  if type(items) ~= "table" or type(name) ~= "string" then
    errors.bad("what came before it is no list, or no task is named")
  end
  local fn = task.find(name)
  if not fn then errors.raise("TaskNotRegistered", "no task '%s' is registered here", name) end
  local results = {}
  for i, item in ipairs(items) do
    local value = call(fn, item)
    results[i] = value == nil and core.null or value
  end
  return results
end

task.builtin("moil.map", function(items, kwargs)
  return each(items, kwargs, function(fn, item) return fn(argument(item)) end)
end)

task.builtin("moil.starmap", function(items, kwargs)
  return each(items, kwargs, function(fn, item)
    if type(item) ~= "table" then errors.bad("an item is no list of arguments") end
    return fn(arguments(item))
  end)
end)

task.builtin("moil.collect", function(value) return value end)

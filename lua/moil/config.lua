-- What moil.lua says about tasks: `routes` and `task_defaults`, checked once.
--
--   routes = { ["img.*"] = "images" }, task_defaults = { time_limit = 60 }

local core = require "moil.core"
local errors = require "moil.errors"
local options = require "moil.options"

local config = {
  ---@type moil.TaskOptions
  task_defaults = {},
}

local exact, patterns = {}, {}

local function to_pattern(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
end

local function read_routes(routes)
  for glob, queue in pairs(routes) do
    if not core.is_name(queue) then
      errors.bad("routes: the queue of '%s' must be %s", tostring(glob), errors.NAME)
    end
    if glob:find("*", 1, true) then
      patterns[#patterns + 1] = { glob = glob, pattern = to_pattern(glob), queue = queue }
    else
      exact[glob] = queue
    end
  end
  table.sort(patterns, function(a, b)
    if #a.glob ~= #b.glob then return #a.glob > #b.glob end
    return a.glob < b.glob
  end)
end

---The queue that the routes give to a task: an exact name first, then the longest pattern.
---@param task string
---@return string?
function config.route(task)
  if exact[task] then return exact[task] end
  for _, route in ipairs(patterns) do
    if task:find(route.pattern) then return route.queue end
  end
end

---The queue of a task that names none itself.
---@param task string
---@return string
function config.queue_of(task)
  return config.route(task) or config.task_defaults.queue or "default"
end

if core.config then
  local given, wrong = core.decode(core.config)
  if type(given) ~= "table" then errors.bad("configuration: %s", wrong or "must be a table") end
  read_routes(given.routes or {})
  options.check_task(given.task_defaults or {}, "task_defaults")
  config.task_defaults = given.task_defaults or {}
end

return config

-- Tests of tasks without Redis and without waiting: a world in memory in which the library is the
-- real one, jobs run here and now, and the clock moves when nothing is left to do.
--
--   local testing = require "moil.testing"
--   local world = testing.new { tasks = "tasks" }
--   assert.equal(8, world:task("math.add"):delay(4, 4):get())
--   world:close()

local base = require "moil.core"
local deeds = require "moil.testing.deeds"
local errors = require "moil.errors"
local looks = require "moil.testing.looks"
local world = require "moil.testing.world"

deeds.add_to(world)
looks.add_to(world)

local testing = {}

local NUMBER_MAX <const> = 1e11 -- seconds, too, that fit into the clock
local NOW <const> = 1767225600 -- 2026-01-01T00:00:00Z

---@class moil.WorldOptions
---@field tasks? string|string[]  files and folders, as for `moil worker`
---@field beat? string|table      a beat file, or its table
---@field config? string|table    a moil.lua, or its table: routes, task_defaults, time limits
---@field now? number             seconds since the epoch; the start of 2026 (UTC) when not said
---@field seed? integer           of all that is left to chance; 1 when not said
---@field shuffle? boolean        jobs that are ready run in an order of chance within a priority
---@field queues? string[]        only these are served, in this strict order; else all
---@field time_limit? number|false seconds, of jobs whose task says nothing; 3600 when not said
---@field soft_time_limit? number
---@field busy_limit? number      CPU seconds after which a job that never waits is taken to have
---reached its limit; 2 when not said
---@field run? table|function     see world:stub_run
---@field native? table<string, function> see world:stub_native
---@field steps? integer          after which a question comes to no end; 100,000 when not said, and
---of world:advance 1,000,000

local known = {
  tasks = "table or string", beat = "table or string", config = "table or string",
  now = "number", seed = "number", shuffle = "boolean", queues = "table",
  time_limit = "number or boolean", soft_time_limit = "number", busy_limit = "number",
  run = "table or function", native = "table", steps = "number",
}

-- What an option must be beyond its type.
local valid = {
  seed = { math.tointeger, "a whole number" },
  time_limit = { function(v) return v ~= true end, "seconds, or false for none" },
  busy_limit = { function(v) return v > 0 end, "more than 0 seconds" },
  steps = { function(v) return math.type(v) == "integer" and v > 0 end, "a whole number from 1" },
}

local function check(given)
  if type(given) ~= "table" then error("testing.new: takes a table of options", 3) end
  for key, value in pairs(given) do
    local types = known[key]
    if not types then
      local near = type(key) == "string" and errors.nearest(key, known)
      error(("testing.new: unknown option '%s'%s"):format(tostring(key),
        near and (", did you mean '%s'?"):format(near) or ""), 3)
    end
    if not types:find(type(value), 1, true) then
      error(("testing.new: %s must be a %s"):format(key, types), 3)
    end
    if type(value) == "number" and not (value >= 0 and value <= NUMBER_MAX)
      and not (key == "busy_limit" and value == math.huge) then
      error(("testing.new: %s must be a number from 0 to %g"):format(key, NUMBER_MAX), 3)
    end
    if valid[key] and not valid[key][1](value) then
      error(("testing.new: %s must be %s"):format(key, valid[key][2]), 3)
    end
  end
end

-- What of a moil.lua concerns tasks.
local function config_of(given)
  local config = given.config or {}
  if type(config) == "string" then
    local chunk, wrong = loadfile(config, "t")
    if not chunk then error(wrong, 3) end
    config = chunk()
  end
  given.config = { routes = config.routes, task_defaults = config.task_defaults }
  if given.time_limit == nil then given.time_limit = config.time_limit end
  if given.soft_time_limit == nil then given.soft_time_limit = config.soft_time_limit end
end

local open -- the world whose library `require` gives

---A new world. Only one is open at a time: the one before is closed.
---@param given? moil.WorldOptions
---@return moil.World
---  local world = testing.new { tasks = "tasks", seed = 7, shuffle = true }
function testing.new(given)
  given = given or {}
  check(given)
  local options = {}
  for key, value in pairs(given) do options[key] = value end
  config_of(options)
  options.now, options.seed = options.now or NOW, options.seed or 1
  if open then open:close() end
  open = world.new(base, options)
  local tasks = options.tasks or {}
  for _, path in ipairs(type(tasks) == "table" and tasks or { tasks }) do open:load(path) end
  if options.beat then open:beat(options.beat) end
  return open
end

---As world:assert_enqueued.
---@param of moil.World
---@param wanted string|table
---@param count? integer
---@return table
function testing.assert_enqueued(of, wanted, count)
  return of:assert_enqueued(wanted, count)
end

return testing

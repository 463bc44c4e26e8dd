-- What the specs of src/vm and lua/moil share: a vm with tasks given as text, and a host whose
-- answers the spec gives.
--
--   local vm = driver.new { source = [[moil.task("f", function() moil.sleep(1) end)]] }
--   local run = vm:start { task = "f" }
--   assert.equal("waiting", run:resume())

local support = require "spec.support"
local units = support.units.vm

local driver = { units = units }
units.setup()

local PRELUDE <const> = 'local moil = require "moil" '

---Writes a task file (with `moil` required, on its first line) into a folder of its own.
---@param source string
---@return string path
function driver.file(source)
  return support.write(support.tempdir() .. "/tasks.lua", PRELUDE .. source)
end

---@param options { source?: string, host?: table, config?: string, max_payload?: integer,
-- lua_dir?: string, time_limit?: number, soft_time_limit?: number }
---@return table vm
---@return string path of the task file
function driver.new(options)
  local vm = assert(units.new {
    host = options.host or {},
    config = options.config,
    max_payload = options.max_payload,
    lua_dir = options.lua_dir,
    time_limit = options.time_limit,
    soft_time_limit = options.soft_time_limit,
  })
  local path = driver.file(options.source or "")
  assert(vm:load(path))
  vm:seal()
  return vm, path
end

---Runs a job to its end: its outcome, the value as a Lua value, the delay in ms.
---@param vm table
---@param job table|string  or the task's name
function driver.run(vm, job)
  local run = vm:start(type(job) == "string" and { task = job } or job)
  local kind, value, delay = run:resume()
  assert(kind ~= "waiting", "the job waits")
  run:free()
  return kind, value and support.json_decode(value), delay, value
end

---The line that is wrong with a task file.
---@param source string
---@return string
function driver.load_error(source, options)
  options = options or {}
  options.host = options.host or {}
  local vm, wrong = units.new(options)
  if not vm then return wrong end
  local ok, message = vm:load(driver.file(source))
  assert(not ok, "it loads")
  return message
end

return driver

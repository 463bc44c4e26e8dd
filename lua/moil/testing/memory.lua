-- The memory that a run may hold in a replay, whose Lua state counts it (src/vm/vm.c, `hold`); what
-- src/vm/allowance.c does in a worker. In other worlds nothing counts, and no run has a bound.
-- Called by runner.lua.

local stage = require "moil.testing.stage"

local MB <const> = 1024 * 1024
local CONCLUDE_BYTES <const> = 16 * MB -- for hooks, after a job that had a limit

local memory = {}

local function limit_of(world, task)
  local mb, most = task.memory_limit, world.max_memory and 2 * world.max_memory
  if mb == nil then mb = world.memory_limit end
  mb = mb and math.min(mb, most or mb) or most
  return world.hold and mb and math.tointeger(math.floor(mb * MB))
end

local function bound(world, run, bytes)
  run.may_hold = bytes and world.hold(0) + bytes
end

---Before its function is called.
---@param world table
---@param run table
function memory.begin(world, run)
  run.memory = limit_of(world, run.task.options)
  bound(world, run, run.memory)
end

---Before its policy and hooks: what it held is released.
---@param world table
---@param run table
function memory.conclude(world, run)
  if not run.memory then return end
  run.starved = false
  collectgarbage()
  bound(world, run, math.min(run.memory, CONCLUDE_BYTES))
end

local function note(world, run, ...)
  run.starved = select(2, world.hold(0)) or run.starved
  return ...
end

---The run's thread, within its bound.
---@param world table
---@param run table
---@return ...              as of coroutine.resume
function memory.resume(world, run, ...)
  if not run.may_hold then return stage.raw.resume(run.co, ...) end
  world.hold(run.may_hold)
  return note(world, run, stage.raw.resume(run.co, ...))
end

---Whether something was refused to it. To be asked while it is on the CPU.
---@param world table
---@param run table
---@return boolean
function memory.is_short(world, run)
  if run.may_hold and select(2, world.hold(run.may_hold)) then run.starved = true end
  return run.starved or false
end

---@param run table
---@return string
function memory.describe(run)
  return ("the memory limit of %.6g MB was exceeded"):format(run.memory / MB)
end

return memory

-- `moil.core` of a moil.testing world: what src/vm/bind*.c offers the library in a worker, over a
-- world in place of a host. What asks nobody (JSON, names, errors) is that of the real core.

local jobs = require "moil.testing.jobs"
local links = require "moil.testing.links"
local random = require "moil.testing.random"
local runner = require "moil.testing.runner"
local stage = require "moil.testing.stage"
local submit = require "moil.testing.submit"

local core = {}

local TAKEN <const> = {
  "encode", "decode", "raise", "where", "is_name", "is_builtin_state", "library", "null",
  "object_meta", "error_meta",
}

local DEADLINE_S <const> = 5 -- of a producer whose Redis is away
local DEFAULT_LIMIT <const> = 250
local CONTROL_S <const> = 1 -- that a command of the tasks' own may take
local UNKNOWN_HERE <const> = "no job under this id in the replay, which knows only what the job "
  .. "itself enqueues"
local UNKNOWN <const> = "no job under this id: never enqueued, or its result was not kept"

-- --- waiting -------------------------------------------------------------------------------------

local function check_yieldable(world)
  if not coroutine.isyieldable() then
    world.base.raise("BadArgument", "cannot wait here: inside of a C function that calls back "
      .. "(table.sort, string.gsub, require), a metamethod or a <close> variable that cannot be "
      .. "suspended")
  end
end

-- Suspends the job that runs; `begin(run)` sees to it that runner.answer is called, and returns
-- what gives that up.
local function suspend(world, begin)
  check_yieldable(world)
  local run = world.running
  run.abandon = begin(run)
  local answer = stage.raw.yield(stage.TOKEN, "wait")
  return answer()
end

local function check_running(world)
  if world.loading then
    world.base.raise("BadArgument",
      "this needs a running job: it cannot be called while files are loaded")
  end
end

local function sleep(world, seconds)
  check_running(world)
  local q = world.q
  if not world.running then
    world:drive(function() return false end, q.now_us + q.to_us(seconds))
    return
  end
  return suspend(world, function(run)
    local timer = q:at(q.now_us + math.max(1, math.tointeger(math.floor(seconds * 1e6))), function()
      runner.answer(world, run, function() end)
    end)
    return function() q:cancel(timer) end
  end)
end

-- Raises where the world is closed, or Redis is still away when a producer's deadline has passed.
local function reach(world)
  if world.closed then world.base.raise("BadArgument", "this test world is closed") end
  check_running(world)
  local q = world.q
  if q.now_us >= (world.down_until or 0) then return end
  local left = (world.down_until - q.now_us) / 1e6
  sleep(world, math.min(left, DEADLINE_S))
  if q.now_us < (world.down_until or 0) then
    world.base.raise("RedisUnavailable", "redis (of the test world): connection refused")
  end
end

-- --- results -------------------------------------------------------------------------------------

local FINAL <const> = { SUCCESS = true, FAILURE = true, REVOKED = true }

local function unknown(world)
  world.base.raise("UnknownJob", world.replays and UNKNOWN_HERE or UNKNOWN)
end

-- state, JSON text (, token), or nothing yet
local function look(world, id, progress, seen)
  local job = world.q:find(id)
  if not job then unknown(world) end
  if FINAL[job.state] and (job.place == "ended" or job.place == "dead") then
    return job.state, job.value or ""
  end
  local note = progress and job.place == "running" and job.note
  if note and note.token ~= seen then return note.state, note.meta or "", note.token end
end

local function timed_out(world)
  world.base.raise("Timeout", "the job did not end within the time given")
end

-- Outside of jobs: the world goes on until it has ended.
local function wait_outside(world, id, left, progress, seen)
  local answer
  local function is_there()
    answer = table.pack(look(world, id, progress, seen))
    return answer[1] ~= nil
  end
  local deadline = left >= 0 and world.q.now_us + math.tointeger(math.floor(left * 1e6)) or nil
  if world:drive(is_there, deadline) then return table.unpack(answer, 1, answer.n) end
  if deadline then timed_out(world) end
  local job = world.q:find(id)
  world.base.raise("Timeout", ("nothing is left to do in the test world, and the job %s (%s) is "
    .. "still %s: it would be waited for in vain"):format(id, job.task, jobs.state_of(job)))
end

-- What a replayed job enqueues runs when it waits for something.
local function let_others_run(world)
  local held = world.replays
  if not held or held.awaits then return end
  world.replays = { awaits = true }
  for _, job in ipairs(held) do world.q:push(job) end
end

local function wait_inside(world, id, left, progress, seen)
  local q, run = world.q, world.running
  let_others_run(world)
  return suspend(world, function()
    local forget, timer
    local function again()
      return table.unpack(table.pack(look(world, id, progress, seen)))
    end
    local function wake()
      local ok, state = pcall(again)
      if ok and not state then -- progress that it does not ask for
        forget = q:await(id, wake)
        return
      end
      runner.answer(world, run, again)
    end
    forget = q:await(id, wake)
    if left >= 0 then
      timer = q:at(q.now_us + math.tointeger(math.floor(left * 1e6)), function()
        runner.answer(world, run, function() timed_out(world) end)
      end)
    end
    return function()
      forget()
      q:cancel(timer)
    end
  end)
end

local function wait(world, id, left, progress, seen)
  reach(world)
  local state, text, token = look(world, id, progress, seen)
  if state then return state, text, token end
  if world.running then return wait_inside(world, id, left, progress, seen) end
  return wait_outside(world, id, left, progress, seen)
end

-- --- a page of a group ---------------------------------------------------------------------------

local function member_of(q, id, what)
  local job = q:find(id)
  if not job then return "UNKNOWN", "" end
  local ended = job.place == "ended" or job.place == "dead"
  if job.task == "moil.group" and (what == "s" or not ended or job.state == "SUCCESS") then
    return "GROUP", ""
  end
  if not ended then return "PENDING", "" end
  return job.state, what == "v" and job.value or ""
end

local function gather(world, gid, from, limit, what)
  reach(world)
  local q = world.q
  local members, group = q.members[gid], q:find(gid)
  if not members and not group then
    world.base.raise("UnknownJob", "no such group: never enqueued, or its results have expired")
  end
  members = members or {}
  local ids, states, values = {}, {}, {}
  for i = from + 1, math.min(from + (limit or DEFAULT_LIMIT), #members) do
    ids[#ids + 1] = members[i]
    states[#ids], values[#ids] = member_of(q, members[i], what or "v")
  end
  local open = group and group.place == "deferred" and group.open or 0
  return #members, open, ids, states, values
end

-- --- the table -----------------------------------------------------------------------------------

local function add_jobs(c, world)
  local q = world.q

  function c.enqueue(specs)
    if #specs == 0 then return {} end
    reach(world)
    return submit.enqueue(q, specs)
  end

  function c.submit(plan)
    reach(world)
    if not plan.stage_only then return submit.accept(q, plan) end
    world.staged = (world.staged or 0) + 1
    local token = "staged-" .. world.staged
    world[token] = submit.stage(q, plan)
    return token
  end

  function c.extend(group, plan)
    reach(world)
    return submit.extend(q, group, plan)
  end

  function c.gather(...) return gather(world, ...) end
  function c.wait(...) return wait(world, ...) end

  local function query(fn)
    return function(id, ...)
      reach(world)
      local answer = fn(id, ...)
      if answer == nil then unknown(world) end
      return answer
    end
  end

  c.inspect = query(function(id)
    local job = q:find(id)
    return job and world.base.encode(world:describe(job))
  end)
  c.revoke = query(function(id, terminate) return q:revoke(id, terminate or false) end)
  c.reschedule = query(function(id, countdown, eta)
    return q:reschedule(id, eta and eta ~= 0 and q.to_us(eta)
      or q.now_us + q.to_us(countdown or 0))
  end)
  c.forget = query(function(id) return q:forget(id) end)
  c.delete = query(function(id) return q:delete(id) end)
end

local function add_own(c, world)
  function c.register(options, fn)
    if world.running then
      world.base.raise("BadArgument",
        "moil.task: tasks are registered while files are loaded, not in a job")
    end
    world.tasks[options.name] = { options = options, fn = fn }
  end

  function c.register_control(options, fn)
    world.tasks["moil.control." .. options.name] = {
      options = { time_limit = options.time_limit or CONTROL_S, name = options.name }, fn = fn,
    }
  end

  c.natives = true
  function c.native(name)
    local fn = world.natives[name]
    return fn, fn
  end

  -- moil.control finds no nodes: a world has none.
  function c.control_ask() end
  function c.control_hear() end
  function c.control_limits() return "0" end
  function c.control_limit() return "a test world has no nodes" end

  function c.current()
    return world.running and runner.self_of(world, world.running) or nil
  end

  function c.lineage()
    local run = world.running
    if not run then return end
    return run.job.id, run.job.extra.root_id or run.job.id
  end

  function c.stop(kind, err, delay)
    local run = world.running
    if not run then world.base.raise("BadArgument", "no job is running here") end
    if run.phase ~= "call" then
      world.base.raise("BadArgument", "a hook cannot retry, reject, ignore or replace: the outcome "
        .. "is decided already")
    end
    if not run.stopped then
      local value = kind == "replace" and world[err] or world.base.encode(err, "reason")
      run.stopped, run.exhausted = { kind, value, delay }, kind == "failure"
    end
    if not coroutine.isyieldable() then
      world.base.raise("Stopped", "the job ends here (self:retry, reject, ignore or replace)")
    end
    return stage.raw.yield(stage.TOKEN, "stop")
  end

  function c.update_state(state, meta)
    local run = world.running
    if not run then
      world.base.raise("BadArgument", "only a running job has a state to update")
    end
    local text, wrong = nil, nil
    if meta ~= nil then text, wrong = world.base.encode(meta, "meta") end
    if wrong then world.base.raise("BadArgument", wrong) end
    world.notes = (world.notes or 0) + 1
    run.job.note = { state = state, meta = text, token = tostring(world.notes) }
    table.insert(run.entry.states, { state = state, meta = text and world.base.decode(text) })
    world.q:tell(run.job)
  end

  function c.spawn(argv, input, timeout, ...)
    check_running(world)
    local left = world.running and runner.left(world, world.running)
    if not left or (timeout >= 0 and timeout <= left) then -- -1: none
      return world:spawn(argv, input, timeout, ...)
    end
    local answer = table.pack(world:spawn(argv, input, left, ...))
    if not answer[5] then return table.unpack(answer, 1, answer.n) end
    world.q.now_us = world.q.now_us + math.tointeger(math.ceil(left * 1e6))
    return suspend(world, function() end) -- until the limit, which is now
  end

  function c.connect() end
end

---The core of a world.
---@param world table
---@return table
function core.of(world)
  local c = {}
  for _, name in ipairs(TAKEN) do c[name] = world.base[name] end
  local q = world.q
  c.config = world.base.encode(setmetatable(world.config, world.base.object_meta))
  c.time_limit, c.soft_time_limit = world.time_limit or nil, world.soft_time_limit or nil
  function c.uuid() return random.id(world.random) end
  q.new_id = c.uuid
  function c.now() return q.now_us / 1e6 end
  function c.time() return q.now_us / 1e6 end
  function c.log(level, message, fields) world:log(level, message, fields) end
  function c.sleep(seconds) return sleep(world, seconds) end
  add_jobs(c, world)
  add_own(c, world)
  world.beats:add_core(c, function() reach(world) end)
  return c
end

---The value of a group, as the job gets it that takes it; for descriptions.
core.gathered = links.gathered

return core

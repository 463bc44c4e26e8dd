-- One run of a job in a moil.testing world: its coroutine, its limits in virtual time, what it came
-- to, and retry policy and hooks behind that (lua/moil/job.lua decides, as in a worker). What
-- src/vm/run.c, worker/delivery.c and worker/verdict.c do in the real thing.

local links = require "moil.testing.links"
local memory = require "moil.testing.memory"
local stage = require "moil.testing.stage"
local submit = require "moil.testing.submit"

local TIME_LIMIT_S <const> = 3600
local CONCLUDE_US <const> = 10 * 1000000 -- that hooks get after a timeout
local DELIVERIES_MAX <const> = 3
local LOSSES_MAX <const> = 10
local UNREGISTERED_S <const> = 60
local UNREGISTERED_AGAIN_S <const> = 2
local HOOK_COUNT <const> = 100000 -- instructions between looks at the CPU's clock
local MEMORY_HOOK_COUNT <const> = 1000 -- … and whether it has caught that memory was refused
local CODE_MAX <const>, MESSAGE_MAX <const>, TRACEBACK_MAX <const> = 200, 8 * 1024, 16 * 1024
local PAYLOAD_MAX <const> = 1024 * 1024

local runner = {}

-- --- errors --------------------------------------------------------------------------------------

local function error_text(world, code, message, traceback)
  local err = {
    code = code:sub(1, CODE_MAX), message = message:sub(1, MESSAGE_MAX),
    traceback = traceback and traceback:sub(1, TRACEBACK_MAX),
  }
  local text = world.base.encode(err)
  if text then return text end
  for key, value in pairs(err) do err[key] = value:gsub("[\128-\255]", "?") end
  return world.base.encode(err)
end

-- Anything can be raised.
local function failure_text(world, err, traceback)
  local code, message = "Error", nil
  if type(err) == "table" then
    if err.code ~= nil then code = tostring(err.code) end
    if err.message ~= nil then message = tostring(err.message) end
    if err.traceback ~= nil then traceback = tostring(err.traceback) end
  end
  if not message then
    local ok, text = pcall(tostring, err)
    message = ok and text or "(an error value that cannot be shown)"
  end
  return error_text(world, code, message, traceback)
end

-- Without the world's own lines.
local function traceback_of(co)
  return (debug.traceback(co):gsub("\n[^\n]*moil/testing[^\n]*", ""))
end

-- --- self ----------------------------------------------------------------------------------------

local COPIED <const> = { "eta", "parent_id", "root_id", "group_id", "workflow_id", "headers" }

local function decode(world, text, default)
  if not text then return default end
  local value = world.base.decode(text)
  return value == nil and default or value
end

local function self_of(world, run)
  local job, task = run.job, run.task
  local self = {
    id = job.id, task = job.task, queue = job.queue, worker = "test", retries = job.retries,
    attempt = job.retries + 1, deliveries = run.entry.deliveries, root_id = job.id,
    args = decode(world, run.args_text, {}), kwargs = decode(world, job.kwargs, {}), headers = {},
    options = task.options,
  }
  for _, field in ipairs(COPIED) do
    if job.extra[field] ~= nil then self[field] = job.extra[field] end
  end
  self.retry_data = job.extra.retry
  return setmetatable(self, world.library.job.self_meta)
end

-- --- limits --------------------------------------------------------------------------------------

-- What the call said, else the task, else the worker; nil: none.
local function limit_of(call, task, worker)
  local s = call
  if s == nil then s = task end
  if s == nil then s = worker end
  return s and s > 0 and math.tointeger(math.floor(s * 1e6)) or nil
end

local function set_limits(world, run)
  local extra, task = run.job.extra, run.task.options
  local default = world.time_limit
  if default == nil then default = TIME_LIMIT_S end
  local hard = limit_of(extra.time_limit, task.time_limit, default)
  local soft = limit_of(extra.soft_time_limit, task.soft_time_limit, world.soft_time_limit)
  run.hard_us = hard and world.q.now_us + hard
  run.soft_us = soft and world.q.now_us + soft
end

-- A task that computes without an end stands still in virtual time: CPU time tells.
local function guard(world, run, co)
  if not (run.hard_us or run.soft_us or run.may_hold) or debug.gethook(co) then return end
  local from, begun_us = os.clock(), world.q.now_us
  local function limit() -- of a replay: its own limits are CPU time, too
    if world.busy_limit < math.huge then return world.busy_limit end
    local at = run.phase == "call" and run.soft_us or run.hard_us
    return at and (at - begun_us) / 1e6 or math.huge
  end
  local function look()
    if memory.is_short(world, run) then -- it has caught the error
      debug.sethook(co, look, "", 1) -- until it is out of all that catches
    end
    if run.starved then error("not enough memory", 0) end
    if os.clock() - from < limit() then return end
    from = os.clock()
    if run.soft_us and run.phase == "call" then
      world.q.now_us = math.max(world.q.now_us, run.soft_us)
      run.soft_us = nil
      world.base.raise("SoftTimeLimitExceeded", "the soft time limit has passed")
    elseif run.hard_us then
      world.q.now_us = math.max(world.q.now_us, run.hard_us)
      run.overran, from = true, -math.huge
      run.overran_at = run.overran_at or traceback_of(co)
      debug.sethook(co, look, "", 1)
      error("the time limit has passed", 0)
    end
  end
  pcall(debug.sethook, co, look, "", run.may_hold and MEMORY_HOOK_COUNT or HOOK_COUNT)
end

-- --- a stretch on the CPU ------------------------------------------------------------------------

local advance -- (world, run, ...)

local function new_thread(world, run, fn)
  run.co = stage.raw.create(fn)
  guard(world, run, run.co)
end

local function close_thread(run)
  local co = run.co
  run.co = nil
  if co and coroutine.status(co) ~= "dead" then coroutine.close(co) end
  run.abandon = nil
end

-- The run's thread goes on until it waits or ends.
local function turn(world, run, ...)
  local outer, outer_thread = world.running, world.turn_of
  world.running, world.turn_of = run, run.co
  local answer = table.pack(stage.within(world, true, memory.resume, world, run, ...))
  world.running, world.turn_of = outer, outer_thread
  return answer
end

-- Gives up what it waits for.
local function abandon(world, run)
  world.q:cancel(run.limit)
  run.limit = nil
  if run.abandon then run.abandon() end
  run.abandon = nil
end

local function go_on(world, run, ...)
  abandon(world, run)
  advance(world, run, ...)
end

---The answer to what a run waits for has come: it goes on when it gets its turn.
---@param world table
---@param run table
---@param fn fun(): ...     gives what the call returns; what it raises is raised there
function runner.answer(world, run, fn)
  abandon(world, run)
  run.answered = true
  world.q:offer_run(run, function()
    if not run.answered then return end
    run.answered = nil
    go_on(world, run, fn)
  end)
end

local end_call, conclude

-- Whether it may not wait so long.
local function expire(world, run)
  run.answered = nil
  if run.soft_us and (not run.hard_us or run.soft_us < run.hard_us) then
    run.soft_us = nil
    return go_on(world, run, function()
      world.base.raise("SoftTimeLimitExceeded", "the soft time limit has passed")
    end)
  end
  abandon(world, run)
  run.overran = true
  if run.phase == "call" then
    end_call(world, run, nil)
  else
    world:log("error", "hooks and retry policy took longer than the limit")
    conclude(world, run, true)
  end
end

local function next_limit_us(run)
  local at = run.soft_us or run.hard_us
  if run.hard_us and at and run.hard_us < at then at = run.hard_us end
  return at
end

---Seconds until a run reaches its next limit, at least a moment; nil: it has none.
---@param world table
---@param run table
---@return number?
function runner.left(world, run)
  local at = next_limit_us(run)
  return at and math.max(at - world.q.now_us, 1000) / 1e6
end

local function watch(world, run)
  local at = next_limit_us(run)
  if at then
    run.limit = world.q:at(at, function()
      run.limit = nil
      expire(world, run)
    end)
  end
end

function advance(world, run, ...)
  local answer = turn(world, run, ...)
  if answer[2] == stage.TOKEN and answer[1] and coroutine.status(run.co) == "suspended" then
    if answer[3] == "wait" then
      if not run.answered then watch(world, run) end
      return
    end
    return end_call(world, run, nil) -- self:retry, reject, ignore, replace
  end
  if run.phase == "call" then return end_call(world, run, answer) end
  if not answer[1] then
    world:log("error", "hooks failed: " .. tostring(answer[2]))
  elseif run.kind == "failure" and math.type(answer[2]) then
    run.kind, run.delay = "retry", answer[2]
  end
  conclude(world, run, true)
end

-- --- from the thread's end to the outcome --------------------------------------------------------

local function fail_with(world, run, code, message, traceback)
  run.kind, run.value = "failure", error_text(world, code, message, traceback)
end

local function take_result(world, run, value)
  local text, wrong = world.base.encode(value == nil and world.base.null or value, "result")
  if not text then
    fail_with(world, run, "BadArgument", wrong)
  elseif #text > PAYLOAD_MAX then
    fail_with(world, run, "TooLarge", ("a result of more than the %d bytes allowed")
      :format(PAYLOAD_MAX))
  else
    run.kind, run.value = "success", text
  end
end

-- answer: what the thread's last resume came to, or nil where it was ended.
function end_call(world, run, answer)
  if run.overran then
    run.timed_out = true
    fail_with(world, run, "TimeLimitExceeded", "the time limit has passed",
      run.overran_at or traceback_of(run.co))
  elseif run.starved then
    fail_with(world, run, "MemoryLimitExceeded", memory.describe(run),
      traceback_of(run.co))
  elseif run.stopped then
    run.kind, run.value, run.delay = table.unpack(run.stopped, 1, 3)
  elseif answer[1] then
    take_result(world, run, answer[2])
  else
    run.kind = "failure"
    run.value = failure_text(world, answer[2], traceback_of(run.co))
  end
  close_thread(run)
  world:ran(run)
  if run.lost == "after" then return run.lose() end
  conclude(world, run, false)
end

local function stays(world, run, state)
  local extra, task = run.job.extra, run.task and run.task.options or {}
  local ttl = extra.result_ttl
  if ttl == nil then ttl = task.result_ttl end
  local ignored = extra.ignore_result
  if ignored == nil then ignored = task.ignore_result end
  if state == "SUCCESS" and ignored then ttl = 0 end
  if ttl == nil then ttl = world.result_ttl end
  return ttl
end

local function retry(world, run)
  local q, job = world.q, run.job
  job.retries = job.retries + 1
  job.last_error, job.note, job.run = run.value, nil, nil
  local delay_us = q.to_us(run.delay or 0)
  if delay_us > 0 then
    q:delay(job, q.now_us + delay_us)
  else
    q:push(job)
  end
end

local settle = {
  success = function(world, run)
    world.q:finish(run.job, "SUCCESS", run.value, stays(world, run, "SUCCESS"))
  end,
  failure = function(world, run) world.q:bury(run.job, run.value) end,
  reject = function(world, run) world.q:bury(run.job, run.value) end,
  ignore = function(world, run)
    world.q:finish(run.job, "IGNORED", '{"code":"Ignored","message":"it ended without a result"}')
  end,
  revoked = function(world, run)
    world.q:finish(run.job, "REVOKED", '{"code":"Revoked","message":"revoked"}',
      stays(world, run, "REVOKED"))
  end,
  retry = retry,
  replace = function(world, run) submit.replace(world.q, run.job, run.value) end,
}

-- The second phase, where one is wanted; over: it has ended.
function conclude(world, run, over)
  if over or run.kind == "ignore" or run.kind == "replace" then
    close_thread(run)
    world.q:cancel(run.limit)
    run.phase = "over"
    run.entry.outcome, run.entry.delay = run.kind, run.kind == "retry" and run.delay or nil
    run.job.note = nil
    return settle[run.kind](world, run)
  end
  run.soft_us = nil
  if run.timed_out or (run.hard_us and run.hard_us <= world.q.now_us) then
    run.hard_us = world.q.now_us + CONCLUDE_US
  end
  run.timed_out, run.overran, run.phase = false, false, "conclude"
  memory.conclude(world, run)
  run.self = run.self or self_of(world, run)
  local kind = run.exhausted and "exhausted" or run.kind
  local value = decode(world, run.value, nil)
  new_thread(world, run, function()
    return world.library.job.conclude(run.self, kind, value, run.delay or 0)
  end)
  advance(world, run)
end

-- --- what becomes of deliveries ------------------------------------------------------------------

local function lose_at(world, run, kind)
  return function()
    local q, job = world.q, run.job
    local count = kind == "crash" and "crashes" or "losses"
    local most = kind == "crash"
      and (job.extra.max_deliveries or run.task.options.max_deliveries or DELIVERIES_MAX)
      or LOSSES_MAX
    job[count] = job[count] + 1
    job.note, job.run, run.phase = nil, nil, "over"
    run.entry.outcome = "lost"
    q:cancel(run.limit)
    if job[count] >= most then
      job.verdict = kind == "crash"
        and '{"code":"WorkerLost","message":"its worker process was killed by signal 11 '
          .. '(Segmentation fault) while running it"}'
        or '{"code":"WorkerLost","message":"its node vanished, too often, while running it"}'
    end
    q:push(job, true)
  end
end

-- The fault that a spec asked for at this run.
local function fault_at(world, run)
  local fault = world.faults:at(run.job.task)
  if not fault then return end
  if fault.kind == "error" then
    run.fault = fault
  elseif fault.kind == "crash" or fault.kind == "loss" then
    run.lost, run.lose = fault.where, lose_at(world, run, fault.kind)
  end
end

local function arguments_of(world, run)
  local job, base = run.job, world.base
  local texts = {}
  if job.extra.gather then texts[1] = links.gathered(world.q, job.extra.gather) end
  table.move(job.front, 1, #job.front, #texts + 1, texts)
  table.move(job.args, 1, #job.args, #texts + 1, texts)
  run.args_text = "[" .. table.concat(texts, ",") .. "]"
  local args, n = {}, #texts
  for i = 1, n do
    local value = base.decode(texts[i])
    if value ~= base.null then args[i] = value end
  end
  if job.kwargs then
    n = n + 1
    args[n] = base.decode(job.kwargs)
  end
  return args, n
end

local function unregistered(world, job)
  local q = world.q
  job.missing_us = job.missing_us or q.now_us
  if q.now_us - job.missing_us >= UNREGISTERED_S * 1000000 then
    return q:bury(job, error_text(world, "TaskNotRegistered", ("no worker registers the task %s; "
      .. "it can be replayed from the dead set"):format(job.task)))
  end
  q:delay(job, q.now_us + UNREGISTERED_AGAIN_S * 1000000)
end

local function terminate(world, run)
  return function()
    if run.phase == "over" or run == world.running then return end
    run.answered = nil
    abandon(world, run)
    close_thread(run)
    run.kind, run.value = "revoked", '{"code":"Revoked","message":"revoked"}'
    run.timed_out = true
    if run.phase == "call" then
      world:ran(run)
      conclude(world, run, false)
    else
      conclude(world, run, true)
    end
  end
end

local function call(world, run)
  local args, n = arguments_of(world, run)
  if run.task.options.needs_self then run.self = self_of(world, run) end
  local fault = run.fault
  memory.begin(world, run)
  new_thread(world, run, function()
    if fault then error(fault.err, fault.level or 0) end
    if run.self then return (run.task.fn(run.self, table.unpack(args, 1, n))) end
    return (run.task.fn(table.unpack(args, 1, n)))
  end)
  advance(world, run)
end

---Starts a job.
---@param world table
---@param job table
---@return table?           the run; nil: its function is not called
function runner.start(world, job)
  local q = world.q
  if job.extra.expires and q:time() > job.extra.expires then
    q:finish(job, "REVOKED",
      '{"code":"Expired","message":"it was not started before it expired"}',
      stays(world, { job = job, task = world.tasks[job.task] }, "REVOKED"))
    return nil
  end
  local task = world.tasks[job.task]
  if not task then
    unregistered(world, job)
    return nil
  end
  local run = { job = job, task = task, phase = "call", entry = world:starts(job) }
  job.condemned = job.verdict ~= nil
  job.place, job.run, job.started_us = "running", run, q.now_us
  run.terminate = terminate(world, run)
  set_limits(world, run)
  if job.verdict then
    run.kind, run.value, job.verdict = "failure", job.verdict, nil
    run.entry.condemned = true
    arguments_of(world, run)
    conclude(world, run, false)
    return run
  end
  fault_at(world, run)
  if run.lost == "before" then
    run.lose()
  else
    call(world, run)
  end
  return run
end

---The self of a run, as moil.current() gives it.
---@param world table
---@param run table
---@return table
function runner.self_of(world, run)
  run.self = run.self or self_of(world, run)
  return run.self
end

return runner

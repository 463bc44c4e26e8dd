-- `moil replay`: one attempt of a job that was, in a world of its own, with its inputs. Called by
-- api/replay.c with JSON, and answers with JSON; what the task logs goes to stderr meanwhile.

local base = require "moil.core"
local submit = require "moil.testing.submit"
local testing = require "moil.testing"

local function fail(message, ...)
  error({ message = message:format(...) }, 0)
end

local function echo(line)
  local fields = line.fields and base.encode(line.fields)
  io.stderr:write(("%s %s%s\n"):format(line.level, line.message, fields and " " .. fields or ""))
end

-- What travelled with it and would get in the way now.
local function extra_of(job)
  local extra = {}
  for key, value in pairs(type(job.options) == "table" and job.options or {}) do
    extra[key] = value
  end
  extra.expires, extra.unregistered_ms, extra.gather = nil, nil, nil
  return extra
end

-- The results of a group that it takes come first, and may be larger than arguments.
local function add_gathered(made, job)
  local group = type(job.options) == "table" and job.options.gather
  if not group then return end
  if type(job.gathered) ~= "table" then
    fail("the job %s takes the results of the group %s, which are not given: it cannot be replayed",
      job.id, group)
  end
  table.insert(made.args, 1, base.encode(job.gathered))
end

-- What it would get from those that it still waits for is not there.
local function tell_waits(job)
  local n = job.waits_for
  if not n or n == 0 then return end
  echo {
    level = "warning",
    message = ("it waits for %d other %s: what %s it is missing here"):format(n,
      n == 1 and "job" or "jobs", n == 1 and "that one gives" or "those give"),
  }
end

local function enqueue(world, job)
  local args = type(job.args) == "table" and job.args or {}
  submit.enqueue(world.q, { {
    id = job.id, task = job.task, queue = job.queue or "default", args = args, n = #args,
    kwargs = job.kwargs, extra = extra_of(job), priority = job.priority,
  } })
  local made = world.q:find(job.id)
  add_gathered(made, job)
  made.retries = job.retries or 0
  made.crashes = math.max(0, (job.deliveries or 1) - 1)
  return made
end

-- What else was enqueued: what ran, in that order, then what could, then what waits for others, of
-- which a chain records the last step first.
local function others(world, own)
  local list, keys = {}, {}
  for i, run in ipairs(world:runs()) do keys[run.id] = keys[run.id] or i end
  for i, info in ipairs(world:enqueued()) do
    if info.id ~= own then
      list[#list + 1] = info
      keys[info.id] = keys[info.id] or (info.state == "DEFERRED" and 2e9 - i or 1e9 + i)
    end
  end
  table.sort(list, function(a, b) return keys[a.id] < keys[b.id] end)
  return list
end

local function check(job)
  if type(job) ~= "table" or type(job.id) ~= "string" or type(job.task) ~= "string" then
    fail("a damaged job cannot be replayed")
  elseif job.args == nil then
    fail("nothing is kept of the arguments of %s (%s): of a job that has succeeded or was revoked "
      .. "only its outcome is", job.id, job.task)
  elseif job.task == "moil.group" then
    fail("%s is a group: its members can be replayed", job.id)
  end
end

local function replay(text)
  local request = base.decode(text)
  local job = request.job
  check(job)
  local world = testing.new {
    tasks = request.paths, config = request.config, now = os.time(), seed = os.time(),
    time_limit = request.time_limit, soft_time_limit = request.soft_time_limit,
    busy_limit = math.huge,
  }
  if not world.tasks[job.task] then
    fail("TaskNotRegistered: no task '%s' in these files", job.task)
  end
  world.echo, world.replays = echo, {}
  io.stdout:setvbuf "no" -- what it writes is not lost, however it ends
  world.hold, world.memory_limit, world.max_memory = base.hold, request.memory_limit,
    request.max_memory
  tell_waits(job)
  local run = world:run_one(enqueue(world, job))
  local answer = {
    id = job.id, task = job.task, outcome = run.outcome, result = run.result, error = run.error,
    delay = run.delay, enqueued = others(world, job.id),
  }
  return assert(base.encode(answer))
end

-- The outcome; or "!" and, in one line, why there is none.
return function(text)
  local ok, answer = pcall(replay, text)
  if ok then return answer end
  if type(answer) == "table" then
    answer = (answer.where and answer.where .. ": " or "") .. tostring(answer.message)
  end
  return "!" .. tostring(answer):gsub("%s*\n%s*", " ")
end

-- What a spec does to a moil.testing world beyond letting time pass: one attempt of one job, things
-- that go wrong, paused queues, replays.

local errors = require "moil.errors"
local runner = require "moil.testing.runner"

local deeds = {}
local methods = {}

local function find(self, which)
  local id = type(which) == "table" and which.id or which
  local job = self.q:find(id)
  if not job then error(("no job %s in the test world"):format(tostring(id)), 3) end
  return job
end

-- A fault of a task that there is not would never come.
local function add_fault(self, task, nth, fault)
  if not self.tasks[task] then
    local near = type(task) == "string" and errors.nearest(task, self.tasks)
    error(("no task '%s' is loaded in the test world%s"):format(tostring(task),
      near and (", did you mean '%s'?"):format(near) or ""), 3)
  end
  self.faults:add(task, nth, fault)
end

---Runs one attempt of a new job of the task, ahead of all others, and tells what it came to. What
---it enqueues stays where it is; what it waits for runs.
---@param task string|moil.Task
---@param args? table       positional arguments; args.n counts trailing nils
---@param options? moil.CallOptions
---@return table            outcome ("success", "failure", "retry", "reject", "ignore", "revoked",
---"lost", "replace"), result, error, delay, states, id, job
---  local run = world:perform("math.div", { 1, 0 })
function methods:perform(task, args, options)
  local name = type(task) == "table" and task.name or task
  local handle = self.moil.send(name, args, options)
  return self:run_one(find(self, handle))
end

---One attempt of a job that is there. For perform and replays.
---@param job table
---@return table
function methods:run_one(job)
  local run
  if job.place == "pending" or job.place == "delayed" then
    self.q:withdraw(job)
    run = runner.start(self, job)
  end
  self:drive(function() return not run or run.phase == "over" end)
  local entry = run and run.entry or {}
  return {
    id = job.id, outcome = entry.outcome or job.state, result = entry.result, error = entry.error,
    delay = entry.delay, states = entry.states or {}, job = self:describe(job),
  }
end

---Calls a command of the tasks' own (moil.on_control), as `moil control` does.
---@param name string
---@param ... any
---@return any              its answer; raises what it raised
---  world:control("cache.drop", "users")
function methods:control(name, ...)
  if not self.tasks["moil.control." .. name] then
    error(("no command '%s' is registered in the test world"):format(name), 2)
  end
  local run = self:perform("moil.control." .. name, table.pack(...))
  if run.error then error(run.error, 0) end
  return run.result
end

-- --- what goes wrong -----------------------------------------------------------------------------

---Has runs of a task raise an error instead of calling its function.
---@param task string
---@param nth integer|integer[]|"always" which of its runs in this world, from 1
---@param err any           a text, or a table such as { code = "SMTP", message = "421" }
---  world:fail("mail.send", { 1, 2 }, { code = "SMTP", message = "421 try again" })
function methods:fail(task, nth, err)
  add_fault(self, task, nth, { kind = "error", err = err == nil and "injected failure" or err })
end

---Has the worker die in runs of a task: the job is delivered again, and after max_deliveries of
---that it fails with WorkerLost.
---@param task string
---@param nth integer|integer[]|"always"
---@param where? "before"|"after" before its function is called (when not said), or when it is over
---and nobody has heard of its result
function methods:crash(task, nth, where)
  where = where or "before"
  if where ~= "before" and where ~= "after" then
    error("world:crash: where must be \"before\" or \"after\"", 2)
  end
  add_fault(self, task, nth, { kind = "crash", where = where })
end

---Has the end of runs of a task be lost, as when its node vanishes: the job is delivered a second
---time although its function has run to its end. What a task must bear, as delivery is at least
---once.
---@param task string
---@param nth? integer|integer[]|"always" 1 when not said
function methods:deliver_twice(task, nth)
  add_fault(self, task, nth or 1, { kind = "loss", where = "after" })
end

---Redis is away: enqueueing and asking fail with RedisUnavailable when it is not back within 5 s,
---and no job starts.
---@param seconds? number   until world:redis_up() when not said
function methods:redis_down(seconds)
  local q = self.q
  if q.now_us >= (self.down_until or 0) then self.held = {} end
  self.down_until = seconds and q.now_us + q.to_us(seconds) or math.maxinteger
end

---Redis is back.
function methods:redis_up()
  local q = self.q
  local held = self.held
  self.down_until, self.held = nil, {}
  q:at(q.now_us, function() end)
  for _, timer in ipairs(held) do
    if not timer.cancelled then
      q:cancel(timer)
      q:at(q.now_us, timer.fn, timer.idle)
    end
  end
end

---Starts no jobs of a queue.
---@param queue string
function methods:pause(queue)
  self.q.paused[queue] = true
end

---@param queue string
function methods:resume(queue)
  self.q:resume(queue)
end

---Programs that tasks run by moil.run: an answer by a program's name, or a function that gives one
---({ code, stdout, stderr, signal, timed_out }); nil: the program is really run.
---@param answers? table<string, table|function>|fun(argv: string[], options: table): table?
---  world:programs { wc = { stdout = "3\n" } }
function methods:stub_run(answers)
  self.programs = answers
end

---Stands for a task in C of the program that the worker is a part of: what moil.native gives. For
---files that ask for it while they are loaded: the option `native` of testing.new.
---@param name string
---@param fn? function      nil: there is no such task any more
---  world:stub_native("thumb.make", function(path) return path .. ".png" end)
function methods:stub_native(name, fn)
  if type(name) ~= "string" or (fn ~= nil and type(fn) ~= "function") then
    error("world:stub_native: takes a name and a function", 2)
  end
  self.natives[name] = fn
end

---Enqueues jobs that failed for good once more, as `moil dead retry` does.
---@param which? string|moil.Result one; all when not said
---@return integer          how many
function methods:retry_dead(which)
  local count = 0
  for _, job in ipairs(which and { find(self, which) } or table.move(self.q.recorded, 1,
    #self.q.recorded, 1, {})) do
    if job.place == "dead" and self.q.jobs[job.id] == job then
      job.retries, job.crashes, job.losses, job.missing_us = 0, 0, 0, nil
      job.state, job.value, job.finished_us, job.ended_as = nil, nil, nil, nil
      self.q:push(job)
      count = count + 1
    end
  end
  return count
end

---Puts the methods into a class.
---@param class table
function deeds.add_to(class)
  for name, method in pairs(methods) do class[name] = method end
end

return deeds

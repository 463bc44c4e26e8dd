-- A world without Redis: jobs in memory, a clock that moves when nothing is left to do, and what a
-- spec asks of them. moil.testing makes it; the files beside this one are its parts.

local beats = require "moil.testing.beats"
local core = require "moil.testing.core"
local faults = require "moil.testing.faults"
local jobs = require "moil.testing.jobs"
local library = require "moil.testing.library"
local random = require "moil.testing.random"
local runner = require "moil.testing.runner"
local stage = require "moil.testing.stage"

local RUNS_MAX <const> = 1000000 -- of one question: a schedule and a retry for ever have no end …
local ENDLESS <const> = 100000 -- … which takes seconds; fewer where no time is to pass by itself
local BUSY_S <const> = 2
local ADVANCE_MAX_S <const> = 1e10
local RESULT_TTL_S <const> = 86400

---@class moil.World
---@field moil table        the library over this world, as `require "moil"` gives it meanwhile
local world = {}
world.__index = world

-- --- making --------------------------------------------------------------------------------------

---@param base table        the real moil.core
---@param given moil.WorldOptions
---@return moil.World
function world.new(base, given)
  local self = setmetatable({
    base = base, tasks = {}, logs_kept = {}, starts_kept = {}, faults = faults.new(),
    random = random.new(given.seed), time_limit = given.time_limit,
    soft_time_limit = given.soft_time_limit, busy_limit = given.busy_limit or BUSY_S,
    result_ttl = RESULT_TTL_S, config = given.config or {}, programs = given.run,
    natives = given.native or {}, held = {},
    steps = given.steps or ENDLESS, steps_of_time = given.steps or RUNS_MAX,
  }, world)
  self.q = jobs.new(base, {
    now_us = math.tointeger(math.floor(given.now * 1e6)), random = self.random,
    shuffle = given.shuffle, queues = given.queues,
  })
  self.beats = beats.new(self)
  self.core = core.of(self)
  self.loading = true
  self.library = stage.within(self, false, library.open, self)
  self.loading = false
  self.moil = self.library.moil
  return self
end

---Loads a task file, or every *.lua of a folder and its sub-folders.
---@param path string
---  world:load "tasks"
function world:load(path)
  self.loading = true
  local ok, err = pcall(stage.within, self, false, library.load, self, path)
  self.loading = false
  if not ok then error(err, 0) end
end

---Puts the real library back; also done by the next testing.new.
function world:close()
  if self.closed then return end
  self.closed = true
  library.close(self)
end

---The handle of a task that was loaded.
---@param name string
---@return moil.Task        raises when there is none
---  world:task("math.add"):delay(4, 4)
function world:task(name)
  local handle = self.library.task.find(name)
  if not handle then error(("no task '%s' is loaded in the test world"):format(name), 2) end
  return handle
end

---The schedule: a beat file's path, or its table. Nothing but advance brings its runs.
---@param file string|table
---  world:beat "beat.lua"
function world:beat(file)
  if type(file) == "string" then
    local chunk, wrong = loadfile(file, "t")
    if not chunk then error(wrong, 2) end
    file = stage.within(self, false, chunk)
  end
  self.beats:load(file)
end

-- --- for the other parts -------------------------------------------------------------------------

---A line for the log.
---@param level string
---@param message any
---@param fields? table
function world:log(level, message, fields)
  local job = self.running and self.running.job
  self.logs_kept[#self.logs_kept + 1] = {
    level = level, message = tostring(message), fields = fields, id = job and job.id,
    task = job and job.task, at = self.q:time(),
  }
  if self.echo then self.echo(self.logs_kept[#self.logs_kept]) end
end

---A run begins: what is kept of it.
---@param job table
---@return table
function world:starts(job)
  job.starts = job.starts + 1
  local entry = {
    id = job.id, task = job.task, attempt = job.retries + 1, start = job.starts,
    deliveries = (job.verdict and 0 or 1) + job.crashes + job.losses,
    started_at = self.q:time(), states = {},
  }
  self.starts_kept[#self.starts_kept + 1] = entry
  return entry
end

---Its function is over.
---@param run table
function world:ran(run)
  local entry = run.entry
  entry.ended_at, entry.outcome = self.q:time(), run.kind
  if run.kind == "success" then
    entry.result = self.base.decode(run.value)
  elseif type(run.value) == "string" then
    entry.error = self.base.decode(run.value)
  end
end

---Calls fn as soon as Redis is back.
---@param fn fun()
---@param idle? boolean     as jobs:at has it
---@return table
function world:when_up(fn, idle)
  local timer = self.q:at(self.down_until, fn, idle)
  self.held[#self.held + 1] = timer
  return timer
end

---A program that a task runs: the answer that the spec gave, or the real thing.
function world:spawn(argv, input, timeout, max_output, cwd)
  local answer = self.programs
  if type(answer) == "table" then answer = answer[argv[1]] end
  if type(answer) == "function" then
    answer = answer(argv, { input = input, timeout = timeout, cwd = cwd })
  end
  if answer == nil then return self.base.spawn(argv, input, timeout, max_output, cwd) end
  local code = answer.code
  if code == nil and not answer.signal and not answer.timed_out then code = 0 end
  return code, answer.signal, answer.stdout or "", answer.stderr or "", answer.timed_out or false,
    answer.truncated or false
end

local function decoded_list(base, texts, front)
  local list = {}
  for _, text in ipairs(front) do list[#list + 1] = base.decode(text) end
  for _, text in ipairs(texts) do list[#list + 1] = base.decode(text) end
  return list
end

local function seconds(us)
  return us and us / 1e6
end

---All that is known of a job; see the reference, "inspect".
---@param job table
---@return table
function world:describe(job)
  local base, ended = self.base, job.place == "ended" or job.place == "dead"
  local value = job.value or (ended and job.last_value) or nil
  if value then value = base.decode(value) end
  local running = job.place == "running"
  return {
    id = job.id, task = job.task, queue = job.queue, priority = job.priority,
    state = jobs.state_of(job), args = decoded_list(base, job.args, job.front),
    kwargs = job.kwargs and base.decode(job.kwargs), options = next(job.extra) and job.extra,
    retries = job.retries, deliveries = job.crashes + job.losses
      + (job.started_us and not job.condemned and 1 or 0),
    result = job.state == "SUCCESS" and value or nil,
    error = job.state ~= "SUCCESS" and value or nil,
    meta = running and job.note and job.note.meta and base.decode(job.note.meta) or nil,
    enqueued_at = seconds(job.enqueued_us), started_at = seconds(job.started_us),
    finished_at = seconds(job.finished_us), due_at = job.place == "delayed" and seconds(job.due_us)
      or nil,
    dead = job.place == "dead" or nil, worker = job.started_us and "test" or nil,
    waits_for = job.place == "deferred" and job.open or nil, parent_id = job.extra.parent_id,
    at_front = job.at_front or nil, beat = job.beat,
  }
end

-- --- going on ------------------------------------------------------------------------------------

-- One turn: of a job that can go on, or of one that starts. False: nobody is ready.
local function step(self)
  local entry = self.q:take()
  if not entry then return false end
  if entry.run then
    entry.fn()
  elseif self.replays and not self.replays.awaits then
    table.insert(self.replays, entry.job) -- as nobody waits for it
  elseif self.q.now_us < (self.down_until or 0) then
    self:when_up(function() self.q:push(entry.job, true) end)
  else
    runner.start(self, entry.job)
  end
  return true
end

local function endless(self, steps)
  local last = self.starts_kept[#self.starts_kept]
  return ("the test world has made %d steps and comes to no end%s"):format(steps,
    last and "; it ran " .. last.task .. " last" or "")
end

local function check_outside(self, who)
  if self.running then error(who .. ": a task cannot move its own world", 3) end
  if self.closed then error(who .. ": this world is closed", 3) end
end

---Goes on until is_there() says so. For the other parts.
---@param is_there fun(): boolean
---@param deadline_us? integer
---@return boolean          false: the deadline came first, or nothing is left to do
function world:drive(is_there, deadline_us)
  local q = self.q
  local most = deadline_us and self.steps_of_time or self.steps
  local since, moment = 0, q.now_us -- with a deadline, it is endless where no time passes
  for i = 1, most do
    if q.now_us > moment then since, moment = i, q.now_us end
    if deadline_us and i - since > self.steps then error(endless(self, i - since), 0) end
    if is_there() then return true end
    if not step(self) then
      local at = q:next_at()
      if not at or (deadline_us and at > deadline_us) then
        if deadline_us then q.now_us = math.max(q.now_us, deadline_us) end
        return is_there()
      end
      if not deadline_us and q.awaited == 0 then return is_there() end -- schedules alone go on
      q:fire()
    end
  end
  error(endless(self, most), 0)
end

local function never() return false end

---Runs all that is ready, without moving the clock.
---@return integer          how many runs began
function world:work()
  check_outside(self, "world:work")
  local before = #self.starts_kept
  for _ = 1, self.steps do
    if not step(self) then return #self.starts_kept - before end
  end
  error(endless(self, self.steps), 2)
end

---Lets so much time pass: what falls due meanwhile happens then, schedules included.
---@param given number      seconds
---@return integer          how many runs began
---  world:advance(86400)
function world:advance(given)
  check_outside(self, "world:advance")
  if type(given) ~= "number" or not (given >= 0 and given <= ADVANCE_MAX_S) then
    error("world:advance: takes a number of seconds, 0 or more and at most 1e10", 2)
  end
  local before = #self.starts_kept
  self:drive(never, self.q.now_us + math.tointeger(math.floor(given * 1e6 + 0.5)))
  return #self.starts_kept - before
end

---Runs until nothing is left: retries, delayed jobs and sleeps included, for which the clock moves
---as far as it takes. A schedule alone does not keep it going.
---@return integer          how many runs began
function world:drain()
  check_outside(self, "world:drain")
  local before = #self.starts_kept
  self:drive(never)
  return #self.starts_kept - before
end

---Seconds since the epoch, by the world's clock.
---@return number
function world:now()
  return self.q:time()
end

return world

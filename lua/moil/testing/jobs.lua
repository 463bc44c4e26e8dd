-- The jobs of a moil.testing world and their places (waiting, delayed, deferred, running, ended,
-- dead), its clock, and what falls due by it. Stands where Redis stands for a worker. Must not know
-- how a job is run.

local heap = require "moil.testing.heap"
local links = require "moil.testing.links"

local DAY_US <const> = 86400 * 1000000
local LINKED_US <const> = 60 * 1000000 -- what other jobs get is kept so long at least

---@class moil.TestJobs
local jobs = {}
jobs.__index = jobs

---@param base table        the real moil.core: JSON, names, errors
---@param given { now_us: integer, random: function, shuffle: boolean, queues?: string[] }
---@return moil.TestJobs
function jobs.new(base, given)
  local ranks
  for i, queue in ipairs(given.queues or {}) do
    ranks = ranks or {}
    ranks[queue] = i
  end
  return setmetatable({
    base = base, now_us = given.now_us, random = given.random, shuffle = given.shuffle,
    ranks = ranks, jobs = {}, members = {}, parts = {}, recorded = {}, ready = heap.new(),
    timers = heap.new(), paused = {}, aside = {}, ends = {}, count = 0, waiters = {}, awaited = 0,
  }, jobs)
end

-- --- the clock -----------------------------------------------------------------------------------

---Seconds since the epoch.
---@return number
function jobs:time()
  return self.now_us / 1e6
end

---Microseconds of so many seconds, as moments are counted here: whole milliseconds, rounded up.
---@param seconds number
---@return integer
function jobs.to_us(seconds)
  local ms = math.ceil(seconds * 1000 - 1e-6)
  return math.tointeger(ms) * 1000
end

local function next_order(self)
  self.count = self.count + 1
  return self.count
end

---Calls fn then; `cancelled` in what is returned keeps it from that.
---@param at_us integer
---@param fn fun()
---@param idle? boolean     nobody waits for it: drain does not move the clock for its sake
---@return table
function jobs:at(at_us, fn, idle)
  local timer = { key = at_us, order = next_order(self), fn = fn, idle = idle }
  if not idle then self.awaited = self.awaited + 1 end
  self.timers:push(timer)
  return timer
end

---Takes a moment back.
---@param timer? table
function jobs:cancel(timer)
  if timer and not timer.cancelled then
    timer.cancelled = true
    if not timer.idle then self.awaited = self.awaited - 1 end
  end
end

---When something falls due next.
---@return integer?         µs since the epoch
function jobs:next_at()
  local timer = self.timers:peek()
  while timer and timer.cancelled do
    self.timers:pop()
    timer = self.timers:peek()
  end
  return timer and timer.key
end

---Has what falls due first happen, and sets the clock to it.
function jobs:fire()
  local timer = self.timers:pop()
  self.now_us = math.max(self.now_us, timer.key)
  self:cancel(timer)
  timer.fn()
end

-- --- places --------------------------------------------------------------------------------------

---A job that has not been forgotten.
---@param id string
---@return table?
function jobs:find(id)
  local job = self.jobs[id]
  if job and job.expires_us and job.expires_us <= self.now_us then
    self.jobs[id] = nil
    return nil
  end
  return job
end

-- Among those of a priority: in order, or by chance; in front: the other way round.
local function order_of(self, in_front)
  local order = next_order(self)
  if self.shuffle then order = self.random(1 << 40) end
  return in_front and -order or order
end

---Puts something where it gets its turn.
---@param entry table       job = one to start, or run = one to go on with
function jobs:offer(entry)
  self.ready:push(entry)
end

---A job goes to its queue.
---@param job table
---@param in_front? boolean
function jobs:push(job, in_front)
  job.place = "pending"
  local rank = self.ranks and self.ranks[job.queue] or 1
  if self.ranks and not self.ranks[job.queue] then return end -- nobody listens there
  local entry = { job = job, key = rank * 10 - job.priority, order = order_of(self, in_front) }
  job.entry = entry
  self:offer(entry)
end

---A run that can go on: before those that start.
---@param run table
---@param fn fun()
function jobs:offer_run(run, fn)
  self:offer { run = run, fn = fn, order = order_of(self), key = self.shuffle and 5 or -100 }
end

---Waits until it is due.
---@param job table
---@param due_us integer
function jobs:delay(job, due_us)
  job.place, job.due_us = "delayed", due_us
  job.timer = self:at(due_us, function() self:push(job, job.at_front) end)
end

---All that it waited for has ended.
---@param job table
function jobs:start(job)
  if job.due_us and job.due_us > self.now_us then return self:delay(job, job.due_us) end
  if job.delay then return self:delay(job, self.now_us + jobs.to_us(job.delay)) end
  self:push(job, job.at_front)
end

---The next one that gets its turn, taken off its place.
---@return table?
function jobs:take()
  while true do
    local entry = self.ready:pop()
    if not entry then return nil end
    local job = entry.job
    if not job then return entry end
    if job.place == "pending" and job.entry == entry then
      if not self.paused[job.queue] then return entry end
      table.insert(self.aside, job)
    end
  end
end

---@param queue string
function jobs:resume(queue)
  self.paused[queue] = nil
  local aside = self.aside
  self.aside = {}
  for _, job in ipairs(aside) do
    if job.place == "pending" then self:push(job) end
  end
end

-- --- ends ----------------------------------------------------------------------------------------

-- Those who wait for it go on.
local function tell(self, job)
  local waiting = self.waiters[job.id]
  if not waiting then return end
  self.waiters[job.id] = nil
  for _, wake in ipairs(waiting) do wake() end
end

local function settle(self)
  if self.settling then return end
  self.settling = true
  while #self.ends > 0 do
    local job = table.remove(self.ends, 1)
    links.follow(self, job)
    tell(self, job)
  end
  self.settling = false
end

local function leave_place(self, job)
  self:cancel(job.timer)
  job.timer, job.entry, job.due_us = nil, nil, nil
end

-- How long a result is kept: nil for ever.
local function expiry_of(self, job, ttl)
  if ttl == false or (" " .. job.links):find " h[FRWA]" then return nil end
  local us = ttl and math.tointeger(math.floor(math.min(ttl, 1e9) * 1e6)) or DAY_US
  if job.extra.linked then us = math.max(us, LINKED_US) end
  return self.now_us + us
end

---A job ends; what hangs on it is seen to.
---@param job table
---@param state string      SUCCESS, FAILURE or REVOKED; IGNORED, deleted: nothing is kept
---@param value? string     JSON
---@param ttl? number|false of the result in seconds; 0: none is kept; nil: what its options say
function jobs:finish(job, state, value, ttl)
  leave_place(self, job)
  if ttl == nil then ttl = job.extra.result_ttl end
  local kept = state == "SUCCESS" or state == "FAILURE" or state == "REVOKED"
  if kept and ttl == 0 and not job.extra.linked then kept = false end
  job.place, job.state = "ended", state
  job.ended_as = state == "SUCCESS" and "S" or "F"
  job.value = kept and value or nil
  job.finished_us = self.now_us
  job.last_value = value -- for who looks at the recording
  if not kept then
    self.jobs[job.id] = nil
  else
    job.expires_us = expiry_of(self, job, ttl)
  end
  self.ends[#self.ends + 1] = job
  settle(self)
end

---It failed for good: kept for replay.
---@param job table
---@param value string      JSON
function jobs:bury(job, value)
  self:finish(job, "FAILURE", value, false)
  job.place = "dead"
end

---What will never be: a callback that is not wanted.
---@param job table
function jobs:drop(job)
  leave_place(self, job)
  job.place, job.state, job.ended_as = "ended", "IGNORED", "D"
  job.value = '{"code":"Ignored","message":"what it was a callback for did not happen"}'
  self.jobs[job.id] = nil
  self.ends[#self.ends + 1] = job
  settle(self)
end

---Takes a job away from where it waits.
---@param job table
function jobs:withdraw(job)
  leave_place(self, job)
end

---Calls wake when the job has ended or tells of its progress; the function that is returned takes
---that back.
---@param id string
---@param wake fun()
---@return fun()
function jobs:await(id, wake)
  local waiting = self.waiters[id] or {}
  self.waiters[id] = waiting
  waiting[#waiting + 1] = wake
  return function()
    for i, other in ipairs(waiting) do
      if other == wake then return table.remove(waiting, i) end
    end
  end
end

---A running job tells of its progress.
---@param job table
function jobs:tell(job)
  tell(self, job)
end

-- --- what can be done about a job ----------------------------------------------------------------

local REVOKED <const> = '{"code":"Revoked","message":"revoked"}'

---Revokes the members of a group, or the other parts of a workflow, that have not started.
---@param id string
---@param terminate boolean
function jobs:revoke_parts(id, terminate)
  for _, list in ipairs { self.members[id] or {}, self.parts[id] or {} } do
    for _, part in ipairs(list) do
      if self.jobs[part] then self:revoke(part, terminate) end
    end
  end
end

---@param id string
---@param terminate boolean
---@return string?          its state afterwards; nil: there is none
function jobs:revoke(id, terminate)
  local job = self:find(id)
  if not job or job.being_revoked then return job and job.state end
  local state = "REVOKED"
  if job.place == "ended" or job.place == "dead" then
    state = job.state
  elseif job.place == "running" then
    state = "STARTED"
    if terminate then job.run.terminate() end
  else
    self:finish(job, "REVOKED", REVOKED, DAY_US / 1000000)
  end
  if self.members[id] or self.parts[id] then
    job.being_revoked = true
    self:revoke_parts(id, terminate)
    job.being_revoked = nil
  end
  return state
end

---What it is doing.
---@param job table
---@return string
function jobs.state_of(job)
  if job.place == "running" then return job.note and job.note.state or "STARTED" end
  if job.place == "delayed" then return job.retries > 0 and "RETRY" or "SCHEDULED" end
  if job.place == "deferred" then return "DEFERRED" end
  if job.place == "pending" then return "PENDING" end
  return job.state
end

---@param id string
---@param due_us integer
---@return string?
function jobs:reschedule(id, due_us)
  local job = self:find(id)
  if not job then return nil end
  if job.place == "deferred" then
    job.due_us, job.delay = due_us, nil
    return "DEFERRED"
  elseif job.place == "delayed" or job.place == "pending" then
    leave_place(self, job)
    self:delay(job, due_us)
  end
  return jobs.state_of(job)
end

---Drops the result of a job that has ended.
---@param id string
---@return boolean?         nil: there is no such job
function jobs:forget(id)
  local job = self:find(id)
  if not job then return nil end
  if job.place ~= "ended" and job.place ~= "dead" then return false end
  self.jobs[id] = nil
  job.place = "ended"
  return true
end

---@param id string
---@return boolean?         false: it runs. nil: there is no such job
function jobs:delete(id)
  local job = self:find(id)
  if not job then return nil end
  if job.place == "running" then return false end
  if job.place == "ended" or job.place == "dead" then return self:forget(id) end
  self:finish(job, "deleted", '{"code":"Deleted","message":"it was deleted"}')
  return true
end

return jobs

-- What a spec asks a moil.testing world: which jobs there are, what ran, what was logged; and the
-- assertions. Changes nothing.

local errors = require "moil.errors"

local looks = {}

local function id_of(which)
  return type(which) == "table" and which.id or which
end

local function equal(a, b)
  if a == b then return math.type(a) == math.type(b) end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if key ~= "n" and not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if key ~= "n" and a[key] == nil then return false end
  end
  return true
end

-- A wanted value: one that is equal, or a function that says so.
local function is_wanted(wanted, value)
  if type(wanted) == "function" then return wanted(value) and true or false end
  return equal(wanted, value)
end

local function matches(wanted, info)
  for key, value in pairs(wanted or {}) do
    if not is_wanted(value, info[key]) then return false end
  end
  return true
end

local function fields(text)
  local known = {}
  for name in text:gmatch "%S+" do known[name] = true end
  return known
end

local JOB <const> = fields [[id task queue priority state args kwargs options retries deliveries
  result error meta enqueued_at started_at finished_at due_at dead worker waits_for parent_id
  at_front beat]]
local RUN <const> = fields [[id task attempt start deliveries started_at ended_at outcome delay
  result error states]]
local LOG <const> = fields "level message fields id task at"

-- A field that there is not would never match, or always not.
local function check(wanted, known)
  if wanted == nil then return end
  if type(wanted) ~= "table" then
    error("what is wanted: a task's name, or a table of fields", 4)
  end
  for key in pairs(wanted) do
    if not known[key] then
      local near = type(key) == "string" and errors.nearest(key, known)
      if near then error(("unknown field '%s', did you mean '%s'?"):format(key, near), 4) end
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      error(("unknown field '%s': there are %s"):format(tostring(key), table.concat(names, ", ")),
        4)
    end
  end
end

local function filter(list, wanted, known)
  if type(wanted) == "string" then wanted = { task = wanted } end
  check(wanted, known or JOB)
  local found = {}
  for _, info in ipairs(list) do
    if matches(wanted, info) then found[#found + 1] = info end
  end
  return found
end

local function described(self)
  local list = {}
  for i = (self.cleared or 0) + 1, #self.q.recorded do
    local job = self.q.recorded[i]
    if not job.task:find "^moil%.group$" and not job.task:find "^moil%.control%." then
      list[#list + 1] = self:describe(job)
    end
  end
  return list
end

local methods = {}

---The jobs that were enqueued, in order, whatever has become of them: each as `moil inspect job`
---tells it (id, task, queue, args, kwargs, state, result, error, retries, due_at, …).
---@param wanted? string|table a task's name, or fields: each a value or a function that tests it
---@return table[]
---  world:enqueued { task = "mail.send", queue = "high" }
function methods:enqueued(wanted)
  return filter(described(self), wanted)
end

---What is known of one job.
---@param which string|moil.Result
---@return table?           nil: there is none, or nothing of it is kept
function methods:job(which)
  local job = self.q:find(id_of(which))
  return job and self:describe(job) or nil
end

---Jobs that failed for good.
---@param wanted? string|table
---@return table[]
function methods:dead(wanted)
  local list = {}
  for _, info in ipairs(described(self)) do
    if info.dead then list[#list + 1] = info end
  end
  return filter(list, wanted)
end

---Each run of a job's function, in order: task, id, attempt, deliveries, started_at, ended_at,
---outcome ("success", "failure", "retry", "lost", …), delay of a retry, result or error, states
---(what self:update_state told).
---@param wanted? string|table
---@return table[]
function methods:runs(wanted)
  return filter(self.starts_kept, wanted, RUN)
end

---What was logged: level, message, fields, task, id, at.
---@param wanted? string|table
---@return table[]
function methods:logs(wanted)
  return filter(self.logs_kept, wanted, LOG)
end

---The entries of the schedule: name, task, next_at, runs, paused, …
---@return table[]
function methods:entries()
  return self.beats:list()
end

---Forgets what was recorded so far; the jobs stay.
function methods:clear()
  self.cleared = #self.q.recorded
  self.starts_kept, self.logs_kept = {}, {}
end

-- --- assertions ----------------------------------------------------------------------------------

local function show(self, value)
  if type(value) == "function" then return "(a test)" end
  return self.base.encode(value) or tostring(value)
end

local function show_wanted(self, wanted)
  if type(wanted) == "string" then return wanted end
  local words = {}
  for key, value in pairs(wanted or {}) do
    words[#words + 1] = ("%s = %s"):format(key, show(self, value))
  end
  table.sort(words)
  return #words > 0 and table.concat(words, ", ") or "any job"
end

local SHOWN_MAX <const> = 20

local function list_of(self, infos)
  local lines = {}
  for i, info in ipairs(infos) do
    if i > SHOWN_MAX then
      lines[i] = ("  … and %d more"):format(#infos - SHOWN_MAX)
      break
    end
    lines[i] = ("  %s%s in %s: %s"):format(info.task, show(self, info.args), info.queue,
      info.state)
  end
  return #lines > 0 and table.concat(lines, "\n") or "  (nothing)"
end

---Fails unless such a job was enqueued.
---@param wanted string|table as for enqueued
---@param count? integer    exactly so many; at least one when not said
---@return table            the first of them
---  world:assert_enqueued({ task = "mail.send", args = { "ann" } }, 1)
function methods:assert_enqueued(wanted, count)
  local all = described(self)
  local found = filter(all, wanted)
  if count and #found ~= count or #found == 0 and count ~= 0 then
    error(("expected %s of %s to be enqueued, but there were %d. Enqueued:\n%s"):format(
      count and tostring(count) or "at least 1", show_wanted(self, wanted), #found,
      list_of(self, all)), 2)
  end
  return found[1]
end

---Fails when such a job was enqueued.
---@param wanted string|table
function methods:refute_enqueued(wanted)
  local found = filter(described(self), wanted)
  if #found > 0 then
    error(("expected no %s to be enqueued, but there were %d:\n%s"):format(
      show_wanted(self, wanted), #found, list_of(self, found)), 2)
  end
end

---Fails unless the job has that state.
---@param which string|moil.Result
---@param state string
---@return table            what is known of it
function methods:assert_state(which, state)
  local info = methods.job(self, which)
  if not info then error(("no job %s in the test world"):format(id_of(which)), 2) end
  if info.state ~= state then
    error(("expected job %s (%s) to be %s, but it is %s%s"):format(info.id, info.task, state,
      info.state, info.error and ": " .. show(self, info.error) or ""), 2)
  end
  return info
end

---Puts the methods into a class.
---@param class table
function looks.add_to(class)
  for name, method in pairs(methods) do class[name] = method end
end

return looks

-- A job from inside: the methods of `self`, and what happens when its function is over (retry
-- policy and hooks). C makes the object and calls `conclude` in the job's own coroutine, so that
-- both may wait.

local core = require "moil.core"
local errors = require "moil.errors"
local group_result = require "moil.group_result"
local log = require "moil.log"
local options = require "moil.options"
local signature = require "moil.signature"
local workflow = require "moil.workflow"
require "moil.config"

---@class moil.Self
---@field id string
---@field task string
---@field args any[]
---@field kwargs table
---@field queue string
---@field retries integer    so far, by policy and self:retry together
---@field attempt integer    retries + 1
---@field deliveries integer of this attempt: 1 + deaths of its process + losses of its node
---@field eta? number        seconds since the epoch
---@field parent_id? string  the job that enqueued it
---@field root_id string     the first of that line; its own id when nobody did
---@field group_id? string
---@field worker string
---@field headers table<string, any>
---@field log moil.Log
local methods = { log = log }

---@class moil.RetryOptions
---@field countdown? number seconds; else the policy's, else 0
---@field max_retries? integer
---@field reason? string|moil.Error

local DEFAULT_MAX_RETRIES <const> = 3 -- of a self:retry where neither it nor a policy says

local retry_options = { countdown = true, max_retries = true, reason = true }

local function reason_of(reason, default)
  if reason == nil then reason = default end
  if type(reason) == "table" and reason ~= core.null then
    return { code = tostring(reason.code or "Error"), message = tostring(reason.message or default),
      traceback = type(reason.traceback) == "string" and reason.traceback or nil }
  end
  return { code = "Error", message = tostring(reason) }
end

-- The policy that came with the job, else the task's.
local function policy_of(self)
  if self.retry_data == nil then return self.options.retry end
  return options.retry_policy(self.retry_data)
end

-- A job that runs inline, without queue, has nobody to tell: what ends it is an error to its
-- caller.
local function stop(self, kind, err, delay)
  if self.called_directly then
    error(errors.revive(err), 0)
  end
  core.stop(kind, err, delay)
end

local function is_seconds(v)
  return type(v) == "number" and v >= 0 and v < 1e10
end

local function check_retry(given)
  errors.check_known(given, retry_options, "self:retry")
  local countdown, max = given.countdown, given.max_retries
  if countdown ~= nil and not is_seconds(countdown) then
    errors.bad("self:retry: countdown must be a number of seconds, 0 or more")
  end
  if max ~= nil and not (math.type(max) == "integer" and max >= 0) then
    errors.bad("self:retry: max_retries must be a whole number, 0 or more")
  end
end

---Ends the job here and tries it again later. Past max_retries (else the task's policy, else 3) it
---fails with the reason.
---@param given? moil.RetryOptions
---  self:retry { countdown = 5, max_retries = 3, reason = "division by zero" }
function methods:retry(given)
  given = given or {}
  check_retry(given)
  local err = reason_of(given.reason, "retry asked for by the task")
  local policy = policy_of(self)
  local delay = policy and policy(self.attempt, err)
  if delay ~= nil and not is_seconds(delay) then
    errors.bad("self:retry: the policy gave %s for the seconds", tostring(delay))
  end
  local allowed
  if given.max_retries then
    allowed = self.retries < given.max_retries
  elseif policy then
    allowed = delay ~= nil
  else
    allowed = self.retries < DEFAULT_MAX_RETRIES
  end
  if allowed then
    stop(self, "retry", err, given.countdown or delay or 0)
  else
    stop(self, "failure", err)
  end
end

---Ends the job here as failed for good: no retry, kept in the dead set.
---@param given? { reason?: string|moil.Error }|string
---  self:reject { reason = "no such customer" }
function methods:reject(given)
  if type(given) == "table" then
    errors.check_known(given, { reason = true }, "self:reject")
    given = given.reason
  end
  stop(self, "reject", reason_of(given, "rejected by the task"))
end

---Ends the job here; nothing is kept of it.
function methods:ignore()
  stop(self, "ignore", { code = "Ignored", message = "ignored by the task" })
end

-- Where a job runs inline there is no record to put a workflow in the place of.
local function check_queued(self, who)
  if self.called_directly then
    errors.bad("%s: %s was called as a function, without a queue", who, self.task)
  end
end

---Ends the job here: the signature (a workflow, too) takes its place. Its end is the job's end, and
---its value the job's; who waits for the job, and what follows it in a workflow, waits for that.
---@param with moil.Signature
---  self:replace(moil.chord({ count:s(1), count:s(2) }, sum:s()))
function methods:replace(with)
  signature.check(with, "self:replace: what takes the job's place")
  check_queued(self, "self:replace")
  core.stop("replace", workflow.stage(with, self))
end

---Adds members to the group that the job is a member of.
---@param ... moil.Signature
---@return moil.Result[]    of the new members
---  self:add_to_group(fetch:s(next_page))
function methods:add_to_group(...)
  check_queued(self, "self:add_to_group")
  if not self.group_id then
    errors.bad("self:add_to_group: this job is in no group")
  end
  return group_result.new(self.group_id):add(...)
end

---Tells those who wait for the job, and `inspect`, how far it is.
---@param state string      an own one, such as "PROGRESS"
---@param meta? any         what can be JSON
---  self:update_state("PROGRESS", { percent = 50 })
function methods:update_state(state, meta)
  if not core.is_name(state) then
    errors.bad("self:update_state: a state is %s", errors.NAME)
  elseif core.is_builtin_state(state) then
    errors.bad("self:update_state: %s is a state that moil sets itself; use another name", state)
  end
  if not self.called_directly then
    core.update_state(state, meta)
  end
end

local job = {
  self_meta = { __index = methods, __name = "moil.Self" },
}

---Called by C when a task in C did not succeed: raises, or stops the job.
---@param kind string       "failure", "retry", "reject" or "ignore"
---@param code string
---@param message string
---@param milliseconds? integer until the retry
---@param is_job boolean    it was the job itself, with no Lua around it
function job.end_native(kind, code, message, milliseconds, is_job)
  local self = core.current()
  local err = { code = code, message = message, traceback = is_job and "" or nil }
  if kind == "retry" then
    self:retry { countdown = milliseconds and milliseconds / 1000, reason = err }
  elseif kind == "reject" then
    self:reject(message)
  elseif kind == "ignore" then
    self:ignore()
  end
  error(errors.revive(err), 0)
end

---The self of a task that is called as a function, without a queue.
---@param name string
---@param task moil.TaskOptions
---@param ... any           the arguments
---@return moil.Self
function job.direct(name, task, ...)
  local id = core.uuid()
  return setmetatable({
    id = id, root_id = id, task = name, args = { ... }, kwargs = {}, headers = {},
    queue = task.queue or "", worker = "", retries = 0, attempt = 1, deliveries = 1,
    options = task, called_directly = true,
  }, job.self_meta)
end

local function text_of(err)
  return tostring(type(err) == "table" and rawget(err, "message") or err)
end

-- Hooks do not change the outcome.
local function run_hook(self, name, ...)
  local hook = self.options[name]
  if not hook then return end
  local ok, err = pcall(hook, self, ...)
  if not ok then
    log.error(("%s failed: %s"):format(name, text_of(err)))
  end
end

local function contains(list, code)
  for _, known in ipairs(list) do
    if known == code then return true end
  end
  return false
end

-- The delay by the policy, or nil; raises where policy or data are broken.
local function ask_policy(self, err)
  local task, policy = self.options, policy_of(self)
  if not policy then return nil end
  if task.retry_on and not contains(task.retry_on, err.code) then return nil end
  if task.dont_retry_on and contains(task.dont_retry_on, err.code) then return nil end
  local delay = policy(self.attempt, err)
  if delay ~= nil and not is_seconds(delay) then
    error(("it gave %s for the seconds"):format(tostring(delay)), 0)
  end
  return delay
end

-- Seconds until the next try, or nil.
local function next_delay(self, err)
  local ok, delay = pcall(ask_policy, self, err)
  if ok then return delay end
  log.error(("the retry policy failed: %s"):format(text_of(delay)))
  return nil
end

---Called by C when the function is over and somebody wants to know. Returns the seconds until a
---retry, or nil.
---@param self moil.Self
---@param kind string "success", "failure", "exhausted" (no more retries), "retry", "reject",
---"revoked"
---@param value any         the result or the error
---@param delay number      of "retry"
---@return number?
function job.conclude(self, kind, value, delay)
  if kind == "success" then
    if value == core.null then value = nil end
    run_hook(self, "on_success", value)
    run_hook(self, "after_return", "SUCCESS", value)
    return nil
  end
  if kind == "revoked" then
    run_hook(self, "after_return", "REVOKED", value)
    return nil
  end
  if kind == "failure" then
    delay = next_delay(self, value)
  elseif kind ~= "retry" then
    delay = nil
  end
  if delay then
    run_hook(self, "on_retry", value, delay)
    return delay
  end
  run_hook(self, "on_failure", value)
  run_hook(self, "after_return", "FAILURE", value)
  return nil
end

return job

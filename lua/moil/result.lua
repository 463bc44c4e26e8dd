-- A job seen from outside: its state, its result, what can be done about it.
--
--   local r = moil.send("math.add", { 4, 4 })
--   print(r.id, r:get { timeout = 10 })

local core = require "moil.core"
local errors = require "moil.errors"
local time = require "moil.time"

---@class moil.Result
---@field id string
---@field parent? moil.Result in a chain: what came before it
---@field created? boolean  false: a job with this id was there already, and nothing was enqueued
local result = {}
result.__index = result
result.__name = "moil.Result"

---@class moil.GetOptions
---@field timeout? number   seconds; none: as long as it takes
---@field on_message? fun(message: { id: string, state: string, meta: any }) for each own state
---@field propagate? boolean false: a job's error is not raised but returned behind nil

-- What a job may be once it has another time.
local WAITING <const> = { SCHEDULED = true, RETRY = true, DEFERRED = true }

local FINAL <const> = { SUCCESS = true, FAILURE = true, REVOKED = true }

local get_options = { timeout = true, on_message = true, propagate = true }

---The handle of a job by its id. Asks nobody.
---@param id string
---@param created? boolean
---@return moil.Result
function result.new(id, created)
  if not core.is_name(id) then
    errors.bad("moil.result: an id is 1 to 200 printable ASCII characters without spaces")
  end
  return setmetatable({ id = id, created = created }, result)
end

function result:__tostring()
  return "moil.Result " .. self.id
end

local function decode(text)
  local value, wrong = core.decode(text)
  if value == nil then errors.raise("BadMessage", "a result that cannot be read: %s", wrong) end
  return value
end

---All that is known about the job, as a table (see the reference, "inspect").
---@return table            raises UnknownJob
function result:info()
  return decode(core.inspect(self.id))
end

---"PENDING", "STARTED", …, or the job's own state.
---@return string           raises UnknownJob
function result:state()
  return self:info().state
end

---Has it ended?
---@return boolean
function result:ready()
  return FINAL[self:state()] ~= nil
end

---Has it ended well?
---@return boolean
function result:successful()
  return self:state() == "SUCCESS"
end

---Has it ended otherwise?
---@return boolean
function result:failed()
  local state = self:state()
  return state == "FAILURE" or state == "REVOKED"
end

local function check_get(given)
  if type(given) ~= "table" then
    errors.bad("result:get: takes a table such as { timeout = 10 }")
  end
  errors.check_known(given, get_options, "result:get")
  local timeout = given.timeout
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
    errors.bad("result:get: timeout must be a number of seconds, 0 or more")
  end
  if given.on_message ~= nil and type(given.on_message) ~= "function" then
    errors.bad("result:get: on_message must be a function")
  end
end

-- The final state with its JSON text; tells of progress on the way.
local function wait(id, timeout, on_message)
  local deadline = timeout and timeout < math.huge and core.now() + timeout
  local seen
  while true do
    local left = deadline and math.max(0, deadline - core.now()) or -1
    local state, text, token = core.wait(id, left, on_message ~= nil, seen)
    if FINAL[state] then return state, text end
    seen = token
    on_message { id = id, state = state, meta = text ~= "" and decode(text) or nil }
  end
end

---Waits until the job ends and gives its result; in a job this suspends the job, not its worker.
---@param given? moil.GetOptions
---@return any value        nil for null; raises the job's error table, Timeout, UnknownJob
---@return moil.Error? err
---  r:get { timeout = 10, on_message = function(m) print(m.state, m.meta.percent) end }
function result:get(given)
  given = given or {}
  check_get(given)
  if core.lineage() == self.id then
    errors.bad("result:get: a job cannot wait for itself")
  end
  local state, text = wait(self.id, given.timeout, given.on_message)
  local value
  if text and text ~= "" then value = decode(text) end
  if state == "SUCCESS" then
    if value == core.null then return nil end
    return value
  end
  local err = errors.revive(value or {
    code = state == "REVOKED" and "Revoked" or "Error",
    message = "the job has ended as " .. state,
  })
  if given.propagate == false then return nil, err end
  error(err, 0)
end

-- A job that nobody knows any more is revoked enough.
local function quietly(question, id, ...)
  local ok, answer = pcall(question, id, ...)
  if ok then return answer end
  if type(answer) ~= "table" or answer.code ~= "UnknownJob" then error(answer, 0) end
end

---Like revoke, of a part of something larger.
function result:revoke_quietly(terminate)
  local handle = self
  repeat -- dependents first, so that no end starts what is to be revoked
    quietly(core.revoke, handle.id, terminate)
    handle = handle.parent
  until not handle
end

---Cancels the job: one that waits never runs. Of a workflow, or a group, all of it is cancelled; a
---handle of a part takes those before it with it.
---@param given? { terminate?: boolean } terminate: a running one is stopped
---@return string           the state afterwards: "REVOKED", or what it is when that came too late
function result:revoke(given)
  errors.check_known(given or {}, { terminate = true }, "result:revoke")
  local terminate = given and given.terminate or false
  local state = core.revoke(self.id, terminate)
  if self.parent and not self.is_whole then self.parent:revoke_quietly(terminate) end
  return state
end

---Gives the job another time: one that is delayed, waits for a retry or stands in its queue is due
---then. What has started stays as it is.
---@param when moil.Point   a number below 1e9: seconds from now
---@return string?          "SCHEDULED", "RETRY" of a job that waits for a retry, "DEFERRED" of one
---that waits for other jobs: it is due then, but not before those have ended
---@return string? message  what it is when that came too late
---@return string? code     "BadState"
---  r:reschedule(60)
---  r:reschedule "2030-01-01T09:00:00+08:00"
function result:reschedule(when)
  local countdown, eta, wrong = time.due(when)
  if wrong then errors.bad("result:reschedule: the time %s", wrong) end
  local state = core.reschedule(self.id, countdown, eta)
  if WAITING[state] then return state end
  return nil, ("it is too late to reschedule %s: its state is %s"):format(self.id, state),
    "BadState"
end

---Drops the result of a job that has ended.
---@return boolean          false: there was none
function result:forget()
  return core.forget(self.id)
end

---Like forget, of a part of something larger.
function result:forget_quietly()
  if self.forget == result.forget then return quietly(core.forget, self.id) end
  return self:forget()
end

---Removes a job that is not running, wherever it is.
---@return boolean          false: there was none
function result:delete()
  return core.delete(self.id)
end

return result

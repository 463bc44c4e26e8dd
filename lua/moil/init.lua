-- moil: what `require "moil"` gives, the same inside a worker and in a plain Lua program.

local beat = require "moil.beat"
local canvas = require "moil.canvas"
local control = require "moil.control"
local core = require "moil.core"
local errors = require "moil.errors"
local group_result = require "moil.group_result"
local result = require "moil.result"
local signature = require "moil.signature"

if core.register then require "moil.builtin" end

local moil = {
  beat = beat,
  task = require("moil.task").register,
  chain = canvas.chain,
  group = canvas.group,
  chord = canvas.chord,
  map = canvas.map,
  starmap = canvas.starmap,
  chunks = canvas.chunks,
  retry = require "moil.retry",
  on_control = control.register,
  control = control.send,
  log = require "moil.log",
  run = require "moil.program",
  native = require("moil.native").get,
  ---JSON null inside of tables; it is not nil, and is true in a condition.
  null = core.null,
}

---Enqueues a job of a task by its name; its code need not be here.
---@param name string
---@param args? table       positional arguments; args.n counts trailing nils
---@param options? moil.CallOptions
---@return moil.Result
---  moil.send("math.add", { 4, 4 }, { queue = "high" })
function moil.send(name, args, options)
  if not core.is_name(name) then
    errors.bad("moil.send: a task's name is %s", errors.NAME)
  end
  return signature.enqueue(name, args, options)
end

---A call as data.
---@param name string
---@param args? table
---@param options? moil.CallOptions
---@return moil.Signature
---  moil.signature("math.add", { 4, 4 }):delay()
function moil.signature(name, args, options)
  return signature.named(name, args, options)
end

---Enqueues many jobs in a few round trips.
---@param signatures moil.Signature[]
---@return moil.Result[]
---  moil.enqueue_many { add:s(1, 2), add:s(3, 4) }
function moil.enqueue_many(signatures)
  if type(signatures) ~= "table" then
    errors.bad("moil.enqueue_many: takes a list of signatures")
  end
  for i = 1, #signatures do
    if not signature.is(signatures[i]) then
      errors.bad("moil.enqueue_many: entry %d is no signature (such as add:s(1, 2))", i)
    end
  end
  return signature.enqueue_all(signatures)
end

---The handle of a job by its id.
---@param id string
---@return moil.Result
function moil.result(id)
  return result.new(id)
end

---The handle of a group by its id.
---@param id string
---@return moil.GroupResult
function moil.group_result(id)
  return group_result.new(id)
end

-- Runs fn(id) for a job; what it raises as it knows no such job is left out.
local function with_job(fn, id, ...)
  local answer = table.pack(pcall(fn, id, ...))
  if answer[1] then return true, table.unpack(answer, 2, answer.n) end
  local err = answer[2]
  if type(err) ~= "table" or err.code ~= "UnknownJob" then error(err, 0) end
  return false, err
end

---Cancels an entry of run time by its name, or a job by its id: what has not started never runs.
---@param id string
---@return boolean          false: the job has started, or ended, already. Raises UnknownJob
---  moil.cancel(add:schedule(0, { 4, 4 }, { repeats = 5, interval = 10 }).id)
function moil.cancel(id)
  local handle = result.new(id)
  local removed = core.beat_remove(id, nil, nil, true)
  if removed == "1" then return true end
  local is_job, state = with_job(handle.revoke, handle)
  if is_job then return state == "REVOKED" end
  if removed == "2" then
    errors.bad("beat entry \"%s\" is one of a file: take it out there, or moil.beat.pause it", id)
  end
  return error(state, 0)
end

---Gives a waiting job, or an entry of run time, another time: see result:reschedule.
---@param id string         of the job, or the entry's name
---@param when moil.Point   a number below 1e9: seconds from now
---@return string|boolean|nil the job's state afterwards, or nil, message, "BadState"
---@return string? message
---@return string? code
---  moil.reschedule(id, 60)
function moil.reschedule(id, when)
  local is_job, first, message, code = with_job(result.reschedule, result.new(id), when)
  if is_job then return first, message, code end
  local found = beat.get(id)
  if found then return beat.entry(id):reschedule(when) end
  return error(first, 0)
end

---Which Redis a plain program talks to; without it MOIL_REDIS and the defaults of the command line
---hold.
---@param url string        redis://…, unix:///…, rediss://…, embedded:DIR
function moil.connect(url)
  if type(url) ~= "string" then
    errors.bad("moil.connect: takes a URL, such as redis://127.0.0.1:6379/0")
  end
  core.connect(url)
end

---The job that runs now, as its bound function sees it; nil outside of a job.
---@return moil.Self?
function moil.current()
  return core.current()
end

---Waits; in a job this suspends the job, not its worker.
---@param seconds number
function moil.sleep(seconds)
  if not (type(seconds) == "number" and seconds >= 0 and seconds < 1e10) then
    errors.bad("moil.sleep: takes a number of seconds, 0 or more")
  end
  core.sleep(seconds)
end

---Marks a table as a JSON object, so that it is {} and not [] when empty.
---@param t? table
---@return table            the same
---  return moil.object {}
function moil.object(t)
  if t ~= nil and (type(t) ~= "table" or getmetatable(t)) then
    errors.bad("moil.object: takes a plain table")
  end
  return setmetatable(t or {}, core.object_meta)
end

---A new random id.
---@return string
function moil.uuid()
  return core.uuid()
end

moil.json = {}

---The JSON text of a value.
---@param value any
---@return string?          or nil, message, "BadArgument"
---@return string? message
---@return string? code
function moil.json.encode(value)
  local text, wrong = core.encode(value)
  if text then return text end
  return nil, wrong, "BadArgument"
end

---The value of a JSON text; null is moil.null.
---@param text string
---@return any              or nil, message, "BadArgument"
---@return string? message
---@return string? code
function moil.json.decode(text)
  if type(text) ~= "string" then
    errors.bad("moil.json.decode: takes a string")
  end
  local value, wrong = core.decode(text)
  if value ~= nil then return value end
  return nil, wrong, "BadArgument"
end

return moil

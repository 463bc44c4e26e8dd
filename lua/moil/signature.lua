-- A call as data: which task, with what, how. It can be enqueued now or later, alone or in bulk.

local call = require "moil.call"
local core = require "moil.core"
local errors = require "moil.errors"

---@class moil.Signature
---@field task string
---@field args table        with n
---@field options moil.CallOptions
---@field immutable boolean takes no arguments from what comes before it
local signature = {}
signature.__index = signature
signature.__name = "moil.Signature"

---@param task string
---@param args? table       positional arguments
---@param options? moil.CallOptions
---@param immutable? boolean
---@return moil.Signature
---  moil.signature("math.add", { 4, 4 }, { queue = "high" })
function signature.new(task, args, options, immutable)
  if not core.is_name(task) then
    errors.bad("moil.signature: a task's name is %s", errors.NAME)
  end
  args = call.check_args(task, args)
  return setmetatable({
    task = task,
    args = args,
    options = options or {},
    immutable = immutable or false,
  }, signature)
end

---@param value any
---@return boolean
function signature.is(value)
  return getmetatable(value) == signature
end

local function merge(own, given)
  if not given then return own end
  local merged = {}
  for key, value in pairs(own) do merged[key] = value end
  for key, value in pairs(given) do merged[key] = value end
  return merged
end

---Its description for core.enqueue.
---@param options? moil.CallOptions before its own
---@return table
function signature:describe(options)
  return call.describe(self.task, self.args, merge(self.options, options))
end

---Enqueues it.
---@return moil.Result
function signature:delay()
  return self:apply_async()
end

---Enqueues it with more options.
---@param options? moil.CallOptions
---@return moil.Result
function signature:apply_async(options)
  if options ~= nil and type(options) ~= "table" then
    errors.bad("%s: options must be a table", self.task)
  end
  return call.enqueue_all({ self:describe(options) })[1]
end

function signature:__tostring()
  return "moil.Signature " .. self.task
end

return signature

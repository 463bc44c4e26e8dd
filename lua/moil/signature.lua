-- A call as data: which task, with what, how; or several of them, tied together by canvas.lua. It
-- can be enqueued now or later, as often as one likes. Must not know how a workflow becomes jobs
-- (plan.lua) or reaches Redis (workflow.lua).

local call = require "moil.call"
local core = require "moil.core"
local errors = require "moil.errors"
local group_result = require "moil.group_result"
local options = require "moil.options"
local workflow = require "moil.workflow"

---@class moil.Signature
---@field kind "job"|"chain"|"group"|"chord"
---@field task? string      of a job
---@field args table        with n; a workflow's go in front of those of its first jobs
---@field options moil.CallOptions
---@field like? string      it runs in the queue of this task, where nothing says otherwise
---@field immutable boolean takes no arguments from what comes before it
---@field complete? string  has its items, and takes no more arguments: what made it
---@field steps? moil.Signature[]   of a chain
---@field members? moil.Signature[] of a group
---@field header? moil.Signature    of a chord: a group
---@field body? moil.Signature      of a chord
local signature = {}
signature.__index = signature
signature.__name = options.SIGNATURE

local NONE <const> = { n = 0 }

-- What a job and a workflow can be told, before it is known what its task says.
local function check(self, given)
  if type(given) ~= "table" then
    errors.bad("%s: options must be a table", self:name())
  end
  if self.kind == "job" then
    options.check_values(given, self.task)
  else
    options.check_workflow(given, self.kind)
  end
end

local function copy(t)
  local new = {}
  for key, value in pairs(t) do new[key] = value end
  return new
end

-- A list of its own, so that adding to it changes no other signature.
local function list_of(value)
  if value == nil then return {} end
  return options.is_signature(value) and { value } or copy(value)
end

local function merge(own, given)
  local merged = copy(own)
  for key, value in pairs(given) do
    if own[key] ~= nil and (key == "link" or key == "link_error") then
      local all = list_of(own[key])
      table.move(list_of(value), 1, #list_of(value), #all + 1, all)
      value = all
    end
    merged[key] = value
  end
  if given.countdown ~= nil and given.eta == nil then merged.eta = nil end
  if given.eta ~= nil and given.countdown == nil then merged.countdown = nil end
  return merged
end

---@param task string
---@param args? table       positional arguments
---@param given? moil.CallOptions
---@param immutable? boolean
---@return moil.Signature
---  moil.signature("math.add", { 4, 4 }, { queue = "high" })
function signature.new(task, args, given, immutable)
  if not core.is_name(task) then
    errors.bad("moil.signature: a task's name is %s", errors.NAME)
  end
  args = call.check_args(task, args)
  if type(given) == "table" then
    options.check_values(given, task)
  elseif given ~= nil then
    errors.bad("%s: options must be a table", task)
  end
  return setmetatable({
    kind = "job",
    task = task,
    args = args,
    options = given or {},
    immutable = immutable or false,
  }, signature)
end

-- The options without `immutable`, which says nothing about the call; and what it says.
local function without_immutable(given, who)
  if type(given) ~= "table" or given.immutable == nil then return given end
  if type(given.immutable) ~= "boolean" then errors.bad("%s: immutable must be a boolean", who) end
  local rest = copy(given)
  rest.immutable = nil
  return rest, given.immutable
end

---By the name of its task, whose code need not be at hand.
---@param task string
---@param args? table
---@param given? moil.CallOptions and `immutable`
---@return moil.Signature
---  moil.signature("log.line", { "done" }, { immutable = true })
function signature.named(task, args, given)
  return signature.new(task, args, without_immutable(given, task))
end

---A workflow: canvas.lua's.
---@param kind string
---@param fields table
---@return moil.Signature
function signature.of(kind, fields)
  fields.kind, fields.args, fields.immutable = kind, NONE, false
  fields.options = fields.options or {}
  return setmetatable(fields, signature)
end

---@param value any
---@return boolean
function signature.is(value)
  return getmetatable(value) == signature
end

---Raises unless it is a signature.
---@param value any
---@param what string       what it is, for the message: "moil.chain: step 2"
---@return moil.Signature
function signature.check(value, what)
  if signature.is(value) then return value end
  local meta = type(value) == "table" and getmetatable(value)
  if type(meta) == "table" and meta.__name == "moil.Task" then
    errors.bad("%s is a task, not a signature: give %s:s(…)", what, value.name)
  end
  errors.bad("%s is no signature (such as add:s(1, 2))", what)
end

---What it is called in messages.
---@return string
function signature:name()
  return self.task or self.kind
end

---Arguments in front of others.
---@param front table       with n
---@param args table
---@return table
local function join_args(front, args)
  local k = front.n or #front
  if k == 0 then return args end
  local n = args.n or #args
  local joined = table.move(front, 1, k, 1, { n = k + n })
  return table.move(args, 1, n, k + 1, joined)
end

---A copy, with more arguments in front of its own (a workflow's first jobs get them; immutable
---ones do not).
---@param ... any
---@return moil.Signature
---  add:s(2):clone(1)      -- add(1, 2)
function signature:clone(...)
  if self.complete and select("#", ...) > 0 then
    errors.bad("%s: it has its items, and takes no arguments besides", self.complete)
  end
  local new = copy(self)
  new.options = copy(self.options)
  if not self.immutable then new.args = join_args(table.pack(...), self.args) end
  return setmetatable(new, signature)
end

---Gives it options, over those that it has; link and link_error are added.
---@param given moil.CallOptions and, of a job, `immutable`
---@return moil.Signature   itself
---  add:s(1, 2):set { queue = "high", countdown = 5 }
function signature:set(given)
  local immutable
  if self.kind == "job" then given, immutable = without_immutable(given, self.task) end
  check(self, given)
  if immutable ~= nil then self.immutable = immutable end
  self.options = merge(self.options, given)
  return self
end

---What runs with its result when it has succeeded.
---@param callback moil.Signature
---@return moil.Signature   itself
function signature:link(callback)
  return self:set { link = signature.check(callback, "signature:link: the callback") }
end

---What runs when it has failed, with the error and the id of the failed job in front of its own
---arguments.
---@param callback moil.Signature
---@return moil.Signature   itself
---  moil.chain(a, b):on_error(tell:s())
function signature:on_error(callback)
  return self:set { link_error = signature.check(callback, "signature:on_error: the callback") }
end

---Its description for core.enqueue; of a job that is tied to no other.
---@return table
function signature:describe()
  local given = self.options
  if self.like and type(given) == "table" and given.queue == nil then
    given = copy(given)
    given.queue = call.queue_of(self.like)
  end
  return call.describe(self.task, self.args, given)
end

---Is it one job, tied to no other?
---@return boolean
function signature:is_plain()
  local own = self.options
  return self.kind == "job" and not (type(own) == "table"
    and (own.link or own.link_error or own.depends_on))
end

---Enqueues it.
---@param ... any           arguments in front of its own
---@return moil.Result
function signature:delay(...)
  return (select("#", ...) > 0 and self:clone(...) or self):apply_async()
end

---Enqueues it with more options.
---@param given? moil.CallOptions
---@return moil.Result
function signature:apply_async(given)
  local whole = self
  if given ~= nil then
    check(self, given)
    whole = setmetatable(copy(self), signature)
    whole.options = merge(self.options, given)
  end
  if whole:is_plain() then return call.enqueue_all({ whole:describe() })[1] end
  return group_result.of(workflow.start(whole))
end

---Enqueues a call of a task.
---@param task string
---@param args? table
---@param given? moil.CallOptions
---@return moil.Result
function signature.enqueue(task, args, given)
  args = call.check_args(task, args)
  if type(given) == "table" and (given.link or given.link_error or given.depends_on) then
    return signature.new(task, args, given):apply_async()
  end
  return call.enqueue(task, args, given)
end

---Enqueues many: those that are single jobs in a few round trips.
---@param list moil.Signature[]
---@return moil.Result[]
function signature.enqueue_all(list)
  local results, specs, places = {}, {}, {}
  local function send()
    for i, handle in ipairs(call.enqueue_all(specs)) do results[places[i]] = handle end
    specs, places = {}, {}
  end
  for i, one in ipairs(list) do
    if one:is_plain() then
      specs[#specs + 1], places[#places + 1] = one:describe(), i
    else
      send()
      results[i] = one:apply_async()
    end
  end
  send()
  return results
end

function signature:__tostring()
  return "moil.Signature " .. self:name()
end

return signature

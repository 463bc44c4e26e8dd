-- A group of jobs seen from outside, and the handles of workflows in general: made of the shape
-- that plan.lua gives, or of a group's id alone.
--
--   local r = moil.group(add:s(1, 1), add:s(2, 2)):delay()
--   for i, value in r:iterate() do print(i, value) end

local core = require "moil.core"
local errors = require "moil.errors"
local options = require "moil.options"
local result = require "moil.result"
local workflow = require "moil.workflow"

---@class moil.GroupResult: moil.Result
---@field children moil.Result[] its members, in order
---@field parent? moil.Result    what came before it in a chain
local group = {}

local CHUNK <const> = 250 -- members that one question is about

local FINAL <const> = { SUCCESS = true, FAILURE = true, REVOKED = true, UNKNOWN = true }

local known = { timeout = true, propagate = true }

local from_shape

-- A group without members, or is it none?
local function check_empty(id)
  local task = result.info({ id = id }).task
  if task ~= "moil.group" and task ~= "moil.collect" then
    errors.bad("moil.group_result: %s is no group, but a job of %s", id, task)
  end
end

-- How many members it has, and how many ends it still waits for.
local function counts_of(id)
  local total, open = core.gather(id, 0, 1, "s")
  if total == 0 then check_empty(id) end
  return total, open
end

-- The ids of its members with their states, or values too: for i, id, state, text in …
local function each_member(id, what)
  local from, at, total, ids, states, values = 0, 0, math.huge, {}, nil, nil
  return function()
    if at >= #ids then
      from, at = from + #ids, 0
      if from >= total then return nil end
      local _
      total, _, ids, states, values = core.gather(id, from, CHUNK, what)
      if total == 0 then check_empty(id) end
      if #ids == 0 then return nil end
    end
    at = at + 1
    return from + at, ids[at], states[at], values[at]
  end
end

local function handles_of(id)
  local list = {}
  for i, member, state in each_member(id, "s") do
    list[i] = state == "GROUP" and group.new(member) or result.new(member)
  end
  return list
end

-- The list of members is made when somebody asks for it.
local function index(self, key)
  if key ~= "children" then return group[key] end
  local shape = rawget(self, "shape")
  local list = {}
  if shape then
    for i, child in ipairs(shape.children) do list[i] = from_shape(child, self.created) end
  else
    list = handles_of(self.id)
  end
  self.children = list
  return list
end

local meta <const> = {
  __index = index,
  __name = "moil.GroupResult",
  __tostring = function(self) return "moil.GroupResult " .. self.id end,
}
setmetatable(group, { __index = result })

---The handle of a group by its id. Asks nobody.
---@param id string
---@param created? boolean
---@return moil.GroupResult
function group.new(id, created)
  return setmetatable(result.new(id, created), meta)
end

-- The handle of one node, without those before it.
local function node_of(shape, created)
  if not shape.group then return result.new(shape.id, created) end
  local handle = group.new(shape.id, created)
  if shape.children then handle.shape = shape end
  return handle
end

function from_shape(shape, created)
  local handle = node_of(shape, created)
  local behind = handle
  while shape.parent do
    shape = shape.parent
    behind.parent = node_of(shape, created)
    behind = behind.parent
  end
  return handle
end

---The handle of a workflow.
---@param shape moil.Shape
---@param created? boolean
---@return moil.Result
function group.of(shape, created)
  local handle = from_shape(shape, created)
  handle.is_whole = true -- its id stands for all of it
  return handle
end

-- --- its values ---------------------------------------------------------------------------------

local function check(self, given, who)
  given = given or {}
  errors.check_known(given, known, who)
  local timeout = given.timeout
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
    errors.bad("%s: timeout must be a number of seconds, 0 or more", who)
  end
  local current = core.current()
  if current and current.group_id == self.id then
    errors.bad("%s: a member cannot wait for its own group", who)
  end
  return given, timeout and timeout < math.huge and core.now() + timeout
end

local function left(deadline)
  return deadline and math.max(0, deadline - core.now()) or nil
end

local values_of

-- One member's value, or nil and its error.
local function value_of(id, state, text, deadline)
  if state == "GROUP" then
    return values_of(id, deadline)
  elseif state == "SUCCESS" then
    return core.decode(text)
  elseif state == "UNKNOWN" then
    return nil, errors.revive { code = "UnknownJob",
      message = ("the result of the member %s is not kept any more"):format(id) }
  end
  if text ~= "" and FINAL[state] then return nil, errors.revive(core.decode(text)) end
  local value, err = result.new(id):get { timeout = left(deadline), propagate = false }
  if err then return nil, err end
  return value == nil and core.null or value
end

function values_of(id, deadline)
  local list = {}
  for i, member, state, text in each_member(id, "v") do
    local value, err = value_of(member, state, text, deadline)
    if err then value = { error = err } end
    list[i] = value
  end
  return list
end

---Waits until all members have ended, and gives their results in order. A null is moil.null.
---@param given? { timeout?: number, propagate?: boolean } propagate = false: failures do not raise,
---but stand in the list as { error = … }
---@return any[]            raises the group's error (DependencyFailed), Timeout, UnknownJob
---  r:join { timeout = 10 }
function group:join(given)
  local deadline
  given, deadline = check(self, given, "result:join")
  if given.propagate ~= false then
    result.get(self, { timeout = left(deadline) })
  end
  return values_of(self.id, deadline)
end

---The same as join; with propagate = false a failure is returned behind nil.
---@param given? { timeout?: number, propagate?: boolean }
---@return any[]?
---@return moil.Error? err
function group:get(given)
  local deadline
  given, deadline = check(self, given, "result:get")
  local _, err = result.get(self, { timeout = left(deadline), propagate = given.propagate })
  if err then return nil, err end
  return values_of(self.id, deadline)
end

---Goes through the results in order, each as soon as it and those before it are there.
---@param given? { timeout?: number } for all of them
---@return fun(): integer?, any, moil.Error?
---  for i, value, err in r:iterate() do print(i, value, err) end
function group:iterate(given)
  local _, deadline = check(self, given, "result:iterate")
  local members = each_member(self.id, "v")
  return function()
    local i, id, state, text = members()
    if not i then return nil end
    local value, err = value_of(id, state, text, deadline)
    if value == core.null then value = nil end
    return i, value, err
  end
end

-- --- how far it is ------------------------------------------------------------------------------

---How many members there are.
---@return integer
function group:count()
  return (counts_of(self.id))
end

---How many members have ended, in whatever way.
---@return integer
function group:completed_count()
  local total, open = counts_of(self.id)
  if open > 0 then return total - open end
  local ended = 0
  for _, id, state in each_member(self.id, "s") do
    if FINAL[state] or state == "GROUP" and group.new(id):ready() then ended = ended + 1 end
  end
  return ended
end

-- --- what can be done about it ------------------------------------------------------------------

---Drops its results.
---@return boolean          false: there was none
function group:forget()
  for _, child in ipairs(self.children) do result.forget_quietly(child) end
  return core.forget(self.id)
end

---Adds members while it has not ended.
---@param ... moil.Signature
---@return moil.Result[]    of the new members
---  r:add(add:s(3, 3))
function group:add(...)
  local trees = table.pack(...)
  for i = 1, trees.n do
    if not options.is_signature(trees[i]) then
      errors.bad("result:add: entry %d is no signature (such as add:s(1, 2))", i)
    end
  end
  local shape = rawget(self, "shape")
  local mode = shape and shape.mode or workflow.mode_of(self.id)
  local added = mode and workflow.extend(trees, self.id, mode)
  if not added then errors.bad("result:add: the group %s has ended, or is none", self.id) end
  local handles = {}
  for i, child in ipairs(added) do handles[i] = from_shape(child, true) end
  local children = rawget(self, "children")
  if shape then
    table.move(added, 1, #added, #shape.children + 1, shape.children)
  end
  if children then table.move(handles, 1, #handles, #children + 1, children) end
  return handles
end

return group

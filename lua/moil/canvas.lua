-- Workflows as pure data: signatures of signatures. Nothing here makes ids, reads clocks or talks
-- to anybody: plan.lua turns the data into jobs when it is enqueued.
--
--   moil.chord({ add:s(1, 1), add:s(2, 2) }, sum:s()):delay():get()

local errors = require "moil.errors"
local signature = require "moil.signature"

local canvas = {}

-- `f(a, b, c)` and `f { a, b, c }` are the same.
local function list_of(who, what, ...)
  local given = table.pack(...)
  if given.n == 1 and type(given[1]) == "table" and getmetatable(given[1]) == nil then
    given = given[1]
  end
  local list = {}
  for i = 1, given.n or #given do
    list[i] = signature.check(given[i], ("%s: %s %d"):format(who, what, i))
  end
  return list
end

local function is_bare(tree)
  return next(tree.options) == nil and tree.args.n == 0
end

-- A chain within a chain is the same chain, so that one can be grown step by step.
local function add_step(steps, step)
  if step.kind == "chain" and is_bare(step) then
    table.move(step.steps, 1, #step.steps, #steps + 1, steps)
  else
    steps[#steps + 1] = step
  end
end

---One after the other; each gets what the one before it returned, in front of its own arguments.
---@param ... moil.Signature|moil.Signature[]
---@return moil.Signature
---  moil.chain(add:s(2, 2), mul:s(3)):delay():get()     -- 12
function canvas.chain(...)
  local steps = {}
  for _, step in ipairs(list_of("moil.chain", "step", ...)) do add_step(steps, step) end
  if #steps == 0 then errors.bad("moil.chain: it needs at least one signature") end
  return signature.of("chain", { steps = steps })
end

---Side by side.
---@param ... moil.Signature|moil.Signature[]
---@return moil.Signature
---  moil.group(add:s(1, 1), add:s(2, 2)):delay():join()  -- { 2, 4 }
function canvas.group(...)
  return signature.of("group", { members = list_of("moil.group", "member", ...) })
end

---A group, and a body that gets the list of its results.
---@param header moil.Signature[]|moil.Signature a list or a group
---@param body moil.Signature
---@param options? table    such as { member_failure = "collect" }
---@return moil.Signature
---  moil.chord({ add:s(1, 1), add:s(2, 2) }, sum:s())
function canvas.chord(header, body, options)
  if signature.is(header) then
    if header.kind ~= "group" then header = canvas.group(header) end
  elseif type(header) == "table" and getmetatable(header) == nil then
    header = signature.of("group", { members = list_of("moil.chord", "member", header) })
  else
    errors.bad("moil.chord: takes a list of signatures (or a group) and a body")
  end
  signature.check(body, "moil.chord: the body (second argument)")
  local chord = signature.of("chord", { header = header, body = body })
  return options and chord:set(options) or chord
end

-- The name of a task given as its handle, its name, or a signature of it without arguments.
local function task_of(who, task)
  if type(task) == "string" then return signature.new(task).task end
  local meta = type(task) == "table" and getmetatable(task)
  if type(meta) == "table" and meta.__name == "moil.Task" then return task.name end
  if signature.is(task) and task.kind == "job" then return task.task end
  errors.bad("%s: takes a task (its handle or name) and a list", who)
end

local function check_items(who, items)
  if type(items) ~= "table" or getmetatable(items) ~= nil then
    errors.bad("%s: takes a list, such as { 1, 2, 3 }", who)
  end
  return items
end

local function check_calls(who, items)
  for i, item in ipairs(check_items(who, items)) do
    if type(item) ~= "table" then
      errors.bad("%s: item %d must be a list of arguments, such as { 1, 2 }", who, i)
    end
  end
  return items
end

-- Without a list the one that comes before it is taken.
local function mapping(builtin, task, items)
  local given = items and { items, n = 1 } or { n = 0 }
  local whole = signature.new(builtin, given, { kwargs = { task = task } }, items ~= nil)
  whole.like, whole.complete = task, items and builtin
  return whole
end

---One job that calls the task with each item.
---@param task moil.Task|string
---@param items? any[]      none: what comes before it
---@return moil.Signature
---  moil.map("math.double", { 1, 2, 3 }):delay():get()    -- { 2, 4, 6 }
function canvas.map(task, items)
  task = task_of("moil.map", task)
  return mapping("moil.map", task, items ~= nil and check_items("moil.map", items) or nil)
end

---One job that calls the task with the arguments in each item.
---@param task moil.Task|string
---@param items? any[][]    none: what comes before it
---@return moil.Signature
---  moil.starmap("math.add", { { 1, 1 }, { 2, 2 } }):delay():get()   -- { 2, 4 }
function canvas.starmap(task, items)
  task = task_of("moil.starmap", task)
  return mapping("moil.starmap", task, items ~= nil and check_calls("moil.starmap", items) or nil)
end

---A group of jobs that call the task with n items each.
---@param task moil.Task|string
---@param items any[][]     lists of arguments
---@param n integer         calls in a job
---@return moil.Signature
---  moil.chunks("math.add", { { 1, 1 }, { 2, 2 }, { 3, 3 } }, 2):delay():join() -- {{2, 4}, {6}}
function canvas.chunks(task, items, n)
  task = task_of("moil.chunks", task)
  check_calls("moil.chunks", items)
  if math.type(n) ~= "integer" or n < 1 then
    errors.bad("moil.chunks: the size of a chunk (last argument) must be a whole number, 1 or more")
  end
  local members = {}
  for from = 1, #items, n do
    local last = math.min(from + n - 1, #items)
    members[#members + 1] = mapping("moil.starmap", task, table.move(items, from, last, 1, {}))
  end
  local whole = canvas.group(members)
  whole.complete = "moil.chunks"
  return whole
end

return canvas

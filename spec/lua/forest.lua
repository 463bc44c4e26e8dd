-- Workflows of chance, and what they must come to: the oracle goes through a tree directly, and
-- knows no ids, links or jobs. For specs of lua/moil/plan.lua with a simulator of the links, and
-- for the same with real workers.
--
-- Tasks: "f" gives its name and what it was called with, as text; "fail" fails.

local forest = {}

---Lua source of show(v, null): a value as text. Errors and ids are not told apart.
forest.SHOW = [[
local function show(v, null)
  if v == nil or v == null then return "null" end
  if type(v) == "string" and v:find("^%x+%-%x+%-%x+%-%x+%-%x+$") then return "ID" end
  if type(v) ~= "table" then return tostring(v) end
  if v.error or v.code then return "ERROR" end
  local list = {}
  for i = 1, v.n or #v do list[i] = show(v[i], null) end
  return "[" .. table.concat(list, ",") .. "]"
end
]]

---@type fun(v: any, null: any): string
forest.show = load(forest.SHOW .. "return show")()

local ID <const> = "00000000-0000-0000-0000-000000000000"

-- --- the oracle ---------------------------------------------------------------------------------

---What stands for null in what the oracle hands on.
forest.NULL = {}

local evaluate

-- input: nil, or a list of values; or FAILED: what comes before it has failed.
local FAILED <const> = {}

local function list_of(value)
  if value == nil then return {} end
  return value.kind and { value } or value
end

local function allows_failure(tree)
  local set = tree.options.depends_on
  return type(set) == "table" and set.allow_failure
end

local function concat(...)
  local all = {}
  for _, list in ipairs { ... } do
    table.move(list, 1, list.n or #list, #all + 1, all)
  end
  return all
end

local kinds = {}

function kinds.job(tree, input, front, run)
  if input == FAILED then
    if not allows_failure(tree) then return false end
    input = { forest.NULL }
  end
  local args = tree.args
  if not tree.immutable then args = concat(input or {}, front, args) end
  return run(tree.task, concat(args))
end

function kinds.chain(tree, input, front, run)
  local ok, value
  for i, step in ipairs(tree.steps) do
    if i > 1 then
      input, front = ok and { value } or FAILED, {}
    end
    ok, value = evaluate(step, input, front, run)
  end
  return ok, value
end

function kinds.group(tree, input, front, run, policy)
  if #tree.members == 0 then return input ~= FAILED, {} end
  policy = tree.options.member_failure or policy or "fail"
  local list, failed = {}, false
  for i, member in ipairs(tree.members) do
    local ok, value = evaluate(member, input, front, run)
    list[i] = ok and value or { error = true }
    failed = failed or not ok
  end
  return not failed or policy == "collect", list
end

function kinds.chord(tree, input, front, run)
  local ok, value = evaluate(tree.header, input, front, run, tree.options.member_failure)
  return evaluate(tree.body, ok and { value } or FAILED, {}, run)
end

function evaluate(tree, input, front, run, policy)
  local own = tree.kind ~= "job" and tree.args or {}
  local ok, value = kinds[tree.kind](tree, input, concat(front, own), run, policy)
  if ok then
    for _, callback in ipairs(list_of(tree.options.link)) do
      evaluate(callback, { value }, {}, run)
    end
  else
    for _, callback in ipairs(list_of(tree.options.link_error)) do
      evaluate(callback, { { error = true }, ID }, {}, run)
    end
  end
  return ok, value
end

---What a workflow comes to.
---@param tree moil.Signature
---@param run fun(task: string, args: any[]): boolean, any  ok and value
---@return boolean ok
---@return any value
function forest.evaluate(tree, run)
  return evaluate(tree, nil, {}, run)
end

-- --- workflows of chance ------------------------------------------------------------------------

---@param moil table
---@param random fun(n: integer): integer
---@param failing integer   percent of the jobs that fail
---@param policies? string[] of groups; all when not said
---@return fun(depth: integer): moil.Signature
---@return { revokes: boolean } whether who is in time is chance
function forest.generator(moil, random, failing, policies)
  policies = policies or { "fail", "wait", "collect", "revoke" }
  local label = 0
  local tree_of
  local state = { revokes = false }

  local function job(options)
    label = label + 1
    local task = random(100) <= failing and "fail" or "f"
    local args = random(4) == 1 and {} or { "a" .. label }
    local made = moil.signature(task, args, options)
    made.immutable = random(5) == 1
    return made
  end

  local function many(depth, from, to)
    local list = {}
    for i = 1, random(to - from + 1) + from - 1 do list[i] = tree_of(depth) end
    return list
  end

  local function ends_in_group(tree)
    if tree.kind == "chain" then return ends_in_group(tree.steps[#tree.steps]) end
    if tree.kind == "chord" then return ends_in_group(tree.body) end
    return tree.kind == "group" and #tree.members > 0
  end

  local function policy()
    local chosen = policies[random(#policies)]
    state.revokes = state.revokes or chosen == "revoke"
    return chosen
  end

  local makers = {
    job = function() return job() end,
    chain = function(depth)
      local steps = many(depth, 1, 4)
      for i = 2, #steps do
        if steps[i].kind == "job" and not ends_in_group(steps[i - 1]) and random(6) == 1 then
          steps[i]:set { depends_on = { allow_failure = true } }
        end
      end
      return moil.chain(steps)
    end,
    group = function(depth)
      local made
      if random(12) == 1 then
        local members = {}
        for i = 1, 15 + random(10) do members[i] = job() end
        made = moil.group(members)
      else
        made = moil.group(many(depth, 0, 3))
      end
      if random(2) == 1 then made:set { member_failure = policy() } end
      return made
    end,
    chord = function(depth)
      local made = moil.chord(many(depth, 0, 4), tree_of(depth))
      if random(2) == 1 then made:set { member_failure = policy() } end
      return made
    end,
  }

  function tree_of(depth)
    local kind = depth <= 0 and "job" or ({ "job", "chain", "group", "chord" })[random(4)]
    local tree = makers[kind](depth - 1)
    if random(8) == 1 then tree:link(tree_of(depth - 2)) end
    if random(20) == 1 then tree:link(tree_of(depth - 2)) end
    if random(8) == 1 then tree:on_error(tree_of(depth - 2)) end
    if random(10) == 1 then tree = tree:clone("c" .. label) end
    return tree
  end
  return tree_of, state
end

return forest

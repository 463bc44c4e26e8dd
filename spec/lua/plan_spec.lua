-- lua/moil/plan.lua and canvas.lua: workflows of chance, run by a simulator of the links, give what
-- going through the tree directly gives.

local driver = require "spec.lua.driver"
local simulator = require "spec.lua.simulator"

local moil, plan

setup(function()
  moil = driver.open()
  plan = require "moil.plan"
end)

local function new_env()
  local count = 0
  return {
    new_id = function()
      count = count + 1
      return "id-" .. count
    end,
    queue_of = function() return "default" end,
    describe = function(task, args, options)
      return { task = task, args = args, n = args.n or #args, id = options.id,
        queue = options.queue, delay = options.countdown,
        extra = { result_ttl = options.result_ttl } }
    end,
  }
end

-- --- tasks, for both ----------------------------------------------------------------------------

local function show(v)
  if v == simulator.NULL then return "null" end
  if type(v) ~= "table" then return tostring(v) end
  if v.error then return "ERROR" end
  if v.id then return "ID" end
  local list = {}
  for i, entry in ipairs(v) do list[i] = show(entry) end
  return "[" .. table.concat(list, ",") .. "]"
end

local function runner(log)
  return function(task, args)
    if task == "moil.collect" then return true, args[1] end
    local call = ("%s%s"):format(task, show(args))
    table.insert(log, call)
    if task == "fail" then return false, "because" end
    return true, call
  end
end

-- --- the oracle: a tree, straight through -------------------------------------------------------

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
    input = { simulator.NULL }
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
      evaluate(callback, { { error = true }, { id = true } }, {}, run)
    end
  end
  return ok, value
end

-- --- workflows of chance ------------------------------------------------------------------------

local function generator(random, failing)
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
    local chosen = ({ "fail", "wait", "collect", "revoke" })[random(4)]
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

local function describe_links(compiled)
  local lines = {}
  for i, spec in ipairs(compiled.nodes) do
    lines[i] = ("%s %s %d %s"):format(spec.id, spec.task, spec.open, spec.links or "")
  end
  return table.concat(lines, "\n")
end

-- Dependents stand before what they depend on; the one that stands for the whole is the first.
local function check_order(compiled)
  assert.equal(compiled.wid, compiled.nodes[1].id)
  local is_ready = false
  for i = 2, #compiled.nodes do
    if compiled.nodes[i].open == 0 then is_ready = true end
    assert.is_true(compiled.nodes[i].open == 0 or not is_ready)
  end
end

local function check_lines(compiled)
  local in_group, listed = {}, {}
  for _, members in ipairs(compiled.members) do
    for _, id in ipairs(members[2]) do in_group[id] = true end
  end
  for _, line in ipairs(compiled.lines) do
    local id, kind = line:match("^(%S+) (%l+) %S+ %S+$")
    assert.is_nil(listed[id])
    assert(kind == "job" or kind == "group" or kind == "link" or kind == "error", line)
    listed[id] = true
  end
  for _, spec in ipairs(compiled.nodes) do
    assert(listed[spec.id] or in_group[spec.id] or #compiled.nodes == 1, spec.id)
  end
end

local function try(seed, failing)
  math.randomseed(seed)
  local random = math.random
  local make, state = generator(random, failing)
  local tree = make(4)
  local compiled = plan.compile(tree, new_env())
  check_order(compiled)
  check_lines(compiled)
  local expected_log, log = {}, {}
  local ok, value = evaluate(tree, nil, {}, runner(expected_log))
  local sim = simulator.new(compiled, random, runner(log))
  local drained, wrong = pcall(sim.drain, sim)
  assert(drained, ("seed %d: %s\n%s"):format(seed, wrong, describe_links(compiled)))
  local root = sim:node(compiled.wid)
  assert.equal(ok, root.state == "SUCCESS", ("seed %d\n%s"):format(seed, describe_links(compiled)))
  if failing > 0 and state.revokes then return #compiled.nodes end -- who was in time is chance
  if ok then
    local got = root.value
    if compiled.root.group then got = sim:values_of(compiled.wid) end
    assert.equal(show(value), show(got), ("seed %d"):format(seed))
  end
  table.sort(log)
  table.sort(expected_log)
  assert.same(expected_log, log, ("seed %d"):format(seed))
  return #compiled.nodes
end

describe("workflows of chance", function()
  it("give what their trees say, each job running once", function()
    local nodes = 0
    for seed = 1, 2000 do nodes = nodes + try(seed, 0) end
    assert(nodes > 20000)
  end)

  it("end in each part when jobs of theirs fail", function()
    for seed = 1, 2000 do try(seed, 15) end
  end)
end)

-- lua/moil/plan.lua and canvas.lua: workflows of chance, run by a simulator of the links, give what
-- going through the tree directly gives.

local driver = require "spec.lua.driver"
local forest = require "spec.lua.forest"
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

-- A runner of tasks that writes down what it ran.
local function runner(log, null)
  return function(task, args)
    if task == "moil.collect" then return true, args[1] end
    local call = task .. forest.show(args, null)
    table.insert(log, call)
    if task == "fail" then return false, "because" end
    return true, call
  end
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
    for _, id in ipairs(members[2]) do in_group[id] = not members[3] end
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

-- What is to be revoked with a whole is known once, as a part or as a member.
local function check_parts(compiled)
  local known, nodes = { [compiled.wid] = true }, {}
  for _, spec in ipairs(compiled.nodes) do nodes[spec.id] = spec end
  for _, list in ipairs(compiled.members) do
    for _, id in ipairs(list[2]) do
      assert.is_table(nodes[id])
      if list[3] or (nodes[list[1]] and nodes[list[1]].task == "moil.group") then
        assert.is_nil(known[id], id)
        known[id] = true
      end
    end
  end
end

local function try(seed, failing)
  math.randomseed(seed)
  local random = math.random
  local make, state = forest.generator(moil, random, failing)
  local tree = make(4)
  local compiled = plan.compile(tree, new_env())
  check_order(compiled)
  check_lines(compiled)
  check_parts(compiled)
  local expected_log, log = {}, {}
  local ok, value = forest.evaluate(tree, runner(expected_log, forest.NULL))
  local sim = simulator.new(compiled, random, runner(log, simulator.NULL))
  local drained, wrong = pcall(sim.drain, sim)
  assert(drained, ("seed %d: %s\n%s"):format(seed, wrong, describe_links(compiled)))
  local root = sim:node(compiled.wid)
  assert.equal(ok, root.state == "SUCCESS", ("seed %d\n%s"):format(seed, describe_links(compiled)))
  if failing > 0 and state.revokes then return #compiled.nodes end -- who was in time is chance
  if ok then
    local got = root.value
    if compiled.root.mode then got = sim:values_of(compiled.wid) end
    assert.equal(forest.show(value, forest.NULL), forest.show(got, simulator.NULL),
      ("seed %d"):format(seed))
  end
  table.sort(log)
  table.sort(expected_log)
  assert.same(expected_log, log, ("seed %d"):format(seed))
  return #compiled.nodes
end

describe("workflows of chance", function()
  it("give what their trees say, each job running once", function()
    local nodes = 0
    for seed = 1, 1500 do nodes = nodes + try(seed, 0) end
    assert(nodes > 15000)
  end)

  it("end in each part when jobs of theirs fail", function()
    for seed = 1, 1500 do try(seed, 15) end
  end)
end)

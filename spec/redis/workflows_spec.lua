-- Workflows of any shape: in random ones every job ends, whatever ends happen and however large
-- the steps are, and nothing is left behind. A model of the links, in plain Lua, says how each job
-- ends.
--
-- MOIL_SPEC_SEED runs a sequence again.

local support = require "spec.support"
local world = require "spec.redis.world"

local SEEDS <const> = 40

-- --- a random workflow: layers of jobs, each of which waits for some of the layers before --------

local function pick(list) return list[math.random(#list)] end

-- nodes by id, in an order in which those that wait come before those that they wait for.
local function random_workflow()
  local nodes, order, groups = {}, {}, {}
  local function add(id, f)
    nodes[id] = { id = id, links = {}, open = 0, group = f and f.group }
    table.insert(order, 1, id)
    return nodes[id]
  end
  local function link(from, mode, policy, to)
    table.insert(nodes[from].links, { mode = mode, policy = policy, to = to })
    nodes[to].open = nodes[to].open + 1
  end
  local earlier = {}
  for layer = 1, math.random(2, 5) do
    local new = {}
    for i = 1, math.random(1, 4) do
      local id = ("j%d.%d"):format(layer, i)
      local is_group = layer > 1 and math.random(4) == 1
      add(id, { group = is_group and {} or nil })
      if is_group then
        local mode, policy = pick { "m", "h" }, pick { "F", "R", "W", "A" }
        for _ = 1, math.random(1, 3) do
          local member = pick(earlier)
          if not nodes[id].group[member] and not nodes[member].is_member then
            nodes[id].group[member], nodes[member].is_member = true, true
            table.insert(nodes[id].group, member)
            link(member, mode, policy, id)
          end
        end
        nodes[id].policy = policy
        groups[#groups + 1] = id
      else
        for _ = 1, layer > 1 and math.random(0, 2) or 0 do
          link(pick(earlier), pick { "s", "n" }, pick { "F", "R", "A" }, id)
        end
      end
      new[#new + 1] = id
    end
    table.move(new, 1, #new, #earlier + 1, earlier)
  end
  return nodes, order, groups
end

local function batch_of(nodes, order)
  local parts = { nodes = {}, members = {} }
  for _, id in ipairs(order) do
    local node, links = nodes[id], {}
    for _, l in ipairs(node.links) do links[#links + 1] = l.mode .. l.policy .. l.to .. " " end
    if node.group then
      links[#links + 1] = "u-" .. id .. " "
      if #node.group > 0 then
        parts.members[#parts.members + 1] = { id, table.unpack(node.group) }
      end
    end
    parts.nodes[#parts.nodes + 1] = { id, plan = tostring(node.open), links = table.concat(links),
      task = node.group and "moil.group" or "t" }
  end
  return parts
end

-- --- the model: what has ended, and how --------------------------------------------------------

local model = {}

function model.finish(nodes, id, state)
  local node = nodes[id]
  if node.state then return end
  node.state = state
  for _, l in ipairs(node.links) do model.follow(nodes, l, state) end
end

local function member_ended(nodes, to, policy, state)
  local group = nodes[to]
  group.faulty = group.faulty or (state ~= "SUCCESS" and policy ~= "A")
  if group.faulty and (policy == "F" or policy == "R") then
    model.finish(nodes, to, "FAILURE")
  elseif group.open == 0 then
    model.finish(nodes, to, group.faulty and "FAILURE" or "SUCCESS")
  end
end

function model.follow(nodes, l, state)
  local to = nodes[l.to]
  if to.state then return end
  if l.mode == "m" or l.mode == "h" then
    to.open = to.open - 1
    member_ended(nodes, l.to, l.policy, state)
  elseif state == "SUCCESS" or l.policy == "A" then
    to.open = to.open - 1
  else
    model.finish(nodes, l.to, l.policy == "R" and "REVOKED" or "FAILURE")
  end
end

-- --- the run -----------------------------------------------------------------------------------

describe("a random workflow", function()
  local w
  local room, handed = nil, {} -- what its worker has room for; what it was handed

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)

  -- Ends one job, or more in one step, in some way.
  local function step(nodes)
    local ids = #handed > 0 and handed or w:fetch(math.random(4))
    local sections = { room = room and { math.random(room), "default" },
      ended = {}, dropped = {}, dead = {} }
    for _, id in ipairs(ids) do
      local kind = math.random(6)
      local state = kind <= 4 and "SUCCESS" or "FAILURE"
      if kind <= 3 then
        table.insert(sections.ended, { minute = 0, { id, world.outcome { value = "7" } } })
      elseif kind == 4 then
        table.insert(sections.dropped, { queue = "default", id })
      elseif kind == 5 then
        table.insert(sections.ended, { minute = 0, { id, world.outcome { state = "FAILURE",
          value = '{"code":"E"}' } } })
      else
        table.insert(sections.dead, { id, world.dead_record() })
      end
      sections[id] = state
    end
    local settled
    settled, handed = world.handed(w:settle(sections))
    assert.equal(#ids, settled)
    -- The sections are settled in this order, but all are ends before any link is followed.
    for _, name in ipairs { "dropped", "ended", "dead" } do
      for _, entry in ipairs(sections[name]) do
        local id = name == "dropped" and entry[1] or name == "dead" and entry[1] or entry[1][1]
        nodes[id].ended = sections[id]
      end
    end
    return ids, sections
  end

  local function states_agree(nodes)
    for id, node in pairs(nodes) do
      local record = w:key("HGET", "jobs", id)
      local state = record and record:match("^R1 (%S+)")
      if record then
        assert(state, id .. " has not ended")
        -- Of two failures that reach it in one step, either may be the first.
        if not node.ended then assert.equal(node.state == "SUCCESS", state == "SUCCESS", id) end
      else
        assert.equal("SUCCESS", node.ended, id .. " is gone")
      end
    end
  end

  local function run(seed)
    math.randomseed(seed)
    w:reset()
    handed = {}
    local nodes, order = random_workflow()
    local has_revoking = false
    for _, node in pairs(nodes) do
      has_revoking = has_revoking or node.policy == "R"
    end
    w:accept(batch_of(nodes, order))
    for id, node in pairs(nodes) do
      if node.group and node.open == 0 then model.finish(nodes, id, "SUCCESS") end
    end
    repeat
      local ids = step(nodes)
      for _, id in ipairs(ids) do model.finish(nodes, id, nodes[id].ended) end
      w:advance()
      w:check()
      w:balance()
    until #ids == 0
    assert.same({ {}, {}, {}, {} }, { w:hash "deferred", w:hash "links", w:hash "held",
      w:hash "faults" })
    if not has_revoking then states_agree(nodes) end -- the model revokes nobody
  end

  local seed <const> = tonumber(os.getenv("MOIL_SPEC_SEED"))

  local function run_all()
    for i = seed or 1, seed or SEEDS do
      local ok, why = xpcall(run, debug.traceback, i)
      if not ok then error(("MOIL_SPEC_SEED=%d\n%s"):format(i, tostring(why)), 0) end
    end
  end

  it("ends, and leaves nothing behind", run_all)

  it("ends so too where each script follows few links", function()
    for _, name in ipairs { "settle", "accept", "advance" } do
      local text, count = support.script(name):gsub("LINKS_MAX = %d+", "LINKS_MAX = 2")
      assert.equal(1, count)
      w.shas[name] = w.redis:call("SCRIPT", "LOAD", text)
    end
    run_all()
    w.shas = {}
  end)

  it("ends so too where the caller takes what starts", function()
    room = 3
    run_all()
  end)
end)

-- What the server-side scripts do with the links of a plan, as docs/protocol.md tells it, in the
-- fewest words: no Redis, no batches, workers that run one ready job after the other in an order of
-- chance. For specs of lua/moil/plan.lua. It raises where a rule is broken: a job that runs twice,
-- a result that is let go before it was read, something that is nowhere.

local simulator = {}
simulator.__index = simulator

local ID <const> = "00000000-0000-0000-0000-000000000000" -- which job it was does not matter

local NULL <const> = setmetatable({}, { __tostring = function() return "null" end })
simulator.NULL = NULL

---@param plan moil.Plan
---@param random fun(n: integer): integer
---@param run fun(task: string, args: any[]): boolean, any  ok and value, or false and an error
function simulator.new(plan, random, run)
  local self = setmetatable({
    plan = plan, random = random, run = run, nodes = {}, ready = {}, members = {}, holds = {},
    let_go = {}, expiring = {}, outside = {},
  }, simulator)
  for _, list in ipairs(plan.members) do
    if not list[3] then self.members[list[1]] = list[2] end
  end
  for _, dep in ipairs(plan.deps) do
    self.outside[dep[1]] = (self.outside[dep[1]] or "") .. dep[2] .. " "
    self.holds[dep[1]] = (self.holds[dep[1]] or 0) + 1
  end
  for _, spec in ipairs(plan.nodes) do
    local node = { id = spec.id, spec = spec, open = spec.open, front = {} }
    node.links = spec.links or ""
    assert(not self.nodes[spec.id], "an id twice")
    self.nodes[spec.id] = node
    node.state = node.open > 0 and "DEFERRED" or "PENDING"
    if node.open == 0 then table.insert(self.ready, node) end
  end
  return self
end

local function is_final(node)
  return node.state ~= "DEFERRED" and node.state ~= "PENDING"
end

function simulator:node(id)
  return self.nodes[id] or error("a link to a node that is nowhere: " .. id)
end

local function fault(node)
  return { error = node.value, of = node.id }
end

-- An end that is awaited has come.
function simulator:release(id, ...)
  local node = self:node(id)
  if node.state ~= "DEFERRED" then return end
  for _, value in ipairs { ... } do table.insert(node.front, value) end
  node.open = node.open - 1
  if node.open == 0 then
    node.state = "PENDING"
    table.insert(self.ready, node)
  end
end

function simulator:refuse(id, policy, cause)
  self:finish(self:node(id), policy == "R" and "REVOKED" or "FAILURE", cause)
end

function simulator:pass(from, policy, id, with_value)
  if from.state == "SUCCESS" then
    if with_value then self:release(id, from.value) else self:release(id) end
  elseif policy == "A" then
    if with_value then self:release(id, NULL) else self:release(id) end
  else
    self:refuse(id, policy, fault(from))
  end
end

function simulator:member_ended(from, policy, id)
  local group = self:node(id)
  if group.state ~= "DEFERRED" then return end
  if from.state ~= "SUCCESS" and policy ~= "A" then
    if policy == "W" then
      group.fault = group.fault or fault(from)
    else
      if policy == "R" then
        for _, member in ipairs(self.members[id]) do
          local node = self:node(member)
          if not is_final(node) then self:finish(node, "REVOKED", fault(from)) end
        end
      end
      return self:finish(group, "FAILURE", fault(from))
    end
  end
  group.open = group.open - 1
  if group.open == 0 then
    self:finish(group, group.fault and "FAILURE" or "SUCCESS", group.fault or NULL)
  end
end

function simulator:let_go_of(id)
  self.let_go[id], self.expiring[id] = true, true
  for _, member in ipairs(self.members[id]) do
    if self.members[member] then self:let_go_of(member) end
  end
end

-- mode -> what the end of `from` does
local acts = {}
function acts.s(self, from, policy, id) self:pass(from, policy, id, true) end
function acts.n(self, from, policy, id) self:pass(from, policy, id, false) end
function acts.S(self, from, policy, id)
  for _, head in ipairs(self.members[id]) do self:pass(from, policy, head, true) end
end
function acts.N(self, from, policy, id)
  for _, head in ipairs(self.members[id]) do self:pass(from, policy, head, false) end
end
function acts.m(self, from, policy, id) self:member_ended(from, policy, id) end
acts.h = acts.m
function acts.u(self, _, _, id) self:let_go_of(id) end
function acts.k(self, _, _, id) self.holds[id] = self.holds[id] - 1 end
function acts.w(self, _, _, id) self.expiring[id] = true end
function acts.e(self, from, _, id)
  if from.state == "SUCCESS" then return self:drop(id) end
  self:release(id, { error = from.value }, ID)
end
function acts.i(self, from, _, id)
  if from.state == "SUCCESS" then self:drop(id) else self:release(id) end
end
function acts.l(self, from, _, id)
  if from.state ~= "SUCCESS" then self:drop(id) else self:release(id, from.value) end
end
function acts.c(self, from, _, id)
  if from.state ~= "SUCCESS" then self:drop(id) else self:release(id) end
end

local function each_link(links, fn)
  for mode, policy, id in links:gmatch("(.)(.)(%S+) ") do fn(mode, policy, id) end
end

function simulator:follow(node)
  local links = node.links
  node.links = ""
  each_link(links, function(mode, policy, id) acts[mode](self, node, policy, id) end)
end

-- A callback that is not wanted takes all that waits for it along.
function simulator:drop(id)
  local node = self:node(id)
  if is_final(node) then return end
  node.state = "IGNORED"
  local links = node.links
  node.links = ""
  each_link(links, function(mode, policy, target)
    if mode == "S" or mode == "N" then
      for _, head in ipairs(self.members[target]) do self:drop(head) end
    elseif mode == "u" or mode == "k" or mode == "w" then
      acts[mode](self, node, policy, target)
    else
      self:drop(target)
    end
  end)
end

function simulator:finish(node, state, value)
  if is_final(node) then return end
  node.state, node.value = state, value
  self:follow(node)
end

-- The value of a group as its reader gets it.
function simulator:values_of(id, reader)
  assert(not self.let_go[id] or not reader, "read after it was let go")
  local list = {}
  for i, member in ipairs(self.members[id]) do
    local node = self:node(member)
    assert(is_final(node), "a group is read that has not ended")
    if self.members[member] and node.state == "SUCCESS" then
      list[i] = self:values_of(member, reader)
    elseif node.state == "SUCCESS" then
      assert(not reader or node.spec.extra.linked, "a member's value that nobody keeps")
      list[i] = node.value
    else
      list[i] = { error = node.value }
    end
  end
  return list
end

function simulator:run_one(node)
  local spec = node.spec
  assert(not node.ran, "a job runs twice")
  assert(spec.task ~= "moil.group", "a group's record is run")
  node.ran = true
  local args = {}
  if spec.extra.gather then args[1] = self:values_of(spec.extra.gather, true) end
  table.move(node.front, 1, #node.front, #args + 1, args)
  table.move(spec.args, 1, spec.n, #args + 1, args)
  local ok, value = self.run(spec.task, args, node.id)
  self:finish(node, ok and "SUCCESS" or "FAILURE", value)
end

---Runs it to its end. Raises unless each job has ended then, in one way, and nothing is left over.
function simulator:drain()
  while #self.ready > 0 do
    local at = self.random(#self.ready)
    local node = self.ready[at]
    self.ready[at] = self.ready[#self.ready]
    table.remove(self.ready)
    if not is_final(node) then self:run_one(node) end -- else it was revoked meanwhile
  end
  for id, node in pairs(self.nodes) do
    assert(is_final(node), id .. " waits for ever")
  end
  for id, count in pairs(self.holds) do assert(count == 0, id .. " is held for ever") end
  for id in pairs(self.members) do assert(self.expiring[id], id .. ": its list stays for ever") end
end

---A job outside ends.
function simulator:end_outside(id, ok, value)
  local links = self.outside[id]
  self.outside[id] = ""
  local from = { id = id, state = ok and "SUCCESS" or "FAILURE", value = value }
  each_link(links, function(mode, policy, target) acts[mode](self, from, policy, target) end)
end

return simulator

-- What can be said of a signature's tree without making jobs of it. Pure; for plan.lua.

local tree = {}


---The parts that come one after the other: a chord is a chain of two.
---@param t moil.Signature  a chain or a chord
---@return moil.Signature[]
function tree.steps(t)
  return t.kind == "chain" and t.steps or { t.header, t.body }
end

local function is_sequence(t)
  return t.kind == "chain" or t.kind == "chord"
end

local function last_of(t)
  if t.kind == "chord" then return t.body end
  return t.steps[#t.steps]
end

---Is its value that of a group, with the results of many jobs?
---@param t moil.Signature
---@return boolean
function tree.ends_in_group(t)
  while is_sequence(t) do t = last_of(t) end
  return t.kind == "group" and #t.members > 0
end

---The id that its last node was given, if any: the outermost word holds.
---@param t moil.Signature
---@return string?
function tree.given_id(t)
  while t.options.id == nil and is_sequence(t) do t = last_of(t) end
  return t.options.id
end

---How many of its first jobs take what comes before them.
---@param t moil.Signature
---@param known table<table, integer> what was counted already
---@return integer
function tree.takers(t, known)
  if known[t] then return known[t] end
  local count
  if t.kind == "job" then
    count = t.immutable and 0 or 1
  elseif t.kind == "group" then
    count = tree.all_takers(t.members, known)
  else
    count = tree.takers(tree.steps(t)[1], known)
  end
  known[t] = count
  return count
end

---@param trees moil.Signature[]
---@param known table<table, integer>
---@return integer
function tree.all_takers(trees, known)
  local count = 0
  for _, t in ipairs(trees) do count = count + tree.takers(t, known) end
  return count
end

-- The first job in it, which may be in the members of a group; nil: none is.
local function first_job(t)
  if t.kind == "job" then return t end
  local parts = t.kind == "group" and t.members or tree.steps(t)
  for _, part in ipairs(parts) do
    local job = first_job(part)
    if job then return job end
  end
end

---The job that hands on what it is given: the value of a group, where several take it. It runs
---where they do.
---@param following moil.Signature
---@param callbacks? moil.Signature[] of its own
---@return table
function tree.collector(following, callbacks)
  local job = first_job(following)
  return {
    kind = "job", task = "moil.collect", args = { n = 0 }, immutable = false,
    options = { link = callbacks, queue = job and job.options.queue },
    like = job and (job.like or job.task),
  }
end

---Stands for a group without members: its value is the empty list.
---@param group moil.Signature
---@param neighbour? moil.Signature what comes after it
---@return table
function tree.of_empty(group, neighbour)
  local job = tree.collector(neighbour or group)
  local options = { queue = job.options.queue }
  for key, value in pairs(group.options) do options[key] = value end
  job.options, job.args, job.immutable = options, { {}, n = 1 }, true
  return job
end

---One or many as a list.
---@param value? moil.Signature|moil.Signature[]
---@return moil.Signature[]
function tree.list(value)
  if value == nil then return {} end
  return value.kind and { value } or value
end

---@param a any[]
---@param b? any[]
---@return any[]            may be one of the two
function tree.join(a, b)
  if not b or #b == 0 then return a end
  if #a == 0 then return b end
  local all = table.move(a, 1, #a, 1, {})
  return table.move(b, 1, #b, #all + 1, all)
end

---@param list any[]
---@return any[]
function tree.reversed(list)
  local back, n = {}, #list
  for i = 1, n do back[i] = list[n + 1 - i] end
  return back
end

---What a failure of what a job depends on does to it: the policy of the links.
---@param set any           the option depends_on
---@return string
function tree.policy(set)
  if type(set) ~= "table" then return "F" end
  return set.allow_failure and "A" or set.on_failure == "revoke" and "R" or "F"
end

---The callbacks that hang on its last node, those of the levels above it included.
---@param t moil.Signature
---@return moil.Signature[]
function tree.links(t)
  local all = tree.list(t.options.link)
  while is_sequence(t) do
    t = last_of(t)
    all = tree.join(tree.list(t.options.link), all)
  end
  return all
end

---Is it a job on which nothing hangs?
---@param t moil.Signature
---@return boolean
function tree.is_single(t)
  return t.kind == "job" and not t.options.link and not t.options.link_error
end

return tree

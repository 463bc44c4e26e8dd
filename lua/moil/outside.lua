-- What jobs of a workflow wait for outside of it, by `depends_on`: gathered while plan.lua
-- compiles, then made into links on those others. Pure. Where many jobs wait for the same, they are
-- released by one list.

local errors = require "moil.errors"

local outside = {}

local IDS_MAX <const> = 1000    -- that one job waits for
local DIRECT_MAX <const> = 16   -- jobs that get a link each; more are released by a list

---@class moil.Outside
---@field known table<any, moil.OutsideSet>     by what stands in the options
---@field by_text table<string, moil.OutsideSet> by policy and ids
---@field order moil.OutsideSet[]

---@class moil.OutsideSet
---@field ids string[]      each once
---@field policy string     what a failure of one of them does
---@field waiting table[]   descriptions of the jobs that wait

---@return moil.Outside
function outside.new()
  return { known = {}, by_text = {}, order = {} }
end

local function policy_of(set)
  if type(set) ~= "table" then return "F" end
  return set.allow_failure and "A" or set.on_failure == "revoke" and "R" or "F"
end

local function ids_of(set)
  local entries = (type(set) == "string" or set.id) and { set } or set
  local ids, seen = {}, {}
  for _, entry in ipairs(entries) do
    local id = type(entry) == "string" and entry or entry.id
    if not seen[id] then
      seen[id] = true
      ids[#ids + 1] = id
    end
  end
  return ids
end

local function entry_of(state, set)
  local entry = state.known[set]
  if entry then return entry end
  local ids, policy = ids_of(set), policy_of(set)
  local text = policy .. table.concat(ids, " ")
  entry = state.by_text[text]
  if not entry then
    entry = { ids = ids, policy = policy, waiting = {} }
    state.by_text[text] = entry
    state.order[#state.order + 1] = entry
  end
  state.known[set] = entry
  return entry
end

---One more job that waits.
---@param state moil.Outside
---@param sets any[]        its own `depends_on`, behind those of the levels above it
---@param spec table        its description
---@return integer          how many ends it waits for by that
---@return string           the policy for what comes before it in the workflow
function outside.add(state, sets, spec)
  local count, policy = 0, "F"
  for _, set in ipairs(sets) do
    local entry = entry_of(state, set)
    local waiting = entry.waiting
    policy = entry.policy
    if waiting[#waiting] ~= spec then
      waiting[#waiting + 1] = spec
      count = count + #entry.ids
    end
  end
  if count > IDS_MAX then
    errors.raise("TooLarge", "%s: depends_on: %d ids, at most %d are taken", spec.task, count,
      IDS_MAX)
  end
  return count, policy
end

local function add_links(spec, text)
  spec.links = (spec.links or "") .. text
end

---The links, when all jobs are known.
---@param state moil.Outside
---@param root? table       description of the job that ends last: it lets go of what many wait for
---@param members table[]   of groups; lists are added
---@param new_id fun(): string
---@return table[] deps     { id of a job outside, link }
function outside.links(state, root, members, new_id)
  local deps = {}
  for _, entry in ipairs(state.order) do
    local waiting, mode, lets_go = entry.waiting, "n", {}
    for i, id in ipairs(entry.ids) do lets_go[i] = "k-" .. id .. " " end
    local text = table.concat(lets_go)
    if root and #waiting > DIRECT_MAX and text ~= "" then
      local list = { new_id(), {} }
      for i, spec in ipairs(waiting) do list[2][i] = spec.id end
      members[#members + 1] = list
      waiting, mode = { { id = list[1] } }, "N"
      add_links(root, text .. "w-" .. list[1] .. " ")
    end
    for _, spec in ipairs(waiting) do
      local link = mode .. entry.policy .. spec.id
      for _, id in ipairs(entry.ids) do deps[#deps + 1] = { id, link } end
      if mode == "n" and text ~= "" then add_links(spec, text) end
    end
  end
  return deps
end

return outside

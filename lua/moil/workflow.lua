-- A workflow on its way in: has plan.lua compile it with real ids and descriptions, and gives the
-- plan to the core. Must not know what handles look like.

local call = require "moil.call"
local core = require "moil.core"
local errors = require "moil.errors"
local plan = require "moil.plan"
local tree_of = require "moil.tree"

local workflow = {}

local env <const> = { new_id = core.uuid, describe = call.describe, queue_of = call.queue_of }

local EXTENSION_MAX <const> = 250 -- jobs that go into a group in one step

-- What there is under an id that was known already, as far as its record says.
local function found(id)
  local known, text = pcall(core.inspect, id)
  local info = known and core.decode(text)
  return { id = id, group = type(info) == "table" and info.task == "moil.group" }
end

---Enqueues a workflow: all of it, or nothing.
---@param tree moil.Signature
---@return moil.Shape       where its id was known already: without parents and children
---@return boolean created
function workflow.start(tree)
  local compiled = plan.compile(tree, env)
  local created = core.submit(compiled)
  -- An id of our own is known only where a reply was lost.
  if created or not tree_of.given_id(tree) then return compiled.root, created end
  return found(compiled.wid), created
end

---Lays ready what takes the place of the job that runs now.
---@param tree moil.Signature
---@param self moil.Self
---@return string           the token for core.stop
function workflow.stage(tree, self)
  local compiled = plan.replacement(tree, env, self.id, self.group_id)
  local extra = compiled.nodes[1].extra
  extra.parent_id, extra.root_id = self.parent_id, self.parent_id and self.root_id or nil
  compiled.stage_only = true
  return core.submit(compiled)
end

-- Portions of whole members, each of which goes in one step.
local function portions_of(trees, group, mode)
  local portions, from = {}, 1
  while from <= #trees do
    local part, size, to = {}, 0, from
    while to <= #trees do
      local alone = plan.extension({ trees[to] }, env, group, mode)
      if #alone.nodes > EXTENSION_MAX then
        errors.bad("add: a new member of a group has at most %d jobs", EXTENSION_MAX)
      elseif size + #alone.nodes > EXTENSION_MAX then
        break
      end
      size, part[#part + 1], to = size + #alone.nodes, trees[to], to + 1
    end
    portions[#portions + 1], from = part, to
  end
  return portions
end

---Adds members to a group that has not ended.
---@param trees moil.Signature[]
---@param group string      its id
---@param mode string       mode and policy of its members' links
---@return moil.Shape[]?    of the new members; nil: it has ended, or is no group; raises where it
---ends when a part of them is in
function workflow.extend(trees, group, mode)
  local shapes = {}
  for _, part in ipairs(portions_of(trees, group, mode)) do
    local compiled = plan.extension(part, env, group, mode)
    if not core.extend(group, compiled) then
      if #shapes == 0 then return nil end
      errors.bad("add: the group %s ended when %d of %d new members were in", group, #shapes,
        #trees)
    end
    local children = compiled.root.children
    table.move(children, 1, #children, #shapes + 1, shapes)
  end
  return shapes
end

---How the members of a group are tied to it: its record says so.
---@param group string      its id
---@return string?          nil: it is no group
function workflow.mode_of(group)
  local info = core.decode(core.inspect(group))
  local args = type(info) == "table" and info.task == "moil.group" and info.args
  return type(args) == "table" and type(args[1]) == "string" and args[1] or nil
end

return workflow

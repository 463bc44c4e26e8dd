-- The compiler of workflows: from a signature's tree to jobs with ids, and the links between them
-- (docs/protocol.md, "Workflows"). Pure: ids and descriptions of jobs come from functions that it
-- is given. What the links do is the server-side scripts' business.
--
-- It works from the end to the beginning, so that each job is made when the jobs that its end
-- touches are known. What the levels of a tree hand down is a context:
--   id        of the node whose end is the end of this part, and whose value is its value
--   prev      { id, gathers } the node before it; nil: it begins at once. gathers: that is a group,
--             and its value is read by the job that takes it
--   out       links for the last node
--   consumed  somebody takes its value
--   spread, start   options that come from outside: for all jobs, for the first ones
--   args      for the first jobs, in front of their own
--   link, link_error   lists for the last node
--   no_link   its callbacks were taken care of
--   group     the id of the group that it is in
--   member_failure   of the group that is a chord's header
--   following the step of a chain behind it
--   parts     ids to be revoked with the whole, dependents first, but for `listed`
--   kind      of the first jobs, for people; single: a member that is one job

local errors = require "moil.errors"
local outside = require "moil.outside"
local tree_of = require "moil.tree"

local plan = {}

local NODES_MAX <const> = 100000  -- some 60 MB in Redis; more is better fed in portions
local DEPTH_MAX <const> = 64      -- the results of deeper groups are not read (worker/gatherer.h)
local DIRECT_MAX <const> = 16     -- heads that get a link each; more are released by a list
local GROUP_TASK <const> = "moil.group"

local joined <const>, list_of <const> = tree_of.join, tree_of.list

-- Options of a workflow that hold for each of its jobs.
local SPREAD <const> = {
  "queue", "priority", "at_front", "expires", "headers", "retry", "time_limit", "soft_time_limit",
  "result_ttl", "ignore_result",
}

local POLICY <const> = { fail = "F", revoke = "R", wait = "W", collect = "A" }

---@class moil.Plan
---@field wid string        id of the node that stands for the whole
---@field nodes table[]     descriptions with `open` and `links`: that of wid, then dependents
---before what they depend on, those that may start at once last
---@field members table[]   { group's id, { ids } }; { id, { ids }, true } for its other parts
---@field deps table[]      { id of a job outside, link }
---@field lines string[]    "ID KIND AFTER TASK"
---@field root moil.Shape

---What a handle is made of.
---@class moil.Shape
---@field id string
---@field group boolean
---@field mode? string      of a group: mode and policy of its members' links
---@field parent? moil.Shape
---@field children? moil.Shape[]

local compile -- (state, tree, context) -> heads, shape

-- --- the parts of a plan ------------------------------------------------------------------------

local function add_node(state, spec, links, open)
  if state.count >= NODES_MAX then
    errors.bad("a workflow has at most %d jobs", NODES_MAX)
  elseif state.ids[spec.id] then
    errors.bad("%s: the id '%s' stands twice in the workflow", spec.task, spec.id)
  end
  state.ids[spec.id] = true
  state.count = state.count + 1
  spec.links = links ~= "" and links or nil
  spec.open = open
  local list = open > 0 and state.deferred or state.ready
  list[#list + 1] = spec
  return spec
end

local function new_id(state, tree)
  return tree_of.given_id(tree) or state.env.new_id()
end

local function add_line(state, id, kind, prev, task)
  state.lines[#state.lines + 1] = ("%s %s %s %s"):format(id, kind, prev and prev.id or "-", task)
end

local function merge_start(outer, own)
  if own.countdown ~= nil or own.eta ~= nil or not outer then
    return own.countdown, own.eta
  end
  return outer.countdown, outer.eta
end

-- What is inherited by all jobs: the nearest word holds.
local function spread_of(outer, own)
  local merged
  for _, option in ipairs(SPREAD) do
    if own[option] ~= nil then
      if not merged then
        merged = {}
        for key, value in pairs(outer) do merged[key] = value end
      end
      merged[option] = own[option]
    end
  end
  return merged or outer
end

local function start_of(outer, own)
  if not outer and own.countdown == nil and own.eta == nil and own.depends_on == nil then
    return nil
  end
  local countdown, eta = merge_start(outer, own)
  local depends = outer and outer.depends_on or {}
  if own.depends_on ~= nil then depends = joined(depends, { own.depends_on }) end
  return { countdown = countdown, eta = eta, depends_on = depends }
end

local function args_of(front, tree)
  if not front or front.n == 0 or tree.immutable then return tree.args end
  local n = tree.args.n or #tree.args
  local all = table.move(front, 1, front.n, 1, { n = front.n + n })
  return table.move(tree.args, 1, n, front.n + 1, all)
end

-- The options of one job as a call's.
local function call_options(state, tree, context)
  local own, given = tree.options, {}
  for key, value in pairs(context.spread) do given[key] = value end
  for key, value in pairs(own) do given[key] = value end
  given.countdown, given.eta = merge_start(context.start, own)
  given.link, given.link_error, given.depends_on, given.member_failure = nil, nil, nil, nil
  given.id = context.id
  if given.queue == nil and tree.like then given.queue = state.env.queue_of(tree.like) end
  return given
end

-- What a job and the levels above it are to wait for outside.
local function sets_of(tree, context)
  local outer = context.start and context.start.depends_on or {}
  local own = tree.options.depends_on
  return own == nil and outer or joined(outer, { own })
end

-- --- from one node to the next ones -------------------------------------------------------------

-- Links from a node to the heads behind it: to each, or to lists of them.
local function release(state, heads, gathers)
  local links = {}
  local function mode_of(head) return (head.immutable or gathers) and "n" or "s" end
  local lists = {}
  for _, head in ipairs(heads) do
    local kind = mode_of(head) .. head.policy
    if head.alone or #heads <= DIRECT_MAX then
      links[#links + 1] = kind .. head.id .. " "
    else
      kind = kind:upper()
      if not lists[kind] then
        local id = state.env.new_id()
        lists[kind] = {}
        state.members[#state.members + 1] = { id, lists[kind] }
        links[#links + 1] = kind .. id .. " w-" .. id .. " "
      end
      table.insert(lists[kind], head.id)
    end
  end
  return table.concat(links)
end

local function count_takers(state, trees)
  return tree_of.all_takers(trees, state.takers)
end

local function callbacks_of(tree, context)
  return context.no_link and {} or joined(list_of(tree.options.link), context.link)
end

-- The jobs that follow an end: callbacks (by success) and error callbacks. Returns their links, and
-- whether somebody takes the value.
local function add_callbacks(state, tree, context, gathers)
  local links, callbacks = {}, callbacks_of(tree, context)
  local failed = joined(list_of(tree.options.link_error), context.link_error)
  if gathers and count_takers(state, callbacks) > 1 then
    callbacks = { tree_of.collector(callbacks[1], callbacks) }
  end
  local function add(trees, kind, modes, prev)
    for _, callback in ipairs(trees) do
      local heads = compile(state, callback, {
        id = new_id(state, callback), prev = prev, out = "", spread = {}, kind = kind,
        depth = context.depth + 1,
      })
      for _, head in ipairs(heads) do
        links[#links + 1] = modes[head.immutable] .. "-" .. head.id .. " "
      end
    end
  end
  add(callbacks, "link", { [true] = "c", [false] = gathers and "c" or "l" },
    { id = context.id, gathers = gathers })
  add(failed, "error", { [true] = "i", [false] = "e" }, { id = context.id })
  return table.concat(links), count_takers(state, callbacks) > 0
end

-- A job or group that is a part of something.
local function add_part(context)
  if context.parts and context.id ~= context.listed then
    context.parts[#context.parts + 1] = context.id
  end
end

-- The list of them: that of a group is another than that of its members.
local function keep_parts(state, id, parts)
  if #parts > 0 then state.members[#state.members + 1] = { id, parts, true } end
end

-- --- the kinds of trees -------------------------------------------------------------------------

local function compile_job(state, tree, context)
  local links, is_taken = add_callbacks(state, tree, context, false)
  local spec = state.env.describe(tree.task, args_of(context.args, tree),
    call_options(state, tree, context))
  local prev, extra = context.prev, spec.extra
  links = context.out .. links
  if prev and prev.gathers and not tree.immutable then
    extra.gather = prev.id
    links = links .. ("u-%s w-%s "):format(prev.id, prev.id)
  end
  if context.consumed or is_taken then extra.linked = true end
  extra.group_id = context.group
  local deps, policy = outside.add(state.outside, sets_of(tree, context), spec)
  add_node(state, spec, links, (prev and 1 or 0) + deps)
  add_part(context)
  if not context.single then
    add_line(state, context.id, context.kind or "job", prev, tree.task)
  end
  local head = {
    id = context.id, immutable = tree.immutable, policy = policy, alone = deps > 0,
  }
  return { head }, { id = context.id, group = false }
end

-- The job that no worker runs: it ends when its members have.
local function add_group_node(state, tree, context, group)
  local spread, links = group.spread, context.out .. group.links
  local spec = state.env.describe(GROUP_TASK, { group.mode, n = 1 }, {
    id = context.id, queue = spread.queue, result_ttl = spread.result_ttl,
  })
  spec.delay, spec.at_front = nil, nil
  spec.extra.group_id = context.group
  if not group.consumed then links = links .. "w-" .. context.id .. " " end
  add_node(state, spec, links, #tree.members)
  add_part(context)
  add_line(state, context.id, "group", context.prev, GROUP_TASK)
end

-- A group whose value goes to the reader of the group that it is in, and to callbacks too.
local function with_collector(tree, context)
  local bare, options = {}, {}
  for key, value in pairs(tree) do bare[key] = value end
  for key, value in pairs(tree.options) do options[key] = value end
  bare.options, options.link = options, nil
  local callbacks = callbacks_of(tree, context)
  return {
    kind = "chain", args = { n = 0 }, options = {},
    steps = { bare, tree_of.collector(callbacks[1], callbacks) },
  }
end

local function compile_group(state, tree, context)
  if #tree.members == 0 then
    local heads = compile_job(state, tree_of.of_empty(tree, context.following), context)
    return heads, { id = context.id, group = true, children = {} }
  elseif context.consumed and count_takers(state, callbacks_of(tree, context)) > 0 then
    local whole = with_collector(tree, context)
    context.link = nil
    return compile(state, whole, context)
  end
  local links, is_taken = add_callbacks(state, tree, context, true)
  local consumed = context.consumed or is_taken
  local policy = POLICY[tree.options.member_failure or context.member_failure or "fail"]
  local mode = (consumed and "h" or "m") .. policy
  local spread = spread_of(context.spread, tree.options)
  add_group_node(state, tree, context,
    { mode = mode, links = links, spread = spread, consumed = consumed })
  local inner = {
    prev = context.prev, out = mode .. context.id .. " ", consumed = consumed, spread = spread,
    start = start_of(context.start, tree.options), args = args_of(context.args, tree),
    group = context.id, kind = context.kind, depth = context.depth + 1, parts = {},
  }
  local ids, heads, children = {}, {}, {}
  for i, member in ipairs(tree.members) do
    inner.id, inner.single = new_id(state, member), tree_of.is_single(member)
    ids[i], inner.listed = inner.id, inner.id
    local first, shape = compile(state, member, inner)
    table.move(first, 1, #first, #heads + 1, heads)
    children[i] = shape
  end
  state.members[#state.members + 1] = { context.id, ids }
  keep_parts(state, context.id, inner.parts)
  return heads, { id = context.id, group = true, mode = mode, children = children }
end

-- The steps of a chain, with a collector where the value of a group goes to several.
local function prepare_steps(state, tree, context)
  local steps, ready = tree_of.steps(tree), {}
  for i, step in ipairs(steps) do
    local entry, following = { tree = step }, steps[i + 1]
    ready[#ready + 1] = entry
    entry.gathers = tree_of.ends_in_group(step)
    local wanted = entry.gathers and following and tree_of.takers(following, state.takers) or 0
    local callbacks = wanted > 0 and tree_of.links(step) or {}
    if count_takers(state, callbacks) > 0 then
      entry.no_link = true
      ready[#ready + 1] = { tree = tree_of.collector(following, callbacks) }
    elseif wanted > 1 then
      ready[#ready + 1] = { tree = tree_of.collector(following) }
    end
  end
  local last = #ready
  for i, entry in ipairs(ready) do
    entry.id = i == last and context.id or new_id(state, entry.tree)
  end
  return ready
end

-- What a chain hands down to the step at i.
local function step_context(tree, context, steps, i)
  local step = steps[i]
  local inner = {
    id = step.id, no_link = step.no_link, group = context.group, depth = context.depth + 1,
    spread = spread_of(context.spread, tree.options), prev = steps[i - 1],
    following = steps[i + 1] and steps[i + 1].tree, parts = context.parts,
    listed = context.listed,
  }
  if i == 1 then
    inner.prev, inner.kind = context.prev, context.kind
    inner.start, inner.args = start_of(context.start, tree.options), args_of(context.args, tree)
    inner.member_failure = tree.options.member_failure
  end
  if i == #steps then
    inner.out, inner.consumed = context.out, context.consumed
    inner.no_link = context.no_link
    inner.link = joined(list_of(tree.options.link), context.link)
    inner.link_error = joined(list_of(tree.options.link_error), context.link_error)
  end
  return inner
end

local function compile_chain(state, tree, context)
  local steps = prepare_steps(state, tree, context)
  local heads, shape, behind
  for i = #steps, 1, -1 do
    local step, inner = steps[i], step_context(tree, context, steps, i)
    if heads then
      inner.out = release(state, heads, step.gathers)
      inner.consumed = tree_of.takers(steps[i + 1].tree, state.takers) > 0
    end
    local its_shape
    heads, its_shape = compile(state, step.tree, inner)
    if behind then behind.parent = its_shape else shape = its_shape end
    behind = its_shape
    while behind.parent do behind = behind.parent end
  end
  return heads, shape
end

local by_kind <const> = {
  job = compile_job, group = compile_group, chain = compile_chain, chord = compile_chain,
}

function compile(state, tree, context)
  if context.depth > DEPTH_MAX then
    errors.bad("a workflow is nested at most %d levels deep (or it contains itself)", DEPTH_MAX)
  end
  return by_kind[tree.kind](state, tree, context)
end

-- --- the whole ----------------------------------------------------------------------------------

local function new_state(env)
  return {
    env = env, ids = {}, count = 0, takers = {}, ready = {}, deferred = {}, members = {},
    lines = {}, outside = outside.new(),
  }
end

-- Takes the node out of its list.
local function take(state, wanted)
  for _, list in ipairs { state.deferred, state.ready } do
    for i, spec in ipairs(list) do
      if spec.id == wanted then return table.remove(list, i) end
    end
  end
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

-- All nodes in the order that keeps an end from coming before what it touches is there.
local function in_order(state, wid)
  local nodes = { take(state, wid) }
  append(nodes, state.deferred)
  append(nodes, state.ready)
  return nodes
end

-- The links on jobs outside, and those that let them go.
local function deps_of(state, root)
  return outside.links(state.outside, root, state.members, state.env.new_id)
end

-- Those of one more member: the one that the group waits for stands between those that wait and
-- those that may start. The order of these is that of the members.
local function add_member(nodes, state, id)
  local last = take(state, id)
  append(nodes, state.deferred)
  nodes[#nodes + 1] = last
  append(nodes, state.ready)
end

---@class moil.PlanEnv
---@field new_id fun(): string
---@field queue_of fun(task: string): string
---@field describe fun(task: string, args: table, options: moil.CallOptions): table

---Compiles a whole workflow.
---@param tree moil.Signature
---@param env moil.PlanEnv
---@return moil.Plan
function plan.compile(tree, env)
  local state = new_state(env)
  local wid = new_id(state, tree)
  local is_single = tree_of.is_single(tree)
  local watched = not is_single and not tree_of.ends_in_group(tree) -- a group has its own
  local parts = {}
  local _, shape = compile(state, tree, {
    id = wid, out = watched and "w-" .. wid .. " " or "", spread = {}, depth = 1,
    parts = parts, listed = wid,
  })
  keep_parts(state, wid, parts)
  local nodes = in_order(state, wid)
  return {
    wid = wid, nodes = nodes, members = state.members, deps = deps_of(state, nodes[1]),
    lines = is_single and {} or tree_of.reversed(state.lines), root = shape,
  }
end

---Compiles what takes the place of a job: its last node has that job's id.
---@param tree moil.Signature
---@param env moil.PlanEnv
---@param id string
---@param group? string     the job's group
---@return moil.Plan
function plan.replacement(tree, env, id, group)
  local state = new_state(env)
  if tree_of.ends_in_group(tree) then
    local steps = { tree, tree_of.collector(tree) }
    tree = { kind = "chain", steps = steps, args = { n = 0 }, options = {} }
  end
  local parts = {}
  compile(state, tree, {
    id = id, out = "w-" .. id .. " ", spread = {}, consumed = true, group = group, depth = 1,
    parts = parts, listed = id,
  })
  keep_parts(state, id, parts)
  local nodes = in_order(state, id)
  return {
    wid = id, nodes = nodes, members = state.members, deps = deps_of(state, nodes[1]),
    lines = tree_of.reversed(state.lines),
  }
end

---Compiles more members for a group.
---@param trees moil.Signature[]
---@param env moil.PlanEnv
---@param group string      its id
---@param mode string       mode and policy of its members' links
---@return moil.Plan        its `root` has the new members as children
function plan.extension(trees, env, group, mode)
  local state = new_state(env)
  local children, nodes, parts = {}, {}, {}
  for i, tree in ipairs(trees) do
    local id = new_id(state, tree)
    state.deferred, state.ready = {}, {}
    local _, shape = compile(state, tree, {
      id = id, out = mode .. group .. " ", spread = {}, group = group, depth = 1,
      consumed = mode:sub(1, 1) == "h", single = tree_of.is_single(tree), parts = parts,
      listed = id,
    })
    children[i] = shape
    add_member(nodes, state, id)
  end
  keep_parts(state, group, parts)
  return {
    nodes = nodes, members = state.members, deps = deps_of(state),
    lines = tree_of.reversed(state.lines), root = { id = group, group = true, children = children },
  }
end

return plan

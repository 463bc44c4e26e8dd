-- Draws workflows: each as a signature for the producer, and as plain nodes for the ledger, which
-- the judge compares with what became of them. Every job and group has an id of its own here, and
-- each job's result is its id, so what a job must be fed is known beforehand.
--
-- A node: { id, kind, n, needs = ids that must have ended before it, feed = what it is given in
-- front of its own argument ("-": nothing), within = the group that it is a member of, or "-",
-- policy = what the failure of one that it needs does to it: "F" it fails, "R" it is revoked, "A"
-- nothing; "E": it runs only then, "M": a group of which a member may fail }
--
-- A feed is an id, or a list of feeds: [a,[b,c]]; and for an error callback error,ID.

local moil = require "moil"

local weaver = {}

local DEPTH_MAX <const> = 3
local QUEUES <const> = { "default", "high", "low" }

-- weight, and what is drawn for `n`
local KINDS <const> = {
  { kind = "node", weight = 30, low = 0, high = 0 },
  { kind = "slow", weight = 12, low = 1, high = 150 }, -- ms
  { kind = "tough", weight = 5, low = 1, high = 2 }, -- failures
  { kind = "bust", weight = 2, low = 0, high = 0 },
}

local function new_id(w)
  w.made = w.made + 1
  return ("%s.%d"):format(w.base, w.made)
end

local function add(w, node)
  w.nodes[#w.nodes + 1] = node
  return node
end

local function options_of(w, id)
  return {
    id = id,
    queue = QUEUES[w.draw:int(1, #QUEUES)],
    countdown = w.draw:chance(0.05) and w.draw:between(0, 1) or nil,
  }
end

-- `before`: { needs, feed, within }. Returns a signature, the id of what must end, and what it
-- gives.
local function job(w, before, _, kind)
  local row = w.draw:weighted(KINDS)
  local node = add(w, {
    id = new_id(w), kind = kind or row.kind, n = kind and 0 or w.draw:int(row.low, row.high),
    needs = before.needs, feed = before.feed, within = before.within, policy = "F",
  })
  local signature = moil.signature("chaos." .. node.kind, { node.n }, options_of(w, node.id))
  return signature, node.id, node.id
end

local tree

local function group(w, before, depth)
  local collects = w.draw:chance(0.3)
  local node = { id = new_id(w), kind = "group", n = 0, feed = "-", within = before.within,
    policy = collects and "M" or "F", needs = {} }
  local inner = { needs = before.needs, feed = before.feed, within = node.id }
  local members, gives = {}, {}
  for i = 1, w.draw:int(1, 5) do
    local member = collects and job or tree -- a list of a failed group's results is none
    members[i], node.needs[i], gives[i] = member(w, inner, depth + 1)
  end
  add(w, node)
  local signature = moil.group(members)
  signature:set { id = node.id, member_failure = collects and "collect" or "fail" }
  return signature, node.id, "[" .. table.concat(gives, ",") .. "]"
end

local function after(before, id, gives)
  return { needs = { id }, feed = gives, within = before.within }
end

local function chord(w, before, depth)
  local header, id, gives = group(w, before, depth)
  local body, last, result = job(w, after(before, id, gives), 0, "body")
  return moil.chord(header, body), last, result
end

-- A group stands behind jobs only: behind another, the runtime puts a job of its own between them.
local function chain(w, before, depth)
  local steps, id, gives = {}, nil, nil
  for i = 1, w.draw:int(2, 4) do
    local step = depth < DEPTH_MAX and w.draw:chance(0.25) and chord or job
    steps[i], id, gives = step(w, before, depth + 1)
    before = after(before, id, gives)
  end
  return moil.chain(steps), id, gives
end

function tree(w, before, depth)
  local at = w.draw:number()
  if depth >= DEPTH_MAX or at < 0.5 then return job(w, before) end
  return (at < 0.75 and chain or chord)(w, before, depth)
end

local function add_errback(w, signature, id)
  local node = add(w, { id = new_id(w), kind = "errback", n = 0, needs = { id },
    feed = "error," .. id, within = "-", policy = "E" })
  return signature:on_error(moil.signature("chaos.errback", { 0 }, { id = node.id }))
end

local function depend(w, dep)
  local signature, id = job(w, { needs = { dep }, feed = "-", within = "-" })
  local node = w.nodes[#w.nodes]
  node.policy = ({ "F", "R", "A" })[w.draw:int(1, 3)]
  return signature:set { depends_on = { dep, allow_failure = node.policy == "A" or nil,
    on_failure = node.policy == "R" and "revoke" or nil } }, id
end

---Draws one.
---@param draw table        a die
---@param base string       ids are this, a dot and a number
---@param dep? string       a job that is known: then it may be one job that depends on that
---@return moil.Signature
---@return table[] nodes
function weaver.draw(draw, base, dep)
  local w = { draw = draw, base = base, made = 0, nodes = {} }
  local before = { needs = {}, feed = "-", within = "-" }
  if dep and draw:chance(0.3) then return depend(w, dep), w.nodes end
  local make = ({ chain, group, chord, chord })[draw:int(1, 4)]
  local signature, id = make(w, before, 1)
  if draw:chance(0.3) then signature = add_errback(w, signature, id) end
  return signature, w.nodes
end

return weaver

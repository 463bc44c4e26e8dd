-- A producer: a process of its own that enqueues a mix of jobs until a file `stop` appears, and
-- writes each into its ledger before it sends it and after Redis has acknowledged it.
--
--   lua5.4 spec/chaos/producer.lua FOLDER URL NUMBER SEED LIFE
--
-- LIFE counts how often it was started. One that was killed goes on with its ledger: for half of
-- the jobs of which it does not know whether Redis took them it sends the same id again.

local core = require "moil.core"
local dice = require "spec.chaos.dice"
local ledger = require "spec.chaos.ledger"
local moil = require "moil"
local weaver = require "spec.chaos.weaver"

local folder, url, number, seed, life = table.unpack(arg)
local path <const> = folder .. "/producer-" .. number
local salt <const> = ("producer %s %s"):format(number, life)
local draw <const> = dice.new(math.tointeger(tonumber(seed)), salt)
local WAIT_S <const>, LATE_S <const> = 30, 15 -- who waits asks again every 10 s
local QUEUES <const> = { "default", "high", "low" }

-- weight, and what is drawn for `n`
local KINDS <const> = {
  { kind = "noop", weight = 30, low = 0, high = 0 },
  { kind = "quiet", weight = 5, low = 0, high = 0 },
  { kind = "fleeting", weight = 3, low = 0, high = 0 },
  { kind = "large", weight = 2, low = 1, high = 200 }, -- kB
  { kind = "sleep", weight = 12, low = 1, high = 400 }, -- ms
  { kind = "spin", weight = 8, low = 1, high = 30 }, -- ms
  { kind = "blocking", weight = 3, low = 1, high = 30 }, -- ms
  { kind = "brief", weight = 3, low = 0, high = 0 },
  { kind = "program", weight = 1, low = 1, high = 300 }, -- ms
  { kind = "endless", weight = 0.3, low = 0, high = 0 },
  { kind = "greedy", weight = 0.5, low = 0, high = 0 },
  { kind = "poison", weight = 0.15, low = 0, high = 0 },
  { kind = "stuck", weight = 0.1, low = 0, high = 0 },
  { kind = "flaky", weight = 8, low = 1, high = 3 }, -- failures
  { kind = "again", weight = 4, low = 1, high = 2 }, -- retries
  { kind = "doomed", weight = 4, low = 0, high = 0 },
  { kind = "progress", weight = 4, low = 1, high = 4 }, -- steps
  { kind = "parent", weight = 5, low = 1, high = 3 }, -- children
  { kind = "glad", weight = 4, low = 0, high = 0 },
  { kind = "sad", weight = 3, low = 0, high = 0 },
}

-- Not those whose hooks and children would come to other lives of their ids.
local DELETED <const> = { noop = true, quiet = true, sleep = true, spin = true, flaky = true,
  doomed = true, fleeting = true }

local PLAIN <const> = {} -- what is no part of a workflow
for _, row in ipairs(KINDS) do PLAIN[row.kind] = true end

-- Their records stay, as nobody deletes them.
local DEPENDED <const> = { progress = true, again = true, glad = true, sad = true, parent = true }

local known, acked, order = {}, {}, {} -- id → kind, id → true, ids
for _, entry in ipairs(ledger.read(path)) do
  if entry.verb == "try" and PLAIN[entry.kind] and not known[entry.id] then
    known[entry.id] = entry
    order[#order + 1] = entry.id
  elseif entry.verb == "ack" then
    acked[entry.id] = true
  end
end
local book <const> = ledger.open(path)

local function now()
  return ("%.6f"):format(core.now())
end

local function is_over()
  local file = io.open(folder .. "/stop")
  if file then file:close() end
  return file ~= nil
end

local function signature_of(job)
  local args = { job.n }
  if job.kind == "large" then args[2] = ("x"):rep(job.n * 1000) end
  local options = { id = job.id, queue = job.queue, priority = job.priority,
    countdown = job.countdown, at_front = job.at_front }
  return moil.signature("chaos." .. job.kind, args, options)
end

-- One call for all of them. True when Redis has acknowledged it.
local function send(jobs)
  local signatures = {}
  for i, job in ipairs(jobs) do
    known[job.id] = job
    order[#order + 1] = job.id
    signatures[i] = signature_of(job)
    book:write("try", job.id, job.kind, job.n, now())
  end
  local ok, err = pcall(moil.enqueue_many, signatures)
  if not ok then
    if type(err) ~= "table" or err.code ~= "RedisUnavailable" then error(err, 0) end
    return false
  end
  for _, job in ipairs(jobs) do
    acked[job.id] = true
    book:write("ack", job.id, now())
  end
  return true
end

-- The same ids again until Redis has them; some are given up, and may be in or not.
local function insist(jobs)
  while not send(jobs) do
    if draw:chance(0.2) then return end
    core.sleep(0.2)
  end
end

local made = 0

local function new_job()
  made = made + 1
  local row = draw:weighted(KINDS)
  local job = {
    id = ("%s-%s-%d"):format(number, life, made),
    kind = row.kind,
    n = draw:int(row.low, row.high),
    queue = QUEUES[draw:int(1, #QUEUES)],
    priority = draw:chance(0.3) and draw:int(0, 9) or nil,
    countdown = draw:chance(0.15) and draw:between(0, 2) or nil,
  }
  if not job.countdown and draw:chance(0.05) then job.at_front = true end
  return job
end

local function list(ids)
  return ids[1] and table.concat(ids, ",") or "-"
end

local function write_nodes(nodes)
  for _, node in ipairs(nodes) do
    book:write("try", node.id, node.kind, node.n, now())
    book:write("node", node.id, list(node.needs), node.feed, node.within, node.policy)
  end
end

-- The same workflow again until Redis has it, or it is given up; the job that it depends on may be
-- gone by then.
local function weave()
  made = made + 1
  local dep = order[math.max(1, #order - draw:int(0, 20))]
  dep = dep and acked[dep] and DEPENDED[known[dep].kind] and dep or nil
  local signature, nodes = weaver.draw(draw, ("%s-%s-%d"):format(number, life, made), dep)
  write_nodes(nodes)
  repeat
    local ok, err = pcall(signature.apply_async, signature)
    if ok then
      for _, node in ipairs(nodes) do
        known[node.id], order[#order + 1], acked[node.id] = node, node.id, true
        book:write("ack", node.id, now())
      end
      return
    elseif type(err) ~= "table" or err.code ~= "RedisUnavailable" then
      if type(err) == "table" and err.code == "UnknownJob" then return end
      error(err, 0)
    end
    core.sleep(0.2)
  until draw:chance(0.2)
end

local function revoke_one()
  local id = order[math.max(1, #order - draw:int(0, 20))]
  local terminate = draw:chance(0.5)
  if not id then return end
  book:write("revoking", id, tostring(terminate), now())
  local ok, state = pcall(function() return moil.result(id):revoke { terminate = terminate } end)
  if ok then book:write("revoked", id, state, now()) end
end

-- Then perhaps a new life under the same id.
local function delete_one()
  local id = order[math.max(1, #order - draw:int(0, 20))]
  if not id or not DELETED[known[id].kind] then return end
  book:write("deleting", id, now())
  pcall(function() moil.result(id):delete() end)
  if draw:chance(0.5) then send { known[id] } end
end

-- "late": it had ended for so long that somebody forgot to tell us.
local function outcome_of(id)
  local ok, value, err = pcall(function()
    return moil.result(id):get { timeout = WAIT_S, propagate = false }
  end)
  err = not ok and value or err
  if not err then return value == id and "ok" or "another" end
  local code = type(err) == "table" and err.code or "Error"
  if code ~= "Timeout" then return code end
  local known_to_redis, info = pcall(function() return moil.result(id):info() end)
  local is_late = known_to_redis and info.finished_at and core.time() - info.finished_at > LATE_S
  return is_late and "late" or code
end

local function wait_for_one()
  local id = order[math.max(1, #order - draw:int(0, 20))]
  if id and acked[id] and known[id].kind ~= "group" then
    book:write("waited", id, outcome_of(id), now())
  end
end

local function resend_one()
  local id = order[math.max(1, #order - draw:int(0, 50))]
  if id and PLAIN[known[id].kind] then send { known[id] } end
end

local function turn()
  local jobs = {}
  for i = 1, draw:chance(0.1) and draw:int(2, 30) or 1 do jobs[i] = new_job() end
  insist(jobs)
  if draw:chance(0.06) then weave() end
  if draw:chance(0.08) then revoke_one() end
  if draw:chance(0.03) then resend_one() end
  if draw:chance(0.02) then delete_one() end
  if draw:chance(0.01) then wait_for_one() end
  core.sleep(draw:between(0, 0.03))
end

moil.connect(url)
for i = 1, #order do
  local id = order[i]
  if not acked[id] and draw:chance(0.5) then insist { known[id] } end
end
while not is_over() do turn() end

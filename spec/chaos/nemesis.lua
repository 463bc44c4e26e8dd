-- What can go wrong, as a table: name, weight (how often it is drawn), act(cluster, aim) and, where
-- it does not end by itself, heal(cluster, aim), which comes aim.seconds later, and again for as
-- long as it returns true. `aim` is drawn before anything runs: slot (of a node), index (of a
-- worker, of a producer, of a client), seconds. An act returns what it did, for the timeline; nil
-- where its target was not there.

local support = require "spec.support"

local nemesis = {}

local NODES <const> = 3
-- Somebody else's script: for the moment of its run Redis answers all others with BUSY.
local BUSY <const> = "local n = 0 for i = 1, 2e7 do n = n + i end return n"
local GAP_LOW <const>, GAP_HIGH <const> = 0.2, 1.2 -- seconds between two acts, on average

local function live(c, slot)
  local node = c.nodes[slot]
  return node and not node.ended and not node.leaving and node.process:alive() and node or nil
end

local function one_of(list, index)
  return list[(index - 1) % math.max(1, #list) + 1]
end

-- act and heal of stopping one process for a while.
local function freeze(role)
  return function(c, aim)
    local node = live(c, aim.slot)
    if not node then return nil end
    local pid = node.process.pid
    if role then pid = one_of(c:children(aim.slot, role), aim.index) end
    if not pid then return nil end
    aim.pid = pid
    c:signal(pid, "STOP")
    return ("pid %d for %.1f s"):format(pid, aim.seconds)
  end, function(c, aim)
    if c.stopped[aim.pid] then c:signal(aim.pid, "CONT") end
  end
end

-- A node that is away for longer than its lease and then comes back, unaware of it.
local function freeze_node(c, aim)
  local node = live(c, aim.slot)
  if not node then return nil end
  aim.pids = c:children(aim.slot)
  table.insert(aim.pids, 1, node.process.pid)
  for _, pid in ipairs(aim.pids) do c:signal(pid, "STOP") end
  return ("%s for %.1f s"):format(node.name, aim.seconds)
end

local function thaw_node(c, aim)
  for _, pid in ipairs(aim.pids) do
    if c.stopped[pid] then c:signal(pid, "CONT") end
  end
end

local function kill_child(role)
  return function(c, aim)
    local pid = live(c, aim.slot) and one_of(c:children(aim.slot, role), aim.index)
    if not pid then return nil end
    c:kill(pid, role .. " killed")
    return ("pid %d"):format(pid)
  end
end

local function signal_node(signal)
  return function(c, aim)
    local node = live(c, aim.slot)
    if not node then return nil end
    node.process:kill(signal)
    return node.name
  end
end

local function restart_node(c, aim)
  if c.nodes[aim.slot] ~= aim.node then return nil end -- somebody else did it
  if aim.node.process:alive() then return true end -- not yet
  c:start_node(aim.slot)
end

local function end_node(signal)
  return function(c, aim)
    local node = live(c, aim.slot)
    if not node then return nil end
    node.leaving, aim.node = true, node
    -- A cold shutdown ends running jobs, to be run again.
    if signal == "QUIT" then c.killed[node.process.pid] = "cold shutdown" end
    node.process:kill(signal)
    return node.name
  end
end

local function reload_good(c, aim)
  if not live(c, aim.slot) then return nil end
  c:add_script(aim.slot, ("-- %d\n"):format(aim.index))
  return signal_node("HUP")(c, aim)
end

local BROKEN <const> = { "this is no Lua", "error 'on purpose'", "while true do end",
  "local moil = require 'moil' moil.task('chaos.noop', function() end)" }

local function reload_broken(c, aim)
  if not live(c, aim.slot) then return nil end
  c:add_script(aim.slot, one_of(BROKEN, aim.index))
  return signal_node("HUP")(c, aim)
end

local function mend_script(c, aim)
  c:add_script(aim.slot, nil)
end

local function reload_often(c, aim)
  for _ = 1, 5 do reload_good(c, aim) end
  return reload_good(c, aim)
end

local function kill_supervisor(c, aim)
  local node = live(c, aim.slot)
  if not node then return nil end
  aim.node = node
  c:kill_node(aim.slot, "node killed")
  return node.name
end

local function kill_producer(c, aim)
  local producer = one_of(c.producers, aim.index)
  producer:kill("KILL")
  producer:wait(10)
  return producer.pid and ("pid %d"):format(producer.pid)
end

local function start_producers(c)
  for i, producer in ipairs(c.producers) do
    if not producer:alive() then c:start_producer(i) end
  end
end

local function when_up(act)
  return function(c, aim)
    if c.redis_state ~= "up" then return nil end
    return act(c, aim)
  end
end

local function redis_killed(c)
  c:note_cut()
  c.redis:kill9()
  c.redis_state = "down"
  return "SIGKILL"
end

local function redis_shut_down(c)
  c:note_cut()
  c.redis:try("SHUTDOWN")
  c.redis:disconnect()
  c.redis.process:wait(20)
  c.redis_state = "down"
  return "SHUTDOWN"
end

local function redis_frozen(c, aim)
  c:note_cut()
  c:signal(c.redis.pid, "STOP")
  c.redis_state = "stopped"
  return ("for %.1f s"):format(aim.seconds)
end

local function start_redis(c)
  c:start_redis()
end

-- Everything but the producers, at once.
local function power_cut(c)
  for slot in ipairs(c.nodes) do
    if live(c, slot) then c:kill_node(slot, "power cut") end
  end
  if c.redis_state ~= "down" then redis_killed(c) end
  return "all nodes and Redis"
end

local function power_back(c)
  c:start_redis()
  for slot, node in ipairs(c.nodes) do
    if node.ended and not node.process:alive() then c:start_node(slot) end
  end
end

local function fill_memory(c)
  local used = c.redis:info("used_memory")
  c:ask("CONFIG", "SET", "maxmemory", used)
  return used .. " bytes"
end

local function free_memory(c)
  c:ask("CONFIG", "SET", "maxmemory", "0")
end

local function refuse_clients(c)
  c:ask("CONFIG", "SET", "maxclients", "1")
  c:note_cut()
  c:ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
  return "maxclients 1"
end

local function take_clients(c)
  c:ask("CONFIG", "SET", "maxclients", "1000")
end

-- A replica of nobody: it takes no writes.
local function take_no_writes(c)
  c:note_cut()
  c:ask("REPLICAOF", "127.0.0.1", tostring(support.native.free_port()))
  return "read only"
end

local function take_writes(c)
  c:ask("REPLICAOF", "NO", "ONE")
end

local QUEUES <const> = { "high", "default", "low" }

local function pause_queue(c, aim)
  local queue = one_of(QUEUES, aim.index)
  c:client { "pause", queue }
  return queue
end

local function resume_queue(c, aim)
  c:client { "resume", one_of(QUEUES, aim.index) }
end

local function kill_client(c, aim)
  local ids = {}
  for id in (c:ask("CLIENT", "LIST") or ""):gmatch("id=(%d+) ") do ids[#ids + 1] = id end
  local id = one_of(ids, aim.index)
  c:note_cut()
  c:ask("CLIENT", "KILL", "ID", id, "SKIPME", "yes")
  return "client " .. id
end

local function ask(...)
  local command = table.pack(...)
  return function(c)
    c:note_cut()
    c:ask(table.unpack(command))
    return table.concat(command, " "):sub(1, 60)
  end
end

local function pause_clients(c, aim)
  local ms = math.floor(aim.seconds * 1000)
  c:note_cut()
  c:ask("CLIENT", "PAUSE", ms, aim.index % 2 == 0 and "ALL" or "WRITE")
  return ms .. " ms"
end

local freeze_worker, thaw_worker = freeze("worker")
local freeze_agent, thaw_agent = freeze("agent")
local freeze_supervisor, thaw_supervisor = freeze()

nemesis.actions = {
  { name = "kill worker", weight = 16, act = kill_child("worker") },
  { name = "kill agent", weight = 6, act = kill_child("agent") },
  { name = "kill node", weight = 5, act = kill_supervisor, heal = restart_node, longest = 3 },
  { name = "stop worker", weight = 6, act = freeze_worker, heal = thaw_worker, longest = 5 },
  { name = "stop agent", weight = 5, act = freeze_agent, heal = thaw_agent, longest = 6 },
  { name = "stop supervisor", weight = 3, act = freeze_supervisor, heal = thaw_supervisor,
    longest = 4 },
  { name = "stop node", weight = 4, act = freeze_node, heal = thaw_node, longest = 6 },
  { name = "power cut", weight = 1, act = power_cut, heal = power_back, longest = 1 },
  { name = "TERM node", weight = 4, act = end_node("TERM"), heal = restart_node, longest = 2 },
  { name = "QUIT node", weight = 2, act = end_node("QUIT"), heal = restart_node, longest = 2 },
  { name = "TTIN", weight = 3, act = signal_node("TTIN") },
  { name = "TTOU", weight = 3, act = signal_node("TTOU") },
  { name = "quiet", weight = 2, act = signal_node("TSTP"), heal = signal_node("CONT"),
    longest = 3 },
  { name = "reload", weight = 5, act = reload_good },
  { name = "broken reload", weight = 4, act = reload_broken, heal = mend_script, longest = 2 },
  { name = "reloads", weight = 1, act = reload_often },
  { name = "kill producer", weight = 4, act = kill_producer, heal = start_producers, longest = 1 },
  -- Also for longer than a lease.
  { name = "kill Redis", weight = 5, act = when_up(redis_killed), heal = start_redis, longest = 5 },
  { name = "shut Redis down", weight = 3, act = when_up(redis_shut_down), heal = start_redis,
    longest = 2 },
  { name = "stop Redis", weight = 3, act = when_up(redis_frozen), heal = start_redis, longest = 4 },
  { name = "DEBUG SLEEP", weight = 2, act = when_up(ask("DEBUG", "SLEEP", "0.5")) },
  { name = "busy script", weight = 2, act = when_up(ask("EVAL", BUSY, "0")) },
  { name = "rewrite the file", weight = 2, act = when_up(ask("BGREWRITEAOF")) },
  { name = "refuse clients", weight = 2, act = when_up(refuse_clients), heal = take_clients,
    longest = 1 },
  { name = "read only", weight = 3, act = when_up(take_no_writes), heal = take_writes,
    longest = 3 },
  { name = "pause queue", weight = 2, act = pause_queue, heal = resume_queue, longest = 3 },
  { name = "fill memory", weight = 4, act = when_up(fill_memory), heal = free_memory, longest = 2 },
  { name = "flush scripts", weight = 5, act = when_up(ask("SCRIPT", "FLUSH")) },
  { name = "pause clients", weight = 4, act = when_up(pause_clients), longest = 2 },
  { name = "kill a client", weight = 8, act = when_up(kill_client) },
  { name = "kill all clients", weight = 3,
    act = when_up(ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")) },
}

---What happens when, drawn in full before anything runs. Pure.
---@param draw table spec.chaos.dice
---@param seconds number
---@return { at: number, action: table, aim: table }[]
function nemesis.plan(draw, seconds)
  local plan, at = {}, 0
  local haste = draw:between(0.3, 1.2) -- some plans are denser than others
  while true do
    at = at + haste * draw:between(GAP_LOW, GAP_HIGH)
    if at >= seconds then return plan end
    local action = draw:weighted(nemesis.actions)
    local aim = {
      slot = draw:int(1, NODES),
      index = draw:int(1, 100),
      seconds = draw:between(0.1, action.longest or 0.2),
    }
    plan[#plan + 1] = { at = at, action = action, aim = aim }
  end
end

nemesis.NODES = NODES

return nemesis

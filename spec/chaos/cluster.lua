-- What the nemesis breaks: one Redis, some nodes, some producers, in one folder. Knows how to start
-- each and to find their processes, and remembers every process that was killed on purpose.

local ledger = require "spec.chaos.ledger"
local support = require "spec.support"

local cluster = {}
cluster.__index = cluster

local QUEUES <const> = { "high,default,low", "low,high,default", "high:3,default:2,low:1" }
-- Worker processes that are replaced now and then. Of each slot.
local SERVICE <const> = { {}, { "--max-tasks", "150" }, { "--max-memory", "30" } }
local LEASE_S <const> = "2"
local SHUTDOWN_S <const> = "3"

local function copy(from, to)
  support.write(to, support.read(from))
end

---@param options { seed: integer, nodes: integer, producers: integer }
function cluster.open(options)
  local self = setmetatable({
    seed = options.seed,
    dir = support.tempdir(),
    redis = support.redis { appendonly = true, config = {
      appendfsync = "always",
      ["lua-time-limit"] = "50", -- ms, after which others are told BUSY
    } },
    redis_state = "up", -- "up" | "down" | "stopped"
    nodes = {},         -- slot → { process, number } of the one that runs there
    producers = {},
    clients = {},       -- commands under way
    logs = {},          -- of all nodes that ever ran: { name, process }
    killed = {},        -- pid → why: processes that were ended without leave
    cuts = {},          -- when connections to Redis were cut, or commands got no answer
    stopped = {},       -- pid → true: under SIGSTOP
    lives = {},         -- producer → how often it was started
    started = 0,
  }, cluster)
  for slot = 1, options.nodes do
    local tasks = self:tasks_of(slot)
    assert(support.sh("mkdir " .. tasks).code == 0)
    copy(support.root .. "/spec/chaos/tasks/chaos.lua", tasks .. "/chaos.lua")
    copy(support.root .. "/spec/chaos/ledger.lua", tasks .. "/ledger.lua")
    self:start_node(slot)
  end
  for _, node in ipairs(self.nodes) do node.process:read_until("ready", 30) end
  for i = 1, options.producers do self:start_producer(i) end
  return self
end

-- --- nodes ---------------------------------------------------------------------------------------

-- Each slot has tasks of its own, so that a broken script is one node's alone.
function cluster:tasks_of(slot)
  return ("%s/tasks-%d"):format(self.dir, slot)
end

-- Puts one more file among a slot's tasks, or takes it away (text nil).
function cluster:add_script(slot, text)
  local path = self:tasks_of(slot) .. "/more.lua"
  if text then support.write(path, text) else os.remove(path) end
end

function cluster:start_node(slot)
  self.started = self.started + 1
  self:add_script(slot, nil)
  local name = ("node%d-%d"):format(slot, self.started)
  local node = {
    name = name,
    pidfile = ("%s/%s.pid"):format(self.dir, name),
  }
  local argv = {
    "worker", self:tasks_of(slot), "-w", "2", "-c", "8", "-q", QUEUES[slot] or QUEUES[1],
    "--name", name, "--pidfile", node.pidfile, "--lease", LEASE_S,
    "--shutdown-timeout", SHUTDOWN_S,
    redis = self.redis, cwd = self.dir,
  }
  for _, word in ipairs(SERVICE[slot] or {}) do argv[#argv + 1] = word end
  node.process = support.start_moil(argv)
  self.nodes[slot] = node
  self.logs[#self.logs + 1] = node
end

-- Pids of a node's children by what they are ("worker" or "agent"), in the order of their start.
function cluster:children(slot, role)
  local supervisor, found = self.nodes[slot].process.pid, {}
  for _, p in ipairs(support.native.processes()) do
    if p.ppid == supervisor and p.state ~= "Z" then
      local f = io.open(("/proc/%d/comm"):format(p.pid))
      local comm = f and f:read("a") or ""
      if f then f:close() end
      if not role or comm:find("moil " .. role, 1, true) then found[#found + 1] = p.pid end
    end
  end
  table.sort(found)
  return found
end

function cluster:signal(pid, signal)
  if signal == "STOP" then self.stopped[pid] = true end
  if signal == "CONT" then self.stopped[pid] = nil end
  return support.native.kill(pid, support.native.signals[signal])
end

function cluster:kill(pid, why)
  self.killed[pid] = why
  self:signal(pid, "KILL")
end

-- The whole node at once. Children that appear meanwhile die with their parent.
function cluster:kill_node(slot, why)
  local node = self.nodes[slot]
  self:signal(node.process.pid, "STOP")
  local children = self:children(slot)
  self:kill(node.process.pid, why)
  for _, pid in ipairs(children) do self.killed[pid] = why end
  self.stopped[node.process.pid] = nil
  node.ended = true
  return children
end

-- --- Redis ---------------------------------------------------------------------------------------

-- One command, where Redis can answer; nil where not.
function cluster:ask(...)
  if self.redis_state ~= "up" then return nil end
  return (self.redis:try(...))
end

function cluster:note_cut()
  self.cuts[#self.cuts + 1] = support.now()
end

-- A command of moil's, in the background; its end is nobody's business but heal's.
function cluster:client(arguments)
  arguments.redis = self.redis
  self.clients[#self.clients + 1] = support.start_moil(arguments)
end

function cluster:start_redis()
  if self.redis_state == "down" then self.redis:start() end
  if self.redis_state == "stopped" then self:signal(self.redis.pid, "CONT") end
  self.redis_state = "up"
end

-- --- producers -----------------------------------------------------------------------------------

function cluster:start_producer(i)
  self.lives[i] = (self.lives[i] or 0) + 1
  self.producers[i] = support.start_lua {
    support.root .. "/spec/chaos/producer.lua",
    self.dir, self.redis.url, tostring(i), tostring(self.seed), tostring(self.lives[i]),
    cwd = support.root, stderr = "stdout",
  }
end

-- Tells all to come to an end, and waits for it.
function cluster:stop_producers(seconds)
  support.write(self.dir .. "/stop", "")
  for i, producer in ipairs(self.producers) do
    local code = producer:wait(seconds)
    if code ~= 0 then error(("producer %d failed: %s"):format(i, producer:report()), 0) end
  end
end

-- All ledgers' entries: of each producer, then of the workers.
function cluster:ledgers()
  local books = {}
  for i in ipairs(self.producers) do books[i] = ledger.read(self.dir .. "/producer-" .. i) end
  books.runs = ledger.read(self.dir .. "/runs")
  return books
end

-- --- healing and the end -------------------------------------------------------------------------

-- Whatever was done: everything runs again.
function cluster:heal()
  for pid in pairs(self.stopped) do
    if pid ~= self.redis.pid then self:signal(pid, "CONT") end
  end
  self.stopped = {}
  self:start_redis()
  self:ask("CLIENT", "UNPAUSE")
  self:ask("CONFIG", "SET", "maxmemory", "0")
  self:ask("CONFIG", "SET", "maxclients", "1000")
  self:ask("REPLICAOF", "NO", "ONE")
  for _, client in ipairs(self.clients) do client:wait(60) end
  for _, queue in ipairs { "high", "default", "low" } do
    support.moil { "resume", queue, redis = self.redis, timeout = 60 }
  end
  for slot, node in pairs(self.nodes) do
    if node.leaving then node.process:wait(60) end
    if not node.process:alive() then self:start_node(slot) else node.process:kill("CONT") end
  end
  for i, producer in ipairs(self.producers) do
    if not producer:alive() then self:start_producer(i) end
  end
end

-- TERM to every node; each must leave in order.
function cluster:stop_nodes(seconds)
  for _, node in pairs(self.nodes) do node.process:kill("TERM") end
  for _, node in pairs(self.nodes) do
    local code, signal = node.process:wait(seconds)
    if code ~= 0 then
      error(("%s ended with %s at TERM: %s"):format(node.name, code or "signal " .. signal,
        node.process:report()), 0)
    end
  end
end

-- Ends what is left of it, whatever state that is in.
function cluster:close()
  for _, producer in ipairs(self.producers) do producer:kill("KILL") end
  for _, node in ipairs(self.logs) do node.process:kill("KILL") end
  self.redis:kill9()
end

return cluster

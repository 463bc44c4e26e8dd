-- One namespace on a private Redis, for the specs of lua/redis/: scripts by name, records by hand,
-- and where
-- each job is. `check` holds the protocol's invariants against everything that is stored.
--
--   local w = world.new()
--   w:enqueue("default", 5, { "a", "b" })
--   assert.same({ "a", w.record {} }, w:eval("fetch", w.worker, 1, "default"))
--   w:check()

local invariants = require "spec.redis.invariants"
local support = require "spec.support"

local world = {}
world.__index = world

local PREFIX <const> = "{w}:"

---@param options? table for support.redis
function world.new(options)
  local self = setmetatable({
    redis = support.redis(options),
    prefix = PREFIX,
    worker = "worker-1",
    shas = {},
  }, world)
  self:reset()
  return self
end

-- An empty namespace with one registered worker.
function world:reset()
  self.damaged = false
  self.redis:call("FLUSHALL")
  self:eval("join", self.worker, "node")
end

function world:stop()
  self.redis:stop()
end

-- --- scripts -------------------------------------------------------------------------------------

-- reply, or nil and Redis's error; a nil reply is nil.
function world:try(name, ...)
  self.shas[name] = self.shas[name] or self.redis:call("SCRIPT", "LOAD", support.script(name))
  return self.redis:try("EVALSHA", self.shas[name], 1, PREFIX, ...)
end

function world:eval(name, ...)
  local reply, err = self:try(name, ...)
  if err then error(name .. ": " .. err, 2) end
  return reply
end

-- A raw command on a key of the namespace.
function world:key(command, key, ...)
  return self.redis:call(command, PREFIX .. key, ...)
end

function world:enqueue(queue, level, ids, options)
  options = options or {}
  local argv = { queue, level, options.front and 1 or 0 }
  for _, id in ipairs(ids) do
    argv[#argv + 1] = id
    argv[#argv + 1] = world.record { queue = queue, level = level, args = options.args }
  end
  return self:eval("enqueue", table.unpack(argv))
end

function world:schedule(ids, due, options)
  local argv = {}
  for _, id in ipairs(ids) do
    argv[#argv + 1] = id
    argv[#argv + 1] = due
    argv[#argv + 1] = world.record(options or {})
  end
  return self:eval("schedule", table.unpack(argv))
end

-- The ids that a fetch brought, in order.
function world:fetch(want, queues, worker)
  local found = self:eval("fetch", worker or self.worker, want,
    table.unpack(queues or { "default" }))
  local ids = {}
  for i = 1, #found - 1, 2 do ids[#ids + 1] = found[i] end
  return ids
end

local function add(argv, ...)
  for _, value in ipairs { ... } do argv[#argv + 1] = value end
end

-- Results of one minute, or ids of which nothing is kept, as one group.
local function add_group(argv, name, group)
  local first = group[1]
  local state, queue = group.state or "SUCCESS", group.queue or "default"
  if name == "ended" then
    state, queue = first[2]:match("^R1 (%S+) (%S+) ")
    add(argv, group.minute)
  end
  add(argv, state, queue, #group)
  for _, entry in ipairs(group) do
    if type(entry) == "table" then add(argv, entry[1], entry[2]) else add(argv, entry) end
  end
end

-- settle's ARGV from its sections, without the incarnation. dropped: ids, of queue "default", or
-- groups {queue = , id, …}; ended: groups {minute = , {id, record}, …} of one queue and state.
-- doubt = true: not all may be in flight. room: {n, queues…}, for what its links start.
function world.verdicts(sections)
  local argv, total = { 0, sections.doubt and 1 or 0 }, 0
  for _, name in ipairs { "dropped", "ended", "dead", "retry", "requeue", "replaced" } do
    local section = sections[name] or {}
    if name == "dropped" and type(section[1]) == "string" then section = { section } end
    add(argv, #section)
    for _, entry in ipairs(section) do
      if name == "dropped" or name == "ended" then
        add_group(argv, name, entry)
        total = total + #entry
      else
        add(argv, table.unpack(entry))
        total = total + 1
      end
    end
  end
  argv[1] = total
  add(argv, table.unpack(sections.room or {}))
  return table.unpack(argv)
end

-- Of settle's reply: how many were settled, and the ids of what was handed over.
function world.handed(reply)
  local ids = {}
  if math.type(reply) then return reply, ids end
  for i = 2, #reply, 2 do ids[#ids + 1] = reply[i] end
  return reply[1], ids
end

function world:settle(sections, worker)
  return self:eval("settle", worker or self.worker, world.verdicts(sections))
end

-- --- workflows -----------------------------------------------------------------------------------

-- A batch as `accept` takes it. nodes: {id, plan = "0", links = "", and what world.record takes};
-- members, parts: {group, ids…}, …; deps: {dep, link}, …; lines: {workflow, lines…}, ….
function world.batch(parts)
  local argv = {}
  for _, node in ipairs(parts.nodes or {}) do
    add(argv, "J", node[1], world.record(node), node.plan or "0", node.links or "")
  end
  for _, list in ipairs(parts.members or {}) do
    add(argv, "M", list[1], #list - 1, table.unpack(list, 2))
  end
  for _, list in ipairs(parts.parts or {}) do
    add(argv, "P", list[1], #list - 1, table.unpack(list, 2))
  end
  for _, dep in ipairs(parts.deps or {}) do add(argv, "D", dep[1], dep[2]) end
  for _, list in ipairs(parts.lines or {}) do
    add(argv, "W", list[1], #list - 1, table.unpack(list, 2))
  end
  return argv
end

-- Its first node is the workflow.
function world:accept(parts)
  return self:eval("accept", "token", parts.nodes[1][1], 0, table.unpack(world.batch(parts)))
end

-- Calls advance until nothing is left.
function world:advance()
  local calls = 0
  repeat
    calls = calls + 1
    local left = self:eval("advance", 250)
  until left == 0
  return calls
end

-- Fetches a job, which must be the next, and ends it: value, a success; false, a failure; nil: its
-- success, of which nothing is kept.
function world:run(id, value, f)
  f = f or {}
  local ids = self:fetch(1, { f.queue or "default" })
  if ids[1] ~= id then error(("%s is next, not %s"):format(ids[1], id), 2) end
  self:finish(id, value, f)
end

-- Ends a job in flight.
function world:finish(id, value, f)
  f = f or {}
  f.minute = f.minute or self:now_ms() // 60000 + 100
  if value == nil then
    self:settle { dropped = { { queue = f.queue, id } } }
    return
  end
  f.state = f.state or (value and "SUCCESS" or "FAILURE")
  f.value = value or f.value or '{"code":"Error","message":"no"}'
  self:settle { ended = { { minute = f.minute, { id, world.outcome(f) } } } }
end

-- State and value of a job that has ended.
function world:ended(id)
  local record = self:key("HGET", "jobs", id)
  if not record or record:sub(1, 1) ~= "R" then return nil end
  local head = record:match("^[^\n]*\n")
  return head:match("^R1 (%S+)"), record:sub(#head + 1)
end

-- The arguments of a job that has not ended.
function world:args(id)
  local head, length, rest = self:key("HGET", "jobs", id):match("^(J1[^\n]* )(%d+)( %d+ %d+\n)")
  local first = #head + #length + #rest + 1
  return self:key("HGET", "jobs", id):sub(first, first + tonumber(length) - 1)
end

-- --- records, written by hand --------------------------------------------------------------------

-- A J record.
function world.record(f)
  local args, kwargs, extra = f.args or "[]", f.kwargs or "", f.extra or ""
  return ("J1 %s %d %d %d %d %d %s %d %d %d\n%s%s%s"):format(f.queue or "default", f.level or 5,
    f.retries or 0, f.crashes or 0, f.losses or 0, f.enqueued or 1000000, f.task or "t",
    #args, #kwargs, #extra, args, kwargs, extra)
end

-- An R record; minute 0: kept for ever.
function world.outcome(f)
  local value, body = f.value or "1", f.body or ""
  return ("R1 %s %s %d %d %d %d %d %d %d %s %s %d %d\n%s%s"):format(f.state or "SUCCESS",
    f.queue or "default", f.level or 5, f.retries or 0, f.deliveries or 1, f.enqueued or 1000000,
    f.started or 2000000, f.finished or 3000000, f.minute or 0, f.worker or "worker-1",
      f.task or "t",
    #value, #body, value, body)
end

-- What a worker writes when it buries a job.
function world.dead_record(f)
  f = f or {}
  return world.outcome { state = "FAILURE", value = '{"code":"Error"}', queue = f.queue,
    level = f.level, body = world.record(f) }
end

-- A job's record, changed by hand: nothing is counted from here to the next reset.
function world:damage(id, bytes)
  self.damaged = true
  self:key("HSET", "jobs", id, bytes)
end

-- Fetches a job and buries it.
function world:bury(id, f)
  f = f or {}
  self:enqueue(f.queue or "default", f.level or 5, { id })
  assert(self:fetch(1, { f.queue or "default" })[1] == id)
  self:settle { dead = { { id, world.dead_record(f) } } }
end

-- --- what is stored ------------------------------------------------------------------------------

function world:now_ms()
  local time = self.redis:call("TIME")
  return tonumber(time[1]) * 1000 + tonumber(time[2]) // 1000
end

local function pairs_of(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

function world:hash(key)
  return pairs_of(self:key("HGETALL", key))
end

-- Everything, as Lua tables.
function world:snapshot()
  local s = {
    jobs = self:hash("jobs"),
    queues = self:hash("queues"),
    stale = self:hash("stale"),
    waiters = self:hash("waiters"),
    running = self:hash("running"),
    deferred = self:hash("deferred"),
    links = self:hash("links"),
    held = self:hash("held"),
    delayed = pairs_of(self:key("ZRANGE", "delayed", 0, -1, "WITHSCORES")),
    dead = pairs_of(self:key("ZRANGE", "dead", 0, -1, "WITHSCORES")),
    lists = {},
    inflight = {},
    wake = {},
    expire = {},
    counters = {},
    members = {},
  }
  local keys = self.redis:call("KEYS", "*")
  table.sort(keys) -- "inflight:" before "recovering:": a dead worker may have both
  for _, key in ipairs(keys) do
    local kind, name = key:sub(#PREFIX + 1):match("^(%l+):(.+)$")
    if kind == "queue" then s.lists[name] = self:key("LRANGE", "queue:" .. name, 0, -1) end
    if kind == "inflight" then s.inflight[name] = self:key("SMEMBERS", "inflight:" .. name) end
    if kind == "recovering" then
      local ids = s.inflight[name] or {}
      s.inflight[name] = ids
      table.move(self:key("ZRANGE", "recovering:" .. name, 0, -1), 1, 1000, #ids + 1, ids)
    end
    if kind == "members" then s.members[name] = self:key("LRANGE", "members:" .. name, 0, -1) end
    if kind == "counters" then s.counters[name] = self:hash(key:sub(#PREFIX + 1)) end
    if kind == "wake" then s.wake[name] = self:key("LLEN", "wake:" .. name) end
    if kind == "expire" then s.expire[name] = self:key("LRANGE", "expire:" .. name, 0, -1) end
    assert(key:sub(1, #PREFIX) == PREFIX, "a key without the prefix: " .. key)
  end
  return s
end

-- The one place of a job, "ended", "dead" or nil.
function world:place(id)
  local s = self:snapshot()
  local found = invariants.places(s)[id] or {}
  assert(#found <= 1, ("%s is in %s"):format(id, table.concat(found, " and ")))
  if found[1] or not s.jobs[id] then return found[1] end
  return s.dead[id] and "dead" or "ended"
end

-- Raises unless audit.lua's numbers add up.
function world:balance()
  invariants.balance(self:eval "audit")
end

---Raises unless the protocol's invariants hold.
---@param options? {wakes: boolean} wakes = false: tokens were taken without the fetch that must
--- follow
function world:check(options)
  invariants.check(self:snapshot(), {
    wakes = not options or options.wakes,
    counters = not self.damaged,
  })
end

-- Fills Redis's memory to the brim: what needs memory is refused until `free_memory`.
function world:fill_memory()
  self.redis:call("CONFIG", "SET", "maxmemory", 1)
end

function world:free_memory()
  self.redis:call("CONFIG", "SET", "maxmemory", 0)
end

return world

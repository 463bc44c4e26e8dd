-- What Redis holds, as plain tables, read by commands of Redis's own: no code of moil's is asked
-- about moil. docs/protocol.md has the keys and records.

local dump = {}

local PREFIX <const> = "{moil}:"

-- {name, value, name, value} → name → value
local function map(list)
  local t = {}
  for i = 1, #list, 2 do t[list[i]] = list[i + 1] end
  return t
end

local function keys(redis, pattern)
  return redis:call("KEYS", "\\" .. PREFIX .. pattern)
end

local function collect(redis, pattern, command, ...)
  local found = {}
  for _, key in ipairs(keys(redis, pattern)) do
    found[key:match(":([^:].*)$"):match(":(.*)$")] = redis:call(command, key, ...)
  end
  return found
end

local NUMBERS <const> = { retries = true, deliveries = true, crashes = true, losses = true,
  value_len = true, body_len = true }

local LAYOUT <const> = {
  J1 = { "queue", "priority", "retries", "crashes", "losses", "enqueued", "task", "args_len",
    "kwargs_len", "extra_len" },
  R1 = { "state", "queue", "priority", "retries", "deliveries", "enqueued", "started", "finished",
    "expires", "worker", "task", "value_len", "body_len" },
}

---A record's header, by the names of docs/protocol.md; nil for bytes that are none. An R record has
---its `value`, as text, and a dead one the header of its `body`.
---@param bytes string
function dump.record(bytes)
  local header, rest = bytes:match("^([^\n]*)\n(.*)$")
  local words = {}
  for word in (header or ""):gmatch("%S+") do words[#words + 1] = word end
  local layout = LAYOUT[words[1]]
  if not layout or #words ~= #layout + 1 then return nil end
  local record = { ended = words[1] == "R1" }
  for i, name in ipairs(layout) do
    record[name] = NUMBERS[name] and tonumber(words[i + 1]) or words[i + 1]
  end
  if record.ended then
    record.value = rest:sub(1, record.value_len)
    record.body = record.body_len > 0 and dump.record(rest:sub(record.value_len + 1)) or nil
  end
  return record
end

-- Lists that nothing will ever remove: key → its length.
local function endless(redis)
  local found = {}
  for _, pattern in ipairs { "inbox:*", "members:*", "parts:*", "workflow:*", "staged:*" } do
    for _, key in ipairs(keys(redis, pattern)) do
      if redis:call("TTL", key) == -1 then found[key] = tostring(redis:call("LLEN", key)) end
    end
  end
  return found
end

---@param redis table of support.redis
function dump.read(redis)
  local function hash(name) return map(redis:call("HGETALL", PREFIX .. name)) end
  local records = {}
  for id, bytes in pairs(hash "jobs") do
    records[id] = dump.record(bytes) or { damaged = bytes:sub(1, 200) }
  end
  return {
    records = records,
    lists = collect(redis, "queue:*", "LRANGE", 0, -1), -- "QUEUE:LEVEL" → ids
    inflight = collect(redis, "inflight:*", "SMEMBERS"), -- incarnation → ids
    recovering_ids = collect(redis, "recovering:*", "ZRANGE", 0, -1),
    delayed = redis:call("ZRANGE", PREFIX .. "delayed", 0, -1),
    dead = redis:call("ZRANGE", PREFIX .. "dead", 0, -1),
    deferred = hash "deferred",
    links = hash "links",
    held = hash "held",
    faults = hash "faults",
    advancing = redis:call("LRANGE", PREFIX .. "advancing", 0, -1),
    accepted = collect(redis, "accepted:*", "LLEN"),
    linked = collect(redis, "links:*", "LLEN"),
    beat = hash "beat",
    ticks = hash "ticks",
    history = redis:call("LRANGE", PREFIX .. "beat_history", 0, -1),
    stale = hash "stale",
    workers = hash "workers",
    recovering = hash "recovering",
    running = hash "running",
    waiters = hash "waiters",
    nodes = hash "nodes",
    leases = hash "leases",
    endless = endless(redis),
  }
end

-- In one piece: a job may go round from place to place while one after the other is looked at.
local UNFINISHED <const> = [[
local n = redis.call("ZCARD", KEYS[1] .. "delayed") + redis.call("HLEN", KEYS[1] .. "recovering")
  + redis.call("HLEN", KEYS[1] .. "deferred") + redis.call("LLEN", KEYS[1] .. "advancing")
local sizes = { ["queue:*"] = "LLEN", ["inflight:*"] = "SCARD", ["recovering:*"] = "ZCARD" }
for pattern, command in pairs(sizes) do
  for _, key in ipairs(redis.call("KEYS", "\\" .. KEYS[1] .. pattern)) do
    n = n + redis.call(command, key)
  end
end
return n
]]

---How many jobs are on their way, by the sizes of the structures: 0 where nothing moves any more.
function dump.unfinished(redis)
  return redis:call("EVAL", UNFINISHED, 1, PREFIX)
end

---Names of the nodes that have a lease, or a worker.
function dump.present(redis)
  local names = {}
  for _, node in ipairs(redis:call("HKEYS", PREFIX .. "leases")) do
    names[#names + 1] = node:match("^(.*)/")
  end
  for _, value in ipairs(redis:call("HVALS", PREFIX .. "workers")) do
    names[#names + 1] = value:match("^(.*)/")
  end
  return names
end

return dump

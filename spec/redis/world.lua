-- One namespace on a private Redis, for the specs of lua/redis/: scripts by name, records by hand,
-- and where
-- each job is. `check` holds the protocol's invariants against everything that is stored.
--
--   local w = world.new()
--   w:enqueue("default", 5, { "a", "b" })
--   assert.same({ "a", w.record {} }, w:eval("fetch", w.worker, 1, "default"))
--   w:check()

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
-- doubt = true: not all may be in flight.
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
  return table.unpack(argv)
end

function world:settle(sections, worker)
  return self:eval("settle", worker or self.worker, world.verdicts(sections))
end

-- --- workflows -----------------------------------------------------------------------------------

-- A batch as `accept` takes it. nodes: {id, plan = "0", links = "", and what world.record takes};
-- members: {group, ids…}, …; deps: {dep, link}, …; lines: {workflow, lines…}, ….
function world.batch(parts)
  local argv = {}
  for _, node in ipairs(parts.nodes or {}) do
    add(argv, "J", node[1], world.record(node), node.plan or "0", node.links or "")
  end
  for _, list in ipairs(parts.members or {}) do
    add(argv, "M", list[1], #list - 1, table.unpack(list, 2))
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

-- Where each id is: id → list of places. List entries that `stale` accounts for are left out.
local function places(s)
  local found, left = {}, {}
  local function put(id, place)
    found[id] = found[id] or {}
    table.insert(found[id], place)
  end
  for field, count in pairs(s.stale) do left[field] = tonumber(count) end
  for name, ids in pairs(s.lists) do
    local queue, level = name:match("^(.*):(%d)$")
    for _, id in ipairs(ids) do
      local field = ("%s %s %s"):format(queue, level, id)
      if (left[field] or 0) > 0 then
        left[field] = left[field] - 1
      else
        put(id, "pending " .. name)
      end
    end
  end
  for id in pairs(s.delayed) do put(id, "delayed") end
  for id in pairs(s.deferred) do put(id, "deferred") end
  for incarnation, ids in pairs(s.inflight) do
    for _, id in ipairs(ids) do put(id, "inflight " .. incarnation) end
  end
  return found, left
end

-- The one place of a job, "ended", "dead" or nil.
function world:place(id)
  local s = self:snapshot()
  local found = places(s)[id] or {}
  assert(#found <= 1, ("%s is in %s"):format(id, table.concat(found, " and ")))
  if found[1] or not s.jobs[id] then return found[1] end
  return s.dead[id] and "dead" or "ended"
end

local function fail(...)
  error(("invariant: " .. select(1, ...)):format(select(2, ...)), 3)
end

local function check_jobs(s, found)
  for id, record in pairs(s.jobs) do
    local where = found[id] or {}
    if record:sub(1, 1) == "R" then
      if #where > 0 then fail("%s ended, but is in %s", id, where[1]) end
    elseif #where ~= 1 then
      fail("%s is in %d places: %s", id, #where, table.concat(where, ", "))
    else
      local queue, level = record:match("^J1 (%S+) (%d) ")
      local list = where[1]:match("^pending (.*)")
      if list and queue and list ~= queue .. ":" .. level then
        fail("%s of %s:%s is in %s", id, queue, level, list)
      end
    end
  end
end

local function check_queues(s)
  for name, ids in pairs(s.lists) do
    local queue, level = name:match("^(.*):(%d)$")
    local state = s.queues[queue] or fail("%s is not in `queues`", queue)
    if not state:find(level, 2, true) then
      fail("level %s is not in %s's %q", level, queue, state)
    end
    if state:sub(1, 1) == "r" and #ids > 0 and s.wake[queue] ~= 1 then
      fail("%s has jobs and no wake token", queue)
    end
  end
  for queue, state in pairs(s.queues) do
    local levels = {}
    for level in state:sub(2):gmatch(".") do levels[#levels + 1] = level end
    table.sort(levels, function(a, b) return a > b end)
    if not state:find("^[rp]%d*$") or table.concat(levels) ~= state:sub(2)
      or state:find("(%d)%1", 2) then
      fail("%s has the state %q", queue, state)
    end
  end
  for queue, count in pairs(s.wake) do
    if count > 1 then fail("%s has %d wake tokens", queue, count) end
  end
end

local function check_rest(s, found, left)
  for id, where in pairs(found) do
    if not s.jobs[id] then fail("%s has no record, but is in %s", id, where[1]) end
  end
  for field, count in pairs(left) do
    if count ~= 0 then fail("stale says %s of %s too many", count, field) end
  end
  for id in pairs(s.dead) do
    if (s.jobs[id] or ""):sub(1, 1) ~= "R" then fail("dead %s has no R record", id) end
  end
  for id in pairs(s.waiters) do
    if (s.jobs[id] or "R"):sub(1, 1) == "R" then fail("%s ended, but is waited for", id) end
  end
  for id in pairs(s.running) do
    if not (found[id] and found[id][1]:find("^inflight")) then
      fail("%s has a note, but does not run", id)
    end
  end
  local held = {}
  for mark, how in pairs(s.held) do
    for _, id in ipairs(how == "g" and s.members[mark:match("^members (.*)")] or {}) do
      held[id] = true
    end
  end
  for id, record in pairs(s.jobs) do
    local minute = record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ")
    local listed = not minute or minute == "0" or held[id]
    for later, ids in pairs(not listed and s.expire or {}) do
      for _, other in ipairs(math.tointeger(later) >= math.tointeger(minute) and ids or {}) do
        listed = listed or other == id
      end
    end
    if not listed then fail("%s ends at minute %s, but is in no bucket", id, minute) end
  end
end

local function sum(counters, pattern)
  local total = 0
  for name, n in pairs(counters) do
    if name:find(pattern) then total = total + math.tointeger(n) end
  end
  return total
end

-- How many jobs each place has, by queue: counted from the jobs themselves.
local function census(s, found)
  local queues = {}
  local function add_one(queue, place)
    queues[queue] = queues[queue] or { pending = 0, delayed = 0, deferred = 0, inflight = 0,
      dead = 0 }
    queues[queue][place] = queues[queue][place] + 1
  end
  for queue in pairs(s.counters) do
    queues[queue] = { pending = 0, delayed = 0, deferred = 0, inflight = 0, dead = 0 }
  end
  for id, where in pairs(found) do
    local queue = (s.jobs[id] or ""):match("^J1 (%S+) %d ") or "-"
    for _, place in ipairs(where) do
      add_one(place:match("^pending (.*):%d$") or queue, place:match("^%l+"))
    end
  end
  for id in pairs(s.dead) do add_one((s.jobs[id] or ""):match("^R1 %S+ (%S+)") or "-", "dead") end
  return queues
end

-- Each queue's counters agree with what there is, and their sum is what was ever enqueued.
local function check_counters(s, found)
  for queue, there in pairs(census(s, found)) do
    local counters = s.counters[queue] or {}
    local stale = 0
    for field, n in pairs(s.stale) do
      if field:match("^%S+") == queue then stale = stale + math.tointeger(n) end
    end
    for name, n in pairs { delayed = there.delayed, deferred = there.deferred,
      inflight = there.inflight, dead = there.dead, stale = stale } do
      if math.tointeger(counters[name] or 0) ~= n then
        fail("%s: %s %s are counted, %d are there", queue, counters[name] or 0, name, n)
      end
    end
    local gone = sum(counters, "^%u+$") + sum(counters, "^purged$") + sum(counters, "^deleted$")
      + sum(counters, "^trimmed$")
    local all = there.pending + there.delayed + there.deferred + there.inflight + there.dead + gone
    if math.tointeger(counters.enqueued or 0) ~= all then
      fail("%s: %s were enqueued, %d are accounted for", queue, counters.enqueued or 0, all)
    end
  end
end

-- Raises unless audit.lua's numbers add up: what it takes to know, at any moment, that no job is
-- lost.
function world:balance()
  local reply, totals = self:eval "audit", { delayed = 0, dead = 0, inflight = 0, deferred = 0 }
  for i = 7, #reply, 3 do
    local c = pairs_of(reply[i + 2])
    for name in pairs(totals) do totals[name] = totals[name] + math.tointeger(c[name] or 0) end
    local there = reply[i + 1] - math.tointeger(c.stale or 0) + sum(c, "^delayed$")
      + sum(c, "^deferred$") + sum(c, "^inflight$") + sum(c, "^dead$")
    local gone = sum(c, "^%u+$") + sum(c, "^purged$") + sum(c, "^deleted$") + sum(c, "^trimmed$")
    if sum(c, "^enqueued$") ~= there + gone then
      fail("%s: %d enqueued, %d in there, %d gone", reply[i], sum(c, "^enqueued$"), there, gone)
    end
  end
  for i, name in ipairs { "delayed", "dead", "inflight", "deferred" } do
    if totals[name] ~= reply[i] then
      fail("%d %s are counted, %d are there", totals[name], name, reply[i])
    end
  end
end

---Raises unless the protocol's invariants hold.
---@param options? {wakes: boolean} wakes = false: tokens were taken without the fetch that must
--- follow
function world:check(options)
  local s = self:snapshot()
  local found, left = places(s)
  check_jobs(s, found)
  if not (options and options.wakes == false) then check_queues(s) end
  check_rest(s, found, left)
  if not self.damaged then check_counters(s, found) end
end

-- Fills Redis's memory to the brim: what needs memory is refused until `free_memory`.
function world:fill_memory()
  self.redis:call("CONFIG", "SET", "maxmemory", 1)
end

function world:free_memory()
  self.redis:call("CONFIG", "SET", "maxmemory", 0)
end

return world

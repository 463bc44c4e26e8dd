-- What must hold of everything that is stored, at any moment: a snapshot of world.lua, compared
-- with itself. What does not hold is raised.

local invariants = {}

local function pairs_of(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- Where each id is: id → list of places. List entries that `stale` accounts for are left out.
function invariants.places(s)
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
function invariants.balance(reply)
  local totals = { delayed = 0, dead = 0, inflight = 0, deferred = 0 }
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

---@param s table a snapshot of world.lua
---@param options {wakes: boolean, counters: boolean} false: leaves that out
function invariants.check(s, options)
  local found, left = invariants.places(s)
  check_jobs(s, found)
  if options.wakes ~= false then check_queues(s) end
  check_rest(s, found, left)
  if options.counters ~= false then check_counters(s, found) end
end

return invariants

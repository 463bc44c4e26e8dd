-- fetch: pending -> in flight. Takes jobs from the queues in the order given, the highest priority
-- level first. Where those hold fewer than are wanted, also: delayed -> in flight, for what is due,
-- as `promote` would put it into an empty list; due jobs of other queues go to theirs.
-- ARGV: incarnation, want (1-250), queue...
-- Returns id, record, id, record, ... A record that is no J record of ours is handed over as it is
-- (the worker buries it); entries of jobs that were revoked or deleted meanwhile are dropped here,
-- at most 2,000 a call: where more are left, "more" follows as a last element of its own.
-- Error: FENCED.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return refuse("fetch")
end
local want, drops, found, taken = tonumber(ARGV[2]), 2000, {}, {}
local states = call("HMGET", ns .. "queues", unpack(ARGV, 3))
local there, has_stale = call("EXISTS", ns .. "stale", ns .. "listeners"), false
if there > 0 then
  has_stale = call("EXISTS", ns .. "stale") == 1
  events = there > (has_stale and 1 or 0) and listens(true)
end

local function take(queue, level, list)
  local before = #taken
  while want > 0 and drops > 0 do
    local ids = call("LPOP", list, want)
    if not ids then
      break
    end
    local records = call("HMGET", jobs, unpack(ids))
    for i, id in ipairs(ids) do
      local record = records[i]
      local is_stale = has_stale and unmark_stale(queue, level, id)
      if record and not is_stale and record:byte(1) ~= 82 then
        want = want - 1
        taken[#taken + 1] = id
        found[#found + 1] = id
        found[#found + 1] = record
      else
        drops = drops - 1
      end
    end
  end
  if #taken > before then
    tally(queue, "inflight", #taken - before)
  end
end

local left = false
for i, state in ipairs(states) do
  if state and state:byte(1) == 114 then
    local queue = ARGV[i + 2]
    for at = 2, #state do
      local level = state:sub(at, at)
      local list = ns .. "queue:" .. queue .. ":" .. level
      take(queue, level, list)
      if (want == 0 or drops <= 0) and call("LLEN", list) > 0 then
        left = true
        wake(queue)
        break
      end
    end
  end
end
-- Of jobs that are due, as group_due has found them: those of a queue asked for go in flight.
local function take_place(place)
  if not place.rank then
    push(place.queue, place.level, place, false)
  else
    for i = 1, #place do
      taken[#taken + 1] = place[i]
      found[#found + 1] = place[i]
      found[#found + 1] = place.records[i]
    end
    tally(place.queue, "inflight", #place)
  end
  tally(place.queue, "delayed", -#place)
end

local function by_rank(a, b)
  return (a.rank or 0) < (b.rank or 0)
end

local function take_due()
  local ids = call("ZRANGEBYSCORE", ns .. "delayed", "-inf", now_ms(), "LIMIT", 0, want)
  local places, n = group_due(ids, #ids > 0 and call("HMGET", jobs, unpack(ids)) or ids)
  if n == 0 then
    return
  end
  call("ZREMRANGEBYRANK", ns .. "delayed", 0, n - 1)
  for _, place in ipairs(places) do
    for i, state in ipairs(states) do
      if state and state:byte(1) == 114 and ARGV[i + 2] == place.queue then
        place.rank = i * 10 - place.level
      end
    end
  end
  table.sort(places, by_rank)
  for _, place in ipairs(places) do
    take_place(place)
    if n == want and place.rank then -- more may be due: for others
      wake(place.queue)
    end
  end
end

if want > 0 and not left then
  take_due()
end
if #taken > 0 then
  call("SADD", ns .. "inflight:" .. incarnation, unpack(taken))
  if events then
    events.by(incarnation)
    for i = 1, #found, 2 do
      events.job("started", found[i], found[i + 1])
    end
  end
end
write_tallies()
if left and want > 0 then
  found[#found + 1] = "more"
end
return found

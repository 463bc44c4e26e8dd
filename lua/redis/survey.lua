-- survey: one page of a structure: what stands there, and which of it `verify` should look at.
-- Reads only. While the system runs, most of what looks wrong between two pages has only moved on.
-- ARGV: what, cursor ("0": the beginning), limit (1-250), name
--   "jobs" | "delayed" | "dead" | "running" | "waiters"    name is "": all of it
--   "inflight" | "recovering"                              name: an incarnation
--   "list"                                                 name: QUEUE:LEVEL; from its end on, so
--                                                          that what is fetched meanwhile moves
--                                                          nothing past the cursor
--   "deferred"                                             name is ""; ids, each followed by how
--                                                          many ends it waits for
--   "links"                                                name is ""; the ids that links lead to,
--                                                          once for each end
--   "lists" | "incarnations"                               their names, all at once
-- Returns the next cursor ("0": that was all); names, or ids: of "jobs" those that must stand in a
-- list, of "list" those that do; then suspects.
local what, cursor, limit, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local listed, suspects = {}, {}

local incarnations = call("HKEYS", ns .. "workers")
for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
  incarnations[#incarnations + 1] = incarnation
end

if what == "incarnations" then
  return { "0", incarnations, {} }
elseif what == "lists" then
  local states = call("HGETALL", ns .. "queues")
  for i = 1, #states, 2 do
    for level in states[i + 1]:sub(2):gmatch("%d") do
      listed[#listed + 1] = states[i] .. ":" .. level
    end
  end
  return { "0", listed, {} }
end

-- The page's ids, and their records; the keys and values of a scan alternate.
local ids, records, scanned = {}, {}, nil
if what == "list" then
  local from = tonumber(cursor)
  local key = ns .. "queue:" .. name
  ids = call("LRANGE", key, -from - limit, -from - 1)
  cursor = from + limit < call("LLEN", key) and string.format("%d", from + limit) or "0"
elseif what == "inflight" then
  cursor, ids = unpack(call("SSCAN", ns .. "inflight:" .. name, cursor, "COUNT", limit))
elseif what == "delayed" or what == "dead" then
  cursor, scanned = unpack(call("ZSCAN", ns .. what, cursor, "COUNT", limit))
elseif what == "recovering" then
  cursor, scanned = unpack(call("ZSCAN", ns .. "recovering:" .. name, cursor, "COUNT", limit))
elseif what == "running" or what == "waiters" or what == "deferred" or what == "links" then
  cursor, scanned = unpack(call("HSCAN", ns .. what, cursor, "COUNT", limit))
else
  cursor, scanned = unpack(call("HSCAN", jobs, cursor, "COUNT", limit))
end
for i = 1, scanned and #scanned or 0, 2 do
  ids[#ids + 1] = scanned[i]
  records[#records + 1] = what == "jobs" and scanned[i + 1] or nil
end

-- Lists what waits for how many ends, or the ends that are to come.
local function list_ends(id, text)
  if what == "deferred" then
    listed[#listed + 1] = id
    listed[#listed + 1] = text:match("^%d*")
    return
  end
  local function add(mode, target)
    local is_group = mode:find("[SND]")
    for _, one in ipairs(is_group and call("LRANGE", ns .. "members:" .. target, 0, 9999)
      or mode:find("[mhsndeilc]") and { target } or {}) do
      listed[#listed + 1] = one
    end
  end
  for mode, target in text:gmatch("(.).(%S*) ") do
    add(mode, target)
  end
  if text:sub(-3) == "+- " then
    for _, link in ipairs(call("LRANGE", ns .. "links:" .. id, 0, 9999)) do
      add(link:sub(1, 1), link:sub(3))
    end
  end
end

if what == "deferred" or what == "links" then
  for i = 1, #scanned, 2 do
    list_ends(scanned[i], scanned[i + 1])
  end
end

-- In chunks, as a small hash or set comes whole, whatever the limit.
local at = 1

local function is_expiring(minute)
  return minute == "0" or not minute or call("ZSCORE", ns .. "expiries", minute)
end

-- How many of delayed set, deferred jobs and sets of jobs in flight each of these ids is in.
local function places_of(chunk)
  local places = {}
  local function add(found)
    for i, id in ipairs(chunk) do
      if found[i] and found[i] ~= 0 then
        places[id] = (places[id] or 0) + 1
      end
    end
  end
  add(call("ZMSCORE", ns .. "delayed", unpack(chunk)))
  add(call("HMGET", ns .. "deferred", unpack(chunk)))
  for _, incarnation in ipairs(incarnations) do
    add(call("SMISMEMBER", ns .. "inflight:" .. incarnation, unpack(chunk)))
    add(call("ZMSCORE", ns .. "recovering:" .. incarnation, unpack(chunk)))
  end
  return places
end

local function is_stale(id)
  return call("HEXISTS", ns .. "stale", name:gsub(":(%d)$", " %1 ") .. id) == 1
end

local function has_ended(record)
  return record and record:byte(1) == 82
end

-- Whether it is suspect; `places` apart from lists.
local function judge(id, record, places)
  if what == "jobs" and has_ended(record) then
    return places > 0 or not is_expiring(record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) "))
  elseif what == "jobs" then
    if places == 0 then
      listed[#listed + 1] = id
    end
    return places > 1
  elseif what == "list" then
    if is_stale(id) then
      return false
    end
    listed[#listed + 1] = id
    local queue, level = place_of(record or "")
    return not queue or has_ended(record) or places > 0 or queue .. ":" .. level ~= name
  elseif what == "dead" then
    return not has_ended(record)
  end
  if what == "waiters" or what == "links" then
    return not record or has_ended(record)
  end
  return not place_of(record or "") or has_ended(record) or (what == "running" and places == 0)
end

while at <= #ids do
  local chunk = { unpack(ids, at, math.min(at + 249, #ids)) }
  local places = places_of(chunk)
  local found = what == "jobs" and { unpack(records, at, at + #chunk - 1) }
    or call("HMGET", jobs, unpack(chunk))
  for i, id in ipairs(chunk) do
    if judge(id, found[i], places[id] or 0) then
      suspects[#suspects + 1] = id
    end
  end
  at = at + #chunk
end
return { cursor, listed, suspects }

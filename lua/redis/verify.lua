-- verify: what is wrong with jobs, each looked for wherever it may be, at one moment. Reads only.
-- ARGV: for each (at most 250): id, and the list (QUEUE:LEVEL) that it was seen in, "deferred"
-- where more ends may be open than are to come, or ""
-- Returns how many of them were looked at (fewer where their lists were long: a million entries a
-- call), then for each that is not in order: id, and what is wrong.
local incarnations, scanned, answer = call("HKEYS", ns .. "workers"), 0, { 0 }
for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
  incarnations[#incarnations + 1] = incarnation
end

-- Adds the places of an id that are no lists; returns whether one is in flight.
local function add_places(id, places)
  local held = false
  if call("ZSCORE", ns .. "delayed", id) then
    places[#places + 1] = "delayed"
  end
  if call("HEXISTS", ns .. "deferred", id) == 1 then
    places[#places + 1] = "deferred"
  end
  for _, incarnation in ipairs(incarnations) do
    if call("SISMEMBER", ns .. "inflight:" .. incarnation, id) == 1
      or call("ZSCORE", ns .. "recovering:" .. incarnation, id) then
      places[#places + 1] = "in flight with " .. incarnation
      held = true
    end
  end
  return held
end

-- Adds its entries in a list, but for as many as `stale` accounts for.
local function add_entries(id, list, places)
  local key = ns .. "queue:" .. list
  scanned = scanned + call("LLEN", key)
  local left = tonumber(call("HGET", ns .. "stale", list:gsub(":(%d)$", " %1 ") .. id) or 0)
  local entries = #call("LPOS", key, id, "COUNT", 0)
  if entries < left then
    return "is stale " .. left .. " times in " .. list .. ", but stands there " .. entries
      .. " times"
  end
  for _ = left + 1, entries do
    places[#places + 1] = "pending in " .. list
  end
end

-- Whether a result will be dropped in time: its minute has its list; or that minute has passed, and
-- it stands in a later one, as it was held; or a group holds it.
local function will_expire(id, minute)
  if minute == "0" or call("ZSCORE", ns .. "expiries", minute) then
    return true
  elseif tonumber(minute) <= now_ms() / 60000 and call("ZCARD", ns .. "expiries") > 0 then
    return true
  end
  for _, mark in ipairs(call("HKEYS", ns .. "held")) do
    local group = mark:match("^members (.*)")
    local members = group and ns .. "members:" .. group
    scanned = scanned + (members and call("LLEN", members) or 1)
    if mark == id or (members and call("LPOS", members, id)) then
      return true
    end
  end
  return false
end

-- How many ends are to come for each of the ids asked for, by the links that lead to them. Nil
-- where links are being followed elsewhere, or are too many to look at here.
local coming

local function count_ends(id)
  if call("EXISTS", ns .. "advancing") == 1 or call("HLEN", ns .. "links") > 100000 then
    return nil
  elseif coming then
    return coming[id]
  end
  coming = {}
  for i = 1, #ARGV, 2 do
    coming[ARGV[i]] = 0
  end
  local function add(mode, target)
    local is_group = mode:find("[SND]")
    for _, one in ipairs(is_group and call("LRANGE", ns .. "members:" .. target, 0, -1)
      or mode:find("[mhsndeilc]") and { target } or {}) do
      coming[one] = coming[one] and coming[one] + 1
    end
  end
  local cursor = "0"
  repeat
    local next_cursor, found = unpack(call("HSCAN", ns .. "links", cursor, "COUNT", 1000))
    cursor = next_cursor
    for i = 1, #found, 2 do
      for mode, target in found[i + 1]:gmatch("(.).(%S*) ") do
        add(mode, target)
      end
      for _, link in ipairs(found[i + 1]:sub(-3) == "+- "
        and call("LRANGE", ns .. "links:" .. found[i], 0, -1) or {}) do
        add(link:sub(1, 1), link:sub(3))
      end
    end
  until cursor == "0"
  return coming[id]
end

-- Of a deferred job that may wait for ever.
local function lacks_ends(id)
  local open = tonumber((call("HGET", ns .. "deferred", id) or "0"):match("^%d+"))
  local ends = count_ends(id)
  if open and ends and ends < open then
    return "waits for " .. open .. " jobs, but links of " .. ends .. " lead to it"
  end
end

local NOT_IN = ": not delayed, not deferred, not in flight, not in "

local function complaint(id, seen_in)
  local is_waiting = seen_in == "deferred"
  seen_in = is_waiting and "" or seen_in
  local record, places = call("HGET", jobs, id), {}
  local held = add_places(id, places)
  local queue, level = place_of(record or "")
  local home = queue and queue .. ":" .. level
  local why
  if home and (#places == 0 or seen_in == home) then
    why = add_entries(id, home, places)
  end
  if seen_in ~= "" and seen_in ~= home then
    why = add_entries(id, seen_in, places) or why
    if queue and #places == 1 and places[1] == "pending in " .. seen_in then
      why = why or "is pending in " .. seen_in .. ", but its record says " .. home
    end
  end
  local died, where = call("ZSCORE", ns .. "dead", id), table.concat(places, " and ")
  if why then
    return why
  elseif not record then
    return (#places > 0 or died) and "has no record, but is " .. (died and "dead" or where)
      or call("HEXISTS", ns .. "waiters", id) == 1 and "has no record, but is waited for"
      or call("HEXISTS", ns .. "running", id) == 1 and "has no record, but a note"
      or call("HEXISTS", ns .. "links", id) == 1 and call("EXISTS", ns .. "advancing") == 0
      and "has no record, but links" or nil
  elseif record:byte(1) == 82 then
    local minute = record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ") or "0"
    return #places > 0 and "has ended, but is " .. where
      or call("HEXISTS", ns .. "waiters", id) == 1 and "has ended, but is waited for"
      or call("HEXISTS", ns .. "running", id) == 1 and "has ended, but has a note"
      or call("HEXISTS", ns .. "links", id) == 1 and call("EXISTS", ns .. "advancing") == 0
      and "has ended, but its links were not followed"
      or not will_expire(id, minute) and "has ended, but its result will never expire" or nil
  end
  return #places == 0 and "is nowhere" .. (home and NOT_IN .. home or "")
    or not queue and "has a record that cannot be read, and is " .. where
    or #places > 1 and "is in " .. #places .. " places: " .. where
    or died and "is in the dead set, but is " .. where
    or not held and call("HEXISTS", ns .. "running", id) == 1 and "has a note, but is " .. where
    or is_waiting and places[1] == "deferred" and lacks_ends(id)
    or nil
end

for i = 1, #ARGV, 2 do
  local why = complaint(ARGV[i], ARGV[i + 1])
  if why then
    answer[#answer + 1] = ARGV[i]
    answer[#answer + 1] = why
  end
  answer[1] = (i + 1) / 2
  if scanned > 1000000 then
    break
  end
end
return answer

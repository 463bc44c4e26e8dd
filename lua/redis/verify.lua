-- verify: what is wrong with jobs, each looked for wherever it may be, at one moment. Reads only.
-- ARGV: for each (at most 250): id, and the list (QUEUE:LEVEL) that it was seen in or ""
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

local NOT_IN = ": not delayed, not in flight, not in "

local function complaint(id, seen_in)
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
      or call("HEXISTS", ns .. "running", id) == 1 and "has no record, but a note" or nil
  elseif record:byte(1) == 82 then
    local minute = record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ") or "0"
    return #places > 0 and "has ended, but is " .. where
      or call("HEXISTS", ns .. "waiters", id) == 1 and "has ended, but is waited for"
      or call("HEXISTS", ns .. "running", id) == 1 and "has ended, but has a note"
      or minute ~= "0" and not call("ZSCORE", ns .. "expiries", minute)
      and "has ended, but its result will never expire" or nil
  end
  return #places == 0 and "is nowhere" .. (home and NOT_IN .. home or "")
    or not queue and "has a record that cannot be read, and is " .. where
    or #places > 1 and "is in " .. #places .. " places: " .. where
    or died and "is in the dead set, but is " .. where
    or not held and call("HEXISTS", ns .. "running", id) == 1 and "has a note, but is " .. where
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

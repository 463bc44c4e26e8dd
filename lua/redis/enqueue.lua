-- enqueue: new -> pending. All jobs of one call go to one priority level of one queue, in this
-- order.
-- ARGV: queue, level "0"-"9", front "0"|"1", then id, record for each job (at most 250); the
-- records name the same queue and level.
-- Returns the positions (from 1) of the jobs whose id has a record already: those are left as they
-- are. A record that does not begin with this queue and level refuses the whole call.
if not ARGV[2]:find("^%d$") then
  return { err = "ERR moil: the priority level must be 0 to 9" }
end
local ids, head, sub = {}, "J1 " .. ARGV[1] .. " " .. ARGV[2] .. " ", string.sub
local length = #head
for i = 4, #ARGV, 2 do
  ids[#ids + 1] = ARGV[i]
  if sub(ARGV[i + 1], 1, length) ~= head then
    return { err = "ERR moil: a job's record must begin with its queue and level: " .. head }
  end
end
local taken = {}
if #ids == 1 then
  if call("HSETNX", jobs, ids[1], ARGV[5]) == 0 then
    return { 1 }
  end
else
  local records, seen, clash = call("HMGET", jobs, unpack(ids)), {}, false
  for i, id in ipairs(ids) do
    if records[i] or seen[id] then
      clash = true
      taken[#taken + 1] = i
    end
    seen[id] = true
  end
  if clash then
    local fresh, pairs_of, next_taken = {}, {}, 1
    for i, id in ipairs(ids) do
      if taken[next_taken] == i then
        next_taken = next_taken + 1
      else
        fresh[#fresh + 1] = id
        pairs_of[#pairs_of + 1] = id
        pairs_of[#pairs_of + 1] = ARGV[3 + 2 * i]
      end
    end
    if #fresh == 0 then
      return taken
    end
    call("HSET", jobs, unpack(pairs_of))
    ids = fresh
  else
    call("HSET", jobs, unpack(ARGV, 4))
  end
end
local front = ARGV[3] == "1"
if front then
  for i = 1, math.floor(#ids / 2) do
    ids[i], ids[#ids + 1 - i] = ids[#ids + 1 - i], ids[i]
  end
  local dropped = drop_stale(ARGV[1], ARGV[2], ids)
  if dropped > 0 then
    call("HINCRBY", ns .. "counters:" .. ARGV[1], "stale", -dropped)
  end
end
call("HINCRBY", ns .. "counters:" .. ARGV[1], "enqueued", #ids)
push(ARGV[1], ARGV[2], ids, front)
if listens() then
  for _, id in ipairs(ids) do
    events.job("enqueued", id, false)
  end
  events.publish()
end
return taken

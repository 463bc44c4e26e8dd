-- purge: pending -> gone, at most 250 jobs a call, and no more of them than have 1 MB of records,
-- but one. Jobs that are in flight, delayed or ended stay. Jobs that wait for one of them are told
-- that it has failed.
-- ARGV: queue, limit (1-250)
-- Returns how many jobs were dropped, and 1 when there may be more.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local queue, left, bytes, dropped = ARGV[1], tonumber(ARGV[2]), 1048576, 0
local engine = call("EXISTS", ns .. "links") == 1 and linker()

local function drop(id, record)
  if listens() then
    events.job("purged", id, record)
  end
  if engine then
    engine.ended({ id }, "purged")
  end
  call("HDEL", jobs, id)
  notify_end(id, "U", "")
  dropped = dropped + 1
end

for level in (call("HGET", ns .. "queues", queue) or "r"):sub(2):gmatch("%d") do
  local list, records = ns .. "queue:" .. queue .. ":" .. level, {}
  local ids = left > 0 and bytes > 0 and call("LRANGE", list, 0, left - 1) or {}
  local count, size = read_records(ids, bytes, function(_, record)
    records[#records + 1] = record
  end)
  left, bytes = left - count, bytes - size
  if count > 0 then
    call("LPOP", list, count)
  end
  for i = 1, count do
    local record = records[i]
    if not unmark_stale(queue, level, ids[i]) and record and record:byte(1) ~= 82 then
      drop(ids[i], record)
    end
  end
end
tally(queue, "purged", dropped)
if engine then
  engine.run()
end
write_tallies()
return { dropped, (left == 0 or bytes <= 0) and 1 or 0 }

-- purge: pending -> gone, at most 250 jobs a call. Jobs that are in flight, delayed or ended stay.
-- Jobs that wait for one of them are told that it has failed.
-- ARGV: queue, limit (1-250)
-- Returns how many jobs were dropped, and 1 when there may be more.
local queue, left, dropped = ARGV[1], tonumber(ARGV[2]), 0
local engine = call("EXISTS", ns .. "links") == 1 and linker()
for level in (call("HGET", ns .. "queues", queue) or "r"):sub(2):gmatch("%d") do
  local ids = left > 0 and call("LPOP", ns .. "queue:" .. queue .. ":" .. level, left)
  if ids then
    left = left - #ids
    for _, id in ipairs(ids) do
      local record = call("HGET", jobs, id)
      if not unmark_stale(queue, level, id) and record and record:byte(1) ~= 82 then
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
    end
  end
end
tally(queue, "purged", dropped)
if engine then
  engine.run()
end
write_tallies()
return { dropped, left == 0 and 1 or 0 }

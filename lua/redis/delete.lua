-- delete: a job that no worker holds -> gone, wherever it is.
-- ARGV: id
-- Returns 1 when it was removed, 0 when it is in flight, nil when unknown.
local id = ARGV[1]
local record = call("HGET", jobs, id)
if not record then
  return nil
end
if record:byte(1) == 82 then
  if call("ZREM", ns .. "dead", id) == 1 then
    tally(queue_of_outcome(record), "dead", -1)
    tally(queue_of_outcome(record), "deleted", 1)
  end
elseif call("ZREM", ns .. "delayed", id) == 1 then
  local queue = place_of(record) or "-"
  tally(queue, "delayed", -1)
  tally(queue, "deleted", 1)
else
  if holder_of(id) then
    return 0
  end
  mark_stale(id, record, "deleted")
end
call("HDEL", jobs, id)
write_tallies()
notify_end(id, "U", "")
return 1

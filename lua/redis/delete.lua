-- delete: a job that no worker holds -> gone, wherever it is.
-- ARGV: id
-- Returns 1 when it was removed, 0 when it is in flight, nil when unknown.
-- Jobs that wait for it are told that it has failed. Begins with a removal, so that Redis lets it
-- through over maxmemory.
local id = ARGV[1]
local record = call("HGET", jobs, id)
if not record then
  return nil
end
local engine = linker()
if record:byte(1) == 82 then
  engine.add({ id = id, state = record:find("^R1 SUCCESS ") and "S" or "F", record = record })
  if call("ZREM", ns .. "dead", id) == 1 then
    tally(queue_of_outcome(record), "dead", -1)
    tally(queue_of_outcome(record), "deleted", 1)
  end
elseif call("ZREM", ns .. "delayed", id) == 1 then
  local queue = place_of(record) or "-"
  tally(queue, "delayed", -1)
  tally(queue, "deleted", 1)
elseif call("HDEL", ns .. "deferred", id) == 1 then
  local queue = place_of(record) or "-"
  tally(queue, "deferred", -1)
  tally(queue, "deleted", 1)
else
  if holder_of(id) then
    return 0
  end
  mark_stale(id, record, "deleted")
end
if record:byte(1) ~= 82 then
  engine.ended({ id }, "deleted")
  if listens() then
    events.job("deleted", id, record)
  end
end
call("HDEL", jobs, id)
drop_lists(id)
notify_end(id, "U", "")
engine.run()
write_tallies()
return 1

-- delete: a job that no worker holds -> gone, wherever it is.
-- ARGV: id
-- Returns 1 when it was removed, 0 when it is in flight, nil when unknown.
local id = ARGV[1]
local record = call("HGET", jobs, id)
if not record then
  return nil
end
if record:byte(1) == 82 then
  call("ZREM", ns .. "dead", id)
elseif call("ZREM", ns .. "delayed", id) == 0 then
  if holder_of(id) then
    return 0
  end
  mark_stale(id, record)
end
call("HDEL", jobs, id)
notify_end(id, "U", "")
return 1

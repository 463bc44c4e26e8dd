-- revoke: a job that waits (pending or delayed) -> ended as REVOKED; it never runs.
-- ARGV: id, value (the error object as JSON text), ttl (seconds for which the verdict is kept)
-- Returns the job's state afterwards: "REVOKED", an ended job's own state, "STARTED" when a worker holds it; nil when unknown.
-- The entry in the queue's list stays until the fetch that meets it (`stale` counts it): removing it would be O(length).
local id, value, record = ARGV[1], ARGV[2], call("HGET", jobs, ARGV[1])
if not record then
  return nil
end
if record:byte(1) == 82 then
  return record:match("^R1 (%S+) ") or "FAILURE"
end
local was_delayed = call("ZREM", ns .. "delayed", id) == 1
if not was_delayed then
  if holder_of(id) then
    return "STARTED"
  end
  call("HINCRBY", ns .. "stale", id, 1)
end
local now = now_ms()
local queue, level, retries, crashes, losses, enqueued, task =
  record:match("^J1 (%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%S+) ")
local minute = tostring(math.ceil((now / 1000 + ARGV[3]) / 60))
local ended = table.concat({ "R1 REVOKED", queue or "-", level or "0", retries or "0",
  string.format("%d", (crashes or 0) + (losses or 0)), enqueued or "0", "0", string.format("%.0f000", now), minute,
  "-", task or "-", #value, "0" }, " ") .. "\n" .. value
call("HSET", jobs, id, ended)
expire_at(minute, { id })
notify_end(id, "F", ended)
return "REVOKED"

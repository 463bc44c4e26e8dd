-- reschedule: delayed or pending -> delayed, due at another time.
-- ARGV: id, milliseconds, "+" where they are from now or "" where they are since the epoch
-- Returns the job's state afterwards: "SCHEDULED"; "DEFERRED" where it waits for other jobs, and
-- then until that time at least; or "RETRY" where a retry waits; "STARTED" when a worker holds it,
-- an ended job's own state: then nothing has changed; nil when unknown. The entry of a pending one
-- stays in the queue's list until the fetch that meets it (`stale` counts it). One whose record
-- names no queue stays where it is, "PENDING", for a worker to bury it.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local id, due = ARGV[1], due_of(ARGV[3] .. ARGV[2], now_ms())
if not due then
  return { err = "ERR moil: due must be milliseconds since the epoch, or milliseconds from now" }
end
local record = call("HGET", jobs, id)
if not record then
  return nil
end
if record:byte(1) == 82 then
  return record:match("^R1 (%S+) ") or "FAILURE"
end
local open = call("HGET", ns .. "deferred", id)
if open then
  call("HDEL", ns .. "deferred", id)
  call("HSET", ns .. "deferred", id, open:match("^%d+") .. string.format(" %.0f", due))
  return "DEFERRED"
end
if call("ZREM", ns .. "delayed", id) == 0 then
  if holder_of(id) then
    return "STARTED"
  end
  if not place_of(record) then
    return "PENDING"
  end
  mark_stale(id, record, "delayed")
end
if listens() then
  events.job("scheduled", id, record, "due_at", due / 1000)
end
write_tallies()
delay({ due, id })
return record:find("^J1 %S+ %d 0 ") and "SCHEDULED" or "RETRY"

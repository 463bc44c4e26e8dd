-- inspect: everything known about one job. Reads only.
-- ARGV: id
-- Returns nil when unknown, else: record, place ("pending" | "delayed" | "deferred" | "inflight" |
-- "dead" | "ended"), detail: due (ms) of a delayed job, how many ends a deferred one waits for, the
-- incarnation of one in flight, ms of death of a dead one; note in `running` or "".
local id = ARGV[1]
local record = call("HGET", jobs, id)
if not record then
  return nil
end
local note = call("HGET", ns .. "running", id) or ""
if record:byte(1) == 82 then
  local died = call("ZSCORE", ns .. "dead", id)
  return { record, died and "dead" or "ended", died or "", note }
end
local due = call("ZSCORE", ns .. "delayed", id)
if due then
  return { record, "delayed", due, note }
end
local open = call("HGET", ns .. "deferred", id)
if open then
  return { record, "deferred", open:match("^%d*"), note }
end
local incarnation = holder_of(id)
return { record, incarnation and "inflight" or "pending", incarnation or "", note }

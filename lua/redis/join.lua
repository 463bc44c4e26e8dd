-- join: registers a worker incarnation; from now on it may fetch and settle.
-- ARGV: incarnation, node
-- Returns the time limits that were set at run time, as `time_limits` does. Begins with a removal,
-- so that Redis lets it through over maxmemory: who drains a full Redis must get in.
call("HDEL", ns .. "workers", ARGV[1])
call("HSET", ns .. "workers", ARGV[1], ARGV[2] .. " " .. string.format("%.0f", now_ms()))
if listens() then
  events.by(ARGV[1])
  events.tell("worker-up")
  events.publish()
end
local limits = call("HGETALL", ns .. "limits")
table.insert(limits, 1, tonumber(call("GET", ns .. "limits_version") or "0"))
return limits

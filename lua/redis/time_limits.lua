-- time_limits: the time limits that were set at run time. Reads only.
-- Returns their version, then for each task: its name, "LIMIT SOFT": seconds, "none", or "-": the
-- task's own.
local limits = call("HGETALL", ns .. "limits")
table.insert(limits, 1, tonumber(call("GET", ns .. "limits_version") or "0"))
return limits

-- listen: somebody listens to the events, for 10 s more.
-- Returns how many events have been told since the first who listens now; and says so to all who
-- listen, among the events, so that each knows by then whether it has heard all before.
local key = ns .. "listeners"
if call("EXISTS", key) == 0 then
  call("SET", key, "0")
end
call("PEXPIRE", key, 10000)
local last = call("GET", key)
-- A word `events` of its own would bring in the prelude's.
redis.pcall("PUBLISH", ("%sevents"):format(ns), last .. " 0\n")
return tonumber(last)

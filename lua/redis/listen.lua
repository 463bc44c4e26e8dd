-- listen: somebody listens to the events, for 10 s more.
-- Returns how many events have been told since the first who listens now.
local key = ns .. "listeners"
if call("EXISTS", key) == 0 then
  call("SET", key, "0")
end
call("PEXPIRE", key, 10000)
return tonumber(call("GET", key))

-- sweep: ended -> gone, for results whose minute has passed; and the dead set within its bounds. At
-- most 250 jobs a call.
-- ARGV: dead_max (jobs), dead_age (seconds)
-- Returns how many records were dropped, and 1 when there is more to do at once.
-- A result that is held, as jobs depend on it, is looked at again five minutes later.
-- An id may stand in an old bucket although it lives again or ended anew: its record's own minute
-- decides.
local now = now_ms()
local minute, dropped = math.floor(now / 60000), {}
local bucket = call("ZRANGEBYSCORE", ns .. "expiries", "-inf", minute, "LIMIT", 0, 1)[1]
if bucket then
  local ids = call("LPOP", ns .. "expire:" .. bucket, 250)
  if ids then
    local records = call("HMGET", jobs, unpack(ids))
    local holds = call("EXISTS", ns .. "held") == 1 and call("HMGET", ns .. "held", unpack(ids))
    local later = {}
    for i, id in ipairs(ids) do
      local due = records[i] and records[i]:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ")
      if due and due ~= "0" and tonumber(due) <= minute then
        local list = holds and holds[i] and later or dropped
        list[#list + 1] = id
      end
    end
    if #later > 0 then
      expire_at(string.format("%d", minute + 5), later)
    end
  else
    call("ZREM", ns .. "expiries", bucket)
  end
else
  dropped = call("ZRANGEBYSCORE", ns .. "dead", "-inf", now - ARGV[2] * 1000, "LIMIT", 0, 250)
  local over = call("ZCARD", ns .. "dead") - ARGV[1]
  if #dropped == 0 and over > 0 then
    dropped = call("ZRANGE", ns .. "dead", 0, math.min(over, 250) - 1)
  end
  if #dropped > 0 then
    call("ZREM", ns .. "dead", unpack(dropped))
    for i, record in ipairs(call("HMGET", jobs, unpack(dropped))) do
      if record then
        if listens() then
          events.ended(dropped[i], record, "trimmed")
        end
        tally(queue_of_outcome(record), "dead", -1)
        tally(queue_of_outcome(record), "trimmed", 1)
      end
    end
    write_tallies()
  end
end
if #dropped > 0 then
  call("HDEL", jobs, unpack(dropped))
end
return { #dropped, (bucket or #dropped > 0) and 1 or 0 }

-- queues: their lengths, for people and monitors. Reads only.
-- Returns delayed, dead, in flight, then for each queue: name, state ("r" or "p" and its levels),
-- pending, and the record of the job that is next in line ("" when empty).
local inflight = 0
for _, incarnation in ipairs(call("HKEYS", ns .. "workers")) do
  inflight = inflight + call("SCARD", ns .. "inflight:" .. incarnation)
end
for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
  inflight = inflight + call("SCARD", ns .. "inflight:" .. incarnation)
    + call("ZCARD", ns .. "recovering:" .. incarnation)
end
local answer = { call("ZCARD", ns .. "delayed"), call("ZCARD", ns .. "dead"), inflight }
local states = call("HGETALL", ns .. "queues")
for i = 1, #states, 2 do
  local queue, state, pending, oldest = states[i], states[i + 1], 0, ""
  for level in state:sub(2):gmatch("%d") do
    local list = ns .. "queue:" .. queue .. ":" .. level
    pending = pending + call("LLEN", list)
    if oldest == "" then
      local id = call("LINDEX", list, 0)
      oldest = id and call("HGET", jobs, id) or ""
    end
  end
  for _, value in ipairs({ queue, state, pending, oldest:sub(1, oldest:find("\n", 1, true) or #oldest) }) do
    answer[#answer + 1] = value
  end
end
return answer

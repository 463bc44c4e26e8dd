-- queues: their lengths, for people and monitors. Reads only.
-- Returns delayed, dead, in flight, deferred, then for each queue: name, state ("r" or "p" and its
-- levels), pending, and the record of the job that is next in line ("" when empty). Or an error
-- that names the first key of a wrong type.
local inflight = 0
for _, incarnation in ipairs(look({}, "HKEYS", ns .. "workers")) do
  inflight = inflight + look(0, "SCARD", ns .. "inflight:" .. incarnation)
end
for _, incarnation in ipairs(look({}, "HKEYS", ns .. "recovering")) do
  inflight = inflight + look(0, "SCARD", ns .. "inflight:" .. incarnation)
    + look(0, "ZCARD", ns .. "recovering:" .. incarnation)
end
local answer = {
  look(0, "ZCARD", ns .. "delayed"), look(0, "ZCARD", ns .. "dead"), inflight,
  look(0, "HLEN", ns .. "deferred"),
}
local states = look({}, "HGETALL", ns .. "queues")
for i = 1, #states, 2 do
  local queue, state, pending, oldest = states[i], states[i + 1], 0, ""
  for level in state:sub(2):gmatch("%d") do
    local list = ns .. "queue:" .. queue .. ":" .. level
    pending = pending + look(0, "LLEN", list)
    if oldest == "" then
      local id = look(false, "LINDEX", list, 0)
      oldest = id and look(false, "HGET", jobs, id) or ""
    end
  end
  oldest = oldest:sub(1, oldest:find("\n", 1, true) or #oldest)
  for _, value in ipairs({ queue, state, pending, oldest }) do
    answer[#answer + 1] = value
  end
end
return wrong[1] and redis.error_reply(wrong[1]) or answer

-- queues: their lengths, for people and monitors. Reads only.
-- Returns delayed, dead, in flight, deferred, then for each queue: name, state ("r" or "p" and its
-- levels), pending (what revoked jobs left in the lists not counted), the header of the job that
-- waits longest of those that are next in line on their levels ("" when empty), and its counters:
-- delayed, deferred, inflight, dead, enqueued, replayed, and how many have ended, in any way. Or an
-- error that names the first key of a wrong type.
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

-- The header of the record, and when its job was enqueued; what is no record counts as the oldest.
local function head_of(id)
  local record = id and look(false, "HGET", jobs, id) or ""
  local head = record:sub(1, record:find("\n", 1, true) or #record)
  return head, tonumber(head:match("^J1 %S+ %d %d+ %d+ %d+ (%d+) ") or 0)
end

local function counters_of(queue)
  local found = look({}, "HMGET", ns .. "counters:" .. queue, "delayed", "deferred", "inflight",
    "dead", "enqueued", "replayed", "stale", "SUCCESS", "FAILURE", "REVOKED", "IGNORED")
  local numbers = {}
  for i = 1, 11 do
    numbers[i] = tonumber(found[i] or 0) or 0
  end
  return numbers
end

local states = look({}, "HGETALL", ns .. "queues")
for i = 1, #states, 2 do
  local queue, state, pending, oldest, since = states[i], states[i + 1], 0, "", nil
  for level in state:sub(2):gmatch("%d") do
    local list = ns .. "queue:" .. queue .. ":" .. level
    local length = look(0, "LLEN", list)
    pending = pending + length
    if length > 0 then
      local head, enqueued = head_of(look(false, "LINDEX", list, 0))
      if not since or enqueued < since then
        oldest, since = head, enqueued
      end
    end
  end
  local n = counters_of(queue)
  local ended = n[8] + n[9] + n[10] + n[11]
  for _, value in ipairs({ queue, state, math.max(0, pending - n[7]), oldest, n[1], n[2], n[3],
    n[4], n[5], n[6], ended }) do
    answer[#answer + 1] = value
  end
end
return wrong[1] and redis.error_reply(wrong[1]) or answer

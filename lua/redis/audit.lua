-- audit: the counters of all queues beside what the structures hold, all at one moment. Reads only;
-- its time grows with the number of queues and workers, not with that of jobs.
-- Returns how many are delayed, dead, in flight (recovery's included) and deferred; the fences
-- (name, count, ...); a line for each key of a wrong type; then for each queue: name, entries in
-- its lists, its counters (name, count, ...).
local function held_by(incarnation)
  return look(0, "SCARD", ns .. "inflight:" .. incarnation)
end

local inflight = 0
for _, incarnation in ipairs(look({}, "HKEYS", ns .. "workers")) do
  inflight = inflight + held_by(incarnation)
end
for _, incarnation in ipairs(look({}, "HKEYS", ns .. "recovering")) do
  inflight = inflight + held_by(incarnation) + look(0, "ZCARD", ns .. "recovering:" .. incarnation)
end
local answer = {
  look(0, "ZCARD", ns .. "delayed"), look(0, "ZCARD", ns .. "dead"), inflight,
  look(0, "HLEN", ns .. "deferred"), look({}, "HGETALL", ns .. "fences"), wrong,
}
for _, key in ipairs({ jobs, ns .. "running", ns .. "stale", ns .. "waiters", ns .. "links",
  ns .. "held", ns .. "faults" }) do
  look(0, "HEXISTS", key, "")
end
look(0, "ZCARD", ns .. "expiries")
look(0, "LLEN", ns .. "advancing")

local function add(queue, state)
  local entries = 0
  for level in state:sub(2):gmatch("%d") do
    entries = entries + look(0, "LLEN", ns .. "queue:" .. queue .. ":" .. level)
  end
  answer[#answer + 1] = queue
  answer[#answer + 1] = entries
  answer[#answer + 1] = look({}, "HGETALL", ns .. "counters:" .. queue)
end

local states, has_nameless = look({}, "HGETALL", ns .. "queues"), false
for i = 1, #states, 2 do
  has_nameless = has_nameless or states[i] == "-"
  add(states[i], states[i + 1])
end
if not has_nameless and call("EXISTS", ns .. "counters:-") == 1 then
  add("-", "r")
end
return answer

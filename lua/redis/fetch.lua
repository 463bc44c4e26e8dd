-- fetch: pending -> in flight. Takes jobs from the queues in the order given, the highest priority level first.
-- ARGV: incarnation, want (1-250), queue...
-- Returns id, record, id, record, ... A record that is no J record of ours is handed over as it is (the worker
-- buries it); entries of jobs that were revoked or deleted meanwhile are dropped here. Error: FENCED.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return FENCED
end
local want, found, taken = tonumber(ARGV[2]), {}, {}
local states = call("HMGET", ns .. "queues", unpack(ARGV, 3))
local has_stale = call("EXISTS", ns .. "stale") == 1

-- True when the list entry belongs to a job that ended as it waited, or to the same id's earlier life.
local function is_stale(id, record)
  local left = has_stale and call("HGET", ns .. "stale", id)
  if left then
    if left == "1" then
      call("HDEL", ns .. "stale", id)
    else
      call("HINCRBY", ns .. "stale", id, -1)
    end
    return true
  end
  return not record or record:byte(1) == 82
end

local function take(list)
  while want > 0 do
    local ids = call("LPOP", list, want)
    if not ids then
      return
    end
    local records = call("HMGET", jobs, unpack(ids))
    for i, id in ipairs(ids) do
      local record = records[i]
      if not (has_stale or not record or record:byte(1) == 82) or not is_stale(id, record) then
        want = want - 1
        taken[#taken + 1] = id
        found[#found + 1] = id
        found[#found + 1] = record
      end
    end
  end
end

for i, state in ipairs(states) do
  if state and state:byte(1) == 114 then
    local queue = ARGV[i + 2]
    for at = 2, #state do
      local list = ns .. "queue:" .. queue .. ":" .. state:sub(at, at)
      if want > 0 then
        take(list)
      end
      if want == 0 and call("LLEN", list) > 0 then
        wake(queue)
        break
      end
    end
  end
end
if #taken > 0 then
  call("SADD", ns .. "inflight:" .. incarnation, unpack(taken))
end
return found

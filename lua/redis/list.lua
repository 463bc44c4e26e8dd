-- list: jobs in one place, a page at a time. Reads only.
-- ARGV: place "pending" | "inflight" | "delayed" | "deferred", queue (of pending; else ""), offset,
-- limit (1-250)
-- Returns for each job: id, record, then by place: "" | its note in `running` and the incarnation
-- joined by "\n\n" | due (ms) | how many ends it waits for. The order is that of running for
-- pending and delayed, none for deferred and for inflight, to which belongs what recovery has still
-- to give back.
local place, queue, offset, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local answer = {}

local function add(id, detail)
  answer[#answer + 1] = id
  answer[#answer + 1] = call("HGET", jobs, id) or ""
  answer[#answer + 1] = detail
end

if place == "delayed" then
  local found = call("ZRANGE", ns .. "delayed", offset, offset + limit - 1, "WITHSCORES")
  for i = 1, #found, 2 do
    add(found[i], found[i + 1])
  end
elseif place == "pending" then
  for level in (call("HGET", ns .. "queues", queue) or "r"):sub(2):gmatch("%d") do
    local list = ns .. "queue:" .. queue .. ":" .. level
    local length = call("LLEN", list)
    if offset < length and limit > 0 then
      local ids = call("LRANGE", list, offset, offset + limit - 1)
      for _, id in ipairs(ids) do
        add(id, "")
      end
      offset, limit = 0, limit - #ids
    else
      offset = math.max(0, offset - length)
    end
  end
elseif place == "deferred" then
  local seen, cursor = 0, "0"
  repeat
    local next_cursor, found = unpack(call("HSCAN", ns .. "deferred", cursor, "COUNT", 1000))
    cursor = next_cursor
    for i = 1, #found, 2 do
      if seen >= offset and seen < offset + limit then
        add(found[i], found[i + 1]:match("^%d*"))
      end
      seen = seen + 1
    end
  until cursor == "0" or seen >= offset + limit
else
  local seen = 0
  local function add_held(ids, incarnation)
    for _, id in ipairs(ids) do
      if seen >= offset and seen < offset + limit then
        add(id, (call("HGET", ns .. "running", id) or "") .. "\n\n" .. incarnation)
      end
      seen = seen + 1
    end
  end
  for _, incarnation in ipairs(call("HKEYS", ns .. "workers")) do
    add_held(call("SMEMBERS", ns .. "inflight:" .. incarnation), incarnation)
  end
  for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
    add_held(call("SMEMBERS", ns .. "inflight:" .. incarnation), incarnation)
    add_held(call("ZRANGE", ns .. "recovering:" .. incarnation, 0, -1), incarnation)
  end
end
return answer

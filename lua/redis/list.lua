-- list: jobs in one place, a page at a time. Reads only.
-- ARGV: place "pending" | "inflight" | "delayed" | "deferred", queue (of pending; else ""),
-- position: how many jobs to leave out, or what the page before has said; limit (1-250)
-- Returns for each job: id, record, then by place: "" | its note in `running` and the incarnation
-- joined by "\n\n" | due (ms) | how many ends it waits for. Behind them, where there may be more,
-- is the position of the next page. A page ends at 1 MB of records, and may have no job. The order
-- is that of running for pending and delayed, none for deferred and for inflight, to which belongs
-- what recovery has still to give back.
local BYTES = 1048576
local place, queue, position, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local cursor, offset = position:match("^(%d+) (%d+)$")
cursor, offset = cursor or "0", tonumber(offset or position)
local ids, details, answer = {}, {}, {}

local function add(id, detail)
  ids[#ids + 1] = id
  details[#ids] = detail
end

-- The page of what was added, cut at its bytes; returns how many jobs that are.
local function answer_with_records()
  return (read_records(ids, BYTES, function(id, record)
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3] = id, record or "", details[n / 3 + 1]
  end))
end

-- Of a hash there are no offsets. It goes on with the cursor, and leaves out so many of what that
-- brings; what it leaves out altogether it scans a few thousand of at a time.
if place == "deferred" then
  for _ = 1, 8 do
    local following, found = unpack(call("HSCAN", ns .. "deferred", cursor, "COUNT", 250))
    local count = #found / 2
    if offset < count then
      for i = offset + 1, math.min(count, offset + limit) do
        add(found[2 * i - 1], found[2 * i]:match("^%d*"))
      end
      offset = offset + answer_with_records()
      if offset < count then
        position = cursor .. " " .. offset
      else
        position = following ~= "0" and following .. " 0" or nil
      end
      break
    end
    cursor, offset = following, offset - count
    position = cursor .. " " .. offset
    if cursor == "0" then
      position = nil
      break
    end
  end
  answer[#answer + 1] = position
  return answer
end

local from, left = offset, limit

-- Of those that come next, `length` many, what belongs to the page: from where, and how many; nil:
-- nothing.
local function part_of(length)
  local skipped = math.min(from, length)
  local count = math.min(length - skipped, left)
  from, left = from - skipped, left - count
  return count > 0 and skipped, count
end

local function add_held(command, size, key, incarnation, ...)
  local first, count = part_of(call(size, key))
  local held = first and call(command, key, ...)
  for i = 1, first and count or 0 do
    local id = held[first + i]
    add(id, (call("HGET", ns .. "running", id) or "") .. "\n\n" .. incarnation)
  end
end

if place == "delayed" then
  local found = call("ZRANGE", ns .. "delayed", offset, offset + limit - 1, "WITHSCORES")
  for i = 1, #found, 2 do
    add(found[i], found[i + 1])
  end
elseif place == "pending" then
  for level in (call("HGET", ns .. "queues", queue) or "r"):sub(2):gmatch("%d") do
    local list = ns .. "queue:" .. queue .. ":" .. level
    local first, count = part_of(call("LLEN", list))
    for _, id in ipairs(first and call("LRANGE", list, first, first + count - 1) or {}) do
      add(id, "")
    end
  end
else
  for _, incarnation in ipairs(call("HKEYS", ns .. "workers")) do
    add_held("SMEMBERS", "SCARD", ns .. "inflight:" .. incarnation, incarnation)
  end
  for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
    add_held("SMEMBERS", "SCARD", ns .. "inflight:" .. incarnation, incarnation)
    add_held("ZRANGE", "ZCARD", ns .. "recovering:" .. incarnation, incarnation, 0, -1)
  end
end
local count = answer_with_records()
if count == limit or count < #ids then
  answer[#answer + 1] = string.format("%d", offset + count)
end
return answer

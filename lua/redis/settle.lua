-- settle: in flight -> ended, dead, delayed, or pending again. One batch of one incarnation's
-- verdicts.
-- ARGV: incarnation, then five sections, each begun by its count:
--   dropped: id ...                     ended, nothing is kept
--   ended:   group ...                  a group: minute, n, then id, record for each of n; the
--                                       results are kept until that minute (0: for ever)
--   dead:    id, record ...             failed for good, kept for replay
--   retry:   id, delay_ms, record ...   its new J record, due after the delay
--   requeue: id, queue, level ...       handed back unstarted, to the front of its level
-- Returns how many were settled. Error: FENCED, and then nothing has changed.
-- Begins with a removal, so that Redis lets it through over maxmemory. A batch whose reply was lost
-- may be sent again: each section acts only on ids that are still in flight with the incarnation.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return FENCED
end
local inflight = ns .. "inflight:" .. incarnation
local at, settled, now, delayed = 2, 0, nil, {}
local notes, waiters = false, false
local extras = call("EXISTS", ns .. "running", ns .. "waiters")
if extras > 0 then
  waiters = call("EXISTS", ns .. "waiters") == 1
  notes = (not waiters or extras == 2) and ns .. "running"
end

local function next_count()
  at = at + 1
  return tonumber(ARGV[at - 1])
end

local function tell(ids, kind, texts)
  if notes then
    call("HDEL", notes, unpack(ids))
  end
  if waiters then
    local owners = call("HMGET", ns .. "waiters", unpack(ids))
    for i, id in ipairs(ids) do
      if owners[i] then
        call("HDEL", ns .. "waiters", id)
        notify(owners[i], kind, id, texts and texts[i] or "")
      end
    end
  end
end

-- Which of `ids` to settle when only `removed` of them were in flight: those that have not ended.
local function unsettled(ids, removed)
  local left = {}
  if removed > 0 then
    local records = call("HMGET", jobs, unpack(ids))
    for i, id in ipairs(ids) do
      if records[i] and records[i]:byte(1) ~= 82 then
        left[#left + 1] = id
        left[id] = true
      end
    end
  end
  return left
end

local dropped = next_count()
if dropped > 0 then
  local ids = { unpack(ARGV, at, at + dropped - 1) }
  local removed = call("SREM", inflight, unpack(ids))
  at = at + dropped
  if removed < dropped then
    ids = unsettled(ids, removed)
  end
  if #ids > 0 then
    call("HDEL", jobs, unpack(ids))
    tell(ids, "U")
  end
  settled = settled + #ids
end

for _ = 1, next_count() do
  local minute, count, ids, records = ARGV[at], tonumber(ARGV[at + 1]), {}, {}
  local first = at + 2
  at = first + 2 * count
  for i = 1, count do
    ids[i] = ARGV[first + 2 * i - 2]
  end
  local removed = call("SREM", inflight, unpack(ids))
  if removed == count then
    call("HSET", jobs, unpack(ARGV, first, at - 1))
    for i = 1, waiters and count or 0 do
      records[i] = ARGV[first + 2 * i - 1]
    end
  else
    ids = unsettled(ids, removed)
    for i = first, at - 1, 2 do
      if ids[ARGV[i]] then
        call("HSET", jobs, ARGV[i], ARGV[i + 1])
        records[#records + 1] = ARGV[i + 1]
      end
    end
  end
  if #ids > 0 then
    expire_at(minute, ids)
    tell(ids, "F", records)
  end
  settled = settled + #ids
end

for _ = 1, next_count() do
  local id, record = ARGV[at], ARGV[at + 1]
  at = at + 2
  if call("SREM", inflight, id) == 1 then
    call("HSET", jobs, id, record)
    now = now or now_ms()
    call("ZADD", ns .. "dead", now, id)
    tell({ id }, "F", { record })
    settled = settled + 1
  end
end

for _ = 1, next_count() do
  local id, wait_ms, record = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  if call("SREM", inflight, id) == 1 then
    call("HSET", jobs, id, record)
    if notes then
      call("HDEL", notes, id)
    end
    if wait_ms > 0 then
      now = now or now_ms()
      delayed[#delayed + 1] = now + wait_ms
      delayed[#delayed + 1] = id
    else
      local queue, level = place_of(record)
      push(queue, level, { id }, false)
    end
    settled = settled + 1
  end
end

if #delayed > 0 then
  delay(delayed)
end

for _ = 1, next_count() do
  local id, queue, level = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  if call("SREM", inflight, id) == 1 then
    if notes then
      call("HDEL", notes, id)
    end
    push(queue, level, { id }, true)
    settled = settled + 1
  end
end
return settled

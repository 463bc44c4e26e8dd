-- settle: in flight -> ended, dead, delayed, or pending again. One batch of one incarnation's
-- verdicts.
-- ARGV: incarnation, then five sections, each begun by its count:
--   dropped: id ...                          ended, nothing is kept
--   ended:   groups; each: minute, n, then id, record for each of n    result kept until that
--   minute (0: for ever) dead:    id, record ...                  failed for good, kept for replay
--   retry:   id, delay_ms, record ...        its new J record, due after the delay
--   requeue: id, queue, level ...            handed back unstarted, to the front of its level
-- Returns how many were settled. Error: FENCED, and then nothing has changed.
-- Begins with a removal, so that Redis lets it through over maxmemory. Sending a batch twice is
-- harmless: what ended is overwritten by the same bytes, and the other sections act only on ids
-- that are still in flight.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return FENCED
end
local inflight = ns .. "inflight:" .. incarnation
local at, settled = 2, 0
local notes = call("EXISTS", ns .. "running") == 1 and ns .. "running"
local waiters = call("EXISTS", ns .. "waiters") == 1

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

local dropped = next_count()
if dropped > 0 then
  local last = at + dropped - 1
  call("SREM", inflight, unpack(ARGV, at, last))
  call("HDEL", jobs, unpack(ARGV, at, last))
  if notes or waiters then
    tell({ unpack(ARGV, at, last) }, "U")
  end
  at, settled = last + 1, settled + dropped
end

for _ = 1, next_count() do
  local minute, count, ids, records = ARGV[at], tonumber(ARGV[at + 1]), {}, {}
  local first = at + 2
  at = first + 2 * count
  for i = 1, count do
    ids[i] = ARGV[first + 2 * i - 2]
  end
  call("SREM", inflight, unpack(ids))
  call("HSET", jobs, unpack(ARGV, first, at - 1))
  expire_at(minute, ids)
  if waiters then
    for i = 1, count do
      records[i] = ARGV[first + 2 * i - 1]
    end
  end
  if notes or waiters then
    tell(ids, "F", records)
  end
  settled = settled + count
end

for _ = 1, next_count() do
  local id, record = ARGV[at], ARGV[at + 1]
  at = at + 2
  if call("SREM", inflight, id) == 1 then
    call("HSET", jobs, id, record)
    call("ZADD", ns .. "dead", now_ms(), id)
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
      delay(id, now_ms() + wait_ms)
    else
      local queue, level = place_of(record)
      push(queue, level, { id }, false)
    end
    settled = settled + 1
  end
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

-- settle: in flight -> ended, dead, delayed, or pending again. One batch of one incarnation's
-- verdicts.
-- ARGV: incarnation, how many verdicts, doubt "0"|"1", then seven sections, each begun by its count
-- (the last two may be missing):
--   dropped: group ...                  ended, nothing is kept. A group: state, queue, n (1 or
--                                       more), then n ids
--   ended:   group ...                  a group: minute, state, queue, n, then id, record for each
--                                       of n; the results are kept until that minute (0: for ever)
--   dead:    id, record ...             failed for good, kept for replay
--   retry:   id, delay_ms, record ...   its new J record, due after the delay
--   requeue: id, queue, level ...       handed back unstarted, to the front of its level
--   replaced: id, token ...             goes on as what was staged under the token, in which the
--                                       job itself comes first
--   room:    queue ...                  not verdicts: for how many jobs the caller has room (its
--                                       count), and the queues to take them from, in their order
--                                       (all that follows)
-- State and queue are what the jobs are counted under; the records name the same.
-- Returns how many were settled. Where links have started jobs that the caller has room for, and
-- nothing waits in front of them, those are in flight with it: then it is a list, how many were
-- settled, then id, record, ... of these. Error: FENCED, and then nothing has changed.
-- doubt: not all of them may be in flight with the incarnation any more, as the batch was sent
-- before, or fetched over an earlier link (from a master that is none now). Only those that are
-- will be settled. Without doubt that is looked at only where the numbers do not match.
-- What has links runs them in the same step; where that is too much for one script, the rest is for
-- `advance`. Begins with a removal, so that Redis lets it through over maxmemory.
local incarnation, total, doubt = ARGV[1], tonumber(ARGV[2]), ARGV[3] == "1"
if is_fenced(incarnation) then
  redis.pcall("HINCRBY", ns .. "fences", "verdicts", total)
  return refuse("settle")
end
local inflight = ns .. "inflight:" .. incarnation
local at, settled, now, delayed = 4, 0, nil, {}
local notes, waiters, engine = false, false, false
local extras = call("EXISTS", ns .. "running", ns .. "waiters", ns .. "links", ns .. "listeners")
if extras > 0 then
  local heard = ns .. "listeners"
  local which = call("EXISTS", ns .. "waiters", ns .. "links", ns .. "links", heard, heard, heard,
    heard)
  waiters = which % 2 == 1
  local are_links = which % 4 > 1
  events = which > 3 and listens(true)
  engine = are_links and linker()
  notes = extras > (waiters and 1 or 0) + (are_links and 1 or 0) + (events and 1 or 0)
    and ns .. "running"
  if events then
    events.by(incarnation)
  end
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

-- Those that may be among what was just removed, where that were fewer than were asked for: only a
-- job that has not ended was in flight.
local function not_ended(ids)
  local left, records = {}, call("HMGET", jobs, unpack(ids))
  for i, id in ipairs(ids) do
    if records[i] and records[i]:byte(1) ~= 82 and not left[id] then
      left[#left + 1] = id
      left[id] = true
    end
  end
  return left
end

-- Takes jobs out of flight: those of `ids` that were, as a list and as a set; or `ids` itself.
local function take(ids)
  if not doubt then
    local removed = call("SREM", inflight, unpack(ids))
    return removed == #ids and ids or removed > 0 and not_ended(ids) or {}
  end
  local left, held = {}, call("SMISMEMBER", inflight, unpack(ids))
  for i, id in ipairs(ids) do
    if held[i] == 1 and not left[id] then
      left[#left + 1] = id
      left[id] = true
    end
  end
  if #left > 0 then
    call("SREM", inflight, unpack(left))
  end
  return left
end

local function count(queue, place, by)
  tally(queue, "inflight", -by)
  if place then
    tally(queue, place, by)
  end
  settled = settled + by
end

for _ = 1, next_count() do
  local state, queue, last = ARGV[at], ARGV[at + 1], at + 2 + tonumber(ARGV[at + 2])
  local ids = take({ unpack(ARGV, at + 3, last) })
  at = last + 1
  if #ids > 0 then
    if engine then
      engine.ended(ids, state)
    end
    for i = 1, events and #ids or 0 do
      events.job(state == "SUCCESS" and "succeeded" or state:lower(), ids[i], false)
    end
    call("HDEL", jobs, unpack(ids))
    tell(ids, "U")
    count(queue, state, #ids)
  end
end

for _ = 1, next_count() do
  local minute, state, queue, asked = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local first, ids, records = at + 4, {}, {}
  at = first + 2 * asked
  for i = 1, asked do
    ids[i] = ARGV[first + 2 * i - 2]
  end
  ids = take(ids)
  if #ids == asked then
    call("HSET", jobs, unpack(ARGV, first, at - 1))
    for i = 1, (waiters or engine or events) and asked or 0 do
      records[i] = ARGV[first + 2 * i - 1]
    end
  else
    for i = first, at - 1, 2 do
      if ids[ARGV[i]] then
        ids[ARGV[i]] = false
        call("HSET", jobs, ARGV[i], ARGV[i + 1])
        records[#records + 1] = ARGV[i + 1]
      end
    end
  end
  if #ids > 0 then
    for i = 1, events and #records or 0 do
      events.ended(ids[i], records[i])
    end
    expire_at(minute, engine and engine.ended(ids, state, records) or ids)
    tell(ids, "F", records)
    count(queue, state, #ids)
  end
end

for _ = 1, next_count() do
  local id, record = ARGV[at], ARGV[at + 1]
  at = at + 2
  if call("SREM", inflight, id) == 1 then
    call("HSET", jobs, id, record)
    now = now or now_ms()
    call("ZADD", ns .. "dead", now, id)
    tell({ id }, "F", { record })
    if events then
      events.ended(id, record)
      events.ended(id, record, "dead")
    end
    if engine then
      engine.ended({ id }, "FAILURE", { record })
    end
    count(queue_of_outcome(record), "dead", 1)
  end
end

for _ = 1, next_count() do
  local id, wait_ms, record = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  if call("SREM", inflight, id) == 1 then
    local queue, level = place_of(record)
    call("HSET", jobs, id, record)
    if events then
      events.job("retried", id, record, "delay", wait_ms / 1000)
    end
    if notes then
      call("HDEL", notes, id)
    end
    if wait_ms > 0 or not queue then
      now = now or now_ms()
      delayed[#delayed + 1] = now + wait_ms
      delayed[#delayed + 1] = id
      count(queue or "-", "delayed", 1)
    else
      push(queue, level, { id }, false)
      count(queue, nil, 1)
    end
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
    count(queue, nil, 1)
    if events then
      events.job("requeued", id, false)
    end
  end
end

local batches
for _ = 1, next_count() or 0 do
  local id, token = ARGV[at], ARGV[at + 1]
  at = at + 2
  if call("SREM", inflight, id) == 1 then
    if notes then
      call("HDEL", notes, id)
    end
    engine = engine or linker()
    batches = batches or unfolder(engine)
    batches.replace(id, call("HGET", jobs, id) or "", token)
    settled = settled + 1
  end
end
local reply = settled
if engine then
  local room = next_count() or 0
  local caller = room > 0 and handover(incarnation, room, { unpack(ARGV, at) })
  engine.offer_to(caller and caller.offer)
  engine.run()
  reply = caller and caller.reply(settled) or settled
end
write_tallies()
if settled < total then
  redis.pcall("HINCRBY", ns .. "fences", "late", total - settled)
end
return reply

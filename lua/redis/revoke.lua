-- revoke: a job that waits (pending, delayed or deferred) -> ended as REVOKED; it never runs. The
-- worker that holds one is told to end it, where asked for. So is done with all that a workflow or
-- a group of this id is made of, whatever became of the job itself; `advance` does what is more
-- than one script may do.
-- ARGV: id, value (the error object as JSON text), ttl (seconds for which the verdict is kept),
-- terminate "0"|"1"
-- Returns the job's state afterwards: "REVOKED", an ended job's own state, "STARTED" when a worker
-- holds it; nil when unknown. The entry in the queue's list stays until the fetch that meets it
-- (`stale` counts it). Begins with a removal, so that Redis lets it through over maxmemory.
local id, value, record = ARGV[1], ARGV[2], call("HGET", jobs, ARGV[1])
if not record then
  return nil
end

-- Its place is taken away; or the state that it has already.
local function take()
  if call("ZREM", ns .. "delayed", id) == 1 then
    local queue = place_of(record) or "-"
    tally(queue, "delayed", -1)
    tally(queue, "REVOKED", 1)
  elseif record:byte(1) == 82 then
    return record:match("^R1 (%S+) ") or "FAILURE"
  elseif call("HDEL", ns .. "deferred", id) == 1 then
    local queue = place_of(record) or "-"
    tally(queue, "deferred", -1)
    tally(queue, "REVOKED", 1)
  else
    local holder = holder_of(id)
    if holder then
      if ARGV[4] == "1" then
        notify(holder, "K", id, "")
      end
      return "STARTED"
    end
    mark_stale(id, record, "REVOKED")
  end
end

local function finish(engine)
  local now = now_ms()
  local minute = tostring(math.ceil((now / 1000 + ARGV[3]) / 60))
  local ended = outcome_of(record, "REVOKED", value, now, minute, "")
  call("HSET", jobs, id, ended)
  expire_at(minute, engine.ended({ id }, "REVOKED", { ended }))
  notify_end(id, "F", ended)
  if listens() then
    events.ended(id, ended)
  end
  if engine.is_group(record) then
    call("HDEL", ns .. "faults", id)
  end
end

local state = take()
local is_whole = call("EXISTS", ns .. "members:" .. id, ns .. "parts:" .. id) > 0
if state and not is_whole then
  return state
end
local engine = linker()
if not state then
  finish(engine)
end
if is_whole then
  engine.revoke_unit(ARGV[4] == "1" and "t" or "x", id)
end
engine.run()
write_tallies()
return state or "REVOKED"

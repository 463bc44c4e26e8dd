-- requeue: in flight with a worker that is stuck and has not started them -> pending again, in
-- front and in the order given; free of charge.
-- ARGV: incarnation, id... (1-250, in the order in which it fetched them)
-- Returns how many of them are in flight with it even so: their records are damaged, and the worker
-- buries them. Error: FENCED, and then recovery gives them back.
-- Its agent sends it for what it has seized, so that the worker starts none of them. Begins with a
-- removal, so that Redis lets it through over maxmemory.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return refuse("requeue")
end
local inflight, damaged = ns .. "inflight:" .. incarnation, 0
local records = call("HMGET", jobs, unpack(ARGV, 2))
for i = #records, 1, -1 do
  local id = ARGV[i + 1]
  local queue, level = place_of(records[i] or "")
  if not queue then
    damaged = damaged + call("SISMEMBER", inflight, id)
  elseif call("SREM", inflight, id) == 1 then
    call("HDEL", ns .. "running", id)
    push(queue, level, { id }, true)
    tally(queue, "inflight", -1)
    if listens() then
      events.job("requeued", id, records[i])
    end
  end
end
write_tallies()
return damaged

-- retry_dead: dead -> pending, with all its counts at zero again.
-- ARGV: id... (at most 250)
-- Returns how many were moved, and how many ids it has looked at: no more than have 1 MB of
-- records, but one. An id that is not in the dead set, or whose record holds no job of ours, is
-- left alone.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local moved = 0
local looked = read_records(ARGV, 1048576, function(id, record)
  local size = record and call("ZSCORE", ns .. "dead", id)
    and tonumber(record:match("^R1 [^\n]* (%d+)\n") or 0)
  if size and size > 0 then
    local body = record:sub(-size)
    local queue, level = place_of(body)
    if queue then
      call("ZREM", ns .. "dead", id)
      call("HSET", jobs, id, (body:gsub("^(J1 %S+ %d) %d+ %d+ %d+ ", "%1 0 0 0 ", 1)))
      push(queue, level, { id }, false)
      tally(queue_of_outcome(record), "dead", -1)
      tally(queue, "replayed", 1)
      moved = moved + 1
      if listens() then
        events.job("enqueued", id, body)
      end
    end
  end
end)
write_tallies()
return { moved, looked }

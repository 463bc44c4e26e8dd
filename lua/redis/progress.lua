-- progress: a running job's note: its state, who runs it since when, and the meta data that the
-- task gave.
-- ARGV: incarnation, tell "0"|"1", then id, note for each (at most 250). A note: state worker
-- started_us "\n" meta (JSON text or nothing).
-- Returns how many were noted: ids that this incarnation does not hold are left out. tell: also to
-- those who wait. Error: FENCED. Begins with a removal, so that Redis lets it through over
-- maxmemory.
local incarnation, noted = ARGV[1], 0
if is_fenced(incarnation) then
  return refuse("progress")
end
for i = 3, #ARGV, 2 do
  local id, note = ARGV[i], ARGV[i + 1]
  if call("SISMEMBER", ns .. "inflight:" .. incarnation, id) == 1 then
    call("HDEL", ns .. "running", id)
    call("HSET", ns .. "running", id, note)
    noted = noted + 1
    if ARGV[2] == "1" and listens() then
      events.by(incarnation)
      events.job("progress", id, false, "state", note:match("^%S+"))
    end
    local owners = ARGV[2] == "1" and call("HGET", ns .. "waiters", id)
    if owners then
      notify(owners, "P", id, note)
    end
  end
end
if events then
  events.publish()
end
return noted

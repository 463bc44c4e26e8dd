-- schedule: new -> delayed.
-- ARGV: id, due, record for each job (at most 250). due: milliseconds since the epoch, or
-- "+milliseconds" from now.
-- Returns the positions (from 1) of the jobs whose id has a record already: those are left as they
-- are. A record that names no queue and level refuses the whole call, as does a bad time.
local now, dues, fresh, taken = now_ms(), {}, {}, {}
for i = 2, #ARGV, 3 do
  dues[i] = due_of(ARGV[i], now)
  if not dues[i] then
    return { err = "ERR moil: due must be milliseconds since the epoch, or +milliseconds from now" }
  end
  if not place_of(ARGV[i + 1]) then
    return { err = "ERR moil: a job's record must begin with its queue and level: J1 QUEUE LEVEL" }
  end
end
for i = 1, #ARGV, 3 do
  if call("HSETNX", jobs, ARGV[i], ARGV[i + 2]) == 0 then
    taken[#taken + 1] = (i + 2) / 3
  else
    fresh[#fresh + 1] = dues[i + 1]
    fresh[#fresh + 1] = ARGV[i]
    local queue = place_of(ARGV[i + 2])
    tally(queue, "enqueued", 1)
    tally(queue, "delayed", 1)
    if listens() then
      events.job("scheduled", ARGV[i], ARGV[i + 2], "due_at", dues[i + 1] / 1000)
    end
  end
end
for queue in pairs(tallies) do
  call("HSETNX", ns .. "queues", queue, "r")
end
write_tallies()
if #fresh > 0 then
  delay(fresh)
end
return taken

-- schedule: new -> delayed.
-- ARGV: id, due, record for each job (at most 250). due: milliseconds since the epoch, or
-- "+milliseconds" from now.
-- Returns the positions (from 1) of the jobs whose id has a record already: those are left as they
-- are.
local now, taken = now_ms(), {}
for i = 1, #ARGV, 3 do
  local id, due = ARGV[i], ARGV[i + 1]
  if call("HSETNX", jobs, id, ARGV[i + 2]) == 0 then
    taken[#taken + 1] = (i + 2) / 3
  else
    delay(id, due:sub(1, 1) == "+" and now + tonumber(due:sub(2)) or tonumber(due))
  end
end
return taken

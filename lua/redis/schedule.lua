-- schedule: new -> delayed.
-- ARGV: id, due, record for each job (at most 250). due: milliseconds since the epoch, or
-- "+milliseconds" from now.
-- Returns the positions (from 1) of the jobs whose id has a record already: those are left as they
-- are.
local now, dues, fresh, taken = now_ms(), {}, {}, {}
for i = 2, #ARGV, 3 do
  local due = tonumber(ARGV[i])
  if not due or due ~= due then
    return { err = "ERR moil: due must be milliseconds since the epoch, or +milliseconds from now" }
  end
  dues[i] = ARGV[i]:byte(1) == 43 and now + due or due
end
for i = 1, #ARGV, 3 do
  if call("HSETNX", jobs, ARGV[i], ARGV[i + 2]) == 0 then
    taken[#taken + 1] = (i + 2) / 3
  else
    fresh[#fresh + 1] = dues[i + 1]
    fresh[#fresh + 1] = ARGV[i]
  end
end
if #fresh > 0 then
  delay(fresh)
end
return taken

-- control_hear: what has been answered to a command so far. Reads only.
-- ARGV: request, how many answers are known
-- Returns the next ones, at most 250.
local from = tonumber(ARGV[2])
return call("LRANGE", ns .. "answers:" .. ARGV[1], from, from + 249)

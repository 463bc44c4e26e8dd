-- control_reply: the answer of a node or a worker to a command.
-- ARGV: request, answer (JSON text)
-- Returns 1, or 0 when nobody waits for it any more.
local left = call("PTTL", ns .. "asked:" .. ARGV[1])
if left <= 0 then
  return 0
end
local list = ns .. "answers:" .. ARGV[1]
call("RPUSH", list, ARGV[2])
call("PEXPIRE", list, left)
return 1

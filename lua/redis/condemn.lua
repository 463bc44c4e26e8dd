-- condemn: a worker incarnation is dead: nothing it says counts any more, and `recover` gives its
-- jobs back.
-- ARGV: incarnation, kind, id that was on its CPU ("-": none), error (JSON text: why a job ends
-- that may not run again)
--   kind: "crash", or "crash:N" where the task of that job allows N; "limit"; "loss"; "stop" (no
--   job is charged)
-- Returns 1, or 0 when there is no such worker.
local incarnation = ARGV[1]
if call("HDEL", ns .. "workers", incarnation) == 0 then
  return 0
end
if listens() then
  events.tell("worker-down", "worker", incarnation, "reason", ARGV[2]:match("^%a+"))
  events.publish()
end
call("HSET", ns .. "recovering", incarnation, ARGV[2] .. " " .. ARGV[3] .. " " .. ARGV[4])
return 1

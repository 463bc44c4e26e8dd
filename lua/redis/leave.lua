-- leave: takes an incarnation off the list of workers, when it holds no job any more.
-- ARGV: incarnation
-- Returns 1, or 0 when jobs are still in flight with it (it stays registered).
local incarnation = ARGV[1]
if call("SCARD", ns .. "inflight:" .. incarnation) > 0 then
  return 0
end
if listens() then
  events.by(incarnation)
  events.tell("worker-down")
  events.publish()
end
call("DEL", ns .. "inbox:" .. incarnation)
call("HDEL", ns .. "workers", incarnation)
return 1

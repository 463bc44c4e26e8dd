-- pause: stops or resumes the fetching from a queue; what is in flight goes on.
-- ARGV: queue, state "p" (pause) | "r" (resume)
-- Returns 1 when that changed anything, else 0. Begins with a removal, so that Redis lets it
-- through over maxmemory.
local queue, wanted = ARGV[1], ARGV[2]
local state = call("HGET", ns .. "queues", queue)
if (state or "r"):sub(1, 1) == wanted then
  return 0
end
call("HDEL", ns .. "queues", queue)
call("HSET", ns .. "queues", queue, wanted .. (state or "r"):sub(2))
if wanted == "r" then
  wake(queue)
end
return 1

-- join: registers a worker incarnation; from now on it may fetch and settle.
-- ARGV: incarnation, node
-- Returns 1. Begins with a removal, so that Redis lets it through over maxmemory: who drains a full
-- Redis must get in.
call("HDEL", ns .. "workers", ARGV[1])
call("HSET", ns .. "workers", ARGV[1], ARGV[2] .. " " .. string.format("%.0f", now_ms()))
return 1

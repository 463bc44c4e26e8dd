-- join: registers a worker incarnation; from now on it may fetch and settle.
-- ARGV: incarnation, node
-- Returns 1.
call("HSET", ns .. "workers", ARGV[1], ARGV[2] .. " " .. string.format("%.0f", now_ms()))
return 1

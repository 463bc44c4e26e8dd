-- heartbeat: a node is alive, and this is how it does. Also takes a node off that stops in good
-- order.
-- ARGV: node, report (JSON text; "" takes the node off)
-- Returns the node's lease counter: it grows with every call, and who watches it needs no clock.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local node, report = ARGV[1], ARGV[2]
call("HDEL", ns .. "nodes", node)
if report == "" then
  call("HDEL", ns .. "leases", node)
  return 0
end
call("HSET", ns .. "nodes", node, string.format("%.0f ", now_ms()) .. report)
return call("HINCRBY", ns .. "leases", node, 1)

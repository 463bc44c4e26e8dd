-- heartbeat: a node is alive, and this is how it does. Also takes a node off that stops in good
-- order.
-- ARGV: node, report (JSON text; "" takes the node off)
-- Returns the node's lease counter: it grows with every call, and who watches it needs no clock.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local node, report = ARGV[1], ARGV[2]
local before = listens() and call("HGET", ns .. "nodes", node)
call("HDEL", ns .. "nodes", node)
if report == "" then
  call("HDEL", ns .. "leases", node)
  if before then
    events.node("node-down", node)
    events.publish()
  end
  return 0
end
if events then
  local pattern = '"generation":(%d+)'
  local now, last = report:match(pattern), (before or ""):match(pattern)
  if not before then
    events.node("node-up", node)
  elseif now and last and now ~= last then
    events.node("node-reloaded", node, "generation", tonumber(now))
  end
  events.publish()
end
call("HSET", ns .. "nodes", node, string.format("%.0f ", now_ms()) .. report)
return call("HINCRBY", ns .. "leases", node, 1)

-- evict: a node whose lease counter has not moved for a lease is gone, and all its workers with it.
-- ARGV: node, the counter seen (-1: it has none), error (JSON text, as for condemn)
-- Returns how many workers were condemned; -1 when the counter has moved, and then nothing has
-- changed.
local node = ARGV[1]
if (call("HGET", ns .. "leases", node) or "-1") ~= ARGV[2] then
  return -1
end
call("HDEL", ns .. "leases", node)
call("HDEL", ns .. "nodes", node)
local workers, condemned = call("HGETALL", ns .. "workers"), 0
for i = 1, #workers, 2 do
  if workers[i + 1]:sub(1, #node + 1) == node .. " " then
    call("HDEL", ns .. "workers", workers[i])
    call("HSET", ns .. "recovering", workers[i], "loss - " .. ARGV[3])
    condemned = condemned + 1
    if listens() then
      events.tell("worker-down", "worker", workers[i], "reason", "loss")
    end
  end
end
if listens() then
  events.node("node-down", node, "reason", "loss")
  events.publish()
end
return condemned

-- control_claim: a node, or a worker, is about to carry a command out.
-- ARGV: request, who: the node's id, or the worker's incarnation
-- Returns 1, once; 0 when it has been told so before, or nobody waits for the answer any more.
local asked = ns .. "asked:" .. ARGV[1]
return call("EXISTS", asked) == 1 and call("HSETNX", asked, "by " .. ARGV[2], "1") or 0

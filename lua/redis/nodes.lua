-- nodes: who is there. Reads only.
-- Returns now (ms), then for each node: its id, ms of its last heartbeat, its report (JSON text).
local answer = { string.format("%.0f", now_ms()) }
local nodes = call("HGETALL", ns .. "nodes")
for i = 1, #nodes, 2 do
  local seen, report = nodes[i + 1]:match("^(%d+) (.*)$")
  answer[#answer + 1] = nodes[i]
  answer[#answer + 1] = seen or "0"
  answer[#answer + 1] = report or "{}"
end
return answer

-- control: puts a command to nodes, and says to whom. A node that comes up later never carries it
-- out: each asks `control_claim` first.
-- ARGV: request (an id of its own), which nodes: their name, where * stands for any bytes and ? for
-- one; ms that it holds (at most 3,600,000), command, its arguments (a JSON array)
-- Returns the ids of the nodes that are alive and meant. Asked again with the same request it
-- answers as before, and puts nothing to anybody. Where the name is wrong: why, a line. A node
-- whose list is full is not told.
local request, hold = ARGV[1], math.min(tonumber(ARGV[3]), 3600000)
local asked, nodes = ns .. "asked:" .. request, {}
local before = call("HGET", asked, "nodes")
if before then
  for id in before:gmatch("%S+") do
    nodes[#nodes + 1] = id
  end
  return nodes
end
local now = now_ms()
local pattern = ARGV[2]:gsub("%*+", "*")
if select(2, pattern:gsub("%*", "")) > 4 then
  return "at most four * in the name of nodes"
end

-- What stands between the *: patterns that know one length each, so that none is tried twice.
local pieces = {}
for piece in (pattern .. "*"):gmatch("([^*]*)%*") do
  local quoted = piece:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%?", ".")
  pieces[#pieces + 1] = { pattern = quoted, length = #piece }
end

-- The first piece at the beginning, the last one at the end, each of the others where it comes
-- first.
local function is_meant(name)
  local at, last = 1, pieces[#pieces]
  for i = 1, #pieces - 1 do
    local _, till = name:find((i == 1 and "^" or "") .. pieces[i].pattern, at)
    if not till then
      return false
    end
    at = till + 1
  end
  local from = #name - last.length + 1
  return (from == at or (from > at and #pieces > 1))
    and name:find("^" .. last.pattern, from) ~= nil
end

local reports = call("HGETALL", ns .. "nodes")
for i = 1, #reports, 2 do
  local id, seen = reports[i], reports[i + 1]:match("^%d+") or 0
  local lease = tonumber(reports[i + 1]:match('"lease":([%d.e+-]+)')) or 15
  local name = id:match("^(.*)/[^/]*$") or id
  if now - seen <= lease * 1000 and (id == ARGV[2] or is_meant(name)) then
    nodes[#nodes + 1] = id
  end
end
if #nodes == 0 then
  return nodes
end
call("HSET", asked, "nodes", table.concat(nodes, " "))
call("PEXPIRE", asked, hold)
if listens() then
  for _, id in ipairs(nodes) do
    events.node("control", id, "command", ARGV[4])
  end
  events.publish()
end
for _, id in ipairs(nodes) do
  local list = ns .. "control:" .. id
  if call("LLEN", list) < 64 then
    call("RPUSH", list, request .. " " .. ARGV[4] .. "\n" .. ARGV[5])
    call("PEXPIRE", list, math.max(hold, call("PTTL", list)))
  end
end
return nodes

-- reclaim: in flight with this incarnation, but unknown to it: the reply of their fetch was lost
-- with the link, or Redis came back without its last writes.
-- ARGV: incarnation, then the ids that it does hold
-- Returns id, record of at most 250 others, as fetch does; they stay in flight. Error: FENCED.
-- The worker sends it when all its verdicts are acknowledged, so that none of the ids found has
-- ended.
local incarnation = ARGV[1]
if is_fenced(incarnation) then
  return refuse("reclaim")
end
local held, found = {}, {}
for i = 2, #ARGV do
  held[ARGV[i]] = true
end
for _, id in ipairs(call("SMEMBERS", ns .. "inflight:" .. incarnation)) do
  if not held[id] and #found < 500 then
    found[#found + 1] = id
    found[#found + 1] = call("HGET", jobs, id) or ""
  end
end
return found

-- dead: a page of the dead set, the newest first. Reads only.
-- ARGV: offset, limit (1-250)
-- Returns for each job: id, its R record, ms of death.
local answer = {}
local found = call("ZREVRANGE", ns .. "dead", ARGV[1], ARGV[1] + ARGV[2] - 1, "WITHSCORES")
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = call("HGET", jobs, found[i]) or ""
  answer[#answer + 1] = found[i + 1]
end
return answer

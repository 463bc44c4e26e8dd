-- workflow: a page of the lines of a workflow, with the state of each node. Reads only.
-- ARGV: the workflow's id, from (0 is the first), limit (1-250)
-- Returns nil where there is no such workflow, else how many lines it has, then for each: the line
-- (ID KIND AFTER TASK), the state of its job as `inspect` would tell it, UNKNOWN where the record
-- is gone.
local key, from = ns .. "workflow:" .. ARGV[1], tonumber(ARGV[2])
local total = call("LLEN", key)
if total == 0 then
  return nil
end
local answer = { total }
for _, line in ipairs(call("LRANGE", key, from, from + ARGV[3] - 1)) do
  local id = line:match("^%S+")
  answer[#answer + 1] = line
  answer[#answer + 1] = state_of(id, call("HGET", jobs, id))
end
return answer

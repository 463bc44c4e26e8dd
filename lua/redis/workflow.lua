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

local function state_of(id, record)
  if not record then
    return "UNKNOWN"
  elseif record:byte(1) == 82 then
    return record:match("^R1 (%S+) ") or "FAILURE"
  elseif call("HEXISTS", ns .. "deferred", id) == 1 then
    return "DEFERRED"
  elseif call("ZSCORE", ns .. "delayed", id) then
    return record:find("^J1 %S+ %d 0 ") and "SCHEDULED" or "RETRY"
  elseif holder_of(id) then
    return (call("HGET", ns .. "running", id) or "STARTED"):match("^%S+")
  end
  return "PENDING"
end

for _, line in ipairs(call("LRANGE", key, from, from + ARGV[3] - 1)) do
  local id = line:match("^%S+")
  answer[#answer + 1] = line
  answer[#answer + 1] = state_of(id, call("HGET", jobs, id))
end
return answer

-- time_limit: other time limits for a task's jobs, for those that start from now on.
-- ARGV: task, time limit, soft time limit: seconds, "none", "" (as it is) or "-" (the task's own
-- again)
-- Returns the version of the limits, as raised by each change; or, where nothing has changed, why:
-- a line. Error: UNKNOWN, no node has such a task.
local task, limits, given = ARGV[1], ns .. "limits", { ARGV[2], ARGV[3] }
local hard, soft = (call("HGET", limits, task) or "- -"):match("^(%S+) (%S+)$")
hard, soft = given[1] ~= "" and given[1] or hard, given[2] ~= "" and given[2] or soft
if tonumber(hard) and tonumber(soft) and tonumber(soft) >= tonumber(hard) then
  return "the soft time limit (" .. soft .. " s) must be less than the time limit (" .. hard
    .. " s)"
end
if hard == "-" and soft == "-" then
  call("HDEL", limits, task)
  return call("INCR", ns .. "limits_version")
end
local known, quoted = false, '"' .. task:gsub('[\\"]', "\\%0") .. '"'
for _, report in ipairs(call("HVALS", ns .. "nodes")) do
  local tasks = report:match('"tasks":%[(.-)%],"workers":%[')
  known = known or tasks and tasks:find(quoted, 1, true)
end
if not known then
  return { err = "UNKNOWN no node has a task " .. task }
end
if call("HLEN", limits) >= 10000 and call("HEXISTS", limits, task) == 0 then
  return "10,000 tasks have time limits that were set at run time"
end
call("HSET", limits, task, hard .. " " .. soft)
return call("INCR", ns .. "limits_version")

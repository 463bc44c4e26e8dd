-- gather: a page of the members of a group, with what came of them. Reads only.
-- ARGV: the group's id, from (0 is the first), limit (1-250), "v", "s" (no values) or "t" (for
-- people: the names of the tasks in their place, and the states as `inspect` tells them)
-- Returns nil where there is no such group, else how many members it has, how many ends it still
-- waits for, then for each: id, state, value (JSON). States: an ended job's own; PENDING for one
-- that has not ended; GROUP for a group (ask for its members); UNKNOWN where the record is gone. A
-- page ends early after a megabyte.
local members, from, limit = ns .. "members:" .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local open = call("HGET", ns .. "deferred", ARGV[1])
local total, size = call("LLEN", members), 0
if total == 0 and not open and call("HEXISTS", jobs, ARGV[1]) == 0 then
  return nil
end
local answer = { total, open and tonumber(open:match("^%d+")) or 0 }

-- Of a member that is a group its own record tells the state, so none is looked up here.
local function describe(id, record)
  local task = (record or ""):match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")
    or (record or ""):match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ") or ""
  return task == "moil.group" and "GROUP" or state_of(id, record), task
end

local function add(id, record)
  local state, task, length, at = (record or ""):match(
    "^R1 (%S+) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) (%d+) %d+\n()")
  local value = ""
  if task == "moil.group"
    or (record and record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group ")) then
    state = "GROUP"
  elseif state and ARGV[4] == "v" then
    value = record:sub(at, at + length - 1)
  end
  state = state or (record and record:byte(1) ~= 82 and "PENDING") or "UNKNOWN"
  if ARGV[4] == "t" then
    state, value = describe(id, record)
  end
  for _, word in ipairs({ id, state, value }) do
    answer[#answer + 1] = word
  end
  size = size + #value
end

while limit > 0 and size < 1048576 do
  local ids = call("LRANGE", members, from, from + math.min(limit, 25) - 1)
  if #ids == 0 then
    break
  end
  for i, record in ipairs(call("HMGET", jobs, unpack(ids))) do
    add(ids[i], record)
  end
  from, limit = from + #ids, limit - #ids
end
return answer

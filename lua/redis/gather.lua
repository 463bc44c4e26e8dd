-- gather: a page of the members of a group, with what came of them. Reads only.
-- ARGV: the group's id, from (0 is the first), limit (1-250), and what is wanted: "v", "s" (no
-- values), "t" (for people: the names of the tasks in their place, and the states as `inspect`
-- tells them) or "j" (for the job that gets them)
-- Returns nil where there is no such group, else how many members it has, how many ends it still
-- waits for, then for each: id, state, value (JSON). States: an ended job's own; PENDING for one
-- that has not ended; GROUP for a group (ask for its members); UNKNOWN where the record is gone. A
-- group that has failed is a failure where values are wanted, as its members may go on.
-- "j": behind the two numbers how many members were read, their values with commas between them (a
-- failure as {"error": …}, and so one without a record, with UnknownJob), and the id of the group
-- that ended the page or "": it is counted and has no value.
-- A page ends early after a megabyte of records, whatever of them is wanted.
local members, from, limit = ns .. "members:" .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local open = call("HGET", ns .. "deferred", ARGV[1])
local total = call("LLEN", members)
if total == 0 and not open and call("HEXISTS", jobs, ARGV[1]) == 0 then
  return nil
end
local answer = { total, open and tonumber(open:match("^%d+")) or 0 }
local find, sub, byte = string.find, string.sub, string.byte

-- Of a member that is a group its own record tells the state, so none is looked up here.
local function describe(id, record)
  local task = (record or ""):match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")
    or (record or ""):match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ") or ""
  return task == "moil.group" and "GROUP" or state_of(id, record), task
end

-- State, and value where it has ended. Ten thousand members are one after another here: no pattern
-- for those that are as most are.
local function read(record)
  if not record then
    return "UNKNOWN", ""
  end
  local eol = find(record, "\n", 1, true) or #record
  if (find(record, " moil.group ", 1, true) or eol) < eol and (ARGV[4] == "s"
    or byte(record, 1) ~= 82 or sub(record, 1, 11) == "R1 SUCCESS ") then
    return "GROUP", ""
  elseif byte(record, 1) ~= 82 then
    return "PENDING", ""
  end
  local state = sub(record, 1, 11) == "R1 SUCCESS " and "SUCCESS" or record:match("^R1 (%S+) ")
  if byte(record, eol - 1) == 48 and byte(record, eol - 2) == 32 then -- no body behind the value
    return state, sub(record, eol + 1)
  end
  return state, sub(record, eol + 1, -1 - (sub(record, 1, eol):match(" (%d+)\n$") or 0))
end

local function add(id, record)
  local state, value = read(record)
  if ARGV[4] == "t" then
    state, value = describe(id, record)
  elseif ARGV[4] == "s" then
    value = ""
  end
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = id, state, value
end

local values, group = {}, ""

-- True for the group that ends the page.
local function add_value(id, record)
  local state, value = read(record)
  if state == "GROUP" then
    group = id
    return true
  elseif not record then
    value = '{"error":{"code":"UnknownJob","message":"the result of the member '
      .. id:gsub('[\\"]', "\\%0") .. ' is not kept any more"}}'
  elseif value == "" then
    value = "null"
  elseif state ~= "SUCCESS" then
    value = '{"error":' .. value .. "}"
  end
  values[#values + 1] = value
end

local ids = limit > 0 and call("LRANGE", members, from, from + limit - 1) or {}
local count = read_records(ids, 1048576, ARGV[4] == "j" and add_value or add)
if ARGV[4] == "j" then
  answer[3], answer[4], answer[5] = count, table.concat(values, ","), group
end
return answer

-- dead: a page of the dead set, the newest first. Reads only.
-- ARGV: offset, limit (1-250), then, where records are wanted without values and bodies, "heads"
-- Returns for each job: id, its R record, ms of death. Behind them, where there may be more, is the
-- offset of the next page. A page ends at 1 MB of records.
local answer, ids, deaths, heads = {}, {}, {}, ARGV[3] == "heads"
local found = call("ZREVRANGE", ns .. "dead", ARGV[1], ARGV[1] + ARGV[2] - 1, "WITHSCORES")
for i = 1, #found, 2 do
  ids[#ids + 1] = found[i]
  deaths[#ids] = found[i + 1]
end
local count = read_records(ids, 1048576, function(id, record)
  local n = #answer
  record = record or ""
  answer[n + 1] = id
  answer[n + 2] = heads and record:sub(1, record:find("\n", 1, true) or 0) or record
  answer[n + 3] = deaths[n / 3 + 1]
end)
if count == tonumber(ARGV[2]) or count < #ids then
  answer[#answer + 1] = string.format("%d", ARGV[1] + count)
end
return answer

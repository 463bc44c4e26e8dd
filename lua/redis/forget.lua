-- forget: an ended job's record -> gone, its place in the dead set too.
-- ARGV: id; then "dead" where only the dead set is meant
-- Returns 1 when it was dropped, 0 when the job has not ended, nil when unknown (there).
local record = call("HGET", jobs, ARGV[1])
if not record or (ARGV[2] == "dead" and not call("ZSCORE", ns .. "dead", ARGV[1])) then
  return nil
end
if record:byte(1) ~= 82 then
  return 0
end
call("HDEL", jobs, ARGV[1])
drop_lists(ARGV[1])
if call("HEXISTS", ns .. "links", ARGV[1]) == 1 then
  local engine = linker()
  engine.add({ id = ARGV[1], state = record:find("^R1 SUCCESS ") and "S" or "F", record = record })
  engine.run()
end
if call("ZREM", ns .. "dead", ARGV[1]) == 1 then
  tally(queue_of_outcome(record), "dead", -1)
  tally(queue_of_outcome(record), "deleted", 1)
end
write_tallies()
return 1

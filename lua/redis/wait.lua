-- wait: results that are there, and a registration of the caller's inbox for the others; atomic, so
-- that no end is missed.
-- ARGV: owner (names the inbox "inbox:<owner>"; "" registers nothing), id...
-- Returns for each id: nil when there is no such job, its record when it has ended (or is damaged),
-- else "W" and its note in `running` ("" when it has none). Later the inbox gets F, P and U
-- messages (docs/protocol.md). At most 64 inboxes a job: who comes later asks again, as do all
-- while Redis is over maxmemory and takes no registration.
local owner, answer = ARGV[1], {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local record = call("HGET", jobs, id)
  if record and record:sub(1, 3) == "J1 " then
    answer[i - 1] = "W" .. (call("HGET", ns .. "running", id) or "")
    if owner ~= "" then
      local owners = call("HGET", ns .. "waiters", id) or ""
      if not (" " .. owners):find(" " .. owner .. " ", 1, true) and #owners < 64 * 37 then
        local done = redis.pcall("HSET", ns .. "waiters", id, owners .. owner .. " ")
        if type(done) == "table" and not done.err:find("OOM", 1, true) then
          return done
        end
      end
    end
  else
    answer[i - 1] = record
  end
end
return answer

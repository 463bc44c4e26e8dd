-- extend: more members for a group that has not ended.
-- ARGV: the group's id, then a batch (docs/protocol.md, "Batches") without D
-- Returns 1 and whether `advance` has something to do; 0 where the group has ended or is none, and
-- then nothing has changed. A batch whose first job has a record, and whose members are the
-- group's, is one that came before, its reply lost: 1. Errors, before anything has changed: a
-- damaged batch; INUSE ID.
-- The batch's jobs with a link to the group are its new members, in their order.
local group = ARGV[1]
local engine = linker()
local batches = unfolder(engine)
local batch, why = batches.read(ARGV, 2)
if not batch then
  return { err = why }
end
local members = {}
for i, id in ipairs(batch.ids) do
  for mode, of in batch.links[i]:gmatch("(.).(%S+) ") do
    if of == group and (mode == "m" or mode == "h") then
      members[#members + 1] = id
    end
  end
end
local list = ns .. "members:" .. group
if batch.ids[1] and call("HEXISTS", jobs, batch.ids[1]) == 1
  and (#members == 0 or call("LPOS", list, members[1], "RANK", -1)) then
  return { 1, 0 }
end
local open = call("HGET", ns .. "deferred", group)
if not open then
  return { 0, 0 }
end
local clash = batches.clash(batch)
if clash then
  return { err = "INUSE " .. clash }
end
if #members > 0 then
  local n, due = open:match("^(%d+)(.*)$")
  call("HSET", ns .. "deferred", group, string.format("%d", n + #members) .. due)
  call("RPUSH", list, unpack(members))
end
batches.take_all(batch)
engine.run()
write_tallies()
return { 1, call("EXISTS", ns .. "advancing") }

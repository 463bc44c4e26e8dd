-- stage: a batch of a workflow that is too large for one call, kept until `accept`, or the verdict
-- of a job that it replaces; nobody sees it before. Not accepted, it is gone after 600 s.
-- ARGV: token (a new UUID), index (1 and up), then the batch (docs/protocol.md, "Batches"); or
-- index 0 and no batch, where it is not to be accepted after all: what is staged is dropped
-- Returns how many batches are staged. An index that is there already changes nothing, as after a
-- lost reply. Errors: a damaged batch, or those before it are gone; INUSE ID, where another job
-- has it (but where the first job of all has a record: `accept` says so, or it is a job to be
-- replaced).
local staged, index = ns .. "staged:" .. ARGV[1], tonumber(ARGV[2])
if index == 0 then
  call("DEL", staged)
  return 0
end
local count = call("LLEN", staged)
if index > count + 1 then
  return { err = "ERR moil: " .. count .. " batches are staged, this is number " .. ARGV[2] }
elseif index <= count then
  return count
end
local batches = unfolder(nil)
local batch, why = batches.read(ARGV, 3)
if not batch then
  return { err = why }
end
local clash = batches.clash(batch)
if clash then
  local first = index == 1 and batch.ids[1] or cmsgpack.unpack(call("LINDEX", staged, 0))[2]
  if call("HEXISTS", jobs, first) == 0 then
    return { err = "INUSE " .. clash }
  end
end
local list = {}
for i = 3, #ARGV do
  list[i - 2] = ARGV[i]
end
count = call("RPUSH", staged, cmsgpack.pack(list))
call("EXPIRE", staged, 600)
return count

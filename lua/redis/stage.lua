-- stage: a batch of a workflow that is too large for one call, kept until `accept`, or the verdict
-- of a job that it replaces; nobody sees it before. Not accepted, it is gone after 600 s.
-- ARGV: token (a new UUID), index (1 and up), then the batch (docs/protocol.md, "Batches")
-- Returns how many batches are staged. An index that is there already changes nothing, as after a
-- lost reply. Error: a damaged batch, or those before it are gone.
local staged, index = ns .. "staged:" .. ARGV[1], tonumber(ARGV[2])
local count = call("LLEN", staged)
if index > count + 1 then
  return { err = "ERR moil: " .. count .. " batches are staged, this is number " .. ARGV[2] }
elseif index <= count then
  return count
end
local batch, why = unfolder(nil).read(ARGV, 3)
if not batch then
  return { err = why }
end
local list = {}
for i = 3, #ARGV do
  list[i - 2] = ARGV[i]
end
count = call("RPUSH", staged, cmsgpack.pack(list))
call("EXPIRE", staged, 600)
return count

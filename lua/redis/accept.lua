-- accept: a workflow, new -> its jobs ready, delayed or deferred, all at once as far as anybody can
-- see.
-- ARGV: token, id of the workflow, how many batches were staged under the token; 0: none, and the
-- one batch follows (docs/protocol.md, "Batches")
-- Returns created (0: the id has a record, and nothing has changed, as after a lost reply), and 1
-- where `advance` has something to do. The first batch begins with the workflow's own job.
-- Errors, before anything has changed: UNKNOWN dep ID, where a job is to wait for one that nobody
-- knows; a damaged batch; INUSE ID, where another job has it; batches that are not there (any
-- more).
local token, count = ARGV[1], tonumber(ARGV[3])
if call("HEXISTS", jobs, ARGV[2]) == 1 then
  return { 0, 0 }
end
local list, at, staged = ARGV, 4, ns .. "staged:" .. token
if count ~= 0 then
  local found = call("LLEN", staged)
  if found ~= count then
    return { err = "ERR moil: " .. found .. " of " .. ARGV[3] .. " batches are staged" }
  end
  list, at = cmsgpack.unpack(call("LINDEX", staged, 0)), 1
end
local engine = linker()
local batches = unfolder(engine)
local batch, why = batches.read(list, at)
if not batch or batch.ids[1] ~= ARGV[2] then
  return { err = why or "ERR moil: a workflow begins with the job that has its id" }
end
for i = 1, #batch.deps, 2 do
  if call("HEXISTS", jobs, batch.deps[i]) == 0 then
    return { err = "UNKNOWN dep " .. batch.deps[i] }
  end
end
local clash = batches.clash(batch)
if clash then
  return { err = "INUSE " .. clash }
end
if count ~= 0 then
  batches.adopt(token, batch)
else
  batches.take_all(batch)
end
engine.run()
write_tallies()
return { 1, call("EXISTS", ns .. "advancing") }

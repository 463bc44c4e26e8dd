-- advance: a part of what the ends of jobs do to others and other scripts left, as it was more than
-- a script may do at once; and the unfolding of workflows that were staged.
-- ARGV: limit (the items to take at most, 1-250)
-- Returns 1 where there is more to do, else 0. Any number of agents and clients may ask.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local advancing, engine = ns .. "advancing", linker()
local batches = unfolder(engine)

local function unfold_next(token)
  local rest = ns .. "accepted:" .. token
  local packed = call("LPOP", rest)
  local batch = packed and batches.read(cmsgpack.unpack(packed), 1)
  if batch then
    batches.take(batch)
  end
  if call("EXISTS", rest) == 1 then
    engine.put_off("a " .. token)
  end
end

for _ = 1, tonumber(ARGV[1]) do
  local item = call("LPOP", advancing)
  local token = item and item:match("^a (%S+)$")
  if token then
    unfold_next(token)
  elseif item then
    engine.work(item)
  end
  if not item or not engine.run() or token then
    break
  end
end
write_tallies()
return call("EXISTS", advancing)

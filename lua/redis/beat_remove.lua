-- beat_remove: takes a run-time beat entry away, with its state. Jobs that it enqueued stay. A
-- file's entry in whose place it was goes on from now, with what it had come to.
-- ARGV: name, "1": of run time alone
-- Returns 1; 0 where there is none of that name; 2 where it is an entry of a file: its state is
-- dropped (unless of run time alone), and a scheduler that has it in its file sees it as for the
-- first time.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local state = beat_state(ARGV[1])
local was_entry = call("HDEL", ns .. "beat", ARGV[1]) == 1
if not was_entry and ARGV[2] == "1" then
  return call("HEXISTS", ns .. "ticks", ARGV[1]) * 2
end
local was_seen = call("HDEL", ns .. "ticks", ARGV[1]) == 1
if not was_entry and not was_seen then
  return 0
end
if was_entry and state then
  give_back_state(ARGV[1], state)
end
beat_changed()
return was_entry and 1 or 2

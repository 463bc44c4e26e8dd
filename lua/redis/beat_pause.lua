-- beat_pause: stops or resumes the ticks of a beat entry, of a file or of run time.
-- ARGV: name, paused "1" | "0"
-- Returns 1 when that changed anything, 2 when it was so already, 0 when no entry of that name was
-- ever seen. What fell due in a pause is passed over: it goes on from now.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local name, wanted = ARGV[1], ARGV[2]
local state = beat_state(name)
if not state then
  return 0
elseif state.paused == wanted then
  return 2
end
call("HDEL", ns .. "ticks", name)
state.paused = wanted
if wanted == "0" then
  state.last = beat_from_now(state, now_ms())
end
write_beat_state(name, state)
beat_changed()
return 1

-- beat_put: a run-time beat entry, new or changed.
-- ARGV: name, entry (JSON), expected, paused "1" | "0" | "-" (as it is; a new one runs), since,
-- anew "1" | "0", the last time that it is due or "-" (it goes on for ever)
-- expected: "*" whatever is there | "" nothing may be there | the version that must be there.
-- since: the due time that it has come to, ms since the epoch, or now where that is earlier; "-":
-- now, so that what falls due from here on runs. A changed entry keeps its last job and, unless it
-- begins anew, how often it ran.
-- One in the place of a file's keeps the state of that one, which goes on with it afterwards.
-- Returns the outcome and the entry's version (0: there is none): "added", "changed", "same" (this
-- very text is there: it goes on as it does, so that a repeat after a lost reply is harmless; only
-- the pause is as told), "clash" (not what was expected: nothing happens), "past" (it is not due
-- from now on: nothing happens), "full" (there are 100,000).
local name, text, expected, paused, since = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local old = call("HGET", ns .. "beat", name)
local old_version, old_text = (old or ""):match("^(%d+) (.*)$")
local state, now = beat_state(name), now_ms()
if old_text == text then
  if state and paused ~= "-" and paused ~= state.paused then
    state.paused = paused
    write_beat_state(name, state)
    beat_changed()
  end
  return { "same", old_version }
elseif expected ~= "*" and expected ~= (old_version or "") then
  return { "clash", old_version or "0" }
elseif since == "-" and (tonumber(ARGV[7]) or math.huge) <= now then
  return { "past", old_version or "0" }
elseif not old and call("HLEN", ns .. "beat") >= 100000 then
  return { "full", "0" }
end
if not state or not old then
  local held = state and state.version == "-" and held_state(state)
  state = { runs = 0, paused = "0", id = "-", first = string.format("%.0f", now),
    timing = held or "-" }
end
state.last = string.format("%.0f", since == "-" and now or math.min(now, tonumber(since)))
state.runs = ARGV[6] == "1" and 0 or state.runs
state.paused = paused == "-" and state.paused or paused
local version = string.format("%d", beat_changed())
state.version = version
call("HSET", ns .. "beat", name, version .. " " .. text)
write_beat_state(name, state)
return { old and "changed" or "added", version }

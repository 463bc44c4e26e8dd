-- tick: a due time of a beat entry: compares and enqueues in one step, so that it happens once,
-- whoever of many schedulers comes first.
-- ARGV: name, seen, due, version, action, overlap "1" | "0", max_runs (0: any), final "1" | "0",
-- then for "fire": id, J record, "1" for in front; for "seen": paused "1" | "0", timing; for
-- "anew": nothing, timing
-- seen: the LAST_DUE that the caller knows, or "-" (never seen). due: ms since the epoch. version:
-- of the run-time entry that the caller knows, or "-" for an entry of a file. final: nothing falls
-- due after this. timing: what tells a file entry's timing from another, with neither space nor |;
-- "-" for one of run time. action:
--   fire  enqueues the job and moves LAST_DUE to due
--   late  moves LAST_DUE to due: this one is too old to run
--   seen  first sight of the entry: LAST_DUE is due, or now where that is 0
--   anew  its timing was edited, or Redis's clock was set back: it goes on from now
-- Returns a verdict, then the state as it is now (LAST_DUE, RUNS, PAUSED, LAST_ID, FIRST; "" where
-- there is none), now (µs) and TIMING. Verdicts: "fired", "skipped_late", "seen", "anew";
-- "skipped_overlap" (its last job has not ended), "paused": LAST_DUE has moved, nothing was
-- enqueued; "early": due is still to come by Redis's clock; "stale": LAST_DUE is not what was seen;
-- "changed": that is not its version, or a run-time entry stands in the place of a file's; "gone":
-- there is no such run-time entry; "done": it ran max_runs times.
-- A run-time entry whose last tick this was is taken away, and a file's in whose place it was goes
-- on from now; one of a file keeps its state, so that it does not run again.
local name, seen, due, version, action = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max_runs, now, now_us = tonumber(ARGV[7]), now_ms_us()
local now_text = string.format("%.0f", now)
local state = beat_state(name)

local function answer(verdict)
  local s = state or { last = "", runs = "", paused = "", id = "", first = "", timing = "" }
  return { verdict, s.last, s.runs, s.paused, s.id, s.first, now_us, s.timing }
end

local function write_history(id, outcome)
  call("LPUSH", ns .. "beat_history",
    table.concat({ due, now_text, id, outcome, name }, " "))
  call("LTRIM", ns .. "beat_history", 0, 999)
end

-- The entry has no tick to come.
local function finish()
  if version ~= "-" then
    call("HDEL", ns .. "beat", name)
    call("HDEL", ns .. "ticks", name)
    give_back_state(name, state)
    beat_changed()
    state = nil
  end
end

local function is_running(id)
  local record = id ~= "-" and call("HGET", jobs, id)
  return record and record:byte(1) == 74
end

local function enqueue(id, record)
  if call("HSETNX", jobs, id, record) == 1 then
    local queue, level = place_of(record)
    tally(queue, "enqueued", 1)
    if listens() then
      events.tell("tick", "entry", name, "id", id)
      events.job("enqueued", id, record)
    end
    write_tallies()
    push(queue, level, { id }, ARGV[11] == "1")
  end
end

local known = state and state.version
if not state then -- of a run-time entry it is lost, or the entry is gone
  known = (call("HGET", ns .. "beat", name) or "-"):match("^(%S+)")
end
if known ~= version then
  return answer(known == "-" and "gone" or "changed")
elseif seen ~= (state and state.last or "-") then
  return answer("stale")
elseif action == "fire" and not place_of(ARGV[10] or "") then
  return { err = "ERR moil: a job's record must begin with its queue and level: J1 QUEUE LEVEL" }
end
state = state or { runs = 0, paused = "0", id = "-", first = now_text, version = version,
  timing = "-" }
local verdict = "paused"
if action == "seen" or action == "anew" then
  verdict, state.timing = action, version == "-" and ARGV[10] or state.timing
  if action == "anew" then
    due = beat_from_now(state, now)
  else
    due = due == "0" and now_text or due
    state.paused = ARGV[9] == "1" and "1" or "0"
  end
elseif tonumber(due) > now then
  return answer("early")
elseif max_runs > 0 and state.runs >= max_runs then
  finish()
  return answer("done")
elseif state.paused == "0" then
  verdict = action == "late" and "skipped_late"
    or ARGV[6] == "0" and is_running(state.id) and "skipped_overlap"
    or "fired"
  if verdict == "fired" then
    enqueue(ARGV[9], ARGV[10])
    state.runs, state.id = state.runs + 1, ARGV[9]
  end
  write_history(verdict == "fired" and state.id or "-", verdict)
end
state.last = due
write_beat_state(name, state)
local told = answer(verdict)
if ARGV[8] == "1" or (max_runs > 0 and state.runs >= max_runs) then
  finish()
end
return told

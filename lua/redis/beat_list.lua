-- beat_list: beat entries, a page at a time. Reads only.
-- ARGV: what "beat" (run-time entries) | "ticks" (all that were seen, those of files too) | "one",
-- cursor ("0" at first; of "one": the name), how many (a hint)
-- Returns the next cursor ("0": that was all), the version of all entries, now (µs), then for each
-- entry: name, "VERSION JSON" or "" for one of a file, and its state or "": LAST_DUE RUNS PAUSED
-- LAST_ID FIRST VERSION TIMING. A page may bring an entry that came before.
local what, cursor, names = ARGV[1], ARGV[2], {}
if what == "one" then
  cursor, names = "0", { cursor }
else
  local page = call("HSCAN", ns .. what, cursor, "COUNT", ARGV[3])
  cursor = page[1]
  for i = 1, #page[2], 2 do
    names[#names + 1] = page[2][i]
  end
end
local _, now_us = now_ms_us()
local answer = { cursor, tonumber(call("GET", ns .. "beat_version") or "0"), now_us }
for from = 1, #names, 250 do
  local part = { unpack(names, from, math.min(from + 249, #names)) }
  local entries = call("HMGET", ns .. "beat", unpack(part))
  local states = call("HMGET", ns .. "ticks", unpack(part))
  for i, name in ipairs(part) do
    if entries[i] or states[i] then
      answer[#answer + 1] = name
      answer[#answer + 1] = entries[i] or ""
      answer[#answer + 1] = states[i] or ""
    end
  end
end
return answer

-- promote: delayed -> pending, for the jobs that are due by Redis's clock, the earliest first; no
-- more than have 1 MB of records, but one.
-- ARGV: limit (1-250)
-- Returns how many were moved; in how many milliseconds the next one is due (-1: there is none; 0:
-- at once); how many items there are for `advance`; the version of the beat entries, which each
-- change of them raises; now (µs); how many are left in `delayed`; and the version of the time
-- limits, as of the beat entries. A record that names no queue goes to the dead set, with its
-- bytes.
-- Begins with a removal, so that Redis lets it through over maxmemory.
local engine
local delayed, now, now_us = ns .. "delayed", now_ms_us()

local function bury(id, record)
  if record == "" or record:byte(1) == 82 then
    return
  end
  local value = '{"code":"BadMessage","message":"the record is damaged or not moil\'s"}'
  local ended = outcome_of(record, "FAILURE", value, now, "0", record)
  call("HSET", jobs, id, ended)
  call("ZADD", ns .. "dead", now, id)
  tally(queue_of_outcome(ended), "delayed", -1)
  tally(queue_of_outcome(ended), "dead", 1)
  notify_end(id, "F", ended)
  engine = engine or linker()
  engine.add({ id = id, state = "F", record = ended, kept = true })
end

local ids, records = call("ZRANGEBYSCORE", delayed, "-inf", now, "LIMIT", 0, ARGV[1]), {}
local count = read_records(ids, 1048576, function(_, record)
  records[#records + 1] = record
end)
if count > 0 then
  call("ZREMRANGEBYRANK", delayed, 0, count - 1)
  for _, place in ipairs(group_due({ unpack(ids, 1, count) }, records, bury)) do
    push(place.queue, place.level, place, false)
    tally(place.queue, "delayed", -#place)
    for i, id in ipairs(listens() and place or {}) do
      events.job("enqueued", id, place.records[i])
    end
  end
  if engine then
    engine.run()
  end
  write_tallies()
end
local first = call("ZRANGE", delayed, 0, 0, "WITHSCORES")
return { count, first[2] and math.max(0, math.ceil(first[2] - now)) or -1,
  call("LLEN", ns .. "advancing"), tonumber(call("GET", ns .. "beat_version") or "0"), now_us,
  call("ZCARD", delayed), tonumber(call("GET", ns .. "limits_version") or "0") }

-- Stands before every script (the build joins the two). KEYS[1] is the namespace's prefix,
-- "{moil}:"; all keys are derived from it and share its hash tag. Payloads are never decoded: of a
-- record only the header is read.
local call = redis.call
local ns = KEYS[1]
local jobs = ns .. "jobs"

-- True when the incarnation was taken off the list of workers: nothing it says counts any more.
local function is_fenced(incarnation)
  return call("HEXISTS", ns .. "workers", incarnation) == 0
end

-- The answer to who is fenced, counted by what it asked for. A full Redis counts nothing.
local function refuse(asked)
  redis.pcall("HINCRBY", ns .. "fences", asked, 1)
  return { err = "FENCED this worker incarnation is not registered" }
end

-- Changes of the counters of queues (docs/protocol.md, "Counters"): gathered by `tally`, written
-- once a script by `write_tallies`, with one command for each queue and name that occurs. A
-- transition takes a job off one place and puts it into another under the same queue's name.
local tallies = {}

local function tally(queue, name, by)
  local of = tallies[queue]
  if not of then
    of = {}
    tallies[queue] = of
  end
  of[name] = (of[name] or 0) + by
end

-- Where events go; false: nobody listens; nil: that was not looked at yet.
local events

local function write_tallies()
  for queue, of in pairs(tallies) do
    for name, by in pairs(of) do
      if by ~= 0 then
        call("HINCRBY", ns .. "counters:" .. queue, name, by)
      end
    end
  end
  if events then
    events.publish()
  end
end

-- The events of a script, where somebody listens (docs/protocol.md, "Events"), else false; `there`:
-- that somebody does is known. Gathers what the script does, a line of JSON each, and publishes all
-- of it at the end. Where that may not be, for want of rights or of memory, nobody hears of it, and
-- the script does its work all the same. One function, as Redis would make a second one at each
-- call, for nobody.
local function listens(there)
  if events == nil and not there and call("EXISTS", ns .. "listeners") == 0 then
    events = false
  end
  if events ~= nil then
    return events
  end
  local lines, by, self = {}, "", {}
  local types = { SUCCESS = "succeeded", FAILURE = "failed", REVOKED = "revoked" }

  local function quote(text)
    return '"' .. text:gsub('[%c"\\\127]', function(c)
      return string.format("\\u%04x", c:byte())
    end) .. '"'
  end

  -- A name of a node from its id.
  local function name_of(node)
    return node:match("^(.*)/[^/]*$") or node
  end

  -- What follows is done by that worker.
  function self.by(incarnation)
    local node = (call("HGET", ns .. "workers", incarnation) or ""):match("^%S+")
    by = ',"worker":' .. quote(incarnation) .. (node and ',"node":' .. quote(name_of(node)) or "")
  end

  -- fields: name, text, ...; or name, number
  function self.tell(kind, ...)
    local line = { '{"type":"', kind, '"' }
    for i = 1, select("#", ...), 2 do
      local name, value = select(i, ...)
      if value then
        line[#line + 1] = ',"' .. name .. '":'
          .. (type(value) == "number" and string.format("%.15g", value) or quote(value))
      end
    end
    lines[#lines + 1] = table.concat(line) .. by
  end

  function self.node(kind, node, ...)
    self.tell(kind, "node", name_of(node), ...)
  end

  -- A job that has not ended, by its J record (false: read it), and further fields.
  function self.job(kind, id, record, ...)
    record = record or call("HGET", jobs, id) or ""
    local queue, retries, task = record:match("^J1 (%S+) %d (%d+) %d+ %d+ %d+ (%S+) ")
    self.tell(kind, "id", id, "task", task, "queue", queue,
      "retries", retries and retries ~= "0" and tonumber(retries), ...)
  end

  -- One that has, by its R record. kind: nil: its state's.
  function self.ended(id, record, kind)
    local state, queue, started, finished, task, at =
      record:match("^R1 (%S+) (%S+) %d %d+ %d+ %d+ (%d+) (%d+) %d+ %S+ (%S+) %d+ %d+\n()")
    if state then
      local runtime = started ~= "0" and (finished - started) / 1000000
      self.tell(kind or types[state] or state:lower(), "id", id, "task", task, "queue", queue,
        "runtime", runtime or nil,
        "code", state ~= "SUCCESS" and record:match('^{"code":"([%w_.]+)"', at) or nil)
    end
  end

  function self.publish()
    if #lines > 0 then
      local time = call("TIME")
      local at = string.format(',"at":%s.%06d}', time[1], time[2])
      local last = redis.pcall("INCRBY", ns .. "listeners", #lines)
      redis.pcall("PUBLISH", ns .. "events", (type(last) == "number" and last or "-") .. " "
        .. #lines .. "\n" .. table.concat(lines, at .. "\n") .. at)
      lines = {}
    end
  end

  events = self
  return self
end

-- At most one token a queue: it wakes one idle worker, and a fetch that leaves a backlog puts it
-- back.
local function wake(queue)
  local list = ns .. "wake:" .. queue
  if call("LLEN", list) == 0 then
    call("RPUSH", list, "1")
  end
end

-- A queue's state is "r" (runs) or "p" (paused), then its priority levels in use, the highest
-- first.
local function push(queue, level, ids, front)
  local state = call("HGET", ns .. "queues", queue) or "r"
  if not state:find(level, 2, true) then
    local at = 2
    while at <= #state and state:sub(at, at) > level do
      at = at + 1
    end
    state = state:sub(1, at - 1) .. level .. state:sub(at)
    call("HSET", ns .. "queues", queue, state)
  end
  local list = ns .. "queue:" .. queue .. ":" .. level
  local length = call(front and "LPUSH" or "RPUSH", list, unpack(ids))
  if length == #ids and state:byte(1) == 114 then
    wake(queue)
  end
end

-- Removes what these ids left in a list in an earlier life, as they go in front of it now; returns
-- how many entries that were.
local function drop_stale(queue, level, ids)
  local dropped = 0
  if call("EXISTS", ns .. "stale") == 1 then
    for _, id in ipairs(ids) do
      if call("HDEL", ns .. "stale", queue .. " " .. level .. " " .. id) == 1 then
        dropped = dropped + call("LREM", ns .. "queue:" .. queue .. ":" .. level, 0, id)
      end
    end
  end
  return dropped
end

-- Milliseconds since the epoch.
local function now_ms()
  local time = call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The same, and microseconds, of one look at the clock.
local function now_ms_us()
  local time = call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end

-- When a job is due, of its text: milliseconds since the epoch, or "+milliseconds" from now; nil
-- where it is neither. A double holds milliseconds exactly to the year 287396.
local function due_of(text, now)
  local ms = tonumber(text)
  if ms and ms > -9e15 and ms < 9e15 then
    return text:byte(1) == 43 and now + ms or ms
  end
end

-- Hands `take` these jobs with their records (false: it has none), until it returns true or they
-- were as many bytes. Returns how many it took, and how many bytes those have. Nobody knows how
-- large they are: one first, then as many as are expected to fit, but no more than 20.
local function read_records(ids, bytes, take)
  local count, size = 0, 0
  while count < #ids and (size < bytes or count == 0) do
    local fit = count == 0 and 1 or size == 0 and 20 or math.ceil((bytes - size) * count / size)
    local last = math.min(count + math.min(fit, 20), #ids)
    for _, record in ipairs(call("HMGET", jobs, unpack(ids, count + 1, last))) do
      count = count + 1
      size = size + (record and #record or 0)
      if take(ids[count], record) then
        return count, size
      end
    end
  end
  return count, size
end

-- The lists of a group or workflow whose job is taken away. Where results are held for a group, who
-- lets go of them must know its members, and drops the list.
local function drop_lists(id)
  call("DEL", ns .. "workflow:" .. id, ns .. "parts:" .. id)
  if call("HEXISTS", ns .. "held", "members " .. id) == 0 then
    call("DEL", ns .. "members:" .. id)
  end
end

-- Puts jobs (due_ms, id, due_ms, id, ...) into the delayed set and tells an agent when one of them
-- became the earliest.
local function delay(entries)
  call("ZADD", ns .. "delayed", unpack(entries))
  local first = call("ZRANGE", ns .. "delayed", 0, 0)[1]
  for i = 2, #entries, 2 do
    if entries[i] == first then
      if call("LLEN", ns .. "tick") == 0 then
        call("RPUSH", ns .. "tick", "1")
      end
      return
    end
  end
end

-- Queue and priority level of a J record; nil when it is none.
local function place_of(record)
  return record:match("^J1 (%S+) (%d) ")
end

-- The `extra` of a J record, and where it begins; nil where the record is damaged.
local function extra_of(record)
  local args, kwargs, extra, at = record:match("^J1 [^\n]* (%d+) (%d+) (%d+)\n()")
  local first = at and at + args + kwargs
  return first and record:sub(first, first + extra - 1), first
end

-- What a J record's `extra` says of an option, a number or a word; nil where it says nothing. No
-- more of it is read, but that names within the objects in it, as in headers, are not meant.
local function option_of(record, name)
  local extra, pattern = extra_of(record) or "", '"' .. name .. '":([%w.]+)'
  if extra:find("{", 2, true) and extra:find(pattern) then
    extra = extra:sub(2):gsub("\\.", "__"):gsub('"[^"]*"', function(text)
      return (text:gsub("[{}]", "_"))
    end):gsub("%b{}", "")
  end
  return extra:match(pattern)
end

-- Jobs that are due, by place: { queue, level, ids, records = }, in the order in which the places
-- come first; and how many jobs those are. Where a record is damaged or missing, `bury(id, record)`
-- is called, or, without that, those before it are all. Jobs of one place often follow each other:
-- only where one differs from the last is its header taken apart.
local function group_due(ids, records, bury)
  local order, places, place, head = {}, {}, nil, nil
  for i = 1, #ids do
    local record = records[i] or ""
    if not head or record:sub(1, #head) ~= head then
      local queue, level = place_of(record)
      if queue then
        head = "J1 " .. queue .. " " .. level .. " "
        place = places[head]
        if not place then
          place = { queue = queue, level = level, records = {} }
          places[head] = place
          order[#order + 1] = place
        end
      elseif bury then
        head, place = nil, nil
        bury(ids[i], record)
      else
        return order, i - 1
      end
    end
    if place then
      local n = #place + 1
      place[n] = ids[i]
      place.records[n] = record
    end
  end
  return order, #ids
end

-- To the inboxes of those who wait for a job: kind .. id .. "\n" .. text. Kinds: F final record, P
-- progress, U unknown, K end it (to the worker that holds it). Progress is left out where 64
-- messages lie unread, and keeps no inbox alive: its reader may be gone.
local function notify(owners, kind, id, text)
  for owner in owners:gmatch("%S+") do
    local inbox = ns .. "inbox:" .. owner
    if kind ~= "P" or call("LLEN", inbox) < 64 then
      local length = call("RPUSH", inbox, kind .. id .. "\n" .. text)
      if kind ~= "P" or length == 1 then
        call("EXPIRE", inbox, 120)
      end
    end
  end
end

-- The last word on a job, to all its waiters.
local function notify_end(id, kind, text)
  local owners = call("HGET", ns .. "waiters", id)
  if owners then
    call("HDEL", ns .. "waiters", id)
    notify(owners, kind, id, text)
  end
end

-- The queue under which an ended job is counted.
local function queue_of_outcome(record)
  return record:match("^R1 %S+ (%S+) ") or "-"
end

-- The incarnation that holds a job in flight, or nil. What a dead one held is in flight until
-- `recover` has given it back.
local function holder_of(id)
  for _, incarnation in ipairs(call("HKEYS", ns .. "workers")) do
    if call("SISMEMBER", ns .. "inflight:" .. incarnation, id) == 1 then
      return incarnation
    end
  end
  for _, incarnation in ipairs(call("HKEYS", ns .. "recovering")) do
    if call("SISMEMBER", ns .. "inflight:" .. incarnation, id) == 1
      or call("ZSCORE", ns .. "recovering:" .. incarnation, id) then
      return incarnation
    end
  end
end

-- The state that `inspect` tells of a job, from its record; UNKNOWN where that is gone.
local function state_of(id, record)
  if not record then
    return "UNKNOWN"
  elseif record:byte(1) == 82 then
    return record:match("^R1 (%S+) ") or "FAILURE"
  elseif call("HEXISTS", ns .. "deferred", id) == 1 then
    return "DEFERRED"
  elseif call("ZSCORE", ns .. "delayed", id) then
    return record:find("^J1 %S+ %d 0 ") and "SCHEDULED" or "RETRY"
  elseif holder_of(id) then
    return (call("HGET", ns .. "running", id) or "STARTED"):match("^%S+")
  end
  return "PENDING"
end

-- A list entry whose job ended as it waited stays until it is met, as removing it would be
-- O(length). `stale` counts such entries by list and id: the same id may live again behind them,
-- and must not be taken for them. Tells under which queue the job ended, as `ending`; an entry
-- whose queue is not known stays uncounted. The caller writes the tallies.
local function mark_stale(id, record, ending)
  local queue, level = place_of(record)
  if queue then
    call("HINCRBY", ns .. "stale", queue .. " " .. level .. " " .. id, 1)
    tally(queue, "stale", 1)
    tally(queue, ending, 1)
  end
end

-- True, and one mark less, when the entry just met is a stale one. The caller writes the tallies.
local function unmark_stale(queue, level, id)
  local field = queue .. " " .. level .. " " .. id
  local left = call("HGET", ns .. "stale", field)
  if left == "1" then
    call("HDEL", ns .. "stale", field)
  elseif left then
    call("HINCRBY", ns .. "stale", field, -1)
  end
  if left then
    tally(queue, "stale", -1)
  end
  return left ~= false
end

-- Records that end at a minute; `sweep` collects them.
local function expire_at(minute, ids)
  if minute ~= "0" and #ids > 0
    and call("RPUSH", ns .. "expire:" .. minute, unpack(ids)) == #ids then
    call("ZADD", ns .. "expiries", minute, minute)
  end
end

-- The R record of a job that ends without its worker; `minute` is when it expires ("0": never),
-- `body` the J record to keep or "".
local function outcome_of(record, state, value, now, minute, body)
  local queue, level, retries, crashes, losses, enqueued, task =
    record:match("^J1 (%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%S+) ")
  return table.concat({ "R1", state, queue or "-", level or "0", retries or "0",
    string.format("%d", (crashes or 0) + (losses or 0)), enqueued or "0", "0",
    string.format("%.0f000", now), minute, "-", task or "-", #value, #body }, " ")
    .. "\n" .. value .. body
end

-- The state of a beat entry, in `ticks`: the due time it has come to, how often it ran, "1" when it
-- is paused, the id of its last job or "-", when it was first seen, its version ("-": an entry of a
-- file) and what schedulers made of the timing of a file's entry (of run time: the state of the
-- file's whose place it takes, or "-"). nil when it was never seen.
local function beat_state(name)
  local last, runs, paused, id, first, version, timing = (call("HGET", ns .. "ticks", name) or "")
    :match("^(%S+) (%d+) ([01]) (%S+) (%d+) (%S+) (%S+)$")
  return last and { last = last, runs = tonumber(runs), paused = paused, id = id, first = first,
    version = version, timing = timing }
end

local function write_beat_state(name, s)
  call("HSET", ns .. "ticks", name, table.concat({ s.last, string.format("%d", s.runs), s.paused,
    s.id, s.first, s.version, s.timing }, " "))
end

-- From when on an entry goes on that begins anew: now, but not before what it has come to; where
-- that is over a minute ahead Redis's clock was set back.
local function beat_from_now(state, now)
  local last = tonumber(state.last)
  return string.format("%.0f", last > now + 60000 and now or math.max(now, last))
end

-- What a file's entry had come to, as the TIMING of the run-time entry that takes its place.
local function held_state(s)
  return table.concat({ string.format("%d", s.runs), s.paused, s.first, s.timing, s.id }, "|")
end

-- A run-time entry is gone, whose state that was: a file's goes on from now with what it had come
-- to.
local function give_back_state(name, s)
  local runs, paused, first, timing, id = s.timing:match("^(%d+)|([01])|(%d+)|([^|]+)|(%S+)$")
  if runs then
    write_beat_state(name, { last = string.format("%.0f", now_ms()), runs = tonumber(runs),
      paused = paused, id = id, first = first, version = "-", timing = timing })
  end
end

-- Entries have changed: a new version, which `promote` tells every agent, and a token for one that
-- waits. Returns the version.
local function beat_changed()
  local version = call("INCR", ns .. "beat_version")
  if call("LLEN", ns .. "tick") == 0 then
    call("RPUSH", ns .. "tick", "1")
  end
  return version
end

-- What a command reads of a key, for people who look at it; `instead`, where another type stands
-- there: then `wrong` has a line more.
local wrong = {}

local function look(instead, command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= "table" or not answer.err then
    return answer
  end
  wrong[#wrong + 1] = answer.err:find("WRONGTYPE", 1, true)
    and "the key " .. key .. " is of another type than what moil keeps there"
    or answer.err
  return instead
end

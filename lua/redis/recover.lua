-- recover: in flight with a condemned incarnation -> pending again, in front and in the order of
-- enqueueing; or dead.
-- ARGV: incarnation, crashes_max, losses_max
-- Returns 1 when there is more to do, else 0. Any agent may go on where another stopped.
-- First at most 250 ids a call move from the set to a list sorted by age, then at most 250 a call
-- go back, the youngest first. A crash is charged to the job that was on the CPU alone, a loss to
-- each job that the node ran for long enough to say so (`running`); the others go back free. A
-- job that was killed for its time limit, or crashed too often, goes back with the error behind its
-- record, as its verdict: the worker that gets it runs policy and hooks alone; when that delivery
-- dies too, it is dead. Begins with a removal, so that Redis lets it through over maxmemory.
local incarnation = ARGV[1]
local case = call("HGET", ns .. "recovering", incarnation)
if not case then
  return 0
end
local kind, by_task, on_cpu, value = case:match("^(%a+):?(%d*) (%S+) (.*)$")
local inflight, sorted = ns .. "inflight:" .. incarnation, ns .. "recovering:" .. incarnation

local ids = call("SPOP", inflight, 250)
if #ids > 0 then
  local records, ages = call("HMGET", jobs, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local record = records[i]
    if record and record:byte(1) ~= 82 then
      ages[#ages + 1] = record:match("^J1 %S+ %d %d+ %d+ %d+ (%d+) ") or "0"
      ages[#ages + 1] = id
    end
  end
  if #ages > 0 then
    call("ZADD", sorted, unpack(ages))
  end
  return 1
end

local engine

-- The record with one of its counts raised, and that count.
local function charge(record, position)
  local count
  local place = "^(J1 %S+ %d " .. ("%d+ "):rep(position - 1) .. ")(%d+)"
  local charged = record:gsub(place, function(head, n)
    count = n + 1
    return head .. string.format("%d", count)
  end, 1)
  return charged, count
end

local function bury(id, record)
  local now = now_ms()
  local ended = outcome_of(record, "FAILURE", value, now, "0", record)
  call("HSET", jobs, id, ended)
  call("ZADD", ns .. "dead", now, id)
  tally(queue_of_outcome(ended), "inflight", -1)
  tally(queue_of_outcome(ended), "dead", 1)
  notify_end(id, "F", ended)
  engine = engine or linker()
  engine.add({ id = id, state = "F", record = ended, kept = true })
end

-- The length of a record without the verdict behind it.
local function length_of(record)
  local head, args, kwargs, extra = record:match("^(J1 [^\n]* (%d+) (%d+) (%d+)\n)")
  return head and #head + args + kwargs + extra or #record
end

-- The bound that the job's sender knew of its task, else the one that its worker knew, else the
-- agent's.
local function crashes_allowed(record)
  local own = option_of(record, "max_deliveries")
  return tonumber(own) or tonumber(by_task) or tonumber(ARGV[2])
end

-- The record with what it is charged, and whether its time on workers is over.
local function judge(id, record)
  local count
  if kind == "crash" and id == on_cpu then
    record, count = charge(record, 2)
    return record, count >= crashes_allowed(record)
  elseif kind == "loss" and call("HEXISTS", ns .. "running", id) == 1 then
    record, count = charge(record, 3)
    return record, count >= tonumber(ARGV[3])
  end
  return record, kind == "limit" and id == on_cpu
end

local function give_back(id)
  local record = call("HGET", jobs, id)
  local queue, level = place_of(record or "")
  if not queue then
    if record then
      bury(id, record)
    end
    return
  end
  local judged, over = judge(id, record)
  call("HDEL", ns .. "running", id)
  local length = length_of(judged)
  if over and length < #judged then
    bury(id, judged:sub(1, length))
    return
  end
  if over then
    judged = judged .. value
  end
  if judged ~= record then
    call("HSET", jobs, id, judged)
  end
  push(queue, level, { id }, true)
  tally(queue, "inflight", -1)
  if listens() then
    events.job("requeued", id, judged)
  end
end

local back = call("ZPOPMAX", sorted, 250)
for i = 1, #back, 2 do
  give_back(back[i])
end
if engine then
  engine.run()
end
write_tallies()
if #back > 0 then
  return 1
end
call("DEL", ns .. "inbox:" .. incarnation)
call("HDEL", ns .. "recovering", incarnation)
return 0

-- why: what there is to know about why a job has not run yet. Reads only.
-- ARGV: id, cursor ("0": the beginning; of the search for what a deferred job waits for): HSCAN's
-- in `links`, and how many links in lists the page has behind it
-- Returns nil when unknown, else: what `inspect` tells (record, place, detail, note), now (ms), and
-- by place:
--   "pending"   the queue's state; how many jobs are before it, and "1" where those are all or "0"
--               where it stands behind the first 10,000 of its level; how many jobs of the queue
--               have ended, ever
--   "delayed"   the queue's state
--   "deferred"  the next cursor ("0": that was all); a list: for each job that it waits for id,
--               state, task; at most 500 fields of `links` are looked at, and 5,000 links in
--               lists, and 100 jobs told
--   "inflight"  NODE MS of its worker ("": it is dead, and recovery gives the job back); a list:
--               for each job that has run there for a while id, task, its note's first line; at
--               most 20
local id, cursor = ARGV[1], ARGV[2]
local record = call("HGET", jobs, id)
if not record then
  return nil
end
local note = call("HGET", ns .. "running", id) or ""

local function answer(place, detail, ...)
  return { { record, place, detail or "", note }, string.format("%.0f", now_ms()), ... }
end

local function state_of_queue(queue)
  return queue and call("HGET", ns .. "queues", queue) or "r"
end

local function task_of(text)
  return text and (text:match("^J1 %S+ %d %d+ %d+ %d+ %d+ (%S+) ")
    or text:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")) or "-"
end

-- How many jobs are before it, and whether those are all.
local function count_before(queue, level, state)
  local before = 0
  for other in state:sub(2):gmatch("%d") do
    if other > level then
      before = before + call("LLEN", ns .. "queue:" .. queue .. ":" .. other)
    end
  end
  local stale = tonumber(call("HGET", ns .. "stale", queue .. " " .. level .. " " .. id) or 0)
  local at = call("LPOS", ns .. "queue:" .. queue .. ":" .. level, id, "RANK", stale + 1,
    "MAXLEN", 10000)
  return before + (at or 10000), at and "1" or "0"
end

-- Whether the link, of an end that is to come, is one that the job waits for.
local function leads_here(mode, target)
  if mode:find("[mhsndeilc]") then
    return target == id
  end
  return mode:find("[SND]") and call("LPOS", ns .. "members:" .. target, id, "MAXLEN", 10000)
    and true
end

-- Whether one of a job's links in its list is, of `budget` behind the first `skip`; and how many
-- links the list has.
local function look_at_list(from, skip, budget)
  local list = ns .. "links:" .. from
  local count, leads = call("LLEN", list), false
  if budget > 0 and skip < count then
    for _, link in ipairs(call("LRANGE", list, skip, skip + budget - 1)) do
      leads = leads or leads_here(link:sub(1, 1), link:sub(3))
    end
  end
  return leads, count
end

-- The jobs that have a link to this one. Lists are gone through one after the other, as one long
-- one of which each call looks at the next part: HSCAN gives the same fields for the same cursor.
local function find_links(found)
  local scan, skip = cursor:match("^(%d+) ?(%d*)$")
  local next_cursor, fields = unpack(call("HSCAN", ns .. "links", scan, "COUNT", 500))
  skip = tonumber(skip) or 0
  local before, first, stop = 0, skip == 0, skip + 5000
  for i = 1, #fields, 2 do
    local from, leads, count = fields[i], false, 0
    for mode, target in fields[i + 1]:gmatch("(.).(%S*) ") do
      leads = leads or first and leads_here(mode, target)
    end
    if fields[i + 1]:sub(-3) == "+- " then
      local at = math.max(skip - before, 0)
      local in_list
      in_list, count = look_at_list(from, at, stop - before - at)
      leads = leads or in_list
    end
    before = before + count
    if leads and #found < 300 then
      local text = call("HGET", jobs, from)
      for _, value in ipairs({ from, state_of(from, text), task_of(text) }) do
        found[#found + 1] = value
      end
    end
  end
  if before > stop then
    return scan .. " " .. string.format("%.0f", stop)
  end
  return next_cursor
end

-- Jobs of the incarnation that have run long enough to have a note.
local function running_at(incarnation)
  local list = {}
  local _, ids = unpack(call("SSCAN", ns .. "inflight:" .. incarnation, 0, "COUNT", 500))
  for _, other in ipairs(ids) do
    local text = other ~= id and #list < 60 and call("HGET", ns .. "running", other)
    if text then
      list[#list + 1] = other
      list[#list + 1] = task_of(call("HGET", jobs, other))
      list[#list + 1] = text:match("^[^\n]*")
    end
  end
  return list
end

if record:byte(1) == 82 then
  local died = call("ZSCORE", ns .. "dead", id)
  return answer(died and "dead" or "ended", died)
end
local queue, level = place_of(record)
local due = call("ZSCORE", ns .. "delayed", id)
if due then
  return answer("delayed", due, state_of_queue(queue))
end
local open = call("HGET", ns .. "deferred", id)
if open then
  local found = {}
  local next_cursor = find_links(found)
  return answer("deferred", open:match("^%d*"), next_cursor, found)
end
local incarnation = holder_of(id)
if incarnation then
  return answer("inflight", incarnation, call("HGET", ns .. "workers", incarnation) or "",
    running_at(incarnation))
end
local state = state_of_queue(queue)
local before, exact = 0, "1"
if queue then
  before, exact = count_before(queue, level, state)
end
local ended = 0
for _, n in ipairs(call("HMGET", ns .. "counters:" .. (queue or "-"), "SUCCESS", "FAILURE",
  "REVOKED", "IGNORED", "dead")) do
  ended = ended + tonumber(n or 0)
end
return answer("pending", nil, state, before, exact, string.format("%.0f", ended))

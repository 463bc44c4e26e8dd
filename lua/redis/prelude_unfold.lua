-- A part of the prelude: batches (docs/protocol.md, "Batches"), by which workflows come in. For the
-- scripts that take them; what becomes of the jobs later is seen to by links (prelude_links.lua).

-- One more link of a job that has not ended. What passes 64 links of our own ids goes to a list.
local function attach(id, link)
  local text = call("HGET", ns .. "links", id) or ""
  if text:sub(-3) == "+- " then
    call("RPUSH", ns .. "links:" .. id, link)
  elseif #text >= 2496 then
    call("HSET", ns .. "links", id, text .. "+- ")
    call("RPUSH", ns .. "links:" .. id, link)
  else
    call("HSET", ns .. "links", id, text .. link .. " ")
  end
end

-- Reads a batch (docs/protocol.md, "Batches") from its first entry on. Returns it, or nil and what
-- is wrong with it; changes nothing.
local function read_batch(list, at)
  local b = { ids = {}, records = {}, plans = {}, links = {}, lists = {}, deps = {} }
  while at <= #list do
    local kind, n = list[at], #b.ids + 1
    if kind == "J" and at + 4 <= #list then
      b.ids[n], b.records[n], b.plans[n], b.links[n] = unpack(list, at + 1, at + 4)
      if not place_of(b.records[n]) or not (b.plans[n]:find("^%d+$") or b.plans[n]:find("^%d+ f$")
        or b.plans[n]:find("^%d+ %+?%d+$")) or b.links[n]:gsub("%a[%u%-]%S+ ", "") ~= "" then
        return nil, "ERR moil: a job of the batch is damaged: " .. b.ids[n]
      end
      at = at + 5
    elseif kind == "D" and at + 2 <= #list then
      b.deps[#b.deps + 1] = list[at + 1]
      b.deps[#b.deps + 1] = list[at + 2]
      at = at + 3
    elseif (kind == "M" or kind == "W") and tonumber(list[at + 2])
      and at + 2 + list[at + 2] <= #list then
      local last = at + 2 + list[at + 2]
      b.lists[#b.lists + 1] = { (kind == "M" and "members:" or "workflow:") .. list[at + 1], at + 3,
        last }
      at = last + 1
    else
      return nil, "ERR moil: the batch is damaged at its argument " .. at
    end
  end
  b.from = list
  return b
end

-- The position of the first job of a batch whose id has a record, but for `own`'s.
local function clash_in(batch, own)
  local found = #batch.ids > 0 and call("HMGET", jobs, unpack(batch.ids)) or {}
  local seen = {}
  for i, id in ipairs(batch.ids) do
    if (found[i] and id ~= own) or seen[id] then
      return i
    end
    seen[id] = true
  end
end

-- Holds the results that jobs of a batch depend on, until each of them lets go with its link `k`.
local function hold_deps(batch)
  for i = 1, #batch.deps, 2 do
    if batch.deps[i + 1]:lower():byte(1) == 110 then
      call("HINCRBY", ns .. "held", batch.deps[i], 1)
    end
  end
end

-- The links that a batch puts on jobs that are there already; what has ended acts at once. `n`
-- becomes `d`: as `n`, but whoever waits is no part of that job's own workflow.
local function link_deps(batch, engine)
  for i = 1, #batch.deps, 2 do
    local id, link = batch.deps[i], batch.deps[i + 1]:gsub("^n", "d")
    local record = call("HGET", jobs, id)
    if record and record:byte(1) ~= 82 then
      attach(id, link)
    elseif record then
      engine.add({ id = id, state = mode_of_end(record), record = record, kept = true, guest = true,
        links = link .. " " })
    else
      engine.add({ id = id, state = "F", guest = true, links = link .. " ",
        value = error_text("Deleted", "its result was deleted") })
    end
  end
end

-- The links of a new job, whose results they hold, and their overflow.
local function link_new(id, text, out, own)
  for group in text:gmatch("h.(%S+) ") do
    out.held["members " .. group] = true
  end
  if id == own then
    for link in text:gmatch("%S+") do
      attach(id, link)
    end
    return
  end
  if #text > 2496 then
    local cut = text:find(" ", 2496, true)
    for link in text:sub(cut + 1):gmatch("%S+") do
      call("RPUSH", ns .. "links:" .. id, link)
    end
    text = text:sub(1, cut) .. (cut < #text and "+- " or "")
  end
  out.links[#out.links + 1] = id
  out.links[#out.links + 1] = text
end

-- Writes the jobs of a batch down in their places: ready, delayed or deferred. `own` is the job that
-- the batch replaces, if any: it was counted as enqueued before. A job whose id is in use counts as
-- failed for those behind it. The caller runs the engine, and writes the tallies.
local function unfold(batch, engine, own)
  for _, list in ipairs(batch.lists) do
    for i = list[2], list[3], 1000 do
      call("RPUSH", ns .. list[1], unpack(batch.from, i, math.min(i + 999, list[3])))
    end
  end
  local records = #batch.ids > 0 and call("HMGET", jobs, unpack(batch.ids)) or {}
  local out = { jobs = {}, deferred = {}, links = {}, delays = {}, runs = {}, held = {} }
  local seen, now = {}, nil

  local function place(id, record, plan)
    local queue, level = place_of(record)
    local open, due = plan:match("^(%d+) ?(.*)$")
    if id ~= own then
      tally(queue, "enqueued", 1)
    end
    if open == "0" and record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group ") then
      open, plan = "1", "1"
      engine.count(id, "A", 1)
    end
    if open ~= "0" then
      tally(queue, "deferred", 1)
      out.deferred[#out.deferred + 1] = id
      out.deferred[#out.deferred + 1] = plan
    elseif due ~= "" and due ~= "f" then
      now = now or now_ms()
      tally(queue, "delayed", 1)
      out.delays[#out.delays + 1] = due:byte(1) == 43 and now + due or due
      out.delays[#out.delays + 1] = id
    else
      local name = queue .. " " .. level .. due
      local run = out.runs[name] or { queue = queue, level = level, front = due == "f" }
      if #run == 0 then
        out.runs[name] = run
        out.runs[#out.runs + 1] = run
      end
      run[#run + 1] = id
    end
  end

  for i, id in ipairs(batch.ids) do
    local text = batch.links[i]
    if (records[i] and id ~= own) or seen[id] then
      if text ~= "" then
        engine.add({ id = id .. ":in-use", state = "F", guest = true, links = text,
          value = error_text("BadMessage", "its id is in use by another job") })
      end
    else
      seen[id] = true
      out.jobs[#out.jobs + 1] = id
      out.jobs[#out.jobs + 1] = batch.records[i]
      place(id, batch.records[i], batch.plans[i])
      if text ~= "" then
        link_new(id, text, out, own)
      end
    end
  end
  for key, flat in pairs({ jobs = out.jobs, deferred = out.deferred, links = out.links }) do
    if #flat > 0 then
      call("HSET", ns .. key, unpack(flat))
    end
  end
  for mark in pairs(out.held) do
    call("HSET", ns .. "held", mark, "g")
  end
  for queue in pairs(tallies) do
    call("HSETNX", ns .. "queues", queue, "r")
  end
  if #out.delays > 0 then
    delay(out.delays)
  end
  for _, run in ipairs(out.runs) do
    if run.front then
      tally(run.queue, "stale", -drop_stale(run.queue, run.level, run))
    end
    push(run.queue, run.level, run, run.front)
  end
end

-- Begins to unfold what was staged: `first` is its first batch. The rest is for `advance`, links on
-- jobs that are there already last, when all that they lead to is there.
local function adopt(token, first, engine, own)
  local rest = ns .. "accepted:" .. token
  call("RENAME", ns .. "staged:" .. token, rest)
  call("PERSIST", rest)
  call("LPOP", rest)
  hold_deps(first)
  unfold(first, engine, own)
  if call("LLEN", rest) == 0 then
    link_deps(first, engine)
    return
  end
  if #first.deps > 0 then
    local last = {}
    for i = 1, #first.deps, 2 do
      last[#last + 1] = "D"
      last[#last + 1] = first.deps[i]
      last[#last + 1] = first.deps[i + 1]
    end
    call("RPUSH", rest, cmsgpack.pack(last))
  end
  put_off({ "a " .. token })
end

-- A part of the prelude, a module of its own (prelude_links.lua says why): `unfolder` is called
-- once by a script that takes batches (docs/protocol.md, "Batches"), by which workflows come in.
-- `engine` is a linker, which sees to what ends at once; the caller runs it, and writes the
-- tallies.
local function unfolder(engine)
  local u = {}

  -- Where the links of one job are too many for `links`: 64 of our own ids.
  local LINKS_BYTES = 2496

  local LISTS = { M = "members:", P = "parts:", W = "workflow:" }

  -- Reads a batch from its first entry on. Returns it, or nil and what is wrong with it; changes
  -- nothing.
  function u.read(list, at)
    local b = { from = list, ids = {}, records = {}, plans = {}, links = {}, lists = {}, deps = {},
      ready = {} }
    while at <= #list do
      local kind, n = list[at], #b.ids + 1
      local count = LISTS[kind] and tonumber(list[at + 2])
      if kind == "J" and at + 4 <= #list then
        b.ids[n], b.records[n], b.plans[n], b.links[n] = unpack(list, at + 1, at + 4)
        local plan = b.plans[n]
        if not place_of(b.records[n]) or b.links[n]:gsub("%a[%u%-]%S+ ", "") ~= ""
          or not (plan:find("^%d+$") or plan:find("^%d+ f$") or plan:find("^%d+ %+?%d+$")) then
          return nil, "ERR moil: a job of the batch is damaged: " .. b.ids[n]
        end
        at = at + 5
      elseif kind == "D" and at + 2 <= #list then
        b.deps[#b.deps + 1] = list[at + 1]
        b.deps[#b.deps + 1] = list[at + 2]
        at = at + 3
      elseif kind == "G" and at < #list then
        b.ready[#b.ready + 1] = list[at + 1]
        at = at + 2
      elseif count and count >= 0 and at + 2 + count <= #list then
        b.lists[#b.lists + 1] = { LISTS[kind] .. list[at + 1],
          at + 3, at + 2 + count }
        at = at + 3 + count
      else
        return nil, "ERR moil: the batch is damaged at its argument " .. at
      end
    end
    return b
  end

  -- The first id of a batch that is in use, by another job or twice.
  function u.clash(batch)
    local found = #batch.ids > 0 and call("HMGET", jobs, unpack(batch.ids)) or {}
    local seen = {}
    for i, id in ipairs(batch.ids) do
      if found[i] or seen[id] then
        return id
      end
      seen[id] = true
    end
  end

  -- Holds the results that jobs of a batch depend on, until each of them lets go with its link `k`.
  local function hold(batch)
    for i = 1, #batch.deps, 2 do
      if batch.deps[i + 1]:lower():byte(1) == 110 then
        call("HINCRBY", ns .. "held", batch.deps[i], 1)
      end
    end
  end

  -- One more link of a job that has not ended.
  local function attach(id, link)
    local text = call("HGET", ns .. "links", id) or ""
    if text:sub(-3) == "+- " then
      call("RPUSH", ns .. "links:" .. id, link)
    elseif #text >= LINKS_BYTES then
      call("HSET", ns .. "links", id, text .. "+- ")
      call("RPUSH", ns .. "links:" .. id, link)
    else
      call("HSET", ns .. "links", id, text .. link .. " ")
    end
  end

  -- Its worker is to settle a job with its value, whatever was said about its result, as others may
  -- ask for it: `linked` goes into its `extra`. One that is in flight was read before.
  local function want(id, record)
    local extra, first = extra_of(record)
    local rest = extra == "" and "}" or extra and extra:match("^{%s*(.+)$")
    if not rest or extra:find('^{"linked":true') then
      return
    end
    local anew = '{"linked":true' .. (rest == "}" and "" or ",") .. rest
    local line = record:find("\n", 1, true)
    call("HSET", jobs, id, record:sub(1, line - 1):gsub("%d+$", #anew)
      .. record:sub(line, first - 1) .. anew .. record:sub(first + #extra))
  end

  -- The links that a batch puts on jobs that are there already. `n` becomes `d`, `N` `D`: whoever
  -- waits so is no part of that job's own workflow.
  local function attach_all(batch)
    for i = 1, #batch.deps, 2 do
      local id, link = batch.deps[i], batch.deps[i + 1]:gsub("^n", "d"):gsub("^N", "D")
      local record = call("HGET", jobs, id)
      if record and record:byte(1) ~= 82 then
        attach(id, link)
        want(id, record)
      elseif record then
        engine.add({ id = id, state = record:find("^R1 SUCCESS ") and "S" or "F", record = record,
          kept = true, guest = true, links = link .. " " })
      else
        engine.add({ id = id, state = "F", guest = true, links = link .. " ",
          value = engine.error_text("Deleted", "it was deleted") })
      end
    end
  end

  -- The links of a new job; those of `own` are added to what it has.
  local function link(id, text, out, own)
    for mode, group in text:gmatch("(.).(%S+) ") do
      if mode == "h" then
        out.held["members " .. group] = true
      end
    end
    if id == own then
      for one in text:gmatch("%S+") do
        attach(id, one)
      end
      return
    end
    local cut = text:find(" ", LINKS_BYTES, true)
    if cut and cut < #text then
      for one in text:sub(cut + 1):gmatch("%S+") do
        call("RPUSH", ns .. "links:" .. id, one)
      end
      text = text:sub(1, cut) .. "+- "
    end
    out.links[#out.links + 1] = id
    out.links[#out.links + 1] = text
  end

  local function place(id, record, plan, out)
    local queue, level = place_of(record)
    local open, due = plan:match("^(%d+) ?(.*)$")
    if open == "0" and engine.is_group(record) then
      open, plan = "1", "1"
      engine.end_one(id, "A")
    end
    if open == "0" then
      engine.start(id, queue, level, due)
    else
      tally(queue, "deferred", 1)
      out.deferred[#out.deferred + 1] = id
      out.deferred[#out.deferred + 1] = plan
    end
  end

  local function write(out)
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
    engine.write()
  end

  -- Writes the jobs of a batch down in their places. `own`: the job that the batch replaces, which
  -- was counted as enqueued before. A job whose id is in use counts as failed for those behind it.
  local function unfold(batch, own)
    for _, list in ipairs(batch.lists) do
      for i = list[2], list[3], 1000 do
        call("RPUSH", ns .. list[1], unpack(batch.from, i, math.min(i + 999, list[3])))
      end
    end
    local found = #batch.ids > 0 and call("HMGET", jobs, unpack(batch.ids)) or {}
    local out, seen = { jobs = {}, deferred = {}, links = {}, held = {} }, {}
    for i, id in ipairs(batch.ids) do
      local record, text = batch.records[i], batch.links[i]
      if (found[i] and id ~= own) or seen[id] then
        engine.add({ id = id .. ":in-use", state = "F", guest = true, links = text,
          value = engine.error_text("BadMessage", "its id is in use by another job") })
      else
        seen[id] = true
        out.jobs[#out.jobs + 1] = id
        out.jobs[#out.jobs + 1] = record
        if id ~= own then
          tally(place_of(record), "enqueued", 1)
        end
        place(id, record, batch.plans[i], out)
        if text ~= "" then
          link(id, text, out, own)
        end
      end
    end
    write(out)
  end

  -- A whole workflow, or its last batch.
  function u.take(batch)
    unfold(batch)
    attach_all(batch)
    for _, id in ipairs(batch.ready) do
      engine.end_one(id)
    end
  end

  -- As `take`, for what has no batch after it and none before.
  function u.take_all(batch)
    hold(batch)
    u.take(batch)
  end

  -- Begins to unfold what was staged, of which `first` is the first batch. The rest is for
  -- `advance`; links on jobs that are there already come last, when all that they lead to is there.
  function u.adopt(token, first, own)
    local rest, last = ns .. "accepted:" .. token, {}
    call("RENAME", ns .. "staged:" .. token, rest)
    call("PERSIST", rest)
    call("LPOP", rest)
    hold(first)
    if call("EXISTS", rest) == 0 then
      unfold(first, own)
      return attach_all(first)
    end
    if first.plans[1]:byte(1) == 48 and not engine.is_group(first.records[1]) then
      -- Else it might end before what its end leads to is there.
      first.plans[1] = "1" .. first.plans[1]:sub(2)
      last = { "G", first.ids[1] }
    end
    unfold(first, own)
    for i = 1, #first.deps, 2 do
      last[#last + 1] = "D"
      last[#last + 1] = first.deps[i]
      last[#last + 1] = first.deps[i + 1]
    end
    if #last > 0 then
      call("RPUSH", rest, cmsgpack.pack(last))
    end
    engine.put_off("a " .. token)
  end

  -- A job goes on as what was staged under a token; its own record was of queue `queue`. Where
  -- nothing is staged (any more), it fails.
  function u.replace(id, record, token)
    local packed = call("LINDEX", ns .. "staged:" .. token, 0)
    local batch = packed and u.read(cmsgpack.unpack(packed), 1)
    local queue = place_of(record) or "-"
    tally(queue, "inflight", -1)
    if batch and batch.ids[1] == id then
      tally(queue, "enqueued", -1)
      tally(place_of(batch.records[1]), "enqueued", 1)
      u.adopt(token, batch, id)
    else
      engine.finish(id, record, "FAILURE",
        engine.error_text("BadMessage", "what it was to be replaced by is gone"))
      tally(queue, "FAILURE", 1)
      engine.write()
    end
  end

  return u
end

-- A part of the prelude: links (docs/protocol.md, "Links"), what the end of a job does to others.
-- For scripts that end jobs. It begins no script of its own and reads no payloads, but for the
-- values that it hands on as they are.

-- As {"code", "message"}, in JSON.
local function error_text(code, message)
  return '{"code":"' .. code .. '","message":"' .. message:gsub('[\\"]', "\\%0") .. '"}'
end

-- "S" success, "F" whatever else, of a job that has ended.
local function mode_of_end(record)
  return record:find("^R1 SUCCESS ") and "S" or "F"
end

-- The minute at which the result of a job expires that ends without a worker, "0" for never: what
-- its sender said in `extra`, of which no more is read, else a day.
local function expiry_of(record, now)
  local args, kwargs, extra, at =
    record:match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+) (%d+)\n()")
  local first = at and at + args + kwargs
  local ttl = at and record:sub(first, first + extra - 1):match('"result_ttl":([%w.]+)')
  if ttl == "false" then
    return "0"
  end
  return string.format("%d", math.ceil((now / 1000 + (tonumber(ttl) or 86400)) / 60))
end

-- Something is left for `advance`: an agent takes it up.
local function put_off(items)
  if #items > 0 then
    call("RPUSH", ns .. "advancing", unpack(items))
    if call("LLEN", ns .. "tick") == 0 then
      call("RPUSH", ns .. "tick", "1")
    end
  end
end

-- The one who follows links: of the jobs that the script tells it of, of those that end by that in
-- turn, and so on, in rounds, each with a handful of commands. What is more than a script may do
-- becomes items of `advancing`. All in one definition, as Redis makes the closures of a script anew
-- at each call: a script that meets no link makes this one alone.
-- A job that ended is e: {id, state, links; record, or value and task; kept}. state: "S" success,
-- "F" failure, "D" dropped (it was never meant to run, nor is what hangs on it). A target t of links
-- is {id, ends, front; policy, fault, state, drop}. A guest is an end whose links are not those in
-- `links`, where others may stand under its id.
local function linker()
  local links, deferred, held = ns .. "links", ns .. "deferred", ns .. "held"
  local FAILED = '{"code":"DependencyFailed"'
  local UNKEPT = {
    FAILURE = error_text("Failed", "its error was not kept"),
    IGNORED = error_text("Ignored", "it ended without a result"),
    deleted = error_text("Deleted", "it was deleted"),
    purged = error_text("Purged", "it was purged"),
  }
  local left, now = 500, nil
  local ends, next_end, works, items = {}, 1, {}, {}
  local targets, order, done = {}, {}, {}
  local written, fresh, runs, delays
  local groups_held = {}
  local self = {}

  local function quote(text)
    return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
  end

  local function clock()
    now = now or now_ms()
    return now
  end

  -- Result or error of a job that ended, as JSON.
  local function value_of(e)
    if not e.value then
      local task, size, at = e.record:match(
        "^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) (%d+) %d+\n()")
      e.task = task
      e.value = at and size ~= "0" and e.record:sub(at, at + size - 1) or "null"
    end
    return e.value
  end

  -- The error of what depends on it. A cause that is such an error itself is handed on.
  local function fault_of(e)
    if not e.fault then
      local value = value_of(e)
      e.fault = value:sub(1, #FAILED) == FAILED and value or FAILED .. ',"message":'
        .. quote("job " .. e.id .. " (" .. (e.task or "-") .. ") failed") .. ',"dependency":'
        .. quote(e.id) .. ',"cause":' .. value .. "}"
    end
    return e.fault
  end

  local function target(id)
    local t = targets[id]
    if not t then
      t = { id = id, ends = 0, front = "" }
      targets[id] = t
      order[#order + 1] = id
    end
    return t
  end

  -- How an end is written down in an item: nothing where its record says it.
  local function words_of(e)
    if e.kept then
      return ""
    end
    return " " .. e.state .. " " .. (e.task or "-") .. " " .. value_of(e)
  end

  local function release(e, mode, policy, id)
    local t = target(id)
    if e.state == "D" and mode ~= "d" then
      t.drop = true
    elseif e.state == "S" or policy == "A" then
      t.ends = t.ends + 1
      if mode == "s" then
        t.front = t.front .. (e.state == "S" and value_of(e) or "null") .. ","
      end
    elseif not t.state then
      t.fault, t.state = fault_of(e), policy == "R" and "REVOKED" or "FAILURE"
    end
  end

  local function call_back(e, mode, id)
    local t = target(id)
    if e.state ~= (mode == "e" and "F" or "S") then
      t.drop = true
      return
    end
    t.ends = t.ends + 1
    if mode == "l" then
      t.front = t.front .. value_of(e) .. ","
    elseif mode == "e" then
      t.front = t.front .. value_of(e) .. "," .. quote(e.id) .. ","
    end
  end

  -- A member of a group.
  local function join_group(e, policy, id)
    local t = target(id)
    t.policy = policy
    if e.state == "D" then
      t.drop = true
      return
    end
    t.ends = t.ends + 1
    if e.state == "F" and policy ~= "A" and not t.fault then
      t.fault = fault_of(e)
    end
  end

  -- A page of the members that wait for e. Its result is held until the last page.
  local function fan_out(e, mode, policy, id, from)
    local page = math.max(1, math.min(left, 250))
    local ids = call("LRANGE", ns .. "members:" .. id, from, from + page - 1)
    for _, member in ipairs(ids) do
      release(e, mode, policy, member)
    end
    left = left - #ids
    if #ids == page then
      works[#works + 1] = string.format("f %s%s %d %s %s%s", mode, policy, from + page, id, e.id,
        words_of(e))
      if e.kept and from == 0 then
        call("HINCRBY", held, e.id, 1)
      end
    elseif from > 0 and e.kept then
      self.unhold(e.id)
    end
  end

  function self.unhold(id)
    local count = call("HGET", held, id)
    if count == "1" then
      call("HDEL", held, id)
    elseif count then
      call("HINCRBY", held, id, -1)
    end
  end

  -- What `inspect workflow` and a reader of results need stays as long as the result.
  local function retire(e, id)
    local minute = e.kept and e.record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ")
    if minute == "0" and e.state == "S" then
      return
    end
    local seconds = (not minute or minute == "0") and 86400
      or math.max(60, math.ceil(minute * 60 - clock() / 1000))
    call("EXPIRE", ns .. "workflow:" .. id, seconds)
    call("EXPIRE", ns .. "members:" .. id, seconds)
  end

  local function act(e, mode, policy, id)
    if mode == "m" or mode == "h" then
      join_group(e, policy, id)
    elseif mode == "s" or mode == "n" or mode == "d" then
      release(e, mode, policy, id)
    elseif mode == "e" or mode == "l" or mode == "c" then
      call_back(e, mode, id)
    elseif mode == "S" or mode == "N" then
      fan_out(e, mode:lower(), policy, id, 0)
    elseif mode == "k" then
      self.unhold(id)
    elseif mode == "u" then
      works[#works + 1] = "u 0 " .. id
    elseif mode == "w" then
      retire(e, id)
    end
  end

  -- The rest of the links of e is for `advance`.
  local function leave(e, rest)
    if e.guest then
      rest = (call("HGET", links, e.id) or "") .. rest
    end
    if rest ~= e.links then
      call("HSET", links, e.id, rest)
    end
    items[#items + 1] = "l " .. e.id .. words_of(e)
  end

  -- The links of e, as many as there is room for.
  local function follow(e)
    local at = 1
    for mode, policy, id, after in e.links:gmatch("(.)(.)(%S*) ()") do
      if left <= 0 then
        return leave(e, e.links:sub(at))
      end
      left = left - 1
      if mode == "+" then
        local more = call("LPOP", ns .. "links:" .. e.id, left + 1) or {}
        left = left - #more
        for _, link in ipairs(more) do
          act(e, link:sub(1, 1), link:sub(2, 2), link:sub(3))
        end
        if call("LLEN", ns .. "links:" .. e.id) > 0 then
          return leave(e, "+- ")
        end
      else
        act(e, mode, policy, id)
      end
      at = after
    end
    if not e.guest then
      done[#done + 1] = e.id
    end
  end

  -- What becomes of a target with so many ends still open: "run", an end's state, "D", or nothing
  -- yet.
  local function judge(t, open)
    local n, due = open:match("^(%d+) ?(.*)$")
    n = n - t.ends
    t.open, t.due = due == "" and string.format("%d", n) or string.format("%d ", n) .. due, due
    if t.drop then
      return "D"
    elseif t.state then
      return t.state
    elseif not t.policy then
      return n <= 0 and "run" or nil
    elseif t.fault and t.policy ~= "W" then
      if t.policy == "R" then
        works[#works + 1] = "x 0 " .. t.id
      end
      return "FAILURE"
    elseif t.fault then
      call("HSETNX", ns .. "faults", t.id, t.fault)
    end
    if n <= 0 then
      t.fault = t.policy == "W" and call("HGET", ns .. "faults", t.id)
      if t.fault then
        call("HDEL", ns .. "faults", t.id)
      end
      return t.fault and "FAILURE" or "SUCCESS"
    end
  end

  local function write(id, record)
    written[#written + 1] = id
    written[#written + 1] = record
  end

  -- Ends a job here; `place` is where it was counted, nil where that was seen to.
  local function finish(id, record, state, value, place)
    local minute = expiry_of(record, clock())
    local ended = outcome_of(record, state, value, now, minute, "")
    local queue = queue_of_outcome(ended)
    write(id, ended)
    left = left - 1
    if place then
      tally(queue, place, -1)
      tally(queue, state, 1)
    end
    notify_end(id, "F", ended)
    fresh[#fresh + 1] = { id = id, state = state == "SUCCESS" and "S" or "F", record = ended,
      minute = minute, kept = true }
  end

  -- The record with JSON values, each followed by a comma, in front of its arguments.
  local function splice(record, front)
    local head, length, tail, at =
      record:match("^(J1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ )(%d+)( %d+ %d+\n)()")
    local inner = head and record:match("^%s*%[%s*()", at)
    if not inner or inner > at + length then
      return record
    end
    if record:byte(inner) == 93 then
      front = front:sub(1, -2)
    end
    local size = length + #front - (inner - at) + 1
    return head .. string.format("%d", size) .. tail .. "[" .. front .. record:sub(inner)
  end

  local function run(id, queue, level, due)
    tally(queue, "deferred", -1)
    if due ~= "" and due ~= "f" then
      tally(queue, "delayed", 1)
      delays[#delays + 1] = due:byte(1) == 43 and clock() + due or due
      delays[#delays + 1] = id
      return
    end
    local name = queue .. " " .. level .. due
    local batch = runs[name]
    if not batch then
      batch = { queue = queue, level = level, front = due == "f" }
      runs[name] = batch
      runs[#runs + 1] = batch
    end
    batch[#batch + 1] = id
  end

  -- Does to a target what was found; `record` is its J record.
  local function move(t, record, verdict)
    local queue, level = place_of(record)
    if verdict == "run" and not queue then
      finish(t.id, record, "FAILURE", error_text("BadMessage", "the record is damaged"), "deferred")
    elseif verdict == "run" then
      run(t.id, queue, level, t.due)
    elseif verdict == "D" then
      call("HDEL", jobs, t.id)
      tally(queue or "-", "deferred", -1)
      tally(queue or "-", "IGNORED", 1)
      notify_end(t.id, "U", "")
      left = left - 1
      fresh[#fresh + 1] = { id = t.id, state = "D", task = record:match("^J1 " .. ("%S+ "):rep(6)
        .. "(%S+)"), value = error_text("Ignored", "it was a callback of an end that did not come") }
    elseif verdict then
      finish(t.id, record, verdict, verdict == "SUCCESS" and "null" or t.fault, "deferred")
    end
    if t.front ~= "" and (verdict == "run" or not verdict) then
      write(t.id, splice(record, t.front))
    end
  end

  -- The links of what has just ended here; results that nobody holds go to their minutes' buckets.
  local function take_up(list)
    local ids, buckets = {}, {}
    for i, e in ipairs(list) do
      ids[i] = e.id
    end
    local texts = call("HMGET", links, unpack(ids))
    for i, e in ipairs(list) do
      e.links = texts[i]
      if e.minute and not (e.links and self.is_held(e.links)) then
        buckets[e.minute] = buckets[e.minute] or {}
        table.insert(buckets[e.minute], e.id)
      end
      if e.links then
        ends[#ends + 1] = e
      end
    end
    for minute, of in pairs(buckets) do
      expire_at(minute, of)
    end
  end

  local function begin_round()
    targets, order, done = {}, {}, {}
  end

  local function begin_moves()
    written, fresh, runs, delays = {}, {}, {}, {}
  end

  local function write_moves()
    if #written > 0 then
      call("HSET", jobs, unpack(written))
    end
    for _, batch in ipairs(runs) do
      if batch.front then
        tally(batch.queue, "stale", -drop_stale(batch.queue, batch.level, batch))
      end
      push(batch.queue, batch.level, batch, batch.front)
    end
    if #delays > 0 then
      delay(delays)
    end
    if #fresh > 0 then
      take_up(fresh)
    end
  end

  -- All targets of a round at once.
  local function apply()
    if #done > 0 then
      call("HDEL", links, unpack(done))
    end
    if #order == 0 then
      return begin_round()
    end
    begin_moves()
    local opens, changed, gone, moved = call("HMGET", deferred, unpack(order)), {}, {}, {}
    for i, id in ipairs(order) do
      local t = targets[id]
      local verdict = opens[i] and judge(t, opens[i])
      if verdict then
        gone[#gone + 1] = id
      elseif opens[i] then
        changed[#changed + 1] = id
        changed[#changed + 1] = t.open
      end
      if verdict or (opens[i] and t.front ~= "") then
        t.verdict = verdict
        moved[#moved + 1] = id
      end
    end
    if #gone > 0 then
      call("HDEL", deferred, unpack(gone))
    end
    for i, record in ipairs(#moved > 0 and call("HMGET", jobs, unpack(moved)) or {}) do
      if record and record:byte(1) ~= 82 then
        local t = targets[moved[i]]
        move(t, record, t.verdict)
      end
    end
    if #changed > 0 then
      call("HSET", deferred, unpack(changed))
    end
    begin_round()
    write_moves()
  end

  -- An item "l ID ..." or "f ...": e, as its record or the item tells.
  local function ended_of(id, words)
    local state, task, value = words:match("^ (%a) (%S+) (.*)$")
    if state then
      return { id = id, state = state, task = task, value = value }
    end
    local record = call("HGET", jobs, id)
    if record and record:byte(1) == 82 then
      return { id = id, state = mode_of_end(record), record = record, kept = true }
    end
    return { id = id, state = "F", value = error_text("Deleted", "its result was deleted") }
  end

  -- Results of a group that were held, a page: to the buckets of their minutes.
  local function let_go(from, id)
    local mark = "members " .. id
    if from == 0 then
      if not call("HGET", held, mark) then
        return
      end
      call("HSET", held, mark, "u")
    end
    local ids, buckets = call("LRANGE", ns .. "members:" .. id, from, from + 99), {}
    for i, record in ipairs(#ids > 0 and call("HMGET", jobs, unpack(ids)) or {}) do
      local minute, task = (record or ""):match(
        "^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) %S+ (%S+) ")
      if minute and minute ~= "0" then
        minute = string.format("%d", math.max(minute, math.floor(clock() / 60000) + 1))
        buckets[minute] = buckets[minute] or {}
        table.insert(buckets[minute], ids[i])
      end
      if task == "moil.group" or (record and record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group "))
      then
        works[#works + 1] = "u 0 " .. ids[i]
      end
    end
    for minute, of in pairs(buckets) do
      expire_at(minute, of)
    end
    left = left - #ids - 1
    if #ids == 100 then
      works[#works + 1] = string.format("u %d ", from + 100) .. id
    else
      call("HDEL", held, mark)
    end
  end

  -- Which of these ids a worker holds, or recovery has still to give back.
  local function in_flight(ids)
    local found = {}
    local function add(answers)
      for i, id in ipairs(ids) do
        found[id] = found[id] or (answers[i] and answers[i] ~= 0)
      end
    end
    for _, hash in ipairs({ "workers", "recovering" }) do
      for _, incarnation in ipairs(call("HKEYS", ns .. hash)) do
        add(call("SMISMEMBER", ns .. "inflight:" .. incarnation, unpack(ids)))
        if hash == "recovering" then
          add(call("ZMSCORE", ns .. "recovering:" .. incarnation, unpack(ids)))
        end
      end
    end
    return found
  end

  local function revoke_one(id, record, open)
    local queue = place_of(record) or "-"
    local place = open and "deferred" or call("ZREM", ns .. "delayed", id) == 1 and "delayed" or nil
    if open then
      call("HDEL", deferred, id)
    end
    if not place and queue ~= "-" then
      mark_stale(id, record, "REVOKED")
    end
    finish(id, record, "REVOKED", error_text("Revoked", "its group has failed or was revoked"), place)
    if record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group ") then
      works[#works + 1] = "x 0 " .. id
    end
  end

  -- Members of a group that have not started, a page.
  local function revoke_members(from, id)
    local ids = call("LRANGE", ns .. "members:" .. id, from, from + 99)
    left = left - 1
    if #ids == 0 then
      return
    end
    begin_moves()
    local opens, records = call("HMGET", deferred, unpack(ids)), call("HMGET", jobs, unpack(ids))
    local busy = in_flight(ids)
    for i, member in ipairs(ids) do
      if records[i] and records[i]:byte(1) ~= 82 and not busy[member] then
        revoke_one(member, records[i], opens[i])
      end
    end
    write_moves()
    if #ids == 100 then
      works[#works + 1] = string.format("x %d ", from + 100) .. id
    end
  end

  local function perform(item)
    local kind, rest = item:match("^(%a) (.*)$")
    if kind == "l" then
      local id, words = rest:match("^(%S+)(.*)$")
      local e = ended_of(id, words)
      e.links = call("HGET", links, id)
      ends[#ends + 1] = e.links and e or nil
    elseif kind == "f" then
      local mode, policy, from, group, id, words = rest:match("^(.)(.) (%d+) (%S+) (%S+)(.*)$")
      fan_out(ended_of(id, words), mode, policy, group, tonumber(from))
      apply()
    else
      local from, id = rest:match("^(%d+) (%S+)$")
      local page = kind == "u" and let_go or revoke_members
      page(tonumber(from), id)
    end
  end

  -- Whether one of these links holds the result of the job that they are of.
  function self.is_held(text)
    local group = text:match("^h.(%S+)") or text:match(" h.(%S+)")
    if group and groups_held[group] == nil then
      groups_held[group] = call("HGET", held, "members " .. group) == "g"
    end
    return group ~= nil and groups_held[group]
  end

  -- A job has ended that has links: `e` is made only where it must be, as a lone success in a
  -- group, of which a chord has many, is counted at once. `state`: as a job's, or IGNORED.
  -- record: nil where nothing is kept of it.
  function self.ended(id, state, record, text)
    local mode = text:byte(1)
    local is_member = mode == 109 or mode == 104
    if is_member and state == "SUCCESS" and left > 0 and text:find(" ", 1, true) == #text then
      left = left - 1
      done[#done + 1] = id
      local t = target(text:sub(3, -2))
      t.policy, t.ends = text:sub(2, 2), t.ends + 1
      return
    end
    local e = { id = id, state = state == "SUCCESS" and "S" or "F", record = record,
      kept = record ~= nil, links = text }
    if not record then
      local body = call("HGET", jobs, id)
      e.task = body and body:match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")
      e.value = e.state == "S" and "null" or UNKEPT[state] or UNKEPT.FAILURE
    end
    ends[#ends + 1] = e
  end

  -- A job goes, and its record will; `how`: "deleted" or "purged".
  function self.gone(id, how)
    local text = call("HGET", links, id)
    if text then
      self.ended(id, how, nil, text)
    end
  end

  -- A job has ended otherwise; nothing happens where it has no links.
  function self.add(e)
    e.links = e.links or call("HGET", links, e.id)
    if e.links then
      ends[#ends + 1] = e
    end
  end

  -- Another thing to do, as an item.
  function self.work(item)
    works[#works + 1] = item
  end

  -- One more end, or `ends`, for a group.
  function self.count(id, policy, count)
    local t = target(id)
    t.policy, t.ends = policy, t.ends + count
  end

  -- Does all of it, or as much as a script may; true where there is room for more. The caller
  -- writes the tallies.
  function self.run()
    repeat
      while next_end <= #ends and left > 0 do
        follow(ends[next_end])
        ends[next_end] = false
        next_end = next_end + 1
      end
      if #done > 0 or #order > 0 then
        apply()
      elseif #works > 0 and left > 0 then
        perform(table.remove(works, 1))
      end
    until #done == 0 and #order == 0 and (left <= 0 or (next_end > #ends and #works == 0))
    for i = next_end, #ends do
      leave(ends[i], ends[i].links)
    end
    for _, work in ipairs(works) do
      items[#items + 1] = work
    end
    put_off(items)
    ends, next_end, works, items = {}, 1, {}, {}
    return left > 0
  end

  return self
end

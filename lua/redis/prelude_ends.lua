-- A part of the prelude, a module of its own: `mover` is called once by a script that needs it
-- (prelude_links.lua, prelude_unfold.lua), and what it alone needs of the prelude is made inside
-- it. What becomes of the targets of links, and of jobs that end without a worker: a round at a
-- time, with a handful of commands for all of them. Reads the values that it hands on, but for
-- their length, as little as it can.
--
-- s: {left, ends, works, offer}: how many links the script may still follow; jobs that ended, whose
-- links are to be followed; items (docs/protocol.md, "Links") to see to; offer(runs), where there
-- is one, takes what it wants of the jobs that start, and returns the rest.
-- A target is {id, ends, front; policy, fault, state, drop}: how many ends came, what goes in front
-- of its arguments; of a group, its members' policy; the error and the state that a failure means
-- for it; whether it is dropped.
local function mover(s)
  local deferred, links, held = ns .. "deferred", ns .. "links", ns .. "held"
  local targets, order = {}, {}
  local lane, lane_order = {}, {}
  local written, fresh, runs, delays = {}, {}, {}, {}
  local groups_held, now = {}, nil
  local m = {}

  function m.clock()
    now = now or now_ms()
    return now
  end

  function m.error_text(code, message)
    return '{"code":"' .. code .. '","message":"' .. message .. '"}'
  end

  -- VALUE of an R record. Mostly no BODY follows it.
  function m.value_in(record)
    local line = record:find("\n", 1, true) or #record
    local last, before = record:byte(line - 2, line - 1)
    local value
    if last == 32 and before == 48 then
      value = record:sub(line + 1)
    else
      local size = record:sub(1, line):match(" (%d+) %d+\n$")
      value = size and record:sub(line + 1, line + size) or ""
    end
    return value ~= "" and value or "null"
  end

  function m.is_group(record)
    return record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group ") ~= nil
  end

  -- What a group or a workflow is made of is to be revoked; kind: "x", or "t" to end what runs,
  -- and in capitals for the parts that are no members: those come after what waits for them.
  function m.revoke_unit(kind, id, works)
    works[#works + 1] = kind .. " 0 " .. id
    if call("EXISTS", ns .. "parts:" .. id) == 1 then
      works[#works + 1] = kind:upper() .. " 0 " .. id
    end
  end

  function m.target(id)
    local t = targets[id]
    if not t and lane[id] then
      t = { id = id, ends = 1, front = lane[id] .. ",", due = "", verdict = false }
      targets[id], lane[id] = t, false
      order[#order + 1] = id
    elseif not t then
      t = { id = id, ends = 0, front = "", due = "", verdict = false } -- of one size from here on
      targets[id] = t
      order[#order + 1] = id
    end
    return t
  end

  -- One end for a target that gets its value: the lane of chains, for which no table is made.
  function m.pass(id, value)
    if lane[id] == nil and not targets[id] then
      lane[id] = value
      lane_order[#lane_order + 1] = id
    else
      local t = m.target(id)
      t.ends, t.front = t.ends + 1, t.front .. value .. ","
    end
  end

  -- Whether one of these links holds the result of the job that they are of.
  function m.is_held(text)
    local group
    if text:byte(1) == 104 then
      group = text:match("^h.(%S+)")
    elseif text:find(" h", 1, true) then
      group = text:match(" h.(%S+)")
    end
    if group and groups_held[group] == nil then
      groups_held[group] = call("HGET", held, "members " .. group) == "g"
    end
    return group and groups_held[group] or false
  end

  -- Ids by the minutes of their results, to the lists of those minutes.
  function m.expire(buckets)
    for minute, ids in pairs(buckets) do
      expire_at(minute, ids)
    end
  end

  function m.add_to(lists, key, value)
    local list = lists[key]
    if not list then
      list = {}
      lists[key] = list
    end
    list[#list + 1] = value
  end

  -- The minute at which the result of a job expires that ends without a worker, "0" for never: what
  -- its sender said, else a day.
  local function expiry_of(record)
    local ttl = option_of(record, "result_ttl")
    if ttl == "false" then
      return "0"
    end
    return string.format("%d", math.ceil((m.clock() / 1000 + (tonumber(ttl) or 86400)) / 60))
  end

  -- Ends a job here. place: where it was counted; nil where that was seen to.
  function m.finish(id, record, state, value, place)
    local minute = expiry_of(record)
    local ended = outcome_of(record, state, value, m.clock(), minute, "")
    local queue = queue_of_outcome(ended)
    written[#written + 1] = id
    written[#written + 1] = ended
    s.left = s.left - 1
    if place then
      tally(queue, place, -1)
      tally(queue, state, 1)
    end
    notify_end(id, "F", ended)
    fresh[#fresh + 1] = { id = id, state = state == "SUCCESS" and "S" or "F", record = ended,
      minute = minute, kept = true }
  end

  -- Takes a job away that was never meant to run as things are, with all that hangs on it.
  local function drop(id, record)
    local queue = place_of(record) or "-"
    call("HDEL", jobs, id)
    tally(queue, "deferred", -1)
    tally(queue, "IGNORED", 1)
    notify_end(id, "U", "")
    s.left = s.left - 1
    fresh[#fresh + 1] = { id = id, state = "D", task = record:match("^J1 " .. ("%S+ "):rep(6)
      .. "(%S+)"), value = m.error_text("Ignored", "what it was a callback for did not happen") }
  end

  -- Queue and level of a J record, nil where it is damaged, and the record with JSON values, each
  -- followed by a comma, in front of its arguments.
  local function splice(record, front)
    local queue, level, before, length, after, at =
      record:match("^J1 (%S+) (%d) %S+ %S+ %S+ %S+ %S+ ()(%d+)() %d+ %d+\n()")
    if not queue then
      return nil
    elseif front == "" then
      return queue, level, record
    end
    local bracket, inner = record:byte(at, at + 1)
    if bracket == 91 and inner and inner > 32 then
      inner = at + 1
    else
      inner = record:match("^%s*%[%s*()", at)
      if not inner then
        return nil
      end
    end
    if record:byte(inner) == 93 then
      front = front:sub(1, -2)
    end
    length = string.format("%d", length + #front - (inner - at) + 1)
    return queue, level, record:sub(1, before - 1) .. length .. record:sub(after, at - 1) .. "["
      .. front .. record:sub(inner)
  end

  -- The jobs that start together at a place; so many as its `deferred` says were counted there.
  local function run_of(name, queue, level, is_front)
    local run = runs[name]
    if not run then
      run = { queue = queue, level = level, front = is_front, deferred = 0, records = {} }
      runs[name] = run
      runs[#runs + 1] = run
    end
    return run
  end

  -- A job that waits no more goes to its queue, or becomes delayed; `due` as in `deferred`. Returns
  -- those that go with it. The caller takes it off where it was.
  function m.start(id, queue, level, due)
    local is_delayed = due ~= "" and due ~= "f"
    local name = is_delayed and queue or queue .. " " .. level .. due
    local run = run_of(name, queue, level, due == "f")
    if is_delayed then
      tally(queue, "delayed", 1)
      delays[#delays + 1] = due:byte(1) == 43 and m.clock() + due or due
      delays[#delays + 1] = id
    else
      run[#run + 1] = id
    end
    return run
  end

  -- Writes down what was begun; the links of what has just ended are followed next. A result that
  -- nobody holds goes to its minute's list.
  function m.write()
    if listens() then
      for _, run in ipairs(runs) do
        for i, id in ipairs(run) do
          events.job("enqueued", id, run.records[i])
        end
      end
      for i = 2, #delays, 2 do
        events.job("scheduled", delays[i], false)
      end
      for _, e in ipairs(fresh) do
        if e.record then
          events.ended(e.id, e.record)
        end
      end
    end
    if #written > 0 then
      call("HSET", jobs, unpack(written))
    end
    for _, run in ipairs(s.offer and s.offer(runs) or runs) do
      tally(run.queue, "deferred", -run.deferred)
      if run.front then
        tally(run.queue, "stale", -drop_stale(run.queue, run.level, run))
      end
      if #run > 0 then
        push(run.queue, run.level, run, run.front)
      end
    end
    if #delays > 0 then
      delay(delays)
    end
    local ids, buckets = {}, {}
    for i, e in ipairs(fresh) do
      ids[i] = e.id
    end
    local texts = #ids > 0 and call("HMGET", links, unpack(ids))
    for i, e in ipairs(fresh) do
      e.links = texts[i]
      if e.minute and not (e.links and m.is_held(e.links)) then
        m.add_to(buckets, e.minute, e.id)
      end
      if e.links then
        s.ends[#s.ends + 1] = e
      end
    end
    m.expire(buckets)
    written, fresh, runs, delays = {}, {}, {}, {}
  end

  -- The usual step of a chain, again and again: a record without arguments, of the place of the one
  -- before, that starts now. By one substitution, and its run is known. False: it is none.
  local EMPTY, usual = "^(J1 %S+ %d %S+ %S+ %S+ %S+ %S+ )2( %d+ %d+\n)%[%]", {}
  local function pass_on(id, record, value)
    if value ~= usual.value then
      usual.value = value
      usual.args = "%1" .. string.format("%d", #value + 2) .. "%2["
        .. value:gsub("%%", "%%%%") .. "]"
    end
    local spliced, n = record:gsub(EMPTY, usual.args)
    if n == 0 then
      return false
    end
    local run = usual.run
    if not run or run ~= runs[1] or record:sub(1, #usual.head) ~= usual.head then
      local queue, level = place_of(record)
      run = run_of(queue .. " " .. level, queue, level, false)
      usual.run, usual.head = run, "J1 " .. queue .. " " .. level .. " "
    end
    written[#written + 1] = id
    written[#written + 1] = spliced
    run.deferred = run.deferred + 1
    local at = #run + 1
    run[at] = id
    run.records[at] = spliced
    return true
  end

  -- What becomes of a target: "run", a state that it ends in, "D" for dropped, or nothing yet. `n`
  -- ends are still open.
  local function judge(t, n)
    if t.drop then
      return "D"
    elseif t.state then
      return t.state
    elseif not t.policy then
      return n <= 0 and "run" or nil
    elseif t.fault and t.policy ~= "W" then
      if t.policy == "R" then
        m.revoke_unit("x", t.id, s.works)
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

  -- What goes in front of its arguments goes there; with `due` it starts. False: it was damaged.
  local function move_on(id, record, front, due)
    local queue, level, spliced = splice(record, front)
    if not queue then
      m.finish(id, record, "FAILURE", m.error_text("BadMessage", "the record is damaged"),
        "deferred")
      return false
    end
    if front ~= "" then
      written[#written + 1] = id
      written[#written + 1] = spliced
    end
    if due then
      local run = m.start(id, queue, level, due)
      run.deferred = run.deferred + 1
      run.records[#run] = spliced
    end
    return true
  end

  local function move(t, record)
    local verdict = t.verdict
    if verdict == "D" then
      return drop(t.id, record)
    elseif verdict and verdict ~= "run" then
      return m.finish(t.id, record, verdict, verdict == "SUCCESS" and "null" or t.fault, "deferred")
    end
    if not move_on(t.id, record, t.front, verdict and t.due) and not verdict then
      call("HDEL", deferred, t.id)
    end
  end

  -- The lane's: those that waited for this end alone start; the others become targets.
  local function apply_lane()
    local ids, gone = lane_order, {}
    lane_order = {}
    for i, open in ipairs(call("HMGET", deferred, unpack(ids))) do
      local id = ids[i]
      if open == "1" and lane[id] then
        gone[#gone + 1] = id
      elseif open then
        m.target(id)
      end
    end
    if #gone > 0 then
      call("HDEL", deferred, unpack(gone))
      for i, record in ipairs(call("HMGET", jobs, unpack(gone))) do
        local id = gone[i]
        if record and not pass_on(id, record, lane[id]) and record:byte(1) ~= 82 then
          move_on(id, record, lane[id] .. ",", "")
        end
      end
    end
    lane = {}
  end

  -- All targets at once. One that is not deferred (any more) takes no notice.
  function m.apply()
    if #lane_order > 0 then
      apply_lane()
    end
    if #order == 0 then
      return m.write()
    end
    local opens, changed, gone, moved = call("HMGET", deferred, unpack(order)), {}, {}, {}
    for i, id in ipairs(order) do
      local t, open, due = targets[id], opens[i], ""
      if open and open ~= "1" then
        open, due = open:match("^(%d+) ?(.*)$")
      end
      if open then
        open = open - t.ends
        t.due, t.verdict = due, judge(t, open)
        if t.verdict then
          gone[#gone + 1] = id
        else
          changed[#changed + 1] = id
          changed[#changed + 1] = string.format("%d", open) .. (due == "" and "" or " " .. due)
        end
        if t.verdict or t.front ~= "" then
          moved[#moved + 1] = id
        end
      end
    end
    if #gone > 0 then
      call("HDEL", deferred, unpack(gone))
    end
    if #changed > 0 then
      call("HSET", deferred, unpack(changed))
    end
    for i, record in ipairs(#moved > 0 and call("HMGET", jobs, unpack(moved)) or {}) do
      if record and record:byte(1) ~= 82 then
        move(targets[moved[i]], record)
      end
    end
    targets, order = {}, {}
    m.write()
  end

  -- Whether there are targets.
  function m.has_targets()
    return #order > 0 or #lane_order > 0
  end

  return m
end

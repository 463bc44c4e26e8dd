-- A part of the prelude, a module of its own: `mover` is called once by a script that needs it
-- (prelude_links.lua, prelude_unfold.lua), and what it alone needs of the prelude is made inside
-- it. What becomes of the targets of links, and of jobs that end without a worker: a round at a
-- time, with a handful of commands for all of them. Reads the values that it hands on, but for
-- their length, as little as it can.
--
-- s: {left, ends, works}: how many links the script may still follow; jobs that ended, whose links
-- are to be followed; items (docs/protocol.md, "Links") to see to.
-- A target is {id, ends, front; policy, fault, state, drop}: how many ends came, what goes in front
-- of its arguments; of a group, its members' policy; the error and the state that a failure means
-- for it; whether it is dropped.
local function mover(s)
  local deferred, links, held = ns .. "deferred", ns .. "links", ns .. "held"
  local targets, order = {}, {}
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

  function m.is_group(record)
    return record:find("^J1 %S+ %S+ %S+ %S+ %S+ %S+ moil%.group ") ~= nil
  end

  function m.target(id)
    local t = targets[id]
    if not t then
      t = { id = id, ends = 0, front = "" }
      targets[id] = t
      order[#order + 1] = id
    end
    return t
  end

  -- Whether one of these links holds the result of the job that they are of.
  function m.is_held(text)
    local group = text:match("^h.(%S+)") or text:match(" h.(%S+)")
    if group and groups_held[group] == nil then
      groups_held[group] = call("HGET", held, "members " .. group) == "g"
    end
    return group ~= nil and groups_held[group]
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
  -- its sender said in `extra`, of which no more is read, else a day.
  local function expiry_of(record)
    local args, kwargs, extra, at =
      record:match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+) (%d+)\n()")
    local first = at and at + args + kwargs
    local ttl = at and record:sub(first, first + extra - 1):match('"result_ttl":([%w.]+)')
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

  -- The record with JSON values, each followed by a comma, in front of its arguments.
  local function splice(record, front)
    local head, length, tail, at =
      record:match("^(J1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ )(%d+)( %d+ %d+\n)()")
    local inner = head and record:match("^%s*%[%s*()", at)
    if not inner or inner >= at + length then
      return record
    end
    if record:byte(inner) == 93 then
      front = front:sub(1, -2)
    end
    local size = length + #front - (inner - at) + 1
    return head .. string.format("%d", size) .. tail .. "[" .. front .. record:sub(inner)
  end

  -- A job that waits no more goes to its queue, or becomes delayed; `due` as in `deferred`. The
  -- caller takes it off where it was.
  function m.start(id, queue, level, due)
    if due ~= "" and due ~= "f" then
      tally(queue, "delayed", 1)
      delays[#delays + 1] = due:byte(1) == 43 and m.clock() + due or due
      delays[#delays + 1] = id
      return
    end
    local name = queue .. " " .. level .. due
    local run = runs[name]
    if not run then
      run = { queue = queue, level = level, front = due == "f" }
      runs[name] = run
      runs[#runs + 1] = run
    end
    run[#run + 1] = id
  end

  -- Writes down what was begun; the links of what has just ended are followed next. A result that
  -- nobody holds goes to its minute's list.
  function m.write()
    if #written > 0 then
      call("HSET", jobs, unpack(written))
    end
    for _, run in ipairs(runs) do
      if run.front then
        tally(run.queue, "stale", -drop_stale(run.queue, run.level, run))
      end
      push(run.queue, run.level, run, run.front)
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
        s.works[#s.works + 1] = "x 0 " .. t.id
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

  local function move(t, record)
    local queue, level = place_of(record)
    local verdict = t.verdict
    if verdict == "run" and queue then
      tally(queue, "deferred", -1)
      m.start(t.id, queue, level, t.due)
    elseif verdict == "run" then
      m.finish(t.id, record, "FAILURE", m.error_text("BadMessage", "the record is damaged"),
        "deferred")
    elseif verdict == "D" then
      drop(t.id, record)
    elseif verdict then
      m.finish(t.id, record, verdict, verdict == "SUCCESS" and "null" or t.fault, "deferred")
    end
    if t.front ~= "" and (verdict == "run" or not verdict) then
      written[#written + 1] = t.id
      written[#written + 1] = splice(record, t.front)
    end
  end

  -- All targets at once. One that is not deferred (any more) takes no notice.
  function m.apply()
    if #order == 0 then
      return
    end
    local opens, changed, gone, moved = call("HMGET", deferred, unpack(order)), {}, {}, {}
    for i, id in ipairs(order) do
      local t, open, due = targets[id], (opens[i] or ""):match("^(%d+) ?(.*)$")
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
    return #order > 0
  end

  return m
end

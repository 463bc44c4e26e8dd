-- A part of the prelude, a module of its own (prelude_links.lua says why), which that one calls
-- where there is more to follow than a success in a group, or one that hands its result on:
-- failures, callbacks, fan-outs, links by the dozen, and the items of `advancing`.
--
-- s: {left, ends, works, done, items}: as in prelude_ends.lua; ids whose links have been followed;
-- what is left for `advance`. m is a mover.
-- A job that ended is e: {id, state, links; record, or task and value; kept}. state: "S" success,
-- "F" failure, "D" dropped. kept: its record is in `jobs`. A guest is one whose links are not those
-- in `links`, where others may stand under its id.
local function follower(s, m)
  local FAILED = '{"code":"DependencyFailed"'
  local links, held = ns .. "links", ns .. "held"
  local BYTES = 2048 -- to read and write so many takes about as long as to follow a link
  local f = {}

  local function charge(bytes)
    s.left = s.left - math.floor(bytes / BYTES)
  end

  -- Why a job failed of which no error is kept.
  local function unkept(state)
    return state == "IGNORED" and m.error_text("Ignored", "it ended without a result")
      or state == "deleted" and m.error_text("Deleted", "it was deleted")
      or state == "purged" and m.error_text("Purged", "it was purged")
      or m.error_text("Failed", "its error was not kept")
  end

  local function quote(text)
    return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
  end

  -- Result or error of a job that ended, as JSON.
  local function value_of(e)
    if not e.value then
      e.task = e.record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")
      e.value = m.value_in(e.record)
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

  -- How an end is written down in an item: nothing where its record says it.
  local function words_of(e)
    if e.kept then
      return ""
    end
    local value = value_of(e)
    return " " .. e.state .. " " .. (e.task or "-") .. " " .. value
  end

  local function release(e, mode, policy, id)
    local t = m.target(id)
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
    local t = m.target(id)
    local wanted = (mode == "e" or mode == "i") and "F" or "S"
    if e.state ~= wanted then
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
    local t = m.target(id)
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

  local function unhold(id)
    local count = call("HGET", held, id)
    if count == "1" then
      call("HDEL", held, id)
    elseif count then
      call("HINCRBY", held, id, -1)
    end
  end

  -- A page of the members that wait for e: so many as may be were they all as large as the first.
  -- Its result is held until the last page, or until somebody deletes it.
  local function fan_out(e, mode, policy, id, from)
    local bytes = mode == "s" and #value_of(e) or 0
    bytes = bytes + call("HSTRLEN", jobs, call("LINDEX", ns .. "members:" .. id, from) or "")
    local page = math.max(1, math.min(math.floor(s.left / (1 + bytes / BYTES)), 250))
    local ids = call("LRANGE", ns .. "members:" .. id, from, from + page - 1)
    for _, member in ipairs(ids) do
      release(e, mode, policy, member)
    end
    s.left = s.left - #ids
    charge(#ids * bytes)
    if from > 0 and e.is_held and (#ids < page or not e.kept) then
      unhold(e.id)
    end
    if #ids == page then
      s.works[#s.works + 1] = string.format("f %s%s %d %s %s", mode, policy, from + page, id, e.id)
        .. words_of(e)
      if e.kept and from == 0 then
        call("HINCRBY", held, e.id, 1)
      end
    end
  end

  -- What `inspect workflow` and a reader of results need stays as long as the result.
  local function retire(e, id)
    local minute = e.kept and e.record:match("^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) ")
    if minute == "0" and e.state == "S" then
      return
    end
    local seconds = (not minute or minute == "0") and 86400
      or math.max(60, math.ceil(minute * 60 - m.clock() / 1000))
    call("EXPIRE", ns .. "workflow:" .. id, seconds)
    call("EXPIRE", ns .. "members:" .. id, seconds)
    call("EXPIRE", ns .. "parts:" .. id, seconds)
  end

  local function act(e, mode, policy, id)
    if mode == "m" or mode == "h" then
      join_group(e, policy, id)
    elseif mode == "s" or mode == "n" or mode == "d" then
      release(e, mode, policy, id)
      charge(call("HSTRLEN", jobs, id) + (mode == "s" and #value_of(e) or 0))
    elseif mode == "e" or mode == "i" or mode == "l" or mode == "c" then
      call_back(e, mode, id)
      charge(call("HSTRLEN", jobs, id) + ((mode == "l" or mode == "e") and #value_of(e) or 0))
    elseif mode == "S" or mode == "N" or mode == "D" then
      fan_out(e, mode:lower(), policy, id, 0)
    elseif mode == "k" then
      unhold(id)
    elseif mode == "u" then
      s.works[#s.works + 1] = "u 0 " .. id
    elseif mode == "w" then
      retire(e, id)
    end
  end

  -- The rest of the links of e is for `advance`.
  function f.leave(e, rest)
    if e.guest then
      rest = (call("HGET", links, e.id) or "") .. rest
    end
    if rest ~= e.links or e.guest then
      call("HSET", links, e.id, rest)
    end
    s.items[#s.items + 1] = "l " .. e.id .. words_of(e)
  end

  -- A page of the links that are in a list; true where that was all.
  local function follow_list(e)
    local list = ns .. "links:" .. e.id
    repeat
      local page = call("LPOP", list, math.min(s.left + 1, 10)) or {}
      s.left = s.left - #page
      for _, link in ipairs(page) do
        act(e, link:sub(1, 1), link:sub(2, 2), link:sub(3))
      end
    until #page == 0 or s.left <= 0
    return call("EXISTS", list) == 0
  end

  -- The links of e, as many as there is room for.
  function f.follow(e)
    local at = 1
    for mode, policy, id, after in e.links:gmatch("(.)(.)(%S*) ()") do
      if s.left <= 0 then
        return f.leave(e, e.links:sub(at))
      end
      s.left = s.left - 1
      if mode ~= "+" then
        act(e, mode, policy, id)
      elseif not follow_list(e) then
        return f.leave(e, "+- ")
      end
      at = after
    end
    if not e.guest then
      s.done[#s.done + 1] = e.id
    end
  end

  -- The job of an item "l ID ..." or "f ...", as its record or the item tells.
  local function ended_of(id, words)
    local state, task, value = words:match("^ (%a) (%S+) (.*)$")
    if state then
      return { id = id, state = state, task = task, value = value }
    end
    local record = call("HGET", jobs, id)
    if record and record:byte(1) == 82 then
      return { id = id, state = record:find("^R1 SUCCESS ") and "S" or "F", record = record,
        kept = true, is_held = true }
    end
    return { id = id, state = "F", value = unkept("deleted"), is_held = true }
  end

  -- Results of a group that were held, a page: to the lists of their minutes.
  local function let_go(from, id)
    local mark = "members " .. id
    if from == 0 then
      if not call("HGET", held, mark) then
        return
      end
      call("HSET", held, mark, "u")
    end
    local ids, buckets = call("LRANGE", ns .. "members:" .. id, from, from + 99), {}
    local count, bytes = read_records(ids, s.left * BYTES, function(member, record)
      local minute, task = (record or ""):match(
        "^R1 %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) %S+ (%S+) ")
      if minute and minute ~= "0" then
        minute = math.max(minute, math.floor(m.clock() / 60000) + 1)
        m.add_to(buckets, string.format("%d", minute), member)
      end
      if task == "moil.group" or (record and m.is_group(record))
        or (not record and call("HEXISTS", held, "members " .. member) == 1) then -- dropped
        s.works[#s.works + 1] = "u 0 " .. member
      end
    end)
    m.expire(buckets)
    s.left = s.left - count - 1
    charge(bytes)
    if count == 100 or count < #ids then
      s.works[#s.works + 1] = string.format("u %d ", from + count) .. id
    else
      call("HDEL", held, mark)
      if call("HEXISTS", jobs, id) == 0 then
        call("DEL", ns .. "members:" .. id, ns .. "parts:" .. id)
      elseif call("TTL", ns .. "members:" .. id) < 0 then
        call("EXPIRE", ns .. "members:" .. id, 86400)
        call("EXPIRE", ns .. "parts:" .. id, 86400)
      end
    end
  end

  -- Who holds these ids: an incarnation, or true where recovery has still to give one back.
  local function in_flight(ids)
    local found = {}
    local function add(answers, holder)
      for i, id in ipairs(ids) do
        found[id] = found[id] or (answers[i] and answers[i] ~= 0 and holder)
      end
    end
    for _, hash in ipairs({ "workers", "recovering" }) do
      for _, incarnation in ipairs(call("HKEYS", ns .. hash)) do
        s.left = s.left - 1 - math.ceil(#ids / 32)
        add(call("SMISMEMBER", ns .. "inflight:" .. incarnation, unpack(ids)),
          hash == "recovering" or incarnation)
        if hash == "recovering" then
          add(call("ZMSCORE", ns .. "recovering:" .. incarnation, unpack(ids)), true)
        end
      end
    end
    return found
  end

  -- One that waits; `place` is nil where it is pending. A deferred one may be a whole, too.
  local function revoke_one(id, record)
    local place = call("HDEL", ns .. "deferred", id) == 1 and "deferred"
      or call("ZREM", ns .. "delayed", id) == 1 and "delayed" or nil
    if not place then
      mark_stale(id, record, "REVOKED")
    end
    m.finish(id, record, "REVOKED",
      m.error_text("Revoked", "its group or workflow has failed or was revoked"), place)
    return place == "deferred"
      and call("EXISTS", ns .. "members:" .. id, ns .. "parts:" .. id) > 0
  end

  -- Those of a page that wait, and whoever holds the others.
  local function revoke_waiting(kind, ids, records, units)
    local holders = #ids > 0 and in_flight(ids) or {}
    for i, id in ipairs(ids) do
      if holders[id] then
        if kind == "t" and holders[id] ~= true then
          notify(holders[id], "K", id, "")
        end
      elseif revoke_one(id, records[i]) then
        m.revoke_unit(kind, id, units)
      end
    end
  end

  -- A page of a group's members, or in capitals of the other parts of a whole: what waits is
  -- revoked, and for `t` what runs is told to end; also in groups that have ended. What a group is
  -- made of comes before the next parts, which it waits for: so all of it ends as revoked.
  local function revoke_page(word, from, id)
    local kind = word:lower()
    local size = word == kind and 100 or 20
    local list = ns .. (word == kind and "members:" or "parts:") .. id
    local ids = call("LRANGE", list, from, from + size - 1)
    local waiting, records, units = {}, {}, {}
    local count, bytes = read_records(ids, s.left * BYTES, function(one, record)
      local is_group = not record or record:find("^[^\n]* moil%.group ") ~= nil
      if record and record:byte(1) ~= 82 then
        waiting[#waiting + 1] = one
        records[#records + 1] = record
      elseif is_group and call("EXISTS", ns .. "members:" .. one) == 1 then
        m.revoke_unit(kind, one, units)
      end
      return is_group and word ~= kind
    end)
    s.left = s.left - count - 1
    charge(bytes)
    revoke_waiting(kind, waiting, records, units)
    m.write()
    if count == size or count < #ids then
      units[#units + 1] = string.format("%s %d ", word, from + count) .. id
    end
    for i = #units, 1, -1 do
      table.insert(s.works, 1, units[i])
    end
  end

  -- Works become items. What is to be revoked goes on before anything else, in this order; returns
  -- how many of these there are.
  function f.sort_works()
    local first = {}
    for _, work in ipairs(s.works) do
      if work:find("^[xXtT]") then
        table.insert(first, 1, work)
      else
        s.items[#s.items + 1] = work
      end
    end
    if #first > 0 then
      call("LPUSH", ns .. "advancing", unpack(first))
    end
    return #first
  end

  function f.perform(item)
    local kind, rest = item:match("^(%a) (.*)$")
    if kind == "l" then
      local id, words = rest:match("^(%S+)(.*)$")
      local e = ended_of(id, words)
      e.links = call("HGET", links, id)
      s.ends[#s.ends + 1] = e.links and e or nil
    elseif kind == "f" then
      local mode, policy, from, group, id, words = rest:match("^(.)(.) (%d+) (%S+) (%S+)(.*)$")
      fan_out(ended_of(id, words), mode, policy, group, tonumber(from))
    else
      local from, id = rest:match("^(%d+) (%S+)$")
      if kind == "u" then
        let_go(tonumber(from), id)
      else
        revoke_page(kind, tonumber(from), id)
      end
    end
  end

  -- A job has ended that has links; state: as a job's, IGNORED, "deleted" or "purged"; record: nil
  -- where nothing is kept, and then its J record is still there.
  function f.end_of(id, state, record, text)
    local e = { id = id, state = state == "SUCCESS" and "S" or "F", record = record,
      kept = record ~= nil, links = text }
    if not record then
      e.task = (call("HGET", jobs, id) or ""):match("^J1 %S+ %S+ %S+ %S+ %S+ %S+ (%S+) ")
      e.value = e.state == "S" and "null" or unkept(state)
    end
    return e
  end

  return f
end

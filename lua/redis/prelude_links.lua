-- A part of the prelude, a module of its own: `linker` is called once by a script that ends jobs,
-- and what it alone needs of the prelude is made inside it. Redis makes a script's closures anew at
-- each call: so a script that meets no link makes one, and what is rare costs nothing where it does
-- not occur (prelude_follow.lua).
-- Links (docs/protocol.md, "Links"): what the end of a job does to others. The linker is told of
-- jobs that end, and follows their links, then those of the jobs that end by that, and so on, in
-- rounds; what is more than one script may do becomes items of `advancing`. What becomes of targets
-- is seen to by prelude_ends.lua.
local function linker()
  local LINKS_MAX = 500 -- holds Redis for two milliseconds at most
  local links = ns .. "links"
  local s = { left = LINKS_MAX, ends = {}, works = {}, done = {}, items = {} }
  local m = mover(s)
  local next_end, slow, alike = 1, nil, {}
  local self = { is_held = m.is_held, finish = m.finish, start = m.start, write = m.write,
    error_text = m.error_text, is_group = m.is_group }

  local function rest()
    slow = slow or follower(s, m)
    return slow
  end

  -- A success that has one link, by the shortest way: counted in its group, whose members have the
  -- same text, or handed on to the one that waits for it. Returns whether its result is held.
  local function succeed(id, record, text, mode)
    s.left = s.left - 1
    s.done[#s.done + 1] = id
    if mode == 115 then
      m.pass(text:sub(3, -2), m.value_in(record))
      return false
    end
    local group = alike[text]
    if not group then
      group = { id = text:sub(3, -2), policy = text:sub(2, 2), is_held = m.is_held(text) }
      alike[text] = group
    end
    local t = m.target(group.id)
    t.policy, t.ends = group.policy, t.ends + 1
    return group.is_held
  end

  -- Jobs have ended, all in one state: as a job's, IGNORED, "deleted" or "purged". records: nil
  -- where nothing is kept of them, and then their J records are still there. Returns the ids whose
  -- results nobody holds.
  function self.ended(ids, state, records)
    local free, is_success = {}, state == "SUCCESS"
    for i, text in ipairs(call("HMGET", links, unpack(ids))) do
      local is_held, mode = false, is_success and text and text:byte(1)
      if s.left > 0 and (mode == 104 or mode == 109 or (mode == 115 and records))
        and text:find(" ", 1, true) == #text then
        is_held = succeed(ids[i], records and records[i], text, mode)
      elseif text then
        s.ends[#s.ends + 1] = rest().end_of(ids[i], state, records and records[i], text)
        is_held = m.is_held(text)
      end
      if not is_held then
        free[#free + 1] = ids[i]
      end
    end
    return free
  end

  -- A job has ended otherwise, which nobody need have linked; e: see prelude_follow.lua.
  function self.add(e)
    e.links = e.links or call("HGET", links, e.id)
    if e.links then
      s.ends[#s.ends + 1] = e
    end
  end

  -- Jobs that start are offered first (prelude_ends.lua).
  function self.offer_to(offer)
    s.offer = offer
  end

  -- Another thing to do, as an item; or for an agent to do.
  function self.work(item)
    s.works[#s.works + 1] = item
  end

  function self.revoke_unit(kind, id)
    m.revoke_unit(kind, id, s.works)
  end

  function self.put_off(item)
    s.items[#s.items + 1] = item
  end

  -- One end for a job that no link brings; for a group, by this policy.
  function self.end_one(id, policy)
    local t = m.target(id)
    t.policy, t.ends = policy, t.ends + 1
  end

  local function write_items()
    for i = next_end, #s.ends do
      rest().leave(s.ends[i], s.ends[i].links)
    end
    local first = #s.works > 0 and rest().sort_works() or 0
    if #s.items > 0 then
      call("RPUSH", ns .. "advancing", unpack(s.items))
    end
    if (first > 0 or #s.items > 0) and call("LLEN", ns .. "tick") == 0 then
      call("RPUSH", ns .. "tick", "1")
    end
    s.ends, s.works, s.items, next_end = {}, {}, {}, 1
  end

  -- Does all of it, or as much as a script may; returns whether there is room for more. The caller
  -- writes the tallies.
  function self.run()
    repeat
      while next_end <= #s.ends and s.left > 0 do
        rest().follow(s.ends[next_end])
        s.ends[next_end] = false
        next_end = next_end + 1
      end
      if #s.done > 0 then
        call("HDEL", links, unpack(s.done))
        s.done = {}
      end
      if m.has_targets() then
        m.apply()
      elseif #s.works > 0 and s.left > 0 then
        rest().perform(table.remove(s.works, 1))
      end
    until not m.has_targets()
      and (s.left <= 0 or (next_end > #s.ends and #s.works == 0))
    write_items()
    return s.left > 0
  end

  return self
end

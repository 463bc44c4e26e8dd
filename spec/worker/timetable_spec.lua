local support = require "spec.support"
local units = support.units.timetable

-- Which entry is to be looked at when, and what is to be done then: src/worker/timetable.c; and
-- Redis's clock as seen from here: src/worker/redis_clock.c.

units.open()

local NEVER <const> = math.maxinteger

local function json(fields)
  fields.task = fields.task or "t"
  return support.json_encode(fields)
end

local function config(entries)
  local schedule = {}
  for name, fields in pairs(entries) do
    fields.task = "t"
    schedule[name] = fields
  end
  return support.json_encode { schedule = schedule }
end

-- What is to be done by now, in order: "name action due".
local function due(table, now)
  local found = {}
  while true do
    local name, action, at, final = table:next(now)
    if not name then return found end
    found[#found + 1] = ("%s %s%s%s"):format(name, action,
      (action == "fire" or action == "late") and " " .. at or "", final and " final" or "")
  end
end

-- A timetable of entries of a file whose states are known.
local function known(entries, last)
  local t = units.timetable(config(entries))
  for name in pairs(entries) do -- what is edited begins anew, so its timing is asked for first
    t:state(name, ("%d 0 0 - 0 - %s"):format(last, "?"))
  end
  return t
end

local function added(fields, last, state)
  local t = units.timetable ""
  assert.is_nil(t:add("e", "1 " .. json(fields)))
  t:state("e", state or ("%d 0 0 - 0 1 -"):format(last))
  return t
end

describe("the latest due time", function()
  it("is the last that a walk would find", function()
    local dice = math.random
    math.randomseed(7)
    for _ = 1, 200 do
      local fields = ({
        { every = dice(1, 500) / 10 },
        { cron = ("*/%d * * * *"):format(dice(1, 59)) },
        { cron = ("%d %d * * %d"):format(dice(0, 59), dice(0, 23), dice(0, 6)) },
        { cron = ("%d-%d 0 12 * * *"):format(dice(0, 20), dice(21, 59)) },
      })[dice(1, 4)]
      local text = json(fields)
      local first = units.latest(text, 0, 0) -- of nothing: itself
      assert.equal(0, first)
      local span = dice(1, 100) * (fields.every and 1000 or 3600000)
      local now = 1700000000000 + dice(0, 86400000)
      local t = added(fields, now - span)
      t:plan(now)
      local walked
      -- catch_up = all walks; so the walk is that of another way
      fields.catch_up = "all"
      local walker = added(fields, now - span)
      for _ = 1, 2000 do
        walker:plan(now)
        local name, action, at = walker:next(now)
        if not name then break end
        assert.is_true(action == "fire" or action == "late") -- late: what is beyond a thousand
        walked = at
        walker:state("e", ("%d 0 0 - 0 1 -"):format(at))
      end
      local name, _, at = t:next(now)
      assert.equal(walked, name and at)
    end
  end)

  it("is found over years of seconds at once", function()
    local day <const> = 86400000
    local now = 1700000000000
    assert.equal(now, units.latest(json { every = 0.5 }, now - 3650 * day, now))
    assert.equal(now - now % day,
      units.latest(json { cron = "0 0 * * *" }, (now - 3650 * day) // day * day, now))
  end)
end)

describe("a jitter", function()
  it("is the same for the same run, differs between runs, and ends before the next", function()
    local text, seen = json { every = 10, jitter = 60 }, {}
    for due_ms = 0, 1000000, 10000 do
      local off = units.put_off(text, due_ms)
      assert.equal(off, units.put_off(text, due_ms))
      assert.is_true(off >= 0 and off < 10000)
      seen[off] = true
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.is_true(count > 50)
    assert.equal(0, units.put_off(json { every = 10 }, 0))
  end)
end)

describe("a timetable", function()
  it("introduces what has no state, and what was edited", function()
    local t = known({ a = { every = 10 } }, 5000)
    t:state("b", "1 0 0 - 0 - x")
    t:plan(7000)
    assert.same({ "a anew" }, due(t, 7000))
    t = units.timetable(config { a = { every = 10 }, b = { every = 1 } })
    t:plan(7000)
    local found = due(t, 7000)
    table.sort(found)
    assert.same({ "a seen", "b seen" }, found)
  end)

  it("introduces what has lost its state from now on, whatever it was planned for", function()
    for _, state in ipairs { "0 2 0 - 0 - ", "0 0 1 - 0 - " } do -- all its runs are done; a pause
      local t = units.timetable(config { e = { every = 86400, max_runs = 2 } })
      t:state("e", state .. t:timing "e")
      t:plan(7000)
      assert.is_nil(t:next(7000))
      t:state("e", "")
      t:plan(8000)
      assert.same({ "e", "seen", 0, false }, { t:next(8000) }, state)
    end
    local t = units.timetable(config { e = { every = 1 } })
    t:add("e", "1 " .. json { every = 86400 })
    t:state("e", "0 0 0 - 0 1 -")
    t:plan(5000)
    t:forget()
    t:forget()
    t:plan(6000)
    assert.same({ "e", "seen", 0, false }, { t:next(6000) })
  end)

  it("begins anew once where another file has other times, and then runs at its own too", function()
    local t = units.timetable(config { e = { every = 10 } })
    local mine, other = t:timing "e", "0123456789abcdef"
    t:state("e", "5000 0 0 - 0 - " .. other)
    t:plan(7000)
    assert.same({ "e anew" }, due(t, 7000))
    t:state("e", "7000 0 0 - 0 - " .. mine)
    t:plan(7000)
    t:state("e", "8000 0 0 - 0 - " .. other) -- the other one did so as well
    t:plan(8000)
    assert.same({}, due(t, 9999))
    assert.same({ "e fire 10000" }, due(t, 10000))
    t:file(config { e = { every = 10 } })
    t:plan(8000)
    assert.same({ "e fire 10000" }, due(t, 10000))
    t:file(config { e = { every = 9 } })
    t:plan(8000)
    assert.same({ "e anew" }, due(t, 8000))
  end)

  it("goes on from now where Redis's clock was set back, unless nothing is missed then", function()
    local now <const> = 1700000000000
    local t = added({ every = 10 }, now + 62000)
    t:plan(now)
    assert.same({ "e anew" }, due(t, now))
    t = added({ every = 10 }, now + 30000)
    t:plan(now)
    assert.same({}, due(t, now + 39999))
    t = added({ every = 3600, start = now // 1000 }, now + 3600000)
    t:plan(now)
    assert.same({}, due(t, now + 7199999))
  end)

  it("goes on with a file's entry whose place one of run time has left", function()
    local t = units.timetable(config {
      e = { every = 1, max_runs = 2 },
      f = { every = 1, max_runs = 2 },
    })
    for _, name in ipairs { "e", "f" } do
      t:add(name, "1 " .. json { every = 86400 })
      t:state(name, "0 0 0 - 0 1 1|0|0|" .. t:timing(name) .. "|-")
    end
    t:plan(5000)
    assert.is_nil(t:next(5000))
    t:forget() -- as a read that brings no entry, but a state
    t:state("e", "5000 1 0 - 0 - " .. t:timing "e")
    t:state("f", "5000 2 0 - 0 - " .. t:timing "f")
    t:plan(6000)
    assert.same({ "e", "fire", 6000, false }, { t:next(6000) })
    assert.is_nil(t:next(9000))
  end)

  it("fires what is due, the earliest first, and nothing before its time", function()
    local t = units.timetable ""
    t:add("x", "1 " .. json { every = 10 })
    t:add("y", "2 " .. json { every = 4 })
    t:state("x", "0 0 0 - 0 1 -")
    t:state("y", "4000 0 0 - 0 2 -")
    t:plan(5000)
    assert.same({}, due(t, 7999))
    assert.same({ "y fire 8000" }, due(t, 9999))
    assert.same({ "x fire 10000" }, due(t, 10000))
  end)

  it("catches up as its entries say", function()
    local function first(fields, now)
      local t = added(fields, 10000)
      t:plan(now)
      return due(t, now)[1]
    end
    assert.equal("e fire 60000", first({ every = 10 }, 60001))
    assert.equal("e fire 20000", first({ every = 10, catch_up = "all" }, 60001))
    assert.equal("e fire 60000", first({ every = 10, catch_up = "none" }, 65000))
    assert.equal("e late 60000", first({ every = 10, catch_up = "none" }, 65001))
  end)

  it("makes up for a thousand at a time, with a tick for what is passed over", function()
    local t = added({ every = 1, catch_up = "all" }, 0)
    local now, count, last = 5000000, { fire = 0, late = 0 }, {}
    while true do
      t:plan(now)
      local name, action, at = t:next(now)
      if not name then break end
      count[action], last[action] = count[action] + 1, at
      t:state("e", ("%d 0 0 - 0 1 -"):format(at))
    end
    assert.same({ fire = 1000, late = 1 }, count)
    assert.same({ fire = now, late = now - 1000 }, last)
  end)

  it("leaves out what is paused, has run often enough, or is over", function()
    for _, case in ipairs {
      { { every = 1 }, "0 0 1 - 0 1 -" },
      { { every = 1, max_runs = 3 }, "0 3 0 - 0 1 -" },
      { { every = 1, stop = 0.5 }, "0 0 0 - 0 1 -" },
    } do
      local t = added(case[1], 0, case[2])
      t:plan(100000)
      assert.is_nil(t:next(NEVER))
    end
  end)

  it("knows the last one", function()
    local t = added({ at = 100 }, 0)
    t:plan(100000)
    assert.same({ "e fire 100000 final" }, due(t, 100000))
    t = added({ every = 1, stop = 2.5, catch_up = "all" }, 0)
    t:plan(1000)
    assert.same({ "e fire 1000" }, due(t, 1000))
  end)

  it("puts what was added in the place of the file's, until it is gone", function()
    local t = units.timetable(config { e = { every = 10 } })
    t:add("e", "3 " .. json { every = 7 })
    t:state("e", "0 0 0 - 0 3 -")
    t:plan(7000)
    assert.same({ "e fire 7000" }, due(t, 7000))
    t:forget()
    t:forget() -- it was not named since
    t:plan(7000)
    assert.same({ "e seen" }, due(t, 7000))
    assert.is_nil(t:file "")
    t:plan(7000)
    assert.same({}, due(t, NEVER))
  end)

  it("takes another version of an entry, and leaves out one that cannot be read", function()
    local t = added({ every = 7 }, 0)
    assert.is_nil(t:add("e", "2 " .. json { every = 9 }))
    t:state("e", "0 0 0 - 0 2 -")
    t:plan(0)
    assert.same({ "e fire 9000" }, due(t, 9000))
    assert.matches('entry "e"', t:add("e", "3 {"))
    t:plan(0)
    assert.same({}, due(t, NEVER))
    assert.matches('entry "f"', t:add("f", "nonsense"))
    t:plan(0)
    assert.same({}, due(t, NEVER))
  end)

  it("keeps its entries when a new file is refused", function()
    local t = known({ e = { every = 10 } }, 0)
    assert.matches('entry "e": every', t:file(config { e = { every = -1 } }))
    t:plan(0)
    assert.same({ "e anew" }, due(t, 0))
  end)
end)

describe("Redis's clock", function()
  it("is what the first reply tells, in the middle of its way", function()
    local clock = units.clock()
    assert.same({ true, 9000 - 150 }, { clock:hear(100, 200, 9000) })
  end)

  it("moves only when a reply shows that it must", function()
    local clock = units.clock()
    clock:hear(100, 200, 10000) -- 9,850
    assert.same({ false, 9850 }, { clock:hear(1000, 5000, 13000) }) -- a slow one tells nothing
    assert.same({ false, 9900 }, { clock:hear(6000, 6010, 15910) })
    assert.same({ false, 9890 }, { clock:hear(7000, 7010, 16890) })
  end)

  it("follows a step either way", function()
    local clock = units.clock()
    clock:hear(0, 0, 1000000)
    assert.same({ true, 5000000 }, { clock:hear(10, 10, 5000010) })
    assert.same({ true, 10 }, { clock:hear(20, 20, 30) })
  end)
end)

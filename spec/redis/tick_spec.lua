-- tick.lua: a due time of a beat entry, once, whoever comes first.

local world = require "spec.redis.world"

describe("tick", function()
  local w, count

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    count = 0
  end)
  after_each(function() w:check() end)

  -- A call for an entry of a file, unless `f` has a version. Returns the verdict and the state
  -- behind it, by name.
  local function tick(name, seen, due, f)
    f = f or {}
    count = count + 1
    local action = f.action or "fire"
    local id = f.id or "job-" .. count
    local reply = w:eval("tick", name, seen, due, f.version or "-", action, f.overlap or 1,
      f.max_runs or 0, f.final or 0, action == "seen" and (f.paused or 0) or id,
      action == "fire" and world.record { queue = f.queue } or f.timing or "-",
      f.front or 0)
    local state = { last = reply[2], runs = reply[3], paused = reply[4], id = reply[5],
      first = reply[6], timing = reply[8] }
    return reply[1], state, reply[7]
  end

  local function see(name, f)
    f = f or {}
    f.action = "seen"
    local verdict, state = tick(name, "-", f.due or 0, f)
    assert.equal("seen", verdict)
    return state.last
  end

  local function history() return w:eval("beat_history", 0, 100) end

  local function put(name, ...)
    return w:eval("beat_put", name, '{"every":5}', "*", ...)[2]
  end

  it("enqueues the job and moves LAST_DUE", function()
    local seen = see("e")
    local verdict, state, now = tick("e", seen, 1700000000123, { queue = "q" })
    assert.equal("fired", verdict)
    assert.same({ "1700000000123", 1, "0", "job-2" },
      { state.last, state.runs, state.paused, state.id })
    assert.is_true(math.abs(w:now_ms() - now // 1000) < 10000)
    assert.same({ "job-2" }, w:fetch(10, { "q" }))
  end)

  it("enqueues in front where that is wanted", function()
    w:enqueue("default", 5, { "a" })
    tick("e", "-", 1000, { front = 1, id = "b" })
    assert.same({ "b", "a" }, w:fetch(10))
  end)

  it("lets one of two schedulers fire, and tells the other where things are", function()
    local seen = see("e")
    assert.equal("fired", tick("e", seen, 1000))
    local verdict, state = tick("e", seen, 1000)
    assert.equal("stale", verdict)
    assert.same({ "1000", 1, "job-2" }, { state.last, state.runs, state.id })
    assert.equal("stale", tick("e", "-", 1000))
    assert.same({ "job-2" }, w:fetch(10))
    assert.equal("stale", (tick("e", "-", 0, { action = "seen" })))
  end)

  it("begins with the first sight: now, or when the caller says", function()
    local before = w:now_ms()
    local seen = tonumber(see("now"))
    assert.is_true(seen >= before and seen <= w:now_ms())
    assert.equal("77", see("then", { due = 77 }))
    local verdict, state = tick("never", "-", 1000)
    assert.same({ "fired", 1 }, { verdict, state.runs })
  end)

  it("passes over what falls due in a pause", function()
    local seen = see("e", { paused = 1 })
    local verdict, state = tick("e", seen, 1000)
    assert.same({ "paused", "1000", 0 }, { verdict, state.last, state.runs })
    assert.same({}, w:fetch(10))
    assert.same({}, history())
  end)

  it("skips where the last run goes on, if the entry says so", function()
    tick("e", see "e", 1000)
    local verdict, state = tick("e", 1000, 2000, { overlap = 0 })
    assert.same({ "skipped_overlap", "2000", 1, "job-2" },
      { verdict, state.last, state.runs, state.id })
    assert.same({ "job-2" }, w:fetch(10))
    assert.equal("skipped_overlap", (tick("e", 2000, 3000, { overlap = 0 })))
    assert.equal("fired", (tick("e", 3000, 4000)))
    w:settle { dropped = { "job-2" } }
    w:settle { ended = { { minute = 0, { w:fetch(10)[1], world.outcome {} } } } }
    assert.equal("fired", (tick("e", 4000, 5000, { overlap = 0 })))
  end)

  it("refuses what is still to come by Redis's clock", function()
    local seen, due = see "e", w:now_ms() + 60000
    local verdict, state = tick("e", seen, due)
    assert.same({ "early", seen, 0 }, { verdict, state.last, state.runs })
    assert.equal("early", (tick("e", seen, due, { action = "late" })))
    assert.same({}, w:fetch(10))
  end)

  it("begins anew, from now, where an entry's timing was edited", function()
    local before = w:now_ms()
    local first = see("e", { timing = "every:5", due = 500 })
    tick("e", first, 1000)
    local verdict, state = tick("e", 1000, 0, { action = "anew", timing = "every:6" })
    assert.same({ "anew", 1, "job-2", "every:6" },
      { verdict, state.runs, state.id, state.timing })
    assert.is_true(tonumber(state.last) >= before and tonumber(state.last) <= w:now_ms())
    assert.equal("stale", (tick("e", 1000, 0, { action = "anew", timing = "every:7" })))
    local ahead = w:now_ms() + 59000
    w:key("HSET", "ticks", "f", ahead .. " 7 1 job-7 900 - x")
    verdict, state = tick("f", ahead, 0, { action = "anew", timing = "y" })
    assert.same({ "anew", tostring(ahead), "1", "y" },
      { verdict, state.last, state.paused, state.timing })
    before = w:now_ms()
    w:key("HSET", "ticks", "g", before + 600000 .. " 7 0 job-7 900 - y")
    verdict, state = tick("g", before + 600000, 0, { action = "anew", timing = "y" })
    assert.same({ "anew", 7 }, { verdict, state.runs }) -- Redis's clock was set back
    assert.is_true(tonumber(state.last) >= before and tonumber(state.last) <= w:now_ms())
  end)

  it("moves on without a job where it came too late", function()
    local verdict, state = tick("e", see "e", 1000, { action = "late" })
    assert.same({ "skipped_late", "1000", 0, "-" },
      { verdict, state.last, state.runs, state.id })
    assert.same({}, w:fetch(10))
  end)

  it("keeps a history of the last 1,000, the newest first", function()
    local seen = see("my entry")
    tick("my entry", seen, 1000)
    tick("my entry", 1000, 2000, { overlap = 0 })
    tick("my entry", 2000, 3000, { action = "late" })
    local lines = history()
    assert.equal(3, #lines)
    assert.matches("^3000 %d+ %- skipped_late my entry$", lines[1])
    assert.matches("^2000 %d+ %- skipped_overlap my entry$", lines[2])
    assert.matches("^1000 %d+ job%-2 fired my entry$", lines[3])
    for i = 1, 1005 do w:key("LPUSH", "beat_history", i) end
    tick("my entry", 3000, 4000)
    assert.equal(1000, w:key("LLEN", "beat_history"))
    assert.matches("^4000 ", w:key("LINDEX", "beat_history", 0))
  end)

  it("fires a run-time entry by its version alone", function()
    local version = put("e", "-", 500)
    assert.equal("changed", (tick("e", 500, 1000, { version = "99" })))
    assert.equal("changed", (tick("e", 500, 1000)))
    assert.equal("fired", (tick("e", 500, 1000, { version = version })))
    w:eval("beat_remove", "e")
    assert.equal("gone", (tick("e", 1000, 2000, { version = version })))
    assert.same({ "job-3" }, w:fetch(10))
  end)

  it("knows the version of an entry whose state was lost", function()
    local version = put("e", "-", "-")
    w:key("DEL", "ticks")
    assert.equal("changed", (tick("e", "-", 0, { action = "seen", version = "99" })))
    assert.equal("changed", (tick("e", "-", 0, { action = "seen" })))
    local seen = see("e", { version = version })
    assert.equal("fired", (tick("e", seen, 1000, { version = version })))
  end)

  it("takes a run-time entry away with its last tick", function()
    local before = w:eval("promote", 1)[4]
    local version = put("e", "-", 500)
    local verdict, state = tick("e", 500, 1000, { version = version, final = 1 })
    assert.same({ "fired", 1 }, { verdict, state.runs })
    assert.equal(0, w:key("EXISTS", "beat"))
    assert.equal(0, w:key("EXISTS", "ticks"))
    assert.is_true(w:eval("promote", 1)[4] >= before + 2)
    assert.equal("gone", (tick("e", 1000, 2000, { version = version })))
  end)

  it("takes it away when it has run max_runs times, in a pause too when nothing follows", function()
    local version = put("e", "-", 500)
    assert.equal("fired", (tick("e", 500, 1000, { version = version, max_runs = 2 })))
    assert.equal("1", w:key("HGET", "ticks", "e"):match("^1000 (%d)"))
    assert.equal("fired", (tick("e", 1000, 2000, { version = version, max_runs = 2 })))
    assert.equal(0, w:key("EXISTS", "beat"))
    version = put("p", 1, 500)
    assert.equal("paused", (tick("p", 500, 1000, { version = version, final = 1 })))
    assert.equal(0, w:key("EXISTS", "beat"))
  end)

  it("keeps the state of a file's entry, so that it never runs again", function()
    local seen = see("e")
    tick("e", seen, 1000, { final = 1, max_runs = 1 })
    local verdict, state = tick("e", 1000, 2000, { max_runs = 1 })
    assert.same({ "done", "1000", 1 }, { verdict, state.last, state.runs })
    assert.same({ "job-2" }, w:fetch(10))
  end)

  it("refuses a record that names no queue and level, before it writes", function()
    for _, bad in ipairs { "", "garbage", "J1 q", "R1 q 5 0" } do
      local reply, why = w:try("tick", "e", "-", 1000, "-", "fire", 1, 0, 0, "id", bad)
      assert.is_nil(reply)
      assert.matches("must begin with its queue and level", why)
    end
    assert.equal(0, w:key("EXISTS", "ticks"))
  end)

  it("is refused by a full Redis", function()
    local seen = see("e")
    w:fill_memory()
    local reply, why = w:try("tick", "e", seen, 1000, "-", "fire", 1, 0, 0, "a", world.record {})
    w:free_memory()
    assert.is_nil(reply)
    assert.matches("^OOM ", why)
  end)

  it("enqueues an id that is there already no second time", function()
    w:enqueue("default", 5, { "a" })
    assert.equal("fired", (tick("e", "-", 1000, { id = "a" })))
    assert.same({ "a" }, w:fetch(10))
  end)

  it("gives a file's entry back what it had come to, after the last of run time", function()
    for _, action in ipairs { "final", "max_runs", "done" } do
      w:reset()
      w:key("HSET", "ticks", "e", "1000 7 0 job-7 900 - 0123abc")
      local version = put("e", "-", 500)
      if action == "done" then
        local held = w:key("HGET", "ticks", "e"):match("(%S+)$")
        w:key("HSET", "ticks", "e", "500 1 0 - 900 " .. version .. " " .. held)
      end
      local f = { version = version, max_runs = action ~= "final" and 1 or nil,
        final = action == "final" and 1 or nil }
      tick("e", "500", 1000, { action = "anew", version = version })
      local last = w:key("HGET", "ticks", "e"):match("^%d+")
      tick("e", last, tonumber(last), f)
      assert.equal(0, w:key("HEXISTS", "beat", "e"), action)
      assert.matches("^%d+ 7 0 job%-7 900 %- 0123abc$", w:key("HGET", "ticks", "e"))
      assert.equal("gone", (tick("e", last, 1000, f)))
    end
  end)
end)

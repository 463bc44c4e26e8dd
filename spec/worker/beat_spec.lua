local history = require "spec.support.ticks"
local site = require "spec.support.site"
local support = require "spec.support"

local ticks <const>, assert_grid <const> = history.of, history.assert_grid

-- Schedules, on real nodes: what is due runs once, whoever fires it, whatever dies or is set.

local BY <const> = 30

local TASKS <const> = site.NOTE .. [[
moil.task("tick", { bind = true }, function(self, ...) note(self.id, ...) end)
moil.task("hold", function()
  note "held"
  while not io.open "gate" do moil.sleep(0.01) end
end)
]]

local function open(options)
  options = options or {}
  return site.open { tasks = TASKS, idle = true, redis = options.redis, config = options.config }
end

local function write(here, schedule)
  return support.write(here.dir .. "/beat.lua", "return { schedule = {\n" .. schedule .. "} }\n")
end

-- `moil worker --beat`, ready; `args` as for site:worker.
local function worker(here, args)
  args = args or {}
  table.insert(args, 1, "-w")
  table.insert(args, 2, "1")
  table.insert(args, "--beat")
  table.insert(args, here.dir .. "/beat.lua")
  return here:worker(args)
end

-- `moil beat FILE`, ready.
local function scheduler(here, args)
  args = args or {}
  args.redis, args.cwd = here.url, here.dir
  table.insert(args, 1, "beat")
  table.insert(args, 2, here.dir .. "/beat.lua")
  local node = support.start_moil(args)
  node:read_until("ready: the schedule alone", BY)
  return node
end

local function stop(node)
  node:kill("TERM")
  assert.equal(0, (node:wait(BY)), node:report())
end

local function call(here, command, key, ...)
  return here.redis:call(command, "{moil}:" .. key, ...)
end

local function eval(here, name, ...)
  return here.redis:call("EVAL", support.script(name), "1", "{moil}:", ...)
end

local function wait_ticks(here, entry, count, node)
  return history.wait(here, entry, count, BY, node)
end

local function state(here, entry)
  local text = call(here, "HGET", "ticks", entry)
  local s = {}
  if text then s.due, s.runs, s.paused = text:match("^(%d+) (%d+) ([01]) ") end
  return s, text
end

-- As if the entry had last been due so many seconds ago.
local function set_back(here, entry, seconds)
  local s, text = state(here, entry)
  local time = here.redis:call("TIME")
  local due = (math.tointeger(time[1]) - seconds) * 1000
  call(here, "HSET", "ticks", entry, (text:gsub("^%d+", tostring(due))))
  return due, s
end

local function wait_seen(here, entry)
  support.wait_until(function() return state(here, entry).due end, BY, entry .. " is seen")
end

describe("a schedule", function()
  it("runs beside the jobs, and alone", function()
    local here = open()
    write(here, [[ half = { task = "tick", every = 0.5, args = { "hello" } }, ]])
    local node = worker(here)
    assert_grid(wait_ticks(here, "half", 3, node), 500)
    support.wait_until(function() return #here:notes() >= 3 end, BY, "three jobs")
    assert.matches(" hello$", here:notes()[1])
    local alone = scheduler(here)
    local nodes = here:nodes()
    assert.equal(2, #nodes)
    stop(node)
    local count = #ticks(here, "half")
    assert_grid(wait_ticks(here, "half", count + 3, alone), 500)
    alone:kill("TTIN")
    alone:read_until("it has no workers", BY)
    stop(alone)
  end)

  it("is refused at the start with its place", function()
    local here = open()
    write(here, [[ broken = { task = "tick", cron = "0 0 30 2 *" }, ]])
    local node = worker(here, { unready = true })
    assert.equal(6, (node:wait(BY)))
    assert.matches('beat.lua: beat entry "broken": cron: ', node:stderr())
    support.write(here.dir .. "/beat.lua", "return {\n  schedule = nil + 1 }")
    node = worker(here, { unready = true })
    assert.equal(6, (node:wait(BY)))
    assert.matches("beat.lua:2: attempt to perform arithmetic", node:stderr())
  end)

  it("warns of an entry for a task that nobody registers, and names the nearest", function()
    local here = open()
    write(here, [[ odd = { task = "tik", cron = "0 0 1 1 *" }, ]])
    local node = worker(here)
    assert.matches('entry "odd": no task "tik" is registered here: did you mean "tick"%?',
      node:stderr())
    stop(node)
  end)

  it("alone, warns of tasks that no node registers", function()
    local here = open()
    local node = here:worker { "-w", "1" }
    write(here, [[ odd = { task = "tik", cron = "0 0 1 1 *" },
      even = { task = "tick", cron = "0 0 1 1 *" }, ]])
    local alone = scheduler(here)
    alone:read_until('entry "odd": no node registers a task "tik": did you mean "tick"%?\n', BY)
    assert.is_nil(alone:stderr():find('entry "even"', 1, true))
    stop(alone)
    stop(node)
  end)

  it("is read anew by a reload, and one with an error changes nothing", function()
    local here = open()
    write(here, [[
      a = { task = "tick", every = 0.2 },
      b = { task = "tick", every = 0.2 },
    ]])
    local node = worker(here)
    wait_ticks(here, "a", 1, node)
    wait_ticks(here, "b", 1, node)

    write(here, [[ a = { task = "tick", every = "often" }, ]])
    node:kill("HUP")
    node:read_until('beat entry "a": every .-generation 1 goes on', BY)
    wait_ticks(here, "b", #ticks(here, "b") + 2, node)

    write(here, [[
      a = { task = "tick", every = 0.25 },
      c = { task = "tick", every = 0.2 },
    ]])
    node:kill("HUP")
    node:read_until("reload: generation 2 serves", BY)
    wait_ticks(here, "c", 2, node)
    local b, a = #ticks(here, "b"), wait_ticks(here, "a", #ticks(here, "a") + 2, node)
    assert.equal(250, a[#a].due - a[#a - 1].due)
    wait_ticks(here, "c", #ticks(here, "c") + 2, node)
    assert.equal(b, #ticks(here, "b"))
    stop(node)
  end)

  it("gives a job the queue, priority and end that its entry says", function()
    local here = open()
    write(here, [[ one = { task = "tick", every = 0.2, queue = "rare", priority = 8, expires = 60,
      kwargs = { x = 1 }, max_runs = 1 }, ]])
    local node = scheduler(here)
    local tick = wait_ticks(here, "one", 1, node)[1]
    local record = call(here, "HGET", "jobs", tick.id)
    assert.matches("^J1 rare 8 0 0 0 %d+ tick 2 7 %d+ *\n", record)
    assert.equal(tick.due / 1000 + 60, tonumber(record:match('"expires":([%d.]+)')))
    stop(node)
  end)
end)

describe("what fell due while no scheduler ran", function()
  -- Runs the entry until it is seen, stops, sets it back by 20 s → the time set, the new node
  local function gap(here, schedule)
    write(here, schedule)
    local node = scheduler(here)
    wait_seen(here, "late")
    stop(node)
    call(here, "DEL", "beat_history")
    local due = set_back(here, "late", 20)
    return due, scheduler(here)
  end

  it("runs once, for its latest time", function()
    local here = open()
    local due, node = gap(here, [[ late = { task = "tick", every = 1 }, ]])
    local found = wait_ticks(here, "late", 2, node)
    assert.is_true(found[1].due >= due + 19000)
    assert_grid(found, 1000)
    stop(node)
  end)

  it("runs each time with catch_up = all", function()
    local here = open()
    local due, node = gap(here, [[ late = { task = "tick", every = 1, catch_up = "all" }, ]])
    local found = wait_ticks(here, "late", 22, node)
    assert.equal(due + 1000, found[1].due)
    assert_grid(found, 1000)
    stop(node)
  end)

  it("is passed over beyond a thousand runs, which is said", function()
    local here = open()
    local due, node = gap(here, [[ late = { task = "tick", every = 0.01, catch_up = "all" }, ]])
    node:read_until('beat entry "late": more than 1000 of its runs were missed: after the '
      .. "first of them, those until %d+%-%d%d%-%d%dT%S+ are passed over", BY)
    stop(node)
    local skipped = 0
    for _, line in ipairs(call(here, "LRANGE", "beat_history", "0", "-1")) do
      if line:find(" %- skipped_late late$") then
        skipped = skipped + 1
        assert.is_true(tonumber(line:match("^%d+")) > due + 10000)
      end
    end
    assert.equal(1, skipped)
  end)

  it("is passed over with catch_up = none", function()
    local here = open()
    local due, node = gap(here, [[ late = { task = "tick", every = 7, catch_up = "none",
      start = "2020-01-01T00:00:00Z" }, ]])
    local found = wait_ticks(here, "late", 1, node)
    assert.is_true(found[1].due > due + 12000) -- of those missed none but the latest, if that
    stop(node)
    call(here, "DEL", "beat_history")
    write(here, [[ late = { task = "tick", every = 86400, catch_up = "none",
      start = "2020-01-01T00:00:00Z" }, ]])
    node = scheduler(here)
    support.wait_until(function() -- it begins anew
      return tonumber(state(here, "late").due) > found[1].due
    end, BY, "the entry's new timing")
    stop(node)
    set_back(here, "late", 86400 * 3)
    node = scheduler(here)
    found = wait_ticks(here, "late", 1, node)
    assert.equal("skipped_late", found[1].outcome)
    assert.equal("-", found[1].id)
    stop(node)
  end)
end)

describe("an entry", function()
  it("goes on from now where Redis's clock was set back", function()
    local here = open()
    write(here, [[ ahead = { task = "tick", every = 0.2 }, ]])
    local node = scheduler(here)
    wait_seen(here, "ahead")
    stop(node)
    local due = set_back(here, "ahead", -3600)
    node = scheduler(here)
    local count = #ticks(here, "ahead")
    assert.is_true(wait_ticks(here, "ahead", count + 3, node)[count + 3].due < due)
    stop(node)
  end)

  it("does not overlap itself where it says so", function()
    local here = open()
    write(here, [[ slow = { task = "hold", every = 0.1, overlap = false }, ]])
    local node = worker(here)
    support.wait_until(function() return #here:notes() > 0 end, BY, "the first run")
    support.wait_until(function()
      local found = ticks(here, "slow")
      return #found > 0 and found[#found].outcome == "skipped_overlap" and #found > 3
    end, BY, "ticks that are skipped")
    assert.equal(1, #here:notes())
    support.write(here.dir .. "/gate", "")
    support.wait_until(function() return #here:notes() > 1 end, BY, "the second run")
    stop(node)
  end)

  it("runs no more than max_runs times, restarts included", function()
    local here = open()
    write(here, [[
      few = { task = "tick", every = 0.1, max_runs = 3 },
      more = { task = "tick", every = 0.1 },
    ]])
    local node = scheduler(here)
    wait_ticks(here, "few", 2, node)
    stop(node)
    node = scheduler(here)
    wait_ticks(here, "few", 3, node)
    wait_ticks(here, "more", #ticks(here, "more") + 5, node)
    assert.equal(3, #ticks(here, "few"))
    assert.equal("3", state(here, "few").runs)
    stop(node)
  end)

  it("waits while it is paused, and what falls due then is passed over", function()
    local here = open()
    write(here, [[ off = { task = "tick", every = 0.1, paused = true, catch_up = "all" },
      on = { task = "tick", every = 0.1 }, ]])
    local node = scheduler(here)
    wait_ticks(here, "on", 5, node)
    assert.equal(0, #ticks(here, "off"))
    eval(here, "beat_pause", "off", "0")
    eval(here, "beat_pause", "on", "1")
    assert_grid(wait_ticks(here, "off", 5, node), 100)
    local count = #ticks(here, "on")
    wait_ticks(here, "off", #ticks(here, "off") + 5, node)
    assert.equal(count, #ticks(here, "on"))
    stop(node)
  end)

  it("is put off by its jitter, the same everywhere, and never past the next", function()
    local here = open()
    write(here, [[ loose = { task = "tick", every = 0.2, jitter = 10, catch_up = "all" }, ]])
    local nodes = { scheduler(here), scheduler(here) }
    local found = wait_ticks(here, "loose", 20, nodes[1])
    assert_grid(found, 200)
    local late = {}
    for _, tick in ipairs(found) do late[tick.fired - tick.due] = true end
    assert.is_not_nil(next(late, next(late)), "all put off by the same")
    for _, node in ipairs(nodes) do stop(node) end
  end)

  it("added at run time is fired by every node, changed, and removed", function()
    local here = open()
    local node = here:worker { "-w", "1" }
    local function put(entry)
      eval(here, "beat_put", "new", entry, "*", "-", "-")
    end
    put '{"task":"tick","every":0.2,"args":["first"]}'
    wait_ticks(here, "new", 2, node)
    put '{"task":"tick","every":0.3,"args":["second"]}'
    support.wait_until(function()
      local notes = here:notes()
      return #notes > 0 and notes[#notes]:find(" second$")
    end, BY, "the changed entry")
    eval(here, "beat_remove", "new")
    put '{"task":"tick","at":"2020-01-01T00:00:00Z"}'
    eval(here, "beat_remove", "new")
    assert.is_nil(call(here, "HGET", "ticks", "new") or nil)
    stop(node)
  end)

  it("added at run time hides the file's of its name until it is removed", function()
    local here = open()
    write(here, [[ it = { task = "tick", every = 0.1, args = { "file" } }, ]])
    local node = worker(here)
    local function wait_note(text)
      support.wait_until(function()
        local notes = here:notes()
        return #notes > 0 and notes[#notes]:find(text)
      end, BY, text)
    end
    wait_note "file"
    eval(here, "beat_put", "it", '{"task":"tick","every":0.1,"args":["added"]}', "*", "-", "-")
    wait_note "added"
    eval(here, "beat_put", "it", '{"task":"tick","every":86400}', "*", "-", "-")
    support.wait_until(function() return tonumber(state(here, "it").runs) end, BY, "its state")
    eval(here, "beat_remove", "it")
    wait_note "file"
    stop(node)
  end)

  it("added at run time leaves the file's its own count of runs", function()
    local here = open()
    write(here, [[ it = { task = "tick", every = 0.1, max_runs = 2 },
      other = { task = "tick", every = 0.1 }, ]])
    local node = worker(here)
    wait_ticks(here, "it", 2, node)
    local three <const> = '{"task":"tick","every":0.1,"max_runs":3}'
    eval(here, "beat_put", "it", three, "*", "-", "-", "0", "-")
    wait_ticks(here, "it", 5, node)
    support.wait_until(function() return call(here, "HGET", "ticks", "it"):find(" 2 0 ") end, BY,
      "the file's state")
    wait_ticks(here, "other", #ticks(here, "other") + 5, node)
    assert.equal(5, #ticks(here, "it"))
    stop(node)
  end)

  it("that is damaged in Redis is named, and the others go on", function()
    local here = open()
    local node = here:worker { "-w", "1" }
    call(here, "HSET", "beat", "bad", '7 {"task":"tick","every":-1}')
    eval(here, "beat_put", "good", '{"task":"tick","every":0.2}', "*", "-", "-")
    node:read_until('beat entry "bad": every [^\n]*; it does not run', BY)
    wait_ticks(here, "good", 3, node)
    stop(node)
  end)
end)

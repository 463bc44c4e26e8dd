-- moil.beat in a plain Lua program and inside of a job, on a real Redis: entries come, are run by a
-- node, and go. When they are due is the scheduler's (spec/worker).

local site = require "spec.support.site"
local support = require "spec.support"

-- The same code in both: it gets moil and a handle, and returns what it saw.
local CODE <const> = [[
local moil, add = ...
local seen = {}
local function see(...)
  for i = 1, select("#", ...) do seen[#seen + 1] = tostring((select(i, ...))) end
end
local function code(fn, ...)
  local ok, err = pcall(fn, ...)
  see(ok, err.code, err.message)
end
local prefix = moil.current() and "job" or "program"
local noon = prefix .. ".noon"
see(add:cron("0 12 * * *", noon, { 1, 2 }, { timezone = "Asia/Tokyo" }).created)
see(add:cron("0 12 * * *", noon, { 1, 2 }, { timezone = "Asia/Tokyo" }).created)
local info = moil.beat.get(noon)
see(info.task, info.when, info.source, info.runs, info.paused, info.next_at % 86400)
see(moil.beat.next(noon, { n = 2, from = 1893456000 })[2])
see(moil.beat.pause(noon), moil.beat.pause(noon), moil.beat.get(noon).next_at)
see(moil.beat.resume(noon), moil.beat.resume(noon))
see(moil.beat.change(noon, { every = 86400000.5 }), moil.beat.change(noon, { every = 86400000.5 }))
see(moil.beat.get(noon).when, #moil.beat.list() >= 1, #moil.beat.history(noon))
see(moil.reschedule(noon, "2040-01-01T00:00:00Z"), moil.beat.get(noon).next_at)
local e = add:schedule(3600, { 1, 1 }, { repeats = 3, interval = 10 })
see(e:info().when, e:info().entry.max_runs, moil.cancel(e.id), e:cancel())
local once = moil.beat.add(prefix .. ".once", { task = "add", at = "2035-01-01T00:00:00Z" })
see(once:reschedule "2036-01-01T00:00:00Z", once:info().next_at, once:cancel())
local r = add:schedule(3600, { 1, 1 })
see(r:state(), moil.cancel(r.id), r:state(), moil.cancel(r.id))
see(add:schedule(0, { 3, 4 }):get { timeout = 20 })
see(moil.beat.remove(noon), moil.beat.remove(noon))
code(moil.beat.pause, noon)
code(moil.beat.change, noon, { every = 1 })
code(moil.cancel, noon)
code(moil.reschedule, noon, 1)
code(moil.beat.add, noon, { task = "add", cron = "0 0 30 2 *" })
code(moil.beat.add, noon, { task = "add", evry = 5 })
code(moil.beat.add, noon, { task = "add", every = 5, args = { ("x"):rep(70000) } })
code(moil.beat.next, { task = "add", every = 5 }, { n = 20000 })
return seen
]]

local EXPECTED <const> = {
  "true", "false",
  "add", "cron 0 12 * * *", "run time", "0", "false", "10800.0",
  "1893553200.0",
  "true", "false", "nil",
  "true", "false",
  "true", "false",
  "every 86400000.5 s", "true", "0",
  "true", "2208988800.0",
  "every 10 s", "3", "true", "false",
  "true", "2082758400.0", "true",
  "SCHEDULED", "true", "REVOKED", "true",
  "7",
  "true", "false",
  "false", "UnknownEntry", 'no beat entry "NOON": none of run time is called so, and no scheduler '
    .. "has seen one of a file",
  "false", "UnknownEntry", 'no beat entry "NOON": none of run time is called so, and no scheduler '
    .. "has seen one of a file",
  "false", "UnknownJob", "~no job under this id",
  "false", "UnknownJob", "~no job under this id",
  "false", "BadArgument", '~^beat entry "NOON": cron: .*never',
  "false", "BadArgument", 'beat entry "NOON": unknown field "evry", did you mean "every"?',
  "false", "TooLarge", '~^beat entry "NOON": %d+ bytes, at most 65536 are taken$',
  "false", "BadArgument", "~^the next runs: 1 to 10000 of them",
}

local function check(seen, noon)
  assert.equal(#EXPECTED, #seen, table.concat(seen, "\n"))
  for i, wanted in ipairs(EXPECTED) do
    local is_pattern = wanted:find("^~") ~= nil
    local name = is_pattern and noon:gsub("%.", "%%.") or noon
    wanted = wanted:gsub("NOON", function() return name end)
    if is_pattern then
      assert.matches(wanted:sub(2), seen[i])
    else
      assert.equal(wanted, seen[i], "value " .. i)
    end
  end
end

describe("moil.beat", function()
  local here

  setup(function()
    here = site.open { args = { "-w", "1" }, tasks = [==[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      moil.task("all", function(code) return assert(load(code))(moil, add) end)
    ]==] }
  end)

  it("works in a plain program", function()
    local dir = support.tempdir()
    support.write(dir .. "/code.lua", CODE)
    support.write(dir .. "/script.lua", [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local seen = assert(loadfile(arg[1]))(moil, add)
      print((moil.json.encode(seen)))
    ]])
    local out = support.lua { dir .. "/script.lua", dir .. "/code.lua", redis = here.redis }
    assert.equal(0, out.code, out.stderr)
    check(support.json_decode(out.stdout), "program.noon")
  end)

  it("works inside of a job", function()
    local out = support.moil { "call", "all", CODE, "--wait", redis = here.redis }
    assert.equal(0, out.code, out.stderr)
    check(support.json_decode(out.stdout), "job.noon")
  end)

  -- Runs a program and gives what it prints.
  local function program(code)
    local dir = support.tempdir()
    support.write(dir .. "/script.lua", code)
    local out = support.lua { dir .. "/script.lua", redis = here.redis, timeout = 60 }
    assert.equal(0, out.code, out.stderr)
    return out.stdout
  end

  it("repeats a job so many times, and is gone then", function()
    assert.equal("3\tnil\t3\tfired\t7\n", program [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local e = add:schedule(0, { 3, 4 }, { repeats = 3, interval = 0.2, name = "thrice" })
      local deadline = os.time() + 30
      while moil.beat.get(e.id) and os.time() < deadline do moil.sleep(0.02) end
      local ticks = moil.beat.history(e.id)
      local ids, last = {}, nil
      for _, tick in ipairs(ticks) do
        ids[tick.id] = true
        last = moil.result(tick.id):get { timeout = 10 }
      end
      local distinct = 0
      for _ in pairs(ids) do distinct = distinct + 1 end
      print(#ticks, moil.beat.get(e.id), distinct, ticks[1].outcome, last)
    ]])
  end)

  it("runs at once when it is given a time that has come", function()
    assert.equal("true\ttrue\ttrue\n2\n", program [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local once = moil.beat.add("once", { task = add, at = "2035-01-01", args = { 1, 1 } })
      local often = add:schedule(3600, { 1, 1 }, { repeats = 2, interval = 0.1, name = "often" })
      print(moil.reschedule("once", 0), often:reschedule(0),
        often:reschedule "2035-01-01T00:00:00Z")
      often:cancel()
      local deadline = os.time() + 30
      while moil.beat.get "once" and os.time() < deadline do moil.sleep(0.02) end
      print(moil.result(moil.beat.history("once")[1].id):get { timeout = 10 })
    ]])
  end)

  it("repeats anew when it is scheduled again under its name", function()
    assert.equal("1\t0\n", program [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local function schedule(when)
        return add:schedule(when, { 1, 1 }, { repeats = 3, interval = 3600, name = "again" })
      end
      local e = schedule(0)
      local deadline = os.time() + 30
      while e:info().runs == 0 and os.time() < deadline do moil.sleep(0.02) end
      schedule(7200)
      print(#moil.beat.history("again"), e:info().runs)
      e:cancel()
    ]])
  end)

  it("stops repeating when it is cancelled, and goes on after a pause", function()
    assert.equal("true\ttrue\ttrue\n", program [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local e = add:cron("* * * * * *", "each-second", { 1, 1 })
      local other = add:cron("* * * * * *", "each-second-too", { 1, 1 })
      local function wait_for(entry, runs)
        local deadline = os.time() + 30
        while entry:info().runs < runs and os.time() < deadline do moil.sleep(0.02) end
        return entry:info().runs
      end
      local first = wait_for(e, 1)
      e:pause()
      local paused = e:info().runs
      wait_for(other, other:info().runs + 2)
      local still = e:info().runs == paused
      e:resume()
      local resumed = wait_for(e, paused + 1) > paused
      print(first >= 1, still, resumed and moil.cancel(e.name) and other:cancel())
    ]])
  end)

  it("is asked again where Redis has forgotten its scripts", function()
    local out = support.moil { "call", "all", [[
      local moil = ...
      moil.beat.add("flushed", { task = "add", at = "2035-01-01" })
      return moil.beat.get("flushed").when
    ]], "--wait", redis = here.redis }
    assert.equal('"at 2035-01-01"\n', out.stdout, out.stderr)
    here.redis:call("SCRIPT", "FLUSH")
    out = support.moil { "call", "all", [[
      local moil = ...
      return { moil.beat.change("flushed", { at = "2036-01-01" }), moil.beat.remove "flushed" }
    ]], "--wait", redis = here.redis }
    assert.equal("[true,true]\n", out.stdout, out.stderr)
  end)

  it("names the field that is wrong, whichever it is", function()
    local lines = {}
    for line in program([[
      local moil = require "moil"
      local now = { every = 5 }
      for _, case in ipairs {
        { "task", task = 5 }, { "every", every = -1 }, { "every", every = "5" },
        { "cron", every = moil.null, cron = "61 * * * *" }, { "solar", solar = { "noon", 91, 0 } },
        { "at", at = "soon" }, { "timezone", timezone = "Not/There" }, { "start", start = true },
        { "stop", stop = "x" }, { "args", args = 5 }, { "kwargs", kwargs = 5 },
        { "queue", queue = "a b" }, { "priority", priority = 11 }, { "at_front", at_front = 1 },
        { "expires", expires = 0 }, { "headers", headers = 5 }, { "retry", retry = { max = 1 } },
        { "time_limit", time_limit = 0 }, { "result_ttl", result_ttl = -1 },
        { "catch_up", catch_up = "some" }, { "overlap", overlap = "no" },
        { "max_runs", max_runs = 1.5 }, { "jitter", jitter = -1 }, { "paused", paused = "no" },
        { "countdown", countdown = 1 }, { "id", id = "x" },
      } do
        local entry = { task = "t" }
        for key, value in pairs(case) do if key ~= 1 then entry[key] = value end end
        if not (entry.cron or entry.solar or entry.at or entry.every) then entry.every = 5 end
        if entry.every == moil.null then entry.every = nil end
        local ok, err = pcall(moil.beat.add, "wrong", entry)
        print(case[1], err and err.code, err and err.message)
      end
    ]]):gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(26, #lines)
    for _, line in ipairs(lines) do
      local field, code, message = line:match("^(%S+)\t(%S+)\t(.*)$")
      assert.equal("BadArgument", code, line)
      assert.matches(field, message, 1, true)
    end
  end)

  it("cannot be asked while files are loaded", function()
    local dir = support.tempdir()
    support.write(dir .. "/t.lua", [[
      local moil = require "moil"
      moil.task("t", function() end)
      moil.beat.add("e", { task = "t", every = 5 })
    ]])
    local out = support.moil { "check", dir .. "/t.lua", redis = here.redis }
    assert.equal(6, out.code)
    assert.matches("t.lua:3: ", out.stderr)
  end)
end)

local support = require "spec.support"

-- `moil beat next`: what a beat file will bring, and what is wrong with it. No Redis is there.

local BY <const> = 30

local dir

local function run(text, ...)
  support.write(dir .. "/beat.lua", text)
  local moil = support.start_moil {
    "beat", "next", "beat.lua", cwd = dir, redis = "unix:///nowhere", ...,
  }
  moil:wait(BY)
  return moil
end

local function schedule(entries, head)
  return ("return { %s schedule = { %s } }"):format(head or "", entries)
end

-- The runs as `entry due`, one line each.
local function runs(...)
  local moil = run(...)
  assert.equal(0, moil.code, moil:report())
  local lines = {}
  for line in moil:stdout():gmatch("[^\n]+") do
    local row = support.json_decode(line)
    lines[#lines + 1] = row.entry .. " " .. row["local"]
  end
  return lines
end

local function refused(pattern, text)
  local moil = run(text)
  assert.equal(6, moil.code, moil:report())
  assert.equal("", moil:stdout())
  local line = moil:stderr()
  assert.matches("^moil: [^\n]*\n$", line)
  assert.matches(pattern, line)
end

describe("moil beat next", function()
  setup(function() dir = support.tempdir() end)

  it("tells the coming runs of all entries in order", function()
    assert.same({
      "a 2026-03-01T00:00:10+00:00",
      "b 2026-03-01T00:00:10+00:00",
      "a 2026-03-01T00:00:20+00:00",
      "a 2026-03-01T00:00:30+00:00",
      "b 2026-03-01T00:00:30+00:00",
    }, runs(schedule([[
      b = { task = "t", every = 20, start = "2026-02-28T23:59:50Z" },
      a = { task = "t", every = 10 },
    ]]), "--json", "-n", "5", "--from", "2026-03-01T00:00:00Z"))
  end)

  it("tells each entry's due in its own zone", function()
    assert.same({
      "tokyo 2026-03-29T09:00:00+09:00",
      "berlin 2026-03-29T03:00:00+02:00", -- there is no half past two
      "kathmandu 2026-03-29T09:00:00+05:45",
    }, runs(schedule([[
      tokyo = { task = "t", cron = "0 9 29 3 *", timezone = "Asia/Tokyo" },
      berlin = { task = "t", cron = "30 2 29 3 *" },
      kathmandu = { task = "t", cron = "0 9 29 3 *", timezone = "Asia/Kathmandu" },
    ]], 'timezone = "Europe/Berlin",'), "--json", "-n", "3", "--from", "2026-03-28T22:00:00Z"))
  end)

  it("counts max_runs, leaves out what is paused or over, and knows fractions", function()
    assert.same({
      "few 2026-01-01T00:00:00.250+00:00",
      "few 2026-01-01T00:00:00.500+00:00",
      "last 2026-01-01T12:00:00+00:00",
    }, runs(schedule([[
      few = { task = "t", every = 0.25, max_runs = 2 },
      off = { task = "t", every = 1, paused = true },
      old = { task = "t", at = "2020-01-01T00:00:00Z" },
      last = { task = "t", at = "2026-01-01T12:00:00Z" },
    ]]), "--json", "--from", "2026-01-01T00:00:00Z"))
  end)

  it("prints a table", function()
    local moil = run(schedule('a = { task = "t.u", every = 10 }'), "-n", "1", "--from", "0")
    assert.equal("ENTRY  TASK  DUE\na      t.u   1970-01-01T00:00:10+00:00\n", moil:stdout())
  end)

  it("names the file and the line, or the entry and the field", function()
    for text, pattern in pairs {
      ["return {\n  schedule = 1 + nil }"] = "beat%.lua:2: attempt to perform arithmetic",
      ["return {\n  schedule = { }}}"] = "beat%.lua:2: .*expected",
      ["return 7"] = "beat%.lua: it must return a table of timezone and schedule",
      ["return {}"] = "beat%.lua: there is no schedule in it",
      ["return { shedule = {} }"] = 'beat%.lua: unknown key "shedule": did you mean "schedule"%?',
      ["return { 1, schedule = {} }"] = "beat%.lua: unknown key",
      ["return { schedule = 3 }"] = "beat%.lua: schedule: it must be a table of entries",
      ["return { schedule = { {} } }"] = "beat%.lua: schedule: each entry has a name",
      ["return { schedule = { a = 1 } }"] = 'beat%.lua: entry "a": it must be a table',
      [schedule 'a = { task = "t", every = 1, args = { function() end } }'] =
        'beat%.lua: entry "a"%.args: a function is not plain data',
      [schedule 'a = { task = "t", every = 1, arg = 1 }'] = 'entry "a": .*"arg".*args',
      [schedule 'a = { task = "t" }'] = 'entry "a"',
      [schedule 'a = { task = "t", cron = "61 * * * *" }'] = 'entry "a": cron: minute',
      [schedule('a = { task = "t", every = 1 }', 'timezone = "Asia/Shangai",')] =
        "timezone: .*Asia/Shanghai",
      [schedule('a = { task = "t", every = 1 }', "timezone = 8,")] = "timezone: it must be a name",
      ["while true do end"] = "beat%.lua:1: the beat file took more than 1 s",
      ["local s = 'x' while true do s = s .. s end"] = "needs more than 64 MB",
      ["return os.exit(0)"] = "beat%.lua:1: attempt to index a nil value %(global 'os'%)",
      ["return load('return 1')"] = "beat%.lua:1: attempt to call a nil value %(global 'load'%)",
      ["\27Lua"] = "beat%.lua: .*binary",
    } do
      refused(pattern, text)
    end
  end)

  it("says what it needs", function()
    for pattern, args in pairs {
      ["the beat file is missing"] = { "beat", "next" },
      ["a beat file, or a verb, is missing"] = { "beat" },
      ["did you mean `moil beat next`%?"] = { "beat", "nxt" },
      ["cannot read the beat file gone%.lua: No such file"] = { "beat", "gone.lua" },
    } do
      args.cwd = dir
      local moil = support.start_moil(args)
      moil:wait(BY)
      assert.equal(2, moil.code, moil:report())
      assert.matches(pattern, moil:stderr())
    end
  end)

  it("checks with the tasks", function()
    support.write(dir .. "/tasks.lua", 'require("moil").task("math.add", function() end)')
    support.write(dir .. "/beat.lua", schedule 'x = { task = "math.ad", every = 1 }')
    local function check()
      local moil = support.start_moil { "check", "tasks.lua", "--beat", "beat.lua", cwd = dir }
      moil:wait(BY)
      return moil
    end
    local moil = check()
    assert.equal(0, moil.code)
    assert.matches('beat.lua: entry "x": no task "math.ad" is registered here: did you mean '
      .. '"math.add"%?\n$', moil:stderr())
    support.write(dir .. "/beat.lua", schedule 'x = { task = "math.add", every = 0 }')
    moil = check()
    assert.equal(6, moil.code)
    assert.matches('^moil: beat.lua: beat entry "x": every', moil:stderr())
  end)
end)

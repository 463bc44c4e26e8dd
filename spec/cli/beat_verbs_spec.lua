-- `moil beat add|remove|pause|resume|list|history` and `moil call --interval`: what is stored,
-- printed and refused. That entries are fired is the scheduler's.

local support = require "spec.support"

local json <const> = support.json_decode

describe("moil beat", function()
  local redis

  setup(function() redis = support.redis() end)
  teardown(function() redis:stop() end)
  before_each(function() redis:call("FLUSHALL") end)

  local function moil(...)
    return support.moil { redis = redis, ... }
  end

  -- stdout of a call that succeeds.
  local function prints(...)
    local out = moil(...)
    assert.equal(0, out.code, out.stderr)
    assert.equal("", out.stderr)
    return out.stdout
  end

  local function refused(code, pattern, ...)
    local out = moil(...)
    assert.equal(code, out.code, out.stdout .. out.stderr)
    assert.matches(pattern, out.stderr)
    assert.matches("^moil: [^\n]+\n$", out.stderr)
    assert.equal("", out.stdout)
  end

  -- The entry as it is stored.
  local function entry(name)
    local text = redis:call("HGET", "{moil}:beat", name)
    return text and json((text:gsub("^%d+ ", "")))
  end

  it("adds an entry with all that can be said of it", function()
    assert.matches("^added noon, next at %d+%-%d%d%-%d%d 03:00:00Z %(in .*%)\n$",
      prints("beat", "add", "noon", "--task", "report.daily", "--cron", "0 12 * * *",
        "--timezone", "Asia/Tokyo", "--args", '["all",0.1]', "--kwargs", '{"a":1}',
        "--queue", "low", "--priority", "3", "--at-front", "--expires", "60", "--overlap", "no",
        "--catch-up", "all", "--start", "1700000000", "--stop", "2040-01-01T00:00:00Z",
        "--max-runs", "9", "--jitter", "1.5"))
    assert.same({ task = "report.daily", cron = "0 12 * * *", timezone = "Asia/Tokyo",
      args = { "all", 0.1 }, kwargs = { a = 1 }, queue = "low", priority = 3, at_front = true,
      expires = 60, overlap = false, catch_up = "all", start = 1700000000,
      stop = "2040-01-01T00:00:00Z", max_runs = 9, jitter = 1.5 }, entry "noon")
  end)

  it("says whether it added, changed, or found it so already", function()
    local add = { "beat", "add", "e", "--task", "t", "--every", "0.5" }
    assert.matches("^added e, next at ", prints(table.unpack(add)))
    assert.matches("^unchanged e, next at ", prints(table.unpack(add)))
    assert.equal("changed e, paused\n",
      prints("beat", "add", "e", "--task", "t", "--every", "7", "--paused"))
    local row = json(prints("beat", "add", "s", "--task", "t", "--solar", "noon,31.23,-121.47",
      "--json"))
    assert.same({ "s", "added", "number" }, { row.name, row.outcome, type(row.next_at) })
    assert.same({ "noon", 31.23, -121.47 }, entry "s".solar)
    prints("beat", "add", "o", "--task", "t", "--at", "2035-01-01T09:00:00")
    prints("beat", "add", "p", "--task", "t", "--at", "2051222400")
    assert.same({ "2035-01-01T09:00:00", 2051222400 }, { entry "o".at, entry "p".at })
  end)

  it("takes the queue of the config file's routes", function()
    local dir = support.tempdir()
    support.write(dir .. "/moil.lua", 'return { routes = { ["img.*"] = "images" } }')
    prints("beat", "add", "e", "--task", "img.scale", "--every", "5", "--config",
      dir .. "/moil.lua")
    assert.equal("images", entry "e".queue)
  end)

  it("refuses what is wrong with one line, and stores nothing", function()
    local function bad(pattern, ...)
      refused(2, pattern, "beat", "add", "q", "--task", "t", ...)
    end
    refused(2, "the entry's name is missing", "beat", "add")
    refused(2, "one argument too many", "beat", "add", "a", "b", "--task", "t")
    refused(2, "%-%-task is missing", "beat", "add", "q", "--every", "5")
    refused(2, "%-%-task", "beat", "add", "q", "--task", "a b", "--every", "5")
    refused(2, "a beat entry's name is 1 to 200", "beat", "add", "a b", "--task", "t", "--every",
      "5")
    bad("does not say when")
    bad("every already", "--every", "5", "--cron", "* * * * *")
    bad("%-%-every", "--every", "0")
    bad("%-%-every", "--every", "often")
    bad("cron: minute", "--cron", "61 * * * *")
    bad("cron: .*never", "--cron", "0 0 30 2 *")
    bad("%-%-solar takes", "--solar", "sunset")
    bad("%-%-solar takes", "--solar", "sunset,1,2,3")
    bad("solar: .*teatime", "--solar", "teatime,1,2")
    bad("solar", "--solar", "noon,91,2")
    bad("at must be a time", "--at", "soon")
    bad("never due from now on", "--at", "2020-01-01T00:00:00Z")
    bad("timezone: .*Europe/Berlin", "--every", "5", "--timezone", "Europe/Berln")
    bad("%-%-overlap", "--every", "5", "--overlap", "maybe")
    bad("%-%-catch%-up", "--every", "5", "--catch-up", "some")
    bad("start must be", "--every", "5", "--start", "soon")
    bad("stop is before start", "--every", "5", "--start", "2035-01-01", "--stop", "2034-01-01")
    bad("%-%-max%-runs", "--every", "5", "--max-runs", "0")
    bad("%-%-jitter", "--every", "5", "--jitter", "-1")
    bad("%-%-args is", "--every", "5", "--args", "{}")
    bad("%-%-args is", "--every", "5", "--args", "[1")
    bad("%-%-kwargs is", "--every", "5", "--kwargs", "[]")
    bad("%-%-queue", "--every", "5", "--queue", "")
    bad("%-%-priority", "--every", "5", "--priority", "10")
    bad("%-%-expires", "--every", "5", "--expires", "0")
    assert.equal(0, redis:call("EXISTS", "{moil}:beat"))
  end)

  it("warns of a task that no live worker knows", function()
    local dir = support.tempdir()
    support.write(dir .. "/t.lua", [[require("moil").task("report.daily", function() end)]])
    local worker = support.start_moil { "worker", dir .. "/t.lua", "-w", "1", redis = redis }
    worker:read_until("ready", 10)
    support.wait_until(function()
      return support.moil { "inspect", "registered", redis = redis }.stdout:find("report.daily", 1,
        true)
    end, 10, "the node's report")
    local out = moil("beat", "add", "e", "--task", "report.dayly", "--at", "2035-01-01")
    assert.equal(0, out.code)
    assert.equal('moil: no worker knows the task "report.dayly": did you mean "report.daily"?\n',
      out.stderr)
    assert.matches('no worker knows the task "xyz" by now', moil("beat", "add", "f", "--task",
      "xyz", "--at", "2035-01-01").stderr)
    prints("beat", "add", "g", "--task", "report.daily", "--at", "2035-01-01")
    worker:stop()
  end)

  it("removes, pauses and resumes", function()
    prints("beat", "add", "e", "--task", "t", "--every", "5")
    redis:call("HSET", "{moil}:ticks", "file", "1700000000123 7 0 job-7 900 - -")
    assert.equal("paused e\n", prints("beat", "pause", "e"))
    assert.equal("paused e\n", prints("beat", "pause", "e"))
    assert.equal("paused file\n", prints("beat", "pause", "file"))
    assert.equal("resumed e\n", prints("beat", "resume", "e"))
    assert.same({ name = "e", state = "removed" }, json(prints("beat", "remove", "e", "--json")))
    assert.matches("^forgotten file: it is of a beat file", prints("beat", "remove", "file"))
    for _, verb in ipairs { "remove", "pause", "resume" } do
      refused(5, 'no beat entry "e"', "beat", verb, "e")
      refused(2, "the entry's name is missing", "beat", verb)
      refused(2, "one argument too many", "beat", verb, "a", "b")
      refused(2, "a beat entry's name", "beat", verb, "a b")
    end
  end)

  it("lists entries as a table, and as JSON", function()
    assert.matches("^no entries: ", prints("beat", "list"))
    assert.equal("", prints("beat", "list", "--json"))
    prints("beat", "add", "b", "--task", "t.b", "--every", "5")
    prints("beat", "add", "a", "--task", "t.a", "--at", "2035-01-01", "--paused")
    redis:call("HSET", "{moil}:ticks", "file", "1700000000123 7 1 job-7 1600000000000 - -")
    local lines = {}
    for line in prints("beat", "list"):gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(4, #lines)
    assert.matches("^ENTRY +TASK +WHEN +NEXT +LAST +RUNS +PAUSED +SOURCE$", lines[1])
    assert.matches("^a +t%.a +at 2035%-01%-01 +0 +yes +run time$", lines[2])
    assert.matches("^b +t%.b +every 5 s +in %S+ +0 +no +run time$", lines[3])
    assert.matches("^file +%d+d.* ago +7 +yes +file$", lines[4])
    local rows = {}
    for line in prints("beat", "list", "--json"):gmatch("[^\n]+") do
      rows[#rows + 1] = json(line)
    end
    assert.same({ "a", "b", "file" }, { rows[1].name, rows[2].name, rows[3].name })
    assert.same({ task = "t.a", at = "2035-01-01" }, rows[1].entry)
  end)

  it("tells the last ticks, of all or of one", function()
    assert.equal("no ticks yet\n", prints("beat", "history"))
    for i = 1, 12 do
      redis:call("LPUSH", "{moil}:beat_history", ("%d000 %d500 id-%d fired e"):format(i, i, i))
    end
    redis:call("LPUSH", "{moil}:beat_history", "20000 20001 - skipped_overlap f")
    local function rows(...)
      local list = {}
      for line in prints("beat", "history", "--json", ...):gmatch("[^\n]+") do
        list[#list + 1] = json(line)
      end
      return list
    end
    assert.same({ name = "f", due_at = 20.0, fired_at = 20.001, outcome = "skipped_overlap" },
      rows()[1])
    assert.equal(10, #rows())
    assert.equal(12, #rows("e", "-n", "100"))
    assert.same({ name = "e", due_at = 12.0, fired_at = 12.5, outcome = "fired", id = "id-12" },
      rows("e", "-n", "1")[1])
    assert.matches("^ENTRY +DUE +FIRED +OUTCOME +ID\nf .*skipped_overlap",
      prints("beat", "history"))
    refused(2, "a beat entry's name", "beat", "history", "a b")
    refused(5, 'no beat entry "nosuch"', "beat", "history", "nosuch")
    prints("beat", "add", "quiet", "--task", "t", "--every", "3600")
    assert.equal("no ticks yet\n", prints("beat", "history", "quiet"))
    refused(2, "%-%-count", "beat", "history", "-n", "0")
  end)

  it("refuses options of an entry elsewhere, and verbs that do not exist", function()
    refused(2, "%-%-cron goes with `moil beat add`", "beat", "list", "--cron", "x")
    refused(2, "%-%-overlap goes with `moil beat add`", "beat", "remove", "e", "--overlap", "no")
    refused(2, "did you mean `moil beat list`", "beat", "lst")
    refused(2, "is missing", "beat")
    refused(3, "Redis", "beat", "list", "--redis", "unix:///nowhere/redis.sock", "--deadline",
      "0.2")
  end)
end)

describe("moil call --interval", function()
  local redis

  setup(function() redis = support.redis() end)
  teardown(function() redis:stop() end)
  before_each(function() redis:call("FLUSHALL") end)

  local function moil(...)
    return support.moil { redis = redis, ... }
  end

  it("makes an entry that repeats the job, and prints its id", function()
    local before = os.time()
    local out = moil("call", "math.add", "1", '"2"', "--repeat", "5", "--interval", "0.5",
      "--countdown", "100", "--queue", "q", "--priority", "1", "--kwargs", '{"a":1}',
      "--result-ttl", "9")
    assert.equal(0, out.code, out.stderr)
    local id = out.stdout:match("^(%x+%-%x+%-4%S+)\n$")
    local e = json((redis:call("HGET", "{moil}:beat", id):gsub("^%d+ ", "")))
    assert.is_true(e.start >= before + 99 and e.start <= os.time() + 101)
    e.start = nil
    assert.same({ task = "math.add", args = { 1, "2" }, kwargs = { a = 1 }, every = 0.5,
      max_runs = 5, queue = "q", priority = 1, result_ttl = 9 }, e)
    assert.equal("removed " .. id .. "\n", moil("beat", "remove", id).stdout)
  end)

  it("takes a name as its id, and begins at once", function()
    local row = json(moil("call", "t", "--repeat", "2", "--interval", "60", "--id", "twice",
      "--json").stdout)
    assert.same({ id = "twice", created = true }, row)
    local e = json(moil("beat", "list", "--json").stdout)
    assert.is_true(e.next_at <= os.time() + 1)
  end)

  it("goes with what makes sense", function()
    for _, words in ipairs { { "--interval", "5" }, { "--interval", "0", "--repeat", "2" },
      { "--interval", "5", "--repeat", "2", "--wait" },
      { "--interval", "5", "--repeat", "2", "--stdin" },
      { "--interval", "5", "--repeat", "2", "--expires", "60" } } do
      local out = moil("call", "t", table.unpack(words))
      assert.equal(2, out.code)
      assert.matches("^moil: %-%-interval[^\n]*\n$", out.stderr)
    end
  end)
end)

-- Beat entries of run time through moil.h, without a scheduler: what is stored, told and refused.

local client = require "spec.support.client"
local support = require "spec.support"

local json <const> = support.json_decode
local INVALID <const>, TOO_LARGE <const>, UNKNOWN <const>, STATE <const> = -2, -3, -7, -16

local redis, c

setup(function()
  redis = support.redis()
  c = client(redis.url)
end)

teardown(function()
  assert.equal(0, (c.close()))
  redis:stop()
end)

before_each(function() redis:call("FLUSHALL") end)

local function list()
  local status, sentence, given = c("beat_list")
  assert.equal(0, status, sentence)
  return json(given)
end

describe("moil_beat_put", function()
  it("adds an entry, leaves it as it is, and changes it", function()
    assert.equal(1, (c("beat_put", "e", '{"task":"t","every":5}')))
    assert.equal(0, (c("beat_put", "e", '{ "every": 5, "task": "t" }')))
    assert.equal(2, (c("beat_put", "e", '{"task":"t","every":6,"args":[0.1,9007199254740993]}')))
    local e = list()[1]
    assert.same({ "e", "run time", "t", "every 6 s", 0, false },
      { e.name, e.source, e.task, e.when, e.runs, e.paused })
    assert.same({ 0.1, 9007199254740993 }, e.entry.args)
    assert.matches('"args":%[0%.1,9007199254740993%]', redis:call("HGET", "{moil}:beat", "e"))
    assert.is_true(e.next_at > e.first_at and e.next_at <= e.first_at + 20)
    assert.is_nil(e.last_due_at)
    assert.is_nil(e.last_id)
  end)

  it("keeps a pause apart from what the entry says", function()
    assert.equal(1, (c("beat_put", "e", '{"task":"t","every":5,"paused":true}')))
    assert.is_true(list()[1].paused)
    assert.is_nil(list()[1].next_at)
    assert.is_nil(list()[1].entry.paused)
    assert.equal(0, (c("beat_put", "e", '{"task":"t","every":5}')))
    assert.is_true(list()[1].paused)
    assert.equal(0, (c("beat_put", "e", '{"task":"t","every":5,"paused":false}')))
    assert.is_false(list()[1].paused)
  end)

  it("names the entry and the field of what is wrong, and stores nothing", function()
    local function refused(pattern, text, name)
      local status, sentence = c("beat_put", name or "e", text)
      assert.equal(INVALID, status, text)
      assert.matches(pattern, sentence)
      assert.not_matches("\n", sentence)
    end
    refused('"e": it is no JSON', '{"task"')
    refused('"e": it must be a table', "[]")
    refused('"e": task is missing', '{"every":5}')
    refused('"e": it does not say when', '{"task":"t"}')
    refused('"e": cron: .*every already', '{"task":"t","every":5,"cron":"* * * * *"}')
    refused('"e": unknown field "evry", did you mean "every"', '{"task":"t","evry":5}')
    refused('"e": task must be a name', '{"task":"a b","every":5}')
    refused('"e": every must be', '{"task":"t","every":0}')
    refused('"e": every must be', '{"task":"t","every":"5"}')
    refused('"e": cron: minute', '{"task":"t","cron":"61 * * * *"}')
    refused('"e": cron: .*never', '{"task":"t","cron":"0 0 30 2 *"}')
    refused('"e": solar', '{"task":"t","solar":["teatime",1,2]}')
    refused('"e": solar', '{"task":"t","solar":["noon",91,2]}')
    refused('"e": at must be', '{"task":"t","at":"soon"}')
    refused('"e": it is never due from now on: at 2020', '{"task":"t","at":"2020-01-01T00:00:00Z"}')
    refused('"e": timezone: .*Europe/Berlin', '{"task":"t","every":5,"timezone":"Europe/Berln"}')
    refused('"e": catch_up must be', '{"task":"t","every":5,"catch_up":"some"}')
    refused('"e": overlap must be', '{"task":"t","every":5,"overlap":"no"}')
    refused('"e": start must be', '{"task":"t","every":5,"start":true}')
    refused('"e": stop is before start',
      '{"task":"t","every":5,"start":"2030-01-02T00:00:00Z","stop":"2030-01-01T00:00:00Z"}')
    refused('"e": max_runs must be', '{"task":"t","every":5,"max_runs":0}')
    refused('"e": jitter must be', '{"task":"t","every":5,"jitter":-1}')
    refused('"e": args must be', '{"task":"t","every":5,"args":{"a":1}}')
    refused('"e": kwargs must be', '{"task":"t","every":5,"kwargs":[1]}')
    refused('"e": queue must be', '{"task":"t","every":5,"queue":""}')
    refused('"e": priority must be', '{"task":"t","every":5,"priority":10}')
    refused('"e": expires must be', '{"task":"t","every":5,"expires":0}')
    refused('"e": countdown does not go', '{"task":"t","every":5,"countdown":1}')
    refused("a beat entry's name is", '{"task":"t","every":5}', "a b")
    refused("a beat entry's name is", '{"task":"t","every":5}', "-")
    refused("a beat entry's name is", '{"task":"t","every":5}', ("x"):rep(201))
    assert.same({}, list())
  end)

  it("takes 64 KB, and no more", function()
    local function entry(size)
      return '{"task":"t","every":5,"args":["' .. ("x"):rep(size) .. '"]}'
    end
    assert.equal(1, (c("beat_put", "e", entry(65000))))
    local status, sentence = c("beat_put", "f", entry(65536))
    assert.equal(TOO_LARGE, status)
    assert.matches('"f": %d+ bytes, at most 65536', sentence)
  end)
end)

describe("moil_beat_change", function()
  it("changes fields, takes some away, and knows when nothing changed", function()
    c("beat_put", "e", '{"task":"t","every":5,"queue":"q","args":[1]}')
    assert.equal(1, (c("beat_change", "e", '{"cron":"0 12 * * *","queue":null}')))
    assert.same({ task = "t", cron = "0 12 * * *", args = { 1 } }, list()[1].entry)
    assert.equal(0, (c("beat_change", "e", '{"args":[1]}')))
    assert.equal(2, list()[1].version)
  end)

  it("refuses what is wrong, and what is not there", function()
    c("beat_put", "e", '{"task":"t","every":5}')
    local status, sentence = c("beat_change", "e", '{"every":-5}')
    assert.equal(INVALID, status)
    assert.matches('"e": every must be', sentence)
    assert.equal(INVALID, (c("beat_change", "e", "[]")))
    assert.equal(UNKNOWN, (c("beat_change", "f", '{"every":5}')))
    assert.equal(INVALID, (c("beat_change", "", '{"every":5}')))
    redis:call("HSET", "{moil}:ticks", "file", "1000 7 0 job-7 900 - -")
    assert.equal(STATE, (c("beat_change", "file", '{"every":5}')))
    assert.equal(5, list()[1].entry.every)
  end)
end)

describe("moil_beat_remove and moil_beat_pause", function()
  it("know entries of run time and of files", function()
    c("beat_put", "e", '{"task":"t","every":5}')
    redis:call("HSET", "{moil}:ticks", "file", "1700000000123 7 0 job-7 900 - -")
    for _, name in ipairs { "e", "file" } do
      assert.equal(1, (c("beat_pause", name, "1")))
      assert.equal(0, (c("beat_pause", name, "1")))
      assert.equal(1, (c("beat_pause", name, "0")))
      assert.equal(0, (c("beat_pause", name, "0")))
    end
    assert.equal(1, (c("beat_remove", "e")))
    assert.equal(2, (c("beat_remove", "file")))
    for _, command in ipairs { "beat_remove", "beat_pause" } do
      local status, sentence = c(command, "e", "1")
      assert.equal(UNKNOWN, status)
      assert.matches('no beat entry "e"', sentence)
      assert.equal(INVALID, (c(command, "a b", "1")))
    end
  end)
end)

describe("each function that takes an entry's name", function()
  it("refuses one that is none", function()
    c("beat_put", "e", '{"task":"t","every":5}')
    for _, name in ipairs { "-", "", "a b", ("x"):rep(201), "\1" } do -- "-": NULL
      for _, call in ipairs { { "beat_put", '{"task":"t","every":5}' }, { "beat_remove" },
        { "beat_change", "{}" }, { "beat_change", '{"every":6}' }, { "beat_pause", "1" },
        name ~= "-" and { "beat_history", "0" } or nil } do
        local status, sentence = c(call[1], name, call[2])
        assert.equal(INVALID, status, call[1] .. " " .. name)
        assert.equal("a beat entry's name is 1 to 200 printable ASCII characters without space",
          sentence)
      end
    end
    assert.same({ 1, 5 }, { #list(), list()[1].entry.every })
  end)
end)

describe("moil_beat_list and moil_beat_history", function()
  it("tell an entry without ticks from none", function()
    c("beat_put", "e", '{"task":"t","every":5}')
    redis:call("HSET", "{moil}:ticks", "file", "1700000000123 7 0 job-7 900 - -")
    redis:call("LPUSH", "{moil}:beat_history", "1700000000000 1700000000123 job-7 fired gone")
    for _, name in ipairs { "e", "file" } do
      local status, _, text = c("beat_history", name, "0")
      assert.same({ 0, "[]" }, { status, text })
    end
    assert.matches("job%-7", select(3, c("beat_history", "gone", "0")))
    local status, sentence = c("beat_history", "nosuch", "0")
    assert.equal(UNKNOWN, status)
    assert.matches('no beat entry "nosuch"', sentence)
  end)

  it("list by name, those of files too", function()
    for _, name in ipairs { "c", "a", "b" } do
      c("beat_put", name, '{"task":"t","every":5}')
    end
    redis:call("HSET", "{moil}:ticks", "aa", "1700000000123 7 1 job-7 1600000000000 - -")
    local names = {}
    for i, e in ipairs(list()) do names[i] = e.name end
    assert.same({ "a", "aa", "b", "c" }, names)
    assert.same({ name = "aa", source = "file", runs = 7, paused = true,
      last_due_at = 1700000000.123, last_id = "job-7", first_at = 1600000000.0 }, list()[2])
  end)

  it("list 2,000", function()
    for i = 1, 2000 do
      redis:call("HSET", "{moil}:beat", "e" .. i, i .. ' {"task":"t","every":5}')
      redis:call("HSET", "{moil}:ticks", "e" .. i, "1000 0 0 - 1000 " .. i .. " -")
    end
    assert.equal(2000, #list())
  end)

  it("show an entry that this machine cannot read, with the reason", function()
    redis:call("HSET", "{moil}:beat", "e", '1 {"task":"t","every":5,"timezone":"Not/There"}')
    redis:call("HSET", "{moil}:ticks", "e", "1000 0 0 - 1000 1 -")
    assert.matches('"e": timezone: ', list()[1].problem)
    assert.is_nil(list()[1].next_at)
  end)

  it("show the others beside one that is damaged", function()
    c("beat_put", "good", '{"task":"t","every":5}')
    for name, text in pairs { garbage = "garbage", half = '2 {"task"', list = "3 []" } do
      redis:call("HSET", "{moil}:beat", name, text)
      redis:call("HSET", "{moil}:ticks", name, "not a state")
    end
    local entries = list()
    assert.equal(4, #entries)
    for i, name in ipairs { "garbage", "good", "half", "list" } do
      assert.equal(name, entries[i].name)
      assert.equal(name == "good", entries[i].problem == nil)
    end
    assert.equal(1, (c("beat_remove", "garbage")))
  end)

  it("tell ticks of all or of one, the newest first", function()
    for _, line in ipairs { "1000 1001 id-1 fired a", "2000 2002 - skipped_late b",
      "3000 3003 - skipped_overlap a" } do
      redis:call("LPUSH", "{moil}:beat_history", line)
    end
    local function history(...)
      local status, _, given = c("beat_history", ...)
      assert.equal(0, status)
      return json(given)
    end
    local all = history("-", 0)
    assert.equal(3, #all)
    assert.same({ name = "a", due_at = 3.0, fired_at = 3.003, outcome = "skipped_overlap" }, all[1])
    assert.same({ name = "a", due_at = 1.0, fired_at = 1.001, outcome = "fired", id = "id-1" },
      all[3])
    assert.same({ all[1] }, history("-", 1))
    assert.same({ all[1], all[3] }, history("a", 0))
    assert.same({ all[1] }, history("a", 1))
  end)
end)

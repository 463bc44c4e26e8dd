-- lua/moil/beat.lua: what it asks of the host, and what it makes of the answers.

local driver = require "spec.lua.driver"
local json = require("spec.support").json_decode

describe("moil.beat", function()
  local moil

  before_each(function()
    moil = driver.open()
    driver.answers.beat = function(ask)
      return { ({ put = '{"outcome":"added","version":1}', remove = "1", pause = "1",
        list = '{"cursor":"0","entries":[]}', history = "[]", next = "[1.5]" })[ask.verb] }
    end
  end)

  -- The last question, with the entry as a table.
  local function asked()
    local name, ask = table.unpack(driver.asked[#driver.asked])
    assert.equal("beat", name)
    return ask, ask.text ~= "" and json(ask.text) or nil
  end

  local function bad(pattern, f, ...)
    local err = driver.error_of(f, ...)
    assert.equal("BadArgument", err.code)
    assert.matches(pattern, err.message)
  end

  it("puts an entry as plain data", function()
    local task = moil.task("t.x", function() end)
    local e = moil.beat.add("noon", { task = task, cron = "0 12 * * *", args = { 1, nil, 3, n = 4 },
      retry = moil.retry.fixed { max = 2, delay = 5 }, timezone = "Asia/Tokyo" })
    local ask, entry = asked()
    assert.same({ "put", "noon", "*", false }, { ask.verb, ask.name, ask.expect, ask.flag })
    assert.equal("t.x", entry.task)
    assert.equal("fixed", entry.retry.policy)
    assert.matches('"args":%[1,null,3,null%]', ask.text)
    assert.same({ "noon", "noon", true }, { e.name, e.id, e.created })
    assert.equal("moil.Entry noon", tostring(e))
  end)

  it("takes points in time as tables", function()
    moil.beat.add("e", { task = "t", at = os.date("*t", 1900000000),
      stop = "2040-01-01T00:00:00Z" })
    local _, entry = asked()
    assert.same({ 1900000000, "2040-01-01T00:00:00Z" }, { entry.at, entry.stop })
    bad('"e": start a table must be', moil.beat.add, "e", { task = "t", every = 1, start = {} })
  end)

  it("fills in what the task's options say, where the entry says nothing", function()
    moil.task("t.x", { queue = "mine", priority = 8, expires = 60, headers = { a = 1 },
      max_deliveries = 4 }, function() end)
    moil.beat.add("e", { task = "t.x", every = 5, priority = 2 })
    local _, entry = asked()
    assert.same({ task = "t.x", every = 5, priority = 2, queue = "mine", expires = 60,
      headers = { a = 1 }, max_deliveries = 4 }, entry)
    moil.beat.add("e", { task = "unknown.here", every = 5 })
    assert.same({ task = "unknown.here", every = 5 }, select(2, asked()))
  end)

  it("refuses what is no name and no table, before it asks", function()
    bad("name of a beat entry must be", moil.beat.add, "a b", { task = "t", every = 5 })
    bad("name of a beat entry must be", moil.beat.pause, nil)
    bad("name of a beat entry must be", moil.beat.remove, {})
    bad('"e": takes a table', moil.beat.add, "e")
    bad('"e": takes a table', moil.beat.add, "e", { "t" })
    bad('"e": arguments must be a list', moil.beat.add, "e", { task = "t", args = { a = 1 } })
    bad("limit must be", moil.beat.history, nil, 0)
    bad("unknown option 'count'", moil.beat.next, { task = "t", every = 1 }, { count = 3 })
    bad("n must be a whole number", moil.beat.next, { task = "t", every = 1 }, { n = "3" })
    bad("from: a text must be", moil.beat.next, { task = "t", every = 1 }, { from = "soon" })
    assert.same({}, driver.asked)
  end)

  it("tells a full schedule", function()
    driver.answers.beat = { '{"outcome":"full","version":0}' }
    assert.equal("TooLarge", driver.error_of(moil.beat.add, "e", { task = "t", every = 5 }).code)
  end)

  it("changes an entry as it was read, and again where others were faster", function()
    local puts = 0
    driver.answers.beat = function(ask)
      if ask.verb == "list" then
        return { ('{"cursor":"0","entries":[{"name":"e","version":%d,"entry":%s}]}'):format(
          puts + 7, '{"task":"t","every":5,"queue":"q"}') }
      end
      puts = puts + 1
      return { puts == 1 and '{"outcome":"clash","version":8}' or
        '{"outcome":"changed","version":9}' }
    end
    assert.is_true(moil.beat.change("e", { cron = "* * * * *", queue = moil.null }))
    local ask, entry = asked()
    assert.equal("8", ask.expect)
    assert.same({ task = "t", cron = "* * * * *" }, entry)
  end)

  it("knows what is not there, and what is of a file", function()
    assert.equal("UnknownEntry", driver.error_of(moil.beat.change, "e", { every = 1 }).code)
    assert.equal("UnknownEntry", driver.error_of(moil.beat.next, "e").code)
    assert.is_nil(moil.beat.get "e")
    driver.answers.beat = { "0" }
    assert.equal("UnknownEntry", driver.error_of(moil.beat.resume, "e").code)
    assert.is_false(moil.beat.remove "e")
    driver.answers.beat = { '{"cursor":"0","entries":[{"name":"e","source":"file"}]}' }
    bad("one of a file: change it there", moil.beat.change, "e", { every = 1 })
    bad("moil beat next FILE", moil.beat.next, "e")
  end)

  it("lists pages, each entry once, by name", function()
    driver.answers.beat = function(ask)
      return { ask.text == "0" and '{"cursor":"9","entries":[{"name":"b"},{"name":"a"}]}'
        or '{"cursor":"0","entries":[{"name":"b"},{"name":"0"}]}' }
    end
    local names = {}
    for i, e in ipairs(moil.beat.list()) do names[i] = e.name end
    assert.same({ "0", "a", "b" }, names)
  end)

  it("names the entry and the field of a number that is none", function()
    for _, value in ipairs { 0 / 0, math.huge, -math.huge } do
      bad('^beat entry "noon": every is no finite number$', moil.beat.add, "noon",
        { task = "t", every = value })
      bad('^beat entry "next": at is no finite number$', moil.beat.next, { task = "t", at = value })
    end
    assert.equal(0, #driver.asked)
  end)

  it("works out the next times of fields", function()
    assert.same({ 1.5 }, moil.beat.next({ task = "t", every = 5 }, { n = 3, from = 1900000000 }))
    local ask, entry = asked()
    assert.same({ "next", 3, 1900000000 }, { ask.verb, ask.limit, ask.from })
    assert.same({ task = "t", every = 5 }, entry)
  end)
end)

describe("a task's handle", function()
  local moil, add

  before_each(function()
    moil = driver.open()
    add = moil.task("math.add", { queue = "sums" }, function(x, y) return x + y end)
    driver.answers.beat = function(ask)
      return { ask.verb == "list" and '{"cursor":"0","now":1900000000.5,"entries":[]}'
        or '{"outcome":"added","version":1}' }
    end
    driver.answers.enqueue = { true }
  end)

  local function asked()
    local ask = driver.asked[#driver.asked][2]
    return ask, json(ask.text)
  end

  it("registers a cron entry", function()
    local e = add:cron("0 12 * * *", "noon", { 1, 2 }, { timezone = "Asia/Tokyo", max_runs = 3 })
    local ask, entry = asked()
    assert.same({ "noon", "noon" }, { e.id, ask.name })
    assert.same({ task = "math.add", cron = "0 12 * * *", args = { 1, 2 }, queue = "sums",
      timezone = "Asia/Tokyo", max_runs = 3 }, entry)
    assert.equal("BadArgument", driver.error_of(add.cron, add, "0 12 * * *").code)
    assert.equal("BadArgument", driver.error_of(add.cron, add, "0 12 * * *", "n", {}, 5).code)
  end)

  it("schedules a plain delayed job, with its result", function()
    local r = add:schedule(60, { 1, 2 }, { priority = 3 })
    local sub = driver.asked[1][2][1] or driver.asked[1][2]
    assert.equal("enqueue", driver.asked[1][1])
    assert.same({ 60000, true }, { sub.due_ms or sub.due, sub.due_is_relative ~= false })
    assert.is_true(r.created)
    assert.equal("moil.Result " .. r.id, tostring(r))
  end)

  it("schedules repeats as an entry that begins then", function()
    local e = add:schedule(60, { 1, 2 }, { repeats = 5, interval = 10, name = "five" })
    local ask, entry = asked()
    assert.same({ "five", true }, { ask.name, ask.flag })
    assert.equal("five", e.id)
    assert.equal(1900000060.5, entry.start) -- by Redis's clock
    entry.start = nil
    assert.same({ task = "math.add", every = 10, max_runs = 5, args = { 1, 2 }, queue = "sums" },
      entry)
    add:schedule("2030-01-01T00:00:00Z", {}, { ["repeat"] = 2, interval = 0.5 })
    ask, entry = asked()
    assert.matches("^%x+%-%x+%-4", ask.name)
    assert.same({ 1893456000, 2 }, { entry.start, entry.max_runs })
    add:schedule(0, nil, { interval = 1 })
    assert.is_nil(select(2, asked()).max_runs)
  end)

  it("refuses times and repeats that make no sense", function()
    local function bad(pattern, ...)
      local err = driver.error_of(add.schedule, add, ...)
      assert.equal("BadArgument", err.code)
      assert.matches(pattern, err.message)
    end
    bad("math.add: the time", "soon")
    bad("math.add: the time", -1, {}, { repeats = 1, interval = 1 })
    bad("math.add: the time", nil)
    bad("repeats needs an interval", 1, {}, { repeats = 3 })
    bad("repeats must be a whole number", 1, {}, { repeats = 0, interval = 1 })
    bad("repeats must be a whole number", 1, {}, { ["repeat"] = 1.5, interval = 1 })
    bad("interval must be a number", 1, {}, { interval = "1" })
    bad("countdown does not go", 1, {}, { countdown = 1 })
    bad("options must be a table", 1, {}, 5)
    bad("must be a list", 1, "x")
    assert.same({}, driver.asked)
  end)
end)

describe("moil.cancel and moil.reschedule", function()
  local moil

  before_each(function() moil = driver.open() end)

  it("take an entry of run time away", function()
    driver.answers.beat = { "1" }
    assert.is_true(moil.cancel "e")
    assert.is_true(driver.asked[1][2].flag)
    assert.equal(1, #driver.asked)
  end)

  it("revoke a job", function()
    driver.answers.beat = { "0" }
    driver.answers.revoke = { "REVOKED" }
    assert.is_true(moil.cancel "id")
    driver.answers.revoke = { "STARTED" }
    assert.is_false(moil.cancel "id")
  end)

  it("refuse what is neither, and what is of a file", function()
    driver.answers.revoke = { fail = { "UnknownJob", "no job" } }
    driver.answers.beat = { "0" }
    assert.equal("UnknownJob", driver.error_of(moil.cancel, "e").code)
    driver.answers.beat = { "2" }
    assert.matches("one of a file", driver.error_of(moil.cancel, "e").message)
    assert.equal("BadArgument", driver.error_of(moil.cancel, "a b").code)
  end)

  it("give an entry of a file no other time", function()
    driver.answers.reschedule = { fail = { "UnknownJob", "no job" } }
    driver.answers.beat = { '{"cursor":"0","now":1.5,"entries":[{"name":"e","source":"file"}]}' }
    for _, reschedule in ipairs { moil.reschedule, function(name, when)
      return moil.beat.entry(name):reschedule(when)
    end } do
      local err = driver.error_of(reschedule, "e", 60)
      assert.equal("BadArgument", err.code)
      assert.matches('"e" is one of a file: change it there', err.message)
    end
    driver.answers.beat = { '{"cursor":"0","entries":[]}' }
    assert.equal("UnknownJob", driver.error_of(moil.reschedule, "e", 60).code)
    assert.equal("UnknownEntry",
      driver.error_of(function() moil.beat.entry("e"):reschedule(60) end).code)
  end)
end)

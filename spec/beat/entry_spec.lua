-- Entries from plain data: what each field becomes, and what is refused.

local support = require "spec.support"
local driver = require "spec.beat.driver"

local decode <const> = support.json_decode

local function refusal(fields, name)
  local entry, message = driver.parse(fields, name)
  assert.is_nil(entry)
  return message
end

-- What is said of a field beside `every`.
local function wrong(fields)
  fields.task, fields.every = fields.task or "t", fields.every or 1
  return (refusal(fields):gsub('^beat entry "e": ', ""))
end

describe("an entry", function()
  it("needs a task and a time", function()
    assert.same({ name = "e", task = "report.tick", args = "[]", when = "every 5 s",
      timezone = "UTC", catch_up = "one", priority = -1, expires_ms = 0, jitter_ms = 0,
      max_runs = 0, at_front = false, overlap = true, paused = false },
      driver.entry { task = "report.tick", every = 5 }:fields())
    assert.equal('beat entry "e": task is missing: the name of what it runs', refusal { every = 5 })
    assert.equal('beat entry "e": it does not say when: one of every, cron, solar and at is wanted',
      refusal { task = "t" })
    assert.equal('beat entry "e": cron: there is every already: an entry has one of them',
      refusal { task = "t", every = 5, cron = "* * * * *" })
  end)

  it("has all that a job can be told", function()
    local fields = driver.entry {
      task = "t", cron = "0 12 * * *", timezone = "Asia/Shanghai", args = { "all", 1, { x = 2 } },
      kwargs = { deep = true }, queue = "low", priority = 9, at_front = true, expires = 600,
      catch_up = "none", overlap = false, max_runs = 3, jitter = 1.5, paused = true,
      headers = { from = "beat" }, retry = { policy = "fixed", max = 3 }, time_limit = 10,
      soft_time_limit = 5, result_ttl = 60, ignore_result = true, max_deliveries = 2,
    }:fields()
    assert.same({ "all", 1, { x = 2 } }, decode(fields.args))
    assert.same({ deep = true }, decode(fields.kwargs))
    assert.same({ headers = { from = "beat" }, retry = { policy = "fixed", max = 3 },
      time_limit = 10, soft_time_limit = 5, result_ttl = 60, ignore_result = true,
      max_deliveries = 2 }, decode(fields.extra))
    fields.args, fields.kwargs, fields.extra = nil, nil, nil
    assert.same({ name = "e", task = "t", queue = "low", when = "cron 0 12 * * *",
      timezone = "Asia/Shanghai", catch_up = "none", priority = 9, expires_ms = 600000,
      jitter_ms = 1500, max_runs = 3, at_front = true, overlap = false, paused = true }, fields)
  end)

  it("keeps numbers and bytes of its arguments as they are", function()
    local given = [==[[4,4.0,9007199254740993,-0.1,1e300,"a\u0000é",null,{},[]]]==]
    local entry = assert(driver.parse('{"task":"t","every":1,"args":' .. given .. "}"))
    local args = entry:fields().args
    assert.is_not_nil(args:find("^%[4,4%.0,9007199254740993,%-0%.1"), args)
    assert.is_not_nil(args:find([==["a\u0000é",null,{},[]]==], 1, true), args)
  end)

  it("says when in words", function()
    for fields, when in pairs {
      [{ every = 0.25 }] = "every 0.25 s",
      [{ every = 86400 }] = "every 86400 s",
      [{ cron = "@daily" }] = "cron @daily",
      [{ solar = { "sunset", 31.23, 121.47 } }] = "solar sunset 31.23 121.47",
      [{ solar = { "dusk", 31, -121.47 } }] = "solar dusk_civil 31 -121.47",
      [{ at = "2030-01-01T09:00:00+08:00" }] = "at 2030-01-01T09:00:00+08:00",
      [{ at = 1893459600 }] = "at 1893459600",
    } do
      assert.equal(when, driver.entry(fields):fields().when)
    end
  end)

  it("tells the run when it was due, and when it expires", function()
    local due <const> = 1767225600250
    assert.equal('{"eta":1767225600.250}', driver.entry { every = 1 }:extra(due))
    assert.same({ eta = 1767225600.25, expires = 1767225610.75, time_limit = 5 },
      decode(driver.entry { every = 1, expires = 10.5, time_limit = 5 }:extra(due)))
  end)

  it("takes Lua's empty tables for what they stand for", function()
    local fields = assert(driver.parse(
      '{"task":"t","every":1,"args":[],"kwargs":[],"headers":[]}')):fields()
    assert.equal("[]", fields.args)
    assert.is_nil(fields.kwargs)
    assert.is_nil(fields.extra)
  end)

  it("is refused with its name, the field and the nearest", function()
    assert.equal('beat entry "noon": cron: minute: 61 is out of range 0-59',
      refusal({ task = "t", cron = "61 * * * *" }, "noon"))
    assert.equal('beat entry "noon": cron: day of month: it never comes: no month that '
      .. '"0 0 30 2 *" names has such a day', refusal({ task = "t", cron = "0 0 30 2 *" }, "noon"))
    assert.equal('timezone: there is no time zone "Asia/Shanghia", did you mean "Asia/Shanghai"?',
      wrong { timezone = "Asia/Shanghia" })
    assert.equal('solar: there is no event "sunst", did you mean "sunset"?',
      (refusal { task = "t", solar = { "sunst", 1, 2 } }:gsub("^.-: ", "")))
    assert.equal('unknown field "evry", did you mean "every"?', wrong { evry = 1 })
    assert.equal('unknown field "timezon", did you mean "timezone"?', wrong { timezon = "UTC" })
    assert.equal('unknown field "xyzzy-plugh"', wrong { ["xyzzy-plugh"] = 1 })
  end)

  it("is refused where a field is not what it must be", function()
    local a_name <const> = "must be a name (1 to 200 printable ASCII characters without space)"
    local a_count <const> = "must be a whole number, 1 to 1000000000"
    local a_limit <const> = "must be a number of seconds, 0.01 to 1000000000, or false for none"
    local an_instant <const> = "must be a time such as 2030-01-01T09:00:00+08:00, without its "
      .. "offset one of the entry's time zone, or seconds since the epoch"
    for message, values in pairs {
      [a_name] = { task = { "a b", 5, "" }, queue = { "a b", false } },
      ["must be a name such as Europe/Berlin"] = { timezone = { 5 } },
      ["must be a number of seconds, 0.01 to 1000000000"] = { every = { 0, -1, 2e9, "5" } },
      ["must be a list (names and values go into kwargs)"] = { args = { "all", { x = 1 } } },
      ["must be names and values (a list goes into args)"] = { kwargs = { 5, { 1 } } },
      ["must be names and values"] = { headers = { 5, { 1 } } },
      ["must be a whole number from 0 to 9, higher first"] = { priority = { 10, -1, 1.5, "5" } },
      ["must be true or false"] = { overlap = { 1 }, paused = { "yes" }, at_front = { 0 },
        ignore_result = { "no" } },
      ["must be a number of seconds after the due time, more than 0"] =
        { expires = { 0, -5, "2030-01-01T09:00:00Z" } },
      ['must be "one", "all" or "none"'] = { catch_up = { "some", true } },
      [a_count] = { max_runs = { 0, 1.5, "3" }, max_deliveries = { 0 } },
      [a_limit] = { time_limit = { 0, true, "1" }, soft_time_limit = { -1 } },
      ["must be a number of seconds, 0 for none kept, or false for ever"] =
        { result_ttl = { -1, true } },
      ["must be a policy such as moil.retry.fixed{}, or false for none"] =
        { retry = { true, 3, {} } },
      ["must be a number of seconds, 0 to 86400"] = { jitter = { -1, 86401, "1" } },
      [an_instant] = { start = { "tomorrow", -1, true, "2030-13-01" }, stop = { "x" } },
      ["does not go with an entry: its schedule says when it runs"] =
        { eta = { 5 }, countdown = { 5 } },
      ["does not go with an entry: each run gets an id of its own"] = { id = { "x" } },
      ["does not go with an entry: enqueue the workflow in its task"] =
        { link = { {} }, link_error = { {} }, depends_on = { "x" } },
    } do
      for field, list in pairs(values) do
        for _, value in ipairs(list) do
          assert.equal(field .. " " .. message, wrong { [field] = value })
        end
      end
    end
    for _, value in ipairs { "sunset", { "sunset" }, { "sunset", 1 }, { "sunset", "1", "2" },
      { 1, 2, 3 }, { "sunset", 1, 2, 3 } } do
      assert.equal('beat entry "e": solar must be an event, a latitude and a longitude: '
        .. '{ "sunset", 31.23, 121.47 }', refusal { task = "t", solar = value })
    end
    assert.equal('beat entry "e": cron must be a text such as "0 12 * * *"',
      refusal { task = "t", cron = 5 })
    assert.equal('beat entry "e": at ' .. an_instant, refusal { task = "t", at = "noon" })
    assert.equal("soft_time_limit (6 s) must be less than time_limit (5 s)",
      wrong { soft_time_limit = 6, time_limit = 5 })
  end)

  it("is refused in the words of docs/scheduling.md", function()
    local page = support.read("docs/scheduling.md")
    for _, fields in ipairs {
      { cron = "0 24 * * *" }, { cron = "0 0 30 2 *" }, { every = 1, timezone = "Asia/Shanghia" },
      { every = 1, catchup = "one" },
    } do
      fields.task = "t"
      local message = refusal(fields, "noon")
      assert.is_not_nil(page:find("\n" .. message .. "\n", 1, true), message)
    end
  end)

  it("is refused where it is no object, or its name no name", function()
    assert.equal('beat entry "e": it must be a table of fields (a JSON object)', refusal "[]")
    assert.is_not_nil(refusal("{"):find('^beat entry "e": it is no JSON: '))
    assert.is_not_nil(refusal(""):find('^beat entry "e": it is no JSON: '))
    assert.is_not_nil(refusal('{"task":"t","task":"u","every":1}'):find("duplicate", 1, true))
    assert.equal('beat entry "e": it is larger than 1 MB', refusal((" "):rep(1048577)))
    for _, name in ipairs { "", "every 5 s", "a\nb", ("x"):rep(201) } do
      local message = refusal({ task = "t", every = 1 }, name)
      assert.is_not_nil(message:find("its name must be a name (1 to 200", 1, true), message)
      assert.is_nil(message:find("\n"))
    end
  end)
end)

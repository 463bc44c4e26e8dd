-- When entries are due: every, at, start and stop, and cron where clocks are set.

local oracle = require "spec.beat.oracle"
local driver = require "spec.beat.driver"
local expressions = require "spec.beat.expressions"
local walker = require "spec.beat.walker"

local at, following = driver.at, driver.following

local function cron(text, zone)
  return driver.entry { cron = text, timezone = zone }
end

describe("every", function()
  it("is due at the multiples of its interval", function()
    assert.same({ "2026-01-01T00:00:05Z", "2026-01-01T00:00:10Z" },
      following(driver.entry { every = 5 }, "2026-01-01T00:00:00Z", 2))
    assert.same({ "2026-01-01T00:00:05Z" },
      following(driver.entry { every = 5 }, "2026-01-01T00:00:03Z", 1))
    assert.same({ "2026-01-02T00:00:00Z" },
      following(driver.entry { every = 86400 }, "2026-01-01T00:00:00Z", 1))
  end)

  it("may be a fraction of a second", function()
    assert.same({ "2026-01-01T00:00:00.250Z", "2026-01-01T00:00:00.500Z",
      "2026-01-01T00:00:00.750Z", "2026-01-01T00:00:01Z" },
      following(driver.entry { every = 0.25 }, "2026-01-01T00:00:00Z", 4))
    local entry, t = driver.entry { every = 0.01 }, 1767225600003
    for i = 1, 500 do
      t = entry:next(t)
      assert.equal(1767225600000 + i * 10, t)
    end
  end)

  it("counts from its start", function()
    assert.same({ "2026-01-01T00:00:03Z", "2026-01-01T00:00:10Z", "2026-01-01T00:00:17Z" },
      following(driver.entry { every = 7, start = "2026-01-01T00:00:03Z" },
        "2025-01-01T00:00:00Z", 3))
    local entry = driver.entry { every = 7, start = "2026-01-01T00:00:03Z" }
    assert.equal((at "2026-01-01T00:00:03Z" + 7 * 100000) * 1000,
      entry:next((at "2026-01-01T00:00:03Z" + 7 * 100000) * 1000 - 1))
  end)

  it("grows by its interval, whatever that is", function()
    oracle.draw(2000, function()
      local every = math.random(10000, 10 ^ math.random(4, 11) // 1 + 10000) / 1e6
      local entry = driver.entry { every = every }
      local t = math.random(0, at "2090-01-01T00:00:00Z" * 1000)
      local first = entry:next(t)
      local second = entry:next(first)
      assert.is_true(first > t and first - t <= math.ceil(every * 1000), every)
      assert.is_true(math.abs(second - first - every * 1000) <= 1, every)
      assert.equal(second, entry:next(math.random(first, second - 1)))
    end)
  end)
end)

describe("at", function()
  it("is due once", function()
    for _, text in ipairs { "2030-01-01T09:00:00+08:00", "2030-01-01T01:00:00Z" } do
      local entry = driver.entry { at = text }
      assert.same({ "2030-01-01T01:00:00Z" }, following(entry, "2026-01-01T00:00:00Z", 2))
      assert.same({ "2030-01-01T01:00:00Z" }, following(entry, "2030-01-01T00:59:59Z", 2))
      assert.same({}, following(entry, "2030-01-01T01:00:00Z", 2))
    end
    assert.same({ "2030-01-01T01:00:00Z" },
      following(driver.entry { at = 1893459600 }, "2026-01-01T00:00:00Z", 2))
    assert.same({ "2030-01-01T01:00:00.125Z" },
      following(driver.entry { at = 1893459600.125 }, "2026-01-01T00:00:00Z", 2))
  end)

  it("without an offset is the entry's local time", function()
    local function due(text, zone)
      return following(driver.entry { at = text, timezone = zone }, "1999-01-01T00:00:00Z", 1)[1]
    end
    assert.equal("2030-01-01T01:00:00Z", due("2030-01-01T09:00:00", "Asia/Shanghai"))
    assert.equal("2030-01-01T09:00:00Z", due("2030-01-01 09:00"))
    assert.equal("2029-12-31T16:00:00Z", due("2030-01-01", "Asia/Shanghai"))
    assert.equal("2026-07-01T10:00:00.500Z", due("2026-07-01T12:00:00.5", "Europe/Berlin"))
    assert.equal("2026-03-29T01:00:00Z", due("2026-03-29T02:30", "Europe/Berlin")) -- skipped
    assert.equal("2026-10-25T00:30:00Z", due("2026-10-25T02:30", "Europe/Berlin")) -- twice
  end)
end)

describe("start and stop", function()
  it("bound what is due, both included", function()
    local entry = driver.entry { cron = "0 * * * *", timezone = "Asia/Shanghai",
      start = "2026-01-01T09:00:00", stop = "2026-01-01T11:00:00" }
    assert.same({ "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z" },
      following(entry, "2020-01-01T00:00:00Z", 9))
    assert.equal(driver.never, entry:next(at "2026-01-01T03:00:00Z" * 1000))
  end)

  it("bound the sun as well", function()
    local entry = driver.entry { solar = { "sunset", 31.23, 121.47 }, start = "2026-06-01",
      stop = "2026-06-04" }
    assert.equal(3, #following(entry, "2020-01-01T00:00:00Z", 9))
  end)

  it("must leave something", function()
    for fields, message in pairs {
      [{ every = 5, start = "2026-01-02", stop = "2026-01-01" }] = "stop is before start",
      [{ cron = "0 12 * * *", start = "2026-01-01T13:00", stop = "2026-01-01T14:00" }] =
        "it is never due between start and stop",
      [{ at = "2026-01-01T13:00", stop = "2026-01-01T12:00" }] =
        "it is never due between start and stop",
    } do
      fields.task = "t"
      local entry, refused = driver.parse(fields)
      assert.is_nil(entry)
      assert.equal('beat entry "e": ' .. message, refused)
    end
  end)
end)

describe("cron", function()
  it("goes by the entry's time zone", function()
    assert.same({ "2026-01-01T04:00:00Z", "2026-01-02T04:00:00Z" },
      following(cron("0 12 * * *", "Asia/Shanghai"), "2026-01-01T00:00:00Z", 2))
    assert.same({ "2026-01-01T18:15:00Z" },
      following(cron("0 0 * * *", "Asia/Kathmandu"), "2026-01-01T00:00:00Z", 1))
  end)

  it("is due at the next minute that exists where the clock skips its time", function()
    assert.same({ "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z" },
      following(cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T00:00:00Z", 3))
    assert.same({ "2026-03-08T07:00:00Z" },
      following(cron("30 2 * * *", "America/New_York"), "2026-03-08T00:00:00Z", 1))
    -- by half an hour only
    assert.same({ "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z" },
      following(cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2))
    -- several times that are skipped are one moment
    assert.same({ "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z" },
      following(cron("*/10 * * * *", "Europe/Berlin"), "2026-03-29T00:40:00Z", 3))
    -- a whole day
    assert.same({ "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T12:00:00Z" },
      following(cron("0 2 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", 3))
  end)

  it("is due once where the clock shows its time twice", function()
    assert.same({ "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" },
      following(cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 2))
    assert.same({ "2026-10-26T01:30:00Z" },
      following(cron("30 2 * * *", "Europe/Berlin"), "2026-10-25T00:59:59Z", 1))
    assert.same({ "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z" },
      following(cron("30 1 * * *", "America/New_York"), "2026-11-01T00:00:00Z", 2))
    assert.same({ "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z" },
      following(cron("*/30 * * * *", "Europe/Berlin"), "2026-10-25T00:00:00Z", 3))
  end)

  it("is what comes of asking each minute, where clocks are set", function()
    local names = driver.zone_names()
    oracle.draw(250, function()
      local zone = driver.zone(oracle.pick(names))
      local change = select(2, zone:span(math.random(0, at "2037-01-01T00:00:00Z")))
      if change == driver.never then return end
      local text = oracle.pick { "* 1-3 * * *", "*/10 0-4 * * *", "30 * * * *", "30 2 * * *",
        "59 23 * * *", (expressions.draw(false)) }
      local entry, refused = driver.parse { task = "t", cron = text, timezone = zone:name() }
      if not entry then
        assert.is_not_nil(refused:find("never comes"))
        return
      end
      local from = (change - 86400) // 60 * 60
      local dues = walker.dues(text, function(t) return (select(3, zone:span(t))) end, from,
        from + 2 * 86400)
      local t = from - 1
      for _, due in ipairs(dues) do
        t = entry:next(t * 1000) // 1000
        assert.equal(due, t, ("%s %s %d"):format(text, zone:name(), from))
      end
      assert.is_true(entry:next(t * 1000) // 1000 >= from + 2 * 86400)
    end)
  end)

  it("of 2 o'clock is due on each day of a year, in every zone of the database", function()
    local days = { [2011] = 365, [2024] = 366, [2026] = 365, [2037] = 365, [2044] = 366,
      [2150] = 365 }
    local count = 0
    for _, name in ipairs(driver.zone_names()) do
      local zone, entry = driver.zone(name), cron("0 2 * * *", name)
      for year, number in pairs(days) do
        local first = zone:first(at(year .. "-01-01T00:00:00Z"))
        local last = zone:first(at(year + 1 .. "-01-01T00:00:00Z"))
        assert.equal(number, entry:count(first * 1000 - 1, last * 1000), name .. " " .. year)
      end
      count = count + 1
    end
    assert.is_true(count > 300)
  end)

  it("grows, and is the same from any moment between two", function()
    local names = driver.zone_names()
    oracle.draw(3000, function()
      local entry = driver.parse { task = "t", cron = (expressions.draw(false)),
        timezone = oracle.pick(names) }
      if not entry then return end
      local first = math.random(0, at "2090-01-01T00:00:00Z" * 1000)
      local second = entry:next(first)
      local third = entry:next(second)
      assert.is_true(second > first and third > second)
      assert.equal(0, second % 1000)
      assert.equal(third, entry:next(math.random(second, third - 1)))
    end)
  end)

  it("ends with the year 9999", function()
    assert.equal(driver.never, cron("* * * * *", "Europe/Berlin"):next(253402300800000))
    assert.equal(driver.never, cron("* * * * *"):next(math.maxinteger))
    assert.equal(0, cron("* * * * *"):next(math.mininteger))
    assert.equal(0, driver.entry { every = 5 }:next(math.mininteger))
    assert.equal(driver.never, driver.entry { every = 5 }:next(math.maxinteger))
    assert.equal(driver.never, driver.entry { solar = { "noon", 1, 1 } }:next(math.maxinteger))
    assert.is_true(driver.entry { solar = { "noon", 1, 1 } }:next(math.mininteger) >= 0)
  end)
end)

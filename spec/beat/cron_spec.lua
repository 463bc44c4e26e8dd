-- Cron expressions: what they mean, what is refused, and the same from croniter and from asking
-- every minute.

local support = require "spec.support"
local beat = support.units.beat
local oracle = require "spec.beat.oracle"
local expressions = require "spec.beat.expressions"
local walker = require "spec.beat.walker"

local compares = oracle.tests(it, pending)

local function at(text)
  local y, m, d, hh, mm, ss = text:match("^(%d+)-(%d+)-(%d+) (%d+):(%d+):?(%d*)$")
  local second = ss == "" and 0 or ss // 1
  return beat.days(y // 1, m // 1, d // 1) * 86400 + hh * 3600 + mm * 60 + second
end

local function show(second)
  return os.date("!%Y-%m-%d %H:%M:%S", second)
end

-- The next matches after a local time.
local function following(cron, after, count)
  local shown = {}
  for i, second in ipairs(assert(beat.cron_next(cron, at(after), count))) do
    shown[i] = show(second)
  end
  return shown
end

describe("a cron expression", function()
  it("has five fields", function()
    assert.same({ "2026-03-01 12:00:00", "2026-03-02 12:00:00" },
      following("0 12 * * *", "2026-03-01 11:59:59", 2))
    assert.same({ "2026-03-02 12:00:00" }, following("0 12 * * *", "2026-03-01 12:00", 1))
    assert.same({ "2026-03-01 00:15:00", "2026-03-01 00:30:00", "2026-03-01 00:45:00" },
      following("*/15 * * * *", "2026-03-01 00:00", 3))
    assert.same({ "2026-12-31 23:59:00", "2027-12-31 23:59:00" },
      following("59 23 31 12 *", "2026-03-01 00:00", 2))
  end)

  it("has six with the second first", function()
    assert.same({ "2026-03-01 00:00:10", "2026-03-01 00:00:40", "2026-03-01 00:01:10" },
      following("10,40 * * * * *", "2026-03-01 00:00", 3))
    assert.same({ "2026-03-01 00:00:01", "2026-03-01 00:00:02" },
      following("* * * * * *", "2026-03-01 00:00", 2))
  end)

  it("has names, ranges, steps and lists", function()
    assert.same(following("0 0 * 1,7 1-5", "2026-01-01 00:00", 60),
      following("0 0 * JAN,jul MON-fri", "2026-01-01 00:00", 60))
    assert.same({ "2026-03-01 00:05:00", "2026-03-01 00:25:00", "2026-03-01 00:45:00" },
      following("5/20 * * * *", "2026-03-01 00:00", 3))
    assert.same({ "2026-03-01 10:00:00", "2026-03-01 13:00:00", "2026-03-01 22:00:00" },
      following("0 10-15/3,22 * * *", "2026-03-01 00:00", 3))
  end)

  it("has ranges that go over the end", function()
    assert.same({ "2026-03-01 22:00:00", "2026-03-01 23:00:00", "2026-03-02 00:00:00",
      "2026-03-02 01:00:00", "2026-03-02 22:00:00" },
      following("0 22-1 * * *", "2026-03-01 12:00", 5))
    -- Friday to Monday
    assert.same({ "2026-03-06 00:00:00", "2026-03-07 00:00:00", "2026-03-08 00:00:00",
      "2026-03-09 00:00:00", "2026-03-13 00:00:00" },
      following("0 0 * * FRI-MON", "2026-03-02 00:00", 5))
  end)

  it("has 0 and 7 for Sunday", function()
    for _, day in ipairs { "0", "7", "sun", "7-7", "0-0", "7/2" } do
      assert.same({ "2026-03-01 00:00:00", "2026-03-08 00:00:00" },
        following("0 0 * * " .. day, "2026-02-23 00:00", 2), day)
    end
    assert.same(following("0 0 * * 5,6,0", "2026-03-01 00:00", 9),
      following("0 0 * * 5-7", "2026-03-01 00:00", 9))
  end)

  it("has the last day, days before it, and working days", function()
    assert.same({ "2027-01-31 00:00:00", "2027-02-28 00:00:00", "2027-03-31 00:00:00" },
      following("0 0 L * *", "2027-01-01 00:00", 3))
    assert.same({ "2028-02-29 00:00:00" }, following("0 0 L 2 *", "2028-01-01 00:00", 1))
    assert.same({ "2027-01-28 00:00:00", "2027-02-25 00:00:00" },
      following("0 0 L-3 * *", "2027-01-01 00:00", 2))
    -- 2026-01-31 is a Saturday, 2026-02-28 too
    assert.same({ "2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-31 00:00:00" },
      following("0 0 LW * *", "2026-01-01 00:00", 3))
    -- 2026-02-15 is a Sunday, 2026-08-15 a Saturday, 2026-08-01 too, 2026-05-31 a Sunday
    assert.same({ "2026-02-16 00:00:00" }, following("0 0 15W 2 *", "2026-01-01 00:00", 1))
    assert.same({ "2026-08-14 00:00:00" }, following("0 0 15W 8 *", "2026-01-01 00:00", 1))
    assert.same({ "2026-08-03 00:00:00" }, following("0 0 1W 8 *", "2026-01-01 00:00", 1))
    assert.same({ "2026-05-29 00:00:00" }, following("0 0 31W 5 *", "2026-01-01 00:00", 1))
  end)

  it("has the nth and the last weekday", function()
    assert.same({ "2026-03-09 00:00:00", "2026-04-13 00:00:00" },
      following("0 0 * * MON#2", "2026-03-01 00:00", 2))
    assert.same({ "2026-03-31 00:00:00", "2026-06-30 00:00:00" },
      following("0 0 * * 2#5", "2026-03-01 00:00", 2))
    for _, day in ipairs { "5L", "friL", "L5", "LFRI" } do
      assert.same({ "2026-03-27 00:00:00", "2026-04-24 00:00:00" },
        following("0 0 * * " .. day, "2026-03-01 00:00", 2), day)
    end
  end)

  it("takes either of two restricted day fields, and both where one is a star", function()
    -- the 13th, and Fridays
    assert.same({ "2026-03-06 00:00:00", "2026-03-13 00:00:00", "2026-03-20 00:00:00",
      "2026-03-27 00:00:00", "2026-04-03 00:00:00", "2026-04-10 00:00:00",
      "2026-04-13 00:00:00" }, following("0 0 13 * FRI", "2026-03-01 00:00", 7))
    -- uneven days that are Fridays
    assert.same({ "2026-03-13 00:00:00", "2026-03-27 00:00:00", "2026-04-03 00:00:00" },
      following("0 0 */2 * FRI", "2026-03-01 00:00", 3))
    assert.same(following("0 0 * * FRI", "2026-03-01 00:00", 9),
      following("0 0 ? * FRI", "2026-03-01 00:00", 9))
    assert.same(following("0 0 13 * *", "2026-03-01 00:00", 9),
      following("0 0 13 * ?", "2026-03-01 00:00", 9))
  end)

  it("has nicknames", function()
    for nickname, fields in pairs {
      ["@yearly"] = "0 0 1 1 *", ["@annually"] = "0 0 1 1 *", ["@monthly"] = "0 0 1 * *",
      ["@weekly"] = "0 0 * * 0", ["@daily"] = "0 0 * * *", ["@midnight"] = "0 0 * * *",
      ["@hourly"] = "0 * * * *", ["@Daily"] = "0 0 * * *",
    } do
      assert.same(following(fields, "2026-03-01 00:00", 5),
        following(nickname, "2026-03-01 00:00", 5), nickname)
    end
  end)

  it("means what docs/scheduling.md says", function()
    local page, count = support.read("docs/scheduling.md"), 0
    for text, first in page:gmatch("\n| `([^`\n]+)` | [^|\n]* | `(2%d%d%d%-[^`\n]+)` |") do
      assert.same({ first }, following(text, "2026-01-01 00:00", 1), text)
      count = count + 1
    end
    assert.equal(12, count)
    for nickname, fields in page:gmatch("\n| `(@%l+)`[^|\n]* | `([^`\n]+)` |") do
      assert.same(following(fields, "2026-03-01 00:00", 5),
        following(nickname, "2026-03-01 00:00", 5), nickname)
      count = count + 1
    end
    assert.equal(17, count)
  end)

  it("may wait long", function()
    assert.same({ "2028-02-29 00:00:00" }, following("0 0 29 2 *", "2026-03-01 00:00", 1))
    assert.same({ "2104-02-29 00:00:00" }, following("0 0 29 2 *", "2096-02-29 00:00", 1))
    -- a fifth Sunday in February comes every 28 years, or after 40
    assert.same({ "2032-02-29 00:00:00", "2060-02-29 00:00:00", "2088-02-29 00:00:00",
      "2128-02-29 00:00:00" }, following("0 0 * 2 SUN#5", "2026-03-01 00:00", 4))
    assert.equal(math.maxinteger, beat.cron_next("0 0 29 2 *", at("9999-01-01 00:00"))[1])
  end)

  it("is refused where it can never match", function()
    for _, text in ipairs { "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30W 2 *", "0 0 L-29 2 *",
      "0 0 30-31 FEB *", "* 0 0 31 2 ?" } do
      local ok, message = beat.cron(text)
      assert.is_nil(ok, text)
      assert.equal(('day of month: it never comes: no month that "%s" names has such a day')
        :format(text), message)
    end
    assert.is_true(beat.cron("0 0 30 2 MON")) -- Mondays in February
  end)

  it("is refused with the field and the value", function()
    local five <const> = "five are wanted (minute, hour, day of month, month, day of week), or "
      .. "six with the second first"
    for text, message in pairs {
      ["60 * * * *"] = "minute: 60 is out of range 0-59",
      ["61 0 * * * *"] = "second: 61 is out of range 0-59",
      ["0 24 * * *"] = "hour: 24 is out of range 0-23",
      ["0 0 0 * *"] = "day of month: 0 is out of range 1-31",
      ["0 0 32W * *"] = "day of month: 32 is out of range 1-31",
      ["0 0 L-31 * *"] = "day of month: 31 is out of range 0-30",
      ["0 0 * 13 *"] = "month: 13 is out of range 1-12",
      ["0 0 * * 8"] = "day of week: 8 is out of range 0-7",
      ["0 0 * * MON#6"] = "day of week: #6 is out of range 1-5",
      ["1-60 * * * *"] = "minute: 60 is out of range 0-59",
      ["*/0 * * * *"] = "minute: the step 0 is out of range 1-60",
      ["*/90 * * * *"] = "minute: the step 90 is out of range 1-60",
      ["99999999999999999999 * * * *"] = "minute: 99999999999999999999 is out of range 0-59",
      ["0 0 * foo *"] = 'month: "foo" is no number from 1 to 12 and no name (jan to dec)',
      ["0 0 * * foo"] = 'day of week: "foo" is no number from 0 to 7 and no name (sun to sat)',
      ["0 0 * * MONDAY"] = 'day of week: "MONDAY" is not understood',
      ["0 0 * * L"] = 'day of week: "L" wants a day: 5L is the last Friday of the month',
      ["x * * * *"] = 'minute: "x" is not understood: numbers, *, -, / and commas are',
      ["? * * * *"] = 'minute: "?" is not understood: numbers, *, -, / and commas are',
      ["*/ * * * *"] = 'minute: "*/" is not understood: a number is missing in it',
      ["5,,6 * * * *"] = "minute: a list has an empty place",
      [", * * * *"] = "minute: a list has an empty place",
      ["1-2-3 * * * *"] = 'minute: "1-2-3" is not understood',
      ["* * * *"] = "it has 4 fields; " .. five,
      ["x"] = "it has 1 field; " .. five,
      [""] = "it has 0 fields; " .. five,
      ["1 2 3 4 5 6 7"] = "it has more than 6 fields; " .. five,
      ["CRON_TZ=UTC 0 0 * * *"] = "a time zone goes into the field timezone",
      ["@reboot"] = "@reboot is no time: an entry is due at times, whichever machine or scheduler "
        .. "starts",
      ["@every 5m"] = "@every is said with the field every, in seconds",
      ["@dayly"] = "there is no @dayly, did you mean @daily?",
      ["@daily 5"] = "there is nothing behind @daily",
      [("1,"):rep(300)] = "it is longer than 500 bytes",
    } do
      local ok, refused = beat.cron(text)
      assert.is_nil(ok, text)
      assert.equal(message, refused)
    end
  end)
end)

-- The question for croniter, which wants the seconds behind. It takes a field that lists all there
-- is for a star; Vixie does not: of two restricted fields, the one that has every day suffices.
local function question(fields, seconds, after)
  local time, day, month, weekday = fields:match("^(%S+ %S+) (%S+) (%S+) (%S+)$")
  local either = not walker.parse(fields).both
  if either and (walker.has_all(day, 1, 31) or walker.has_all(weekday, 0, 6)) then
    day, weekday, either = "*", "*", false
  end
  local text = ("%s %s %s %s %s"):format(time, day, month, weekday, seconds or "")
  return { "cron", text, either and 1 or 0, after, 4 }
end

describe("random cron expressions", function()
  compares("match when croniter says so", function()
    local questions, ours = {}, {}
    oracle.draw(2500, function(i)
      local fields, seconds = expressions.draw(true)
      local after = math.random(0, at("2099-12-31 00:00"))
      local text = (seconds and seconds .. " " or "") .. fields
      questions[i] = question(fields, seconds, after)
      ours[i] = { text = text, after = after, next = beat.cron_next(text, after, 4) }
    end)
    local refused = 0
    for i, answer in ipairs(oracle.ask(questions)) do
      local mine = ours[i]
      local said = mine.next and table.concat(mine.next, " ") or "refused"
      if said == "refused" then refused = refused + 1 end
      assert.equal(answer, said, ("%s after %d, MOIL_SPEC_SEED=%d")
        :format(mine.text, mine.after, oracle.seed))
    end
    assert.is_true(refused < 250)
  end)

  it("match when each minute's own look says so", function()
    oracle.draw(1000, function()
      local fields, seconds = expressions.draw(false)
      local text = (seconds and seconds .. " " or "") .. fields
      local from = math.random(0, at("2099-12-31 00:00"))
      local to = from + 70 * 86400
      local wanted = walker.locals(text, from + 1, to, 50)
      local found = beat.cron_next(text, from, #wanted < 50 and #wanted + 1 or 50)
      if not found then
        assert.equal(0, #wanted, text)
        return
      end
      for i, second in ipairs(found) do
        assert.equal(wanted[i] or math.max(to, second), second, text .. " after " .. from)
      end
    end)
  end)

  it("grow, and are the same from any moment between two", function()
    oracle.draw(2000, function()
      local fields, seconds = expressions.draw(false)
      local text = (seconds and seconds .. " " or "") .. fields
      local from = math.random(0, at("2099-12-31 00:00"))
      local found = beat.cron_next(text, from, 3)
      for i = 1, found and 2 or 0 do
        assert.is_true(found[i] > (found[i - 1] or from), text)
        local between = math.random(found[i], found[i + 1] - 1)
        assert.equal(found[i + 1], beat.cron_next(text, between)[1], text)
      end
    end)
  end)
end)

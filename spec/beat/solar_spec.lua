-- The sun's events: the same as ephem finds, from the equator to the poles.

local beat = require("spec.support").units.beat
local oracle = require "spec.beat.oracle"
local driver = require "spec.beat.driver"

local compares = oracle.tests(it, pending)
local at = driver.at

local EVENTS <const> = { "dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise",
  "solar_noon", "sunset", "dusk_civil", "dusk_nautical", "dusk_astronomical" }

local function following(event, latitude, longitude, after)
  return driver.show(beat.solar_next(event, latitude, longitude, at(after)) * 1000)
end

-- Asks ephem about random places and moments; fn gets how far its own answer is, or nil.
local function ask(times, draw_latitude, fn)
  local questions = {}
  oracle.draw(times, function(i)
    local event, latitude = oracle.pick(EVENTS), draw_latitude()
    local longitude = math.random() * 360 - 180
    local after = math.random(at "1990-01-01T00:00:00Z", at "2060-01-01T00:00:00Z")
    local due = beat.solar_next(event, latitude, longitude, after)
    questions[i] = { "solar", event, ("%.6f"):format(latitude), ("%.6f"):format(longitude), after,
      due }
  end)
  for i, answer in ipairs(oracle.ask(questions)) do
    local case = table.concat(questions[i], " ") .. " MOIL_SPEC_SEED=" .. oracle.seed
    local off = answer:match("^ok (.+)$")
    assert.is_not_nil(off, case .. ": " .. answer)
    fn(tonumber(off), case)
  end
end

describe("an event of the sun", function()
  it("comes once a day where there is day and night", function()
    -- Shanghai; what almanacs print, in local time: 16:55 and 06:52 (UTC+8)
    assert.equal("2026-01-01T09:02", following("sunset", 31.23, 121.47, "2026-01-01T00:00:00Z")
      :sub(1, 16))
    local t = at "2026-01-01T00:00:00Z"
    for _ = 1, 365 do
      local due = beat.solar_next("sunset", 31.23, 121.47, t)
      assert.is_true(due - t < 86400 + 180 and due > t)
      t = due
    end
    assert.equal(2026, (beat.date(t // 86400)))
    assert.is_true(t > at "2026-12-31T00:00:00Z")
  end)

  it("has Celery's names, and short ones", function()
    for short, long in pairs { dawn = "dawn_civil", noon = "solar_noon", dusk = "dusk_civil" } do
      assert.equal(following(long, 52.5, 13.4, "2026-01-01T00:00:00Z"),
        following(short, 52.5, 13.4, "2026-01-01T00:00:00Z"))
    end
  end)

  it("come in the order of the day", function()
    local t = at "2026-03-01T00:00:00Z"
    for _, event in ipairs(EVENTS) do
      local due = beat.solar_next(event, 52.5, 13.4, t)
      assert.is_true(due - t < 86400 / 2, event)
      t = due
    end
    assert.is_true(t < at "2026-03-02T00:00:00Z")
  end)

  it("is waited for through polar day and night", function()
    -- Longyearbyen: the sun sets in late August, and rises in the middle of February
    assert.equal("2026-08-24", following("sunset", 78.22, 15.65, "2026-05-01T00:00:00Z")
      :sub(1, 10))
    assert.equal("2027-02-16", following("sunrise", 78.22, 15.65, "2026-11-01T00:00:00Z")
      :sub(1, 10))
    -- once a year at the poles
    assert.equal("2026-03-18", following("sunrise", 90, 0, "2026-01-01T00:00:00Z"):sub(1, 10))
    assert.equal("2026-09-20", following("sunrise", -90, 0, "2026-01-01T00:00:00Z"):sub(1, 10))
    -- noon is every day
    assert.equal("2026-12-21T10:5", following("noon", 78.22, 15.65, "2026-12-21T00:00:00Z")
      :sub(1, 15))
  end)

  it("is refused where the name or the place is none", function()
    for message, case in pairs {
      ['there is no event "sunst", did you mean "sunset"?'] = { "sunst", 0, 0 },
      ['there is no event "dusk_civill", did you mean "dusk_civil"?'] = { "dusk_civill", 0, 0 },
      ['there is no event "moonrise"; there are sunrise, solar_noon, sunset, and dawn_ and dusk_ '
        .. "with civil, nautical and astronomical"] = { "moonrise", 0, 0 },
      ["the latitude 90.1 is out of range -90 to 90"] = { "sunset", 90.1, 0 },
      ["the longitude -181 is out of range -180 to 180"] = { "sunset", 0, -181 },
      ["the latitude inf is out of range -90 to 90"] = { "sunset", math.huge, 0 },
    } do
      local due, refused = beat.solar_next(case[1], case[2], case[3], 0)
      assert.is_nil(due)
      assert.equal(message, refused)
    end
    assert.is_nil((beat.solar_next("sunset", 0 / 0, 0, 0)))
  end)

  it("grows, and is the same from any moment between two", function()
    oracle.draw(1500, function()
      local event, latitude = oracle.pick(EVENTS), math.random() * 180 - 90
      local longitude = oracle.pick { -180, 180, math.random() * 360 - 180 }
      local first = math.random(0, at "2099-01-01T00:00:00Z")
      local second = beat.solar_next(event, latitude, longitude, first)
      local third = beat.solar_next(event, latitude, longitude, second)
      local case = ("%s %.17g %.17g %d"):format(event, latitude, longitude, first)
      assert.is_true(second > first and third > second and third < math.maxinteger, case)
      assert.equal(third, beat.solar_next(event, latitude, longitude,
        math.random(second, third - 1)), case)
    end)
  end)
end)

describe("random events of the sun", function()
  compares("are where ephem has them", function()
    local sum = 0
    ask(800, function() return math.random() * 120 - 60 end, function(off, case)
      if off then
        -- The series for the sun's place is good to 0.01 degrees; a sun that grazes the horizon
        -- may take a minute for that, another may not.
        assert.is_true(math.abs(off) < 60, case .. ": off by " .. off)
        sum = sum + math.abs(off)
      end
    end)
    assert.is_true(sum / 800 < 2)
  end)

  compares("are where ephem has the sun's altitude, in polar regions too", function()
    ask(70, function() return (math.random() * 29.5 + 60) * oracle.pick { -1, 1 } end,
      function() end)
  end)
end)

-- lua/moil/time.lua: against os.time and date(1) as oracles.

local support = require "spec.support"
local driver = require "spec.lua.driver"
driver.open()
local time = require "moil.time"

describe("ISO 8601", function()
  it("is read with its offset", function()
    assert.equal(0, time.parse_iso "1970-01-01T00:00:00Z")
    assert.equal(1893459600, time.parse_iso "2030-01-01T09:00:00+08:00")
    assert.equal(1893459600, time.parse_iso "2029-12-31T17:00:00-0800")
    assert.equal(1893459600.25, time.parse_iso "2030-01-01 09:00:00.25+08:00")
    assert.equal(1893459600, time.parse_iso "2030-01-01T01:00Z")
    assert.equal(951782400, time.parse_iso "2000-02-29T00:00:00z")
    assert.equal(-1, time.parse_iso "1969-12-31T23:59:59Z")
  end)

  it("is refused where it is none, or says no offset", function()
    for _, text in ipairs {
      "", "2030-01-01", "2030-01-01T09:00:00", "2030-13-01T00:00:00Z", "2030-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
      "2030-01-01T24:00:00Z", "2030-01-01T09:60:00Z", "2030-01-01T09:00:00+24:00",
        "2030-01-01T09:00:00Zx", "tomorrow",
      "2030-00-10T00:00:00Z", "2030-01-00T00:00:00Z", "2030-04-31T00:00:00Z",
    } do
      assert.is_nil(time.parse_iso(text), text)
    end
  end)

  it("agrees with date(1) on any day", function()
    math.randomseed(7)
    local input, expected = {}, {}
    for i = 1, 300 do
      expected[i] = math.random(0, 4102444800)
      input[i] = "@" .. expected[i]
    end
    local file = support.write(support.tempdir() .. "/dates", table.concat(input, "\n") .. "\n")
    for _, zone in ipairs { "UTC", "Asia/Kolkata", "America/St_Johns" } do
      local out = support.sh(("TZ=%s date -f %s +%%Y-%%m-%%dT%%H:%%M:%%S%%:z"):format(zone,
        file)).stdout
      local i = 0
      for line in out:gmatch "[^\n]+" do
        i = i + 1
        assert.equal(expected[i], time.parse_iso(line), line)
      end
      assert.equal(300, i)
    end
  end)
end)

describe("when something is due", function()
  it("is a small number of seconds from now, or a point in time", function()
    assert.same({ 60 }, { time.due(60) })
    assert.same({ 0 }, { time.due(0) })
    assert.same({ nil, 1893459600 }, { time.due(1893459600) })
    assert.same({ nil, 1893459600 }, { time.due "2030-01-01T09:00:00+08:00" })
    assert.same({ nil, 1893459600 }, { time.due(os.date("*t", 1893459600)) })
  end)

  it("is refused where it is neither", function()
    for _, bad in ipairs { -1, 0 / 0, math.huge, "", "60", {}, true } do
      local countdown, at, wrong = time.due(bad)
      assert.is_nil(countdown)
      assert.is_nil(at)
      assert.matches("must be", wrong)
    end
  end)
end)

describe("a point in time", function()
  it("is a number, a text or a table", function()
    assert.equal(1893459600, time.point(1893459600))
    assert.equal(1893459600.5, time.point(1893459600.5))
    assert.equal(1893459600, time.point "2030-01-01T09:00:00+08:00")
    local t = os.date("*t", 1893459600)
    assert.equal(1893459600, time.point(t))
  end)

  it("is nothing else", function()
    assert.matches("countdown", select(2, time.point(60)))
    assert.matches("like 2030", select(2, time.point "soon"))
    assert.matches("os.date", select(2, time.point {}))
    assert.is_nil((time.point(true)))
    assert.is_nil((time.point(0 / 0)))
  end)
end)

describe("an expiry", function()
  it("is seconds from now when small, else a point in time", function()
    assert.equal(1060, time.expiry(60, 1000))
    assert.equal(1893459600, time.expiry(1893459600, 1000))
    assert.equal(1893459600, time.expiry("2030-01-01T09:00:00+08:00", 1000))
    assert.matches("more than 0", select(2, time.expiry(0, 1000)))
    assert.matches("more than 0", select(2, time.expiry(-5, 1000)))
  end)
end)

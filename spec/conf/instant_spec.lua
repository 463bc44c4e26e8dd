local conf = require("spec.support").units.conf

describe("moil_instant_parse", function()
  it("reads ISO 8601 with an offset", function()
    for text, seconds in pairs {
      ["1970-01-01T00:00:00Z"] = 0,
      ["2000-02-29T12:00:00Z"] = 951825600,
      ["2030-01-01T09:00:00+08:00"] = 1893459600,
      ["2030-01-01T09:00:00+0800"] = 1893459600,
      ["2030-01-01T09:00+08"] = 1893459600,
      ["2029-12-31 20:00:00-05:00"] = 1893459600,
      ["2030-01-01t01:00:00.25z"] = 1893459600.25,
      ["9999-12-31T23:59:59Z"] = 253402300799,
    } do
      assert.equal(seconds, conf.instant(text), text)
    end
  end)

  it("reads seconds since the epoch", function()
    assert.equal(1893459600, conf.instant("1893459600"))
    assert.equal(1893459600.5, conf.instant("1893459600.5"))
    assert.equal(0, conf.instant("0"))
  end)

  it("agrees with os.time on every day of a century", function()
    local noon = os.time { year = 1970, month = 1, day = 1, hour = 12 }
    for day = 0, 36600, 7 do
      local at = noon + day * 86400
      assert.equal(at, conf.instant(os.date("!%Y-%m-%dT%H:%M:%SZ", at)))
    end
  end)

  it("refuses what is no instant", function()
    for _, text in ipairs {
      "", "now", "-1", "1e5", "0x10", "nan", "1..2", ".", "253402300800", "2030-01-01",
        "2030-01-01T09:00:00",
      "2030-13-01T00:00:00Z", "2030-02-29T00:00:00Z", "2030-00-01T00:00:00Z",
        "2030-01-01T24:00:00Z",
      "2030-01-01T00:60:00Z", "2030-01-01T00:00:61Z", "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00Zx",
      "2030-01-01T00:00:00+8", "2030-01-01T00:00:00+24:00", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
      "2030-1-1T00:00:00Z", "2030-01-01T00:00:00+08:",
    } do
      assert.is_nil(conf.instant(text), text)
    end
  end)
end)

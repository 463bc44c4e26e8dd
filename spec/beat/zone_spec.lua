-- Time zones: the same as Python's zoneinfo has, and what becomes of files that are none.

local support = require "spec.support"
local beat = support.units.beat
local oracle = require "spec.beat.oracle"
local driver = require "spec.beat.driver"

local compares = oracle.tests(it, pending)
local at = driver.at

-- The end of a zone's span near a random moment, where it has one.
local function draw_change(zone)
  local t = math.random(0, at("2150-01-01T00:00:00Z"))
  local _, until_ = zone:span(t)
  return until_ < math.maxinteger and until_ or t
end

describe("a zone", function()
  it("has spans of constant offset", function()
    local berlin = driver.zone("Europe/Berlin")
    assert.equal("Europe/Berlin", berlin:name())
    assert.same({ at "2026-03-29T01:00:00Z", at "2026-10-25T01:00:00Z", 7200 },
      { berlin:span(at "2026-07-01T00:00:00Z") })
    assert.same({ at "2026-10-25T01:00:00Z", at "2027-03-28T01:00:00Z", 3600 },
      { berlin:span(at "2026-10-25T01:00:00Z") })
    -- by the rule at the file's end
    assert.same({ at "2500-03-28T01:00:00Z", at "2500-10-31T01:00:00Z", 7200 },
      { berlin:span(at "2500-07-01T00:00:00Z") })
    assert.same({ math.mininteger, math.maxinteger, 0 }, { driver.zone("UTC"):span(0) })
  end)

  it("knows when its clock comes to a time, and how far it has got", function()
    local berlin = driver.zone("Europe/Berlin")
    local function first(text)
      return driver.show(berlin:first(at(text)) * 1000)
    end
    assert.equal("2026-07-01T10:00:00Z", first "2026-07-01T12:00:00Z")
    assert.equal("2026-03-29T00:59:59Z", first "2026-03-29T01:59:59Z")
    assert.equal("2026-03-29T01:00:00Z", first "2026-03-29T02:00:00Z") -- skipped
    assert.equal("2026-03-29T01:00:00Z", first "2026-03-29T02:59:59Z")
    assert.equal("2026-03-29T01:00:00Z", first "2026-03-29T03:00:00Z")
    assert.equal("2026-10-25T00:30:00Z", first "2026-10-25T02:30:00Z") -- twice
    assert.equal("2026-10-25T02:00:00Z", first "2026-10-25T03:00:00Z")
    assert.equal(at "2026-10-25T02:59:59Z", berlin:reached(at "2026-10-25T01:00:00Z"))
    assert.equal(at "2026-10-25T02:59:59Z", berlin:reached(at "2026-10-25T01:59:59Z"))
    assert.equal(at "2026-10-25T03:00:00Z", berlin:reached(at "2026-10-25T02:00:00Z"))
  end)

  it("may skip a day", function()
    local apia = driver.zone("Pacific/Apia") -- had no 2011-12-30
    assert.equal(at "2011-12-30T10:00:00Z", apia:first(at "2011-12-30T02:00:00Z"))
    assert.equal(at "2011-12-30T10:00:00Z", apia:first(at "2011-12-31T00:00:00Z"))
  end)

  it("comes to a time after an instant exactly where it had not reached it by then", function()
    local names = driver.zone_names()
    oracle.draw(5000, function()
      local zone = driver.zone(oracle.pick(names))
      local instant = draw_change(zone) + math.random(-3 * 3600, 3 * 3600)
      local local_time = instant + math.random(-14 * 3600, 14 * 3600)
      assert.equal(zone:first(local_time) > instant, local_time > zone:reached(instant),
        ("%s %d %d"):format(zone:name(), instant, local_time))
    end)
  end)
end)

describe("all zones of the database", function()
  compares("have zoneinfo's offsets", function()
    local questions, ours = {}, {}
    oracle.draw(1, function()
      for i, name in ipairs(driver.zone_names()) do
        local zone, question, offsets = driver.zone(name), { "zone", name }, {}
        for k = 1, 12 do
          local t = draw_change(zone) + oracle.pick { -1, 0, 0, math.random(-1e7 // 1, 1e7 // 1) }
          if k == 12 then t = math.random(0, at("2900-01-01T00:00:00Z")) end
          if t < 0 then t = 0 end
          question[k + 2], offsets[k] = t, select(3, zone:span(t))
        end
        questions[i], ours[i] = question, table.concat(offsets, " ")
      end
    end)
    assert.is_true(#questions > 300)
    for i, answer in ipairs(oracle.ask(questions)) do
      assert.equal(answer, ours[i], table.concat(questions[i], " "))
    end
  end)

  compares("come to local times when zoneinfo says so", function()
    local questions, ours = {}, {}
    oracle.draw(1, function()
      for i, name in ipairs(driver.zone_names()) do
        local zone, question, firsts = driver.zone(name), { "local", name }, {}
        for k = 1, 8 do
          local change = draw_change(zone)
          local t = change + select(3, zone:span(change)) + math.random(-5400, 5400)
          question[k + 2], firsts[k] = t, zone:first(t)
        end
        questions[i], ours[i] = question, table.concat(firsts, " ")
      end
    end)
    for i, answer in ipairs(oracle.ask(questions)) do
      assert.equal(answer, ours[i], table.concat(questions[i], " "))
    end
  end)
end)

describe("a zone's name", function()
  local zones = beat.zones()

  local function refusal(name)
    local zone, message = zones:get(name)
    assert.is_nil(zone, name)
    return message
  end

  it("is refused with the nearest", function()
    for wrong, right in pairs {
      ["Europe/Berlni"] = "Europe/Berlin", ["europe/berlin"] = "Europe/Berlin",
      ["Shanghai"] = "Asia/Shanghai", ["new_york"] = "America/New_York", ["utc"] = "UTC",
    } do
      assert.equal(('there is no time zone "%s", did you mean "%s"?'):format(wrong, right),
        refusal(wrong))
    end
  end)

  it("is refused where it is none", function()
    for _, name in ipairs { "", "Middle/Of/Nowhere", "../../../etc/passwd", "/etc/passwd",
      "Europe", "Europe/", "Europe//", "zone.tab", ".", "..", ("x"):rep(100), "a\nb" } do
      local message = refusal(name)
      assert.is_not_nil(message:find("^there is no time zone \""), message)
      assert.is_nil(message:find("\n"))
    end
  end)

  it("of the default is UTC, or what is set", function()
    local own = beat.zones()
    assert.equal("UTC", own:default())
    assert.equal("Asia/Tokyo", own:default("Asia/Tokyo"))
    local none, message = own:default("Asia/Tokio")
    assert.is_nil(none)
    assert.equal('there is no time zone "Asia/Tokio", did you mean "Asia/Tokyo"?', message)
    assert.equal("Asia/Tokyo", own:default())
  end)

  it("is refused where there is no database", function()
    local script = ([[
      package.cpath = %q
      local zones = require("units").beat.zones()
      print(zones:get("UTC"):name())
      print(select(2, zones:get("Europe/Berlin")))
    ]]):format(package.cpath)
    local path = support.write(support.tempdir() .. "/ask.lua", script)
    local p = assert(io.popen("TZDIR=/none " .. (os.getenv("LUA") or "lua5.4") .. " " .. path))
    assert.equal("UTC\nthere is no time zone database in /none: install tzdata, or set TZDIR\n",
      p:read("a"))
    p:close()
  end)
end)

-- A TZif file of version 2 (or 1): changes are { instant, type }, types offsets.
local function file(changes, types, rule, leaps)
  local function block(format, version)
    local parts = { "TZif", version, ("\0"):rep(15), string.pack(">I4I4I4I4I4I4", 0, 0, leaps or 0,
      #changes, #types, 4) }
    for _, change in ipairs(changes) do parts[#parts + 1] = string.pack(format, change[1]) end
    for _, change in ipairs(changes) do parts[#parts + 1] = string.char(change[2] - 1) end
    for _, offset in ipairs(types) do
      parts[#parts + 1] = string.pack(">i4", offset) .. "\0\0"
    end
    return table.concat(parts) .. "ABC\0"
  end
  if not rule then return block(">i4", "\0") end
  return block(">i4", "2") .. block(">i8", "2") .. "\n" .. rule .. "\n"
end

describe("a zone's file", function()
  beat.zones() -- makes the types

  local function decode(...)
    return beat.zone_decode("Test/Zone", file(...))
  end

  local function offset(zone, text)
    return select(3, zone:span(at(text)))
  end

  it("may be of version 1", function()
    local zone = assert(decode({ { 1000, 2 }, { 2000, 1 } }, { 0, 3600 }))
    assert.same({ math.mininteger, 1000, 0 }, { zone:span(999) })
    assert.same({ 1000, 2000, 3600 }, { zone:span(1000) })
    assert.same({ 2000, math.maxinteger, 0 }, { zone:span(2000) })
  end)

  it("may have nothing but its rule", function()
    local zone = assert(decode({}, { 0 }, "AAA5BBB,M3.2.0,M11.1.0"))
    assert.equal(-5 * 3600, offset(zone, "2026-03-08T06:59:59Z"))
    assert.equal(-4 * 3600, offset(zone, "2026-03-08T07:00:00Z"))
    assert.equal(-4 * 3600, offset(zone, "2026-11-01T05:59:59Z"))
    assert.equal(-5 * 3600, offset(zone, "2026-11-01T06:00:00Z"))
  end)

  it("may have a rule of any form", function()
    local south = assert(decode({}, { 0 }, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"))
    assert.equal(39600, offset(south, "2026-01-01T00:00:00Z"))
    assert.equal(37800, offset(south, "2026-07-01T00:00:00Z"))
    local julian = assert(decode({}, { 0 }, "AAA0BBB,J60/0,J300/0"))
    assert.equal(0, offset(julian, "2028-02-29T23:59:59Z"))
    assert.equal(3600, offset(julian, "2028-03-01T00:00:00Z"))
    local counted = assert(decode({}, { 0 }, "AAA0BBB,59/0,300/0"))
    assert.equal(3600, offset(counted, "2028-02-29T00:00:00Z"))
    assert.equal(0, offset(counted, "2027-02-28T23:59:59Z"))
    local before = assert(decode({}, { 0 }, "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"))
    assert.equal(-7200, offset(before, "2026-03-29T00:59:59Z"))
    assert.equal(-3600, offset(before, "2026-03-29T01:00:00Z"))
    local always = assert(decode({}, { 0 }, "XXX3EDT4,0/0,J365/23"))
    for _, text in ipairs { "2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z",
      "2026-01-01T04:00:00Z", "2026-07-01T00:00:00Z", "2028-12-31T23:59:59Z" } do
      assert.equal(-4 * 3600, offset(always, text), text)
    end
  end)

  it("may have a rule whose changes leave their year", function()
    for _, rule in ipairs { "AAA0BBB,0/-167,0/-100", "AAA0BBB,365/100,365/167" } do
      local zone = assert(decode({}, { 0 }, rule))
      local from, until_ = zone:span(at "2026-12-20T00:00:00Z")
      assert.is_true(until_ < at "2028-02-01T00:00:00Z", rule)
      for _ = 1, 20 do -- each span begins where the one before ends
        local next_from, next_until = zone:span(until_)
        assert.equal(until_, next_from, rule)
        assert.same({ from, until_ }, { (zone:span(until_ - 1)), next_from }, rule)
        from, until_ = next_from, next_until
      end
    end
  end)

  it("is refused where it is damaged", function()
    local whole = file({ { 1000, 2 } }, { 0, 3600 }, "AAA0")
    assert(beat.zone_decode("Test/Zone", whole))
    for n = 0, #whole - 1 do
      assert.is_nil((beat.zone_decode("Test/Zone", whole:sub(1, n))), n)
    end
    local function refusal(...)
      local zone, message = decode(...)
      assert.is_nil(zone)
      return message
    end
    local of = 'the file of time zone "Test/Zone" '
    assert.equal(of .. "has changes out of order",
      refusal({ { 2, 1 }, { 1, 1 } }, { 0 }, ""))
    assert.equal(of .. "names a type that it does not have", refusal({ { 2, 3 } }, { 0 }, ""))
    assert.equal(of .. "has an impossible offset", refusal({}, { 100000 }, ""))
    assert.equal(of .. "has impossible counts", refusal({}, {}, ""))
    assert.equal(of .. "counts leap seconds, which schedules do not", refusal({}, { 0 }, "", 27))
    for _, rule in ipairs { "x", "AAA", "AAA25", "AAA0BBB", "AAA0BBB,M13.1.0,M1.1.0",
      "AAA0BBB,M3.6.0,M1.1.0", "AAA0BBB,M3.1.7,M1.1.0", "AAA0BBB,J0,J1", "AAA0BBB,366,1",
      "AAA0BBB,M3.1.0/168,M1.1.0", "<AAA0", "AAA0BBB,M3.1.0,M1.1.0x", "AAA0BBB,M3.1.0" } do
      assert.equal(of .. "ends in a rule that is none", refusal({}, { 0 }, rule), rule)
    end
  end)
end)

local testing = require "moil.testing"

-- The schedule of a test world where Redis was away for a time: catch_up, and what is held back.

local world, moil

before_each(function()
  world = testing.new { seed = 7 }
  moil = world.moil
  moil.task("tick", function() end)
end)

after_each(function() world:close() end)

local function outcomes()
  local counts = {}
  for _, tick in ipairs(moil.beat.history()) do
    counts[tick.outcome] = (counts[tick.outcome] or 0) + 1
  end
  return counts
end

-- The runs of a minute's entry after an hour without Redis.
local function after_an_hour(catch_up, lasts)
  world:beat { schedule = { m = { task = "tick", every = 60, catch_up = catch_up } } }
  world:advance(30)
  world:redis_down(lasts)
  world:advance(3601)
  if not lasts then world:redis_up() end
  world:advance(4)
  return #world:runs "tick"
end

describe("catch_up after an outage", function()
  it("has the latest run, all of them, or none", function()
    assert.equal(1, after_an_hour(nil, 3600))
    assert.equal(3600 + 1767225600, moil.beat.history()[1].due_at)
    assert.equal(1767225600 + 3630, moil.beat.history()[1].fired_at)
  end)

  it("one: has the latest run", function()
    assert.equal(1, after_an_hour("one", 3600))
    world:advance(60)
    assert.equal(2, #world:runs "tick")
  end)

  it("all: has each", function()
    assert.equal(60, after_an_hour("all", 3600))
    assert.same({ fired = 60 }, outcomes())
    world:advance(60)
    assert.equal(61, #world:runs "tick")
  end)

  it("none: passes over what is more than 5 seconds old", function()
    assert.equal(0, after_an_hour("none", 3600))
    assert.same({ skipped_late = 1 }, outcomes())
    world:advance(60)
    assert.equal(1, #world:runs "tick")
  end)

  it("none: has what is younger", function()
    assert.equal(1, after_an_hour("none", 3573))
  end)

  it("goes by the end that a spec gives the outage, too", function()
    assert.equal(60, after_an_hour "all")
  end)

  it("all: has a thousand at most", function()
    world:beat { schedule = { s = { task = "tick", every = 1, catch_up = "all" } } }
    world:redis_down(5000)
    world:advance(5000)
    assert.equal(999 + 1, #world:runs "tick")
    assert.same({ fired = 1000, skipped_late = 1 }, outcomes())
    assert.equal(1767225600 + 5000, moil.beat.history()[1].due_at)
    assert.equal(1767225600 + 4999, moil.beat.history()[2].due_at)
  end)

  it("lets nothing be missed that its jitter holds back", function()
    world:beat { schedule = { j = { task = "tick", every = 60, jitter = 30, catch_up = "none" } } }
    world:advance(3600 + 30)
    assert.equal(60, #world:runs "tick")
  end)
end)

describe("an outage that a spec ends", function()
  it("holds back what fell due meanwhile", function()
    local handle = moil.send("tick", {}, { countdown = 5 })
    world:redis_down()
    world:advance(10)
    assert.equal(0, #world:runs "tick")
    world:redis_up()
    world:work()
    world:advance(0)
    assert.equal("SUCCESS", handle:state())
  end)
end)

describe("a schedule of months", function()
  it("is told of with the latest run first", function()
    world:beat { schedule = { m = { task = "tick", cron = "* * * * *" } } }
    world:advance(3 * 86400)
    local ticks = moil.beat.history("m", 2)
    assert.equal(2, #ticks)
    assert.equal(1767225600 + 3 * 86400, ticks[1].due_at)
    assert.equal(1767225600 + 3 * 86400 - 60, ticks[2].due_at)
    assert.equal(3 * 1440, #world:enqueued { beat = "m" })
  end)
end)

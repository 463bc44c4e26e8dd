-- sweep.lua: ended -> gone, and the dead set within its bounds.

local world = require "spec.redis.world"

describe("sweep", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local AGE <const> = 3600

  local function finish(minute, ...)
    local group = { minute = minute }
    for _, id in ipairs { ... } do
      w:enqueue("default", 5, { id })
      w:fetch(1)
      group[#group + 1] = { id, world.outcome { minute = minute } }
    end
    w:settle { ended = { group } }
  end

  -- Sweeps until there is no more to do → how many were dropped.
  local function sweep(max, age)
    local total = 0
    for _ = 1, 100 do
      local dropped, more = table.unpack(w:eval("sweep", max or 1000, age or AGE))
      total = total + dropped
      w:check()
      if more == 0 then return total end
    end
    error "it never ends"
  end

  it("drops results whose minute has passed", function()
    local minute = w:now_ms() // 60000
    finish(minute - 5, "old1", "old2")
    finish(minute - 3, "old3")
    finish(minute + 5, "young")
    finish(0, "for ever")
    assert.equal(3, sweep())
    assert.same({ ["young"] = true, ["for ever"] = true },
      { young = w:place("young") == "ended", ["for ever"] = w:place("for ever") == "ended" })
    assert.same({ tostring(minute + 5) }, w:key("ZRANGE", "expiries", 0, -1))
    assert.equal(0, sweep())
  end)

  it("goes by the record where an id stands in an old bucket", function()
    local minute = w:now_ms() // 60000
    finish(minute - 5, "again", "longer", "forgotten")
    for _, id in ipairs { "again", "longer", "forgotten" } do w:eval("forget", id) end
    finish(minute + 5, "longer")
    w:enqueue("default", 5, { "again" })
    assert.equal(0, sweep())
    assert.equal("ended", w:place("longer"))
    assert.is_not_nil(w:place("again"))
  end)

  it("takes 250 a call, and says that there is more", function()
    for round = 1, 2 do
      local ids, group = {}, { minute = 1 }
      for i = 1, 250 do
        ids[i] = ("%d-%d"):format(round, i)
        group[i] = { ids[i], world.outcome { minute = 1 } }
      end
      w:enqueue("default", 5, ids)
      w:fetch(250)
      w:settle { ended = { group } }
    end
    assert.equal(500, w:key("LLEN", "expire:1"))
    assert.same({ 250, 1 }, w:eval("sweep", 1000, AGE))
    assert.equal(250, sweep())
    assert.equal(0, w:key("EXISTS", "expiries"))
  end)

  it("drops dead jobs that are too old", function()
    w:bury "old"
    w:bury "young"
    w:key("ZADD", "dead", w:now_ms() - (AGE + 1) * 1000, "old")
    assert.equal(1, sweep())
    assert.same({ "young" }, w:key("ZRANGE", "dead", 0, -1))
    assert.is_nil(w:place("old"))
  end)

  it("drops the oldest dead jobs when there are too many", function()
    for i = 1, 5 do
      w:bury("d" .. i)
      w:key("ZADD", "dead", w:now_ms() - 1000 + i, "d" .. i)
    end
    assert.equal(2, sweep(3))
    assert.same({ "d3", "d4", "d5" }, w:key("ZRANGE", "dead", 0, -1))
    assert.equal(0, sweep(3))
  end)

  it("passes over maxmemory", function()
    finish(1, "a")
    w:bury "b"
    w:fill_memory()
    local ok, dropped = pcall(sweep, 0)
    w:free_memory()
    assert.is_true(ok, dropped)
    assert.equal(2, dropped)
  end)

  it("keeps what is held, and drops it when it is let go", function()
    w:enqueue("default", 5, { "a", "b" })
    w:run("a", "1", { minute = 5 })
    w:run("b", "1", { minute = 5 })
    w:key("HSET", "held", "a", "1")
    assert.same({ 1, 1 }, w:eval("sweep", 10, 10))
    assert.same({ "ended", "nil" }, { w:place "a", tostring(w:place "b") })
    w:key("DEL", "held")
    assert.same({ 0, 1 }, w:eval("sweep", 10, 10))
    local later = w:key("ZRANGE", "expiries", 0, -1)[1]
    w:key("RENAME", "expire:" .. later, w.prefix .. "expire:5")
    w:key("DEL", "expiries")
    w:key("ZADD", "expiries", 5, 5)
    assert.same({ 1, 1 }, w:eval("sweep", 10, 10))
    assert.is_nil(w:place "a")
  end)
end)

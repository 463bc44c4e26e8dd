-- schedule.lua: new -> delayed.

local world = require "spec.redis.world"

describe("schedule", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("takes a due time as it is", function()
    assert.same({}, w:schedule({ "a" }, 4102444800123))
    assert.equal("4102444800123", w:key("ZSCORE", "delayed", "a"))
    assert.equal(world.record {}, w:key("HGET", "jobs", "a"))
    assert.equal("delayed", w:place("a"))
  end)

  it("counts a relative one from Redis's clock", function()
    local before = w:now_ms()
    w:schedule({ "a" }, "+60000")
    local due = tonumber(w:key("ZSCORE", "delayed", "a"))
    assert.is_true(due >= before + 60000 and due <= w:now_ms() + 60000)
  end)

  it("takes a batch with times of their own", function()
    local record = world.record {}
    w:eval("schedule", "b", 2000, record, "a", 1000, record, "c", "+1", record)
    assert.same({ "a", "b", "c" }, w:key("ZRANGE", "delayed", 0, -1))
  end)

  it("leaves alone what has a record, and tells the positions", function()
    w:schedule({ "a", "b" }, 1000)
    w:enqueue("default", 5, { "p" })
    local r = world.record {}
    assert.same({ 1, 3, 4 }, w:eval("schedule", "a", 5, r, "x", 6, r, "p", 7, r, "x", 8, r))
    assert.equal("1000", w:key("ZSCORE", "delayed", "a"))
    assert.equal("6", w:key("ZSCORE", "delayed", "x"))
    assert.equal("pending default:5", w:place("p"))
  end)

  it("tells an agent when a job became the earliest, with one token", function()
    w:schedule({ "a" }, 5000)
    assert.equal(1, w:key("LLEN", "tick"))
    w:schedule({ "b" }, 4000)
    assert.equal(1, w:key("LLEN", "tick"))
    w:key("DEL", "tick")
    w:schedule({ "c" }, 6000)
    assert.equal(0, w:key("LLEN", "tick"))
    w:schedule({ "d", "e" }, 3000)
    assert.equal(1, w:key("LLEN", "tick"))
  end)

  it("refuses what is no time, before it writes", function()
    for _, due in ipairs { "", "soon", "+", "+x", "nan", "+nan" } do
      local reply, why = w:try("schedule", "a", 1000, world.record {}, "b", due, world.record {})
      assert.is_nil(reply)
      assert.matches("due", why)
    end
    assert.same({}, w:snapshot().jobs)
  end)

  it("refuses a record that names no queue and level, before it writes", function()
    for _, bad in ipairs { "", "garbage", "J1 ", "J1 q", "J1 q x 0 0", "R1 q 5 0" } do
      local reply, why = w:try("schedule", "a", 1000, world.record {}, "b", 1000, bad)
      assert.is_nil(reply)
      assert.matches("must begin with its queue and level", why)
    end
    assert.same({}, w:snapshot().jobs)
  end)

  it("is refused by a full Redis", function()
    w:fill_memory()
    local reply, why = w:try("schedule", "a", 1000, world.record {})
    w:free_memory()
    assert.is_nil(reply)
    assert.matches("^OOM ", why)
  end)

  it("takes 250 jobs", function()
    local ids = {}
    for i = 1, 250 do ids[i] = ("id-%03d"):format(i) end
    assert.same({}, w:schedule(ids, "+1000"))
    assert.equal(250, w:key("ZCARD", "delayed"))
  end)
end)

-- reschedule.lua: delayed or pending -> delayed, due at another time.

local world = require "spec.redis.world"

describe("reschedule", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local function reschedule(id, due)
    if math.type(due) then return w:eval("reschedule", id, due, "") end
    return w:eval("reschedule", id, due:sub(2), "+")
  end

  local function due(id) return tonumber(w:key("ZSCORE", "delayed", id)) end

  it("gives a delayed job another time, sooner or later", function()
    w:schedule({ "a", "b" }, "+60000")
    assert.equal("SCHEDULED", reschedule("a", 5000000000000))
    assert.equal(5000000000000, due "a")
    local now = w:now_ms()
    assert.equal("SCHEDULED", reschedule("b", "+1000"))
    assert.is_true(due "b" >= now + 1000 and due "b" <= w:now_ms() + 1000)
    assert.equal("SCHEDULED", reschedule("b", 1))
    assert.equal(1, w:eval("promote", 250)[1])
    assert.same({ "b" }, w:fetch(10))
  end)

  it("tells an agent where it becomes the earliest", function()
    w:schedule({ "a", "b" }, "+60000")
    w:key("DEL", "tick")
    reschedule("a", "+90000")
    assert.equal(0, w:key("LLEN", "tick"))
    reschedule("a", "+10000")
    assert.equal(1, w:key("LLEN", "tick"))
  end)

  it("keeps a job that waits for a retry one of those", function()
    w:schedule({ "a" }, "+60000", { retries = 2 })
    assert.equal("RETRY", reschedule("a", "+1000"))
  end)

  it("puts off a job that stands in its queue, as often as one likes", function()
    w:enqueue("default", 5, { "a", "b", "c" })
    for _ = 1, 3 do
      assert.equal("SCHEDULED", reschedule("a", 1))
      assert.equal("delayed", w:place "a")
      w:check()
      w:eval("promote", 250)
      assert.equal("pending default:5", w:place "a")
      w:check()
    end
    assert.same({ "b", "c", "a" }, w:fetch(10))
    assert.same({}, w:snapshot().stale)
  end)

  it("leaves alone what a worker holds, also a dead one", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    assert.equal("STARTED", reschedule("a", "+1000"))
    assert.equal("inflight worker-1", w:place "a")
    w:eval("condemn", w.worker, "crash", "-", "{}")
    assert.equal("STARTED", reschedule("a", "+1000"))
    while w:eval("recover", w.worker, 3, 10) == 1 do w:check() end
    assert.equal("SCHEDULED", reschedule("a", "+1000"))
  end)

  it("tells an ended job's state, and leaves it", function()
    w:enqueue("default", 5, { "a", "b", "c" })
    w:fetch(2)
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } },
      dead = { { "b", world.dead_record() } } }
    w:eval("revoke", "c", "{}", 60)
    assert.same({ "SUCCESS", "FAILURE", "REVOKED" },
      { reschedule("a", 1), reschedule("b", 1), reschedule("c", 1) })
    assert.same({}, w:snapshot().delayed)
  end)

  it("knows no job that there is not", function()
    assert.is_nil(reschedule("a", 1))
  end)

  it("refuses what is no time, before it writes", function()
    w:schedule({ "a" }, 1000)
    for _, bad in ipairs { "", "soon", "nan", "inf", "-inf", "1e300", "+-1" } do
      local reply, why = w:try("reschedule", "a", bad, "")
      assert.is_nil(reply, bad)
      assert.matches("due must be milliseconds", why)
    end
    assert.equal(1000, due "a")
  end)

  it("leaves a pending record that names no queue to the worker that buries it", function()
    w:enqueue("default", 5, { "a" })
    w:damage("a", "garbage")
    assert.equal("PENDING", reschedule("a", 1))
    assert.equal("pending default:5", w:place "a")
  end)

  it("passes over maxmemory", function()
    w:enqueue("default", 5, { "a" })
    w:schedule({ "b" }, "+60000")
    w:fill_memory()
    local states = { w:try("reschedule", "a", 1, "+"), w:try("reschedule", "b", 1, "+") }
    w:free_memory()
    assert.same({ "SCHEDULED", "SCHEDULED" }, states)
  end)

  it("gives one that waits for others another time from then on", function()
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
    assert.equal("DEFERRED", w:eval("reschedule", "b", "99999999999999", ""))
    assert.equal("deferred", w:place "b")
    w:run("a", "1")
    assert.equal("99999999999999", w:key("ZSCORE", "delayed", "b"))
  end)
end)

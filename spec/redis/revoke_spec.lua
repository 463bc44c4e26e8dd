-- revoke.lua: waiting -> ended as REVOKED.

local world = require "spec.redis.world"
local queue = require("spec.support").units.queue

describe("revoke", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local VALUE <const> = '{"code":"Revoked","message":"m"}'

  local function revoke(id, ttl) return w:eval("revoke", id, VALUE, ttl or 60) end

  it("ends a pending job; its entry goes with the fetch that meets it", function()
    w:enqueue("default", 5, { "a", "b" })
    assert.equal("REVOKED", revoke "a")
    assert.equal("ended", w:place("a"))
    assert.same({ "b" }, w:fetch(10))
  end)

  it("ends a delayed job", function()
    w:schedule({ "a" }, 1)
    assert.equal("REVOKED", revoke "a")
    assert.same({ 0, -1 }, { table.unpack(w:eval("promote", 250), 1, 2) })
    assert.same({}, w:snapshot().stale)
  end)

  it("writes a record that says what was known of the job", function()
    local before = w:now_ms()
    w:eval("enqueue", "q", 7, 0, "a", world.record {
      queue = "q", level = 7, retries = 2, crashes = 1, losses = 3, enqueued = 1234567,
        task = "my.task",
      args = "[1]", kwargs = "{}", extra = '{"a":1}' })
    revoke("a", 3600)
    local o = assert(queue.decode_outcome(w:key("HGET", "jobs", "a")))
    assert.is_true(o.finished_us >= before * 1000 and o.finished_us <= w:now_ms() * 1000)
    assert.is_true(math.abs(o.expires_min * 60 - (before / 1000 + 3600)) <= 61)
    o.finished_us, o.expires_min = nil, nil
    assert.same({ state = "REVOKED", queue = "q", task = "my.task", worker = "", value = VALUE,
      body = "",
      priority = 7, retries = 2, deliveries = 4, enqueued_us = 1234567, started_us = 0 }, o)
  end)

  it("keeps it for its time", function()
    w:enqueue("default", 5, { "a" })
    revoke("a", 3600)
    local minute = queue.decode_outcome(w:key("HGET", "jobs", "a")).expires_min
    assert.same({ "a" }, w:key("LRANGE", "expire:" .. minute, 0, -1))
  end)

  it("cannot stop what runs", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    assert.equal("STARTED", revoke "a")
    assert.equal("inflight worker-1", w:place("a"))
  end)

  it("cannot stop what a dead worker held, until recovery has given it back", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    w:eval("condemn", w.worker, "crash", "-", "{}")
    for _ = 1, 2 do
      assert.equal("STARTED", revoke "a")
      assert.equal("inflight", w:eval("inspect", "a")[2])
      w:check()
      w:eval("recover", w.worker, 3, 10)
    end
    assert.equal("REVOKED", revoke "a")
  end)

  it("tells an ended job's state, and leaves it", function()
    w:enqueue("default", 5, { "a", "b" })
    w:fetch(2)
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } }, dead = { { "b",
      world.dead_record() } } }
    assert.equal("SUCCESS", revoke "a")
    assert.equal("FAILURE", revoke "b")
    assert.equal("dead", w:place("b"))
    w:enqueue("default", 5, { "c" })
    revoke "c"
    assert.equal("REVOKED", revoke "c")
  end)

  it("knows no job that there is not", function()
    assert.is_nil(revoke "a")
  end)

  it("tells who waits", function()
    w:enqueue("default", 5, { "a" })
    w:eval("wait", "me", "a")
    revoke "a"
    assert.same({ "Fa\n" .. w:key("HGET", "jobs", "a") }, w:key("LRANGE", "inbox:me", 0, -1))
  end)

  it("ends a damaged record too", function()
    w:enqueue("default", 5, { "a" })
    w:damage("a", "garbage")
    assert.equal("REVOKED", revoke "a")
    assert.equal("REVOKED", queue.decode_outcome(w:key("HGET", "jobs", "a")).state)
    assert.same({}, w:fetch(10))
  end)

  it("passes over maxmemory", function()
    w:enqueue("default", 5, { "a" })
    w:schedule({ "b" }, "+60000")
    w:fill_memory()
    local states = { w:try("revoke", "a", VALUE, 60), w:try("revoke", "b", VALUE, 60) }
    w:free_memory()
    assert.same({ "REVOKED", "REVOKED" }, states)
  end)

  it("ends what waits for others, also over maxmemory", function()
    w:accept { nodes = { { "c", plan = "1" }, { "b", plan = "1 +1000", links = "sRc " },
      { "a", links = "sFb " } } }
    w:fill_memory()
    local state = w:eval("revoke", "b", '{"code":"Revoked"}', 60, 0)
    w:free_memory()
    assert.equal("REVOKED", state)
    assert.same({ "REVOKED", "REVOKED" }, { (w:ended "b"), (w:ended "c") })
    w:run("a", "1")
    assert.equal("REVOKED", (w:ended "b"))
  end)
end)

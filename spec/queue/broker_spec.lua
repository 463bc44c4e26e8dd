-- Enqueueing a batch of any size and mix: src/queue/broker.c.

local driver = require "spec.net.driver"
local world = require "spec.redis.world"

describe("the broker", function()
  local w, l

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    l = driver.up(w.redis.url, "w")
  end)
  after_each(function()
    l:free()
    w:check()
  end)

  local function list(name) return w:key("LRANGE", "queue:" .. name, 0, -1) end

  local function subs_of(n, fields)
    local subs, ids = {}, {}
    for i = 1, n do
      ids[i] = ("id%04d"):format(i)
      subs[i] = { id = ids[i], queue = "q" }
      for k, v in pairs(fields or {}) do subs[i][k] = v end
    end
    return subs, ids
  end

  it("enqueues one", function()
    local event = l:enqueue { { id = "a", queue = "q", priority = 7, args = "[1]" } }
    assert.same({ 0, { true } }, { event.err, event.created })
    assert.same({ "a" }, list "q:7")
    assert.equal("J1 q 7 0 0 0 0 t 3 0 0\n[1]", w:key("HGET", "jobs", "a"))
  end)

  it("calls back for an empty batch", function()
    assert.equal(0, l:enqueue({}).err)
  end)

  it("splits a mix by destination, each in its order", function()
    local event = l:enqueue {
      { id = "a1", queue = "a" }, { id = "b1", queue = "b" }, { id = "a2", queue = "a" },
      { id = "h1", queue = "a", priority = 9 }, { id = "d1", queue = "a", due_ms = 5000 },
      { id = "a3", queue = "a" }, { id = "h2", queue = "a", priority = 9 }, { id = "d2",
        queue = "b", due_ms = 4000 },
      { id = "d3", queue = "b", due_ms = 60000, relative = 1 },
    }
    assert.equal(0, event.err)
    assert.same({ true, true, true, true, true, true, true, true, true }, event.created)
    assert.same({ "a1", "a2", "a3" }, list "a:5")
    assert.same({ "b1" }, list "b:5")
    assert.same({ "h1", "h2" }, list "a:9")
    assert.same({ "d2", "d1", "d3" }, w:key("ZRANGE", "delayed", 0, -1))
    assert.is_true(tonumber(w:key("ZSCORE", "delayed", "d3")) > w:now_ms())
  end)

  it("enqueues more than one script takes, in order", function()
    local subs, ids = subs_of(620)
    assert.equal(0, l:enqueue(subs).err)
    assert.same(ids, list "q:5")
  end)

  it("keeps the order in front too, over several scripts", function()
    l:enqueue { { id = "x", queue = "q" } }
    local subs, ids = subs_of(620, { at_front = 1 })
    assert.equal(0, l:enqueue(subs).err)
    ids[621] = "x"
    assert.same(ids, list "q:5")
  end)

  it("keeps the order of ends and fronts mixed", function()
    local subs = {}
    for i = 1, 600 do subs[i] = { id = ("%04d"):format(i), queue = "q", at_front = i % 2 } end
    l:enqueue(subs)
    local found = list "q:5"
    for i = 1, 300 do
      assert.equal(("%04d"):format(2 * i - 1), found[i])
      assert.equal(("%04d"):format(2 * i), found[300 + i])
    end
  end)

  it("cuts batches by their bytes", function()
    local subs, ids = subs_of(8, { args = '["' .. ("x"):rep(400000) .. '"]' })
    w.redis:call("CONFIG", "RESETSTAT")
    assert.equal(0, l:enqueue(subs).err)
    assert.same(ids, list "q:5")
    assert.equal("3", w.redis:info("cmdstat_evalsha"):match("calls=(%d+)"))
  end)

  it("tells which were there already, over several scripts and destinations", function()
    local subs = subs_of(600)
    l:enqueue { { id = "id0300", queue = "q" }, { id = "id0600", queue = "other" } }
    subs[10].due_ms, subs[20].queue = 5000, "other"
    subs[601] = { id = "id0001", queue = "q" }
    local event = l:enqueue(subs)
    for i, created in ipairs(event.created) do
      assert.equal(i ~= 300 and i ~= 600 and i ~= 601, created, i)
    end
  end)

  it("tells of one refusal among several scripts", function()
    w:fill_memory()
    local event = l:enqueue { { id = "a", queue = "a" }, { id = "b", queue = "b" } }
    w:free_memory()
    assert.equal(-10, event.err)
    assert.matches("^OOM", event.reply.err)
    assert.equal(0, #l.events)
  end)

  it("is told at once without a link", function()
    l:stop()
    assert.same({ nil, -4 }, { l:enqueue { { id = "a", queue = "q" } } })
    assert.equal(0, #l.events)
  end)
end)

-- delete.lua: a job that no worker holds -> gone.

local world = require "spec.redis.world"

describe("delete", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("removes a job wherever it waits or ended", function()
    w:enqueue("default", 5, { "ended", "dead", "pending" })
    w:fetch(2)
    w:settle { ended = { { minute = 0, { "ended", world.outcome {} } } }, dead = { { "dead",
      world.dead_record() } } }
    w:schedule({ "delayed" }, 1)
    for _, id in ipairs { "ended", "dead", "pending", "delayed" } do
      assert.equal(1, w:eval("delete", id))
      assert.is_nil(w:place(id))
      assert.is_nil(w:eval("delete", id))
    end
    assert.same({}, w:fetch(10))
    assert.same({ 0, -1 }, { table.unpack(w:eval("promote", 250), 1, 2) })
    assert.same({}, w:snapshot().dead)
  end)

  it("leaves what runs", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    assert.equal(0, w:eval("delete", "a"))
    assert.equal("inflight worker-1", w:place("a"))
  end)

  it("leaves what a dead worker held, until recovery has given it back", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    w:eval("condemn", w.worker, "crash", "-", "{}")
    for _ = 1, 2 do
      assert.equal(0, w:eval("delete", "a"))
      w:check()
      w:eval("recover", w.worker, 3, 10)
    end
    assert.equal(1, w:eval("delete", "a"))
  end)

  it("tells who waits that there is no such job any more", function()
    w:enqueue("default", 5, { "a" })
    w:eval("wait", "me", "a")
    w:eval("delete", "a")
    assert.same({ "Ua\n" }, w:key("LRANGE", "inbox:me", 0, -1))
  end)

  it("removes a damaged record", function()
    w:enqueue("default", 5, { "a" })
    w:damage("a", "garbage")
    assert.equal(1, w:eval("delete", "a"))
    assert.same({}, w:fetch(10))
  end)

  it("passes over maxmemory", function()
    w:enqueue("default", 5, { "a" })
    w:fill_memory()
    local reply, why = w:try("delete", "a")
    w:free_memory()
    assert.equal(1, reply or why)
  end)

  it("removes what waits for others, and tells those behind it", function()
    w:accept { nodes = { { "c", plan = "1" }, { "b", plan = "1", links = "sFc " },
      { "a", links = "sFb " } } }
    assert.equal(1, w:eval("delete", "b"))
    assert.same({ "nil", "FAILURE" }, { tostring(w:place "b"), (w:ended "c") })
    w:run("a", "1")
    assert.is_nil(w:place "b")
    assert.same({ {}, {} }, { w:hash "links", w:hash "deferred" })
  end)

  -- A chord whose header is "g", with "h" in it, whose member is "a"; its results are to go at 5.
  local function chord(link)
    w:accept { nodes = { { "body", plan = "1", links = "u-g w-g " },
      { "g", plan = "2", task = "moil.group", links = "nFbody " },
      { "h", plan = "1", task = "moil.group", links = link },
      { "a", links = "hFh " }, { "b", links = link } },
      members = { { "g", "h", "b" }, { "h", "a" } } }
    w:run("a", "1", { minute = 5 })
  end

  local function nothing_held()
    w:advance()
    assert.same({}, w:hash "held")
    local minute = w:now_ms() // 60000
    local found = {}
    for at = minute, minute + 1 do
      for _, id in ipairs(w:key("LRANGE", "expire:" .. at, 0, -1)) do found[id] = true end
    end
    assert.is_true(found.a)
    assert.equal(0, w:key("EXISTS", "members:g") + w:key("EXISTS", "members:h"))
  end

  it("lets the results go that are held for a group", function()
    chord "hFg "
    assert.equal(1, w:eval("delete", "g"))
    assert.equal("FAILURE", (w:ended "body"))
    w:advance()
    assert.equal(1, w:eval("delete", "h"))
    nothing_held()
    w:run("b", "1", { minute = 5 })
    assert.same({ "b" }, w:key("LRANGE", "expire:5", 0, -1))
  end)

  it("lets them go for a group within that one, too, once they were taken", function()
    chord "hAg "
    assert.equal(1, w:eval("delete", "h"))
    w:run("b", "1", { minute = 5 })
    w:run("body", "1")
    w:advance()
    assert.equal(1, w:eval("delete", "g"))
    nothing_held()
  end)
end)

-- progress.lua: notes of running jobs.

local world = require "spec.redis.world"

describe("progress", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    w:enqueue("default", 5, { "a", "b", "c" })
    w:fetch(2)
    w:eval("wait", "me", "a", "b")
  end)
  after_each(function() w:check() end)

  local function inbox() return w:key("LRANGE", "inbox:me", 0, -1) end

  it("notes, and tells who waits where asked to", function()
    assert.equal(1, w:eval("progress", w.worker, 1, "a", "PROGRESS w 5\n{\"n\":1}"))
    assert.same({ a = "PROGRESS w 5\n{\"n\":1}" }, w:hash "running")
    assert.same({ "Pa\nPROGRESS w 5\n{\"n\":1}" }, inbox())
    assert.same({ a = "me ", b = "me " }, w:hash "waiters")
  end)

  it("notes several without telling", function()
    assert.equal(2, w:eval("progress", w.worker, 0, "a", "STARTED w 5\n", "b", "STARTED w 6\n"))
    assert.same({ a = "STARTED w 5\n", b = "STARTED w 6\n" }, w:hash "running")
    assert.same({}, inbox())
  end)

  it("leaves out what this incarnation does not hold", function()
    assert.equal(1, w:eval("progress", w.worker, 1, "c", "X w 5\n", "gone", "X w 5\n", "a",
      "X w 5\n"))
    assert.same({ a = "X w 5\n" }, w:hash "running")
  end)

  it("is refused for an incarnation that was taken off", function()
    local reply, why = w:try("progress", "other", 1, "a", "X w 5\n")
    assert.is_nil(reply)
    assert.matches("^FENCED", why)
    assert.same({}, w:hash "running")
  end)

  it("passes over maxmemory", function()
    w:fill_memory()
    local reply, why = w:try("progress", w.worker, 1, "a", "X w 5\n")
    w:free_memory()
    assert.equal(1, reply or why)
    assert.same({ "Pa\nX w 5\n" }, inbox())
  end)
end)

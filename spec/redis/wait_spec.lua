-- wait.lua: results that are there, registrations for the others.

local world = require "spec.redis.world"

describe("wait", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("answers for each id, in order", function()
    w:enqueue("default", 5, { "ended", "runs", "noted", "waits" })
    w:fetch(3)
    w:settle { ended = { { minute = 0, { "ended", world.outcome {} } } } }
    w:eval("progress", w.worker, 0, "noted", "PROGRESS w 1\n{}")
    w:schedule({ "later" }, "+60000")
    assert.same({ world.outcome {}, "W", false, "WPROGRESS w 1\n{}", "W", "W" },
      w:eval("wait", "me", "ended", "runs", "unknown", "noted", "waits", "later"))
    assert.same({ runs = "me ", noted = "me ", waits = "me ", later = "me " }, w:hash "waiters")
  end)

  it("registers nobody without an owner", function()
    w:enqueue("default", 5, { "a" })
    assert.same({ "W" }, w:eval("wait", "", "a"))
    assert.same({}, w:hash "waiters")
  end)

  it("registers an owner once, and several beside each other", function()
    w:enqueue("default", 5, { "a" })
    for _, owner in ipairs { "one", "two", "one" } do w:eval("wait", owner, "a") end
    assert.same({ a = "one two " }, w:hash "waiters")
  end)

  it("takes no part of an owner's name for it", function()
    w:enqueue("default", 5, { "a" })
    w:eval("wait", "long-name", "a")
    w:eval("wait", "name", "a")
    assert.same({ a = "long-name name " }, w:hash "waiters")
  end)

  it("registers 64 at most; who comes later asks again", function()
    w:enqueue("default", 5, { "a" })
    for i = 1, 70 do assert.same({ "W" }, w:eval("wait", ("%036d"):format(i), "a")) end
    local _, count = w:hash("waiters").a:gsub(" ", "")
    assert.equal(64, count)
  end)

  it("answers on a full Redis, though it cannot register there", function()
    w:enqueue("default", 5, { "a", "b" })
    w:fetch(1)
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } } }
    w:fill_memory()
    local reply, why = w:try("wait", "me", "a", "b")
    w:free_memory()
    assert.same({ world.outcome {}, "W" }, reply or why)
    assert.same({}, w:hash "waiters")
  end)

  it("waits for what waits for others, and for a group", function()
    w:accept { nodes = { { "g", plan = "1", task = "moil.group" }, { "m", links = "mFg " } } }
    assert.same({ "W" }, w:eval("wait", "me", "g"))
    w:run("m", "1")
    local message = w:key("LPOP", "inbox:me")
    assert.matches("^Fg\nR1 SUCCESS .*\nnull$", message)
  end)
end)

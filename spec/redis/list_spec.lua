-- list.lua: jobs in one place, a page at a time.

local world = require "spec.redis.world"

describe("list", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  local function ids(place, queue, offset, limit)
    local found, reply = {}, w:eval("list", place, queue, offset, limit)
    for i = 1, #reply, 3 do found[#found + 1] = reply[i] end
    return table.concat(found, " ")
  end

  it("pages through a queue in the order of running", function()
    w:enqueue("q", 5, { "d", "e", "f" })
    w:enqueue("q", 9, { "a", "b" })
    w:enqueue("q", 7, { "c" })
    assert.equal("a b c d e f", ids("pending", "q", 0, 250))
    assert.equal("a", ids("pending", "q", 0, 1))
    assert.equal("b c d", ids("pending", "q", 1, 3))
    assert.equal("d e", ids("pending", "q", 3, 2))
    assert.equal("f", ids("pending", "q", 5, 9))
    assert.equal("", ids("pending", "q", 6, 9))
    assert.equal("", ids("pending", "none", 0, 9))
    assert.same({ "a", world.record { queue = "q", level = 9 }, "" }, w:eval("list", "pending",
      "q", 0, 1))
  end)

  it("pages through what is delayed, the earliest first", function()
    w:schedule({ "c" }, 3000)
    w:schedule({ "a" }, 1000)
    w:schedule({ "b" }, 2000)
    assert.equal("a b c", ids("delayed", "", 0, 250))
    assert.same({ "b", world.record {}, "2000" }, w:eval("list", "delayed", "", 1, 1))
  end)

  it("pages through what is in flight, with notes and workers", function()
    w:eval("join", "worker-2", "node")
    w:enqueue("default", 5, { "a", "b", "c" })
    w:fetch(2)
    w:fetch(1, nil, "worker-2")
    w:eval("progress", w.worker, 0, "a", "PROGRESS w 5\n{}")
    local seen = {}
    for offset = 0, 3 do
      local reply = w:eval("list", "inflight", "", offset, 1)
      if offset == 3 then assert.same({}, reply) else seen[reply[1]] = reply[3] end
    end
    assert.same({ a = "PROGRESS w 5\n{}\n\nworker-1", b = "\n\nworker-1", c = "\n\nworker-2" },
      seen)
  end)

  it("shows the entry of a job that was deleted, without a record",
    function()
    w:enqueue("q", 5, { "a", "b" })
    w:eval("delete", "a")
    assert.same({ "a", "", "" }, w:eval("list", "pending", "q", 0, 1))
  end)

  it("deferred: with how many ends they wait for", function()
    local nodes = {}
    for i = 1, 30 do nodes[i] = { "j" .. i, plan = i .. " f" } end
    w:accept { nodes = nodes }
    local seen, total = {}, 0
    for offset = 0, 30, 10 do
      local page = w:eval("list", "deferred", "", offset, 10)
      for i = 1, #page, 3 do
        assert.equal(world.record {}, page[i + 1])
        assert.equal("j" .. page[i + 2], page[i])
        total = total + (seen[page[i]] and 0 or 1)
        seen[page[i]] = true
      end
    end
    assert.equal(30, total)
  end)
end)

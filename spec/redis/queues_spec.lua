-- queues.lua: lengths, for people and monitors.

local world = require "spec.redis.world"

describe("queues", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("counts everything", function()
    assert.same({ 0, 0, 0, 0 }, w:eval("queues"))
    w:bury "dead"
    w:schedule({ "l1", "l2" }, 1)
    w:eval("join", "worker-2", "node")
    w:enqueue("default", 5, { "r1", "r2" })
    w:fetch(1)
    w:fetch(1, nil, "worker-2")
    w:enqueue("default", 3, { "p3" }, { args = "[3]" })
    w:enqueue("default", 9, { "p9", "p8" }, { args = "[1,2,3]" })
    w:eval("pause", "default", "p")
    local header = "J1 default 9 0 0 0 1000000 t 7 0 0\n"
    assert.same({ 2, 1, 2, 0, "default", "p953", 3, header, 2, 0, 2, 1, 8, 0, 0 },
      w:eval("queues"))
  end)

  it("shows empty queues, and damaged records", function()
    w:enqueue("empty", 5, { "a" })
    w:fetch(1, { "empty" })
    assert.same({ 0, 0, 1, 0, "empty", "r5", 0, "", 0, 0, 1, 0, 1, 0, 0 },
      w:eval("queues"))
    w:settle { dropped = { "a" } }
    w:reset()
    w:enqueue("q", 5, { "a" })
    w:key("HSET", "jobs", "a", "garbage without a newline")
    assert.same({ 0, 0, 0, 0, "q", "r5", 1, "garbage without a newline", 0, 0, 0, 0, 1, 0, 0 },
      w:eval("queues"))
  end)

  it("shows the job that waits longest, and does not count what was revoked", function()
    w:enqueue("q", 9, { "new", "newer" })
    w:eval("enqueue", "q", 2, 0, "older", "J1 q 2 0 0 0 400 t 2 0 0\n[]")
    assert.equal("J1 q 2 0 0 0 400 t 2 0 0\n", w:eval("queues")[8])
    w:eval("revoke", "newer", "{}", 60, "0")
    local answer = w:eval("queues")
    assert.same({ 2, 1 }, { answer[7], answer[15] })
  end)

  it("counts what waits for other jobs", function()
    w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
    assert.equal(1, w:eval("queues")[4])
  end)
end)

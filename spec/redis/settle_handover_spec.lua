-- settle.lua, its last section: jobs that links start go in flight with the caller at once.

local world = require "spec.redis.world"

describe("settle with room", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function()
    w:check()
    w:balance()
  end)

  -- `last` ends with a result, and its worker has that much room -> what comes with the reply.
  local function finish(last, room, worker)
    local settled, ids, reply
    reply = w:settle({ room = room, ended = { { minute = 0,
      { last, world.outcome { value = "1" } } } } }, worker)
    settled, ids = world.handed(reply)
    assert.equal(1, settled)
    return ids, reply
  end

  -- first starts each of the others.
  local function fan(others)
    local nodes, links = {}, ""
    for _, node in ipairs(others) do
      node.plan = node.plan or "1"
      nodes[#nodes + 1] = node
      links = links .. "sF" .. node[1] .. " "
    end
    nodes[#nodes + 1] = { "first", links = links }
    w:accept { nodes = nodes }
    assert.same({ "first" }, w:fetch(1))
    w:key("DEL", "wake:default")
  end

  it("hands the next step of a chain over, which stands in no list and wakes nobody", function()
    fan { { "a", args = "[2]" } }
    local ids, reply = finish("first", { 1, "default" })
    assert.same({ "a" }, ids)
    assert.equal(w:key("HGET", "jobs", "a"), reply[3])
    assert.equal("[1,2]", w:args "a")
    assert.equal("inflight " .. w.worker, w:place "a")
    assert.same({ 0, 0 }, { w:key("EXISTS", "queue:default:5"), w:key("EXISTS", "wake:default") })
  end)

  it("whatever the arguments are", function()
    for i, args in ipairs { "[]", "[ ]", "[{}]", "[\"%1\"]" } do
      for k, value in ipairs { "null", '"%"', '"%1%2"', "[]" } do
        local id, first = ("n%d-%d"):format(i, k), ("f%d-%d"):format(i, k)
        w:accept { nodes = { { id, plan = "1", args = args },
          { first, links = "sF" .. id .. " " } } }
        assert.same({ first }, w:fetch(1))
        local reply = w:settle { room = { 1, "default" }, ended = { { minute = 0,
          { first, world.outcome { value = value } } } } }
        local own = args:match("^%[ ?(.*)%]$")
        assert.equal("[" .. value .. (own == "" and "" or "," .. own) .. "]",
          (w:args(id):gsub("%s", "")))
        assert.equal(w:key("HGET", "jobs", id), reply[3])
        finish(id)
      end
    end
  end)

  it("hands over no more than there is room for, in order; the rest waits for others", function()
    fan { { "a" }, { "b" }, { "c" }, { "d" } }
    assert.same({ "a", "b" }, (finish("first", { 2, "default" })))
    assert.same({ "c", "d" }, w:key("LRANGE", "queue:default:5", 0, -1))
    assert.equal(1, w:key("LLEN", "wake:default"))
  end)

  it("takes the higher levels and the earlier queues first", function()
    w:enqueue("default", 9, { "x" })
    w:enqueue("late", 5, { "y" })
    assert.same({ "x", "y" }, w:fetch(2, { "default", "late" }))
    fan { { "later", queue = "late" }, { "low" }, { "high", level = 9 } }
    assert.same({ "high", "low" }, (finish("first", { 2, "default", "late" })))
    assert.equal("pending late:5", w:place "later")
  end)

  it("lets nothing pass what waits in front of it", function()
    for _, case in ipairs {
      { "high", 5 }, { "default", 9 }, { "default", 5 },
      { "default", 4, true }, { "low", 9, true }, { "strange", 9, true },
    } do
      w:reset()
      w:enqueue("high", 5, { "x" })
      w:enqueue("low", 9, { "y" })
      assert.same({ "x", "y" }, w:fetch(2, { "high", "low" }))
      fan { { "a" } }
      w:enqueue(case[1], case[2], { "waits" })
      local ids = finish("first", { 9, "high", "default", "low" })
      assert.same(case[3] and { "a" } or {}, ids, case[1] .. case[2])
      if not case[3] then assert.equal("pending default:5", w:place "a") end
    end
  end)

  it("hands over nothing of a queue that is paused, or that was not asked for", function()
    fan { { "a" } }
    assert.same({}, (finish("first", { 9, "high" })))
    assert.equal("pending default:5", w:place "a")
    w:reset()
    fan { { "a" } }
    w:eval("pause", "default", "p")
    assert.same({}, (finish("first", { 9, "default" })))
    assert.equal("pending default:5", w:place "a")
  end)

  it("hands over nothing that has a time, or is to go in front", function()
    fan { { "a", plan = "1 +60000" }, { "b", plan = "1 f" } }
    assert.same({}, (finish("first", { 9, "default" })))
    assert.same({ "delayed", "pending default:5" }, { w:place "a", w:place "b" })
  end)

  it("hands over once: settled again, in doubt, it finds them with reclaim", function()
    fan { { "a" } }
    local verdict = { doubt = true, room = { 9, "default" }, ended = { { minute = 0,
      { "first", world.outcome { value = "1" } } } } }
    assert.same({ "a" }, (select(2, world.handed(w:settle(verdict)))))
    assert.equal(0, w:settle(verdict))
    assert.equal("a", w:eval("reclaim", w.worker, "other")[1])
  end)

  it("is fenced like the rest", function()
    fan { { "a" } }
    w:eval("condemn", w.worker, "loss", "-", "{}")
    local before = w:place "a"
    local _, why = w:try("settle", w.worker, world.verdicts { room = { 9, "default" },
      ended = { { minute = 0, { "first", world.outcome { value = "1" } } } } })
    assert.matches("^FENCED", why)
    assert.equal(before, w:place "a")
  end)

  it("what a worker was handed that died is given back with the rest", function()
    fan { { "a" } }
    assert.same({ "a" }, (finish("first", { 1, "default" })))
    w:eval("condemn", w.worker, "loss", "-", "{}")
    while w:eval("recover", w.worker, 3, 10) == 1 do end
    w:eval("join", "other", "node")
    assert.same({ "a" }, w:fetch(9, { "default" }, "other"))
    assert.equal("[1]", w:args "a")
  end)

  it("passes over maxmemory", function()
    fan { { "a" } }
    w:fill_memory()
    local done, why = w:try("settle", w.worker, world.verdicts { room = { 1, "default" },
      ended = { { minute = 5, { "first", world.outcome { minute = 5 } } } } })
    w:free_memory()
    assert.equal("a", done and done[2], why)
  end)
end)

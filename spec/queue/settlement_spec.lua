-- How a batch of verdicts is laid out for settle.lua: src/queue/settlement.c.

local queue = require("spec.support").units.queue

local function layout(...)
  return (queue.settlement({ ... }, "inc"))
end

describe("a settlement", function()
  it("has six sections, each begun by its count", function()
    assert.same({ "inc", "0", "0", "0", "0", "0", "0", "0", "0" }, layout())
    assert.same({
      "inc", "7", "0",
      "1", "SUCCESS", "default", "2", "d1", "d2",
      "1", "77", "SUCCESS", "default", "1", "e", "R-e",
      "1", "x", "R-x",
      "1", "r", "1500", "J-r",
      "1", "q", "queue", "7",
      "1", "p", "token",
    }, layout({ "replace", "p", "token" }, { "requeue", "q", "queue", 7 },
      { "retry", "r", "J-r", 1500 }, { "drop", "d1" }, { "dead", "x", "R-x" },
      { "end", "e", "R-e", 77 }, { "drop", "d2" }))
  end)

  it("groups what ended by minute, state and queue, each in the order of adding", function()
    assert.same({
      "inc", "8", "0",
      "2", "SUCCESS", "q", "1", "d", "IGNORED", "q", "1", "e",
      "4", "8", "SUCCESS", "q", "2", "a", "A", "c", "C", "9", "SUCCESS", "q", "1", "b", "B",
      "8", "REVOKED", "q", "1", "f", "F", "8", "SUCCESS", "qq", "2", "g", "G", "h", "H",
      "0", "0", "0", "0",
    }, layout({ "end", "a", "A", 8, "q" }, { "end", "b", "B", 9, "q" }, { "end", "c", "C", 8, "q" },
      { "drop", "d", "", 0, "q" }, { "drop", "e", "", 0, "q", "IGNORED" },
      { "end", "f", "F", 8, "q", "REVOKED" }, { "end", "g", "G", 8, "qq" },
      { "end", "h", "H", 8, "qq" }))
  end)

  it("ends with the room that its sender has, where it has any", function()
    assert.same({ "inc", "0", "0", "0", "0", "0", "0", "0", "0", "3", "high", "low" },
      (queue.settlement({}, "inc", 3)))
  end)

  it("holds as many groups as verdicts", function()
    local verdicts = {}
    for i = 1, 250 do verdicts[i] = { "end", "id" .. i, "R", 1, "queue" .. i } end
    local args, _, _, refused = queue.settlement(verdicts, "inc")
    assert.equal(0, refused)
    assert.equal("250", args[5])
    assert.same({ "1", "SUCCESS", "queue250", "1", "id250", "R" },
      { table.unpack(args, 6 + 249 * 6, 5 + 250 * 6) })
  end)

  it("keeps the bytes of ids and records", function()
    assert.same({ "inc", "1", "0", "0", "1", "0", "SUCCESS", "default", "1", "i\0d", "R\0\n", "0",
      "0", "0", "0" }, layout({ "end", "i\0d", "R\0\n", 0 }))
    assert.same({ "inc", "1", "0", "0", "0", "1", "id", "", "0", "0", "0" },
      layout({ "dead", "id", "" }))
  end)

  it("holds 250 verdicts and refuses the next, whatever their kinds", function()
    local kinds, verdicts = { "drop", "end", "dead", "retry", "requeue", "replace" }, {}
    for i = 1, 251 do verdicts[i] = { kinds[i % 6 + 1], "id" .. i, "text", i } end
    local _, count, bytes, refused = queue.settlement(verdicts, "inc")
    assert.equal(250, count)
    assert.is_true(refused < 0)
    assert.is_true(bytes > 250 * 5)
    verdicts[251] = nil
    assert.equal(0, select(4, queue.settlement(verdicts, "inc")))
  end)

  it("is what the script takes", function()
    local world = require "spec.redis.world"
    local w <const> = world.new()
    w:enqueue("default", 5, { "a", "b", "c", "d", "e" })
    w:fetch(5)
    assert.equal(5, w:eval("settle", table.unpack((queue.settlement({
      { "drop", "a" }, { "end", "b", world.outcome { minute = 5 }, 5 }, { "dead", "c",
        world.dead_record() },
      { "retry", "d", world.record {}, 1000 }, { "requeue", "e", "default", 5 },
    }, w.worker)))))
    w:check()
    w:stop()
  end)
end)

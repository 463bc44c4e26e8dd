-- stage.lua: batches of a workflow, before it is accepted.

local world = require "spec.redis.world"

describe("stage", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local function stage(index, id)
    return w:try("stage", "T", index, table.unpack(world.batch { nodes = { { id } } }))
  end

  it("keeps batches that nobody sees, for ten minutes", function()
    assert.equal(1, (stage(1, "a")))
    assert.equal(2, (stage(2, "b")))
    assert.same({}, w:fetch(10))
    assert.is_nil(w:place "a")
    local ttl = w:key("TTL", "staged:T")
    assert.is_true(ttl > 500 and ttl <= 600)
  end)

  it("takes each once, as the reply may have been lost", function()
    stage(1, "a")
    stage(2, "b")
    assert.equal(2, (stage(1, "a")))
    assert.equal(2, (stage(2, "b")))
    w:eval("accept", "T", "a", 2)
    w:advance()
    assert.same({ "b", "a" }, w:fetch(10)) -- the first job is ready when all of it is there
  end)

  it("refuses an id that is in use, but where the workflow itself is there", function()
    w:enqueue("default", 5, { "b" })
    stage(1, "a")
    assert.equal("INUSE b", select(2, stage(2, "b")))
    assert.equal(1, w:key("LLEN", "staged:T"))
    w:enqueue("default", 5, { "a" }) -- as a repeat finds it
    assert.equal(2, (stage(2, "b")))
  end)

  it("drops them where they are not to be accepted, over maxmemory too", function()
    stage(1, "a")
    w.redis:call("CONFIG", "SET", "maxmemory", "1")
    local dropped = w:eval("stage", "T", 0)
    w.redis:call("CONFIG", "SET", "maxmemory", "0")
    assert.equal(0, dropped)
    assert.equal(0, w:key("EXISTS", "staged:T"))
  end)

  it("refuses one that leaves a gap, and a damaged one", function()
    local reply, why = stage(2, "b")
    assert.same({ nil, "ERR moil: 0 batches are staged, this is number 2" }, { reply, why })
    reply, why = w:try("stage", "T", 1, "J", "a")
    assert.is_nil(reply)
    assert.matches("damaged at its argument 3", why)
    assert.equal(0, w:key("EXISTS", "staged:T"))
  end)
end)

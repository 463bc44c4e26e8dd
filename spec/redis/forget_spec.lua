-- forget.lua: an ended job's record -> gone.

local world = require "spec.redis.world"

describe("forget", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("drops results, dead jobs and verdicts of revoking", function()
    w:enqueue("default", 5, { "ended", "dead", "revoked" })
    w:fetch(2)
    w:settle { ended = { { minute = 0, { "ended", world.outcome {} } } }, dead = { { "dead",
      world.dead_record() } } }
    w:eval("revoke", "revoked", "{}", 60)
    for _, id in ipairs { "ended", "dead", "revoked" } do assert.equal(1, w:eval("forget", id)) end
    assert.same({}, w:snapshot().jobs)
    assert.same({}, w:snapshot().dead)
    assert.is_nil(w:eval("forget", "ended"))
  end)

  it("leaves what has not ended", function()
    w:enqueue("default", 5, { "runs", "waits" })
    w:fetch(1)
    w:schedule({ "later" }, 1)
    for _, id in ipairs { "runs", "waits", "later" } do
      assert.equal(0, w:eval("forget", id))
    end
  end)

  it("drops with the scope dead what is in the dead set alone", function()
    w:enqueue("default", 5, { "ended" })
    w:fetch(1)
    w:settle { ended = { { minute = 0, { "ended", world.outcome {} } } } }
    w:bury "dead"
    assert.is_nil(w:eval("forget", "ended", "dead"))
    assert.equal(1, w:eval("forget", "dead", "dead"))
    assert.equal("ended", w:place("ended"))
    assert.is_nil(w:place("dead"))
  end)

  it("passes over maxmemory", function()
    w:bury "a"
    w:fill_memory()
    local reply, why = w:try("forget", "a")
    w:free_memory()
    assert.equal(1, reply or why)
  end)

  it("leaves the results to a chord's body that are held for it", function()
    w:accept { nodes = { { "body", plan = "1", links = "u-g w-g " },
      { "g", plan = "1", task = "moil.group", links = "nFbody " }, { "a", links = "hFg " } },
      members = { { "g", "a" } } }
    w:run("a", "7", { minute = 5 })
    assert.equal(1, w:eval("forget", "g"))
    assert.same({ 1, 0, 1, "7", "" }, w:eval("gather", "g", 0, 250, "j"))
    w:run("body", "1")
    assert.same({}, w:hash "held")
    assert.equal(0, w:key("EXISTS", "members:g"))
    assert.is_nil(w:eval("gather", "g", 0, 250, "j"))
  end)
end)

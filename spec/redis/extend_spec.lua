-- extend.lua: more members for a group that has not ended.

local world = require "spec.redis.world"

describe("extend", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    w:accept { nodes = { { "body", plan = "1", links = "u-g " },
      { "g", plan = "1", task = "moil.group", links = "nFbody " }, { "m1", links = "hFg " } },
      members = { { "g", "m1" } } }
  end)
  after_each(function()
    w:check()
    w:balance()
  end)

  local function extend(group, nodes)
    return w:try("extend", group, table.unpack(world.batch { nodes = nodes }))
  end

  it("adds members, and other jobs behind them", function()
    assert.same({ 1, 0 }, (extend("g", { { "m2", plan = "1", links = "hFg " },
      { "pre", links = "sFm2 " }, { "m3", links = "hFg " } })))
    assert.same({ g = "3", body = "1", m2 = "1" }, w:hash "deferred")
    assert.same({ "m1", "m2", "m3" }, w:key("LRANGE", "members:g", 0, -1))
    w:run("m1", "1")
    w:run("pre", "1")
    w:run("m3", "1")
    assert.equal("deferred", w:place "body")
    w:run("m2", "1")
    assert.same({ "body" }, w:fetch(1))
  end)

  it("adds each once, as the reply may have been lost", function()
    extend("g", { { "m2", links = "hFg " } })
    w:run("m1", "1")
    w:run("m2", "1")
    assert.equal("SUCCESS", (w:ended "g"))
    assert.same({ 1, 0 }, (extend("g", { { "m2", links = "hFg " } })))
    assert.same({ "m1", "m2" }, w:key("LRANGE", "members:g", 0, -1))
  end)

  it("refuses a group that has ended, or is none", function()
    w:run("m1", "1")
    assert.same({ 0, 0 }, (extend("g", { { "m2", links = "hFg " } })))
    assert.same({ 0, 0 }, (extend("nobody", { { "m2", links = "hFnobody " } })))
    assert.is_nil(w:place "m2")
  end)

  it("refuses a damaged batch, and an id in use", function()
    local _, why = w:try("extend", "g", "J", "x")
    assert.matches("damaged", why)
    _, why = extend("g", { { "m2", links = "hFg " }, { "m2", links = "hFg " } })
    assert.equal("INUSE m2", why)
    w:enqueue("default", 5, { "other" })
    _, why = extend("g", { { "other", links = "hFg " } })
    assert.equal("INUSE other", why)
    assert.equal("1", w:hash("deferred").g)
  end)
end)

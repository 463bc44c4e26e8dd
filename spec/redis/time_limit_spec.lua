-- time_limit.lua: time limits set at run time.

local world = require "spec.redis.world"

describe("time_limit", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    w:eval("heartbeat", "a/1", [[{"queues":["x"],"tasks":["t","u\"v\\"],"workers":[]}]])
  end)

  it("keeps both limits of a task, and a version that grows", function()
    assert.equal(1, w:eval("time_limit", "t", "10", ""))
    assert.equal(2, w:eval("time_limit", "t", "", "5"))
    assert.equal(3, w:eval("time_limit", 'u"v\\', "none", "0.5"))
    assert.same({ t = "10 5", ['u"v\\'] = "none 0.5" }, w:hash "limits")
    assert.equal(4, w:eval("time_limit", "t", "-", ""))
    assert.equal("- 5", w:hash("limits").t)
    assert.equal(5, w:eval("time_limit", "t", "", "-"))
    assert.is_nil(w:hash("limits").t)
  end)

  it("refuses a soft limit that would not come first, and changes nothing", function()
    w:eval("time_limit", "t", "10", "5")
    for _, given in ipairs { { "5", "" }, { "", "10" }, { "1", "2" } } do
      assert.matches("^the soft time limit %(%S+ s%) must be less than the time limit %(%S+ s%)$",
        w:eval("time_limit", "t", given[1], given[2]))
    end
    assert.equal("10 5", w:hash("limits").t)
    assert.equal("1", w:key("GET", "limits_version"))
  end)

  it("knows the tasks that nodes have", function()
    for _, name in ipairs { "x", "missing", "tasks", "workers" } do
      assert.matches("^UNKNOWN", select(2, w:try("time_limit", name, "10", "")))
    end
    w:eval("time_limit", "t", "10", "")
    w:eval("heartbeat", "a/1", "")
    assert.equal(2, w:eval("time_limit", "t", "-", "-"))
  end)
end)

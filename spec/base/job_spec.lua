local support = require "spec.support"
local base = support.units.base

describe("job", function()
  it("names its states", function()
    local names = "PENDING SCHEDULED DEFERRED STARTED RETRY SUCCESS FAILURE REVOKED"
    local i = 0
    for name in names:gmatch("%S+") do
      i = i + 1
      assert.equal(name, base.state(i - 1))
      assert.is_true(base.is_builtin_state(name))
    end
    for _, name in ipairs { "PROGRESS", "pending", "SUCCES", "SUCCESSS", "" } do
      assert.is_false(base.is_builtin_state(name))
    end
    assert.is_false(base.is_builtin_state(nil))
    assert.equal("UNKNOWN", base.state(8))
  end)

  it("allows names of printable ASCII without space", function()
    for _, name in ipairs { "a", "math.add", "img:resize/2", ("x"):rep(200), "~!" } do
      assert.is_true(base.is_name(name))
    end
    for _, name in ipairs { "", "a b", "a\n", "é", "a\0", "\127", ("x"):rep(201) } do
      assert.is_false(base.is_name(name))
    end
    assert.is_false(base.is_name(nil))
  end)
end)

describe("id", function()
  it("is a random UUID in lower case", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = base.id()
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", id)
      assert.equal(36, #id)
      assert.equal(id:lower(), id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)
end)

describe("clock", function()
  it("has a wall clock, a monotonic one and growing stamps", function()
    local wall, monotonic = base.clocks()
    assert.is_true(math.abs(wall / 1e6 - os.time()) <= 2)
    assert.is_true(math.abs(monotonic / 1e6 - support.now()) < 1)
    local last = 0
    for _ = 1, 10000 do
      local _, _, stamp = base.clocks()
      assert.is_true(stamp > last)
      last = stamp
    end
  end)
end)

describe("error", function()
  it("has a sentence and a name for every code", function()
    for code = 0, -17, -1 do
      local text, name = base.strerror(code)
      assert.is_not.equal("unknown error", text)
      assert.matches("^%u%a+$", name)
    end
    assert.equal("RedisUnavailable", select(2, base.strerror(-4)))
    assert.same({ "unknown error", "Unknown" }, { base.strerror(-18) })
    assert.same({ "unknown error", "Unknown" }, { base.strerror(1) })
  end)
end)

-- The delays before restarts.

local support = require "spec.support"

local function delays(...)
  return { support.units.super.delays(...) }
end

describe("the delay", function()
  it("doubles with each death within a second, up to 30 s", function()
    local lives, expected = {}, {}
    for i = 1, 12 do
      lives[i] = 0
      expected[i] = math.min(100 * 2 ^ (i - 1), 30000) // 1 | 0
    end
    expected[13] = true
    assert.same(expected, delays(table.unpack(lives)))
  end)

  it("is the first again after a life of a second, however often", function()
    assert.same({ 100, 200, 100, 100, 200, false }, delays(999, 1, 10000, 3600000, 5))
    -- Such as of a worker that somebody kills again and again: its jobs run again at once.
    assert.same({ 100, 100, 100, 100, 100, 100, true }, delays(1000, 1500, 3000, 9999, 1000, 2000))
  end)
end)

describe("a crash loop", function()
  it("is five quick deaths in a row", function()
    assert.is_false(delays(0, 0, 0, 0)[5])
    assert.is_true(delays(0, 0, 0, 0, 0)[6])
    assert.is_false(delays(0, 0, 0, 10000, 0, 0)[7])
  end)

  it("ends with a healthy life", function()
    assert.is_false(delays(0, 0, 0, 0, 0, 10000)[7])
  end)

  it("does not overflow", function()
    local lives = {}
    for i = 1, 200 do lives[i] = 0 end
    assert.equal(30000, delays(table.unpack(lives))[200])
  end)
end)

local support = require "spec.support"
local base = support.units.base

describe("buffer", function()
  it("grows over what is appended, byte for byte", function()
    local long = ("x"):rep(100000)
    assert.equal("a\0b" .. long .. "c", base.concat("a\0b", long, "c"))
    assert.equal("", base.concat())
    assert.equal("", base.concat(""))
  end)

  it("writes integers up to both ends", function()
    for _, v in ipairs { 0, 7, -1, 10, 99, 100, 2 ^ 53 | 0, math.maxinteger, math.mininteger } do
      assert.equal(tostring(v), base.concat(v))
    end
  end)

  it("formats, also past its first room", function()
    local long = ("y"):rep(5000)
    assert.equal("n=42", base.format("n", 42))
    assert.equal(long .. "=-1", base.format(long, -1))
  end)

  it("hands its bytes over with a NUL behind them, and starts anew", function()
    local bytes, is_clean, again = base.take("one\0two")
    assert.equal("one\0two", bytes)
    assert.is_true(is_clean)
    assert.equal("again", again)
    assert.equal("", (base.take("")))
  end)

  it("remembers a failed allocation until it is cleared", function()
    local failed, text, failed_after = base.huge()
    assert.is_true(failed)
    assert.equal("", text)
    assert.is_false(failed_after)
  end)
end)

local support = require "spec.support"
local base = support.units.base

describe("clock", function()
  it("is the system's, or the program's", function()
    local WALL <const>, MONOTONIC <const> = 1234567890123456, 42
    assert.same({ WALL, MONOTONIC }, { base.clock_set(WALL, MONOTONIC) })
    local wall, monotonic = base.clock_set(nil, nil)
    assert.is_true(wall > WALL)
    assert.is_true(monotonic > MONOTONIC)
  end)
end)

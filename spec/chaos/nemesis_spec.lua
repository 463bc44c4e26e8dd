-- What a seed decides.

local dice = require "spec.chaos.dice"
local nemesis = require "spec.chaos.nemesis"

local function plan_of(seed, seconds)
  local lines = {}
  for i, step in ipairs(nemesis.plan(dice.new(seed, "nemesis"), seconds)) do
    lines[i] = ("%.6f %s %d %d %.6f"):format(step.at, step.action.name, step.aim.slot,
      step.aim.index, step.aim.seconds)
  end
  return lines
end

describe("dice", function()
  it("give the same on every machine", function()
    local d = dice.new(1)
    assert.same({ 7, 8, 4, 9, 6 }, { d:int(1, 10), d:int(1, 10), d:int(1, 10), d:int(1, 10),
      d:int(1, 10) })
  end)

  it("have other draws for another salt", function()
    assert.not_equal(dice.new(1, "a"):bits(), dice.new(1, "b"):bits())
  end)

  it("keep within their bounds, and draw by weight", function()
    local d, seen = dice.new(5), { a = 0, b = 0, c = 0 }
    local rows = { { name = "a", weight = 3 }, { name = "b", weight = 1 },
      { name = "c", weight = 0 } }
    for _ = 1, 1000 do
      local n, x = d:int(3, 5), d:between(0.5, 0.75)
      assert.is_true(n >= 3 and n <= 5 and x >= 0.5 and x < 0.75)
      local row = d:weighted(rows)
      seen[row.name] = seen[row.name] + 1
    end
    assert.equal(0, seen.c)
    assert.is_true(seen.a > 2 * seen.b and seen.b > 100)
  end)
end)

describe("a plan", function()
  it("is the same for the same seed, and another for another", function()
    assert.same(plan_of(1, 60), plan_of(1, 60))
    assert.not_same(plan_of(1, 60), plan_of(2, 60))
  end)

  it("begins alike however long it is", function()
    local short, long = plan_of(3, 10), plan_of(3, 60)
    for i, line in ipairs(short) do assert.equal(line, long[i]) end
    assert.is_true(#long > #short)
  end)

  it("draws every action sooner or later, but those without weight", function()
    local seen = {}
    for _, line in ipairs(plan_of(4, 600)) do seen[line:match("^%S+ (.-) %d")] = true end
    for _, action in ipairs(nemesis.actions) do
      assert.equal(action.weight > 0, seen[action.name] or false, action.name)
    end
  end)
end)

-- The claim words between a worker and its agent (src/worker/claims.h).

local units = require("spec.support").units.claims

describe("a claim", function()
  local c
  before_each(function() c = units.new() end)

  it("is the worker's who takes it first", function()
    local a, b = units.add(c, "a"), units.add(c, "b")
    assert.equal(a, units.front(c))
    assert.is_true(units.take(c, a))
    assert.is_false(units.take(c, a))
    assert.is_nil(units.seize(c, a))
    assert.equal(b, units.front(c))
    assert.is_true(units.take(c, b))
    assert.is_nil(units.front(c))
  end)

  it("is the agent's who seizes it first", function()
    local a, b = units.add(c, "a"), units.add(c, ("b"):rep(200))
    assert.equal("a", units.seize(c, a))
    assert.equal(("b"):rep(200), units.seize(c, b))
    assert.is_nil(units.seize(c, a))
    assert.is_false(units.take(c, a))
    assert.is_false(units.is_reserved(c, a))
    assert.is_nil(units.front(c))
  end)

  it("is undecided until Redis has answered, and then over", function()
    local a, b = units.add(c, "a"), units.add(c, "b")
    units.seize(c, a)
    assert.same({ true, false }, { units.review(c) })
    assert.is_true(units.take(c, b))
    units.decide(c, a, "returned")
    assert.same({ false, false }, { units.review(c) })
    assert.is_nil(units.seize(c, a))
  end)

  it("may be left with the worker, who is told once", function()
    local a = units.add(c, "a")
    units.seize(c, a)
    units.decide(c, a, "left")
    assert.is_nil(units.front(c))
    assert.same({ false, true }, { units.review(c) })
    assert.same({ false, false }, { units.review(c) })
  end)

  it("that is unsure can be seized again, or comes back to the worker", function()
    local a = units.add(c, "a")
    units.seize(c, a)
    units.decide(c, a, "unsure")
    assert.equal(a, units.front(c))
    assert.equal("a", units.seize(c, a))
    assert.same({ true, false }, { units.review(c) })
    units.give_up(c)
    assert.same({ false, true }, { units.review(c) })
    assert.is_nil(units.front(c))
    units.decide(c, a, "returned") -- the late answer
    assert.same({ false, false }, { units.review(c) })
  end)

  it("of a former incarnation is nobody's", function()
    local a = units.add(c, "a")
    units.begin(c)
    assert.is_nil(units.front(c))
    local b = units.add(c, "b")
    assert.is_true(b > a)
    assert.is_nil(units.front(c, b + 1))
    assert.equal(b, units.front(c, a))
  end)

  it("is missing where the ring is full, and the worker takes that job all the same", function()
    local serials = {}
    for i = 1, 1024 do serials[i] = units.add(c, tostring(i)) end
    assert.equal(0, units.add(c, "one more"))
    assert.is_true(units.take(c, 0))
    assert.is_true(units.take(c, serials[1]))
    assert.equal(serials[1024] + 1, units.add(c, "one more"))
    for i = 2, 1024 do assert.equal(tostring(i), units.seize(c, serials[i])) end
  end)

  it("has exactly one owner, whoever is faster", function()
    local taken, seized, wrong = units.race(1000000)
    assert.equal(0, wrong)
    assert.equal(1000000, taken + seized)
  end)
end)

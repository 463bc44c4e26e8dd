-- lua/moil/retry.lua: pure functions; randomness comes in.

local driver = require "spec.lua.driver"
local retry = driver.open().retry

local function delays(policy, n)
  local list = {}
  for attempt = 1, n do list[attempt] = policy(attempt) or false end
  return list
end

describe("a policy", function()
  it("gives seconds, then nil", function()
    assert.same({ 10, 10, false }, delays(retry.fixed { max = 2, delay = 10 }, 3))
    assert.same({ 1, 1, 1, false }, delays(retry.fixed(), 4))
    assert.same({ 2, 4, 6, 8, false }, delays(retry.linear { max = 4, base = 2 }, 5))
    assert.same({ 1, 6, 10, 10 }, delays(retry.linear { max = 9, base = 1, step = 5, cap = 10 }, 4))
    assert.same({ 1.0, 2.0, 4.0, 8.0, 10, 10 }, delays(retry.exponential { max = 9, cap = 10 }, 6))
    assert.same({ 3.0, 30.0, 300.0 }, delays(retry.exponential { base = 3, factor = 10 }, 3))
    assert.same({ 1, 10, 60, false }, delays(retry.list { 1, 10, 60 }, 4))
  end)

  it("without bound goes on, and stays finite", function()
    assert.equal(3600, retry.exponential { max = false }(100000))
    assert.equal(3600, retry.linear { max = false }(100000))
    assert.is_nil(retry.exponential { max = 7 }(8))
  end)

  it("spreads with jitter between half and all, or by the share given, never past the cap",
    function()
    local function at(r, jitter) return retry.fixed { delay = 10, jitter = jitter,
      random = function() return r end }(1) end
    assert.same({ 10, 5.0 }, { at(0, true), at(1, true) })
    assert.same({ 10, 0.0, 5.0 }, { at(0, 1), at(1, 1), at(0.5, 1) })
    assert.equal(8.0, at(1, 0.2))
    assert.equal(10, at(1, false))
    math.randomseed(1)
    local policy = retry.exponential { max = false, base = 1, cap = 60, jitter = true }
    for attempt = 1, 200 do
      local whole = math.min(2.0 ^ (attempt - 1), 60)
      local got = policy(attempt)
      assert.is_true(got >= whole / 2 and got <= whole)
    end
  end)

  it("of the built-in ones travels as data, and comes back the same", function()
    for _, policy in ipairs {
      retry.fixed { max = 2, delay = 10 }, retry.linear { base = 2, step = 1 },
        retry.exponential { max = false, factor = 3 },
      retry.list { 1, 2, 3 },
    } do
      local data = retry.to_data(policy)
      assert.same(delays(policy, 8), delays(retry.from_data(data), 8))
      assert.same(data, retry.to_data(retry.from_data(data)))
    end
    assert.is_nil(retry.to_data(print))
    assert.is_nil(retry.to_data(retry.fixed { random = math.random }))
  end)

  it("refuses options that are wrong, naming them", function()
    local function wrong(f, ...) return driver.error_of(f, ...).message end
    assert.equal("moil.retry.fixed: unknown option 'dely', did you mean 'delay'?",
      wrong(retry.fixed, { dely = 1 }))
    assert.equal("moil.retry.fixed: unknown option 'base'", wrong(retry.fixed, { base = 1 }))
    assert.matches("max must be a whole number from 1", wrong(retry.linear, { max = 0 }))
    assert.matches("max must be", wrong(retry.linear, { max = 1.5 }))
    assert.matches("base must be seconds", wrong(retry.linear, { base = -1 }))
    assert.matches("factor must be", wrong(retry.exponential, { factor = 0.5 }))
    assert.matches("jitter must be", wrong(retry.exponential, { jitter = 2 }))
    assert.matches("takes a list of seconds", wrong(retry.list, {}))
    assert.matches("entry 2 must be seconds", wrong(retry.list, { 1, "x" }))
    assert.matches("takes a table", wrong(retry.fixed, 5))
    assert.matches("unknown policy 'x'", wrong(retry.from_data, { policy = "x" }))
  end)
end)

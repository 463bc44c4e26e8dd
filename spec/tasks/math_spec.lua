local support = require "spec.support"
local moil = require "moil"

describe("tasks/math.lua", function()
  local function run(task, ...)
    return moil.send(task, table.pack(...)):get { timeout = 10, propagate = false }
  end

  lazy_setup(function()
    local redis = support.redis()
    support.start_moil { "worker", "tasks/math.lua", "-w", "1", redis = redis }
    moil.connect(redis.url)
  end)

  it("adds, subtracts, multiplies and divides; integers stay integers", function()
    assert.equal("8", tostring(run("math.add", 4, 4)))
    assert.equal("-1", tostring(run("math.sub", 1, 2)))
    assert.equal("9007199254740993", tostring(run("math.mul", 9007199254740993, 1)))
    assert.equal("2.5", tostring(run("math.div", 5, 2)))
    assert.equal("6", tostring(run("math.sum", { 1, 2, 3 })))
    assert.equal("0", tostring(run("math.sum", {})))
  end)

  it("refuses what is no number, naming the argument", function()
    local _, err = run("math.add", 1, "2")
    assert.equal("BadArgument", err.code)
    assert.equal("math.add: argument 2 must be a number, not string", err.message)
    _, err = run("math.add", 1)
    assert.equal("math.add: argument 2 must be a number, not nil", err.message)
    _, err = run("math.sum", { 1, {} })
    assert.equal("math.sum: argument 2 must be a number, not table", err.message)
    _, err = run("math.sum", 1)
    assert.equal("math.sum: takes one list of numbers", err.message)
  end)

  it("has a code for a division by zero", function()
    local _, err = run("math.div", 1, 0)
    assert.equal("DivisionByZero", err.code)
  end)
end)

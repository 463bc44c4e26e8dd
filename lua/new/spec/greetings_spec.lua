-- No Redis and no waiting: `busted` in the project's folder runs this.

local testing = require "moil.testing"

describe("greetings", function()
  local world

  before_each(function()
    world = testing.new { tasks = "tasks", config = "moil.lua", beat = "beat.lua" }
  end)
  after_each(function() world:close() end)

  it("are polite", function()
    assert.equal("hello, ann", world:task("greet.hello"):delay("ann"):get())
  end)

  it("need a name", function()
    local run = world:perform("greet.hello", { "" })
    assert.equal("failure", run.outcome)
    assert.equal("BadName", run.error.code)
  end)

  it("reach all, also where one worker dies", function()
    world:crash("greet.hello", 1)
    assert.same({ "hello, ann", "hello, bob" },
      world:task("greet.all"):delay({ "ann", "bob" }):get())
  end)

  it("are sent each morning", function()
    world:advance(7 * 86400)
    assert.equal(7, #world:enqueued { task = "greet.hello", beat = "morning" })
  end)
end)

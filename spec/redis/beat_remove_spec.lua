-- beat_remove.lua: takes a beat entry away.

local world = require "spec.redis.world"

describe("beat_remove", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("takes a run-time entry away with its state, and tells an agent", function()
    w:eval("beat_put", "e", "{}", "*", "-", "-")
    w:key("DEL", "tick")
    assert.equal(1, w:eval("beat_remove", "e"))
    assert.equal(0, w:key("EXISTS", "beat", "ticks"))
    assert.equal("2", w:key("GET", "beat_version"))
    assert.equal(1, w:key("LLEN", "tick"))
    assert.equal(0, w:eval("beat_remove", "e"))
    assert.equal("2", w:key("GET", "beat_version"))
  end)

  it("forgets the state of a file's entry", function()
    w:key("HSET", "ticks", "e", "1000 7 0 job-7 900 - -")
    assert.equal(2, w:eval("beat_remove", "e"))
    assert.equal(0, w:key("EXISTS", "ticks"))
  end)

  it("leaves a file's entry alone where one of run time is meant", function()
    w:key("HSET", "ticks", "e", "1000 7 0 job-7 900 - -")
    assert.equal(2, w:eval("beat_remove", "e", 1))
    assert.equal(1, w:key("EXISTS", "ticks"))
    assert.equal(0, w:eval("beat_remove", "f", 1))
    w:eval("beat_put", "f", "{}", "*", "-", "-")
    assert.equal(1, w:eval("beat_remove", "f", 1))
    assert.is_nil(w:key("HGET", "ticks", "f"))
  end)

  it("passes over maxmemory", function()
    w:eval("beat_put", "e", "{}", "*", "-", "-")
    w:fill_memory()
    local reply = w:try("beat_remove", "e")
    w:free_memory()
    assert.equal(1, reply)
  end)
end)

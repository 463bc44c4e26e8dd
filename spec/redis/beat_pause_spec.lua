-- beat_pause.lua: stops and resumes the ticks of an entry.

local world = require "spec.redis.world"

describe("beat_pause", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("stops an entry of run time or of a file, and says whether that changed anything", function()
    w:eval("beat_put", "run time", "{}", "*", "-", 1000)
    w:key("HSET", "ticks", "file", "1000 7 0 job-7 900 - -")
    for _, name in ipairs { "run time", "file" } do
      assert.equal(1, w:eval("beat_pause", name, 1))
      assert.equal(2, w:eval("beat_pause", name, 1))
    end
    assert.equal("1000 7 1 job-7 900 - -", w:key("HGET", "ticks", "file"))
    assert.equal("1000 0 1", w:key("HGET", "ticks", "run time"):match("^%S+ %S+ %S+"))
  end)

  it("goes on from now", function()
    local before = w:now_ms()
    w:key("HSET", "ticks", "e", "1000 7 1 job-7 900 - -")
    assert.equal(1, w:eval("beat_pause", "e", 0))
    assert.equal(2, w:eval("beat_pause", "e", 0))
    local last, rest = w:key("HGET", "ticks", "e"):match("^(%d+) (.*)$")
    assert.is_true(tonumber(last) >= before and tonumber(last) <= w:now_ms())
    assert.equal("7 0 job-7 900 - -", rest)
  end)

  it("does not go back behind what has run", function()
    local ahead = w:now_ms() + 60000
    w:key("HSET", "ticks", "e", ahead .. " 7 1 job-7 900 - -")
    w:eval("beat_pause", "e", 0)
    assert.equal(tostring(ahead), w:key("HGET", "ticks", "e"):match("^%d+"))
  end)

  it("knows no entry that was never seen", function()
    assert.equal(0, w:eval("beat_pause", "e", 1))
    assert.equal(0, w:key("EXISTS", "ticks", "beat_version"))
  end)

  it("tells an agent", function()
    w:key("HSET", "ticks", "e", "1000 7 0 job-7 900 - -")
    w:eval("beat_pause", "e", 1)
    assert.equal("1", w:key("GET", "beat_version"))
    assert.equal(1, w:key("LLEN", "tick"))
  end)

  it("passes over maxmemory", function()
    w:key("HSET", "ticks", "e", "1000 7 0 job-7 900 - -")
    w:fill_memory()
    local replies = { w:try("beat_pause", "e", 1), w:try("beat_pause", "e", 0) }
    w:free_memory()
    assert.same({ 1, 1 }, replies)
  end)
end)

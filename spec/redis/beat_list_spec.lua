-- beat_list.lua: beat entries, a page at a time.

local world = require "spec.redis.world"

describe("beat_list", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  -- All entries: name -> { entry, state }.
  local function list(what)
    local cursor, found = "0", {}
    repeat
      local reply = w:eval("beat_list", what, cursor, 100)
      cursor = reply[1]
      for i = 4, #reply, 3 do found[reply[i]] = { reply[i + 1], reply[i + 2] } end
    until cursor == "0"
    return found
  end

  it("tells entries of run time, and what was seen of files", function()
    w:eval("beat_put", "e", '{"every":5}', "*", "-", 1000)
    w:key("HSET", "ticks", "file", "1000 7 0 job-7 900 - -")
    local e = list("beat")
    assert.is_nil(e.file)
    assert.equal('1 {"every":5}', e.e[1])
    assert.matches("^1000 0 0 %- %d+ 1 %-$", e.e[2])
    assert.same({ "", "1000 7 0 job-7 900 - -" }, list("ticks").file)
    assert.same(e.e, list("ticks").e)
  end)

  it("tells the version and the time", function()
    assert.equal(0, w:eval("beat_list", "beat", "0", 10)[2])
    w:eval("beat_put", "e", "{}", "*", "-", "-")
    local reply = w:eval("beat_list", "beat", "0", 10)
    assert.equal(1, reply[2])
    assert.is_true(math.abs(reply[3] // 1000 - w:now_ms()) < 10000)
  end)

  it("tells one by its name", function()
    w:eval("beat_put", "my entry", "{}", "*", "-", "-")
    local reply = w:eval("beat_list", "one", "my entry", 1)
    assert.same({ "0", "my entry", "1 {}" }, { reply[1], reply[4], reply[5] })
    assert.equal(3, #w:eval("beat_list", "one", "other", 1))
  end)

  it("tells an entry whose state was lost", function()
    w:eval("beat_put", "e", "{}", "*", "-", "-")
    w:key("DEL", "ticks")
    assert.same({ "1 {}", "" }, list("beat").e)
  end)

  it("tells each of 3,000", function()
    for i = 1, 3000 do w:key("HSET", "beat", "e" .. i, i .. " {}") end
    local n = 0
    for name, entry in pairs(list "beat") do
      assert.equal(name:sub(2) .. " {}", entry[1])
      n = n + 1
    end
    assert.equal(3000, n)
  end)
end)

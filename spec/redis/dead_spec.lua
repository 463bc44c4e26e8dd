-- dead.lua: a page of the dead set.

local world = require "spec.redis.world"

describe("dead", function()
  it("pages through it, the newest first", function()
    local w <const> = world.new()
    assert.same({}, w:eval("dead", 0, 250))
    for i, id in ipairs { "a", "b", "c" } do
      w:bury(id)
      w:key("ZADD", "dead", 1000 * i, id)
    end
    local r = world.dead_record()
    assert.same({ "c", r, "3000", "b", r, "2000", "a", r, "1000" }, w:eval("dead", 0, 250))
    assert.same({ "b", r, "2000", "2" }, w:eval("dead", 1, 1))
    assert.same({}, w:eval("dead", 3, 5))
    local head = r:match("^[^\n]*\n")
    assert.same({ "b", head, "2000", "a", head, "1000" }, w:eval("dead", 1, 9, "heads"))
    w:stop()
  end)

  it("takes no more than 1 MB of records at a time", function()
    local w <const> = world.new()
    for i = 1, 7 do
      w:bury("j" .. i, { args = ("[%q]"):format(("x"):rep(400000)) })
      w:key("ZADD", "dead", 1000 * i, "j" .. i)
    end
    local sizes, offset = {}, 0
    while offset do
      local page = w:eval("dead", offset, 250)
      sizes[#sizes + 1] = #page // 3
      offset = page[#page // 3 * 3 + 1]
    end
    assert.same({ 3, 3, 1 }, sizes)
    assert.equal(3 * 3 + 1, #w:eval("dead", 0, 250, "heads"))
    w:stop()
  end)
end)

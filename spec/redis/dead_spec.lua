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
    assert.same({ "b", r, "2000" }, w:eval("dead", 1, 1))
    assert.same({}, w:eval("dead", 3, 5))
    w:stop()
  end)
end)

-- probe.lua: what this user may not do.

local world = require "spec.redis.world"
local support = require "spec.support"

describe("probe", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("finds nothing where all is allowed, and leaves nothing", function()
    assert.same({}, w:eval("probe"))
    assert.same({}, w.redis:call("KEYS", "*probe*"))
  end)

  it("names each command that is refused", function()
    w.redis:call("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", "-zmscore", "-hstrlen")
    local c = w.redis:connect()
    c:call("AUTH", "poor", "pw")
    local answer = c:call("EVAL", support.script "probe", "1", "{moil}:")
    assert.same({ 4, "hstrlen", "zmscore" }, { #answer, answer[1], answer[3] })
    c:close()
    assert.same({}, w.redis:call("KEYS", "*probe*"))
  end)
end)

-- control.lua: a command for nodes.

local support = require "spec.support"
local world = require "spec.redis.world"

describe("control", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    for _, id in ipairs { "web-1/aa", "web-2/bb", "db+1/cc" } do
      w:eval("heartbeat", id, '{"lease":15}')
    end
  end)

  local function ask(request, pattern, hold)
    local nodes = w:eval("control", request, pattern, hold or 1000, "ping", '["secret"]')
    if type(nodes) == "table" then table.sort(nodes) end
    return nodes
  end

  it("reaches one node, those of a pattern, or all", function()
    assert.same({ "db+1/cc", "web-1/aa", "web-2/bb" }, ask("r1", "*"))
    assert.same({ "web-1/aa", "web-2/bb" }, ask("r2", "web*"))
    assert.same({ "web-2/bb" }, ask("r3", "web-2"))
    assert.same({ "web-1/aa" }, ask("r4", "web-1/aa"))
    assert.same({ "db+1/cc" }, ask("r5", "d?+1"))
    assert.same({}, ask("r6", "web"))
    assert.same({}, ask("r7", "w.b-1"))
    assert.equal(6, w:key("LLEN", "control:web-1/aa") + w:key("LLEN", "control:web-2/bb"))
    assert.equal('r1 ping\n["secret"]', w:key("LINDEX", "control:db+1/cc", 0))
  end)

  it("refuses a pattern that could take long", function()
    assert.equal("at most four * in the name of nodes", ask("r", "*a*b*c*d*e*"))
    assert.equal(3, #ask("r2", "******"))
  end)

  it("takes each piece between * where it comes first, and the last one at the end", function()
    w:eval("heartbeat", "aab-ab-aab/ee", '{"lease":15}')
    for pattern, is_meant in pairs { ["a*b"] = true, ["*ab*ab"] = true, ["aab*aab"] = true,
      ["aab-ab-aab"] = true, ["a?b-*?b"] = true, ["*-ab-*"] = true, ["aab-ab*b-aab"] = false,
      ["*aab-ab"] = false, ["ab*"] = false, ["aab-ab-aab?"] = false, ["?*aab*ab-aab"] = false } do
      assert.equal(is_meant and 1 or 0, #ask("r " .. pattern, pattern), pattern)
    end
  end)

  it("looks at a long name in no time, whatever the pattern", function()
    for i = 10, 39 do w:eval("heartbeat", ("a"):rep(190) .. i .. "/ff", '{"lease":15}') end
    w.redis:call("CONFIG", "RESETSTAT")
    assert.same({}, ask("r1", "*aa*aa*aa*ab"))
    local spent = w.redis:call("INFO", "commandstats"):match("cmdstat_evalsha:calls=1,usec=(%d+)")
    assert.is_true(tonumber(spent) < 3000000) -- it was over 10 seconds
  end)

  it("passes over a node whose lease is over", function()
    w:eval("heartbeat", "old/dd", '{"lease":0.001}')
    support.wait_until(function() return #ask(tostring(support.now()), "old") == 0 end, 10, "gone")
  end)

  it("asked again, answers as before and asks nobody twice", function()
    assert.same({ "web-1/aa" }, ask("r1", "web-1"))
    w:eval("heartbeat", "web-1/aa", "")
    assert.same({ "web-1/aa" }, ask("r1", "web-1"))
    assert.equal(1, w:key("LLEN", "control:web-1/aa"))
  end)

  it("leaves nothing behind when the time is over", function()
    ask("r1", "web-1", 30)
    w:eval("control_reply", "r1", "{}")
    support.wait_until(function()
      return w:key("EXISTS", "asked:r1") + w:key("EXISTS", "control:web-1/aa")
        + w:key("EXISTS", "answers:r1") == 0
    end, 10, "all of it has gone")
  end)

  it("keeps a list that holds longer, and bounds it", function()
    ask("long", "web-1", 100000)
    ask("short", "web-1", 1000)
    assert.is_true(w:key("PTTL", "control:web-1/aa") > 10000)
    for i = 1, 100 do ask("r" .. i, "web-1") end
    assert.equal(64, w:key("LLEN", "control:web-1/aa"))
  end)
end)

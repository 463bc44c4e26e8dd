local support = require "spec.support"

-- Allocator, log and clock of an embedding program, through spec/support/hooks_probe.c.

describe("a program with hooks of its own", function()
  local redis, dir

  setup(function()
    redis = support.redis()
    dir = support.tempdir()
    support.write(dir .. "/good.lua", 'print("loading")\nrequire("moil").task("a", print)\n')
  end)

  local function probe(...)
    local command = { support.build .. "/spec/hooks_probe", redis.url, ... }
    local out = support.sh(table.concat(command, " "), { timeout = 60 })
    assert.equal(0, out.code, out.stderr)
    return out.stdout, out.stderr
  end

  it("has all memory of its allocator, and gets all of it back", function()
    local out = probe(dir .. "/good.lua")
    assert.matches("status 0\n", out)
    assert.matches("check 0", out)
    assert.matches("allocations 1 1\n", out)
    assert.equal(2, select(2, out:gsub("held 0\n", "")))
  end)

  it("has all lines of the log, with their level", function()
    local out, err = probe(dir .. "/good.lua")
    assert.matches("\nlog mine 1 0 2001%-09%-09T01:46:40%.000Z info %s*%S*%s+loading", out)
    assert.equal("", err)
  end)

  it("stamps by its clock", function()
    redis:call("FLUSHALL")
    assert.matches('"enqueued_at":1000000000[,.}]', (probe(dir .. "/good.lua")))
  end)

  it("gets one line of the error, and loses nothing, wherever memory ends", function()
    local seen = {}
    for _, limit in ipairs { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597 } do
      redis:call("FLUSHALL")
      local out = probe(dir .. "/good.lua", tostring(limit))
      seen[math.tointeger(out:match("status (%-?%d+)"))] = true
      assert.equal(2, select(2, out:gsub("held 0\n", "")), limit .. ": " .. out)
    end
    assert.is_true(seen[-1])
  end)
end)

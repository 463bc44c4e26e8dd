local site = require "spec.support.site"
local support = require "spec.support"

-- `moil call --depends-on`, and with it the same of moil.h.

local TASKS <const> = [[
local moil = require "moil"
moil.task("value", function(v) return v end)
moil.task("fails", function() error { code = "OOPS", message = "on purpose" } end)
]]

local here

setup(function() here = site.open { tasks = TASKS, idle = true } end)

local function moil(argv)
  argv.redis = here.redis
  return support.moil(argv)
end

local function call(...)
  local out = moil { "call", ... }
  assert.equal(0, out.code, out.stderr)
  return out.stdout:match("^(%S+)\n$")
end

local function refused(code, text, ...)
  local out = moil { "call", ... }
  assert.equal(code, out.code)
  assert.is_truthy(out.stderr:find(text, 1, true), out.stderr)
  assert.equal(1, select(2, out.stderr:gsub("\n", "")))
end

local function info(id) return here.moil.result(id):info() end

describe("moil call --depends-on", function()
  local ids = {}

  it("defers a job until the others have ended", function()
    ids.a, ids.b = call("value", "1"), call("value", "2")
    ids.both = call("value", "3", "--depends-on", ids.a, "--depends-on", ids.b)
    ids.list = call("value", "4", "--depends-on", ids.a .. "," .. ids.b)
    ids.bad = call("fails")
    ids.fail = call("value", "5", "--depends-on", ids.bad)
    ids.revoke = call("value", "6", "--depends-on", ids.bad, "--on-failure", "revoke")
    ids.allow = call("value", "7", "--depends-on", ids.bad .. "," .. ids.both, "--on-failure",
      "allow")
    ids.later = call("value", "8", "--depends-on", ids.a, "--countdown", "3600")
    for _, name in ipairs { "both", "list", "fail", "revoke", "allow", "later" } do
      assert.equal("DEFERRED", info(ids[name]).state, name)
    end
  end)

  it("lets each end as its policy says", function()
    local worker = here:worker { "--burst", "-w", "1", unready = true }
    assert.equal(0, worker:wait(20), worker:report())
    for name, value in pairs { both = 3, list = 4, allow = 7 } do
      assert.equal(value, here.moil.result(ids[name]):get { timeout = 0.5 }, name)
    end
    for name, state in pairs { fail = "FAILURE", revoke = "REVOKED" } do
      local found = info(ids[name])
      assert.equal(state, found.state)
      assert.equal("DependencyFailed", found.error.code)
      assert.equal(ids.bad, found.error.dependency)
      assert.equal("OOPS", found.error.cause.code)
    end
    assert.equal("SCHEDULED", info(ids.later).state)
  end)

  it("acts at once on those that have ended", function()
    local id = call("value", "9", "--depends-on", ids.a, "--id", "once")
    assert.equal("PENDING", info(id).state)
    assert.equal("DependencyFailed", info(call("value", "9", "--depends-on", ids.bad)).error.code)
  end)

  it("enqueues an id once", function()
    local out = moil { "call", "value", "9", "--depends-on", ids.a, "--id", "once", "--json" }
    assert.equal(0, out.code)
    assert.same({ id = "once", created = false }, support.json_decode(out.stdout))
  end)

  it("refuses what cannot be waited for", function()
    refused(5, "no job under the id nobody", "value", "--depends-on", ids.a .. ",nobody")
    refused(2, '"a,,b" is not a list of ids', "value", "--depends-on", "a,,b")
    refused(2, "fail, revoke, allow", "value", "--depends-on", "a", "--on-failure", "wait")
    local many = {}
    for i = 1, 1001 do many[i] = "j" .. i end
    refused(2, "1001 ids, at most 1000", "value", "--depends-on", table.concat(many, ","))
  end)

  it("leaves the books in order", function()
    assert.equal(0, moil { "inspect", "audit" }.code)
  end)
end)

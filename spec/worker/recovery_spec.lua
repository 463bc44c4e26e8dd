local site = require "spec.support.site"
local support = require "spec.support"

-- A worker process that dies: its jobs run again at once; the one that kills its worker each time
-- is buried.

local TASKS <const> = [[
local moil = require "moil"
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
moil.task("nap", function(s) moil.sleep(s) return "slept" end)
moil.task("kill", function()
  os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
  moil.sleep(5)
end)
moil.task("kill_on_cpu", function()
  os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
  while true do end
end)
]]

describe("a worker killed with -9", function()
  local here
  setup(function() here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8" } } end)

  it("is started again, and its jobs end, within a second or two", function()
    local naps = {}
    for i = 1, 5 do naps[i] = here.moil.send("nap", { 0.5 }) end
    here:wait_state(naps[5].id, "STARTED")
    local began = support.now()
    assert(here.moil.send("kill", {}).created)
    for i = 1, 5 do assert.equal("slept", naps[i]:get { timeout = 15 }) end
    assert.is_true(support.now() - began < 12)
  end)

  it("loses a job after its third crash on the CPU, with the reason", function()
    local err = here:failure("kill_on_cpu", {})
    assert.equal("WorkerLost", err.code)
    assert.matches("was killed by signal 9 %(perhaps out of memory%)", err.message)
    local out = support.moil { "inspect", "dead", "--json", redis = here.redis }
    assert.matches('"task":"kill_on_cpu"', out.stdout)
    -- Three that died, and one for its policy and hooks.
    assert.matches('"deliveries":4', out.stdout)
    assert.equal("number", type(here:call("pid"))) -- and the worker goes on
  end)
end)

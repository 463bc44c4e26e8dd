local site = require "spec.support.site"
local support = require "spec.support"

-- An agent whose loop stands still: its supervisor replaces it before the node's lease runs out.

local TASKS <const> = [[
local moil = require "moil"
moil.task("quick", function(x) return x end)
moil.task("hold", function(gate)
  while not io.open(gate) do moil.sleep(0.01) end
  return "held"
end)
]]

describe("an agent that is stopped", function()
  it("is replaced; jobs go on, and no other node takes ours for gone", function()
    local here = site.open { tasks = TASKS, idle = true }
    local node = here:worker { "-w", "1", "--lease", "9", "-q", "here" }
    local other = here:worker { "-w", "1", "--lease", "9", "-q", "there" }
    local held = here.moil.send("hold", { "gate" }, { queue = "here" })
    here:wait_state(held.id, "STARTED")
    local agent = site.pids(node).agent
    support.native.kill(agent, support.native.signals.STOP)
    node:read_until("agent %(pid " .. agent .. "%) is killed: it has been silent", 30)
    support.wait_until(function() return site.pids(node).agent ~= agent end, 15, "a new agent")
    assert.equal(2, here.redis:call("HLEN", "{moil}:leases"))
    local later = here.moil.send("quick", { 3 }, { queue = "here", countdown = 0.1 })
    assert.equal(3, later:get { timeout = 15 })
    support.write(here.dir .. "/gate", "")
    assert.equal("held", held:get { timeout = 15 })
    assert.same({}, site.log_lines(other, "has been silent for a lease"))
    assert.same({}, site.log_lines(node, "declared dead"))
    node:stop()
    other:stop()
  end)
end)

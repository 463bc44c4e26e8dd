-- The supervisor's phases, driven by real signals.

local support = require "spec.support"
local super_node = require "spec.support.super_node"

local BY <const> = super_node.BY
local start <const> = super_node.start
local start_ready <const> = super_node.start_ready
local pids_of <const> = super_node.pids_of
local wait_for_start <const> = super_node.wait_for_start
local wait_for <const> = super_node.wait_for
local count <const> = super_node.count
local is_there <const> = super_node.is_there
local wait_gone <const> = super_node.wait_gone
local signal <const> = super_node.signal
local place <const> = super_node.place

describe("shutdown", function()
  for _, name in ipairs { "TERM", "INT" } do
    it("is warm on " .. name .. ": workers first, then the agent", function()
      local node = start_ready()
      node:kill(name)
      assert.equal(0, (node:wait(BY)))
      local out = node:stdout()
      local agent = place(out, "agent0 got TERM")
      assert.is_true(place(out, "worker1 got TERM") < agent)
      assert.is_true(place(out, "worker2 got TERM") < agent)
    end)
  end

  it("keeps the agent until the last worker has finished", function()
    local node = start_ready { worker1 = "stubborn" }
    node:kill("TERM")
    wait_for(node, "worker1 got TERM")
    wait_for(node, "worker2 got TERM")
    assert.is_true(is_there(pids_of(node, "agent0")[1]))
    assert.is_nil(node:stdout():find("agent0 got", 1, true))
    node:kill("QUIT")
    assert.equal(0, (node:wait(BY)))
  end)

  it("is cold on a second signal", function()
    local node = start_ready { worker = "stubborn" }
    node:kill("TERM")
    wait_for(node, "worker1 got TERM")
    wait_for(node, "worker2 got TERM")
    node:kill("INT")
    assert.equal(0, (node:wait(BY)))
    assert.equal(2, count(node:stdout(), "got QUIT"))
    assert.matches("cold shutdown", node:stderr())
  end)

  it("is cold at once on QUIT", function()
    local node = start_ready()
    node:kill("QUIT")
    assert.equal(0, (node:wait(BY)))
    assert.equal(2, count(node:stdout(), "got QUIT"))
    assert.equal(1, count(node:stdout(), "got TERM")) -- the agent's
  end)

  it("kills workers that take longer than the timeout, and tells the agent", function()
    local node = start_ready { timeout = 200, worker1 = "deaf,page:inc-5:job-5" }
    node:kill("TERM")
    wait_for(node, "agent0 word dead 0 inc-5 stop 9 0 job-5\n")
    assert.equal(0, (node:wait(BY)))
    assert.matches("worker 1 %(pid %d+%) did not leave in time: killed", node:stderr())
    assert.is_false(is_there(pids_of(node, "worker1")[1]))
  end)

  it("kills workers that do not give their jobs back", function()
    local node = start_ready { workers = 1, worker = "deaf" }
    node:kill("QUIT")
    assert.equal(0, (node:wait(15)))
    assert.matches("worker 1 %(pid %d+%) did not leave in time: killed", node:stderr())
  end)

  it("kills an agent that stays", function()
    local node = start_ready { agent = "stubborn" }
    node:kill("TERM")
    assert.equal(0, (node:wait(15)))
    assert.matches("agent %(pid %d+%) did not leave in time: killed", node:stderr())
  end)

  it("restarts no worker, but an agent, as the lease must be kept", function()
    local node = start_ready { worker1 = "stubborn" }
    node:kill("TERM")
    wait_for(node, "worker2 got TERM")
    wait_for(node, "worker1 got TERM")
    signal(pids_of(node, "agent0")[1], "KILL")
    wait_for_start(node, "agent0", 2)
    signal(pids_of(node, "worker1")[1], "KILL")
    assert.equal(0, (node:wait(BY)))
    assert.equal(1, #pids_of(node, "worker1"))
  end)

  it("starts an agent that is down once more, for its good-bye", function()
    local dir = support.tempdir()
    local node = start { workers = 1, agent = "many:" .. dir .. "/deaths:5,raise:9" }
    node:read_until("crash loop: agent died 5 times", BY)
    node:kill("TERM")
    assert.equal(0, (node:wait(BY)))
    assert.equal(6, #pids_of(node, "agent0"))
    place(node:stdout(), "agent0 got TERM")
  end)

  it("does so once, where it dies again", function()
    local node = start { workers = 1, agent = "raise:9" }
    node:read_until("next try in 0.8 s", BY)
    node:kill("TERM")
    assert.equal(0, (node:wait(BY)))
    assert.is_true(#pids_of(node, "agent0") >= 5)
  end)

  it("can come during the check", function()
    for _, name in ipairs { "TERM", "QUIT" } do
      local node = start { check = "after:60000" }
      local pid = wait_for_start(node, "check0", 1)
      node:kill(name)
      assert.equal(0, (node:wait(BY)))
      assert.is_false(is_there(pid))
      assert.is_nil(node:stdout():find("worker", 1, true))
    end
  end)

  it("can come while children start or are down", function()
    local late = "after:60000"
    local node = start { workers = 3, worker1 = late, worker2 = "exit:1", agent = late }
    node:read_until("next try in 0.4 s", BY)
    node:kill("QUIT")
    assert.equal(0, (node:wait(BY)))
    for _, name in ipairs { "worker1", "worker3", "agent0" } do
      assert.is_false(is_there(pids_of(node, name)[1]))
    end
  end)

  it("by kill -9 takes the children along", function()
    local node = start_ready { workers = 1, worker = "deaf", agent = "deaf" }
    node:kill("KILL")
    node:wait(BY)
    wait_gone(pids_of(node, "worker1")[1])
    wait_gone(pids_of(node, "agent0")[1])
  end)

  it("by kill -9 takes the check along", function()
    local node = start { check = "after:60000" }
    local pid = wait_for_start(node, "check0", 1)
    node:kill("KILL")
    node:wait(BY)
    wait_gone(pid)
  end)
end)

describe("signals", function()
  it("TSTP quiets the workers, also those that start later, and CONT ends it", function()
    local node = start_ready()
    node:kill("TSTP")
    wait_for(node, "worker1 got TSTP")
    wait_for(node, "worker2 got TSTP")
    signal(pids_of(node, "worker1")[1], "KILL")
    wait_for(node, "worker1 begins quiet")
    node:kill("CONT")
    wait_for(node, "worker1 got CONT")
    wait_for(node, "worker2 got CONT")
    assert.is_nil(node:stdout():find("agent0 got", 1, true))
    node:stop(BY)
  end)

  it("TTIN adds a worker, TTOU takes the last one away, down to one", function()
    local node = start_ready { workers = 1 }
    node:kill("TTIN")
    wait_for(node, "worker2 ready")
    node:kill("USR1")
    wait_for(node, "agent0 pages 2\n")
    node:kill("TTOU")
    wait_for(node, "worker2 got TERM")
    wait_gone(pids_of(node, "worker2")[1])
    node:kill("TTOU")
    node:read_until("the last worker stays", BY)
    assert.is_nil(node:stdout():find("worker1 got TERM", 1, true))
    node:kill("TTIN") -- the slot is used again
    wait_for_start(node, "worker2", 2)
    node:stop(BY)
  end)

  it("TTOU kills a worker that does not leave in time", function()
    local node = start_ready { timeout = 100, worker2 = "deaf" }
    node:kill("TTOU")
    node:read_until("did not end in time", BY)
    node:read_until("did not leave in time", BY)
    wait_gone(pids_of(node, "worker2")[1])
    assert.equal(1, #pids_of(node, "worker2"))
    node:stop(BY)
  end)

  it("TTIN stops at 256 workers", function()
    local node = start_ready { workers = 256 }
    node:kill("TTIN")
    node:read_until("no more than 256 workers", BY)
    assert.equal(0, (node:stop(30)))
    assert.equal(256, count(node:stdout(), "got TERM") - 1)
  end)

  it("USR1 dumps the state and is passed on", function()
    local node = start_ready { worker2 = "page:inc-6:job-6" }
    node:kill("USR1")
    for _, name in ipairs { "worker1", "worker2", "agent0" } do
      wait_for(node, name .. " got USR1")
    end
    wait_for(node, "agent0 page 0 ready 1 [] []")
    wait_for(node, "agent0 page 1 ready 1 [inc-6] [job-6]")
    assert.matches("state: running\n", node:stderr())
    assert.matches("state: agent pid %d+ ready\n", node:stderr())
    assert.matches("state: worker 2 pid %d+ ready, running 0, reserved 0", node:stderr())
    node:stop(BY)
  end)

  it("USR1 spares a child that is not ready for it", function()
    local node = start { worker1 = "after:300,ready" }
    wait_for(node, "worker2 ready")
    node:kill("USR1")
    node:read_until("ready: 2 workers", BY)
    assert.equal(1, #pids_of(node, "worker1"))
    node:stop(BY)
  end)

  it("HUP with a terminal is a warm shutdown", function()
    local node = start_ready { terminal = 1 }
    node:kill("HUP")
    assert.equal(0, (node:wait(BY)))
    assert.matches("warm shutdown", node:stderr())
  end)
end)

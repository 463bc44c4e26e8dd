-- Generations: how a reload replaces one by the next, with children that play a script.

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

local dir = support.tempdir()
local flags = 0
local function flag()
  flags = flags + 1
  return ("%s/%d"):format(dir, flags)
end

local function serves(node, number)
  node:read_until(("reload: generation %d serves"):format(number), BY)
end

describe("a new generation", function()
  it("starts in free slots, and the old one drains when all of it is ready", function()
    local node = start_ready { worker4 = "after:200,ready" }
    node:kill("HUP")
    node:read_until("reload: generation 2 serves %(2 workers, 0 tasks%)\n", BY)
    node:read_until("generation 1 has drained\n", BY)
    local out = node:stdout()
    assert.is_true(place(out, "worker3 ready") < place(out, "worker1 got TERM"))
    assert.is_true(place(out, "worker4 ready") < place(out, "worker1 got TERM"))
    assert.matches("worker3 pid %d+ result 0 %[%] generation 2\n", out)
    wait_for(node, "agent0 word generation 2\n")
    assert.equal(1, #pids_of(node, "agent0")) -- it stays
    node:kill("HUP")
    serves(node, 3)
    wait_for_start(node, "worker1", 2) -- the slots are used again
    assert.equal(0, (node:stop(BY)))
    assert.is_nil(node:stdout():find("worker5", 1, true))
  end)

  it("gives the agent what its check has said", function()
    local path = flag()
    local node = start_ready { workers = 1, check = "given:" .. path .. ",write:5000" }
    support.write(path, "")
    node:kill("HUP")
    serves(node, 2)
    signal(pids_of(node, "agent0")[1], "KILL")
    wait_for_start(node, "agent0", 2)
    wait_for(node, "result 5000 [] generation 0")
    node:stop(BY)
  end)

  for what, script in pairs {
    ["leaves with status 2"] = "exit:2", crashes = "raise:11", ["leaves with status 0"] = "exit:0",
  } do
    it("is given up when a worker of it " .. what, function()
      local node = start_ready { worker3 = "once:" .. flag() .. "," .. script }
      node:kill("HUP")
      node:read_until("reload: worker 3 %(pid %d+%) [^\n]+ before it was ready; "
        .. "generation 2 is given up, generation 1 goes on\n", BY)
      node:read_until("generation 2 has drained\n", BY)
      assert.is_nil(node:stdout():find("worker1 got", 1, true))
      local other = pids_of(node, "worker4")[1]
      if other then wait_gone(other) end -- else it left before it said a word
      node:kill("HUP")
      serves(node, 3)
      assert.equal(0, (node:stop(BY)))
    end)
  end

  it("is not begun when the check fails, loops or crashes", function()
    for _, script in ipairs { "exit:6", "loop", "raise:11", "write:17000000" } do
      local path = flag()
      local node = start_ready { check = "given:" .. path .. "," .. script }
      support.write(path, "")
      node:kill("HUP")
      node:read_until("reload: the check has failed; generation 1 goes on\n", BY)
      os.remove(path)
      node:kill("HUP")
      serves(node, 2)
      assert.equal(0, (node:stop(BY)))
    end
  end)

  it("restarts a worker that was ready and died before the others were", function()
    local node = start_ready { worker3 = "ready,once:" .. flag() .. ",raise:9",
      worker4 = "after:500,ready" }
    node:kill("HUP")
    wait_for_start(node, "worker3", 2)
    serves(node, 2)
    assert.equal(0, (node:stop(BY)))
  end)
end)

describe("hang-ups", function()
  it("during a check are remembered, as one", function()
    local path = flag()
    local node = start_ready { workers = 1, check = "given:" .. path .. ",after:300" }
    support.write(path, "")
    node:kill("HUP")
    wait_for_start(node, "check0", 2)
    for _ = 1, 5 do node:kill("HUP") end
    serves(node, 3)
    node:read_until("generation 2 has drained", BY)
    node:kill("USR1")
    wait_for(node, "agent0 got USR1")
    assert.equal(3, #pids_of(node, "check0"))
    assert.equal(0, (node:stop(BY)))
  end)

  it("while workers start are remembered, too", function()
    local node = start_ready { workers = 1, worker2 = "after:300,ready" }
    node:kill("HUP")
    wait_for_start(node, "worker2", 1)
    node:kill("HUP")
    serves(node, 2)
    serves(node, 3)
    assert.equal(0, (node:stop(BY)))
  end)

  it("before the node is ready are remembered, too", function()
    local node = start { workers = 1, check = "after:300" }
    wait_for_start(node, "check0", 1)
    node:kill("HUP")
    serves(node, 2)
    assert.equal(0, (node:stop(BY)))
  end)

  it("wait while four generations drain", function()
    local node = start_ready { workers = 1, worker = "stubborn" }
    for number = 2, 5 do
      node:kill("HUP")
      serves(node, number)
    end
    node:kill("HUP")
    node:kill("HUP")
    node:read_until("reload: it waits, as 4 generations drain already", BY)
    assert.is_nil(node:stderr():find("generation 6", 1, true))
    signal(pids_of(node, "worker1")[1], "KILL")
    node:read_until("generation 1 has drained", BY)
    serves(node, 6)
    for _, name in ipairs { "worker2", "worker3", "worker4" } do
      assert.is_true(is_there(pids_of(node, name)[1]))
    end
    node:kill("QUIT")
    assert.equal(0, (node:wait(BY)))
    assert.is_nil(node:stderr():find("generation 7", 1, true))
  end)
end)

describe("a draining generation", function()
  it("has no deadline, and workers that die are told as such, and not started again", function()
    local node = start_ready {
      workers = 1, timeout = 100, worker1 = "stubborn,page:inc-1:job-1",
    }
    node:kill("HUP")
    serves(node, 2)
    wait_for(node, "worker1 got TERM")
    node:kill("USR1") -- also for those that drain: the log may have been moved
    wait_for(node, "worker1 got USR1")
    assert.matches("state: worker 1 pid %d+ stopping, [^\n]+, generation 1\n", node:stderr())
    signal(pids_of(node, "worker1")[1], "KILL")
    wait_for(node, "agent0 word dead 0 inc-1 signal 9 0 job-1\n")
    node:read_until("generation 1 has drained", BY)
    assert.matches("worker 1 %(pid %d+%) killed by signal 9", node:stderr())
    assert.equal(1, #pids_of(node, "worker1"))
    assert.equal(0, (node:stop(BY)))
  end)

  it("gets the shutdown's timeout when the node stops", function()
    local node = start_ready { workers = 1, timeout = 300, worker1 = "deaf" }
    node:kill("HUP")
    serves(node, 2)
    node:kill("TERM")
    node:read_until("worker 1 %(pid %d+%) did not end in time", BY)
    assert.equal(0, (node:wait(15)))
    assert.is_false(is_there(pids_of(node, "worker1")[1]))
  end)
end)

describe("a reload", function()
  it("can be stopped during its check, and while its workers start", function()
    for _, name in ipairs { "TERM", "INT", "QUIT" } do
      local path = flag()
      local node = start_ready { check = "given:" .. path .. ",after:60000" }
      support.write(path, "")
      node:kill("HUP")
      local check = wait_for_start(node, "check0", 2)
      node:kill(name)
      assert.equal(0, (node:wait(BY)))
      assert.is_false(is_there(check))

      node = start_ready { worker3 = "after:60000" }
      node:kill("HUP")
      wait_for_start(node, "worker4", 1)
      local late = wait_for_start(node, "worker3", 1)
      node:kill(name)
      assert.equal(0, (node:wait(BY)))
      assert.is_false(is_there(late))
      assert.is_false(is_there(pids_of(node, "worker4")[1]))
    end
  end)

  it("brings the configured number of workers back, whatever TTIN and TTOU did", function()
    local node = start_ready { workers = 2 }
    node:kill("TTIN")
    wait_for(node, "worker3 ready")
    node:kill("HUP")
    node:read_until("reload: generation 2 serves %(2 workers", BY)
    node:kill("TTOU") -- of the new generation
    wait_for(node, "worker5 got TERM")
    node:kill("TTOU")
    node:read_until("the last worker stays", BY)
    assert.equal(0, (node:stop(BY)))
  end)

  it("of a quiet node makes quiet workers", function()
    local node = start_ready { workers = 1 }
    node:kill("TSTP")
    node:kill("HUP")
    serves(node, 2)
    place(node:stdout(), "worker2 begins quiet")
    node:kill("CONT")
    wait_for(node, "worker2 got CONT")
    assert.equal(0, (node:stop(BY)))
  end)

  it("starts dead workers of the serving generation with its number", function()
    local node = start_ready { workers = 1 }
    node:kill("HUP")
    serves(node, 2)
    signal(pids_of(node, "worker2")[1], "KILL")
    wait_for_start(node, "worker2", 2)
    assert.equal(2, count(node:stdout(), "result 0 [] generation 2") - 1) -- and the check
    assert.equal(0, (node:stop(BY)))
  end)

  it("of a burst holds it until the old generation is gone", function()
    local node = start_ready { workers = 1, burst = 1, worker1 = "stubborn", worker2 = "hold" }
    node:kill("HUP")
    serves(node, 2)
    wait_for(node, "worker2 hold 1")
    signal(pids_of(node, "worker1")[1], "KILL")
    wait_for(node, "worker2 got CONT")
    wait_for(node, "worker2 hold 0")
    signal(pids_of(node, "worker2")[1], "TERM")
    assert.equal(0, (node:wait(BY)))
  end)
end)

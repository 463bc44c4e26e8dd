-- The supervisor: starts, deaths and bursts of children that play a script.

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

describe("start", function()
  it("runs check, then agent and workers, and says when all are ready", function()
    local node = start_ready { workers = 3, check = "after:50", ready = "queues default" }
    assert.matches("ready: 3 workers, queues default\n", node:stderr())
    local out = node:stdout()
    assert.equal(1, place(out, "check0 pid"))
    for _, name in ipairs { "agent0 ready", "worker1 ready", "worker2 ready", "worker3 ready" } do
      assert.is_true(place(out, name) > 1)
    end
    assert.is_false(is_there(pids_of(node, "check0")[1]))
    assert.equal(0, (node:stop(BY)))
    assert.is_nil(out:find("worker4", 1, true))
  end)

  it("waits for the last one", function()
    local node = start { worker2 = "after:150,ready" }
    node:read_until("ready: 2 workers", BY)
    place(node:stdout(), "worker2 ready")
    assert.matches("ready: 2 workers\n", node:stderr())
    node:stop(BY)
  end)

  it("gives the check child's result to all others", function()
    local node = start_ready { check = "write:1048576" }
    wait_for_start(node, "worker2", 1)
    assert.equal(3, count(node:stdout(), "result 1048576"))
    node:stop(BY)
  end)

  it("says one worker in the singular", function()
    local node = start { workers = 1 }
    node:read_until("ready: 1 worker\n", BY)
    node:stop(BY)
  end)

  it("forks nothing else when the check fails, and exits with its status", function()
    local node = start { check = "exit:6" }
    assert.equal(6, (node:wait(BY)))
    assert.is_nil(node:stdout():match("worker") or node:stdout():match("agent"))
  end)

  it("ends a check that loops", function()
    local node = start { check = "loop" }
    assert.equal(6, (node:wait(BY)))
    assert.matches("loading took more than 1 s", node:stderr())
    assert.is_false(is_there(pids_of(node, "check0")[1]))
  end)

  it("ends a check that waits", function()
    local node = start { check = "after:60000" }
    assert.equal(6, (node:wait(BY)))
    assert.matches("loading took more than 1 s", node:stderr())
  end)

  it("tells a check that crashes from one that takes too long", function()
    local node = start { check = "raise:11" }
    assert.equal(6, (node:wait(BY)))
    assert.matches("check %(pid %d+%) killed by signal 11", node:stderr())
    assert.is_nil(node:stderr():find("took more", 1, true))
  end)

  it("refuses a result over 16 MB", function()
    local node = start { check = "write:17000000" }
    assert.equal(6, (node:wait(BY)))
    assert.matches("over 16 MB", node:stderr())
  end)

  it("refuses a number of workers that it has no pages for", function()
    for _, workers in ipairs { 0, 257 } do
      local node = start { workers = workers }
      assert.equal(2, (node:wait(BY)))
      assert.matches("1 to 256, not " .. workers, node:stderr())
    end
  end)

  it("gives children default signals, few descriptors and a process group", function()
    local node = start_ready { workers = 2, worker = "status", agent = "status" }
    local out = node:stdout()
    assert.equal(3, count(out, "SigBlk 0000000000000000"))
    local ignoring = 0
    for mask in out:gmatch("SigIgn (%x+)") do
      -- TTIN and TTOU; 32 and 33 are the C library's own, and ignored in what make runs
      assert.equal(0x300000, tonumber(mask, 16) & ~0x180000000)
      ignoring = ignoring + 1
    end
    assert.equal(3, ignoring)
    assert.equal(3, count(out, "SigCgt 0000000000000000"))
    assert.equal(2, count(out, "fds +2 group 1")) -- the ready pipe and the snapshot
    place(out, "agent0 fds +3 group 1") -- the ready pipe, the words and the orders
    node:stop(BY)
  end)
end)

describe("a death", function()
  local dir = support.tempdir()
  local flags = 0
  local function flag()
    flags = flags + 1
    return ("%s/%d"):format(dir, flags)
  end

  it("is logged, told to the agent, and the worker restarted on a fresh page", function()
    local node = start_ready {
      worker1 = "page:inc-1:job-7,ready,once:" .. flag() .. ",after:50,raise:11",
    }
    wait_for(node, "agent0 word dead 0 inc-1 signal 11 0 job-7\n")
    wait_for_start(node, "worker1", 2)
    assert.matches("worker 1 %(pid %d+%) killed by signal 11 %(Seg[^\n]*next try in 0.1 s",
      node:stderr())
    assert.equal(2, count(node:stdout(), "worker1 pid"))
    for page in node:stdout():gmatch("worker1 pid %d+ result 0 (%b[])") do
      assert.equal("[]", page)
    end
    assert.equal(1, count(node:stdout(), "worker2 pid"))
    node:stop(BY)
  end)

  it("is told with its exit status, and '-' for no job", function()
    local node = start_ready { worker1 = "page:inc-2:,ready,once:" .. flag() .. ",exit:7" }
    wait_for(node, "agent0 word dead 0 inc-2 exit 7 0 -\n")
    assert.matches("worker 1 %(pid %d+%) exited with status 7", node:stderr())
    node:stop(BY)
  end)

  it("puts nothing into a word that would break it", function()
    local node = start_ready { worker1 = "page:a b:c\nd\127,ready,once:" .. flag() .. ",exit:7" }
    wait_for(node, "agent0 word dead 0 a?b exit 7 0 c?d?\n")
    node:stop(BY)
  end)

  it("before there was an incarnation has no word", function()
    local node = start_ready { worker1 = "once:" .. flag() .. ",exit:7" }
    wait_for_start(node, "worker1", 2)
    assert.is_nil(node:stdout():find("word", 1, true))
    node:stop(BY)
  end)

  it("takes along what the worker started in its process group", function()
    local node = start_ready { worker1 = "ready,once:" .. flag() .. ",spawn,raise:9" }
    wait_for(node, "worker1 spawned")
    wait_gone(tonumber(node:stdout():match("spawned (%d+)")))
    node:stop(BY)
  end)

  it("is followed by longer and longer delays, and called a crash loop", function()
    local node = start { workers = 1, worker = "many:" .. flag() .. ":5,exit:1" }
    node:read_until("ready: 1 worker", BY)
    local delays = {}
    for delay in node:stderr():gmatch("next try in ([%d.]+) s") do delays[#delays + 1] = delay end
    assert.same({ "0.1", "0.2", "0.4", "0.8", "1.6" }, delays)
    assert.equal(1, count(node:stderr(), "crash loop"))
    assert.matches("crash loop: worker 1 died 5 times within 10 s of its start", node:stderr())
    node:stop(BY)
  end)

  it("of the agent: another one is started, and gets the words of meanwhile", function()
    local node = start_ready { worker = "page:inc-3:job-3" }
    signal(pids_of(node, "agent0")[1], "KILL")
    signal(pids_of(node, "worker2")[1], "KILL")
    wait_for(node, "agent0 word dead 1 inc-3 signal 9 0 job-3\n")
    assert.equal(2, #pids_of(node, "agent0"))
    assert.matches("agent %(pid %d+%) killed by signal 9", node:stderr())
    node:stop(BY)
  end)

  for _, status in ipairs { 2, 3 } do
    it("with status " .. status .. " stops the node before it was ready, and not later", function()
      local first = start { worker2 = "after:50,exit:" .. status }
      assert.equal(status, (first:wait(BY)))
      assert.equal(1, #pids_of(first, "worker2"))
      local go = flag()
      local script = ("given:%s,many:%s:3,exit:%d"):format(go, flag(), status)
      local node = start_ready { worker1 = script }
      support.write(go, "")
      signal(pids_of(node, "worker1")[1], "KILL")
      wait_for_start(node, "worker1", 5)
      local _, delays = node:stderr():gsub("exited with status %d; next try in [%d.]+ s", "")
      assert.equal(3, delays)
      assert.equal(1, #pids_of(node, "worker2"))
      assert.equal(0, (node:stop(BY)))
    end)
  end

  it("by its supervisor follows when it does not load in time", function()
    local node = start { load = 300, workers = 1, worker = "once:" .. flag() .. ",loop" }
    node:read_until("ready: 1 worker", BY, "stderr")
    assert.matches("worker 1 %(pid %d+%) is killed: it has not loaded its tasks within 0.3 s",
      node:stderr())
    assert.matches("worker 1 %(pid %d+%) killed by signal 9[^\n]*next try", node:stderr())
    node:stop(BY)
  end)

  it("does not come to one that has loaded, and waits for Redis", function()
    local node = start { load = 300, workers = 1, worker = "loaded,after:1500" }
    node:read_until("ready: 1 worker", BY, "stderr")
    assert.equal(1, #pids_of(node, "worker1"))
    node:stop(BY)
  end)

  it("for a time limit is told of the job that was past it, and of no other", function()
    local script = "page:inc-5:,ready,once:%s,late:job"
    local options = { workers = 8 }
    for i = 1, 8 do options["worker" .. i] = script:format(flag()) end
    local node = start(options)
    for i = 1, 8 do wait_for(node, "agent0 word dead " .. i - 1 .. " inc-5 ") end
    local late = {}
    for i, job in node:stderr():gmatch("worker (%d) %(pid %d+%) is killed: job (job%d) is past") do
      late[i] = job
    end
    local told = 0
    for i, how, job in node:stdout():gmatch("agent0 word dead (%d) inc%-5 (%a+) 9 %d+ (job%d)\n") do
      assert.equal(late[("%d"):format(i + 1)] == job and "limit" or "stop", how)
      told = told + 1
    end
    assert.equal(8, told)
    node:stop(BY)
  end)

  it("is none where a worker left by itself: the next takes its place at once", function()
    local node = start_ready { worker1 = "page:inc-4:,ready,once:" .. flag() .. ",exit:0" }
    wait_for_start(node, "worker1", 2)
    assert.is_nil(node:stderr():find("next try", 1, true))
    assert.is_nil(node:stdout():find("word dead", 1, true))
    node:stop(BY)
  end)
end)

describe("burst", function()
  it("ends when every worker has, then the agent", function()
    local node = start { burst = 1, worker = "ready,exit:0", worker2 = "ready,after:100,exit:0" }
    assert.equal(0, (node:wait(BY)))
    assert.equal(1, #pids_of(node, "worker1"))
    place(node:stdout(), "agent0 got TERM")
  end)

  it("ends also before all were ready", function()
    local node = start { burst = 1, worker = "exit:0", agent = "after:60000" }
    assert.equal(0, (node:wait(BY)))
  end)

  it("starts a worker that died again", function()
    local dir = support.tempdir()
    local node = start {
      burst = 1,
      worker1 = "ready,once:" .. dir .. "/x,raise:9",
      worker2 = "ready,exit:0",
    }
    wait_for_start(node, "worker1", 2)
    assert.is_true(node:alive())
    node:stop(BY)
    assert.equal(1, #pids_of(node, "worker2"))
  end)
end)

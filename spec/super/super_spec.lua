-- The supervisor with scripted children (spec/support/super_probe.c), driven by real signals.

local support = require "spec.support"
local wait_until <const> = support.wait_until

local PROBE <const> = support.build .. "/spec/super_probe"
local BY <const> = 10 -- seconds that anything may take on a loaded machine

-- Starts a node: { option = value, … }; worker = "script" etc.
local function start(options, spawn_options)
  local argv = { PROBE }
  for name, value in pairs(options or {}) do
    argv[#argv + 1] = "--" .. name
    argv[#argv + 1] = tostring(value)
  end
  return support.spawn(argv, spawn_options)
end

local function start_ready(options)
  local node = start(options)
  node:read_until("ready: %d+ worker", BY, "stderr")
  return node
end

-- Pids in the order of their starts: of "worker1", "agent0", "check0".
local function pids_of(node, name)
  local pids = {}
  for pid in ("\n" .. node:stdout()):gmatch("\n" .. name .. " pid (%d+)") do
    pids[#pids + 1] = math.tointeger(tonumber(pid))
  end
  return pids
end

local function wait_for_start(node, name, nth)
  return wait_until(function() return pids_of(node, name)[nth] end, BY, function()
    return ("start %d of %s: %s"):format(nth, name, node:report())
  end)
end

local function wait_for(node, text)
  wait_until(function()
    return (node:stdout() .. node:stderr()):find(text, 1, true)
  end, BY, function() return text .. ": " .. node:report() end)
end

local function count(text, what)
  local _, n = text:gsub((what:gsub("%p", "%%%0")), "")
  return n
end

local function is_there(pid)
  local f = io.open(("/proc/%d/stat"):format(pid), "rb")
  local state = f and f:read("a"):match("%) (%a)")
  if f then f:close() end
  return state ~= nil and state ~= "Z" and state ~= "X"
end

local function wait_gone(pid)
  wait_until(function() return not is_there(pid) end, BY, "the end of process " .. pid)
end

local function signal(pid, name)
  support.native.kill(pid, support.native.signals[name])
end

local function place(text, what)
  return assert(text:find(what, 1, true), what .. " is not in " .. text)
end

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

  it("refuses a result over 1 MB", function()
    local node = start { check = "write:1100000" }
    assert.equal(6, (node:wait(BY)))
    assert.matches("over 1 MB", node:stderr())
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
    assert.equal(3, count(out, "SigIgn 0000000000300000")) -- TTIN and TTOU
    assert.equal(3, count(out, "SigCgt 0000000000000000"))
    assert.equal(2, count(out, "fds +1 group 1")) -- the ready pipe
    place(out, "agent0 fds +2 group 1") -- and the words
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
    wait_for(node, "agent0 word dead 0 inc-1 signal 11 job-7\n")
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
    wait_for(node, "agent0 word dead 0 inc-2 exit 7 -\n")
    assert.matches("worker 1 %(pid %d+%) exited with status 7", node:stderr())
    node:stop(BY)
  end)

  it("puts nothing into a word that would break it", function()
    local node = start_ready { worker1 = "page:a b:c\nd\127,ready,once:" .. flag() .. ",exit:7" }
    wait_for(node, "agent0 word dead 0 a?b exit 7 c?d?\n")
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
    wait_for(node, "agent0 word dead 1 inc-3 signal 9 job-3\n")
    assert.equal(2, #pids_of(node, "agent0"))
    assert.matches("agent %(pid %d+%) killed by signal 9", node:stderr())
    node:stop(BY)
  end)

  it("with status 2 stops the node", function()
    local node = start { worker2 = "after:50,exit:2" }
    assert.equal(2, (node:wait(BY)))
    assert.equal(1, #pids_of(node, "worker2"))
  end)

  it("with status 3 stops the node before it was ready, and not later", function()
    assert.equal(3, (start { agent = "exit:3" }:wait(BY)))
    local node = start_ready { worker1 = "ready,after:100,once:" .. flag() .. ",exit:3" }
    wait_for_start(node, "worker1", 2)
    assert.equal(0, (node:stop(BY)))
  end)

  it("is none where a worker left by itself: the next takes its place at once", function()
    local node = start_ready { worker1 = "page:inc-4:,ready,once:" .. flag() .. ",exit:0" }
    wait_for_start(node, "worker1", 2)
    assert.is_nil(node:stderr():find("next try", 1, true))
    assert.is_nil(node:stdout():find("word", 1, true))
    node:stop(BY)
  end)
end)

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
    wait_for(node, "agent0 word dead 0 inc-5 signal 9 job-5\n")
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
    wait_for_start(node, "worker1", 2)
    wait_until(function()
      return count(node:stdout(), "worker1 got TSTP") == 2
    end, BY, "quiet again")
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
    local node = start_ready { timeout = 100, worker2 = "stubborn" }
    node:kill("TTOU")
    wait_gone(pids_of(node, "worker2")[1])
    node:read_until("did not leave in time", BY)
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

  it("HUP without a terminal says that there is no reload yet", function()
    local node = start_ready()
    node:kill("HUP")
    node:read_until("reloading is not built yet", BY)
    assert.equal(0, (node:stop(BY)))
  end)

  it("HUP with a terminal is a warm shutdown", function()
    local node = start_ready { terminal = 1 }
    node:kill("HUP")
    assert.equal(0, (node:wait(BY)))
    assert.matches("warm shutdown", node:stderr())
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

describe("the pidfile", function()
  it("holds the pid and goes at the end", function()
    local path = support.tempdir() .. "/pid"
    local node = start_ready { pidfile = path }
    assert.equal(node.pid .. "\n", support.read(path))
    node:stop(BY)
    assert.is_nil(io.open(path))
  end)

  it("keeps a second supervisor out, and a stale one does not", function()
    local dir = support.tempdir()
    local path = dir .. "/pid"
    local first = start_ready { pidfile = path }
    local second = start { pidfile = path }
    assert.equal(2, (second:wait(BY)))
    place(second:stderr(), ("process %d runs with the pidfile %s already"):format(first.pid, path))
    first:kill("KILL")
    first:wait(BY)
    assert.equal(first.pid .. "\n", support.read(path))
    local third = start_ready { pidfile = path }
    assert.equal(third.pid .. "\n", support.read(path))
    third:stop(BY)
    for name in require("lfs").dir(dir) do assert.matches("^%.+$", name) end
  end)

  it("goes when the check fails too", function()
    local path = support.tempdir() .. "/pid"
    assert.equal(6, (start { pidfile = path, check = "exit:6" }:wait(BY)))
    assert.is_nil(io.open(path))
  end)

  it("that cannot be written is an error", function()
    local node = start { pidfile = "/nowhere/pid" }
    assert.equal(2, (node:wait(BY)))
    place(node:stderr(), "cannot write the pidfile /nowhere/pid: No such file or directory")
  end)
end)

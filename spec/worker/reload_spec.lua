local site = require "spec.support.site"
local support = require "spec.support"

-- Reloads of a real node: new code, broken code, changed options, snapshots, jobs that run.

local BY <const> = 20

local PRELUDE <const> = site.NOTE .. [[
moil.task("hold", function(gate)
  note("start", gate)
  while not io.open(gate) do moil.sleep(0.01) end
  return VERSION
end)
moil.task("pid", function()
  local f = io.open("/proc/self/stat")
  local pid = math.tointeger(f:read("a"):match("%d+"))
  f:close()
  return pid
end)
moil.task("version", function() return VERSION end)
moil.task("count", function(n) note("ran", n) return VERSION end)
]]

local function tasks(version)
  return ("local VERSION <const> = %q\n"):format(version) .. PRELUDE
end

local function open(options)
  local here = site.open {
    tasks = tasks "one",
    idle = true,
  }
  if options and options.config then support.write(here.dir .. "/moil.lua", options.config) end
  here.node = here:worker(options and options.args or { "-w", "2" })
  return here
end

local function write(here, version) support.write(here.tasks, tasks(version)) end

-- HUP, then the line of the log that tells how it ended.
local function reload(here, pattern)
  here.node:kill("HUP")
  here.node:read_until(pattern or "reload: generation %d+ serves", BY)
end

local function gate(here, name) support.write(here.dir .. "/" .. name, "") end

local function wait_for_note(here, text)
  support.wait_until(function()
    for _, line in ipairs(here:notes()) do if line == text then return true end end
  end, BY, text)
end

local function fds(pid)
  local p = assert(io.popen("ls /proc/" .. pid .. "/fd 2>/dev/null | wc -l"))
  local n = p:read "n"
  p:close()
  return n
end

-- The pids of workers by the supervisor's dump: { [pid] = generation }.
local function workers(here)
  local from = #here.node:stderr()
  here.node:kill("USR1")
  local found
  support.wait_until(function()
    local dump = here.node:stderr():sub(from + 1)
    if not dump:find("state: agent pid %d+") then return false end
    found = {}
    for pid, generation in dump:gmatch("state: worker %d+ pid (%d+) [^\n]-generation (%d+)\n") do
      found[tonumber(pid)] = tonumber(generation)
    end
    return next(found) ~= nil and dump:sub(-1) == "\n"
  end, BY, "a dump of the node's state")
  return found
end

describe("a reload", function()
  it("takes new code, and the old one finishes what it runs", function()
    local here = open()
    local running = here.moil.send("hold", { "gate" })
    wait_for_note(here, "start gate")
    write(here, "two")
    reload(here, "reload: generation 2 serves %(2 workers, 4 tasks%)\n")
    assert.equal("two", here:call("version"))
    assert.equal("STARTED", here:wait_state(running.id, "STARTED").state)
    support.wait_until(function()
      local moil = support.start_moil { "inspect", "nodes", redis = here.url }
      moil:wait(BY)
      return moil:stdout():find("GENERATION") and moil:stdout():find("2 (2), 1 (1)", 1, true)
    end, BY, "both generations in `inspect nodes`")
    gate(here, "gate")
    assert.equal("one", running:get { timeout = BY })
    here.node:read_until("generation 1 has drained", BY)
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("keeps the old code when the new is broken, and says where", function()
    local here = open()
    support.write(here.tasks, "local x = 1\nlocal = 2\n")
    reload(here, "reload: the check has failed; generation 1 goes on")
    assert.matches("tasks.lua:2: <name> expected near '='", here.node:stderr())
    assert.equal("one", here:call("version"))
    write(here, "three")
    reload(here, "reload: generation 2 serves")
    assert.equal("three", here:call("version"))
    here.node:stop(BY)
  end)

  it("keeps the old code when loading never ends", function()
    local here = open()
    support.write(here.tasks, "while true do end")
    reload(here, "generation 1 goes on")
    assert.matches("loading took more than 1 s: [^\n]*tasks.lua waits or loops", here.node:stderr())
    assert.equal("one", here:call("version"))
    here.node:stop(BY)
  end)

  it("to files without a task warns", function()
    local here = open()
    support.write(here.tasks, "local x = 1\n")
    reload(here, "reload: generation 2 serves")
    assert.matches("no task is registered there", here.node:stderr())
    here.node:stop(BY)
  end)

  it("loses and repeats none of the jobs that a feeder enqueues meanwhile", function()
    local here = open { args = { "-w", "2", "-c", "8" } }
    local total, results = 3000, {}
    for i = 1, total do
      results[i] = here.moil.send("count", { i })
      if i % 500 == 0 then
        write(here, "v" .. i)
        here.node:kill("HUP")
      end
    end
    for i = 1, total do assert.is_string(results[i]:get { timeout = BY }) end
    here.node:read_until("generation %d+ has drained", BY)
    local seen, twice = {}, 0
    for _, line in ipairs(here:notes()) do
      twice = twice + (seen[line] and 1 or 0)
      seen[line] = true
    end
    assert.equal(0, twice)
    for i = 1, total do assert.is_true(seen["ran " .. i], "job " .. i) end
    assert.same({}, site.log_lines(here.node, " error "))
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("ends in the newest code after a storm of hang-ups", function()
    local here = open()
    for i = 1, 20 do
      write(here, "storm" .. i)
      here.node:kill("HUP")
    end
    support.wait_until(function()
      return here:call("version") == "storm20"
    end, BY, "the newest code")
    -- the first worker of a generation serves before all of them do
    here.node:read_until("reload: generation %d+ serves", BY)
    assert.equal(0, (here.node:stop(BY)))
    local _, served = here.node:stderr():gsub("reload: generation %d+ serves", "")
    assert.is_true(served >= 1 and served <= 20)
  end)

  it("starts a worker that died from the snapshot, though its files are broken by now", function()
    local here = open { args = { "-w", "1" } }
    support.write(here.tasks, "this is no Lua")
    local before = here:call("pid")
    support.native.kill(before, support.native.signals.KILL)
    here.node:read_until("killed by signal 9", BY)
    assert.not_equal(before, here:call("pid"))
    assert.equal("one", here:call("version"))
    assert(os.remove(here.tasks))
    support.native.kill(here:call("pid"), support.native.signals.KILL)
    assert.equal("one", here:call("version"))
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("takes up a changed config file, and warns of what cannot change", function()
    local here = open {
      args = {},
      config = "return { workers = 1, concurrency = 2, name = 'a', log_level = 'info' }",
    }
    support.write(here.dir .. "/moil.lua", [[return {
      workers = 3, concurrency = 5, name = "b", queues = "extra,default", log_level = "debug",
      routes = { ["version"] = "extra" },
    }]])
    reload(here, "reload: generation 2 serves %(3 workers")
    assert.matches("reload: %-%-name has changed, but stays what it was until a restart",
      here.node:stderr())
    support.wait_until(function()
      local report = here:nodes()[1]
      return report.generation == 2 and #report.workers == 3 and report
    end, BY, "the report of generation 2")
    local report = here:nodes()[1]
    assert.equal("a", report.node)
    assert.equal(5, report.concurrency)
    assert.same({ "extra", "default" }, report.queues)
    for _, worker in ipairs(report.workers) do assert.equal(2, worker.generation) end
    assert.equal("one", here.moil.send("version", {}, { queue = "extra" }):get { timeout = BY })
    reload(here, "debug worker %d+ is ready")
    support.write(here.dir .. "/moil.lua", "return { wrokers = 3 }")
    reload(here, "generation %d goes on")
    assert.matches("moil.lua: .*wrokers", here.node:stderr())
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("leaves flags before the config file, as at the start", function()
    local here = open { args = { "-w", "2" }, config = "return { workers = 1 }" }
    support.write(here.dir .. "/moil.lua", "return { workers = 4, concurrency = 3 }")
    reload(here, "reload: generation 2 serves %(2 workers")
    here.node:stop(BY)
  end)

  it("can be stopped at any stage", function()
    for i = 1, 6 do
      local here = open()
      write(here, "two")
      here.node:kill("HUP")
      if i > 1 then here.node:read_until(i > 3 and "serves" or "", BY) end
      here.node:kill(i % 2 == 0 and "TERM" or "QUIT")
      assert.equal(0, (here.node:wait(BY)))
    end
  end)

  it("leaves nothing behind: descriptors, processes, generations", function()
    local here = open()
    here:call("version")
    local of_first = fds(here:call("pid"))
    reload(here)
    here.node:read_until("generation 1 has drained", BY)
    local before = fds(here.node.pid)
    for n = 3, 32 do
      reload(here, ("reload: generation %d serves"):format(n))
      here.node:read_until(("generation %d has drained"):format(n - 1), BY)
    end
    assert.equal(before, fds(here.node.pid))
    local count, worker = 0, nil
    for pid, generation in pairs(workers(here)) do
      assert.equal(32, generation)
      count, worker = count + 1, pid
    end
    assert.equal(2, count)
    support.wait_until(function() -- connections are being made
      return fds(worker) == of_first
    end, BY, function() return ("%d descriptors, not %d"):format(fds(worker), of_first) end)
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("gives back what a killed worker of a draining generation ran, and does not replace it",
    function()
    local here = open { args = { "-w", "1", "-c", "2" } }
    local held = here.moil.send("hold", { "gate" })
    wait_for_note(here, "start gate")
    local old = here:call("pid")
    write(here, "two")
    reload(here)
    support.native.kill(old, support.native.signals.KILL)
    here.node:read_until("generation 1 has drained", BY)
    gate(here, "gate")
    assert.equal("two", held:get { timeout = BY })
    local count = 0
    for _, generation in pairs(workers(here)) do
      assert.equal(2, generation)
      count = count + 1
    end
    assert.equal(1, count)
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("holds while the node is quiet", function()
    local here = open()
    here.node:kill("TSTP")
    here.node:read_until("quiet", BY)
    write(here, "two")
    reload(here)
    here.node:read_until("generation 1 has drained", BY)
    local result = here.moil.send("version")
    site.wait_worker(here.node, "quiet, 0 running")
    assert.equal("PENDING", result:state())
    here.node:kill("CONT")
    assert.equal("two", result:get { timeout = BY })
    assert.equal(0, (here.node:stop(BY)))
  end)

  it("of a burst does all of its jobs, too", function()
    local here = open { args = { "-w", "1", "-c", "4", "--burst", unready = true } }
    here.node:wait(BY) -- there was nothing to do
    local results = {}
    for i = 1, 4 do results[i] = here.moil.send("hold", { "gate" .. i }) end
    for i = 5, 50 do results[i] = here.moil.send("version") end
    here.node = here:worker { "-w", "1", "-c", "4", "--burst" }
    for i = 1, 4 do wait_for_note(here, "start gate" .. i) end
    write(here, "two")
    reload(here)
    for i = 1, 4 do gate(here, "gate" .. i) end
    assert.equal(0, (here.node:wait(BY)))
    for i = 1, 50 do assert.equal("SUCCESS", results[i]:state()) end
  end)
end)

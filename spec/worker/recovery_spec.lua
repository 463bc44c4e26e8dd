local site = require "spec.support.site"
local support = require "spec.support"

-- A worker process that dies: its jobs run again at once; the one that kills its worker each time
-- is buried.

local TASKS <const> = site.NOTE .. [[
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
moil.task("nap", function(s) moil.sleep(s) return "slept" end)
moil.task("kill", function()
  os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
  moil.sleep(5)
end)
local function die(self)
  note("ran", self.task, self.deliveries)
  os.execute("kill -9 $PPID; sleep 10")
end
moil.task("once", { max_deliveries = 1, bind = true,
  on_failure = function(self) note("hook", self.task, self.deliveries) end }, die)
moil.task("four", { max_deliveries = 4, bind = true }, die)
moil.task("kill_on_cpu", function()
  os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
  while true do end
end)
moil.task("hold_once", function() -- on the CPU without a pause: in a call that does not return
  if io.open("pid") then return "done" end
  os.execute("mkfifo fifo")
  local f = io.open("pid", "w")
  f:write((io.open("/proc/self/stat"):read("n")), "\n")
  f:close()
  io.open("fifo")
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
    assert.matches('"deliveries":3', out.stdout)
    assert.equal("number", type(here:call("pid"))) -- and the worker goes on
  end)
end)

describe("a job that kills its worker", function()
  -- Enough workers that none has to wait before it starts again.
  local here
  setup(function() here = site.open { tasks = TASKS, args = { "-w", "6" } } end)

  it("loses it after as many as its task allows, though the sender knows no tasks", function()
    local ran = {}
    for task, state in pairs { once = "FAILURE", four = "FAILURE" } do
      local out = support.moil { "call", task, redis = here.redis }
      assert.equal(0, out.code, out.stderr)
      here:wait_state(out.stdout:match "%S+", state, 30)
    end
    for _, line in ipairs(here:notes()) do ran[line] = (ran[line] or 0) + 1 end
    assert.same({
      ["ran once 1"] = 1, ["hook once 1"] = 1,
      ["ran four 1"] = 1, ["ran four 2"] = 1, ["ran four 3"] = 1, ["ran four 4"] = 1,
    }, ran)
    local out = support.moil { "inspect", "dead", "--json", redis = here.redis }
    for task, deliveries in pairs { once = "1", four = "4" } do
      local line = out.stdout:match('[^\n]*"task":"' .. task .. '"[^\n]*')
      assert.equal(deliveries, line:match('"deliveries":(%d+)'))
      assert.matches("WorkerLost", line)
    end
  end)
end)

-- The agent stands still between Redis's answer about its workers and its look at their pages; the
-- worker dies meanwhile, and its page is given to the next one.
describe("a worker that dies while its agent looks for dead ones", function()
  it("has its job charged with the crash, once", function()
    local here = site.open { tasks = TASKS, idle = true }
    local mark <const>, pid <const> = here.dir .. "/mark", here.dir .. "/pid"
    local node = support.start_moil {
      program = support.build .. "/crash/moil", redis = here.url, cwd = here.dir,
      env = { MOIL_CRASH_AT = "agent.looking:2:stop", MOIL_CRASH_MARK = mark },
      "worker", here.tasks, "-w", "1", "--lease", "12",
    }
    node:read_until("ready", 15)
    local function number_in(name)
      return support.wait_until(function()
        local f <close> = io.open(name)
        return f and f:read("n")
      end, 20, name)
    end
    local job = here.moil.send("hold_once", {})
    local worker <const>, agent <const> = number_in(pid), number_in(mark)
    support.native.kill(worker, support.native.signals.KILL)
    support.wait_until(function() return here.redis:call("HLEN", "{moil}:workers") == 2 end, 15,
      "another worker")
    support.native.kill(agent, support.native.signals.CONT)
    assert.equal("done", job:get { timeout = 20 })
    local record = here.redis:call("HGET", "{moil}:jobs", job.id)
    assert.equal("2", record:match("^R1 SUCCESS %S+ %d+ %d+ (%d+)"))
    node:stop()
  end)
end)

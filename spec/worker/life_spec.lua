local site = require "spec.support.site"
local support = require "spec.support"

-- A worker's life: burst, quiet, warm and cold shutdown, crashes of its processes, its log.

local TASKS <const> = site.NOTE .. [[
moil.task("quick", function(x) return x end)
moil.task("chain", function(n)
  if n > 0 then moil.send("chain", { n - 1 }, moil.current().headers.route) end
  return n
end)
moil.task("fan", function(n)
  for i = 1, n do moil.send("quick", { i }, { queue = moil.current().queue }) end
end)
moil.task("hold", { bind = true, after_return = function(self) note("after", self.id) end },
  function(self, gate)
    note("start", gate, self.id)
    local mark <close> = setmetatable({}, { __close = function() note("closed", self.id) end })
    while not io.open(gate) do moil.sleep(0.01) end
    return "held"
  end)
moil.task("order", function(i) note("order", i) end)
moil.task("pid", function()
  local f = io.open("/proc/self/stat")
  local pid = math.tointeger(f:read("a"):match("%d+"))
  f:close()
  return pid
end)
moil.task("secretive", { bind = true }, function(self) self.log.info("hello") error("sorry") end)
]]

local here, moil

setup(function()
  here = site.open { tasks = TASKS, idle = true }
  moil = here.moil
end)

local function burst(queue, args)
  local node = here:worker { "--burst", "-q", queue, unready = true, table.unpack(args) }
  return node, node:wait(20)
end

describe("--burst", function()
  it("ends at once when there is nothing", function()
    local _, code = burst("b.empty", { "-w", "2" })
    assert.equal(0, code)
  end)

  it("does also what its own jobs enqueue", function()
    local options = { queue = "b.chain", headers = { route = { queue = "b.chain" } } }
    local first = moil.send("chain", { 0 }, options)
    local _, code = burst("b.chain", { "-w", "1", "-c", "1" })
    assert.equal(0, code)
    assert.equal("SUCCESS", first:state())
    for slots = 1, 3 do
      local queue = "b.fan" .. slots
      for _ = 1, 30 do moil.send("fan", { 20 }, { queue = queue }) end
      _, code = burst(queue, { "-w", "1", "-c", tostring(slots) })
      assert.equal(0, code)
      assert.equal(0, here.redis:call("LLEN", "{moil}:queue:" .. queue .. ":5"))
      assert.equal(0, here.redis:call("EXISTS", "{moil}:workers"))
    end
  end)

  it("does not await delayed jobs", function()
    local later = moil.send("quick", { 1 }, { queue = "b.later", countdown = 60 })
    local _, code = burst("b.later", { "-w", "1" })
    assert.equal(0, code)
    assert.equal("SCHEDULED", later:state())
    later:delete()
  end)
end)

describe("quiet (TSTP)", function()
  it("takes nothing new, ends what it has, and goes on after CONT", function()
    local node = here:worker { "-w", "1", "-q", "q" }
    local running = moil.send("hold", { "quiet-gate" }, { queue = "q" })
    here:wait_state(running.id, "STARTED")
    node:kill("TSTP")
    node:read_until("quiet", 5)
    site.wait_worker(node, "quiet, %d+ running")
    local waiting = moil.send("quick", { 5 }, { queue = "q" })
    support.write(here.dir .. "/quiet-gate", "")
    assert.equal("held", running:get { timeout = 5 })
    assert.equal("PENDING", waiting:state())
    node:kill("CONT")
    assert.equal(5, waiting:get { timeout = 3 })
    node:stop()
  end)

  it("stays quiet when it has to register anew", function()
    local other = site.open { tasks = TASKS, args = { "-w", "1" } }
    finally(function() moil.connect(here.url) end)
    local running = moil.send("hold", { "fence-gate" })
    other:wait_state(running.id, "STARTED")
    other.node:kill("TSTP")
    site.wait_worker(other.node, "quiet, %d+ running")
    other.redis:call("FLUSHALL")
    support.write(other.dir .. "/fence-gate", "")
    support.wait_until(function() return other.redis:call("EXISTS", "{moil}:workers") == 1 end, 12,
      "it registers anew")
    local waiting = moil.send("quick", { 2 })
    site.wait_worker(other.node, "quiet, %d+ running")
    assert.equal("PENDING", waiting:state())
    other.node:kill("CONT")
    assert.equal(2, waiting:get { timeout = 5 })
    other.node:stop()
  end)
end)

describe("a warm shutdown (TERM)", function()
  it("ends what runs, and gives back in order what was reserved", function()
    local node = here:worker { "-w", "1", "-c", "2", "-q", "warm" }
    moil.send("quick", { 1 }, { queue = "warm" }):get { timeout = 5 }
    local running = moil.send("hold", { "warm-gate" }, { queue = "warm" })
    here:wait_state(running.id, "STARTED")
    local held = moil.send("hold", { "warm-gate" }, { queue = "warm" })
    here:wait_state(held.id, "STARTED")
    for i = 1, 20 do moil.send("order", { i }, { queue = "warm" }) end
    node:kill("TERM")
    node:read_until("shut", 5)
    support.write(here.dir .. "/warm-gate", "")
    assert.equal(0, node:wait(10))
    assert.equal("SUCCESS", running:state())
    assert.equal("SUCCESS", held:state())
    assert.equal(20, here.redis:call("LLEN", "{moil}:queue:warm:5"))
    local _, code = burst("warm", { "-w", "1", "-c", "1" })
    assert.equal(0, code)
    local order = {}
    for _, line in ipairs(here:notes()) do order[#order + 1] = line:match("^order (%d+)") end
    for i = 1, 20 do assert.equal(tostring(i), order[i]) end
  end)

  it("with a thousand reserved keeps their order", function()
    local calls = {}
    for i = 1, 3000 do calls[i] = moil.signature("order", { 1000 + i }, { queue = "kilo" }) end
    moil.enqueue_many(calls)
    local node = here:worker { "-w", "1", "-c", "1", "-q", "kilo", unready = true }
    support.wait_until(function() return #here:notes() > 100 end, 10, "it works")
    node:kill("TERM")
    assert.equal(0, node:wait(10))
    local _, code = burst("kilo", { "-w", "1", "-c", "1" })
    assert.equal(0, code)
    local last = 1000
    for _, line in ipairs(here:notes()) do
      local i = math.tointeger(line:match("^order (%d%d%d%d+)"))
      if i then
        assert.equal(last + 1, i)
        last = i
      end
    end
    assert.equal(4000, last)
  end)

  it("leaves no trace of its workers in Redis", function()
    support.wait_until(function()
      return here.redis:call("EXISTS", "{moil}:workers", "{moil}:nodes", "{moil}:running") == 0
    end, 5, "nothing is left")
  end)
end)

describe("a cold shutdown", function()
  for name, signals in pairs { ["TERM twice"] = { "TERM", "TERM" }, QUIT = { "QUIT" } } do
    it("by " .. name .. " gives running jobs back", function()
      local queue = "cold" .. #signals
      local node = here:worker { "-w", "2", "-c", "4", "-q", queue }
      local jobs = {}
      for i = 1, 6 do jobs[i] = moil.send("hold", { "never" }, { queue = queue }) end
      support.wait_until(function()
        local text = table.concat(here:notes(), "\n")
        for _, r in ipairs(jobs) do
          if not text:find("start never " .. r.id, 1, true) then return false end
        end
        return true
      end, 10, "all run")
      for _, signal in ipairs(signals) do
        node:kill(signal)
        if #signals > 1 then node:read_until("shut", 5) end
      end
      assert.equal(0, node:wait(10))
      for _, r in ipairs(jobs) do
        local info = r:info()
        assert.same({ "PENDING", 0, 0 }, { info.state, info.retries, info.deliveries })
      end
      local closed = 0
      for _, line in ipairs(here:notes()) do
        for _, r in ipairs(jobs) do
          if line == "closed " .. r.id then closed = closed + 1 end
          assert.not_equal("after " .. r.id, line)
        end
      end
      assert.equal(6, closed)
      assert.equal(0, support.moil({ "purge", queue, redis = here.redis }).code)
    end)
  end
end)

describe("a process that dies", function()
  it("is started again: a worker, and the agent", function()
    local node = here:worker { "-w", "1", "-q", "die" }
    local route = { queue = "die" }
    local pid = moil.send("pid", {}, route):get { timeout = 5 }
    support.native.kill(pid, support.native.signals.KILL)
    local other = moil.send("pid", {}, route):get { timeout = 10 }
    assert.not_equal(pid, other)
    local agent = site.pids(node).agent
    local delayed = moil.send("quick", { 3 }, { queue = "die", countdown = 1 })
    support.native.kill(agent, support.native.signals.KILL)
    assert.equal(3, delayed:get { timeout = 10 })
    assert.not_equal(agent, site.pids(node).agent)
    assert.equal(2, #site.log_lines(node, "killed by signal 9"))
    node:stop()
  end)
end)

describe("a worker that cannot load any more", function()
  it("is tried again, while the others serve", function()
    local tasks = 'assert(io.open("res")):close()\n'
      .. 'require("moil").task("ping", { queue = "res" }, function() return "pong" end)'
    local own = site.open { redis = here.redis, tasks = tasks, idle = true }
    support.write(own.dir .. "/res", "")
    local node = own:worker { "-w", "3" }
    local pid = site.pids(node)["worker 2"]
    os.remove(own.dir .. "/res")
    support.native.kill(pid, support.native.signals.KILL)
    support.wait_until(function()
      return #site.log_lines(node, "worker 2 (pid") >= 3
    end, 20, function() return node:report() end)
    assert.matches("error worker 2 %(pid %d+%) exited with status 2; next try in 0.2 s",
      node:stderr())
    assert.equal("pong", moil.send("ping", {}, { queue = "res" }):get { timeout = 15 })
    support.write(own.dir .. "/res", "")
    support.wait_until(function()
      node:kill("USR1")
      return node:stderr():find("worker 2 pid %d+ ready")
    end, 20, function() return node:report() end)
    assert.equal(0, node:stop())
  end)

  it("for want of memory is tried again at the start, too", function()
    if os.getenv("SANITIZER") then return end -- it wants more addresses than ulimit leaves
    local own = site.open { redis = here.redis, idle = true, tasks = [[
      local f = io.open("loads", "a+")
      f:write("x")
      local n = f:seek("end")
      f:close()
      if n == 2 then
        local s = ("x"):rep(1 << 24)
        load("local s = ... return s" .. ("..s"):rep(150))(s)
      end
    ]] }
    local command = ("ulimit -v 2000000 && exec %s worker -w 1 tasks.lua"):format(support.binary)
    local node = support.spawn({ "sh", "-c", command },
      { cwd = own.dir, env = { MOIL_REDIS = own.url } })
    node:read_until("ready", 15, "stderr")
    assert.matches("not enough memory", node:stderr())
    assert.matches("worker 1 %(pid %d+%) exited with status 71; next try in 0.1 s", node:stderr())
    assert.equal(0, node:stop())
  end)
end)

describe("USR1", function()
  it("tells the state of every process", function()
    local node = here:worker { "-w", "2", "-q", "usr1" }
    node:kill("USR1")
    node:read_until("worker 1 pid %d+ ready", 5)
    node:read_until("serving, %d+ running", 5)
    node:stop()
  end)

  it("opens the log anew", function()
    local log = here.dir .. "/the.log"
    local node = here:worker { "-w", "1", "-q", "rotate", "--log-file", log, unready = true }
    local function wait_for(text)
      support.wait_until(function()
        local f = io.open(log)
        local found = f and f:read("a"):find(text, 1, true)
        if f then f:close() end
        return found
      end, 10, text)
    end
    wait_for("ready")
    os.rename(log, log .. ".1")
    node:kill("USR1")
    wait_for("state: running")
    wait_for("serving")
    node:stop()
  end)
end)

describe("the log", function()
  it("has the job's id on each of its lines, as text and as JSON", function()
    for _, format in ipairs { "text", "json" } do
      local queue = "log." .. format
      local node = here:worker { "-w", "1", "-q", queue, "--log-format", format }
      local r = moil.send("secretive", {}, { queue = queue })
      r:get { timeout = 5, propagate = false }
      node:stop()
      local lines = site.log_lines(node, r.id)
      assert.equal(2, #lines)
      if format == "json" then
        for line in node:stderr():gmatch("[^\n]+") do support.json_decode(line) end
        local line = support.json_decode(lines[2])
        assert.same({ "error", "secretive", r.id }, { line.level, line.task, line.id })
        assert.matches("sorry", line.fields.message)
      end
    end
  end)

  it("may be full", function()
    local command = ("exec %s worker -w 1 -q full tasks.lua 2>/dev/full"):format(support.binary)
    local node = support.spawn({ "sh", "-c", command },
      { cwd = here.dir, env = { MOIL_REDIS = here.url } })
    local r = moil.send("secretive", {}, { queue = "full" })
    local _, err = r:get { timeout = 10, propagate = false }
    assert.matches("sorry", err.message)
    assert.equal(0, node:stop())
    node = here:worker { "-w", "1", "-q", "full", "--log-file", "/dev/full", unready = true }
    r = moil.send("secretive", {}, { queue = "full" })
    _, err = r:get { timeout = 10, propagate = false }
    assert.matches("sorry", err.message)
    assert.matches("the log cannot be written %(No space left on device%)", node:stderr())
    assert.equal(0, node:stop())
  end)
end)

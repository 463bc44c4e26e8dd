local site = require "spec.support.site"
local support = require "spec.support"

-- Memory limits in a real worker: the job at fault ends, its neighbours and its process go on.

local TASKS <const> = site.NOTE .. [[
local function eat() local t = {} for i = 1, 1e9 do t[#t + 1] = { i } end end
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
moil.task("rss", function()
  return math.tointeger(io.open("/proc/self/status"):read("a"):match("VmHWM:%s+(%d+)")) // 1024
end)
moil.task("add", function(x, y) return x + y end)
moil.task("eat", { memory_limit = 100 }, eat)
moil.task("eat_caught", { memory_limit = 32 }, function() while true do pcall(eat) end end)
moil.task("eat_inside", { memory_limit = 32 }, function()
  coroutine.wrap(function() while true do pcall(eat) end end)()
end)
moil.task("rep", { memory_limit = 32 }, function() return #string.rep("x", 1e9) end)
moil.task("by_default", eat)
moil.task("no_limit", { memory_limit = false }, function() return #string.rep("x", 1e8) end)
moil.task("hooked", {
  bind = true, memory_limit = 16,
  on_failure = function(self, err) note(self.id, err.code) end,
  retry = moil.retry.fixed { max = 1, delay = 0 },
}, function(self) note(self.id, "run") eat() end)
moil.task("hold", { bind = true, memory_limit = false }, function(self, mb)
  local t = {}
  for i = 1, mb do t[i] = ("x"):rep(2^20) .. i end
  note(self.id, "holds")
  moil.sleep(60)
end)
moil.task("grow", { memory_limit = false }, function(mb)
  repeat moil.sleep(0.02) until io.open("grow")
  local t = {}
  for i = 1, mb do t[i] = ("x"):rep(2^20) .. i end
  return #t
end)
local function heavy()
  local t, s = {}, ("x"):rep(1e7)
  for i = 1, 100 do t[i] = s end
  return t
end
moil.task("heavy.result", { memory_limit = 20 }, heavy)
moil.task("heavy.arguments", { memory_limit = 20 }, function() moil.send("add", heavy()) end)
moil.task("heavy.kwargs", { memory_limit = 20 }, function()
  moil.send("add", {}, { kwargs = { t = heavy() } })
end)
moil.task("heavy.meta", { memory_limit = 20, bind = true }, function(self)
  self:update_state("HEAVY", heavy())
end)
moil.task("heavy.reason", { memory_limit = 20, bind = true }, function(self)
  self:reject { reason = heavy()[1] }
end)
moil.task("heavy.calls", { memory_limit = 20 }, function()
  local call, calls = moil.signature("add", { ("x"):rep(1e6) }), {}
  for i = 1, 100 do calls[i] = call end
  moil.enqueue_many(calls)
end)
moil.task("heavy.json", { memory_limit = 20 }, function()
  local text, message = moil.json.encode(heavy())
  assert(not text, "encoded")
  error { code = "TooLarge", message = "allowed: " .. message }
end)
moil.task("heavy.log", { memory_limit = 20 }, function()
  local t = heavy()
  moil.log.info("heavy fields", { t = t })
  moil.log.info(t[1])
  print(("y"):rep(1e5))
  error { code = "TooLarge", message = "allowed: logged" }
end)
moil.task("endless", { memory_limit = false }, eat)
]]

describe("a memory limit", function()
  local here

  setup(function()
    here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8", "--memory-limit", "24" } }
  end)

  for task, mb in pairs {
    eat = 100, eat_caught = 32, eat_inside = 32, rep = 32, by_default = 24,
  } do
    it("ends " .. task .. ", and nothing else", function()
      local pid = here:call("pid")
      local err = here:failure(task)
      assert.same({ "MemoryLimitExceeded", ("the memory limit of %d MB was exceeded"):format(mb) },
        { err.code, err.message })
      assert.equal(pid, here:call("pid"))
    end)
  end

  it("bounds the process", function()
    local other = site.open { tasks = TASKS, redis = here.redis, url = here.url, idle = true }
    local node = other:worker { "-w", "1", "-q", "eaters" }
    local function call(task) return here.moil.send(task, {}, { queue = "eaters" }) end
    local base = call("rss"):get { timeout = 15 }
    local _, err = call("eat"):get { timeout = 60, propagate = false }
    assert.equal("MemoryLimitExceeded", err.code)
    local peak = call("rss"):get { timeout = 15 }
    if not os.getenv("SANITIZER") then assert.is_true(peak <= base + 110, peak .. " MB") end
    node:kill("TERM")
    node:wait(15)
  end)

  it("is not escaped by values that become text", function()
    local other = site.open { tasks = TASKS, redis = here.redis, url = here.url, idle = true }
    local node = other:worker { "-w", "1", "-q", "heavy" }
    local function call(task) return here.moil.send(task, {}, { queue = "heavy" }) end
    local base = call("rss"):get { timeout = 15 }
    for _, what in ipairs { "result", "arguments", "kwargs", "meta", "reason", "calls", "json",
      "log" } do
      local _, err = call("heavy." .. what):get { timeout = 60, propagate = false }
      assert.equal("TooLarge", err.code, what .. ": " .. err.message)
      assert.matches(what == "calls" and "enqueue fewer" or "allowed", err.message)
    end
    local peak = call("rss"):get { timeout = 15 }
    if not os.getenv("SANITIZER") then assert.is_true(peak <= base + 80, peak .. " MB") end
    node:kill("TERM")
    node:wait(15)
    local log = node:stderr()
    assert.matches("heavy fields", log)
    assert.is_true(#log < 64 * 1024, #log .. " bytes of log")
  end)

  it("may be lifted by the task", function()
    assert.equal(1e8, here:call("no_limit"))
  end)

  it("is followed by policy and hooks", function()
    local err, result = here:failure("hooked")
    assert.equal("MemoryLimitExceeded", err.code)
    local notes = {}
    for _, line in ipairs(here:notes()) do
      local id, what = line:match("^(%S+) (.*)$")
      if id == result.id then notes[#notes + 1] = what end
    end
    assert.same({ "run", "run", "MemoryLimitExceeded" }, notes)
  end)

  it("leaves the neighbours their turns", function()
    local eater = here.moil.send("eat")
    local count = 0
    repeat
      assert.equal(3, here:call("add", 1, 2))
      count = count + 1
    until eater:ready()
    assert.is_true(count >= 3, count .. " neighbours only")
    local _, err = eater:get { timeout = 15, propagate = false }
    assert.equal("MemoryLimitExceeded", err.code)
  end)
end)

describe("a worker at twice its --max-memory", function()
  it("ends the job that holds the most, even one that waits", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8", "--max-memory", "64" } }
    local grower = here.moil.send("grow", { 64 })
    here:wait_state(grower.id, "STARTED")
    local holder = here.moil.send("hold", { 72 })
    support.wait_until(function() return #here:notes() == 1 end, 15, "the holder")
    support.write(here.dir .. "/grow", "")
    local _, err = holder:get { timeout = 30, propagate = false }
    assert.equal("MemoryLimitExceeded", err.code)
    assert.matches("at the bound of its memory, and this job held the most: 7", err.message)
    assert.equal(64, grower:get { timeout = 30 })
    err = here:failure("endless")
    assert.equal("MemoryLimitExceeded", err.code)
    assert.matches("this job held the most: 1%d%d", err.message)
  end)
end)

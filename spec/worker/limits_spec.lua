local site = require "spec.support.site"
local support = require "spec.support"

-- Time limits: in the worker, on the CPU and while waiting; and by the supervisor, where the worker
-- cannot.

local TASKS <const> = site.NOTE .. [[
moil.task("spin", { time_limit = 0.3 }, function() while true do pcall(error) end end)
moil.task("spin_inside", { time_limit = 0.3 }, function()
  local co = coroutine.wrap(function() while true do pcall(error) end end)
  while true do co() end
end)
moil.task("sort", { time_limit = 0.3 }, function()
  local t = {}
  for i = 1, 1000 do t[i] = i end
  while true do table.sort(t, function(a, b) for _ = 1, 100 do end return a > b end) end
end)
local function forever() while true do end end
moil.task("sort_caught", { time_limit = 0.3 }, function()
  while true do pcall(table.sort, { 3, 2, 1 }, forever) end
end)
moil.task("sort_caught_inside", { time_limit = 0.3 }, function()
  while true do
    pcall(coroutine.wrap(function() table.sort({ 3, 2, 1 }, forever) end))
  end
end)
moil.task("unshowable", { time_limit = 20 }, function()
  error(setmetatable({}, { __tostring = forever, __index = forever }))
end)
moil.task("unshowable_caught", { time_limit = 20 }, function()
  local function caught() while true do pcall(table.sort, { 3, 2, 1 }, forever) end end
  error(setmetatable({}, { __tostring = function() coroutine.wrap(caught)() end }))
end)
moil.task("shown_waiting", { time_limit = 20 }, function()
  error(setmetatable({}, { __tostring = function()
    return select(2, pcall(moil.sleep, 1)).message
  end }))
end)
moil.task("nap", { time_limit = 0.3 }, function() moil.sleep(60) end)
moil.task("deep", { time_limit = 20 }, function()
  local function f() return f() + 1 end
  return f()
end)
moil.task("soft_then_spin", { soft_time_limit = 0.8, time_limit = 1.5 }, function()
  pcall(moil.sleep, 10)
  while true do end
end)
moil.task("close_spin", { time_limit = 0.3 }, function()
  local co = coroutine.create(function()
    local guard <close> = setmetatable({}, { __close = function() while true do end end })
    coroutine.yield()
  end)
  coroutine.resume(co)
  coroutine.close(co)
end)
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
moil.task("wait", { time_limit = 0.3 }, function()
  moil.send("add", { 1, 2 }, { queue = "unserved" }):get()
end)
moil.task("soft", { soft_time_limit = 0.2, time_limit = 5 }, function(how)
  local ok, err = pcall(function()
    if how == "nap" then moil.sleep(60) end
    while true do end
  end)
  return { ok, err.code }
end)
moil.task("uncaught", { soft_time_limit = 0.2 }, function() while true do end end)
moil.task("hooked", {
  bind = true, time_limit = 0.2,
  on_failure = function(self, err) note(self.id, err.code) end,
  retry = moil.retry.fixed { max = 1, delay = 0 },
}, function(self) note(self.id, "run") while true do end end)
moil.task("close", { bind = true, time_limit = 0.2 }, function(self)
  local guard <close> = setmetatable({}, { __close = function() note(self.id, "closed") end })
  moil.sleep(60)
end)
moil.task("called", {}, function() while true do end end)
moil.task("finalizers", { time_limit = 2 }, function()
  for _ = 1, 3 do
    setmetatable({}, { __gc = function() while true do pcall(error) end end })
  end
  return "done"
end)
moil.task("alloc", { time_limit = 6 }, function()
  for i = 1, 2e6 do local _ = { i } end
  return "ok"
end)
moil.task("add", function(x, y) return x + y end)
moil.task("stuck", {
  bind = true, time_limit = 0.2,
  on_failure = function(self, err) note(self.id, err.code) end,
}, function() os.execute("exec sleep 30") end)
]]

describe("a time limit", function()
  local here

  local function notes_of(result)
    local found = {}
    for _, line in ipairs(here:notes()) do
      local id, what = line:match("^(%S+) (.*)$")
      if id == result.id then found[#found + 1] = what end
    end
    return found
  end

  setup(function() here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "32" } } end)

  for _, task in ipairs { "spin", "spin_inside", "sort", "sort_caught",
    "sort_caught_inside", "nap", "wait", "soft_then_spin",
    "close_spin" } do
    it("ends " .. task .. " with TimeLimitExceeded", function()
      local pid = here:call("pid")
      local err = here:failure(task)
      assert.equal("TimeLimitExceeded", err.code)
      assert.not_matches("had to be killed", err.message)
      assert.equal(pid, here:call("pid")) -- the worker itself ended it
    end)
  end

  it("holds for what an error value does while it is shown", function()
    local pid = here:call("pid")
    for _, task in ipairs { "unshowable", "unshowable_caught" } do
      assert.equal("(an error value that cannot be shown)", (here:failure(task)).message)
    end
    assert.matches("cannot wait here", (here:failure("shown_waiting")).message)
    assert.equal(pid, here:call("pid"))
  end)

  it("lets a recursion without end overflow, as Lua does", function()
    assert.matches("stack overflow", (here:failure("deep")).message)
  end)

  it("leaves the neighbours of a spinning job their turns", function()
    local spinning = here.moil.send("called", {}, { time_limit = 8 })
    here:wait_state(spinning.id, "STARTED")
    local began = support.now()
    for i = 1, 10 do assert.equal(i + 1, here:call("add", i, 1)) end
    local took = support.now() - began
    assert.is_true(took < 6, ("10 calls took %.2f s"):format(took))
    assert.equal("STARTED", spinning:state())
    local _, err = spinning:get { timeout = 30, propagate = false }
    assert.equal("TimeLimitExceeded", err.code)
  end)

  it("raises the soft one once, where the job is", function()
    assert.same({ false, "SoftTimeLimitExceeded" }, here:call("soft", "nap"))
    assert.same({ false, "SoftTimeLimitExceeded" }, here:call("soft", "spin"))
    assert.equal("SoftTimeLimitExceeded", (here:failure("uncaught")).code)
  end)

  it("is not passed on by finalizers to a later job", function()
    assert.matches("__gc is not for tasks", (here:failure("finalizers")).message)
    assert.equal("ok", here:call("alloc"))
  end)

  it("takes the call's before the task's", function()
    assert.equal("TimeLimitExceeded", (here:failure("called", {}, { time_limit = 0.2 })).code)
  end)

  it("is followed by policy, hooks and <close> variables", function()
    local err, result = here:failure("hooked")
    assert.equal("TimeLimitExceeded", err.code)
    assert.same({ "run", "run", "TimeLimitExceeded" }, notes_of(result))
    err, result = here:failure("close")
    assert.equal("TimeLimitExceeded", err.code)
    assert.same({ "closed" }, notes_of(result))
  end)

  it("kills a worker that is stuck in C; hooks run in a healthy one, the neighbours too", function()
    local nap = here.moil.send("add", { 1, 2 }, { countdown = 0.1 })
    local err, result = here:failure("stuck")
    assert.equal("TimeLimitExceeded", err.code)
    assert.matches("had to be killed", err.message)
    assert.same({ "TimeLimitExceeded" }, notes_of(result))
    assert.equal(3, nap:get { timeout = 15 })
  end)
end)

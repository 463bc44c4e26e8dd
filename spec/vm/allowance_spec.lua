-- src/vm/allowance.c and ledger.c: what a job may hold, and who pays for what.

local driver = require "spec.vm.driver"
local support = require "spec.support"

local MB <const> = 1024 * 1024

local function run_job(vm, job)
  local run = vm:start(job)
  local kind, value, delay = run:resume()
  run:free()
  return kind, value and support.json_decode(value), delay
end

-- Each of them holds, or asks for, far more than its limit.
local EATERS <const> = [[
local function eat(t) for i = 1, 1e9 do t[#t + 1] = { i } end end
local function task(name, fn) moil.task("eat." .. name, fn) end
task("tables", function() eat({}) end)
task("integers", function() local t = {} for i = 1, 1e9 do t[i] = i end end)
task("strings", function() local t = {} for i = 1, 1e9 do t[i] = "string " .. i end end)
task("keys", function() local t = {} for i = 1, 1e9 do t["key " .. i] = true end end)
task("closures", function() local t = {} for i = 1, 1e9 do t[i] = function() return i end end end)
task("threads", function() local t = {} for i = 1, 1e9 do t[i] = coroutine.create(eat) end end)
task("text", function() local s = "x" while true do s = s .. s end end)
task("rep", function() return #string.rep("x", 1e9) end)
task("rep_caught", function() while true do pcall(string.rep, "x", 1e9) end end)
task("concat", function()
  local t, s = {}, ("x"):rep(1e5)
  for i = 1, 1e4 do t[i] = s end
  return #table.concat(t)
end)
task("buffer", function() return #(("x"):rep(1e6):gsub("x", ("y"):rep(1e3))) end)
task("pack", function() return #string.pack("s4", ("x"):rep(3e7)) end)
task("caught", function() local t = {} while true do pcall(eat, t) end end)
task("handled", function() local t = {} while true do xpcall(eat, function() eat(t) end, t) end end)
task("inside", function()
  local t = {}
  coroutine.wrap(function() while true do pcall(eat, t) end end)()
end)
task("inside_inside", function()
  local t = {}
  coroutine.wrap(function() coroutine.wrap(function() while true do pcall(eat, t) end end)() end)()
end)
task("sort", function() table.sort({ 1, 2, 3 }, function() eat({}) end) end)
task("gsub_caught", function()
  local t = {}
  while true do pcall(string.gsub, "abc", ".", function() eat(t) end) end
end)
task("metamethod", function() return setmetatable({}, { __index = function() eat({}) end }).x end)
task("close", function()
  do local _ <close> = setmetatable({}, { __close = function() eat({}) end }) end
end)
task("close_at_end", function()
  local _ <close> = setmetatable({}, { __close = function() while true do pcall(eat, {}) end end })
  eat({})
end)
task("require", function() package.preload.eater = function() eat({}) end require "eater" end)
task("stopped", function() collectgarbage("stop") eat({}) end)
task("generational", function() collectgarbage("generational") eat({}) end)
task("recursion", function()
  local t = {}
  local function f(n) t[#t + 1] = ("x"):rep(1000) .. n return f(n + 1) + 1 end
  while true do pcall(f, 1) end
end)
]]

local function eaters()
  local names = {}
  for name in EATERS:gmatch('\ntask%("([%w_]+)"') do names[#names + 1] = name end
  return names
end

describe("a memory limit", function()
  local vm = driver.new { source = EATERS .. 'moil.task("ok", function() return 1 end)' }
  local before

  setup(function() before = vm:held() end)

  for _, name in ipairs(eaters()) do
    it("ends a job with too much: " .. name, function()
      local run = vm:start { task = "eat." .. name, memory = 8 * MB }
      local kind, value = run:resume()
      assert.equal("failure", kind)
      local err = support.json_decode(value)
      assert.equal("MemoryLimitExceeded", err.code)
      assert.equal("the memory limit of 8 MB was exceeded", err.message)
      assert.is_true(run:held() < 2 * MB, run:held() .. " bytes are still held")
      run:free()
      assert.equal("success", (run_job(vm, { task = "ok", memory = MB })))
      assert.is_true(vm:held() - before < MB, vm:held() - before .. " bytes are left")
    end)
  end

  it("lets a job go on that has many times as much, but not at a time", function()
    local churner = driver.new { source = [[
      moil.task("small", function()
        local n = 0
        for i = 1, 2e6 do n = n + #("a string of some length " .. i) end
        return n > 0
      end)
      moil.task("large", function()
        for i = 1, 40 do local s = ("x"):rep(5e6) .. i end
        return true
      end)
      moil.task("tables", function()
        local keep = {}
        for i = 1, 1e6 do keep[i % 1000] = { i } end
        return true
      end)
      moil.task("near", function() -- 7 of 8 MB stay
        local keep = {}
        for i = 1, 70 do keep[i] = ("x"):rep(1e5) .. i end
        for i = 1, 1e6 do local _ = { i } end
        return #keep > 0
      end)
      moil.task("not_collected", function()
        collectgarbage("stop")
        for i = 1, 1e6 do local _ = { i } end
        collectgarbage("restart")
        return true
      end)
    ]] }
    for _, name in ipairs { "small", "large", "tables", "near", "not_collected" } do
      local limit = (name == "large" and 16 or 8) * MB
      local kind, value = run_job(churner, { task = name, memory = limit })
      assert.same({ name, "success", true }, { name, kind, value })
    end
  end)

  it("is not passed by what the state holds besides", function()
    local held = driver.new { source = [[
      local cache = {}
      for i = 1, 2e5 do cache[i] = { i } end
      moil.task("ok", function() local t = {} for i = 1, 1e4 do t[i] = { i } end return #t end)
      moil.task("read", function() return #cache end)
      moil.task("keep", function() cache.more = ("x"):rep(1e6) end)
      moil.task("add", function() for i = 1, 2e5 do cache[#cache + 1] = i end end)
    ]] }
    assert.equal("success", (run_job(held, { task = "ok", memory = 2 * MB })))
    for _ = 1, 10 do -- what they keep is no longer theirs when they have ended
      assert.equal("success", (run_job(held, { task = "keep", memory = 2 * MB })))
    end
    assert.equal("success", (run_job(held, { task = "read", memory = MB })))
    -- a shared table that a job makes grow is counted as the job's
    assert.equal("MemoryLimitExceeded",
      select(2, run_job(held, { task = "add", memory = 2 * MB })).code)
  end)

  it("is told to policy and hooks, which have memory of their own", function()
    local hooked = driver.new { source = [[
      local function eat() local t = {} for i = 1, 1e9 do t[i] = { i } end end
      local seen = {}
      moil.task("retried", { retry = moil.retry.fixed { max = 1, delay = 3 } }, eat)
      moil.task("only", { retry = moil.retry.fixed { max = 1, delay = 3 },
        retry_on = { "MemoryLimitExceeded" } }, eat)
      moil.task("hooked", {
        on_failure = function(self, err)
          seen[#seen + 1] = err.code .. " " .. #self.args[1]
          local t = {}
          for i = 1, 1000 do t[i] = { i } end
        end,
        after_return = function(self, state) seen[#seen + 1] = state end,
      }, eat)
      moil.task("greedy", { on_failure = function() while true do pcall(eat) end end,
        after_return = function() seen[#seen + 1] = "not reached" end }, eat)
      moil.task("seen", function() return seen end)
    ]] }
    local kind, err, delay = run_job(hooked, { task = "retried", memory = 4 * MB })
    assert.same({ "retry", "MemoryLimitExceeded", 3000 }, { kind, err.code, delay })
    kind = run_job(hooked, { task = "retried", memory = 4 * MB, retries = 1 })
    assert.equal("failure", kind)
    assert.equal("retry", (run_job(hooked, { task = "only", memory = 4 * MB })))
    kind, err = run_job(hooked, { task = "hooked", memory = 4 * MB,
      args = '["' .. ("x"):rep(5000) .. '"]' })
    assert.same({ "failure", "MemoryLimitExceeded" }, { kind, err.code })
    kind, err = run_job(hooked, { task = "greedy", memory = 4 * MB })
    assert.same({ "failure", "MemoryLimitExceeded" }, { kind, err.code })
    assert.same({ "MemoryLimitExceeded 5000", "FAILURE" },
      (select(2, run_job(hooked, { task = "seen" }))))
  end)

  it("lets <close> variables run", function()
    local closing = driver.new { source = [[
      local closed = 0
      moil.task("eat", function()
        local _ <close> = setmetatable({}, { __close = function()
          local t = {}
          for i = 1, 1000 do t[i] = { i } end
          closed = closed + #t
        end })
        local t = {}
        coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
          while true do t[#t + 1] = {} end
        end)()
      end)
      moil.task("count", function() return closed end)
    ]] }
    assert.equal("failure", (run_job(closing, { task = "eat", memory = 2 * MB })))
    assert.equal(1001, (select(2, run_job(closing, { task = "count" }))))
  end)

  it("counts what a job still waits with", function()
    local waiting = driver.new {
      host = { sleep = function() end },
      source = [[
        moil.task("hold", function(n) local s = ("x"):rep(n) moil.sleep(1) return #s end)
      ]],
    }
    local run = waiting:start { task = "hold", args = "[3000000]", memory = 8 * MB }
    assert.equal("waiting", run:resume())
    assert.is_true(run:held() > 3e6 and run:held() < 3.2e6, run:held())
    assert.equal("success", (run:resume()))
    run:free()
  end)
end)

describe("the ledger", function()
  it("comes back to where it was", function()
    local vm = driver.new { source = [[
      moil.task("work", { bind = true, on_success = function() end }, function(self, n)
        local t = {}
        for i = 1, n do t[i] = { i, tostring(i) } t["k" .. i] = function() return i end end
        for i = 1, n do t[i] = nil end
        return coroutine.wrap(function() return #table.concat({ "a", "b" }, ",") end)()
      end)
    ]] }
    local function rounds(n)
      for i = 1, n do
        assert.equal("success", (run_job(vm, { task = "work", args = "[" .. i % 100 .. "]" })))
      end
      return vm:held()
    end
    rounds(300)
    local held = rounds(300)
    assert.is_true(math.abs(rounds(3000) - held) < 8192)
    assert.is_true(held >= vm:memory(), "it counts less than Lua does")
    assert.is_true(held < vm:memory() * 2)
  end)

  it("has a place for each of many jobs at a time", function()
    local vm = driver.new { host = { sleep = function() end }, source = [[
      moil.task("hold", function(i) local s = ("x"):rep(1000) .. i moil.sleep(1) return #s end)
    ]] }
    local runs = {}
    for i = 1, 3000 do
      runs[i] = vm:start { task = "hold", args = "[" .. i .. "]", memory = MB }
      assert.equal("waiting", runs[i]:resume())
    end
    for i = 1, 3000 do
      assert.is_true(runs[i]:held() > 1000 and runs[i]:held() < 8192, runs[i]:held())
      assert.equal("success", (runs[i]:resume()))
      runs[i]:free()
    end
    assert.is_true(vm:held() < vm:memory() * 2)
  end)
end)

describe("the bound of a state", function()
  local SOURCE <const> = [[
    moil.task("hold", function(n)
      local t = {}
      for i = 1, n do t[i] = ("x"):rep(1e6) .. i end
      moil.sleep(1)
      return #t
    end)
    moil.task("eat", function() local t = {} while true do t[#t + 1] = { #t } end end)
    moil.task("some", function(n) local t = {} for i = 1, n do t[i] = { i } end return #t end)
  ]]
  local function open()
    local vm = driver.new { host = { sleep = function() end }, source = SOURCE }
    vm:limit_memory(vm:held() + 16 * MB)
    return vm
  end

  it("ends the job that holds the most", function()
    local vm = open()
    local kind, err = run_job(vm, { task = "eat" })
    assert.equal("failure", kind)
    assert.equal("MemoryLimitExceeded", err.code)
    assert.matches("the bound of its memory, and this job held the most: 1%d", err.message)
    assert.is_nil(vm:victim())
    assert.equal("success", (run_job(vm, { task = "some", args = "[1000]" })))
  end)

  it("also one that waits, and lets the others go on", function()
    local vm = open()
    local waiting = vm:start { id = "waits", task = "hold", args = "[12]" }
    assert.equal("waiting", waiting:resume())
    local run = vm:start { task = "some", args = "[60000]" }
    assert.equal("sliced", run:resume())
    assert.equal("waits", vm:victim())
    assert.is_nil(vm:victim())
    local _, text = waiting:exceed()
    assert.matches("this job held the most: 11%.%d* MB", support.json_decode(text).message)
    waiting:free()
    assert.equal("60000", (select(2, run:resume())))
    run:free()
    assert.equal("success", (run_job(vm, { task = "some", args = "[100000]" })))
  end)
end)

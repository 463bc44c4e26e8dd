-- lua/moil/job.lua: retry policies and hooks, in a job.

local support = require "spec.support"
local driver = require "spec.vm.driver"

describe("a retry policy", function()
  local vm = driver.new { source = [[
    local function fail(code) error { code = code or "X", message = "m" } end
    moil.task("fixed", { retry = moil.retry.fixed { max = 2, delay = 3 } }, fail)
    moil.task("own", { retry = function(attempt, err) if err.code == "X" then
      return attempt * 1.5 end end }, fail)
    moil.task("on", { retry = moil.retry.fixed(), retry_on = { "X", "Y" } }, fail)
    moil.task("dont", { retry = moil.retry.fixed(), dont_retry_on = { "X", "Y" } }, fail)
    moil.task("broken", { retry = function() error "policy" end }, fail)
    moil.task("odd", { retry = function() return "soon" end }, fail)
    moil.task("none", fail)
    moil.task("data", { retry = { policy = "fixed", delay = 4 } }, fail)
    moil.task("result", { retry = moil.retry.fixed { delay = 2 } }, function() return print end)
  ]] }

  local function outcome(task, retries, options)
    options = options or {}
    local kind, err, delay = driver.run(vm, { task = task, retries = retries, args = options.args,
      extra = options.extra })
    return { kind, kind == "retry" and delay or err.code }
  end

  it("decides whether and when", function()
    assert.same({ "retry", 3000 }, outcome("fixed", 0))
    assert.same({ "retry", 3000 }, outcome("fixed", 1))
    assert.same({ "failure", "X" }, outcome("fixed", 2))
    assert.same({ "retry", 4500 }, outcome("own", 2))
    assert.same({ "failure", "Y" }, outcome("own", 2, { args = '["Y"]' }))
    assert.same({ "failure", "X" }, outcome("none", 0))
    assert.same({ "retry", 4000 }, outcome("data", 0))
    assert.same({ "retry", 2000 }, outcome("result", 0))
  end)

  it("is for the codes that the task names", function()
    assert.same({ "retry", 1000 }, outcome("on", 0, { args = '["Y"]' }))
    assert.same({ "failure", "Z" }, outcome("on", 0, { args = '["Z"]' }))
    assert.same({ "failure", "Y" }, outcome("dont", 0, { args = '["Y"]' }))
    assert.same({ "retry", 1000 }, outcome("dont", 0, { args = '["Z"]' }))
  end)

  it("that comes with the call is before the task's", function()
    local extra = '{"retry":{"policy":"list","delays":[9,8]}}'
    assert.same({ "retry", 9000 }, outcome("none", 0, { extra = extra }))
    assert.same({ "retry", 8000 }, outcome("fixed", 1, { extra = extra }))
    assert.same({ "failure", "X" }, outcome("fixed", 2, { extra = extra }))
    assert.same({ "failure", "X" }, outcome("fixed", 0, { extra = '{"retry":false}' }))
    assert.same({ "retry", 3000 }, outcome("fixed", 0, { extra = '{"headers":{}}' }))
  end)

  it("that is broken is logged, and the job fails with its own error", function()
    assert.same({ "failure", "X" }, outcome("broken", 0))
    assert.same({ "failure", "X" }, outcome("odd", 0))
    assert.same({ "failure", "X" }, outcome("none", 0, { extra = '{"retry":{"policy":"nope"}}' }))
  end)

  it("keeps the error of the last failure", function()
    local _, err, _, text = driver.run(vm, { task = "fixed", retries = 2 })
    assert.same({ "X", "m" }, { err.code, err.message })
    assert.matches("traceback", text)
  end)
end)

describe("hooks", function()
  local source = [[
    seen = {}
    local function note(name) return function(self, ...) seen[#seen + 1] = { name,
      self.id, ... } end end
    local hooks = { on_success = note "on_success", on_failure = note "on_failure",
      on_retry = note "on_retry",
      after_return = note "after_return" }
    local function with(options) for k, v in pairs(hooks) do options[k] = options[k] or v end
      return options end
    moil.task("ok", with {}, function(x) return x end)
    moil.task("fail", with {}, function() error { code = "X", message = "m", traceback = "t" } end)
    moil.task("again", with { retry = moil.retry.fixed { max = 1 } }, function()
      error { code = "X", message = "m", traceback = "t" } end)
    moil.task("ask", with { bind = true }, function(self)
      self:retry { countdown = 2, reason = "r", max_retries = 1 } end)
    moil.task("reject", with { bind = true }, function(self) self:reject "r" end)
    moil.task("ignore", with { bind = true }, function(self) self:ignore() end)
    moil.task("bad", with { on_success = function() error "hook" end, after_return = function(self)
      self:retry() end }, function() return 1 end)
    moil.task("waits", with { bind = true, on_success = function(self, r)
      moil.sleep(1) note "slept" (self, r) end,
      on_failure = function(self, err) moil.sleep(2) note "slept" (self, err.code) end },
      function(self, x) moil.sleep(0.5) if x then error { code = "X", message = "m" } end end)
    moil.task("mutate", { on_success = function(self, r) r.x = 2 r.f = print end }, function()
      return { x = 1 } end)
    moil.task("bad_result", with {}, function() return { print } end)
    moil.task("seen", function() local s = seen seen = {} return s end)
  ]]
  local vm
  before_each(function() vm = driver.new { source = source, host = { sleep = function() end } } end)

  local function after(job)
    local kind = driver.run(vm, job)
    local _, seen = driver.run(vm, "seen")
    return kind, seen
  end

  local X <const> = { code = "X", message = "m", traceback = "t" }
  local R <const> = { code = "Error", message = "r" }

  it("run by what became of the job", function()
    assert.same({ "success", { { "on_success", "job-1", 7 }, { "after_return", "job-1", "SUCCESS",
      7 } } },
      { after { task = "ok", args = "[7]" } })
    assert.same({ "failure", { { "on_failure", "job-1", X }, { "after_return", "job-1", "FAILURE",
      X } } }, { after "fail" })
    assert.same({ "retry", { { "on_retry", "job-1", X, 1 } } }, { after "again" })
    assert.same({ "failure", { { "on_failure", "job-1", X }, { "after_return", "job-1", "FAILURE",
      X } } },
      { after { task = "again", retries = 1 } })
    assert.same({ "retry", { { "on_retry", "job-1", R, 2 } } }, { after "ask" })
    assert.same({ "failure", { { "on_failure", "job-1", R }, { "after_return", "job-1", "FAILURE",
      R } } },
      { after { task = "ask", retries = 1 } })
    assert.same({ "reject", { { "on_failure", "job-1", R }, { "after_return", "job-1", "FAILURE",
      R } } }, { after "reject" })
    assert.same({ "ignore", {} }, { after "ignore" })
    local kind, seen = after "bad_result"
    assert.equal("failure", kind)
    assert.same({ "BadArgument", "result[1]: a function cannot be JSON" }, { seen[1][3].code,
      seen[1][3].message })
  end)

  it("do not change the outcome by their own errors", function()
    local kind, value = driver.run(vm, "bad")
    assert.same({ "success", 1 }, { kind, value })
    kind, value = driver.run(vm, "mutate")
    assert.same({ "success", { x = 1 } }, { kind, value })
  end)

  it("may wait", function()
    local run = vm:start { task = "waits" }
    assert.same({ "waiting", "waiting" }, { run:resume(), (run:resume()) })
    local kind, value = run:resume()
    assert.same({ "success", "null" }, { kind, value })
    run:free()
    run = vm:start { task = "waits", args = "[1]" }
    assert.same({ "waiting", "waiting" }, { run:resume(), (run:resume()) })
    kind, value = run:resume()
    assert.same({ "failure", "X" }, { kind, support.json_decode(value).code })
    local _, seen = driver.run(vm, "seen")
    assert.same({ "slept", "job-1" }, seen[1])
    assert.same({ "slept", "job-1", "X" }, seen[3])
  end)

  it("are closed with the run", function()
    local run = vm:start { task = "waits" }
    run:resume()
    run:resume()
    run:free()
    assert.equal(3, #assert(vm:tasks()) - 8)
    assert.equal("success", (driver.run(vm, { task = "ok" })))
  end)
end)

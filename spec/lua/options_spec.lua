-- lua/moil/options.lua, errors.lua: what tasks and calls may say.

local driver = require "spec.lua.driver"
local moil = driver.open()

local count = 0
local function task_error(options)
  count = count + 1
  return driver.error_of(moil.task, "t" .. count, options, print)
end

local function call_error(options, task)
  return driver.error_of(moil.send, task or "a.task", {}, options)
end

describe("options", function()
  it("that are unknown name the nearest known one", function()
    assert.equal("a.task: unknown option 'qeue', did you mean 'queue'?",
      call_error({ qeue = "x" }).message)
    assert.equal("a.task: unknown option 'count_down', did you mean 'countdown'?",
      call_error({ count_down = 1 }).message)
    assert.equal("a.task: unknown option 'zzzzzzzz'", call_error({ zzzzzzzz = 1 }).message)
    assert.equal("a.task: unknown option '1'", call_error({ "x" }).message)
    assert.matches("unknown option 'on_sucess', did you mean 'on_success'",
      task_error({ on_sucess = print }).message)
    assert.equal("BadArgument", call_error({ qeue = "x" }).code)
  end)

  it("that tie jobs together are for calls, and hold signatures or jobs", function()
    for _, option in ipairs { "link", "link_error" } do
      for _, value in ipairs { {}, 5, "math.add", { 1 }, { task = "x" } } do
        assert.equal("a.task: " .. option
          .. " must be a signature (such as add:s(1, 2)) or a list of them",
          call_error({ [option] = value }).message)
      end
      assert.matches(option .. " is an option of calls, not of tasks",
        task_error({ [option] = {} }).message)
    end
    local function depends(value) return call_error({ depends_on = value }).message end
    assert.equal("a.task: depends_on must be the id of a job, its handle, or a list of them",
      depends(5))
    assert.matches("must be a list of ids and handles of jobs; entry 2 is none",
      depends { "a", "b c" })
    assert.matches('on_failure must be "fail" or "revoke"', depends { "a", on_failure = "x" })
    assert.matches("allow_failure must be true or false", depends { "a", allow_failure = 1 })
    assert.matches("has no field 'on_fail'", depends { "a", on_fail = "fail" })
    assert.matches("must not have both",
      depends { "a", allow_failure = true, on_failure = "revoke" })
    local many = {}
    for i = 1, 1001 do many[i] = "j" .. i end
    assert.matches("must not have more than 1000 jobs", depends(many))
  end)

  it("of tasks are not for calls, nor the other way round", function()
    assert.equal("a.task: bind is an option of tasks, not of calls",
      call_error({ bind = true }).message)
    assert.equal("a.task: memory_limit is an option of tasks, not of calls",
      call_error({ memory_limit = 64 }).message)
    assert.matches("kwargs is an option of calls, not of tasks",
      task_error({ kwargs = {} }).message)
  end)

  it("have their types and ranges", function()
    local wrong = {
      { "queue", "a b" }, { "queue", "" }, { "queue", 5 }, { "queue", ("x"):rep(201) },
        { "countdown", -1 }, { "countdown", "1" },
      { "countdown", 0 / 0 }, { "countdown", math.huge }, { "priority", 10 }, { "priority", -1 },
        { "priority", 5.5 },
      { "at_front", 1 }, { "ignore_result", "yes" }, { "result_ttl", -1 },
        { "result_ttl", true },
      { "time_limit", 0 }, { "time_limit", -5 }, { "soft_time_limit", 0 }, { "headers", "x" },
        { "retry", 5 },
      { "retry", true }, { "retry", {} }, { "expires", true },
      { "expires", 0 }, { "expires", -1 }, { "time_limit", 1e-9 }, { "soft_time_limit", 0.009 },
      { "time_limit", 2e9 },
    }
    for _, case in ipairs(wrong) do
      local option, value = case[1], case[2]
      assert.matches("^a.task: " .. option .. " must be", call_error({ [option] = value }).message)
      assert.matches(": " .. option .. " must be", task_error({ [option] = value }).message)
    end
    assert.matches("headers must not have a NUL byte in a name",
      call_error({ headers = { a = { { ["b\0"] = 1 } } } }).message)
    for _, case in ipairs {
      { "bind", 1 }, { "blocking", "x" }, { "max_deliveries", 0 }, { "max_deliveries", 1.5 },
        { "max_deliveries", -1 },
      { "memory_limit", 0 }, { "memory_limit", -1 }, { "memory_limit", 0.5 },
        { "memory_limit", "64" }, { "memory_limit", true }, { "memory_limit", 64 * 2^20 },
        { "memory_limit", 0 / 0 },
      { "on_success", 5 }, { "before_start", {} }, { "retry_on", {} }, { "dont_retry_on", { 1 } },
        { "retry_on", "X" },
    } do
      assert.matches(": " .. case[1] .. " must be", task_error({ [case[1]] = case[2] }).message)
    end
    moil.task("not_kept", { result_ttl = 0 }, print)
    assert.matches("id must be", call_error({ id = "" }).message)
    assert.matches("eta must be", call_error({ eta = true }).message)
    assert.matches("eta a number must be seconds since the epoch", call_error({ eta = 5 }).message)
    assert.matches("expires must be more than 0", call_error({ expires = 0 }).message)
  end)

  it("may not contradict each other", function()
    assert.matches("^t%d+: soft_time_limit %(10 s%) must be less than time_limit %(5 s%)$",
      task_error({ soft_time_limit = 10, time_limit = 5 }).message)
    assert.matches("must be less than", task_error({ soft_time_limit = 5, time_limit = 5 }).message)
    assert.matches("countdown and eta exclude each other", call_error({ countdown = 1,
      eta = 1900000000 }).message)
    assert.matches("need a policy in `retry`", task_error({ retry_on = { "X" } }).message)
    moil.task("limited", { time_limit = 5 }, print)
    assert.matches("soft_time_limit %(10 s%) must be less than time_limit %(5 s%)",
      call_error({ soft_time_limit = 10 }, "limited").message)
    assert.matches("limited", call_error({ soft_time_limit = 10 }, "limited").message)
    moil.task("unlimited", { soft_time_limit = 5, time_limit = false }, print)
  end)

  it("do not let a function of the user's own travel", function()
    assert.matches("a retry function of your own cannot travel with a call",
      call_error({ retry = function() end }).message)
    assert.matches("without `random`", call_error({ retry =
      moil.retry.fixed { random = math.random } }).message)
    moil.task("own_policy", { retry = function() end }, print)
  end)

  it("may have a policy as data, or none", function()
    driver.answers.enqueue = { true }
    moil.send("x", {}, { retry = { policy = "fixed", max = 2 } })
    assert.matches('"retry":{', driver.asked[#driver.asked][2][1].extra)
    moil.send("x", {}, { retry = false })
    assert.equal('{"retry":false}', driver.asked[#driver.asked][2][1].extra)
    assert.matches("unknown policy", call_error({ retry = { policy = "nope" } }).message)
    assert.matches("unknown option 'mx'", call_error({ retry = { policy = "fixed",
      mx = 2 } }).message)
  end)
end)

describe("errors", function()
  it("read well where nobody catches them", function()
    local _, err = pcall(moil.send, "a.task", {}, { qeue = "x" })
    assert.matches("options_spec.lua:%d+$", err.where)
    assert.matches("options_spec.lua:%d+: BadArgument: a.task: unknown option 'qeue', did you mean",
      tostring(err))
  end)
end)

-- src/vm/run.c, failure.c, self.c: a job from its arguments to an outcome.

local support = require "spec.support"
local driver = require "spec.vm.driver"
local run_job = driver.run

local function values(vm, job)
  local kind, _, _, text = run_job(vm, job)
  assert.equal("success", kind, text)
  return text
end

describe("a plain job", function()
  local vm = driver.new { source = [[
    moil.task("add", function(x, y) return x + y end)
    moil.task("none", function() end)
    moil.task("count", function(...) return select("#", ...) end)
    moil.task("echo", function(x) return x end)
    moil.task("many", function() return 1, 2, 3 end)
    moil.task("last", function(...) return (select(-1, ...)) end)
    moil.task("object", function() return moil.object {} end)
    moil.task("is_null", function(t) return t[1] == moil.null, tostring(moil.null) end)
  ]] }

  it("gets its arguments and gives its first value", function()
    assert.equal("8", values(vm, { task = "add", args = "[4,4]" }))
    assert.equal("8.0", values(vm, { task = "add", args = "[4,4.0]" }))
    assert.equal("null", values(vm, "none"))
    assert.equal("1", values(vm, "many"))
    assert.equal("{}", values(vm, "object"))
    assert.equal("9007199254740993", values(vm, { task = "echo", args = "[9007199254740993]" }))
    assert.equal('"a\\u0000b"', values(vm, { task = "echo", args = '["a\\u0000b"]' }))
    assert.equal("true", values(vm, { task = "is_null", args = "[[null]]" }))
  end)

  it("counts positional nulls, which are nil", function()
    assert.equal("0", values(vm, "count"))
    assert.equal("3", values(vm, { task = "count", args = "[1,null,null]" }))
    assert.equal("null", values(vm, { task = "echo", args = "[null]" }))
  end)

  it("gets kwargs as one table after the arguments, when there are any", function()
    assert.equal("3", values(vm, { task = "count", args = "[1,null]", kwargs = '{"a":1}' }))
    assert.equal('{"a":1}', values(vm, { task = "last", args = "[1]", kwargs = '{"a":1}' }))
    assert.equal("1", values(vm, { task = "count", args = "[1]", kwargs = "{}" }))
  end)

  it("fails with BadMessage on arguments that are no JSON array", function()
    for _, args in ipairs { "", "{}", "[1", "[1,]" } do
      local kind, err = run_job(vm, { task = "count", args = args })
      assert.equal("failure", kind)
      assert.equal("BadMessage", err.code)
    end
    assert.equal("failure", (run_job(vm, { task = "count", kwargs = "[" })))
  end)
end)

describe("a failure", function()
  local vm, path = driver.new { max_payload = 1000, source = [[
    local function deep() error("deep down") end
    moil.task("string", function() deep() end)
    moil.task("code", function() error { code = "NOT_FOUND", message = "no such thing" } end)
    moil.task("table", function() error { 1, 2 } end)
    moil.task("shown", function() error(setmetatable({}, { __tostring = function()
      return "shown" end })) end)
    moil.task("nasty", function() error(setmetatable({}, { __tostring = function()
      error "again" end })) end)
    moil.task("nil", function() error(nil) end)
    moil.task("long", function() error(("x"):rep(100000), 0) end)
    moil.task("runtime", function() local t; return t.x end)
    moil.task("overflow", function() local function f() return 1 + f() end return f() end)
    moil.task("traced", function() error { code = "A", message = "m", traceback = "its own" } end)
    moil.task("badutf8", function() error("\xff\xfe", 0) end)
    moil.task("result", function() return { items = { 1, print } } end)
    moil.task("large", function() return ("x"):rep(2000) end)
    moil.task("global", function() undeclared = 1 end)
    moil.task("exit", function() os.exit(0) end)
    moil.task("hook", function() debug.sethook(print, "c") end)
    moil.task("yield", function() coroutine.yield(1) end)
    moil.task("ok", function() return 1 end)
  ]] }

  local function failure(task)
    local kind, err = run_job(vm, task)
    assert.equal("failure", kind)
    return err
  end

  it("has code, message and traceback", function()
    local err = failure "string"
    assert.equal("Error", err.code)
    assert.equal(path .. ":1: deep down", err.message)
    assert.matches("in upvalue 'deep'", err.traceback)
    assert.matches("tasks%.lua:2: in function", err.traceback)
  end)

  it("keeps the code of an error table", function()
    local err = failure "code"
    assert.equal("NOT_FOUND", err.code)
    assert.equal("no such thing", err.message)
    assert.matches("^stack traceback:", err.traceback)
    assert.equal("its own", failure("traced").traceback)
  end)

  it("renders whatever was raised", function()
    assert.matches("^table: 0x", failure("table").message)
    assert.equal("shown", failure("shown").message)
    assert.equal("(an error value that cannot be shown)", failure("nasty").message)
    assert.equal("nil", failure("nil").message)
    assert.matches("attempt to index a nil value %(local 't'%)", failure("runtime").message)
    assert.matches("stack overflow", failure("overflow").message)
    assert.equal("\u{fffd}\u{fffd}", failure("badutf8").message)
  end)

  it("has a bounded message", function()
    assert.equal(8192, #failure("long").message)
  end)

  it("is a result that cannot be JSON, by its path, or is too large", function()
    assert.same({ code = "BadArgument", message = "result.items[2]: a function cannot be JSON" },
      failure "result")
    assert.same({ code = "TooLarge",
      message = "a result of more than the 1000 bytes allowed" }, failure "large")
  end)

  it("is an undeclared global, os.exit, debug.sethook, with the line", function()
    assert.equal(path
      .. ":17: undeclared global 'undeclared': "
      .. "declare it local (or assign it while its file is loaded)",
      failure("global").message)
    assert.matches("os%.exit is not for tasks", failure("exit").message)
    assert.matches("debug%.sethook is not for tasks", failure("hook").message)
    assert.matches("attempt to yield from outside a coroutine", failure("yield").message)
  end)

  it("leaves the vm as good as before", function()
    assert.equal("1", values(vm, "ok"))
  end)
end)

describe("setmetatable", function()
  local vm, path = driver.new { source = [[
    moil.task("finalizer", function() return setmetatable({}, { __gc = print }) end)
    moil.task("debug", function() return debug.setmetatable({}, { __gc = true }) end)
    moil.task("later", function()
      local ran, meta = 0, {}
      local t = setmetatable({}, meta)
      meta.__gc = function() ran = ran + 1 end
      t = nil
      for _ = 1, 3 do collectgarbage() end
      return ran
    end)
    moil.task("stock", function()
      local t, meta = {}, { __index = { x = 1 } }
      local protected = setmetatable({}, { __metatable = "mine" })
      local function message(...) return (select(2, pcall(...)):gsub("^.-:%d+: ", "")) end
      return {
        rawequal(setmetatable(t, meta), t), t.x == 1, getmetatable(t) == meta,
        setmetatable(t, nil) == t and getmetatable(t) == nil,
        message(setmetatable, protected, {}), getmetatable(protected),
        message(setmetatable, 1, {}), message(setmetatable, {}), message(setmetatable, {}, 1),
        debug.setmetatable(protected, meta) == protected and protected.x,
        (debug.setmetatable(1, nil)), message(debug.setmetatable, 1, 2),
      }
    end)
    moil.task("file", function()
      local f = io.open("/dev/null")
      f = nil
      collectgarbage()
      return io.type(io.stdout)
    end)
  ]] }

  it("refuses a finalizer, with the line", function()
    local kind, err = run_job(vm, "finalizer")
    assert.same({ "failure", path .. ":1: __gc is not for tasks: finalizers run in other jobs' "
      .. "time; use <close> variables" }, { kind, err.message })
    kind, err = run_job(vm, "debug")
    assert.equal("failure", kind)
    assert.matches("__gc is not for tasks", err.message)
    assert.matches("__gc is not for tasks",
      driver.load_error [[setmetatable({}, { __gc = print })]])
    assert.equal("0", values(vm, "later"))
  end)

  it("does what the stock one does", function()
    local function message(...) return (select(2, pcall(...))) end
    local _, is = run_job(vm, "stock")
    assert.same({
      true, true, true, true, message(setmetatable, setmetatable({}, { __metatable = 1 }), {}),
      "mine", message(setmetatable, 1, {}), message(setmetatable, {}), message(setmetatable, {}, 1),
      1, 1, message(debug.setmetatable, 1, 2),
    }, is)
    assert.equal('"file"', values(vm, "file"))
  end)
end)

describe("self", function()
  local vm = driver.new { source = [[
    moil.task("all", { bind = true }, function(self, x)
      return { id = self.id, task = self.task, args = self.args, kwargs = self.kwargs, queue =
        self.queue, x = x,
        retries = self.retries, deliveries = self.deliveries, attempt = self.attempt, eta =
          self.eta,
        parent_id = self.parent_id, root_id = self.root_id, group_id = self.group_id, worker =
          self.worker,
        headers = self.headers, log = type(self.log.info), same = self == moil.current() }
    end)
    moil.task("unbound", function() return moil.current().id end)
    moil.task("nested", function() return coroutine.wrap(function() return
      moil.current().id end)() end)
  ]] }

  it("has the job's fields", function()
    local _, self = run_job(vm, {
      task = "all", id = "j1", queue = "high", args = "[7]", kwargs = '{"k":1}', retries = 2,
        crashes = 1, losses = 3,
      extra = '{"eta":1900000000,"parent_id":"p","root_id":"r","headers":{"h":1}}',
    })
    assert.same({
      id = "j1", task = "all", args = { 7 }, kwargs = { k = 1 }, queue = "high", x = 7,
        retries = 2, deliveries = 5,
      attempt = 3, eta = 1900000000, parent_id = "p", root_id = "r", worker = "worker-1",
        headers = { h = 1 },
      log = "function", same = true,
    }, self)
  end)

  it("is its own root where nobody enqueued it, and is there for any task", function()
    local _, self = run_job(vm, { task = "all", id = "j1", args = "[7]" })
    assert.equal("j1", self.root_id)
    assert.is_nil(self.parent_id)
    assert.equal(1, self.attempt)
    assert.equal('"j2"', values(vm, { task = "unbound", id = "j2" }))
    assert.equal('"j3"', values(vm, { task = "nested", id = "j3" }))
  end)
end)

describe("waiting", function()
  local asked
  local vm = driver.new {
    host = { sleep = function(seconds) asked[#asked + 1] = seconds end },
    source = [[
      moil.task("sleep", function(s) moil.sleep(s) return "slept" end)
      moil.task("twice", function() moil.sleep(1) moil.sleep(2) return "slept" end)
      moil.task("caught", function()
        local ok, err = pcall(moil.sleep, 1)
        return { ok, err.code, err.message, tostring(err), err.where }
      end)
      closed = {}
      moil.task("close", function(name)
        local mark <close> = setmetatable({}, { __close = function() closed[#closed + 1] = name
          end })
        moil.sleep(1)
      end)
      moil.task("close_nested", function()
        local function mark(name) return setmetatable({},
          { __close = function() closed[#closed + 1] = name end }) end
        local outer <close> = mark "outer"
        coroutine.wrap(function()
          local middle <close> = mark "middle"
          coroutine.wrap(function()
            local inner <close> = mark "inner"
            moil.sleep(1)
          end)()
        end)()
      end)
      moil.task("close_waits", function()
        local mark <close> = setmetatable({},
          { __close = function() closed[#closed + 1] = select(2, pcall(moil.sleep, 1)).code end })
        moil.sleep(1)
      end)
      moil.task("closed", function() local c = closed closed = {} return c end)
      moil.task("sort", function() table.sort({ 2, 1 }, function(a, b) moil.sleep(1)
        return a < b end) end)
      moil.task("gsub_nested", function()
        return (("x"):gsub("x", function() return coroutine.wrap(function() moil.sleep(1)
          return "y" end)() end))
      end)
    ]],
  }
  before_each(function() asked = {} end)

  it("suspends the run until it is resumed", function()
    local run = vm:start { task = "sleep", args = "[0.5]" }
    assert.equal("waiting", run:resume())
    assert.same({ 0.5 }, asked)
    assert.equal("success", run:resume())
    run:free()
    run = vm:start { task = "twice" }
    assert.equal("waiting", run:resume())
    assert.equal("waiting", run:resume())
    local kind, value = run:resume()
    assert.same({ "success", '"slept"' }, { kind, value })
    assert.same({ 0.5, 1, 2 }, asked)
  end)

  it("lets others run meanwhile, in any order", function()
    local runs = {}
    for i = 1, 100 do
      runs[i] = vm:start { task = "sleep", args = "[" .. i .. "]" }
      assert.equal("waiting", runs[i]:resume())
    end
    for i = 100, 1, -1 do
      assert.equal("success", (runs[i]:resume()))
      runs[i]:free()
    end
  end)

  it("gives memory back after a flood", function()
    local function flood(n)
      local runs = {}
      for i = 1, n do
        runs[i] = vm:start { task = "sleep", args = "[1]" }
        runs[i]:resume()
      end
      for i = 1, n do runs[i]:free() end
      return vm:memory()
    end
    local before = flood(1100)
    assert.is_true(flood(5000) - before < 300000)
  end)

  it("raises what the host fails with, which can be caught", function()
    local run = vm:start { task = "caught" }
    run:resume()
    run:fail("Timeout", "too late")
    local _, value = run:resume()
    local got = support.json_decode(value)
    assert.same({ false, "Timeout", "too late" }, { got[1], got[2], got[3] })
  end)

  it("runs <close> variables, the innermost first, when the run is freed", function()
    for _, task in ipairs { "close", "close_nested" } do
      local run = vm:start { task = task, args = '["plain"]' }
      assert.equal("waiting", run:resume())
      run:free()
    end
    local _, closed = run_job(vm, "closed")
    assert.same({ "plain", "inner", "middle", "outer" }, closed)
  end)

  it("is refused in a <close> variable of a run that is freed", function()
    local run = vm:start { task = "close_waits" }
    run:resume()
    run:free()
    local _, closed = run_job(vm, "closed")
    assert.same({ "BadArgument" }, closed)
  end)

  it("is refused where no yield can pass", function()
    for _, task in ipairs { "sort", "gsub_nested" } do
      local kind, err = run_job(vm, task)
      assert.equal("failure", kind)
      assert.matches("cannot wait here", err.message)
    end
    assert.same({}, asked)
  end)
end)

describe("the end by self", function()
  local vm = driver.new { source = [[
    local function swallow(f) pcall(f) pcall(coroutine.wrap(function() pcall(f) end)) end
    moil.task("retry", { bind = true }, function(self, given) swallow(function()
      self:retry(given) end) return "on" end)
    moil.task("reject", { bind = true }, function(self, given) swallow(function()
      self:reject(given) end) end)
    moil.task("ignore", { bind = true }, function(self) swallow(function() self:ignore() end) end)
    moil.task("in_sort", { bind = true }, function(self)
      pcall(table.sort, { 2, 1 }, function() self:retry { countdown = 1 } end)
      return "on"
    end)
    moil.task("nested", { bind = true }, function(self)
      local co = coroutine.create(function() coroutine.wrap(function()
        self:retry { countdown = 2 } end)() end)
      return coroutine.resume(co)
    end)
    moil.task("policy", { bind = true, retry = moil.retry.fixed { max = 2, delay = 7 } },
      function(self, given)
      self:retry(given)
    end)
    moil.task("current", function() moil.current():reject("no") end)
  ]] }

  it("is not swallowed by pcall or coroutines", function()
    local kind, err, delay = run_job(vm, { task = "retry",
      args = '[{"countdown":5,"max_retries":3,"reason":"busy"}]' })
    assert.same({ "retry", { code = "Error", message = "busy" }, 5000 }, { kind, err, delay })
    assert.equal("reject", (run_job(vm, "reject")))
    assert.equal("ignore", (run_job(vm, "ignore")))
    kind, err, delay = run_job(vm, "nested")
    assert.same({ "retry", "Error", 2000 }, { kind, err.code, delay })
    kind, err, delay = run_job(vm, "in_sort")
    assert.same({ "retry", "Error", 1000 }, { kind, err.code, delay })
    kind, err = run_job(vm, "current")
    assert.same({ "reject", { code = "Error", message = "no" } }, { kind, err })
  end)

  it("fails with the reason past max_retries; 3 where nobody says", function()
    local kind, err = run_job(vm, { task = "retry",
      args = '[{"max_retries":3,"reason":{"code":"BUSY","message":"b"}}]',
      retries = 3 })
    assert.same({ "failure", { code = "BUSY", message = "b" } }, { kind, err })
    assert.equal("retry", (run_job(vm, { task = "retry", args = "[{}]", retries = 2 })))
    assert.equal("failure", (run_job(vm, { task = "retry", args = "[{}]", retries = 3 })))
    assert.equal("failure", (run_job(vm, { task = "retry", args = '[{"max_retries":0}]' })))
  end)

  it("takes delay and count from the task's policy where it does not say", function()
    local kind, _, delay = run_job(vm, "policy")
    assert.same({ "retry", 7000 }, { kind, delay })
    kind, _, delay = run_job(vm, { task = "policy", args = '[{"countdown":1}]', retries = 1 })
    assert.same({ "retry", 1000 }, { kind, delay })
    assert.equal("failure", (run_job(vm, { task = "policy", retries = 2 })))
    assert.equal("retry", (run_job(vm, { task = "policy", args = '[{"max_retries":9}]',
      retries = 5 })))
  end)
end)

describe("memory", function()
  it("that runs out in a job fails the job, wherever it happens, and nothing else", function()
    local vm = driver.new { source = [[
      moil.task("eat", { bind = true, on_failure = function() end, after_return = function() end,
        retry = moil.retry.fixed { max = 1 } }, function(self, x)
        local t = {}
        for i = 1, 50 do t[i] = { ("x"):rep(i), i } end
        coroutine.wrap(function() t[1] = moil.current().id .. #x end)()
        self.log.debug("eaten", { n = #t })
        if x == "fail" then error("failed as it should") end
        return t
      end)
      moil.task("ok", function() return 1 end)
    ]] }
    local kinds = {}
    for _, arg in ipairs { "fine", "fail" } do
      for n = 0, 400 do
        vm:limit_allocs(n)
        local run = vm:start { task = "eat", args = '["' .. arg .. '"]', kwargs = '{"a":[1,2,3]}' }
        if run then
          local kind = run:resume()
          kinds[kind] = (kinds[kind] or 0) + 1
          run:free()
        end
        vm:limit_allocs()
      end
    end
    assert.is_true(kinds.success > 0 and kinds.failure + (kinds.retry or 0) > 100)
    assert.equal("1", values(vm, "ok"))
  end)

  it("is given back: runs leave nothing behind", function()
    local vm = driver.new {
      host = { sleep = function() end },
      source = [[
        moil.task("f", { bind = true, on_failure = function() end }, function(self, x)
          coroutine.wrap(function() moil.sleep(1) end)()
          if x then error { code = "X", message = "x" } end
        end)
      ]],
    }
    local function round(n)
      for i = 1, n do
        local run = vm:start { task = "f", args = i % 2 == 0 and "[1]" or "[]",
          extra = '{"headers":{"a":1}}' }
        run:resume()
        if i % 3 > 0 then run:resume() end
        run:free()
      end
      collectgarbage()
      return vm:memory()
    end
    round(200)
    local before = round(200)
    assert.is_true(round(2000) - before < 4096)
  end)
end)

describe("speed", function()
  it("of a no-op job is far below a round trip to Redis", function()
    if os.getenv("MOIL_SPEC_PRELOAD") or os.getenv("SANITIZER") then return end
    local vm = driver.new { source = 'moil.task("noop", function() end)' }
    vm:bench("noop", "[]", 10000)
    local ns = vm:bench("noop", "[]", 200000)
    assert.is_true(ns < 20000, ns .. " ns")
  end)
end)

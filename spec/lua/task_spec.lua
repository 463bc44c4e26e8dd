-- lua/moil/task.lua, signature.lua, call.lua, init.lua in a plain program: handles, inline calls,
-- what is enqueued.

local support = require "spec.support"
local driver = require "spec.lua.driver"

local moil, asked
before_each(function()
  moil = driver.open()
  driver.answers.enqueue = function(subs)
    local created = {}
    for i = 1, #subs do created[i] = true end
    return created
  end
  asked = driver.asked
end)

local function last() return asked[#asked][2] end

describe("a handle", function()
  it("runs the function inline", function()
    local add = moil.task("math.add", function(x, y) return x + y end)
    assert.equal(8, add(4, 4))
    assert.equal("math.add", add.name)
    assert.equal("moil.Task math.add", tostring(add))
    assert.same({}, asked)
  end)

  it("gives a bound function a self, whose ends are errors to the caller", function()
    local seen
    local t = moil.task("t", { bind = true, queue = "q" }, function(self, what)
      seen = self
      self.log.debug("inline")
      self:update_state("PROGRESS")
      if what then self[what](self, { reason = "because" }) end
      return self.retries
    end)
    assert.equal(0, t())
    assert.same({ "t", "q", 1, true }, { seen.task, seen.queue, seen.attempt,
      seen.id == seen.root_id })
    assert.equal("because", driver.error_of(t, "retry").message)
    assert.equal("because", driver.error_of(t, "reject").message)
    assert.equal("Ignored", driver.error_of(t, "ignore").code)
    assert.same({}, asked)
    assert.is_nil(moil.current())
  end)

  it("enqueues", function()
    local add = moil.task("math.add", { queue = "high" }, print)
    local r = add:delay(4, nil)
    assert.same({ "math.add", "high", "[4,null]" }, { last()[1].task, last()[1].queue,
      last()[1].args })
    assert.is_nil(last()[1].extra)
    assert.same({ last()[1].id, true, "moil.Result " .. r.id }, { r.id, r.created, tostring(r) })
    add:apply_async({ 1, 2 }, { countdown = 5 })
    assert.same({ "[1,2]", 5000 }, { last()[1].args, last()[1].due_ms })
    add:apply_async(nil, { queue = "low" })
    assert.same({ "[]", "low" }, { last()[1].args, last()[1].queue })
    moil.send("math.add", { 1 })
    assert.equal("high", last()[1].queue)
  end)

  it("gives signatures", function()
    local add = moil.task("math.add", print)
    local s = add:s(1, nil)
    assert.same({ "math.add", false, true }, { s.task, s.immutable, add:si(1).immutable })
    s:delay()
    assert.equal("[1,null]", last()[1].args)
    moil.signature("other", { 1 }, { queue = "a", priority = 3 }):apply_async { queue = "b" }
    assert.same({ "b", 3 }, { last()[1].queue, last()[1].priority })
    assert.equal("moil.Signature math.add", tostring(s))
    assert.matches("options must be a table", driver.error_of(s.apply_async, s, 5).message)
  end)

  it("is refused for what is no task", function()
    local function wrong(...) return driver.error_of(moil.task, ...).message end
    assert.matches("the name %(first argument%) must be", wrong(5, print))
    assert.matches("the name %(first argument%) must be", wrong(print))
    assert.matches("moil.task 'a': the last argument must be the function", wrong("a"))
    assert.matches("moil.task 'a': the last argument must be the function", wrong("a", {}))
    assert.matches("moil.task 'a': the options %(second argument%) must be a table", wrong("a", 5,
      print))
    moil.task("a", print)
    assert.matches("'a' is registered already, at .*task_spec.lua:%d+$", wrong("a", print))
  end)
end)

describe("before_start", function()
  it("runs first, and not inline", function()
    local vm = require("spec.vm.driver").new { source = [[
      seen = {}
      local function before(self) seen[#seen + 1] = self.id if self.args[1] == "fail" then
        error { code = "NOT_NOW", message = "m" } end end
      moil.task("bound", { bind = true, before_start = before }, function(self, x) return {
        self.id, x, #seen } end)
      moil.task("plain", { before_start = before }, function(x, y) return { x, y, #seen } end)
    ]] }
    local run = require("spec.vm.driver").run
    assert.same({ "job-1", 7, 1 }, select(2, run(vm, { task = "bound", args = "[7]" })))
    assert.same({ 7, 8, 2 }, select(2, run(vm, { task = "plain", args = "[7,8]" })))
    local kind, err = run(vm, { task = "plain", args = '["fail"]' })
    assert.same({ "failure", "NOT_NOW" }, { kind, err.code })
    local n = 0
    moil.task("inline", { before_start = function() n = n + 1 end }, function() end)()
    assert.equal(0, n)
  end)
end)

describe("a plain program", function()
  it("gets its answers at once", function()
    driver.answers.wait = { "SUCCESS", "8" }
    assert.equal(8, moil.send("math.add", { 4, 4 }):get { timeout = 5 })
    driver.answers.sleep = {}
    moil.sleep(0.5)
    driver.answers.connect = {}
    moil.connect "redis://127.0.0.1"
    assert.same({ "connect", "redis://127.0.0.1" }, asked[#asked])
    driver.answers.connect = { fail = { "BadArgument", "no such scheme" } }
    assert.equal("no such scheme", driver.error_of(moil.connect, "x").message)
  end)

  it("works in stock coroutines", function()
    driver.answers.wait = { "SUCCESS", "8" }
    local co = coroutine.wrap(function() coroutine.yield(moil.result("a"):get()) return "end" end)
    assert.equal(8, co())
    assert.equal("end", co())
  end)

  it("checks what makes objects", function()
    assert.matches("plain table", driver.error_of(moil.object, setmetatable({}, {})).message)
    assert.equal("{}", moil.json.encode(moil.object()))
    assert.same({ nil, "invalid JSON at byte 1: what is not a value", "BadArgument" }, {
      moil.json.decode "x" })
    assert.equal("null", tostring(moil.null))
    assert.equal(support.null == moil.null, false)
  end)
end)

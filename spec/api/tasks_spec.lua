local host = require "spec.support.host"
local site = require "spec.support.site"
local support = require "spec.support"

-- Tasks in C (moil.h, "tasks in C"): what spec/support/worker_probe.c registers, in a worker on its
-- own loop; side by side with Lua, and in every way tasks like any other.

local TASKS <const> = [[
local moil = require "moil"
local c_add = moil.native("c.add")
local log = {}
moil.task("add", function(a, b) return a + b end)
moil.task("call", function(...) return c_add(...) end)
moil.task("call.bad", function() return pcall(moil.native("c.bad")) end)
moil.task("call.retry", function() return moil.native("c.never")() end)
moil.task("slow", function() return moil.native("c.later")(0.05, 2^53|0) end)
moil.task("refuse", function() return c_add(print) end)
moil.task("seen", function() return table.remove(log, 1) or false end)
moil.task("c.hooked", {
  queue = "hooks",
  before_start = function(self) log[#log + 1] = "before " .. self.task end,
  on_success = function(self, result) log[#log + 1] = "success " .. result.task end,
  after_return = function(self, state) log[#log + 1] = "after " .. state end,
}, moil.native "c.hooked")
moil.task("c.reject", {
  on_failure = function(self, err) log[#log + 1] = err.message end,
}, moil.native "c.reject")
]]

local here, h

setup(function()
  here = site.open { tasks = TASKS, idle = true }
  h = host(here.url)
  h:open("a", here.tasks, { name = "the-host" })
end)

teardown(function()
  h:stop("a")
  assert.equal(0, h:finish())
end)

local function call(task, ...) return here:call(task, ...) end
local function code(task, ...) return here:failure(task, { ... }).code end

describe("a task in C", function()
  it("gets the job as it is, and gives JSON", function()
    assert.equal(7, call("c.add", 3, 4))
    local id = here.moil.uuid()
    local got = here.moil.send("c.show", { "a\0b", 2^53|0, {} },
      { id = id, queue = "shown", kwargs = { k = 1.0 } }):get { timeout = 15 }
    assert.same({ id = id, task = "c.show", queue = "shown", retries = 0,
      args = { "a\0b", 2^53|0, {} }, kwargs = { k = 1.0 } }, got)
  end)

  it("has the queue of its options", function()
    local known = support.moil { "inspect", "registered", "--json", redis = here.url }
    assert.truthy(known.stdout:find('"c.show"', 1, true), known.stdout)
    assert.truthy(table.concat(here:nodes()[1].queues, " "):find("shown", 1, true))
  end)

  it("may finish later", function()
    assert.equal(11, call("c.later", 0.05, 11))
    assert.equal(1, #(function()
      local a, b = here.moil.send("c.pair"), here.moil.send("c.pair")
      local found = { a:get { timeout = 15 }, b:get { timeout = 15 } }
      table.sort(found)
      assert.same({ 1, 2 }, found)
      return { true }
    end)())
  end)

  it("fails with code and message, and by its retry policy", function()
    local err, result = here:failure("c.bad", {})
    assert.equal("BAD_INPUT", err.code)
    assert.equal('it was "bad"\nindeed', err.message)
    assert.is_nil(err.traceback)
    assert.equal(1, result:info().retries)
  end)

  it("may ask for a retry, a few times", function()
    assert.equal("at last", call("c.again"))
    local err, result = here:failure("c.never", {})
    assert.equal("NEVER", err.code)
    assert.equal(3, result:info().retries)
  end)

  it("may reject and ignore", function()
    assert.equal("no such customer", here:failure("c.reject", {}).message)
    assert.equal("no such customer", call("seen"))
    local ignored = here.moil.send("c.ignore", {})
    support.wait_until(function() return not pcall(ignored.info, ignored) end, 15, "its end")
  end)

  it("tells how far it is", function()
    local seen = {}
    local result = here.moil.send("c.steps", { 0.3, 5 })
    assert.equal(5, result:get { timeout = 15, on_message = function(m)
      seen[#seen + 1] = m.state .. " " .. m.meta.n
    end })
    assert.same({ "STEP 1" }, seen)
  end)

  it("is cancelled by its limits, and by revoke", function()
    assert.equal("TimeLimitExceeded", code("c.short", 60, 1))
    h:saw("cancelled c.short")
    assert.equal("SoftTimeLimitExceeded", code("c.soft", 60, 1))
    h:saw("cancelled c.soft")
    local long = here.moil.send("c.later", { 60, 1 })
    here:wait_state(long.id, "STARTED")
    long:revoke { terminate = true }
    here:wait_state(long.id, "REVOKED")
    h:saw("cancelled c.later")
  end)
end)

describe("a task in C, from Lua", function()
  it("is a function: it returns, waits and raises as any other", function()
    assert.equal(9, call("call", 4, 5))
    assert.equal(2^53|0, call("slow"))
    assert.is_false(call("call.bad"))
    assert.equal("NEVER", code("call.retry"))
    assert.equal("BadArgument", code("refuse"))
  end)

  it("is a step of workflows", function()
    local m = here.moil
    local chain = m.chain(m.signature("c.add", { 1, 2 }), m.signature("add", { 10 }),
      m.signature("c.add", { 100 }))
    assert.equal(113, chain:delay():get { timeout = 15 })
    local chord = m.chord({ m.signature("c.later", { 0.02, 3 }), m.signature("add", { 2, 2 }) },
      m.signature("moil.collect"))
    assert.same({ 3, 4 }, chord:delay():get { timeout = 15 })
  end)

  it("has the hooks that a file gives it", function()
    local given = { queue = "hooks", kwargs = { a = 1 } }
    local got = here.moil.send("c.hooked", { 1 }, given):get { timeout = 15 }
    assert.same({ a = 1 }, got.kwargs)
    assert.same({ 1 }, got.args)
    assert.equal("before c.hooked", call("seen"))
    assert.equal("success c.hooked", call("seen"))
    assert.equal("after SUCCESS", call("seen"))
  end)
end)

describe("a set of tasks in C", function()
  it("is cancelled, given back and run again when its worker stops cold", function()
    h:open("b", nil, { queues = "cold" })
    local held = here.moil.send("c.later", { 60, 1 }, { queue = "cold" })
    here:wait_state(held.id, "STARTED")
    h:stop("b", "cold")
    assert.equal("PENDING", held:state())
    held:revoke()
  end)

  it("is in every worker of the whole runtime, after a reload too", function()
    local tasks = support.write(here.dir .. "/more.lua", TASKS)
    local node = support.spawn({ support.build .. "/spec/worker_probe", here.url, "runtime", tasks,
      "runtime-node" }, { stdin = "pipe" })
    local function ask(n)
      return here.moil.send("c.add", { n, 1 }, { queue = "runtime" }):get { timeout = 20 }
    end
    node:read_until("ready", 20)
    for n = 1, 10 do assert.equal(n + 1, ask(n)) end
    node:kill("HUP")
    support.wait_until(function()
      for _, found in ipairs(here:nodes()) do
        if found.node == "runtime-node" then return found.generation == 2 end
      end
    end, 20, "the second generation")
    for n = 1, 10 do assert.equal(n + 1, ask(n)) end
    node:kill("TERM")
    assert.equal(0, node:wait(20))
  end)
end)

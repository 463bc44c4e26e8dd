local site = require "spec.support.site"
local support = require "spec.support"

-- One job at a time: results, errors, self, hooks, retries, custom states. All on one worker
-- process.

local TASKS <const> = site.NOTE .. [[
moil.task("add", function(x, y) return x + y end)
moil.task("count", function(...) return select("#", ...) end)
moil.task("last", function(...) return (select(-1, ...)) end)
moil.task("first", function(v) return v end)
moil.task("nothing", function() end)
moil.task("object", function() return moil.object {} end)

moil.task("raise", function(kind)
  if kind == "text" then error("went wrong") end
  if kind == "code" then error { code = "NOT_FOUND", message = "no such thing" } end
  if kind == "own" then error(setmetatable({}, { __tostring = function() return "shown" end })) end
  if kind == "nil" then error() end
  if kind == "unshowable" then
    error(setmetatable({}, { __tostring = function() error "no" end }))
  end
end)
local function inner() error("deep") end
moil.task("deep", function() inner() return 1 end)

moil.task("bad", function(kind)
  if kind == "function" then return { a = { print } } end
  if kind == "nan" then return 0 / 0 end
  if kind == "cycle" then local t = {} t.t = t return t end
  if kind == "utf8" then return { k = "\xff" } end
  if kind == "mixed" then return { 1, x = 2 } end
  if kind == "huge" then return ("x"):rep(2 * 1024 * 1024) end
end)
moil.task("global", function() undeclared = 1 end)
moil.task("exit", function() os.exit(0) end)

moil.task("self", { bind = true, queue = "own" }, function(self, ...)
  local copy = { count = select("#", ...) }
  local names = "id task args kwargs queue retries deliveries attempt "
    .. "parent_id root_id worker headers eta"
  for k in names:gmatch("%S+") do copy[k] = self[k] end
  copy.same = moil.current() == self or moil.current().id == self.id
  return copy
end)
moil.task("current", function() return moil.current().id end)

local function hooks(options)
  options.bind = true
  options.before_start = function(self) note(self.id, "before") end
  options.on_success = function(self, v) moil.sleep(0.01) note(self.id, "success", tostring(v)) end
  options.on_failure = function(self, e) note(self.id, "failure", e.code) end
  options.on_retry = function(self, e, s)
    note(self.id, "retry", e.message:match("[^:]*$"), tostring(s))
  end
  options.after_return = function(self, state) note(self.id, "after", state) end
  return options
end
moil.task("hooked", hooks {}, function(self, what)
  note(self.id, "run")
  if what == "fail" then error { code = "E", message = "x" } end
  if what == "reject" then self:reject { reason = { code = "R", message = "m" } } end
  if what == "ignore" then self:ignore() end
  if what == "retry" and self.retries == 0 then
    self:retry { countdown = 0.05, reason = "again" }
  end
  return what
end)
moil.task("hook.errors", {
  on_success = function() error("hook broke") end,
  after_return = function(self) note(self.id, "after anyway") end,
}, function() return 1 end)
moil.task("hook.before", {
  before_start = function() error { code = "NOT_NOW", message = "b" } end,
}, function() return 1 end)

moil.task("flaky", {
  bind = true,
  retry = moil.retry.fixed { max = 3, delay = 0.05 },
}, function(self, good_at)
  note(self.id, "try", self.attempt, self.retries, ("%.6f"):format(os.clock()))
  if self.attempt < good_at then
    error { code = "ATTEMPT_" .. self.attempt, message = "not yet" }
  end
  return self.retries
end)
local five = moil.retry.fixed { max = 5, delay = 0 }
local function fail(self, code) error { code = code, message = "attempt " .. self.attempt } end
moil.task("picky", { retry = five, retry_on = { "YES" }, bind = true }, function(self)
  fail(self, self.attempt < 3 and "YES" or "NO")
end)
moil.task("avoid", { retry = five, dont_retry_on = { "NO" }, bind = true }, function(self)
  fail(self, self.attempt < 2 and "ANY" or "NO")
end)
local function twice(attempt, err)
  if attempt <= 2 and err.code == "E" then return 0 end
end
moil.task("policy", { retry = twice, bind = true }, function(self) fail(self, "E") end)
moil.task("policy.broken", { retry = function() error "boom" end }, function()
  error { code = "E", message = "kept" }
end)
moil.task("again", { bind = true }, function(self, max)
  local reason = { code = "AGAIN", message = "r" .. self.retries }
  local ok = pcall(self.retry, self, { countdown = 0, max_retries = max, reason = reason })
  return { swallowed = ok }
end)
moil.task("reject", { bind = true, retry = moil.retry.fixed {} }, function(self)
  pcall(self.reject, self, { reason = "not good" })
  return "swallowed"
end)
moil.task("ignore", { bind = true }, function(self) self:ignore() end)

moil.task("steps", { bind = true }, function(self, n)
  for i = 1, n do self:update_state("STEP", { i = i, pad = ("x"):rep(2000) }) moil.sleep(0.02) end
  return n
end)
moil.task("hold", { bind = true }, function(self, name)
  self:update_state(name, { half = 0.5 })
  while not io.open("go") do moil.sleep(0.02) end
  return "went"
end)
moil.task("long", function() while not io.open("go") do moil.sleep(0.02) end end)
moil.task("state.bad", { bind = true }, function(self, name) self:update_state(name) end)
moil.task("logs", { bind = true }, function(self)
  self.log.info("one", { x = 1 })
  moil.log.error("two")
  print("three", 3)
end)
]]

local it_is, moil

setup(function()
  it_is = site.open { tasks = TASKS, args = { "-w", "1", "-c", "50" } }
  moil = it_is.moil
end)

local function notes_of(id)
  local mine = {}
  for _, line in ipairs(it_is:notes()) do
    if line:sub(1, #id) == id then mine[#mine + 1] = line:sub(#id + 2) end
  end
  return mine
end

describe("a result", function()
  it("comes back as it was returned", function()
    assert.equal(8, it_is:call("add", 4, 4))
    assert.equal("float", math.type(it_is:call("add", 4, 4.0)))
    assert.equal(9007199254740993, it_is:call("first", 9007199254740993))
    assert.equal("a\0b", it_is:call("first", "a\0b"))
    assert.equal(nil, it_is:call("nothing"))
    assert.equal(false, it_is:call("first", false))
    assert.same({}, it_is:call("object"))
    assert.equal("null", moil.json.encode(it_is:call("first", { moil.null })[1]))
  end)

  it("of nil arguments counts them", function()
    assert.equal(3, it_is:call("count", nil, 1, nil))
    assert.equal(2, moil.send("count", { 1 }, { kwargs = { a = 2 } }):get { timeout = 10 })
    assert.same({ a = 2 }, moil.send("last", { 1 }, { kwargs = { a = 2 } }):get { timeout = 10 })
  end)

  it("that cannot be JSON fails the job, and names the place", function()
    local places = {
      ["function"] = "result%.a%[1%]",
      nan = "result",
      cycle = "result",
      utf8 = "result%.k",
      mixed = "result",
    }
    for kind, place in pairs(places) do
      local err = it_is:failure("bad", { kind })
      assert.equal("BadArgument", err.code, kind)
      assert.matches(place, err.message, 1, false)
    end
    assert.equal("TooLarge", it_is:failure("bad", { "huge" }).code)
    assert.equal(8, it_is:call("add", 4, 4))
  end)
end)

describe("an error", function()
  it("has code, message and traceback", function()
    local err = it_is:failure("raise", { "text" })
    assert.equal("Error", err.code)
    assert.matches("tasks.lua:%d+: went wrong", err.message)
    assert.matches("tasks.lua:%d+", err.traceback)
    err = it_is:failure("deep")
    assert.matches("inner", err.traceback)
  end)

  it("keeps the code that was raised", function()
    local err, result = it_is:failure("raise", { "code" })
    assert.equal("NOT_FOUND", err.code)
    assert.equal("no such thing", err.message)
    assert.equal("FAILURE", result:state())
    assert.same({ false, "NOT_FOUND" }, { pcall(function()
      local ok, e = pcall(result.get, result, { timeout = 5 })
      assert(not ok)
      error(e.code, 0)
    end) })
  end)

  it("may be any value", function()
    assert.equal("shown", it_is:failure("raise", { "own" }).message)
    assert.equal("nil", it_is:failure("raise", { "nil" }).message)
    assert.equal("Error", it_is:failure("raise", { "unshowable" }).code)
    assert.matches("undeclared global 'undeclared'", it_is:failure("global").message)
    assert.matches("os.exit", it_is:failure("exit").message)
  end)
end)

describe("a call", function()
  it("with arguments that cannot be JSON is refused, naming them", function()
    local function refused(pattern, ...)
      local args = table.pack(...)
      local ok, err = pcall(moil.send, "add", args)
      assert.is_false(ok)
      assert.equal("BadArgument", err.code)
      assert.matches(pattern, err.message)
    end
    local cycle = {}
    cycle.x = { cycle }
    refused("argument 2", 1, print)
    refused("argument 1.*k", { k = 0 / 0 })
    refused("argument 1", cycle)
    refused("argument 3", 1, 2, "\xff")
  end)

  it("over the limit is refused naming it, in the worker's words too", function()
    local ok, err = pcall(moil.send, "first", { ("x"):rep(1024 * 1024) })
    assert.is_false(ok)
    assert.equal("TooLarge", err.code)
    assert.matches("1048576", err.message)
    local many = { ("y"):rep(1000 * 1000) }
    assert.equal(1000 * 1000, #moil.send("first", many):get { timeout = 10 })
  end)

  it("of a task that nobody knows waits in the delayed set", function()
    local result = moil.send("no.such")
    local info = support.wait_until(function()
      local info = result:info()
      return info.due_at and info
    end, 5, "it is delayed")
    assert.is_true(info.due_at - info.enqueued_at > 1.5 and info.due_at - info.enqueued_at < 3.5)
    assert.equal(0, info.retries)
    assert.equal("REVOKED", result:revoke())
  end)
end)

describe("self", function()
  it("tells of the job", function()
    local options = { queue = "own", kwargs = { k = "v" }, headers = { trace = 7 } }
    local result = moil.send("self", { 1, nil, n = 2 }, options)
    local own = result:get { timeout = 10 }
    assert.equal(result.id, own.id)
    assert.equal("self", own.task)
    assert.equal("own", own.queue)
    assert.equal(3, own.count)
    assert.equal("v", own.kwargs.k)
    assert.equal(7, own.headers.trace)
    assert.same({ 0, 1, 1 }, { own.retries, own.attempt, own.deliveries })
    assert.equal(result.id, own.root_id)
    assert.is_nil(own.parent_id)
    assert.is_true(own.same)
    assert.equal(36, #own.worker)
    local current = moil.send("current")
    assert.equal(current.id, current:get { timeout = 10 })
  end)
end)

describe("hooks", function()
  it("run in order on success", function()
    local result = moil.send("hooked", { "ok" })
    assert.equal("ok", result:get { timeout = 10 })
    assert.same({ "before", "run", "success ok", "after SUCCESS" }, notes_of(result.id))
  end)

  it("run in order on failure and rejection", function()
    local _, result = it_is:failure("hooked", { "fail" })
    assert.same({ "before", "run", "failure E", "after FAILURE" }, notes_of(result.id))
    _, result = it_is:failure("hooked", { "reject" })
    assert.same({ "before", "run", "failure R", "after FAILURE" }, notes_of(result.id))
  end)

  it("run around a retry", function()
    local result = moil.send("hooked", { "retry" })
    result:get { timeout = 10 }
    local expected = "before, run, retry again 0.05, before, run, success retry, after SUCCESS"
    assert.equal(expected, table.concat(notes_of(result.id), ", "))
  end)

  it("that fail are logged and change nothing; before_start's error fails the job", function()
    local result = moil.send("hook.errors")
    assert.equal(1, result:get { timeout = 10 })
    assert.same({ "after anyway" }, notes_of(result.id))
    assert.equal(1, #site.log_lines(it_is.node, "hook broke"))
    assert.matches("id=" .. result.id, site.log_lines(it_is.node, "hook broke")[1], 1, true)
    assert.equal("NOT_NOW", it_is:failure("hook.before").code)
  end)
end)

describe("retry", function()
  it("counts, waits and succeeds", function()
    local result = moil.send("flaky", { 3 })
    assert.equal(2, result:get { timeout = 10 })
    local info = result:info()
    assert.equal(2, info.retries)
    assert.is_true(info.finished_at - info.enqueued_at >= 0.1)
    assert.equal(3, #notes_of(result.id))
  end)

  it("ends with the last error", function()
    local err, result = it_is:failure("flaky", { 9 })
    assert.equal("ATTEMPT_4", err.code)
    local info = result:info()
    assert.equal(3, info.retries)
    assert.is_true(info.dead)
    assert.same({ 9 }, info.args)
  end)

  it("asks retry_on, dont_retry_on and a function of the task's own", function()
    local picky, avoid = it_is:failure("picky"), it_is:failure("avoid")
    assert.same({ "NO", "attempt 3" }, { picky.code, picky.message })
    assert.same({ "NO", "attempt 2" }, { avoid.code, avoid.message })
    assert.equal("attempt 3", it_is:failure("policy").message)
    assert.equal("kept", it_is:failure("policy.broken").message)
  end)

  it("of the call comes before the task's", function()
    local once = moil.retry.fixed { max = 1, delay = 0 }
    local err, result = it_is:failure("flaky", { 9 }, { retry = once })
    assert.equal("ATTEMPT_2", err.code)
    assert.equal(1, result:info().retries)
    err = it_is:failure("flaky", { 9 }, { retry = false })
    assert.equal("ATTEMPT_1", err.code)
    err, result = it_is:failure("raise", { "code" }, { retry = moil.retry.list { 0, 0.01 } })
    assert.equal("NOT_FOUND", err.code)
    assert.equal(2, result:info().retries)
  end)

  it("by self:retry is no error that pcall catches, and ends with its reason", function()
    local err, result = it_is:failure("again", { 2 })
    assert.same({ "AGAIN", "r2" }, { err.code, err.message })
    assert.equal(2, result:info().retries)
  end)

  it("is not for what was rejected", function()
    local err, result = it_is:failure("reject")
    assert.equal("not good", err.message)
    assert.equal(0, result:info().retries)
    assert.is_true(result:info().dead)
  end)

  it("is not for what was ignored: nothing is kept", function()
    local result = moil.send("ignore")
    it_is:wait_state(result.id, "UnknownJob")
  end)
end)

describe("a state of its own", function()
  it("goes to on_message, each once and in order", function()
    local seen = {}
    local value = moil.send("steps", { 5 }):get { timeout = 10, on_message = function(m)
      assert.equal("STEP", m.state)
      seen[#seen + 1] = m.meta.i
    end }
    assert.equal(5, value)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
  end)

  it("goes to --follow", function()
    local out = support.moil { "call", "steps", "3", "--follow", redis = it_is.redis }
    assert.equal(0, out.code)
    local count = 0
    for _ in (out.stdout .. out.stderr):gmatch("STEP") do count = count + 1 end
    assert.equal(3, count)
  end)

  it("is seen by inspect, and a long job is STARTED", function()
    local held, long = moil.send("hold", { "HALF" }), moil.send("long")
    local info = it_is:wait_state(held.id, "HALF", 5)
    assert.equal(0.5, info.meta.half)
    assert.is_true(info.started_at >= info.enqueued_at)
    info = it_is:wait_state(long.id, "STARTED", 5)
    assert.equal(36, #info.worker)
    local out = support.moil { "inspect", "active", "--json", redis = it_is.redis }
    assert.matches(held.id, out.stdout, 1, true)
    assert.matches('"HALF"', out.stdout, 1, true)
    support.write(it_is.dir .. "/go", "")
    assert.equal("went", held:get { timeout = 10 })
    long:get { timeout = 10 }
    assert.equal("SUCCESS", held:state())
    assert.is_nil(held:info().meta)
    assert.equal(0, it_is.redis:call("EXISTS", "{moil}:running"))
  end)

  it("may not have a name that moil uses", function()
    for _, name in ipairs { "SUCCESS", "RETRY", "STARTED" } do
      assert.equal("BadArgument", it_is:failure("state.bad", { name }).code)
    end
    assert.equal("BadArgument", it_is:failure("state.bad", { "with space" }).code)
  end)
end)

describe("a log line of a job", function()
  it("has the job's id and task", function()
    local result = moil.send("logs")
    result:get { timeout = 10 }
    local mark = "  task=logs id=" .. result.id
    local lines = site.log_lines(it_is.node, mark)
    assert.equal(3, #lines)
    assert.matches("info +worker 1 +one" .. mark:gsub("%-", "%%-") .. " x=1$", lines[1])
    assert.matches("error +worker 1 +two", lines[2])
    assert.matches("info +worker 1 +three.*3", lines[3])
  end)
end)

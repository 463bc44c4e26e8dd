local site = require "spec.support.site"
local support = require "spec.support"

-- What suspends a job and not its worker: sleeping, waiting for results, child programs; and
-- enqueueing from a job.

local TASKS <const> = site.NOTE .. [[
moil.task("nap", function(s) moil.sleep(s) return s end)
moil.task("spin", function(s)
  local stop = os.clock() + s
  while os.clock() < stop do end
end)
moil.task("child", function(x) moil.sleep(0.02) return x * 2 end)
moil.task("fails", function() error { code = "CHILD", message = "c" } end)
moil.task("parent", function(x) return moil.send("child", { x }):get { timeout = 20 } end)
moil.task("grandparent", function(x) return moil.send("parent", { x }):get { timeout = 20 } end)
moil.task("many", function(n)
  local calls, sum = {}, 0
  for i = 1, n do calls[i] = moil.signature("child", { i }) end
  for _, r in ipairs(moil.enqueue_many(calls)) do sum = sum + r:get { timeout = 20 } end
  return sum
end)
moil.task("family", { bind = true }, function(self, depth)
  local mine = { id = self.id, parent = self.parent_id, root = self.root_id }
  if depth > 0 then mine.child = moil.send("family", { depth - 1 }):get { timeout = 10 } end
  return mine
end)
moil.task("wait.fails", function()
  local v, err = moil.send("fails"):get { timeout = 10, propagate = false }
  return { v == nil, err.code, err.message }
end)
moil.task("wait.raises", function() return moil.send("fails"):get { timeout = 10 } end)
moil.task("wait.timeout", function()
  local r = moil.send("nap", { 30 }, { countdown = 60 })
  local ok, err = pcall(r.get, r, { timeout = 0.05 })
  return { ok, err.code, r:state(), r:revoke(), r:state(), (r:forget()), pcall(r.state, r) }
end)
moil.task("wait.unknown", function()
  local ok, err = pcall(function() return moil.result("nobody"):get { timeout = 5 } end)
  return { ok, err.code }
end)
moil.task("wait.busy", function()
  local r = moil.send("child", { 4 })
  local stop = os.clock() + 0.4
  while os.clock() < stop do end
  return r:get { timeout = 0.3 }
end)
moil.task("wait.self", { bind = true }, function(self)
  local ok, err = pcall(function() return moil.result(self.id):get {} end)
  return { ok, err.code }
end)
moil.task("wait.same", function(id) return moil.result(id):get { timeout = 20 } end)
moil.task("steps", { bind = true }, function(self, n, pad)
  for i = 1, n do
    self:update_state("STEP", { i = i, pad = ("x"):rep(pad) })
    moil.sleep(0.05)
  end
end)
moil.task("follow", function(pad)
  local seen = {}
  moil.send("steps", { 3, pad }):get { timeout = 10, on_message = function(m)
    seen[#seen + 1] = m.meta.i
  end }
  return seen
end)
moil.task("run", function(argv, options)
  for k, v in pairs(options or {}) do argv[k] = v end
  local ok, r = pcall(moil.run, argv)
  if not ok then return { code = r.code, message = r.message } end
  if #r.stdout > 1000 then r.stdout = #r.stdout end
  return r
end)
moil.task("dedupe", function()
  local a, b = moil.send("nap", { 0 }, { id = "same" }), moil.send("nap", { 0 }, { id = "same" })
  return { a.created, b.created }
end)
moil.task("info", { bind = true }, function(self) return moil.result(self.id):info() end)
moil.task("refused", function()
  local seen = {}
  for i, f in ipairs {
    function() moil.send("nap", { print }) end,
    function() moil.send("nap", { ("x"):rep(1100000) }) end,
    function() moil.send("nap", {}, { priorty = 1 }) end,
    function() moil.connect "redis://elsewhere" end,
    function() moil.sleep(-1) end,
    function() table.sort({ 1, 2 }, function() moil.sleep(0.01) end) end,
  } do
    local _, err = pcall(f)
    seen[i] = err.code
  end
  return seen
end)
]]

local wide, narrow, moil -- one worker process with many slots; one with a single slot

setup(function()
  wide = site.open { tasks = TASKS, args = { "-w", "1", "-c", "500", "-q", "default" } }
  narrow = wide:worker { "-w", "1", "-c", "1", "-q", "narrow" }
  moil = wide.moil
end)

local function in_narrow(task, ...)
  return moil.send(task, table.pack(...), { queue = "narrow" }):get { timeout = 20 }
end

describe("moil.sleep", function()
  it("suspends the job: 500 naps of 0.2 s go at the same time", function()
    local naps = {}
    for i = 1, 500 do naps[i] = moil.signature("nap", { 0.2 }) end
    local started = support.now()
    for _, r in ipairs(moil.enqueue_many(naps)) do assert.equal(0.2, r:get { timeout = 10 }) end
    local took = support.now() - started
    assert.is_true(took >= 0.2 and took < 20, took) -- one after the other: 100 s
  end)
end)

describe("waiting for a result in a job", function()
  it("frees the slot: 16 parents do not dead-lock one slot", function()
    local parents = {}
    local route = { queue = "narrow" }
    for i = 1, 16 do parents[i] = moil.signature("parent", { i }, route) end
    for i, r in ipairs(moil.enqueue_many(parents)) do
      assert.equal(i * 2, r:get { timeout = 20 })
    end
  end)

  it("goes on through generations and for many children", function()
    assert.equal(14, wide:call("grandparent", 7))
    assert.equal(300 * 301, wide:call("many", 300))
    assert.equal(90, in_narrow("many", 9))
  end)

  it("gives what a client gets: errors, timeouts, unknown ids", function()
    assert.same({ true, "CHILD", "c" }, wide:call "wait.fails")
    local err = wide:failure "wait.raises"
    assert.equal("CHILD", err.code)
    local t = wide:call "wait.timeout"
    assert.same({ false, "Timeout", "SCHEDULED", "REVOKED", "REVOKED", true, false },
      { table.unpack(t, 1, 7) })
    assert.equal("UnknownJob", t[8].code)
    assert.same({ false, "UnknownJob" }, wide:call "wait.unknown")
    assert.same({ false, "BadArgument" }, wide:call "wait.self")
  end)

  it("counts its timeout from the call, whatever the job computed before", function()
    assert.equal(8, wide:call "wait.busy")
  end)

  it("may be done by many for one job", function()
    local job = moil.send("nap", { 0.2 })
    local waiters = {}
    for i = 1, 100 do waiters[i] = moil.signature("wait.same", { job.id }) end
    for _, r in ipairs(moil.enqueue_many(waiters)) do assert.equal(0.2, r:get { timeout = 10 }) end
  end)

  it("tells progress once each, however long its meta", function()
    assert.same({ 1, 2, 3 }, wide:call("follow", 10))
    assert.same({ 1, 2, 3 }, wide:call("follow", 5000))
  end)
end)

describe("enqueueing in a job", function()
  it("hands the line of descent down", function()
    local a = wide:call("family", 2)
    local b = a.child
    local c = b.child
    assert.is_nil(a.parent)
    assert.same({ a.id, a.id, b.id }, { a.root, b.parent, c.parent })
    assert.same({ a.id, a.id }, { b.root, c.root })
  end)

  it("knows ids that are there", function()
    assert.same({ true, false }, wide:call "dedupe")
  end)

  it("refuses what a client refuses, and what a job cannot do", function()
    assert.same({ "BadArgument", "TooLarge", "BadArgument", "BadArgument", "BadArgument",
      "BadArgument" }, wide:call "refused")
  end)

  it("sees itself as started", function()
    local info = wide:call "info"
    assert.equal("info", info.task)
    assert.is_truthy(info.worker)
    assert.equal("STARTED", info.state)
  end)
end)

describe("moil.run", function()
  local function run(argv, options) return wide:call("run", argv, options) end

  it("gives code, signal and output", function()
    local r = run({ "sh", "-c", "cat; echo err >&2; exit 3" }, { input = "in" })
    assert.same({ 3, nil, "in", "err\n" }, { r.code, r.signal, r.stdout, r.stderr })
    assert.is_false(r.timed_out or r.truncated)
    assert.equal(9, run({ "sh", "-c", "kill -9 $$" }).signal)
    assert.equal("/\n", run({ "pwd" }, { cwd = "/" }).stdout)
    assert.equal("$HOME ; ls\n", run({ "echo", "$HOME ; ls" }).stdout)
  end)

  it("refuses a missing program or folder", function()
    local r = run { "no-such-program-anywhere" }
    assert.equal("BadArgument", r.code)
    assert.matches("no%-such%-program%-anywhere.*No such file", r.message)
    assert.matches("No such file", run({ "true" }, { cwd = "/no/such" }).message)
  end)

  it("ends the whole group at the time limit", function()
    local stubborn = [[trap "" TERM; echo $$ > stubborn; while :; do sleep 0.1; done]]
    local script = "sh -c '" .. stubborn .. "' %s & wait"
    for _, streams in ipairs { "", ">/dev/null 2>&1" } do
      os.remove(wide.dir .. "/stubborn")
      local started = support.now()
      local r = run({ "sh", "-c", script:format(streams) }, { timeout = 0.3 })
      assert.is_true(r.timed_out)
      assert.is_true(support.now() - started < 3)
      local pid = support.read(wide.dir .. "/stubborn"):match("%d+")
      support.wait_until(function() return not site.lives(pid) end, 3, "the grandchild ends")
    end
  end)

  it("bounds the output", function()
    local r = run { "yes" }
    assert.same({ 1024 * 1024, true }, { r.stdout, r.truncated })
    r = run({ "echo", "0123456789abc" }, { max_output = 10 })
    assert.same({ "0123456789", true }, { r.stdout, r.truncated })
    r = run { "head", "-c", "500000", "/dev/zero" }
    assert.same({ 500000, false, 0 }, { r.stdout, r.truncated, r.code })
  end)

  it("takes input that the program does not read", function()
    assert.equal(0, run({ "true" }, { input = ("x"):rep(900000) }).code)
  end)

  it("gives the program its three streams and nothing else", function()
    local r = run { "sh", "-c", "ls -l /proc/$$/fd" }
    local fds = {}
    for fd in r.stdout:gmatch(" (%d+) %->") do fds[#fds + 1] = fd end
    assert.same({ "0", "1", "2" }, fds, r.stdout)
  end)

  it("suspends the job only", function()
    local started = support.now()
    local runs = {}
    for i = 1, 40 do runs[i] = moil.signature("run", { { "sleep", "0.3" } }) end
    for _, r in ipairs(moil.enqueue_many(runs)) do
      assert.equal(0, r:get({ timeout = 10 }).code)
    end
    assert.is_true(support.now() - started < 10) -- one after the other: 12 s
  end)

  it("goes with a job that is closed", function()
    local r = moil.send("run", { { "sh", "-c", "echo $$ > cold; exec sleep 60" } },
      { queue = "narrow" })
    local pid = support.wait_until(function()
      local f = io.open(wide.dir .. "/cold")
      return f and f:read("a"):match("%d+")
    end, 5, "the program runs")
    narrow:kill("QUIT")
    assert.equal(0, narrow:wait(10))
    assert.is_false(site.lives(pid))
    assert.equal("PENDING", r:state())
  end)
end)

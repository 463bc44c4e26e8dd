local site = require "spec.support.site"
local support = require "spec.support"

-- The Lua client in a plain lua5.4, with the paths that `make env` prints.

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + y end)
moil.task("fail", function() error { code = "NO", message = "not this" } end)
moil.task("steps", { bind = true }, function(self, n)
  for i = 1, n do self:update_state("STEP", { i = i }) moil.sleep(0.03) end
end)
moil.task("nap", function(s) moil.sleep(s) return s end)
]]

local here

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "1" } }
end)

-- Runs a script under `make env` → its stdout; "lua: …" of a script that raised is an error.
local function lua(code, redis)
  local dir = support.tempdir()
  support.write(dir .. "/script.lua", code)
  local command = ('eval "$(make -s -C %s BUILD=%s env)" && exec lua5.4 script.lua'):format(
    support.root, support.build)
  local preload = os.getenv("MOIL_SPEC_PRELOAD")
  if preload then command = command:gsub("exec ", "exec env LD_PRELOAD=" .. preload .. " ") end
  return support.sh(command, { redis = redis or here.redis, cwd = dir, timeout = 20 })
end

local function prints(expected, code, redis)
  local out = lua(code, redis)
  assert.equal(0, out.code, out.stderr)
  assert.equal(expected, (out.stdout:gsub("\t", " ")))
end

describe("a plain Lua program", function()
  it("registers tasks, calls them here and there, and reads results", function()
    prints("8 8 8\n8 SUCCESS true\n", [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
      local r = add:delay(4, 4)
      print(add(4, 4), r:get { timeout = 10 }, add:s(4, 4):delay():get { timeout = 10 })
      print(moil.result(r.id):get(), r:state(), r:ready())
    ]])
  end)

  it("enqueues many, in order", function()
    prints("2000 4000\n", [[
      local moil = require "moil"
      local calls = {}
      for i = 1, 2000 do calls[i] = moil.signature("add", { i, i }) end
      local results = moil.enqueue_many(calls)
      print(#results, results[2000]:get { timeout = 10 })
    ]])
  end)

  it("sends again only what Redis refused, not what it took", function()
    local redis = support.redis()
    local program = support.start_lua { "-e", [[
      local moil = require "moil"
      local now, later = { 1, 1 }, { 2, 2 }
      moil.send("add", now)
      moil.send("add", later, { countdown = 60 })
      io.read()
      local r = moil.enqueue_many {
        moil.signature("add", now, { id = "now" }),
        moil.signature("add", later, { id = "later", countdown = 60 }),
      }
      print(r[1].created, r[2].created)
    ]], redis = redis, stdin = "pipe" }
    support.wait_until(function() return redis:call("HLEN", "{moil}:jobs") == 2 end, 10, "it runs")
    -- One of the two scripts is not known any more: the other one's job is in at the first try.
    redis:call("SCRIPT", "FLUSH")
    redis:call("SCRIPT", "LOAD", support.script "enqueue")
    program:write("go\n")
    assert.equal(0, (program:wait(20)))
    assert.matches("true\ttrue\n", program:stdout())
    assert.equal(4, redis:call("HLEN", "{moil}:jobs"))
  end)

  it("gets errors as tables with codes, and a readable uncaught one", function()
    prints("false NO not this\nnil NO\nfalse UnknownJob\nfalse Timeout\nfalse BadArgument\n", [[
      local moil = require "moil"
      local ok, e = pcall(function() return moil.send("fail"):get { timeout = 10 } end)
      print(ok, e.code, e.message)
      local v, err = moil.send("fail"):get { timeout = 10, propagate = false }
      print(v, err.code)
      ok, e = pcall(function() return moil.result("nobody"):info() end)
      print(ok, e.code)
      local r = moil.send("nap", { 1 }, { countdown = 60 })
      ok, e = pcall(r.get, r, { timeout = 0.05 })
      print(ok, e.code)
      r:delete()
      ok, e = pcall(moil.send, "add", { print })
      print(ok, e.code)
    ]])
    local out = lua 'require("moil").send("fail"):get { timeout = 10 }'
    assert.equal(1, out.code)
    assert.matches("NO: not this", out.stderr)
  end)

  it("hears of progress", function()
    prints("STEP 1\nSTEP 2\nSTEP 3\n", [[
      require("moil").send("steps", { 3 }):get { timeout = 10, on_message = function(m)
        print(m.state, m.meta.i)
      end }]])
  end)

  it("sleeps, and runs programs", function()
    prints("true hi\n", [[
      local moil = require "moil"
      local t = os.time()
      moil.sleep(0.01)
      io.write(tostring(os.time() - t < 2), " ", moil.run({ "echo", "hi" }).stdout)
    ]])
  end)

  it("revokes, forgets, deletes and inspects", function()
    prints("SCHEDULED add 1 REVOKED true false\ntrue false\n", [[
      local moil = require "moil"
      local r = moil.send("add", { 1, 2 }, { countdown = 60 })
      local info = r:info()
      io.write(info.state, " ", info.task, " ", info.args[1], " ", r:revoke(), " ",
        tostring(r:forget()), " ", tostring((r:forget())), "\n")
      r = moil.send("add", { 1, 2 }, { countdown = 60 })
      print(r:delete(), (pcall(r.info, r)))
    ]])
  end)

  it("says so where options are none", function()
    prints("result:revoke: takes a table of options, not a string\n" ..
      "result:join: takes a table of options, not a number\n", [[
      local moil = require "moil"
      local r = moil.result "any"
      print(select(2, pcall(r.revoke, r, "terminate")).message)
      r = moil.group_result "any"
      print(select(2, pcall(r.join, r, 10)).message)
    ]])
  end)

  it("reschedules", function()
    prints("SCHEDULED true true\n", [[
      local moil = require "moil"
      local r = moil.send("add", { 1, 2 }, { countdown = 60 })
      local state = r:reschedule "2030-01-01T09:00:00+08:00"
      io.write(state, " ", tostring(r:info().due_at == 1893459600), " ")
      moil.reschedule(r.id, 0)
      print(r:get { timeout = 10 } == 3)
    ]])
    prints("nil BadState\nUnknownJob\n", [[
      local moil = require "moil"
      local r = moil.send("add", { 1, 2 })
      r:get { timeout = 10 }
      local state, _, code = r:reschedule(1)
      print(state, code)
      print(select(2, pcall(moil.reschedule, "nobody", 1)).code)
    ]])
  end)

  it("cannot do what only a job can", function()
    prints("nil\n", 'print(require("moil").current())')
  end)
end)

describe("without Redis", function()
  it("it is told within the deadline, where and why", function()
    local dir = support.tempdir()
    local started = support.now()
    prints("false RedisUnavailable true\n", [[
      local ok, e = pcall(require("moil").send, "add", { 1, 2 })
      print(ok, e.code, e.message:find("/none", 1, true) ~= nil)
    ]], "unix://" .. dir .. "/none")
    assert.is_true(support.now() - started < 3)
    prints("false BadArgument\n", [[
      local ok, e = pcall(require("moil").connect, "nonsense://x")
      print(ok, e.code)
    ]])
  end)

  it("a restart in between is not noticed", function()
    local redis = support.redis { appendonly = true }
    local script = support.start_lua { "-e", [[
      local moil = require "moil"
      print(moil.send("add", { 1, 2 }, { id = "x" }).created)
      io.stdout:flush()
      io.read()
      print(moil.send("add", { 1, 2 }, { id = "x" }).created, moil.result("x"):state())
    ]], redis = redis, stdin = "pipe" }
    script:read_until("true\n", 10)
    redis:kill9()
    redis:start()
    script:write("\n")
    script:read_until("false\tPENDING\n", 10)
    assert.equal(0, script:wait(5))
  end)
end)

-- examples/server.c: what callers are answered, while jobs run, tasks change, and it stops.

local support = require "spec.support"

local PROGRAM <const> = support.build .. "/examples/server"
local BY <const> = 30

-- A caller: a line ">TEXT" is sent, "<" prints the next answer, or "gone" at the end.
local CALLER <const> = [[
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
f = s.makefile("r")
for line in iter(sys.stdin.readline, ""):
    if line[0] == ">":
        s.sendall(line[1:].encode())
    else:
        try:
            answer = f.readline()
        except ConnectionError:
            answer = ""
        print(answer.rstrip("\n") or "gone", flush=True)
]]

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + y end)
moil.task("sleep", function(s) moil.sleep(s) return s end)
moil.task("fail", function() error { code = "Broken", message = "it is broken" } end)
moil.task("long", function(n) return ("x"):rep(n) end)
moil.task("version", function() return 1 end)
]]

describe("examples/server", function()
  local redis, port, tasks, server

  local function start()
    port = support.native.free_port()
    server = support.spawn({ PROGRAM, tostring(port), tasks }, { env = { MOIL_REDIS = redis.url } })
    server:read_until("listening on 127.0.0.1:" .. port, BY, "stderr")
  end

  local function caller()
    local child = support.spawn({ "python3", "-c", CALLER, tostring(port) }, { stdin = "pipe" })
    return {
      send = function(text) child:write(">" .. text .. "\n") end,
      answer = function()
        child:write "<\n"
        return (child:read_until("^([^\n]*)\n", BY, "stdout"))
      end,
      leave = function()
        child:close_stdin()
        child:wait(BY)
      end,
    }
  end

  local function ask(text)
    local one = caller()
    one.send(text)
    local answer = one.answer()
    one.leave()
    return answer
  end

  local function wait_running()
    support.wait_until(function()
      local out = support.moil { "inspect", "active", "--json", redis = redis }
      return out.stdout:find('"sleep"', 1, true)
    end, BY, "the job runs")
  end

  before_each(function()
    redis = support.redis()
    tasks = support.write(support.tempdir() .. "/tasks.lua", TASKS)
    start()
  end)

  after_each(function()
    assert.equal(0, (server:stop(BY)), server:report())
  end)

  it("answers each line when its job is done", function()
    assert.equal("SUCCESS 8", ask "add [4, 4]")
    assert.matches('^FAILURE {.*"Broken".*"it is broken".*}$', ask "fail")
    assert.equal('SUCCESS "' .. ("x"):rep(100000) .. '"', ask "long [100000]")
    assert.matches("^ERROR .*args must be a JSON array$", ask "add 4 4")
    assert.matches("^ERROR .*task must be ", ask "")
  end)

  it("takes the lines of one caller in turn, those of all at a time", function()
    local slow, quick = caller(), caller()
    slow.send "sleep [2]"
    slow.send "add [1, 1]"
    for i = 1, 20 do quick.send(("add [%d, 1]"):format(i)) end
    for i = 1, 20 do assert.equal(("SUCCESS %d"):format(i + 1), quick.answer()) end
    assert.equal("SUCCESS 2", slow.answer())
    assert.equal("SUCCESS 2", slow.answer())
    quick.leave()
    slow.leave()
  end)

  it("calls off the job of one who has gone", function()
    local one = caller()
    one.send "sleep [3600]"
    wait_running()
    one.leave()
    support.wait_until(function()
      local out = support.moil { "inspect", "audit", "--json", redis = redis }
      return support.json_decode(out.stdout).queues[1].ended.REVOKED == 1
    end, BY, "it is revoked")
  end)

  it("hangs up on one who sends without end", function()
    local one = caller()
    one.send(("x"):rep(5000))
    assert.equal("gone", one.answer())
    one.leave()
    assert.equal("SUCCESS 8", ask "add [4, 4]")
  end)

  it("takes up changed tasks at HUP, and keeps those that it has where they are wrong", function()
    support.write(tasks, "nonsense")
    server:kill("HUP")
    server:read_until("the tasks stay as they are: [^\n]*tasks.lua:1:", BY, "stderr")
    assert.equal("SUCCESS 1", ask "version")
    support.write(tasks, (TASKS:gsub("return 1 end", "return 2 end")))
    server:kill("HUP")
    support.wait_until(function() return ask "version" == "SUCCESS 2" end, BY, "the new tasks")
  end)

  it("answers what runs before it ends", function()
    local one = caller()
    one.send "sleep [1.5]"
    wait_running()
    server:kill("TERM")
    assert.equal("SUCCESS 1.5", one.answer())
    assert.equal("gone", one.answer())
    one.leave()
    assert.equal(0, (server:wait(BY)))
  end)

  it("gives back what runs at the second signal", function()
    local one = caller()
    one.send "sleep [3600]"
    wait_running()
    server:kill("INT")
    support.wait_until(function()
      local ok = pcall(ask, "add [1, 1]")
      return not ok
    end, BY, "it takes no more callers") -- the first signal has been seen
    server:kill("INT")
    assert.equal(0, (server:wait(BY)))
    assert.equal("gone", one.answer())
    one.leave()
  end)
end)

it("examples/server says what is wrong", function()
  local function run(...)
    local child = support.spawn({ PROGRAM, ... }, { env = { MOIL_REDIS = "unix:///none" } })
    return child:wait(BY), child:stderr()
  end
  local code, complaint = run()
  assert.same({ 2, "usage: " .. PROGRAM .. " PORT TASKS...\n" }, { code, complaint })
  code, complaint = run("7000", "/nowhere")
  assert.same({ 1, "/nowhere: No such file or directory\n" }, { code, complaint })
end)

local support = require "spec.support"

-- Bars on stderr where a person waits: on a terminal alone, and gone at the end.

local TASKS <const> = [[
local moil = require "moil"
moil.task("steps", { bind = true }, function(self, meta)
  self:update_state("PROGRESS", meta)
  while not io.open(DIR .. "/go") do moil.sleep(0.05) end
  return "done"
end)
moil.task("fail", function() error("no", 0) end)
]]

local PATIENCE <const> = 20
local redis, dir

local function start(args)
  args.redis, args.cwd = redis, dir
  if args.terminal then args.env = { TERM = args.term or "xterm" } end
  return support.start_moil(args)
end

local function go() support.write(dir .. "/go", "") end
local function halt() os.remove(dir .. "/go") end

setup(function()
  redis = support.redis()
  dir = support.tempdir()
  support.write(dir .. "/tasks.lua", (TASKS:gsub("DIR", ("%q"):format(dir))))
  local node = support.start_moil { "worker", "tasks.lua", "-w", "1", redis = redis, cwd = dir }
  node:read_until("ready", PATIENCE)
end)

before_each(halt)

describe("--follow on a terminal", function()
  it("draws a bar of what the job tells, and leaves a clean line", function()
    local child = start { "call", "steps", '{"percent":50}', "--follow", terminal = {} }
    child:read_until("%[############%.%.%.%.%.%.%.%.%.%.%.%.%]  50%%  [%d.]+s  PROGRESS "
      .. '{"percent":50}\27%[K', PATIENCE)
    go()
    assert.equal(0, child:wait(PATIENCE))
    assert.matches('\r\27%[K"done"\r\n$', child:stdout())
    assert.is_nil(child:stdout():find("PROGRESS [^\r]*\n"))
  end)

  it("takes done and total, and turns a mark where there is neither", function()
    local child = start { "call", "steps", '{"done":6,"total":8}', "--follow", terminal = {} }
    child:read_until("%[##################%.%.%.%.%.%.%]  75%%", PATIENCE)
    go()
    assert.equal(0, child:wait(PATIENCE))
    halt()
    child = start { "call", "steps", '{"file":"a"}', "--follow", terminal = {} }
    child:read_until('\r[|/\\-]  [%d.]+s  PROGRESS {"file":"a"}', PATIENCE)
    local id = support.moil({ "inspect", "active", "--json", redis = redis }).stdout:match(
      '"id":"([^"]+)"')
    local other = start { "result", id, "--follow", terminal = { rows = 24, columns = 30 } }
    local shown = other:read_until("\r([|/\\-]  [^\27]*)\27%[K", PATIENCE)
    assert.is_true(#shown < 30, shown)
    go()
    assert.equal(0, child:wait(PATIENCE))
    assert.equal(0, other:wait(PATIENCE))
    assert.matches('SUCCESS "done"\r\n$', other:stdout())
  end)

  it("leaves a clean line when it is interrupted", function()
    local child = start { "call", "steps", '{"percent":50}', "--follow", terminal = {} }
    child:read_until("50%%  [%d.]+s  PROGRESS", PATIENCE)
    child:write "\3"
    local _, killed = child:wait(PATIENCE)
    assert.equal(support.native.signals.INT, killed)
    assert.matches("\r\27%[K$", child:stdout())
    go()
  end)

  it("writes lines where stderr is no terminal, or a dumb one", function()
    local child = start { "call", "steps", '{"percent":50}', "--follow", terminal = {},
      term = "dumb" }
    child:read_until('PROGRESS {"percent":50}\r\n', PATIENCE)
    go()
    assert.equal(0, child:wait(PATIENCE))
    assert.is_nil(child:stdout():find("\27", 1, true))
    halt()
    child = start { "call", "steps", '{"percent":50}', "--follow" }
    child:read_until('PROGRESS {"percent":50}\n', PATIENCE)
    go()
    assert.equal(0, child:wait(PATIENCE))
    assert.is_nil(child:stderr():find("\27", 1, true))
  end)

  it("gives up at its timeout", function()
    local child = start { "call", "steps", '{"percent":5}', "--follow", "--timeout", "1.7",
      terminal = {} }
    assert.equal(4, child:wait(PATIENCE))
    assert.matches("\r\27%[Kmoil: the job did not end within 1.7 s", child:stdout())
    go()
  end)

  it("says when nobody serves the queue, and goes on", function()
    local child = start { "call", "steps", "--queue", "nobodys", "--follow", "--timeout", "3",
      terminal = {} }
    child:read_until('moil: no worker serves the queue "nobodys"', PATIENCE)
    child:read_until("\r[|/\\-]  [%d.]+s  waiting\27%[K", PATIENCE)
    assert.equal(4, child:wait(PATIENCE))
  end)
end)

describe("what goes in pages", function()
  -- So many jobs, pending or dead, without a worker's help.
  local function fill(n, place)
    local id, batch = 0, {}
    while id < n do
      for i = 1, 500 do batch[i] = "J1 bulk 5 0 0 0 1 fail 2 0 0\n[]" end
      local args = { "HSET", "{moil}:jobs" }
      local list = place == "dead" and { "ZADD", "{moil}:dead" }
        or { "RPUSH", "{moil}:queue:bulk:5" }
      for i = 1, 500 do
        id = id + 1
        local name = place .. id
        args[#args + 1] = name
        args[#args + 1] = place == "dead"
          and ("R1 FAILURE bulk 5 0 1 1 1 1 0 - fail 2 %d\n{}"):format(#batch[i]) .. batch[i]
          or batch[i]
        if place == "dead" then list[#list + 1] = tostring(id) end
        list[#list + 1] = name
      end
      redis:call(table.unpack(args))
      redis:call(table.unpack(list))
    end
    redis:call("HSET", "{moil}:queues", "bulk", "p5")
  end

  -- Its output on a terminal; where it took long enough for a bar, that was one, and is gone.
  local function run(pattern, args)
    args.terminal = {}
    local child = start(args)
    assert.equal(0, child:wait(60))
    local text = child:stdout()
    if text:find("\r", 1, true) and text:find("%]  ?") then
      assert.matches(pattern, text)
      assert.matches("\r\27%[K[^\r]+\r\n$", text)
    end
    return (text:gsub("^.*\r\27%[K", ""))
  end

  it("shows how far a purge is", function()
    fill(20000, "pending")
    assert.equal("purged 20000 jobs from bulk\r\n",
      run("%[[#.]+%] +%d+%%  [%d.]+s  %d+ jobs dropped", { "purge", "bulk" }))
  end)

  it("shows how far retry and delete of the dead are", function()
    fill(5000, "dead")
    assert.equal("retried 5000 jobs\r\n",
      run("%[[#.]+%] +%d+%%  [%d.]+s  %d+ of 5000 jobs", { "dead", "retry", "--all" }))
    fill(10000, "dead")
    assert.equal("deleted 10000 jobs\r\n",
      run("%[[#.]+%] +%d+%%  [%d.]+s  %d+ of 10000 jobs", { "dead", "delete", "--all" }))
  end)
end)

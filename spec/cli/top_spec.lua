local support = require "spec.support"
local screens = require "spec.support.screen"
local native = support.native

-- `moil top` on a terminal of its own: what it shows, its keys, and that it gives the terminal
-- back.

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + y end)
moil.task("sleep", { bind = true }, function(self, s)
  self:update_state("NAPPING", { percent = 10 })
  moil.sleep(s)
end)
]]

local PATIENCE <const> = 20
local redis, dir

local function moil(args)
  args.redis, args.cwd = redis, dir
  return support.moil(args)
end

local function done(args)
  local out = moil(args)
  assert.equal(0, out.code, out.stderr)
  return (out.stdout:gsub("\n$", ""))
end

local top = {}
top.__index = top

-- Starts it on a terminal of that size and waits for its first frame.
local function open(rows, columns, options)
  options = options or {}
  local args = { "top", "--interval", "0.2", redis = options.redis or redis, cwd = dir,
    terminal = { rows = rows, columns = columns }, env = { TERM = "xterm", NO_COLOR = "1" } }
  local self = setmetatable({ rows = rows, columns = columns }, top)
  self.child = options.start and options.start(args) or support.start_moil(args)
  self.screen = screens.new(rows, columns)
  return self
end

function top:text()
  if self.child:alive() then self.child:turn() end
  return self.screen:feed(self.child:stdout()):text()
end

function top:shows(pattern)
  local text
  support.wait_until(function()
    text = self:text()
    return text:find(pattern)
  end, PATIENCE, function() return ("%q in:\n%s"):format(pattern, text) end)
  return text
end

function top:hides(pattern)
  support.wait_until(function() return not self:text():find(pattern) end, PATIENCE,
    function() return ("no %q in:\n%s"):format(pattern, self.screen:text()) end)
end

function top:press(keys) self.child:write(keys) end

-- Whether the terminal is as it was: lines, echo, cursor, the usual screen.
function top:is_given_back()
  self:text()
  local raw, echo = native.is_raw(self.child.out.fd or self.child.stdin)
  return not raw and echo and not self.screen.hidden and not self.screen.alternate
end

function top:close()
  self:press "q"
  assert.equal(0, self.child:wait(PATIENCE))
end

setup(function()
  redis = support.redis()
  dir = support.tempdir()
  support.write(dir .. "/tasks.lua", TASKS)
  local node = support.start_moil { "worker", "tasks.lua", "-w", "2", "-c", "3", "--name", "oak",
    redis = redis, cwd = dir }
  node:read_until("ready", PATIENCE)
  done { "call", "sleep", "3000", "--id", "napper" }
  for i = 1, 3 do done { "call", "add", "1", "2", "--queue", "idle", "--id", "idle" .. i } end
  done { "call", "add", "1", "2", "--wait", "--queue", "default" }
end)

describe("moil top", function()
  it("shows queues, workers and jobs in 80 by 24", function()
    local t = open(24, 80)
    local text = t:shows "napper"
    assert.matches("^moil top  namespace moil\n3 pending, 1 in flight, ", text)
    assert.matches("\n> Queues %(2%)\nQUEUE +PENDING +OLDEST +IN/S +OUT/S", t:shows "IN/S")
    assert.matches("\nidle +3 +%d", t:shows "idle")
    t:shows "\n  Workers %(2%)\nNODE +PID +HEALTH"
    t:shows "\noak +%d+ +ok +[01] +3 "
    t:shows "\n  Jobs that run %(1%)\nID +TASK +QUEUE +STATE +RUNS +META"
    t:shows 'napper +sleep +default +NAPPING +%d[^\n]*{"percent":10}'
    t:shows "\nq quit  tab pane"
    assert.is_true(t.screen.hidden and t.screen.alternate)
    t:close()
    assert.is_true(t:is_given_back())
  end)

  it("writes little where little changes", function()
    local t = open(24, 80)
    t:shows "napper"
    t:shows "\noak +%d+ +ok"
    local before = #t.child:stdout()
    for _ = 1, 10 do
      t:press "j"
      t:press "k"
    end
    t:press "?"
    t:shows "any key goes back"
    t:press " "
    t:shows "napper"
    assert.is_true(#t.child:stdout() - before < 12000)
    t:close()
  end)

  it("pauses and resumes the selected queue", function()
    local t = open(24, 80)
    t:shows "\nidle"
    t:press "j"
    t:press "p"
    t:shows "\npaused idle"
    t:shows "\nidle[^\n]* yes"
    assert.matches("idle +3 +yes", done { "inspect", "queues" })
    t:press "p"
    t:shows "\nresumed idle"
    t:press "p"
    t:shows "\npaused idle"
    t:press "u"
    t:shows "\nresumed idle"
    t:press "\t"
    t:shows "> Workers"
    t:press "p"
    t:shows "p and u go with the queues"
    t:close()
  end)

  it("keeps to the queue that was selected when others come and go", function()
    local t = open(24, 80)
    t:shows "\nidle"
    t:press "j"
    done { "call", "add", "1", "2", "--queue", "aaa", "--id", "above" }
    t:shows "\naaa"
    t:press "p"
    t:shows "\npaused idle"
    redis:call("DEL", "{moil}:queue:aaa:4")
    redis:call("HDEL", "{moil}:queues", "aaa")
    t:hides "\naaa"
    t:press "p"
    t:shows "\nresumed idle"
    t:press "k"
    t:press "p"
    t:shows "\npaused default"
    t:press "p"
    t:shows "\nresumed default"
    t:close()
    done { "revoke", "above" }
  end)

  it("revokes a job after a question, and ends it where that is wanted", function()
    done { "call", "sleep", "3000", "--id", "victim" }
    local t = open(24, 80)
    t:shows "victim"
    t:press "r"
    t:shows "r goes with the jobs"
    t:press "\27[Z" -- the pane before: the last one
    t:shows "> Jobs that run"
    t:press "/victim\r"
    t:shows "> Jobs that run %(1%)  /victim"
    t:press "r"
    t:shows "\nrevoke victim%? y yes"
    t:press "n"
    t:hides "revoke victim%?"
    t:press "r"
    t:shows "\nrevoke victim%?"
    t:press "y"
    t:shows "victim runs already"
    t:press "r"
    t:shows "\nrevoke victim%?"
    t:press "t"
    t:shows "victim was told to end"
    t:shows "> Jobs that run %(0%)  /victim"
    t:press "\27"
    t:shows "> Jobs that run %(1%)\n"
    t:close()
    assert.matches("^REVOKED", moil({ "result", "victim" }).stderr)
  end)

  it("selects with arrows, and scrolls", function()
    for i = 1, 30 do done { "pause", ("q%02d"):format(i) } end
    local t = open(24, 80)
    t:shows "\nq01 "
    t:press "G"
    t:shows "\nq30 "
    t:press(("\27[A"):rep(29))
    t:shows "\nq01 "
    t:press "\27[6~\27[6~\27[6~\27[6~"
    t:shows "\nq30 "
    t:press "g"
    t:shows "\ndefault "
    t:press "/q2"
    t:shows "\n/q2_"
    t:press "\r"
    t:shows "> Queues %(10%)  /q2"
    t:press "\27"
    t:shows "> Queues %(32%)\n"
    t:close()
    for i = 1, 30 do redis:call("HDEL", "{moil}:queues", ("q%02d"):format(i)) end
  end)

  it("fits smaller terminals, and follows a change of size", function()
    local t = open(8, 40)
    t:shows "> Queues"
    assert.is_nil(t:text():find("Workers %("))
    t:press "\t"
    t:shows "> Workers"
    t.screen = screens.new(40, 132)
    t.screen.at = #t.child:stdout() + 1
    native.resize(t.child.stdin, 40, 132)
    t:shows "  Jobs that run"
    t:shows "{\"percent\":10}"
    t.screen = screens.new(3, 12)
    t.screen.at = #t.child:stdout() + 1
    native.resize(t.child.stdin, 3, 12)
    t:shows "moil top"
    t:close()
  end)

  it("goes on while Redis is away, and says so", function()
    local other = support.redis()
    local t = open(24, 80, { redis = other })
    t:shows "0 pending"
    other:stop()
    t:shows "\ntrying again %(this is [%d.]+s old%): Redis at "
    t:press "\t"
    t:shows "> Workers"
    t:close()
    t = open(24, 80, { redis = "redis://127.0.0.1:1" })
    t:shows "\ntrying again: Redis at [^\n]+ refused"
    t:close()
  end)
end)

describe("the terminal", function()
  it("is given back at ^C and whatever else ends it", function()
    local t = open(24, 80)
    t:shows "napper"
    t:press "\3"
    assert.equal(0, t.child:wait(PATIENCE))
    assert.is_true(t:is_given_back())
    for _, signal in ipairs { "TERM", "HUP", "QUIT", "USR1", "ALRM", "ABRT" } do
      t = open(24, 80)
      t:shows "napper"
      t.child:kill(signal)
      local code, killed = t.child:wait(PATIENCE)
      assert.same({ nil, native.signals[signal] }, { code, killed })
      assert.is_true(t:is_given_back())
    end
  end)

  it("is left where it hangs up", function()
    local t = open(24, 80)
    t:shows "napper"
    local child = t.child
    native.close(child.stdin)
    child.stdin = nil
    child.out:close()
    local _, killed = child:wait(PATIENCE)
    assert.equal(native.signals.HUP, killed)
  end)

  it("is given back at ^Z, and taken again by fg", function()
    local t = open(24, 80, { start = function(args)
      local command = ("set -m; %s top --interval 0.2; echo stopped; read -r line; fg; echo over")
        :format(support.binary)
      return support.spawn({ "bash", "--norc", "-c", command }, { cwd = dir,
        terminal = args.terminal,
        env = { TERM = "xterm", NO_COLOR = "1", MOIL_REDIS = redis.url } })
    end })
    t:shows "napper"
    t:press "\26"
    t:shows "stopped"
    assert.is_true(t:is_given_back())
    t:press "go\n"
    t:shows "napper"
    assert.is_true(t.screen.hidden)
    t:press "q"
    t:shows "over"
    assert.equal(0, t.child:wait(PATIENCE))
    assert.is_true(t:is_given_back())
  end)
end)

describe("moil top without a terminal", function()
  it("prints one frame", function()
    local text = done { "top" }
    assert.matches("^moil top  namespace moil\n%d+ pending", text)
    assert.matches("\n\nQueues %(2%)\nQUEUE +PENDING", text)
    assert.matches("\nidle +3 ", text)
    assert.matches("\nnapper +sleep", text)
    assert.is_nil(text:find("\27", 1, true))
    local out = moil { "top", "--once", "--interval", "0.2", terminal = {},
      env = { NO_COLOR = "1", TERM = "xterm" } }
    assert.matches("\nnapper +sleep", (out.stdout:gsub("\r", "")))
  end)

  it("prints it as JSON", function()
    local frame = support.json_decode(done { "top", "--json", "--interval", "0.5" })
    local idle = frame.queues[2]
    assert.same({ "idle", 3, 0, 0 }, { idle.queue, idle.pending, idle["in"], idle.out })
    assert.equal("napper", frame.jobs[1].id)
    assert.equal("oak", frame.workers[1].node)
    assert.equal(3, frame.totals.pending)
  end)

  it("measures how fast jobs come and go", function()
    local feeder = support.start_lua { "-e", [[
      local moil = require "moil"
      while true do moil.send("add", { 1, 2 }, { queue = "default" }):get { timeout = 10 } end
    ]], redis = redis, stdout = "null", stderr = "null" }
    support.wait_until(function()
      local frame = support.json_decode(done { "top", "--json", "--interval", "0.5" })
      local row = frame.queues[1]
      return row.queue == "default" and row["in"] > 0 and row.out > 0 and frame.totals["in"] > 0
    end, PATIENCE, "rates of the queue")
    feeder:kill "KILL"
    feeder:wait(PATIENCE)
  end)

  it("says what is wrong", function()
    local out = support.moil { "top", "--redis", "redis://127.0.0.1:1" }
    assert.equal(3, out.code)
    assert.matches("^moil: Redis at [^\n]+\n$", out.stderr)
    out = moil { "top", "x" }
    assert.equal(2, out.code)
    out = moil { "top", "--interval", "0" }
    assert.equal(2, out.code)
    assert.matches("%-%-interval", out.stderr)
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- Deaths that nobody could report when they happened, and shutdowns that take too long: no job is
-- left behind.

local TASKS <const> = [[
local moil = require "moil"
moil.task("hold", function() moil.sleep(600) end)
moil.task("once", function(path)
  local f = io.open(path)
  if f then f:close() return "again" end
  io.open(path, "w"):close()
  moil.sleep(600)
end)
]]

describe("a warm shutdown past its timeout", function()
  it("gives back what still runs before the node goes", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "--shutdown-timeout", "0.3" } }
    local held = here.moil.send("hold", {})
    here:wait_state(held.id, "STARTED")
    here.node:kill("TERM")
    assert.equal(0, (here.node:wait(15)))
    assert.equal(0, here.redis:call("HLEN", "{moil}:recovering"))
    assert.equal(0, here.redis:call("HLEN", "{moil}:workers"))
    assert.equal(1, here.redis:call("LLEN", "{moil}:queue:default:5"))
    assert.equal("PENDING", held:state())
  end)
end)

describe("a worker that dies while Redis is away", function()
  it("is recovered when Redis is back", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1" }, appendonly = true }
    local result = here.moil.send("once", { here.dir .. "/seen" })
    here:wait_state(result.id, "STARTED")
    local worker = here.moil.result(result.id):info().worker
    local pid
    support.wait_until(function()
      local out = support.moil { "inspect", "nodes", "--json", redis = here.redis }
      for _, w in ipairs(support.json_decode(out.stdout).workers) do
        if w.incarnation == worker then pid = w.pid end
      end
      return pid
    end, 10, "the node's report names its worker")
    here.redis:kill9()
    assert.equal(0, support.sh("kill -9 " .. math.tointeger(pid)).code)
    here.node:read_until("killed by signal 9", 10)
    here.redis:start()
    assert.equal("again", here.moil.result(result.id):get { timeout = 30 })
  end)
end)

describe("a worker that rouses itself", function()
  it("leaves no message for ever, should it be gone before it comes", function()
    local here = site.open { tasks = TASKS .. [[
      moil.task("gate", function(path)
        while not io.open(path) do moil.sleep(0.01) end
      end)
    ]], args = { "-w", "1", "-c", "1" } }
    local held = here.moil.send("gate", { here.dir .. "/open" })
    here:wait_state(held.id, "STARTED")
    support.wait_until(function() -- it waits on its inbox alone, for a word to end the job
      return here.redis:call("HEXISTS", "{moil}:running", held.id) == 1
    end, 10, "the job is noted")
    local monitor = here.redis:connect(10)
    assert.equal("OK", monitor:call("MONITOR"))
    support.write(here.dir .. "/open", "")
    local inbox, line
    repeat
      line = assert(monitor:receive())
      inbox = line:match('"RPUSH" "([^"]*:inbox:[^"]*)" "N"')
    until inbox
    repeat line = assert(monitor:receive()) until line:find(inbox, 1, true)
    assert.matches('"EXPIRE"', line)
    monitor:close()
  end)
end)

describe("a node that leaves in order", function()
  it("says good-bye also where it was about to try to reach Redis later", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1" }, appendonly = true }
    here.redis:kill9()
    here.node:read_until("worker 1 is degraded: no connection", 30) -- the delays have grown
    here.redis:start()
    here.node:kill("TERM")
    assert.equal(0, (here.node:wait(15)))
    assert.equal(0, here.redis:call("HLEN", "{moil}:leases"))
    assert.equal(0, here.redis:call("HLEN", "{moil}:workers"))
  end)

  it("gives back what its workers left while Redis was away", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-q", "none" } }
    local id = here.moil.send("hold", {}).id
    -- As a worker leaves it that fetches, loses the link before the reply comes, and is told to go.
    local node = here.redis:call("HKEYS", "{moil}:leases")[1]
    local gone = "11111111-2222-4333-8444-555555555555"
    support.eval_script(here.redis, "join", "{moil}:", gone, node)
    support.eval_script(here.redis, "fetch", "{moil}:", gone, 1, "default")
    assert.equal("STARTED", here.moil.result(id):state())
    here.node:kill("TERM")
    assert.equal(0, (here.node:wait(15)))
    assert.equal(0, here.redis:call("HLEN", "{moil}:workers"))
    assert.equal(0, here.redis:call("HLEN", "{moil}:leases"))
    assert.equal("PENDING", here.moil.result(id):state())
  end)

  -- A node whose worker is down, so that the agent is the next to go.
  local function open(lease)
    local here = site.open { tasks = TASKS, args = { "-w", "1", "--lease", lease } }
    local out
    for deaths = 1, 4 do
      here.node:kill("USR1")
      out = here.node:read_until("state: worker 1 pid (%d+) ready", 10)
      support.native.kill(tonumber(out), support.native.signals.KILL)
      here.node:read_until("killed by signal 9", 10)
      if deaths < 4 then
        support.wait_until(function()
          here.node:kill("USR1")
          local ok = pcall(here.node.read_until, here.node, "worker 1 pid %d+ ready", 0.05)
          return ok
        end, 10, "the worker is up again")
      end
    end
    -- The dead worker is recovered, or (on a slow machine) another one has started by now.
    pcall(support.wait_until, function()
      return here.redis:call("HLEN", "{moil}:workers") == 0
        and here.redis:call("HLEN", "{moil}:recovering") == 0
    end, 0.5, "")
    return here
  end

  local function assert_gone(here)
    assert.equal(0, (here.node:wait(15)))
    assert.equal(0, here.redis:call("HLEN", "{moil}:leases"))
    assert.equal(0, here.redis:call("HLEN", "{moil}:nodes"))
  end

  it("sends no heartbeat behind its good-bye", function()
    local here = open "1"
    here.redis:call("CLIENT", "PAUSE", "800", "ALL")
    here.node:kill("TERM")
    assert_gone(here)
  end)

  it("says good-bye once more where Redis had forgotten the script", function()
    local here = open "15"
    here.redis:call("SCRIPT", "FLUSH")
    here.node:kill("TERM")
    assert_gone(here)
  end)
end)

describe("a node that vanishes", function()
  it("is found out by another one after its lease, and its jobs run there", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "--lease", "1" } }
    local result = here.moil.send("once", { here.dir .. "/seen" })
    here:wait_state(result.id, "STARTED")
    local other = here:worker { "-w", "1", "--lease", "1" }
    here.node:kill("KILL")
    assert.equal("again", result:get { timeout = 30 })
    other:read_until("has been silent for a lease %(1 s%)", 10)
    local nodes = support.moil { "inspect", "nodes", "--json", redis = here.redis }
    assert.equal(1, support.json_decode(nodes.stdout:match("[^\n]+")).lease)
  end)
end)

-- A Redis that stands still, forgets, kills and dies, under load: all at once, each on a server of
-- its own. Afterwards each job has ended in SUCCESS, ran once, and was delivered once.

local ledger = require "spec.faults.ledger"
local proxy = require "spec.support.proxy"
local site = require "spec.support.site"
local support = require "spec.support"

local JOBS <const> = 2000

-- What happens to the server once a part of the jobs is through. A function that is returned
-- happens after the next part, and so on.
local troubles = {
  ["DEBUG SLEEP"] = function(redis)
    redis:connect():send("DEBUG", "SLEEP", "2")
  end,
  ["CLIENT PAUSE of all"] = function(redis) redis:call("CLIENT", "PAUSE", "1500", "ALL") end,
  ["CLIENT PAUSE of writes"] = function(redis) redis:call("CLIENT", "PAUSE", "1500", "WRITE") end,
  ["SCRIPT FLUSH"] = function(redis)
    for _ = 1, 20 do redis:call("SCRIPT", "FLUSH") end
    return function() redis:call("SCRIPT", "FLUSH") end
  end,
  ["CLIENT KILL"] = function(redis)
    local function kill() redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") end
    kill()
    return function()
      kill()
      return kill
    end
  end,
  ["a restart"] = function(redis)
    redis:kill9()
    redis:start()
    return function()
      redis:stop() -- in good order, this time
      redis:start()
    end
  end,
  ["a script that runs for long"] = function(redis)
    redis:connect():send("EVAL", [[
      local from = redis.call("TIME")
      repeat
        local now = redis.call("TIME")
      until (now[1] - from[1]) * 1000000 + now[2] - from[2] > 1500000]], 0)
  end,
}

local cases = {}

setup(function()
  for name, start in pairs(troubles) do
    local here = site.open { tasks = ledger.TASKS, args = { "-w", "1", "-c", "8" },
      appendonly = name == "a restart", config = { ["busy-reply-threshold"] = 500 } }
    cases[name] = { site = here, books = ledger.open(here), next = start }
    cases[name].books:add(JOBS, "count_slowly", 0.004)
  end
  for part = 1, 3 do
    for _, case in pairs(cases) do
      case.books:wait_count(part * 400)
      case.next = case.next and case.next(case.site.redis)
    end
  end
end)

for name in pairs(troubles) do
  it(name .. " under load: nothing is lost, nothing runs twice", function()
    local case = cases[name]
    assert.is_truthy(case, "it did not start")
    case.books:check { once = true }
    case.site.node:stop()
    assert.equal(0, case.site.redis:call("HLEN", "{moil}:workers"))
    local out = support.moil { "inspect", "audit", redis = case.site.redis }
    assert.equal(0, out.code, out.stdout .. out.stderr)
  end)
end

describe("a full memory", function()
  it("refuses producers with a reason; what is there runs, ends and makes room", function()
    local here = site.open { tasks = ledger.TASKS, args = { "-w", "1", "-c", "8" } }
    local books = ledger.open(here)
    books:add(1000, "count_slowly", 0.004)
    here.redis:call("CONFIG", "SET", "maxmemory", "1")
    local moil = here.moil
    local ok, err = pcall(moil.send, "count", { "x" }, { id = "x" })
    assert.same({ false, "RedisUnavailable" }, { ok, err.code })
    assert.matches("out of memory: raise its maxmemory", err.message)
    books:check { once = true }
    here.redis:call("CONFIG", "SET", "maxmemory", "0")
    assert.is_true(moil.send("count", { "x" }, { id = "x" }).created)
    here.node:stop()
  end)
end)

describe("the note of a job that runs for long", function()
  local redis, net, here

  setup(function()
    redis = support.redis()
    net = proxy.start(redis)
    here = site.open { tasks = ledger.TASKS .. [[
      moil.task("long", function(name) note(name) moil.sleep(60) end)
    ]], redis = redis, url = net.url, args = { "-w", "1", "-c", "8" } }
  end)

  local function start(id)
    here.moil.send("long", { id }, { id = id })
    support.wait_until(function()
      for _, line in ipairs(here:notes()) do
        if line == id then return true end
      end
    end, 10, id .. " runs")
  end

  local function wait_noted(id)
    support.wait_until(function() return redis:call("HEXISTS", "{moil}:running", id) == 1 end, 15,
      "the note of " .. id)
  end

  it("is made again after SCRIPT FLUSH", function()
    start "first"
    wait_noted "first"
    start "second"
    redis:call("SCRIPT", "FLUSH")
    wait_noted "second"
  end)

  it("is made again when the link was lost before its answer", function()
    net:order("mute", redis:call("SCRIPT", "LOAD", support.script "progress"))
    start "third"
    wait_noted "third"
    redis:call("DEL", "{moil}:running") -- as if it had not been heard
    net:order("reset")
    net:order("forward")
    wait_noted "third"
    wait_noted "first"
    for _, id in ipairs { "first", "second", "third" } do
      here.moil.result(id):revoke { terminate = true }
      here:wait_state(id, "REVOKED")
    end
    here.node:stop()
  end)
end)

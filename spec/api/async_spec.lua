local site = require "spec.support.site"
local support = require "spec.support"

-- The client on a host's loop (moil_async_*), through spec/support/async_probe.c.

local TASKS <const> = [[
local moil = require "moil"
moil.task("quick", function(...) return (...) end)
moil.task("steps", { bind = true }, function(self, n)
  for i = 1, n do self:update_state("STEP", { i = i }) moil.sleep(0.03) end
  return n
end)
]]

local PROBE <const> = support.build .. "/spec/async_probe"

local here

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "1" } }
end)

-- All that a scene prints. `between` is called for each "ready", with its number.
local function play(url, deadline, scene, words, between)
  local process = support.spawn({ PROBE, url, tostring(deadline), scene,
    table.unpack(words or {}) }, { stdin = "pipe", stdout = "pipe" })
  local lines, pauses = {}, 0
  repeat
    local line = process:read_until("^([^\n]*)\n", 60, "stdout")
    if line == "ready" then
      pauses = pauses + 1
      between(pauses)
      process:write("go\n")
    else
      lines[#lines + 1] = line
    end
  until line == "end"
  assert.equal(0, process:wait(20), table.concat(lines, "\n"))
  local out = table.concat(lines, "\n") .. "\n"
  assert.is_nil(out:find("EARLY", 1, true), out)
  assert.matches("^open 0 \n", out)
  return out
end

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

describe("moil_async", function()
  it("has all calls, and copies what they are given", function()
    local out = play(here.url, 20, "all")
    for _, line in ipairs {
      "enqueue 0 a:1 b:1 c:1", "wait 0 SUCCESS 3", "steps 0 SUCCESS 3", "later 0 later:1",
      'job 0 .*"state":"SCHEDULED"', 'scheduled 0 .*"later"', 'queues 0 .*"default"',
      "served 0 [01]",
      "put off 0 SCHEDULED", "revoke 0 REVOKED", "forget 0 1", "delete 0 1", "pause 0 1",
      "purge 0 1", "resume 0 1", "gone %-7 no job under this id",
      "no id %-2 an id is 1 to 200", "no task %-2 job 1: task must be",
      "no jobs %-2 jobs: NULL", "no view %-2 there is no view 99",
    } do
      assert.matches("\n" .. line, out)
    end
  end)

  it("has any number under way on one connection", function()
    local out = play(here.url, 60, "many", { "2000" })
    assert.matches("right 2000\n", out)
    assert.is_nil(out:find("wrong", 1, true), out)
  end)

  it("enqueues thousands by one call", function()
    local redis = support.redis()
    assert.matches("\nbulk 0 %x", play(redis.url, 60, "bulk", { "3500" }))
    assert.equal(3500, redis:call("HLEN", "{moil}:jobs"))
    assert.matches("\nbulk 0 \n", play(redis.url, 60, "bulk", { "0" }))
  end)

  it("cancels at once, wherever a call is", function()
    local out = play(here.url, 20, "cancel")
    assert.matches("\nwait %-17 cancelled by the program\ncancelled\n", out)
    assert.equal(1, count(out, "progress of in it: STEP"))
    assert.equal(1, count(out, "\nin it %-17 "))
    assert.equal(1, count(out, "\nsent "))
    assert.equal(1, count(out, "\nafter 0 "))
  end)

  it("closes inside a callback, and first tells all that is under way", function()
    local out = play(here.url, 20, "close")
    assert.matches("\nfirst 0 {", out)
    for _, name in ipairs { "wait", "again" } do
      assert.equal(1, count(out, "\n" .. name .. " %-17 "), out)
    end
    assert.equal(1, count(out, "\nsecond "))
    assert.matches("\nclosed 0 .*\nend\n", out)
  end)

  it("closes inside a progress callback", function()
    local out = play(here.url, 20, "close_in_progress")
    assert.equal(1, count(out, "\nwait %-17 "), out)
    assert.equal(1, count(out, "\nother %-17 "), out)
  end)

  it("closes before its loop has run", function()
    local out = play(here.url, 20, "close_early")
    assert.equal(1, count(out, "\nwait %-17 "), out)
    assert.equal(1, count(out, "\nenqueue %-17 "), out)
  end)

  it("goes on when the link was lost, and fails at the deadline while it is", function()
    local there = site.open { tasks = TASKS, args = { "-w", "1" }, appendonly = true }
    local out = play(there.redis.url, 0.5, "outage", nil, function(n)
      if n == 1 then there.redis:kill9() else there.redis:start() end
    end)
    assert.matches("\nfails %-4 Redis at ", out)
    assert.matches("\nfails too %-4 Redis at ", out)
    assert.matches("\nagain 0 x:1\n", out)
    assert.equal(1, count(out, "\nwait "), out)
    assert.matches("\nwait 0 SUCCESS 200\n", out)
  end)

  it("tells at the deadline that there is no Redis", function()
    local out = play("unix:///nowhere/at/all", 0.3, "bulk", { "1" })
    assert.matches("\nbulk %-4 Redis at .*No such file", out)
  end)

  it("lives on without a signal when the server has closed the socket", function()
    local redis = support.redis()
    local function cut() redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") end
    assert.equal(5, count(play(redis.url, 20, "closed_socket", nil, cut), "\ncall %d 0 0"))
    assert.equal(5, count(play(redis.url, 20, "blocking", { redis.url }, cut), "\nblocking 0 "))
  end)
end)

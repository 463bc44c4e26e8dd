local site = require "spec.support.site"
local support = require "spec.support"

-- `moil events`: what a listener is told.

local BY <const> = 20

describe("moil events", function()
  local here, listeners

  setup(function()
    here = site.open { tasks = [[
      local moil = require "moil"
      moil.task("add", function(a, b) return a + b end)
      moil.task("other", function() return 1 end)
      moil.task("flaky", { bind = true }, function(self)
        if self.retries == 0 then self:retry { countdown = 0 } end
        error { code = "Odd", message = "twice" }
      end)
      moil.task("step", { bind = true }, function(self) self:update_state("HALF", { n = 1 }) end)
    ]], args = { "-w", "1", "--name", "n" } }
  end)

  before_each(function() listeners = {} end)
  after_each(function()
    for _, l in ipairs(listeners) do l:kill "KILL" l:wait(BY) end
  end)

  local function listen(...)
    local function count() return here.redis:call("PUBSUB", "NUMSUB", "{moil}:events")[2] end
    support.wait_until(function() return count() == 0 end, BY, "those before are gone")
    local l = support.start_moil { "events", redis = here.url, ... }
    listeners[#listeners + 1] = l
    support.wait_until(function()
      return count() == 1
        and here.redis:call("EXISTS", "{moil}:listeners") == 1
    end, BY, "it listens")
    return l
  end

  local function events(l)
    local list = {}
    for line in l:stdout():gmatch "[^\n]+" do list[#list + 1] = support.json_decode(line) end
    return list
  end

  local function wait_events(l, count)
    support.wait_until(function() return #events(l) >= count end, BY,
      function() return count .. " events: " .. l:stdout() .. l:stderr() end)
    return events(l)
  end

  it("tells a job's life, with who and when", function()
    local l = listen("--task", "a?d")
    assert.equal(3, here:call("add", 1, 2))
    here:call("other")
    local list = wait_events(l, 3)
    assert.same({ "enqueued", "started", "succeeded" },
      { list[1].type, list[2].type, list[3].type })
    for _, e in ipairs(list) do
      assert.same({ "add", "default", list[1].id }, { e.task, e.queue, e.id })
    end
    assert.equal("n", list[3].node)
    assert.is_true(list[3].runtime >= 0 and list[3].at >= list[1].at)
    l:kill "INT"
    assert.equal(0, l:wait(BY))
    assert.equal(3, #events(l))
  end)

  it("tells failures, retries, progress and chains", function()
    local l = listen("--type", "failed,retried,dead,progress,tick")
    here:failure "flaky"
    here:call "step"
    local list = wait_events(l, 4)
    local told = {}
    for i, e in ipairs(list) do told[i] = e.type .. " " .. (e.code or e.state or e.delay) end
    assert.same({ "retried 0", "failed Odd", "dead Odd", "progress HALF" }, told)
  end)

  it("ends at its limit, its time, TERM and a closed pipe", function()
    local l = listen("--limit", "2")
    here:call("add", 1, 2)
    assert.equal(0, l:wait(BY))
    assert.equal(2, #events(l))
    assert.equal(0, support.moil({ "events", "--timeout", "0.3", redis = here.url }).code)
    l = listen()
    l:kill "TERM"
    assert.equal(0, l:wait(BY))
    local out = support.sh(("(%s events | head -1; echo ended) & "
      .. "while kill -0 $! 2>/dev/null; do %s call add 1 2 --wait >/dev/null; done"):format(
      support.binary, support.binary), { redis = here.url, timeout = BY })
    assert.matches("^{.*}\nended\n$", out.stdout)
  end)

  it("says what is wrong", function()
    local out = support.moil { "events", redis = "unix:///nowhere.sock" }
    assert.equal(3, out.code)
    assert.equal(2, support.moil({ "events", "what", redis = here.url }).code)
    for _, types in ipairs { "nosuch", "started,nosuch", "start" } do
      local refused = support.moil { "events", "--type", types, "--timeout", "5", redis = here.url }
      assert.equal(2, refused.code)
      assert.matches('^moil: "%a+" is no type of event; these are: enqueued,',
        refused.stderr)
    end
    here.redis:call("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "-subscribe")
    out = support.moil { "events", "--deadline", "1",
      redis = here.url:gsub("^unix://", "unix://deaf:pw@") }
    assert.equal(3, out.code)
    assert.matches("subscribe", out.stderr)
  end)

  it("goes on after Redis dropped it, and tells how many it has missed", function()
    local l = listen("--task", "add")
    here:call("add", 1, 1)
    wait_events(l, 3)
    l:kill "STOP"
    here.redis:call("CLIENT", "KILL", "TYPE", "pubsub")
    for _ = 1, 5 do here:call("other") end
    l:kill "CONT"
    support.wait_until(function()
      here:call("add", 2, 2)
      local list = events(l)
      return list[#list].type == "succeeded" and #list > 4
    end, BY, "it hears again")
    local lost
    for _, e in ipairs(events(l)) do lost = lost or e.type == "lost" and e end
    assert.is_true(lost.count >= 15)
  end)

  it("tells no loss to a reader that is slow", function()
    local fifo = here.dir .. "/out"
    assert(os.execute("mkfifo " .. fifo))
    local l = support.spawn({ "sh", "-c",
      'exec "$0" events --type enqueued --limit 2000 --timeout 60 >out', support.binary },
      { cwd = here.dir, env = { MOIL_REDIS = here.url } })
    listeners[#listeners + 1] = l
    local out <close> = assert(io.open(fifo, "r"))
    support.wait_until(function()
      return here.redis:call("PUBSUB", "NUMSUB", "{moil}:events")[2] == 1
    end, BY, "it listens")
    for _ = 1, 2000 do here.moil.send("other") end
    local text = ""
    -- It waits for its reader, and each time that it goes on a renewal is due.
    for _ = 1, 3 do
      local due = support.now() + 2.2
      support.wait_until(function() return support.now() > due end, BY, "a renewal is due")
      text = text .. out:read(20000)
    end
    text = text .. out:read "a"
    assert.equal(2000, select(2, text:gsub('"enqueued"', "")))
    assert.is_nil(text:find('"lost"', 1, true))
    assert.equal(0, l:wait(BY))
  end)

  it("goes on when Redis was restarted", function()
    local l = listen("--task", "add")
    here:call("add", 1, 1)
    wait_events(l, 3)
    here.redis:restart()
    support.wait_until(function()
      local id = here.moil.send("add", { 2, 2 }).id
      for _, e in ipairs(events(l)) do if e.id == id then return true end end
    end, BY, "it hears again")
    l:kill "INT"
    assert.equal(0, l:wait(BY))
  end)

  it("outlives SCRIPT FLUSH", function()
    local l = listen("--task", "add")
    here.redis:call("SCRIPT", "FLUSH")
    here:call("add", 1, 1)
    wait_events(l, 3)
  end)

  it("costs nothing when it has gone", function()
    support.wait_until(function() return here.redis:call("EXISTS", "{moil}:listeners") == 0 end, BY,
      "the key expires")
    here:call("add", 1, 2)
    assert.equal(0, here.redis:call("EXISTS", "{moil}:listeners"))
  end)
end)

-- One connection's life: src/net/link.c, against real servers that are killed, paused, locked and
-- flushed.

local driver = require "spec.net.driver"
local support = require "spec.support"

local EREDIS, EREPLY, ETIMEOUT, EAUTH, ELOADING, ENOSCRIPT <const> = -4, -5, -6, -12, -13, -14

describe("a link", function()
  local redis, l

  setup(function() redis = support.redis { tcp = true } end)
  teardown(function() redis:stop() end)
  after_each(function()
    if l then l:free() end
    l = nil
  end)

  it("is stopped until it is started", function()
    l = driver.new(redis.url)
    assert.equal("stopped", l:state())
    assert.same({ nil, EREDIS }, { l:send(1000, "PING") })
    assert.same({ nil, EREDIS }, { l:send_eval("queues") })
    assert.matches("not connected yet", (l:error()))
  end)

  it("sends commands and gets replies in order, over a unix socket and TCP", function()
    for _, url in ipairs { redis.url, redis.tcp_url } do
      l = driver.up(url)
      assert.same({ "up", "", 0 }, { l:state(), l:error() })
      local tags = {}
      for i = 1, 100 do tags[i] = l:send(5000, "ECHO", "n\0" .. i) end
      assert.equal(100, l.raw:outstanding())
      l:until_tag(tags[100])
      for i = 1, 99 do assert.equal(tags[i], l.events[i].tag) end
      assert.equal("n\0" .. 99, l.events[99].reply)
      assert.equal(0, l.raw:outstanding())
      l:free()
    end
    l = nil
  end)

  it("gives replies of every type", function()
    l = driver.up(redis.url)
    assert.same({ 1, "two", { false, 3 } }, l:ask("EVAL", "return {1, 'two', {false, 3}}", 0).reply)
    assert.equal(false, l:ask("GET", "none").reply)
    local event = l:ask("NONSENSE")
    assert.equal(EREPLY, event.err)
    assert.matches("^ERR unknown command", event.reply.err)
  end)

  it("runs scripts, sending each one's text once", function()
    l = driver.up(redis.url)
    redis:call("SCRIPT", "FLUSH")
    redis:call("CONFIG", "RESETSTAT")
    for _ = 1, 3 do assert.equal(0, l:eval("queues").err) end
    assert.equal("1", redis:info("cmdstat_script|load"):match("calls=(%d+)"))
    assert.equal("3", redis:info("cmdstat_evalsha"):match("calls=(%d+)"))
  end)

  it("recovers from a flushed script cache: one error, then the text goes first again", function()
    l = driver.up(redis.url)
    assert.equal(0, l:eval("queues").err)
    redis:call("SCRIPT", "FLUSH")
    local first, second = l:send_eval("queues"), l:send_eval("queues")
    assert.same({ ENOSCRIPT, ENOSCRIPT }, { l:until_tag(first).err, l:until_tag(second).err })
    assert.equal("up", l:state())
    assert.same({ 0, { 0, 0, 0, 0 } }, { l:eval("queues").err, l:eval("queues").reply })
  end)

  it("selects the URL's database", function()
    l = driver.up(redis.url .. "?db=3")
    l:ask("SET", "here", "3")
    redis:call("SELECT", 3)
    assert.equal("3", redis:call("GET", "here"))
    redis:call("SELECT", 0)
    assert.is_nil(redis:call("GET", "here"))
  end)

  it("says when there is no such database", function()
    l = driver.new(redis.url .. "?db=99")
    l:start()
    assert.equal(EREPLY, l:until_kind("down").err)
    assert.matches("DB index is out of range", (l:error()))
  end)

  describe("on a server that dies", function()
    local mortal

    before_each(function()
      mortal = support.redis()
      l = driver.up(mortal.url)
    end)
    after_each(function() mortal:stop() end)

    it("calls each callback once, then tells, and comes back with the server", function()
      local tags = {}
      for i = 1, 5 do tags[i] = l:send(60000, "BLPOP", "nothing", 0) end
      mortal:kill9()
      assert.equal(EREDIS, l:until_kind("down").err)
      for i = 1, 5 do
        assert.equal(tags[i], l.events[i].tag)
        assert.same({ EREDIS, nil }, { l.events[i].err, l.events[i].reply })
      end
      assert.same({ nil, EREDIS }, { l:send(1000, "PING") })
      l:until_kind("down") -- an attempt in vain
      assert.matches("Redis at unix://.*: ", (l:error()))
      assert.equal(5, l:count("reply"))
      mortal:start()
      l:until_kind("up")
      assert.equal("PONG", l:ask("PING").reply)
      assert.equal(0, l:eval("queues").err)
      assert.equal(5, l:count("reply"))
    end)

    it("tries again with a growing delay, which begins anew after success", function()
      mortal:kill9()
      l:until_kind("down")
      local at, delays = support.now(), {}
      for i = 1, 4 do
        l:until_kind("down")
        delays[i] = support.now() - at
        at = support.now()
      end
      -- 50, 100, 200, 400 ms, of which half is drawn by lot.
      for i = 1, 4 do
        local most = 0.05 * 2 ^ (i - 1)
        assert.is_true(delays[i] >= most / 2 - 0.005 and delays[i] <= most + 1,
          i .. ": " .. delays[i])
      end
      -- Grown, it would be 400 ms at least; a machine that is busy may be late, but not each time.
      local least = math.huge
      for _ = 1, 5 do
        mortal:start()
        l:until_kind("up")
        mortal:kill9()
        l:until_kind("down")
        at = support.now()
        l:until_kind("down")
        least = math.min(least, support.now() - at)
        if least < 0.39 then break end
      end
      assert.is_true(least < 0.39, least)
      mortal:start()
    end)
  end)

  it("is taken down when an answer's deadline passes, and comes back", function()
    l = driver.up(redis.url)
    redis:call("CLIENT", "PAUSE", 60000, "WRITE")
    local started = support.now()
    local tag, behind = l:send(100, "SET", "k", "v"), l:send(100, "PING")
    assert.same({ ETIMEOUT, ETIMEOUT }, { l:until_tag(tag).err, l:until_tag(behind).err })
    local took = support.now() - started
    redis:call("CLIENT", "UNPAUSE")
    assert.is_true(took >= 0.095 and took < 4, took)
    assert.equal(ETIMEOUT, l:until_kind("down").err)
    assert.matches("no answer within the deadline", (l:error()))
    l:until_kind("up")
    assert.equal("PONG", l:ask("PING").reply)
  end)

  it("keeps a short deadline that follows an answered long one", function()
    l = driver.up(redis.url)
    assert.equal("PONG", l:until_tag(l:send(60000, "PING")).reply)
    local started = support.now()
    assert.equal(ETIMEOUT, l:until_tag(l:send(50, "BLPOP", "nothing", 0)).err)
    assert.is_true(support.now() - started < 4)
    l:until_kind("up")
  end)

  it("keeps a short deadline behind a long one", function()
    l = driver.up(redis.url)
    local long, started = l:send(60000, "BLPOP", "nothing", 0), support.now()
    assert.equal(ETIMEOUT, l:until_tag(l:send(50, "PING"), 2).err)
    assert.equal(ETIMEOUT, l:until_tag(long).err)
    assert.is_true(support.now() - started < 4)
  end)

  it("does not lose calls that are answered within their deadlines, one after the other", function()
    l = driver.up(redis.url)
    for _ = 1, 4 do assert.same({}, l:until_tag(l:send(200, "EVAL", "return {}", 0)).reply) end
    assert.equal(false, l:until_tag(l:send(2000, "BLPOP", "nothing", "0.15")).reply)
    assert.equal("PONG", l:until_tag(l:send(100, "PING")).reply)
    assert.equal("up", l:state())
  end)

  it("survives a server that stands still for less than the deadline", function()
    l = driver.up(redis.url)
    local other = redis:connect()
    other:send("DEBUG", "SLEEP", "0.1")
    assert.equal("PONG", l:until_tag(l:send(3000, "PING")).reply)
    other:receive()
    other:close()
  end)

  describe("that is stopped", function()
    it("calls all callbacks once and connects no more", function()
      l = driver.up(redis.url)
      for _ = 1, 3 do l:send(60000, "BLPOP", "nothing", 0) end
      l:stop()
      l:pump(0.2)
      assert.equal(3, l:count("reply"))
      for _, event in ipairs(l.events) do assert.same({ "reply", EREDIS }, { event.kind,
        event.err }) end
      assert.equal("stopped", l:state())
      assert.same({ nil, EREDIS }, { l:send(1000, "PING") })
      l:stop()
      l:start()
      l:until_kind("up")
      assert.equal("PONG", l:ask("PING").reply)
    end)

    it("may be stopped by a callback", function()
      l = driver.up(redis.url)
      l.raw:stop_in_callback()
      local tags = { l:send(5000, "PING"), l:send(5000, "PING"), l:send(5000, "BLPOP", "nothing",
        0) }
      for i, err in ipairs { 0, 0, EREDIS } do
        local event = l:until_tag(tags[i])
        if i ~= 2 then assert.equal(err, event.err) end
      end
      l:pump(0.1)
      assert.equal("stopped", l:state())
      assert.equal(0, #l.events)
    end)

    it("may be stopped while it connects, or waits to connect again", function()
      l = driver.new(redis.tcp_url)
      l:start()
      assert.equal("connecting", l:state())
      l:stop()
      l:pump(0.05)
      assert.equal("stopped", l:state())
      l:free()
      l = driver.new("unix:///nowhere/at/all")
      l:start()
      l:until_kind("down")
      l:stop()
      l.events = {}
      l:pump(0.15)
      assert.equal(0, #l.events)
    end)

    it("may be freed with calls under way", function()
      l = driver.up(redis.url)
      for _ = 1, 3 do l:send(60000, "BLPOP", "nothing", 0) end
      l:free()
      l = nil
    end)
  end)

  it("says what is wrong with an address", function()
    for url, message in pairs {
      ["redis://127.0.0.1:" .. support.native.free_port()] = "Redis at redis://127.*: .* refused",
      ["unix:///nowhere/at/all"] = "Redis at unix:///nowhere/at/all.*: No such file",
    } do
      l = driver.new(url)
      l:start()
      assert.equal(EREDIS, l:until_kind("down").err)
      assert.matches(message, (l:error()))
      l:free()
    end
    l = nil
  end)
end)

describe("a log-in", function()
  local redis, l

  setup(function()
    redis = support.redis { tcp = true, config = { requirepass = "se:cret" } }
    redis:call("ACL", "SETUSER", "worker", "on", ">pw", "~*", "+@all")
    redis:call("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+ping", "-@scripting")
  end)
  teardown(function() redis:stop() end)
  after_each(function() l:free() end)

  local function url(login) return ("redis://%s@127.0.0.1:%d"):format(login, redis.port) end

  local function refused(with)
    l = driver.new(with)
    l:start()
    assert.equal(EAUTH, l:until_kind("down").err)
    local text, code = l:error()
    assert.equal(EAUTH, code)
    return text
  end

  it("is done with the URL's password, or user and password", function()
    for _, login in ipairs { ":se%3acret", "default:se%3acret", "worker:pw" } do
      l = driver.up(url(login))
      assert.equal("PONG", l:ask("PING").reply)
      l:free()
    end
    l = driver.up(url ":se%3acret")
  end)

  it("is asked for where the URL has none", function()
    assert.matches("it wants a password: redis://user:password@host", refused(redis.tcp_url))
  end)

  it("is refused with a wrong password, which is not shown", function()
    local text = refused(url ":wrong-one")
    assert.matches("it refused the user or password of the URL", text)
    assert.not_matches("wrong%-one", text)
  end)

  it("is refused to an unknown user", function()
    assert.matches("it refused the user or password of the URL", refused(url "nobody:pw"))
  end)

  it("goes on trying, as passwords change", function()
    refused(url "late:pw")
    redis:call("ACL", "SETUSER", "late", "on", ">pw", "~*", "+@all")
    l:until_kind("up")
  end)

  it("lets a user without rights to scripts know so", function()
    l = driver.up(url "reader:pw")
    local event = l:eval("queues")
    assert.equal(EAUTH, event.err)
    assert.matches("^NOPERM", event.reply.err)
  end)
end)

describe("a server that loads its data", function()
  it("is waited for", function()
    local redis = support.redis { appendonly = true, config = { ["key-load-delay"] = 500,
      ["loading-process-events-interval-bytes"] = 1024 } }
    redis:call("CONFIG", "SET", "rdbcompression", "no")
    local script = "for i = 1, 2000 do redis.call('SET', 'k' .. i, string.rep('x', 100)) end"
    redis:call("EVAL", script, 0)
    redis:call("BGREWRITEAOF")
    support.wait_until(function() return redis:info("aof_rewrite_in_progress") == "0" end, 5,
      "the rewrite")
    redis:disconnect()
    redis.process:kill("KILL")
    redis.process:wait(5)
    local l = driver.new(redis.url)
    redis.process = support.spawn(redis.argv)
    redis.pid = redis.process.pid
    l:start()
    local seen = {}
    repeat
      local event = l:until_event(function(e) return e.kind == "up" or e.kind == "down" end, 10,
        "an event")
      seen[event.err] = true
    until event.kind == "up"
    assert.is_true(seen[ELOADING])
    assert.equal(0, l:eval("queues").err)
    l:free()
    redis:stop()
  end)
end)

-- A primary that becomes a replica, and the other way round: workers, agent and clients leave the
-- one that refuses writes, and go on at the other. Real servers, real replication.

local driver = require "spec.net.driver"
local ledger = require "spec.faults.ledger"
local proxy = require "spec.support.proxy"
local site = require "spec.support.site"
local support = require "spec.support"

local EREADONLY <const> = -11

-- A primary and its replica, in step.
local function pair()
  local options = { tcp = true, config = { ["repl-diskless-sync-delay"] = 0 } }
  local primary, replica = support.redis(options), support.redis(options)
  replica:call("REPLICAOF", "127.0.0.1", primary.port)
  support.wait_until(function() return replica:info("master_link_status") == "up" end, 20,
    "the replica follows")
  return primary, replica
end

-- Swaps their roles without losing a write.
local function swap(primary, replica)
  primary:call("FAILOVER", "TO", "127.0.0.1", replica.port)
  support.wait_until(function() return replica:info("role") == "master" end, 20, "the swap")
end

describe("a link to a replica", function()
  local redis, l

  before_each(function()
    redis = support.redis { tcp = true }
    l = driver.up(redis.url)
  end)
  after_each(function()
    l:free()
    redis:stop()
  end)

  it("is left at the first write that is refused, and made anew until one is taken", function()
    redis:call("REPLICAOF", "127.0.0.1", "1")
    local event = l:ask("SET", "k", "v")
    assert.equal(EREADONLY, event.err)
    assert.matches("^READONLY", event.reply.err)
    assert.equal(EREADONLY, l:until_kind("down").err)
    assert.matches("read%-only replica: give the URL of its primary", (l:error()))
    for _ = 1, 2 do -- it answers PING, so the link comes up, and is left again
      l:until_kind("up")
      assert.equal(EREADONLY, l:ask("SET", "k", "v").err)
      l:until_kind("down")
    end
    redis:call("REPLICAOF", "NO", "ONE")
    l:until_kind("up")
    assert.equal("OK", l:ask("SET", "k", "v").reply)
    assert.equal("up", l:state())
  end)

  it("waits longer each time", function()
    redis:call("REPLICAOF", "127.0.0.1", "1")
    local longest = 0
    for _ = 1, 5 do -- 50, 100, 200, 400, 800 ms, of which half is drawn by lot
      assert.equal(EREADONLY, l:ask("SET", "k", "v").err)
      l:until_kind("down")
      local from = support.now()
      l:until_kind("up")
      longest = math.max(longest, support.now() - from)
    end
    assert.is_true(longest >= 0.39, longest)
  end)

  it("fails what was sent behind the refused write as lost: its fate is not known", function()
    redis:call("REPLICAOF", "127.0.0.1", "1")
    local first, second = l:send(5000, "SET", "k", "v"), l:send(5000, "PING")
    assert.equal(EREADONLY, l:until_tag(first).err)
    assert.same({ EREADONLY, nil }, { l:until_tag(second).err, nil })
  end)

  it("is left when it becomes one under a BLPOP", function()
    local tag = l:send(20000, "BLPOP", "nothing", 0)
    redis:call("REPLICAOF", "127.0.0.1", "1")
    local event = l:until_tag(tag)
    assert.equal(EREADONLY, event.err)
    l:until_kind("down")
  end)

  it("serves reads, and is not left for them", function()
    redis:call("REPLICAOF", "127.0.0.1", "1")
    for _ = 1, 5 do assert.equal(false, l:ask("GET", "k").reply) end
    assert.equal(0, l:count("down"))
  end)
end)

describe("a failover in good order", function()
  -- Both at once: workers behind a proxy that is pointed elsewhere, and behind a socket's name that
  -- is.
  it("loses nothing, runs nothing twice, and gives no job away", function()
    local a, b = pair()
    local net = proxy.start(a)
    local here = site.open { tasks = ledger.TASKS, redis = a, url = net.url,
      args = { "-w", "2", "-c", "8" } }
    local c, d = pair()
    local name = support.tempdir() .. "/primary"
    local function point_at(server)
      assert(os.execute(("ln -sfn %s %s"):format(server.path, name)))
    end
    point_at(c)
    local there = site.open { tasks = ledger.TASKS, redis = c, url = "unix://" .. name,
      args = { "-w", "2", "-c", "8" } }

    local books = { { site = here, from = a, to = b }, { site = there, from = c, to = d } }
    for _, book in ipairs(books) do
      book.ledger = ledger.open(book.site)
      book.ledger:add(20, "count_slowly", 1.5) -- they live through it
      book.ledger:add(2000, "count_slowly", 0.01)
    end
    for _, book in ipairs(books) do
      book.site.moil.connect(book.site.url)
      local result = book.site.moil.send("count_slowly", { "awaited", 5 })
      book.waiters = {}
      for i = 1, 3 do
        book.waiters[i] = support.start_moil { "result", result.id, "--wait",
          redis = book.site.url }
      end
      support.wait_until(function()
        local owners = book.from:call("HGET", "{moil}:waiters", result.id) or ""
        return #owners > 100 -- three UUIDs
      end, 15, "they wait")
    end
    for _, book in ipairs(books) do
      book.ledger:wait_count(500)
      swap(book.from, book.to)
    end
    net:order("target", b.path)
    point_at(d)
    for _, book in ipairs(books) do
      book.ledger:add(500) -- a producer finds its way, too
      book.ledger:check { redis = book.to, once = true }
      assert.equal(0, #site.log_lines(book.site.node, "silent for a lease"))
      for _, waiter in ipairs(book.waiters) do
        assert.equal(0, waiter:wait(20), waiter:stderr())
        assert.matches("awaited", waiter:stdout())
      end
      book.site.node:stop()
      local left = book.to:call("HGETALL", "{moil}:workers")
      assert(#left == 0, table.concat(left, " ") .. book.site.node:stderr())
    end
  end)
end)

describe("a primary that dies", function()
  it("is followed by its replica: what had reached that is there, and runs", function()
    local a, b = pair()
    local net = proxy.start(a)
    local here = site.open { tasks = ledger.TASKS, redis = a, url = net.url,
      args = { "-w", "2", "-c", "8" } }
    local books = ledger.open(here)
    books:add(2000, "count_slowly", 0.01)
    assert.equal(1, a:call("WAIT", "1", "20000"))
    books:wait_count(300)
    a:kill9()
    b:call("REPLICAOF", "NO", "ONE")
    net:order("target", b.path)
    books:add(500)
    -- Verdicts that the old one had acknowledged alone are gone with it: such jobs run again.
    books:check { redis = b }
    here.node:stop()
    assert.equal(0, b:call("HLEN", "{moil}:workers"))
  end)
end)

describe("a producer whose server became a replica", function()
  it("gets through when the primary is back in time, and is told what to do when not", function()
    local a, b = pair()
    local net = proxy.start(a)
    local moil = require "moil"
    moil.connect(net.url)
    assert.is_true(moil.send("count", { "x" }, { id = "x" }).created)
    swap(a, b)
    local out = support.moil { "call", "count", "y", "--deadline", "0.5", redis = net.url }
    assert.equal(3, out.code)
    assert.matches("read%-only replica: give the URL of its primary", out.stderr)
    net:order("target", b.path)
    assert.is_false(moil.send("count", { "x" }, { id = "x" }).created)
    assert.is_true(moil.send("count", { "z" }, { id = "z" }).created)
    net.process:stop()
  end)
end)

-- Links that break in the ways that networks know: dropped without a word, reset, cut in the middle
-- of an answer, held up. Each party goes on, and each job ends once.

local driver = require "spec.net.driver"
local ledger = require "spec.faults.ledger"
local proxy = require "spec.support.proxy"
local site = require "spec.support.site"
local support = require "spec.support"

local EREDIS, ETIMEOUT <const> = -4, -6

-- A job that talks to Redis: it enqueues another and waits for its result.
local TASKS <const> = ledger.TASKS .. [[
moil.task("talk", function(id)
  note(id .. " begins")
  moil.sleep(0.3)
  local child = moil.send("count", { id .. "-child" }, { id = id .. "-child" })
  assert(child.created)
  assert(child:get { timeout = 60 } == id .. "-child")
  note(id)
  return id
end)
]]

local function behind_proxy(args)
  local redis = support.redis()
  local net = proxy.start(redis)
  local here = site.open { tasks = TASKS, redis = redis, url = net.url, args = args }
  return here, net, ledger.open(here, redis.url)
end

local dropped, black, lua = {}, {}, {} -- run in the background from the start

setup(function()
  dropped.idle, dropped.idle_net, dropped.idle_books = behind_proxy { "-w", "1", "-c", "4" }
  dropped.idle_books:add(1)
  dropped.idle_books:wait_count(1)
  dropped.busy, dropped.busy_net, dropped.busy_books = behind_proxy { "-w", "1", "-c", "8" }
  dropped.busy_books:add(8, "count_slowly", 6)
  dropped.busy_books:add(2000, "count_slowly", 0.002)
  dropped.busy_books:wait_count(200)
  dropped.busy_net:order("drop")
  dropped.talk, dropped.talk_net, dropped.talk_books = behind_proxy { "-w", "1", "-c", "4" }
  dropped.talk_books:add(1, "talk")
  dropped.talk_books:wait_count(1)
  dropped.talk_net:order("drop")
  support.wait_until(function()
    return dropped.idle_net:order("drop", "wake:default") == 1
  end, 10, "the blocking fetch waits")
  dropped.at = support.now()

  local redis = support.redis()
  black.net = proxy.start(redis)
  black.net:order("blackhole")
  black.link = driver.new(black.net.url)
  black.link:start()

  lua.net = proxy.start(redis)
  lua.program = support.start_lua { "-e", [[
    local moil = require "moil"
    print(moil.send("count", { "a" }, { id = "a", queue = "none" }).created)
    io.stdout:flush()
    io.read()
    local ok, err = pcall(moil.send, "count", { "b" }, { id = "b", queue = "none" })
    print(ok, err.code)
    io.stdout:flush()
    io.read()
    print(moil.send("count", { "b" }, { id = "b", queue = "none" }).created)
  ]], redis = lua.net.url, stdin = "pipe" }
  lua.program:read_until("true", 10)
  lua.net:order("mute", "EVALSHA")
  lua.program:write("\n")
end)

describe("a link through a proxy", function()
  local redis, net, l

  setup(function()
    redis = support.redis()
    net = proxy.start(redis)
  end)
  before_each(function() l = driver.up(net.url) end)
  after_each(function()
    l:free()
    net:order("forward")
  end)

  it("that is dropped without a word is noticed by the answer's deadline", function()
    assert.equal("OK", l:ask("SET", "k", "1").reply)
    net:order("drop")
    assert.equal(ETIMEOUT, l:until_tag(l:send(300, "GET", "k")).err)
    l:until_kind("up")
    assert.equal("1", l:ask("GET", "k").reply)
  end)

  it("that is reset fails its calls at once", function()
    local tag = l:send(20000, "BLPOP", "nothing", 0)
    support.wait_until(function()
      l:pump(0.01)
      return redis:info("blocked_clients") ~= "0"
    end, 10, "it blocks")
    net:order("reset", "BLPOP")
    assert.equal(EREDIS, l:until_tag(tag).err)
    l:until_kind("up")
  end)

  it("that is cut in the middle of an answer gives what was whole before", function()
    redis:call("SET", "k", ("x"):rep(100))
    net:order("cut", 150)
    local first, second = l:send(5000, "GET", "k"), l:send(5000, "GET", "k")
    assert.equal(("x"):rep(100), l:until_tag(first).reply)
    local event = l:until_tag(second)
    assert.same({ EREDIS, nil }, { event.err, event.reply })
    l:until_kind("up")
    assert.equal(("x"):rep(100), l:ask("GET", "k").reply)
  end)

  it("that is refused says so", function()
    net:order("refuse")
    l:until_kind("down")
    l:until_kind("down")
    assert.matches("refused", (l:error()))
    net:order("forward")
    l:until_kind("up", 15)
  end)

  it("by a name is made without holding up the loop", function()
    local by_name = driver.up(("redis://localhost:%d"):format(net.port))
    assert.equal("PONG", by_name:ask("PING").reply)
    net:order("reset")
    by_name:until_kind("down")
    by_name:until_kind("up", 10)
    by_name:free()
    for _ = 1, 3 do -- stopped and freed while its name is looked up
      by_name = driver.new("redis://localhost:" .. net.port)
      by_name:start()
      assert.equal("connecting", by_name:state())
      by_name:stop()
      by_name:start()
      by_name:free()
    end
  end)

  it("by a name that nobody knows is down, with the reason", function()
    local nowhere = driver.new "redis://no-such-host.invalid:6379"
    nowhere:start()
    assert.equal(EREDIS, nowhere:until_kind("down", 30).err)
    assert.matches("Redis at redis://no%-such%-host.invalid.*: .*[Nn]ame", (nowhere:error()))
    nowhere:free()
  end)
end)

describe("a worker whose", function()
  it("links are reset again and again loses nothing and runs nothing twice", function()
    local here, net, books = behind_proxy { "-w", "2", "-c", "8" }
    books:add(4000, "count_slowly", 0.002)
    for round = 1, 8 do
      books:wait_count(round * 400)
      support.wait_until(function() return net:order("reset") > 0 end, 15, "a link to reset")
    end
    books:check { once = true }
    here.node:stop()
  end)

  it("answers are cut in the middle loses nothing and runs nothing twice", function()
    local here, net, books = behind_proxy { "-w", "2", "-c", "8" }
    books:add(4000, "count_slowly", 0.002)
    for round = 1, 8 do
      books:wait_count(round * 400)
      net:order("cut", 500 + 777 * round)
    end
    books:check { once = true }
    here.node:stop()
  end)

  it("requests arrive while answers do not: fetched jobs are reclaimed, verdicts settled once",
    function()
      local here, net, books = behind_proxy { "-w", "2", "-c", "8" }
      books:add(2000, "count_slowly", 0.002)
      for round = 1, 5 do
        books:wait_count(round * 200)
        net:order("mute", "EVALSHA")
        local before = here.redis:info("cmdstat_evalsha")
        support.wait_until(function()
          return here.redis:info("cmdstat_evalsha") ~= before
        end, 15, "Redis runs what was sent")
        net:order("reset")
        net:order("forward")
      end
      books:check { once = true }
      here.node:stop()
    end)

  it("link is slow works slower, and that is all", function()
    local here, net, books = behind_proxy { "-w", "1", "-c", "8" }
    net:order("delay", 30)
    books:add(500)
    books:check { once = true }
    assert.equal(0, #site.log_lines(here.node, "connection:"))
    here.node:stop()
  end)
end)

describe("a producer behind a broken link", function()
  local redis, net, moil

  setup(function()
    redis = support.redis()
    net = proxy.start(redis)
    moil = require "moil"
  end)
  before_each(function() moil.connect(net.url) end)
  after_each(function() net:order("forward") end)

  -- The call as a program, so that the spec can break the link under it.
  local function start_cli(...)
    return support.start_moil { "call", "count", "x", "--queue", "none", redis = net.url, ... }
  end

  local function wait_record(id)
    support.wait_until(function() return redis:call("HEXISTS", "{moil}:jobs", id) == 1 end, 10,
      "Redis has run the command")
  end

  it("whose answer is lost sends it again by itself, and it is there once", function()
    net:order("mute", "EVALSHA")
    local out = start_cli("--id", "again", "--json")
    wait_record "again"
    assert.is_true(out:alive(), "its answer is held")
    net:order("reset")
    net:order("forward")
    assert.equal(0, out:wait(10), out:stderr())
    assert.equal(1, redis:call("LLEN", "{moil}:queue:none:5"))
  end)

  it("is told within its deadline, and may send the same id again", function()
    net:order("mute", "EVALSHA")
    local out = start_cli("--id", "late", "--deadline", "0.5")
    assert.equal(3, out:wait(10))
    assert.matches("no[t ].* within ", out:stderr())
    wait_record "late"
    net:order("forward")
    assert.is_false(moil.send("count", { "x" }, { id = "late", queue = "none" }).created)
    assert.equal(0, start_cli("--id", "late"):wait(10))
    local length = redis:call("LLEN", "{moil}:queue:none:5")
    assert.is_true(length <= 2, length) -- "again" and "late"
  end)

  it("is told so on a black hole, before it has a link, too", function()
    net:order("blackhole")
    for _, args in ipairs { { "inspect", "queues" }, { "result", "x" }, { "revoke", "x" },
      { "purge", "none" }, { "result", "x", "--wait" } } do
      args[#args + 1] = "--deadline"
      args[#args + 1] = "0.3"
      args.redis = net.url
      local out = support.moil(args)
      assert.same({ 3, "" }, { out.code, out.stdout })
      assert.matches("Redis at redis://127.0.0.1:%d+/0: no answer", out.stderr)
    end
  end)

  it("that waits for a result is told that Redis is gone, not that the job is late", function()
    moil.send("count", { "w" }, { id = "w", queue = "none" })
    local waiter = support.start_moil { "result", "w", "--wait", "--timeout", "3",
      redis = net.url }
    support.wait_until(function()
      return redis:call("HEXISTS", "{moil}:waiters", "w") == 1
    end, 10, "it waits")
    net:order("refuse")
    assert.equal(3, waiter:wait(15), waiter:stderr())
    assert.matches("refused", waiter:stderr())
  end)
end)

describe("in the background", function()
  it("a link that was black-holed as it connected gave that up, and comes up later", function()
    local l = black.link
    assert.same({ nil, EREDIS }, { l:send(1000, "PING") })
    assert.equal(ETIMEOUT, l:until_kind("down", 15).err)
    assert.matches("no answer while connecting", (l:error()))
    black.net:order("forward")
    l:until_kind("up", 15)
    l:free()
  end)

  it("a Lua program got RedisUnavailable, and sends the same id again when it can", function()
    lua.program:read_until("false%s+RedisUnavailable", 15)
    lua.net:order("reset")
    lua.net:order("forward")
    lua.program:write("\n")
    lua.program:read_until("false", 10)
    assert.equal(0, lua.program:wait(10))
  end)

  it("a worker went on whose links were dropped without a word, under load", function()
    dropped.busy_books:check { once = true }
    local log = dropped.busy.node:stderr()
    assert.matches("no answer within the deadline", log)
    dropped.busy.node:stop()
  end)

  it("a job went on that talked to Redis over a link that was dropped without a word", function()
    table.insert(dropped.talk_books.ids, "job-1-child")
    dropped.talk_books:check { once = true }
    dropped.talk.node:stop()
  end)

  it("a worker whose blocking fetch was dropped without a word fetches within 12 s", function()
    dropped.idle_books:add(1)
    dropped.idle_books:wait_count(2)
    assert.is_true(support.now() - dropped.at < 60)
    dropped.idle_books:check { once = true }
    dropped.idle.node:stop()
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- What Redis can do to a worker: be away, be refusing, forget, kill connections, be emptied. Each
-- `it` has servers of its own; what takes long runs in the background from the start (`slow`).

local TASKS <const> = site.NOTE .. [[
moil.task("quick", function(x) return x end)
moil.task("mark", function(i) note(i) return i end)
moil.task("talk", { bind = true }, function(self, n)
  for i = 1, n do
    self:update_state("STEP", { i = i })
    if moil.send("quick", { i }):get { timeout = 20 } ~= i then error "wrong" end
    moil.result(self.id):info()
  end
  note("talked")
  return n
end)
moil.task("nap", function(s) moil.sleep(s) return s end)
]]

local slow = {} -- what runs in the background

local function drained(here, from, to)
  local moil = here.moil
  for i = from, to do
    assert.equal(i, moil.result("job-" .. i):get { timeout = 20 }, "job-" .. i)
  end
end

local function enqueue(here, from, to, task)
  local calls = {}
  for i = from, to do
    calls[#calls + 1] = here.moil.signature(task or "quick", { i }, { id = "job-" .. i })
  end
  return here.moil.enqueue_many(calls)
end

setup(function()
  slow.paused = site.open { tasks = TASKS, args = { "-w", "1" } }
  enqueue(slow.paused, 1, 5000, "mark")
  support.wait_until(function() return #slow.paused:notes() > 500 end, 10, "it works")
  slow.paused.redis:call("CLIENT", "PAUSE", "12000", "ALL")
  local tcp = support.redis { tcp = true }
  slow.idle = site.open { tasks = TASKS, redis = tcp, url = tcp.tcp_url, args = { "-w", "1" } }
  slow.idle:call("quick", 1)
end)

-- What each connection sends, by its address; what scripts call inside is not counted.
local function watch_commands(redis)
  local monitor = redis:connect(1)
  monitor:call("MONITOR")
  return function()
    local by_client = {}
    monitor:timeout(0.05)
    while true do
      local line = monitor:receive()
      if type(line) ~= "string" then break end
      local who, command = line:match('%[%d+ ([^%]]*)%] (.*)')
      if who and who ~= "lua" then
        by_client[who] = by_client[who] or {}
        table.insert(by_client[who], command)
      end
    end
    monitor:close()
    return by_client
  end
end

it("counts commands for the idle worker", function()
  slow.stop_watching = watch_commands(slow.idle.redis)
  slow.watched_from = support.now()
end)

describe("a password", function()
  it("is taken from the URL, and shows up nowhere", function()
    local secret = "s3cr3t-p@ss/word"
    local redis = support.redis { tcp = true, config = { requirepass = secret } }
    local quoted = "s3cr3t-p%40ss%2Fword"
    local urls = { ("redis://:%s@127.0.0.1:%d/0"):format(quoted, redis.port),
      ("unix://:%s@%s"):format(quoted, redis.path) }
    for _, url in ipairs(urls) do
      local here = site.open { tasks = TASKS, redis = redis, url = url,
        args = { "-w", "1", "--log-level", "debug" } }
      assert.equal(5, here:call("quick", 5))
      here.node:kill("USR1")
      here.node:read_until("serving", 5)
      redis:call("CLIENT", "KILL", "TYPE", "normal")
      redis:disconnect()
      here.node:read_until("up again", 5)
      assert.equal(6, here:call("quick", 6))
      local ps = support.sh([[for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$f; echo; done]])
      assert.matches("moil worker", ps.stdout, 1, true)
      for _, hidden in ipairs { secret, quoted } do
        for line in ps.stdout:gmatch("[^\n]+") do
          if line:find("moil worker", 1, true) then
            assert.is_nil(line:find(hidden, 1, true), line)
          end
        end
        assert.is_nil((here.node:stderr() .. here.node:stdout()):find(hidden, 1, true))
      end
      here.node:stop()
      assert.is_nil((here.node:stderr()):find("s3cr3t", 1, true))
    end
  end)

  it("on the command line is wiped from it", function()
    local redis = support.redis { config = { requirepass = "hunter2" } }
    local here = site.open { tasks = TASKS, redis = redis, idle = true,
      url = "unix://:hunter2@" .. redis.path }
    local node = here:worker { "-w", "1", "--redis", "unix://:hunter2@" .. redis.path,
      redis = "redis://unused" }
    assert.is_nil(support.sh("ps -eo args | grep '[m]oil worker'").stdout:find("hunter2", 1, true))
    node:stop()
  end)

  it("that is wrong or missing is told in one line", function()
    local redis = support.redis { config = { requirepass = "right" } }
    for _, case in ipairs {
      { "unix://:wrong@" .. redis.path, "refused the user or password" },
      { "unix://" .. redis.path, "wants a password" },
    } do
      local here = site.open { tasks = TASKS, redis = redis, url = case[1], idle = true }
      local node = here:worker { "-w", "1", unready = true }
      node:read_until(case[2], 5)
      assert.is_nil(node:stderr():find("wrong@", 1, true))
      local started = support.now()
      local ok, err = pcall(here.moil.send, "quick")
      assert.same({ false, "RedisUnavailable" }, { ok, err.code })
      assert.matches(case[2], err.message)
      assert.is_true(support.now() - started < 4) -- not only at the producer's deadline
      assert.equal(3, support.moil({ "call", "quick", redis = case[1] }).code)
      node:kill("TERM")
      assert.is_truthy(node:wait(5))
    end
  end)
end)

describe("no Redis", function()
  it("at the start: says so, waits for it, and can be stopped", function()
    local dir = support.tempdir()
    support.write(dir .. "/tasks.lua", TASKS)
    local node = support.start_moil { "worker", "tasks.lua", "-w", "1", cwd = dir,
      redis = "unix://" .. dir .. "/none" }
    node:read_until("Redis at unix://" .. dir:gsub("%p", "%%%0") .. "/none: .*trying again", 5)
    local started = support.now()
    node:kill("TERM")
    node:wait(5)
    assert.is_true(support.now() - started < 2)
    local count = #site.log_lines(node, "trying again")
    assert.is_true(count <= 4, node:stderr())
  end)

  it("that goes away: a stop is not held up by an idle worker", function()
    local here = site.open { tasks = TASKS }
    here:call("quick", 1)
    site.wait_worker(here.node, "serving, 0 running .-, 0 reserved, 0 batches unsettled")
    here.redis:kill9()
    here.node:read_until("trying again", 5)
    local started = support.now()
    here.node:stop(10)
    assert.is_true(support.now() - started < 3, support.now() - started)
  end)
end)

describe("a Redis that refuses", function()
  it("as a read-only replica: a warning with what to do", function()
    local primary = support.redis()
    local replica = support.redis { config = { replicaof = "127.0.0.1 1" } }
    local here = site.open { tasks = TASKS, redis = replica, idle = true }
    local node = here:worker { "-w", "1", unready = true }
    node:read_until("read%-only replica: give the URL of its primary", 5)
    node:read_until("cannot register with Redis", 5)
    local out = support.moil { "call", "quick", "1", "--deadline", "0.5", redis = replica }
    assert.equal(3, out.code)
    assert.matches("read%-only replica", out.stderr)
    replica:call("REPLICAOF", "NO", "ONE")
    node:read_until("ready", 10)
    assert.equal(2, here:call("quick", 2))
    node:stop()
    primary:stop()
  end)

  it("while it loads: everybody waits for it", function()
    local here = site.open { tasks = TASKS, config = {
      ["loading-process-events-interval-bytes"] = 1024 } }
    for i = 1, 20 do here.redis:call("SET", "big" .. i, ("x"):rep(50000)) end
    here.redis:call("SAVE")
    here.redis:kill9()
    for i = 1, #here.redis.argv do
      if here.redis.argv[i] == "--dir" then
        table.insert(here.redis.argv, i, "50000")
        table.insert(here.redis.argv, i, "--key-load-delay")
        break
      end
    end
    here.redis.process = support.spawn(here.redis.argv)
    here.node:read_until("LOADING", 10)
    assert.equal(3, here:call("quick", 3))
    here.node:stop()
  end)

  it("as it is full: producers are told, the backlog drains, a new worker gets in", function()
    local here = site.open { tasks = TASKS, idle = true }
    enqueue(here, 1, 1000)
    here.redis:call("CONFIG", "SET", "maxmemory", "1")
    local out = support.moil { "call", "quick", "1", "--deadline", "0.5", redis = here.redis }
    assert.equal(3, out.code)
    assert.matches("out of memory", out.stderr)
    local node = here:worker { "-w", "1" }
    support.wait_until(function()
      return here.redis:call("LLEN", "{moil}:queue:default:5") == 0
        and #here.redis:call("KEYS", "{moil}:inflight:*") == 0
    end, 10, "the backlog drains")
    node:stop()
    here.redis:call("CONFIG", "SET", "maxmemory", "0")
    drained(here, 1, 1000)
  end)

  it("as it may evict keys: a loud warning at the start", function()
    local here = site.open { tasks = TASKS, config = { ["maxmemory-policy"] = "allkeys-lru" } }
    assert.equal(1, #site.log_lines(here.node, "JOBS MAY BE LOST"))
    assert.equal(1, #site.log_lines(here.node, "allkeys-lru"))
    here.node:stop()
  end)
end)

describe("a Redis that is restarted", function()
  it("by kill -9 in the middle of a drain: nothing is lost", function()
    local here = site.open { tasks = TASKS, args = { "-w", "2" }, appendonly = true }
    enqueue(here, 1, 4000, "mark")
    for round = 1, 3 do
      support.wait_until(function() return #here:notes() >= round * 1000 end, 10, "a part is done")
      here.redis:kill9()
      here.redis:start()
    end
    drained(here, 1, 4000)
    local times, twice = {}, 0
    for _, line in ipairs(here:notes()) do
      times[line] = (times[line] or 0) + 1
      if times[line] == 2 then twice = twice + 1 end
    end
    for i = 1, 4000 do assert.is_truthy(times[tostring(i)], i) end
    assert.equal(0, twice)
    assert.equal(4000, here.redis:call("HLEN", "{moil}:jobs"))
    here.node:stop()
  end)

  it("under jobs that talk to it: they wait for it", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "20" }, appendonly = true }
    local jobs = {}
    for i = 1, 20 do jobs[i] = here.moil.send("talk", { 60 }) end
    for _ = 1, 3 do
      here:call("nap", 0.05)
      here.redis:kill9()
      here.redis:start()
    end
    for _, r in ipairs(jobs) do assert.equal(60, r:get { timeout = 20 }) end
    here.node:stop()
  end)

  it("without its last writes: a job that it has in flight again, runs again", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1" } }
    local r = here.moil.send("nap", { 0.3 })
    here:wait_state(r.id, "STARTED")
    here.redis:call("SAVE")
    assert.equal(0.3, r:get { timeout = 20 })
    local first = r:info().finished_at
    here.redis:kill9()
    here.redis:start()
    support.wait_until(function()
      local info = r:info()
      return info.state == "SUCCESS" and info.finished_at > first
    end, 20, "it runs again")
    here.node:stop()
  end)

  it("under waiting clients: they get the result", function()
    local here = site.open { tasks = TASKS, appendonly = true }
    local r = here.moil.send("nap", { 0.5 })
    local waiter = support.start_moil { "result", r.id, "--wait", redis = here.redis }
    support.wait_until(function()
      return here.redis:call("HEXISTS", "{moil}:waiters", r.id) == 1
    end, 5, "it waits")
    here.redis:kill9()
    here.redis:start()
    assert.equal(0, waiter:wait(10), waiter:stderr())
    assert.matches("0.5", waiter:stdout())
    here.node:stop()
  end)
end)

describe("a storm", function()
  it("of CLIENT KILL and SCRIPT FLUSH harms no job", function()
    local here = site.open { tasks = TASKS, args = { "-w", "2", "-c", "20" } }
    local jobs = {}
    for i = 1, 20 do jobs[i] = here.moil.send("talk", { 40 }) end
    local c = here.redis:connect()
    local hits = 0
    support.wait_until(function()
      if hits < 20 then enqueue(here, hits * 250 + 1, hits * 250 + 250, "mark") end
      hits = hits + 1
      c:call("SCRIPT", "FLUSH")
      if hits % 5 == 0 then c:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") end
      return #here:notes() >= 5020
    end, 20, "the jobs are done")
    c:close()
    here.redis:disconnect()
    drained(here, 1, 5000)
    for _, r in ipairs(jobs) do assert.equal(40, r:get { timeout = 20 }) end
    assert.equal(5020, #here:notes()) -- and none ran twice
    here.node:stop()
    assert.equal(0, here.redis:call("HLEN", "{moil}:workers"))
  end)
end)

describe("FLUSHALL under a worker", function()
  it("fences it: it registers anew and goes on at once", function()
    local here = site.open { tasks = TASKS, args = { "-w", "2" } }
    here:call("quick", 1)
    local napping = here.moil.send("nap", { 0.3 })
    here:wait_state(napping.id, "STARTED")
    for round = 1, 3 do
      here.redis:call("FLUSHALL")
      local started = support.now()
      assert.equal(round, here:call("quick", round))
      assert.is_true(support.now() - started < 4.5, support.now() - started) -- not by polling
    end
    here.node:read_until("declared dead", 5)
    support.wait_until(function() return here.redis:call("HLEN", "{moil}:workers") == 2 end, 8,
      "both are back")
    here.node:stop()
  end)
end)

describe("namespaces", function()
  it("do not see each other", function()
    local redis = support.redis()
    local a = site.open { tasks = TASKS, redis = redis, args = { "-w", "1", "--namespace", "a" } }
    local out = support.moil { "call", "quick", "1", "--namespace", "b", redis = redis }
    assert.equal(0, out.code)
    local id = out.stdout:match("%S+")
    local b = support.moil { "call", "quick", "2", "--wait", "--namespace", "a", redis = redis }
    assert.equal("2\n", b.stdout)
    local out_b = support.moil { "result", id, "--namespace", "b", redis = redis }
    assert.matches("PENDING", out_b.stdout)
    assert.equal(5, support.moil({ "result", id, "--namespace", "a", redis = redis }).code)
    for _, key in ipairs(redis:call("KEYS", "*")) do assert.matches("^{[ab]}:", key) end
    a.node:stop()
  end)
end)

describe("--redis embedded", function()
  it("runs a server of its own; clients find it; a second node attaches", function()
    local dir = support.tempdir()
    support.write(dir .. "/tasks.lua", TASKS)
    local node = support.start_moil { "worker", "tasks.lua", "-w", "1", "--redis", "embedded",
      cwd = dir }
    node:read_until("ready", 15)
    local out = support.moil { "call", "quick", "7", "--wait", cwd = dir }
    assert.equal("7\n", out.stdout, out.stderr)
    local second = support.start_moil { "worker", "tasks.lua", "-w", "1", "--redis", "embedded",
      "--name", "second", cwd = dir }
    second:read_until("ready", 15)
    out = support.moil { "inspect", "nodes", "--json", redis = "embedded:" .. dir .. "/.moil" }
    assert.matches("second", out.stdout)
    second:stop()
    out = support.moil { "call", "quick", "8", "--countdown", "600", cwd = dir }
    local id = out.stdout:match("%S+")
    node:stop()
    node = support.start_moil { "worker", "tasks.lua", "-w", "1", "--redis", "embedded", cwd = dir }
    node:read_until("ready", 15)
    out = support.moil { "result", id, cwd = dir }
    assert.matches("SCHEDULED", out.stdout)
    node:stop()
  end)
end)

describe("in the background", function()
  it("a pause longer than every deadline was survived", function()
    local here = slow.paused
    here.moil.connect(here.url)
    here.node:read_until("no answer within the deadline", 12)
    drained(here, 1, 5000)
    assert.equal(5000, #here:notes()) -- and none ran twice
    here.node:stop()
    assert.equal(0, here.redis:call("EXISTS", "{moil}:workers"))
  end)

  it("an idle worker asked for little: at most one command every 2 s", function()
    local seconds = support.now() - slow.watched_from
    assert.is_true(seconds > 10)
    local total, sent = 0, {}
    for _, commands in pairs(slow.stop_watching()) do
      local text = table.concat(commands, "\n")
      -- The worker's two connections: one waits on its queues' wake lists, one fetches from them.
      if text:find("wake:default", 1, true) or text:find('"{moil}:" "[%x-]+" "%d+" "default"') then
        total = total + #commands
        sent[#sent + 1] = text
      end
    end
    assert.equal(2, #sent)
    assert.is_true(total <= seconds / 2 + 1, table.concat(sent, "\n"))
    slow.idle.node:stop()
  end)
end)

describe("a Redis that refuses verdicts for good", function()
  it("is asked more and more rarely, until it takes them", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1" } }
    here.redis:call("ACL", "SETUSER", "default", "-srem")
    local result = here.moil.send("quick", { 7 })
    here.node:read_until("refuses 1 verdicts, which are kept and sent again in 1 s: ", 10)
    here.node:read_until("sent again in 2 s: ", 10)
    here.node:read_until("sent again in 4 s: ", 10)
    assert.equal("STARTED", result:state())
    here.redis:call("ACL", "SETUSER", "default", "+srem")
    assert.equal(7, result:get { timeout = 20 })
    here.redis:call("ACL", "SETUSER", "default", "-srem")
    local another = here.moil.send("quick", { 8 })
    here.node:read_until("refuses 1 verdicts, which are kept and sent again in 1 s: ", 10)
    here.redis:call("ACL", "SETUSER", "default", "+srem")
    assert.equal(8, another:get { timeout = 20 })
    assert.equal(0, support.moil({ "inspect", "audit", redis = here.redis }).code)
  end)
end)

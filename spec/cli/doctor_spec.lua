local support = require "spec.support"

-- `moil doctor`: what it finds in a Redis that is well, and in ones that are not.

local redis, dir

local function moil(args)
  args.redis, args.cwd = args.redis or redis, dir
  args.timeout = 30
  return support.moil(args)
end

-- Its checks → {level, text, advice} by name (of several of a name the worst), exit code.
local function examine(options)
  local order = { ok = 1, warn = 2, bad = 3 }
  local args = { "doctor", "--json" }
  for k, v in pairs(options or {}) do args[k] = v end
  local out = moil(args)
  local answer = support.json_decode(out.stdout)
  assert.equal(answer.ok, out.code == 0)
  assert.is_true(out.code == 0 or out.code == 6, out.stderr)
  local checks = {}
  for _, row in ipairs(answer.checks) do
    local old = checks[row.check]
    if not old or order[row.level] > order[old.level] then checks[row.check] = row end
    if row.level == "ok" then assert.is_nil(row.advice) end
  end
  return checks, out.code
end

local function done(args)
  local out = moil(args)
  assert.equal(0, out.code, out.stderr)
  return out.stdout
end

setup(function()
  redis = support.redis { appendonly = true }
  dir = support.tempdir()
  support.write(dir .. "/tasks.lua", [[
    local moil = require "moil"
    moil.task("add", function(x, y) return x + y end)
    moil.task("fail", function() error("no", 0) end)
    moil.task("fail.more", function() error("no", 0) end)
  ]])
end)

describe("moil doctor", function()
  it("examines a Redis that is well", function()
    local checks, code = examine()
    assert.equal(0, code)
    for _, name in ipairs { "redis", "version", "role", "eviction", "persistence", "memory",
      "clients", "rights", "clock", "queues", "dead", "books" } do
      assert.equal("ok", checks[name] and checks[name].level, name)
    end
    assert.matches("^append%-only file", checks.persistence.text)
    assert.matches("a PING takes [%d.]+ ms", checks.latency.text)
    assert.matches("scripts run", checks.rights.text)
    assert.matches("0 records, 0 differences", checks.books.text)
    assert.is_not_nil(checks.files)
    assert.equal("warn", checks.nodes.level)
    assert.equal("start one: moil worker", checks.nodes.advice)
    assert.same({}, redis:call("KEYS", "*probe*"))
  end)

  it("prints a line each, with what to do", function()
    local text = done { "doctor" }
    assert.matches("^ok    redis        answers at unix://", text)
    assert.matches("\nok    eviction     noeviction\n", text)
    assert.matches("\nwarn  nodes        0 alive, with 0 worker processes; start one: moil "
      .. "worker\n", text)
    local coloured = done { "doctor", "--color", "always" }
    assert.matches("\27%[33mwarn\27%[0m  nodes ", coloured)
  end)

  it("warns of jobs that nobody serves, of pauses and of the dead", function()
    done { "call", "add", "1", "2", "--queue", "lonely" }
    done { "pause", "still" }
    local checks, code = examine()
    assert.equal(6, code)
    assert.equal("jobs wait where no worker serves: lonely", checks.queues.text)
    assert.matches("moil worker %-q", checks.queues.advice)
    assert.matches("\nwarn  queues       paused: still; moil resume", moil({ "doctor" }).stdout)
    local node = support.start_moil { "worker", "tasks.lua", "-w", "1", "-q", "default,lonely",
      "--name", "oak", "--lease", "2", redis = redis, cwd = dir }
    node:read_until("ready", 15)
    moil { "call", "fail", "--wait" }
    moil { "call", "fail.more", "--wait" }
    support.wait_until(function()
      checks, code = examine()
      return checks.nodes.level == "ok"
    end, 20, "the node's report")
    assert.equal(0, code)
    assert.matches("^1 alive, with 1 worker process", checks.nodes.text)
    assert.matches("^2 jobs died in the last hour: fail%.more, fail$", checks.dead.text)
    assert.matches("moil dead list", checks.dead.advice)
    node:kill "KILL"
    node:wait(10)
    support.wait_until(function()
      return moil({ "doctor" }).stdout:find("\nwarn  nodes        silent: oak; ", 1, true)
    end, 40, "a node that fell silent")
  end)

  it("names nodes that are of other versions, stuck, or have another clock", function()
    local now = os.time()
    local report = '{"version":"%s","workers":[{"slot":0}],"queues":["default"],"concurrency":%d,'
      .. '"health":"%s","trouble":"no Redis","clock":%d,"files":256,"lease":9999}'
    local elm, fir = report:format("9.9.9", 500, "stuck", now + 500),
      report:format("9.9.8", 1, "ok", now)
    redis:call("HSET", "{moil}:nodes", "elm/1", now .. "000 " .. elm, "fir/1", now .. "000 " .. fir)
    local checks, code = examine()
    assert.equal(6, code)
    assert.equal("elm is stuck: no Redis", checks.health.text)
    assert.matches("the clock of elm differs from Redis's by %-?%d+", checks.clock.text)
    assert.equal("bad", checks.clock.level)
    assert.matches("elm may open 256 files a process, for 500 jobs at a time", checks.files.text)
    assert.matches("^nodes of different versions: 9.9.%d, 9.9.%d", checks.versions.text)
    redis:call("HDEL", "{moil}:nodes", "elm/1", "fir/1")
  end)

  it("finds what the books find", function()
    redis:call("HINCRBY", "{moil}:counters:lonely", "enqueued", "1")
    local checks, code = examine()
    assert.equal(6, code)
    assert.matches("records, %d+ differences", checks.books.text)
    redis:call("HINCRBY", "{moil}:counters:lonely", "enqueued", "-1")
  end)

  it("names settings that lose jobs", function()
    local bad = support.redis {
      config = { ["maxmemory-policy"] = "allkeys-lru", maxmemory = "50mb" },
    }
    local checks, code = examine { redis = bad }
    assert.equal(6, code)
    assert.matches("JOBS MAY BE LOST: Redis evicts keys", checks.eviction.text)
    assert.equal("warn", checks.persistence.level)
    assert.matches("appendonly yes", checks.persistence.advice)
    bad:call("CONFIG", "SET", "maxmemory", "1mb")
    checks = examine { redis = bad }
    assert.equal("bad", checks.memory.level)
    bad:stop()
  end)

  it("names the rights that are missing", function()
    redis:call("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", "-zpopmax", "-lpos")
    local checks, code = examine { redis = (redis.url:gsub("^unix://", "unix://poor:pw@")) }
    assert.equal(6, code)
    assert.matches("Redis refuses lpos zpopmax: ", checks.rights.text)
    redis:call("ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-info", "-evalsha")
    checks, code = examine { redis = (redis.url:gsub("^unix://", "unix://blind:pw@")) }
    assert.equal(6, code)
    assert.matches("scripts do not run", (checks.rights or checks.redis).text)
  end)

  it("says that a replica, or nothing at all, is there", function()
    local checks, code = examine { redis = "redis://127.0.0.1:1" }
    assert.equal(6, code)
    assert.matches("127.0.0.1:1", checks.redis.text)
    assert.matches("%-%-redis or MOIL_REDIS", checks.redis.advice)
    assert.is_not_nil(checks.files)
    local primary = support.redis { tcp = true }
    local replica = support.redis()
    replica:call("REPLICAOF", "127.0.0.1", tostring(primary.port))
    checks, code = examine { redis = replica }
    assert.equal(6, code)
    assert.matches("read%-only replica", checks.role.text)
  end)

  it("works with an embedded Redis", function()
    local there = support.tempdir()
    assert(support.sh("mkdir " .. there .. "/tasks && cp " .. dir .. "/tasks.lua " .. there
      .. "/tasks/").code == 0)
    local dev = support.start_moil { "dev", cwd = there }
    dev:read_until("ready: 1 worker", 20)
    local out = support.moil { "doctor", cwd = there, timeout = 30 }
    assert.equal(0, out.code, out.stdout)
    assert.matches("ok    persistence  append%-only file", out.stdout)
    dev:stop(15)
  end)

  it("takes no argument", function()
    local out = moil { "doctor", "now" }
    assert.equal(2, out.code)
    assert.matches('"now" is one argument too many', out.stderr)
  end)
end)

-- What a node answers over HTTP: src/worker/endpoint.c. The counts themselves are in
-- metrics_spec.lua, the server's own bounds in http/server_spec.lua.

local http = require "spec.support.http"
local site = require "spec.support.site"
local support = require "spec.support"

local BY <const> = 60 -- seconds

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + y end)
]]

-- A site whose only node serves HTTP, and the port.
local function open(options)
  options = options or {}
  options.tasks = options.tasks or TASKS
  options.args = options.args or { "-w", "1", "--http", ":0" }
  local here = site.open(options)
  return here, http.port_of(here.node)
end

-- Waits until a path is answered so.
local function wait_for(port, path, status, text)
  local last
  support.wait_until(function()
    local found, body = http.get(port, path)
    last = found .. " " .. body
    return found == status and (not text or body:find(text, 1, true))
  end, BY, function() return ("%s: %d %s (last: %s)"):format(path, status, text or "", last) end)
end

describe("a node with --http", function()
  local here, port

  setup(function() here, port = open() end)
  teardown(function() here.node:stop(BY) end)

  it("is healthy and ready", function()
    wait_for(port, "/healthz", 200, "ok\n")
    wait_for(port, "/readyz", 200, "ready\n")
    local status, _, headers = http.get(port, "/metrics?name=x")
    assert.equal(200, status)
    assert.equal("text/plain; version=0.0.4; charset=utf-8", headers["content-type"])
    assert.equal("close", headers.connection)
  end)

  it("answers what it does not know in one line", function()
    for _, path in ipairs { "/", "/metrics/", "/healthz%20", "//healthz" } do
      local status, body = http.get(port, path)
      assert.same({ 404, "here are /healthz, /readyz and /metrics\n" }, { status, body })
    end
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "BREW" } do
      local status, body, headers = http.request(port, method, "/healthz")
      assert.same({ 405, "only GET and HEAD are answered here\n" }, { status, body })
      assert.equal("GET, HEAD", headers.allow)
    end
  end)

  it("answers HEAD as GET, without the body", function()
    local status, body, headers = http.request(port, "HEAD", "/healthz")
    assert.same({ 200, "", "3" }, { status, body, headers["content-length"] })
  end)

  it("tells no secret", function()
    local _, body = http.get(port, "/metrics")
    assert.is_nil(body:find(here.url, 1, true))
  end)
end)

describe("without --http", function()
  it("the library is not even opened", function()
    local here = site.open { tasks = TASKS }
    local agent = site.pids(here.node).agent
    assert.is_nil(support.read("/proc/" .. agent .. "/maps"):find("microhttpd", 1, true))
    here.node:stop(BY)
  end)
end)

describe("readiness", function()
  it("ends while the node is quiet", function()
    local here, port = open()
    wait_for(port, "/readyz", 200)
    here.node:kill("TSTP")
    wait_for(port, "/readyz", 503, "no worker takes jobs")
    assert.equal(200, (http.get(port, "/healthz")))
    here.node:kill("CONT")
    wait_for(port, "/readyz", 200)
    here.node:stop(BY)
  end)

  it("ends while Redis is away, which is no matter of health", function()
    local here, port = open()
    wait_for(port, "/readyz", 200)
    assert.equal(1, http.metrics(port).moil_redis_up)
    here.redis:kill9()
    wait_for(port, "/readyz", 503, "no connection to Redis\n")
    local metrics = http.metrics(port)
    assert.equal(0, metrics.moil_redis_up)
    assert.is_nil(metrics.moil_jobs_dead)
    assert.equal(200, (http.get(port, "/healthz")))
    here.redis:start()
    wait_for(port, "/readyz", 200)
    metrics = http.metrics(port)
    assert.equal(1, metrics.moil_redis_up)
    assert.equal(0, metrics.moil_jobs_dead)
    assert.is_true(metrics['moil_redis_reconnects_total{process="agent"}'] >= 1)
    support.wait_until(function()
      return http.metrics(port)['moil_redis_reconnects_total{process="worker 1"}'] >= 1
    end, BY, "a worker that is back")
    here.node:stop(BY)
  end)

  it("waits for Redis at the start", function()
    local dir = support.tempdir()
    local node = support.start_moil { "worker", support.write(dir .. "/t.lua", TASKS), "-w", "1",
      "--http", ":0", redis = "unix://" .. dir .. "/none.sock" }
    local port = http.port_of(node)
    wait_for(port, "/readyz", 503, "no connection to Redis\n")
    assert.equal(200, (http.get(port, "/healthz")))
    node:stop(BY)
  end)

  it("of a schedule alone is that Redis is there", function()
    local here = site.open { tasks = TASKS, idle = true }
    support.write(here.dir .. "/beat.lua",
      'return { schedule = { soon = { task = "add", every = 1, args = { 1, 2 } } } }')
    local node = support.start_moil { "beat", "beat.lua", redis = here.url, cwd = here.dir,
      env = { MOIL_HTTP = "localhost:0" } }
    local port = http.port_of(node)
    wait_for(port, "/readyz", 200)
    support.wait_until(function()
      return http.metrics(port)['moil_beat_ticks_total{outcome="fired"}'] >= 2
    end, BY, "two ticks")
    node:stop(BY)
  end)
end)

describe("health", function()
  it("ends when a worker is stuck", function()
    local here, port = open { args = { "-w", "2", "--http", ":0" } }
    local pid
    support.wait_until(function()
      pid = site.pids(here.node)["worker 2"]
      return pid
    end, BY, "the second worker's pid")
    assert(os.execute("kill -STOP " .. pid)) -- as one that waits for ever in a C function
    wait_for(port, "/healthz", 503, "worker 2 is stuck: ")
    assert.equal(200, (http.get(port, "/readyz"))) -- the other works
    assert(os.execute("kill -CONT " .. pid))
    wait_for(port, "/healthz", 200)
    here.node:stop(BY)
  end)
end)

describe("the agent's death", function()
  it("leaves no gap, and its counts", function()
    local here, port = open()
    assert.equal(3, here:call("add", 1, 2))
    local agent = site.pids(here.node).agent
    assert(os.execute("kill -9 " .. agent))
    for _ = 1, 20 do assert.equal(200, (http.get(port, "/healthz"))) end
    support.wait_until(function()
      return http.metrics(port).moil_agent_crashes_total == 1
    end, BY, "the crash is counted")
    assert.equal(1, http.metrics(port)['moil_jobs_total{task="add",state="succeeded"}'])
    wait_for(port, "/readyz", 200)
    here.node:stop(BY)
  end)
end)

describe("an address", function()
  local dir = support.tempdir()
  local tasks = support.write(dir .. "/t.lua", TASKS)

  -- One line of complaint, and exit code 2.
  local function refused(options, pattern)
    local out = support.moil { "worker", tasks, "-w", "1", timeout = BY,
      redis = "unix://" .. dir .. "/none.sock", env = options.env, table.unpack(options) }
    assert.equal(2, out.code, out.stderr)
    assert.matches(pattern, out.stderr)
    return out
  end

  local function refuse(address, pattern)
    local out = support.moil { "worker", tasks, "--http", address, timeout = BY }
    assert.equal(2, out.code, out.stderr)
    assert.matches(pattern, out.stderr)
    assert.equal(1, select(2, out.stderr:gsub("\n", "\n")))
  end

  it("that is none is refused", function()
    for _, address in ipairs { "", "localhost", "host:", "host:99999", "host:http", ":-1", "a b:1",
      "*:9100", "::1:9100", "[::1]9100", "http://localhost:9100" } do
      refuse(address, "^moil: %-%-http: ")
    end
  end)

  it("that is another machine's is refused", function()
    refuse("192.0.2.1:9100", "cannot serve HTTP at 192.0.2.1:9100: Cannot assign")
    refuse("no.such.host.invalid:9100", "cannot serve HTTP at no.such.host.invalid:9100: ")
  end)

  it("in use is refused at once", function()
    local here, port = open()
    refuse(":" .. port, "cannot serve HTTP at :" .. port .. ": Address already in use %(another")
    here.node:stop(BY)
    local again = site.open { tasks = TASKS, args = { "-w", "1", "--http", "127.0.0.1:" .. port } }
    assert.equal(port, http.port_of(again.node))
    again.node:stop(BY)
  end)

  it("may be in the config file, and is not changed by a reload", function()
    local here = site.open { tasks = TASKS, idle = true }
    support.write(here.dir .. "/moil.lua", 'return { http = "127.0.0.1:0" }')
    local node = here:worker { "-w", "1" }
    local port = http.port_of(node)
    support.write(here.dir .. "/moil.lua", 'return { http = "127.0.0.1:1" }')
    node:kill("HUP")
    node:read_until("reload: generation 2 serves", BY)
    assert.matches("reload: %-%-http has changed, but stays what it was", node:stderr())
    assert.equal(200, (http.get(port, "/healthz")))
    node:stop(BY)
  end)

  it("without the library is refused", function()
    local libs = support.tempdir()
    support.write(libs .. "/libmicrohttpd.so.12", "no library")
    refused({ "--http", ":0", env = { LD_LIBRARY_PATH = libs } },
      "%-%-http needs libmicrohttpd %([^\n]*%): install it")
  end)
end)

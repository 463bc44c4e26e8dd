-- What /metrics counts: src/worker/{tally,counter,metrics,stock}.c. Who may ask is in
-- http_spec.lua.

local http = require "spec.support.http"
local site = require "spec.support.site"
local support = require "spec.support"

local BY <const> = 60 -- seconds

local TASKS <const> = site.NOTE .. [[
moil.task("add", function(x, y) return x + y end)
moil.task("fail", function() error "no" end)
moil.task("twice", { bind = true }, function(self)
  if self.retries == 0 then self:retry { countdown = 0 } end
  return self.retries
end)
moil.task("reject", { bind = true }, function(self) self:reject "no" end)
moil.task("ignore", { bind = true }, function(self) self:ignore() end)
moil.task("replace", { bind = true }, function(self)
  self:replace(moil.signature("add", { 1, 2 }))
end)
moil.task("hold", function(gate)
  note("start", gate)
  while not io.open(gate) do moil.sleep(0.01) end
end)
moil.task("slow", { soft_time_limit = 0.1, time_limit = 5 }, function() moil.sleep(60) end)
moil.task("slower", { time_limit = 0.1 }, function() while true do end end)
moil.task("large", { memory_limit = 1 }, function() return #("x"):rep(1 << 24) end)
moil.task('we"ird\\name', function() end)
]]

-- A site whose only node serves HTTP, and the port.
local function open(options)
  options = options or {}
  options.tasks = options.tasks or TASKS
  options.args = options.args or { "-w", "2", "--http", ":0" }
  local here = site.open(options)
  return here, http.port_of(here.node)
end

-- Waits until all these samples have these values.
local function wait_for(port, expected)
  local found
  support.wait_until(function()
    local metrics = http.metrics(port)
    found = {}
    for name, value in pairs(expected) do
      if metrics[name] ~= value then
        found[#found + 1] = ("%s: %s, not %s"):format(name, metrics[name], value)
      end
    end
    return #found == 0
  end, BY, function() return table.concat(found, "\n") end)
end

local function state(task, name)
  return ('moil_jobs_total{task="%s",state="%s"}'):format(task, name)
end

local function of(name, task) return ('%s{task="%s"}'):format(name, task) end

local function wait_for_note(here, text)
  support.wait_until(function()
    for _, line in ipairs(here:notes()) do if line == text then return true end end
  end, BY, text)
end

local function gate(here, name) support.write(here.dir .. "/" .. name, "") end

-- What Prometheus requires of a page: its families declared once and in one piece, names by its
-- conventions, histograms that add up.
local function check_page(body)
  local seen, family, kind, buckets = {}, nil, nil, {}
  for line in body:gmatch("[^\n]+") do
    local name = line:match("^# HELP (%S+) %S")
    if name then
      assert.is_nil(seen[name], "declared twice: " .. name)
      seen[name], family = true, name
    elseif line:find("^# TYPE ") then
      name, kind = line:match("^# TYPE (%S+) (%a+)$")
      assert.equal(family, name)
      assert.equal(kind == "counter", name:find("_total$") ~= nil, name)
    else
      name = line:match("^([%l_]+)[ {]")
      local base = kind == "histogram" and name:gsub("_bucket$", ""):gsub("_sum$", "")
        :gsub("_count$", "") or name
      assert.equal(family, base, line)
      assert.matches("^moil_", name)
      assert.matches(' %-?[%d.]+[e%d+-]*$', line)
      local task, count = line:match('_bucket{task="(.-)",le=.- (%d+)$')
      if task then
        assert.is_true(tonumber(count) >= (buckets[task] or 0), line)
        buckets[task] = tonumber(count)
      end
      task, count = line:match('_count{task="(.-)"} (%d+)$')
      if task then assert.equal(buckets[task], tonumber(count), line) end
    end
  end
  return seen
end

describe("/metrics", function()
  local here, port

  setup(function()
    here, port = open()
    here:call("add", 1, 2)
  end)
  teardown(function() here.node:stop(BY) end)

  it("is a page by the rules", function()
    here:call('we"ird\\name')
    local samples, body = http.metrics(port)
    local seen = check_page(body)
    for _, name in ipairs { "moil_build_info", "moil_start_time_seconds", "moil_redis_up",
      "moil_jobs_total", "moil_job_duration_seconds", "moil_queue_pending",
      "moil_queue_oldest_seconds", "moil_retries_total", "moil_worker_crashes_total",
      "moil_reloads_total", "moil_redis_reconnects_total", "moil_worker_memory_bytes" } do
      assert.is_true(seen[name], name)
    end
    assert.equal(1, samples['moil_jobs_total{task="we\\"ird\\\\name",state="succeeded"}'])
    assert.is_nil(body:find('task="other"', 1, true))
    assert.is_nil(body:find('task="moil.', 1, true))
  end)

  it("passes promtool check metrics", function()
    if not os.execute("command -v promtool >/dev/null 2>&1") then
      pending("promtool is not here: it comes with Debian's package prometheus")
      return
    end
    local _, body = http.metrics(port)
    local file = support.write(here.dir .. "/page", body)
    local out = support.sh("promtool check metrics <" .. file, { timeout = BY })
    assert.same({ 0, "", "" }, { out.code, out.stdout, out.stderr })
  end)

  it("tells of the processes", function()
    local m = http.metrics(port)
    assert.equal(2, m['moil_workers{state="serving"}'])
    for worker = 1, 2 do
      local label = ('{worker="%d"}'):format(worker)
      assert.is_true(m["moil_worker_memory_bytes" .. label] > 1 << 20)
      assert.is_true(m["moil_worker_lua_bytes" .. label] > 1 << 16)
      assert.equal(1, m[('moil_worker_health{worker="%d",health="ok"}'):format(worker)])
      assert.equal(0, m[('moil_worker_health{worker="%d",health="stuck"}'):format(worker)])
    end
    assert.is_true(math.abs(m.moil_start_time_seconds - os.time()) < 600)
    assert.is_true(m.moil_agent_memory_bytes > 1 << 20)
  end)
end)

describe("jobs", function()
  it("are counted by task and how they ended", function()
    local here, port = open()
    local moil = here.moil
    for i = 1, 20 do here:call("add", i, i) end
    for _ = 1, 3 do here:failure("fail", {}) end
    for _ = 1, 4 do here:call "twice" end
    for _ = 1, 2 do here:failure("reject", {}) end
    moil.send("ignore", {})
    moil.send("replace", {}):get { timeout = BY }
    moil.send("add", { 1, 1 }, { expires = 0.001, countdown = 0.1 })
    assert.equal("SoftTimeLimitExceeded", here:failure("slow", {}).code)
    assert.equal("TimeLimitExceeded", here:failure("slower", {}).code)
    assert.equal("MemoryLimitExceeded", here:failure("large", {}).code)
    local held = moil.send("hold", { "never" })
    wait_for_note(here, "start never")
    held:revoke { terminate = true }
    wait_for(port, {
      [state("add", "succeeded")] = 21, [state("add", "failed")] = 0,
      [state("add", "expired")] = 1, [of("moil_jobs_started_total", "add")] = 22,
      [state("fail", "failed")] = 3, [state("fail", "succeeded")] = 0,
      [state("twice", "succeeded")] = 4, [of("moil_retries_total", "twice")] = 4,
      [of("moil_jobs_started_total", "twice")] = 8,
      [state("reject", "rejected")] = 2, [state("ignore", "ignored")] = 1,
      [state("replace", "replaced")] = 1, [state("hold", "revoked")] = 1,
      ['moil_job_timeouts_total{task="slow",limit="soft"}'] = 1,
      ['moil_job_timeouts_total{task="slow",limit="hard"}'] = 0,
      ['moil_job_timeouts_total{task="slower",limit="hard"}'] = 1,
      ['moil_job_timeouts_total{task="slower",limit="soft"}'] = 0,
      [state("slower", "failed")] = 1,
      [of("moil_job_memory_exceeded_total", "large")] = 1,
      [of("moil_job_duration_seconds_count", "add")] = 22,
      ['moil_job_duration_seconds_bucket{task="slow",le="0.05"}'] = 0,
      ['moil_job_duration_seconds_bucket{task="slow",le="3600"}'] = 1,
      moil_jobs_dead = 8,
    })
    local m, body = http.metrics(port)
    local sum = m[of("moil_job_duration_seconds_sum", "slow")]
    assert.is_true(sum >= 0.1 and sum < 10, sum)
    check_page(body)
    here.node:stop(BY)
  end)

  it("of a task that nobody here has are counted among others", function()
    local here, port = open()
    here.moil.send("nowhere", {})
    support.wait_until(function()
      return (http.metrics(port)[of("moil_requeues_total", "other")] or 0) >= 1
    end, BY, "a run of an unknown task")
    here.node:stop(BY)
  end)

  it("are counted on when their worker is killed", function()
    local here, port = open { args = { "-w", "1", "--http", ":0" } }
    for i = 1, 10 do here:call("add", i, i) end
    local held = here.moil.send("hold", { "gate" })
    wait_for_note(here, "start gate")
    assert(os.execute("kill -9 " .. site.pids(here.node)["worker 1"]))
    wait_for(port, { moil_worker_crashes_total = 1 })
    gate(here, "gate")
    held:get { timeout = BY }
    for i = 1, 10 do here:call("add", i, i) end
    wait_for(port, {
      [state("add", "succeeded")] = 20,
      [state("hold", "succeeded")] = 1,
      [of("moil_jobs_started_total", "hold")] = 2, -- at least once
      [of("moil_job_duration_seconds_count", "hold")] = 1,
      moil_worker_crashes_total = 1,
      moil_worker_kills_total = 0,
    })
    here.node:stop(BY)
  end)

  it("are counted on by the next generation, with its new tasks", function()
    local here, port = open()
    for i = 1, 5 do here:call("add", i, i) end
    support.write(here.tasks, "local = 2\n")
    here.node:kill("HUP")
    here.node:read_until("generation 1 goes on", BY)
    support.write(here.tasks, TASKS .. 'moil.task("new", function() end)\n')
    here.node:kill("HUP")
    here.node:read_until("generation 1 has drained", BY)
    for i = 1, 5 do here:call("add", i, i) end
    here:call "new"
    wait_for(port, {
      [state("add", "succeeded")] = 10, [state("new", "succeeded")] = 1, moil_generation = 2,
      ['moil_reloads_total{result="ok"}'] = 1, ['moil_reloads_total{result="failed"}'] = 1,
      ['moil_workers{state="serving"}'] = 2, moil_worker_crashes_total = 0,
    })
    here.node:stop(BY)
  end)

  it("of more than a thousand tasks are counted among others", function()
    local here, port = open {
      args = { "-w", "1", "--http", ":0" },
      tasks = 'local moil = require "moil"\nfor i = 1, 1003 do\n'
        .. '  moil.task(("t%04d"):format(i), function() return i end)\nend\n',
    }
    for _, i in ipairs { 1, 1000, 1001, 1003 } do here:call(("t%04d"):format(i)) end
    wait_for(port, { [state("t0001", "succeeded")] = 1, [state("t1000", "succeeded")] = 1,
      [state("other", "succeeded")] = 2 })
    local m, body = http.metrics(port)
    assert.is_nil(m[of("moil_jobs_started_total", "t1001")])
    check_page(body)
    here.node:stop(BY)
  end)
end)

describe("the queues", function()
  it("are told of with what waits in them", function()
    local here, port = open { args = { "-w", "1", "-q", "default", "--http", ":0" } }
    local moil = here.moil
    moil.send("add", { 1, 2 }, { queue = "low", priority = 9 })
    for _ = 1, 3 do moil.send("add", { 1, 2 }, { queue = "low", priority = 1 }) end
    moil.send("add", { 1, 2 }, { countdown = 3600 })
    here:failure("fail", {})
    assert.equal(0, support.moil({ "pause", "low", redis = here.url }).code)
    wait_for(port, {
      ['moil_queue_pending{queue="low"}'] = 4, ['moil_queue_pending{queue="default"}'] = 0,
      ['moil_queue_oldest_seconds{queue="default"}'] = 0,
      ['moil_queue_enqueued_total{queue="low"}'] = 4, ['moil_queue_ended_total{queue="low"}'] = 0,
      ['moil_queue_paused{queue="low"}'] = 1, ['moil_queue_paused{queue="default"}'] = 0,
      moil_jobs_delayed = 1, moil_jobs_dead = 1, moil_jobs_in_flight = 0, moil_jobs_deferred = 0,
    })
    local before = http.metrics(port)['moil_queue_oldest_seconds{queue="low"}']
    assert.is_true(before > 0 and before < 600)
    support.wait_until(function()
      return http.metrics(port)['moil_queue_oldest_seconds{queue="low"}'] > before
    end, BY, "an age that grows")
    here.node:stop(BY)
  end)

  it("that cannot be read are left out", function()
    local here, port = open { args = { "-w", "1", "--http", ":0" } }
    here.redis:call("SET", "{moil}:dead", "no sorted set")
    local m = http.metrics(port)
    support.wait_until(function()
      m = http.metrics(port)
      return m.moil_jobs_dead == nil
    end, BY, "no lengths")
    assert.equal(1, m.moil_redis_up)
    assert.matches("the queues' lengths cannot be told to /metrics: the key {moil}:dead is",
      here.node:stderr())
    here.redis:call("DEL", "{moil}:dead")
    wait_for(port, { moil_jobs_dead = 0 })
    here.node:stop(BY)
  end)

  it("are not waited for when Redis hangs", function()
    local here, port = open { args = { "-w", "1", "--http", ":0" } }
    wait_for(port, { moil_jobs_dead = 0 })
    here.redis.process:kill("STOP")
    support.wait_until(function()
      local m = http.metrics(port)
      return m.moil_redis_up == 0 and m.moil_jobs_dead == nil
    end, BY, "a Redis that hangs")
    here.redis.process:kill("CONT")
    wait_for(port, { moil_redis_up = 1, moil_jobs_dead = 0 })
    here.node:stop(BY)
  end)

  it("are asked for once, however many ask", function()
    local here, port = open { args = { "-w", "1", "--http", ":0" } }
    http.metrics(port)
    local function calls()
      local text = here.redis:call("INFO", "commandstats")
      return tonumber(text:match("cmdstat_zcard:calls=(%d+)")) or 0
    end
    local before, began = calls(), support.now()
    for _ = 1, 50 do http.metrics(port) end
    local seconds = support.now() - began
    assert.is_true(calls() - before <= 2 * (seconds + 2) + 10, -- two sets a look, and the agent's
      ("%d in %g s"):format(calls() - before, seconds))
    here.node:stop(BY)
  end)
end)

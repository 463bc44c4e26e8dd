-- examples/producer.c and examples/producer.lua with a real worker, without one, and stopped.

local support = require "spec.support"

local PROGRAM <const> = support.build .. "/examples/producer"
local SCRIPT <const> = support.root .. "/examples/producer.lua"

local function start(redis, ...)
  return support.spawn({ PROGRAM, ... }, { env = { MOIL_REDIS = redis.url or redis } })
end

local function run(redis, ...)
  local child = start(redis, ...)
  local code = child:wait(60)
  return { code = code, stdout = child:stdout(), stderr = child:stderr() }
end

local function start_worker(redis)
  local worker = support.start_moil { "worker", "-w", "1", support.root .. "/tasks/math.lua",
    support.root .. "/tasks/demo.lua", redis = redis }
  worker:read_until(" ready:", 20)
  return worker
end

describe("with a worker", function()
  local redis

  setup(function()
    redis = support.redis()
    start_worker(redis)
  end)

  it("examples/producer adds up the results of many, and shows the progress of one", function()
    local out = run(redis, "500")
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.matches("^500 jobs, sum 250500, 0 failed\nPROGRESS {[^\n]*}\n", out.stdout)
    local result = support.json_decode(out.stdout:match("\nSUCCESS ([^\n]*)\n$"))
    assert.same({ steps = 5, seconds = 1 }, result)
  end)

  it("examples/producer.lua does, and shows a failure, an id and a revocation", function()
    local out = support.lua { SCRIPT, "500", redis = redis, timeout = 60 }
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.matches("^4 %+ 4 = 8\n500 jobs, sum 250500\nPROGRESS %d+ %%\n", out.stdout)
    assert.matches("\n4 steps in 0.8 s\n1 / 0: DivisionByZero %(division by zero%)\n" ..
      "SCHEDULED, created true, then false\nrevoked: REVOKED\n$", out.stdout)
  end)
end)

describe("without a worker", function()
  for _, signal in ipairs { "INT", "TERM" } do
    it("examples/producer says so, and takes its jobs back at " .. signal, function()
      local redis = support.redis()
      local child = start(redis, "300")
      child:read_until("no worker serves these queues", 20, "stderr")
      child:kill(signal)
      assert.equal(signal == "INT" and 130 or 143, (child:wait(20)))
      assert.equal("", child:stdout())
      assert.matches("waiting for one\nstopped: 300 of 300 jobs taken back\n$", child:stderr())
      local out = support.moil { "inspect", "audit", "--json", redis = redis }
      assert.equal(300, support.json_decode(out.stdout).queues[1].ended.REVOKED)
    end)
  end

  it("examples/producer ends with those that a later worker runs", function()
    local redis = support.redis()
    local child = start(redis, "10")
    child:read_until("no worker serves these queues", 20, "stderr")
    start_worker(redis)
    assert.equal(0, (child:wait(60)))
    assert.matches("^10 jobs, sum 110, 0 failed\n", child:stdout())
  end)
end)

describe("without Redis", function()
  it("both say so and end", function()
    local nowhere = "unix://" .. support.tempdir() .. "/none"
    local out = run(nowhere, "3")
    assert.same({ 1, "" }, { out.code, out.stdout })
    assert.matches("^not enqueued yet: [^\n]+\nnot enqueued yet: [^\n]+\nenqueue: [^\n]+\n$",
      out.stderr)
    out = support.lua { SCRIPT, redis = nowhere, timeout = 30 }
    assert.same({ 1, "" }, { out.code, out.stdout })
    assert.matches("^RedisUnavailable: [^\n]+\n$", out.stderr)
    out = run("nonsense")
    assert.same({ 1, "" }, { out.code, out.stdout })
    assert.matches("^a Redis URL is [^\n]+\n$", out.stderr)
  end)

  it("examples/producer does not wait for one that went away", function()
    local redis = support.redis()
    local child = start(redis, "100")
    child:read_until("no worker serves these queues", 20, "stderr")
    redis:stop()
    child:kill("INT")
    assert.equal(130, (child:wait(30)))
    assert.matches("\nstopped: 0 of 100 jobs taken back\n$", child:stderr())
  end)
end)

it("both refuse what is no number of jobs", function()
  for _, count in ipairs { "0", "-1", "many", "100001" } do
    local out = run("unix:///none", count)
    assert.same({ 2, "", "usage: " .. PROGRAM .. " [JOBS]\n" },
      { out.code, out.stdout, out.stderr })
    out = support.lua { SCRIPT, count }
    assert.same({ 2, "", "usage: lua5.4 examples/producer.lua [JOBS]\n" },
      { out.code, out.stdout, out.stderr })
  end
end)

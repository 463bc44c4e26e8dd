-- Outages longer than the lease: Redis killed, or standing still, or out of reach. Live nodes are
-- not taken for gone, wait without spending CPU or memory, tell how they do, and go on. All outages
-- run at once; two nodes each, so that there is somebody who could give jobs away.

local ledger = require "spec.faults.ledger"
local proxy = require "spec.support.proxy"
local site = require "spec.support.site"
local support = require "spec.support"

local LEASE <const> = 8 -- seconds
local OUTAGE <const> = 11 -- seconds at least; it ends when all workers' health is red, too

local TASKS <const> = ledger.TASKS .. [[
moil.task("large", function(id, s) moil.sleep(s) note(id) return ("x"):rep(300000) end)
]]

local cases = {}
local quiet = {} -- one without trouble, for comparison
local deaf = {} -- one whose blocking fetch is dropped without a word

-- Two nodes, with jobs that live through the outage, jobs that end in it, and jobs that are due in
-- it.
local function open(options)
  local here = site.open { tasks = TASKS, redis = options.redis, url = options.url,
    appendonly = options.appendonly, args = { "-w", "1", "-c", "64", "--name", "one", "--lease",
      tostring(LEASE) } }
  local case = { site = here, redis = here.redis, books = ledger.open(here, options.producer) }
  case.second = here:worker { "-w", "1", "-c", "64", "--name", "two", "--lease", tostring(LEASE) }
  case.books:add(8, "count_slowly", OUTAGE + 3)
  case.books:add(100, "large", 1.5)
  case.books:add(1000, "count_slowly", 0.01)
  case.books:wait_count(100)
  table.insert(case.books.ids, "due")
  here.moil.send("count", { "due" }, { id = "due", countdown = 3 })
  return case
end

local function pids_of(case)
  local pids = {}
  for _, node in ipairs { case.site.node, case.second } do
    for _, pid in pairs(site.pids(node)) do pids[#pids + 1] = pid end
    pids[#pids + 1] = node.pid
  end
  return pids
end

local function usage(pids)
  local cpu, resident = {}, 0
  for i, pid in ipairs(pids) do
    cpu[i] = ledger.cpu(pid)
    resident = resident + ledger.resident(pid)
  end
  return cpu, resident
end

-- Until no job has ended for a while: from there on there is nothing to do but wait.
local function wait_still()
  local seen, since
  support.wait_until(function()
    local count = 0
    for _, case in pairs(cases) do count = count + case.books:count() end
    if count ~= seen then seen, since = count, support.now() end
    return support.now() - since > 2
  end, 30, "no job ends any more")
end

setup(function()
  cases.killed = open { appendonly = true }
  cases.stopped = open {}
  local redis = support.redis()
  local net = proxy.start(redis)
  cases.black = open { redis = redis, url = net.url, producer = redis.url }
  quiet.site = site.open { tasks = TASKS, args = { "-w", "1" } }
  redis = support.redis()
  deaf.net = proxy.start(redis)
  deaf.site = site.open { tasks = TASKS, redis = redis, url = deaf.net.url, args = { "-w", "1" } }
  support.wait_until(function() return deaf.net:order("drop", "wake:default") == 1 end, 15,
    "it waits for jobs")

  for _, case in pairs(cases) do case.pids = pids_of(case) end
  cases.killed.redis:kill9()
  cases.stopped.redis.process:kill("STOP")
  net:order("blackhole")
  local from = support.now()
  wait_still()
  for _, case in pairs(cases) do case.cpu, case.resident = usage(case.pids) end
  local measured = support.now()
  support.wait_until(function()
    for _, case in pairs(cases) do
      for _, node in ipairs { case.site.node, case.second } do
        if #site.log_lines(node, "worker 1 is stuck: ") == 0 then return false end
      end
    end
    return support.now() - from > OUTAGE
  end, 60, "the outage, and that all workers are stuck")
  for _, case in pairs(cases) do
    case.seconds = support.now() - measured
    case.cpu_after, case.resident_after = usage(case.pids)
  end
  cases.killed.redis:start()
  cases.stopped.redis.process:kill("CONT")
  net:order("forward")
end)

for name, what in pairs { killed = "a Redis that is dead", stopped = "a Redis that stands still",
  black = "a network that swallows everything" } do
  describe(what, function()
    local case
    before_each(function() case = cases[name] end)

    it("costs who waits for it neither CPU nor memory", function()
      for i, before in ipairs(case.cpu) do
        local share = (case.cpu_after[i] - before) / case.seconds
        assert.is_true(share < 0.05, ("process %d used %g of a CPU"):format(case.pids[i], share))
      end
      local grown = case.resident_after - case.resident
      assert.is_true(grown < 16 * 1024 * 1024, grown)
    end)

    it("gives no live job away, and loses none, though it takes longer than the lease", function()
      case.books:check { once = true }
      for _, node in ipairs { case.site.node, case.second } do
        for _, text in ipairs { "silent for a lease", "declared dead" } do
          assert.same({}, site.log_lines(node, text))
        end
      end
    end)

    it("is told: each worker was degraded, then stuck, and is well again", function()
      for _, node in ipairs { case.site.node, case.second } do
        support.wait_until(function()
          return #site.log_lines(node, "worker 1 is well again") > 0
        end, 30, function() return "it is well again: " .. node:stderr() end)
        assert.is_true(#site.log_lines(node, "worker 1 is degraded: ") > 0)
        assert.is_true(#site.log_lines(node, "worker 1 is stuck: ") > 0, node:stderr())
      end
      local nodes
      support.wait_until(function()
        local out = support.moil { "inspect", "nodes", "--json", redis = case.redis }
        nodes = 0
        for line in out.stdout:gmatch("[^\n]+") do
          local node = support.json_decode(line)
          if node.health == "ok" and node.workers[1].health == "ok" and not node.trouble then
            nodes = nodes + 1
          end
        end
        return nodes == 2
      end, 30, "both nodes report that they are well")
      case.site.node:stop()
      case.second:stop()
    end)
  end)
end

describe("no trouble at all", function()
  it("is ok all the while", function()
    for _, text in ipairs { "stuck", "connection:" } do
      assert.same({}, site.log_lines(quiet.site.node, text))
    end
    support.wait_until(function() -- a machine that stood still for seconds makes it degraded
      local out = support.moil { "inspect", "nodes", redis = quiet.site.redis }
      return out.stdout:find("HEALTH.*\n.* ok ") and not out.stdout:find("TROUBLE", 1, true)
    end, 30, "a table in which all is well")
    quiet.site.node:stop()
  end)
end)

describe("a blocking fetch that is not answered any more", function()
  it("turns the worker's health red, as the report tells; and green again", function()
    local node = deaf.site.node
    node:read_until("worker 1 is stuck: no answer to a fetch of jobs for %d+ s", 30)
    node:read_until("worker 1 is well again", 30)
    node:stop()
  end)
end)

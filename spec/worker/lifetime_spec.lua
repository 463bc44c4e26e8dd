local site = require "spec.support.site"
local support = require "spec.support"

-- Workers that are replaced after so many jobs, or when they hold too much memory.

local TASKS <const> = site.NOTE .. [[
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
moil.task("count", { bind = true, queue = "counted" }, function(self) note(self.id) end)
moil.task("nap", { queue = "counted" }, function(s) moil.sleep(s) return "slept" end)
moil.task("grow", { queue = "counted" }, function(mb)
  kept = kept or {}
  for _ = 1, mb do kept[#kept + 1] = ("x"):rep(2^20) .. #kept end
  return (io.open("/proc/self/stat"):read("n"))
end)
kept = {}
]]

-- Enqueues so many jobs of a task → results.
local function enqueue(here, task, count, args)
  local calls = {}
  for i = 1, count do calls[i] = here.moil.signature(task, args or {}, { queue = "counted" }) end
  return here.moil.enqueue_many(calls)
end

local function assert_each_once(here, jobs)
  for _, job in ipairs(jobs) do assert.is_nil(job:get { timeout = 60 }) end
  local seen, lines = {}, here:notes()
  for _, id in ipairs(lines) do
    assert.is_nil(seen[id], id .. " ran twice")
    seen[id] = true
  end
  for _, job in ipairs(jobs) do assert.is_true(seen[job.id], job.id .. " did not run") end
  assert.equal(#jobs, #lines)
end

describe("--max-tasks", function()
  it("replaces workers while thousands of jobs run once each", function()
    local here = site.open { tasks = TASKS, idle = true }
    local jobs = enqueue(here, "count", 3000)
    local node = here:worker { "-w", "2", "--max-tasks", "100" }
    assert_each_once(here, jobs)
    local said = site.log_lines(node, "has started 100 jobs (--max-tasks)")
    assert.is_true(#said >= 25, #said .. " replacements")
    assert.equal(#said, #site.log_lines(node, "has started"))
    assert.equal(0, #site.log_lines(node, "error"))
    node:kill("TERM")
    assert.equal(0, node:wait(30))
    local left = here.redis:call("HLEN", "{moil}:jobs")
    assert.equal(3000, left)
  end)

  it("lets what runs end, and gives the rest to others", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "2", "--max-tasks", "2" } }
    local first = here:call("pid")
    local nap = here.moil.send("nap", { 1 })
    local jobs = enqueue(here, "count", 5)
    assert.equal("slept", nap:get { timeout = 15 })
    assert_each_once(here, jobs)
    assert.not_equal(first, here:call("pid"))
    for _, job in ipairs(jobs) do assert.equal(1, job:info().deliveries) end
  end)

  it("holds in a burst, too", function()
    local here = site.open { tasks = TASKS, idle = true }
    local jobs = enqueue(here, "count", 50)
    local node = here:worker { "-w", "1", "--max-tasks", "10", "--burst", unready = true }
    assert.equal(0, node:wait(30))
    assert_each_once(here, jobs)
  end)
end)

describe("--max-memory", function()
  it("replaces a worker that has grown, when its jobs have ended", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "--max-memory", "60" } }
    local first = here:call("grow", 1)
    assert.equal(first, here:call("grow", 1))
    here:call("grow", 80)
    local nap = here.moil.send("nap", { 0.5 })
    support.wait_until(function()
      return #site.log_lines(here.node, "more than --max-memory 60") == 1
    end, 15, "the worker's last words")
    assert.equal("slept", nap:get { timeout = 15 })
    assert.not_equal(first, here:call("grow", 1))
    assert.equal(1, #site.log_lines(here.node, "another takes its place"))
  end)

  it("loses no job on the way", function()
    local here = site.open { tasks = TASKS, idle = true }
    local jobs = enqueue(here, "count", 2000)
    local node = here:worker { "-w", "2", "--max-memory", "1" } -- less than any worker has
    assert_each_once(here, jobs)
    assert.is_true(#site.log_lines(node, "--max-memory 1 is less than") >= 2)
    assert.is_true(#site.log_lines(node, "more than --max-memory 1") >= 2)
  end)
end)

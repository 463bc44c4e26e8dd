-- A private Redis with a CPU of its own (see bench/support/server.sh), the benchmark's tasks on
-- workers beside it, and what the workloads measure with. Knows no workload.
local figures = require "bench.faults.figures"
local support = require "spec.support"

local world = {}
world.__index = world

local PATIENCE_S <const> = 120
local LOOK_MS <const> = 1

-- The CPUs that this process may use, as taskset writes them; nil where there is one only.
local function others()
  local list = support.sh("taskset -pc $$ 2>/dev/null").stdout:match("list: (%S+)")
  local first, last = (list or ""):match("^(%d+)[-,](%d+)$")
  return first, last
end

local redis_cpu <const>, our_cpu <const> = others()

local function pin(pid, cpu)
  if cpu then support.sh(("taskset -apc %s %d >/dev/null"):format(cpu, pid)) end
end

---@param workers? integer  worker processes; none: no node
---@return table            with redis, moil (connected)
function world.open(workers)
  local self = setmetatable({ redis = support.redis(), moil = require "moil" }, world)
  pin(self.redis.pid, redis_cpu)
  self.moil.connect(self.redis.url)
  if workers then
    self.node = support.start_moil { "worker", support.root .. "/bench/tasks", "-w",
      tostring(workers), "--log-level", "info", redis = self.redis }
    self.node:read_until("ready", 15)
    for _, pid in ipairs(require("spec.support.process").descendants()) do
      if pid ~= self.redis.pid then pin(pid, our_cpu) end
    end
  end
  return self
end

function world:close()
  if self.node then self.node:stop() end
  self.redis:stop()
end

---Runs one of bench/'s programs; returns the numbers that it prints, by name.
function world:program(name, ...)
  local argv = { support.build .. "/bench/" .. name, ... }
  if our_cpu then argv = { "taskset", "-c", our_cpu, table.unpack(argv) } end
  local child = support.spawn(argv,
    { env = { MOIL_REDIS = self.redis.url, BENCH_SOCKET = self.redis.path } })
  child:wait(600)
  assert(child.code == 0, child:stderr())
  local found = {}
  for key, value in child:stdout():gmatch("(%S+) (%S+)") do found[key] = tonumber(value) end
  return found
end

---Jobs of the queue that have succeeded, ever.
function world:succeeded()
  return math.tointeger(self.redis:call("HGET", "{moil}:counters:default", "SUCCESS") or 0)
end

---As many plain jobs, pending in a paused queue that is resumed: jobs a second.
function world:plain(jobs)
  return jobs / self:drain(jobs, function()
    self:program("feed", "fill", tostring(jobs), "bench.noop")
  end)
end

---Has `fill` enqueue while the queue is paused; returns the seconds from its resuming until as many
---jobs have succeeded.
---@param jobs integer
---@param fill fun()
function world:drain(jobs, fill)
  local pause = support.script "pause"
  local before = self:succeeded()
  self.redis:call("EVAL", pause, 1, "{moil}:", "default", "p")
  fill()
  local from = support.now()
  self.redis:call("EVAL", pause, 1, "{moil}:", "default", "r")
  while self:succeeded() < before + jobs do
    assert(support.now() - from < PATIENCE_S, "the jobs are not done")
    support.native.poll({}, LOOK_MS / 1000)
  end
  return support.now() - from
end

---Commands of one kind that Redis has run, from outside and from scripts.
function world:calls(command)
  local info = self.redis:call("INFO", "commandstats")
  return tonumber(info:match("cmdstat_" .. command .. ":calls=(%d+)")) or 0
end

---The best and the middle of what run(i) gives, over n turns, for each of its names.
---@param n integer
---@param run fun(turn: integer): table<string, number>
function world.repeated(n, run)
  local all = {}
  for i = 1, n do
    for name, value in pairs(run(i)) do
      all[name] = all[name] or {}
      table.insert(all[name], value)
    end
  end
  local median = {}
  for name, values in pairs(all) do median[name] = figures.percentile(values, 50) end
  return median
end

return world

local site = require "spec.support.site"
local support = require "spec.support"

-- Jobs that a worker has reserved and cannot start go back to their queues: it is stuck in C,
-- stopped, or a blocking task runs.

local PATIENCE <const> = 30

local TASKS <const> = site.NOTE .. [[
moil.task("stuck", { time_limit = 300 }, function(gate)
  note("stuck", gate)
  os.execute("while ! [ -e " .. gate .. " ]; do sleep 0.02; done")
  return "went on"
end)
moil.task("stuck_later", { time_limit = 300 }, function(gate)
  moil.sleep(0.2)
  os.execute("while ! [ -e " .. gate .. " ]; do sleep 0.02; done")
end)
moil.task("alone", { blocking = true }, function(gate)
  while not io.open(gate) do moil.sleep(0.01) end
  return "went on"
end)
moil.task("wait", function(gate)
  while not io.open(gate) do moil.sleep(0.01) end
end)
moil.task("quick", function(i) note("quick", i) return i end)
moil.task("quicker", function() end)
moil.task("pid", function() return (io.open("/proc/self/stat"):read("n")) end)
]]

local here, moil

setup(function()
  here = site.open { tasks = TASKS, idle = true }
  moil = here.moil
end)

local gates = 0
local function new_gate()
  gates = gates + 1
  return ("gate%d"):format(gates)
end

local function open_gate(gate) support.write(here.dir .. "/" .. gate, "") end

-- Enqueues all at once, so that one worker reserves as many as it has slots.
local function enqueue(queue, calls)
  assert(here.redis:call("EVAL", support.script "pause", "1", "{moil}:", queue, "p"))
  local results = moil.enqueue_many(calls)
  here.redis:call("EVAL", support.script "pause", "1", "{moil}:", queue, "r")
  return results
end

-- The worker has what it fetched, and is in the job: a fetched one may be on its way to it.
local function wait_stuck(gate)
  support.wait_until(function()
    for _, line in ipairs(here:notes()) do
      if line == "stuck " .. gate then return true end
    end
  end, PATIENCE, "a job that waits for " .. gate)
end

local numbers = 0
local function quick_calls(queue, n)
  local calls = {}
  for i = 1, n do
    numbers = numbers + 1
    calls[i] = moil.signature("quick", { numbers }, { queue = queue })
  end
  return calls, numbers - n + 1
end

-- How often each quick job ran, from `first` on.
local function runs(first, n)
  local counts = {}
  for i = 1, n do counts[i] = 0 end
  for _, line in ipairs(here:notes()) do
    local i = tonumber(line:match("^quick (%d+)")) or 0
    if counts[i - first + 1] then counts[i - first + 1] = counts[i - first + 1] + 1 end
  end
  return counts
end

local function once(n)
  local counts = {}
  for i = 1, n do counts[i] = 1 end
  return counts
end

local function pending(queue)
  return here.redis:call("LRANGE", "{moil}:queue:" .. queue .. ":5", 0, -1)
end

local function wait_pending(queue, n)
  support.wait_until(function() return #pending(queue) == n end, PATIENCE,
    function() return ("%d in %s (now %d)"):format(n, queue, #pending(queue)) end)
end

local function ids(results, first)
  local list = {}
  for i = first, #results do list[#list + 1] = results[i].id end
  return list
end

describe("a worker that is stuck in C", function()
  it("leaves to another one what it has reserved", function()
    local gate = new_gate()
    local node = here:worker { "-w", "2", "-c", "8", "-q", "two" }
    for round = 1, 3 do
      local calls, first = quick_calls("two", 30)
      table.insert(calls, 1, moil.signature("stuck", { gate .. round }, { queue = "two" }))
      local results = enqueue("two", calls)
      for i = 2, #results do
        assert.equal(first + i - 2, results[i]:get { timeout = PATIENCE })
      end
      assert.equal("STARTED", results[1]:state())
      open_gate(gate .. round)
      assert.equal("went on", results[1]:get { timeout = PATIENCE })
      assert.same(once(30), runs(first, 30))
    end
    node:stop()
  end)

  it("gives it back in order, and takes it again when it comes back", function()
    local gate = new_gate()
    local node = here:worker { "-w", "1", "-c", "16", "-q", "one" }
    local calls, first = quick_calls("one", 9)
    table.insert(calls, 1, moil.signature("stuck", { gate }, { queue = "one" }))
    local results = enqueue("one", calls)
    wait_pending("one", 9)
    assert.same(ids(results, 2), pending("one"))
    node:read_until("none of its 9 reserved jobs", PATIENCE)
    open_gate(gate)
    for i = 2, 10 do assert.equal(first + i - 2, results[i]:get { timeout = PATIENCE }) end
    assert.equal("went on", results[1]:get { timeout = PATIENCE })
    assert.same(once(9), runs(first, 9))
    node:stop()
  end)

  it("leaves also what it had fetched ahead, more than a script takes", function()
    local gate = new_gate()
    local calls = {}
    for i = 1, 3000 do calls[i] = moil.signature("quicker", {}, { queue = "ahead" }) end
    local many, first = quick_calls("ahead", 3000)
    table.move(many, 1, #many, #calls + 2, calls)
    calls[3001] = moil.signature("stuck", { gate }, { queue = "ahead" })
    local results = enqueue("ahead", calls)
    local node = here:worker { "-w", "1", "-c", "16", "-q", "ahead" }
    node:read_until("started none of its", PATIENCE)
    -- What is left in flight is the stuck one, and what a fetch under way has brought.
    local last = 0
    for _, id in ipairs(pending "ahead") do
      local at
      for i = last + 1, #results do
        if results[i].id == id then
          at = i
          break
        end
      end
      assert.is_not_nil(at, "the order is kept")
      last = at
    end
    open_gate(gate)
    for i = 3001, #results do results[i]:get { timeout = PATIENCE } end
    assert.same(once(3000), runs(first, 3000))
    node:stop()
  end)

  it("ends a burst only when it has run what went back", function()
    local gate = new_gate()
    local calls, first = quick_calls("burst", 9)
    table.insert(calls, 1, moil.signature("stuck", { gate }, { queue = "burst" }))
    enqueue("burst", calls)
    local node = here:worker { "-w", "1", "-c", "16", "-q", "burst", "--burst", unready = true }
    wait_pending("burst", 9)
    open_gate(gate)
    assert.equal(0, (node:wait(PATIENCE)))
    assert.same(once(9), runs(first, 9))
    assert.equal(0, #pending "burst")
  end)

  it("is taken off the lists where it waits for wake-ups", function()
    local gate = new_gate()
    local node = here:worker { "-w", "1", "-c", "4", "-q", "wakes" }
    here.redis:call("CONFIG", "SET", "slowlog-max-len", "10000")
    here.redis:call("CONFIG", "SET", "slowlog-log-slower-than", "0")
    local stuck = moil.send("stuck_later", { gate }, { queue = "wakes" })
    support.wait_until(function()
      for _, entry in ipairs(here.redis:call("SLOWLOG", "GET", "10000")) do
        local command, key, message = table.unpack(entry[4])
        if command == "RPUSH" and key:find(":inbox:", 1, true) and message == "N" then
          return true
        end
      end
    end, PATIENCE, "a message that ends its BLPOP")
    here.redis:call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    assert.equal("STARTED", stuck:state())
    open_gate(gate)
    stuck:get { timeout = PATIENCE }
    local value = numbers + 1
    numbers = value
    local quick = moil.send("quick", { value }, { queue = "wakes" })
    assert.equal(value, quick:get { timeout = PATIENCE })
    node:stop()
  end)

  -- The agent has seized the jobs, and dies before Redis has answered: it may or may not have put
  -- them back.
  for _, comes_back in ipairs { false, true } do
    local how = comes_back and "comes back" or "stays stuck"
    it("loses none when its agent dies over it and it " .. how, function()
      local gate, queue = new_gate(), "orphan" .. gates
      local node = here:worker { "-w", "1", "-c", "16", "-q", queue }
      local agent = site.pids(node).agent
      local calls, first = quick_calls(queue, 15)
      table.insert(calls, 1, moil.signature("stuck", { gate }, { queue = queue }))
      local results = enqueue(queue, calls)
      wait_stuck(gate)
      here.redis:call("CLIENT", "PAUSE", "600", "ALL")
      node:read_until("started none of its", PATIENCE)
      support.native.kill(agent, support.native.signals.KILL)
      if comes_back then
        open_gate(gate)
      else
        node:read_until("agent %(pid " .. agent .. "%) killed by signal 9", PATIENCE)
        wait_pending(queue, 15)
        assert.same(ids(results, 2), pending(queue))
        open_gate(gate)
      end
      for i = 1, #results do results[i]:get { timeout = PATIENCE } end
      assert.same(once(15), runs(first, 15))
      node:stop()
    end)
  end
end)

describe("a worker that is stopped", function()
  it("leaves to another one what it has reserved, and drops it when it goes on", function()
    local gate = new_gate()
    local route = { queue = "stopped" }
    local node = here:worker { "-w", "1", "-c", "4", "-q", "stopped" }
    local pid = moil.send("pid", {}, route):get { timeout = PATIENCE }
    local calls, first = quick_calls("stopped", 12)
    for _ = 1, 4 do
      table.insert(calls, 1, moil.signature("stuck", { gate }, { queue = "stopped" }))
    end
    local results = enqueue("stopped", calls)
    wait_stuck(gate)
    support.native.kill(pid, support.native.signals.STOP)
    local other = here:worker { "-w", "1", "-c", "8", "-q", "stopped" }
    wait_pending("stopped", 0)
    open_gate(gate)
    for i = 5, #results do results[i]:get { timeout = PATIENCE } end
    for i = 2, 4 do assert.equal("went on", results[i]:get { timeout = PATIENCE }) end
    support.native.kill(pid, support.native.signals.CONT)
    assert.equal("went on", results[1]:get { timeout = PATIENCE })
    assert.same(once(12), runs(first, 12))
    node:stop()
    other:stop()
    assert.equal(0, here.redis:call("EXISTS", "{moil}:workers"))
  end)
end)

describe("jobs behind a blocking task", function()
  it("run elsewhere", function()
    local gate = new_gate()
    local node = here:worker { "-w", "2", "-c", "8", "-q", "blocking" }
    local calls, first = quick_calls("blocking", 30)
    table.insert(calls, 1, moil.signature("alone", { gate }, { queue = "blocking" }))
    local results = enqueue("blocking", calls)
    for i = 2, #results do results[i]:get { timeout = PATIENCE } end
    assert.equal("STARTED", results[1]:state())
    open_gate(gate)
    assert.equal("went on", results[1]:get { timeout = PATIENCE })
    assert.same(once(30), runs(first, 30))
    node:stop()
  end)

  it("run elsewhere while it waits for its turn", function()
    local gate = new_gate()
    local node = here:worker { "-w", "1", "-c", "8", "-q", "turn" }
    local waiting = moil.send("wait", { gate }, { queue = "turn" })
    here:wait_state(waiting.id, "STARTED")
    local calls, first = quick_calls("turn", 20)
    table.insert(calls, 1, moil.signature("alone", { gate }, { queue = "turn" }))
    local results = enqueue("turn", calls)
    local other = here:worker { "-w", "2", "-c", "8", "-q", "turn" }
    for i = 2, #results do results[i]:get { timeout = PATIENCE } end
    assert.equal("STARTED", waiting:state())
    open_gate(gate)
    assert.equal("went on", results[1]:get { timeout = PATIENCE })
    assert.same(once(20), runs(first, 20))
    node:stop()
    other:stop()
  end)
end)

-- The tasks of the chaos suite: each writes down that it runs, and returns its own id, so that a
-- result that came to the wrong job shows. Run in a copy of this folder, beside ledger.lua, where
-- `runs` is the ledger.

local moil = require "moil"
local core = require "moil.core"
local ledger = require "ledger"

local runs = ledger.open("runs")

local stat = assert(io.open("/proc/self/stat"))
local PID <const>, PPID <const> = stat:read("a"):match("^(%d+) %(.*%) %a (%d+)")
stat:close()

local function now()
  return ("%.6f"):format(core.now())
end

local function note(verb, self)
  runs:write(verb, self.id, self.retries, PID, PPID, self.worker, now())
end

-- Registers `chaos.NAME`: body(self, id, …) between two lines of the ledger.
local function task(name, options, body)
  options.bind = true
  moil.task("chaos." .. name, options, function(self, ...)
    note("start", self)
    body(self, ...)
    note("stop", self)
    return self.id
  end)
end

local function spin(ms)
  local until_s = core.now() + ms / 1000
  repeat local _ = tostring(until_s) until core.now() >= until_s
end

-- Enqueues a job of an id that follows from this one's, so that a second run means the same job.
local function enqueue(id)
  runs:write("try", id, "noop", 0, now())
  local result = moil.send("chaos.noop", { 0 }, { id = id, queue = "high" })
  runs:write("ack", id, now())
  return result
end

-- What needs Redis while it runs fails when that is away, and is tried again.
local patient <const> = moil.retry.fixed { max = 1000, delay = 0.2 }

task("noop", {}, function() end)
task("tick", {}, function() end)
task("quiet", { ignore_result = true }, function() end)
task("fleeting", { result_ttl = 1 }, function() end)
task("large", {}, function(_, n, text) assert(#text == n * 1000) end)
task("sleep", {}, function(_, ms) moil.sleep(ms / 1000) end)
task("spin", {}, function(_, ms) spin(ms) end)
task("blocking", { blocking = true }, function(_, ms) spin(ms) end)

-- Not started after half a second.
task("brief", { expires = 0.5 }, function() end)

-- A child program, which must not outlive its worker.
task("program", {}, function(_, ms)
  local done = moil.run { "sleep", tostring(ms / 1000) }
  if done.code ~= 0 then error { code = "Program", message = "sleep did not end in order" } end
end)

-- Ended by the hook of the worker that runs it; by its allocator; by the supervisor, as it is in a
-- C function.
task("endless", { time_limit = 0.3 }, function()
  while true do pcall(error) end
end)

task("greedy", { memory_limit = 5 }, function()
  local kept = {}
  repeat kept[#kept + 1] = ("x"):rep(1000) .. #kept until #kept > 1e9
end)

-- Takes its worker down each time.
task("poison", {}, function()
  os.execute("kill -9 " .. PID)
end)

task("stuck", { time_limit = 0.3 }, function()
  local _ = ("a"):rep(40):find(("a?"):rep(40) .. ("a"):rep(40))
end)

task("flaky", { retry = moil.retry.fixed { max = 9, delay = 0.1 } }, function(self, n)
  if self.retries < n then error { code = "Flaky", message = "not yet" } end
end)

task("again", {}, function(self, n)
  if self.retries < n then self:retry { countdown = 0.05, max_retries = n } end
end)

task("doomed", { retry = moil.retry.fixed { max = 1, delay = 0.1 } }, function()
  error { code = "Doomed", message = "as meant" }
end)

task("progress", { retry = patient }, function(self, n)
  for i = 1, n do
    self:update_state("PROGRESS", { step = i })
    moil.sleep(0.02)
  end
end)

task("parent", { retry = patient }, function(self, n)
  local children = {}
  for i = 1, n do children[i] = enqueue(("%s.c%d"):format(self.id, i)) end
  for _, child in ipairs(children) do
    if child:get { timeout = 30 } ~= child.id then
      error { code = "Mixed", message = "the result of another job: " .. child.id }
    end
  end
end)

task("glad", { on_success = function(self) enqueue(self.id .. ".s") end }, function() end)

task("sad", { on_failure = function(self) enqueue(self.id .. ".f") end }, function()
  error { code = "Doomed", message = "as meant" }
end)

-- --- parts of workflows: what comes before them is in front of their own argument ----------------

-- What was given, as weaver.lua writes it; "!" stands for an error in the place of a result.
local function feed_of(value)
  if type(value) ~= "table" then return tostring(value) end
  if value.error then return "!" end
  local parts = {}
  for i, part in ipairs(value) do parts[i] = feed_of(part) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function part(name, options, body)
  task(name, options, function(self, ...)
    local given = table.pack(...)
    runs:write("fed", self.id, given.n > 1 and feed_of(given[1]) or "-")
    if body then body(self, given[given.n]) end
  end)
end

part("node", {})
part("body", {})
part("slow", {}, function(_, ms) moil.sleep(ms / 1000) end)

part("tough", { retry = moil.retry.fixed { max = 9, delay = 0.1 } }, function(self, n)
  if self.retries < n then error { code = "Flaky", message = "not yet" } end
end)

part("bust", {}, function() error { code = "Doomed", message = "as meant" } end)

task("errback", {}, function(self, err, id)
  runs:write("fed", self.id, (type(err) == "table" and err.code and "error," or "?,") .. id)
end)

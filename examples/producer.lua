-- A producer in plain Lua: one job, many jobs in one call, options, progress, errors.
--
--   build/moil dev tasks                                    in one terminal
--   eval `make -s env`; lua5.4 examples/producer.lua        in another: 1,000 jobs
--   lua5.4 producer.lua 5000                                with an installed moil
--
-- Nothing of the tasks' code is here: a producer knows their names, as workers do.

local moil = require "moil"

local COUNT <const> = tonumber(arg[1] or 1000)
local TIMEOUT <const> = 30 -- seconds, for each result

if math.type(COUNT) ~= "integer" or COUNT < 1 or COUNT > 100000 then
  io.stderr:write("usage: lua5.4 examples/producer.lua [JOBS]\n")
  os.exit(2)
end

local function one()
  local job = moil.send("math.add", { 4, 4 })
  print("4 + 4 = " .. job:get { timeout = TIMEOUT })
end

-- A few round trips for all of them. Each is a signature: a call as data, with its options.
local function many()
  local calls = {}
  for i = 1, COUNT do
    calls[i] = moil.signature("math.mul", { i, 2 }, { priority = i % 10, result_ttl = 600 })
  end
  local sum = 0
  for _, job in ipairs(moil.enqueue_many(calls)) do sum = sum + job:get { timeout = TIMEOUT } end
  print(("%d jobs, sum %d"):format(COUNT, sum))
end

-- A state of a task's own arrives as soon as it is set.
local function progress()
  local job = moil.send("demo.progress", { 4, 0.8 })
  local done = job:get {
    timeout = TIMEOUT,
    on_message = function(m) print(("%s %d %%"):format(m.state, m.meta.percent)) end,
  }
  print(("%d steps in %.1f s"):format(done.steps, done.seconds))
end

-- A job that failed raises its error here; with propagate = false it is a value. Its code tells
-- failures apart, not its message.
local function failure()
  local _, err = moil.send("math.div", { 1, 0 }):get { timeout = TIMEOUT, propagate = false }
  print(("1 / 0: %s (%s)"):format(err.code, err.message))
end

-- What is due later can be taken back; an id of one's own makes sending it twice harmless.
local function later()
  local id = "reminder-" .. moil.uuid()
  local options = { id = id, countdown = 3600 }
  local job = moil.send("math.add", { 1, 1 }, options)
  local again = moil.send("math.add", { 1, 1 }, options)
  print(("%s, created %s, then %s"):format(job:state(), job.created, again.created))
  print(("revoked: %s"):format(job:revoke()))
end

-- Without a Redis, without a worker and for wrong arguments moil raises a table, or a text that
-- names the place.
local ok, err = pcall(function()
  one()
  many()
  progress()
  failure()
  later()
end)
if not ok then
  io.stderr:write(type(err) == "table" and ("%s: %s"):format(err.code, err.message) or err, "\n")
  os.exit(1)
end

local forest = require "spec.lua.forest"
local site = require "spec.support.site"
local support = require "spec.support"

-- Workflows of chance with real workers: each comes to what its tree says, each of its jobs runs
-- once, and nothing is left over.

local TASKS <const> = forest.SHOW .. [[
local moil = require "moil"
local notes = assert(io.open("notes", "a"))
notes:setvbuf("full", 1 << 20) -- a line at once, as the workers share the file
local function note(line)
  notes:write(line, "\n")
  notes:flush()
end
local function called(name, ...)
  local call = name .. show(table.pack(...), moil.null)
  note(call)
  return call
end
moil.task("f", function(...) return called("f", ...) end)
moil.task("fail", function(...) called("fail", ...) error { code = "BROKEN", message = "no" } end)
]]

local DEPTH <const> = 3
local TREES <const> = 150

local here

before_each(function()
  here = site.open { tasks = TASKS, args = { "-w", "2", "-c", "8" } }
end)

-- A runner for the oracle that writes down what must be run.
local function runner(log)
  return function(task, args)
    local call = task .. forest.show(args, forest.NULL)
    table.insert(log, call)
    if task == "fail" then return false, "because" end
    return true, call
  end
end

-- What is not over yet, as text; "" when all is.
local function leftovers()
  local function call(...) return here.redis:call(...) end
  local left = {}
  for _, key in ipairs { "deferred", "links", "held" } do
    local entries = call("HGETALL", "{moil}:" .. key)
    for i = 1, #entries, 2 do
      left[#left + 1] = ("%s: %s %s"):format(key, entries[i], entries[i + 1])
    end
  end
  if call("LLEN", "{moil}:advancing") > 0 then left[#left + 1] = "advancing" end
  local running = call("HGET", "{moil}:counters:default", "inflight")
  if running ~= "0" then left[#left + 1] = "in flight" end
  if call("LLEN", "{moil}:queue:default:5") > 0 then left[#left + 1] = "pending" end
  return table.concat(left, "\n")
end

local function await_quiet()
  local left
  support.wait_until(function()
    left = leftovers()
    return left == ""
  end, 30, function() return "all to be over:\n" .. left end)
  local audit = support.moil { "inspect", "audit", redis = here.url }
  assert.equal(0, audit.code, audit.stdout .. audit.stderr)
end

-- Starts so many workflows, and compares each with its tree.
local function try(seed, failing, policies)
  math.randomseed(seed)
  local make = forest.generator(here.moil, math.random, failing, policies)
  local expected_log, runs = {}, {}
  for i = 1, TREES do
    local tree = make(DEPTH)
    local ok, value = forest.evaluate(tree, runner(expected_log))
    runs[i] = { handle = tree:delay(), ok = ok, value = value }
  end
  for i, run in ipairs(runs) do
    local value, err = run.handle:get { timeout = 30, propagate = false }
    assert.equal(run.ok, err == nil, ("seed %d, workflow %d"):format(seed, i))
    if run.ok then
      assert.equal(forest.show(run.value, forest.NULL), forest.show(value, here.moil.null),
        ("seed %d, workflow %d"):format(seed, i))
    end
  end
  await_quiet()
  return expected_log
end

local function assert_ran(expected)
  local counts, wrong = {}, {}
  for _, call in ipairs(expected) do counts[call] = (counts[call] or 0) + 1 end
  for _, call in ipairs(here:notes()) do counts[call] = (counts[call] or 0) - 1 end
  for call, count in pairs(counts) do
    if count ~= 0 then
      wrong[#wrong + 1] = ("%s: %s by %d"):format(call, count > 0 and "missing" or "too often",
        math.abs(count))
    end
  end
  assert.same({}, wrong)
end

describe("workflows of chance", function()
  it("come to what their trees say", function()
    assert_ran(try(1, 0))
  end)

  it("end in all their parts when jobs fail", function()
    assert_ran(try(2, 15, { "fail", "wait", "collect" }))
  end)
end)

describe("workflows of chance that revoke", function()
  it("end", function()
    math.randomseed(3)
    local make = forest.generator(here.moil, math.random, 15)
    local handles = {}
    for i = 1, TREES do handles[i] = make(DEPTH):delay() end
    for _, handle in ipairs(handles) do handle:get { timeout = 30, propagate = false } end
    await_quiet()
  end)
end)

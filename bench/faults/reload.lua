-- A million jobs over 4 workers while the node is told to reload every 200 ms, one time in five
-- with a broken script, against the same without reloads: the rate, and that none is lost, failed
-- or run twice.
local feed = require "bench.faults.feed"
local site = require "spec.support.site"
local support = require "spec.support"

local GOOD <const> = [[
local moil = require "moil"
local ran = assert(io.open("ran", "a"))
ran:setvbuf("no")
moil.task("reload.noop", function() ran:write("x") end)
-- version %d
]]
local BROKEN <const> = "this is not Lua (\n"
local EVERY <const> = 0.2 -- seconds between two reloads

-- A page of the records: the next cursor, then states with their counts.
local SURVEY <const> = [[
local states = {}
local page = redis.call("HSCAN", "{moil}:jobs", ARGV[1], "COUNT", 5000)
for i = 2, #page[2], 2 do
  local state = page[2][i]:match("^R1 (%S+) ") or "open"
  states[state] = (states[state] or 0) + 1
end
local flat = { page[1] }
for state, n in pairs(states) do
  flat[#flat + 1] = state
  flat[#flat + 1] = tostring(n)
end
return flat
]]

local function survey(redis)
  local cursor, states = "0", {}
  repeat
    local flat = redis:call("EVAL", SURVEY, "0", cursor)
    cursor = flat[1]
    for i = 2, #flat, 2 do states[flat[i]] = (states[flat[i]] or 0) + tonumber(flat[i + 1]) end
  until cursor == "0"
  return states
end

-- Rewrites the script as an editor would and sends HUP.
local function reload(world, n)
  local text = n % 5 == 0 and BROKEN or GOOD:format(n)
  support.write(world.tasks .. ".new", text)
  os.rename(world.tasks .. ".new", world.tasks)
  world.node:kill("HUP")
end

-- Drains n jobs -> seconds, reloads asked for, the world.
local function drain(n, reloads)
  local world = site.open { tasks = GOOD:format(0), idle = true }
  feed.fill(world.redis, n, "reload.noop")
  world.node = world:worker { "-w", "4" }
  local from, asked = support.now(), 0
  support.wait_until(function()
    if reloads and support.now() - from > (asked + 1) * EVERY then
      asked = asked + 1
      reload(world, asked)
    end
    return feed.ended(world.redis) >= n
  end, 600, "all jobs have ended")
  return support.now() - from, asked, world
end

local run = { name = "reload" }

function run.run(options)
  local n = options.quick and 200000 or 1000000
  local plain, _, idle = drain(n, false)
  idle.node:stop()
  idle.redis:stop()
  local seconds, asked, world = drain(n, true)
  local states, ran = survey(world.redis), #support.read(world.dir .. "/ran")
  local audit = support.moil { "inspect", "audit", redis = world.redis }
  local served = #site.log_lines(world.node, "reload: generation")
  world.node:stop(60)
  world.redis:stop()
  return {
    { what = ("%d jobs, 4 workers, no reload"):format(n), value = n / plain, unit = "jobs/s" },
    { what = ("  %d reloads, one in five broken"):format(asked), value = n / seconds,
      unit = "jobs/s" },
    { what = "  of the rate without", value = plain / seconds, unit = "x", digits = 2, side = ">",
      bound = 0.5 },
    { what = "  lines of the log on reloads", value = served },
    { what = "  jobs that did not succeed", value = n - (states.SUCCESS or 0), side = "<",
      bound = 0 },
    { what = "  runs beyond one a job", value = ran - n, side = "<", bound = 0 },
    { what = "  exit status of the audit", value = audit.code, side = "<", bound = 0 },
  }
end

return run

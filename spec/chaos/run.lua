-- One run of chaos: a cluster, a plan drawn from a seed, the deeds at their times, healing, and the
-- judgement. `make chaos` runs this file; chaos_spec.lua calls `run.go`.
--
--   lua5.4 spec/chaos/run.lua [SEED] [SECONDS]

local auditor = require "spec.chaos.auditor"
local cluster = require "spec.chaos.cluster"
local dice = require "spec.chaos.dice"
local dump = require "spec.chaos.dump"
local judge = require "spec.chaos.judge"
local nemesis = require "spec.chaos.nemesis"
local schedule = require "spec.chaos.schedule"
local support = require "spec.support"

local run = {}

local PRODUCERS <const> = 2
local PATIENCE_S <const> = 120 -- for what takes seconds: nobody else's load may fail a run
local FAULTS_SHOWN <const> = 40

-- --- the deeds at their times --------------------------------------------------------------------

local function line_of(at, text)
  return ("%7.3f  %s"):format(at, text)
end

local function play(c, plan, timeline, seconds, audit)
  local started, heals, next_act = support.now(), {}, 1
  local function note(name, text)
    timeline[#timeline + 1] = line_of(support.now() - started, name .. ": " .. text)
  end
  while true do
    local now = support.now() - started
    if now >= seconds then return end
    for i = #heals, 1, -1 do
      local h = heals[i]
      if now >= h.at then
        table.remove(heals, i)
        if h.action.heal(c, h.aim) == true then
          table.insert(heals, { at = now + 0.2, action = h.action, aim = h.aim })
        else
          note(h.action.name, "over")
        end
      end
    end
    local step = plan[next_act]
    if step and now >= step.at then
      next_act = next_act + 1
      local done = step.action.act(c, step.aim)
      note(step.action.name, ("slot %d, %s"):format(step.aim.slot, done or "not there"))
      if done and step.action.heal then
        heals[#heals + 1] = { at = now + step.aim.seconds, action = step.action, aim = step.aim }
      end
    end
    audit:turn()
    support.native.poll({}, 0.01)
  end
end

-- --- the end -------------------------------------------------------------------------------------

-- What is still on its way, or nil: jobs, and nodes that died and that nobody has found out yet.
local function unrest(c)
  local live = {}
  for _, node in pairs(c.nodes) do live[node.name] = true end
  local left = dump.unfinished(c.redis)
  if left > 0 then return ("%d jobs or recoveries are under way"):format(left) end
  for _, name in ipairs(dump.present(c.redis)) do
    if not live[name] then return name .. " is dead and has not been found out" end
  end
end

-- Waits until nothing moves any more; of jobs that it waited for in vain the judge tells more.
local function drain(c)
  local deadline = support.now() + PATIENCE_S
  local left
  repeat
    left = unrest(c)
    if not left then return nil end
    support.native.poll({}, 0.1)
  until support.now() > deadline
  return ("not at rest %d s after all was healed: %s"):format(PATIENCE_S, left)
end

local function add_all(faults, more)
  for _, fault in ipairs(more) do faults[#faults + 1] = fault end
end

-- What the run itself writes; of a killed node its pid file stays.
local OURS <const> = { "^producer%-%d+$", "^runs$", "^stop$", "^tasks%-%d+$", "%.pid$" }

local function is_ours(name)
  for _, pattern in ipairs(OURS) do
    if name:find(pattern) then return true end
  end
  return name == "." or name == ".."
end

local function left_behind(c)
  local faults = {}
  for name in require("lfs").dir(c.dir) do
    local maker = name:match("%.pid%.(%d+)$") -- of a pid file in the making
    if not is_ours(name) and not c.killed[tonumber(maker)] then
      faults[#faults + 1] = "a file is left behind: " .. name
    end
  end
  for _, node in ipairs(c.logs) do
    local killed = c.killed[node.process.pid]
    local f = not killed and io.open(node.pidfile)
    if f then
      f:close()
      faults[#faults + 1] = node.name .. " left its pidfile"
    end
  end
  local mine = { [c.redis.pid] = true }
  local ok = pcall(support.wait_until, function()
    for _, pid in ipairs(require("spec.support.process").descendants()) do
      if not mine[pid] then return false end
    end
    return true
  end, 10, "")
  if not ok then faults[#faults + 1] = "processes are left behind" end
  return faults
end

local function finish(c, audit)
  local faults, fenced = {}, {}
  c:heal()
  schedule.remove(c.redis, PATIENCE_S)
  c:stop_producers(PATIENCE_S)
  local healed_at = support.now()
  faults[1] = drain(c)
  local rest_s = support.now() - healed_at
  add_all(faults, audit:finish(PATIENCE_S))
  local contents = dump.read(c.redis)
  if #faults == 0 then c:stop_nodes(PATIENCE_S) end
  local books = c:ledgers()
  judge.kills(books, c.killed)
  for _, node in ipairs(c.logs) do
    add_all(faults, judge.log(node.process:stderr(), c.killed, fenced))
  end
  for _, node in ipairs(c.logs) do
    if fenced[node.name] then fenced[node.process.pid] = true end
  end
  local case = judge.case {
    books = books, dump = contents, killed = c.killed, fenced = fenced, cuts = c.cuts,
  }
  add_all(faults, judge.verdict(case))
  if #faults == 0 then
    add_all(faults, judge.leftovers(dump.read(c.redis)))
    add_all(faults, left_behind(c))
  end
  return faults, case, rest_s
end

local function summary(case, fenced)
  local jobs, starts = 0, 0
  for _, job in pairs(case.jobs) do
    jobs = jobs + 1
    starts = starts + #job.starts
  end
  local deaths = 0
  for _ in pairs(case.killed) do deaths = deaths + 1 end
  return ("%d jobs, %d ticks, %d runs, %d processes killed, %d workers fenced"):format(jobs,
    #schedule.fired(case.dump), starts, deaths, fenced)
end

---@param seed integer
---@param seconds number how long the nemesis is at work
---@return string[] faults
---@return string timeline of what it did
---@return string summary
function run.go(seed, seconds)
  local c = cluster.open { seed = seed, nodes = nemesis.NODES, producers = PRODUCERS }
  local timeline = {}
  local plan = nemesis.plan(dice.new(seed, "nemesis"), seconds)
  local text = "?"
  local ok, faults = xpcall(function()
    local audit = auditor.new(c.redis)
    schedule.add(c.redis)
    play(c, plan, timeline, seconds, audit)
    local faults, case, rest_s = finish(c, audit)
    local fenced = 0
    for _ in pairs(case.fenced) do fenced = fenced + 1 end
    text = ("%s, %d audits, at rest %.1f s after it was healed"):format(summary(case, fenced),
      audit.passed, rest_s)
    return faults
  end, debug.traceback)
  if not ok then faults = { tostring(faults) } end
  c:close()
  run.last = c
  return faults, table.concat(timeline, "\n"), text
end

-- --- as a program --------------------------------------------------------------------------------

local function report(faults, timeline)
  print("what was done:\n" .. timeline)
  print(("%d faults:"):format(#faults))
  for i = 1, math.min(#faults, FAULTS_SHOWN) do print("  " .. faults[i]) end
  local keep = os.getenv("MOIL_CHAOS_KEEP")
  if keep then
    os.execute(("mkdir -p '%s' && cp -r '%s' '%s'"):format(keep, run.last.dir, keep))
    for _, node in ipairs(run.last.logs) do
      support.write(keep .. "/" .. node.name .. ".log", node.process:stderr())
    end
    support.write(keep .. "/redis.log", run.last.redis:log())
  end
end

local function main(seed, seconds)
  print(("chaos: SEED=%d SECONDS=%g"):format(seed, seconds))
  local faults, timeline, text = run.go(seed, seconds)
  print(text)
  if #faults > 0 then report(faults, timeline) end
  local left = require("spec.support.process").finish()
  for _, name in ipairs(left) do print("left behind: " .. name) end
  local ok = #faults == 0 and #left == 0
  print(ok and "nothing lost, nothing stuck"
    or ("failed; again with: make chaos SEED=%d SECONDS=%g"):format(seed, seconds))
  return ok
end

local function given(text, default)
  if not text or text == "" then return default end
  return tonumber(text)
end

if arg and arg[0] and arg[0]:find("spec/chaos/run.lua", 1, true) then
  local seed = math.tointeger(given(arg[1], os.time()))
  local seconds = given(arg[2], 60)
  if not seed or not seconds or seconds <= 0 then
    io.stderr:write("make chaos: SEED is a whole number, SECONDS a number above 0\n")
    os.exit(2, true)
  end
  os.exit(main(seed, seconds), true)
end

return run

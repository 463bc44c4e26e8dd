-- All transitions together: in random sequences of them a job is always in exactly one place, the
-- counters balance after each step, and every script does what a model of the protocol, written
-- here in plain Lua, says it must.
--
-- MOIL_SPEC_SEED runs a sequence again.

local world = require "spec.redis.world"

local STEPS <const>, SEEDS <const> = 700, 4
local QUEUES <const> = { "q1", "q2" }
local LEVELS <const> = { 2, 5, 9 }

-- --- the model -----------------------------------------------------------------------------------

local model = {}
model.__index = model

local function new_model()
  return setmetatable({ jobs = {}, lists = {}, paused = {}, workers = {}, revoked = 0 }, model)
end

local function list_of(m, queue, level)
  local name = queue .. ":" .. level
  m.lists[name] = m.lists[name] or {}
  return m.lists[name]
end

local function remove(list, id)
  for i, other in ipairs(list) do
    if other == id then return table.remove(list, i) end
  end
end

-- Puts a job at an end of its list.
function model:push(id, front)
  local job = self.jobs[id]
  job.place = "pending"
  local list = list_of(self, job.queue, job.level)
  table.insert(list, front and 1 or #list + 1, id)
end

function model:take_out(id)
  local job = self.jobs[id]
  remove(list_of(self, job.queue, job.level), id)
end

-- What is due, the earliest first.
function model:due()
  local due = {}
  for _, id in ipairs(self:ids_in("delayed")) do
    if self.jobs[id].due <= 1000 then due[#due + 1] = id end
  end
  table.sort(due, function(a, b)
    local x, y = self.jobs[a].due, self.jobs[b].due
    if x ~= y then return x < y end
    return a < b
  end)
  return due
end

-- The lists of these queues are empty: due jobs stand in them for a moment.
function model:fetch_due(worker, want, queues, taken)
  local due = self:due()
  for i = 1, math.min(#due, want - #taken) do self:push(due[i]) end
  self:fetch_pending(worker, want, queues, taken)
end

function model:fetch(worker, want, queues)
  local taken = self:fetch_pending(worker, want, queues, {})
  if #taken < want then self:fetch_due(worker, want, queues, taken) end
  return taken
end

function model:fetch_pending(worker, want, queues, taken)
  for _, queue in ipairs(queues) do
    for i = #LEVELS, 1, -1 do
      local list = list_of(self, queue, LEVELS[i])
      while not self.paused[queue] and #taken < want and #list > 0 do
        local id = table.remove(list, 1)
        self.jobs[id].place = worker
        taken[#taken + 1] = id
      end
    end
  end
  return taken
end

-- Ids in a place (a worker, "delayed", …), in the order of the alphabet, so that a seed always
-- means the same.
function model:ids_in(place)
  local ids = {}
  for id, job in pairs(self.jobs) do
    if job.place == place then ids[#ids + 1] = id end
  end
  table.sort(ids)
  return ids
end

-- --- one step of each kind: does it to Redis and to the model, and compares ----------------------

local steps = {}

local function pick(list) return list[math.random(#list)] end

local function random_id() return "j" .. math.random(25) end

local function place_in_words(job)
  if not job then return nil end
  if job.place == "pending" then return ("pending %s:%d"):format(job.queue, job.level) end
  if job.place:find("^worker") then return "inflight " .. job.place end
  return job.place
end

local function record_of(job)
  return world.record { queue = job.queue, level = job.level }
end

function steps.enqueue(w, m)
  local queue, level, front = pick(QUEUES), pick(LEVELS), math.random(3) == 1
  local ids, taken, fresh, seen = {}, {}, {}, {}
  for i = 1, math.random(4) do
    local id = random_id()
    ids[i] = id
    if m.jobs[id] or seen[id] then taken[#taken + 1] = i else fresh[#fresh + 1] = id end
    seen[id] = true
  end
  assert.same(taken, w:enqueue(queue, level, ids, { front = front }))
  for i = 1, #fresh do
    local id = fresh[front and #fresh + 1 - i or i]
    m.jobs[id] = { queue = queue, level = level }
    m:push(id, front)
  end
end

function steps.schedule(w, m)
  local id, job = random_id(), { queue = pick(QUEUES), level = pick(LEVELS), place = "delayed",
    due = math.random(1000) }
  local taken = m.jobs[id] and { 1 } or {}
  assert.same(taken, w:schedule({ id }, job.due, job))
  m.jobs[id] = m.jobs[id] or job
end

local function move_due(m, limit)
  local due = m:due()
  for i = 1, math.min(#due, limit) do m:push(due[i]) end
  return math.min(#due, limit)
end

function steps.promote(w, m)
  local limit = math.random(5)
  assert.equal(move_due(m, limit), w:eval("promote", limit)[1])
end

-- As a worker does it: half of the time it was woken by the tokens, and took one.
function steps.fetch(w, m)
  local queues = pick { { "q1" }, { "q2" }, { "q1", "q2" }, { "q2", "q1" } }
  local worker, want = pick(m.workers), math.random(6)
  if math.random(2) == 1 then w:key("DEL", "wake:" .. pick(queues)) end
  assert.same(m:fetch(worker, want, queues), w:fetch(want, queues, worker))
end

local function settle_one(m, worker, id, sections)
  local job, kind = m.jobs[id], math.random(6)
  if kind == 1 then
    table.insert(sections.dropped, { queue = job.queue, id })
    m.jobs[id] = nil
  elseif kind == 2 then
    local minute = pick { 0, 7, 8 }
    local record = world.outcome { minute = minute, worker = worker, queue = job.queue }
    table.insert(sections.ended, { minute = minute, { id, record } })
    job.place, job.minute = "ended", minute
  elseif kind == 3 then
    table.insert(sections.dead, { id, world.dead_record(job) })
    job.place = "dead"
  elseif kind == 4 then
    job.due = math.maxinteger -- later than any sequence lasts
    table.insert(sections.retry, { id, 3600000, record_of(job) })
    job.place = "delayed"
  elseif kind == 5 then
    table.insert(sections.retry, { id, 0, record_of(job) })
  else
    table.insert(sections.requeue, { id, job.queue, job.level })
  end
end

function steps.settle(w, m)
  local worker = pick(m.workers)
  local sections = { dropped = {}, ended = {}, dead = {}, retry = {}, requeue = {} }
  local count = 0
  for _, id in ipairs(m:ids_in(worker)) do
    if math.random(2) == 1 then
      settle_one(m, worker, id, sections)
      count = count + 1
    end
  end
  for _, entry in ipairs(sections.retry) do
    if entry[2] == 0 then m:push(entry[1]) end
  end
  for _, entry in ipairs(sections.requeue) do m:push(entry[1], true) end
  assert.equal(count, w:settle(sections, worker))
  if math.random(2) == 1 then -- the reply was lost; meanwhile some may live again
    if math.random(2) == 1 then steps.enqueue(w, m) end
    sections.doubt = math.random(4) > 1
    assert.equal(0, w:settle(sections, worker))
  end
end

-- An agent gives back what a stuck worker has reserved; it asks for some that it does not hold.
function steps.requeue(w, m)
  local worker, ids = pick(m.workers), {}
  for i = 1, 4 do ids[i] = random_id() end
  assert.equal(0, w:eval("requeue", worker, table.unpack(ids)))
  for i = #ids, 1, -1 do
    if m.jobs[ids[i]] and m.jobs[ids[i]].place == worker then m:push(ids[i], true) end
  end
end

function steps.revoke(w, m)
  local id = random_id()
  local job = m.jobs[id]
  local expected = job and ({ pending = "REVOKED", delayed = "REVOKED",
    dead = "FAILURE" })[job.place] or nil
  if job and job.place:find("^worker") then expected = "STARTED" end
  local state = w:eval("revoke", id, "{}", 3600)
  if job and job.place == "ended" then
    assert.is_true(state == "SUCCESS" or state == "REVOKED")
  else
    assert.equal(expected, state)
  end
  if expected == "REVOKED" then
    if job.place == "pending" then m:take_out(id) end
    job.place, job.minute = "ended", math.huge
  end
end

function steps.reschedule(w, m)
  local id, due = random_id(), math.random(1000)
  local job = m.jobs[id]
  local waits = job and (job.place == "pending" or job.place == "delayed")
  local state = w:eval("reschedule", id, due, "")
  if waits then
    assert.equal("SCHEDULED", state)
    if job.place == "pending" then m:take_out(id) end
    job.place, job.due = "delayed", due
  elseif not job then
    assert.is_nil(state)
  else
    assert.is_true(job.place:find("^worker") and state == "STARTED" or state ~= "SCHEDULED")
  end
end

function steps.delete(w, m)
  local id = random_id()
  local job = m.jobs[id]
  local held = job and job.place:find("^worker")
  assert.equal(job and (held and 0 or 1) or nil, w:eval("delete", id))
  if job and not held then
    if job.place == "pending" then m:take_out(id) end
    m.jobs[id] = nil
  end
end

function steps.forget(w, m)
  local id = random_id()
  local job = m.jobs[id]
  local ended = job and (job.place == "ended" or job.place == "dead")
  assert.equal(job and (ended and 1 or 0) or nil, w:eval("forget", id))
  if ended then m.jobs[id] = nil end
end

function steps.retry_dead(w, m)
  local ids, moved = { random_id(), random_id(), random_id() }, 0
  for _, id in ipairs(ids) do
    if m.jobs[id] and m.jobs[id].place == "dead" then
      m:push(id)
      moved = moved + 1
    end
  end
  assert.equal(moved, w:eval("retry_dead", table.unpack(ids))[1])
end

function steps.purge(w, m)
  if math.random(8) > 1 then return end
  local queue, dropped = pick(QUEUES), 0
  for _, level in ipairs(LEVELS) do
    for _, id in ipairs(list_of(m, queue, level)) do
      m.jobs[id] = nil
      dropped = dropped + 1
    end
    m.lists[queue .. ":" .. level] = nil
  end
  assert.same({ dropped, 0 }, w:eval("purge", queue, 250))
end

function steps.pause(w, m)
  local queue, paused = pick(QUEUES), math.random(4) == 1
  assert.equal((m.paused[queue] or false) == paused and 0 or 1, w:eval("pause", queue,
    paused and "p" or "r"))
  m.paused[queue] = paused
end

function steps.wait(w, m)
  local id = random_id()
  local reply = w:eval("wait", "owner" .. math.random(3), id)[1]
  local job = m.jobs[id]
  local ended = job and (job.place == "ended" or job.place == "dead")
  assert.equal(job and (ended and "R" or "W") or false, reply and reply:sub(1, 1))
end

function steps.progress(w, m)
  local worker, id = pick(m.workers), random_id()
  local held = m.jobs[id] and m.jobs[id].place == worker
  assert.equal(held and 1 or 0, w:eval("progress", worker, 1, id, "P w 1\n"))
end

function steps.sweep(w, m)
  for _ = 1, 10 do
    if w:eval("sweep", 1000, 3600)[2] == 0 then break end
  end
  for id, job in pairs(m.jobs) do
    if job.place == "ended" and job.minute ~= 0 and job.minute < math.huge then m.jobs[id] = nil end
  end
end

-- A worker dies: what it held goes back to the front, in the order of enqueueing, which is the
-- alphabet's here.
function steps.crash(w, m)
  if math.random(3) > 1 then return end
  local at = math.random(#m.workers)
  local worker = m.workers[at]
  m.workers[at] = "worker-" .. (tonumber(worker:match("%d+")) + 10)
  w:eval("join", m.workers[at], "node")
  w:eval("condemn", worker, "crash", "-", "{}")
  for _ = 1, 2 do -- until the second call its jobs are its own
    steps.revoke(w, m)
    steps.delete(w, m)
    w:check()
    w:eval("recover", worker, 3, 10)
  end
  while w:eval("recover", worker, 3, 10) == 1 do w:check() end
  local back = m:ids_in(worker)
  for i = #back, 1, -1 do m:push(back[i], true) end
end

local KINDS <const> = {}
for name in pairs(steps) do KINDS[#KINDS + 1] = name end
table.sort(KINDS)
for _ = 1, 5 do table.move({ "fetch", "settle", "enqueue" }, 1, 3, #KINDS + 1, KINDS) end

-- The audit's own look at everything, which must find nothing wrong.
local function survey(w)
  local argv = {}
  for i = 1, 25 do
    argv[2 * i - 1] = "j" .. i
    argv[2 * i] = pick { "", "q1:5", "q2:9" }
  end
  assert.same({ 25 }, w:eval("verify", table.unpack(argv)))
  local function page(what, name)
    local reply = w:eval("survey", what, "0", 250, name)
    assert.same({ "0", {} }, { reply[1], reply[3] }, what)
    return reply[2]
  end
  local must = {}
  for _, id in ipairs(page("jobs", "")) do must[id] = true end
  for _, what in ipairs { "delayed", "dead", "running", "waiters" } do page(what, "") end
  for _, list in ipairs(page("lists", "")) do
    for _, id in ipairs(page("list", list)) do assert.is_true(must[id], id) end
  end
  for _, incarnation in ipairs(page("incarnations", "")) do
    page("inflight", incarnation)
    page("recovering", incarnation)
  end
end

local function compare(w, m, step)
  w:check()
  if step % 35 == 0 then survey(w) end
  for i = 1, 25 do
    local id = "j" .. i
    assert.equal(place_in_words(m.jobs[id]), w:place(id), id)
  end
end

-- --- the sequences -------------------------------------------------------------------------------

describe("a job", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)

  local function run(seed)
    math.randomseed(seed)
    w:reset()
    local m = new_model()
    for i = 1, 3 do
      m.workers[i] = "worker-" .. i
      w:eval("join", m.workers[i], "node")
    end
    local trace = {}
    for step = 1, STEPS do
      local kind = pick(KINDS)
      trace[#trace + 1] = kind
      local ok, why = xpcall(steps[kind], debug.traceback, w, m)
      if ok then ok, why = xpcall(w.balance, debug.traceback, w) end
      if ok and step % 7 == 0 then ok, why = xpcall(compare, debug.traceback, w, m, step) end
      if not ok then
        error(("MOIL_SPEC_SEED=%d, step %d, the last ones: %s\n%s"):format(seed, step,
          table.concat(trace, " ", math.max(1, #trace - 10)),
            type(why) == "table" and tostring(why) or why), 0)
      end
    end
  end

  local seed <const> = tonumber(os.getenv("MOIL_SPEC_SEED"))
  for i = 1, seed and 1 or SEEDS do
    it("is in one place, the one that the model says (seed " .. (seed or i) .. ")",
      function()
      run(seed or i)
    end)
  end
end)

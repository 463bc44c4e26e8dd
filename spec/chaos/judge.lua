-- What must hold when all is over, as pure functions over what was written down: the ledgers of
-- producers and tasks (ledger.lua), the contents of Redis (dump.lua), and which processes ended
-- without leave. Each returns a list of faults, one line each; an empty one is the verdict "right".

local flows = require "spec.chaos.flows"
local schedule = require "spec.chaos.schedule"

local judge = {}

local code_of <const>, is_dependent <const> = flows.code_of, flows.is_dependent

local CRASHES_MAX <const> = 3 -- deaths of its process that a job survives: then it fails for good

-- What a kind of job comes to where nothing kills it: its state, its retries (nil: any number; "n":
-- the drawn number), whether its result is kept, and the suffix of the job that its hook enqueues.
-- A group is a job that nobody runs.
-- One that is late may expire; one that a verdict ends is ended by another worker than ran it.
local KINDS <const> = {
  noop = { state = "SUCCESS", retries = 0 },
  quiet = { state = "SUCCESS", retries = 0, dropped = true },
  fleeting = { state = "SUCCESS", retries = 0, dropped = true },
  large = { state = "SUCCESS", retries = 0 },
  sleep = { state = "SUCCESS", retries = 0 },
  spin = { state = "SUCCESS", retries = 0 },
  blocking = { state = "SUCCESS", retries = 0 },
  brief = { state = "SUCCESS", retries = 0, expires = true },
  program = { state = "SUCCESS", retries = 0 },
  endless = { state = "FAILURE", code = "TimeLimitExceeded", retries = 0, verdict = true },
  greedy = { state = "FAILURE", code = "MemoryLimitExceeded", retries = 0 },
  poison = { state = "FAILURE", code = "WorkerLost", retries = 0, verdict = true,
    kills = true },
  stuck = { state = "FAILURE", code = "TimeLimitExceeded", retries = 0, verdict = true },
  flaky = { state = "SUCCESS", retries = "n" },
  again = { state = "SUCCESS", retries = "n" },
  doomed = { state = "FAILURE", code = "Doomed", retries = 1 },
  progress = { state = "SUCCESS" },
  parent = { state = "SUCCESS" },
  glad = { state = "SUCCESS", retries = 0, hook = ".s" },
  sad = { state = "FAILURE", code = "Doomed", retries = 0, hook = ".f" },
  tick = { state = "SUCCESS", retries = 0 }, -- of the schedule
  -- parts of workflows
  node = { state = "SUCCESS", retries = 0 },
  body = { state = "SUCCESS", retries = 0 },
  slow = { state = "SUCCESS", retries = 0 },
  tough = { state = "SUCCESS", retries = "n" },
  bust = { state = "FAILURE", code = "Doomed", retries = 0 },
  errback = { state = "SUCCESS", retries = 0 },
  group = { state = "SUCCESS", retries = 0, never_runs = true },
}

-- --- the case: everything known, by job ----------------------------------------------------------

local function job_of(case, id)
  local job = case.jobs[id]
  if not job then
    job = { id = id, tries = 0, starts = {}, stops = 0, revokes = {}, feeds = {} }
    case.jobs[id] = job
  end
  return job
end

local TAKE <const> = {
  try = function(job, entry)
    job.kind, job.n, job.tries = entry.kind, entry.n, job.tries + 1
    job.first_t = math.min(job.first_t or entry.t, entry.t)
  end,
  node = function(job, entry)
    job.node = flows.node(entry)
  end,
  fed = function(job, entry) job.feeds[#job.feeds + 1] = entry.feed end,
  ack = function(job, entry) job.acked = math.max(job.acked or entry.t, entry.t) end,
  revoking = function(job, entry) job.revokes[#job.revokes + 1] = { t = entry.t } end,
  revoked = function(job, entry)
    local revoke = job.revokes[#job.revokes]
    revoke.state, revoke.t = entry.state, entry.t
  end,
  start = function(job, entry) job.starts[#job.starts + 1] = entry end,
  deleting = function(job) job.deleted = true end,
  waited = function(job, entry)
    if entry.outcome == "late" or entry.outcome == "another" then job.waited = entry.outcome end
  end,
  stop = function(job) job.stops = job.stops + 1 end,
}

---Adds the workers that jobs killed to those that were ended without leave.
---@param books table[] lists of a ledger's entries
---@param killed table<integer, string> grows
function judge.kills(books, killed)
  local kills = {}
  for _, book in pairs(books) do
    for _, entry in ipairs(book) do
      local kind = entry.verb == "try" and KINDS[entry.kind]
      if kind and kind.kills then kills[entry.id] = true end
    end
  end
  for _, book in pairs(books) do
    for _, entry in ipairs(book) do
      if entry.verb == "start" and kills[entry.id] then killed[entry.pid] = "killed by a job" end
    end
  end
end

---Puts the evidence together.
---@param evidence table books: lists of a ledger's entries; dump; killed: pid → why (a supervisor's
---stands for its children); fenced: incarnation, or pid of a supervisor whose node was evicted →
---true; cuts: when connections to Redis were cut
function judge.case(evidence)
  local case = { jobs = {}, dump = evidence.dump, killed = evidence.killed,
    fenced = evidence.fenced, cuts = evidence.cuts }
  for _, book in pairs(evidence.books) do
    for _, entry in ipairs(book) do TAKE[entry.verb](job_of(case, entry.id), entry) end
  end
  for _, tick in ipairs(schedule.fired(evidence.dump)) do
    local job = job_of(case, tick.id)
    job.kind, job.n, job.tries, job.acked, job.first_t = "tick", 0, job.tries + 1, 0, 0
  end
  return case
end

-- Was its worker taken for dead? Then it may run what others have by now.
local function was_fenced(case, start)
  return case.fenced[start.incarnation] or case.fenced[start.ppid]
end

-- Did the worker that began this run end, or lose its jobs, before it could settle?
local function was_cut_short(case, start)
  return case.killed[start.pid] or case.killed[start.ppid] or was_fenced(case, start)
end

local function cut_short(case, job)
  local n = 0
  for _, start in ipairs(job.starts) do
    if was_cut_short(case, start) then n = n + 1 end
  end
  return n
end

local function sorted_jobs(case)
  local list = {}
  for _, job in pairs(case.jobs) do list[#list + 1] = job end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

-- Calls check(job, record, add) for each job that anybody knows; add(format, …) tells of a fault.
local function each_job(case, check)
  local faults = {}
  for _, job in ipairs(sorted_jobs(case)) do
    check(job, case.dump.records[job.id], function(format, ...)
      faults[#faults + 1] = ("job %s (%s): "):format(job.id, job.kind or "?")
        .. format:format(...)
    end)
  end
  return faults
end

-- --- jobs ----------------------------------------------------------------------------------------

-- It leaves no record, and ran, or was revoked before it did.
local function may_be_gone(job)
  if job.deleted or (job.node and job.node.policy == "E") then return true end
  return KINDS[job.kind].dropped and (#job.starts > 0 or #job.revokes > 0)
end

---Each acknowledged job has ended, and its record says so; nothing is there that nobody enqueued.
function judge.ends(case)
  local faults = each_job(case, function(job, record, add)
    if job.tries == 0 then
      add("ran or was revoked, and nobody enqueued it")
    elseif not record then
      if job.acked and not may_be_gone(job) then
        add("lost: acknowledged, and Redis knows nothing of it")
      end
    elseif record.damaged then
      add("its record is damaged: %q", record.damaged)
    elseif not record.ended then
      add("has not ended")
    end
  end)
  for id in pairs(case.dump.records) do
    if not case.jobs[id] then faults[#faults + 1] = ("job %s: nobody enqueued it"):format(id) end
  end
  return faults
end

-- The places of each id: "in the queue default:5", …
local function places_of(dump)
  local places = {}
  local function put(ids, where)
    for _, id in ipairs(ids) do
      places[id] = places[id] or {}
      table.insert(places[id], where)
    end
  end
  for name, ids in pairs(dump.lists) do put(ids, "queue " .. name) end
  for incarnation, ids in pairs(dump.inflight) do put(ids, "in flight with " .. incarnation) end
  for incarnation, ids in pairs(dump.recovering_ids) do put(ids, "recovering " .. incarnation) end
  put(dump.delayed, "delayed")
  put(dump.dead, "dead")
  return places
end

---A job that has ended is nowhere else but, perhaps, in the dead set.
function judge.places(case)
  local faults, places = {}, places_of(case.dump)
  for id, where in pairs(places) do
    local record = case.dump.records[id]
    local text = table.concat(where, ", ")
    if not record then
      faults[#faults + 1] = ("job %s: in %s without a record"):format(id, text)
    elseif record.ended and not (#where == 1 and where[1] == "dead") then
      faults[#faults + 1] = ("job %s: %s, and yet in %s"):format(id, record.state, text)
    elseif not record.ended and #where > 1 then
      faults[#faults + 1] = ("job %s: in %s at once"):format(id, text)
    end
  end
  for id, record in pairs(case.dump.records) do
    local is_dead = places[id] and places[id][1] == "dead"
    local is_failed = record.state == "FAILURE" and not is_dependent(record)
    if record.ended and is_failed ~= (is_dead or false) then
      faults[#faults + 1] = ("job %s: %s, and %s the dead set"):format(id, record.state,
        is_dead and "in" or "not in")
    end
  end
  table.sort(faults)
  return faults
end

-- A revoked group takes its members along, and a workflow the steps before its last one.
local function was_revoked(case, job)
  local group = job.node and case.jobs[job.node.within]
  if #job.revokes > 0 or group and was_revoked(case, group) then return true end
  for _, other in pairs(job.node and case.jobs or {}) do
    if flows.follows(other.node, job.id) and was_revoked(case, other) then return true end
  end
  return false
end

local function check_revoked(case, job, record, add)
  local asked = was_revoked(case, job)
  local expired = KINDS[job.kind].expires and code_of(record) == "Expired"
  if not asked and not expired then add("REVOKED, and nobody asked for that: %s", record.value) end
end

local function check_lost(case, job, add)
  local deaths = cut_short(case, job)
  if deaths + 1 < CRASHES_MAX then -- one may have come before the task wrote its line
    add("failed as WorkerLost, but only %d of its runs were cut short", deaths)
  end
end

---Each ended as its kind must, or by a revoke, or by too many deaths of its workers; with its own
---result.
function judge.states(case)
  return each_job(case, function(job, record, add)
    local kind = KINDS[job.kind]
    if not record or not record.ended or not kind then return end
    if job.node and is_dependent(record) then
      return -- see `flows`
    elseif record.state == "REVOKED" then
      check_revoked(case, job, record, add)
    elseif record.state == "FAILURE" and code_of(record) == "WorkerLost" then
      check_lost(case, job, add)
    elseif record.state ~= kind.state or (kind.code and code_of(record) ~= kind.code) then
      add("%s, not %s: %s", record.state, kind.state, record.value)
    elseif kind.never_runs then
      if record.value ~= "null" then add("a group with a result: %s", record.value) end
    elseif record.state == "SUCCESS" and record.value ~= ('"%s"'):format(job.id) then
      add("has another job's result: %s", record.value)
    end
  end)
end

---Each that succeeded ran, and by the worker that its record names.
function judge.runs(case)
  return each_job(case, function(job, record, add)
    if not record or not record.ended or record.state == "REVOKED"
      or code_of(record) == "WorkerLost" or is_dependent(record) then
      return
    end
    local kind = KINDS[job.kind]
    if not kind or kind.never_runs then return end
    if #job.starts == 0 then
      add("%s, and never ran", record.state)
      return
    end
    for _, start in ipairs(job.starts) do
      if start.incarnation == record.worker or kind.verdict then return end
    end
    add("%s by %s, which never ran it", record.state, record.worker)
  end)
end

-- How often a job without record may be enqueued anew: when it is sent again, by the producer or,
-- when a reply may have been lost, by the client itself. One that was deleted may have any number
-- of lives.
local function spare_runs(case, job)
  if job.deleted then return math.huge end
  if not (KINDS[job.kind] and KINDS[job.kind].dropped) then return 0 end
  local spare = job.tries - 1
  for _, t in ipairs(case.cuts) do
    if t >= job.first_t and t <= (job.acked or math.huge) then spare = spare + 1 end
  end
  return spare
end

---A second run of the same try needs a first one that was cut short, or is itself one of a worker
---that was taken for dead; or a second enqueueing of what leaves no record.
function judge.duplicates(case)
  return each_job(case, function(job, _, add)
    local spare = spare_runs(case, job)
    local before = {} -- retries → the run that lived
    for _, start in ipairs(job.starts) do
      local lived = before[start.retries]
      if lived and not was_fenced(case, start) then
        if spare == 0 then
          add("ran again (try %d by pid %d at %.3f), though pid %d (%s) had it at %.3f and lived",
            start.retries, start.pid, start.t, lived.pid, lived.incarnation, lived.t)
          return
        end
        spare = spare - 1
      end
      if not was_cut_short(case, start) then before[start.retries] = start end
    end
  end)
end

---What Redis said is revoked does not begin any more, but in a worker that is no longer asked.
function judge.revokes(case)
  return each_job(case, function(job, record, add)
    for _, revoke in ipairs(job.revokes) do
      if revoke.state == "REVOKED" and not job.deleted then
        if record and record.ended and record.state ~= "REVOKED" then
          add("ended as %s after it was REVOKED", record.state)
        end
        for _, start in ipairs(job.starts) do
          if start.t > revoke.t and not was_fenced(case, start) then
            add("began at %.3f after it was REVOKED at %.3f", start.t, revoke.t)
          end
        end
      end
    end
  end)
end

local function charges_of(record)
  if record.body then return record.body.crashes + record.body.losses end
  return record.deliveries - 1
end

local function check_retries(job, record, add)
  local kind = KINDS[job.kind]
  local expected = kind.retries == "n" and job.n or kind.retries
  local by_itself = record.state ~= "REVOKED" and code_of(record) ~= "WorkerLost"
    and not is_dependent(record)
  if expected and by_itself and not job.deleted and record.retries ~= expected then
    add("%d retries, not %d", record.retries, expected)
  end
end

---Retries are those of its policy. What a job is charged with are runs that were cut short, or
---deaths of workers that had not come to writing down that they run it; and each death of a worker
---is charged to one job at most, so that what is left when losses of nodes are taken off is not
---more than there were deaths.
function judge.charges(case)
  local unseen, crashes, deaths = 0, 0, 0
  local faults = each_job(case, function(job, record, add)
    if not record or not record.ended or not KINDS[job.kind] then return end
    check_retries(job, record, add)
    local charged, lost = charges_of(record), 0
    for _, start in ipairs(job.starts) do
      if was_fenced(case, start) then lost = lost + 1 end
    end
    unseen = unseen + math.max(0, charged - cut_short(case, job))
    crashes = crashes + math.max(0, charged - lost)
  end)
  for _ in pairs(case.killed) do deaths = deaths + 1 end
  if unseen > deaths then
    faults[#faults + 1] =
      ("%d crashes charged to jobs whose runs were not cut short, with %d deaths"):format(unseen,
        deaths)
  elseif crashes > deaths then
    faults[#faults + 1] = ("%d crashes charged, with %d deaths"):format(crashes, deaths)
  end
  return faults
end

---Who waits for a job gets its result, and in time.
function judge.waits(case)
  return each_job(case, function(job, _, add)
    if job.waited == "late" then
      add("ended long before, and who waited for it was not told")
    elseif job.waited then
      add("who waited for it got another job's result")
    end
  end)
end

---A hook of a job that came to its end was called.
function judge.hooks(case)
  return each_job(case, function(job, record, add)
    local kind = KINDS[job.kind]
    if not record or not record.ended or not kind or not kind.hook then return end
    local by_itself = record.state == kind.state and code_of(record) ~= "WorkerLost"
    if by_itself and not case.jobs[job.id .. kind.hook] then
      add("%s, and its hook was never called", record.state)
    end
  end)
end

---The ticks of the schedule: schedule.lua.
function judge.ticks(case)
  return schedule.faults(case.dump)
end

---Each part of a workflow: flows.lua.
function judge.flows(case)
  return each_job(case, function(job, record, add) flows.check(case, job, record, add) end)
end

-- --- the rest ------------------------------------------------------------------------------------

local EMPTY_IN_THE_END <const> = { "workers", "recovering", "running", "waiters", "nodes",
  "leases", "stale", "inflight", "recovering_ids", "lists", "delayed", "endless", "beat", "ticks",
  "deferred", "links", "held", "faults", "advancing", "accepted", "linked" }

---After the last node has left in order: nothing of nodes, workers or waiters is kept.
---@param dump table of dump.read
function judge.leftovers(dump)
  local faults = {}
  for _, name in ipairs(EMPTY_IN_THE_END) do
    local key, value = next(dump[name])
    if key then
      faults[#faults + 1] = ("left in %s: %s = %s"):format(name, key,
        type(value) == "table" and table.concat(value, " ") or tostring(value))
    end
  end
  return faults
end

-- What a log must not say. Deaths are looked at one by one.
local WRONG <const> = { "damaged record", "BadMessage", "out of memory for", "out of memory: job",
  "Sanitizer", "assert",
  "runtime error", "not understood", "recovery of worker", "was not told of the death" }

-- What Redis answers where it is told to refuse.
local TRANSIENT <const> = { "READONLY", "BUSY", "LOADING", "OOM", "MASTERDOWN" }

local function is_transient(line)
  for _, word in ipairs(TRANSIENT) do
    if line:find(": " .. word, 1, true) then return true end
  end
  return false
end

---What a node's log tells: faults; and, into `killed` and `fenced`, whom the supervisor ended for
---its slowness, and which incarnations were taken for dead.
---@param text string
---@param killed table<integer, string> pid → why; grows
---@param fenced table<string, boolean> grows
function judge.log(text, killed, fenced)
  local faults = {}
  for line in text:gmatch("[^\n]+") do
    local slow = line:match("%(pid (%d+)%) did not end in time")
      or line:match("%(pid (%d+)%) did not leave in time")
      or line:match("%(pid (%d+)%) is killed: ")
    if slow then killed[tonumber(slow)] = "too slow" end
    local fence = line:match("%(incarnation (%S+)%) was declared dead")
    if fence then fenced[fence] = true end
    local node = line:match("node ([^/ ]+)/%S+ has been silent for a lease")
    if node then fenced[node] = true end
    local pid, how = line:match("%(pid (%d+)%) (killed by signal .*)")
    if not pid then pid, how = line:match("%(pid (%d+)%) (exited with status .*)") end
    if pid and not killed[tonumber(pid)] then
      faults[#faults + 1] = ("a process died by itself: pid %s %s"):format(pid, how)
    end
    for _, wrong in ipairs(WRONG) do
      if line:find(wrong, 1, true) and not is_transient(line) then
        faults[#faults + 1] = "in a log: " .. line
      end
    end
  end
  return faults
end

local CHECKS <const> = { "ends", "places", "states", "runs", "duplicates", "revokes", "charges",
  "waits", "hooks", "flows",
  "ticks" }

---All checks of one case.
---@return string[] faults
function judge.verdict(case)
  local faults = {}
  for _, name in ipairs(CHECKS) do
    for _, fault in ipairs(judge[name](case)) do faults[#faults + 1] = fault end
  end
  return faults
end

return judge

-- From the plain descriptions that lua/moil/call.lua and plan.lua make to jobs of a moil.testing
-- world: what src/vm/bind_enqueue.c and the scripts enqueue and accept do in the real thing. All
-- that a job carries goes through JSON here.

local links = require "moil.testing.links"

local PAYLOAD_MAX <const> = 1024 * 1024
local PRIORITY <const> = 5

local submit = {}

local function refuse(q, spec, code, what)
  q.base.raise(code, ("%s: %s"):format(spec.task, what))
end

local function encode_args(q, spec)
  local texts = {}
  for i = 1, spec.n or 0 do
    local value = spec.args[i]
    if value == nil then value = q.base.null end
    local text, wrong = q.base.encode(value, "argument " .. i)
    if not text then refuse(q, spec, "BadArgument", wrong) end
    texts[i] = text
  end
  return texts
end

-- The JSON text of a table of names; nil where there is none, or it is empty.
local function encode_object(q, spec, field)
  local value = spec[field]
  if type(value) ~= "table" then return nil end
  local text, wrong = q.base.encode(value, field == "extra" and "options" or field)
  if not text then refuse(q, spec, "BadArgument", wrong) end
  if text == "[]" or text == "{}" then return nil end
  if text:sub(1, 1) ~= "{" then
    refuse(q, spec, "BadArgument", "kwargs: must be a table of names and values")
  end
  return text
end

local function check_names(q, spec)
  for _, field in ipairs { "task", "queue", "id" } do
    if spec[field] ~= nil and not q.base.is_name(spec[field]) then
      refuse(q, spec, "BadArgument",
        field .. ": 1 to 200 printable ASCII characters without spaces")
    end
  end
end

local function check_size(q, spec, args, kwargs, extra)
  local size = (kwargs and #kwargs or 0) + (extra and #extra or 0) + 2
  for _, text in ipairs(args) do size = size + #text + 1 end
  if size > PAYLOAD_MAX then
    refuse(q, spec, "TooLarge",
      ("arguments and options of more than the %d bytes allowed"):format(PAYLOAD_MAX))
  end
end

-- The job of a description, in no place yet.
local function read(q, spec)
  check_names(q, spec)
  local args = encode_args(q, spec)
  local kwargs, extra = encode_object(q, spec, "kwargs"), encode_object(q, spec, "extra")
  check_size(q, spec, args, kwargs, extra)
  spec.id = spec.id or q.new_id()
  local due_us
  if spec.due and spec.due > 0 then due_us = q.to_us(spec.due) end
  return {
    id = spec.id, task = spec.task, queue = spec.queue, priority = spec.priority or PRIORITY,
    at_front = spec.at_front or false, args = args, kwargs = kwargs,
    extra = extra and q.base.decode(extra) or {}, front = {}, links = spec.links or "",
    open = spec.open or 0, retries = 0, crashes = 0, losses = 0, starts = 0, runs = {},
    enqueued_us = q.now_us, due_us = due_us,
    delay = not due_us and spec.delay and spec.delay > 0 and spec.delay or nil,
  }
end

local function record(q, job)
  q.jobs[job.id] = job
  q.recorded[#q.recorded + 1] = job
end

---Enqueues jobs.
---@param q moil.TestJobs
---@param specs table[]
---@return boolean[]        created
function submit.enqueue(q, specs)
  local fresh, created = {}, {}
  for i, spec in ipairs(specs) do fresh[i] = read(q, spec) end
  for i, job in ipairs(fresh) do
    created[i] = q:find(job.id) == nil
    if created[i] then
      record(q, job)
      q:start(job)
    end
  end
  return created
end

local function check_deps(q, plan)
  for _, dep in ipairs(plan.deps or {}) do
    if not q:find(dep[1]) then
      q.base.raise("UnknownJob", ("depends_on: no job under the id %s: never enqueued, or its "
        .. "result has expired"):format(dep[1]))
    end
  end
end

local function check_ids(q, fresh, own)
  for _, job in ipairs(fresh) do
    if job.id ~= own and q:find(job.id) then
      q.base.raise("BadArgument",
        ("the id %s is in use: another job has it"):format(job.id))
    end
  end
end

local function add_lists(q, plan)
  for _, list in ipairs(plan.members or {}) do
    local lists = list[3] and q.parts or q.members
    local known = lists[list[1]] or {}
    lists[list[1]] = table.move(list[2], 1, #list[2], #known + 1, known)
  end
end

-- Links on jobs outside; one that has ended already counts at once.
local function attach(q, plan)
  for _, dep in ipairs(plan.deps or {}) do
    local job, link = q.jobs[dep[1]], links.of_outside(dep[2])
    local ended = job.place == "ended" or job.place == "dead"
    local before = job.links
    job.links = ended and link or before .. link
    if ended then links.follow(q, job) end
  end
end

local function place(q, fresh)
  for _, job in ipairs(fresh) do
    if job.open > 0 then
      job.place = "deferred"
    else
      q:start(job)
    end
  end
end

local function read_all(q, plan)
  local fresh = {}
  for i, spec in ipairs(plan.nodes) do fresh[i] = read(q, spec) end
  return fresh
end

---Takes a workflow in: all of it, or nothing.
---@param q moil.TestJobs
---@param plan moil.Plan
---@return boolean          false: its id was there already
function submit.accept(q, plan)
  local fresh = read_all(q, plan)
  if q:find(plan.wid) then return false end
  check_ids(q, fresh)
  check_deps(q, plan)
  for _, job in ipairs(fresh) do record(q, job) end
  add_lists(q, plan)
  place(q, fresh)
  attach(q, plan)
  return true
end

---Checks what is to take a job's place, for submit.replace.
---@param q moil.TestJobs
---@param plan moil.Plan
---@return table
function submit.stage(q, plan)
  local fresh = read_all(q, plan)
  check_ids(q, fresh, plan.wid)
  check_deps(q, plan)
  return { fresh = fresh, plan = plan }
end

local KEPT <const> = { "runs", "starts", "enqueued_us", "finished_us" }

---What was staged takes the job's place.
---@param q moil.TestJobs
---@param job table
---@param staged table
function submit.replace(q, job, staged)
  local fresh, plan = staged.fresh, staged.plan
  local last = fresh[1]
  last.links = job.links .. last.links
  for _, field in ipairs(KEPT) do last[field] = job[field] end
  last.replaces, job.state, job.place = job.task, "REPLACED", "ended"
  for _, each in ipairs(fresh) do record(q, each) end
  add_lists(q, plan)
  place(q, fresh)
  attach(q, plan)
end

---More members for a group.
---@param q moil.TestJobs
---@param group string
---@param plan moil.Plan
---@return boolean          false: it has ended, or is none
function submit.extend(q, group, plan)
  local fresh = read_all(q, plan)
  local whole = q:find(group)
  if not whole or whole.place ~= "deferred" then return false end
  check_ids(q, fresh)
  check_deps(q, plan)
  local members = q.members[group]
  for _, job in ipairs(fresh) do
    for mode, of in job.links:gmatch("(.).(%S+) ") do
      if of == group and (mode == "m" or mode == "h") then
        members[#members + 1] = job.id
        whole.open = whole.open + 1
      end
    end
  end
  for _, job in ipairs(fresh) do record(q, job) end
  add_lists(q, plan)
  place(q, fresh)
  attach(q, plan)
  return true
end

return submit

-- What the end of a job does to others, as docs/protocol.md ("Links") tells it: the server-side
-- scripts do this in Redis, this file in the memory of a moil.testing world. Knows jobs and their
-- places, not who runs them.

local links = {}

local FAILED <const> = '{"code":"DependencyFailed"'

local function quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- The error of what depends on it. A cause that is such an error itself is handed on.
local function fault_of(from)
  local value = from.value or '{"code":"Failed","message":"its error was not kept"}'
  if value:sub(1, #FAILED) == FAILED then return value end
  return FAILED .. ',"message":' .. quote(("job %s (%s) failed"):format(from.id, from.task))
    .. ',"dependency":' .. quote(from.id) .. ',"cause":' .. value .. "}"
end

local function is_waiting(job)
  return job and job.place == "deferred"
end

-- One end less, with values in front of its arguments.
local function release(q, id, ...)
  local job = q.jobs[id]
  if not is_waiting(job) then return end
  for _, value in ipairs { ... } do job.front[#job.front + 1] = value end
  job.open = job.open - 1
  if job.open == 0 then q:start(job) end
end

local function refuse(q, from, policy, id)
  local job = q.jobs[id]
  if is_waiting(job) then
    q:finish(job, policy == "R" and "REVOKED" or "FAILURE", fault_of(from))
  end
end

local function pass(q, from, policy, id, with_value)
  if from.ended_as == "S" or policy == "A" then
    if not with_value then return release(q, id) end
    return release(q, id, from.ended_as == "S" and from.value or "null")
  end
  refuse(q, from, policy, id)
end

-- A callback that is not wanted takes all that waits for it along.
local function drop(q, id)
  local job = q.jobs[id]
  if is_waiting(job) then q:drop(job) end
end

local function join_group(q, from, policy, id)
  local group = q.jobs[id]
  if not is_waiting(group) then return end
  if from.ended_as == "D" then return q:drop(group) end
  if from.ended_as == "F" and policy ~= "A" then
    group.fault = group.fault or fault_of(from)
    if policy ~= "W" then
      if policy == "R" then q:revoke_parts(id, false) end
      return q:finish(group, "FAILURE", group.fault)
    end
  end
  group.open = group.open - 1
  if group.open == 0 then
    q:finish(group, group.fault and "FAILURE" or "SUCCESS", group.fault or "null")
  end
end

local acts = {}

function acts.s(q, from, policy, id)
  if from.ended_as == "D" then return drop(q, id) end
  pass(q, from, policy, id, true)
end

function acts.n(q, from, policy, id)
  if from.ended_as == "D" then return drop(q, id) end
  pass(q, from, policy, id, false)
end

function acts.d(q, from, policy, id) pass(q, from, policy, id, false) end

local function to_each(act)
  return function(q, from, policy, id)
    for _, member in ipairs(q.members[id] or {}) do act(q, from, policy, member) end
  end
end

acts.S, acts.N, acts.D = to_each(acts.s), to_each(acts.n), to_each(acts.d)
acts.m, acts.h = join_group, join_group

-- wanted: the end that the callback is for
local function callback(wanted, values)
  return function(q, from, _, id)
    if from.ended_as ~= wanted then return drop(q, id) end
    release(q, id, table.unpack(values(from)))
  end
end

local function nothing() return {} end
local function its_value(from) return { from.value or "null" } end
local function its_error(from)
  return { from.value or '{"code":"Failed","message":"its error was not kept"}', quote(from.id) }
end

acts.l, acts.c = callback("S", its_value), callback("S", nothing)
acts.e, acts.i = callback("F", its_error), callback("F", nothing)

-- How long results are held does not matter here: a world keeps what is linked.
local function keep() end
acts.u, acts.k, acts.w = keep, keep, keep

---What it says to others that a job has ended: its links, each once.
---@param q table           the jobs of a world
---@param job table         ended_as: "S", "F" or "D" (dropped)
function links.follow(q, job)
  local text = job.links
  job.links = ""
  for mode, policy, id in text:gmatch("(.)(.)(%S+) ") do acts[mode](q, job, policy, id) end
end

---A link on a job outside of the workflow.
---@param link string
---@return string
function links.of_outside(link)
  local mode = link:sub(1, 1)
  return (mode == "n" and "d" or mode == "N" and "D" or mode) .. link:sub(2) .. " "
end

-- The JSON texts of a group's results.
local function values_of(q, group, into, seen)
  for _, id in ipairs(q.members[group] or {}) do
    local job = q:find(id)
    if not job then
      into[#into + 1] = '{"error":{"code":"UnknownJob","message":"the result of the member '
        .. id .. ' is not kept any more"}}'
    elseif job.task == "moil.group" and job.state == "SUCCESS" and not seen[id] then
      seen[id] = true
      into[#into + 1] = links.gathered(q, id, seen)
    elseif job.state == "SUCCESS" then
      into[#into + 1] = job.value or "null"
    else
      into[#into + 1] = '{"error":' .. (job.value or "null") .. "}"
    end
  end
  return into
end

---The list of a group's results, as the job gets it that takes them.
---@param q table
---@param group string
---@return string           JSON
function links.gathered(q, group, seen)
  return "[" .. table.concat(values_of(q, group, {}, seen or { [group] = true }), ",") .. "]"
end

return links

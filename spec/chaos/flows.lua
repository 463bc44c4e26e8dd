-- What must hold of a part of a workflow (weaver.lua draws them), for the judge: it ran where all
-- that it needs succeeded, and only then; it was given their results, all of them, in order; what
-- needs one that failed has ended by its policy.

local flows = {}

-- --- the evidence --------------------------------------------------------------------------------

local function words_of(text)
  local words = {}
  for word in text:gmatch("[^,]+") do words[#words + 1] = word end
  return text == "-" and {} or words
end

---What the ledger says of it.
---@param entry table       a line `node`
function flows.node(entry)
  return { needs = words_of(entry.needs), feed = entry.feed, within = entry.within,
    policy = entry.policy }
end

---Does it come after that one, and is no callback for its failure?
---@param node? table
---@param id string
---@return boolean
function flows.follows(node, id)
  for _, needed in ipairs(node and node.policy ~= "E" and node.needs or {}) do
    if needed == id then return true end
  end
  return false
end

---The code of an error that is a record's value.
function flows.code_of(record)
  return record.value:match('"code":%s*"([^"]*)"')
end

---Was it ended by what came before it?
function flows.is_dependent(record)
  return record.state ~= "SUCCESS" and flows.code_of(record) == "DependencyFailed"
end

-- --- the checks ----------------------------------------------------------------------------------

local function has_failed(case, id)
  local record = case.dump.records[id]
  return record == nil or (record.ended and record.state ~= "SUCCESS")
end

-- The first that failed of those that it needs.
local function failed_need(case, node)
  for _, id in ipairs(node.needs) do
    if has_failed(case, id) then return id end
  end
end

local IDS <const> = "[^%[%],]+"

-- Whether it was given what it should, but for a "!" in the place of each that failed.
local function is_fed_right(case, wanted, got)
  if got:gsub(IDS, "") ~= wanted:gsub(IDS, "") then return false end
  local next_got = got:gmatch(IDS)
  for id in wanted:gmatch(IDS) do
    local word = next_got()
    if word ~= id and not (word == "!" and has_failed(case, id)) then return false end
  end
  return next_got() == nil
end

-- An error callback runs where what it stands behind has failed, and else is gone.
local function check_errback(job, record, failed, add)
  if not failed and #job.starts > 0 then
    add("called, though nothing failed")
  elseif failed and job.acked and not record then
    add("never called, though %s failed", failed)
  end
end

local function check_dependent(job, record, failed, add)
  local state = job.node.policy == "R" and "REVOKED" or "FAILURE"
  if not failed then add("DependencyFailed, though all that it needs succeeded") end
  if #job.starts > 0 then add("DependencyFailed, and yet it ran") end
  if record.state ~= state then add("%s, not %s: %s", record.state, state, record.value) end
end

local function check_end(job, record, failed, add)
  local policy = job.node.policy
  if policy == "E" then
    check_errback(job, record, failed, add)
  elseif record and record.ended and flows.is_dependent(record) then
    check_dependent(job, record, failed, add)
  elseif failed and (policy == "F" or policy == "R") then
    if #job.starts > 0 then add("ran, though %s failed", failed) end
    if record and record.state == "SUCCESS" then add("SUCCESS, though %s failed", failed) end
  end
end

---@param case table        judge.case
---@param job table         one of its jobs; what is no part of a workflow is right
---@param record? table     dump.record
---@param add fun(format: string, ...) tells of a fault
function flows.check(case, job, record, add)
  local node = job.node
  if not node then return end
  check_end(job, record, failed_need(case, node), add)
  for _, feed in ipairs(job.feeds) do
    if not is_fed_right(case, node.feed, feed) then add("was given %s, not %s", feed, node.feed) end
  end
  if job.stops > 0 and #job.feeds == 0 then add("ran, and was given nothing") end
end

return flows


-- What is written down outside of Redis: files of lines, `VERB FIELD…`. A line is one write to a
-- file that is open for appending, so it is there whole or not at all when its writer is killed,
-- and lines of many writers stand in the order in which they were written. Used by producers, by
-- tasks inside of workers (a copy of this file lies beside theirs), and read by the run.
--
--   try ID KIND N T              about to enqueue (each time)
--   node ID NEEDS FEED WITHIN POLICY   it is a part of a workflow (weaver.lua); lists with commas
--   ack ID T                     Redis has acknowledged it
--   revoking ID TERMINATE T      about to revoke
--   revoked ID STATE T           what Redis answered
--   deleting ID T                about to delete its record
--   waited ID OUTCOME T          what waiting for its result gave: ok | late | another | CODE
--   start ID RETRIES PID PPID INCARNATION T     the task's function begins
--   fed ID FEED                  … what it was given by those before it
--   stop ID RETRIES PID PPID INCARNATION T      … and is through
--
-- T: seconds of the monotonic clock, which all processes of a machine share.

local ledger = {}
ledger.__index = ledger

---@param path string
function ledger.open(path)
  local file = assert(io.open(path, "a"))
  file:setvbuf("full", 4096)
  return setmetatable({ file = file }, ledger)
end

---Writes one line, of at most a buffer's size.
function ledger:write(...)
  local line = table.concat({ ... }, " ") .. "\n"
  assert(#line < 4096)
  assert(self.file:write(line))
  assert(self.file:flush()) -- the one write
end

local FIELDS <const> = {
  try = { "id", "kind", "n", "t" },
  node = { "id", "needs", "feed", "within", "policy" },
  ack = { "id", "t" },
  revoking = { "id", "terminate", "t" },
  revoked = { "id", "state", "t" },
  deleting = { "id", "t" },
  waited = { "id", "outcome", "t" },
  start = { "id", "retries", "pid", "ppid", "incarnation", "t" },
  fed = { "id", "feed" },
  stop = { "id", "retries", "pid", "ppid", "incarnation", "t" },
}

local NUMBERS <const> = { n = true, t = true, retries = true, pid = true, ppid = true }

---The lines of a ledger's text as tables; raises on a line that is none.
---@param text string
---@return table[] entries { verb, … }
function ledger.parse(text)
  local entries = {}
  for line in text:gmatch("[^\n]+") do
    local words = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    local fields = FIELDS[words[1]]
    if not fields or #words ~= #fields + 1 then error("not a line of a ledger: " .. line) end
    local entry = { verb = words[1] }
    for i, name in ipairs(fields) do
      local value = words[i + 1]
      entry[name] = NUMBERS[name] and (math.tointeger(tonumber(value)) or tonumber(value)) or value
    end
    entries[#entries + 1] = entry
  end
  return entries
end

---@param path string a file that need not be there
function ledger.read(path)
  local file = io.open(path, "rb")
  if not file then return {} end
  local text = file:read("a")
  file:close()
  return ledger.parse(text)
end

return ledger

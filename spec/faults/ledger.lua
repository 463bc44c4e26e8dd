-- What was acknowledged, written down outside of Redis, and what became of it: shared by the specs
-- of spec/faults/.
--
--   local books = ledger.open(here)              -- of a site whose TASKS hold ledger.TASKS
--   books:add(1000)                              -- enqueues; after an error the same ids again
--   books:check { once = true }                  -- each ended in SUCCESS; none was given away

local site = require "spec.support.site"
local support = require "spec.support"

local ledger = {}
ledger.__index = ledger

local PATIENCE <const> = 40 -- seconds, for a backlog to drain on a loaded machine
local CHUNK <const> = 250

ledger.TASKS = site.NOTE .. [[
moil.task("count", function(id) note(id) return id end)
moil.task("count_slowly", function(id, s) moil.sleep(s) note(id) return id end)
]]

---@param here table of site.open
---@param url? string where its producer finds Redis: as the site does
function ledger.open(here, url)
  return setmetatable({ site = here, url = url or here.url, ids = {} }, ledger)
end

-- Enqueues n jobs in chunks; a chunk that was not acknowledged is sent again with its ids, as a
-- producer would. Returns how often that was.
function ledger:add(n, task, ...)
  local moil, refused = self.site.moil, 0
  moil.connect(self.url) -- the client is one for all sites
  for from = 1, n, CHUNK do
    local calls, ids = {}, {}
    for i = from, math.min(n, from + CHUNK - 1) do
      ids[#ids + 1] = ("job-%d"):format(#self.ids + #ids + 1)
      calls[#calls + 1] = moil.signature(task or "count", { ids[#ids], ... }, { id = ids[#ids] })
      assert(i <= n)
    end
    local deadline <const> = support.now() + PATIENCE
    while true do
      local ok, err = pcall(moil.enqueue_many, calls)
      if ok then break end
      assert(type(err) == "table" and err.code == "RedisUnavailable", err.message or err)
      assert(support.now() < deadline, "no producer gets through: " .. err.message)
      refused = refused + 1
    end
    table.move(ids, 1, #ids, #self.ids + 1, self.ids)
  end
  return refused
end

-- How many of them have run so far, as their notes tell.
function ledger:count() return #self.site:notes() end

function ledger:wait_count(n)
  support.wait_until(function() return self:count() >= n end, PATIENCE,
    function() return ("%d jobs to run: %d did"):format(n, self:count()) end)
end

-- The records of all ids, in order.
function ledger:records(redis)
  local records = {}
  for from = 1, #self.ids, CHUNK do
    local got = redis:call("HMGET", "{moil}:jobs",
      table.unpack(self.ids, from, math.min(#self.ids, from + CHUNK - 1)))
    table.move(got, 1, #got, #records + 1, records)
  end
  return records
end

-- Waits until all have ended and checks how. redis: where they are now; once: none ran twice, as
-- nothing was killed; fenced: workers may have been declared dead.
---@param options? {redis: table?, once: boolean?}
function ledger:check(options)
  options = options or {}
  local redis, records = options.redis or self.site.redis, nil
  support.wait_until(function()
    records = self:records(redis)
    for _, record in ipairs(records) do
      if not (record and record:find("^R1 ")) then return false end
    end
    return true
  end, PATIENCE, function()
    local open = 0
    for _, record in ipairs(records or {}) do
      if not (record and record:find("^R1 ")) then open = open + 1 end
    end
    return ("%d of %d jobs have not ended; %s"):format(open, #self.ids,
      self.site.node and self.site.node:stderr() or "")
  end)
  local ran = {}
  for _, id in ipairs(self.site:notes()) do ran[id] = (ran[id] or 0) + 1 end
  for i, id in ipairs(self.ids) do
    local state, deliveries = records[i]:match("^R1 (%S+) %S+ %d %d+ (%d+) ")
    assert(state == "SUCCESS", id .. " is " .. records[i])
    assert(ran[id], id .. " has never run")
    if options.once then
      assert(ran[id] == 1, ("%s ran %d times"):format(id, ran[id]))
      assert(deliveries == "1", ("%s was delivered %s times"):format(id, deliveries))
    end
  end
  support.wait_until(function()
    return #redis:call("KEYS", "{moil}:inflight:*") == 0
      and redis:call("LLEN", "{moil}:queue:default:5") == 0
  end, PATIENCE, "nothing is in flight or pending")
  if options.once then
    local log = self.site.node:stderr()
    assert(not log:find("declared dead", 1, true), log)
    assert(not log:find("silent for a lease", 1, true), log)
  end
end

-- --- what a process costs ------------------------------------------------------------------------

local TICK_S <const> = 0.01 -- of utime and stime, on Linux

-- Seconds of CPU that a process has used.
function ledger.cpu(pid)
  local stat = support.read(("/proc/%d/stat"):format(pid)):match("%) (.*)$")
  local at, user, system = 0, 0, 0
  for field in stat:gmatch("%S+") do
    at = at + 1
    if at == 12 then user = tonumber(field) end
    if at == 13 then system = tonumber(field) end
  end
  return (user + system) * TICK_S
end

-- Bytes resident in memory.
function ledger.resident(pid)
  local pages = support.read(("/proc/%d/statm"):format(pid)):match("^%d+ (%d+)")
  return tonumber(pages) * 4096
end

return ledger

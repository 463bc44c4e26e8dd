-- The schedule of a moil.testing world: entries of a beat file and those of run time, which fall
-- due by its virtual clock. The arithmetic of cron, solar and the rest is the real one
-- (core.beat_next).

local CATCH_UP_MAX <const> = 1000 -- missed runs that catch_up = "all" makes up for, at a time
local LATE_S <const> = 5 -- catch_up = "none" passes over what is older than that

local beats = {}
beats.__index = beats

---@param world table
---@return table
function beats.new(world)
  return setmetatable({ world = world, entries = {}, version = 0, history = {} }, beats)
end

local function next_due(self, entry, after)
  local text = self.world.base.beat_next(entry.name, entry.text, nil, nil, after, 1)
  return self.world.base.decode(text)[1]
end

local function note(self, entry, due, outcome, id)
  self.history[#self.history + 1] = {
    name = entry.name, due_at = due, fired_at = self.world.q:time(), outcome = outcome, id = id,
  }
end

local function to_ms(seconds)
  return math.tointeger(math.floor(seconds * 1000 + 0.5))
end

-- The latest time due of those until then: `due` or one behind it.
local function latest(self, entry, due, till)
  local found, last = to_ms(due), to_ms(till) -- nothing is due between last and till
  local till_ms = last
  while found < last do
    local middle = found + (last - found) // 2
    local next = next_due(self, entry, middle / 1000)
    next = next and to_ms(next)
    if next and next > middle and next <= till_ms then
      found = next
    else
      last = middle
    end
  end
  return found / 1000
end

-- The latest of those missed. One that its jitter still holds back is not missed yet.
local function latest_missed(self, entry, due)
  local past = self.world.q:time() - (entry.fields.jitter or 0)
  return past > due and latest(self, entry, due, past) or due
end

-- What catch_up makes of a time due that may be over: the one to go by, and whether that is late.
local function decide(self, entry, due)
  local now, how = self.world.q:time(), entry.fields.catch_up
  if how ~= "all" then
    local last = latest_missed(self, entry, due)
    return last, how == "none" and now - last - entry.put_off > LATE_S
  end
  local next = next_due(self, entry, due)
  entry.caught_up = next and next <= now and (entry.caught_up or 0) + 1 or 0
  if entry.caught_up < CATCH_UP_MAX then return due, false end
  entry.caught_up = 0
  local last = latest_missed(self, entry, due)
  if last <= due then return due, false end
  return latest(self, entry, due, last - 0.001), true
end

local function is_running(self, id)
  local job = id and self.world.q:find(id)
  return job and job.place ~= "ended" and job.place ~= "dead"
end

local OPTIONS <const> = {
  "queue", "priority", "at_front", "headers", "kwargs", "retry", "time_limit", "soft_time_limit",
  "result_ttl", "ignore_result", "expires",
}

local function enqueue(self, entry)
  local fields, options = entry.fields, {}
  for _, name in ipairs(OPTIONS) do options[name] = fields[name] end
  local handle = self.world.moil.send(fields.task, fields.args or {}, options)
  self.world.q.jobs[handle.id].beat = entry.name
  return handle.id
end

local arm, fire

function fire(self, entry, due)
  local q = self.world.q
  if entry.removed then return end
  if q.now_us < (self.world.down_until or 0) then
    entry.timer = self.world:when_up(function() fire(self, entry, due) end, true)
    return
  end
  local late
  due, late = decide(self, entry, due)
  entry.last = due
  if entry.paused then
    note(self, entry, due, "paused")
  elseif late then
    note(self, entry, due, "skipped_late")
  elseif entry.fields.overlap == false and is_running(self, entry.last_id) then
    note(self, entry, due, "skipped_overlap")
  else
    entry.runs = entry.runs + 1
    entry.last_id = enqueue(self, entry)
    note(self, entry, due, "fired", entry.last_id)
  end
  arm(self, entry)
end

-- When it is due next it fires; nobody waits for it.
function arm(self, entry)
  local q, max = self.world.q, entry.fields.max_runs
  q:cancel(entry.timer)
  entry.next = (not max or entry.runs < max) and next_due(self, entry, entry.last) or nil
  if not entry.next then
    if entry.source == "run time" then self.entries[entry.name] = nil end
    return
  end
  local at, jitter = entry.next, entry.fields.jitter
  if jitter and jitter > 0 then at = at + jitter * self.world.random() end
  local due = entry.next
  entry.put_off = at - due
  entry.timer = q:at(math.max(q.now_us, math.tointeger(math.floor(at * 1e6))),
    function() fire(self, entry, due) end, true)
end

local function put(self, name, plain, source, last)
  local world, old = self.world, self.entries[name]
  local text = assert(world.base.encode(plain, "entry"))
  self.version = self.version + 1
  local entry = {
    name = name, text = text, fields = world.base.decode(text), source = source,
    last = last or world.q:time(), runs = old and not last and old.runs or 0,
    paused = plain.paused or false, last_id = old and old.last_id, version = self.version,
    first = world.q:time(),
  }
  if old then
    old.removed = true
    world.q:cancel(old.timer)
  end
  self.entries[name] = entry
  arm(self, entry)
  return old and "changed" or "added", entry
end

---The entries of a beat file.
---@param config table      { schedule = { … }, timezone = … }
function beats:load(config)
  if type(config) ~= "table" or type(config.schedule) ~= "table" then
    self.world.base.raise("BadArgument",
      "a beat file returns { schedule = { name = { task = …, … } } }")
  end
  local names = {}
  for name in pairs(config.schedule) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local plain = {}
    for key, value in pairs(config.schedule[name]) do plain[key] = value end
    plain.timezone = plain.timezone or config.timezone
    if plain.at and type(plain.at) == "table" then plain.at = os.time(plain.at) end
    put(self, name, plain, "file")
  end
end

local function listed(self, entry)
  local fields = entry.fields
  return {
    name = entry.name, source = entry.source, task = fields.task, runs = entry.runs,
    paused = entry.paused, next_at = not entry.paused and entry.next or nil,
    last_due_at = entry.runs > 0 and entry.last or nil, last_id = entry.last_id,
    first_at = entry.first, when = self.when and self.when(fields) or nil,
    version = entry.source == "run time" and entry.version or nil,
    entry = entry.source == "run time"
      and setmetatable(self.world.base.decode(entry.text), self.world.base.object_meta) or nil,
  }
end

---What is known of the entries, by name.
---@return table[]
function beats:list()
  local all = {}
  for _, entry in pairs(self.entries) do all[#all + 1] = listed(self, entry) end
  table.sort(all, function(a, b) return a.name < b.name end)
  return all
end

local function core_put(self, name, plain, expect, from_start)
  local old = self.entries[name]
  local first = next_due(self, { name = name, text = self.world.base.encode(plain, "entry") },
    from_start and -1 or self.world.q:time())
  if not first then return { outcome = "past", when = "no time is left", version = 0 } end
  local text = self.world.base.encode(plain, "entry")
  if old and old.text == text then return { outcome = "same", version = old.version } end
  local version = old and old.source == "run time" and tostring(old.version) or ""
  if expect ~= "*" and expect ~= version then
    return { outcome = "clash", version = old and old.version or 0 }
  end
  local last = from_start and math.min(first - 0.001, self.world.q:time()) or nil
  local outcome, entry = put(self, name, plain, "run time", last)
  return { outcome = outcome, version = entry.version }
end

local function remove(self, name)
  local entry = self.entries[name]
  if not entry then return "0" end
  if entry.source == "file" then return "2" end
  entry.removed = true
  self.world.q:cancel(entry.timer)
  self.entries[name] = nil
  return "1"
end

local function pause(self, name, paused)
  local entry = self.entries[name]
  if not entry then return "0" end
  if entry.paused == paused then return "2" end
  entry.paused = paused
  return "1"
end

---Adds what the library asks about entries to the core.
---@param c table
---@param reach fun()       raises where Redis is away
function beats:add_core(c, reach)
  local base, world = self.world.base, self.world

  function c.beat_put(name, plain, expect, from_start)
    reach()
    return base.encode(core_put(self, name, plain, expect, from_start))
  end

  function c.beat_remove(name)
    reach()
    return remove(self, name)
  end

  function c.beat_pause(name, _, _, paused)
    reach()
    return pause(self, name, paused)
  end

  function c.beat_list(name)
    reach()
    local all = self:list()
    if name and name ~= "" then
      all = { self.entries[name] and listed(self, self.entries[name]) }
    end
    return base.encode { cursor = "0", now = world.q:time(), entries = all }
  end

  function c.beat_history(name, _, _, _, _, limit)
    local ticks = {}
    for i = #self.history, 1, -1 do -- the latest first
      local tick = self.history[i]
      if limit ~= 0 and #ticks == limit then break end
      if not name or tick.name == name then ticks[#ticks + 1] = tick end
    end
    return base.encode(ticks)
  end

  function c.beat_next(name, fields, a, b, from, n)
    return base.beat_next(name, fields, a, b, from < 0 and world.q:time() or from, n)
  end
end

return beats

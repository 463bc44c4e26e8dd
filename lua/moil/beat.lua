-- moil.beat: entries of the schedule that are added, changed, paused and removed at run time. Every
-- scheduler of the namespace fires them; see docs/scheduling.md.
--
--   moil.beat.add("noon", { task = "report.daily", cron = "0 12 * * *" })

local call = require "moil.call"
local core = require "moil.core"
local errors = require "moil.errors"
local options = require "moil.options"
local time = require "moil.time"

---What is to be enqueued, and when: one of every, cron, solar and at; the call options but id,
---countdown and eta.
---@class moil.EntryFields
---@field task string|moil.Task
---@field every? number          seconds
---@field cron? string           "0 12 * * *"
---@field solar? table           { "sunset", latitude, longitude }
---@field at? moil.Point         once
---@field timezone? string       a name of the tz database; UTC when not said
---@field args? table            positional arguments; args.n counts trailing nils
---@field kwargs? table
---@field queue? string
---@field expires? number        seconds after the due time
---@field start? moil.Point      nothing is due before; `every` counts from it
---@field stop? moil.Point       nothing is due after
---@field max_runs? integer
---@field jitter? number         seconds that a run may be put off
---@field catch_up? "one"|"all"|"none" of what fell due while no scheduler ran
---@field overlap? boolean       false: skip while the last run still goes
---@field paused? boolean

---An entry by its name. It asks nobody until a method is called.
---@class moil.Entry
---@field name string
---@field id string              the same
---@field created? boolean       false: an entry of this name was there already
local entry = {}
entry.__index = entry
entry.__name = "moil.Entry"

function entry:__tostring()
  return "moil.Entry " .. self.name
end

local beat = {}

-- --- asking --------------------------------------------------------------------------------------

local NAME <const> = "the name of a beat entry must be " .. errors.NAME

local function check_name(name)
  if not core.is_name(name) then errors.bad(NAME) end
  return name
end

local function unknown(name)
  errors.raise("UnknownEntry", "no beat entry \"%s\": none of run time is called so, and no "
    .. "scheduler has seen one of a file", name)
end

local function decode(text)
  local value, wrong = core.decode(text)
  if value == nil then errors.raise("BadMessage", "beat entries that cannot be read: %s", wrong) end
  return value
end

-- --- from what users write to plain data ---------------------------------------------------------

-- A list whose holes are null.
local function to_list(args)
  local n = math.type(args.n) == "integer" and args.n or #args
  local list = {}
  for i = 1, n do
    list[i] = args[i] == nil and core.null or args[i]
  end
  return list
end

local function to_point(value, field, who)
  if type(value) ~= "table" or value == core.null then return value end
  local at, wrong = time.point(value)
  if not at then errors.bad("%s: %s %s", who, field, wrong) end
  return at
end

-- The fields as JSON can carry them. What is wrong beyond that the entry's own check says.
local function to_plain(fields, name)
  local who = "beat entry \"" .. name .. "\""
  if type(fields) ~= "table" then
    errors.bad("%s: takes a table of fields, such as { task = \"t\", every = 5 }", who)
  end
  local plain = {}
  for key, value in pairs(fields) do
    if type(key) ~= "string" then
      errors.bad("%s: takes a table of fields, such as { task = \"t\", every = 5 }", who)
    end
    if type(value) == "number" and (value ~= value or math.abs(value) == math.huge) then
      errors.bad("%s: %s is no finite number", who, key)
    end
    plain[key] = value
  end
  if type(plain.task) == "table" and core.is_name(plain.task.name) then
    plain.task = plain.task.name
  end
  if type(plain.args) == "table" and plain.args ~= core.null then
    plain.args = to_list(call.check_args(who, plain.args))
  end
  if plain.retry then plain.retry = options.retry_data(plain.retry, who) end
  for _, field in ipairs { "at", "start", "stop" } do
    plain[field] = to_point(plain[field], field, who)
  end
  return setmetatable(plain, core.object_meta)
end

-- --- changing ------------------------------------------------------------------------------------

local FULL <const> = "there are 100,000 beat entries already: no more are taken"

-- `from_start`: it begins with its first due time, however long ago.
local function put(name, plain, expect, from_start)
  local answer = decode(core.beat_put(name, plain, expect, from_start))
  if answer.outcome == "full" then errors.raise("TooLarge", FULL) end
  if answer.outcome == "past" then
    errors.bad("beat entry \"%s\": it is never due from now on: %s", name, answer.when)
  end
  return answer.outcome
end

---The handle of an entry by its name. Asks nobody.
---@param name string
---@return moil.Entry
function beat.entry(name)
  return setmetatable({ name = check_name(name), id = name }, entry)
end

---Adds an entry, or puts it in the place of the one of that name. The same entry again changes
---nothing, so a program may add its entries at each start.
---@param name string
---@param fields moil.EntryFields
---@param from_start? boolean it begins with its first due time, however long ago; else from now on
---@return moil.Entry       raises BadArgument, which names the field
---  moil.beat.add("noon", { task = "report.daily", cron = "0 12 * * *", timezone = "Asia/Tokyo" })
function beat.add(name, fields, from_start)
  local handle = beat.entry(name)
  local plain = to_plain(fields, name)
  call.fill_entry(plain)
  handle.created = put(name, plain, "*", from_start) == "added"
  return handle
end

-- The entry as it is listed, or nil.
local function find(name)
  return decode(core.beat_list(check_name(name))).entries[1]
end

local TIMINGS <const> = { "every", "cron", "solar", "at" }

-- Of two ways to say when, the new one counts.
local function merge(old, plain)
  for _, timing in ipairs(TIMINGS) do
    if plain[timing] ~= nil then
      for _, other in ipairs(TIMINGS) do old[other] = nil end
      break
    end
  end
  for key, value in pairs(plain) do
    if value == core.null then value = nil end
    old[key] = value
  end
  return old
end

-- `from_start`: as for put.
local function change(name, fields, from_start)
  check_name(name)
  local plain = to_plain(fields, name)
  for _ = 1, 100 do
    local found = find(name)
    if not found then unknown(name) end
    if not found.entry then
      errors.bad("beat entry \"%s\" is one of a file: change it there", name)
    end
    local entry_now = merge(found.entry, plain)
    local outcome = put(name, entry_now, tostring(found.version), from_start)
    if outcome ~= "clash" then return outcome ~= "same" end
  end
  errors.raise("Timeout", "beat entry \"%s\" is being changed by others all the time", name)
end

---Changes fields of an entry; moil.null takes one away.
---@param name string
---@param fields moil.EntryFields
---@return boolean          false: it was so already. Raises UnknownEntry, BadArgument
---  moil.beat.change("noon", { cron = "30 12 * * *" })
function beat.change(name, fields)
  return change(name, fields)
end

---Takes an entry away; jobs that it has enqueued stay. Of a file's entry what is known of it is
---dropped: a scheduler that has it in its file begins anew.
---@param name string
---@return boolean          false: there was none
function beat.remove(name)
  return decode(core.beat_remove(check_name(name))) ~= 0
end

local function pause(name, paused)
  local changed = decode(core.beat_pause(check_name(name), nil, nil, paused))
  if changed == 0 then unknown(name) end
  return changed == 1
end

---Pauses an entry, of run time or of a file: what falls due meanwhile is passed over.
---@param name string
---@return boolean          false: it was paused already. Raises UnknownEntry
function beat.pause(name)
  return pause(name, true)
end

---Ends a pause.
---@param name string
---@return boolean          false: it was not paused. Raises UnknownEntry
function beat.resume(name)
  return pause(name, false)
end

-- --- looking -------------------------------------------------------------------------------------

---What is known of an entry: task, when, next_at, last_due_at, last_id, runs, paused, source,
---entry; times in seconds since the epoch.
---@param name string
---@return table?           nil: there is none
function beat.get(name)
  return find(name)
end

---The same of all entries, by name.
---@return table[]
function beat.list()
  local cursor, known, all = "0", {}, {}
  repeat
    local page = decode(core.beat_list(nil, cursor))
    cursor = page.cursor
    for _, found in ipairs(page.entries) do
      if not known[found.name] then all[#all + 1] = found end
      known[found.name] = true
    end
  until cursor == "0"
  table.sort(all, function(a, b) return a.name < b.name end)
  return all
end

---The last ticks, the newest first: name, due_at, fired_at, outcome, id.
---@param name? string      of one entry; of all when not said
---@param limit? integer    at most 1,000
---@return table[]          raises UnknownEntry: neither an entry nor a tick has that name
function beat.history(name, limit)
  if name ~= nil then check_name(name) end
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 1) then
    errors.bad("moil.beat.history: the limit must be a whole number, 1 or more")
  end
  local ticks = decode(core.beat_history(name, nil, nil, nil, nil, limit or 0))
  if name and #ticks == 0 and not find(name) then unknown(name) end
  return ticks
end

local NEXT_OPTIONS <const> = { n = true, from = true }

---When an entry is due next; neither enqueues anything nor asks whether it is paused.
---@param which string|moil.EntryFields the name of an entry of run time, or fields
---@param given? { n?: integer, from?: moil.Point } how many, 10 when not said; after when: now
---@return number[]         seconds since the epoch; fewer than n where it ends
---  moil.beat.next({ task = "t", cron = "0 0 29 2 *" }, { n = 3 })
function beat.next(which, given)
  given = given or {}
  if type(given) ~= "table" then errors.bad("moil.beat.next: options must be a table") end
  errors.check_known(given, NEXT_OPTIONS, "moil.beat.next")
  local n, from, wrong = given.n or 10, -1, nil
  if math.type(n) ~= "integer" then errors.bad("moil.beat.next: n must be a whole number") end
  if given.from ~= nil then from, wrong = time.point(given.from) end
  if not from then errors.bad("moil.beat.next: from: %s", wrong) end
  local name, fields = "next", which
  if type(which) == "string" then
    local page = decode(core.beat_list(check_name(which)))
    local found = page.entries[1]
    if not found then unknown(which) end
    if not found.entry then
      errors.bad("beat entry \"%s\" is one of a file: `moil beat next FILE` tells", which)
    end
    name, fields = which, found.entry
    if given.from == nil then from = page.now end
  end
  return decode(core.beat_next(name, to_plain(fields, name), nil, nil, from, n))
end

-- --- from a task's handle ------------------------------------------------------------------------

local function copy(given, who)
  if given ~= nil and type(given) ~= "table" then errors.bad("%s: options must be a table", who) end
  local fields = {}
  for key, value in pairs(given or {}) do fields[key] = value end
  return fields
end

---@param task string
---@param expr string
---@param name string
---@param args? table
---@param given? moil.EntryFields
---@return moil.Entry
function beat.cron(task, expr, name, args, given)
  local fields = copy(given, task)
  fields.task, fields.cron, fields.args = task, expr, args
  return beat.add(name, fields)
end

-- A delayed job, with its result.
local function delay(task, when, args, fields)
  local countdown, eta, wrong = time.due(when)
  if wrong then errors.bad("%s: the time (first argument) %s", task, wrong) end
  fields.countdown, fields.eta, fields.id = countdown, eta, fields.id or fields.name
  fields.name = nil
  return call.enqueue(task, call.check_args(task, args), fields)
end

local function check_repeats(task, repeats, interval)
  if repeats ~= nil and (math.type(repeats) ~= "integer" or repeats < 1) then
    errors.bad("%s: repeats must be a whole number, 1 or more", task)
  elseif interval == nil then
    errors.bad("%s: repeats needs an interval, in seconds", task)
  elseif type(interval) ~= "number" then
    errors.bad("%s: interval must be a number of seconds", task)
  end
end

---@param task string
---@param when moil.Point   a number below 1e9: seconds from now
---@param args? table
---@param given? table      repeats, interval, name, and call options
---@return moil.Result|moil.Entry
function beat.schedule(task, when, args, given)
  local fields = copy(given, task)
  local repeats, interval = fields.repeats or fields["repeat"], fields.interval
  fields.repeats, fields["repeat"], fields.interval = nil, nil, nil
  for _, option in ipairs { "countdown", "eta" } do
    if fields[option] ~= nil then
      errors.bad("%s: %s does not go with schedule: its first argument says when", task, option)
    end
  end
  if repeats == nil and interval == nil then return delay(task, when, args, fields) end
  check_repeats(task, repeats, interval)
  local countdown, eta, wrong = time.due(when)
  if wrong then errors.bad("%s: the time (first argument) %s", task, wrong) end
  local name = fields.name or fields.id or core.uuid()
  fields.name, fields.id = nil, nil
  fields.task, fields.args, fields.every, fields.max_runs = task, args, interval, repeats
  fields.start = eta or decode(core.beat_list(check_name(name))).now + countdown
  return beat.add(name, fields, true)
end

-- --- the handle ----------------------------------------------------------------------------------

---What is known of it; see moil.beat.get.
---@return table            raises UnknownEntry
function entry:info()
  return find(self.name) or unknown(self.name)
end

---Takes it away.
---@return boolean          false: it was gone already
function entry:cancel()
  return beat.remove(self.name)
end

---@return boolean
function entry:pause()
  return beat.pause(self.name)
end

---@return boolean
function entry:resume()
  return beat.resume(self.name)
end

---@param fields moil.EntryFields
---@return boolean
function entry:change(fields)
  return beat.change(self.name, fields)
end

---Gives it another time: that of an entry with `at`, else the first of its next ones.
---@param when moil.Point   a number below 1e9: seconds from now
---@return boolean
function entry:reschedule(when)
  local countdown, eta, wrong = time.due(when)
  if wrong then errors.bad("beat entry \"%s\": the time %s", self.name, wrong) end
  local page = decode(core.beat_list(self.name))
  local found = page.entries[1] or unknown(self.name)
  local old, point = found.entry, eta or page.now + countdown
  if not old then errors.bad("beat entry \"%s\" is one of a file: change it there", self.name) end
  return change(self.name, old.at and { at = point } or { start = point }, true)
end

return beat

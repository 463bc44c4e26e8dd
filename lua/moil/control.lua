-- Commands for nodes: moil.control sends them, moil.on_control makes those of a user's own.

local core = require "moil.core"
local errors = require "moil.errors"

local control = {}

local TIME_LIMIT_MAX <const> = 60
local where_of = {} -- name → "file:line"

-- What every node knows, and nobody else may have.
local own = {}
for word in ("ping stats quiet resume reload grow shrink stop kill time-limit"):gmatch "%S+" do
  own[word] = true
end

---@class moil.ControlOptions
---@field time_limit? number     seconds that it may take, at most 60; 1 when not said
---@field memory_limit? number   MB that it may hold; when not said as jobs, or 64

local known = { time_limit = true, memory_limit = true }

local function check_options(given, who)
  if type(given) ~= "table" then errors.bad("%s: the options must be a table", who) end
  for key, value in pairs(given) do
    if not known[key] then
      errors.bad("%s: unknown option '%s': it is time_limit or memory_limit", who, tostring(key))
    elseif type(value) ~= "number" or value ~= value or value <= 0 then
      errors.bad("%s: %s must be a number above 0", who, key)
    end
  end
  if (given.time_limit or 0) > TIME_LIMIT_MAX then
    errors.bad("%s: time_limit is at most %d seconds", who, TIME_LIMIT_MAX)
  elseif (given.memory_limit or 0) > 1024 * 1024 then
    errors.bad("%s: memory_limit is at most 1048576 MB", who)
  end
end

---Registers a command: `moil control NAME ARG…` calls the function in each worker, with the
---arguments, and shows what it returns. It may wait, as a job may; what it raises is its answer.
---@param name string       1 to 64 letters, digits, _, . and -
---@param given moil.ControlOptions|function options, or the function when there are none
---@param fn? function
---  moil.on_control("cache.drop", function(key) cache[key] = nil return "dropped" end)
function control.register(name, given, fn)
  if fn == nil and type(given) == "function" then
    given, fn = {}, given
  end
  if type(name) ~= "string" or #name > 64 or not name:find "^[%w_.-]+$" then
    errors.bad("moil.on_control: the name (first argument) must be 1 to 64 letters, digits, _, . "
      .. "and -")
  end
  local who <const> = "moil.on_control '" .. name .. "'"
  if own[name] then
    errors.bad("%s: that is one of moil's own commands", who)
  elseif type(fn) ~= "function" then
    errors.bad("%s: the last argument must be the function", who)
  end
  check_options(given, who)
  if where_of[name] then
    errors.bad("%s: it is registered already, at %s", who, where_of[name])
  end
  where_of[name] = core.where() or "?"
  if core.register_control then
    core.register_control({ name = name, where = where_of[name], queue = "",
      time_limit = given.time_limit, memory_limit = given.memory_limit }, fn)
  end
end

-- --- sending ------------------------------------------------------------------------------------

local LOOK_FIRST <const>, LOOK_MAX <const> = 0.002, 0.05 -- seconds between two looks
local PAGE <const> = 250                                  -- as control_hear.lua gives them

-- Takes what has come into `asked` (node id → true: has answered, or the numbers of its workers
-- that will) and `answers`; how many answers there were.
local function hear(request, from, asked, answers)
  local page = table.pack(core.control_hear(request, tostring(from)))
  for i = 1, page.n do
    local answer = core.decode(page[i])
    local id, key = answer.node_id, answer.node_id .. " " .. (answer.worker or "")
    if answer.workers then
      asked[id] = answer.workers
    elseif not answers[key] then
      answers[key] = true
      answers[#answers + 1] = answer
      if not answer.worker then asked[id] = true end
    end
  end
  return page.n
end

-- Those that have not answered yet, as answers.
local function open_of(asked, answers)
  local open = {}
  for id, state in pairs(asked) do
    local name = id:match "^(.*)/[^/]*$" or id
    if state == false then
      open[#open + 1] = { node = name, node_id = id, ok = false, silent = true }
    elseif state ~= true then
      for _, n in ipairs(state) do
        if not answers[id .. " " .. n] then
          open[#open + 1] = { node = name, node_id = id, worker = n, ok = false, silent = true }
        end
      end
    end
  end
  return open
end

local function by_place(a, b)
  if a.node_id ~= b.node_id then return a.node_id < b.node_id end
  return (a.worker or 0) < (b.worker or 0)
end

-- Sends, and waits for the answers.
local function ask(nodes, command, args, timeout)
  local request, asked, answers, heard, pause = core.uuid(), {}, {}, 0, LOOK_FIRST
  local ids = table.pack(core.control_ask(request, nodes, ("%d"):format(timeout * 1000 // 1),
    command, args))
  for i = 1, ids.n do
    if ids[i]:find(" ", 1, true) then errors.bad("moil.control: %s", ids[i]) end
    asked[ids[i]] = false
  end
  local deadline <const> = core.now() + timeout
  local open = open_of(asked, answers)
  while #open > 0 do
    local count = hear(request, heard, asked, answers)
    heard = heard + count
    open = open_of(asked, answers)
    if #open > 0 and count < PAGE then
      if core.now() >= deadline then break end
      core.sleep(pause)
      pause = math.min(pause * 2, LOOK_MAX)
    end
  end
  table.move(open, 1, #open, #answers + 1, answers)
  local list, ok = table.move(answers, 1, #answers, 1, {}), #answers > 0
  table.sort(list, by_place)
  for _, answer in ipairs(list) do ok = ok and answer.ok == true end
  return ok, list
end

local function limit_word(options, key)
  local value = options[key]
  if value == nil then return "" elseif value == false then return "none" end
  if value == core.null then return "-" end
  if type(value) ~= "number" or value ~= value or value <= 0 or value >= 1e9 then
    errors.bad("moil.control 'time-limit': %s must be a number of seconds above 0, false for none, "
      .. "or moil.null for the task's own", key)
  end
  return ("%.6g"):format(value)
end

-- What is set, a table for each task; false: none, absent: the task's own.
local function list_limits()
  local reply, list = table.pack(core.control_limits()), {}
  for i = 2, reply.n, 2 do
    local row = { task = reply[i] }
    row.time_limit, row.soft_time_limit = reply[i + 1]:match "^(%S+) (%S+)$"
    for _, key in ipairs { "time_limit", "soft_time_limit" } do
      local word = row[key]
      row[key] = word ~= "none" and tonumber(word) or nil
      if word == "none" then row[key] = false end
    end
    list[#list + 1] = row
  end
  return list
end

-- Sets time limits; the arguments that the nodes are told.
local function set_limits(args, nodes)
  local name, given = args[1], args[2]
  if nodes ~= "*" then
    errors.bad("moil.control 'time-limit': it holds for all nodes")
  elseif not core.is_name(name) or type(given) ~= "table" then
    errors.bad("moil.control 'time-limit': takes the task, and { time_limit =, soft_time_limit = }")
  end
  local version = core.control_limit(name, limit_word(given, "time_limit"),
    limit_word(given, "soft_time_limit"))
  if not tonumber(version) then errors.bad("moil.control 'time-limit': %s", version) end
  return "[" .. version .. "]"
end

---@class moil.ControlSendOptions
---@field node? string           a name, where * stands for any characters and ? for one; all
---@field timeout? number        seconds to wait for answers; 2, of a reload 30

---@class moil.ControlAnswer
---@field node string
---@field worker? integer        where a worker answers
---@field ok boolean
---@field message? string        of a node
---@field value? any             what a worker's function has returned
---@field error? moil.Error      or raised
---@field silent? boolean        it has not answered in time

---Sends a command to nodes, as `moil control` does, and waits for the answers.
---@param command string         ping, stats, quiet, resume, reload, grow, …, or one of on_control
---@param args? any[]
---@param options? moil.ControlSendOptions
---@return boolean ok            all have done it
---@return moil.ControlAnswer[]  by node and worker; none: there is no such node. Of "time-limit"
---  without arguments: what is set, { task =, time_limit =, soft_time_limit = } each
---  local ok, answers = moil.control("cache.drop", { "EUR" }, { node = "web-*" })
function control.send(command, args, options)
  options = options or {}
  if type(command) ~= "string" or #command > 64 or not command:find "^[%w_.-]+$" then
    errors.bad("moil.control: the command (first argument) must be 1 to 64 letters, digits, _, . "
      .. "and -")
  elseif args ~= nil and type(args) ~= "table" then
    errors.bad("moil.control '%s': the arguments (second argument) must be a list", command)
  end
  local is_slow <const> = command == "reload" or command == "time-limit"
  local timeout = options.timeout or (is_slow and 30 or 2)
  if type(timeout) ~= "number" or timeout ~= timeout or timeout <= 0 or timeout > 3600 then
    errors.bad("moil.control '%s': timeout must be 0 to 3600 seconds", command)
  end
  if (command == "stop" or command == "kill") and not options.node then
    errors.bad("moil.control '%s': it ends nodes: say which with node = NAME, or node = \"all\"",
      command)
  end
  local nodes = options.node or "*"
  if nodes == "all" then nodes = "*" end
  if not core.is_name(nodes) then
    errors.bad("moil.control '%s': node must be %s", command, errors.NAME)
  end
  if command == "time-limit" and #(args or {}) == 0 then
    return true, list_limits()
  elseif command == "time-limit" then
    return ask(nodes, command, set_limits(args or {}, nodes), timeout)
  end
  local text, wrong = core.encode(args and #args > 0 and args or {})
  if not text then errors.bad("moil.control '%s': %s", command, wrong) end
  if #text > 64 * 1024 then
    errors.bad("moil.control '%s': the arguments are more than 64 KB", command)
  end
  return ask(nodes, command, text, timeout)
end

return control

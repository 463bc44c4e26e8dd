-- One private Redis with workers on it, and moil's own client in this process to feed them: what
-- the specs of spec/worker/ and spec/api/ share.
--
--   local site = require "spec.support.site".open { tasks = [[...]], args = { "-w", "1" } }
--   local moil = site.moil                                  -- the client module, connected there
--   assert.equal(8, site:call("math.add", 4, 4))            -- enqueues and waits
--   local worker = site:worker { "-c", "1" }                -- one more node
--   site:wait_state(id, "STARTED", 5)

local support = require "spec.support"

local site = {}
site.__index = site

local PATIENCE <const> = 15 -- seconds, for what takes milliseconds on an idle machine

---@param options { tasks: string?, args: string[]?, redis: table?, config: table?,
---  appendonly: boolean?, env: table?, idle: boolean? } args: of the first worker; idle: start none
function site.open(options)
  local self = setmetatable({}, site)
  self.dir = support.tempdir()
  self.tasks = support.write(self.dir .. "/tasks.lua", options.tasks or "")
  self.redis = options.redis
    or support.redis { config = options.config, appendonly = options.appendonly }
  self.url = options.url or self.redis.url
  self.env = options.env
  self.moil = require "moil"
  self.moil.connect(self.url)
  if not options.idle then self.node = self:worker(options.args or { "-w", "1" }) end
  return self
end

-- Starts `moil worker` on the tasks and waits until it is ready. Fields beside the arguments:
-- redis, env, tasks, stderr (see process.spawn), unready (do not wait).
function site:worker(args)
  local argv = { "worker", args.tasks or self.tasks, table.unpack(args) }
  argv.redis, argv.cwd = args.redis or self.url, self.dir
  argv.env, argv.stderr = args.env or self.env, args.stderr
  local node = support.start_moil(argv)
  if not args.unready then node:read_until("ready", PATIENCE) end
  return node
end

-- Enqueues by name and waits for the result; raises the job's error.
function site:call(task, ...)
  return self.moil.send(task, table.pack(...)):get { timeout = PATIENCE }
end

-- Waits for the end of a job that must fail → its error.
function site:failure(task, args, options)
  local result = self.moil.send(task, args, options)
  local value, err = result:get { timeout = PATIENCE, propagate = false }
  assert(err, "it should have failed, but gave " .. tostring(value))
  return err, result
end

-- Waits until the job is in that state → its info.
function site:wait_state(id, state, seconds)
  local last
  return support.wait_until(function()
    local ok, info = pcall(function() return self.moil.result(id):info() end)
    last = ok and info.state or info.code
    return last == state and (ok and info or true)
  end, seconds or PATIENCE, function() return ("%s is %s (now %s)"):format(id, state, last) end)
end

-- Waits until the node's only worker says that it is "quiet, …" (a pattern).
function site.wait_worker(node, state)
  local from = #node:stderr()
  support.wait_until(function()
    node:kill("USR1")
    return node:stderr():find(state, from)
  end, PATIENCE, "a worker that is " .. state)
end

-- The nodes' reports, as `moil inspect nodes --json` prints them.
function site:nodes()
  local nodes = {}
  local moil = support.start_moil { "inspect", "nodes", "--json", redis = self.url }
  assert(moil:wait(PATIENCE) == 0, moil:report())
  for line in moil:stdout():gmatch("[^\n]+") do nodes[#nodes + 1] = support.json_decode(line) end
  return nodes
end

-- The lines of a node's log that hold a plain text.
function site.log_lines(node, text)
  local found = {}
  for line in (node:stderr() .. node:stdout()):gmatch("[^\n]+") do
    if line:find(text, 1, true) then found[#found + 1] = line end
  end
  return found
end

-- Pids of a node's children whose role (the process's place among them) is a worker or the agent,
-- from its USR1 dump.
function site.pids(node)
  node:kill("USR1")
  local pids = {}
  node:read_until("state: running", PATIENCE)
  support.wait_until(function()
    pids = {}
    for role, pid in node:stderr():gmatch("state: ([%w ]-) pid (%d+)") do
      pids[role] = math.tointeger(pid)
    end
    return pids.agent and next(pids, "agent") or next(pids) ~= "agent" and pids.agent
  end, PATIENCE, "a dump of the node's state")
  return pids
end

-- True until the process has ended; one that nobody has waited for yet has ended, too.
function site.lives(pid)
  local f = io.open(("/proc/%d/stat"):format(pid))
  local state = f and f:read("a"):match("%) (%a)")
  if f then f:close() end
  return state ~= nil and state ~= "Z"
end

-- What a spec's tasks leave behind, one line each: tasks append to it with note().
function site:notes()
  local f = io.open(self.dir .. "/notes", "rb")
  if not f then return {} end
  local lines = {}
  for line in f:lines() do lines[#lines + 1] = line end
  f:close()
  return lines
end

-- Lua source for tasks: note(text) appends a line to the file that site:notes reads.
site.NOTE = [[
local moil = require "moil"
local function note(...)
  local f = assert(io.open("notes", "a"))
  f:write(table.concat({ ... }, " "), "\n")
  f:close()
end
]]

return site

-- A program that embeds workers, driven from a spec: a process of worker_probe.c that does as it is
-- told.
--
--   local h = host(redis.url)
--   h:open("a", tasks, { name = "node" })     -- and waits until it serves
--   h:ask("stop a")
--   h:saw("stopped a")

local support = require "spec.support"

local host = {}
host.__index = host

local PATIENCE <const> = 20 -- seconds, for what takes milliseconds on an idle machine

---@param url string
---@param loop? "default"|"new"
---@param options? table     of process.spawn
local function start(url, loop, options)
  local given = { stdin = "pipe" }
  for key, value in pairs(options or {}) do given[key] = value end
  local probe = support.build .. "/spec/worker_probe"
  local argv = given.wrap and { table.unpack(given.wrap) } or {}
  for _, word in ipairs { probe, url, loop or "new" } do argv[#argv + 1] = word end
  local self = setmetatable({ process = support.spawn(argv, given), url = url }, host)
  self:saw("up ")
  return self
end

-- Waits for a line on its stdout that begins so.
function host:saw(text, seconds)
  local escaped = text:gsub("%p", "%%%0")
  local line = "%f[^\n\0]" .. escaped .. "[^\n]*\n"
  return self.process:read_until(line, seconds or PATIENCE, "stdout")
end

-- Says a command, and waits until it is obeyed.
function host:ask(command)
  self.process:write(command .. "\n")
  self:saw("ok " .. command:match("^%S+ ?%S*"))
end

-- Says a command that may fail, and does not make anything else be told → status, sentence.
function host:try(command)
  self.process:write(command .. "\n")
  local status, sentence = self.process:read_until("(%-?%w+) ([^\n]*)\n", PATIENCE, "stdout")
  return math.tointeger(status), sentence
end

-- Opens a worker. Options: those of worker_probe, and limits ("hook"), unready (do not wait).
function host:open(name, path, options)
  local words, given = {}, {}
  for key, value in pairs(options or {}) do given[key] = value end
  local limits, unready = given.limits or "hook", given.unready
  given.limits, given.unready = nil, nil
  for key, value in pairs(given) do words[#words + 1] = (" %s=%s"):format(key, value) end
  self:ask(("open %s %s %s%s"):format(name, limits, path or "-", table.concat(words)))
  if not unready then self:saw("ready " .. name) end
end

-- Warm, and waits for the callback.
function host:stop(name, how)
  self.process:write(("%s %s\n"):format(how or "stop", name))
  self:saw("stopped " .. name)
end

-- Ends the program as it ends by itself.
function host:finish()
  self.process:close_stdin()
  return self.process:wait(PATIENCE)
end

-- The signals that it handles, and those that it ignores, as /proc has them.
function host:signals()
  local status = support.read(("/proc/%d/status"):format(self.process.pid))
  return status:match("SigCgt:%s*(%x+)"), status:match("SigIgn:%s*(%x+)")
end

return start

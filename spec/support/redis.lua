-- A private redis-server on a unix socket in a folder of its own, and raw commands to it.

local native = require "native"
local process = require "spec.support.process"

local redis = {}
local server = {}
server.__index = server

local function arguments(self, options)
  local argv = { "redis-server", "--port", tostring(self.port or 0), "--bind", "127.0.0.1" }
  local config = {
    unixsocket = self.path,
    dir = self.dir,
    save = "",
    appendonly = options.appendonly and "yes" or "no",
    logfile = self.dir .. "/redis.log",
    ["enable-debug-command"] = "yes",
  }
  for k, v in pairs(options.config or {}) do config[k] = tostring(v) end
  for k, v in pairs(config) do
    argv[#argv + 1] = "--" .. k
    argv[#argv + 1] = v
  end
  return argv
end

-- Starts a server and waits until it answers.
---@param options? {tcp: boolean?, config: table<string, any>?, appendonly: boolean?,
---  env: table<string, string>?}
--- tcp: it also listens on a free port of 127.0.0.1 (server.port, server.tcp_url).
---@return table server
function redis.start(options)
  options = options or {}
  local dir = process.tempdir()
  local path = dir .. "/s"
  local self = setmetatable({ dir = dir, path = path, url = "unix://" .. path }, server)
  if options.tcp then
    self.port = native.free_port()
    self.tcp_url = ("redis://127.0.0.1:%d"):format(self.port)
  end
  self.password = options.config and options.config.requirepass
  self.argv, self.env = arguments(self, options), options.env
  self:launch()
  return self
end

function server:launch()
  self.process = process.spawn(self.argv, { env = self.env })
  self.pid = self.process.pid
  process.wait_until(function()
    if not self.process:alive() then
      error("redis-server ended: " .. self:log() .. self.process:report(), 3)
    end
    self.connection = native.redis_connect(10, self.path)
    if not self.connection then return false end
    if self.password then self.connection:call("AUTH", self.password) end
    return self:try("PING") == "PONG"
  end, 20, function() return "redis-server answers: " .. self:log() end)
end

function server:log()
  local f = io.open(self.dir .. "/redis.log", "rb")
  local text = f and f:read("a") or "(no log)\n"
  if f then f:close() end
  return text
end

-- A connection of its own: :call, :send, :receive, :timeout, :close (spec/support/native_redis.c).
function server:connect(timeout)
  local c = assert(native.redis_connect(timeout or 10, self.path))
  if self.password then assert(c:call("AUTH", self.password)) end
  return c
end

-- One command → reply, or nil and Redis's error. Numbers are sent as Lua prints them.
function server:try(...)
  if not self.connection then self.connection = self:connect() end
  local reply, err = self.connection:call(...)
  if err and err:find("^connection lost") then self:disconnect() end
  return reply, err
end

-- One command → reply; raises Redis's error. A nil reply is nil, inside an array false.
function server:call(...)
  local reply, err = self:try(...)
  if err then error(("%s: %s"):format((...), err), 2) end
  return reply
end

-- Many commands in one go: a list of lists → a list of replies (an error is {err = message}).
function server:pipeline(commands)
  local c = self:connect()
  for _, command in ipairs(commands) do c:send(table.unpack(command)) end
  local replies = {}
  for i = 1, #commands do
    local reply, err = c:receive()
    replies[i] = err and { err = err } or reply
    if replies[i] == nil then replies[i] = false end
  end
  c:close()
  return replies
end

-- INFO's field, or the whole text.
function server:info(field)
  local text = self:call("INFO", "everything")
  return field and text:match("\n" .. field .. ":([^\r\n]*)") or text
end

function server:disconnect()
  if self.connection then self.connection:close() end
  self.connection = nil
end

-- Ends it in order (what it was told to persist is on disk then).
function server:stop()
  self:disconnect()
  self.process:stop(20)
end

-- Ends it as a crash would.
function server:kill9()
  self:disconnect()
  self.process:kill("KILL")
  self.process:wait(10)
end

-- Starts it again on the same socket and folder.
function server:start()
  self:launch()
end

function server:restart()
  self:stop()
  self:start()
end

return redis

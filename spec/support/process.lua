-- Child processes with deadlines. Their output goes to files, so that nobody blocks on a full pipe,
-- unless a pipe is asked for. Nothing here sleeps: waiting polls descriptors for at most a few
-- milliseconds at a time.

require "spec.support.paths"
local native = require "native"

local process = {}

local TICK <const> = 0.005 -- seconds between two looks at a condition
local BYTES_MAX <const> = 256 * 1024 * 1024 -- of one child's output: more is a runaway

-- --- conditions ----------------------------------------------------------------------------------

-- Calls fn until it returns something true, which is returned; fails loudly after `seconds`.
---@param fn fun(): any
---@param seconds number
---@param what string|fun(): string what was waited for
function process.wait_until(fn, seconds, what)
  local deadline <const> = native.now() + seconds
  while true do
    local value = fn()
    if value then return value end
    if native.now() >= deadline then
      local text = type(what) == "function" and what() or what or "the condition"
      error(("waited %g s in vain: %s"):format(seconds, text), 2)
    end
    native.poll({}, TICK)
  end
end

-- --- temporary folders ---------------------------------------------------------------------------

-- A new empty folder, removed at exit. Short, as unix socket paths end at 107 bytes.
function process.tempdir()
  local base = os.getenv("TMPDIR") or "/tmp"
  if #base > 40 then base = "/tmp" end
  return assert(native.mkdtemp(base .. "/moil-spec."))
end

local scratch -- one folder for the output files of this run
local started = 0

local function output_path()
  scratch = scratch or process.tempdir()
  started = started + 1
  return ("%s/%d"):format(scratch, started)
end

-- --- streams: what a child wrote -----------------------------------------------------------------

local stream = {}
stream.__index = stream

-- Reads what is there; returns false at the end of a pipe.
function stream:pump()
  if not self.fd then return false end
  while true do
    local bytes = native.read(self.fd)
    if not bytes then return true end
    self.size = self.size + #bytes
    if self.size > BYTES_MAX then error("a child wrote over 256 MB: " .. bytes:sub(1, 200)) end
    if bytes == "" then
      if self.is_pipe then self:close() end
      return not self.is_pipe
    end
    self.parts[#self.parts + 1] = bytes
  end
end

function stream:text()
  self:pump()
  if #self.parts > 1 then self.parts = { table.concat(self.parts) } end
  return self.parts[1] or ""
end

function stream:close()
  if self.fd then native.close(self.fd) end
  self.fd = nil
end

-- Returns the stream and the descriptor that the child gets. `target`: nil, "pipe", "null" or a
-- path.
local function open_stream(target)
  local s = setmetatable({ parts = {}, size = 0, seen = 1, is_pipe = target == "pipe" }, stream)
  local child_fd
  if target == "pipe" then
    s.fd, child_fd = native.pipe()
  else
    local path = target == "null" and "/dev/null" or target or output_path()
    child_fd = assert(native.open(path, "a"))
    -- What goes to a device is not read back: /dev/full has no end.
    if path:sub(1, 5) ~= "/dev/" then s.fd = assert(native.open(path, "r")) end
  end
  return s, child_fd
end

-- --- processes -----------------------------------------------------------------------------------

local child = {}
child.__index = child

local children = {} -- pid → child that has not been waited for
local spawned = 0

-- The environment of a child: ours, without what would steer moil or Lua behind the spec's back.
local function environment(changes)
  local env = {}
  local p = assert(io.open("/proc/self/environ", "rb"))
  for name, value in p:read("a"):gmatch("([^=%z]+)=([^%z]*)") do
    local steers = name:find("^MOIL_") or name:find("^LUA_") or name == "LD_PRELOAD"
    if not steers or name == "MOIL_SPEC_RUN" then env[name] = value end
  end
  p:close()
  for name, value in pairs(changes or {}) do env[name] = value or nil end
  local list = {}
  for name, value in pairs(env) do list[#list + 1] = name .. "=" .. value end
  return list
end

-- A terminal: where the child's output is read and its keys are written, and the child's end.
local function open_terminal(size)
  local ours, theirs = native.terminal(size.rows or 24, size.columns or 80)
  assert(ours, theirs)
  local s = setmetatable({ parts = {}, size = 0, seen = 1, is_pipe = true, fd = ours }, stream)
  return s, assert(native.dup(ours)), theirs
end

local function open_stdin(stdin)
  if stdin == "pipe" then
    return native.pipe(true)
  end
  local path = "/dev/null"
  if stdin then
    path = output_path()
    local f = assert(io.open(path, "wb"))
    f:write(stdin)
    f:close()
  end
  return assert(native.open(path, "r"))
end

-- Starts argv[1], found in PATH, in a session of its own.
---@param argv string[]
---@param options? table env (name → value, false: unset), cwd, stdin, stdout, stderr
--- stdin: its bytes, or "pipe" for :write and :close_stdin; none: /dev/null.
--- stdout, stderr: "pipe", "null" or a path; none: a file of its own; stderr "stdout": the same as
--- stdout.
--- terminal: {rows, columns}: all three are a terminal of that size, which is its controlling one
--- (stderr stays a file where it says so); read it by :stdout, press keys by :write.
---@return table child raises where it cannot be started
function process.spawn(argv, options)
  options = options or {}
  spawned = spawned + 1
  local stdin, write_end, out, out_fd
  if options.terminal then
    out, write_end, stdin = open_terminal(options.terminal)
    out_fd = assert(native.dup(stdin))
    options.stderr = options.stderr or "stdout"
  else
    stdin, write_end = open_stdin(options.stdin)
    out, out_fd = open_stream(options.stdout)
  end
  local err, err_fd = out, out_fd
  if options.stderr ~= "stdout" then err, err_fd = open_stream(options.stderr) end
  local pid, pidfd = native.spawn {
    argv = argv,
    env = environment(options.env),
    cwd = options.cwd,
    fds = { stdin, out_fd, err_fd },
  }
  native.close(stdin)
  native.close(out_fd)
  if err_fd ~= out_fd then native.close(err_fd) end
  if not pid then error(("cannot start %s"):format(pidfd), 2) end
  local self = setmetatable({
    pid = pid,
    pidfd = pidfd >= 0 and pidfd or nil,
    out = out,
    err = err,
    stdin = write_end,
    name = table.concat(argv, " "),
    order = spawned,
  }, child)
  children[pid] = self
  return self
end

function child:stdout() return self.out:text() end
function child:stderr() return self.err:text() end

function child:write(bytes)
  return native.write(self.stdin, bytes)
end

function child:close_stdin()
  if self.stdin then native.close(self.stdin) end
  self.stdin = nil
end

-- True until it has ended.
function child:alive()
  if self.ended then return false end
  local how, number = native.wait(self.pid, false)
  if not how then return true end
  self.ended = true
  children[self.pid] = nil
  if how == "exit" then self.code = number else self.signal = number end
  if self.pidfd then native.close(self.pidfd) end
  self.pidfd = nil
  self:close_stdin()
  return false
end

-- What a failed wait shows.
function child:report()
  return ("%s (pid %d, %s)\n--- its stdout:\n%s\n--- its stderr:\n%s"):format(self.name, self.pid,
    self.ended and (self.code and "exit " .. self.code or "signal " .. self.signal) or "running",
    self:stdout(), self:stderr())
end

-- Waits a moment: for output, for the end, or for a tick of the clock.
function child:turn()
  local fds = {}
  if self.pidfd then fds[1] = self.pidfd end
  for _, s in ipairs { self.out, self.err } do
    if s.is_pipe and s.fd then fds[#fds + 1] = s.fd end
  end
  native.poll(fds, TICK)
  self.out:pump()
  self.err:pump()
end

-- Waits for a Lua pattern in its output, after what an earlier call found there; returns the
-- captures.
---@param pattern string
---@param seconds number
---@param where? "stdout"|"stderr" none: both
function child:read_until(pattern, seconds, where)
  local deadline <const> = native.now() + seconds
  while true do
    local alive = self:alive()
    for name, s in pairs { stdout = self.out, stderr = self.err } do
      if not where or where == name then
        local found = table.pack(s:text():find(pattern, s.seen))
        if found[1] then
          s.seen = found[2] + 1
          if found.n == 2 then return s:text():sub(found[1], found[2]) end
          return table.unpack(found, 3, found.n)
        end
      end
    end
    if not alive then error(("ended before it wrote %q: %s"):format(pattern, self:report()), 2) end
    if native.now() >= deadline then
      error(("waited %g s in vain for %q from %s"):format(seconds, pattern, self:report()), 2)
    end
    self:turn()
  end
end

-- Waits for its end → exit code, or nil and the signal's number.
function child:wait(seconds)
  local deadline <const> = native.now() + seconds
  while self:alive() do
    if native.now() >= deadline then
      error(("waited %g s in vain for the end of %s"):format(seconds, self:report()), 2)
    end
    self:turn()
  end
  self.out:pump()
  self.err:pump()
  return self.code, self.signal
end

-- "TERM", "KILL", … or a number; nothing when it has ended.
function child:kill(signal)
  if self:alive() then native.kill(self.pid, native.signals[signal] or signal) end
end

-- TERM, and fails where that does not end it in time.
function child:stop(seconds)
  self:kill("TERM")
  return self:wait(seconds or 10)
end

-- --- the end -------------------------------------------------------------------------------------

-- Pids of all processes below this one, oldest first.
function process.descendants()
  local parents = {}
  local list = native.processes()
  for _, p in ipairs(list) do parents[p.pid] = p end
  local me <const> = native.getpid()
  local found = {}
  for _, p in ipairs(list) do
    local up = p
    while up and up.pid ~= me do up = parents[up.ppid] end
    if up and p.pid ~= me then
      if p.state ~= "Z" then
        found[#found + 1] = p.pid
      elseif p.ppid == me and not children[p.pid] then
        native.wait(p.pid, false) -- an orphan that we adopted, and that has ended
      end
    end
  end
  return found
end

local function command_of(pid)
  local f = io.open(("/proc/%d/cmdline"):format(pid), "rb")
  local text = f and f:read("a") or ""
  if f then f:close() end
  return ("%d %s"):format(pid, (text:gsub("%z", " ")))
end

-- Ends what the specs started and left running, and returns what is there even so: processes that
-- nobody but moil can have left behind. They are killed too.
---@return string[] leftovers "pid command"
function process.finish()
  local running = {}
  for _, c in pairs(children) do running[#running + 1] = c end
  -- Those that use a Redis before it.
  table.sort(running, function(a, b) return a.order > b.order end)
  for _, c in ipairs(running) do
    c:kill("TERM")
    local deadline = native.now() + 5
    while c:alive() and native.now() < deadline do c:turn() end
    c:kill("KILL")
    c:wait(5)
  end
  local left
  pcall(process.wait_until, function()
    left = process.descendants()
    return #left == 0
  end, tonumber(os.getenv("MOIL_SPEC_GRACE")) or 5, "")
  local names = {}
  for _, pid in ipairs(left) do
    names[#names + 1] = command_of(pid)
    native.kill(pid, native.signals.KILL)
  end
  return names
end

return process

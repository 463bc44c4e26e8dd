-- moil.run: a program as a child process. No shell is involved, so nothing in its arguments can
-- become a command.

local core = require "moil.core"
local errors = require "moil.errors"

---@class moil.RunOptions
---@field [integer] string  the program, looked up in PATH, and its arguments
---@field input? string     for its stdin
---@field timeout? number|false seconds; 60 when not said; false: none
---@field max_output? integer bytes kept of stdout and of stderr, each; 1 MB when not said
---@field cwd? string

---@class moil.RunResult
---@field code? integer     exit code; nil when a signal ended it
---@field signal? integer
---@field stdout string
---@field stderr string
---@field timed_out boolean
---@field truncated boolean it gave more than max_output bytes and was ended

local DEFAULT_TIMEOUT <const> = 60
local DEFAULT_MAX_OUTPUT <const> = 1024 * 1024

local known = { input = true, timeout = true, max_output = true, cwd = true }

local function check_argv(given)
  local argv = {}
  for i = 1, #given do
    local word = given[i]
    if math.type(word) then word = tostring(word) end
    if type(word) ~= "string" or word:find("\0", 1, true) then
      errors.bad("moil.run: argument %d must be a string without NUL bytes", i)
    end
    argv[i] = word
  end
  if #argv == 0 or argv[1] == "" then
    errors.bad("moil.run: takes a program and its arguments, such as { \"wc\", \"-l\", path }")
  end
  return argv
end

local function check_options(given)
  local named = {}
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" then named[key] = value end
  end
  errors.check_known(named, known, "moil.run")
  if named.input ~= nil and type(named.input) ~= "string" then
    errors.bad("moil.run: input must be a string")
  end
  local timeout, max = named.timeout, named.max_output
  if timeout ~= nil and timeout ~= false and not (type(timeout) == "number" and timeout > 0) then
    errors.bad("moil.run: timeout must be a number of seconds, more than 0, or false for none")
  end
  if max ~= nil and not (math.type(max) == "integer" and max >= 0) then
    errors.bad("moil.run: max_output must be a whole number of bytes, 0 or more")
  end
  if named.cwd ~= nil and type(named.cwd) ~= "string" then
    errors.bad("moil.run: cwd must be a string")
  end
  return named
end

---Runs a program and waits for its end; in a job this suspends the job, not its worker.
---@param given moil.RunOptions
---@return moil.RunResult   raises BadArgument when it cannot be started
---  moil.run { "wc", "-l", path, timeout = 5 }
return function(given)
  if type(given) ~= "table" then
    errors.bad("moil.run: takes a table, such as { \"wc\", \"-l\", path }")
  end
  local argv, named = check_argv(given), check_options(given)
  local timeout = named.timeout
  if timeout == nil then timeout = DEFAULT_TIMEOUT end
  local code, signal, stdout, stderr, timed_out, truncated =
    core.spawn(argv, named.input, timeout or -1, named.max_output or DEFAULT_MAX_OUTPUT, named.cwd)
  return {
    code = code, signal = signal, stdout = stdout, stderr = stderr,
    timed_out = timed_out, truncated = truncated,
  }
end

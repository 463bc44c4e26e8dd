-- Runs a program: for work that a command does already. Nothing may be run until the worker's
-- environment says what:
--
--   MOIL_PROGRAMS=wc,/usr/bin/convert moil worker
--   moil call program.run '["wc", "-l", "/etc/passwd"]' --wait
--
-- No shell is involved, so no argument can become a command. But a program that runs programs (sh,
-- env, find, xargs, awk, …) opens everything to whoever may enqueue jobs: do not list one.

local moil = require "moil"

local DEFAULT_TIMEOUT <const> = 60
local MAX_TIMEOUT <const> = 3600
local MAX_OUTPUT <const> = 256 * 1024 -- of stdout and of stderr, each: a result holds both
local ERROR_BYTES <const> = 500

---@class program.Options
---@field input? string     for its stdin
---@field timeout? number   seconds, at most 3600; 60 when not said
---@field check? boolean    false: a program that fails is a result, not an error

local known <const> = { input = "string", timeout = "number", check = "boolean" }

local function refuse(code, message, ...)
  error({ code = code, message = ("program.run: " .. message):format(...) }, 0)
end

local function read_allowed(list)
  local allowed = {}
  for name in (list or ""):gmatch("[^,%s]+") do allowed[name] = true end
  return allowed
end

local allowed <const> = read_allowed(os.getenv "MOIL_PROGRAMS")

local function check_argv(argv)
  if type(argv) ~= "table" or type(argv[1]) ~= "string" then
    refuse("BadArgument", 'takes a list such as ["wc", "-l", "/etc/passwd"]')
  end
  if not allowed[argv[1]] then
    refuse("NotAllowed", "%q is not in the MOIL_PROGRAMS of this worker", argv[1])
  end
end

local function check_options(options)
  if type(options) ~= "table" then refuse("BadArgument", "options must be an object") end
  for name, value in pairs(options) do
    if not known[name] then refuse("BadArgument", "unknown option '%s'", name) end
    if type(value) ~= known[name] then
      refuse("BadArgument", "%s must be a %s", name, known[name])
    end
  end
  local timeout = options.timeout
  if timeout and not (timeout > 0 and timeout <= MAX_TIMEOUT) then
    refuse("BadArgument", "timeout must be more than 0 and at most %d seconds", MAX_TIMEOUT)
  end
end

-- JSON holds UTF-8 only: each other byte becomes U+FFFD.
local function to_utf8(bytes)
  local parts, from = {}, 1
  while true do
    local _, bad = utf8.len(bytes, from)
    if not bad then break end
    parts[#parts + 1] = bytes:sub(from, bad - 1)
    parts[#parts + 1] = "\u{FFFD}"
    from = bad + 1
  end
  parts[#parts + 1] = bytes:sub(from)
  return table.concat(parts)
end

local function failure_of(argv, timeout, done)
  if done.timed_out then
    return "Timeout", ("%s: ended after %g s"):format(argv[1], timeout)
  elseif done.truncated then
    return "TooLarge", ("%s: ended as it wrote more than %d bytes"):format(argv[1], MAX_OUTPUT)
  elseif done.code ~= 0 then
    local how = done.code and "exit code " .. done.code or "signal " .. done.signal
    local said = done.stderr:sub(1, ERROR_BYTES):gsub("%s+$", "")
    return "ProgramFailed", ("%s: %s%s"):format(argv[1], how, said ~= "" and ": " .. said or "")
  end
end

---Runs a program without a shell, and waits for its end; its worker does other jobs meanwhile.
---@param argv string[]     the program, as MOIL_PROGRAMS has it, and its arguments
---@param options? program.Options
---@return moil.RunResult   raises NotAllowed, BadArgument, Timeout, TooLarge, ProgramFailed
---  moil call program.run '["wc", "-l"]' --kwargs '{"input": "a\nb\n"}' --wait
moil.task("program.run", function(argv, options)
  check_argv(argv)
  options = options or {}
  check_options(options)
  local timeout = options.timeout or DEFAULT_TIMEOUT
  local given = { input = options.input, timeout = timeout, max_output = MAX_OUTPUT }
  for i, word in ipairs(argv) do given[i] = word end
  local done = moil.run(given)
  done.stdout, done.stderr = to_utf8(done.stdout), to_utf8(done.stderr)
  local code, message = failure_of(argv, timeout, done)
  if code and options.check ~= false then error({ code = code, message = message }, 0) end
  return done
end)

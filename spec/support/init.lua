-- What every spec uses: private Redis servers, moil's own program, other processes, conditions with
-- deadlines.
--
--   local support = require "spec.support"
--   local redis = support.redis()                          -- a server of its own, on a unix socket
--   local out = support.moil { "call", "math.add", "4", "4", redis = redis }
--   assert.equal(0, out.code)
--   local worker = support.start_moil { "worker", "tasks", redis = redis }
--   worker:read_until("ready", 5)
--   support.wait_until(function() return redis:call("DBSIZE") > 0 end, 5, "a key appears")
--
-- Whatever is started here ends with the spec file, also when the file fails.

local paths = require "spec.support.paths"
local native = require "native"
local process = require "spec.support.process"

local support = {
  root = paths.root,
  build = paths.build,
  binary = paths.build .. "/moil",
  native = native,
  now = native.now,
  spawn = process.spawn,
  wait_until = process.wait_until,
  tempdir = process.tempdir,
}

-- The C units (spec/support/units_*.c), built on first use, as a spec that needs none should not
-- fail with them.
setmetatable(support, {
  __index = function(t, key)
    if key == "units" then t.units = require "units" end
    return rawget(t, key)
  end,
})

---@param path string
---@param text string
---@return string path
function support.write(path, text)
  local f = assert(io.open(path, "wb"))
  assert(f:write(text))
  assert(f:close())
  return path
end

---@param path string
---@return string
function support.read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("a")
  f:close()
  return text
end

-- JSON for reading what moil prints; null becomes support.null.
local dkjson = require "dkjson"
support.null = dkjson.null

---@param text string
function support.json_decode(text)
  local value, _, err = dkjson.decode(text, 1, dkjson.null)
  if err then error(err .. ": " .. text, 2) end
  return value
end

support.json_encode = dkjson.encode

-- --- Redis ---------------------------------------------------------------------------------------

---@param options? {tcp: boolean?, config: table<string, string>?, appendonly: boolean?}
---@return table server see spec/support/redis.lua
function support.redis(options)
  return require("spec.support.redis").start(options)
end

-- The text of lua/redis/<name>.lua with its prelude, as the build made it.
function support.script(name)
  return support.read(support.build .. "/gen/redis/" .. name .. ".lua")
end

-- Runs a server-side script: KEYS[1] is the prefix, the rest ARGV. Raises Redis's error.
---@param redis table of support.redis
---@param name string without .lua
---@param prefix string e.g. "{moil}:"
function support.eval_script(redis, name, prefix, ...)
  return redis:call("EVAL", support.script(name), "1", prefix, ...)
end

-- --- moil ----------------------------------------------------------------------------------------

local function moil_options(options)
  local env = {}
  if options.redis then
    env.MOIL_REDIS = type(options.redis) == "string" and options.redis or options.redis.url
  end
  for k, v in pairs(options.env or {}) do env[k] = v end
  return {
    env = env,
    cwd = options.cwd,
    stdin = options.stdin,
    stdout = options.stdout,
    stderr = options.stderr,
    terminal = options.terminal,
  }
end

local function finish(child, seconds)
  local code, signal = child:wait(seconds)
  return { code = code, signal = signal, stdout = child:stdout(), stderr = child:stderr() }
end

-- Starts build/moil in the background: the arguments are the table's list part.
-- Fields: redis (a server or URL, given as MOIL_REDIS), program (another build of it), env, cwd,
-- stdin, stdout, stderr, terminal (see process.spawn).
function support.start_moil(options)
  local program = options.program or support.binary
  return process.spawn({ program, table.unpack(options) }, moil_options(options))
end

-- Runs build/moil to its end, `timeout` seconds at most (10) → {code, signal, stdout, stderr}.
function support.moil(options)
  return finish(support.start_moil(options), options.timeout or 10)
end

-- Starts a plain lua5.4 that finds moil in the tree: { "script.lua" | "-e", code, arg…, redis =,
-- env =, … }.
function support.start_lua(options)
  local spawn_options = moil_options(options)
  local env = spawn_options.env
  local path = "ROOT/lua/?.lua;ROOT/lua/?/init.lua;;"
  env.LUA_PATH = env.LUA_PATH or path:gsub("ROOT", support.root)
  env.LUA_CPATH = env.LUA_CPATH or support.build .. "/lua/?.so;;"
  env.LD_PRELOAD = env.LD_PRELOAD or os.getenv("MOIL_SPEC_PRELOAD")
  return process.spawn({ "lua5.4", table.unpack(options) }, spawn_options)
end

function support.lua(options)
  return finish(support.start_lua(options), options.timeout or 10)
end

-- Runs a shell command to its end.
function support.sh(command, options)
  options = options or {}
  local child = process.spawn({ "sh", "-c", command }, moil_options(options))
  return finish(child, options.timeout or 10)
end

return support

-- Runs the steps of a page, one after the other, in one folder of its own: what a block leaves
-- there (files, a worker in the background, jobs in Redis) is there for the next ones, as for
-- somebody who reads along.
--
--   redis               act: a private server, which the page's commands use; else what they start
--   worker PATH...      act: a worker with these tasks, paths from the root of the tree
--   install             act: moil is installed; its program, libraries and headers are found
--   sh [exit=N]         the block is a script; it must end with 0 or N
--   background PATTERN  the block's program goes on running; its output shows PATTERN when it is
--                       up. The next one ends it first, as a reader would
--   file PATH           the block is that file
--   lua                 a program for a plain lua5.4
--   task CALL => OUTPUT task definitions: a worker serves them, `moil call CALL --wait` prints
--                       OUTPUT
--   config              a moil.lua: `moil check` accepts it
--   c                   a program, compiled against moil.h and libmoil.a, and run
--   output              what the step before printed; … stands for anything
--   diagram             nothing to run
--   elsewhere FILE      run by that file, in which each of its commands stands

local installed = require "spec.support.installed"
local support = require "spec.support"

local session = {}
session.__index = session

local TIMEOUT <const> = 20

-- Under a sanitizer, who loads our modules must have its runtime first: a lua5.4 that does.
local function wrap_lua(dir, preload)
  local lua = support.sh("command -v lua5.4").stdout:gsub("\n", "")
  local text = ("#!/bin/sh\nLD_PRELOAD=%s exec %s \"$@\"\n"):format(preload, lua)
  support.sh("chmod 755 " .. support.write(dir .. "/lua5.4", text))
end

function session.new(name)
  local self = setmetatable({ name = name, dir = support.tempdir(), count = 0, env = {} }, session)
  self.env.PATH = support.build .. ":" .. os.getenv("PATH")
  self.env.LC_ALL = "C.UTF-8" -- trees have lines that plain ASCII has not
  local preload = os.getenv("MOIL_SPEC_PRELOAD")
  if preload then
    local bin = support.tempdir()
    wrap_lua(bin, preload)
    self.env.PATH = bin .. ":" .. self.env.PATH
  end
  self.env.LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(support.root, support.root)
  self.env.LUA_CPATH = support.build .. "/lua/?.so;;"
  for _, entry in ipairs { "tasks", "examples" } do
    assert(os.execute(("ln -s %s/%s %s/%s"):format(support.root, entry, self.dir, entry)))
  end
  assert(os.execute(("ln -s %s %s/build"):format(support.build, self.dir)))
  return self
end

local function fail(self, step, message, ...)
  error(("%s:%d: %s"):format(self.name, step.line, message:format(...)), 0)
end

-- Compares a text with an expectation in which … stands for anything.
local function is_match(text, expected)
  local pattern = expected:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("…", ".-")
  return text:find("^" .. pattern .. "$") ~= nil
end

local function trim(text)
  return (text:gsub("[ \t]+\n", "\n"):gsub("%s+$", ""))
end

local function expect(self, step, text, expected)
  if not is_match(trim(text), trim(expected)) then
    fail(self, step, "prints\n%s\ninstead of\n%s", text, expected)
  end
end

local function spawn(self, argv)
  return support.spawn(argv, { cwd = self.dir, env = self.env, stderr = "stdout" })
end

-- Runs a program to its end; its output is what the next `output` compares.
local function run(self, step, argv, code)
  local p = spawn(self, argv)
  local ended, signal = p:wait(TIMEOUT)
  self.output = p:stdout()
  if ended ~= (code or 0) then
    fail(self, step, "ended with %s instead of %d and printed\n%s", ended or "signal " .. signal,
      code or 0, self.output)
  end
end

local function write(self, path, text)
  if path:find("/") then
    assert(os.execute(("mkdir -p %s/%s"):format(self.dir, path:match("^(.*)/"))))
  end
  return support.write(self.dir .. "/" .. path, text)
end

-- A file of its own for a block.
local function scratch(self, ending, text)
  self.count = self.count + 1
  return write(self, ("snippet-%d%s"):format(self.count, ending), text)
end

local function with_require(text)
  if text:find('require "moil"', 1, true) then return text end
  return 'local moil = require "moil"\n' .. text
end

local function start_worker(self, step, paths)
  local worker = spawn(self, { support.binary, "worker", "-w", "1", table.unpack(paths) })
  local ok, wrong = pcall(worker.read_until, worker, " ready:", TIMEOUT)
  if not ok then fail(self, step, "%s", wrong) end
  return worker
end

local actions = {}

function actions.redis(self)
  self.redis = support.redis()
  self.env.MOIL_REDIS = self.redis.url
end

function actions.worker(self, step)
  local paths = {}
  for path in step.argument:gmatch("%S+") do paths[#paths + 1] = support.root .. "/" .. path end
  self.worker = start_worker(self, step, paths)
end

function actions.install(self)
  local env = installed.environment()
  env.PATH = env.PATH:match("^[^:]+:[^:]+:") .. self.env.PATH
  for name, value in pairs(env) do self.env[name] = value end
end

function actions.sh(self, step)
  local code = math.tointeger(tonumber(step.argument:match("^exit=(%d+)$")))
  run(self, step, { "sh", "-eu", "-c", step.text }, code)
end

function actions.background(self, step)
  if self.background then
    self.background:kill("INT")
    self.background:wait(TIMEOUT)
  end
  self.background = spawn(self, { "sh", "-eu", "-c", "exec " .. step.text })
  local ok, wrong = pcall(self.background.read_until, self.background, step.argument, TIMEOUT)
  if not ok then fail(self, step, "%s", wrong) end
  self.output = self.background:stdout()
end

function actions.file(self, step)
  write(self, step.argument, step.text)
end

function actions.lua(self, step)
  local path = scratch(self, ".lua", with_require(step.text))
  run(self, step, { "sh", "-c", "exec lua5.4 " .. path })
end

function actions.task(self, step)
  local call, expected = step.argument:match("^(.-)%s*=>%s*(.*)$")
  if not call then fail(self, step, "the mark has no CALL => OUTPUT") end
  -- A namespace of its own: the page's other workers do not know this task.
  self.env.MOIL_NAMESPACE = "step-" .. step.line
  local worker = start_worker(self, step, { scratch(self, ".lua", with_require(step.text)) })
  local p = spawn(self, { "sh", "-eu", "-c", "moil call " .. call .. " --wait --timeout 10" })
  p:wait(TIMEOUT)
  worker:stop()
  self.env.MOIL_NAMESPACE = nil
  self.output = p:stdout()
  expect(self, step, self.output, expected)
end

function actions.config(self, step)
  local path = scratch(self, ".lua", step.text)
  run(self, step, { support.binary, "check", "--config", path, support.root .. "/tasks" })
end

function actions.c(self, step)
  local source = scratch(self, ".c", step.text)
  local program = source:gsub("%.c$", "")
  local sanitizer = os.getenv("SANITIZER") or ""
  run(self, step, { "sh", "-eu", "-c", table.concat({
    os.getenv("CC") or "cc", "-std=c11 -Wall -Wextra -Werror",
    sanitizer ~= "" and "-fsanitize=" .. sanitizer or "",
    "-I", support.root .. "/src/api", "-o", program, source, support.build .. "/libmoil.a",
    "$(pkg-config --libs hiredis uuid jansson lua5.4) -lev -lm -ldl -lpthread",
  }, " ") })
  run(self, step, { program })
end

function actions.output(self, step)
  if not self.output then fail(self, step, "no step before it printed anything") end
  expect(self, step, self.output, step.text)
end

function actions.diagram() end

-- Each command must stand in the file that runs it: comments and what `&&` joins are taken apart.
function actions.elsewhere(self, step)
  local text = support.read(support.root .. "/" .. step.argument)
  for line in step.text:gsub("%s+#[^\n]*", ""):gsub("&&", "\n"):gmatch("[^\n]+") do
    local command = line:match("^%s*(.-)%s*$")
    if command ~= "" and not text:find(command, 1, true) then
      fail(self, step, "'%s' does not stand in %s", command, step.argument)
    end
  end
end

---Runs one step; raises with the page and its line where it is not as the page says.
---@param step docs.Step
function session:run(step)
  actions[step.kind](self, step)
end

---Ends what the page started.
function session:close()
  for _, p in pairs { self.background, self.worker } do
    p:kill("TERM")
    p:wait(TIMEOUT)
  end
  if self.redis then self.redis:stop() end
end

return session

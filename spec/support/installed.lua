-- moil as `make install` puts it somewhere, for programs that are built with it.
--
--   local env = require("spec.support.installed").environment()
--   support.sh("cc -o a a.c $(pkg-config --cflags --libs moil) && ./a", { cwd = dir, env = env })

local support = require "spec.support"

local installed = {}

-- A cc that is this run's compiler, with its sanitizers: programs are linked as libmoil.so is.
local function make_compiler()
  local folder, sanitizer = support.tempdir(), os.getenv("SANITIZER") or ""
  local cc = os.getenv("CC") or "cc"
  local path = support.sh("command -v " .. cc).stdout:gsub("\n", "")
  local flags = sanitizer ~= "" and "-fsanitize=" .. sanitizer or ""
  support.write(folder .. "/cc", ('#!/bin/sh\nexec %s %s "$@"\n'):format(path, flags))
  assert(support.sh("chmod 755 " .. folder .. "/cc").code == 0)
  return folder
end

---Installs moil into a folder of this run's.
---@return table<string, string> environment PATH, PKG_CONFIG_PATH, LD_LIBRARY_PATH
---@return string prefix
function installed.environment()
  local prefix = support.tempdir() .. "/moil"
  local out = support.sh(("make --no-print-directory -s BUILD='%s' install PREFIX='%s'"):format(
    support.build, prefix), { timeout = 120 })
  assert(out.code == 0, out.stderr)
  return {
    PATH = make_compiler() .. ":" .. prefix .. "/bin:" .. os.getenv("PATH"),
    PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig",
    LD_LIBRARY_PATH = prefix .. "/lib",
  }, prefix
end

return installed

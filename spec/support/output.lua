-- busted's output handler for `make test`: prints what failed, and leaves the counts of a spec file
-- in the file that MOIL_SPEC_SUMMARY names, where .ci/specs adds them up. Ends what the file's
-- specs left running.

-- Loaded before any spec, as busted forgets what a spec file loads when that file ends.
local process = require "spec.support.process"

local function one_line(test)
  local trace = test.trace or {}
  return ("%s:%s: %s"):format(trace.short_src or "?", trace.currentline or "?", test.name)
end

local function print_failure(kind, test)
  io.write(kind, " ", one_line(test), "\n")
  local message = test.message
  if type(message) ~= "string" then message = require("pl.pretty").write(message) end
  io.write("  ", (message:gsub("\n", "\n  ")), "\n")
  if test.trace and test.trace.traceback and kind == "error" then
    io.write("  ", (test.trace.traceback:gsub("\n", "\n  ")), "\n")
  end
end

local function write_summary(handler, left)
  local path = os.getenv("MOIL_SPEC_SUMMARY")
  if not path then return end
  local failed = #handler.failures + #handler.errors + (#left > 0 and 1 or 0)
  local f = assert(io.open(path, "w"))
  f:write(("%d %d %d\n"):format(handler.successesCount, failed, handler.pendingsCount))
  f:close()
end

return function()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  function handler.suiteEnd()
    for _, test in ipairs(handler.pendings) do io.write("pending ", one_line(test), "\n") end
    for _, test in ipairs(handler.failures) do print_failure("failed", test) end
    for _, test in ipairs(handler.errors) do print_failure("error", test) end
    local left = process.finish()
    for _, name in ipairs(left) do io.write("left behind: ", name, "\n") end
    write_summary(handler, left)
    io.write(("%d passed, %d failed\n"):format(handler.successesCount,
      #handler.failures + #handler.errors + (#left > 0 and 1 or 0)))
    return nil, true
  end

  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end

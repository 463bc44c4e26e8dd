-- The command line in a folder with tasks and one worker, on a Redis of its own: what the specs of
-- the commands share.
--
--   local console = require("spec.support.console").new()
--   local done, refused = console.done, console.refused
--   setup(function() console.open(TASKS) end)
--   it("…", function() assert.equal("8", done { "call", "math.add", "4", "4", "--wait" }) end)

local assert = require "luassert"
local support = require "spec.support"

local console = {}

function console.new()
  local self = {}

  -- Starts it all. TASKS: the text of tasks/tasks.lua. Returns the server and the folder.
  function self.open(tasks)
    self.redis, self.dir = support.redis(), support.tempdir()
    support.sh("mkdir " .. self.dir .. "/tasks")
    support.write(self.dir .. "/tasks/tasks.lua", tasks)
    local worker = support.start_moil { "worker", "-w", "1", redis = self.redis, cwd = self.dir }
    worker:read_until("ready", 10)
    return self.redis, self.dir
  end

  -- Runs a command to its end, as support.moil does.
  function self.moil(args)
    args.redis, args.cwd = self.redis, args.cwd or self.dir
    return support.moil(args)
  end

  -- Expects 0 and no complaint, and returns its output without the last newline.
  function self.done(args)
    local out = self.moil(args)
    assert.equal(0, out.code, out.stderr)
    assert.equal("", out.stderr)
    return (out.stdout:gsub("\n$", ""))
  end

  -- Expects that code, and one line that says why.
  function self.refused(code, pattern, args)
    local out = self.moil(args)
    assert.equal(code, out.code, out.stderr)
    assert.equal("", out.stdout)
    assert.matches("^[^\n]+\n$", out.stderr)
    assert.matches(pattern, out.stderr)
  end

  -- What --json prints: an object a line.
  function self.json_lines(text)
    local rows = {}
    for line in text:gmatch("[^\n]+") do rows[#rows + 1] = support.json_decode(line) end
    return rows
  end

  return self
end

return console

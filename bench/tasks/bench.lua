-- The benchmark's tasks, served by every worker that bench/run starts.
local moil = require "moil"

moil.task("bench.noop", function() end)

moil.task("bench.quiet", { ignore_result = true }, function() end)

moil.task("bench.nap", function()
  moil.sleep(0.1)
end)

moil.task("bench.count", function(list) return #list end)

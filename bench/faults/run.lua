-- What moil does under faults and limits, in figures:
--   run.lua [--quick] [--only NAME]... [--json FILE]
--
-- Called by `make bench-faults` from the top of the tree. Each workload is a module beside this
-- one. Every workload has a private Redis and nodes of its own.
require "spec.support.paths"

require("bench.support.rows").main("bench.faults",
  { "spin", "alone", "recovery", "hog", "flat", "reload" }, arg, "bench-faults.json")

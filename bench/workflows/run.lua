-- Delays and workflows in figures:
--   run.lua [--quick] [--only NAME]... [--json FILE]
--
-- Called by `make bench-workflows` from the top of the tree. Each workload is a module beside this
-- one, with a private Redis and workers of its own (world.lua).
require "spec.support.paths"

require("bench.support.rows").main("bench.workflows", { "delays", "chord", "chains" }, arg,
  "bench-workflows.json")

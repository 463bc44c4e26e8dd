-- A short run of chaos (`make chaos` for long ones): a fixed seed, so that each change is held
-- against the same deeds, and one from the clock, as what they meet differs anyhow.

local run = require "spec.chaos.run"

local SECONDS <const> = 4

describe("chaos", function()
  for name, seed in pairs { ["of a fixed seed"] = 1, ["of a new seed"] = os.time() } do
    it(name .. " loses nothing and leaves nothing", function()
      local faults, timeline = run.go(seed, SECONDS)
      local text = ("make chaos SEED=%d SECONDS=%d\nwhat was done:\n%s\nfaults:\n%s"):format(seed,
        SECONDS, timeline, table.concat(faults, "\n", 1, math.min(#faults, 20)))
      assert.equal(0, #faults, text)
    end)
  end
end)

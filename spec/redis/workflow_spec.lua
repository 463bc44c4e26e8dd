-- workflow.lua: the nodes of a workflow, with their states.

local world = require "spec.redis.world"

describe("workflow", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("tells the state of each node as inspect would", function()
    local lines = { "z" }
    for _, id in ipairs { "z", "gone", "later", "waits", "runs", "own", "ended" } do
      lines[#lines + 1] = id .. " job - t"
    end
    w:accept { nodes = { { "z", plan = "1" }, { "later", plan = "0 +60000" }, { "ended" },
      { "runs" }, { "own" }, { "waits" } }, lines = { lines } }
    w:run("ended", false)
    w:fetch(2)
    w:eval("progress", w.worker, 0, "own", "LOADING w 1\n")
    assert.same({ 7, "z job - t", "DEFERRED", "gone job - t", "UNKNOWN", "later job - t",
      "SCHEDULED", "waits job - t", "PENDING", "runs job - t", "STARTED", "own job - t", "LOADING",
      "ended job - t", "FAILURE" }, w:eval("workflow", "z", 0, 250))
    assert.same({ 7, "gone job - t", "UNKNOWN" }, w:eval("workflow", "z", 1, 1))
    assert.same({ 7 }, w:eval("workflow", "z", 7, 250))
    assert.is_nil(w:eval("workflow", "nobody", 0, 250))
  end)
end)

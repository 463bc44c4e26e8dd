-- The agent's signs of life, and what becomes of an agent that gives none.

local support = require "spec.support"
local super_node = require "spec.support.super_node"
local silences = support.units.super.silences

describe("the pulse", function()
  it("is silent when the last beat is long ago", function()
    assert.same({ 0, 0, 0, 5100, 0 }, { silences(5000, 1000,
      { 2000, 2100 }, { 0, 4000 }, { 0, 5900 }, { 0, 7100 }, { 7150, 7200 }) })
  end)

  it("counts from the agent's start where there was no beat of its own", function()
    assert.same({ 0, 0, 0, 5100 }, { silences(5000, 10000,
      { 3000, 10100 }, { 0, 12000 }, { 0, 14000 }, { 0, 15100 }) })
  end)

  it("counts anew where nobody looked for long, as everybody may have stood still", function()
    assert.same({ 0, 0, 0, 0, 0, 65000 }, { silences(5000, 1000,
      { 2000, 2000 }, { 0, 62000 }, { 0, 63500 }, { 0, 65000 }, { 0, 66500 }, { 0, 67000 }) })
  end)

  it("may be nobody's business", function()
    assert.same({ 0, 0 }, { silences(0, 1000, { 0, 2000 }, { 0, 3000 }) })
  end)
end)

describe("an agent that falls silent", function()
  it("is killed, and another one started at once", function()
    local flag = support.tempdir() .. "/flag"
    local node = super_node.start_ready { workers = 1, silence = 1000,
      agent = "ready,pulse,once:" .. flag .. ",silent" }
    super_node.wait_for_start(node, "agent0", 2)
    local pid = super_node.pids_of(node, "agent0")[1]
    assert.matches("agent %(pid " .. pid .. "%) is killed: it has been silent for %d+%.%d s",
      node:stderr())
    assert.matches("next try in 0.1 s", node:stderr())
    assert.equal(1, #super_node.pids_of(node, "worker1"))
    assert.equal(0, (node:stop(super_node.BY)))
  end)
end)

-- docs/examples.md lists what is in examples/, all of it.

local support = require "spec.support"

it("docs/examples.md lists every example, and no other", function()
  local listed, there = {}, {}
  for name in support.read("docs/examples.md"):gmatch("%]%(%.%./examples/([^)]+)%)") do
    listed[#listed + 1] = name
  end
  for name in io.popen("ls examples"):lines() do there[#there + 1] = name end
  table.sort(listed)
  table.sort(there)
  assert.same(there, listed)
end)

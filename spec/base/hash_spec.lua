local support = require "spec.support"
local hash = support.units.base.hash

describe("hash", function()
  it("looks at every byte and at the length", function()
    local seen = {}
    for n = 0, 40 do
      local zeros = ("\0"):rep(n)
      assert.is_nil(seen[hash(zeros)])
      seen[hash(zeros)] = true
      for i = 1, n do
        local other = zeros:sub(1, i - 1) .. "\1" .. zeros:sub(i + 1)
        assert.is_nil(seen[hash(other)])
        seen[hash(other)] = true
      end
    end
  end)

  it("spreads ids and numbered names evenly, in its low bits too", function()
    for _, name_of in ipairs { support.units.base.id, function(i) return "task." .. i end } do
      local buckets, most = {}, 0
      for i = 1, 8192 do
        local b = hash(name_of(i)) % 1024
        buckets[b] = (buckets[b] or 0) + 1
        most = math.max(most, buckets[b])
      end
      assert.is_true(most < 30) -- 8 on average; over 29 once in a billion tries
    end
  end)
end)

-- The keys that C blocks on: src/queue/keys.c.

local queue = require("spec.support").units.queue

describe("keys", function()
  it("share the namespace's hash tag", function()
    assert.same({ "{moil}:", "{moil}:wake:high", "{moil}:inbox:high", "{moil}:tick" },
      { queue.keys("moil", "high") })
  end)

  it("take a namespace of 1 to 64 printable characters without space and braces", function()
    assert.equal("{" .. ("n"):rep(64) .. "}:", (queue.keys(("n"):rep(64), "q")))
    assert.equal("{a:b/c}:", (queue.keys("a:b/c", "q")))
    for _, name in ipairs { "", ("n"):rep(65), "a b", "a{b", "a}b", "a\nb", "ä", "\127" } do
      assert.is_nil((queue.keys(name, "q")))
    end
  end)
end)

local support = require "spec.support"
local json = support.units.base.json

describe("a JSON string", function()
  it("leaves plain text alone, at every length and place", function()
    for n = 0, 40 do
      local text = ("abcdefgh ~}{'/"):rep(3):sub(1, n)
      assert.equal('"' .. text .. '"', json(text))
    end
  end)

  it("escapes quotes, backslashes and control characters wherever they stand", function()
    for n = 0, 20 do
      local before, after = ("a"):rep(n), ("b"):rep(20 - n)
      assert.equal('"' .. before .. '\\"' .. after .. '"', json(before .. '"' .. after))
      assert.equal('"' .. before .. "\\\\" .. after .. '"', json(before .. "\\" .. after))
      assert.equal('"' .. before .. "\\u0000" .. after .. '"', json(before .. "\0" .. after))
      assert.equal('"' .. before .. "\\n" .. after .. '"', json(before .. "\n" .. after))
    end
    assert.equal([["\b\t\n\f\r\u001f]] .. '\127"', json("\b\t\n\f\r\31\127"))
  end)

  it("keeps UTF-8", function()
    local edges = "\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"
    for _, text in ipairs { "é", "€", "日本語", "😀", edges } do
      assert.equal('"' .. text .. '"', json(text))
      assert.equal('"12345678' .. text .. 'x"', json("12345678" .. text .. "x"))
    end
  end)

  it("replaces what is not UTF-8", function()
    local fffd = "\u{fffd}"
    local cases = {
      ["\xff"] = fffd,
      ["a\x80b"] = "a" .. fffd .. "b",
      ["\xc0\x80"] = fffd .. fffd, -- overlong
      ["\xed\xa0\x80"] = fffd:rep(3), -- a surrogate
      ["\xf4\x90\x80\x80"] = fffd:rep(4), -- past U+10FFFF
      ["\xe2\x82"] = fffd .. fffd, -- cut off
      ["\xe2\x82x"] = fffd .. fffd .. "x",
    }
    for text, expected in pairs(cases) do assert.equal('"' .. expected .. '"', json(text)) end
  end)

  it("agrees with Lua's own idea of UTF-8 on random bytes", function()
    math.randomseed(20261120)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(0, 24) do
        local is_high = math.random(1, 4) == 1
        bytes[i] = string.char(is_high and math.random(128, 255) or math.random(32, 126))
      end
      local text = table.concat(bytes)
      local out = json(text)
      assert.is_truthy(utf8.len(out))
      if utf8.len(text) then assert.equal(text, support.json_decode(out)) end
    end
  end)
end)

-- src/vm/json_encode.c, json_decode.c, utf8.c: against jansson as an oracle, and by hand where it
-- has no say.

local json = require("spec.support").units.json
local opened = json.open()
local null, object_meta = opened.null, opened.object_meta

local function object(t) return setmetatable(t or {}, object_meta) end

local function decode(text)
  local ok, value = json.decode(text)
  assert(ok, value)
  return value
end

local function round(value) return decode(assert(json.encode(value))) end

describe("writing", function()
  it("keeps integers, floats and their difference", function()
    assert.equal("4", json.encode(4))
    assert.equal("4.0", json.encode(4.0))
    assert.equal("-0.0", json.encode(-0.0))
    assert.equal("9007199254740993", json.encode(2 ^ 53 // 1 | 1))
    assert.equal("9223372036854775807", json.encode(math.maxinteger))
    assert.equal("-9223372036854775808", json.encode(math.mininteger))
    assert.equal("0.1", json.encode(0.1))
    assert.equal("1e+300", json.encode(1e300))
    assert.equal("0.30000000000000004", json.encode(0.1 + 0.2))
  end)

  it("tells empty arrays, empty objects and null apart", function()
    assert.equal("[]", json.encode {})
    assert.equal("{}", json.encode(object {}))
    assert.equal("null", json.encode(nil))
    assert.equal("[null,1]", json.encode { null, 1 })
    assert.equal('{"a":null}', json.encode { a = null })
    assert.equal('{"a":1}', json.encode(object { a = 1 }))
  end)

  it("writes arrays whatever the order in which their elements came", function()
    local t = {}
    for i = 50, 1, -1 do t[i] = i end
    local expected = {}
    for i = 1, 50 do expected[i] = tostring(i) end
    assert.equal("[" .. table.concat(expected, ",") .. "]", json.encode(t))
    assert.equal('{"1":"text"}', json.encode { ["1"] = "text" })
  end)

  it("keeps NUL bytes, quotes and control characters in strings and names", function()
    local s = "a\0b\"\\\n\t\1\127/é€😀"
    assert.equal(s, round(s))
    assert.equal(1, round({ [s] = 1 })[s])
    assert.equal('"a\\u0000b"', json.encode "a\0b")
  end)

  it("stops as soon as the text passes its bound", function()
    local shared = {}
    for i = 1, 1000 do shared[i] = ("x"):rep(1000) end
    for _ = 1, 100 do shared = { shared, shared } end -- 2^100 strings
    assert.equal("too large: 5000", select(2, json.encode(shared, 5000)):gsub("50%d%d", "5000"))
    assert.matches("^too large: 10%d%d$", select(2, json.encode_args({ ("x"):rep(1e6) }, 1, 1000)))
    assert.equal('"abc"', json.encode("abc", 5))
    assert.matches("too large", select(2, json.encode("abc", 4)))
    assert.equal("[1,2]", json.encode_args({ 1, 2 }, 2, 5))
    assert.matches("too large", select(2, json.encode_args({ 1, 2 }, 2, 4)))
    assert.matches("too large", select(2, json.encode({ 1, 2 }, 4)))
  end)

  it("starts over at most once for arrays within arrays", function()
    local t, expected = { 0 }, "[0]"
    for _ = 1, 40 do -- 2^40, were each level written twice
      t = { t, [3] = 3, [2] = 2 }
      expected = "[" .. expected .. ",2,3]"
    end
    assert.equal(expected, json.encode(t))
  end)

  it("names the place of what cannot be JSON", function()
    local function wrong(value)
      local text, message = json.encode(value)
      assert.is_nil(text)
      return message
    end
    assert.equal("value: a function cannot be JSON", wrong(print))
    assert.equal("value.items[3]: a function cannot be JSON", wrong { items = { 1, 2, print } })
    assert.equal("value.a.b[1][\"c d\"]: NaN cannot be JSON",
      wrong { a = { b = { { ["c d"] = 0 / 0 } } } })
    assert.equal("value[1]: an infinite number cannot be JSON", wrong { math.huge })
    assert.equal("value[1]: an infinite number cannot be JSON", wrong { -math.huge })
    assert.equal("value: a userdata cannot be JSON", wrong(io.stdout))
    assert.equal("value: a thread cannot be JSON", wrong(coroutine.create(print)))
    assert.equal("value.x: a string that is not valid UTF-8 cannot be JSON", wrong { x = "\xff" })
    assert.equal("value: a boolean cannot be a key in JSON", wrong { [true] = 1 })
    local mixed = "value.t: a table with both names and numbers (or with gaps) as keys "
      .. "cannot be JSON"
    assert.equal(mixed, wrong { t = { 1, 2, x = 3 } })
    assert.equal(mixed, wrong { t = { [1] = 1, [3] = 3 } })
    assert.equal(mixed, wrong { t = { [0] = 1 } })
    assert.equal(mixed, wrong { t = { [1.5] = 1 } })
    assert.equal(mixed, wrong { t = object { 1 } })
  end)

  it("refuses cycles and depth, and allows the same table twice", function()
    local loop = { list = {} }
    loop.list[1] = loop
    assert.equal("value.list[1]: a table that contains itself cannot be JSON",
      select(2, json.encode(loop)))
    local shared = { 1 }
    assert.equal("[[1],[1]]", json.encode { shared, shared })
    local deep = 1
    for _ = 1, 128 do deep = { deep } end
    assert.is_string(json.encode(deep))
    assert.matches("more than 128 levels of tables cannot be JSON$", select(2,
      json.encode { deep }))
  end)

  it("writes positional arguments with their nils, and counts them in messages", function()
    assert.equal("[1,null,null]", json.encode_args({ 1 }, 3))
    assert.equal("[]", json.encode_args({ 1 }, 0))
    assert.equal("argument 2.items[3]: a function cannot be JSON",
      select(2, json.encode_args({ 1, { items = { 1, 2, print } } }, 2)))
  end)

  it("does not look at metamethods", function()
    local t = setmetatable({ 1 }, { __index = error, __pairs = error, __len = error })
    assert.equal("[1]", json.encode(t))
  end)
end)

describe("reading", function()
  it("keeps integers, floats and their difference", function()
    assert.equal("integer", math.type(decode "4"))
    assert.equal("float", math.type(decode "4.0"))
    assert.equal("float", math.type(decode "1e2"))
    assert.equal(math.mininteger, decode "-9223372036854775808")
    assert.equal(math.maxinteger, decode "9223372036854775807")
    assert.equal(9007199254740993, decode "9007199254740993")
    assert.equal(1 / -math.huge, decode "-0.0")
    assert.equal(0.1, decode("0.1" .. ("0"):rep(100)))
  end)

  it("gives null, empty arrays and empty objects back as they were", function()
    for _, text in ipairs { "[]", "{}", "null", "[null]", '{"a":{}}', '{"a":[]}', "[[],{}]" } do
      assert.equal(text, json.encode(decode(text)))
    end
    assert.equal(null, decode "null")
  end)

  it("resolves escapes", function()
    assert.equal("\"\\/\b\f\n\r\té€😀\0",
      decode [["\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00\u0000"]])
  end)

  it("pushes positional arguments, null as nil", function()
    local function args(text) return table.pack(json.decode_args(text)) end
    assert.same({ n = 1, 0 }, args "[]")
    assert.same({ n = 1, 0 }, args " [ ] ")
    assert.same({ n = 4, 3, 1, nil, nil }, args "[1,null,null]")
    assert.same({ n = 3, 2, "a", { 1 } }, args '["a", [1]]')
    for _, text in ipairs { "", "{}", "[1", "[1,]", "[1]x", "[nul]", "1" } do
      assert.is_nil(json.decode_args(text))
    end
    local many = {}
    for i = 1, 1000 do many[i] = i end
    assert.equal(1000, (json.decode_args(json.encode(many))))
    for i = 1, 2000 do many[i] = "[1," .. i .. "]" end
    assert.equal(2000, (json.decode_args("[" .. table.concat(many, ",") .. "]")))
  end)

  it("refuses what is not JSON, saying where", function()
    local function wrong(text)
      local ok, message = json.decode(text)
      assert.is_false(ok, text)
      return message
    end
    assert.equal("invalid JSON at byte 20: an integer past 64 bits", wrong "9223372036854775808")
    assert.equal("invalid JSON at byte 21: an integer past 64 bits", wrong "-9223372036854775809")
    assert.equal("invalid JSON at byte 6: a number past the range of floats", wrong "1e999")
    assert.equal("invalid JSON at byte 3: an array without ',' or ']' behind a value", wrong "[1")
    assert.equal("invalid JSON at byte 1: an early end", wrong "")
    assert.equal("invalid JSON at byte 3: more behind the value", wrong "1 2")
    assert.equal("invalid JSON at byte 2: more behind the value", wrong "1\0")
    assert.matches("more than 128 levels", wrong(("["):rep(130)))
    assert.matches("more than 128 levels", wrong(('{"a":'):rep(130)))
    assert.is_true(json.decode(("["):rep(128) .. ("]"):rep(128)))
  end)

  it("refuses a wrong escape in a long string at any depth of the Lua stack", function()
    for depth = 0, 128 do
      local long = ("["):rep(depth) .. '"' .. ("\\n"):rep(1000) .. '\\q"'
      coroutine.wrap(function() -- a stack of its own, which grows anew each time
        local ok, message = json.decode(long)
        assert.is_false(ok)
        assert.matches("an unknown escape in a string", message)
      end)()
    end
  end)

  it("accepts and refuses what jansson does", function()
    local cases = {
      "01", "-", "-a", "+1", "1.", ".5", "1e", "1e+", "1E5", "0x10", "nan", "Infinity", "tru",
        "nulll", "[1,]", "[,1]",
      '{"a"}', '{"a":}', '{a:1}', "{'a':1}", '{"a":1,}', '{"a":1 "b":2}', '"\\x"', '"\\u12"',
        '"\\ud800"', '"\\udc00"',
      '"\\ud800\\u0041"', '"\\ud83d\\ude00"', '"a\nb"', '"\t"', '"abc', '"abc\\', '"abc\\"',
        "[1]]", "1 ", " 1", "\t\n\r1",
      "\f1", "\xef\xbb\xbf1", '"\xff"', '"\xc0\xaf"', '"\xed\xa0\x80"', '"\xf4\x90\x80\x80"',
        '"\xf4\x8f\xbf\xbf"', '"\xe2\x82"',
      "/**/1", "[1//\n]", '{"a":1,"a":2}', "-0", "-0.0e-0", "1e-400", "[[[[1]]]]", "\0", '"\0"',
        "[]", "{}", "true",
      "false", '"\\/"', "1e5", "123456789012345678901234567890", "0.1e1", "--1", "[1 2]",
        '["a":1]', '"\\u0000"', "",
      " ", "[", "{", '{"', '{"a":[', "nul", "True",
    }
    for _, text in ipairs(cases) do
      assert.equal(json.oracle_valid(text), (json.decode(text)), ("%q"):format(text))
    end
  end)
end)

-- --- properties
-- ------------------------------------------------------------------------------------------------

local function random_string()
  local parts = {}
  for i = 1, math.random(0, 12) do
    local kind = math.random(6)
    local c = kind == 1 and math.random(0, 31) or kind == 2 and math.random(128, 0xd7ff)
      or kind == 3 and math.random(0x10000, 0x10ffff) or math.random(32, 127)
    parts[i] = utf8.char(c)
  end
  return table.concat(parts)
end

local function random_value(depth)
  local kind = math.random(depth > 5 and 7 or 10)
  if kind == 1 then return math.random(0)
  elseif kind == 2 then return math.random(-100, 100)
  elseif kind == 3 then return (math.random() - 0.5) * 10 ^ math.random(-20, 20)
  elseif kind == 4 then return math.random() < 0.5
  elseif kind == 5 then return null
  elseif kind <= 7 then return random_string() end
  local t = {}
  if kind == 8 then
    for i = 1, math.random(0, 6) do t[i] = random_value(depth + 1) end
    return t
  end
  for _ = 1, math.random(0, 6) do t[random_string():gsub("%z", "0")] = random_value(depth + 1) end
  return next(t) == nil and object(t) or t
end

local function same(a, b)
  if a == b then return math.type(a) == math.type(b) end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return getmetatable(a) == getmetatable(b)
end

describe("any value", function()
  it("comes back as it went, by text that jansson reads the same", function()
    math.randomseed(42)
    for _ = 1, 2000 do
      local value = random_value(0)
      local text = assert(json.encode(value))
      local back = decode(text)
      assert.is_true(same(value, back), text)
      assert.is_true(json.oracle_equal(text, assert(json.encode(back))), text)
    end
  end)

  it("damaged, is read or refused as jansson does, and never crashes", function()
    math.randomseed(43)
    for _ = 1, 5000 do
      local text = assert(json.encode(random_value(3)))
      for _ = 1, math.random(3) do
        local at = math.random(#text)
        local kind = math.random(3)
        local c = kind == 1 and "" or kind == 2 and string.char(math.random(0,
          255)) or ('[]{}",:\\0e.-'):sub(math.random(12)):sub(1, 1)
        text = text:sub(1, at - 1) .. c .. text:sub(at + 1)
        if text == "" then break end
      end
      local ok, value = json.decode(text)
      -- jansson refuses NUL in names; we keep it.
      if not text:find("\\u0000", 1, true) then
        assert.equal(json.oracle_valid(text), ok, ("%q %s"):format(text, tostring(value)))
      end
      if ok then assert.is_string(json.encode(value)) end
    end
  end)
end)

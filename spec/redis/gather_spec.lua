-- gather.lua: a page of the members of a group.

local world = require "spec.redis.world"

describe("gather", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  local function group(count)
    local nodes, members = { { "g", plan = tostring(count), task = "moil.group" } }, { "g" }
    for i = 1, count do
      nodes[i + 1] = { "m" .. i, links = "mAg " }
      members[i + 1] = "m" .. i
    end
    w:accept { nodes = nodes, members = { members } }
  end

  it("tells states and values in the order of the group", function()
    group(4)
    assert.same({ "m1", "m2", "m3", "m4" }, w:fetch(4))
    w:finish("m3", "[3]")
    w:finish "m1"
    w:finish("m2", false, { value = '{"code":"E"}' })
    local expected = { 4, 1, "m1", "UNKNOWN", "", "m2", "FAILURE", '{"code":"E"}',
      "m3", "SUCCESS", "[3]", "m4", "PENDING", "" }
    assert.same(expected, w:eval("gather", "g", 0, 250, "v"))
    for i = 5, #expected, 3 do expected[i] = "" end
    assert.same(expected, w:eval("gather", "g", 0, 250, "s"))
    assert.same({ 4, 1, "m2", "FAILURE", '{"code":"E"}', "m3", "SUCCESS", "[3]" },
      w:eval("gather", "g", 1, 2, "v"))
    assert.same({ 4, 1 }, w:eval("gather", "g", 4, 250, "v"))
  end)

  it("names a group among the members", function()
    w:accept { nodes = { { "g", plan = "2", task = "moil.group" },
      { "h", plan = "1", task = "moil.group", links = "mFg " }, { "a", links = "mFh " },
      { "b", links = "mFg " } }, members = { { "g", "h", "b" }, { "h", "a" } } }
    assert.same({ "h", "GROUP", "" }, { select(3, table.unpack(w:eval("gather", "g", 0, 1, "v"))) })
    w:run("a", "1")
    assert.equal("SUCCESS", (w:ended "h"))
    assert.same({ "h", "GROUP", "" }, { select(3, table.unpack(w:eval("gather", "g", 0, 1, "v"))) })
  end)

  it("puts values together for the job that gets them", function()
    group(4)
    w:fetch(4)
    w:finish("m3", "[3]")
    w:finish "m1"
    w:finish("m2", false, { value = '{"code":"E"}' })
    local unknown = '{"error":{"code":"UnknownJob",'
      .. '"message":"the result of the member m1 is not kept any more"}}'
    assert.same({ 4, 1, 4, unknown .. ',{"error":{"code":"E"}},[3],null', "" },
      w:eval("gather", "g", 0, 250, "j"))
    assert.same({ 4, 1, 1, '{"error":{"code":"E"}}', "" }, w:eval("gather", "g", 1, 1, "j"))
    assert.same({ 4, 1, 0, "", "" }, w:eval("gather", "g", 4, 250, "j"))
  end)

  it("ends a page of values at a group", function()
    w:accept { nodes = { { "g", plan = "3", task = "moil.group" },
      { "h", plan = "1", task = "moil.group", links = "mFg " }, { "a", links = "mFh " },
      { "b", links = "mFg " }, { "c", links = "mFg " } },
      members = { { "g", "b", "h", "c" }, { "h", "a" } } }
    w:run("a", "1")
    w:run("b", '" moil.group "')
    assert.same({ 3, 1, 2, '" moil.group "', "h" }, w:eval("gather", "g", 0, 250, "j"))
    assert.same({ 3, 1, 1, "null", "" }, w:eval("gather", "g", 2, 250, "j"))
  end)

  it("stops a page after a megabyte, and never before its first member", function()
    group(60)
    for _, id in ipairs(w:fetch(60)) do
      w:finish(id, '"' .. ("x"):rep(200000) .. '"')
    end
    local from, pages = 0, 0
    while from < 60 do
      local reply = w:eval("gather", "g", from, 250, "v")
      local count = (#reply - 2) // 3
      assert.is_true(count >= 1 and count < 60)
      assert.equal("m" .. from + 1, reply[3])
      from, pages = from + count, pages + 1
    end
    assert.is_true(pages >= 3)
  end)

  it("reads no more than that for the states alone, of those that wait too", function()
    local nodes, members = { { "g", plan = "60", task = "moil.group" } }, { "g" }
    for i = 1, 60 do
      nodes[i + 1] = { "m" .. i, links = "mAg ", args = '["' .. ("x"):rep(200000) .. '"]' }
      members[i + 1] = "m" .. i
    end
    w:accept { nodes = nodes, members = { members } }
    for _, id in ipairs(w:fetch(30)) do w:finish(id, '"' .. ("x"):rep(200000) .. '"') end
    for _, what in ipairs { "s", "t" } do
      for _, from in ipairs { 0, 25, 40 } do
        local reply = w:eval("gather", "g", from, 250, what)
        assert.equal(6, (#reply - 2) // 3)
        assert.equal("m" .. from + 1, reply[3])
      end
    end
  end)

  it("knows no group that is none", function()
    assert.is_nil(w:eval("gather", "nobody", 0, 250, "v"))
  end)
end)

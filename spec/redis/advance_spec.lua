-- advance.lua: what was more than one script may do at once.

local world = require "spec.redis.world"

describe("advance", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function()
    w:check()
    w:balance()
  end)

  local function settled()
    assert.same({ {}, {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred",
      w:hash "faults" })
    assert.equal(0, w:key("EXISTS", "advancing"))
  end

  -- Accepts a workflow of any size, and unfolds it.
  local function accept(parts)
    local count = 0
    for i = 1, #parts.nodes, 250 do
      count = count + 1
      local batch = { nodes = { table.unpack(parts.nodes, i, math.min(i + 249, #parts.nodes)) } }
      if i == 1 then batch.members, batch.parts = parts.members, parts.parts end
      w:eval("stage", "T", count, table.unpack(world.batch(batch)))
    end
    w:eval("accept", "T", parts.nodes[1][1], count)
    w:advance()
  end

  -- Members of a group with these links and plan.
  local function members(nodes, count, links, plan)
    local list = { "g" }
    for i = 1, count do
      nodes[#nodes + 1] = { "m" .. i, plan = plan, links = links }
      list[i + 1] = "m" .. i
    end
    return { list }
  end

  -- Ends what is ready, until nothing is.
  local function drain()
    repeat
      local ids, group = w:fetch(250), { minute = 5 }
      for i, id in ipairs(ids) do
        group[i] = { id, world.outcome { minute = 5, value = '"' .. id .. '"' } }
      end
      if #ids > 0 then w:settle { ended = { group } } end
    until #ids == 0
  end

  it("has nothing to do where nothing is left", function()
    assert.equal(0, w:eval("advance", 250))
  end)

  it("fails the rest of a chain of 2,000, a part a call", function()
    local nodes = {}
    for i = 2000, 2, -1 do
      nodes[#nodes + 1] = { "j" .. i, plan = "1", links = i < 2000 and "sFj" .. i + 1 .. " " or "" }
    end
    nodes[#nodes + 1] = { "j1", links = "sFj2 " }
    accept { nodes = nodes }
    w:run("j1", false)
    local _, calls = w:key("LLEN", "advancing"), 0
    repeat
      local before = tonumber(w:hash("counters:default").FAILURE)
      local left = w:eval("advance", 250)
      calls = calls + 1
      assert.is_true(w:hash("counters:default").FAILURE - before <= 260)
      w:check()
    until left == 0
    assert.is_true(calls >= 7)
    assert.equal("2000", w:hash("counters:default").FAILURE)
    local _, value = w:ended "j2000"
    assert.matches('"dependency":"j1"', value, 1, true)
    settled()
  end)

  it("starts the 1,000 members of a group with one result", function()
    local nodes = { { "body", plan = "1", links = "u-g " },
      { "g", plan = "1000", task = "moil.group", links = "nFbody " } }
    local groups = members(nodes, 1000, "hFg ", "1")
    nodes[#nodes + 1] = { "a", links = "SFg w-g " }
    accept { nodes = nodes, members = groups }
    w:run("a", "7", { minute = 5 })
    assert.is_true(w:key("LLEN", "queue:default:5") <= 500)
    assert.same({ 0, 1 }, w:eval("sweep", 10, 10)) -- its result is held until all have it
    assert.same({ "SUCCESS", "7" }, { w:ended "a" })
    w:advance()
    assert.equal(1000, w:key("LLEN", "queue:default:5"))
    for _, id in ipairs { "m1", "m500", "m1000" } do assert.equal("[7]", w:args(id)) end
    drain()
    w:advance()
    drain()
    w:advance()
    assert.equal("SUCCESS", (w:ended "body"))
    settled()
    local minute = w:now_ms() // 60000
    local expiring = 0
    for at = minute, minute + 1 do expiring = expiring + w:key("LLEN", "expire:" .. at) end
    assert.equal(1000, expiring) -- let go; their own minute has passed
  end)

  it("passes on a result that nobody keeps, and that its owner deletes", function()
    for _, deletes in ipairs { true, false } do
      w:reset()
      local nodes = { { "g", plan = "1000", task = "moil.group" } }
      local groups = members(nodes, 1000, "mAg ", "1")
      nodes[#nodes + 1] = { "a", links = "SFg " }
      accept { nodes = nodes, members = groups }
      if deletes then
        w:run("a", "7")
        w:eval("forget", "a")
      else
        w:run "a"
      end
      w:advance()
      assert.equal(deletes and "[7]" or "[null]", w:args "m1")
      if deletes then
        assert.equal("FAILURE", (w:ended "m1000"))
      else
        assert.equal("[null]", w:args "m1000")
      end
      drain()
      w:advance()
      assert.equal("SUCCESS", (w:ended "g"))
      settled()
    end
  end)

  it("fails 1,000 members", function()
    local nodes = { { "body", plan = "1", links = "u-g w-body " },
      { "g", plan = "1000", task = "moil.group", links = "nFbody " } }
    local groups = members(nodes, 1000, "hFg ", "1")
    nodes[#nodes + 1] = { "a", links = "NFg " }
    accept { nodes = nodes, members = groups }
    w:run("a", false)
    w:advance()
    assert.equal("1003", w:hash("counters:default").FAILURE)
    settled()
  end)

  it("revokes 1,000 members, but for those that run", function()
    local nodes = { { "g", plan = "1000", task = "moil.group" } }
    local groups = members(nodes, 1000, "mRg ")
    accept { nodes = nodes, members = groups }
    local running = w:fetch(3)
    w:finish(running[2], false)
    w:advance()
    assert.equal("997", w:hash("counters:default").REVOKED)
    assert.equal("inflight worker-1", w:place(running[1]))
    repeat until #w:fetch(250) == 0
    assert.equal(2, w:key("SCARD", "inflight:worker-1"))
    w:finish(running[1], "1")
    w:finish(running[3], "1")
    settled()
  end)

  it("revokes all that a workflow is made of, what waits before what it waits for", function()
    local nodes = { { "last", plan = "1" }, { "g", plan = "400", task = "moil.group",
      links = "nFlast " } }
    local groups, parts, first = members(nodes, 400, "mRg "), { "g" }, {}
    for i = 1, 400 do
      local node = table.remove(nodes)
      node.plan, parts[i + 1] = "1", "p" .. i
      first[i] = { "p" .. i, links = "sF" .. node[1] .. " " }
      table.insert(nodes, 3, node)
    end
    table.move(first, 1, #first, #nodes + 1, nodes)
    table.remove(parts, 1)
    accept { nodes = nodes, members = groups,
      parts = { { "last", "g" }, { "g", table.unpack(parts) } } }
    local running = w:fetch(2)
    assert.equal("REVOKED", w:eval("revoke", "last", "{}", 60, 0))
    assert.is_true(w:key("LLEN", "advancing") > 0)
    w:advance()
    assert.equal("800", w:hash("counters:default").REVOKED)
    assert.is_nil(w:hash("counters:default").FAILURE)
    assert.equal("STARTED", w:eval("revoke", running[1], "{}", 60, 1))
    assert.equal("REVOKED", w:eval("revoke", "last", "{}", 60, 1))
    w:advance()
    local told = w:key("LRANGE", "inbox:worker-1", 0, -1)
    assert.same({ "K" .. running[1] .. "\n", "K" .. running[1] .. "\n", "K" .. running[2] .. "\n" },
      told)
    repeat until #w:fetch(250) == 0
    for _, id in ipairs(running) do w:finish(id, "1") end
    settled()
  end)

  local large <const> = '"' .. ("x"):rep(200000) .. '"'

  -- Ends the first `count` jobs that are ready with a large result.
  local function finish_large(count)
    for _, id in ipairs(w:fetch(count)) do w:finish(id, large) end
  end

  -- How many items of this kind are left, and where the first of them goes on.
  local function left(kind)
    local items = w:key("LRANGE", "advancing", 0, -1)
    assert.equal(1, #items)
    return tonumber(items[1]:match("^" .. kind .. " (%d+) g$"))
  end

  it("lets a page of large results go at once, and no more", function()
    local nodes = { { "body", plan = "1", links = "u-g " },
      { "g", plan = "60", task = "moil.group", links = "nFbody " } }
    local groups = members(nodes, 60, "hFg ")
    accept { nodes = nodes, members = groups }
    finish_large(60)
    w:run("body", "1")
    assert.equal(6, left "u")
    w:eval("advance", 250)
    assert.equal(12, left "u")
    w:advance()
    settled()
  end)

  it("looks at a page of large results for whom to revoke, and no more", function()
    local nodes = { { "g", plan = "70", task = "moil.group" } }
    local groups = members(nodes, 70, "mRg ")
    accept { nodes = nodes, members = groups }
    finish_large(60)
    w:run("m61", false)
    assert.equal(6, left "x")
    w:advance()
    assert.equal("9", w:hash("counters:default").REVOKED)
    repeat until #w:fetch(250) == 0
    settled()
  end)

  it("counts those that it looks at, however many need nothing", function()
    local nodes = { { "g", plan = "2000", task = "moil.group" } }
    local groups = members(nodes, 2000, "mRg ")
    accept { nodes = nodes, members = groups }
    for _ = 1, 8 do
      local group = { minute = 5 }
      for i, id in ipairs(w:fetch(250)) do
        if id ~= "m2000" then group[i] = { id, world.outcome { minute = 5 } } end
      end
      w:settle { ended = { group } }
    end
    w:finish("m2000", false)
    assert.is_true(left "x" <= 500)
    assert.is_true(w:advance() >= 3)
    settled()
  end)

  it("passes a large result to a few at once", function()
    local nodes = { { "g", plan = "60", task = "moil.group" } }
    local groups = members(nodes, 60, "mFg ", "1")
    nodes[#nodes + 1] = { "a", links = "SFg " }
    accept { nodes = nodes, members = groups }
    finish_large(1)
    assert.is_true(w:key("LLEN", "queue:default:5") <= 10)
    assert.is_true(w:advance() >= 5)
    assert.equal(60, w:key("LLEN", "queue:default:5"))
    assert.equal("[" .. large .. "]", w:args "m60")
    for _, id in ipairs(w:fetch(250)) do w:finish(id, "1") end
    settled()
  end)

  it("starts a few at once of those whose arguments are large", function()
    local nodes = { { "a" } }
    for i = 1, 60 do
      nodes[i + 1] = { "d" .. i, plan = "1", args = "[" .. large .. "]" }
    end
    local links = {}
    for i = 1, 60 do links[i] = "nFd" .. i .. " " end
    nodes[1].links = table.concat(links)
    accept { nodes = nodes }
    w:run("a", "1")
    assert.is_true(w:key("LLEN", "queue:default:5") <= 10)
    assert.is_true(w:advance() >= 5)
    assert.equal(60, w:key("LLEN", "queue:default:5"))
    settled()
  end)

  it("passes over maxmemory", function()
    local nodes = { { "g", plan = "1000", task = "moil.group" } }
    local groups = members(nodes, 1000, "mFg ", "1")
    nodes[#nodes + 1] = { "a", links = "SFg " }
    accept { nodes = nodes, members = groups }
    w:fetch(1)
    w:fill_memory()
    local ok, why = pcall(function()
      w:finish("a", '"' .. ("x"):rep(1000) .. '"', { minute = w:now_ms() // 60000 + 9 })
      w:advance()
      drain()
      w:advance()
    end)
    w:free_memory()
    assert.is_true(ok, why)
    assert.equal("SUCCESS", (w:ended "g"))
    settled()
  end)

  it("takes items by their number", function()
    for i = 1, 10 do w:key("RPUSH", "advancing", "u 0 nobody" .. i) end
    assert.equal(1, w:eval("advance", 9))
    assert.equal(1, w:key("LLEN", "advancing"))
    assert.equal(0, w:eval("advance", 9))
  end)
end)

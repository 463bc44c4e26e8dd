-- accept.lua: a workflow comes in, all at once as far as anybody can see.

local world = require "spec.redis.world"

describe("accept", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function()
    w:check()
    w:balance()
  end)

  local function refused(parts, ...)
    local reply, why = w:try("accept", "token", parts.nodes[1][1], 0,
      table.unpack(world.batch(parts)))
    assert.is_nil(reply)
    for _, text in ipairs { ... } do assert.matches(text, why, 1, true) end
    assert.same({ {}, {}, {} }, { w:hash "deferred", w:hash "links", w:hash "counters:default" })
  end

  -- Stages and accepts a workflow in batches of so many nodes.
  local function accept_staged(parts, size)
    local count = 0
    for i = 1, #parts.nodes, size do
      count = count + 1
      local batch = { nodes = { table.unpack(parts.nodes, i, math.min(i + size - 1,
        #parts.nodes)) } }
      if i == 1 then
        batch.members, batch.deps, batch.lines = parts.members, parts.deps, parts.lines
      end
      assert.equal(count, w:eval("stage", "T", count, table.unpack(world.batch(batch))))
    end
    return w:eval("accept", "T", parts.nodes[1][1], count), count
  end

  it("puts each job into its place", function()
    local before = w:now_ms()
    assert.same({ 1, 0 }, w:accept {
      nodes = {
        { "w", plan = "2", queue = "q1", level = 7 },
        { "later", plan = "0 +60000" },
        { "then", plan = "0 99999999999999" },
        { "d", plan = "1 +5000" },
        { "a", links = "n-w " },
        { "front", plan = "0 f" },
      },
      members = { { "g", "a", "b" } },
      lines = { { "w", "w job a t", "a job - t" } },
    })
    assert.same({ "deferred", "delayed", "delayed", "deferred", "pending default:5" },
      { w:place "w", w:place "later", w:place "then", w:place "d", w:place "a" })
    local due = tonumber(w:key("ZSCORE", "delayed", "later"))
    assert.is_true(due >= before + 60000 and due <= w:now_ms() + 60000)
    assert.equal("99999999999999", w:key("ZSCORE", "delayed", "then"))
    assert.same({ w = "2", d = "1 +5000" }, w:hash "deferred")
    assert.same({ "a", "b" }, w:key("LRANGE", "members:g", 0, -1))
    assert.same({ 2, "w job a t", "DEFERRED", "a job - t", "PENDING" },
      w:eval("workflow", "w", 0, 250))
    assert.same({ 2, "a job - t", "PENDING" }, w:eval("workflow", "w", 1, 250))
    assert.same({ "front", "a" }, w:fetch(2))
    assert.equal("r", (w:hash "queues").q1) -- the audit has to know it
    assert.equal("1", w:hash("counters:q1").deferred)
  end)

  it("does nothing where the workflow's id has a record, as after a lost reply", function()
    local parts = { nodes = { { "w", plan = "1" }, { "a", links = "sFw " } },
      members = { { "g", "a" } } }
    assert.same({ 1, 0 }, w:accept(parts))
    local before = w:snapshot()
    assert.same({ 0, 0 }, w:accept(parts))
    assert.same(before, w:snapshot())
  end)

  it("releases to a time, or in front", function()
    w:accept { nodes = { { "w", plan = "1 +60000" }, { "f", plan = "1 f" },
      { "a", links = "sFw nFf " } } }
    w:enqueue("default", 5, { "other" })
    local before = w:now_ms()
    w:run("a", "1")
    local due = tonumber(w:key("ZSCORE", "delayed", "w"))
    assert.is_true(due >= before + 60000 and due <= w:now_ms() + 60000)
    assert.equal("[1]", w:args "w")
    assert.same({ "f", "other" }, w:fetch(2))
  end)

  it("ends a group without members at once", function()
    w:accept { nodes = { { "body", plan = "1" }, { "g", task = "moil.group", links = "nFbody " } } }
    assert.equal("SUCCESS", (w:ended "g"))
    assert.same({ "body" }, w:fetch(1))
  end)

  it("refuses a damaged batch", function()
    for _, bad in ipairs {
      { "J", "a" }, { "X", "a" }, { "M", "g", 2, "a" }, { "M", "g", "x", "a" }, { "D", "a" },
      { "W", "w", -1 }, { "J", "b", "J9", "0", "" }, { "J", "b", world.record {}, "x", "" },
      { "J", "b", world.record {}, "0 x", "" }, { "J", "b", world.record {}, "0", "sFa" },
      { "J", "b", world.record {}, "0", "s " },
    } do
      local reply, why = w:try("accept", "t", "w", 0, "J", "w", world.record {}, "0", "",
        table.unpack(bad))
      assert.is_nil(reply)
      assert.matches("damaged", why)
      assert.is_nil(w:place "w")
    end
    refused({ nodes = { { "w" }, { "w" } } }, "INUSE w")
    local reply, why = w:try("accept", "t", "w", 0, table.unpack(world.batch {
      nodes = { { "a" } } }))
    assert.same({ nil, "ERR moil: a workflow begins with the job that has its id" },
      { reply, why })
  end)

  it("holds no results for an id that looks like a link", function()
    w:accept { nodes = { { "w", plan = "2" }, { "branch-1", plan = "1", links = "sFw " },
      { "ahFb", links = "nFbranch-1 nFw " } } }
    assert.same({}, w:hash "held")
    for i, id in ipairs { "ahFb", "branch-1", "w" } do w:run(id, tostring(i)) end
    assert.same({}, w:hash "held")
  end)

  it("refuses an id that is in use", function()
    w:schedule({ "a" }, "+60000", { queue = "other" })
    refused({ nodes = { { "w", plan = "1" }, { "a", links = "sFw " } } }, "INUSE a")
  end)

  it("is refused by a full Redis, and then nothing has changed", function()
    w:fill_memory()
    local reply, why = w:try("accept", "t", "w", 0, table.unpack(world.batch {
      nodes = { { "w" } }, members = { { "g", "w" } }, lines = { { "w", "w job - t" } } }))
    w:free_memory()
    assert.is_nil(reply)
    assert.matches("OOM", why)
    assert.same({}, w:snapshot().jobs)
  end)

  it("takes 250 jobs, and many members and lines", function()
    local nodes, members, lines = { { "w", plan = "249" } }, { "g" }, { "w" }
    for i = 1, 249 do nodes[i + 1] = { "j" .. i, links = "n-w " } end
    for i = 1, 3000 do
      members[i + 1] = "m" .. i
      lines[i + 1] = "m" .. i .. " job - t"
    end
    w:accept { nodes = nodes, members = { members }, lines = { lines } }
    assert.equal(3000, w:key("LLEN", "members:g"))
    assert.equal("m3000", w:key("LINDEX", "members:g", -1))
    assert.equal(3000, w:key("LLEN", "workflow:w"))
    for _, id in ipairs(w:fetch(250)) do w:finish(id, "1") end
    assert.equal("pending default:5", w:place "w")
  end)

  describe("with jobs that are there already", function()
    it("refuses where one is not", function()
      refused({ nodes = { { "w", plan = "1", links = "k-x " } }, deps = { { "x", "nFw" } } },
        "UNKNOWN dep x")
    end)

    it("waits for their ends, and keeps their results meanwhile", function()
      w:enqueue("default", 5, { "x" })
      w:accept { nodes = { { "w", plan = "1", links = "k-x " } }, deps = { { "x", "nFw" } } }
      assert.same({ x = "1" }, w:hash "held")
      w:run("x", "1", { minute = 5 })
      assert.same({ 0, 1 }, w:eval("sweep", 10, 10))
      assert.same({ "SUCCESS", "1" }, { w:ended "x" })
      w:run("w", "2")
      assert.same({}, w:hash "held")
    end)

    it("has their workers send their results, whatever was said about them", function()
      local function told(extra)
        w:reset()
        w:accept { nodes = { { "x", extra = extra, args = '["{}",1]' } } }
        for i = 1, 2 do
          local id = "w" .. i
          w:accept { nodes = { { id, plan = "1" } }, deps = { { "x", "nF" .. id } } }
        end
        assert.equal('["{}",1]', w:args "x")
        local record = w:key("HGET", "jobs", "x")
        local size = tonumber(record:match(" (%d+)\n"))
        local text = record:match('\n%["{}",1%](.*)$')
        assert.equal(size, #text)
        return text
      end
      assert.equal('{"linked":true}', told "")
      assert.equal('{"linked":true}', told "{}")
      assert.equal('{"linked":true,"result_ttl":0}', told '{"result_ttl":0}')
      assert.equal('{"linked":true,"result_ttl":0}', told '{"linked":true,"result_ttl":0}')
    end)

    it("fails, or not, as they do", function()
      for policy, state in pairs { F = "FAILURE", R = "REVOKED" } do
        w:reset()
        w:enqueue("default", 5, { "x" })
        w:accept { nodes = { { "w", plan = "1" } }, deps = { { "x", "n" .. policy .. "w" } } }
        w:run("x", false)
        assert.equal(state, (w:ended "w"))
      end
      w:reset()
      w:enqueue("default", 5, { "x" })
      w:accept { nodes = { { "w", plan = "1" } }, deps = { { "x", "nAw" } } }
      w:run("x", false)
      assert.same({ "w" }, w:fetch(1))
    end)

    it("acts at once where they have ended", function()
      w:enqueue("default", 5, { "x", "y" })
      w:run("x", "1", { minute = 5 })
      w:run("y", false)
      w:bury "z"
      w:accept { nodes = { { "w", plan = "1" } }, deps = { { "x", "nFw" } } }
      assert.same({ "w" }, w:fetch(1))
      for _, dep in ipairs { "y", "z" } do
        w:accept { nodes = { { "w" .. dep, plan = "2", links = "nFv" .. dep .. " " },
          { "v" .. dep, plan = "1" } }, deps = { { "x", "nFw" .. dep }, { dep, "nFw" .. dep } } }
        assert.equal("FAILURE", (w:ended("w" .. dep)))
        assert.equal("FAILURE", (w:ended("v" .. dep)))
      end
    end)

    it("releases a list with one link, held until somebody lets go", function()
      for _, ends in ipairs { "well", "badly", "dropped" } do
        w:reset()
        w:accept { nodes = { { "before", links = ends == "dropped" and "l-x " or "nFx " },
          { "x", plan = "1" } } }
        w:accept { nodes = { { "g", plan = "2", task = "moil.group", links = "k-x w-list " },
          { "a", plan = "1", links = "mWg " }, { "b", plan = "1", links = "mWg " } },
          members = { { "g", "a", "b" }, { "list", "a", "b" } }, deps = { { "x", "NFlist" } } }
        assert.equal("DFlist ", w:hash("links").x)
        assert.equal("1", w:hash("held").x)
        w:run("before", ends ~= "dropped" and "1")
        if ends ~= "dropped" then w:run("x", ends == "well" and "2") end
        assert.same(ends == "well" and { "a", "b" } or {}, w:fetch(9))
        if ends == "well" then
          assert.equal("1", w:hash("held").x)
          for _, id in ipairs { "a", "b" } do w:finish(id, "3") end
        end
        assert.equal(ends == "well" and "SUCCESS" or "FAILURE", (w:ended "g"))
        assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
        assert.is_true(w:key("TTL", "members:list") > 0)
      end
    end)

    it("leaves the links that they had", function()
      w:accept { nodes = { { "b", plan = "1" }, { "a", links = "sFb " } } }
      w:accept { nodes = { { "c", plan = "1" } }, deps = { { "a", "nFc" } } }
      w:run("a", "1")
      assert.same({ "b", "c" }, w:fetch(2))
    end)

    it("lets one job lead to more than a thousand", function()
      w:enqueue("default", 5, { "x" })
      for i = 1, 1200 do
        w:accept { nodes = { { "w" .. i, plan = "1" } }, deps = { { "x", "nFw" .. i } } }
      end
      assert.is_true(#w:hash("links").x < 3000)
      w:run("x", "1")
      assert.is_true(w:key("LLEN", "advancing") > 0)
      assert.is_true(w:key("LLEN", "queue:default:5") < 600)
      w:advance()
      assert.equal(1200, w:key("LLEN", "queue:default:5"))
      assert.same({}, w:hash "links")
      assert.equal(0, w:key("EXISTS", "links:x"))
    end)
  end)

  it("moves the links of a job that are too many to a list", function()
    local nodes, links = { { "w", plan = "1" } }, {}
    for i = 1, 900 do links[i] = "nFn" .. i .. " " end
    nodes[2] = { "a", links = table.concat(links) }
    for i = 1, 200 do nodes[#nodes + 1] = { "n" .. i, plan = "1" } end
    w:accept { nodes = nodes }
    assert.matches("%+%- $", w:hash("links").a)
    w:run("a", "1")
    w:advance()
    assert.equal(200, w:key("LLEN", "queue:default:5"))
    assert.same({}, w:hash "links")
  end)

  describe("what was staged", function()
    local function chord(count)
      local nodes, members = { { "body", plan = "1", links = "u-g w-g " },
        { "g", plan = tostring(count), task = "moil.group", links = "nFbody " } }, { "g" }
      for i = 1, count do
        nodes[#nodes + 1] = { "m" .. i, links = "hFg " }
        members[#members + 1] = "m" .. i
      end
      return { nodes = nodes, members = { members } }
    end

    local function drain()
      repeat
        local ids, group = w:fetch(250), { minute = 5 }
        for i, id in ipairs(ids) do group[i] = { id, world.outcome { minute = 5 } } end
        if #ids > 0 then w:settle { ended = { group } } end
      until #ids == 0
    end

    it("comes in at once, and is unfolded bit by bit", function()
      assert.same({ 1, 1 }, (accept_staged(chord(1000), 250)))
      assert.equal(1, w:key("LLEN", "tick"))
      assert.same({ 0, -1, 1 }, { table.unpack(w:eval("promote", 250), 1, 3) })
      assert.equal(0, w:key("EXISTS", "staged:T"))
      assert.equal(-1, w:key("TTL", "accepted:T"))
      drain() -- what is there runs before the rest comes
      assert.equal("deferred", w:place "body")
      w:advance()
      assert.equal(0, w:key("EXISTS", "accepted:T"))
      drain()
      w:advance()
      assert.same({ "SUCCESS", "SUCCESS" }, { (w:ended "g"), (w:ended "body") })
      assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
      assert.equal(1001, w:key("LLEN", "expire:5") + w:key("LLEN", "expire:"
        .. (w:now_ms() // 60000 + 1)))
    end)

    it("is not accepted twice, nor where batches are missing", function()
      local reply, count = accept_staged(chord(20), 5)
      assert.same({ 1, 1 }, reply)
      assert.same({ 0, 0 }, w:eval("accept", "T", "body", count))
      w:advance()
      assert.equal(20, w:key("LLEN", "queue:default:5"))
      local _, why = w:try("accept", "U", "body2", 3)
      assert.equal("ERR moil: 0 of 3 batches are staged", why)
    end)

    it("puts links on other jobs when all of it is there", function()
      w:enqueue("default", 5, { "x" })
      local nodes, members = { { "g", plan = "500", task = "moil.group" } }, { "g" }
      for i = 1, 500 do
        nodes[i + 1] = { "m" .. i, plan = "1", links = "mFg " }
        members[i + 1] = "m" .. i
      end
      nodes[1].links = "k-x "
      accept_staged({ nodes = nodes, members = { members }, deps = { { "x", "NFg" } } }, 200)
      w:run("x", "1", { minute = 5 })
      assert.same({ 0, 1 }, w:eval("sweep", 10, 10))
      w:advance()
      assert.equal(500, w:key("LLEN", "queue:default:5"))
      drain()
      w:advance()
      assert.equal("SUCCESS", (w:ended "g"))
      assert.same({}, w:hash "held")
    end)

    it("keeps the first job back until all of it is there", function()
      local nodes = { { "w", links = "" } }
      for i = 1, 300 do
        nodes[1].links = nodes[1].links .. "lFc" .. i .. " "
        nodes[i + 1] = { "c" .. i, plan = "1" }
      end
      accept_staged({ nodes = nodes }, 150)
      assert.same({}, w:fetch(1))
      w:advance()
      w:run("w", "1")
      w:advance()
      assert.equal(300, w:key("LLEN", "queue:default:5"))
    end)

    it("fails what is behind an id that came into use meanwhile", function()
      w:eval("stage", "T", 1, table.unpack(world.batch { nodes = { { "w", plan = "1" } } }))
      w:eval("stage", "T", 2, table.unpack(world.batch { nodes = { { "a", links = "sFw " } } }))
      w:eval("accept", "T", "w", 2)
      w:schedule({ "a" }, "+60000", { queue = "other" })
      w:advance()
      local state, value = w:ended "w"
      assert.equal("FAILURE", state)
      assert.matches("in use", value)
      assert.equal("delayed", w:place "a")
    end)
  end)
end)

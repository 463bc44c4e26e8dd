-- prelude_links.lua: what the end of a job does to others.

local world = require "spec.redis.world"

describe("the end of a job", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function()
    w:check()
    w:balance()
  end)

  local function failed(id, task) return ("job %s (%s) failed"):format(id, task or "t") end

  -- A chain a → b → c.
  local function chain(policy)
    policy = policy or "F"
    w:accept { nodes = {
      { "c", plan = "1", args = "[3]" },
      { "b", plan = "1", args = "[2]", links = "s" .. policy .. "c " },
      { "a", links = "s" .. policy .. "b ", args = "[1]" },
    } }
  end

  -- A chord of so many members m1, m2, … and its body.
  local function chord(count, policy)
    local nodes, members = {
      { "body", plan = "1", links = "u-group w-group w-body " },
      { "group", plan = tostring(count), task = "moil.group", links = "nFbody " },
    }, { "group" }
    for i = 1, count do
      nodes[#nodes + 1] = { "m" .. i, links = "h" .. (policy or "F") .. "group " }
      members[#members + 1] = "m" .. i
    end
    w:accept { nodes = nodes, members = { members } }
  end

  describe("in a chain", function()
    it("starts the next one with its result in front", function()
      chain()
      assert.same({ "deferred", "deferred", "pending default:5" },
        { w:place "c", w:place "b", w:place "a" })
      w:run("a", '{"x":\n"\0"}')
      assert.equal('[{"x":\n"\0"},2]', w:args "b")
      w:run("b", "22")
      assert.equal("[22,3]", w:args "c")
      w:run("c", "33")
      assert.same({}, w:snapshot().links)
    end)

    it("passes null where nothing was kept", function()
      chain()
      w:run "a"
      assert.equal("[null,2]", w:args "b")
    end)

    it("fails the rest with the first cause", function()
      chain()
      w:eval("wait", "me", "c")
      w:run("a", false)
      local state, value = w:ended "b"
      assert.equal("FAILURE", state)
      assert.equal('{"code":"DependencyFailed","message":"' .. failed "a" .. '","dependency":"a",'
        .. '"cause":{"code":"Error","message":"no"}}', value)
      assert.same({ "FAILURE", value }, { w:ended "c" })
      assert.matches("^Fc\n", w:key("LRANGE", "inbox:me", 0, -1)[1])
    end)

    it("revokes the rest, or goes on, by its policy", function()
      chain "R"
      w:run("a", false)
      assert.equal("REVOKED", (w:ended "c"))
      w:reset()
      chain "A"
      w:run("a", false)
      assert.equal("[null,2]", w:args "b")
    end)
  end)

  describe("in a chord", function()
    it("starts the body after the last one, and holds the results until it has ended", function()
      chord(3)
      w:run("m1", "1")
      w:run("m2", "2")
      assert.equal("1", w:hash("deferred").group)
      w:run("m3", "3")
      assert.same({ "SUCCESS", "null" }, { w:ended "group" })
      assert.same({ 3, 0, "m1", "SUCCESS", "1", "m2", "SUCCESS", "2", "m3", "SUCCESS", "3" },
        w:eval("gather", "group", 0, 250, "v"))
      local minute = tostring(w:now_ms() // 60000 + 100)
      assert.equal(0, w:key("EXISTS", "expire:" .. minute))
      w:run("body", "6")
      assert.same({ "body", "m1", "m2", "m3" }, w:key("LRANGE", "expire:" .. minute, 0, -1))
      assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
      assert.is_true(w:key("TTL", "members:group") > 60)
    end)

    it("fails it at the first failure", function()
      chord(3)
      w:run("m1", false)
      assert.equal("FAILURE", (w:ended "body"))
      w:run("m2", "2")
      w:run("m3", false)
      assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
    end)

    it("R: revokes those that have not started", function()
      chord(4, "R")
      assert.same({ "m1", "m2" }, w:fetch(2))
      w:finish("m1", false)
      assert.same({ "FAILURE", "REVOKED", "REVOKED" }, { (w:ended "group"), (w:ended "m3"),
        (w:ended "m4") })
      w:finish("m2", "2")
      assert.same({}, w:fetch(2))
    end)

    it("W: fails it when all have ended", function()
      chord(3, "W")
      w:run("m1", false)
      w:run("m2", false)
      assert.equal("deferred", w:place "body")
      w:run("m3", "3")
      local _, value = w:ended "body"
      assert.matches(failed("m1"), value, 1, true)
      assert.same({}, w:hash "faults")
    end)

    it("A: runs it when all have ended", function()
      chord(2, "A")
      w:run("m1", false)
      w:run("m2", "2")
      assert.equal("SUCCESS", (w:ended "group"))
      assert.equal("pending default:5", w:place "body")
    end)
  end)

  describe("of whatever kind,", function()
    local function behind()
      w:accept { nodes = { { "z", plan = "2" }, { "b", plan = "1", links = "nFz " },
        { "a", links = "sFb nAz " } } }
      w:eval("wait", "me", "b")
    end

    local function assert_failed(cause)
      local state, value = w:ended "b"
      assert.equal("FAILURE", state)
      assert.matches(cause, value, 1, true)
      assert.matches('"dependency":"a"', value, 1, true)
      assert.same({ "FAILURE", value }, { w:ended "z" })
      assert.matches("^Fb\n", w:key("LRANGE", "inbox:me", 0, -1)[1])
      assert.same({ {}, {} }, { w:hash "links", w:hash "deferred" })
    end

    it("dead", function()
      behind()
      w:fetch(1)
      w:settle { dead = { { "a", world.dead_record() } } }
      assert_failed '"cause":{"code":"Error"}'
      assert.equal(1, w:eval("retry_dead", "a")[1]) -- runs again, and changes nothing behind it
      w:run("a", "1")
      assert_failed '"cause":{"code":"Error"}'
    end)

    it("expired", function()
      behind()
      w:run("a", false, { state = "REVOKED", value = '{"code":"Expired"}' })
      assert_failed '"cause":{"code":"Expired"}'
    end)

    it("ignored", function()
      behind()
      w:fetch(1)
      w:settle { dropped = { { queue = "default", state = "IGNORED", "a" } } }
      assert_failed "Ignored"
    end)

    it("failed without a trace", function()
      behind()
      w:fetch(1)
      w:settle { dropped = { { queue = "default", state = "FAILURE", "a" } } }
      assert_failed "not kept"
    end)

    it("revoked", function()
      behind()
      assert.equal("REVOKED", w:eval("revoke", "a", '{"code":"Revoked"}', 60, 0))
      assert_failed '"cause":{"code":"Revoked"}'
    end)

    it("deleted", function()
      behind()
      assert.equal(1, w:eval("delete", "a"))
      assert_failed '"code":"Deleted"'
    end)

    it("purged", function()
      behind()
      w:enqueue("default", 5, { "other" })
      assert.same({ 2, 0 }, w:eval("purge", "default", 250))
      assert_failed '"code":"Purged"'
    end)

    it("poisonous", function()
      behind()
      for _ = 1, 2 do
        assert.same({ "a" }, w:fetch(1))
        w:eval("condemn", w.worker, "crash:1", "a", '{"code":"WorkerLost"}')
        while w:eval("recover", w.worker, 1, 10) == 1 do w:check() end
        w:eval("join", w.worker, "node")
      end
      assert.equal("dead", w:place "a")
      assert_failed '"code":"WorkerLost"'
    end)

    it("damaged, as it becomes due", function()
      w:accept { nodes = { { "b", plan = "1" }, { "a", plan = "0 +0", links = "nFb " } } }
      w:damage("a", "garbage")
      w:eval("promote", 250)
      local _, value = w:ended "b"
      assert.matches("BadMessage", value)
    end)

    it("forgotten before its links were followed", function()
      local nodes, links = { { "w", plan = "1" } }, {}
      for i = 1, 700 do links[i] = "nAx " end
      links[701] = "sFw "
      nodes[2] = { "a", links = table.concat(links) }
      w:accept { nodes = nodes }
      w:run("a", "5")
      assert.equal("deferred", w:place "w")
      assert.equal(1, w:eval("forget", "a"))
      w:advance()
      assert.equal("[5]", w:args "w")
      assert.same({}, w:hash "links")
    end)
  end)

  describe("settled twice", function()
    it("counts once", function()
      chord(3)
      assert.same({ "m1", "m2", "m3" }, w:fetch(3))
      local batch = { ended = { { minute = 0, { "m1", world.outcome {} },
        { "m2", world.outcome {} } } } }
      assert.equal(2, w:settle(batch))
      assert.equal(0, w:settle(batch))
      batch.doubt = true
      assert.equal(0, w:settle(batch))
      assert.equal("1", w:hash("deferred").group)
      table.insert(batch.ended[1], { "m3", world.outcome {} })
      assert.equal(1, w:settle(batch))
      assert.equal(0, w:settle(batch))
      assert.same({ "body" }, w:fetch(10))
    end)

    it("counts once after a crash in between", function()
      chord(2)
      w:fetch(1)
      w:eval("condemn", w.worker, "crash", "-", "{}")
      w:key("HSET", "workers", "worker-2", "node 1")
      local batch = { ended = { { minute = 0, { "m1", world.outcome {} } } } }
      assert.matches("FENCED", select(2, w:try("settle", w.worker, world.verdicts(batch))))
      assert.equal("2", w:hash("deferred").group)
      while w:eval("recover", w.worker, 3, 10) == 1 do w:check() end
      assert.same({ "m1", "m2" }, w:fetch(2, nil, "worker-2"))
      w:settle({ ended = { { minute = 0, { "m1", world.outcome {} },
        { "m2", world.outcome {} } } } }, "worker-2")
      assert.equal("SUCCESS", (w:ended "group"))
    end)
  end)

  describe("with callbacks", function()
    it("starts those of its success, and drops those of its failure", function()
      w:accept { nodes = { { "ok", plan = "1", args = "[1]" }, { "plain", plan = "1" },
        { "bad", plan = "1", links = "sFbad2 " }, { "bad2", plan = "1" },
        { "a", links = "lFok cFplain eFbad iFbad2 " } } }
      w:eval("wait", "me", "bad")
      w:run("a", "0")
      assert.same({ "[0,1]", "[]" }, { w:args "ok", w:args "plain" })
      assert.same({ "ok", "plain" }, w:fetch(9))
      assert.is_nil(w:place "bad")
      assert.same({ "Ubad\n" }, w:key("LRANGE", "inbox:me", 0, -1))
      assert.equal("2", w:hash("counters:default").IGNORED)
    end)

    it("starts those of its failure, and drops those of its success", function()
      w:accept { nodes = { { "ok", plan = "1", links = "sFok2 " }, { "ok2", plan = "1" },
        { "bad", plan = "1", args = "[ 9 ]" }, { "plain", plan = "1", args = "[9]" },
        { 'a"\\', links = "lFok eFbad iFplain " } } }
      w:run('a"\\', false)
      assert.equal('[{"code":"Error","message":"no"},"a\\"\\\\",9 ]', w:args "bad")
      assert.equal("[9]", w:args "plain")
      assert.same({ "bad", "plain" }, w:fetch(9))
      assert.is_nil(w:place "ok2")
    end)

    it("drops a whole group of them, and fails who depends on it from outside", function()
      w:accept { nodes = { { "g", plan = "2", task = "moil.group", links = "nFbody " },
        { "m1", plan = "1", links = "hFg " }, { "m2", plan = "1", links = "hFg " },
        { "body", plan = "1", links = "u-g w-g " }, { "a", links = "eFm1 eFm2 " } },
        members = { { "g", "m1", "m2" } } }
      w:accept { nodes = { { "outside", plan = "1", links = "k-body " } },
        deps = { { "body", "nFoutside" } } }
      w:run("a", "1")
      for _, id in ipairs { "g", "m1", "m2", "body" } do assert.is_nil(w:place(id)) end
      local state, value = w:ended "outside"
      assert.equal("FAILURE", state)
      assert.matches('"code":"Ignored"', value, 1, true)
      assert.same({ {}, {}, {} }, { w:hash "held", w:hash "links", w:hash "deferred" })
    end)
  end)

  describe("whose result goes in front of arguments", function()
    local function spliced(args, value)
      w:reset()
      w:accept { nodes = { { "b", plan = "1", args = args, kwargs = '{"k":1}', extra = '{"x":[]}' },
        { "a", links = "sFb " } } }
      w:run("a", value)
      local record = w:key("HGET", "jobs", "b")
      local text = w:args "b"
      assert.matches(text .. '{"k":1}{"x":[]}', record, 1, true)
      assert.equal('{"k":1}{"x":[]}', record:sub(-15))
      return text
    end

    it("whatever they are", function()
      assert.equal("[1]", spliced("[]", "1"))
      assert.equal("[1]", spliced("[ ]", "1"))
      assert.equal("[1]", spliced(" \n[\t ]", "1"))
      assert.equal("[1,2]", spliced("[2]", "1"))
      assert.equal("[1,2, 3 ] ", spliced(" [ 2, 3 ] ", "1"))
      assert.equal("[[],[]]", spliced("[[]]", "[]"))
      assert.equal('["\n\0] ",{"a":"]"}]', spliced('[{"a":"]"}]', '"\n\0] "'))
      assert.equal('["%1%%","%d"]', spliced('["%d"]', '"%1%%"'))
      local big = '"' .. ("x"):rep(2000000) .. '"'
      assert.equal("[" .. big .. ",1]", spliced("[1]", big))
    end)

    it("each end in its turn, also two at once", function()
      w:accept { nodes = { { "z", plan = "3", args = "[9]" }, { "a", links = "sFz " },
        { "b", links = "sFz " }, { "c", links = "sFz " } } }
      assert.same({ "a", "b", "c" }, w:fetch(3))
      w:finish("c", "3")
      assert.equal("[3,9]", w:args "z")
      w:settle { ended = { { minute = 0, { "a", world.outcome { value = "1" } },
        { "b", world.outcome { value = "2" } } } } }
      assert.equal("[1,2,3,9]", w:args "z")
      assert.same({ "z" }, w:fetch(1))
    end)

    it("fails a job whose record cannot be read", function()
      w:accept { nodes = { { "c", plan = "1" }, { "b", plan = "1", links = "sFc " },
        { "a", links = "sFb " } } }
      w:damage("b", "J1 garbage")
      w:run("a", "1")
      local _, value = w:ended "c"
      assert.matches("damaged", value)
    end)
  end)

  describe("in a group", function()
    it("that has failed keeps no result from its list", function()
      chord(2)
      assert.same({ "m1", "m2" }, w:fetch(2))
      w:finish("m1", false)
      w:finish("m2", "2", { minute = 1000 + w:now_ms() // 60000 })
      assert.same({ "m2" }, w:key("LRANGE", "expire:" .. 1000 + w:now_ms() // 60000, 0, -1))
    end)

    it("lets go of groups in it, too", function()
      w:accept { nodes = { { "body", plan = "1", links = "u-g " },
        { "g", plan = "2", task = "moil.group", links = "nFbody " },
        { "h", plan = "1", task = "moil.group", links = "hFg " }, { "a", links = "hFh " },
        { "b", links = "hFg " } }, members = { { "g", "h", "b" }, { "h", "a" } } }
      w:run("a", "1")
      w:run("b", "2")
      w:run("body", "3")
      assert.same({}, w:hash "held")
      assert.is_true(w:key("TTL", "members:h") > 80000 and w:key("TTL", "members:g") > 80000)
    end)

    it("is revoked with it, where it has not started", function()
      w:accept { nodes = { { "g", plan = "4", task = "moil.group" }, { "m1", links = "mFg " },
        { "m2", links = "mFg " }, { "m3", plan = "0 +60000", links = "mFg " },
        { "h", plan = "1", task = "moil.group", links = "mFg " },
        { "m4", plan = "1", links = "mFh " }, { "pre", links = "sFm4 " } },
        members = { { "g", "m1", "m2", "m3", "h" }, { "h", "m4" } } }
      w:fetch(1)
      assert.equal("REVOKED", w:eval("revoke", "g", "{}", 60, 0))
      for _, id in ipairs { "g", "m2", "m3", "h", "m4" } do
        assert.equal("REVOKED", (w:ended(id)), id)
      end
      assert.equal("inflight worker-1", w:place "m1")
    end)

    it("counts as failed where a fan-out fails it", function()
      w:accept { nodes = { { "g", plan = "2", task = "moil.group" },
        { "m1", plan = "1", links = "mAg " }, { "m2", plan = "1", links = "mAg " },
        { "a", links = "SRg " } }, members = { { "g", "m1", "m2" } } }
      w:run("a", false)
      assert.same({ "REVOKED", "SUCCESS" }, { (w:ended "m1"), (w:ended "g") })
    end)

    it("keeps its members and lines as long as the result", function()
      w:accept { nodes = { { "g", plan = "1", task = "moil.group", links = "w-g ",
        extra = '{"result_ttl":600}' }, { "m", links = "mFg " } },
        members = { { "g", "m" } }, lines = { { "g", "g group - moil.group" } } }
      w:run("m", "1")
      for _, key in ipairs { "members:g", "workflow:g" } do
        local ttl = w:key("TTL", key)
        assert.is_true(ttl > 500 and ttl <= 660, key .. " " .. ttl)
      end
      assert.equal(1, w:eval("delete", "g"))
      assert.equal(0, w:key("EXISTS", "members:g", "workflow:g"))
    end)

    it("keeps a result as its sender said, not as a header of that name", function()
      for i, headers in ipairs { '{"result_ttl":5}', '{"a":{"b":"}\\"}"},"result_ttl":5}',
        '{"x":"\\"result_ttl\\":5"}' } do
        for j, own in ipairs { '"result_ttl":600', '"retry":[{}]' } do
          local id = ("g%d%d"):format(i, j)
          w:accept { nodes = { { id, task = "moil.group",
            extra = '{"headers":' .. headers .. "," .. own .. "}" } } }
          local record = w:key("HGET", "jobs", id)
          local seconds = record:match("^R1" .. (" %S+"):rep(8) .. " (%d+)") * 60
            - w:now_ms() // 1000
          assert.is_true(math.abs(seconds - (j == 1 and 630 or 86430)) < 100, record)
        end
      end
    end)
  end)
end)

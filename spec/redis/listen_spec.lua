-- listen.lua and what scripts publish while somebody listens.

local support = require "spec.support"
local world = require "spec.redis.world"

describe("listen", function()
  local w, c

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("holds for 10 s, and counts on", function()
    assert.equal(0, w:eval "listen")
    local left = w:key("PTTL", "listeners")
    assert.is_true(left > 0 and left <= 10000)
    w:enqueue("q", 5, { "a", "b" })
    w:key("PEXPIRE", "listeners", 5000)
    assert.equal(2, w:eval "listen")
    assert.is_true(w:key("PTTL", "listeners") > 5000)
  end)

  describe("makes scripts tell", function()
    local function heard(run)
      c = w.redis:connect()
      c:call("SUBSCRIBE", w.prefix .. "events")
      w:eval "listen"
      run()
      local list = {}
      while #list < w:eval "listen" do
        local message = c:receive()
        local head, lines = message[3]:match("^(%d+ %d+)\n(.*)$")
        assert.is_string(head)
        for line in lines:gmatch "[^\n]+" do
          local e = support.json_decode(line)
          assert.is_number(e.at)
          list[#list + 1] = e
        end
        assert.equal(("%d"):format(#list), head:match "^%d+")
      end
      c:close()
      return list
    end

    local function types(list)
      local names = {}
      for i, e in ipairs(list) do names[i] = e.type .. " " .. (e.id or e.node or e.worker) end
      return names
    end

    it("of a job's life", function()
      local list = heard(function()
        w:enqueue("q", 5, { "a" })
        w:fetch(1, { "q" })
        w:settle { ended = { { minute = "0", { "a", world.outcome { queue = "q" } } } } }
      end)
      assert.same({ "enqueued a", "started a", "succeeded a" }, types(list))
      for _, e in ipairs(list) do assert.equal("q", e.queue) end
      assert.same({ "worker-1", "node" }, { list[2].worker, list[2].node })
    end)

    it("of delays, purges of time and revoking", function()
      local list = heard(function()
        w:schedule({ "a" }, "+0")
        w:eval("promote", 250)
        w:schedule({ "b" }, "+100000")
        w:eval("revoke", "b", '{"code":"Revoked","message":"revoked"}', 60, "0")
      end)
      assert.same({ "scheduled a", "enqueued a", "scheduled b", "revoked b" }, types(list))
      assert.equal("Revoked", list[4].code)
    end)

    it("of what is taken away, or put off", function()
      local list = heard(function()
        w:enqueue("q", 5, { "a", "b" })
        w:eval("delete", "a")
        w:eval("purge", "q", 100)
        w:schedule({ "c" }, "+100000")
        w:eval("reschedule", "c", "200000", "+")
      end)
      assert.same({ "enqueued a", "enqueued b", "deleted a", "purged b", "scheduled c",
        "scheduled c" }, types(list))
      assert.is_true(list[6].due_at > list[5].due_at)
    end)

    it("of workers and nodes", function()
      local list = heard(function()
        w:eval("heartbeat", "n/1", '{"generation":1}')
        w:eval("heartbeat", "n/1", '{"generation":1}')
        w:eval("heartbeat", "n/1", '{"generation":2}')
        w:eval("join", "i", "n/1")
        w:eval("leave", "i")
        w:eval("join", "k", "n/1")
        w:eval("condemn", "k", "crash", "-", "{}")
        w:eval("heartbeat", "n/1", "")
      end)
      assert.same({ "node-up n", "node-reloaded n", "worker-up n", "worker-down n", "worker-up n",
        "worker-down k", "node-down n" }, types(list))
      assert.equal("crash", list[6].reason)
    end)

    it("in JSON, whatever the names are", function()
      local id = 'a"b\\c'
      local list = heard(function() w:enqueue("q", 5, { id }) end)
      assert.equal(id, list[1].id)
    end)

    it("and changes nothing where it may not publish", function()
      w.redis:call("ACL", "SETUSER", "mute", "on", ">pw", "~*", "+@all", "resetchannels")
      w:eval "listen"
      local mute = w.redis:connect()
      mute:call("AUTH", "mute", "pw")
      local sha = mute:call("SCRIPT", "LOAD", support.script "enqueue")
      assert.same({}, mute:call("EVALSHA", sha, 1, w.prefix, "q", 5, 0, "a",
        world.record { queue = "q", level = 5 }))
      mute:close()
      assert.equal("pending", w:place("a"):match "%a+")
    end)
  end)
end)

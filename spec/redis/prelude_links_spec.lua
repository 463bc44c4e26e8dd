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
end)

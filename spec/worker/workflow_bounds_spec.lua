local site = require "spec.support.site"
local support = require "spec.support"

-- Workflows at their edges: larger than a batch, ids that are taken, results that nobody keeps but
-- the workflow, what is running when all of it is cancelled.

local TASKS <const> = [[
local moil = require "moil"
moil.task("add", function(x, y) return x + (y or 0) end)
moil.task("sum", function(list)
  local total = 0
  for _, v in ipairs(list) do total = total + v end
  return total
end)
moil.task("wait_for", function(path)
  while true do
    local f = io.open(path)
    if f then f:close() return path end
    moil.sleep(0.01)
  end
end)
moil.task("result_of", function(id) return moil.result(id):get { timeout = 20 } end)
moil.task("lost", function() error "lost" end)
moil.task("told", function(err, id) return 1 end)
moil.task("becomes", { bind = true }, function(self)
  self:replace(moil.chain(moil.signature("add", { 1, 1 }, { id = "becomes", countdown = 300 }),
    moil.signature("add", { 1 })))
end)
moil.task("for_ever", function() while true do moil.sleep(1) end end)
]]

local WAIT <const> = { timeout = 30 }

local here, moil, s

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "2" } }
  moil = here.moil
  s = moil.signature
end)

local function add(...) return s("add", table.pack(...)) end

local function adds(n)
  local list = {}
  for i = 1, n do list[i] = add(i) end
  return list
end

describe("a workflow of several batches", function()
  it("may hang on a job that is ready at once", function()
    local group = moil.group(adds(600)):set { id = "callbacks" }
    assert.equal(1, moil.send("add", { 1 }, { link = group }):get(WAIT))
    local list = moil.group_result("callbacks"):join(WAIT)
    assert.same({ 600, 2, 601 }, { #list, list[1], list[600] })
  end)

  it("fans out to many jobs and chains, and comes together again", function()
    local members = adds(300)
    for i = 301, 600 do members[i] = moil.chain(add(i), add(0)) end
    local tree = moil.chain(add(1), moil.group(members), s("sum"))
    assert.equal(600 * 601 // 2 + 600, tree:delay():get(WAIT))
  end)

  it("waits as a whole for a job outside", function()
    local before = moil.send("add", { 1 }, { countdown = 0.3 })
    local r = moil.chord(adds(199), s("sum")):apply_async { depends_on = before }
    assert.equal(199 * 200 // 2, r:get(WAIT))
    assert.is_true(before:ready())
  end)

  it("waits for it with each of 1,500 members, and behind another step too", function()
    local path = here.dir .. "/open"
    local before = moil.send("wait_for", { path })
    local r = moil.group(adds(1500)):apply_async { depends_on = before }
    local chain = moil.chain(add(1), moil.group(adds(1500)):set { depends_on = before }):delay()
    chain.parent:get(WAIT)
    assert.same({ 0, 0 }, { r:completed_count(), chain:completed_count() })
    support.write(path, "")
    local values = r:join(WAIT)
    assert.same({ 1500, 1, 1500 }, { #values, values[1], values[1500] })
    values = chain:join(WAIT)
    assert.same({ 1500, 2, 1501 }, { #values, values[1], values[1500] })
    local lost = moil.send("lost")
    for _, policy in ipairs { "fail", "revoke" } do
      r = moil.group(adds(1500)):apply_async { depends_on = { lost, on_failure = policy } }
      local _, err = r:get { timeout = 30, propagate = false }
      assert.equal("DependencyFailed", err.code)
      assert.equal(1500, r:completed_count())
    end
    assert.equal(0, here.redis:call("HLEN", "{moil}:held"))
  end)
end)

describe("an id that another job has", function()
  it("fails what is behind it, and leaves that job alone", function()
    local mine = moil.send("add", { 1 }, { id = "taken" })
    mine:get(WAIT)
    local ok, err = pcall(function()
      local r = moil.chain(add(1, 1):set { id = "taken" }, add(1)):delay()
      local _, wrong = r:get { timeout = 30, propagate = false }
      error(wrong, 0)
    end)
    assert.is_false(ok)
    assert.matches("taken", tostring(err) .. (err.cause and err.cause.message or ""))
    assert.equal(1, mine:get(WAIT))
  end)
end)

describe("results that are not kept", function()
  it("are, for those that depend on their jobs", function()
    local kept = {}
    for i, options in ipairs { { result_ttl = 0 }, { ignore_result = true } } do
      options.countdown = 300
      local before = moil.send("add", { i, 1 }, options)
      local r = moil.send("result_of", { before.id }, { depends_on = before })
      before:reschedule(0)
      kept[i] = r:get(WAIT)
    end
    assert.same({ 2, 3 }, kept)
  end)

  it("are, until the body has read them", function()
    local members = adds(3)
    for _, member in ipairs(members) do member:set { result_ttl = 0 } end
    local r = moil.chord(members, s("sum"):set { countdown = 300 }):delay()
    local group = r.parent
    here:wait_state(group.id, "SUCCESS")
    here:wait_state(r.id, "SCHEDULED")
    local held = {}
    for _, child in ipairs(group.children) do held[child.id] = true end
    for _, key in ipairs(here.redis:call("KEYS", "{moil}:expire:*")) do
      for _, id in ipairs(here.redis:call("LRANGE", key, 0, -1)) do
        assert.is_nil(held[id], "a result that is to be read may expire")
      end
    end
    r:reschedule(0)
    assert.equal(6, r:get(WAIT))
    support.wait_until(function()
      return here.redis:call("HLEN", "{moil}:held") == 0
    end, 20, "the results to be let go")
  end)
end)

describe("a workflow known by its id", function()
  local FAR <const> = { countdown = 300 }

  local function far(...) return s("add", { ... }, FAR) end

  -- A workflow nothing of which starts soon; its handle, and those of all its parts.
  local function forest()
    local r = moil.chain(far(1, 1), moil.group(far(1),
      moil.chain(s("add", { 1 }), moil.chord({ far(1), far(2) }, s("sum")), s("add", { 3 })),
      moil.group(moil.chain(far(1), s("add", { 1 })))), s("sum")):delay()
    local parts = {}
    local function collect(handle)
      while handle do
        parts[#parts + 1] = handle
        local children = getmetatable(handle).__name == "moil.GroupResult" and handle.children
        for _, child in ipairs(children or {}) do collect(child) end
        handle = handle.parent
      end
    end
    collect(r)
    assert.equal(13, #parts)
    return r, parts
  end

  local function all_revoked(parts)
    for _, part in ipairs(parts) do here:wait_state(part.id, "REVOKED") end
  end

  it("is revoked as a unit, by a handle of the id alone and from the command line", function()
    local r, parts = forest()
    assert.equal("REVOKED", moil.result(r.id):revoke())
    all_revoked(parts)
    r, parts = forest()
    local out = support.moil { "revoke", r.id, redis = here.url }
    assert.equal(0, out.code, out.stderr)
    all_revoked(parts)
  end)

  it("is revoked where it is a group, and whatever has ended of it", function()
    local r = moil.group(s("lost"), moil.chain(far(1, 1), s("add", { 1 })),
      moil.chord({ far(1) }, s("sum"))):delay()
    here:wait_state(r.id, "FAILURE")
    local chain, chord = r.children[2], r.children[3]
    assert.equal("FAILURE", moil.group_result(r.id):revoke())
    all_revoked { chain, chain.parent, chord, chord.parent, chord.parent.children[1] }
  end)

  it("is revoked as a unit with the group that a failure revokes", function()
    local r = moil.group(s("lost"), moil.chain(far(1, 1), s("add", { 1 })),
      moil.chord({ far(1) }, s("sum"))):set({ member_failure = "revoke" }):delay()
    here:wait_state(r.id, "FAILURE")
    local chain, chord = r.children[2], r.children[3]
    all_revoked { chain, chain.parent, chord, chord.parent, chord.parent.children[1] }
  end)

  it("is revoked with what was added, and what takes a job's place", function()
    local r = moil.group(far(1, 1)):delay()
    local more = r:add(moil.chain(far(1, 1), s("add", { 1 })))[1]
    moil.group_result(r.id):revoke()
    all_revoked { r, r.children[1], more, more.parent }
    r = moil.send("becomes")
    here:wait_state("becomes", "SCHEDULED")
    assert.equal("REVOKED", r:revoke())
    all_revoked { r, moil.result "becomes" }
  end)

  it("leaves its callbacks for errors to run", function()
    local r = moil.chain(far(1, 1), s("add", { 1 }))
      :on_error(moil.chain(s("told"), s("add"):set { id = "after-all" })):delay()
    moil.result(r.id):revoke()
    all_revoked { r, r.parent }
    here:wait_state("after-all", "SUCCESS")
  end)

  it("has a handle of what is there, where the id was known already", function()
    local function chain(n)
      return moil.chain(far(n), s("add", { n })):apply_async { id = "known-chain" }
    end
    local first, second = chain(1), chain(2)
    assert.same({ true, false }, { first.created, second.created })
    assert.is_nil(second.parent)
    assert.equal("REVOKED", second:revoke())
    all_revoked { first, first.parent }
    local function group(n)
      local list = {}
      for i = 1, n do list[i] = far(i) end
      return moil.group(list):apply_async { id = "known-group" }
    end
    first, second = group(3), group(2)
    assert.is_false(second.created)
    assert.same({ 3, 3 }, { #second.children, second:count() })
    for i, child in ipairs(second.children) do assert.equal(first.children[i].id, child.id) end
    assert.equal(1, #second:add(far(4)))
    second:revoke()
    all_revoked(first.children)
    assert.is_false(moil.send("add", { 1, 1 }, { id = "known-group" }).created)
    second = moil.group(far(1)):apply_async { id = "known-chain" }
    assert.same({ false, "REVOKED" }, { second.created, second:state() })
    assert.is_nil(second.children)
  end)

  it("is terminated as a unit", function()
    local r = moil.chord({ s("for_ever"), moil.chain(s("for_ever"), s("add", { 1 })) },
      s("sum")):delay()
    local group = r.parent
    local running = { group.children[1], group.children[2].parent }
    for _, job in ipairs(running) do here:wait_state(job.id, "STARTED") end
    assert.equal("REVOKED", moil.result(r.id):revoke { terminate = true })
    all_revoked { running[1], running[2], group, group.children[2], r }
  end)
end)

describe("a workflow that is terminated", function()
  it("ends what runs, and nothing follows", function()
    local r = moil.chord({ s("for_ever"), moil.chain(s("for_ever"), add(1)) }, s("sum")):delay()
    local group = r.parent
    local running = { group.children[1], group.children[2].parent }
    for _, job in ipairs(running) do here:wait_state(job.id, "STARTED") end
    assert.equal("REVOKED", r:revoke { terminate = true })
    for _, job in ipairs { running[1], running[2], group, group.children[2], r } do
      here:wait_state(job.id, "REVOKED")
    end
  end)
end)

describe("adding to a group", function()
  it("says how many went in where it ends meanwhile", function()
    local core = require "moil.core"
    local extend <const>, calls = core.extend, 0
    local r = moil.group(add(1):set { countdown = 60 }):delay()
    core.extend = function(...)
      calls = calls + 1
      if calls == 2 then r:revoke() end
      return extend(...)
    end
    local ok, err = pcall(r.add, r, table.unpack(adds(600)))
    core.extend = extend
    assert.is_false(ok)
    assert.equal("BadArgument", err.code)
    assert.matches("ended when 250 of 600 new members were in", err.message)
    assert.equal(251, r:count())
    err = select(2, pcall(r.add, r, add(1)))
    assert.matches("has ended, or is none", err.message)
  end)
end)

describe("the handle of a group by the id of a plain job", function()
  it("says that it is none, whatever is asked", function()
    local plain = moil.send("add", { 1 })
    local none, empty = moil.group_result(plain.id), moil.group({}):delay()
    local asked = {
      join = function(r) return #r:join(WAIT) end,
      count = function(r) return r:count() end,
      completed_count = function(r) return r:completed_count() end,
      children = function(r) return #r.children end,
      iterate = function(r)
        local count = 0
        for _ in r:iterate() do count = count + 1 end
        return count
      end,
    }
    for name, ask in pairs(asked) do
      local ok, err = pcall(ask, none)
      assert.is_false(ok, name)
      assert.matches("is no group, but a job of add", err.message)
      assert.equal(0, ask(moil.group_result(empty.id)))
    end
  end)
end)

describe("an id that is in use", function()
  it("has a workflow refused, small or large: nothing of it goes in", function()
    moil.send("add", { 1 }, { id = "taken", countdown = 60 })
    for _, n in ipairs { 3, 600 } do
      local list = adds(n)
      list[n] = add(n):set { id = "taken" }
      local tree = moil.chord(list, s("sum"), { member_failure = "collect" })
      local ok, err = pcall(tree.apply_async, tree, { id = "whole" .. n })
      assert.is_false(ok)
      assert.equal("BadArgument", err.code)
      assert.matches("the id taken is in use", err.message)
      assert.equal(0, here.redis:call("HEXISTS", "{moil}:jobs", "whole" .. n))
      assert.same({}, here.redis:call("KEYS", "{moil}:staged:*"))
    end
    local r = moil.group(add(1):set { countdown = 60 }):delay()
    local err = select(2, pcall(r.add, r, add(1):set { id = "taken" }))
    assert.equal("BadArgument", err.code)
    r:revoke()
  end)

  it("is no matter where the workflow is there already", function()
    local list = adds(600)
    list[600] = add(600):set { id = "own" }
    local tree = moil.chord(list, s("sum"))
    local first = tree:apply_async { id = "again" }
    local second = tree:apply_async { id = "again" }
    assert.same({ true, false }, { first.created, second.created })
    assert.equal(600 * 601 // 2, second:get(WAIT))
  end)
end)

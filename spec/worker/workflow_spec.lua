local site = require "spec.support.site"
local support = require "spec.support"

-- Workflows from Lua with a real worker: each construct, what failures do to it, and its handles.

local TASKS <const> = site.NOTE .. [[
local add = moil.task("add", function(x, y) return x + (y or 0) end)
local sum = moil.task("sum", function(list)
  local total = 0
  for _, v in ipairs(list) do total = total + v end
  return total
end)
moil.task("list", function(...) return { ... } end)
moil.task("echo", function(x) return x end)
moil.task("count", function(...) return select("#", ...) end)
moil.task("fail", function(what) error { code = "BROKEN", message = what or "it broke" } end)
moil.task("nap", function(s) moil.sleep(s) return s end)
moil.task("note", function(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = moil.json.encode(words[i]) end
  note(table.unpack(words))
end)
moil.task("told", function(err, id, what)
  note(what or "told", err.code, id, err.cause and err.cause.code or "-")
end)
moil.task("wait_for", function(path)
  while true do
    local f = io.open(path)
    if f then f:close() return path end
    moil.sleep(0.01)
  end
end)
moil.task("ignored", { ignore_result = true }, function(x) return x end)
moil.task("ignores", { bind = true }, function(self) self:ignore() end)
moil.task("with_name", function(x, kwargs) return { x, kwargs.name } end)
moil.task("replaced", { bind = true }, function(self, how, n)
  local ways = {
    job = function() return add:s(n, 1) end,
    chain = function() return moil.chain(add:s(n, 1), add:s(10)) end,
    group = function() return moil.group(add:s(n, 1), add:s(n, 2)) end,
    chord = function() return moil.chord({ add:s(n, 1), add:s(n, 2) }, sum:s()) end,
    fail = function() return moil.signature("fail", { "instead" }) end,
    again = function()
      if n == 0 then return add:s(0, 0) end
      return moil.signature("replaced", { "again", n - 1 })
    end,
  }
  local ok, err = pcall(self.replace, self, ways[how]())
  note("pcall caught", tostring(ok), tostring(err))
end)
moil.task("spread", { bind = true }, function(self, n)
  for i = 1, n do self:add_to_group(add:s(n, i)) end
  return 0
end)
moil.task("lonely", { bind = true }, function(self) self:add_to_group(add:s(1)) end)
moil.task("inside", function(n)
  local calls = {}
  for i = 1, n do calls[i] = add:s(i, 1) end
  local total = 0
  for _, v in ipairs(moil.group(calls):delay():join { timeout = 20 }) do total = total + v end
  return total + moil.chord(calls, sum:s()):delay():get { timeout = 20 }
end)
moil.task("own_group", { bind = true }, function(self)
  local ok, err = pcall(function() return moil.group_result(self.group_id):join {} end)
  return { ok, err.code }
end)
moil.task("family", { bind = true }, function(self)
  return { self.id, self.parent_id or "-", self.root_id, self.group_id or "-" }
end)
]]

local WAIT <const> = { timeout = 20 }

local here, moil, s

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "4" } }
  moil = here.moil
  s = moil.signature
end)

local function add(...) return s("add", table.pack(...)) end
local function sum() return s("sum") end

local function run(tree) return tree:delay():get(WAIT) end

-- The error that a workflow ends with.
local function failure(tree)
  local r = tree:delay()
  local _, err = r:get { timeout = 20, propagate = false }
  return assert(err, "it should have failed"), r
end

-- A note that begins with these words, when it is there.
local function await_note(words)
  return support.wait_until(function()
    for _, line in ipairs(here:notes()) do
      if line:sub(1, #words) == words then return line end
    end
  end, 20, "the note " .. words)
end

local function has_note(words)
  for _, line in ipairs(here:notes()) do
    if line:sub(1, #words) == words then return true end
  end
  return false
end

describe("a chain", function()
  it("hands each result to the next", function()
    local r = moil.chain(add(2, 2), add(3), add(4)):delay()
    assert.same({ 11, 7, 4 }, { r:get(WAIT), r.parent:get(WAIT), r.parent.parent:get(WAIT) })
    assert.is_nil(r.parent.parent.parent)
    assert.same({ true, true, false }, { r:successful(), r.created, r:failed() })
  end)

  it("hands nothing to an immutable signature, and what the caller gives to the first", function()
    local immutable = moil.chain(add(1, 1), add(5, 5))
    immutable.steps[2].immutable = true
    assert.equal(10, run(immutable))
    assert.equal(7, moil.chain(add(2), add(4)):delay(1):get(WAIT))
    assert.same({ { 4, "x" } }, run(moil.chain(add(2, 2),
      s("with_name", {}, { kwargs = { name = "x" } }), s("list"))))
    assert.equal(1, run(moil.chain(s("note", { "null" }), s("count"))))
  end)

  it("passes large values, and many steps", function()
    local text = ("x"):rep(200000)
    assert.equal(text, run(moil.chain(s("echo", { text }), s("echo"), s("echo"))))
    local steps = {}
    for i = 1, 300 do steps[i] = add(1) end
    assert.equal(300, moil.chain(steps):delay(0):get(WAIT))
  end)

  it("ends with the first cause of its failure, and runs nothing behind it", function()
    local err, r = failure(moil.chain(add(1, 1), s("fail"), s("note", { "never" }),
      add(1)))
    assert.same({ "DependencyFailed", "BROKEN", "2", r.parent.parent.id },
      { err.code, err.cause.code, err.cause.message, err.dependency })
    assert.same({ "FAILURE", "FAILURE", "SUCCESS" }, { r:state(), r.parent:state(),
      r.parent.parent.parent:state() })
    assert.is_false(has_note '"never"')
  end)

  it("goes on where a step says so, or is revoked", function()
    assert.equal(2, run(moil.chain(s("fail"),
      s("count", { 1 }, { depends_on = { allow_failure = true } }))))
    local _, r = failure(moil.chain(s("fail"), add(1):set {
      depends_on = { on_failure = "revoke" } }))
    assert.equal("REVOKED", r:state())
  end)

  it("has a delay of its own for each step", function()
    local r = moil.chain(add(1, 1), add(1):set { countdown = 0.3 }):apply_async { countdown = 0.1 }
    assert.equal(3, r:get(WAIT))
    local first, last = r.parent:info(), r:info()
    assert(last.started_at - first.finished_at >= 0.29)
  end)

  it("is revoked as a whole", function()
    local r = moil.chain(s("nap", { 0 }, { countdown = 300 }), add(1), add(2)):delay()
    assert.equal("REVOKED", r:revoke())
    assert.same({ "REVOKED", "REVOKED", "REVOKED" }, { r:state(), r.parent:state(),
      r.parent.parent:state() })
  end)
end)

describe("a group", function()
  it("gives its results in order", function()
    local r = moil.group(add(1, 1), add(2, 2), s("note", { "in a group" })):delay()
    assert.same({ 2, 4, moil.null }, r:join(WAIT))
    assert.same({ 2, 4, moil.null }, r:get(WAIT))
    assert.same({ 3, 3, "SUCCESS", true }, { r:count(), r:completed_count(), r:state(),
      r:ready() })
    assert.equal("moil.GroupResult " .. r.id, tostring(r))
    local seen = {}
    for i, value in r:iterate(WAIT) do seen[i] = value or "nil" end
    assert.same({ 2, 4, "nil" }, seen)
    assert.equal(4, r.children[2]:get(WAIT))
    local again = moil.group_result(r.id)
    assert.same({ 2, 4, moil.null }, again:join(WAIT))
    assert.same({ 3, r.children[3].id }, { #again.children, again.children[3].id })
    local none = moil.group_result(add(1, 1):delay().id)
    assert.matches("is no group, but a job of add", select(2, pcall(none.join, none, WAIT)).message)
    assert.matches("takes a table", select(2, pcall(r.join, r, 5)).message)
  end)

  it("may be empty, or within others", function()
    assert.same({}, run(moil.group()))
    assert.same({}, moil.group():delay():join(WAIT))
    assert.same({ { 2, { 4 } }, {}, 7 }, moil.group(moil.group(add(1, 1), moil.group(add(2, 2))),
      moil.group(), moil.chain(add(1, 2), add(4))):delay():join(WAIT))
    local r = moil.group(moil.group(add(1, 1))):delay()
    r:join(WAIT)
    assert.same({ { 2 } }, moil.group_result(r.id):join(WAIT))
    assert.equal(2, moil.group_result(r.id).children[1].children[1]:get(WAIT))
  end)

  it("fans out behind a job", function()
    local members = {}
    for i = 1, 40 do members[i] = add(i) end
    members[41] = moil.chain(add(1), add(1))
    local got = run(moil.chain(add(100, 0), moil.group(members)))
    assert.same({ 101, 140, 102 }, { got[1], got[40], got[41] })
  end)

  it("fails with its first member, or when all have ended, or not at all", function()
    local function members() return { add(1, 1), s("fail"), add(2, 2) } end
    local err, r = failure(moil.group(members()))
    assert.same({ "DependencyFailed", "BROKEN", r.children[2].id }, { err.code, err.cause.code,
      err.dependency })
    local all = r:join { timeout = 20, propagate = false }
    assert.same({ 2, "BROKEN", 4 }, { all[1], all[2].error.code, all[3] })
    local errors = {}
    for i, _, wrong in r:iterate(WAIT) do errors[i] = wrong and wrong.code or "-" end
    assert.same({ "-", "BROKEN", "-" }, errors)
    r = select(2, failure(moil.group(members()):set { member_failure = "wait" }))
    assert.same({ 3, "FAILURE", true }, { r:completed_count(), r:state(), r:failed() })
    local got = run(moil.group(members()):set { member_failure = "collect" })
    assert.same({ 2, "BROKEN", 4 }, { got[1], got[2].error.code, got[3] })
  end)

  it("is revoked as a whole, with what its members are made of", function()
    local r = moil.group(s("nap", { 0 }, { countdown = 300 }),
      moil.chain(add(1, 1):set { countdown = 300 }, add(2)),
      moil.group(add(1, 1):set { countdown = 300 })):delay()
    assert.same({ 3, 0 }, { r:count(), r:completed_count() })
    assert.equal("REVOKED", r:revoke())
    local chain = r.children[2]
    for _, part in ipairs { r, r.children[1], chain, chain.parent, r.children[3],
      r.children[3].children[1] } do
      here:wait_state(part.id, "REVOKED")
    end
  end)

  it("takes more members while it runs, from outside and from inside", function()
    local path = here.dir .. "/go-on"
    local r = moil.group(s("wait_for", { path })):delay()
    local more = r:add(add(5, 5), moil.chain(add(1, 1), add(1)))
    assert.same({ 10, 3 }, { more[1]:get(WAIT), more[2]:get(WAIT) })
    assert.same({ 3, 2 }, { r:count(), r:completed_count() })
    moil.group_result(r.id):add(add(7, 7)) -- by its id alone
    support.write(path, "")
    assert.same({ path, 10, 3, 14 }, r:join(WAIT))
    assert.equal(3, #r.children)
    local err = select(2, pcall(r.add, r, add(1, 1)))
    assert.matches("has ended", err.message)
    assert.equal(6 + 3 * 3, run(moil.chord({ s("spread", { 3 }) }, sum())))
    assert.same({ "BadArgument" }, { here:failure("lonely").code })
  end)

  it("is waited for by jobs, which give their slots free for it", function()
    local r = moil.enqueue_many { s("inside", { 30 }), s("inside", { 30 }), s("inside", { 30 }),
      s("inside", { 30 }), s("inside", { 30 }), moil.group(s("inside", { 5 })) }
    for i = 1, 5 do assert.equal(990, r[i]:get(WAIT)) end
    assert.same({ 40 }, r[6]:join(WAIT))
    assert.same({ { false, "BadArgument" } }, run(moil.group(s("own_group"))))
  end)

  it("is forgotten as a whole", function()
    local r = moil.group(add(1, 1), moil.group(add(2, 2))):delay()
    r:join(WAIT)
    local inner = r.children[2].children[1]
    assert.is_true(r:forget())
    for _, part in ipairs { r, r.children[1], r.children[2], inner } do
      assert.equal("UnknownJob", select(2, pcall(part.state, part)).code)
    end
  end)

  it("is known to its members, and a workflow to its jobs", function()
    local r = moil.group(s("family"), moil.chain(s("family"), s("family"))):delay()
    local got = r:join(WAIT)
    assert.same({ r.id, "-", r.children[1].id }, { got[1][4], got[1][2], got[1][1] })
    assert.equal(r.id, got[2][4])
  end)
end)

describe("a chord", function()
  it("gives its members' results to the body, in order", function()
    local r = moil.chord({ add(1, 1), add(2, 2), s("echo", { "x" }) }, s("list", { "own" })):delay()
    assert.same({ { 2, 4, "x" }, "own" }, r:get(WAIT))
    assert.same({ 2, 4, "x" }, r.parent:join(WAIT))
    assert.equal(6, run(moil.chain(moil.group(add(1, 1), add(2, 2)), sum())))
    assert.equal(0, run(moil.chord({}, sum())))
    assert.equal(9, run(moil.chord({ add(1, 1), add(2, 2) }, moil.chain(sum(), add(3)))))
  end)

  it("may have any workflow for a member and for a body", function()
    assert.equal(3 + 7 + 9, run(moil.chord({ moil.chain(add(1, 1), add(1)),
      moil.chord({ add(1, 2), add(4) }, sum()), add(4, 5) }, sum())))
    assert.same({ { { 2, 4 }, { 6 } } }, run(moil.chord({ moil.group(add(1, 1), add(2, 2)),
      moil.group(add(3, 3)) }, s("list"))))
    local got = run(moil.chord({ add(1, 1), add(2, 2) }, moil.group(sum(), s("echo"), s("count"))))
    assert.same({ 6, { 2, 4 }, 1 }, got)
  end)

  it("has a body for 10,000 members", function()
    local members = {}
    for i = 1, 10000 do members[i] = add(i, 1) end
    local r = moil.chord(members, sum()):delay()
    assert.equal(50015000, r:get { timeout = 60 })
    assert.same({ 10000, 10000 }, { r.parent:count(), r.parent:completed_count() })
  end)

  it("does by its policy when a member fails", function()
    local function chord(policy, ...)
      return moil.chord({ add(1, 1), s("fail"), ... }, s("list"), { member_failure = policy })
    end
    local err, r = failure(chord("fail"))
    assert.same({ "DependencyFailed", "BROKEN" }, { err.code, err.cause.code })
    assert.same({ "FAILURE", "FAILURE" }, { r:state(), r.parent:state() })
    r = select(2, failure(chord("revoke", s("nap", { 0 }, { countdown = 300 }))))
    here:wait_state(r.parent.children[3].id, "REVOKED")
    assert.equal("BROKEN", (failure(chord("wait"))).cause.code)
    local got = run(chord("collect"))[1]
    assert.same({ 2, "BROKEN", "it broke" }, { got[1], got[2].error.code, got[2].error.message })
    r = select(2, failure(moil.chord({ s("fail") },
      add(1):set { depends_on = { on_failure = "revoke" } })))
    assert.equal("REVOKED", r:state())
  end)

  it("keeps its members' results for the body, whatever they say", function()
    local members = { s("ignored", { 1 }), add(1, 1):set { result_ttl = 0 },
      add(2, 2):set { ignore_result = true } }
    assert.equal(7, run(moil.chord(members, sum())))
    assert.equal(3, run(moil.chain(s("ignored", { 1 }), add(2))))
    assert.equal(4, run(moil.chain(add(1, 1):set { result_ttl = 0 }, add(2))))
    local group = moil.group(s("ignores"), add(1, 1)):set { member_failure = "collect" }
    for _, list in ipairs { run(moil.chord(group, s("echo"))), run(group) } do
      assert.same({ "UnknownJob", 2 }, { list[1].error.code, list[2] })
    end
    local err = failure(moil.chord({ s("ignores"), add(1, 1) }, sum()))
    assert.equal("DependencyFailed", err.code)
  end)

  it("goes deep", function()
    local tree = add(1, 1)
    for _ = 1, 30 do tree = moil.chord({ tree, add(1, 0) }, sum()) end
    assert.equal(32, run(tree))
    tree = add(1, 1)
    for _ = 1, 61 do tree = moil.group(tree) end
    for _, whole in ipairs { moil.group(moil.group(tree)), moil.chord({ tree }, s("echo")) } do
      local value = run(whole)
      while type(value) == "table" do value = value[1] end
      assert.equal(2, value)
    end
  end)
end)

describe("a callback", function()
  it("runs after a success, with the result", function()
    s("add", { 1, 2 }):apply_async { link = { s("note", { "linked" }), s("note", { "both" }) },
      link_error = s("told", { "not this" }) }
    await_note '3 "linked"'
    await_note '3 "both"'
    assert.is_false(has_note "not this")
    moil.group(add(1, 1), add(2, 2)):apply_async { link = s("note", { "after a group" }) }
    await_note '[2,4] "after a group"'
    moil.chain(add(1, 1), add(1)):link(moil.chain(add(1), s("note", { "chained" }))):delay()
    await_note '4 "chained"'
    local r = moil.send("add", { 1, 2 }, { link = moil.group(s("note", { "g1" }), s("note")) })
    assert.equal(3, r:get(WAIT))
    await_note '3 "g1"'
  end)

  it("for errors gets the error and the id, once for a whole workflow", function()
    local r = moil.send("fail", { "x" }, { link_error = s("told", { "job" }),
      link = s("note", { "not after a failure" }) })
    await_note("job BROKEN " .. r.id)
    r = moil.chain(add(1, 1), s("fail"), add(1), add(1)):on_error(s("told", { "chain" })):delay()
    assert.equal(("chain DependencyFailed %s BROKEN"):format(r.id), await_note "chain ")
    r = moil.group(s("fail"), s("fail"), add(1, 1)):on_error(s("told", { "group" })):delay()
    assert.equal(("group DependencyFailed %s BROKEN"):format(r.id), await_note "group ")
    r = moil.chord({ s("fail"), s("fail") }, sum()):on_error(s("told", { "chord" })):delay()
    assert.equal(("chord DependencyFailed %s BROKEN"):format(r.id), await_note "chord ")
    local count = 0
    for _, line in ipairs(here:notes()) do
      if line:find("^group ") or line:find("^chord ") or line:find("^chain ") then
        count = count + 1
      end
    end
    assert.same({ 3, false }, { count, has_note '"not after' })
  end)

  it("that is not needed leaves nothing behind", function()
    local before = here.redis:call("HLEN", "{moil}:deferred")
    local r = add(1, 1):on_error(moil.chain(s("told"), moil.group(add(1), add(2)))):delay()
    assert.equal(2, r:get(WAIT))
    assert.equal(before, here.redis:call("HLEN", "{moil}:deferred"))
  end)
end)

describe("depends_on", function()
  it("waits for jobs outside, ended or not", function()
    local path = here.dir .. "/dependency"
    local done, open = moil.send("add", { 1, 1 }), moil.send("wait_for", { path })
    done:get(WAIT)
    local r = moil.send("add", { 5, 5 }, { depends_on = { done, open.id } })
    assert.equal("DEFERRED", r:state())
    support.write(path, "")
    assert.equal(10, r:get(WAIT))
    assert.equal(11, moil.send("add", { 5, 6 }, { depends_on = done }):get(WAIT))
    local group = moil.group(add(1, 1), add(2, 2)):delay()
    assert.equal(3, moil.chain(add(1, 1), add(1)):apply_async({ depends_on = group }):get(WAIT))
  end)

  it("does by its policy when one fails", function()
    local bad = moil.send("fail")
    bad:get { timeout = 20, propagate = false }
    local function state(options)
      options[1] = bad.id
      local r = moil.send("add", { 1, 1 }, { depends_on = options })
      local value, err = r:get { timeout = 20, propagate = false }
      return { r:state(), value or err.code }
    end
    assert.same({ "FAILURE", "DependencyFailed" }, state {})
    assert.same({ "REVOKED", "DependencyFailed" }, state { on_failure = "revoke" })
    assert.same({ "SUCCESS", 2 }, state { allow_failure = true })
  end)

  it("refuses ids that nobody knows", function()
    local err = select(2, pcall(moil.send, "add", { 1 }, { depends_on = { "nobody" } }))
    assert.equal("UnknownJob", err.code)
    assert.matches("nobody", err.message)
  end)
end)

describe("map, starmap and chunks", function()
  it("call a task with many items", function()
    assert.same({ 3, 4 }, run(moil.map("add", { 3, 4 })))
    assert.same({ 3, 7 }, run(moil.starmap("add", { { 1, 2 }, { 3, 4 } })))
    assert.same({ { 3, 7 }, { 11 } }, run(moil.chunks("add", { { 1, 2 }, { 3, 4 }, { 5, 6 } }, 2)))
    assert.same({ 1, 2 }, run(moil.chain(s("list", { 1, 2 }), moil.map("add"))))
    assert.equal("TaskNotRegistered", (failure(moil.map("nobody", { 1 }))).code)
  end)
end)

describe("self:replace", function()
  it("ends the job by what takes its place", function()
    assert.equal(6, here:call("replaced", "job", 5))
    assert.equal(16, here:call("replaced", "chain", 5))
    assert.same({ 6, 7 }, here:call("replaced", "group", 5))
    assert.equal(13, here:call("replaced", "chord", 5))
    assert.equal(0, here:call("replaced", "again", 5))
    local err = here:failure("replaced", { "fail" })
    assert.same({ "BROKEN", "instead" }, { err.code, err.message })
    assert.is_false(has_note "pcall caught")
  end)

  it("keeps the job's place in its workflow", function()
    assert.equal(26, run(moil.chain(s("replaced", { "chain", 5 }), add(10))))
    assert.equal(13, run(moil.chain(s("replaced", { "group", 5 }), sum())))
    assert.equal(15, run(moil.chord({ s("replaced", { "chord", 5 }), add(1, 1) }, sum())))
  end)
end)

describe("an id", function()
  it("given to a workflow is that of its handle; again, nothing is enqueued", function()
    local function start()
      return moil.chain(add(1, 1), s("note", { "once" })):apply_async { id = "my-workflow" }
    end
    local r = start()
    assert.same({ "my-workflow", true }, { r.id, r.created })
    r:get(WAIT)
    assert.is_false(start().created)
  end)
end)

describe("when all is done", function()
  it("nothing is left over", function()
    local function call(...) return here.redis:call(...) end
    support.wait_until(function()
      return call("HLEN", "{moil}:deferred") == 0 and call("HLEN", "{moil}:links") == 0
        and call("LLEN", "{moil}:advancing") == 0
    end, 20, function()
      return ("nothing deferred: %s; links %s; advancing %s"):format(
        support.json_encode(call("HGETALL", "{moil}:deferred")),
        support.json_encode(call("HGETALL", "{moil}:links")), call("LLEN", "{moil}:advancing"))
    end)
    for _, key in ipairs(call("KEYS", "{moil}:*")) do
      if key:find("^{moil}:members:") or key:find("^{moil}:parts:")
        or key:find("^{moil}:workflow:") then
        assert(call("TTL", key) > 0, key .. " stays for ever")
      end
    end
    local audit = support.moil { "inspect", "audit", redis = here.url }
    assert.equal(0, audit.code, audit.stdout .. audit.stderr)
  end)
end)

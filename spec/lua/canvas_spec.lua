-- lua/moil/canvas.lua and signature.lua: what can be written down, and what is refused at once; the
-- plans that a few workflows become; the tasks that moil brings along for them.

local driver = require "spec.lua.driver"
local vm_driver = require "spec.vm.driver"

local moil, add, s

before_each(function()
  moil = driver.open()
  add = moil.task("math.add", { queue = "sums" }, function(x, y) return x + y end)
  s = moil.signature
end)

local function wrong(f, ...) return driver.error_of(f, ...).message end

describe("a signature", function()
  it("takes more arguments in front of its own, and options, and can be copied", function()
    local two = add:s(2, nil)
    assert.same({ 1, 2, n = 3 }, two:clone(1).args)
    assert.same({ 2, n = 2 }, two.args)
    assert.same({ 2, n = 1 }, add:si(2):clone(1).args)
    local copy = two:clone()
    copy:set { queue = "x", countdown = 5 }
    assert.same({}, two.options)
    assert.same({ queue = "x", eta = 7 }, copy:set({ eta = 7 }).options)
    assert.equal(copy, copy:link(two))
    copy:on_error(add:s()):on_error(add:s())
    assert.same({ 1, 2 }, { #copy.options.link == 0 and 1, #copy.options.link_error })
  end)

  it("by name is immutable where its options say so", function()
    local one = s("x", { 2 }, { queue = "q", immutable = true })
    assert.is_true(one.immutable)
    assert.same({ queue = "q" }, one.options)
    assert.same({ 2 }, one:clone(1).args)
    assert.is_true(one:clone().immutable)
    local other = s("x", { 2 })
    assert.is_false(other.immutable)
    assert.is_true(other:set({ immutable = true }).immutable)
    assert.is_false(one:set({ immutable = false }).immutable)
    assert.is_true(one:set({ immutable = true }):set({ queue = "p" }).immutable)
    assert.matches("x: immutable must be a boolean", wrong(s, "x", {}, { immutable = 1 }))
    assert.matches("unknown option 'immutable'", wrong(moil.send, "x", {}, { immutable = true }))
    assert.matches("chain: unknown option 'immutable'",
      wrong(function() moil.chain(add:s()):set { immutable = true } end))
  end)

  it("is one job of a workflow, or several", function()
    assert.equal("moil.Signature math.add", tostring(add:s()))
    assert.equal("moil.Signature chain", tostring(moil.chain(add:s(), add:s())))
    assert.equal("moil.Signature group", tostring(moil.group()))
    assert.equal(3, #moil.chain(moil.chain(add:s(), add:s()), add:s()).steps)
    assert.equal(2, #moil.group { add:s(), add:s() }.members)
    assert.equal(2, #moil.chain(moil.chain(add:s()):set { queue = "x" }, add:s()).steps)
    assert.equal("group", moil.chord(moil.chain(add:s()), add:s()).header.kind)
  end)

  it("is refused where it cannot be", function()
    assert.equal("moil.chain: step 2 is no signature (such as add:s(1, 2))",
      wrong(moil.chain, add:s(), 5))
    assert.equal("moil.chain: step 1 is a task, not a signature: give math.add:s(…)",
      wrong(moil.chain, add))
    assert.equal("moil.chain: it needs at least one signature", wrong(moil.chain))
    assert.equal("moil.chain: it needs at least one signature", wrong(moil.chain, {}))
    assert.equal("moil.group: member 1 is no signature (such as add:s(1, 2))", wrong(moil.group, 1))
    assert.matches("moil.chord: takes a list of signatures", wrong(moil.chord, 5, add:s()))
    assert.matches("moil.chord: member 1 is no signature", wrong(moil.chord, { 5 }, add:s()))
    assert.matches("moil.chord: the body %(second argument%) is no sign", wrong(moil.chord, {}))
    assert.matches("signature:link: the callback is a task",
      wrong(function() add:s():link(add) end))
    assert.matches("signature:on_error: the callback is no",
      wrong(function() add:s():on_error() end))
    assert.equal("math.add: options must be a table",
      wrong(moil.signature, "math.add", { 1 }, 5))
    assert.equal("chain: unknown option 'quue', did you mean 'queue'?",
      wrong(function() moil.chain(add:s()):set { quue = "x" } end))
    assert.matches("group: priority must be", wrong(function()
      moil.group(add:s()):set { priority = 11 }
    end))
    assert.matches("kwargs are for single jobs", wrong(function()
      moil.group(add:s()):apply_async { kwargs = { a = 1 } }
    end))
    assert.matches("chain: member_failure is an option of groups", wrong(function()
      moil.chain(add:s()):set { member_failure = "fail" }
    end))
    assert.matches('chord: member_failure must be "fail", "revoke"', wrong(moil.chord, { add:s() },
      add:s(), { member_failure = "x" }))
    assert.matches("chain: countdown and eta exclude", wrong(function()
      moil.chain(add:s()):set { countdown = 1, eta = 5 }
    end))
    assert.matches("math.add: options must be a table", wrong(function() add:s():set(5) end))
    assert.matches("math.add: unknown option 'que'", wrong(s, "math.add", {}, { que = 1 }))
  end)

  it("of a list of calls is a map, a starmap or chunks", function()
    local map = add:map { 1, 2 }
    assert.same({ "moil.map", { { 1, 2 }, n = 1 }, "math.add", true },
      { map.task, map.args, map.options.kwargs.task, map.immutable })
    assert.same({ 0, false }, { add:map().args.n, moil.map("math.add").immutable })
    assert.equal("sums", map:describe().queue)
    assert.equal("other", map:set({ queue = "other" }):describe().queue)
    assert.equal("moil.starmap", moil.starmap(add, { { 1, 2 } }).task)
    local chunks = add:chunks({ { 1, 1 }, { 2, 2 }, { 3, 3 } }, 2)
    assert.same({ { { 1, 1 }, { 2, 2 } }, n = 1 }, chunks.members[1].args)
    assert.same({ { { 3, 3 } }, n = 1 }, chunks.members[2].args)
    assert.matches("moil.map: takes a task", wrong(moil.map, 5, {}))
    assert.matches("moil.map: takes a list", wrong(moil.map, add, 5))
    assert.matches("moil.starmap: item 2 must be a list of arguments",
      wrong(moil.starmap, add, { {}, 5 }))
    assert.matches("the size of a chunk", wrong(moil.chunks, add, { {} }, 0))
    assert.matches("moil.map: it has its items", wrong(function() add:map({ 1 }):delay(2) end))
    assert.matches("moil.starmap: it has its items", wrong(function()
      add:starmap({ { 1 } }):clone(2)
    end))
    assert.matches("moil.chunks: it has its items", wrong(function() chunks:delay(2) end))
    assert.same({ 2, n = 1 }, add:map():clone(2).args)
    assert.equal("moil.map", add:map({ 1 }):clone().task)
  end)
end)

-- --- plans --------------------------------------------------------------------------------------

local function compile(tree)
  local count = 0
  local call = require "moil.call"
  return require "moil.plan".compile(tree, {
    new_id = function()
      count = count + 1
      return "i" .. count
    end,
    describe = call.describe, queue_of = call.queue_of,
  })
end

-- "ID TASK OPEN LINKS" of each node
local function nodes_of(tree)
  local lines = {}
  local compiled = compile(tree)
  for i, spec in ipairs(compiled.nodes) do
    lines[i] = ("%s %s %d %s"):format(spec.id, spec.task, spec.open, spec.links or "-")
  end
  return lines, compiled
end

describe("a plan", function()
  it("of a chain is a job behind the other", function()
    local lines, compiled = nodes_of(moil.chain(add:s(1), add:s(2), add:si(3)))
    assert.same({ "i1 math.add 1 w-i1 ", "i3 math.add 1 nFi1 ", "i2 math.add 0 sFi3 " }, lines)
    assert.same({ true, nil }, { compiled.nodes[3].extra.linked, compiled.nodes[2].extra.linked })
    assert.same({ "i2 job - math.add", "i3 job i2 math.add", "i1 job i3 math.add" }, compiled.lines)
    assert.same({ "i1", "i3", "i2" }, { compiled.root.id, compiled.root.parent.id,
      compiled.root.parent.parent.id })
  end)

  it("of a group has a record for it", function()
    local lines, compiled = nodes_of(moil.group(add:s(1), add:s(2)))
    assert.same({ "i1 moil.group 2 w-i1 ", "i2 math.add 0 mFi1 ", "i3 math.add 0 mFi1 " }, lines)
    assert.same({ { "i1", { "i2", "i3" } } }, compiled.members)
    assert.same({ "mF", "i1" }, { compiled.nodes[1].args[1], compiled.nodes[2].extra.group_id })
    assert.same({ "i1 group - moil.group" }, compiled.lines)
  end)

  it("of a chord holds the members' results for its body", function()
    local lines, compiled = nodes_of(moil.chord({ add:s(1), add:s(2) }, add:s(),
      { member_failure = "collect" }))
    assert.same({ "i1 math.add 1 w-i1 u-i2 w-i2 ", "i2 moil.group 2 nFi1 ",
      "i3 math.add 0 hAi2 ", "i4 math.add 0 hAi2 " }, lines)
    assert.same({ "i2", true }, { compiled.nodes[1].extra.gather, compiled.nodes[3].extra.linked })
  end)

  it("fans out to many by a list", function()
    local members = {}
    for i = 1, 17 do members[i] = add:s(i) end
    local _, compiled = nodes_of(moil.chain(add:s(1), moil.group(members)))
    local first = compiled.nodes[#compiled.nodes]
    local list = first.links:match("^SF(%S+) w%-%1 $")
    assert.equal(list, compiled.members[2][1])
    assert.equal(17, #compiled.members[2][2])
    members[17] = nil
    _, compiled = nodes_of(moil.chain(add:s(1), moil.group(members)))
    assert.equal(16, select(2, compiled.nodes[#compiled.nodes].links:gsub("sF", "")))
  end)

  it("has a collector where several take a group's value", function()
    local lines = nodes_of(moil.chain(moil.group(add:s(1)), moil.group(add:s(2), add:s(3))))
    local collectors = {}
    for _, line in ipairs(lines) do
      collectors[#collectors + 1] = line:match("moil.collect 1 (.*)")
    end
    assert.equal(1, #collectors)
    assert.matches("^sFi%d+ sFi%d+ u%-(i%d+) w%-%1 $", collectors[1])
  end)

  it("runs what moil adds where its neighbours run", function()
    local _, compiled = nodes_of(moil.chain(moil.group(add:s(1)), moil.group(add:s(2), add:s(3))))
    for _, spec in ipairs(compiled.nodes) do
      if spec.task == "moil.collect" then assert.equal("sums", spec.queue) end
    end
    _, compiled = nodes_of(moil.chord({}, add:s(1)))
    assert.same({ "moil.collect", "sums", { {}, n = 1 } }, { compiled.nodes[2].task,
      compiled.nodes[2].queue, compiled.nodes[2].args })
  end)

  it("hands options down: to all, to the first or to the last jobs", function()
    local _, compiled = nodes_of(moil.chain(add:s(1), add:s(2):set { queue = "own" }):set {
      queue = "all", priority = 7, countdown = 3, id = "last", link = add:si() })
    local by_id = {}
    for _, spec in ipairs(compiled.nodes) do by_id[spec.id] = spec end
    local first, last = compiled.nodes[#compiled.nodes], by_id.last
    assert.same({ "all", 7, 3 }, { first.queue, first.priority, first.delay })
    assert.same({ "own", 7, nil }, { last.queue, last.priority, last.delay })
    assert.equal("last", compiled.wid)
    assert.matches("c%-", last.links)
  end)

  it("waits for jobs outside", function()
    local lines, compiled = nodes_of(add:s(1):set {
      depends_on = { "a", moil.result "b", "a", on_failure = "revoke" } })
    assert.same({ "i1 math.add 2 k-a k-b " }, lines)
    assert.same({ { "a", "nRi1" }, { "b", "nRi1" } }, compiled.deps)
    assert.same({}, compiled.lines)
    lines, compiled = nodes_of(moil.chain(add:s(1), add:s(2):set {
      depends_on = { "a", allow_failure = true } }))
    assert.equal("i2 math.add 0 sAi1 ", lines[2])
    assert.same({ { "a", "nAi1" } }, compiled.deps)
  end)

  it("waits for them once, with however many jobs", function()
    local members = {}
    for i = 1, 1001 do members[i] = add:s(i) end
    local compiled = compile(moil.group(members):set { depends_on = { "a", "b" } })
    assert.equal(2, #compiled.deps)
    local list = compiled.deps[1][2]:match("^NF(%S+)$")
    assert.same({ { "a", "NF" .. list }, { "b", "NF" .. list } }, compiled.deps)
    local first = compiled.nodes[1]
    assert.equal(compiled.wid, first.id)
    assert.matches("k%-a k%-b w%-" .. list, first.links)
    for i = 2, 1002 do assert.equal(2, compiled.nodes[i].open) end
    for _, entry in ipairs(compiled.members) do assert.equal(1001, #entry[2]) end
    for i = 1, 1001 do
      members[i] = add:s(i):set { depends_on = { "a", allow_failure = i < 20 } }
    end
    compiled = compile(moil.group(members))
    assert.equal(2, #compiled.deps)
    assert.matches("^NA", compiled.deps[1][2])
    assert.matches("^NF", compiled.deps[2][2])
  end)

  it("lets one job wait for 1,000 at most", function()
    local ids, others = {}, {}
    for i = 1, 501 do ids[i], others[i] = "a" .. i, "b" .. i end
    local tree = moil.group(add:s(1):set { depends_on = ids }):set { depends_on = others }
    assert.matches("math.add: depends_on: 1002 ids, at most 1000 are taken", wrong(compile, tree))
  end)

  it("has bounds", function()
    local tree = add:s(1)
    for _ = 1, 63 do tree = moil.group(tree) end
    assert.equal(64, #compile(tree).nodes)
    tree = moil.group(tree)
    assert.matches("nested at most 64 levels", wrong(compile, tree))
    local own = add:s(1)
    own:on_error(own)
    assert.matches("or it contains itself", wrong(compile, own))
    local twice = moil.group(add:s(1), add:s(2))
    for _ = 1, 17 do twice = moil.group(twice, twice) end
    assert.matches("at most 100000 jobs", wrong(compile, twice))
    assert.matches("the id 'x' stands twice", wrong(compile, moil.group(add:s():set { id = "x" },
      add:s():set { id = "x" })))
  end)
end)

-- --- the tasks that every worker has ------------------------------------------------------------

describe("moil's own tasks", function()
  local vm = vm_driver.new { source = [[
    moil.task("add", function(x, y) return x and y and x + y end)
    moil.task("count", function(...) return select("#", ...) end)
    moil.task("fail", function(x) if x == 2 then error { code = "X", message = "two" } end end)
    moil.task("ask", { bind = true }, function(self) self:retry() end)
  ]] }

  local function run(task, args, name)
    local kind, value = vm_driver.run(vm, { task = task, args = args,
      kwargs = ('{"task":"%s"}'):format(name or "add") })
    return kind == "success" and value or value.code
  end

  it("call a task with each item", function()
    assert.same({ 3, 7 }, run("moil.starmap", "[[[1,2],[3,4]]]"))
    assert.same({ 2, 0, 3 }, run("moil.starmap", "[[[1,null],[],[1,2,null]]]", "count"))
    assert.same({ 1, 1 }, run("moil.map", "[[1,[2]]]", "count"))
    assert.same({}, run("moil.map", "[[]]"))
    assert.equal("X", run("moil.map", "[[1,2,3]]", "fail"))
  end)

  it("hand a value on", function()
    assert.same({ 1, { 2 } }, run("moil.collect", "[[1,[2]]]"))
  end)

  it("say what is wrong", function()
    assert.equal("TaskNotRegistered", run("moil.map", "[[1]]", "nope"))
    assert.equal("BadArgument", run("moil.map", "[5]"))
    assert.equal("BadArgument", run("moil.starmap", "[[5]]"))
    assert.equal("Error", run("moil.map", "[[1]]", "ask"))
  end)

  it("are shown to nobody, and their names are taken", function()
    for _, task in ipairs(vm:tasks()) do
      assert.is_nil((task.name or task):find "^moil%.")
    end
    assert.matches("names that begin with 'moil.' are those of moil's own tasks",
      vm_driver.load_error [[moil.task("moil.mine", print)]])
  end)
end)

describe("self", function()
  it("called as a function has no job to replace, and no group", function()
    local seen
    local task = moil.task("t", { bind = true }, function(self, f) seen = self return f(self) end)
    assert.matches("self:replace: t was called as a function", wrong(task, function(self)
      self:replace(add:s(1))
    end))
    assert.matches("self:add_to_group: t was called as a function", wrong(task, function(self)
      self:add_to_group(add:s(1))
    end))
    assert.matches("what takes the job's place is no signature", wrong(task, function(self)
      self:replace(5)
    end))
    assert.equal("t", seen.task)
  end)
end)

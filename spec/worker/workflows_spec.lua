local site = require "spec.support.site"
local support = require "spec.support"

-- Workflows as plain data, from moil.core down to the workers: what a group's results become for
-- the job that gets them, replacing, extending, bursts, and what a link costs. What canvases make
-- of it is spec/lua's.

local TASKS <const> = site.NOTE .. [[
local core = require "moil.core"
moil.task("echo", function(...) return { ... } end)
moil.task("value", function(...) return (select(1, ...)) end)
moil.task("inc", function(n) return n + 1 end)
moil.task("count", function(list, more) return #list + (more or 0) end)
moil.task("silent", { ignore_result = true }, function(n) return n end)
moil.task("fails", function() error { code = "OOPS", message = "on purpose" } end)
moil.task("text", function(n) return ("x"):rep(n) end)
moil.task("ids", { bind = true }, function(self) return { self.group_id, self.workflow_id } end)
moil.task("note", function(i) note(i) return i end)
moil.task("hooked", { bind = true, retry = moil.retry.fixed { max = 1, delay = 0 },
  on_failure = function(self, err) note("hook", err.code) end }, function() note "ran" end)
moil.task("replaced", { bind = true, on_success = function() note "never" end }, function(self, n)
  local token = core.submit { wid = self.id, stage_only = true, nodes = {
    { task = "inc", id = self.id, queue = self.queue, args = { n * 10 }, n = 1, priority = 5,
      extra = { linked = true } },
  } }
  pcall(core.stop, "replace", token)
  note "went on"
end)
moil.task("nothing.staged", { bind = true }, function() core.stop("replace", core.uuid()) end)
moil.task("submits", { bind = true }, function(self, n)
  local group, body, ids = core.uuid(), core.uuid(), {}
  local nodes = {
    { task = "count", id = body, queue = self.queue, args = {}, n = 0, priority = 5, open = 1,
      extra = { gather = group }, links = "u-" .. group .. " " },
    { task = "moil.group", id = group, queue = self.queue, args = {}, n = 0, priority = 5,
      open = n, links = "nF" .. body .. " " },
  }
  for i = 1, n do
    ids[i] = core.uuid()
    nodes[i + 2] = { task = "value", id = ids[i], queue = self.queue, args = { i }, n = 1,
      priority = 5, links = "hF" .. group .. " " }
  end
  core.submit { wid = body, nodes = nodes, members = { { group, ids } } }
  return moil.result(body):get { timeout = 60 }
end)
moil.task("grows", { bind = true }, function(self, group, n, last)
  local nodes = {}
  for i = 1, n do
    nodes[i] = { task = "value", id = core.uuid(), queue = self.queue, args = { i }, n = 1,
      priority = 5, links = "hF" .. group .. " " }
  end
  local more = core.extend(group, { nodes = nodes })
  return more
end)
]]

local here, moil, core

setup(function()
  here = site.open { tasks = TASKS, args = { "-w", "2", "-q", "default" } }
  moil = here.moil
  core = require "moil.core"
end)

-- A node; fields: open, links, extra, queue, id.
local function node(task, args, fields)
  local made = { task = task, id = core.uuid(), queue = "default", args = args, n = args.n or #args,
    priority = 5 }
  for k, v in pairs(fields or {}) do made[k] = v end
  return made
end

-- A body that gets what the members give; they are nodes, or lists: nested groups.
local function chord(body, members, policy, submit)
  local nodes, lists, groups = { body }, {}, {}
  local function add(list, up)
    local id, ids = core.uuid(), {}
    local group = node("moil.group", {}, { id = id, open = #list, links = up })
    groups[#groups + 1] = group
    nodes[#nodes + 1] = group
    local place = #lists + 1
    lists[place] = { id, ids }
    for i, member in ipairs(list) do
      local link = "h" .. (policy or "F") .. id .. " "
      if member.task then
        member.links = link .. (member.links or "")
        ids[i] = member.id
      else
        ids[i] = add(member, link)
      end
    end
    return id
  end
  local top = add(members, "nF" .. body.id .. " ")
  body.extra = { gather = top }
  body.open, body.links = 1, "u-" .. top .. " " .. (body.links or "")
  local function add_members(list)
    for _, member in ipairs(list) do
      if member.task then nodes[#nodes + 1] = member else add_members(member) end
    end
  end
  add_members(members)
  if submit ~= false then
    assert.is_true(core.submit { wid = body.id, nodes = nodes, members = lists })
  end
  return moil.result(body.id), top
end

local function chain(queue, ...)
  local nodes, links = {}, nil
  local steps <const> = { ... }
  for i = #steps, 1, -1 do
    local step = node(steps[i][1], steps[i][2], { open = i > 1 and 1 or 0, links = links,
      queue = queue, extra = { linked = true } })
    links = "sF" .. step.id .. " "
    nodes[#nodes + 1] = step
  end
  assert.is_true(core.submit { wid = nodes[1].id, nodes = nodes })
  return moil.result(nodes[1].id), nodes
end

local function values(n)
  local list = {}
  for i = 1, n do list[i] = node("value", { i }) end
  return list
end

describe("a job that gets a group's results", function()
  it("finds them first, in the group's order", function()
    local r = chord(node("echo", { "own", 7 }), values(3))
    assert.same({ { 1, 2, 3 }, "own", 7 }, r:get { timeout = 15 })
    r = chord(node("echo", {}), { node("value", { "x" }) })
    assert.same({ { "x" } }, r:get { timeout = 15 })
  end)

  it("reads them page by page", function()
    assert.equal(1307, chord(node("count", { 7 }), values(1300)):get { timeout = 15 })
  end)

  it("finds nested groups as nested lists", function()
    local r = chord(node("echo", {}), {
      node("value", { 1 }),
      { node("value", { 2 }), { node("value", { 3 }) }, node("value", { 4 }) },
      { node("value", { 5 }) }, node("value", { 6 }),
    })
    assert.same({ { 1, { 2, { 3 }, 4 }, { 5 }, 6 } }, r:get { timeout = 15 })
    local many, wanted = {}, {}
    for i = 1, 40 do many[i], wanted[i] = { node("value", { i }) }, { i } end
    assert.same({ wanted }, chord(node("echo", {}), many):get { timeout = 15 })
  end)

  it("finds errors where failures are allowed, and where no result was kept", function()
    local members = { node("fails", {}), node("value", {}), node("silent", { 5 }) }
    local r = chord(node("echo", {}), members, "A")
    local list = r:get { timeout = 15 }[1]
    assert.equal("OOPS", list[1].error.code)
    assert.equal(moil.null, list[2])
    assert.equal("UnknownJob", list[3].error.code)
  end)

  it("gets what a task that keeps no results returns, where it is linked", function()
    local silent = node("silent", { 5 }, { extra = { linked = true } })
    assert.same({ { 5 } }, chord(node("echo", {}), { silent }):get { timeout = 15 })
  end)

  it("fails with TooLarge where they are too many bytes, and tells its hooks", function()
    local queue = "large"
    local small = here:worker { "-w", "1", "-q", queue, "--max-payload", "1024" }
    local members = {}
    for i = 1, 20 do members[i] = node("text", { 900 }, { queue = queue }) end
    local r = chord(node("hooked", {}, { queue = queue }), members)
    local _, err = r:get { timeout = 15, propagate = false }
    assert.equal("TooLarge", err.code)
    assert.is_truthy(err.message:find("more than the 16384 bytes", 1, true))
    assert.same({ "hook TooLarge" }, here:notes())
    small:kill("TERM")
    assert.equal(0, small:wait(15))
  end)

  it("fails with TooLarge where groups are nested too deep", function()
    local members = { node("value", { 1 }) }
    for _ = 1, 64 do members = { members } end
    local _, err = chord(node("echo", {}), members):get { timeout = 15, propagate = false }
    assert.equal("TooLarge", err.code)
    assert.is_truthy(err.message:find("deeper than 64", 1, true))
  end)

  it("fails where the group is not known", function()
    local body = node("echo", {}, { extra = { gather = "nobody" } })
    core.submit { wid = body.id, nodes = { body } }
    local _, err = moil.result(body.id):get { timeout = 15, propagate = false }
    assert.equal("UnknownJob", err.code)
  end)

  it("gets them through lost connections", function()
    local bodies = {}
    for i = 1, 8 do bodies[i] = chord(node("count", {}), values(600)) end
    for _ = 1, 10 do
      here.redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      support.native.poll({}, 0.02)
    end
    for _, r in ipairs(bodies) do assert.equal(600, r:get { timeout = 30 }) end
  end)
end)

describe("a workflow that a job makes", function()
  it("gets in through lost connections", function()
    local results = {}
    for i = 1, 4 do results[i] = moil.send("submits", { 2000 }) end
    for _ = 1, 10 do
      support.native.poll({}, 0.02)
      here.redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    end
    for _, r in ipairs(results) do assert.equal(2000, r:get { timeout = 60 }) end
  end)
end)

describe("a job of a workflow", function()
  it("knows its group and its workflow", function()
    local id = core.uuid()
    core.submit { wid = id, nodes = {
      node("ids", {}, { id = id, extra = { group_id = "g", workflow_id = "w" } }),
    } }
    assert.same({ "g", "w" }, moil.result(id):get { timeout = 15 })
  end)

  it("hands its result on, in front of the next one's arguments", function()
    local r = chain("default", { "value", { { 1 } } }, { "echo", { 2 } }, { "echo", {} },
      { "echo", { 3 } })
    assert.same({ { { { 1 }, 2 } }, 3 }, r:get { timeout = 15 })
    assert.equal(5, chain("default", { "silent", { 4 } }, { "inc", {} }):get { timeout = 15 })
  end)

  it("is not made twice", function()
    local id = core.uuid()
    local plan = { wid = id, nodes = { node("value", { 1 }, { id = id }) } }
    assert.is_true(core.submit(plan))
    assert.is_false(core.submit(plan))
  end)
end)

describe("self:replace's stop", function()
  it("lets what was staged end in the job's place, whatever catches it", function()
    os.remove(here.dir .. "/notes")
    assert.equal(41, moil.send("replaced", { 4 }):get { timeout = 15 })
    assert.equal(52, chain("default", { "value", { 5 } }, { "replaced", {} }, { "inc", {} }):get {
      timeout = 15 })
    assert.same({}, here:notes())
  end)

  it("fails a job that has staged nothing", function()
    local err = here:failure("nothing.staged", {})
    assert.equal("BadMessage", err.code)
  end)
end)

describe("a group that grows", function()
  it("waits for what its own member adds", function()
    local grows = node("grows", {})
    local body = node("count", {})
    local r, group = chord(body, { grows }, "F", false)
    grows.args, grows.n = { group, 600 }, 2
    assert.is_true(core.submit { wid = body.id, members = { { group, { grows.id } } }, nodes = {
      body, node("moil.group", {}, { id = group, open = 1, links = "nF" .. body.id .. " " }), grows,
    } })
    assert.equal(601, r:get { timeout = 15 })
    assert.is_false(core.extend(group, { nodes = { node("value", { 1 }, {
      links = "hF" .. group .. " " }) } }))
  end)
end)

describe("a page", function()
  it("has the members of a group", function()
    local r, group = chord(node("echo", {}), { node("value", { 1 }), node("value", { "b" }),
      { node("value", { 1 }) } })
    r:get { timeout = 15 }
    local total, open, ids, states, texts = core.gather(group, 0, 250)
    assert.same({ 3, 0 }, { total, open })
    assert.equal(3, #ids)
    assert.same({ "SUCCESS", "SUCCESS", "GROUP" }, states)
    assert.same({ "1", '"b"', "" }, texts)
    assert.same({ "", "" }, (select(5, core.gather(group, 1, 2, "s"))))
  end)

  it("is of something that is known", function()
    local ok, err = pcall(core.gather, "nobody", 0, 10)
    assert.is_false(ok)
    assert.equal("UnknownJob", err.code)
  end)
end)

describe("--burst", function()
  local function burst(queue)
    local worker = here:worker { "--burst", "-q", queue, "-w", "1", "-c", "4", unready = true }
    assert.equal(0, worker:wait(30), worker:report())
  end

  it("runs chains to their end", function()
    local steps = { { "value", { 0 } } }
    for i = 2, 60 do steps[i] = { "inc", {} } end
    local r = chain("b.chain", table.unpack(steps))
    burst "b.chain"
    assert.equal(59, r:get { timeout = 15 })
  end)

  it("runs what one script could not release", function()
    local members, ids = {}, {}
    local group, head = core.uuid(), node("value", { 1 }, { queue = "b.fan" })
    local body = node("count", {}, { queue = "b.fan", open = 1, extra = { gather = group },
      links = "u-" .. group .. " " })
    for i = 1, 1200 do
      members[i] = node("value", { i }, { queue = "b.fan", open = 1, links = "hF" .. group .. " " })
      ids[i] = members[i].id
    end
    head.links = "NF" .. group .. " "
    core.submit { wid = body.id, members = { { group, ids } }, nodes = {
      body, node("moil.group", {}, { id = group, open = 1200, links = "nF" .. body.id .. " " }),
      table.unpack(members),
    } }
    core.submit { wid = head.id, nodes = { head } }
    burst "b.fan"
    assert.equal(1200, moil.result(body.id):get { timeout = 15 })
  end)
end)

describe("a link", function()
  it("costs one round trip", function()
    local function trips()
      local n = 0
      local stats = here.redis:call("INFO", "commandstats")
      for name, calls in stats:gmatch("cmdstat_(%w+):calls=(%d+)") do
        if name == "evalsha" or name == "blpop" then n = n + calls end
      end
      return n
    end
    local idle = here:worker { "-w", "1", "-c", "1", "-q", "trips" }
    local steps = { { "value", { 0 } } }
    for i = 2, 200 do steps[i] = { "inc", {} } end
    chain("trips", table.unpack(steps)):get { timeout = 30 } -- scripts are loaded
    local before = trips()
    assert.equal(199, chain("trips", table.unpack(steps)):get { timeout = 30 })
    -- Others ask every few seconds, too; a second for each link would be 400.
    assert.is_true(trips() - before <= 300, trips() - before .. " for 200 links")
    idle:kill("TERM")
    assert.equal(0, idle:wait(15))
  end)
end)

describe("a plan", function()
  local function refused(code, text, plan)
    local ok, err = pcall(core.submit, plan)
    assert.is_false(ok)
    assert.equal(code, err.code)
    assert.is_truthy(err.message:find(text, 1, true), err.message)
  end

  it("is refused with one line where it is none", function()
    refused("BadArgument", "there is no job", { wid = "w", nodes = {} })
    refused("BadArgument", "an id is", { nodes = { node("value", {}) } })
    refused("BadArgument", "first job", { wid = "other", nodes = { node("value", {}) } })
    refused("BadArgument", "open is", { wid = "w", nodes = { node("value", {}, { open = -1 }) } })
    refused("BadArgument", "members are", { wid = "w", nodes = { node("value", {}) },
      members = { "g" } })
    refused("BadArgument", "deps are", { wid = "w", nodes = { node("value", {}) }, deps = { "g" } })
    refused("UnknownJob", "no job under the id nobody", { wid = "w2", nodes = {
      node("value", {}, { id = "w2", open = 1 }) }, deps = { { "nobody", "nFw2" } } })
  end)

  it("is refused where it is too large", function()
    local one <const> = node("value", {})
    local nodes, deps = {}, {}
    for i = 1, 100001 do nodes[i] = one end
    refused("TooLarge", "a workflow of 100001 jobs", { wid = "w", nodes = nodes })
    for i = 1, 1001 do deps[i] = { "a", "nFw" } end
    refused("TooLarge", "depends_on: a workflow with 1001 ids",
      { wid = "w", nodes = { one }, deps = deps })
    refused("TooLarge", "more than the 1048576 bytes", { wid = "w", nodes = {
      node("value", { ("x"):rep(1048577) }) } })
  end)
end)

it("leaves nothing behind", function()
  local audit = support.moil { "inspect", "audit", redis = here.redis }
  assert.equal(0, audit.code, audit.stdout)
  for _, key in ipairs { "deferred", "links", "advancing", "faults" } do
    assert.equal(0, here.redis:call("EXISTS", "{moil}:" .. key), key)
  end
end)

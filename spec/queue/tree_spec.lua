-- Workflows as trees: src/queue/tree.c, tree_order.c and tree_json.c.

local support = require "spec.support"

local BAD_MESSAGE <const> = -8

-- { "ID KIND AFTER TASK" = state, … } as a list of pairs, to workflow.lua's reply.
local function reply_of(lines)
  local reply = { #lines // 2, table.unpack(lines) }
  return reply
end

local function members_of(list)
  return { #list // 3, 0, table.unpack(list) }
end

local function tree(wid, lines, members, errors)
  local pages = {}
  for gid, list in pairs(members or {}) do pages[gid] = members_of(list) end
  local text = assert(support.units.tree.json(wid, reply_of(lines), pages, errors or {}))
  return support.json_decode(text)
end

-- A sequence in short: "a", "(a b)" for a chain, "g[x (y z)]" for a group, "a{link}" for callbacks.
local draw

local function draw_each(list)
  local out = {}
  for i, item in ipairs(list) do out[i] = draw(item) end
  return table.concat(out, " ")
end

function draw(item)
  if item.kind == "chain" then return "(" .. draw_each(item.steps) .. ")" end
  local text = item.id
  if item.members then text = text .. "[" .. draw_each(item.members) .. "]" end
  if item.links then text = text .. "{" .. draw_each(item.links) .. "}" end
  return text
end

local function shape(...)
  return draw_each(tree(...).tree)
end

describe("a workflow's tree", function()
  it("is a chain, in its order and whatever that of the lines", function()
    local lines = { "c job b t.c", "DEFERRED", "a job - t.a", "SUCCESS", "b job a t.b", "STARTED" }
    local got = tree("c", lines)
    assert.equal("(a b c)", draw_each(got.tree))
    assert.same({ "c", 3, { SUCCESS = 1, STARTED = 1, DEFERRED = 1 } },
      { got.id, got.jobs, got.states })
    local steps = got.tree[1].steps
    assert.same({ id = "a", kind = "job", task = "t.a", state = "SUCCESS" }, steps[1])
    assert.same({ id = "b", kind = "job", task = "t.b", state = "STARTED", after = "a" }, steps[2])
  end)

  it("is a group with its members in order, which need no lines", function()
    local got = tree("g", { "g group - moil.group", "DEFERRED" },
      { g = { "m1", "SUCCESS", "t", "m2", "FAILURE", "t", "m3", "UNKNOWN", "" } })
    assert.equal("g[m1 m2 m3]", draw_each(got.tree))
    local group = got.tree[1]
    assert.same({ "group", "DEFERRED", 3, { SUCCESS = 1, FAILURE = 1, UNKNOWN = 1 }, nil },
      { group.kind, group.state, group.count, group.states, group.task })
    assert.same({ id = "m1", kind = "job", task = "t", state = "SUCCESS", group = "g" },
      group.members[1])
    assert.same({ 3, { SUCCESS = 1, FAILURE = 1, UNKNOWN = 1 } }, { got.jobs, got.states })
  end)

  it("is a chord: a group and its body", function()
    assert.equal("(g[m1 m2] body)", shape("body",
      { "body job g t.sum", "DEFERRED", "g group - moil.group", "DEFERRED" },
      { g = { "m1", "PENDING", "t", "m2", "PENDING", "t" } }))
  end)

  it("has chains as members, of which the group knows the last job", function()
    assert.equal("g[m1 (a b c) m3]", shape("g",
      { "g group - moil.group", "DEFERRED", "a job - t", "SUCCESS", "b job a t", "SUCCESS",
        "c job b t", "SUCCESS" },
      { g = { "m1", "PENDING", "t", "c", "SUCCESS", "t", "m3", "PENDING", "t" } }))
  end)

  it("has groups and chords as members", function()
    assert.equal("g[h[x y] (k[z] body)]", shape("g",
      { "g group - moil.group", "DEFERRED", "h group - moil.group", "DEFERRED",
        "k group - moil.group", "DEFERRED", "body job k t", "DEFERRED" },
      { g = { "h", "GROUP", "", "body", "DEFERRED", "t" },
        h = { "x", "PENDING", "t", "y", "PENDING", "t" }, k = { "z", "PENDING", "t" } }))
  end)

  it("has members that wait for what their group comes after", function()
    local got = tree("g", { "g group a moil.group", "DEFERRED", "a job - t", "STARTED" },
      { g = { "m1", "DEFERRED", "t", "m2", "DEFERRED", "t" } })
    assert.equal("(a g[m1 m2])", draw_each(got.tree))
    local members = got.tree[1].steps[2].members
    assert.same({ "a", "a" }, { members[1].after, members[2].after })
  end)

  it("fans out from a chain's step, whatever the members' heads name", function()
    for _, before in ipairs { "a", "g" } do
      assert.equal("(a g[m1 (p q) h[x (y z)]] end)", shape("end",
        { "end job g t", "DEFERRED", "g group a moil.group", "DEFERRED", "a job - t", "STARTED",
          "p job " .. before .. " t", "DEFERRED", "q job p t", "DEFERRED",
          "h group " .. before .. " moil.group", "DEFERRED", "y job a t", "DEFERRED",
          "z job y t", "DEFERRED" },
        { g = { "m1", "DEFERRED", "t", "q", "DEFERRED", "t", "h", "GROUP", "" },
          h = { "x", "DEFERRED", "t", "z", "DEFERRED", "t" } }))
    end
  end)

  it("has callbacks beside its jobs, which may be workflows themselves", function()
    local lines = {
      "b job a t", "DEFERRED", "a job - t", "STARTED", "e error a t.alert", "DEFERRED",
      "x link b t", "DEFERRED", "y group x moil.group", "DEFERRED", "z job y t", "DEFERRED",
      "p job x t", "DEFERRED", "q job p t", "DEFERRED", "le error m t", "DEFERRED",
    }
    local members = { y = { "q", "DEFERRED", "t", "m", "DEFERRED", "t" } }
    assert.equal("(a{e} b{(x y[(p q) m{le}] z)})", shape("b", lines, members))
    local steps = tree("b", lines, members).tree[1].steps
    assert.same({ "failure", "a" }, { steps[1].links[1].on, steps[1].links[1].after })
    assert.equal("success", steps[2].links[1].steps[1].on)
  end)

  it("shows a failed job's error in short", function()
    local got = tree("a", { "a job - t", "FAILURE" }, {},
      { a = '{"code":"E","message":"no","traceback":"long"}', b = "{}" })
    assert.same({ code = "E", message = "no" }, got.tree[1].error)
    for _, text in ipairs { "", "{", "[1]", '"no"' } do
      assert.is_nil(tree("a", { "a job - t", "FAILURE" }, {}, { a = text }).tree[1].error)
    end
    assert.same({ code = "é" }, tree("a", { "a job - t", "FAILURE" }, {},
      { a = '{"code":"é","message":7}' }).tree[1].error)
  end)

  it("shows what fits nowhere beside it", function()
    assert.equal("a (x y) l", shape("a",
      { "a job - t", "SUCCESS", "y job x t", "SUCCESS", "x job gone t", "SUCCESS",
        "l link nowhere t", "DEFERRED" }))
    assert.equal("a", shape("unknown", { "a job - t", "SUCCESS" }))
    assert.equal("a", shape("a", { "a job - t", "SUCCESS", "a job - t", "PENDING" }))
    assert.equal("", shape("a", {}))
  end)

  it("follows no loop for ever", function()
    assert.equal("a", shape("a", { "a job a t", "SUCCESS" }))
    assert.equal("(b c a)", shape("a", { "a job c t", "SUCCESS", "b job a t", "SUCCESS",
      "c job b t", "SUCCESS" }))
    assert.equal("g[]", shape("g", { "g group - moil.group", "SUCCESS" },
      { g = { "g", "GROUP", "" } }))
    assert.equal("g[h[]]", shape("g", { "g group - moil.group", "SUCCESS" },
      { g = { "h", "GROUP", "" }, h = { "g", "GROUP", "", "h", "GROUP", "" } }))
    assert.equal("a (x y)", shape("a", { "a job - t", "SUCCESS", "y job x t", "SUCCESS",
      "x job y t", "SUCCESS" }):gsub("%(y x%)", "(x y)"))
  end)

  it("takes a member once, for the first group that names it", function()
    assert.equal("(h[x] g[m])", shape("g",
      { "g group h moil.group", "DEFERRED", "h group - moil.group", "SUCCESS" },
      { g = { "m", "PENDING", "t", "m", "PENDING", "t" }, h = { "x", "SUCCESS", "t" } }))
  end)

  it("refuses what is no such reply", function()
    local function refused(...)
      local text, code = support.units.tree.json(...)
      assert.same({ nil, BAD_MESSAGE }, { text, code })
    end
    refused("a", {}, {}, {})
    refused("a", 7, {}, {})
    refused("a", { 1, "a job", "SUCCESS" }, {}, {})
    refused("a", { 1, "", "SUCCESS" }, {}, {})
    refused("a", { 1, 5, "SUCCESS" }, {}, {})
    refused("g", { 1, "g group - moil.group", "SUCCESS" }, { g = { 1, 0, 5, 5, 5 } }, {})
    refused("g", { 1, "g group - moil.group", "SUCCESS" }, { g = { 1 } }, {})
  end)

  it("stands groups in groups, to a depth that readers of JSON take", function()
    local lines, members = {}, {}
    for i = 1, 500 do
      lines[#lines + 1] = ("g%d group - moil.group"):format(i)
      lines[#lines + 1] = "DEFERRED"
      members["g" .. i] = { "g" .. i + 1, "GROUP", "" }
    end
    local depth, item = 0, tree("g1", lines, members).tree[1]
    while item.members and item.members[1] do
      depth, item = depth + 1, item.members[1]
    end
    assert.equal(100, depth)
    assert.equal(1, item.count)
  end)

  it("holds twenty thousand jobs", function()
    local lines, members = { "g group - moil.group", "DEFERRED" }, {}
    for i = 1, 2000 do
      members[#members + 1] = "c9x" .. i
      members[#members + 1] = "SUCCESS"
      members[#members + 1] = "t"
      for k = 0, 9 do
        lines[#lines + 1] = ("c%dx%d job %s t"):format(k, i, k == 0 and "-" or
          ("c%dx%d"):format(k - 1, i))
        lines[#lines + 1] = "SUCCESS"
      end
    end
    local page = { #lines // 2 }
    table.move(lines, 1, #lines, 2, page)
    local pages = { g = { 2000, 0 } }
    table.move(members, 1, #members, 3, pages.g)
    local got = support.json_decode(assert(support.units.tree.json("g", page, pages, {})))
    assert.same({ 20000, 2000, 10 },
      { got.jobs, #got.tree[1].members, #got.tree[1].members[2000].steps })
  end)
end)

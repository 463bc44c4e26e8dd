-- Which scripts put a workflow in, with what, and what their replies mean: src/queue/graph.c.

local units = require("spec.support").units.graph

local MB <const> = 1 << 20

-- Sends a plan; `answers`: a reply for each script's name, a list of them, or a function.
-- → code, created, is it in, token, the steps: { script, arguments… }
local function send(plan, answers)
  local steps = {}
  plan.id = plan.id or plan.nodes[1] and plan.nodes[1].id
  local function answer(script, args)
    table.insert(args, 1, script)
    steps[#steps + 1] = args
    local found = answers and answers[script]
    if type(found) == "function" then return found(args, #steps) end
    if found then return found end
    return script == "advance" and 0 or script == "stage" and 1 or { 1, 0 }
  end
  local code, created, is_in, token = units.run(plan, answer)
  return code, created, is_in, token, steps
end

local function node(id, fields)
  local n = { id = id, args = "[]", links = "" }
  for k, v in pairs(fields or {}) do n[k] = v end
  return n
end

local function nodes(count, fields)
  local list = {}
  for i = 1, count do list[i] = node("n" .. i, fields) end
  return list
end

-- The entries of a step: { { "J", id, record, plan, links } … }
local function entries(step)
  local list, at = {}, step[1] == "accept" and 5 or step[1] == "stage" and 4 or 3
  while at <= #step do
    local kind = step[at]
    local n = kind == "J" and 5 or kind == "D" and 3 or 3 + tonumber(step[at + 2])
    list[#list + 1] = { table.unpack(step, at, at + n - 1) }
    at = at + n
  end
  return list
end

local function ids_of(steps)
  local ids = {}
  for _, step in ipairs(steps) do
    for _, entry in ipairs(step[1] ~= "advance" and step[5] and entries(step) or {}) do
      if entry[1] == "J" then ids[#ids + 1] = entry[2] end
    end
  end
  return ids
end

describe("a small workflow", function()
  it("goes in one script", function()
    local code, created, is_in, token, steps = send {
      nodes = {
        node("c", { open = 1, args = "[3]" }), node("b", { open = 2, links = "sFc ", due_ms = 5000,
          relative = 1 }), node("d", { due_ms = 1767225600000 }),
        node("a", { links = "sFb mFg ", at_front = 1 }),
      },
      members = { { "g", { "a", "x" } }, { "empty", {} } },
      lines = { "c job b t", "b job a t" },
    }
    assert.same({ 0, true, true }, { code, created, is_in })
    assert.same({
      { "accept", token, "c", "0",
        "J", "c", "J1 q 0 0 0 0 0 t 3 0 0\n[3]", "1", "",
        "M", "g", "2", "a", "x",
        "W", "c", "2", "c job b t", "b job a t",
        "J", "b", "J1 q 0 0 0 0 0 t 2 0 0\n[]", "2 +5000", "sFc ",
        "J", "d", "J1 q 0 0 0 0 0 t 2 0 0\n[]", "0 1767225600000", "",
        "J", "a", "J1 q 0 0 0 0 0 t 2 0 0\n[]", "0 f", "sFb mFg " },
    }, steps)
    assert.equal(36, #token)
  end)

  it("may be there already", function()
    local code, created, is_in = send({ nodes = nodes(1) }, { accept = { 0, 0 } })
    assert.same({ 0, false, true }, { code, created, is_in })
  end)

  it("is seen to until nothing is left", function()
    local left = 3
    local code, created, _, _, steps = send({ nodes = nodes(2) }, {
      accept = { 1, 1 }, advance = function() left = left - 1 return left > 0 and 1 or 0 end,
    })
    assert.same({ 0, true, 4 }, { code, created, #steps })
    assert.same({ "advance", "250" }, steps[2])
  end)

  it("does not see to others' for ever", function()
    local code, _, _, _, steps = send({ nodes = nodes(1) }, { accept = { 1, 1 }, advance = 1 })
    assert.equal(0, code)
    assert.is_true(#steps < 100)
  end)

  it("puts those that wait for others behind its own job, and then these others", function()
    local _, _, _, _, steps = send {
      nodes = nodes(5), deps = { { "other", "nFn4" }, { "two", "nRn2" }, { "other", "nAn2" } },
    }
    local kinds = {}
    for i, entry in ipairs(entries(steps[1])) do kinds[i] = entry[1] .. " " .. entry[2] end
    assert.same({ "J n1", "J n2", "J n4", "D other", "D two", "D other", "J n3", "J n5" }, kinds)
  end)
end)

describe("a large workflow", function()
  it("is staged in batches, then accepted", function()
    local list, members = nodes(1003), {}
    for i = 2, 1003 do members[i - 1] = "n" .. i end
    local code, created, is_in, token, steps = send { nodes = list, members = { { "g", members } } }
    assert.same({ 0, true, true }, { code, created, is_in })
    assert.same({ "accept", token, "n1", tostring(#steps - 1) }, steps[#steps])
    local seen = 0
    for i = 1, #steps - 1 do
      assert.same({ "stage", token, tostring(i) }, { table.unpack(steps[i], 1, 3) })
      local weight = 0
      for _, entry in ipairs(entries(steps[i])) do
        weight = weight + (entry[1] == "J" and 4 or #entry - 3)
        if entry[1] == "M" then
          assert.is_true(#entry - 3 <= 250)
          for k = 4, #entry do
            seen = seen + 1
            assert.equal(members[seen], entry[k])
          end
        end
      end
      assert.is_true(weight < 1250, weight)
    end
    assert.equal(1002, seen)
    local wanted = {}
    for i = 1, 1003 do wanted[i] = "n" .. i end
    assert.same(wanted, ids_of(steps))
  end)

  it("is cut by bytes, too", function()
    local list = nodes(7, { args = '["' .. ("x"):rep(MB // 2) .. '"]' })
    local _, _, _, _, steps = send { nodes = list }
    assert.equal(5, #steps)
    assert.same({ "n1", "n2", "n3", "n4", "n5", "n6", "n7" }, ids_of(steps))
  end)

  it("sends a step again whose reply got lost, as it was", function()
    local lost = {}
    local function sometimes(reply)
      return function(args)
        local key = args[1] .. (args[3] or "")
        lost[key] = (lost[key] or 0) + 1
        return lost[key] == 2 and reply
      end
    end
    local code, created, _, _, steps = send({ nodes = nodes(600) }, {
      stage = sometimes(1), accept = sometimes { 1, 1 }, advance = sometimes(0),
    })
    assert.same({ 0, true, 10 }, { code, created, #steps })
    for i = 1, 10, 2 do assert.same(steps[i], steps[i + 1]) end
  end)
end)

describe("what replaces a job", function()
  it("is staged, however small", function()
    local code, _, _, token, steps = send { aim = "stage", nodes = nodes(1) }
    assert.equal(0, code)
    assert.equal(1, #steps)
    assert.same({ "stage", token, "1", "J" }, { table.unpack(steps[1], 1, 4) })
  end)
end)

describe("more members for a group", function()
  it("go in batches", function()
    local code, created, _, _, steps = send { aim = "extend", id = "g", nodes = nodes(600) }
    assert.same({ 0, true, 3 }, { code, created, #steps })
    assert.same({ "extend", "g", "J", "n1" }, { table.unpack(steps[1], 1, 4) })
    assert.equal(600, #ids_of(steps))
  end)

  it("are not taken when it has ended", function()
    local plan = { aim = "extend", id = "g", nodes = nodes(600) }
    local code, created = send(plan, { extend = { 0, 0 } })
    assert.same({ 0, false }, { code, created })
    code = send(plan, { extend = function(_, n) return { n == 1 and 1 or 0, 0 } end })
    assert.equal(-16, code)
  end)
end)

describe("a plan", function()
  it("is refused where it is none", function()
    for text, plan in pairs {
      ["a workflow's first job must be the one of its id"] = { id = "x", nodes = nodes(2) },
      ["depends_on: at most 200 jobs of a workflow can wait for others"] = (function()
        local deps = {}
        for i = 2, 202 do deps[i - 1] = { "other", "nFn" .. i } end
        return { nodes = nodes(300), deps = deps }
      end)(),
      ["depends_on: at most 8388608 bytes of arguments for all jobs that wait for others"] = {
        nodes = nodes(9, { args = '["' .. ("x"):rep(MB) .. '"]' }), deps = (function()
          local deps = {}
          for i = 1, 9 do deps[i] = { "other", "nFn" .. i } end
          return deps
        end)(),
      },
    } do
      local code, message = send(plan)
      assert.is_true(code < 0)
      assert.equal(text, message)
    end
  end)

  it("cannot be of nothing", function()
    assert.equal(-2, (send { id = "x", nodes = {} }))
    assert.equal(-2, (send { nodes = nodes(1), deps = { { "other", "nF" } } }))
  end)

  it("gets replies that are none refused", function()
    for _, reply in ipairs { 1, "x", { } } do
      assert.equal(-8, (send({ nodes = nodes(1) }, { accept = reply })))
    end
  end)

  it("has errors of its own explained", function()
    assert.equal("depends_on: no job under the id abc: never enqueued, or its result has expired",
      units.explain(-7, { err = "UNKNOWN dep abc" }))
    assert.is_nil(units.explain(-7, { err = "UNKNOWN dep " }))
    assert.equal("the id abc is in use: another job has it",
      units.explain(-2, { err = "INUSE abc" }))
    assert.is_nil(units.explain(-5, { err = "ERR x" }))
  end)
end)

-- The judge of workflows: that it passes what is right, and that it fails on each planted fault.

local dump = require "spec.chaos.dump"
local dice = require "spec.chaos.dice"
local judge = require "spec.chaos.judge"
local ledger = require "spec.chaos.ledger"
local schedule = require "spec.chaos.schedule"

-- Two members of a group `g`, of which `b` is the chord's body, and an error callback of that; all
-- has succeeded. `change` breaks it.
local function new_case()
  return {
    book = {
      "try m1 node 0 1.0", "node m1 - - g F", "ack m1 1.1",
      "try m2 node 0 1.0", "node m2 - - g F", "ack m2 1.1",
      "try g group 0 1.0", "node g m1,m2 - - F", "ack g 1.1",
      "try b body 0 1.0", "node b g [m1,m2] - F", "ack b 1.1",
      "try e errback 0 1.0", "node e b error,b - E", "ack e 1.1",
    },
    runs = {
      m1 = "start m1 0 20 10 inc 2.0\nfed m1 -\nstop m1 0 20 10 inc 2.1",
      m2 = "start m2 0 20 10 inc 2.0\nfed m2 -\nstop m2 0 20 10 inc 2.1",
      b = "start b 0 20 10 inc 2.2\nfed b [m1,m2]\nstop b 0 20 10 inc 2.3",
    },
    states = { m1 = "SUCCESS", m2 = "SUCCESS", g = "SUCCESS", b = "SUCCESS" },
    values = { m1 = '"m1"', m2 = '"m2"', g = "null", b = '"b"' },
    dead = {},
  }
end

local function text_of(lines)
  local list = {}
  for _, line in pairs(lines) do list[#list + 1] = line end
  return table.concat(list, "\n")
end

local function verdict(change)
  local c = new_case()
  if change then change(c) end
  local records = {}
  for id, state in pairs(c.states) do
    local value = c.values[id]
    records[id] = dump.record(("R1 %s default 5 0 1 1 1 1 9 inc chaos.x %d 0\n%s"):format(state,
      #value, value))
  end
  return judge.verdict(judge.case {
    books = { ledger.parse(table.concat(c.book, "\n")), ledger.parse(text_of(c.runs)) },
    dump = { records = records, lists = {}, inflight = {}, recovering_ids = {}, delayed = {},
      dead = c.dead },
    killed = {}, fenced = {}, cuts = {},
  })
end

local function assert_fault(pattern, change)
  local faults = verdict(change)
  assert.equal(1, #faults, table.concat(faults, "\n"))
  assert.matches(pattern, faults[1])
end

local DEPENDENT <const> = '{"code":"DependencyFailed","dependency":"m2"}'

-- m2 has failed by itself, and the rest by that.
local function fail(c)
  c.book[4] = "try m2 bust 0 1.0"
  c.states.m2, c.values.m2, c.dead = "FAILURE", '{"code":"Doomed"}', { "m2" }
  c.states.g, c.values.g = "FAILURE", DEPENDENT
  c.states.b, c.values.b = "FAILURE", DEPENDENT
  c.runs.b = nil
  c.states.e, c.values.e = "SUCCESS", '"e"'
  c.runs.e = "start e 0 20 10 inc 2.4\nfed e error,b\nstop e 0 20 10 inc 2.5"
end

-- The group lets its members fail, and its body gets an error in the place of the result.
local function collect(c)
  fail(c)
  local fresh = new_case()
  for _, id in ipairs { "g", "b" } do
    c.states[id], c.values[id] = fresh.states[id], fresh.values[id]
  end
  c.book[8] = "node g m1,m2 - - M"
  c.runs.b = "start b 0 20 10 inc 2.2\nfed b [m1,!]\nstop b 0 20 10 inc 2.3"
  c.states.e, c.values.e, c.runs.e = nil, nil, nil
end

describe("the judge of workflows", function()
  it("passes what is right", function()
    assert.same({}, verdict())
    assert.same({}, verdict(fail))
    assert.same({}, verdict(collect))
  end)

  it("passes what a revoked group takes along", function()
    assert.same({}, verdict(function(c)
      fail(c)
      c.book[4] = "try m2 node 0 1.0"
      c.book[#c.book + 1] = "revoking g false 1.5\nrevoked g REVOKED 1.6"
      c.states.g, c.values.g = "REVOKED", '{"code":"Revoked"}'
      c.states.m2, c.values.m2, c.dead = "REVOKED", '{"code":"Revoked"}', {}
      c.runs.m2 = nil
    end))
  end)

  it("passes a dependent that is revoked by its policy", function()
    local function revoke(c)
      fail(c)
      c.book[11] = "node b g [m1,m2] - R"
    end
    assert_fault("FAILURE, not REVOKED", revoke)
    assert.same({}, verdict(function(c)
      revoke(c)
      c.states.b = "REVOKED"
    end))
  end)

  it("finds a body that has not run, or was not enqueued in the end", function()
    assert_fault("SUCCESS, and never ran", function(c) c.runs.b = nil end)
    assert.matches("lost: acknowledged", verdict(function(c)
      c.states.b, c.runs.b = nil, nil
    end)[1])
  end)

  it("finds a body that was given too little, too much, nothing, or in another order", function()
    for _, feed in ipairs { "[m1]", "[m1,m2,m2]", "[m2,m1]", "m1,m2", "[[m1,m2]]", "-" } do
      assert_fault("was given", function(c)
        c.runs.b = c.runs.b:gsub("fed b %S+", "fed b " .. feed)
      end)
    end
    assert_fault("was given nothing", function(c) c.runs.b = c.runs.b:gsub("fed b %S+\n", "") end)
  end)

  it("finds an error in the place of a result that was good", function()
    assert_fault("was given %[!,!%]", function(c)
      collect(c)
      c.runs.b = c.runs.b:gsub("m1", "!", 1)
    end)
  end)

  it("finds a failure that nothing before it explains", function()
    assert_fault("though all that it needs succeeded", function(c)
      c.states.b, c.values.b, c.runs.b = "FAILURE", DEPENDENT, nil
      c.states.e, c.values.e = "SUCCESS", '"e"'
      c.runs.e = "start e 0 20 10 inc 2.4\nfed e error,b\nstop e 0 20 10 inc 2.5"
    end)
  end)

  it("finds a dependent that ran although it could not", function()
    assert_fault("DependencyFailed, and yet it ran", function(c)
      fail(c)
      c.runs.b = new_case().runs.b
    end)
    local faults = verdict(function(c)
      fail(c)
      c.runs.b, c.states.b, c.values.b = new_case().runs.b, "SUCCESS", '"b"'
      c.states.e, c.values.e, c.runs.e = nil, nil, nil
    end)
    assert.same({ "job b (body): ran, though g failed", "job b (body): SUCCESS, though g failed" },
      faults)
  end)

  it("finds an error callback that was called in vain, or not, or with another's id", function()
    assert_fault("called, though nothing failed", function(c)
      c.runs.e = "start e 0 20 10 inc 2.4\nfed e error,b\nstop e 0 20 10 inc 2.5"
    end)
    assert_fault("never called, though b failed", function(c)
      fail(c)
      c.states.e, c.runs.e = nil, nil
    end)
    assert_fault("was given error,g", function(c)
      fail(c)
      c.runs.e = c.runs.e:gsub("error,b", "error,g")
    end)
  end)

  it("finds a part that has not ended, and a group with a result", function()
    assert_fault("a group with a result", function(c) c.values.g = '"g"' end)
  end)

  it("finds a failure of a dependent in the dead set", function()
    assert_fault("in the dead set", function(c)
      fail(c)
      c.dead = { "m2", "b" }
    end)
  end)
end)

describe("the judge of the schedule", function()
  local function verdict_of(...) return schedule.faults { history = { ... } } end

  it("passes ticks that came once each, whatever was passed over", function()
    assert.same({}, verdict_of("1200 1203 c fired e", "800 1100 - skipped_late e",
      "400 400 a fired e"))
  end)

  it("finds one that came twice, off the grid, or early", function()
    assert.same({ "tick 400: happened twice" },
      verdict_of("400 401 a fired e", "400 402 b fired e"))
    assert.same({ "tick 500: is no multiple of its interval" }, verdict_of "500 501 a fired e")
    assert.same({ "tick 400: came 1 ms before its time" }, verdict_of "400 399 a fired e")
  end)

  it("finds a job of it that no tick tells of, and one that never ran", function()
    local function faults_of(history, runs)
      local record = 'R1 SUCCESS default 5 0 1 1 1 1 9 inc chaos.tick 3 0\n"a"'
      return judge.verdict(judge.case {
        books = { ledger.parse(runs) }, killed = {}, fenced = {}, cuts = {},
        dump = { records = { a = dump.record(record) }, history = history, lists = {},
          inflight = {}, recovering_ids = {}, delayed = {}, dead = {} },
      })
    end
    local run = "start a 0 20 10 inc 2.0\nstop a 0 20 10 inc 2.1"
    assert.same({}, faults_of({ "400 401 a fired e" }, run))
    assert.matches("nobody enqueued it", faults_of({}, run)[1])
    assert.matches("never ran", faults_of({ "400 401 a fired e" }, "")[1])
  end)
end)

describe("the weaver", function()
  it("draws the same from the same seed, ids that differ, and needs that exist", function()
    local weaver = require "spec.chaos.weaver"
    for seed = 1, 200 do
      local _, nodes = weaver.draw(dice.new(seed, "w"), "w" .. seed, "dep")
      local _, again = weaver.draw(dice.new(seed, "w"), "w" .. seed, "dep")
      assert.same(nodes, again)
      local known = { dep = true }
      for _, node in ipairs(nodes) do
        assert.is_nil(known[node.id])
        known[node.id] = true
      end
      for _, node in ipairs(nodes) do
        for _, id in ipairs(node.needs) do assert.is_true(known[id], id) end
      end
    end
  end)
end)

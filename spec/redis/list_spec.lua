-- list.lua: jobs in one place, a page at a time.

local world = require "spec.redis.world"

describe("list", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  local function ids(place, queue, offset, limit)
    local found, reply = {}, w:eval("list", place, queue, offset, limit)
    for i = 1, #reply - 2, 3 do found[#found + 1] = reply[i] end
    return table.concat(found, " "), reply[#found * 3 + 1]
  end

  -- All pages: how many calls that were, and the ids, joined.
  local function walk(place, queue, limit)
    local calls, found, position = 0, {}, "0"
    while position do
      local page
      page, position = ids(place, queue, position, limit)
      calls = calls + 1
      if page ~= "" then found[#found + 1] = page end
      assert.is_true(calls < 1000)
    end
    return calls, table.concat(found, " ")
  end

  it("pages through a queue in the order of running", function()
    w:enqueue("q", 5, { "d", "e", "f" })
    w:enqueue("q", 9, { "a", "b" })
    w:enqueue("q", 7, { "c" })
    assert.equal("a b c d e f", ids("pending", "q", 0, 250))
    assert.equal("a", ids("pending", "q", 0, 1))
    assert.equal("b c d", ids("pending", "q", 1, 3))
    assert.equal("d e", ids("pending", "q", 3, 2))
    assert.equal("f", ids("pending", "q", 5, 9))
    assert.equal("", ids("pending", "q", 6, 9))
    assert.equal("", ids("pending", "none", 0, 9))
    assert.same({ "a", world.record { queue = "q", level = 9 }, "", "1" }, w:eval("list",
      "pending", "q", 0, 1))
    assert.same({ "f", "6" }, { ids("pending", "q", 5, 1) })
    assert.same({ "f" }, { ids("pending", "q", 5, 2) })
    assert.same({ 4, "a b c d e f" }, { walk("pending", "q", 2) })
  end)

  it("takes no more than 1 MB of records at a time, but one job", function()
    local args = ("[%q]"):format(("x"):rep(400000))
    local jobs = { "a", "b", "c", "d", "e" }
    w:enqueue("q", 5, jobs, { args = args })
    w:schedule({ "u", "v", "x", "y", "z" }, 1000, { args = args })
    assert.equal("a b c", (ids("pending", "q", 0, 250)))
    assert.same({ 2, "a b c d e" }, { walk("pending", "q", 250) })
    assert.same({ 2, "u v x y z" }, { walk("delayed", "", 250) })
    w:fetch(5, { "q" })
    assert.equal(2, (walk("inflight", "", 250)))
    w:reset()
    w:enqueue("q", 5, { "huge", "small" }, { args = ("[%q]"):format(("x"):rep(2000000)) })
    assert.same({ "huge", "1" }, { ids("pending", "q", 0, 250) })
  end)

  it("pages through what is delayed, the earliest first", function()
    w:schedule({ "c" }, 3000)
    w:schedule({ "a" }, 1000)
    w:schedule({ "b" }, 2000)
    assert.equal("a b c", ids("delayed", "", 0, 250))
    assert.same({ "b", world.record {}, "2000", "2" }, w:eval("list", "delayed", "", 1, 1))
  end)

  it("pages through what is in flight, with notes and workers", function()
    w:eval("join", "worker-2", "node")
    w:enqueue("default", 5, { "a", "b", "c" })
    w:fetch(2)
    w:fetch(1, nil, "worker-2")
    w:eval("progress", w.worker, 0, "a", "PROGRESS w 5\n{}")
    local seen = {}
    for offset = 0, 3 do
      local reply = w:eval("list", "inflight", "", offset, 1)
      if offset == 3 then assert.same({}, reply) else seen[reply[1]] = reply[3] end
    end
    assert.same({ a = "PROGRESS w 5\n{}\n\nworker-1", b = "\n\nworker-1", c = "\n\nworker-2" },
      seen)
  end)

  it("shows the entry of a job that was deleted, without a record",
    function()
    w:enqueue("q", 5, { "a", "b" })
    w:eval("delete", "a")
    assert.same({ "a", "", "", "1" }, w:eval("list", "pending", "q", 0, 1))
  end)

  it("deferred: with how many ends they wait for", function()
    local nodes = {}
    for i = 1, 30 do nodes[i] = { "j" .. i, plan = i .. " f" } end
    w:accept { nodes = nodes }
    local seen, total = {}, 0
    for offset = 0, 30, 10 do
      local page = w:eval("list", "deferred", "", offset, 10)
      for i = 1, #page - 2, 3 do
        assert.equal(world.record {}, page[i + 1])
        assert.equal("j" .. page[i + 2], page[i])
        total = total + (seen[page[i]] and 0 or 1)
        seen[page[i]] = true
      end
    end
    assert.equal(30, total)
  end)

  it("deferred: goes on where the page before has ended, and looks at few at a time", function()
    local entries, record = {}, world.record {}
    for i = 1, 10000 do
      entries[#entries + 1] = "j" .. i
      entries[#entries + 1] = "1"
      if #entries == 1000 then
        w:key("HSET", "deferred", table.unpack(entries))
        for k = 2, #entries, 2 do entries[k] = record end
        w:key("HSET", "jobs", table.unpack(entries))
        entries = {}
      end
    end
    local seen, total, position, calls = {}, 0, "0", 0
    while position do
      local page = w:eval("list", "deferred", "", position, 250)
      for i = 1, #page - 2, 3 do
        total = total + (seen[page[i]] and 0 or 1)
        seen[page[i]] = true
      end
      position, calls = #page % 3 == 1 and page[#page] or nil, calls + 1
    end
    assert.equal(10000, total)
    assert.is_true(calls <= 100)
    local before = tonumber(w.redis:call("INFO", "commandstats"):match("cmdstat_hscan:calls=(%d+)"))
    local page = w:eval("list", "deferred", "", 9990, 250)
    local after = tonumber(w.redis:call("INFO", "commandstats"):match("cmdstat_hscan:calls=(%d+)"))
    assert.equal(1, #page) -- no job yet, and where to go on
    assert.is_true(after - before <= 10)
    calls = 1
    while #page == 1 do
      page, calls = w:eval("list", "deferred", "", page[1], 250), calls + 1
    end
    assert.equal(10 * 3, #page)
    assert.is_true(calls <= 10)
  end)

  it("deferred: takes no more than 1 MB of records at a time", function()
    local nodes, text = {}, ("[%q]"):format(("x"):rep(300000))
    for i = 1, 10 do nodes[i] = { "j" .. i, plan = "1 f", args = text } end
    w:accept { nodes = nodes }
    local calls, all = walk("deferred", "", 250)
    local _, count = all:gsub("j%d+", "")
    assert.same({ 3, 10 }, { calls, count })
  end)
end)

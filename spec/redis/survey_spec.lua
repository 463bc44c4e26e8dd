-- survey.lua: pages of the structures. state_spec.lua compares them with the model's.

local world = require "spec.redis.world"

describe("survey", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  -- All pages: how many there were, what was listed, and the suspects; both sorted.
  local function survey(what, name, limit)
    local cursor, listed, suspects, pages = "0", {}, {}, 0
    repeat
      local reply = w:eval("survey", what, cursor, limit or 250, name or "")
      cursor = reply[1]
      table.move(reply[2], 1, #reply[2], #listed + 1, listed)
      table.move(reply[3], 1, #reply[3], #suspects + 1, suspects)
      pages = pages + 1
    until cursor == "0"
    table.sort(listed)
    table.sort(suspects)
    return pages, listed, suspects
  end

  local function ids_of(count)
    local ids = {}
    for i = 1, count do ids[i] = ("%04d"):format(i) end
    return ids
  end

  it("of nothing is one empty page", function()
    for _, what in ipairs { "jobs", "delayed", "dead", "running", "waiters", "lists" } do
      assert.same({ 1, {}, {} }, { survey(what) })
    end
    assert.same({ 1, { w.worker }, {} }, { survey "incarnations" })
    assert.same({ 1, {}, {} }, { survey("list", "q:5") })
    assert.same({ 1, {}, {} }, { survey("inflight", w.worker) })
  end)

  it("names lists and incarnations, those under recovery too", function()
    w:enqueue("a", 5, { "1" })
    w:enqueue("a", 7, { "2" })
    w:enqueue("b", 0, { "3" })
    w:eval("condemn", w.worker, "loss", "-", "{}")
    w:eval("join", "next", "node")
    assert.same({ 1, { "a:5", "a:7", "b:0" }, {} }, { survey "lists" })
    assert.same({ 1, { "next", w.worker }, {} }, { survey "incarnations" })
  end)

  it("brings every job once or more, in pages", function()
    local ids = ids_of(1000)
    for i = 1, 1000, 250 do w:enqueue("q", 5, { table.unpack(ids, i, i + 249) }) end
    w:fetch(100, { "q" })
    local pages, listed, suspects = survey("jobs", "", 100)
    assert.is_true(pages >= 5)
    local seen = {}
    for _, id in ipairs(listed) do seen[id] = true end
    for i, id in ipairs(ids) do assert.equal(i > 100 or nil, seen[id]) end
    assert.same({}, suspects)
    assert.same({ 9, { table.unpack(ids, 101) }, {} }, { survey("list", "q:5", 100) })
    assert.equal(1, (survey("list", "q:5", 900)))
  end)

  it("leaves out no entry where some are fetched between two pages", function()
    w:enqueue("q", 5, ids_of(250))
    local first = w:eval("survey", "list", "0", 100, "q:5")
    w:fetch(80, { "q" })
    w:enqueue("q", 5, { "new1", "new2" })
    local second = w:eval("survey", "list", first[1], 100, "q:5")
    local seen = {}
    for _, page in ipairs { first, second } do
      for _, id in ipairs(page[2]) do seen[id] = true end
    end
    assert.equal("0", second[1])
    for i = 81, 250 do assert.is_true(seen[("%04d"):format(i)]) end
  end)

  it("suspects what is out of order, and no stale entry", function()
    w:enqueue("q", 5, { "stale", "norecord", "ended", "both", "other", "fine" })
    w:eval("delete", "stale")
    w:schedule({ "fine2" }, "+1000")
    w:key("HDEL", "jobs", "norecord")
    w:key("HSET", "jobs", "ended", world.outcome { minute = 7 })
    w:key("ZADD", "delayed", 1, "both")
    w:key("HSET", "jobs", "other", world.record { queue = "other" })
    w:key("ZADD", "dead", 1, "fine2")
    w:key("HSET", "running", "fine", "note")
    w:key("HSET", "waiters", "ended", "me ")
    w:key("SADD", "inflight:" .. w.worker, "ended", "fine2")
    assert.same({ "both", "ended", "norecord", "other" }, select(3, survey("list", "q:5")))
    assert.same({ "ended", "fine2" }, select(3, survey "jobs"))
    assert.same({ "fine2" }, select(3, survey "dead"))
    assert.same({ "fine" }, select(3, survey "running"))
    assert.same({ "ended" }, select(3, survey "waiters"))
    assert.same({ "ended" }, select(3, survey("inflight", w.worker)))
  end)

  it("lists what waits, and the ends that are to come", function()
    w:accept { nodes = { { "g", plan = "2 f", task = "moil.group", links = "k-x w-g " },
      { "m1", plan = "1", links = "mFg " }, { "m2", plan = "1", links = "hFg " },
      { "a", links = "SFg eFx DFg " } }, members = { { "g", "m1", "m2" } } }
    local _, listed = survey "deferred"
    assert.same({ "1", "1", "2", "g", "m1", "m2" }, listed)
    local _, targets, suspects = survey "links"
    assert.same({ { "g", "g", "m1", "m1", "m2", "m2", "x" }, {} }, { targets, suspects })
    w:key("HSET", "links", "ghost", "nFg ")
    _, _, suspects = survey "links"
    assert.same({ "ghost" }, suspects)
  end)
end)

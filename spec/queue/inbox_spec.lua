-- Waiting for jobs of others: src/queue/inbox.c.

local driver = require "spec.net.driver"
local world = require "spec.redis.world"

describe("the inbox", function()
  local w, l

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function()
    w:reset()
    l = driver.up(w.redis.url, "w")
  end)
  after_each(function() l:free() end)

  -- What the blocking connection would bring.
  local function deliver_all()
    while true do
      local message = w:key("LPOP", "inbox:owner")
      if not message then return end
      l.raw:deliver(message)
      l:pump(0)
    end
  end

  local function wait(id) return assert(l.raw:wait(id)) end

  -- The question is answered when a later one is.
  local function settled() l:eval("queues") end

  it("gets what has ended already at once", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } } }
    local event = l:until_tag(wait "a")
    assert.same({ "ended", world.outcome {} }, { event.kind, event.text })
    assert.is_false(l.raw:waits())
  end)

  it("learns that there is no such job", function()
    assert.equal("unknown", l:until_tag(wait "a").kind)
    assert.is_false(l.raw:waits())
  end)

  it("hears of progress, then of the end, each waiter of its own", function()
    w:enqueue("default", 5, { "a", "b" })
    w:fetch(2)
    local first, second, other = wait "a", wait "a", wait "b"
    settled()
    assert.equal(0, #l.events)
    w:eval("progress", w.worker, 1, "a", "MINE w 5\n{}")
    deliver_all()
    assert.same({ "progress", "MINE w 5\n{}" }, { l.events[1].kind, l.events[1].text })
    assert.equal(2, #l.events)
    l.events = {}
    w:settle { ended = { { minute = 0, { "a", world.outcome {} } } }, dropped = { "b" } }
    deliver_all()
    local kinds = {}
    for _, event in ipairs(l.events) do kinds[event.tag] = event.kind end
    assert.same({ [first] = "ended", [second] = "ended", [other] = "unknown" }, kinds)
    assert.is_false(l.raw:waits())
  end)

  it("hears of progress that was made before it asked", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    w:eval("progress", w.worker, 0, "a", "MINE w 5\n")
    assert.equal("progress", l:until_tag(wait "a").kind)
    assert.is_true(l.raw:waits())
  end)

  it("tells nothing to who gave up, before the answer and after", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    local tag = wait "a"
    l.raw:cancel(tag)
    assert.is_false(l.raw:waits())
    settled()
    local one, two = wait "a", wait "a"
    settled()
    l.raw:cancel(one)
    l.raw:cancel(one)
    w:settle { dropped = { "a" } }
    deliver_all()
    assert.equal(1, #l.events)
    assert.equal(two, l.events[1].tag)
  end)

  it("asks again: an end whose message was lost is found", function()
    local ids = {}
    for i = 1, 250 do ids[i] = "a" .. i end
    w:enqueue("default", 5, ids)
    w:fetch(250)
    w:enqueue("default", 5, { "more" })
    for _, id in ipairs(ids) do wait(id) end
    wait "more"
    settled()
    w:settle { dropped = { ids[7] } }
    w:key("DEL", "inbox:owner")
    l.raw:refresh()
    settled()
    assert.equal(1, #l.events)
    assert.equal("unknown", l.events[1].kind)
    assert.is_true(l.raw:waits())
  end)

  it("drops messages that are damaged, or for nobody", function()
    w:enqueue("default", 5, { "a" })
    wait "a"
    settled()
    for _, message in ipairs { "", "F", "\n", "F\n", "Xa\nwhat", "Fb\nother", "Fa", "Na\n",
      "fa\n" } do
      l.raw:deliver(message)
    end
    l:pump(0)
    assert.equal(0, #l.events)
    assert.is_true(l.raw:waits())
  end)

  it("refuses what cannot be an id", function()
    assert.same({ nil, -2 }, { l.raw:wait("") })
    assert.same({ nil, -2 }, { l.raw:wait(("x"):rep(201)) })
  end)

  it("tells when the question is refused for good, and waits on when it may yet be answered",
    function()
    w:enqueue("default", 5, { "a" })
    w:key("DEL", "jobs")
    w:key("SET", "jobs", "not a hash")
    local event = l:until_tag(wait "a")
    assert.same({ "failed", -5 }, { event.kind, event.err })
    assert.is_false(l.raw:waits())
    w:reset()
    w:enqueue("default", 5, { "a" })
    w.redis:call("SCRIPT", "FLUSH")
    w.shas = {}
    wait "a"
    settled()
    assert.is_true(l.raw:waits())
  end)
end)

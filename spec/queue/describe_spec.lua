-- Replies of the reading scripts as JSON: src/queue/describe.c.

local support = require "spec.support"
local world = require "spec.redis.world"
local queue = support.units.queue

local function describe_as(kind, reply, id)
  local text, err = queue.describe(kind, reply, id)
  return text and support.json_decode(text), err
end

describe("a job", function()
  local function job(reply) return describe_as("job", reply, "id-1") end

  it("that waits", function()
    local record = world.record { args = "[1]", kwargs = '{"k":2}', extra = '{"headers":{}}',
      enqueued = 1500000 }
    assert.same({ id = "id-1", task = "t", queue = "default", priority = 5, state = "PENDING",
      args = { 1 },
      kwargs = { k = 2 }, options = { headers = {} }, retries = 0, deliveries = 0,
        enqueued_at = 1.5 },
      job { record, "pending", "", "" })
  end)

  it("that is delayed, for the first time or for another try", function()
    local first = job { world.record {}, "delayed", "1700000000123", "" }
    assert.equal("SCHEDULED", first.state)
    assert.equal(1700000000.123, first.due_at)
    assert.equal("RETRY", job({ world.record { retries = 2 }, "delayed", "5", "" }).state)
  end)

  it("that runs", function()
    local noted = job { world.record { crashes = 1, losses = 1 }, "inflight", "w-1",
      'MINE w-1 2500000\n{"n":1}' }
    assert.same({ "MINE", { n = 1 }, "w-1", 2.5, 3 },
      { noted.state, noted.meta, noted.worker, noted.started_at, noted.deliveries })
    local young = job { world.record {}, "inflight", "w-1", "" }
    assert.same({ "STARTED", "w-1" }, { young.state, young.worker })
  end)

  it("that ended", function()
    local ok = job { world.outcome { value = '{"a":[]}', minute = 2, retries = 1 }, "ended", "",
      "" }
    assert.same({ id = "id-1", task = "t", queue = "default", priority = 5, state = "SUCCESS",
      result = { a = {} },
      retries = 1, deliveries = 1, enqueued_at = 1, started_at = 2, finished_at = 3,
        expires_at = 120,
      worker = "worker-1" }, ok)
    local dead = job { world.dead_record { args = "[7]" }, "dead", "99", "" }
    assert.same({ "FAILURE", { code = "Error" }, { 7 }, true }, { dead.state, dead.error,
      dead.args, dead.dead })
    local revoked = job { world.outcome { state = "REVOKED", value = '{"code":"Revoked"}',
      started = 0 }, "ended", "", "" }
    assert.equal("Revoked", revoked.error.code)
    assert.is_nil(revoked.started_at)
  end)

  it("that is damaged", function()
    assert.same({ id = "id-1", damaged = true }, job { "garbage", "pending", "", "" })
    assert.same({ id = "id-1", damaged = true }, job { "", "pending", "", "" })
    assert.same({ id = "id-1", damaged = true }, job { "R1 cut", "ended", "", "" })
  end)

  it("with bytes in its id and due time that nobody expects", function()
    local text = queue.describe("job", { world.record {}, "delayed", "99999999999999999999",
      "" }, 'i"d\n\255')
    assert.equal('i"d\n\u{FFFD}', support.json_decode(text).id)
    assert.is_not_nil(queue.describe("job", { world.record {}, "delayed", "-5", "" }, "a"))
    assert.is_not_nil(queue.describe("job", { world.record {}, "delayed", "inf", "" }, "a"))
  end)

  it("needs a reply of its shape", function()
    for _, reply in ipairs { {}, { "a" }, { "a", "b", "c", "d", "e" }, "text", 7 } do
      local text, err = queue.describe("job", reply, "a")
      assert.is_nil(text)
      assert.equal(-8, err)
    end
  end)
end)

describe("a page of jobs", function()
  local function page(kind, reply) return support.json_decode("[" .. queue.describe(kind,
    reply) .. "]") end

  it("in flight, with notes and workers", function()
    local jobs = page("inflight", { "a", world.record {}, 'MINE w-1 5\n"x"\n\nw-1', "b",
      world.record {}, "\n\nw-2" })
    assert.same({ "a", "MINE", "x", "w-1" }, { jobs[1].id, jobs[1].state, jobs[1].meta,
      jobs[1].worker })
    assert.same({ "b", "STARTED", "w-2" }, { jobs[2].id, jobs[2].state, jobs[2].worker })
  end)

  it("delayed and dead", function()
    assert.equal(1.5, page("delayed", { "a", world.record {}, "1500" })[1].due_at)
    assert.is_true(page("dead", { "a", world.dead_record(), "1500" })[1].dead)
  end)

  it("that is empty, or cut short", function()
    assert.same({}, page("dead", {}))
    assert.same({}, page("inflight", { "a", world.record {} }))
    assert.equal("a", page("inflight", { "a", world.record {}, "x" })[1].id)
    assert.equal("a", page("inflight", { "a", world.record {}, "\n" })[1].id)
    assert.equal("a", page("inflight", { "a", world.record {}, "" })[1].id)
  end)
end)

describe("queues", function()
  it("with their totals last", function()
    local header = "J1 high 5 0 0 0 1500000 t 2 0 0\n"
    assert.same({
      { queue = "high", pending = 3, paused = false, oldest_at = 1.5, delayed = 1, deferred = 2,
        in_flight = 3, dead = 4, enqueued = 5, replayed = 6, ended = 7 },
      { queue = "low", pending = 0, paused = true, delayed = 0, deferred = 0, in_flight = 0,
        dead = 0, enqueued = 0, replayed = 0, ended = 0 },
      { delayed = 4, deferred = 7, dead = 5, in_flight = 6 },
    }, describe_as("queues", { 4, 5, 6, 7,
      "high", "r95", 3, header, 1, 2, 3, 4, 5, 6, 7, "low", "p5", 0, "", 0, 0, 0, 0, 0, 0, 0 }))
    assert.same({ { delayed = 0, deferred = 0, dead = 0, in_flight = 0 } },
      describe_as("queues", { 0, 0, 0, 0 }))
  end)
end)

describe("nodes", function()
  it("with the age of their heartbeat", function()
    assert.same({
      { node = "a", node_id = "a/1", age = 1.5, alive = true, workers = {} },
      { node = "b", node_id = "b", age = 100, alive = false },
    }, describe_as("nodes", { "1000000", "a/1", "998500", '{"workers":[]}', "b", "900000", "{}" }))
    assert.same({}, describe_as("nodes", { "5" }))
  end)

  it("that are alive within the lease that they report", function()
    local nodes = describe_as("nodes",
      { "1000000", "a", "980000", '{"lease":60,"x":1}', "b", "998000", '{"lease":1}' })
    assert.same({ true, false }, { nodes[1].alive, nodes[2].alive })
  end)

  it("that are not alive have no health", function()
    local report = '{"health":"ok","trouble":"t","pid":7,"workers":[{"health":"ok","pid":8}]}'
    local nodes = describe_as("nodes", { "1000000", "a", "999000", report, "b", "1", report, "c",
      "1", '{"health":"ok"}' })
    assert.same({ "ok", "ok" }, { nodes[1].health, nodes[1].workers[1].health })
    assert.same({ node = "b", node_id = "b", age = 999.999, alive = false, pid = 7,
      workers = { { pid = 8 } } }, nodes[2])
    assert.same({ node = "c", node_id = "c", age = 999.999, alive = false }, nodes[3])
  end)

  it("whose entries are damaged", function()
    local nodes = describe_as("nodes", { "1000000", "a", "99999999999999999999", "{}" })
    assert.equal("a", nodes[1].node)
    for _, report in ipairs { '{"workers":', "{ }", "{}x", "[1]", "{,}" } do
      nodes = describe_as("nodes", { "1000000", "a", "998500", report, "b", "998500", '{"x":1}' })
      assert.same({ "a", 1 }, { nodes[1].node, nodes[2].x }, report)
    end
  end)
end)

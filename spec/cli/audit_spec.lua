-- `moil inspect audit`: 0 and the books where all is well, 6 and a line for each thing that is not.

local support = require "spec.support"

describe("moil inspect audit", function()
  local redis

  setup(function() redis = support.redis() end)
  teardown(function() redis:stop() end)
  before_each(function() redis:call("FLUSHALL") end)

  local function moil(...) return support.moil { redis = redis, ... } end

  local function call(...)
    local out = moil("call", ...)
    assert.equal(0, out.code, out.stderr)
    return (out.stdout:gsub("\n", ""))
  end

  local function key(command, name, ...) return redis:call(command, "{moil}:" .. name, ...) end

  -- The lines on stderr, and the object on stdout.
  local function audit(code)
    local out = moil("inspect", "audit", "--json")
    assert.equal(code, out.code, out.stdout .. out.stderr)
    local object = support.json_decode(out.stdout)
    assert.equal(code == 0, object.ok)
    local lines = {}
    for line in out.stderr:gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("^moil: ", "") end
    assert.same(lines, object.differences)
    return lines, object
  end

  -- Three jobs that wait, one that is delayed, and one in each other place.
  local function fill()
    for i = 1, 7 do call("t", "--id", "j" .. i, "--queue", "q") end
    call("t", "--id", "later", "--queue", "q", "--countdown", "100")
    support.eval_script(redis, "join", "{moil}:", "worker-1", "node")
    support.eval_script(redis, "fetch", "{moil}:", "worker-1", 3, "q")
    local record = "R1 FAILURE q 5 0 1 1 1 1 0 w t 2 0\n{}"
    support.eval_script(redis, "settle", "{moil}:", "worker-1", 2, 0, 1, "SUCCESS", "q", 1, "j1", 0,
      1, "j2", record, 0, 0)
    assert.equal(0, moil("revoke", "j7").code)
  end

  it("says that all is well, and how the books stand", function()
    assert.same({}, (audit(0)))
    assert.matches("^no queues yet.*\nrefused as too late: fetch 0, .*, late 0\n$",
      moil("inspect", "audit").stdout)
    fill()
    local _, object = audit(0)
    local q = object.queues[1]
    assert.same({ "q", 8, 3, 1, 0, 1, 1, true, true }, { q.queue, q.enqueued, q.pending, q.delayed,
      q.deferred, q.in_flight, q.dead, q.counted, q.ok })
    assert.same({ SUCCESS = 1, FAILURE = 0, REVOKED = 1, IGNORED = 0 }, q.ended)
    assert.same({ purged = 0, deleted = 0, trimmed = 0 }, q.discarded)
    for _, place in ipairs { "delayed", "dead", "in_flight" } do
      assert.same({ counted = 1, found = 1, ok = true }, object[place])
    end
    assert.matches("\nq +8 +3 +1 +1 +1 +SUCCESS 1, REVOKED 1 +0 +yes\n",
      moil("inspect", "audit").stdout)
  end)

  it("finds jobs that are missing, wherever they were", function()
    for what, damage in pairs {
      ["queue q: 8 enqueued, but 7 accounted for (-1): 5 in places, 2 ended, 0 discarded"] =
        function() key("LPOP", "queue:q:5") end,
      ["delayed jobs: 1 counted, 0 found"] = function() key("DEL", "delayed") end,
      ["dead jobs: 1 counted, 0 found"] = function() key("DEL", "dead") end,
      ["jobs in flight: 1 counted, 0 found"] = function() key("DEL", "inflight:worker-1") end,
    } do
      redis:call("FLUSHALL")
      fill()
      damage()
      assert.same({ what }, (audit(6)))
    end
  end)

  it("finds jobs that nobody enqueued", function()
    fill()
    key("RPUSH", "queue:q:5", "j4")
    key("ZADD", "delayed", 1, "j4")
    key("ZADD", "dead", 1, "j4")
    key("SADD", "inflight:worker-1", "j4")
    assert.same({
      "queue q: 8 enqueued, but 9 accounted for (+1): 7 in places, 2 ended, 0 discarded",
      "delayed jobs: 1 counted, 2 found",
      "dead jobs: 1 counted, 2 found",
      "jobs in flight: 1 counted, 2 found",
    }, (audit(6)))
    assert.matches("\nq .* no\n", moil("inspect", "audit").stdout)
  end)

  it("tells a queue that was never counted", function()
    fill()
    key("DEL", "counters:q")
    local lines, object = audit(6)
    assert.matches("^queue q: 4 entries, but no counters: ", lines[1])
    assert.is_false(object.queues[1].counted)
  end)

  it("shows what came too late", function()
    fill()
    support.eval_script(redis, "condemn", "{moil}:", "worker-1", "loss", "-", "{}")
    local ok = pcall(support.eval_script, redis, "settle", "{moil}:", "worker-1", 1, 0, 1,
      "SUCCESS", "q", 1, "j3", 0, 0, 0, 0)
    assert.is_false(ok)
    local _, object = audit(0)
    assert.same({ fetch = 0, settle = 1, progress = 0, reclaim = 0, requeue = 0,
      verdicts = 1, late = 0 }, object.fenced)
    assert.matches("refused as too late: fetch 0, settle 1, .* verdicts 1, late 0\n$",
      moil("inspect", "audit").stdout)
  end)

  it("takes nothing else", function()
    assert.equal(2, moil("inspect", "audit", "more").code)
    assert.equal(3, support.moil({ "inspect", "audit", redis = "unix:///nowhere" }).code)
  end)
end)

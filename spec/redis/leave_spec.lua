-- leave.lua: takes an incarnation off that holds no job.

local world = require "spec.redis.world"

describe("leave", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  it("takes it off, inbox and all", function()
    w:key("RPUSH", "inbox:" .. w.worker, "x")
    assert.equal(1, w:eval("leave", w.worker))
    assert.same({}, w:hash "workers")
    assert.equal(0, w:key("EXISTS", "inbox:" .. w.worker))
    assert.matches("^FENCED", select(2, w:try("fetch", w.worker, 1, "default")))
    assert.equal(1, w:eval("leave", w.worker))
  end)

  it("keeps it while it holds jobs", function()
    w:enqueue("default", 5, { "a" })
    w:fetch(1)
    assert.equal(0, w:eval("leave", w.worker))
    w:check()
    w:settle { requeue = { { "a", "default", 5 } } }
    assert.equal(1, w:eval("leave", w.worker))
  end)

  it("passes over maxmemory", function()
    w:fill_memory()
    local reply, why = w:try("leave", w.worker)
    w:free_memory()
    assert.equal(1, reply or why)
  end)
end)

-- retry_dead.lua: dead -> pending.

local world = require "spec.redis.world"

describe("retry_dead", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)
  after_each(function() w:check() end)

  it("puts a job back with its counts at zero and everything else as it was", function()
    local f = { queue = "q", level = 7, retries = 3, crashes = 1, losses = 2, enqueued = 77,
      task = "x.y",
      args = '["J1 a 5 1 2 3 "]', kwargs = '{"k":1}', extra = '{"e":2}' }
    w:bury("a", f)
    assert.same({ 1, 1 }, w:eval("retry_dead", "a"))
    f.retries, f.crashes, f.losses = 0, 0, 0
    assert.equal(world.record(f), w:key("HGET", "jobs", "a"))
    assert.equal("pending q:7", w:place("a"))
    assert.equal(1, w:key("LLEN", "wake:q"))
    assert.same({ "a" }, w:fetch(1, { "q" }))
  end)

  it("leaves alone what is not dead", function()
    w:enqueue("default", 5, { "ended", "runs", "waits" })
    w:fetch(2)
    w:settle { ended = { { minute = 0, { "ended", world.outcome { body = world.record {} } } } } }
    w:bury("dead", { queue = "q" })
    assert.same({ 1, 6 }, w:eval("retry_dead", "ended", "runs", "waits", "none", "dead", "dead"))
    assert.equal("ended", w:place("ended"))
    assert.equal("pending q:5", w:place("dead"))
  end)

  it("leaves alone a dead record that holds no job", function()
    for id, body in pairs { empty = "", damaged = "garbage", short = "J1 " } do
      w:enqueue("default", 5, { id })
      w:fetch(1)
      w:settle { dead = { { id, world.outcome { state = "FAILURE", body = body } } } }
      assert.same({ 0, 1 }, w:eval("retry_dead", id))
      assert.equal("dead", w:place(id))
    end
    w:damage("damaged", "R1 what")
    assert.same({ 0, 1 }, w:eval("retry_dead", "damaged"))
  end)

  it("moves 250, in order", function()
    local ids, dead = {}, {}
    for i = 1, 250 do
      ids[i] = ("%03d"):format(i)
      dead[i] = { ids[i], world.dead_record {} }
    end
    w:enqueue("default", 5, ids)
    w:fetch(250)
    w:settle { dead = dead }
    assert.same({ 250, 250 }, w:eval("retry_dead", table.unpack(ids)))
    assert.same(ids, w:fetch(250))
  end)

  it("moves no more than 1 MB of records at a time, but one", function()
    local big = ("[%q]"):format(("x"):rep(400000))
    for i = 1, 4 do w:bury("j" .. i, { args = big }) end
    assert.same({ 3, 3 }, w:eval("retry_dead", "j1", "j2", "j3", "j4"))
    assert.same({ 1, 1 }, w:eval("retry_dead", "j4"))
  end)

  it("passes over maxmemory", function()
    w:bury "a"
    w:fill_memory()
    local reply, why = w:try("retry_dead", "a")
    w:free_memory()
    assert.same({ 1, 1 }, reply or why)
  end)
end)

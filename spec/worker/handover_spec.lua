-- fetcher.c, settler.c: a worker is handed the next steps of its chains with the answers to its
-- settles; nothing is lost with such an answer, and chains spread over workers that idle.

local proxy = require "spec.support.proxy"
local site = require "spec.support.site"
local support = require "spec.support"

local PATIENCE <const> = 60
local TASKS <const> = site.NOTE .. [[
moil.task("inc", function(n) return (n or 0) + 1 end)
moil.task("burn", { bind = true }, function(self)
  local till = os.clock() + 0.02
  while os.clock() < till do end
  note(self.worker)
end)
moil.task("low", function() note "low" end)
moil.task("high", function() note "high" end)
moil.task("asks", function() moil.send("high", {}, { queue = "high" }) end)
]]

local function chain(moil, task, steps)
  local list = {}
  for i = 1, steps do list[i] = moil.signature(task) end
  return moil.chain(list)
end

local function assert_audit(here)
  local audit = support.moil { "inspect", "audit", redis = here.redis }
  assert.equal(0, audit.code, audit.stdout .. audit.stderr)
end

describe("a chain", function()
  it("keeps its order and its values, however often the link breaks", function()
    local redis = support.redis()
    local net = proxy.start(redis)
    local here = site.open { tasks = TASKS, redis = redis, url = net.url, args = { "-w", "1" } }
    here.moil.connect(redis.url)
    local handles = {}
    for i = 1, 5 do handles[i] = chain(here.moil, "inc", 300):delay() end
    for i = 1, 8 do
      local before = redis:info "total_connections_received"
      net:order("cut", i * 700)
      support.wait_until(function() -- it may be the agent's link
        return redis:info "total_connections_received" ~= before or handles[1]:ready()
      end, PATIENCE, "the worker is back, or through")
    end
    net:order("forward")
    for _, handle in ipairs(handles) do assert.equal(300, handle:get { timeout = PATIENCE }) end
    assert_audit(here)
  end)

  it("does not keep to a worker whose CPU is busy while another idles", function()
    local here = site.open { tasks = TASKS, args = { "-w", "2", "-c", "8" } }
    local handles = {}
    for i = 1, 8 do handles[i] = chain(here.moil, "burn", 12):delay() end
    for _, handle in ipairs(handles) do handle:get { timeout = PATIENCE } end
    local by, workers = {}, 0
    for _, worker in ipairs(here:notes()) do
      workers = workers + (by[worker] and 0 or 1)
      by[worker] = (by[worker] or 0) + 1
    end
    assert.equal(2, workers)
    for _, n in pairs(by) do assert.is_true(n >= 12, n .. " of 96") end
  end)

  it("lets the jobs of an earlier queue pass", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "1", "-q", "high,low" } }
    local steps = {}
    for i = 1, 4 do
      steps[i] = here.moil.signature(i == 2 and "asks" or "low", {}, { queue = "low" })
    end
    here.moil.chain(steps):delay():get { timeout = PATIENCE }
    assert.same({ "low", "high", "low", "low" }, here:notes())
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- Workers in several threads of one process, each on a loop of its own
-- (spec/support/threads_probe.c).

local TASKS <const> = [[
local moil = require "moil"
moil.task("spin", function() while true do end end)
moil.task("add", function(a, b) return a + b end)
moil.task("shell", function(...) return moil.run({ ... }).stdout end)
]]

local THREADS <const>, JOBS <const> = 4, 200

describe("workers in threads", function()
  it("serve side by side, with their limits", function()
    local here = site.open { tasks = TASKS, idle = true }
    local probe = support.spawn({ support.build .. "/spec/threads_probe", here.url,
      tostring(THREADS), here.tasks }, { stdin = "pipe" })
    for _ = 1, THREADS do probe:read_until("ready %d", 20, "stdout") end
    local m, waiting, spins = here.moil, {}, {}
    for t = 0, THREADS - 1 do
      spins[t] = m.send("spin", {}, { queue = "t" .. t, time_limit = 0.3 })
    end
    for n = 1, JOBS do
      local queue = { queue = "t" .. n % THREADS }
      waiting[#waiting + 1] = { m.send("twice", { n }, queue), 2 * n }
      waiting[#waiting + 1] = { m.send("add", { n, 1 }, queue), n + 1 }
    end
    for t = 0, THREADS - 1 do
      waiting[#waiting + 1] = { m.send("shell", { "echo", t }, { queue = "t" .. t }), t .. "\n" }
    end
    for _, job in ipairs(waiting) do assert.equal(job[2], job[1]:get { timeout = 30 }) end
    for t = 0, THREADS - 1 do
      local _, err = spins[t]:get { timeout = 30, propagate = false }
      assert.equal("TimeLimitExceeded", err.code)
    end
    assert.equal(THREADS, #here:nodes())
    probe:close_stdin()
    probe:read_until("calls " .. JOBS, 20, "stdout")
    assert.equal(0, probe:wait(20))
  end)
end)

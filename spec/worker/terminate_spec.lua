local site = require "spec.support.site"
local support = require "spec.support"

-- revoke with terminate: ends what a worker holds, wherever it is; and blocking tasks, which run
-- alone.

local TASKS <const> = site.NOTE .. [[
local options = { bind = true, after_return = function(self, state) note(self.id, state) end,
  on_failure = function(self) note(self.id, "failure") end }
moil.task("nap", options, function(self)
  local guard <close> = setmetatable({}, { __close = function() note(self.id, "closed") end })
  moil.sleep(60)
end)
moil.task("spin", options, function() while true do end end)
moil.task("sortspin", options, function()
  local t = {}
  for i = 1, 100 do t[i] = -i end
  table.sort(t, function() while true do end end)
end)
moil.task("wait", options, function() moil.send("never", {}, { queue = "unserved" }):get() end)
moil.task("plain", function() moil.sleep(60) end)
moil.task("shell", function() moil.run { "sleep", "60", timeout = 100 } end)
moil.task("add", function(x, y) return x + y end)
moil.task("alone", { blocking = true }, function()
  local t = moil.current()
  moil.sleep(0.3)
  return t.id
end)
moil.task("parent", { blocking = true }, function() return moil.send("add", { 1, 2 }):get() end)
moil.task("beside", { bind = true }, function(self) note("beside", self.id) moil.sleep(0.05) end)
]]

describe("terminate", function()
  local here
  setup(function() here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "4" } } end)

  local function notes_of(id)
    local found = {}
    for _, line in ipairs(here:notes()) do
      if line:sub(1, #id + 1) == id .. " " then found[#found + 1] = line:sub(#id + 2) end
    end
    return found
  end

  for _, task in ipairs { "nap", "spin", "sortspin", "wait", "plain", "shell" } do
    it("ends a job that runs: " .. task, function()
      local result = here.moil.send(task, {})
      here:wait_state(result.id, "STARTED")
      assert.equal("STARTED", result:revoke { terminate = true })
      local _, err = result:get { timeout = 15, propagate = false }
      assert.equal("Revoked", err.code)
      assert.equal("REVOKED", result:state())
      if task == "nap" then assert.same({ "closed", "REVOKED" }, notes_of(result.id)) end
      if task == "spin" then assert.same({ "REVOKED" }, notes_of(result.id)) end
      assert.equal(3, here:call("add", 1, 2)) -- and the worker goes on
    end)
  end

  it("ends it from the command line", function()
    local result = here.moil.send("nap", {})
    here:wait_state(result.id, "STARTED")
    local out = support.moil { "revoke", result.id, redis = here.redis }
    assert.equal(1, out.code)
    assert.matches("too late", out.stderr)
    out = support.moil { "revoke", result.id, "--terminate", redis = here.redis }
    assert.same({ 0, "" }, { out.code, out.stderr })
    here:wait_state(result.id, "REVOKED")
  end)
end)

describe("a blocking task", function()
  it("may wait for a job that its own worker must run", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1" } }
    assert.equal(3, here:call("parent"))
  end)

  it("runs alone in its worker", function()
    local here = site.open { tasks = TASKS, args = { "-w", "1", "-c", "8" } }
    local results = {}
    for _, task in ipairs { "beside", "alone", "beside", "beside" } do
      results[#results + 1] = here.moil.send(task, {})
    end
    local times = {}
    for i, result in ipairs(results) do
      result:get { timeout = 15 }
      local info = result:info()
      times[i] = { info.started_at, info.finished_at }
    end
    local alone = times[2]
    for _, i in ipairs { 1, 3, 4 } do
      assert.is_true(times[i][2] <= alone[1] or times[i][1] >= alone[2])
    end
  end)
end)

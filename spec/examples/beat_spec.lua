-- examples/beat.lua: each of its entries is due when its comment says, and a node runs it.

local support = require "spec.support"

local FILE <const> = "examples/beat.lua"
local json <const> = support.json_decode

-- Of the first run after then: its time, as a pattern.
local SPRING <const> = "2030-02-28T00:00:00Z"
local WINTER <const> = "2034-12-01T00:00:00Z"

local EXPECTED <const> = {
  ["heartbeat"] = { SPRING, "2030-02-28T00:00:00.500+00:00" },
  ["season"] = { SPRING, "2030-03-01T06:00:00+00:00" },
  ["noon"] = { SPRING, "2030-02-28T12:00:00+01:00" },
  ["ten-seconds"] = { SPRING, "2030-02-28T00:00:10+00:00" },
  ["month-end"] = { SPRING, "2030-02-28T23:30:00+00:00" },
  ["second-friday"] = { SPRING, "2030-03-08T09:00:00+00:00" },
  ["pay-day"] = { SPRING, "2030-03-15T09:00:00+00:00" },
  ["nightly"] = { SPRING, "2030-03-01T00:00:00+00:00" },
  ["hourly"] = { SPRING, "2030-02-28T01:00:00+00:00" },
  ["lights-on"] = { SPRING, "2030-02-28T17:%d%d:%d%d.*+08:00" },
  ["lights-off"] = { SPRING, "2030-03-01T06:%d%d:%d%d.*+08:00" },
  ["stargazing"] = { SPRING, "2030-02-28T19:%d%d:%d%d.*+08:00" },
  ["new-year"] = { WINTER, "2034-12-31T16:00:00+00:00" },
  ["reminder"] = { WINTER, "2035-06-01T09:00:00-04:00" },
  ["on-demand"] = { SPRING }, -- paused: never
}

local function names_of(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe(FILE, function()
  it("has an entry of every kind, and each is expected here", function()
    local schedule, fields = dofile(FILE).schedule, {}
    assert.same(names_of(EXPECTED), names_of(schedule))
    for _, entry in pairs(schedule) do
      for field in pairs(entry) do fields[field] = true end
    end
    for _, field in ipairs { "every", "cron", "solar", "at", "timezone", "catch_up", "overlap",
      "start", "stop", "max_runs", "jitter", "args", "queue", "expires", "priority", "paused" } do
      assert.is_true(fields[field], field)
    end
  end)

  for _, name in ipairs(names_of(EXPECTED)) do
    it("brings " .. name .. " when it should", function()
      local from, due = table.unpack(EXPECTED[name])
      local alone = support.tempdir() .. "/beat.lua"
      support.write(alone, (support.read(FILE):gsub("\nreturn {", "\nlocal whole = {")) .. ([[
        return { timezone = whole.timezone, schedule = { x = whole.schedule["%s"] } }
      ]]):format(name))
      local out = support.moil { "beat", "next", alone, "-n", "1", "--from", from, "--json" }
      assert.equal(0, out.code, out.stderr)
      if not due then
        assert.equal("", out.stdout)
      else
        assert.matches("^" .. due:gsub("[-+]", "%%%0") .. "$", json(out.stdout)["local"])
      end
    end)
  end

  it("is served in full by tasks/", function()
    local out = support.moil { "check", "tasks", "--beat", FILE }
    assert.equal(0, out.code, out.stderr)
    assert.equal("", out.stderr)
  end)

  it("is run by a node", function()
    local redis = support.redis()
    local worker = support.start_moil { "worker", "tasks", "--beat", FILE, "-w", "1",
      redis = redis }
    worker:read_until("ready", 10)
    local function entries()
      local found = {}
      for line in support.moil { "beat", "list", "--json", redis = redis }.stdout:gmatch "[^\n]+" do
        local entry = json(line)
        found[entry.name] = entry
      end
      return found
    end
    support.wait_until(function()
      local beat = entries()["heartbeat"]
      return beat and beat.runs >= 2
    end, 20, "two heartbeats")
    assert.same(names_of(EXPECTED), names_of(entries()))
    assert.is_true(entries()["on-demand"].paused)
    assert.equal(0, support.moil { "beat", "resume", "on-demand", redis = redis }.code)
    assert.is_false(entries()["on-demand"].paused)
    local id = entries()["heartbeat"].last_id
    local out = support.moil { "result", id, "--wait", "--timeout", "10", redis = redis }
    assert.matches("^SUCCESS 2", out.stdout)
    assert.equal(0, (worker:stop()))
  end)
end)

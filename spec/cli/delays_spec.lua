local console <const> = require("spec.support.console").new()
local support = require "spec.support"

-- Jobs with a time to come, from the command line.

local TASKS <const> = [[
local moil = require "moil"
moil.task("echo", function(...) return { ... } end)
moil.task("sleep", function(s) moil.sleep(s) return s end)
]]

local done <const>, refused <const>, json_lines <const> =
  console.done, console.refused, console.json_lines

setup(function() console.open(TASKS) end)

describe("times", function()
  it("may be points for --expires", function()
    local id = done { "call", "echo", "--countdown", "60", "--expires",
      "2030-01-01T09:00:00+08:00" }
    local job = support.json_decode(done { "inspect", "job", id, "--json" })
    assert.equal(1893459600, job.options.expires)
    done { "revoke", id }
  end)

  it("are refused where they cannot be meant", function()
    refused(2, "%-%-eta is long past: .*%-%-countdown", { "call", "echo", "--eta", "60" })
    refused(2, "seconds from now %(more than 0%), or a time",
      { "call", "echo", "--expires", "soon" })
    refused(2, "seconds from now %(more than 0%), or a time", { "call", "echo", "--expires", "0" })
    refused(2, "a time with its offset", { "call", "echo", "--eta", "2030-01-01T09:00:00" })
    refused(2, "do not go together",
      { "call", "echo", "--countdown", "1", "--eta", "2030-01-01T09:00:00Z" })
  end)
end)

describe("moil reschedule", function()
  local function scheduled(id)
    for _, job in ipairs(json_lines(done { "inspect", "scheduled", "--json" })) do
      if job.id == id then return job end
    end
  end

  it("gives a job that waits another time", function()
    local id = done { "call", "echo", "--countdown", "100" }
    assert.equal("SCHEDULED", done { "reschedule", id, "2030-01-01T09:00:00+08:00" })
    assert.equal(1893459600, scheduled(id).due_at)
    local out = done { "reschedule", id, "200", "--json" }
    assert.same({ id = id, state = "SCHEDULED" }, support.json_decode(out))
    assert.is_true(math.abs(scheduled(id).due_at - os.time() - 200) < 60)
    assert.equal("SCHEDULED", done { "reschedule", id, "0" })
    assert.equal("SUCCESS []", done { "result", id, "--wait", "--timeout", "10" })
    assert.is_nil(scheduled(id))
  end)

  it("puts off a job that stands in its queue", function()
    done { "pause", "put.off" }
    local id = done { "call", "echo", "--queue", "put.off" }
    assert.equal("SCHEDULED", done { "reschedule", id, "100" })
    assert.equal("SCHEDULED", scheduled(id).state)
    done { "resume", "put.off" }
    assert.equal("REVOKED", done { "revoke", id })
  end)

  it("refuses what is too late or no time, in one line", function()
    local id = done { "call", "sleep", "30" }
    support.wait_until(function()
      return done({ "inspect", "active" }):find(id, 1, true)
    end, 10, "the job runs")
    refused(1, "too late to reschedule .* its state is STARTED", { "reschedule", id, "60" })
    done { "revoke", id, "--terminate" }
    refused(5, "^moil: no job has the id nobody", { "reschedule", "nobody", "60" })
    refused(2, "the job's id and its new time", { "reschedule", "nobody" })
    for _, bad in ipairs { "soon", "2030-01-01T09:00:00", "1e3", "", "12:00" } do
      refused(2, "is no time", { "reschedule", "nobody", bad })
    end
  end)
end)

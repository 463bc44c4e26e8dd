-- The demo as `make demo` runs it, and that it notices when something is wrong.

local support = require "spec.support"

describe("examples/demo.sh", function()
  local dir

  -- PATH with commands of our own in front.
  local function path_with(commands)
    local bin = support.tempdir()
    for name, text in pairs(commands) do
      support.write(bin .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
      support.sh("chmod 755 " .. bin .. "/" .. name)
    end
    return bin .. ":" .. os.getenv("PATH")
  end

  local function start(env)
    dir = support.tempdir()
    local preload = os.getenv("MOIL_SPEC_PRELOAD")
    local given = { BUILD = support.build, TMPDIR = dir, LD_PRELOAD = preload }
    if preload then -- the shell's and awk's own leaks are not ours
      given.ASAN_OPTIONS = os.getenv("ASAN_OPTIONS") .. ":detect_leaks=0"
    end
    for name, value in pairs(env or {}) do given[name] = value end
    return support.spawn({ "sh", "examples/demo.sh" }, { env = given })
  end

  local function is_clean()
    return support.sh("ls -A " .. dir).stdout == ""
  end

  it("runs real jobs, finds every result right and cleans up", function()
    local demo = start()
    assert.equal(0, demo:wait(60), demo:report())
    local text = demo:stdout()
    assert.equal("", demo:stderr())
    assert.matches("right: tr, sort and uniq count the same\n", text)
    assert.matches("right: awk counts the same\n", text)
    assert.matches("done at retry %d+, %d+ ms after it was enqueued\n", text)
    assert.matches("retried 1 job\n", text)
    assert.matches("All 8 results were right%.\n$", text)
    assert.is_nil(text:find("[\r\27]"))
    assert.is_true(is_clean())
  end)

  it("fails when a result is wrong", function()
    local demo = start { PATH = path_with { awk = "echo 1 nonsense" } }
    assert.equal(1, demo:wait(60))
    assert.matches("WRONG: awk counts the same\n$", demo:stdout())
    assert.matches("demo: failed; the end of the workers' log:\n", demo:stderr())
    assert.is_true(is_clean())
  end)

  it("fails with the reason when the workers do not start", function()
    local demo = start { PATH = path_with { ["redis-server"] = "echo no; exit 1" } }
    assert.is_true(demo:wait(60) ~= 0)
    assert.matches("redis%-server", demo:stderr())
    assert.is_true(is_clean())
  end)

  it("leaves nothing when it is interrupted", function()
    local demo = start()
    demo:read_until("3%. A job", 60)
    support.native.kill(-demo.pid, support.native.signals.INT)
    assert.is_true(demo:wait(60) ~= 0)
    assert.is_true(is_clean())
  end)
end)

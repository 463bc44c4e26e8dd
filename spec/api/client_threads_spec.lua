local support = require "spec.support"

-- A client in each of several threads, without a lock (spec/support/client_threads_probe.c). Plain,
-- and built with ThreadSanitizer where there is time for the building: in CI, or with MOIL_TSAN=1.

local ROUNDS <const> = 50

local function run(probe)
  local redis = support.redis { tcp = true }
  local command = "%s redis://localhost:%d 4 %d 2>&1"
  return support.sh(command:format(probe, redis.port, ROUNDS), { timeout = 120 })
end

describe("a client in each of four threads", function()
  it("needs no lock", function()
    local out = run(support.build .. "/spec/client_threads_probe")
    assert.equal(0, out.code, out.stdout)
    assert.equal(4 * ROUNDS .. "\n", out.stdout)
  end)

  it("races with nobody (ThreadSanitizer)", function()
    local wanted = os.getenv("MOIL_CI") or os.getenv("MOIL_TSAN")
    if os.getenv("MOIL_SPEC_PRELOAD") or not wanted then return end
    local probe = support.build .. "/tsan/spec/client_threads_probe"
    local make = "make -s SANITIZER=thread CFLAGS='-O1 -g' BUILD=%s/tsan %s"
    make = make:format(support.build, probe)
    local built = support.sh(make, { timeout = 900, cwd = support.root })
    assert.equal(0, built.code, built.stderr)
    local out = run(probe)
    -- A kernel with more random addresses than this ThreadSanitizer knows.
    local UNFIT <const> = "unexpected memory mapping"
    if out.stdout:find(UNFIT, 1, true) then out = run("setarch -R " .. probe) end
    if out.stdout:find(UNFIT, 1, true) then return end
    assert.equal(4 * ROUNDS .. "\n", out.stdout)
    assert.equal(0, out.code)
  end)
end)

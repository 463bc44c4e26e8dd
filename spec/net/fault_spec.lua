-- What error replies of Redis mean: src/net/fault.c.

local queue = require("spec.support").units.queue

local EREPLY, EFENCED, EFULL, EREADONLY, EAUTH, ELOADING, ENOSCRIPT <const> = -5, -9, -10, -11,
  -12, -13, -14

-- As Redis 6.2 begins what a script's command raised.
local IN_A_SCRIPT <const> = "ERR Error running script (call to f_1): @user_script:7: "

describe("an error reply", function()
  local cases = {
    { "NOSCRIPT No matching script. Please use EVAL.", ENOSCRIPT, true },
    { "FENCED this worker incarnation is not registered", EFENCED, false },
    { "OOM command not allowed when used memory > 'maxmemory'.", EFULL, true },
    { IN_A_SCRIPT .. "-OOM command not allowed when used memory > 'maxmemory'.", EFULL, true },
    { "READONLY You can't write against a read only replica.", EREADONLY, true },
    { IN_A_SCRIPT .. "-READONLY You can't write against a read only replica.", EREADONLY, true },
    { "LOADING Redis is loading the dataset in memory", ELOADING, true },
    { "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
      ELOADING, true },
    { "BUSY Redis is busy running a script.", ELOADING, true },
    { "UNBLOCKED force unblock from blocking operation, instance state changed", EREADONLY, true },
    { "CLUSTERDOWN The cluster is down", ELOADING, true },
    { "NOREPLICAS Not enough good replicas to write.", ELOADING, true },
    { "NOAUTH Authentication required.", EAUTH, false },
    { "WRONGPASS invalid username-password pair or user is disabled.", EAUTH, false },
    { "NOPERM this user has no permissions to run the 'evalsha' command", EAUTH, false },
    { "ERR invalid password", EAUTH, false },
    { "ERR AUTH <password> called without any password configured for the default user.", EAUTH,
      false },
    { "ERR Client sent AUTH, but no password is set", EAUTH, false },
    { "WRONGTYPE Operation against a key holding the wrong kind of value", EREPLY, false },
    { "MISCONF Redis is configured to save RDB snapshots, but it cannot.", EREPLY, false },
    { "BUSYGROUP x", EREPLY, false },
    { "", EREPLY, false },
    { "N", EREPLY, false },
  }

  for _, case in ipairs(cases) do
    it("has a code: " .. case[1]:sub(1, 50), function()
      local err, transient = queue.fault(case[1])
      assert.equal(case[2], err)
      assert.equal(case[3], transient)
    end)
  end

  it("has advice where a log-in is refused", function()
    assert.matches("wants a password", queue.fault_advice("NOAUTH Authentication required."))
    assert.matches("docs/protocol.md", queue.fault_advice("NOPERM this user has no permissions"))
    assert.matches("refused the user or password", queue.fault_advice("WRONGPASS invalid"))
  end)
end)

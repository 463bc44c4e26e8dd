-- The harness itself: what every other spec leans on.

local support = require "spec.support"

describe("redis", function()
  it("gives each caller a server, binary-safe commands and nested replies", function()
    local a, b = support.redis(), support.redis()
    assert.equal("OK", a:call("SET", "k\0k", "v\r\n\0v"))
    assert.equal("v\r\n\0v", a:call("GET", "k\0k"))
    assert.is_nil(b:call("GET", "k\0k"))
    assert.equal(1, a:call("LPUSH", "l", 7))
    local nested = a:call("EVAL", "return {1, 'two', {false, 'three'}}", 0)
    assert.same({ 1, "two", { false, "three" } }, nested)
    local unknown = "ERR unknown command 'NONSENSE', with args beginning with: "
    assert.same({ "OK", false, { err = unknown } },
      a:pipeline { { "SET", "x", "1" }, { "GET", "none" }, { "NONSENSE" } })
    assert.has_error(function() a:call("LPUSH", "k\0k", "x") end,
      "LPUSH: WRONGTYPE Operation against a key holding the wrong kind of value")
    a:stop()
    b:stop()
  end)

  it("comes back after a kill, with what it had persisted", function()
    local redis = support.redis { appendonly = true, config = { appendfsync = "always" } }
    redis:call("SET", "k", "v")
    redis:kill9()
    assert.has_error(function() redis:call("PING") end)
    redis:start()
    assert.equal("v", redis:call("GET", "k"))
    redis:restart()
    assert.equal("v", redis:call("GET", "k"))
    redis:stop()
  end)

  it("listens on TCP and wants a password where asked to", function()
    local redis = support.redis { tcp = true, config = { requirepass = "secret" } }
    assert.equal("PONG", redis:call("PING"))
    local c = assert(support.native.redis_connect(5, "127.0.0.1", redis.port))
    local reply, err = c:call("PING")
    assert.is_nil(reply)
    assert.matches("^NOAUTH", err)
    c:close()
    redis:stop()
  end)
end)

describe("processes", function()
  it("gives output, exit code and signal", function()
    local out = support.sh("echo out; echo err >&2; exit 3")
    assert.same({ code = 3, stdout = "out\n", stderr = "err\n" }, out)
    assert.equal(15, support.sh("kill -TERM $$").signal)
  end)

  it("waits for output with a deadline, each match after the last", function()
    local p = support.spawn ({ "sh", "-c", "echo a 1; echo a 2; exec cat" }, { stdin = "pipe" })
    assert.equal("1", p:read_until("a (%d)", 5))
    assert.equal("a 2", p:read_until("a %d", 5))
    assert.has_error(function() p:read_until("a 3", 0) end)
    p:kill("KILL")
    assert.same({ nil, 9 }, { p:wait(5) })
  end)

  it("feeds stdin, as bytes or as a pipe", function()
    local p = support.spawn({ "cat" }, { stdin = "whole\n" })
    assert.equal(0, p:wait(5))
    assert.equal("whole\n", p:stdout())
    p = support.spawn({ "cat" }, { stdin = "pipe", stdout = "pipe" })
    p:write("piece by piece\n")
    assert.equal("piece", p:read_until("piece", 5))
    p:close_stdin()
    assert.equal(0, p:wait(5))
  end)

  it("hides what would steer moil, and sets what is asked for", function()
    local command = "echo ${MOIL_X-none} ${MOIL_Y-none} ${HOME:+home}"
    local out = support.sh(command, { env = { MOIL_Y = "y" } })
    assert.equal("none y home\n", out.stdout)
  end)

  it("does not read back what goes to a device", function()
    for _, path in ipairs { "null", "/dev/full", "/dev/zero" } do
      local p = support.spawn({ "sh", "-c", "echo x" }, { stdout = path, stderr = "null" })
      p:wait(5)
      assert.equal("", p:stdout())
    end
  end)

  it("says what could not be started", function()
    assert.has_error(function() support.spawn { "/no/such/program" } end,
      "cannot start /no/such/program: No such file or directory")
  end)

  it("fails loudly when a condition does not come true", function()
    local function never() return false end
    assert.has_error(function() support.wait_until(never, 0.02, "the moon") end,
      "waited 0.02 s in vain: the moon")
    assert.equal(5, support.wait_until(function() return 5 end, 1, "five"))
  end)
end)

describe("the end of a spec file", function()
  -- Runs a spec file of its own, that leaves things behind, and looks at what is left.
  local function run(body)
    local dir = support.tempdir()
    support.write(dir .. "/x_spec.lua", 'local support = require "spec.support"\n' .. body)
    local busted = support.sh("command -v busted").stdout:gsub("\n", "")
    local p = support.spawn({ "lua5.4", busted, dir .. "/x_spec.lua" }, {
      env = {
        BUILD = support.build,
        MOIL_SPEC_SUMMARY = dir .. "/counts",
        MOIL_SPEC_GRACE = "0.3",
        LD_PRELOAD = os.getenv("MOIL_SPEC_PRELOAD"),
      },
      stderr = "stdout",
    })
    p:wait(30)
    return p:stdout(), support.read(dir .. "/counts")
  end

  local function is_running(pid)
    require("spec.support.process").descendants() -- reaps adopted orphans
    return support.native.kill(tonumber(pid), 0) == true
  end

  it("ends what it started and removes its folders, also after a failure", function()
    local out, counts = run [[
      it("fails", function()
        local redis = support.redis()
        io.write("redis ", redis.pid, " dir ", redis.dir, "\n")
        error("on purpose")
      end)]]
    local pid, dir = out:match("redis (%d+) dir (%S+)")
    assert.is_false(is_running(pid))
    assert.is_nil(io.open(dir .. "/redis.log"))
    assert.matches("on purpose", out)
    assert.equal("0 1 0\n", counts)
  end)

  it("counts a process that outlived its parent as a failure, and ends it", function()
    local out, counts = run [[
      it("passes", function()
        local pid = support.sh("setsid cat </dev/zero >/dev/null 2>&1 & echo $!").stdout
        io.write("orphan ", pid)
      end)]]
    local pid = out:match("orphan (%d+)")
    assert.matches("left behind: " .. pid .. " cat", out)
    support.wait_until(function() return not is_running(pid) end, 5, "the orphan is gone")
    assert.equal("1 1 0\n", counts)
  end)
end)

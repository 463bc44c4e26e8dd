-- Host names that take long to look up: src/net/resolve.c, in the programs, with a getaddrinfo that
-- is made slow.

local site = require "spec.support.site"
local support = require "spec.support"

local SLOW <const> = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <time.h>

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    const char *ms = getenv("NAME_SERVER_MS");
    long left = ms && host && host[0] == 'l' ? atol(ms) : 0; /* localhost */
    struct timespec time = {left / 1000, left % 1000 * 1000000};
    nanosleep(&time, NULL);
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    return real(host, service, hints, list);
}
]]

describe("a name server that takes its time", function()
  local redis, url, env, program

  setup(function()
    redis = support.redis { tcp = true }
    url = ("redis://localhost:%d"):format(redis.port)
    local dir = support.tempdir()
    local source = support.write(dir .. "/slow.c", SLOW)
    local built = support.sh(("%s -shared -fPIC -o %s/slow.so %s"):format(
      os.getenv("CC") or "cc", dir, source), { timeout = 60 })
    assert.equal(0, built.code, built.stderr)
    local first = os.getenv("MOIL_SPEC_PRELOAD")
    env = function(ms)
      local preload = (first and first ~= "" and first .. " " or "") .. dir .. "/slow.so"
      return { LD_PRELOAD = preload, NAME_SERVER_MS = tostring(ms) }
    end
    -- It gives up after 5 s, and the answer comes as it ends and has unloaded us.
    program = support.start_lua { "-e", [[
      local moil = require "moil"
      print(pcall(moil.send, "x"))
    ]], redis = url, env = env(5000) }
  end)

  it("is waited for", function()
    local out = support.moil { "call", "x", redis = url, env = env(300) }
    assert.same({ 0, "" }, { out.code, out.stderr })
  end)

  it("does not hold a producer beyond its deadline", function()
    local out = support.moil { "call", "x", "--deadline", "0.3", redis = url, env = env(60000) }
    assert.equal(3, out.code)
    assert.matches("Redis at redis://localhost:%d+/0: no answer", out.stderr)
  end)

  it("does not hold up the jobs of a worker that looks for its Redis", function()
    local here = site.open { redis = redis, url = redis.url, idle = true, tasks = site.NOTE .. [[
      moil.task("tick", function(n)
        for _ = 1, n do moil.sleep(0.01) note "tick" end
        return n
      end)
    ]] }
    local node = here:worker { "-w", "1", redis = url, env = env(1000) }
    local job = here.moil.send("tick", { 300 })
    support.wait_until(function() return #here:notes() > 10 end, 15, "it ticks")
    redis:call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    node:read_until("worker's connection: .*trying again", 15)
    local before = #here:notes()
    node:read_until("worker's connection: up again", 30)
    local ticks = #here:notes() - before
    assert.is_true(ticks >= 20, ticks) -- a loop that was held up would have let pass a few
    assert.equal(300, job:get { timeout = 20 })
    node:stop()
  end)

  it("does not keep a Lua program from ending, nor ends it", function()
    local code, signal = program:wait(30)
    assert.same({ 0, nil }, { code, signal }, program:stderr())
    assert.matches("^%a+", program:stdout())
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- How a scheduler learns what was added while it runs: src/worker/entry_reader.c.

local BY <const> = 30
local MANY <const> = 20000 -- 80 pages

local ADD <const> = [[
  local version = redis.call("INCR", "{moil}:beat_version")
  for i = 1, ARGV[3] do
    redis.call("HSET", "{moil}:beat", ARGV[1] .. i, version .. " " .. ARGV[2])
  end]]

-- Adds entries without waking anybody.
local function add(here, prefix, count, entry)
  here.redis:call("EVAL", ADD, "0", prefix, support.json_encode(entry), tostring(count))
end

local function pages(here)
  local info = here.redis:call("INFO", "commandstats")
  return tonumber(info:match "cmdstat_hscan:calls=(%d+)" or 0)
end

-- The supervisor's oldest child.
local function agent_of(node)
  local f <close> = assert(io.open(("/proc/%d/task/%d/children"):format(node.pid, node.pid)))
  return f:read("n")
end

describe("a scheduler", function()
  it("finds what is added behind its back while it reads page after page", function()
    local here = site.open { tasks = 'require "moil".task("tick", function() end)', idle = true }
    local signals = support.native.signals
    local node = here:worker { "-w", "1" }
    add(here, "rare", MANY, { task = "tick", at = "2999-01-01T00:00:00Z" })
    local agent, before = agent_of(node), pages(here)
    here.redis:call("EVAL", [[redis.call("RPUSH", "{moil}:tick", "1")]], "0")
    support.wait_until(function() return pages(here) >= before + 40 end, BY, "half of the pages")
    support.native.kill(agent, signals.STOP)
    add(here, "new", 100, { task = "tick", every = 86400 })
    support.native.kill(agent, signals.CONT)
    local seen
    support.wait_until(function()
      seen = here.redis:call("HLEN", "{moil}:ticks")
      return seen == MANY + 100
    end, BY, function() return ("sight of all entries (%d)\n%s"):format(seen, node:report()) end)
    node:kill("TERM")
    assert.equal(0, (node:wait(BY)), node:report())
  end)
end)

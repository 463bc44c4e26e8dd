-- Clients whose clock is wrong: schedules are made, refused and shown by Redis's.

local support = require "spec.support"

local json <const> = support.json_decode

-- A sanitizer's runtime must come first.
local runtime <const> = os.getenv "MOIL_SPEC_PRELOAD"
local SHIM <const> = (runtime and runtime .. ":" or "") .. support.build .. "/spec/wall_shim.so"

local HOUR <const> = 3600

describe("a client whose clock is wrong", function()
  local redis, wall

  setup(function()
    redis = support.redis()
    wall = support.tempdir() .. "/wall"
  end)
  teardown(function() redis:stop() end)
  before_each(function() redis:call("FLUSHALL") end)

  local function env(seconds)
    support.write(wall, string.pack("i8", seconds * 1000000))
    return { LD_PRELOAD = SHIM, MOIL_SPEC_WALL = wall }
  end

  local function moil(seconds, ...)
    return support.moil { redis = redis, env = env(seconds), ... }
  end

  local function prints(seconds, ...)
    local out = moil(seconds, ...)
    assert.equal(0, out.code, out.stderr)
    return out.stdout
  end

  local function program(seconds, code)
    local path = support.tempdir() .. "/program.lua"
    support.write(path, [[
      local moil = require "moil"
      local add = moil.task("add", function(x, y) return x + y end)
    ]] .. code)
    local out = support.lua { path, redis = redis, env = env(seconds) }
    assert.equal(0, out.code, out.stderr)
    return out.stdout
  end

  local function entry(name)
    local text = redis:call("HGET", "{moil}:beat", name)
    return json((assert(text, name):gsub("^%d+ ", "")))
  end

  -- Up to 10 minutes for the machine's sake; the clocks are hours off.
  local function assert_about(wanted, given)
    assert.is_true(math.abs(given - wanted) < 600, given .. " is not about " .. wanted)
  end

  for name, off in pairs { ahead = 2 * HOUR, behind = -2 * HOUR } do
    it("repeats a job from now on where it is " .. name, function()
      program(off, [[
        add:schedule(0.5, { 1, 2 }, { repeats = 3, interval = 0.3, name = "thrice" })
      ]])
      assert_about(os.time(), entry("thrice").start)
      local last = redis:call("HGET", "{moil}:ticks", "thrice"):match("^%d+")
      assert_about(os.time(), tonumber(last) / 1000)
      prints(off, "call", "add", "1", "2", "--repeat", "3", "--interval", "60", "--id", "called")
      assert_about(os.time(), entry("called").start)
      prints(off, "call", "add", "--repeat", "3", "--interval", "60", "--countdown", "10800",
        "--id", "later")
      assert_about(os.time() + 3 * HOUR, entry("later").start)
    end)

    it("gives entries another time where it is " .. name, function()
      program(off, ([[
        moil.beat.add("e", { task = "add", every = 60 })
        moil.beat.add("once", { task = "add", at = %d })
        assert(moil.reschedule("e", 1))
        assert(moil.beat.entry("once"):reschedule(3 * 3600))
      ]]):format(os.time() + 24 * HOUR))
      assert_about(os.time(), entry("e").start)
      assert_about(os.time() + 3 * HOUR, entry("once").at)
    end)

    it("is told of a time that has passed, and of no other, where it is " .. name, function()
      local out = prints(off, "beat", "add", "soon", "--task", "add", "--at",
        tostring(os.time() + HOUR))
      assert.matches("^added soon, next at [^\n]*%(in [15]%d?[hm] [^\n]*%)\n$", out)
      assert_about(os.time() + HOUR, entry("soon").at)
      out = moil(off, "beat", "add", "past", "--task", "add", "--at", tostring(os.time() - HOUR))
      assert.equal(2, out.code, out.stdout)
      assert.matches('^moil: beat entry "past": it is never due from now on: at [^\n]+\n$',
        out.stderr)
    end)

    it("shows ages as they are where it is " .. name, function()
      redis:call("HSET", "{moil}:ticks", "file", ("%d 7 0 job-7 900 - -")
        :format((os.time() - 600) * 1000))
      redis:call("LPUSH", "{moil}:beat_history", ("%d %d job-7 fired file")
        :format((os.time() - 600) * 1000, (os.time() - 600) * 1000))
      assert.matches("\nfile +1%dm %d%ds ago +7 ", prints(off, "beat", "list"))
      assert.matches("\nfile +1%dm %d%ds ago +1%dm %d%ds ago +fired ",
        prints(off, "beat", "history"))
      prints(off, "call", "add", "--countdown", "10800", "--id", "j")
      assert.matches(" in [23]h %d%dm", prints(off, "inspect", "scheduled"))
      assert.matches("%(in [23]h %d%dm%)", prints(off, "inspect", "job", "j"))
    end)
  end
end)

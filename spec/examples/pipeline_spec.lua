-- examples/pipeline.c: a node whose chain in Lua calls a task in C.

local support = require "spec.support"

local PROGRAM <const> = support.build .. "/examples/pipeline"
local TASKS <const> = support.root .. "/examples/pipeline.lua"
local BY <const> = 30

describe("examples/pipeline", function()
  local dir, node

  local function moil(...)
    return support.moil { cwd = dir, timeout = BY, ... }
  end

  local function failure_of(...)
    local out = moil("call", ...)
    assert.equal(1, out.code)
    return out.stderr
  end

  -- 32 bits of FNV-1a.
  local function checksum_of(text)
    local sum = 2166136261
    for i = 1, #text do sum = (sum ~ text:byte(i)) * 16777619 & 0xffffffff end
    return sum
  end

  setup(function()
    dir = support.tempdir()
    node = support.spawn({ PROGRAM, TASKS }, { cwd = dir })
    node:read_until(" ready: 2 workers", BY)
  end)

  it("hands a result in C to the next task in Lua", function()
    local text = ("moon and toil\n"):rep(10000)
    support.write(dir .. "/some file.txt", text)
    local out = moil("call", "pipeline.run", "some file.txt", "--wait", "--timeout", "20")
    assert.same({ 0, "" }, { out.code, out.stderr })
    assert.equal(('"some file.txt has %d bytes, its checksum is %08x"\n'):format(#text,
      checksum_of(text)), out.stdout)
  end)

  it("fails with what was wrong", function()
    assert.matches("No such file", failure_of("file.checksum", "nowhere", "--wait"))
    assert.matches("Is a directory", failure_of("file.checksum", ".", "--wait"))
    assert.matches("takes a path", failure_of("file.checksum", "3", "--wait"))
    assert.matches("takes a path", failure_of("file.checksum", "--wait"))
    local out = moil("call", "pipeline.run", "nowhere", "--wait")
    assert.equal(1, out.code)
  end)

  it("ends what has no end by itself: revoked, past its limit, and as the node stops", function()
    local function begin(options)
      local out = support.lua { cwd = dir, "-e", ([[
        print(require("moil").send("file.checksum", { "/dev/zero" }, { %s }).id)
      ]]):format(options or "") }
      local id = out.stdout:match("%S+")
      support.wait_until(function()
        return moil("result", id).stdout:find("^STARTED")
      end, BY, "the job has started")
      return id
    end
    local function ended(id)
      return moil("result", id, "--wait", "--timeout", "20", "--json").stdout
    end
    local id = begin()
    assert.equal(0, moil("revoke", id, "--terminate").code)
    assert.matches('"state":"REVOKED"', ended(id))
    assert.matches("TimeLimitExceeded", ended(begin "time_limit = 3"))
    begin()
    node:kill("QUIT")
    assert.equal(0, (node:wait(BY)))
  end)
end)

it("examples/pipeline says what is wrong with its tasks", function()
  local dir = support.tempdir()
  local function run(...)
    local child = support.spawn({ PROGRAM, ... }, { cwd = dir })
    return child:wait(BY), child:stderr()
  end
  assert.same({ 2, "usage: " .. PROGRAM .. " TASKS...\n" }, { run() })
  support.write(dir .. "/broken.lua", "local x = nil + 1\n")
  local code, complaint = run("broken.lua")
  assert.equal(6, code)
  assert.matches("broken.lua:1: attempt to perform arithmetic", complaint)
end)

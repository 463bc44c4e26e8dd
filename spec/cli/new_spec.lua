local support = require "spec.support"

-- `moil new`: a project whose own tests pass, which `moil check` accepts and a worker serves.

local PATIENCE <const> = 60

local function new(...)
  return support.moil { "new", ... }
end

local function run(command, dir)
  local env = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/lua/?.so;;' "):format(
    support.root, support.root, support.build)
  local preload = os.getenv("MOIL_SPEC_PRELOAD")
  if preload then env = env .. "LD_PRELOAD=" .. preload .. " " end
  return support.sh(env .. command, { cwd = dir, timeout = PATIENCE })
end

describe("moil new", function()
  local dir

  setup(function()
    dir = support.tempdir() .. "/shop"
    local out = new(dir)
    assert.equal(0, out.code, out.stderr)
    assert.matches("is laid out", out.stdout)
  end)

  it("lays out what lua/new holds, with the project's name in it", function()
    local made = run("find . -type f | sort", dir).stdout
    assert.equal(support.sh("cd lua/new && find . -type f | sort", { cwd = support.root }).stdout,
      made)
    assert.matches("^# shop\n", support.read(dir .. "/README.md"))
    assert.equal(support.read(support.root .. "/lua/new/tasks/greetings.lua"),
      support.read(dir .. "/tasks/greetings.lua"))
  end)

  it("lays out a project whose tests pass", function()
    local out = run("lua5.4 $(command -v busted)", dir)
    assert.equal(0, out.code, out.stdout .. out.stderr)
    assert.matches("4 successes", out.stdout)
  end)

  it("lays out a project that moil check accepts", function()
    local out = support.moil { "check", "--beat", "beat.lua", cwd = dir }
    assert.equal(0, out.code, out.stderr)
    assert.matches("greet.hello", out.stdout)
  end)

  it("lays out a project that a worker serves", function()
    local redis = support.redis()
    local node = support.start_moil { "worker", "-w", "1", "--beat", "beat.lua", cwd = dir,
      redis = redis.url }
    node:read_until("ready", PATIENCE)
    local out = support.moil { "call", "greet.all", '["ann","bob"]', "--wait", redis = redis.url,
      timeout = PATIENCE }
    assert.equal('["hello, ann","hello, bob"]\n', out.stdout, out.stderr)
    node:kill "TERM"
    assert.equal(0, node:wait(PATIENCE))
  end)

  it("refuses a folder that is not empty, and leaves it as it is", function()
    local full = support.tempdir()
    support.write(full .. "/mine", "mine")
    local out = new(full)
    assert.equal(2, out.code)
    assert.matches("is not empty", out.stderr)
    assert.equal("mine\n", support.sh("ls -A", { cwd = full }).stdout)
    assert.equal(2, new(dir).code)
  end)

  it("takes an empty folder, and a name", function()
    local empty = support.tempdir() .. "/x"
    support.sh("mkdir " .. empty)
    local out = new(empty, "--name", "books", "--json")
    assert.equal(0, out.code, out.stderr)
    assert.equal(empty, support.json_decode(out.stdout).dir)
    assert.matches("^# books\n", support.read(empty .. "/README.md"))
  end)

  it("says what is wrong with a path", function()
    local out = new "/proc/no/such"
    assert.equal(2, out.code)
    assert.matches("/proc/no/such: No such file or directory", out.stderr)
    assert.equal(2, new().code)
  end)
end)

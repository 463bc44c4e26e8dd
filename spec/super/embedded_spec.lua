-- The private redis-server: started, shared, restarted and stopped by supervisors whose children
-- play a script.

local support = require "spec.support"
local lfs = require "lfs"
local super_node = require "spec.support.super_node"

local native <const> = support.native
local wait_until <const> = support.wait_until
local BY <const> = super_node.BY
local is_there <const> = super_node.is_there
local wait_gone <const> = super_node.wait_gone

local function start(dir, options, spawn_options)
  local all = { workers = 1, embedded = dir }
  for name, value in pairs(options or {}) do all[name] = value end
  return super_node.start(all, spawn_options)
end

local function start_ready(dir, spawn_options)
  return super_node.start_ready({ workers = 1, embedded = dir }, spawn_options)
end

-- A connection once the server accepts and answers.
local function connect(dir)
  return wait_until(function()
    local c = native.redis_connect(5, dir .. "/redis.sock")
    return c and c:call("PING") == "PONG" and c
  end, BY, "the server in " .. dir)
end

local function call(dir, ...)
  local c = connect(dir)
  local reply, err = c:call(...)
  c:close()
  assert.is_nil(err)
  return reply
end

local function server_pid(dir)
  return tonumber(call(dir, "INFO", "server"):match("process_id:(%d+)"))
end

local function new_dir(...)
  return table.concat({ support.tempdir(), ... }, "/") .. "/r"
end

-- A folder that holds programs of these names, as the whole PATH.
local function path_with(programs)
  local dir = support.tempdir()
  for name, text in pairs(programs) do
    support.write(dir .. "/" .. name, text)
    assert(os.execute(("chmod 755 '%s/%s'"):format(dir, name)))
  end
  return { env = { PATH = dir } }
end

describe("the embedded server", function()
  it("starts in a folder of its own and stops with the node, leaving no socket", function()
    local dir = new_dir()
    local node = start_ready(dir)
    local pid = server_pid(dir)
    assert.equal("rwx------", lfs.attributes(dir, "permissions"))
    assert.equal("rwx------", lfs.attributes(dir .. "/redis.sock", "permissions"))
    for name, value in pairs {
      port = "0",
      save = "",
      appendonly = "yes",
      appendfsync = "everysec",
      ["maxmemory-policy"] = "noeviction",
    } do
      assert.equal(value, call(dir, "CONFIG", "GET", name)[2])
    end
    assert.equal(0, (node:stop(BY)))
    assert.is_false(is_there(pid))
    assert.is_nil(lfs.attributes(dir .. "/redis.sock"))
  end)

  it("listens on no TCP port", function()
    local dir = new_dir()
    local node = start_ready(dir)
    local sockets = support.sh("ls -l /proc/" .. server_pid(dir) .. "/fd").stdout
    for inode in support.read("/proc/net/tcp"):gmatch(" 0A [%x:]+ [%x:]+ %x+ +%d+ +%d+ (%d+)") do
      assert.is_nil(sockets:find("socket:[" .. inode .. "]", 1, true))
    end
    node:stop(BY)
  end)

  it("is up before anything else is started, and outlives the workers", function()
    local dir = new_dir()
    local node = start(dir, { check = "after:60000" })
    node:read_until("check0 pid", BY)
    assert.equal("PONG", call(dir, "PING"))
    node:stop(BY)

    node = start(dir, { worker = "stubborn" })
    node:read_until("ready: 1 worker", BY)
    node:kill("TERM")
    node:read_until("worker1 got TERM", BY)
    assert.equal("PONG", call(dir, "PING"))
    node:kill("TERM")
    assert.equal(0, (node:wait(BY)))
  end)

  it("keeps the data between runs", function()
    local dir = new_dir()
    local node = start_ready(dir)
    call(dir, "SET", "k", "v")
    node:stop(BY)
    node = start_ready(dir)
    assert.equal("v", call(dir, "GET", "k"))
    node:stop(BY)
  end)

  it("is started again after kill -9, with its data", function()
    local dir = new_dir()
    local node = start_ready(dir)
    local pid = server_pid(dir)
    call(dir, "SET", "k", "v")
    native.kill(pid, native.signals.KILL)
    wait_gone(pid)
    assert.equal("v", call(dir, "GET", "k"))
    assert.not_equal(pid, server_pid(dir))
    assert.matches("private redis%-server in %S+ was killed by signal 9", node:stderr())
    assert.is_nil(node:stdout():find("worker1 got", 1, true))
    assert.equal(0, (node:stop(BY)))
  end)

  it("is shared: a second supervisor attaches, and takes over when the first stops it", function()
    local dir = new_dir()
    local first = start_ready(dir)
    local pid = server_pid(dir)
    call(dir, "SET", "k", "v")
    local second = start_ready(dir)
    assert.equal(pid, server_pid(dir))
    assert.matches(("private redis%%-server in %%S+ runs %%(pid %d%%)"):format(pid), first:stderr())
    assert.matches("attached to the private redis%-server in ", second:stderr())

    first:stop(BY)
    assert.is_false(is_there(pid))
    assert.equal("v", call(dir, "GET", "k"))
    local next_pid = server_pid(dir)
    local third = start_ready(dir)
    assert.equal(0, (third:stop(BY)))
    assert.equal(next_pid, server_pid(dir)) -- whoever attached stops nothing
    second:stop(BY)
    assert.is_false(is_there(next_pid))
    assert.is_nil(lfs.attributes(dir .. "/redis.sock"))
  end)

  it("is started again by one of two after kill -9", function()
    local dir = new_dir()
    local first, second = start_ready(dir), start_ready(dir)
    local pid = server_pid(dir)
    call(dir, "SET", "k", "v")
    native.kill(pid, native.signals.KILL)
    wait_gone(pid)
    assert.equal("v", call(dir, "GET", "k"))
    first:stop(BY)
    assert.equal("v", call(dir, "GET", "k"))
    assert.equal(0, (second:stop(BY)))
  end)

  it("goes in order when its supervisor is killed, and an attached one starts it again", function()
    local dir = new_dir()
    local first, second = start_ready(dir), start_ready(dir)
    local pid = server_pid(dir)
    call(dir, "SET", "k", "v")
    first:kill("KILL")
    first:wait(BY)
    wait_gone(pid)
    assert.equal("v", call(dir, "GET", "k"))
    second:kill("KILL")
    second:wait(BY)
    wait_until(function()
      return not lfs.attributes(dir .. "/redis.sock")
    end, BY, "the end of the server")
  end)

  it("lives in a folder with a long name too", function()
    local base = support.tempdir()
    local dir = base .. "/" .. ("x"):rep(150) .. "/" .. ("y"):rep(80)
    assert(lfs.mkdir(dir:match("^(.*)/")))
    local node = start_ready(dir)
    local here = lfs.currentdir()
    assert(lfs.chdir(dir))
    local pong = call(".", "PING")
    assert(lfs.chdir(here))
    assert.equal("PONG", pong)
    local second = start_ready(dir)
    second:stop(BY)
    assert.equal(0, (node:stop(BY)))
  end)

  it("lives in a folder relative to where the node was started", function()
    local base = support.tempdir()
    local node = start_ready(".moil", { cwd = base })
    assert.equal("PONG", call(base .. "/.moil", "PING"))
    assert.equal(0, (node:stop(BY)))
  end)

  it("may be a valkey-server", function()
    local dir = new_dir()
    local real = support.sh("command -v redis-server").stdout:gsub("\n", "")
    local node = start_ready(dir, path_with {
      ["valkey-server"] = "#!/bin/sh\nexec " .. real .. ' "$@"\n',
    })
    assert.equal("PONG", call(dir, "PING"))
    node:stop(BY)
  end)
end)

describe("without a server to be had", function()
  local function fails(dir, pattern, spawn_options)
    local node = start(dir, nil, spawn_options)
    assert.equal(3, (node:wait(BY)))
    assert.equal("", node:stdout())
    local err = node:stderr()
    assert.matches("error " .. pattern, err)
    assert.equal(2, select(2, err:gsub("\n", ""))) -- and "stopped"
  end

  it("says what to install", function()
    fails(new_dir(), "no redis%-server in PATH: install the package redis%-server", path_with {})
  end)

  it("refuses a folder that others may look into", function()
    local dir = support.tempdir()
    for _, mode in ipairs { "755", "710", "701" } do
      assert(os.execute(("chmod %s '%s'"):format(mode, dir)))
      fails(dir, "%S+ is open to other users: chmod 700 /")
    end
  end)

  it("refuses what is no folder, or has none above it", function()
    local base = support.tempdir()
    fails(support.write(base .. "/file", ""), "cannot open the folder %S+: Not a directory")
    fails(base .. "/a/b", "cannot make the folder %S+: No such file or directory")
  end)

  it("gives the server's last words as the reason", function()
    fails(new_dir(), "the private redis%-server in %S+ did not start: disk of sand\n",
      path_with {
        ["redis-server"] = "#!/bin/sh\necho one\n"
          .. "echo '7:M 1 Jan 2026 00:00:00.000 # disk of sand'\nexit 1\n",
      })
    fails(new_dir(), "the private redis%-server in %S+ did not start: it left no reason\n",
      path_with { ["redis-server"] = "#!/bin/sh\nexit 1\n" })
  end)

  it("says which file is damaged", function()
    local dir = new_dir()
    start_ready(dir):stop(BY)
    for name in lfs.dir(dir .. "/appendonlydir") do
      if name:find("%.incr%.aof$") then
        support.write(dir .. "/appendonlydir/" .. name, "no redis data\n")
      end
    end
    fails(dir, "the private redis%-server in %S+ did not start: .*[Bb]ad file format")
  end)

  it("can be stopped while it waits, and leaves nothing", function()
    local path = path_with { ["redis-server"] = "#!/bin/sh\necho $$ >>pid\nexec /bin/sleep 1000\n" }
    for _, name in ipairs { "TERM", "QUIT" } do
      local dir = new_dir()
      local node = start(dir, nil, path)
      local pid = wait_until(function()
        return lfs.attributes(dir .. "/pid") and tonumber((support.read(dir .. "/pid")))
      end, BY, "the fake server")
      node:kill(name)
      assert.equal(0, (node:wait(BY)))
      assert.is_false(is_there(pid))
    end
  end)

  it("gives up after 10 s", function()
    local path = path_with { ["redis-server"] = "#!/bin/sh\nexec /bin/sleep 1000\n" }
    fails(new_dir(), "the private redis%-server in %S+ did not accept .* within 10 s", path)
  end)
end)

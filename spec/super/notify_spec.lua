-- What systemd is told, on a socket of ours.

local site = require "spec.support.site"
local support = require "spec.support"
local super_node = require "spec.support.super_node"

local BY <const> = super_node.BY
local native <const> = support.native

local systemd = {}
systemd.__index = systemd

-- Listens on a socket in a folder of its own, or on an abstract name.
function systemd.listen(name)
  name = name or support.tempdir() .. "/notify"
  local fd = assert(native.datagrams(name))
  return setmetatable({ name = name, fd = fd, seen = {} }, systemd)
end

-- All datagrams so far.
function systemd:datagrams()
  while true do
    local text = native.read(self.fd)
    if not text then return self.seen end
    self.seen[#self.seen + 1] = text
  end
end

-- Waits for the nth datagram that holds a plain text → that and its place.
function systemd:wait_for(text, nth)
  return table.unpack(support.wait_until(function()
    local n = 0
    for i, datagram in ipairs(self:datagrams()) do
      if datagram:find(text, 1, true) then n = n + 1 end
      if n == (nth or 1) then return { datagram, i } end
    end
  end, BY, function() return text .. " in " .. table.concat(self.seen, "|") end))
end

local function env(d, more)
  local e = { NOTIFY_SOCKET = d.name }
  for k, v in pairs(more or {}) do e[k] = v end
  return { env = e }
end

local function lines_of(node, text)
  local n = 0
  for line in node:stderr():gmatch("[^\n]+") do
    if line:find(text, 1, true) then n = n + 1 end
  end
  return n
end

describe("systemd", function()
  for _, name in ipairs { "a path", "an abstract name" } do
    it("is told of start and stop, at " .. name, function()
      local d = systemd.listen(name ~= "a path" and "@moil-spec-" .. support.native.getpid() or nil)
      local node = super_node.start_ready({ workers = 2 }, env(d))
      local ready, at = d:wait_for("READY=1")
      assert.equal("READY=1\nSTATUS=running: 2 workers, 0 jobs\n", ready)
      for i = 1, at - 1 do assert.matches("^STATUS=%l+\n$", d.seen[i]) end
      assert.equal(0, (node:stop(BY)))
      local stopping, last = d:wait_for("STOPPING=1")
      assert.matches("^STOPPING=1\nSTATUS=[%l ]+\n$", stopping)
      assert.is_true(last > at)
      for _, datagram in ipairs(d:datagrams()) do
        assert.is_nil(datagram:find("WATCHDOG", 1, true))
      end
      native.close(d.fd)
    end)
  end

  it("is told that the node takes nothing new, and that it does again", function()
    local d = systemd.listen()
    local node = super_node.start_ready({ workers = 1 }, env(d))
    node:kill("TSTP")
    assert.equal("STATUS=quiet: 1 worker, 0 jobs\n", (d:wait_for("quiet")))
    node:kill("CONT")
    d:wait_for("STATUS=running", 2)
    node:stop(BY)
  end)

  it("is told of a reload, and of its end, whatever that is", function()
    local d = systemd.listen()
    local dir = support.tempdir()
    local node = super_node.start_ready({ workers = 1, check = "given:" .. dir .. "/x,exit:6" },
      env(d))
    d:wait_for("READY=1")
    for n = 1, 2 do
      node:kill("HUP")
      local lines, at = d:wait_for("RELOADING=1\nMONOTONIC_USEC=", n)
      assert.matches("MONOTONIC_USEC=%d+\n", lines)
      assert.is_true(at < select(2, d:wait_for("READY=1", n + 1)))
      support.write(dir .. "/x", "")
    end
    assert.matches("generation 2 goes on", node:stderr())
    node:stop(BY)
  end)

  it("is nobody that the children hear of", function()
    local d = systemd.listen()
    local node = super_node.start_ready({ workers = 1, worker = "status", agent = "status" },
      env(d, { WATCHDOG_USEC = "60000000" }))
    assert.equal(2, super_node.count(node:stdout(), "systemd 0"))
    assert.equal(0, super_node.count(node:stdout(), "systemd 1"))
    node:stop(BY)
  end)

  it("learns of a failed start by its status alone", function()
    local d = systemd.listen()
    local node = super_node.start({ check = "exit:6" }, env(d))
    assert.equal(6, (node:wait(BY)))
    d:wait_for("STOPPING=1")
    for _, datagram in ipairs(d:datagrams()) do
      assert.is_nil(datagram:find("READY=1", 1, true))
    end
  end)

  it("may name a socket that is not there: one line, and the node runs", function()
    local dir = support.tempdir()
    for _, name in ipairs { dir .. "/none", "@moil-spec-none" } do
      local node = super_node.start_ready({ workers = 1 },
        { env = { NOTIFY_SOCKET = name, WATCHDOG_USEC = "50000" } })
      node:kill("USR1")
      node:read_until("state: worker 1", BY)
      assert.equal(0, (node:stop(BY)))
      assert.equal(1, lines_of(node, "NOTIFY_SOCKET=" .. name))
      assert.equal(1, lines_of(node, "systemd"))
    end
  end)

  it("may be named wrongly: one line, and the node runs", function()
    for _, name in ipairs { "relative", "/", "vsock:2:1234", "/" .. ("x"):rep(200) } do
      local node = super_node.start_ready({ workers = 1 }, { env = { NOTIFY_SOCKET = name } })
      assert.equal(0, (node:stop(BY)))
      assert.equal(1, lines_of(node, "NOTIFY_SOCKET=" .. name:sub(1, 100) .. ": an absolute path"))
    end
  end)

  it("hears the same of a real node", function()
    local d = systemd.listen()
    local here = site.open { tasks = [[
      local moil = require "moil"
      moil.task("hears", function() return os.getenv("NOTIFY_SOCKET") or "nothing" end)
    ]], env = { NOTIFY_SOCKET = d.name } }
    d:wait_for("READY=1\nSTATUS=running: 1 worker")
    assert.equal("nothing", here:call("hears"))
    here.node:stop()
    d:wait_for("STOPPING=1")
  end)
end)

describe("systemd's watchdog", function()
  it("gets signs of life", function()
    local d = systemd.listen()
    local node = super_node.start_ready({ workers = 1 }, env(d, { WATCHDOG_USEC = "100000" }))
    assert.equal("WATCHDOG=1\n", (d:wait_for("WATCHDOG=1", 5)))
    node:stop(BY)
  end)

  it("gets none where it is another process's, or no number", function()
    for name, value in pairs { WATCHDOG_PID = "1", WATCHDOG_USEC = "5s" } do
      local d = systemd.listen()
      local more = { WATCHDOG_USEC = "10000" }
      more[name] = value
      local node = super_node.start_ready({ workers = 1 }, env(d, more))
      d:wait_for("READY=1")
      node:stop(BY)
      d:wait_for("STOPPING=1")
      for _, datagram in ipairs(d:datagrams()) do
        assert.is_nil(datagram:find("WATCHDOG", 1, true))
      end
      assert.equal(name == "WATCHDOG_USEC" and 1 or 0, lines_of(node, "WATCHDOG_USEC=5s"))
    end
  end)

  it("gets no more of them when every worker is in a crash loop", function()
    local d = systemd.listen()
    local node = super_node.start_ready({ workers = 2, worker = "ready,after:200,exit:1" },
      env(d, { WATCHDOG_USEC = "40000" }))
    d:wait_for("WATCHDOG=1")
    node:read_until("gets no more signs of life: every worker is in a crash loop", BY, "stderr")
    node:stop(BY)
  end)
end)

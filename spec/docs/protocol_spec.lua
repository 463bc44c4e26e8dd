-- docs/protocol.md: its example runs, and what it says of keys, scripts and commands is all that
-- there is.

local page = require "spec.docs.page"
local queue = require("spec.support").units.queue
local session = require "spec.docs.session"
local support = require "spec.support"

local NAME <const> = "docs/protocol.md"
local text <const> = support.read(NAME)

local function files(pattern)
  local list = {}
  for path in io.popen("ls " .. pattern):lines() do list[#list + 1] = path end
  return list
end

local function script_name(path) return path:match("([%w_]+)%.lua$") end

-- The page's steps in a session whose redis-cli talks to the session's server.
local function open()
  local run = session.new(NAME)
  local steps = page.parse(NAME, text)
  run:run(table.remove(steps, 1))
  assert(run.redis, "the page begins with a server of its own")
  assert(os.execute(("mkdir %s/bin && ln -s %s/lua %s/lua"):format(run.dir, support.root, run.dir)))
  local cli = support.sh("command -v redis-cli").stdout:gsub("\n", "")
  support.write(run.dir .. "/bin/redis-cli",
    ('#!/bin/sh\nexec %s -s %s "$@"\n'):format(cli, run.redis.path))
  assert(os.execute(("chmod +x %s/bin/redis-cli"):format(run.dir)))
  run.env.PATH = run.dir .. "/bin:" .. run.env.PATH
  return run, steps
end

describe(NAME, function()
  local run, steps

  setup(function() run, steps = open() end)
  teardown(function() run:close() end)

  it("has an example that works as it stands, and rights that can be given", function()
    for _, step in ipairs(steps) do run:run(step) end
    local o = assert(queue.decode_outcome(run.redis:call("HGET", "{moil}:jobs", "job-1")))
    assert.same({ "SUCCESS", "8" }, { o.state, o.value })
  end)

  it("names the rights that are enough for everything", function()
    local url = run.redis.url:gsub("^unix://", "unix://moil:secret@")
    local worker = support.start_moil { "worker", "tasks/demo.lua", "tasks/math.lua", "-w", "1",
      redis = url }
    worker:read_until("ready", 10)
    local function moil(...)
      local out = support.moil { redis = url, ... }
      assert.not_matches("NOPERM", out.stderr)
      return out
    end
    assert.equal("5\n", moil("call", "math.add", "2", "3", "--wait").stdout)
    assert.equal("5\n", moil("call", "math.add", "2", "3", "--wait", "--countdown", "0.05").stdout)
    assert.equal(1, moil("call", "math.div", "2", "0", "--wait").code)
    local id = moil("call", "math.add", "1", "1", "--queue", "other",
      "--at-front").stdout:match("%S+")
    assert.equal(0, moil("revoke", id).code)
    assert.equal(0, moil("result", id).code // 2)
    for _, what in ipairs { "active", "queues", "scheduled", "dead", "nodes", "audit" } do
      assert.equal(0, moil("inspect", what).code)
    end
    moil("inspect", "job", id)
    moil("pause", "other")
    moil("resume", "other")
    moil("purge", "other")
    moil("dead", "list")
    moil("dead", "retry", "--all")
    moil("dead", "delete", "--all")
    moil("beat", "add", "second", "--task", "math.add", "--cron", "* * * * * *", "--args", "[1,1]")
    support.wait_until(function()
      return moil("beat", "history", "second").stdout:find("fired", 1, true)
    end, 20, "its first tick")
    for _, verb in ipairs { "pause", "resume", "remove" } do
      assert.equal(0, moil("beat", verb, "second").code)
    end
    assert.equal(0, moil("call", "math.add", "1", "1", "--repeat", "2", "--interval", "60").code)
    assert.equal(0, moil("beat", "list").code)
    assert.equal(0, moil("control", "ping", "--timeout", "20").code)
    assert.equal(0, moil("control", "time-limit", "math.add", "9", "--timeout", "20").code)
    assert.equal(0, moil("control", "time-limit", "math.add", "own", "--timeout", "20").code)
    local listener = support.start_moil { "events", "--limit", "1", redis = url }
    support.wait_until(function()
      moil("call", "math.add", "1", "1")
      return #listener:stdout() > 0
    end, 20, "an event")
    listener:wait(20)
    assert.not_matches("NOPERM", listener:stderr())
    worker:stop()
    assert.not_matches("NOPERM", worker:stderr())
    assert.not_matches("may not run", worker:stderr())
  end)

  it("names the rights that are enough for a producer", function()
    local base = text:match("resetchannels \\\n(.-) \\\n"):gsub("\\|", "|")
    local rights = {}
    for right in base:gmatch("%S+") do rights[#rights + 1] = right end
    for right in text:match("and of the others `([%l\n ]+)`"):gmatch("%l+") do
      rights[#rights + 1] = "+" .. right
    end
    run.redis:call("ACL", "SETUSER", "producer", "on", ">pw", "~*", table.unpack(rights))
    local c = run.redis:connect()
    assert.equal("OK", c:call("AUTH", "producer", "pw"))
    local record = "J1 q 5 0 0 0 1 t 2 0 0\n[]"
    for _, call in ipairs {
      { "enqueue", "q", 5, 0, "p1", record }, { "enqueue", "q", 5, 1, "p2", record, "p3", record },
      { "enqueue", "q", 5, 1, "p1", record, "p4", record }, { "schedule", "p5", "+1000", record },
      { "wait", "me", "p1", "p5", "job-1" },
    } do
      local sha = assert(c:call("SCRIPT", "LOAD", support.script(call[1])))
      assert(c:call("EVALSHA", sha, 1, "{producer}:", table.unpack(call, 2)))
    end
    -- An id that lives again in front of what is left of its first life.
    support.eval_script(run.redis, "delete", "{producer}:", "p2")
    local sha = c:call("SCRIPT", "LOAD", support.script "enqueue")
    assert.same({}, c:call("EVALSHA", sha, 1, "{producer}:", "q", 5, 1, "p2", record))
    c:close()
  end)
end)

describe("the page", function()
  it("has every script, and no other", function()
    local there = {}
    for _, path in ipairs(files "lua/redis/*.lua") do
      local name = script_name(path)
      if not name:find("^prelude") then
        there[name] = true
        assert.matches("\n| `" .. name .. "`", text, 1, false)
      end
    end
    local tables = text:match("\n## Scripts\n(.-)\n## ")
    for name in tables:gmatch("\n| `([%w_]+)`") do assert.is_true(there[name], name) end
  end)

  it("marks the scripts that pass over maxmemory as they are marked themselves", function()
    for _, path in ipairs(files "lua/redis/*.lua") do
      local name, head = script_name(path),
        support.read(path):match("^(.-)\n[^-]"):gsub("\n%-%- ", " ")
      local is_marked = text:find("\n| `" .. name .. "` *full* ", 1, true) ~= nil
      if head:find("over maxmemory", 1, true) and not name:find("^prelude") then
        assert.is_true(is_marked, name)
      end
    end
  end)

  it("has every key", function()
    local keys = text:match("\n## Keys\n(.-)\n## ")
    for _, path in ipairs(files "lua/redis/*.lua") do
      for key in support.read(path):gmatch('ns %.%. "([%w:_]+)"') do
        assert.is_not_nil(keys:find("\n| `" .. key, 1, true), path .. ": " .. key)
      end
    end
  end)

  -- Commands that the script at the path calls, into `used`: name -> path.
  local function add_commands(used, path)
    local script = support.read(path)
    for command in script:gmatch('call%("(%u+)"') do used[command:lower()] = path end
    for command in script:gmatch('look%([^,]+, "(%u+)"') do used[command:lower()] = path end
    for command in script:gmatch('"(%u%u%u%u+)"') do
      if command:find("PUSH$") then used[command:lower()] = path end
    end
  end

  it("has every command", function()
    local allowed = {}
    for command in text:match("ACL SETUSER(.-)```"):gmatch("%+([%l|\\]+)") do
      allowed[command:match("^%l+")] = true
    end
    local used = {}
    for _, path in ipairs(files "lua/redis/*.lua") do add_commands(used, path) end
    for command, path in pairs(used) do assert.is_true(allowed[command],
      path .. ": " .. command) end
  end)

  it("has every command of a client that sends workflows", function()
    local allowed, used = {}, {}
    local clients = text:match("\nScripts run with the rights of their caller%.(.*)$")
    for list in clients:gmatch("`([^`]+)`") do
      for command in list:gmatch("%l+") do allowed[command] = true end
    end
    for _, path in ipairs(files "lua/redis/prelude*.lua") do
      if not path:find("handover", 1, true) then add_commands(used, path) end -- settle's alone
    end
    for _, name in ipairs { "enqueue", "wait", "accept", "stage", "advance", "extend", "gather",
      "workflow" } do
      add_commands(used, "lua/redis/" .. name .. ".lua")
    end
    for command, path in pairs(used) do assert.is_true(allowed[command],
      path .. ": " .. command) end
  end)

  it("leads somewhere with each link", function()
    for target, anchor in text:gmatch("%]%(([^)#%s]*)#?([^)]*)%)") do
      local file = target == "" and NAME or "docs/" .. target
      local other = support.read(file)
      local found = anchor == ""
      for heading in other:gmatch("\n#+ ([^\n]+)") do
        local slug = heading:lower():gsub("[^%w %-_]", ""):gsub(" ", "-")
        found = found or slug == anchor
      end
      assert.is_true(found, target .. "#" .. anchor)
    end
  end)
end)

local site = require "spec.support.site"
local support = require "spec.support"

-- --watch and moil dev: a change of a script or of the config file is a reload.

local BY <const> = 20

local function tasks(version)
  return ("require 'moil'.task('version', function() return %q end)\n"):format(version)
end

local here

local function sh(command, ...)
  assert(os.execute(("cd '%s' && " .. command):format(here.dir, ...)))
end

local function open(files, args)
  here = site.open { idle = true }
  os.remove(here.dir .. "/tasks.lua")
  for name, text in pairs(files) do
    local sub = name:match "^(.*)/"
    if sub then sh("mkdir -p '%s'", sub) end
    support.write(here.dir .. "/" .. name, text)
  end
  args = args or { "--watch", "-w", "1" }
  args.tasks = args.tasks or "tasks"
  here.node = here:worker(args)
  return here
end

local function write(name, text) support.write(here.dir .. "/" .. name, text) end

-- The nth reload that is over, by the generation that serves.
local function serves(number)
  here.node:read_until(("reload: generation %d serves"):format(number), BY)
end

-- Waits for new code, however many reloads it takes.
local function wait_for(version)
  support.wait_until(function()
    return here:call("version") == version
  end, BY, function() return version .. ": " .. here.node:report() end)
end

local function stop() assert.equal(0, (here.node:stop(BY))) end

describe("--watch", function()
  it("reloads when a file is written, and says which", function()
    open { ["tasks/a.lua"] = tasks "one" }
    write("tasks/a.lua", tasks "two")
    here.node:read_until("reload: tasks/a.lua has changed\n", BY)
    wait_for "two"
    stop()
  end)

  it("reloads when an editor renames over the file", function()
    open { ["tasks/a.lua"] = tasks "one" }
    for n = 1, 3 do
      write("tasks/.a.lua.swp", tasks("v" .. n))
      sh "mv tasks/.a.lua.swp tasks/a.lua"
      wait_for("v" .. n)
    end
    stop()
  end)

  it("sees new files, new folders, and what goes away", function()
    open { ["tasks/a.lua"] = "" }
    write("tasks/b.lua", tasks "new")
    wait_for "new"
    sh "rm tasks/b.lua && mkdir -p tasks/x/y && echo 'return 1' > tasks/x/y/z.lua"
    write("tasks/x/y/c.lua", tasks "deep")
    wait_for "deep"
    sh "mv tasks/x moved"
    write("moved/y/c.lua", tasks "moved")
    write("tasks/d.lua", tasks "instead")
    wait_for "instead"
    sh "rm -r tasks"
    here.node:read_until("the check has failed", BY)
    sh "mkdir tasks"
    write("tasks/a.lua", tasks "again")
    wait_for "again"
    stop()
  end)

  it("reloads when the config file changes, appears or goes", function()
    open({ ["tasks/a.lua"] = tasks "one" }, { "--watch" })
    write("moil.lua", "return { workers = 1 }")
    here.node:read_until("serves %(1 worker,", BY)
    write("moil.lua", "return { workers = 3 }")
    here.node:read_until("serves %(3 workers,", BY)
    os.remove(here.dir .. "/moil.lua")
    here.node:read_until("reload: moil.lua has changed\n.-serves", BY)
    stop()
  end)

  it("keeps the old code while a file is broken, and sees it mended", function()
    open { ["tasks/a.lua"] = tasks "one" }
    write("tasks/a.lua", "oops")
    here.node:read_until("tasks/a.lua:1: syntax error[^\n]*\n.-generation 1 goes on", BY)
    assert.equal("one", here:call("version"))
    write("tasks/a.lua", tasks "mended")
    wait_for "mended"
    stop()
  end)

  it("sees required files elsewhere, and those behind links", function()
    open {
      ["tasks/a.lua"] = "package.path = './lib/?.lua;' .. package.path\n"
        .. "local v = require 'v' require 'moil'.task('version', function() return v end)",
      ["lib/v.lua"] = "return 'one'",
    }
    assert.equal("one", here:call("version"))
    write("lib/v.lua", "return 'two'")
    wait_for "two"
    sh "mkdir far && mv lib/v.lua far/real && ln -s ../far/real lib/v.lua"
    wait_for "two"
    here.node:read_until("lib/v.lua has changed.-serves.-lib/v.lua has changed.-serves", BY)
    write("far/real", "return 'three'")
    wait_for "three"
    stop()
  end)

  it("passes over files that nobody loads", function()
    open { ["tasks/a.lua"] = tasks "one" }
    sh "echo > tasks/notes.txt; echo > tasks/.a.lua.swp; mkdir tasks/.git; echo > tasks/.git/x.lua"
    sh "echo > other.lua; echo > tasks/a.lua~"
    write("tasks/a.lua", tasks "two")
    serves(2)
    assert.equal("two", here:call("version"))
    assert.same({}, site.log_lines(here.node, "generation 3"))
    for line in here.node:stderr():gmatch("reload: (%S+) has changed") do
      assert.equal("tasks/a.lua", line)
    end
    stop()
  end)

  it("takes many writes together", function()
    open { ["tasks/a.lua"] = tasks "one" }
    for n = 1, 300 do write("tasks/a.lua", tasks("v" .. n)) end
    wait_for "v300"
    stop()
    local _, reloads = here.node:stderr():gsub("has changed", "")
    assert.is_true(reloads < 100, reloads .. " reloads")
  end)

  it("is not the default of a worker, and HUP works beside it", function()
    open({ ["tasks/a.lua"] = tasks "one" }, { "-w", "1" })
    write("tasks/a.lua", tasks "two")
    here.node:kill("USR1")
    here.node:read_until("state: running", BY)
    assert.same({}, site.log_lines(here.node, "has changed"))
    here.node:kill("HUP")
    serves(2)
    stop()
    open { ["tasks/a.lua"] = tasks "one" }
    here.node:kill("HUP")
    serves(2)
    stop()
  end)

  it("keeps its descriptors to itself", function()
    open { ["tasks/a.lua"] = [[
      require "moil".task("fds", function()
        local p = io.popen("ls -l /proc/" .. PID .. "/fd")
        local text = p:read("a")
        p:close()
        return text
      end)
      local f = io.open("/proc/self/stat")
      PID = f:read("n")
      f:close()
    ]] }
    assert.is_nil(here:call("fds"):find("inotify", 1, true))
    stop()
  end)
end)

describe("moil dev", function()
  it("watches without being asked", function()
    here = site.open { idle = true }
    sh "mkdir tasks"
    write("tasks/a.lua", tasks "one")
    here.node = support.start_moil { "dev", cwd = here.dir }
    here.node:read_until("ready", BY)
    write("tasks/a.lua", tasks "two")
    serves(2)
    local call = support.start_moil { "call", "version", "--wait", cwd = here.dir }
    assert.equal(0, (call:wait(BY)))
    assert.equal('"two"\n', call:stdout())
    stop()
  end)
end)

-- src/vm/load.c, rails.c, task.c, vm.c: how files become tasks.

local support = require "spec.support"
local driver = require "spec.vm.driver"

local function folder(files)
  local dir = support.tempdir()
  for name, text in pairs(files) do
    local sub = name:match "^(.*)/"
    if sub then assert(os.execute("mkdir -p '" .. dir .. "/" .. sub .. "'")) end
    support.write(dir .. "/" .. name, text)
  end
  return dir
end

local function new() return assert(driver.units.new { host = {} }) end

local function names(vm)
  local list = {}
  for i, task in ipairs(vm:tasks()) do list[i] = task.name end
  return list
end

describe("loading", function()
  it("takes a folder's files in the order of their names, sub-folders too, hidden ones not",
    function()
    local dir = folder {
      ["b.lua"] = "order = (order or '') .. 'b'",
      ["a.lua"] = "order = (order or '') .. 'a'",
      ["c/d.lua"] = "order = (order or '') .. 'd'",
      ["z.lua"] = "require 'moil'.task('order', function() return order end)",
      ["y.txt"] = "no Lua",
      [".hidden.lua"] = "error 'hidden'",
      [".git/x.lua"] = "error 'hidden'",
    }
    local vm = new()
    assert(vm:load(dir .. "/"))
    vm:seal()
    assert.equal("abd", select(2, driver.run(vm, "order")))
  end)

  it("shares one cache with require, by real path", function()
    local dir = folder {
      ["a.lua"] = "local m = require 'shared' require 'moil'.task('a', function() return m.n end)",
      ["shared.lua"] = "runs = (runs or 0) + 1 return { n = runs }",
      ["sub/init.lua"] = "return { s = require('shared').n }",
      ["z.lua"] = "local m, s = require 'shared', require 'sub' assert(m.n == 1 and s.s == 1)",
    }
    assert(os.execute("ln -s shared.lua '" .. dir .. "/link.lua'"))
    local vm = new()
    assert(vm:load(dir))
    assert(vm:load(dir .. "/shared.lua"))
    vm:seal()
    assert.equal(1, select(2, driver.run(vm, "a")))
  end)

  it("finds what lies beside a single file", function()
    local dir = folder {
      ["tasks.lua"] = "require 'moil'.task('t', function() return require('helper') end)",
      ["helper.lua"] = "return 'helped'",
    }
    local vm = new()
    assert(vm:load(dir .. "/tasks.lua"))
    vm:seal()
    assert.equal("helped", select(2, driver.run(vm, "t")))
  end)

  it("says what is wrong, with file and line, in one line", function()
    local function wrong(source)
      local message = driver.load_error(source)
      assert.is_nil(message:find("\n", 1, true))
      return (message:gsub("^/.*/tasks%.lua", "tasks.lua"))
    end
    assert.matches("^tasks.lua:2: .*near '%)'", wrong "\nlocal x = )")
    assert.equal("tasks.lua:2: oops", wrong "\nerror 'oops'")
    assert.equal("tasks.lua:3: no place", wrong "\n\nerror('no place', 0)")
    assert.equal("tasks.lua:2: in a table", wrong "\nerror { code = 'X', message = 'in a table' }")
    assert.equal("tasks.lua:2: nil", wrong "\nerror()")
    assert.equal("tasks.lua:2: moil.task: the name (first argument) must be "
      .. "1 to 200 printable ASCII characters "
      .. "without spaces", wrong "\nmoil.task(nil, function() end)")
    assert.matches("^tasks.lua:1: module 'nowhere' not found: .*no field package.preload",
      (driver.load_error "require 'nowhere'"):gsub("^/.*/tasks", "tasks"):match "[^\n]*")
  end)

  it("tells of paths that are not there, empty folders, files that cannot be read", function()
    local vm = new()
    assert.same({ nil, "/nowhere: No such file or directory" }, { vm:load "/nowhere" })
    local dir = support.tempdir()
    assert.same({ nil, dir .. ": no *.lua file in this folder" }, { vm:load(dir) })
  end)

  it("refuses files that require each other in a circle", function()
    local dir = folder { ["a.lua"] = "require 'b'", ["b.lua"] = "require 'a'" }
    assert.matches("a.lua requires itself", select(2, new():load(dir)))
  end)

  it("refuses bytecode, from files and strings", function()
    local code = string.dump(function() return 1 end)
    local vm = new()
    local ok, message = vm:load(support.write(support.tempdir() .. "/x.lua", code))
    assert.is_nil(ok)
    assert.matches("attempt to load a binary chunk", message)
    local dir = folder { ["x.bin"] = code }
    assert.equal("true", (select(2, vm:load(driver.file(([[
      local function refused(f, ...) local r, e = f(...)
        return r == nil and e:find("binary chunk", 1, true) ~= nil end
      local code = string.dump(function() end)
      assert(refused(load, code) and refused(load, code, "x", "b") and refused(load, code, "x",
        "bt", {}))
      assert(refused(loadfile, "%s/x.bin") and refused(loadfile, "%s/x.bin", "b"))
      assert(not pcall(dofile, "%s/x.bin"))
      assert(load("return 1 + ...")(2) == 3)
      assert(load("return x", "name", "t", { x = 5 })() == 5)
      x_global = 7
      assert(load("return x_global")() == 7)
      local parts = { "return ", "9" }
      assert(load(function() return table.remove(parts, 1) end)() == 9)
      error("true", 0)
    ]]):gsub("%%s", dir)))):gsub("^.*: ", "")))
  end)
end)

describe("registration", function()
  it("fills what the worker needs to know of a task", function()
    local vm, path = driver.new { source = [[
      moil.task("b.plain", function() end)
      moil.task("a.full", { bind = true, blocking = true, queue = "high", retry =
        moil.retry.fixed {}, max_deliveries = 5,
        time_limit = 10, soft_time_limit = 5.5, result_ttl = 60, memory_limit = 1.5,
          ignore_result = true,
        on_success = print, before_start = print }, function() end)
      moil.task("c.none", { time_limit = false, soft_time_limit = false, result_ttl = false,
        memory_limit = false, after_return = print },
        function() end)
    ]] }
    assert.same({ "a.full", "b.plain", "c.none" }, names(vm))
    local full, plain, none = table.unpack(vm:tasks())
    assert.same({
      name = "a.full", queue = "high", where = path .. ":2", bind = true, blocking = true,
        ignore_result = true, has_before = true,
      has_success = true, has_failure = true, time_limit = 10.0, soft_time_limit = 5.5,
        result_ttl = 60.0,
      memory_limit = 1572864, max_deliveries = 5,
    }, full)
    assert.same({
      name = "b.plain", queue = "default", where = path .. ":1", bind = false, blocking = false,
        ignore_result = false,
      has_before = false, has_success = false, has_failure = false, time_limit = 0.0,
        soft_time_limit = 0.0,
      result_ttl = -1.0, memory_limit = 0, max_deliveries = 0,
    }, plain)
    assert.is_true(none.memory_limit < 0)
    assert.same({ -1.0, -1.0, math.huge, true, true },
      { none.time_limit, none.soft_time_limit, none.result_ttl, none.has_success,
        none.has_failure })
  end)

  it("refuses the same name twice, showing both places", function()
    local message = driver.load_error "\nmoil.task('a', print)\nmoil.task('a', print)"
    assert.matches("/tasks.lua:3: moil.task: 'a' is registered already, at /.*/tasks.lua:2$",
      message)
  end)

  it("is refused in a job", function()
    local vm = driver.new { source = [[moil.task("late", function() moil.task("x", print) end)]] }
    local _, err = driver.run(vm, "late")
    assert.equal("moil.task: tasks are registered while files are loaded, not in a job",
      err.message)
    assert.equal("BadArgument", err.code)
  end)

  it("reads routes and defaults of the configuration", function()
    local vm = driver.new {
      config = [[{"routes": {"img.*": "images", "img.big.*": "large", "img.big.one": "exact"},
        "task_defaults": {"queue": "other", "time_limit": 60, "retry": {"policy": "fixed",
          "max": 1}}}]],
      source = [[
        for _, name in ipairs { "a", "img.x", "img.big.x", "img.big.one", "ximg.x" } do
          moil.task(name, print) end
        moil.task("img.own", { queue = "own", time_limit = 5 }, print)
      ]],
    }
    local got = {}
    for _, task in ipairs(vm:tasks()) do got[task.name] = { task.queue, task.time_limit,
      task.has_failure } end
    assert.same({
      a = { "other", 60.0, true }, ["img.x"] = { "images", 60.0, true }, ["img.big.x"] = { "large",
        60.0, true },
      ["img.big.one"] = { "exact", 60.0, true }, ["ximg.x"] = { "other", 60.0, true },
        ["img.own"] = { "own", 5.0, true },
    }, got)
  end)

  it("refuses a configuration that is wrong, naming what", function()
    local function wrong(config)
      return select(2, driver.units.new { host = {}, config = config })
    end
    assert.matches("task_defaults: unknown option 'tim_limit', did you mean 'time_limit'%?$",
      wrong '{"task_defaults":{"tim_limit":1}}')
    assert.matches("routes: the queue of 'a' must be", wrong '{"routes":{"a":7}}')
    assert.matches("configuration: ", wrong "{")
  end)
end)

describe("a worker's limits", function()
  local function load_error(source)
    return driver.load_error("\n" .. source, { time_limit = 10, soft_time_limit = 5 })
  end

  it("may not be contradicted by a task's", function()
    assert.matches("/tasks.lua:2: a: soft_time_limit %(10 s%) must be less than the worker's "
      .. "%-%-time%-limit %(10 s%)$", load_error 'moil.task("a", { soft_time_limit = 10 }, print)')
    assert.matches("/tasks.lua:2: a: time_limit %(5 s%) must be more than the worker's "
      .. "%-%-soft%-time%-limit %(5 s%): give the task a soft_time_limit of its own, or false$",
      load_error 'moil.task("a", { time_limit = 5 }, print)')
    assert(driver.new {
      time_limit = 10, soft_time_limit = 5,
      source = [[
        moil.task("a", { time_limit = 5, soft_time_limit = false }, print)
        moil.task("b", { soft_time_limit = 20, time_limit = false }, print)
        moil.task("c", { soft_time_limit = 20, time_limit = 30 }, print)
        moil.task("d", { time_limit = 6 }, print)
      ]],
    })
  end)

  it("of the configuration file may not be either", function()
    local message = driver.load_error('\nmoil.task("a", { time_limit = 3 }, print)',
      { config = '{"task_defaults":{"soft_time_limit":4}}' })
    assert.matches("/tasks.lua:2: a: soft_time_limit %(4 s%) must be less than time_limit %(3 s%)$",
      message)
  end)

  it("that are zero or negative name the task and its line", function()
    for _, option in ipairs { "time_limit", "soft_time_limit", "memory_limit", "max_deliveries" } do
      for _, value in ipairs { 0, -1 } do
        assert.matches("/tasks.lua:2: a: " .. option .. " must be a ", driver.load_error(
          ('\nmoil.task("a", { %s = %d }, print)'):format(option, value)))
      end
    end
  end)
end)

describe("the rails", function()
  it("send print to the log and let globals be set while loading only", function()
    local vm = driver.new { source = [[
      counter = 0
      moil.task("count", function() counter = counter + 1 return counter end)
      moil.task("new", function() other = 1 end)
      moil.task("read", function() return never == nil end)
      moil.task("via_g", function() _G["a b"] = 1 end)
    ]] }
    assert.equal(1, select(2, driver.run(vm, "count")))
    assert.equal(2, select(2, driver.run(vm, "count")))
    assert.equal(true, select(2, driver.run(vm, "read")))
    assert.matches("undeclared global 'other'", select(2, driver.run(vm, "new")).message)
    assert.matches("undeclared global 'a b'", select(2, driver.run(vm, "via_g")).message)
  end)

  it("finds moil's library in a folder instead of the embedded copy", function()
    local vm = driver.new { lua_dir = support.root .. "/lua",
      source = [[moil.task("t", function() return 7 end)]] }
    assert.equal(7, select(2, driver.run(vm, "t")))
    local _, message = driver.units.new { host = {}, lua_dir = "/nowhere" }
    assert.matches("/nowhere/moil/job.lua", message)
  end)
end)

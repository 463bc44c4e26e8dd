-- src/vm/snapshot.c, source.c: what a generation loads, kept apart from the files on disk.

local support = require "spec.support"
local driver = require "spec.vm.driver"

local units = driver.units

local function folder(files)
  local dir = support.tempdir()
  for name, text in pairs(files) do
    local sub = name:match "^(.*)/"
    if sub then assert(os.execute("mkdir -p '" .. dir .. "/" .. sub .. "'")) end
    support.write(dir .. "/" .. name, text)
  end
  return dir
end

-- Loads the paths and returns the bytes of a snapshot of them.
local function take(paths, options)
  local vm = assert(units.new { host = {}, record = true, lua_dir = options and options.lua_dir })
  for _, path in ipairs(paths) do assert(vm:load(path)) end
  local bytes = vm:draft()
  vm:close()
  return bytes
end

local function load(bytes, options)
  local vm = assert(units.new {
    host = {}, snapshot = bytes, lua_dir = options and options.lua_dir,
  })
  assert(vm:load_snapshot())
  vm:seal()
  return vm
end

local function value(vm, task) return select(2, driver.run(vm, task)) end

describe("a snapshot", function()
  it("loads what was there, in its order, though the files are gone", function()
    local dir = folder {
      ["a.lua"] = "order = 'a' local m = require 'lib.inner'\n"
        .. "require 'moil'.task('inner', function() return m.n end)",
      ["b.lua"] = "order = order .. 'b' require 'moil'.task('order', function() return order end)",
      ["lib/inner.lua"] = "order = order .. 'i' return { n = 7 }",
    }
    local bytes = take { dir }
    assert(os.execute("rm -r '" .. dir .. "'"))
    local vm = load(bytes)
    assert.equal(7, value(vm, "inner"))
    assert.equal("aib", value(vm, "order"))
    assert.equal(dir .. "/a.lua:2", vm:tasks()[1].where)
  end)

  it("goes before changed files, and before new ones on the path", function()
    local dir = folder {
      ["one/tasks.lua"] = "local v = require 'v'\n"
        .. "require 'moil'.task('v', function() return v end)",
      ["two/other.lua"] = "return 1",
      ["two/v.lua"] = "return 'then'",
    }
    local bytes = take { dir .. "/two", dir .. "/one" }
    support.write(dir .. "/two/v.lua", "return 'now'")
    support.write(dir .. "/one/v.lua", "return 'new'")
    assert.equal("then", value(load(bytes), "v"))
  end)

  it("has links, scripts' first lines, and what loadfile and dofile read", function()
    local dir = folder {
      ["real.txt"] = "#!/usr/bin/env lua5.4\nreturn { line = debug.getinfo(1).currentline }",
      ["tasks.lua"] = [[
        local dir = select(2, ...):match("^(.*)/")
        local linked = require "link"
        local once = dofile(dir .. "/once.txt")
        local mine = assert(loadfile(dir .. "/mine.txt", "t", { x = 5 }))()
        assert(not loadfile(dir .. "/none.txt"))
        require "moil".task("line", function() return linked.line end)
        require "moil".task("once", function() return once end)
        require "moil".task("mine", function() return mine end)
        require "moil".task("now", function() return dofile(dir .. "/once.txt") end)
      ]],
      ["once.txt"] = "\xef\xbb\xbfreturn 'once'",
      ["mine.txt"] = "return x",
    }
    assert(os.execute("ln -s real.txt '" .. dir .. "/link.lua'"))
    local bytes = take { dir .. "/tasks.lua" }
    assert(os.execute("cd '" .. dir .. "' && rm link.lua real.txt mine.txt"))
    support.write(dir .. "/once.txt", "return 'again'")
    local vm = load(bytes)
    assert.equal(2, value(vm, "line"))
    assert.equal("once", value(vm, "once"))
    assert.equal(5, value(vm, "mine"))
    assert.equal("again", value(vm, "now")) -- a job reads what is there
  end)

  it("has moil's own library from --lua-dir", function()
    local dir = folder {
      ["tasks.lua"] = "require 'moil'.task('v', function() return require('moil').mine end)",
    }
    assert(os.execute("cp -r lua/moil '" .. dir .. "/'"))
    local init = assert(io.open("lua/moil/init.lua")):read "a"
    support.write(dir .. "/moil/init.lua", (init:gsub("\nreturn moil", "\nmoil.mine = 1%0")))
    local bytes = take({ dir .. "/tasks.lua" }, { lua_dir = dir })
    assert(os.execute("rm -r '" .. dir .. "'"))
    assert.equal(1, value(load(bytes, { lua_dir = dir }), "v"))
  end)

  it("leaves to the disk what a job requires for the first time", function()
    local dir = folder {
      ["late/tasks.lua"] = "require 'moil'.task('v', function() return require 'later' end)",
    }
    local bytes = take { dir .. "/late" }
    support.write(dir .. "/late/later.lua", "return 'later'")
    assert.equal("later", value(load(bytes), "v"))
  end)

  it("of files with equal names in other folders keeps both", function()
    local dir = folder {
      ["x/a.lua"] = "require 'moil'.task('x', function() return 'x' end)",
      ["y/a.lua"] = "require 'moil'.task('y', function() return 'y' end)",
    }
    local vm = load(take { dir .. "/x/a.lua", dir .. "/y" })
    assert.equal("x", value(vm, "x"))
    assert.equal("y", value(vm, "y"))
  end)
end)

describe("the bytes of a snapshot", function()
  it("are a list of entries", function()
    local dir = folder { ["tasks.lua"] = "return 1" }
    local path = dir .. "/tasks.lua"
    assert.same({
      { kind = 1, name = path, value = dir },
      { kind = 2, name = path, value = "" },
      { kind = 3, name = path, value = path },
      { kind = 4, name = path, value = "return 1" },
    }, units.entries(take { path }))
  end)

  it("are refused when cut off or damaged", function()
    local bytes = take { folder { ["tasks.lua"] = "return 1" } }
    assert.is_truthy(units.entries(bytes))
    for n = 1, #bytes - 1 do
      local list = units.entries(bytes:sub(1, n))
      assert.is_true(not list or #list < 4)
    end
    for at = 1, #bytes do -- whatever stands there: no read behind the end
      for _, byte in ipairs { "\0", "\1", "\255" } do
        units.entries(bytes:sub(1, at - 1) .. byte .. bytes:sub(at + 1))
      end
    end
    assert.same({}, units.entries "")
    -- Its kind's letter, and the NULs behind name and value.
    local entry = string.pack("<I4I4I8", 0, 1, 1) .. "dn\0" .. ("\0"):rep(5) .. "v" .. ("\0"):rep(7)
    assert.same({ { kind = 0, name = "n", value = "v" } }, units.entries(entry))
    for _, at in ipairs { 17, 19, 26 } do
      assert.is_nil(units.entries(entry:sub(1, at - 1) .. "x" .. entry:sub(at + 1)))
    end
  end)
end)

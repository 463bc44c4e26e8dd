-- The pidfile of a node.

local support = require "spec.support"
local super_node = require "spec.support.super_node"

local BY <const> = super_node.BY
local start <const> = super_node.start
local start_ready <const> = super_node.start_ready
local place <const> = super_node.place

describe("the pidfile", function()
  it("holds the pid and goes at the end", function()
    local path = support.tempdir() .. "/pid"
    local node = start_ready { pidfile = path }
    assert.equal(node.pid .. "\n", support.read(path))
    node:stop(BY)
    assert.is_nil(io.open(path))
  end)

  it("goes also where a signal comes in the moment of its making", function()
    for _ = 1, 30 do
      local dir = support.tempdir()
      local node = start { pidfile = dir .. "/pid" }
      local function is_made()
        for name in require("lfs").dir(dir) do
          if name:sub(1, 1) ~= "." then return true end
        end
      end
      repeat until is_made() or not node:alive()
      node:kill("TERM")
      assert.same({ 0 }, { node:wait(BY) })
      assert.is_nil(is_made())
    end
  end)

  it("keeps a second supervisor out, and a stale one does not", function()
    local dir = support.tempdir()
    local path = dir .. "/pid"
    local first = start_ready { pidfile = path }
    local second = start { pidfile = path }
    assert.equal(2, (second:wait(BY)))
    place(second:stderr(), ("process %d runs with the pidfile %s already"):format(first.pid, path))
    first:kill("KILL")
    first:wait(BY)
    assert.equal(first.pid .. "\n", support.read(path))
    local third = start_ready { pidfile = path }
    assert.equal(third.pid .. "\n", support.read(path))
    third:stop(BY)
    for name in require("lfs").dir(dir) do assert.matches("^%.+$", name) end
  end)

  it("goes when the check fails too", function()
    local path = support.tempdir() .. "/pid"
    assert.equal(6, (start { pidfile = path, check = "exit:6" }:wait(BY)))
    assert.is_nil(io.open(path))
  end)

  it("that cannot be written is an error", function()
    local node = start { pidfile = "/nowhere/pid" }
    assert.equal(2, (node:wait(BY)))
    place(node:stderr(), "cannot write the pidfile /nowhere/pid: No such file or directory")
  end)
end)

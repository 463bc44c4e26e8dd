-- docs/deployment.md and the unit for systemd, which no spec can start.

local support = require "spec.support"

local unit <const> = support.read("examples/moil.service")

describe("the unit", function()
  it("is the one that the page shows", function()
    local page = support.read("docs/deployment.md")
    assert.equal(unit, page:match("```text\n(.-)```"))
  end)

  it("starts a command that moil has, with options that it knows", function()
    local line = unit:match("ExecStart=/usr/local/bin/moil ([^\n]+)")
    local help = support.moil { line:match("%S+"), "--help" }
    assert.equal(0, help.code)
    for option in line:gmatch("%-%-[%l-]+") do
      assert.is_not_nil(help.stdout:find(option, 1, true), option)
    end
  end)

  it("leaves the shutdown its time", function()
    local help = support.moil({ "worker", "--help" }).stdout
    local timeout = tonumber(help:match("%-%-shutdown%-timeout.-default:? (%d+)"))
    local stop = tonumber(unit:match("TimeoutStopSec=(%d+)"))
    assert.is_true(stop >= timeout + 10)
  end)
end)

-- docs/deployment.md and the units for systemd, which no spec can start.

local support = require "spec.support"

local unit <const> = support.read("examples/moil@.service")
local hardened <const> = support.read("examples/moil-hardened.service")

describe("the unit", function()
  it("is the one that the page shows", function()
    local page = support.read("docs/deployment.md")
    assert.equal(unit, page:match("```text\n(.-)```"))
  end)

  it("starts a command that moil has, with options that it knows", function()
    for _, text in ipairs { unit, hardened } do
      local line = text:match("ExecStart=/usr/local/bin/moil ([^\n]+)")
      local help = support.moil { line:match("%S+"), "--help" }
      assert.equal(0, help.code)
      for option in line:gmatch("%-%-[%l-]+") do
        assert.is_not_nil(help.stdout:find(option, 1, true), option)
      end
    end
  end)

  it("leaves the shutdown its time", function()
    local help = support.moil({ "worker", "--help" }).stdout
    local timeout = tonumber(help:match("%-%-shutdown%-timeout.-default:? (%d+)"))
    for _, text in ipairs { unit, hardened } do
      assert.is_true(tonumber(text:match("TimeoutStopSec=(%d+)")) >= timeout + 10)
    end
  end)

  it("is understood by systemd, where that is installed", function()
    if support.sh("command -v systemd-analyze").code ~= 0 then return end
    local dir = support.tempdir()
    for name, text in pairs { ["moil@shop"] = unit, ["moil-hardened"] = hardened } do
      -- What is not installed here is no error of the unit.
      text = text:gsub("/usr/local/bin/moil", support.binary):gsub("\nDocumentation[^\n]+", "")
      support.write(("%s/%s.service"):format(dir, name), text)
    end
    local command = "cd " .. dir .. " && systemd-analyze verify ./*.service"
    local out = support.sh(command, { timeout = 60 })
    assert.same({ 0, "" }, { out.code, out.stderr })
    out = support.sh(("cd %s && systemd-analyze security --offline=yes ./moil-hardened.service")
      :format(dir), { timeout = 60 })
    assert.matches("Overall exposure level for moil%-hardened.service: 1%.%d OK", out.stdout)
  end)
end)

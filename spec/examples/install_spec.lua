-- Each C program of examples/ against an installed moil, by the command that its first comment
-- tells.

local installed = require "spec.support.installed"
local support = require "spec.support"

describe("with an installed moil", function()
  local env, prefix

  setup(function() env, prefix = installed.environment() end)

  for path in io.popen("ls examples/*.c"):lines() do
    local name <const> = path:match("([%w_]+)%.c$")

    it(path .. " is built by the command that it names", function()
      local head = support.read(path):match("^/%*.-%*/")
      assert.matches("\n %*   make examples; build/examples/" .. name .. "%f[ \n]", head)
      local command = head:match("\n %*   (cc [^\n]+)")
      assert.matches("&& %./" .. name .. "%f[ \n]", command)
      local dir = support.tempdir()
      support.write(("%s/%s.c"):format(dir, name), support.read(path))
      local out = support.sh(command:match("^(.-) &&"), { cwd = dir, env = env, timeout = 60 })
      assert.same({ 0, "", "" }, { out.code, out.stdout, out.stderr })
      out = support.sh("ldd ./" .. name, { cwd = dir, env = env })
      assert.matches("libmoil.so.%d+ => " .. prefix:gsub("%p", "%%%0"), out.stdout)
    end)
  end
end)

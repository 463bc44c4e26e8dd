-- Each C program of examples/ against an installed moil, by the command that its first comment
-- tells.

local support = require "spec.support"

describe("with an installed moil", function()
  local prefix <const> = support.tempdir() .. "/moil"
  local env <const> = {
    PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig",
    LD_LIBRARY_PATH = prefix .. "/lib",
  }

  setup(function()
    local out = support.sh(("make --no-print-directory -s BUILD='%s' install PREFIX='%s'"):format(
      support.build, prefix), { timeout = 120 })
    assert.equal(0, out.code, out.stderr)
  end)

  local function compile(command, dir)
    local sanitizer = os.getenv("SANITIZER") or ""
    if sanitizer ~= "" then command = command:gsub("^cc", "%0 -fsanitize=" .. sanitizer) end
    return support.sh(command:gsub("^cc", os.getenv("CC") or "cc"), {
      cwd = dir, env = env, timeout = 60,
    })
  end

  for path in io.popen("ls examples/*.c"):lines() do
    local name <const> = path:match("([%w_]+)%.c$")

    it(path .. " is built by the command that it names", function()
      local head = support.read(path):match("^/%*.-%*/")
      assert.matches("\n %*   make examples; build/examples/" .. name .. "%f[ \n]", head)
      local command = head:match("\n %*   (cc [^\n]-) && %./" .. name .. "%f[ \n]")
      assert.is_string(command)
      local dir = support.tempdir()
      support.write(("%s/%s.c"):format(dir, name), support.read(path))
      local out = compile(command, dir)
      assert.same({ 0, "", "" }, { out.code, out.stdout, out.stderr })
      out = support.sh("ldd ./" .. name, { cwd = dir, env = env })
      assert.matches("libmoil.so.%d+ => " .. prefix:gsub("%p", "%%%0"), out.stdout)
    end)
  end
end)

-- Completion: what the program answers, and what comes of a tab in a real bash and a real zsh.

local support = require "spec.support"

local dir = support.tempdir()
support.write(dir .. "/beat.lua", "return { schedule = {} }\n")
support.sh("mkdir " .. dir .. "/tasks")

-- The candidates, in order, and what they are described as.
local function complete(...)
  local out = support.moil { "--help=complete", ... }
  assert.equal(0, out.code)
  assert.equal("", out.stderr)
  local names, descriptions = {}, {}
  for line in out.stdout:gmatch("[^\n]+") do
    local name, description = line:match("^([^\t]+)\t?(.*)$")
    names[#names + 1] = name
    descriptions[name] = description
  end
  return names, descriptions
end

local function help_of(command)
  return support.moil({ "help", command }).stdout
end

describe("the candidates", function()
  it("are the commands, with their summaries", function()
    local names, descriptions = complete ""
    local list = support.moil({ "--help" }).stdout:match("\nCommands:\n(.-)\n\n") .. "\n"
    local expected = {}
    for name, summary in list:gmatch("  (%S+) +([^\n]+)\n") do
      expected[#expected + 1] = name
      if name ~= "help" then assert.equal(summary, descriptions[name]) end
    end
    assert.same(expected, names)
    assert.same({ "reschedule" }, (complete "resc"))
    assert.same({ "beat" }, (complete("--json", "--redis", "unix:///x", "bea")))
    assert.same({ "inspect" }, (complete("help", "insp")))
    assert.same({}, (complete("nonsense", "")))
    assert.same({}, (complete()))
  end)

  it("are all options of a command", function()
    for name in table.concat((complete ""), " "):gmatch("%S+") do
      local expected = {}
      for option in help_of(name):gmatch("\n  ....%-%-([%l-]+)") do
        expected["--" .. option] = true
      end
      local shown = {}
      for _, option in ipairs((complete(name, "--"))) do shown[option] = true end
      if name ~= "help" then assert.same(expected, shown) end
    end
    assert.same({ "--log-level" }, (complete("call", "x", "--log-l")))
    assert.same({ "--log-level" }, (complete "--log-l"))
    assert.same({}, (complete("call", "--", "--log-l")))
  end)

  it("are subcommands and views", function()
    assert.same({ "retry" }, (complete("dead", "r")))
    assert.same({ "nodes" }, (complete("inspect", "--json", "no")))
    local names, descriptions = complete("beat", "")
    assert.equal("next", names[1])
    assert.equal(":files", names[#names])
    assert.matches("coming runs", descriptions.next)
    assert.same({}, (complete("beat", "list", "")))
  end)

  it("are values, and places where they are asked for", function()
    assert.same({ "debug", "info", "warning", "error" }, (complete("worker", "--log-level", "")))
    assert.same({ "json" }, (complete("worker", "--log-format=j")))
    assert.same({ "revoke" }, (complete("call", "t", "--on-failure", "r")))
    assert.same({ ":files" }, (complete("worker", "--beat", "")))
    assert.same({ ":dirs" }, (complete("worker", "--lua-dir=")))
    assert.same({ ":files" }, (complete("worker", "-q", "high", "")))
    assert.same({ ":files" }, (complete("worker", "a.lua", "b")))
    assert.same({ ":files" }, (complete("beat", "next", "")))
    assert.same({}, (complete("worker", "-c", "")))
    assert.same({}, (complete("result", "")))
    assert.same({}, (complete("worker", "--lua-dir=x", "--concurrency=")))
  end)
end)

describe("names of tasks, queues and nodes", function()
  local redis, node
  local tasks = support.tempdir() .. "/tasks.lua"
  support.write(tasks, [[
    local moil = require "moil"
    for _, name in ipairs { "shop.buy", "shop.bill", "mail.send", "$(reboot)", "a;b" } do
      moil.task(name, { queue = name:match("^%a+%f[.]") }, print)
    end
  ]])

  setup(function()
    redis = support.redis()
    node = support.start_moil { "worker", tasks, "--workers", "1", "--name", "shop", redis = redis }
    local deadline = os.time() + 30
    repeat
      local out = support.moil { "inspect", "registered", redis = redis }
    until out.stdout:find("mail.send", 1, true) or os.time() > deadline
    assert.equal(0, support.moil({ "call", "x", "--queue", "mail", redis = redis }).code)
  end)

  teardown(function()
    node:kill "TERM"
    node:wait(30)
    redis:stop()
  end)

  -- Until it is there: Redis has 0.3 s to answer, which a busy machine may not give it.
  local function ask(expected, ...)
    local deadline, names = os.time() + 30
    repeat
      local out = support.moil { "--help=complete", redis = redis, ... }
      names = {}
      for name in out.stdout:gmatch("([^\t\n]+)[^\n]*") do names[#names + 1] = name end
      table.sort(names)
    until #names == #expected or os.time() > deadline
    assert.same(expected, names)
  end

  it("come from a running node, without those that a shell would not leave alone", function()
    ask({ "mail.send", "shop.bill", "shop.buy" }, "call", "")
    ask({ "shop.bill", "shop.buy" }, "call", "--wait", "shop.")
    ask({ "shop.bill" }, "dead", "retry", "--task", "shop.bi")
    ask({ "shop.bill" }, "control", "time-limit", "shop.bi")
    ask({ "shop" }, "control", "--node", "sh")
    ask({ "mail" }, "pause", "ma")
    ask({ "mail" }, "call", "x", "--queue=ma")
    ask({ "mail" }, "worker", "--queues", "ma")
    ask({ "mail" }, "worker", "-q", "ma")
    ask({ "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }, "call", "x", "--priority", "")
  end)

  it("are none where no Redis is, or the line is wrong", function()
    local out = support.moil { "--help=complete", "call", "--redis", "unix:///nowhere", "" }
    assert.same({ code = 0, stdout = "", stderr = "" }, out)
    out = support.moil { "--help=complete", "call", "--nonsense", "" }
    assert.same({ code = 0, stdout = "", stderr = "" }, out)
  end)
end)

-- What becomes of each line when tab is pressed behind it.
local typed = {
  { "moil resc", "moil reschedule" },
  { "moil beat ne", "moil beat next" },
  { "moil beat next be", "moil beat next beat.lua" },
  { "moil call --inter", "moil call --interval" },
  { "moil call x be", "moil call x be" },
  { "moil --log-level=inf", "moil --log-level=info" },
  { "moil worker --log-format j", "moil worker --log-format json" },
  { "moil worker --lua-dir ta", "moil worker --lua-dir tasks" },
  { "moil --redis unix:///x che", "moil --redis unix:///x check" },
  { "moil help insp", "moil help inspect" },
}

for shell, file in pairs { bash = "moil", zsh = "_moil" } do
  describe(shell, function()
    it("completes what is typed", function()
      for _, program in ipairs { "zsh", shell } do
        if support.sh("command -v " .. program).code ~= 0 then
          assert.is_nil(os.getenv("MOIL_CI"), program .. " is missing (`make deps`)")
          return pending(program .. " is missing")
        end
      end
      local functions = support.tempdir()
      support.write(functions .. "/" .. file, support.moil({ "--help=" .. shell }).stdout)
      local driver = ("cd %s && PATH=%s:$PATH zsh -f %s/spec/cli/complete.zsh %s %s/%s"):format(dir,
        support.build, support.root, shell, functions, file)
      local expected = {}
      for i, pair in ipairs(typed) do
        driver = driver .. " '" .. pair[1] .. "'"
        expected[i] = pair[2]
      end
      local out = support.sh(driver, { timeout = 120 })
      local lines = {}
      for line in out.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line:match("^(.-)[%s/]*$") end
      assert.same(expected, lines, out.stderr)
    end)
  end)
end

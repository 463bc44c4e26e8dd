local support = require "spec.support"
local moil = support.moil

-- What no running Redis is needed for: finding the command, help, options, where they come from.

local function usage_error(pattern, ...)
  local out = moil { ... }
  assert.equal(2, out.code, out.stderr)
  assert.equal("", out.stdout)
  assert.matches("^moil: [^\n]+\n$", out.stderr)
  assert.matches(pattern, out.stderr)
end

local commands = { "worker", "dev", "call", "result", "revoke", "reschedule", "purge", "pause",
  "resume", "inspect", "dead", "check" }

describe("moil worker", function()
  local tasks = support.tempdir() .. "/tasks.lua"
  support.write(tasks, 'require("moil").task("short", { time_limit = 3 }, print)\n')

  local function refused(pattern, ...)
    local out = moil { "worker", tasks, "--redis", "unix:///nowhere", ... }
    assert.equal(2, out.code, out.stderr)
    assert.matches("^moil: " .. pattern .. "\n$", out.stderr)
  end

  it("refuses limits that contradict each other", function()
    refused("%-%-soft%-time%-limit: 5 s must be below %-%-time%-limit %(5 s%)", "--time-limit", "5",
      "--soft-time-limit", "5")
    refused("%-%-soft%-time%-limit: 4000 s must be below %-%-time%-limit %(3600 s%)",
      "--soft-time-limit", "4000")
    refused("%-%-memory%-limit: 129 MB is more than a job can hold, twice %-%-max%-memory.*64 MB.*",
      "--memory-limit", "129", "--max-memory", "64")
  end)

  it("refuses a task's memory_limit that --max-memory does not let it hold", function()
    local hungry = support.tempdir() .. "/hungry.lua"
    support.write(hungry, 'require("moil").task("hungry", { memory_limit = 129 }, print)\n')
    local out = moil { "worker", hungry, "--redis", "unix:///nowhere", "--max-memory", "64" }
    assert.equal(6, out.code, out.stderr)
    assert.matches("hungry.lua:1: hungry: memory_limit %(129 MB%) is more than a job can hold, "
      .. "twice the worker's %-%-max%-memory %(64 MB%)", out.stderr)
  end)

  it("refuses limits that its tasks contradict", function()
    local out = moil { "worker", tasks, "--redis", "unix:///nowhere", "--soft-time-limit", "3" }
    assert.equal(6, out.code, out.stderr)
    assert.matches("tasks.lua:1: short: time_limit %(3 s%) must be more than the worker's "
      .. "%-%-soft%-time%-limit %(3 s%)", out.stderr)
  end)
end)

describe("moil", function()
  it("prints help", function()
    local out = moil { "--help" }
    assert.equal(0, out.code)
    assert.equal("", out.stderr)
    for _, command in ipairs(commands) do assert.matches("\n  " .. command .. " ", out.stdout) end
    assert.equal(out.stdout, moil({ "help" }).stdout)
    assert.equal(out.stdout, moil({ "-h" }).stdout)
    local none = moil {}
    assert.equal(2, none.code)
    assert.equal(out.stdout, none.stderr)
  end)

  it("lists the commands with their summaries in one column", function()
    local list = moil({ "--help" }).stdout:match("\nCommands:\n(.-)\n\n") .. "\n"
    local column
    for name, gap in list:gmatch("  (%S+)( +)[^\n]+\n") do
      column = column or #name + #gap
      assert.equal(column, #name + #gap, name)
      assert.is_true(#gap >= 2, name)
    end
    assert.matches("\n  help ", list)
  end)

  it("lists subcommands and views", function()
    assert.matches("\n  next FILE +the coming runs", moil({ "help", "beat" }).stdout)
    assert.matches("\n  workflow ID +a chain", moil({ "help", "inspect" }).stdout)
    assert.matches("\n  retry %[ID%] +run them again", moil({ "help", "dead" }).stdout)
  end)

  it("prints the help of each command in two ways", function()
    for _, command in ipairs(commands) do
      local out = moil { "help", command }
      assert.equal(0, out.code)
      assert.matches("^Usage: moil " .. command .. " ", out.stdout)
      assert.matches("%-%-redis URL", out.stdout)
      assert.equal(out.stdout, moil({ command, "--help" }).stdout)
      for line in out.stdout:gmatch("[^\n]+") do assert.is_true(utf8.len(line) <= 100, line) end
    end
  end)

  it("shows in a command's help only its own options", function()
    assert.matches("%-%-concurrency N", moil({ "help", "worker" }).stdout)
    assert.is_nil(moil({ "help", "call" }).stdout:find("--concurrency", 1, true))
    assert.is_nil(moil({ "help", "worker" }).stdout:find("--kwargs", 1, true))
  end)

  it("prints its version", function()
    assert.matches("^moil %d+%.%d+%.%d+\n$", moil({ "--version" }).stdout)
    assert.matches("^moil %d", moil({ "worker", "--version" }).stdout)
  end)

  it("prints every option as Markdown, which is docs/options.md", function()
    local out = moil { "--help=markdown" }
    assert.equal(0, out.code)
    assert.matches("\n| `%-c` `%-%-concurrency N` | [^\n]+ | `16` | " ..
      "`MOIL_CONCURRENCY` | `concurrency` | worker, dev |\n", out.stdout)
    local columns
    for row in out.stdout:gmatch("\n(|[^\n]+)") do
      local _, bars = row:gsub("\\|", ""):gsub("|", "")
      columns = columns or bars
      assert.equal(columns, bars, row)
    end
    assert.equal(support.read(support.root .. "/docs/options.md"), out.stdout)
  end)

  it("names the nearest command", function()
    usage_error('unknown command "wroker": did you mean "worker"', "wroker")
    usage_error('unknown command "frobnicate" %(`moil %-%-help` lists them%)', "frobnicate")
    usage_error('unknown command "cal": did you mean "call"', "help", "cal")
    usage_error("a command is missing", "--json")
  end)

  it("names the nearest option", function()
    usage_error("unknown option %-%-concurency: did you mean %-%-concurrency%?", "worker",
      "--concurency", "2")
    usage_error("%-%-concurrency is no option of `moil call`; it belongs to worker dev", "call",
      "t", "--concurrency=2")
    usage_error('%-%-concurrency: "0" is not a whole number from 1 to 100000', "worker", "-c", "0")
    usage_error("%-%-beat is no option of `moil beat`", "beat", "b.lua", "--beat", "b.lua")
    usage_error("%-%-watch is no option of `moil call`; it belongs to worker dev", "call", "t",
      "--watch")
  end)

  it("says which operand is missing or too many", function()
    usage_error("the task is missing", "call")
    usage_error("the job's id is missing", "result")
    usage_error('"b" is one argument too many', "purge", "a", "b")
    usage_error("the queue is missing", "pause")
    usage_error("what to inspect is missing", "inspect")
    usage_error('cannot inspect "queus": did you mean "queues"', "inspect", "queus")
    usage_error("the job's id is missing", "inspect", "job")
  end)

  it("takes options on both sides of the command", function()
    local dir = support.tempdir()
    support.write(dir .. "/t.lua", 'require("moil").task("t", function() end)')
    local out = moil { "--json", "--namespace", "x", "check", "t.lua", cwd = dir }
    assert.equal(0, out.code, out.stderr)
    assert.equal("t", support.json_decode(out.stdout).name)
  end)

  it("refuses a wrong URL, and never shows its password", function()
    local out = moil { "inspect", "queues", "--redis", "redis://:hush@h:x" }
    assert.equal(2, out.code)
    assert.matches("^moil: %-%-redis: the port", out.stderr)
    out = moil { "inspect", "queues", env = { MOIL_REDIS = "hush" } }
    assert.equal(2, out.code)
    assert.matches("^moil: MOIL_REDIS: a Redis URL is redis://", out.stderr)
    assert.is_nil(out.stderr:find("hush", 1, true))
  end)

  it("ends with 3 where there is no Redis, within the deadline", function()
    local before = support.now()
    local out = moil { "inspect", "queues", "--redis", "redis://:hush@127.0.0.1:1", "--deadline",
      "1" }
    assert.equal(3, out.code)
    assert.matches("^moil: [^\n]*127%.0%.0%.1:1[^\n]*MOIL_REDIS[^\n]*\n$", out.stderr)
    assert.is_nil(out.stderr:find("hush", 1, true))
    assert.is_true(support.now() - before < 3)
  end)

  describe("with a config file", function()
    local dir

    before_each(function() dir = support.tempdir() end)

    local function inspect(extra)
      local args = { "inspect", "queues", "--deadline", "0.2", cwd = dir, env = extra.env }
      table.move(extra, 1, #extra, #args + 1, args)
      return moil(args).stderr
    end

    it("takes moil.lua of the folder, then the environment, then flags", function()
      support.write(dir .. "/moil.lua", 'return { redis = "redis://127.0.0.1:1" }')
      support.write(dir .. "/other.lua", 'return { redis = "redis://127.0.0.1:4" }')
      assert.matches("127.0.0.1:1/", inspect {}, 1, true)
      assert.matches("127.0.0.1:2/", inspect { env = { MOIL_REDIS = "redis://127.0.0.1:2" } }, 1,
        true)
      assert.matches("127.0.0.1:3/",
        inspect { "--redis=redis://127.0.0.1:3", env = { MOIL_REDIS = "redis://127.0.0.1:2" } }, 1,
        true)
      assert.matches("127.0.0.1:4/", inspect { "--config", "other.lua" }, 1, true)
      assert.matches("127.0.0.1:4/", inspect { env = { MOIL_CONFIG = "other.lua" } }, 1, true)
    end)

    it("names its file, line and key", function()
      support.write(dir .. "/moil.lua", "return {\n  redis = = 1\n}")
      assert.matches("^moil: moil%.lua:2: unexpected symbol", inspect {})
      support.write(dir .. "/moil.lua", "return { rediss = 'x' }")
      assert.matches('^moil: moil%.lua: unknown option "rediss": did you mean "redis"%?',
        inspect {})
      support.write(dir .. "/moil.lua", "return { workers = 'many' }")
      assert.matches('^moil: moil%.lua: workers: "many" is not a whole number', inspect {})
    end)
  end)

  it("leaves quietly when nobody reads", function()
    local out = support.sh(support.binary .. " --help | true; " .. support.binary ..
      " --help >&-; echo $?")
    assert.equal("0\n", out.stdout)
    assert.equal("", out.stderr)
  end)

  it("says so when its output cannot be written", function()
    local out = support.sh(support.binary .. " --help >/dev/full")
    assert.equal(1, out.code)
    assert.matches("^moil: cannot write to standard output: No space left on device\n$", out.stderr)
  end)
end)

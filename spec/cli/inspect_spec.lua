local support = require "spec.support"

-- `moil inspect` and `moil dead` beyond what commands_spec.lua has: filters, totals, colours, and
-- tables of wide characters.

local TASKS <const> = [[
local moil = require "moil"
moil.task("fail", function(message) error(message, 0) end)
moil.task("other.fail", { queue = "other" }, function(message) error(message, 0) end)
moil.task("sleep", function(s) moil.sleep(s) return s end)
moil.task("echo", function(text) return text end)
]]

local redis, dir

local function moil(args)
  args.redis, args.cwd = redis, dir
  return support.moil(args)
end

local function done(args)
  local out = moil(args)
  assert.equal(0, out.code, out.stderr)
  return (out.stdout:gsub("\n$", ""))
end

local function rows(args)
  args[#args + 1] = "--json"
  local list = {}
  for line in done(args):gmatch("[^\n]+") do list[#list + 1] = support.json_decode(line) end
  return list
end

local function ids(args)
  local list = {}
  for i, row in ipairs(rows(args)) do list[i] = row.id end
  table.sort(list)
  return list
end

local function refused(pattern, args)
  local out = moil(args)
  assert.equal(2, out.code, out.stderr)
  assert.equal("", out.stdout)
  assert.matches("^moil: [^\n]+\n$", out.stderr)
  assert.matches(pattern, out.stderr)
end

setup(function()
  redis = support.redis()
  dir = support.tempdir()
  support.write(dir .. "/tasks.lua", TASKS)
  local worker = support.start_moil { "worker", "tasks.lua", "-w", "2", redis = redis, cwd = dir }
  worker:read_until("ready", 15)
end)

describe("moil inspect queues", function()
  setup(function()
    done { "pause", "idle" }
    for i = 1, 3 do done { "call", "sleep", "0", "--queue", "nobody", "--id", "n" .. i } end
    done { "call", "sleep", "0", "--queue", "nobody", "--id", "late", "--countdown", "3000" }
    done { "call", "sleep", "0", "--queue", "nobody", "--id", "waits", "--depends-on", "late" }
  end)

  it("says where the jobs of each queue are, and who serves it", function()
    local text = done { "inspect", "queues" }
    assert.matches("^QUEUE +PENDING +PAUSED +OLDEST +DELAYED +DEFERRED +IN FLIGHT +DEAD +WORKERS\n",
      text)
    assert.matches("\nnobody +3 +no +[%d.]+s +1 +1 +0 +0 +0\n", text)
    assert.matches("\nidle +0 +yes +0 ", text)
    assert.matches("\nall +3 +1 +1 +0 +0 *$", text)
    local list = rows { "inspect", "queues" }
    local totals = table.remove(list)
    assert.same({ pending = 3, delayed = 1, deferred = 1, dead = 0, in_flight = 0 }, totals)
    local names = {}
    for i, row in ipairs(list) do names[i] = row.queue end
    assert.same({ "idle", "nobody" }, names)
    assert.same({ 3, 1, 1, 5, 0, 0 }, { list[2].pending, list[2].delayed, list[2].deferred,
      list[2].enqueued, list[2].ended, list[2].workers })
  end)

  it("counts the workers that serve a queue", function()
    done { "call", "sleep", "0", "--wait" }
    support.wait_until(function()
      for _, row in ipairs(rows { "inspect", "queues" }) do
        if row.queue == "default" then return row.workers == 2 and row.ended == 1 end
      end
    end, 15, "both workers in the node's report")
  end)
end)

describe("moil inspect with filters", function()
  it("lists what waits in a queue, in order", function()
    local text = done { "inspect", "pending", "--queue", "nobody" }
    assert.matches("^ID +TASK +PRIORITY +ENQUEUED", text)
    assert.matches("\nn1 .*\nn2 .*\nn3 ", text)
    done { "revoke", "n2" }
    assert.same({ "n1", "n3" }, ids { "inspect", "pending", "--queue", "nobody" })
    assert.matches("^no jobs are pending in this queue", done { "inspect", "pending" })
  end)

  it("lists what waits for other jobs", function()
    assert.matches("\nwaits +sleep +nobody +1 ", done { "inspect", "deferred" })
    assert.same({ "waits" }, ids { "inspect", "deferred", "--queue", "nobody" })
    assert.equal("no such jobs", done { "inspect", "deferred", "--task", "other" })
  end)

  it("shows jobs of a task, a queue or a state alone", function()
    for i = 1, 3 do moil { "call", "fail", "x", "--wait", "--id", "f" .. i } end
    moil { "call", "other.fail", "x", "--wait", "--queue", "other", "--id", "o1" }
    assert.same({ "f1", "f2", "f3", "o1" }, ids { "dead", "list" })
    assert.same({ "f1", "f2", "f3" }, ids { "dead", "list", "--task", "fail" })
    assert.same({ "o1" }, ids { "dead", "list", "--queue", "other" })
    assert.same({ "o1" }, ids { "inspect", "dead", "--task", "other.fail", "--state", "FAILURE" })
    assert.same({}, ids { "inspect", "dead", "--state", "REVOKED" })
    assert.equal("f2", rows({ "dead", "list", "--task", "fail", "--offset", "1", "--limit",
      "1" })[1].id)
    assert.same({ "late" }, ids { "inspect", "scheduled", "--state", "SCHEDULED" })
    assert.same({}, ids { "inspect", "scheduled", "--state", "RETRY" })
  end)

  it("finds few among many, a page after the other", function()
    local lines = {}
    for i = 1, 600 do lines[i] = "[]" end
    done { "call", "sleep", "--stdin", "--queue", "many", stdin = table.concat(lines, "\n") }
    done { "call", "fail", "--queue", "many", "--id", "needle" }
    assert.same({ "needle" }, ids { "inspect", "pending", "--queue", "many", "--task", "fail" })
    assert.equal(601, #ids { "inspect", "pending", "--queue", "many", "--limit", "1000" })
    assert.equal(1, #ids { "inspect", "pending", "--queue", "many", "--offset", "600" })
  end)

  it("refuses what makes no sense", function()
    refused("%-%-task, %-%-queue and %-%-state go with views of jobs",
      { "inspect", "queues", "--task", "x" })
    refused("go with views of jobs", { "inspect", "job", "x", "--state", "SUCCESS" })
    refused("%-%-queue: ", { "inspect", "pending", "--queue", "a b" })
    refused('cannot inspect "pendng": did you mean "pending"', { "inspect", "pendng" })
    refused("%-%-color", { "inspect", "queues", "--color", "blue" })
  end)
end)

describe("moil dead show", function()
  it("tells all of a dead job, and of no other", function()
    moil { "call", "fail", "boom", "--wait", "--id", "dead.one" }
    local text = done { "dead", "show", "dead.one" }
    assert.matches("^id +dead.one\n", text)
    assert.matches("\nmessage +boom\n", text)
    assert.is_true(rows({ "dead", "show", "dead.one" })[1].dead)
    local out = moil { "dead", "show", "late" }
    assert.equal(5, out.code)
    assert.matches("no job in the dead set has the id late", out.stderr)
    assert.equal(5, moil({ "dead", "show", "nobody" }).code)
    refused("needs an ID, and nothing else", { "dead", "show" })
    refused("needs an ID, and nothing else", { "dead", "show", "x", "--task", "y" })
    refused("%-%-queue goes with", { "dead", "retry", "--all", "--queue", "y" })
  end)
end)

describe("what a job was given", function()
  -- U+009B begins a command to a terminal, as ESC [ does.
  local HOSTILE <const> = "\u{9b}31m\u{7f}\u{85}\27[31m é"
  local WRITTEN <const> = [["\u009b31m\u007f\u0085\u001b[31m é"]]

  it("is JSON without anything that a terminal obeys", function()
    local json = support.json_encode(HOSTILE)
    local echo = { "call", "echo", json, "--kwargs", '{"k":' .. json .. "}", "--id", "hostile" }
    assert.equal(WRITTEN, done { "call", "echo", json, "--wait" })
    done(echo)
    assert.equal("SUCCESS " .. WRITTEN, done { "result", "hostile", "--wait" })
    moil { "call", "fail", json, "--wait", "--id", "hostile.fail" }
    for _, args in ipairs {
      { "result", "hostile" }, { "result", "hostile", "--json" },
      { "inspect", "job", "hostile" }, { "inspect", "job", "hostile", "--json" },
      { "inspect", "job", "hostile.fail" }, { "dead", "show", "hostile.fail" },
      { "dead", "show", "hostile.fail", "--json" }, { "dead", "--json" },
      { "result", "hostile", "--wait", "--json" }, { "why", "hostile.fail", "--json" },
    } do
      local text = moil(args).stdout
      assert.is_nil(text:find("[\27\127]"), text)
      assert.is_nil(text:find("\u{9b}", 1, true), text)
      assert.is_nil(text:find("\u{85}", 1, true), text)
    end
    assert.equal(HOSTILE, rows({ "inspect", "job", "hostile" })[1].result)
  end)
end)

describe("colours", function()
  local function shown(args)
    args.env = { TERM = "xterm", NO_COLOR = args.no_color }
    return moil(args).stdout
  end

  it("are for terminals, or where they are asked for", function()
    assert.is_nil(shown({ "inspect", "queues" }):find("\27", 1, true))
    assert.matches("\27%[1mQUEUE", shown { "inspect", "queues", "--color", "always" })
    assert.matches("\27%[1mQUEUE", shown { "inspect", "queues", terminal = {} })
    local plain = shown { "inspect", "queues", terminal = {}, no_color = "1" }
    assert.is_nil(plain:find("\27", 1, true))
    assert.is_nil(shown({ "inspect", "queues", terminal = {}, "--color", "never" }):find("\27", 1,
      true))
    assert.matches("\27%[1m", shown { "inspect", "queues", "--color=always", no_color = "1" })
    local json = shown { "inspect", "queues", "--color", "always", "--json" }
    assert.is_nil(json:find("\27", 1, true))
  end)

  it("say what is good and what is not", function()
    assert.matches("\27%[32mok\27%[0m", shown { "inspect", "nodes", "--color", "always" })
    local queues = shown { "inspect", "queues", "--color", "always" }
    assert.matches("\nidle .*\27%[33myes", queues)
    assert.matches("\nnobody [^\n]*\27%[33m0\27%[0m\n", queues)
    assert.matches("\27%[31mFAILURE\27%[0m", shown { "inspect", "dead", "--color", "always" }
      .. shown { "inspect", "job", "dead.one", "--color", "always" } .. "\27[31mFAILURE\27[0m")
  end)
end)

describe("a table", function()
  it("counts wide characters as two columns, and those that combine as none", function()
    done { "call", "sleep", "0", ("月の労働"):rep(9), "--countdown", "3000", "--id", "wide",
      "--queue", "wide" }
    done { "call", "sleep", "0", ("e\u{301}"):rep(5) .. "🙂", "--countdown", "3001", "--id",
      "accents", "--queue", "wide" }
    local out = moil { "inspect", "scheduled", "--queue", "wide",
      terminal = { rows = 10, columns = 70 }, env = { TERM = "xterm", NO_COLOR = "1" } }
    local screen = require "spec.support.screen".new(10, 70):feed(out.stdout)
    local wide, accents = screen:line(2), screen:line(3)
    assert.matches("^wide +sleep .*月の労働.*…$", wide)
    assert.matches("^accents +sleep .*🙂", accents)
  end)

  it("leaves out columns that a narrow terminal has no room for", function()
    local out = moil { "inspect", "queues", terminal = { rows = 24, columns = 30 },
      env = { TERM = "xterm", NO_COLOR = "1" } }
    local screen = require "spec.support.screen".new(24, 30):feed(out.stdout)
    assert.matches("^QUEUE +PENDING +PAUSED", screen:line(1))
    assert.is_nil(screen:line(1):find("WORKERS", 1, true))
  end)
end)

it("large jobs are listed, replayed and purged, a few at a time", function()
  local all = { "big1", "big2", "big3", "big4", "big5", "big6", "big7" }
  local args = ('["%s"]'):format(("x"):rep(400000))
  local body = ("J1 fat 5 0 0 0 1000000 other.fail %d 2 2\n%s{}{}"):format(#args, args)
  done { "dead", "delete", "--all" }
  for i, id in ipairs(all) do
    redis:call("HSET", "{moil}:jobs", id, ("R1 FAILURE fat 5 0 1 1000000 2000000 3000000 0 w "
      .. "other.fail 2 %d\n{}%s"):format(#body, body))
    redis:call("ZADD", "{moil}:dead", i, id)
  end
  redis:call("HINCRBY", "{moil}:counters:fat", "dead", #all)
  assert.same(all, ids { "dead", "list", "--queue", "fat" })
  assert.equal("retried 7 jobs", done { "dead", "retry", "--task", "other.fail" })
  assert.same(all, ids { "inspect", "pending", "--queue", "fat" })
  assert.equal(5, #rows { "inspect", "pending", "--queue", "fat", "--limit", "5" })
  assert.equal(1, #rows { "inspect", "pending", "--queue", "fat", "--offset", "6" })
  assert.same({}, rows { "inspect", "pending", "--queue", "fat", "--task", "no" })
  assert.equal("purged 7 jobs from fat", done { "purge", "fat" })
end)

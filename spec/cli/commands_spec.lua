local console <const> = require("spec.support.console").new()
local support = require "spec.support"

-- The commands against a real Redis and a real worker.

local TASKS <const> = [[
local moil = require "moil"
moil.task("math.add", function(x, y) return x + y end)
moil.task("echo", function(...) return { ... } end)
moil.task("nothing", function() end)
moil.task("fail", function(message) error(message, 0) end)
moil.task("refuse", function() error { code = "NO_SUCH", message = "not here" } end)
moil.task("sleep", function(s) moil.sleep(s) return s end)
moil.task("steps", { bind = true }, function(self, n)
  for i = 1, n do
    self:update_state("PROGRESS", { step = i })
    moil.sleep(0.05)
  end
  return "done"
end)
]]

local moil <const>, done <const>, refused <const>, json_lines <const> =
  console.moil, console.done, console.refused, console.json_lines
local redis, dir

setup(function() redis, dir = console.open(TASKS) end)

describe("moil call", function()
  it("prints the id of a job, and with --wait its result", function()
    local id = done { "call", "math.add", "4", "4" }
    assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", id)
    assert.equal("SUCCESS 8", done { "result", id, "--wait", "--timeout", "10" })
    assert.equal("8", done { "call", "math.add", "4", "4", "--wait" })
    assert.equal("null", done { "call", "nothing", "--wait" })
  end)

  it("takes what looks like a number for an operand", function()
    assert.equal("1", done { "call", "math.add", "-1", "2", "--wait" })
    assert.equal("-1.5", done { "call", "math.add", "-2.5", "1", "--wait" })
    assert.equal('["--wait","-x"]', done { "call", "echo", "--wait", "--", "--wait", "-x" })
  end)

  it("takes each argument as JSON, else as a string, and loses no digit", function()
    assert.equal('[4.0,9007199254740993,{"a":[1]},"foo","{broken","8","",true]',
      done { "call", "echo", "4.0", "9007199254740993", '{"a":[1]}', "foo", "{broken", '"8"', "",
        "true", "--wait" })
    assert.equal("[0.1]", done { "call", "echo", "0.1", "--wait" })
    refused(2, "argument 2: 99999999999999999999 has a number that does not fit",
      { "call", "echo", "1", "99999999999999999999" })
    refused(2, "argument 1 is not UTF%-8", { "call", "echo", "\255" })
    assert.equal('[1,{"b":2}]', done { "call", "echo", "1", "--kwargs", '{"b":2}', "--wait" })
    refused(2, "%-%-kwargs is not a JSON object", { "call", "echo", "--kwargs", "[1]" })
    refused(2, "%-%-kwargs is not a JSON object: ", { "call", "echo", "--kwargs", "{" })
  end)

  it("tells a failed job's error", function()
    refused(1, "^FAILURE: oh no\n", { "call", "fail", "oh no", "--wait" })
    refused(1, "^FAILURE: first second\n", { "call", "fail", "first\nsecond", "--wait" })
    refused(1, "^FAILURE: not here\n", { "call", "refuse", "--wait" })
    local out = moil { "call", "refuse", "--wait", "--json" }
    assert.equal(1, out.code)
    local job = support.json_decode(out.stdout)
    assert.same({ "FAILURE", "NO_SUCH", "not here", "refuse" },
      { job.state, job.error.code, job.error.message, job.task })
  end)

  it("follows what the job tells of its progress", function()
    local out = moil { "call", "steps", "3", "--follow" }
    assert.equal(0, out.code)
    assert.equal('"done"\n', out.stdout)
    assert.matches('PROGRESS {"step":3}\n$', out.stderr)
    local rows = json_lines(done { "call", "steps", "3", "--follow", "--json" })
    assert.same({ "PROGRESS", 3 }, { rows[#rows - 1].state, rows[#rows - 1].meta.step })
    assert.same({ "SUCCESS", "done" }, { rows[#rows].state, rows[#rows].result })
    for i = 2, #rows do assert.equal(rows[1].id, rows[i].id) end
  end)

  it("takes an id once", function()
    assert.equal("mine", done { "call", "math.add", "1", "1", "--id", "mine" })
    local again = moil { "call", "math.add", "2", "2", "--id", "mine", "--wait" }
    assert.same({ 0, "2\n" }, { again.code, again.stdout })
    assert.equal("moil: a job has the id mine already; nothing was enqueued\n", again.stderr)
    again = moil { "call", "math.add", "--id", "mine", "--json" }
    assert.is_false(support.json_decode(again.stdout).created)
  end)

  it("repeats", function()
    assert.equal("3\n3\n3", done { "call", "math.add", "1", "2", "--repeat", "3", "--wait" })
    assert.equal(2500, #json_lines(done { "call", "nothing", "--repeat", "2500", "--json" }))
    refused(2, "%-%-id and %-%-repeat do not go together",
      { "call", "nothing", "--repeat", "2", "--id", "x" })
  end)

  it("reads jobs from stdin", function()
    assert.equal("3\n7", done { "call", "math.add", "--stdin", "--wait",
      stdin = "[1,2]\n\n  [3, 4]\r\n" })
    local lines = {}
    for i = 1, 3000 do lines[i] = ("[%d,1]\n"):format(i) end
    local ids = done { "call", "math.add", "--stdin", stdin = table.concat(lines) }
    assert.equal(3000, select(2, ids:gsub("[^\n]+", "")))
    assert.equal("SUCCESS 3001", done { "result", ids:match("[^\n]+$"), "--wait" })
    assert.equal("", done { "call", "math.add", "--stdin", stdin = "" })
  end)

  it("sends nothing after a bad line", function()
    local out = moil { "call", "echo", "--stdin", "--queue", "lines",
      stdin = "[1]\n[2]\n{}\n[4]\n" }
    assert.equal(2, out.code)
    assert.equal(2, #json_lines((out.stdout:gsub("[^\n]+", "1"))))
    assert.equal("moil: line 3 of the input is not a JSON array, but other JSON; " ..
      "2 jobs before it were accepted, nothing after it was sent\n", out.stderr)
    refused(2, "line 1 of the input is over 1 MB; 0 jobs",
      { "call", "echo", "--stdin", stdin = "[" .. ("1"):rep(1 << 20) .. "]\n" })
    refused(2, "line 1 of the input is not a JSON array: ",
      { "call", "echo", "--stdin", stdin = "[1,\n2]" })
    refused(2, "line 1 of the input is not a JSON array: ",
      { "call", "echo", "--stdin", stdin = "\0\n" })
    assert.equal(2, support.json_decode(done { "purge", "lines", "--json" }).purged)
  end)

  it("does not hold back what a slow producer wrote", function()
    local child = support.start_moil { "call", "math.add", "--stdin", redis = redis, cwd = dir,
      stdin = "pipe", stdout = "pipe" }
    child:write("[1,2]\n")
    local id = child:read_until("(%S+)\n", 5)
    assert.equal("SUCCESS 3", done { "result", id, "--wait" })
    child:write("[3,4]")
    child:close_stdin()
    assert.equal(0, child:wait(5))
  end)

  it("refuses what does not go together", function()
    refused(2, "%-%-countdown and %-%-eta", { "call", "echo", "--countdown", "1", "--eta", "0" })
    refused(2, "%-%-timeout goes with %-%-wait", { "call", "echo", "--timeout", "1" })
    refused(2, "%-%-stdin reads the arguments", { "call", "echo", "1", "--stdin" })
    refused(2, "%-%-stdin does not go with", { "call", "echo", "--stdin", "--id", "x" })
    refused(2, "is no name of a task", { "call", "no name" })
    refused(2, "1024", { "call", "echo", ("a"):rep(2000), "--max-payload", "1024" })
  end)

  it("gives up at its timeout, and says when nobody serves the queue", function()
    local out = moil { "call", "echo", "--queue", "lonely", "--wait", "--timeout", "2.5" }
    assert.equal(4, out.code)
    assert.matches('^moil: no worker serves the queue "lonely" [^\n]+\n' ..
      "moil: the job did not end within 2%.5 s;[^\n]+\n$", out.stderr)
    out = moil { "call", "sleep", "1.2", "--wait" }
    assert.same({ 0, "1.2\n", "" }, { out.code, out.stdout, out.stderr })
    refused(4, "did not end within 0%.05 s",
      { "call", "sleep", "1", "--wait", "--timeout", "0.05" })
    -- What one job took is not taken off what the message says of the next.
    out = moil { "call", "sleep", "--stdin", "--wait", "--timeout", "0.5", stdin = "[0.3]\n[5]\n" }
    assert.same({ 4, "0.3\n" }, { out.code, out.stdout })
    assert.matches("did not end within 0%.5 s", out.stderr)
  end)

  it("goes where the config file's routes say, unless told", function()
    local there = support.tempdir()
    support.write(there .. "/moil.lua", 'return { routes = { ["img.*"] = "images" } }')
    local function queue_of(args)
      args.cwd = there
      return support.json_decode(done { "inspect", "job", done(args), "--json" }).queue
    end
    assert.equal("images", queue_of { "call", "img.resize" })
    assert.equal("other", queue_of { "call", "img.resize", "--queue", "other" })
    assert.equal("default", queue_of { "call", "sleep", "0", "--countdown", "60" })
  end)

  it("carries its options", function()
    local id = done { "call", "sleep", "0", "--queue", "options", "--priority", "9", "--at-front",
      "--expires", "60", "--result-ttl", "30" }
    local job = support.json_decode(done { "inspect", "job", id, "--json" })
    assert.same({ "options", 9, 30, "PENDING" },
      { job.queue, job.priority, job.options.result_ttl, job.state })
    assert.is_true(job.options.expires > os.time() + 50)
    id = done { "call", "sleep", "0", "--eta", "2100-01-01T00:00:00Z" }
    job = support.json_decode(done { "inspect", "job", id, "--json" })
    assert.same({ "SCHEDULED", 4102444800 }, { job.state, math.floor(job.due_at) })
    assert.equal("0", done { "call", "sleep", "0", "--countdown", "0.2", "--wait" })
  end)
end)

describe("moil result", function()
  it("shows each state", function()
    local id = done { "call", "sleep", "0", "--countdown", "100" }
    assert.equal("SCHEDULED", done { "result", id })
    assert.equal("SUCCESS [1]", done { "result", done { "call", "echo", "1" }, "--wait" })
    local failed = moil { "call", "fail", "no", "--json" }.stdout:match('"id":"([^"]+)')
    refused(1, "^FAILURE: no\n", { "result", failed, "--wait" })
    refused(1, "^FAILURE: no\n", { "result", failed })
    local out = moil { "result", failed, "--json" }
    assert.same({ 1, "FAILURE" }, { out.code, support.json_decode(out.stdout).state })
  end)

  it("follows", function()
    local id = done { "call", "steps", "4" }
    local out = moil { "result", id, "--follow" }
    assert.same({ 0, 'SUCCESS "done"\n' }, { out.code, out.stdout })
    assert.matches("PROGRESS", out.stderr)
  end)

  it("knows nothing of other ids", function()
    refused(5, "^moil: no job has the id nobody", { "result", "nobody" })
    refused(5, "^moil: no job has the id nobody", { "result", "nobody", "--wait" })
    refused(5, "^moil: no job has the id nobody", { "inspect", "job", "nobody" })
    refused(5, "^moil: no job has the id nobody", { "revoke", "nobody" })
    refused(2, "%-%-timeout goes with", { "result", "nobody", "--timeout", "1" })
  end)
end)

describe("moil revoke", function()
  it("cancels a job that waits", function()
    local id = done { "call", "echo", "--countdown", "100" }
    assert.equal("REVOKED", done { "revoke", id })
    refused(1, "^REVOKED: ", { "result", id })
    refused(1, "^REVOKED: ", { "result", id, "--wait" })
  end)

  it("says when it is too late", function()
    local id = done { "call", "echo" }
    done { "result", id, "--wait" }
    refused(1, "too late to revoke .* its state is SUCCESS", { "revoke", id })
    local out = moil { "revoke", id, "--json" }
    assert.same({ 1, "SUCCESS" }, { out.code, support.json_decode(out.stdout).state })
  end)
end)

describe("queues", function()
  local function row(queue)
    for _, found in ipairs(json_lines(done { "inspect", "queues", "--json" })) do
      if found.queue == queue then return found end
    end
  end

  it("are paused, resumed and purged", function()
    assert.equal("paused steered", done { "pause", "steered" })
    done { "call", "echo", "--queue", "steered", "--repeat", "3" }
    assert.same({ 3, true }, { row("steered").pending, row("steered").paused })
    assert.matches("steered +3 +yes", done { "inspect", "queues" })
    assert.equal("resumed steered", done { "resume", "steered" })
    assert.is_false(row("steered").paused)
    assert.equal("purged 3 jobs from steered", done { "purge", "steered" })
    assert.same({ queue = "steered", purged = 0 },
      support.json_decode(done { "purge", "steered", "--json" }))
    assert.equal(0, row("steered").pending)
  end)

  it("have names", function()
    refused(2, "printable", { "purge", "no name" })
    refused(2, "printable", { "pause", "no name" })
  end)
end)

describe("moil inspect", function()
  it("shows nodes and what they serve", function()
    local node = json_lines(done { "inspect", "nodes", "--json" })[1]
    assert.same({ true, 1 }, { node.alive, #node.workers })
    assert.matches("^NODE +ALIVE", done { "inspect", "nodes" })
    assert.matches("\nmath%.add +" .. node.node:gsub("%p", "%%%0"),
      done { "inspect", "registered" })
  end)

  it("shows jobs that run and jobs to come", function()
    local id = done { "call", "sleep", "2", "--id", "long.one" }
    support.wait_until(function()
      return done({ "inspect", "active" }):find("long.one", 1, true)
    end, 5, "the job runs")
    assert.matches("^ID +TASK", done { "inspect", "active" })
    local found
    for _, job in ipairs(json_lines(done { "inspect", "active", "--json" })) do
      found = found or job.id == id
    end
    assert.is_true(found)
    done { "call", "echo", "x", "--countdown", "90", "--id", "later.one" }
    assert.matches("later%.one +echo +default +SCHEDULED +in 1m", done { "inspect", "scheduled" })
  end)

  it("shows a page at a time", function()
    for i = 1, 3 do
      done { "call", "echo", "--countdown", tostring(1000 + i), "--id", "page." .. i }
    end
    local rows = json_lines(done { "inspect", "scheduled", "--json", "--limit", "2" })
    assert.equal(2, #rows)
    local out = moil { "inspect", "scheduled", "--limit", "2" }
    assert.matches("2 shown; %-%-limit and %-%-offset show others", out.stderr)
    local next_rows = json_lines(done { "inspect", "scheduled", "--json", "--limit", "1",
      "--offset", "1" })
    assert.equal(rows[2].id, next_rows[1].id)
  end)

  it("shows one job", function()
    local id = done { "call", "echo", "a\nb", "--id", "shown.one" }
    done { "result", id, "--wait" }
    local text = done { "inspect", "job", id }
    assert.matches("^id +shown%.one\n", text)
    assert.matches('\nresult +%["a\\nb"%]\n', text)
    assert.matches("\nfinished_at +%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%dZ %([%d.]+s ago%)", text)
    local job = support.json_decode(done { "inspect", "job", id, "--json" })
    assert.same({ "shown.one", "echo", "SUCCESS" }, { job.id, job.task, job.state })
    moil { "call", "refuse", "--wait", "--id", "refused.one" }
    text = done { "inspect", "job", "refused.one" }
    assert.matches("\nerror +NO_SUCH\nmessage +not here\n", text)
  end)

  it("keeps a table in the terminal's width, and its control characters out", function()
    done { "call", "echo", ("long "):rep(50) .. "\27[31m", "--countdown", "5000", "--id",
      "wide.one" }
    local command = ("script -qec 'stty cols 70; %s inspect scheduled' /dev/null")
    local out = support.sh(command:format(support.binary),
      { redis = redis, cwd = dir, env = { NO_COLOR = "1", TERM = "xterm" } })
    local seen = false
    for line in out.stdout:gmatch("[^\r\n]+") do
      assert.is_true(utf8.len(line) <= 70, line)
      assert.is_nil(line:find("\27", 1, true))
      seen = seen or line:find("wide.one", 1, true) ~= nil
    end
    assert.is_true(seen)
  end)
end)

describe("--result-ttl 0", function()
  it("keeps no result, by a call's word or the worker's", function()
    done { "call", "nothing", "--id", "unkept.one", "--result-ttl", "0" }
    support.wait_until(function() return moil { "result", "unkept.one" }.code == 5 end, 10, "gone")
    local worker = support.start_moil { "worker", "-w", "1", "-q", "unkept", "--result-ttl", "0",
      redis = redis, cwd = dir }
    worker:read_until("ready", 10)
    done { "call", "nothing", "--id", "unkept.two", "--queue", "unkept" }
    support.wait_until(function() return moil { "result", "unkept.two" }.code == 5 end, 10, "gone")
    worker:stop()
  end)
end)

describe("moil dead", function()
  local function die(n, task)
    for i = 1, n do moil { "call", task, "x", "--wait", "--id", task .. ".dead." .. i } end
  end

  before_each(function() moil { "dead", "delete", "--all" } end)

  it("lists the newest first", function()
    assert.equal("no dead jobs", done { "dead", "list" })
    die(2, "fail")
    local text = done { "dead", "list" }
    assert.matches("^ID +TASK", text)
    assert.matches("fail%.dead%.2 .*\nfail%.dead%.1 ", text)
    assert.equal(text:gsub("%d+%.%ds ago", ""),
      (done({ "inspect", "dead" }):gsub("%d+%.%ds ago", "")))
    assert.equal("FAILURE", json_lines(done { "dead", "list", "--json" })[1].state)
  end)

  it("retries and deletes one, those of a task, or all", function()
    die(2, "fail")
    die(1, "refuse")
    assert.equal("retried 1 job", done { "dead", "retry", "fail.dead.1" })
    refused(1, "^FAILURE: x\n", { "result", "fail.dead.1", "--wait" })
    assert.equal("retried 2 jobs", done { "dead", "retry", "--task", "fail" })
    refused(1, "^FAILURE: x\n", { "result", "fail.dead.1", "--wait" })
    refused(1, "^FAILURE: x\n", { "result", "fail.dead.2", "--wait" })
    assert.equal("deleted 1 job", done { "dead", "delete", "--task", "refuse" })
    assert.equal("deleted 1 job", done { "dead", "delete", "fail.dead.1" })
    assert.same({ deleted = 1 }, support.json_decode(done { "dead", "delete", "--all", "--json" }))
    assert.equal("retried 0 jobs", done { "dead", "retry", "--all" })
  end)

  it("says why a dead job cannot run again", function()
    redis:call("HSET", "{moil}:jobs", "hurt", "R1 FAILURE - 0 0 0 0 0 1 0 - - 2 3\n{}bad")
    redis:call("ZADD", "{moil}:dead", "1", "hurt")
    refused(1, "record holds no job that could run again: it is damaged or not moil's",
      { "dead", "retry", "hurt" })
    assert.equal("deleted 1 job", done { "dead", "delete", "hurt" })
  end)

  it("wants exactly one choice", function()
    refused(5, "no job in the dead set has the id nobody", { "dead", "retry", "nobody" })
    refused(5, "no job in the dead set has the id nobody", { "dead", "delete", "nobody" })
    refused(2, "needs one of these: an ID, %-%-task NAME or %-%-all", { "dead", "retry" })
    refused(2, "needs only one of these", { "dead", "delete", "x", "--all" })
    refused(2, "neither an ID nor %-%-all", { "dead", "list", "--all" })
    refused(2, 'and not "lst"', { "dead", "lst" })
    refused(2, "list, show, retry or delete is missing", { "dead" })
  end)
end)

describe("moil check", function()
  it("lists the tasks", function()
    local text = done { "check" }
    assert.matches("^TASK +QUEUE +WHERE\n", text)
    assert.matches("\nmath%.add +default +tasks/tasks%.lua:2\n", text)
    assert.equal(7, #json_lines(done { "check", "tasks", "--json" }))
  end)

  it("names file and line of what is wrong", function()
    support.write(dir .. "/bad.lua", "local x\nx = = 1\n")
    refused(6, "^moil: bad%.lua:2: ", { "check", "bad.lua" })
    support.write(dir .. "/none.lua", "return 1\n")
    refused(6, "^moil: no task is registered there", { "check", "none.lua" })
    support.write(dir .. "/slow.lua", "while true do end\n")
    refused(6, "took more than 1 s: slow.lua waits or loops", { "check", "slow.lua" })
    refused(2, "cannot read the tasks in nowhere%.lua: No such file", { "check", "nowhere.lua" })
    refused(2, "there is no folder tasks/ here", { "check", cwd = support.tempdir() })
  end)
end)

describe("moil worker", function()
  it("refuses what it cannot work with", function()
    refused(2, "there is no folder tasks/ here", { "worker", cwd = support.tempdir() })
    refused(2, "cannot read the tasks in nowhere%.lua", { "worker", "nowhere.lua" })
    refused(2, "cannot write the log to /nowhere/log", { "worker", "--log-file", "/nowhere/log" })
  end)

  it("works its queues off and leaves with --burst", function()
    done { "call", "echo", "7", "--queue", "once", "--id", "once.one" }
    local out = moil { "worker", "-w", "1", "-q", "once", "--burst", timeout = 20 }
    assert.equal(0, out.code, out.stderr)
    assert.equal("SUCCESS [7]", done { "result", "once.one" })
  end)

  it("writes a log file, in JSON where told", function()
    local log = dir .. "/worker.log"
    local out = moil { "worker", "-w", "1", "-q", "empty", "--burst", "--log-file", log,
      "--log-format", "json", timeout = 20 }
    assert.equal(0, out.code, out.stderr)
    assert.equal("", out.stderr)
    for line in support.read(log):gmatch("[^\n]+") do support.json_decode(line) end
  end)
end)

describe("moil dev", function()
  it("brings its own Redis, where the other commands of the folder find it", function()
    local there = support.tempdir()
    assert(support.sh("mkdir " .. there .. "/tasks").code == 0)
    support.write(there .. "/tasks/tasks.lua", TASKS)
    local dev = support.start_moil { "dev", cwd = there }
    dev:read_until("ready: 1 worker", 15)
    local out = support.moil { "call", "math.add", "20", "22", "--wait", cwd = there }
    assert.same({ 0, "42\n" }, { out.code, out.stdout })
    assert.equal(0, dev:stop(15))
  end)
end)

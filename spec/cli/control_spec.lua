local site = require "spec.support.site"
local support = require "spec.support"

-- `moil control`: two real nodes, and what they answer.

local BY <const> = 20

local TASKS <const> = site.NOTE .. [[
local name = moil.task("name", function() return "one" end)
moil.task("hold", function(gate)
  note("start", gate)
  while not io.open(gate) do moil.sleep(0.01) end
  return "held"
end)
moil.task("endless", { soft_time_limit = 50 }, function() while true do moil.sleep(0.01) end end)
moil.task("ask", function(...) return { moil.control(...) } end)
local kept = {}
moil.on_control("keep", function(...) kept = { ... } note("kept", #kept) return #kept end)
moil.on_control("kept", function() return kept end)
moil.on_control("sleepy", { time_limit = 10 }, function(s)
  moil.sleep(s)
  return moil.send("name"):get()
end)
moil.on_control("loop", { time_limit = 0.2 }, function() while true do end end)
moil.on_control("catch", { time_limit = 0.2 }, function()
  while true do pcall(function() while true do end end) end
end)
moil.on_control("eat", { time_limit = 30, memory_limit = 8 }, function()
  local t = {}
  while true do t[#t + 1] = ("x"):rep(1000) .. #t end
end)
moil.on_control("boom", function() error { code = "Boom", message = "as told" } end)
moil.on_control("big", function() return ("x"):rep(100000) end)
]]

describe("moil control", function()
  local here, one, two

  local function open()
    here = site.open { tasks = TASKS, idle = true }
    one = here:worker { "-w", "2", "--name", "one", "--lease", "200" }
    two = here:worker { "-w", "1", "--name", "two", "--lease", "200" }
  end

  local function run(...)
    return support.moil { "control", redis = here.url, timeout = 40, ... }
  end

  -- The answers → { ["one 1"] = answer, … }, and the exit code.
  local function ask(...)
    local out = run("--json", "--timeout", "30", ...)
    local answers = {}
    for line in out.stdout:gmatch "[^\n]+" do
      local a = support.json_decode(line)
      answers[a.node .. (a.worker and " " .. a.worker or "")] = a
    end
    return answers, out.code, out
  end

  local function messages(answers)
    local list = {}
    for who, a in pairs(answers) do list[who] = a.message end
    return list
  end

  -- Of workers, whose numbers a reload changes: node → what each has answered.
  local function values(answers, of)
    local list = {}
    for _, a in pairs(answers) do
      list[a.node] = list[a.node] or {}
      table.insert(list[a.node], of and of(a) or a.value)
    end
    return list
  end

  -- Well before a heartbeat that is due anyway: they come once a minute (see open).
  local function await_nodes(what, is_so)
    support.wait_until(function()
      local nodes = {}
      for _, node in ipairs(here:nodes()) do nodes[node.node] = node end
      return nodes.one and nodes.two and is_so(nodes)
    end, BY, what)
  end

  setup(open)

  describe("of what a node knows", function()
    it("reaches all, those of a pattern, one, or none", function()
      assert.same({ one = "pong", two = "pong" }, messages(ask "ping"))
      assert.same({ one = "pong" }, messages(ask("ping", "--node", "one")))
      assert.same({ two = "pong" }, messages(ask("ping", "--node", "t?o")))
      assert.same({ one = "pong", two = "pong" }, messages(ask("ping", "--node", "*o*")))
      local out = run("ping", "--node", "three")
      assert.same({ 5, "moil: no node that is alive is named three\n" }, { out.code, out.stderr })
    end)

    it("prints a table, sorted by node", function()
      local out = run "ping"
      assert.same({ 0, "NODE  ANSWER  \none   ok      pong\ntwo   ok      pong\n" },
        { out.code, out.stdout })
    end)

    it("tells how nodes do", function()
      local answers, code = ask "stats"
      assert.equal(0, code)
      assert.same({ 2, 1 }, { #answers.one.value.workers, #answers.two.value.workers })
      assert.equal(1, answers.one.value.generation)
      assert.matches("one   ok      generation 1, 2 workers, 0 jobs running", run("stats").stdout)
    end)

    it("quiets and resumes", function()
      assert.same({ one = "takes no new jobs", two = "takes no new jobs" }, messages(ask "quiet"))
      local job = here.moil.send("name")
      assert.equal("PENDING", job:info().state)
      await_nodes("both are quiet", function(nodes)
        return nodes.one.quiet == true and nodes.two.quiet == true
      end)
      assert.matches("QUIET.-yes", support.moil({ "inspect", "nodes", redis = here.url }).stdout)
      assert.matches("all nodes that serve the queue \"default\" are quiet",
        support.moil({ "why", job.id, redis = here.url }).stdout)
      local answers = ask("kept") -- a quiet worker still hears
      assert.same({ one = { true, true }, two = { true } },
        values(answers, function(a) return a.ok end))
      assert.equal(0, select(2, ask "resume"))
      assert.equal("one", job:get { timeout = BY })
      await_nodes("neither is quiet", function(nodes)
        return nodes.one.quiet == nil and nodes.two.quiet == nil
      end)
      for _, node in ipairs { one, two } do node:kill "TSTP" end
      await_nodes("both are quiet", function(nodes)
        return nodes.one.quiet and nodes.two.quiet
      end)
      assert(support.native.kill(site.pids(one).agent, 9)) -- the next one knows
      await_nodes("a new agent", function(nodes) return nodes.one.quiet end)
      for _, node in ipairs { one, two } do node:kill "CONT" end
      await_nodes("neither is quiet", function(nodes)
        return not nodes.one.quiet and not nodes.two.quiet
      end)
    end)

    it("grows and shrinks, within bounds", function()
      assert.equal("4 workers, 1 before", ask("grow", "3", "--node", "two").two.message)
      assert.equal("3 workers, 4 before", ask("shrink", "--node", "two").two.message)
      local answers, code = ask("shrink", "99", "--node", "two")
      assert.same({ 1, "nothing is done: of 3 workers 2 can go, as the last one stays" },
        { code, answers.two.message })
      await_nodes("the number in the report", function(nodes) return #nodes.two.workers == 3 end)
      answers, code = ask("grow", "254", "--node", "two")
      assert.same({ 1, "nothing is done: 253 more are possible, as a node has 256 at most" },
        { code, answers.two.message })
      assert.equal("1 worker, 3 before", ask("shrink", "2", "--node", "two").two.message)
      for _, n in ipairs { "0", "-1", "1000000", "300" } do
        answers, code = ask("grow", n, "--node", "two")
        assert.same({ 1, "the number of workers to add or take is 1 to 256" },
          { code, answers.two.message })
      end
    end)

    it("does nothing where the arguments are wrong", function()
      local before = ask("stats", "--node", "one").one.value.workers
      for _, args in ipairs {
        { "grow", "abc" }, { "grow", "1.9" }, { "grow", "1", "5" }, { "shrink", "foo" },
        { "shrink", '"1"' }, { "shrink", "[1]" }, { "shrink", "null" }, { "grow", "--", "1e3" },
      } do
        local answers, code = ask("--node", "one", table.unpack(args))
        assert.same({ 1, args[1] .. " takes the number of workers, one whole number (or nothing: "
          .. "1)" }, { code, answers.one.message })
      end
      for _, args in ipairs {
        { "quiet", "a", "b" }, { "reload", "7" }, { "ping", "x" }, { "stats", "x" },
        { "resume", "{}" }, { "stop", "now" }, { "kill", "9" },
      } do
        local answers, code = ask("--node", "one", table.unpack(args))
        assert.same({ 1, args[1] .. " takes no arguments" }, { code, answers.one.message })
      end
      local now = ask("stats", "--node", "one").one.value
      assert.same({ 1, #before }, { now.generation, #now.workers })
      for i, worker in ipairs(now.workers) do assert.equal(before[i].pid, worker.pid) end
    end)

    it("ends no node that was not named", function()
      for _, verb in ipairs { "stop", "kill" } do
        local out = run(verb)
        assert.equal(2, out.code)
        assert.matches("say which with %-%-node", out.stderr)
      end
    end)

    it("ends no node that was not named in Lua either", function()
      for _, verb in ipairs { "stop", "kill" } do
        local ok, wrong = pcall(here.moil.control, verb, {})
        assert.is_false(ok)
        assert.matches("ends nodes: say which with node = NAME", tostring(wrong))
      end
      assert.same({ one = "pong", two = "pong" }, messages(ask "ping"))
    end)

    it("needs sound words", function()
      assert.equal(2, run().code)
      assert.equal(2, run("no/command").code)
      assert.equal(2, run("ping", "--node", "a*b*c*d*e*f").code)
      assert.equal(2, run("time-limit", "endless").code)
      assert.equal(2, run("time-limit", "endless", "soon").code)
      assert.equal(2, run("keep", ("x"):rep(70000)).code)
    end)
  end)

  describe("reload", function()
    it("answers when the new generation serves", function()
      local job = here.moil.send("hold", { here.dir .. "/gate" })
      support.wait_until(function() return here:notes()[1] end, BY, "it runs")
      support.write(here.tasks, (TASKS:gsub('"one"', '"two"', 1)))
      local answers, code = ask "reload"
      assert.equal(0, code)
      assert.same({ one = "generation 2 serves", two = "generation 2 serves" }, messages(answers))
      assert.equal("two", here:call "name")
      support.write(here.dir .. "/gate", "")
      assert.equal("held", job:get { timeout = BY })
    end)

    it("tells what the check has found, and the old one goes on", function()
      support.write(here.tasks, "local x = \nreturn")
      local answers, code = ask "reload"
      assert.equal(1, code)
      assert.matches("tasks%.lua:2: .*unexpected symbol", answers.one.message)
      support.write(here.tasks, "while true do end")
      answers = ask("reload", "--node", "one")
      assert.matches("^loading took more than 1 s: .*tasks%.lua", answers.one.message)
      support.write(here.tasks, TASKS)
      assert.equal("two", here:call "name")
      assert.equal(0, select(2, ask "reload"))
      assert.equal("one", here:call "name")
    end)
  end)

  describe("time-limit", function()
    it("holds for jobs that start from then on, in workers to come too, until it is taken off",
      function()
        local err = function() return here:failure("endless").code end
        assert.equal(0, select(2, ask("time-limit", "endless", "0.3", "0.2")))
        assert.equal("SoftTimeLimitExceeded", err())
        assert.equal(0, select(2, ask("time-limit", "endless", "0.3", "none")))
        assert.equal("TimeLimitExceeded", err())
        assert.equal("TASK     TIME LIMIT  SOFT\nendless  0.3 s       none\n",
          run("time-limit").stdout)
        local out = support.moil { "inspect", "registered", redis = here.url }.stdout
        out = out:gsub("two, one", "one, two")
        assert.matches("\nendless +0%.3 s +none +one, two\n", out)
        assert.matches("\nname +one, two\n", out)
        out = support.moil { "inspect", "registered", "--json", redis = here.url }.stdout
        assert.same({ time_limit = 0.3, soft_time_limit = false },
          { time_limit = tonumber(out:match '"task":"endless".-"time_limit":([%d.]+)'),
            soft_time_limit = out:match '"task":"endless".-"soft_time_limit":false' and false })
        local three = here:worker { "-w", "1", "--name", "three" }
        ask("quiet", "--node", "one")
        ask("quiet", "--node", "two")
        assert.equal("TimeLimitExceeded", err())
        assert.equal(0, select(2, ask("stop", "--node", "three")))
        assert.equal(0, three:wait(BY))
        ask("resume")
        assert.equal(0, select(2, ask("time-limit", "endless", "own", "own")))
        assert.equal("no time limits are set at run time\n", run("time-limit").stdout)
        local job = here.moil.send("endless")
        here:wait_state(job.id, "STARTED")
        job:revoke { terminate = true }
        here:wait_state(job.id, "REVOKED")
      end)

    it("refuses a soft limit past the other, an unknown task, and single nodes", function()
      local out = run("time-limit", "endless", "1", "2")
      assert.same({ 2, "moil: the soft time limit (2 s) must be less than the time limit (1 s)\n" },
        { out.code, out.stderr })
      out = run("time-limit", "missing", "1")
      assert.same({ 5, "moil: no node has a task missing\n" }, { out.code, out.stderr })
      assert.equal(2, run("time-limit", "endless", "1", "--node", "one").code)
    end)
  end)

  describe("of the tasks' own", function()
    it("runs in each worker, with its arguments", function()
      local answers, code = ask("keep", "1", '{"b":null}', "text")
      assert.equal(0, code)
      assert.same({ one = { 3, 3 }, two = { 3 } }, values(answers))
      answers = ask("kept", "--node", "two")
      assert.same({ two = { { 1, { b = support.null }, "text" } } }, values(answers))
    end)

    it("may wait, also for jobs, while jobs run", function()
      assert.same({ two = { "one" } }, values((ask("sleepy", "0.05", "--node", "two"))))
    end)

    it("answers with its error, and ends at its limits", function()
      local function errors(name)
        local answers, code = ask(name)
        assert.equal(1, code)
        return values(answers, function(a) return a.error.code end)
      end
      local function all(code) return { one = { code, code }, two = { code } } end
      assert.same(all "Boom", errors "boom")
      assert.same(all "TimeLimitExceeded", errors "loop")
      assert.same(all "TimeLimitExceeded", errors "catch")
      assert.same(all "MemoryLimitExceeded", errors "eat")
      assert.same(all "TooLarge", errors "big")
      assert.same(all "UnknownCommand", errors "nothing")
      assert.equal("one", here:call "name")
      assert.equal(0, #here.log_lines(one, "died"))
    end)

    it("names the silent, and exits with 4", function()
      local out = run("sleepy", "5", "--timeout", "0.3", "--node", "two")
      assert.equal(4, out.code)
      assert.matches("two%s+%d+  silent", out.stdout)
      assert.matches("not all have answered within 0%.3 s", out.stderr)
    end)

    it("writes nothing of the arguments to a log", function()
      ask("keep", "hush-hush")
      assert.equal(0, #here.log_lines(one, "hush-hush") + #here.log_lines(two, "hush-hush"))
      assert.is_true(#here.log_lines(one, "control: keep") > 0)
    end)
  end)

  describe("from Lua", function()
    it("answers a program and a job", function()
      for _, send in ipairs {
        function(...) return here.moil.control(...) end,
        function(...) return table.unpack(here:call("ask", ...)) end,
      } do
        local ok, answers = send("ping", {}, { node = "t*", timeout = 30 })
        assert.same({ true, 1, "two", "pong" },
          { ok, #answers, answers[1].node, answers[1].message })
        ok, answers = send("keep", { 7, "x" }, { timeout = 30 })
        assert.same({ true, 3 }, { ok, #answers })
        for _, a in ipairs(answers) do
          assert.same({ 2, "integer" }, { a.value, math.type(a.worker) })
        end
        assert.same({ "one", "one", "two" },
          { answers[1].node, answers[2].node, answers[3].node })
        ok, answers = send("boom", {}, { node = "two", timeout = 30 })
        assert.same({ false, "Boom" }, { ok, answers[1].error.code })
        assert.same({ false, {} }, { send("ping", {}, { node = "nobody" }) })
        ok, answers = send("sleepy", { 5 }, { node = "two", timeout = 0.2 })
        assert.same({ false, true }, { ok, answers[1].silent })
        assert.is_true((send("time-limit", { "endless", { time_limit = 9 } })))
        assert.same({ { task = "endless", time_limit = 9 } }, select(2, send("time-limit")))
        assert.is_true((send("time-limit", { "endless", { time_limit = here.moil.null } })))
      end
    end)

    it("refuses what makes no sense", function()
      for _, bad in ipairs {
        { "a b" }, { "ping", "x" }, { "ping", {}, { timeout = -1 } }, { "ping", {}, { node = "" } },
        { "time-limit", { "endless", { time_limit = 1, soft_time_limit = 2 } } },
        { "time-limit", { "endless", { time_limit = "1" } } }, { "keep", { ("x"):rep(70000) } },
      } do
        local ok, err = pcall(here.moil.control, table.unpack(bad))
        assert.same({ false, "BadArgument" }, { ok, type(err) == "table" and err.code or err })
      end
    end)
  end)

  describe("when things go wrong", function()
    it("outlives SCRIPT FLUSH", function()
      for _ = 1, 3 do
        here.redis:call("SCRIPT", "FLUSH")
        assert.equal(0, select(2, ask "kept"))
      end
    end)

    it("has the answer of a supervisor given by the next agent", function()
      support.write(here.tasks, TASKS .. "local t = os.clock() while os.clock() - t < 0.4 do end\n")
      local agent <const> = here.pids(one).agent
      local function asked() return #here.log_lines(one, "asked for by way of Redis") end
      local before <const> = asked()
      local asking = support.start_moil { "control", "reload", "--node", "one", "--timeout", "60",
        redis = here.url }
      support.wait_until(function() return asked() > before end, BY, "the order is there")
      assert(support.native.kill(agent, 9))
      assert.equal(0, asking:wait(80))
      assert.matches("one   ok      generation %d serves", asking:stdout())
    end)

    it("tells a node nothing that came up too late", function()
      one:kill "STOP"
      local pids = here.pids(two)
      assert(support.native.kill(pids.agent, 19))
      local out = run("keep", "late", "--node", "two", "--timeout", "0.2")
      assert.equal(4, out.code)
      local before = #here:notes()
      assert(support.native.kill(pids.agent, 18))
      one:kill "CONT"
      assert.equal(0, select(2, ask("kept", "--node", "two")))
      assert.equal(before, #here:notes())
    end)
  end)
end)

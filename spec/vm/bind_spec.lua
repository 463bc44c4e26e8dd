-- src/vm/bind*.c, call.c: the questions that reach the host, and its answers.

local support = require "spec.support"
local driver = require "spec.vm.driver"

local asked, answers

-- A host that notes each question and gives the answer set for it, or lets the job wait.
local host = setmetatable({}, { __index = function(_, name)
  return function(question)
    asked[#asked + 1] = { name, question }
    local answer = answers[name]
    if type(answer) == "function" then return answer(question) end
    return answer
  end
end })

local function created(count, value)
  local list = {}
  for i = 1, count do list[i] = value ~= false end
  return list
end

before_each(function()
  asked, answers = {}, { enqueue = function(subs) return created(#subs) end }
end)

-- Runs code as a job; its result.
local function job(code, options)
  options = options or {}
  local vm = driver.new {
    host = host, max_payload = options.max_payload, config = options.config,
    source = (options.tasks or "") .. ' moil.task("t", { bind = true }, function(self, ...) '
      .. code .. " end)",
  }
  local kind, value = driver.run(vm, { task = "t", id = "me", extra = options.extra })
  if kind == "failure" then return nil, value end
  return value
end

-- The only submission of a job, its JSON read.
local function submitted(code, options)
  local value, err = job(code, options)
  assert.is_nil(err and err.message)
  assert.equal("enqueue", asked[1][1])
  local sub = asked[1][2][1]
  sub.extra = sub.extra and support.json_decode(sub.extra)
  return sub, value
end

describe("enqueueing", function()
  it("tells the host what the call said", function()
    local sub, value = submitted [[
      local r = moil.send("math.add", { 4, 4.0, { x = {} } }, { queue = "high", priority = 9,
        at_front = true, id = "my-id",
        kwargs = { a = moil.null } })
      return { r.id, r.created }
    ]]
    assert.same({ "my-id", true }, value)
    assert.same({
      id = "my-id", task = "math.add", queue = "high", args = '[4,4.0,{"x":[]}]',
        kwargs = '{"a":null}', priority = 9,
      at_front = true, delayed = false, due_is_relative = false, due_ms = 0,
      extra = { parent_id = "me", root_id = "me" },
    }, sub)
  end)

  it("makes an id where none is given, and says whether it was new", function()
    answers.enqueue = { false }
    local sub, value = submitted [[local r = moil.send("a") return { r.id, r.created }]]
    assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", sub.id)
    assert.same({ sub.id, false }, value)
    assert.same({ "[]", "default", 5 }, { sub.args, sub.queue, sub.priority })
    assert.is_nil(sub.kwargs)
  end)

  it("counts trailing nils", function()
    assert.equal("[1,null,null]", submitted([[moil.send("a", { 1, n = 3 })]]).args)
    asked = {}
    assert.equal("[null,2,null]", submitted([[add:delay(nil, 2, nil)]],
      { tasks = 'local add = moil.task("add", print)' }).args)
    asked = {}
    assert.equal("[1,null]", submitted([[add:s(1, nil):delay()]],
      { tasks = 'local add = moil.task("add", print)' }).args)
  end)

  it("puts the job into the line of the one that makes it", function()
    local sub = submitted([[moil.send("a")]], { extra = '{"root_id":"root","parent_id":"p"}' })
    assert.same({ parent_id = "me", root_id = "root" }, sub.extra)
  end)

  it("delays by countdown and eta", function()
    local sub = submitted [[moil.send("a", {}, { countdown = 1.5 })]]
    assert.same({ true, true, 1500 }, { sub.delayed, sub.due_is_relative, sub.due_ms })
    for _, eta in ipairs { "1900000000.5", '"2030-03-17T18:46:40.5+01:00"' } do
      asked = {}
      sub = submitted([[moil.send("a", {}, { eta = ]] .. eta .. " })")
      assert.same({ true, false, 1900000000500, 1900000000.5 }, { sub.delayed, sub.due_is_relative,
        sub.due_ms, sub.extra.eta })
    end
  end)

  it("lets the rarer options travel", function()
    local sub = submitted [[
      moil.send("a", {}, { expires = 1900000000, result_ttl = false, ignore_result = true,
        time_limit = 5,
        soft_time_limit = 2, headers = { a = { 1 } }, retry =
          moil.retry.exponential { max = 4, jitter = true } })
    ]]
    assert.same({
      expires = 1900000000, result_ttl = false, ignore_result = true, time_limit = 5,
        soft_time_limit = 2,
      headers = { a = { 1 } }, retry = { policy = "exponential", max = 4, jitter = true },
        parent_id = "me", root_id = "me",
    }, sub.extra)
    asked = {}
    local before = os.time()
    local expires = submitted([[moil.send("a", {}, { expires = 60 })]]).extra.expires
    assert.is_true(expires >= before + 60 and expires <= os.time() + 61)
  end)

  it("takes call before task before configuration", function()
    local options = {
      tasks = [[
        local a = moil.task("a", { queue = "q", priority = 7, countdown = 1, headers = { h = 1 },
          max_deliveries = 9 }, print)
      ]],
      config = [[{"task_defaults": {"queue": "d", "priority": 1, "expires": 60},
        "routes": {"r.*": "routed"}}]],
    }
    local sub = submitted([[a:delay()]], options)
    assert.same({ "q", 7, 1000, 9, 1 }, { sub.queue, sub.priority, sub.due_ms,
      sub.extra.max_deliveries, sub.extra.headers.h })
    assert.is_number(sub.extra.expires)
    asked = {}
    sub = submitted([[moil.send("a", {}, { queue = "mine", priority = 0, countdown = 0 })]],
      options)
    assert.same({ "mine", 0, false }, { sub.queue, sub.priority, sub.delayed })
    asked = {}
    sub = submitted([[moil.send("r.x")]], options)
    assert.same({ "routed", 1 }, { sub.queue, sub.priority })
    asked = {}
    assert.equal("d", submitted([[moil.send("other")]], options).queue)
  end)

  it("in bulk is one question", function()
    answers.enqueue = function(subs) return created(#subs, #subs > 0) end
    local value = job([[
      local list = {}
      for i = 1, 5000 do list[i] = add:s(i, ("x"):rep(i % 50)) end
      list[5001] = moil.signature("other", { 1 }, { queue = "q2" })
      local results = moil.enqueue_many(list)
      return { #results, results[5000].created, results[1].id ~= results[2].id,
        #moil.enqueue_many {} }
    ]], { tasks = 'local add = moil.task("add", print)' })
    assert.same({ 5001, true, true, 0 }, value)
    assert.equal(1, #asked)
    local subs = asked[1][2]
    for i = 1, 5000 do
      assert.equal("[" .. i .. ',"' .. ("x"):rep(i % 50) .. '"]', subs[i].args)
      assert.equal("add", subs[i].task)
    end
    assert.same({ "other", "q2" }, { subs[5001].task, subs[5001].queue })
  end)

  it("waits for an answer without losing the question", function()
    answers.enqueue = nil
    local vm = driver.new { host = host, source = [[
      moil.task("t", function() local r = moil.send("a", { ("x"):rep(50) })
        return { r.id, r.created } end)
    ]] }
    local runs = {}
    for i = 1, 20 do
      runs[i] = vm:start { task = "t", id = "j" .. i }
      assert.equal("waiting", runs[i]:resume())
    end
    for i = 1, 20 do
      runs[i]:answer(i % 2 == 0)
      local _, value = runs[i]:resume()
      assert.same({ asked[i][2][1].id, i % 2 == 0 }, support.json_decode(value))
      runs[i]:free()
    end
  end)

  it("raises what the host fails with", function()
    answers.enqueue = { fail = { "RedisUnavailable", "no link" } }
    local _, err = job [[moil.send("a")]]
    assert.same({ "RedisUnavailable", "no link" }, { err.code, err.message })
  end)

  it("refuses what cannot be sent, naming task and argument", function()
    local function refused(code, options)
      asked = {}
      local _, err = job(code, options)
      assert.same({}, asked)
      return err.code .. ": " .. err.message
    end
    assert.equal("BadArgument: a: argument 2.items[3]: a function cannot be JSON",
      refused [[moil.send("a", { 1, { items = { 1, 2, print } } })]])
    assert.equal("BadArgument: a: kwargs.x: NaN cannot be JSON",
      refused [[moil.send("a", {}, { kwargs = { x = 0/0 } })]])
    assert.equal("BadArgument: a: kwargs: must be a table of names and values",
      refused [[moil.send("a", {}, { kwargs = { 1 } })]])
    assert.equal("BadArgument: a: options.headers.x: a function cannot be JSON",
      refused [[moil.send("a", {}, { headers = { x = print } })]])
    assert.equal("BadArgument: a: arguments must be a list, such as { 4, 4 }; "
      .. "named ones go into kwargs",
      refused [[moil.send("a", { x = 1 })]])
    assert.equal("BadArgument: a: arguments must be a list, such as { 4, 4 }",
      refused [[moil.send("a", 1)]])
    assert.equal("BadArgument: a: options must be a table", refused [[moil.send("a", {}, 1)]])
    assert.matches("moil.send: a task's name is", refused [[moil.send("a b")]])
    assert.matches("entry 2 is no signature",
      refused [[moil.enqueue_many { moil.signature("a"), {} }]])
    assert.equal("TooLarge: a: arguments and options of more than the 1000 bytes allowed",
      refused([[moil.send("a", { ("x"):rep(1000) })]], { max_payload = 1000 }))
    assert.equal("TooLarge: a: arguments and options of more than the 1048576 bytes allowed",
      refused [[moil.send("a", { ("x"):rep(1048576) })]])
  end)
end)

describe("a result", function()
  it("comes as a value, null as nil", function()
    answers.wait = { "SUCCESS", '{"a":[1,2.0,null]}' }
    assert.same({ a = { 1, 2.0, support.null } }, job [[return moil.result("r"):get()]])
    assert.same({ "wait", { id = "r", timeout = -1.0, progress = false } }, asked[1])
    answers.wait = { "SUCCESS", "null" }
    assert.equal(true, job [[return moil.result("r"):get() == nil]])
    answers.wait = { "SUCCESS", "false" }
    assert.equal(false, job [[return moil.result("r"):get()]])
  end)

  it("of a failed job raises its error, or gives it", function()
    answers.wait = { "FAILURE", '{"code":"NOT_FOUND","message":"no","traceback":"tb"}' }
    local _, err = job [[moil.result("r"):get()]]
    assert.same({ code = "NOT_FOUND", message = "no", traceback = "tb" }, err)
    assert.same({ true, "NOT_FOUND", "NOT_FOUND: no" }, job [[
      local v, e = moil.result("r"):get { propagate = false }
      return { v == nil, e.code, tostring(e) }
    ]])
    answers.wait = { "REVOKED", "" }
    assert.equal("Revoked", select(2, job [[moil.result("r"):get()]]).code)
    answers.wait = { fail = { "Timeout", "too late" } }
    _, err = job [[moil.result("r"):get { timeout = 0.5, propagate = false }]]
    assert.equal("Timeout", err.code)
    assert.is_true(math.abs(0.5 - asked[#asked][2].timeout) < 0.1)
  end)

  it("tells of progress on the way", function()
    local steps = {
      { "PROGRESS", '{"percent":10}', "token 1" }, { "STEP", "", "token 2" }, { "SUCCESS", "7" },
    }
    answers.wait = function() return table.remove(steps, 1) end
    assert.same({ 7, { id = "r", state = "PROGRESS", meta = { percent = 10 } }, { id = "r",
      state = "STEP" } }, job [[
      local seen = {}
      local v = moil.result("r"):get { on_message = function(m) seen[#seen + 1] = m end,
        timeout = 5 }
      return { v, seen[1], seen[2] }
    ]])
    assert.same({ true, nil }, { asked[1][2].progress, asked[1][2].seen })
    assert.equal("token 1", asked[2][2].seen)
    assert.equal("token 2", asked[3][2].seen)
  end)

  it("is asked about, revoked, forgotten, deleted", function()
    answers.inspect = { '{"id":"r","state":"STARTED"}' }
    answers.revoke, answers.forget, answers.delete = { "REVOKED" }, { true }, { false }
    assert.same({ "STARTED", false, "STARTED", "REVOKED", true, false }, job [[
      local r = moil.result("r")
      return { r:state(), r:ready(), r:info().state, r:revoke { terminate = true }, r:forget(),
        r:delete() }
    ]])
    assert.same({ "revoke", { id = "r", terminate = true } }, asked[4])
    answers.reschedule = { "SCHEDULED" }
    assert.same({ "SCHEDULED", "SCHEDULED" }, job [[
      return { moil.result("r"):reschedule(60), moil.reschedule("r", "2030-01-01T09:00:00+08:00") }
    ]])
    assert.same({ { 60, 0 }, { 0, 1893459600 } }, {
      { asked[7][2].countdown, asked[7][2].eta }, { asked[8][2].countdown, asked[8][2].eta } })
    answers.reschedule = { "STARTED" }
    assert.same({ "it is too late to reschedule r: its state is STARTED", "BadState" }, job [[
      local state, why, code = moil.reschedule("r", 1)
      return not state and { why, code }
    ]])
    for _, bad in ipairs { "-1", "'soon'", "nil", "{}", "0/0" } do
      assert.matches("^result:reschedule: the time ", select(2,
        job("moil.reschedule('r', " .. bad .. ")")).message)
    end
    answers.inspect = { fail = { "UnknownJob", "no job" } }
    assert.equal("UnknownJob", select(2, job [[moil.result("r"):state()]]).code)
  end)

  it("of itself is refused, as are wrong options", function()
    assert.matches("a job cannot wait for itself", select(2,
      job [[moil.result(self.id):get()]]).message)
    assert.matches("unknown option 'timout', did you mean 'timeout'", select(2,
      job [[moil.result("r"):get { timout = 1 }]]).message)
    assert.matches("timeout must be", select(2,
      job [[moil.result("r"):get { timeout = -1 }]]).message)
    assert.matches("an id is", select(2, job [[moil.result ""]]).message)
  end)
end)

describe("the rest", function()
  it("runs programs", function()
    answers.spawn = { 3, nil, "out", "err\0", false, true, n = 6 }
    assert.same({ code = 3, stdout = "out", stderr = "err\0", timed_out = false, truncated = true },
      job [[
        return moil.run { "wc", "-l", 7,
          input = "a\0b", timeout = 5, max_output = 100, cwd = "/tmp" }
      ]])
    assert.same({ "spawn", { "wc", "-l", "7", input = "a\0b", timeout = 5.0, max_output = 100,
      cwd = "/tmp" } }, asked[1])
    job [[moil.run { "true", timeout = false }]]
    assert.same({ "spawn", { "true", input = "", timeout = -1.0, max_output = 1048576 } }, asked[2])
    for code, message in pairs {
      ['moil.run {}'] = "takes a program",
      ['moil.run { "a", {} }'] = "argument 2 must be a string",
      ['moil.run { "a\\0b" }'] = "argument 1 must be a string without NUL",
      ['moil.run { "a", timeout = 0 }'] = "timeout must be",
      ['moil.run { "a", timout = 1 }'] = "did you mean 'timeout'",
      ['moil.run { "a", input = 1 }'] = "input must be",
      ['moil.run "ls"'] = "takes a table",
    } do
      assert.matches(message, select(2, job(code)).message)
    end
  end)

  it("updates the state, with own names only", function()
    answers.update_state = {}
    job [[self:update_state("PROGRESS", { percent = 50 }) self:update_state("STEP")]]
    assert.same({ { "update_state", { state = "PROGRESS", meta = '{"percent":50}' } },
      { "update_state", { state = "STEP", meta = "" } } }, asked)
    for _, state in ipairs { "SUCCESS", "PENDING", "RETRY", "REVOKED", "STARTED", "FAILURE",
      "SCHEDULED", "DEFERRED" } do
      assert.matches(state .. " is a state that moil sets itself", select(2,
        job(("self:update_state('%s')"):format(state))).message)
    end
    assert.matches("a state is", select(2, job [[self:update_state("")]]).message)
    assert.matches("meta.f: a function cannot be JSON", select(2,
      job [[self:update_state("P", { f = print })]]).message)
  end)

  it("refuses to connect in a worker, and to call from a file that is being loaded", function()
    assert.matches("a worker uses the Redis that it was started with", select(2,
      job [[moil.connect("redis://x")]]).message)
    assert.matches(":2: this needs a running job: it cannot be called while files are loaded$",
      driver.load_error '\nmoil.send("a")')
    assert.matches(":1: this needs a running job", driver.load_error 'moil.sleep(1)')
  end)

  it("sleeps for sensible times", function()
    answers.sleep = {}
    job [[moil.sleep(0) moil.sleep(1.5)]]
    assert.same({ { "sleep", 0.0 }, { "sleep", 1.5 } }, asked)
    for _, bad in ipairs { "-1", "'1'", "0/0", "math.huge", "nil" } do
      assert.matches("takes a number of seconds", select(2,
        job("moil.sleep(" .. bad .. ")")).message)
    end
  end)

  it("says where a call went wrong", function()
    local vm, path = driver.new { host = host, source = [[
      moil.task("t", function()
        local ok, err = pcall(function()
          moil.send("a", { print })
        end)
        return { err.where, tostring(err) }
      end)
    ]] }
    assert.same({ path .. ":3", path
      .. ":3: BadArgument: a: argument 1: a function cannot be JSON" },
      select(2, driver.run(vm, "t")))
  end)

  it("has json, ids and objects", function()
    assert.same({ '{"a":[1,2.0]}', "value: a function cannot be JSON", "BadArgument", 4, true,
      "{}", 36 }, job [[
      local text = moil.json.encode { a = { 1, 2.0 } }
      local _, message, code = moil.json.encode(print)
      return { text, message, code, moil.json.decode("[4]")[1], moil.json.decode("null") ==
        moil.null,
        moil.json.encode(moil.object {}), #moil.uuid() }
    ]])
  end)

  it("logs with the job's id and task", function()
    local script = support.write(support.tempdir() .. "/log.lua", ([[
      package.cpath = %q .. package.cpath
      package.path = %q .. package.path
      local units = require("units").vm
      units.setup()
      local vm = assert(units.new { host = {} })
      assert(vm:load(%q))
      vm:start { task = "t", id = "j1" }:resume()
    ]]):format(support.build .. "/spec/?.so;", support.root .. "/?.lua;", driver.file [[
      moil.log.info("loading")
      moil.task("t", { bind = true }, function(self)
        self.log.info("doing div", { x = 1, y = "a b" })
        self.log:warn("colon")
        moil.log.error("bad fields", { f = print })
        print("printed", 1, nil)
        self.log.debug("not shown")
      end)
    ]]))
    local err = support.lua({ script }).stderr
    assert.matches("info  loading\n", err)
    assert.matches("info  doing div.* task=t id=j1.* x=1", err)
    assert.matches("warning colon.* task=t id=j1", err)
    assert.matches("error bad fields.*a function cannot be JSON", err)
    assert.matches("info  printed.1.nil.* task=t id=j1", err)
    assert.is_nil(err:find("not shown", 1, true))
  end)
end)

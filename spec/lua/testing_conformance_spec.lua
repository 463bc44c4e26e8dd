local site = require "spec.support.site"
local support = require "spec.support"
local testing = require "moil.testing"

-- The same programs, once in a world of moil.testing and once on a real worker with a real Redis:
-- states, results, error codes and retries must be the same.

local TASKS <const> = [[
local moil = require "moil"
local add = moil.task("add", function(x, y) return x + (y or 0) end)
local sum = moil.task("sum", function(list)
  local total = 0
  for _, v in ipairs(list) do total = total + v end
  return total
end)
moil.task("list", function(...) return { ... } end)
moil.task("count", function(...) return select("#", ...) end)
moil.task("fail", function(what) error { code = "BROKEN", message = what or "it broke" } end)
moil.task("nap", function(s) moil.sleep(s) return s end)
moil.task("named", function(x, kwargs) return { x, kwargs.name } end)
moil.task("told", function(err, id) return { err.code, type(id), err.cause and err.cause.code } end)
moil.task("ignored", { ignore_result = true }, function(x) return x end)
moil.task("ignores", { bind = true }, function(self) self:ignore() end)
moil.task("rejects", { bind = true }, function(self) self:reject { reason = "never" } end)
moil.task("unplain", function() return print end)
moil.task("flaky", { bind = true, retry = moil.retry.fixed { max = 2, delay = 0.01 } },
  function(self, good) if self.retries < good then error("no " .. self.retries) end
  return self.attempt end)
moil.task("picky", { dont_retry_on = { "BAD" }, retry = moil.retry.fixed { delay = 0.01 } },
  function() error { code = "BAD", message = "bad" } end)
moil.task("asks", { bind = true }, function(self)
  self:retry { countdown = 0.01, max_retries = 2, reason = { code = "AGAIN", message = "again" } }
end)
moil.task("swallows", { bind = true }, function(self)
  pcall(self.retry, self, { countdown = 0, max_retries = 1 })
  return "swallowed"
end)
moil.task("limited", { time_limit = 0.1 }, function() pcall(moil.sleep, 30) moil.sleep(30) end)
moil.task("softly", { soft_time_limit = 0.1 }, function()
  local _, err = pcall(moil.sleep, 30)
  return err.code
end)
local heard = {}
moil.task("hooked", { bind = true,
  before_start = function(self) heard[#heard + 1] = "before " .. self.task end,
  on_success = function(_, v) heard[#heard + 1] = "success " .. tostring(v) end,
  on_failure = function(_, err) heard[#heard + 1] = "failure " .. err.code end,
  on_retry = function(_, _, s) heard[#heard + 1] = "retry " .. s end,
  after_return = function(_, state) heard[#heard + 1] = "after " .. state end,
  retry = moil.retry.list { 0.01 } },
  function(_, x) if x then return x end error { code = "NO", message = "no" } end)
moil.task("heard", function() local h = heard heard = {} return h end)
moil.task("inside", function(n)
  local calls = {}
  for i = 1, n do calls[i] = add:s(i, 1) end
  local total = 0
  for _, v in ipairs(moil.group(calls):delay():join { timeout = 20 }) do total = total + v end
  return total
end)
moil.task("self_wait", { bind = true }, function(self)
  local ok, err = pcall(function() return moil.result(self.id):get() end)
  return { ok, err.code }
end)
moil.task("replaced", { bind = true }, function(self, how, n)
  local ways = {
    job = function() return add:s(n, 1) end,
    chain = function() return moil.chain(add:s(n, 1), add:s(10)) end,
    group = function() return moil.group(add:s(n, 1), add:s(n, 2)) end,
    chord = function() return moil.chord({ add:s(n, 1), add:s(n, 2) }, sum:s()) end,
    fail = function() return moil.signature("fail", { "instead" }) end,
  }
  self:replace(ways[how]())
end)
moil.task("spread", { bind = true }, function(self, n)
  for i = 1, n do self:add_to_group(add:s(n, i)) end
  return 0
end)
moil.task("facts", { bind = true }, function(self)
  return { self.task, self.queue, self.retries, self.attempt, self.deliveries, self.args,
    self.headers.trace or "-", self.root_id == self.id }
end)
moil.task("progress", { bind = true }, function(self)
  self:update_state("HALF", { at = 50 })
  moil.sleep(0.3)
  return "done"
end)
moil.task("die", { bind = true }, function(self, dir)
  local f = assert(io.open(dir .. "/runs", "a+"))
  f:seek "set"
  local runs = #f:read "a"
  f:write "x"
  f:close()
  if runs == 0 and self.worker ~= "test" then os.execute "kill -KILL $PPID" end
  return { runs, self.deliveries, self.retries }
end)
]]

-- name -> function(moil): what is compared. Failures are told by their code and message.
local programs = {
  plain = function(m) return m.send("add", { 4, 4 }):get() end,
  nulls = function(m) return m.send("count", { 1, nil, n = 3 }):get() end,
  kwargs = function(m) return m.send("named", { 1 }, { kwargs = { name = "ann" } }):get() end,
  numbers = function(m) return m.json.encode(m.send("list", { 4, 4.0, {}, m.object {} }):get()) end,
  failure = function(m) return m.send("fail", { "so" }):get() end,
  type_error = function(m) return m.send("add", { {}, 1 }):get() end,
  unplain = function(m) return m.send("unplain"):get() end,
  ignored = function(m) return m.send("ignored", { 1 }):get { timeout = 20 } end,
  ignores = function(m) return m.send("ignores"):get { timeout = 20 } end,
  rejects = function(m) return m.send("rejects"):get() end,
  retried = function(m) return m.send("flaky", { 2 }):get() end,
  exhausted = function(m) return m.send("flaky", { 9 }):get() end,
  picky = function(m) return m.send("picky"):get() end,
  asks = function(m) return m.send("asks"):get() end,
  swallows = function(m) return m.send("swallows"):get() end,
  call_policy = function(m)
    return m.send("fail", { "x" }, { retry = m.retry.fixed { max = 1, delay = 0.01 } }):get()
  end,
  limited = function(m) return m.send("limited"):get() end,
  softly = function(m) return m.send("softly"):get() end,
  call_limit = function(m) return m.send("nap", { 30 }, { time_limit = 0.1 }):get() end,
  hooks_good = function(m)
    m.send("hooked", { 5 }):get()
    return m.send("heard"):get()
  end,
  hooks_bad = function(m)
    m.send("hooked"):get { propagate = false }
    return m.send("heard"):get()
  end,
  countdown = function(m)
    local r = m.send("add", { 1, 1 }, { countdown = 0.2 })
    return { r:state(), r:get() }
  end,
  expired = function(m)
    return m.send("add", { 1, 1 }, { countdown = 0.3, expires = 0.05 }):get()
  end,
  same_id = function(m)
    local a = m.send("add", { 1, 1 }, { id = "conform-1" })
    local b = m.send("add", { 2, 2 }, { id = "conform-1" })
    return { a.created, b.created, b:get() }
  end,
  unknown_id = function(m) return m.result("nobody-knows-this"):get { timeout = 1 } end,
  revoked = function(m)
    local r = m.send("add", { 1, 1 }, { countdown = 60 })
    return { r:revoke(), r:state(), select(2, r:get { propagate = false }).code }
  end,
  rescheduled = function(m)
    local r = m.send("add", { 1, 1 }, { countdown = 600 })
    return { r:reschedule(0), r:get() }
  end,
  too_late = function(m)
    local r = m.send("add", { 1, 1 })
    r:get()
    local _, _, code = r:reschedule(5)
    return { code, r:forget(), pcall(r.state, r) }
  end,
  deleted = function(m)
    local r = m.send("add", { 1, 1 }, { countdown = 60 })
    return { r:delete(), (pcall(r.state, r)) }
  end,
  progress = function(m)
    local seen = {}
    local value = m.send("progress"):get { on_message = function(msg)
      seen[#seen + 1] = { msg.state, msg.meta.at }
    end }
    return { value, seen }
  end,
  self_wait = function(m) return m.send("self_wait"):get() end,
  facts = function(m)
    return m.send("facts", { 1 }, { queue = "default", headers = { trace = "t" } }):get()
  end,
  chain = function(m)
    return m.chain(m.signature("add", { 2, 2 }), m.signature("add", { 4 })):delay():get()
  end,
  chain_failing = function(m)
    return m.chain(m.signature("fail"), m.signature("add", { 4 }),
      m.signature("add", { 4 })):delay():get()
  end,
  group = function(m)
    return m.group(m.signature("add", { 1, 1 }), m.signature("add", { 2, 2 })):delay():get()
  end,
  group_failing = function(m)
    return m.group(m.signature("add", { 1, 1 }), m.signature("fail")):delay():get()
  end,
  group_collected = function(m)
    local r = m.group(m.signature("add", { 1, 1 }), m.signature("fail")):delay()
    local list = r:join { propagate = false }
    return { list[1], list[2].error.code, r:count(), r:completed_count() }
  end,
  chord = function(m)
    return m.chord({ m.signature("add", { 1, 1 }), m.signature("add", { 2, 2 }) },
      m.signature "sum"):delay():get()
  end,
  chord_failing = function(m)
    return m.chord({ m.signature("add", { 1, 1 }), m.signature("fail") },
      m.signature "sum"):delay():get()
  end,
  chord_collecting = function(m)
    local list = m.chord({ m.signature("add", { 1, 1 }), m.signature("fail") },
      m.signature "list", { member_failure = "collect" }):delay():get()[1]
    return { list[1], list[2].error.code }
  end,
  nested = function(m)
    return m.chain(m.group(m.signature("add", { 1, 1 }),
      m.group(m.signature("add", { 2, 2 }), m.signature("add", { 3, 3 }))),
      m.signature "list"):delay():get()
  end,
  fan_out = function(m)
    return m.chain(m.signature("add", { 1, 1 }), m.group(m.signature("add", { 1 }),
      m.signature("add", { 2 })), m.signature "sum"):delay():get()
  end,
  map = function(m) return m.map("add", { 1, 2, 3 }):delay():get() end,
  chunks = function(m)
    return m.chunks("add", { { 1, 1 }, { 2, 2 }, { 3, 3 } }, 2):delay():get()
  end,
  link = function(m)
    m.signature("add", { 1, 1 }):apply_async {
      link = m.signature("add", { 5 }, { id = "conform-link" }),
      link_error = m.signature("told", {}, { id = "conform-unwanted" }),
    }:get()
    return { m.result("conform-link"):get(), (pcall(m.result("conform-unwanted").state,
      m.result "conform-unwanted")) }
  end,
  link_error = function(m)
    m.signature "fail":apply_async { link_error = m.signature("told", {}, { id = "conform-told" }) }
      :get { propagate = false }
    return m.result("conform-told"):get()
  end,
  depends = function(m)
    local first = m.send("nap", { 0.1 })
    local second = m.send("add", { 1, 1 }, { depends_on = first })
    return { second:state(), second:get(), first:state() }
  end,
  depends_failing = function(m)
    local first = m.send "fail"
    return { select(2, m.send("add", { 1, 1 }, { depends_on = first }):get {
      propagate = false }).code,
      m.send("add", { 1, 1 }, { depends_on = { first, allow_failure = true } }):get(),
      m.send("add", { 1, 1 }, { depends_on = { first, on_failure = "revoke" } }):get {
        propagate = false } or "none" }
  end,
  inside = function(m) return m.send("inside", { 10 }):get() end,
  spread = function(m)
    return m.group(m.signature("spread", { 2 }), m.signature("add", { 1, 1 })):delay():get()
  end,
  revoked_group = function(m)
    local r = m.group(m.signature("add", { 1, 1 }, { countdown = 60 }),
      m.signature("add", { 2, 2 }, { countdown = 60 })):delay()
    r:revoke()
    return { r:state(), r.children[1]:state(), r.children[2]:state() }
  end,
}
for _, how in ipairs { "job", "chain", "group", "chord", "fail" } do
  programs["replaced by " .. how] = function(m) return m.send("replaced", { how, 5 }):get() end
end

-- What a program came to, as a text. Ids differ, and so do the lines of code.
local function outcome_of(moil, program)
  local ok, value = pcall(program, moil)
  if not ok and type(value) == "table" then
    value = { code = value.code, message = tostring(value.message), cause = value.cause
      and value.cause.code }
  end
  local text = ok and moil.json.encode(value == nil and moil.null or value)
    or ("raised %s: %s (%s)"):format(value.code or "?", value.message or tostring(value),
      value.cause or "-")
  return (text:gsub("%x%x%x%x%x%x%x%x%-%x+%-%x+%-%x+%-%x+", "ID"):gsub("[%w%p]*tasks%.lua:%d+",
    "LINE"):gsub("no job under this id:.*", "UNKNOWN"))
end

describe("the test world and a real worker agree about", function()
  local here, real = nil, {}

  setup(function()
    here = site.open { tasks = TASKS, args = { "-w", "1" } }
    for name, program in pairs(programs) do real[name] = outcome_of(here.moil, program) end
  end)

  for name, program in pairs(programs) do
    it(name, function()
      local world = testing.new { tasks = here.tasks }
      local simulated = outcome_of(world.moil, program)
      world:close()
      assert.equal(real[name], simulated)
    end)
  end

  it("a worker that dies", function()
    local function run(moil, dir)
      return moil.send("die", { dir }):get { timeout = 60 }
    end
    local expected = run(here.moil, support.tempdir())
    local world = testing.new { tasks = here.tasks }
    world:crash("die", 1, "after")
    assert.same(expected, run(world.moil, support.tempdir()))
    assert.same({ 1, 2, 0 }, expected)
    world:close()
  end)
end)

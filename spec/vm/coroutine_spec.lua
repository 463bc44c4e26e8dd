-- src/vm/coroutine.c: as the stock library, and transparent to what belongs to the job.

local support = require "spec.support"
local driver = require "spec.vm.driver"

-- What a piece of code gives in a job, and in the stock interpreter that runs this spec.
local function in_job(code)
  local vm = driver.new { source = 'moil.task("t", function() ' .. code .. " end)" }
  local kind, value = driver.run(vm, "t")
  assert.equal("success", kind, type(value) == "table" and value.message)
  return value
end

local function stock(code)
  return assert(load("return (function() " .. code .. " end)()"))()
end

describe("a job's own coroutines", function()
  local cases = {
    values = [[
      local co = coroutine.create(function(a, b)
        local c, d = coroutine.yield(a + b)
        local e = coroutine.yield(c * d)
        return "end", e
      end)
      return { { coroutine.resume(co, 1, 2) }, { coroutine.resume(co, 3, 4) },
        { coroutine.resume(co, 5) },
        { coroutine.resume(co) }, coroutine.status(co) }
    ]],
    status = [[
      local seen = {}
      local outer
      outer = coroutine.create(function()
        seen[#seen + 1] = coroutine.status(outer)
        local inner = coroutine.create(function() seen[#seen + 1] = coroutine.status(outer)
          coroutine.yield() end)
        seen[#seen + 1] = coroutine.status(inner)
        coroutine.resume(inner)
        seen[#seen + 1] = coroutine.status(inner)
        seen[#seen + 1] = tostring(select(2, coroutine.resume(outer)))
        seen[#seen + 1] = tostring(select(2, pcall(coroutine.close, outer)))
      end)
      coroutine.resume(outer)
      seen[#seen + 1] = coroutine.status(outer)
      return seen
    ]],
    errors = [[
      local co = coroutine.create(function() error({ code = 7 }) end)
      local ok, err = coroutine.resume(co)
      return { ok, err.code, coroutine.status(co), (select(2, coroutine.resume(co))) }
    ]],
    wrap_generator = [[
      local function count(n) return coroutine.wrap(function() for i = 1, n do
        coroutine.yield(i) end end) end
      local sum = 0
      for i in count(10) do sum = sum + i end
      return sum
    ]],
    wrap_error = [[
      local f = coroutine.wrap(function() error("oops", 0) end)
      local ok, err = pcall(f)
      local ok2, err2 = pcall(f)
      return { ok, (err:gsub("^.*: ", "")), ok2, (err2:gsub("^.*: ", "")) }
    ]],
    wrap_error_object = [[
      return select(2, pcall(coroutine.wrap(function() error { 5 } end)))[1]
    ]],
    close = [[
      local log = {}
      local co = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
        coroutine.yield(1)
      end)
      coroutine.resume(co)
      log[#log + 1] = coroutine.close(co)
      log[#log + 1] = coroutine.status(co)
      local bad = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() error("in close", 0) end })
        coroutine.yield(1)
      end)
      coroutine.resume(bad)
      local ok, err = coroutine.close(bad)
      log[#log + 1] = ok
      log[#log + 1] = err
      log[#log + 1] = coroutine.close(coroutine.create(print))
      return log
    ]],
    wrap_close = [[
      local log = {}
      local f = coroutine.wrap(function()
        local x <close> = setmetatable({}, { __close = function(_,
          e) log[#log + 1] = "closed " .. e end })
        error("E", 0)
      end)
      log[#log + 1] = (select(2, pcall(f)):gsub("^.*: ", ""))
      return log
    ]],
    running = [[
      local co, main = coroutine.running()
      local inner = coroutine.wrap(function() return select(2, coroutine.running()),
        coroutine.isyieldable() end)
      return { type(co), main, { inner() } }
    ]],
    self_resume = [[
      local co
      co = coroutine.wrap(function() return pcall(co) end)
      local ok, inner_ok, err = pcall(co)
      return { ok, inner_ok, (err:gsub("^.*: ", "")) }
    ]],
    pcall_yield = [[
      local co = coroutine.wrap(function()
        local ok, v = pcall(function() return coroutine.yield(1) + 1 end)
        coroutine.yield(v)
        local ok2, e = pcall(function() coroutine.yield(2) error("x", 0) end)
        return e
      end)
      return { co(), co(5), co(), co() }
    ]],
    yield_many = [[
      local co = coroutine.wrap(function(...) return coroutine.yield(...) end)
      return { select("#", co(nil, nil, nil)), (co(7)) }
    ]],
    bad_arguments = [[
      local function message(f, ...) -- the word differs between releases of Lua 5.4
        return (select(2, pcall(f, ...)):gsub("^.*: ", ""):gsub("thread expected",
          "coroutine expected"))
      end
      return { message(coroutine.resume, 1), message(coroutine.create, 1), message(coroutine.wrap),
        message(coroutine.status),
        message(coroutine.close, {}) }
    ]],
    deep = [[
      local function nest(n) if n == 0 then return 0 end return 1 + coroutine.wrap(nest)(n - 1) end
      return nest(100)
    ]],
  }
  for name, code in pairs(cases) do
    it("behave as in the stock library: " .. name, function()
      assert.same(stock(code), in_job(code))
    end)
  end

  it("count as what runs in a program; the job itself is the main part", function()
    assert.same({ true, false, "attempt to yield from outside a coroutine" }, in_job [[
      local _, main = coroutine.running()
      return { main, coroutine.isyieldable(), (select(2, pcall(coroutine.yield))) }
    ]])
  end)
end)

describe("a wait", function()
  local vm, asked
  before_each(function()
    asked = {}
    vm = driver.new {
      host = {
        sleep = function(s) asked[#asked + 1] = s end,
        wait = function(q) asked[#asked + 1] = q.id end,
      },
      source = [[
        moil.task("nested", function()
          local function level(n)
            moil.sleep(n)
            if n == 1 then return 1 end
            return n + coroutine.wrap(level)(n - 1)
          end
          return level(20)
        end)
        moil.task("mixed", function()
          local co = coroutine.create(function()
            coroutine.yield("a")
            moil.sleep(1)
            coroutine.yield("b")
            local v = moil.result("other"):get()
            coroutine.yield(v)
            return "end"
          end)
          local seen = {}
          for i = 1, 5 do seen[i] = { coroutine.resume(co) } end
          return seen
        end)
        moil.task("iterator", function()
          local sum = 0
          for v in coroutine.wrap(function() for i = 1, 5 do moil.sleep(i)
            coroutine.yield(i) end end) do sum = sum + v end
          return sum
        end)
        moil.task("fails", function()
          local co = coroutine.create(function() moil.sleep(1) end)
          local ok, err = coroutine.resume(co)
          return { ok, err.code, coroutine.status(co) }
        end)
        shared = {}
        moil.task("make", function()
          shared.co = coroutine.create(function() moil.sleep(1) return "mine" end)
          shared.status = function() return coroutine.status(shared.co) end
          return select(2, coroutine.resume(shared.co))
        end)
        moil.task("steal", function()
          local ok, err = coroutine.resume(shared.co)
          local closed, why = pcall(coroutine.close, shared.co)
          return { ok, err, coroutine.status(shared.co), closed, why }
        end)
        moil.task("keep", function() shared.gen = coroutine.wrap(function()
          local n = 0 while true do n = n + 1
          coroutine.yield(n) moil.sleep(n) end end) return shared.gen() end)
        moil.task("use", function() return shared.gen() end)
      ]],
    }
  end)

  it("passes through twenty coroutines", function()
    local run = vm:start { task = "nested" }
    for n = 20, 1, -1 do
      assert.equal("waiting", run:resume())
      assert.equal(n, asked[#asked])
    end
    local kind, value = run:resume()
    assert.same({ "success", "210" }, { kind, value })
  end)

  it("leaves the coroutine's own yields alone, and brings the answer in", function()
    local run = vm:start { task = "mixed" }
    assert.equal("waiting", run:resume())
    assert.equal("waiting", run:resume())
    run:answer("SUCCESS", "42")
    local _, value = run:resume()
    assert.same({ { true, "a" }, { true, "b" }, { true, 42 }, { true, "end" }, { false,
      "cannot resume dead coroutine" } },
      support.json_decode(value))
    assert.same({ 1, "other" }, asked)
  end)

  it("works inside of an iterator", function()
    local run = vm:start { task = "iterator" }
    for _ = 1, 5 do assert.equal("waiting", run:resume()) end
    local _, value = run:resume()
    assert.equal("15", value)
  end)

  it("that fails raises inside of the coroutine", function()
    local run = vm:start { task = "fails" }
    run:resume()
    run:fail("RedisUnavailable", "gone")
    local _, value = run:resume()
    assert.same({ false, "RedisUnavailable", "dead" }, support.json_decode(value))
  end)

  it("of one job cannot be resumed or closed by another", function()
    local run = vm:start { task = "make" }
    assert.equal("waiting", run:resume())
    local _, value = driver.run(vm, "steal")
    assert.same({ false, "cannot resume non-suspended coroutine", "normal", false,
      "cannot close a normal coroutine" },
      value)
    local kind, mine = run:resume()
    assert.same({ "success", '"mine"' }, { kind, mine })
  end)

  it("belongs to the job that resumes the coroutine, not to the one that made it", function()
    assert.equal(1, select(2, driver.run(vm, "keep")))
    local run = vm:start { task = "use" }
    assert.equal("waiting", run:resume())
    local kind, value = run:resume()
    assert.same({ "success", "2" }, { kind, value })
  end)

  it("whose run is freed leaves its coroutines dead", function()
    local run = vm:start { task = "make" }
    run:resume()
    run:free()
    local _, value = driver.run(vm, "steal")
    assert.equal("cannot resume dead coroutine", value[2])
    assert.equal("dead", value[3])
  end)
end)

local support = require "spec.support"
local base = support.units.base

describe("log", function()
  local path, dir

  before_each(function()
    dir = support.tempdir()
    path = dir .. "/log"
    base.log_role(nil)
  end)

  local function open(level, format)
    assert.equal(0, base.log_open(path, level or "info", format or "text"))
  end

  local function lines()
    local list = {}
    for line in support.read(path):gmatch("([^\n]*)\n") do list[#list + 1] = line end
    return list
  end

  local STAMP <const> = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ "

  it("writes time, level, role and message", function()
    open()
    base.log("info", "started")
    base.log_role("worker 1")
    assert.is_true(base.log("warning", "slow"))
    local l = lines()
    assert.equal(2, #l)
    assert.matches(STAMP .. "info  started$", l[1])
    assert.matches(STAMP .. "warning worker 1  slow$", l[2])
  end)

  it("leaves out what is below its level", function()
    open("warning")
    base.log("info", "no")
    base.log("error", "yes")
    assert.equal(1, #lines())
  end)

  it("keeps an event on one line, whatever its text", function()
    open()
    base.log("info", "a\nb\tc\27[31md")
    assert.matches("a\\nb c\\x1b%[31md$", lines()[1])
  end)

  it("puts task, id and fields on a job's line", function()
    open()
    base.log_job("id-1", "math.div", "doing div",
      [[{"x":4,"y":"a b","z":"plain","o":{"k":[1,"},"]},"e":"","n":null}]])
    local line = lines()[1]
    assert.matches("doing div  task=math%.div id=id%-1 x=4 ", line)
    assert.matches([[ y="a b" z=plain o={"k":%[1,"},"%]} e="" n=null$]], line)
  end)

  it("copes with fields that are not what they should be", function()
    open()
    local odd = {
      "[1]", "{", '{"a', '{"a"', '{"a":', '{"a":"b', '{"a":1,', '{"a":{', "{}", ' { "a" : 1 } ',
      '{"a\\',
    }
    for _, fields in ipairs(odd) do
      base.log_job("i", "t", "m", fields)
    end
    local l = lines()
    assert.equal(11, #l)
    assert.matches("fields=%[1%]$", l[1])
    assert.matches("id=i$", l[9])
    assert.matches("id=i a=1$", l[10])
  end)

  it("writes JSON objects", function()
    open("debug", "json")
    base.log_role("agent")
    base.log("debug", 'say "hi"\n')
    base.log_job("id-1", "math.div", "doing\0div", '{"x":4}')
    local l = lines()
    local first, second = support.json_decode(l[1]), support.json_decode(l[2])
    assert.matches(STAMP:sub(1, -2) .. "$", first.time)
    first.time, second.time = nil, nil
    assert.same({ level = "debug", role = "agent", message = 'say "hi"\n' }, first)
    assert.same({
      level = "info",
      role = "agent",
      message = "doing\0div",
      task = "math.div",
      id = "id-1",
      fields = { x = 4 },
    }, second)
  end)

  it("is opened anew after its file was moved away", function()
    open()
    base.log("info", "one")
    assert(os.rename(path, path .. ".1"))
    base.log("info", "two")
    assert.equal(0, base.log_reopen())
    base.log("info", "three")
    assert.matches("three$", lines()[1])
    assert.matches("one\n.*two\n$", support.read(path .. ".1"))
  end)

  it("says how many lines a full disk has cost", function()
    path = "/dev/full"
    open()
    for _ = 1, 3 do base.log("info", "lost") end
    path = dir .. "/log"
    open()
    base.log("info", "back")
    local l = lines()
    assert.matches("warning 3 log lines could not be written and were dropped$", l[1])
    assert.matches("info  back$", l[2])
    assert.equal(2, #l)
  end)

  it("cannot be opened in a folder that is not there", function()
    assert.equal(-15, base.log_open(dir .. "/no/log", "info", "text"))
  end)

  it("hands lines to an embedding program", function()
    open()
    local line, level = base.log_to_sink("for you")
    assert.matches(STAMP .. "error for you$", line)
    assert.equal(3, level)
    assert.equal(0, #lines())
  end)

  teardown(function()
    base.log_role(nil)
    base.log_open("/dev/null", "info", "text")
  end)
end)

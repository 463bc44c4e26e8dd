-- beat_put.lua: a run-time beat entry, new or changed.

local world = require "spec.redis.world"

describe("beat_put", function()
  local w

  setup(function() w = world.new() end)
  teardown(function() w:stop() end)
  before_each(function() w:reset() end)

  local function put(name, text, expected, paused, since, anew, last)
    return w:eval("beat_put", name, text, expected or "*", paused or "-", since or "-", anew or 0,
      last or "-")
  end

  local function state(name)
    local last, runs, paused, id, first, version =
      (w:key("HGET", "ticks", name) or ""):match("^(%d+) (%d+) ([01]) (%S+) (%d+) (%S+) %S+$")
    return last and { last = tonumber(last), runs = tonumber(runs), paused = paused, id = id,
      first = tonumber(first), version = version }
  end

  it("adds an entry that runs from now on", function()
    local before = w:now_ms()
    assert.same({ "added", "1" }, put("my entry", '{"every":5}'))
    assert.equal('1 {"every":5}', w:key("HGET", "beat", "my entry"))
    local s = state("my entry")
    assert.is_true(s.last >= before and s.last <= w:now_ms() and s.first == s.last)
    assert.same({ 0, "0", "-", "1" }, { s.runs, s.paused, s.id, s.version })
  end)

  it("takes a beginning, and a pause", function()
    put("e", "{}", "*", 1, 1234)
    assert.same({ 1234, "1" }, { state("e").last, state("e").paused })
  end)

  it("begins now at the latest", function()
    put("e", "{}", "*", "-", w:now_ms() + 60000)
    assert.is_true(state("e").last <= w:now_ms())
  end)

  it("refuses what is not due from now on", function()
    assert.same({ "past", "0" }, put("e", "{}", "*", "-", "-", 0, w:now_ms()))
    assert.equal(0, w:key("EXISTS", "beat", "ticks", "beat_version"))
    assert.same({ "added", "1" }, put("e", "{}", "*", "-", "-", 0, w:now_ms() + 60000))
    assert.same({ "past", "1" }, put("e", '{"a":1}', "*", "-", "-", 0, w:now_ms()))
    assert.same({ "same", "1" }, put("e", "{}", "*", "-", "-", 0, w:now_ms()))
    assert.same({ "changed", "2" }, put("e", '{"a":1}', "*", "-", 500, 0, w:now_ms()))
  end)

  it("changes one, which keeps its runs and its pause, and goes on from now", function()
    put("e", "{}", "*", 1, 1000)
    w:key("HSET", "ticks", "e", "1000 7 1 job-7 900 1 -")
    local before = w:now_ms()
    assert.same({ "changed", "2" }, put("e", '{"a":1}'))
    local s = state("e")
    assert.is_true(s.last >= before)
    assert.same({ 7, "1", "job-7", 900, "2" }, { s.runs, s.paused, s.id, s.first, s.version })
    put("e", '{"a":2}', "*", 0)
    assert.equal("0", state("e").paused)
  end)

  it("counts its runs anew where that is wanted", function()
    put("e", "{}", "*", 1, 1000)
    w:key("HSET", "ticks", "e", "1000 7 1 job-7 900 1 -")
    put("e", '{"a":1}', "*", "-", 500, 1)
    assert.same({ 500, 0, "job-7" }, { state("e").last, state("e").runs, state("e").id })
  end)

  it("leaves what is so already", function()
    put("e", "{}", "*", "-", 1000)
    assert.same({ "same", "1" }, put("e", "{}", "", 0, 2000))
    assert.same({ "same", "1" }, put("e", "{}", "77"))
    assert.same({ 1000, "0" }, { state("e").last, state("e").paused })
    assert.equal("1", w:key("GET", "beat_version"))
    assert.same({ "same", "1" }, put("e", "{}", "*", 1))
    assert.same({ 1000, "1" }, { state("e").last, state("e").paused })
    assert.equal("2", w:key("GET", "beat_version"))
  end)

  it("refuses what is not as expected", function()
    assert.same({ "clash", "0" }, put("e", "{}", "1"))
    put("e", "{}")
    assert.same({ "clash", "1" }, put("e", '{"b":1}', ""))
    assert.same({ "clash", "1" }, put("e", '{"b":1}', "2"))
    assert.equal("1 {}", w:key("HGET", "beat", "e"))
    assert.same({ "changed", "2" }, put("e", '{"b":1}', "1"))
  end)

  it("takes the place of a file's entry, with a state of its own", function()
    w:key("HSET", "ticks", "e", "1000 7 1 job-7 900 - -")
    assert.equal("added", put("e", "{}")[1])
    local s = state("e")
    assert.same({ 0, "0", "-", "1" }, { s.runs, s.paused, s.id, s.version })
  end)

  it("tells an agent, with one token", function()
    put("e", "{}")
    assert.equal(1, w:key("LLEN", "tick"))
    put("f", "{}")
    assert.equal(1, w:key("LLEN", "tick"))
    assert.equal("2", w:key("GET", "beat_version"))
  end)

  it("takes 100,000 entries at most", function()
    local fields = {}
    for i = 1, 100000 do
      fields[#fields + 1] = "e" .. i
      fields[#fields + 1] = "1 {}"
      if #fields == 2000 then
        w:key("HSET", "beat", table.unpack(fields))
        fields = {}
      end
    end
    assert.same({ "full", "0" }, put("one more", "{}"))
    assert.equal("changed", put("e5", '{"a":1}')[1])
    w:eval("beat_remove", "e6")
    assert.equal("added", put("one more", "{}")[1])
  end)

  it("is refused by a full Redis", function()
    w:fill_memory()
    local reply, why = w:try("beat_put", "e", "{}", "*", "-", "-")
    w:free_memory()
    assert.is_nil(reply)
    assert.matches("^OOM ", why)
  end)
end)

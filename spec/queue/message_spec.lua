-- The records of the `jobs` hash and the notes of `running`: src/queue/message.c.

local support = require "spec.support"
local world = require "spec.redis.world"
local queue = support.units.queue

local EBADMSG <const> = -8

local JOB <const> = {
  queue = "q", task = "my.task", priority = 7, retries = 1, crashes = 2, losses = 3,
  enqueued_us = 1700000000000001, args = '[1,"x\0y\n"]', kwargs = '{"k":1}', extra = '{"e":2}',
}

local OUTCOME <const> = {
  state = "SUCCESS", queue = "q", task = "my.task", worker = "w-1", value = '"x\0\ny"',
    body = "J1 body\n",
  priority = 9, retries = 4, deliveries = 5, enqueued_us = 1, started_us = 2, finished_us = 3,
  expires_min = 4,
}

-- A copy with some fields changed.
local function with(base, changes)
  local copy = {}
  for k, v in pairs(base) do copy[k] = v end
  for k, v in pairs(changes) do copy[k] = v end
  return copy
end

-- Every text that a record with one header field replaced may have.
local function replace_field(record, position, value)
  local header, rest = record:match("^(.-)(\n.*)$")
  local fields = {}
  for field in header:gmatch("%S+") do fields[#fields + 1] = field end
  fields[position] = value
  return table.concat(fields, " ") .. rest
end

describe("a J record", function()
  it("is what docs/protocol.md says", function()
    assert.equal("J1 q 7 1 2 3 1700000000000001 my.task 10 7 7\n" .. '[1,"x\0y\n"]{"k":1}{"e":2}',
      queue.encode_message(JOB))
    assert.equal("J1 q 5 0 0 0 0 t 2 0 0\n[]", queue.encode_message { queue = "q", task = "t",
      priority = 5 })
  end)

  it("comes back as it went", function()
    assert.same(JOB, queue.decode_message(queue.encode_message(JOB)))
    local limits = with(JOB, {
      queue = ("q"):rep(200), task = ("t"):rep(200), priority = 0, retries = 4294967295,
      crashes = 4294967295, losses = 4294967295, enqueued_us = 999999999999999999, kwargs = "",
        extra = "",
    })
    assert.same(limits, queue.decode_message(queue.encode_message(limits)))
  end)

  it("is read where the specs' own writer made it", function()
    local job = queue.decode_message(world.record { args = "[[]]", extra = "{}" })
    assert.same({ "[[]]", "", "{}" }, { job.args, job.kwargs, job.extra })
  end)

  it("is refused at every length but its own, and the job is left untouched", function()
    local record = queue.encode_message(JOB)
    for n = 0, #record - 1 do
      local job, err, untouched = queue.decode_message(record:sub(1, n))
      assert.is_nil(job)
      assert.equal(EBADMSG, err)
      assert.is_true(untouched)
    end
    assert.is_nil((queue.decode_message(record .. "x")))
  end)

  it("is refused with a wrong field", function()
    local record = queue.encode_message(JOB)
    local wrong = {
      [1] = { "J2", "R1", "j1", "J1x" },
      [2] = { ("q"):rep(201) },
      [3] = { "10", "-1", "x", "5x" },
      [4] = { "4294967296", "-1", "", "1.0", "0x1" },
      [5] = { "99999999999999999999" },
      [6] = { "+1" },
      [7] = { "1000000000000000000", "-5" },
      [8] = { ("t"):rep(201) },
      [9] = { "9", "11", "2147483648", "999999999999999999" },
      [10] = { "6", "8", "-1" },
      [11] = { "6", "8", "x" },
    }
    for position, values in pairs(wrong) do
      for _, value in ipairs(values) do
        assert.is_nil((queue.decode_message(replace_field(record, position, value))),
          position .. "=" .. value)
      end
    end
    for _, text in ipairs { "", "J1", "J1 ", "J1 \n", record:gsub(" ", "  ", 1), record:gsub(" ",
      "\n", 1),
      record:gsub("\n", " \n", 1), (record:gsub(" 7\n", " 7", 1)) } do
      assert.is_nil((queue.decode_message(text)))
    end
  end)

  it("needs arguments", function()
    assert.is_nil((queue.decode_message("J1 q 5 0 0 0 0 t 0 0 0\n")))
    assert.is_nil((queue.decode_message("J1 q 5 0 0 0 0 t 1 0 0\n[")))
  end)

  it("gives its header alone", function()
    local record = queue.encode_message(JOB)
    local job = queue.decode_header(record:match("^.-\n"))
    assert.same(with(JOB, { args = nil, kwargs = nil, extra = nil }).task, job.task)
    assert.equal(JOB.enqueued_us, job.enqueued_us)
    assert.is_nil(job.args)
    for n = 0, #record:match("^.-\n") - 1 do assert.is_nil((queue.decode_header(record:sub(1,
      n)))) end
  end)
end)

describe("an R record", function()
  it("is what docs/protocol.md says", function()
    assert.equal('R1 SUCCESS q 9 4 5 1 2 3 4 w-1 my.task 6 8\n"x\0\ny"J1 body\n',
      queue.encode_outcome(OUTCOME))
    assert.equal("R1 REVOKED - 0 0 0 0 0 0 0 - - 2 0\n{}",
      queue.encode_outcome { state = "REVOKED", value = "{}" })
  end)

  it("comes back as it went", function()
    assert.same(OUTCOME, queue.decode_outcome(queue.encode_outcome(OUTCOME)))
    local bare = with(OUTCOME, { queue = "", task = "", worker = "", value = "", body = "" })
    assert.same(bare, queue.decode_outcome(queue.encode_outcome(bare)))
  end)

  it("is refused at every length but its own", function()
    local record = queue.encode_outcome(OUTCOME)
    for n = 0, #record - 1 do
      local o, err = queue.decode_outcome(record:sub(1, n))
      assert.is_nil(o)
      assert.equal(EBADMSG, err)
    end
    assert.is_nil((queue.decode_outcome(record .. "x")))
  end)

  it("is refused with a wrong field", function()
    local record = queue.encode_outcome(OUTCOME)
    for position, value in pairs { "J1", ("s"):rep(201), ("q"):rep(201), "10", "-1",
      "4294967296", "x", "-2", "1e3",
      "9".. ("0"):rep(18), ("w"):rep(201), ("t"):rep(201), "7", "2147483648" } do
      assert.is_nil((queue.decode_outcome(replace_field(record, position, value))),
        position .. "=" .. value)
    end
  end)

  it("is refused with a minute past all time, which its readers could not turn into seconds",
    function()
    local record = queue.encode_outcome(OUTCOME)
    assert.is_nil((queue.decode_outcome(replace_field(record, 10, "999999999999999999"))))
    assert.equal(100000000000, queue.decode_outcome(replace_field(record, 10,
      "100000000000")).expires_min)
  end)

  it("is told from other records by its first bytes", function()
    assert.is_true(queue.is_outcome("R1 x"))
    for _, text in ipairs { "", "R", "R1", "R1 ", "J1 x", "R2 x", "R1x " } do
      assert.is_false(queue.is_outcome(text))
    end
  end)
end)

describe("a note", function()
  it("is read", function()
    assert.same({ "PROGRESS", "w-1", 17, '{"n":1}\n' },
      { queue.decode_note("PROGRESS w-1 17\n{\"n\":1}\n") })
    assert.same({ "STARTED", "w-1", 17, "" }, { queue.decode_note("STARTED w-1 17\n") })
  end)

  it("is refused where it is none", function()
    for n = 0, #"S w 17" do assert.is_nil((queue.decode_note(("S w 17"):sub(1, n)))) end
    for _, text in ipairs { "\n", "S\n", "S w\n", "S w x\n", "S w 1 2\n", "S  w 1\n" } do
      assert.is_nil((queue.decode_note(text)))
    end
  end)
end)

-- Bytes of no meaning: nothing is read past their end (a sanitizer would see it), and what is
-- taken can be
-- written again.
describe("any bytes", function()
  local ALPHABET <const> = { "J1 ", "R1 ", " ", "\n", "0", "1", "9", "-", "q", "\0", "\255",
    "[]", "2147483647" }

  local function random_text(base)
    local parts = {}
    for i = 1, math.random(30) do parts[i] = ALPHABET[math.random(#ALPHABET)] end
    local noise = table.concat(parts)
    if math.random(2) == 1 then return noise end
    local from = math.random(#base)
    return base:sub(1, from) .. noise .. base:sub(from + math.random(0, 5))
  end

  it("are refused or mean themselves", function()
    math.randomseed(20260101)
    local message, outcome = queue.encode_message(JOB), queue.encode_outcome(OUTCOME)
    local taken = 0
    for _ = 1, 20000 do
      local text = random_text(math.random(2) == 1 and message or outcome)
      local job = queue.decode_message(text)
      if job then
        taken = taken + 1
        assert.same(job, queue.decode_message(queue.encode_message(job)))
      end
      local o = queue.decode_outcome(text)
      if o then
        taken = taken + 1
        assert.same(o, queue.decode_outcome(queue.encode_outcome(o)))
      end
      queue.decode_note(text)
      queue.decode_header(text)
    end
    assert.is_true(taken > 0)
  end)
end)

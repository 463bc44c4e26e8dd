local word = require("spec.support").units.super.word

-- What the supervisor says of a death: src/worker/word.c.

local INCARNATION <const> = "0d9c0e6a-0000-4000-8000-000000000000"

describe("the supervisor's word", function()
  it("of each way to die", function()
    for how, number in pairs { signal = 9, exit = 1, limit = 9, stop = 15 } do
      assert.same({ 3, INCARNATION, how, number, "job-1", 7 },
        { word(("dead 3 %s %s %d 7 job-1"):format(INCARNATION, how, number)) })
    end
    assert.equal("-", (select(5, word("dead 0 i signal 11 0 -"))))
    assert.equal(200, #select(5, word("dead 0 i signal 11 0 " .. ("x"):rep(200))))
  end)

  it("of a generation", function()
    assert.same({ 12 }, { word "generation 12" })
  end)

  it("of a change", function()
    assert.same({ "report" }, { word "report" })
    assert.same({}, { word "report 1" })
  end)

  it("on an order", function()
    assert.same({ INCARNATION, true, "3 workers" },
      { word(("answer %s ok 3 workers"):format(INCARNATION)) })
    assert.same({ "r", false, "a.lua:1: what" }, { word "answer r refused a.lua:1: what" })
    assert.same({}, { word "answer r" })
  end)

  it("that says something else is none", function()
    for _, line in ipairs {
      "generation", "generation 0", "generation -1", "generation x", "generation 1 2",
      "", "dead", "dead 0 i signal 9", "dead 0 i signal 9 -",
      "alive 0 i signal 9 0 -", "dead x i signal 9 0 -", "dead -1 i signal 9 0 -",
      "dead 0 i sleep 9 0 -", "dead 0 i signals 9 0 -", "dead 0 i signal 256 0 -",
      "dead 0 i exit -1 0 -", "dead 0 i exit 99999999999999999999 0 -",
      "dead 0 i signal 9 -1 -", "dead 0 " .. ("i"):rep(40) .. " exit 1 0 -",
    } do
      assert.same({}, { word(line) }, line)
    end
  end)
end)

-- How a worker does, from what its page says: src/worker/health.c.

local judge = require("spec.support").units.health.judge

local NOW <const> = 1000

-- {field = seconds ago} → level, reason
local function after(ages, on_cpu)
  local facts = { turned = NOW - (ages.turned or 0), on_cpu = on_cpu }
  for name, age in pairs(ages) do facts[name] = NOW - age end
  return judge(facts, NOW)
end

describe("a worker", function()
  it("is ok that waits for nothing, or not for long", function()
    assert.same({ "ok", "" }, { after {} })
    assert.same({ "ok", "" }, { after { unlinked = 2.9, hungry = 7.9, unsettled = 2.9,
      turned = 19.9 } })
    assert.same({ "ok", "" }, { judge({}, NOW) })
  end)

  it("is ok that idles: a blocking fetch takes 5 s, its loop may stand still for 10 s", function()
    assert.equal("ok", (after { hungry = 5.2, turned = 5.2 }))
    assert.equal("ok", (after { turned = 10.5 }))
  end)

  local cases = {
    { "unlinked", 3, 10, "no connection to Redis for %d s" },
    { "hungry", 8, 10, "no answer to a fetch of jobs for %d s" },
    { "unsettled", 3, 10, "results wait for Redis to take them for %d s" },
  }
  for _, case in ipairs(cases) do
    local what, late, stuck, why <const> = table.unpack(case)
    it("is degraded, then stuck: " .. what, function()
      assert.same({ "degraded", why:format(late) }, { after { [what] = late } })
      assert.same({ "degraded", why:format(stuck - 1) }, { after { [what] = stuck - 0.1 } })
      assert.same({ "stuck", why:format(stuck) }, { after { [what] = stuck } })
      assert.same({ "stuck", why:format(NOW - 1) }, { after { [what] = NOW - 1 } })
    end)
  end

  it("is stuck when its loop stands still for nothing; behind a job it is degraded", function()
    assert.same({ "stuck", "its loop stands still for 20 s" }, { after { turned = 20 } })
    assert.same({ "degraded", "its loop stands still behind a job for 300 s" },
      { after({ turned = 300 }, true) })
  end)

  it("is not blamed for what it could not read behind a job", function()
    assert.same({ "ok", "" }, { after({ turned = 15, hungry = 16, unsettled = 17 }, true) })
    assert.equal("degraded", (after({ turned = 300, hungry = 301 }, true)))
  end)

  it("is told the worst of its troubles", function()
    assert.same({ "stuck", "no answer to a fetch of jobs for 12 s" },
      { after { unlinked = 4, hungry = 12, unsettled = 5 } })
  end)
end)

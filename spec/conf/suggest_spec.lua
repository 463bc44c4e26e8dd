local conf = require("spec.support").units.conf

describe("moil_nearest_name", function()
  local known = { "concurrency", "workers", "queue", "queues", "wait", "id" }

  it("finds the name that was meant", function()
    for wrong, right in pairs {
      concurency = "concurrency", cuncurrancy = "concurrency", workres = "workers",
      quueu = "queue", ["wait"] = "wait", wiat = "wait",
    } do
      assert.equal(right, conf.nearest(wrong, known))
    end
  end)

  it("prefers the nearest, and the first of equals", function()
    assert.equal("queue", conf.nearest("queu", { "queues", "queue" }))
    assert.equal("cat", conf.nearest("cot", { "cat", "cut" }))
  end)

  it("is silent when nothing is near", function()
    for _, wrong in ipairs { "", "x", "zzzz", "banana", ("w"):rep(1000) } do
      assert.is_nil(conf.nearest(wrong, known), wrong)
    end
    assert.is_nil(conf.nearest("wait", {}))
  end)
end)

local conf = require("spec.support").units.conf

describe("moil_route_find", function()
  local config = [[{"routes":{"*":"rest","img.*":"images","img.big.*":"big",
    "img.big.logo":"logos","*.send":"mail","a*b*c":"abc"}}]]

  it("prefers the full name, then the longest pattern", function()
    for task, queue in pairs {
      ["img.big.logo"] = "logos", ["img.big.x"] = "big", ["img.small"] = "images",
        ["img."] = "images",
      ["sms.send"] = "mail", ["img"] = "rest", ["x"] = "rest", ["abc"] = "abc", ["a.b.b.c"] = "abc",
        ["acb"] = "rest",
    } do
      assert.equal(queue, conf.route(config, task), task)
    end
  end)

  it("takes everything but the star literally", function()
    assert.equal("q", conf.route('{"routes":{"a.b":"q"}}', "a.b"))
    assert.is_nil(conf.route('{"routes":{"a.b":"q"}}', "axb"))
    assert.is_nil(conf.route('{"routes":{"a?":"q","[a]b":"q"}}', "ab"))
  end)

  it("says nothing where no route fits", function()
    assert.is_nil(conf.route('{"routes":{"img.*":"images"}}', "mail"))
    assert.is_nil(conf.route('{"task_defaults":{}}', "mail"))
    assert.is_nil(conf.route("{}", "mail"))
    assert.is_nil(conf.route(nil, "mail"))
  end)

  it("ends in time on hostile patterns", function()
    local pattern = ("*a"):rep(90)
    assert.is_nil(conf.route('{"routes":{"' .. pattern .. '":"q"}}', ("a"):rep(199) .. "b"))
  end)
end)

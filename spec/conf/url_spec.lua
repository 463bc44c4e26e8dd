local conf = require("spec.support").units.conf

local function parse(text)
  local url, message = conf.url_parse(text)
  return assert(url, message)
end

local function refused(text)
  local url, message = conf.url_parse(text)
  assert.is_nil(url, text)
  assert.is_nil(message:find("%c"), "one line")
  return message
end

describe("moil_url_parse", function()
  it("reads every part", function()
    local url = parse("redis://ann:s%40cr%2Fet@cache.example.org:7000/3")
    assert.same({ "tcp", "cache.example.org", 7000, 3, "ann", "s@cr/et" },
      { url.kind, url.host, url.port, url.db, url.user, url.password })
  end)

  it("fills in what is left out", function()
    for _, text in ipairs { "redis://", "redis:///", "redis://127.0.0.1", "REDIS://127.0.0.1/" } do
      local url = parse(text)
      assert.same({ "tcp", "127.0.0.1", 6379, 0, "", "" },
        { url.kind, url.host, url.port, url.db, url.user, url.password }, text)
    end
  end)

  it("takes a password without a user, and a user without a password", function()
    assert.equal("pw", parse("redis://:pw@h").password)
    assert.equal("", parse("redis://:pw@h").user)
    assert.equal("ann", parse("redis://ann@h").user)
  end)

  it("splits at the last @, so that one in the password is understood", function()
    assert.equal("a@b", parse("redis://:a@b@h").password)
  end)

  it("knows TLS, unix sockets and the embedded server", function()
    assert.equal("tls", parse("rediss://h:1").kind)
    local unix = parse("unix:///run/my%20redis.sock?db=4")
    assert.same({ "unix", "/run/my redis.sock", 4 }, { unix.kind, unix.path, unix.db })
    assert.equal("pw", parse("unix://:pw@/run/redis.sock").password)
    assert.equal(".moil", parse("embedded").path)
    assert.equal("/srv/queue", parse("embedded:/srv/queue/").path)
    assert.equal("data", parse("embedded:data").path)
  end)

  it("takes IPv6 in brackets", function()
    local url = parse("redis://[2001:db8::1]:7000/1")
    assert.same({ "2001:db8::1", 7000, 1 }, { url.host, url.port, url.db })
    assert.equal("fe80::1%eth0", parse("redis://[fe80::1%25eth0]").host)
    assert.matches("brackets", refused("redis://::1:6379"))
    assert.matches("IPv6", refused("redis://[::1"))
    assert.matches("IPv6", refused("redis://[localhost]:1"))
    assert.matches("port", refused("redis://[::1]6379"))
  end)

  it("says what is wrong", function()
    for text, pattern in pairs {
      [""] = "a Redis URL is redis://",
      ["localhost:6379"] = "a Redis URL is redis://",
      ["http://h"] = "a Redis URL is redis://",
      ["embeddedx"] = "a Redis URL is redis://",
      ["redis://h:0"] = "1 to 65535",
      ["redis://h:65536"] = "1 to 65535",
      ["redis://h:"] = "1 to 65535",
      ["redis://h:x"] = "1 to 65535",
      ["redis://h:99999999999999999999"] = "1 to 65535",
      ["redis://h/x"] = "number of a database",
      ["redis://h/-1"] = "number of a database",
      ["redis://h/99999999999"] = "number of a database",
      ["redis://h o"] = "host",
      ["redis://h\n"] = "control character",
      ["redis://h?x=1"] = "one parameter",
      ["redis://h?db=x"] = "number from 0",
      ["redis://h#1"] = "fragment",
      ["redis://:%zz@h"] = "password .* bad %%XX",
      ["redis://:%2@h"] = "password .* bad %%XX",
      ["redis://:%00@h"] = "password .* bad %%XX",
      ["unix://run/redis.sock"] = "three slashes",
      ["unix://"] = "socket's path",
      ["embedded:"] = "embedded:DIR",
      ["embedded://x"] = "embedded:DIR",
    } do
      assert.matches(pattern, refused(text), 1, false, text)
    end
  end)

  it("keeps its bounds", function()
    assert.matches("2048", refused("redis://" .. ("h"):rep(2048)))
    assert.equal(255, #parse("redis://" .. ("h"):rep(255)).host)
    refused("redis://" .. ("h"):rep(256))
    assert.equal(511, #parse("redis://:" .. ("p"):rep(511) .. "@h").password)
    refused("redis://:" .. ("p"):rep(512) .. "@h")
    assert.equal(107, #parse("unix:///" .. ("s"):rep(106)).path)
    -- Where a password ends is anybody's guess in here, so nothing is quoted.
    assert.equal("the host in the Redis URL is no IPv6 address",
      refused("redis://u@[fe82:hush]:://u@h"))
    assert.matches("at most 107", refused("unix:///" .. ("s"):rep(107)))
  end)

  it("never shows the password", function()
    for _, text in ipairs {
      "redis://user:hush/now@h", "redis://user:hush#@h", "redis://user:hush?@h:x",
      "redis://user:hush@h:x", "redis://user:hush@h/x", "redis://user:hush%zz@h",
      "unix://user:hush/x@/run/s", "redi://user:hush@h", "redis://user:hush@[::x]",
      "redis://user:hush\1@h", "redis://user:hush[@h:x",
    } do
      assert.is_nil(refused(text):find("hush", 1, true), text)
    end
  end)

  it("survives any bytes", function()
    math.randomseed(7)
    local alphabet = "redis://unix:embedded@[]%?#/=&db0123456789abf.-_~\1\127\200 "
    for _ = 1, 20000 do
      local bytes = {}
      for i = 1, math.random(0, 40) do
        local at = math.random(#alphabet)
        bytes[i] = alphabet:sub(at, at)
      end
      local prefix = ({ "", "redis://", "unix://", "rediss://", "embedded" })[math.random(5)]
      local url = conf.url_parse(prefix .. table.concat(bytes))
      if url then
        local again = parse((url.shown:gsub("%*%*%*", "x")))
        assert.same({ url.kind, url.host, url.port, url.db, url.path, url.user },
          { again.kind, again.host, again.port, again.db, again.path, again.user })
      end
    end
  end)
end)

describe("moil_url_redact", function()
  it("shows everything but the password", function()
    for text, shown in pairs {
      ["redis://ann:hush@h/2"] = "redis://ann:***@h:6379/2",
      ["redis://:hush@[::1]"] = "redis://:***@[::1]:6379/0",
      ["rediss://a%40b@h:1"] = "rediss://a%40b@h:1/0",
      ["unix://:hush@/run/r.sock?db=1"] = "unix://:***@/run/r.sock?db=1",
      ["unix:///run/r.sock"] = "unix:///run/r.sock",
      ["embedded"] = "embedded:.moil",
    } do
      assert.equal(shown, parse(text).shown)
    end
  end)

  it("cuts where the room ends", function()
    for len = 1, 30 do
      local shown = conf.url_redact("redis://ann:hush@host/2", len)
      assert.equal(("redis://ann:***@host:6379/2"):sub(1, len - 1), shown)
    end
  end)
end)

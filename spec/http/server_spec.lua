-- What the HTTP server makes of clients that mean it no good: src/http/server.c, behind a node's
-- --http. What is served is worker/http_spec.lua's.

local http = require "spec.support.http"
local site = require "spec.support.site"
local support = require "spec.support"

local BY <const> = 60 -- seconds

describe("the HTTP server", function()
  local here, port

  setup(function()
    here = site.open { tasks = "", args = { "-w", "1", "--http", ":0" } }
    port = http.port_of(here.node)
  end)
  teardown(function() here.node:stop(BY) end)

  it("refuses a request that is too long", function()
    local long = ("GET /healthz HTTP/1.1\r\nHost: h\r\nX-Long: %s\r\n\r\n"):format(("x"):rep(40000))
    local answer = http.send(port, long)
    assert.is_true(answer == "" or answer:find("^HTTP/1%.1 4%d%d ") ~= nil, answer)
    answer = http.send(port, "GET /" .. ("y"):rep(40000) .. " HTTP/1.1\r\nHost: h\r\n\r\n")
    assert.is_true(answer == "" or answer:find("^HTTP/1%.1 4%d%d ") ~= nil, answer)
    assert.equal(200, (http.get(port, "/healthz")))
  end)

  it("ends connections that are slow or talk nonsense, and serves others beside them", function()
    local began, slow = support.now(), {}
    local nonsense = assert(support.native.connect(port))
    assert(support.native.write(nonsense, "\0\1\2 nonsense\r\n\r\n\r\n"))
    for i = 1, 62 do -- one less than there is room for
      slow[i] = assert(support.native.connect(port))
      assert(support.native.write(slow[i], "GET /healthz HTTP/1.1\r\nX-Slow: "))
    end
    assert.equal(200, (http.get(port, "/healthz")))
    for i = 1, 62 do assert.is_string(http.read(slow[i], BY)) end
    local answer = http.read(nonsense, BY)
    assert.is_true(answer == "" or answer:find("^HTTP/1%.%d 4%d%d ") ~= nil, answer)
    assert.is_true(support.now() - began >= 8)
  end)

  it("serves those who wait for room when others had their time", function()
    local held = {}
    for i = 1, 70 do held[i] = assert(support.native.connect(port)) end
    assert.equal(200, (http.get(port, "/healthz"))) -- in the listener's queue until then
    for i = 1, 64 do assert.is_string(http.read(held[i], BY)) end
    for i = 65, 70 do support.native.close(held[i]) end -- their time has just begun
  end)
end)

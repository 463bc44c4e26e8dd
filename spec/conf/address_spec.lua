-- Where a server listens: src/conf/address.c.

local address = require("spec.support").units.conf.address

describe("an address", function()
  it("is a host and a port", function()
    assert.same({ "0.0.0.0", "9100" }, { address "0.0.0.0:9100" })
    assert.same({ "worker-1.example_x.org", "0" }, { address "worker-1.example_x.org:0" })
    assert.same({ "localhost", "80" }, { address "localhost:00080" })
  end)

  it("without a host is this machine's own", function()
    assert.same({ "127.0.0.1", "9100" }, { address ":9100" })
    assert.same({ "127.0.0.1", "65535" }, { address "65535" })
  end)

  it("of version 6 stands in brackets", function()
    assert.same({ "::1", "9100" }, { address "[::1]:9100" })
    assert.same({ "fe80::1%eth0", "1" }, { address "[fe80::1%eth0]:1" })
    assert.is_nil(address "::1:9100")
    assert.is_nil(address "[::1]")
    assert.is_nil(address "[]:9100")
    assert.is_nil(address "[::1:9100")
  end)

  it("is refused where it is none", function()
    for _, text in ipairs { "", ":", "host", "host:", "host:http", "host:-1", "host:65536",
      "host:999999", "a b:1", "*:1", "http://host:1", "host:1/metrics", "host:1:2", "h\n:1",
      ("h"):rep(256) .. ":1" } do
      assert.is_nil(address(text), text)
    end
  end)
end)

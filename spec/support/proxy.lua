-- A TCP proxy before a private Redis, with a network's faults (spec/support/proxy_probe.c).
--
--   local proxy = require("spec.support.proxy").start(redis)
--   site.open { redis = redis, url = proxy.url, … }
--   proxy:order("blackhole")
--   assert.equal(1, proxy:order("drop", "BLPOP"))

local support = require "spec.support"

local proxy = {}
proxy.__index = proxy

---@param redis table of support.redis
---@return table proxy with url
function proxy.start(redis)
  local self = setmetatable({}, proxy)
  local path = support.tempdir() .. "/control"
  self.process = support.spawn { support.build .. "/spec/proxy_probe", redis.path, path }
  local port = self.process:read_until("port (%d+)", 10, "stdout")
  self.port = math.tointeger(tonumber(port))
  self.url = ("redis://127.0.0.1:%d"):format(self.port)
  self.control = assert(support.native.redis_connect(10, path))
  return self
end

-- One command → a count.
function proxy:order(...)
  local answer, err = self.control:call(...)
  if not answer then error(err, 2) end
  return answer
end

return proxy

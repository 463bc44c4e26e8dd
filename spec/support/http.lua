-- HTTP to a port of this machine: one request a connection, and Prometheus's text as a table.
--
--   local status, body, headers = http.get(port, "/metrics")
--   local metrics = http.metrics(port)
--   assert.equal(3, metrics['moil_jobs_total{task="add",state="succeeded"}'])

local support = require "spec.support"
local native <const> = support.native

local http = {}

local PATIENCE <const> = 60 -- seconds

-- All that comes on a connection until its end; nil when it does not end in time.
function http.read(fd, seconds)
  local parts, deadline = {}, native.now() + (seconds or PATIENCE)
  while native.poll({ fd }, math.max(deadline - native.now(), 0)) > 0 do
    local bytes = native.read(fd)
    if not bytes or bytes == "" then
      native.close(fd)
      return table.concat(parts)
    end
    parts[#parts + 1] = bytes
  end
  native.close(fd)
  return nil
end

-- Sends these bytes, and returns all that comes back.
function http.send(port, bytes, seconds)
  local fd = assert(native.connect(port))
  assert(native.write(fd, bytes))
  return http.read(fd, seconds)
end

---@return integer status
---@return string body
---@return table<string, string> headers their names in lower case
function http.request(port, method, path)
  local text = http.send(port, ("%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(method, path))
  assert(text, "no answer to " .. method .. " " .. path)
  local status, head, body = text:match("^HTTP/1%.1 (%d+) [^\r]*\r\n(.-)\r\n\r\n(.*)$")
  assert(status, "no answer that is HTTP: " .. text:sub(1, 200))
  local headers = {}
  for name, value in (head .. "\r\n"):gmatch("([^:\r\n]+): *([^\r]*)\r\n") do
    headers[name:lower()] = value
  end
  return math.tointeger(status), body, headers
end

function http.get(port, path) return http.request(port, "GET", path) end

-- Samples by name with labels, as the page writes them.
function http.metrics(port)
  local status, body = http.get(port, "/metrics")
  assert(status == 200, body)
  local samples = {}
  for line in body:gmatch("[^\n]+") do
    if line:sub(1, 1) ~= "#" then
      local name, value = line:match("^(.*) (%S+)$")
      assert(samples[name] == nil, "twice: " .. line)
      samples[name] = assert(tonumber(value), line)
    end
  end
  return samples, body
end

-- The port that a node serves at, from its log.
function http.port_of(node)
  local port
  support.wait_until(function()
    port = node:stderr():match("serving health and metrics at http://%S+:(%d+)\n")
    return port
  end, PATIENCE, function() return "a port in the log: " .. node:stderr() end)
  return math.tointeger(port)
end

return http

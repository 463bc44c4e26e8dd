-- What the specs of src/net/link.c and of what stands on it share: a link whose loop runs only
-- while one waits.
--
--   local l = driver.new(redis.url)
--   l:start()
--   l:until_kind("up")
--   assert.equal("PONG", l:ask("PING").reply)

local support = require "spec.support"
local units = support.units.link
units.setup()

local driver = {}
driver.__index = driver

---@param url string
---@param namespace? string
function driver.new(url, namespace)
  return setmetatable({ raw = units.new(url, namespace), events = {}, tags = 0 }, driver)
end

-- A link that is up.
function driver.up(url, namespace)
  local l = driver.new(url, namespace)
  l:start()
  l:until_kind("up")
  return l
end

function driver:start() self.raw:start() end
function driver:stop() self.raw:stop() end
function driver:free() self.raw:free() end
function driver:state() return self.raw:state() end
function driver:error() return self.raw:error() end

function driver:pump(seconds)
  self.raw:turn(seconds)
  for _, event in ipairs(self.raw:take()) do table.insert(self.events, event) end
end

-- Runs the loop until an event fits, which is taken out and returned; fails after `seconds` (5).
function driver:until_event(fits, seconds, what)
  local deadline <const> = support.now() + (seconds or 5)
  while true do
    for i, event in ipairs(self.events) do
      if fits(event) then return table.remove(self.events, i) end
    end
    if support.now() >= deadline then
      error(("waited in vain for %s; the link is %s: %s"):format(what, self:state(),
        (self:error())), 2)
    end
    self:pump(0.05)
  end
end

function driver:until_kind(kind, seconds)
  return self:until_event(function(event) return event.kind == kind end, seconds, kind)
end

function driver:until_tag(tag, seconds)
  return self:until_event(function(event) return event.tag == tag end, seconds, "call " .. tag)
end

-- Sends one command → its tag, or nil and a code.
function driver:send(timeout_ms, ...)
  self.tags = self.tags + 1
  local err = self.raw:call(self.tags, timeout_ms, ...)
  if err ~= 0 then return nil, err end
  return self.tags
end

function driver:send_eval(name, ...)
  self.tags = self.tags + 1
  local err = self.raw:eval(self.tags, name, ...)
  if err ~= 0 then return nil, err end
  return self.tags
end

-- One command and its event.
function driver:ask(...) return self:until_tag(assert(self:send(5000, ...))) end

function driver:eval(name, ...) return self:until_tag(assert(self:send_eval(name, ...))) end

-- Enqueues through the broker and waits for the one callback.
function driver:enqueue(subs)
  self.tags = self.tags + 1
  local err = self.raw:enqueue(self.tags, subs)
  if err ~= 0 then return nil, err end
  return self:until_tag(self.tags)
end

-- Events of a kind that came and were not taken yet.
function driver:count(kind)
  local n = 0
  for _, event in ipairs(self.events) do
    if event.kind == kind then n = n + 1 end
  end
  return n
end

return driver

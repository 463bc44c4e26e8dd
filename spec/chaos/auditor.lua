-- Runs `moil inspect audit` again and again while all is broken: the counters and the structures
-- must agree at every moment, not only in the end.

local support = require "spec.support"

local auditor = {}
auditor.__index = auditor

local EVERY_S <const> = 0.5 -- from the end of one to the start of the next
local DIFFERS <const>, NO_REDIS <const> = 6, 3

---@param redis table of support.redis
function auditor.new(redis)
  return setmetatable({ redis = redis, due = 0, passed = 0, faults = {} }, auditor)
end

function auditor:take(process, code, signal)
  if code == 0 then
    self.passed = self.passed + 1
  elseif code == DIFFERS then
    self.faults[#self.faults + 1] = "the audit differs: " .. process:stdout() .. process:stderr()
  elseif code ~= NO_REDIS then
    self.faults[#self.faults + 1] = ("the audit ended with %s: %s"):format(
      code or "signal " .. signal, process:stderr())
  end
end

---To be called often: starts one, or looks whether it has ended.
function auditor:turn()
  local process = self.process
  if process and not process:alive() then
    self.process = nil
    self.due = support.now() + EVERY_S
    self:take(process, process.code, process.signal)
  elseif not process and support.now() >= self.due then
    self.process = support.start_moil { "inspect", "audit", redis = self.redis }
  end
end

---One more, which must succeed now that all is healed; all faults found so far.
---@param seconds number
---@return string[] faults
function auditor:finish(seconds)
  if self.process then self:take(self.process, self.process:wait(seconds)) end
  local last = support.moil { "inspect", "audit", redis = self.redis, timeout = seconds }
  if last.code ~= 0 then
    self.faults[#self.faults + 1] = ("the last audit ended with %d: %s%s"):format(last.code,
      last.stdout, last.stderr)
  end
  return self.faults
end

return auditor

-- What a spec wants to go wrong, and at which run of a task. For moil.testing alone.

local faults = {}
faults.__index = faults

---@return table
function faults.new()
  return setmetatable({ wanted = {}, runs = {} }, faults)
end

---@param task string
---@param nth integer|integer[]|"always" counted from the first run of the task in this world
---@param fault { kind: string }
function faults:add(task, nth, fault)
  local list = self.wanted[task] or {}
  self.wanted[task] = list
  if type(nth) ~= "table" then nth = { nth } end
  for _, n in ipairs(nth) do
    if n ~= "always" and not (math.type(n) == "integer" and n >= 1) then
      error("which run of " .. task .. ": a whole number from 1, a list of them, or \"always\"", 4)
    end
    list[n] = fault
  end
end

---The next run of the task begins: what goes wrong with it, if anything.
---@param task string
---@return table?
function faults:at(task)
  local n = (self.runs[task] or 0) + 1
  self.runs[task] = n
  local list = self.wanted[task]
  return list and (list[n] or list.always)
end

return faults

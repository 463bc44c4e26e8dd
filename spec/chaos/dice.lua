-- Draws that a seed decides: the same on every machine and version of Lua (splitmix64). Pure.

local dice = {}
dice.__index = dice

-- A number of 64 bits from any text, for the salt.
local function number_of(text)
  local n = 0xcbf29ce484222325
  for i = 1, #text do n = (n ~ text:byte(i)) * 1099511628211 end
  return n
end

---@param seed integer
---@param salt? string draws of different salts have nothing to do with each other
function dice.new(seed, salt)
  return setmetatable({ state = seed ~ number_of(salt or "") }, dice)
end

function dice:bits()
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

---@return number from 0 to below 1
function dice:number()
  return (self:bits() >> 11) / 0x1p53
end

---@return integer from `low` to `high`, both possible
function dice:int(low, high)
  return low + math.floor(self:number() * (high - low + 1))
end

---@return number from `low` to below `high`
function dice:between(low, high)
  return low + self:number() * (high - low)
end

function dice:chance(share)
  return self:number() < share
end

---@param rows { weight: number }[]
---@return table row
function dice:weighted(rows)
  local total = 0
  for _, row in ipairs(rows) do total = total + row.weight end
  local at = self:number() * total
  for _, row in ipairs(rows) do
    at = at - row.weight
    if at < 0 then return row end
  end
  return rows[#rows]
end

return dice

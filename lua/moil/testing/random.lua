-- Numbers of chance that are the same for a seed wherever they are asked for, whatever else uses
-- math.random. For moil.testing alone.

local random = {}

-- splitmix64
local function next_bits(state)
  state.x = state.x + 0x9E3779B97F4A7C15
  local z = state.x
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

---A function that answers as math.random does.
---@param seed integer
---@return fun(m?: integer, n?: integer): number
function random.new(seed)
  local state = { x = seed }
  return function(m, n)
    local bits = next_bits(state)
    if m == nil then return (bits >> 11) * (0.5 ^ 53) end
    if n == nil then
      if m == 0 then return bits end
      m, n = 1, m
    end
    if m > n then error("bad argument #1 to 'random' (interval is empty)", 2) end
    return m + math.tointeger((bits >> 1) % (n - m + 1))
  end
end

---A random id, as ids are.
---@param next fun(m?: integer, n?: integer): number
---@return string
function random.id(next)
  local a, b = next(0), next(0)
  return ("%08x-%04x-4%03x-%04x-%012x"):format(a >> 32, (a >> 16) & 0xffff, a & 0xfff,
    (b >> 48) & 0x3fff | 0x8000, b & 0xffffffffffff)
end

return random

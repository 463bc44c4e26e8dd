-- Arithmetic: small tasks to try things out with, and what the tutorial calls.
--
--   moil call math.add 4 4 --wait

local moil = require "moil"

local function check_number(task, position, value)
  if type(value) ~= "number" then
    error({
      code = "BadArgument",
      message = ("%s: argument %d must be a number, not %s"):format(task, position, type(value)),
    }, 0)
  end
end

---Registers a task of two numbers.
---@param name string
---@param fn fun(x: number, y: number): number
local function binary(name, fn)
  moil.task(name, function(x, y)
    check_number(name, 1, x)
    check_number(name, 2, y)
    return fn(x, y)
  end)
end

binary("math.add", function(x, y) return x + y end)
binary("math.sub", function(x, y) return x - y end)
binary("math.mul", function(x, y) return x * y end)

-- 1 / 0 is infinity in Lua, and JSON has no infinity.
binary("math.div", function(x, y)
  if y == 0 then error({ code = "DivisionByZero", message = "division by zero" }, 0) end
  return x / y
end)

---The sum of a list; 0 for an empty one.
---@param list number[]
---@return number
---  moil call math.sum '[1, 2, 3]' --wait
moil.task("math.sum", function(list)
  if type(list) ~= "table" then
    error({ code = "BadArgument", message = "math.sum: takes one list of numbers" }, 0)
  end
  local sum = 0
  for i, value in ipairs(list) do
    check_number("math.sum", i, value)
    sum = sum + value
  end
  return sum
end)

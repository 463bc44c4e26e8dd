-- lua/moil in a plain Lua program: `moil.core` of this very state, with a host whose answers the
-- spec gives.

local support = require "spec.support"

local driver = { asked = {}, answers = {} }

local host = setmetatable({}, { __index = function(_, name)
  return function(question)
    driver.asked[#driver.asked + 1] = { name, question }
    local answer = driver.answers[name]
    if type(answer) == "function" then return answer(question) end
    return answer or {}
  end
end })

---Opens the library anew, with nothing registered.
---@return table moil
function driver.open()
  driver.asked, driver.answers = {}, {}
  for name in pairs(package.loaded) do
    if name == "moil" or name:find "^moil%." then package.loaded[name] = nil end
  end
  support.units.vm.setup()
  package.loaded["moil.core"] = support.units.vm.core { host = host }
  package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;"):format(support.root,
    support.root) .. package.path
  return require "moil"
end

---The error that a function raises.
---@return table
function driver.error_of(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error")
  return err
end

return driver

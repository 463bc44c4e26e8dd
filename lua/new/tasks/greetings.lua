-- The first tasks. Every *.lua in this folder and below is loaded by `moil worker` and `moil dev`.

local moil = require "moil"

local hello = moil.task("greet.hello", function(name)
  if type(name) ~= "string" or name == "" then
    error { code = "BadName", message = "greet.hello: takes a name" }
  end
  return "hello, " .. name
end)

-- `bind` gives the function `self`, the job: its id, its attempts, its log.
moil.task("greet.all", {
  bind = true,
  retry = moil.retry.exponential { max = 5, base = 1, cap = 60 },
}, function(self, names)
  local calls = {}
  for i, name in ipairs(names) do calls[i] = hello:s(name) end
  self.log.info("greeting", { count = #calls })
  return moil.group(calls):delay():join { timeout = 30 }
end)

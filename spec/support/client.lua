-- The C client of moil.h, driven from a spec: a process of client_probe.c that does as it is told.
--
--   local c = client(redis.url)
--   local status, sentence, given = c("revoke", id)

local support = require "spec.support"

-- One client: c(command, word…) → status, sentence, what it gave, progress.
return function(url, ...)
  local process = support.spawn({ support.build .. "/spec/client_probe", url, ... },
    { stdin = "pipe", stdout = "pipe" })
  local self = {}
  function self.ask(...)
    process:write(table.concat({ ... }, "\t") .. "\n")
  end
  function self.answer(seconds)
    local progress = {}
    while true do
      local line = process:read_until("^([^\n]*)\n", seconds or 20, "stdout")
      local state, meta = line:match("^progress\t(%S+)\t(.*)$")
      if not state then
        local status, sentence, given = line:match("^(%-?%d+)\t([^\t]*)\t(.*)$")
        return math.tointeger(status), sentence, given, progress
      end
      progress[#progress + 1] = state .. " " .. meta
    end
  end
  function self.close()
    process:close_stdin()
    return process:wait(10)
  end
  return setmetatable(self, { __call = function(_, ...)
    self.ask(...)
    return self.answer()
  end })
end

-- What the specs of src/beat compare with: Python's croniter, zoneinfo and ephem (oracle.py), and
-- random cases whose seed is fixed, or that of MOIL_SPEC_SEED.
--
--   local compares = oracle.tests(it, pending)
--   compares("agrees with croniter", function()
--     local answers = oracle.ask { { "cron", "0 12 * * *", 1, 0, 3 } }
--
-- Without the oracle such a test fails where CI or MOIL_CI is set, and is pending elsewhere.

local support = require "spec.support"

local oracle = {}

-- Debian's own, as its packages are what `make deps` installs; another first in PATH lacks them.
local PYTHON <const> = os.getenv("MOIL_SPEC_PYTHON") or "/usr/bin/python3"
-- A sanitizer that is preloaded would find fault with Python.
local RUN <const> = "env -u LD_PRELOAD " .. PYTHON

oracle.seed = math.tointeger(tonumber(os.getenv("MOIL_SPEC_SEED"))) or 20261121

local function is_there()
  return os.execute(RUN .. " -c 'import croniter, ephem, zoneinfo' >/dev/null 2>&1") == true
end

---What declares a test that needs the oracle.
---@param it fun(name: string, fn: fun())      busted's, as are the two of them
---@param pending fun(name: string)
---@return fun(name: string, fn: fun())
function oracle.tests(it, pending)
  local there = is_there()
  local wanted = "there is no oracle: `make deps` installs python3-croniter and python3-ephem"
  return function(name, fn)
    if there then
      it(name, fn)
    elseif os.getenv("CI") or os.getenv("MOIL_CI") then
      it(name, function() error(wanted) end)
    else
      pending(name .. ": " .. wanted)
    end
  end
end

---The oracle's answers, one a question.
---@param questions table[]  each a list of fields, see oracle.py
---@return string[]
function oracle.ask(questions)
  local lines = {}
  for i, question in ipairs(questions) do
    lines[i] = table.concat(question, "\t")
  end
  local path = support.write(support.tempdir() .. "/questions", table.concat(lines, "\n") .. "\n")
  local p = assert(io.popen(RUN .. " spec/beat/oracle.py <" .. path))
  local answers = {}
  for line in p:lines() do answers[#answers + 1] = line end
  p:close()
  assert(#answers == #questions, "the oracle ended early")
  return answers
end

---Calls fn so often with random things to draw from; an error names the seed.
---@param times integer
---@param fn fun(i: integer)
function oracle.draw(times, fn)
  math.randomseed(oracle.seed)
  for i = 1, times do
    local ok, err = xpcall(fn, debug.traceback, i)
    if not ok then error(("case %d of MOIL_SPEC_SEED=%d: %s"):format(i, oracle.seed, err), 0) end
  end
end

---One of a list.
function oracle.pick(list)
  return list[math.random(#list)]
end

return oracle

-- What a task finds around it while it runs, or is loaded, in a moil.testing world: the virtual
-- clock in os.time and os.date, numbers of chance by the seed, print to the log, and the rails of
-- src/vm/rails.c. Set when a job gets its turn and taken back when it gives it up, so that a spec's
-- own code sees nothing of it.

local stage = {}

-- The token of yields that are the world's and not the task's: they pass through the coroutines of
-- a job (src/vm/coroutine.c).
stage.TOKEN = setmetatable({}, { __name = "moil.testing.token" })

local raw <const> = {
  create = coroutine.create, resume = coroutine.resume, yield = coroutine.yield,
  running = coroutine.running, time = os.time, date = os.date, error = error,
}
stage.raw = raw

local function pass_on(co, ...)
  local answer = table.pack(raw.resume(co, ...))
  while answer[1] and answer[2] == stage.TOKEN do
    answer = table.pack(raw.resume(co, raw.yield(table.unpack(answer, 2, answer.n))))
  end
  return answer
end

local function resume(co, ...)
  local answer = pass_on(co, ...)
  return table.unpack(answer, 1, answer.n)
end

local function wrap(fn)
  local co = raw.create(fn)
  return function(...)
    local answer = pass_on(co, ...)
    if answer[1] then return table.unpack(answer, 2, answer.n) end
    local err = answer[2]
    if coroutine.status(co) ~= "dead" then coroutine.close(co) end
    error(err, 0)
  end
end

local function refuse(message)
  return function() error(message, 2) end
end

local function undeclared(_, name)
  error(("undeclared global '%s': declare it local (or assign it while its file is loaded)")
    :format(tostring(name)), 2)
end

local function tables_of(world)
  local q = world.q
  local function yield(...)
    if raw.running() == world.turn_of then
      error("attempt to yield from outside a coroutine", 2)
    end
    return raw.yield(...)
  end
  return {
    { os, "time", function(t) return t and raw.time(t) or q.now_us // 1000000 end },
    { os, "date", function(format, at)
      return raw.date(format or "%c", at or q.now_us // 1000000)
    end },
    { os, "exit",
      refuse "os.exit is not for tasks: return, raise an error, or call self:reject{}" },
    { math, "random", world.random },
    { math, "randomseed", function() end },
    { coroutine, "resume", resume },
    { coroutine, "wrap", wrap },
    { coroutine, "yield", yield },
    { _G, "print", function(...)
      local words = table.pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      world:log("info", table.concat(words, "\t"))
    end },
  }
end

---Runs fn as a task's code would be run; sealed: globals cannot be declared any more.
---@param world table
---@param sealed boolean
---@param fn function
---@return ...
function stage.within(world, sealed, fn, ...)
  if world.on_stage then return fn(...) end
  local swapped = world.swapped or tables_of(world)
  world.swapped = swapped
  local meta, kept = getmetatable(_G), {}
  for i, swap in ipairs(swapped) do
    kept[i] = rawget(swap[1], swap[2])
    rawset(swap[1], swap[2], swap[3])
  end
  if sealed and not (meta and meta.__newindex) then
    setmetatable(_G, { __newindex = undeclared, __index = meta and meta.__index })
  end
  world.on_stage = true
  local answer = table.pack(pcall(fn, ...))
  world.on_stage = false
  setmetatable(_G, meta)
  for i, swap in ipairs(swapped) do rawset(swap[1], swap[2], kept[i]) end
  if not answer[1] then error(answer[2], 0) end
  return table.unpack(answer, 2, answer.n)
end

return stage

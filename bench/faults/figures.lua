-- Numbers of jobs and processes for the workloads: percentiles, resident memory, what records say.
-- Knows no workload.
local figures = {}

---@param values number[]   sorted in place
---@param p number          0 to 100
---@return number
function figures.percentile(values, p)
  table.sort(values)
  assert(#values > 0, "nothing was measured")
  return values[math.max(1, math.ceil(#values * p / 100))]
end

---Bytes of a line of /proc/PID/status, "VmRSS" or "VmHWM"; nil when it is gone.
---@return integer?
function figures.memory(pid, line)
  local file = io.open(("/proc/%d/status"):format(pid))
  if not file then return nil end
  local kb = file:read("a"):match(line .. ":%s*(%d+) kB")
  file:close()
  return kb and math.tointeger(kb) * 1024
end

---For each result, once it has ended: its record (moil.Result:info()).
---@param results table[]
---@param seconds number    of patience for each
---@return table[]
function figures.infos(results, seconds)
  local infos = {}
  for i, result in ipairs(results) do
    result:get { timeout = seconds, propagate = false }
    infos[i] = result:info()
  end
  return infos
end

---Milliseconds, for each job: of(info) in seconds times 1,000.
---@param infos table[]
---@param of fun(info: table): number
---@return number[]
function figures.ms(infos, of)
  local values = {}
  for i, info in ipairs(infos) do values[i] = of(info) * 1000 end
  return values
end

return figures

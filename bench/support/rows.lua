-- What the benchmarks written in Lua have in common: the options of the command, one line for each
-- figure, and the JSON. A workload is a module {name, run(options) -> rows}; a row is {what, value,
-- unit, digits, side, bound}, side and bound where there is a target.
--
--   rows.main("bench.faults", { "spin", "alone" }, arg, "bench-faults.json")
local json = require "moil".json

local rows = {}

local function die(text)
  io.stderr:write("bench: ", text, "\n")
  os.exit(2)
end

local function contains(names, name)
  for _, known in ipairs(names) do
    if known == name then return true end
  end
  return false
end

local function read_options(names, argv, path)
  local options = { only = {}, json = (os.getenv("BUILD") or "build") .. "/" .. path }
  local i = 1
  while argv[i] do
    local flag, value = argv[i], argv[i + 1]
    if flag == "--quick" then
      options.quick = true
      i = i + 1
    elseif flag == "--only" and value and contains(names, value) then
      options.only[#options.only + 1] = value
      i = i + 2
    elseif flag == "--json" and value then
      options.json = value
      i = i + 2
    else
      die(("unknown '%s'; there are --quick, --json FILE and --only with one of: %s"):format(flag,
        table.concat(names, " ")))
    end
  end
  return options
end

local function is_met(row)
  if not row.bound then return nil end
  if row.side == ">" then return row.value >= row.bound end
  return row.value <= row.bound
end

local function show(row)
  local verdict = ""
  if row.bound then
    verdict = ("wanted at %s %g: %s"):format(row.side == ">" and "least" or "most", row.bound,
      is_met(row) and "met" or "MISSED")
  end
  local value = ("%." .. (row.digits or 0) .. "f"):format(row.value)
  local line = ("%-52s %12s %-6s %s"):format(row.what, value, row.unit or "", verdict)
  print((line:gsub("%s+$", "")))
end

---Runs the workloads that the command line names, or all, and prints their rows.
---@param folder string     of the workloads' modules
---@param names string[]
---@param argv string[]
---@param path string       of the JSON, in the build's folder
function rows.main(folder, names, argv, path)
  local options = read_options(names, argv, path)
  local all, missed, targets = {}, 0, 0
  for _, name in ipairs(#options.only > 0 and options.only or names) do
    io.stderr:write("bench: ", name, "\n")
    for _, row in ipairs(require(folder .. "." .. name).run(options)) do
      row.workload, row.met = name, is_met(row)
      all[#all + 1] = row
      targets = targets + (row.bound and 1 or 0)
      missed = missed + (row.met == false and 1 or 0)
      show(row)
    end
  end
  local file = assert(io.open(options.json, "w"))
  file:write(assert(json.encode(all)), "\n")
  file:close()
  print(("%d of %d targets missed; JSON: %s"):format(missed, targets, options.json))
end

return rows

-- What moil does under faults and limits, in figures:
--   run.lua [--quick] [--only NAME]... [--json FILE]
--
-- Called by `make bench-faults` from the top of the tree. Each workload is a module beside this
-- one: {name, run(options) -> rows}; a row is {what, value, unit, digits, side, bound}, side and
-- bound where there is a target. Every workload has a private Redis and nodes of its own.
require "spec.support.paths"
local json = require "moil".json

local NAMES <const> = { "spin", "alone", "recovery", "hog", "flat", "reload" }

local function die(text)
  io.stderr:write("bench: ", text, "\n")
  os.exit(2)
end

local function is_name(name)
  for _, known in ipairs(NAMES) do
    if known == name then return true end
  end
  return false
end

local function read_options(argv)
  local options = { only = {}, json = (os.getenv("BUILD") or "build") .. "/bench-faults.json" }
  local i = 1
  while argv[i] do
    local flag, value = argv[i], argv[i + 1]
    if flag == "--quick" then
      options.quick = true
      i = i + 1
    elseif flag == "--only" and value and is_name(value) then
      options.only[#options.only + 1] = value
      i = i + 2
    elseif flag == "--json" and value then
      options.json = value
      i = i + 2
    else
      die(("unknown '%s'; there are --quick, --json FILE and --only with one of: %s"):format(flag,
        table.concat(NAMES, " ")))
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

local options = read_options(arg)
local all, missed, targets = {}, 0, 0
for _, name in ipairs(#options.only > 0 and options.only or NAMES) do
  io.stderr:write("bench: ", name, "\n")
  for _, row in ipairs(require("bench.faults." .. name).run(options)) do
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

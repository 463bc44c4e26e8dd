-- moil's library anew over a world's core: `require "moil"` gives it while the world is open, in
-- specs and in tasks, and what tasks require themselves is loaded for the world alone. Only
-- moil.testing uses this.

local library = {}

local function is_ours(name)
  return (name == "moil" or name:find "^moil%.") and not name:find "^moil%.testing"
end

-- One cache by path for files that are loaded and required.
local function normal(path)
  path = path:gsub("/%./", "/"):gsub("//+", "/"):gsub("^%./", "")
  return path
end

-- Calls chunk, and keeps the names of the globals that come with it.
local function declare(world, chunk, ...)
  local before = {}
  for name in next, _G do before[name] = true end
  local answer = table.pack(pcall(chunk, ...))
  for name in next, _G do
    if not before[name] then world.globals[name] = true end
  end
  if not answer[1] then error(answer[2], 0) end
  return answer[2]
end

local function run_file(world, path, name)
  local key = normal(path)
  local cached = world.files[key]
  if cached ~= nil then return cached.value end
  local chunk, wrong = loadfile(path, "t")
  if not chunk then world.base.raise("BadArgument", wrong) end
  local entry = { value = true }
  world.files[key] = entry
  local value = declare(world, chunk, name or path, path)
  if value ~= nil then entry.value = value end
  return entry.value
end

local function searcher_of(world)
  return function(name)
    local path, tried = package.searchpath(name, package.path)
    if not path then return tried end
    return function()
      world.modules[#world.modules + 1] = name
      local before = world.loading
      world.loading = true
      local value = run_file(world, path, name)
      world.loading = before
      return value
    end, path
  end
end

local function searchers()
  return package.searchers
end

---Puts the library of a world in the place of the real one.
---@param world table
---@return table            its modules
function library.open(world)
  world.replaced, world.modules, world.files, world.globals = {}, {}, {}, {}
  world.path = package.path
  for name, value in pairs(package.loaded) do
    if is_ours(name) then world.replaced[name] = value end
  end
  for name in pairs(world.replaced) do package.loaded[name] = nil end
  package.loaded["moil.core"] = world.core
  local modules = { moil = require "moil", job = require "moil.job", task = require "moil.task" }
  world.searcher = searcher_of(world)
  table.insert(searchers(), 2, world.searcher)
  return modules
end

---Puts the real one back, and takes away the globals of the files that were loaded.
---@param world table
function library.close(world)
  for name in pairs(package.loaded) do
    if is_ours(name) then package.loaded[name] = nil end
  end
  for name, value in pairs(world.replaced) do package.loaded[name] = value end
  for _, name in ipairs(world.modules) do package.loaded[name] = nil end
  for i, searcher in ipairs(searchers()) do
    if searcher == world.searcher then
      table.remove(searchers(), i)
      break
    end
  end
  for name in pairs(world.globals) do rawset(_G, name, nil) end
  package.path = world.path
end

local function load_folder(world, dir)
  local files, names = 0, world.base.folder(dir)
  table.sort(names)
  for _, name in ipairs(names) do
    local path = dir .. "/" .. name
    if world.base.folder(path) then
      files = files + load_folder(world, path)
    elseif name:find "%.lua$" then
      run_file(world, path)
      files = files + 1
    end
  end
  return files
end

---Loads a task file, or every *.lua of a folder, as a worker does.
---@param world table
---@param path string
function library.load(world, path)
  local is_folder = world.base.folder(path) ~= nil
  local dir = is_folder and path:gsub("(.)/+$", "%1") or path:match "^(.*)/[^/]*$" or "."
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(dir, dir, package.path)
  if not is_folder then
    run_file(world, path)
  elseif load_folder(world, dir) == 0 then
    world.base.raise("BadArgument", path .. ": no *.lua file in this folder")
  end
end

return library

-- Map-reduce over real files: a chord of one job for each file, which counts its words, and a body
-- that merges the counts.
--
--   build/moil dev examples/map_reduce.lua                      in one terminal
--   eval `make -s env`; lua5.4 examples/map_reduce.lua          in another: the pages of docs/
--   eval `make -s env`; lua5.4 examples/map_reduce.lua ~/books '*.txt'
--
-- This file is both: its tasks, which the worker loads, and the program that enqueues them. The
-- workers must see the files under the same paths.

local moil = require "moil"

local KEPT <const> = 50000 -- words that one result names at most: it must fit into 1 MB
local TOP <const> = 10

-- --- the tasks -----------------------------------------------------------------------------------

-- The most frequent first, equal ones by name.
local function by_count(counts)
  local words = {}
  for word in pairs(counts) do words[#words + 1] = word end
  table.sort(words, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return words
end

---How often each word stands in a file: runs of letters, digits and what is not ASCII.
local count = moil.task("map_reduce.count", function(path)
  local file <close> = assert(io.open(path, "rb"))
  local counts, distinct, total = {}, 0, 0
  for line in file:lines() do
    for word in line:lower():gmatch("[%w\x80-\xff]+") do
      if not utf8.len(word) then word = word:gsub("[\x80-\xff]", "?") end -- JSON is UTF-8
      if not counts[word] then distinct = distinct + 1 end
      counts[word] = (counts[word] or 0) + 1
      total = total + 1
    end
  end
  if distinct > KEPT then error(path .. ": more different words than a result holds") end
  return { total = total, counts = counts }
end)

---Merges what came of the files.
local merge = moil.task("map_reduce.merge", function(files)
  local counts, total, distinct = {}, 0, 0
  for _, file in ipairs(files) do
    total = total + file.total
    for word, n in pairs(file.counts) do
      if not counts[word] then distinct = distinct + 1 end
      counts[word] = (counts[word] or 0) + n
    end
  end
  local top = {}
  for i, word in ipairs(by_count(counts)) do
    if i > TOP then break end
    top[i] = { word = word, count = counts[word] }
  end
  return { files = #files, total = total, distinct = distinct, top = top }
end)

if not arg then return end -- a worker loads this file

-- --- the program ---------------------------------------------------------------------------------

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function find_files(folder, pattern)
  local command = ("CDPATH= cd -- %s 2>/dev/null && find \"$PWD\" -type f -name %s | LC_ALL=C sort")
    :format(quote(folder), quote(pattern))
  local pipe <close> = assert(io.popen(command))
  local files = {}
  for path in pipe:lines() do files[#files + 1] = path end
  return files
end

local folder <const>, pattern <const> = arg[1] or "docs", arg[2] or "*.md"
local files = find_files(folder, pattern)
if #files == 0 then
  io.stderr:write(("no file %s in %s: lua5.4 examples/map_reduce.lua [FOLDER [PATTERN]]\n"):format(
    pattern, folder))
  os.exit(2)
end

local mapping = {}
for i, path in ipairs(files) do mapping[i] = count:s(path) end
local job = moil.chord(mapping, merge:s()):delay()
print(("%d files; to see how far they are: build/moil inspect workflow %s"):format(#files, job.id))

local got, err = job:get { timeout = 60, propagate = false }
if not got then
  io.stderr:write(err.message, "\n")
  os.exit(1)
end
print(("%d words, %d different ones:"):format(got.total, got.distinct))
for _, entry in ipairs(got.top) do print(("%8d  %s"):format(entry.count, entry.word)) end

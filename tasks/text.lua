-- Counting in text files, piece by piece, so that a big file costs no memory.
--
--   moil call text.wc /usr/share/common-licenses/GPL-3 --wait
--
-- A path is that of a regular file on the worker's machine. What the worker may read, its jobs may.

local moil = require "moil"

local CHUNK <const> = 64 * 1024
local MAX_BYTES <const> = 256 * 1024 * 1024
local MAX_LINE <const> = 1024 * 1024
local MAX_DISTINCT <const> = 500000 -- counted at a time: some 50 MB
local MAX_KEYS <const> = 20000 -- of a result: they fit into the 1 MB of a payload

local function fail(code, message, ...)
  error({ code = code, message = message:format(...) }, 0)
end

local codes <const> = { [2] = "NotFound", [13] = "NotAllowed" } -- by errno: ENOENT, EACCES

-- Calls take(piece) for the pieces of an open file in turn; each is made of whole lines, but the
-- last line of a file may lack its newline. Returns the file's bytes.
local function read_pieces(task, path, file, take)
  local bytes, rest = 0, ""
  while true do
    local chunk, wrong = file:read(CHUNK)
    if wrong then fail("ReadFailed", "%s: %s: %s", task, path, wrong) end
    if not chunk then break end
    bytes = bytes + #chunk
    if bytes > MAX_BYTES then
      fail("TooLarge", "%s: %s is bigger than %d bytes", task, path, MAX_BYTES)
    end
    rest = rest .. chunk
    local next_line = rest:match("^.*\n()")
    if next_line then
      take(rest:sub(1, next_line - 1))
      rest = rest:sub(next_line)
    elseif #rest > MAX_LINE then
      fail("TooLarge", "%s: %s has a line of more than %d bytes", task, path, MAX_LINE)
    end
  end
  if rest ~= "" then take(rest) end
  return bytes
end

local function read_file(task, path, take)
  if type(path) ~= "string" then
    fail("BadArgument", "%s: the path (first argument) must be a string", task)
  end
  local file <close>, wrong, errno = io.open(path, "rb")
  if not file then fail(codes[errno] or "ReadFailed", "%s: %s", task, wrong) end
  return read_pieces(task, path, file, take)
end

-- How often a pattern matches.
local function count(piece, pattern)
  return select(2, piece:gsub(pattern, ""))
end

---Lines (newlines), words (runs without white space) and bytes, as wc counts them.
---@param path string
---@return { path: string, lines: integer, words: integer, bytes: integer }
moil.task("text.wc", function(path)
  local lines, words = 0, 0
  local bytes = read_file("text.wc", path, function(piece)
    lines = lines + count(piece, "\n")
    words = words + count(piece, "%S+")
  end)
  return { path = path, lines = lines, words = words, bytes = bytes }
end)

-- JSON holds UTF-8 only.
local function to_key(text)
  if utf8.len(text) then return text end
  return (text:gsub("[\x80-\xff]", "\u{FFFD}"))
end

-- The most frequent of counts; of equal ones the first by name.
local function pick_top(counts, top)
  local keys, picked = {}, {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  for i = 1, math.min(top, #keys) do picked[keys[i]] = counts[keys[i]] end
  return picked
end

local function check_top(task, options)
  if options == nil then return nil end
  local top = type(options) == "table" and options.top
  if math.type(top) ~= "integer" or top < 1 or top > MAX_KEYS then
    fail("BadArgument", "%s: options are { top = a whole number from 1 to %d }", task, MAX_KEYS)
  end
  return top
end

-- Counts what `pattern` finds in each piece, and shapes the result.
local function count_keys(task, path, options, each)
  local top = check_top(task, options)
  local counts, total, distinct = {}, 0, 0
  local function add(key)
    key = to_key(key)
    if not counts[key] then distinct = distinct + 1 end
    counts[key] = (counts[key] or 0) + 1
    total = total + 1
  end
  read_file(task, path, function(piece)
    each(piece, add)
    if distinct > MAX_DISTINCT then
      fail("TooLarge", "%s: %s has more than %d different ones", task, path, MAX_DISTINCT)
    end
  end)
  if distinct > (top or MAX_KEYS) then
    if not top then
      fail("TooLarge", "%s: %s has %d different ones, and a result holds %d: give { top = 1000 }",
        task, path, distinct, MAX_KEYS)
    end
    counts = pick_top(counts, top)
  end
  return { path = path, total = total, distinct = distinct, counts = moil.object(counts) }
end

---@class text.Counts
---@field path string
---@field total integer     of all, also those left out by `top`
---@field distinct integer  likewise
---@field counts table<string, integer>

---How often each word occurs. A word is a run of letters, digits and bytes above 127 (so that UTF-8
---words stay whole); the letters A to Z count as small ones.
---@param path string
---@param options? { top?: integer } only so many, the most frequent ones
---@return text.Counts      raises TooLarge for more than 20,000 words, without `top`
---  moil call text.word_count /usr/share/common-licenses/GPL-3 --kwargs '{"top": 10}' --wait
moil.task("text.word_count", function(path, options)
  return count_keys("text.word_count", path, options, function(piece, add)
    for word in piece:lower():gmatch("[%w\x80-\xff]+") do add(word) end
  end)
end)

---How often each value occurs that a Lua pattern captures in a line; lines without it count not.
---@param path string
---@param pattern string    with one capture, or none for the whole match
---@param options? { top?: integer }
---@return text.Counts
---  moil call text.tally /var/lib/dpkg/status '^Section: (%S+)' --wait
moil.task("text.tally", function(path, pattern, options)
  local valid, wrong = pcall(string.match, "", pattern)
  if not valid then
    fail("BadArgument", "text.tally: the pattern (second argument): %s", wrong)
  end
  return count_keys("text.tally", path, options, function(piece, add)
    for line in piece:gmatch("[^\n]+") do
      local found = line:match(pattern)
      if found then add(tostring(found)) end
    end
  end)
end)

---Lengths of lines, in bytes without the newline.
---@param path string
---@return { path: string, lines: integer, empty: integer, mean: number, longest: integer,
---longest_line: integer } mean and longest are 0 for an empty file
moil.task("text.line_stats", function(path)
  local stats = { path = path, lines = 0, empty = 0, mean = 0, longest = 0, longest_line = 0 }
  local sum = 0
  read_file("text.line_stats", path, function(piece)
    if piece:byte(-1) ~= 10 then piece = piece .. "\n" end
    for line in piece:gmatch("([^\n]*)\n") do
      stats.lines = stats.lines + 1
      sum = sum + #line
      if line == "" then stats.empty = stats.empty + 1 end
      if #line > stats.longest then stats.longest, stats.longest_line = #line, stats.lines end
    end
  end)
  if stats.lines > 0 then stats.mean = sum / stats.lines end
  return stats
end)

-- Real jobs for two workers, each result checked against an independent count. Started by demo.sh
-- with the program and a folder for its files; a plain Lua program, as yours may be.

local moil = require "moil"

local program <const>, dir <const> = arg[1], arg[2]
local STATUS <const> = "/var/lib/dpkg/status"
local LICENSES <const> = "/usr/share/common-licenses"

-- --- the screen, and the checks ------------------------------------------------------------------

local is_terminal <const> = os.execute("test -t 1") == true
local checks = 0

local function say(message, ...)
  io.write(message:format(...), "\n")
  io.flush()
end

local function check(ok, message, ...)
  if not ok then
    say("   WRONG: " .. message, ...)
    os.exit(1)
  end
  checks = checks + 1
  say("   right: " .. message, ...)
end

-- 1234567 → "1,234,567"
local function thousands(n)
  local text = tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function shell(command)
  local pipe <close> = assert(io.popen("LC_ALL=C; export LC_ALL; " .. command))
  return pipe:read("a")
end

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The keys and counts that `sort | uniq -c` prints.
local function read_counts(text)
  local counts = {}
  for n, key in text:gmatch("(%d+) ([^\n]+)") do counts[key] = math.tointeger(n) end
  return counts
end

local function is_same(a, b)
  for key, n in pairs(a) do
    if b[key] ~= n then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function top(counts, n)
  local keys, texts = {}, {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  for i = 1, math.min(n, #keys) do
    texts[i] = ("%s %s"):format(keys[i], thousands(counts[keys[i]]))
  end
  return table.concat(texts, ", ")
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- --- times and places, from what moil knows about a job ------------------------------------------

local worker_numbers, worker_count = {}, 0

local function worker_number(id)
  if not worker_numbers[id] then
    worker_count = worker_count + 1
    worker_numbers[id] = worker_count
  end
  return worker_numbers[id]
end

local function ms_between(from, to)
  return (to - from) * 1000
end

-- Milliseconds from the first job's acceptance to the last one's end.
local function total_ms(infos)
  local first, last = math.huge, 0
  for _, info in ipairs(infos) do
    first = math.min(first, info.enqueued_at)
    last = math.max(last, info.finished_at)
  end
  return ms_between(first, last)
end

-- --- the jobs ------------------------------------------------------------------------------------

local function find_files()
  local files = { STATUS }
  for path in shell("find " .. LICENSES .. " -type f | sort"):gmatch("[^\n]+") do
    files[#files + 1] = path
  end
  return files
end

local function count_words(files)
  say("\n1. The words of %d files, one job each, merged here", #files)
  local jobs, infos, merged, total = {}, {}, {}, 0
  for i, path in ipairs(files) do jobs[i] = moil.send("text.word_count", { path }) end
  for i, job in ipairs(jobs) do
    local got, info = job:get { timeout = 30 }, job:info()
    infos[i] = info
    for word, n in pairs(got.counts) do merged[word] = (merged[word] or 0) + n end
    total = total + got.total
    say("   %2d/%d  %-12s %8s words  %6.1f ms  worker %d", i, #files, files[i]:match("[^/]+$"),
      thousands(got.total), ms_between(info.started_at, info.finished_at),
      worker_number(info.worker))
  end
  say("   %s words in %.0f ms; the most frequent: %s", thousands(total), total_ms(infos),
    top(merged, 5))
  local quoted = {}
  for i, path in ipairs(files) do quoted[i] = quote(path) end
  check(is_same(merged, read_counts(shell("cat " .. table.concat(quoted, " ")
    .. " | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9\\200-\\377' '\\n' | grep -a . | sort | uniq -c"))),
    "tr, sort and uniq count the same")
end

local function count_packages()
  say("\n2. The installed packages by section")
  local job = moil.send("text.tally", { STATUS, "^Section: (%S+)" })
  local got, info = job:get { timeout = 30 }, job:info()
  say("   %s packages in %d sections, in %.1f ms: %s", thousands(got.total), got.distinct,
    ms_between(info.started_at, info.finished_at), top(got.counts, 5))
  check(is_same(got.counts, read_counts(shell(
    "awk '/^Section: /{n[$2]++} END {for (k in n) print n[k], k}' " .. STATUS))),
    "awk counts the same")
end

local function follow_progress()
  say("\n3. A job that tells how far it is")
  local job = moil.send("demo.progress", { 20, 1 })
  local width <const> = 40
  local function draw(percent)
    local bar = ("#"):rep(percent * width // 100)
    io.write(is_terminal and "\r" or "", ("   [%-" .. width .. "s] %3d %%"):format(bar, percent),
      is_terminal and percent < 100 and "" or "\n")
    io.flush()
  end
  local last = 0
  local got = job:get {
    timeout = 30,
    on_message = function(message)
      local percent = message.meta.percent
      if percent < 100 and (is_terminal or percent >= last + 25) then
        draw(percent)
        last = percent
      end
    end,
  }
  draw(100)
  check(got.steps == 20 and last > 0, "20 steps, seen on the way")
end

local function add_in_bulk(n)
  say("\n4. %s small jobs at once", thousands(n))
  local signatures, sum = {}, 0
  for i = 1, n do signatures[i] = moil.signature("math.add", { i, i }) end
  local jobs = moil.enqueue_many(signatures)
  for _, job in ipairs(jobs) do sum = sum + job:get { timeout = 30 } end
  local ms = total_ms { jobs[1]:info(), jobs[n]:info() }
  say("   %.0f ms from the first one's acceptance to the last one's end", ms)
  check(sum == n * (n + 1), "the sum of their results is %s", thousands(sum))
end

local function wait_for(job, seconds, what, is_it)
  for _ = 1, seconds * 100 do
    local info = job:info()
    if is_it(info) then return info end
    moil.sleep(0.01)
  end
  check(false, "waited %d s in vain for %s", seconds, what)
end

local function retry()
  say("\n5. A job that fails at first: its file is not there yet")
  local path = dir .. "/late.txt"
  local job = moil.send("text.wc", { path },
    { retry = moil.retry.fixed { max = 100, delay = 0.1, jitter = true } })
  local info = wait_for(job, 10, "its first retry",
    function(now) return now.retries > 0 end)
  say("   its state is %s", info.state)
  write_file(path, "better late\nthan never\n")
  local got = job:get { timeout = 30 }
  info = job:info()
  say("   done at retry %d, %.0f ms after it was enqueued", info.retries,
    ms_between(info.enqueued_at, info.finished_at))
  check(got.lines == 2 and got.words == 4 and got.bytes == 23, "2 lines, 4 words, 23 bytes")
end

local function replay()
  say("\n6. A job that fails for good, and is replayed from the dead set")
  local path = dir .. "/missing.txt"
  local job = moil.send("text.wc", { path })
  local _, err = job:get { timeout = 30, propagate = false }
  check(err and err.code == "NotFound" and job:info().dead, "it is dead: %s", err and err.message)
  write_file(path, "found\n")
  say("   $ moil dead retry %s", job.id)
  say("   %s", (shell(quote(program) .. " dead retry " .. job.id):gsub("\n$", "")))
  local got, info = job:get { timeout = 30 }, job:info()
  check(got.lines == 1 and got.bytes == 6 and not info.dead, "it succeeded: 1 line, 6 bytes")
end

local function nothing_left()
  say("\n7. Nothing is left")
  local text = shell(quote(program) .. " inspect queues --json")
  local totals = moil.json.decode(text:match("[^\n]+\n$") or "{}") -- the last line: all queues
  local left = {}
  for _, where in ipairs { "pending", "delayed", "deferred", "in_flight", "dead" } do
    if totals[where] ~= 0 then left[#left + 1] = ("%s %s"):format(where, totals[where]) end
  end
  check(#left == 0, "no job waits, runs or is dead%s",
    left[1] and ", but: " .. table.concat(left, ", ") or "")
end

local files = find_files()
count_words(files)
count_packages()
follow_progress()
add_in_bulk(2000)
retry()
replay()
nothing_left()
say("\nAll %d results were right.", checks)

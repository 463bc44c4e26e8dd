-- The table of `make bench`, and its JSON: medians of what was measured, ratios within the run, and
-- whether each target is met. Called by bench/run: report.lua FACTS JSON PEERS. FACTS holds lines
-- "name key value key value ...", a name once for each repetition; PEERS is the JSON of `make
-- bench-peers`, if there is one.
local moil = require "moil"

local facts_path, json_path, peers_path = arg[1], arg[2], arg[3]

-- --- what was measured --------------------------------------------------------------------------

local function number(value, digits)
  local text = ("%." .. digits .. "f"):format(value)
  local whole, rest = text:match("^(%d+)(.*)$")
  whole = whole:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return whole .. rest
end

local function median(values)
  table.sort(values)
  local n = #values
  return n % 2 == 1 and values[n // 2 + 1] or (values[n // 2] + values[n // 2 + 1]) / 2
end

local function read_facts(path)
  local seen, found = {}, {}
  for line in io.lines(path) do
    local name, rest = line:match("^(%S+) (.*)$")
    seen[name] = seen[name] or {}
    for key, value in rest:gmatch("(%S+) (%S+)") do
      local list = seen[name][key] or {}
      seen[name][key] = list
      list[#list + 1] = tonumber(value) or value
    end
  end
  for name, keys in pairs(seen) do
    found[name] = {}
    for key, list in pairs(keys) do
      found[name][key] = type(list[1]) == "number" and median(list) or list[1]
    end
  end
  return found, seen
end

local function read_peers(path)
  local file = io.open(path)
  if not file then return {} end
  local text = file:read("a")
  file:close()
  local peers = moil.json.decode(text)
  return peers and peers.peers or {}
end

local facts, samples = read_facts(facts_path)
local peers = read_peers(peers_path)

local function get(name, key)
  return facts[name] and facts[name][key]
end

-- Of numbers of which any may be missing, nil then.
local function over(a, b)
  return a and b and a / b
end

local function sum(...)
  local total = 0
  for i = 1, select("#", ...) do
    local term = select(i, ...)
    if not term then return nil end
    total = total + term
  end
  return total
end

local function most(...)
  local top
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value and (not top or value > top) then top = value end
  end
  return top
end

-- The raw limit is the depth with the best median.
local function raw(kind)
  return most(get("raw_" .. kind .. "_1", "rate"), get("raw_" .. kind .. "_2", "rate"),
    get("raw_" .. kind .. "_4", "rate"))
end

-- The best of all repetitions. What else runs on the machine can only slow a run down.
local function best(name)
  return samples[name] and most(table.unpack(samples[name].rate))
end

local function best_raw(kind)
  local name = "raw_" .. kind
  return most(best(name .. "_1"), best(name .. "_2"), best(name .. "_4"))
end

local function celery()
  return peers.celery and peers.celery.drain_results_1w
end

local function fastest_peer()
  local top
  for _, figures in pairs(peers) do top = most(top, figures.drain_results_1w) end
  return top
end

-- --- the table ----------------------------------------------------------------------------------

local rtt = over(get("yardstick", "rtt_p50_us"), 1000)
local ping_us, set_us = get("yardstick", "ping_us"), get("yardstick", "set_ex_us")
local drain = get("drain_keep_1w", "rate")
local rows = {}

-- row(title, value, digits [, what it is compared as, ratio, "<" or ">", bound])
local function row(...)
  rows[#rows + 1] = table.pack(...)
end

local function redis_rows()
  row("Redis: PING, round trip p50 (ms)", rtt, 3)
  row("Redis: the same, 100 a second (ms)", over(get("yardstick", "paced_p50_us"), 1000), 3)
  row("  p99 (ms)", over(get("yardstick", "paced_p99_us"), 1000), 3)
  row("Redis: CPU of a PING, one at a time (us)", ping_us, 2)
  row("Redis: CPU of a SET EX, pipelined (us)", set_us, 2)
end

local function drain_rows()
  local quiet = get("drain_drop_1w", "rate")
  row("raw limit, results (jobs/s)", raw "keep", 0)
  row("drain, results, 1 worker (jobs/s)", drain, 0,
    "of the raw limit", over(drain, raw "keep"), ">", 0.60)
  row("  best run of each, of the raw limit", over(best "drain_keep_1w", best_raw "keep"), 2)
  row(nil, nil, 0, "times Celery", over(drain, celery()), ">", 60)
  row(nil, nil, 0, "times the fastest peer", over(drain, fastest_peer()), ">", 5)
  row("drain, results, 2 workers (jobs/s)", get("drain_keep_2w", "rate"), 0)
  row("raw limit, no results (jobs/s)", raw "drop", 0)
  row("drain, no results, 1 worker (jobs/s)", quiet, 0,
    "of the raw limit", over(quiet, raw "drop"), ">", 0.50)
  row("  best run of each, of the raw limit", over(best "drain_drop_1w", best_raw "drop"), 2)
  row("drain, no results, 2 workers (jobs/s)", get("drain_drop_2w", "rate"), 0)
  row("drain, results, append-only file (jobs/s)", get("drain_aof", "rate"), 0)
  row("  CPU per job: worker (us)", get("drain_keep_1w", "worker_us"), 2)
  row("  CPU per job: Redis (us)", get("drain_keep_1w", "redis_us"), 2)
  row("  commands per job", get("drain_keep_1w", "commands"), 3)
  row("  jobs per script", get("drain_keep_1w", "batch"), 0)
end

local function hold_rows()
  local small, big = get("hold_small", "rate"), get("hold_big", "rate")
  local size = number(get("machine", "big"), 0)
  row("drain, backlog held at 1,000 (jobs/s)", small, 0)
  row("drain, backlog held at " .. size .. " (jobs/s)", big, 0,
    "of that at 1,000", over(big, small), ">", 0.90)
  row("  the feeder's CPU, of a core", get("hold_small", "feeder_core"), 2)
end

local function enqueue_rows()
  local one_us, bulk_us = get("enqueue_one", "redis_us"), get("enqueue_bulk", "redis_us")
  local sweep_us = get("sweep", "redis_us")
  local drain_us = get("drain_keep_1w", "redis_us")
  local life_us = sum(bulk_us or false, drain_us or false, sweep_us or false)
  row("enqueue, one at a time (jobs/s)", get("enqueue_one", "rate"), 0)
  row("  CPU per job: Redis (us)", one_us, 2, "times a PING", over(one_us, ping_us), "<", 2.5)
  row("enqueue, 1,000 a call (jobs/s)", get("enqueue_bulk", "rate"), 0)
  row("  CPU per job: Redis (us)", bulk_us, 2, "times a SET EX", over(bulk_us, set_us), "<", 1.5)
  row("expiry of a result: Redis's CPU (us)", sweep_us, 2)
  row("a job's whole life: Redis's CPU (us)", life_us, 2,
    "times a SET EX", over(life_us, set_us), "<", 3.5)
end

local function latency_rows()
  local p50, p99 = get("latency", "start_p50"), get("latency", "start_p99")
  row("submit to start, p50 (ms)", p50, 3, "round trips", over(p50, rtt), "<", 5)
  row("submit to start, p95 (ms)", get("latency", "start_p95"), 3)
  row("submit to start, p99 (ms)", p99, 3, "ms", p99, "<", 2)
  for _, p in ipairs { "p50", "p95", "p99" } do
    row("submit to result, " .. p .. " (ms)", get("latency", "result_" .. p), 3)
  end
end

local function nap_rows()
  local noops, naps = get("naps_noop", "seconds"), get("naps", "seconds")
  local limit = sum(1.5 * 20000 / 2000 * 0.1, noops or false)
  row("20,000 no-ops, enqueued and done (s)", noops, 3)
  row("20,000 sleeps of 0.1 s, -c 2000 (s)", naps, 3,
    "of 1.5 x ideal + no-ops", over(naps, limit), "<", 1)
end

local function beat_rows()
  local p95, most_late = get("beat", "start_p95"), get("beat", "start_max")
  row("a tick each second: due to start, p95 (ms)", p95, 3, "ms", p95, "<", 10)
  row("  the latest (ms)", most_late, 3, "ms", most_late, "<", 50)
  row("  due to enqueued, p95 (ms)", get("beat", "fired_p95"), 3)
  row("beside 10,000 entries: due to start, p95 (ms)", get("beat_many", "start_p95"), 3)
  row("  the latest (ms)", get("beat_many", "start_max"), 3)
  row("  RSS of the agent (MB)", get("beat_many", "rss_mb"), 2)
  row("  CPU of the node, a second (ms)", get("beat_many", "cpu_ms_per_s"), 3)
end

local function process_rows()
  local ms, rss, pss = get("first", "ms"), get("idle", "rss_max_mb"), get("idle", "pss_mb")
  local asks = get("idle", "worker_cmds_per_s")
  row("first job done after exec (ms)", ms, 1, "ms", ms, "<", 50)
  row("idle RSS, largest process (MB)", rss, 2, "MB", rss, "<", 5)
  row("idle RSS, all four processes (MB)", get("idle", "rss_mb"), 2)
  row("idle PSS, all four processes (MB)", pss, 2, "MB", pss, "<", 8)
  row("idle commands/s of a worker", asks, 2, "a second", asks, "<", 0.5)
  row("idle commands/s of the agent", get("idle", "agent_cmds_per_s"), 2)
end

local sections =
  { redis_rows, drain_rows, hold_rows, enqueue_rows, latency_rows, nap_rows, beat_rows,
    process_rows }
for _, section in ipairs(sections) do
  section()
  rows[#rows + 1] = {}
end

-- nil when it was not measured, else whether the ratio is on the right side of its bound.
local function is_met(r)
  local ratio, side, bound = r[5], r[6], r[7]
  if not ratio then return nil end
  if side == ">" then return ratio >= bound end
  return ratio <= bound
end

local function verdict(r)
  local met = is_met(r)
  if met == nil then return "" end
  local side = r[6] == ">" and "at least" or "at most"
  local bound = number(r[7], r[7] % 1 == 0 and 0 or 2)
  local word = met and "met" or "MISSED"
  return ("%s %s, wanted %s %s: %s"):format(number(r[5], 2), r[4], side, bound, word)
end

local missed = 0
for _, r in ipairs(rows) do
  local title, value = r[1], r[2]
  if is_met(r) == false then missed = missed + 1 end
  if value or r[5] or not title and not r.n then
    local shown = value and number(value, r[3]) or ""
    print(((("%-44s %10s  %s"):format(title or "", shown, verdict(r))):gsub("%s+$", "")))
  end
end
print(("medians of %d runs, drains of %s jobs; %d targets missed; JSON: %s"):format(
  get("machine", "repeats"), number(get("machine", "jobs"), 0), missed, json_path))

-- --- the JSON -----------------------------------------------------------------------------------

local targets = {}
for _, r in ipairs(rows) do
  if r[5] then
    local what = r[1] or "drain, results, 1 worker (jobs/s)"
    targets[#targets + 1] =
      { what = what, ratio = r[5], unit = r[4], side = r[6], bound = r[7], met = is_met(r) }
  end
end
local file = assert(io.open(json_path, "w"))
local all = { medians = facts, samples = samples, targets = targets }
file:write(assert(moil.json.encode(all)), "\n")
file:close()

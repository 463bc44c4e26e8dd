-- The table of `make bench`, and its JSON: medians of what was measured, ratios within the run, and
-- whether each target is met. Called by bench/run: report.lua FACTS JSON PEERS. FACTS holds lines
-- "name key value key value ...", a name once for each repetition; PEERS is the JSON of `make
-- bench-peers`, if there is one.
local moil = require "moil"

local facts_path, json_path, peers_path = arg[1], arg[2], arg[3]

-- --- what was measured ---------------------------------------------------------------------------

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
  local best
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value and (not best or value > best) then best = value end
  end
  return best
end

-- The raw limit is the depth with the best median.
local function raw(kind)
  return most(get("raw_" .. kind .. "_1", "rate"), get("raw_" .. kind .. "_2", "rate"),
    get("raw_" .. kind .. "_4", "rate"))
end

local function fastest_peer()
  local best
  for _, figures in pairs(peers) do best = most(best, figures.drain_results_1w) end
  return best
end

-- --- the table -----------------------------------------------------------------------------------

local rtt = over(get("yardstick", "rtt_p50_us"), 1000)
local drain = get("drain_keep_1w", "rate")
local bulk_us, set_us = get("enqueue_bulk", "redis_us"), get("yardstick", "set_ex_us")
local life_us = sum(bulk_us or false, get("drain_keep_1w", "redis_us") or false, get("sweep", "redis_us") or false)
local naps_limit = sum(1.5 * 20000 / 2000 * 0.1, get("naps_noop", "seconds") or false)

-- Title, value, digits after the point; then, where there is a target: what it is compared as, the
-- ratio, "<" or ">", the bound.
local rows = {
  { "Redis: PING, round trip p50 (ms)", rtt, 3 },
  { "Redis: CPU of a PING, one at a time (us)", get("yardstick", "ping_us"), 2 },
  { "Redis: CPU of a SET EX, pipelined (us)", set_us, 2 },
  {},
  { "raw limit, results (jobs/s)", raw "keep", 0 },
  { "drain, results, 1 worker (jobs/s)", drain, 0, "of the raw limit", over(drain, raw "keep"), ">", 0.60 },
  { "", nil, 0, "times Celery", over(drain, peers.celery and peers.celery.drain_results_1w), ">", 60 },
  { "", nil, 0, "times the fastest peer", over(drain, fastest_peer()), ">", 5 },
  { "drain, results, 2 workers (jobs/s)", get("drain_keep_2w", "rate"), 0 },
  { "raw limit, no results (jobs/s)", raw "drop", 0 },
  { "drain, no results, 1 worker (jobs/s)", get("drain_drop_1w", "rate"), 0, "of the raw limit",
    over(get("drain_drop_1w", "rate"), raw "drop"), ">", 0.50 },
  { "drain, no results, 2 workers (jobs/s)", get("drain_drop_2w", "rate"), 0 },
  { "drain, results, append-only file (jobs/s)", get("drain_aof", "rate"), 0 },
  { "worker's CPU per job, results (us)", get("drain_keep_1w", "worker_us"), 2 },
  { "Redis's CPU per job, results (us)", get("drain_keep_1w", "redis_us"), 2 },
  { "Redis's commands per job, results", get("drain_keep_1w", "commands"), 3 },
  {},
  { "drain, backlog held at 1,000 (jobs/s)", get("hold_small", "rate"), 0 },
  { ("drain, backlog held at %s (jobs/s)"):format(number(get("machine", "big"), 0)), get("hold_big", "rate"), 0,
    "of that at 1,000", over(get("hold_big", "rate"), get("hold_small", "rate")), ">", 0.90 },
  {},
  { "enqueue, one at a time (jobs/s)", get("enqueue_one", "rate"), 0 },
  { "Redis's CPU per job (us)", get("enqueue_one", "redis_us"), 2, "times a PING",
    over(get("enqueue_one", "redis_us"), get("yardstick", "ping_us")), "<", 2.5 },
  { "enqueue, 1,000 a call (jobs/s)", get("enqueue_bulk", "rate"), 0 },
  { "Redis's CPU per job (us)", bulk_us, 2, "times a SET EX", over(bulk_us, set_us), "<", 1.5 },
  { "Redis's CPU, expiry of a result (us)", get("sweep", "redis_us"), 2 },
  { "Redis's CPU, a job's whole life (us)", life_us, 2, "times a SET EX", over(life_us, set_us), "<", 3.5 },
  {},
  { "submit to start, p50 (ms)", get("latency", "start_p50"), 3, "round trips",
    over(get("latency", "start_p50"), rtt), "<", 5 },
  { "submit to start, p95 (ms)", get("latency", "start_p95"), 3 },
  { "submit to start, p99 (ms)", get("latency", "start_p99"), 3, "ms", get("latency", "start_p99"), "<", 2 },
  { "submit to result, p50 (ms)", get("latency", "result_p50"), 3 },
  { "submit to result, p95 (ms)", get("latency", "result_p95"), 3 },
  { "submit to result, p99 (ms)", get("latency", "result_p99"), 3 },
  {},
  { "20,000 no-ops, enqueued and done (s)", get("naps_noop", "seconds"), 3 },
  { "20,000 sleeps of 0.1 s, -c 2000 (s)", get("naps", "seconds"), 3, "of 1.5 x ideal + no-ops",
    over(get("naps", "seconds"), naps_limit), "<", 1 },
  {},
  { "first job done after exec (ms)", get("first", "ms"), 1, "ms", get("first", "ms"), "<", 50 },
  { "idle RSS, largest process (MB)", get("idle", "rss_max_mb"), 2, "MB", get("idle", "rss_max_mb"), "<", 5 },
  { "idle RSS, sum of the tree (MB)", get("idle", "rss_mb"), 2 },
  { "idle PSS, supervisor, agent, 2 workers (MB)", get("idle", "pss_mb"), 2, "MB", get("idle", "pss_mb"), "<", 8 },
  { "idle commands/s of a worker", get("idle", "worker_cmds_per_s"), 2, "a second", get("idle", "worker_cmds_per_s"),
    "<", 0.5 },
  { "idle commands/s of the agent", get("idle", "agent_cmds_per_s"), 2 },
}

-- nil when it was not measured, else whether the ratio is on the right side of its bound.
local function is_met(row)
  local ratio, side, bound = row[5], row[6], row[7]
  if not ratio then return nil end
  if side == ">" then return ratio >= bound end
  return ratio <= bound
end

local function verdict(row)
  local met = is_met(row)
  if met == nil then return "" end
  return ("%s %s, wanted %s %s: %s"):format(number(row[5], 2), row[4], row[6] == ">" and "at least" or "at most",
    number(row[7], row[7] % 1 == 0 and 0 or 2), met and "met" or "MISSED")
end

local missed = 0
for _, row in ipairs(rows) do
  local title, value, digits = row[1], row[2], row[3]
  if not title then
    print()
  elseif title ~= "" or row[5] then
    local line = ("%-44s %10s  %s"):format(title, value and number(value, digits) or title ~= "" and "-" or "", verdict(row))
    print((line:gsub("%s+$", "")))
    if is_met(row) == false then missed = missed + 1 end
  end
end
print(("\nmedians of %d runs, drains of %s jobs; %d targets missed; JSON: %s"):format(get("machine", "repeats"),
  number(get("machine", "jobs"), 0), missed, json_path))

-- --- the JSON ------------------------------------------------------------------------------------

local targets = {}
for _, row in ipairs(rows) do
  if row[5] then
    targets[#targets + 1] = { what = row[1], ratio = row[5], unit = row[4], side = row[6], bound = row[7], met = is_met(row) }
  end
end
local file = assert(io.open(json_path, "w"))
file:write(assert(moil.json.encode { medians = facts, samples = samples, targets = targets }), "\n")
file:close()

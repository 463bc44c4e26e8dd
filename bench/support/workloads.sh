# The workloads of bench/run, one function each. They say what is run and how often; the programs measure.
# Sourced by bench/run.

repeat() { # repeat N COMMAND...
    times=$1
    shift
    while [ "$times" -gt 0 ]; do
        "$@"
        times=$((times - 1))
    done
}

run_yardstick() {
    measure yardstick ping $((seconds / 2))
    clear_all
}

# --- draining a backlog ----------------------------------------------------------------------------------

one_raw() { # one_raw keep|drop DEPTH
    "$bin/feed" fill "$jobs" bench.noop
    measure "raw_$1_$2" raw "$jobs" "$2" "$1"
    clear_all
}

one_drain() { # one_drain NAME keep|drop TASK WORKERS
    "$bin/feed" fill "$jobs" "$3"
    start_worker -w "$4"
    measure "$1" drain "$jobs" "$2" "$worker"
    clear_all
}

# Raw limit and workers take turns, so that a disturbance of the machine hits both.
drains_once() {
    for depth in 1 2 4; do
        one_raw keep "$depth"
    done
    one_drain drain_keep_1w keep bench.noop 1
    one_drain drain_keep_2w keep bench.noop 2
    for depth in 1 2 4; do
        one_raw drop "$depth"
    done
    one_drain drain_drop_1w drop bench.quiet 1
    one_drain drain_drop_2w drop bench.quiet 2
}

run_drain() {
    repeat "$repeats" drains_once
}

run_aof() {
    ask config set appendonly yes >/dev/null
    sleep 1 # the first rewrite of an empty Redis
    one_drain drain_aof keep bench.noop 1
    ask config set appendonly no >/dev/null
}

# --- a backlog held at one size ---------------------------------------------------------------------------

one_hold() { # one_hold NAME BACKLOG
    "$bin/feed" fill "$2" bench.noop
    start_worker -w 1
    measure "$1" feed hold "$2" "$seconds" bench.noop
    clear_all
}

holds_once() {
    one_hold hold_small 1000
    one_hold hold_big "$big"
}

run_hold() {
    repeat "$repeats" holds_once
}

# --- the producers' side ----------------------------------------------------------------------------------

enqueues_once() {
    measure enqueue_one feed one "$seconds"
    clear_all
    measure enqueue_bulk feed bulk "$seconds"
    clear_all
}

run_enqueue() {
    repeat $(((repeats + 1) / 2)) enqueues_once
}

run_latency() {
    start_idle 2
    measure latency latency 100 "$seconds"
    [ -n "$quick" ] || measure latency latency 100 "$seconds"
    clear_all
}

# --- many jobs that wait ----------------------------------------------------------------------------------

run_naps() {
    start_idle 1 -c 2000
    "$bin/feed" burst 2000 bench.noop >/dev/null
    i=0
    while [ $i -lt "$repeats" ]; do
        measure naps_noop feed burst 20000 bench.noop
        measure naps feed burst 20000 bench.nap
        i=$((i + 1))
    done
    clear_all
}

# --- idle: memory and commands ----------------------------------------------------------------------------

memory() {
    for pid in $(tree "$worker"); do
        awk '/^Rss:/ {rss = $2} /^Pss:/ {pss = $2} END {print rss, pss}' "/proc/$pid/smaps_rollup"
    done | awk '{rss = $1 * 1024 / 1e6; sum += rss; pss += $2 * 1024 / 1e6; if (rss > max) max = rss}
        END {printf "processes %d rss_max_mb %.2f rss_mb %.2f pss_mb %.2f\n", NR, max, sum, pss}'
}

# MONITOR shows each command with its arguments; those of a worker name its incarnation, the others are the agent's.
run_idle() {
    start_idle 2
    "$bin/feed" burst 1000 bench.noop >/dev/null
    ask hkeys "{moil}:workers" | sed 's/$/"/' >"$dir/incarnations"
    sleep 1
    redis-cli -s "$BENCH_SOCKET" monitor >"$dir/monitor" &
    monitor=$!
    sleep "$idle_seconds"
    fact idle "$(memory)"
    kill "$monitor" && wait "$monitor" 2>/dev/null || :
    monitor=""
    workers=$(grep -v ' lua\] ' "$dir/monitor" | grep -cFf "$dir/incarnations" || :)
    agent=$(grep -v ' lua\] ' "$dir/monitor" | grep '^[0-9]' | grep -cvFf "$dir/incarnations" || :)
    fact idle "$(echo "$workers $agent $idle_seconds" |
        awk '{printf "worker_cmds_per_s %.3f agent_cmds_per_s %.3f", $1 / 2 / $3, $2 / $3}')"
    clear_all
}

# --- schedules -------------------------------------------------------------------------------------------

# many_entries N: so many entries over the day, and one that is due each second.
many_entries() {
    awk -v n="$1" 'BEGIN {
        print "return { schedule = {"
        print "  second = { task = \"bench.noop\", every = 1 },"
        for (i = 1; i <= n; i++)
            printf "  [\"%d\"] = { task = \"bench.noop\", cron = \"%d %d * * *\" },\n", i, i % 60, i % 24
        print "} }"
    }' >"$dir/beat.lua"
}

run_beat() {
    many_entries 0
    start_idle 1 --beat "$dir/beat.lua"
    measure beat beat second "$beat_seconds"
    clear_all
    many_entries 10000
    start_idle 1
    "$build/moil" beat "$dir/beat.lua" --log-level warning >"$dir/beat.log" 2>&1 &
    monitor=$!
    sleep 3
    measure beat_many beat second "$beat_seconds" "$monitor"
    kill "$monitor" && wait "$monitor" 2>/dev/null || :
    monitor=""
    clear_all
}

run_first() {
    measure first first "$first_runs" "$build/moil" worker -w 2 "$tasks"
    clear_all
}

# --- a job's whole life, in Redis's CPU: bulk enqueue (run_enqueue) + drain (run_drain) + expiry -------------

run_life() {
    "$bin/feed" fill "$jobs" bench.noop
    "$bin/raw" "$jobs" 1 expired >/dev/null
    measure sweep sweep
    clear_all
}

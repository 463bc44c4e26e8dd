# The private redis-server and the `moil worker` of a benchmark run, and what is left of both at its end: nothing.
# Sourced by bench/run; the workloads (workloads.sh) use it.

say() {
    echo "bench: $*" >&2
}

# progress NUMBER OF NAME: which workload begins; on a terminal with a bar of how many are done.
progress() {
    if [ -t 2 ]; then
        bar=$(printf '%*s' "$((($1 - 1) * 20 / $2))" '' | tr ' ' '#')
        printf 'bench: [%-20s] %d of %d  %s\n' "$bar" "$1" "$2" "$3" >&2
    else
        say "$3"
    fi
}

# Redis gets the first CPU for itself, all else the others. Otherwise the scheduler puts two processes that talk in turns on one
# core now and on two then, and a round trip takes 7 or 70 us (and 4 or 25 of Redis's CPU) by its whim.
pin() {
    on_redis_cpu=""
    cpus=$(sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status | tr , '\n' |
        awk -F- '{for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i}')
    others=$(echo "$cpus" | tail -n +2 | paste -sd, -)
    if [ -n "$others" ] && taskset -pc "$others" $$ >/dev/null 2>&1; then
        on_redis_cpu="taskset -c $(echo "$cpus" | head -1)"
    else
        say "Redis cannot be given a CPU of its own: figures of single round trips will vary"
    fi
}

begin() {
    dir=$(mktemp -d "${TMPDIR:-/tmp}/moil-bench.XXXXXX")
    facts=$dir/facts
    worker=""
    redis=""
    monitor=""
    trap end EXIT
    trap 'exit 130' INT TERM HUP
    export BENCH_SOCKET="$dir/redis.sock" MOIL_REDIS="unix://$dir/redis.sock"
    export LUA_PATH="$top/lua/?.lua;$top/lua/?/init.lua;;" LUA_CPATH="$build/lua/?.so;;"
    pin
    cd "$dir" # no moil.lua of somebody else's is found here
    $on_redis_cpu redis-server --port 0 --unixsocket "$BENCH_SOCKET" --dir "$dir" --save "" --appendonly no \
        --logfile "$dir/redis.log" &
    redis=$!
    tries=0
    until [ "$(ask ping 2>/dev/null)" = PONG ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { say "redis-server did not start" && exit 1; }
        sleep 0.05
    done
    fact machine redis "$(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')" cores "$(nproc)" jobs "$jobs" \
        repeats "$repeats" big "$big"
}

end() {
    [ -z "$monitor" ] || kill "$monitor" 2>/dev/null || :
    stop_worker || :
    if [ -n "$redis" ]; then
        kill -9 "$redis" 2>/dev/null || :
        wait "$redis" 2>/dev/null || :
    fi
    cd /
    rm -rf "$dir"
}

ask() {
    redis-cli -s "$BENCH_SOCKET" "$@"
}

# fact NAME KEY VALUE...: what was measured, for the report.
fact() {
    echo "$*" >>"$facts"
}

# measure NAME PROGRAM [ARG]...: its output becomes facts.
measure() {
    name=$1 program=$2
    shift 2
    line=$("$bin/$program" "$@") || { say "$name failed" && exit 1; }
    echo "$name $line" >>"$facts"
}

# start_worker FLAG...: does not wait.
start_worker() {
    "$build/moil" worker --log-level warning "$@" "$tasks" >"$dir/worker.log" 2>&1 &
    worker=$!
}

# start_idle N FLAG...: N worker processes that serve.
start_idle() {
    wanted=$1
    shift
    start_worker -w "$wanted" "$@"
    tries=0
    until [ "$(ask hlen "{moil}:workers")" = "$wanted" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { say "the workers did not start" && cat "$dir/worker.log" >&2 && exit 1; }
        sleep 0.05
    done
}

stop_worker() {
    [ -n "$worker" ] || return 0
    kill "$worker" 2>/dev/null || :
    wait "$worker" 2>/dev/null || :
    worker=""
}

# Ends a workload: the next one sees an empty Redis.
clear_all() {
    stop_worker
    ask flushall >/dev/null
}

# The ids of a process and its descendants.
tree() {
    echo "$1"
    for child in $(cat "/proc/$1/task/$1/children"); do
        tree "$child"
    done
}

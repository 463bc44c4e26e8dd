#!/bin/sh
# What `make demo` runs: a private Redis and two workers in a temporary folder, real jobs from examples/demo.lua, and
# everything gone afterwards. Exits 0 only when each result was right. With MOIL=PROGRAM it is an installed moil's, and
# Lua finds the library by itself.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
moil=${MOIL:-$build/moil}

dir=$(mktemp -d "${TMPDIR:-/tmp}/moil-demo.XXXXXX")
supervisor=
clean_up() {
    status=$?
    trap - EXIT
    if [ -n "$supervisor" ]; then
        kill "$supervisor" 2>/dev/null || true
        wait "$supervisor" || true
    fi
    if [ "$status" -ne 0 ]; then
        echo "demo: failed; the end of the workers' log:" >&2
        tail -20 "$dir/log" >&2 || true
    fi
    rm -rf "$dir"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

: >"$dir/log"
"$moil" worker tasks --workers 2 --concurrency 2 --redis "embedded:$dir/redis" >>"$dir/log" 2>&1 &
supervisor=$!
echo "moil: two workers and a private Redis in $dir"
until grep -q ' ready:' "$dir/log"; do
    kill -0 "$supervisor" 2>/dev/null || exit 1
    sleep 0.02
done

export MOIL_REDIS="embedded:$dir/redis"
[ -n "${MOIL:-}" ] || export LUA_PATH="$PWD/lua/?.lua;$PWD/lua/?/init.lua;;" LUA_CPATH="$build/lua/?.so;;"
"${LUA:-lua5.4}" examples/demo.lua "$moil" "$dir"

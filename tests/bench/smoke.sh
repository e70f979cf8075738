#!/bin/sh
# Seconds, not minutes: every program of the benchmark builds and runs, every echo is right, and
# ws.h needs no more system calls and memory than it should. Measures nothing that depends on the clock.
# Prints one line per check and, last, "N passed, N failed". Linux.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}"
src=tests/bench out=build/bench passed=0 failed=0 server=
mkdir -p "$out"
[ "$(uname)" = Linux ] || { echo "SKIP bench-smoke: Linux only"; echo "0 passed, 0 failed"; exit 0; }
trap '[ -z "$server" ] || kill "$server" 2>/dev/null' EXIT

check() {       # check NAME COMMAND...
    name=$1
    shift
    if "$@" >"$out/smoke.log" 2>&1; then passed=$((passed + 1)); echo "ok $name"
    else failed=$((failed + 1)); echo "FAIL $name"; tail -n 5 "$out/smoke.log"; fi
}

absent() {      # absent WHAT: a failure where everything is to be there
    echo "SKIP $1"
    [ "${CI-}" != true ] || failed=$((failed + 1))
}

start() {       # start COMMAND...: its process in $server, its port in $port
    : >"$out/smoke.out"
    "$@" >"$out/smoke.out" 2>"$out/smoke.err" </dev/null &
    server=$! port= tries=0
    while [ -z "$port" ] && [ $tries -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
        port=$(sed -n '1s/.*[: ]\([0-9][0-9]*\)\/*$/\1/p' "$out/smoke.out")
    done
    [ -n "$port" ]
}

stop() { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; server=; }

load() { timeout 60 "$out/load" "$1" "$port" "$server" "$2" "$3" "$4" "$5"; }

echoes() {      # echoes NAME ws|tcp COMMAND...: load compares every byte
    label=$1 mode=$2
    shift 2
    start "$@" || { check "$label starts" cat "$out/smoke.err" /nowhere; return; }
    check "$label: 20 B, 10 connections" load "$mode" 10 20 1 0.1
    check "$label: 20 B, 16 deep" load "$mode" 10 20 16 0.1
    check "$label: 64 KiB" load "$mode" 4 65536 2 0.1
    check "$label: 1 MiB" load "$mode" 2 1048576 1 0.1
    [ "$mode" = tcp ] || check "$label: handshakes" load hs 10 0 0 0.1
    [ "$mode" = tcp ] || check "$label: idle connections" load idle 200 0 0 0
    stop
}

# few MESSAGES CALLS ALLOCATIONS: at most so many of them per message, and some for ten connections.
few() {
    awk -v m="${1:-0}" -v calls="$2" -v allocations="$3" '
        { print } $1 == "calls" { print m; ok = m > 500 && $2 <= calls * m + 200 }
        $1 == "allocations" && $2 > allocations * m + 400 { ok = 0 } END { exit !ok }
    ' "$out/smoke.err"
}

# calls NAME DEPTH MOST COMMAND...: a turn takes one receive, one send and its part of one wait;
# the rest is for accepting ten connections.
calls() {
    label=$1 depth=$2 most=$3
    shift 3
    start env LD_PRELOAD="$out/count.so" "$@"
    messages=$(load ws 10 20 "$depth" 0.5 | awk '{ print $5 }')
    stop
    check "$label, depth $depth: at most $most system calls per message" few "$messages" "$most" 0
}

deflate() {     # deflate CONNECTIONS SIZE DEPTH [OPTION...]: JSON; every byte is compared
    connections=$1 size=$2 depth=$3
    shift 3
    timeout 60 build/loadgen "ws://127.0.0.1:$port/" --text --deflate=required --connections "$connections" \
        --size "$size" --depth "$depth" --seconds 1 "$@"
}

# deflates NAME "CONNECTIONS/SIZE/DEPTH ..." COMMAND...: echoes of a server that compresses
deflates() {
    label=$1 cells=$2
    shift 2
    start "$@" || { check "$label starts" cat "$out/smoke.err" /nowhere; return; }
    for cell in $cells; do
        check "$label, compressed: $cell" deflate $(echo "$cell" | tr / ' ')
    done
    stop
}

deflate_calls() {       # deflate_calls SIZE DEPTH MOST COMMAND...
    label="compressed, $1 B, depth $2" size=$1 depth=$2 most=$3
    shift 3
    start env LD_PRELOAD="$out/count.so" "$@"
    messages=$(deflate 10 "$size" "$depth" --json | sed 's/.*messages_in_all":\([0-9]*\).*/\1/')
    stop
    check "$label: at most $most system calls per message" few "$messages" "$most" 0.2
}

streams() {     # streams NAME COMMAND...: events arrive at ten readers
    label=$1
    shift
    start "$@" 2 || { check "$label starts" cat "$out/smoke.err" /nowhere; return; }
    check "event streams of $label" sh -c \
        "timeout 60 '$out/sse_load' $port $server 10 0.2 | awk '{ print } \$1 > 0 { ok = 1 } END { exit !ok }'"
    stop
}

build() { name=$1; shift; check "build $name" $CC $CFLAGS -Wall -Wextra "$src/$name.c" "$@"; }

build load -o "$out/load"
build tcp_echo -o "$out/tcp_echo"
build micro -o "$out/micro"
build count -shared -fPIC -o "$out/count.so"
check "build echo_server" sh tests/examples.sh echo_server
echoes tcp tcp "$out/tcp_echo"
echoes ws.h ws build/echo_server --port 0 --any-origin
if echo '#include <wslay/wslay.h>' | $CC -E - >/dev/null 2>&1; then
    build wslay_echo -o "$out/wslay_echo" -lwslay
    echoes wslay ws "$out/wslay_echo"
else absent "wslay: no libwslay-dev"
fi
[ -d tests/interop/node_modules/ws ] || ! command -v npm >/dev/null ||
    (cd tests/interop && npm ci --no-audit --no-fund >/dev/null 2>&1)
if [ -d tests/interop/node_modules/ws ]; then echoes npm ws node "$src/ws_echo.js"
else absent "npm ws: not installed"
fi
calls ws.h 1 3 build/echo_server --port 0 --any-origin
calls ws.h 16 0.1875 build/echo_server --port 0 --any-origin
if echo '#include <zlib.h>' | $CC ${CPPFLAGS-} -E - >/dev/null 2>&1; then
    check "build loadgen" sh tests/examples.sh loadgen
    alone=server_no_context_takeover,client_no_context_takeover
    deflates ws.h "4/1024/4 4/65536/4 2/1048576/1" build/echo_server --port 0 --any-origin --deflate
    deflates "ws.h, alone" "4/1024/4 4/65536/4" build/echo_server --port 0 --any-origin "--deflate=$alone"
    [ ! -d tests/interop/node_modules/ws ] || deflates "npm ws" 4/1024/4 node "$src/ws_echo.js" deflate
    deflate_calls 1024 1 3 build/echo_server --port 0 --any-origin --deflate
    deflate_calls 1024 16 0.25 build/echo_server --port 0 --any-origin "--deflate=$alone"
else absent "compression: no zlib1g-dev"
fi
check "masking and UTF-8 run" "$out/micro" 9
build sse -o "$out/sse"
build sse_fan -o "$out/sse_fan" -pthread
build sse_load -o "$out/sse_load"
streams ws_sse.h "$out/sse_fan"
if [ -d tests/interop/node_modules/better-sse ]; then
    streams faye node "$src/sse_fan.js" faye
    streams better-sse node "$src/sse_fan.js" better-sse
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/bash
# Measures the echo server on ws.h beside a bare TCP echo, libwslay and npm ws, with one load
# generator. Figure of merit: processor time of the server per message, as a ratio to the bare
# TCP echo of the same round (more is better; 1.00 = as cheap as TCP). Linux, two cores.
#   tests/bench/run.sh [--quick] [--realtime] [--rounds N] [--seconds S]
#                      [--only a,b] [--cells "20/100/1 ..."] [--fan] [--tls] [--deflate]
#                      [--before DIRECTORY]
# Cells are SIZE/CONNECTIONS/DEPTH; in the grid 1 MiB x 1000 x 16 is left out, 16 GiB in flight
# being more than the machine's sockets hold. Servers run on core 0, the generator on core 1; servers
# take turns within a round. A missing server is said and left out. --realtime (as root) gives
# both sides real-time priority while measuring: for machines that do other work as well.
# --fan measures fan-out only, --tls echoes over TLS only, --deflate compressed echoes only,
# --cells none with --quick only components and event streams. --before: the build directory of
# another state of ws.h, which takes part as "before"; of each cell the last column is then
# before / ws.h, the median over the rounds (more than 1.00: the present one is cheaper).
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}"
src=tests/bench
bin=${BUILD-build}
out=$bin/bench
mkdir -p "$out"
quick= fan= tls= deflate= before= rounds=4 seconds=0.6 cells= only=tcp,ws.h,wslay,npm
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1 ;;
    --realtime) export LOAD_RT=1 ;;
    --rounds) rounds=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --only) only=$2; shift ;;
    --before) before=$2; shift ;;
    --cells) cells=$2; shift ;;
    --fan) fan=1 cells=none ;;
    --tls) tls=1 cells=none ;;
    --deflate) deflate=1 cells=none ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done
ulimit -n "$(ulimit -Hn)" 2>/dev/null
[ "$(uname)" = Linux ] || { echo "SKIP bench: it reads /proc and uses epoll"; exit 0; }

# ---- build ----
compile() { $CC $CFLAGS -Wall -Wextra "$src/$1.c" -o "$out/$1" "${@:2}" || { echo "cannot build $1"; return 1; }; }
compile load || exit 1
compile tcp_echo || exit 1
compile micro || exit 1
compile ws_fan -pthread || exit 1
compile sse || exit 1
compile sse_fan -pthread || exit 1
compile sse_load || exit 1
$CC $CFLAGS -Wall -Wextra -shared -fPIC $src/count.c -o "$out/count.so" || exit 1
compile wslay_echo -lwslay 2>"$out/wslay.log" || echo "SKIP wslay: see $out/wslay.log (Debian: libwslay-dev)"
[ -x "$bin/echo_server" ] || { echo "no $bin/echo_server: make examples"; exit 1; }
if command -v npm >/dev/null && [ ! -d tests/interop/node_modules/ws ]; then
    (cd tests/interop && npm ci --no-audit --no-fund >/dev/null 2>&1)
fi

pin0='' pin1=''
if [ "$(getconf _NPROCESSORS_ONLN)" -ge 2 ] && command -v taskset >/dev/null; then
    pin0='taskset -c 0' pin1='taskset -c 1'
else
    echo "not pinned: one core or no taskset; the figures mean little"
fi

declare -A command pid port mode
command[tcp]="$out/tcp_echo"
command[ws.h]="$bin/echo_server --port 0 --any-origin"
[ -z "$before" ] || command[before]="$before/echo_server --port 0 --any-origin" only=$only,before
[ -x "$out/wslay_echo" ] && command[wslay]="$out/wslay_echo"
[ -d tests/interop/node_modules/ws ] && command[npm]="node $src/ws_echo.js"

start() {       # start NAME [PREFIX...]
    local name=$1 i line=
    shift
    : >"$out/$name.out"
    $pin0 "$@" ${command[$name]} >"$out/$name.out" 2>"$out/$name.err" </dev/null &
    pid[$name]=$!
    for ((i = 0; i < 100 && ${#line} == 0; i++)); do sleep 0.05; line=$(head -n 1 "$out/$name.out"); done
    port[$name]=$(echo "$line" | sed 's/.*[: ]\([0-9][0-9]*\)\/*$/\1/')
    mode[$name]=ws
    [ "$name" = tcp ] && mode[$name]=tcp
    [ -n "${port[$name]}" ] || { echo "$name did not start"; return 1; }
}
stop() { kill "${pid[$1]}" 2>/dev/null; wait "${pid[$1]}" 2>/dev/null; }
load() { timeout 60 $pin1 "$out/load" "$@"; }
against() { [ -s "$1" ] && [ -s "$2" ] && paste "$1" "$2" | awk '$2 > 0 { print $1 / $2 }' | median; }
median() { sort -n | awk '{ v[NR] = $1 } END { if (!NR) print "-"; else printf "%.4f\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

servers=()
for s in ${only//,/ }; do [ -n "${command[$s]-}" ] && servers+=("$s"); done
if [ -z "$cells" ]; then
    if [ -n "$quick" ]; then
        cells="20/1/1 20/100/1 20/100/16 1024/100/16 4096/100/16 16384/100/16 65536/100/1 1048576/1/1"
        rounds=2 seconds=0.4
    else
        for size in 20 1024 16384 65536 1048576; do
            for n in 1 100 1000; do
                for d in 1 16; do
                    [ $((size * n * d)) -gt $((2 << 30)) ] || cells="$cells $size/$n/$d"
                done
            done
        done
    fi
fi

echo "$(uname -srm), $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $($CC --version | head -n 1), CFLAGS $CFLAGS"
trap 'for s in "${!pid[@]}"; do kill "${pid[$s]-}" 2>/dev/null; done' EXIT

# ---- throughput ----
if [ "$cells" != none ]; then
for s in "${servers[@]}"; do start "$s" || exit 1; done
echo
echo "Server CPU per message: microseconds for bare TCP, then TCP / server (1.00 = as cheap as TCP)"
echo "and thousand messages per second; median of $rounds rounds of $seconds s or more"
printf '%-16s' size/conns/depth
for s in "${servers[@]}"; do printf ' %16s' "$s"; done
echo
bad=0
for cell in $cells; do
    IFS=/ read -r size n d <<<"$cell"
    rm -f "$out"/r.*
    time=$seconds
    [ $((size * n * d)) -lt $((32 << 20)) ] || time=2       # each connection a few times
    for ((r = 0; r < rounds; r++)); do
        base=
        for s in "${servers[@]}"; do
            kill -0 "${pid[$s]}" 2>/dev/null || start "$s"
            if ! line=$(load "${mode[$s]}" "${port[$s]}" "${pid[$s]}" "$n" "$size" "$d" "$time" 2>"$out/load.err"); then
                echo "    $s failed at $cell: $(cat "$out/load.err")"
                [ "$s" = ws.h ] && bad=1
                stop "$s"
                continue
            fi
            read -r rate cpu _ _ _ <<<"$line"
            [ "$s" = tcp ] && base=$cpu
            echo "$rate" >>"$out/r.$s.rate"
            echo "$cpu" >>"$out/r.$s.cpu"
            [ -n "$base" ] && awk -v a="$base" -v b="$cpu" 'BEGIN { if (b > 0) print a / b }' >>"$out/r.$s.ratio"
        done
    done
    printf '%-16s' "$cell"
    for s in "${servers[@]}"; do
        if [ ! -s "$out/r.$s.cpu" ]; then printf ' %16s' -; continue; fi
        rate=$(median <"$out/r.$s.rate")
        if [ "$s" = tcp ] || [ ! -s "$out/r.$s.ratio" ]; then x="$(median <"$out/r.$s.cpu" | awk '{ printf "%.2fus", $1 }')"
        else x=$(median <"$out/r.$s.ratio" | awk '{ printf "%.2f", $1 }'); fi
        printf ' %7s %8s' "$x" "$(awk -v r="$rate" 'BEGIN { printf "%.1fk", r / 1000 }')"
    done
    [ -z "$before" ] || printf ' %8.2f' "$(against "$out/r.before.cpu" "$out/r.ws.h.cpu")"
    echo
done

echo
echo "Handshakes per second (and CPU us each), 50 at a time"
for s in "${servers[@]}"; do
    [ "$s" = tcp ] && continue
    printf '%-8s %s\n' "$s" "$(load hs "${port[$s]}" "${pid[$s]}" 50 0 0 1)"
done
for s in "${servers[@]}"; do stop "$s"; done

idle=10000
[ "$(ulimit -n)" -gt 12000 ] || idle=$(($(ulimit -n) * 8 / 10))
[ -z "$quick" ] || idle=$((idle < 4000 ? idle : 4000))
echo
echo "Resident bytes per idle connection, $idle connections after one echo each"
for s in "${servers[@]}"; do
    [ "$s" = tcp ] && continue
    start "$s" || continue
    printf '%-8s %s\n' "$s" "$(load idle "${port[$s]}" "${pid[$s]}" "$idle" 0 0 0)"
    stop "$s"
done
fi

# ---- fan-out ----
if [ "$cells" != none ] || [ -n "$fan" ]; then
command[fan.ws.h]="$out/ws_fan"
[ -z "$before" ] || command[fan.before]="$before/bench/ws_fan"
[ -d tests/interop/node_modules/ws ] && command[fan.npm]="node $src/ws_fan.js"
echo
echo "One message to 1000 subscribers: deliveries per second, server CPU us per delivery,"
echo "p50 and p99 us until the last subscriber of a burst has it; median of $rounds rounds"
for cell in 100/1 100/16 4096/1; do
    for s in fan.ws.h fan.before fan.npm; do rm -f "$out/f.$s"; done
    for ((round = 0; round < rounds; round++)); do
        for s in fan.ws.h fan.before fan.npm; do
            [ -n "${command[$s]-}" ] || continue
            start "$s" || continue
            load fan "${port[$s]}" "${pid[$s]}" 1001 "${cell%/*}" "${cell#*/}" 2 >>"$out/f.$s"
            stop "$s"
        done
    done
    for s in fan.ws.h fan.before fan.npm; do
        [ -s "$out/f.$s" ] || continue
        printf '%-10s %-10s' "$cell" "${s#fan.}"
        for k in 1 2 3 4; do printf ' %10.4g' "$(awk -v k=$k '{ print $k }' "$out/f.$s" | median)"; done
        echo
    done
done
fi
[ -z "$fan" ] || exit 0

# ---- TLS ----
tls_load() {    # tls_load NAME CONNECTIONS SIZE DEPTH SECONDS
    [ -z "${LOAD_RT-}" ] || chrt -a -r -p 1 "${pid[$1]}"
    SSL_CERT_FILE=$out/certs/ca.pem timeout 60 ${LOAD_RT:+chrt -r 1} $pin1 "$bin/loadgen" --json --pid "${pid[$1]}" \
        "wss://localhost:${port[$1]}/" --connections "$2" --size "$3" --depth "$4" --seconds "$5"
}
resident() { awk '$1 == "VmRSS:" { print $2 * 1024 }' "/proc/$1/status"; }
tls_bench() {
    local s r line idle size n d all=()
    command[tls.mbedtls]="$bin/echo_server --port 0 --any-origin --tls-cert $out/certs/good.pem --tls-key $out/certs/good.key"
    [ -x "$bin/tls_openssl" ] && command[tls.openssl]="$bin/tls_openssl 0 $out/certs/good.pem $out/certs/good.key"
    [ -z "$before" ] || command[tls.before]="$before/${command[tls.mbedtls]#$bin/}"
    [ -d tests/interop/node_modules/ws ] && command[tls.npm]="node $src/ws_echo.js $out/certs"
    echo
    echo "Echo over TLS (mbedTLS and OpenSSL under ws.h; node's OpenSSL under npm ws): server CPU in"
    echo "microseconds per message, thousand messages per second; median of $rounds rounds"
    for s in tls.mbedtls tls.before tls.openssl tls.npm; do [ -n "${command[$s]-}" ] && start "$s" && all+=("$s"); done
    printf '%-16s' size/conns/depth
    printf ' %20s' "${all[@]#tls.}"
    echo
    for cell in 1024/1/1 1024/100/1 1024/100/16 65536/1/1 65536/100/1; do
        IFS=/ read -r size n d <<<"$cell"
        rm -f "$out"/t.*
        for ((r = 0; r < rounds; r++)); do
            for s in "${all[@]}"; do
                line=$(tls_load "$s" "$n" "$size" "$d" 1) || { echo "$s failed at $cell"; bad=1; continue; }
                echo "$line" | sed 's/.*cpu_us_per_message":\([0-9.]*\).*/\1/' >>"$out/t.$s.cpu"
                echo "$line" | sed 's/.*messages_per_second":\([0-9.]*\).*/\1/' >>"$out/t.$s.rate"
            done
        done
        printf '%-16s' "$cell"
        for s in "${all[@]}"; do
            printf ' %10.2fus %7.1fk' "$(median <"$out/t.$s.cpu")" "$(median <"$out/t.$s.rate" | awk '{ print $1 / 1000 }')"
        done
        [ -z "$before" ] || printf ' %8.2f' "$(against "$out/t.tls.before.cpu" "$out/t.tls.mbedtls.cpu")"
        echo
    done
    echo
    echo "Resident bytes per open TLS connection, 500 connections that echo"
    for s in "${all[@]}"; do
        stop "$s"
        start "$s" || continue
        tls_load "$s" 1 64 1 1 >/dev/null
        idle=$(resident "${pid[$s]}")
        tls_load "$s" 500 64 1 3 >/dev/null &
        sleep 2.5
        printf '%-12s %d\n' "${s#tls.}" $((($(resident "${pid[$s]}") - idle) / 500))
        wait $!
        stop "$s"
    done
}
if [ "$cells" != none ] || [ -n "$tls" ]; then
    if sh tests/tls/certs.sh "$out/certs" && "$bin/hello_client" wss://127.0.0.1:1/ 2>&1 | grep -q refused
    then tls_bench
    else echo "SKIP bench over TLS: needs openssl, and $bin built with mbedTLS (Debian: libmbedtls-dev)"
    fi
fi
[ -z "$tls" ] || exit "${bad-0}"

# ---- compression ----
deflate_load() {    # deflate_load NAME CONNECTIONS SIZE DEPTH SECONDS
    timeout 60 $pin1 "$bin/loadgen" --json --pid "${pid[$1]}" "ws://127.0.0.1:${port[$1]}/" --text --deflate=required \
        --connections "$2" --size "$3" --depth "$4" --seconds "$5"
}
deflate_bench() {
    local s r line idle size n d how all=()
    declare -A of
    of[kept]=level=6
    of[small]=server_max_window_bits=12,client_max_window_bits=12,mem_level=5
    of[alone]=server_no_context_takeover,client_no_context_takeover
    echo
    echo "Echo of JSON with permessage-deflate: server CPU in microseconds per message, and npm / ws.h in"
    echo "the same round. kept: context taken over, zlib's defaults; small: the same with windows of 12"
    echo "bits and memory level 5; alone: no context takeover; median of $rounds rounds"
    for how in kept small alone; do
        command[$how.ws.h]="$bin/echo_server --port 0 --any-origin --deflate=${of[$how]}"
        start $how.ws.h && all+=($how.ws.h)
        if [ -n "$before" ]; then
            command[$how.before]="$before/${command[$how.ws.h]#$bin/}"
            start $how.before && all+=($how.before)
        fi
        [ -d tests/interop/node_modules/ws ] || continue
        command[$how.npm]="node $src/ws_echo.js deflate-$how"
        start $how.npm && all+=($how.npm)
    done
    printf '%-16s %-6s %10s %10s %10s\n' size/conns/depth how ws.h npm ratio
    for cell in 1024/1/1 1024/100/1 1024/100/16 65536/1/1 65536/100/1; do
        IFS=/ read -r size n d <<<"$cell"
        rm -f "$out"/d.*
        for ((r = 0; r < rounds; r++)); do
            for s in "${all[@]}"; do
                line=$(deflate_load "$s" "$n" "$size" "$d" 1) || { echo "$s failed at $cell"; bad=1; continue; }
                echo "$line" | sed 's/.*cpu_us_per_message":\([0-9.]*\).*/\1/' >>"$out/d.$s"
            done
        done
        for how in kept small alone; do
            [ -s "$out/d.$how.ws.h" ] || continue
            printf '%-16s %-6s %8.1fus' "$cell" $how "$(median <"$out/d.$how.ws.h")"
            [ -s "$out/d.$how.npm" ] && printf ' %8.1fus %10.2f' "$(median <"$out/d.$how.npm")" \
                "$(against "$out/d.$how.npm" "$out/d.$how.ws.h")"
            [ -z "$before" ] || printf ' %8.2f' "$(against "$out/d.$how.before" "$out/d.$how.ws.h")"
            echo
        done
    done
    echo
    echo "Resident bytes per open connection, 500 connections that echo 1 KiB"
    for s in "${all[@]}"; do
        stop "$s"
        start "$s" || continue
        deflate_load "$s" 1 1024 1 1 >/dev/null
        idle=$(resident "${pid[$s]}")
        deflate_load "$s" 500 1024 1 3 >/dev/null &
        sleep 2.5
        printf '%-12s %d\n' "$s" $((($(resident "${pid[$s]}") - idle) / 500))
        wait $!
        stop "$s"
    done
}
if [ "$cells" != none ] || [ -n "$deflate" ]; then
    command[probe]="$bin/echo_server --port 0 --deflate"
    if start probe >/dev/null; then stop probe; deflate_bench
    else echo "SKIP bench of compression: $bin is built without zlib (Debian: zlib1g-dev)"
    fi
fi
[ -z "$deflate" ] || exit "${bad-0}"

# ---- system calls ----
if [ -z "$quick" ]; then
    echo
    echo "System calls that move bytes, per message"
    for cell in 20/1/1 20/100/1 20/100/16 1024/100/16 16384/100/16 65536/100/1 1048576/1/1; do
        IFS=/ read -r size n d <<<"$cell"
        printf '%-16s' "$cell"
        for s in "${servers[@]}"; do
            [ "$s" = npm ] && continue
            start "$s" env LD_PRELOAD="$out/count.so" || continue
            total=$(load "${mode[$s]}" "${port[$s]}" "${pid[$s]}" "$n" "$size" "$d" 1 | awk '{ print $5 }')
            stop "$s"
            awk -v m="$total" -v s="$s" '$1 == "calls" { printf "  %s %.3f", s, $2 / m }' "$out/$s.err"
        done
        echo
    done
fi

# ---- components ----
echo
$pin1 "$out/micro"
echo
$pin1 "$out/sse"

# ---- event streams ----
command[sse.ws_sse.h]="$out/sse_fan"
if [ -d tests/interop/node_modules/better-sse ]; then
    command[sse.faye]="node $src/sse_fan.js faye"
    command[sse.better-sse]="node $src/sse_fan.js better-sse"
fi
echo
echo "Event streams: events of 100 bytes to each reader, 200 times a second: events per second that"
echo "arrived, server CPU in microseconds for each; median of $rounds rounds"
declare -A sse
for s in sse.ws_sse.h sse.faye sse.better-sse; do sse[$s]=${command[$s]-}; done
for cell in 10/1 100/1 1000/1 100/16; do
    rm -f "$out"/s.*
    for ((round = 0; round < rounds; round++)); do
        for s in sse.ws_sse.h sse.faye sse.better-sse; do
            [ -n "${sse[$s]}" ] || continue
            command[$s]="${sse[$s]} ${cell#*/}"
            start "$s" || continue
            timeout 60 $pin1 "$out/sse_load" "${port[$s]}" "${pid[$s]}" "${cell%/*}" 2 >>"$out/s.$s"
            stop "$s"
        done
    done
    for s in sse.ws_sse.h sse.faye sse.better-sse; do
        [ -n "${sse[$s]}" ] || continue
        [ -s "$out/s.$s" ] || { echo "$s failed"; bad=1; continue; }
        printf '%4d readers, %2d at a time  %-12s %8.0f events/s  %8.3f us\n' "${cell%/*}" "${cell#*/}" \
            "${s#sse.}" "$(awk '{ print $1 }' "$out/s.$s" | median)" "$(awk '{ print $2 }' "$out/s.$s" | median)"
    done
done
[ "${bad-0}" = 0 ]

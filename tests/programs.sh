#!/bin/sh
# Runs the example programs against each other and compares what they print with what their
# first comment promises. Prints "ok TITLE" or "FAIL TITLE"; last line "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/programs
rm -rf $out; mkdir -p $out
passed=0 failed=0

limit() { if command -v timeout >/dev/null 2>&1; then timeout 20 "$@"; else "$@"; fi; }
pass() { passed=$((passed + 1)); echo "ok $1"; }
says() {        # says TITLE FILE EXPECTED: the file is exactly that
    printf '%s\n' "$3" >$out/want
    if diff $out/want "$2"; then pass "$1"; else failed=$((failed + 1)); echo "FAIL $1"; fi
}
holds() {       # holds TITLE COMMAND...
    title=$1; shift
    if "$@" >$out/last.txt 2>&1; then pass "$title"
    else failed=$((failed + 1)); echo "FAIL $title"; tail -n 5 $out/last.txt; fi
}

build/echo_server --port 0 >$out/server.txt 2>&1 &
server=$!
trap 'kill $server 2>/dev/null' EXIT
i=0
while [ ! -s $out/server.txt ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
url=$(sed -n '1s|^.*\(ws://[^ ]*\).*$|\1|p' $out/server.txt)
port=${url##*:}; port=${port%/}
holds "echo_server prints its port" [ "${port:-0}" -gt 0 ]

limit build/hello_client "$url" >$out/hello.txt 2>&1;   says hello_client $out/hello.txt hello
limit build/own_loop "$url" >$out/own.txt 2>&1
says own_loop $out/own.txt "open
hi
closed 1000"
limit build/engine_pipe >$out/pipe.txt 2>&1
holds engine_pipe grep -q 'ping?' $out/pipe.txt
if command -v bash >/dev/null 2>&1; then
    limit bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; exec build/custom_io <&3 >&3" 2>$out/custom.txt
    says custom_io $out/custom.txt "5 bytes: hello"
fi
holds loadgen limit build/loadgen "$url" --connections 8 --size 1000 --depth 4 --seconds 1

# failures have words and a status
holds "hello_client: nobody listens" sh -c '! build/hello_client ws://127.0.0.1:1/ 2>&1 >/dev/null |
    grep -qv connection'
holds "hello_client: exit status" sh -c '! build/hello_client ws://127.0.0.1:1/'
holds "hello_client: wss has no TLS" sh -c 'build/hello_client wss://127.0.0.1/ 2>&1 | grep -q TLS'
holds "hello_client: bad URL" sh -c 'build/hello_client nonsense 2>&1 | grep -q URL'
holds "echo_server: port taken" sh -c "! build/echo_server --port $port"
holds "echo_server: still there" kill -0 $server

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

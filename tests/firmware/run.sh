#!/bin/sh
# The firmware example with its stub board against a hub on loopback: the lamp goes on, off, on.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
out=build/firmware_test
rm -rf $out; mkdir -p $out
passed=0 failed=0
check() {       # check TITLE COMMAND...
    title=$1; shift
    if "$@"; then passed=$((passed + 1)); echo "ok $title"
    else failed=$((failed + 1)); echo "FAIL $title"; fi
}
build() { $CC $CPPFLAGS $CFLAGS -Wall -Wextra -Wpedantic -Werror -I. "$@" $LDFLAGS $LDLIBS; }

check "hub builds" build tests/firmware/hub.c -o $out/hub
check "firmware builds" build examples/firmware.c examples/board_stub.c -o $out/firmware
if [ $failed = 0 ]; then
    $out/hub >$out/hub.txt 2>&1 &
    hub=$!
    i=0
    while [ ! -s $out/hub.txt ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
    BOARD_PEER=127.0.0.1:$(head -n 1 $out/hub.txt) $out/firmware >/dev/null 2>$out/led.txt &
    firmware=$!
    ( sleep 8; kill -9 $hub $firmware 2>/dev/null ) &
    watch=$!
    wait $hub; status=$?
    sleep 0.2
    kill $firmware $watch 2>/dev/null
    wait $firmware $watch 2>/dev/null
    check "the hub saw a clean close" [ $status = 0 ]
    grep '^led' $out/led.txt >$out/have.txt
    printf 'led 1\nled 0\nled 1\n' >$out/want.txt
    check "led 1, led 0, led 1" diff $out/want.txt $out/have.txt
    [ $failed = 0 ] || cat $out/hub.txt $out/led.txt
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

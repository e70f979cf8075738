#!/bin/sh
# Builds examples/*.c, or the named ones, into build/. Rebuilds what is older than its sources.
# Prints one line per program and, last, "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
: "${WARN=-Wall -Wextra -Wpedantic -Werror}"
passed=0 failed=0

[ $# -gt 0 ] || set -- $(ls examples/*.c 2>/dev/null | sed 's|.*/||; s|\.c$||')
for name; do
    more=
    case $name in
    board_stub) continue ;;                       # the other half of firmware
    firmware) more=examples/board_stub.c ;;
    attach) more=-pthread ;;
    esac
    if [ -f "build/$name" ] && [ -z "$(find ws.h ws_sse.h examples -newer "build/$name")" ]; then
        passed=$((passed + 1))
        continue
    fi
    if $CC $CPPFLAGS $CFLAGS $WARN -I. "examples/$name.c" $more -o "build/$name.$$" \
        $LDFLAGS $LDLIBS && mv "build/$name.$$" "build/$name"
    then passed=$((passed + 1)); echo "built build/$name"
    else failed=$((failed + 1)); echo "FAIL examples/$name.c"; rm -f "build/$name.$$"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

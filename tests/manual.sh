#!/bin/sh
# Cuts the C programs out of the manual of ws.h and out of README.md, compiles them without a
# warning, and runs those that need no server. Last line: "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
out=build/manual
rm -rf $out; mkdir -p $out

# ws.h: the indented text after HELLO, from the first "#" to the "}" in its column 0.
awk '/^HELLO$/ { on = 1; next }
     on && /^[A-Z]/ { exit }
     on && /^        #/ { code = 1 }
     on && code { sub(/^        /, ""); print }' ws.h >$out/manual_hello.c

# README.md: every ```c block. One without main is the body of a function with these names.
awk -v out=$out '/^```c$/ { n++; on = 1; next }
     /^```$/ { on = 0 }
     on { print > (out "/readme_" n ".c") }' README.md

passed=0 failed=0
for f in $out/*.c; do
    if ! grep -q 'main(' "$f"; then
        { grep '^#' "$f"
          grep -q WS_IMPLEMENTATION "$f" || printf '#define WS_IMPLEMENTATION\n#include "ws.h"\n'
          grep -q 'main(' "$f" || echo 'int main(void) { return 0; }'
          echo 'void body(ws_loop *loop, ws_conn *c, ws_event ev, int timeout);'
          echo 'void body(ws_loop *loop, ws_conn *c, ws_event ev, int timeout) {'
          echo '(void)loop; (void)c; (void)ev; (void)timeout;'
          grep -v '^#' "$f"
          echo '}'; } >"$f.tmp"
        # a block that only defines the implementation is a file of its own
        grep -v '^#' "$f" | grep -q '[a-z]' && mv "$f.tmp" "$f"
    fi
    link="-o ${f%.c}"
    grep -q 'main(' "$f" || link="-c -o ${f%.c}.o"
    if $CC $CPPFLAGS $CFLAGS -Wall -Wextra -Wpedantic -Werror -I. "$f" $link $LDFLAGS $LDLIBS
    then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAIL $f"
    fi
done
[ $passed -gt 1 ] || { echo "FAIL no code blocks found"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/sh
# Cuts the C programs out of the headers' manuals and out of README.md, compiles them without a
# warning, and talks to each server of README.md with its clients. README.md's tables name every
# event, every setting and every function. Prints "ok TITLE" or "FAIL TITLE"; last line
# "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
out=build/manual
rm -rf $out; mkdir -p $out

# The indented text after HELLO, from the first "#" to the "}" in its column 0.
hello() {
    awk '/^HELLO$/ { on = 1; next }
         on && /^[A-Z]/ { exit }
         on && /^        #/ { code = 1 }
         on && code { sub(/^        /, ""); print }' "$1"
}
hello ws.h >$out/manual_hello.c
hello ws_sse.h >$out/manual_sse.c

# README.md: every ```c block. One without main is the body of a function with these names.
awk -v out=$out '/^```c$/ { n++; on = 1; next }
     /^```$/ { on = 0 }
     on { print > (out "/readme_" n ".c") }' README.md

# The programs below use ports of their own.
port=$((10000 + $$ % 20000))
for f in $out/*.c; do
    sed "s/127\.0\.0\.1:9001/127.0.0.1:$port/g; s/127\.0\.0\.1:9002/127.0.0.1:$((port + 1))/g" \
        "$f" >"$f.tmp" && mv "$f.tmp" "$f"
done

passed=0 failed=0
check() {       # check TITLE COMMAND...
    title=$1; shift
    if "$@"; then passed=$((passed + 1)); echo "ok $title"
    else failed=$((failed + 1)); echo "FAIL $title"; fi
}
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
    name=${f##*/}
    check "${name%.c} compiles" \
        $CC $CPPFLAGS $CFLAGS -Wall -Wextra -Wpedantic -Werror -I. "$f" $link $LDFLAGS $LDLIBS
done
[ $passed -gt 3 ] || { echo "FAIL too few code blocks found"; failed=$((failed + 1)); }

# Each server with each client: "hello" or "hi" comes back.
limit() { if command -v timeout >/dev/null 2>&1; then timeout 20 "$@"; else "$@"; fi; }
greets() { limit "$out/manual_hello" 2>&1 | grep -q 'hello$'; }
for server in $(grep -l ws_listen $out/readme_*.c | xargs grep -l ws_poll | xargs grep -L ws_sse.h); do
    "${server%.c}" &
    pid=$!
    i=0
    until greets || [ $i -ge 50 ]; do sleep 0.1; i=$((i + 1)); done
    name=${server##*/}
    check "${name%.c} answers hello" [ $i -lt 50 ]
    for client in $(grep -l 'main(' $out/readme_*.c | xargs grep -lE '\<ws_connect|\<ws_open'); do
        title=${client##*/}
        check "${name%.c} serves ${title%.c}" limit "${client%.c}"
    done
    kill $pid
    wait $pid 2>/dev/null
done

# Event streams: what the manual's program prints, and README.md's writer read by its reader.
prints() { printf '%s\n' "$2" >$out/want.txt; $1 | diff - $out/want.txt; }
read_back() { "$1" | "$2" >$out/have.txt; printf '%s\n' "$3" | diff - $out/have.txt; }
check "manual_sse prints the event" prints $out/manual_sse "tick: line one
line two"
writer=$(grep -l 'ws_sse_write(' $out/readme_*.c) reader=$(grep -l 'ws_sse_parse(' $out/readme_*.c)
check "README.md's event is written and read" read_back "${writer%.c}" "${reader%.c}" \
    "tick 7: any text,
of any number of lines"
server=$(grep -l 'ws_sse_open(' $out/readme_*.c) client=$(grep -l 'ws_sse_connect(' $out/readme_*.c)
"${server%.c}" &
pid=$!
sleep 0.3
check "README.md's event stream is followed" prints "limit ${client%.c}" "tick: hello"
curls() { limit curl -sN "http://127.0.0.1:$((port + 1))/" 2>/dev/null | grep -m 1 -x 'data: *hello'; }
if command -v curl >/dev/null 2>&1; then check "README.md's event stream answers curl -N" curls
else echo "SKIP manual: curl not found"
fi
kill $pid
wait $pid 2>/dev/null

# The tables: every WS_EV_ and every field of ws_config that is not private begins a line of one.
sed '/^\/\* ==== Stop here/,$d' ws.h >$out/public.txt
{ sed -n 's/^    \(WS_EV_[A-Z]*\)[^A-Z].*/\1/p; s/^    \(WS_EV_[A-Z]*\)$/\1/p' $out/public.txt
  awk '/^typedef struct ws_config/ { on = 1; next }
       /^} ws_config/ { exit }
       /\/\* private:/ { next }
       on { line = $0; if (c) { if (/\*\//) c = 0; next }
            sub(/\/\*.*/, "", line); print line
            if (/\/\*/ && !/\*\//) c = 1 }' $out/public.txt |
      sed -n 's/.*(\*\([a-z_]*\))(.*/\1/p; s/^    [a-z][a-z0-9_ ]*[ *]\([a-z_]*\);.*/\1/p
              s/^    size_t \([a-z_]*\);.*/\1/p'
} | grep -v WS_EV_NONE >$out/names.txt
while read -r name; do
    grep -q "^| [^|]*\`$name\`" README.md || echo "$name"
done <$out/names.txt >$out/missing.txt
cat $out/missing.txt
check "README.md's tables are complete" [ ! -s $out/missing.txt ]
check "ws.h has events and settings" [ "$(grep -c . $out/names.txt)" -ge 50 ]

# ... and every function stands in one.
{ cat $out/public.txt; sed '/^\/\* ==== Stop here/,$d' ws_sse.h; } |
    sed -n 's/^WS_\(SSE_\)*API [^(]*[ *]\(ws_[a-z0-9][a-z0-9_]*\)(.*/\2/p' >$out/functions.txt
while read -r name; do
    grep -q "^| .*\`$name\`" README.md || echo "$name"
done <$out/functions.txt >$out/missing.txt
cat $out/missing.txt
check "README.md's table names every function" [ ! -s $out/missing.txt ]
check "the headers have functions" [ "$(grep -c . $out/functions.txt)" -ge 140 ]

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/sh
# The fuzz targets: recv tiny server_head server_body requests client_head client_body url sse_parse
# sse_roundtrip watch watch_poll, and with zlib inflate offers begin.
#   sh tests/fuzz/run.sh replay    the checked-in inputs, with the plain driver, and 2 s of
#                                  random changes to them
#   sh tests/fuzz/run.sh fuzz      FUZZ_SECONDS (60) for each target, with clang's libFuzzer if
#                                  there is one, else with the plain driver
# What fuzzing finds stays in build/fuzz/TARGET/. Last line: "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC=cc}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}" "${FUZZ_SECONDS=60}" "${FUZZ_TARGETS=}"
targets=${FUZZ_TARGETS:-recv tiny server_head server_body requests client_head client_body url sse_parse sse_roundtrip
    watch watch_poll}
mode=${1-replay}
libraries() { case $1 in inflate | offers | begin) echo -lz ;; watch*) echo -pthread ;; esac; }
out=build/fuzz
mkdir -p $out
warn="-Wall -Wextra -Werror"
san="-fsanitize=address,undefined -fno-sanitize-recover=all"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n);
int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9; }' >$out/lib.c
echo 'int main(void) { return 0; }' >$out/plain.c
$CC $san $out/plain.c -o $out/plain >/dev/null 2>&1 && $out/plain || san=

printf '#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n' >$out/plain.c
if [ -z "$FUZZ_TARGETS" ]; then
    if $CC $out/plain.c -o $out/plain -lz >/dev/null 2>&1 && $out/plain
    then targets="inflate offers begin $targets"
    else echo "SKIP fuzz: no zlib, so no inflate, offers and begin"
    fi
fi

libfuzzer=
if [ "$mode" = fuzz ] && clang -fsanitize=fuzzer,address,undefined $out/lib.c -o $out/lib >/dev/null 2>&1
then libfuzzer=1
elif [ "$mode" = fuzz ]; then echo "SKIP libFuzzer: clang cannot link it; the plain driver runs"
fi

one() {         # one TARGET: result in $out/TARGET.txt, exit status
    t=$1
    mkdir -p $out/$t
    corpus=tests/fuzz/corpus/$t
    export ASAN_OPTIONS=abort_on_error=1:allocator_may_return_null=1 FUZZ_OUT=$out/$t
    if [ -n "$libfuzzer" ]; then
        clang -O1 -g $warn -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
            -include tests/assert.h -I. \
            tests/fuzz/$t.c -o $out/$t.libfuzzer $(libraries $t) &&
        mkdir -p $out/$t/corpus &&
        $out/$t.libfuzzer -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 \
            -max_len=20000 -dict=tests/fuzz/ws.dict -artifact_prefix=$out/$t/ \
            -print_final_stats=1 -verbosity=1 $out/$t/corpus $corpus
    else
        seconds=$FUZZ_SECONDS level=-O1
        [ "$mode" != replay ] || seconds=2 level=-O0    # compiling takes longer than running
        $CC $CPPFLAGS $level -g $warn $san -include tests/assert.h -I. tests/fuzz/$t.c \
            tests/fuzz/main.c -o $out/$t.plain $LDFLAGS $LDLIBS $(libraries $t) &&
        $out/$t.plain -t $seconds -s "${FUZZ_SEED:-1}" $corpus
    fi
}

# two at a time
passed=0 failed=0
finish() {      # finish TARGET PID
    if wait "$2"; then
        n=$(sed -n 's/^\([0-9]*\) passed, 0 failed$/\1/p' $out/$1.txt)
        passed=$((passed + ${n:-1}))
        grep -E 'random inputs|stat::number_of_executed_units' $out/$1.txt | sed "s/^/$1: /"
    else
        failed=$((failed + 1))
        echo "FAIL fuzz $1; the end of $out/$1.txt:"; tail -n 40 $out/$1.txt
    fi
}
set -- $targets
while [ $# -gt 0 ]; do
    one "$1" >$out/$1.txt 2>&1 & first=$!
    if [ $# -gt 1 ]; then
        one "$2" >$out/$2.txt 2>&1 & second=$!
        finish "$1" $first; finish "$2" $second
        shift 2
    else
        finish "$1" $first; shift
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/sh
# Everything "make test" does. Needs a C compiler, make and a POSIX shell; other compilers are
# used when they are there. Each part is a job; JOBS of them run at a time (default: cores).
#   sh tests/run.sh              all parts, then the sum
#   sh tests/run.sh test_wire    the named parts
# A part's output is in build/test/PART.log. It passes if it exits with 0 and prints
# "N passed, N failed"; the last line here sums these. SKIP lines fail when CI=true.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
export CC CFLAGS CPPFLAGS LDFLAGS LDLIBS
out=build/test

# ---- one part -------------------------------------------------------------------------
# Compiling takes longer than running. Test programs that look into nothing of ws.h are linked
# to one object of it, made with -O1. The others contain it: without optimization, which is
# quicker in all, but for those that run long. Sanitizers are in each.
linked="test_anytime test_engine test_field_engine test_field_peers test_field_platform
    test_field_wake test_handshake test_messages test_parity test_threats test_transcripts"
long="test_deflate test_sse test_torture"

object() {      # ws.h alone, for those of $linked
    printf '#define WS_IMPLEMENTATION\n#include "ws.h"\n' >$out/ws.c
    for header in errno fcntl netinet/in poll sys/socket sys/un time unistd; do
        echo "#include <$header.h>"
    done >$out/linked.h             # what the bodies include, and the programs after them use
    $CC $CPPFLAGS -O1 -g -Wall -Wextra -Werror $(cat $out/sanitize) -include tests/assert.h \
        -I. -c $out/ws.c -o $out/ws_new.o >$out/ws.log 2>&1 && mv $out/ws_new.o $out/ws.o
    : >$out/ws.done
}

program() {     # build and run tests/$1.c
    sanitize=$out/sanitize
    use= libs= level=-O0
    case $1 in
    test_threads | test_lookup) sanitize=$out/sanitize_threads ;;
    test_deflate* | test_begin) [ ! -s $out/zlib ] || use=-DWS_USE_ZLIB libs=-lz ;;
    test_tls*)
        [ ! -s $out/no_tls ] || { echo "SKIP $1: $(cat $out/no_tls)"; echo "0 passed, 0 failed"; return 0; }
        use=-DWS_USE_MBEDTLS libs="-lmbedtls -lmbedx509 -lmbedcrypto"
        [ "$1" != test_tls_faults ] || [ ! -s $out/wrap ] || use="$use -DWRAPPED" libs=$(cat $out/wrap) ;;
    esac
    case " $(echo $linked) " in *" $1 "*)   # the guard of the bodies leaves them out
        while [ ! -f $out/ws.done ]; do sleep 1; done
        [ -f $out/ws.o ] || { cat $out/ws.log; return 1; }
        use="-DWS_IMPLEMENTED_ -D_GNU_SOURCE= -include $out/linked.h" libs=$out/ws.o ;;
    esac
    case " $long " in *" $1 "*) level=-O1 ;; esac
    $CC $CPPFLAGS $level -g -Wall -Wextra -Werror $(cat $sanitize) $use -include tests/assert.h \
        -I. -Itests "tests/$1.c" \
        -o "$out/$1" $LDFLAGS $libs $LDLIBS -pthread || return 1
    limit "$out/$1"
}

limit() {       # a test that hangs is a test that fails
    if command -v timeout >/dev/null 2>&1; then timeout -k 5 900 "$@"; else "$@"; fi
}

lockstep() {    # the library beside an older one: plain, then with sanitizers and zlib
    use= libs=
    [ ! -s $out/zlib ] || use=-DWS_USE_ZLIB libs=-lz
    set -- -std=c99 -g -include tests/assert.h -I. -Itests tests/lockstep.c tests/lockstep/old.c \
        tests/lockstep/new.c
    $CC $CPPFLAGS -O2 "$@" -o $out/lockstep $LDFLAGS $LDLIBS && limit $out/lockstep || return 1
    $CC $CPPFLAGS -O0 $(cat $out/sanitize) $use "$@" -o $out/lockstep_sane $LDFLAGS $libs $LDLIBS &&
        limit $out/lockstep_sane --scripts 60
}

examples() {    # built aside without optimization: those in build/ are for use
    rm -rf $out/tree
    mkdir $out/tree && ln -s ../../../examples ../../../tests ../../../ws.h ../../../ws_sse.h $out/tree &&
        for f in examples/*.c; do       # what the optimizer warns of in each: it alone, without the bodies
            case $f in *board_stub.c | *tls_*) continue ;; esac
            $CC $CPPFLAGS -I. -E $f >/dev/null 2>&1 || continue     # SKIP of examples.sh
            $CC $CPPFLAGS $CFLAGS -Wall -Wextra -Wpedantic -Werror -DWS_IMPLEMENTED_ -D_GNU_SOURCE= \
                -DWS_SSE_IMPLEMENTED_ -include string.h -include stdlib.h -include errno.h \
                -I. -c $f -o $out/example.o || return 1
        done &&
        CFLAGS='-O0 -g' sh $out/tree/tests/examples.sh && sh $out/tree/tests/programs.sh
}

part() {
    case $1 in
    test_*) program "$1" ;;
    lockstep) lockstep ;;
    examples) examples ;;
    compile) sh tests/compile/run.sh ;;
    lint) sh tests/lint.sh ;;
    manual) CFLAGS='-O0 -g' sh tests/manual.sh ;;
    fuzz) sh tests/fuzz/run.sh replay ;;
    firmware) CFLAGS='-O0 -g' sh tests/firmware/run.sh ;;
    tls) sh tests/tls/certs_test.sh ;;
    parity) sh tests/parity.sh ;;
    *) echo "no part $1"; return 1 ;;
    esac
}

if [ "${1-}" = --part ]; then
    name=$2 log=$out/$2.log start=$(date +%s)
    ( part "$name" ) >"$log" 2>&1 </dev/null
    status=$?
    sum=$(awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
               END { if (n) print p + 0, f + 0 }' "$log")
    [ -n "$sum" ] || { sum="0 1"; echo "FAIL $name: no sum printed" >>"$log"; }
    set -- $sum
    [ "$status" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1
    skips=$(grep -c '^SKIP' "$log")
    echo "$1 $2 $skips" >"$out/$name.sum"
    if [ "$2" != 0 ]; then
        echo "---- $name: FAILED, exit status $status; the end of $log:"
        tail -n 60 "$log"
    fi
    grep '^SKIP' "$log"
    printf '%-20s %6d passed %4d failed %5d s\n' "$name" "$1" "$2" $(($(date +%s) - start))
    exit 0
fi

# ---- all parts ------------------------------------------------------------------------
mkdir -p $out
rm -f $out/*.sum
export ASAN_OPTIONS="${ASAN_OPTIONS-allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-print_stacktrace=1}"

sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
echo 'int main(void) { return 0; }' >$out/probe.c
if $CC $sanitize $out/probe.c -o $out/probe >/dev/null 2>&1 && $out/probe
then echo "$sanitize" >$out/sanitize
else echo "SKIP sanitizers: $CC cannot link them"; : >$out/sanitize
fi
if $CC -fsanitize=thread $out/probe.c -o $out/probe >/dev/null 2>&1 && $out/probe
then echo "-fsanitize=thread" >$out/sanitize_threads
else echo "SKIP ThreadSanitizer: $CC cannot link it"; : >$out/sanitize_threads
fi

printf '#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n' >$out/probe.c
if $CC $CPPFLAGS $out/probe.c -o $out/probe $LDFLAGS -lz >/dev/null 2>&1 && $out/probe
then echo zlib >$out/zlib
else : >$out/zlib           # what needs it says SKIP
fi

# What the TLS tests need: Mbed TLS, and openssl to make certificates.
: >$out/no_tls
echo '#include <mbedtls/ssl.h>' >$out/probe.c
if ! $CC $CPPFLAGS -E $out/probe.c >/dev/null 2>&1; then echo "no <mbedtls/ssl.h>" >$out/no_tls
elif ! command -v openssl >/dev/null; then echo "no openssl" >$out/no_tls
else
    sh tests/tls/certs.sh $out/certs || exit 1
    wrap=-Wl,--wrap=calloc,--wrap=free,--wrap=mbedtls_ctr_drbg_random,-Bstatic
    wrap="$wrap -lmbedtls -lmbedx509 -lmbedcrypto -Wl,-Bdynamic"
    printf '#include <mbedtls/ssl.h>\nint main(void) { mbedtls_ssl_init(0); return 0; }\n
        void *__wrap_calloc() { return 0; } void __wrap_free() {} int __wrap_mbedtls_ctr_drbg_random() { return 0; }\n' \
        >$out/probe.c
    if $CC $CPPFLAGS $out/probe.c -o $out/probe $LDFLAGS $wrap >/dev/null 2>&1
    then echo "$wrap" >$out/wrap
    else : >$out/wrap       # what needs it says SKIP
    fi
fi

last=
if [ $# = 0 ]; then     # the long ones first; parity reads the logs of the others
    rm -f $out/*.log
    last=parity
    first="compile examples lockstep fuzz test_faults test_faults_poll test_engine test_deflate
        test_tls_faults test_stream test_torture test_tls test_messages test_sse test_requests manual"
    set -- $first $(ls tests/test_*.c 2>/dev/null | sed 's|.*/||; s|\.c$||' |
        grep -vx "$(printf '%s\n' $first)") firmware tls lint
fi
rm -f $out/ws.o $out/ws.done
for name in $linked; do     # the object is made beside the first parts, which do not need it
    case " $* " in *" $name "*) object & break ;; esac
done
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh tests/run.sh --part
[ -z "$last" ] || sh tests/run.sh --part $last

set -- $(cat $out/*.sum | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
passed=$1 failed=$2
if [ "$3" != 0 ] && [ "${CI-}" = true ]; then
    echo "$3 skipped, which is a failure with CI=true"
    failed=$((failed + $3))
fi
for f in sanitize sanitize_threads; do
    [ -s $out/$f ] || [ "${CI-}" != true ] || failed=$((failed + 1))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

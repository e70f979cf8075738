#!/bin/sh
# Builds examples/*.c, or the named ones, into build/. Rebuilds what is older than its sources.
# Prints one line per program and, last, "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
: "${WARN=-Wall -Wextra -Wpedantic -Werror}"
passed=0 failed=0

# TLS where mbedTLS is; without it these programs say that TLS is not compiled in
tls=
printf '#include <mbedtls/ssl.h>\nint main(void) { mbedtls_ssl_init(0); return 0; }\n' >build/probe.c
mbedtls='-lmbedtls -lmbedx509 -lmbedcrypto'
if $CC $CPPFLAGS build/probe.c -o build/probe $LDFLAGS $mbedtls >/dev/null 2>&1
then tls="-DWS_USE_MBEDTLS $mbedtls"; fi
zlib=                                             # and compression where zlib is
printf '#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n' >build/probe.c
if $CC $CPPFLAGS build/probe.c -o build/probe $LDFLAGS -lz >/dev/null 2>&1
then zlib="-DWS_USE_ZLIB -lz"; fi
rm -f build/probe build/probe.c

[ $# -gt 0 ] || set -- $(ls examples/*.c 2>/dev/null | sed 's|.*/||; s|\.c$||')
for name; do
    more=
    case $name in
    board_stub) continue ;;                       # the other half of firmware
    firmware) more=examples/board_stub.c ;;
    attach) more=-pthread ;;
    echo_server | loadgen) more="$tls $zlib" ;;
    conformance_client) more=$zlib ;;
    demo | hello_client | sse_cat) more=$tls ;;
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

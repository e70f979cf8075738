#!/bin/sh
# Builds examples/*.c, or the named ones, into build/. Rebuilds what is older than its sources.
# Prints one line per program and, last, "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build
: "${CC=cc}" "${CFLAGS=-O2 -g}" "${CPPFLAGS=}" "${LDFLAGS=}" "${LDLIBS=}"
: "${WARN=-Wall -Wextra -Wpedantic -Werror}"
passed=0 failed=0

has() {         # has HEADER CALL LIBRARIES: can a program use it here?
    echo "#include <$1>
int main(void) { $2; return 0; }" >build/compiles.c
    $CC $CPPFLAGS build/compiles.c -o build/compiles $LDFLAGS $3 >/dev/null 2>&1
    found=$?
    rm -f build/compiles build/compiles.c
    return $found
}
# TLS where mbedTLS is, compression where zlib is; without, these programs say so
tls="-lmbedtls -lmbedx509 -lmbedcrypto" zlib=-lz
if has mbedtls/ssl.h 'mbedtls_ssl_init(0)' "$tls"; then tls="-DWS_USE_MBEDTLS $tls"; else tls=; fi
if has zlib.h 'zlibVersion()' "$zlib"; then zlib="-DWS_USE_ZLIB $zlib"; else zlib=; fi

[ $# -gt 0 ] || set -- $(ls examples/*.c 2>/dev/null | sed 's|.*/||; s|\.c$||')
for name; do
    more=
    case $name in
    board_stub) continue ;;                       # the other half of firmware
    firmware) more=examples/board_stub.c ;;
    attach) more=-pthread ;;
    attach_mhd)
        more=-lmicrohttpd
        has microhttpd.h 'MHD_is_feature_supported(MHD_FEATURE_UPGRADE)' $more ||
            { echo "SKIP $name: needs libmicrohttpd"; continue; } ;;
    echo_server | loadgen) more="$tls $zlib" ;;
    conformance_client) more=$zlib ;;
    demo | hello_client | sse_cat | loop_poll) more=$tls ;;
    loop_uv)
        more="$tls -luv"
        has uv.h 'uv_version()' -luv || { echo "SKIP $name: needs libuv"; continue; } ;;
    loop_ev)
        more="$tls -lev"
        has ev.h 'ev_version_major()' -lev || { echo "SKIP $name: needs libev"; continue; } ;;
    tls_openssl)
        more='-lssl -lcrypto'
        has openssl/ssl.h 'SSL_new(0)' "$more" || { echo "SKIP $name: needs OpenSSL"; continue; } ;;
    tls_bearssl)
        more=-lbearssl
        has bearssl.h 'br_ssl_engine_flush(0, 0)' "$more" || { echo "SKIP $name: needs BearSSL"; continue; } ;;
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

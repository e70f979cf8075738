#!/bin/sh
# Mbed TLS 3 as static libraries, to compile and test ws.h against: Debian 12 itself has 2.28.
#   tests/tls/mbedtls3.sh [DIR]     (default build/mbedtls3)
# Leaves DIR/include and DIR/lib; prints one line, "Mbed TLS 3.x.y in DIR"; a second call finds
# them and does nothing. Use: cc -IDIR/include ... -LDIR/lib -lmbedtls -lmbedx509 -lmbedcrypto
# The source is that of Debian's next release, fetched with apt from the mirror this machine
# uses anyway, and checked by apt against Debian's signature. apt's own settings and lists stay
# as they are: all of it happens in DIR. Threads are switched on, as in Debian's own package.
# MBEDTLS3_SOURCE=TREE builds an unpacked Mbed TLS 3 instead, for machines without apt.
set -eu
SUITE=trixie
dir=${1-build/mbedtls3}
tell() {
    echo "Mbed TLS $(sed -n 's/.*MBEDTLS_VERSION_STRING  *"\(.*\)".*/\1/p' \
        "$dir/include/mbedtls/build_info.h") in $dir"
}
fail() { echo "mbedtls3.sh: $*" >&2; exit 1; }

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
[ ! -f "$dir/lib/complete" ] || { tell; exit 0; }
rm -rf "$dir/lib" "$dir/include" "$dir/tree" "$dir/obj"

if [ -n "${MBEDTLS3_SOURCE-}" ]; then
    cp -R "$MBEDTLS3_SOURCE" "$dir/tree"
else
    command -v apt-get >/dev/null || fail "needs apt-get, or MBEDTLS3_SOURCE=TREE"
    mirror=$(apt-get indextargets --format '$(SITE)' "Codename: $(. /etc/os-release &&
        echo "${VERSION_CODENAME-none}")" 'Origin: Debian' 'Created-By: Packages' | head -n 1)
    [ -n "$mirror" ] || fail "apt knows no Debian mirror; run apt-get update first"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
    cat >"$dir/apt/suite.sources" <<END
Types: deb-src
URIs: $mirror
Suites: $SUITE
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    (
        cd "$dir/apt"
        set -- -o "Dir::Etc::SourceList=$dir/apt/suite.sources" -o Dir::Etc::SourceParts=- \
            -o "Dir::State::Lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" \
            -o APT::Sandbox::User="$(id -un)"
        apt-get "$@" update &&
        apt-get "$@" source --download-only mbedtls
    ) >"$dir/apt/log" 2>&1 || { tail -n 5 "$dir/apt/log" >&2; fail "no source of Mbed TLS"; }
    mkdir "$dir/tree"
    tar xf "$dir"/apt/mbedtls_3.*.orig.tar.bz2 -C "$dir/tree" --strip-components=1
    rm -rf "$dir/apt"
fi

cd "$dir/tree"
grep -q 'VERSION_MAJOR  *3$' include/mbedtls/build_info.h || fail "this is not Mbed TLS 3"
sed -i.orig 's,^//\(#define MBEDTLS_THREADING_\(C\|PTHREAD\)\)$,\1,' include/mbedtls/mbedtls_config.h
mkdir "$dir/obj" "$dir/lib"
ls library/*.c 3rdparty/everest/library/everest.c 3rdparty/everest/library/x25519.c \
    3rdparty/everest/library/Hacl_Curve25519_joined.c 3rdparty/p256-m/p256-m_driver_entrypoints.c \
    3rdparty/p256-m/p256-m/p256-m.c >"$dir/obj/sources"
(
    cd "$dir/obj" &&
    sed "s,^,$dir/tree/," sources | xargs -P 2 -n 10 ${CC-cc} ${CFLAGS--O2 -g} -c \
        -I../tree/include -I../tree/library -I../tree/3rdparty/everest/include \
        -I../tree/3rdparty/everest/include/everest -I../tree/3rdparty/everest/include/everest/kremlib \
        -I../tree/3rdparty/p256-m/p256-m/include -I../tree/3rdparty/p256-m/p256-m/include/p256-m \
        -I../tree/3rdparty/p256-m/p256-m &&
    ar rcs ../lib/libmbedx509.a x509*.o pkcs7.o &&
    ar rcs ../lib/libmbedtls.a ssl*.o debug.o mps*.o net_sockets.o &&
    rm x509*.o pkcs7.o ssl*.o debug.o mps*.o net_sockets.o &&
    ar rcs ../lib/libmbedcrypto.a ./*.o
) >"$dir/log" 2>&1 || { tail -n 20 "$dir/log" >&2; fail "it does not compile, see $dir/log"; }
mv include "$dir/include"
rm -rf "$dir/tree" "$dir/obj"
: >"$dir/lib/complete"
tell

#!/bin/bash
# ws.h in TLS against the peers of tests/tls, which agree among themselves (peers.sh): npm ws and
# openssl both ways, by hand as well; nginx and HAProxy that end TLS in front of it and speak it
# to it; squid, HAProxy, Node and microsocks in between; Chromium on the demo; an event stream.
# Most of it again with Mbed TLS 3, of which tests/tls/mbedtls3.sh makes a copy once.
# Needs make examples, and npm ci in tests/interop.
# Prints "ok name" or "FAIL name"; last line "N passed, N failed".
#   tests/interop/tls.sh [server|client|hand|front|proxy|stream|browser|three]...
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${BUILD-build}
out=$bin/interop/tls
. tests/tls/lib.sh
export SSL_CERT_FILE=$certs/ca.pem NODE_EXTRA_CA_CERTS=$certs/ca.pem
sh tests/tls/certs.sh "$certs" || exit 1
parts=("$@")
wanted() { [ ${#parts[@]} = 0 ] || [[ " ${parts[*]} " == *" $1 "* ]]; }

# build PROGRAM SOURCE [OPTION...]
build() {
    ${CC-cc} ${CPPFLAGS-} ${CFLAGS--O2 -g} -O1 -Wall -Wextra -DWS_USE_MBEDTLS -I. "$2" "${@:3}" -o "$out/$1" \
        ${LDFLAGS-} -lmbedtls -lmbedx509 -lmbedcrypto ${LDLIBS-} || say "FAIL $1: it does not compile"
}
# echo_server NAME CERTIFICATE [OPTION...]: leaves its port in $port
echo_server() {
    serve "$1" "${server-$bin/echo_server}" --port 0 --tls-cert "$certs/$2.pem" --tls-key "$certs/$2.key" "${@:3}" &&
        port=${ports[0]}
}
# sees NAME WORDS PROXY URL [OPTION...]: the client of each driver says WORDS; PROXY: - is none
sees() {
    timeout -k 5 60 "${through-$out/through}" "${@:3}" >"$out/through.out" 2>&1 </dev/null
    wants "$1" "$2" "$out/through.out" 3
}
does() {                # does NAME WORDS COMMAND...: it says them
    timeout -k 5 60 "${@:3}" >"$out/does.out" 2>&1 </dev/null
    wants "$1" "$2" "$out/does.out"
}
well='^21 echoes, 1000$'        # what it says when all is well
# by_hand NAME PORT [OPTION...]: opens a WebSocket with s_client, says hello, closes. Leaves what
# came in by_hand.out, records in by_hand.msg
by_hand() {
    : >"$out/by_hand.msg"
    : >"$out/by_hand.out"
    {
        printf 'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
        printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
        for ((i = 0; i < 50; i++)); do grep -aq Accept: "$out/by_hand.out" && break; sleep 0.05; done
        printf '\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\x00\x00\x00\x00\x03\xe8'     # RFC 6455 5.7
    } | timeout -k 5 20 openssl s_client -connect "127.0.0.1:$2" -servername localhost -verify_hostname localhost \
        -verify_return_error -CAfile "$certs/ca.pem" -ign_eof -msg -msgfile "$out/by_hand.msg" "${@:3}" \
        >"$out/by_hand.out" 2>&1
    LC_ALL=C wants "$1" $'\x81\x05Hello\x88\x02\x03\xe8' "$out/by_hand.out"
}
PATH=$PATH:/usr/sbin
if ! "$bin/hello_client" wss://127.0.0.1:1/ 2>&1 | grep -q refused; then
    say "FAIL ws.h in TLS: $bin is built without mbedTLS"
    tally
    exit 1
fi
tls3=$(cd "$bin" && pwd)/mbedtls3
! wanted three || nice sh tests/tls/mbedtls3.sh "$tls3" >"$out/mbedtls3.out" 2>&1 &       # meanwhile
making=$!
build through tests/interop/through.c
build hosts tests/interop/hosts.c

# ---- clients of npm ws, against the echo server ----
npm_client() {          # npm_client NAME [MAX]: with a certificate and without
    echo_server server good && {
        visit "$1" "wss://localhost:$port/" ${2+--max "$2"}
        timeout -k 5 60 node tests/interop/peer.js client "wss://localhost:$port/" 2>&1 </dev/null |
            sed -n "s/^\(ok\|FAIL\) npm client/\1 $1/p" | tee -a "$log"
        wants "$1: all were run" "^ok $1: a foreign Origin" "$log"
    }
    echo_server mutual good-rsa --tls-ca "$certs/ca.pem" && {
        mutual=$port
        visit "$1" "wss://localhost:$port/" --mtls ca --only 'client certificate' ${2+--max "$2"}
    }
}
if wanted server; then
    npm_client "wss: npm client" TLSv1.2
    for name in tls_openssl tls_bearssl; do
        serve $name "$bin/$name" 0 "$certs/good.pem" "$certs/good.key" &&
            visit "wss: npm client, $name" "wss://localhost:$ports/" --only size
    done
fi

# ---- the clients, against npm ws ----
names=(expired early self unknown wrong cn wildcard ip chainless client)
words=('has expired' 'is not valid yet' 'is not from an authority' 'is not from an authority' 'is not for this host'
    'is not for this host' 'is not for this host' 'is not for this host' 'is not from an authority'
    'is not meant for this use')
npm_server() {          # npm_server NAME VERSION
    local i p host who="^$2 sni=localhost alpn=http/1.1 client="
    peer npm server "$certs" "good,san,chain,good-rsa,$(IFS=,; echo "${names[*]}")" || return
    p=("${ports[@]}")
    for i in 0 1 2 3; do sees "$1: good certificate $i" "$well" - "wss://localhost:${p[i]}/"; done
    for i in "${!names[@]}"; do
        sees "$1: certificate ${names[i]}" "^0 echoes, 1015, TLS failed: .*${words[i]}" - "wss://localhost:${p[i + 4]}/"
    done
    sees "$1: only the authority that is given" '^0 echoes, 1015, TLS failed: .*authority' - \
        "wss://localhost:$p/" --ca "$certs/other-ca.pem"
    sees "$1: authority from a file" "$well" - "wss://localhost:$p/" --ca "$certs/ca.pem"
    for host in a.test b.test; do sees "$1: $host" "$well" - "wss://$host:$p/"; done
    sees "$1: wildcard" "$well" - "wss://any.example.test:${p[10]}/"
    sees "$1: an address" "$well" - "wss://127.0.0.1:${p[11]}/"
    sees "$1: pings and fragments" '^\(piece\)\{10\}$' - "wss://localhost:$p/push"
    sees "$1: an end without Close" '^1 echoes, 1006, peer ended the connection too early$' - \
        "wss://localhost:$p/notify" --echoes 1
    sees "$1: an end without close_notify" '^1 echoes, 1006, .*without close_notify' - "wss://localhost:$p/cut" --echoes 1
    sees "$1: a reset" '^1 echoes, 1006, connection broken' - "wss://localhost:$p/reset" --echoes 1
    sees "$1: ws:// to it" '^0 echoes, 1006, peer ended the connection too early' - "ws://localhost:$p/"
    # the same authorities for all: the second and third client resume the first one's session
    sees "$1: $2, session resumed" '^21' - "wss://localhost:$p/who" --ca "$certs/ca.pem"
    wants "$1: name, ALPN" "${who}- resumed=no" "$out/through.out"
    wants "$1: resumption" 'resumed=yes' "$out/through.out" 2
    peer npm_mutual server "$certs" good --mtls ca || return
    sees "$1: client certificate" "alpn=http/1.1 client=client" - "wss://localhost:$ports/who" \
        --cert "$certs/client.pem" --key "$certs/client.key"
    sees "$1: no client certificate" "^0 echoes, 1015, TLS failed: peer's alert: " - "wss://localhost:$ports/"
    sees "$1: another authority's" '^0 echoes, 1015, TLS failed: ' - "wss://localhost:$ports/" \
        --cert "$certs/client-other.pem" --key "$certs/client-other.key"
}
if wanted client; then
    npm_server "wss: npm server" TLSv1.2
    peer npm server "$certs" good,wrong && {
        url=wss://localhost:$ports/
        does "wss: npm server: hello_client" '^hello$' "$bin/hello_client" "$url"
        does "wss: npm server: loadgen" ' 0 errors' "$bin/loadgen" "$url" --connections 20 --size 1000 --depth 8 --seconds 1
        for name in tls_openssl tls_bearssl; do
            does "wss: npm server: $name" '^hello$' "$bin/$name" "$url" "$certs/ca.pem"
            does "wss: npm server: $name, another name" 'TLS failed' "$bin/$name" "wss://localhost:${ports[1]}/" "$certs/ca.pem"
        done
    }
fi

# ---- openssl, by hand ----
records() {             # records NAME WANTED: who said goodbye, in this order: "<" they, ">" we
    local got
    got=$(sed -n 's/^\([<>]\).*close_notify$/\1/p' "$out/by_hand.msg" | tr -d '\n')
    if [ "$got" = "$2" ]; then say "ok $1"; else say "FAIL $1: \"$got\" instead of \"$2\""; fi
}
s_client() {            # s_client NAME WORDS OPTION...: a handshake alone
    timeout -k 5 20 openssl s_client -connect "127.0.0.1:$port" -servername localhost -CAfile "$certs/ca.pem" \
        "${@:3}" >"$out/s_client.out" 2>&1 </dev/null
    wants "$1" "$2" "$out/s_client.out"
}
# s_server OPTION...: shows "good" to one client; leaves its port in $port, takes what to say on fd 4
s_server() {
    local i
    rm -f "$out/pipe"
    mkfifo "$out/pipe"
    : >"$out/s_server.out"
    exec 4<>"$out/pipe"
    timeout -k 5 60 openssl s_server -accept 127.0.0.1:0 -naccept 1 -cert "$certs/good.pem" -key "$certs/good.key" -msg \
        -msgfile "$out/by_hand.msg" "$@" <&4 >"$out/s_server.out" 2>&1 &
    pids+=($!)
    for ((i = 0; i < 100; i++)); do
        port=$(sed -n 's/^ACCEPT .*://p' "$out/s_server.out")
        [ -z "$port" ] || return 0
        sleep 0.1
    done
    say "FAIL s_server did not start"
    return 1
}
by_openssl() {          # by_openssl NAME VERSION
    echo_server server good || return
    by_hand "$1: a WebSocket by hand" "$port" -alpn http/1.1
    wants "$1: the answer" '^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=' "$out/by_hand.out"
    wants "$1: $2" "^New, $2, " "$out/by_hand.out"
    wants "$1: ALPN" '^ALPN protocol: http/1.1' "$out/by_hand.out"
    records "$1: close_notify both ways, ours first" '<>'
    by_hand "$1: without ALPN, without tickets" "$port" -no_ticket -sess_out "$out/session"
    wants "$1: ALPN is not forced on anybody" '^No ALPN negotiated' "$out/by_hand.out"
    by_hand "$1: again" "$port" -sess_out "$out/session"
    by_hand "$1: a session kept" "$port" -sess_in "$out/session"
    wants "$1: it is resumed" "^Reused, $2, " "$out/by_hand.out"
    s_client "$1: ALPN of something else" 'no application protocol' -alpn h2
    for old in tls1 tls1_1; do s_client "$1: -$old" 'protocol version' -$old -cipher DEFAULT:@SECLEVEL=0; done
}
if wanted hand; then
    by_openssl "wss: openssl client" TLSv1.2
    serve hosts "$out/hosts" "$certs" good sni-a sni-b wildcard && port=${ports[0]} && {
        for name in localhost a.test b.test any.example.test; do judge "wss: hosts, $name" $name 'Verify return code: 0' "$port"; done
        judge "wss: hosts, a name of nobody" nobody.test 'depth=0 CN = localhost' "$port"
        by_hand "wss: openssl client, unknown" "$port"
        wants "wss: hosts: nobody" 'you are nobody' "$out/by_hand.out"
        by_hand "wss: openssl client, known" "$port" -cert "$certs/client.pem" -key "$certs/client.key"
        wants "wss: hosts: the client's name" 'you are CN=client' "$out/by_hand.out"
    }
    s_server -alpn http/1.1 && {
        timeout 20 "$bin/sse_cat" "https://localhost:$port/" --once --max 1 >"$out/sse_cat.out" 2>&1 &
        client=$!
        for ((i = 0; i < 50; i++)); do grep -q '^Accept: text/event-stream' "$out/s_server.out" && break; sleep 0.1; done
        printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: by hand\n\n' >&4
        wait $client
        wants "wss: openssl server: sse_cat" '"data":"by hand"' "$out/sse_cat.out"
        wants "wss: openssl server: ALPN" '^ALPN protocols selected: http/1.1' "$out/s_server.out"
        wait "${pids[-1]}"
        records "wss: openssl server: close_notify both ways, ours first" '<>'
    }
fi

# ---- nginx and HAProxy: TLS ended in front, TLS to a server behind, both ----
if wanted front; then
    serve plain "$bin/echo_server" --port 0 && plain=${ports[0]}
    echo_server mutual good --tls-ca "$certs/ca.pem" && mutual=$port
    echo_server wrong wrong && wrong=$port
    for kind in nginx haproxy; do
        front $kind "http://127.0.0.1:$plain" && sees "wss: $kind" "$well" - "wss://localhost:$port/"
        front $kind "https://127.0.0.1:$mutual" && sees "wss: $kind to TLS" "$well" - "wss://localhost:$port/"
        front $kind-plain "https://127.0.0.1:$mutual" && sees "wss: $kind-plain to TLS" "$well" - "ws://localhost:$port/"
        front $kind-plain "https://127.0.0.1:$wrong" &&
            sees "wss: $kind-plain to another name" '^0 echoes, 1006, .*50[23]' - "ws://localhost:$port/"
    done
fi

# ---- TLS in a tunnel, and in a tunnel inside TLS ----
if wanted proxy; then
    echo_server server good && server_port=$port
    echo_server wrong wrong && wrong=$port
    serve plain "$bin/echo_server" --port 0 && plain=${ports[0]}
    good=wss://localhost:$server_port/
    front squid && squid=$port && {
        sees "wss: squid" "$well" "http://localhost:$squid" "$good"
        sees "wss: squid, another name in the tunnel" '1015, TLS failed: .*not for this host' "http://localhost:$squid" \
            "wss://localhost:$wrong/"
    }
    front squid-tls && sees "wss: squid-tls" "$well" "https://localhost:$port" "$good"
    front haproxy-tcp "http://127.0.0.1:$squid" && sees "wss: haproxy-tcp" "$well" "https://localhost:$port" "$good"
    up microsocks microsocks -i 127.0.0.1 -p PORT && {
        sees "wss: microsocks" "$well" "socks5://127.0.0.1:$port" "$good"
        sees "wss: microsocks, another name" '1015, TLS failed: .*not for this host' "socks5://127.0.0.1:$port" \
            "wss://localhost:$wrong/"
    }
    peer proxy_wrong proxy "$certs" wrong &&
        sees "wss: Node proxy of another name" '^0 echoes, .*TLS failed: .*not for this host' "https://localhost:$ports" "$good"
    peer proxy proxy "$certs" good --user user:pass && {
        sees "wss: Node proxy" "$well" "https://user:pass@localhost:$ports" "$good"
        sees "wss: Node proxy, to plain ws" "$well" "https://user:pass@localhost:$ports" "ws://localhost:$plain/"
        sees "wss: Node proxy, wrong password" '^0 echoes, .*407' "https://user:no@localhost:$ports" "$good"
        https_proxy=https://user:pass@localhost:$ports sees "wss: Node proxy, of the environment" "$well" env "$good"
        wants "wss: Node proxy: it is named, the server is not" "connect localhost:$server_port sni=localhost" "$out/proxy.out" 2
    }
fi

# ---- an event stream and a browser ----
node_says() {           # node_says NAME OLD-NAME COMMAND...: its lines, under another name
    timeout -k 5 120 "${@:3}" >"$out/node.out" 2>&1 </dev/null || say "FAIL $1: exit status $?"
    grep -q '^ok\|^FAIL' "$out/node.out" || say "FAIL $1: it checked nothing"
    sed -n "s/^\(ok\|FAIL\) $2/\1 $1/p" "$out/node.out" | tee -a "$log"
}
if wanted stream; then
    serve chart "$bin/sse_chart" 0 && chart=http://127.0.0.1:$ports && front nginx "$chart" &&
        node_says "wss: sse_cat behind nginx" sse_cat node tests/interop/sse.js late "$bin/sse_cat" \
            "$chart/feed" "https://localhost:$port/feed"
fi
if wanted browser; then
    chromium=$(command -v chromium)
    home=$(cd "$out" && pwd)/home
    rm -rf "$home"
    mkdir -p "$home/.pki/nssdb"
    certutil -N -d "sql:$home/.pki/nssdb" --empty-password &&
        certutil -A -d "sql:$home/.pki/nssdb" -t C,, -n tests -i "$certs/ca.pem" || say "FAIL certutil"
    serve demo "$bin/demo" --port 0 --tls-cert "$certs/good.pem" --tls-key "$certs/good.key" &&
        HOME=$home CHROMIUM=$chromium node_says "wss: chromium" chromium node tests/interop/peer.js browser \
            "https://localhost:$ports/" "$bin/demo_tls.png"
    serve chart "$bin/sse_chart" 0 && front nginx "http://127.0.0.1:$ports" &&
        HOME=$home CHROMIUM=$chromium node_says "wss: chromium behind nginx" chromium node tests/interop/sse.js browser \
            "https://localhost:$port" "$bin/sse_chart_tls.png"
fi

# ---- the same with Mbed TLS 3, which speaks TLS 1.3 ----
unit() {                # unit TEST [OPTION...]: a unit test, with fewer seeds
    build "$1" "tests/$1.c" -Itests -I"$tls3/include" -L"$tls3/lib" -pthread "${@:2}"
    WS_TEST_CERTS=$certs WS_TEST_SEEDS=100 timeout -k 5 120 "$out/$1" >"$out/$1.out" 2>&1 </dev/null ||
        { say "FAIL Mbed TLS 3: $1: exit status $?"; tail -n 10 "$out/$1.out"; }
    sed -n "s/^\(ok\|FAIL\) /&Mbed TLS 3: $1: /p" "$out/$1.out" | tee -a "$log"
}
if wanted three; then
    if wait $making; then
        build echo_server3 examples/echo_server.c -I"$tls3/include" -L"$tls3/lib"
        build through3 tests/interop/through.c -I"$tls3/include" -L"$tls3/lib"
        server=$out/echo_server3 through=$out/through3
        npm_client "wss by Mbed TLS 3: npm client"
        npm_server "wss by Mbed TLS 3: npm server" TLSv1.3
        by_openssl "wss by Mbed TLS 3: openssl client" TLSv1.3
        unit test_tls
        unit test_tls_faults -DWRAPPED -Wl,--wrap=calloc,--wrap=free,--wrap=mbedtls_ctr_drbg_random
    else
        # Debian 12 has no such package: where the next release cannot be had, 2.28 must do
        say "left out: Mbed TLS 3: $(tail -n 1 "$out/mbedtls3.out")"
    fi
fi
tally

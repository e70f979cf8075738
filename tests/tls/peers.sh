#!/bin/bash
# The reference peers of the TLS tests against each other, so that a failure of ours next to
# them is ours: npm ws in both roles, nginx and HAProxy in front of it and in between, squid,
# HAProxy and Node as proxies that are spoken to in TLS. Needs npm ci in tests/interop.
# Prints "ok name" or "FAIL name"; last line "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${BUILD-build}/tls
certs=$out/certs
mkdir -p "$out"
: >"$out/peers.log"
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; wait 2>/dev/null' EXIT
sh tests/tls/certs.sh "$certs" || exit 1

say() { echo "$1" | tee -a "$out/peers.log"; }

# serve NAME ARGUMENT...: starts peer.js, leaves its ports in the array $ports
serve() {
    local name=$1 i
    shift
    : >"$out/$name.out"
    tail -f /dev/null --pid=$$ | node tests/tls/peer.js "$@" >"$out/$name.out" 2>&1 &
    pids+=($!)
    for ((i = 0; i < 100; i++)); do
        read -r -a ports < <(sed -n 's/^listening on //p' "$out/$name.out")
        [ ${#ports[@]} = 0 ] || return 0
        sleep 0.1
    done
    say "FAIL $name: it did not start"
    cat "$out/$name.out"
    return 1
}
# front KIND [TARGET]: starts front.sh, leaves its port in $port
front() {
    local i pid
    while port=$((12000 + RANDOM % 20000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    sh tests/tls/front.sh "$1" "$port" "$certs" "${2-}" >"$out/$1.out" 2>&1 </dev/null &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 100; i++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "FAIL $1: it did not start"
    tail -n 5 "$out/$1.out"
    return 1
}
visit() {           # visit NAME URL [OPTION...]: npm ws as client
    local name=$1
    shift
    timeout -k 5 60 node tests/tls/peer.js client "$certs" "$@" >"$out/client.out" 2>&1 </dev/null ||
        say "FAIL $name: exit status $?"
    grep -q '^ok\|^FAIL' "$out/client.out" || say "FAIL $name: it checked nothing"
    sed "s/^\(ok\|FAIL\) /&$name: /" "$out/client.out" | tee -a "$out/peers.log"
}
broken() {          # broken NAME URL [OPTION...]: and it must not get through
    if timeout -k 5 60 node tests/tls/peer.js client "$certs" "${@:2}" --only size >"$out/client.out" 2>&1
    then say "FAIL $1: it got through"
    else say "ok $1: $(sed -n 's/.*size: //p' "$out/client.out")"
    fi </dev/null
}
wants() {           # wants NAME WORDS FILE [TIMES]: so many lines of the file have the words
    local n
    n=$(grep -c -e "$2" "$3")
    if [ "$n" -ge "${4-1}" ]; then say "ok $1"; else say "FAIL $1: $n times \"$2\" in $3"; fi
}
# judge NAME HOST WORDS PORT [OPTION...]: what openssl says of the certificate at that port
judge() {
    local name=$1 host=$2 words=$3 at=$4
    shift 4
    timeout 20 openssl s_client -connect "127.0.0.1:$at" -servername "$host" -verify_hostname "$host" \
        -verify_return_error -CAfile "$certs/ca.pem" "$@" >"$out/judge.out" 2>&1 </dev/null
    wants "openssl on $name" "$words" "$out/judge.out"
}

# ---- npm ws both ways, and each certificate as OpenSSL sees it ----
names=(good expired early self unknown wrong san cn wildcard chain chainless client)
words=('OK' 'has expired' 'not yet valid' 'self-signed' 'unable to get local issuer' 'mismatch'
    'OK' 'OK' 'mismatch' 'OK' 'unable to get local issuer' 'unsuitable certificate purpose')
serve server server "$certs" "$(IFS=,; echo "${names[*]}")" && {
    good=${ports[0]} wrong=${ports[5]}
    visit npm "wss://localhost:$good/"
    for i in "${!names[@]}"; do judge "${names[i]}" localhost "${words[i]}" "${ports[i]}"; done
    judge "a name by SNI" b.test 'subject=CN = b.test' "$good"
    visit "npm, by name" "wss://localhost:$good/" --name a.test --only size
}
serve server12 server "$certs" good-rsa --max TLSv1.2 --mtls ca && {
    visit "npm, RSA, TLS 1.2, client certificate" "wss://localhost:${ports[0]}/" --max TLSv1.2 --mtls ca
    wants "npm: the client's name is known" 'client=client' "$out/server12.out"
}
serve mutual server "$certs" good --mtls ca && {
    mutual=${ports[0]}
    visit "npm, client certificate" "wss://localhost:$mutual/" --mtls ca --only 'client cert'
}

# ---- TLS ended in front, TLS to a server behind, both ----
serve plain plain "$certs" && plain=${ports[0]}
seen=0
for kind in nginx haproxy; do
    front $kind "http://127.0.0.1:$plain" && visit "$kind" "wss://localhost:$port/"
    front $kind "https://127.0.0.1:$mutual" && visit "$kind to TLS" "wss://localhost:$port/" --only size
    front $kind-plain "https://127.0.0.1:$mutual" && visit "$kind-plain" "ws://localhost:$port/" --only size
    seen=$((seen + 2))
    wants "$kind shows a certificate and asks by name" 'sni=localhost.*client=client' "$out/mutual.out" $seen
    front $kind-plain "https://127.0.0.1:$wrong" && broken "$kind-plain, wrong name" "ws://localhost:$port/"
done

# ---- TLS in a tunnel, and in a tunnel inside TLS ----
front squid && squid=$port && visit squid "wss://localhost:$good/" --proxy "http://localhost:$port" --only size
broken "squid, wrong name in the tunnel" "wss://localhost:$wrong/" --proxy "http://localhost:$squid"
front squid-tls && visit squid-tls "wss://localhost:$good/" --proxy "https://localhost:$port" --only size
front haproxy-tcp "http://127.0.0.1:$squid" &&
    visit haproxy-tcp "wss://localhost:$good/" --proxy "https://localhost:$port" --only size
serve proxy_wrong proxy "$certs" wrong &&
    broken "node proxy, wrong name" "wss://localhost:$good/" --proxy "https://localhost:${ports[0]}"
serve proxy proxy "$certs" good --user 'user:pass' && {
    port=${ports[0]}
    visit "node proxy" "wss://localhost:$good/" --proxy "https://user:pass@localhost:$port" --only size
    visit "node proxy, to plain ws" "ws://localhost:$plain/" --proxy "https://user:pass@localhost:$port" --only size
    broken "node proxy, wrong password" "wss://localhost:$good/" --proxy "https://user:no@localhost:$port"
    wants "node proxy: it is named, the server is not" "connect localhost:$good sni=localhost" "$out/proxy.out"
}

passed=$(grep -c '^ok' "$out/peers.log")
failed=$(grep -c '^FAIL' "$out/peers.log")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

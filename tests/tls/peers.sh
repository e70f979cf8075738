#!/bin/bash
# The reference peers of the TLS tests against each other, so that a failure of ours next to
# them is ours: npm ws in both roles, nginx and HAProxy in front of it and in between, squid,
# HAProxy and Node as proxies that are spoken to in TLS. Needs npm ci in tests/interop.
# Prints "ok name" or "FAIL name"; last line "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${BUILD-build}/tls
. tests/tls/lib.sh
sh tests/tls/certs.sh "$certs" || exit 1

# ---- npm ws both ways, and each certificate as OpenSSL sees it ----
names=(good expired early self unknown wrong san cn wildcard chain chainless client)
words=('OK' 'has expired' 'not yet valid' 'self-signed' 'unable to get local issuer' 'mismatch'
    'OK' 'OK' 'mismatch' 'OK' 'unable to get local issuer' 'unsuitable certificate purpose')
peer server server "$certs" "$(IFS=,; echo "${names[*]}")" && {
    good=${ports[0]} wrong=${ports[5]}
    visit npm "wss://localhost:$good/"
    for i in "${!names[@]}"; do judge "${names[i]}" localhost "${words[i]}" "${ports[i]}"; done
    judge "a name by SNI" b.test 'subject=CN = b.test' "$good"
    visit "npm, by name" "wss://localhost:$good/" --name a.test --only size
}
peer server12 server "$certs" good-rsa --max TLSv1.2 --mtls ca && {
    visit "npm, RSA, TLS 1.2, client certificate" "wss://localhost:${ports[0]}/" --max TLSv1.2 --mtls ca
    wants "npm: the client's name is known" 'client=client' "$out/server12.out"
}
peer mutual server "$certs" good --mtls ca && {
    mutual=${ports[0]}
    visit "npm, client certificate" "wss://localhost:$mutual/" --mtls ca --only 'client cert'
}

# ---- TLS ended in front, TLS to a server behind, both ----
peer plain plain "$certs" && plain=${ports[0]}
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
peer proxy_wrong proxy "$certs" wrong &&
    broken "node proxy, wrong name" "wss://localhost:$good/" --proxy "https://localhost:${ports[0]}"
peer proxy proxy "$certs" good --user 'user:pass' && {
    port=${ports[0]}
    visit "node proxy" "wss://localhost:$good/" --proxy "https://user:pass@localhost:$port" --only size
    visit "node proxy, to plain ws" "ws://localhost:$plain/" --proxy "https://user:pass@localhost:$port" --only size
    broken "node proxy, wrong password" "wss://localhost:$good/" --proxy "https://user:no@localhost:$port"
    wants "node proxy: it is named, the server is not" "connect localhost:$good sni=localhost" "$out/proxy.out"
}

tally

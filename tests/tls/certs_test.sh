#!/bin/sh
# Every certificate of certs.sh has the one fault it is named for, or none, as openssl sees it;
# each key belongs to its certificate. Last line "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=${BUILD-build}/tls/certs passed=0 failed=0
command -v openssl >/dev/null || { echo "SKIP TLS certificates: no openssl"; echo "0 passed, 0 failed"; exit 0; }
say() { if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $2"; fi; }

# sees FILE WANTED OPTION...: what "openssl verify" says of it; WANTED OK, or its words for a fault
sees() {
    file=$1 wanted=$2
    shift 2
    got=$(openssl verify -x509_strict -CAfile "$dir/ca.pem" -no-CApath -no-CAstore "$@" \
        "$dir/$file.pem" 2>&1)
    case $got in
    *"$wanted"*) say 0 ;;
    *) say 1 "$file $*: wanted \"$wanted\", got: $got" ;;
    esac
}

mkdir -p "$dir"
sh tests/tls/certs.sh "$dir" >"$dir.log" 2>&1
say $? "certs.sh failed"
[ ! -s "$dir.log" ]
say $? "certs.sh is not quiet: $(cat "$dir.log")"
before=$(cat "$dir/good.pem")
sh tests/tls/certs.sh "$dir" && [ "$before" = "$(cat "$dir/good.pem")" ]
say $? "the second call changes the files"
if sh tests/tls/certs.sh /dev/null/x >"$dir.log" 2>&1 || [ ! -s "$dir.log" ]; then
    say 1 "certs.sh does not tell that it failed"
fi
if OPENSSL_CONF=/nowhere sh tests/tls/certs.sh "$dir.own" >"$dir.log" 2>&1; then say 0
else say 1 "certs.sh needs openssl's own configuration: $(cat "$dir.log")"; fi
rm -rf "$dir.own"

server="-purpose sslserver -verify_hostname"
for name in good good-rsa reload san cn; do sees $name ': OK' $server localhost; done
for name in good good-rsa reload san; do sees $name ': OK' $server example.test; done
for name in expired early self unknown wrong wildcard ip chainless client; do
    case $name in
    expired) words='has expired' ;;
    early) words='not yet valid' ;;
    self) words='self-signed certificate' ;;
    unknown | chainless) words='unable to get local issuer' ;;
    wrong | wildcard | ip) words='hostname mismatch' ;;
    client) words='unsuitable certificate purpose' ;;
    esac
    sees $name "$words" $server localhost
    case $name in
    wrong) sees $name ': OK' $server wrong.test ;;
    wildcard)
        sees $name ': OK' $server a.example.test
        sees $name "$words" $server example.test
        sees $name "$words" $server a.b.example.test ;;
    ip)
        sees $name ': OK' -purpose sslserver -verify_ip 127.0.0.1
        sees $name ': OK' -purpose sslserver -verify_ip ::1
        sees $name 'IP address mismatch' -purpose sslserver -verify_ip 127.0.0.2 ;;
    client) sees $name ': OK' -purpose sslclient ;;
    expired) sees $name ': OK' $server localhost -attime 1590000000 ;;
    early) sees $name ': OK' $server localhost -attime 2480000000 ;;
    esac
done
sees good 'IP address mismatch' -verify_ip 127.0.0.1
sees cn 'hostname mismatch' -purpose sslserver -verify_hostname elsewhere.test
sees san 'hostname mismatch' -purpose sslserver -verify_hostname elsewhere.test
sees chain ': OK' $server localhost -untrusted "$dir/chain.pem"
sees sni-a ': OK' $server a.test
sees sni-b ': OK' $server b.test
sees sni-a 'hostname mismatch' $server b.test
sees client-other 'unable to get local issuer' -purpose sslclient
sees garbage 'Could not read'
for name in unknown client-other; do
    openssl verify -no-CApath -CAfile "$dir/other-ca.pem" "$dir/$name.pem" >/dev/null 2>&1
    say $? "$name is not signed by other-ca"
done

pairs=0
for k in "$dir"/*.key; do
    c=${k%.key}.pem
    [ "$(openssl pkey -in "$k" -pubout 2>&1)" = "$(openssl x509 -in "$c" -noout -pubkey 2>&1)" ]
    say $? "$k is not the key of $c"
    pairs=$((pairs + 1))
done
[ $pairs = 20 ]
say $? "$pairs keys"
[ "$(openssl x509 -in "$dir/chain.pem" -noout -pubkey)" = \
    "$(openssl x509 -in "$dir/chainless.pem" -noout -pubkey)" ]
say $? "chainless is not the leaf of chain"
[ "$(grep -c BEGIN "$dir/chain.pem") $(grep -c BEGIN "$dir/chainless.pem")" = "2 1" ]
say $? "chain and chainless"
serials=$(for c in "$dir"/*.pem; do case $c in */chainless.pem | */garbage.pem) ;;
    *) openssl x509 -in "$c" -noout -serial ;; esac; done)
[ "$(echo "$serials" | sort -u | wc -l)" = "$(echo "$serials" | wc -l)" ]
say $? "serial numbers repeat"
echo "$passed passed, $failed failed"
[ $failed = 0 ]

#!/bin/sh
# Makes every certificate the TLS tests need, with the openssl program alone.
#   tests/tls/certs.sh DIR
# Prints nothing; on a failure tells what openssl said and exits with 1. A second call leaves
# the files as they are. NAME.pem is a certificate and NAME.key its key, P-256 unless said:
#   ca, other-ca       two roots; the tests trust the first only. inter: below ca
#   good               for localhost and example.test; reload: another such, good-rsa: RSA 2048
#   expired, early     like good, but until 2021, and from 2048
#   self               like good, but signed by itself; unknown: by other-ca
#   wrong              for wrong.test only
#   san                like good, but its subject names another host
#   cn                 localhost in the subject only, no subjectAltName
#   ip                 for 127.0.0.1 and ::1, no names
#   wildcard           for *.example.test
#   chain              like good, but signed by inter: the leaf and inter in one file;
#                      chainless: the same leaf alone (its key is chain.key)
#   sni-a, sni-b       for a.test, for b.test
#   client             for clients, with localhost as its name too: as a server's it has one
#                      fault, its purpose. client-other: the same, signed by other-ca
# garbage.pem looks like a certificate and is none.
set -eu
dir=${1:?usage: certs.sh DIR}
mkdir -p "$dir"
[ ! "$dir/complete" -nt "$0" ] || exit 0
rm -f "$dir/complete"
work=$dir/work
rm -rf "$work"
mkdir "$work"
: >"$work/index.txt"
echo 1000 >"$work/serial"
cat >"$work/ca.cnf" <<END
[req]
distinguished_name = name
[name]
[ca]
default_ca = tests
[tests]
database = $work/index.txt
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END

run() {
    "$@" >"$work/log" 2>&1 || { echo "certs.sh: $*" >&2; cat "$work/log" >&2; exit 1; }
}
key() {                     # key NAME [rsa]
    if [ "${2-}" = rsa ]; then
        run openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/$1.key"
    else
        run openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/$1.key"
    fi
}
# sign NAME SIGNER SUBJECT EXTENSIONS [FROM UNTIL]; SIGNER - is the certificate itself.
# The dates are fixed, so that no certificate of a finished run is out of date in a later one.
sign() {
    printf '%b\n' "$4" >"$work/extensions"
    run openssl req -new -config "$work/ca.cnf" -key "$dir/$1.key" -subj "/CN=$3" -out "$work/request"
    if [ "$2" = - ]; then set -- "$@" -selfsign -keyfile "$dir/$1.key"
    else set -- "$@" -cert "$dir/$2.pem" -keyfile "$dir/$2.key"; fi
    name=$1 from=20200101000000Z until=20491231235959Z
    shift 4
    case $1 in
    2*) from=$1 until=$2; shift 2 ;;
    esac
    run openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/request" -out "$dir/$name.pem" \
        -startdate "$from" -enddate "$until" -extfile "$work/extensions" "$@"
}
ids='subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid'
authority="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$ids"
leaf="basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n$ids"
server="$leaf\nextendedKeyUsage=serverAuth"
both="$server\nsubjectAltName=DNS:localhost,DNS:example.test"

for name in ca other-ca inter good reload expired early self unknown wrong san cn ip wildcard chain \
    sni-a sni-b client client-other; do key $name; done
key good-rsa rsa

sign ca - 'ws.h tests CA' "$authority"
sign other-ca - 'ws.h tests unknown CA' "$authority"
sign inter ca 'ws.h tests intermediate CA' "$authority"
sign good ca localhost "$both"
sign good-rsa ca localhost "$both"
sign reload ca localhost "$both"
sign expired ca localhost "$both" 20200101000000Z 20210101000000Z
sign early ca localhost "$both" 20480101000000Z 20491231235959Z
sign self - localhost "$both"
sign unknown other-ca localhost "$both"
sign wrong ca wrong.test "$server\nsubjectAltName=DNS:wrong.test"
sign san ca elsewhere.test "$both"
sign cn ca localhost "$server"
sign ip ca 'by address' "$server\nsubjectAltName=IP:127.0.0.1,IP:::1"
sign wildcard ca '*.example.test' "$server\nsubjectAltName=DNS:*.example.test"
sign chain inter localhost "$both"
sign sni-a ca a.test "$server\nsubjectAltName=DNS:a.test"
sign sni-b ca b.test "$server\nsubjectAltName=DNS:b.test"
sign client ca client "$leaf\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:localhost"
sign client-other other-ca client "$leaf\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:localhost"

cp "$dir/chain.pem" "$dir/chainless.pem"
cat "$dir/inter.pem" >>"$dir/chain.pem"
printf -- '-----BEGIN CERTIFICATE-----\nMIIBaDCCAQ6gAwIBAgIC\n-----END CERTIFICATE-----\n' >"$dir/garbage.pem"
rm -rf "$work"
: >"$dir/complete"

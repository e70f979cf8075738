# What peers.sh, tests/interop/tls.sh and http.sh share; bash. They set $out, a directory of their own.
certs=$out/certs log=$out/results.log
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; wait 2>/dev/null' EXIT
mkdir -p "$out"
: >"$log"

say() { echo "$1" | tee -a "$log"; }

# serve NAME COMMAND...: starts it and waits for "listening on ..." or "open ...", which may be
# ports or a URL; leaves those ports in the array $ports
serve() {
    local name=$1 i
    shift
    : >"$out/$name.out"
    tail -f /dev/null --pid=$$ | "$@" >"$out/$name.out" 2>&1 &
    pids+=($!)
    for ((i = 0; i < 100; i++)); do
        read -r -a ports < <(sed -n 's/^listening on //p; s/^open //p' "$out/$name.out" |
            sed 's|.*://.*:\([0-9]*\)/.*|\1|')
        [ ${#ports[@]} = 0 ] || return 0
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    say "FAIL $name: it did not start"
    cat "$out/$name.out"
    return 1
}
peer() { serve "$1" node tests/tls/peer.js "${@:2}"; }      # peer NAME ARGUMENT...
# up NAME COMMAND...: starts it with a free port in place of PORT, and waits until that answers;
# leaves it in $port
up() {
    local name=$1 i
    shift
    while port=$((12000 + RANDOM % 20000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    "${@/#PORT/$port}" >"$out/$name.out" 2>&1 </dev/null &
    pids+=($!)
    for ((i = 0; i < 100; i++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    say "FAIL $name: it did not start"
    tail -n 5 "$out/$name.out"
    return 1
}
front() { up "$1" sh tests/tls/front.sh "$1" PORT "$certs" "${2-}"; }       # front KIND [TARGET]
visit() {           # visit NAME URL [OPTION...]: npm ws as client
    local name=$1
    shift
    timeout -k 5 60 node tests/tls/peer.js client "$certs" "$@" >"$out/client.out" 2>&1 </dev/null ||
        say "FAIL $name: exit status $?"
    grep -q '^ok\|^FAIL' "$out/client.out" || say "FAIL $name: it checked nothing"
    sed "s/^\(ok\|FAIL\) /&$name: /" "$out/client.out" | tee -a "$log"
}
broken() {          # broken NAME URL [OPTION...]: and it must not get through
    if timeout -k 5 60 node tests/tls/peer.js client "$certs" "${@:2}" --only size >"$out/client.out" 2>&1
    then say "FAIL $1: it got through"
    else say "ok $1: $(sed -n 's/.*size: //p' "$out/client.out")"
    fi </dev/null
}
wants() {           # wants NAME WORDS FILE [TIMES]: at least so many lines of the file have the words
    local n
    n=$(grep -a -c -e "$2" "$3")
    if [ "$n" -ge "${4-1}" ]; then say "ok $1"
    else
        say "FAIL $1: $n times \"$2\" in $3"
        tail -n 3 "$3" | sed 's/^/    /'
    fi
}
# judge NAME HOST WORDS PORT [OPTION...]: what openssl says of the certificate at that port
judge() {
    local name=$1 host=$2 words=$3 at=$4
    shift 4
    timeout 20 openssl s_client -connect "127.0.0.1:$at" -servername "$host" -verify_hostname "$host" \
        -verify_return_error -CAfile "$certs/ca.pem" "$@" >"$out/judge.out" 2>&1 </dev/null
    wants "openssl on $name" "$words" "$out/judge.out"
}
tally() {           # the last line
    local passed failed
    passed=$(grep -c '^ok' "$log")
    failed=$(grep -c '^FAIL\|^not ok' "$log")
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

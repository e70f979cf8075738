#!/bin/bash
# ws.h against real peers on this machine: five npm packages as clients and as servers, npm ws
# once more and harder, Python websockets, a fuzzing server for the client, the proxies tinyproxy,
# squid, microsocks and Dante, headless Chromium; compression with npm ws, faye-websocket, Python
# websockets and Chromium, and behind nginx and HAProxy; event streams with four npm packages,
# Chromium, and behind nginx and HAProxy; ordinary HTTP with curl, node, Chromium, wrk and both
# proxies (http.sh); all of it that matters in TLS once more (tls.sh), and the peers of that
# against each other. Installs what it needs (npm ci; apt-get as root), builds the examples,
# peer.c, deflate.c, through.c and http.c. Prints "ok name", or "not ok name" or "FAIL name";
# last line "N passed, N failed".
#   tests/interop/run.sh [five|npm|python|conformance|deflate|proxy|browser|sse|behind|http|peers|tls]...
# Default: all parts. A missing tool is a loud SKIP, and a failure with CI=true.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/interop
out=${BUILD-build}
mkdir -p "$out/interop"
log=$out/interop/results.log
: >"$log"
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done' EXIT

say() { echo "$1" | tee -a "$log"; }
skip() {
    say "SKIP $1"
    [ "${CI-}" != true ] || say "FAIL $1: skipped, which is a failure with CI=true"
}
wanted() { [ ${#parts[@]} = 0 ] || [[ " ${parts[*]} " == *" $1 "* ]]; }
parts=("$@")

# check NAME COMMAND...: ok if it exits with 0 in time.
check() {
    local name=$1
    shift
    if timeout -k 5 60 "$@" >"$out/interop/last.out" 2>&1 </dev/null; then say "ok $name"
    else
        say "FAIL $name: exit status $?"
        tail -n 5 "$out/interop/last.out" | sed 's/^/    /'
    fi
}

# run NAME COMMAND...: the command prints its own lines.
run() {
    local name=$1 before status
    shift
    before=$(grep -c '^ok\|^FAIL\|^not ok' "$log")
    timeout -k 5 600 "$@" 2>"$out/interop/stderr" </dev/null | tee -a "$log"
    status=${PIPESTATUS[0]}
    [ "$status" = 0 ] || { say "FAIL $name: exit status $status"; tail -n 5 "$out/interop/stderr"; }
    [ "$(grep -c '^ok\|^FAIL\|^not ok' "$log")" -gt "$before" ] || say "FAIL $name: it checked nothing"
}

# serve NAME COMMAND...: starts it, waits for its first line, leaves that in $line, pid in $pid.
serve() {
    local name=$1 i
    shift
    : >"$out/interop/$name.out"
    tail -f /dev/null --pid=$$ | "$@" >"$out/interop/$name.out" 2>"$out/interop/$name.err" &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 100; i++)); do
        line=$(head -n 1 "$out/interop/$name.out")
        [ -z "$line" ] || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "FAIL $name: it did not start"
    tail -n 3 "$out/interop/$name.err"
    return 1
}
stop() { kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; }
free_port() {       # leaves it in $port; below those the system gives to clients
    while :; do
        port=$((12000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
}
up() {              # up NAME COMMAND...: starts a proxy, waits until $port answers
    local name=$1 i
    shift
    "$@" >"$out/interop/$name.out" 2>&1 </dev/null &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 100; i++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "FAIL $name: it did not start"
    tail -n 5 "$out/interop/$name.out"
    return 1
}
alive() { if kill -0 "$pid" 2>/dev/null; then say "ok $1"; else say "FAIL $1"; fi; }

# ---- what is needed ----
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    missing=
    command -v chromium >/dev/null || missing="$missing chromium"
    command -v node >/dev/null || missing="$missing nodejs"
    command -v npm >/dev/null || missing="$missing npm"
    /usr/bin/python3 -c 'import websockets' 2>/dev/null || missing="$missing python3-websockets"
    command -v certutil >/dev/null || missing="$missing libnss3-tools"
    for p in tinyproxy squid microsocks danted nginx haproxy curl wrk; do
        PATH=$PATH:/usr/sbin command -v $p >/dev/null || missing="$missing ${p/danted/dante-server}"
    done
    if [ -n "$missing" ]; then
        echo "installing$missing"
        (apt-get update && apt-get install -y --no-install-recommends $missing) \
            >"$out/interop/apt.log" 2>&1 || echo "apt-get failed, see $out/interop/apt.log"
    fi
fi
node=
if command -v npm >/dev/null && command -v node >/dev/null; then
    if (cd $here && npm ci --ignore-scripts --no-audit --no-fund) >"$out/interop/npm.log" 2>&1; then node=1
    else tail -n 5 "$out/interop/npm.log"; fi
fi
python=
for p in /usr/bin/python3 python3; do
    [ -z "$python" ] && "$p" -c 'import websockets' 2>/dev/null && python=$p
done
if [ -z "${BUILD-}" ]; then
    ${MAKE-make} examples || say "FAIL make examples"
fi

# ---- five npm packages, both roles ----
if wanted five; then
    if [ -z "$node" ]; then skip "five npm packages: no node, or npm ci failed"
    elif ${CC-cc} ${CPPFLAGS-} ${CFLAGS--O2 -g} -Wall -Wextra -I. $here/peer.c \
        -o "$out/interop/peer" ${LDFLAGS-} ${LDLIBS-}
    then run "five" node $here/five.js "$out/interop/peer"
    else say "FAIL five: peer.c does not compile"
    fi
fi

# ---- npm ws ----
if wanted npm; then
    if [ -z "$node" ]; then skip "npm ws: no node, or npm ci failed"
    else
        if serve echo_server "$out/echo_server" --port 0; then
            url=$(echo "$line" | grep -o 'ws://[^ ]*')
            run "npm client" node $here/peer.js client "$url"
            alive "npm client: the server survived"
            stop
        fi
        if serve npm_server node $here/peer.js server; then
            url=ws://127.0.0.1:${line##* }
            check "npm server: hello_client" "$out/hello_client" "$url/"
            grep -q hello "$out/interop/last.out" && say "ok npm server: the echo came back" ||
                say "FAIL npm server: hello_client printed no echo"
            check "npm server: hello_client through localhost" "$out/hello_client" \
                "${url/127.0.0.1/localhost}/"
            check "npm server: own_loop" "$out/own_loop" "$url/"
            check "npm server: fragments and pings" "$out/hello_client" "$url/push"
            check "npm server: loadgen 20 B" "$out/loadgen" "$url/" --connections 20 --size 20 --depth 8 --seconds 1
            check "npm server: loadgen text" "$out/loadgen" "$url/" --connections 5 --size 200 --depth 4 --seconds 1 --text
            check "npm server: loadgen 70000 B" "$out/loadgen" "$url/" --connections 4 --size 70000 --depth 4 --seconds 1
            check "npm server: loadgen 1 MiB" "$out/loadgen" "$url/" --connections 2 --size 1048576 --depth 1 --seconds 1
            stop
        fi
    fi
fi

# ---- Python websockets ----
if wanted python; then
    if [ -z "$python" ]; then skip "python websockets: not installed"
    else
        if serve echo_server "$out/echo_server" --port 0; then
            url=$(echo "$line" | grep -o 'ws://[^ ]*')
            run "python client" "$python" $here/peer.py client "$url"
            alive "python client: the server survived"
            stop
        fi
        if serve python_server "$python" $here/peer.py server; then
            url=ws://127.0.0.1:${line##* }
            check "python server: hello_client" "$out/hello_client" "$url/"
            check "python server: own_loop" "$out/own_loop" "$url/"
            check "python server: loadgen 20 B" "$out/loadgen" "$url/" --connections 20 --size 20 --depth 4 --seconds 1
            check "python server: loadgen text" "$out/loadgen" "$url/" --connections 5 --size 200 --depth 4 --seconds 1 --text
            check "python server: loadgen 1 MiB" "$out/loadgen" "$url/" --connections 2 --size 1048576 --depth 1 --seconds 1
            stop
        fi
    fi
fi

# ---- the client against a server that breaks the rules ----
if wanted conformance; then
    if ! command -v node >/dev/null; then skip "conformance: no node"
    elif serve conformance node $here/conformance_server.js; then
        check "conformance_client ends" "$out/conformance_client" "ws://127.0.0.1:${line##* }" ws.h
        sleep 0.5
        grep '^FAIL' "$out/interop/conformance.out"
        grep '^ok\|^FAIL' "$out/interop/conformance.out" >>"$log"
        grep '^#' "$out/interop/conformance.out" || say "FAIL conformance: no report"
        stop
    fi
fi

# ---- compression ----
in_front() {        # in_front KIND: sizes.js to the echo server at $target through nginx or HAProxy
    PATH=$PATH:/usr/sbin
    if ! command -v "${1%-plain}" >/dev/null || ! sh tests/tls/certs.sh "$out/certs" >/dev/null
    then skip "deflate behind ${1%-plain}: not installed, or no openssl"; return; fi
    free_port
    up "deflate_$1" sh tests/tls/front.sh "$1" "$port" "$out/certs" "$target" || return
    run "deflate behind $1" node $here/sizes.js "ws://127.0.0.1:$port/" "deflate behind ${1%-plain}"
    stop
}
if wanted deflate; then
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
    if [ -z "$node" ] || ! echo '#include <zlib.h>' | ${CC-cc} ${CPPFLAGS-} -E - >/dev/null 2>&1
    then skip "deflate: no node, or npm ci failed, or no <zlib.h>"
    elif ! ${CC-cc} ${CPPFLAGS-} ${CFLAGS--O2 -g} -Wall -Wextra -DWS_USE_ZLIB -I. $here/deflate.c \
        -o "$out/interop/deflate" ${LDFLAGS-} -lz ${LDLIBS-} -pthread
    then say "FAIL deflate: deflate.c does not compile"
    else
        [ -n "$python" ] || skip "deflate with Python websockets: not installed"
        [ -n "$browser" ] || skip "deflate with Chromium: not installed"
        run "deflate" node $here/deflate.js "$out/interop/deflate" "${python:--}" "${browser:--}"
        if serve echo_deflate "$out/echo_server" --port 0 --deflate=threshold=1; then
            url=$(echo "$line" | grep -o 'ws://[^ ]*') target=http://${url#ws://} echo_server=$pid
            target=${target%/}
            run "deflate sizes" node $here/sizes.js "$url" "deflate, echo_server"
            in_front nginx-plain
            in_front haproxy-plain
            pid=$echo_server
            alive "deflate: the server survived"
            stop
        fi
        if serve deflate_server node $here/conformance_server.js 0 deflate; then
            check "conformance_client --deflate ends" "$out/conformance_client" \
                "ws://127.0.0.1:${line##* }" ws.h --deflate=threshold=1
            sleep 0.5
            sed -n 's/^\(ok\|FAIL\) case [0-9]*/\1 deflate, conformance_client:/p' "$out/interop/deflate_server.out" >>"$log"
            grep '^FAIL' "$out/interop/deflate_server.out"
            grep '^#' "$out/interop/deflate_server.out" || say "FAIL conformance with deflate: no report"
            stop
        fi
    fi
fi

# ---- through real proxies: names, IPv4, IPv6, with and without credentials ----
through() {         # through NAME PROXY [STATUS]: to every address of the echo server
    local name=$1 proxy=$2 host status=${3-}
    for host in "${hosts[@]}"; do
        check "$name${status:+ refuses}: $host" "$out/interop/through" "$proxy" "$host" ${status:+--status $status}
    done
}
if wanted proxy; then
    PATH=$PATH:/usr/sbin
    tmp=$(mktemp -d)
    chmod 755 "$tmp"
    if ! ${CC-cc} ${CPPFLAGS-} ${CFLAGS--O2 -g} -Wall -Wextra -I. $here/through.c \
        -o "$out/interop/through" ${LDFLAGS-} ${LDLIBS-}
    then say "FAIL proxy: through.c does not compile"; fi
    serve echo_server "$out/echo_server" --port 0
    four=${line##*:}
    four=ws://127.0.0.1:${four%%/*}/
    hosts=("$four" "${four/127.0.0.1/localhost}")
    if serve echo_server6 "$out/echo_server" --host ::1 --port 0; then
        six=${line##*:}
        hosts+=("ws://[::1]:${six%%/*}/")
    fi

    if ! command -v tinyproxy >/dev/null; then skip "tinyproxy: not installed"; else
        free_port
        printf '%s\n' "Port $port" "Listen 127.0.0.1" "Timeout 60" >"$tmp/open.conf"
        up tinyproxy tinyproxy -d -c "$tmp/open.conf" && through tinyproxy "http://127.0.0.1:$port"
        open=http://127.0.0.1:$port
        free_port
        printf '%s\n' "Port $port" "Listen 127.0.0.1" "Timeout 60" "BasicAuth user pass" >"$tmp/auth.conf"
        up tinyproxy_auth tinyproxy -d -c "$tmp/auth.conf" && {
            through "tinyproxy with a password" "http://user:pass@127.0.0.1:$port"
            through "tinyproxy, no password" "http://127.0.0.1:$port" 407
            through "tinyproxy, wrong password" "http://user:wrong@127.0.0.1:$port" 401
        }
        (unset no_proxy NO_PROXY http_proxy; all_proxy=$open; export all_proxy
         through "tinyproxy from the environment" env)
    fi
    if ! command -v squid >/dev/null; then skip "squid: not installed"; else
        free_port
        mkdir "$tmp/squid"
        chmod 777 "$tmp/squid"
        printf 'user:%s\n' "$(openssl passwd -apr1 pass)" >"$tmp/users"
        cat >"$tmp/squid.conf" <<EOF
http_port 127.0.0.1:$port
auth_param basic program /usr/lib/squid/basic_ncsa_auth $tmp/users
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
access_log none
cache_log $tmp/squid/log
pid_filename none
coredump_dir $tmp/squid
shutdown_lifetime 0 seconds
EOF
        up squid squid -N -f "$tmp/squid.conf" && {
            through "squid with a password" "http://user:pass@127.0.0.1:$port"
            through "squid, no password" "http://127.0.0.1:$port" 407
        }
    fi
    if ! command -v microsocks >/dev/null; then skip "microsocks: not installed"; else
        free_port
        up microsocks microsocks -i 127.0.0.1 -p "$port" && {
            through microsocks "socks5://127.0.0.1:$port"
            through "microsocks by name" "socks5h://localhost:$port"
        }
        free_port
        up microsocks_auth microsocks -i 127.0.0.1 -p "$port" -u user -P 'p@:ss' && {
            through "microsocks with a password" "socks5://user:p%40%3Ass@127.0.0.1:$port"
            through "microsocks, no password" "socks5://127.0.0.1:$port" 0
            through "microsocks, wrong password" "socks5://user:no@127.0.0.1:$port" 0
        }
    fi
    if ! command -v danted >/dev/null; then skip "Dante: not installed"; else
        free_port
        cat >"$tmp/danted.conf" <<EOF
internal: 127.0.0.1 port = $port
external: 127.0.0.1
socksmethod: none
clientmethod: none
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }
EOF
        hosts=("$four" "${four/127.0.0.1/localhost}")
        up danted danted -f "$tmp/danted.conf" && {
            through Dante "socks5://127.0.0.1:$port"
            hosts=("ws://192.0.2.1/")       # its rules forbid it
            through Dante "socks5://127.0.0.1:$port" 2
        }
    fi
    rm -rf "$tmp"
fi

# ---- a browser ----
if wanted browser; then
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
    if [ -z "$node" ] || [ -z "$chromium" ]; then skip "chromium: not installed"
    elif serve demo "$out/demo" --port 0; then
        page=$(echo "$line" | grep -o 'http://[^ ]*')
        CHROMIUM=$chromium run "chromium" node $here/peer.js browser "$page" "$out/demo.png"
        alive "chromium: the demo survived"
        stop
    fi
fi

# ---- event streams ----
if wanted sse; then
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
    if [ -z "$node" ]; then skip "event streams: no node, or npm ci failed"
    else
        run "sse servers" node $here/sse.js servers "$out/sse_cat"
        if serve sse_chart "$out/sse_chart" 0; then
            url=$(echo "$line" | grep -o 'http://[^ /]*')
            run "sse clients" node $here/sse.js clients "$url"
            if [ -z "$chromium" ]; then skip "event streams in chromium: not installed"
            else CHROMIUM=$chromium run "sse chromium" node $here/sse.js browser "$url" "$out/sse_chart.png"
            fi
            alive "event streams: the server survived"
            stop
        fi
    fi
fi

# ---- event streams behind Debian's own configurations, each given one place for us ----
nginx_config() {        # nginx_config URL DIRECTORY
    local place="server { listen unix:$2/nginx.sock; location / { proxy_pass $1; } }"
    sed -e '/^user/d' -e "s|^pid .*|pid $2/nginx.pid; daemon off; master_process off;|" \
        -e "s|/var/log/nginx|$2|" -e '/conf\.d\|modules-enabled/d' \
        -e "s|include .*sites-enabled/.*|$place|" /etc/nginx/nginx.conf
}
haproxy_config() {      # likewise
    sed '/chroot\|user \|group \|daemon\|stats \|log \/dev/d' /etc/haproxy/haproxy.cfg
    printf 'frontend in\n bind unix@%s/haproxy.sock\n default_backend chart\n' "$2"
    printf 'backend chart\n server one %s\n' "${1#http://}"
}
behind() {              # behind NAME OPTION: sse_chart's events through nginx or HAProxy
    local dir url helper i
    PATH=$PATH:/usr/sbin
    if [ -z "$node" ] || ! command -v "$1" >/dev/null; then skip "$1: not installed"; return; fi
    serve sse_chart "$out/sse_chart" 0 || return
    dir=$(mktemp -d) url=$(echo "$line" | grep -o 'http://[^ /]*')
    "$1_config" "$url" "$dir" >"$dir/config"
    "$1" "$2" "$dir/config" >"$out/interop/$1.out" 2>&1 &
    helper=$!
    pids+=("$helper")
    for ((i = 0; i < 50; i++)); do [ -S "$dir/$1.sock" ] && break; sleep 0.1; done
    run "$1" node $here/sse.js proxy "$1" "$url" "$dir/$1.sock"
    kill "$helper"
    wait "$helper" 2>/dev/null
    stop
    rm -rf "$dir"
}
if wanted behind; then
    behind nginx -c
    behind haproxy -f
fi

# ---- ordinary HTTP; it skips what is missing ----
if wanted http; then run "http" bash $here/http.sh; fi

# ---- TLS: the peers against each other, and with us ----
tls() {                 # tls PART NAME SCRIPT
    local p missing=
    wanted "$1" || return
    [ -n "$node" ] || missing=" node or its packages"
    for p in nginx haproxy squid microsocks openssl certutil chromium; do
        PATH=$PATH:/usr/sbin command -v $p >/dev/null || missing="$missing $p"
    done
    if [ -n "$missing" ]; then skip "$2: these are missing:$missing"
    else PATH=$PATH:/usr/sbin run "$2" bash "$3"
    fi
}
tls peers "TLS peers" tests/tls/peers.sh
tls tls "ws.h in TLS" $here/tls.sh

passed=$(grep -c '^ok' "$log")
failed=$(grep -c '^FAIL\|^not ok' "$log")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

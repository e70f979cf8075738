#!/bin/bash
# ws.h as a server of ordinary HTTP (http.c, 100 requests on a connection) and real peers: curl,
# node's http and fetch, Chromium, wrk, and nginx and HAProxy in front that use connections again.
# Needs npm ci in tests/interop for all but curl and wrk.
# Prints "ok name", "FAIL name" or "SKIP name"; last line "N passed, N failed".
#   tests/interop/http.sh [curl|client|browser|behind|load]...
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/interop
bin=${BUILD-build}
out=$bin/interop/http
. tests/tls/lib.sh
certs=$bin/certs            # front.sh reads them, these fronts show none
parts=("$@")
wanted() { [ ${#parts[@]} = 0 ] || [[ " ${parts[*]} " == *" $1 "* ]]; }
skip() {
    say "SKIP $1"
    [ "${CI-}" != true ] || say "FAIL $1: skipped, which is a failure with CI=true"
}
has() { command -v "$1" >/dev/null; }
PATH=$PATH:/usr/sbin
unset http_proxy all_proxy ALL_PROXY

is() {                      # is NAME GOT WANTED
    if [ "$2" = "$3" ]; then say "ok $1"; else say "FAIL $1: \"$2\", not \"$3\""; fi
}
among() {                   # among NAME GOT LEAST MOST: a number
    if [ "${2:-0}" -ge "$3" ] && [ "$2" -le "$4" ]; then say "ok $1 ($2)"
    else say "FAIL $1: $2, not $3 to $4"
    fi
}
equal() {                   # equal NAME FILE FILE
    if cmp "$2" "$3" >"$out/cmp.out" 2>&1; then say "ok $1"; else say "FAIL $1: $(cat "$out/cmp.out")"; fi
}
page() { timeout -k 5 30 curl -s --max-time 25 "$@" </dev/null; }
node_part() {               # node_part MODE ARGUMENT...: it prints its own lines
    local before after status
    before=$(grep -c '^ok\|^FAIL' "$log")
    timeout -k 5 90 node $here/http.js "$@" 2>"$out/node.err" </dev/null | tee -a "$log"
    status=${PIPESTATUS[0]}
    after=$(grep -c '^ok\|^FAIL' "$log")
    [ "$status" = 0 ] || { say "FAIL http.js $1: exit status $status"; tail -n 5 "$out/node.err"; }
    [ "$after" -gt "$before" ] || say "FAIL http.js $1: it checked nothing"
}

${CC-cc} ${CPPFLAGS-} ${CFLAGS--O2 -g} -Wall -Wextra -I. $here/http.c -o "$out/server" ${LDFLAGS-} ${LDLIBS-} ||
    say "FAIL http.c does not compile"
large=$out/large size=10485760
head -c $size /dev/urandom >"$large"
head -c 5000000 "$large" >"$out/five"
serve http "$out/server" "$large" "${MAX_REQUESTS-100}" || { tally; exit 1; }
url=http://127.0.0.1:${ports[0]} strict=http://127.0.0.1:${ports[1]}

# ---- curl: what one asks, and what it is told ----
curl_heads() {
    local head
    is "curl: GET" "$(page "$url/app.js")" "window.loaded = 'by app.js';"
    is "curl: 404" "$(page -o /dev/null -w '%{http_code}' "$url/none")" 404
    head=$(page -I "$url/large" | tr -d '\r')
    is "curl: HEAD of a file" "$(grep -c '^HTTP/1.1 200 OK$\|^Content-Length: 10485760$\|^ETag: "first"$' <<<"$head")" 3
    is "curl: HEAD of an answer" "$(page -I "$url/mixed?size=1234" | tr -d '\r' | grep -c '^Content-Length: 1234$')" 1
    is "curl: HEAD leaves the connection as it was" \
        "$(page -I -o /dev/null -w '%{num_connects} ' "$url/stream" --next -s -o /dev/null -w '%{num_connects}' "$url/")" "1 0"
}
curl_connections() {
    local both="-o /dev/null -o /dev/null -w %{num_connects},"
    is "curl: two URLs, one connection" "$(page $both "$url/" "$url/style.css")" "1,0,"
    is "curl: two chunked answers, one connection" "$(page $both "$url/stream" "$url/stream")" "1,0,"
    is "curl: HTTP/1.0, a connection each" "$(page --http1.0 $both "$url/" "$url/style.css")" "1,1,"
    is "curl: Connection: close is obeyed" "$(page -H 'Connection: close' $both "$url/" "$url/")" "1,1,"
    is "curl: HTTP/1.0 is told that it ends" "$(page --http1.0 -i "$url/" | tr -d '\r' | grep -ci '^connection: close$')" 1
    is "curl: a chunked answer" "$(page "$url/stream" | cksum)" "$(seq -f 'line %g' 100 | cksum)"
    is "curl: the same without chunks for HTTP/1.0" "$(page --http1.0 --raw "$url/stream" | cksum)" \
        "$(seq -f 'line %g' 100 | cksum)"
}
# Time from the first event to the fourth: 300 ms unless something holds them back.
curl_events() {
    local line from=0 n=0 ms=0
    while read -r line; do
        [[ $line == data:* ]] || continue
        n=$((n + 1))
        [ $n != 1 ] || from=${EPOCHREALTIME/[.,]/}
        [ $n != 4 ] || { ms=$(((${EPOCHREALTIME/[.,]/} - from) / 1000)); break; }
    done < <(timeout 10 curl -sN "$url/events")
    among "curl: events come one by one, ms for three more" "$ms" 200 2000
}

# ---- curl: bodies ----
curl_expect() {             # curl_expect VALUE TIMES: so often it is told to go on
    local sent
    sent=$(page -H "Expect: $1" -v --data-binary "@$out/five" "$url/upload?id=5" 2>"$out/verbose")
    is "curl: POST with \"Expect: $1\"" "$sent" "$(cksum <"$out/five") 5"
    is "curl: POST with \"Expect: $1\", 100 Continue" "$(grep -c '^< HTTP/1.1 100 ' "$out/verbose")" "$2"
}
curl_bodies() {
    local sum
    sum=$(cksum <"$out/five")
    is "curl: a form" "$(page --data-urlencode 'name=J. & Co' --data-urlencode 'note=1+1=2' "$url/form")" \
        "name J. & Co, note 1+1=2"
    is "curl: no form" "$(page -o /dev/null -w '%{http_code}' -H 'Content-Type: text/plain' -d 'name=a&note=b' "$url/form")" 400
    is "curl: POST of 5 MB" "$(page --data-binary "@$out/five" "$url/upload?id=1")" "$sum 1"
    is "curl: POST of 5 MB in chunks" \
        "$(page -H 'Transfer-Encoding: chunked' --data-binary "@$out/five" "$url/upload?id=2")" "$sum 2"
    is "curl: PUT of 5 MB" "$(page -T "$out/five" "$url/upload?id=3")" "$sum 3"
    is "curl: POST of nothing" "$(page -d '' "$url/upload?id=4")" "$(cksum </dev/null) 4"
    curl_expect 100-continue 1
    curl_expect "" 0
    is "curl: two POSTs of 5 MB, one connection" "$(page -H 'Expect:' -o /dev/null -o /dev/null -w '%{num_connects},' \
        --data-binary "@$out/five" "$url/upload" "$url/upload")" "1,0,"
}
curl_refusals() {
    local status="-o /dev/null -w %{http_code}"
    head -c 1000 "$large" >"$out/fits"
    head -c 1001 "$large" >"$out/over"
    is "curl: a body of max_body" "$(page --data-binary "@$out/fits" "$strict/upload")" "$(cksum <"$out/fits") 0"
    is "curl: one byte more is 413" "$(page $status --data-binary "@$out/over" "$strict/upload")" 413
    is "curl: in chunks too" "$(page $status -H 'Transfer-Encoding: chunked' --data-binary "@$out/over" "$strict/upload")" 413
    is "curl: 5 MB more, and it hears the answer" "$(page $status -H 'Expect:' --data-binary "@$out/five" "$strict/upload")" 413
    is "curl: with Expect, not a byte of the body is sent" \
        "$(page $status,%{size_upload} -H 'Expect: 100-continue' --data-binary "@$out/five" "$strict/upload")" 413,0
    is "curl: refused by the application before its body has come" \
        "$(page -w '%{http_code}' -H 'Expect:' --data-binary "@$out/five" "$url/refuse")" $'refused\n403'
}

# ---- curl: files ----
curl_range() {              # curl_range RANGE STATUS FIRST BYTES: those of the file
    local status
    tail -c "+$(($3 + 1))" "$large" | head -c "$4" >"$out/want"
    status=$(page -r "$1" -o "$out/got" -w '%{http_code}' "$url/large")
    is "curl: bytes $1, status" "$status" "$2"
    equal "curl: bytes $1" "$out/got" "$out/want"
}
curl_files() {
    curl_range 0-99 206 0 100
    curl_range -100 206 $((size - 100)) 100
    curl_range 5000000- 206 5000000 $((size - 5000000))
    curl_range 10485700-99999999 206 10485700 60
    curl_range 0-99,200-299 200 0 $size
    is "curl: bytes behind the end are 416" "$(page -r $size- -o /dev/null -w '%{http_code}' "$url/large")" 416
    is "curl: If-Range of another ETag is all of it" \
        "$(page -r 0-9 -H 'If-Range: "second"' -o /dev/null -w '%{http_code},%{size_download}' "$url/large")" "200,$size"
    is "curl: four ranges, one connection" \
        "$(page -r 7-9 -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects},' \
            "$url/large" "$url/large" "$url/large" "$url/large")" "1,0,0,0,"
    head -c 3000000 "$large" >"$out/resumed"
    is "curl: -C - asks for the rest alone" \
        "$(page -C - -o "$out/resumed" -w '%{size_download}' "$url/large")" $((size - 3000000))
    equal "curl: -C - completes the file" "$out/resumed" "$large"
    page --limit-rate 4M -o "$out/slow" "$url/large" &
    page -o "$out/fast" "$url/large"
    equal "curl: the large file beside a slow reader" "$out/fast" "$large"
    wait $!
    equal "curl: the large file to a slow reader" "$out/slow" "$large"
}
if wanted curl; then
    if ! has curl; then skip "curl: not installed"
    else
        curl_heads
        curl_connections
        curl_events
        curl_bodies
        curl_refusals
        curl_files
    fi
fi

# ---- node, a browser, proxies ----
modules=
[ ! -d $here/node_modules/ws ] || ! has node || modules=1
if wanted client; then
    if ! has node; then skip "http, node as client: not installed"
    else node_part client "$url" 100
    fi
fi
if wanted browser; then
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
    export CHROMIUM
    if [ -z "$modules" ] || [ -z "$CHROMIUM" ]; then skip "http in Chromium: not installed, or no npm ci"
    else node_part browser "$url"
    fi
fi
if wanted behind; then
    fronts=()
    for kind in nginx haproxy; do
        if [ -z "$modules" ] || ! has $kind || ! sh tests/tls/certs.sh "$certs" >/dev/null
        then skip "http behind $kind: not installed, or no npm ci or openssl"
        else front $kind-kept "$url" && fronts+=("$kind=http://127.0.0.1:$port")
        fi
    done
    [ ${#fronts[@]} = 0 ] || node_part behind "$url" "${fronts[@]}"
fi

# ---- load: no answer is missing or wrong; how many there are is only shown ----
load() {                    # load NAME PATH
    timeout -k 5 20 wrk -t 1 -c 50 -d 2s "$url$2" >"$out/wrk.out" 2>&1
    if ! grep -q '^ *[1-9][0-9]* requests in' "$out/wrk.out" || grep -q 'Socket errors\|Non-2xx' "$out/wrk.out"
    then say "FAIL load, $1: $(grep 'requests in\|errors\|Non-2xx' "$out/wrk.out" | tr '\n' ' ')"
    else say "ok load, $1: $(sed -n 's/^Requests.sec: */requests in a second: /p' "$out/wrk.out")"
    fi
}
if wanted load; then
    if ! has wrk; then skip "http load: no wrk"
    else
        load "answers" "/mixed?size=100"
        load "chunks" "/mixed?size=5000&how=stream"
        load "files" "/mixed?size=20000&how=file"
    fi
fi
if kill -0 "${pids[0]}" 2>/dev/null; then say "ok http: the server survived"; else say "FAIL http: the server survived"; fi
tally

#!/bin/sh
# Runs the example programs against each other and compares what they print with what their
# first comment promises. Prints "ok TITLE" or "FAIL TITLE"; last line "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/programs
rm -rf $out; mkdir -p $out
passed=0 failed=0

limit() { if command -v timeout >/dev/null 2>&1; then timeout 20 "$@"; else "$@"; fi; }
pass() { passed=$((passed + 1)); echo "ok $1"; }
says() {        # says TITLE FILE EXPECTED: the file is exactly that
    printf '%s\n' "$3" >$out/want
    if diff $out/want "$2"; then pass "$1"; else failed=$((failed + 1)); echo "FAIL $1"; fi
}
holds() {       # holds TITLE COMMAND...
    title=$1; shift
    if "$@" >$out/last.txt 2>&1; then pass "$title"
    else failed=$((failed + 1)); echo "FAIL $title"; tail -n 5 $out/last.txt; fi
}

servers=
trap 'kill $servers 2>/dev/null' EXIT
serve() {       # serve NAME COMMAND...: starts it; pid, and the port that it printed in $port
    name=$1; shift
    "$@" >$out/$name.txt 2>&1 &
    pid=$! i=0
    servers="$servers $pid"
    while [ ! -s $out/$name.txt ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
    port=$(sed -n '1s|^.*//[^ ]*:\([0-9]*\)/.*$|\1|p' $out/$name.txt)
}
# ask PORT LINES: sends an HTTP request, its lines separated by |, and prints the answer
ask() {
    bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; echo "$2||" | tr "|" "\n" | sed "s/\$/\r/" >&3
             timeout 1 cat <&3 | tr -d "\r"; exit 0' ask "$1" "$2"
}
upgrade="Host: x|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13"
upgrade="$upgrade|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

serve server build/echo_server --port 0
server=$pid url=ws://127.0.0.1:$port/
holds "echo_server prints its port" [ "${port:-0}" -gt 0 ]

limit build/hello_client "$url" >$out/hello.txt 2>&1;   says hello_client $out/hello.txt hello
limit build/own_loop "$url" >$out/own.txt 2>&1
says own_loop $out/own.txt "open
hi
closed 1000"
limit build/engine_pipe >$out/pipe.txt 2>&1
holds engine_pipe grep -q 'ping?' $out/pipe.txt
if command -v bash >/dev/null 2>&1; then
    limit bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; exec build/custom_io <&3 >&3" 2>$out/custom.txt
    says custom_io $out/custom.txt "5 bytes: hello"
fi
holds loadgen limit build/loadgen "$url" --connections 8 --size 1000 --depth 4 --seconds 1

# failures have words and a status
holds "hello_client: nobody listens" sh -c '! build/hello_client ws://127.0.0.1:1/ 2>&1 >/dev/null |
    grep -qv connection'
holds "hello_client: exit status" sh -c '! build/hello_client ws://127.0.0.1:1/'
holds "own_loop: wss without TLS" sh -c 'build/own_loop wss://127.0.0.1/ 2>&1 | grep -q "wss:// needs TLS"'
holds "hello_client: bad URL" sh -c 'build/hello_client nonsense 2>&1 | grep -q URL'
holds "echo_server: port taken" sh -c "! build/echo_server --port $port"
holds "echo_server: still there" kill -0 $server

{ sleep 0.3; printf 'one\n'; sleep 0.3; printf 'two'; sleep 0.3; } |
    limit build/console_chat "$url" >$out/console.txt 2>$out/console.end
holds "console_chat: ends in good manners" [ $? = 0 ]
says "console_chat: what was typed comes back" $out/console.txt "one
two"
says "console_chat: how it ended" $out/console.end "1000 bye"
printf 'typed before\n\nnever sent' | limit build/console_chat "$url" >$out/console.txt 2>&1
holds "console_chat: typed before there is a connection" grep -q '^typed before$' $out/console.txt
holds "console_chat: nobody listens" sh -c '! build/console_chat ws://127.0.0.1:1/ </dev/null 2>/dev/null'

limit build/heartbeat | sort >$out/heartbeat.txt
holds "heartbeat: a client lost its server" \
    grep -q 'a client lost its server: peer did not answer pings' $out/heartbeat.txt
holds "heartbeat: a server lost its client" \
    grep -q 'a server lost its client: peer did not answer pings' $out/heartbeat.txt
holds "heartbeat: the third is alive" grep -q 'is alive, round trip [0-9]' $out/heartbeat.txt

limit build/streaming 20 >$out/streaming.txt
holds "streaming: both ways" [ "$(grep -c '20000000 bytes .* as sent' $out/streaming.txt)" = 2 ]
holds "streaming: bounded memory" [ "$(sed -n 's/^at most \([0-9]*\) .*/\1/p' $out/streaming.txt)" -lt 5000 ]

holds "proxy_client: no proxy there" \
    sh -c '! build/proxy_client http://127.0.0.1:1 ws://127.0.0.1:2/ 2>&1 >/dev/null | grep -qv refused'
holds "proxy_client: what is it" \
    sh -c '! build/proxy_client gopher://127.0.0.1 ws://127.0.0.1:2/'

# The engine over a socket of the program's own: what is no proxy refuses, what is one carries it
tunnel() {      # tunnel PROXY: a proxy that was just started may not listen yet
    for i in 1 2 3 4 5 6 7 8 9 10; do
        limit build/tunnel_client "$1" "$url" >$out/tunnel.txt 2>&1
        status=$?
        grep -q 'cannot be reached' $out/tunnel.txt || break
        sleep 0.3
    done
}
build/tunnel_client http://127.0.0.1:1 "$url" >$out/tunnel.txt 2>&1
holds "tunnel_client: no proxy there" [ $? = 1 ]
says "tunnel_client: and says so" $out/tunnel.txt "proxy cannot be reached"
tunnel "http://127.0.0.1:$port"
holds "tunnel_client: a refusal" [ $status = 1 ]
holds "tunnel_client: its status" grep -qx 'proxy answered 426' $out/tunnel.txt
holds "tunnel_client: its head" grep -qx '    Sec-WebSocket-Version: 13' $out/tunnel.txt
tunnel "socks5://127.0.0.1:$port"
says "tunnel_client: no SOCKS" $out/tunnel.txt "proxy's answer is not SOCKS5"
holds "tunnel_client: no TLS" sh -c \
    'build/tunnel_client https://127.0.0.1:1 ws://127.0.0.1:1/; [ $? = 2 ] || exit 1
     build/tunnel_client http://127.0.0.1:1 wss://127.0.0.1:1/; [ $? = 2 ]'
port=$((12000 + $$ % 20000))
if command -v tinyproxy >/dev/null 2>&1; then
    printf '%s\n' "Port $port" "Listen 127.0.0.1" "Timeout 60" "BasicAuth user pass" >$out/tinyproxy.conf
    tinyproxy -d -c $out/tinyproxy.conf >$out/tinyproxy.txt 2>&1 &
    servers="$servers $!"
    tunnel "http://user:pass@127.0.0.1:$port"
    says "tunnel_client: CONNECT" $out/tunnel.txt "hello
closed 1000 bye"
    tunnel "http://127.0.0.1:$port"
    holds "tunnel_client: what CONNECT asks for" grep -qi '^    proxy-authenticate: basic' $out/tunnel.txt
else
    echo "SKIP tunnel_client by CONNECT: tinyproxy not found"
fi
if command -v microsocks >/dev/null 2>&1; then
    microsocks -i 127.0.0.1 -p $((port + 1)) -u user -P p@ss >$out/microsocks.txt 2>&1 &
    servers="$servers $!"
    tunnel "socks5://user:p%40ss@127.0.0.1:$((port + 1))"
    says "tunnel_client: SOCKS5" $out/tunnel.txt "hello
closed 1000 bye"
    tunnel "socks5://user:wrong@127.0.0.1:$((port + 1))"
    says "tunnel_client: a wrong password" $out/tunnel.txt "SOCKS5 proxy: wrong user or password"
else
    echo "SKIP tunnel_client by SOCKS5: microsocks not found"
fi

# recordings: a request with what follows, an answer with a fault of each kind, garbage
{ printf 'GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'
  printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  printf 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits="10"\r\n\r\n'
  printf '\201\205\067\372\041\075\177\237\115\121\130\001\202\0\0\0\0h\303\211\200\0\0\0\0\200\202\0\0\0\0\251!'
  printf '\210\205\0\0\0\0\003\350bye'; } >$out/up
limit build/dissect <$out/up >$out/dissect.txt
holds "dissect: nothing is wrong" [ $? = 0 ]
says "dissect: a request and its frames" $out/dissect.txt "\
         0  GET /chat HTTP/1.1
        20  Host: x
        29  Connection: keep-alive, Upgrade
        62  Upgrade: websocket
        82  Sec-WebSocket-Version: 13
       109  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
                to be answered with s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
       154  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"10\"
                extension permessage-deflate, client_max_window_bits 10
       231  text, 5 bytes, mask 37fa213d: Hello
       242  text, 2 bytes, to be continued, mask 00000000: h\\xc3
       250  ping, 0 bytes, mask 00000000
       256  continuation, 2 bytes, mask 00000000: \\xa9!
       264  close, 5 bytes, mask 00000000: 1000 (normal closure) bye"
{ printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n'
  printf 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
  printf '\202\003\000\001\002\201\002h\377\301\002\0\0\200\001x\203\0\211\200\0\0\0\0\011\0\210\002\003\355\210\0'
} >$out/down
limit build/dissect $out/down x3JJHMbDL1EzLkh9GBhXDw== >$out/dissect.txt
holds "dissect: something is wrong" [ $? = 1 ]
says "dissect: what, and where" $out/dissect.txt "\
         0  HTTP/1.1 101 Switching Protocols
        34  Upgrade: websocket
        54  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
       106  WRONG: Connection does not name upgrade
        54  WRONG: Sec-WebSocket-Accept missing, repeated or wrong
       108  binary, 3 bytes: \\x00\\x01\\x02
       113  text, 2 bytes: h\\xff
       116  WRONG: text message is not UTF-8 (RFC 6455 8.1)
       117  text, 2 bytes, RSV 100: \\x00\\x00
       117  WRONG: reserved bit set (RFC 6455 5.2)
       121  continuation, 1 bytes: x
       121  WRONG: continuation without a message (RFC 6455 5.4)
       124  data 3, 0 bytes
       124  WRONG: unknown opcode (RFC 6455 5.2)
       126  ping, 0 bytes, mask 00000000
       127  WRONG: frame from server masked (RFC 6455 5.1)
       132  ping, 0 bytes, to be continued
       132  WRONG: control frame fragmented (RFC 6455 5.5)
       134  close, 2 bytes: 1005 (no close code)
       136  WRONG: close code not allowed on the wire (RFC 6455 7.4)
       138  WRONG: bytes behind a Close frame (RFC 6455 5.5.1)"
printf 'GET / HTTP/1.1\r\nHost : x\r\n\r\n' | limit build/dissect >$out/dissect.txt
says "dissect: a bad byte in a head" $out/dissect.txt "        20  WRONG: malformed HTTP head"
printf '\201\176\0\005Hello' | limit build/dissect >$out/dissect.txt
says "dissect: a length" $out/dissect.txt \
    "         2  WRONG: length not in its shortest form (RFC 6455 5.2)"
head -c 240 $out/up | limit build/dissect >$out/dissect.txt
holds "dissect: cut off" grep -qx '       240  WRONG: the recording ends inside a frame' $out/dissect.txt
holds "dissect: larger than memory" [ "$({ printf '\202\177\0\0\0\0\000\230\226\200'; head -c 10000000 /dev/zero
    printf '\201\002hi'; } | limit build/dissect | tail -n 2 | head -n 1)" = "  10000010  text, 2 bytes: hi" ]
for f in tests/fuzz/corpus/recv/*; do
    limit build/dissect $f
    echo "status $?"
    tail -c +6 $f | limit build/dissect         # without what only the fuzzer reads
    echo "status $?"
done >$out/dissect.txt 2>&1
holds "dissect: any bytes" [ "$(grep -c '^status [01]$' $out/dissect.txt)" = \
    $((2 * $(ls tests/fuzz/corpus/recv | wc -l))) ]
holds "dissect: usage" sh -c 'build/dissect /nowhere 2>/dev/null; [ $? = 2 ]'

limit build/probe "$url" >$out/probe.txt 2>&1
holds "probe: every rule is held" [ $? = 0 ]
holds "probe: how many" [ "$(grep -c '^closed 100[27]  ' $out/probe.txt)" = 13 ]
holds "probe: nobody listens" sh -c 'build/probe ws://127.0.0.1:1/ 2>/dev/null; [ $? = 2 ]'

serve hub build/echo_server --port 0
limit build/reconnect "ws://127.0.0.1:$port/" 12 >$out/reconnect.txt 2>&1 &
client=$!
sleep 0.6
kill $pid
wait $pid 2>/dev/null
serve again build/echo_server --port "$port"
wait $client
holds "reconnect: down, then open" [ "$(grep -c '^open$' $out/reconnect.txt)" = 2 ]
holds "reconnect: says when" grep -q '^down, next try in [0-9]* ms: ' $out/reconnect.txt
grep '^[0-9]*$' $out/reconnect.txt | tr '\n' ' ' >$out/numbers.txt
holds "reconnect: nothing is lost" grep -qx '1 2 3 4 5 6 7 8 9 10 11 12 ' $out/numbers.txt

serve chat build/chat 0
limit build/hello_client "ws://127.0.0.1:$port/" >$out/lobby.txt 2>&1
holds chat grep -qx '\* guest1 is in lobby' $out/lobby.txt
holds "chat: goes on" sh -c "build/hello_client ws://127.0.0.1:$port/ | grep -q 'guest2 is in lobby'"

serve broadcast build/broadcast 0 50
limit build/hello_client "ws://127.0.0.1:$port/" >$out/news.txt 2>&1
holds broadcast grep -q ', 1 connections, update [0-9]' $out/news.txt
kill -INT $pid
wait $pid
holds "broadcast: ends in good manners" grep -qx ended $out/broadcast.txt

serve attach build/attach 0
limit build/hello_client "ws://127.0.0.1:$port/" >$out/attached.txt 2>&1
holds "attach: a WebSocket" grep -q '^hello$' $out/attached.txt
if command -v bash >/dev/null 2>&1; then
    ask "$port" "GET / HTTP/1.1|Host: x" >$out/page.txt
    holds "attach: a page" grep -q '<title>attach</title>' $out/page.txt
fi

# HTTP of another library, with sanitizers where they are: answers, who hears whom, what is given back
if [ -x build/attach_mhd ]; then
    program=$out/attach_mhd
    ${CC-cc} -g -Wall -Wextra -Wpedantic -Werror -fsanitize=address,undefined \
        -fno-sanitize-recover=all -I. examples/attach_mhd.c -lmicrohttpd -o $program >$out/last.txt 2>&1 ||
        { echo "SKIP sanitizers in attach_mhd: $(tail -n 1 $out/last.txt)"; program=build/attach_mhd; }
    serve attach_mhd $program 0
    url=ws://127.0.0.1:$port/chat
    descriptors() { ls /proc/$pid/fd | wc -l; }
    before=$(descriptors)
    limit build/own_loop "$url" >$out/own.txt 2>&1
    says "attach_mhd: a closing handshake" $out/own.txt "open
hi
closed 1000"
    for i in 1 2 3 4 5; do
        for j in 1 2 3 4 5 6 7 8 9 10; do limit build/hello_client "$url"; done
    done >$out/fifty.txt 2>&1
    holds "attach_mhd: 50 visitors" [ "$(grep -c '^hello$' $out/fifty.txt)" = 50 ]
    for i in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(descriptors)" -gt "$before" ] || break
        sleep 0.1
    done
    holds "attach_mhd: their descriptors are given back" [ "$(descriptors)" = "$before" ]
    if command -v bash >/dev/null 2>&1; then
        ask "$port" "GET / HTTP/1.1|Host: x" >$out/page.txt
        holds "attach_mhd: a page" grep -q '<title>attach_mhd</title>' $out/page.txt
        answers() {     # answers STATUS WHY REQUEST [LINE]: and with that line
            ask "$port" "$3" >$out/answer.txt
            holds "attach_mhd: $1 $2" sh -c "grep -q '^HTTP/1.1 $1 ' $out/answer.txt &&
                grep -qx '${4-.*}' $out/answer.txt"
        }
        answers 101 "with a subprotocol" \
            "GET /chat HTTP/1.1|$upgrade|Sec-WebSocket-Protocol: Chat|Sec-WebSocket-Protocol: x, chat" \
            'Sec-WebSocket-Protocol: chat'
        answers 101 "for its own page" "GET /chat HTTP/1.1|$upgrade|Origin: http://x" \
            'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='
        answers 403 "for other pages" "GET /chat HTTP/1.1|$upgrade|Origin: http://y"
        answers 400 "without a key" "GET /chat HTTP/1.1|${upgrade%|*}"
        answers 405 "for another method" "PUT /chat HTTP/1.1|$upgrade|Content-Length: 0" 'Allow: GET'
        answers 426 "for another version" \
            "GET /chat HTTP/1.1|$(echo "$upgrade" | sed 's/: 13/: 8/')" 'Sec-WebSocket-Version: 13'
        answers 426 "without an upgrade" "GET /chat HTTP/1.1|Host: x" 'Upgrade: websocket'
        answers 404 elsewhere "GET /nowhere HTTP/1.1|Host: x"
        # a frame behind the request, what another visitor says, and the end
        bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"
                 { printf "GET /chat HTTP/1.1|$2||" | sed "s/|/\r\n/g"; printf "\201\205\0\0\0\0early"; } >&3
                 timeout 3 cat <&3; exit 0' hear "$port" "$upgrade" >$out/heard.txt 2>&1 &
        hearing=$!
        for i in 1 2 3 4 5 6 7 8 9 10; do
            grep -qa early $out/heard.txt && break
            sleep 0.1
        done
        holds "attach_mhd: bytes behind the request" grep -qa early $out/heard.txt
        limit build/hello_client "$url" >$out/visitor.txt 2>&1
        says "attach_mhd: a visitor hears itself" $out/visitor.txt hello
        holds "attach_mhd: the others hear it" grep -qa hello $out/heard.txt
        kill -INT $pid
        wait $hearing
        holds "attach_mhd: the end is told" grep -qa stopping $out/heard.txt
    else
        kill -INT $pid
    fi
    wait $pid
    holds "attach_mhd: ends, without a leak" [ $? = 0 ]
fi

serve router build/router 0
limit build/hello_client "ws://127.0.0.1:$port/echo/x" >$out/routed.txt 2>&1
says "router: /echo" $out/routed.txt hello
holds "router: 404" sh -c "build/hello_client ws://127.0.0.1:$port/nowhere 2>&1 | grep -q 404"
if command -v bash >/dev/null 2>&1; then
    ask "$port" "GET /login?who=an%20n HTTP/1.1|Host: x" >$out/login.txt
    holds "router: the cookie" grep -q '^Set-Cookie: session=an%20n; Path=/; HttpOnly$' $out/login.txt
    ask "$port" "GET /chat HTTP/1.1|$upgrade|Sec-WebSocket-Protocol: chat.v1" >$out/chat.txt
    holds "router: 401 without it" grep -q '^HTTP/1.1 401' $out/chat.txt
    ask "$port" "GET /chat HTTP/1.1|$upgrade|Sec-WebSocket-Protocol: x, chat.v1|Cookie: session=an%20n" \
        >$out/chat.txt
    holds "router: accepted with it" grep -q '^Sec-WebSocket-Protocol: chat.v1$' $out/chat.txt
fi

serve login_form build/login_form 0
limit build/hello_client "ws://127.0.0.1:$port/" >$out/said.txt 2>&1
says "login_form: a stranger" $out/said.txt "somebody says hello"
if command -v bash >/dev/null 2>&1; then
    posted="Host: x|Content-Type: application/x-www-form-urlencoded|Content-Length"
    ask "$port" "GET / HTTP/1.1|Host: x" >$out/form.txt
    holds "login_form: the form" grep -q '<form method=post>' $out/form.txt
    ask "$port" "POST / HTTP/1.1|$posted: 15||name=Ann+%C3%84&x" >$out/form.txt
    holds "login_form: goes back" grep -qx 'HTTP/1.1 303 See Other' $out/form.txt
    holds "login_form: the cookie" \
        grep -qx 'Set-Cookie: who=Ann%20%C3%84; SameSite=Strict; HttpOnly' $out/form.txt
    ask "$port" "GET / HTTP/1.1|Host: x|Cookie: who=Ann" >$out/form.txt
    holds "login_form: the page behind it" grep -q 'new WebSocket' $out/form.txt
    ask "$port" "POST / HTTP/1.1|$posted: 1025||x" >$out/form.txt
    holds "login_form: too large" grep -qx 'HTTP/1.1 413 Content Too Large' $out/form.txt
    bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"
             { printf "GET / HTTP/1.1|$2|Cookie: who=Ann||" | sed "s/|/\r\n/g"; sleep 0.3
               printf "\201\202\0\0\0\0hi"; } >&3
             timeout 1 cat <&3; exit 0' say "$port" "$upgrade" >$out/said.txt 2>&1
    holds "login_form: who speaks" grep -qa 'Ann says hi' $out/said.txt
fi

# the reader of event streams: escapes, joined parts, faults, the same for every chunk
printf 'event: tick\nid: 7\nretry: 5\ndata: a"\\\tb\r\ndata: \303\251\377\342\202\r\r: c\n\ndata: \000\n\n' \
    >$out/events
awk 'BEGIN { printf "event: late\ndata: "
             for (i = 0; i < 200000; i++) printf "0123456789"
             print "\nid: 8\nevent: big\n\ndata: cut off" }' </dev/null >>$out/events
for chunk in 1 2 3 7 1000 65536 9999999; do
    limit build/sse_parse --chunk $chunk <$out/events >$out/sse_$chunk.txt
    head -n 2 $out/sse_$chunk.txt >$out/sse_first.txt
    says "sse_parse --chunk $chunk" $out/sse_first.txt \
'{"event":"tick","id":"7","data":"a\"\\\u0009b\n'"$(printf '\303\251\357\277\275\357\277\275')"'"}
{"event":"message","id":"7","data":"\u0000"}'
    holds "sse_parse --chunk $chunk: parts joined" [ "$(sed -n \
        '3s/^{"event":"big","id":"8","data":"\([0-9]*\)"}$/\1/p' $out/sse_$chunk.txt | wc -c)" = 2000001 ]
    holds "sse_parse --chunk $chunk: no more" [ "$(wc -l <$out/sse_$chunk.txt)" -eq 3 ]
done
holds "sse_parse: an event shows before the next byte" sh -c \
    '{ printf "data: x\\r\\r"; sleep 2; } | build/sse_parse | { read -r line; date +%s; echo "$line"; cat; date +%s; } |
     awk "NR == 1 { t = \$1 } NR == 2 { bad = index(\$0, \"x\") == 0 } END { exit bad || \$1 <= t }"'
limit sh -c '{ printf "data: "; cat /dev/zero; } | build/sse_parse' >$out/sse_long.txt 2>&1
holds "sse_parse: an endless event fails" [ $? = 1 ]
says "sse_parse: and says so" $out/sse_long.txt "an event is too large"
printf 'id: %0140000d' 1 | limit build/sse_parse >$out/sse_long.txt 2>&1
holds "sse_parse: an id too long fails" [ $? = 1 ]
says "sse_parse: and says so" $out/sse_long.txt "id does not fit an eighth of the parser's memory"
holds "sse_parse: usage" sh -c 'build/sse_parse --chunk 0 </dev/null; [ $? = 2 ]'
if command -v python3 >/dev/null 2>&1; then
    holds "sse_parse: valid JSON for any bytes" limit python3 tests/sse_json.py build/sse_parse
else
    echo "SKIP sse_parse with any bytes: python3 not found"
fi

# event streams: served, read, taken up where they were left
serve sse_chart build/sse_chart 0
feed=http://127.0.0.1:$port/feed
limit build/sse_cat "$feed" --max 5 >$out/feed.txt 2>&1
holds "sse_chart: five events in order" awk -F '"' '$4 != "sample" || (NR > 1 && $8 != id + 1) { exit 1 }
    { id = $8 } END { exit NR != 5 }' $out/feed.txt
limit build/sse_cat "$feed" --max 1 -H 'Last-Event-ID: 3' >$out/feed.txt 2>&1
holds "sse_chart: what came after the last id" grep -q '^{"event":"sample","id":"4",' $out/feed.txt
limit build/sse_cat "$feed" --max 1 -H 'Last-Event-ID: never' >$out/feed.txt 2>&1
says "sse_chart: an unknown id begins anew" $out/feed.txt '{"event":"reset","id":"","data":""}'
limit build/sse_cat "http://127.0.0.1:$port/" >$out/page.txt 2>&1
holds "sse_cat: a page is no event stream" [ $? = 1 ]
says "sse_cat: and says so" $out/page.txt "the answer is no event stream"
limit build/sse_cat "$feed" -d x --max 1 >$out/post.txt 2>&1
holds "sse_chart: a POST is answered with events" grep -q '^{"event":"sample",' $out/post.txt
limit build/sse_cat "$feed" -d "$(printf '%070000d' 1)" >$out/post.txt 2>&1
says "sse_cat: a refusal and its body" $out/post.txt "server refused the request with status 413
HTTP body larger than max_body"
if command -v bash >/dev/null 2>&1; then
    ask "$port" "HEAD /feed HTTP/1.0" >$out/head.txt
    holds "sse_chart: HEAD" grep -qx 'Content-Type: text/event-stream' $out/head.txt
    holds "sse_chart: HEAD has no body" [ "$(tail -n 1 $out/head.txt)" = "" ]
fi

serve sse_tokens build/sse_tokens 0
limit build/sse_cat "http://127.0.0.1:$port/?prompt=why" --once >$out/tokens.txt 2>&1
holds "sse_tokens: thirty words" [ "$(grep -c '"data":"{\\"choices\\":' $out/tokens.txt)" = 30 ]
holds "sse_tokens: the end" grep -q '"data":"\[DONE\]"' $out/tokens.txt

serve sse_clock build/sse_clock 0
limit build/sse_cat "http://127.0.0.1:$port/" --max 1 >$out/clock.txt 2>&1
if command -v bash >/dev/null 2>&1; then
    limit bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; printf 'GET / HTTP/1.0\r\nHost: x\r\n\r\n' >&3; cat <&3" \
        >$out/page.txt
    holds "sse_clock: a page" grep -q "^<!doctype html>.*new EventSource('/')" $out/page.txt
fi
holds "sse_clock" grep -q '^{"event":"tick","id":"\([0-9]*\)","data":"tick \1"}$' $out/clock.txt
limit build/sse_cat http://127.0.0.1:1/ --once >$out/nobody.txt 2>&1
holds "sse_cat: nobody listens" [ $? = 1 ]
holds "sse_cat: usage" sh -c 'build/sse_cat 2>/dev/null; [ $? = 2 ]'

# TLS, by each library that is there: each client with each server, and what they refuse
certs=build/test/certs
if ! command -v openssl >/dev/null 2>&1; then
    echo "SKIP TLS of the programs: openssl not found"
elif sh tests/tls/certs.sh $certs; then
    mbedtls() { SSL_CERT_FILE=$2 limit build/hello_client "$1"; }
    tls_openssl() { limit build/tls_openssl "$1" "$2"; }
    tls_bearssl() { limit build/tls_bearssl "$1" "$2"; }
    there=
    build/hello_client wss://127.0.0.1:1/ 2>&1 | grep -q 'none is compiled in' || there=mbedtls
    [ ! -x build/tls_openssl ] || there="$there tls_openssl"
    [ ! -x build/tls_bearssl ] || there="$there tls_bearssl"
    for s in $there; do
        case $s in
        mbedtls) set -- echo_server --port 0 --tls-cert $certs/chain.pem --tls-key $certs/chain.key ;;
        *) set -- $s 0 $certs/chain.pem $certs/chain.key ;;
        esac
        name=$1; shift
        serve $s build/$name "$@"
        for c in $there; do
            $c "wss://localhost:$port/" $certs/ca.pem >$out/tls.txt 2>&1
            says "wss: client $c, server $s" $out/tls.txt hello
        done
    done
    for c in $there; do
        $c "wss://localhost:$port/" $certs/other-ca.pem >$out/tls.txt 2>&1
        holds "wss: $c refuses an unknown authority" [ $? = 1 ]
        holds "wss: $c says so" grep -q '^TLS failed: .*\(authority\|issuer\)' $out/tls.txt
    done
else
    failed=$((failed + 1)); echo "FAIL certificates"
fi

# A room in another library's loop, and one that joins it: a listener, a group, a client, TLS where
# it is. What the first says on its console is heard in the second.
for console in console console.joined; do mkfifo $out/$console; done
exec 7<>$out/console
for loop in loop_poll loop_uv loop_ev; do
    [ -x build/$loop ] || continue
    set -- --port 0
    [ "${there#mbedtls}" = "$there" ] || set -- "$@" --tls-cert $certs/chain.pem --tls-key $certs/chain.key
    serve $loop sh -c 'exec "$@" <&7' room build/$loop "$@"
    url=$(sed -n 's/^listening on \(.*\)127.0.0.1\(.*\)/\1localhost\2/p' $out/$loop.txt)
    SSL_CERT_FILE=$certs/ca.pem limit build/hello_client "$url" >$out/room.txt 2>&1
    says "$loop: a visitor hears itself" $out/room.txt hello
    serve $loop.joined sh -c 'exec "$@" <&8 8<&-' room build/$loop --port 0 --join "$url" --ca $certs/ca.pem 8<>$out/console.joined
    if command -v bash >/dev/null 2>&1; then
        bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "GET / HTTP/1.1|$2||" | sed "s/|/\r\n/g" >&3
                 timeout 1 cat <&3; exit 0' hear "$port" "$upgrade" >$out/heard.txt 2>&1 &
        hearing=$!
        for i in 1 2 3 4 5; do echo "said in $loop" >&7; sleep 0.15; done
        wait $hearing
        holds "$loop: what one room says is heard in the other" grep -qa "said in $loop" $out/heard.txt
    fi
    kill $servers 2>/dev/null; servers=
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

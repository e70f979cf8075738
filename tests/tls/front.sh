#!/bin/sh
# Runs one real intermediary in the foreground, on 127.0.0.1:PORT, until it is ended.
#   tests/tls/front.sh KIND PORT CERTS [TARGET]
# CERTS is the directory that certs.sh filled; the certificate shown is "good".
#   nginx, haproxy         end TLS in front of the server TARGET, http://HOST:PORT. With
#                          https://HOST:PORT they speak TLS to it too: they name localhost, trust
#                          "ca" alone, check the name, and show the certificate "client"
#   haproxy-tcp            ends TLS in front of anything: https in front of a plain proxy TARGET
#   nginx-plain, haproxy-plain    without TLS in front, in TLS to TARGET
#   nginx-kept, haproxy-kept      in HTTP/1.1 on both sides, to a server TARGET, http://HOST:PORT,
#                          whose connections are used again; requests are handed on as they come
#   squid                  a proxy for CONNECT, spoken to in plain HTTP; no TARGET
#   squid-tls              the same, spoken to in TLS
set -eu
kind=${1:?} port=${2:?} certs=$(cd "${3:?}" && pwd) target=${4-}
PATH=$PATH:/usr/sbin
dir=$(mktemp -d)
chmod 755 "$dir"
child=
trap 'rm -rf "$dir"' EXIT
trap '[ -z "$child" ] || kill "$child"; wait; exit 0' TERM INT HUP
host=${target#*://}
cat "$certs/good.pem" "$certs/good.key" >"$dir/good"        # HAProxy and squid want one file
cat "$certs/client.pem" "$certs/client.key" >"$dir/client"

case $kind in
nginx | nginx-plain | nginx-kept)
    tls="ssl" kept= connection=upgrade
    [ $kind = nginx ] || tls=
    if [ $kind = nginx-kept ]; then
        kept="upstream kept { server $host; keepalive 4; }
    map \$http_upgrade \$hop { default upgrade; '' ''; }
    client_max_body_size 0;
    proxy_request_buffering off;"
        target=http://kept connection="\$hop"
    fi
    cat >"$dir/conf" <<END
daemon off;
master_process off;
pid $dir/pid;
error_log $dir/log;
events { }
http {
    access_log off;
    client_body_temp_path $dir/a; proxy_temp_path $dir/b; fastcgi_temp_path $dir/c;
    uwsgi_temp_path $dir/d; scgi_temp_path $dir/e;
    $kept
    server {
        listen 127.0.0.1:$port $tls;
        ssl_certificate $certs/good.pem;
        ssl_certificate_key $certs/good.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {
            proxy_pass $target;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection $connection;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate $certs/ca.pem;
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_protocols TLSv1.2 TLSv1.3;
            proxy_ssl_certificate $certs/client.pem;
            proxy_ssl_certificate_key $certs/client.key;
        }
    }
}
END
    set -- nginx -e "$dir/log" -c "$dir/conf" ;;
haproxy | haproxy-plain | haproxy-tcp | haproxy-kept)
    mode=http bind="ssl crt $dir/good alpn http/1.1" server= reuse=
    [ $kind != haproxy-tcp ] || mode=tcp
    [ $kind != haproxy-plain ] || bind=
    [ $kind != haproxy-kept ] || bind= reuse="http-reuse always"
    case $target in https://*)
        server="ssl verify required ca-file $certs/ca.pem verifyhost localhost"
        server="$server sni str(localhost) alpn http/1.1 crt $dir/client" ;;
    esac
    cat >"$dir/conf" <<END
defaults
    mode $mode
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend in
    bind 127.0.0.1:$port $bind
    default_backend out
backend out
    $reuse
    server one $host $server
END
    set -- haproxy -db -f "$dir/conf" ;;
squid | squid-tls)
    listen="http_port 127.0.0.1:$port"
    [ $kind = squid ] || listen="https_port 127.0.0.1:$port tls-cert=$dir/good"
    mkdir "$dir/core"
    chmod 777 "$dir/core"
    cat >"$dir/conf" <<END
$listen
http_access allow all
cache deny all
access_log none
cache_log $dir/core/log
pid_filename none
coredump_dir $dir/core
shutdown_lifetime 0 seconds
END
    set -- squid -N -f "$dir/conf" ;;
*) echo "front.sh: no kind $kind" >&2; exit 2 ;;
esac
"$@" &
child=$!
wait "$child" || { status=$?; cat "$dir/log" "$dir/core/log" 2>/dev/null >&2; exit "$status"; }

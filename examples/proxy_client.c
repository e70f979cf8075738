/* Teaches: a client behind a proxy. cfg.proxy is all: http://user:password@host:port
            tunnels by CONNECT, socks5://host by SOCKS; "env" takes http_proxy, all_proxy
            and no_proxy from the environment. One deadline covers the way through; a
            failure says where.
   Build:   cc -o build/proxy_client examples/proxy_client.c -I.
   Run:     build/proxy_client http://127.0.0.1:3128 ws://127.0.0.1:9001/
   You see: hello, or: proxy answered 407 ..., and what it asks for */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    static const ws_header about[] = { { "User-Agent", "ws.h" }, { NULL, NULL } };
    ws_config cfg = {0};
    ws_event ev;
    ws_conn *conn;
    ws_str wanted;
    int failed;

    cfg.proxy = argc > 1 ? argv[1] : "env";
    cfg.proxy_headers = about;                  /* for the proxy's eyes only */
    conn = ws_connect(argc > 2 ? argv[2] : "ws://127.0.0.1:9001/", &cfg);
    ws_send_text(conn, "hello");
    while (ws_recv(conn, &ev, 5000) > 0) {
        if (ev.type == WS_EV_MESSAGE) {
            printf("%.*s\n", (int)ev.size, (const char *)ev.data);
            ws_close(conn, WS_CLOSE_NORMAL, "bye");
        }
        if (ev.type == WS_EV_CLOSE && ev.error) {
            fprintf(stderr, "%s\n", ev.reason);
            wanted = ws_header_value(conn, "Proxy-Authenticate");
            if (wanted.size)
                fprintf(stderr, "it asks for %.*s\n", (int)wanted.size, wanted.data);
        }
    }
    failed = ws_error(conn) != 0;
    ws_free(conn);
    return failed;
}

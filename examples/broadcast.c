/* Teaches: one value for everybody, again and again. ws_publish_latest replaces what a
            reader has not taken yet, so a stuck one holds nothing up and nothing piles
            up; ws_poll_until keeps the beat; Ctrl-C closes all connections with a
            closing handshake.
   Build:   cc -o build/broadcast examples/broadcast.c -I.
   Run:     build/broadcast [PORT [MILLISECONDS]]
   You see: open http://127.0.0.1:8080/     time and connections of this server */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STATS = 1 };                             /* a slot: of each, the latest counts */

static const char page[] =
    "<!doctype html><title>broadcast</title><h1 id=o>...</h1><script>"
    "new WebSocket(location.href.replace('http', 'ws')).onmessage = "
    "e => o.innerText = e.data"
    "</script>";

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void publish(ws_loop *loop, unsigned long updates)
{
    char text[200];
    time_t now = time(NULL);
    int size = snprintf(text, sizeof text, "%.24s, %d connections, update %lu",
                        ctime(&now), (int)ws_loop_count(loop), updates);

    ws_publish_latest(loop, "everybody", STATS, WS_OP_TEXT, text, (size_t)size);
}

int main(int argc, char **argv)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    int beat = argc > 2 ? atoi(argv[2]) : 1000, listener, stopping = 0;
    unsigned long updates = 0;
    uint64_t next;                              /* ms: when to publish */
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    char address[64];

    snprintf(address, sizeof address, "127.0.0.1:%s", argc > 1 ? argv[1] : "8080");
    listener = ws_listen(loop, address, NULL);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, listener));
    fflush(stdout);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    next = ws_loop_now(loop);
    while (!stopping || ws_loop_count(loop)) {
        while (ws_poll_until(loop, &ev, next) > 0) {
            if (ev.type == WS_EV_OPEN)
                ws_join(ev.conn, "everybody");
            if (ev.type == WS_EV_HTTP)
                ws_http_reply(ev.conn, 200, html, page, sizeof page - 1);
        }
        if (stop && !stopping) {
            stopping = 1;
            ws_shutdown(loop, WS_CLOSE_GOING_AWAY, "the server ends", 2000);
        }
        publish(loop, ++updates);
        next += (uint64_t)beat;
    }
    ws_loop_free(loop);
    puts("ended");
    return 0;
}

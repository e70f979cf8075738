/* Teaches: the smallest server of an event stream: a tick a second for a browser's
            EventSource, from the loop that would serve WebSockets too.
   Build:   cc -o build/sse_clock examples/sse_clock.c -I.
   Run:     build/sse_clock [PORT], then open http://127.0.0.1:8080/, or
            build/sse_cat http://127.0.0.1:8080/
   You see: {"event":"tick","id":"1","data":"tick 1"} */
#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include <stdio.h>
#include <stdlib.h>

static const char page[] =
    "<!doctype html><title>clock</title><h1 id=t>waiting</h1><script>"
    "new EventSource('/').addEventListener('tick', e => t.textContent = e.data)"
    "</script>";

int main(int argc, char **argv)
{
    static const ws_header html[] = { { "Content-Type", "text/html" }, { NULL, NULL } };
    ws_loop *loop = ws_loop_new(NULL);
    char address[32];
    ws_event ev;
    unsigned tick = 0;

    snprintf(address, sizeof address, "127.0.0.1:%d", argc > 1 ? atoi(argv[1]) : 8080);
    if (ws_listen(loop, address, NULL) < 0)
        return 1;
    printf("open http://127.0.0.1:%d/\n", ws_listen_port(loop, 0));
    fflush(stdout);
    for (;;) {
        uint64_t next = ws_loop_now(loop) + 1000;
        char id[16], text[32];
        ws_sse_message message = {0};

        while (ws_poll_until(loop, &ev, next) > 0)
            if (ev.type == WS_EV_HTTP && ws_sse_requested(ev.conn)) {
                ws_sse_open(ev.conn, NULL);     /* 200, and comments to keep it alive */
                ws_join(ev.conn, "clock");
            } else if (ev.type == WS_EV_HTTP) {
                ws_http_reply(ev.conn, 200, html, page, sizeof page - 1);
            }
        sprintf(id, "%u", ++tick);
        sprintf(text, "tick %u", tick);
        message.event = "tick";
        message.id = id;
        message.data = text;
        ws_sse_publish(loop, "clock", &message);
    }
}

/* Teaches: the engine alone. Bytes in, events out, bytes out; no sockets, no clock, no
            threads. A client and a server talk through memory, whole handshake included.
   Build:   cc -o build/engine_pipe examples/engine_pipe.c -I.
   Run:     build/engine_pipe
   You see: ping?
            pong!
            closed 1000 bye */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

static void carry(ws_conn *from, ws_conn *to)
{
    size_t size;
    const void *bytes = ws_output(from, &size);        /* what `from` wants on the wire */
    ws_output_done(from, ws_feed(to, bytes, size));     /* feed returns what it took */
}

static void show(const ws_event *ev)
{
    printf("%.*s\n", (int)ev->size, (const char *)ev->data);
}

int main(void)
{
    ws_event ev;
    ws_conn *client = ws_client_new("ws://example.com/chat", NULL);
    ws_conn *server = ws_server_new(NULL);
    int turn;

    for (turn = 0; turn < 100 && !ws_done(client); turn++) {
        carry(client, server);
        carry(server, client);
        while (ws_next(client, &ev) > 0) {
            if (ev.type == WS_EV_OPEN)
                ws_send_text(client, "ping?");
            if (ev.type == WS_EV_MESSAGE) {
                show(&ev);
                ws_close(client, WS_CLOSE_NORMAL, "bye");
            }
        }
        while (ws_next(server, &ev) > 0) {
            if (ev.type == WS_EV_MESSAGE) {
                show(&ev);
                ws_send_text(server, "pong!");
            }
            if (ev.type == WS_EV_CLOSE) {
                printf("closed %d %s\n", ev.code, ev.reason);
                ws_feed_end(client);                    /* a server hangs up first */
            }
        }
    }
    ws_free(client);
    ws_free(server);
    return 0;
}

/* A program that opens a loop, dials itself and echoes once: what runs under Windows. */
#include "use.h"
#include <stdio.h>

int main(void)
{
    ws_event ev;
    char url[64];
    int closes = 0, echoed = 0, turn;
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL);

    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    sprintf(url, "ws://127.0.0.1:%d/", ws_listen_port(loop, listener));
    ws_dial(loop, url, NULL);
    for (turn = 0; turn < 100 && closes < 2 && ws_poll(loop, &ev, 2000) > 0; turn++) {
        if (ev.type == WS_EV_OPEN && ws_is_client(ev.conn)) ws_send_text(ev.conn, "hello");
        if (ev.type == WS_EV_MESSAGE && !ws_is_client(ev.conn))
            ws_send(ev.conn, ev.op, ev.data, ev.size);
        if (ev.type == WS_EV_MESSAGE && ws_is_client(ev.conn)) {
            echoed++;
            ws_close(ev.conn, WS_CLOSE_NORMAL, "bye");
        }
        if (ev.type == WS_EV_CLOSE) {
            closes++;
            if (!ev.clean) fprintf(stderr, "close %d %s\n", ev.code, ev.reason);
        }
    }
    ws_loop_free(loop);
    printf("echoed %d, closes %d\n", echoed, closes);
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) ||
           echoed != 1 || closes != 2;
}

/* A program that opens a loop, dials itself, echoes once to a group, posts to itself and shuts
   down: what runs under Windows. */
#include "use.h"
#include <stdio.h>

int main(void)
{
    ws_event ev;
    char url[64];
    int closes = 0, echoed = 0, posted = 0, turn;
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
        if (ev.type == WS_EV_OPEN && !ws_is_client(ev.conn)) ws_join(ev.conn, "all");
        if (ev.type == WS_EV_MESSAGE && !ws_is_client(ev.conn))
            ws_publish(loop, "all", NULL, ev.op, ev.data, ev.size);
        if (ev.type == WS_EV_MESSAGE && ws_is_client(ev.conn)) {
            echoed++;
            ws_post(loop, &posted);
        }
        if (ev.type == WS_EV_POST) {
            posted += ev.data == &posted;
            ws_shutdown(loop, WS_CLOSE_GOING_AWAY, "bye", 5000);
        }
        if (ev.type == WS_EV_CLOSE) {
            closes++;
            if (!ev.clean) fprintf(stderr, "close %d %s\n", ev.code, ev.reason);
        }
    }
    if (ws_poll(loop, &ev, -1)) fprintf(stderr, "the loop is not over\n");
    ws_loop_free(loop);
    printf("echoed %d, posted %d, closes %d\n", echoed, posted, closes);
    return use_pipe(ws_client_new("ws://example.com/", NULL), ws_server_new(NULL)) ||
           echoed != 1 || posted != 1 || closes != 2;
}

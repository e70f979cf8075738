/* Gives each message to every other connection, for bench/run.sh. Prints "listening on PORT". */
#define WS_IMPLEMENTATION
#include "../../ws.h"
#include <stdio.h>

int main(void)
{
    ws_event ev;
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL);

    if (listener < 0) return 1;
    printf("listening on %d\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0) {
        if (ev.type == WS_EV_OPEN) ws_join(ev.conn, "all");
        if (ev.type == WS_EV_MESSAGE) ws_publish(loop, "all", ev.conn, ev.op, ev.data, ev.size);
    }
    return 1;
}

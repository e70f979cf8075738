/* Some events of 100 bytes to every reader each 5 ms, for bench/run.sh: sse_fan [EVENTS]. Prints
   "listening on PORT". */
#define WS_IMPLEMENTATION
#include "../../ws.h"
#define WS_SSE_IMPLEMENTATION
#include "../../ws_sse.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static char data[101];
    ws_event ev;
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL);
    uint64_t next = ws_loop_now(loop);
    ws_sse_message m = {0};
    int i, events = argc > 1 ? atoi(argv[1]) : 1;

    if (listener < 0) return 1;
    printf("listening on %d\n", ws_listen_port(loop, listener));
    fflush(stdout);
    memset(data, 'x', sizeof data - 1);
    m.data = data;
    for (;; next += 5) {
        while (ws_poll_until(loop, &ev, next) > 0)
            if (ev.type == WS_EV_HTTP && !ws_sse_open(ev.conn, NULL)) ws_join(ev.conn, "all");
        for (i = 0; i < events; i++) ws_sse_publish(loop, "all", &m);
    }
}

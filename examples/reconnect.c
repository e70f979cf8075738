/* Teaches: a client that comes back. After a loss WS_EV_DOWN says when the next try
            comes, each later than the one before, and OPEN comes again on the same
            connection. What was on its way may be lost: here each number is sent again
            until its echo is there.
   Build:   cc -o build/reconnect examples/reconnect.c -I.
   Run:     build/echo_server &  build/reconnect ws://127.0.0.1:9001/ 30
            and meanwhile end the server and start it again
   You see: open, 1, 2, 3, ... and when the server is gone: down, next try in N ms */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <stdlib.h>

static void say(ws_conn *conn, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    ws_send_text(conn, text);
}

static int heard(const ws_event *ev)
{
    char text[16];                              /* ev->data has no NUL behind it */

    snprintf(text, sizeof text, "%.*s", (int)ev->size, (const char *)ev->data);
    return atoi(text);
}

int main(int argc, char **argv)
{
    int last = argc > 2 ? atoi(argv[2]) : 30, number = 1, due = 0, open = 0, failed;
    ws_config cfg = {0};
    ws_loop *loop = ws_loop_new(NULL);
    ws_conn *conn;
    ws_event ev;

    cfg.reconnect = 100;                        /* ms before the first new try; doubles */
    cfg.reconnect_max = 2000;                   /* ms, at most, and jitter */
    conn = ws_dial(loop, argc > 1 ? argv[1] : "ws://127.0.0.1:9001/", &cfg);
    for (;;) {
        int got = ws_poll(loop, &ev, 100);
        if (got < 0)
            return 1;
        if (!got && due && open) {              /* a tenth of a second after the echo */
            say(conn, number);
            due = 0;
        }
        if (!got)
            continue;
        if (ev.type == WS_EV_OPEN) {
            puts("open");
            open = 1;
            due = 0;
            say(conn, number);                  /* perhaps again: only its echo counts */
        }
        if (ev.type == WS_EV_DOWN) {
            printf("down, next try in %d ms: %s\n", ev.retry_in, ev.reason);
            open = 0;
        }
        if (ev.type == WS_EV_MESSAGE && heard(&ev) == number) {
            printf("%d\n", number);
            due = 1;
            if (number++ == last)
                ws_close(conn, WS_CLOSE_NORMAL, NULL);      /* no reconnection then */
        }
        fflush(stdout);
        if (ev.type == WS_EV_CLOSE)
            break;
    }
    failed = ev.error != 0;
    ws_loop_free(loop);
    return failed;
}

/* Teaches: a client inside your own poll() loop; nothing blocks after ws_open. Four calls
            connect the two: ws_fd, ws_wants and ws_timeout before poll(), ws_step after it.
   Build:   cc -o build/own_loop examples/own_loop.c -I.        (POSIX, for poll)
   Run:     build/echo_server &  build/own_loop ws://127.0.0.1:9001/
   You see: open, then the echo "hi", then closed 1000 */
#define _POSIX_C_SOURCE 200809L
#define WS_IMPLEMENTATION
#include "ws.h"
#include <poll.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    ws_event ev;
    int failed;
    ws_conn *c = ws_open(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/", NULL);  /* only starts */

    while (!ws_done(c)) {                       /* until the CLOSE event was pulled */
        struct pollfd p;
        p.fd = ws_wants(c) ? (int)ws_fd(c) : -1;    /* may change while connecting: ask each turn */
        p.events = (short)((ws_wants(c) & WS_WANT_READ ? POLLIN : 0) |
                           (ws_wants(c) & WS_WANT_WRITE ? POLLOUT : 0));
        p.revents = 0;
        poll(&p, 1, ws_timeout(c));             /* ms until the next deadline, -1 for none */
        ws_step(c);                             /* moves bytes, never blocks */
        while (ws_next(c, &ev) > 0) switch (ev.type) {
            case WS_EV_OPEN:
                printf("open\n");
                ws_send_text(c, "hi");
                break;
            case WS_EV_MESSAGE:
                printf("%.*s\n", (int)ev.size, (const char *)ev.data);
                ws_close(c, WS_CLOSE_NORMAL, NULL);
                break;
            case WS_EV_CLOSE:
                printf("closed %d\n", ev.code);
                break;
            default: break;
        }
    }
    failed = ws_error(c) != 0;
    if (failed) fprintf(stderr, "%s\n", ws_error_text(c));
    ws_free(c);
    return failed;
}

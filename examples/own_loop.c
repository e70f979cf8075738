/* Teaches: a client inside your own poll() loop; nothing blocks after ws_open. Four
            calls connect the two: ws_fd, ws_wants and ws_timeout before poll(), ws_step
            after it.
   Build:   cc -o build/own_loop examples/own_loop.c -I.        (POSIX, for poll)
   Run:     build/echo_server &  build/own_loop ws://127.0.0.1:9001/
   You see: open, then the echo "hi", then closed 1000 */
#define _POSIX_C_SOURCE 200809L
#define WS_IMPLEMENTATION
#include "ws.h"
#include <poll.h>
#include <stdio.h>

static void on_event(ws_conn *conn, const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_OPEN:
        printf("open\n");
        ws_send_text(conn, "hi");
        break;
    case WS_EV_MESSAGE:
        printf("%.*s\n", (int)ev->size, (const char *)ev->data);
        ws_close(conn, WS_CLOSE_NORMAL, NULL);
        break;
    case WS_EV_CLOSE:
        printf("closed %d\n", ev->code);
        break;
    default:
        break;
    }
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:9001/";
    ws_event ev;
    int failed;
    ws_conn *conn = ws_open(url, NULL);         /* only starts */

    while (!ws_done(conn)) {                    /* until the CLOSE event was pulled */
        struct pollfd socket;
        int wants = ws_wants(conn);
        socket.fd = wants ? (int)ws_fd(conn) : -1;  /* may change while connecting */
        socket.events = 0;
        if (wants & WS_WANT_READ)
            socket.events |= POLLIN;
        if (wants & WS_WANT_WRITE)
            socket.events |= POLLOUT;
        socket.revents = 0;
        poll(&socket, 1, ws_timeout(conn));     /* ms until the next deadline, -1: none */
        ws_step(conn);                          /* moves bytes, never blocks */
        while (ws_next(conn, &ev) > 0)
            on_event(conn, &ev);
    }
    failed = ws_error(conn) != 0;
    if (failed)
        fprintf(stderr, "%s\n", ws_error_text(conn));
    ws_free(conn);
    return failed;
}

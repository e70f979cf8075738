/* Teaches: a descriptor of your own in the loop's wait (ws_watch): here the console.
            A serial port, a child's pipe or a database is watched the same way.
   Build:   cc -o build/console_chat examples/console_chat.c -I.         (POSIX)
   Run:     build/console_chat ws://127.0.0.1:9001/      (echo_server; an empty line ends)
   You see: what you type, once more */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <unistd.h>

enum { CONSOLE = 0 };

/* What was typed goes out; at its end the connection is closed, and the messages that are
   still on their way are printed. */
static void typed(ws_loop *loop, ws_conn *conn)
{
    char text[512];
    ptrdiff_t n = read(CONSOLE, text, sizeof text);

    while (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0 && ws_send(conn, WS_OP_TEXT, text, (size_t)n) == 0)
        return;
    ws_watch(loop, CONSOLE, 0, NULL);           /* a 0 ends the watch */
    ws_close(conn, WS_CLOSE_NORMAL, "bye");
}

int main(int argc, char **argv)
{
    ws_event ev;
    ws_loop *loop = ws_loop_new(NULL);
    ws_conn *conn = ws_dial(loop, argc > 1 ? argv[1] : "ws://127.0.0.1:9001/", NULL);
    int clean = 0;

    while (conn && ws_poll(loop, &ev, -1) > 0) switch (ev.type) {
    case WS_EV_OPEN:
        ws_watch(loop, CONSOLE, WS_WANT_READ, NULL);    /* what was typed before waits */
        break;
    case WS_EV_READY:
        typed(loop, conn);
        break;
    case WS_EV_MESSAGE:
        printf("%s\n", (const char *)ev.data);  /* a NUL follows every message */
        fflush(stdout);
        break;
    case WS_EV_CLOSE:
        fprintf(stderr, "%d %s\n", ev.code, ev.reason);
        clean = ev.code == WS_CLOSE_NORMAL;
        conn = NULL;
        break;
    default:
        break;
    }
    ws_loop_free(loop);
    return clean ? 0 : 1;
}

/* Teaches: the blocking client. Connect, send one message, print the answer, close.
   Build:   cc -o build/hello_client examples/hello_client.c -I.
   Run:     build/echo_server &  build/hello_client ws://127.0.0.1:9001/
   You see: hello */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    ws_event ev;
    int failed;
    ws_conn *conn = ws_connect(argc > 1 ? argv[1] : "ws://127.0.0.1:9001/", NULL);

    ws_send_text(conn, "hello");                 /* errors stick: check once, below */
    while (ws_recv(conn, &ev, 5000) > 0) {       /* 5000 ms */
        if (ev.type == WS_EV_MESSAGE) {
            printf("%.*s\n", (int)ev.size, (const char *)ev.data);
            ws_close(conn, WS_CLOSE_NORMAL, "bye");
        }
    }
    failed = ws_error(conn) != 0;
    if (failed)
        fprintf(stderr, "%s\n", ws_error_text(conn));
    ws_free(conn);
    return failed;
}

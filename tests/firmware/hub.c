/* The hub that the lamp of examples/firmware.c talks to: prints its port, sends "1", "0", "1"
   a little apart, closes, and ends. Exit status 0 if the lamp closed cleanly. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

int main(void)
{
    static const char *const say[] = { "1", "0", "1" };
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL), said = 0, clean = 0, r;
    ws_conn *lamp = NULL;
    ws_event ev;

    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    printf("%d\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while ((r = ws_poll(loop, &ev, lamp ? 50 : 5000)) >= 0) {
        if (r == 0 && !lamp) break;
        if (r == 0 && said < 3) ws_send_text(lamp, say[said++]);
        else if (r == 0) ws_close(lamp, WS_CLOSE_NORMAL, "good night");
        if (r > 0 && ev.type == WS_EV_OPEN) lamp = ev.conn;
        if (r > 0 && ev.type == WS_EV_CLOSE) {
            clean = ev.clean;
            printf("close %d clean %d %s\n", ev.code, ev.clean, ev.reason);
            break;
        }
    }
    ws_loop_free(loop);
    return said == 3 && clean ? 0 : 1;
}

/* What the compile tests share: two engines joined in memory shake hands, echo and close. */
#ifndef USE_H
#define USE_H
#include <string.h>

static void use_carry(ws_conn *from, ws_conn *to)
{
    size_t n;
    const void *p = ws_output(from, &n);
    ws_output_done(from, ws_feed(to, p, n));
}

/* Frees both. Returns 0 if the echo came back and both ended cleanly. */
static int use_pipe(ws_conn *client, ws_conn *server)
{
    ws_event ev;
    int turn, echoed = 0, clean = 0;

    for (turn = 0; turn < 16; turn++) {
        use_carry(client, server);
        use_carry(server, client);
        while (ws_next(client, &ev) > 0) {
            if (ev.type == WS_EV_OPEN) ws_send_text(client, "hello");
            if (ev.type == WS_EV_MESSAGE && ev.size == 5 && !memcmp(ev.data, "hello", 5)) {
                echoed++;
                ws_close(client, WS_CLOSE_NORMAL, "bye");
            }
            if (ev.type == WS_EV_CLOSE) clean += ev.clean && ev.code == WS_CLOSE_NORMAL;
        }
        while (ws_next(server, &ev) > 0) {
            if (ev.type == WS_EV_MESSAGE) ws_send(server, ev.op, ev.data, ev.size);
            if (ev.type == WS_EV_CLOSE) clean += ev.clean && ev.code == WS_CLOSE_NORMAL;
        }
    }
    ws_free(client);
    ws_free(server);
    return echoed == 1 && clean == 2 ? 0 : 1;
}
#endif

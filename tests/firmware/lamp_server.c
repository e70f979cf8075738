/* The twin of northstar's lamp: the board is the server, and its peer turns the lamp on
   and off. With LAMP_BOTH it is either of them in one image: a switch on the board, its
   random source, says which. */
#define WS_NO_SOCKETS
#define WS_NO_MALLOC
#define WS_IMPLEMENTATION
#include "ws.h"

extern size_t   uart_read(void *buf, size_t n);          /* bytes available, 0 if none */
extern size_t   uart_write(const void *buf, size_t n);   /* bytes taken, 0 if busy */
extern uint32_t board_millis(void);
extern int      board_random(void *user, void *buf, size_t n);   /* 0 on success */
extern void     led_set(int on);

static uint64_t memory[WS_MEMORY_SIZE(512, 256) / 8];    /* receive 512, send 256 bytes */

static ws_conn *begin(const ws_config *cfg)
{
#ifdef LAMP_BOTH
    uint8_t role = 0;

    board_random(NULL, &role, 1);
    if (role & 1)
        return ws_client_new("ws://hub.local/lamp", cfg);
#endif
    return ws_server_new(cfg);
}

int main(void)
{
    ws_config cfg = { 0 };
    ws_conn *conn;

    cfg.memory = memory;
    cfg.memory_size = sizeof memory;
#ifdef LAMP_BOTH
    cfg.random = board_random;
#endif
    conn = begin(&cfg);

    for (;;) {
        char in[64];
        ws_event ev;
        size_t room = ws_feed_room(conn);
        size_t n = uart_read(in, room < sizeof in ? room : sizeof in);
        const void *out;

        ws_feed(conn, in, n);
        while (ws_next(conn, &ev) > 0)
            if (ev.type == WS_EV_MESSAGE)
                led_set(ev.size > 0 && ((const char *)ev.data)[0] == '1');
        out = ws_output(conn, &n);
        ws_output_done(conn, uart_write(out, n));
        ws_tick(conn, board_millis());
        if (ws_done(conn)) {                    /* the next peer, in the same block */
            ws_free(conn);
            conn = begin(&cfg);
        }
    }
}

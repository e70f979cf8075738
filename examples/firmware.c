/* Teaches: firmware. No malloc, no sockets, no clock of its own: all memory is the
            caller's, its size known at compile time; the main loop moves bytes when the
            radio or UART has some. A hub turns the board's lamp on with a message "1",
            off with "0".
   Build:   cc -o build/firmware examples/firmware.c examples/board_stub.c -I.
            (board_stub.c plays the board on a PC; a real one brings these five functions)
   Run:     build/echo_server &  BOARD_PEER=127.0.0.1:9001 build/firmware
   You see: led 1      (the lamp tells the hub its state, and this hub echoes it; a lamp
            runs until Ctrl-C) */
#define WS_NO_SOCKETS
#define WS_NO_MALLOC
#define WS_NO_EXTENSIONS
#define WS_IMPLEMENTATION
#include "ws.h"

extern size_t   uart_read(void *buf, size_t n);          /* bytes available, 0 if none */
extern size_t   uart_write(const void *buf, size_t n);   /* bytes taken, 0 if busy */
extern uint32_t board_millis(void);
extern int      board_random(void *user, void *buf, size_t n);   /* 0 on success */
extern void     led_set(int on);

static uint64_t memory[WS_MEMORY_SIZE(512, 256) / 8];    /* receive 512, send 256 bytes */

int main(void)
{
    ws_config cfg = {0};
    ws_conn *conn;

    cfg.memory = memory;
    cfg.memory_size = sizeof memory;
    cfg.random = board_random;
    conn = ws_client_new("ws://hub.local/lamp", &cfg);

    while (!ws_done(conn)) {
        char in[64];
        ws_event ev;
        size_t room = ws_feed_room(conn);
        size_t size = uart_read(in, room < sizeof in ? room : sizeof in);
        const void *out;

        ws_feed(conn, in, size);
        while (ws_next(conn, &ev) > 0) {
            if (ev.type == WS_EV_OPEN)
                ws_send_text(conn, "1");
            if (ev.type == WS_EV_MESSAGE && ev.size == 1)
                led_set(((const char *)ev.data)[0] == '1');
        }
        out = ws_output(conn, &size);
        ws_output_done(conn, uart_write(out, size));
        ws_tick(conn, board_millis());
    }
    ws_free(conn);
    return 0;                                   /* back to the boot code: try again */
}

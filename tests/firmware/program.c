/* What the boards run: a WebSocket client (with WS_NO_SERVER) or server (WS_NO_CLIENT) on
   their UART, for ever. It echoes messages; of one that comes in parts it tells size and
   sum. A text that begins with '!' is an order. At each OPEN it says how the connection
   before ended:

       status opens 2 code 1002 error 37 clean 1 stack 812

   Orders: "!ping TEXT" pings, and tells the pong; "!close CODE REASON" closes;
   "!parts N" sends a message of N bytes in parts. */
#define WS_NO_SOCKETS
#define WS_NO_MALLOC
#define WS_NO_EXTENSIONS
#define WS_IMPLEMENTATION
#include "ws.h"
#include "board.h"

#define RECEIVE 512
#define SEND    256
#define QUIET   100             /* ms without a byte between two connections */

static uint64_t memory[WS_MEMORY_SIZE(RECEIVE, SEND) / 8];
static ws_config settings;
static ws_conn *conn;

static struct {
    uint32_t opens;
    int code, error, clean;     /* of the connection before */
    uint32_t size, sum;         /* of a message in parts */
    uint32_t pieces;
    int pinged;                 /* by order: the pong is told */
} now;

/* ---- words ---- */

static char text[160];
static size_t text_size;

static void put(const char *word, size_t size)
{
    size_t room = sizeof text - text_size;

    if (size > room)
        size = room;
    memcpy(text + text_size, word, size);
    text_size += size;
}

static void put_word(const char *word)
{
    put(word, strlen(word));
}

static void put_number(const char *before, uint32_t value)
{
    char digits[10];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put_word(before);
    put(digits + at, sizeof digits - at);
}

static uint32_t number_at(const char *from, size_t size)
{
    uint32_t value = 0;

    for (; size && *from >= '0' && *from <= '9'; from++, size--)
        value = value * 10 + (uint32_t)(*from - '0');
    return value;
}

/* ---- moving bytes ---- */

static void write_some(void)
{
    size_t size;
    const void *out = ws_output(conn, &size);

    ws_output_done(conn, uart_write(out, size));
    ws_tick(conn, board_millis());
}

/* Sends, and waits while too much does already: the UART is slower than we are. */
static void send_message(int op, const void *data, size_t size)
{
    while (ws_send(conn, op, data, size) == WS_ERR_BACKLOG)
        write_some();
}

static void send_words(void)
{
    send_message(WS_OP_TEXT, text, text_size);
    text_size = 0;
}

/* ---- what comes ---- */

static void tell_status(void)
{
    put_number("status opens ", ++now.opens);
    put_number(" code ", (uint32_t)now.code);
    put_number(" error ", (uint32_t)-now.error);
    put_number(" clean ", (uint32_t)now.clean);
    put_number(" stack ", (uint32_t)board_stack());
    send_words();
}

/* Byte i of the message is i & 127. */
static void send_parts(uint32_t size)
{
    uint8_t part[64];
    uint32_t at = 0;

    while (at < size) {
        uint32_t left = size - at;
        size_t n = left < sizeof part ? (size_t)left : sizeof part, i;
        int result;

        for (i = 0; i < n; i++)
            part[i] = (uint8_t)((at + i) & 127);
        at += (uint32_t)n;
        do {
            result = ws_send_part(conn, WS_OP_BINARY, part, n, at == size);
            write_some();
        } while (result == WS_ERR_BACKLOG);
        if (result)
            return;
    }
}

static int order_is(const ws_event *ev, const char *word)
{
    size_t size = strlen(word);

    return ev->size >= size && !memcmp(ev->data, word, size);
}

static void obey(const ws_event *ev)
{
    const char *rest = (const char *)ev->data;

    if (order_is(ev, "!ping "))
        now.pinged = !ws_ping(conn, rest + 6, ev->size - 6);
    else if (order_is(ev, "!close "))
        ws_close(conn, (int)number_at(rest + 7, 4), rest + 12);
    else if (order_is(ev, "!parts "))
        send_parts(number_at(rest + 7, ev->size - 7));
}

static void count_part(const ws_event *ev)
{
    const uint8_t *at = (const uint8_t *)ev->data;
    size_t i;

    if (ev->first)
        now.size = now.sum = now.pieces = 0;
    now.pieces++;
    now.size += (uint32_t)ev->size;
    for (i = 0; i < ev->size; i++)
        now.sum = now.sum * 31 + at[i];
    if (ev->last) {
        put_number("parts ", now.size);
        put_number(" sum ", now.sum);
        put_number(" events ", now.pieces);
        send_words();
    }
}

static void handle(const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_OPEN:
        tell_status();
        break;
    case WS_EV_MESSAGE:
        if (ev->op == WS_OP_TEXT && order_is(ev, "!"))
            obey(ev);
        else
            send_message(ev->op, ev->data, ev->size);
        break;
    case WS_EV_PART:
        count_part(ev);
        break;
    case WS_EV_PONG:
        if (!now.pinged)
            break;
        now.pinged = 0;
        put_word("pong ");
        put((const char *)ev->data, ev->size);
        send_words();
        break;
    case WS_EV_CLOSE:
        now.code = ev->code;
        now.error = ev->error;
        now.clean = ev->clean;
        break;
    default:
        break;
    }
}

/* ---- one connection after the other, in the same memory ---- */

/* size bytes of it have come already. */
static void run_connection(char in[64], size_t size)
{
    ws_event ev;

    while (!ws_done(conn)) {
        size_t room;

        ws_feed(conn, in, size);
        while (ws_next(conn, &ev) > 0)
            handle(&ev);
        write_some();
        room = ws_feed_room(conn);
        size = uart_read(in, room < 64 ? room : 64);
    }
}

/* What is still under way belongs to the connection before. */
static void wait_for_quiet(void)
{
    char in[16];
    uint32_t heard = board_millis();

    while (board_millis() - heard < QUIET) {
        if (uart_read(in, sizeof in))
            heard = board_millis();
    }
}

int main(void)
{
    board_start();
    settings.memory = memory;
    settings.memory_size = sizeof memory;
    settings.random = board_random;
    settings.handshake_timeout = 1300;
    settings.ping_interval = 700;
    settings.ping_timeout = 600;
    settings.close_timeout = 300;
#ifndef WS_TINY
    settings.parts_over = RECEIVE;
    settings.max_message = 1048576;
#endif
    for (;;) {
        char in[64];
        size_t size = 0;

#ifdef WS_NO_SERVER
        conn = ws_client_new("ws://hub.local/board", &settings);
#else
        while (!size)               /* nobody calls: no deadline runs */
            size = uart_read(in, sizeof in);
        conn = ws_server_new(&settings);
#endif
        run_connection(in, size);
        ws_free(conn);
        wait_for_quiet();
    }
}

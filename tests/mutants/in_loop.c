/* What the short way of sending in a loop may do (ws__core_may_short, ws__core_lay_short): the
   mutants named short-... must fail here. A server of a loop on one end of a socket pair. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"

static const char request[] =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

typedef struct end {
    ws_loop *loop;
    ws_conn *conn;
    int fd;
} end;

static void end_open(end *e)
{
    static const char message[] = "\x81\x81\0\0\0\0a";
    uint8_t head[512];
    ws_event ev;
    int pair[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    e->fd = pair[1];
    e->loop = ws_loop_new(NULL);
    e->conn = ws_adopt(e->loop, pair[0], request, sizeof request - 1, NULL);
    CHECK_INT(ws_poll(e->loop, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    CHECK_INT(ws_poll(e->loop, &ev, 0), 0);
    CHECK(recv(e->fd, head, sizeof head, 0) > 4);
    CHECK_INT(send(e->fd, message, sizeof message - 1, 0), sizeof message - 1);
    CHECK_INT(ws_poll(e->loop, &ev, 1000), 1);      /* what is sent now collects in a cork */
    CHECK_INT(ev.type, WS_EV_MESSAGE);
}

static void end_free(end *e)
{
    ws_loop_free(e->loop);
    close(e->fd);
}

/* What the peer receives, one frame: its first byte and the bytes of its payload. */
static void check_frame(end *e, int first, size_t n)
{
    uint8_t got[1100];
    size_t head = n < 126 ? 2 : 4, i;
    ws_event ev;

    CHECK_INT(ws_poll(e->loop, &ev, 0), 0);
    CHECK_INT(recv(e->fd, got, sizeof got, MSG_DONTWAIT), head + n);
    CHECK_INT(got[0], first);
    CHECK_INT(got[1], n < 126 ? n : 126);
    if (n >= 126) CHECK_INT(got[2] << 8 | got[3], n);
    for (i = 0; i < n; i++) CHECK_INT(got[head + i], i & 255);
}

TEST(sizes)
{
    static const size_t sizes[] = { 1, 119, 120, 124, 125, 126, 127, 128, 255, 256, 1000 };
    uint8_t data[1000];
    size_t i;

    for (i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    for (i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        int op = i & 1 ? WS_OP_BINARY : WS_OP_TEXT;
        end e;
        end_open(&e);
        CHECK_INT(ws_send(e.conn, op, data, sizes[i / 2]), 0);
        check_frame(&e, 0x80 | op, sizes[i / 2]);
        end_free(&e);
    }
}

TEST(between_parts)
{
    end e;

    end_open(&e);
    CHECK_INT(ws_send_part(e.conn, WS_OP_TEXT, "a", 1, 0), 0);
    CHECK_INT(ws_send(e.conn, WS_OP_TEXT, "b", 1), WS_ERR_BUSY);
    CHECK_INT(ws_send_part(e.conn, WS_OP_TEXT, "c", 1, 1), 0);
    CHECK_INT(ws_send(e.conn, WS_OP_TEXT, "d", 1), 0);
    end_free(&e);
}

TEST(behind_close)
{
    end e;

    end_open(&e);
    CHECK_INT(ws_close(e.conn, 1000, NULL), 0);
    CHECK_INT(ws_send(e.conn, WS_OP_TEXT, "b", 1), WS_ERR_STATE);
    end_free(&e);
}

TESTS(T(sizes) T(between_parts) T(behind_close))

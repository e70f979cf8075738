/* ws_begin: connections whose opening handshake was done elsewhere, in both roles, by the
   engine and in a loop. */
#define WS_IMPLEMENTATION
#include "../ws.h"
#include "fixture.h"

/* One of two connections that talk to each other, and what came out of it. */
typedef struct pipe_end {
    ws_conn *conn;
    int opens, messages, closes, code;
    char text[64];
} pipe_end;

static void pull(pipe_end *it)
{
    ws_event ev;

    while (ws_next(it->conn, &ev) > 0) {
        it->opens += ev.type == WS_EV_OPEN;
        it->closes += ev.type == WS_EV_CLOSE;
        if (ev.type == WS_EV_CLOSE)
            it->code = ev.code;
        if (ev.type != WS_EV_MESSAGE)
            continue;
        it->messages++;
        snprintf(it->text, sizeof it->text, "%.60s", (const char *)ev.data);
    }
}

static size_t carry(pipe_end *from, pipe_end *to)
{
    size_t n;
    const void *out = ws_output(from->conn, &n);
    size_t part = n < 7 ? n : 7;

    part = ws_feed(to->conn, out, part);
    ws_output_done(from->conn, part);
    pull(to);
    return part;
}

static void talk(pipe_end *one, pipe_end *two)
{
    pull(one);
    pull(two);
    while (carry(one, two) + carry(two, one)) {}
}

static void both(pipe_end ends[2], const ws_config *client, const ws_config *server)
{
    memset(ends, 0, 2 * sizeof *ends);
    ends[0].conn = ws_client_new("ws://host/", client);
    ends[1].conn = ws_server_new(server);
}

static ptrdiff_t nothing(void *user, void *buf, size_t n)
{
    (void)user;
    (void)buf;
    (void)n;
    return 0;
}

static void converse(pipe_end ends[2])
{
    talk(&ends[0], &ends[1]);
    CHECK(ends[0].opens == 1 && ends[1].opens == 1);
    CHECK_INT(ws_state(ends[0].conn), WS_STATE_OPEN);
    CHECK_INT(ws_send_text(ends[0].conn, "from the client, from the client"), 0);
    CHECK_INT(ws_send_text(ends[1].conn, "from the server, from the server"), 0);
    talk(&ends[0], &ends[1]);
    CHECK_STR(ends[0].text, "from the server, from the server");
    CHECK_STR(ends[1].text, "from the client, from the client");
    CHECK_INT(ws_close(ends[1].conn, 1000, "bye"), 0);
    talk(&ends[0], &ends[1]);
    CHECK(ends[0].closes == 1 && ends[0].code == 1000);
    CHECK(ends[1].closes == 1 && ends[1].code == 1000);
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
}

TEST(both_begin_at_open)
{
    pipe_end ends[2];
    size_t n;

    both(ends, NULL, NULL);
    CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), 0);
    CHECK_INT(ws_begin(ends[1].conn, NULL, NULL), 0);
    ws_output(ends[0].conn, &n);
    CHECK_INT(n, 0);                                    /* the request is gone */
    CHECK_STR(ws_protocol(ends[0].conn), "");
    CHECK_STR(ws_extensions(ends[1].conn), "");
    CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), WS_ERR_STATE);
    converse(ends);
}

TEST(with_a_subprotocol)
{
    pipe_end ends[2];
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "chat, dots";
    both(ends, &cfg, &cfg);
    CHECK_INT(ws_begin(ends[0].conn, "dots", NULL), 0);
    CHECK_INT(ws_begin(ends[1].conn, "not in the list", NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_begin(ends[1].conn, "elsewhere", NULL), 0);
    CHECK_STR(ws_protocol(ends[0].conn), "dots");
    CHECK_STR(ws_protocol(ends[1].conn), "elsewhere");
    converse(ends);
}

#ifdef WS_USE_ZLIB
#define DEFLATE "permessage-deflate"

TEST(with_compression)
{
    static const struct { const char *agreed; int good; } rows[] = {
        { DEFLATE, 1 },
        { DEFLATE "; server_no_context_takeover", 1 },
        { DEFLATE "; client_no_context_takeover; server_no_context_takeover", 1 },
        { DEFLATE "; client_max_window_bits=10", 1 },
        { DEFLATE "; client_max_window_bits=12; server_max_window_bits=11", 1 },
        { DEFLATE "; server_max_window_bits=20", 0 },
        { DEFLATE "; nonsense", 0 },
        { "x-other", 0 },
        { DEFLATE ", " DEFLATE, 0 },
        { ";", 0 },
        { "", 1 }
    };
    ws_deflate deflate;
    ws_config cfg;
    size_t i;

    memset(&cfg, 0, sizeof cfg);
    memset(&deflate, 0, sizeof deflate);
    cfg.deflate = &deflate;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        pipe_end ends[2];
        both(ends, &cfg, &cfg);
        CHECK_INT(ws_begin(ends[0].conn, NULL, rows[i].agreed),
                  rows[i].good ? 0 : WS_ERR_EXTENSION);
        CHECK_INT(ws_begin(ends[1].conn, NULL, rows[i].agreed),
                  rows[i].good ? 0 : WS_ERR_EXTENSION);
        if (rows[i].good) {
            CHECK_STR(ws_extensions(ends[0].conn), rows[i].agreed);
            CHECK_STR(ws_extensions(ends[1].conn), rows[i].agreed);
            converse(ends);
            continue;
        }
        CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), 0);   /* nothing was changed */
        CHECK_INT(ws_begin(ends[1].conn, NULL, NULL), 0);
        converse(ends);
    }
    /* what we would not do without the other's consent was not agreed */
    deflate.client_no_context_takeover = 1;
    {
        pipe_end ends[2];
        both(ends, NULL, &cfg);
        CHECK_INT(ws_begin(ends[1].conn, NULL, DEFLATE), WS_ERR_EXTENSION);
        CHECK_INT(ws_begin(ends[0].conn, NULL, DEFLATE), WS_ERR_EXTENSION);
        ws_free(ends[0].conn);
        ws_free(ends[1].conn);
    }
}
#else
TEST(with_compression)
{
    pipe_end ends[2];

    both(ends, NULL, NULL);
    CHECK_INT(ws_begin(ends[0].conn, NULL, "permessage-deflate"), WS_ERR_EXTENSION);
    CHECK_INT(ws_begin(ends[1].conn, NULL, "permessage-deflate"), WS_ERR_EXTENSION);
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
}
#endif

TEST(not_when_it_is_too_late)
{
    pipe_end ends[2];
    ws_config cfg;
    ws_event ev;

    CHECK_INT(ws_begin(NULL, NULL, NULL), WS_ERR_ARGUMENT);
    both(ends, NULL, NULL);
    talk(&ends[0], &ends[1]);
    CHECK(ends[0].opens == 1 && ends[1].opens == 1);
    CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), WS_ERR_STATE);
    CHECK_INT(ws_begin(ends[1].conn, NULL, NULL), WS_ERR_STATE);
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
    both(ends, NULL, NULL);
    ws_feed(ends[1].conn, "GET / HTTP/1.1\r\n", 16);
    ws_next(ends[1].conn, &ev);
    CHECK_INT(ws_begin(ends[1].conn, NULL, NULL), WS_ERR_STATE);
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
    memset(&cfg, 0, sizeof cfg);
    cfg.method = "GET";
    both(ends, &cfg, NULL);
    CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), WS_ERR_STATE);    /* ordinary HTTP */
    ws_free(ends[0].conn);
    ends[0].conn = ws_client_new("nonsense", NULL);
    CHECK_INT(ws_begin(ends[0].conn, NULL, NULL), WS_ERR_STATE);
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
}

/* The first frames may have come with the end of the handshake. */
/* What a client sent is behind its request: it would be lost with that. */
TEST(not_after_something_was_sent)
{
    int what;

    for (what = 0; what < 5; what++) {
        pipe_end ends[2];
        ws_event ev;

        both(ends, NULL, NULL);
        if (what == 0)
            CHECK_INT(ws_send_text(ends[0].conn, "early"), 0);
        if (what == 1)
            CHECK_INT(ws_send_part(ends[0].conn, WS_OP_TEXT, "in ", 3, 0), 0);
        if (what == 2)
            CHECK_INT(ws_send_latest(ends[0].conn, 1, WS_OP_TEXT, "early", 5), 0);
        if (what == 3)
            CHECK_INT(ws_send_from(ends[0].conn, WS_OP_TEXT, nothing, NULL), 0);
        if (what == 4) {            /* an empty line, which is no frame */
            ws_feed(ends[1].conn, "\r\n", 2);
            CHECK_INT(ws_next(ends[1].conn, &ev), 0);
        }
        CHECK_INT(ws_begin(ends[what == 4].conn, NULL, NULL), WS_ERR_STATE);
        talk(&ends[0], &ends[1]);
        CHECK(ends[0].opens == 1 && ends[1].opens == 1);
        CHECK_INT(ends[1].messages, what != 1 && what != 4);
        ws_free(ends[0].conn);
        ws_free(ends[1].conn);
    }
}

#ifdef WS_USE_ZLIB
TEST(not_without_what_is_required)
{
    pipe_end ends[2];
    ws_config cfg;
    ws_deflate deflate;
    int i;

    memset(&cfg, 0, sizeof cfg);
    memset(&deflate, 0, sizeof deflate);
    deflate.required = 1;
    cfg.deflate = &deflate;
    both(ends, &cfg, &cfg);
    for (i = 0; i < 2; i++) {
        CHECK_INT(ws_begin(ends[i].conn, NULL, NULL), WS_ERR_EXTENSION);
        CHECK_INT(ws_begin(ends[i].conn, NULL, ""), WS_ERR_EXTENSION);
        CHECK_INT(ws_begin(ends[i].conn, NULL, "permessage-deflate"), 0);
    }
    converse(ends);
}
#else
TEST(not_without_what_is_required) {}
#endif

TEST(bytes_that_came_before)
{
    pipe_end ends[2];

    both(ends, NULL, NULL);
    CHECK_INT(ws_feed(ends[1].conn, "\x81\x82\0\0\0\0hi", 8), 8);
    CHECK_INT(ws_begin(ends[1].conn, NULL, NULL), 0);
    pull(&ends[1]);
    CHECK(ends[1].opens == 1 && ends[1].messages == 1);
    CHECK_STR(ends[1].text, "hi");
    ws_free(ends[0].conn);
    ws_free(ends[1].conn);
}

TEST(every_allocation_fails)
{
    world w;
    ws_config cfg;
    int i, fault = -1;

    for (i = 1; fault && i < 20; i++) {
        cfg = world_fresh(&w);
        pipe_end end = { ws_server_new(&cfg), 0, 0, 0, 0, "" };
        w.h.fail_at = w.h.calls + i;
        fault = ws_begin(end.conn, "elsewhere", NULL);
        CHECK(!fault || fault == WS_ERR_MEMORY);
        w.h.fail_at = 0;
        CHECK_INT(ws_begin(end.conn, "elsewhere", NULL), fault ? 0 : WS_ERR_STATE);
        pull(&end);
        CHECK_INT(end.opens, 1);
        ws_free(end.conn);
        CHECK_INT(w.h.live, 0);
    }
    CHECK(i < 20 && i > 2);
}

#if !defined(_WIN32) && !defined(WS_NO_SOCKETS)
/* A loop adopts a stream that is open, with the first bytes that another server read. */
TEST(in_a_loop_with_groups)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2], i, messages = 0;
    uint64_t start = now_ms();
    ws_conn *conn;
    ws_event ev;
    char text[16];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
    conn = ws_adopt(loop, sock[0], "\x81\x82\0\0\0\0hi", 8, NULL);
    CHECK_INT(ws_begin(conn, "chat", NULL), 0);
    CHECK_INT(ws_join(conn, "room"), 0);
    CHECK(write(sock[1], "\x81\x85\0\0\0\0again", 11) == 11);
    while (messages < 2 && now_ms() - start < 10000) {
        if (ws_poll(loop, &ev, 100) <= 0)
            continue;
        if (ev.type == WS_EV_OPEN)
            CHECK_STR(ws_protocol(ev.conn), "chat");
        messages += ev.type == WS_EV_MESSAGE;
    }
    CHECK_INT(messages, 2);
    CHECK_INT(ws_publish(loop, "room", NULL, WS_OP_TEXT, "all", 3), 1);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK_INT(read(sock[1], text, sizeof text), 5);
    CHECK(!memcmp(text, "\x81\x03" "all", 5));
    i = ws_begin(conn, NULL, NULL);
    CHECK_INT(i, WS_ERR_STATE);
    ws_loop_free(loop);
    close(sock[1]);
}
#else
TEST(in_a_loop_with_groups) {}
#endif

TESTS(
    T(both_begin_at_open)
    T(with_a_subprotocol)
    T(with_compression)
    T(not_when_it_is_too_late)
    T(not_after_something_was_sent)
    T(not_without_what_is_required)
    T(bytes_that_came_before)
    T(every_allocation_fails)
    T(in_a_loop_with_groups)
)

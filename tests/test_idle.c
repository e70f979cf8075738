/* After a long silence a deadline counts from now, not from the last sign of life:
   closing, answering late, sending outside a turn, a handler that is slow. And what a
   blocking client reads ahead while it sends. Each driver, both roles, over sockets;
   the silence is a clock put forward. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_idle: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#define FIXTURE_SOCKETS
#include "fixture.h"

static end s, c;

/* What the server is asked is answered when the test says so. */
static void later(end *e, const ws_event *ev) { (void)e; (void)ev; }

static ws_conn *begin(int driver, int ask, const char *method)
{
    ws_config cfg;
    ws_conn *x;
    int l;

    memset(&cfg, 0, sizeof cfg);
    memset(&s, 0, sizeof s);
    cfg.user = &s;
    cfg.ask = ask;
    cfg.handshake_timeout = 60000;
    l = listen_on(&cfg);
    cfg = client_config(&c);
    cfg.method = method;
    cfg.handshake_timeout = 60000;
    if (ask) app = later;
    x = visit(driver, url_of(method ? "http" : "ws", "localhost", l), &cfg);
    UNTIL(ask ? s.requests + s.https : c.opens && s.opens, 1000);
    pass(5);
    skipped += 8000;
    return x;
}

TEST(close_after_silence)
{
    int driver, who, turns;

    for (driver = 0; driver < DRIVERS; driver++)
        for (who = 0; who < 2; who++)
            for (turns = 0; turns < 2; turns++) {
                ws_conn *x = begin(driver, 0, NULL);
                if (turns)
                    turn();
                CHECK_INT(ws_close(who ? s.c : x, 1000, "bye"), 0);
                UNTIL(c.closes && s.closes, 1000);
                CHECK(c.clean && s.clean && !c.error && !s.error);
                leave(&c, x);
                over();
            }
}

TEST(shutdown_after_silence)
{
    int driver;

    for (driver = OWN; driver < DRIVERS; driver++) {
        ws_conn *x = begin(driver, 0, NULL);
        ws_shutdown(loop, 1001, "going", 3000);
        UNTIL(c.closes && s.closes, 1000);
        CHECK(c.clean && s.clean && c.code == 1001 && !c.error && !s.error);
        leave(&c, x);
        over();
    }
}

TEST(answers_after_silence)
{
    int driver, what;

    for (driver = OWN; driver < DRIVERS; driver++) for (what = 0; what < 5; what++) {
        ws_conn *x = begin(driver, 1, what > 2 ? "GET" : NULL);
        if (what == 0) ws_accept(s.c, NULL);
        if (what == 1) ws_reject(s.c, 403, NULL, "no");
        if (what == 2) {
            ws_accept(s.c, NULL);
            UNTIL(s.opens && c.opens, 1000);
            skipped += 8000;
            ws_close(s.c, 1000, NULL);
        }
        if (what == 3) ws_http_reply(s.c, 200, NULL, "body", 4);
        if (what == 4) {
            ws_http_begin(s.c, 200, NULL, 1);
            skipped += 8000;
            ws_http_write(s.c, "body", 4);
            ws_http_end(s.c);
        }
        UNTIL(what ? c.closes && s.closes : c.opens && s.opens, 1000);
        if (what == 1) CHECK(c.error == WS_ERR_STATUS && s.error == WS_ERR_REJECTED);
        if (what > 1) CHECK(c.clean && s.clean && !c.error && !s.error);
        leave(&c, x);
        over();
    }
}

/* What is sent outside a turn counts when it is sent: it is not idle from then on. */
TEST(sending_after_silence)
{
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        ws_config cfg;
        pair m;

        memset(&cfg, 0, sizeof cfg);
        cfg.idle_timeout = 100000;
        cfg.ping_interval = WS_NEVER;
        pair_open(&m, kind, &cfg);
        skipped += 70000;
        CHECK_INT(ws_send_text(m.c, "still here"), 0);
        skipped += 70000;
        pass(5);
        CHECK_INT(m.end.closes, 0);
        skipped += 70000;
        UNTIL(m.end.closes, 1000);
        CHECK_INT(m.end.error, WS_ERR_IDLE_TIMEOUT);
        pair_over(&m);
    }
}

/* So does a message to many. */
TEST(publishing_after_silence)
{
    ws_config cfg;
    pair m;
    int all;

    for (all = 0; all < 2; all++) {
        memset(&cfg, 0, sizeof cfg);
        cfg.idle_timeout = 100000;
        cfg.ping_interval = WS_NEVER;
        pair_open(&m, ACCEPTED, &cfg);
        CHECK_INT(ws_join(m.c, "room"), 0);
        skipped += 70000;
        if (all) CHECK_INT(ws_broadcast(loop, NULL, WS_OP_TEXT, "news", 4), 1);
        else CHECK_INT(ws_publish(loop, "room", NULL, WS_OP_TEXT, "news", 4), 1);
        skipped += 70000;
        pass(5);
        CHECK_INT(m.end.closes, 0);
        skipped += 70000;
        UNTIL(m.end.closes, 1000);
        pair_over(&m);
    }
}

/* The round trip of a ping does not count the silence before it. */
TEST(round_trip_after_silence)
{
    int driver, who;

    for (driver = 0; driver < DRIVERS; driver++) for (who = 0; who < 2; who++) {
        ws_conn *x = begin(driver, 0, NULL), *pinger = who ? s.c : x;

        skipped += 60000;
        CHECK_INT(ws_ping(pinger, NULL, 0), 0);
        UNTIL(who ? s.pongs : c.pongs, 1000);
        CHECK(ws_rtt(pinger) >= 0 && ws_rtt(pinger) < 30000);
        leave(&c, x);
        over();
    }
}

static int slow_handled;

static void slow(end *e, const ws_event *ev)
{
    (void)e;
    if (ev->type != WS_EV_MESSAGE) return;
    slow_handled++;
    skipped += 120000;
}

/* The handler of one connection is slow while another is to be pinged: the peer of that
   one has its whole time to answer. */
TEST(slow_handler)
{
    ws_config cfg;
    pair busy, quiet;

    memset(&cfg, 0, sizeof cfg);
    cfg.ping_interval = cfg.ping_timeout = 100000;
    pair_open(&busy, ACCEPTED, &cfg);
    pair_open(&quiet, ACCEPTED, &cfg);
    peers[0] = &busy.peer;
    peers[1] = &quiet.peer;
    app = slow;
    slow_handled = 0;
    skipped += 110000;
    pair_say(&busy, "81'work'");
    UNTIL(slow_handled, 1000);
    pass(5);
    CHECK_INT(quiet.end.closes, 0);
    CHECK_INT(quiet.end.error, 0);
    CHECK(quiet.peer.n >= 2 && (uint8_t)quiet.peer.in[0] == 0x89);
    skipped += 110000;
    UNTIL(quiet.end.closes, 1000);
    CHECK_INT(quiet.end.error, WS_ERR_PING_TIMEOUT);
    peers[1] = NULL;
    peer_over(&quiet.peer);
    pair_over(&busy);
}

/* What the peer sent in time counts although it was not read before the application's
   call: a call notes the time, and only who has read judges. */
TEST(answer_not_read_yet)
{
    int kind, idle;

    for (kind = 0; kind < KINDS; kind++) for (idle = 0; idle < 2; idle++) {
        ws_config cfg;
        ws_event ev;
        pair m;

        if (kind == LOOP || kind == ACCEPTED)
            continue; /* ws_poll reads before it judges */
        memset(&cfg, 0, sizeof cfg);
        cfg.ping_interval = idle ? WS_NEVER : 100000;
        cfg.ping_timeout = 100000;
        cfg.idle_timeout = idle ? 100000 : 0;
        pair_open(&m, kind, &cfg);
        if (!idle) {
            skipped += 110000;
            UNTIL(m.peer.n >= 2, 1000);                        /* the ping */
        }
        {
            buf b = { 0 };
            put_frames(&b, idle ? "81'word'" : "8A'x'", pair_serves(&m));
            peer_write(&m.peer, b.p, b.n);
            buf_free(&b);
        }
        skipped += 110000;
        CHECK_INT(idle ? ws_ping(m.c, NULL, 0) : ws_send_text(m.c, "work is done"), 0);
        while (ws_next(m.c, &ev)) note(&ev);
        CHECK_INT(m.end.closes, 0);
        UNTIL(idle ? m.end.messages : m.end.pongs, 1000);
        CHECK_INT(m.end.closes, 0);
        pair_over(&m);
    }
}

/* The peer's Close frame is no fault where ours can no longer be written. */
TEST(close_without_output)
{
    int kind;

    for (kind = OWN; kind <= LOOP; kind++) {
        pair m;

        pair_open(&m, kind, NULL);
        line.cut_out = line.out;
        peer_text(&m.peer, "\x88\x05\x03\xE9" "bye");
        CHECK_INT(ws_send_text(m.c, "lost"), 0);
        UNTIL(m.end.closes, 1000);
        CHECK_INT(m.end.code, 1001);
        CHECK_INT(m.end.error, 0);
        CHECK_INT(m.end.clean, 0);
        line_fresh();
        pair_over(&m);
    }
}

/* A loop tells its connections the time itself. */
TEST(tick_in_a_loop)
{
    pair m;

    pair_open(&m, ACCEPTED, NULL);
    ws_tick(m.c, 5);
    CHECK_INT(ws_send_text(m.c, "on"), 0);
    ws_tick(m.c, UINT64_MAX);
    pass(5);
    CHECK_INT(m.end.closes, 0);
    pair_over(&m);
}

/* A blocking client that only sends answers pings that came, up to the peer's Close and
   up to a fault, never behind them. */
TEST(read_ahead)
{
    static const struct { const char *frames; int pongs, closes; } cases[] = {
        { "89'a' 89'b'", 2, 0 },
        { "81'text' 01'pa' 89'a' 80'rt' 89'b'", 2, 0 },
        { "89'a' 88x03E8 89'b'", 1, 1 },
        { "89'a' ^89'b' 89'c'", 1, 0 },
        { "89'a' C1'x' 89'b'", 1, 0 },
        { "89'a' 83'x' 89'b'", 1, 0 },
        { "89'a' 80'x' 89'b'", 1, 0 },
        { "89'a' 01'x' 01'y' 89'b'", 1, 0 },
        { "89'a' 09'x' 89'b'", 1, 0 },
        { "89'a' 89#126 89'b'", 1, 0 },
        { "89'a' 81:2'x' 89'b'", 1, 0 },
        { "89'a' 82#101 89'b'", 1, 0 },
        { "89'a' 02#60 80#60 89'b'", 1, 0 }
    };
    size_t i, at;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        ws_config cfg;
        buf b = { 0 };
        pair m;
        int tries, pongs = 0, r = 0;

        memset(&cfg, 0, sizeof cfg);
        cfg.max_message = 100;
        pair_open(&m, BLOCKING, &cfg);
        put_frames(&b, cases[i].frames, 0);
        peer_write(&m.peer, b.p, b.n);
        for (tries = 0; tries < 5 && !r; tries++) {
            skipped += 1000;
            r = ws_send(m.c, WS_OP_BINARY, "x", 1);
            peer_read(&m.peer);
        }
        CHECK_INT(r, cases[i].closes ? WS_ERR_STATE : 0);
        for (at = 0; at + 6 <= m.peer.n; at += 6 + ((uint8_t)m.peer.in[at + 1] & 127)) {
            pongs += (uint8_t)m.peer.in[at] == 0x8A;
        }
        CHECK_INT(at, m.peer.n);
        CHECK_INT(pongs, cases[i].pongs);
        if (pongs != cases[i].pongs) printf("  %s\n", cases[i].frames);
        buf_free(&b);
        pair_over(&m);
    }
}

TESTS(T(close_after_silence) T(shutdown_after_silence) T(answers_after_silence)
      T(sending_after_silence) T(publishing_after_silence) T(round_trip_after_silence)
      T(slow_handler) T(answer_not_read_yet) T(close_without_output) T(tick_in_a_loop)
      T(read_ahead))
#endif

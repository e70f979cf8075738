/* Bodies of ordinary requests: whole with WS_EV_HTTP, in every framing, and refused;
   their limits, memory and time; in parts; forms. The engine is fed by hand; then every
   driver, over sockets. */
#define FIXTURE_SOCKETS
#include "fixture.h"

/* ==== whole, by the engine ========================================================== */

/* What an application saw of a request's body. */
typedef struct seen {
    buf body;
    int https, parts, firsts, lasts, whole;
    int early;                  /* reply at WS_EV_HTTP */
    int pause_at;               /* pause at this part, 0: never */
    int64_t all;                /* announced, at the last event */
} seen;

static void on_request(side *s, const ws_event *ev)
{
    seen *g = (seen *)s->user;

    if (ev->type == WS_EV_HTTP) {
        g->https++;
        g->whole = ev->last;
        CHECK_INT(ev->first, ev->last);
        CHECK_STR(ws_target(s->c), "/form");
        CHECK(ws_header_value(s->c, "Host").size == 11);
        CHECK(ws_body(s->c).size == ev->size);
        CHECK(!ev->size || ws_body(s->c).data == ev->data);
    } else if (ev->type == WS_EV_PART) {
        g->parts++;
        g->firsts += ev->first;
        g->lasts += ev->last;
        CHECK_STR(ws_target(s->c), "/form");
    } else {
        return;
    }
    CHECK(((const char *)ev->data)[ev->size] == 0);
    buf_add(&g->body, ev->data, ev->size);
    CHECK(ws_body_got(s->c, &g->all) == g->body.n);
    if (g->parts && g->parts == g->pause_at)
        ws_pause(s->c);
    if (ev->last || g->early)
        CHECK_INT(ws_http_reply(s->c, 200, NULL, "thanks", 6), 0);
}

#define POST "POST /form HTTP/1.1\r\n" HO
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* A request, the body that is to come of it, or the error; ends: its stream must end for
   that. */
typedef struct asked { const char *text, *body; int error, ends; } asked;

static const asked REQUESTS[] = {
    { POST "Content-Length: 5\r\n\r\nhello", "hello", 0, 0 },
    { POST "content-length: 0\r\n\r\n", "", 0, 0 },
    { POST "\r\n", "", 0, 0 },
    { "GET /form HTTP/1.1\r\n" HO "Content-Length: 2\r\n\r\nhi", "hi", 0, 0 },
    { "POST /form HTTP/1.0\r\n" HO "Content-Length: 2\r\n\r\nhi", "hi", 0, 0 },
    { POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "hello", 0, 0 },
    { POST "Content-Length: 5\r\n\r\nhelloPOST / HTTP/1.1\r\n\r\n", "hello", 0, 0 },
    { CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", 0, 0 },
    { CHUNKED "1\r\nh\r\n4\r\nello\r\n0\r\n\r\nmore", "hello", 0, 0 },
    { CHUNKED "0\r\n\r\n", "", 0, 0 },
    { CHUNKED "0005;a\r\nhello\r\n000\r\n\r\n", "hello", 0, 0 },
    { CHUNKED "5;a=b;c=\"d;\\\"e\" ; f\r\nhello\r\n0;z=1\r\nX-Sum: 7\r\n\r\n", "hello", 0,
      0 },
    { POST "transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", 0, 0 },
    /* shorter than announced */
    { POST "Content-Length: 6\r\n\r\nhello", "", WS_ERR_EOF, 1 },
    { CHUNKED "5\r\nhel", "", WS_ERR_EOF, 1 },
    { CHUNKED "5\r\nhello\r\n0\r\n", "", WS_ERR_EOF, 1 },
    /* larger than max_body, 100 */
    { POST "Content-Length: 101\r\n\r\n", "", WS_ERR_BODY_SIZE, 0 },
    { POST "Content-Length: 999999999999999999\r\n\r\n", "", WS_ERR_BODY_SIZE, 0 },
    { CHUNKED "64\r\n", "", WS_ERR_EOF, 1 },
    { CHUNKED "65\r\n", "", WS_ERR_BODY_SIZE, 0 },
    { CHUNKED "1\r\n.\r\n64\r\n", "", WS_ERR_BODY_SIZE, 0 },
    { CHUNKED "3fffffffffffffff\r\n", "", WS_ERR_BODY_SIZE, 0 },
    { CHUNKED "64\r\n0123456789012345678901234567890123456789012345678901234567890123"
      "456789012345678901234567890123456789\r\n1\r\n.", "", WS_ERR_BODY_SIZE, 0 },
    { NULL, NULL, 0, 0 }
};

/* Each of them is read in two ways by somebody (THREATS A15, J4): 400 for all. */
static const char *const SMUGGLED[] = {
    POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: identity\r\n\r\n",
    POST "Transfer-Encoding: \r\n\r\n",
    POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "POST /form HTTP/1.0\r\n" HO "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    POST "Content-Length: 6\r\nContent-Length: 5\r\n\r\nhello!",
    POST "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    POST "Content-Length: 5, 5\r\n\r\nhello",
    POST "Content-Length: +5\r\n\r\nhello",
    POST "Content-Length: -5\r\n\r\nhello",
    POST "Content-Length: 0x5\r\n\r\nhello",
    POST "Content-Length: 5 5\r\n\r\nhello",
    POST "Content-Length: 5.0\r\n\r\nhello",
    POST "Content-Length:\r\n\r\nhello",
    POST "Content-Length: 9223372036854775808\r\n\r\nhello",
    POST "Content-Length: 18446744073709551621\r\n\r\nhello",
    CHUNKED "5\nhello\r\n0\r\n\r\n",
    CHUNKED "5\rhello\r\n0\r\n\r\n\n",
    CHUNKED "5\r\nhello\n0\r\n\r\n",
    CHUNKED "5\r\nhello0\r\n\r\n",
    CHUNKED "5\r\nhelloXX\r\n0\r\n\r\n",
    CHUNKED "5\r\nhello\r\n\r\n0\r\n\r\n",
    CHUNKED "\r\n5\r\nhello\r\n0\r\n\r\n",
    CHUNKED " 5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5 \r\nhello\r\n0\r\n\r\n",
    CHUNKED "+5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "-5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "0x5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5_0\r\nhello\r\n0\r\n\r\n",
    CHUNKED "g\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;;\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a=\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;=a\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a=b=c\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a b\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;\"a\"\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a=\"b\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a=\"b\\\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n",
    CHUNKED "5;a \r\nhello\r\n0\r\n\r\n",
    CHUNKED "8000000000000000\r\nhello",
    CHUNKED "ffffffffffffffff\r\nhello",
    CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n",
    CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n",
    CHUNKED "0\r\n folded: x\r\n\r\n",
    CHUNKED "0\r\nX: y\r\n folded\r\n\r\n",
    CHUNKED "0\r\nX : y\r\n\r\n",
    CHUNKED "0\r\nX\r\n\r\n",
    CHUNKED "0\r\n: y\r\n\r\n",
    CHUNKED "0\r\nX: a\rb\r\n\r\n",
    CHUNKED "0\r\nX: \x01\r\n\r\n",
    CHUNKED "0\r\nX: y\n\r\n",
    CHUNKED "0\r\n\n"
};

static ws_config body_config(world *w)
{
    ws_config cfg = world_fresh(w);

    cfg.max_body = 100;
    return cfg;
}

static void server_new(side *s, world *w, const ws_config *cfg, seen *g)
{
    memset(g, 0, sizeof *g);
    side_new(s, w, 0, cfg);
    s->event = on_request;
    s->user = g;
}

static void server_done(side *s)
{
    buf_free(&((seen *)s->user)->body);
    side_over(s);
}

enum { WHOLE, IN_PARTS, IN_A_BLOCK, WAYS };

/* Feeds a request, cut in two, or in pieces of step bytes; way: how it is given. */
static void request_check(const asked *a, size_t cut, size_t step, int way)
{
    static uint64_t block[WS_MEMORY_SIZE(600, 600) / 8];
    world w;
    side s;
    seen g;
    ws_config cfg = body_config(&w);
    size_t n = strlen(a->text);
    int error = a->error;

    if (way == IN_A_BLOCK) {
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 600;
    }
    if (way == IN_PARTS) {
        cfg.body_parts = 1;
        cfg.max_body = 1;
        if (error == WS_ERR_BODY_SIZE)
            error = WS_ERR_EOF;
    }
    server_new(&s, &w, &cfg, &g);
    if (step) {
        side_feed_by(&s, a->text, n, step);
    } else {
        side_feed(&s, a->text, cut);
        side_feed(&s, a->text + cut, n - cut);
    }
    if (error != WS_ERR_EOF)
        CHECK_INT(s.closes, 1);
    side_end(&s);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, error);
    if (way != IN_PARTS || !error)
        CHECK_STR(buf_c(&g.body), a->body);
    CHECK_INT(s.clean, !error);
    if (!error) {
        CHECK_INT(head_status(&s.out), 200);
        CHECK_INT(g.https, 1);
        CHECK(g.whole ? g.parts == 0 : g.firsts == 1 && g.lasts == 1);
    } else if (error == WS_ERR_EOF) {
        CHECK_INT(s.out.n, 0);
        CHECK(says(s.reason, "shorter than it should be"));
    } else {
        CHECK_INT(head_status(&s.out), error == WS_ERR_BODY ? 400 : 413);
        CHECK_FIELD(&s.out, "Connection", "close");
    }
    buf_free(&g.body);
    if (way == IN_A_BLOCK)
        side_free(&s);
    else side_over(&s);
}

/* In every way, cut everywhere, and in small pieces. */
static void request_check_all(const asked *a)
{
    int before = test_faults, way;
    size_t cut;

    for (way = 0; way < WAYS; way++) {
        for (cut = 1; cut <= strlen(a->text); cut++) request_check(a, cut, 0, way);
        for (cut = 1; cut <= 9; cut++) request_check(a, 0, cut, way);
    }
    if (test_faults != before)
        printf("  %s\n", a->text);
}

TEST(bodies_of_requests)        /* every framing, cut everywhere, byte by byte */
{
    const asked *a;

    for (a = REQUESTS; a->text; a++) request_check_all(a);
}

TEST(sec_A15_smuggled_bodies)
{
    int i;

    for (i = 0; i < COUNT(SMUGGLED); i++) {
        asked a = { NULL, "", WS_ERR_BODY, 0 };
        a.text = SMUGGLED[i];
        request_check_all(&a);
    }
    {   /* a folded line is no head at all */
        asked a = { POST "Content-Length: 5\r\n 6\r\n\r\nhello!", "", WS_ERR_HEAD_SYNTAX,
                    0 };
        world w;
        side s;
        seen g;
        ws_config cfg = body_config(&w);
        server_new(&s, &w, &cfg, &g);
        side_text(&s, a.text);
        CHECK_INT(s.error, a.error);
        CHECK_INT(head_status(&s.out), 400);
        server_done(&s);
    }
}

/* What announces too much is refused before any of it is kept. */
TEST(too_large_before_memory_is_taken)
{
    static const uint32_t limits[] = { 0, 1000, 1000000 };
    world w;
    side s;
    seen g;
    int i, chunked;

    for (i = 0; i < COUNT(limits); i++) for (chunked = 0; chunked < 2; chunked++) {
        ws_config cfg = world_fresh(&w);
        size_t most = limits[i] ? limits[i] : 65536, fed = 0;
        buf text = { 0 };

        cfg.max_body = limits[i];
        server_new(&s, &w, &cfg, &g);
        buf_str(&text, POST "Content-Length: ");
        buf_int(&text, (int)most + 1);
        buf_str(&text, "\r\n\r\n");
        side_feed(&s, chunked ? CHUNKED : text.p, chunked ? strlen(CHUNKED) : text.n);
        while (chunked && !s.closes && fed < 2 * most) {
            side_text(&s, "3e8\r\n");
            fed += side_feed(&s, fill, 1000);
            side_text(&s, "\r\n");
        }
        CHECK_INT(s.error, WS_ERR_BODY_SIZE);
        CHECK_INT(head_status(&s.out), 413);
        CHECK(fed <= most + 1000);
        CHECK(w.h.peak < (chunked ? 3 * most + 70000 : 20000));
        buf_free(&text);
        server_done(&s);
    }
}

/* A limit is what it says, to the byte. */
TEST(as_long_as_allowed)
{
    static const uint32_t limits[] = { 1, 1000, 65536, 200000, WS_NO_LIMIT };
    world w;
    side s;
    seen g;
    int i, chunked, more;

    fill_once();
    for (i = 0; i < COUNT(limits); i++)
        for (chunked = 0; chunked < 2; chunked++) for (more = 0; more < 2; more++) {
            ws_config cfg = world_fresh(&w);
            int over = more && limits[i] != WS_NO_LIMIT;
            size_t n = (limits[i] == WS_NO_LIMIT ? 500000 : limits[i]) + (size_t)more, at;
            buf text = { 0 };

            cfg.max_body = limits[i];
            server_new(&s, &w, &cfg, &g);
            buf_str(&text, chunked ? CHUNKED : POST "Content-Length: ");
            if (!chunked)
                buf_int(&text, (int)n);
            if (!chunked)
                buf_str(&text, "\r\n\r\n");
            for (at = 0; at < n; at += 777) {
                size_t piece = n - at < 777 ? n - at : 777;
                char line[20];
                sprintf(line, "%x\r\n", (unsigned)piece);
                if (chunked)
                    buf_str(&text, line);
                buf_add(&text, fill + at, piece);
                if (chunked)
                    buf_str(&text, "\r\n");
            }
            if (chunked)
                buf_str(&text, "0\r\n\r\n");
            side_feed_by(&s, text.p, text.n, 5000);
            CHECK_INT(s.error, over ? WS_ERR_BODY_SIZE : 0);
            CHECK_INT(g.body.n, over ? 0 : n);
            CHECK(over || !memcmp(g.body.p, fill, n));
            CHECK(w.h.peak < 4 * n + 100000);
            buf_free(&text);
            server_done(&s);
        }
}

/* One byte a chunk, with an extension of a kilobyte: that is not paid for without end. */
TEST(sec_A15_extensions_without_end)
{
    world w;
    side s;
    seen g;
    ws_config cfg = world_fresh(&w);
    size_t sent;
    buf chunk = { 0 };

    buf_str(&chunk, "1;");
    while (chunk.n < 1000) buf_str(&chunk, "x");
    buf_str(&chunk, "\r\n.\r\n");
    server_new(&s, &w, &cfg, &g);
    side_text(&s, CHUNKED);
    for (sent = 0; !s.closes && sent < 100000; sent += chunk.n)
        side_feed(&s, chunk.p, chunk.n);
    CHECK(sent < 10000);
    CHECK_INT(s.error, WS_ERR_BODY);
    server_done(&s);
    server_new(&s, &w, &cfg, &g);           /* and trailers */
    side_text(&s, CHUNKED "0\r\n");
    for (sent = 0; !s.closes && sent < 100000; sent += 8)
        side_text(&s, "A: bcd\r\n");
    CHECK(sent < 13000);
    CHECK_INT(s.error, WS_ERR_BODY);
    server_done(&s);
    buf_free(&chunk);
}

#define GO_ON "HTTP/1.1 100 Continue\r\n\r\n"

/* Expect: 100-continue (RFC 9110 10.1.1) is answered once, and only if the body is
   wanted and not here yet. */
TEST(expected_100)
{
    static const struct {
        const char *head, *body;
        int goes_on, status;
    } cases[] = {
        { POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello", 1, 200 },
        { POST "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
          "5\r\nhello\r\n0\r\n\r\n", 1, 200 },
        { POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nh", "ello", 0, 200 },
        { POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "", 0, 200 },
        { POST "Expect: 100-continue\r\nContent-Length: 101\r\n\r\n", "", 0, 413 },
        { POST "Expect: 100-continue\r\nContent-Length: x\r\n\r\n", "", 0, 400 },
        { POST "Expect: tea\r\nContent-Length: 5\r\n\r\n", "hello", 0, 200 },
        { "POST /form HTTP/1.0\r\n" HO "Expect: 100-continue\r\n"
          "Content-Length: 5\r\n\r\n", "hello", 0, 200 },
    };
    world w;
    side s;
    seen g;
    int i, by_byte, parts;

    for (i = 0; i < COUNT(cases); i++) for (by_byte = 0; by_byte < 2; by_byte++)
        for (parts = 0; parts < 2; parts++) {
            ws_config cfg = body_config(&w);
            size_t n = cases[i].goes_on ? strlen(GO_ON) : 0;

            if (parts && cases[i].status == 413)
                continue;
            cfg.max_body = parts ? 1 : 100;
            cfg.body_parts = parts;
            server_new(&s, &w, &cfg, &g);
            side_feed_by(&s, cases[i].head, strlen(cases[i].head), (size_t)by_byte);
            if (!strchr(cases[i].head + strlen(cases[i].head) - 2, 'h') || !by_byte)
                CHECK_INT(s.closes ? n : s.out.n, n);
            if (by_byte && !cases[i].goes_on && s.out.n == strlen(GO_ON))
                n = s.out.n;                    /* its first byte came later */
            side_feed_by(&s, cases[i].body, strlen(cases[i].body), (size_t)by_byte);
            CHECK(s.out.n > n && !memcmp(s.out.p, GO_ON, n));
            memmove(s.out.p, s.out.p + n, s.out.n - n + 1);
            s.out.n -= n;
            CHECK_INT(head_status(&s.out), cases[i].status);
            CHECK_INT(s.closes, 1);
            if (cases[i].status == 200 && cases[i].body[0])
                CHECK_STR(buf_c(&g.body), "hello");
            server_done(&s);
        }
    for (parts = 0; parts < 2; parts++) {   /* answered at once: the body is not wanted */
        ws_config cfg = body_config(&w);
        cfg.body_parts = 1;
        server_new(&s, &w, &cfg, &g);
        g.early = 1;
        side_text(&s, parts ? POST : POST "Expect: 100-continue\r\n");
        side_text(&s, "Content-Length: 1000\r\n\r\n");
        CHECK_INT(head_status(&s.out), 200);
        CHECK_INT(s.closes, 1);
        CHECK_INT(g.parts, 0);
        server_done(&s);
    }
}

/* ==== time ========================================================================== */

/* A body that trickles holds nothing; one that comes with a kilobyte a second is waited
   for; what the application holds back is not the peer's fault. */
TEST(field_01_a_trickling_body_is_judged)
{
    static const struct { int bytes, ms, good; } paces[] = {
        { 1, 100, 0 }, { 100, 1000, 0 }, { 900, 1000, 0 }, { 1200, 1000, 1 },
        { 50000, 9000, 1 }
    };
    world w;
    side s;
    seen g;
    int i, parts, chunked;

    fill_once();
    for (i = 0; i < COUNT(paces); i++) for (parts = 0; parts < 2; parts++)
        for (chunked = 0; chunked < 2; chunked++) {
            ws_config cfg = world_fresh(&w);
            uint64_t from = w.now;
            long given = 0, all = 120000;
            char line[20];

            cfg.max_body = parts ? 10 : WS_NO_LIMIT;
            cfg.body_parts = parts;
            server_new(&s, &w, &cfg, &g);
            side_text(&s, chunked ? CHUNKED : POST "Content-Length: 120000\r\n\r\n");
            for (; given < all && !s.closes; side_time(&s, (uint64_t)paces[i].ms)) {
                long piece = all - given < paces[i].bytes ? all - given : paces[i].bytes;
                sprintf(line, "%lx\r\n", (unsigned long)piece);
                if (chunked)
                    side_text(&s, line);
                side_feed(&s, fill, (size_t)piece);
                if (chunked)
                    side_text(&s, "\r\n");
                given += piece;
            }
            if (chunked)
                side_text(&s, "0\r\n\r\n");
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, paces[i].good ? 0 : WS_ERR_HANDSHAKE_TIMEOUT);
            CHECK_INT(head_status(&s.out), paces[i].good ? 200 : 408);
            if (!paces[i].good)
                CHECK(w.now - from < 21000 && says(s.reason, "too slowly"));
            server_done(&s);
        }
}

TEST(held_back_is_not_late)
{
    world w;
    side s;
    seen g;
    ws_config cfg = world_fresh(&w);

    cfg.max_body = 10;
    cfg.body_parts = 1;
    server_new(&s, &w, &cfg, &g);
    g.pause_at = 1;
    side_text(&s, POST "Content-Length: 1000\r\n\r\n");
    side_feed(&s, fill, 500);
    CHECK_INT(g.parts, 1);
    side_feed(&s, fill, 100);
    side_time(&s, 60000);
    CHECK_INT(g.parts, 1);
    CHECK_INT(s.closes, 0);
    CHECK_INT(ws_is_paused(s.c), 1);
    ws_resume(s.c);
    side_pull(&s);
    CHECK_INT(g.body.n, 600);
    side_feed(&s, fill, 400);
    CHECK_INT(s.error, 0);
    CHECK_INT(s.clean, 1);
    CHECK_INT(g.body.n, 1000);
    server_done(&s);
}

/* Nothing of an unfinished body is forgotten by the deadline. */
TEST(silence_ends_a_body)
{
    world w;
    side s;
    seen g;
    int parts;

    for (parts = 0; parts < 2; parts++) {
        ws_config cfg = world_fresh(&w);
        cfg.max_body = parts ? 10 : 0;
        cfg.body_parts = parts;
        cfg.handshake_timeout = 1000;
        server_new(&s, &w, &cfg, &g);
        side_text(&s, POST "Content-Length: 1000\r\n\r\nhello");
        side_time(&s, 900);
        CHECK_INT(s.closes, 0);
        side_time(&s, 200);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_HANDSHAKE_TIMEOUT);
        CHECK_INT(head_status(&s.out), 408);
        server_done(&s);
    }
}

/* ==== in parts ====================================================================== */

/* Counts only: an upload of 20 MB. */
static uint64_t upload_bytes;

static void on_upload(side *s, const ws_event *ev)
{
    int64_t all;

    if (ev->type == WS_EV_HTTP)
        CHECK_INT(ev->last, 0);
    if (ev->type != WS_EV_PART)
        return;
    upload_bytes += ev->size;
    CHECK(ws_body_got(s->c, &all) == upload_bytes);
    CHECK_INT(all, *(const int *)s->user ? -1 : 20000000);
    if (ev->last)
        CHECK_INT(ws_http_reply(s->c, 201, NULL, NULL, 0), 0);
}

TEST(an_upload)                /* memory does not grow with it */
{
    world w;
    side s;
    int chunked, k;

    fill_once();
    for (chunked = 0; chunked < 2; chunked++) {
        ws_config cfg = world_fresh(&w);
        cfg.body_parts = 1;
        upload_bytes = 0;
        side_new(&s, &w, 0, &cfg);
        s.event = on_upload;
        s.user = &chunked;
        s.quiet = 1;
        side_text(&s, chunked ? CHUNKED : POST "Content-Length: 20000000\r\n\r\n");
        for (k = 0; k < 400; k++) {
            if (chunked)
                side_text(&s, "c350\r\n");
            CHECK_INT(side_feed(&s, fill, 50000), 50000);
            if (chunked)
                side_text(&s, "\r\n");
        }
        if (chunked)
            side_text(&s, "0\r\n\r\n");
        CHECK(upload_bytes == 20000000);
        CHECK_INT(head_status(&s.out), 201);
        CHECK_INT(s.clean, 1);
        CHECK(w.h.peak < 400000);
        side_over(&s);
    }
}

/* The answer may come before the last part: what follows is not looked at. */
TEST(answered_before_the_end)
{
    world w;
    side s;
    seen g;
    int streamed;

    for (streamed = 0; streamed < 2; streamed++) {
        ws_config cfg = body_config(&w);
        cfg.body_parts = 1;
        server_new(&s, &w, &cfg, &g);
        side_text(&s, POST "Content-Length: 1000\r\n\r\nhello");
        CHECK_INT(g.parts, 1);
        if (!streamed) {
            CHECK_INT(ws_http_reply(s.c, 403, NULL, "no", 2), 0);
        } else {
            CHECK_INT(ws_http_begin(s.c, 403, NULL, 0), 0);
            CHECK_INT(ws_http_write(s.c, "no", 2), 0);
            side_feed(&s, fill, 500);
            CHECK_INT(ws_http_end(s.c), 0);
        }
        side_pull(&s);
        CHECK_INT(head_status(&s.out), 403);
        CHECK_INT(s.error, 0);
        CHECK_INT(s.closes, 1);
        CHECK_INT(g.parts, 1);
        CHECK_INT(side_feed(&s, fill, 1000), 1000);     /* taken and dropped */
        server_done(&s);
    }
}

/* Nobody answers: as without a body. */
TEST(answered_by_the_library)
{
    static const ws_route routes[] = { { "/chat", NULL, 1 }, { NULL, NULL, 0 } };
    static const ws_route none[] = { { NULL, NULL, 0 } };
    static const struct {
        const ws_route *routes;
        const char *path;
        int status;
    } cases[] = {
        { NULL, "/form", 426 }, { routes, "/form", 404 }, { routes, "/chat", 426 },
        { routes, "/chat?x", 426 }, { none, "/", 404 }
    };
    world w;
    side s;
    int i, parts;

    for (i = 0; i < COUNT(cases); i++) for (parts = 0; parts < 2; parts++) {
        ws_config cfg = body_config(&w);
        char text[200];

        cfg.routes = cases[i].routes;
        cfg.max_body = parts ? 1 : 100;
        cfg.body_parts = parts;
        side_new(&s, &w, 0, &cfg);
        sprintf(text, "POST %s HTTP/1.1\r\n" HO "Content-Length: 5\r\n\r\nhello",
                cases[i].path);
        side_text(&s, text);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, 0);
        CHECK_INT(head_status(&s.out), cases[i].status);
        side_over(&s);
    }
    {   /* no WebSockets at all */
        ws_config cfg = body_config(&w);
        cfg.routes = none;
        side_new(&s, &w, 0, &cfg);
        side_text(&s, REQUEST);
        CHECK_INT(s.error, WS_ERR_ROUTE);
        CHECK_INT(head_status(&s.out), 404);
        side_over(&s);
    }
}

/* With cfg.ask the answer waits, and the body with it. */
TEST(answered_later)
{
    world w;
    side s;
    int parts;

    for (parts = 0; parts < 2; parts++) {
        ws_config cfg = body_config(&w);
        cfg.ask = 1;
        cfg.max_body = parts ? 1 : 100;
        cfg.body_parts = parts;
        side_new(&s, &w, 0, &cfg);
        side_text(&s, CHUNKED "5\r\nhello\r\n0\r\n\r\n");
        CHECK_EVENTS(&s, parts ? "H PB<'hello' PB>'' " : "H ");
        side_time(&s, 9000);
        CHECK_INT(ws_body(s.c).size, parts ? 0 : 5);
        CHECK(parts || !memcmp(ws_body(s.c).data, "hello", 5));
        CHECK_STR(ws_target(s.c), "/form");
        CHECK_INT(ws_http_reply(s.c, 200, NULL, NULL, 0), 0);
        CHECK_INT(ws_http_reply(s.c, 200, NULL, NULL, 0), WS_ERR_STATE);
        side_pull(&s);
        CHECK_INT(s.clean, 1);
        side_over(&s);
    }
}

/* ==== memory ======================================================================== */

TEST(body_memory_fails)         /* at every allocation */
{
    static const char *const texts[] = {
        POST "Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\nbb8\r\n"
    };
    world w;
    side s;
    seen g;
    int i, parts, all;
    long at, failed;

    fill_once();
    for (i = 0; i < 2; i++) for (parts = 0; parts < 2; parts++)
        for (all = 0; all < 2; all++) for (at = 1, failed = 1; failed; at++) {
            ws_config cfg = world_fresh(&w);
            cfg.max_body = parts ? 100 : 5000;
            cfg.body_parts = parts;
            w.h.fail_at = at;
            w.h.fail_all = all;
            memset(&g, 0, sizeof g);
            if (side_new(&s, &w, 0, &cfg)) {
                s.user = &g;
                side_text(&s, texts[i]);
                side_feed(&s, fill, 3000);
                if (i)
                    side_text(&s, "\r\n0\r\n\r\n");
                side_end(&s);
                CHECK_INT(s.closes, 1);
                CHECK(s.error == 0 || s.error == WS_ERR_MEMORY || w.h.failed);
            }
            failed = w.h.failed;
            side_over(&s);
            CHECK(at < 100);
        }
}

/* In the caller's block: as much as fits, 413 for more. */
TEST(body_in_a_block)
{
    static uint64_t block[WS_MEMORY_SIZE(2000, 600) / 8];
    world w;
    side s;
    seen g;
    size_t n;
    int chunked, good = 0, bad = 0;

    fill_once();
    for (chunked = 0; chunked < 2; chunked++) for (n = 1; n < 6000; n += 13) {
        ws_config cfg = world_fresh(&w);
        char line[60];

        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 600;
        w.h.forbid = 1;
        server_new(&s, &w, &cfg, &g);
        sprintf(line, chunked ? "%lx\r\n" : "Content-Length: %lu\r\n\r\n",
                (unsigned long)n);
        side_text(&s, chunked ? CHUNKED : POST);
        side_text(&s, line);
        side_feed(&s, fill, n);
        if (chunked)
            side_text(&s, "\r\n0\r\n\r\n");
        CHECK_INT(s.closes, 1);
        CHECK(s.error == 0 || s.error == WS_ERR_BODY_SIZE);
        CHECK_INT(head_status(&s.out), s.error ? 413 : 200);
        CHECK(s.error || (g.body.n == n && !memcmp(g.body.p, fill, n)));
        CHECK(!s.error || n > 1500);
        good += !s.error;
        bad += s.error != 0;
        buf_free(&g.body);
        side_free(&s);
    }
    CHECK(good > 200 && bad > 200);
}

/* ==== forms ========================================================================= */

static char form_got[5][40];
static int form_sizes[5];

static void on_form(side *s, const ws_event *ev)
{
    static const char *const names[] = { "a", "b", "c d", "", "none" };
    char one[2];
    int i, no_room;

    if (ev->type != WS_EV_HTTP) {
        CHECK_INT(ws_form(ev, "a", form_got[0], 40), WS_ERR_ABSENT);
        return;
    }
    for (i = 0; i < 5; i++) {
        strcpy(form_got[i], "?");
        form_sizes[i] = ws_form(ev, names[i], form_got[i], sizeof form_got[i]);
    }
    CHECK_INT(ws_form(ev, NULL, form_got[4], 40), WS_ERR_ARGUMENT);
    no_room = form_got[0][0] == '?' ? (int)WS_ERR_ABSENT : (int)WS_ERR_ARGUMENT;
    CHECK_INT(ws_form(ev, "a", NULL, 40), no_room);
    CHECK_INT(ws_form(ev, "a", one, 0), no_room);
    CHECK_INT(ws_form(ev, "a", one, 1), form_sizes[0] ? no_room : 0);
    CHECK_INT(ws_form(NULL, "a", one, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_http_reply(s->c, 200, NULL, NULL, 0), 0);
}

#define ABSENT WS_ERR_ABSENT
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

TEST(forms)
{
    static const struct {
        const char *type, *body, *a, *b;
        int na, nb;
    } cases[] = {
        { FORM, "a=1&b=2", "1", "2", 1, 1 },
        { "", "a=1&b=2", "1", "2", 1, 1 },
        { "Content-Type: Application/X-www-form-urlencoded ; charset=UTF-8\r\n",
          "b=%41+%2b%26&a=x=y", "x=y", "A +&", 3, 4 },
        { FORM, "a=&a=2&b", "", "", 0, 0 },
        { FORM, "A=1&aa=2", "?", "?", ABSENT, ABSENT },
        { FORM, "a=%zz&b=%4", "%zz", "%4", 3, 2 },
        { FORM, "a=%00&b=1", NULL, "1", ABSENT, 1 },
        { FORM, "", "?", "?", ABSENT, ABSENT },
        { FORM, "&&a=1;b=2&", "1;b=2", "?", 5, ABSENT },
        { "Content-Type: text/plain\r\n", "a=1&b=2", "?", "?", ABSENT, ABSENT },
        { "Content-Type: multipart/form-data; boundary=a\r\n", "a=1", "?", "?", ABSENT,
          ABSENT },
        { "Content-Type: application/json\r\n", "a=1", "?", "?", ABSENT, ABSENT },
        { "Content-Type:\r\n", "a=1", "?", "?", ABSENT, ABSENT },
    };
    world w;
    side s;
    int i;

    for (i = 0; i < COUNT(cases); i++) {
        ws_config cfg = world_fresh(&w);
        char text[400];

        side_new(&s, &w, 0, &cfg);
        s.event = on_form;
        sprintf(text, POST "%sContent-Length: %d\r\n\r\n%s", cases[i].type,
                (int)strlen(cases[i].body), cases[i].body);
        side_text(&s, text);
        CHECK_INT(form_sizes[0], cases[i].na);
        CHECK_INT(form_sizes[1], cases[i].nb);
        if (cases[i].a && cases[i].na >= 0)
            CHECK_STR(form_got[0], cases[i].a);
        if (cases[i].nb >= 0)
            CHECK_STR(form_got[1], cases[i].b);
        CHECK_INT(form_sizes[4], WS_ERR_ABSENT);
        side_over(&s);
    }
}

TEST(content_types)             /* by the end of a name */
{
    static const struct { const char *path, *type; } cases[] = {
        { "index.html", "text/html; charset=utf-8" },
        { "/a/b.HTM", "text/html; charset=utf-8" },
        { "/js/app.min.js?v=3", "text/javascript; charset=utf-8" },
        { "/m.mjs#x", "text/javascript; charset=utf-8" },
        { "a.css", "text/css; charset=utf-8" },
        { "a.json", "application/json" }, { "a.js.map", "application/json" },
        { "a.svg", "image/svg+xml" }, { "a.png", "image/png" }, { "a.jpg", "image/jpeg" },
        { "a.JPEG", "image/jpeg" }, { "a.gif", "image/gif" }, { "a.webp", "image/webp" },
        { "/favicon.ico", "image/vnd.microsoft.icon" },
        { "a.txt", "text/plain; charset=utf-8" }, { "a.wasm", "application/wasm" },
        { "a.pdf", "application/pdf" }, { "a.mp4", "video/mp4" },
        { "a.woff2", "font/woff2" }, { "a.woff", "font/woff" }, { "a.otf", "font/otf" },
        { "a.xml", "application/xml" }, { "?.html", NULL }, { "a?b.html", NULL },
        { "", NULL }, { "html", NULL }, { ".html", NULL }, { "/.html", NULL },
        { "a.", NULL }, { "a.htmlx", NULL }, { "a.htm ", NULL }, { "a.html/b", NULL },
        { "a.html htm", NULL }, { "a.js mjs", NULL }, { "a.x:y", NULL }, { NULL, NULL },
    };
    int i;

    for (i = 0; i < COUNT(cases); i++)
        CHECK_STR(ws_content_type(cases[i].path),
                  cases[i].type ? cases[i].type : "application/octet-stream");
}

/* ==== over sockets ================================================================== */

enum { ROUNDS = 5 };            /* of FILL bytes */

static struct upload {
    size_t got;
    int bad, pauses, resumes, last, early;
    int64_t all;
} up;

static void on_socket_upload(end *it, const ws_event *ev)
{
    size_t i, n = ev->size;

    (void)it;
    if (ev->type != WS_EV_PART && ev->type != WS_EV_HTTP)
        return;
    for (i = 0; i < n; i++)
        up.bad += ((const char *)ev->data)[i] != fill[(up.got + i) % FILL];
    up.got += n;
    up.bad += ((const char *)ev->data)[n] != 0;
    up.bad += strcmp(ws_target(ev->conn), "/form") != 0;
    up.bad += ws_body_got(ev->conn, &up.all) != up.got;
    if (up.early && up.got > 100000) {
        ws_http_reply(ev->conn, 403, NULL, "no", 2);
        up.early = -1;
    }
    if (up.early < 0)
        return;
    if (ev->type == WS_EV_PART && up.got / 200000 > (size_t)up.pauses) {
        up.pauses++;
        ws_pause(ev->conn);
    }
    if (ev->last) {
        up.last = 1;
        ws_resume(ev->conn);
        CHECK_INT(ws_http_reply(ev->conn, 201, NULL, "stored", 6), 0);
    }
}

static pair visitor;

/* A pause lasts a few turns. */
static void resume_later(void)
{
    static int turns;

    peers_turn();
    if (visitor.end.c && ws_is_paused(visitor.end.c) && ++turns % 5 == 0) {
        up.resumes++;
        ws_resume(visitor.end.c);
    }
}

static void socket_upload(int kind, int chunked, int early, int whole)
{
    ws_config cfg;
    char head[200];
    int i;

    memset(&up, 0, sizeof up);
    memset(&cfg, 0, sizeof cfg);
    up.early = early;
    cfg.body_parts = !whole;
    cfg.max_body = whole ? WS_NO_LIMIT : 1000;
    app = on_socket_upload;
    sprintf(head, POST "Content-Length: %d\r\n\r\n", ROUNDS * FILL);
    pair_begin(&visitor, kind, &cfg, chunked ? CHUNKED : head);
    besides = resume_later;
    for (i = 0; i < ROUNDS; i++) {
        size_t left;
        sprintf(head, "%x;n=%d\r\n", (unsigned)FILL, i);
        if (chunked)
            pair_write(&visitor, head, strlen(head), 5000);
        left = pair_write(&visitor, fill, FILL, 5000);
        CHECK(left == 0);
        if (chunked)
            pair_write(&visitor, "\r\n", 2, 5000);
    }
    if (chunked)
        pair_write(&visitor, "0\r\n\r\n", 5, 5000);
    UNTIL(strstr(visitor.peer.in, early ? "\r\n\r\nno" : "\r\n\r\nstored"), 2000);
    CHECK(!strncmp(visitor.peer.in, early ? "HTTP/1.1 403" : "HTTP/1.1 201", 12));
    CHECK_INT(up.bad, 0);
    CHECK_INT(up.last, !early);
    if (!early) {
        CHECK_INT(up.got, ROUNDS * FILL);
        CHECK_INT(up.all, chunked ? -1 : ROUNDS * FILL);
        CHECK(whole || up.pauses > 4);
        CHECK(up.resumes >= up.pauses - 1);
    }
    peer_end(&visitor.peer, 0);
    UNTIL(visitor.end.closes, 1000);
    CHECK_INT(visitor.end.error, 0);
    CHECK_INT(visitor.end.clean, 1);
    pair_over(&visitor);
}

TEST(uploads_over_sockets)
{
    int kind, chunked;

    fill_once();
    for (kind = ACCEPTED; kind < KINDS; kind++)
        for (chunked = 0; chunked < 2; chunked++) {
            socket_upload(kind, chunked, 0, 0);
            socket_upload(kind, chunked, 0, 1);
            socket_upload(kind, chunked, 1, 0);
        }
}

/* The library's own client sends a body to its own server. */
TEST(both_ends)
{
    static end here, there;
    static char body[200000];
    int driver, big;

    memset(body, 'b', sizeof body);
    for (driver = 0; driver < DRIVERS; driver++) for (big = 0; big < 2; big++) {
        ws_config cfg, mine = client_config(&there);
        int listener;
        ws_conn *c;

        memset(&here, 0, sizeof here);
        memset(&cfg, 0, sizeof cfg);
        cfg.user = &here;
        listener = listen_on(&cfg);
        mine.method = "PUT";
        mine.body = body;
        mine.body_size = big ? sizeof body : 5000;
        c = visit(driver, url_of("http", "127.0.0.1", listener), &mine);
        UNTIL(there.closes && here.closes, 2000);
        CHECK_INT(there.error, big ? WS_ERR_STATUS : 0);
        CHECK_INT(here.error, big ? WS_ERR_BODY_SIZE : 0);
        CHECK_INT(here.https, !big);
        leave(&there, c);
        over();
    }
}

TESTS(T(bodies_of_requests) T(sec_A15_smuggled_bodies) T(too_large_before_memory_is_taken)
      T(as_long_as_allowed) T(sec_A15_extensions_without_end) T(expected_100)
      T(field_01_a_trickling_body_is_judged) T(held_back_is_not_late)
      T(silence_ends_a_body) T(an_upload) T(answered_before_the_end)
      T(answered_by_the_library) T(answered_later) T(body_memory_fails) T(body_in_a_block)
      T(forms) T(content_types) T(uploads_over_sockets) T(both_ends))

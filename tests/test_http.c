/* Ordinary HTTP of a client, cfg.method: the bytes of its requests, the bodies of
   answers in every framing, their limits and times, redirects. The engine is fed by
   hand; then every driver, with servers that a child process plays. */
#include "fixture.h"

/* ==== the engine ==================================================================== */

typedef struct got { buf body, refusal; int parts, firsts, lasts; } got;

static void on_part(side *s, const ws_event *ev)
{
    got *g = (got *)s->user;

    if (ev->type == WS_EV_CLOSE)
        buf_add(&g->refusal, ws_body(s->c).data, ws_body(s->c).size);
    if (ev->type != WS_EV_PART)
        return;
    CHECK_INT(ev->op, WS_OP_BINARY);
    buf_add(&g->body, ev->data, ev->size);
    g->parts++;
    g->firsts += ev->first;
    g->lasts += ev->last;
}

/* An answer, and what is to come of it: body, error, and whether the stream must end
   for it. */
typedef struct answer { const char *text, *body; int error, status, ends; } answer;

#define OK200 "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK200 "Transfer-Encoding: chunked\r\n\r\n"

static const answer ANSWERS[] = {
    { OK200 "Content-Length: 5\r\n\r\nhello", "hello", 0, 200, 0 },
    { OK200 "content-length: 0\r\n\r\n", "", 0, 200, 0 },
    { OK200 "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "hello", 0, 200, 0 },
    { OK200 "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "", WS_ERR_BODY, 200,
      0 },
    { OK200 "Content-Length: 6\r\nContent-Length: 5\r\n\r\nhello!", "", WS_ERR_BODY, 200,
      0 },
    { OK200 "Content-Length: 5, 5\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Content-Length: +5\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Content-Length: -1\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Content-Length: 0x5\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Content-Length:\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Content-Length: 1000000000000000000000\r\n\r\nhello", "", WS_ERR_BODY, 200,
      0 },
    { OK200 "Content-Length: 999999999999999999\r\n\r\nhello", "hello", WS_ERR_EOF, 200,
      1 },
    { OK200 "Content-Length: 6\r\n\r\nhello", "hello", WS_ERR_EOF, 200, 1 },
    { OK200 "Content-Length: 5\r\n\r\nhello, and more", "hello", 0, 200, 0 },
    { OK200 "\r\nhello", "hello", 0, 200, 1 },
    { OK200 "\r\n", "", 0, 200, 1 },
    { "HTTP/1.0 200 OK\r\n\r\nhello", "hello", 0, 200, 1 },
    { CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", 0, 200, 0 },
    { CHUNKED "0\r\n\r\n", "", 0, 200, 0 },
    { CHUNKED "1\r\nh\r\n4\r\nello\r\n0\r\n\r\nmore", "hello", 0, 200, 0 },
    { CHUNKED "00000000000005\r\nhello\r\n000\r\n\r\n", "hello", 0, 200, 0 },
    { CHUNKED "A;x=y\r\n0123456789\r\na ; x=\"y;z\"\r\n0123456789\r\n0;last\r\n\r\n",
      "01234567890123456789", 0, 200, 0 },
    { CHUNKED "5  \r\nhello\r\n0\r\nX-Sum: 7\r\nY: z\r\n\r\n", "hello", 0, 200, 0 },
    { OK200
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "hello", 0, 200, 0 },
    { OK200
      "Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "hello", 0, 200, 0 },
    { CHUNKED "5\r\nhello\r\n", "hello", WS_ERR_EOF, 200, 1 },
    { CHUNKED "5\r\nhello\r\n0\r\n", "hello", WS_ERR_EOF, 200, 1 },
    { CHUNKED "5\r\nhel", "hel", WS_ERR_EOF, 200, 1 },
    { CHUNKED "5\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5\r\nhello0\r\n\r\n", "hello", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5\r\nhello\n0\r\n\r\n", "hello", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5\r\nhelloXX0\r\n\r\n", "hello", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5\r\nhelloXX\r\n0\r\n\r\n", "hello", WS_ERR_BODY, 200, 0 },
    { CHUNKED "\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED " 5\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "-5\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5 5\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "5,\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "g\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "4000000000000000\r\nhello\r\n0\r\n\r\n", "", WS_ERR_BODY, 200, 0 },
    { CHUNKED "3fffffffffffffff\r\nhello", "hello", WS_ERR_EOF, 200, 1 },
    { CHUNKED "5\r\nhello\r\n0\r\nbad\n\r\n", "hello", WS_ERR_BODY, 200, 0 },
    { OK200 "Transfer-Encoding: gzip\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "", WS_ERR_BODY, 200,
      0 },
    { OK200 "Transfer-Encoding: identity\r\n\r\nhello", "", WS_ERR_BODY, 200, 0 },
    { OK200 "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", "",
      WS_ERR_BODY, 200, 0 },
    { "HTTP/1.1 100 Continue\r\n\r\n" OK200 "Content-Length: 2\r\n\r\nhi", "hi", 0, 200,
      0 },
    { "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" OK200
      "\r\nhi",
      "hi", 0, 200, 1 },
    { "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" CHUNKED
      "2\r\nhi\r\n0\r\n\r\n",
      "hi", 0, 200, 0 },
    { "HTTP/1.1 204 No Content\r\n\r\n", "", 0, 204, 0 },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "", 0, 204, 0 },
    { "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nhi", "hi", 0, 201, 0 },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "", WS_ERR_STATUS, 101,
      0 },
    { "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone", "gone", WS_ERR_STATUS, 404, 0 },
    { "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\ngone\r\n0\r\n\r\n",
      "gone", WS_ERR_STATUS, 500, 0 },
    { "HTTP/1.1 500 No\r\n\r\ngone", "gone", WS_ERR_STATUS, 500, 1 },
    { "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "",
      WS_ERR_STATUS, 302, 0 },
    { "HTTP/1.1 200 OK\nX: y\r\n\r\n", "", WS_ERR_HEAD_SYNTAX, 0, 0 },
};

#define ANSWER_COUNT (sizeof ANSWERS / sizeof *ANSWERS)

/* A fresh world, and the configuration of a request in it. */
static ws_config request_config(world *w, const char *method)
{
    ws_config cfg;
    world_init(w);
    cfg = world_config(w);
    cfg.method = method;
    return cfg;
}

static void client_new(side *s, world *w, const ws_config *cfg, got *g)
{
    memset(g, 0, sizeof *g);
    side_new(s, w, 1, cfg);
    s->event = on_part;
    s->user = g;
    side_pull(s);
}

static void got_free(got *g) { buf_free(&g->body); buf_free(&g->refusal); }

static void client_done(side *s)
{
    got_free((got *)s->user);
    side_over(s);
}

/* Feeds the answer, cut at two places; step: pieces of that size. */
static void answer_check(const answer *a, size_t cut, size_t step, size_t memory)
{
    static uint64_t block[WS_MEMORY_SIZE(2000, 1000) / 8];
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "GET");
    size_t n = strlen(a->text), at, k;

    if (memory) {
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 1000;
    }
    client_new(&s, &w, &cfg, &g);
    for (at = 0; at < n && !s.closes; at += k) {
        k = step ? step : at < cut ? cut : n - at;
        if (k > n - at)
            k = n - at;
        if (side_feed(&s, a->text + at, k) < k)
            break;
    }
    if (!a->ends)
        CHECK_INT(s.closes, 1);
    else CHECK_INT(s.closes, 0);
    side_end(&s);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, a->error);
    CHECK_INT(ws_status(s.c), a->status);
    CHECK_INT(s.clean, a->error == 0);
    CHECK_INT(s.opens, a->status / 100 == 2 && !(a->error == WS_ERR_BODY && !s.opens));
    if (a->error == WS_ERR_STATUS) {
        CHECK_STR(buf_c(&g.refusal), a->body);
        CHECK_INT(g.parts, 0);
    } else {
        CHECK_STR(buf_c(&g.body), a->body);
        CHECK_STR(buf_c(&g.refusal), "");
        CHECK_INT(g.firsts, g.parts > 0);
        CHECK_INT(g.lasts, !a->error);
    }
    if (s.error == 0)
        CHECK_INT(s.code, 0);
    got_free(&g);
    if (memory)
        side_free(&s);
    else side_over(&s);
}

TEST(bodies) /* every framing, cut everywhere, byte by byte, in fixed memory */
{
    size_t i, cut;

    for (i = 0; i < ANSWER_COUNT; i++) {
        int before = test_faults;
        for (cut = 1; cut <= strlen(ANSWERS[i].text); cut++)
            answer_check(&ANSWERS[i], cut, 0, 0);
        for (cut = 1; cut <= 9; cut++) answer_check(&ANSWERS[i], 0, cut, 0);
        for (cut = 1; cut <= 9; cut++) answer_check(&ANSWERS[i], 0, cut, 1);
        if (test_faults != before)
            printf("  %s\n", ANSWERS[i].text);
    }
}

/* A line before a chunk has at most 1,023 bytes with its CR, wherever it is cut, in a
   body and in what a refusal shows. */
TEST(chunk_lines)
{
    static const char *const HEADS[] = {
        CHUNKED, "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    };
    int refused, longer;
    size_t cut;

    for (refused = 0; refused < 2; refused++) for (longer = 0; longer < 2; longer++) {
        answer a = { NULL, longer ? "" : "hello", 0, refused ? 401 : 200, 0 };
        buf text = { 0 };

        a.error = refused ? WS_ERR_STATUS : longer ? WS_ERR_BODY : 0;
        buf_str(&text, HEADS[refused]);
        buf_str(&text, "5;");
        while (text.n < strlen(HEADS[refused]) + 1022 + (size_t)longer)
            buf_str(&text, "x");
        buf_str(&text, "\r\nhello\r\n0\r\n\r\n");
        a.text = buf_c(&text);
        for (cut = 1; cut <= text.n; cut++) answer_check(&a, cut, 0, 0);
        for (cut = 1; cut <= 9; cut++) answer_check(&a, 0, cut, 1);
        buf_free(&text);
    }
}

TEST(body_heads)                /* HEAD has no body, whatever its headers say */
{
    static const char *const cases[] = {
        OK200 "Content-Length: 5\r\n\r\n", CHUNKED, OK200 "\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello",
    };
    size_t i;

    for (i = 0; i < 4; i++) {
        world w;
        side s;
        got g;
        ws_config cfg = request_config(&w, "HEAD");
        client_new(&s, &w, &cfg, &g);
        CHECK(!strncmp(buf_c(&s.out), "HEAD /chat?x=1 HTTP/1.1\r\n", 25));
        CHECK(!strstr(s.out.p, "Content-Length"));
        side_feed(&s, cases[i], strlen(cases[i]));
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, i == 3 ? WS_ERR_STATUS : 0);
        CHECK_INT(g.refusal.n + g.body.n, 0);
        client_done(&s);
    }
}

TEST(requests)                  /* the bytes of a request */
{
    static const ws_header own[] = { { "Content-Type", "application/json" },
                                     { NULL, NULL } };
    static const struct {
        const char *method, *body;
        size_t n;
        const char *end;
    } cases[] = {
        { "GET", NULL, 0, "\r\n\r\n" },
        { "POST", "{\"a\":1}", 7, "\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
        { "POST", NULL, 0, "\r\nContent-Length: 0\r\n\r\n" },
        { "PUT", "\0\r\n", 3, "\r\nContent-Length: 3\r\n\r\n" },
        { "DELETE", NULL, 0, "\r\nContent-Length: 0\r\n\r\n" },
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        side s;
        got g;
        ws_config cfg = request_config(&w, cases[i].method);
        size_t n = strlen(cases[i].end);
        char line[60];
        cfg.body = cases[i].body;
        cfg.body_size = cases[i].n;
        cfg.headers = own;
        client_new(&s, &w, &cfg, &g);
        sprintf(line, "%s /chat?x=1 HTTP/1.1\r\nHost: example.com\r\n", cases[i].method);
        CHECK(!strncmp(buf_c(&s.out), line, strlen(line)));
        CHECK(strstr(s.out.p, "\r\nContent-Type: application/json\r\n") != NULL);
        CHECK(!strstr(s.out.p, "Upgrade") && !strstr(s.out.p, "Sec-WebSocket"));
        if (i == 3) { CHECK(!memcmp(s.out.p + s.out.n - 3, "\0\r\n", 3)); s.out.n -= 3; }
        CHECK(s.out.n > n && !memcmp(s.out.p + s.out.n - n, cases[i].end, n));
        CHECK_INT(ws_send_text(s.c, "x"), WS_ERR_STATE); /* no message in a request */
        side_feed(&s, OK200 "\r\nab", sizeof OK200 + 3);
        CHECK_INT(ws_send_text(s.c, "x"), WS_ERR_STATE);
        CHECK_INT(ws_state(s.c), WS_STATE_OPEN);
        CHECK_INT(ws_close(s.c, 1000, ""), 0);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        client_done(&s);
    }
}

TEST(body_paused)               /* nothing while paused, all of it after */
{
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "GET");
    static char big[300000];
    size_t fed, taken;

    client_new(&s, &w, &cfg, &g);
    side_feed(&s, OK200 "Content-Length: 300000\r\n\r\n", sizeof OK200 - 1 + 26);
    memset(big, 'x', sizeof big);
    ws_pause(s.c);
    fed = side_feed(&s, big, sizeof big);
    CHECK(fed < sizeof big && fed >= 60000);
    CHECK_INT(g.parts, 0);
    CHECK(w.h.peak < 300000);
    ws_resume(s.c);
    side_pull(&s);
    taken = side_feed(&s, big, sizeof big - fed);
    CHECK_INT(fed + taken, sizeof big);
    CHECK_INT(g.body.n, sizeof big);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, 0);
    client_done(&s);
}

TEST(body_idle)                 /* idle_timeout counts from the last byte of the body */
{
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "GET");
    int i;

    cfg.idle_timeout = 100;
    client_new(&s, &w, &cfg, &g);
    side_feed(&s, OK200 "\r\n", sizeof OK200 + 1);
    for (i = 0; i < 20; i++) { side_time(&s, 99); side_feed(&s, "x", 1); }
    CHECK_INT(s.closes, 0);
    side_time(&s, 99);
    CHECK_INT(s.closes, 0);
    side_time(&s, 1);
    CHECK_INT(s.error, WS_ERR_IDLE_TIMEOUT);
    client_done(&s);
}

static long client_run(long fail_at, const answer *a)
{
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "POST");
    size_t i;
    long calls;

    cfg.body = "body";
    cfg.body_size = 4;
    w.h.fail_at = fail_at;
    client_new(&s, &w, &cfg, &g);
    ws_reconnect_header(s.c, "Last-Event-ID", "7");
    for (i = 0; a->text[i]; i++) side_feed(&s, a->text + i, 1);
    if (s.c) { side_end(&s); CHECK_INT(s.closes, 1); }
    if (w.h.failed && s.c && s.error)
        CHECK(s.error == WS_ERR_MEMORY || s.error == a->error);
    calls = w.h.failed ? -1 : w.h.calls;
    client_done(&s);
    return calls;
}

TEST(client_memory_fails)       /* the n-th allocation, for every n */
{
    static const size_t SOME[] = { 0, 14, 21, 23, 54, 55 };
    size_t i;
    long n;

    for (i = 0; i < sizeof SOME / sizeof *SOME; i++) {
        for (n = 1; client_run(n, &ANSWERS[SOME[i]]) < 0; n++) CHECK(n < 200);
        CHECK(n > 3);
    }
}

TEST(chunk_line_fixed_memory) /* a line that cannot fit is a fault, not a wait for ever */
{
    static uint64_t block[WS_MEMORY_SIZE(300, 1000) / 8];
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "GET");
    int i;

    cfg.memory = block;
    cfg.memory_size = sizeof block;
    cfg.memory_send = 1000;
    client_new(&s, &w, &cfg, &g);
    side_feed(&s, CHUNKED "5;", sizeof CHUNKED + 1);
    for (i = 0; i < 1000 && !s.closes; i++) side_feed(&s, "x", 1);
    CHECK_INT(s.error, WS_ERR_BODY);
    got_free(&g);
    side_free(&s);
}

TEST(trailers_endless)          /* they may be as long as a head */
{
    world w;
    side s;
    got g;
    ws_config cfg = request_config(&w, "GET");
    size_t n;

    cfg.max_head = 1000;
    client_new(&s, &w, &cfg, &g);
    side_feed(&s, CHUNKED "0\r\n", sizeof CHUNKED + 2);
    for (n = 0; n < 2000 && !s.closes; n += 8) side_feed(&s, "X-A: b\r\n", 8);
    CHECK_INT(s.error, WS_ERR_BODY);
    CHECK(n > 1000 && n < 1500);
    client_done(&s);
}

/* ==== over sockets ================================================================== */

#ifndef _WIN32
#include "fixture/play.h"

/* One request in one driver; what came of it. */
typedef struct visit { buf body, refusal; int error, status, lasts, closes; } visit;

static void visit_run(visit *v, int driver, const char *url, const ws_config *cfg)
{
    ws_loop *loop = driver == LOOP ? ws_loop_new(NULL) : NULL;
    ws_conn *c = driver == LOOP  ? ws_dial(loop, url, cfg)
                 : driver == OWN ? ws_open(url, cfg)
                                 : ws_connect(url, cfg);
    ws_event ev;

    memset(v, 0, sizeof *v);
    while (!v->closes && drive(driver, loop, c, &ev) > 0) {
        if (ev.type == WS_EV_PART) {
            buf_add(&v->body, ev.data, ev.size);
            v->lasts += ev.last;
        }
        if (ev.type != WS_EV_CLOSE)
            continue;
        v->closes = 1;
        v->error = ev.error;
        v->status = ws_status(c);
        buf_add(&v->refusal, ws_body(c).data, ws_body(c).size);
    }
    ws_free(c);
    ws_loop_free(loop);
}

static void visit_free(visit *v) { buf_free(&v->body); buf_free(&v->refusal); }

TEST(visits)                    /* every answer, in every driver */
{
    size_t i, k;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) for (i = 0; i < ANSWER_COUNT; i += 4) {
        for (k = 0; k < PLAYS; k++) play_text[k] = NULL;
        play(driver == OWN ? 1 : 0, ANSWERS[i].text,
             i + 1 < ANSWER_COUNT ? ANSWERS[i + 1].text : NULL,
             i + 2 < ANSWER_COUNT ? ANSWERS[i + 2].text : NULL,
             i + 3 < ANSWER_COUNT ? ANSWERS[i + 3].text : NULL);
        for (k = i; k < i + 4 && k < ANSWER_COUNT; k++) {
            const answer *a = &ANSWERS[k];
            ws_config cfg;
            visit v;
            memset(&cfg, 0, sizeof cfg);
            cfg.method = "GET";
            visit_run(&v, driver, play_url(), &cfg);
            CHECK_INT(v.closes, 1);
            CHECK_INT(v.error, a->error);
            CHECK_INT(v.status, a->status);
            if (a->error == WS_ERR_STATUS)
                CHECK_STR(buf_c(&v.refusal), a->body);
            else CHECK_STR(buf_c(&v.body), a->body);
            CHECK_INT(v.lasts, !a->error);
            visit_free(&v);
        }
        play_over();
    }
}

TEST(body_reset)                /* a broken connection is no end of a body */
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg;
        visit v;
        play(0, OK200 "\r\nhello^", NULL, NULL, NULL);
        memset(&cfg, 0, sizeof cfg);
        cfg.method = "GET";
        visit_run(&v, driver, play_url(), &cfg);
        CHECK_STR(buf_c(&v.body), "hello");
        CHECK_INT(v.error, WS_ERR_IO);
        CHECK_INT(v.lasts, 0);
        visit_free(&v);
        play_over();
    }
}

TEST(redirected)                /* who stays what it was, and who becomes a GET */
{
    static const struct { int status; const char *method, *then; int body;
    } cases[] = {
        { 301, "POST", "GET", 0 },  { 302, "POST", "GET", 0 },
        { 303, "POST", "GET", 0 },  { 307, "POST", "POST", 1 },
        { 308, "POST", "POST", 1 }, { 303, "PUT", "GET", 0 },
        { 301, "HEAD", "HEAD", 0 }, { 303, "HEAD", "HEAD", 0 },
        { 308, "HEAD", "HEAD", 0 }, { 302, "GET", "GET", 0 },
        { 307, "GET", "GET", 0 },
    };
    size_t i;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            ws_config cfg;
            visit v;
            char move[100], line[40];
            int head = !strcmp(cases[i].method, "HEAD");
            sprintf(move, "HTTP/1.1 %d M\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
                    cases[i].status);
            play(0, move,
                 head ? OK200 "Content-Length: 2\r\n\r\n"
                      : OK200 "Content-Length: 2\r\n\r\nok",
                 NULL, NULL);
            memset(&cfg, 0, sizeof cfg);
            cfg.method = cases[i].method;
            if (cases[i].method[0] == 'P') {
                cfg.body = "hi there";
                cfg.body_size = 8;
            }
            cfg.max_redirects = 1;
            visit_run(&v, driver, play_url(), &cfg);
            CHECK_INT(v.error, 0);
            CHECK_INT(v.status, 200);
            CHECK_STR(buf_c(&v.body), head ? "" : "ok");
            sprintf(line, "%s /y HTTP/1.1\r\n", cases[i].then);
            CHECK(!strncmp(play_seen->request[1], line, strlen(line)));
            CHECK_INT(strstr(play_seen->request[1], "\r\n\r\nhi there") != NULL,
                      cases[i].body);
            CHECK_INT(strstr(play_seen->request[1], "Content-Length: 8") != NULL,
                      cases[i].body);
            visit_free(&v);
            play_over();
        }
}

#define SOCKET_TESTS T(visits) T(body_reset) T(redirected)
#else
#define SOCKET_TESTS
#endif

TESTS(T(bodies) T(chunk_lines) T(body_heads) T(requests) T(body_paused) T(body_idle)
      T(client_memory_fails) T(chunk_line_fixed_memory) T(trailers_endless) SOCKET_TESTS)

/* More requests on one connection (cfg.max_requests): a page, what belongs to it, and
   the WebSocket of its script; what ends it; time, memory and the order of answers. The
   engine is fed by hand; then a loop over sockets. */
#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\n" HO

/* Answers as an application would; s->mode counts the requests that it let wait. */
static void answer(side *s, const ws_event *ev)
{
    const char *target = ws_target(s->c);

    if (ev->type == WS_EV_MESSAGE)
        CHECK_INT(ws_send(s->c, ev->op, ev->data, ev->size), 0);
    if (ev->type == WS_EV_PART && !ev->last)
        return;
    if (ev->type != WS_EV_HTTP && ev->type != WS_EV_PART)
        return;
    if (!strcmp(target, "/wait")) {
        s->mode++;
    } else if (!strcmp(target, "/stream")) {
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
        if (!strcmp(ws_method(s->c), "HEAD"))
            return;
        CHECK_INT(ws_http_write(s->c, "one", 3), 0);
        CHECK_INT(ws_http_write(s->c, "two", 3), 0);
        CHECK_INT(ws_http_end(s->c), 0);
    } else if (!strcmp(target, "/open")) {
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
    } else if (!strcmp(target, "/plain")) {
        int head = !strcmp(ws_method(s->c), "HEAD");    /* that has no body to end */
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 0), 0);
        CHECK_INT(ws_http_end(s->c), head ? WS_ERR_STATE : 0);
    } else if (!strcmp(target, "/none")) {
        CHECK_INT(ws_http_reply(s->c, 204, NULL, NULL, 0), 0);
    } else if (!strcmp(target, "/same")) {
        CHECK_INT(ws_http_begin(s->c, 304, NULL, 1), 0);
        CHECK_INT(ws_http_write(s->c, "abc", 3), WS_ERR_STATE);
        CHECK_INT(ws_http_end(s->c), WS_ERR_STATE);
    } else if (!strcmp(target, "/nothing")) {
        CHECK_INT(ws_http_begin(s->c, 204, NULL, 0), 0);
        CHECK_INT(ws_http_write(s->c, "abc", 3), WS_ERR_STATE);
    } else if (!strcmp(target, "/twice")) {
        CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
        CHECK_INT(ws_http_reply(s->c, 404, NULL, "abc", 3), WS_ERR_STATE);
        CHECK_INT(ws_http_end(s->c), 0);
        CHECK_INT(ws_http_reply(s->c, 404, NULL, "abc", 3), WS_ERR_STATE);
        CHECK_INT(ws_http_begin(s->c, 404, NULL, 1), WS_ERR_STATE);
    } else if (!strcmp(target, "/reject")) {
        CHECK_INT(ws_reject(s->c, 403, NULL, "no"), 0);
    } else if (!strcmp(target, "/426")) {
        CHECK_INT(ws_http_reply(s->c, 426, NULL, NULL, 0), 0);
    } else if (!strcmp(target, "/form")) {
        ws_str body = ws_body(s->c);
        CHECK_INT(ws_http_reply(s->c, 200, NULL, body.data, body.size), 0);
    } else if (strcmp(target, "/default") != 0) {
        CHECK_INT(ws_http_reply(s->c, 200, NULL, target, strlen(target)), 0);
    }
}

static ws_config kept_config(world *w, uint32_t requests)
{
    ws_config cfg = world_fresh(w);

    cfg.max_requests = requests;
    return cfg;
}

static int server_new(side *s, world *w, const ws_config *cfg)
{
    int made = side_new(s, w, 0, cfg);

    s->event = answer;
    s->kept = 1;
    return made;
}

/* How often a text stands in what was said. */
static int count_in(const buf *all, const char *text)
{
    size_t at, n = strlen(text);
    int count = 0;

    for (at = 0; at + n <= all->n; at++)
        count += !memcmp(all->p + at, text, n);
    return count;
}

/* ==== a page ======================================================================== */

#define PAGE \
    GET("/") E \
    GET("/style.css") "Cookie: a=b\r\n" E \
    "POST /form HTTP/1.1\r\n" HO "Content-Length: 5\r\n\r\nhello" \
    "POST /form HTTP/1.1\r\n" HO "Transfer-Encoding: chunked\r\n\r\n" \
        "3\r\nbye\r\n3\r\nbye\r\n0\r\n\r\n" \
    "HEAD /x HTTP/1.1\r\n" HO E \
    GET("/stream") E \
    "\r\n" GET("/none") E \
    "HEAD /stream HTTP/1.1\r\n" HO E \
    GET("/same") E \
    GET("/chat") UP CO KE VE E

#define LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " n E E
static const char ANSWERS[] =
    LENGTH("1") "/" LENGTH("10") "/style.css" LENGTH("5") "hello" LENGTH("6") "byebye"
    LENGTH("2")
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    "HTTP/1.1 204 No Content\r\n\r\n"
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "HTTP/1.1 304 Not Modified\r\n\r\n"
    "HTTP/1.1 101 Switching Protocols\r\n";

static void page_check(size_t cut, size_t step, size_t budget, int in_block)
{
    static uint64_t block[WS_MEMORY_SIZE(1000, 1000) / 8];
    world w;
    side s;
    ws_config cfg = kept_config(&w, 100);
    size_t n = sizeof PAGE - 1;

    if (in_block) {
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 1000;
    }
    server_new(&s, &w, &cfg);
    s.budget = budget;
    if (step) {
        side_feed_by(&s, PAGE, n, step);
    } else {
        side_feed(&s, PAGE, cut);
        side_feed(&s, PAGE + cut, n - cut);
    }
    CHECK_EVENTS(&s, "H H H H H H H H H O ");
    CHECK(s.out.n > sizeof ANSWERS - 1);
    CHECK(!memcmp(s.out.p, ANSWERS, sizeof ANSWERS - 1));
    CHECK_STR(ws_target(s.c), in_block ? "" : "/chat");
    side_say(&s, "81'hi'");
    CHECK(s.out.n > 4 && !memcmp(s.out.p + s.out.n - 4, "\x81\2hi", 4));
    CHECK(in_block || w.h.now < 1200);      /* nothing of the requests is left */
    side_peer_closes(&s, 1000, "");
    CHECK_INT(s.clean, 1);
    CHECK_INT(s.code, 1000);
    if (in_block)
        side_free(&s);
    else
        side_over(&s);
}

TEST(a_page_and_its_socket)         /* cut everywhere, in small pieces, written slowly */
{
    size_t i;
    int in_block;

    for (in_block = 0; in_block < 2; in_block++) {
        for (i = 1; i < sizeof PAGE; i++) page_check(i, 0, 0, in_block);
        for (i = 1; i < 30; i++) page_check(0, i, 0, in_block);
        for (i = 1; i < 30; i++) page_check(sizeof PAGE - 1, 0, i, in_block);
    }
}

/* ==== what ends it ================================================================== */

TEST(as_many_as_told)
{
    static const uint32_t most[] = { 0, 1, 2, 3, 4, 5, WS_NO_LIMIT };
    int i, k;

    for (i = 0; i < COUNT(most); i++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, most[i]);
        int answers = most[i] < 1 ? 1 : most[i] > 4 ? 4 : (int)most[i];

        server_new(&s, &w, &cfg);
        for (k = 0; k < 4; k++) side_text(&s, GET("/") E);
        CHECK_INT(s.https, answers);
        CHECK_INT(count_in(&s.out, "HTTP/1.1 200"), answers);
        CHECK_INT(count_in(&s.out, "Connection: close"), most[i] < 5);
        CHECK_INT(s.closes, most[i] < 5);
        side_end(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 1);
        CHECK_INT(s.code, 0);
        CHECK_INT(s.error, 0);
        side_over(&s);
    }
}

TEST(what_is_the_last)          /* of a request, and of an answer */
{
    static const struct { const char *text; int stays; } cases[] = {
        { GET("/") E, 1 },
        { GET("/") "Connection: keep-alive\r\n" E, 1 },
        { GET("/") "Connection: closed\r\n" E, 1 },
        { GET("/") "Connection: Close\r\n" E, 0 },
        { GET("/") "Connection: keep-alive , close\r\n" E, 0 },
        { GET("/") "Connection: x\r\nConnection: close\r\n" E, 0 },
        { GET("/") "Connection: Upgrade\r\nUpgrade: h2c\r\n" E, 0 },
        { GET("/") "Upgrade: h2c\r\n" E, 0 },
        { "GET / HTTP/1.0\r\n" HO E, 0 },
        { "GET / HTTP/1.0\r\n" HO "Connection: keep-alive\r\n" E, 0 },
        { GET("/default") E, 0 },
        { GET("/reject") E, 0 },
        { GET("/426") E, 0 },
        { GET("/plain") E, 0 },
        { "HEAD /plain HTTP/1.1\r\n" HO E, 1 },
        { GET("/stream") E, 1 },
        { "GET /stream HTTP/1.0\r\n" HO E, 0 },
        { GET("/none") E, 1 },
        { GET("/same") E, 1 },
        { GET("/nothing") E, 1 },
        { GET("/twice") E, 1 },
        { "POST /form HTTP/1.1\r\n" HO "Content-Length: 2\r\n\r\nhi", 1 },
        { "POST /form HTTP/1.1\r\n" HO "Content-Length: 200\r\n\r\n", 0 },
        { "POST /form HTTP/1.1\r\n" HO "Content-Length: x\r\n\r\n", 0 },
        { "GET /\r\n" HO E, 0 },
        { GET("/") UP CO KE "Sec-WebSocket-Version: 99\r\n" E, 0 }
    };
    int i;

    for (i = 0; i < COUNT(cases); i++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 10);
        int before = test_faults;

        cfg.max_body = 100;
        server_new(&s, &w, &cfg);
        side_text(&s, cases[i].text);
        CHECK_INT(s.closes, !cases[i].stays);
        CHECK_INT(count_in(&s.out, "Connection: close"), !cases[i].stays);
        side_text(&s, GET("/second") E);        /* behind a last answer it is dropped */
        CHECK_INT(count_in(&s.out, "/second"), cases[i].stays);
        side_over(&s);
        if (test_faults != before)
            printf("  %s\n", cases[i].text);
    }
}

/* The rest of an upload that was answered early is no request. */
TEST(sec_A15_an_upload_that_was_not_read)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 10);

    cfg.max_body = 1;
    cfg.body_parts = 1;
    server_new(&s, &w, &cfg);
    side_text(&s, "POST / HTTP/1.1\r\n" HO "Content-Length: 100\r\n\r\n" GET("/in") E);
    CHECK_INT(s.https, 1);
    CHECK_INT(s.closes, 1);
    CHECK_INT(count_in(&s.out, "Connection: close"), 1);
    side_over(&s);
}

/* A second request that is none is answered as a first one, and is the last. */
TEST(sec_A15_a_bad_second_request)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n" HO HO E, "GET  / HTTP/1.1\r\n" HO E, "\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n" HO E, "GET / HTTP/1.1\n" HO E,
        "POST / HTTP/1.1\r\n" HO "Content-Length: 5\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\n", "HELO example.com\r\n"
    };
    int i;

    for (i = 0; i < COUNT(bad); i++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 10);

        server_new(&s, &w, &cfg);
        side_text(&s, GET("/") E);
        side_text(&s, bad[i]);
        CHECK_INT(s.closes, 1);
        side_text(&s, GET("/third") E);
        CHECK_INT(s.https, 1);
        CHECK_INT(s.closes, 1);
        CHECK(s.error != 0);
        CHECK_INT(count_in(&s.out, "HTTP/1.1 200"), 1);
        CHECK_INT(count_in(&s.out, "HTTP/1.1"), 2);
        CHECK_INT(count_in(&s.out, "Connection: close"), 1);
        side_over(&s);
    }
}

/* ==== order, and what waits ========================================================= */

TEST(answers_do_not_pile_up)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);
    buf all = { 0 };
    size_t taken;
    int i;

    for (i = 0; i < 500; i++) buf_str(&all, GET("/") E);
    server_new(&s, &w, &cfg);
    s.hold = 1;
    taken = side_feed(&s, all.p, all.n);
    CHECK(taken < all.n && taken >= 8192);
    CHECK_INT(s.https, 1);              /* of a peer that takes nothing */
    CHECK(w.h.now < 40000);
    s.hold = 0;
    side_feed(&s, all.p + taken, all.n - taken);
    CHECK_INT(s.https, 500);
    CHECK_INT(count_in(&s.out, "HTTP/1.1 200"), 500);
    buf_free(&all);
    side_over(&s);
}

TEST(the_next_waits_for_the_answer)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);

    cfg.ask = 1;
    server_new(&s, &w, &cfg);
    side_text(&s, GET("/wait") E GET("/2") E);
    CHECK(s.https == 1 && s.mode == 1 && !s.out.n);
    side_time(&s, 5000);
    CHECK_STR(ws_target(s.c), "/wait");
    CHECK_INT(ws_http_reply(s.c, 200, NULL, "late", 4), 0);
    CHECK_INT(ws_http_reply(s.c, 200, NULL, "late", 4), WS_ERR_STATE);
    CHECK_INT(ws_http_write(s.c, "late", 4), WS_ERR_STATE);
    CHECK_INT(ws_begin(s.c, NULL, NULL), WS_ERR_STATE);
    side_pull(&s);
    CHECK_INT(s.https, 2);
    CHECK_INT(count_in(&s.out, "late"), 1);
    CHECK(s.out.n > 2 && !memcmp(s.out.p + s.out.n - 2, "/2", 2));
    side_over(&s);
}

/* What comes while a body is being written is dropped: nothing is looked for in the
   rest. */
TEST(requests_behind_a_stream)
{
    static const char *const first[] = { GET("/open") E, GET("/open") E GET("/2") E };
    int i, late;

    for (i = 0; i < 2; i++) for (late = 0; late < 2; late++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 1000);

        server_new(&s, &w, &cfg);
        side_text(&s, first[i]);
        CHECK_INT(ws_state(s.c), WS_STATE_OPEN);
        if (late)
            side_text(&s, GET("/3") E);
        CHECK_INT(ws_http_write(s.c, "body", 4), 0);
        CHECK_INT(ws_http_end(s.c), 0);
        side_pull(&s);
        CHECK_INT(s.https, 1);
        CHECK_INT(s.closes, i || late);
        side_text(&s, GET("/4") E);
        CHECK_INT(s.https, i || late ? 1 : 2);
        side_over(&s);
    }
}

/* Beats and a refused write belong to one answer. */
TEST(a_stream_leaves_nothing_behind)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);
    static char much[70000];

    cfg.max_backlog = 60000;
    server_new(&s, &w, &cfg);
    side_text(&s, GET("/open") E);
    CHECK_INT(ws_http_beat(s.c, ":\n", 1000), 0);
    s.hold = 1;
    CHECK_INT(ws_http_write(s.c, much, 50000), 0);
    CHECK_INT(ws_http_write(s.c, much, sizeof much), WS_ERR_BACKLOG);
    CHECK_INT(ws_http_end(s.c), 0);
    side_release(&s);
    side_time(&s, 5000);
    side_text(&s, GET("/open") E);
    side_time(&s, 5000);
    CHECK_INT(count_in(&s.out, ":\n"), 0);
    CHECK_INT(ws_http_end(s.c), 0);
    side_pull(&s);
    side_text(&s, GET("/") UP CO KE VE E);
    CHECK_EVENTS(&s, "H H O ");
    side_over(&s);
}

/* ==== time, and ends ================================================================ */

TEST(time_between_requests)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);
    int i;

    cfg.handshake_timeout = 3000;
    server_new(&s, &w, &cfg);
    for (i = 0; i < 10; i++) {
        side_time(&s, 2900);
        CHECK_INT(s.closes, 0);
        side_text(&s, GET("/") E);
    }
    s.out.n = 0;
    side_time(&s, 2900);
    CHECK_INT(s.closes, 0);
    side_time(&s, 200);
    CHECK_INT(s.closes, 1);             /* nobody wants anything: not a word */
    CHECK(s.clean == 1 && !s.error && !s.out.n);
    side_over(&s);

    server_new(&s, &w, &cfg);           /* a part of the next one */
    side_text(&s, GET("/") E);
    side_time(&s, 2000);
    side_text(&s, "GET / HTTP/1.1\r\n");
    side_time(&s, 2900);
    CHECK_INT(s.closes, 0);
    side_time(&s, 200);
    CHECK_INT(s.error, WS_ERR_HANDSHAKE_TIMEOUT);
    CHECK_INT(count_in(&s.out, "HTTP/1.1 408"), 1);
    side_over(&s);
}

TEST(slow_readers_of_an_answer)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);
    int i, moves;

    cfg.handshake_timeout = 3000;
    cfg.close_timeout = 2000;
    for (moves = 0; moves < 2; moves++) {
        static char body[200000];
        cfg.ask = 1;
        server_new(&s, &w, &cfg);
        side_text(&s, GET("/wait") E);
        CHECK_INT(ws_http_reply(s.c, 200, NULL, body, sizeof body), 0);
        s.hold = 1;
        for (i = 0; i < 20; i++) {
            if (moves)
                side_write(&s, 5000);
            side_time(&s, 1000);
        }
        CHECK_INT(s.closes, !moves);    /* one that takes 5 KB a second gets all of it */
        side_release(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, moves);
        CHECK(!moves || s.out.n > sizeof body);
        side_over(&s);
    }
}

TEST(the_peer_ends)
{
    static const struct { const char *text; int error; } cases[] = {
        { "", 0 }, { GET("/") E, 0 }, { "G", WS_ERR_EOF }, { GET("/"), WS_ERR_EOF },
        { GET("/") "Content-Length: 5\r\n\r\nhell", WS_ERR_EOF }
    };
    int i, hold;

    for (i = 0; i < COUNT(cases); i++) for (hold = 0; hold < 2; hold++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 1000);

        server_new(&s, &w, &cfg);
        s.hold = hold;
        side_text(&s, GET("/first") E);
        side_text(&s, cases[i].text);
        side_end(&s);
        CHECK_INT(s.closes, !hold);
        side_release(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, cases[i].error);
        CHECK_INT(s.clean, !cases[i].error);
        CHECK_INT(count_in(&s.out, "/first"), 1);
        side_over(&s);
    }
}

TEST(the_peer_has_ended_before)     /* then the answer says that it is the last */
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);

    server_new(&s, &w, &cfg);
    ws_feed(s.c, GET("/") E, sizeof(GET("/") E) - 1);
    side_end(&s);
    CHECK_INT(count_in(&s.out, "Connection: close"), 1);
    CHECK(s.closes == 1 && s.clean == 1);
    side_over(&s);
}

/* The application ends it between two requests, or with an answer unsent. */
TEST(closed_by_the_application)
{
    int hold, drop;

    for (hold = 0; hold < 2; hold++) for (drop = 0; drop < 2; drop++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 1000);

        server_new(&s, &w, &cfg);
        s.hold = hold;
        side_text(&s, GET("/first") E);
        CHECK_INT(ws_state(s.c), WS_STATE_CONNECTING);
        CHECK_INT(ws_send(s.c, WS_OP_TEXT, "x", 1), WS_ERR_STATE);
        if (drop)
            ws_drop(s.c);
        else
            CHECK_INT(ws_close(s.c, 1000, NULL), 0);
        side_release(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, 0);
        CHECK_INT(count_in(&s.out, "/first"), 1);
        side_over(&s);
    }
}

/* ==== facts and memory ============================================================== */

static char facts[400];

static void on_fact(side *s, const ws_event *ev)
{
    char remote[50];

    if (ev->type != WS_EV_HTTP)
        return;
    ws_remote(s->c, remote, sizeof remote);
    sprintf(facts + strlen(facts), "%s %s %s %.*s;", ws_method(s->c), ws_target(s->c),
            remote, (int)ws_header_value(s->c, "X").size,
            ws_header_value(s->c, "X").size ? ws_header_value(s->c, "X").data : "");
    CHECK_INT(ws_http_begin(s->c, 200, NULL, 1), 0);
    CHECK_INT(ws_http_end(s->c), 0);
}

TEST(facts_of_each_request)
{
    world w;
    side s;
    ws_config cfg = kept_config(&w, 1000);
    size_t settled = 0;
    int i;

    cfg.trusted_proxies = 1;
    cfg.keep_headers = "X";
    server_new(&s, &w, &cfg);
    s.event = on_fact;
    for (i = 0; i < 50; i++) {
        facts[0] = 0;
        side_text(&s, GET("/long/target?of=the+first")
                      "X: 1\r\nX-Forwarded-For: 192.0.2.1\r\n" E
                      "POST / HTTP/1.1\r\n" HO "Content-Length: 2\r\n\r\nhi"
                      GET("/2") "X-Forwarded-For: 192.0.2.222\r\nX: 22\r\n" E);
        CHECK_STR(facts, "GET /long/target?of=the+first 192.0.2.1 1;"
                         "POST / 192.0.2.1 ;GET /2 192.0.2.222 22;");
        if (!i)
            settled = w.h.now;
        CHECK_INT(w.h.now, settled);
    }
    side_over(&s);
}

TEST(memory_fails_at_every_request)
{
    long at, failed;
    int all;

    for (all = 0; all < 2; all++) for (at = 1, failed = 1; failed; at++) {
        world w;
        side s;
        ws_config cfg = kept_config(&w, 100);

        w.h.fail_at = at;
        w.h.fail_all = all;
        if (side_new(&s, &w, 0, &cfg)) {
            s.kept = 1;
            s.event = NULL;
            side_text(&s, PAGE);
            side_end(&s);
            CHECK_INT(s.closes, 1);
        }
        failed = w.h.failed;
        side_over(&s);
        CHECK(at < 200);
    }
}

/* ==== in a loop ===================================================================== */

static int loop_https, loop_closes, loop_clean;
static ws_socket detached;

static void turns(ws_loop *loop)
{
    ws_event ev;

    while (ws_poll(loop, &ev, 5) > 0) {
        if (ev.type == WS_EV_HTTP) {
            const void *rest;
            size_t n;
            loop_https++;
            if (!strcmp(ws_target(ev.conn), "/detach")) {
                detached = ws_detach(ev.conn, &rest, &n);
                CHECK(n > 12 && !memcmp(rest, "GET /detach ", 12));
            } else if (!strcmp(ws_target(ev.conn), "/group")) {
                CHECK_INT(ws_http_begin(ev.conn, 200, NULL, 1), 0);
                CHECK_INT(ws_join(ev.conn, "group"), 0);
                CHECK_INT(ws_group_count(loop, "group"), 1);
                CHECK_INT(ws_http_publish(loop, "group", NULL, "news", 4), 1);
                CHECK_INT(ws_http_end(ev.conn), 0);
                CHECK_INT(ws_group_count(loop, "group"), 0);
            } else ws_http_reply(ev.conn, 200, NULL, ws_target(ev.conn),
                          strlen(ws_target(ev.conn)));
        } else if (ev.type == WS_EV_CLOSE) {
            loop_closes++;
            loop_clean += ev.clean;
        }
    }
}

static size_t drain(int fd, buf *got)
{
    char bytes[4096];
    ptrdiff_t n;

    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_add(got, bytes, (size_t)n);
    return got->n;
}

TEST(in_a_loop)
{
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);
    buf got = { 0 };
    int listener, fd, i;
    uint64_t start;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_requests = 1000;
    listener = ws_listen(loop, "127.0.0.1:0", &cfg);
    fd = loopback_connect(ws_listen_port(loop, listener));
    for (i = 0; i < 100; i++)
        CHECK(send(fd, GET("/1") E GET("/2") E, 2 * sizeof(GET("/1") E) - 2, 0) > 0);
    start = now_ms();
    while (count_in(&got, "HTTP/1.1 200") < 200 && now_ms() - start < 10000) {
        turns(loop);
        drain(fd, &got);
    }
    CHECK_INT(loop_https, 200);
    CHECK_INT(count_in(&got, "HTTP/1.1 200"), 200);
    CHECK_INT(count_in(&got, "Connection: close"), 0);
    got.n = 0;
    ws_shutdown(loop, 1001, NULL, 1000);        /* between two requests: not a word */
    while (!loop_closes && now_ms() - start < 10000)
        turns(loop);
    CHECK(loop_closes == 1 && loop_clean == 1);
    CHECK_INT(drain(fd, &got), 0);
    CHECK_INT(recv(fd, &start, 1, 0), 0);
    close(fd);
    ws_loop_free(loop);
    buf_free(&got);
}

#define TWO \
    "POST / HTTP/1.1\r\n" HO "Transfer-Encoding: chunked\r\n\r\n" \
        "2\r\nhi\r\n2\r\nhi\r\n0\r\n\r\n" \
    GET("/detach") E

/* A request before leaves its mark nowhere: groups, chunks that were put together. */
TEST(between_two_answers)
{
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);
    buf got = { 0 };
    int fd;
    uint64_t start = now_ms();

    memset(&cfg, 0, sizeof cfg);
    cfg.max_requests = WS_NO_LIMIT;
    loop_https = 0;
    detached = -1;
    fd = loopback_connect(ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg)));
    CHECK(send(fd, GET("/group") E, sizeof(GET("/group") E) - 1, 0) > 0);
    while (count_in(&got, "news") < 1 && now_ms() - start < 10000) {
        turns(loop);
        drain(fd, &got);
    }
    CHECK(send(fd, TWO, sizeof TWO - 1, 0) > 0);
    while (detached < 0 && now_ms() - start < 10000)
        turns(loop);
    CHECK_INT(loop_https, 3);
    CHECK(detached >= 0);
    close((int)detached);
    close(fd);
    ws_loop_free(loop);
    buf_free(&got);
}

/* What the loop keeps of a connection outlives its answers: its number, and that its
   address has so many; a group joined behind an answer does not. */
TEST(what_outlives_an_answer)
{
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    ws_conn *conn = NULL;
    buf got = { 0 };
    int fd[2], third, port, i, https = 0;
    uint64_t start = now_ms(), id = 0;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_requests = 10;
    cfg.max_per_address = 2;
    port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
    fd[0] = loopback_connect(port);
    for (i = 0; i < 3; i++)
        CHECK(send(fd[0], GET("/1") E, sizeof(GET("/1") E) - 1, 0) > 0);
    while (https < 3 && now_ms() - start < 10000) {
        if (ws_poll(loop, &ev, 5) <= 0 || ev.type != WS_EV_HTTP)
            continue;
        CHECK(!conn || ev.conn == conn);
        conn = ev.conn;
        CHECK_INT(ws_group_count(loop, "late"), 0);
        CHECK(!ws_group_at(conn, 0).data);
        CHECK(!id || ws_id(conn) == id);
        CHECK(!id || ws_find(loop, id) == conn);
        id = ws_id(conn);
        CHECK_INT(ws_http_reply(conn, 200, NULL, "x", 1), 0);
        CHECK_INT(ws_join(conn, "late"), 0);
        CHECK(ws_id(conn) == id && ws_find(loop, id) == conn);
        https++;
    }
    CHECK_INT(https, 3);
    fd[1] = loopback_connect(port);
    third = loopback_connect(port);
    while (!count_in(&got, "503") && now_ms() - start < 10000) {
        ws_poll(loop, &ev, 5);
        drain(third, &got);
    }
    CHECK_INT(count_in(&got, "503"), 1);
    close(third);
    for (i = 0; i < 2; i++) close(fd[i]);
    while (ws_loop_count(loop) && now_ms() - start < 10000)
        ws_poll(loop, &ev, 5);
    CHECK(!ws_find(loop, id));
    ws_loop_free(loop);
    buf_free(&got);
}

TESTS(
    T(a_page_and_its_socket)
    T(as_many_as_told)
    T(what_is_the_last)
    T(sec_A15_an_upload_that_was_not_read)
    T(sec_A15_a_bad_second_request)
    T(answers_do_not_pile_up)
    T(the_next_waits_for_the_answer)
    T(requests_behind_a_stream)
    T(a_stream_leaves_nothing_behind)
    T(time_between_requests)
    T(slow_readers_of_an_answer)
    T(the_peer_ends)
    T(the_peer_has_ended_before)
    T(closed_by_the_application)
    T(facts_of_each_request)
    T(memory_fails_at_every_request)
    T(in_a_loop)
    T(between_two_answers)
    T(what_outlives_an_answer)
)

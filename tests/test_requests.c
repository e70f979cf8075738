/* Requests that the application answers: WS_EV_REQUEST, routes, subprotocols, cookies,
   the query, who asks; refusals with their bodies as a client sees them; sockets that
   come from and go to other servers. The engine first, sockets at the end. */
#include "fixture.h"


/* ---- helpers ---- */

static int str_is(ws_str s, const char *want)
{
    return want ? s.data && s.size == strlen(want) && !memcmp(s.data, want, s.size)
                : !s.data;
}

static ws_str str_of(const char *text)
{
    ws_str str;

    str.data = text;
    str.size = strlen(text);
    return str;
}

static ws_config asking(void)
{
    ws_config cfg;
    memset(&cfg, 0, sizeof cfg);
    cfg.ask = 1;
    return cfg;
}

/* A server; with NULL: one that asks. */
static void start(side *s, world *w, const ws_config *with)
{
    ws_config cfg = asking();

    world_init(w);
    cfg = world_config_with(w, with ? with : &cfg);
    side_new(s, w, 0, &cfg);
}

static void give(side *s, const char *text) { side_feed(s, text, strlen(text)); }

static void parked(side *s, world *w, const ws_config *with, const char *text)
{
    start(s, w, with);
    give(s, text);
    CHECK_EVENTS(s, "R ");
    CHECK_INT(s->out.n, 0);
    CHECK_INT(ws_state(s->c), WS_STATE_CONNECTING);
}

/* After an answer everything works. */
static void check_open(side *s)
{
    frames f;
    long before = s->messages;

    CHECK_INT(s->opens, 1);
    CHECK_INT(head_status(&s->out), 101);
    CHECK_FIELD(&s->out, "Sec-WebSocket-Accept", ACCEPT);
    s->head = head_size(&s->out);
    side_frame(s, 0x81, "still", 5);
    CHECK_INT(s->messages, before + 1);
    CHECK_INT(ws_send_text(s->c, "yes"), 0);
    side_pull(s);
    f = side_sent(s, NULL);
    CHECK(f.data >= 1);
}

static void check_refused(side *s, int status, int error)
{
    CHECK_INT(s->opens, 0);
    CHECK_INT(s->closes, 1);
    CHECK_INT(s->error, error);
    CHECK_INT(s->code, error || status == 426 ? (error ? 1006 : 0) : 0);
    CHECK_INT(head_status(&s->out), status);
    CHECK_FIELD(&s->out, "Connection", status == 426 ? "close, Upgrade" : "close");
    CHECK_FIELD(&s->out, "Sec-WebSocket-Accept", NULL);
    CHECK_INT(ws_finished(s->c), 1);
}

/* ==== answered at once, later, never ================================================ */

enum {
    NOW,
    PULLED,
    FED,
    WHATS
}; /* when: inside the event, pulls later, more input later */

static void answer_now(side *s, const ws_event *ev)
{
    if (ev->type != WS_EV_REQUEST) return;
    if (s->mode == 0) CHECK_INT(ws_accept(s->c, NULL), 0);
    else CHECK_INT(ws_reject(s->c, 401, NULL, "who are you?"), 0);
}

/* every cut of request and early frames, every time of answering, both answers */
TEST(answer_at_any_time)
{
    buf b = { 0 };
    size_t k;
    int when, no;

    buf_str(&b, REQUEST);
    put_frames(&b, "81'now' 89'p' 01'no' 80'w'", 1);
    for (when = NOW; when < WHATS; when++)
        for (no = 0; no < 2; no++)
            for (k = 0; k <= b.n; k++) {
                world w;
                side s;
                ws_event ev;
                int i;

                start(&s, &w, NULL);
                s.mode = no;
                if (when == NOW)
                    s.event = answer_now;
                side_feed(&s, b.p, k);
                if (when != FED || k < sizeof REQUEST - 1)
                    side_feed(&s, b.p + k, b.n - k);
                if (when != NOW) {
                    CHECK_EVENTS(&s, "R ");
                    for (i = 0; i < 5; i++) CHECK_INT(ws_next(s.c, &ev), 0);
                    if (when == FED && k >= sizeof REQUEST - 1)
                        CHECK_INT(side_feed(&s, b.p + k, b.n - k), b.n - k);
                    CHECK_EVENTS(&s, "R ");
                    CHECK_INT(s.out.n, 0);
                    ev.type = WS_EV_REQUEST;
                    answer_now(&s, &ev);
                    side_pull(&s);
                }
                if (no) {
                    CHECK_EVENTS(&s, "R C1006!REJECTED ");
                    check_refused(&s, 401, WS_ERR_REJECTED);
                    CHECK(strstr(s.reason, "who are you?") != NULL);
                    CHECK(s.out.n > 12 &&
                          !memcmp(s.out.p + s.out.n - 12, "who are you?", 12));
                } else {
                    CHECK_EVENTS(&s, "R O T'now' p'p' T'now' ");
                    check_open(&s);
                }
                side_over(&s);
            }
    buf_free(&b);
}

/* byte by byte it is the same */
TEST(answer_byte_by_byte)
{
    world w;
    side s;
    size_t i;

    start(&s, &w, NULL);
    for (i = 0; i < sizeof REQUEST - 1; i++) {
        CHECK_EVENTS(&s, "");
        side_feed(&s, &REQUEST[i], 1);
    }
    CHECK_EVENTS(&s, "R ");
    ws_accept(s.c, NULL);
    side_pull(&s);
    check_open(&s);
    side_over(&s);
}

/* the peer goes away while the application thinks */
TEST(hang_up_while_parked)
{
    static const ws_header h[] = { { "X", "y" }, { NULL, NULL } };
    int how;

    for (how = 0; how < 4; how++) {
        world w;
        side s;

        parked(&s, &w, NULL, REQUEST);
        if (how == 0) {                 /* seen first */
            side_end(&s);
            CHECK_EVENTS(&s, "R C1006!EOF ");
            CHECK_INT(ws_accept(s.c, NULL), WS_ERR_STATE);
            CHECK_INT(ws_reject(s.c, 403, h, "x"), WS_ERR_STATE);
            CHECK_INT(s.out.n, 0);
        } else if (how == 1) {          /* answered before it is seen */
            ws_feed_end(s.c);
            CHECK_INT(ws_accept(s.c, NULL), 0);
            side_pull(&s);
            CHECK_EVENTS(&s, "R O C1006!EOF ");
        } else if (how == 2) {
            ws_feed_end(s.c);
            CHECK_INT(ws_reject(s.c, 403, h, "x"), 0);
            side_pull(&s);
            CHECK_EVENTS(&s, "R C1006!REJECTED ");
            CHECK_INT(head_status(&s.out), 403);
        } else {                        /* its last words count */
            buf b = { 0 };
            put_frames(&b, "81'last' 88x03e8", 1);
            side_feed(&s, b.p, b.n);
            ws_feed_end(s.c);
            CHECK_INT(ws_accept(s.c, NULL), 0);
            side_pull(&s);
            CHECK_EVENTS(&s, "R O T'last' C1000+'' ");
            buf_free(&b);
        }
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
}

/* the handshake's deadline runs on, from the start, whatever comes in; 408 and one
   CLOSE */
TEST(parked_until_the_deadline)
{
    int http, feed;

    for (http = 0; http < 2; http++) for (feed = 0; feed < 2; feed++) {
        world w;
        side s;
        ws_config cfg = asking();
        int i;

        cfg.handshake_timeout = 5000;
        start(&s, &w, &cfg);
        side_time(&s, 2000);
        give(&s, http ? "GET / HTTP/1.1\r\n" HO E : REQUEST);
        CHECK_EVENTS(&s, http ? "H " : "R ");
        CHECK_INT(ws_timeout(s.c), 3000);
        for (i = 0; i < 29; i++) {
            side_time(&s, 100);
            if (feed) give(&s, "x");
        }
        CHECK_INT(s.closes, 0);
        CHECK_INT(ws_timeout(s.c), 100);
        side_time(&s, 99);
        CHECK_INT(s.closes, 0);
        side_time(&s, 1);
        CHECK_EVENTS(&s,
                     http ? "H C1006!HANDSHAKE_TIMEOUT " : "R C1006!HANDSHAKE_TIMEOUT ");
        check_refused(&s, 408, WS_ERR_HANDSHAKE_TIMEOUT);
        CHECK_INT(ws_accept(s.c, NULL), WS_ERR_STATE);
        CHECK_INT(ws_reject(s.c, 403, NULL, NULL), WS_ERR_STATE);
        CHECK_INT(ws_http_reply(s.c, 200, NULL, "x", 1), WS_ERR_STATE);
        side_time(&s, 60000);
        CHECK_INT(head_status(&s.out), 408);
        side_over(&s);
    }
}

/* WS_NEVER waits for ever; after the answer the other deadlines count from it */
TEST(parked_for_ever)
{
    world w;
    side s;
    ws_config cfg = asking();

    cfg.handshake_timeout = WS_NEVER;
    parked(&s, &w, &cfg, REQUEST);
    side_time(&s, 100000000);
    CHECK_INT(s.closes, 0);
    CHECK_INT(ws_accept(s.c, NULL), 0);
    CHECK_INT(ws_timeout(s.c), 0 + 20000);
    side_pull(&s);
    check_open(&s);
    side_time(&s, 19000);
    CHECK_INT(s.closes, 0);
    side_over(&s);

    parked(&s, &w, NULL, REQUEST);      /* the handshake's own deadline is over */
    side_time(&s, 9999);
    CHECK_INT(ws_accept(s.c, NULL), 0);
    side_pull(&s);
    side_time(&s, 15000);
    CHECK_INT(s.closes, 0);
    check_open(&s);
    side_over(&s);
}

/* closed, dropped or paused instead of answered */
TEST(parked_and_ended)
{
    int how;

    for (how = 0; how < 4; how++) {
        world w;
        side s;

        parked(&s, &w, NULL, REQUEST);
        CHECK_INT(ws_send_text(s.c, "early"), WS_ERR_STATE);
        CHECK_INT(ws_ping(s.c, "x", 1), WS_ERR_STATE);
        CHECK_INT(ws_send_part(s.c, WS_OP_TEXT, "x", 1, 1), WS_ERR_STATE);
        if (how == 0) CHECK_INT(ws_close(s.c, 1001, "no"), 0);
        if (how == 1) ws_drop(s.c);
        if (how == 2) { ws_accept(s.c, NULL); ws_drop(s.c); }
        if (how == 3) {
            ws_pause(s.c);
            side_frame(&s, 0x81, "x", 1);
            ws_accept(s.c, NULL);
        }
        side_pull(&s);
        if (how < 2) { CHECK_EVENTS(&s, "R C1006-'' "); CHECK_INT(s.out.n, 0); }
        if (how == 2) {
            CHECK_EVENTS(&s, "R O C1006-'' ");
            CHECK_STR(ws_target(s.c), "/chat?x=1");
        }
        if (how == 3) {
            CHECK_EVENTS(&s, "R O ");
            ws_resume(s.c);
            side_pull(&s);
            CHECK_EVENTS(&s, "R O T'x' ");
            check_open(&s);
        }
        side_over(&s);
    }
}

/* sends between the answer and its OPEN come after the 101 */
TEST(send_right_after_accept)
{
    world w;
    side s;
    frames f;

    parked(&s, &w, NULL, REQUEST);
    CHECK_INT(ws_accept(s.c, NULL), 0);
    CHECK_INT(ws_state(s.c), WS_STATE_OPEN);
    CHECK_INT(ws_send_text(s.c, "hi"), 0);
    CHECK_INT(ws_close(s.c, 4000, "that was all"), 0);
    side_pull(&s);
    CHECK_EVENTS(&s, "R O ");
    s.head = head_size(&s.out);
    f = side_sent(&s, NULL);
    CHECK(f.data == 1 && f.close_code == 4000);
    side_over(&s);
}

/* ==== every function in every state ================================================= */

enum {
    S_NULL,
    S_FRESH,
    S_HALF,
    S_PARKED,
    S_OWED,
    S_OPEN,
    S_CLOSING,
    S_CLOSED,
    S_REJECTED,
    S_REJECTED_TOLD,
    S_LATE,
    S_HTTP,
    S_REPLIED,
    S_REPLIED_TOLD,
    S_BAD,
    S_DROPPED,
    S_CLIENT,
    S_CLIENT_OPEN,
    S_CLIENT_REFUSED,
    S_ALL
};

static void in_state(side *s, world *w, int state)
{
    ws_config cfg = world_fresh(w);

    memset(s, 0, sizeof *s);
    s->w = w;
    cfg.ask = state < S_CLIENT;
    cfg.protocols = state < S_CLIENT ? "a, b" : NULL;
    if (state == S_NULL) return;
    side_new(s, w, state >= S_CLIENT, &cfg);
    side_pull(s);
    switch (state) {
    case S_HALF: side_feed(s, REQUEST, 40); break;
    case S_CLIENT_OPEN: side_answer(s, NULL); break;
    case S_CLIENT_REFUSED:
        give(s, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
        break;
    case S_HTTP: case S_REPLIED: case S_REPLIED_TOLD:
        give(s, "GET /x HTTP/1.1\r\n" HO E);
        if (state > S_HTTP) CHECK_INT(ws_http_reply(s->c, 200, NULL, "page", 4), 0);
        if (state == S_REPLIED_TOLD) side_pull(s);
        break;
    case S_BAD: give(s, "GET /x HTTP/1.1\r\n" HO UP E); break;
    default:
        if (state >= S_CLIENT || state == S_FRESH) break;
        give(s, "GET /chat HTTP/1.1\r\n" ALL "Sec-WebSocket-Protocol: b, a\r\n" E);
        if (state >= S_OWED && state <= S_CLOSED) CHECK_INT(ws_accept(s->c, NULL), 0);
        if (state >= S_OPEN && state <= S_CLOSED) {
            side_pull(s);
            CHECK_INT(s->opens, 1);
        }
        if (state >= S_CLOSING && state <= S_CLOSED)
            CHECK_INT(ws_close(s->c, 1000, NULL), 0);
        if (state == S_CLOSED) {
            side_pull(s);
            side_frame(s, 0x88, "\x03\xe8", 2);
            CHECK_INT(s->closes, 1);
        }
        if (state == S_REJECTED || state == S_REJECTED_TOLD)
            CHECK_INT(ws_reject(s->c, 403, NULL, "no"), 0);
        if (state == S_REJECTED_TOLD) { side_pull(s); CHECK_INT(s->closes, 1); }
        if (state == S_LATE) { side_time(s, 11000); CHECK_INT(s->closes, 1); }
        if (state == S_DROPPED) ws_drop(s->c);
    }
}

static int call_answer(ws_conn *c, int what)
{
    static const ws_header good[] = { { "X-A", "b" }, { NULL, NULL } },
                           bad[] = { { "X-A", "b\r\nX: y" }, { NULL, NULL } };
    static const ws_header named[] = { { "X A", "b" }, { NULL, NULL } },
                           none[] = { { "X", NULL }, { NULL, NULL } };
    ws_answer a = { NULL, NULL };

    switch (what) {
    case 0: return ws_accept(c, NULL);
    case 1: a.protocol = "a"; a.headers = good; return ws_accept(c, &a);
    case 2: return ws_reject(c, 403, good, "text");
    case 3: return ws_http_reply(c, 200, good, "text", 4);
    /* from here on never right */
    case 4: a.headers = bad; return ws_accept(c, &a);
    case 5: a.headers = named; return ws_accept(c, &a);
    case 6: a.headers = none; return ws_accept(c, &a);
    case 7: a.protocol = "c"; return ws_accept(c, &a);
    case 8: a.protocol = "a, b"; return ws_accept(c, &a);
    case 9: a.protocol = "A"; return ws_accept(c, &a);
    case 10: a.protocol = "a\r\nX: y"; return ws_accept(c, &a);
    case 11: return ws_reject(c, 299, NULL, NULL);
    case 12: return ws_reject(c, 600, NULL, NULL);
    case 13: return ws_reject(c, -403, NULL, NULL);
    case 14: return ws_reject(c, 403, bad, NULL);
    case 15: return ws_http_reply(c, 199, NULL, NULL, 0);
    case 16: return ws_http_reply(c, 1000, NULL, NULL, 0);
    case 17: return ws_http_reply(c, 200, bad, NULL, 0);
    case 18: return ws_http_reply(c, 200, NULL, NULL, 5);
    default: return 1;
    }
}

/* the documented error, and nothing changes: what follows is as if nobody had called */
TEST(every_answer_in_every_state)
{
    int state, what;

    for (state = 0; state < S_ALL; state++) for (what = 0; what < 19; what++) {
        world w, v;
        side s, t;
        int r, right = (state == S_PARKED && what < 3) ||
                       (state == S_HTTP && (what == 2 || what == 3));
        int faults = test_faults, then;
        size_t n, m;
        const void *p, *q;

        in_state(&s, &w, state);
        in_state(&t, &v, state);        /* nobody calls here */
        r = call_answer(s.c, what);
        if (right) CHECK_INT(r, 0);
        else if (state == S_NULL) CHECK_INT(r, WS_ERR_ARGUMENT);
        else if (what < 4) CHECK_INT(r, WS_ERR_STATE);
        else if ((state == S_PARKED && what < 15) || (state == S_HTTP && what >= 11))
            CHECK_INT(r, WS_ERR_ARGUMENT);
        else CHECK(r == WS_ERR_ARGUMENT || r == WS_ERR_STATE);
        if (!right) {
            CHECK_INT(ws_state(s.c), ws_state(t.c));
            CHECK_INT(ws_error(s.c), ws_error(t.c));
            CHECK_STR(ws_error_text(s.c), ws_error_text(t.c));
            CHECK_STR(ws_protocol(s.c), ws_protocol(t.c));
            CHECK_STR(ws_target(s.c), ws_target(t.c));
            CHECK_INT(ws_timeout(s.c), ws_timeout(t.c));
            CHECK_INT(ws_buffered(s.c), ws_buffered(t.c));
            p = ws_output(s.c, &n);
            q = ws_output(t.c, &m);
            CHECK(n == m && !memcmp(p, q, n));
            then = state == S_PARKED ? 0 : state == S_HTTP ? 3 : -1;
            if (then >= 0) {
                CHECK_INT(call_answer(s.c, then), 0);
                CHECK_INT(call_answer(t.c, then), 0);
            }
            side_pull(&s);
            side_pull(&t);
            if (s.c) {
                buf b = { 0 };
                put_frame(&b, 0x81, !s.client, "x", 1, 0);
                side_feed(&s, b.p, b.n);
                side_feed(&t, b.p, b.n);
                buf_free(&b);
            }
            CHECK_EVENTS(&s, buf_c(&t.log));
            CHECK(buf_is(&s.out, &t.out));
        } else {                        /* once is once */
            side_pull(&t);
            CHECK_INT(call_answer(s.c, what), WS_ERR_STATE);
            CHECK_INT(call_answer(s.c, 2), WS_ERR_STATE);
            side_pull(&s);
            CHECK_INT(call_answer(s.c, 0), WS_ERR_STATE);
            CHECK_INT(call_answer(s.c, 3), WS_ERR_STATE);
            CHECK_INT(head_status(&s.out), what < 2 ? 101 : what == 2 ? 403 : 200);
            CHECK_FIELD(&s.out, "X-A", what ? "b" : NULL);
        }
        if (test_faults > faults) printf("  state %d, call %d: %d\n", state, what, r);
        side_over(&s);
        side_over(&t);
    }
}

/* ==== what the head says ============================================================ */

#define TOLD "GET /a/b?x=1&y=%41 HTTP/1.1\r\n" ALL "Origin: http://example.com\r\n" \
    "Cookie: c=1; d=2\r\n" \
    "Sec-WebSocket-Protocol: p, q\r\nX-List: one\r\nx-list: two , three\r\n" \
    "Sec-WebSocket-Extensions: e; f=\"a,b\", g\r\n" E

/* there: 1 all of it, -1 the target that stays */
static void check_head(ws_conn *c, int there)
{
    static const char *names[] = { "Host",
                                   "Upgrade",
                                   "Connection",
                                   "Sec-WebSocket-Key",
                                   "Sec-WebSocket-Version",
                                   "Origin",
                                   "Cookie",
                                   "Sec-WebSocket-Protocol",
                                   "X-List",
                                   "x-list",
                                   "Sec-WebSocket-Extensions" };
    char t[32];
    ws_str name, value;
    size_t pos = 0, i;

    CHECK_STR(ws_target(c), there ? "/a/b?x=1&y=%41" : "");
    CHECK(str_is(ws_path(c), there ? "/a/b" : ""));
    CHECK_INT(ws_query(c, "y", t, sizeof t), there ? 1 : (int)WS_ERR_ABSENT);
    there = there == 1;
    CHECK_STR(ws_method(c), there ? "GET" : "");
    CHECK_INT(ws_status(c), 0);
    CHECK(str_is(ws_body(c), ""));
    CHECK(str_is(ws_header_value(c, "ORIGIN"), there ? "http://example.com" : NULL));
    CHECK(str_is(ws_header_value(c, "X-LIST"), there ? "one" : NULL));
    CHECK(str_is(ws_header_value(c, "X-Lis"), NULL));
    CHECK(str_is(ws_header_value(c, NULL), NULL));
    CHECK(str_is(ws_header_item(c, "x-List", 0), there ? "one" : NULL));
    CHECK(str_is(ws_header_item(c, "x-List", 1), there ? "two" : NULL));
    CHECK(str_is(ws_header_item(c, "x-List", 2), there ? "three" : NULL));
    CHECK(str_is(ws_header_item(c, "x-List", 3), NULL));
    CHECK(str_is(ws_header_item(c, "x-List", -1), NULL));
    CHECK(str_is(ws_header_item(c, NULL, 0), NULL));
    CHECK(str_is(ws_header_item(c, "Sec-WebSocket-Protocol", 1), there ? "q" : NULL));
    CHECK(str_is(ws_header_item(c, "Sec-WebSocket-Extensions", 0),
                 there ? "e; f=\"a,b\"" : NULL));
    CHECK(str_is(ws_header_item(c, "Sec-WebSocket-Extensions", 1), there ? "g" : NULL));
    CHECK_INT(ws_cookie(c, "d", t, sizeof t), there ? 1 : (int)WS_ERR_ABSENT);
    for (i = 0; ws_header_next(c, &pos, &name, &value); i++) {
        CHECK(i < COUNT(names) && str_is(name, names[i < COUNT(names) ? i : 0]));
        CHECK(value.data != NULL);
    }
    CHECK_INT(i, there ? COUNT(names) : 0);
    CHECK_INT(ws_header_next(c, &pos, &name, &value), 0);
}

static void head_watch(side *s, const ws_event *ev)
{
    int there = ev->type == WS_EV_REQUEST || ev->type == WS_EV_OPEN ||
                (ev->type == WS_EV_CLOSE && s->mode);
    check_head(s->c, there ? 1 : s->opens ? -1 : 0);
}

/* readable from REQUEST until the pull after OPEN or CLOSE, also when the input moves */
TEST(head_while_it_lasts)
{
    int no, k;

    for (no = 0; no < 2; no++) {
        world w;
        side s;
        buf b = { 0 };
        ws_event ev;

        check_head(NULL, 0);
        start(&s, &w, NULL);
        s.event = head_watch;
        s.mode = no;
        check_head(s.c, 0);
        give(&s, "GET /a/b?x=1");
        check_head(s.c, 0);
        give(&s, &TOLD[12]);
        CHECK_EVENTS(&s, "R ");
        check_head(s.c, 1);
        put_frames(&b, "81'x' 82#3000", 1);
        for (k = 0; k < 10; k++) {
            CHECK_INT(side_feed(&s, b.p, b.n), b.n);
            check_head(s.c, 1);
        }
        if (no) ws_reject(s.c, 403, NULL, NULL);
        else ws_accept(s.c, NULL);
        if (!no) check_head(s.c, 1);
        side_pull(&s);                  /* head_watch looks */
        CHECK(no ? s.closes : s.messages == 20);
        ws_next(s.c, &ev);
        check_head(s.c, no ? 0 : -1);
        buf_free(&b);
        side_over(&s);
    }
}

static void target_watch(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_CLOSE) {
        strcpy(s->reason, ws_target(s->c));
        s->mode = (int)ws_header_value(s->c, "Host").size;
    }
}

/* a handshake that fails is reported with what was asked: CLOSE, its error, target and
   headers */
TEST(failed_handshakes_are_reported)
{
    static const struct { const char *text; int error; const char *target;
    } t[] = {
        { "GET /no HTTP/1.1\r\n" HO UP CO KE "Sec-WebSocket-Version: 7\r\n" E,
          WS_ERR_VERSION, "/no" },
        { "GET /no HTTP/1.1\r\n" HO UP CO VE E, WS_ERR_KEY, "/no" },
        { "POST /no HTTP/1.1\r\n" ALL E, WS_ERR_METHOD, "/no" },
        { "GET /no?q HTTP/1.1\r\n" ALL "Origin: http://evil.com\r\n" E, WS_ERR_ORIGIN,
          "/no?q" },
        { "GET /nowhere HTTP/1.1\r\n" ALL E, WS_ERR_ROUTE, "/nowhere" },
        { "GET /no HTTP/1.1\r\n" UP CO KE VE E, WS_ERR_HOST, "/no" },
        { "GET /no HTTP/1.1\r\nHost : x\r\n" UP CO KE VE E, WS_ERR_HEAD_SYNTAX, "" },
        { "nonsense\r\n\r\n", WS_ERR_HEAD_SYNTAX, "" },
    };
    static const ws_route routes[] = { { "/no", NULL, 1 }, { NULL, NULL, 0 } };
    size_t i;
    int asks;

    for (i = 0; i < COUNT(t); i++) for (asks = 0; asks < 2; asks++) {
        world w;
        side s;
        ws_config cfg;

        memset(&cfg, 0, sizeof cfg);
        cfg.ask = asks;
        cfg.routes = routes;
        start(&s, &w, &cfg);
        s.event = target_watch;
        give(&s, t[i].text);
        CHECK_INT(s.requests, 0);          /* the application is not bothered */
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, t[i].error);
        CHECK_STR(s.reason, t[i].target);
        CHECK_INT(s.mode, t[i].error == WS_ERR_HOST || !*t[i].target ? 0 : 11);
        CHECK_INT(head_status(&s.out), error_tell(t[i].error));
        side_over(&s);
    }
}

/* ==== memory ======================================================================== */

static const ws_header two_headers[] = { { "Set-Cookie", "a=b" },
                                         { "X-Long",
                                           "0123456789012345678901234567890123456789" },
                                         { NULL, NULL } };

/* one conversation; returns what the answer returned */
static int conversation(side *s, world *w, int kind)
{
    static const ws_route routes[] = { { "/chat", "b", 1 },
                                       { "/*", NULL, 2 },
                                       { NULL, NULL, 0 } };
    ws_config cfg = world_config(w);
    ws_answer a = { "c", two_headers };
    buf b = { 0 };
    int r = 0;

    cfg.ask = 1;
    cfg.routes = routes;
    cfg.trusted_proxies = 1;
    cfg.protocols = "x, a";
    if (!side_new(s, w, 0, &cfg)) return 0;
    if (kind == 3) buf_str(&b, "GET /page HTTP/1.1\r\n" HO);
    else
        buf_str(&b,
                "GET /chat HTTP/1.1\r\n" ALL "Sec-WebSocket-Protocol: q, a, b, c\r\n");
    buf_str(&b, "X-Forwarded-For: 192.0.2.7\r\n\r\n");
    side_feed(s, b.p, b.n);
    buf_free(&b);
    if (s->requests && !s->closes) {
        r = kind == 0   ? ws_accept(s->c, &a)
            : kind == 1 ? ws_accept(s->c, NULL)
                        : ws_reject(s->c, 403, two_headers, "no");
        if (r && kind < 2) {            /* nothing happened */
            CHECK_INT(r, WS_ERR_MEMORY);
            CHECK_INT(ws_state(s->c), WS_STATE_CONNECTING);
            CHECK_INT(ws_error(s->c), 0);
            CHECK_INT(ws_buffered(s->c), 0);
            CHECK_STR(ws_target(s->c), "/chat");
            CHECK_STR(ws_protocol(s->c), "b");
            side_pull(s);
            CHECK_EVENTS(s, "R ");
            CHECK_INT(s->out.n, 0);
        }
    }
    if (s->https && !s->closes) r = ws_http_reply(s->c, 200, two_headers, "page", 4);
    return r;
}

/* the n-th allocation fails, for every n, once or from then on: nothing leaks, nothing
   opens by halves, and what failed can be done again */
TEST(failing_allocations)
{
    long n, seen = 0;
    int kind, all;

    for (kind = 0; kind < 4; kind++) for (all = 0; all < 2; all++) for (n = 1;; n++) {
        world w;
        side s;
        int r;

        world_init(&w);
        w.h.fail_at = n;
        w.h.fail_all = all;
        memset(&s, 0, sizeof s);
        s.w = &w;
        r = conversation(&s, &w, kind);
        if (!w.h.failed) {
            CHECK_INT(r, 0);
            side_pull(&s);
            CHECK(s.opens == (kind < 2));
            side_over(&s);
            break;
        }
        seen++;
        w.h.fail_at = 0;
        if (!s.c) { CHECK_INT(w.h.live, 0); continue; }
        if (r && kind < 2) {
            CHECK_INT(ws_accept(s.c, NULL), 0); /* not the choice that failed */
            CHECK_STR(ws_protocol(s.c), "b");
            side_pull(&s);
            CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "b");
            check_open(&s);
        } else if (r) {
            CHECK_INT(r, WS_ERR_MEMORY);
            side_pull(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, WS_ERR_MEMORY);
            CHECK_INT(s.clean, 0);
            CHECK_INT(s.out.n, 0);
        } else {
            side_pull(&s);
            CHECK(s.opens || s.closes);
            if (s.closes && s.error == WS_ERR_MEMORY) CHECK_INT(s.out.n, 0);
            else if (kind >= 2 && (s.requests || s.https))
                CHECK_INT(head_status(&s.out), kind == 2 ? 403 : 200);
            if (s.opens) CHECK_INT(head_status(&s.out), 101);
        }
        side_over(&s);
    }
    CHECK(seen > 20);
}

/* limits hold before the application has answered: what a stranger sends is kept up to
   64 KiB */
TEST(sec_I2_limits_before_the_answer)
{
    static char filling[70000];
    world w;
    side s;
    size_t taken = 0, k, i;
    buf b = { 0 };

    for (i = 0; i < sizeof filling; i++) filling[i] = fill_at(i);
    put_frame(&b, 0x82, 1, filling, 60000, 0);
    parked(&s, &w, NULL, REQUEST);
    w.h.peak = w.h.now;
    taken = ws_feed(s.c, b.p, b.n);
    CHECK_INT(taken, b.n);
    for (i = 0; i < 1000; i++) {
        k = ws_feed(s.c, b.p, b.n);
        CHECK_INT(ws_feed_room(s.c) < 65536, 1);
        taken += k;
        if (i > 2) CHECK_INT(k, 0);
        side_pull(&s);
    }
    CHECK_INT(taken, 65536);
    CHECK(w.h.peak < 3 * 65536 + 8192);
    CHECK_INT(ws_feed_room(s.c), 0);
    CHECK_INT(ws_accept(s.c, NULL), 0);
    side_pull(&s);
    CHECK_EVENTS(&s, "R O B#60000 ");
    k = taken - b.n;
    CHECK_INT(side_feed(&s, b.p + k, b.n - k), b.n - k);
    CHECK_INT(s.messages, 2);
    CHECK_EVENTS(&s, "R O B#60000 B#60000 ");
    buf_free(&b);
    side_over(&s);

    { /* frames past a limit end it after OPEN, as ever */
        ws_config cfg = asking();

        cfg.max_message = 100;
        parked(&s, &w, &cfg, REQUEST);
        side_frame(&s, 0x82, filling, 101);
        CHECK_EVENTS(&s, "R ");
        ws_accept(s.c, NULL);
        side_pull(&s);
        CHECK_EVENTS(&s, "R O C1009!MESSAGE_SIZE ");
        side_over(&s);
    }
}

/* ==== subprotocols ================================================================== */

/* The first of the offers, taken from any number of lines, that is among have. Own
   lists. */
static const char *first_of(const char *const *offers, const char *const *have)
{
    int i, k;
    for (i = 0; offers[i]; i++)
        for (k = 0; have[k]; k++)
            if (!strcmp(offers[i], have[k]))
                return offers[i];
    return "";
}

/* every offer of up to three names in one or two lines, every list of our own, every
   choice */
TEST(subprotocols)
{
    static const char *names[] = { "", "a", "b", "ab" };
    static const char *const have[][4] = {
        { NULL }, { "a", NULL }, { "b", "a", NULL }, { "ab", "b", "a", NULL }
    };
    static const char *choice[] = { NULL, "", "a", "b", "ab", "c", "A", "a,b", "a " };
    size_t x, y, z, h, ch, lines, asks;

    for (x = 0; x < 4; x++)
        for (y = 0; y < 4; y++)
            for (z = 0; z < 4; z++)
                for (lines = 0; lines < 3; lines++)
                    for (h = 0; h < 4; h++)
                        for (asks = 0; asks < 2; asks++)
                            for (ch = 0; ch < (asks ? COUNT(choice) : 1); ch++) {
                                const char *offers[4] = { NULL, NULL, NULL, NULL }, *want;
                                char list[32] = "", request[600];
                                world w;
                                side s;
                                ws_config cfg;
                                ws_answer a = { NULL, NULL };
                                int k = 0, offered = 0, r;

                                if (*names[x])
                                    offers[k++] = names[x];
                                if (*names[y])
                                    offers[k++] = names[y];
                                if (*names[z])
                                    offers[k++] = names[z];
                                for (k = 0; have[h][k]; k++)
                                    sprintf(list + strlen(list), "%s%s", k ? ", " : "",
                                            have[h][k]);
                                sprintf(request,
                                        "GET / HTTP/1.1\r\n" ALL
                                        "Sec-WebSocket-Protocol: %s%s%s%s%s\r\n" E,
                                        names[x],
                                        lines == 1 ? "\r\nsec-websocket-protocol: "
                                                   : " ,",
                                        names[y],
                                        lines == 2 ? "\r\nSEC-WEBSOCKET-PROTOCOL:" : ",",
                                        names[z]);
                                memset(&cfg, 0, sizeof cfg);
                                cfg.ask = (int)asks;
                                cfg.protocols = list;
                                start(&s, &w, &cfg);
                                give(&s, request);
                                want = first_of(offers, have[h]);
                                if (asks) {
                                    CHECK_INT(s.requests, 1);
                                    CHECK_STR(ws_protocol(s.c), "");
                                    for (k = 0; offers[k]; k++) {
                                        CHECK(
                                            str_is(ws_header_item(
                                                       s.c, "Sec-WebSocket-Protocol", k),
                                                   offers[k]));
                                        offered |= choice[ch] &&
                                                   !strcmp(choice[ch], offers[k]);
                                    }
                                    CHECK(str_is(
                                        ws_header_item(s.c, "Sec-WebSocket-Protocol", k),
                                        NULL));
                                    a.protocol = choice[ch];
                                    r = ws_accept(s.c, &a);
                                    if (choice[ch] && *choice[ch] && !offered) {
                                        CHECK_INT(r, WS_ERR_ARGUMENT);
                                        CHECK_INT(ws_buffered(s.c), 0);
                                        CHECK_STR(ws_protocol(s.c), "");
                                        CHECK_INT(ws_accept(s.c, NULL), 0);
                                    } else {
                                        CHECK_INT(r, 0);
                                        if (choice[ch])
                                            want = choice[ch];
                                    }
                                    side_pull(&s);
                                }
                                CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol",
                                            *want ? want : NULL);
                                CHECK_STR(ws_protocol(s.c), want);
                                side_frame(&s, 0x81, "later", 5);
                                CHECK_STR(ws_protocol(s.c), want);
                                side_over(&s);
                            }
}

/* what is offered but no token is not chosen, whoever asks for it */
TEST(subprotocols_that_are_none)
{
    static const char *choice[] = { "x y", "\"q\"", "a;b", "\xc3\xa4", "a" };
    size_t i;

    for (i = 0; i < COUNT(choice); i++) {
        world w;
        side s;
        ws_answer a = { NULL, NULL };

        parked(&s, &w, NULL,
               "GET / HTTP/1.1\r\n" ALL
               "Sec-WebSocket-Protocol: x y, \"q\", a;b, \xc3\xa4, a\r\n" E);
        a.protocol = choice[i];
        CHECK(str_is(ws_header_item(s.c, "Sec-WebSocket-Protocol", (int)i), choice[i]));
        CHECK_INT(ws_accept(s.c, &a), i == 4 ? 0 : WS_ERR_ARGUMENT);
        side_pull(&s);
        CHECK_INT(s.opens, i == 4);
        side_over(&s);
    }
}

/* both ends say the same, by list, by route and by the application; a client that
   offered some and got none ends, however the server came to that */
TEST(subprotocols_both_ends)
{
    static const ws_route routes[] = { { "/chat", "r", 7 },
                                       { "/*", NULL, 8 },
                                       { NULL, NULL, 0 } };
    static const struct {
        const char *offer, *have, *choice;
        int routed;
        const char *want;
    } t[] = {
        { NULL, NULL, NULL, 0, "" },   { NULL, "a", NULL, 0, "" },
        { "a", "a", NULL, 0, "a" },    { "b, a", "a", NULL, 0, "a" },
        { "a, r", "a", NULL, 1, "r" }, { "r", NULL, NULL, 1, "r" },
        { "a, r", "a", "a", 1, "a" },  { "a, r", NULL, "a", 1, "a" },
        { "a, r", "a", "r", 1, "r" },  { "a", "a", NULL, 1, "a" },
        { "x, y", NULL, "y", 0, "y" }, { "a", NULL, NULL, 0, NULL },
        { "a", "b", NULL, 0, NULL },   { "a, r", "a", "", 1, NULL },
        { "a", "a", "", 0, NULL },     { NULL, "a", "", 0, "" },
    };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        world w, v;
        side s, c;
        ws_config cfg = asking();
        ws_answer a = { NULL, NULL };

        cfg.protocols = t[i].have;
        if (t[i].routed) cfg.routes = routes;
        start(&s, &w, &cfg);
        cfg = world_fresh(&v);
        cfg.protocols = t[i].offer;
        side_new(&c, &v, 1, &cfg);
        side_pull(&c);
        side_feed(&s, c.out.p, c.out.n);
        a.protocol = t[i].choice;
        CHECK_INT(ws_accept(s.c, &a), 0);
        side_pull(&s);
        side_feed(&c, s.out.p, s.out.n);
        CHECK_STR(ws_protocol(s.c), t[i].want ? t[i].want : "");
        CHECK_INT(c.opens, t[i].want != NULL);
        if (t[i].want) CHECK_STR(ws_protocol(c.c), t[i].want);
        else CHECK_INT(c.error, WS_ERR_SUBPROTOCOL);
        CHECK_INT(ws_route_id(s.c), !t[i].routed                            ? 0
                                    : t[i].offer && strstr(t[i].offer, "r") ? 7
                                                                            : 8);
        CHECK_INT(ws_route_id(c.c), 0);
        side_over(&c);
        side_over(&s);
    }
}

/* ==== headers and cookies in answers ================================================ */

/* what the program adds arrives, as it is, after what is configured; on refusals too */
TEST(headers_arrive)
{
    static const ws_header conf[] = { { "Server", "s/1" }, { NULL, NULL } };
    static const ws_header more[] = { { "X-Empty", "" },
                                      { "X-Tab", "a\tb" },
                                      { "X-High", "\xc3\xa4" },
                                      { "Set-Cookie", "a=1" },
                                      { "Set-Cookie", "b=2; Path=/" },
                                      { NULL, NULL } };
    int how;

    for (how = 0; how < 3; how++) {
        world w;
        side s;
        ws_config cfg;
        ws_answer a = { NULL, NULL };
        int n;

        a.headers = more;
        cfg = asking();
        cfg.headers = conf;
        start(&s, &w, &cfg);
        give(&s, how == 2 ? "GET / HTTP/1.1\r\n" HO E : REQUEST);
        CHECK_INT(how == 0   ? ws_accept(s.c, &a)
                  : how == 1 ? ws_reject(s.c, 403, more, NULL)
                             : ws_http_reply(s.c, 200, more, NULL, 0),
                  0);
        side_pull(&s);
        CHECK_FIELD(&s.out, "Server", how == 0 ? "s/1" : NULL);
        CHECK_FIELD(&s.out, "X-Empty", "");
        CHECK_FIELD(&s.out, "X-Tab", "a\tb");
        CHECK_FIELD(&s.out, "X-High", "\xc3\xa4");
        CHECK_STR(head_field(&s.out, "Set-Cookie", &n), "a=1"); CHECK_INT(n, 2);
        CHECK(strstr(buf_c(&s.out), "\r\nSet-Cookie: b=2; Path=/\r\n") != NULL);
        CHECK_INT(how == 0, s.opens);
        side_over(&s);
    }
}

/* every byte in names and values of the program's headers: those that would break the
   head are refused, nothing is sent, and the request can still be answered */
TEST(sec_A18_answers)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int how, where, at, c;

    for (how = 0; how < 3; how++)
        for (where = 0; where < 2; where++)
            for (at = 0; at < 3; at++)
                for (c = 1; c < 256; c++) {
                    char text[] = "xyz";
                    ws_header h[3] = { { "X-Good", "1" },
                                       { "X-Name", "value" },
                                       { NULL, NULL } };
                    ws_answer a = { NULL, NULL };
                    world w;
                    side s;
                    int r, good = where ? c >= 32 ? c != 127 : c == '\t'
                                        : strchr(token, c) != NULL;

                    text[at] = (char)c;
                    if (where)
                        h[1].value = text;
                    else
                        h[1].name = text;
                    a.headers = h;
                    start(&s, &w, NULL);
                    give(&s, how == 2 ? "GET / HTTP/1.1\r\n" HO E : REQUEST);
                    r = how == 0   ? ws_accept(s.c, &a)
                        : how == 1 ? ws_reject(s.c, 403, h, "t")
                                   : ws_http_reply(s.c, 200, h, "t", 1);
                    CHECK_INT(r, good ? 0 : WS_ERR_ARGUMENT);
                    if (r) {
                        side_pull(&s);
                        CHECK_INT(s.out.n, 0);
                        CHECK_INT(s.closes, 0);
                        CHECK_INT(how < 2 ? ws_accept(s.c, NULL)
                                          : ws_http_reply(s.c, 200, NULL, "t", 1),
                                  0);
                        side_pull(&s);
                        CHECK_INT(head_status(&s.out), how < 2 ? 101 : 200);
                        CHECK_FIELD(&s.out, "X-Good", NULL);
                    } else {
                        side_pull(&s);
                        CHECK_FIELD(&s.out, "X-Good", "1");
                    }
                    side_over(&s);
                }
}

/* Reads a cookie of that name and value line back from a request. */
static int cookie_back(const char *line, const char *name, char *out, size_t n)
{
    world w;
    side s;
    char request[2000];
    int r;

    snprintf(request, sizeof request, "GET /chat HTTP/1.1\r\n" ALL "Cookie: %s\r\n" E,
             line);
    start(&s, &w, NULL);
    give(&s, request);
    CHECK_INT(s.requests, 1);
    r = ws_cookie(s.c, name, out, n);
    side_over(&s);
    return r;
}

/* every byte in a value, alone and between others, comes back as it was */
TEST(cookie_round_trip)
{
    int c, d;
    char value[8], line[64], out[64];
    ws_set_cookie k;

    memset(&k, 0, sizeof k);
    k.name = "n";
    k.value = value;
    for (c = 0; c < 256; c++) for (d = 0; d < 4; d++) {
        sprintf(value, "%s%c%s", d & 1 ? "a" : "", c, d & 2 ? "%41" : "");
        if (!c) value[0] = 0;
        CHECK_INT(ws_cookie_format(&k, line, sizeof line), strlen(line));
        CHECK(
            strspn(
                line + 2,
                "!#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                 "[]^_`abcdefghijklmnopqrstuvwxyz{|}~") ==
            strlen(line + 2));
        CHECK_INT(cookie_back(line, "n", out, sizeof out), strlen(value));
        CHECK_STR(out, value);
    }
}

TEST(cookie_format)
{
    static const struct { ws_set_cookie k; const char *want;
    } t[] = {
        { { "n", "v", NULL, NULL, NULL, NULL, 0, 0, 0 }, "n=v" },
        { { "n", NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }, "n=" },
        { { "n", "", NULL, NULL, NULL, NULL, 0, 0, 0 }, "n=" },
        { { "n", "a b;c,d\"e\\f%g=h", NULL, NULL, NULL, NULL, 0, 0, 0 },
          "n=a%20b%3Bc%2Cd%22e%5Cf%25g=h" },
        { { "__Host-n", "v", "/", NULL, NULL, "Lax", 0, 1, 1 },
          "__Host-n=v; Path=/; SameSite=Lax; Secure; HttpOnly" },
        { { "n", "v", "/p", "example.com", "Wed, 21 Oct 2015 07:28:00 GMT", "Strict",
            3600, 1, 0 },
          "n=v; Path=/p; Domain=example.com; Expires=Wed, "
          "21 Oct 2015 07:28:00 GMT; SameSite=Strict; Max-Age=3600; Secure" },
        { { "n", "v", NULL, NULL, NULL, NULL, -1, 0, 1 }, "n=v; Max-Age=0; HttpOnly" },
        { { "n", "v", "", NULL, NULL, NULL, 2147483647, 0, 0 },
          "n=v; Path=; Max-Age=2147483647" },
        { { NULL, "v", NULL, NULL, NULL, NULL, 0, 0, 0 }, NULL },
        { { "", "v", NULL, NULL, NULL, NULL, 0, 0, 0 }, NULL },
    };
    size_t i, n;
    int where, c;
    char out[300];

    for (i = 0; i < COUNT(t); i++) {
        size_t size = t[i].want ? strlen(t[i].want) : 0;
        for (n = 0; n <= size + 3; n++) {           /* not a byte past the n */
            char *exact = (char *)malloc(n ? n : 1);
            int r = ws_cookie_format(&t[i].k, exact, n);
            CHECK_INT(r, t[i].want && n > size ? (int)size : (int)WS_ERR_ARGUMENT);
            if (r >= 0) CHECK_STR(exact, t[i].want);
            free(exact);
        }
    }
    CHECK_INT(ws_cookie_format(NULL, out, sizeof out), WS_ERR_ARGUMENT);
    CHECK_INT(ws_cookie_format(&t[0].k, NULL, 100), WS_ERR_ARGUMENT);
    for (where = 0; where < 5; where++) for (c = 1; c < 256; c++) {
        ws_set_cookie k = t[0].k;
        char text[] = "xyz";
        int bad = where ? c == ';' || c == 127 || (c < 32 && c != '\t')
                        : c <= 32 || c > 126 || strchr("()<>@,;:\\\"/[]?={}", c);
        text[1] = (char)c;
        if (where == 0) k.name = text;
        if (where == 1) k.path = text;
        if (where == 2) k.domain = text;
        if (where == 3) k.expires = text;
        if (where == 4) k.same_site = text;
        CHECK_INT(ws_cookie_format(&k, out, sizeof out) < 0, bad != 0);
    }
}

/* ==== cookies and queries of requests =============================================== */

/* Another way to find and decode: cut into pieces first, then compare. */
static int my_pair(const char *text, char mark, int query, const char *name, char *out,
                   size_t n)
{
    const char *p = text;

    for (;;) {
        const char *end = strchr(p, mark), *eq, *a = p, *z;
        size_t k = 0;
        int nul = 0;
        if (!end) end = p + strlen(p);
        z = end;
        if (!query) {
            while (a < z && (*a == ' ' || *a == '\t')) a++;
            while (z > a && (z[-1] == ' ' || z[-1] == '\t')) z--;
        }
        for (eq = a; eq < z && *eq != '='; eq++) { }
        if (a < z && (size_t)(eq - a) == strlen(name) &&
            !strncmp(a, name, strlen(name))) {
            const char *v = eq < z ? eq + 1 : z;
            if (!query) {
                while (v < z && (*v == ' ' || *v == '\t')) v++;
                if (z - v >= 2 && *v == '"' && z[-1] == '"') { v++; z--; }
            }
            while (v < z) {
                int b = (uint8_t)*v;
                if (query && b == '+') b = ' ';
                if (b == '%' && z - v >= 3 && hex(v[1]) >= 0 && hex(v[2]) >= 0) {
                    b = hex(v[1]) * 16 + hex(v[2]);
                    v += 2;
                }
                v++;
                if (k + 1 >= n) return WS_ERR_ARGUMENT;
                nul |= !b;
                out[k++] = (char)b;
            }
            if (!n) return WS_ERR_ARGUMENT;
            out[k] = 0;
            return nul ? (int)WS_ERR_ABSENT : (int)k;
        }
        if (!*end) return WS_ERR_ABSENT;
        p = end + 1;
    }
}

/* The same of the library, into memory of exactly n bytes. */
static void same_pair(ws_conn *c, const char *text, int query, const char *name, size_t n)
{
    char *exact = (char *)malloc(n ? n : 1), want[300];
    int r = query ? ws_query(c, name, exact, n) : ws_cookie(c, name, exact, n);
    int w = my_pair(text, query ? '&' : ';', query, name, want, n);

    CHECK_INT(r, w);
    if (r >= 0 && w >= 0) CHECK(!memcmp(exact, want, (size_t)w + 1));
    if (r != w)
        printf("  %s '%s' of '%s', %d bytes\n", query ? "query" : "cookie", name, text,
               (int)n);
    free(exact);
}

static void pairs_of(const char *text, int query, const char *const *names, int sizes)
{
    char request[1200];
    world w;
    side s;
    size_t i, n;

    snprintf(request, sizeof request, "GET /chat%s%s HTTP/1.1\r\n" ALL "%s%s%s" E,
             query ? "?" : "", query ? text : "",
             query ? "" : "Cookie: ", query ? "" : text, query ? "" : "\r\n");
    start(&s, &w, NULL);
    give(&s, request);
    CHECK_INT(s.requests, 1);
    for (i = 0; names[i]; i++) {
        same_pair(s.c, text, query, names[i], 100);
        if (sizes) for (n = 0; n < 20; n++) same_pair(s.c, text, query, names[i], n);
    }
    side_over(&s);
}

TEST(query_and_cookie_tables)
{
    static const char *queries[] = {
        "",
        "a",
        "a=",
        "a=1",
        "a=1&b=2",
        "b=2&a=1",
        "a=1&a=2",
        "&a=1",
        "a=1&",
        "&&",
        "=1",
        "aa=1",
        "a=1=2",
        "a==",
        "ab=1&a=2",
        "a=%41%62",
        "a=%4a%4A",
        "a=%",
        "a=%4",
        "a=%4g",
        "a=%g4",
        "a=%%41",
        "a=%00",
        "a=x%00y",
        "a=+",
        "a=%2B+%2b",
        "a=%3d%26",
        "%61=1",
        "A=1",
        "a=1;b=2",
        "a=\"1\"",
        "b&a",
        "a&a=1",
        "a=?",
        "a=%F0%9F%98%80",
        "a=0123456789012345",
    };
    static const char *cookies[] = {
        "a=1",
        "a=",
        "a",
        "a=1; b=2",
        "b=2; a=1",
        "b=2;a=1",
        "a=1;a=2",
        ";a=1",
        "a=1;",
        " ; ;a=1",
        "aa=1; a=2",
        "a=1=2",
        "a = 1 ",
        "a=\"1\"",
        "a=\"",
        "a=\"\"",
        "a=\"1",
        "a=1\"",
        "a=\"\"\"",
        "a=%41+%62",
        "a=%",
        "a=%4",
        "a=%zz",
        "a=%00",
        "a=\"%00\"",
        "A=1",
        "b=\"x;a=1\"",
        "a=0123456789012345",
        "a=\"01234567890123456\"",
        "\ta=1\t;\tb=2",
        "$Version=1; a=1",
        "a=\xc3\xa4",
        "b,a=1",
    };
    static const char *names[] = { "a", "b", "aa", "", "ab", "%61", "A", "a=", NULL };
    size_t i;

    for (i = 0; i < COUNT(queries); i++) pairs_of(queries[i], 1, names, 1);
    for (i = 0; i < COUNT(cookies); i++) pairs_of(cookies[i], 0, names, 1);
    CHECK_INT(ws_query(NULL, "a", NULL, 0), WS_ERR_ABSENT);
    CHECK_INT(ws_cookie(NULL, "a", NULL, 0), WS_ERR_ABSENT);
    {
        world w;
        side s;
        char t[10];
        parked(
            &s, &w, NULL,
            "GET /?a=1 HTTP/1.1\r\n" ALL
            "X: a=9\r\nCookies: a=8\r\nCookie: x=1\r\ncookie: a=2; x=3\r\n"
            "Cookie: a=4\r\n" E);
        CHECK_INT(ws_cookie(s.c, "a", t, 10), 1);       /* the first, over all lines */
        CHECK_STR(t, "2");
        CHECK_INT(ws_cookie(s.c, "x", t, 10), 1);
        CHECK_STR(t, "1");
        CHECK_INT(ws_query(s.c, NULL, t, 10), WS_ERR_ARGUMENT);
        CHECK_INT(ws_cookie(s.c, NULL, t, 10), WS_ERR_ARGUMENT);
        CHECK_INT(ws_query(s.c, "a", NULL, 10), WS_ERR_ARGUMENT);
        CHECK_INT(ws_cookie(s.c, "a", NULL, 10), WS_ERR_ARGUMENT);
        side_over(&s);
        parked(&s, &w, NULL, "GET http://example.com?a=%2f HTTP/1.1\r\n" ALL E);
        CHECK_INT(ws_query(s.c, "a", t, 10), 1);
        CHECK_STR(t, "/");
        CHECK(str_is(ws_path(s.c), "/"));
        CHECK_INT(ws_cookie(s.c, "a", t, 10), WS_ERR_ABSENT);
        side_over(&s);
    }
}

/* every text of up to five of these characters */
TEST(query_and_cookie_exhaustive)
{
    static const char set[2][10] = { "ab=; \"%41", "ab=&%410+" };
    static const char *names[] = { "a", "b", "", NULL };
    int query, n;
    long i, all;
    char text[8];

    for (query = 0; query < 2; query++)
        for (n = 0, all = 1; n <= 5; n++, all *= 9)
            for (i = 0; i < all; i++) {
                long v = i;
                int k;
                for (k = 0; k < n; k++, v /= 9) text[k] = set[query][v % 9];
                text[n] = 0;
                pairs_of(text, query, names, 0);
            }
}

/* ==== routes ======================================================================== */

/* The rule, said again: '*' at the end any rest, before a '/' one or more of the
   segment. */
static int my_fits(const char *pattern, const char *path)
{
    if (!*pattern) return !*path;
    if (*pattern == '*' && !pattern[1]) return 1;
    if (*pattern == '*') {
        size_t k;
        for (k = 1; k <= strlen(path) && path[k - 1] != '/'; k++)
            if (my_fits(pattern + 1, path + k))
                return 1;
        return 0;
    }
    return *path == *pattern && my_fits(pattern + 1, path + 1);
}

static int my_pattern(const char *p)
{
    const char *star;
    for (star = strchr(p, '*'); star; star = strchr(star + 1, '*'))
        if (star[1] && star[1] != '/')
            return 0;
    return *p == '/';
}

/* the id a server gives the request, 0 when it is answered 404 */
static int routed(const ws_route *routes, const char *target, const char *offers, int ask)
{
    world w;
    side s;
    ws_config cfg;
    char request[600];
    int id;

    memset(&cfg, 0, sizeof cfg);
    cfg.routes = routes;
    cfg.ask = ask;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" ALL "%s%s%s" E, target,
             offers ? "Sec-WebSocket-Protocol: " : "", offers ? offers : "",
             offers ? "\r\n" : "");
    start(&s, &w, &cfg);
    CHECK_INT(ws_route_id(s.c), 0);
    give(&s, request);
    id = ws_route_id(s.c);
    if (s.closes) {
        check_refused(&s, 404, WS_ERR_ROUTE);
        CHECK_INT(id, 0);
        CHECK_INT(s.requests, 0);
    } else {
        CHECK(ask ? s.requests && !s.opens : s.opens);
        if (ask) ws_accept(s.c, NULL);
        side_pull(&s);
        side_frame(&s, 0x81, "x", 1);
        CHECK_INT(s.messages, 1);
        CHECK_INT(ws_route_id(s.c), id);
    }
    side_over(&s);
    return id;
}

static int texts(char *out, const char *set, long number, int n)
{
    int k;
    for (k = 0; k < n; k++, number /= 3) out[k] = set[number % 3];
    out[n] = 0;
    return number == 0;
}

/* every pattern and every path of up to five of these characters */
TEST(route_patterns)
{
    char pattern[8], path[8], target[64];
    int n, m, form = 0;
    long i, j, all, every;

    for (n = 1, all = 1; n <= 5; n++, all *= 3) for (i = 0; i < all; i++) {
        ws_route routes[2] = { { pattern, NULL, 9 }, { NULL, NULL, 0 } };
        pattern[0] = '/';
        texts(pattern + 1, "/a*", i, n - 1);
        if (!my_pattern(pattern)) {
            ws_config cfg;
            ws_conn *c;
            memset(&cfg, 0, sizeof cfg);
            cfg.routes = routes;
            c = ws_server_new(&cfg);
            CHECK_INT(ws_error(c), WS_ERR_ARGUMENT);
            ws_free(c);
            continue;
        }
        for (m = 1, every = 1; m <= 5; m++, every *= 3) for (j = 0; j < every; j++) {
            path[0] = '/';
            texts(path + 1, "/ab", j, m - 1);
            form++;
            sprintf(target, "%s%s%s", form % 3 == 2 ? "http://example.com" : "", path,
                    form % 3 ? "?/a*/b?c" : "");
            if (routed(routes, target, NULL, form & 1) !=
                (my_fits(pattern, path) ? 9 : 0)) {
                CHECK(0);
                printf("  %s for %s\n", pattern, target);
            }
        }
    }
}

/* every list of three routes, every offer: the client's first offer that has a route,
   protocols before routes open to any, the first in the table of those */
TEST(route_choice)
{
    static const char *patterns[] = { "/x", "/*", "/x/*" },
                      *protocols[] = { NULL, "a", "b" };
    static const char *offers[][4] = { { NULL },           { "a", NULL },
                                       { "b", NULL },      { "a", "b", NULL },
                                       { "b", "a", NULL }, { "c", NULL },
                                       { "c", "b", NULL } };
    static const char *lines[] = { NULL, "a", "b", "a, b", "b,a", "c", "c, b" };
    static const char *paths[] = { "/x", "/x/y", "/z" };
    int i, o, p, k, r;

    for (i = 0; i < 9 * 9 * 9; i++) for (o = 0; o < 7; o++) for (p = 0; p < 3; p++) {
        ws_route routes[4];
        int v = i, want = 0;
        for (k = 0; k < 3; k++, v /= 9) {
            routes[k].path = patterns[v % 9 / 3];
            routes[k].protocol = protocols[v % 3];
            routes[k].id = 100 + k;
        }
        memset(&routes[3], 0, sizeof routes[3]);
        for (k = 0; offers[o][k] && !want; k++)
            for (r = 0; r < 3 && !want; r++)
                if (routes[r].protocol && !strcmp(routes[r].protocol, offers[o][k]) &&
                    my_fits(routes[r].path, paths[p]))
                    want = routes[r].id;
        for (r = 0; r < 3 && !want; r++)
            if (!routes[r].protocol && my_fits(routes[r].path, paths[p]))
                want = routes[r].id;
        CHECK_INT(routed(routes, paths[p], lines[o], i & 1), want);
    }
}

/* tables: none, empty, too long, not paths; ids of any value; plain HTTP passes */
TEST(route_tables)
{
    static const ws_route none[] = { { NULL, NULL, 0 } }, ids[] = { { "/a", NULL, 0 },
                                                                    { "/b", NULL, -7 },
                                                                    { NULL, NULL, 0 } };
    static char names[256][8];
    ws_route many[257];
    ws_config cfg;
    ws_conn *c;
    world w;
    side s;
    int i;

    CHECK_INT(routed(none, "/", NULL, 0), 0);
    CHECK_INT(routed(ids, "/b", NULL, 1), -7);
    CHECK_INT(routed(ids, "/a", NULL, 0), 0);
    CHECK_INT(routed(ids, "/%61", NULL, 0), 0);
    CHECK_INT(routed(ids, "/A", NULL, 0), 0);
    CHECK_INT(routed(ids, "https://h/b", NULL, 0), -7);
    CHECK_INT(routed(ids, "http://h", NULL, 0), 0);
    for (i = 0; i < 256; i++) {
        sprintf(names[i], "/%d", i);
        many[i].path = names[i];
        many[i].protocol = i % 2 ? "p" : NULL;
        many[i].id = i + 1000;
    }
    memset(&many[254], 0, sizeof *many);
    CHECK_INT(routed(many, "/252", NULL, 1), 1252);
    CHECK_INT(routed(many, "/253", "p", 1), 1253);
    CHECK_INT(routed(many, "/253", NULL, 1), 0);
    many[254].path = names[254];
    memset(&many[255], 0, sizeof *many);
    memset(&cfg, 0, sizeof cfg);
    cfg.routes = many;
    for (i = 0; i < 4; i++) {
        c = ws_server_new(&cfg);
        CHECK_INT(ws_error(c), WS_ERR_ARGUMENT);
        ws_free(c);
        memset(many, 0, 2 * sizeof *many);
        if (i == 0) many[0].path = "";
        if (i == 1) many[0].path = "chat";
        if (i == 2) { many[0].path = "/"; many[0].protocol = "a, b"; }
    }
    start(&s, &w, (cfg.routes = ids, &cfg));
    give(&s, "GET /nowhere HTTP/1.1\r\n" HO E);
    CHECK_EVENTS(&s, "H C0+'' ");
    CHECK_INT(head_status(&s.out), 404);
    side_over(&s);
}

/* offers without end cost no more than their bytes: as many as fit, all routes asked */
TEST(sec_A2_offers)
{
    static char request[70000];
    static char names[200][8];
    ws_route routes[201];
    ws_config cfg;
    world w;
    side s;
    size_t n;
    int i;

    for (i = 0; i < 200; i++) {
        sprintf(names[i], "p%d", i);
        routes[i].path = "/*";
        routes[i].protocol = names[i];
        routes[i].id = i + 1;
    }
    memset(&routes[200], 0, sizeof *routes);
    memset(&cfg, 0, sizeof cfg);
    cfg.routes = routes;
    cfg.trusted_proxies = 3;
    cfg.max_head = 65536;
    n = (size_t)sprintf(request, "GET / HTTP/1.1\r\n" ALL
                                 "X-Forwarded-For: 1,2,3,4\r\nSec-WebSocket-Protocol: ");
    while (n < 65000) { memcpy(request + n, "a,", 2); n += 2; }
    n += (size_t)sprintf(request + n, "p199\r\n\r\n");
    start(&s, &w, &cfg);
    side_feed(&s, request, n);
    CHECK_INT(ws_route_id(s.c), 200);
    side_over(&s);
}

/* ==== Origin, and who asks ========================================================== */

TEST(sec_I1_asked)
{
    static const struct { const char *origins, *origin; int ok;
    } t[] = {
        { NULL, NULL, 1 },
        { NULL, "http://example.com", 1 },
        { NULL, "http://evil.com", 0 },
        { NULL, "null", 0 },
        { "*", "http://evil.com", 1 },
        { "https://a.example", "https://a.example", 1 },
        { "https://a.example", "http://example.com", 0 },
    };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        world w;
        side s;
        ws_config cfg = asking();
        char request[400];

        cfg.origins = t[i].origins;
        sprintf(request, "GET / HTTP/1.1\r\n" ALL "%s%s%s" E,
                t[i].origin ? "Origin: " : "", t[i].origin ? t[i].origin : "",
                t[i].origin ? "\r\n" : "");
        start(&s, &w, &cfg);
        give(&s, request);
        CHECK_INT(s.requests, t[i].ok);
        if (t[i].ok) CHECK(str_is(ws_header_value(s.c, "Origin"), t[i].origin));
        else check_refused(&s, 403, WS_ERR_ORIGIN);
        side_over(&s);
    }
}

/* what the proxies in front wrote; "" is the socket's own address, here none */
TEST(forwarded_for)
{
    static const struct { const char *lines, *want[4];
    } t[] = {
        { "", { "", "", "", "" } },
        { "X-Forwarded-For: 192.0.2.1\r\n",
          { "", "192.0.2.1", "192.0.2.1", "192.0.2.1" } },
        { "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n",
          { "", "192.0.2.2", "192.0.2.1", "192.0.2.1" } },
        { "X-Forwarded-For: 192.0.2.1,192.0.2.2 ,\t192.0.2.3\r\n",
          { "", "192.0.2.3", "192.0.2.2", "192.0.2.1" } },
        { "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2, 192.0.2.3\r\n",
          { "", "192.0.2.3", "192.0.2.2", "192.0.2.1" } },
        { "X-Forwarded-For: 9.9.9.9, 8.8.8.8, 192.0.2.1, 192.0.2.2, 192.0.2.3\r\n",
          { "", "192.0.2.3", "192.0.2.2", "192.0.2.1" } },
        { "X-Forwarded-For: 2001:db8::7\r\n",
          { "", "2001:db8::7", "2001:db8::7", "2001:db8::7" } },
        { "X-Forwarded-For: ::ffff:192.0.2.1\r\n",
          { "", "::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1" } },
        { "X-Forwarded-For: unknown\r\n", { "", "", "", "" } },
        { "X-Forwarded-For: 192.0.2.1, unknown\r\n",
          { "", "", "192.0.2.1", "192.0.2.1" } },
        { "X-Forwarded-For: <script>, 192.0.2.2\r\n", { "", "192.0.2.2", "", "" } },
        { "X-Forwarded-For: \"192.0.2.1, 192.0.2.2\"\r\n", { "", "", "", "" } },
        { "X-Forwarded-For: \", 192.0.2.2\r\n", { "", "192.0.2.2", "", "" } },
        { "X-Forwarded-For: \"\\\", \\, \"192.0.2.1, 192.0.2.2\r\n",
          { "", "192.0.2.2", "", "" } },
        { "X-Forwarded-For: 9.9.9.9, \"\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n",
          { "", "192.0.2.2", "192.0.2.1", "" } },
        { "X-Forwarded-For: , 9.9.9.9,, \r\nX-Forwarded-For:\r\n"
          "X-Forwarded-For: ,192.0.2.2 ,\r\n",
          { "", "192.0.2.2", "9.9.9.9", "9.9.9.9" } },
        { "X-Forwarded-For: 192.0.2.1:5000, [2001:db8::1]:5000\r\n",
          { "", "2001:db8::1", "192.0.2.1", "192.0.2.1" } },
        { "X-Forwarded-For: [2001:db8::1], ::1\r\n",
          { "", "::1", "2001:db8::1", "2001:db8::1" } },
        { "X-Forwarded-For: 192.0.2.256, 192.0.2.1:x, abc\r\n", { "", "", "", "" } },
        { "X-Forwarded-For:\r\n", { "", "", "", "" } },
        { "X-Forwarded-For: ,,, ,\r\n", { "", "", "", "" } },
        { "X-Forwarded-For: 1111111111111111111111111111111111111111111111\r\n",
          { "", "", "", "" } },
        { "X-Forwarded-For: 1111:2222:3333:4444:5555:6666:123.123.123.123\r\n",
          { "", "1111:2222:3333:4444:5555:6666:123.123.123.123",
            "1111:2222:3333:4444:5555:6666:123.123.123.123",
            "1111:2222:3333:4444:5555:6666:123.123.123.123" } },
        { "X-Forwarded-Fo: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n",
          { "", "", "", "" } },
    };
    size_t i, n;
    uint32_t trusted;
    int kind;

    for (i = 0; i < COUNT(t); i++)
        for (trusted = 0; trusted < 4; trusted++)
            for (kind = 0; kind < 3; kind++) {
                world w;
                side s;
                ws_config cfg;
                buf b = { 0 };
                char got[80];
                const char *want = t[i].want[trusted];

                memset(&cfg, 0, sizeof cfg);
                cfg.ask = kind == 1;
                cfg.trusted_proxies = trusted;
                buf_str(&b,
                        kind == 2 ? "GET / HTTP/1.1\r\n" HO : "GET / HTTP/1.1\r\n" ALL);
                buf_str(&b, t[i].lines);
                buf_str(&b, E);
                start(&s, &w, &cfg);
                side_feed(&s, b.p, b.n);
                CHECK(kind == 0 ? s.opens : kind == 1 ? s.requests : s.https);
                memset(got, 'x', sizeof got);
                CHECK_INT(ws_remote(s.c, got, sizeof got),
                          *want ? (int)strlen(want) : (int)WS_ERR_ABSENT);
                CHECK_STR(got, want);
                if (kind == 1) {
                    ws_accept(s.c, NULL);
                    side_pull(&s);
                    side_frame(&s, 0x81, "x", 1);
                }
                for (n = 1; n < sizeof got;
                     n++) { /* and it stays; cut where there is no room */
                    memset(got, 'x', sizeof got);
                    CHECK_INT(ws_remote(s.c, got, n),
                              !*want              ? (int)WS_ERR_ABSENT
                              : strlen(want) < n ? (int)strlen(want)
                                                 : (int)WS_ERR_ARGUMENT);
                    CHECK(!strncmp(got, want, n - 1) && got[n] == 'x');
                }
                CHECK_INT(ws_remote(s.c, NULL, 9), WS_ERR_ARGUMENT);
                CHECK_INT(ws_remote(s.c, got, 0), WS_ERR_ARGUMENT);
                buf_free(&b);
                side_over(&s);
            }
    {
        static uint64_t block[1024];
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        CHECK_INT(ws_error(ws_server_new(&cfg)), 0);
        cfg.trusted_proxies = 1; /* there would be no room for the address */
        CHECK_INT(ws_error(ws_server_new(&cfg)), WS_ERR_ARGUMENT);
    }
}

/* nothing that a client puts in front of what the proxy writes changes what is told */
TEST(forwarded_behind_anything)
{
    static const char *form[] = {
        "X-Forwarded-For: %c, 192.0.2.7\r\n", "X-Forwarded-For: a%cb,192.0.2.7\r\n",
        "X-Forwarded-For: %c\r\nX-Forwarded-For: 192.0.2.7\r\n"
    };
    char request[300], got[80];
    ws_config cfg;
    int c, i;

    memset(&cfg, 0, sizeof cfg);
    cfg.trusted_proxies = 1;
    for (c = 32; c < 256; c++) for (i = 0; i < 3 && c != 127; i++) {
        world w;
        side s;
        int n = sprintf(request, "GET / HTTP/1.1\r\n" HO);
        n += sprintf(request + n, form[i], c);
        n += sprintf(request + n, "\r\n");
        start(&s, &w, &cfg);
        side_feed(&s, request, (size_t)n);
        CHECK_INT(s.https, 1);
        ws_remote(s.c, got, sizeof got);
        CHECK_STR(got, "192.0.2.7");
        side_over(&s);
    }
}

/* all memory in one block: asked, answered, with the subprotocols of the configuration */
TEST(asked_in_fixed_memory)
{
    static const ws_header h[] = { { "X-A", "b" }, { NULL, NULL } };
    static const struct { const char *choice; int r; const char *want;
    } t[] = {
        { NULL, 0, "a" },
        { "b", 0, "b" },
        { "", 0, "" },
        { "z", WS_ERR_MEMORY, "a" },
        { "y", WS_ERR_ARGUMENT, "a" },
    };
    size_t i;
    int no;

    for (i = 0; i < COUNT(t); i++) for (no = 0; no < 2; no++) {
        static uint64_t block[1024];
        world w;
        side s;
        ws_config cfg;
        ws_answer a;
        buf b = { 0 };

        a.protocol = t[i].choice;
        a.headers = h;
        cfg = asking();
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.protocols = "a, b";
        start(&s, &w, &cfg);
        put_frames(&b, "81'early'", 1);
        give(&s, "GET /chat HTTP/1.1\r\n" ALL "Sec-WebSocket-Protocol: z, a, b\r\n" E);
        CHECK_EVENTS(&s, "R ");
        CHECK_STR(ws_target(s.c), "/chat");
        CHECK_INT(ws_feed_room(s.c), 0);
        if (no) {
            CHECK_INT(ws_reject(s.c, 403, h, "no"), 0);
            side_pull(&s);
            check_refused(&s, 403, WS_ERR_REJECTED);
        } else {
            CHECK_INT(ws_accept(s.c, &a), t[i].r);
            if (t[i].r) CHECK_INT(ws_accept(s.c, NULL), 0);
            side_pull(&s);
            side_feed(&s, b.p, b.n);
            CHECK_EVENTS(&s, "R O T'early' ");
            CHECK_STR(ws_protocol(s.c), t[i].want);
            check_open(&s);
        }
        CHECK_INT(w.h.calls, 0);
        buf_free(&b);
        side_over(&s);
    }
}

/* ==== requests parsed elsewhere ===================================================== */

TEST(is_upgrade)
{
    static const char *method[] = { "GET", "POST", "HEAD", "get" },
                      *version[] = { "1.1", "1.0", "2.0" };
    static const char *upgrade[] = { "",
                                     UP,
                                     "upgrade:  WebSocket\t\r\n",
                                     "Upgrade: h2c, websocket\r\n",
                                     "Upgrade: h2c\r\nUpgrade: websocket\r\n",
                                     "Upgrade: websocketx\r\n",
                                     "Upgrade: \"websocket\"\r\n",
                                     "X-Upgrade: websocket\r\n" };
    static const char *connection[] = { "",
                                        CO,
                                        "Connection: keep-alive, UPGRADE\r\n",
                                        "connection: a\r\nconnection: upgrade\r\n",
                                        "Connection: close\r\n",
                                        "Connection: upgraded\r\n" };
    static const char *rest[] = { HO KE VE,
                                  HO KE,
                                  HO VE,
                                  KE VE,
                                  HO,
                                  "",
                                  HO KE VE "Content-Length: 5\r\n",
                                  HO KE VE "Origin: http://evil\r\n" };
    size_t m, v, u, c, r, n;

    for (m = 0; m < 4; m++)
        for (v = 0; v < 3; v++)
            for (u = 0; u < 8; u++)
                for (c = 0; c < 6; c++)
                    for (r = 0; r < 8; r++) {
                        char head[600], *exact;
                        world w;
                        side s;
                        int want = !m && u > 0 && u < 5 && c > 0 && c < 4, got;

                        n = (size_t)sprintf(head, "%s /x HTTP/%s\r\n%s%s%s\r\n",
                                            method[m], version[v], rest[r], connection[c],
                                            upgrade[u]);
                        exact = (char *)malloc(n);
                        memcpy(exact, head, n);
                        got = ws_is_upgrade((ws_str){ exact, n });
                        CHECK_INT(got, want);
                        free(exact);
                        start(&s, &w, NULL);
                        side_feed(&s, head, n);
                        if (got)
                            CHECK_INT(s.https, 0); /* hand it over: a verdict comes */
                        if (s.requests)
                            CHECK_INT(got, 1);
                        if (s.https || s.error == WS_ERR_UPGRADE ||
                            s.error == WS_ERR_CONNECTION || s.error == WS_ERR_METHOD)
                            CHECK_INT(got, 0);
                        side_over(&s);
                    }
    for (n = 0; n <= sizeof REQUEST - 1;
         n++) { /* what is no head: no, and not a byte too far */
        char *exact = (char *)malloc(n ? n : 1);
        memcpy(exact, REQUEST, n);
        ws_is_upgrade((ws_str){ exact, n });
        if (n < 60) CHECK_INT(ws_is_upgrade((ws_str){ exact, n }), 0);
        free(exact);
    }
    CHECK_INT(ws_is_upgrade((ws_str){ NULL, 0 }), 0);
    CHECK_INT(ws_is_upgrade((ws_str){ "\r\n\r\n", 4 }), 0);
}

/* The text parsed by the library's scanner gives the pieces back. */
static int parses_to(const char *text, size_t n, const char *method, const char *target,
                     const ws_header *h)
{
    ws_head scan;
    ws_str head, a, b, v;
    size_t pos = 0;

    memset(&scan, 0, sizeof scan);
    if (ws_head_scan(&scan, text, n) != (int)n) return 0;
    head.data = text;
    head.size = n;
    if (ws_head_request(head, &a, &b, &v) || !str_is(a, method) || !str_is(b, target) ||
        !str_is(v, "HTTP/1.1"))
        return 0;
    for (; h && h->name; h++)
        if (!ws_head_field(head, &pos, &a, &b) || !str_is(a, h->name) ||
            !str_is(b, h->value))
            return 0;
    return !ws_head_field(head, &pos, &a, &b);
}

TEST(head_format)
{
    static const ws_header all[] = {
        { "Host", "example.com" },         { "Upgrade", "websocket" },
        { "Connection", "Upgrade" },       { "Sec-WebSocket-Key", KEY },
        { "Sec-WebSocket-Version", "13" }, { NULL, NULL }
    };
    static const ws_header injected[] = { { "A", "b\r\nC: d" }, { NULL, NULL } };
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char out[600];
    int n, size = sizeof REQUEST - 1, where, at, c;

    for (n = 0; n < size + 5; n++) {
        char *exact = (char *)malloc(n ? n : 1);
        int got = ws_head_format(exact, n, "GET", "/chat?x=1", all);
        CHECK_INT(got, n > size ? size : (int)WS_ERR_ARGUMENT);
        if (got > 0) CHECK_STR(exact, REQUEST);
        free(exact);
    }
    n = ws_head_format(out, sizeof out, "GET", "/", NULL);
    CHECK(n > 0 && parses_to(out, n, "GET", "/", NULL));
    for (where = 0; where < 4; where++)
        for (at = 0; at < 3; at++)
            for (c = 1; c < 256; c++) {
                char text[] = "xyz";
                ws_header h[3] = { { "X-A", "b" }, { "Last", "" }, { NULL, NULL } };
                const char *method = "GET", *target = "/t";
                int good = where == 0 || where == 2 ? strchr(token, c) != NULL
                           : where == 1             ? c > 32 && c < 127
                                                    : (c >= 32 && c != 127) || c == '\t';
                text[at] = (char)c;
                if (where == 0)
                    method = text;
                if (where == 1)
                    target = text;
                if (where == 2)
                    h[0].name = text;
                if (where == 3)
                    h[0].value = text;
                n = ws_head_format(out, sizeof out, method, target, h);
                CHECK_INT(n > 0, good);
                if (n > 0 && where == 3 && at != 1 && (c == ' ' || c == '\t'))
                    continue; /* outer blanks do not count */
                if (n > 0)
                    CHECK(parses_to(out, n, method, target, h));
            }
    CHECK_INT(
        ws_head_format(out, sizeof out, "GET / HTTP/1.1\r\nEvil: 1\r\nX:", "/", all),
        WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, "GET", "/ HTTP/1.1\r\nEvil: 1\r\nX:", all),
              WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, "GET", "/", injected), WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, "", "/", all), WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, "GET", "", all), WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, NULL, "/", all), WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(out, sizeof out, "GET", NULL, all), WS_ERR_ARGUMENT);
    CHECK_INT(ws_head_format(NULL, 100, "GET", "/", all), WS_ERR_ARGUMENT);
    {                                               /* and a server takes it */
        world w;
        side s;
        n = ws_head_format(out, sizeof out, "GET", "/chat?x=1", all);
        start(&s, &w, NULL);
        side_feed(&s, out, n);
        CHECK_EVENTS(&s, "R ");
        side_over(&s);
    }
}

/* ==== refusals as a client sees them ================================================ */

typedef struct shown {
    int status;
    char body[5000];
    size_t size;
    char header[40];
    int events;
} shown;

static void show_refusal(side *s, const ws_event *ev)
{
    shown *v = (shown *)s->user;
    ws_str b = ws_body(s->c), h = ws_header_value(s->c, "www-authenticate");

    v->events++;
    CHECK_INT(ev->type, WS_EV_CLOSE);
    v->status = ws_status(s->c);
    v->size = b.size;
    CHECK(b.data && b.size <= WS_BODY_MAX);
    memcpy(v->body, b.data, b.size);
    v->body[b.size] = 0;
    snprintf(v->header, sizeof v->header, "%.*s", (int)h.size, h.data ? h.data : "");
}

static void client_start(side *s, world *w, shown *v, const ws_config *with)
{
    ws_config cfg;

    world_init(w);
    cfg = world_config_with(w, with);
    side_new(s, w, 1, &cfg);
    memset(v, 0, sizeof *v);
    s->user = v;
    s->event = show_refusal;
    side_pull(s);
}

#define R401 "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"

typedef struct refusal { const char *head, *body, *want; int status, how; } refusal;
enum { ENDS, NEEDS_EOF }; /* it is complete by itself, or with the end of the stream */

static const refusal refusals[] = {
    { R401 "Content-Length: 5\r\n\r\n", "hello", "hello", 401, ENDS },
    { R401 "Content-Length: 5\r\n\r\n", "hello, and more that is not of it", "hello", 401,
      ENDS },
    { R401 "Content-Length: 0\r\n\r\n", "", "", 401, ENDS },
    { R401 "Content-Length: 0\r\n\r\n", "junk", "", 401, ENDS },
    { R401 "\r\n", "until the end", "until the end", 401, NEEDS_EOF },
    { R401 "\r\n", "", "", 401, NEEDS_EOF },
    { R401 "Content-Length: 50\r\n\r\n", "cut short", "cut short", 401, NEEDS_EOF },
    { R401 "Content-Length: what\r\n\r\n", "until the end", "until the end", 401,
      NEEDS_EOF },
    { R401 "Content-Length: 0:\r\n\r\n", "until the end", "until the end", 401,
      NEEDS_EOF },
    { R401 "Content-Length: -1\r\n\r\n", "until the end", "until the end", 401,
      NEEDS_EOF },
    { R401 "Content-Length: 99999999999999999999999999\r\n\r\n", "x", "x", 401,
      NEEDS_EOF },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", 401,
      ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "0\r\n\r\nmore", "", 401, ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
      "0\r\n\r\n", 401, ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n",
      "A;x=y\r\n0123456789\r\n00;z\r\nT: 1\r\nU: 2\r\n\r\nX", "0123456789", 401, ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n",
      "2\r\nab\r\n6\r\nc\r\n\r\nd\r\n0\r\n\r\nX", "abc\r\n\r\nd", 401, ENDS },
    { R401 "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
      "1\r\nx\r\n0\r\n\r\n", "x", 401, ENDS },
    { R401 "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
      "1\r\nx\r\n0\r\n\r\n", "x", 401, ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "FFFFFFFFFFFFFFFFFFFFFF\r\nx", "", 401,
      ENDS },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "what\r\n\r\nx", "", 401, ENDS },
    { R401 "Transfer-Encoding: gzip, Chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "x", 401,
      ENDS },
    { R401 "Transfer-Encoding: identity\r\n\r\n", "1\r\nx\r\n0\r\n\r\n",
      "1\r\nx\r\n0\r\n\r\n", 401, NEEDS_EOF },
    { R401 "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhel", "hel", 401, NEEDS_EOF },
    { "HTTP/1.1 204 No Content\r\nWWW-Authenticate: Basic\r\n\r\n", "", "", 204, ENDS },
    { "HTTP/1.1 304 Not Modified\r\nWWW-Authenticate: Basic\r\nContent-Length: 10\r\n"
      "\r\n",
      "", "", 304, ENDS },
    { "HTTP/1.1 302 Found\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\n", "go",
      "go", 302, ENDS },
    { "HTTP/1.1 503 Busy\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\n", "no",
      "no", 503, ENDS },
};

static void check_shown(side *s, const shown *v, const refusal *r)
{
    CHECK_INT(v->events, 1);
    CHECK_INT(s->closes, 1);
    CHECK_INT(s->error, WS_ERR_STATUS);
    CHECK_INT(s->code, 1006);
    CHECK_INT(v->status, r->status);
    CHECK_STR(v->header, "Basic");
    CHECK_INT(v->size, strlen(r->want));
    CHECK_STR(v->body, r->want);
}

/* status, headers and body at CLOSE, the same for every cut, and when the stream or the
   time ends before the body */
TEST(refusal_bodies)
{
    size_t i, k;
    int late;

    for (i = 0; i < COUNT(refusals); i++) {
        const refusal *r = &refusals[i];
        buf b = { 0 };
        int faults = test_faults;

        buf_str(&b, r->head);
        buf_str(&b, r->body);
        for (late = 0; late < 2; late++) for (k = 0; k <= b.n; k++) {
            world w;
            side s;
            shown v;

            client_start(&s, &w, &v, NULL);
            side_feed_cut(&s, &b, k);
            if (r->how == NEEDS_EOF) {
                CHECK_INT(s.closes, 0);
                if (!late) side_end(&s);
                else side_time(&s, 9999);
                if (late) CHECK_INT(s.closes, 0);
                if (late) side_time(&s, 1);
            }
            check_shown(&s, &v, r);
            side_time(&s, 60000);
            CHECK(str_is(ws_body(s.c), ""));        /* another pull came since */
            CHECK(str_is(ws_header_value(s.c, "www-authenticate"), NULL));
            CHECK_INT(ws_status(s.c), r->status);
            side_over(&s);
        }
        {                               /* byte by byte */
            world w;
            side s;
            shown v;
            client_start(&s, &w, &v, NULL);
            side_feed_by(&s, b.p, b.n, 1);
            if (r->how == NEEDS_EOF) side_end(&s);
            check_shown(&s, &v, r);
            side_over(&s);
        }
        if (test_faults > faults) printf("  refusal %d\n", (int)i);
        buf_free(&b);
    }
}

static void go_on(side *s, const ws_event *ev)
{
    (void)s;
    if (ev->type == WS_EV_HTTP) CHECK_INT(ws_http_begin(ev->conn, 200, NULL, 1), 0);
}

/* an answer whose last chunk finds no memory is not told as whole */
TEST(body_end_without_memory)
{
    int fail;

    for (fail = 0; fail < 2; fail++) {
        world w;
        ws_config cfg = world_fresh(&w);
        side s;

        side_new(&s, &w, 0, &cfg);
        s.event = go_on;
        side_feed(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
        side_pull(&s);
        w.h.fail_at = fail ? w.h.calls + 1 : 0;
        CHECK_INT(ws_http_end(s.c), fail ? WS_ERR_MEMORY : 0);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, !fail);
        CHECK_INT(s.error, fail ? WS_ERR_MEMORY : 0);
        side_over(&s);
    }
}

/* a header of the next tries is a secret like one of cfg.headers */
TEST(next_header_stays)
{
    static const char *names[] = { "Authorization", "cookie", "X-Other" };
    int crossed, k;

    for (crossed = 0; crossed < 2; crossed++) for (k = 0; k < 3; k++) {
        world w;
        ws_config cfg = world_fresh(&w);
        ws_conn *c;
        ws_url url;
        size_t n;
        const char *out;
        char text[2000] = "";

        c = ws_client_new(URL, &cfg);
        CHECK_INT(ws_reconnect_header(c, names[k], "s3cret"), 0);
        ws_output(c, &n);
        ws_output_done(c, n);
        ws__client_of(c)->crossed = (uint8_t)crossed;
        ws_url_parse(URL, strlen(URL), &url);
        CHECK_INT(ws__request_put(c, &url), 0);
        out = (const char *)ws_output(c, &n);
        memcpy(text, out, n);
        CHECK_INT(strstr(text, "s3cret") != NULL, !crossed || k == 2);
        ws_free(c);
        CHECK_INT(w.h.live, 0);
    }
}

/* What a try after the first one asks with. */
static void next_request(ws_conn *c, buf *out)
{
    ws_url url;
    size_t n;
    const char *p;

    ws_output(c, &n);
    ws_output_done(c, n);
    ws_url_parse(c->cfg->url, strlen(c->cfg->url), &url);
    CHECK_INT(ws__request_put(c, &url), 0);
    p = (const char *)ws_output(c, &n);
    buf_clear(out);
    buf_add(out, p, n);
}

/* it stands in place of those of its name in cfg.headers, all of them and no others; ""
   hides them, NULL shows them again; what fails changes nothing */
TEST(next_header_replaces)
{
    static const ws_header own[] = { { "authorization", "t0" },
                                     { "X-A", "a" },
                                     { "Authorizatio", "b" },
                                     { "AUTHORIZATION", "t00" },
                                     { "Authorization-X", "" },
                                     { "X-A", "c" },
                                     { NULL, NULL } };
    static const struct { const char *name, *value, *want; int times, r;
    } t[] = {
        { "X-B", NULL, "t0", 2, 0 },
        { "Authorization", "t1", "t1", 1, 0 },
        { "aUTHORIZATION", "t2", "t2", 1, 0 },
        { "Authorization", "b\x01", "t2", 1, WS_ERR_ARGUMENT },
        { "Authorization", "", NULL, 0, 0 },
        { "x-b", "2", "t0", 2, 0 },
        { "AUTHORIZATION", "x", "x", 1, 0 },
        { "Authorization", NULL, "t0", 2, 0 },
    };
    world w;
    ws_config cfg = world_fresh(&w);
    ws_conn *c;
    buf out = { 0 };
    size_t i;
    int n, want_b = 0;

    cfg.headers = own;
    cfg.proxy_headers = own;                    /* stay what they are */
    c = ws__client_new(URL, &cfg, &cfg, 1, 1);
    for (i = 0; i < COUNT(t); i++) {
        const char *v;
        CHECK_INT(ws_reconnect_header(c, t[i].name, t[i].value), t[i].r);
        next_request(c, &out);
        v = head_field(&out, "Authorization", &n);
        CHECK_INT(n, t[i].times);
        CHECK(t[i].want ? v && !strcmp(v, t[i].want) : !v);
        head_field(&out, "X-A", &n);
        CHECK_INT(n, 2);
        CHECK_FIELD(&out, "Authorizatio", "b");
        CHECK_FIELD(&out, "Authorization-X", "");
        want_b = t[i].r ? want_b : !strcmp(t[i].name, "x-b");
        CHECK_FIELD(&out, "X-B", want_b ? "2" : NULL);
        CHECK_STR(c->cfg->lines + strlen(c->cfg->lines) + 1, c->cfg->lines);
    }
    w.h.fail_at = w.h.calls + 1;
    CHECK_INT(ws_reconnect_header(c, "Authorization", "t3"), WS_ERR_MEMORY);
    next_request(c, &out);
    CHECK_STR(head_field(&out, "Authorization", &n), "t0");
    buf_free(&out);
    ws_free(c);
    CHECK_INT(w.h.live, 0);
}

enum {
    OF_CLIENT,
    OF_HTTP_CLIENT,
    OF_PROXY,
    OF_TUNNEL,
    OF_NEXT,
    OF_SERVER,
    OF_ACCEPT,
    OF_REJECT,
    OF_REPLY,
    OF_BEGIN,
    OF_CHUNKED,
    OF_ALL
};

/* Of a client that connects by itself: they go to the proxy, not with the request. */
static int proxy_headers_given(ws_config *cfg, const ws_header *h, buf *out)
{
    ws_conn *c;
    const void *p;
    size_t n;
    int r;

    cfg->proxy_headers = h;
    c = ws__client_new(URL, cfg, cfg, 1, 1);
    r = ws_error(c);
    p = ws_output(c, &n);
    buf_clear(out);
    buf_add(out, p, n);
    ws_free(c);
    return r;
}

/* What giving these headers there returns; what was refused changes nothing. out: the
   head that goes out, with headers or without them. */
static int headers_given(int where, const ws_header *h, buf *out)
{
    world w;
    ws_config cfg;
    side s;
    ws_tunnel t;
    ws_answer a = { NULL, h };
    ws_event ev;
    int r, in_cfg = where < OF_TUNNEL || where == OF_SERVER, http = where > OF_REJECT;

    if (where == OF_TUNNEL) return ws_tunnel_init(&t, "http://p:1", "h", 2, h);
    cfg = world_fresh(&w);
    if (where == OF_PROXY) return proxy_headers_given(&cfg, h, out);
    if (in_cfg) cfg.headers = h;
    if (where == OF_HTTP_CLIENT) cfg.method = "POST";
    cfg.ask = where == OF_ACCEPT || where == OF_REJECT;
    side_new(&s, &w, where < OF_SERVER, &cfg);
    r = in_cfg ? ws_error(s.c) : 0;
    if (where >= OF_SERVER && !r) {
        const char *text = http ? "GET / HTTP/1.1\r\n" HO "\r\n" : REQUEST;
        CHECK_INT(ws_feed(s.c, text, strlen(text)), strlen(text));
        CHECK_INT(ws_next(s.c, &ev), 1);
        for (; where > OF_SERVER; h = NULL) {
            int k = where == OF_ACCEPT   ? ws_accept(s.c, h ? &a : NULL)
                    : where == OF_REJECT ? ws_reject(s.c, 403, h, "no")
                    : where == OF_REPLY  ? ws_http_reply(s.c, 200, h, "hello", 5)
                                        : ws_http_begin(s.c, 200, h, where == OF_CHUNKED);
            if (h && k) { r = k; CHECK_INT(ws_buffered(s.c), 0); }
            if (!k) break;
            CHECK(h != NULL);
        }
    }
    if (where == OF_NEXT) {
        r = ws_reconnect_header(s.c, h->name, h->value);
        next_request(s.c, out);
    } else if (!in_cfg || !r) {
        side_pull(&s);
        buf_clear(out);
        buf_add(out, s.out.p, s.out.n);
    }
    side_over(&s);
    return r;
}

/* the names that the library alone writes are refused from the application wherever it
   can give headers, in any case; what only resembles them is sent */
TEST(headers_of_the_library)
{
    static const char *names[] = { "Host",
                                   "Connection",
                                   "Upgrade",
                                   "Transfer-Encoding",
                                   "Sec-WebSocket-Key",
                                   "Sec-WebSocket-Version",
                                   "Sec-WebSocket-Accept",
                                   "Sec-WebSocket-Protocol",
                                   "Sec-WebSocket-Extensions",
                                   "Content-Length" };
    ws_header h[3] = { { "X-A", "b" }, { NULL, "5" }, { NULL, NULL } };
    char name[40];
    buf out = { 0 };
    size_t i, k, at;
    int where, n;

    for (where = 0; where < OF_ALL; where++)
        for (i = 0; i < COUNT(names); i++)
            for (k = 0; k < 4; k++) {
                int sized = i == 9 && (where == OF_REJECT || where == OF_REPLY ||
                                       where == OF_BEGIN);
                const ws_header *from = where == OF_NEXT ? h + 1 : h;
                strcpy(name, names[i]);
                for (at = 0; name[at] && k == 1; at++) name[at] = ws__lower(name[at]);
                if (k == 2) strcat(name, "x");
        if (k == 3) name[strlen(name) - 1] = 0;
        h[1].name = name;
        buf_clear(&out);
        CHECK_INT(headers_given(where, from, &out),
                  k < 2 && !sized ? WS_ERR_ARGUMENT : 0);
        if (where == OF_TUNNEL || where == OF_PROXY) continue;
        if (k > 1) CHECK_FIELD(&out, name, "5");
        for (at = 0; at < COUNT(names); at++) {
            head_field(&out, names[at], &n);
            CHECK(n <= 1);
        }
        if (head_field(&out, "Transfer-Encoding", &n))
            CHECK_FIELD(&out, "Content-Length", NULL);
        if (sized && k < 2) CHECK_FIELD(&out, "Content-Length", "5");
            }
    buf_free(&out);
}

/* what of the application's goes in place of what the library would write */
TEST(headers_in_place)
{
    static const ws_header own[] = { { "origin", "http://own" },
                                     { "authorization", "own" },
                                     { NULL, NULL } };
    int k, http;

    for (k = 0; k < 4; k++) for (http = 0; http < 2; http++) {
        world w;
        ws_config cfg = world_fresh(&w);
        ws_conn *c;
        buf out = { 0 };

        cfg.origin = "http://cfg";
        if (http) cfg.method = "GET";
        if (k & 1) cfg.headers = own;
        c = ws_client_new("ws://u:p@example.com/", &cfg);
        if (k & 2) CHECK_INT(ws_reconnect_header(c, "Authorization", "next"), 0);
        next_request(c, &out);
        CHECK_FIELD(&out, "Authorization", k & 2 ? "next" : k & 1 ? "own" : "Basic dTpw");
        CHECK_FIELD(&out, "Origin", k & 1 ? "http://own" : http ? NULL : "http://cfg");
        ws_reconnect_header(c, "Origin", "");
        next_request(c, &out);
        CHECK_FIELD(&out, "Origin", NULL);
        buf_free(&out);
        ws_free(c);
        CHECK_INT(w.h.live, 0);
    }
}

/* more than WS_BODY_MAX is not waited for, and not shown */
TEST(refusal_too_large)
{
    static const char *heads[] = { R401 "\r\n", R401 "Content-Length: 10000\r\n\r\n",
                                   R401 "Content-Length: 4097\r\n\r\n",
                                   R401 "Transfer-Encoding: chunked\r\n\r\n3000\r\n" };
    static char body[12000];
    size_t i, step;

    for (i = 0; i < sizeof body; i++) body[i] = fill_at(i);
    for (i = 0; i < COUNT(heads); i++)
        for (step = 1; step <= sizeof body; step = step * 3 + 1) {
            world w;
            side s;
            shown v;
            size_t at, less = i == 3 ? 6 : 0; /* the chunk's line */

            client_start(&s, &w, &v, NULL);
            give(&s, heads[i]);
            w.h.peak = w.h.now;
            for (at = 0; at < sizeof body && !s.closes; at += step)
                side_feed(&s, body + at,
                          sizeof body - at < step ? sizeof body - at : step);
            CHECK_INT(v.events, 1);
            CHECK_INT(s.error, WS_ERR_STATUS);
            CHECK(v.size >= WS_BODY_MAX - less && v.size <= WS_BODY_MAX);
            CHECK(!memcmp(v.body, body, v.size));
            if (step < 100)
                CHECK(w.h.peak < 4 * 4096);
            side_over(&s);
        }
}

/* a refusal of our own server, read by our own client */
TEST(refusal_both_ends)
{
    static const ws_header h[] = { { "WWW-Authenticate", "Basic" },
                                   { "Set-Cookie", "a=1" },
                                   { NULL, NULL } };
    static const int status[] = { 300, 302, 304, 400, 401, 403, 404, 429, 500, 503, 599 };
    size_t i;
    int text;

    for (i = 0; i < COUNT(status); i++) for (text = 0; text < 2; text++) {
        world w, u;
        side s, c;
        shown v;

        client_start(&c, &u, &v, NULL);
        start(&s, &w, NULL);
        side_feed(&s, c.out.p, c.out.n);
        CHECK_INT(ws_reject(s.c, status[i], h, text ? "the reason" : NULL), 0);
        side_pull(&s);
        side_feed(&c, s.out.p, s.out.n);
        CHECK_INT(v.events, 1);
        CHECK_INT(v.status, status[i]);
        CHECK_STR(v.header, "Basic");
        CHECK_STR(v.body, text && status[i] != 304 ? "the reason" : "");
        CHECK(strstr(s.reason, text ? "the reason" : "application refused") != NULL);
        side_over(&s);
        side_over(&c);
    }
}

/* an answer of 101 has no body; frames behind it are frames */
TEST(no_body_of_a_101)
{
    world w;
    side s;
    buf b = { 0 };
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 1, &cfg);
    side_pull(&s);
    put_answer(&b, &s.out, "Content-Length: 4\r\n");
    put_frames(&b, "81'x'", 0);
    ws_feed(s.c, b.p, b.n);
    CHECK_INT(side_next(&s), 1);
    CHECK_INT(ws_status(s.c), 101);
    CHECK(str_is(ws_body(s.c), ""));
    side_pull(&s);
    CHECK_EVENTS(&s, "O T'x' ");
    buf_free(&b);
    side_over(&s);
}

/* ==== one call each, as an application uses it ====================================== */

#define GET(target, lines) "GET " target " HTTP/1.1\r\n" ALL lines E

/* A server that was given the request, in a world that begins here; on: its
   application. */
static void ask(side *s, world *w, const ws_config *with, const char *request,
                void (*on)(side *s, const ws_event *ev))
{
    ws_config none;

    memset(&none, 0, sizeof none);
    start(s, w, with ? with : &none);
    s->event = on;
    give(s, request);
}

/* a head that another server parsed is told, put together again, and opens a
   connection */
TEST(upgrade_parsed_elsewhere)
{
    static const struct { const char *head; int is;
    } heads[] = {
        { GET("/", ""), 1 },
        { "GET / HTTP/1.1\r\nupgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
          "\r\n",
          1 },
        { "GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 0 },
        { "POST / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrades\r\n\r\n", 0 },
        { "nonsense", 0 },
        { "", 0 }
    };
    static const ws_header parsed[] = {
        { "Upgrade", "websocket" },        { "Connection", "Upgrade" },
        { "Host", "example.com" },         { "Sec-WebSocket-Key", KEY },
        { "Sec-WebSocket-Version", "13" }, { NULL, NULL }
    };
    char head[400];
    world w;
    side s;
    int i;

    for (i = 0; i < COUNT(heads); i++)
        CHECK_INT(ws_is_upgrade(str_of(heads[i].head)), heads[i].is);
    CHECK(ws_head_format(head, sizeof head, "GET", "/chat", parsed) > 0);
    CHECK_INT(ws_is_upgrade(str_of(head)), 1);
    ask(&s, &w, NULL, head, NULL);
    CHECK_EVENTS(&s, "O ");
    side_over(&s);
}

static void read_request(side *s, const ws_event *ev)
{
    ws_str name, value;
    size_t pos = 0;
    int lines = 0;
    char text[32];

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_STR(ws_method(s->c), "GET");
    CHECK_STR(ws_target(s->c), "/a/b?x=1&name=a%20b+c");
    CHECK(str_is(ws_path(s->c), "/a/b"));
    CHECK_INT(ws_query(s->c, "name", text, sizeof text), 5);
    CHECK_STR(text, "a b c");
    CHECK_INT(ws_query(s->c, "nobody", text, sizeof text), WS_ERR_ABSENT);
    CHECK(str_is(ws_header_value(s->c, "hOsT"), "example.com"));
    CHECK(ws_header_value(s->c, "Cookie").data == NULL);
    CHECK(str_is(ws_header_value(s->c, "Origin"), "http://example.com"));
    CHECK(str_is(ws_header_item(s->c, "Sec-WebSocket-Protocol", 0), "one"));
    CHECK(str_is(ws_header_item(s->c, "Sec-WebSocket-Protocol", 1), "two"));
    CHECK(ws_header_item(s->c, "Sec-WebSocket-Protocol", 2).data == NULL);
    CHECK(str_is(ws_header_item(s->c, "Sec-WebSocket-Extensions", 0),
                 "permessage-deflate; a=\"b,c\""));
    while (ws_header_next(s->c, &pos, &name, &value)) lines++;
    CHECK_INT(lines, 8);
    ws_accept(s->c, NULL);
}

TEST(all_of_a_request_is_told)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg, GET("/a/b?x=1&name=a%20b+c", "Origin: http://example.com\r\n"
        "Sec-WebSocket-Protocol: one, two\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; a=\"b,c\"\r\n"), read_request);
    CHECK_EVENTS(&s, "R O ");
    side_over(&s);
}

/* as long as the deadline of the handshake allows; bytes that come meanwhile are kept */
TEST(parked_keeps_what_comes)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg, GET("/", ""), NULL);
    CHECK_EVENTS(&s, "R ");
    CHECK_INT(s.out.n, 0);
    side_frame(&s, 0x81, "early", 5);
    side_time(&s, 9900);
    CHECK_EVENTS(&s, "R ");
    CHECK_INT(ws_accept(s.c, NULL), 0);
    CHECK(ws_accept(s.c, NULL) < 0);
    CHECK(ws_reject(s.c, 403, NULL, NULL) < 0);
    side_pull(&s);
    CHECK_EVENTS(&s, "R O T'early' ");
    side_over(&s);

    ask(&s, &w, &cfg, GET("/", ""), NULL);
    side_time(&s, 10001);
    CHECK_EVENTS(&s, "R C1006!HANDSHAKE_TIMEOUT ");
    CHECK(ws_accept(s.c, NULL) < 0);
    side_over(&s);
}

static void accept_two(side *s, const ws_event *ev)
{
    static const ws_header lines[] = {
        { "Set-Cookie", "seen=1; Path=/" }, { "X-Node", "7" }, { NULL, NULL }
    };
    ws_answer answer = { "two", lines };

    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_accept(s->c, &answer), 0);
    if (ev->type == WS_EV_OPEN) CHECK_STR(ws_protocol(s->c), "two");
}

static void accept_foreign(side *s, const ws_event *ev)
{
    ws_answer answer = { "three", NULL };

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_INT(ws_accept(s->c, &answer), WS_ERR_ARGUMENT);
    answer.protocol = "";
    CHECK_INT(ws_accept(s->c, &answer), 0);
}

TEST(accepted_with_subprotocol_and_headers)
{
    static const char *request = GET("/", "Sec-WebSocket-Protocol: one, two\r\n");
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg, request, accept_two);
    CHECK_EVENTS(&s, "R O ");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "two");
    CHECK_FIELD(&s.out, "Set-Cookie", "seen=1; Path=/");
    CHECK_FIELD(&s.out, "X-Node", "7");
    side_over(&s);
    ask(&s, &w, &cfg, request, accept_foreign);
    CHECK_EVENTS(&s, "R O ");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", NULL);
    side_over(&s);
}

static void reject_login(side *s, const ws_event *ev)
{
    static const ws_header lines[] = { { "WWW-Authenticate", "Basic" }, { NULL, NULL } };

    if (ev->type == WS_EV_REQUEST)
        CHECK_INT(ws_reject(s->c, 401, lines, "who are you?"), 0);
}

TEST(rejected_with_headers_and_body)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg, GET("/", ""), reject_login);
    CHECK(!strncmp(s.out.p, "HTTP/1.1 401 Unauthorized\r\n", 27));
    CHECK_FIELD(&s.out, "WWW-Authenticate", "Basic");
    CHECK_STR(s.out.p + head_size(&s.out), "who are you?");
    CHECK_EVENTS(&s, "R C1006!REJECTED ");
    CHECK(strstr(ws_error_text(s.c), "who are you?") != NULL);
    side_over(&s);
}

/* without cfg.ask all good requests are accepted, with it none by itself */
TEST(who_is_not_asked_accepts)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, NULL, GET("/", ""), NULL);
    CHECK_EVENTS(&s, "O ");
    side_over(&s);
    ask(&s, &w, &cfg, GET("/", ""), NULL);
    CHECK_EVENTS(&s, "R ");
    CHECK_INT(s.out.n, 0);
    side_over(&s);
}

TEST(origins_allowed)
{
    static const char *const two = "https://a.example, https://b.example";
    const struct { const char *origins, *request; int good; } cases[] = {
        { NULL, GET("/", ""), 1 },
        { NULL, GET("/", "Origin: http://example.com\r\n"), 1 },
        { NULL, GET("/", "Origin: http://evil.example\r\n"), 0 },
        { "*", GET("/", "Origin: http://evil.example\r\n"), 1 },
        { two, GET("/", "Origin: https://b.example\r\n"), 1 },
        { two, GET("/", "Origin: http://example.com\r\n"), 0 }
    };
    int i;

    for (i = 0; i < COUNT(cases); i++) {
        ws_config cfg;
        world w;
        side s;

        memset(&cfg, 0, sizeof cfg);
        cfg.origins = cases[i].origins;
        ask(&s, &w, &cfg, cases[i].request, NULL);
        CHECK_EVENTS(&s, cases[i].good ? "O " : "C1006!ORIGIN ");
        CHECK_INT(head_status(&s.out), cases[i].good ? 101 : 403);
        side_over(&s);
    }
}

TEST(subprotocol_in_the_clients_order)
{
    ws_config cfg;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "a, b";
    ask(&s, &w, &cfg, GET("/", "Sec-WebSocket-Protocol: x, b, a\r\n"), NULL);
    CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "b");
    CHECK_STR(ws_protocol(s.c), "b");
    side_over(&s);
}

/* Takes chat.v2 in any case. */
static void choose_chat(side *s, const ws_event *ev)
{
    ws_answer answer = { NULL, NULL };
    ws_str offered;
    char name[20];
    int i;

    if (ev->type != WS_EV_REQUEST) return;
    for (i = 0; (offered = ws_header_item(s->c, "Sec-WebSocket-Protocol", i)).data; i++) {
        if (!ws_str_is(offered, "chat.v2") || offered.size >= sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)offered.size, offered.data);
        answer.protocol = name;
    }
    CHECK_INT(ws_accept(s->c, &answer), 0);
}

/* and it is sent as the client wrote it */
TEST(subprotocol_chosen_without_case)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg, GET("/", "Sec-WebSocket-Protocol: chat.v1, Chat.V2\r\n"),
        choose_chat);
    CHECK_EVENTS(&s, "R O ");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "Chat.V2");
    side_over(&s);
}

static void read_cookies(side *s, const ws_event *ev)
{
    char text[16];

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_INT(ws_cookie(s->c, "session", text, sizeof text), 5);
    CHECK_STR(text, "a b=c");
    CHECK_INT(ws_cookie(s->c, "quoted", text, sizeof text), 3);
    CHECK_STR(text, "x y");
    CHECK_INT(ws_cookie(s->c, "empty", text, sizeof text), 0);
    CHECK_INT(ws_cookie(s->c, "Session", text, sizeof text), WS_ERR_ABSENT);
    CHECK_INT(ws_cookie(s->c, "session", text, 3), WS_ERR_ARGUMENT);
    ws_accept(s->c, NULL);
}

TEST(cookies_of_a_request)
{
    ws_config cfg = asking();
    world w;
    side s;

    ask(&s, &w, &cfg,
        GET("/", "Cookie: other=1; session=a%20b=c; quoted=\"x y\"; empty=\r\n"),
        read_cookies);
    CHECK_EVENTS(&s, "R O ");
    side_over(&s);
}

TEST(cookie_with_attributes)
{
    static const char *const parts[] = {
        "; Path=/", "; Domain=example.com", "; Max-Age=60", "; Secure", "; HttpOnly",
        "; SameSite=Lax"
    };
    ws_set_cookie cookie;
    char line[120];
    int i, size;

    memset(&cookie, 0, sizeof cookie);
    cookie.name = "id";
    cookie.value = "a b;c\r\n";
    cookie.path = "/";
    cookie.domain = "example.com";
    cookie.same_site = "Lax";
    cookie.max_age = 60;
    cookie.secure = cookie.http_only = 1;
    size = ws_cookie_format(&cookie, line, sizeof line);
    CHECK_INT(size, strlen(line));
    CHECK(strstr(line, "id=a%20b%3Bc%0D%0A; ") == line);
    for (i = 0; i < COUNT(parts); i++) CHECK(strstr(line, parts[i]) != NULL);
    CHECK_INT(ws_cookie_format(&cookie, line, 10), WS_ERR_ARGUMENT);
    cookie.path = "/\r\nX: y";
    CHECK_INT(ws_cookie_format(&cookie, line, sizeof line), WS_ERR_ARGUMENT);
    cookie.path = NULL;
    cookie.name = "i d";
    CHECK_INT(ws_cookie_format(&cookie, line, sizeof line), WS_ERR_ARGUMENT);
}

TEST(routes_by_path_and_subprotocol)
{
    static const ws_route routes[] = {
        { "/chat", "v1", 1 }, { "/chat", "v2", 2 }, { "/feed/*", NULL, 3 },
        { "/*/log", NULL, 4 }, { NULL, NULL, 0 }
    };
    static const struct { const char *target, *line, *chosen; int id; } cases[] = {
        { "/chat", "Sec-WebSocket-Protocol: v1\r\n", "v1", 1 },
        { "/chat", "Sec-WebSocket-Protocol: v2\r\n", "v2", 2 },
        { "/chat?x=/feed/", "Sec-WebSocket-Protocol: v2, v1\r\n", "v2", 2 },
        { "/chat", "Sec-WebSocket-Protocol: v3\r\n", "", 0 },
        { "/chat", "", "", 0 }, { "/feed/", "", "", 3 }, { "/feed/a/b", "", "", 3 },
        { "/feed", "", "", 0 }, { "/ann/log", "", "", 4 }, { "/ann/bob/log", "", "", 0 },
        { "/", "", "", 0 }, { "/chat/", "Sec-WebSocket-Protocol: v1\r\n", "", 0 }
    };
    ws_config cfg;
    int i;

    memset(&cfg, 0, sizeof cfg);
    cfg.routes = routes;
    for (i = 0; i < COUNT(cases); i++) {
        char request[600];
        world w;
        side s;

        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" ALL "%s" E,
                 cases[i].target, cases[i].line);
        ask(&s, &w, &cfg, request, NULL);
        CHECK_EVENTS(&s, cases[i].id ? "O " : "C1006!ROUTE ");
        CHECK_INT(ws_route_id(s.c), cases[i].id);
        if (cases[i].id) CHECK_STR(ws_protocol(s.c), cases[i].chosen);
        else CHECK_INT(head_status(&s.out), 404);
        side_over(&s);
    }
}

/* as libwebsockets' test page wants it */
TEST(two_applications_on_one_path)
{
    static const ws_route routes[] = {
        { "/", "dumb-increment-protocol", 1 }, { "/", "lws-mirror-protocol", 2 },
        { NULL, NULL, 0 }
    };
    ws_config cfg;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    cfg.routes = routes;
    ask(&s, &w, &cfg, GET("/", "Sec-WebSocket-Protocol: lws-mirror-protocol\r\n"), NULL);
    CHECK_INT(ws_route_id(s.c), 2);
    side_over(&s);
    ask(&s, &w, &cfg, GET("/", "Sec-WebSocket-Protocol: dumb-increment-protocol\r\n"),
        NULL);
    CHECK_INT(ws_route_id(s.c), 1);
    CHECK_STR(ws_protocol(s.c), "dumb-increment-protocol");
    side_over(&s);
}

/* ==== over sockets ================================================================== */

#ifndef _WIN32

#include <sys/wait.h>

/* What each connection of a loop said, in its order of appearance. */
typedef struct guest { ws_conn *c; buf log; int gone; } guest;
static guest guests[64];
static int guest_count;
static void (*host)(ws_loop *loop, const ws_event *ev,
                    guest *g); /* does more to an event */

static guest *guest_of(ws_conn *c)
{
    int i;
    for (i = 0; i < guest_count; i++)
        if (guests[i].c == c && !guests[i].gone)
            return &guests[i];
    if (guest_count == 64) abort();
    memset(&guests[guest_count], 0, sizeof *guests);
    guests[guest_count].c = c;
    return &guests[guest_count++];
}

static void guests_gone(void)
{
    while (guest_count) buf_free(&guests[--guest_count].log);
    host = NULL;
}

static void turn(ws_loop *loop, int ms)
{
    ws_event ev;
    guest *g = NULL;

    if (ws_poll(loop, &ev, ms) <= 0) return;
    if (ev.conn) {
        g = guest_of(ev.conn);
        show_event(&g->log, &ev);
        if (ev.type == WS_EV_CLOSE) g->gone = 1;
    }
    if (host) host(loop, &ev, g);
}

#define UNTIL(loop, cond, ms) \
    do { \
        uint64_t until_end = now_ms() + (uint64_t)(ms); \
        while (!(cond) && now_ms() < until_end) turn(loop, 2); \
        CHECK(cond); \
    } while (0)

static void settle(ws_loop *loop, int ms)
{
    uint64_t end = now_ms() + (uint64_t)ms;
    int least = 10;
    while (least-- > 0 || now_ms() < end) turn(loop, 2);
}

static const char *guest_log(int i)
{
    return i < guest_count ? buf_c(&guests[i].log) : "?";
}

/* A peer of our own: what it got, and whether its stream ended. */
typedef struct raw { int fd, eof; buf in; } raw;

static raw raw_of(int fd)
{
    raw r;
    memset(&r, 0, sizeof r);
    r.fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return r;
}

static raw raw_connect(int port) { return raw_of(loopback_connect(port)); }

static void raw_pull(raw *r)
{
    char t[4096];
    ssize_t k;
    while (!r->eof && (k = recv(r->fd, t, sizeof t, 0)) != -1) {
        if (!k) r->eof = 1;
        else buf_add(&r->in, t, (size_t)k);
    }
    if (!r->eof && errno != EAGAIN) r->eof = 1;
}

static int raw_has(raw *r, const char *text)
{
    raw_pull(r);
    return memmem(buf_c(&r->in), r->in.n, text, strlen(text)) != NULL;
}

static int raw_ended(raw *r) { raw_pull(r); return r->eof; }

static size_t raw_put(raw *r, const void *p, size_t n)
{
    ssize_t k = send(r->fd, p, n, MSG_NOSIGNAL);
    return k > 0 ? (size_t)k : 0;
}

static void raw_puts(raw *r, const char *text) { raw_put(r, text, strlen(text)); }

static void raw_spec(raw *r, const char *spec)
{
    buf b = { 0 };
    put_frames(&b, spec, 1);
    raw_put(r, b.p, b.n);
    buf_free(&b);
}

static void raw_close(raw *r)
{
    if (r->fd >= 0) close(r->fd);
    buf_free(&r->in);
    r->fd = -1;
}

static ws_loop *serve(heap *h, ws_config *cfg, int *port)
{
    ws_loop *loop;

    memset(h, 0, sizeof *h);
    cfg->alloc = heap_alloc;
    cfg->alloc_user = h;
    loop = ws_loop_new(cfg);
    *port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", cfg));
    CHECK(*port > 0);
    return loop;
}

static void serve_end(ws_loop *loop, heap *h)
{
    ws_loop_free(loop);
    CHECK_INT(h->live, 0);
    guests_gone();
}

/* a parked request is answered from the event of another connection; what its client
   sent ahead, much more than is read for it, comes after OPEN */
TEST(loop_answered_from_elsewhere)
{
    static char filling[20000];
    ws_config cfg;
    heap h;
    int port, k, files = open_files();
    ws_loop *loop;
    raw a, b;
    buf ahead = { 0 };
    size_t sent = 0, base;

    cfg = asking();
    loop = serve(&h, &cfg, &port);
    a = raw_connect(port);
    raw_puts(&a, REQUEST);
    raw_spec(&a, "81'ahead'");
    UNTIL(loop, guest_count == 1, 3000);
    CHECK_STR(guest_log(0), "R ");
    CHECK_STR(ws_target(guests[0].c), "/chat?x=1");
    b = raw_connect(port);
    raw_puts(&b, REQUEST);
    UNTIL(loop, guest_count == 2, 3000);
    base = h.now;
    for (k = 0; k < (int)sizeof filling; k++) filling[k] = fill_at((size_t)k);
    for (k = 0; k < 100; k++) put_frame(&ahead, 0x82, 1, filling, sizeof filling, 0);
    for (k = 0; k < 50; k++) {          /* into the socket's own buffers, no further */
        if (sent < ahead.n) sent += raw_put(&a, ahead.p + sent, ahead.n - sent);
        turn(loop, 1);
    }
    CHECK(h.now <= base + 20000);
    CHECK_STR(guest_log(0), "R ");
    CHECK_INT(ws_accept(guests[1].c, NULL), 0);
    UNTIL(loop, raw_has(&b, "\r\n\r\n"), 3000);
    CHECK_STR(guest_log(1), "R O ");
    raw_spec(&b, "81'let them in'");
    UNTIL(loop, strstr(guest_log(1), "let") != NULL, 3000);
    CHECK_INT(ws_accept(guests[0].c, NULL), 0);     /* as in the event of b */
    CHECK_INT(ws_send_text(guests[0].c, "in"), 0);
    for (k = 0; k < 3000 && sent < ahead.n; k++) {
        sent += raw_put(&a, ahead.p + sent, ahead.n - sent);
        turn(loop, 1);
    }
    CHECK_INT(sent, ahead.n);
    raw_spec(&a, "81'over'");
    UNTIL(loop, strstr(guest_log(0), "over") != NULL, 5000);
    CHECK(!memcmp(guest_log(0), "R O T'ahead' B#20000 B#20000 ", 29));
    CHECK(raw_has(&a, "101 Switching"));
    CHECK(raw_has(&a, "\x81\x02in"));
    raw_close(&b);
    b = raw_connect(port); /* all of it at once: little is read for a stranger */
    raw_puts(&b, REQUEST);
    sent = raw_put(&b, ahead.p, ahead.n);
    CHECK(sent > 60000);
    base = h.now;
    UNTIL(loop, guest_count == 3, 3000);
    settle(loop, 20);
    CHECK_STR(guest_log(2), "R ");
    CHECK(h.now <= base + 40000);
    buf_free(&ahead);
    raw_close(&a);
    raw_close(&b);
    serve_end(loop, &h);
    CHECK_INT(open_files(), files);
}

/* gone while parked: a reset is told at once, an ended stream with the answer */
TEST(loop_hang_up_while_parked)
{
    int how;

    for (how = 0; how < 4; how++) {
        ws_config cfg = asking();
        heap h;
        int port;
        ws_loop *loop;
        raw a;

        loop = serve(&h, &cfg, &port);
        a = raw_connect(port);
        raw_puts(&a, REQUEST);
        UNTIL(loop, guest_count == 1, 3000);
        if (how == 0) {
            struct linger l = { 1, 0 };
            setsockopt(a.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
            raw_close(&a);
#ifdef WS__POLLER_KQUEUE    /* does not tell of sockets that nobody wants to read */
            ws_accept(guests[0].c, NULL);
            UNTIL(loop, guests[0].gone, 3000);
#else
            UNTIL(loop, guests[0].gone, 3000);
            CHECK_STR(guest_log(0), "R C1006!IO ");
#endif
        } else {
            if (how == 1) shutdown(a.fd, SHUT_WR);
            if (how == 2) { raw_spec(&a, "81'last' 88x03e8"); shutdown(a.fd, SHUT_WR); }
            if (how == 3) shutdown(a.fd, SHUT_WR);
            settle(loop, 30);
            CHECK_STR(guest_log(0), "R ");
            if (how == 3) CHECK_INT(ws_reject(guests[0].c, 403, NULL, "no"), 0);
            else CHECK_INT(ws_accept(guests[0].c, NULL), 0);
            UNTIL(loop, guests[0].gone, 3000);
            CHECK_STR(guest_log(0), how == 1   ? "R O C1006!EOF "
                                    : how == 2 ? "R O T'last' C1000+'' "
                                               : "R C1006!REJECTED ");
            UNTIL(loop, raw_ended(&a), 3000);
            CHECK(raw_has(&a, how == 3 ? "HTTP/1.1 403 " : "HTTP/1.1 101 "));
            raw_close(&a);
        }
        CHECK_INT(ws_loop_count(loop), 0);
        serve_end(loop, &h);
    }
}

/* the deadline of those that wait holds, also when others were answered in one event
   and have later deadlines now */
TEST(loop_deadlines_of_the_parked)
{
    ws_config cfg;
    heap h;
    int port, i, n = 15, in;
    ws_loop *loop;
    raw a[15];
    uint64_t start, late;

    for (in = 1; in < 8; in++) {
        cfg = asking();
        cfg.handshake_timeout = 300;
        loop = serve(&h, &cfg, &port);
        start = now_ms();
        for (i = 0; i < n; i++) {
            a[i] = raw_connect(port);
            raw_puts(&a[i], REQUEST);
            UNTIL(loop, guest_count == i + 1, 3000);
        }
        for (i = 0; i < in; i++) CHECK_INT(ws_accept(guests[i].c, NULL), 0);
        while (now_ms() < start + 250) turn(loop, 5);
        for (i = 0; i < n && now_ms() < start + 290; i++)
            CHECK_STR(guest_log(i), i < in ? "R O " : "R ");
        late = now_ms() + 5000;
        while (now_ms() < late && ws_loop_count(loop) > (size_t)in) turn(loop, 500);
        CHECK(now_ms() < late);
        for (i = 0; i < n; i++) {
            CHECK_STR(guest_log(i), i < in ? "R O " : "R C1006!HANDSHAKE_TIMEOUT ");
            CHECK(raw_has(&a[i], i < in ? "HTTP/1.1 101 " : "HTTP/1.1 408 "));
            raw_close(&a[i]);
        }
        serve_end(loop, &h);
    }
}

/* what northstar/auth_router.c does: pages, a log-in, two applications, 404, on one
   port */
static void router(ws_loop *loop, const ws_event *ev, guest *g)
{
    char session[64];

    (void)g;
    if (ev->type == WS_EV_HTTP) ws_http_reply(ev->conn, 200, NULL, "page", 4);
    if (ev->type == WS_EV_REQUEST) {
        if (ws_cookie(ev->conn, "session", session, sizeof session) <= 0)
            ws_reject(ev->conn, 401, NULL, "log in first");
        else ws_accept(ev->conn, NULL);
    }
    if (ev->type == WS_EV_MESSAGE && ws_route_id(ev->conn) == 1)
        ws_broadcast(loop, ev->conn, ev->op, ev->data, ev->size);
}

TEST(loop_several_applications)
{
    static const ws_route routes[] = { { "/chat", "chat.v1", 1 },
                                       { "/feed/*", NULL, 2 },
                                       { NULL, NULL, 0 } };
    static const struct { const char *line, *headers, *status;
    } t[] = {
        { "GET / HTTP/1.1\r\n", HO, "HTTP/1.1 200 " },
        { "GET /chat HTTP/1.1\r\n", HO, "HTTP/1.1 200 " },
        { "GET / HTTP/1.1\r\n", ALL, "HTTP/1.1 404 " },
        { "GET /chat HTTP/1.1\r\n", ALL "Cookie: session=1\r\n", "HTTP/1.1 404 " },
        { "GET /chat HTTP/1.1\r\n", ALL "Sec-WebSocket-Protocol: chat.v1\r\n",
          "HTTP/1.1 401 " },
        { "GET /chat HTTP/1.1\r\n",
          ALL "Sec-WebSocket-Protocol: chat.v1\r\nCookie: session=\r\n",
          "HTTP/1.1 401 " },
        { "GET /feed/x HTTP/1.1\r\n", ALL, "HTTP/1.1 401 " },
        { "GET /feed HTTP/1.1\r\n", ALL "Cookie: session=1\r\n", "HTTP/1.1 404 " },
        { "GET /feed/x HTTP/1.1\r\n", ALL "Cookie: session=1\r\n", "HTTP/1.1 101 " },
        { "GET /chat HTTP/1.1\r\n",
          ALL "Sec-WebSocket-Protocol: x, chat.v1\r\nCookie: session=1\r\n",
          "HTTP/1.1 101 " },
        { "GET /chat HTTP/1.1\r\n",
          ALL "Sec-WebSocket-Protocol: chat.v1\r\nCookie: session=2\r\n",
          "HTTP/1.1 101 " },
        { "GET /chat HTTP/1.1\r\n",
          ALL
        "Sec-WebSocket-Protocol: chat.v1\r\nOrigin: http://evil\r\nCookie: session=2\r\n",
          "HTTP/1.1 403 " },
    };
    ws_config cfg;
    heap h;
    int port;
    size_t i;
    ws_loop *loop;
    raw a[COUNT(t)];

    cfg = asking();
    cfg.routes = routes;
    loop = serve(&h, &cfg, &port);
    host = router;
    for (i = 0; i < COUNT(t); i++) {
        a[i] = raw_connect(port);
        raw_puts(&a[i], t[i].line);
        raw_puts(&a[i], t[i].headers);
        raw_puts(&a[i], E);
        UNTIL(loop, raw_has(&a[i], "\r\n\r\n"), 3000);
        CHECK(a[i].in.n > 13 && !memcmp(a[i].in.p, t[i].status, 13));
        if (strcmp(t[i].status, "HTTP/1.1 101 ")) UNTIL(loop, raw_ended(&a[i]), 3000);
    }
    CHECK(raw_has(&a[4], "log in first"));
    CHECK(raw_has(&a[0], "\r\n\r\npage"));
    raw_spec(&a[9], "81'to all'");
    UNTIL(loop, raw_has(&a[8], "\x81\x06to all") && raw_has(&a[10], "\x81\x06to all"),
          3000);
    CHECK(!raw_has(&a[9], "to all"));
    raw_spec(&a[8], "81'to none'");
    settle(loop, 30);
    CHECK(!raw_has(&a[9], "to none") && !raw_has(&a[10], "to none"));
    for (i = 0; i < COUNT(t); i++) raw_close(&a[i]);
    serve_end(loop, &h);
}

/* ---- sockets of other servers ---- */

static void raw_pair(raw *out, int *fd)
{
    int both[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    *out = raw_of(both[0]);
    *fd = both[1];
}

static int drive(ws_conn *c, buf *log)      /* a connection without loop */
{
    ws_event ev;
    int n = 0;
    struct pollfd p = { (int)ws_fd(c), 0, 0 };

    if (ws_wants(c) & WS_WANT_READ) p.events |= POLLIN;
    if (ws_wants(c) & WS_WANT_WRITE) p.events |= POLLOUT;
    poll(&p, 1, 1);
    ws_step(c);
    while (ws_next(c, &ev)) {
        show_event(log, &ev);
        n++;
        if (ev.type == WS_EV_REQUEST) ws_accept(c, NULL);
    }
    return n;
}

static void accept_all(ws_loop *loop, const ws_event *ev, guest *g)
{
    (void)loop; (void)g;
    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_accept(ev->conn, NULL), 0);
}

/* request and frames, cut anywhere between what was read before and what comes by the
   socket; in a loop and without */
TEST(adopted_at_every_cut)
{
    heap h;
    ws_config cfg;
    int port, fd, k, files = open_files(), asks;
    ws_loop *loop;
    buf b = { 0 };

    buf_str(&b, REQUEST);
    put_frames(&b, "81'one' 82#300", 1);
    memset(&cfg, 0, sizeof cfg);
    loop = serve(&h, &cfg, &port);
    host = accept_all;
    for (k = 0; k <= (int)b.n; k++) for (asks = 0; asks < 2; asks++) {
        const char *want = asks ? "R O T'one' B#300 " : "O T'one' B#300 ";
        raw r;
        ws_conn *c;
        char *copy = (char *)malloc(b.n);
        buf log = { 0 };
        int i;

        memcpy(copy, b.p, b.n);
        cfg.ask = asks;
        raw_pair(&r, &fd);
        c = ws_adopt(loop, fd, k ? copy : NULL, (size_t)k, &cfg);
        memset(copy, 'x', b.n);         /* it was copied */
        CHECK_INT(ws_fd(c), fd);
        raw_put(&r, b.p + k, b.n - (size_t)k);
        UNTIL(loop, guest_count == 1 && strlen(guest_log(0)) >= strlen(want), 3000);
        CHECK_STR(guest_log(0), want);
        UNTIL(loop, raw_has(&r, ACCEPT), 3000);
        raw_close(&r);
        UNTIL(loop, guests[0].gone, 3000);
        guests_gone();
        host = accept_all;

        raw_pair(&r, &fd);
        memcpy(copy, b.p, b.n);
        c = ws_adopt(NULL, fd, copy, (size_t)k, &cfg);
        free(copy);
        raw_put(&r, b.p + k, b.n - (size_t)k);
        for (i = 0; i < 1000 && strlen(buf_c(&log)) < strlen(want); i++) drive(c, &log);
        CHECK_STR(buf_c(&log), want);
        drive(c, &log);
        CHECK(raw_has(&r, ACCEPT));
        ws_free(c);
        CHECK(raw_ended(&r));           /* the socket was the connection's */
        raw_close(&r);
        buf_free(&log);
    }
    buf_free(&b);
    serve_end(loop, &h);
    CHECK_INT(open_files(), files);
}

/* n-th failing allocation: NULL, and the socket is still the caller's; or it works */
TEST(adopted_without_memory)
{
    heap h;
    ws_config cfg;
    int port, fd, in_loop;
    long n;

    for (in_loop = 0; in_loop < 2; in_loop++) for (n = 1; n < 30; n++) {
        ws_loop *loop;
        raw r;
        ws_conn *c;

        memset(&cfg, 0, sizeof cfg);
        loop = serve(&h, &cfg, &port);
        raw_pair(&r, &fd);
        h.fail_at = h.calls + n;
        c = ws_adopt(in_loop ? loop : NULL, fd, REQUEST, sizeof REQUEST - 1, &cfg);
        if (!c) {
            CHECK(h.failed);
            CHECK(fcntl(fd, F_GETFD) >= 0);
            CHECK_INT(send(fd, "x", 1, MSG_NOSIGNAL), 1);
            CHECK(raw_has(&r, "x"));
            close(fd);
            settle(loop, 1);
            CHECK_INT(guest_count, 0);
        } else if (in_loop) {
            settle(loop, 5);
            CHECK(guest_count == 1 &&
                  (!strcmp(guest_log(0), "O ") || strstr(guest_log(0), "MEMORY")));
        } else {
            ws_free(c);
        }
        raw_close(&r);
        serve_end(loop, &h);
    }
}

/* taken out of the library: what comes back is what went in, and the stream goes on */
static int detach_result;
static buf detach_rest;
static const char *detach_at;
static ws_conn *detach_conn;

static void detacher(ws_loop *loop, const ws_event *ev, guest *g)
{
    const void *rest;
    size_t n;

    (void)loop; (void)g;
    if (ev->type == WS_EV_CLOSE) {
        CHECK_STR(ws_target(ev->conn), strchr("RH", *detach_at) ? "" : "/chat?x=1");
        CHECK_STR(ws_method(ev->conn), "");
        CHECK(str_is(ws_header_value(ev->conn, "Host"), NULL));
        CHECK(str_is(ws_path(ev->conn), strchr("RH", *detach_at) ? "" : "/chat"));
        CHECK_INT(ev->error, 0);
    }
    if (!strcmp(detach_at, "R")   ? ev->type != WS_EV_REQUEST
        : !strcmp(detach_at, "H") ? ev->type != WS_EV_HTTP
        : !strcmp(detach_at, "O") ? ev->type != WS_EV_OPEN
                                  : ev->type != WS_EV_MESSAGE) {
        if (ev->type == WS_EV_REQUEST) {
            CHECK_INT(ws_accept(ev->conn, NULL), 0);
            CHECK_INT((int)ws_detach(ev->conn, &rest, &n), -1); /* OPEN is yet to come */
        }
        return;
    }
    CHECK_INT((int)ws_detach(NULL, &rest, &n), -1);
    CHECK_INT((int)ws_detach(ev->conn, NULL, &n), -1);
    CHECK_INT((int)ws_detach(ev->conn, &rest, NULL), -1);
    detach_result = (int)ws_detach(ev->conn, &rest, &n);
    if (detach_result < 0) return;
    detach_conn = ev->conn;
    buf_add(&detach_rest, rest, n);
    CHECK_INT((int)ws_detach(ev->conn, &rest, &n), -1);             /* once */
    CHECK_INT((int)ws_fd(ev->conn), -1);
    CHECK_INT(ws_accept(ev->conn, NULL), WS_ERR_STATE);
    CHECK_INT(ws_http_reply(ev->conn, 200, NULL, "x", 1), WS_ERR_STATE);
    CHECK_INT(ws_send_text(ev->conn, "x"), WS_ERR_STATE);
    CHECK_INT(ws_state(ev->conn), WS_STATE_CLOSED);
    CHECK_STR(ws_target(ev->conn), strchr("RH", *detach_at) ? "" : "/chat?x=1");
}

TEST(detached)
{
    static const struct { const char *at, *text, *frames, *log; int all;
    } t[] = {
        { "R", REQUEST, "81'ahead'", "R C", 1 },
        { "R", REQUEST, "", "R C", 1 },
        { "H", "POST /page?q HTTP/1.1\r\n" HO "Content-Length: 5\r\n\r\nhello", "", "H C",
          1 },
        { "H", "GET / HTTP/1.0\r\n\r\n", "", "H C", 1 },
        { "O", REQUEST, "81'ahead' 82#200", "R O C", 0 },
        { "O", REQUEST, "", "R O C", 0 },
        { "M", REQUEST, "81'go' =616263646566", "R O T'go' C", 0 },
        { "M", REQUEST, "81'go'", "R O T'go' C", 0 },
    };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        heap h;
        ws_config cfg;
        int port, files = open_files();
        ws_loop *loop;
        raw r;
        buf b = { 0 }, want = { 0 };

        cfg = asking();
        loop = serve(&h, &cfg, &port);
        host = detacher;
        detach_at = t[i].at;
        detach_result = -2;
        buf_str(&b, t[i].text);
        put_frames(&b, t[i].frames, 1);
        if (t[i].all) buf_add(&want, b.p, b.n);
        else if (*t[i].at == 'O')
            buf_add(&want, b.p + strlen(t[i].text), b.n - strlen(t[i].text));
        else if (strstr(t[i].frames, "=")) buf_str(&want, "abcdef");
        r = raw_connect(port);
        raw_put(&r, b.p, b.n);
        UNTIL(loop, guest_count && guests[0].gone, 3000);
        CHECK(detach_result >= 0);
        CHECK(buf_is(&detach_rest, &want));
        CHECK(!strncmp(guest_log(0), t[i].log, strlen(t[i].log)));
        CHECK_INT(ws_loop_count(loop), 0);
        raw_puts(&r, "more");           /* nobody of ours reads it */
        settle(loop, 20);
        {
            char got[8] = "";
            CHECK_INT(recv(detach_result, got, 8, 0), 4);
            CHECK_STR(got, "more");
            CHECK_INT(send(detach_result, "HTTP/1.1 200 OK\r\n", 17, 0), 17);
            CHECK(raw_has(&r, "200 OK"));
        }
        if (*t[i].at == 'R') {          /* and back in again */
            host = accept_all;
            guests_gone();
            host = accept_all;
            ws_adopt(loop, detach_result, detach_rest.p, detach_rest.n, &cfg);
            raw_close(&r);
            UNTIL(loop, guest_count && guests[0].gone, 3000);
            CHECK(!strncmp(guest_log(0), *t[i].frames ? "R O T'ahead' C" : "R O C",
                           *t[i].frames ? 14 : 5));
        } else {
            close(detach_result);
            raw_close(&r);
        }
        buf_clear(&detach_rest);
        buf_free(&b);
        buf_free(&want);
        serve_end(loop, &h);
        CHECK_INT(open_files(), files);
    }
    buf_free(&detach_rest);
}

/* not while output waits, a message is half here or half sent, or Close was sent */
TEST(detach_refused)
{
    static char big[4000000];
    heap h;
    ws_config cfg;
    int port, how, fd;
    const void *rest;
    size_t n;

    for (how = 0; how < 5; how++) {
        ws_loop *loop;
        raw r;
        ws_conn *c;

        memset(&cfg, 0, sizeof cfg);
        loop = serve(&h, &cfg, &port);
        r = raw_connect(port);
        raw_puts(&r, REQUEST);
        UNTIL(loop, guest_count == 1 && raw_has(&r, "\r\n\r\n"), 3000);
        c = guests[0].c;
        if (how == 0) CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
        if (how == 1) raw_spec(&r, "01'ha'");
        if (how == 2) raw_spec(&r, "=81fe2000aaaaaaaa61");
        if (how == 3) CHECK_INT(ws_send_part(c, WS_OP_TEXT, "ha", 2, 0), 0);
        if (how == 4) CHECK_INT(ws_close(c, 1000, NULL), 0);
        if (how == 1 || how == 2) UNTIL(loop, c->rx && c->rx->reader.op, 3000);
        CHECK_INT((int)ws_detach(c, &rest, &n), -1);
        CHECK_INT(ws_state(c), how == 4 ? WS_STATE_CLOSING : WS_STATE_OPEN);
        if (how == 1) {
            raw_spec(&r, "80'lf'");
            UNTIL(loop, strstr(guest_log(0), "half") != NULL, 3000);
        }
        if (how == 3) CHECK_INT(ws_send_part(c, WS_OP_TEXT, "lf", 2, 1), 0);
        if (how == 1 || how == 3) {     /* then it goes */
            fd = -1;
            UNTIL(loop, fd >= 0 || (fd = (int)ws_detach(c, &rest, &n)) >= 0, 3000);
            CHECK_INT(n, 0);
            close(fd);
        }
        raw_close(&r);
        UNTIL(loop, guests[0].gone, 3000);
        serve_end(loop, &h);
    }
}

/* ---- refusals, blocking and in a loop ---- */

/* A process that reads one request and answers in two pieces. */
static pid_t refuser(int *port, const char *head, const char *body)
{
    int s = loopback_listen(port), fd;
    char t[2000];
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        fd = accept(s, NULL, NULL);
        if (recv(fd, t, sizeof t, 0) < 1) _exit(1);
        if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0) _exit(2);
        poll(NULL, 0, 20);
        if (send(fd, body, strlen(body), MSG_NOSIGNAL) < 0) _exit(3);
        while (recv(fd, t, sizeof t, 0) > 0) { }
        _exit(0);
    }
    close(s);
    return pid;
}

TEST(refused_blocking_and_in_a_loop)
{
    static const char *bodies[][3] = {
        { R401 "Content-Length: 9\r\n\r\nfirst", "then", "firstthen" },
        { R401 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "0\r\n\r\n", "hello" },
        { R401 "\r\nslow", "er than the deadline", "slower than the deadline" },
    };
    int i, in_loop, port, status;
    char url[64];
    ws_event ev;

    for (i = 0; i < 3; i++) for (in_loop = 0; in_loop < 2; in_loop++) {
        pid_t pid = refuser(&port, bodies[i][0], bodies[i][1]);
        ws_config cfg;
        ws_loop *loop = NULL;
        ws_conn *c;
        int got = 0;

        memset(&cfg, 0, sizeof cfg);
        cfg.handshake_timeout = i == 2 ? 200 : 5000;
        sprintf(url, "ws://127.0.0.1:%d/", port);
        if (in_loop) {
            loop = ws_loop_new(NULL);
            c = ws_dial(loop, url, &cfg);
            got = ws_poll(loop, &ev, 8000);
        } else {
            c = ws_connect(url, &cfg);
            CHECK_INT(ws_error(c), WS_ERR_STATUS);
            got = ws_recv(c, &ev, 1000);
        }
        CHECK_INT(got, 1);
        CHECK_INT(ev.type, WS_EV_CLOSE);
        CHECK_INT(ev.error, WS_ERR_STATUS);
        CHECK(strstr(ev.reason, "401") != NULL);
        CHECK_INT(ws_status(c), 401);
        CHECK(str_is(ws_header_value(c, "WWW-Authenticate"), "Basic"));
        CHECK(str_is(ws_body(c), bodies[i][2]));
        if (in_loop) ws_loop_free(loop);
        else ws_free(c);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
}

/* where no address stands it is unknown, never the proxy's own; without the header the
   socket's */
TEST(forwarded_or_socket)
{
    static const struct { const char *lines, *want;
    } t[] = {
        { "", "unix" },
        { "X-Forwarded-For:\r\n", "unix" },
        { "X-Forwarded-For: unknown\r\n", "" },
        { "X-Forwarded-For: 9.9.9.9, \"\r\n", "" },
        { "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
    };
    char request[300], got[80];
    ws_config cfg;
    size_t i;

    memset(&cfg, 0, sizeof cfg);
    cfg.trusted_proxies = 1;
    for (i = 0; i < COUNT(t); i++) {
        ws_loop *loop = ws_loop_new(NULL);
        ws_event ev;
        int fd[2];
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
        sprintf(request, "GET / HTTP/1.1\r\n" HO "%s\r\n", t[i].lines);
        CHECK(ws_adopt(loop, fd[0], request, strlen(request), &cfg) != NULL);
        CHECK_INT(ws_poll(loop, &ev, 5000), 1);
        CHECK_INT(ws_remote(ev.conn, got, sizeof got),
                  *t[i].want ? (int)strlen(t[i].want) : (int)WS_ERR_ABSENT);
        CHECK_STR(got, t[i].want);
        ws_loop_free(loop);
        close(fd[1]);
    }
}
#define NET T(loop_answered_from_elsewhere) T(loop_hang_up_while_parked) \
    T(loop_deadlines_of_the_parked) T(loop_several_applications) \
    T(adopted_at_every_cut) T(adopted_without_memory) T(detached) T(detach_refused) \
    T(refused_blocking_and_in_a_loop) T(forwarded_or_socket)
#else
#define NET
#endif

/* Lines that are named stay as long as the connection, others until the next pull. */
TEST(headers_that_stay)
{
    static const struct {
        const char *keep, *cookie, *agent, *other;
        int lines;
    } cases[] = {
        { NULL, NULL, NULL, NULL, 0 },
        { "Cookie", "a=b", NULL, NULL, 1 },
        { "cookie , USER-AGENT", "a=b", "", NULL, 2 },
        { "X-Twice", NULL, NULL, "1", 2 },
        { "X-Absent", NULL, NULL, NULL, 0 }
    };
    static const char lines[] = "Cookie: a=b\r\nUser-Agent:\r\n"
                                "X-Twice: 1\r\nX-Twice: 2\r\n";
    int i, http;

    for (i = 0; i < COUNT(cases); i++) for (http = 0; http < 2; http++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        ws_str name, value;
        char text[400], cookie[8];
        size_t pos = 0;
        int n = 0;

        cfg.keep_headers = cases[i].keep;
        cfg.ask = http;
        side_new(&s, &w, 0, &cfg);
        sprintf(text, "GET /chat HTTP/1.1\r\n%s%s" E, http ? HO : ALL, lines);
        side_text(&s, text);
        if (http)
            CHECK_INT(ws_http_begin(s.c, 200, NULL, 1), 0);
        side_pull(&s);
        CHECK_STR(ws_target(s.c), "/chat");
        CHECK_STR(ws_method(s.c), "");
        value = ws_header_value(s.c, "Cookie");
        CHECK(cases[i].cookie ? value.size == 3 && !memcmp(value.data, "a=b", 3)
                              : !value.data);
        CHECK_INT(ws_cookie(s.c, "a", cookie, sizeof cookie),
                  cases[i].cookie ? 1 : (int)WS_ERR_ABSENT);
        value = ws_header_value(s.c, "user-agent");
        CHECK(cases[i].agent ? value.data && !value.size : !value.data);
        value = ws_header_value(s.c, "X-Twice");
        CHECK(cases[i].other ? value.size == 1 && *value.data == '1' : !value.data);
        CHECK(!ws_header_value(s.c, "Host").data);
        while (ws_header_next(s.c, &pos, &name, &value)) n++;
        CHECK_INT(n, cases[i].lines);
        side_over(&s);
    }
}

/* So they do in a loop, and a request that is turned away leaves none. */
TEST(headers_that_stay_memory)
{
    long at, failed;

    for (at = 1, failed = 1; failed; at++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.keep_headers = "Cookie, Host";
        cfg.max_requests = 3;
        w.h.fail_at = at;
        if (side_new(&s, &w, 0, &cfg)) {
            s.kept = 1;
            side_text(&s, "GET /x HTTP/1.1\r\n" ALL "Cookie: a=b\r\n" E);
            side_end(&s);
        }
        failed = w.h.failed;
        side_over(&s);
        CHECK(at < 100);
    }
}

TESTS(T(answer_at_any_time) T(answer_byte_by_byte) T(hang_up_while_parked)
      T(parked_until_the_deadline) T(parked_for_ever) T(parked_and_ended)
      T(send_right_after_accept) T(every_answer_in_every_state) T(head_while_it_lasts)
      T(failed_handshakes_are_reported) T(failing_allocations)
      T(sec_I2_limits_before_the_answer) T(subprotocols) T(subprotocols_that_are_none)
      T(subprotocols_both_ends) T(headers_arrive) T(sec_A18_answers)
      T(cookie_round_trip) T(cookie_format) T(query_and_cookie_tables)
      T(query_and_cookie_exhaustive) T(route_patterns) T(route_choice) T(route_tables)
      T(sec_A2_offers) T(sec_I1_asked) T(forwarded_for) T(forwarded_behind_anything)
      T(asked_in_fixed_memory) T(is_upgrade) T(head_format) T(refusal_bodies)
      T(body_end_without_memory) T(next_header_stays) T(next_header_replaces)
      T(headers_of_the_library) T(headers_in_place) T(refusal_too_large)
      T(refusal_both_ends) T(no_body_of_a_101) T(upgrade_parsed_elsewhere)
      T(all_of_a_request_is_told) T(parked_keeps_what_comes)
      T(accepted_with_subprotocol_and_headers) T(rejected_with_headers_and_body)
      T(who_is_not_asked_accepts) T(origins_allowed) T(subprotocol_in_the_clients_order)
      T(subprotocol_chosen_without_case) T(cookies_of_a_request)
      T(cookie_with_attributes) T(routes_by_path_and_subprotocol)
      T(two_applications_on_one_path) T(headers_that_stay)
      T(headers_that_stay_memory) NET)

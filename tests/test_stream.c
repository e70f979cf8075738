/* Event streams over ws.h: ws_sse_open and ws_http_begin as a server, ws_sse_connect
   and the reader as a client. The engine is fed by hand; a child process plays the
   servers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "../ws.h"
#define WS_SSE_IMPLEMENTATION
#include "../ws_sse.h"
#include "fixture.h"

/* ==== server ======================================================================== */

#define GET "GET /feed HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\n"
#define STREAM "Content-Type: text/event-stream\r\n" \
               "Cache-Control: no-cache, no-transform\r\n" \
    "X-Accel-Buffering: no\r\n"

typedef struct plan {           /* what to do at WS_EV_HTTP */
    ws_sse_options o;
    int result, later;
} plan;

static void on_http(side *s, const ws_event *ev)
{
    plan *p = (plan *)s->user;

    if (ev->type == WS_EV_HTTP && !p->later) p->result = ws_sse_open(s->c, &p->o);
}

/* A fresh world, a plan that has nothing yet, and a server's configuration of both. */
static ws_config plan_config(world *w, plan *p)
{
    world_init(w);
    memset(p, 0, sizeof *p);
    return world_config(w);
}

static void stream_new(side *s, world *w, const ws_config *cfg, plan *p)
{
    side_new(s, w, 0, cfg);
    s->event = on_http;
    s->user = p;
}

static void stream_open(side *s, world *w, const ws_config *cfg, plan *p)
{
    stream_new(s, w, cfg, p);
    side_feed(s, GET, sizeof GET - 1);
    CHECK_INT(p->result, 0);
    CHECK_INT(ws_state(s->c), WS_STATE_OPEN);
    s->head = head_size(&s->out);
    CHECK(s->head > 0);
}

/* The body's bytes from b[from..), chunks undone if there are any. Returns 1 if its end
   is here. */
static int unchunk(const buf *b, size_t from, int chunked, buf *body)
{
    size_t at = from, n;
    char *end;

    if (!chunked) { buf_add(body, b->p + from, b->n - from); return 0; }
    while (at < b->n) {
        n = strtoul(b->p + at, &end, 16);
        CHECK(end > b->p + at && end[0] == '\r' && end[1] == '\n');
        at = (size_t)(end - b->p) + 2;
        if (at + n + 2 > b->n) {
            test_fault(__FILE__, __LINE__, "half a chunk");
            return 0;
        }
        buf_add(body, b->p + at, n);
        CHECK(!memcmp(b->p + at + n, "\r\n", 2));
        at += n + 2;
        if (!n) { CHECK_INT(at, b->n); return 1; }
    }
    return 0;
}

static void check_body(const side *s, int chunked, const char *want)
{
    buf body = { 0 };
    unchunk(&s->out, s->head, chunked, &body);
    CHECK_STR(buf_c(&body), want);
    buf_free(&body);
}

static ws_sse_message event_of(const char *data)
{
    ws_sse_message m;
    memset(&m, 0, sizeof m);
    m.data = data;
    return m;
}

typedef struct ask {
    const char *request;
    int chunked;
    const char *answer;
    int result;
} ask;

static const ask ASKS[] = {
    { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "\r\n: \nretry: 7\n\n", 0 },
    { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM
             "Transfer-Encoding: chunked\r\n\r\nd\r\n: \nretry: 7\n\n\r\n",
      0 },
    { "GET / HTTP/1.0\r\n\r\n", 0,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "\r\n: \nretry: 7\n\n", 0 },
    { "GET / HTTP/1.0\r\n\r\n", 1,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "\r\n: \nretry: 7\n\n", 0 },
    { "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 0,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "\r\n", 0 },
    { "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 1,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "Transfer-Encoding: chunked\r\n\r\n",
      0 },
    { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 0,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM "\r\n: \nretry: 7\n\n", 0 },
    { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\n{}\r\n0\r\n\r\n", 1,
      ANSWER "Connection: close\r\nX: y\r\n" STREAM
             "Transfer-Encoding: chunked\r\n\r\nd\r\n: \nretry: 7\n\n\r\n", 0 },
    { "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 0, NULL,
      WS_ERR_METHOD },
    { "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 1, NULL, WS_ERR_METHOD },
    { "OPTIONS / HTTP/1.0\r\n\r\n", 1, NULL, WS_ERR_METHOD },
    { "get / HTTP/1.1\r\nHost: x\r\n\r\n", 1, NULL, WS_ERR_METHOD },
};

/* what the application says itself, in whatever case, is said once; so asks a reader */
TEST(headers_are_said_once)
{
    static const ws_header ours[] = { { "content-type",
                                        "text/event-stream; charset=utf-8" },
                                      { "Cache-control", "no-store" },
                                      { "X-Accel-Buffering", "yes" },
                                      { "accept", "text/event-stream, x/y" },
                                      { NULL, NULL } };
    int which;

    for (which = 0; which < 16; which++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        ws_header own[5];
        int i, n = 0;

        for (i = 0; i < 4; i++) if (which >> i & 1) own[n++] = ours[i];
        own[n] = ours[4];
        p.o.headers = own;
        stream_open(&s, &w, &cfg, &p);
        for (i = 0; i < 3; i++) {
            static const char *const usual[] = { "text/event-stream",
                                                 "no-cache, no-transform", "no" };
            CHECK_FIELD(&s.out, ours[i].name, which >> i & 1 ? ours[i].value : usual[i]);
        }
        side_over(&s);
    }
}

TEST(answers) /* the bytes of every answer, the request cut everywhere */
{
    static const ws_header own[] = { { "X", "y" }, { NULL, NULL } };
    size_t i, cut, n;

    for (i = 0; i < sizeof ASKS / sizeof *ASKS; i++) {
        const ask *a = &ASKS[i];
        n = strlen(a->request);
        for (cut = 0; cut <= n; cut++) {
            world w;
            side s;
            plan p;
            ws_config cfg = plan_config(&w, &p);
            p.o.headers = own;
            p.o.retry = 7;
            p.o.chunked = a->chunked;
            stream_new(&s, &w, &cfg, &p);
            side_feed(&s, a->request, cut);
            side_feed(&s, a->request + cut, n - cut);
            CHECK_INT(p.result, a->result);
            if (a->answer) {
                CHECK_STR(buf_c(&s.out), a->answer);
                CHECK_INT(s.closes, !strncmp(a->request, "HEAD", 4));
            } else {
                CHECK(!strncmp(buf_c(&s.out), "HTTP/1.1 405 ", 13));
                CHECK(strstr(s.out.p, "\r\nAllow: GET, HEAD, POST\r\n") != NULL);
                CHECK_INT(s.closes, 1);
            }
            if (s.closes) {
                CHECK_INT(s.error, 0);
                CHECK_INT(s.clean, 1);
                CHECK_INT(s.code, 0);
            } else
                CHECK_INT(ws_sse_open(s.c, NULL), WS_ERR_STATE); /* once */
            side_over(&s);
        }
    }
}

TEST(asked)                     /* ws_sse_requested, ws_sse_last_event_id */
{
    static const struct {
        const char *target, *lines;
        int requested, accepted, n;
        const char *id;
    } cases[] = {
        { "/", "", 0, 1, 0, "" },
        { "/", "Accept: text/event-stream\r\n", 1, 1, 0, "" },
        { "/", "Accept: text/html, TEXT/Event-Stream;q=0.5\r\nLast-Event-ID: 7\r\n", 1, 1,
          1, "7" },
        { "/", "Accept: text/event-stream ;q=1\r\nLast-Event-ID: a b\r\n", 1, 1, 3,
          "a b" },
        { "/", "Accept: text/event-streams, */*\r\n", 0, 1, 0, "" },
        { "/", "Accept: text/event-streams\r\n", 0, 0, 0, "" },
        { "/", "Accept: text/html, */* ; q=0.1\r\n", 0, 1, 0, "" },
        { "/", "Accept: text/*\r\n", 0, 1, 0, "" },
        { "/", "Accept: */*; q=0.000\r\n", 0, 0, 0, "" },
        { "/", "Accept: text/*;q=0\r\nAccept: */*\r\n", 0, 0, 0, "" },
        { "/", "Accept: */*;q=0, text/event-stream;x=y;q=1\r\n", 1, 1, 0, "" },
        { "/", "Accept: application/json\r\n", 0, 0, 0, "" },
        { "/", "Accept: */*;q\r\n", 0, 0, 0, "" },
        { "/", "Accept: */* q\r\n", 0, 0, 0, "" },
        { "/", "Accept:\r\n", 0, 0, 0, "" },
        { "/?lastEventId=a%20b", "", 0, 1, 3, "a b" },
        { "/?lastEventId=9", "Last-Event-ID:\r\n", 0, 1, 0, "" }, /* the header counts */
        { "/?lastEventId=9", "Last-Event-ID: 8\r\n", 0, 1, 1, "8" },
        { "/?lastEventId=12345678", "", 0, 1, WS_ERR_ARGUMENT, "" },
        { "/", "Last-Event-ID: 1234567\r\n", 0, 1, 7, "1234567" },
        { "/", "Last-Event-ID: 12345678\r\n", 0, 1, WS_ERR_ARGUMENT, "" },
        /* no room in 8 bytes */
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        char id[8], request[400];
        p.later = 1;
        cfg.ask = 1;
        stream_new(&s, &w, &cfg, &p);
        sprintf(request, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].target,
                cases[i].lines);
        side_feed(&s, request, strlen(request));
        CHECK_INT(s.https, 1);
        CHECK_INT(ws_sse_requested(s.c), cases[i].requested);
        CHECK_INT(ws_sse_accepted(s.c), cases[i].accepted);
        CHECK_INT(ws_sse_last_event_id(s.c, id, sizeof id), cases[i].n);
        CHECK_STR(id, cases[i].id);
        side_over(&s);
    }
    CHECK_INT(ws_sse_requested(NULL), 0);
    CHECK_INT(ws_sse_accepted(NULL), 0);
    CHECK_INT(ws_sse_open(NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sse_send(NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sse_ping(NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sse_last_event_id(NULL, NULL, 0), WS_ERR_ARGUMENT);
}

TEST(headers_many)              /* of the application */
{
    ws_header own[102];
    const char *at;
    int n, i, said;

    for (n = 0; n <= 100; n += n < 40 ? 1 : 20) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        for (i = 0; i < n; i++) { own[i].name = "X"; own[i].value = "y"; }
        own[n].name = own[n].value = NULL;
        p.o.headers = own;
        stream_new(&s, &w, &cfg, &p);
        side_feed(&s, GET, sizeof GET - 1);
        CHECK_INT(p.result, 0);
        side_pull(&s);
        for (at = s.out.p, said = 0; (at = strstr(at, "\r\nX: y\r\n")) != NULL; at++)
            said++;
        CHECK_INT(said, n);
        side_over(&s);
    }
}

TEST(sends)                     /* events of every size arrive, in chunks and without */
{
    static char text[70000];
    int chunked;
    size_t n;

    memset(text, 'x', sizeof text);
    for (chunked = 0; chunked < 2; chunked++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        buf want = { 0 };
        p.o.chunked = chunked;
        stream_open(&s, &w, &cfg, &p);
        buf_str(&want, ": \n\n");
        for (n = 0; n < sizeof text; n = n < 40 ? n + 1 : n * 2) {
            ws_sse_message m = event_of(text + sizeof text - n);
            m.size = n;
            if (!n) m.data = "";
            CHECK_INT(ws_sse_send(s.c, &m), 0);
            side_pull(&s);
            buf_str(&want, "data: ");
            buf_add(&want, text, n);
            buf_str(&want, "\n\n");
        }
        CHECK_INT(ws_sse_ping(s.c), 0);
        buf_str(&want, ":\n\n");
        CHECK_INT(ws_http_write(s.c, NULL, 0), 0);      /* no empty chunk */
        CHECK_INT(ws_http_write(s.c, NULL, 1), WS_ERR_ARGUMENT);
        {
            ws_sse_message bad = event_of("\xFF");
            CHECK_INT(ws_sse_send(s.c, &bad), WS_ERR_ARGUMENT);
        }
        side_pull(&s);
        check_body(&s, chunked, want.p);
        CHECK_INT(ws_http_end(s.c), 0);
        CHECK_INT(ws_http_write(s.c, "x", 1), WS_ERR_STATE);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.clean, 1);
        {
            buf b = { 0 };
            CHECK_INT(unchunk(&s.out, s.head, chunked, &b), chunked);
            buf_free(&b);
        }
        buf_free(&want);
        side_over(&s);
    }
}

static int filled;

static void fill_letters(void *user, void *at, size_t n)
{
    filled++;
    memset(at, *(const char *)user, n);
}

TEST(fills) /* a body written where it is sent from; nobody asks for nothing */
{
    int mode;

    for (mode = 0; mode < 8; mode++) { /* chunked, drop_oldest, something waits */
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        buf want = { 0 };
        size_t n;
        p.o.chunked = mode & 1;
        cfg.drop_oldest = mode >> 1 & 1;
        cfg.max_backlog = 100000;
        stream_open(&s, &w, &cfg, &p);
        s.hold = mode >> 2;
        buf_str(&want, ": \n\n");
        filled = 0;
        for (n = 1; n < 40000; n = n * 3 + 1) {
            char letter = (char)('a' + n % 26);
            size_t k;
            CHECK_INT(ws_http_fill(s.c, n, fill_letters, &letter), 0);
            for (k = 0; k < n; k++) buf_add(&want, &letter, 1);
            side_pull(&s);
        }
        CHECK_INT(filled, 10);
        CHECK_INT(ws_http_fill(s.c, 0, fill_letters, NULL), 0);
        CHECK_INT(ws_http_fill(s.c, 1, NULL, NULL), WS_ERR_ARGUMENT);
        CHECK_INT(ws_http_fill(s.c, (size_t)-1, fill_letters, NULL), WS_ERR_ARGUMENT);
        CHECK_INT(ws_http_fill(NULL, 1, fill_letters, NULL), WS_ERR_ARGUMENT);
        s.hold = 0;
        side_pull(&s);
        check_body(&s, mode & 1, buf_c(&want));
        ws_close(s.c, 0, NULL);
        CHECK_INT(ws_http_fill(s.c, 1, fill_letters, NULL), WS_ERR_STATE);
        CHECK_INT(filled, 10);
        buf_free(&want);
        side_over(&s);
    }
}

TEST(no_frames)                 /* nothing of a WebSocket gets into a stream */
{
    world w;
    side s;
    plan p;
    ws_config cfg = plan_config(&w, &p);

    stream_open(&s, &w, &cfg, &p);
    CHECK_INT(ws_send_text(s.c, "x"), WS_ERR_STATE);
    CHECK_INT(ws_send_part(s.c, WS_OP_TEXT, "x", 1, 1), WS_ERR_STATE);
    CHECK_INT(ws_send_latest(s.c, 0, WS_OP_TEXT, "x", 1), WS_ERR_STATE);
    CHECK_INT(ws_ping(s.c, NULL, 0), WS_ERR_STATE);
    CHECK_INT(ws_pong(s.c, NULL, 0), WS_ERR_STATE);
    side_feed(&s,
              "\x81\x85"
              "abcdefghi",
              11); /* what the reader says is dropped */
    side_time(&s, 14000);
    check_body(&s, 0, ": \n\n");
    CHECK_INT(s.closes, 0);
    side_end(&s);                                       /* it went */
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, 0);
    CHECK_INT(s.clean, 0);
    side_over(&s);
}

TEST(beats)                     /* to the millisecond, counted from the last write */
{
    uint64_t t;
    long i;

    for (i = 0; i < 3; i++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        ws_sse_message m = event_of("x");
        uint32_t beat = i == 0 ? 15000 : 40;
        size_t n;
        if (i == 2) w.now = 0xFFFFFFF0u;                /* the clock wraps */
        p.o.beat = i == 0 ? 0 : beat;
        stream_open(&s, &w, &cfg, &p);
        n = s.out.n;
        for (t = 1; t <= 10 * beat; t++) {
            w.now++;
            ws_tick(s.c, w.now);
            side_pull(&s);
            CHECK_INT(s.out.n - n, 3 * (t / beat));
            if (i == 0) {
                w.now += 999 - (t % 2);
                t += 999 - (t % 2);
                ws_tick(s.c, w.now);
                side_pull(&s);
            }
        }
        n = s.out.n;
        for (t = 0; t < 20; t++) {                      /* not while events flow */
            CHECK_INT(ws_sse_send(s.c, &m), 0);
            side_time(&s, beat - 1);
        }
        CHECK_INT(s.out.n - n, 20 * 9);
        CHECK(ws_timeout(s.c) <= 1);
        side_time(&s, 1);
        CHECK_INT(s.out.n - n, 20 * 9 + 3);
        CHECK_INT(s.closes, 0);
        side_over(&s);
    }
}

TEST(beats_never)               /* WS_NEVER from the start, and later */
{
    int i;

    for (i = 0; i < 2; i++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        size_t n;
        p.o.beat = i ? 10 : WS_NEVER;
        stream_open(&s, &w, &cfg, &p);
        if (i) {
            side_time(&s, 100);
            check_body(&s, 0, ": \n\n:\n\n:\n\n:\n\n:\n\n:\n\n:\n\n:\n\n:\n\n:\n\n:\n\n");
        }
        CHECK_INT(ws_http_beat(s.c, ":\n\n", WS_NEVER), 0);
        n = s.out.n;
        CHECK_INT(ws_timeout(s.c), -1);
        CHECK(side_time(&s, 10000000) < 10);
        CHECK_INT(s.out.n, n);
        CHECK_INT(ws_sse_ping(s.c), 0);
        side_pull(&s);
        CHECK_INT(ws_http_beat(s.c, "!", 5), 0);
        side_time(&s, 5);
        CHECK_INT(s.out.n, n + 4);
        side_over(&s);
    }
}

TEST(beats_after_very_long)     /* longer than 2^29 ms counts as that, not as the past */
{
    static const uint32_t times[] = { 1u << 29, 1u << 31, 0xFFFFFFFEu };
    size_t i, n;

    for (i = 0; i < 3; i++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);

        stream_open(&s, &w, &cfg, &p);
        CHECK_INT(ws_http_beat(s.c, ":\n\n", times[i]), 0);
        n = s.out.n;
        CHECK(side_time(&s, (1u << 29) - 1) < 10);
        CHECK_INT(s.out.n, n);
        side_time(&s, 1);
        CHECK_INT(s.out.n, n + 3);
        side_over(&s);
    }
}

TEST(dead_peer) /* ends when it takes nothing for the beat and ping_timeout */
{
    int mode;

    for (mode = 0; mode < 4; mode++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        ws_sse_message m = event_of("0123456789");
        uint64_t t = 0;
        p.o.beat = 1000;
        cfg.ping_timeout = mode == 3 ? WS_NEVER : 500;
        cfg.max_backlog = 1000;
        cfg.drop_oldest = mode == 1 || mode == 3;       /* events for ever */
        stream_open(&s, &w, &cfg, &p);
        side_time(&s, 100500);                          /* with beats taken, it lives */
        CHECK_INT(s.closes, 0);
        CHECK_INT(ws_sse_send(s.c, &m), 0);
        s.hold = 1;
        while (t < 5000 && !s.closes) {
            if (mode == 1 || mode == 2 || mode == 3) ws_sse_send(s.c, &m);
            side_time(&s, 10);
            t += 10;
        }
        CHECK_INT(s.closes, mode != 3);
        if (mode != 3) CHECK_INT(t, 1500);
        if (mode != 3) CHECK_INT(s.error, WS_ERR_PING_TIMEOUT);
        side_over(&s);
    }
}

/* One of the numbered events. */
static int send_number(ws_conn *c, long i)
{
    char data[40];
    ws_sse_message m;

    sprintf(data, "%ld", i);
    m = event_of(data);
    return ws_sse_send(c, &m);
}

TEST(stalls)                    /* a program that slept does not blame its readers */
{
    int how;

    for (how = 0; how < 3; how++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        stream_open(&s, &w, &cfg, &p);
        side_time(&s, 20000);
        s.hold = 1;
        w.now += 3600000;
        if (how == 0) CHECK_INT(send_number(s.c, 1), 0);
        ws_tick(s.c, w.now);
        if (how == 1) CHECK_INT(send_number(s.c, 1), 0);
        side_time(&s, 19000);
        CHECK_INT(s.closes, 0);
        s.hold = 0;
        side_pull(&s);
        side_time(&s, 100000);
        CHECK_INT(s.closes, 0);
        side_over(&s);
    }
}

TEST(backlog)                   /* refused, and WRITABLE when it has drained */
{
    int chunked;

    for (chunked = 0; chunked < 2; chunked++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        buf want = { 0 };
        long i, sent = 0;
        int r = 0;
        p.o.chunked = chunked;
        cfg.max_backlog = 4000;
        stream_open(&s, &w, &cfg, &p);
        s.hold = 1;
        buf_str(&want, ": \n\n");
        for (i = 0; i < 10000; i++) {
            r = send_number(s.c, i);
            if (r) { CHECK_INT(r, WS_ERR_BACKLOG); break; }
            buf_str(&want, "data: "); buf_int(&want, i); buf_str(&want, "\n\n");
            sent++;
        }
        CHECK(sent > 100 && sent < 500);
        CHECK(ws_buffered(s.c) <= 4040);
        side_pull(&s);
        CHECK_INT(s.writables, 0);
        s.hold = 0;
        s.budget = 7;
        side_pull(&s);
        CHECK_INT(s.writables, 1);
        check_body(&s, chunked, want.p);
        CHECK_INT(send_number(s.c, 1), 0);
        buf_free(&want);
        side_over(&s);
    }
}

TEST(drops_oldest)              /* whole events go, the oldest first, never a begun one */
{
    int chunked;
    size_t first;

    for (chunked = 0; chunked < 2; chunked++) for (first = 0; first < 40; first++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        buf body = { 0 };
        long i, gaps = 0, last = -1;
        const char *at;
        size_t n;
        p.o.chunked = chunked;
        cfg.max_backlog = 600;
        cfg.drop_oldest = 1;
        stream_open(&s, &w, &cfg, &p);
        s.hold = 1;
        for (i = 0; i < 300; i++) {
            size_t part = i == 20 ? first : 0;          /* part of it goes meanwhile */
            while (part) {
                const void *o = ws_output(s.c, &n);
                if (n > part) n = part;
                buf_add(&s.out, o, n);
                ws_output_done(s.c, n);
                part -= n;
            }
            CHECK_INT(send_number(s.c, i), 0);
            CHECK(ws_buffered(s.c) <= 660);
        }
        s.hold = 0;
        side_pull(&s);
        unchunk(&s.out, s.head, chunked, &body);
        at = strstr(buf_c(&body), "data:");
        for (; at && *at; at = strstr(at, "\n\n") + 2) {
            long v = strtol(at + 6, NULL, 10);
            CHECK(!strncmp(at, "data: ", 6));
            CHECK(v > last);
            gaps += v != last + 1;
            last = v;
        }
        CHECK_INT(last, 299);
        CHECK(gaps >= 1 && gaps <= 3);
        CHECK_INT(s.writables, 0);
        buf_free(&body);
        side_over(&s);
    }
}

TEST(drops_slow)
{
    int oldest;

    for (oldest = 0; oldest < 2; oldest++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        long i;
        int r = 0;
        cfg.max_backlog = 600;
        cfg.drop_slow = 1;
        stream_open(&s, &w, &cfg, &p);
        s.hold = 1;
        for (i = 0; i < 300 && !r; i++) r = send_number(s.c, i);
        CHECK_INT(r, WS_ERR_SLOW);
        side_pull(&s);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_SLOW);
        CHECK_INT(send_number(s.c, i), WS_ERR_STATE);
        CHECK_INT(s.out.n, s.head + 4);                 /* and no frame of Close */
        side_over(&s);
    }
}

TEST(ends) /* after the queued events; a slow line may take its time */
{
    int how;

    for (how = 0; how < 4; how++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        size_t n, k;
        long i;
        p.o.chunked = how & 1;
        stream_open(&s, &w, &cfg, &p);
        s.hold = 1;
        for (i = 0; i < 1500; i++) CHECK_INT(send_number(s.c, i), 0);
        CHECK_INT(how < 2 ? ws_close(s.c, 1001, "bye") : ws_http_end(s.c), 0);
        CHECK_INT(ws_state(s.c), WS_STATE_CLOSING);
        CHECK_INT(send_number(s.c, i), WS_ERR_STATE);
        CHECK_INT(ws_http_end(s.c), WS_ERR_STATE);
        while (!s.closes) { /* slowly: much longer than 5000 ms in all */
            const void *o = ws_output(s.c, &n);
            k = n < 1100 ? n : 1100;
            if (!n) break;
            buf_add(&s.out, o, k);
            ws_output_done(s.c, k);
            if (how == 3 && s.out.n > s.head + 6000) break;
            side_time(&s, 1000);
        }
        if (how == 3) { /* stopped in the second window of 5000 ms */
            side_time(&s, 4000);
            CHECK_INT(s.closes, 0);
            side_time(&s, 1001);
            CHECK_INT(s.error, WS_ERR_CLOSE_TIMEOUT);
        } else {
            buf b = { 0 };
            side_pull(&s);
            CHECK_INT(s.error, 0);
            CHECK_INT(s.clean, 1);
            CHECK_INT(unchunk(&s.out, s.head, p.o.chunked, &b), p.o.chunked);
            CHECK(strstr(buf_c(&b), "data: 1499\n\n") != NULL);
            buf_free(&b);
        }
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
}

static long server_run(long fail_at, int chunked, int oldest)
{
    world w;
    side s;
    plan p;
    ws_config cfg = plan_config(&w, &p);
    static char big[3000];
    ws_sse_message m = event_of(big);
    long i, calls;

    memset(big, 'x', sizeof big - 1);
    p.o.chunked = chunked;
    p.o.retry = 5;
    cfg.max_backlog = 8000;
    cfg.drop_oldest = oldest;
    w.h.fail_at = fail_at;
    stream_new(&s, &w, &cfg, &p);
    side_feed(&s, GET, sizeof GET - 1);
    if (p.result) CHECK_INT(s.closes, 1);       /* not open for ever without a word */
    s.hold = 1;
    for (i = 0; i < 5; i++) ws_sse_send(s.c, &m);
    for (i = 0; i < 5; i++) send_number(s.c, i);
    s.hold = 0;
    side_pull(&s);
    side_time(&s, 16000);
    ws_close(s.c, 0, NULL);
    side_pull(&s);
    if (s.c) { side_time(&s, 20000); side_end(&s); CHECK_INT(s.closes, 1); }
    calls = w.h.failed ? -1 : w.h.calls;
    side_over(&s);
    return calls;
}

TEST(server_memory_fails)       /* the n-th allocation, for every n */
{
    int i;
    long n;

    for (i = 0; i < 4; i++) {
        for (n = 1; server_run(n, i & 1, i >> 1) < 0; n++) CHECK(n < 200);
        CHECK(n > 4);
    }
}

TEST(server_fixed_memory) /* in the caller's block: refused while full, goes on then */
{
    static uint64_t block[WS_MEMORY_SIZE(1024, 2048) / 8];
    world w;
    side s;
    plan p;
    ws_config cfg = plan_config(&w, &p);
    buf want = { 0 };
    static char big[2200];
    ws_sse_message m = event_of(big);
    long i;
    int turn, r = 0;

    memset(big, 'x', sizeof big);
    w.h.forbid = 1;
    cfg.memory = block;
    cfg.memory_size = sizeof block;
    cfg.memory_send = 2048;
    stream_open(&s, &w, &cfg, &p);
    buf_str(&want, ": \n\n");
    for (turn = 0; turn < 3; turn++) {
        s.hold = 1;
        for (i = 0; i < 1000; i++) {
            r = send_number(s.c, i);
            if (r) break;
            buf_str(&want, "data: "); buf_int(&want, i); buf_str(&want, "\n\n");
        }
        CHECK_INT(r, WS_ERR_BACKLOG);
        CHECK(i > 50);
        s.hold = 0;
        side_pull(&s);
        CHECK_INT(s.writables, turn + 1);
    }
    for (i = 1500; i < 2200; i++) { /* large ones: all that the block has room for */
        m.size = (size_t)i;
        r = ws_sse_send(s.c, &m);
        if (r) break;
        side_pull(&s);
        buf_str(&want, "data: "); buf_add(&want, big, (size_t)i); buf_str(&want, "\n\n");
    }
    CHECK_INT(r, WS_ERR_ARGUMENT);              /* it could never be sent */
    CHECK(i > 1900 && i < 2048);
    check_body(&s, 0, want.p);
    CHECK_INT(ws_http_beat(s.c, ":\n\n", 5), WS_ERR_MEMORY);
    buf_free(&want);
    side_free(&s);
}

TEST(sec_J5_a_slow_reader) /* a slow reader, 10 million events: memory stays flat */
{
    int mode;

    for (mode = 0; mode < 2; mode++) {
        world w;
        side s;
        plan p;
        ws_config cfg = plan_config(&w, &p);
        long i, refused = 0;
        size_t n, most = 0;
        cfg.max_backlog = 65536;
        cfg.drop_oldest = mode;
        stream_open(&s, &w, &cfg, &p);
        for (i = 0; i < 5000000; i++) {
            int r = ws_http_write(s.c, "data: 0123456789\n\n", 18);
            refused += r == WS_ERR_BACKLOG;
            if (r && r != WS_ERR_BACKLOG) CHECK_INT(r, 0);
            if (i % 1024) continue;                     /* a reader of a thousandth */
            ws_output(s.c, &n);
            ws_output_done(s.c, n < 18 ? n : 18);
            if (w.h.now > most) most = w.h.now;
        }
        if (!mode) CHECK(refused > 4900000);
        CHECK(ws_buffered(s.c) <= 65536 + 200);
        CHECK(w.h.peak < 65536 * 12); /* small events: 24 and some bytes each */
        if (!mode) CHECK(w.h.peak < 65536 * 5 / 2 + 8192);
        CHECK(w.h.live < 65536 / 18 + 20);
        side_over(&s);
    }
}

/* ---- the replay ring against a list of what was added ---- */

#define RING_EVENTS 3000

typedef struct kept { size_t size; char id[24]; long number; } kept;

static kept made[RING_EVENTS];
static long made_n, made_from;  /* made[made_from..made_n) should be there */

static size_t ring_total(void)
{
    size_t sum = 0;
    long i;
    for (i = made_from; i < made_n; i++) sum += made[i].size;
    return sum;
}

/* What a replay for id gives must be events made[from..made_n), or r. */
static void ring_check(const ws_sse_ring *ring, const char *id, long from, int r)
{
    world w;
    side s;
    plan p;
    ws_config cfg = plan_config(&w, &p);
    buf want = { 0 };
    char line[40];
    long i;

    stream_open(&s, &w, &cfg, &p);
    CHECK_INT(ws_sse_replay(s.c, ring, id), r < 0 ? r : made_n - from);
    side_pull(&s);
    CHECK_INT(s.closes, 0);
    buf_str(&want, ": \n\n");
    for (i = from; r >= 0 && i < made_n; i++) {
        const char *at;
        sprintf(line, "data: %ld ", made[i].number);
        at = strstr(buf_c(&s.out) + s.head, line);
        CHECK(at != NULL);
    }
    {                                                   /* in order, nothing else */
        const char *at = strstr(buf_c(&s.out) + s.head, "data: ");
        long n = 0;
        for (; at; at = strstr(at + 6, "data: "), n++)
            CHECK(r >= 0 && from + n < made_n &&
                  strtol(at + 6, NULL, 10) == made[from + n].number);
        CHECK_INT(n, r < 0 ? 0 : made_n - from);
    }
    buf_free(&want);
    side_over(&s);
}

static void ring_run(uint64_t seed, size_t size)
{
    char *memory = (char *)malloc(size);
    ws_sse_ring ring;
    long i, number = 0;

    ws_sse_ring_init(&ring, memory, size);
    made_n = made_from = 0;
    ring_check(&ring, NULL, 0, 0);
    ring_check(&ring, "1", 0, WS_SSE_ERR_GAP);
    while (made_n < RING_EVENTS) {
        static char data[4000];
        ws_sse_message m = event_of(data);
        kept *k = &made[made_n];
        int r, has_id = rng_to(&seed, 4) != 0;
        size_t pad = rng_to(&seed, rng_to(&seed, 40) ? (uint32_t)size / 5 + 1
                                                     : (uint32_t)size + 50);
        if (pad > 3900) pad = 3900;
        k->number = number++;
        sprintf(data, "%ld ", k->number);
        memset(data + strlen(data), '.', pad + 1);
        data[strlen(data) - 1] = 0;
        sprintf(data, "%ld %*s", k->number, (int)pad, "");
        sprintf(k->id, has_id ? "id%ld" : "", k->number);
        m.id = has_id ? k->id : NULL;
        k->size = 8 + (size_t)ws_sse_format(&m, NULL, 0) + strlen(k->id);
        r = ws_sse_ring_add(&ring, &m);
        if (k->size > size) {
            CHECK_INT(r, WS_SSE_ERR_MEMORY);
            made_from = made_n;
            CHECK_INT(ring.count, 0);
            continue;
        }
        CHECK_INT(r, 0);
        made_n++;
        /* never more than fits; no more thrown away than wrapping can cost */
        CHECK((long)ring.count <= made_n - made_from && ring.count >= 1);
        made_from = made_n - (long)ring.count;
        CHECK(ring_total() <= size);
        if (made_from && made[made_from].number == made[made_from - 1].number + 1)
            CHECK(ring_total() + made[made_from - 1].size > size / 3);
        if (made_n % 37) continue;
        for (i = made_from; i < made_n; i += 1 + (made_n - made_from) / 5)
            if (made[i].id[0]) ring_check(&ring, made[i].id, i + 1, 0);
        ring_check(&ring, NULL, made_from, 0);
        ring_check(&ring, "", made_n, 0);
        ring_check(&ring, "never", 0, WS_SSE_ERR_GAP);
        if (made_from && made[made_from - 1].id[0])
            ring_check(&ring, made[made_from - 1].id, 0, WS_SSE_ERR_GAP);
    }
    {
        ws_sse_message bad = event_of("\xFF");
        CHECK_INT(ws_sse_ring_add(&ring, &bad), WS_SSE_ERR_DATA);
    }
    free(memory);
}

TEST(ring)                      /* random sizes, in blocks of exactly the size said */
{
    static const size_t SIZES[] = { 1, 40, 64, 100, 333, 1000, 4096 };
    size_t i;

    for (i = 2; i < sizeof SIZES / sizeof *SIZES; i++) ring_run(i, SIZES[i]);
    for (i = 0; i < 2; i++) {
        char *memory = (char *)malloc(SIZES[i]);
        ws_sse_ring r;
        ws_sse_message m = event_of("0123456789012345678901234567890123456789");
        ws_sse_ring_init(&r, memory, SIZES[i]);
        CHECK_INT(ws_sse_ring_add(&r, &m), WS_SSE_ERR_MEMORY);
        free(memory);
    }
}

TEST(ring_replay_backlog)       /* a reader with no room for what it missed comes again */
{
    static char memory[8000];
    world w;
    side s;
    plan p;
    ws_config cfg = plan_config(&w, &p);
    ws_sse_ring ring;
    int i;

    ws_sse_ring_init(&ring, memory, sizeof memory);
    for (i = 0; i < 100; i++) {
        ws_sse_message m = event_of("0123456789");
        ws_sse_ring_add(&ring, &m);
    }
    cfg.max_backlog = 500;
    stream_open(&s, &w, &cfg, &p);
    CHECK_INT(ws_sse_replay(s.c, &ring, NULL), WS_SSE_ERR_WRITE);
    side_pull(&s);
    CHECK_INT(s.closes, 1);
    CHECK_INT(ws_sse_replay(s.c, &ring, "x"), WS_SSE_ERR_GAP);
    side_over(&s);
}

static char head_memory[500];

static void on_head(side *s, const ws_event *ev) /* as a server does it that never asks */
{
    ws_sse_ring *ring = (ws_sse_ring *)s->user;

    if (ev->type != WS_EV_HTTP) return;
    CHECK_INT(ws_sse_open(s->c, NULL), 0);
    CHECK_INT(ws_sse_replay(s->c, ring, NULL), WS_SSE_ERR_WRITE);
    CHECK_INT(send_number(s->c, 1), WS_ERR_STATE);
    CHECK_INT(ws_sse_ping(s->c), WS_ERR_STATE);
}

TEST(ring_replay_head) /* an answer to HEAD is whole, whatever is sent after it */
{
    ws_sse_message m = event_of("x");
    ws_sse_ring ring;
    world w;
    side s;

    ws_sse_ring_init(&ring, head_memory, sizeof head_memory);
    CHECK_INT(ws_sse_ring_add(&ring, &m), 0);
    world_init(&w);
    { ws_config cfg = world_config(&w); side_new(&s, &w, 0, &cfg); }
    s.event = on_head;
    s.user = &ring;
    side_feed(&s, "HEAD / HTTP/1.0\r\n\r\n", 19);
    CHECK_STR(buf_c(&s.out), ANSWER "Connection: close\r\n" STREAM "\r\n");
    CHECK_INT(s.clean, 1);
    side_over(&s);
}

/* ==== the reader ==================================================================== */

/* ---- fed by hand ---- */

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

typedef struct reading { ws_sse_reader r; buf log; } reading;

/* "name/id/data" of each event; parts are joined. */
static void reading_note(reading *g, const ws_event *ev)
{
    ws_sse_event e;

    while (ws_sse_take(&g->r, ev, &e)) {
        if (e.first) buf_str(&g->log, "[");
        buf_add(&g->log, e.data, e.size);
        if (!e.last) continue;
        buf_str(&g->log, "|"); buf_str(&g->log, e.event);
        buf_str(&g->log, "|"); buf_str(&g->log, e.id);
        buf_str(&g->log, "]");
    }
}

static void on_read(side *s, const ws_event *ev) { reading_note((reading *)s->user, ev); }

static void reader_check(const char *said, size_t step, const char *want, int error,
                         int fault)
{
    static char memory[64];
    world w;
    side s;
    reading g;
    ws_config cfg = world_fresh(&w);
    size_t n = strlen(said), at, k;

    cfg.method = "GET";
    memset(&g, 0, sizeof g);
    side_new(&s, &w, 1, &cfg);
    s.event = on_read;
    s.user = &g;
    g.r.conn = s.c;
    g.r.retry = -1;
    CHECK_INT(ws_sse_parser_init(&g.r.parser, memory, sizeof memory), 0);
    side_pull(&s);
    for (at = 0; at < n; at += k) {
        k = step < n - at ? step : n - at;
        side_feed(&s, said + at, k);
    }
    side_end(&s);
    CHECK_EVENTS(&g, want);
    CHECK_INT(g.r.error, error);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, fault);
    buf_free(&g.log);
    side_over(&s);
}

TEST(reader_cuts) /* events cut anywhere; [DONE] as OpenAI's servers say it */
{
    size_t k;

    for (k = 1; k < 200; k++) {
        reader_check(
            EVENTS "Transfer-Encoding: chunked\r\n\r\n"
                   "1c\r\ndata: {\"delta\":\"Hel\"}\n\ndata:\r\n15\r\n"
                   " {\"delta\":\"lo\"}\n\ndata\r\n"
                   "a\r\n: [DONE]\n\n\r\n0\r\n\r\n",
            k,
           "[{\"delta\":\"Hel\"}|message|][{\"delta\":\"lo\"}|message|][[DONE]|message|]",
            0, 0);
        reader_check(
            EVENTS
            "\r\n\xEF\xBB\xBF"
            "event: a\r\nid: 1\r\ndata: x\r\ndata: y\r\n\r\n"
            "data: 0123456789012345678901234567890123456789\n\nid\ndata: z\n\ndata: cut",
            k,
            "[x\ny|a|1][0123456789012345678901234567890123456789|message|1][z|message|]",
            0, 0);
        reader_check(EVENTS "Content-Length: 10\r\n\r\ndata: x\n\n", k, "[x|message|]", 0,
                     WS_ERR_EOF);
        reader_check(
            "HTTP/1.1 200 OK\r\ncontent-type: TEXT/event-stream ; charset=utf-8\r\n\r\n"
            "data: x\n\n",
            k, "[x|message|]", 0, 0);
        reader_check(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n\r\ndata: x\n\n", k,
            "", WS_SSE_ERR_TYPE, 0);
        reader_check("HTTP/1.1 200 OK\r\n\r\ndata: x\n\n", k, "", WS_SSE_ERR_TYPE, 0);
        reader_check(
            "HTTP/1.1 201 Made\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n", k,
            "", WS_SSE_ERR_TYPE, 0);
        reader_check(EVENTS "Content-Encoding: gzip\r\n\r\ndata: x\n\n", k, "",
                     WS_SSE_ERR_TYPE, 0);
        reader_check(EVENTS "Content-Encoding: Identity\r\n\r\ndata: x\n\n", k,
                     "[x|message|]", 0, 0);
        reader_check(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\t;a=b\r\n\r\ndata: x\n\n",
            k, "[x|message|]", 0, 0);
        reader_check("HTTP/1.1 204 No\r\nContent-Type: text/event-stream\r\n\r\n", k, "",
                     0, 0);
        reader_check(
            "HTTP/1.1 404 No\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n"
            "\r\ndata: x\n\n",
            k, "", 0, WS_ERR_STATUS);
        reader_check(EVENTS "\r\ndata: x\n\nid: 0123456789\ndata: y\n\n", k,
                     "[x|message|]", WS_SSE_ERR_ID_SIZE, 0);
    }
}

/* who takes one event of each part loses some; no old bytes are read */
TEST(reader_not_emptied)
{
    static char memory[64];
    ws_conn *c = ws_client_new("http://example.com/", NULL);
    ws_sse_reader r;
    ws_sse_event e;
    char *parts[10];
    int i;

    memset(&r, 0, sizeof r);
    r.conn = c;
    r.retry = -1;
    ws_sse_parser_init(&r.parser, memory, sizeof memory);
    for (i = 0; i < 10; i++) {                  /* none takes another's place */
        char text[40];
        sprintf(text, "data: %d\n\ndata: lost\n\n", i);
        parts[i] = (char *)malloc(strlen(text));
        memcpy(parts[i], text, strlen(text));
    }
    for (i = 0; i < 10; i++) {
        ws_event ev;
        memset(&ev, 0, sizeof ev);
        ev.type = WS_EV_PART;
        ev.conn = c;
        ev.data = parts[i];
        ev.size = 21;
        CHECK_INT(ws_sse_take(&r, &ev, &e), 1);
        CHECK_INT(atoi(e.data), i);
        free(parts[i]);
    }
    ws_free(c);
}

/* ---- a transport of the application's ---- */

typedef struct pipe_io { const char *text; size_t at, n; int reads, most; } pipe_io;

static ptrdiff_t pipe_read(void *user, void *b, size_t n)
{
    pipe_io *p = (pipe_io *)user;
    size_t k = p->n - p->at < n ? p->n - p->at : n;

    if ((size_t)p->most < k) k = (size_t)p->most;
    memcpy(b, p->text + p->at, k);
    p->at += k;
    p->reads++;
    return (ptrdiff_t)k;
}

static ptrdiff_t pipe_write(void *user, const void *b, size_t n)
{
    (void)user;
    (void)b;
    return (ptrdiff_t)n;
}

TEST(own_transport)             /* blocking, by cfg.io: in blocks, as they come */
{
    static char memory[4096], text[50000];
    static const int MOST[] = { 1, 100, 1 << 20 };
    int i, k;

    strcpy(text, EVENTS "\r\n");
    for (k = 0; k < 2000; k++) sprintf(text + strlen(text), "data: %d\n\n", k);
    for (i = 0; i < 3; i++) {
        pipe_io io;
        ws_config cfg;
        ws_sse_reader r;
        ws_sse_event e;
        ws_event ev;
        int n = 0, parts = 0;
        memset(&io, 0, sizeof io);
        io.text = text;
        io.n = strlen(text);
        io.most = MOST[i];
        memset(&cfg, 0, sizeof cfg);
        cfg.reconnect = WS_NEVER;
        cfg.io.read = pipe_read;
        cfg.io.write = pipe_write;
        cfg.io.user = &io;
        CHECK(ws_sse_connect(&r, "http://example.com/", &cfg, memory, sizeof memory) !=
              NULL);
        while (ws_recv(r.conn, &ev, 5000) > 0) {
            parts += ev.type == WS_EV_PART;
            while (ws_sse_take(&r, &ev, &e)) CHECK_INT(atoi(e.data), n++);
        }
        CHECK_INT(n, 2000);
        CHECK_INT(ws_error(r.conn), 0);
        if (i == 2) CHECK(io.reads <= 4 && parts <= 4);
        ws_free(r.conn);
    }
}

/* ==== over sockets ================================================================== */

#ifndef _WIN32
#include "fixture/play.h"

/* Follows a stream to its end. stop_at: at that event it is closed (how 0), freed (1),
   dropped (2); 3: it is closed when it is down. The log tells events, O for OPEN, D for
   DOWN, C and its error for CLOSE. */
typedef struct tale {
    reading g;
    buf refusal;
    int error, events, downs;
    int wait[PLAYS];            /* retry_in of each DOWN */
} tale;

static void tale_run(tale *t, int driver, const ws_config *cfg, int stop_at, int how)
{
    static char memory[1024];
    ws_loop *loop = driver == LOOP ? ws_loop_new(NULL) : NULL;
    ws_conn *c;
    ws_event ev;
    int over = 0;

    memset(t, 0, sizeof *t);
    c = driver == BLOCKING
            ? ws_sse_connect(&t->g.r, play_url(), cfg, memory, sizeof memory)
            : ws_sse_dial(&t->g.r, loop, play_url(), cfg, memory, sizeof memory);
    CHECK(c == t->g.r.conn);
    while (!over && c && drive(driver, loop, c, &ev) > 0) {
        if (ev.type == WS_EV_OPEN) buf_str(&t->g.log, "O");
        reading_note(&t->g, &ev);
        if (ev.type == WS_EV_DOWN) buf_str(&t->g.log, "D");
        if (ev.type == WS_EV_DOWN && t->downs < PLAYS) t->wait[t->downs++] = ev.retry_in;
        if (ev.type == WS_EV_DOWN && (ev.retry_in > 4000 || how == 3))
            ws_close(c, 0, NULL);
        if (ev.type == WS_EV_CLOSE) {
            over = 1;
            t->error = ev.error;
            buf_str(&t->g.log, "C");
            buf_add(&t->refusal, ws_body(c).data, ws_body(c).size);
        }
        if (t->events++ == stop_at && how == 0) ws_close(c, 0, NULL);
        if (t->events - 1 == stop_at && how == 2) ws_drop(c);
        if (t->events - 1 == stop_at && how == 1) { ws_free(c); c = NULL; }
    }
    ws_free(c);
    ws_loop_free(loop);
}

static void tale_over(tale *t)
{
    buf_free(&t->g.log);
    buf_free(&t->refusal);
    play_over();
}

TEST(reader_comes_back)         /* where it was, when it is to, and stops at 204 */
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        tale t;
        play(3, EVENTS "\r\nretry: 20\nid: 7\ndata: a\n\nid: 8\ndata: cut",
             EVENTS "\r\ndata: b\n\n", EVENTS "Content-Length: 99\r\n\r\nid\ndata: c\n\n",
             "HTTP/1.1 204 No\r\n\r\n");
        tale_run(&t, driver, NULL, -1, 0);
        CHECK_STR(buf_c(&t.g.log), "O[a|message|7]DO[b|message|7]DO[c|message|]DOC");
        CHECK_INT(t.g.r.error, 0);
        CHECK_INT(t.error, 0);
        CHECK(t.wait[0] >= 20 && t.wait[0] <= 25);
        CHECK(strstr(play_seen->request[0], "Accept: text/event-stream\r\n") != NULL);
        CHECK(!strstr(play_seen->request[0], "Last-Event-ID"));
        CHECK(strstr(play_seen->request[1], "\r\nLast-Event-ID: 7\r\n") != NULL);
        CHECK(strstr(play_seen->request[2], "\r\nLast-Event-ID: 7\r\n") != NULL);
        CHECK(!strstr(play_seen->request[3], "Last-Event-ID"));
        CHECK_INT(play_seen->connections, 4);
        tale_over(&t);
    }
}

/* What each request asks to go on from: cfg.headers until the stream says an id, then
   that and nothing older; an id that no header can carry, and an empty one, are sent in
   no form. */
TEST(reader_ids)
{
    static const ws_header saved[] = { { "X-A", "b" },
                                       { "last-event-id", "40" },
                                       { "accept", "text/event-stream, x/y" },
                                       { NULL, NULL } };
    static const struct { const char *says, *then;
    } cases[PLAYS - 1] = {
        { "\r\nretry: 1\ndata: a\n\n", "40" },
        { "\r\nid: cut\ndata: cut", "40" },
        { "\r\nid: 41\n\n", "41" },
        { "\r\n", "41" },
        { "\r\nid: 42\ndata: b\n\nid: b\x01\ndata: c\n\n", NULL },
        { "\r\nid: 43\n\n", "43" },
        { "\r\nid\n\nid: 44\n", NULL },
    };
    char text[PLAYS][100];
    int driver, i, own;

    for (driver = 0; driver < DRIVERS; driver++) for (own = 0; own < 2; own++) {
        tale t;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.reconnect = 1;
        if (own) cfg.headers = saved;
        for (i = 0; i < PLAYS - 1; i++) {
            sprintf(text[i], EVENTS "%s", cases[i].says);
            play_text[i] = text[i];
        }
        play_text[PLAYS - 1] = "HTTP/1.1 204 No\r\n\r\n";
        play(0, text[0], text[1], text[2], text[3]);
        tale_run(&t, driver, &cfg, -1, 0);
        CHECK_STR(buf_c(&t.g.log),
                  "O[a|message|]DODODODO[b|message|42][c|message|b\x01]DODODOC");
        CHECK_INT(t.g.r.error, 0);
        for (i = 0; i < PLAYS; i++) {
            const char *want = i ? cases[i - 1].then : "40";
            buf b = { 0 };
            if (!own && want && !strcmp(want, "40")) want = NULL;
            buf_str(&b, play_seen->request[i]);
            CHECK_FIELD(&b, "Last-Event-ID", want);
            CHECK_FIELD(&b, "X-A", own ? "b" : NULL);
            CHECK_FIELD(&b, "Accept",
                        own ? "text/event-stream, x/y" : "text/event-stream");
            buf_free(&b);
        }
        for (i = 0; i < PLAYS; i++) play_text[i] = NULL;
        tale_over(&t);
    }
}

/* An id for which there is no memory, neither when it came nor when the stream is lost,
   ends it: the one before would give events again. */
TEST(reader_id_without_memory)
{
    static char memory[64];
    int fails;                  /* 1: when it came, 2: then too */

    for (fails = 0; fails < 3; fails++) {
        world w;
        ws_config cfg = world_fresh(&w);
        ws_sse_reader r;
        ws_sse_event e;
        ws_event ev;
        cfg.method = "GET";
        memset(&r, 0, sizeof r);
        memset(&ev, 0, sizeof ev);
        r.reconnect = 1;
        r.retry = -1;
        r.conn = ev.conn = ws_client_new("http://example.com/", &cfg);
        ws_sse_parser_init(&r.parser, memory, sizeof memory);
        ev.type = WS_EV_PART;
        ev.data = "id: 7\n\n";
        ev.size = 7;
        if (fails) w.h.fail_at = w.h.calls + 1;
        CHECK_INT(ws_sse_take(&r, &ev, &e), 0);
        CHECK_INT(r.error, 0);
        ev.type = WS_EV_DOWN;
        w.h.fail_at = fails == 1 ? 0 : w.h.calls + 1; /* not asked for when it is there */
        CHECK_INT(ws_sse_take(&r, &ev, &e), 0);
        CHECK_INT(r.error, fails == 2 ? WS_SSE_ERR_MEMORY : 0);
        CHECK_INT(ws_next(r.conn, &ev), fails == 2);
        CHECK_INT(w.h.failed, fails);
        if (fails == 2) CHECK_INT(ev.type, WS_EV_CLOSE);
        ws_free(r.conn);
        CHECK_INT(w.h.live, 0);
    }
}

TEST(reader_idle)               /* a server that vanished is left for a new try */
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        tale t;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.idle_timeout = 100;
        cfg.reconnect = 1;
        play(0, EVENTS "\r\nid: 7\ndata: a\n\n~", "HTTP/1.1 204 No\r\n\r\n", NULL, NULL);
        tale_run(&t, driver, &cfg, -1, 0);
        CHECK_STR(buf_c(&t.g.log), "O[a|message|7]DOC");
        CHECK(strstr(play_seen->request[1], "\r\nLast-Event-ID: 7\r\n") != NULL);
        tale_over(&t);
    }
}

TEST(reader_waits)              /* retry of any size; never a storm */
{
    static const struct { const char *retry; int least, most;
    } cases[] = {
        { "0", 1, 1 },
        { "100", 100, 125 },
        { "60000", 60000, 75000 },
        { "299999", 299999, 300000 },
        { "4294967296", 300000, 300000 },
        { "99999999999999999999", 300000, 300000 },
        { "-5", 3000, 3750 },
        { "x", 3000, 3750 },
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tale t;
        char text[200];
        sprintf(text, EVENTS "\r\nretry: %s\n\n", cases[i].retry);
        play(0, text, NULL, NULL, NULL);
        tale_run(&t, BLOCKING, NULL, -1, 3);
        CHECK_STR(buf_c(&t.g.log), "ODC");
        CHECK(t.wait[0] >= cases[i].least && t.wait[0] <= cases[i].most);
        tale_over(&t);
    }
}

TEST(reader_stops) /* at what is no stream, and at errors, whose bodies can be read */
{
    static const struct {
        const char *first, *second, *log, *body;
        int reader, error;
    } cases[] = {
        { "HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nwhy?", NULL, "C", "why?", 0,
          WS_ERR_STATUS },
        { EVENTS "\r\nretry: 1\ndata: a\n\n",
          "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwhy?\r\n0\r\n\r\n",
          "O[a|message|]DC", "why?", 0, WS_ERR_STATUS },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhi", NULL, "OC", "",
          WS_SSE_ERR_TYPE, 0 },
        { EVENTS "\r\nretry: 1\n\n",
          "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n~", "ODOC", "",
          WS_SSE_ERR_TYPE, 0 },
        { "HTTP/1.1 204 No\r\n\r\n", NULL, "OC", "", 0, 0 },
        { "HTTP/1.1 302 F\r\nLocation: /y\r\n\r\n",
          EVENTS "\r\nretry: 99999999\ndata: a\n\n", "O[a|message|]DC", "", 0, 0 },
    };
    size_t i;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            tale t;
            play(0, cases[i].first, cases[i].second, NULL, NULL);
            tale_run(&t, driver, NULL, -1, 0);
            CHECK_STR(buf_c(&t.g.log), cases[i].log);
            CHECK_STR(buf_c(&t.refusal), cases[i].body);
            CHECK_INT(t.g.r.error, cases[i].reader);
            CHECK_INT(t.error, cases[i].error);
            tale_over(&t);
        }
}

/* ---- the field: how long a reader waits ---- */

/* A reader in every driver with up to PLAYS answers; what it waited, each between least
   and most. Every DOWN with a retry_in was followed by a request. */
static void waits_check(const ws_config *cfg, const char *const *answers,
                        const int (*want)[2], const char *log)
{
    int driver, i, n;

    for (driver = 0; driver < DRIVERS; driver++) {
        tale t;
        for (n = 0; n < PLAYS; n++) play_text[n] = NULL;
        for (n = 0; n < PLAYS && answers[n]; n++) {}
        for (i = 4; i < n; i++) play_text[i] = answers[i];
        play(0, answers[0], n > 1 ? answers[1] : NULL, n > 2 ? answers[2] : NULL,
             n > 3 ? answers[3] : NULL);
        tale_run(&t, driver, cfg, -1, 0);
        CHECK_STR(buf_c(&t.g.log), log);
        CHECK_INT(play_seen->connections, n);
        CHECK_INT(t.downs, n - 1);
        for (i = 0; i < t.downs; i++) {
            CHECK(t.wait[i] >= want[i][0] && t.wait[i] <= want[i][1]);
            if (t.wait[i] < want[i][0] || t.wait[i] > want[i][1])
                printf("    wait %d: %d, want %d..%d\n", i, t.wait[i], want[i][0],
                       want[i][1]);
        }
        tale_over(&t);
    }
    for (n = 0; n < PLAYS; n++) play_text[n] = NULL;
}

#define GONE "HTTP/1.1 204 No\r\n\r\n"
#define STORY(events) EVENTS "\r\n" events "data: a\n\n"
#define TOLD "O[a|message|]D"

/* a server that answers each request with a stream is asked after retry each time */
TEST(field_14_waits_retry_after_each_stream)
{
    static const char *const always[PLAYS] = { STORY("retry: 20\n"), STORY("retry: 20\n"),
                                               STORY("retry: 20\n"), STORY("retry: 20\n"),
                                               STORY("retry: 20\n"), STORY("retry: 20\n"),
                                               STORY("retry: 20\n"), GONE };
    static const char *const once[PLAYS] = {
        /* it stays in force, and can be changed */
        STORY("retry: 20\n"), STORY(""), STORY(""), STORY("retry: 40\n"), STORY(""),
        STORY("retry: 8\n"),  STORY(""), GONE
    };
    static const int same[][2] = {
        { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }
    };
    static const int changed[][2] = {
        { 20, 25 }, { 20, 25 }, { 20, 25 }, { 40, 50 }, { 40, 50 }, { 8, 10 }, { 8, 10 }
    };

    waits_check(NULL, always, same, TOLD TOLD TOLD TOLD TOLD TOLD TOLD "OC");
    waits_check(NULL, once, changed, TOLD TOLD TOLD TOLD TOLD TOLD TOLD "OC");
}

/* the same with cfg.reconnect, when the server says no retry */
TEST(field_14_waits_reconnect_after_each_stream)
{
    static const char *const answers[PLAYS] = {
        STORY(""), STORY(""), STORY(""), STORY(""), STORY(""), STORY(""), STORY(""), GONE
    };
    static const int want[][2] = {
        { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }
    };
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.reconnect = 20;
    cfg.retry_max = 5;                      /* bounds what a server asks for alone */
    waits_check(&cfg, answers, want, TOLD TOLD TOLD TOLD TOLD TOLD TOLD "OC");
}

/* streams that break, are cut inside an event, or bring none, are successes too */
TEST(field_14_a_stream_that_breaks_was_one)
{
    static const char *const answers[PLAYS] = {
        EVENTS "\r\nretry: 20\n\n",
        EVENTS "\r\n^",
        EVENTS "Content-Length: 99\r\n\r\ndata",
        EVENTS "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        EVENTS "\r\n",
        STORY(""),
        EVENTS "Content-Length: 0\r\n\r\n",
        GONE
    };
    static const int want[][2] = {
        { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }, { 20, 25 }
    };

    waits_check(NULL, answers, want, "ODODODODOD" TOLD "ODOC");
}

/* tries that fail double it, never below retry; the next stream sets it back */
TEST(field_14_doubles_while_tries_fail)
{
    static const char *const answers[PLAYS] = { STORY("retry: 20\n"),
                                                "",
                                                "HTTP/1.1 2",
                                                "SSH-2.0-x\r\n",
                                                STORY(""),
                                                "",
                                                STORY(""),
                                                GONE };
    static const int want[][2] = { { 20, 25 }, { 20, 40 }, { 40, 80 }, { 80, 160 },
                                   { 20, 25 }, { 20, 40 }, { 20, 25 } };

    waits_check(NULL, answers, want, TOLD "DDD" TOLD "D" TOLD "OC");
}

/* the same before there was a stream, from cfg.reconnect on */
TEST(field_14_doubles_from_the_start)
{
    static const char *const answers[PLAYS] = {
        "", "", "", STORY(""), "", STORY(""), GONE
    };
    static const int want[][2] = {
        { 10, 25 }, { 20, 50 }, { 40, 100 }, { 20, 25 }, { 20, 40 }, { 20, 25 }
    };
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.reconnect = 20;
    waits_check(&cfg, answers, want, "DDD" TOLD "D" TOLD "OC");
}

/* no server makes a reader wait longer than cfg.retry_max, 5 minutes; a retry of more
   than reconnect_max counts */
TEST(field_14_retry_is_capped)
{
    static const struct { const char *retry; uint32_t most; int low, high;
    } cases[] = {
        { "99999999999999999999", 0, 300000, 300000 },
        { "300001", 0, 300000, 300000 },
        { "300000", 0, 300000, 300000 },
        { "2147483648", 0, 300000, 300000 },
        { "4294967297", 0, 300000, 300000 },
        { "40000", 0, 40000, 50000 },
        { "40000", 30, 30, 30 },
        { "20", 30, 20, 25 },
        { "29", 30, 29, 30 },
        { "0", 30, 1, 1 },
        { "600000", 700000, 600000, 700000 },
        { "600000", WS_NO_LIMIT, 600000, 750000 },
        { "99999999999999999999", WS_NO_LIMIT, 1 << 29, 1 << 30 },
    };
    size_t i;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            tale t;
            ws_config cfg;
            char text[200];
            memset(&cfg, 0, sizeof cfg);
            cfg.retry_max = cases[i].most;
            sprintf(text, EVENTS "\r\nretry: %s\n\n", cases[i].retry);
            play(0, text, NULL, NULL, NULL);
            tale_run(&t, driver, &cfg, -1, 3);
            CHECK_STR(buf_c(&t.g.log), "ODC");
            CHECK(t.wait[0] >= cases[i].low && t.wait[0] <= cases[i].high);
            if (t.wait[0] < cases[i].low || t.wait[0] > cases[i].high)
                printf("    retry %s: %d\n", cases[i].retry, t.wait[0]);
            tale_over(&t);
        }
}

/* a retry over reconnect_max that the server takes back leaves no trace */
TEST(field_14_a_long_retry_taken_back)
{
    static const char *const answers[PLAYS] = {
        EVENTS "\r\nretry: 100000\n\nretry: 2\n\ndata: a\n\n", "", "", "", "", GONE
    };
    static const int want[][2] = { { 2, 2 }, { 2, 4 }, { 4, 8 }, { 8, 16 }, { 8, 16 } };
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.reconnect_max = 16;
    waits_check(&cfg, answers, want, TOLD "DDDDOC");
}

/* ---- the field: refusals ---- */

#define REFUSED(status, more) "HTTP/1.1 " status " No\r\n" more "Content-Length: 4\r\n" \
    "\r\nwhy?"

/* a refusal ends a reader: CLOSE, without a DOWN before it that promises a try */
TEST(field_15_a_refusal_promises_nothing)
{
    static const char *const cases[] = {
        REFUSED("401", ""), REFUSED("400", ""), REFUSED("403", ""), REFUSED("404", ""),
        REFUSED("429", "Retry-After: 0\r\n"), REFUSED("500", ""), REFUSED("502", ""),
        REFUSED("503", ""), REFUSED("503", "Retry-After: 1\r\n"), REFUSED("504", ""),
        REFUSED("300", "")
    };
    size_t i;
    int driver, later;

    for (driver = 0; driver < DRIVERS; driver++) for (later = 0; later < 2; later++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            tale t;
            if (later) play(0, STORY("retry: 1\n"), cases[i], STORY(""), NULL);
            else play(0, cases[i], STORY(""), NULL, NULL);
            tale_run(&t, driver, NULL, -1, 0);
            CHECK_STR(buf_c(&t.g.log), later ? TOLD "C" : "C");
            CHECK_STR(buf_c(&t.refusal), "why?");
            CHECK_INT(t.error, WS_ERR_STATUS);
            CHECK_INT(t.g.r.error, 0);
            CHECK_INT(t.downs, later);
            tale_over(&t);
        }
}

/* cfg.retry_after: a reader goes on after the four that pass, and after no other */
TEST(field_15_goes_on_after_what_passes)
{
    static const char *const passing[PLAYS] = {
        REFUSED("503", ""), REFUSED("429", ""), REFUSED("502", ""), REFUSED("504", ""),
        STORY("retry: 8\n"), REFUSED("503", ""), STORY(""), GONE
    };
    static const int want[][2] = {
        { 2, 5 }, { 4, 10 }, { 8, 20 }, { 16, 40 }, { 8, 10 }, { 8, 16 }, { 8, 10 }
    };
    static const char *const LAST[] = {
        REFUSED("401", "Retry-After: 0\r\n"), REFUSED("403", ""), REFUSED("404", ""),
        REFUSED("500", ""), REFUSED("501", ""), REFUSED("505", ""), REFUSED("428", "")
    };
    ws_config cfg;
    size_t i;
    int driver;

    memset(&cfg, 0, sizeof cfg);
    cfg.reconnect = 4;
    cfg.retry_after = 1;
    waits_check(&cfg, passing, want, "DDDD" TOLD "D" TOLD "OC");
    for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < sizeof LAST / sizeof *LAST; i++) {
            tale t;
            play(0, REFUSED("503", ""), LAST[i], STORY(""), NULL);
            tale_run(&t, driver, &cfg, -1, 0);
            CHECK_STR(buf_c(&t.g.log), "DC");
            CHECK_STR(buf_c(&t.refusal), "why?");
            CHECK_INT(t.error, WS_ERR_STATUS);
            CHECK_INT(play_seen->connections, 2);
            tale_over(&t);
        }
}

/* what Retry-After makes of a wait of 4 ms, in readers and in WebSockets */
TEST(field_15_retry_after_is_waited)
{
    static const struct { const char *answer; uint32_t most; int low, high;
    } cases[] = {
        { REFUSED("503", "Retry-After: 100\r\n"), 0, 100000, 125000 },
        { REFUSED("429", "Retry-After: 100\r\n"), 0, 100000, 125000 },
        { REFUSED("502", "retry-after:100\r\n"), 0, 100000, 125000 },
        { REFUSED("504", "Retry-After:\t 100 \r\n"), 0, 100000, 125000 },
        { REFUSED("503", "Retry-After: 100000\r\n"), 0, 300000, 300000 },
        { REFUSED("503", "Retry-After: 99999999999999999999\r\n"), 0, 300000, 300000 },
        { REFUSED("503", "Retry-After: 4294968\r\n"), 0, 300000, 300000 },
        { REFUSED("503", "Retry-After: 100\r\n"), 50000, 50000, 50000 },
        { REFUSED("503", "Retry-After: 1000\r\n"), 2000000, 1000000, 1250000 },
        { REFUSED("503", "Retry-After: 0\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After: -100\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After: soon\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After: 100x\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After:\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), 0, 2, 5 },
        { REFUSED("503", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"), 0, 2,
          300000 },
        { REFUSED("503", ""), 0, 2, 5 },
    };
    static char memory[256];
    size_t i;
    int driver, reader;

    for (reader = 0; reader < 2; reader++) for (driver = 0; driver < DRIVERS; driver++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            ws_loop *loop = driver == LOOP ? ws_loop_new(NULL) : NULL;
            ws_sse_reader r;
            ws_sse_event e;
            ws_config cfg;
            ws_event ev;
            ws_conn *c;
            memset(&cfg, 0, sizeof cfg);
            cfg.reconnect = 4;
            cfg.retry_after = 1;
            cfg.retry_max = cases[i].most;
            play(0, cases[i].answer, NULL, NULL, NULL);
            memset(&ev, 0, sizeof ev);
            if (reader && driver == BLOCKING)
                c = ws_sse_connect(&r, play_url(), &cfg, memory, sizeof memory);
            else if (reader)
                c = ws_sse_dial(&r, loop, play_url(), &cfg, memory, sizeof memory);
            else if (driver == BLOCKING) c = ws_connect(play_url(), &cfg);
            else c = loop ? ws_dial(loop, play_url(), &cfg) : ws_open(play_url(), &cfg);
            CHECK(drive(driver, loop, c, &ev) > 0);
            if (reader) ws_sse_take(&r, &ev, &e);
            CHECK_INT(ev.type, WS_EV_DOWN);
            CHECK_INT(ev.error, WS_ERR_STATUS);
            CHECK(ev.retry_in >= cases[i].low && ev.retry_in <= cases[i].high);
            if (ev.retry_in < cases[i].low || ev.retry_in > cases[i].high)
                printf("    %.60s: %d\n", cases[i].answer, ev.retry_in);
            ws_close(c, 0, NULL);                       /* CLOSE follows at once */
            CHECK(drive(driver, loop, c, &ev) > 0);
            CHECK_INT(ev.type, WS_EV_CLOSE);
            CHECK_INT(ev.error, WS_ERR_STATUS);
            ws_free(c);
            ws_loop_free(loop);
            play_over();
        }
}

/* Retry-After counts only where it is asked for, and after 429, 502, 503 and 504 */
TEST(field_15_retry_after_is_off_by_default)
{
    static const char *const cases[] = {
        REFUSED("503", "Retry-After: 100\r\n"), REFUSED("429", "Retry-After: 100\r\n"),
        REFUSED("401", "Retry-After: 100\r\n"), REFUSED("500", "Retry-After: 100\r\n")
    };
    size_t i;
    int driver, on;

    for (on = 0; on < 2; on++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (i = 0; i < 4; i++) {
                ws_loop *loop = driver == LOOP ? ws_loop_new(NULL) : NULL;
                ws_config cfg;
                ws_event ev;
                ws_conn *c;
                memset(&cfg, 0, sizeof cfg);
                cfg.reconnect = 4;
                cfg.retry_after = on;
                play(0, cases[i], NULL, NULL, NULL);
                memset(&ev, 0, sizeof ev);
                c = driver == BLOCKING ? ws_connect(play_url(), &cfg)
                    : loop             ? ws_dial(loop, play_url(), &cfg)
                                       : ws_open(play_url(), &cfg);
                CHECK(drive(driver, loop, c, &ev) > 0);
                CHECK_INT(ev.type, WS_EV_DOWN); /* a WebSocket goes on at all of them */
                if (on && i < 2)
                    CHECK(ev.retry_in >= 100000);
                else
                    CHECK(ev.retry_in >= 2 && ev.retry_in <= 5);
                ws_free(c);
                ws_loop_free(loop);
                play_over();
            }
}

/* a DOWN with a retry_in is followed by a try, whatever the server does next */
TEST(field_15_every_promise_is_kept)
{
    static const char *const cases[] = {
        STORY("retry: 1\n"),
        REFUSED("503", ""),
        REFUSED("401", ""),
        "",
        GONE,
        EVENTS
        "\r\nid: 0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789\n\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
        "HTTP/1.1 206 P\r\n\r\n",
    };
    const int n = sizeof cases / sizeof *cases;
    int a, b, on;

    for (on = 0; on < 2; on++) for (a = 0; a < n; a++) for (b = 0; b < n; b++) {
        tale t;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.reconnect = 1;
        cfg.retry_after = on;
        play(0, cases[a], cases[b], GONE, NULL);
        tale_run(&t, BLOCKING + (a + b) % DRIVERS, &cfg, -1, 0);
        CHECK(t.g.log.n && t.g.log.p[t.g.log.n - 1] == 'C');
        CHECK_INT(play_seen->connections, t.downs + 1);
        tale_over(&t);
    }
}

TEST(reader_posts)              /* once: a POST is not repeated unless it is told to */
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        tale t;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.method = "POST";
        cfg.body = "{\"stream\":true}";
        cfg.body_size = 15;
        play(1,
             EVENTS
             "Transfer-Encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
             "HTTP/1.1 204 No\r\n\r\n", NULL, NULL);
        tale_run(&t, driver, &cfg, -1, 0);
        CHECK_STR(buf_c(&t.g.log), "O[[DONE]|message|]C");
        CHECK_INT(t.error, 0);
        CHECK(strstr(play_seen->request[0], "\r\n\r\n{\"stream\":true}") != NULL);
        CHECK_INT(play_seen->connections, 1);
        tale_over(&t);
    }
}

/* no room for a last event id: it does not come back without one */
TEST(reader_fixed_memory)
{
    static uint64_t block[WS_MEMORY_SIZE(4096, 2048) / 8];
    int driver;

    for (driver = 0; driver < LOOP; driver++) {
        tale t;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 2048;
        cfg.reconnect = 1;
        play(1, EVENTS "\r\nid: 7\ndata: a\n\n", "HTTP/1.1 204 No\r\n\r\n", NULL, NULL);
        tale_run(&t, driver, &cfg, -1, 0);
        CHECK_STR(buf_c(&t.g.log), "O[a|message|7]C");
        CHECK_INT(t.error, 0);
        tale_over(&t);
    }
}

TEST(reader_ended_anywhere) /* closed, freed, dropped at every event, in every driver */
{
    int driver, how, at;

    for (driver = 0; driver < DRIVERS; driver++)
        for (how = 0; how < 3; how++)
            for (at = 0; at < 9; at++) {
                tale t;
                play(0, EVENTS "\r\nretry: 1\ndata: a\n\ndata: b\n\n",
                     EVENTS "\r\ndata: c\n\n", "HTTP/1.1 503 No\r\n\r\nx", NULL);
                tale_run(&t, driver, NULL, at, how);
                if (how == 0)
                    CHECK(t.g.log.n && t.g.log.p[t.g.log.n - 1] == 'C');
                tale_over(&t);
            }
}

TEST(reader_arguments)
{
    static char memory[64];
    static const ws_header bad[] = { { "X", "a\nb" }, { NULL, NULL } };
    ws_sse_reader r;
    ws_config cfg;
    ws_event ev;

    CHECK(!ws_sse_connect(&r, "http://127.0.0.1:1/", NULL, memory, 63));
    CHECK_INT(r.error, WS_SSE_ERR_MEMORY);
    CHECK(!ws_sse_connect(&r, "http://127.0.0.1:1/", NULL, NULL, 64));
    memset(&cfg, 0, sizeof cfg);
    cfg.headers = bad;
    CHECK(ws_sse_connect(&r, "http://127.0.0.1:1/", &cfg, memory, 64) != NULL);
    CHECK_INT(ws_recv(r.conn, &ev, 0), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.error, WS_ERR_ARGUMENT);
    ws_free(r.conn);
}

/* ---- one loop: listener, WebSockets, streams ---- */

typedef struct place { ws_conn *c; buf got; int is_ws, opens, closes; } place;

TEST(mixed_groups) /* one publish reaches both kinds; the end of a reader is noticed */
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_config web;
    static place at[6];
    static char big[5000];
    char url[60];
    int i, n, joined = 0, lost = 0;
    uint64_t until;
    ws_event ev;
    ws_sse_message m;

    n = ws_listen(loop, "127.0.0.1:0", NULL);
    memset(big, 'x', sizeof big - 1);
    memset(&web, 0, sizeof web);
    memset(at, 0, sizeof at);
    for (i = 0; i < 6; i++) {
        at[i].is_ws = i % 2;
        web.method = i % 2 ? NULL : "GET";
        web.user = &at[i];
        sprintf(url, "%s://127.0.0.1:%d/%d", i % 2 ? "ws" : "http",
                ws_listen_port(loop, n), i);
        at[i].c = ws_dial(loop, url, &web);
    }
    until = ws_loop_now(loop) + 10000;
    for (i = 0; i < 5 && ws_loop_now(loop) < until;) {
        place *p;
        int all = 1, k;
        if (ws_poll(loop, &ev, 20) > 0) {
            p = (place *)ws_user(ev.conn);
            if (ev.type == WS_EV_HTTP) {
                ws_sse_options o;
                memset(&o, 0, sizeof o);
                o.chunked = joined % 2;
                CHECK_INT(ws_sse_open(ev.conn, &o), 0);
            }
            if (!p && (ev.type == WS_EV_HTTP || ev.type == WS_EV_OPEN)) {
                CHECK_INT(ws_join(ev.conn, "all"), 0);
                joined++;
            }
            if (p && ev.type == WS_EV_OPEN) p->opens = 1;
            if (p && (ev.type == WS_EV_PART || ev.type == WS_EV_MESSAGE))
                buf_add(&p->got, ev.data, ev.size);
            if (p && ev.type == WS_EV_CLOSE) p->closes = 1;
            if (!p && ev.type == WS_EV_CLOSE) lost++;
            continue;
        }
        for (k = 0; k < 6; k++) all &= at[k].opens;
        if (!all || joined < 6) continue;
        memset(&m, 0, sizeof m);
        m.id = "7";
        m.data = i == 0 ? "one" : i == 1 ? big : NULL;
        if (i == 2) m.comment = "only readers";
        if (i < 3) CHECK_INT(ws_sse_publish(loop, "all", &m), i == 2 ? 3 : 6);
        if (i == 3) { ws_free(at[0].c); at[0].c = NULL; }       /* a reader hangs up */
        if (i == 4) { CHECK_INT(lost, 1); CHECK_INT(ws_loop_count(loop), 10); }
        i++;
    }
    CHECK_INT(i, 5);
    CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_TEXT, big, 4999),
              3); /* never to readers */
    filled = 0;
    CHECK_INT(ws_http_publish_fill(loop, "none", NULL, 9, fill_letters, big), 0);
    CHECK_INT(ws_http_publish_fill(NULL, "all", NULL, 9, fill_letters, big), 0);
    CHECK_INT(ws_http_publish_fill(loop, "all", NULL, 9, NULL, big), 0);
    CHECK_INT(ws_http_publish_fill(loop, "all", NULL, (size_t)-1, fill_letters, big), 0);
    CHECK_INT(filled, 0);
    CHECK_INT(ws_broadcast(loop, NULL, WS_OP_TEXT, "b", 1), 3);
    ws_shutdown(loop, 1001, "bye", 3000);
    while (ws_poll(loop, &ev, 3000) > 0) {
        place *p = (place *)ws_user(ev.conn);
        if (p && (ev.type == WS_EV_PART || ev.type == WS_EV_MESSAGE))
            buf_add(&p->got, ev.data, ev.size);
    }
    CHECK_INT(ws_loop_count(loop), 0);
    for (i = 0; i < 6; i++) {
        buf want = { 0 };
        if (at[i].is_ws) {
            buf_str(&want, "one");
            buf_str(&want, big);
            buf_str(&want, big);
            buf_str(&want, "b");
        } else {
            buf_str(&want, ": \n\nid: 7\ndata: one\n\nid: 7\ndata: ");
            buf_str(&want, big);
            buf_str(&want, "\n\n");
        }
        if (at[i].is_ws) CHECK(!strncmp(buf_c(&at[i].got), want.p, 5000));
        else
            CHECK(!strncmp(buf_c(&at[i].got), want.p, want.n) &&
                  strstr(at[i].got.p, "only readers"));
        buf_free(&want);
        buf_free(&at[i].got);
    }
    ws_loop_free(loop);
}

/* A server and its reader in one loop, over two streams; -1 while an allocation
   failed. */
static long loop_run(long fail_at, int fail_all)
{
    static char memory[1024], ring_memory[300], big[5000];
    world w;
    ws_config cfg;
    ws_loop *loop;
    ws_sse_reader r;
    ws_sse_ring ring;
    ws_sse_message m = event_of(big);
    ws_sse_event e;
    ws_event ev;
    char address[60];
    int n = -1, streams = 0, bytes = 0, left = 40;

    memset(big, 'x', sizeof big - 1);
    world_init(&w);
    cfg = world_config(&w);
    w.h.fail_at = fail_at;
    w.h.fail_all = fail_all;
    ws_sse_ring_init(&ring, ring_memory, sizeof ring_memory);
    loop = ws_loop_new(&cfg);
    if (loop) n = ws_listen(loop, "127.0.0.1:0", &cfg);
    sprintf(address, "http://127.0.0.1:%d/", n < 0 ? 1 : ws_listen_port(loop, n));
    cfg.reconnect = 1;
    cfg.reconnect_max = 1;
    if (n >= 0) ws_sse_dial(&r, loop, address, &cfg, memory, sizeof memory);
    while (n >= 0 && r.conn && left && ws_poll(loop, &ev, 5) >= 0) {
        left -= w.h.failed > 0;                 /* it may wait, or try again, for ever */
        while (ws_sse_take(&r, &ev, &e)) bytes += (int)e.size;
        if (ev.type == WS_EV_CLOSE && ev.conn == r.conn) break;
        if (ev.type != WS_EV_HTTP) continue;
        if (streams++ == 2) { ws_http_reply(ev.conn, 204, NULL, NULL, 0); continue; }
        if (ws_sse_open(ev.conn, NULL)) continue;
        ws_sse_replay(ev.conn, &ring, NULL);
        ws_join(ev.conn, "all");
        m.id = "1";
        ws_sse_publish(loop, "all", &m);
        m.size = 10;
        ws_sse_ring_add(&ring, &m);
        ws_sse_publish(loop, "all", &m);
        m.size = 0;
        ws_http_end(ev.conn);
    }
    if (!w.h.failed) CHECK_INT(bytes, 2 * (4999 + 10) + 10);
    ws_loop_free(loop);
    CHECK_INT(w.h.live, 0);
    return w.h.failed ? -1 : w.h.calls;
}

TEST(loop_memory_fails)         /* the n-th allocation, for every n, and all from it on */
{
    int all;
    long n;

    for (all = 0; all < 2; all++) {
        for (n = 1; loop_run(n, all) < 0; n++) CHECK(n < 400);
        CHECK(n > 20);
    }
}

#define FIELD_TESTS T(field_14_waits_retry_after_each_stream) \
    T(field_14_waits_reconnect_after_each_stream) \
    T(field_14_a_stream_that_breaks_was_one) T(field_14_doubles_while_tries_fail) \
    T(field_14_doubles_from_the_start) T(field_14_retry_is_capped) \
    T(field_14_a_long_retry_taken_back) T(field_15_a_refusal_promises_nothing) \
    T(field_15_goes_on_after_what_passes) T(field_15_retry_after_is_waited) \
    T(field_15_retry_after_is_off_by_default) T(field_15_every_promise_is_kept)
#define SOCKET_TESTS FIELD_TESTS T(reader_comes_back) T(reader_ids) \
    T(reader_id_without_memory) T(reader_idle) T(reader_waits) T(reader_stops) \
    T(reader_posts) T(reader_fixed_memory) T(reader_ended_anywhere) \
    T(reader_arguments) T(mixed_groups) T(loop_memory_fails)
#else
#define SOCKET_TESTS
#endif

#define ENGINE_TESTS T(headers_are_said_once) T(answers) T(asked) T(headers_many) \
    T(sends) T(fills) T(no_frames) T(beats) T(beats_never) T(beats_after_very_long) \
    T(dead_peer) T(stalls) T(backlog) T(drops_oldest) T(drops_slow) T(ends) \
    T(server_memory_fails) T(server_fixed_memory) T(sec_J5_a_slow_reader) T(ring) \
    T(ring_replay_backlog) T(ring_replay_head) T(reader_cuts) T(reader_not_emptied) \
    T(own_transport)

TESTS(ENGINE_TESTS SOCKET_TESTS)

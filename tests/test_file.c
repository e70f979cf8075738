/* Answers that a function gives (ws_http_file): whole, one range of them, HEAD; on a
   connection that stays; what goes wrong on the way. The engine is fed by hand; then a
   loop with small buffers. */
#include "fixture.h"

/* What is served, and what was asked for it. */
typedef struct shelf {
    const ws_header *headers;
    uint64_t size;
    int fault;                  /* of ws_http_file */
    int opened, ended;          /* taken; its last call came */
    long reads;
    long bad_at;                /* this read goes wrong, 0: none */
    ptrdiff_t bad;              /* so */
    size_t step;                /* bytes given at once, 0: all */
} shelf;

static char byte_at(uint64_t at) { return (char)('a' + at % 23); }

static ptrdiff_t shelf_read(void *user, uint64_t at, void *buf, size_t n)
{
    shelf *it = (shelf *)user;
    size_t i;

    CHECK(!it->ended);
    if (!n) {
        CHECK(!buf);
        it->ended++;
        return 0;
    }
    CHECK(at < it->size && n <= it->size - at);
    if (++it->reads == it->bad_at)
        return it->bad;
    if (it->step && n > it->step)
        n = it->step;
    for (i = 0; i < n; i++) ((char *)buf)[i] = byte_at(at + i);
    return (ptrdiff_t)n;
}

static void serve_file(side *s, const ws_event *ev)
{
    shelf *it = (shelf *)s->user;

    if (ev->type != WS_EV_HTTP)
        return;
    it->reads = it->ended = 0;
    it->fault = ws_http_file(s->c, it->headers, it->size, shelf_read, it);
    it->opened = !it->fault;
}

static int file_server(side *s, world *w, shelf *it, const ws_config *cfg)
{
    int made = side_new(s, w, 0, cfg);

    s->event = serve_file;
    s->user = it;
    s->kept = 1;
    return made;
}

/* The body behind the head in out: its size, or -1 where it is not what stands there. */
static long body_size(const buf *out, uint64_t from)
{
    const char *end = strstr(buf_c((buf *)(uintptr_t)out), "\r\n\r\n"), *p;
    uint64_t at = from;

    if (!end)
        return -1;
    for (p = end + 4; p < out->p + out->n; p++, at++)
        if (*p != byte_at(at))
            return -1;
    return (long)(at - from);
}

#define GET "GET /x HTTP/1.1\r\n" HO

/* ==== ranges ======================================================================== */

TEST(ranges)
{
    static const struct {
        const char *range;
        uint64_t size;
        int status;
        uint64_t from;
        long n;
        const char *told;
    } cases[] = {
        { NULL, 100, 200, 0, 100, NULL },
        { "bytes=0-9", 100, 206, 0, 10, "bytes 0-9/100" },
        { "bytes=0-0", 100, 206, 0, 1, "bytes 0-0/100" },
        { "bytes=90-", 100, 206, 90, 10, "bytes 90-99/100" },
        { "bytes=90-100", 100, 206, 90, 10, "bytes 90-99/100" },
        { "bytes=90-1000", 100, 206, 90, 10, "bytes 90-99/100" },
        { "bytes=99-99", 100, 206, 99, 1, "bytes 99-99/100" },
        { "bytes=0-18446744073709551615", 100, 200, 0, 100, NULL },
        { "bytes=0-1844674407370955160", 100, 206, 0, 100, "bytes 0-99/100" },
        { "bytes=-1", 100, 206, 99, 1, "bytes 99-99/100" },
        { "bytes=-100", 100, 206, 0, 100, "bytes 0-99/100" },
        { "bytes=-1000", 100, 206, 0, 100, "bytes 0-99/100" },
        { "Bytes=1-2", 100, 206, 1, 2, "bytes 1-2/100" },
        { "bytes=00001-2", 100, 206, 1, 2, "bytes 1-2/100" },
        { "bytes=100-", 100, 416, 0, 0, "bytes */100" },
        { "bytes=100-200", 100, 416, 0, 0, "bytes */100" },
        { "bytes=-0", 100, 416, 0, 0, "bytes */100" },
        { "bytes=0-", 0, 416, 0, 0, "bytes */0" },
        { "bytes=-5", 0, 416, 0, 0, "bytes */0" },
        { "bytes=5-4", 100, 200, 0, 100, NULL },
        { "bytes=-", 100, 200, 0, 100, NULL },
        { "bytes=", 100, 200, 0, 100, NULL },
        { "bytes", 100, 200, 0, 100, NULL },
        { "", 100, 200, 0, 100, NULL },
        { "bytes=1", 100, 200, 0, 100, NULL },
        { "bytes=a-b", 100, 200, 0, 100, NULL },
        { "bytes=1-b", 100, 200, 0, 100, NULL },
        { "bytes= 1-2", 100, 200, 0, 100, NULL },
        { "bytes=1 -2", 100, 200, 0, 100, NULL },
        { "bytes=--1", 100, 200, 0, 100, NULL },
        { "bytes=+1-2", 100, 200, 0, 100, NULL },
        { "bytes=0-1,5-6", 100, 200, 0, 100, NULL },
        { "bytes=0-1,", 100, 200, 0, 100, NULL },
        { "chars=0-1", 100, 200, 0, 100, NULL },
        { "bytes=99999999999999999999-", 100, 200, 0, 100, NULL },
        { "bytes=1099511627770-", 1099511627776u, 206, 1099511627770u, 6,
          "bytes 1099511627770-1099511627775/1099511627776" },
        { "bytes=-3", 1099511627776u, 206, 1099511627773u, 3,
          "bytes 1099511627773-1099511627775/1099511627776" },
        { NULL, 0, 200, 0, 0, NULL },
        { NULL, 20000, 200, 0, 20000, NULL },
        { "bytes=4096-12287", 20000, 206, 4096, 8192, "bytes 4096-12287/20000" }
    };
    int i, head;
    size_t step;

    for (i = 0; i < COUNT(cases); i++) for (head = 0; head < 2; head++)
        for (step = 0; step < 8; step += 7) {
            world w;
            side s;
            shelf it = { 0 };
            ws_config cfg = world_fresh(&w);
            char text[200], number[24];
            int before = test_faults, part = !head && cases[i].status != 200;

            it.size = cases[i].size;
            it.step = step;
            sprintf(text, "%s /x HTTP/1.1\r\n" HO "%s%s%s" E, head ? "HEAD" : "GET",
                    cases[i].range ? "Range: " : "", cases[i].range ? cases[i].range : "",
                    cases[i].range ? E : "");
            file_server(&s, &w, &it, &cfg);
            side_text(&s, text);
            CHECK_INT(head_status(&s.out), head ? 200 : cases[i].status);
            sprintf(number, "%lu", (unsigned long)(head ? it.size
                                                        : (uint64_t)cases[i].n));
            CHECK_FIELD(&s.out, "Content-Length", number);
            CHECK_FIELD(&s.out, "Content-Range", part ? cases[i].told : NULL);
            CHECK_FIELD(&s.out, "Accept-Ranges", "bytes");
            CHECK_INT(body_size(&s.out, cases[i].from), head ? 0 : cases[i].n);
            CHECK(s.closes == 1 && s.clean == 1 && it.ended == 1);
            side_over(&s);
            if (test_faults != before)
                printf("  %s of %lu\n", text, (unsigned long)it.size);
        }
}

/* A part of what has changed since is of no use. */
TEST(ranges_of_what_has_changed)
{
    static const ws_header both[] = {
        { "ETag", "\"v1\"" }, { "Last-Modified", "Mon, 30 Nov 2026 10:00:00 GMT" },
        { NULL, NULL }
    };
    static const ws_header none[] = { { NULL, NULL } };
    static const ws_header weak[] = { { "ETag", "W/\"v1\"" }, { NULL, NULL } };
    static const struct {
        const ws_header *headers;
        const char *text;
        int status;
    } cases[] = {
        { both, "If-Range: \"v1\"\r\n", 206 },
        { both, "If-Range: \"v2\"\r\n", 200 },
        { both, "If-Range: W/\"v1\"\r\n", 200 },
        { both, "If-Range: Mon, 30 Nov 2026 10:00:00 GMT\r\n", 206 },
        { both, "If-Range: Mon, 30 Nov 2026 10:00:01 GMT\r\n", 200 },
        { both, "If-Range:\r\n", 200 },
        { none, "If-Range: \"v1\"\r\n", 200 },
        { NULL, "If-Range: \"v1\"\r\n", 200 },
        { weak, "If-Range: W/\"v1\"\r\n", 200 },
        { NULL, "", 206 }
    };
    int i;

    for (i = 0; i < COUNT(cases); i++) {
        world w;
        side s;
        shelf it = { 0 };
        ws_config cfg = world_fresh(&w);
        char text[300];

        it.size = 100;
        it.headers = cases[i].headers;
        sprintf(text, GET "Range: bytes=1-2\r\n%s" E, cases[i].text);
        file_server(&s, &w, &it, &cfg);
        side_text(&s, text);
        CHECK_INT(head_status(&s.out), cases[i].status);
        side_over(&s);
    }
}

/* ==== on its way ==================================================================== */

TEST(several_on_one_connection)
{
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);
    size_t budget;
    int i;

    cfg.max_requests = 1000;
    for (budget = 0; budget < 3000; budget += 999) {
        it.size = 10000;
        file_server(&s, &w, &it, &cfg);
        s.budget = budget;
        for (i = 0; i < 10; i++) {
            s.out.n = 0;
            side_text(&s, i & 1 ? GET "Range: bytes=5000-9999\r\n" E : GET E);
            CHECK_INT(body_size(&s.out, i & 1 ? 5000 : 0), i & 1 ? 5000 : 10000);
            CHECK_FIELD(&s.out, "Connection", NULL);
            CHECK_INT(it.ended, 1);
            CHECK_INT(s.closes, 0);
        }
        CHECK(w.h.now < 4000);
        side_over(&s);
    }
}

/* A request that came with the one before it is the next one, as behind ws_http_reply;
   taken in one go (budget 0) and slowly, fed in one go and in two. */
TEST(a_request_behind_a_file)
{
    static const uint64_t sizes[] = { 0, 100, 10000, 100000 };
    size_t budget, cut, n = 2 * (sizeof(GET E) - 1);
    int i;

    for (i = 0; i < COUNT(sizes); i++) for (budget = 0; budget < 1000; budget += 500)
        for (cut = n / 2; cut <= n; cut += 10) {
            world w;
            side s;
            shelf it = { 0 };
            ws_config cfg = world_fresh(&w);
            int before = test_faults;

            cfg.max_requests = 1000;
            it.size = sizes[i];
            file_server(&s, &w, &it, &cfg);
            s.budget = budget;
            s.hold = 1;
            side_feed(&s, GET E GET E, cut);
            s.hold = 0;
            side_pull(&s);
            side_feed(&s, GET E GET E + cut, n - cut);
            side_end(&s);
            CHECK_INT(s.https, 2);
            CHECK_INT(s.clean, 1);
            side_over(&s);
            if (test_faults != before)
                printf("  %lu bytes, %lu at once\n", (unsigned long)sizes[i],
                       (unsigned long)budget);
        }
}

/* What cannot be taken while a file goes out is not lost; one that has said all it wanted
   gets all of it. */
TEST(input_waits_for_a_file)
{
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);
    int kept;

    for (kept = 0; kept < 2; kept++) {
        cfg.max_requests = kept ? 1000 : 1;
        it.size = 50000;
        file_server(&s, &w, &it, &cfg);
        s.hold = 1;
        side_text(&s, GET E);
        CHECK_INT(ws_feed_room(s.c), 0);
        CHECK_INT(ws_feed(s.c, GET E, sizeof(GET E) - 1), 0);
        side_end(&s);
        CHECK_INT(s.closes, 0);
        side_release(&s);
        CHECK_INT(body_size(&s.out, 0), 50000);
        CHECK(s.closes == 1 && s.clean == 1);
        side_over(&s);
    }
}

/* The same in a loop, over a socket. */
TEST(a_request_behind_a_file_in_a_loop)
{
    static const char two[] = GET E GET E;
    static char bytes[65536];
    shelf it = { 0 };
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    uint64_t start = now_ms();
    int fd, asked = 0, closed = 0, late;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_requests = 1000;
    fd = ws_listen(loop, "127.0.0.1:0", &cfg);
    fd = loopback_connect(ws_listen_port(loop, fd));
    it.size = 4 << 20;
    for (late = 0; late < 2; late++) {          /* late: the second comes on its way */
        asked = 0;
        CHECK(send(fd, two, late ? sizeof two / 2 : sizeof two - 1, 0) > 0);
        while (asked < 2 && now_ms() - start < 10000) {
            while (ws_poll(loop, &ev, 5) > 0) {
                closed += ev.type == WS_EV_CLOSE;
                if (ev.type != WS_EV_HTTP)
                    continue;
                it.ended = 0;
                CHECK_INT(ws_http_file(ev.conn, NULL, it.size, shelf_read, &it), 0);
                if (late && !asked++)
                    CHECK(send(fd, two + sizeof two / 2, sizeof two / 2, 0) > 0);
                else
                    asked += !late;
            }
            while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
            if (late && it.ended)
                asked++;
        }
        CHECK_INT(asked, 2);
        CHECK_INT(closed, 0);
    }
    close(fd);
    ws_loop_free(loop);
}

/* One that breaks off ends it at once. */
TEST(a_peer_that_breaks_off)
{
    struct linger hard = { 1, 0 };
    shelf it = { 0 };
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    uint64_t start = now_ms();
    int fd = ws_listen(loop, "127.0.0.1:0", NULL), closed = 0;

    fd = loopback_connect(ws_listen_port(loop, fd));
    it.size = (uint64_t)1 << 40;
    CHECK(send(fd, GET E, sizeof(GET E) - 1, 0) > 0);
    while (!closed && now_ms() - start < 5000) {
        while (ws_poll(loop, &ev, 5) > 0) {
            if (ev.type == WS_EV_HTTP)
                CHECK_INT(ws_http_file(ev.conn, NULL, it.size, shelf_read, &it), 0);
            if (ev.type == WS_EV_CLOSE) {
                closed++;
                CHECK_INT(ev.clean, 0);
            }
        }
        if (it.reads && fd >= 0) {
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            close(fd);
            fd = -1;
        }
    }
    CHECK_INT(closed, 1);
    ws_loop_free(loop);
    CHECK_INT(it.ended, 1);
}

/* It is read as the peer takes it: one piece waits at most. */
TEST(nothing_is_read_ahead)
{
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);

    it.size = 100000000;
    file_server(&s, &w, &it, &cfg);
    s.hold = 1;
    side_text(&s, GET E);
    CHECK(it.reads <= 1);
    while (side_write(&s, 1000) && s.out.n < 50000)
        CHECK(it.reads * 4096 <= (long)s.out.n + 4096);
    CHECK(w.h.now < 12000);
    side_over(&s);
    CHECK_INT(it.ended, 1);         /* freed on the way */
}

/* Nobody else writes into it. */
TEST(its_body_is_its_own)
{
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);
    static const ws_header length[] = { { "Content-Length", "5" }, { NULL, NULL } };

    it.size = 20000;
    file_server(&s, &w, &it, &cfg);
    s.hold = 1;
    side_text(&s, GET E);
    CHECK_INT(ws_http_write(s.c, "x", 1), WS_ERR_STATE);
    CHECK_INT(ws_http_end(s.c), WS_ERR_STATE);
    CHECK_INT(ws_http_beat(s.c, "x", 1000), WS_ERR_STATE);
    CHECK_INT(ws_http_file(s.c, NULL, 5, shelf_read, &it), WS_ERR_STATE);
    CHECK_INT(ws_http_file(s.c, length, 5, shelf_read, &it), WS_ERR_ARGUMENT);
    CHECK_INT(ws_http_file(s.c, NULL, 5, NULL, &it), WS_ERR_ARGUMENT);
    CHECK_INT(ws_http_file(NULL, NULL, 5, shelf_read, &it), WS_ERR_ARGUMENT);
    CHECK_INT(it.ended, 0);
    side_release(&s);
    CHECK_INT(body_size(&s.out, 0), 20000);
    side_over(&s);
}

/* A reader that fails, or gives what it cannot: the answer is cut, and the client sees
   it. */
TEST(readers_that_fail)
{
    static const ptrdiff_t bad[] = { 0, WS_IO_ERROR, WS_IO_WANT_READ, 4097, -1000 };
    int i;
    long at;

    for (i = 0; i < COUNT(bad); i++) for (at = 1; at < 4; at++) {
        world w;
        side s;
        shelf it = { 0 };
        ws_config cfg = world_fresh(&w);

        cfg.max_requests = 10;
        it.size = 20000;
        it.bad_at = at;
        it.bad = bad[i];
        file_server(&s, &w, &it, &cfg);
        side_text(&s, GET E GET E);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_SOURCE);
        CHECK_INT(s.https, 1);
        CHECK_INT(body_size(&s.out, 0), (at - 1) * 4096);
        CHECK_INT(it.ended, 0);
        side_over(&s);
        CHECK_INT(it.ended, 1);
    }
}

TEST(peers_that_take_nothing)
{
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);
    int i;

    cfg.ping_timeout = 5000;
    it.size = 1000000;
    file_server(&s, &w, &it, &cfg);
    s.hold = 1;
    side_text(&s, GET E);
    for (i = 0; i < 20; i++) {      /* one that takes some stays */
        side_write(&s, 1000);
        side_time(&s, 4000);
    }
    CHECK_INT(s.closes, 0);
    side_time(&s, 1500);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.error, WS_ERR_PING_TIMEOUT);
    side_over(&s);
    CHECK_INT(it.ended, 1);
}

TEST(memory_fails)              /* at every allocation: no reader is left open */
{
    long at, failed;
    int all;

    for (all = 0; all < 2; all++) for (at = 1, failed = 1; failed; at++) {
        world w;
        side s;
        shelf it = { 0 };
        ws_config cfg = world_fresh(&w);

        it.size = 20000;
        cfg.max_requests = 10;
        w.h.fail_at = at;
        w.h.fail_all = all;
        if (file_server(&s, &w, &it, &cfg)) {
            side_text(&s, GET "Range: bytes=1-\r\n" E);
            side_text(&s, GET E);
            side_end(&s);
            CHECK_INT(s.closes, 1);
        }
        failed = w.h.failed;
        side_over(&s);
        CHECK_INT(it.ended, it.opened);
        CHECK(at < 100);
    }
}

TEST(not_in_a_block)
{
    static uint64_t block[WS_MEMORY_SIZE(1000, 1000) / 8];
    world w;
    side s;
    shelf it = { 0 };
    ws_config cfg = world_fresh(&w);

    cfg.memory = block;
    cfg.memory_size = sizeof block;
    cfg.memory_send = 1000;
    it.size = 10;
    file_server(&s, &w, &it, &cfg);
    side_text(&s, GET E);
    CHECK_INT(it.fault, WS_ERR_MEMORY);
    CHECK_INT(it.ended, 0);
    side_free(&s);
}

/* ==== in a loop ===================================================================== */

TEST(in_a_loop_with_small_buffers)
{
    ws_config cfg;
    ws_loop *loop;
    ws_event ev;
    shelf it = { 0 };
    static char bytes[65536];
    uint64_t start = now_ms(), at = 0;
    ptrdiff_t n;
    int fd, head = 1, closes = 0;

    memset(&cfg, 0, sizeof cfg);
    cfg.loop_buffer = 4096;
    loop = ws_loop_new(&cfg);
    fd = ws_listen(loop, "127.0.0.1:0", NULL);
    fd = loopback_connect(ws_listen_port(loop, fd));
    it.size = 8 << 20;
    CHECK(send(fd, GET E, sizeof(GET E) - 1, 0) > 0);
    while (!closes && now_ms() - start < 20000) {
        while (ws_poll(loop, &ev, 1) > 0) {
            if (ev.type == WS_EV_HTTP)
                CHECK_INT(ws_http_file(ev.conn, NULL, it.size, shelf_read, &it), 0);
            if (ev.type == WS_EV_CLOSE)
                closes += ev.clean;
        }
        while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            char *p = bytes;
            if (head)
                p = strstr(bytes, "\r\n\r\n") + 4;
            head = 0;
            for (; p < bytes + n; p++, at++)
                if (*p != byte_at(at)) CHECK(!"the byte that stands there");
        }
    }
    CHECK(at == it.size && it.ended == 1);
    close(fd);
    ws_loop_free(loop);
}

TESTS(
    T(ranges)
    T(ranges_of_what_has_changed)
    T(several_on_one_connection)
    T(a_request_behind_a_file)
    T(input_waits_for_a_file)
    T(a_request_behind_a_file_in_a_loop)
    T(a_peer_that_breaks_off)
    T(nothing_is_read_ahead)
    T(its_body_is_its_own)
    T(readers_that_fail)
    T(peers_that_take_nothing)
    T(memory_fails)
    T(not_in_a_block)
    T(in_a_loop_with_small_buffers)
)

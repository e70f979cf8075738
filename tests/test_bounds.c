/* How far the library goes: up the stack (sec_A6, sec_C12) and along its input (sec_A7,
   sec_A1). The stack is painted and looked at afterwards; input ends where the next
   page cannot be touched. And how much a loop keeps. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_bounds: it uses mmap and threads\n0 passed, 0 failed\n");
    return 0;
}
#else
#include "fixture.h"
#include <pthread.h>
#include <sys/mman.h>

#define ASK "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"

/* ---- the stack ---- */

enum { STACK = 1 << 20, ROOM = 16384 };

/* Runs f on a stack of its own. Returns how many bytes of it were written to. */
static size_t stack_of(void *(*f)(void *), void *user)
{
    uint8_t *p = (uint8_t *)mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attr;
    pthread_t t;
    size_t i;

    if ((void *)p == MAP_FAILED) abort();
    memset(p, 0xA5, STACK);
    pthread_attr_init(&attr);
    CHECK(!pthread_attr_setstack(&attr, p, STACK));
    CHECK(!pthread_create(&t, &attr, f, user));
    pthread_join(t, NULL);
    pthread_attr_destroy(&attr);
    for (i = 0; i < STACK && p[i] == 0xA5; i++) {}
    munmap(p, STACK);
    return STACK - i;
}

static void *nothing(void *user) { return user; }

static void add_head(buf *b, const char *first, size_t size, int fields)
{
    size_t have;
    int i;

    buf_str(b, first);
    for (i = 0; i < fields; i++) buf_str(b, "X: y\r\n");
    buf_str(b, "Z: ");
    for (have = b->n + 4; have < size; have++) buf_byte(b, 'z');
    buf_str(b, "\r\n\r\n");
}

/* A message of the most fragments, a ping between each two; a million tiny frames;
   Close. */
static void add_frames(buf *b, int masked)
{
    char f[8] = { 0 };
    long i;

    f[1] = (char)(masked ? 0x80 : 0);
    for (i = 0; i < 4096; i++) {
        f[0] = (char)((i ? 0 : 1) | (i == 4095 ? 0x80 : 0));
        f[1] = (char)(masked ? 0x81 : 1);
        f[masked ? 6 : 2] = 'a';
        buf_add(b, f, masked ? 7 : 3);
        f[0] = (char)0x89;
        buf_add(b, f, masked ? 7 : 3);
    }
    f[1] = (char)(masked ? 0x80 : 0);
    for (i = 0; i < 1000000; i++) {
        f[0] = (char)(i % 2 ? 0x8A : 0x82);
        buf_add(b, f, masked ? 6 : 2);
    }
    f[0] = (char)0x88;
    buf_add(b, f, masked ? 6 : 2);
}

typedef struct job {
    buf in;
    int client, messages, pongs, closes, error, events;
    world w;
} job;

static int no_random(void *user, void *p, size_t n)
{
    (void)user;
    memset(p, 0, n);
    return 0;
}

/* Feeds all of it to one connection; reads, answers and asks whatever can be asked. */
static void *engine(void *user)
{
    job *j = (job *)user;
    ws_config cfg;
    ws_conn *c;
    ws_event ev;
    size_t at = 0, n;

    memset(&cfg, 0, sizeof cfg);
    cfg.random = no_random;
    cfg.protocols = "a, b";
    c = j->client ? ws_client_new("ws://us%65r:p%61ss@[::1]:8000/x?y", &cfg)
                  : ws_server_new(&cfg);
    while (!ws_done(c)) {
        size_t k = ws_feed(c, j->in.p + at, j->in.n - at);
        at += k;
        ws_tick(c, 1000);
        while (ws_next(c, &ev)) {
            j->events++;
            j->messages += ev.type == WS_EV_MESSAGE;
            j->pongs += ev.type == WS_EV_PONG;
            if (ev.type == WS_EV_CLOSE) { j->closes = ev.code; j->error = ev.error; }
            if (ev.type == WS_EV_OPEN) ws_header_value(c, "z");
            if (ev.type == WS_EV_MESSAGE && ev.size) ws_send(c, ev.op, ev.data, ev.size);
        }
        do {
            ws_output(c, &n);
            ws_output_done(c, n);
        } while (n);
        if (at == j->in.n) ws_feed_end(c);
    }
    ws_free(c);
    return NULL;
}

static size_t base;         /* of a thread that does nothing */

static void small(job *j, int code)
{
    size_t used = stack_of(engine, j) - base;

    printf("# %s: %lu bytes of stack, %d events\n", j->client ? "client" : "server",
           (unsigned long)used, j->events);
    CHECK(used <= ROOM);
    CHECK_INT(j->closes, code);
    buf_free(&j->in);
}

/* both engines with the largest of everything: nothing recurses, nothing is kept on the
   stack */
TEST(sec_A6_stack_of_the_largest)
{
    job j;
    char accept[29], first[256];

    base = stack_of(nothing, NULL);
    memset(&j, 0, sizeof j);
    add_head(&j.in, ASK "Sec-WebSocket-Protocol: x, b\r\n", 8192, 56);
    add_frames(&j.in, 1);
    small(&j, WS_CLOSE_NO_CODE);
    CHECK_INT(j.messages, 500001);
    CHECK_INT(j.pongs, 500000);
    memset(&j, 0, sizeof j);
    j.client = 1;
    ws_accept_key("AAAAAAAAAAAAAAAAAAAAAA==", accept);
    sprintf(first, "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: b\r\n", accept);
    add_head(&j.in, first, 8192, 59);
    add_frames(&j.in, 0);
    small(&j, WS_CLOSE_NO_CODE);
    CHECK_INT(j.messages, 500001);
    CHECK_INT(j.pongs, 500000);
}

/* what is refused needs no more */
TEST(sec_A6_refused)
{
    static const char *const first[] = { ASK "X: \x01", "POST / HTTP/1.1\r\nHost: h\r\n",
                                         "GET / HTTP/2.0\r\n", ASK "Host: h\r\n",
                                         "GET / HTTP/1.1\r\nHost: h\r\n" };
    size_t i;

    base = stack_of(nothing, NULL);
    for (i = 0; i < sizeof first / sizeof *first; i++) {
        job j;
        memset(&j, 0, sizeof j);
        add_head(&j.in, first[i], 8192, 20);
        stack_of(engine, &j);
        CHECK(stack_of(engine, &j) - base <= ROOM);
        CHECK(j.events >= 1);
        buf_free(&j.in);
    }
}

/* ---- input that ends at a page that cannot be touched ---- */

enum { PAGES = 65536 };
static char *end;           /* PAGES bytes before it are ours */

static void wall(void)
{
    char *p;
    if (end) return;
    p = (char *)mmap(NULL, 2 * PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
    if ((void *)p == MAP_FAILED || mprotect(p + PAGES, PAGES, PROT_NONE)) abort();
    end = p + PAGES;
}

static char *at_wall(const void *data, size_t n)
{
    wall();
    return (char *)memcpy(end - n, data, n);
}

static const char *const heads[] = {
    ASK "Sec-WebSocket-Protocol: a, \"b,c\" ,, d\r\nOrigin: http://h\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nEmpty:\r\nSpaces:  \t \r\n"
    "\r\n",
    "HTTP/1.1 404\r\n\r\n", "GET * HTTP/1.1\r\n\r\n"
};

/* heads of both roles, whole and cut anywhere, scanned, split, walked */
TEST(sec_A7_heads)
{
    size_t i, n;

    for (i = 0; i < sizeof heads / sizeof *heads; i++)
        for (n = 0; n <= strlen(heads[i]); n++) {
            char *p = at_wall(heads[i], n);
            ws_str head = { p, n }, a, b, c, item;
            ws_head h;
            size_t pos = 0;
            int status;

            memset(&h, 0, sizeof h);
            CHECK_INT(ws_head_scan(&h, p, n), n == strlen(heads[i]) ? (int)n : 0);
            ws_head_request(head, &a, &b, &c);
            ws_head_answer(head, &a, &status, &b);
            while (ws_head_field(head, &pos, &a, &b)) {
                ws_list_has(b, "upgrade");
                while (ws_list_next(&b, &item)) ws_str_is(item, "websocket");
            }
        }
}

/* every header form, cut anywhere; connections that take what ends there */
TEST(sec_A7_frames)
{
    static const uint64_t sizes[] = { 0, 125, 126, 65535, 65536, (uint64_t)1 << 62 };
    size_t i, n, k;
    int masked;

    for (masked = 0; masked < 2; masked++) for (i = 0; i < 6; i++) {
        ws_frame f, g;
        char out[WS_FRAME_HEADER_MAX];

        memset(&f, 0, sizeof f);
        f.fin = 1;
        f.op = WS_OP_BINARY;
        f.size = sizes[i];
        f.masked = (uint8_t)masked;
        k = (size_t)ws_frame_encode(&f, out);
        for (n = 0; n <= k; n++)
            CHECK_INT(ws_frame_decode(at_wall(out, n), n, &g), n < k ? 0 : (int)k);
    }
    for (n = 0; n <= 300; n++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };

        world_init(&w);
        cfg = world_config(&w);
        buf_str(&b, ASK "\r\n");
        put_frame(&b, 0x81, 1, end - 300, n, 0);
        side_new(&s, &w, 0, &cfg);
        at_wall(b.p, b.n);
        CHECK_INT(ws_feed(s.c, end - b.n, b.n), b.n);
        side_pull(&s);
        buf_free(&b);
        side_over(&s);
    }
}

/* A connection whose own memory ends there: its input buffer is the last thing in it. */
TEST(sec_A7_memory)
{
    size_t n, total = WS_MEMORY_SIZE(1000, 1000), k;

    wall();
    for (n = 0; n <= 1000; n++) {
        ws_config cfg;
        ws_conn *c;
        ws_event ev;
        buf b = { 0 };
        char text[1000];
        int got = 0;

        memset(&cfg, 0, sizeof cfg);
        memset(text, 'u', sizeof text);
        cfg.memory = end - total;
        cfg.memory_size = total;
        cfg.memory_send = 1000;
        c = ws_server_new(&cfg);
        CHECK(c != NULL);
        buf_str(&b, ASK "\r\n");
        put_frame(&b, 0x81, 1, text, n, 0);
        put_frame(&b, 0x81, 1, text, n, 0);
        for (k = 0; k < b.n; ) {
            size_t took = ws_feed(c, b.p + k, b.n - k), waits;
            int any = 0;
            k += took;
            while (ws_next(c, &ev)) {
                any = 1;
                got += ev.type == WS_EV_MESSAGE && ev.size == n &&
                       !memcmp(ev.data, text, n);
            }
            ws_output(c, &waits);
            ws_output_done(c, waits);
            if (!took && !any && !waits) break;
        }
        CHECK_INT(got, 2);
        ws_free(c);
        buf_free(&b);
    }
}

TEST(sec_A7_urls)
{
    static const char *const urls[] = { "ws://h",
                                        "wss://us%20er:pass@host.example:8443/path?query",
                                        "ws://[2001:db8::1]:80/",
                                        "ws+unix:/run/app.sock:/path",
                                        "http://a.b/c#d",
                                        "ws://h:99999/",
                                        "ws://[::1",
                                        "ws://u:p@" };
    size_t i, n;

    for (i = 0; i < sizeof urls / sizeof *urls; i++)
        for (n = 0; n <= strlen(urls[i]); n++) {
            ws_url u, v;
            char copy[64] = { 0 };
            int a = ws_url_parse(at_wall(urls[i], n), n, &u), b;

            memcpy(copy, urls[i], n);
            b = ws_url_parse(copy, n, &v);
            CHECK_INT(a, b);
            if (!a) CHECK(u.host.size == v.host.size && u.port == v.port);
        }
}

/* text, masks and base64 of every length: the wide loops stop in time */
TEST(sec_A7_text)
{
    static const char *const unit[] = { "a", "\xC3\xA9", "\xE2\x82\xAC",
                                        "\xF0\x9F\x98\x80" };
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    char text[400], out[600], back[600];
    size_t i, n, k;

    wall();
    for (i = 0; i < 4; i++) {
        size_t size = strlen(unit[i]);
        for (k = 0; k < sizeof text; k++) text[k] = unit[i][k % size];
        for (n = 0; n <= 300; n++) {
            uint32_t state = 0;
            CHECK_INT(ws_utf8(&state, at_wall(text, n), n), n);
            CHECK_INT(state == 0, n % size == 0);
        }
    }
    for (n = 0; n <= 300; n++) {
        size_t from, digits;

        for (from = 0; from < 4; from++) {
            at_wall(text, n);
            ws_mask(end - n, end - n, n, key, from);        /* in place */
            ws_mask(out, end - n, n, key, from);            /* source at the wall */
            CHECK(!memcmp(out, text, n));
            ws_mask(end - n, out, n, key, from);            /* target at the wall */
        }
        digits = ws__base64_encode(at_wall(text, n), n, out);
        CHECK_INT(ws_base64_decode(at_wall(out, digits), digits, back), n);
        CHECK(!memcmp(back, text, n));
        CHECK(ws__base64_encode(text, n, end - digits - 1) == digits);
        if (n % 3 == 0) CHECK_INT(ws_base64_decode(out, digits, end - n), n);
    }
}

/* ---- each byte of a head once ---- */

/* Byte by byte into the engine: what was scanned is wiped, and missed by nobody until
   the head is whole. One byte more than the limit is refused without any of it. */
TEST(sec_A1_each_byte_of_a_head_once)
{
    static const char ask[] = ASK;
    enum { SIZE = 8192 };
    int client, over;

    for (client = 0; client < 2; client++) for (over = 0; over < 2; over++) {
        job j;
        ws_config cfg;
        ws_conn *c;
        ws_event ev;
        char accept[29], first[256];
        size_t i, waits, line;

        memset(&j, 0, sizeof j);
        memset(&cfg, 0, sizeof cfg);
        cfg.random = no_random;
        ws_accept_key("AAAAAAAAAAAAAAAAAAAAAA==", accept);
        sprintf(first, "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\n", accept);
        add_head(&j.in, client ? first : ask, SIZE + (size_t)over, 10);
        line = (size_t)(strchr(j.in.p, '\n') - (char *)j.in.p) + 1;
        c = client ? ws_client_new("ws://h/", &cfg) : ws_server_new(&cfg);
        ws_output(c, &waits);
        ws_output_done(c, waits);
        for (i = 0; i + 1 < j.in.n; i++) {
            CHECK_INT(ws_feed(c, j.in.p + i, 1), 1);
            if (ws_next(c, &ev)) break;
            if (ws_error(c)) break;
            CHECK_INT(c->rx->head.scanned, i + 1);
            /* the first line of a request is looked at once more, when it is whole */
            if (i > line) ((char *)WS__DATA(c->rx))[c->rx->pos + i] = 0;
            if (i == line) memset(WS__DATA(c->rx) + c->rx->pos, 0, i);
        }
        if (over) {
            CHECK_INT(ws_error(c), WS_ERR_HEAD_SIZE);
        } else {
            CHECK_INT(i, SIZE - 1);
            memcpy(WS__DATA(c->rx) + c->rx->pos, j.in.p, i);
            CHECK_INT(ws_feed(c, j.in.p + i, 1), 1);
            CHECK_INT(ws_next(c, &ev), 1);
            CHECK_INT(ev.type, WS_EV_OPEN);
        }
        ws_free(c);
        buf_free(&j.in);
    }
}

/* ---- freed blocks that a loop keeps ---- */

/* Whatever is taken and given back: never more than 8 MiB are kept, what is handed out
   is big enough and not absurdly bigger, and all of it goes back in the end. */
TEST(cache)
{
    enum { HELD = 40 };
    static const size_t sizes[] = { 100,     512,     4000,    70000,
                                    1 << 20, 3 << 20, 4 << 20, 5 << 20 };
    struct { void *p; size_t n; } held[HELD];
    ws_config set;
    ws__cache cache;
    ws__cfg *cfg;
    world w;
    uint64_t seed = 3;
    size_t in_hand = 0, base_now, most = 0;
    long turn, again = 0;
    int i;

    world_init(&w);
    set = world_config(&w);
    cfg = ws__cfg_new(&set, NULL);
    base_now = w.h.now;
    memset(&cache, 0, sizeof cache);
    memset(held, 0, sizeof held);
    cfg->cache = &cache;
    for (turn = 0; turn < 20000; turn++) {
        size_t kept = 0;
        i = (int)rng_to(&seed, HELD);
        if (held[i].p) {
            ws__block_free(cfg, held[i].p, held[i].n);
            in_hand -= held[i].n;
            held[i].p = NULL;
        } else {
            size_t want = sizes[rng_to(&seed, 8)] + rng_to(&seed, 300);
            long calls = w.h.calls;
            held[i].n = want;
            held[i].p = ws__block_new(cfg, &held[i].n);
            CHECK(held[i].p && held[i].n >= want && held[i].n <= 4 * want + 3);
            again += w.h.calls == calls;
            in_hand += held[i].n;
        }
        for (i = 0; i < 16; i++) kept += cache.slot[i].size;
        CHECK_INT(kept, cache.total);
        CHECK_INT(w.h.now - base_now, in_hand + kept);
        if (kept > most) most = kept;
    }
    CHECK(again > 1000);                /* it is of use */
    CHECK(most > (size_t)6 << 20 && most <= (size_t)8 << 20);
    for (i = 0; i < HELD; i++) if (held[i].p) ws__block_free(cfg, held[i].p, held[i].n);
    ws__cache_clear(cfg);
    CHECK_INT(w.h.now, base_now);
    cfg->cache = NULL;
    ws__cfg_release(cfg);
    CHECK_INT(w.h.live, 0);
}

TESTS(T(sec_A6_stack_of_the_largest) T(sec_A6_refused) T(sec_A7_heads) T(sec_A7_frames)
      T(sec_A7_memory) T(sec_A7_urls) T(sec_A7_text) T(sec_A1_each_byte_of_a_head_once)
      T(cache))
#endif

/* Memory: one block given by the program (nothing allocated, every size clean), and the
   formula of the manual under peers that try to break it. */
#include <string.h>
static size_t moved;        /* bytes that the library copied */
static inline void *count_move(void *to, const void *from, size_t n)
{
    moved += n;
    return memmove(to, from, n);
}
#define memmove count_move
#define memcpy count_move
#define WS_IMPLEMENTATION
#include "ws.h"
#undef memmove
#undef memcpy
#include "fixture.h"

/* ---- one block ---- */

typedef struct fixed { world w; side s; uint8_t *block; size_t size; } fixed;

static void *no_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user; (void)old; (void)old_size; (void)new_size;
    test_fault(__FILE__, __LINE__, "memory was asked for");
    return NULL;
}

/* shift: bytes off 8; the block ends where its allocation ends. */
static int fixed_new(fixed *f, int client, size_t size, size_t memory_send,
                     uint32_t max_message)
{
    ws_config cfg;

    world_init(&f->w);
    cfg = world_config(&f->w);
    cfg.alloc = no_alloc;
    f->size = size;
    f->block = (uint8_t *)malloc(size ? size : 1);
    memset(f->block, 0xA5, size ? size : 1);
    cfg.memory = f->block;
    cfg.memory_size = size;
    cfg.memory_send = memory_send;
    cfg.max_message = max_message;
    return side_new(&f->s, &f->w, client, &cfg);
}

static void fixed_open(fixed *f, int client, size_t size, size_t memory_send,
                       uint32_t max)
{
    CHECK_INT(fixed_new(f, client, size, memory_send, max), 1);
    side_pull(&f->s);
    if (client) {
        buf b = { 0 };
        put_answer(&b, &f->s.out, NULL);
        f->s.head = f->s.out.n;
        side_feed(&f->s, b.p, b.n);
        buf_free(&b);
    } else {
        side_feed(&f->s, REQUEST, sizeof REQUEST - 1);
        f->s.head = head_size(&f->s.out);
    }
    CHECK_INT(f->s.opens, 1);
}

static void fixed_free(fixed *f)
{
    side_over(&f->s);
    free(f->block);
}

TEST(fixed_sizes)
{
    int client, op;
    size_t n, cut;

    for (client = 0; client < 2; client++)
        for (op = 1; op < 3; op++)
            for (cut = 0; cut < 3; cut++) {
                fixed f;
                char data[600];
                long got = 0;
                for (n = 0; n < sizeof data; n++) data[n] = fill_at(n);
                fixed_open(&f, client, WS_MEMORY_SIZE(512, 256), 256, 0);
                for (n = 0; n <= 512; n += n < 130 || n > 500 ? 1 : 17) {
                    buf b = { 0 };
                    size_t at, step = cut == 0 ? 10000 : cut == 1 ? 1 : 100;
                    put_frame(&b, 0x80 | op, !client, data, n, 0);
                    for (at = 0; at < b.n; at += step)
                        side_feed(&f.s, b.p + at, b.n - at < step ? b.n - at : step);
                    CHECK_INT(f.s.messages, ++got);
                    CHECK_INT(f.s.error, 0);
                    buf_clear(&b);
                    if (n >= 2) { /* the same in three fragments, a ping between */
                        put_frame(&b, op, !client, data, n / 3, 0);
                        put_frame(&b, 0, !client, data + n / 3, n / 2 - n / 3, 0);
                        put_frame(&b, 0x89, !client, "?", 1, 0);
                        put_frame(&b, 0x80, !client, data + n / 2, n - n / 2, 0);
                        for (at = 0; at < b.n; at += step)
                            side_feed(&f.s, b.p + at, b.n - at < step ? b.n - at : step);
                        CHECK_INT(f.s.messages, ++got);
                    }
                    buf_free(&b);
                }
                CHECK_INT(f.s.error, 0);
                CHECK_INT(side_sent(&f.s, NULL).pongs, f.s.pings);
                while (!f.s.error && n <= 600) side_frame(&f.s, 0x80 | op, data, n++);
                CHECK(n <= 600); /* some more may fit, the size is rounded up */
                CHECK_INT(f.s.error, WS_ERR_MESSAGE_SIZE);
                CHECK_INT(side_sent(&f.s, NULL).close_code, 1009);
                fixed_free(&f);
                fixed_open(&f, client, WS_MEMORY_SIZE(512, 256), 256, 0);
                side_frame(&f.s, op, data, 300);
                side_frame(&f.s, 0x80, data, 300);
                CHECK_INT(f.s.error, WS_ERR_MESSAGE_SIZE);
                fixed_free(&f);
                fixed_open(&f, client, WS_MEMORY_SIZE(512, 256), 256,
                           100); /* max_message smaller */
                side_frame(&f.s, 0x80 | op, data, 100);
                CHECK_INT(f.s.messages, 1);
                side_frame(&f.s, 0x80 | op, data, 101);
                CHECK_INT(f.s.error, WS_ERR_MESSAGE_SIZE);
                fixed_free(&f);
            }
}

/* sending from the block: what fits goes, what does not is refused and can be tried
   again */
TEST(fixed_send)
{
    int client;
    size_t n;

    for (client = 0; client < 2; client++) {
        fixed f;
        char data[1000];
        int ok = 0;
        memset(data, 'd', sizeof data);
        fixed_open(&f, client, WS_MEMORY_SIZE(512, 256), 256, 0);
        f.s.hold = 1;
        for (n = 0; n < 2000; n++) {
            int r = ws_send(f.s.c, WS_OP_BINARY, data, 40);
            if (r) { CHECK(r == WS_ERR_BACKLOG); CHECK_INT(ws_error(f.s.c), 0); }
            else ok++;
            CHECK(ws_buffered(f.s.c) <= f.size);
        }
        CHECK(ok >= 3 && ok <= 40);
        f.s.hold = 0;
        side_pull(&f.s);
        CHECK_INT(side_sent(&f.s, NULL).data, ok);
        CHECK_INT(f.s.writables, 1);
        for (n = 0; n <= 200; n++) {        /* one message of up to the send size */
            CHECK_INT(ws_send(f.s.c, WS_OP_BINARY, data, n), 0);
            side_pull(&f.s);
        }
        for (n = 300; n < 1000; n += 100) { /* too big for ever: an error, not silence */
            int r = ws_send(f.s.c, WS_OP_BINARY, data, n);
            CHECK(r <= 0);
            side_pull(&f.s);
        }
        side_sent(&f.s, NULL);
        fixed_free(&f);
    }
}

/* echo in the block with a slow reader */
TEST(fixed_echo)
{
    int client;
    uint64_t seed = 4;

    for (client = 0; client < 2; client++) {
        fixed f;
        buf in = { 0 }, text = { 0 };
        size_t done = 0, o;
        long i, refused = 0, idle = 0;
        ws_event ev;
        frames fr;

        for (i = 0; i < 1000; i++) {
            char t[130];
            memset(t, 'a' + (int)(i % 26), sizeof t);
            put_frame(&in, i % 10 ? 0x81 : 0x89, !client, t, rng_to(&seed, 60), 0);
        }
        fixed_open(&f, client, WS_MEMORY_SIZE(256, 256), 256, 0);
        while ((done < in.n || ws_buffered(f.s.c)) && idle < 100) {
            size_t k = ws_feed(f.s.c, in.p + done, in.n - done < 97 ? in.n - done : 97);
            const void *p;
            done += k;
            while (ws_next(f.s.c, &ev))
                if (ev.type == WS_EV_MESSAGE) {
                    f.s.messages++;
                    refused += ws_send(f.s.c, ev.op, ev.data, ev.size) != 0;
                }
            p = ws_output(f.s.c, &o);
            if (o > 23) o = 23;
            buf_add(&f.s.out, p, o);
            ws_output_done(f.s.c, o);
            idle = k || o ? 0 : idle + 1;
        }
        CHECK_INT(done, in.n);
        CHECK_INT(refused, 0);
        CHECK_INT(f.s.messages, 900);
        fr = side_sent(&f.s, &text);
        CHECK_INT(fr.data, 900);
        buf_free(&text);
        buf_free(&in);
        fixed_free(&f);
    }
}

/* every size of block, from nothing: clean */
TEST(fixed_any_size)
{
    size_t size, send;
    int client, opened = 0, refused = 0;

    for (client = 0; client < 2; client++)
    for (size = 0; size < 4500; size += size < 2600 ? 8 : 248)
    for (send = 0; send <= size + 64; send += send ? send * 2 + 1 : 1) {
        fixed f;
        buf b = { 0 };
        int k;

        if (!fixed_new(&f, client, size, send, 0)) { free(f.block); refused++; continue; }
        side_pull(&f.s);
        if (client && f.s.out.n && head_size(&f.s.out) == f.s.out.n)
            put_answer(&b, &f.s.out, NULL);
        else if (client) buf_str(&b, "HTTP/1.1 400 no\r\n\r\n");
        else buf_str(&b, REQUEST);
        side_feed(&f.s, b.p, b.n);
        if (f.s.opens) {
            opened++;
            for (k = 0; k < 3; k++) {
                side_frame(&f.s, 0x81, "hello", 5);
                side_frame(&f.s, 0x89, "ping", 4);
                ws_send_text(f.s.c, "some words");
                side_pull(&f.s);
            }
            ws_close(f.s.c, 1000, "a reason of some length, for a small block");
            side_pull(&f.s);
            buf_clear(&b);
            put_close(&b, !client, 1000, "x");
            side_feed(&f.s, b.p, b.n);
        } else refused++;
        side_end(&f.s);
        side_time(&f.s, 100000);
        CHECK_INT(f.s.closes, 1);
        if (!f.s.opens) CHECK(f.s.error < 0);
        f.s.hold = 0;
        buf_free(&b);
        fixed_free(&f);
    }
    CHECK(opened > 100);
    CHECK(refused > 10);
    { /* what the macro promises is enough to talk */
        for (size = 0; size < 2000; size += 111)
            for (send = 200; send < 600; send += 97)
                for (client = 0; client < 2; client++) {
                    fixed f;
                    char *data = (char *)malloc(size + 2);
                    size_t room = size < 200 ? 200 : size;
                    memset(data, 'x', size + 2);
                    fixed_open(&f, client, WS_MEMORY_SIZE(room, send), send, 0);
                    if (f.s.opens) {
                        side_frame(&f.s, 0x82, data, size);
                        CHECK_INT(f.s.messages, 1);
                        CHECK_INT(f.s.error, 0);
                    }
                    free(data);
                    fixed_free(&f);
                }
    }
    {                                       /* alignment that is not 8 */
        int shift;
        for (shift = 1; shift < 8; shift++) {
            world w;
            ws_config cfg;
            side s;
            uint8_t *block = (uint8_t *)malloc(4096 + 8);
            world_init(&w);
            cfg = world_config(&w);
            cfg.alloc = no_alloc;
            cfg.memory = block + shift;
            cfg.memory_size = 4096;
            if (side_new(&s, &w, 0, &cfg)) {
                side_feed(&s, REQUEST, sizeof REQUEST - 1);
                CHECK(s.opens || s.closes);
            }
            side_free(&s);
            free(block);
        }
    }
}

/* ---- the formula ---- */

enum { FIXED = 2048 };      /* the connection itself and its strings */

/* Bytes of n in frames of at most most bytes, 0: in one. */
static size_t in_frames(int client, size_t n, size_t most)
{
    size_t wire = 0;

    do {
        size_t k = most && n > most ? most : n;
        wire += k + 2 + (k < 126 ? 0 : 2) + (client ? 4 : 0);
        n -= k;
    } while (n);
    return wire;
}

/* receiving <= 2 * message so far + 4 KiB, or the head; sending <= max_backlog, or half
   of it and one message; and nothing when idle */
TEST(formula)
{
    uint64_t seed;

    for (seed = 1; seed <= 400; seed++) {
        world w;
        side s;
        ws_config cfg;
        uint64_t r = seed;
        int client = (int)(seed & 1), k;
        size_t base, message = 0, longest = 0, biggest_out = 0;
        uint32_t backlog = 500u << rng_to(&r, 8);
        size_t fragment = seed / 2 % 4, most;
        char *data = (char *)calloc(1, 70000);

        world_init(&w);
        cfg = world_config(&w);
        cfg.max_message = 65536;
        cfg.max_backlog = backlog;
        cfg.fragment = (uint32_t)fragment;
        side_open(&s, &w, client, &cfg);
        s.quiet = 1;
        CHECK(w.h.now <= FIXED);
        base = FIXED;
        s.hold = (int)rng_to(&r, 2);
        for (k = 0; k < 200 && !s.closes; k++) {
            buf b = { 0 };
            size_t n = rng_to(&r, 4) ? rng_to(&r, 200) : rng_to(&r, 20000), at = 0,
                   step = 1 + rng_to(&r, 4096);
            int what = (int)rng_to(&r, 6), first;
            w.h.peak = w.h.now;
            if (what == 0) {
                size_t wire = in_frames(client, n, fragment);
                if (ws_send(s.c, WS_OP_BINARY, data, n) == 0 && wire > biggest_out)
                    biggest_out = wire;
                most = backlog / 2 + biggest_out > backlog ? backlog / 2 + biggest_out
                                                           : backlog;
                CHECK(ws_buffered(s.c) <= most + 2048 + 131);           /* and pongs */
                side_pull(&s);
                n = 0;
            } else {
                if (what == 1) { first = 0x89; n %= 126; }
                else { first = message ? 0 : 2; if (what == 2) first |= 0x80; }
                put_frame(&b, first, !client, data, n, 0);
                if (first < 0x88) { message += n; }
                while (at < b.n && !s.closes) {
                    size_t k2 = ws_feed(s.c, b.p + at, b.n - at < step ? b.n - at : step);
                    at += k2;
                    side_pull(&s);
                    if (!k2) break;
                }
                if (at < b.n && !s.closes) {        /* it waits for us to drain */
                    CHECK(ws_buffered(s.c) > 0);
                    s.hold = 0;
                    side_pull(&s);
                    while (at < b.n && !s.closes) {
                        size_t k2 = ws_feed(s.c, b.p + at, b.n - at);
                        at += k2;
                        side_pull(&s);
                        if (!k2) break;
                    }
                    CHECK(at == b.n || s.closes);
                    s.hold = (int)rng_to(&r, 2);
                }
            }
            if (message > longest) longest = message;
            /* old and new block while one grows: 5/2; 64 KiB is what ws_feed keeps
               unparsed */
            CHECK(w.h.peak <= base + 5 * (longest + 65536) / 2 + 4096 +
                  5 * ((size_t)backlog / 2 + biggest_out + 4096) / 2);
            if (what == 2) message = 0;
            buf_free(&b);
        }
        s.hold = 0;
        side_pull(&s);
        if (!s.closes && !message)
            CHECK(w.h.now <= FIXED); /* idle again: nothing kept */
        free(data);
        side_over(&s);
    }
}

/* a queue that stands at capacity costs as much per message as one that does not */
TEST(cost)
{
    size_t stand;
    int client;

    for (client = 0; client < 2; client++)
        for (stand = 1000; stand <= 512000; stand *= 8) {
            enum { ROUNDS = 20000, SIZE = 100 };
            world w;
            side s;
            ws_config cfg;
            char data[SIZE] = { 0 };
            size_t n, in = 0, fed = 0;
            int i;
            buf b = { 0 };

            world_init(&w);
            cfg = world_config(&w);
            cfg.max_backlog = 4 << 20;
            side_open(&s, &w, client, &cfg);
            while (ws_buffered(s.c) < stand)
                CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, SIZE), 0);
            moved = 0;
            for (i = 0; i < ROUNDS; i++) { /* one in, one out */
                ws_output(s.c, &n);
                ws_output_done(s.c, n < SIZE + 2 ? n : SIZE + 2);
                CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, SIZE), 0);
            }
            CHECK(moved <= 8 * (ROUNDS * (SIZE + 10) + stand));
            s.hold = 0;
            side_pull(&s);
            if (stand > 60000) {
                side_over(&s);
                continue;
            }
            put_frame(&b, 0x82, !client, data, SIZE, 0);
            while (in < stand) in += ws_feed(s.c, b.p + in % b.n, b.n - in % b.n);
            moved = 0;
            for (i = 0; i < ROUNDS; i++) {
                ws_event ev;
                while (ws_next(s.c, &ev) && ev.type != WS_EV_MESSAGE) {
                }
                for (fed = b.n; fed; fed -= n, in += n) {
                    n = b.n - in % b.n < fed ? b.n - in % b.n : fed;
                    CHECK_INT(ws_feed(s.c, b.p + in % b.n, n), n);
                }
            }
            CHECK(moved <= 8 * (ROUNDS * b.n + stand));
            buf_free(&b);
            side_over(&s);
        }
}

/* ten thousand idle connections hold no buffers */
TEST(idle)
{
    enum { N = 2000 };
    static side s[N];
    world w;
    int i;

    world_init(&w);
    for (i = 0; i < N; i++) {
        side_open(&s[i], &w, i & 1, NULL);
        side_frame(&s[i], 0x81, "hello, here is a message", 24);
        ws_send_text(s[i].c, "and an answer");
        side_pull(&s[i]);
    }
    printf("  idle connection: %ld bytes\n", (long)(w.h.now / N));
    CHECK(w.h.now / N <= 832);        /* its own settings are most of it */
    for (i = 0; i < N; i++) side_free(&s[i]);
    CHECK_INT(w.h.now, 0);
}

/* max_message exactly, all small limits, whole and in fragments */
TEST(max_message)
{
    uint32_t max;
    int client, parts;

    for (max = 1; max < 300; max += max < 140 ? 1 : 31)
        for (client = 0; client < 2; client++)
            for (parts = 1; parts < 4; parts++) {
                int over;
                for (over = 0; over < 2; over++) {
                    world w;
                    side s;
                    ws_config cfg;
                    char data[400];
                    size_t n = max + (uint32_t)over, k, at = 0;
                    memset(data, 'x', sizeof data);
                    world_init(&w);
                    cfg = world_config(&w);
                    cfg.max_message = max;
                    side_open(&s, &w, client, &cfg);
                    for (k = 0; k < (size_t)parts; k++) {
                        size_t m = k + 1 == (size_t)parts ? n - at : n / (size_t)parts;
                        side_frame(&s, (k ? 0 : 1) | (k + 1 == (size_t)parts ? 0x80 : 0),
                                   data, m);
                        at += m;
                    }
                    CHECK_INT(s.messages, !over);
                    CHECK_INT(s.error, over ? WS_ERR_MESSAGE_SIZE : 0);
                    side_over(&s);
                }
            }
    {                                       /* no limit */
        world w;
        side s;
        ws_config cfg;
        char *big = (char *)calloc(1, 5000000);
        world_init(&w);
        cfg = world_config(&w);
        cfg.max_message = WS_NO_LIMIT;
        side_open(&s, &w, 0, &cfg);
        side_frame(&s, 0x82, big, 5000000);
        CHECK_INT(s.messages, 1);
        side_frame(&s, 0x82, big, 5000000);
        CHECK_INT(s.messages, 2);
        side_over(&s);
        free(big);
    }
}

TESTS(T(fixed_sizes) T(fixed_send) T(fixed_echo) T(fixed_any_size) T(formula) T(cost)
      T(idle) T(max_message))

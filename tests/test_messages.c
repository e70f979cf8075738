/* Messages beyond one call and one event: sent in pieces, in parts, from a source, cut into
   frames; received in parts and as single frames; completion, pings by hand, round trips,
   dropping. The engine first, both roles, every cut; then the drivers on sockets. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"
#include "engine.h"

static char fill[200000];       /* filled once: fill_at */

static void fill_once(void)
{
    size_t i;
    if (!fill[0]) for (i = 0; i < sizeof fill; i++) fill[i] = fill_at(i);
}

/* ==== reading what we sent ============================================================= */

/* Our frames put together again: "81:4:" payload, one behind the other; control frames in
   their place. most: of all data frames. The rules are check_frames' matter. */
static void join_frames(side *s, buf *all, size_t *most)
{
    const uint8_t *p = (const uint8_t *)buf_c(&s->out) + s->head;
    size_t n = s->out.n - s->head, at = 0;
    buf whole = { 0 };
    int op = 0;

    side_frames(s, NULL);
    if (most) *most = 0;
    while (at < n) {
        size_t len = p[at + 1] & 127, h = 2, i;
        int first = p[at], code = first & 15;
        buf *to = code < 8 ? &whole : all;
        uint8_t key[4] = { 0, 0, 0, 0 };

        if (len == 126) { len = (size_t)p[at + 2] << 8 | p[at + 3]; h = 4; }
        else if (len == 127) { for (len = 0, h = 2; h < 10; h++) len = len << 8 | p[at + h]; }
        if (p[at + 1] & 128) { memcpy(key, p + at + h, 4); h += 4; }
        if (code < 8 && most && len > *most) *most = len;
        if (code && code < 8) op = code;
        if (code >= 8) { buf_byte(all, 'c'); buf_int(all, code); buf_byte(all, ':'); }
        for (i = 0; i < len; i++) buf_byte(to, p[at + h + i] ^ key[i % 4]);
        if (code >= 8) buf_byte(all, ' ');
        if (code < 8 && first & 128) {
            buf_byte(all, 'm'); buf_int(all, op); buf_byte(all, ':');
            buf_add(all, whole.p, whole.n);
            buf_byte(all, ' ');
            buf_clear(&whole);
        }
        at += h + len;
    }
    if (whole.n) buf_str(all, "unfinished");
    buf_free(&whole);
}

static void expect(buf *b, const char *what, const void *data, size_t n)
{
    buf_str(b, what);
    buf_add(b, data, n);
    buf_byte(b, ' ');
}

/* ==== pieces =========================================================================== */

/* ws_sendv of pieces that end at a, b, c and n gives the bytes of ws_send. */
static void same_bytes(int client, int op, size_t n, const size_t *end, int count, uint32_t fragment)
{
    world w[2];
    side s[2];
    ws_str v[5];
    int i, k;
    size_t from = 0;

    for (i = 0; i < count; i++) {
        v[i].data = end[i] > from ? fill + from : i & 1 ? NULL : "";
        v[i].size = end[i] - from;
        from = end[i];
    }
    for (k = 0; k < 2; k++) {
        ws_config cfg;
        world_init(&w[k]);
        cfg = world_config(&w[k]);
        cfg.fragment = fragment;
        side_open(&s[k], &w[k], client, &cfg);
        s[k].hold = 1;
        CHECK_INT(k ? ws_sendv(s[k].c, op, v, count) : ws_send(s[k].c, op, fill, n), 0);
        CHECK_INT(k ? ws_sendv(s[k].c, op, v, count) : ws_send(s[k].c, op, fill, n), 0);
        s[k].hold = 0;
        side_pull(&s[k]);
        side_frames(&s[k], NULL);
    }
    CHECK(buf_is(&s[0].out, &s[1].out));
    CHECK(s[0].out.n > s[0].head + 2 * n);
    side_done(&s[0]);
    side_done(&s[1]);
}

TEST(sendv)
{
    static const size_t sizes[] = { 125, 126, 127, 4095, 4096, 65535, 65536, 65537 };
    size_t n, e[4], i;
    int client;

    fill_once();
    for (client = 0; client < 2; client++) {
        for (n = 0; n < 8; n++)
            for (e[0] = 0; e[0] <= n; e[0]++) for (e[1] = e[0]; e[1] <= n; e[1]++)
                for (e[2] = e[1]; e[2] <= n; e[2]++) {
                    e[3] = n;
                    same_bytes(client, n & 1 ? WS_OP_TEXT : WS_OP_BINARY, n, e, 4, 0);
                    same_bytes(client, WS_OP_BINARY, n, e, 4, 3);
                    if (e[2] == n) same_bytes(client, WS_OP_BINARY, n, e, 3, 0);
                    if (e[1] == n) same_bytes(client, WS_OP_BINARY, n, e, 2, 1);
                    if (e[0] == n) same_bytes(client, WS_OP_BINARY, n, e, 1, 0);
                }
        same_bytes(client, WS_OP_TEXT, 0, NULL, 0, 0);
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++) for (n = 0; n < 9; n++) {
            e[0] = n; e[1] = n + sizes[i] / 2; e[2] = sizes[i] - n; e[3] = sizes[i];
            if (e[1] > e[2]) e[1] = e[2];
            same_bytes(client, WS_OP_BINARY, sizes[i], e, 4, 0);
            same_bytes(client, WS_OP_BINARY, sizes[i], e, 4, 1000);
        }
    }
}

TEST(sendv_arguments)
{
    world w;
    side s;
    ws_str v[2] = { { NULL, 0 }, { NULL, 1 } };

    world_init(&w);
    side_open(&s, &w, 0, NULL);
    CHECK_INT(ws_sendv(NULL, 1, v, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sendv(s.c, 1, v, 2), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sendv(s.c, 1, NULL, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sendv(s.c, 1, v, -1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sendv(s.c, 0, v, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_sendv(s.c, 8, v, 1), WS_ERR_ARGUMENT);
    v[0].size = v[1].size = (size_t)-1 / 5; /* together too much */
    v[0].data = v[1].data = fill;
    CHECK_INT(ws_sendv(s.c, 1, v, 2), WS_ERR_ARGUMENT);
    CHECK_INT(ws_buffered(s.c), 0);
    CHECK_INT(ws_sendv(s.c, 1, v, 0), 0);
    CHECK(ws_buffered(s.c) > 0);
    side_done(&s);
}

/* ==== cut into frames ================================================================== */

TEST(fragment)
{
    static const uint32_t sizes[] = { 1, 2, 5, 125, 126, 1000 };
    size_t k, n, most;
    int client;

    fill_once();
    for (client = 0; client < 2; client++) for (k = 0; k < 6; k++) {
        uint32_t f = sizes[k];
        for (n = 0; n <= 3 * f + 1; n += f < 100 || n % f < 3 || n % f + 3 > f ? 1 : 13) {
            world w;
            side s;
            ws_config cfg;
            ws_str v[3];
            buf got = { 0 }, want = { 0 };
            frames out;

            world_init(&w);
            cfg = world_config(&w);
            cfg.fragment = f;
            side_open(&s, &w, client, &cfg);
            CHECK_INT(ws_send(s.c, WS_OP_TEXT, fill, n), 0);
            v[0].data = fill; v[0].size = n / 3;
            v[1].data = fill; v[1].size = 0;
            v[2].data = fill + n / 3; v[2].size = n - n / 3;
            CHECK_INT(ws_sendv(s.c, WS_OP_BINARY, v, 3), 0);
            side_pull(&s);
            join_frames(&s, &got, &most);
            expect(&want, "m1:", fill, n);
            expect(&want, "m2:", fill, n);
            CHECK(buf_is(&got, &want));
            CHECK(most <= f);
            out = side_frames(&s, NULL);
            CHECK_INT(out.data, 2 * (n ? (n + f - 1) / f : 1));     /* and no frame too many */
            buf_free(&got);
            buf_free(&want);
            side_done(&s);
        }
    }
}

/* a refusal, failing memory, failing random numbers: all of a message is out, or none */
TEST(fragment_all_or_nothing)
{
    int client, kind;
    long k;

    fill_once();
    for (client = 0; client < 2; client++) for (kind = 0; kind < 3; kind++) for (k = 1; k < 40; k++) {
        world w;
        side s;
        ws_config cfg;
        buf got = { 0 }, want = { 0 };
        int r, i;

        world_init(&w);
        cfg = world_config(&w);
        cfg.fragment = 10;
        cfg.max_backlog = kind == 0 ? (uint32_t)k * 100 : 0;
        side_open(&s, &w, client, &cfg);
        if (kind == 1) w.h.fail_at = w.h.calls + k;
        if (kind == 2) w.r.fail_at = w.r.draws + k;
        s.hold = 1;
        for (i = 0; i < 30; i++) {
            r = ws_send(s.c, WS_OP_BINARY, fill, 95);
            if (!r) expect(&want, "m2:", fill, 95);
            else if (kind == 0) CHECK_INT(r, WS_ERR_BACKLOG);
            else if (kind == 1) CHECK_INT(r, WS_ERR_MEMORY);
            else CHECK(r == WS_ERR_RANDOM || r == WS_ERR_STATE);
        }
        s.hold = 0;
        side_pull(&s);
        if (kind == 2 && w.r.draws >= w.r.fail_at && client) {
            CHECK_INT(s.error, WS_ERR_RANDOM);
            buf_str(&want, "c8:");
        } else CHECK_INT(ws_error(s.c), 0);
        join_frames(&s, &got, NULL);
        CHECK(kind == 2 ? got.n >= want.n && !memcmp(got.p, want.p, want.n) : buf_is(&got, &want));
        buf_free(&got);
        buf_free(&want);
        side_done(&s);
    }
}

/* in a fixed block the headers of all frames count */
TEST(fragment_fixed)
{
    static uint64_t block[WS_MEMORY_SIZE(1000, 600) / 8 + 1];
    int client;
    size_t n;

    fill_once();
    for (client = 0; client < 2; client++) for (n = 0; n < 700; n++) {
        world w;
        side s;
        ws_config cfg;
        buf got = { 0 }, want = { 0 };
        int r, i;
        size_t wire = n + (n ? (n + 3) / 4 : 1) * (client ? 6u : 2u);

        world_init(&w);
        cfg = world_config(&w);
        cfg.fragment = 4;
        cfg.memory = block;
        cfg.memory_size = WS_MEMORY_SIZE(1000, 600);
        cfg.memory_send = 600;
        side_open(&s, &w, client, &cfg);
        s.hold = 1;
        for (i = 0; i < 3; i++) {
            r = ws_send(s.c, WS_OP_BINARY, fill, n);
            if (!r) expect(&want, "m2:", fill, n);
            if (wire <= 600 && !i) CHECK_INT(r, 0);
            if (wire > 604) CHECK_INT(r, WS_ERR_ARGUMENT);
            CHECK(r == 0 || r == WS_ERR_ARGUMENT || r == WS_ERR_BACKLOG);
        }
        s.hold = 0;
        side_pull(&s);
        CHECK_INT(ws_error(s.c), 0);
        join_frames(&s, &got, NULL);
        CHECK(buf_is(&got, &want));
        buf_free(&got);
        buf_free(&want);
        side_done(&s);
    }
}

/* ==== parts by hand ==================================================================== */

enum { SEND, PART, LAST, OTHER, PINGS, PONGS, CLOSES, FROM, ACTIONS };

static ptrdiff_t read_nothing(void *user, void *to, size_t n)
{
    (void)user; (void)to; (void)n;
    return WS_IO_WANT_READ;
}

/* One sequence of calls against a model of what each must say and put on the wire. */
static void part_sequence(const int *act, int count, int client)
{
    world w;
    side s;
    buf want = { 0 }, have = { 0 };
    int i, in = 0, closed = 0, from = 0, r, wish;
    char t[40];

    world_init(&w);
    side_open(&s, &w, client, NULL);
    for (i = 0; i < count; i++) {
        char data[3] = { (char)('a' + i), 'x', 0 };
        switch (act[i]) {
        case SEND:
            r = ws_send(s.c, WS_OP_BINARY, data, 2);
            wish = closed ? WS_ERR_STATE : in || from ? WS_ERR_BUSY : 0;
            if (!wish) { sprintf(t, "82'%s' ", data); buf_str(&want, t); }
            break;
        case PART: case LAST: case OTHER:
            r = ws_send_part(s.c, act[i] == OTHER ? WS_OP_BINARY : WS_OP_TEXT, data, 2, act[i] == LAST);
            wish = closed ? WS_ERR_STATE : from ? WS_ERR_BUSY
                 : in && in != (act[i] == OTHER ? 2 : 1) ? WS_ERR_ARGUMENT : 0;
            if (wish) break;
            sprintf(t, "%02x'%s' ", (in ? 0 : act[i] == OTHER ? 2 : 1) | (act[i] == LAST ? 128 : 0), data);
            buf_str(&want, t);
            in = act[i] == LAST ? 0 : act[i] == OTHER ? 2 : 1;
            break;
        case FROM:
            r = ws_send_from(s.c, WS_OP_TEXT, read_nothing, &s);
            wish = closed ? WS_ERR_STATE : in ? WS_ERR_BUSY : 0;
            if (!wish) from = 1;
            break;
        case PINGS: case PONGS:
            r = act[i] == PINGS ? ws_ping(s.c, data, 2) : ws_pong(s.c, data, 2);
            wish = closed ? WS_ERR_STATE : 0;
            if (!wish) { sprintf(t, "%s'%s' ", act[i] == PINGS ? "89" : "8a", data); buf_str(&want, t); }
            break;
        default:
            r = ws_close(s.c, 1000, "");
            wish = closed ? WS_ERR_STATE : 0;
            if (!wish) buf_str(&want, "88:1000 ");
            closed = 1;
            break;
        }
        CHECK_INT(r, wish);
        if (i & 1) side_pull(&s);
    }
    side_pull(&s);
    side_frames(&s, &have);
    CHECK_STR(buf_c(&have), buf_c(&want));
    buf_free(&have);
    buf_free(&want);
    side_done(&s);
}

TEST(send_part_sequences)
{
    int act[5], client;
    long i, all, k;

    for (client = 0; client < 2; client++) for (k = 1; k <= 5; k++) {
        for (all = 1, i = 0; i < k; i++) all *= ACTIONS;
        for (i = 0; i < all && test_faults < 20; i++) {
            long v = i;
            int j;
            for (j = 0; j < k; j++, v /= ACTIONS) act[j] = (int)(v % ACTIONS);
            part_sequence(act, (int)k, client);
        }
    }
}

TEST(send_part_arguments)
{
    world w;
    side s;

    world_init(&w);
    CHECK_INT(ws_send_part(NULL, 1, "", 0, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_from(NULL, 1, read_nothing, NULL), WS_ERR_ARGUMENT);
    ws_want_writable(NULL);
    ws_drop(NULL);
    side_open(&s, &w, 1, NULL);
    CHECK_INT(ws_send_part(s.c, 0, "", 0, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_part(s.c, 8, "", 0, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_part(s.c, 1, NULL, 1, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_part(s.c, 1, fill, (size_t)-1 / 2, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_from(s.c, 9, read_nothing, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_from(s.c, 1, NULL, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_buffered(s.c), 0);
    side_done(&s);
}

/* a client may begin before OPEN; a server may not */
TEST(send_part_before_open)
{
    world w;
    side s;
    buf answer = { 0 }, text = { 0 };

    world_init(&w);
    { ws_config cfg = world_config(&w); side_new(&s, &w, 0, &cfg); }
    CHECK_INT(ws_send_part(s.c, 1, "a", 1, 0), WS_ERR_STATE);
    CHECK_INT(ws_send_from(s.c, 1, read_nothing, NULL), WS_ERR_STATE);
    side_done(&s);
    world_init(&w);
    { ws_config cfg = world_config(&w); side_new(&s, &w, 1, &cfg); }
    CHECK_INT(ws_send_part(s.c, 1, "a", 1, 0), 0);
    side_pull(&s);
    s.head = s.out.n;
    CHECK_INT(ws_send_part(s.c, 1, "b", 1, 0), 0);
    side_client_answer(&answer, &s.out, NULL);
    side_feed(&s, answer.p, answer.n);
    CHECK_INT(ws_send_part(s.c, 1, "c", 1, 1), 0);
    side_pull(&s);
    side_frames(&s, &text);
    CHECK_STR(buf_c(&text), "01'a' 00'b' 80'c' ");
    buf_free(&answer);
    buf_free(&text);
    side_done(&s);
}

/* what a refused part leaves behind is nothing: the same part again gives the message whole */
TEST(send_part_refused)
{
    int client, kind, fixed;
    uint32_t backlog;

    fill_once();
    for (client = 0; client < 2; client++) for (fixed = 0; fixed < 2; fixed++) for (kind = 0; kind < 2; kind++)
        for (backlog = 100; backlog < 1500; backlog += 37) {
            static uint64_t block[WS_MEMORY_SIZE(1000, 1500) / 8 + 1];
            world w;
            side s;
            ws_config cfg;
            buf got = { 0 }, want = { 0 };
            int i, refused = 0, starved = 0;

            world_init(&w);
            cfg = world_config(&w);
            cfg.max_backlog = backlog;
            if (fixed) {
                cfg.memory = block;
                cfg.memory_size = WS_MEMORY_SIZE(1000, 500 + backlog);
                cfg.memory_send = 500 + backlog;
            }
            side_open(&s, &w, client, &cfg);
            s.hold = 1;
            buf_str(&want, "m1:");
            for (i = 0; i < 40;) {
                size_t n = (size_t)i * 7 % 90;
                int r;
                w.h.fail_at = kind && starved <= i ? w.h.calls + 1 : 0;
                r = ws_send_part(s.c, WS_OP_TEXT, fill + i, n, i == 39);
                w.h.fail_at = 0;
                if (!r) buf_add(&want, fill + i++, n);
                if (r == WS_ERR_MEMORY) starved = i + 1;
                else if (r) {
                    CHECK_INT(r, WS_ERR_BACKLOG);
                    refused++;
                    s.hold = 0;
                    side_output(&s);
                    s.hold = 1;
                }
            }
            buf_byte(&want, ' ');
            CHECK(refused > 0 || backlog > 700);
            CHECK_INT(starved > 0, kind && !fixed);
            s.hold = 0;
            side_pull(&s);
            CHECK_INT(s.writable, refused > 0);
            join_frames(&s, &got, NULL);
            CHECK(buf_is(&got, &want));
            buf_free(&got);
            buf_free(&want);
            side_done(&s);
        }
}

TESTS(T(sendv) T(sendv_arguments) T(fragment) T(fragment_all_or_nothing) T(fragment_fixed)
      T(send_part_sequences) T(send_part_arguments) T(send_part_before_open) T(send_part_refused))

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

/* ==== received in parts ================================================================ */

/* What a connection said, independent of how parts were cut: "1<abc>" for a message in parts,
   "1=abc;" for a whole one, "p" and "q" control frames where they came. */
typedef struct story {
    buf told;
    int open;           /* inside a message in parts */
    size_t size;        /* of that message so far */
} story;

static void tell(side *s, const ws_event *ev)
{
    story *y = (story *)s->user;

    if (ev->type == WS_EV_MESSAGE) {
        CHECK(!y->open);
        buf_int(&y->told, ev->op);
        buf_byte(&y->told, '=');
        buf_add(&y->told, ev->data, ev->size);
        buf_byte(&y->told, ';');
    } else if (ev->type == WS_EV_PART) {
        CHECK_INT(ev->first, !y->open);
        if (ev->first) { buf_int(&y->told, ev->op); buf_byte(&y->told, '<'); y->size = 0; }
        buf_add(&y->told, ev->data, ev->size);
        y->size += ev->size;
        CHECK(ev->size || ev->last || s->mode);     /* an empty part only ends */
        y->open = !ev->last;
        if (ev->last) buf_byte(&y->told, '>');
        else if (s->mode) buf_byte(&y->told, '|');
    } else if (ev->type == WS_EV_PING || ev->type == WS_EV_PONG) {
        buf_byte(&y->told, ev->type == WS_EV_PING ? 'p' : 'q');
        buf_add(&y->told, ev->data, ev->size);
    }
}

/* Message of n bytes in frames that end where bits of cuts are set (bit i: after byte i), an
   empty frame where bits of empty are (0 first, 1 in the middle, 2 last); control frames
   between them if asked. Adds what must be told with parts over so many bytes (0: frames). */
static void put_message(buf *in, buf *want, int op, int masked, size_t n, unsigned cuts, unsigned empty,
                        int control, size_t over)
{
    size_t from = 0, i, count = 0, at;
    size_t size[16];
    int told = 0;

    if (empty & 1) size[count++] = 0;
    for (i = 1; i < n; i++) if (cuts >> (i - 1) & 1) {
        size[count++] = i - from;
        from = i;
        if (empty & 2 && count == 2) size[count++] = 0;
    }
    size[count++] = n - from;
    if (empty & 4) size[count++] = 0;
    for (at = i = 0; i < count; i++) {
        int last = i + 1 == count;
        put_frame(in, (i ? 0 : op) | (last ? 128 : 0), masked, fill + at, size[i], 0);
        at += size[i];
        if (!over || (n > over && at > over)) {
            if (!told) { buf_int(want, op); buf_byte(want, '<'); if (over) buf_add(want, fill, at - size[i]); }
            buf_add(want, fill + at - size[i], size[i]);
            told = 1;
            buf_byte(want, last ? '>' : '|');
            if (over && !last) want->n--;
        } else if (last) {
            buf_int(want, op); buf_byte(want, '='); buf_add(want, fill, n); buf_byte(want, ';');
        }
        if (control && !last) {
            put_frame(in, i & 1 ? 0x8a : 0x89, masked, fill, i, 0);
            buf_byte(want, i & 1 ? 'q' : 'p');
            buf_add(want, fill, i);
        }
    }
}

/* Every cut in two, and single bytes, of one message after another. */
static void all_cuts(side *s, story *y, const buf *in, const buf *want)
{
    size_t cut, i;

    for (cut = 0; cut <= in->n; cut++) {
        buf_clear(&y->told);
        side_feed(s, in->p, cut);
        side_feed(s, in->p + cut, in->n - cut);
        CHECK(buf_is(&y->told, want));
        s->out.n = s->head;
    }
    buf_clear(&y->told);
    for (i = 0; i < in->n; i++) side_feed(s, in->p + i, 1);
    CHECK(buf_is(&y->told, want));
}

static void parts_everywhere(int by_frame)
{
    int client, op, control, fixed;
    size_t n, over = by_frame ? 0 : 4;
    unsigned cuts, empty;

    fill_once();
    for (client = 0; client < 2; client++) for (fixed = 0; fixed < 2; fixed++) {
        static uint64_t block[WS_MEMORY_SIZE(300, 300) / 8 + 1];
        world w;
        side s;
        story y;
        ws_config cfg;

        world_init(&w);
        memset(&y, 0, sizeof y);
        cfg = world_config(&w);
        cfg.frames = by_frame;
        cfg.parts_over = (uint32_t)over;
        if (fixed) { cfg.memory = block; cfg.memory_size = WS_MEMORY_SIZE(300, 300); }
        side_open(&s, &w, client, &cfg);
        s.quiet = 1;
        s.event = tell;
        s.user = &y;
        s.mode = by_frame;
        for (op = 1; op < 3; op++) for (n = 0; n < 7; n++) for (control = 0; control < 2; control++)
            for (cuts = 0; cuts < (n ? 1u << (n - 1) : 1u); cuts++) for (empty = 0; empty < 8; empty++) {
                buf in = { 0 }, want = { 0 };
                if (empty && control && cuts % 3) continue;
                put_message(&in, &want, op, !client, n, cuts, empty, control, over);
                put_message(&in, &want, 3 - op, !client, 2, 0, 0, 0, over);    /* nothing is left over */
                all_cuts(&s, &y, &in, &want);
                buf_free(&in);
                buf_free(&want);
                if (test_faults > 10) goto out;
            }
out:
        CHECK(!s.closed && !y.open);
        buf_free(&y.told);
        side_done(&s);
    }
}

TEST(parts) { parts_everywhere(0); }
TEST(single_frames) { parts_everywhere(1); }

/* around a limit of ordinary size, with every form of length */
TEST(parts_border)
{
    static const size_t limits[] = { 125, 126, 1000, 65535, 65536 };
    size_t i, d, step;
    int client, two;

    fill_once();
    for (client = 0; client < 2; client++) for (i = 0; i < 5; i++) for (d = 0; d < 3; d++) for (two = 0; two < 3; two++) {
        size_t n = limits[i] - 1 + d, first = two == 1 ? n / 2 : two == 2 ? n - 1 : n;
        for (step = 1; step <= n + 30; step = step * 5 + 2) {
            world w;
            side s;
            story y;
            ws_config cfg;
            buf in = { 0 }, want = { 0 };
            size_t at;

            if (step < 8 && n > 2000) continue;
            world_init(&w);
            memset(&y, 0, sizeof y);
            cfg = world_config(&w);
            cfg.parts_over = (uint32_t)limits[i];
            side_open(&s, &w, client, &cfg);
            s.quiet = 1; s.event = tell; s.user = &y;
            put_frame(&in, two ? 2 : 0x82, !client, fill, first, 0);
            if (two) put_frame(&in, 0x80, !client, fill + first, n - first, 0);
            buf_str(&want, d == 2 ? "2<" : "2=");
            buf_add(&want, fill, n);
            buf_str(&want, d == 2 ? ">" : ";");
            for (at = 0; at < in.n; at += step) side_feed(&s, in.p + at, in.n - at < step ? in.n - at : step);
            CHECK(buf_is(&y.told, &want));
            CHECK_INT(s.parts > 0, d == 2);
            buf_free(&in);
            buf_free(&want);
            buf_free(&y.told);
            side_done(&s);
        }
    }
}

/* a text that breaks off or goes wrong inside a part: 1007, and the byte is named */
TEST(parts_utf8)
{
    static const struct { const char *bad; size_t n, at; } bad[] = {
        { "\xff", 1, 0 }, { "\x80", 1, 0 }, { "\xc3\x28", 2, 1 }, { "\xe2\x82\x28", 3, 2 },
        { "\xed\xa0\x80", 3, 1 }, { "\xf0\x80\x80\x80", 4, 1 }, { "\xf4\x90\x80\x80", 4, 1 }, { "\xc0\xaf", 2, 0 },
    };
    int client, by_frame;
    size_t k, at, cut, frame;

    fill_once();
    for (client = 0; client < 2; client++) for (by_frame = 0; by_frame < 2; by_frame++)
    for (k = 0; k < sizeof bad / sizeof *bad; k++) for (at = 0; at < 12; at++) for (frame = 1; frame < 20; frame += 4) {
        char text[16];
        buf in = { 0 };
        size_t n = 16, i, where = 0;
        memcpy(text, fill, 16);
        memcpy(text + at, bad[k].bad, bad[k].n);
        for (i = 0; i < n; i += frame) {
            size_t m = n - i < frame ? n - i : frame, wrong = at + bad[k].at;
            put_frame(&in, (i ? 0 : 1) | (i + m == n ? 128 : 0), !client, text + i, m, 0);
            if (wrong >= i && wrong < i + m) where = in.n - m + (wrong - i);
        }
        for (cut = 0; cut <= in.n + 1; cut++) {
            world w;
            side s;
            story y;
            ws_config cfg;
            char reason[120];
            buf answer = { 0 };

            world_init(&w);
            memset(&y, 0, sizeof y);
            cfg = world_config(&w);
            cfg.frames = by_frame;
            cfg.parts_over = 5;
            side_open(&s, &w, client, &cfg);
            s.event = tell; s.user = &y; s.mode = by_frame;
            if (client) side_client_answer(&answer, &s.out, NULL);
            else buf_str(&answer, REQUEST);
            if (cut > in.n) for (i = 0; i < in.n; i++) side_feed(&s, in.p + i, 1);
            else { side_feed(&s, in.p, cut); side_feed(&s, in.p + cut, in.n - cut); }
            CHECK_INT(s.error, WS_ERR_UTF8);
            CHECK_INT(s.code, 1007);
            sprintf(reason, "text message is not UTF-8 (RFC 6455 8.1) at byte %lu", (unsigned long)(answer.n + where));
            CHECK_STR(s.reason, reason);
            CHECK_INT(side_frames(&s, NULL).close_code, 1007);
            CHECK(y.size <= at + bad[k].at);
            buf_free(&answer);
            buf_free(&y.told);
            side_done(&s);
            if (test_faults > 10) { buf_free(&in); return; }
            if (cut > 0 && cut + 1 < in.n) cut += 2;
        }
        buf_free(&in);
    }
}

/* characters cut by frames and by input are whole text; a text that ends inside one is not */
TEST(parts_utf8_whole)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z\xf0\x9f\x98\x80";
    size_t n, cut, frame;
    int client, by_frame;

    for (client = 0; client < 2; client++) for (by_frame = 0; by_frame < 2; by_frame++)
    for (n = 3; n < sizeof text; n++) for (frame = 1; frame <= n; frame++) {
        buf in = { 0 };
        size_t i;
        uint32_t state = 0;
        int good = ws_utf8(&state, text, n) == n && !state;
        for (i = 0; i < n; i += frame) {
            size_t m = n - i < frame ? n - i : frame;
            put_frame(&in, (i ? 0 : 1) | (i + m == n ? 128 : 0), !client, text + i, m, 0);
        }
        for (cut = 0; cut < in.n; cut++) {
            world w;
            side s;
            story y;
            ws_config cfg;
            world_init(&w);
            memset(&y, 0, sizeof y);
            cfg = world_config(&w);
            cfg.frames = by_frame;
            cfg.parts_over = 2;
            side_open(&s, &w, client, &cfg);
            s.event = tell; s.user = &y; s.mode = by_frame;
            side_feed(&s, in.p, cut);
            side_feed(&s, in.p + cut, in.n - cut);
            CHECK_INT(s.closed, !good);
            if (good) CHECK(y.size == n && !y.open);
            else CHECK(s.error == WS_ERR_UTF8 && y.size <= n && !strchr(buf_c(&y.told), '>'));
            buf_free(&y.told);
            side_done(&s);
        }
        buf_free(&in);
    }
}

/* ==== limits over all parts ============================================================ */

/* the sum counts; the header that goes over is refused alone, before memory is taken */
TEST(parts_limits)
{
    int client, by_frame;

    fill_once();
    for (client = 0; client < 2; client++) for (by_frame = 0; by_frame < 2; by_frame++) {
        static const struct { const char *spec; int error; } t[] = {
            { "82#1000", 0 }, { "02#999 80#1", 0 }, { "02#400 00#400 80#200", 0 }, { "02 00#1000 80", 0 },
            { "=82fe03e9", WS_ERR_MESSAGE_SIZE }, { "02#999 =80fe0002", WS_ERR_LENGTH },
            { "02#998 =8083", WS_ERR_MESSAGE_SIZE }, { "02#1000 =0081", WS_ERR_MESSAGE_SIZE },
            { "02#600 00#300 89'x' =00fe0200", WS_ERR_MESSAGE_SIZE },
            { "=82ff7fffffffffffffff", WS_ERR_MESSAGE_SIZE }, { "02#500 =80ff7fffffffffffffff", WS_ERR_MESSAGE_SIZE },
            { "02 00 00 00 00 00 00 00", 0 }, { "02 00 00 00 00 00 00 00 =0080", WS_ERR_FRAGMENTS },
            { "02#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 =8081", WS_ERR_FRAGMENTS },
        };
        size_t i;
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            world w;
            side s;
            ws_config cfg;
            buf in = { 0 };
            size_t before;

            world_init(&w);
            cfg = world_config(&w);
            cfg.frames = by_frame;
            cfg.parts_over = 10;
            cfg.max_message = 1000;
            cfg.max_fragments = 8;
            side_open(&s, &w, client, &cfg);
            put_spec(&in, t[i].spec, !client);
            if (client && t[i].error) {             /* the last frame's header is ours: unmask it */
                size_t k = in.n - (strchr(t[i].spec, '=') ? strlen(strchr(t[i].spec, '=') + 1) / 2 : 0);
                in.p[k + 1] = (char)(in.p[k + 1] & 127);
            } else if (t[i].error) buf_add(&in, "key!", 4);
            before = w.h.now;
            side_feed(&s, in.p, in.n);
            CHECK_INT(s.error, t[i].error);
            if (t[i].error) CHECK_INT(side_frames(&s, NULL).close_code, error_tell(t[i].error));
            CHECK(w.h.peak < before + 6000);
            buf_free(&in);
            side_done(&s);
        }
    }
}

TEST(max_frame)
{
    int client, how;
    size_t n;

    fill_once();
    for (client = 0; client < 2; client++) for (how = 0; how < 3; how++) for (n = 99; n < 102; n++) {
        world w;
        side s;
        ws_config cfg;

        world_init(&w);
        cfg = world_config(&w);
        cfg.max_frame = 100;
        cfg.frames = how == 1;
        cfg.parts_over = how == 2 ? 50 : 0;
        side_open(&s, &w, client, &cfg);
        side_frame(&s, 2, fill, 100);
        side_frame(&s, 0x89, fill, 125);            /* control frames are not meant */
        side_frame(&s, 0, fill, 100);
        side_frame(&s, 0x80, fill, n);
        CHECK_INT(s.error, n > 100 ? WS_ERR_FRAME_SIZE : 0);
        if (n > 100) CHECK_INT(s.code, 1009);
        else side_frame(&s, 0x82, fill, n);
        side_done(&s);
        world_init(&w);
        side_open(&s, &w, client, &cfg);            /* a whole message in its one frame */
        side_frame(&s, 0x81, fill, n);
        CHECK_INT(s.error, n > 100 ? WS_ERR_FRAME_SIZE : 0);
        CHECK_INT(s.messages, n <= 100 && !how);
        side_done(&s);
        world_init(&w);
        side_open(&s, &w, client, &cfg);            /* announced only: nothing is taken */
        {
            size_t have = w.h.now;
            static const uint8_t big[14] = { 0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0 };
            uint8_t head[14];
            memcpy(head, big, 14);
            if (!client) head[1] |= 128;
            side_feed(&s, head, client ? 10 : 14);
            CHECK_INT(s.error, WS_ERR_FRAME_SIZE);
            CHECK(w.h.peak < have + 2000);
        }
        side_done(&s);
    }
}

/* ==== larger than memory =============================================================== */

typedef struct flow { uint64_t bytes; long firsts, lasts, wholes; int bad; } flow;

static void flow_event(side *s, const ws_event *ev)
{
    flow *f = (flow *)s->user;
    const char *p = (const char *)ev->data;

    if (ev->type == WS_EV_MESSAGE) f->wholes++;
    if (ev->type != WS_EV_PART) return;
    f->firsts += ev->first;
    f->lasts += ev->last;
    if (ev->size && (p[0] != (char)(f->bytes & 127) || p[ev->size - 1] != (char)((f->bytes + ev->size - 1) & 127)))
        f->bad = 1;
    f->bytes += ev->size;
}

/* Feeds total bytes in frames of frame bytes, at most 4096 at a time. Returns the heap's peak
   over what it was. */
static size_t stream(int client, ws_config *cfg, world *w, uint64_t total, uint64_t frame)
{
    side s;
    flow f;
    uint64_t at = 0;
    size_t before;
    static uint8_t piece[4096 + 14];
    static const uint8_t key[4] = { 7, 0, 0x55, 0x21 };

    memset(&f, 0, sizeof f);
    side_open(&s, w, client, cfg);
    s.quiet = 1; s.event = flow_event; s.user = &f;
    before = w->h.peak = w->h.now;
    while (at < total && !s.closed) {
        uint64_t left = total - at < frame ? total - at : frame, in = 0;
        ws_frame h;
        memset(&h, 0, sizeof h);
        h.fin = at + left == total;
        h.op = at ? 0 : 2;
        h.size = left;
        h.masked = !client;
        memcpy(h.key, key, 4);
        while (in < left || !in) {
            size_t k = in ? 0 : ws_frame_encode(&h, piece), m = left - in < 4096 ? (size_t)(left - in) : 4096, i;
            for (i = 0; i < m; i++) piece[k + i] = (uint8_t)((at + in + i) & 127);
            if (!client) ws_mask(piece + k, piece + k, m, key, (size_t)in);
            CHECK_INT(side_feed(&s, piece, k + m), k + m);
            in += m;
            if (s.closed || !left) break;
        }
        at += left;
    }
    CHECK_INT(s.closed, 0);
    CHECK_INT(f.bytes, total);
    CHECK(f.firsts == 1 && f.lasts == 1 && !f.wholes && !f.bad);
    side_frame(&s, 0x81, "after", 5);
    CHECK(f.wholes + f.firsts == 2);
    side_done(&s);
    return w->h.peak - before;
}

TEST(parts_memory)
{
    static const struct { uint64_t total, frame; } t[] = {
        { 100u << 20, 100u << 20 }, { 1000000, 10 }, { 100000, 1 }, { 8u << 20, 65535 },
    };
    static uint64_t block[WS_MEMORY_SIZE(1024, 512) / 8 + 1];
    size_t i, peak, most = 0;
    int client, fixed, by_frame;

    for (client = 0; client < 2; client++) for (i = 0; i < 4; i++) for (fixed = 0; fixed < 2; fixed++)
        for (by_frame = 0; by_frame < 2; by_frame++) {
            world w;
            ws_config cfg;
            world_init(&w);
            cfg = world_config(&w);
            cfg.max_message = WS_NO_LIMIT;
            cfg.max_fragments = WS_NO_LIMIT;
            if (by_frame) cfg.frames = 1;
            else cfg.parts_over = fixed ? 100000 : 4096;
            if (fixed) { cfg.memory = block; cfg.memory_size = WS_MEMORY_SIZE(1024, 512); cfg.memory_send = 512; }
            if (by_frame && t[i].frame > (fixed ? 1024u : 100000u)) continue;
            if (fixed && t[i].total > 10u << 20) cfg.parts_over = 500;
            peak = stream(client, &cfg, &w, t[i].total, t[i].frame);
            CHECK(fixed ? peak == 0 : by_frame || peak < 16384);
            if (!by_frame && peak > most) most = peak;
        }
    printf("  heap while 100 MiB flow in parts: %lu bytes\n", (unsigned long)most);
}

/* a frame that its block can never hold whole is refused, not waited for */
TEST(single_frames_fixed)
{
    static uint64_t block[WS_MEMORY_SIZE(1000, 512) / 8 + 1];
    size_t n;
    int client;

    fill_once();
    for (client = 0; client < 2; client++) for (n = 990; n < 1010; n++) {
        world w;
        side s;
        ws_config cfg;
        world_init(&w);
        cfg = world_config(&w);
        cfg.frames = 1;
        cfg.parts_over = 10;
        cfg.memory = block;
        cfg.memory_size = WS_MEMORY_SIZE(1000, 512);
        cfg.memory_send = 512;
        side_open(&s, &w, client, &cfg);
        side_frame(&s, 2, fill, 1000);
        side_frame(&s, 0, fill, 1000);
        side_frame(&s, 0x80, fill, n);
        CHECK_INT(s.parts, n <= 1000 ? 3 : 2);
        CHECK_INT(s.error, n <= 1000 ? 0 : WS_ERR_FRAME_SIZE);
        side_done(&s);
    }
}

TESTS(T(sendv) T(sendv_arguments) T(fragment) T(fragment_all_or_nothing) T(fragment_fixed)
      T(send_part_sequences) T(send_part_arguments) T(send_part_before_open) T(send_part_refused)
      T(parts) T(single_frames) T(parts_border) T(parts_utf8) T(parts_utf8_whole) T(parts_limits) T(max_frame)
      T(parts_memory) T(single_frames_fixed))

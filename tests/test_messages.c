/* Messages beyond one call and one event: sent in pieces, in parts, from a source, cut
   into frames; received in parts and as single frames; completion, pings by hand, round
   trips, dropping. The engine first, both roles, every cut; then the drivers on
   sockets. */
#include "fixture.h"

/* ==== reading what we sent ========================================================== */

/* Our frames put together again: "81:4:" payload, one behind the other; control frames in
   their place. most: of all data frames. The rules are check_frames' matter. */
static void join_frames(side *s, buf *all, size_t *most)
{
    const uint8_t *p = (const uint8_t *)buf_c(&s->out) + s->head;
    size_t n = s->out.n - s->head, at = 0;
    buf whole = { 0 };
    int op = 0;

    side_sent(s, NULL);
    if (most) *most = 0;
    while (at < n) {
        size_t len = p[at + 1] & 127, h = 2, i;
        int first = p[at], code = first & 15;
        buf *to = code < 8 ? &whole : all;
        uint8_t key[4] = { 0, 0, 0, 0 };

        if (len == 126) { len = (size_t)p[at + 2] << 8 | p[at + 3]; h = 4;
        } else if (len == 127) {
            for (len = 0, h = 2; h < 10; h++) len = len << 8 | p[at + h];
        }
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

/* All that we sent, put together, is want. Frees it. */
#define CHECK_JOINED(s, want, most) \
    do { \
        buf test_got = { 0 }; \
        join_frames(s, &test_got, most); \
        CHECK(buf_is(&test_got, want)); \
        buf_free(&test_got); \
        buf_free(want); \
    } while (0)

static void expect(buf *b, const char *what, const void *data, size_t n)
{
    buf_str(b, what);
    buf_add(b, data, n);
    buf_byte(b, ' ');
}

/* ==== pieces ======================================================================== */

/* ws_sendv of pieces that end at a, b, c and n gives the bytes of ws_send. */
static void same_bytes(int client, int op, size_t n, const size_t *end, int count,
                       uint32_t fragment)
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
        ws_config cfg = world_fresh(&w[k]);
        cfg.fragment = fragment;
        side_open(&s[k], &w[k], client, &cfg);
        s[k].hold = 1;
        CHECK_INT(k ? ws_sendv(s[k].c, op, v, count) : ws_send(s[k].c, op, fill, n), 0);
        CHECK_INT(k ? ws_sendv(s[k].c, op, v, count) : ws_send(s[k].c, op, fill, n), 0);
        side_release(&s[k]);
        side_sent(&s[k], NULL);
    }
    CHECK(buf_is(&s[0].out, &s[1].out));
    CHECK(s[0].out.n > s[0].head + 2 * n);
    side_over(&s[0]);
    side_over(&s[1]);
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

    side_plain(&s, &w, 0);
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
    side_over(&s);
}

/* ==== cut into frames =============================================================== */

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
            ws_config cfg = world_fresh(&w);
            ws_str v[3];
            buf want = { 0 };

            cfg.fragment = f;
            side_open(&s, &w, client, &cfg);
            CHECK_INT(ws_send(s.c, WS_OP_TEXT, fill, n), 0);
            v[0].data = fill; v[0].size = n / 3;
            v[1].data = fill; v[1].size = 0;
            v[2].data = fill + n / 3; v[2].size = n - n / 3;
            CHECK_INT(ws_sendv(s.c, WS_OP_BINARY, v, 3), 0);
            side_pull(&s);
            expect(&want, "m1:", fill, n);
            expect(&want, "m2:", fill, n);
            CHECK_JOINED(&s, &want, &most);
            CHECK(most <= f);
            CHECK_INT(side_sent(&s, NULL).data,
                      2 * (n ? (n + f - 1) / f : 1)); /* and no frame too many */
            side_over(&s);
        }
    }
}

/* a refusal, failing memory, failing random numbers: all of a message is out, or none */
TEST(fragment_all_or_nothing)
{
    int client, kind;
    long k;

    fill_once();
    for (client = 0; client < 2; client++)
        for (kind = 0; kind < 3; kind++)
            for (k = 1; k < 40; k++) {
                world w;
                side s;
                ws_config cfg = world_fresh(&w);
                buf got = { 0 }, want = { 0 };
                int r, i;

                cfg.fragment = 10;
                cfg.max_backlog = kind == 0 ? (uint32_t)k * 100 : 0;
                side_open(&s, &w, client, &cfg);
                if (kind == 1)
                    w.h.fail_at = w.h.calls + k;
                if (kind == 2)
                    w.r.fail_at = w.r.draws + k;
                s.hold = 1;
                for (i = 0; i < 30; i++) {
                    r = ws_send(s.c, WS_OP_BINARY, fill, 95);
                    if (!r)
                        expect(&want, "m2:", fill, 95);
                    else if (kind == 0)
                        CHECK_INT(r, WS_ERR_BACKLOG);
                    else if (kind == 1)
                        CHECK_INT(r, WS_ERR_MEMORY);
                    else
                        CHECK(r == WS_ERR_RANDOM || r == WS_ERR_STATE);
                }
                side_release(&s);
                if (kind == 2 && w.r.draws >= w.r.fail_at && client) {
                    CHECK_INT(s.error, WS_ERR_RANDOM);
                    buf_str(&want, "c8:");
                } else
                    CHECK_INT(ws_error(s.c), 0);
                join_frames(&s, &got, NULL);
                CHECK(kind == 2 ? got.n >= want.n && !memcmp(got.p, want.p, want.n)
                                : buf_is(&got, &want));
                buf_free(&got);
                buf_free(&want);
                side_over(&s);
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
        ws_config cfg = world_fresh(&w);
        buf want = { 0 };
        int r, i;
        size_t wire = n + (n ? (n + 3) / 4 : 1) * (client ? 6u : 2u);

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
        side_release(&s);
        CHECK_INT(ws_error(s.c), 0);
        CHECK_JOINED(&s, &want, NULL);
        side_over(&s);
    }
}

/* ==== parts by hand ================================================================= */

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
    buf want = { 0 };
    int i, in = 0, closed = 0, from = 0, r, wish;
    char t[40];

    side_plain(&s, &w, client);
    for (i = 0; i < count; i++) {
        char data[3] = { (char)('a' + i), 'x', 0 };
        switch (act[i]) {
        case SEND:
            r = ws_send(s.c, WS_OP_BINARY, data, 2);
            wish = closed ? WS_ERR_STATE : in || from ? WS_ERR_BUSY : 0;
            if (!wish) { sprintf(t, "82'%s' ", data); buf_str(&want, t); }
            break;
        case PART: case LAST: case OTHER:
            r = ws_send_part(s.c, act[i] == OTHER ? WS_OP_BINARY : WS_OP_TEXT, data, 2,
                             act[i] == LAST);
            wish = closed ? WS_ERR_STATE : from ? WS_ERR_BUSY
                 : in && in != (act[i] == OTHER ? 2 : 1) ? WS_ERR_ARGUMENT : 0;
            if (wish) break;
            sprintf(t, "%02x'%s' ",
                    (in                ? 0
                     : act[i] == OTHER ? 2
                                       : 1) |
                        (act[i] == LAST ? 128 : 0),
                    data);
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
            wish = 0;               /* also behind our Close, until the peer's has come */
            if (!wish) {
                sprintf(t, "%s'%s' ", act[i] == PINGS ? "89" : "8a", data);
                buf_str(&want, t);
            }
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
    CHECK_SENT(&s, buf_c(&want));
    buf_free(&want);
    side_over(&s);
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
    side_over(&s);
}

/* a client may begin before OPEN; a server may not */
TEST(send_part_before_open)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 0, &cfg);
    CHECK_INT(ws_send_part(s.c, 1, "a", 1, 0), WS_ERR_STATE);
    CHECK_INT(ws_send_from(s.c, 1, read_nothing, NULL), WS_ERR_STATE);
    side_over(&s);
    cfg = world_fresh(&w);
    side_new(&s, &w, 1, &cfg);
    CHECK_INT(ws_send_part(s.c, 1, "a", 1, 0), 0);
    side_pull(&s);
    CHECK_INT(ws_send_part(s.c, 1, "b", 1, 0), 0);
    side_answer(&s, NULL);
    CHECK_INT(ws_send_part(s.c, 1, "c", 1, 1), 0);
    side_pull(&s);
    CHECK_SENT(&s, "01'a' 00'b' 80'c' ");
    side_over(&s);
}

/* what a refused part leaves behind is nothing: the same part again gives the message
   whole */
TEST(send_part_refused)
{
    int client, kind, fixed;
    uint32_t backlog;

    fill_once();
    for (client = 0; client < 2; client++)
        for (fixed = 0; fixed < 2; fixed++)
            for (kind = 0; kind < 2; kind++)
                for (backlog = 100; backlog < 1500; backlog += 37) {
                    static uint64_t block[WS_MEMORY_SIZE(1000, 1500) / 8 + 1];
                    world w;
                    side s;
                    ws_config cfg = world_fresh(&w);
                    buf want = { 0 };
                    int i, refused = 0, starved = 0;

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
                        if (!r)
                            buf_add(&want, fill + i++, n);
                        if (r == WS_ERR_MEMORY)
                            starved = i + 1;
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
                    side_release(&s);
                    CHECK_INT(s.writables, refused > 0);
                    CHECK_JOINED(&s, &want, NULL);
                    side_over(&s);
                }
}

/* ==== received in parts ============================================================= */

/* What a connection said, independent of how parts were cut: "1<abc>" for a message in
   parts, "1=abc;" for a whole one, "p" and "q" control frames where they came. */
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
        if (ev->first) {
            buf_int(&y->told, ev->op);
            buf_byte(&y->told, '<');
            y->size = 0;
        }
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

/* A connection that tells its story. */
static void story_open(story *y, side *s, world *w, int client, const ws_config *cfg)
{
    memset(y, 0, sizeof *y);
    side_open(s, w, client, cfg);
    s->event = tell;
    s->user = y;
    s->mode = cfg->frames;
}

/* Message of n bytes in frames that end where bits of cuts are set (bit i: after byte
   i), an empty frame where bits of empty are (0 first, 1 in the middle, 2 last);
   control frames between them if asked. Adds what must be told with parts over so many
   bytes (0: frames). */
static void put_message(buf *in, buf *want, int op, int masked, size_t n, unsigned cuts,
                        unsigned empty, int control, size_t over)
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
            if (!told) {
                buf_int(want, op);
                buf_byte(want, '<');
                if (over)
                    buf_add(want, fill, at - size[i]);
            }
            buf_add(want, fill + at - size[i], size[i]);
            told = 1;
            buf_byte(want, last ? '>' : '|');
            if (over && !last) want->n--;
        } else if (last) {
            buf_int(want, op);
            buf_byte(want, '=');
            buf_add(want, fill, n);
            buf_byte(want, ';');
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
    size_t cut;

    for (cut = 0; cut <= in->n; cut++) {
        buf_clear(&y->told);
        side_feed_cut(s, in, cut);
        CHECK(buf_is(&y->told, want));
        s->out.n = s->head;
    }
    buf_clear(&y->told);
    side_feed_by(s, in->p, in->n, 1);
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
        ws_config cfg = world_fresh(&w);

        cfg.frames = by_frame;
        cfg.parts_over = (uint32_t)over;
        if (fixed) { cfg.memory = block; cfg.memory_size = WS_MEMORY_SIZE(300, 300); }
        story_open(&y, &s, &w, client, &cfg);
        s.quiet = 1;
        for (op = 1; op < 3; op++)
            for (n = 0; n < 7; n++)
                for (control = 0; control < 2; control++)
                    for (cuts = 0; cuts < (n ? 1u << (n - 1) : 1u); cuts++)
                        for (empty = 0; empty < 8; empty++) {
                            buf in = { 0 }, want = { 0 };
                            if (empty && control && cuts % 3)
                                continue;
                            put_message(&in, &want, op, !client, n, cuts, empty, control,
                                        over);
                            put_message(&in, &want, 3 - op, !client, 2, 0, 0, 0,
                                        over); /* nothing is left over */
                            all_cuts(&s, &y, &in, &want);
                            buf_free(&in);
                            buf_free(&want);
                            if (test_faults > 10)
                                goto out;
                        }
out:
        CHECK(!s.closes && !y.open);
        buf_free(&y.told);
        side_over(&s);
    }
}

TEST(parts) { parts_everywhere(0); }
TEST(single_frames) { parts_everywhere(1); }

#define GIB ((uint64_t)1 << 30)

/* Limits are said, and counted, in 64 bits where memory may have as much: a frame is
   judged by its header. */
TEST(limits_of_more_than_4_gib)
{
    static const struct {
        uint64_t message, frame;
        uint64_t size;          /* of the last frame; the one before it has ten bytes */
        int error;
    } rows[] = {
        { 5 * GIB, 0, 5 * GIB - 10, 0 },
        { 5 * GIB, 0, 5 * GIB - 9, WS_ERR_MESSAGE_SIZE },
        { 5 * GIB, 0, GIB, 0 },
        { 0, 5 * GIB, 5 * GIB, 0 },
        { 0, 5 * GIB, 5 * GIB + 1, WS_ERR_FRAME_SIZE },
        { 0, 0, 5 * GIB, 0 },
        { 0xFFFFFFFE, 0, 0xFFFFFFFE - 10, 0 },
        { 0xFFFFFFFE, 0, 0xFFFFFFFE - 9, WS_ERR_MESSAGE_SIZE },
        { WS_NO_LIMIT, WS_NO_LIMIT, 5 * GIB, 0 },
        { 4 * GIB, 0, 4 * GIB - 10, 0 },
        { 4 * GIB, 0, 4 * GIB - 9, WS_ERR_MESSAGE_SIZE }
    };
    static const uint8_t key[4] = { 0 };
    size_t i, count = sizeof(ws_limit) < 8 ? 0 : sizeof rows / sizeof *rows;
    int client;

    for (i = 0; i < count; i++) for (client = 0; client < 2; client++) {
        world w;
        side s;
        buf head = { 0 };
        ws_config cfg = world_fresh(&w);

        cfg.parts_over = 5;
        cfg.max_message = (ws_limit)rows[i].message;
        cfg.max_frame = (ws_limit)rows[i].frame;
        side_open(&s, &w, client, &cfg);
        side_say(&s, "02#10");
        put_head(&head, 0x80, client ? NULL : key, (size_t)rows[i].size, 8);
        side_feed(&s, head.p, head.n);
        side_feed(&s, "hello", 5);
        CHECK(strstr(s.log.p, "PB'hello'") ? !rows[i].error : rows[i].error != 0);
        CHECK_INT(ws_error(s.c), rows[i].error);
        buf_free(&head);
        side_over(&s);
    }
}

/* What is handed over whole may be as large, too. */
TEST(parts_over_more_than_4_gib)
{
    static const uint8_t key[4] = { 0 };
    world w;
    side s;
    buf head = { 0 };
    ws_config cfg = world_fresh(&w);

    if (sizeof(ws_limit) < 8)
        return;
    cfg.parts_over = (ws_limit)(5 * GIB);
    side_open(&s, &w, 0, &cfg);
    put_head(&head, 0x82, key, (size_t)(5 * GIB), 8);
    side_feed(&s, head.p, head.n);
    side_feed(&s, "hello", 5);
    CHECK_EVENTS(&s, "O ");
    ws_drop(s.c);
    side_pull(&s);
    buf_free(&head);
    side_over(&s);
}

/* around a limit of ordinary size, with every form of length */
TEST(parts_border)
{
    static const size_t limits[] = { 125, 126, 1000, 65535, 65536 };
    size_t i, d, step;
    int client, two;

    fill_once();
    for (client = 0; client < 2; client++)
        for (i = 0; i < 5; i++)
            for (d = 0; d < 3; d++)
                for (two = 0; two < 3; two++) {
                    size_t n = limits[i] - 1 + d, first = two == 1   ? n / 2
                                                          : two == 2 ? n - 1
                                                                     : n;
                    for (step = 1; step <= n + 30; step = step * 5 + 2) {
                        world w;
                        side s;
                        story y;
                        ws_config cfg = world_fresh(&w);
                        buf in = { 0 }, want = { 0 };

                        if (step < 8 && n > 2000)
                            continue;
                        cfg.parts_over = (uint32_t)limits[i];
                        story_open(&y, &s, &w, client, &cfg);
                        s.quiet = 1;
                        put_frame(&in, two ? 2 : 0x82, !client, fill, first, 0);
                        if (two)
                            put_frame(&in, 0x80, !client, fill + first, n - first, 0);
                        buf_str(&want, d == 2 ? "2<" : "2=");
                        buf_add(&want, fill, n);
                        buf_str(&want, d == 2 ? ">" : ";");
                        side_feed_by(&s, in.p, in.n, step);
                        CHECK(buf_is(&y.told, &want));
                        CHECK_INT(s.parts > 0, d == 2);
                        buf_free(&in);
                        buf_free(&want);
                        buf_free(&y.told);
                        side_over(&s);
                    }
                }
}

/* a text that breaks off or goes wrong inside a part: 1007, and the byte is named */
TEST(parts_utf8)
{
    static const struct { const char *bad; size_t n, at;
    } bad[] = {
        { "\xff", 1, 0 },
        { "\x80", 1, 0 },
        { "\xc3\x28", 2, 1 },
        { "\xe2\x82\x28", 3, 2 },
        { "\xed\xa0\x80", 3, 1 },
        { "\xf0\x80\x80\x80", 4, 1 },
        { "\xf4\x90\x80\x80", 4, 1 },
        { "\xc0\xaf", 2, 0 },
    };
    int client, by_frame;
    size_t k, at, cut, frame;

    fill_once();
    for (client = 0; client < 2; client++) for (by_frame = 0; by_frame < 2; by_frame++)
            for (k = 0; k < sizeof bad / sizeof *bad; k++)
                for (at = 0; at < 12; at++)
                    for (frame = 1; frame < 20; frame += 4) {
                        char text[16];
                        buf in = { 0 };
                        size_t n = 16, i, where = 0;
                        memcpy(text, fill, 16);
                        memcpy(text + at, bad[k].bad, bad[k].n);
                        for (i = 0; i < n; i += frame) {
                            size_t m = n - i < frame ? n - i : frame,
                                   wrong = at + bad[k].at;
                            put_frame(&in, (i ? 0 : 1) | (i + m == n ? 128 : 0), !client,
                                      text + i, m, 0);
                            if (wrong >= i && wrong < i + m)
                                where = in.n - m + (wrong - i);
                        }
                        for (cut = 0; cut <= in.n + 1; cut++) {
                            world w;
                            side s;
                            story y;
                            ws_config cfg = world_fresh(&w);
                            char reason[120];

                            cfg.frames = by_frame;
                            cfg.parts_over = 5;
                            story_open(&y, &s, &w, client, &cfg);
                            if (cut > in.n)
                                side_feed_by(&s, in.p, in.n, 1);
                            else
                                side_feed_cut(&s, &in, cut);
                            CHECK_INT(s.error, WS_ERR_UTF8);
                            CHECK_INT(s.code, 1007);
                            sprintf(
                                reason,
                                "text message is not UTF-8 (RFC 6455 8.1) at byte %lu",
                                (unsigned long)where);
                            CHECK_STR(ws_error_text(s.c), reason);
                            CHECK_STR(s.reason,
                                      "text message is not UTF-8 (RFC 6455 8.1)");
                            CHECK_INT(side_sent(&s, NULL).close_code, 1007);
                            CHECK(y.size <= at + bad[k].at);
                            buf_free(&y.told);
                            side_over(&s);
                            if (test_faults > 10) {
                                buf_free(&in);
                                return;
                            }
                            if (cut > 0 && cut + 1 < in.n)
                                cut += 2;
                        }
                        buf_free(&in);
                    }
}

/* characters cut by frames and by input are whole text; a text that ends inside one is
   not */
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
            ws_config cfg = world_fresh(&w);
            cfg.frames = by_frame;
            cfg.parts_over = 2;
            story_open(&y, &s, &w, client, &cfg);
            side_feed_cut(&s, &in, cut);
            CHECK_INT(s.closes, !good);
            if (good) CHECK(y.size == n && !y.open);
            else
                CHECK(s.error == WS_ERR_UTF8 && y.size <= n &&
                      !strchr(buf_c(&y.told), '>'));
            buf_free(&y.told);
            side_over(&s);
        }
        buf_free(&in);
    }
}

/* ==== limits over all parts ========================================================= */

/* the sum counts; the header that goes over is refused alone, before memory is taken */
TEST(parts_limits)
{
    int client, by_frame;

    fill_once();
    for (client = 0; client < 2; client++) for (by_frame = 0; by_frame < 2; by_frame++) {
        static const struct { const char *spec; int error;
        } t[] = {
            { "82#1000", 0 },
            { "02#999 80#1", 0 },
            { "02#400 00#400 80#200", 0 },
            { "02 00#1000 80", 0 },
            { "=82fe03e9", WS_ERR_MESSAGE_SIZE },
            { "02#999 =80fe0002", WS_ERR_LENGTH },
            { "02#998 =8083", WS_ERR_MESSAGE_SIZE },
            { "02#1000 =0081", WS_ERR_MESSAGE_SIZE },
            { "02#600 00#300 89'x' =00fe0200", WS_ERR_MESSAGE_SIZE },
            { "=82ff7fffffffffffffff", WS_ERR_MESSAGE_SIZE },
            { "02#500 =80ff7fffffffffffffff", WS_ERR_MESSAGE_SIZE },
            { "02 00 00 00 00 00 00 00", 0 },
            { "02 00 00 00 00 00 00 00 =0080", WS_ERR_FRAGMENTS },
            { "02#11 00 00 00 00 00 00 00 =0080", WS_ERR_FRAGMENTS },
            { "02#11 00 00 00 00 00 00 00#1 00 00 00 00 00 00 00 =0080",
              WS_ERR_FRAGMENTS },
            { "02#11 00 00 00 00 00 00 00#1 00#1 00#1 00 00 00 00 00 00 80#1", 0 },
            { "02#11 00#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 80", 0 },
            { "02#1 00#1 00#1 00#1 00#1 00#1 00#1 00#1 =8081",
              WS_ERR_FRAGMENTS }, /* not yet in parts */
        };
        size_t i;
        for (i = 0; i < sizeof t / sizeof *t; i++) {
            world w;
            side s;
            ws_config cfg = world_fresh(&w);
            buf in = { 0 };
            size_t before;

            if (by_frame && i + 1 == sizeof t / sizeof *t) continue;
            cfg.frames = by_frame;
            cfg.parts_over = 10;
            cfg.max_message = 1000;
            cfg.max_fragments = 8;
            side_open(&s, &w, client, &cfg);
            put_frames(&in, t[i].spec, !client);
            if (client && t[i].error) { /* the last frame's header is ours: unmask it */
                size_t k = in.n - (strchr(t[i].spec, '=')
                                       ? strlen(strchr(t[i].spec, '=') + 1) / 2
                                       : 0);
                in.p[k + 1] = (char)(in.p[k + 1] & 127);
            } else if (t[i].error)
                buf_add(&in, "key!", 4);
            before = w.h.now;
            side_feed(&s, in.p, in.n);
            CHECK_INT(s.error, t[i].error);
            if (t[i].error)
                CHECK_INT(side_sent(&s, NULL).close_code, error_tell(t[i].error));
            CHECK(w.h.peak < before + 6000);
            buf_free(&in);
            side_over(&s);
        }
    }
}

TEST(max_frame)
{
    int client, how;
    size_t n;

    fill_once();
    for (client = 0; client < 2; client++)
        for (how = 0; how < 3; how++)
            for (n = 99; n < 102; n++) {
                world w;
                side s;
                ws_config cfg = world_fresh(&w);

                cfg.max_frame = 100;
                cfg.frames = how == 1;
                cfg.parts_over = how == 2 ? 50 : 0;
                side_open(&s, &w, client, &cfg);
                side_frame(&s, 2, fill, 100);
                side_frame(&s, 0x89, fill, 125); /* control frames are not meant */
                side_frame(&s, 0, fill, 100);
                side_frame(&s, 0x80, fill, n);
                CHECK_INT(s.error, n > 100 ? WS_ERR_FRAME_SIZE : 0);
                if (n > 100)
                    CHECK_INT(s.code, 1009);
                else
                    side_frame(&s, 0x82, fill, n);
                side_over(&s);
                world_init(&w);
                side_open(&s, &w, client, &cfg); /* a whole message in its one frame */
                side_frame(&s, 0x81, fill, n);
                CHECK_INT(s.error, n > 100 ? WS_ERR_FRAME_SIZE : 0);
                CHECK_INT(s.messages, n <= 100 && !how);
                side_over(&s);
                world_init(&w);
                side_open(&s, &w, client, &cfg); /* announced only: nothing is taken */
                {
                    size_t have = w.h.now;
                    static const uint8_t big[14] = { 0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0 };
                    uint8_t head[14];
                    memcpy(head, big, 14);
                    if (!client)
                        head[1] |= 128;
                    side_feed(&s, head, client ? 10 : 14);
                    CHECK_INT(s.error, WS_ERR_FRAME_SIZE);
                    CHECK(w.h.peak < have + 2000);
                }
                side_over(&s);
            }
}

/* ==== larger than memory ============================================================ */

typedef struct flow { uint64_t bytes; long firsts, lasts, wholes; int bad; } flow;

static void flow_event(side *s, const ws_event *ev)
{
    flow *f = (flow *)s->user;
    const char *p = (const char *)ev->data;

    if (ev->type == WS_EV_MESSAGE) f->wholes++;
    if (ev->type != WS_EV_PART) return;
    f->firsts += ev->first;
    f->lasts += ev->last;
    if (ev->size && (p[0] != (char)(f->bytes & 127) ||
                     p[ev->size - 1] != (char)((f->bytes + ev->size - 1) & 127)))
        f->bad = 1;
    f->bytes += ev->size;
}

/* Feeds total bytes in frames of frame bytes, at most 4096 at a time. Returns the
   heap's peak over what it was. */
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
    before = heap_mark(&w->h);
    while (at < total && !s.closes) {
        uint64_t left = total - at < frame ? total - at : frame, in = 0;
        ws_frame h;
        memset(&h, 0, sizeof h);
        h.fin = at + left == total;
        h.op = at ? 0 : 2;
        h.size = left;
        h.masked = !client;
        memcpy(h.key, key, 4);
        while (in < left || !in) {
            size_t k = in ? 0 : (size_t)ws_frame_encode(&h, piece),
                   m = left - in < 4096 ? (size_t)(left - in) : 4096, i;
            for (i = 0; i < m; i++) piece[k + i] = (uint8_t)((at + in + i) & 127);
            if (!client) ws_mask(piece + k, piece + k, m, key, (size_t)in);
            CHECK_INT(side_feed(&s, piece, k + m), k + m);
            in += m;
            if (s.closes || !left) break;
        }
        at += left;
    }
    CHECK_INT(s.closes, 0);
    CHECK_INT(f.bytes, total);
    CHECK(f.firsts == 1 && f.lasts == 1 && !f.wholes && !f.bad);
    side_frame(&s, 0x81, "after", 5);
    CHECK(f.wholes + f.firsts == 2);
    side_over(&s);
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

    for (client = 0; client < 2; client++)
        for (i = 0; i < 4; i++)
            for (fixed = 0; fixed < 2; fixed++)
                for (by_frame = 0; by_frame < 2; by_frame++) {
                    world w;
                    ws_config cfg = world_fresh(&w);

                    cfg.max_message = WS_NO_LIMIT;
                    cfg.max_fragments = WS_NO_LIMIT;
                    if (by_frame)
                        cfg.frames = 1;
                    else
                        cfg.parts_over = fixed ? 100000 : 4096;
                    if (fixed) {
                        cfg.memory = block;
                        cfg.memory_size = WS_MEMORY_SIZE(1024, 512);
                        cfg.memory_send = 512;
                    }
                    if (by_frame && t[i].frame > (fixed ? 1024u : 100000u))
                        continue;
                    if (fixed && t[i].total > 10u << 20)
                        cfg.parts_over = 500;
                    peak = stream(client, &cfg, &w, t[i].total, t[i].frame);
                    CHECK(fixed ? peak == 0 : by_frame || peak < 16384);
                    if (!by_frame && peak > most)
                        most = peak;
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
        ws_config cfg = world_fresh(&w);

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
        side_over(&s);
    }
}

/* ==== from a source ================================================================= */

typedef struct source {
    side *s;
    size_t size, at;            /* SIZE_MAX: endless */
    size_t step;                /* bytes per call, 0: as many as fit */
    long calls, ends;
    long wait_at, error_at;     /* these calls give WANT, ERROR; 0: none */
    int wait_with, over;        /* over: returns more than was asked for */
    size_t most_waiting;        /* greatest ws_buffered when called */
} source;

static ptrdiff_t source_read(void *user, void *to, size_t n)
{
    source *q = (source *)user;
    size_t k = q->size - q->at;

    q->calls++;
    CHECK(!q->ends);                                /* never again after its end */
    CHECK(n > 0 && n <= 4096);
    if (q->s && ws_buffered(q->s->c) > q->most_waiting)
        q->most_waiting = ws_buffered(q->s->c);
    if (q->calls == q->wait_at) return q->wait_with;
    if (q->calls == q->error_at) {
        q->ends = 1;
        return q->over ? (ptrdiff_t)n + 1 : (ptrdiff_t)WS_IO_ERROR;
    }
    if (k > n) k = n;
    if (q->step && k > q->step) k = q->step;
    if (!k) { q->ends = 1; return 0; }
    memcpy(to, fill + q->at % 23, k);
    q->at += k;
    return (ptrdiff_t)k;
}

static void source_init(source *q, side *s, size_t size, size_t step)
{
    memset(q, 0, sizeof *q);
    q->s = s;
    q->size = size;
    q->step = step;
    q->wait_with = WS_IO_WANT_READ;
}

/* every size and step, waiting at every call, failing at every call, twice on a
   connection */
TEST(send_from)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 7, 4095, 4096, 4097, 9000 };
    int client, kind;
    size_t i, step;
    long at;

    fill_once();
    for (client = 0; client < 2; client++)
        for (i = 0; i < 9; i++)
            for (step = 0; step < 4; step++)
                for (kind = 0; kind < 4; kind++)
                    for (at = 1; at < 12; at++) {
                        world w;
                        side s;
                        source q;
                        buf want = { 0 };
                        size_t most;

                        if (step && sizes[i] > 100)
                            continue;
                        side_plain(&s, &w, client);
                        source_init(&q, &s, sizes[i], step);
                        if (kind < 2)
                            q.wait_at = at;
                        else
                            q.error_at = at;
                        q.wait_with = kind == 1 ? WS_IO_WANT_WRITE : WS_IO_WANT_READ;
                        q.over = kind == 3;
                        CHECK_INT(ws_send_from(s.c, WS_OP_TEXT, source_read, &q), 0);
                        CHECK_INT(ws_send_text(s.c, "x"),
                                  WS_ERR_BUSY); /* at once, not from the first piece on */
                        side_pull(&s);
                        if (kind < 2 && q.calls == at && !q.ends) {
                            long calls = q.calls;
                            CHECK_INT(ws_send_text(s.c, "x"), WS_ERR_BUSY);
                            CHECK_INT(ws_send_part(s.c, WS_OP_TEXT, "x", 1, 0),
                                      WS_ERR_BUSY);
                            CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, source_read, &q),
                                      WS_ERR_BUSY);
                            CHECK_INT(ws_send_from(s.c, WS_OP_TEXT, source_read, &s),
                                      WS_ERR_BUSY);
                            ws_ping(s.c, "mid", 3);
                            side_pull(&s);
                            CHECK_INT(q.calls, calls); /* not asked again by itself */
                            CHECK_INT(ws_send_from(s.c, WS_OP_TEXT, source_read, &q), 0);
                            side_pull(&s);
                        }
                        CHECK(q.most_waiting == 0); /* pulled only when all is out */
                        if (kind < 2) {
                            size_t k;
                            CHECK_INT(ws_send_text(s.c, "next"), 0);
                            side_pull(&s);
                            if (q.calls >= at && q.wait_at)
                                buf_str(&want, "c9:mid ");
                            buf_str(&want, "m1:");
                            for (k = 0; k < sizes[i];) {
                                size_t m = sizes[i] - k < 4096 ? sizes[i] - k : 4096;
                                if (step && m > step)
                                    m = step;
                                buf_add(&want, fill + k % 23, m);
                                k += m;
                            }
                            buf_str(&want, " m1:next ");
                            CHECK_JOINED(&s, &want, &most);
                            CHECK(most <= 4096);
                            source_init(&q, &s, 5, 2);
                            CHECK_INT(ws_send_from(s.c, WS_OP_TEXT, source_read, &q), 0);
                            side_pull(&s);
                            CHECK_INT(q.ends, 1);
                        } else if (q.calls >= at) {
                            CHECK_INT(side_sent(&s, NULL).close_code, 1011);
                            join_frames(&s, &want, NULL);
                            CHECK(!strstr(buf_c(&want),
                                          "m1:")); /* no end of message before Close */
                            buf_free(&want);
                            CHECK_INT(ws_error(s.c), WS_ERR_SOURCE);
                            CHECK_INT(s.closes, 1);
                            CHECK_INT(s.code, 1011);
                            CHECK_INT(ws_send_from(s.c, WS_OP_TEXT, source_read, &q),
                                      WS_ERR_STATE);
                        }
                        side_over(&s);
                        if (test_faults > 10)
                            return;
                    }
}

/* the connection ends meanwhile, from either side: the source is not called again */
TEST(send_from_closed)
{
    int client, how, waits;

    fill_once();
    for (client = 0; client < 2; client++)
        for (how = 0; how < 5; how++)
            for (waits = 0; waits < 2; waits++) {
                world w;
                side s;
                source q;
                long calls;

                side_plain(&s, &w, client);
                source_init(&q, &s, (size_t)-1, 0);
                s.hold = 1;
                if (waits)
                    q.wait_at = 2;
                ws_send_from(s.c, WS_OP_BINARY, source_read, &q);
                {
                    size_t n;
                    ws_output(s.c, &n);
                    CHECK(n > 0);
                    ws_output_done(s.c, n);
                    ws_output(s.c, &n);
                    s.out.n = s.head;
                }
                calls = q.calls;
                CHECK_INT(calls, 2);
                s.hold = 0;
                switch (how) {
                case 0: CHECK_INT(ws_close(s.c, 1000, ""), 0); break;
                case 1: ws_drop(s.c); break;
                case 2:
                    s.hold = 1;
                    side_frame(&s, 0x88, "\x03\xe8", 2);
                    s.hold = 0;
                    break;
                case 3:
                    s.hold = 1;
                    side_frame(&s, 0x83, "", 0);
                    s.hold = 0;
                    break;
                default:
                    s.hold = 1;
                    side_end(&s);
                    s.hold = 0;
                    break;
                }
                side_pull(&s);
                CHECK_INT(q.calls, calls);
                CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, source_read, &q), WS_ERR_STATE);
                side_pull(&s);
                if (how == 0)
                    side_frame(&s, 0x88, "\x03\xe8", 2);
                CHECK_INT(s.closes, 1);
                CHECK_INT(q.calls, calls);
                side_over(&s);
            }
}

/* an endless source and a reader that stops: one frame is held, and nothing more is
   asked for */
TEST(send_from_endless)
{
    int client, i;

    fill_once();
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        source q;
        size_t before;

        side_plain(&s, &w, client);
        source_init(&q, &s, (size_t)-1, 0);
        before = w.h.now;
        s.hold = 1;
        CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, source_read, &q), 0);
        for (i = 0; i < 10000; i++) {
            size_t n;
            ws_output(s.c, &n);
            CHECK(n > 0 && n <= 4096 + 14);
            if (i % 3) ws_output_done(s.c, i % 3 == 1 ? n / 2 : n);
            side_next(&s);
        }
        CHECK(q.calls > 1000 && q.calls < 10000);
        CHECK(q.most_waiting == 0);
        CHECK(w.h.peak < before + 8192);
        {
            long calls = q.calls;
            for (i = 0; i < 1000; i++) {
                size_t n;
                ws_output(s.c, &n);
                side_next(&s);
                side_time(&s, 1);
            }
            CHECK(q.calls <= calls + 1);
        }
        side_over(&s);
    }
}

TEST(send_from_memory)
{
    static uint64_t block[WS_MEMORY_SIZE(1000, 8000) / 8 + 1];
    world w;
    side s;
    source q;
    ws_config cfg;
    long n;

    fill_once();
    for (n = 1; n < 6; n++) {
        int r;
        side_plain(&s, &w, 0);
        source_init(&q, &s, 9000, 0);
        w.h.fail_at = w.h.calls + n;
        r = ws_send_from(s.c, WS_OP_BINARY, source_read, &q);
        CHECK_INT(r, n == 1 ? WS_ERR_MEMORY : 0);
        side_pull(&s);
        if (n == 1) CHECK_INT(q.calls, 0);
        if (!s.closes && n > 1) CHECK_INT(q.ends, 1);
        if (s.closes) CHECK_INT(s.error, WS_ERR_MEMORY);
        side_over(&s);
    }
    cfg = world_fresh(&w); /* no allocator: said so, and nothing begun */
    cfg.memory = block;
    cfg.memory_size = sizeof block;
    side_open(&s, &w, 0, &cfg);
    CHECK_INT(ws_send_from(s.c, WS_OP_BINARY, source_read, &q), WS_ERR_MEMORY);
    CHECK_INT(ws_send_text(s.c, "x"), 0);
    side_pull(&s);
    side_over(&s);
}

/* a message that flows is a message: no idle end while parts come or go */
TEST(parts_are_not_idle)
{
    int client, way, i;

    fill_once();
    for (client = 0; client < 2; client++) for (way = 0; way < 3; way++) {
        world w;
        side s;
        source q;
        ws_config cfg = world_fresh(&w);

        cfg.idle_timeout = 1000;
        cfg.ping_interval = WS_NEVER;
        cfg.parts_over = 10;
        side_open(&s, &w, client, &cfg);
        source_init(&q, &s, (size_t)-1, 1);
        for (i = 0; i < 20; i++) {
            if (way == 0) side_frame(&s, i ? 0 : 2, fill, 100);
            if (way == 1) CHECK_INT(ws_send_part(s.c, 2, "x", 1, 0), 0);
            if (way == 2) {
                q.wait_at = q.calls + 2;
                CHECK_INT(ws_send_from(s.c, 2, source_read, &q), 0);
            }
            side_pull(&s);
            side_time(&s, 700);
        }
        CHECK_INT(s.closes, 0);
        side_time(&s, 400);
        CHECK_INT(ws_error(s.c), WS_ERR_IDLE_TIMEOUT);
        side_over(&s);
    }
}

/* ==== completion ==================================================================== */

TEST(completion)
{
    int client;

    fill_once();
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        source q;
        ws_config cfg = world_fresh(&w);
        size_t n;

        cfg.max_backlog = 4000;
        side_open(&s, &w, client, &cfg);
        side_pull(&s);
        CHECK_INT(s.writables, 0);
        ws_want_writable(s.c); /* nothing waits: at once, also said by the clock */
        CHECK_INT(ws_timeout(s.c), 0);
        side_pull(&s);
        CHECK_INT(s.writables, 1);
        CHECK(ws_timeout(s.c) != 0);
        side_pull(&s);
        CHECK_INT(s.writables, 1);

        s.hold = 1; /* to the last byte, once, however often asked */
        ws_send(s.c, 2, fill, 1000);
        ws_want_writable(s.c);
        ws_send(s.c, 2, fill, 1000);
        ws_want_writable(s.c);
        while (ws_output(s.c, &n), n > 1) {
            ws_output_done(s.c, 1);
            while (side_next(&s)) { }
            CHECK_INT(s.writables, 1);
        }
        ws_output_done(s.c, 1);
        while (side_next(&s)) { }
        CHECK_INT(s.writables, 2);
        while (side_next(&s)) { }
        CHECK_INT(s.writables, 2);

        /* refused and asked: one event, at the later of the two */
        while (!ws_send(s.c, 2, fill, 500)) { }
        CHECK_INT(ws_send(s.c, 2, fill, 1500), WS_ERR_BACKLOG);
        ws_want_writable(s.c);
        while (ws_output(s.c, &n), ws_buffered(s.c) > 100) {
            ws_output_done(s.c, n < 100 ? n : 100);
            while (side_next(&s)) { }
            CHECK_INT(s.writables, 2);
        }
        ws_output_done(s.c, n);
        while (side_next(&s)) { }
        CHECK_INT(s.writables, 3);

        /* refused only: when a quarter is left */
        while (!ws_send(s.c, 2, fill, 500)) { }
        while (ws_buffered(s.c) > 1000) {
            while (side_next(&s)) { }
            CHECK_INT(s.writables, 3);
            ws_output(s.c, &n);
            ws_output_done(s.c, n < 100 ? n : 100);
        }
        while (side_next(&s)) { }
        CHECK_INT(s.writables, 4);
        side_release(&s);

        /* a source belongs to what waits, also while it has nothing */
        source_init(&q, &s, 30000, 0);
        q.wait_at = 3;
        s.writables = 0;
        ws_send_from(s.c, 2, source_read, &q);
        ws_want_writable(s.c);
        side_pull(&s);
        CHECK_INT(q.calls, 3);
        CHECK_INT(ws_buffered(s.c), 0);
        CHECK(ws_timeout(s.c) != 0);
        CHECK_INT(s.writables, 0);
        ws_send_from(s.c, 2, source_read, &q);
        side_pull(&s);
        CHECK_INT(q.ends, 1);
        CHECK_INT(s.writables, 1);

        /* not after the end */
        ws_send(s.c, 2, fill, 10);
        ws_want_writable(s.c);
        ws_drop(s.c);
        side_pull(&s);
        CHECK_INT(s.writables, 1);
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
}

/* asked before OPEN: comes after it, when what was queued is out */
TEST(completion_before_open)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);

    side_new(&s, &w, 1, &cfg);
    ws_send_text(s.c, "early");
    ws_want_writable(s.c);
    side_pull(&s);
    CHECK_INT(s.writables, 0);
    CHECK(ws_timeout(s.c) != 0);
    side_answer(&s, NULL);
    CHECK_INT(s.writables, 1);
    CHECK_EVENTS(&s, "O W ");
    side_over(&s);
}

/* ==== control by hand =============================================================== */

/* ==== dropping ====================================================================== */

/* closing: our Close frame waits, and can still be written. */
static void drop_now(side *s, int code, int clean, int error, int closing)
{
    size_t before, n, said = closing ? ws_buffered(s->c) : 0;

    CHECK(!closing || said);
    ws_drop(s->c);
    CHECK_INT(ws_state(s->c), WS_STATE_CLOSED);
    CHECK_INT(ws_finished(s->c), said == 0);
    ws_output(s->c, &n);
    CHECK_INT(n, said);
    before = s->out.n + said;
    CHECK_INT(ws_send_text(s->c, "x"), WS_ERR_STATE);
    CHECK_INT(ws_send_part(s->c, 1, "x", 1, 1), WS_ERR_STATE);
    CHECK_INT(ws_ping(s->c, NULL, 0), WS_ERR_STATE);
    CHECK_INT(ws_close(s->c, 1000, NULL), WS_ERR_STATE);
    side_release(s);
    CHECK_INT(s->closes, 1);
    CHECK_INT(s->code, code);
    CHECK_INT(s->clean, clean);
    CHECK_INT(s->error, error);
    CHECK_INT(s->out.n, before);
    ws_drop(s->c);
    side_feed(s, "more", 4);
    side_time(s, 100000); /* one CLOSE: side_next faults a second */
    CHECK_INT(s->out.n, before);
    side_over(s);
}

/* ==== small facts =================================================================== */

TEST(pausing)
{
    world w;
    side s;

    world_init(&w);
    CHECK_INT(ws_is_paused(NULL), 0);
    side_open(&s, &w, 0, NULL);
    CHECK_INT(ws_is_paused(s.c), 0);
    ws_pause(s.c);
    ws_pause(s.c);
    CHECK_INT(ws_is_paused(s.c), 1);
    ws_resume(s.c);
    CHECK_INT(ws_is_paused(s.c), 0);
    side_over(&s);
}

TEST(drop)
{
    int client, where;

    fill_once();
    for (client = 0; client < 2; client++) for (where = 0; where < 13; where++) {
        world w;
        side s;
        source q;
        ws_config cfg = world_fresh(&w);

        cfg.parts_over = 10;
        if (where < 3) {
            side_new(&s, &w, client, &cfg);
            if (where) side_pull(&s);
            if (where == 2) side_feed(&s, client ? "HTTP/1.1 1" : "GET / HTTP", 10);
            drop_now(&s, 1006, 0, 0, 0);
            continue;
        }
        side_open(&s, &w, client, &cfg);
        s.hold = 1;
        switch (where) {
        case 3: drop_now(&s, 1006, 0, 0, 0); continue;
        case 4: ws_send(s.c, 2, fill, 9000); drop_now(&s, 1006, 0, 0, 0); continue;
        case 5: side_frame(&s, 1, fill, 300); drop_now(&s, 1006, 0, 0, 0); continue;
        case 6: ws_send_part(s.c, 2, fill, 9, 0); drop_now(&s, 1006, 0, 0, 0); continue;
        case 7: source_init(&q, &s, (size_t)-1, 0); ws_send_from(s.c, 2, source_read, &q);
                drop_now(&s, 1006, 0, 0, 0); CHECK_INT(q.calls, 0); continue;
        case 8: ws_close(s.c, 1000, "bye"); drop_now(&s, 1006, 0, 0, 1); continue;
        case 9:
            s.hold = 0;
            ws_close(s.c, 1000, "bye");
            side_pull(&s);
            drop_now(&s, 1006, 0, 0, 0);
            continue;
        case 10:
            side_frame(&s, 0x88, "\x03\xe9", 2);
            drop_now(&s, 1001, 1, 0, 1);
            continue; /* ours waits */
        case 11:
            ws_pause(s.c);
            side_frame(&s, 0x81, "x", 1);
            drop_now(&s, 1006, 0, 0, 0);
            continue;
        default:
            side_frame(&s, 0x83, "", 0);
            drop_now(&s, 1006, 0, WS_ERR_OPCODE, 1);
            continue;
        }
    }
    { /* while a plain request waits for its answer */
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        side_new(&s, &w, 0, &cfg);
        s.hold = 1;
        ws_feed(s.c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
        CHECK_INT(side_next(&s), 1);
        CHECK_INT(s.https, 1);
        drop_now(&s, 1006, 0, 0, 0);
    }
}

/* other messages are refused while one is being sent in parts, pings pass */
TEST(busy_while_parts_are_sent)
{
    world w;
    side s;

    side_plain(&s, &w, 1);
    CHECK_INT(ws_send_part(s.c, WS_OP_BINARY, "ab", 2, 0), 0);
    CHECK_INT(ws_send_text(s.c, "no"), WS_ERR_BUSY);
    CHECK_INT(ws_ping(s.c, "p", 1), 0);
    CHECK_INT(ws_send_part(s.c, WS_OP_BINARY, "cd", 2, 1), 0);
    CHECK_INT(ws_send_text(s.c, "yes"), 0);
    side_pull(&s);
    CHECK_SENT(&s, "02'ab' 89'p' 80'cd' 81'yes' ");
    side_say(&s, "8a'p'");
    CHECK_EVENTS(&s, "O q'p' ");
    side_over(&s);
}

#ifndef _WIN32

/* ==== the same through sockets ====================================================== */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

typedef struct hub {
    ws_loop *l;
    world w;
    int port;
    long opens, closes;
    ws_conn *last;              /* opened last */
    void (*event)(struct hub *h, const ws_event *ev);
    void *user;
} hub;

static void hub_open(hub *h, ws_config *cfg, void (*event)(hub *h, const ws_event *ev))
{
    ws_config own;
    int n;

    memset(h, 0, sizeof *h);
    world_init(&h->w);
    memset(&own, 0, sizeof own);
    own.alloc = heap_alloc;
    own.alloc_user = &h->w.h;
    h->l = ws_loop_new(&own);
    h->event = event;
    CHECK(h->l != NULL);
    n = ws_listen(h->l, "127.0.0.1:0", cfg);
    CHECK(n >= 0);
    h->port = ws_listen_port(h->l, n);
}

static void hub_free(hub *h)
{
    ws_loop_free(h->l);
    CHECK_INT(h->w.h.live, 0);
}

/* Handles events until none came for ms. */
static void hub_run(hub *h, int ms)
{
    ws_event ev;

    while (ws_poll(h->l, &ev, ms) > 0) {
        if (ev.type == WS_EV_OPEN) { h->opens++; h->last = ev.conn; }
        if (ev.type == WS_EV_CLOSE) h->closes++;
        if (h->event) h->event(h, &ev);
    }
}

/* An open WebSocket whose client end is ours, byte by byte. */
static int raw_open(hub *h)
{
    char head[1024];
    int fd = loopback_connect(h->port), n = 0, i;
    long opened = h->opens;

    CHECK_INT(write(fd, REQUEST, sizeof REQUEST - 1), sizeof REQUEST - 1);
    for (i = 0; i < 200 && h->opens == opened; i++) hub_run(h, 5);
    while (n < (int)sizeof head - 1 && read(fd, head + n, 1) == 1) {
        head[++n] = 0;
        if (strstr(head, "\r\n\r\n")) break;
    }
    CHECK(strstr(head, " 101 ") != NULL);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

/* Takes what is there. Returns 1 at the end. */
static int raw_read(int fd, buf *to)
{
    static char t[65536];
    ssize_t n;

    while ((n = read(fd, t, sizeof t)) > 0) buf_add(to, t, (size_t)n);
    return n == 0;
}

/* Writes all of it while the hub goes on, and takes the answers. */
static void raw_write(hub *h, int fd, const void *data, size_t n, buf *to)
{
    size_t at = 0;

    while (at < n) {
        ssize_t k = write(fd, (const char *)data + at, n - at);
        if (k > 0) at += (size_t)k;
        else if (errno != EAGAIN && errno != EWOULDBLOCK) { CHECK(!"write"); return; }
        hub_run(h, 0);
        if (to) raw_read(fd, to);
    }
}

/* Runs until the end of what comes, which our Close must bring. */
static void raw_until_end(hub *h, int fd, buf *to)
{
    buf b = { 0 };
    int i;

    put_close(&b, 1, 1000, "");
    CHECK_INT(write(fd, b.p, b.n), b.n);
    for (i = 0; i < 3000 && !raw_read(fd, to); i++) hub_run(h, 1);
    CHECK(i < 3000 && to->n >= 4 && !memcmp(to->p + to->n - 4, "\x88\x02\x03\xe8", 4));
    if (to->n >= 4) to->n -= 4;
    buf_free(&b);
}

/* ---- in the cork: pieces like one ---- */

static void pieces_event(hub *h, const ws_event *ev)
{
    static long turn;
    const char *p = (const char *)ev->data;
    size_t n = ev->size;
    ws_str v[4];

    (void)h;
    if (ev->type != WS_EV_MESSAGE) return;
    v[0].data = p;         v[0].size = n / 5;
    v[1].data = p + n / 5; v[1].size = n / 2 - n / 5;
    v[2].data = NULL;      v[2].size = 0;
    v[3].data = p + n / 2; v[3].size = n - n / 2;
    CHECK_INT(turn++ & 1 ? ws_sendv(ev->conn, ev->op, v, 4)
                         : ws_send(ev->conn, ev->op, p, n),
              0);
}

TEST(loop_sendv)
{
    static const size_t sizes[] = { 0,    1,     125,   126,   2047,  2048,
                                    5000, 20000, 65535, 65536, 100000 };
    uint32_t fragment;

    fill_once();
    for (fragment = 0; fragment < 3000; fragment += 1500) {
        hub h;
        ws_config cfg;
        buf in = { 0 }, want = { 0 }, got = { 0 };
        size_t i;
        int fd, k;

        memset(&cfg, 0, sizeof cfg);
        cfg.fragment = fragment;
        hub_open(&h, &cfg, pieces_event);
        fd = raw_open(&h);
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++) for (k = 0; k < 2; k++) {
            size_t at = 0, n = sizes[i];
            put_frame(&in, 0x82, 1, fill, n, 0);
            do {
                size_t m = fragment && n - at > fragment ? fragment : n - at;
                put_frame(&want, (at ? 0 : 2) | (at + m == n ? 128 : 0), 0, fill + at, m,
                          0);
                at += m;
            } while (at < n);
        }
        raw_write(&h, fd, in.p, in.n, &got);
        raw_until_end(&h, fd, &got);
        CHECK(buf_is(&got, &want));
        close(fd);
        hub_run(&h, 20);
        CHECK_INT(h.closes, 1);
        hub_free(&h);
        buf_free(&in); buf_free(&want); buf_free(&got);
    }
}

/* cut messages behind many whole ones, to a reader that lets the socket fill: order is
   kept */
TEST(loop_cut_order)
{
    hub h;
    ws_config cfg;
    buf in = { 0 }, want = { 0 }, got = { 0 };
    size_t i, at;
    int fd, small = 20000;

    fill_once();
    memset(&cfg, 0, sizeof cfg);
    cfg.fragment = 1500;
    cfg.max_backlog = 20000;
    hub_open(&h, &cfg, pieces_event);
    fd = raw_open(&h);
    CHECK(!setsockopt(ws_fd(h.last), SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    for (i = 0; i < 2000; i++) {
        size_t n = i % 10 ? 1400 : 4000, m;
        put_frame(&in, 0x82, 1, fill + i, n, 0);
        for (at = 0; at < n; at += m) {
            m = n - at > 1500 ? 1500 : n - at;
            put_frame(&want, (at ? 0 : 2) | (at + m == n ? 128 : 0), 0, fill + i + at, m,
                      0);
        }
    }
    for (at = 0; at < in.n;) {
        ssize_t k = write(fd, in.p + at, in.n - at);
        if (k > 0) at += (size_t)k;
        hub_run(&h, 0);
        if (k <= 0) raw_read(fd, &got);
    }
    raw_until_end(&h, fd, &got);
    CHECK(buf_is(&got, &want));
    close(fd);
    hub_free(&h);
    buf_free(&in); buf_free(&want); buf_free(&got);
}

/* ---- bytes lent to the cork stay what they were ---- */

static void echo_event(hub *h, const ws_event *ev)
{
    int *pause = (int *)h->user;

    if (ev->type == WS_EV_MESSAGE)
        CHECK_INT(ws_send(ev->conn, ev->op, ev->data, ev->size), 0);
    if (ev->type == WS_EV_PART)
        CHECK_INT(ws_send_part(ev->conn, ev->op, ev->data, ev->size, ev->last), 0);
    if (pause && *pause && ev->type == WS_EV_MESSAGE && ev->size == 1) {
        ws_pause(ev->conn);
        *pause = 0;
    }
}

/* Payloads of the messages in a stream of frames of a server, one behind the other. */
static void payloads(const buf *stream, buf *all)
{
    size_t at = 0;
    frames f;

    CHECK_INT(check_frames(stream->p, stream->n, 0, &f, NULL), stream->n);
    while (at + 2 <= stream->n) {
        const uint8_t *p = (const uint8_t *)stream->p + at;
        size_t len = p[1] & 127, k = 2;
        if (len == 126) { len = (size_t)p[2] << 8 | p[3]; k = 4; }
        else if (len == 127) for (len = 0, k = 2; k < 10; k++) len = len << 8 | p[k];
        if (at + k + len > stream->n) break;
        buf_add(all, p + k, len);
        if (p[0] & 128) buf_byte(all, '\n');
        at += k + len;
    }
}

/* a whole message that waited in the connection's own buffer, behind it one in
   fragments that is put together over its place */
TEST(loop_lent_bytes)
{
    static const size_t sizes[] = { 1, 2047, 2048, 4096, 5000, 10000, 16000, 20000 };
    size_t i, b;
    int mode, paused;

    fill_once();
    for (mode = 0; mode < 3; mode++) for (paused = 0; paused < 2; paused++)
    for (i = 0; i < 8; i++) for (b = 0; b < 8; b++) {
        hub h;
        ws_config cfg;
        buf in = { 0 }, want = { 0 }, got = { 0 }, all = { 0 };
        int fd, pause = paused;

        memset(&cfg, 0, sizeof cfg);
        cfg.frames = mode == 1;
        cfg.parts_over = mode == 2 ? 3000 : 0;
        hub_open(&h, &cfg, echo_event);
        fd = raw_open(&h);
        h.user = &pause;
        put_frame(&in, 0x82, 1, "!", 1, 0);
        put_frame(&in, 0x82, 1, fill, sizes[i], 0);
        put_frame(&in, 0x02, 1, fill + 7, sizes[b], 0);
        put_frame(&in, 0x80, 1, fill + 11, sizes[b], 0);
        put_frame(&in, 0x82, 1, fill + 3, sizes[i], 0);
        buf_str(&want, "!\n");
        buf_add(&want, fill, sizes[i]); buf_byte(&want, '\n');
        buf_add(&want, fill + 7, sizes[b]);
        buf_add(&want, fill + 11, sizes[b]);
        buf_byte(&want, '\n');
        buf_add(&want, fill + 3, sizes[i]); buf_byte(&want, '\n');
        raw_write(&h, fd, in.p, in.n, &got);
        hub_run(&h, 0);
        CHECK_INT(ws_is_paused(h.last), paused && mode != 1);
        ws_resume(h.last);
        raw_until_end(&h, fd, &got);
        payloads(&got, &all);
        CHECK(buf_is(&all, &want));
        close(fd);
        hub_free(&h);
        buf_free(&in); buf_free(&want); buf_free(&got); buf_free(&all);
        if (test_faults > 5) return;
    }
}

/* ---- much more than memory ---- */

typedef struct sum { uint64_t bytes, hash; long firsts, lasts, wholes; } sum;

static void sum_add(sum *s, const ws_event *ev)
{
    const uint8_t *p = (const uint8_t *)ev->data;

    if (ev->type == WS_EV_MESSAGE) s->wholes++;
    if (ev->type != WS_EV_PART) return;
    if (ev->size) { /* the first and last byte of every piece tell that it fits */
        CHECK_INT(p[0], (uint8_t)fill_at((size_t)(s->bytes % (23 * 4096))));
        CHECK_INT(p[ev->size - 1],
                  (uint8_t)fill_at((size_t)((s->bytes + ev->size - 1) % (23 * 4096))));
    }
    s->bytes += ev->size;
    s->firsts += ev->first;
    s->lasts += ev->last;
}

static void sum_event(hub *h, const ws_event *ev) { sum_add((sum *)h->user, ev); }

#define LARGE ((size_t)64 << 20)
#define PERIOD ((size_t)23 * 4096)

TEST(loop_large_in_parts)
{
    hub h;
    ws_config cfg;
    buf in = { 0 }, got = { 0 };
    uint8_t head[14];
    ws_frame f;
    char *piece;
    int fd;
    size_t at, before;
    sum s;

    fill_once();
    memset(&cfg, 0, sizeof cfg);
    memset(&s, 0, sizeof s);
    cfg.parts_over = 65536;
    cfg.max_message = WS_NO_LIMIT;
    hub_open(&h, &cfg, sum_event);
    h.user = &s;
    fd = raw_open(&h);
    before = heap_mark(&h.w.h);
    memset(&f, 0, sizeof f);
    f.fin = 1; f.op = 2; f.masked = 1; f.size = LARGE;
    memcpy(f.key, "\1\2\3\4", 4);
    raw_write(&h, fd, head, (size_t)ws_frame_encode(&f, head), NULL);
    piece = (char *)malloc(PERIOD);
    ws_mask(piece, fill, PERIOD, f.key, 0);         /* the period is a multiple of 4 */
    for (at = 0; at < LARGE; at += PERIOD)
        raw_write(&h, fd, piece, LARGE - at < PERIOD ? LARGE - at : PERIOD, NULL);
    put_frame(&in, 0x81, 1, "after", 5, 0);
    raw_write(&h, fd, in.p, in.n, NULL);
    hub_run(&h, 50);
    CHECK_INT(s.bytes, LARGE);
    CHECK(s.firsts == 1 && s.lasts == 1 && s.wholes == 1);
    CHECK(h.w.h.peak < before + 16384);
    printf("  loop: heap while 64 MiB came in parts: %lu bytes\n",
           (unsigned long)(h.w.h.peak - before));
    free(piece);
    close(fd);
    hub_run(&h, 20);
    hub_free(&h);
    buf_free(&in);
    buf_free(&got);
}

/* A server of one blocking connection: 101, then a message of LARGE bytes in one frame,
   then one in small frames, then Close. */
static void *large_server(void *arg)
{
    int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
    buf head = { 0 }, answer = { 0 };
    char c;
    uint8_t h[14];
    ws_frame f;
    size_t at;

    while (!head_size(&head) && read(fd, &c, 1) == 1) buf_byte(&head, c);
    put_answer(&answer, &head, NULL);
    memset(&f, 0, sizeof f);
    f.fin = 1; f.op = 2; f.size = LARGE;
    buf_add(&answer, h, (size_t)ws_frame_encode(&f, h));
    if (write(fd, answer.p, answer.n) != (ssize_t)answer.n) goto out;
    for (at = 0; at < LARGE;) {
        ssize_t n = write(fd, fill + at % PERIOD,
                          LARGE - at < PERIOD - at % PERIOD ? LARGE - at
                                                            : PERIOD - at % PERIOD);
        if (n <= 0) goto out;
        at += (size_t)n;
    }
    buf_clear(&answer);
    for (at = 0; at < 1000000; at += 1000)
        put_frame(&answer, (at ? 0 : 2) | (at + 1000 == 1000000 ? 128 : 0), 0,
                  fill + at % PERIOD, 1000, 0);
    put_close(&answer, 0, 1000, "");
    for (at = 0; at < answer.n;) {
        ssize_t n = write(fd, answer.p + at, answer.n - at);
        if (n <= 0) goto out;
        at += (size_t)n;
    }
    while (read(fd, &c, 1) == 1) { }
out:
    close(fd);
    buf_free(&head);
    buf_free(&answer);
    return NULL;
}

TEST(blocking_large_in_parts)
{
    world w;
    ws_config cfg;
    ws_conn *c;
    ws_event ev;
    pthread_t thread;
    char url[64];
    int port, listener = loopback_listen(&port);
    sum s[2];
    size_t before;
    int which = 0, code = 0;

    fill_once();
    memset(s, 0, sizeof s);
    cfg = world_fresh(&w);
    cfg.parts_over = 65536;
    cfg.max_message = WS_NO_LIMIT;
    CHECK(!pthread_create(&thread, NULL, large_server, &listener));
    sprintf(url, "ws://127.0.0.1:%d/", port);
    before = w.h.now;
    c = ws_connect(url, &cfg);
    while (ws_recv(c, &ev, 20000) > 0) {
        if (ev.type == WS_EV_PART) {
            sum_add(&s[which & 1], &ev);
            which += ev.last;
        }
        CHECK(ev.type != WS_EV_MESSAGE);
        if (ev.type == WS_EV_CLOSE) code = ev.code;
    }
    CHECK_INT(code, 1000);
    CHECK_INT(which, 2);
    CHECK_INT(s[0].bytes, LARGE);
    CHECK(s[1].bytes == 1000000 && s[1].firsts == 1);
    CHECK(w.h.peak < before + 3 * (65536 + 65536) +
                         8192); /* up to parts_over, and what is read ahead */
    printf("  blocking: heap while 64 MiB came in parts: %lu bytes\n",
           (unsigned long)(w.h.peak - before));
    ws_free(c);
    pthread_join(thread, NULL);
    close(listener);
    CHECK_INT(w.h.live, 0);
}

/* Both ends in one loop: the client sends from a source, the server takes parts and
   echoes them; memory stays flat on both sides. */
typedef struct relay {
    source q;
    sum back;
    ws_conn *client;
    uint64_t echoed;
    int busy;
} relay;

static void relay_event(hub *h, const ws_event *ev)
{
    relay *r = (relay *)h->user;

    if (ev->conn == r->client) {
        if (ev->type == WS_EV_OPEN) {
            CHECK_INT(ws_send_from(ev->conn, 2, source_read, &r->q), 0);
            ws_want_writable(ev->conn);
        }
        if (ev->type == WS_EV_WRITABLE) { CHECK(r->q.ends); r->busy++; }
        sum_add(&r->back, ev);
    } else if (ev->type == WS_EV_PART) {
        CHECK_INT(ws_send_part(ev->conn, ev->op, ev->data, ev->size, ev->last), 0);
        r->echoed += ev->size;
    }
}

TEST(loop_source_to_parts)
{
    hub h;
    relay r;
    ws_config cfg;
    char url[64];
    size_t before, total = (size_t)8 << 20;
    int i;

    fill_once();
    memset(&r, 0, sizeof r);
    memset(&cfg, 0, sizeof cfg);
    cfg.parts_over = 1000;
    cfg.max_message = cfg.max_fragments = WS_NO_LIMIT;
    hub_open(&h, &cfg, relay_event);
    h.user = &r;
    source_init(&r.q, NULL, total, 0);
    before = heap_mark(&h.w.h);
    sprintf(url, "ws://127.0.0.1:%d/", h.port);
    r.client = ws_dial(h.l, url, &cfg);
    for (i = 0; i < 2000 && !r.back.lasts; i++) hub_run(&h, 10);
    CHECK_INT(r.echoed, total);
    CHECK_INT(r.back.bytes, total);
    CHECK(r.back.firsts == 1 && r.back.lasts == 1);
    CHECK_INT(r.busy, 1);
    CHECK(h.w.h.peak < before + ((size_t)4 << 20));
    printf("  loop: heap while 8 MiB went from a source and back: %lu bytes\n",
           (unsigned long)(h.w.h.peak - before));
    hub_free(&h);
}

/* ---- sources in the loop ---- */

typedef struct sink { int fd; volatile int stop; volatile uint64_t bytes; } sink;

static void *sink_run(void *arg)
{
    sink *k = (sink *)arg;
    static char t[1 << 16];

    while (!k->stop) {
        struct pollfd p;
        ssize_t n;
        p.fd = k->fd;
        p.events = POLLIN;
        if (poll(&p, 1, 10) <= 0) continue;
        n = read(k->fd, t, sizeof t);
        if (n > 0) k->bytes += (uint64_t)n;
    }
    return NULL;
}

/* endless, to a reader as fast as it can, and the others have their turns */
TEST(loop_endless_is_fair)
{
    hub h;
    ws_config cfg;
    source q;
    sink k;
    pthread_t thread;
    int fd, i;
    uint64_t slowest = 0;

    fill_once();
    memset(&cfg, 0, sizeof cfg);
    memset(&k, 0, sizeof k);
    hub_open(&h, &cfg, echo_event);
    k.fd = raw_open(&h);
    source_init(&q, NULL, (size_t)-1, 0);
    CHECK(!pthread_create(&thread, NULL, sink_run, &k));
    CHECK_INT(ws_send_from(h.last, 2, source_read, &q), 0);
    fd = raw_open(&h);
    for (i = 0; i < 200 || (k.bytes <= 1000000 && i < 100000); i++) {
        buf in = { 0 }, got = { 0 };
        uint64_t start = ws_loop_now(h.l), took;
        put_frame(&in, 0x82, 1, fill, 10, 0);
        CHECK_INT(write(fd, in.p, in.n), in.n);
        while (got.n < 12 && ws_loop_now(h.l) < start + 5000) {
            hub_run(&h, 0);
            raw_read(fd, &got);
        }
        CHECK_INT(got.n, 12);
        took = ws_loop_now(h.l) - start;
        if (took > slowest) slowest = took;
        buf_free(&in);
        buf_free(&got);
    }
    CHECK(slowest < 2000);
    k.stop = 1;
    pthread_join(thread, NULL);
    CHECK(k.bytes > 1000000);
    close(k.fd);
    close(fd);
    hub_run(&h, 20);
    hub_free(&h);
}

/* a reader that stops: the source stops too, whoever else wakes the loop */
TEST(loop_endless_is_bounded)
{
    hub h;
    ws_config cfg;
    source q;
    int fd, i, small = 65536;
    size_t before;
    long calls = 0;

    fill_once();
    memset(&cfg, 0, sizeof cfg);
    hub_open(&h, &cfg, NULL);
    fd = raw_open(&h);
    CHECK(!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small,
                      sizeof small)); /* fixed, so that it fills */
    source_init(&q, NULL, (size_t)-1, 0);
    before = h.w.h.now;
    CHECK_INT(ws_send_from(h.last, 2, source_read, &q), 0);
    for (i = 0; i < 500; i++) {         /* pushed until the kernel takes nothing more */
        ws_want_writable(h.last);
        hub_run(&h, i % 100 ? 0 : 50);
        if (calls != q.calls) i = 0;
        calls = q.calls;
    }
    CHECK(calls > 10);
    for (i = 0; i < 300; i++) {
        ws_want_writable(h.last);
        ws_ping(h.last, "x", 1);
        hub_run(&h, 0);
    }
    CHECK_INT(q.calls, calls);
    CHECK(h.w.h.now < before + 32768);
    ws_drop(h.last);
    hub_run(&h, 20);
    CHECK_INT(h.closes, 1);
    CHECK_INT(q.calls, calls);
    close(fd);
    hub_free(&h);
}

static void fail_on_writable(hub *h, const ws_event *ev)
{
    if (ev->type == WS_EV_WRITABLE) ++*(int *)h->user;
}

/* asked for completion while it cannot come: the loop sleeps, and does not turn in
   circles */
TEST(loop_completion_waits)
{
    int how;

    fill_once();
    for (how = 0; how < 3; how++) {
        hub h;
        ws_config cfg;
        source q;
        int fd = -1, listener = -1, port, writable = 0;
        clock_t cpu;
        uint64_t start;

        memset(&cfg, 0, sizeof cfg);
        hub_open(&h, &cfg, fail_on_writable);
        h.user = &writable;
        source_init(&q, NULL, 5000, 0);
        q.wait_at = 2;
        if (how < 2) {              /* a source that has nothing now */
            fd = raw_open(&h);
            CHECK_INT(ws_send_from(h.last, 2, source_read, &q), 0);
            if (how) { ws_send_part(h.last, 2, "", 0, 1); hub_run(&h, 0); }
            ws_want_writable(h.last);
        } else {                    /* a handshake that is not answered */
            char url[64];
            listener = loopback_listen(&port);
            sprintf(url, "ws://127.0.0.1:%d/", port);
            h.last = ws_dial(h.l, url, &cfg);
            ws_send_text(h.last, "early");
            ws_want_writable(h.last);
        }
        cpu = clock();
        start = ws_loop_now(h.l);
        hub_run(&h, 300);
        CHECK(ws_loop_now(h.l) - start < 3000);
        CHECK((clock() - cpu) * 1000 / CLOCKS_PER_SEC < 150);
        CHECK_INT(writable, 0);
        if (how < 2) {
            CHECK_INT(ws_send_from(h.last, 2, source_read, &q), 0);
            hub_run(&h, 50);
            CHECK_INT(writable, 1);
            CHECK_INT(q.ends, 1);
            ws_want_writable(h.last);
            hub_run(&h, 50);
            CHECK_INT(writable, 2);
        }
        if (fd >= 0) close(fd);
        if (listener >= 0) close(listener);
        hub_free(&h);
    }
}

static void drop_event(hub *h, const ws_event *ev)
{
    if (ev->type == WS_EV_CLOSE) {
        CHECK_INT(ev->code, 1006);
        CHECK_INT(ev->clean, 0);
        CHECK_INT(ev->error, 0);
    }
    if (ev->type != WS_EV_MESSAGE) return;
    CHECK_INT(ws_send(ev->conn, 2, fill, 5000), 0);
    ws_drop(h->user ? (ws_conn *)h->user : ev->conn);       /* itself, or another */
    CHECK_INT(ws_send(h->user ? (ws_conn *)h->user : ev->conn, 2, fill, 50),
              WS_ERR_STATE);
}

TEST(loop_drop)
{
    int other;

    fill_once();
    for (other = 0; other < 2; other++) {
        hub h;
        ws_config cfg;
        buf in = { 0 }, got = { 0 };
        int a, b, i;

        memset(&cfg, 0, sizeof cfg);
        hub_open(&h, &cfg, drop_event);
        a = raw_open(&h);
        if (other) h.user = h.last;
        b = other ? raw_open(&h) : a;
        for (i = 0; i < 3; i++) put_frame(&in, 0x82, 1, "x", 1, 0);
        CHECK_INT(write(b, in.p, other ? in.n / 3 : in.n), other ? in.n / 3 : in.n);
        hub_run(&h, 30);
        CHECK_INT(h.closes, 1);
        raw_read(a, &got);
        CHECK_INT(got.n, 0);
        close(a);
        if (other) close(b);
        h.event = NULL;
        hub_run(&h, 20);
        CHECK_INT(h.closes, other ? 2 : 1);
        hub_free(&h);
        buf_free(&in);
        buf_free(&got);
    }
}

#define SOCKET_TESTS T(loop_sendv) T(loop_cut_order) T(loop_lent_bytes) \
    T(loop_large_in_parts) T(blocking_large_in_parts) T(loop_source_to_parts) \
    T(loop_endless_is_fair) T(loop_endless_is_bounded) T(loop_completion_waits) \
    T(loop_drop)
#else
#define SOCKET_TESTS
#endif

TESTS(T(sendv) T(sendv_arguments) T(fragment) T(fragment_all_or_nothing)
      T(fragment_fixed) T(send_part_sequences) T(send_part_arguments)
      T(send_part_before_open) T(send_part_refused) T(parts) T(single_frames)
      T(limits_of_more_than_4_gib) T(parts_over_more_than_4_gib)
      T(parts_border) T(parts_utf8) T(parts_utf8_whole) T(parts_limits) T(max_frame)
      T(parts_memory) T(single_frames_fixed) T(send_from) T(send_from_closed)
      T(send_from_endless) T(send_from_memory) T(parts_are_not_idle) T(completion)
      T(completion_before_open) T(pausing) T(busy_while_parts_are_sent) T(drop)
      SOCKET_TESTS)

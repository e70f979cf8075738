/* Failing memory and failing random numbers at every place, and two engines joined by a
   network that does everything networks do. Seeds by WS_TEST_SEEDS, one seed by
   WS_TEST_SEED. */
#include "fixture.h"

/* ==== every allocation fails ======================================================== */

static char big_data[100000];

typedef struct scenario {
    const char *name;
    int client;
    void (*cfg)(ws_config *cfg);
    void (*talk)(side *s);
} scenario;

static void feed_spec(side *s, const char *spec, size_t step)
{
    buf b = { 0 };
    size_t at;
    put_frames(&b, spec, !s->client);
    for (at = 0; at < b.n && s->c; at += step)
        side_feed(s, b.p + at, b.n - at < step ? b.n - at : step);
    buf_free(&b);
}

static void cfg_rich(ws_config *cfg)
{
    static const ws_header h[] = { { "X-One", "1" }, { "X-Two", "2" }, { NULL, NULL } };
    cfg->headers = h;
    cfg->protocols = "a, b";
    cfg->origins = "*";
    cfg->origin = "http://example.com";
    cfg->host = "example.com";
}
static void cfg_small(ws_config *cfg) { cfg->max_backlog = 3000; }
static void cfg_parts(ws_config *cfg) { cfg->parts_over = 250; cfg->fragment = 150; }
static void cfg_frames(ws_config *cfg)
{
    cfg->frames = 1;
    cfg->max_frame = 30000;
    cfg->max_backlog = 5000;
}

static void talk_nothing(side *s) { (void)s; }
static void talk_messages(side *s)
{
    feed_spec(s, "81'hello' 82#1000 89'p' 8a'q' 82#70000 81", 1000000);
}
static void talk_bytes(side *s)
{
    feed_spec(s, "81'hello' 82#300 89'p' 01'a' 00'b' 80'c'", 1);
}
static void talk_fragments(side *s)
{
    feed_spec(s, "02#3000 00#9000 89'p' 00#100 80#20000 01 80", 777);
}
static void talk_close(side *s) { feed_spec(s, "88x03e8'a reason to go'", 3); }
static void talk_we_close(side *s)
{
    ws_close(s->c, 1001, "we go, and this is why");
    side_pull(s);
    feed_spec(s, "81'x' 88x03e9", 100);
}
static void talk_error(side *s) { feed_spec(s, "01'x' 83'bad'", 100); }
static void talk_utf8(side *s) { feed_spec(s, "81xff", 100); }
static void talk_send(side *s)
{
    int i;
    for (i = 0; i < 30; i++) {
        ws_send(s->c, WS_OP_BINARY, big_data, (size_t)i * 200);
        ws_ping(s->c, "ping", 4);
        if (i % 7 == 0) side_pull(s);
    }
    ws_send(s->c, WS_OP_BINARY, big_data, sizeof big_data);
    side_pull(s);
    ws_send_text(s->c, "last");
}
static void talk_backlog(side *s)
{
    int i;
    s->hold = 1;
    for (i = 0; i < 20; i++) ws_send(s->c, WS_OP_BINARY, big_data, 400);
    feed_spec(s, "89'1' 89'2' 81'x' 89'3'", 100);
    s->hold = 0;
    side_pull(s);
    ws_send_text(s->c, "again");
}
static ptrdiff_t read_some(void *user, void *to, size_t n)
{
    size_t *left = (size_t *)user, k = *left < n ? *left : n;
    if (*left % 3 == 1) { --*left; return WS_IO_WANT_READ; }
    memcpy(to, big_data, k);
    *left -= k;
    return (ptrdiff_t)k;
}
static void talk_parts(side *s)
{
    ws_str v[3] = { { big_data, 100 }, { NULL, 0 }, { big_data, 800 } };
    size_t left = 10000;
    int i;

    feed_spec(s, "82#3000 01#200 89'p' 00#900 80 02 00#5 80", 300);
    for (i = 0; i < 12; i++) {
        ws_sendv(s->c, WS_OP_BINARY, v, 3);
        ws_send_part(s->c, WS_OP_TEXT, big_data, (size_t)i * 100, i % 4 == 3);
        ws_ping(s->c, NULL, 0);
        if (i % 5 == 4) side_pull(s);
    }
    ws_want_writable(s->c);
    for (i = 0; i < 20; i++) {
        ws_send_from(s->c, WS_OP_BINARY, read_some, &left);
        side_pull(s);
    }
    feed_spec(s, "82#20000", 7000);
    ws_drop(s->c);
}
static void talk_time(side *s) { side_time(s, 60000); }
static void talk_early(side *s) { (void)s; }

static const scenario scenarios[] = {
    { "server handshake", 0, NULL, talk_nothing },
    { "client handshake", 1, NULL, talk_nothing },
    { "server rich", 0, cfg_rich, talk_messages },
    { "client rich", 1, cfg_rich, talk_messages },
    { "server messages", 0, NULL, talk_messages },
    { "client messages", 1, NULL, talk_messages },
    { "server bytes", 0, NULL, talk_bytes },
    { "client bytes", 1, NULL, talk_bytes },
    { "server fragments", 0, NULL, talk_fragments },
    { "client fragments", 1, NULL, talk_fragments },
    { "server close", 0, NULL, talk_close },
    { "client close", 1, NULL, talk_close },
    { "server closes", 0, NULL, talk_we_close },
    { "client closes", 1, NULL, talk_we_close },
    { "server error", 0, NULL, talk_error },
    { "client error", 1, NULL, talk_error },
    { "server utf8", 0, NULL, talk_utf8 },
    { "client utf8", 1, NULL, talk_utf8 },
    { "server sends", 0, NULL, talk_send },
    { "client sends", 1, NULL, talk_send },
    { "server backlog", 0, cfg_small, talk_backlog },
    { "client backlog", 1, cfg_small, talk_backlog },
    { "server parts", 0, cfg_parts, talk_parts },
    { "client parts", 1, cfg_parts, talk_parts },
    { "server frames", 0, cfg_frames, talk_parts },
    { "client frames", 1, cfg_frames, talk_parts },
    { "server in parts", 0, cfg_parts, talk_fragments },
    { "client in frames", 1, cfg_frames, talk_fragments },
    { "server time", 0, NULL, talk_time },
    { "client time", 1, NULL, talk_time },
    { "server refuses", 0, NULL, talk_early },
    { "client refused", 1, NULL, talk_early },
    { "server http", 0, NULL, talk_early },
    { "client bad url", 1, NULL, talk_early },
};
#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

static void http_app(side *s, const ws_event *ev)
{
    static const ws_header h[] = { { "X-A", "b" }, { NULL, NULL } };
    if (ev->type == WS_EV_HTTP) ws_http_reply(s->c, 200, h, "a body of the answer", 20);
}

/* One run to the end. Returns how often something failed. */
static void play(const scenario *sc, world *w)
{
    side s;
    ws_config cfg = world_config(w);
    buf b = { 0 };

    if (sc->cfg) sc->cfg(&cfg);
    memset(&s, 0, sizeof s);
    s.w = w;
    s.client = sc->client;
    s.event = http_app;
    s.c = !sc->client ? ws_server_new(&cfg)
        : ws_client_new(strcmp(sc->name, "client bad url") ? URL : "ws://bad url/", &cfg);
    if (!s.c) {
        CHECK(w->h.failed || w->r.fail_at);
        CHECK_INT(w->h.live, 0);
        buf_free(&b);
        side_free(&s);
        return;
    }
    ws_tick(s.c, w->now);
    side_pull(&s);
    if (!strcmp(sc->name, "server refuses"))
        buf_str(&b, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    else if (!strcmp(sc->name, "server http"))
        buf_str(&b, "GET /p HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
    else if (!strcmp(sc->name, "client refused"))
        buf_str(&b, "HTTP/1.1 403 No\r\nX: y\r\n\r\nbody");
    else if (!sc->client) buf_str(&b, REQUEST);
    else if (head_size(&s.out))
        put_answer(&b, &s.out,
                   sc->cfg == cfg_rich ? "Sec-WebSocket-Protocol: b\r\n" : NULL);
    if (sc->client) s.head = s.out.n;
    side_feed(&s, buf_c(&b), b.n / 2);
    side_feed(&s, buf_c(&b) + b.n / 2, b.n - b.n / 2);
    if (!sc->client) s.head = head_size(&s.out);
    if (s.opens) sc->talk(&s);
    side_pull(&s);
    side_end(&s);
    side_time(&s, 100000);
    CHECK_INT(s.closes, 1);                 /* CLOSE comes, whatever failed */
    CHECK_INT(ws_done(s.c), 1);
    CHECK_INT(ws_finished(s.c), 1);
    if (s.closes && s.error == WS_ERR_MEMORY) CHECK(w->h.failed > 0);
    if (s.closes && s.error == WS_ERR_RANDOM) CHECK(w->r.fail_at > 0);
    if (s.opens) { /* what left is whole, but for its end after a failure */
        frames f;
        size_t n = s.out.n - s.head,
               whole = check_frames(s.out.p + s.head, n, s.client, &f, NULL);
        CHECK(whole == n || w->h.failed || w->r.fail_at);
    }
    buf_free(&b);
    side_over(&s);
}

TEST(sec_H2_allocations)
{
    size_t i;
    long runs = 0, n;
    int all, spread;

    for (i = 0; i < SCENARIOS; i++) for (all = 0; all < 2; all++) {
        for (n = 1; n < 5000; n++) {
            world w;
            int faults = test_faults;
            world_init(&w);
            w.h.fail_at = n;
            w.h.fail_all = all;
            play(&scenarios[i], &w);
            runs++;
            if (test_faults > faults)
                printf("    scenario %s, allocation %ld%s fails\n", scenarios[i].name, n,
                       all ? " and all after" : "");
            if (!w.h.failed) break;
        }
        CHECK(n > 1 && n < 5000);
        (void)spread;
    }
    printf("  %ld runs with failing allocations\n", runs);
    CHECK(runs > 2 * (long)SCENARIOS);
}

TEST(randomness)
{
    size_t i;
    long n;
    int all;

    for (i = 0; i < SCENARIOS; i++)
        for (all = 0; all < 2; all++)
            for (n = 1; n < 5000; n++) {
                world w;
                int faults = test_faults;
                world_init(&w);
                w.r.fail_at = n;
                w.r.fail_all = all;
                play(&scenarios[i], &w);
                if (test_faults > faults)
                    printf("    scenario %s, draw %ld%s fails\n", scenarios[i].name, n,
                           all ? " and all after" : "");
                if (w.r.draws < n)
                    break;
            }
}

/* ==== a simulated network =========================================================== */

typedef struct wire {           /* one direction */
    buf data;
    size_t pos;
    int cut;                    /* the sender's end was seen */
    int ended;                  /* told to the receiver */
    int hole;                   /* everything vanishes, nobody is told */
    uint64_t stall;             /* nothing moves before this time */
} wire;

typedef struct peer {
    world w;
    side s;
    wire to;                    /* towards this peer */
    buf sent;                   /* messages accepted: 4 bytes size, op, data */
    buf got;
    long accepted;
    int asked_close, dead_end;
    int refused, echo, dropped;
    buf part, whole;            /* a message that goes out, comes in, in parts */
    int part_op;
    size_t left;                /* of the source */
    uint64_t r;
} peer;

static void record(buf *b, int op, const void *data, size_t n)
{
    uint32_t size = (uint32_t)n;
    buf_add(b, &size, 4);
    buf_byte(b, op);
    buf_add(b, data, n);
}

static void sim_event(side *s, const ws_event *ev)
{
    peer *p = (peer *)s->user;
    int r;

    if (ev->type == WS_EV_MESSAGE) {
        record(&p->got, ev->op, ev->data, ev->size);
        if (p->echo && ws_send(s->c, ev->op, ev->data, ev->size) == 0) {
            record(&p->sent, ev->op, ev->data, ev->size);
            p->accepted++;
        }
    }
    if (ev->type != WS_EV_PART) return;
    if (ev->first) buf_clear(&p->whole);
    buf_add(&p->whole, ev->data, ev->size);
    if (ev->last) record(&p->got, ev->op, p->whole.p, p->whole.n);
    if (!p->echo) return;
    r = ws_send_part(s->c, ev->op, ev->data, ev->size, ev->last);
    if (r == 0 && ev->last) record(&p->sent, ev->op, p->whole.p, p->whole.n);
    if (r) { /* half a message cannot be mended; we read no faster than the peer */
        CHECK(r == WS_ERR_MEMORY || r == WS_ERR_STATE || r == WS_ERR_RANDOM);
        ws_drop(s->c);
        p->dropped = 1;
    }
}

static ptrdiff_t sim_read(void *user, void *to, size_t n)
{
    peer *p = (peer *)user;
    size_t k = 1 + rng_to(&p->r, 5000);

    if (rng_to(&p->r, 8) == 0) return WS_IO_WANT_READ;
    if (k > n) k = n;
    if (k > p->left) k = p->left;
    if (!k) { record(&p->sent, WS_OP_BINARY, p->part.p, p->part.n); return 0; }
    memset(to, (int)('a' + p->left % 26), k);
    buf_add(&p->part, to, k);
    p->left -= k;
    return (ptrdiff_t)k;
}

/* One call of the other ways to send; what cannot be now is refused. */
static void sim_send(peer *p, uint64_t *r, const char *data, size_t n, int op)
{
    ws_str v[3];
    int last = rng_to(r, 3) == 0;

    if (rng_to(r, 3) == 0) {
        v[0].data = data; v[0].size = n / 3;
        v[1].data = NULL; v[1].size = 0;
        v[2].data = data + n / 3; v[2].size = n - n / 3;
        if (ws_sendv(p->s.c, op, v, 3) == 0) record(&p->sent, op, data, n);
    } else if (rng_to(r, 3)) {
        if (p->part_op) op = p->part_op;
        if (ws_send_part(p->s.c, op, data, n, last)) return;
        if (!p->part_op) buf_clear(&p->part);
        buf_add(&p->part, data, n);
        p->part_op = last ? 0 : op;
        if (last) record(&p->sent, op, p->part.p, p->part.n);
    } else {
        size_t left = p->left;
        int goes_on = p->s.c && ws__has_source(p->s.c);
        if (!goes_on) p->left = n * 3;
        if (ws_send_from(p->s.c, WS_OP_BINARY, sim_read, p)) p->left = left;
        else if (!goes_on) buf_clear(&p->part);
    }
}

static int is_prefix(const buf *part, const buf *whole)
{
    return part->n <= whole->n && (!part->n || !memcmp(part->p, whole->p, part->n));
}

/* Moves some bytes: output of a to b's wire, b's wire into b. */
static void move(peer *a, peer *b, uint64_t *r, int faults, int *moved)
{
    size_t n, k;
    const void *p = ws_output(a->s.c, &n);

    CHECK(p != NULL);
    if (n && (!faults || rng_to(r, 4))) {
        k = !faults             ? n
            : rng_to(r, 3) == 0 ? 1
                                : 1 + rng_to(r, (uint32_t)(n < 5000 ? n : 5000));
        if (faults && b->to.data.n - b->to.pos > 20000)
            k = 0; /* the window is full */
        if (k > n) k = n;
        if (k) {
            if (!b->to.cut) {
                if (!b->to.hole) buf_add(&b->to.data, p, k);
                buf_add(&a->s.out, p, k);
            }
            ws_output_done(a->s.c, k);
            *moved = 1;
        }
    }
    if (ws_finished(a->s.c) && !b->to.hole) b->to.cut = 1;
    if (faults && b->to.stall > b->w.now) return;
    n = b->to.data.n - b->to.pos;
    if (n) {
        char *copy;
        k = !faults ? n : rng_to(r, 3) == 0 ? 1 : 1 + rng_to(r, 3000);
        if (k > n) k = n;
        copy = (char *)malloc(k);
        memcpy(copy, b->to.data.p + b->to.pos, k);
        k = ws_feed(b->s.c, copy, k);
        free(copy);
        b->to.pos += k;
        if (k) *moved = 1;
        if (b->to.pos == b->to.data.n) { b->to.pos = 0; buf_clear(&b->to.data); }
    } else if (b->to.cut && !b->to.ended) {
        b->to.ended = 1;
        ws_feed_end(b->s.c);
        *moved = 1;
    }
}

static void simulate(uint64_t seed)
{
    uint64_t r = seed * 77 + 1;
    peer *p = (peer *)calloc(2, sizeof *p);
    int i, k, steps = 50 + (int)rng_to(&r, 250), moved = 1, faults = test_faults;
    int oom = rng_to(&r, 4) == 0, rnd = rng_to(&r, 16) == 0, jumps = rng_to(&r, 4) == 0,
        cuts = rng_to(&r, 5) == 0, holes = rng_to(&r, 8) == 0;
    int lost[2] = { 0, 0 };
    uint32_t backlog = 1000u << rng_to(&r, 8);
    uint64_t quiet;

    for (i = 0; i < 2; i++) {
        ws_config cfg;
        world_init(&p[i].w);
        p[i].w.r.s = seed * 2 + (uint64_t)i;
        p[i].w.now = rng_to(&r, 3) == 0 ? 0xFFFFFFFFu - rng_to(&r, 20000)
                                        : rng_to(&r, 1000000);
        cfg = world_config(&p[i].w);
        cfg.max_backlog = backlog;
        p[i].r = seed + 5;
        if (rng_to(&r, 3) == 0) cfg.parts_over = 1 + rng_to(&r, 1000);
        if (rng_to(&r, 4) == 0) cfg.frames = 1;
        if (rng_to(&r, 3) == 0) cfg.fragment = 1 + rng_to(&r, 3000);
        cfg.max_fragments = WS_NO_LIMIT;
        if (oom && rng_to(&r, 2)) {
            p[i].w.h.fail_at = 1 + (long)rng_to(&r, 60);
            p[i].w.h.fail_all = (int)rng_to(&r, 2);
        }
        if (rnd && i == 0) {
            p[i].w.r.fail_at = 1 + (long)rng_to(&r, 30);
            p[i].w.r.fail_all = (int)rng_to(&r, 2);
        }
        if (!side_new(&p[i].s, &p[i].w, i == 0, &cfg)) {
            CHECK(p[i].w.h.failed > 0);
            goto out;
        }
        p[i].s.event = sim_event;
        p[i].s.user = &p[i];
        p[i].s.quiet = 1;
    }
    p[1].echo = (int)rng_to(&r, 3) == 0;

    for (k = 0; k < steps; k++) {           /* faults */
        i = (int)rng_to(&r, 2);
        switch (rng_to(&r, 12)) {
        case 0: case 1: case 2: {
            size_t n = rng_to(&r, 5) ? rng_to(&r, 300) : rng_to(&r, 20000);
            int op = rng_to(&r, 2) ? WS_OP_TEXT : WS_OP_BINARY;
            char *data = (char *)malloc(n + 1);
            size_t j;
            if (p[i].echo) { free(data); break; }
            for (j = 0; j < n; j++) data[j] = (char)('a' + (j * 7 + (size_t)k) % 26);
            if (rng_to(&r, 2)) sim_send(&p[i], &r, data, n, op);
            else if (ws_send(p[i].s.c, op, data, n) == 0) {
                record(&p[i].sent, op, data, n);
                p[i].accepted++;
            }
            free(data);
            break;
        }
        case 3: ws_ping(p[i].s.c, "12345", rng_to(&r, 6)); break;
        case 4:
            if (rng_to(&r, 12) == 0) {
                ws_close(p[i].s.c, 1000, "sim");
                p[i].asked_close = 1;
            }
            break;
        case 5:
            if (rng_to(&r, 4) == 0)
                p[i].to.stall = p[i].w.now + rng_to(&r, 30000);
            break;
        case 6: if (cuts && rng_to(&r, 20) == 0) { p[i].to.cut = 1; lost[!i] = 1;
                if (rng_to(&r, 2)) {
                    p[!i].to.cut = 1;
                    lost[i] = 1;
                } /* else half closed */
                if (rng_to(&r, 2)) {
                    p[i].to.pos = 0;
                    buf_clear(&p[i].to.data);
                }
            }
            break;
        case 10: if (holes && rng_to(&r, 20) == 0) { p[i].to.hole = 1; lost[!i] = 1;
                     if (rng_to(&r, 2)) p[!i].to.hole = lost[i] = 1; } break;
        case 7: { uint64_t dt = rng_to(&r, 3) ? rng_to(&r, 300) : rng_to(&r, 4000);
            int j;
            for (j = 0; j < 2; j++) {
                p[j].w.now += dt;
                ws_tick(p[j].s.c, p[j].w.now);
            }
            break;
        }
        case 8:
            if (jumps && rng_to(&r, 5) == 0) {
                p[i].w.now += rng_to(&r, 2) ? 3600000u : (uint64_t)0 - 3600000u;
                ws_tick(p[i].s.c, p[i].w.now);
            }
            break;
        case 9: if (rng_to(&r, 2)) ws_pause(p[i].s.c); else ws_resume(p[i].s.c); break;
        default: break;
        }
        move(&p[0], &p[1], &r, 1, &moved);
        move(&p[1], &p[0], &r, 1, &moved);
        if (rng_to(&r, 3)) while (side_next(&p[0].s)) { }
        if (rng_to(&r, 3)) side_next(&p[1].s);
        CHECK(is_prefix(&p[0].got, &p[1].sent));
        CHECK(is_prefix(&p[1].got, &p[0].sent));
    }
    /* faults cease: everything arrives, or both end within the deadlines */
    for (i = 0; i < 2; i++) {
        ws_resume(p[i].s.c);
        p[i].w.h.fail_at = p[i].w.r.fail_at = 0;
        p[i].to.stall = 0;
    }
    for (quiet = 0; quiet < 150000;) {
        moved = 0;
        move(&p[0], &p[1], &r, 0, &moved);
        move(&p[1], &p[0], &r, 0, &moved);
        for (i = 0; i < 2; i++) while (side_next(&p[i].s)) moved = 1;
        if (moved) continue;
        if (p[0].s.closes && p[1].s.closes) break;
        if (!p[0].s.closes && !p[1].s.closes && p[0].s.opens && p[1].s.opens &&
            quiet > 60000 && !p[0].asked_close && !p[1].asked_close && !p[0].to.hole &&
            !p[1].to.hole)
            break;
        for (i = 0; i < 2; i++) { p[i].w.now += 500; ws_tick(p[i].s.c, p[i].w.now); }
        quiet += 500;
    }
    CHECK(is_prefix(&p[0].got, &p[1].sent));
    CHECK(is_prefix(&p[1].got, &p[0].sent));
    CHECK_INT(p[0].s.closes, p[1].s.closes);
    if (p[0].to.hole || p[1].to.hole)
        CHECK(p[0].s.closes && p[1].s.closes); /* found by pings */
    if (!p[0].s.closes && !p[1].s.closes) {
        CHECK(p[0].s.opens && p[1].s.opens);
        CHECK(buf_is(&p[0].got, &p[1].sent));
        CHECK(buf_is(&p[1].got, &p[0].sent));
    }
    if (p[0].s.closes && p[1].s.closes) {
        for (i = 0; i < 2; i++) {
            CHECK(ws_finished(p[i].s.c));
            if (p[i].s.clean && p[!i].s.clean && !lost[0] && !lost[1]) {
                /* a clean end: what one accepted before it closed arrived at the other */
                if (p[i].asked_close && !p[!i].asked_close)
                    CHECK(buf_is(&p[!i].got, &p[i].sent));
            }
        }
        if (!oom && !rnd && !jumps && !cuts && !holes && !p[0].dropped && !p[1].dropped &&
            !p[0].asked_close && !p[1].asked_close)
            CHECK(p[0].s.error == WS_ERR_PING_TIMEOUT ||
                  p[1].s.error == WS_ERR_PING_TIMEOUT ||
                  p[0].s.error == WS_ERR_HANDSHAKE_TIMEOUT ||
                  p[1].s.error == WS_ERR_HANDSHAKE_TIMEOUT);
    }
    for (i = 0; i < 2; i++) {               /* what left was right */
        size_t head = head_size(&p[i].s.out);
        frames f;
        if (p[i].s.opens && head && head <= p[i].s.out.n)
            check_frames(p[i].s.out.p + head, p[i].s.out.n - head, i == 0, &f, NULL);
    }
out:
    for (i = 0; i < 2; i++) {
        if (p[i].s.c || p[i].s.w) side_over(&p[i].s);
        buf_free(&p[i].to.data);
        buf_free(&p[i].part);
        buf_free(&p[i].whole);
        buf_free(&p[i].sent);
        buf_free(&p[i].got);
    }
    free(p);
    if (test_faults > faults)
        printf(
            "    seed %llu fails: WS_TEST_SEED=%llu build/test/test_torture simulation\n",
            (unsigned long long)seed, (unsigned long long)seed);
}

TEST(simulation)
{
    const char *n = getenv("WS_TEST_SEEDS"), *one = getenv("WS_TEST_SEED");
    unsigned long seeds = n ? strtoul(n, NULL, 10) : 20000, i;

    if (one) { simulate(strtoul(one, NULL, 10)); return; }
    for (i = 1; i <= seeds && test_faults < 20; i++) simulate(i);
}

/* ==== refused, then tried again ===================================================== */

/* after memory ran out once while sending, the connection tells the truth: the message
   went in whole or not at all, and later ones go */
TEST(send_after_failure)
{
    int client;
    long n;

    for (client = 0; client < 2; client++) for (n = 1; n < 40; n++) {
        world w;
        side s;
        int i, ok = 0;
        world_init(&w);
        side_open(&s, &w, client, NULL);
        w.h.fail_at = w.h.calls + n;
        s.hold = 1;
        for (i = 0; i < 100; i++) {
            int r = ws_send(s.c, WS_OP_BINARY, big_data, (size_t)i * 50);
            if (r == 0) ok++;
            else CHECK(r == WS_ERR_MEMORY || r == WS_ERR_STATE);
        }
        s.hold = 0;
        side_pull(&s);
        if (!ws_error(s.c)) { CHECK_INT(side_sent(&s, NULL).data, ok); CHECK(ok >= 99); }
        side_over(&s);
    }
}

TESTS(T(sec_H2_allocations) T(randomness) T(send_after_failure) T(simulation))

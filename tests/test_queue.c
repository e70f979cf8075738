/* The output queue against a model of it: messages copied and shared, values that
   replace older ones, messages in parts, control frames, writes cut anywhere, a full
   backlog under each policy, and memory failing at any call. No sockets. */
#include "fixture.h"

/* ---- the model: a list of frames ---- */

enum { MOST = 4000 };

typedef struct mframe { int first, id, slot; size_t wire; } mframe;

typedef struct model {
    mframe f[MOST];
    int n;
    size_t begun;               /* bytes of f[0] that were written */
    int sending;                /* a message in parts is open */
    int written[MOST * 4], written_n;   /* ids in the order that they went out */
} model;

static size_t model_bytes(const model *m)
{
    size_t n = 0;
    int i;
    for (i = 0; i < m->n; i++) n += m->f[i].wire;
    return n - m->begun;
}

static void model_remove(model *m, int i)
{
    memmove(m->f + i, m->f + i + 1, (size_t)(m->n - i - 1) * sizeof m->f[0]);
    m->n--;
}

static void model_add(model *m, int first, int id, int slot, size_t wire)
{
    mframe *f = &m->f[m->n++];
    f->first = first;
    f->id = id;
    f->slot = slot;
    f->wire = wire;
}

/* The oldest whole data message of which nothing was written; 0 if there is none. */
static int model_drop(model *m)
{
    int i = m->begun ? 1 : 0, end, last;

    while (i < m->n && (m->f[i].first & 15) != 1 && (m->f[i].first & 15) != 2) i++;
    for (end = i; end < m->n && ((m->f[end].first & 8) || !(m->f[end].first & 0x80));
         end++) {
    }
    if (end >= m->n) return 0;
    do {
        last = m->f[i].first & 0x80 && !(m->f[i].first & 8);
        if (m->f[i].first & 8) i++;
        else model_remove(m, i);
    } while (!last);
    return 1;
}

static int model_slot(const model *m, int slot)
{
    int i;
    for (i = m->begun ? 1 : 0; i < m->n; i++) if (m->f[i].slot == slot) return i;
    return -1;
}

/* ---- both at once ---- */

typedef struct rig {
    world w;
    side s;
    model m;
    int client, drops, fixed, next_id;
    int pong;                   /* id of the one that waits to overtake, -1 */
    size_t pong_n;
    uint8_t *block;
    char data[9000];
} rig;

/* What waits: a pong that has not overtaken yet counts without a mask. */
static size_t rig_bytes(const rig *r)
{
    return model_bytes(&r->m) + (r->pong >= 0 ? 2 + r->pong_n : 0);
}

static size_t wire_of(const rig *r, size_t n)
{
    return n + 2 + (n < 126 ? 0 : n < 65536 ? 2 : 8) + (r->client ? 4 : 0);
}

/* What the library should do before it takes wire bytes more: drop, or refuse. */
static int model_admit(rig *r, size_t wire)
{
    size_t most = r->s.c->cfg->set.max_backlog;

    if (r->fixed && wire > r->s.c->tx->cap - 2 * WS__TX_ROOM) return WS_ERR_ARGUMENT;
    for (;;) {
        size_t waits = rig_bytes(r);
        int much = r->fixed ? waits + wire > r->s.c->tx->cap - 2 * WS__TX_ROOM
                            : waits > most / 2 && waits + wire > most;
        if (!much) return 0;
        if (!r->drops || !model_drop(&r->m)) return WS_ERR_BACKLOG;
    }
}

static void mark_data(rig *r, size_t n)     /* the payload tells its id */
{
    memcpy(r->data, &r->next_id, sizeof r->next_id);
    memset(r->data + sizeof r->next_id, r->next_id & 127, n - sizeof r->next_id);
}

/* Says what the call must return, but for memory, which may always fail when it is made
   to. */
static int agrees(rig *r, int have, int want)
{
    if (have == WS_ERR_MEMORY && r->w.h.failed) return 0;
    CHECK_INT(have, want);
    return !want;
}

static void send_plain(rig *r, size_t n, int shared)
{
    int want = r->m.sending ? WS_ERR_BUSY : model_admit(r, wire_of(r, n)), have;

    mark_data(r, n);
    if (shared) {
        ws__broadcast w = ws__broadcast_of(r->s.c->cfg, -1, WS_OP_BINARY, r->data, n);
        have = ws__broadcast_give(r->s.c, &w);
        if (w.frame) ws__shared_release(w.frame);
    } else {
        have = ws_send(r->s.c, WS_OP_BINARY, r->data, n);
    }
    if (agrees(r, have, want)) model_add(&r->m, 0x82, r->next_id, -1, wire_of(r, n));
    r->next_id++;
}

static void send_latest(rig *r, int slot, size_t n)
{
    int i = model_slot(&r->m, slot), want = 0, have;
    size_t grows = wire_of(r, n);

    if (i >= 0) grows = grows > r->m.f[i].wire ? grows - r->m.f[i].wire : 0;
    if (r->fixed) want = WS_ERR_MEMORY;
    else if (i < 0 && r->m.sending) want = WS_ERR_BUSY;
    else want = model_admit(r, grows);
    if (!want && r->m.sending && model_slot(&r->m, slot) < 0) want = WS_ERR_BUSY;
    mark_data(r, n);
    have = ws_send_latest(r->s.c, slot, WS_OP_BINARY, r->data, n);
    if (agrees(r, have, want)) {
        i = model_slot(&r->m, slot);
        if (i < 0) model_add(&r->m, 0x82, r->next_id, slot, wire_of(r, n));
        else { r->m.f[i].id = r->next_id; r->m.f[i].wire = wire_of(r, n); }
    }
    r->next_id++;
}

static void send_part(rig *r, size_t n, int last)
{
    int want = model_admit(r, wire_of(r, n)), have;

    mark_data(r, n);
    have = ws_send_part(r->s.c, WS_OP_BINARY, r->data, n, last);
    if (agrees(r, have, want)) {
        model_add(&r->m, (r->m.sending ? 0 : 2) | (last ? 0x80 : 0), r->next_id, -1,
                  wire_of(r, n));
        r->m.sending = !last;
    }
    r->next_id++;
}

static void send_ping(rig *r, size_t n)
{
    int want = model_admit(r, wire_of(r, n)), have;

    mark_data(r, n);
    have = ws_ping(r->s.c, r->data, n);
    if (agrees(r, have, want)) model_add(&r->m, 0x89, r->next_id, -1, wire_of(r, n));
    r->next_id++;
}

/* A ping of the peer: answered behind the queue if it is short, else the latest
   overtakes. */
static void get_ping(rig *r, size_t n)
{
    size_t limit = r->fixed ? r->s.c->tx->cap / 4 : WS__PONG_QUEUE;
    long failed = r->w.h.failed;

    if (r->m.n > MOST - 9 || ws__held_back(r->s.c) || r->w.h.fail_at) return;
    mark_data(r, n);
    if ((r->s.c->tx || r->fixed) && rig_bytes(r) > limit) {
        r->pong = r->next_id;
        r->pong_n = n;
    } else
        model_add(&r->m, 0x8A, r->next_id, -1, wire_of(r, n));
    side_frame(&r->s, 0x89, r->data, n);
    CHECK_INT(failed, r->w.h.failed);
    r->next_id++;
}

/* The next n bytes were written; a pong that waits takes the first border. */
static void rig_wrote(rig *r, size_t n)
{
    model *m = &r->m;

    for (;;) {
        size_t k;
        if (r->pong >= 0 && !m->begun) {
            memmove(m->f + 1, m->f, (size_t)m->n++ * sizeof m->f[0]);
            m->f[0].first = 0x8A;
            m->f[0].id = r->pong;
            m->f[0].slot = -1;
            m->f[0].wire = wire_of(r, r->pong_n);
            r->pong = -1;
        }
        if (!n) return;
        CHECK(m->n > 0);
        k = m->f[0].wire - m->begun;
        if (k > n) k = n;
        m->begun += k;
        n -= k;
        if (m->begun < m->f[0].wire) continue;
        m->written[m->written_n++] = m->f[0].id;
        m->begun = 0;
        model_remove(m, 0);
        if (!n) return;
    }
}

/* Takes up to n bytes as a driver does that writes one piece, or several at once. */
static void drain(rig *r, size_t n, int most)
{
    ws__piece v[8];
    size_t k, sum;
    int i, count;

    while (n) {
        rig_wrote(r, 0);
        v[0].iov_base = (void *)(uintptr_t)ws_output(r->s.c, &k);
        v[0].iov_len = k;
        if (!k) break;
        count = most > 1 ? ws__tx_front(r->s.c, v, most) : 1;
        for (i = 0, sum = 0; i < count && sum < n; i++) {
            k = v[i].iov_len < n - sum ? v[i].iov_len : n - sum;
            buf_add(&r->s.out, v[i].iov_base, k);
            sum += k;
        }
        ws_output_done(r->s.c, sum);
        rig_wrote(r, sum);
        n -= sum;
    }
}

/* The ids of the frames that went out, in order, and every payload as it was given. */
static void check_stream(rig *r)
{
    const uint8_t *p = (const uint8_t *)r->s.out.p + r->s.head,
                  *end = (const uint8_t *)r->s.out.p + r->s.out.n;
    int i = 0;

    for (; p < end; i++) {
        ws_frame f;
        int head = ws_frame_decode(p, (size_t)(end - p), &f), id;
        uint8_t *body = (uint8_t *)malloc((size_t)f.size + 4);
        size_t k;
        CHECK(head > 0 && f.size >= 4 && (size_t)(end - p) >= (size_t)head + f.size);
        ws_mask(body, p + head, (size_t)f.size, f.key, 0);
        memcpy(&id, body, 4);
        if (i < r->m.written_n) CHECK_INT(id, r->m.written[i]);
        for (k = 4; k < f.size; k++) if (body[k] != (id & 127)) break;
        CHECK_INT(k, f.size);
        free(body);
        p += (size_t)head + (size_t)f.size;
    }
    CHECK_INT(i, r->m.written_n);
    side_sent(&r->s, NULL);
}

static void rig_step(rig *r, uint64_t *seed)
{
    size_t n = 4 + (rng_to(seed, 4) ? rng_to(seed, 100)
                                    : rng_to(seed, r->fixed ? 300 : 2500));

    switch (rng_to(seed, 8)) {
    case 0: case 1: send_plain(r, n, 0); break;
    case 2: send_plain(r, n, 1); break;
    case 3: send_latest(r, (int)rng_to(seed, 6), n); break;
    case 4:
        if (rng_to(seed, 3)) break;
        send_part(r, n, rng_to(seed, 3) == 0);
        break;
    case 5: if (!rng_to(seed, 3)) send_ping(r, 4 + n % 100); break;
    case 6: if (rng_to(seed, 2)) { get_ping(r, 4 + n % 100); break; }
    /* fall through */
    default:
        drain(r, rng_to(seed, 3) ? rng_to(seed, 120) : rng_to(seed, 4000),
              1 + (int)rng_to(seed, 8));
        break;
    }
    CHECK_INT(ws_buffered(r->s.c), rig_bytes(r));
}

static void rig_open(rig *r, int client, int drops, int fixed, uint32_t backlog)
{
    ws_config cfg;

    memset(r, 0, sizeof *r);
    cfg = world_fresh(&r->w);
    cfg.max_backlog = backlog;
    cfg.drop_oldest = drops;
    if (fixed) {
        cfg.alloc = NULL;
        cfg.memory_size = 8192;
        cfg.memory = r->block = (uint8_t *)malloc(cfg.memory_size);
        cfg.memory_send = 1500;
    }
    r->pong = -1;
    r->client = client;
    r->drops = drops;
    r->fixed = fixed;
    side_open(&r->s, &r->w, client, &cfg);
    CHECK_INT(ws_buffered(r->s.c), 0);
    r->s.hold = 1;
}

static void rig_close(rig *r)
{
    drain(r, (size_t)-1, 1);
    CHECK_INT(ws_buffered(r->s.c), 0);
    if (!r->fixed) CHECK(!r->s.c->tx);
    check_stream(r);
    side_over(&r->s);
    free(r->block);
}

/* every mixture: what goes out, what waits, what is refused and dropped is as the model
   says */
TEST(model)
{
    static rig r;
    uint64_t seed;
    int kind, i;

    for (kind = 0; kind < 8; kind++) for (seed = 1; seed <= 60; seed++) {
        uint64_t s = seed;
        rig_open(&r, kind & 1, kind & 2, kind & 4, 500u << (seed % 7));
        for (i = 0; i < 600; i++) rig_step(&r, &s);
        if (r.m.sending) {
            r.m.sending = 1;
            drain(&r, (size_t)-1, 1);
            send_part(&r, 4, 1);
        }
        rig_close(&r);
    }
}

/* the same with the n-th allocation failing: what failed was not sent, all else is
   right */
TEST(model_without_memory)
{
    static rig r;
    int kind, i, all;
    long at;

    for (kind = 0; kind < 4; kind++)
        for (all = 0; all < 2; all++)
            for (at = 1; at < 200; at++) {
                uint64_t s = 77;
                rig_open(&r, kind & 1, kind & 2, 0, 3000);
                r.w.h.fail_at = r.w.h.calls + at;
                r.w.h.fail_all = all;
                for (i = 0; i < 250; i++) rig_step(&r, &s);
                r.w.h.fail_at = 0;
                if (r.m.sending) {
                    drain(&r, (size_t)-1, 1);
                    send_part(&r, 4, 1);
                }
                rig_close(&r);
            }
}

/* a pong overtakes shared frames and values of slots as it does copies, between frames
   only */
TEST(pongs_between_shared_frames)
{
    size_t budget;

    for (budget = 1; budget < 4000; budget += budget < 20 ? 1 : 397) {
        static rig r;
        frames f;
        int i;
        rig_open(&r, 0, 0, 0, 1 << 20);
        r.s.hold = 1;
        for (i = 0; i < 6; i++) {
            send_plain(&r, 2000, 1);
            send_latest(&r, i, 100);
            send_plain(&r, 50, 0);
        }
        side_write(&r.s, budget);
        for (i = 0; i < 5; i++) side_frame(&r.s, 0x89, &"abcde"[i], 1);
        CHECK_INT(r.s.pings, 5);
        while (ws_buffered(r.s.c) > 3000) side_write(&r.s, budget);
        side_release(&r.s);
        f = side_sent(&r.s, NULL);
        CHECK_INT(f.data, 18);
        CHECK_INT(f.pongs, 1);
        CHECK_INT(f.last_pong[0], 'e');
        side_over(&r.s);
    }
}

/* ---- policies ---- */

TEST(drop_slow)
{
    size_t cut;

    for (cut = 0; cut < 300; cut += 7) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        char data[100] = { 0 };
        size_t n, k;
        int sent = 0, r;
        frames f;

        cfg.max_backlog = 1000;
        cfg.drop_slow = 1;
        side_open(&s, &w, 0, &cfg);
        s.hold = 1;
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, 100), 0);
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, 100), 0);
        for (n = cut; n && (k = side_write(&s, n)) > 0; n -= k) { }
        while (!(r = ws_send(s.c, WS_OP_BINARY, data, 100))) CHECK(sent++ < 20);
        CHECK_INT(r, WS_ERR_SLOW);
        CHECK_INT(ws_error(s.c), WS_ERR_SLOW);
        CHECK_INT(ws_state(s.c), WS_STATE_CLOSING);
        CHECK(ws_buffered(s.c) <
              200); /* what it did not get is gone, but for the frame begun */
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, 1), WS_ERR_STATE);
        side_release(&s);
        f = side_sent(&s, NULL);
        CHECK_INT(f.close_code, 1013);
        CHECK_INT(f.data, (cut + 101) / 102 > 2 ? 2 : (cut + 101) / 102);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.code, 1013);
        CHECK_INT(s.error, WS_ERR_SLOW);
        CHECK_STR(s.reason, "peer reads too slowly");
        side_over(&s);
    }
}

/* dropping costs linear time as well, also behind a large frame of which a byte is out */
TEST(drop_oldest_keeps_the_newest)
{
    world w;
    side s;
    ws_config cfg = world_fresh(&w);
    char *big = (char *)calloc(1, 200000);
    int i, id;
    long calls = 0;
    size_t n, live;
    frames f;

    cfg.max_backlog = 100000;
    cfg.drop_oldest = 1;
    side_open(&s, &w, 0, &cfg);
    s.hold = 1;
    CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, 60000), 0);
    side_write(&s, 1);
    for (i = 0; i < 10000; i++) {
        memcpy(big, &i, sizeof i);
        CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, 100), 0);
        CHECK(ws_buffered(s.c) <= 100000 + 400);
        if (i == 1000) calls = w.h.calls;
    }
    CHECK(w.h.calls - calls <= 3); /* the room of what was dropped is used again */
    CHECK(s.c->tx->mark_end - s.c->tx->mark_at <= 2);
    live = w.h.now;
    CHECK(live < 300000);
    CHECK_INT(ws_send(s.c, WS_OP_BINARY, big, 200000),
              WS_ERR_BACKLOG); /* cannot fit: half is begun */
    CHECK_INT(ws_ping(s.c, "p", 1), 0);
    side_release(&s);
    f = side_sent(&s, NULL);
    CHECK_INT(f.pings, 1);
    n = s.out.n - 3 - 102;
    memcpy(&id, s.out.p + n + 2, sizeof id);
    CHECK(f.data == 1 || id == 9999); /* the newest is last, unless the try took it */
    free(big);
    side_over(&s);
}

/* dropping needs no memory: without it, the bytes behind move up, marks and all */
TEST(drop_without_memory)
{
    static rig r;
    int i, before;

    for (before = 0; before < 5; before++) {
        rig_open(&r, 0, 1, 0, 20000);
        for (i = 0; i < before; i++) send_plain(&r, 100, 0);
        drain(&r, 1, 1);
        for (i = 0; i < 8; i++) { send_plain(&r, 60, 0); send_plain(&r, 1200, 1); }
        for (i = 0; i < 80; i++) send_plain(&r, 100, 0);
        r.w.h.fail_at = r.w.h.calls + 1;
        r.w.h.fail_all = 1;
        for (i = 0; i < 10; i++) {
            CHECK_INT(ws__tx_forget(r.s.c), model_drop(&r.m));
            CHECK_INT(ws_buffered(r.s.c), rig_bytes(&r));
        }
        r.w.h.fail_at = 0;
        rig_close(&r);
    }
}

/* the formula of the manual: small messages, one large one, shared ones, slots */
TEST(memory)
{
    static char data[400000];
    int client, kind;

    for (client = 0; client < 2; client++) for (kind = 0; kind < 4; kind++) {
        enum { MOST_BYTES = 100000 };
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        size_t base, bound = 5 * MOST_BYTES / 2 + 4096;
        ws__broadcast news;
        int i, r = 0;

        cfg.max_backlog = MOST_BYTES;
        side_open(&s, &w, client, &cfg);
        base = heap_mark(&w.h);
        s.hold = 1;
        news = ws__broadcast_of(s.c->cfg, -1, WS_OP_BINARY, data, 100);
        for (i = 0; i < 10000 && !r; i++) {
            if (kind == 0) r = ws_send(s.c, WS_OP_BINARY, data, 50);
            if (kind == 1)
                r = ws_send(s.c, WS_OP_BINARY, data,
                            ws_buffered(s.c) > 49000 ? 300000 : 500);
            if (kind == 2) r = ws__broadcast_give(s.c, &news);
            if (kind == 3) r = ws_send_latest(s.c, i % 300, WS_OP_BINARY, data, 100);
        }
        CHECK_INT(r, kind == 3 ? 0 : WS_ERR_BACKLOG);
        CHECK(kind == 3 || ws_buffered(s.c) > 9 * MOST_BYTES / 10);
        if (kind == 1) bound = 5 * (MOST_BYTES / 2 + 300000) / 2 + 4096;
        if (kind == 2 && !client) bound = 400 + i * 5 * 24 / 2 + 1024;
        if (kind == 3) bound = 300 * (100 + 14 + 100) + 1024;
        CHECK(w.h.peak - base <= bound);
        if (news.frame) ws__shared_release(news.frame);
        side_release(&s);
        CHECK_INT(w.h.now, base);
        side_over(&s);
    }
}

TEST(arguments)
{
    world w;
    side s;

    world_init(&w);
    CHECK_INT(ws_send_latest(NULL, 0, WS_OP_TEXT, "", 0), WS_ERR_ARGUMENT);
    side_open(&s, &w, 0, NULL);
    CHECK_INT(ws_send_latest(s.c, -1, WS_OP_TEXT, "", 0), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_latest(s.c, 0, WS_OP_PING, "", 0), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_latest(s.c, 0, WS_OP_TEXT, NULL, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_send_latest(s.c, 0x7FFFFFFF, WS_OP_TEXT, NULL, 0), 0);
    ws_close(s.c, 1000, NULL);
    CHECK_INT(ws_send_latest(s.c, 0, WS_OP_TEXT, "", 0), WS_ERR_STATE);
    side_over(&s);
}

TESTS(T(model) T(model_without_memory) T(pongs_between_shared_frames) T(drop_slow)
      T(drop_oldest_keeps_the_newest) T(drop_without_memory)
      T(memory) T(arguments))

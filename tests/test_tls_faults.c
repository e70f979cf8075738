/* TLS by mbedTLS over transports that do everything transports do: two ends in memory
   with short reads and writes, WANT in either direction, ends and resets at every byte,
   wrong bytes, memory and random numbers that fail at every place; the loop over
   sockets that misbehave, with slow peers; floods of handshakes. What arrives is what
   was sent, in order, or the connection ends. -DWS_USE_MBEDTLS. WRAPPED: linked with
   -Wl,--wrap=calloc,--wrap=free to static libraries, so that mbedTLS's own memory can
   be counted and fail. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_tls_faults: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#include "tls.h"

static int metered_random(void *user, void *buf, size_t n)
{
    heap *m = (heap *)user;
    m->calls++;
    if (m->fail_at && m->calls >= m->fail_at) { m->failed++; return -1; }
    memset(buf, (int)m->calls, n);
    return 0;
}

/* ---- memory of mbedTLS ---- */

#define BLOCKS 65536

static struct {
    void *block[BLOCKS];        /* a hash table, NULL: free; TOMB: was used */
    size_t size[BLOCKS];
    long calls, fail_at, failed, count;
    int fail_all;
    size_t live, peak;
} tls_heap;

#ifdef WRAPPED
#define TOMB ((void *)&tls_heap)

void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *p);

static size_t heap_place(const void *p)
{
    return ((uintptr_t)p >> 4) * 0x9E3779B1u % BLOCKS;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *p;
    size_t i;

    tls_heap.calls++;
    if (tls_heap.fail_at && (tls_heap.calls == tls_heap.fail_at ||
                             (tls_heap.fail_all && tls_heap.calls > tls_heap.fail_at))) {
        tls_heap.failed++;
        return NULL;
    }
    p = __real_calloc(n, size);
    if (!p || tls_heap.count > BLOCKS / 2) return p;
    for (i = heap_place(p); tls_heap.block[i] && tls_heap.block[i] != TOMB;
         i = (i + 1) % BLOCKS) {
    }
    tls_heap.block[i] = p;
    tls_heap.size[i] = n * size;
    tls_heap.count++;
    tls_heap.live += n * size;
    if (tls_heap.live > tls_heap.peak) tls_heap.peak = tls_heap.live;
    return p;
}

/* Its random numbers, where they are asked for by another of its parts, or by us. */
static heap numbers;

int __real_mbedtls_ctr_drbg_random(void *user, unsigned char *to, size_t n);
int __wrap_mbedtls_ctr_drbg_random(void *user, unsigned char *to, size_t n);

int __wrap_mbedtls_ctr_drbg_random(void *user, unsigned char *to, size_t n)
{
    numbers.calls++;
    if (numbers.fail_at && numbers.calls >= numbers.fail_at) {
        numbers.failed++;
        return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    }
    return __real_mbedtls_ctr_drbg_random(user, to, n);
}

void __wrap_free(void *p)
{
    size_t i;

    for (i = heap_place(p); p && tls_heap.block[i]; i = (i + 1) % BLOCKS) {
        if (tls_heap.block[i] != p) continue;
        tls_heap.block[i] = tls_heap.block[(i + 1) % BLOCKS] ? TOMB : NULL;
        tls_heap.live -= tls_heap.size[i];
        tls_heap.count--;
        break;
    }
    __real_free(p);
}
#endif

/* ---- messages that check themselves ---- */

#define MOST 70000
static unsigned char pattern[MOST + 1000];

/* What may arrive from one sender, and what has. Numbers of values of a slot have bit
   31. */
typedef struct story {
    uint32_t said, valued;              /* the numbers given so far */
    uint32_t heard, seen;               /* the last ones that arrived */
    uint32_t count, lost;               /* of messages; lost: may be */
    uint32_t pings;                     /* that the receiver sent */
    int wrong;
} story;

static size_t size_of(uint32_t number)
{
    static const size_t sizes[] = { 0,    1,     121,   122,   125,   600,
                                    4000, 16380, 16384, 16390, 33000, MOST };
    uint64_t s = number & 0x7FFFFFFFu;
    uint32_t k = dice(&s, 64);
    return 4 + (k < 40   ? dice(&s, 300)
                : k < 60 ? sizes[dice(&s, 8)]
                         : sizes[dice(&s, 11)]);
}

/* The message of a number; for one at a time. */
static const unsigned char *message(uint32_t number, size_t *n)
{
    static unsigned char text[MOST + 1000];
    *n = size_of(number);
    memcpy(text, pattern + number % 997, *n);
    memcpy(text, &number, 4);
    return text;
}

static void heard(story *t, const ws_event *ev)
{
    uint32_t number;
    size_t n;

    if (ev->type == WS_EV_PONG) {
        if (ev->size != 4) return;
        memcpy(&number, ev->data, 4);
        if (!number || number > t->pings) t->wrong++;
    }
    if (ev->type != WS_EV_MESSAGE) return;
    if (ev->size < 4) { t->wrong++; return; }
    memcpy(&number, ev->data, 4);
    if (memcmp(message(number, &n), ev->data, ev->size) || n != ev->size)
        t->wrong++, printf("content %u\n", number);
    if (number & 0x80000000u) {
        if (number <= t->seen || number > t->valued)
            t->wrong++, printf("value %u after %u of %u\n", number, t->seen, t->valued);
        t->seen = number;
    } else {
        if (number <= t->heard || number > t->said ||
            (!t->lost && number != t->heard + 1))
            t->wrong++, printf("message %u after %u of %u\n", number, t->heard, t->said);
        t->heard = number;
        t->count++;
    }
}

/* One thing to say, told in t; mine: what c hears. What is refused was not said. */
static void say(ws_conn *c, story *t, story *mine, uint64_t *r, int values)
{
    uint32_t number, k = dice(r, 10);
    const unsigned char *p;
    size_t n;

    if (k < 2) {
        number = mine->pings + 1;
        if (!ws_ping(c, &number, 4)) mine->pings++;
    } else if (k < 5 && values) {
        if (!t->valued) t->valued = t->seen = 0x80000000u;
        number = t->valued + 1;
        p = message(number, &n);
        if (!ws_send_latest(c, 3, WS_OP_BINARY, p, n)) t->valued++;
    } else {
        number = t->said + 1;
        p = message(number, &n);
        if (!ws_send(c, WS_OP_BINARY, p, n)) t->said++;
    }
}

/* ---- two ends in memory ---- */

typedef struct way {            /* one direction */
    unsigned char *p;
    size_t at, n, cap, room;    /* bytes p[at..n), room for so many */
    long total;                 /* bytes that went in */
    long cut;                   /* after so many it ends, -1: never ... */
    int how;                    /* ... by WS_IO_ERROR, or 0: as if closed */
    long bad;                   /* this byte is changed, -1: none */
    int closed;
} way;

typedef struct place {          /* one end */
    ws_conn *c;
    way *in, *out;
    uint64_t r;
    uint32_t most, busy, flip;  /* bytes per call, 0: all; percent of calls */
    int opens, closes, code, clean, error, closed;
    int owed;                   /* a read was told to wait for room, and there was some */
    char reason[200];
    story mine;                 /* what arrives here */
} place;

typedef struct duo {           /* what to do, and what came of it */
    uint64_t seed;
    ws_tls *trust, *own;
    uint32_t most, busy, flip;
    size_t room;
    int talks, values, drops, server_ends, no_cert_host;
    long cut[2], bad[2];        /* of what [0] the client, [1] the server sends */
    int how;
    ws_config *client, *server; /* further settings, or NULL */
    way ways[2];
    place ends[2];
    long turns;
    int idle, stalled;          /* so often nobody had anything to do */
} duo;

static ptrdiff_t place_read(void *user, void *buf, size_t n)
{
    place *p = (place *)user;
    way *w = p->in;

    CHECK(!p->closed);
    p->owed = p->flip && dice(&p->r, 100) < p->flip &&
              p->out->n - p->out->at < p->out->room;
    if (p->owed) return WS_IO_WANT_WRITE;
    if (p->busy && dice(&p->r, 100) < p->busy) return WS_IO_WANT_READ;
    if (n > w->n - w->at) n = w->n - w->at;
    if (p->most && n > p->most) n = p->most;
    if (!n && w->cut >= 0 && w->total >= w->cut) return w->how;
    if (!n) return w->closed ? 0 : (ptrdiff_t)WS_IO_WANT_READ;
    memcpy(buf, w->p + w->at, n);
    w->at += n;
    if (w->at == w->n) w->at = w->n = 0;
    return (ptrdiff_t)n;
}

static ptrdiff_t place_write(void *user, const void *buf, size_t n)
{
    place *p = (place *)user;
    way *w = p->out;
    long at = w->total;

    CHECK(!p->closed);
    if (p->flip && dice(&p->r, 100) < p->flip && p->in->n > p->in->at)
        return WS_IO_WANT_READ;
    if (p->busy && dice(&p->r, 100) < p->busy) return p->r & 1 ? 0 : WS_IO_WANT_WRITE;
    if (p->most && n > p->most) n = p->most;
    if (w->n - w->at >= w->room) return WS_IO_WANT_WRITE;
    if (n > w->room - (w->n - w->at)) n = w->room - (w->n - w->at);
    if (w->cut >= 0 && at >= w->cut && w->how) return w->how;
    if (w->n + n > w->cap) {
        memmove(w->p, w->p + w->at, w->n - w->at);
        w->n -= w->at;
        w->at = 0;
        w->cap = w->n + n + 1000;
        w->p = (unsigned char *)realloc(w->p, w->cap);
    }
    w->total += (long)n;
    if (w->cut >= 0 && w->total > w->cut) {     /* what is too much is lost on the way */
        size_t kept = at < w->cut ? (size_t)(w->cut - at) : 0;
        memcpy(w->p + w->n, buf, kept);
        w->n += kept;
    } else {
        memcpy(w->p + w->n, buf, n);
        if (w->bad >= at && w->bad < at + (long)n)
            w->p[w->n + (size_t)(w->bad - at)] ^= 0x20;
        w->n += n;
    }
    return (ptrdiff_t)n;
}

static void place_close(void *user)
{
    place *p = (place *)user;
    CHECK(!p->closed);
    p->closed = p->out->closed = 1;
}

static void place_events(place *p)
{
    ws_event ev;

    while (p->c && ws_next(p->c, &ev)) {
        CHECK(!p->closes);
        heard(&p->mine, &ev);
        if (ev.type == WS_EV_OPEN) p->opens++;
        if (ev.type != WS_EV_CLOSE) continue;
        p->closes++;
        p->code = ev.code;
        p->clean = ev.clean;
        p->error = ev.error;
        snprintf(p->reason, sizeof p->reason, "%s", ev.reason);
    }
    if (!p->closes) return;
    ws_free(p->c);              /* now the peer hears that it is over */
    p->c = NULL;
}

/* One step if the transport is as the library wants it. */
static int place_turn(place *p)
{
    int wants, ready = 0;

    if (!p->c || p->closes) return 0;
    wants = ws_wants(p->c);
    if (p->in->n > p->in->at || p->in->closed ||
        (p->in->cut >= 0 && p->in->total >= p->in->cut))
        ready |= WS_WANT_READ;
    if (p->owed || p->out->n - p->out->at < p->out->room) ready |= WS_WANT_WRITE;
    if (!(wants & ready) && ws_timeout(p->c) != 0) return 0;
    ws_step(p->c);
    return 1;
}

static void duo_begin(duo *d)
{
    int i;

    for (i = 0; i < 2; i++) {
        place *p = &d->ends[i];
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        if (i == 0 && d->client) cfg = *d->client;
        if (i == 1 && d->server) cfg = *d->server;
        memset(p, 0, sizeof *p);
        memset(&d->ways[i], 0, sizeof d->ways[i]);
        d->ways[i].cap = 1000;
        d->ways[i].p = (unsigned char *)malloc(1000);
        d->ways[i].cut = d->cut[i];
        d->ways[i].bad = d->bad[i];
        d->ways[i].how = d->how;
        d->ways[i].room = d->room ? d->room : 100000;
        p->out = &d->ways[i];
        p->in = &d->ways[!i];
        p->r = d->seed * 2 + (uint64_t)i;
        p->most = d->most;
        p->busy = d->busy;
        p->flip = d->flip;
        p->mine.lost = (uint32_t)d->drops;
        cfg.io.read = place_read;
        cfg.io.write = place_write;
        cfg.io.close = place_close;
        cfg.io.user = p;
        cfg.drop_oldest = d->drops;
        if (d->drops || d->values) cfg.max_backlog = 60000;
        if (ws_tls_wrap(i ? d->own : d->trust, &cfg.io, i ? NULL : "localhost")) {
            cfg.io.close(cfg.io.user);
            continue;
        }
        p->c = i ? ws_adopt(NULL, (ws_socket)-1, NULL, 0, &cfg)
                 : ws_open("wss://localhost/", &cfg);
        if (!p->c) cfg.io.close(cfg.io.user);
    }
}

static void duo_end(duo *d)
{
    int i;
    for (i = 0; i < 2; i++) {
        ws_free(d->ends[i].c);
        d->ends[i].c = NULL;
        CHECK_INT(d->ends[i].closed, 1);
        free(d->ways[i].p);
    }
}

/* Lets both talk, and close in the end. */
static void converse(duo *d)
{
    uint64_t r = d->seed ^ 0x1234567;
    int left[2] = { d->talks, d->talks }, ending = 0, i;

    duo_begin(d);
    d->idle = d->stalled = 0;
    for (d->turns = 0; d->turns < 3000000; d->turns++) {
        int any = 0;
        for (i = 0; i < 2; i++) {
            place *p = &d->ends[i];
            any |= place_turn(p);
            place_events(p);
            if (p->opens && !p->closes && left[i] && ws_buffered(p->c) < 150000) {
                left[i]--;
                say(p->c, &d->ends[!i].mine, &p->mine, &r, d->values);
                any = 1;
            }
        }
        for (i = 0; i < 2; i++) /* there was no memory for the other: this one is alone */
            if (!d->ends[i].c && !d->ends[i].closes && d->ends[!i].c)
                ws_drop(d->ends[!i].c), any = 1;
        if (!d->ends[0].c && !d->ends[1].c) break;
        if (any) continue;
        if (!left[0] && !left[1] && !ending && d->ends[0].opens && d->ends[1].opens) {
            ending = 1;
            ws_close(d->ends[d->server_ends].c, 1000, "done");
            continue;
        }
        if (d->idle++ < 6) {            /* time passes */
            skipped += 11000;
            continue;
        }
        d->stalled = 1;
        break;
    }
    if (d->turns == 3000000) d->stalled = 2;
    for (i = 0; i < 2; i++) {
        const place *p = &d->ends[i];
        if (d->stalled)
            printf(
                "    stalled: end %d opens %d closes "
                "%d wants %d, waiting bytes in %d, out %d\n",
                i, p->opens, p->closes, ws_wants(p->c), (int)(p->in->n - p->in->at),
                (int)(p->out->n - p->out->at));
        CHECK_INT(d->ends[i].mine.wrong, 0);
    }
    CHECK_INT(d->stalled, 0);
    duo_end(d);
}

/* All of it arrived, and both ended well. */
static void all_well(duo *d)
{
    int i;
    CHECK_INT(d->idle, 0);
    for (i = 0; i < 2; i++) {
        const place *p = &d->ends[i];
        CHECK(p->opens == 1 && p->closes == 1 && p->clean && p->code == 1000 &&
              !p->error);
        if (!p->clean) printf("    end %d: %d \"%s\"\n", i, p->error, p->reason);
        if (!d->drops) CHECK_INT(p->mine.heard, p->mine.said);
        CHECK_INT(p->mine.seen, p->mine.valued);
    }
}

static void duo_fresh(duo *d, ws_tls *trust, ws_tls *own)
{
    memset(d, 0, sizeof *d);
    d->cut[0] = d->cut[1] = d->bad[0] = d->bad[1] = -1;
    d->trust = trust;
    d->own = own;
}

static ws_tls *trust, *own;

static void keys(void)
{
    size_t i;
    for (i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
    if (!trust) trust = tls_new("ca", NULL);
    if (!own) own = tls_new(NULL, "good");
}

static void keys_over(void)
{
    ws_tls_free(trust);
    ws_tls_free(own);
    trust = own = NULL;
    skipped = 0;
}

/* Short reads and writes, every WANT, small rooms: all of it arrives. */
TEST(sec_H5_tls_bytes)
{
    uint32_t most, flip, full;
    duo d;

    keys();
    for (most = 0; most < 4; most++)
        for (flip = 0; flip < 3; flip++)
            for (full = 0; full < 2; full++) {
                ws_tls *fresh = full ? tls_new("ca", NULL) : NULL;
                duo_fresh(&d, full ? fresh : trust, own);
                d.most = most;
                d.flip = flip == 2 ? 60 : 0;
                d.busy = flip ? 50 : 0;
                d.talks = 20;
                d.seed = 5;
                converse(&d);
                all_well(&d);
                ws_tls_free(fresh);
            }
    keys_over();
}

static void simulate(uint64_t seed)
{
    uint64_t r = seed * 77 + 1;
    int was = test_faults;
    duo d;

    duo_fresh(&d, trust, own);
    d.seed = seed;
    d.most = dice(&r, 3) ? 0 : 1 + dice(&r, 3000);
    d.busy = dice(&r, 2) ? 0 : 1 + dice(&r, 90);
    d.flip = dice(&r, 2) ? 0 : 1 + dice(&r, 90);
    d.room = dice(&r, 2) ? 100 + dice(&r, 3000) : 20000 + dice(&r, 40000);
    d.talks = 10 + (int)dice(&r, 60);
    d.values = (int)dice(&r, 2);
    d.drops = (int)dice(&r, 2);
    d.server_ends = (int)dice(&r, 2);
    converse(&d);
    all_well(&d);
    if (test_faults != was)
        printf(
            "    seed %d: WS_TEST_SEED=%d build/test/test_tls_faults sec_H5_tls_random\n",
            (int)seed, (int)seed);
}

/* Messages, values of slots, dropped ones, pings and pongs, over any transport. */
TEST(sec_H5_tls_random)
{
    const char *n = getenv("WS_TEST_SEEDS"), *one = getenv("WS_TEST_SEED");
    unsigned long seeds = n ? strtoul(n, NULL, 10) : 1000, i;

    keys();
    simulate(0); /* now there is a session, for whatever seed comes first */
    if (one) simulate(strtoul(one, NULL, 10));
    else for (i = 1; i <= seeds && test_faults < 20; i++) simulate(i);
    keys_over();
}

/* A conversation so small that each of its bytes can be the one. */
static void small(duo *d, ws_tls *mine)
{
    duo_fresh(d, mine, own);
    d->talks = 3;
    d->seed = 49;
}

#if MBEDTLS_VERSION_MAJOR > 2
#define EVERY 7         /* TLS 1.3 resumes sessions at the price of a key exchange */
#else
#define EVERY 1
#endif

/* Ended, reset, or with one bit wrong, at every byte of the handshake and of what
   follows: never anything but what was said, and both come to an end. */
TEST(sec_B9_tls_every_byte)
{
    long all[2][2], at;
    int side, what, full;
    duo d;

    keys();
    for (full = 0; full < 2; full++) { /* 0: a handshake that resumes a session */
        ws_tls *fresh = tls_new("ca", NULL);
        small(&d, full ? fresh : trust);
        converse(&d);
        if (!full) { small(&d, trust); converse(&d); }
        all_well(&d);
        all[full][0] = d.ways[0].total;
        all[full][1] = d.ways[1].total;
        ws_tls_free(fresh);
    }
    CHECK(all[0][1] < all[1][1] - 500 && all[0][0] > 300);
    for (full = 0; full < 2; full++)
        for (side = 0; side < 2; side++)
            for (what = 0; what < 3; what++)
                for (at = full ? what * 20 : 0; at < all[full][side] && test_faults < 20;
                     at += full ? 59 : EVERY) {
                    ws_tls *mine = full ? tls_new("ca", NULL) : trust;
                    int was = test_faults, i;
                    small(&d, mine);
                    if (what == 2)
                        d.bad[side] = at;
                    else
                        d.cut[side] = at;
                    d.how = what ? WS_IO_ERROR : 0;
                    converse(&d);
                    for (i = 0; i < 2; i++) {
                        const place *p = &d.ends[i];
                        CHECK_INT(p->closes, 1);
                        if (p->clean)
                            CHECK(p->mine.heard == p->mine.said &&
                                  p->mine.seen == p->mine.valued);
                        else
                            CHECK(p->error == WS_ERR_IO || p->error == WS_ERR_EOF ||
                                  p->error == WS_ERR_HANDSHAKE_TIMEOUT ||
                                  p->error == WS_ERR_CLOSE_TIMEOUT ||
                                  p->error == WS_ERR_PING_TIMEOUT);
                    }
                    /* the head of a ClientHello is not protected, the last words are
                       not waited for */
                    if (what == 2)
                        CHECK(!d.ends[!side].clean || at < 5 ||
                              at > all[full][side] - 40);
                    if (full)
                        ws_tls_free(mine);
                    if (was != test_faults)
                        printf(
                            "    full %d, side %d, what %d, at %ld "
                            "of %ld: client %d %d \"%s\", server %d %d \"%s\"\n",
                            full, side, what, at, all[full][side], d.ends[0].opens,
                            d.ends[0].error, d.ends[0].reason, d.ends[1].opens,
                            d.ends[1].error, d.ends[1].reason);
                }
    keys_over();
}

/* ---- a blocking client over memory ---- */

static duo *waited;
static int vain;                /* times in a row that waiting was of no use */

static void wait_memory(void *user, int wants, int timeout)
{
    place *p = (place *)user, *other = &waited->ends[1];
    int any = place_turn(other), ready = 0;

    place_events(other);
    if (p->in->n > p->in->at || p->in->closed) ready |= WS_WANT_READ;
    if (p->out->n - p->out->at < p->out->room) ready |= WS_WANT_WRITE;
    vain = any || (ready & wants) ? 0 : vain + 1;
    if (vain > 20) skipped += (uint64_t)(timeout < 0 ? 100000 : timeout);
}

/* Exact reads: what TLS holds already is never waited for. */
TEST(sec_H5_tls_blocking)
{
    int i, k;

    keys();
    for (k = 0; k < 40; k++) {
        uint64_t r = (uint64_t)k + 9, start = skipped;
        ws_config cfg;
        ws_event ev;
        place *p;
        duo d;

        duo_fresh(&d, trust, own);
        d.seed = (uint64_t)k;
        d.most = k % 3 ? dice(&r, 2000) : 0;
        d.room = k % 2 ? 3000 : 0;
        waited = &d;
        vain = 0;
        duo_begin(&d);
        p = &d.ends[0];
        ws_free(p->c);
        p->closed = 0;
        d.ways[0].closed = 0;
        d.ways[0].n = d.ways[0].at = 0;
        memset(&cfg, 0, sizeof cfg);
        cfg.io.read = place_read;
        cfg.io.write = place_write;
        cfg.io.close = place_close;
        cfg.io.wait = wait_memory;
        cfg.io.user = p;
        CHECK_INT(ws_tls_wrap(trust, &cfg.io, "localhost"), 0);
        p->c = ws_connect("wss://localhost/", &cfg);
        for (i = 0; i < 30 && !p->closes; i++) {
            say(p->c, &d.ends[1].mine, &p->mine, &r, 0);
            if (d.ends[1].c && d.ends[1].opens)
                say(d.ends[1].c, &p->mine, &d.ends[1].mine, &r, 0);
            if (i == 29) ws_close(p->c, 1000, "done");
            while (ws_recv(p->c, &ev, i == 29 ? 1000 : 0) > 0) {
                heard(&p->mine, &ev);
                p->opens += ev.type == WS_EV_OPEN;
                p->closes += ev.type == WS_EV_CLOSE;
                p->clean = ev.clean;
                if (ev.type == WS_EV_CLOSE) break;
            }
        }
        CHECK(p->opens == 1 && p->closes == 1 && p->clean);
        CHECK(skipped == start);
        CHECK_INT(p->mine.wrong + d.ends[1].mine.wrong, 0);
        CHECK(p->mine.heard == p->mine.said &&
              d.ends[1].mine.heard == d.ends[1].mine.said);
        for (i = 0; i < 10; i++) { place_turn(&d.ends[1]); place_events(&d.ends[1]); }
        CHECK_INT(d.ends[1].closes, 1);
        duo_end(&d);
    }
    keys_over();
}

/* ---- a client that wants to shake hands again ---- */

static int asker_send(void *user, const unsigned char *buf, size_t n)
{
    ptrdiff_t r = place_write(user, buf, n);
    return r > 0                  ? (int)r
           : r == WS_IO_WANT_READ ? MBEDTLS_ERR_SSL_WANT_READ
                                  : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int asker_recv(void *user, unsigned char *buf, size_t n)
{
    ptrdiff_t r = place_read(user, buf, n);
    return r >= 0                  ? (int)r
           : r == WS_IO_WANT_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
                                   : MBEDTLS_ERR_SSL_WANT_READ;
}

/* One turn of a client that is mbedTLS around the engine: 1 when something moved. */
static int asker_turn(place *p, mbedtls_ssl_context *ssl, size_t *pending)
{
    unsigned char buf[700];
    const void *out;
    size_t n;
    int r = mbedtls_ssl_read(ssl, buf, sizeof buf), any = r > 0;

    if (r > 0) CHECK_INT(ws_feed(p->c, buf, (size_t)r), r);
    out = ws_output(p->c, &n);
    if (*pending) n = *pending;
    if (n) {
        r = mbedtls_ssl_write(ssl, (const unsigned char *)out, n);
        *pending = r > 0 ? 0 : n;
        if (r > 0) ws_output_done(p->c, (size_t)r);
        any |= r > 0;
    }
    return any;
}

/* It is refused by a warning, which goes out between, and perhaps with, what is being
   written. */
TEST(renegotiation)
{
#ifdef MBEDTLS_SSL_RENEGOTIATION
    mbedtls_ssl_config set;
    uint64_t seed;
    long asked = 0;

    keys();
    mbedtls_ssl_config_init(&set);
    mbedtls_ssl_config_defaults(&set, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&set, ws__tls_random, &((ws__tls_keys *)(void *)own)->random);
    mbedtls_ssl_conf_authmode(&set, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_renegotiation(&set, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
    mbedtls_ssl_conf_renegotiation_enforced(&set, MBEDTLS_SSL_RENEGOTIATION_NOT_ENFORCED);
#if MBEDTLS_VERSION_MAJOR > 2
    mbedtls_ssl_conf_max_tls_version(&set, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
    for (seed = 1; seed <= 60 && test_faults < 20; seed++) {
        mbedtls_ssl_context ssl;
        uint64_t r = seed;
        size_t pending = 0;
        ws_config cfg;
        heap m;
        place *p, *q;
        int left = 40, again = 0, quiet = 0, was = test_faults;
        duo d;

        duo_fresh(&d, trust, own);
        memset(&m, 0, sizeof m);
        memset(&cfg, 0, sizeof cfg);
        d.seed = seed;
        d.room = 50 + dice(&r, 3000);
        d.most = 1 + dice(&r, 400);
        d.busy = dice(&r, 60);
        duo_begin(&d);
        p = &d.ends[0];
        q = &d.ends[1];
        ws_free(p->c);          /* the raw client takes its place */
        p->closed = d.ways[0].closed = 0;
        d.ways[0].n = d.ways[0].at = 0;
        cfg.random = metered_random;
        cfg.random_user = &m;
        p->c = ws_client_new("wss://localhost/", &cfg);
        mbedtls_ssl_init(&ssl);
        CHECK_INT(mbedtls_ssl_setup(&ssl, &set), 0);
        mbedtls_ssl_set_hostname(&ssl, NULL);
        mbedtls_ssl_set_bio(&ssl, p, asker_send, asker_recv, NULL);
        while (quiet < 2000 && !p->closes) {
            int any = asker_turn(p, &ssl, &pending);
            ws_event ev;
            while (p->c && ws_next(p->c, &ev)) {
                heard(&p->mine, &ev);
                p->opens += ev.type == WS_EV_OPEN;
                p->closes += ev.type == WS_EV_CLOSE;
                p->clean = ev.clean;
                any = 1;
            }
            any |= place_turn(q);
            place_events(q);
            if (q->c && q->opens && p->opens && left && ws_buffered(q->c) < 100000) {
                left--;
                say(q->c, &p->mine, &q->mine, &r, 0);
                if (left % 5 == 0 && !again) say(p->c, &q->mine, &p->mine, &r, 0);
            }
            if (p->opens && !again && !pending && q->mine.heard == q->mine.said &&
                dice(&r, 20) == 0) {
                int k = mbedtls_ssl_renegotiate(&ssl);
                CHECK(k == MBEDTLS_ERR_SSL_WANT_READ || k == MBEDTLS_ERR_SSL_WANT_WRITE ||
                      k == MBEDTLS_ERR_SSL_WAITING_SERVER_HELLO_RENEGO);
                again = 1;
                asked++;
            }
            quiet = any ? 0 : quiet + 1;
            if (!left && p->mine.heard == p->mine.said && q->mine.heard == q->mine.said)
                break;
        }
        CHECK_INT(p->mine.wrong + q->mine.wrong, 0);
        CHECK(!left && p->mine.heard == p->mine.said && q->mine.heard == q->mine.said);
        CHECK(!p->closes && !q->closes);
        if (was != test_faults)
            printf("    seed %d, left %d, heard %u of %u: %s, %s\n", (int)seed, left,
                   p->mine.heard, p->mine.said, ws_error_text(p->c), q->reason);
        mbedtls_ssl_free(&ssl);
        place_close(p);
        duo_end(&d);
    }
    CHECK(asked > 30);
    mbedtls_ssl_config_free(&set);
    keys_over();
#endif
}

/* ---- memory and random numbers that fail ---- */

/* Whatever failed: what arrived was said, and each end that there was came to its end. */
static void survived(duo *d)
{
    int i;
    for (i = 0; i < 2; i++) {
        const place *p = &d->ends[i];
        CHECK(p->closes == 1 || !p->c);
        if (p->clean) CHECK(p->mine.heard == p->mine.said);
        if (p->closes && !p->clean)
            CHECK(p->code == 1000 || (p->error && p->reason[0])); /* 1000: it had come */
    }
}

/* The library's own memory: cfg.alloc fails at every place, once and from then on. */
TEST(sec_H2_tls_alloc)
{
    int all, runs = 0;
    long n;

    keys();
    for (all = 0; all < 2; all++) for (n = 1; n < 1000; n++) {
        ws_config cfg;
        heap m;
        duo d;
        small(&d, trust);
        memset(&m, 0, sizeof m);
        memset(&cfg, 0, sizeof cfg);
        m.fail_at = n;
        m.fail_all = all;
        cfg.alloc = heap_alloc;
        cfg.alloc_user = &m;
        d.client = d.server = &cfg;
        d.values = 1;
        converse(&d);
        CHECK_INT(m.live, 0);
        survived(&d);
        runs++;
        if (!m.failed) { all_well(&d); break; }
    }
    CHECK(runs > 40 && n < 1000);
    keys_over();
}

/* The keys of frames cannot be had. */
TEST(sec_B10_tls_random)
{
    ws_config cfg;
    heap m;
    duo d;
    long n;

    keys();
    for (n = 1; n < 100; n++) {
        small(&d, trust);
        memset(&m, 0, sizeof m);
        memset(&cfg, 0, sizeof cfg);
        m.fail_at = n;
        cfg.random = metered_random;
        cfg.random_user = &m;
        d.client = &cfg;
        converse(&d);
        if (!m.failed) break;
        survived(&d);
        CHECK(n == 1 ? d.ends[0].error == WS_ERR_RANDOM : d.ends[0].closes == 1);
    }
    CHECK(n > 3 && n < 100);
    keys_over();
}

/* A small conversation with new certificates: everything that mbedTLS allocates. */
static void everything(long fail_at, int fail_all)
{
    size_t live = tls_heap.live;
    duo d;
    int i;

    tls_heap.failed = 0;
    tls_heap.fail_all = fail_all;
    tls_heap.fail_at = fail_at ? tls_heap.calls + fail_at : 0;
    trust = own = NULL;
    {
        ws_tls_config set;
        memset(&set, 0, sizeof set);
        set.ca = pem("ca");
        trust = ws_tls_new(&set);
        memset(&set, 0, sizeof set);
        set.cert = pem("good");
        set.key = key("good");
        own = ws_tls_new(&set);
    }
    for (i = 0; i < 2; i++) {                   /* the second one resumes a session */
        if (ws_tls_error_text(trust)[0] || ws_tls_error_text(own)[0]) {
            CHECK(tls_heap.failed > 0);
            break;
        }
        small(&d, trust);
        converse(&d);
        survived(&d);
        if (!tls_heap.failed) all_well(&d);
        /* one failure is not for ever */
        if (i && !fail_all) CHECK(d.ends[0].clean || tls_heap.failed);
    }
    tls_heap.fail_at = 0;
    ws_tls_free(trust);
    ws_tls_free(own);
    trust = own = NULL;
    CHECK_INT(tls_heap.live, live);
    if (tls_heap.live != live)
        printf("    %d bytes lost, allocation %ld, all %d\n", (int)(tls_heap.live - live),
               fail_at, fail_all);
}

/* mbedTLS's memory: it fails at every place at first, later at places that become
   rarer. */
TEST(sec_H2_tls_memory)
{
#ifdef WRAPPED
    long before, total, n;
    int all;

    keys();
    keys_over();
    everything(0, 0);           /* what is allocated once and for ever */
    before = tls_heap.calls;
    everything(0, 0);
    total = tls_heap.calls - before;
    CHECK(total > 500);
    printf("  %ld allocations\n", total);
    for (all = 0; all < 2; all++)
        for (n = 1; n <= total && test_faults < 20;
             n += 1 + (n > 300 ? n / 40 : 0) * (all + 1))
            everything(n, all);
#else
    printf("SKIP mbedTLS's memory fails: its static libraries are not there\n");
#endif
}

/* Its random numbers: handshakes fail with words, or go on. */
TEST(sec_B10_tls_numbers)
{
#ifdef WRAPPED
    long n, all = 0;
    duo d;

    keys();
    for (n = 0; n == 0 || n <= all; n += 1 + n / 10) {
        small(&d, n % 2 ? trust : tls_new("ca", NULL));
        memset(&numbers, 0, sizeof numbers);
        numbers.fail_at = n;
        converse(&d);
        numbers.fail_at = 0;
        if (n % 2 == 0) ws_tls_free(d.trust);
        if (!n) all = numbers.calls;
        survived(&d);
        if (n && n < all / 2) CHECK(!d.ends[0].clean);
    }
    CHECK(all > 5);
    keys_over();
#else
    printf("SKIP mbedTLS's random numbers fail: its static libraries are not there\n");
#endif
}

/* ---- the loop: shared frames, values, dropped messages, slow peers ---- */

static uint32_t told;           /* the number of the last message of the server */
static story heard_by[3], heard_at_server;
static end watchers[3], server;

static void loop_app(end *e, const ws_event *ev)
{
    int i;
    for (i = 0; i < 3; i++) if (e == &watchers[i]) {
        heard_by[i].said = told & 0x7FFFFFFF;
        heard_by[i].valued = told | 0x80000000u;
        heard(&heard_by[i], ev);
    }
    if (e == &server && ev->type == WS_EV_OPEN) ws_join(ev->conn, "all");
    if (e != &server || ev->type != WS_EV_MESSAGE) return;
    heard(&heard_at_server, ev);
    for (i = 0; i < 3; i++) {       /* more than is written at once; a ping may be next */
        size_t n;
        const unsigned char *p = message(++told, &n);
        ws_send(ev->conn, WS_OP_BINARY, p, n);
    }
}

static void slow_socket(void *user, intptr_t fd)
{
    int n = 4096;
    (void)user;
    setsockopt((int)fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
}

/* Bytes that wait at the servers. */
static size_t waiting(void)
{
    size_t n = 0;
    ws_conn *c = NULL;
    while ((c = ws_each(loop, c)) != NULL) if (!ws_is_client(c)) n += ws_buffered(c);
    return n;
}

static void loop_once(uint64_t seed)
{
    uint64_t r = seed;
    int i, k, l, was = test_faults;
    ws_conn *x[3], *c = NULL;
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    memset(heard_by, 0, sizeof heard_by);
    memset(&heard_at_server, 0, sizeof heard_at_server);
    memset(&server, 0, sizeof server);
    told = 0;
    app = loop_app;
    cfg.user = &server;
    cfg.tls = own;
    cfg.max_backlog = 200000;
    cfg.drop_oldest = (int)(seed % 2);
    l = listen_on(&cfg);
    for (i = 0; i < 3; i++) {
        cfg = client_config(&watchers[i]);
        cfg.on_socket = slow_socket;
        cfg.tls = trust;
        heard_by[i].lost = 1;
        x[i] = visit(i == 0   ? LOOP
                     : i == 1 ? OWN
                              : BLOCKING,
                     url_of("wss", "localhost", l), &cfg);
    }
    UNTIL(watchers[0].opens && watchers[1].opens && watchers[2].opens &&
              server.opens == 3,
          3000);
    line.most = seed % 3 ? 1 + dice(&r, 3000) : 0;
    line.busy = seed % 4 ? dice(&r, 80) : 0;
    line.seed = seed;
    for (k = 0; k < 60; k++) {
        const unsigned char *p;
        size_t n;
        switch (dice(&r, 8)) {
        case 0: case 1: case 2:
            p = message(++told, &n);
            ws_publish(loop, "all", NULL, WS_OP_BINARY, p, n);
            break;
        case 3:
            p = message(++told, &n);
            ws_broadcast(loop, NULL, WS_OP_BINARY, p, n);
            break;
        case 4:
            p = message(++told | 0x80000000u, &n);
            ws_publish_latest(loop, "all", 1, WS_OP_BINARY, p, n);
            break;
        case 5:
            for (c = NULL; (c = ws_each(loop, c)) != NULL;) {
                if (ws_is_client(c)) continue;
                p = message(++told, &n);
                ws_send(c, WS_OP_BINARY, p, n);
            }
            break;
        case 6:
            for (i = 0; i < 3; i++)
                if (watchers[i].c) {
                    uint32_t ping = ++heard_by[i].pings;
                    ws_ping(watchers[i].c, &ping, 4);
                }
            break;
        default:
            if (watchers[1].c) {
                p = message(heard_at_server.said + 1, &n);
                if (!ws_send(watchers[1].c, WS_OP_BINARY, p, n)) heard_at_server.said++;
                ws_ping(watchers[1].c, "", 0);
            }
            if (dice(&r, 2)) ws_pause(watchers[1].c);
            else ws_resume(watchers[1].c);
        }
        if (dice(&r, 3)) turn();
    }
    ws_resume(watchers[1].c);
    UNTIL(!waiting() && heard_at_server.heard == heard_at_server.said, 5000);
    told++;
    for (c = NULL; (c = ws_each(loop, c)) != NULL;) {
        size_t n;
        const unsigned char *p = message(told, &n);
        if (!ws_is_client(c)) CHECK_INT(ws_send(c, WS_OP_BINARY, p, n), 0);
    }
    UNTIL(heard_by[0].heard == told && heard_by[1].heard == told &&
              heard_by[2].heard == told,
          5000);
    for (i = 0; i < 3; i++) if (!watchers[i].closes) ws_close(x[i], 1000, "done");
    UNTIL(watchers[0].closes && watchers[1].closes && watchers[2].closes &&
              server.closes == 3,
          3000);
    for (i = 0; i < 3; i++) {
        CHECK(watchers[i].clean);
        CHECK_INT(heard_by[i].wrong, 0);
        if (!watchers[i].clean)
            printf("    client %d: %d \"%s\"\n", i, watchers[i].error,
                   watchers[i].reason);
        leave(&watchers[i], x[i]);
    }
    CHECK(server.clean);
    CHECK_INT(heard_at_server.wrong, 0);
    CHECK_INT(heard_at_server.heard, heard_at_server.said);
    over();
    if (test_faults != was)
        printf(
            "    seed %d: WS_TEST_SEED=%d build/test/test_tls_faults sec_H5_tls_loop\n",
            (int)seed, (int)seed);
}

TEST(sec_H5_tls_loop)
{
    const char *one = getenv("WS_TEST_SEED");
    unsigned long i;

    keys();
    if (one) loop_once(strtoul(one, NULL, 10));
    else for (i = 1; i <= 60 && test_faults < 20; i++) loop_once(i);
    keys_over();
}

/* ---- floods of handshakes ---- */

#define FLOOD 1000

typedef struct buf_of { char p[4096]; size_t n; } buf_of;

/* Connections that say nothing, half a greeting, or nonsense: they cost little, and they
   end. Returns the ms of processor time that another one's message took at most. */
static double flood_once(const char *what, size_t n, size_t bound)
{
    static int fd[FLOOD];
    struct sockaddr_in a;
    ws_config cfg;
    ws_conn *x;
    size_t before, most = 0;
    double slowest = 0;
    heap m;
    int i, k, l, files = open_files();

    memset(&m, 0, sizeof m);
    memset(&cfg, 0, sizeof cfg);
    memset(&server, 0, sizeof server);
    cfg.user = &server;
    cfg.tls = own;
    cfg.handshake_timeout = 30000;
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &m;
    l = listen_on(&cfg);
    cfg = client_config(&watchers[0]);
    cfg.tls = trust;
    x = visit(OWN, url_of("wss", "localhost", l), &cfg);
    UNTIL(watchers[0].opens, 2000);
    before = tls_heap.live + m.now;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)ws_listen_port(loop, l));
    for (i = 0; i < FLOOD; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_INT(connect(fd[i], (struct sockaddr *)&a, sizeof a), 0);
        if (n) CHECK_INT(send(fd[i], what, n, MSG_NOSIGNAL), n);
        if (i % 50) continue;
        for (k = 0; k < 1 + (i == FLOOD - 50) * 20; k++) {
            int had = watchers[0].messages;
            double t = cpu_ms();
            ws_send_text(x, "are you there?");
            UNTIL(watchers[0].messages > had, 2000);
            t = cpu_ms() - t;
            if (t > slowest) slowest = t;
            if (tls_heap.live + m.now - before > most)
                most = tls_heap.live + m.now - before;
        }
    }
    printf(
        "  %d bytes each: %.1f ms, %d bytes of memory per connection, %d failed "
        "already\n",
        (int)n, slowest, (int)(most / FLOOD), server.closes);
    CHECK(!tls_heap.calls || most / FLOOD < bound);
    UNTIL((int)ws_loop_count(loop) + server.closes == FLOOD + 1, 2000);
    skipped += 31000;
    UNTIL(server.closes == FLOOD, 5000);
    CHECK(server.error == WS_ERR_HANDSHAKE_TIMEOUT || server.error == WS_ERR_TLS);
    if (server.error == WS_ERR_HANDSHAKE_TIMEOUT)
        CHECK(strstr(server.reason, "the TLS handshake did not finish") != NULL);
    CHECK(watchers[0].opens == 1 && !watchers[0].closes);
    CHECK(tls_heap.live + m.now - before < 5000 || !tls_heap.calls);
    for (i = 0; i < FLOOD; i++) close(fd[i]);
    leave(&watchers[0], x);
    over();
    CHECK_INT(m.live, 0);
    CHECK_INT(open_files(), files);
    return slowest;
}

/* Others do not wait for them. A machine under load is slow once; who makes others wait
   does so each time. */
static void flood(const char *what, size_t n, size_t bound)
{
    double slowest = flood_once(what, n, bound);

    if (slowest >= 50) slowest = flood_once(what, n, bound);
    CHECK(slowest < 50);
}

static buf_of hello;

static ptrdiff_t hello_write(void *user, const void *buf, size_t n)
{
    (void)user;
    CHECK(hello.n + n <= sizeof hello.p);
    memcpy(hello.p + hello.n, buf, n);
    hello.n += n;
    return (ptrdiff_t)n;
}

static ptrdiff_t hello_read(void *user, void *buf, size_t n)
{
    (void)user;
    (void)buf;
    (void)n;
    return WS_IO_WANT_READ;
}

TEST(sec_B9_flood)
{
    struct rlimit many;
    char byte;
    ws_io io;

    getrlimit(RLIMIT_NOFILE, &many);
    if (many.rlim_max != RLIM_INFINITY && many.rlim_max < 2 * FLOOD + 100) {
        printf("SKIP sec_B9_flood: it needs %d descriptors\n", 2 * FLOOD + 100);
        return;
    }
    if (many.rlim_cur < 2 * FLOOD + 100) {
        many.rlim_cur = 2 * FLOOD + 100;
        setrlimit(RLIMIT_NOFILE, &many);
    }
    keys();
    memset(&io, 0, sizeof io);
    io.read = hello_read;
    io.write = hello_write;
    CHECK_INT(ws_tls_wrap(trust, &io, "localhost"), 0);
    CHECK_INT(io.read(io.user, &byte, 1), WS_IO_WANT_READ);
    io.close(io.user);
    CHECK(hello.n > 100);
    flood("", 0, 2000);
    flood(hello.p, 1, 60000);
    flood(hello.p, hello.n / 2, 60000);
    flood("\x16\x03\x01\x40\x00 and then nonsense that is no ClientHello", 40, 60000);
    flood("nonsense", 8, 2000);
    keys_over();
}

TESTS(T(sec_H5_tls_bytes) T(sec_H5_tls_random) T(sec_B9_tls_every_byte)
      T(sec_H5_tls_blocking) T(renegotiation) T(sec_H2_tls_alloc) T(sec_B10_tls_random)
      T(sec_H2_tls_memory) T(sec_B10_tls_numbers) T(sec_H5_tls_loop) T(sec_B9_flood))
#endif

/* Helpers of the tests that drive the engine alone: a counting and failing allocator, a
   repeatable source of random numbers, frames made and checked without the library's own
   code, and a "side": one connection with everything it said. Include after ws.h and test.h. */
#ifndef ENGINE_H
#define ENGINE_H

/* ---- memory ---- */

typedef struct heap {
    size_t now, peak;           /* bytes */
    long live, calls, failed;
    long fail_at;               /* this allocation fails, 0: none */
    int fail_all;               /* and all after it */
    int forbid;                 /* every allocation is a fault */
} heap;

static inline void *heap_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    static const char magic[8] = { 'h', 'e', 'a', 'p', 'H', 'E', 'A', 'P' };
    heap *h = (heap *)user;
    uint8_t *o = old ? (uint8_t *)old - 16 : NULL, *p = NULL;

    if (o) {
        size_t have = 0;
        memcpy(&have, o, sizeof have);
        CHECK_INT(have, old_size);
        CHECK(!memcmp(o + 8, magic, 8));
    }
    if (new_size) {
        h->calls++;
        if (h->forbid) test_fault(__FILE__, __LINE__, "no allocation allowed");
        if (h->fail_at && (h->calls == h->fail_at || (h->fail_all && h->calls > h->fail_at))) {
            h->failed++;
            return NULL;
        }
        p = (uint8_t *)malloc(16 + new_size);
        if (!p) abort();
        memset(p, 0, 16);
        memcpy(p, &new_size, sizeof new_size);
        memcpy(p + 8, magic, 8);
        if (o) memcpy(p + 16, old, old_size < new_size ? old_size : new_size);
        h->live++;
        h->now += new_size;
    }
    if (o) {
        h->live--;
        h->now -= old_size;
        free(o);
    }
    if (h->now > h->peak) h->peak = h->now;
    return p ? p + 16 : NULL;
}

/* From here on the peak counts. Returns what is taken now. */
static inline size_t heap_mark(heap *h) { return h->peak = h->now; }

/* ---- random numbers ---- */

typedef struct rng {
    uint64_t s;
    long draws, bytes, odd;     /* odd: draws that were not of 4 bytes */
    long fail_at;
    int fail_all;
    uint8_t *tape;              /* everything drawn, if room */
    size_t tape_n, tape_max;
} rng;

static inline uint64_t rng_next(uint64_t *s)
{
    uint64_t z = (*s += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint32_t rng_to(uint64_t *s, uint32_t below)
{
    return (uint32_t)(rng_next(s) >> 20) % below;
}

static inline int rng_fill(void *user, void *buf, size_t n)
{
    rng *r = (rng *)user;
    uint8_t *p = (uint8_t *)buf;
    size_t i;

    r->draws++;
    if (r->fail_at && (r->draws == r->fail_at || (r->fail_all && r->draws > r->fail_at)))
        return 1;
    r->bytes += (long)n;
    if (n != 4) r->odd++;
    for (i = 0; i < n; i++) {
        p[i] = (uint8_t)(rng_next(&r->s) >> 56);
        if (r->tape && r->tape_n < r->tape_max) r->tape[r->tape_n++] = p[i];
    }
    return 0;
}

typedef struct world {
    heap h;
    rng r;
    uint64_t now;
} world;

static inline void world_init(world *w)
{
    memset(w, 0, sizeof *w);
    w->r.s = 7;
    w->now = 1000;
}

/* What is set in with (NULL: nothing), with the memory and the random numbers of this world. */
static inline ws_config world_config_with(world *w, const ws_config *with)
{
    ws_config cfg;
    if (with) cfg = *with;
    else memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &w->h;
    cfg.random = rng_fill;
    cfg.random_user = &w->r;
    return cfg;
}

static inline ws_config world_config(world *w) { return world_config_with(w, NULL); }

/* The same of a world that begins here. */
static inline ws_config world_fresh(world *w)
{
    world_init(w);
    return world_config(w);
}

/* ---- growing bytes ---- */

typedef struct buf { char *p; size_t n, cap; } buf;

static inline void buf_add(buf *b, const void *data, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2 + 64;
        b->p = (char *)realloc(b->p, b->cap);
        if (!b->p) abort();
    }
    if (n) memcpy(b->p + b->n, data, n);
    b->n += n;
    b->p[b->n] = 0;
}

static inline void buf_str(buf *b, const char *s) { buf_add(b, s, strlen(s)); }
static inline void buf_byte(buf *b, int c) { char x = (char)c; buf_add(b, &x, 1); }
static inline void buf_int(buf *b, long long v)
{
    char t[32];
    sprintf(t, "%lld", v);
    buf_str(b, t);
}
static inline void buf_clear(buf *b) { b->n = 0; buf_add(b, "", 0); }
static inline void buf_free(buf *b) { free(b->p); memset(b, 0, sizeof *b); }
static inline const char *buf_c(buf *b) { if (!b->p) buf_add(b, "", 0); return b->p; }
static inline int buf_is(const buf *a, const buf *b)
{
    return a->n == b->n && (!a->n || !memcmp(a->p, b->p, a->n));
}

/* ---- SHA-1 and base64 of our own ---- */

static inline void my_sha1(const uint8_t *data, size_t n, uint8_t out[20])
{
    uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u }, w[80];
    size_t total = (n + 8) / 64 * 64 + 64, at, i;

    for (at = 0; at < total; at += 64) {
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f, k, t;
        for (i = 0; i < 64; i++) {
            size_t j = at + i;
            uint32_t v = j < n ? data[j] : j == n ? 0x80u : 0;
            if (j >= total - 8) v = (uint32_t)(((uint64_t)n * 8) >> (8 * (total - 1 - j))) & 255;
            w[i / 4] = i % 4 ? w[i / 4] << 8 | v : v;
        }
        for (i = 16; i < 80; i++) {
            t = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = t << 1 | t >> 31;
        }
        for (i = 0; i < 80; i++) {
            if (i < 20) { f = (b & c) | (~b & d); k = 0x5A827999u; }
            else if (i < 40) { f = b ^ c ^ d; k = 0x6ED9EBA1u; }
            else if (i < 60) { f = (b & c) | (b & d) | (c & d); k = 0x8F1BBCDCu; }
            else { f = b ^ c ^ d; k = 0xCA62C1D6u; }
            t = (a << 5 | a >> 27) + f + e + k + w[i];
            e = d; d = c; c = b << 30 | b >> 2; b = a; a = t;
        }
        h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
    }
    for (i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static inline void my_base64(const uint8_t *d, size_t n, char *out)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;
    for (i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)d[i] << 16;
        if (i + 1 < n) v |= (uint32_t)d[i + 1] << 8;
        if (i + 2 < n) v |= d[i + 2];
        *out++ = abc[v >> 18];
        *out++ = abc[v >> 12 & 63];
        *out++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? abc[v & 63] : '=';
    }
    *out = 0;
}

static inline void my_accept(const char *key, size_t n, char out[29])
{
    uint8_t t[128], d[20];
    if (n > 80) n = 80;
    memcpy(t, key, n);
    memcpy(t + n, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    my_sha1(t, n + 36, d);
    my_base64(d, 20, out);
}

/* ---- frames to feed ---- */

static inline char fill_at(size_t i) { return (char)('a' + i % 23); }

/* A frame: first byte, payload, masked or not; form 0: shortest length, 2 or 8: that many
   bytes of extended length whatever the size. */
static inline void put_frame(buf *b, int first, int masked, const void *data, size_t n, int form)
{
    static uint32_t turn;
    uint8_t head[14], *h = head, key[4];
    size_t i, at;
    int m = masked ? 0x80 : 0;

    *h++ = (uint8_t)first;
    if (!form) form = n > 65535 ? 8 : n > 125 ? 2 : 1;
    if (form == 1) *h++ = (uint8_t)(m | n);
    else {
        *h++ = (uint8_t)(m | (form == 2 ? 126 : 127));
        for (i = (size_t)form; i-- > 0;) *h++ = (uint8_t)(i < sizeof n ? n >> (8 * i) : 0);
    }
    turn = turn * 1664525u + 1013904223u;
    for (i = 0; i < 4; i++) key[i] = (uint8_t)(turn >> (8 * i));
    if (masked) { memcpy(h, key, 4); h += 4; }
    buf_add(b, head, (size_t)(h - head));
    at = b->n;
    buf_add(b, data, n);
    if (masked) for (i = 0; i < n; i++) b->p[at + i] = (char)(b->p[at + i] ^ key[i % 4]);
}

static inline void put_close(buf *b, int masked, int code, const char *reason)
{
    char t[130];
    size_t n = strlen(reason);
    t[0] = (char)(code >> 8);
    t[1] = (char)code;
    memcpy(t + 2, reason, n);
    put_frame(b, 0x88, masked, t, n + 2, 0);
}

/* ---- text of payloads, events and frames ---- */

static inline void show(buf *b, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t i;
    int fill = n > 16, print = 1;
    char t[8];

    for (i = 0; i < n; i++) {
        if (p[i] != (uint8_t)fill_at(i)) fill = 0;
        if (p[i] < 32 || p[i] > 126 || p[i] == '\'') print = 0;
        if (!fill && !print) break;
    }
    if (fill) { buf_str(b, "#"); buf_int(b, (long long)n); }
    else if (print && n <= 100) { buf_str(b, "'"); buf_add(b, data, n); buf_str(b, "'"); }
    else if (n <= 64) {
        buf_str(b, "x");
        for (i = 0; i < n; i++) { sprintf(t, "%02x", p[i]); buf_str(b, t); }
    } else {
        uint32_t sum = 0;
        for (i = 0; i < n; i++) sum = sum * 31 + p[i];
        buf_str(b, "?"); buf_int(b, (long long)n); buf_str(b, ":"); buf_int(b, sum);
    }
}

static inline const char *error_name(int e)
{
#define ENGINE_NAME(name, tell, text) case WS_ERR_##name: return #name;
    switch (e) {
    case 0: return "OK";
    WS_ERRORS(ENGINE_NAME)
    }
    return "?";
}

static inline int error_tell(int e)
{
#define ENGINE_TELL(name, tell, text) case WS_ERR_##name: return tell;
    switch (e) { WS_ERRORS(ENGINE_TELL) }
    return 0;
}

/* A parser of what we send, written from RFC 6455 alone. Says every frame in text and faults
   what is not allowed for the role. Returns the bytes of whole frames. */
typedef struct frames {
    long n, data, pings, pongs, closes;
    int close_code;         /* -1 none, 1005 empty */
    char reason[128];
    size_t reason_n;
    uint8_t last_pong[125];
    size_t last_pong_n;
    long newest;            /* the greatest number a pong begins with */
} frames;

static inline size_t check_frames(const void *stream, size_t n, int from_client, frames *f,
                                  buf *text)
{
    const uint8_t *p = (const uint8_t *)stream;
    size_t at = 0;
    int open = 0;
    buf body = { 0 };

    memset(f, 0, sizeof *f);
    f->close_code = -1;
    while (n - at >= 2) {
        size_t h = 2, i;
        uint64_t len = p[at + 1] & 127;
        int op = p[at] & 15, fin = p[at] >> 7, masked = p[at + 1] >> 7;
        const uint8_t *key = NULL;
        char t[8];

        CHECK(!(p[at] & 0x70));
        CHECK(op <= 2 || (op >= 8 && op <= 10));
        CHECK_INT(masked, from_client);
        if (len == 126) {
            h = 4;
            if (n - at < h) break;
            len = (uint64_t)p[at + 2] << 8 | p[at + 3];
            CHECK(len > 125);
        } else if (len == 127) {
            h = 10;
            if (n - at < h) break;
            for (len = 0, i = 2; i < 10; i++) len = len << 8 | p[at + i];
            CHECK(len > 65535 && !(len >> 63));
        }
        if (masked) { key = p + at + h; h += 4; }
        if (n - at < h || n - at - h < len) break;
        CHECK(!f->closes || op == 9 || op == 10);       /* after Close no data, no other Close */
        if (op >= 8) CHECK(fin && len <= 125);
        else { CHECK(open ? op == 0 : op != 0); open = !fin; f->data++; }
        buf_clear(&body);
        buf_add(&body, p + at + h, (size_t)len);
        if (key) for (i = 0; i < len; i++) body.p[i] = (char)(body.p[i] ^ key[i % 4]);
        f->n++;
        if (op == 9) f->pings++;
        if (op == 10) {
            f->pongs++;
            f->last_pong_n = (size_t)len;
            if (len <= 125) memcpy(f->last_pong, body.p, (size_t)len);
            if (len <= 125 && atol(body.p) > f->newest) f->newest = atol(body.p);
        }
        if (op == 8) {
            f->closes++;
            f->close_code = 1005;
            CHECK(len != 1);
            if (len >= 2) {
                f->close_code = (uint8_t)body.p[0] << 8 | (uint8_t)body.p[1];
                f->reason_n = (size_t)len - 2;
                memcpy(f->reason, body.p + 2, f->reason_n);
                f->reason[f->reason_n] = 0;
                CHECK((f->close_code >= 1000 && f->close_code <= 1003) ||
                      (f->close_code >= 1007 && f->close_code <= 1014) ||
                      (f->close_code >= 3000 && f->close_code <= 4999));
            }
        }
        if (text) {
            sprintf(t, "%02x", p[at]);
            buf_str(text, t);
            if (op == 8) { if (f->close_code != 1005) { buf_str(text, ":"); buf_int(text, f->close_code); } }
            else show(text, body.p, (size_t)len);
            buf_str(text, " ");
        }
        at += h + (size_t)len;
    }
    buf_free(&body);
    return at;
}

/* ---- a side ---- */

typedef struct side side;
struct side {
    world *w;
    ws_conn *c;
    int client;
    buf out, log;
    size_t head;                /* bytes of out before the first frame */
    int opened, closed, http, writable, asked;
    long messages, parts, pings, pongs;
    int part_op;                /* of the message that comes in parts, 0: none */
    int code, clean, error;     /* of CLOSE */
    char reason[200];
    size_t budget;              /* bytes per write, 0: all */
    int hold;                   /* take no output */
    int quiet;                  /* keep no log */
    void (*event)(side *s, const ws_event *ev);
    void *user;
    int mode;
};

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define REQUEST "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define URL "ws://example.com/chat?x=1"

/* Writes at most so many of the bytes that wait. Returns how many. */
static inline size_t side_write(side *s, size_t most)
{
    size_t n;
    const void *p = ws_output(s->c, &n);

    CHECK(p != NULL);
    if (n > most) n = most;
    if (!n) return 0;
    buf_add(&s->out, p, n);
    ws_output_done(s->c, n);
    return n;
}

static inline void side_output(side *s)
{
    while (s->c && !s->hold && side_write(s, s->budget ? s->budget : (size_t)-1)) { }
}

static inline void side_log(side *s, const ws_event *ev)
{
    buf *b = &s->log;
    if (s->quiet && ev->type != WS_EV_CLOSE) return;
    switch (ev->type) {
    case WS_EV_REQUEST: buf_str(b, "R"); break;
    case WS_EV_OPEN: buf_str(b, "O"); break;
    case WS_EV_HTTP: buf_str(b, "H"); break;
    case WS_EV_WRITABLE: buf_str(b, "W"); break;
    case WS_EV_MESSAGE:
        buf_str(b, ev->op == WS_OP_TEXT ? "T" : "B");
        show(b, ev->data, ev->size);
        break;
    case WS_EV_PART:            /* P< first, P> last */
        buf_str(b, ev->op == WS_OP_TEXT ? "PT" : "PB");
        if (ev->first) buf_str(b, "<");
        if (ev->last) buf_str(b, ">");
        show(b, ev->data, ev->size);
        break;
    case WS_EV_PING: buf_str(b, "p"); show(b, ev->data, ev->size); break;
    case WS_EV_PONG: buf_str(b, "q"); show(b, ev->data, ev->size); break;
    case WS_EV_CLOSE:
        buf_str(b, "C");
        buf_int(b, ev->code);
        if (ev->error) { buf_str(b, "!"); buf_str(b, error_name(ev->error)); }
        else { buf_str(b, ev->clean ? "+" : "-"); show(b, ev->reason, strlen(ev->reason)); }
        break;
    default: buf_str(b, "??"); break;
    }
    buf_str(b, " ");
}

/* One event; 0 if there is none. The grammar is checked. */
static inline int side_next(side *s)
{
    ws_event ev;

    if (!s->c) return 0;
    memset(&ev, 0xA5, sizeof ev);
    if (!ws_next(s->c, &ev)) return 0;
    CHECK(!s->closed);
    CHECK(ev.conn == s->c);
    CHECK(ev.size || !strcmp((const char *)ev.data, ""));
    switch (ev.type) {
    case WS_EV_REQUEST: CHECK(!s->asked && !s->opened && !s->http && !s->client); s->asked = 1; break;
    case WS_EV_OPEN: CHECK(!s->opened && !s->http); s->opened = 1; break;
    case WS_EV_HTTP: CHECK(!s->asked && !s->opened && !s->http && !s->client); s->http = 1; break;
    case WS_EV_CLOSE:
        s->closed = 1;
        s->code = ev.code; s->clean = ev.clean; s->error = ev.error;
        CHECK(ev.reason != NULL);
        if (ev.reason) { strncpy(s->reason, ev.reason, sizeof s->reason - 1); }
        CHECK(ev.code == 0 || (ev.code >= 1000 && ev.code <= 4999));
        CHECK_INT(ws_done(s->c), 1);
        break;
    default: CHECK(s->opened || s->http); break;
    }
    if (ev.type == WS_EV_MESSAGE) {
        s->messages++;
        CHECK(ev.data != NULL);
        CHECK(ev.op == WS_OP_TEXT || ev.op == WS_OP_BINARY);
        CHECK(ev.first == 1 && ev.last == 1 && !s->part_op);
    }
    if (ev.type == WS_EV_PART) {
        s->parts++;
        CHECK(ev.data != NULL);
        CHECK(ev.op == WS_OP_TEXT || ev.op == WS_OP_BINARY);
        CHECK_INT(ev.first, s->part_op == 0);
        CHECK(ev.first || ev.op == s->part_op);
        CHECK(ev.last == 0 || ev.last == 1);
        s->part_op = ev.last ? 0 : ev.op;
    }
    if (ev.type == WS_EV_PING) { s->pings++; CHECK(ev.data && ev.size <= 125); }
    if (ev.type == WS_EV_PONG) { s->pongs++; CHECK(ev.data && ev.size <= 125); }
    if (ev.type == WS_EV_WRITABLE) s->writable++;
    side_log(s, &ev);
    if (s->event) s->event(s, &ev);
    return 1;
}

static inline void side_pull(side *s)
{
    size_t before;

    do {                        /* what output lets go may bring the next event */
        side_output(s);
        while (side_next(s)) side_output(s);
        before = s->out.n;
        side_output(s);
    } while (s->out.n != before);
}

/* Feeds all, in one piece as far as the library takes it. Returns what was taken. */
static inline size_t side_feed(side *s, const void *data, size_t n)
{
    size_t done = 0, k;
    int idle = 0;
    char *copy = (char *)malloc(n ? n : 1);     /* exact: reading past the end faults */

    memcpy(copy, data, n);
    while (s->c && done < n) {
        k = ws_feed(s->c, copy + done, n - done);
        CHECK(k <= n - done);
        if (k > n - done) break;
        done += k;
        side_pull(s);
        if (k) idle = 0;
        else if (idle++ > 3) break;
    }
    free(copy);
    side_pull(s);
    return done;
}

/* The same in pieces of step bytes, 0: whole. */
static inline void side_feed_by(side *s, const void *data, size_t n, size_t step)
{
    size_t at;
    if (!step) side_feed(s, data, n);
    else for (at = 0; at < n; at += step)
        side_feed(s, (const char *)data + at, n - at < step ? n - at : step);
}

/* The same in two pieces, the first of cut bytes. */
static inline void side_feed_cut(side *s, const buf *b, size_t cut)
{
    side_feed(s, b->p, cut);
    side_feed(s, b->p + cut, b->n - cut);
}

/* Lets go what was held back. */
static inline void side_release(side *s)
{
    s->hold = 0;
    side_pull(s);
}

static inline void side_end(side *s)
{
    if (s->c) ws_feed_end(s->c);
    side_pull(s);
}

/* Lets ms pass, ticking when the library asks for it. Returns the ticks. */
static inline long side_time(side *s, uint64_t ms)
{
    uint64_t until = s->w->now + ms;
    long ticks = 0;

    while (s->c && s->w->now < until && ticks < 100000) {
        int t = ws_timeout(s->c);
        uint64_t step = until - s->w->now;
        if (t >= 0 && (uint64_t)t < step) step = t ? (uint64_t)t : 1;
        s->w->now += step;
        ws_tick(s->c, s->w->now);
        ticks++;
        side_pull(s);
    }
    CHECK(ticks < 100000);
    return ticks;
}

static inline void side_client_answer(buf *b, const buf *request, const char *extra)
{
    char accept[29] = "";
    size_t i;
    static const char name[] = "Sec-WebSocket-Key: ";

    for (i = 0; i + 43 <= request->n; i++)
        if (!memcmp(request->p + i, name, 19)) { my_accept(request->p + i + 19, 24, accept); break; }
    CHECK(accept[0]);
    buf_str(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    buf_str(b, accept);
    buf_str(b, "\r\n");
    if (extra) buf_str(b, extra);
    buf_str(b, "\r\n");
}

static inline size_t head_size(const buf *b)
{
    size_t i;
    for (i = 0; i + 4 <= b->n; i++)
        if (!memcmp(b->p + i, "\r\n\r\n", 4)) return i + 4;
    return 0;
}

static inline int side_new(side *s, world *w, int client, const ws_config *cfg)
{
    memset(s, 0, sizeof *s);
    s->w = w;
    s->client = client;
    s->c = client ? ws_client_new(URL, cfg) : ws_server_new(cfg);
    if (s->c) ws_tick(s->c, w->now);
    return s->c != NULL;
}

/* Opens a client that has sent its request; extra: more lines of the answer, or NULL. */
static inline void side_answer(side *s, const char *extra)
{
    buf answer = { 0 };
    side_client_answer(&answer, &s->out, extra);
    s->head = s->out.n;
    side_feed(s, answer.p, answer.n);
    buf_free(&answer);
}

/* A connection past its opening handshake. */
static inline void side_open(side *s, world *w, int client, const ws_config *cfg)
{
    ws_config mine;

    if (!cfg) { mine = world_config(w); cfg = &mine; }
    side_new(s, w, client, cfg);
    side_pull(s);
    if (client) side_answer(s, NULL);
    else {
        side_feed(s, REQUEST, sizeof REQUEST - 1);
        s->head = head_size(&s->out);
    }
    CHECK_INT(s->opened, 1);
    CHECK(s->head > 0);
}

/* The same with nothing configured, in a world that begins here. */
static inline void side_plain(side *s, world *w, int client)
{
    world_init(w);
    side_open(s, w, client, NULL);
}

static inline void side_free(side *s)
{
    ws_free(s->c);
    s->c = NULL;
    buf_free(&s->out);
    buf_free(&s->log);
}

/* Frees, and finds every byte given back. */
static inline void side_done(side *s)
{
    world *w = s->w;
    side_free(s);
    CHECK_INT(w->h.live, 0);
    CHECK_INT(w->h.now, 0);
}

/* Our frames so far; faults what may not be there, also an unfinished frame. */
static inline frames side_frames(side *s, buf *text)
{
    frames f;
    size_t n = s->out.n - s->head;
    size_t whole = check_frames(s->out.p + s->head, n, s->client, &f, text);
    CHECK_INT(whole, n);
    return f;
}

/* Our frames so far are these. */
#define CHECK_FRAMES(s, want) \
    do { \
        buf test_text = { 0 }; \
        side_frames(s, &test_text); \
        CHECK_STR(buf_c(&test_text), want); \
        buf_free(&test_text); \
    } while (0)

/* Feeds one frame as the peer. */
static inline size_t side_frame(side *s, int first, const void *data, size_t n)
{
    buf b = { 0 };
    size_t k;
    put_frame(&b, first, !s->client, data, n, 0);
    k = side_feed(s, b.p, b.n);
    buf_free(&b);
    return k;
}

/* Feeds the peer's Close. */
static inline void side_peer_closes(side *s, int code, const char *reason)
{
    buf b = { 0 };
    put_close(&b, !s->client, code, reason);
    side_feed(s, b.p, b.n);
    buf_free(&b);
}

/* ---- transcripts: "81'text' 0a#200 88x03e8'bye' ^81'x' 81:2'x' =8100" ---- */

/* Writes the frames of a peer: first byte in hex, then pieces of payload: 'text', xHEX, #N
   bytes of filling. ^ before it: masked the wrong way; :2 or :8 after the first byte: length
   in that form; =HEX: bytes as they are. */
static inline int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline void put_spec(buf *b, const char *s, int masked)
{
    buf body = { 0 };

    while (*s) {
        int wrong = 0, first, form = 0;
        if (*s == ' ') { s++; continue; }
        if (*s == '=') {
            for (s++; hex(s[0]) >= 0 && hex(s[1]) >= 0; s += 2)
                buf_byte(b, hex(s[0]) << 4 | hex(s[1]));
            continue;
        }
        if (*s == '^') { wrong = 1; s++; }
        if (hex(s[0]) < 0 || hex(s[1]) < 0) { test_fault(__FILE__, __LINE__, s); break; }
        first = hex(s[0]) << 4 | hex(s[1]);
        s += 2;
        if (*s == ':') { form = s[1] - '0'; s += 2; }
        buf_clear(&body);
        while (*s && *s != ' ') {
            if (*s == '\'') {
                for (s++; *s && *s != '\''; s++) buf_byte(&body, *s);
                if (*s) s++;
            } else if (*s == '#') {
                size_t n = (size_t)strtoul(s + 1, (char **)&s, 10), i;
                for (i = 0; i < n; i++) buf_byte(&body, fill_at(i));
            } else if (*s == 'x') {
                for (s++; hex(s[0]) >= 0 && hex(s[1]) >= 0; s += 2)
                    buf_byte(&body, hex(s[0]) << 4 | hex(s[1]));
            } else { test_fault(__FILE__, __LINE__, s); break; }
        }
        put_frame(b, first, masked ^ wrong, body.p, body.n, form);
    }
    buf_free(&body);
}

#endif

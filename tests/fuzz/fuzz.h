/* Shared by the fuzz targets: the entry point, a check that stops the program, logs of events
   that can be compared, and a source of random numbers that is none. */
#ifndef FUZZ_H
#define FUZZ_H
#ifndef FUZZ_SOCKETS            /* a target that needs descriptors */
#define WS_NO_SOCKETS
#endif
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C"
#endif
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
            abort(); \
        } \
    } while (0)

/* An exact-size copy, so that one byte too far is found. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t n)
{
    uint8_t *p = (uint8_t *)malloc(n ? n : 1);

    MUST(p);
    if (n) memcpy(p, data, n);
    return p;
}

/* How many of the bytes that are left come in this turn: all without cuts. */
static inline size_t fuzz_cut(const uint8_t *cuts, size_t turn, size_t left)
{
    size_t most = cuts ? (size_t)(cuts[turn % 4] % 64) + 1 : left;

    return left < most ? left : most;
}

static inline size_t fuzz_feed(ws_conn *c, const uint8_t *data, size_t n)
{
    uint8_t *piece = fuzz_copy(data, n);
    size_t took = ws_feed(c, piece, n);

    free(piece);
    return took;
}

static inline int fuzz_random(void *user, void *buf, size_t n)
{
    uint32_t *state = (uint32_t *)user;
    uint8_t *p = (uint8_t *)buf;

    while (n--) {
        *state = *state * 1664525u + 1013904223u;
        *p++ = (uint8_t)(*state >> 24);
    }
    return 0;
}

/* What a connection said: compared between two ways of cutting the same bytes. */
typedef struct fuzz_log {
    uint64_t hash;          /* of all events but WRITABLE */
    unsigned events;
    int asked, opened, http, closed, error;
    int exact;              /* parts are not cut by the input */
    int part_op;            /* of the message that comes in parts, 0: none */
    uint64_t part_hash, part_size;      /* of that message so far */
    uint64_t message_hash;  /* of the messages, however they came */
    char last[160];         /* the last event in words, for the report */
} fuzz_log;

static inline uint64_t fuzz_hash(uint64_t hash, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;

    while (n--) hash = (hash ^ *p++) * 1099511628211u;
    return hash;
}

static inline void fuzz_mix(fuzz_log *log, const void *data, size_t n)
{
    log->hash = fuzz_hash(log->hash, data, n);
}

/* Joins parts, unless they are what the peer's frames were. Returns 1 when the message ends. */
static inline int fuzz_part(fuzz_log *log, const ws_event *ev)
{
    MUST(ev->op == WS_OP_TEXT || ev->op == WS_OP_BINARY);
    MUST(ev->first == !log->part_op && (ev->first || ev->op == log->part_op));
    if (ev->first) log->part_hash = log->part_size = 0;
    log->part_hash = fuzz_hash(log->part_hash, ev->data, ev->size);
    log->part_size += ev->size;
    log->part_op = ev->last ? 0 : ev->op;
    return ev->last;
}

/* What came instead of HTTP is quoted as far as it came: not comparable. */
static inline size_t fuzz_reason_size(const char *reason)
{
    const char *quote = strstr(reason, "no HTTP, but ");
    return quote ? (size_t)(quote - reason) : strlen(reason);
}

/* The grammar: [REQUEST] OPEN (MESSAGE | PART | PING | PONG | WRITABLE)* CLOSE, or HTTP CLOSE, or
   [REQUEST] CLOSE. */
static inline void fuzz_event(fuzz_log *log, const ws_event *ev, ws_conn *c)
{
    static const char *const names[] = { "none", "open", "message", "ping", "pong", "writable",
                                         "http", "close", "request", "part" };
    uint32_t state = 0;
    int numbers[5], ends;

    MUST(ev->conn == c);
    MUST(ev->type > WS_EV_NONE && ev->type <= WS_EV_PART);
    MUST(!log->closed);
    MUST(ev->data && ev->reason);
    switch (ev->type) {
    case WS_EV_REQUEST: MUST(!log->asked && !log->opened && !log->http); log->asked = 1; break;
    case WS_EV_OPEN: MUST(!log->opened && !log->http); log->opened = 1; break;
    case WS_EV_HTTP: MUST(!log->asked && !log->opened && !log->http); log->http = 1; break;
    case WS_EV_CLOSE:
        log->closed = 1;
        log->error = ev->error;
        MUST(ev->error <= 0 && ev->error > WS_ERR_LAST_);
        MUST(ws_utf8(&state, ev->reason, strlen(ev->reason)) == strlen(ev->reason) && !state);
        break;
    case WS_EV_MESSAGE:
        MUST(ev->op == WS_OP_TEXT || ev->op == WS_OP_BINARY);
        if (ev->op == WS_OP_TEXT)
            MUST(ws_utf8(&state, ev->data, ev->size) == ev->size && state == 0);
        MUST(log->opened && !log->part_op);
        break;
    case WS_EV_PART: MUST(log->opened || log->http); break;
    case WS_EV_PING:
    case WS_EV_PONG: MUST(ev->size <= 125); MUST(log->opened); break;
    default: MUST(log->opened); break;
    }
    if (ev->type == WS_EV_WRITABLE) return;
    ends = ev->type == WS_EV_PART && fuzz_part(log, ev);
    if (ends || ev->type == WS_EV_MESSAGE) {
        uint64_t of = ends ? log->part_hash : fuzz_hash(0, ev->data, ev->size);
        of = fuzz_hash(of, &ev->op, sizeof ev->op);
        log->message_hash = fuzz_hash(log->message_hash, &of, sizeof of);
    }
    if (ev->type == WS_EV_PART && !ends && !log->exact) return;
    /* how much came of a message that was bad or too large when decoded may differ */
    if (log->part_size && ev->error != WS_ERR_UTF8 && ev->error != WS_ERR_DECODE &&
        ev->error != WS_ERR_MESSAGE_SIZE) {
        fuzz_mix(log, &log->part_hash, sizeof log->part_hash);
        fuzz_mix(log, &log->part_size, sizeof log->part_size);
    }
    numbers[0] = ev->type;
    numbers[1] = ev->type == WS_EV_MESSAGE || ev->type == WS_EV_PART ? ev->op : 0;
    numbers[2] = ev->type == WS_EV_CLOSE ? ev->code : 0;
    numbers[3] = ev->type == WS_EV_CLOSE ? ev->clean : 0;
    numbers[4] = ev->type == WS_EV_CLOSE ? ev->error : 0;
    fuzz_mix(log, numbers, sizeof numbers);
    if (ev->type != WS_EV_PART || log->exact) fuzz_mix(log, &ev->size, sizeof ev->size);
    if (ev->type == WS_EV_PART) { if (ends) log->part_size = 0; }
    else if (ev->type != WS_EV_CLOSE) fuzz_mix(log, ev->data, ev->size);
    else fuzz_mix(log, ev->reason, fuzz_reason_size(ev->reason));
    log->events++;
    snprintf(log->last, sizeof log->last, "%s op %d size %lu code %d clean %d error %d %.60s",
             names[ev->type], numbers[1], (unsigned long)ev->size, numbers[2], numbers[3],
             numbers[4], ev->type == WS_EV_CLOSE ? ev->reason : "");
}

/* What we sent, frame by frame, however it was drained. */
typedef struct fuzz_wire {
    uint8_t head[14];
    unsigned have;          /* bytes of head */
    uint64_t left;          /* payload to come */
    int open, closed;
    int over;               /* both Close frames went: nothing may follow */
} fuzz_wire;

static inline void fuzz_sent(fuzz_wire *w, int masked, uint64_t most, const uint8_t *p, size_t n)
{
    ws_frame f;
    int head, op;

    while (n) {
        if (w->left) {
            size_t k = n < w->left ? n : (size_t)w->left;
            w->left -= k;
            p += k;
            n -= k;
            continue;
        }
        w->head[w->have++] = *p++;
        n--;
        head = ws_frame_decode(w->head, w->have, &f);
        MUST(head >= 0);
        if (!head) { MUST(w->have < sizeof w->head); continue; }
        op = f.op;
#ifdef FUZZ_DEFLATE
        MUST(!f.rsv || (f.rsv == 4 && (op == 1 || op == 2)));
#else
        MUST(!f.rsv);
#endif
        MUST(!w->over && (!w->closed || op > 8) && f.masked == masked);     /* RFC 6455 5.5.2 */
        MUST(op < 8 ? op < 3 && (op != 0) == !w->open && f.size <= most : op < 11 && f.fin && f.size <= 125);
        if (op < 8) w->open = !f.fin;
        w->closed |= op == 8;
        w->left = f.size;
        w->have = 0;
    }
}

static inline void fuzz_same(const fuzz_log *a, const fuzz_log *b)
{
    if (a->hash == b->hash && a->events == b->events) return;
    fprintf(stderr, "different events for the same bytes:\n  whole:  %u, last %s\n"
            "  pieces: %u, last %s\n", a->events, a->last, b->events, b->last);
    abort();
}
#endif

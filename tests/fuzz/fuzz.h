/* Shared by the fuzz targets: the entry point, a check that stops the program, logs of events
   that can be compared, and a source of random numbers that is none. */
#ifndef FUZZ_H
#define FUZZ_H
#define WS_NO_SOCKETS
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
    int opened, http, closed, error;
    char last[160];         /* the last event in words, for the report */
} fuzz_log;

static inline void fuzz_mix(fuzz_log *log, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;

    while (n--) log->hash = (log->hash ^ *p++) * 1099511628211u;
}

/* The grammar: OPEN (MESSAGE | PING | PONG | WRITABLE)* CLOSE, or HTTP CLOSE, or CLOSE. */
static inline void fuzz_event(fuzz_log *log, const ws_event *ev, ws_conn *c)
{
    static const char *const names[] = { "none", "open", "message", "ping", "pong", "writable",
                                         "http", "close" };
    uint32_t state = 0;
    int numbers[5];

    MUST(ev->conn == c);
    MUST(ev->type > WS_EV_NONE && ev->type <= WS_EV_CLOSE);
    MUST(!log->closed);
    MUST(ev->data && ev->reason);
    switch (ev->type) {
    case WS_EV_OPEN: MUST(!log->opened && !log->http); log->opened = 1; break;
    case WS_EV_HTTP: MUST(!log->opened && !log->http); log->http = 1; break;
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
        MUST(log->opened);
        break;
    case WS_EV_PING:
    case WS_EV_PONG: MUST(ev->size <= 125); MUST(log->opened); break;
    default: MUST(log->opened); break;
    }
    if (ev->type == WS_EV_WRITABLE) return;
    numbers[0] = ev->type;
    numbers[1] = ev->type == WS_EV_MESSAGE ? ev->op : 0;
    numbers[2] = ev->type == WS_EV_CLOSE ? ev->code : 0;
    numbers[3] = ev->type == WS_EV_CLOSE ? ev->clean : 0;
    numbers[4] = ev->type == WS_EV_CLOSE ? ev->error : 0;
    fuzz_mix(log, numbers, sizeof numbers);
    fuzz_mix(log, &ev->size, sizeof ev->size);
    if (ev->type != WS_EV_CLOSE) fuzz_mix(log, ev->data, ev->size);
    else fuzz_mix(log, ev->reason, strlen(ev->reason));
    log->events++;
    snprintf(log->last, sizeof log->last, "%s op %d size %lu code %d clean %d error %d %.60s",
             names[ev->type], numbers[1], (unsigned long)ev->size, numbers[2], numbers[3],
             numbers[4], ev->type == WS_EV_CLOSE ? ev->reason : "");
}

static inline void fuzz_same(const fuzz_log *a, const fuzz_log *b)
{
    if (a->hash == b->hash && a->events == b->events) return;
    fprintf(stderr, "different events for the same bytes:\n  whole:  %u, last %s\n"
            "  pieces: %u, last %s\n", a->events, a->last, b->events, b->last);
    abort();
}
#endif

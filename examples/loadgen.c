/* Teaches: many client connections in one loop, driven as hard as they go. Measures an echo
            server: messages and megabytes a second, latency, and with --pid the server's
            processor time per message. Every byte of every echo is checked, and their order.
   Build:   cc -O2 -o build/loadgen examples/loadgen.c -I.
            to compress: -DWS_USE_ZLIB, and -lz at the end
   Run:     build/echo_server &
            build/loadgen ws://127.0.0.1:9001/ --connections 50 --size 64 --depth 8 --seconds 3
                          [--text] [--json] [--pid SERVER]
                          [--deflate[=SETTINGS]]      (see deflate.h; it sends JSON then)
   You see: one line: 50 connections, 64 bytes, depth 8: ... messages/s, ... 0 errors
            (MB/s is payload one way; exit 1 when an echo was wrong or missing) */
#define _POSIX_C_SOURCE 200809L
#define WS_IMPLEMENTATION
#include "ws.h"
#include "deflate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

#define HEAD ((size_t)16)   /* a message begins with its number: connection, sequence in hex */

enum {
    CYCLE = 251,            /* then a pattern, shifted by the sequence number, */
    RECORDS = 1 << 20,      /* or records of this many bytes, others each time */
    DIALS = 64,             /* handshakes under way at once */
    WARM_UP = 300,          /* milliseconds not measured */
    DRAIN = 10000,          /* milliseconds for the last echoes to come home */
    BUCKETS = 64 * 64       /* log-linear: 64 steps per power of two, error under 1.6 % */
};

typedef struct client {
    ws_conn *conn;
    uint64_t *sent_at;      /* nanoseconds, ring of depth entries */
    uint32_t index, sent, echoed;
} client;

typedef struct load {
    const char *url;
    uint32_t connections, size, depth, seconds, pid;
    int op, json;
    uint32_t cycle, stride; /* messages begin at sequence * stride % cycle of the pattern */
    ws_deflate deflate;
    ws_config cfg;
    ws_loop *loop;
    client *clients;
    char *pattern, *scratch;
    uint32_t dialed, opened, closed;
    int sending, measuring;
    uint64_t messages, errors, flying, all;
    uint64_t buckets[BUCKETS];
} load;

static uint64_t nanoseconds(void)
{
#ifdef _WIN32
    LARGE_INTEGER ticks, second;

    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&second);
    return (uint64_t)((double)ticks.QuadPart / (double)second.QuadPart * 1e9);
#else
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* As many connections as the system lets us have. */
static void more_descriptors(void)
{
#ifndef _WIN32
    struct rlimit r;

    if (!getrlimit(RLIMIT_NOFILE, &r)) { r.rlim_cur = r.rlim_max; setrlimit(RLIMIT_NOFILE, &r); }
#endif
}

/* ---- latency histogram ---- */

static void record(load *l, uint64_t ns)
{
    uint32_t power = 0;

    while (ns >> power >= 128) power++;
    l->buckets[ns < 64 ? ns : (power + 1) * 64 + ((ns >> power) - 64)]++;
}

/* Microseconds that the share q of all echoes did not exceed. */
static double quantile(const load *l, double q)
{
    uint64_t total = 0, seen = 0;
    size_t i;

    for (i = 0; i < BUCKETS; i++) total += l->buckets[i];
    if (!total) return 0;
    for (i = 0; i < BUCKETS; i++) {
        seen += l->buckets[i];
        if ((double)seen >= q * (double)total) break;
    }
    if (i < 64) return (double)i / 1000;
    return (double)((64 + i % 64 + 1) << (i / 64 - 1)) / 1000;
}

/* ---- messages ---- */

static void head_of(char out[HEAD], uint32_t index, uint32_t sequence)
{
    static const char hex[] = "0123456789abcdef";
    int i;

    for (i = 0; i < 8; i++) {       /* low digits first: a short message keeps those */
        out[i] = hex[sequence >> (4 * i) & 15];
        out[8 + i] = hex[index >> (4 * i) & 15];
    }
}

static const char *body_of(const load *l, uint32_t sequence)
{
    return l->pattern + (uint64_t)sequence * l->stride % l->cycle;
}

static void make_pattern(load *l)
{
    uint32_t i, x = 1, n;

    l->stride = l->cfg.deflate ? l->size + CYCLE : 1;
    l->cycle = l->cfg.deflate ? RECORDS : CYCLE;
    n = l->size + l->cycle;
    l->pattern = (char *)malloc(n);
    l->scratch = (char *)malloc(l->size + HEAD);
    if (!l->pattern || !l->scratch) { fprintf(stderr, "out of memory\n"); exit(1); }
    for (i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        l->pattern[i] = (char)(l->op == WS_OP_TEXT ? 'a' + (int)(x >> 16) % 26 : (int)(x >> 24));
    }
}

/* Something that can be compressed, as messages are: records of the same kind. */
static void make_records(load *l)
{
    uint32_t x = 1, at = 0, n = l->size + l->cycle;
    char record[120];

    while (at < n) {
        size_t k;
        x = x * 1664525u + 1013904223u;
        k = (size_t)sprintf(record, "{\"id\":%u,\"name\":\"user %u\",\"price\":%u.%02u,"
                            "\"active\":%s},", x >> 12, x >> 24, x >> 20 & 999, x >> 8 & 63,
                            x >> 31 ? "true" : "false");
        if (k > n - at) k = n - at;
        memcpy(l->pattern + at, record, k);
        at += (uint32_t)k;
    }
}

static void send_one(load *l, client *c)
{
    char head[HEAD];
    size_t n = l->size < HEAD ? (size_t)l->size : HEAD;

    head_of(head, c->index, c->sent);
    memcpy(l->scratch, head, n);
    memcpy(l->scratch + n, body_of(l, c->sent), l->size - n);
    c->sent_at[c->sent % l->depth] = nanoseconds();
    if (ws_send(c->conn, l->op, l->scratch, l->size)) { l->errors++; return; }
    c->sent++;
    l->flying++;
}

static void check_one(load *l, client *c, const ws_event *ev)
{
    char head[HEAD];
    size_t n = l->size < HEAD ? (size_t)l->size : HEAD;
    const char *data = (const char *)ev->data;

    head_of(head, c->index, c->echoed);
    if (c->echoed == c->sent || ev->op != l->op || ev->size != l->size || memcmp(data, head, n) ||
        memcmp(data + n, body_of(l, c->echoed), l->size - n)) {
        if (l->errors++ < 3)
            fprintf(stderr, "connection %u, echo %u: wrong (opcode %d, %lu bytes)\n", c->index,
                    c->echoed, ev->op, (unsigned long)ev->size);
        if (c->echoed == c->sent) return;
    }
    if (l->measuring) {
        record(l, nanoseconds() - c->sent_at[c->echoed % l->depth]);
        l->messages++;
    }
    c->echoed++;
    l->all++;
    l->flying--;
}

/* ---- the run ---- */

static void dial_more(load *l)
{
    while (l->dialed < l->connections && l->dialed - l->opened < DIALS) {
        client *c = &l->clients[l->dialed];
        c->index = l->dialed;
        c->sent_at = (uint64_t *)malloc(l->depth * sizeof *c->sent_at);
        l->cfg.user = c;
        c->conn = c->sent_at ? ws_dial(l->loop, l->url, &l->cfg) : NULL;
        if (!c->conn) { fprintf(stderr, "out of memory\n"); exit(1); }
        l->dialed++;
    }
}

static void on_event(load *l, const ws_event *ev)
{
    client *c = (client *)ws_user(ev->conn);

    switch (ev->type) {
    case WS_EV_OPEN:
        l->opened++;
        break;
    case WS_EV_MESSAGE:
        check_one(l, c, ev);
        if (l->sending) send_one(l, c);
        break;
    case WS_EV_CLOSE:
        l->closed++;
        c->conn = NULL;
        l->flying -= c->sent - c->echoed;
        if (ev->clean && !ev->error && c->sent == c->echoed && !l->sending) break;
        if (l->errors++ < 3)
            fprintf(stderr, "connection %u: closed %d %s\n", c->index, ev->code, ev->reason);
        break;
    default: break;
    }
}

/* Handles events for so long, or until *until is goal. Returns 0, or -1 when polling failed. */
static int run_for(load *l, uint32_t milliseconds, const uint32_t *until, uint32_t goal)
{
    uint64_t end = ws_loop_now(l->loop) + milliseconds;
    ws_event ev;
    int got;

    while (!until || *until != goal) {
        got = ws_poll_until(l->loop, &ev, end);
        if (got < 0) fprintf(stderr, "%s\n", ws_loop_error_text(l->loop));
        if (got <= 0) return got;
        on_event(l, &ev);
        if (until == &l->opened) {
            if (l->errors) return -1;
            dial_more(l);
        }
    }
    return 0;
}

#ifdef _WIN32
static double filetime_seconds(FILETIME t)
{
    return ((double)t.dwHighDateTime * 4294967296.0 + (double)t.dwLowDateTime) / 1e7;
}

/* Seconds of processor time a process has used. */
static double cpu_seconds(uint32_t pid)
{
    FILETIME made, ended, kernel, user;
    HANDLE h = pid ? OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, pid) : NULL;
    int got = h && GetProcessTimes(h, &made, &ended, &kernel, &user);

    if (h) CloseHandle(h);
    if (!pid) return 0;
    if (!got) { fprintf(stderr, "process %u cannot be asked\n", (unsigned)pid); exit(1); }
    return filetime_seconds(kernel) + filetime_seconds(user);
}
#else
/* Seconds of processor time a process has used (/proc/PID/stat, fields 14 and 15). */
static double cpu_seconds(uint32_t pid)
{
    char path[64], text[1024], *p;
    unsigned long user = 0, kernel = 0;
    size_t n = 0;
    FILE *f;

    if (!pid) return 0;
    sprintf(path, "/proc/%u/stat", (unsigned)pid);
    f = fopen(path, "r");
    if (f) { n = fread(text, 1, sizeof text - 1, f); fclose(f); }
    text[n] = 0;
    p = strrchr(text, ')');     /* the name before it may hold anything */
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                     &kernel) != 2) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
#endif

static void report(const load *l, double seconds, double cpu)
{
    double rate = (double)l->messages / seconds, mb = rate * (double)l->size / 1e6;
    double p50 = quantile(l, 0.5), p99 = quantile(l, 0.99), p999 = quantile(l, 0.999);
    double each = l->messages ? cpu * 1e6 / (double)l->messages : 0;

    if (l->json) {
        printf("{\"connections\":%u,\"size\":%u,\"depth\":%u,\"text\":%s,\"seconds\":%.3f,"
               "\"messages\":%llu,\"messages_per_second\":%.0f,\"mb_per_second\":%.1f,"
               "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,", l->connections, l->size,
               l->depth, l->op == WS_OP_TEXT ? "true" : "false", seconds,
               (unsigned long long)l->messages, rate, mb, p50, p99, p999);
        if (l->pid) printf("\"server_cpu_us_per_message\":%.3f,", each);
        printf("\"messages_in_all\":%llu,", (unsigned long long)l->all);
        printf("\"errors\":%llu}\n", (unsigned long long)l->errors);
        return;
    }
    printf("%u connections, %u bytes, depth %u: %.0f messages/s, %.1f MB/s, p50 %.1f us, "
           "p99 %.1f us, p99.9 %.1f us, ", l->connections, l->size, l->depth, rate, mb, p50, p99,
           p999);
    if (l->pid) printf("server %.3f us/message, ", each);
    printf("%llu errors\n", (unsigned long long)l->errors);
}

/* Returns the seconds measured; *cpu: what the server used of its processor meanwhile. */
static double measure(load *l, double *cpu)
{
    uint64_t start, end;
    uint32_t i, k;

    l->sending = 1;
    for (k = 0; k < l->depth; k++)
        for (i = 0; i < l->connections; i++) if (l->clients[i].conn) send_one(l, &l->clients[i]);
    run_for(l, WARM_UP, NULL, 0);
    l->measuring = 1;
    *cpu = cpu_seconds(l->pid);
    start = nanoseconds();
    run_for(l, l->seconds * 1000, NULL, 0);
    end = nanoseconds();
    *cpu = cpu_seconds(l->pid) - *cpu;
    l->measuring = 0;
    l->sending = 0;
    return (double)(end - start) / 1e9;
}

/* Lets the last echoes come home, then closes every connection. */
static void finish(load *l)
{
    uint64_t end = ws_loop_now(l->loop) + DRAIN;
    ws_event ev;
    uint32_t i;

    while (l->flying && ws_poll_until(l->loop, &ev, end) > 0) on_event(l, &ev);
    if (l->flying) fprintf(stderr, "%llu echoes missing\n", (unsigned long long)l->flying);
    l->errors += l->flying;
    for (i = 0; i < l->connections; i++) ws_close(l->clients[i].conn, WS_CLOSE_NORMAL, NULL);
    run_for(l, DRAIN, &l->closed, l->connections);
    if (l->closed != l->connections) {
        fprintf(stderr, "%u connections did not close\n", l->connections - l->closed);
        l->errors++;
    }
}

/* Decimal digits only, min..max. Returns 1 if text is such a number. */
static int number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (!text || !*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return 0;
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > max) return 0;
    }
    *out = (uint32_t)v;
    return v >= min;
}

static int options(load *l, int argc, char **argv)
{
    int i;

    l->connections = 1;
    l->size = 64;
    l->depth = 1;
    l->seconds = 3;
    l->op = WS_OP_BINARY;
    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--text")) { l->op = WS_OP_TEXT; continue; }
        if (!strcmp(argv[i], "--json")) { l->json = 1; continue; }
        if (deflate_option(argv[i], &l->deflate) > 0) { l->cfg.deflate = &l->deflate; continue; }
        if (argv[i][0] != '-' && !l->url) { l->url = argv[i]; continue; }
        i++;
        if (!strcmp(argv[i - 1], "--connections") &&
            number(value, 1, 1000000, &l->connections)) continue;
        if (!strcmp(argv[i - 1], "--size") && number(value, 0, 1u << 28, &l->size)) continue;
        if (!strcmp(argv[i - 1], "--depth") && number(value, 1, 65536, &l->depth)) continue;
        if (!strcmp(argv[i - 1], "--seconds") && number(value, 1, 86400, &l->seconds)) continue;
        if (!strcmp(argv[i - 1], "--pid") && number(value, 1, 0x7FFFFFFF, &l->pid)) continue;
        return 0;
    }
    return l->url != NULL;
}

int main(int argc, char **argv)
{
    static load l;
    double seconds, cpu;
    uint64_t backlog;
    uint32_t i;

    if (!options(&l, argc, argv)) {
        fprintf(stderr, "usage: %s URL [--connections N] [--size BYTES] [--depth D]\n"
                        "       [--seconds T] [--text] [--json] [--pid SERVER]\n"
                        "       [--deflate[=SETTINGS]]\n", argv[0]);
        return 2;
    }
    more_descriptors();
    make_pattern(&l);
    if (l.cfg.deflate) make_records(&l);
    backlog = 2 * (uint64_t)l.depth * (l.size + WS_FRAME_HEADER_MAX) + 65536;
    l.cfg.max_backlog = backlog < WS_NO_LIMIT ? (uint32_t)backlog : WS_NO_LIMIT;
    l.cfg.max_message = l.size > 65536 ? l.size : 65536;
    l.cfg.handshake_timeout = 30000;
    l.cfg.ping_interval = WS_NEVER;
    l.loop = ws_loop_new(NULL);
    l.clients = (client *)calloc(l.connections, sizeof *l.clients);
    if (!l.loop || !l.clients) { fprintf(stderr, "out of memory\n"); return 1; }

    dial_more(&l);
    if (run_for(&l, 60000, &l.opened, l.connections) || l.opened != l.connections) {
        fprintf(stderr, "%u of %u connections opened\n", l.opened, l.connections);
        return 1;
    }
    seconds = measure(&l, &cpu);
    finish(&l);
    report(&l, seconds, cpu);

    ws_loop_free(l.loop);
    for (i = 0; i < l.connections; i++) free(l.clients[i].sent_at);
    free(l.clients);
    free(l.pattern);
    free(l.scratch);
    return l.errors != 0;
}

/* Teaches: many client connections in one loop, driven as hard as they go. Measures an
            echo server: messages and megabytes a second, latency, and with --pid the
            server's processor time per message. Every byte of every echo is checked, and
            their order.
   Build:   cc -O2 -o build/loadgen examples/loadgen.c -I.
            to compress: -DWS_USE_ZLIB, and -lz at the end
   Run:     build/echo_server &
            build/loadgen ws://127.0.0.1:9001/ --connections 50 --size 64 --depth 8
                          [--seconds 3] [--text] [--json] [--pid SERVER]
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

#define HEAD ((size_t)16)   /* a message begins with its sequence number and connection */

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
    uint32_t cycle, stride; /* a message begins at sequence * stride % cycle */
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
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* As many connections as the system lets us have. */
static void more_descriptors(void)
{
#ifndef _WIN32
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
#endif
}

/* ---- latency histogram ---- */

static void out_of_memory(void)
{
    fprintf(stderr, "out of memory\n");
    exit(1);
}

static void record(load *bench, uint64_t ns)
{
    uint32_t power = 0;

    while (ns >> power >= 128)
        power++;
    bench->buckets[ns < 64 ? ns : (power + 1) * 64 + ((ns >> power) - 64)]++;
}

/* Microseconds that this share of all echoes did not exceed. */
static double quantile(const load *bench, double share)
{
    uint64_t total = 0, seen = 0;
    size_t bucket;

    for (bucket = 0; bucket < BUCKETS; bucket++)
        total += bench->buckets[bucket];
    if (!total)
        return 0;
    for (bucket = 0; bucket < BUCKETS; bucket++) {
        seen += bench->buckets[bucket];
        if ((double)seen >= share * (double)total)
            break;
    }
    if (bucket < 64)
        return (double)bucket / 1000;
    return (double)((64 + bucket % 64 + 1) << (bucket / 64 - 1)) / 1000;
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

static const char *body_of(const load *bench, uint32_t sequence)
{
    return bench->pattern + (uint64_t)sequence * bench->stride % bench->cycle;
}

static void make_pattern(load *bench)
{
    uint32_t i, random = 1, bytes;

    bench->stride = bench->cfg.deflate ? bench->size + CYCLE : 1;
    bench->cycle = bench->cfg.deflate ? RECORDS : CYCLE;
    bytes = bench->size + bench->cycle;
    bench->pattern = (char *)malloc(bytes);
    bench->scratch = (char *)malloc(bench->size + HEAD);
    if (!bench->pattern || !bench->scratch)
        out_of_memory();
    for (i = 0; i < bytes; i++) {
        random = random * 1664525u + 1013904223u;
        if (bench->op == WS_OP_TEXT)
            bench->pattern[i] = (char)('a' + (int)(random >> 16) % 26);
        else
            bench->pattern[i] = (char)(random >> 24);
    }
}

/* Something that can be compressed, as messages are: records of the same kind. */
static void make_records(load *bench)
{
    uint32_t random = 1, at = 0, bytes = bench->size + bench->cycle;
    char record[120];

    while (at < bytes) {
        size_t size;
        random = random * 1664525u + 1013904223u;
        size = (size_t)sprintf(record, "{\"id\":%u,\"name\":\"user %u\","
                                       "\"price\":%u.%02u,\"active\":%s},",
                               random >> 12, random >> 24, random >> 20 & 999,
                               random >> 8 & 63, random >> 31 ? "true" : "false");
        if (size > bytes - at)
            size = bytes - at;
        memcpy(bench->pattern + at, record, size);
        at += (uint32_t)size;
    }
}

static void send_one(load *bench, client *peer)
{
    char head[HEAD];
    size_t size = bench->size < HEAD ? (size_t)bench->size : HEAD;

    head_of(head, peer->index, peer->sent);
    memcpy(bench->scratch, head, size);
    memcpy(bench->scratch + size, body_of(bench, peer->sent), bench->size - size);
    peer->sent_at[peer->sent % bench->depth] = nanoseconds();
    if (ws_send(peer->conn, bench->op, bench->scratch, bench->size)) {
        bench->errors++;
        return;
    }
    peer->sent++;
    bench->flying++;
}

/* Is it the echo of the oldest message that has none yet? */
static int is_echo(const load *bench, const client *peer, const ws_event *ev)
{
    char head[HEAD];
    size_t size = bench->size < HEAD ? (size_t)bench->size : HEAD;
    const char *data = (const char *)ev->data;

    if (peer->echoed == peer->sent || ev->op != bench->op || ev->size != bench->size)
        return 0;
    head_of(head, peer->index, peer->echoed);
    if (memcmp(data, head, size))
        return 0;
    return !memcmp(data + size, body_of(bench, peer->echoed), bench->size - size);
}

static void check_one(load *bench, client *peer, const ws_event *ev)
{
    if (!is_echo(bench, peer, ev)) {
        if (bench->errors++ < 3)
            fprintf(stderr, "connection %u, echo %u: wrong (opcode %d, %lu bytes)\n",
                    peer->index, peer->echoed, ev->op, (unsigned long)ev->size);
        if (peer->echoed == peer->sent)
            return;
    }
    if (bench->measuring) {
        record(bench, nanoseconds() - peer->sent_at[peer->echoed % bench->depth]);
        bench->messages++;
    }
    peer->echoed++;
    bench->all++;
    bench->flying--;
}

/* ---- the run ---- */

static void dial_more(load *bench)
{
    while (bench->dialed < bench->connections && bench->dialed - bench->opened < DIALS) {
        client *peer = &bench->clients[bench->dialed];
        peer->index = bench->dialed;
        peer->sent_at = (uint64_t *)malloc(bench->depth * sizeof *peer->sent_at);
        bench->cfg.user = peer;
        if (!peer->sent_at)
            out_of_memory();
        peer->conn = ws_dial(bench->loop, bench->url, &bench->cfg);
        if (!peer->conn)
            out_of_memory();
        bench->dialed++;
    }
}

static void closed(load *bench, client *peer, const ws_event *ev)
{
    int ended = ev->clean && !ev->error && !bench->sending;

    bench->closed++;
    peer->conn = NULL;
    bench->flying -= peer->sent - peer->echoed;
    if (ended && peer->sent == peer->echoed)
        return;
    if (bench->errors++ < 3)
        fprintf(stderr, "connection %u: closed %d %s\n", peer->index, ev->code,
                ev->reason);
}

static void on_event(load *bench, const ws_event *ev)
{
    client *peer = (client *)ws_user(ev->conn);

    switch (ev->type) {
    case WS_EV_OPEN:
        bench->opened++;
        break;
    case WS_EV_MESSAGE:
        check_one(bench, peer, ev);
        if (bench->sending)
            send_one(bench, peer);
        break;
    case WS_EV_CLOSE:
        closed(bench, peer, ev);
        break;
    default: break;
    }
}

/* Handles events for so long, or until *until is goal. Returns 0, -1: polling failed. */
static int run_for(load *bench, uint32_t milliseconds, const uint32_t *until,
                   uint32_t goal)
{
    uint64_t end = ws_loop_now(bench->loop) + milliseconds;
    ws_event ev;
    int got;

    while (!until || *until != goal) {
        got = ws_poll_until(bench->loop, &ev, end);
        if (got < 0)
            fprintf(stderr, "%s\n", ws_loop_error_text(bench->loop));
        if (got <= 0)
            return got;
        on_event(bench, &ev);
        if (until == &bench->opened) {
            if (bench->errors)
                return -1;
            dial_more(bench);
        }
    }
    return 0;
}

#ifdef _WIN32
static double filetime_seconds(FILETIME time)
{
    double high = (double)time.dwHighDateTime, low = (double)time.dwLowDateTime;

    return (high * 4294967296.0 + low) / 1e7;
}

/* Seconds of processor time a process has used. */
static double cpu_seconds(uint32_t pid)
{
    FILETIME made, ended, kernel, user;
    HANDLE process = pid ? OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, pid) : NULL;
    int got = process && GetProcessTimes(process, &made, &ended, &kernel, &user);

    if (process)
        CloseHandle(process);
    if (!pid)
        return 0;
    if (!got) {
        fprintf(stderr, "process %u cannot be asked\n", (unsigned)pid);
        exit(1);
    }
    return filetime_seconds(kernel) + filetime_seconds(user);
}
#else
/* Seconds of processor time a process has used (/proc/PID/stat, fields 14 and 15). */
static double cpu_seconds(uint32_t pid)
{
    char path[64], text[1024], *behind;
    unsigned long user = 0, kernel = 0;
    size_t size = 0;
    FILE *file;

    if (!pid)
        return 0;
    sprintf(path, "/proc/%u/stat", (unsigned)pid);
    file = fopen(path, "r");
    if (file) {
        size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[size] = 0;
    behind = strrchr(text, ')');        /* the name before it may hold anything */
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d"
                                      " %*u %*u %*u %*u %*u %lu %lu",
                          &user, &kernel) != 2) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
#endif

typedef struct result {
    double seconds, rate, mb;           /* rate, mb: a second */
    double p50, p99, p999, cpu_each;    /* microseconds; each: a message */
} result;

static void report_json(const load *bench, const result *got)
{
    printf("{\"connections\":%u,\"size\":%u,\"depth\":%u,\"text\":%s,\"seconds\":%.3f,",
           bench->connections, bench->size, bench->depth,
           bench->op == WS_OP_TEXT ? "true" : "false", got->seconds);
    printf("\"messages\":%llu,\"messages_per_second\":%.0f,\"mb_per_second\":%.1f,",
           (unsigned long long)bench->messages, got->rate, got->mb);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,", got->p50, got->p99,
           got->p999);
    if (bench->pid)
        printf("\"server_cpu_us_per_message\":%.3f,", got->cpu_each);
    printf("\"messages_in_all\":%llu,", (unsigned long long)bench->all);
    printf("\"errors\":%llu}\n", (unsigned long long)bench->errors);
}

static void report(const load *bench, double seconds, double cpu)
{
    result got;

    got.seconds = seconds;
    got.rate = (double)bench->messages / seconds;
    got.mb = got.rate * (double)bench->size / 1e6;
    got.p50 = quantile(bench, 0.5);
    got.p99 = quantile(bench, 0.99);
    got.p999 = quantile(bench, 0.999);
    got.cpu_each = bench->messages ? cpu * 1e6 / (double)bench->messages : 0;
    if (bench->json) {
        report_json(bench, &got);
        return;
    }
    printf("%u connections, %u bytes, depth %u: ", bench->connections, bench->size,
           bench->depth);
    printf("%.0f messages/s, %.1f MB/s, ", got.rate, got.mb);
    printf("p50 %.1f us, p99 %.1f us, p99.9 %.1f us, ", got.p50, got.p99, got.p999);
    if (bench->pid)
        printf("server %.3f us/message, ", got.cpu_each);
    printf("%llu errors\n", (unsigned long long)bench->errors);
}

/* Returns the seconds measured; *cpu: what the server used of its processor meanwhile. */
static double measure(load *bench, double *cpu)
{
    uint64_t start, end;
    uint32_t i, turn;

    bench->sending = 1;
    for (turn = 0; turn < bench->depth; turn++)
        for (i = 0; i < bench->connections; i++)
            if (bench->clients[i].conn)
                send_one(bench, &bench->clients[i]);
    run_for(bench, WARM_UP, NULL, 0);
    bench->measuring = 1;
    *cpu = cpu_seconds(bench->pid);
    start = nanoseconds();
    run_for(bench, bench->seconds * 1000, NULL, 0);
    end = nanoseconds();
    *cpu = cpu_seconds(bench->pid) - *cpu;
    bench->measuring = 0;
    bench->sending = 0;
    return (double)(end - start) / 1e9;
}

/* Lets the last echoes come home, then closes every connection. */
static void finish(load *bench)
{
    uint64_t end = ws_loop_now(bench->loop) + DRAIN;
    ws_event ev;
    uint32_t i;

    while (bench->flying && ws_poll_until(bench->loop, &ev, end) > 0)
        on_event(bench, &ev);
    if (bench->flying)
        fprintf(stderr, "%llu echoes missing\n", (unsigned long long)bench->flying);
    bench->errors += bench->flying;
    for (i = 0; i < bench->connections; i++)
        ws_close(bench->clients[i].conn, WS_CLOSE_NORMAL, NULL);
    run_for(bench, DRAIN, &bench->closed, bench->connections);
    if (bench->closed != bench->connections) {
        fprintf(stderr, "%u connections did not close\n",
                bench->connections - bench->closed);
        bench->errors++;
    }
}

/* Decimal digits only, min..max. Returns 1 if text is such a number. */
static int number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;

    if (!*text)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return 0;
    }
    *out = (uint32_t)value;
    return value >= min;
}

/* Takes one argument, or two. Returns how many, 0: it is wrong. */
static int option(load *bench, const char *name, const char *value)
{
    int good = 0;

    if (deflate_option(name, &bench->deflate) > 0) {
        bench->cfg.deflate = &bench->deflate;
        return 1;
    }
    if (!strcmp(name, "--text")) {
        bench->op = WS_OP_TEXT;
        return 1;
    }
    if (!strcmp(name, "--json")) {
        bench->json = 1;
        return 1;
    }
    if (name[0] != '-' && !bench->url) {
        bench->url = name;
        return 1;
    }
    if (!value)
        return 0;
    if (!strcmp(name, "--connections"))
        good = number(value, 1, 1000000, &bench->connections);
    if (!strcmp(name, "--size"))
        good = number(value, 0, 1u << 28, &bench->size);
    if (!strcmp(name, "--depth"))
        good = number(value, 1, 65536, &bench->depth);
    if (!strcmp(name, "--seconds"))
        good = number(value, 1, 86400, &bench->seconds);
    if (!strcmp(name, "--pid"))
        good = number(value, 1, 0x7FFFFFFF, &bench->pid);
    return good ? 2 : 0;
}

static int options(load *bench, int argc, char **argv)
{
    int at, used;

    bench->connections = 1;
    bench->size = 64;
    bench->depth = 1;
    bench->seconds = 3;
    bench->op = WS_OP_BINARY;
    for (at = 1; at < argc; at += used) {
        used = option(bench, argv[at], at + 1 < argc ? argv[at + 1] : NULL);
        if (!used)
            return 0;
    }
    return bench->url != NULL;
}

int main(int argc, char **argv)
{
    static load bench;
    double seconds, cpu;
    uint64_t backlog;
    uint32_t i;

    if (!options(&bench, argc, argv)) {
        fprintf(stderr, "usage: %s URL [--connections N] [--size BYTES] [--depth D]\n"
                        "       [--seconds T] [--text] [--json] [--pid SERVER]\n"
                        "       [--deflate[=SETTINGS]]\n", argv[0]);
        return 2;
    }
    more_descriptors();
    make_pattern(&bench);
    if (bench.cfg.deflate)
        make_records(&bench);
    backlog = 2 * (uint64_t)bench.depth * (bench.size + WS_FRAME_HEADER_MAX) + 65536;
    bench.cfg.max_backlog = backlog < WS_NO_LIMIT ? (uint32_t)backlog : WS_NO_LIMIT;
    bench.cfg.max_message = bench.size > 65536 ? bench.size : 65536;
    bench.cfg.handshake_timeout = 30000;
    bench.cfg.ping_interval = WS_NEVER;
    bench.loop = ws_loop_new(NULL);
    bench.clients = (client *)calloc(bench.connections, sizeof *bench.clients);
    if (!bench.loop || !bench.clients)
        out_of_memory();

    dial_more(&bench);
    if (run_for(&bench, 60000, &bench.opened, bench.connections) ||
        bench.opened != bench.connections) {
        fprintf(stderr, "%u of %u connections opened\n", bench.opened, bench.connections);
        return 1;
    }
    seconds = measure(&bench, &cpu);
    finish(&bench);
    report(&bench, seconds, cpu);

    ws_loop_free(bench.loop);
    for (i = 0; i < bench.connections; i++)
        free(bench.clients[i].sent_at);
    free(bench.clients);
    free(bench.pattern);
    free(bench.scratch);
    return bench.errors != 0;
}

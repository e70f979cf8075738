/* ws_sse.h's writer and reader in events/s and MB/s of stream, best of several runs. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_SSE_IMPLEMENTATION
#define WS_STATIC
#include "../../ws_sse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROOM = 4 << 20, CHUNK = 16384, RUNS = 7 };

static char *stream, memory[65536];
static size_t stream_n;
static unsigned long sink;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Fills the stream with the message and returns how many of it there are. */
static unsigned long write_all(const ws_sse_message *m)
{
    unsigned long events = 0;
    ptrdiff_t n;

    stream_n = 0;
    for (;;) {
        n = ws_sse_format(m, stream + stream_n, ROOM - stream_n);
        if (n <= 0 || (size_t)n > ROOM - stream_n) return events;
        stream_n += (size_t)n;
        events++;
    }
}

static unsigned long read_all(const ws_sse_message *m)
{
    unsigned long events = 0;
    size_t at = 0;
    ws_sse_parser p;
    ws_sse_event ev;

    (void)m;
    ws_sse_parser_init(&p, memory, sizeof memory);
    while (at < stream_n) {
        const char *s = stream + at;
        size_t n = stream_n - at < CHUNK ? stream_n - at : CHUNK;
        at += n;
        while (ws_sse_parse(&p, &s, &n, &ev) > 0) {
            events += (unsigned long)ev.last;
            sink += ev.size;
        }
    }
    return events;
}

static void rate(const char *what, unsigned long (*work)(const ws_sse_message *m), const ws_sse_message *m)
{
    double best = 1e9;
    unsigned long events = 0;
    int r;

    for (r = 0; r < RUNS; r++) {
        double t = now();
        events = work(m);
        t = now() - t;
        if (t < best) best = t;
    }
    printf("  %s %8.2f M events/s %8.0f MB/s", what, (double)events / best * 1e-6, (double)stream_n / best * 1e-6);
}

static void line(const char *name, const ws_sse_message *m)
{
    printf("%-22s", name);
    rate("write", write_all, m);
    rate("read", read_all, m);
    printf("\n");
    fflush(stdout);
}

/* A line end in stream read as another: what other servers send. */
static void read_with(const char *name, const char *event)
{
    size_t n = strlen(event);

    for (stream_n = 0; stream_n + n <= ROOM; stream_n += n) memcpy(stream + stream_n, event, n);
    printf("%-22s%43s", name, "");
    rate("read", read_all, NULL);
    printf("\n");
    fflush(stdout);
}

int main(void)
{
    ws_sse_message m = { 0 };
    char *big = (char *)malloc(40001);
    size_t i;

    stream = (char *)malloc(ROOM);
    if (!stream || !big) return 1;
    m.event = "tick";
    m.data = "tick 12345";
    line("tick, 10 bytes", &m);
    m.id = "12345";
    line("with an id", &m);
    m.event = m.id = NULL;
    m.data = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
             "{\"content\":\"Hello\"},\"finish_reason\":null}]}";
    line("token, 130 bytes", &m);
    m.data = "{\"text\":\"\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, \xD0\xBC\xD0\xB8\xD1\x80\xD1\x83 \xD0\xB8 "
             "\xD0\xB2\xD1\x81\xD0\xB5\xD0\xBC, \xD0\xBA\xD1\x82\xD0\xBE \xD0\xB2 \xD0\xBD\xD1\x91\xD0\xBC\"}";
    line("Cyrillic", &m);
    for (i = 0; i < 40000; i++) big[i] = (char)('a' + i % 23);
    big[40000] = 0;
    m.data = big;
    line("40 KB, one line", &m);
    for (i = 60; i < 40000; i += 61) big[i] = '\n';
    line("40 KB, lines of 60", &m);
    read_with("lines end in CRLF", "event: tick\r\nid: 12345\r\ndata: tick 12345\r\n\r\n");
    read_with("lines end in CR", "event: tick\rid: 12345\rdata: tick 12345\r\r");
    read_with("comments between", ": keep-alive\n\ndata: x\n\n");
    return sink == 0;
}

/* Teaches: reading Server-Sent Events from anywhere, here from standard input: bytes cut at
            any point, events larger than the parser's memory. Prints one JSON object per event.
   Build:   cc -o build/sse_parse examples/sse_parse.c -I.          (POSIX)
   Run:     curl -sN http://127.0.0.1:8080/events | build/sse_parse [--chunk BYTES]
   You see: {"event":"tick","id":"7","data":"tick 7"}
            ... one line as soon as an event is whole; bytes that are no UTF-8 come as U+FFFD */
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *text;              /* data of the event whose parts come */
static size_t text_n, text_room;

static int join(const ws_sse_event *ev)
{
    if (ev->first) text_n = 0;
    if (text_n + ev->size > text_room) {
        size_t room = 2 * (text_n + ev->size);
        char *more = (char *)realloc(text, room);
        if (!more) return -1;
        text = more;
        text_room = room;
    }
    if (ev->size) memcpy(text + text_n, ev->data, ev->size);
    text_n += ev->size;
    return 0;
}

/* Bytes of the character at p[0..n), or of what could have begun one; *good tells which. */
static size_t character(const unsigned char *p, size_t n, int *good)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xC2 || p[0] > 0xF4 ? 0 : p[0] < 0xE0 ? 2
                : p[0] < 0xF0 ? 3 : 4, k;
    unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;

    for (k = 1; k < size && k < n && p[k] >= low && p[k] <= high; k++) {
        low = 0x80;
        high = 0xBF;
    }
    *good = k == size;
    return k;
}

static void print_json(const char *name, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t k;
    int good;

    printf("\"%s\":\"", name);
    for (; n; p += k, n -= k) {
        k = character(p, n, &good);
        if (!good) printf("\xEF\xBF\xBD");
        else if (*p == '"' || *p == '\\') printf("\\%c", *p);
        else if (*p == '\n') printf("\\n");
        else if (*p < ' ') printf("\\u%04x", *p);
        else fwrite(p, 1, k, stdout);
    }
    putchar('"');
}

static void print_event(const ws_sse_event *ev)
{
    putchar('{');
    print_json("event", ev->event, ev->event_size);
    putchar(',');
    print_json("id", ev->id, strlen(ev->id));
    putchar(',');
    print_json("data", text, text_n);
    printf("}\n");
}

int main(int argc, char **argv)
{
    static char memory[1 << 20], bytes[65536];      /* names and ids of up to 128 KiB */
    size_t chunk = sizeof bytes;
    ssize_t got;
    int r = 0;
    ws_sse_parser p;
    ws_sse_event ev;

    if (argc == 3 && !strcmp(argv[1], "--chunk")) chunk = strtoul(argv[2], NULL, 10);
    else if (argc != 1) chunk = 0;
    if (chunk < 1) {
        fprintf(stderr, "usage: %s [--chunk BYTES] < STREAM\n", argv[0]);
        return 2;
    }
    if (chunk > sizeof bytes) chunk = sizeof bytes;
    ws_sse_parser_init(&p, memory, sizeof memory);
    while (r == 0 && (got = read(0, bytes, chunk)) > 0) {
        const char *at = bytes;
        size_t n = (size_t)got;
        while ((r = ws_sse_parse(&p, &at, &n, &ev)) > 0) {
            if (join(&ev)) { fprintf(stderr, "out of memory\n"); return 1; }
            if (ev.last) print_event(&ev);
        }
        fflush(stdout);
    }
    if (r < 0) fprintf(stderr, "%s\n", ws_sse_error_string(r));
    free(text);
    return r < 0;
}

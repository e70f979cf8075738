/* What sse_parse.c and sse_cat.c share: parts joined, events printed as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_LIMIT (64u << 20)   /* bytes: no stream may fill our memory */

static char *text;              /* data of the event whose parts come */
static size_t text_n, text_room;

/* Adds a part to text. 0, or -1 when that is too much; stderr says so. */
static int join(const ws_sse_event *ev)
{
    if (ev->first) text_n = 0;
    if (text_n + ev->size > text_room) {
        size_t room = 2 * (text_n + ev->size);
        char *more = room > 2 * EVENT_LIMIT ? NULL : (char *)realloc(text, room);
        if (!more) fprintf(stderr, "an event is too large\n");
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

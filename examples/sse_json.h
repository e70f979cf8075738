/* What sse_parse.c and sse_cat.c share: parts joined, events printed as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_LIMIT (64u << 20)   /* bytes: no stream may fill our memory */

static char *text;              /* data of the event whose parts come */
static size_t text_size, text_room;

/* Adds a part to text. 0, or -1 when that is too much; stderr says so. */
static int join(const ws_sse_event *ev)
{
    if (ev->first)
        text_size = 0;
    if (text_size + ev->size > text_room) {
        size_t room = 2 * (text_size + ev->size);
        char *more = room > 2 * EVENT_LIMIT ? NULL : (char *)realloc(text, room);
        if (!more) {
            fprintf(stderr, "an event is too large\n");
            return -1;
        }
        text = more;
        text_room = room;
    }
    if (ev->size)
        memcpy(text + text_size, ev->data, ev->size);
    text_size += ev->size;
    return 0;
}

/* Bytes of the UTF-8 character that begins with lead, 0: none does. */
static size_t character_size(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0)
        return 2;
    return lead < 0xF0 ? 3 : 4;
}

/* Bytes of the character at bytes[0..size), or of what could have begun one: !*good. */
static size_t character(const unsigned char *bytes, size_t size, int *good)
{
    size_t length = character_size(bytes[0]), at;
    unsigned low = 0x80, high = 0xBF;           /* of the second byte */

    if (bytes[0] == 0xE0)
        low = 0xA0;
    if (bytes[0] == 0xED)
        high = 0x9F;
    if (bytes[0] == 0xF0)
        low = 0x90;
    if (bytes[0] == 0xF4)
        high = 0x8F;
    for (at = 1; at < length && at < size; at++) {
        if (bytes[at] < low || bytes[at] > high)
            break;
        low = 0x80;
        high = 0xBF;
    }
    *good = at == length;
    return at;
}

static void print_json(const char *name, const char *value, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t length;
    int good;

    printf("\"%s\":\"", name);
    for (; size; bytes += length, size -= length) {
        length = character(bytes, size, &good);
        if (!good)
            printf("\xEF\xBF\xBD");
        else if (*bytes == '"' || *bytes == '\\')
            printf("\\%c", *bytes);
        else if (*bytes == '\n')
            printf("\\n");
        else if (*bytes < ' ')
            printf("\\u%04x", *bytes);
        else
            fwrite(bytes, 1, length, stdout);
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
    print_json("data", text, text_size);
    printf("}\n");
}

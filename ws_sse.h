/* ws_sse.h - v0.1.0 - Server-Sent Events, writer and reader, in one header. MIT, see the end.

DO THIS
    In ONE source file, before the include:

        #define WS_SSE_IMPLEMENTATION
        #include "ws_sse.h"

    Everywhere else include it plainly. C99 or C++11. Alone it formats and parses events and
    needs nothing but memcpy and strlen.

HELLO
    Writing: an event into a buffer.

        char out[256];
        ws_sse_message m = { 0 };
        m.event = "tick";
        m.data = "line one\nline two";
        n = ws_sse_format(&m, out, sizeof out);     // "event: tick\ndata: line one\n..."

    Reading: bytes from anywhere, as they come.

        char memory[4096];
        ws_sse_parser p;
        ws_sse_event ev;
        ws_sse_parser_init(&p, memory, sizeof memory);
        while ((n = read(fd, chunk, sizeof chunk)) > 0)
            for (at = chunk; ws_sse_parse(&p, &at, &n, &ev) > 0;)
                printf("%s: %.*s\n", ev.event, (int)ev.size, ev.data);

CONTENTS
    Public          >>config   >>writer   >>reader
    Implementation  >>impl     >>utf8     >>format   >>parse
    The end         >>history  >>license

WHAT IT DOES
    The text/event-stream format of the HTML standard (WHATWG HTML 9.2) to the letter. What the
    writer accepts, every conforming parser reads back as that one event; what it could not
    read back is refused. The reader takes bytes cut anywhere, allocates nothing, and hands
    events larger than its memory on in parts. Bytes that are not UTF-8 pass it unchanged.

THREADS, ERRORS
    No locks, no global state; one message or parser belongs to one thread at a time. Functions
    return a negative WS_SSE_ERR_; ws_sse_error_string says it in words.
*/
#ifndef WS_SSE_H_INCLUDED
#define WS_SSE_H_INCLUDED

/* ==== >>config ========================================================================= */

#include <stddef.h>
#include <stdint.h>

#ifdef WS_STATIC
#if defined(__GNUC__) || defined(__clang__)
#define WS_SSE_API static __attribute__((unused))
#else
#define WS_SSE_API static
#endif
#elif defined(__cplusplus)
#define WS_SSE_API extern "C"
#else
#define WS_SSE_API extern
#endif

/* Every error: name (enum WS_SSE_ERR_name, negative), sentence. */
#define WS_SSE_ERRORS(X) \
    X(EVENT,   "event name has a line break or is not UTF-8") \
    X(ID,      "id has a line break or a NUL or is not UTF-8") \
    X(COMMENT, "comment has a line break or is not UTF-8") \
    X(DATA,    "data is not UTF-8") \
    X(NO_DATA, "an event name without data would be lost") \
    X(RETRY,   "retry is negative") \
    X(WRITE,   "the write function failed") \
    X(EVENT_SIZE, "event name longer than an eighth of the parser's memory") \
    X(ID_SIZE, "id longer than an eighth of the parser's memory") \
    X(MEMORY,  "memory for a parser is below 64 bytes")

#define WS_SSE__NUMBER(name, text) WS_SSE__NUMBER_##name,
enum { WS_SSE__NUMBER_OK, WS_SSE_ERRORS(WS_SSE__NUMBER) WS_SSE__NUMBER_END };
#define WS_SSE__ENUM(name, text) WS_SSE_ERR_##name = -WS_SSE__NUMBER_##name,
enum { WS_SSE_ERRORS(WS_SSE__ENUM) WS_SSE_ERR_LAST_ = -WS_SSE__NUMBER_END };

/* The sentence of a WS_SSE_ERR_; static. */
WS_SSE_API const char *ws_sse_error_string(int error);

/* ==== >>writer ========================================================================= */

/* One event to write. Zero it, then set what it has. Sizes are bytes; 0 means up to the NUL. */
typedef struct ws_sse_message {
    const char *event;      /* name; NULL or "": readers call it "message" */
    const char *id;         /* NULL: readers keep the last one; "": they forget it */
    const char *data;       /* any text, CR, LF and CRLF all arrive as LF; NULL: the reader's
                               program sees no event (id, retry and comment still count) */
    const char *comment;    /* for people and proxies; "" keeps a connection alive */
    long retry;             /* milliseconds to wait before reconnecting, 0: not said */
    size_t event_size, id_size, size, comment_size;
} ws_sse_message;

/* Writes the event to buf. Returns the bytes it has (no NUL is added), or WS_SSE_ERR_. When
   that is more than n, nothing was written: ask with n = 0 first, or make buf larger. */
WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *m, void *buf, size_t n);

/* The same, through a function that takes n bytes and returns 0, or anything else to fail.
   Nothing is written unless the whole event is good. Returns 0 or WS_SSE_ERR_. */
WS_SSE_API int ws_sse_write(const ws_sse_message *m,
                            int (*write)(void *user, const void *p, size_t n), void *user);

/* ==== >>reader ========================================================================= */

/* One event, or a part of one. Pointers are valid until the next ws_sse_parse. */
typedef struct ws_sse_event {
    const char *event;      /* name, "message" if none was given; a string */
    const char *id;         /* last event id, "" if none; a string */
    const char *data;       /* size bytes, no NUL behind; lines separated by LF */
    size_t size;
    int first, last;        /* 1 1 for a whole event. An event larger than the memory comes in
                               parts: name and id are sure in the last one only */
} ws_sse_event;

/* A parser in memory of yours. Fields are private but retry. */
typedef struct ws_sse_parser {
    long retry;             /* ms, as the stream said last; -1: it did not */
    char *memory;
    size_t slot, room;      /* bytes of each name or id, of data */
    size_t event_n, id_n[3], data_n;
    uint8_t now, next, spare;       /* id slots: in force, of this event, being read */
    uint8_t state, field, bom, skip_lf, bad, has_data, owes_lf, begun, given, name_n;
    char name[6];
    long number;            /* value of a retry line being read */
    int error;
} ws_sse_parser;

/* memory: n bytes (at least 64) that stay yours and must outlive p. An eighth of it bounds
   the event name and the id, half of it the data handed out at once. 0 or WS_SSE_ERR_MEMORY. */
WS_SSE_API int ws_sse_parser_init(ws_sse_parser *p, void *memory, size_t n);

/* Takes bytes off *data (*n of them) until an event is whole: 1 with ev, and *data, *n moved
   past what was used; 0 when all bytes were used; or WS_SSE_ERR_, the same ever after. */
WS_SSE_API int ws_sse_parse(ws_sse_parser *p, const char **data, size_t *n, ws_sse_event *ev);

/* The id to send as Last-Event-ID when reconnecting, "" for none. */
WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *p);

/* A new stream after a reconnection: an unfinished event is dropped, id and retry stay. */
WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *p);

#endif /* WS_SSE_H_INCLUDED */

/* ==== Stop here if you only use the library ============================================ */

#ifdef WS_SSE_IMPLEMENTATION
#ifndef WS_SSE_IMPLEMENTED_
#define WS_SSE_IMPLEMENTED_

/* ==== >>impl (private) ================================================================= */

#include <string.h>

WS_SSE_API const char *ws_sse_error_string(int error)
{
#define WS_SSE__TEXT(name, text) text,
    static const char *const texts[] = { "", WS_SSE_ERRORS(WS_SSE__TEXT) "unknown error" };
    return texts[error <= 0 && error > -WS_SSE__NUMBER_END ? -error : WS_SSE__NUMBER_END];
}

/* ==== >>utf8 (private) ================================================================= */

/* Bytes of the character at p[0..n), 0 if it is none (RFC 3629). */
static size_t ws_sse__character(const uint8_t *p, size_t n)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3
                : p[0] < 0xF5 ? 4 : 0, i;

    if (size > n) return 0;
    for (i = 1; i < size; i++) if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F)) return 0;
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
    return size;
}

/* 1 if text is UTF-8 and none of its characters is in bad. */
static int ws_sse__is_text(const char *text, size_t n, const char *bad, size_t bad_n)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t i = 0, size;

    for (; i < n; i += size) {
        size = ws_sse__character(p + i, n - i);
        if (!size || memchr(bad, text[i], bad_n)) return 0;
    }
    return 1;
}

/* ==== >>format (private) =============================================================== */

/* Where the bytes go: counted, and with write passed on. */
typedef struct ws_sse__out {
    int (*write)(void *user, const void *p, size_t n);
    void *user;
    size_t n;
    int error;
} ws_sse__out;

static void ws_sse__put(ws_sse__out *o, const char *p, size_t n)
{
    o->n += n;
    if (n && o->write && !o->error && o->write(o->user, p, n)) o->error = WS_SSE_ERR_WRITE;
}

static size_t ws_sse__size(const char *text, size_t n)
{
    return text && !n ? strlen(text) : n;
}

static void ws_sse__line(ws_sse__out *o, const char *name, const char *value, size_t n)
{
    ws_sse__put(o, name, strlen(name));
    ws_sse__put(o, value, n);
    ws_sse__put(o, "\n", 1);
}

static void ws_sse__data(ws_sse__out *o, const char *data, size_t n)
{
    size_t from = 0, i;

    for (i = 0; i < n; i++) {
        if (data[i] != '\r' && data[i] != '\n') continue;
        ws_sse__line(o, "data: ", data + from, i - from);
        if (data[i] == '\r' && i + 1 < n && data[i + 1] == '\n') i++;
        from = i + 1;
    }
    ws_sse__line(o, "data: ", data + from, n - from);
}

static int ws_sse__check(const ws_sse_message *m)
{
    size_t event = ws_sse__size(m->event, m->event_size);

    if (!ws_sse__is_text(m->event, event, "\r\n", 2)) return WS_SSE_ERR_EVENT;
    if (!ws_sse__is_text(m->id, ws_sse__size(m->id, m->id_size), "\r\n", 3))
        return WS_SSE_ERR_ID;
    if (!ws_sse__is_text(m->comment, ws_sse__size(m->comment, m->comment_size), "\r\n", 2))
        return WS_SSE_ERR_COMMENT;
    if (!ws_sse__is_text(m->data, ws_sse__size(m->data, m->size), "", 0))
        return WS_SSE_ERR_DATA;
    if (m->retry < 0) return WS_SSE_ERR_RETRY;
    return event && !m->data ? WS_SSE_ERR_NO_DATA : 0;
}

static void ws_sse__event(ws_sse__out *o, const ws_sse_message *m)
{
    size_t event = ws_sse__size(m->event, m->event_size);
    char digits[24];
    size_t at = sizeof digits;
    long v = m->retry;

    if (m->comment)
        ws_sse__line(o, ": ", m->comment, ws_sse__size(m->comment, m->comment_size));
    for (; v; v /= 10) digits[--at] = (char)('0' + v % 10);
    if (m->retry) ws_sse__line(o, "retry: ", digits + at, sizeof digits - at);
    if (event) ws_sse__line(o, "event: ", m->event, event);
    if (m->id) ws_sse__line(o, "id: ", m->id, ws_sse__size(m->id, m->id_size));
    if (m->data) ws_sse__data(o, m->data, ws_sse__size(m->data, m->size));
    ws_sse__put(o, "\n", 1);
}

WS_SSE_API int ws_sse_write(const ws_sse_message *m,
                            int (*write)(void *user, const void *p, size_t n), void *user)
{
    ws_sse__out o;
    int fault = ws_sse__check(m);

    if (fault) return fault;
    memset(&o, 0, sizeof o);
    o.write = write;
    o.user = user;
    ws_sse__event(&o, m);
    return o.error;
}

static int ws_sse__to_memory(void *user, const void *p, size_t n)
{
    char **at = (char **)user;

    memcpy(*at, p, n);
    *at += n;
    return 0;
}

WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *m, void *buf, size_t n)
{
    ws_sse__out o;
    char *at = (char *)buf;
    int fault = ws_sse__check(m);

    if (fault) return fault;
    memset(&o, 0, sizeof o);
    ws_sse__event(&o, m);
    if (o.n <= n) ws_sse_write(m, ws_sse__to_memory, &at);
    return (ptrdiff_t)o.n;
}

/* ==== >>parse (private) ================================================================ */

/* What the next byte belongs to. */
enum {
    WS_SSE__NAME,       /* name of a field, or the blank line's end */
    WS_SSE__COLON,      /* first byte after the colon: a space is dropped */
    WS_SSE__VALUE
};

/* Fields of the format; the rest is ignored. */
enum { WS_SSE__IGNORED, WS_SSE__DATA, WS_SSE__EVENT, WS_SSE__ID, WS_SSE__RETRY };

/* memory: [event name] [id] [id] [id] [data], a NUL behind each of the first four. */
static char *ws_sse__id(const ws_sse_parser *p, int which)
{
    return p->memory + (size_t)(which + 1) * p->slot;
}

static char *ws_sse__data_at(const ws_sse_parser *p) { return p->memory + 4 * p->slot; }

WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *p)
{
    p->event_n = p->data_n = 0;
    p->next = p->now;
    p->spare = (uint8_t)((p->now + 1) % 3);
    p->state = WS_SSE__NAME;
    p->bom = p->skip_lf = p->has_data = p->owes_lf = p->begun = p->given = p->name_n = 0;
}

WS_SSE_API int ws_sse_parser_init(ws_sse_parser *p, void *memory, size_t n)
{
    memset(p, 0, sizeof *p);
    p->retry = -1;
    p->memory = (char *)memory;
    p->slot = n / 8;
    p->room = n - 4 * p->slot;
    if (n < 64) return p->error = WS_SSE_ERR_MEMORY;
    ws_sse__id(p, 0)[0] = 0;
    ws_sse_parser_restart(p);
    return 0;
}

WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *p)
{
    return p->slot ? ws_sse__id(p, p->now) : "";
}

/* The line's field is known: what its value replaces starts anew. */
static void ws_sse__field_begin(ws_sse_parser *p)
{
    static const struct { const char *name; uint8_t n, field; } known[] = {
        { "data", 4, WS_SSE__DATA }, { "event", 5, WS_SSE__EVENT }, { "id", 2, WS_SSE__ID },
        { "retry", 5, WS_SSE__RETRY }
    };
    size_t i;

    p->field = WS_SSE__IGNORED;
    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (p->name_n == known[i].n && !memcmp(p->name, known[i].name, p->name_n))
            p->field = known[i].field;
    p->bad = p->field == WS_SSE__RETRY;         /* until it has a digit */
    p->number = 0;
    if (p->field == WS_SSE__EVENT) p->event_n = 0;
    if (p->field == WS_SSE__ID) p->id_n[p->spare] = 0;
    if (p->field != WS_SSE__DATA) return;
    p->owes_lf = p->has_data;
    p->has_data = 1;
}

static void ws_sse__retry_digits(ws_sse_parser *p, const char *s, size_t n)
{
    size_t i;

    for (i = 0; i < n && p->number >= 0; i++) {
        if (s[i] < '0' || s[i] > '9') p->number = -1;
        else if (p->number < 100000000) p->number = p->number * 10 + (s[i] - '0');
    }
    p->bad = p->number < 0;
}

/* Adds to a name or id of size *have at to; error when it is too long. */
static int ws_sse__keep(const ws_sse_parser *p, char *to, size_t *have, const char *s, size_t n,
                        int error)
{
    if (n >= p->slot - *have) return error;
    memcpy(to + *have, s, n);
    *have += n;
    return 0;
}

/* Takes up to n bytes of the line's value. Returns how many, or an error. */
static ptrdiff_t ws_sse__value(ws_sse_parser *p, const char *s, size_t n)
{
    size_t k = n;
    int fault = 0;

    switch (p->field) {
    case WS_SSE__DATA:
        if (k > p->room - p->data_n) k = p->room - p->data_n;
        memcpy(ws_sse__data_at(p) + p->data_n, s, k);
        p->data_n += k;
        break;
    case WS_SSE__EVENT:
        fault = ws_sse__keep(p, p->memory, &p->event_n, s, n, WS_SSE_ERR_EVENT_SIZE);
        break;
    case WS_SSE__ID:
        if (memchr(s, 0, n)) p->bad = 1;
        fault = ws_sse__keep(p, ws_sse__id(p, p->spare), &p->id_n[p->spare], s, n,
                             WS_SSE_ERR_ID_SIZE);
        break;
    case WS_SSE__RETRY:
        ws_sse__retry_digits(p, s, n);
        break;
    default: break;
    }
    return fault ? fault : (ptrdiff_t)k;
}

/* The line with a field has ended. */
static void ws_sse__field_end(ws_sse_parser *p)
{
    p->state = WS_SSE__NAME;
    p->name_n = 0;
    if (p->bad) return;
    if (p->field == WS_SSE__RETRY) p->retry = p->number;
    if (p->field != WS_SSE__ID) return;
    ws_sse__id(p, p->spare)[p->id_n[p->spare]] = 0;
    p->next = p->spare;
    p->spare = (uint8_t)(3 - p->now - p->next);
}

/* What the last event showed is not needed any more. */
static void ws_sse__release(ws_sse_parser *p)
{
    if (!p->given) return;
    p->data_n = 0;
    if (p->given == 2) p->event_n = p->has_data = p->begun = 0;
    p->given = 0;
}

static int ws_sse__give(ws_sse_parser *p, int last, ws_sse_event *ev)
{
    p->memory[p->event_n] = 0;
    ev->event = p->event_n ? p->memory : "message";
    ev->id = ws_sse__id(p, p->now);
    ev->data = ws_sse__data_at(p);
    ev->size = p->data_n;
    ev->first = !p->begun;
    ev->last = last;
    p->begun = 1;
    p->given = (uint8_t)(last ? 2 : 1);
    return 1;
}

/* The byte order mark at the start of a stream: 1 if c belongs to it. */
static int ws_sse__is_bom(ws_sse_parser *p, char c)
{
    if (c == "\xEF\xBB\xBF"[p->bom]) {
        p->bom++;
        return 1;
    }
    if (p->bom) p->name_n = sizeof p->name;     /* it was the name of an unknown field */
    p->bom = 3;
    return 0;
}

/* A byte of a line before its value. Returns 1 when a blank line ended an event with data. */
static int ws_sse__name(ws_sse_parser *p, const char **s, size_t *n)
{
    char c = **s;
    int end = c == '\r' || c == '\n', blank = end && !p->name_n;

    if (end && !blank) {                /* a name alone: its value is empty */
        ws_sse__field_begin(p);
        p->state = WS_SSE__VALUE;
        return 0;
    }
    ++*s;
    --*n;
    if (blank) {
        p->skip_lf = c == '\r';
        p->now = p->next;
        p->spare = (uint8_t)((p->now + 1) % 3);
        if (!p->has_data) p->event_n = 0;
        return p->has_data;
    }
    if (c == ':') {
        ws_sse__field_begin(p);
        p->state = WS_SSE__COLON;
    } else if (p->name_n < sizeof p->name) {
        p->name[p->name_n++] = c;
    }
    return 0;
}

static size_t ws_sse__line_size(const char *s, size_t n)
{
    const char *lf = (const char *)memchr(s, '\n', n), *cr;

    if (lf) n = (size_t)(lf - s);
    cr = (const char *)memchr(s, '\r', n);
    return cr ? (size_t)(cr - s) : n;
}

/* Bytes of a value, or its line's end. Returns 1 when the data needs to be handed out first. */
static int ws_sse__value_step(ws_sse_parser *p, const char **s, size_t *n)
{
    size_t line = ws_sse__line_size(*s, *n);
    ptrdiff_t k = 1;

    if (p->field == WS_SSE__DATA && p->owes_lf) {
        if (!ws_sse__value(p, "\n", 1)) return 1;
        p->owes_lf = 0;
    }
    if (line) {
        k = ws_sse__value(p, *s, line);
        if (k < 0) p->error = (int)k;
        if (k <= 0) return 1;
    } else {
        p->skip_lf = **s == '\r';
        ws_sse__field_end(p);
    }
    *s += k;
    *n -= (size_t)k;
    return 0;
}

WS_SSE_API int ws_sse_parse(ws_sse_parser *p, const char **data, size_t *n, ws_sse_event *ev)
{
    if (p->error) return p->error;
    ws_sse__release(p);
    while (*n) {
        int skip = 0;

        if (p->skip_lf) {
            skip = **data == '\n';
            p->skip_lf = 0;
        } else if (p->bom < 3) {
            skip = ws_sse__is_bom(p, **data);
        } else if (p->state == WS_SSE__NAME) {
            if (ws_sse__name(p, data, n)) return ws_sse__give(p, 1, ev);
        } else if (p->state == WS_SSE__COLON) {
            skip = **data == ' ';
            p->state = WS_SSE__VALUE;
        } else if (ws_sse__value_step(p, data, n)) {
            return p->error ? p->error : ws_sse__give(p, 0, ev);
        }
        if (skip) {
            ++*data;
            --*n;
        }
    }
    return 0;
}

#endif /* WS_SSE_IMPLEMENTED_ */
#endif /* WS_SSE_IMPLEMENTATION */

/* ==== >>history ========================================================================
   0.1.0  writer and reader */

/* ==== >>license ========================================================================
   MIT License

   Copyright (c) 2026 ws.h contributors

   Permission is hereby granted, free of charge, to any person obtaining a copy of this
   software and associated documentation files (the "Software"), to deal in the Software
   without restriction, including without limitation the rights to use, copy, modify, merge,
   publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons
   to whom the Software is furnished to do so, subject to the following conditions:

   The above copyright notice and this permission notice shall be included in all copies or
   substantial portions of the Software.

   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
   INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR
   PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
   FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
   OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
   DEALINGS IN THE SOFTWARE.
*/

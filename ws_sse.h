/* ws_sse.h - v0.1.0 - Server-Sent Events, writer and reader, in one header. MIT, see the end.

DO THIS
    In ONE source file, before the include:

        #define WS_SSE_IMPLEMENTATION
        #include "ws_sse.h"

    Everywhere else include it plainly. C99 or C++11. Alone it formats and parses events and
    needs nothing but <string.h>: no allocation, no I/O. With ws.h included before it, it also
    serves event streams from a ws_loop, on the same port as WebSockets, and follows them.

HELLO
    Writes an event and reads it back. The bytes may come from read, recv, a file or a
    library's callback just as well.

        #define WS_SSE_IMPLEMENTATION
        #include "ws_sse.h"
        #include <stdio.h>

        int main(void)
        {
            char memory[4096], bytes[256];
            const char *at = bytes;
            size_t n;
            ws_sse_message m = {0};
            ws_sse_parser p;
            ws_sse_event ev;

            m.event = "tick";
            m.data = "line one\nline two";
            n = (size_t)ws_sse_format(&m, bytes, sizeof bytes);

            ws_sse_parser_init(&p, memory, sizeof memory);
            while (ws_sse_parse(&p, &at, &n, &ev) > 0)
                printf("%s: %s\n", ev.event, ev.data);
            return 0;
        }

CONTENTS
    Public          >>config   switches, errors
                    >>writer   events to bytes
                    >>reader   bytes to events
                    >>server   event streams from ws.h's server
                    >>client   event streams to ws.h's client
    Implementation  >>impl     includes, errors in words
                    >>text     UTF-8, line ends
                    >>format   bodies of >>writer
                    >>parse    bodies of >>reader
                    >>stream   bodies of >>server
                    >>follow   bodies of >>client
    The end         >>history  >>license

WHAT IT DOES
    The text/event-stream format of the HTML standard (WHATWG HTML 9.2) to the letter. What the
    writer accepts, every conforming parser reads back as that one event; what it could not
    read back is refused. The reader takes bytes cut anywhere, allocates nothing, and hands
    events larger than its memory on in parts, the same for every cut. An event that the
    stream's end cuts off is dropped. Bytes that are not UTF-8 pass the reader unchanged.
    With ws.h: servers of streams, groups shared with WebSockets, a replay ring, beats that
    keep proxies content; clients that come back with the last event id, as browsers do.

THREADS, ERRORS
    No locks, no global state; use a parser from one thread at a time. Functions return a
    negative WS_SSE_ERR_ when they fail; ws_sse_error_string says it in words.

SWITCHES (define before every include, or "impl" before the one with WS_SSE_IMPLEMENTATION)
    WS_SSE_IMPLEMENTATION  impl  compile the bodies here
    WS_STATIC                    all functions static: private to each file with the bodies
    WS_NO_SERVER, WS_NO_CLIENT, WS_NO_SOCKETS    those of ws.h; what needs the part is left out
*/
#ifndef WS_SSE_H_INCLUDED
#define WS_SSE_H_INCLUDED

/* ==== >>config ====================================================================== */

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
    X(EVENT_SIZE, "event name does not fit an eighth of the parser's memory") \
    X(ID_SIZE, "id does not fit an eighth of the parser's memory") \
    X(MEMORY,  "no memory for the last event id, or a parser has less than 64 bytes") \
    X(TYPE,    "the answer is no event stream") \
    X(GAP,     "the last event id is unknown, or too old to replay from")

#define WS_SSE__NUMBER(name, text) WS_SSE__NUMBER_##name,
enum { WS_SSE__NUMBER_OK, WS_SSE_ERRORS(WS_SSE__NUMBER) WS_SSE__NUMBER_END };
#define WS_SSE__ENUM(name, text) WS_SSE_ERR_##name = -WS_SSE__NUMBER_##name,
enum { WS_SSE_ERRORS(WS_SSE__ENUM) WS_SSE_ERR_LAST_ = -WS_SSE__NUMBER_END };

/* The sentence of a WS_SSE_ERR_; static. */
WS_SSE_API const char *ws_sse_error_string(int error);

/* ==== >>writer ====================================================================== */

/* One event to write. Zero it, then set what it has. All text is UTF-8. */
typedef struct ws_sse_message {
    const char *event;      /* name, of one line; NULL or "": readers call it "message" */
    const char *id;      /* of one line; NULL: readers keep the last one; "": forget it */
    const char *data;       /* any text; CR, LF and CRLF all arrive as LF. NULL: readers
                               show no event (id, retry and comment still count) */
    const char *comment;    /* of one line, for people and proxies; "" keeps a connection
                               up */
    long retry;             /* milliseconds to wait before reconnecting, 0: not said */
    size_t event_size, id_size, size, comment_size;     /* bytes of the four texts. 0: up to
                               the NUL, so text of no bytes is "" */
} ws_sse_message;

/* Writes the event to buf. Returns the bytes it has (no NUL is added), or WS_SSE_ERR_.
   When that is more than n, nothing was written: ask with n = 0 first, or make buf
   larger. */
WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *m, void *buf, size_t n);

/* The same, piece by piece through put, which returns 0, or anything else to stop.
   Nothing is put unless the whole event is good. Returns 0 or WS_SSE_ERR_. */
WS_SSE_API int ws_sse_write(const ws_sse_message *m,
                            int (*put)(void *user, const void *p, size_t n), void *user);

/* ==== >>reader ====================================================================== */

/* One event, or a part of one. Its texts are valid until the next ws_sse_parse or
   restart; all three have a NUL behind, event and data may have more inside. */
typedef struct ws_sse_event {
    const char *event;      /* name, "message" if none was given */
    const char *id;         /* last event id, "" if none */
    const char *data;       /* its lines, separated by LF */
    size_t event_size, size;    /* bytes of event, of data */
    int first, last;    /* 1 1: a whole event. One larger than half of the memory comes in
                           parts, whose name and id are certain in the last one only */
} ws_sse_event;

/* A parser in memory of yours. Its fields are private but retry. */
typedef struct ws_sse_parser {
    long retry;             /* ms, as the stream said last; -1: it did not */
    char *memory;
    size_t slot, room;      /* bytes for each name or id with its NUL; for data without */
    size_t event_n, id_n, data_n;   /* id_n: of the id being read */
    uint8_t now, next;      /* id slots: in force, and from the next blank line on */
    uint8_t bom, skip_lf, state, field, bad, has_data, owes_lf, begun, show, name_n;
    uint8_t has_id;         /* the stream said one, perhaps an empty one */
    uint8_t id_new;         /* the next request does not know it yet */
    char name[6];          /* of the field being read; one byte more than any known has */
    long number;            /* of the retry line being read, -1: no digit yet */
    int error;
} ws_sse_parser;

/* memory: n bytes (at least 64) that stay yours and must outlive p. An eighth of it
   bounds the event name and the id, half of it the data handed out at once. 0 or
   WS_SSE_ERR_MEMORY. */
WS_SSE_API int ws_sse_parser_init(ws_sse_parser *p, void *memory, size_t n);

/* Takes bytes off *data (*n of them) until there is an event: 1 with ev, and *data, *n
   moved past what was used; 0 when all bytes were used; or WS_SSE_ERR_, the same until a
   restart. */
WS_SSE_API int ws_sse_parse(ws_sse_parser *p, const char **data, size_t *n, ws_sse_event *ev);

/* The id to send as Last-Event-ID when reconnecting, "" for none. Valid as an event's. */
WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *p);

/* A new stream after a reconnection: an unfinished event is dropped, id and retry stay. */
WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *p);

#endif /* WS_SSE_H_INCLUDED */

/* ==== >>server ====================================================================== */

#if defined(WS_H_INCLUDED) && !defined(WS_NO_SERVER) && !defined(WS_SSE__SERVER)
#define WS_SSE__SERVER

/* 1 if a WS_EV_HTTP asks for an event stream: its Accept names text/event-stream. */
WS_SSE_API int ws_sse_requested(const ws_conn *c);

/* How a stream begins. Zero it, then set what you care about. */
typedef struct ws_sse_options {
    const ws_header *headers;   /* added to the answer (CORS), or instead of the library's
                                   Content-Type, Cache-Control; NULL none */
    long retry;              /* ms a reader waits before it connects again; 0: not said */
    uint32_t beat;          /* ms without an event, then a comment, by which a dead reader
                               is noticed too; 0: 15000; WS_NEVER. Not with cfg.memory */
    int chunked;              /* 1: in chunks, to HTTP/1.1; 0: ends with the connection */
} ws_sse_options;

/* Answers a WS_EV_HTTP with an event stream; o may be NULL. From then on the connection
   takes ws_sse_send, can ws_join groups, has WS_EV_WRITABLE and the backlog's rules like
   any other, and ends with ws_close, or CLOSE when the reader goes. 0; WS_ERR_METHOD for
   methods but GET and HEAD, which it answers with 405; or as ws_http_begin. To HEAD it is
   the whole answer. To tell a reader not to come back: ws_http_reply with 204 instead. */
WS_SSE_API int ws_sse_open(ws_conn *c, const ws_sse_options *o);

/* The last event id that a reader has, to go on from: of its Last-Event-ID header, else
   of the query's lastEventId; "" for none. Asked at WS_EV_HTTP. Returns its length, -1:
   no room. */
WS_SSE_API int ws_sse_last_event_id(const ws_conn *c, char *buf, size_t n);

/* Sends an event, or a comment alone (ping). 0, WS_ERR_ARGUMENT for what ws_sse_format
   refuses, or as ws_http_write. */
WS_SSE_API int ws_sse_send(ws_conn *c, const ws_sse_message *m);
WS_SSE_API int ws_sse_ping(ws_conn *c);

#ifndef WS_NO_SOCKETS
/* Sends an event to every member of a group: to event streams as it is, to WebSockets its
   data as a text message. Returns how many took it. */
WS_SSE_API int ws_sse_publish(ws_loop *loop, const char *group, const ws_sse_message *m);
#endif

/* The latest events, in memory of yours, for readers that come back. Fields are private. */
typedef struct ws_sse_ring {
    char *memory;
    size_t size, first, end, wrap, count;
} ws_sse_ring;

/* memory: n bytes that stay yours and must outlive r; each event takes what it has
   formatted, its id, and 8 more. */
WS_SSE_API void ws_sse_ring_init(ws_sse_ring *r, void *memory, size_t n);

/* Keeps an event; the oldest ones make room. 0, or WS_SSE_ERR_: of ws_sse_format, or
   MEMORY: it is larger than the ring, which is empty now, for the events before it are no
   use. */
WS_SSE_API int ws_sse_ring_add(ws_sse_ring *r, const ws_sse_message *m);

/* Sends what came after the event of that id; NULL: all that the ring has. Returns how
   many were sent (0 for id ""); or WS_SSE_ERR_GAP: events are lost to this reader, tell
   it to start anew; or WS_SSE_ERR_WRITE: the stream has ended (after HEAD it is never
   open), or its backlog is full, and the connection is dropped so that the reader comes
   again. */
WS_SSE_API int ws_sse_replay(ws_conn *c, const ws_sse_ring *r, const char *id);

#endif /* WS_SSE__SERVER */

/* ==== >>client ====================================================================== */

#if defined(WS_H_INCLUDED) && !defined(WS_NO_CLIENT) && !defined(WS_NO_SOCKETS) && \
    !defined(WS_SSE__CLIENT)
#define WS_SSE__CLIENT

/* Follows one stream, over reconnections. Fields are private but error and conn. */
typedef struct ws_sse_reader {
    ws_conn *conn;          /* yours to free; of the loop with ws_sse_dial */
    int error;              /* 0, or the WS_SSE_ERR_ that made it stop */
    ws_sse_parser parser;
    const char *at;
    size_t n;
    long retry;             /* that the next wait is of, -1: of cfg.reconnect */
    uint32_t reconnect, retry_max;    /* ms: of cfg, or the defaults; 0: no coming back */
    int taking;
} ws_sse_reader;

/* Requests url (http:, https:) and follows its event stream: blocking (ws_recv), or in a
   loop (ws_poll; loop NULL: drive it yourself, like ws_open's). memory: n bytes for a
   parser, see ws_sse_parser_init. cfg may be NULL; its method and body are for POST.
   Returns s->conn, or NULL: out of memory, or s->error says why.

   Like a browser it comes back when the stream ends or breaks, with Last-Event-ID: of
   cfg.headers until the stream says an id, then only that one; without, if it is empty or
   has control characters (the server then goes on where it likes, but from no older id).
   It stops at 204, at answers that are no event stream or are compressed, and at every
   other status; with cfg.retry_after not at 429, 502, 503 and 504, where it waits as
   Retry-After says at least.

   After each stream the wait is cfg.reconnect (3000; WS_NEVER: no coming back; methods
   but GET come back only if it is set; with cfg.memory or cfg.io none does), and once the
   stream has said retry, that, but not more than cfg.retry_max; up to a quarter longer,
   by chance, so that readers do not return all at once. It is doubled only while tries
   fail, up to cfg.reconnect_max.

   A server that vanished without a word is noticed with cfg.idle_timeout, which any byte
   of the stream sets back; twice the server's beat is a good value. */
WS_SSE_API ws_conn *ws_sse_connect(ws_sse_reader *s, const char *url, const ws_config *cfg,
                                   void *memory, size_t n);
WS_SSE_API ws_conn *ws_sse_dial(ws_sse_reader *s, ws_loop *loop, const char *url,
                                const ws_config *cfg, void *memory, size_t n);

/* Must see every event of s->conn, until it returns 0: 1 gives the next ws_sse_event in
   it. The stream is over at WS_EV_CLOSE: see s->error, ev->error and, after an error
   status, ws_status and ws_body. (To read what else a server sends with status 200, look
   at its Content-Type at WS_EV_OPEN; that event and its WS_EV_PARTs are then yours, not
   for ws_sse_take.) */
WS_SSE_API int ws_sse_take(ws_sse_reader *s, const ws_event *ev, ws_sse_event *out);

#endif /* WS_SSE__CLIENT */

/* ==== Stop here if you only use the library ========================================= */

#ifdef WS_SSE_IMPLEMENTATION
#ifndef WS_SSE_IMPLEMENTED_
#define WS_SSE_IMPLEMENTED_

/* ==== >>impl (private) ============================================================== */

#include <limits.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define WS_SSE__APART static __attribute__((noinline))  /* its frame adds to no other */
#elif defined(_MSC_VER)
#define WS_SSE__APART static __declspec(noinline)
#else
#define WS_SSE__APART static
#endif

WS_SSE_API const char *ws_sse_error_string(int error)
{
#define WS_SSE__TEXT(name, text) text,
    static const char *const texts[] = { "", WS_SSE_ERRORS(WS_SSE__TEXT) "unknown error" };
    return texts[error <= 0 && error > -WS_SSE__NUMBER_END ? -error : WS_SSE__NUMBER_END];
}

/* ==== >>text (private) ============================================================== */

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

static int ws_sse__is_utf8(const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;
    uint64_t eight;
    size_t size;

    for (; n; p += size, n -= size) {
        if (n >= sizeof eight) {                /* ASCII at a stride */
            memcpy(&eight, p, sizeof eight);
            size = sizeof eight;
            if (!(eight & 0x8080808080808080u)) continue;
        }
        size = ws_sse__character(p, n);
        if (!size) return 0;
    }
    return 1;
}

/* Bytes before the first CR or LF. Looks for both a window at a time: where all lines end
   in one of them, the search for the other must not run to the end of the text each time. */
static size_t ws_sse__line_size(const char *s, size_t n)
{
    size_t at, k;

    for (at = 0; at < n; at += k) {
        const char *lf, *cr;
        k = n - at < 256 ? n - at : 256;
        lf = (const char *)memchr(s + at, '\n', k);
        cr = (const char *)memchr(s + at, '\r', lf ? (size_t)(lf - s) - at : k);
        if (cr || lf) return (size_t)((cr ? cr : lf) - s);
    }
    return n;
}

/* ==== >>format (private) ============================================================ */

#define WS_SSE__MOST ((size_t)-1 / 2)   /* a size that no buffer has: counting stops at it */

/* Where the bytes go: counted, and with put passed on. */
typedef struct ws_sse__out {
    int (*put)(void *user, const void *p, size_t n);
    void *user;
    size_t n;
    int error;
} ws_sse__out;

static void ws_sse__put(ws_sse__out *o, const char *p, size_t n)
{
    o->n = n > WS_SSE__MOST - o->n ? WS_SSE__MOST : o->n + n;
    if (n && o->put && !o->error && (o->put)(o->user, p, n)) o->error = WS_SSE_ERR_WRITE;
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
    for (;;) {
        size_t k = ws_sse__line_size(data, n);
        ws_sse__line(o, "data: ", data, k);
        if (k == n) return;
        k += k + 1 < n && data[k] == '\r' && data[k + 1] == '\n' ? 2 : 1;
        data += k;
        n -= k;
    }
}

static int ws_sse__is_line(const char *text, size_t n)
{
    return !text || (ws_sse__line_size(text, n) == n && ws_sse__is_utf8(text, n));
}

static int ws_sse__check(const ws_sse_message *m)
{
    size_t event = ws_sse__size(m->event, m->event_size), id = ws_sse__size(m->id, m->id_size);

    if (!ws_sse__is_line(m->event, event)) return WS_SSE_ERR_EVENT;
    if (!ws_sse__is_line(m->id, id) || (m->id && memchr(m->id, 0, id))) return WS_SSE_ERR_ID;
    if (!ws_sse__is_line(m->comment, ws_sse__size(m->comment, m->comment_size)))
        return WS_SSE_ERR_COMMENT;
    if (m->data && !ws_sse__is_utf8(m->data, ws_sse__size(m->data, m->size)))
        return WS_SSE_ERR_DATA;
    if (m->retry < 0) return WS_SSE_ERR_RETRY;
    return m->event && event && !m->data ? WS_SSE_ERR_NO_DATA : 0;
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
    if (m->event && event) ws_sse__line(o, "event: ", m->event, event);
    if (m->id) ws_sse__line(o, "id: ", m->id, ws_sse__size(m->id, m->id_size));
    if (m->data) ws_sse__data(o, m->data, ws_sse__size(m->data, m->size));
    ws_sse__put(o, "\n", 1);
}

WS_SSE_API int ws_sse_write(const ws_sse_message *m,
                            int (*put)(void *user, const void *p, size_t n), void *user)
{
    ws_sse__out o;
    int fault = ws_sse__check(m);

    if (fault) return fault;
    memset(&o, 0, sizeof o);
    o.put = put;
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

/* The event's bytes, n of them as ws_sse__count said, to at. */
static void ws_sse__fill(void *message, void *at, size_t n)
{
    ws_sse__out o;
    char *to = (char *)at;

    (void)n;
    memset(&o, 0, sizeof o);
    o.put = ws_sse__to_memory;
    o.user = &to;
    ws_sse__event(&o, (const ws_sse_message *)message);
}

/* Bytes of the event, or WS_SSE_ERR_. */
static ptrdiff_t ws_sse__count(const ws_sse_message *m)
{
    ws_sse__out o;
    int fault = ws_sse__check(m);

    if (fault) return fault;
    memset(&o, 0, sizeof o);
    ws_sse__event(&o, m);
    return (ptrdiff_t)o.n;
}

WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *m, void *buf, size_t n)
{
    ptrdiff_t size = ws_sse__count(m);

    if (size >= 0 && (size_t)size <= n) ws_sse__fill((void *)(uintptr_t)m, buf, (size_t)size);
    return size;
}

/* ==== >>parse (private) ============================================================= */

/* What the next byte belongs to. */
enum {
    WS_SSE__NAME,       /* the name of a field, or a blank line's end */
    WS_SSE__COLON,  /* the first byte behind the name and its colon: a space is dropped */
    WS_SSE__VALUE       /* the value, or its line's end */
};

/* Fields of the format; all others, comments too, are ignored. */
enum { WS_SSE__IGNORED, WS_SSE__DATA, WS_SSE__EVENT, WS_SSE__ID, WS_SSE__RETRY };

/* What p->show says: nothing, or that data waits for the program. */
enum { WS_SSE__PART = 1, WS_SSE__LAST };

/* memory: [event name] [id] [id] [id] [data], each with a NUL behind. Of the ids one is
   in force, one comes into force with the next blank line, and one is being read: only
   the end of its line tells that it has no NUL, which would leave the other two as they
   are. */
static char *ws_sse__id(const ws_sse_parser *p, int which)
{
    return p->memory + (size_t)(which + 1) * p->slot;
}

static int ws_sse__spare(const ws_sse_parser *p)
{
    return p->now == p->next ? (p->now + 1) % 3 : 3 - p->now - p->next;
}

static char *ws_sse__data_at(const ws_sse_parser *p) { return p->memory + 4 * p->slot; }

WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *p)
{
    p->event_n = p->data_n = 0;
    p->next = p->now;
    p->state = WS_SSE__NAME;
    p->bom = p->skip_lf = p->has_data = p->owes_lf = p->begun = p->show = p->name_n = 0;
    if (p->memory) p->error = 0;
}

WS_SSE_API int ws_sse_parser_init(ws_sse_parser *p, void *memory, size_t n)
{
    memset(p, 0, sizeof *p);
    p->retry = -1;
    if (!memory || n < 64) return p->error = WS_SSE_ERR_MEMORY;
    p->memory = (char *)memory;
    p->slot = n / 8;
    p->room = n - 4 * p->slot - 1;
    ws_sse__id(p, p->now)[0] = 0;
    return 0;
}

WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *p)
{
    return p->memory ? ws_sse__id(p, p->now) : "";
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
    p->name_n = 0;
    p->bad = 0;
    p->number = -1;
    p->id_n = 0;
    if (p->field == WS_SSE__EVENT) p->event_n = 0;
    if (p->field != WS_SSE__DATA) return;
    p->owes_lf = p->has_data;           /* each line but the last has an LF behind */
    p->has_data = 1;
}

/* The line with a field has ended. */
static void ws_sse__field_end(ws_sse_parser *p)
{
    p->state = WS_SSE__NAME;
    if (p->bad) return;
    if (p->field == WS_SSE__RETRY && p->number >= 0) p->retry = p->number;
    if (p->field != WS_SSE__ID) return;
    ws_sse__id(p, ws_sse__spare(p))[p->id_n] = 0;
    p->next = (uint8_t)ws_sse__spare(p);
}

static void ws_sse__retry_digits(ws_sse_parser *p, const char *s, size_t n)
{
    for (; n; s++, n--) {
        int digit = *s - '0';
        if (digit < 0 || digit > 9) p->bad = 1;
        if (p->bad) return;
        if (p->number < 0) p->number = 0;
        p->number = p->number > (LONG_MAX - digit) / 10 ? LONG_MAX : p->number * 10 + digit;
    }
}

/* Adds to a name or id of *have bytes. */
static void ws_sse__keep(ws_sse_parser *p, char *to, size_t *have, const char *s, size_t n,
                         int error)
{
    if (n >= p->slot - *have) {         /* one byte of a slot is its NUL's */
        p->error = error;
        return;
    }
    memcpy(to + *have, s, n);
    *have += n;
}

/* Bytes of a line before its value. Returns the bytes taken. */
static size_t ws_sse__name_step(ws_sse_parser *p, const char *s, size_t n)
{
    int end = *s == '\r' || *s == '\n';
    size_t k;

    if (end && !p->name_n) {            /* a blank line: the event is whole */
        p->skip_lf = *s == '\r';
        if (p->now != p->next) p->has_id = p->id_new = 1;
        p->now = p->next;
        if (p->has_data) p->show = WS_SSE__LAST;
        else p->event_n = 0;
        return 1;
    }
    if (end || *s == ':') {
        ws_sse__field_begin(p);
        p->state = WS_SSE__COLON;
        return !end;                    /* a name alone has an empty value */
    }
    for (k = 0; k < n && s[k] != ':' && s[k] != '\r' && s[k] != '\n'; k++)
        if (p->name_n < sizeof p->name) p->name[p->name_n++] = s[k];
    return k;
}

/* Room for data; when there is none, what is there must be shown first. */
static size_t ws_sse__room(ws_sse_parser *p)
{
    if (p->data_n == p->room) p->show = WS_SSE__PART;
    return p->room - p->data_n;
}

/* Bytes of a value, or its line's end. Returns the bytes taken. */
static size_t ws_sse__value_step(ws_sse_parser *p, const char *s, size_t n)
{
    if (*s == '\r' || *s == '\n') {
        p->skip_lf = *s == '\r';
        ws_sse__field_end(p);
        return 1;
    }
    if (p->field == WS_SSE__DATA && n > ws_sse__room(p)) n = p->room - p->data_n;
    n = ws_sse__line_size(s, n);
    switch (p->field) {
    case WS_SSE__DATA:
        memcpy(ws_sse__data_at(p) + p->data_n, s, n);
        p->data_n += n;
        break;
    case WS_SSE__EVENT:
        ws_sse__keep(p, p->memory, &p->event_n, s, n, WS_SSE_ERR_EVENT_SIZE);
        break;
    case WS_SSE__ID:
        if (memchr(s, 0, n)) p->bad = 1;
        ws_sse__keep(p, ws_sse__id(p, ws_sse__spare(p)), &p->id_n, s, n, WS_SSE_ERR_ID_SIZE);
        break;
    case WS_SSE__RETRY: ws_sse__retry_digits(p, s, n); break;
    default: break;
    }
    return n;
}

/* Takes some of the n > 0 bytes at s, or none when only the state changes, or when
   p->show or p->error says so. Returns how many. */
static size_t ws_sse__step(ws_sse_parser *p, const char *s, size_t n)
{
    if (p->skip_lf) {                 /* the second half of CRLF, also in another chunk */
        p->skip_lf = 0;
        return *s == '\n';
    }
    if (p->bom < 3) {                   /* a byte order mark may begin the stream */
        if (*s == "\xEF\xBB\xBF"[p->bom]) {
            p->bom++;
            return 1;
        }
        if (p->bom) p->name_n = sizeof p->name;     /* it was an unknown field's name */
        p->bom = 3;
    }
    if (p->owes_lf) {
        if (!ws_sse__room(p)) return 0;
        ws_sse__data_at(p)[p->data_n++] = '\n';
        p->owes_lf = 0;
    }
    if (p->state == WS_SSE__NAME) return ws_sse__name_step(p, s, n);
    if (p->state == WS_SSE__COLON) {
        p->state = WS_SSE__VALUE;
        return *s == ' ';
    }
    return ws_sse__value_step(p, s, n);
}

static int ws_sse__show(ws_sse_parser *p, ws_sse_event *ev)
{
    p->memory[p->event_n] = 0;
    ws_sse__data_at(p)[p->data_n] = 0;
    ev->event = p->event_n ? p->memory : "message";
    ev->event_size = p->event_n ? p->event_n : 7;
    ev->id = ws_sse__id(p, p->now);
    ev->data = ws_sse__data_at(p);
    ev->size = p->data_n;
    ev->first = !p->begun;
    ev->last = p->show == WS_SSE__LAST;
    p->begun = 1;
    return 1;
}

/* What the last call showed is not needed any more. */
static void ws_sse__release(ws_sse_parser *p)
{
    if (p->show) p->data_n = 0;
    if (p->show == WS_SSE__LAST) p->event_n = p->has_data = p->begun = 0;
    p->show = 0;
}

WS_SSE_API int ws_sse_parse(ws_sse_parser *p, const char **data, size_t *n, ws_sse_event *ev)
{
    if (p->error) return p->error;
    ws_sse__release(p);
    while (*n) {
        size_t k = ws_sse__step(p, *data, *n);
        *data += k;
        *n -= k;
        if (p->error) return p->error;
        if (p->show) return ws_sse__show(p, ev);
    }
    return 0;
}

/* ==== >>stream (private) ============================================================ */

#if defined(WS_SSE__SERVER) || defined(WS_SSE__CLIENT)

/* Is it the media type of event streams, whatever its parameters? */
static int ws_sse__is_type(ws_str type)
{
    size_t n = 0;

    while (n < type.size && type.data[n] != ';' && type.data[n] != ' ' && type.data[n] != '\t') n++;
    type.size = n;
    return ws_str_is(type, "text/event-stream");
}

#endif

#ifdef WS_SSE__SERVER

WS_SSE_API int ws_sse_requested(const ws_conn *c)
{
    ws_walk walk;
    ws_str item;

    memset(&walk, 0, sizeof walk);
    while (ws_header_walk(c, "Accept", &walk, &item))
        if (ws_sse__is_type(item)) return 1;
    return 0;
}

/* The head of a stream. */
static int ws_sse__begin(ws_conn *c, const ws_sse_options *o)
{
    static const ws_header ours[] = {
        { "Content-Type", "text/event-stream" },
        { "Cache-Control", "no-cache, no-transform" },
        { "X-Accel-Buffering", "no" },      /* nginx would hold events back for seconds */
        { NULL, NULL }
    };

    return ws__http_begin(c, 200, o ? o->headers : NULL, ours, o && o->chunked);
}

WS_SSE_API int ws_sse_open(ws_conn *c, const ws_sse_options *o)
{
    static const ws_header allow[] = { { "Allow", "GET, HEAD" }, { NULL, NULL } };
    const char *method = ws_method(c);
    ws_sse_message hello;
    int r;

    if (*method && strcmp(method, "GET") && strcmp(method, "HEAD")) {
        r = ws_http_reply(c, 405, allow, "GET only\n", 9);
        return r ? r : WS_ERR_METHOD;
    }
    r = ws_sse__begin(c, o);
    if (r || !strcmp(method, "HEAD")) return r;
    memset(&hello, 0, sizeof hello);
    hello.comment = "";                     /* bytes at once: heads alone are held back */
    hello.retry = o ? o->retry : 0;
    r = ws_sse_send(c, &hello);
    if (r) ws_drop(c);                       /* its head is out: no other answer can be */
    else ws_http_beat(c, ":\n\n", o && o->beat ? o->beat : 15000);
    return r;
}

WS_SSE_API int ws_sse_last_event_id(const ws_conn *c, char *buf, size_t n)
{
    ws_str id = ws_header_value(c, "Last-Event-ID");
    int r;

    if (!buf || !n) return -1;
    buf[0] = 0;
    if (!id.data) {
        r = ws_query(c, "lastEventId", buf, n);
        return r < 0 ? 0 : r;
    }
    if (id.size >= n) return -1;
    memcpy(buf, id.data, id.size);
    buf[id.size] = 0;
    return (int)id.size;
}

WS_SSE_API int ws_sse_send(ws_conn *c, const ws_sse_message *m)
{
    ptrdiff_t n = m ? ws_sse__count(m) : -1;

    if (n < 0) return WS_ERR_ARGUMENT;
    return ws_http_fill(c, (size_t)n, ws_sse__fill, (void *)(uintptr_t)m);
}

WS_SSE_API int ws_sse_ping(ws_conn *c) { return ws_http_write(c, ":\n\n", 3); }

#ifndef WS_NO_SOCKETS
WS_SSE_API int ws_sse_publish(ws_loop *loop, const char *group, const ws_sse_message *m)
{
    ptrdiff_t n = m ? ws_sse__count(m) : -1;
    int took;

    if (n < 0) return 0;
    took = ws_http_publish_fill(loop, group, NULL, (size_t)n, ws_sse__fill,
                                (void *)(uintptr_t)m);
    if (m->data)
        took += ws_publish(loop, group, NULL, WS_OP_TEXT, m->data,
                           ws_sse__size(m->data, m->size));
    return took;
}
#endif

/* ---- ring: entries of { bytes of the event, bytes of the id } event id, none cut in two.
   They stand at [first, end), or, wrapped, at [first, wrap) and [0, end). ---- */

typedef struct ws_sse__entry { uint32_t event, id; } ws_sse__entry;

static int ws_sse__wrapped(const ws_sse_ring *r)
{
    return r->count && r->end <= r->first;
}

static ws_sse__entry ws_sse__entry_at(const ws_sse_ring *r, size_t at)
{
    ws_sse__entry e;

    memcpy(&e, r->memory + at, sizeof e);
    return e;
}

static size_t ws_sse__entry_next(const ws_sse_ring *r, size_t at)
{
    ws_sse__entry e = ws_sse__entry_at(r, at);

    at += sizeof e + e.event + e.id;
    return ws_sse__wrapped(r) && at == r->wrap ? 0 : at;
}

WS_SSE_API void ws_sse_ring_init(ws_sse_ring *r, void *memory, size_t n)
{
    memset(r, 0, sizeof *r);
    r->memory = (char *)memory;
    r->size = n;
}

/* A place for n bytes behind the newest entry; the oldest go. n is at most the size. */
static size_t ws_sse__ring_room(ws_sse_ring *r, size_t n)
{
    for (;;) {
        if (!r->count) r->first = r->end = 0;
        if (!ws_sse__wrapped(r)) {
            if (r->size - r->end >= n) return r->end;
            r->wrap = r->end;           /* the newest entries go to the front */
            r->end = 0;
        } else if (r->first - r->end >= n) {
            return r->end;
        } else {
            r->first = ws_sse__entry_next(r, r->first);
            r->count--;
        }
    }
}

WS_SSE_API int ws_sse_ring_add(ws_sse_ring *r, const ws_sse_message *m)
{
    ptrdiff_t size = ws_sse_format(m, NULL, 0);
    ws_sse__entry e;
    size_t at, n;

    if (size < 0) return (int)size;
    e.event = (uint32_t)size;
    e.id = (uint32_t)(m->id ? ws_sse__size(m->id, m->id_size) : 0);
    n = sizeof e + (size_t)size + e.id;
    if (n > r->size || n > 0x7FFFFFFF) {
        r->count = 0;
        return WS_SSE_ERR_MEMORY;
    }
    at = ws_sse__ring_room(r, n);
    memcpy(r->memory + at, &e, sizeof e);
    ws_sse_format(m, r->memory + at + sizeof e, e.event);
    if (e.id) memcpy(r->memory + at + sizeof e + e.event, m->id, e.id);
    r->end = at + n;
    r->count++;
    return 0;
}

WS_SSE_API int ws_sse_replay(ws_conn *c, const ws_sse_ring *r, const char *id)
{
    size_t at = r->first, i, n = id ? strlen(id) : 0, from = 0;
    int sent = 0, fault;

    if (id && !n) return 0;
    for (i = 0; id && i < r->count; i++, at = ws_sse__entry_next(r, at)) {
        ws_sse__entry e = ws_sse__entry_at(r, at);
        if (e.id == n && !memcmp(r->memory + at + sizeof e + e.event, id, n)) from = i + 1;
    }
    if (id && !from) return WS_SSE_ERR_GAP;
    for (i = 0, at = r->first; i < r->count; i++, at = ws_sse__entry_next(r, at)) {
        ws_sse__entry e = ws_sse__entry_at(r, at);
        if (i < from) continue;
        fault = ws_http_write(c, r->memory + at + sizeof e, e.event);
        if (fault && fault != WS_ERR_STATE) ws_drop(c);     /* STATE: an answer to HEAD
                                                               goes */
        if (fault) return WS_SSE_ERR_WRITE;
        sent++;
    }
    return sent;
}

#endif /* WS_SSE__SERVER */

/* ==== >>follow (private) ============================================================ */

#ifdef WS_SSE__CLIENT

/* Makes of the application's configuration one that a reader needs. */
WS_SSE__APART void ws_sse__reader_config(ws_sse_reader *s, ws_config *own, const ws_config *cfg)
{
    memset(own, 0, sizeof *own);
    if (cfg) *own = *cfg;
    own->for_stream = 1;
    if (!own->method) own->method = "GET";
    if (!own->reconnect && !own->io.read && !strcmp(own->method, "GET")) own->reconnect = 3000;
    if (own->reconnect == WS_NEVER || own->memory) own->reconnect = 0;  /* no room for an
                                                                           id */
    own->refusal_final = 1;
    if (!own->retry_max) own->retry_max = 300000;
    if (!own->max_redirects && !own->io.read) own->max_redirects = 20;
    s->reconnect = own->reconnect;
    s->retry_max = own->retry_max;
}

static int ws_sse__init(ws_sse_reader *s, void *memory, size_t n)
{
    memset(s, 0, sizeof *s);
    s->retry = -1;
    s->error = ws_sse_parser_init(&s->parser, memory, n);
    return s->error;
}

WS_SSE__APART ws_conn *ws_sse__connect(ws_sse_reader *s, const char *url, const ws_config *cfg)
{
    ws_config own;

    ws_sse__reader_config(s, &own, cfg);
    return ws_connect(url, &own);
}

WS_SSE__APART ws_conn *ws_sse__dial(ws_sse_reader *s, ws_loop *loop, const char *url,
                                    const ws_config *cfg)
{
    ws_config own;

    ws_sse__reader_config(s, &own, cfg);
    return loop ? ws_dial(loop, url, &own) : ws_open(url, &own);
}

WS_SSE_API ws_conn *ws_sse_connect(ws_sse_reader *s, const char *url, const ws_config *cfg,
                                   void *memory, size_t n)
{
    if (!ws_sse__init(s, memory, n)) s->conn = ws_sse__connect(s, url, cfg);
    return s->conn;
}

WS_SSE_API ws_conn *ws_sse_dial(ws_sse_reader *s, ws_loop *loop, const char *url,
                                const ws_config *cfg, void *memory, size_t n)
{
    if (!ws_sse__init(s, memory, n)) s->conn = ws_sse__dial(s, loop, url, cfg);
    return s->conn;
}

/* No more of it, and no coming back. */
static void ws_sse__stop(ws_sse_reader *s, int error)
{
    if (!s->error) s->error = error;
    ws_close(s->conn, 0, NULL);
}

/* This try has brought a stream: the next one waits as the server said last. */
static void ws_sse__wait_anew(ws_sse_reader *s)
{
    uint32_t ms = s->reconnect;

    s->retry = s->parser.retry;
    if (s->retry >= 0) ms = (uint32_t)(s->retry < 1L << 29 ? s->retry : 1L << 29);
    if (s->retry >= 0 && ms > s->retry_max) ms = s->retry_max;
    ws_next_delay(s->conn, ms);
}

static void ws_sse__opened(ws_sse_reader *s)
{
    ws_str type = ws_header_value(s->conn, "Content-Type");
    ws_str coding = ws_header_value(s->conn, "Content-Encoding");   /* gzip, unasked */

    if (ws_status(s->conn) == 204)
        ws_sse__stop(s, 0);
    else if (ws_status(s->conn) != 200 || !ws_sse__is_type(type) ||
             (coding.size && !ws_str_is(coding, "identity")))
        ws_sse__stop(s, WS_SSE_ERR_TYPE);
    else
        ws_sse__wait_anew(s);
}

/* Tells the next try where to go on. Returns 0, or an error: there is no memory for it
   now. */
static int ws_sse__go_on_from(ws_sse_reader *s)
{
    static const char name[] = "Last-Event-ID";
    int r;

    if (!s->reconnect || !s->parser.id_new) return 0;
    r = ws_next_header(s->conn, name, ws_sse_last_id(&s->parser));
    if (r == WS_ERR_ARGUMENT) r = ws_next_header(s->conn, name, "");   /* not fit for a header */
    if (!r) s->parser.id_new = 0;
    return r;
}

/* Parses a part. Returns 1 with an event, 0 when it is used up. */
static int ws_sse__take_part(ws_sse_reader *s, const ws_event *ev, ws_sse_event *out)
{
    int r;

    if (!s->taking || s->at + s->n != (const char *)ev->data + ev->size) {
        s->at = (const char *)ev->data;         /* a part anew, also if the last was not
                                                   used up */
        s->n = ev->size;
    }
    r = ws_sse_parse(&s->parser, &s->at, &s->n, out);
    s->taking = r > 0;
    if (r < 0) ws_sse__stop(s, r);
    if (s->parser.retry != s->retry) ws_sse__wait_anew(s);
    if (!r) ws_sse__go_on_from(s);              /* known before the stream is lost */
    return r > 0;
}

WS_SSE_API int ws_sse_take(ws_sse_reader *s, const ws_event *ev, ws_sse_event *out)
{
    if (ev->conn != s->conn || s->error) return 0;
    if (ev->type == WS_EV_OPEN) ws_sse__opened(s);
    if (ev->type == WS_EV_DOWN) {
        ws_sse_parser_restart(&s->parser);
        if (ws_sse__go_on_from(s))              /* an older id would give events again */
            ws_sse__stop(s, WS_SSE_ERR_MEMORY);
    }
    return ev->type == WS_EV_PART && ws_sse__take_part(s, ev, out);
}

#endif /* WS_SSE__CLIENT */

#endif /* WS_SSE_IMPLEMENTED_ */
#endif /* WS_SSE_IMPLEMENTATION */

/* ==== >>history ========================================================================
   0.1.0  writer and reader, server and client */

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

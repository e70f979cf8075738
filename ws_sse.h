/* ws_sse.h - v0.2.0 - Server-Sent Events: writer and reader in one header. MIT, see end.

DO THIS
    In ONE source file, before the include:

        #define WS_SSE_IMPLEMENTATION
        #include "ws_sse.h"

    In every other file only include it. C99 or C++11. Without ws.h it formats and parses
    events and needs only <string.h>: no allocation, no I/O. With ws.h included before it,
    it also serves event streams from a ws_loop, on the same port as WebSockets, and
    follows the streams of other servers.

HELLO
    Writes an event and reads it back. The bytes may also come from read, recv, a file or
    a library's callback.

        #define WS_SSE_IMPLEMENTATION
        #include "ws_sse.h"
        #include <stdio.h>

        int main(void)
        {
            char memory[4096], bytes[256];
            const char *at = bytes;
            size_t size;
            ws_sse_message message = {0};
            ws_sse_parser parser;
            ws_sse_event event;

            message.event = "tick";
            message.data = "line one\nline two";
            size = (size_t)ws_sse_format(&message, bytes, sizeof bytes);

            ws_sse_parser_init(&parser, memory, sizeof memory);
            while (ws_sse_parse(&parser, &at, &size, &event) > 0)
                printf("%s: %s\n", event.event, event.data);
            return 0;
        }

CONTENTS
    Public          >>config   switches, errors
                    >>writer   events to bytes
                    >>reader   bytes to events
                    >>server   event streams from ws.h's server
                    >>client   event streams to ws.h's client
    Implementation  >>impl     includes, error texts
                    >>text     UTF-8, line ends
                    >>format   bodies of >>writer
                    >>parse    bodies of >>reader
                    >>stream   bodies of >>server
                    >>follow   bodies of >>client
    The end         >>history  >>license

WHAT IT DOES
    Implements the text/event-stream format of the HTML standard (WHATWG HTML 9.2). Every
    conforming parser reads what the writer accepts as that one event; the writer refuses
    what could not be read back. The reader accepts bytes split anywhere and allocates
    nothing. It returns an event larger than its memory in parts, the same parts wherever
    the bytes are split. It discards an event that the end of the stream cuts off, and
    passes bytes that are not UTF-8 on unchanged.
    With ws.h: servers of event streams, groups shared with WebSockets, a ring of events
    to replay, comments that keep proxies from closing idle streams; clients that
    reconnect with the last event id, as browsers do.

THREADS, ERRORS
    No locks, no global state; use a parser from one thread at a time. Functions return a
    negative WS_SSE_ERR_ when they fail; ws_sse_error_string returns its text.

SWITCHES (define before every include, or "impl" before that with WS_SSE_IMPLEMENTATION)
    WS_SSE_IMPLEMENTATION  impl  compile the bodies here
    WS_STATIC                    all functions static, private to files with the bodies
    WS_NO_SERVER, WS_NO_CLIENT, WS_NO_SOCKETS, WS_NO_HTTP
                                 those of ws.h: leave out the code that needs them
    WS_ASSERT(truth)       impl  your macro: checks the library's invariants, for tests
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

/* Every error: name (enum WS_SSE_ERR_name, negative), text. */
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

/* Returns the text of a WS_SSE_ERR_, a static string. */
WS_SSE_API const char *ws_sse_error_string(int error);

/* ==== >>writer ====================================================================== */

/* One event to write. Zero it, then set the fields you need. All text is UTF-8. */
typedef struct ws_sse_message {
    const char *event;      /* name, one line; NULL or "": readers call it "message" */
    const char *id;         /* one line; NULL: readers keep the last one; "": none */
    const char *data;       /* any text; CR, LF and CRLF all arrive as LF. NULL: readers
                               dispatch no event (id, retry and comment still count) */
    const char *comment;    /* one line, which readers ignore; "": a heartbeat */
    long retry;             /* milliseconds to wait before reconnecting, 0: omitted */
    size_t event_size, id_size, size, comment_size;     /* bytes of event, id, data and
                               comment. 0: up to the NUL, so pass "" for an empty text */
} ws_sse_message;

/* Writes the event to buf. Returns its size in bytes (no NUL is added), or WS_SSE_ERR_.
   If that is more than capacity, nothing was written: call with capacity 0 to learn the
   size. */
WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *message, void *buf,
                                   size_t capacity);

/* The same, piece by piece through put, which returns 0, or nonzero to stop. Calls put
   only if the whole event is valid. Returns 0 or WS_SSE_ERR_. */
WS_SSE_API int ws_sse_write(const ws_sse_message *message,
                            int (*put)(void *user, const void *bytes, size_t size),
                            void *user);

/* ==== >>reader ====================================================================== */

/* One event, or a part of one. Its texts are valid until the next ws_sse_parse or
   restart. A NUL follows each of the three; event and data may contain others. */
typedef struct ws_sse_event {
    const char *event;      /* name, "message" if none was given */
    const char *id;         /* last event id, "" if none */
    const char *data;       /* its lines, separated by LF */
    size_t event_size, size;    /* bytes of event, of data */
    int first, last;        /* both 1: a whole event. An event larger than half of the
                               memory is returned in parts; name and id are final in
                               the last */
} ws_sse_event;

/* A parser. It uses memory that you provide. All fields except retry are private. */
typedef struct ws_sse_parser {
    long retry;             /* ms, the last reconnection time of the stream; -1: none */
    char *memory;
    size_t slot, room;      /* bytes for a name or an id with its NUL; for data without */
    size_t event_size, id_size, data_size;      /* bytes so far; id: of this line */
    uint8_t id_string, id_buffer;   /* slots of the last event ID string and buffer */
    uint8_t bom_size;       /* bytes of the byte order mark seen; 3: done */
    uint8_t skips_lf;       /* the last byte was a CR: skip an LF after it */
    uint8_t state, field;   /* what the next byte belongs to; the line's field */
    uint8_t invalid;        /* the line's value is invalid: ignore the line */
    uint8_t has_data;       /* the event has a data line */
    uint8_t lf_due;         /* a data line follows another: insert an LF */
    uint8_t part_shown, shows;      /* a part was returned; what to return next */
    uint8_t name_size;
    uint8_t id_new;         /* the next request does not send the id yet */
    char name[6];           /* of the line's field; longer than any known name */
    long number;            /* of the retry line being read, -1: no digit yet */
    int error;
} ws_sse_parser;

/* Initialises a parser with memory, size bytes (at least 64) that you own and that must
   outlive it. An eighth of them limits the event name and the id, half of them the data
   returned at once. Returns 0 or WS_SSE_ERR_MEMORY. */
WS_SSE_API int ws_sse_parser_init(ws_sse_parser *parser, void *memory, size_t size);

/* Parses *size bytes at *data up to the next event. Returns 1 with event filled in, and
   *data and *size advanced past the bytes used; 0 when all bytes were used; or a
   WS_SSE_ERR_, which every call repeats until a restart. */
WS_SSE_API int ws_sse_parse(ws_sse_parser *parser, const char **data, size_t *size,
                            ws_sse_event *event);

/* The id to send as Last-Event-ID when reconnecting, "" for none. Valid until the next
   ws_sse_parse or restart. */
WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *parser);

/* Prepares the parser for a new stream after a reconnection: discards an unfinished event
   and the error, keeps id and retry. */
WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *parser);

#endif /* WS_SSE_H_INCLUDED */

/* ==== >>server ====================================================================== */

#if defined(WS_H_INCLUDED) && !defined(WS_NO_SERVER) && !defined(WS_NO_HTTP) && \
    !defined(WS_SSE__SERVER)
#define WS_SSE__SERVER

/* Returns 1 if a WS_EV_HTTP requests an event stream: Accept has text/event-stream. */
WS_SSE_API int ws_sse_requested(const ws_conn *conn);

/* Returns 1 if it takes an event stream for an answer (RFC 9110 12.5.1): Accept names it,
   or any text, or anything at all, the closest of these not with q=0; or there is no
   Accept. For addresses that serve nothing else: browsers ask for pages in that way. */
WS_SSE_API int ws_sse_accepted(const ws_conn *conn);

/* Options of an event stream. Zero it, then set the fields you need. */
typedef struct ws_sse_options {
    const ws_header *headers;   /* added to the response (CORS), or in place of the
                                   library's Content-Type, Cache-Control; NULL none */
    long retry;             /* ms a reader waits before it reconnects; 0: omitted */
    uint32_t beat;          /* heartbeat: ms without an event before a comment is sent,
                               which also detects dead readers; 0: 15000; WS_NEVER.
                               Not with cfg.memory */
    int chunked;            /* 1: chunked, to HTTP/1.1; 0: ends with the connection */
} ws_sse_options;

/* Answers a WS_EV_HTTP with an event stream; options may be NULL. From then on the
   connection takes ws_sse_send, may ws_join groups, has WS_EV_WRITABLE and the limits of
   its backlog like any other, and ends with ws_close, or with CLOSE when the reader
   leaves. It does not look at Accept. Returns 0; WS_ERR_METHOD for methods other than
   GET, HEAD and POST (its body is in the event, up to cfg.max_body), which it answers
   with 405; or an error of ws_http_begin. For a HEAD request only the head is sent. To
   stop a reader from reconnecting, answer with ws_http_reply and status 204 instead. */
WS_SSE_API int ws_sse_open(ws_conn *conn, const ws_sse_options *options);

/* Copies the last event id of a reader that reconnects: its Last-Event-ID header, else
   lastEventId of the query; "" for none. Call it at WS_EV_HTTP. Returns its length, or
   WS_ERR_ARGUMENT if it does not fit. */
WS_SSE_API int ws_sse_last_event_id(const ws_conn *conn, char *buf, size_t capacity);

/* Sends an event, or only a comment (ping). Returns 0, WS_ERR_ARGUMENT for what
   ws_sse_format refuses, or an error of ws_http_write. */
WS_SSE_API int ws_sse_send(ws_conn *conn, const ws_sse_message *message);
WS_SSE_API int ws_sse_ping(ws_conn *conn);

#ifndef WS_NO_SOCKETS
/* Sends an event to every member of a group: event streams get the event, WebSockets get
   its data as a text message. Returns how many members accepted it. */
WS_SSE_API int ws_sse_publish(ws_loop *loop, const char *group,
                              const ws_sse_message *message);
#endif

/* A replay ring: the latest events, in memory that you provide, for readers that
   reconnect. Fields are private. */
typedef struct ws_sse_ring {
    char *memory;
    size_t size, first, end, wrap, count;
} ws_sse_ring;

/* Initialises a ring with memory, size bytes that you own and that must outlive it. Each
   event takes its formatted size, the size of its id, and 8 bytes. */
WS_SSE_API void ws_sse_ring_init(ws_sse_ring *ring, void *memory, size_t size);

/* Stores an event, dropping the oldest ones to make room. Returns 0, an error of
   ws_sse_format, or WS_SSE_ERR_MEMORY: the event is larger than the ring. The ring is
   then emptied, because a replay without the event would have a gap. */
WS_SSE_API int ws_sse_ring_add(ws_sse_ring *ring, const ws_sse_message *message);

/* Sends the events after the one with that id; NULL: all in the ring. Returns how many
   were sent (0 for id ""); WS_SSE_ERR_GAP if this reader has lost events: tell it to
   start over; or WS_SSE_ERR_WRITE if the stream has ended (after HEAD it is never open),
   or if its backlog is full: the connection is then dropped so that the reader
   reconnects. */
WS_SSE_API int ws_sse_replay(ws_conn *conn, const ws_sse_ring *ring, const char *id);

#endif /* WS_SSE__SERVER */

/* ==== >>client ====================================================================== */

#if defined(WS_H_INCLUDED) && !defined(WS_NO_CLIENT) && !defined(WS_NO_SOCKETS) && \
    !defined(WS_NO_HTTP) && !defined(WS_SSE__CLIENT)
#define WS_SSE__CLIENT

/* Follows one stream across reconnections. All fields except error and conn are
   private. */
typedef struct ws_sse_reader {
    ws_conn *conn;          /* yours to free; with ws_sse_dial and a loop, the loop's */
    int error;              /* 0, or the WS_SSE_ERR_ that stopped the reader */
    ws_sse_parser parser;
    const char *at;         /* the rest of the part being parsed: left bytes */
    size_t left;
    long retry;             /* ms, the reconnection time in use; -1: cfg.reconnect */
    uint32_t reconnect, retry_max;      /* ms, of cfg or the defaults; 0: never */
    int taking;             /* the last call returned an event of this part */
} ws_sse_reader;

/* Requests url (http:, https:) and follows its event stream: blocking (ws_recv), or in a
   loop (ws_poll; loop NULL: you drive the connection, like that of ws_open). memory: size
   bytes for a parser, see ws_sse_parser_init. cfg may be NULL; its method and body are
   for POST. Returns reader->conn, or NULL: out of memory, or reader->error says why.

   Like a browser it reconnects when the stream ends or breaks, with Last-Event-ID: that
   of cfg.headers until the stream gives an id, from then on only the stream's; none if
   that is empty or has control characters (the server then chooses where to resume, but
   no older id is sent). It stops at status 204, at responses that are not an event stream
   or are compressed, and at every other status. With cfg.retry_after it does not stop at
   429, 502, 503 and 504, but waits at least as long as Retry-After says.

   After each stream it waits cfg.reconnect ms (3000; WS_NEVER: never reconnect; methods
   other than GET reconnect only if it is set; with cfg.memory or cfg.io it never does).
   Once the stream has sent retry, it waits that long, at most cfg.retry_max. Up to a
   quarter is added at random, so that readers do not all reconnect at once. The wait
   doubles only while attempts fail, up to cfg.reconnect_max.

   cfg.idle_timeout detects a server that vanished silently; any byte of the stream
   restarts it. Twice the server's beat is a good value. */
WS_SSE_API ws_conn *ws_sse_connect(ws_sse_reader *reader, const char *url,
                                   const ws_config *cfg, void *memory, size_t size);
WS_SSE_API ws_conn *ws_sse_dial(ws_sse_reader *reader, ws_loop *loop, const char *url,
                                const ws_config *cfg, void *memory, size_t size);

/* Pass it every event of reader->conn, repeatedly until it returns 0; each 1 fills in
   event. The stream is over at WS_EV_CLOSE: see reader->error, the error of the CLOSE
   and, after an error status, ws_status and ws_body. (To read another kind of
   response with status 200, check its Content-Type at WS_EV_OPEN, and handle that event
   and its WS_EV_PARTs yourself, without ws_sse_take.) */
WS_SSE_API int ws_sse_take(ws_sse_reader *reader, const ws_event *conn_event,
                           ws_sse_event *event);

#endif /* WS_SSE__CLIENT */

/* ==== Stop here if you only use the library ========================================= */

#ifdef WS_SSE_IMPLEMENTATION
#ifndef WS_SSE_IMPLEMENTED_
#define WS_SSE_IMPLEMENTED_

/* ==== >>impl (private) ============================================================== */

#include <limits.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define WS_SSE__APART static __attribute__((noinline))  /* its frame does not add to its
                                                           caller's */
#elif defined(_MSC_VER)
#define WS_SSE__APART static __declspec(noinline)
#else
#define WS_SSE__APART static
#endif

#ifndef WS_ASSERT
#define WS_ASSERT(truth) ((void)0)
#endif

#define WS_SSE__IF(fact, then) (!(fact) || (then))

WS_SSE_API const char *ws_sse_error_string(int error)
{
#define WS_SSE__TEXT(name, text) text,
    static const char *const texts[] = {
        "", WS_SSE_ERRORS(WS_SSE__TEXT) "unknown error"
    };
    int known = error <= 0 && error > -WS_SSE__NUMBER_END;

    return texts[known ? -error : WS_SSE__NUMBER_END];
}

/* ==== >>text (private) ============================================================== */

/* A text of the caller. data is NULL and size 0 if none was given. */
typedef struct ws_sse__text {
    const char *data;
    size_t size;
} ws_sse__text;

/* size 0: up to the NUL. */
static ws_sse__text ws_sse__text_of(const char *data, size_t size)
{
    ws_sse__text text;

    text.data = data;
    text.size = size;
    if (!data)
        text.size = 0;
    else if (!size)
        text.size = strlen(data);
    return text;
}

static size_t ws_sse__min(size_t left, size_t right)
{
    return left < right ? left : right;
}

/* Bytes of the UTF-8 character that begins with lead; 0 if none does (RFC 3629 4). */
static size_t ws_sse__character_size(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0)
        return 3;
    return lead < 0xF5 ? 4 : 0;
}

/* Bytes of the UTF-8 character at bytes[0..size), 0 if it is malformed. */
static size_t ws_sse__character(const uint8_t *bytes, size_t size)
{
    size_t length = ws_sse__character_size(bytes[0]), i;

    WS_ASSERT(size > 0);
    if (length > size)
        return 0;
    for (i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    switch (bytes[0]) {                 /* four lead bytes restrict the second byte */
    case 0xE0:
        return bytes[1] < 0xA0 ? 0 : length;    /* two bytes are enough */
    case 0xED:
        return bytes[1] > 0x9F ? 0 : length;    /* half of a UTF-16 surrogate pair */
    case 0xF0:
        return bytes[1] < 0x90 ? 0 : length;    /* three bytes are enough */
    case 0xF4:
        return bytes[1] > 0x8F ? 0 : length;    /* beyond U+10FFFF */
    default:
        return length;
    }
}

static int ws_sse__is_utf8(const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    uint64_t eight;
    size_t length;

    for (; size; bytes += length, size -= length) {
        if (size >= sizeof eight) {             /* eight bytes of ASCII at a time */
            memcpy(&eight, bytes, sizeof eight);
            length = sizeof eight;
            if (!(eight & 0x8080808080808080u))
                continue;
        }
        length = ws_sse__character(bytes, size);
        if (!length)
            return 0;
    }
    return 1;
}

static int ws_sse__is_line_end(char byte)
{
    return byte == '\r' || byte == '\n';
}

/* Bytes before the first CR or LF. Searches for both in windows: if all lines end in one
   of them, the search for the other must not run to the end of the text for each line. */
static size_t ws_sse__line_size(const char *text, size_t size)
{
    size_t at, window;

    for (at = 0; at < size; at += window) {
        const char *line_feed, *carriage_return;

        window = ws_sse__min(size - at, 256);
        line_feed = (const char *)memchr(text + at, '\n', window);
        if (line_feed)
            window = (size_t)(line_feed - text) - at;
        carriage_return = (const char *)memchr(text + at, '\r', window);
        if (carriage_return)
            return (size_t)(carriage_return - text);
        if (line_feed)
            return (size_t)(line_feed - text);
    }
    return size;
}

/* Bytes of the line end at text[0..size): CR, LF or CRLF. */
static size_t ws_sse__line_end_size(const char *text, size_t size)
{
    WS_ASSERT(size > 0);
    WS_ASSERT(ws_sse__is_line_end(text[0]));
    return size > 1 && text[0] == '\r' && text[1] == '\n' ? 2 : 1;
}

/* ==== >>format (private) ============================================================ */

#define WS_SSE__MOST ((size_t)-1 / 2)   /* a size no buffer has: counting stops there */

/* Output: counts the bytes, and passes them to put unless it is NULL. */
typedef struct ws_sse__out {
    int (*put)(void *user, const void *bytes, size_t size);
    void *user;
    size_t size;
    int error;
} ws_sse__out;

/* A message with the sizes of its texts determined; an empty event name is NULL. Points
   to the texts of the message. */
typedef struct ws_sse__fields {
    ws_sse__text event, id, data, comment;
    long retry;
} ws_sse__fields;

static void ws_sse__out_init(ws_sse__out *out,
                             int (*put)(void *user, const void *bytes, size_t size),
                             void *user)
{
    out->put = put;
    out->user = user;
    out->size = 0;
    out->error = 0;
}

static void ws_sse__put(ws_sse__out *out, const char *bytes, size_t size)
{
    WS_ASSERT(out->size <= WS_SSE__MOST);
    out->size += ws_sse__min(size, WS_SSE__MOST - out->size);
    if (!out->put || out->error || !size)
        return;
    if ((out->put)(out->user, bytes, size))
        out->error = WS_SSE_ERR_WRITE;
}

static void ws_sse__put_line(ws_sse__out *out, const char *name, const char *value,
                             size_t size)
{
    WS_ASSERT(ws_sse__line_size(value, size) == size);
    ws_sse__put(out, name, strlen(name));
    ws_sse__put(out, value, size);
    ws_sse__put(out, "\n", 1);
}

static void ws_sse__put_field(ws_sse__out *out, const char *name, ws_sse__text value)
{
    if (value.data)
        ws_sse__put_line(out, name, value.data, value.size);
}

static void ws_sse__put_retry(ws_sse__out *out, long milliseconds)
{
    char digits[24];
    size_t at = sizeof digits;

    WS_ASSERT(milliseconds >= 0);
    if (!milliseconds)
        return;
    for (; milliseconds; milliseconds /= 10)
        digits[--at] = (char)('0' + milliseconds % 10);
    ws_sse__put_line(out, "retry: ", digits + at, sizeof digits - at);
}

/* One data line for each line of the text. */
static void ws_sse__put_data(ws_sse__out *out, ws_sse__text data)
{
    if (!data.data)
        return;
    for (;;) {
        size_t line = ws_sse__line_size(data.data, data.size);

        ws_sse__put_line(out, "data: ", data.data, line);
        if (line == data.size)
            return;
        line += ws_sse__line_end_size(data.data + line, data.size - line);
        data.data += line;
        data.size -= line;
    }
}

static void ws_sse__put_event(ws_sse__out *out, const ws_sse__fields *fields)
{
    ws_sse__put_field(out, ": ", fields->comment);
    ws_sse__put_retry(out, fields->retry);
    ws_sse__put_field(out, "event: ", fields->event);
    ws_sse__put_field(out, "id: ", fields->id);
    ws_sse__put_data(out, fields->data);
    ws_sse__put(out, "\n", 1);
}

/* True also for a text that was not given. */
static int ws_sse__is_line(ws_sse__text text)
{
    return ws_sse__line_size(text.data, text.size) == text.size &&
           ws_sse__is_utf8(text.data, text.size);
}

static int ws_sse__has_nul(ws_sse__text text)
{
    return text.size && memchr(text.data, 0, text.size);
}

/* Returns 0 if every parser reads the fields back as they are, or WS_SSE_ERR_. */
static int ws_sse__check(const ws_sse__fields *fields)
{
    if (!ws_sse__is_line(fields->event))
        return WS_SSE_ERR_EVENT;
    if (!ws_sse__is_line(fields->id) || ws_sse__has_nul(fields->id))
        return WS_SSE_ERR_ID;
    if (!ws_sse__is_line(fields->comment))
        return WS_SSE_ERR_COMMENT;
    if (!ws_sse__is_utf8(fields->data.data, fields->data.size))
        return WS_SSE_ERR_DATA;
    if (fields->retry < 0)
        return WS_SSE_ERR_RETRY;
    return fields->event.data && !fields->data.data ? WS_SSE_ERR_NO_DATA : 0;
}

/* Fills fields in from the message. Returns 0 or WS_SSE_ERR_. */
static int ws_sse__fields_of(const ws_sse_message *message, ws_sse__fields *fields)
{
    fields->event = ws_sse__text_of(message->event, message->event_size);
    fields->id = ws_sse__text_of(message->id, message->id_size);
    fields->data = ws_sse__text_of(message->data, message->size);
    fields->comment = ws_sse__text_of(message->comment, message->comment_size);
    fields->retry = message->retry;
    if (!fields->event.size)
        fields->event.data = NULL;
    return ws_sse__check(fields);
}

WS_SSE_API int ws_sse_write(const ws_sse_message *message,
                            int (*put)(void *user, const void *bytes, size_t size),
                            void *user)
{
    ws_sse__out out;
    ws_sse__fields fields;
    int error = ws_sse__fields_of(message, &fields);

    if (error)
        return error;
    ws_sse__out_init(&out, put, user);
    ws_sse__put_event(&out, &fields);
    return out.error;
}

static int ws_sse__to_memory(void *user, const void *bytes, size_t size)
{
    char **at = (char **)user;

    memcpy(*at, bytes, size);
    *at += size;
    return 0;
}

/* Writes the event of valid fields to at: size bytes, the result of ws_sse__count. */
static void ws_sse__fill(void *fields, void *at, size_t size)
{
    ws_sse__out out;
    char *to = (char *)at;

    (void)size;
    ws_sse__out_init(&out, ws_sse__to_memory, &to);
    ws_sse__put_event(&out, (const ws_sse__fields *)fields);
    WS_ASSERT(!out.error);
    WS_ASSERT(out.size == size);
    WS_ASSERT(to == (char *)at + size);
}

/* Bytes of the event of valid fields. */
static size_t ws_sse__count(const ws_sse__fields *fields)
{
    ws_sse__out out;

    ws_sse__out_init(&out, NULL, NULL);
    ws_sse__put_event(&out, fields);
    WS_ASSERT(out.size > 0);
    return out.size;
}

WS_SSE_API ptrdiff_t ws_sse_format(const ws_sse_message *message, void *buf,
                                   size_t capacity)
{
    ws_sse__fields fields;
    int error = ws_sse__fields_of(message, &fields);
    size_t size;

    if (error)
        return error;
    size = ws_sse__count(&fields);
    if (size <= capacity)
        ws_sse__fill(&fields, buf, size);
    return (ptrdiff_t)size;
}

/* ==== >>parse (private) ============================================================= */

/* What the next byte belongs to. */
enum {
    WS_SSE__NAME,       /* the name of a field, or the end of a blank line */
    WS_SSE__COLON,      /* the first byte after the colon: a space is dropped */
    WS_SSE__VALUE       /* the value, or the end of its line */
};

/* Fields of the format; all others, comments too, are ignored. */
enum { WS_SSE__IGNORED, WS_SSE__DATA, WS_SSE__EVENT, WS_SSE__ID, WS_SSE__RETRY };

/* Values of parser->shows: what ws_sse__show has to return. */
enum { WS_SSE__NOTHING, WS_SSE__PART, WS_SSE__LAST };

enum { WS_SSE__BOM_SIZE = 3 };

/* memory: [event name] [id] [id] [id] [data], each followed by a NUL. One id is the last
   event ID string, one the last event ID buffer, which becomes the string at the next
   blank line, and one is being read: an id with a NUL is ignored, which is known only at
   the end of its line. String and buffer share a slot until an id line has ended. */
static char *ws_sse__id(const ws_sse_parser *parser, int slot)
{
    WS_ASSERT(slot >= 0);
    WS_ASSERT(slot < 3);
    return parser->memory + (size_t)(slot + 1) * parser->slot;
}

/* The id slot that is neither the string nor the buffer. */
static uint8_t ws_sse__id_spare(const ws_sse_parser *parser)
{
    if (parser->id_string == parser->id_buffer)
        return (uint8_t)((parser->id_string + 1) % 3);
    return (uint8_t)(3 - parser->id_string - parser->id_buffer);
}

static char *ws_sse__data(const ws_sse_parser *parser)
{
    return parser->memory + 4 * parser->slot;
}

static void ws_sse__memory_sane(const ws_sse_parser *parser)
{
    (void)parser;
    WS_ASSERT(parser->slot >= 8);
    WS_ASSERT(parser->room >= 4 * parser->slot - 1);
    WS_ASSERT(parser->event_size < parser->slot);
    WS_ASSERT(parser->id_size < parser->slot);
    WS_ASSERT(parser->data_size <= parser->room);
    WS_ASSERT(memchr(ws_sse__id(parser, parser->id_string), 0, parser->slot));
    WS_ASSERT(memchr(ws_sse__id(parser, parser->id_buffer), 0, parser->slot));
}

/* Invariants between two calls and at the start of each step. WS_ASSERT checks them in
   tests. */
static void ws_sse__parser_sane(const ws_sse_parser *parser)
{
    WS_ASSERT(WS_SSE__IF(!parser->memory, parser->error == WS_SSE_ERR_MEMORY));
    WS_ASSERT(parser->retry >= -1);
    WS_ASSERT(parser->number >= -1);
    WS_ASSERT(parser->bom_size <= WS_SSE__BOM_SIZE);
    WS_ASSERT(parser->name_size <= sizeof parser->name);
    WS_ASSERT(parser->state <= WS_SSE__VALUE);
    WS_ASSERT(parser->field <= WS_SSE__RETRY);
    WS_ASSERT(parser->shows <= WS_SSE__LAST);
    WS_ASSERT(WS_SSE__IF(parser->name_size, parser->state == WS_SSE__NAME));
    WS_ASSERT(WS_SSE__IF(parser->skips_lf, parser->state == WS_SSE__NAME));
    WS_ASSERT(WS_SSE__IF(parser->lf_due, parser->state == WS_SSE__COLON));
    WS_ASSERT(WS_SSE__IF(parser->lf_due, parser->has_data));
    WS_ASSERT(WS_SSE__IF(parser->data_size, parser->has_data));
    WS_ASSERT(WS_SSE__IF(parser->part_shown, parser->has_data));
    WS_ASSERT(WS_SSE__IF(parser->shows, parser->has_data));
    WS_ASSERT(WS_SSE__IF(parser->shows == WS_SSE__LAST, parser->state == WS_SSE__NAME));
    WS_ASSERT(WS_SSE__IF(parser->shows, !parser->error));
    if (parser->memory)
        ws_sse__memory_sane(parser);
}

WS_SSE_API void ws_sse_parser_restart(ws_sse_parser *parser)
{
    ws_sse__parser_sane(parser);
    parser->event_size = 0;
    parser->data_size = 0;
    parser->id_buffer = parser->id_string;
    parser->state = WS_SSE__NAME;
    parser->bom_size = 0;
    parser->skips_lf = 0;
    parser->has_data = 0;
    parser->lf_due = 0;
    parser->part_shown = 0;
    parser->shows = WS_SSE__NOTHING;
    parser->name_size = 0;
    if (parser->memory)
        parser->error = 0;
}

WS_SSE_API int ws_sse_parser_init(ws_sse_parser *parser, void *memory, size_t size)
{
    memset(parser, 0, sizeof *parser);
    parser->retry = -1;
    if (!memory || size < 64) {
        parser->error = WS_SSE_ERR_MEMORY;
        return parser->error;
    }
    parser->memory = (char *)memory;
    parser->slot = size / 8;
    parser->room = size - 4 * parser->slot - 1;
    ws_sse__id(parser, parser->id_string)[0] = 0;
    return 0;
}

WS_SSE_API const char *ws_sse_last_id(const ws_sse_parser *parser)
{
    ws_sse__parser_sane(parser);
    return parser->memory ? ws_sse__id(parser, parser->id_string) : "";
}

static uint8_t ws_sse__field_named(const char *name, size_t size)
{
    static const struct { const char *name; uint8_t size, field; } known[] = {
        { "data", 4, WS_SSE__DATA },
        { "event", 5, WS_SSE__EVENT },
        { "id", 2, WS_SSE__ID },
        { "retry", 5, WS_SSE__RETRY }
    };
    size_t i;

    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (size == known[i].size && !memcmp(name, known[i].name, size))
            return known[i].field;
    return WS_SSE__IGNORED;
}

/* The name of the line's field is complete: clears what its value replaces. */
static void ws_sse__field_begin(ws_sse_parser *parser)
{
    parser->field = ws_sse__field_named(parser->name, parser->name_size);
    parser->state = WS_SSE__COLON;
    parser->name_size = 0;
    parser->invalid = 0;
    parser->number = -1;
    parser->id_size = 0;
    if (parser->field == WS_SSE__EVENT)
        parser->event_size = 0;
    if (parser->field == WS_SSE__DATA) {
        parser->lf_due = parser->has_data;
        parser->has_data = 1;
    }
}

static void ws_sse__id_end(ws_sse_parser *parser)
{
    uint8_t spare = ws_sse__id_spare(parser);

    WS_ASSERT(parser->id_size < parser->slot);
    ws_sse__id(parser, spare)[parser->id_size] = 0;
    parser->id_buffer = spare;
}

/* The line of a field has ended. */
static void ws_sse__field_end(ws_sse_parser *parser)
{
    WS_ASSERT(parser->state == WS_SSE__VALUE);
    parser->state = WS_SSE__NAME;
    if (parser->invalid)
        return;
    if (parser->field == WS_SSE__ID)
        ws_sse__id_end(parser);
    if (parser->field == WS_SSE__RETRY && parser->number >= 0)
        parser->retry = parser->number;
}

/* Anything but digits makes the line invalid; numbers beyond a long become LONG_MAX. */
static void ws_sse__retry_digits(ws_sse_parser *parser, const char *digits, size_t size)
{
    const char *end = digits + size;

    WS_ASSERT(size > 0);
    if (parser->number < 0)
        parser->number = 0;
    for (; digits < end && !parser->invalid; digits++) {
        int digit = *digits - '0';

        if (digit < 0 || digit > 9)
            parser->invalid = 1;
        else if (parser->number > (LONG_MAX - digit) / 10)
            parser->number = LONG_MAX;
        else
            parser->number = parser->number * 10 + digit;
    }
}

/* Appends to the name or id in slot, *length bytes so far. Stops the parser with error if
   they do not fit. */
static void ws_sse__append(ws_sse_parser *parser, char *slot, size_t *length,
                           const char *bytes, size_t size, int error)
{
    WS_ASSERT(*length < parser->slot);
    if (size >= parser->slot - *length) {       /* one byte is for the NUL */
        parser->error = error;
        return;
    }
    memcpy(slot + *length, bytes, size);
    *length += size;
}

/* Bytes of room for data. If there is none, the data so far must be returned first. */
static size_t ws_sse__data_room(ws_sse_parser *parser)
{
    WS_ASSERT(parser->data_size <= parser->room);
    if (parser->data_size == parser->room)
        parser->shows = WS_SSE__PART;
    return parser->room - parser->data_size;
}

/* Dispatches the event at a blank line, which ends with the byte end. */
static void ws_sse__dispatch(ws_sse_parser *parser, char end)
{
    parser->skips_lf = end == '\r';
    if (parser->id_string != parser->id_buffer)
        parser->id_new = 1;
    parser->id_string = parser->id_buffer;
    if (parser->has_data)
        parser->shows = WS_SSE__LAST;
    else
        parser->event_size = 0;
}

/* Consumes bytes of a line before its value. Returns how many. */
static size_t ws_sse__name_step(ws_sse_parser *parser, const char *text, size_t size)
{
    int ends = ws_sse__is_line_end(*text);
    size_t at;

    WS_ASSERT(size > 0);
    if (ends && !parser->name_size) {
        ws_sse__dispatch(parser, *text);
        return 1;
    }
    if (ends || *text == ':') {
        ws_sse__field_begin(parser);
        return !ends;                   /* a name without a colon has an empty value */
    }
    for (at = 0; at < size; at++) {
        if (text[at] == ':' || ws_sse__is_line_end(text[at]))
            break;
        if (parser->name_size < sizeof parser->name)
            parser->name[parser->name_size++] = text[at];
    }
    return at;
}

/* Adds bytes to the value of the line's field. The caller checked the room for data. */
static void ws_sse__value(ws_sse_parser *parser, const char *text, size_t size)
{
    switch (parser->field) {
    case WS_SSE__DATA:
        WS_ASSERT(size <= parser->room - parser->data_size);
        memcpy(ws_sse__data(parser) + parser->data_size, text, size);
        parser->data_size += size;
        break;
    case WS_SSE__EVENT:
        ws_sse__append(parser, parser->memory, &parser->event_size, text, size,
                       WS_SSE_ERR_EVENT_SIZE);
        break;
    case WS_SSE__ID:
        if (memchr(text, 0, size))
            parser->invalid = 1;
        ws_sse__append(parser, ws_sse__id(parser, ws_sse__id_spare(parser)),
                       &parser->id_size, text, size, WS_SSE_ERR_ID_SIZE);
        break;
    case WS_SSE__RETRY:
        ws_sse__retry_digits(parser, text, size);
        break;
    default:
        break;
    }
}

/* Consumes bytes of a value, or the end of its line. Returns how many. */
static size_t ws_sse__value_step(ws_sse_parser *parser, const char *text, size_t size)
{
    if (ws_sse__is_line_end(*text)) {
        parser->skips_lf = *text == '\r';
        ws_sse__field_end(parser);
        return 1;
    }
    if (parser->field == WS_SSE__DATA)
        size = ws_sse__min(size, ws_sse__data_room(parser));
    size = ws_sse__line_size(text, size);
    ws_sse__value(parser, text, size);
    return size;
}

/* Consumes a byte of the optional byte order mark. Returns how many. */
static size_t ws_sse__bom_step(ws_sse_parser *parser, char byte)
{
    WS_ASSERT(parser->state == WS_SSE__NAME);
    if (byte == "\xEF\xBB\xBF"[parser->bom_size]) {
        parser->bom_size++;
        return 1;
    }
    if (parser->bom_size)       /* incomplete: it begins the name of an unknown field */
        parser->name_size = sizeof parser->name;
    parser->bom_size = WS_SSE__BOM_SIZE;
    return 0;
}

/* Inserts the LF between two data lines. Returns 0 if there is no room. */
static int ws_sse__lf_step(ws_sse_parser *parser)
{
    if (!ws_sse__data_room(parser))
        return 0;
    ws_sse__data(parser)[parser->data_size++] = '\n';
    parser->lf_due = 0;
    return 1;
}

/* Consumes some of the size > 0 bytes at text. Returns how many; 0 if only the state
   changed, or if parser->shows or parser->error was set. */
static size_t ws_sse__step(ws_sse_parser *parser, const char *text, size_t size)
{
    ws_sse__parser_sane(parser);
    WS_ASSERT(size > 0);
    if (parser->skips_lf) {             /* the second half of CRLF, if present */
        parser->skips_lf = 0;
        return *text == '\n';
    }
    if (parser->bom_size < WS_SSE__BOM_SIZE)
        return ws_sse__bom_step(parser, *text);
    if (parser->lf_due && !ws_sse__lf_step(parser))
        return 0;
    if (parser->state == WS_SSE__NAME)
        return ws_sse__name_step(parser, text, size);
    if (parser->state == WS_SSE__VALUE)
        return ws_sse__value_step(parser, text, size);
    parser->state = WS_SSE__VALUE;
    return *text == ' ';
}

/* Fills in event: the whole event, or the part that parser->shows selects. */
static void ws_sse__show(ws_sse_parser *parser, ws_sse_event *event)
{
    char *data = ws_sse__data(parser);

    WS_ASSERT(parser->has_data);
    WS_ASSERT(WS_SSE__IF(parser->lf_due, parser->shows == WS_SSE__PART));
    parser->memory[parser->event_size] = 0;
    data[parser->data_size] = 0;
    event->event = "message";
    event->event_size = 7;
    if (parser->event_size) {
        event->event = parser->memory;
        event->event_size = parser->event_size;
    }
    event->id = ws_sse__id(parser, parser->id_string);
    event->data = data;
    event->size = parser->data_size;
    event->first = !parser->part_shown;
    event->last = parser->shows == WS_SSE__LAST;
    parser->part_shown = 1;
}

/* Releases what the last call returned. */
static void ws_sse__release(ws_sse_parser *parser)
{
    if (parser->shows)
        parser->data_size = 0;
    if (parser->shows == WS_SSE__LAST) {
        parser->event_size = 0;
        parser->has_data = 0;
        parser->part_shown = 0;
    }
    parser->shows = WS_SSE__NOTHING;
}

WS_SSE_API int ws_sse_parse(ws_sse_parser *parser, const char **data, size_t *size,
                            ws_sse_event *event)
{
    ws_sse__parser_sane(parser);
    if (parser->error)
        return parser->error;
    ws_sse__release(parser);
    while (*size) {
        size_t taken = ws_sse__step(parser, *data, *size);

        WS_ASSERT(taken <= *size);
        *data += taken;
        *size -= taken;
        if (parser->error)
            return parser->error;
        if (parser->shows) {
            ws_sse__show(parser, event);
            return 1;
        }
    }
    return 0;
}

/* ==== >>stream (private) ============================================================ */

#if defined(WS_SSE__SERVER) || defined(WS_SSE__CLIENT)

/* A media type without its parameters. */
static ws_str ws_sse__type(ws_str type)
{
    size_t size = 0;

    while (size < type.size && !memchr("; \t", type.data[size], 3))
        size++;
    type.size = size;
    return type;
}

/* Is it the one of event streams? */
static int ws_sse__is_type(ws_str type)
{
    return ws_str_is(ws_sse__type(type), "text/event-stream");
}

#endif

#ifdef WS_SSE__SERVER

WS_SSE_API int ws_sse_requested(const ws_conn *conn)
{
    ws_walk walk;
    ws_str item;

    memset(&walk, 0, sizeof walk);
    while (ws_header_walk(conn, "Accept", &walk, &item))
        if (ws_sse__is_type(item))
            return 1;
    return 0;
}

/* 1 if a weight of Accept is more than nothing: "0", "0.000" are not. */
static int ws_sse__has_weight(ws_str params)
{
    ws_str name;
    char value[8];
    int result;

    while ((result = ws_param_next(&params, &name, value, sizeof value)) > 0)
        if (ws_str_is(name, "q"))
            return strspn(value, "0.") < strlen(value);
    return result == 0;
}

/* How closely a range of Accept names event streams: 3 by name, 2 as text, 1 as anything,
   0 not. */
static int ws_sse__closeness(ws_str range)
{
    static const char *const ranges[] = { "*/*", "text/*", "text/event-stream" };
    int i;

    for (i = 3; i && !ws_str_is(range, ranges[i - 1]); i--) {}
    return i;
}

WS_SSE_API int ws_sse_accepted(const ws_conn *conn)
{
    ws_walk walk;
    ws_str item, range;
    int best = 0, good = 0, close;

    memset(&walk, 0, sizeof walk);
    while (ws_header_walk(conn, "Accept", &walk, &item)) {
        range = ws_sse__type(item);
        close = ws_sse__closeness(range);
        if (close <= best)
            continue;
        best = close;
        range.data += range.size;
        range.size = item.size - range.size;
        good = ws_sse__has_weight(range);
    }
    return *ws_method(conn) && (best ? good : !ws_header_value(conn, "Accept").data);
}

/* Sends the head of a stream. */
static int ws_sse__begin(ws_conn *conn, const ws_sse_options *options)
{
    static const ws_header ours[] = {
        { "Content-Type", "text/event-stream" },
        { "Cache-Control", "no-cache, no-transform" },
        { "X-Accel-Buffering", "no" },      /* nginx would buffer events for seconds */
        { NULL, NULL }
    };

    return ws__http_begin(conn, 200, options->headers, ours, options->chunked);
}

/* Sends a first comment, because a head alone is not sent at once. Returns 0, or the
   error that made it drop the connection. */
static int ws_sse__greet(ws_conn *conn, const ws_sse_options *options)
{
    ws_sse_message hello;
    int error;

    memset(&hello, 0, sizeof hello);
    hello.comment = "";
    hello.retry = options->retry;
    error = ws_sse_send(conn, &hello);
    if (error)
        ws_drop(conn);                      /* no other response can follow its head */
    else
        ws_http_beat(conn, ":\n\n", options->beat ? options->beat : 15000);
    return error;
}

static int ws_sse__refuse_method(ws_conn *conn)
{
    static const ws_header allow[] = { { "Allow", "GET, HEAD, POST" }, { NULL, NULL } };
    int error = ws_http_reply(conn, 405, allow, "GET or POST\n", 12);

    return error ? error : WS_ERR_METHOD;
}

WS_SSE_API int ws_sse_open(ws_conn *conn, const ws_sse_options *options)
{
    const char *method = ws_method(conn);       /* "" without one: ws_sse__begin fails */
    int head = !strcmp(method, "HEAD");
    ws_sse_options defaults;
    int error;

    memset(&defaults, 0, sizeof defaults);
    if (!options)
        options = &defaults;
    if (*method && !head && strcmp(method, "GET") && strcmp(method, "POST"))
        return ws_sse__refuse_method(conn);
    error = ws_sse__begin(conn, options);
    if (error || head)
        return error;
    return ws_sse__greet(conn, options);
}

WS_SSE_API int ws_sse_last_event_id(const ws_conn *conn, char *buf, size_t capacity)
{
    ws_str id = ws_header_value(conn, "Last-Event-ID");
    int size;

    if (!buf || !capacity)
        return WS_ERR_ARGUMENT;
    if (!id.data) {
        size = ws_query(conn, "lastEventId", buf, capacity);
        if (size < 0)
            buf[0] = 0;
        return size == WS_ERR_ABSENT ? 0 : size;
    }
    buf[0] = 0;
    if (id.size >= capacity)
        return WS_ERR_ARGUMENT;
    memcpy(buf, id.data, id.size);
    buf[id.size] = 0;
    return (int)id.size;
}

WS_SSE_API int ws_sse_send(ws_conn *conn, const ws_sse_message *message)
{
    ws_sse__fields fields;

    if (!message || ws_sse__fields_of(message, &fields))
        return WS_ERR_ARGUMENT;
    return ws_http_fill(conn, ws_sse__count(&fields), ws_sse__fill, &fields);
}

WS_SSE_API int ws_sse_ping(ws_conn *conn)
{
    return ws_http_write(conn, ":\n\n", 3);
}

#ifndef WS_NO_SOCKETS
WS_SSE_API int ws_sse_publish(ws_loop *loop, const char *group,
                              const ws_sse_message *message)
{
    ws_sse__fields fields;
    int took;

    if (!message || ws_sse__fields_of(message, &fields))
        return 0;
    took = ws_http_publish_fill(loop, group, NULL, ws_sse__count(&fields), ws_sse__fill,
                                &fields);
    if (fields.data.data)
        took += ws_publish(loop, group, NULL, WS_OP_TEXT, fields.data.data,
                           fields.data.size);
    return took;
}
#endif

/* ---- the ring: entries of { size of the event, size of the id } event id. Entries are
   contiguous. They occupy [first, end) or, wrapped, [first, wrap) and [0, end). ---- */

typedef struct ws_sse__entry {
    uint32_t event_size, id_size;
} ws_sse__entry;

static int ws_sse__wrapped(const ws_sse_ring *ring)
{
    return ring->count && ring->end <= ring->first;
}

static void ws_sse__ring_sane(const ws_sse_ring *ring)
{
    (void)ring;
    WS_ASSERT(WS_SSE__IF(ring->size, ring->memory));
    WS_ASSERT(ring->first <= ring->size);
    WS_ASSERT(ring->end <= ring->size);
    WS_ASSERT(ring->count <= ring->size / sizeof(ws_sse__entry));
    WS_ASSERT(WS_SSE__IF(ws_sse__wrapped(ring), ring->first < ring->wrap));
    WS_ASSERT(WS_SSE__IF(ws_sse__wrapped(ring), ring->wrap <= ring->size));
}

static ws_sse__entry ws_sse__entry_at(const ws_sse_ring *ring, size_t at)
{
    ws_sse__entry entry;

    WS_ASSERT(ring->size >= sizeof entry);
    WS_ASSERT(at <= ring->size - sizeof entry);
    memcpy(&entry, ring->memory + at, sizeof entry);
    return entry;
}

/* The event of the entry at this offset; its id follows it. */
static char *ws_sse__entry_event(const ws_sse_ring *ring, size_t at)
{
    return ring->memory + at + sizeof(ws_sse__entry);
}

static size_t ws_sse__entry_next(const ws_sse_ring *ring, size_t at)
{
    ws_sse__entry entry = ws_sse__entry_at(ring, at);

    at += sizeof entry + entry.event_size + entry.id_size;
    WS_ASSERT(at <= ring->size);
    return ws_sse__wrapped(ring) && at == ring->wrap ? 0 : at;
}

WS_SSE_API void ws_sse_ring_init(ws_sse_ring *ring, void *memory, size_t size)
{
    memset(ring, 0, sizeof *ring);
    ring->memory = (char *)memory;
    ring->size = size;
}

static void ws_sse__ring_drop(ws_sse_ring *ring)
{
    WS_ASSERT(ring->count > 0);
    ring->first = ws_sse__entry_next(ring, ring->first);
    ring->count--;
}

/* Returns an offset for size bytes after the newest entry; drops the oldest for it. */
static size_t ws_sse__ring_room(ws_sse_ring *ring, size_t size)
{
    WS_ASSERT(size <= ring->size);
    for (;;) {
        int wrapped = ws_sse__wrapped(ring);

        if (!ring->count) {
            ring->first = 0;
            ring->end = 0;
        }
        if ((wrapped ? ring->first : ring->size) - ring->end >= size)
            return ring->end;
        if (wrapped) {
            ws_sse__ring_drop(ring);
        } else {
            ring->wrap = ring->end;
            ring->end = 0;
        }
    }
}

WS_SSE_API int ws_sse_ring_add(ws_sse_ring *ring, const ws_sse_message *message)
{
    ws_sse__fields fields;
    ws_sse__entry entry;
    int error = ws_sse__fields_of(message, &fields);
    char *event;
    size_t at, event_size, size;

    ws_sse__ring_sane(ring);
    if (error)
        return error;
    event_size = ws_sse__count(&fields);
    size = sizeof entry + event_size + fields.id.size;
    if (size > ring->size || size > 0x7FFFFFFF) {
        ring->count = 0;
        return WS_SSE_ERR_MEMORY;
    }
    entry.event_size = (uint32_t)event_size;
    entry.id_size = (uint32_t)fields.id.size;
    at = ws_sse__ring_room(ring, size);
    memcpy(ring->memory + at, &entry, sizeof entry);
    event = ws_sse__entry_event(ring, at);
    ws_sse__fill(&fields, event, event_size);
    if (fields.id.size)
        memcpy(event + event_size, fields.id.data, fields.id.size);
    ring->end = at + size;
    ring->count++;
    return 0;
}

/* How many of the oldest entries a reader with this last event id has; 0 if no entry has
   the id. */
static size_t ws_sse__ring_known(const ws_sse_ring *ring, const char *id)
{
    size_t at = ring->first, size = strlen(id), known = 0, i;

    for (i = 1; i <= ring->count; i++) {
        ws_sse__entry entry = ws_sse__entry_at(ring, at);
        const char *entry_id = ws_sse__entry_event(ring, at) + entry.event_size;

        if (entry.id_size == size && !memcmp(entry_id, id, size))
            known = i;
        at = ws_sse__entry_next(ring, at);
    }
    return known;
}

static int ws_sse__replay_entry(ws_conn *conn, const ws_sse_ring *ring, size_t at)
{
    ws_sse__entry entry = ws_sse__entry_at(ring, at);
    int error = ws_http_write(conn, ws_sse__entry_event(ring, at), entry.event_size);

    if (error && error != WS_ERR_STATE)         /* STATE: a response to HEAD is ending */
        ws_drop(conn);
    return error ? WS_SSE_ERR_WRITE : 0;
}

WS_SSE_API int ws_sse_replay(ws_conn *conn, const ws_sse_ring *ring, const char *id)
{
    size_t at = ring->first, known = 0, i;

    ws_sse__ring_sane(ring);
    if (id) {
        if (!*id)
            return 0;
        known = ws_sse__ring_known(ring, id);
        if (!known)
            return WS_SSE_ERR_GAP;
    }
    for (i = 0; i < ring->count; i++) {
        if (i >= known && ws_sse__replay_entry(conn, ring, at))
            return WS_SSE_ERR_WRITE;
        at = ws_sse__entry_next(ring, at);
    }
    return (int)(ring->count - known);
}

#endif /* WS_SSE__SERVER */

/* ==== >>follow (private) ============================================================ */

#ifdef WS_SSE__CLIENT

static void ws_sse__reader_sane(const ws_sse_reader *reader)
{
    WS_ASSERT(reader->retry >= -1);
    WS_ASSERT(reader->reconnect != WS_NEVER);
    WS_ASSERT(WS_SSE__IF(reader->parser.error, reader->error));
    WS_ASSERT(WS_SSE__IF(reader->taking, reader->at));
    WS_ASSERT(WS_SSE__IF(reader->taking, !reader->error));
    ws_sse__parser_sane(&reader->parser);
}

/* Does a reader with this configuration reconnect by default? */
static int ws_sse__reconnects(const ws_config *cfg)
{
    return !cfg->io.read && !strcmp(cfg->method, "GET");
}

/* Fills in ours, the configuration of a reader, from that of the application. */
WS_SSE__APART void ws_sse__reader_config(ws_sse_reader *reader, ws_config *ours,
                                         const ws_config *cfg)
{
    memset(ours, 0, sizeof *ours);
    if (cfg)
        *ours = *cfg;
    ours->for_stream = 1;
    ours->refusal_final = 1;
    if (!ours->method)
        ours->method = "GET";
    if (!ours->reconnect && ws_sse__reconnects(ours))
        ours->reconnect = 3000;
    if (ours->reconnect == WS_NEVER || ours->memory)    /* memory: no room for an id */
        ours->reconnect = 0;
    if (!ours->retry_max)
        ours->retry_max = 300000;
    if (!ours->max_redirects && !ours->io.read)
        ours->max_redirects = 20;
    reader->reconnect = ours->reconnect;
    reader->retry_max = ours->retry_max;
}

static int ws_sse__init(ws_sse_reader *reader, void *memory, size_t size)
{
    memset(reader, 0, sizeof *reader);
    reader->retry = -1;
    reader->error = ws_sse_parser_init(&reader->parser, memory, size);
    return reader->error;
}

WS_SSE__APART ws_conn *ws_sse__connect(ws_sse_reader *reader, const char *url,
                                       const ws_config *cfg)
{
    ws_config ours;

    ws_sse__reader_config(reader, &ours, cfg);
    return ws_connect(url, &ours);
}

WS_SSE__APART ws_conn *ws_sse__dial(ws_sse_reader *reader, ws_loop *loop, const char *url,
                                    const ws_config *cfg)
{
    ws_config ours;

    ws_sse__reader_config(reader, &ours, cfg);
    return loop ? ws_dial(loop, url, &ours) : ws_open(url, &ours);
}

WS_SSE_API ws_conn *ws_sse_connect(ws_sse_reader *reader, const char *url,
                                   const ws_config *cfg, void *memory, size_t size)
{
    if (!ws_sse__init(reader, memory, size))
        reader->conn = ws_sse__connect(reader, url, cfg);
    return reader->conn;
}

WS_SSE_API ws_conn *ws_sse_dial(ws_sse_reader *reader, ws_loop *loop, const char *url,
                                const ws_config *cfg, void *memory, size_t size)
{
    if (!ws_sse__init(reader, memory, size))
        reader->conn = ws_sse__dial(reader, loop, url, cfg);
    return reader->conn;
}

/* Ends the stream for good. */
static void ws_sse__stop(ws_sse_reader *reader, int error)
{
    if (!reader->error)
        reader->error = error;
    ws_close(reader->conn, 0, NULL);
}

/* Milliseconds to wait before the next attempt, after one that received a stream. */
static uint32_t ws_sse__delay(const ws_sse_reader *reader)
{
    static const long most = 1L << 29;
    uint32_t milliseconds;

    if (reader->retry < 0)
        return reader->reconnect;
    milliseconds = (uint32_t)(reader->retry < most ? reader->retry : most);
    return milliseconds < reader->retry_max ? milliseconds : reader->retry_max;
}

/* Sets the wait before the next attempt to the stream's last retry. */
static void ws_sse__set_delay(ws_sse_reader *reader)
{
    reader->retry = reader->parser.retry;
    ws_reconnect_delay(reader->conn, ws_sse__delay(reader));
}

/* Is the response an event stream, and uncompressed? No coding was requested. */
static int ws_sse__is_stream(const ws_conn *conn)
{
    ws_str coding = ws_header_value(conn, "Content-Encoding");

    if (coding.size && !ws_str_is(coding, "identity"))
        return 0;
    return ws_sse__is_type(ws_header_value(conn, "Content-Type"));
}

static void ws_sse__opened(ws_sse_reader *reader)
{
    int status = ws_status(reader->conn);

    if (status == 204)
        ws_sse__stop(reader, 0);
    else if (status != 200 || !ws_sse__is_stream(reader->conn))
        ws_sse__stop(reader, WS_SSE_ERR_TYPE);
    else
        ws_sse__set_delay(reader);
}

/* Sets the last event id of the next attempt. Returns 0, or an error: out of memory. */
static int ws_sse__pass_id(ws_sse_reader *reader)
{
    static const char name[] = "Last-Event-ID";
    int error;

    if (!reader->reconnect || !reader->parser.id_new)
        return 0;
    error = ws_reconnect_header(reader->conn, name, ws_sse_last_id(&reader->parser));
    if (error == WS_ERR_ARGUMENT)               /* the id is not valid in a header */
        error = ws_reconnect_header(reader->conn, name, "");
    if (!error)
        reader->parser.id_new = 0;
    return error;
}

/* Is the part a new one, rather than the rest of the part of the last call? */
static int ws_sse__is_new_part(const ws_sse_reader *reader, const ws_event *conn_event)
{
    const char *end = (const char *)conn_event->data + conn_event->size;

    return !reader->taking || reader->at + reader->left != end;
}

/* Parses a part. Returns 1 with an event, 0 when the part is used up. */
static int ws_sse__take_part(ws_sse_reader *reader, const ws_event *conn_event,
                             ws_sse_event *event)
{
    int got;

    if (ws_sse__is_new_part(reader, conn_event)) {
        reader->at = (const char *)conn_event->data;
        reader->left = conn_event->size;
    }
    got = ws_sse_parse(&reader->parser, &reader->at, &reader->left, event);
    reader->taking = got > 0;
    if (got < 0)
        ws_sse__stop(reader, got);
    if (reader->parser.retry != reader->retry)
        ws_sse__set_delay(reader);
    if (!got)
        ws_sse__pass_id(reader);                /* now, in case the stream is lost */
    return got > 0;
}

static void ws_sse__lost(ws_sse_reader *reader)
{
    ws_sse_parser_restart(&reader->parser);
    if (ws_sse__pass_id(reader))                /* an older id would repeat events */
        ws_sse__stop(reader, WS_SSE_ERR_MEMORY);
}

WS_SSE_API int ws_sse_take(ws_sse_reader *reader, const ws_event *conn_event,
                           ws_sse_event *event)
{
    ws_sse__reader_sane(reader);
    if (conn_event->conn != reader->conn || reader->error)
        return 0;
    switch (conn_event->type) {
    case WS_EV_OPEN:
        ws_sse__opened(reader);
        return 0;
    case WS_EV_DOWN:
        ws_sse__lost(reader);
        return 0;
    case WS_EV_PART:
        return ws_sse__take_part(reader, conn_event, event);
    default:
        return 0;
    }
}

#endif /* WS_SSE__CLIENT */

#endif /* WS_SSE_IMPLEMENTED_ */
#endif /* WS_SSE_IMPLEMENTATION */

/* ==== >>history ========================================================================
   0.2.0  invariants are asserted; WS_NO_HTTP leaves out server and client
   0.1.0  writer and reader, server and client */

/* ==== >>license ========================================================================
   MIT License

   Copyright (c) 2026 ws.h contributors

   Permission is hereby granted, free of charge, to any person obtaining a copy of this
   software and associated documentation files (the "Software"), to deal in the Software
   without restriction, including without limitation the rights to use, copy, modify,
   merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
   permit persons to whom the Software is furnished to do so, subject to the following
   conditions:

   The above copyright notice and this permission notice shall be included in all copies
   or substantial portions of the Software.

   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
   INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A
   PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
   HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
   CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE
   OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/

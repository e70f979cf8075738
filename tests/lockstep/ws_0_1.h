/* ws.h - v0.1.0 - WebSocket client and server in one header (RFC 6455). MIT, see the end.

DO THIS
    In ONE source file, before the include:

        #define WS_IMPLEMENTATION
        #include "ws.h"

    Everywhere else include it plainly. C99 or C++11. Nothing else to build, nothing to link
    (Windows, 7 SP1 or later: -lws2_32 -lbcrypt; BSD, and Linux with a glibc before 2.34:
    -lpthread, or WS_NO_THREADS).

HELLO
    A complete client: connects, sends one message, prints the answer, closes.

        #define WS_IMPLEMENTATION
        #include "ws.h"
        #include <stdio.h>

        int main(void)
        {
            ws_event ev;
            ws_conn *c = ws_connect("ws://127.0.0.1:9001/", NULL);

            ws_send_text(c, "hello");
            while (ws_recv(c, &ev, 5000) > 0)
                if (ev.type == WS_EV_MESSAGE) {
                    printf("%.*s\n", (int)ev.size, (const char *)ev.data);
                    ws_close(c, WS_CLOSE_NORMAL, "bye");
                }
            if (ws_error(c)) fprintf(stderr, "%s\n", ws_error_text(c));
            ws_free(c);
            return 0;
        }

CONTENTS
    Public          >>config   switches
                    >>version
                    >>types    opcodes, close codes, errors, events, configuration
                    >>codec    frame header, mask, UTF-8, SHA-1, base64, HTTP head, URL
                    >>api      connections: bytes in, events out, bytes out
                    >>tls      certificates and trust, with WS_USE_MBEDTLS
                    >>net      sockets: blocking client, own-loop client, server loop
    Implementation  >>impl     includes, platform choice, private macros
                    >>util     small things everything below uses
                    >>hash     SHA-1, base64
                    >>utf8     incremental validator
                    >>mask     masking
                    >>wire     frame header
                    >>http     HTTP head scanner, token lists
                    >>url      URL parser
                    >>deflate  permessage-deflate; zlib as its codec
                    >>conn     the connection: memory, configuration, errors
                    >>extend   extensions in use: states, encoding, decoding
                    >>send     output queue, frames out
                    >>shake    opening handshake, both roles
                    >>recv     frames in, events out
                    >>time     deadlines
                    >>engine   public bodies of >>api
                    >>tunnel   through proxies: CONNECT, SOCKS5
                    >>mbedtls  TLS by mbedTLS
                    >>socket   sockets of POSIX and Windows
                    >>dial     one connection over sockets or your functions
                    >>poller   epoll, kqueue or poll
                    >>loop     listeners and many connections
    The end         >>history  >>license

WHAT IT DOES
    The whole of RFC 6455 in both roles: opening handshake, masking, fragments, control frames,
    closing handshake, UTF-8 validation, close codes. Plain HTTP answers on the same port, at
    once or as bodies that go on; clients of ordinary HTTP; event streams with ws_sse.h.
    Clients go through HTTP and SOCKS5 proxies, follow redirects, and come back when lost.
    wss:// with mbedTLS, or any TLS through cfg.wrap. permessage-deflate (RFC 7692) with zlib
    or a codec of yours; extensions of your own.
    Never: global state, printing, exit(). Threads: only a short one for each host name that is
    looked up; it touches nothing of yours.

HOW TO DRIVE IT
    The engine does no I/O. You carry bytes; it turns them into events.

          peer's bytes                                       events
        --- ws_feed ------>  +-------------------+  --- ws_next -------->
                             |      ws_conn      |                         your program
        <-- ws_output -----  +-------------------+  <-- ws_send, ws_close
          bytes for the peer         ^
                                     +-- ws_tick (what time it is)

    Three drivers move the bytes for you; all end in the same events:
        blocking client       ws_connect, ws_recv
        your own poll loop    ws_open, ws_fd, ws_wants, ws_timeout, ws_step, ws_next
        server and clients    ws_loop_new, ws_listen, ws_dial, ws_poll

    Events are pulled; no event ever calls into your program. A connection gives
        [REQUEST] OPEN (MESSAGE | PART | PING | PONG | WRITABLE)* CLOSE
        HTTP WRITABLE* CLOSE                                (a server, an ordinary request)
    CLOSE comes exactly once and last, also when the opening handshake failed. A client with
    cfg.reconnect gives ([OPEN (MESSAGE | ...)*] DOWN)* before: the same connection tries again
    and again, until you close it, or nothing can help (URL, ARGUMENT, NO_TLS, MEMORY).

MEMORY, LIFETIMES, LIMITS
    ev.data and ev.reason are valid until the next pull (ws_next, ws_recv, ws_poll), ws_feed
    or ws_step on the same connection or loop. Pass pointers from ev.data straight to ws_send:
    large ones go out without a copy.
    A connection from ws_client_new, ws_server_new, ws_connect or ws_open is yours: ws_free it.
    A connection of a loop belongs to the loop, which frees it on the pull after its CLOSE;
    you may ws_free it earlier, also while handling its event.
    A connection that waits holds no buffer. Heap follows the bytes received, never the bytes
    announced, and not the number of fragments or pings:
        receiving  <= 3 * (message so far, raw bytes fed) + 4 KiB, or the request head; raw
                   bytes wait up to max_message or 16 KiB, whichever is more
        sending    <= 2.5 * max_backlog, or of half of it and one message if that is more,
                   frame headers included (cfg.fragment); 24 bytes for a message shared with
                   others, and 100 for each slot in use. Past half of it the connection's
                   input waits: a peer that does not read cannot make you buffer its echo.
    A third and a half of that only while a buffer grows. A loop has 1 MiB of buffers of its
    own and keeps up to 8 MiB of freed ones for the next large messages.

ERRORS AND CLOSING
    Errors stick to the connection: ignore ten return values, the eleventh tells the truth.
    A send that the backlog refuses is no such error: CLOSE counts them (ev.refused). Blocking
    clients wait instead.
    Every function takes NULL and failed connections. After a protocol error the peer gets a
    Close frame with the right code, you get CLOSE with .error set, .reason naming the fault.

SECURITY
    Every client frame is masked with a fresh key from the system's source (or cfg.random);
    if that fails nothing is sent. Browsers' Origin must match Host unless cfg.origins says
    otherwise. All limits hold before memory is taken. CR, LF and NUL in your strings never
    reach a header. The opening handshake has an absolute deadline. TLS verifies chain and host
    name; wss:// without TLS compiled in or injected is an error before any byte leaves.

CHOICES (where libraries differ)
    A server takes the first of the client's offered subprotocols that it speaks, compared
    exactly, and none otherwise. A client that offered some fails when none is chosen, unless
    cfg.protocol_optional.
    Sends before OPEN are queued. A Close frame without a code is code 1005, never 1000; the
    peer's code is reported as it came, and answered with the same.
    Codes that ws_close takes: 1000..1003, 1007..1014, 3000..4999.
    A client's unmasked frame is a fault, 1002; nothing switches that off.
    Any input at all counts as the answer to a ping. Version 13; a client may ask for 8.

THREADS, TIME, RANDOM
    No locks, no file-scope state: use a connection or a loop from one thread at a time, and
    as many of them on as many threads as you like. Only ws_post and ws_wake may be called
    from any thread. Times are milliseconds of a monotonic
    clock; with the engine alone you tell them (ws_tick), also as a 32-bit counter that wraps.
    After fork a child may call ws_loop_free, and nothing else: anything more would end or
    change connections of its parent.

SWITCHES (define before every include, or "impl" before the one with WS_IMPLEMENTATION)
    WS_IMPLEMENTATION  impl  compile the bodies here
    WS_STATIC                all functions static: private to each file that has the bodies
    WS_NO_SOCKETS            no sockets, no clock, no system random: the engine alone
    WS_NO_MALLOC             no malloc: cfg.memory is required
    WS_NO_CLIENT             leave out the client role
    WS_NO_SERVER             leave out the server role
    WS_NO_EXTENSIONS   impl  leave out cfg.deflate and cfg.extensions (6 KB of code)
    WS_NO_SIMD         impl  portable C only
    WS_NO_THREADS      impl  looking a host name up blocks, instead of taking a thread
    WS_USE_MBEDTLS     impl  wss:// by mbedTLS (link -lmbedtls -lmbedx509 -lmbedcrypto)
    WS_USE_ZLIB        impl  zlib is the codec of cfg.deflate; link with -lz
    WS_TRACE(c, text, n)     impl  a macro of yours, for a log: sees openings, frames (n: the
                             first byte), errors (n: WS_ERR_) and ends (n: the code)
*/

/* The bodies, and they alone, ask Linux for more than -std=c99 shows: accept4, getaddrinfo. If a
   plain include came first, its headers are asked again. */
#if defined(__linux__) && defined(WS_IMPLEMENTATION) && !defined(WS_IMPLEMENTED_) && \
    !defined(_GNU_SOURCE) && !defined(WS_NO_SOCKETS)
#define _GNU_SOURCE
#undef _FEATURES_H
#endif

#ifndef WS_H_INCLUDED
#define WS_H_INCLUDED

/* ==== >>config ========================================================================= */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if UINT_MAX < 0xFFFFFFFF
#error "ws.h: int has 16 bits here; ws.h needs 32"
#endif

#ifdef WS_STATIC
#if defined(__GNUC__) || defined(__clang__)
#define WS_API static __attribute__((unused))
#else
#define WS_API static
#endif
#elif defined(__cplusplus)
#define WS_API extern "C"
#else
#define WS_API extern
#endif

/* ==== >>version ======================================================================== */

#define WS_VERSION_MAJOR 0
#define WS_VERSION_MINOR 1
#define WS_VERSION_PATCH 0
#define WS_VERSION_STRING "0.1.0"

/* ==== >>types ========================================================================== */

/* One WebSocket endpoint, client or server. */
typedef struct ws_conn ws_conn;

/* Listeners and connections sharing one thread. */
typedef struct ws_loop ws_loop;

/* A piece of somebody else's text: size bytes at data, no NUL after it. */
typedef struct ws_str {
    const char *data;
    size_t size;
} ws_str;

/* Frame opcodes (RFC 6455 5.2). */
enum {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10,
    WS_OP_PLAIN = 64                    /* added to TEXT or BINARY when sending: this message
                                           goes without the connection's extension */
};

/* Close codes (RFC 6455 7.4.1 and the IANA registry). 3000..4999 are yours. */
enum {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_CODE = 1005,            /* never sent: the Close frame was empty */
    WS_CLOSE_ABNORMAL = 1006,           /* never sent: there was no Close frame */
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_EXTENSION = 1010,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_RESTART = 1012,
    WS_CLOSE_TRY_LATER = 1013,
    WS_CLOSE_BAD_GATEWAY = 1014,
    WS_CLOSE_TLS = 1015                 /* never sent */
};

/* Where a connection stands. */
enum {
    WS_STATE_CONNECTING = 0,            /* until the opening handshake is done */
    WS_STATE_OPEN = 1,
    WS_STATE_CLOSING = 2,               /* a Close frame was sent or received */
    WS_STATE_CLOSED = 3                 /* nothing more will be sent or received */
};

/* Every error: name (enum WS_ERR_name, negative), what a peer is told (a close code, or an
   HTTP status in the opening handshake, or 0 for nothing), sentence. */
#define WS_ERRORS(X) \
    X(MEMORY,            1011, "out of memory") \
    X(ARGUMENT,             0, "invalid argument") \
    X(STATE,                0, "not possible in this state of the connection") \
    X(BACKLOG,              0, "too much output waits for the peer") \
    X(BUSY,                 0, "another message is being sent in parts") \
    X(SOURCE,            1011, "the source of a message failed") \
    X(SLOW,              1013, "peer reads too slowly") \
    X(SEND_TIMEOUT,         0, "peer did not take what was to be sent") \
    X(LIMIT,              503, "too many connections") \
    X(SHUTDOWN,           503, "server is shutting down") \
    X(RANDOM,            1011, "the source of random numbers failed") \
    X(URL,                  0, "URL not understood") \
    X(NO_TLS,               0, "wss:// needs TLS: define WS_USE_MBEDTLS, or set cfg.wrap") \
    X(TLS,                  0, "TLS failed") \
    X(LOOKUP,               0, "host name not found") \
    X(RESOLVER,             0, "name server did not answer") \
    X(SYSTEM,               0, "this machine has run out of a resource") \
    X(CONNECT,              0, "connection could not be made") \
    X(PROXY,                0, "proxy refused") \
    X(REDIRECT,             0, "redirect not followed") \
    X(LISTEN,               0, "address could not be listened on") \
    X(POLLER,               0, "waiting for sockets failed") \
    X(IO,                   0, "connection broken") \
    X(EOF,                  0, "peer ended the connection too early") \
    X(HANDSHAKE_TIMEOUT,  408, "opening handshake took too long") \
    X(PING_TIMEOUT,         0, "peer did not answer pings") \
    X(CLOSE_TIMEOUT,        0, "peer did not finish the closing handshake") \
    X(IDLE_TIMEOUT,      1001, "no message for too long") \
    X(HEAD_SYNTAX,        400, "malformed HTTP head") \
    X(HEAD_SIZE,          431, "HTTP head too large") \
    X(HEAD_FIELDS,        431, "too many HTTP header fields") \
    X(HTTP_VERSION,       505, "HTTP version not supported") \
    X(METHOD,             405, "WebSocket request is not a GET") \
    X(HOST,               400, "Host missing, repeated or malformed") \
    X(UPGRADE,            400, "Upgrade does not name websocket") \
    X(CONNECTION,         400, "Connection does not name upgrade") \
    X(KEY,                400, "Sec-WebSocket-Key missing, repeated or malformed") \
    X(VERSION,            426, "Sec-WebSocket-Version is not 13") \
    X(ORIGIN,             403, "Origin not allowed") \
    X(BODY,               400, "HTTP body malformed, or where none may be") \
    X(NOT_UPGRADE,        426, "HTTP request is not a WebSocket request") \
    X(ROUTE,              404, "nothing is served at this path and subprotocol") \
    X(REJECTED,             0, "application refused the request") \
    X(STATUS,               0, "server refused the request") \
    X(ACCEPT,               0, "Sec-WebSocket-Accept missing, repeated or wrong") \
    X(SUBPROTOCOL,          0, "server did not choose from the offered subprotocols") \
    X(EXTENSION,          400, "extensions not negotiated by the rules (RFC 6455 9.1)") \
    X(EXTENSION_MISSING, 1010, "server did not agree to a required extension") \
    X(NO_CODEC,             0, "cfg.deflate needs a codec, and none is compiled in or given") \
    X(CODEC,             1011, "an extension or its codec failed") \
    X(DECODE,            1007, "message cannot be decoded by its extension") \
    X(MASK_MISSING,      1002, "frame from client not masked (RFC 6455 5.1)") \
    X(MASK_PRESENT,      1002, "frame from server masked (RFC 6455 5.1)") \
    X(RSV,               1002, "reserved bit set (RFC 6455 5.2)") \
    X(OPCODE,            1002, "unknown opcode (RFC 6455 5.2)") \
    X(LENGTH,            1002, "length not in its shortest form (RFC 6455 5.2)") \
    X(LENGTH_SIGN,       1002, "length over 2^63 - 1 (RFC 6455 5.2)") \
    X(CONTROL_SIZE,      1002, "control frame longer than 125 bytes (RFC 6455 5.5)") \
    X(CONTROL_FRAGMENT,  1002, "control frame fragmented (RFC 6455 5.5)") \
    X(CONTINUATION,      1002, "continuation without a message (RFC 6455 5.4)") \
    X(INTERLEAVED,       1002, "new message inside a fragmented one (RFC 6455 5.4)") \
    X(CLOSE_SIZE,        1002, "Close frame with one byte (RFC 6455 5.5.1)") \
    X(CLOSE_CODE,        1002, "close code not allowed on the wire (RFC 6455 7.4)") \
    X(CLOSE_UTF8,        1007, "close reason is not UTF-8 (RFC 6455 5.5.1)") \
    X(UTF8,              1007, "text message is not UTF-8 (RFC 6455 8.1)") \
    X(MESSAGE_SIZE,      1009, "message larger than max_message") \
    X(FRAME_SIZE,        1009, "frame larger than max_frame") \
    X(FRAGMENTS,         1008, "message of more than max_fragments frames")

#define WS__ERROR_NUMBER(name, tell, text) WS__NUMBER_##name,
enum { WS__NUMBER_OK, WS_ERRORS(WS__ERROR_NUMBER) WS__NUMBER_END };
#define WS__ERROR_ENUM(name, tell, text) WS_ERR_##name = -WS__NUMBER_##name,
enum { WS_OK = 0, WS_ERRORS(WS__ERROR_ENUM) WS_ERR_LAST_ = -WS__NUMBER_END };

/* Kinds of event. */
enum {
    WS_EV_NONE = 0,
    WS_EV_OPEN,         /* handshake done: ws_target, ws_header_value until the next pull */
    WS_EV_MESSAGE,      /* op (TEXT: valid UTF-8, or BINARY), data, size */
    WS_EV_PING,         /* data, size (0..125); already answered */
    WS_EV_PONG,         /* data, size (0..125) */
    WS_EV_WRITABLE,     /* after WS_ERR_BACKLOG: the backlog has drained; or what waited at
                           ws_want_writable has gone */
    WS_EV_HTTP,         /* server: not a WebSocket request; ws_http_reply before the next
                           pull (with cfg.ask: or later), else it is answered 426. A body
                           (of a POST) is not given */
    WS_EV_CLOSE,        /* last: code, reason, clean, error */
    WS_EV_REQUEST,      /* server with cfg.ask: ws_accept or ws_reject it, now or later */
    WS_EV_PART,         /* a piece of a message (cfg.parts_over, cfg.frames): op, data, size,
                           first, last; TEXT may be cut inside a character */
    WS_EV_DOWN,         /* client with cfg.reconnect: lost or not reached; fields as in CLOSE.
                           The next try comes in retry_in ms; OPEN, or DOWN again, follows.
                           What waited to be sent is gone, ws_send is WS_ERR_STATE until OPEN.
                           ws_close: CLOSE follows at once, with the fields of this DOWN */
    WS_EV_POST,         /* ws_post from another thread: data is the pointer; conn is NULL */
    WS_EV_WAKE          /* a signal interrupted the wait, or ws_wake: look at your own flags;
                           conn is NULL */
};

typedef struct ws_event {
    int type;           /* WS_EV_ */
    int op;             /* MESSAGE: WS_OP_TEXT or WS_OP_BINARY */
    ws_conn *conn;
    const void *data;   /* "" when size is 0. A NUL stands behind it in MESSAGE, PART, PING and
                           PONG, which size does not count */
    size_t size;        /* bytes */
    int first, last;    /* PART: 1 if it begins, ends its message */
    int retry_in;       /* DOWN: milliseconds */
    int code;           /* CLOSE: what the peer sent, or WS_CLOSE_NO_CODE, WS_CLOSE_ABNORMAL;
                           what we sent after an error of the peer; 0 after plain HTTP */
    int clean;          /* CLOSE: 1 if Close frames went both ways (or HTTP was answered) */
    int error;          /* CLOSE: 0 or WS_ERR_ */
    uint32_t refused;   /* CLOSE, DOWN: messages and parts that met WS_ERR_BACKLOG or WS_ERR_BUSY
                           since OPEN, or were cut off by ws_close */
    const char *reason; /* CLOSE: the peer's reason or the error's text; never NULL */
} ws_event;

/* One header line. Arrays of them end with { NULL, NULL }. What only the library writes is
   WS_ERR_ARGUMENT wherever headers are sent: Host (see cfg.host), Connection, Upgrade,
   Transfer-Encoding, Content-Length (but see ws_http_reply, ws_http_begin), and
   Sec-WebSocket-Key, -Version, -Accept, -Protocol (see cfg.protocols), -Extensions. */
typedef struct ws_header {
    const char *name, *value;
} ws_header;

/* A place where WebSockets are served. Arrays of them end with { NULL, NULL, 0 }. */
typedef struct ws_route {
    const char *path;       /* "/chat"; a '*' at its end stands for any rest, a '*' before a
                               '/' for the rest of its segment, not empty; no other '*'. The
                               query does not count; case and percent-encoding do */
    const char *protocol;   /* subprotocol it speaks: only for clients that offer it. NULL: for
                               all others, whatever cfg.protocols says */
    int id;                 /* yours: ws_route_id */
} ws_route;

/* Results of ws_io functions besides a byte count. */
enum {
    WS_IO_WANT_READ = -1,   /* try again when the transport is readable */
    WS_IO_WANT_WRITE = -2,  /* try again when the transport is writable */
    WS_IO_ERROR = -3        /* broken */
};

/* Your transport. All fields but read and write may be NULL. */
typedef struct ws_io {
    /* Bytes read (1..n), 0 at the end of the stream, or WS_IO_. */
    ptrdiff_t (*read)(void *user, void *buf, size_t n);
    /* Bytes written (0..n), or WS_IO_. What was not taken comes again: the same bytes, perhaps
       at another address, perhaps with more behind them; at most 16384. */
    ptrdiff_t (*write)(void *user, const void *buf, size_t n);
    /* Called once when the connection is done with it. */
    void (*close)(void *user);
    /* Blocking client only: waits until one of wants (WS_WANT_ bits) holds or timeout
       milliseconds passed (-1: for ever). NULL: sleeps a millisecond, and a send that waits
       for room only writes. */
    void (*wait)(void *user, int wants, int timeout);
    void *user;
    /* 1 while read has something for which nothing below becomes readable: TLS has decrypted
       it already. NULL: after each success read is called once more. */
    int (*pending)(void *user);
    /* After WS_IO_ERROR, and when time ran out: what stands in the way, in words; or NULL. */
    const char *(*why)(void *user);
} ws_io;

/* Bits of ws_wants. */
enum { WS_WANT_READ = 1, WS_WANT_WRITE = 2 };

/* A per-message extension (RFC 6455 9): how it is negotiated, and how it changes messages.
   Arrays of pointers to them end with NULL. All functions but end are required; the first
   argument is user; they must leave connections alone. Each state is bytes of ours, aligned
   to 8, one for each direction.

   encode and decode work in steps: *in_size bytes are there, *out_size bytes (64 or more) may
   be written; they set both to what they took and wrote. They return 1 when what flush or
   last asks for is done, all taken and all written; 0 to be called again: with more room if
   out is full, else with more input; or an error. A step with input, flush or last that
   neither takes nor writes is a fault. decode returns WS_ERR_DECODE for bytes that are the
   peer's fault (1007), and may set *out_size to what it wrote before them, less than all;
   every other error and fault is ours (WS_ERR_CODEC, 1011). */
typedef struct ws_extension {
    const char *name;           /* a token */
    int rsv;                    /* the reserved bit of its messages: RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    int required;               /* 1: no connection without it (a client closes with 1010) */
    uint32_t threshold;         /* smaller messages, in bytes, are sent without it */
    int only_smaller;           /* 1: so are messages that it does not make smaller (where each
                                   begins anew); else it may give at most 2 * size + 4096 bytes */
    void *user;                 /* yours; what it points to is not copied */
    /* Client: writes the parameters of its i-th (0..3) offer, "; a=1; b", as a string to buf of
       256 bytes, n of them. 0, or -1: there are no more. */
    int (*offer)(void *user, int i, char *buf, size_t n);
    /* Server: takes an offer with such parameters (0), writes those of the answer, and what was
       agreed in a form of its own; or declines (-1). May be asked twice in a handshake. */
    int (*accept)(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed);
    /* Client: 0 if the parameters of an answer are good, or -1: the handshake fails. */
    int (*confirm)(void *user, ws_str answer, uint32_t *agreed);
    /* Bytes of state for messages out (encode = 1) or in (0). 0: none is ever encoded. *alone: 1
       if every message begins anew, so that the state lives only as long as a message. */
    size_t (*state_size)(void *user, uint32_t agreed, int encode, int *alone);
    /* Begins a state. 0, or an error. Also in one that was used: after a message that could
       not be sent (with cfg.drop_oldest: for each), encoding goes on as if nothing had been
       encoded yet, and the peer's decoder must not mind. */
    int (*begin)(void *user, uint32_t agreed, int encode, void *state);
    /* flush: 0 more of the message follows, 1 a part ends: the peer must be able to decode all
       so far, 2 the message ends. */
    int (*encode)(void *user, void *state, const void *in, size_t *in_size,
                  void *out, size_t *out_size, int flush);
    /* last: the message ends with this input. */
    int (*decode)(void *user, void *state, const void *in, size_t *in_size,
                  void *out, size_t *out_size, int last);
    /* A state is no longer used. May be NULL. */
    void (*end)(void *user, int encode, void *state);
} ws_extension;

/* DEFLATE without header (RFC 1951) for permessage-deflate. Its state, aligned to 8, holds all
   it needs and is let go without a word. Steps as in ws_extension. */
typedef struct ws_codec {
    /* Bytes of state for windows of 2^bits (8..15) bytes, mem_level 1..9; 0: not possible. What
       inflates may use a larger window; what deflates must not. */
    size_t (*deflate_size)(int bits, int mem_level);
    size_t (*inflate_size)(int bits);
    /* 0, or anything else on failure. size: from above; level 1..9. */
    int (*deflate_init)(void *state, size_t size, int bits, int mem_level, int level);
    int (*inflate_init)(void *state, size_t size, int bits);
    /* flush: writes all that was taken and ends it with 00 00 FF FF (zlib's Z_SYNC_FLUSH),
       once; then 1. */
    int (*deflate)(void *state, const void *in, size_t *in_size, void *out, size_t *out_size,
                   int flush);
    /* 1: room is left and the input stands between two blocks, or it cannot tell; 2: behind a
       final block. What follows one is decoded too. WS_ERR_DECODE: not DEFLATE. */
    int (*inflate)(void *state, const void *in, size_t *in_size, void *out, size_t *out_size);
} ws_codec;

/* permessage-deflate (RFC 7692). Zero it, then set what you care about. */
typedef struct ws_deflate {
    const ws_codec *codec;              /* NULL: zlib's, with WS_USE_ZLIB */
    int server_no_context_takeover;     /* 1: each message of the server, of the client, is */
    int client_no_context_takeover;     /* compressed alone: larger, but no state between them */
    int server_max_window_bits;         /* 9..15 (8: if the codec can), 15: window of 2^bits */
    int client_max_window_bits;         /* bytes; a server then declines clients without it */
    int level;                          /* 1 fast .. 9 small, 6 */
    int mem_level;                      /* 1 little memory .. 9 fast, 8 */
    int required;                       /* 1: no connection without it (a client closes 1010) */
    uint32_t threshold;                 /* smaller messages are sent as they are, 1024 bytes */
} ws_deflate;

/* "Off" for a limit or a time of ws_config. */
#define WS_NO_LIMIT 0xFFFFFFFFu
#define WS_NEVER    0xFFFFFFFFu

/* Settings. Zero it, then set what you care about: 0 always means the default. Everything is
   copied when a connection, loop or listener is made; nothing needs to stay alive. Times are
   milliseconds, at most 2^29 (6 days). */
typedef struct ws_config {
    uint32_t max_message;       /* bytes, 1 MiB; larger is refused with 1009 */
    uint32_t max_fragments;     /* frames of a message, 4096: 16 MiB of ws_send_from. Of one
                                   that comes in parts: those since its last part with bytes */
    uint32_t max_head;          /* bytes of HTTP head, 8192 */
    uint32_t max_headers;       /* header lines, 64 */
    uint32_t max_backlog;       /* bytes, in frames, that may wait to be sent, 1 MiB */
    uint32_t max_frame;         /* payload bytes of a frame, WS_NO_LIMIT; larger: 1009 */
    uint32_t max_connections;   /* of a listener, WS_NO_LIMIT; more are answered 503 (a flood
                                   of them without an event); in TLS they are closed */
    uint32_t max_per_address;   /* of a listener from one IPv4 address or one IPv6 network of
                                   64 bits, WS_NO_LIMIT; then 503. The socket's address counts:
                                   behind a proxy the proxy's */

    uint32_t handshake_timeout; /* from start to OPEN, over lookup, every address, proxy and
                                   redirects, 10000; the error's text says what took so long */
    uint32_t ping_interval;     /* a ping after so long without input, 20000 */
    uint32_t ping_timeout;      /* dead when no input so long after it, 20000 */
    uint32_t close_timeout;     /* for the peer's part of closing, from when our Close has left,
                                   5000. What is queued before it may leave as long as the peer
                                   takes 1 KiB/s, judged every close_timeout by what its system
                                   acknowledged (Linux, macOS, FreeBSD; in lumps of perhaps 95 KB
                                   on loopback; elsewhere, with four times the patience, by what
                                   ours took). A client that has said all waits 1000 at most for
                                   the server to end TCP (RFC 6455 7.1.1) */
    uint32_t idle_timeout;      /* close 1001 after so long without a message, WS_NEVER */
    uint32_t send_timeout;      /* blocking client: ws_send waits for room, 30000; then the
                                   connection ends with WS_ERR_SEND_TIMEOUT. A peer that takes
                                   1 KiB/s is waited for as long as it does, judged each time */

    int ask;                    /* server: 1 gives WS_EV_REQUEST, and lets WS_EV_HTTP wait too */
    const ws_route *routes;     /* server: NULL every path; else WebSockets at other paths get
                                   404. Plain HTTP is WS_EV_HTTP at any path, with id 0 */
    uint32_t trusted_proxies;   /* server: so many proxies in front write X-Forwarded-For, and
                                   no request comes past them; ws_remote then tells the
                                   client's address, and X-Forwarded-Host counts for origins.
                                   Not with memory */
    int reuse_port;             /* listener: 1 shares the port with other loops that ask for
                                   it too; Linux and FreeBSD spread connections over them */

    uint32_t parts_over;        /* messages of more bytes come as PART events, WS_NO_LIMIT */
    int frames;                 /* 1: every data frame comes as one PART event */
    int manual_pong;            /* 1: you answer PING events with ws_pong yourself */
    uint32_t fragment;          /* ws_send cuts messages into frames of this size, WS_NO_LIMIT */
    int drop_oldest;            /* 1: a full backlog loses its oldest whole messages ... */
    int drop_slow;              /* 1: ... or closes the connection with 1013 */

    const char *method;         /* client: "GET", "POST" ...: an ordinary HTTP request instead of
                                   a WebSocket (see "ordinary HTTP as a client") */
    const void *body;           /* client with method: the request's body, or NULL */
    size_t body_size;
    int version;                /* client: Sec-WebSocket-Version to ask for, 13 (or 8) */
    uint32_t max_redirects;     /* client: answers 301, 302, 303, 307, 308 followed, 0: none.
                                   To another host, port or scheme go no credentials (of the
                                   URL; Authorization, Cookie, Proxy-Authorization of headers)
                                   and no cfg.host; never from wss to ws. See ws_url_of */
    uint32_t reconnect;         /* client: ms before the first new try, doubled each time up to
                                   reconnect_max; waited is half to all of it, by chance. After
                                   a connection that lasted longer it begins anew. 0: no tries */
    uint32_t reconnect_max;     /* ms, 30000 */
    int retry_after;            /* client with reconnect: 1 waits after 429, 502, 503 and 504 as
                                   Retry-After says (in seconds; a date is not understood); a
                                   reader of events, which otherwise stops at every refusal, then
                                   comes back after these */
    int refusal_final;          /* client with reconnect: 1 gives CLOSE, not DOWN, when the server
                                   refuses (WS_ERR_STATUS); with retry_after not after 429, 502,
                                   503 and 504 */
    int protocol_optional;      /* client: 1 goes on when the server chooses no subprotocol */
    uint32_t retry_max;         /* ms that a server may ask a client to wait before its next try,
                                   by Retry-After or an event stream's retry, 300000 */
    const char *proxy;          /* client: "http://user:password@host:3128", "socks5://host";
                                   "env": from http_proxy, https_proxy, all_proxy, no_proxy.
                                   Gets the server's name, looks it up. Not with cfg.io or
                                   cfg.memory.
                                   WS_ERR_PROXY: ws_status and its headers can be read */
    const ws_header *proxy_headers;     /* sent with CONNECT; Proxy-Authorization instead of the
                                   URL's user */

    const ws_deflate *deflate;  /* permessage-deflate; NULL: off */
    const ws_extension *const *extensions;  /* your own, in order of preference, before deflate:
                                   one of them is used. Copied, but for what user points to */
    const char *protocols;      /* subprotocols "a, b": offered, or supported by a server */
    const char *origins;        /* server: NULL same host as Host (with trusted_proxies, as
                                   X-Forwarded-Host), or none sent; "*" any; else a list of
                                   origins, "https://a.example, https://b.example:8443", whose
                                   host may begin with "*." for all below it; "same" stands for
                                   that host, "null" and "file://" for pages from disk. What
                                   can never match is WS_ERR_ARGUMENT */
    const char *origin;         /* client: Origin to send, NULL none */
    const char *host;           /* client: Host to send, NULL from the URL */
    const ws_header *headers;   /* sent with our part of the opening handshake; Origin instead of
                                   cfg.origin, Authorization instead of the URL's user */
    const ws_header *more_headers;      /* private: of ws_sse.h, where headers has none so named */

    /* Client: looks a host name up in your own way; ws_resolved(c, ...) gives the answer, from
       inside or later. NULL: getaddrinfo, on a thread of its own unless WS_NO_THREADS. */
    void (*resolve)(void *user, ws_conn *c, const char *host);
    void *resolve_user;

    /* Client: may it connect to this address: "192.0.2.1:80", "[2001:db8::1]:443" or
       "unix:/path"? However the host was spelled or looked up, and after redirects too; an IPv4
       address in IPv6 is shown as IPv4. 0 refuses it; the next one of the name is tried. With
       cfg.proxy it is the proxy's: the proxy looks the server's name up. */
    int (*allow_address)(void *user, ws_conn *c, const char *address);
    void *allow_address_user;

    /* Client: sees each socket before it connects, to bind it to an address of this machine or
       to set options; a descriptor or a SOCKET. */
    void (*on_socket)(void *user, intptr_t socket);
    void *on_socket_user;

    ws_io io;                   /* transport, instead of a socket; for wss:// it does the TLS */

    /* TLS of another library. Called for each connection of a listener (or ws_adopt) when it is
       accepted, and for each client of wss:// (or https://) when its socket is connected and
       the tunnel through a proxy is open; before that, if the proxy itself is https://. io
       reads and writes the bytes of the socket, and does so until io.close: keep a copy, and
       put functions of your own in its place. The library closes the socket, after your
       io.close, which says goodbye (close_notify) without waiting. host: whom the peer must
       prove to be, and its SNI; NULL: we are the server. Returns 0, or anything else to fail
       with WS_ERR_TLS. Not with cfg.memory or cfg.io. */
    int (*wrap)(void *user, ws_conn *c, ws_io *io, const char *host);
    void *wrap_user;

    /* TLS by mbedTLS: see ws_tls_new. A listener with it speaks TLS only; a client of wss://
       or https:// needs it for other than the system's authorities. Not with cfg.memory or
       cfg.io. */
    struct ws_tls *tls;

    void *user;                 /* first value of ws_user */

    /* Fills buf with n unpredictable bytes; returns 0, or anything else on failure. NULL: the
       system's source; without one (WS_NO_SOCKETS) a client cannot be made. */
    int (*random)(void *user, void *buf, size_t n);
    void *random_user;

    /* One function for all memory: like realloc, told the old size; new_size 0 frees and
       returns NULL. NULL: realloc and free. */
    void *(*alloc)(void *user, void *old, size_t old_size, size_t new_size);
    void *alloc_user;

    /* All memory of one connection: WS_MEMORY_SIZE bytes, at any address. No allocation then
       (but by the system, to look a host name up); max_message and the answer's head are bounded
       by the receive size. To connect over sockets takes 512 bytes of that or more. */
    void *memory;
    size_t memory_size;
    size_t memory_send;         /* part of it for output, bytes; 1/3 */
    size_t memory_extension;    /* more of it, for deflate or extensions: states, 1 KiB, and the
                                   largest decoded message, or part of one (parts_over) */
} ws_config;

/* Bytes for cfg.memory: room for messages of recv bytes in, and send bytes waiting to go
   out (the opening handshake included), and for 300 bytes of strings and headers in cfg.
   cfg.memory_extension comes on top. */
#define WS_MEMORY_SIZE(recv, send) \
    (((size_t)(recv) + (size_t)(send) + WS_MEMORY_OVERHEAD + 7) / 8 * 8)
#define WS_MEMORY_OVERHEAD (1280 + 128 * sizeof(void *))

/* ==== >>codec ========================================================================== */

/* The leaves, usable without a connection. None allocates. */

/* A frame header (RFC 6455 5.2). */
typedef struct ws_frame {
    uint64_t size;      /* payload bytes, 0 .. 2^63 - 1 */
    uint8_t fin;        /* 1: last frame of its message */
    uint8_t rsv;        /* reserved bits, RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    uint8_t op;         /* 0..15 */
    uint8_t masked;     /* 1: key is present */
    uint8_t key[4];
} ws_frame;

#define WS_FRAME_HEADER_MAX 14

/* Reads a header from n bytes. Returns its size (2..14), 0 when more bytes are needed,
   WS_ERR_LENGTH or WS_ERR_LENGTH_SIGN for a length that is not allowed. */
WS_API int ws_frame_decode(const void *data, size_t n, ws_frame *frame);

/* Writes the header to out (room for 14 bytes), lengths in their shortest form. Returns its
   size, or 0 when size is over 2^63 - 1. */
WS_API size_t ws_frame_encode(const ws_frame *frame, void *out);

/* dst[i] = src[i] ^ key[(offset + i) % 4] for n bytes. dst may be src; otherwise they must
   not overlap. Any alignment. */
WS_API void ws_mask(void *dst, const void *src, size_t n, const uint8_t key[4],
                    size_t offset);

/* Validates UTF-8 (RFC 3629) piece by piece: *state is 0 at the start, and again whenever
   the bytes so far end with a whole character. Returns n, or the index of the first byte
   that no valid text can have there; *state is then 1 and every later call returns 0. */
WS_API size_t ws_utf8(uint32_t *state, const void *data, size_t n);

/* SHA-1 of n bytes. */
WS_API void ws_sha1(const void *data, size_t n, uint8_t digest[20]);

/* base64 (RFC 4648 4, padded). encode: writes (n + 2) / 3 * 4 characters and a NUL, returns
   the characters. decode: canonical input only, writes at most n / 4 * 3 bytes; returns the
   bytes or -1. */
WS_API size_t ws_base64_encode(const void *data, size_t n, char *out);
WS_API ptrdiff_t ws_base64_decode(const char *text, size_t n, void *out);

/* Sec-WebSocket-Accept for a key of 24 characters (RFC 6455 4.2.2): 28 characters, a NUL. */
WS_API void ws_accept_key(const char *key, char accept[29]);

/* Incremental scanner for the head of an HTTP/1 message: start line, header lines, blank
   line. Zero it, set the limits, then call ws_head_scan with the head from its first byte
   each time more has come; only new bytes are looked at. Strict: lines end with CR LF;
   no bare CR or LF, no NUL or other control characters but tab in values, no folded lines,
   no space before the colon, names are tokens (RFC 9112 2.2, 5). */
typedef struct ws_head {
    uint32_t max_size;      /* bytes, 0: 8192 */
    uint32_t max_fields;    /* header lines, 0: 64 */
    uint32_t scanned;       /* bytes already looked at */
    uint32_t fields;        /* header lines so far */
    uint8_t state;
} ws_head;

/* Returns the size of the head with its blank line, 0 when more is needed, or
   WS_ERR_HEAD_SYNTAX (h->scanned is the bad byte's index), WS_ERR_HEAD_SIZE,
   WS_ERR_HEAD_FIELDS. */
WS_API int ws_head_scan(ws_head *h, const void *data, size_t n);

/* Splits the start line of a scanned head. Request: method, target, version ("HTTP/1.1").
   Answer: version, status, reason. Returns 0 or WS_ERR_HEAD_SYNTAX. */
WS_API int ws_head_request(ws_str head, ws_str *method, ws_str *target, ws_str *version);
WS_API int ws_head_answer(ws_str head, ws_str *version, int *status, ws_str *reason);

/* Walks the header lines: *pos is 0 at first. Returns 1 with name and value (outer spaces
   and tabs removed), 0 at the end. */
WS_API int ws_head_field(ws_str head, size_t *pos, ws_str *name, ws_str *value);

/* Takes the next element off a comma-separated list, without outer spaces; commas inside
   quoted strings do not count. Empty elements are skipped. Returns 1, or 0 at the end. */
WS_API int ws_list_next(ws_str *list, ws_str *item);

/* Takes the next parameter off "; name; name=value; name="value"" of an extension (RFC 6455
   9.1); value (may be NULL) is a string, "" without one. Returns 1, 0 at the end, -1:
   malformed, or value does not fit n bytes with its NUL. */
WS_API int ws_param_next(ws_str *params, ws_str *name, char *value, size_t n);

/* 1 if the text equals s, ASCII letters compared without case. */
WS_API int ws_str_is(ws_str text, const char *s);

/* 1 if one element of a comma-separated list is token, without case. */
WS_API int ws_list_has(ws_str list, const char *token);

/* A parsed URL; the pieces point into the text. */
typedef struct ws_url {
    ws_str scheme;          /* "ws", "wss", "http", "https", "ws+unix" */
    ws_str user, password;  /* still percent-encoded; data NULL if absent. Sent as Basic
                               credentials */
    ws_str host;            /* IPv6 without brackets, with "%25" and a zone if it has one (RFC
                               6874); ws+unix: path of the socket, on Linux also "@name" */
    ws_str target;          /* path and query; may be empty or begin with '?': put "/" first */
    uint16_t port;          /* 80 or 443 by default, 0 for ws+unix */
    uint8_t secure;         /* wss, https */
    uint8_t ipv6;           /* host is an IPv6 literal */
    uint8_t is_unix;        /* ws+unix */
    uint8_t default_port;   /* the port is the scheme's own */
} ws_url;

/* ws://host, wss://user:password@host:8443/path?query, ws://[::1]:80/, http and https alike,
   ws+unix:/run/app.sock:/path. Returns 0 or WS_ERR_URL: unknown scheme, no host, bad port
   (1..65535), control characters, spaces or non-ASCII, or a #fragment (RFC 6455 3). */
WS_API int ws_url_parse(const char *text, size_t n, ws_url *url);

#ifndef WS_NO_CLIENT

#define WS_TUNNEL_SIZE 8192

/* The way to a server through a proxy: HTTP CONNECT (RFC 9110 9.3.6) or SOCKS5 (RFC 1928,
   1929). Connected to the proxy, write what ws_tunnel_output has, feed what comes, until
   result is not 0. cfg.proxy does it all; this is for transports of your own. */
typedef struct ws_tunnel {
    int result;             /* 0 under way, 1 open, or the WS_ERR_ it failed with */
    int status;             /* the proxy's HTTP status or SOCKS5 reply, 0 without one */
    char text[48];          /* of a failure: "proxy answered 407" */
    uint32_t head_size;     /* bytes of buf that are the proxy's HTTP head, for ws_head_field */
    uint32_t pos, end, got, part[3];    /* the rest is private */
    ws_head scan;
    uint8_t stage;
    char buf[WS_TUNNEL_SIZE];
} ws_tunnel;

/* proxy: "http://user:password@host:port" or "socks5://..." (or socks5h), user and password
   percent-encoded; host (an IPv6 address without brackets) and port of the server, which the
   proxy looks up; headers for CONNECT, may be NULL. Returns 0, WS_ERR_URL (proxy not
   understood) or WS_ERR_ARGUMENT (all else, or too long). */
WS_API int ws_tunnel_init(ws_tunnel *t, const char *proxy, const char *host, uint16_t port,
                          const ws_header *headers);

/* What waits to go to the proxy, *n bytes, and how many of them went. */
WS_API const void *ws_tunnel_output(const ws_tunnel *t, size_t *n);
WS_API void ws_tunnel_output_done(ws_tunnel *t, size_t n);

/* Takes n bytes from the proxy. Returns the bytes taken: never any behind its answer, and
   none while output waits. */
WS_API size_t ws_tunnel_feed(ws_tunnel *t, const void *data, size_t n);

/* The proxy ended the connection. */
WS_API void ws_tunnel_feed_end(ws_tunnel *t);

#endif /* WS_NO_CLIENT */

/* ==== >>api ============================================================================ */

/* ---- making and freeing ---- */

/* A client that will speak to url. Does no I/O: its request waits in ws_output. cfg may be
   NULL. Never NULL unless memory is out; other faults stick to it (ws_error) and come as its
   CLOSE event. What only a driver can do is WS_ERR_ARGUMENT: reconnect, max_redirects, proxy,
   resolve, on_socket, allow_address (with cfg.io too). */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg);
#endif

/* A server end for one accepted stream. NULL when memory is out. Neither does TLS, also of
   wss:// and with cfg.tls: what you carry are the bytes inside; ws_tls_wrap goes around. */
#ifndef WS_NO_SERVER
WS_API ws_conn *ws_server_new(const ws_config *cfg);
#endif

/* Ends it at once, without closing handshake (after ws_close what can be written now still is),
   and frees it. NULL is fine. A connection of a loop gives no further events and may be freed
   while its event is handled. */
WS_API void ws_free(ws_conn *c);

/* ---- bytes in, events out, bytes out (engine) ---- */

/* Takes up to n bytes from the peer, copied. Returns the bytes taken: less than n while
   events wait to be pulled, or while output must drain first. Bytes after the end are taken
   and dropped. */
WS_API size_t ws_feed(ws_conn *c, const void *data, size_t n);

/* The bytes ws_feed would take now. 0 once the connection is closed. */
WS_API size_t ws_feed_room(const ws_conn *c);

/* The peer's stream has ended: no more input will come. */
WS_API void ws_feed_end(ws_conn *c);

/* Pulls the next event. Returns 1, or 0 when there is none now. */
WS_API int ws_next(ws_conn *c, ws_event *ev);

/* What waits to go to the peer: *n bytes (0 if none), valid until the next call on c. Never
   NULL. */
WS_API const void *ws_output(ws_conn *c, size_t *n);

/* Says that the first n bytes of ws_output were written. */
WS_API void ws_output_done(ws_conn *c, size_t n);

/* 1 when all output was taken and the stream should be closed for good. */
WS_API int ws_finished(const ws_conn *c);

/* Tells the time, in milliseconds of any steady clock; 32-bit counters may wrap. Call it at
   least when ws_timeout has passed, and before ws_close: deadlines count from the time told
   last. The first call starts them. */
WS_API void ws_tick(ws_conn *c, uint64_t now);

/* Milliseconds until ws_tick (or ws_step) is due, 0 if overdue, -1 for never. */
WS_API int ws_timeout(const ws_conn *c);

/* ---- sending: 0, or a negative WS_ERR_ and nothing was sent ---- */

/* Queues one message; op is WS_OP_TEXT (data must be UTF-8, not checked) or WS_OP_BINARY, with
   WS_OP_PLAIN if it is not to be compressed. Before OPEN none is.
   Data is copied, or written before the driver returns to you. A client may send before
   OPEN: it is queued.
   WS_ERR_BACKLOG: more than half of max_backlog waits already and it would not fit; a
   WRITABLE event follows. A blocking client waits for room instead, and reads meanwhile what
   ws_recv gives later (cfg.send_timeout). WS_ERR_STATE: closing or closed. */
WS_API int ws_send(ws_conn *c, int op, const void *data, size_t n);

/* ws_send of a NUL-terminated string as text. */
WS_API int ws_send_text(ws_conn *c, const char *text);

/* ws_send of count pieces as one message, without joining them first. */
WS_API int ws_sendv(ws_conn *c, int op, const ws_str *pieces, int count);

/* One frame of a message whose size is not known yet. The first call begins the message, last
   != 0 ends it (n may be 0); op stays the same. Until then other messages are WS_ERR_BUSY;
   pings, pongs and ws_close pass. After WS_ERR_BACKLOG call again with the same part. */
WS_API int ws_send_part(ws_conn *c, int op, const void *data, size_t n, int last);

/* Sends a message that is pulled from read as the peer takes it, in frames of up to 4096
   bytes: never more than one of them is held; a peer of this library puts max_fragments of
   them together. read returns like ws_io.read: bytes (1..n), 0 at the end, WS_IO_ERROR to
   fail (1011), WS_IO_WANT_READ for nothing yet: call ws_send_from again with the same
   arguments to go on. user must stay valid until read returned 0 or WS_IO_ERROR, or the
   connection is closed or lost (DOWN). read must leave c alone. Without allocation
   (cfg.memory): WS_ERR_MEMORY. */
WS_API int ws_send_from(ws_conn *c, int op,
                        ptrdiff_t (*read)(void *user, void *buf, size_t n), void *user);

/* ws_send of a value that replaces the older one of the same slot (0 or more, a number of
   yours) as long as nothing of that was written: a slow peer gets the newest, in the older
   one's place, never a queue of old ones. The cost grows with the number of slots in use.
   Not with cfg.memory (WS_ERR_MEMORY). Compressed only where each message is alone. */
WS_API int ws_send_latest(ws_conn *c, int slot, int op, const void *data, size_t n);

/* Asks for one WS_EV_WRITABLE when all that waits now has been written, whatever is sent after
   it: completion. */
WS_API void ws_want_writable(ws_conn *c);

/* Control frames, 0..125 bytes. The library pings and answers pings by itself. ws_ping with
   data NULL sends a payload of the library's own, whose pong sets ws_rtt. */
WS_API int ws_ping(ws_conn *c, const void *data, size_t n);
WS_API int ws_pong(ws_conn *c, const void *data, size_t n);

/* Starts the closing handshake after what is queued. code: 1000..1003, 1007..1014 or
   3000..4999, else WS_ERR_ARGUMENT; 0 sends an empty Close frame. reason: UTF-8 or NULL,
   cut at a character before 123 bytes. What a source (ws_send_from) has not given yet goes no
   more; ev.refused of CLOSE counts it. Keep pulling until CLOSE. */
WS_API int ws_close(ws_conn *c, int code, const char *reason);

/* Ends it at once, without closing handshake; CLOSE follows (1006). Queued output is lost; but
   after ws_close what can be written at once still is, the Close frame (with the engine it stays
   in ws_output). */
WS_API void ws_drop(ws_conn *c);

/* Holds output back until ws_uncork or closing, so that many small messages leave in one
   write. For the blocking client, which otherwise writes each at once; a loop does the like
   in every turn by itself. What is held counts as backlog. ws_output shows it all the same.
   Does nothing before OPEN. */
WS_API void ws_cork(ws_conn *c);
WS_API void ws_uncork(ws_conn *c);

/* Stops and starts taking messages (flow control). Nothing is lost; the opening handshake and
   new tries go on. */
WS_API void ws_pause(ws_conn *c);
WS_API void ws_resume(ws_conn *c);

#ifndef WS_NO_SERVER

/* ---- answering requests (server) ---- */

/* What ws_accept adds to the configured answer. */
typedef struct ws_answer {
    const char *protocol;       /* one of the offered subprotocols; "" none; NULL: the route's,
                                   or the first offered one that cfg.protocols names */
    const ws_header *headers;   /* besides cfg.headers; NULL none */
} ws_answer;

/* Answers a WS_EV_REQUEST, at once or later (the handshake deadline runs): OPEN follows.
   answer may be NULL. WS_ERR_ARGUMENT: bad headers, or a subprotocol that was not offered. */
WS_API int ws_accept(ws_conn *c, const ws_answer *answer);

/* Refuses a WS_EV_REQUEST or WS_EV_HTTP with an HTTP status (300..599), and text (may be NULL)
   for a person. headers may be NULL. CLOSE follows with WS_ERR_REJECTED. */
WS_API int ws_reject(ws_conn *c, int status, const ws_header *headers, const char *text);

/* Answers a WS_EV_HTTP, then closes. body and headers may be NULL; HEAD gets no body. Adds
   Connection: close and, where headers have none, Content-Length (one of theirs must be true;
   to HEAD it tells the size of the body left out), Content-Type: text/plain, Allow to 405. */
WS_API int ws_http_reply(ws_conn *c, int status, const ws_header *headers,
                         const void *body, size_t n);

/* ---- answers that go on (server): event streams, downloads ---- */

/* Answers a WS_EV_HTTP with a head whose body follows from ws_http_write, whenever it comes,
   until ws_http_end, ws_close, or the peer goes (a peer that ends only its own sending counts
   as gone, as it does for nginx and Node); then CLOSE. ws_state is WS_STATE_OPEN meanwhile;
   what the peer sends is dropped. chunked: 1 for a body in chunks if the request is HTTP/1.1;
   else it ends with the connection, and headers may say its Content-Length. To HEAD all of it
   is the head. */
WS_API int ws_http_begin(ws_conn *c, int status, const ws_header *headers, int chunked);

/* Private: of ws_sse.h. The same, and the lines of more that headers does not say itself. */
WS_API int ws__http_begin(ws_conn *c, int status, const ws_header *headers, const ws_header *more,
                          int chunked);

/* Queues n bytes of the body; all or nothing, by the rules of ws_send. */
WS_API int ws_http_write(ws_conn *c, const void *data, size_t n);
WS_API int ws_http_end(ws_conn *c);

/* ws_http_write of n bytes that fill writes to where they will be sent from: no other memory
   is needed. It must write them all, and leave the library alone. */
WS_API int ws_http_fill(ws_conn *c, size_t n, void (*fill)(void *user, void *at, size_t n),
                        void *user);

/* Writes text whenever ms milliseconds passed without a write, so that proxies keep the
   connection and a dead peer is noticed: one that takes nothing for ms and ping_timeout.
   WS_NEVER: no more of that. */
WS_API int ws_http_beat(ws_conn *c, const char *text, uint32_t ms);

#endif /* WS_NO_SERVER */

/* ---- ordinary HTTP as a client ----

   With cfg.method, ws_connect, ws_open and ws_dial send that request. OPEN tells an answer of
   200..299 (ws_status, ws_header_value); its body comes in PART events (op BINARY, chunks
   undone), the last one perhaps empty; then CLOSE with clean = 1. Other answers are CLOSE with
   WS_ERR_STATUS, and ws_body. Redirects, proxies, deadlines and reconnection are those of a
   WebSocket; after 301, 302 and 303 any request but HEAD becomes a GET without body. Messages
   cannot be sent; ws_close ends it at once. */

#ifndef WS_NO_CLIENT
/* A header line of the next tries of a client with cfg.reconnect, in place of those of that
   name in cfg.headers, and of the one set before; value "": none at all of that name; NULL:
   cfg.headers as they are. Both are copied. 0, or nothing changed: WS_ERR_ARGUMENT (not fit
   for a header, or cfg.memory) or WS_ERR_MEMORY. */
WS_API int ws_next_header(ws_conn *c, const char *name, const char *value);

/* This try counts as a success, however short it was: the next one comes ms later, or up to a
   quarter more by chance. ms takes the place of cfg.reconnect: while tries fail it is doubled up
   to cfg.reconnect_max (or ms, if that is more), and no wait is shorter than ms. A wait that runs
   already is not changed. */
WS_API void ws_next_delay(ws_conn *c, uint32_t ms);
#endif

/* ---- asking ---- */

WS_API int ws_state(const ws_conn *c);              /* WS_STATE_ */
WS_API int ws_done(const ws_conn *c);               /* 1 after CLOSE was pulled, and for NULL */
WS_API int ws_error(const ws_conn *c);              /* 0 or the first WS_ERR_ */
WS_API const char *ws_error_text(const ws_conn *c); /* valid as long as c, "" without error;
                                                       names the field of a bad ws_config */
WS_API const char *ws_error_string(int error);      /* the sentence of a WS_ERR_; static */
WS_API int ws_is_client(const ws_conn *c);
WS_API const char *ws_url_of(const ws_conn *c);     /* where redirects led; "" for a server */
WS_API const char *ws_protocol(const ws_conn *c);   /* chosen subprotocol, "" for none */
WS_API const char *ws_extensions(const ws_conn *c); /* in use, as answered; "" for none */
WS_API const char *ws_close_text(int code);         /* "going away" for 1001; static, or "" */
WS_API int ws_version(const ws_conn *c);            /* of the protocol: 13, or cfg.version */
WS_API size_t ws_buffered(const ws_conn *c);        /* bytes waiting to be sent */
WS_API int ws_rtt(const ws_conn *c);                /* last round trip of our ping in ms, or -1 */
WS_API int ws_is_paused(const ws_conn *c);
WS_API void *ws_user(const ws_conn *c);             /* your pointer */
WS_API void ws_set_user(ws_conn *c, void *user);

/* The opening handshake, from its event (REQUEST until it is answered, OPEN, HTTP, or CLOSE or
   DOWN after a refusal) until the next pull; afterwards empty. method and target: the request
   line; path: the target without its query, "/" for that of "OPTIONS *"; "" on a client.
   status: the HTTP status a client got, 0 if none. body: client, at CLOSE or DOWN after a
   refusal: what came behind the head, at most WS_BODY_MAX bytes, chunks undone. */
WS_API const char *ws_method(const ws_conn *c);
WS_API const char *ws_target(const ws_conn *c);
WS_API ws_str ws_path(const ws_conn *c);
WS_API int ws_status(const ws_conn *c);
WS_API ws_str ws_body(const ws_conn *c);

#define WS_BODY_MAX 4096

/* Value of the first header line of that name (without case); data is NULL if absent. */
WS_API ws_str ws_header_value(const ws_conn *c, const char *name);

/* Walks all header lines: *pos is 0 at first. 1 with name and value, 0 at the end. */
WS_API int ws_header_next(const ws_conn *c, size_t *pos, ws_str *name, ws_str *value);

/* Walks the elements of the comma-separated lists in all header lines of that name: offered
   subprotocols ("Sec-WebSocket-Protocol"), Accept ... Zero *walk at first. 1 with the next
   element, 0 at the end. */
typedef struct ws_walk {
    size_t pos;             /* private */
    ws_str list;
} ws_walk;

WS_API int ws_header_walk(const ws_conn *c, const char *name, ws_walk *walk, ws_str *item);

/* The i-th (0..) of these elements alone; data is NULL past the end. Each call walks from the
   start: for all of them use ws_header_walk. */
WS_API ws_str ws_header_item(const ws_conn *c, const char *name, int i);

/* A cookie the client sent, a parameter of the query, with percent-encoding (and in queries
   '+') undone, as a string in buf of n bytes. The first of that name, compared as it came.
   Returns its length, or -1: absent, a NUL in it, or no room. */
WS_API int ws_cookie(const ws_conn *c, const char *name, char *buf, size_t n);
WS_API int ws_query(const ws_conn *c, const char *name, char *buf, size_t n);

/* The value of a Set-Cookie header. Zero it, then set what you need. */
typedef struct ws_set_cookie {
    const char *name, *value;   /* value: any text, percent-encoded where need be */
    const char *path, *domain, *expires, *same_site;    /* NULL: left out */
    long max_age;               /* seconds, 0: left out; below 0: delete the cookie */
    int secure, http_only;
} ws_set_cookie;

/* Writes it to buf of n bytes, with a NUL. Returns the length, or -1: a name or an attribute
   with characters that are not allowed, or no room. */
WS_API int ws_cookie_format(const ws_set_cookie *cookie, char *buf, size_t n);

/* id of the route that a server's connection came through, 0 without routes. */
WS_API int ws_route_id(const ws_conn *c);

/* ---- requests that another HTTP server parsed ---- */

/* 1 if a whole request head asks for a WebSocket (GET, Connection: upgrade, Upgrade:
   websocket): hand it over with ws_feed or ws_adopt, which then check the rest. */
WS_API int ws_is_upgrade(ws_str head);

/* Writes a request head from parsed pieces to buf of n bytes, with a NUL. Returns its size, 0:
   no room, or characters that cannot be in a head. headers may be NULL. */
WS_API size_t ws_head_format(char *buf, size_t n, const char *method, const char *target,
                             const ws_header *headers);

/* ==== >>tls ============================================================================ */

/* TLS by mbedTLS 2.28 or 3.x, with WS_USE_MBEDTLS where the bodies are compiled. What is here
   holds whom to trust and who we are, for any number of listeners and connections of one
   thread: their cfg.tls. Its memory comes from mbedTLS. It speaks TLS 1.2 and later, sends the
   host name (SNI), verifies chain and host name, and resumes sessions. */
typedef struct ws_tls ws_tls;

/* A certificate with those of its issuers behind it, and its private key. Each is PEM text or
   the name of a file. Arrays of them end with { NULL, NULL }. */
typedef struct ws_tls_pair {
    const char *cert, *key;
} ws_tls_pair;

/* Zero it, then set what you need. */
typedef struct ws_tls_config {
    const char *ca;             /* authorities: PEM text or the name of a file. NULL: a client
                                   trusts the system's (the file that SSL_CERT_FILE names, or
                                   where systems keep them; none on Windows), a server asks for
                                   no certificate. With it clients must show one of theirs */
    const char *cert, *key;     /* who we are: a server must, a client may say so, to whoever
                                   asks: also a proxy, and where redirects lead */
    const ws_tls_pair *others;  /* server: further ones, taken when they name the host that the
                                   client asks for and cert does not */
    int client_may_be_unknown;  /* server with ca: 1 takes clients without certificate as well */
    int insecure_trust_everyone;    /* client: 1 verifies nothing. Whoever sits on the line can
                                   then read and change all of it */
} ws_tls_config;

/* Reads the files; set may be NULL. Never NULL: failures stick, and whoever is to use it fails
   with its error (WS_ERR_TLS, WS_ERR_MEMORY; WS_ERR_NO_TLS without WS_USE_MBEDTLS) and text. */
WS_API ws_tls *ws_tls_new(const ws_tls_config *set);

/* Gives up your share of it; listeners and connections keep theirs as long as they last. */
WS_API void ws_tls_free(ws_tls *tls);

/* What is wrong with it, "" if nothing. */
WS_API const char *ws_tls_error_text(const ws_tls *tls);

/* Puts TLS around a ws_io of your own: before, io carries the raw bytes (and must until it is
   closed); afterwards it takes and gives what is inside. host: client: whom to verify; NULL:
   we are the server. The handshake comes with the first bytes. tls may be freed right after.
   For cfg.io; cfg.tls does it for sockets. Returns 0, WS_ERR_MEMORY or WS_ERR_TLS. */
WS_API int ws_tls_wrap(ws_tls *tls, ws_io *io, const char *host);

/* Writes the subject of the peer's certificate ("CN=alice, O=Example") to buf with a NUL.
   Returns its length; 0: no certificate, no TLS, or no room. A server has verified it. */
WS_API size_t ws_tls_peer(const ws_conn *c, char *buf, size_t n);

/* ==== >>net ============================================================================ */

#ifndef WS_NO_SOCKETS

#ifdef _WIN32
typedef uintptr_t ws_socket;                /* a SOCKET */
#else
typedef int ws_socket;                      /* a file descriptor */
#endif

/* ---- blocking client ---- */

/* Connects and shakes hands, waiting up to handshake_timeout, or until a signal interrupts:
   ws_state is then WS_STATE_CONNECTING, and the next ws_recv goes on. Never NULL unless memory is
   out; a failure sticks to the connection and comes as its CLOSE event (with cfg.reconnect,
   as its DOWN event: only the first try is waited for). With cfg.io, no socket is made, and
   never more bytes are read than the protocol needs, so that a blocking read function
   serves; for ordinary HTTP it must return what is there instead of waiting for all. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_connect(const char *url, const ws_config *cfg);
#endif

/* Sends what waits and returns the next event: 1, or 0 after timeout milliseconds (-1: wait
   for ever) without one, or -1 after CLOSE was pulled. A signal that interrupts the wait makes
   WS_EV_WAKE. */
WS_API int ws_recv(ws_conn *c, ws_event *ev, int timeout);

/* ---- client in your own poll loop ---- */

/* Starts connecting. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_open(const char *url, const ws_config *cfg);

/* Answers cfg.resolve, from inside it (where nothing else may be called for c) or later:
   addresses "192.0.2.1, 2001:db8::1", tried in this order; NULL or "": there are none. Returns
   0, WS_ERR_ARGUMENT if one is no address, or WS_ERR_STATE if c does not wait for it. */
WS_API int ws_resolved(ws_conn *c, const char *addresses);
#endif

/* A server end for a connected socket that somebody else accepted, with the n bytes of the
   request (and what follows) that were already read from it; data may be NULL. loop: its
   events come out of ws_poll; NULL: drive it yourself like ws_open's. It now owns fd and
   closes it. With cfg.io, io moves the bytes, fd only tells when to try (-1: your own loop
   calls ws_step), and io.close closes it. With cfg.tls or cfg.wrap nothing may have been read
   from it: n is 0. cfg.memory is only for loop NULL (WS_ERR_ARGUMENT in CLOSE); the block is
   free again after ws_free. NULL when memory is out: fd is still yours. */
#ifndef WS_NO_SERVER
WS_API ws_conn *ws_adopt(ws_loop *loop, ws_socket fd, const void *data, size_t n,
                         const ws_config *cfg);
#endif

/* Takes the socket out of the library: at WS_EV_HTTP or WS_EV_REQUEST, for another server to
   answer, or after WS_EV_OPEN, to speak raw bytes. Returns it, non-blocking and yours to close
   (cfg.io is left alone too), or -1 while output waits or a message is half received, and with
   TLS around the socket. *rest: the n bytes that came from it and were not used (before OPEN:
   all, with the request's head), valid until the next pull, which gives CLOSE. */
WS_API ws_socket ws_detach(ws_conn *c, const void **rest, size_t *n);

/* The socket to wait for, -1 if none. Until OPEN, and after DOWN, it may be another one after
   each ws_step, also of the same number. */
WS_API ws_socket ws_fd(const ws_conn *c);
WS_API int ws_wants(const ws_conn *c);      /* WS_WANT_ bits: when to call ws_step. 0: do not
                                               poll ws_fd now, a hang-up would show for ever */

/* Moves bytes and time without blocking; then pull with ws_next. */
WS_API void ws_step(ws_conn *c);

/* ---- loop ---- */

/* cfg: alloc is used for the loop itself; may be NULL. NULL when memory or descriptors are
   out. */
WS_API ws_loop *ws_loop_new(const ws_config *cfg);

/* Ends every connection at once and frees everything. The one call that a forked child may make
   for a loop of its parent, whose connections it leaves alone. */
WS_API void ws_loop_free(ws_loop *loop);

#ifndef WS_NO_SERVER
/* Listens on "host:port", ":port" (every address), "[::1]:port", "unix:/path", or on Linux
   "unix:@name" (abstract: no file). A socket file that nobody answers any more is replaced, any
   other file is an error; ours goes when the listener ends. Port 0 lets the system choose.
   Returns a listener number >= 0 or a negative WS_ERR_, see
   ws_loop_error_text. */
WS_API int ws_listen(ws_loop *loop, const char *address, const ws_config *cfg);

/* The port a listener got, 0 for a unix socket. */
WS_API int ws_listen_port(const ws_loop *loop, int listener);

/* New certificates for a listener of cfg.tls: connections accepted from now on use tls, the
   others keep what they have. Returns 0, WS_ERR_ARGUMENT, or WS_ERR_TLS: tls has an error,
   and the old one stays. */
WS_API int ws_listen_tls(ws_loop *loop, int listener, ws_tls *tls);

/* Stops listening and closes that socket; its connections stay. */
WS_API void ws_unlisten(ws_loop *loop, int listener);
#endif

/* Starts a client connection in the loop; its events come out of ws_poll. NULL when memory
   is out, or after ws_shutdown; every other failure comes as CLOSE. cfg.io and cfg.memory are
   not for a loop's clients: WS_ERR_ARGUMENT. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_dial(ws_loop *loop, const char *url, const ws_config *cfg);
#endif

/* The next event of any connection. Waits up to timeout milliseconds (-1: for ever).
   Returns 1, 0 when none came in time, or a negative WS_ERR_. A signal that interrupts the wait
   makes WS_EV_WAKE. */
WS_API int ws_poll(ws_loop *loop, ws_event *ev, int timeout);

/* The same, waiting until ws_loop_now would be when. */
WS_API int ws_poll_until(ws_loop *loop, ws_event *ev, uint64_t when);

/* Hands a pointer to the loop: it comes out of ws_poll as WS_EV_POST, those of one thread in
   their order. Like ws_wake it may be called by any thread, and on POSIX by a signal handler; the
   loop must not be freed before it returns. Returns 0, WS_ERR_ARGUMENT (loop is NULL), or
   WS_ERR_BACKLOG when too many wait (more than 500; Windows 128). What is not pulled before
   ws_loop_free is forgotten, not freed. */
WS_API int ws_post(ws_loop *loop, void *message);

/* Makes ws_poll return soon with WS_EV_WAKE; calls that come before it does make one event.
   For any thread and any signal handler, by the rules of ws_post. To stop a server: set a flag
   of yours, then ws_wake. Returns 0 or WS_ERR_ARGUMENT. */
WS_API int ws_wake(ws_loop *loop);

/* ---- many connections ---- */

/* Walks the connections of the loop whose CLOSE was not pulled yet, clients too: after is NULL
   at first, then the last result; NULL at the end. Any of them may be sent to, closed or
   freed meanwhile, but not across a ws_poll. Those made meanwhile come last. */
WS_API ws_conn *ws_each(ws_loop *loop, ws_conn *after);

/* Puts a connection of a loop into a group, a name of 1..255 bytes; takes it out again (NULL:
   out of all). Membership ends with the connection. Joining twice or leaving without having
   joined is fine. A membership takes 48 bytes, a group 40 and its name while it has members.
   Returns 0, WS_ERR_ARGUMENT, WS_ERR_MEMORY, or WS_ERR_STATE: closing or closed. */
WS_API int ws_join(ws_conn *c, const char *group);
WS_API int ws_leave(ws_conn *c, const char *group);

/* Sends to every open connection of a group but except (may be NULL); to every open server
   connection of the loop. Each takes it by the rules of ws_send; a large message is kept
   once for all. Returns how many took it: 0 also for wrong arguments. */
WS_API int ws_publish(ws_loop *loop, const char *group, ws_conn *except, int op,
                      const void *data, size_t n);
#ifndef WS_NO_SERVER
WS_API int ws_broadcast(ws_loop *loop, ws_conn *except, int op, const void *data, size_t n);

/* ws_http_write to every answer of a group that goes on (see ws_http_begin). fill: as for
   ws_http_fill, called at most once. */
WS_API int ws_http_publish(ws_loop *loop, const char *group, ws_conn *except,
                           const void *data, size_t n);
WS_API int ws_http_publish_fill(ws_loop *loop, const char *group, ws_conn *except, size_t n,
                                void (*fill)(void *user, void *at, size_t n), void *user);
#endif

/* ws_publish by the rules of ws_send_latest. */
WS_API int ws_publish_latest(ws_loop *loop, const char *group, int slot, int op,
                             const void *data, size_t n);

/* Stops listening and closes every connection with that code (1001 is usual) and reason;
   opening handshakes get 503. Go on with ws_poll: what has not ended after deadline_ms is
   ended then. It is over when ws_loop_count is 0: ws_poll then returns 0, at once or when
   peers that were refused had up to close_timeout (5 s) to read why. Nothing can be added to
   the loop any more. */
WS_API void ws_shutdown(ws_loop *loop, int code, const char *reason, uint32_t deadline_ms);

/* Monotonic milliseconds. */
WS_API uint64_t ws_loop_now(const ws_loop *loop);

/* Connections of the loop whose CLOSE was not pulled yet. */
WS_API size_t ws_loop_count(const ws_loop *loop);

/* Why ws_listen or ws_poll failed; valid until the next call. Takes NULL. */
WS_API const char *ws_loop_error_text(const ws_loop *loop);

/* Writes the peer's address ("127.0.0.1:5000", "[::1]:5000", "unix") to buf. With
   cfg.trusted_proxies and a request that has X-Forwarded-For, the address in it ("192.0.2.7",
   without a port) that the first of the proxies wrote: the one that stands so many places from
   the end, or the first. Returns its length, 0 if unknown, or if no address stands there. */
WS_API size_t ws_remote(const ws_conn *c, char *buf, size_t n);

#endif /* WS_NO_SOCKETS */

#endif /* WS_H_INCLUDED */

/* ==== Stop here if you only use the library ============================================ */

#ifdef WS_IMPLEMENTATION
#ifndef WS_IMPLEMENTED_
#define WS_IMPLEMENTED_

/* ==== >>impl (private) ================================================================= */

#include <string.h>
#if !defined(WS_NO_MALLOC) || !defined(WS_NO_SOCKETS) || defined(WS_USE_MBEDTLS)
#include <stdlib.h>
#endif

#ifdef WS_USE_MBEDTLS
#include <mbedtls/version.h>
#include <mbedtls/platform.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#ifndef MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#error "ws.h: verifying needs mbedTLS with MBEDTLS_SSL_KEEP_PEER_CERTIFICATE"
#endif
#endif

#ifdef WS_USE_ZLIB
#include <zlib.h>
#endif

#ifdef WS_NO_EXTENSIONS
#define WS__EXTENDS 0       /* a constant: the compiler drops what it rules out */
#else
#define WS__EXTENDS 1
#endif

#ifndef WS_TRACE
#define WS_TRACE(c, text, n) ((void)0)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define WS__PRIVATE static __attribute__((unused))
#define WS__APART static __attribute__((noinline))  /* its frame does not add to its caller's */
#elif defined(_MSC_VER)
#define WS__PRIVATE static
#define WS__APART static __declspec(noinline)
#else
#define WS__PRIVATE static
#define WS__APART static
#endif

#ifndef WS_NO_SOCKETS
#ifdef _WIN32
#if defined(__GNUC__) && defined(_WINSOCKAPI_) && !defined(_WINSOCK2API_)
#pragma GCC diagnostic ignored "-Wcpp"      /* windows.h came first: mingw copes, and warns */
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <bcrypt.h>
typedef SOCKET ws__sock;
#define WS__NO_SOCK INVALID_SOCKET
#define WS__POLLER_POLL
#else
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#if !defined(AI_PASSIVE) || !defined(CLOCK_MONOTONIC)
#error "ws.h: include ws.h before other headers, or build with -D_GNU_SOURCE"
#endif
typedef int ws__sock;
#define WS__NO_SOCK (-1)
#if defined(WS__POLLER_POLL)                      /* asked for, by a test */
#elif defined(WS__POLLER_KQUEUE)                  /* the same */
#include <sys/event.h>
#elif defined(__linux__) && !defined(__TINYC__)   /* tcc does not pack epoll_event */
#include <sys/epoll.h>
#define WS__POLLER_EPOLL
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#include <sys/event.h>
#define WS__POLLER_KQUEUE
#else
#define WS__POLLER_POLL
#endif
#endif
/* Whether the peer takes what is sent shows in what it has acknowledged, where the system tells.
   Elsewhere it shows in room for more, which comes in lumps of a third of the system's buffer:
   then so many times the patience. */
#if defined(TIOCOUTQ) && defined(__linux__)
#define WS__LUMPS 1
#elif defined(SO_NWRITE)
#define WS__LUMPS 1
#elif defined(FIONWRITE)
#define WS__LUMPS 1
#else
#define WS__LUMPS 4
#endif
#ifdef MSG_NOSIGNAL
#define WS__NO_SIGNAL MSG_NOSIGNAL
#else
#define WS__NO_SIGNAL 0
#endif
#ifndef WS_NO_CLIENT
#define WS__DIALS
#if !defined(WS_NO_THREADS) && !defined(WS_NO_MALLOC)
#define WS__THREADS
#ifndef _WIN32
#include <pthread.h>
#endif
#endif
#endif
#if defined(__linux__) && (defined(__USE_GNU) || (!defined(__GLIBC__) && defined(_GNU_SOURCE)))
#define WS__LINUX_CALLS         /* accept4, pipe2 */
#endif
#else
typedef int ws__sock;
#define WS__NO_SOCK (-1)
#endif

/* 16 bytes for the compiler's vector operations, where the machine has them. */
#if !defined(WS_NO_SIMD) && defined(__GNUC__) && !defined(__TINYC__) && \
    (defined(__SSE2__) || defined(__ARM_NEON))
#define WS__VECTOR
typedef int8_t ws__vec __attribute__((vector_size(16)));

WS__PRIVATE ws__vec ws__vec_load(const uint8_t *p)
{
    ws__vec v;
    memcpy(&v, p, 16);
    return v;
}

WS__PRIVATE void ws__vec_store(uint8_t *p, ws__vec v)
{
    memcpy(p, &v, 16);
}

WS__PRIVATE ws__vec ws__vec_twice(uint64_t word)
{
    typedef uint64_t two __attribute__((vector_size(16)));
    two v = { word, word };
    return (ws__vec)v;
}
#endif

/* ---- clock and randomness of the system ---- */

#ifndef WS_NO_SOCKETS
/* Monotonic milliseconds. */
static uint64_t ws__clock(void)
{
#ifdef _WIN32
    return GetTickCount64();
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
#endif
}

/* Fills buf (at most 256 bytes) from the system's strong source. 0 on success. */
static int ws__system_random(void *buf, size_t n)
{
#if defined(_WIN32)
    return BCryptGenRandom(NULL, (PUCHAR)buf, (ULONG)n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0;
#elif defined(__linux__) && (!defined(__ANDROID__) || __ANDROID_API__ >= 28)
    return getentropy(buf, n) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    arc4random_buf(buf, n);
    return 0;
#else
    int fd, bad;
#ifdef SYS_getrandom
    if (syscall(SYS_getrandom, buf, n, 0) == (long)n) return 0;
#endif
    fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    bad = fd < 0 || read(fd, buf, n) != (ssize_t)n;
    if (fd >= 0) close(fd);
    return bad;
#endif
}
#endif

/* ==== >>util =========================================================================== */

WS__PRIVATE unsigned ws__get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

WS__PRIVATE uint32_t ws__larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
WS__PRIVATE uint32_t ws__smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

WS__PRIVATE uint64_t ws__get64(const uint8_t *p)
{
    uint64_t v = 0;
    int i;

    for (i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
}

WS__PRIVATE void ws__put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8 & 255);
    p[1] = (uint8_t)(v & 255);
}

WS__PRIVATE void ws__put64(uint8_t *p, uint64_t v)
{
    int i;

    for (i = 7; i >= 0; i--, v >>= 8) p[i] = (uint8_t)(v & 255);
}

WS__PRIVATE char ws__lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

WS__PRIVATE int ws__is_digit(char c)
{
    return c >= '0' && c <= '9';
}

WS__PRIVATE int ws__is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A character of a token (RFC 9110 5.6.2). */
WS__PRIVATE int ws__is_token(char c)
{
    static const uint32_t set[4] = { 0, 0x03FF6CFAu, 0xC7FFFFFEu, 0x57FFFFFFu };
    unsigned u = (unsigned char)c;

    return u < 128 && (set[u >> 5] >> (u & 31) & 1);
}

WS__PRIVATE ws_str ws__str(const char *data, size_t n)
{
    ws_str s;

    s.data = data;
    s.size = n;
    return s;
}

WS__PRIVATE ws_str ws__cstr(const char *s)
{
    return ws__str(s, s ? strlen(s) : 0);
}

/* Equal, ASCII letters compared without case. */
WS__PRIVATE int ws__same_text(ws_str a, ws_str b)
{
    size_t i;

    if (a.size != b.size) return 0;
    for (i = 0; i < a.size; i++) {
        if (ws__lower(a.data[i]) != ws__lower(b.data[i])) return 0;
    }
    return 1;
}

/* Value of a hex digit, or -1. */
WS__PRIVATE int ws__hex(char b)
{
    if (ws__is_digit(b)) return b - '0';
    b = ws__lower(b);
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* The byte that "%XX" at s.data[at] stands for, or -1. */
WS__PRIVATE int ws__percent(ws_str s, size_t at)
{
    int high, low;

    if (s.data[at] != '%' || at + 2 >= s.size) return -1;
    high = ws__hex(s.data[at + 1]);
    low = ws__hex(s.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Undoes percent-encoding, and with plus that of '+'. What is none is a fault if strict, else it
   stays. Returns the bytes, or -1. */
static ptrdiff_t ws__unescape(ws_str s, int plus, int strict, char *out, size_t room)
{
    size_t i, n = 0;

    for (i = 0; i < s.size; i++) {
        char b = plus && s.data[i] == '+' ? ' ' : s.data[i];
        int code = ws__percent(s, i);
        if (code >= 0) {
            b = (char)code;
            i += 2;
        } else if (strict && b == '%') {
            return -1;
        }
        if (n == room) return -1;
        out[n++] = b;
    }
    return (ptrdiff_t)n;
}

/* Index of the first c at or after from, or s.size. */
WS__PRIVATE size_t ws__find(ws_str s, size_t from, char c)
{
    while (from < s.size && s.data[from] != c) from++;
    return from;
}

/* text[from..to) without spaces and tabs around it. */
WS__PRIVATE ws_str ws__trim(const char *text, size_t from, size_t to)
{
    while (from < to && ws__is_blank(text[from])) from++;
    while (from < to && ws__is_blank(text[to - 1])) to--;
    return ws__str(text + from, to - from);
}

/* Builds NUL-terminated text in a buffer, cutting what does not fit. */
typedef struct ws__text { char *at, *end; int cut; } ws__text;

static void ws__put(ws__text *t, const char *s, size_t n)
{
    size_t room = (size_t)(t->end - t->at) - 1;
    if (n > room) {
        n = room;
        t->cut = 1;
    }
    if (n) memcpy(t->at, s, n);
    t->at += n;
    *t->at = 0;
}

WS__PRIVATE ws__text ws__text_in(char *buf, size_t n)
{
    ws__text t;

    t.at = buf;
    t.end = buf + n;
    t.cut = 0;
    *buf = 0;
    return t;
}

static void ws__puts(ws__text *t, const char *s) { ws__put(t, s, strlen(s)); }

static void ws__put_number(ws__text *t, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do digits[--n] = (char)('0' + v % 10); while (v /= 10);
    ws__put(t, digits + n, sizeof digits - n);
}

WS__PRIVATE void ws__put_hex(ws__text *t, uint64_t v)
{
    int shift = 60;
    while (shift && !(v >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) ws__put(t, &"0123456789abcdef"[v >> shift & 15], 1);
}

/* ==== >>hash =========================================================================== */

WS__PRIVATE uint32_t ws__rotate(uint32_t v, int bits)
{
    return v << bits | v >> (32 - bits);
}

/* One block of FIPS 180-4 6.1.3: the schedule lives in a ring of 16 words. */
WS__PRIVATE void ws__sha1_block(uint32_t h[5], const uint8_t *p)
{
    static const uint32_t add[4] = { 0x5A827999u, 0x6ED9EBA1u, 0x8F1BBCDCu, 0xCA62C1D6u };
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f, x;
    int t;

    for (t = 0; t < 80; t++) {
        if (t < 16) x = (uint32_t)ws__get16(p + 4 * t) << 16 | ws__get16(p + 4 * t + 2);
        else x = ws__rotate(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15],
                            1);
        w[t & 15] = x;
        if (t < 20) f = d ^ (b & (c ^ d));
        else if (t >= 40 && t < 60) f = (b & c) | (d & (b | c));
        else f = b ^ c ^ d;
        x += ws__rotate(a, 5) + f + e + add[t / 20];
        e = d;
        d = c;
        c = ws__rotate(b, 30);
        b = a;
        a = x;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

WS_API void ws_sha1(const void *data, size_t n, uint8_t digest[20])
{
    uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
    const uint8_t *p = (const uint8_t *)data;
    uint8_t last[128];
    size_t left = n, tail;
    int i;

    for (; left >= 64; p += 64, left -= 64) ws__sha1_block(h, p);
    memset(last, 0, sizeof last);
    if (left) memcpy(last, p, left);
    last[left] = 0x80;
    tail = left < 56 ? 64 : 128;
    ws__put64(last + tail - 8, (uint64_t)n << 3);
    ws__sha1_block(h, last);
    if (tail == 128) ws__sha1_block(h, last + 64);
    for (i = 0; i < 5; i++) {
        ws__put16(digest + 4 * i, h[i] >> 16);
        ws__put16(digest + 4 * i + 2, h[i]);
    }
}

WS_API size_t ws_base64_encode(const void *data, size_t n, char *out)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = (const uint8_t *)data;
    char *o = out;
    size_t i;

    for (i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        if (left > 1) v |= (uint32_t)p[i + 1] << 8;
        if (left > 2) v |= p[i + 2];
        *o++ = abc[v >> 18];
        *o++ = abc[v >> 12 & 63];
        *o++ = left > 1 ? abc[v >> 6 & 63] : '=';
        *o++ = left > 2 ? abc[v & 63] : '=';
    }
    *o = 0;
    return (size_t)(o - out);
}

/* The six bits of a base64 character, or 64. */
WS__PRIVATE uint32_t ws__base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

WS_API ptrdiff_t ws_base64_decode(const char *text, size_t n, void *out)
{
    uint8_t *start = (uint8_t *)out, *o = start;
    size_t i, k;

    if (n % 4) return -1;
    for (i = 0; i < n; i += 4) {
        uint32_t v = 0, six;
        size_t chars = 4;
        if (i + 4 == n && text[i + 3] == '=') chars = text[i + 2] == '=' ? 2 : 3;
        for (k = 0; k < 4; k++) {
            six = k < chars ? ws__base64_value(text[i + k]) : 0;
            if (six > 63) return -1;
            v = v << 6 | six;
        }
        /* RFC 4648 3.5: the bits that pad the last character are zero */
        if ((chars == 2 && (v & 0xFFFF)) || (chars == 3 && (v & 0xFF))) return -1;
        *o++ = (uint8_t)(v >> 16 & 255);
        if (chars > 2) *o++ = (uint8_t)(v >> 8 & 255);
        if (chars > 3) *o++ = (uint8_t)(v & 255);
    }
    return o - start;
}

WS_API void ws_accept_key(const char *key, char accept[29])
{
    char text[61];
    uint8_t digest[20];

    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
    ws_sha1(text, 60, digest);
    ws_base64_encode(digest, sizeof digest, accept);
}

/* ==== >>utf8 =========================================================================== */

/* What may follow, by lead byte (RFC 3629 4):
       00..7F
       C2..DF  80..BF
       E0      A0..BF  80..BF
       E1..EF  80..BF  80..BF           but ED 80..9F: no surrogates
       F0      90..BF  80..BF  80..BF
       F1..F3  80..BF  80..BF  80..BF
       F4      80..8F  80..BF  80..BF */

/* Between calls, inside a character: (bytes missing) | (lowest next) << 8 | (highest) << 16. */
WS__PRIVATE uint32_t ws__utf8_step(uint32_t s, uint32_t b)
{
    if (s) {
        if (b < (s >> 8 & 255) || b > s >> 16) return 1;
        return (s & 255) == 1 ? 0 : ((s & 255) - 1) | 0xBF8000u;
    }
    if (b < 0x80) return 0;
    if (b < 0xC2 || b > 0xF4) return 1;
    if (b < 0xE0) return 1 | 0xBF8000u;
    if (b < 0xF0) return 2 | (b == 0xE0 ? 0xBFA000u : b == 0xED ? 0x9F8000u : 0xBF8000u);
    return 3 | (b == 0xF0 ? 0xBF9000u : b == 0xF4 ? 0x8F8000u : 0xBF8000u);
}

/* From p[i] up to the first fault or to p[n]: the index. */
WS__PRIVATE size_t ws__utf8_steps(uint32_t *state, const uint8_t *p, size_t i, size_t n)
{
    uint32_t s = *state;

    for (; i < n; i++) {
        s = ws__utf8_step(s, p[i]);
        if (s == 1) break;
    }
    *state = s;
    return i;
}

#define WS__TOPS ((uint64_t)0x80808080u << 32 | 0x80808080u)

/* Bytes of ASCII at the front of p[0..n): all n, or some multiple of 8. */
WS__PRIVATE size_t ws__ascii_run(const uint8_t *p, size_t n)
{
    uint64_t w[4];
    size_t i = 0;

    for (; n - i >= 32; i += 32) {
        memcpy(w, p + i, 32);
        if ((w[0] | w[1] | w[2] | w[3]) & WS__TOPS) break;
    }
    for (; n - i >= 8; i += 8) {
        memcpy(w, p + i, 8);
        if (*w & WS__TOPS) return i;
    }
    if (n < 8) return 0;
    memcpy(w, p + n - 8, 8);        /* the last bytes together with some seen before */
    return *w & WS__TOPS ? i : n;
}

#ifdef WS__VECTOR

/* 1 if a byte of v has its top bit set. */
WS__PRIVATE int ws__vec_top(ws__vec v)
{
    uint64_t w[2];
    memcpy(w, &v, 16);
    return ((w[0] | w[1]) & WS__TOPS) != 0;
}

/* Which of p[0..16) are faults after the three bytes before them. Bytes count from -128, as
   machines compare signed ones. */
#define WS__B(byte) ((byte) - 128)
WS__PRIVATE ws__vec ws__utf8_faults(const uint8_t *p)
{
    ws__vec b = ws__vec_load(p) ^ -128, lead = ws__vec_load(p - 1) ^ -128;
    ws__vec lead2 = ws__vec_load(p - 2) ^ -128, lead3 = ws__vec_load(p - 3) ^ -128, bad;

    bad = (b > WS__B(0x7F)) & (b < WS__B(0xC0));
    bad ^= (lead > WS__B(0xBF)) | (lead2 > WS__B(0xDF)) | (lead3 > WS__B(0xEF));
    bad |= ((b | 1) == WS__B(0xC1)) | (b > WS__B(0xF4));
    bad |= (lead == WS__B(0xE0)) & (b < WS__B(0xA0));
    bad |= (lead == WS__B(0xED)) & (b > WS__B(0x9F));
    bad |= (lead == WS__B(0xF0)) & (b < WS__B(0x90));
    bad |= (lead == WS__B(0xF4)) & (b > WS__B(0x8F));
    return bad;
}
#undef WS__B

/* Goes on from p[i], i >= 3 and n >= 19, to p[n] or to less than 64 bytes before a fault, with
   the state there. */
WS__PRIVATE size_t ws__utf8_vectors(uint32_t *state, const uint8_t *p, size_t i, size_t n)
{
    size_t k;

    for (; n - i >= 64; i += 64) {
        const uint8_t *q = p + i;
        if (ws__vec_top(ws__vec_load(q - 1) | ws__vec_load(q) | ws__vec_load(q + 16) |
                        ws__vec_load(q + 32) | ws__vec_load(q + 48)) &&
            ws__vec_top(ws__utf8_faults(q) | ws__utf8_faults(q + 16) |
                        ws__utf8_faults(q + 32) | ws__utf8_faults(q + 48))) break;
    }
    while (n - i >= 16 && !ws__vec_top(ws__utf8_faults(p + i))) i += 16;
    /* the last bytes together with some seen before */
    if (n - i < 16 && !ws__vec_top(ws__utf8_faults(p + n - 16))) i = n;
    for (k = 1; k < 3 && (p[i - k] & 0xC0) == 0x80; k++) {}
    *state = 0;
    if (p[i - k] >= 0xC0) ws__utf8_steps(state, p, i - k, i);
    return i;
}

#endif

WS_API size_t ws_utf8(uint32_t *state, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t i = 0, stop;

    if (*state == 1) return 0;
    while (i < n) {
        if (!*state) i += ws__ascii_run(p + i, n - i);
#ifdef WS__VECTOR
        if (i >= 3 && i < n && n >= 19) i = ws__utf8_vectors(state, p, i, n);
        stop = i < 3 && n > 3 ? 3 : n;
#else
        stop = n - i > 64 ? i + 64 : n;
#endif
        i = ws__utf8_steps(state, p, i, stop);
        if (i < stop) break;
    }
    return i;
}

/* ==== >>mask =========================================================================== */

/* The key from its byte offset % 4 on, twice, in the order of memory. */
WS__PRIVATE uint64_t ws__mask_word(const uint8_t key[4], size_t offset)
{
    const uint16_t one = 1;
    uint8_t little;
    uint32_t v;
    unsigned turn = (unsigned)(offset & 3) * 8;

    memcpy(&little, &one, 1);
    memcpy(&v, key, 4);
    if (!little) turn = (32 - turn) & 31;
    v = v >> turn | v << ((32 - turn) & 31);
    return (uint64_t)v << 32 | v;
}

WS_API void ws_mask(void *dst, const void *src, size_t n, const uint8_t key[4],
                    size_t offset)
{
    const uint8_t *s = (const uint8_t *)src;
    uint8_t *d = (uint8_t *)dst;
    uint64_t k = ws__mask_word(key, offset), w[4];
    uint32_t half = (uint32_t)k, x;     /* both halves of k are the same */
    size_t i;

    /* all loads come before the stores: compilers then use vectors although dst may be src */
#ifdef WS__VECTOR
    if (n >= 64) {
        ws__vec key16 = ws__vec_twice(k), v[4];
        for (; n >= 64; n -= 64, s += 64, d += 64) {
            v[0] = ws__vec_load(s) ^ key16;
            v[1] = ws__vec_load(s + 16) ^ key16;
            v[2] = ws__vec_load(s + 32) ^ key16;
            v[3] = ws__vec_load(s + 48) ^ key16;
            ws__vec_store(d, v[0]);
            ws__vec_store(d + 16, v[1]);
            ws__vec_store(d + 32, v[2]);
            ws__vec_store(d + 48, v[3]);
        }
    }
#endif
    for (; n >= 32; n -= 32, s += 32, d += 32) {
        memcpy(w, s, 32);
        w[0] ^= k;
        w[1] ^= k;
        w[2] ^= k;
        w[3] ^= k;
        memcpy(d, w, 32);
    }
    for (; n >= 8; n -= 8, s += 8, d += 8) {
        memcpy(w, s, 8);
        w[0] ^= k;
        memcpy(d, w, 8);
    }
    if (n >= 4) {
        memcpy(&x, s, 4);
        x ^= half;
        memcpy(d, &x, 4);
        n -= 4;
        s += 4;
        d += 4;
    }
    for (i = 0; i < n; i++) d[i] = (uint8_t)(s[i] ^ key[(offset + i) & 3]);
}

/* ==== >>wire =========================================================================== */

/* RFC 6455 5.2:
      0                   1                   2                   3
      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
     +-+-+-+-+-------+-+-------------+-------------------------------+
     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
     |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
     |N|V|V|V|       |S|             |   (if payload len==126/127)   |
     | |1|2|3|       |K|             |                               |
     +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
     |     Extended payload length continued, if payload len == 127  |
     + - - - - - - - - - - - - - - - +-------------------------------+
     |                               |Masking-key, if MASK set to 1  |
     +-------------------------------+-------------------------------+
     | Masking-key (continued)       |          Payload Data         |
     +-------------------------------- - - - - - - - - - - - - - - - + */

WS_API int ws_frame_decode(const void *data, size_t n, ws_frame *frame)
{
    const uint8_t *p = (const uint8_t *)data;
    unsigned head = 2;

    if (n < 2) return 0;
    frame->fin = (uint8_t)(p[0] >> 7);
    frame->rsv = (uint8_t)(p[0] >> 4 & 7);
    frame->op = (uint8_t)(p[0] & 15);
    frame->masked = (uint8_t)(p[1] >> 7);
    frame->size = p[1] & 127u;
    memset(frame->key, 0, 4);
    if (frame->size == 126) {
        head = 4;
        if (n < head) return 0;
        frame->size = ws__get16(p + 2);
        if (frame->size < 126) return WS_ERR_LENGTH;
    } else if (frame->size == 127) {
        head = 10;
        if (n < head) return 0;
        frame->size = ws__get64(p + 2);
        if (frame->size >> 63) return WS_ERR_LENGTH_SIGN;
        if (frame->size < 65536) return WS_ERR_LENGTH;
    }
    if (frame->masked) {
        if (n < head + 4) return 0;
        memcpy(frame->key, p + head, 4);
        head += 4;
    }
    return (int)head;
}

WS_API size_t ws_frame_encode(const ws_frame *frame, void *out)
{
    uint8_t *p = (uint8_t *)out;
    unsigned mask = frame->masked ? 128 : 0;
    size_t head = 2;

    if (frame->size >> 63) return 0;
    p[0] = (uint8_t)((frame->fin ? 128 : 0) | (frame->rsv & 7) << 4 | (frame->op & 15));
    if (frame->size < 126) {
        p[1] = (uint8_t)(mask | (unsigned)frame->size);
    } else if (frame->size < 65536) {
        p[1] = (uint8_t)(mask | 126);
        ws__put16(p + 2, (unsigned)frame->size);
        head = 4;
    } else {
        p[1] = (uint8_t)(mask | 127);
        ws__put64(p + 2, frame->size);
        head = 10;
    }
    if (mask) {
        memcpy(p + head, frame->key, 4);
        head += 4;
    }
    return head;
}

/* ==== >>http =========================================================================== */

/* ws_head.state: what the next byte belongs to. A bad byte, or one past a limit, changes
   nothing, so asking again gives the same answer. */
enum {
    WS__HEAD_START,     /* first byte of the start line */
    WS__HEAD_LINE,      /* rest of it, up to CR */
    WS__HEAD_FIELD,     /* first byte of a header line, or CR of the blank line */
    WS__HEAD_NAME,      /* rest of the name, up to the colon */
    WS__HEAD_VALUE,     /* value, up to CR */
    WS__HEAD_LF,        /* LF of a line */
    WS__HEAD_LAST,      /* LF of the blank line */
    WS__HEAD_DONE,
    WS__HEAD_BAD
};

/* Allowed anywhere in a line; tab is not among them. */
WS__PRIVATE int ws__is_text(char c)
{
    unsigned u = (unsigned char)c;

    return u >= 32 && u != 127;
}

WS__PRIVATE int ws__head_step(int state, char c)
{
    switch (state) {
    case WS__HEAD_START:
        return ws__is_text(c) ? WS__HEAD_LINE : WS__HEAD_BAD;
    case WS__HEAD_LINE:
        return c == '\r' ? WS__HEAD_LF : ws__is_text(c) ? WS__HEAD_LINE : WS__HEAD_BAD;
    case WS__HEAD_FIELD:
        return c == '\r' ? WS__HEAD_LAST : ws__is_token(c) ? WS__HEAD_NAME : WS__HEAD_BAD;
    case WS__HEAD_NAME:
        return c == ':' ? WS__HEAD_VALUE : ws__is_token(c) ? WS__HEAD_NAME : WS__HEAD_BAD;
    case WS__HEAD_VALUE:
        if (c == '\r') return WS__HEAD_LF;
        return ws__is_text(c) || c == '\t' ? WS__HEAD_VALUE : WS__HEAD_BAD;
    case WS__HEAD_LF:
        return c == '\n' ? WS__HEAD_FIELD : WS__HEAD_BAD;
    case WS__HEAD_LAST:
        return c == '\n' ? WS__HEAD_DONE : WS__HEAD_BAD;
    default:
        return WS__HEAD_BAD;
    }
}

WS_API int ws_head_scan(ws_head *h, const void *data, size_t n)
{
    const char *p = (const char *)data;
    uint32_t max_size = h->max_size ? h->max_size : 8192;
    uint32_t max_fields = h->max_fields ? h->max_fields : 64;
    int state = h->state, next;

    if (max_size > 0x7FFFFFFF) max_size = 0x7FFFFFFF;
    while (state != WS__HEAD_DONE) {
        if (h->scanned >= max_size) return WS_ERR_HEAD_SIZE;
        if (h->scanned >= n) return 0;
        next = ws__head_step(state, p[h->scanned]);
        if (next == WS__HEAD_BAD) return WS_ERR_HEAD_SYNTAX;
        if (state == WS__HEAD_FIELD && next == WS__HEAD_NAME) {
            if (h->fields >= max_fields) return WS_ERR_HEAD_FIELDS;
            h->fields++;
        }
        h->state = (uint8_t)next;
        h->scanned++;
        state = next;
    }
    return (int)h->scanned;
}

/* Do n bytes begin like the answer of a server? The first from of them did. */
WS__PRIVATE int ws__http_begins(const void *p, size_t from, size_t n)
{
    static const char begin[] = "HTTP/";

    for (; from < n && from < sizeof begin - 1; from++)
        if (((const char *)p)[from] != begin[from]) return 0;
    return 1;
}

/* ws_head_scan; folds: 1 replaces folded lines by spaces (RFC 9112 5.2), for user agents. */
WS__PRIVATE int ws__head_scan(ws_head *h, void *data, size_t n, int folds)
{
    char *p = (char *)data;
    int size = ws_head_scan(h, p, n);

    while (folds && size == WS_ERR_HEAD_SYNTAX && h->state == WS__HEAD_FIELD && h->fields &&
           ws__is_blank(p[h->scanned])) {
        p[h->scanned - 2] = p[h->scanned - 1] = ' ';
        h->state = WS__HEAD_VALUE;
        size = ws_head_scan(h, p, n);
    }
    return size;
}

/* The start line, without CR LF; empty if there is no CR. */
WS__PRIVATE ws_str ws__head_line(ws_str head)
{
    size_t end = ws__find(head, 0, '\r');

    return ws__str(head.data, end < head.size ? end : 0);
}

/* "HTTP/" digit "." digit, at p (8 bytes). */
WS__PRIVATE int ws__is_version(const char *p)
{
    return !memcmp(p, "HTTP/", 5) && ws__is_digit(p[5]) && p[6] == '.' && ws__is_digit(p[7]);
}

WS_API int ws_head_request(ws_str head, ws_str *method, ws_str *target, ws_str *version)
{
    ws_str line = ws__head_line(head);
    size_t a = ws__find(line, 0, ' '), b = ws__find(line, a + 1, ' '), i;

    if (a == 0 || b <= a + 1 || line.size <= 9 || b != line.size - 9) {
        return WS_ERR_HEAD_SYNTAX;
    }
    for (i = 0; i < a; i++) {
        if (!ws__is_token(line.data[i])) return WS_ERR_HEAD_SYNTAX;
    }
    for (i = a + 1; i < b; i++) {
        if (line.data[i] < 0x21 || line.data[i] > 0x7E) return WS_ERR_HEAD_SYNTAX;
    }
    if (!ws__is_version(line.data + b + 1)) return WS_ERR_HEAD_SYNTAX;
    *method = ws__str(line.data, a);
    *target = ws__str(line.data + a + 1, b - a - 1);
    *version = ws__str(line.data + b + 1, 8);
    return 0;
}

WS_API int ws_head_answer(ws_str head, ws_str *version, int *status, ws_str *reason)
{
    ws_str line = ws__head_line(head);
    const char *p = line.data;
    int i, code = 0;

    if (line.size < 12 || !ws__is_version(p) || p[8] != ' ') return WS_ERR_HEAD_SYNTAX;
    if (line.size > 12 && p[12] != ' ') return WS_ERR_HEAD_SYNTAX;
    for (i = 9; i < 12; i++) {
        if (!ws__is_digit(p[i])) return WS_ERR_HEAD_SYNTAX;
        code = code * 10 + (p[i] - '0');
    }
    if (code < 100) return WS_ERR_HEAD_SYNTAX;
    *version = ws__str(p, 8);
    *status = code;
    *reason = line.size > 12 ? ws__str(p + 13, line.size - 13) : ws__str(p + 12, 0);
    return 0;
}

WS_API int ws_head_field(ws_str head, size_t *pos, ws_str *name, ws_str *value)
{
    size_t at = *pos, colon, end;

    if (!at) at = ws__find(head, 0, '\r') + 2;
    if (at >= head.size || head.data[at] == '\r') return 0;
    colon = ws__find(head, at, ':');
    end = ws__find(head, colon, '\r');
    if (end >= head.size) return 0;
    *name = ws__str(head.data + at, colon - at);
    *value = ws__trim(head.data, colon + 1, end);
    *pos = end + 2;
    return 1;
}

WS_API int ws_list_next(ws_str *list, ws_str *item)
{
    ws_str s = *list;
    size_t from = 0, i;
    int quoted = 0;

    while (from < s.size && (s.data[from] == ',' || ws__is_blank(s.data[from]))) from++;
    for (i = from; i < s.size && (quoted || s.data[i] != ','); i++) {
        if (s.data[i] == '"') quoted = !quoted;
        else if (quoted && s.data[i] == '\\' && i + 1 < s.size) i++;
    }
    if (from == i) {
        list->size = 0;
        return 0;
    }
    *item = ws__trim(s.data, from, i);
    *list = ws__str(s.data + i, s.size - i);
    return 1;
}

WS_API int ws_str_is(ws_str text, const char *s)
{
    return ws__same_text(text, ws__cstr(s));
}

WS_API int ws_list_has(ws_str list, const char *token)
{
    ws_str item;

    while (ws_list_next(&list, &item)) {
        if (ws_str_is(item, token)) return 1;
    }
    return 0;
}

/* ---- bodies that come in (RFC 9112 6.3, 7.1) ---- */

enum {
    WS__BODY_DONE,              /* nothing of it is to come */
    WS__BODY_TO_END,            /* it lasts until the stream ends */
    WS__BODY_LENGTH,            /* left bytes */
    WS__BODY_SIZE,              /* the line before a chunk */
    WS__BODY_CHUNK,             /* left bytes of a chunk */
    WS__BODY_BREAK,             /* the line end behind it */
    WS__BODY_TRAILER            /* lines behind the last chunk: left bytes of them came */
};

#define WS__BODY_LINE 1024      /* bytes of a line between chunks */

typedef struct ws__body { uint64_t left; uint8_t how; } ws__body;

/* The digits of a Content-Length: 0, or WS_ERR_BODY. */
static int ws__body_length(ws_str value, uint64_t *size)
{
    size_t i;

    if (!value.size || value.size > 18) return WS_ERR_BODY;
    for (*size = i = 0; i < value.size; i++) {
        if (!ws__is_digit(value.data[i])) return WS_ERR_BODY;
        *size = *size * 10 + (uint64_t)(value.data[i] - '0');
    }
    return 0;
}

/* How the body behind a head comes. none: it has none, whatever the head says. 0, or
   WS_ERR_BODY with a guess, for those who only show it. */
WS__PRIVATE int ws__body_begin(ws__body *b, ws_str head, int none)
{
    ws_str name, value;
    size_t pos = 0;
    uint64_t size = 0;
    int fault = 0;

    b->how = WS__BODY_TO_END;
    b->left = 0;
    while (ws_head_field(head, &pos, &name, &value)) {
        if (ws_str_is(name, "Transfer-Encoding")) {
            if (ws_list_has(value, "chunked")) b->how = WS__BODY_SIZE;
            fault |= !ws_str_is(value, "chunked");
        } else if (ws_str_is(name, "Content-Length") && b->how != WS__BODY_SIZE) {
            fault |= ws__body_length(value, &size);
            fault |= b->how == WS__BODY_LENGTH && b->left != size;
            b->how = WS__BODY_LENGTH;
            b->left = size;
        }
    }
    if (fault && b->how == WS__BODY_LENGTH) b->how = WS__BODY_TO_END;
    if (none || (b->how == WS__BODY_LENGTH && !b->left)) b->how = WS__BODY_DONE;
    if (b->how == WS__BODY_SIZE) b->left = 0;
    return fault ? WS_ERR_BODY : 0;
}

/* The size that the line before a chunk tells; 0 or WS_ERR_BODY. */
static int ws__chunk_size(ws_str line, uint64_t *size)
{
    size_t i = 0, digits;

    for (*size = 0; i < line.size && i < 16 && ws__hex(line.data[i]) >= 0; i++)
        *size = *size << 4 | (uint64_t)ws__hex(line.data[i]);
    digits = i;
    while (i < line.size && ws__is_blank(line.data[i])) i++;
    if (!digits || (i < line.size && line.data[i] != ';')) return WS_ERR_BODY;
    return *size >> 62 ? WS_ERR_BODY : 0;
}

/* A line of the chunked form, without its end: 0 or WS_ERR_BODY. */
static int ws__body_text(ws__body *b, ws_str line, uint32_t most)
{
    int fault;

    if (b->how == WS__BODY_BREAK) {
        b->how = WS__BODY_SIZE;
        return line.size ? WS_ERR_BODY : 0;
    }
    if (b->how == WS__BODY_TRAILER) {
        b->left += line.size;
        if (!line.size) b->how = WS__BODY_DONE;
        return b->left > most ? WS_ERR_BODY : 0;
    }
    fault = ws__chunk_size(line, &b->left);
    b->how = b->left ? WS__BODY_CHUNK : WS__BODY_TRAILER;
    return fault;
}

/* One step over n bytes. Returns how many are used up, of which *data are payload, all or
   none; 0: more must come, or it is done; or WS_ERR_BODY. most: bytes of trailers. */
WS__PRIVATE ptrdiff_t ws__body_walk(ws__body *b, const char *p, size_t n, uint32_t most,
                                    size_t *data)
{
    size_t end;

    *data = 0;
    if (b->how == WS__BODY_DONE) return 0;
    if (b->how == WS__BODY_TO_END) return (ptrdiff_t)(*data = n);
    if (b->how == WS__BODY_LENGTH || b->how == WS__BODY_CHUNK) {
        *data = n < b->left ? n : (size_t)b->left;
        b->left -= *data;
        if (!b->left) b->how = b->how == WS__BODY_CHUNK ? WS__BODY_BREAK : WS__BODY_DONE;
        return (ptrdiff_t)*data;
    }
    end = ws__find(ws__str(p, n), 0, '\n');
    if (end >= WS__BODY_LINE) return WS_ERR_BODY;
    if (end == n) return 0;
    if (!end || p[end - 1] != '\r') return WS_ERR_BODY;
    if (ws__body_text(b, ws__str(p, end - 1), most)) return WS_ERR_BODY;
    return (ptrdiff_t)end + 1;
}

/* Of a refusal's body that begins with these n bytes: 1 when all of it is here. What is
   there is moved together to p if join is set: *size bytes. A malformed one ends where it
   is. */
WS__PRIVATE int ws__body_gather(ws__body b, char *p, size_t n, int join, size_t *size)
{
    size_t at = 0, data;
    ptrdiff_t step = 1;

    *size = 0;
    while (step > 0) {
        step = ws__body_walk(&b, p + at, n - at, WS_BODY_MAX, &data);
        if (step <= 0) break;
        if (join) memmove(p + *size, p + at, data);
        *size += data;
        at += (size_t)step;
    }
    return step < 0 || b.how == WS__BODY_DONE;
}

WS_API int ws_param_next(ws_str *params, ws_str *name, char *value, size_t n)
{
    ws_str s = ws__trim(params->data, 0, params->size);
    size_t at = 1, from, used = 0;

    if (!s.size) return 0;
    if (s.data[0] != ';' || (value && !n)) return -1;
    while (at < s.size && ws__is_blank(s.data[at])) at++;
    for (from = at; at < s.size && ws__is_token(s.data[at]);) at++;
    *name = ws__str(s.data + from, at - from);
    while (at < s.size && ws__is_blank(s.data[at])) at++;
    if (at < s.size && s.data[at] == '=') {
        int quoted, open;
        do at++; while (at < s.size && ws__is_blank(s.data[at]));
        open = quoted = at < s.size && s.data[at] == '"';
        for (at += (size_t)quoted; at < s.size && (!value || used < n); at++) {
            if (open && s.data[at] == '"') { open = 0; at++; break; }
            if (open && s.data[at] == '\\') at++;
            if (at == s.size || !ws__is_token(s.data[at])) break;
            if (value) value[used] = s.data[at];
            used++;
        }
        if (open || !used || (value && used == n)) return -1;
    }
    if (value) value[used] = 0;
    *params = ws__trim(s.data, at, s.size);
    return name->size && (!params->size || params->data[0] == ';') ? 1 : -1;
}

/* ==== >>url ============================================================================ */

/* Never in a host or in front of an '@' (RFC 3986 2): delimiters that other parsers take
   for the end of something. */
WS__PRIVATE int ws__url_odd(char c)
{
    static const char odd[] = "\"<>\\^`{|}[]@";

    return ws__find(ws__str(odd, sizeof odd - 1), 0, c) < sizeof odd - 1;
}

/* Decimal number 1..65535 in p[0..n); nothing at all leaves *port as it is. */
WS__PRIVATE int ws__url_port(const char *p, size_t n, uint16_t *port)
{
    uint32_t v = 0;
    size_t i;

    if (!n) return 0;
    for (i = 0; i < n; i++) {
        if (!ws__is_digit(p[i])) return WS_ERR_URL;
        v = v * 10 + (uint32_t)(p[i] - '0');
        if (v > 65535) return WS_ERR_URL;
    }
    *port = (uint16_t)v;
    return v ? 0 : WS_ERR_URL;
}

/* What is wrong with a URL, and where. */
typedef struct ws__url_why { const char *words; size_t at; } ws__url_why;

WS__PRIVATE int ws__url_fault(ws__url_why *why, const char *words, size_t at)
{
    if (why) why->words = words;
    if (why) why->at = at;
    return WS_ERR_URL;
}

/* a: what is between "//" and the path: [user[:password]@]host[:port]. */
WS__PRIVATE int ws__url_authority(ws_str a, ws_url *url)
{
    size_t at = ws__find(a, 0, '@'), i, end;

    if (at < a.size) {
        size_t colon = ws__find(ws__str(a.data, at), 0, ':');
        for (i = 0; i < at; i++) {
            if (ws__url_odd(a.data[i])) return WS_ERR_URL;
        }
        url->user = ws__str(a.data, colon);
        if (colon < at) url->password = ws__str(a.data + colon + 1, at - colon - 1);
        a = ws__str(a.data + at + 1, a.size - at - 1);
    }
    if (!a.size) return WS_ERR_URL;
    if (a.data[0] == '[') {
        end = ws__find(a, 0, ']');
        if (end == a.size || ws__find(a, 0, ':') > end) return WS_ERR_URL;
        for (i = 1; i < end && a.data[i] != '%'; i++) {
            char c = ws__lower(a.data[i]);
            if (!ws__is_digit(c) && !(c >= 'a' && c <= 'f') && c != ':' && c != '.') {
                return WS_ERR_URL;
            }
        }
        if (i < end && (end - i < 4 || memcmp(a.data + i, "%25", 3))) return WS_ERR_URL;
        for (; i < end; i++)
            if ((a.data[i] == '%' && ws__percent(ws__str(a.data, end), i) < 0) ||
                ws__url_odd(a.data[i]))
                return WS_ERR_URL;
        url->host = ws__str(a.data + 1, end - 1);
        url->ipv6 = 1;
        end++;
    } else {
        end = ws__find(a, 0, ':');
        for (i = 0; i < end; i++) {
            if (a.data[i] == '%' || ws__url_odd(a.data[i])) return WS_ERR_URL;
        }
        url->host = ws__str(a.data, end);
    }
    if (!url->host.size) return WS_ERR_URL;
    if (end == a.size) return 0;
    if (a.data[end] != ':') return WS_ERR_URL;
    return ws__url_port(a.data + end + 1, a.size - end - 1, &url->port);
}

/* The host without the zone of an IPv6 address, which means nothing to others. */
WS__PRIVATE ws_str ws__url_host(const ws_url *url)
{
    return ws__str(url->host.data, url->ipv6 ? ws__find(url->host, 0, '%') : url->host.size);
}

/* rest: after "ws+unix:": [//]/path/of/socket[:target]. */
WS__PRIVATE int ws__url_unix(ws_str rest, ws_url *url)
{
    size_t colon;

    if (rest.size >= 2 && rest.data[0] == '/' && rest.data[1] == '/') {
        rest = ws__str(rest.data + 2, rest.size - 2);
    }
    if (!rest.size || (rest.data[0] != '/' && rest.data[0] != '@')) return WS_ERR_URL;
    colon = ws__find(rest, 0, ':');
    url->host = ws__str(rest.data, colon);
    url->target = ws__str(rest.data + rest.size, 0);
    if (colon < rest.size) {
        url->target = ws__str(rest.data + colon + 1, rest.size - colon - 1);
    }
    if (url->target.size && url->target.data[0] != '/' && url->target.data[0] != '?') {
        return WS_ERR_URL;
    }
    url->is_unix = 1;
    url->default_port = 1;
    return 0;
}

/* ws_url_parse; why may be NULL. */
WS__PRIVATE int ws__url_parse(const char *text, size_t n, ws_url *url, ws__url_why *why)
{
    ws_str all = ws__str(text, n), rest;
    uint16_t own;
    size_t i;

    memset(url, 0, sizeof *url);
    for (i = 0; i < n; i++) {
        if (text[i] == '#') return ws__url_fault(why, "a #fragment", i);
        if (text[i] == ' ') return ws__url_fault(why, "a space", i);
        if (text[i] < 0x21 || text[i] > 0x7E)
            return ws__url_fault(why, "a character that must be percent-encoded", i);
    }
    i = ws__find(all, 0, ':');
    url->scheme = ws__str(text, i);
    rest = ws__str(text + i, n - i);
    if (rest.size) rest = ws__str(rest.data + 1, rest.size - 1);
    if (ws_str_is(url->scheme, "ws+unix"))
        return ws__url_unix(rest, url) ? ws__url_fault(why, "path or target of ws+unix", 8) : 0;
    url->secure = ws_str_is(url->scheme, "wss") || ws_str_is(url->scheme, "https");
    if (!url->secure && !ws_str_is(url->scheme, "ws") && !ws_str_is(url->scheme, "http"))
        return ws__url_fault(why, "scheme is not ws, wss, http, https or ws+unix", 0);
    own = url->secure ? 443 : 80;
    url->port = own;
    if (rest.size < 2 || rest.data[0] != '/' || rest.data[1] != '/')
        return ws__url_fault(why, "no // behind the scheme", url->scheme.size + 1);
    for (i = 2; i < rest.size && rest.data[i] != '/' && rest.data[i] != '?';) i++;
    url->target = ws__str(rest.data + i, rest.size - i);
    if (ws__url_authority(ws__str(rest.data + 2, i - 2), url)) {
        if (!url->host.size)
            return ws__url_fault(why, i > 2 ? "host, user or password" : "no host",
                                 url->scheme.size + 3);
        return ws__url_fault(why, "port", (size_t)(url->host.data - text) + url->host.size);
    }
    url->default_port = url->port == own;
    return 0;
}

WS_API int ws_url_parse(const char *text, size_t n, ws_url *url)
{
    return ws__url_parse(text, n, url, NULL);
}

/* ---- addresses ---- */

/* A dotted quad. Returns 1 if s is one. */
WS__PRIVATE int ws__ipv4_parse(ws_str s, uint8_t out[4])
{
    size_t i = 0, from;
    int k;

    for (k = 0; k < 4; k++, i++) {
        unsigned v = 0;
        for (from = i; i < s.size && i < from + 3 && ws__is_digit(s.data[i]); i++)
            v = v * 10 + (unsigned)(s.data[i] - '0');
        if (i == from || v > 255 || (i - from > 1 && s.data[from] == '0')) return 0;
        if (k < 3 && (i == s.size || s.data[i] != '.')) return 0;
        out[k] = (uint8_t)v;
    }
    return i == s.size + 1;
}

/* RFC 4291 2.2: groups of hex digits, one "::" for a run of zeros, the last four bytes perhaps
   a dotted quad. Returns 1 if s is one. */
WS__PRIVATE int ws__ipv6_parse(ws_str s, uint8_t out[16])
{
    size_t i = 0, n = 0, gap = 17, from;

    memset(out, 0, 16);
    if (s.size >= 2 && s.data[0] == ':' && s.data[1] == ':') gap = 0, i = 2;
    while (i < s.size) {
        unsigned v = 0;
        ws_str rest = ws__str(s.data + i, s.size - i);
        if (n <= 12 && ws__ipv4_parse(rest, out + n)) { n += 4; i = s.size; break; }
        for (from = i; i < s.size && i < from + 4 && ws__hex(s.data[i]) >= 0; i++)
            v = v << 4 | (unsigned)ws__hex(s.data[i]);
        if (i == from || n > 14) return 0;
        ws__put16(out + n, v);
        n += 2;
        if (i == s.size) break;
        if (s.data[i++] != ':' || i == s.size) return 0;
        if (s.data[i] == ':') {
            if (gap <= 16) return 0;
            gap = n;
            i++;
        }
    }
    if (gap > 16) return n == 16;
    if (n > 14) return 0;
    memmove(out + 16 - (n - gap), out + gap, n - gap);
    memset(out + gap, 0, 16 - n);
    return 1;
}

/* ==== >>deflate (private) ============================================================== */

#ifdef WS_USE_ZLIB

/* zlib takes its memory from the rest of the state's block, and never gives any back. */
typedef struct ws__zlib {
    z_stream z;
    uint8_t *at, *end;
} ws__zlib;

static void *ws__zlib_alloc(void *user, unsigned items, unsigned size)
{
    ws__zlib *s = (ws__zlib *)user;
    size_t n = ((size_t)items * size + 15) / 16 * 16;
    uint8_t *p = s->at;

    if (n > (size_t)(s->end - p)) return NULL;
    s->at += n;
    return p;
}

static void ws__zlib_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static void ws__zlib_begin(ws__zlib *s, size_t size)
{
    memset(s, 0, sizeof *s);
    s->at = (uint8_t *)(s + 1);
    s->end = (uint8_t *)s + size;
    s->z.zalloc = ws__zlib_alloc;
    s->z.zfree = ws__zlib_free;
    s->z.opaque = s;
}

#define WS__ZLIB_OWN (sizeof(ws__zlib) + 8192)      /* its small objects: 6 and 7 KB */

/* By zconf.h, and a quarter of the second for a way newer versions may be built. Told 8 bits,
   zlib would use 9 and not say so. */
static size_t ws__zlib_deflate_size(int bits, int mem_level)
{
    return bits < 9 ? 0 : WS__ZLIB_OWN + ((size_t)1 << (bits + 2)) +
                          ((size_t)1 << (mem_level + 9)) + ((size_t)1 << (mem_level + 6));
}

/* With 9 bits for 8: peers exist whose zlib used 9. */
static size_t ws__zlib_inflate_size(int bits)
{
    return WS__ZLIB_OWN + ((size_t)1 << (bits < 9 ? 9 : bits));
}

static int ws__zlib_deflate_init(void *state, size_t size, int bits, int mem_level, int level)
{
    ws__zlib *s = (ws__zlib *)state;

    ws__zlib_begin(s, size);
    return deflateInit2(&s->z, level, Z_DEFLATED, -bits, mem_level, Z_DEFAULT_STRATEGY);
}

static int ws__zlib_inflate_init(void *state, size_t size, int bits)
{
    ws__zlib *s = (ws__zlib *)state;

    ws__zlib_begin(s, size);
    return inflateInit2(&s->z, bits < 9 ? -9 : -bits);
}

/* Shows zlib the bytes of a step, at most 2^30. */
static void ws__zlib_show(z_stream *z, const void *in, size_t in_size, void *out, size_t out_size)
{
    const size_t most = (size_t)1 << 30;

    z->next_in = (Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)(in_size < most ? in_size : most);
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)(out_size < most ? out_size : most);
}

static int ws__zlib_deflate(void *state, const void *in, size_t *in_size, void *out,
                            size_t *out_size, int flush)
{
    z_stream *z = &((ws__zlib *)state)->z;
    size_t have = *in_size, room = *out_size;
    int r;

    ws__zlib_show(z, in, have, out, room);
    flush = flush && z->avail_in == have;
    r = deflate(z, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    if (r != Z_OK && r != Z_BUF_ERROR) return WS_ERR_CODEC;
    *in_size = (size_t)(z->next_in - (const Bytef *)in);
    *out_size = (size_t)(z->next_out - (Bytef *)out);
    return flush && !z->avail_in && z->avail_out;
}

static int ws__zlib_inflate(void *state, const void *in, size_t *in_size, void *out,
                            size_t *out_size)
{
    z_stream *z = &((ws__zlib *)state)->z;
    int r;

    ws__zlib_show(z, in, *in_size, out, *out_size);
    r = inflate(z, Z_SYNC_FLUSH);
    *in_size = (size_t)(z->next_in - (const Bytef *)in);
    *out_size = (size_t)(z->next_out - (Bytef *)out);
    if (r == Z_STREAM_END) return inflateResetKeep(z) ? (int)WS_ERR_CODEC : 2;
    if (r == Z_DATA_ERROR || r == Z_NEED_DICT)      /* it stays so: if full, the next call tells */
        return *out_size && !z->avail_out ? 0 : (int)WS_ERR_DECODE;
    if (r != Z_OK && r != Z_BUF_ERROR) return WS_ERR_CODEC;
    return z->avail_out && (z->data_type & 128);    /* behind a block (zlib.h) */
}

#endif /* WS_USE_ZLIB */

/* The codec of the settings, NULL if there is none. */
static const ws_codec *ws__codec(const ws_deflate *d)
{
#ifdef WS_USE_ZLIB
    static const ws_codec zlib = {
        ws__zlib_deflate_size, ws__zlib_inflate_size, ws__zlib_deflate_init,
        ws__zlib_inflate_init, ws__zlib_deflate, ws__zlib_inflate
    };
    return d->codec ? d->codec : &zlib;
#else
    return d->codec;
#endif
}

/* The most window bits, up to most, that the codec can compress or decompress with; 0: none. */
static int ws__deflate_bits(const ws_deflate *d, int most)
{
    while (most > 7 && !(ws__codec(d)->deflate_size)(most, d->mem_level)) most--;
    return most > 7 ? most : 0;
}

static int ws__inflate_bits(const ws_deflate *d, int most)
{
    while (most > 7 && !(ws__codec(d)->inflate_size)(most)) most--;
    return most > 7 ? most : 0;
}

/* What was agreed: bits of our window (0: we do not compress) and of the peer's, and whose
   messages stand alone. */
#define WS__DEFLATE_OURS(agreed) ((int)((agreed) & 15))
#define WS__DEFLATE_THEIRS(agreed) ((int)((agreed) >> 4 & 15))
#define WS__DEFLATE_OURS_ALONE 256u
#define WS__DEFLATE_THEIRS_ALONE 512u

static uint32_t ws__deflate_agreed(int ours, int theirs, int ours_alone, int theirs_alone)
{
    return (uint32_t)ours | (uint32_t)theirs << 4 | (ours_alone ? WS__DEFLATE_OURS_ALONE : 0) |
           (theirs_alone ? WS__DEFLATE_THEIRS_ALONE : 0);
}

static const char *const ws__deflate_names[4] = {
    "server_no_context_takeover", "client_no_context_takeover",
    "server_max_window_bits", "client_max_window_bits"
};

/* Writes parameters: 0 leaves one out, 1 is one without a value. */
static void ws__deflate_put(char *buf, size_t n, const int v[4])
{
    ws__text t = ws__text_in(buf, n);
    int i;

    for (i = 0; i < 4; i++) {
        if (!v[i]) continue;
        ws__puts(&t, "; ");
        ws__puts(&t, ws__deflate_names[i]);
        if (v[i] == 1) continue;
        ws__puts(&t, "=");
        ws__put_number(&t, (uint64_t)v[i]);
    }
}

/* Reads parameters, of an offer or of an answer; 0 or -1. */
static int ws__deflate_get(ws_str params, int offer, int v[4])
{
    static const char *const values[] = { "8", "9", "10", "11", "12", "13", "14", "15" };
    char value[8];
    ws_str name;
    int i, k, r;

    memset(v, 0, 4 * sizeof *v);
    while ((r = ws_param_next(&params, &name, value, sizeof value)) > 0) {
        for (i = 0; i < 4 && (name.size != strlen(ws__deflate_names[i]) ||
                              memcmp(name.data, ws__deflate_names[i], name.size)); i++) {}
        if (i == 4 || v[i]) return -1;          /* unknown, or for the second time */
        for (k = 0; k < 8 && strcmp(value, values[k]); k++) {}
        v[i] = !*value ? 1 : k < 8 ? k + 8 : -1;
        if (v[i] < 0 || (i < 2 && v[i] != 1) || (v[i] == 1 && i >= 2 && !(offer && i == 3)))
            return -1;
    }
    return r;
}

static int ws__deflate_offer(void *user, int i, char *buf, size_t n)
{
    const ws_deflate *d = (const ws_deflate *)user;
    int v[4], ours = ws__deflate_bits(d, d->client_max_window_bits);
    int theirs = ws__inflate_bits(d, d->server_max_window_bits);

    if (i || !theirs) return -1;
    v[0] = d->server_no_context_takeover;
    v[1] = d->client_no_context_takeover;
    v[2] = theirs < 15 ? theirs : 0;
    v[3] = !ours ? 0 : ours < 15 ? ours : 1;
    ws__deflate_put(buf, n, v);
    return 0;
}

static int ws__deflate_accept(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed)
{
    const ws_deflate *d = (const ws_deflate *)user;
    int v[4], ours = d->server_max_window_bits, theirs = d->client_max_window_bits;

    if (ws__deflate_get(offer, 1, v)) return -1;
    if (v[2] && v[2] < ours) ours = v[2];
    if (v[3] > 1 && v[3] < theirs) theirs = v[3];
    ours = ws__deflate_bits(d, ours);
    theirs = ws__inflate_bits(d, theirs);
    if (!ours || !theirs || (theirs < 15 && !v[3])) return -1;
    v[0] |= d->server_no_context_takeover;
    v[1] |= d->client_no_context_takeover;
    v[2] = v[2] || ours < 15 ? ours : 0;
    v[3] = theirs < 15 || v[3] > 1 ? theirs : 0;
    ws__deflate_put(answer, n, v);
    *agreed = ws__deflate_agreed(ours, theirs, v[0], v[1]);
    return 0;
}

static int ws__deflate_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    const ws_deflate *d = (const ws_deflate *)user;
    int v[4], ours = ws__deflate_bits(d, d->client_max_window_bits);
    int theirs = ws__inflate_bits(d, d->server_max_window_bits);

    if (ws__deflate_get(answer, 0, v)) return -1;
    if (d->server_no_context_takeover && !v[0]) return -1;
    if ((theirs < 15 && !v[2]) || v[2] > theirs || (v[3] && !ours)) return -1;
    if (v[2] && !(ws__codec(d)->inflate_size)(v[2])) return -1;
    if (v[3] && v[3] < ours) ours = ws__deflate_bits(d, v[3]);     /* 0: we do not compress */
    *agreed = ws__deflate_agreed(ours, v[2] ? v[2] : 15,
                                 v[1] | d->client_no_context_takeover, v[0]);
    return 0;
}

/* The codec's state stands behind this. */
typedef struct ws__deflate_state {
    uint8_t held[4];            /* encode: bytes that may be the tail, which is not sent */
    uint8_t count;              /* of them */
    uint8_t tail;               /* decode: bytes of the tail that were given */
    uint8_t any;                /* decode: the message has a byte */
    uint8_t final;              /* decode: so far it ends with a final block */
    uint8_t unused[8];
} ws__deflate_state;

static size_t ws__deflate_state_size(void *user, uint32_t agreed, int encode, int *alone)
{
    const ws_deflate *d = (const ws_deflate *)user;
    int bits = encode ? WS__DEFLATE_OURS(agreed) : WS__DEFLATE_THEIRS(agreed);
    size_t n = !bits ? 0 : encode ? (ws__codec(d)->deflate_size)(bits, d->mem_level)
                                  : (ws__codec(d)->inflate_size)(bits);

    *alone = (agreed & (encode ? WS__DEFLATE_OURS_ALONE : WS__DEFLATE_THEIRS_ALONE)) != 0;
    return n && n < (size_t)-1 / 4 ? n + sizeof(ws__deflate_state) : 0;
}

static int ws__deflate_begin(void *user, uint32_t agreed, int encode, void *state)
{
    const ws_deflate *d = (const ws_deflate *)user;
    ws__deflate_state *s = (ws__deflate_state *)state;
    int alone, r;
    size_t n = ws__deflate_state_size(user, agreed, encode, &alone) - sizeof *s;

    memset(s, 0, sizeof *s);
    if (encode) r = (ws__codec(d)->deflate_init)(s + 1, n, WS__DEFLATE_OURS(agreed),
                                               d->mem_level, d->level);
    else r = (ws__codec(d)->inflate_init)(s + 1, n, WS__DEFLATE_THEIRS(agreed));
    return r ? WS_ERR_CODEC : 0;
}

/* What was compressed ends with 00 00 FF FF, of the flush; so the last four bytes are always
   held back, and at the end of the message they are dropped (7.2.1). */
static int ws__deflate_encode(void *user, void *state, const void *in, size_t *in_size,
                              void *out, size_t *out_size, int flush)
{
    static const uint8_t tail[4] = { 0, 0, 0xFF, 0xFF };
    const ws_codec *codec = ws__codec((const ws_deflate *)user);
    ws__deflate_state *s = (ws__deflate_state *)state;
    uint8_t *to = (uint8_t *)out;
    size_t have = *in_size, room = *out_size, used = 0, made = s->count;
    int r = 0;

    memcpy(to, s->held, made);
    while (!r && made < room && (used < have || flush)) {
        size_t n = have - used, m = room - made;
        r = (codec->deflate)(s + 1, (const uint8_t *)in + used, &n, to + made, &m, flush != 0);
        if (r < 0 || r > 1 || n > have - used || m > room - made || (!r && !n && !m) ||
            (r && (!flush || n < have - used)))
            return WS_ERR_CODEC;
        used += n;
        made += m;
    }
    s->count = (uint8_t)(made < 4 ? made : 4);
    made -= s->count;
    memcpy(s->held, to + made, s->count);
    if (r && flush == 2) {
        if (!s->count) to[made++] = 0;          /* an empty message: 7.2.3.6 */
        else if (memcmp(s->held, tail, 4)) return WS_ERR_CODEC;
        s->count = 0;
    }
    *in_size = used;
    *out_size = made;
    return r;
}

/* The tail is put back behind the message (7.2.2). One without a single byte, which some send
   for an empty one, is no stream at all; one that a final block ends is whole without it, though
   7.2.3.4 wants a byte of 0 there. */
static int ws__deflate_decode(void *user, void *state, const void *in, size_t *in_size,
                              void *out, size_t *out_size, int last)
{
    static const uint8_t tail[4] = { 0, 0, 0xFF, 0xFF };
    const ws_codec *codec = ws__codec((const ws_deflate *)user);
    ws__deflate_state *s = (ws__deflate_state *)state;
    size_t have = *in_size, room = *out_size, used = 0, made = 0;
    int r = 0;

    s->any |= have > 0;
    while (s->any && !(last && used == have && s->final)) {
        int behind = last && used == have;
        const uint8_t *from = behind ? tail + s->tail : (const uint8_t *)in + used;
        size_t left = behind ? 4u - s->tail : have - used, n = left, m = room - made;
        r = (codec->inflate)(s + 1, from, &n, (uint8_t *)out + made, &m);
        if (r == WS_ERR_DECODE) *out_size = made + (m < room - made ? m : 0);
        if (r == WS_ERR_DECODE) return r;
        if (r < 0 || r > 2 || n > left || m > room - made || (left && !n && !m))
            return WS_ERR_CODEC;
        if (!behind) s->final = r == 2;
        if (behind) s->tail = (uint8_t)(s->tail + n);
        else used += n;
        made += m;
        if (made == room || (used == have && (!last || s->tail == 4))) break;
    }
    *in_size = used;
    *out_size = made;
    if (!last || used < have) return 0;
    if (s->any && !s->final && made == room) return 0;
    if (s->any && !s->final && !r) return WS_ERR_DECODE;    /* it ends inside a block */
    s->tail = s->any = s->final = 0;
    return 1;
}

/* The settings with the defaults filled in. */
static ws_deflate ws__deflate_settings(const ws_deflate *from)
{
    ws_deflate d = *from;

    d.server_no_context_takeover = d.server_no_context_takeover != 0;
    d.client_no_context_takeover = d.client_no_context_takeover != 0;
    if (!d.server_max_window_bits) d.server_max_window_bits = 15;
    if (!d.client_max_window_bits) d.client_max_window_bits = 15;
    if (!d.level) d.level = 6;
    if (!d.mem_level) d.mem_level = 8;
    if (!d.threshold) d.threshold = 1024;
    return d;
}

/* Do both compress in the same way, once the same was agreed? */
WS__PRIVATE int ws__deflate_alike(const ws_deflate *a, const ws_deflate *b)
{
    return ws__codec(a) == ws__codec(b) && a->level == b->level && a->mem_level == b->mem_level;
}

/* 0, or why the settings cannot be. */
static int ws__deflate_fault(const ws_deflate *from, int client)
{
    ws_deflate d = ws__deflate_settings(from);
    int ours = client ? d.client_max_window_bits : d.server_max_window_bits;

    if (!ws__codec(&d)) return WS_ERR_NO_CODEC;
    if (d.server_max_window_bits < 8 || d.server_max_window_bits > 15 ||
        d.client_max_window_bits < 8 || d.client_max_window_bits > 15 ||
        d.level < 1 || d.level > 9 || d.mem_level < 1 || d.mem_level > 9 ||
        (from->server_max_window_bits | from->client_max_window_bits) < 0)
        return WS_ERR_ARGUMENT;
    return ws__deflate_bits(&d, ours) ? 0 : WS_ERR_ARGUMENT;
}

static ws_extension ws__deflate_extension(ws_deflate *d)
{
    ws_extension x = {
        "permessage-deflate", 4, 0, 0, 1, NULL, ws__deflate_offer, ws__deflate_accept,
        ws__deflate_confirm, ws__deflate_state_size, ws__deflate_begin, ws__deflate_encode,
        ws__deflate_decode, NULL
    };

    x.required = d->required;
    x.threshold = d->threshold;
    x.user = d;
    return x;
}

/* ==== >>conn (private) ================================================================= */

/* What a connection is doing with its input. */
enum {
    WS__PHASE_HEAD,     /* waits for the peer's HTTP head */
    WS__PHASE_HTTP,     /* server: the application is to answer the request */
    WS__PHASE_FRAMES,
    WS__PHASE_READING,  /* client: the answer's body comes in */
    WS__PHASE_BODY,     /* server: the answer's body goes out; input is dropped */
    WS__PHASE_ENDING,   /* input is dropped; CLOSE comes when the output is gone */
    WS__PHASE_ENDED     /* no input, no output; CLOSE comes now */
};

enum {
    WS__IS_CLIENT = 1 << 0,
    WS__IS_FIXED = 1 << 1,      /* all memory is cfg.memory */
    WS__IS_BLOCKING = 1 << 2,   /* made by ws_connect */
    WS__TICKED = 1 << 3,        /* now is a real time */
    WS__OPENED = 1 << 4,        /* the handshake was done */
    WS__CLOSE_SENT = 1 << 5,
    WS__CLOSE_GOT = 1 << 6,
    WS__INPUT_END = 1 << 7,     /* the peer's stream has ended */
    WS__BROKEN = 1 << 8,        /* ... by an error, or will when it was read: writing failed */
    WS__NO_OUTPUT = 1 << 9,     /* writing is pointless */
    WS__PAUSED = 1 << 10,
    WS__REFUSED = 1 << 11,      /* a send met WS_ERR_BACKLOG: WRITABLE is owed */
    WS__PINGED = 1 << 12,       /* our ping is out, no input since */
    WS__CLOSE_TOLD = 1 << 13,
    WS__ANSWERED = 1 << 14,     /* plain HTTP: the answer is queued */
    WS__MESSAGE_HELD = 1 << 15, /* rx holds the message of the last event */
    WS__HEAD_HELD = 1 << 16,    /* rx holds the head of the last event */
    WS__READ_WANTS_WRITE = 1 << 17,
    WS__WRITE_WANTS_READ = 1 << 18,
    WS__MORE = 1 << 19,         /* the transport may hold bytes without being readable */
    WS__QUEUED = 1 << 20,       /* in the loop's queue */
    WS__DEAD = 1 << 21,         /* freed as soon as nothing points here */
    WS__LINGERS = 1 << 22,      /* output shut down, waits for the peer's end */
    WS__CLOCKED = 1 << 23,      /* a driver without loop reads the system's clock */
    WS__OPEN_OWED = 1 << 24,    /* the next pull gives OPEN */
    WS__DRAIN_ASKED = 1 << 25,  /* WRITABLE is owed when nothing waits any more */
    WS__ASKED = 1 << 26,        /* the application is to answer a WebSocket request */
    WS__CORKED = 1 << 27,       /* drivers write nothing until ws_uncork */
    WS__CHUNKED = 1 << 28,      /* a body in chunks */
    WS__DOWN = 1 << 29,         /* DOWN was told, the next try is not due yet */
    WS__RTT_ASKED = 1 << 30     /* a ping that carries the time is out */
};

#define WS__UNWATCHED 0xFF      /* c->wants: the poller does not know the socket */
#define WS__NOTE_SIZE 192       /* of c->note */
#define WS__NOTE_FIXED 144      /* in the caller's block */

/* Input of one connection. data[0..msg): payload of the unfinished message. data[pos..len):
   raw bytes not parsed yet; msg <= pos <= len <= cap, and one byte more. Exists only while it
   holds something. */
typedef struct ws__rx {
    size_t cap, msg, pos, len;
    size_t owed;            /* raw bytes to parse before what is due is judged, 0: none */
    size_t behind;          /* 0, or where a NUL stands behind what an event shows, instead of */
    uint8_t kept;           /* this byte */
    uint64_t left;          /* in a frame: its payload bytes still to come; a refusal: of its
                               body to show */
    uint64_t given;         /* bytes of the unfinished message that went out as PART events */
    uint32_t frames;        /* of the unfinished message, from its last part on */
    uint32_t utf8;
    ws_head head;           /* scanner of the peer's head */
    size_t head_at, head_size;
    uint8_t key[4];         /* of the frame, turned so that key[0] is next */
    uint8_t op;             /* of the unfinished message, 0: none */
    uint8_t in_frame, fin, masked;
    uint8_t begun;          /* its first PART event was given */
    uint8_t parts;          /* its payload is handed on as it comes */
    uint8_t coded;          /* the extension is to decode it */
    uint8_t line_good;      /* of a request the first line was judged */
    size_t clear;           /* coded: bytes in front of the raw ones that are unmasked */
    uint64_t eaten;         /* coded: bytes of the frame that were decoded */
    uint64_t pad[6];        /* as large as the other's: blocks grow at the same bytes */
} ws__rx;

/* A whole frame in its final form, kept once for all who are to get it. Its bytes follow. */
typedef struct ws__shared {
    struct ws__cfg *cfg;        /* whose allocator it is from */
    size_t size, block;         /* bytes: the frame, all of it */
    uint32_t refs;
} ws__shared;

/* Something at a place between the bytes of a queue: a shared frame goes out before the byte
   at `at`; or (frame NULL) the bytes from there on were dropped. */
typedef struct ws__mark {
    size_t at;
    ws__shared *frame;
    size_t extra;               /* with a frame its slot + 1, 0 for none; else bytes dropped */
} ws__mark;

/* Output waiting for the peer: data[pos..len) and what the marks say, in order of their
   places. border is where the first frame begins of which nothing was written, or offered to
   a ws_io; marks stand at or behind it, between frames. One pong may overtake there; room for
   it is kept before pos. Dropped bytes never stand in front. */
typedef struct ws__tx {
    size_t cap, pos, len, border;
    size_t holes;               /* dropped bytes */
    size_t shared, sent;        /* bytes of shared frames: to write, written of the first */
    ws__mark *marks;            /* [mark_at..mark_end) of mark_cap */
    uint32_t mark_at, mark_end, mark_cap;
    size_t drain;               /* ws_want_writable: bytes still to be written of what waited */
    uint8_t tried;              /* the first mark's frame was offered to a ws_io */
    uint8_t has_pong, pong_size, pong[125];
} ws__tx;

#define WS__TX_ROOM 131         /* a masked pong */
#define WS__PONG_QUEUE 2048     /* bytes of waiting output up to which each ping gets its pong */
#define WS__STAGE 144           /* raw bytes that must fit beside a whole message */

/* Blocks of memory that were just freed, kept for the next connection that needs one. */
typedef struct ws__cache {
    struct { void *block; size_t size; } slot[16];
    size_t total;
} ws__cache;

#define WS__CACHE_MAX ((size_t)8 << 20)

/* Pieces of output collected during one turn of a driver, sent in one call. Small payloads
   are copied to buf, large ones inside [lo, hi), which an event shows, are referred to. */
#if defined(WS_NO_SOCKETS) || defined(_WIN32)
typedef struct ws__piece { void *iov_base; size_t iov_len; } ws__piece;
#else
typedef struct iovec ws__piece;
#endif

#define WS__PIECES 256
#define WS__BORROW_MIN 2048

typedef struct ws__gather {
    uint8_t *buf;
    size_t cap, len, total;
    const uint8_t *lo, *hi;
    int (*flush)(ws_conn *c);   /* writes all; what does not fit moves to c->tx */
    int n;
    ws__piece piece[WS__PIECES];
} ws__gather;

/* TLS around what is below it: a socket, or TLS to a proxy. */
typedef struct ws__layer {
    ws_io io;
    struct ws__layer *below;    /* NULL: the socket */
} ws__layer;

/* What few connections need; made when it is needed first. */
typedef struct ws__more {
    ws__layer *layer;           /* that bytes go through, NULL: none */
    ptrdiff_t (*read)(void *user, void *buf, size_t n);     /* ws_send_from; NULL: none */
    void *read_user;
    uint8_t read_op, read_waits;    /* waits: it had nothing */
    uint8_t read_asked;         /* ws_want_writable while it had more */
    struct ws__member *groups;      /* that it is in */
    struct ws__ext *ext;        /* the extension in use */
    char *remote;               /* the client's address that a trusted proxy wrote */
    char *protocol;             /* subprotocol that the application chose */
    char *beat;                 /* of ws_http_beat */
    uint32_t beat_ms, beat_at;  /* at: when the next is due */
    void *pad[2];           /* as large as the other's: so is what it leaves in a block */
} ws__more;

/* A configuration with the defaults filled in and all strings copied. Shared by the
   connections of a listener. */
typedef struct ws__cfg {
    ws_config set;
    size_t size;
    uint32_t refs;
    uint16_t status;            /* client: of the answer */
    uint16_t key_count;
    uint32_t short_below;       /* single frames of fewer bytes are whole messages for sure */
    uint32_t conns;             /* listener: accepted and not closed yet */
    uint8_t keys[64];           /* masks drawn in advance from the system's source */
    char accept[29];            /* client: the Sec-WebSocket-Accept to expect */
    uint8_t crossed;            /* client: a redirect led to another server */
    uint8_t as_get;             /* client: a redirect said: without the body */
    uint8_t stepped;            /* the socket was asked since ws_recv(..., 0) gave 0 last */
    uint8_t close_ahead;        /* blocking: the peer's Close was read while sending */
    uint8_t delay_set;          /* by ws_next_delay: no wait is shorter than set.reconnect */
    uint16_t answered;          /* blocking: pings answered that ws_recv is yet to tell */
    uint16_t looked;            /* blocking: when sending last looked for input, ms */
    uint32_t limit;             /* client: when this try must be open */
    uint32_t opened;            /* client: when it was */
    uint32_t delay;             /* client: ms waited before this try, 0: it is the first */
    uint32_t hops;              /* client: redirects followed in this try */
    ws_extension *extensions;   /* up to one without a name; NULL: none */
    uint8_t *area;              /* cfg.memory_extension, NULL: none */
    size_t area_size, area_used;
    const char *url;
    const char *lines;          /* headers, "name: value CR LF" each, NUL; then the proxy's */
    /* a client's, whose configuration is its own, as all that is marked so above: */
    char *moved;                /* where redirects led, NULL: nowhere */
    struct ws__rx *parked;      /* blocking: shows an event, while more is read elsewhere */
    char *next_line;            /* of ws_next_header, NULL: none */
    ws__cache *cache;
    void (*wake)(ws_conn *c);   /* tells the driver that output or a deadline is new */
} ws__cfg;

struct ws_conn {
    ws__cfg *cfg;
    ws_loop *loop;
    __extension__ union {
        ws_conn *link;          /* in the loop's queue */
        char *target;           /* without a loop: allocated as the other's is */
    };
    ws__rx *rx;                 /* NULL: holds nothing */
    ws__tx *tx;                 /* NULL: holds nothing */
    ws__gather *cork;           /* lent by the driver for a turn */
    struct ws__dial *dial;      /* while connecting */
    void *user;
    char *note;                 /* text of the error, or the peer's reason */
    ws__more *more;             /* NULL: none of it */
    uint64_t taken;             /* bytes of input parsed: of the head, then of the frames */
    ws__sock fd;
    uint32_t slot;              /* in the loop's heap */
    uint32_t now, last_rx, last_message, last_ping, deadline;   /* ms, modulo 2^32 */
    uint32_t flags;
    uint32_t due;               /* the deadline by which it has its place in the heap */
    uint32_t refused;           /* sends that met WS_ERR_BACKLOG */
    uint32_t untaken;           /* what the peer had not taken yet when it was last asked */
    uint16_t code;              /* of CLOSE */
    uint8_t phase, error, protocol, wants;
    uint16_t rtt;               /* ms + 1 of the last ping, 0 unknown */
    uint8_t route;              /* its number 1.., 0: none */
    uint8_t sending;            /* opcode of a message being sent in parts, 0: none */
    uint8_t fresh;              /* 1: input came that the parser has not used up */
    uint8_t judge_owed;         /* time passed: the parser judges behind the input */
    uint8_t close_left;         /* 1: our Close frame, and all before it, was written */
};

#define WS__HAS(c, flag) (((c)->flags & (uint32_t)(flag)) != 0)
#define WS__DATA(block) ((uint8_t *)(uintptr_t)((block) + 1))

static const char *ws__error_text(int number)
{
#define WS__ERROR_TEXT(name, tell, text) text,
    static const char *const texts[] = { "", WS_ERRORS(WS__ERROR_TEXT) "unknown error" };
    return texts[number >= 0 && number < WS__NUMBER_END ? number : WS__NUMBER_END];
}

static int ws__error_tell(int number)
{
#define WS__ERROR_TELL(name, tell, text) tell,
    static const short tells[] = { 0, WS_ERRORS(WS__ERROR_TELL) 0 };
    return tells[number];
}

/* ---- memory ---- */

static void *ws__system_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user;
    (void)old_size;
#ifdef WS_NO_MALLOC
    (void)old;
    (void)new_size;
    return NULL;
#else
    if (new_size) return realloc(old, new_size);
    free(old);
    return NULL;
#endif
}

static void *ws__alloc(ws__cfg *cfg, size_t size)
{
    return (cfg->set.alloc)(cfg->set.alloc_user, NULL, 0, size);
}

static void ws__free(ws__cfg *cfg, void *p, size_t size)
{
    if (p) (cfg->set.alloc)(cfg->set.alloc_user, p, size, 0);
}

/* A block of at least *size bytes, *size then being its real size. */
static void *ws__block_new(ws__cfg *cfg, size_t *size)
{
    ws__cache *k = cfg->cache;
    int i, best = -1;

    for (i = 0; k && i < 16; i++) {
        size_t have = k->slot[i].size;
        if (have >= *size && have / 4 <= *size && (best < 0 || have < k->slot[best].size))
            best = i;
    }
    if (best >= 0) {
        *size = k->slot[best].size;
        k->slot[best].size = 0;
        k->total -= *size;
        return k->slot[best].block;
    }
    return ws__alloc(cfg, *size);
}

static void ws__block_free(ws__cfg *cfg, void *block, size_t size)
{
    ws__cache *k = cfg->cache;
    int i, least = 0;

    if (!k || size > WS__CACHE_MAX / 2) { ws__free(cfg, block, size); return; }
    for (i = 1; i < 16; i++)
        if (k->slot[i].size < k->slot[least].size) least = i;
    if (k->slot[least].size >= size || k->total - k->slot[least].size + size > WS__CACHE_MAX) {
        ws__free(cfg, block, size);
        return;
    }
    if (k->slot[least].size) ws__free(cfg, k->slot[least].block, k->slot[least].size);
    k->total += size - k->slot[least].size;
    k->slot[least].block = block;
    k->slot[least].size = size;
}

WS__PRIVATE void ws__cache_clear(ws__cfg *cfg)
{
    int i;
    for (i = 0; i < 16; i++) {
        if (cfg->cache->slot[i].size)
            ws__free(cfg, cfg->cache->slot[i].block, cfg->cache->slot[i].size);
        cfg->cache->slot[i].size = 0;
    }
    cfg->cache->total = 0;
}

/* ---- configuration ---- */

static int ws__token_valid(ws_str s)
{
    size_t i;
    for (i = 0; i < s.size; i++) if (!ws__is_token(s.data[i])) return 0;
    return s.size > 0;
}

/* Header values: visible characters, spaces, tabs, and bytes of other charsets. */
static int ws__is_value(const char *s)
{
    for (; *s; s++)
        if (((uint8_t)*s < 0x20 && *s != '\t') || *s == 0x7F) return 0;
    return 1;
}

static int ws__headers_valid(const ws_header *h)
{
    for (; h && h->name; h++)
        if (!ws__token_valid(ws__cstr(h->name)) || !h->value || !ws__is_value(h->value)) return 0;
    return 1;
}

static int ws__has_header(const ws_header *h, const char *name)
{
    for (; h && h->name; h++) if (ws_str_is(ws__cstr(h->name), name)) return 1;
    return 0;
}

/* Headers of the application: valid, and none of those that the library alone may write. sized:
   one may be Content-Length. */
static int ws__headers_own(const ws_header *h, int sized)
{
    static const char *const ours[] = {
        "Host", "Connection", "Upgrade", "Transfer-Encoding", "Sec-WebSocket-Key",
        "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions"
    };
    size_t i;

    for (i = 0; i < sizeof ours / sizeof *ours; i++) if (ws__has_header(h, ours[i])) return 0;
    return ws__headers_valid(h) && (sized || !ws__has_header(h, "Content-Length"));
}

/* A path in which '*' stands only at the end of a segment. */
static int ws__pattern_valid(const char *p)
{
    if (*p != '/') return 0;
    for (; *p; p++) if (*p == '*' && p[1] && p[1] != '/') return 0;
    return 1;
}

static int ws__extension_valid(const ws_extension *x)
{
    return x->name && ws__token_valid(ws__cstr(x->name)) &&
           (x->rsv == 1 || x->rsv == 2 || x->rsv == 4) && x->offer && x->accept &&
           x->confirm && x->state_size && x->begin && x->encode && x->decode;
}

/* authority = host [":" port], without user: splits it. 0 when it is not one. */
static int ws__authority(ws_str a, ws_str *host, unsigned *port, unsigned standard)
{
    ws_url url;
    size_t i;

    memset(&url, 0, sizeof url);
    url.port = (uint16_t)standard;
    for (i = 0; i < a.size; i++)
        if (a.data[i] < 0x21 || a.data[i] > 0x7E || strchr("/?#@,", a.data[i])) return 0;
    if (ws__url_authority(a, &url)) return 0;
    *host = url.host;
    *port = url.port;
    return 1;
}

/* scheme "://" host [":" port], or of other schemes than HTTP's anything behind "://". */
typedef struct ws__origin {
    ws_str scheme, host;
    unsigned port, standard;    /* of HTTP's schemes: the scheme's own filled in; else 0 */
    int below;                  /* it was "*.host" */
} ws__origin;

static int ws__origin_parse(ws__origin *o, ws_str s)
{
    size_t n = ws__find(s, 0, ':'), i;
    ws_str rest;

    memset(o, 0, sizeof *o);
    if (!n || n + 3 > s.size || memcmp(s.data + n, "://", 3)) return 0;
    for (i = 0; i < n; i++)
        if (!ws__is_token(s.data[i]) || strchr("*!#$%&'^_`|~", s.data[i])) return 0;
    o->scheme = ws__str(s.data, n);
    rest = ws__str(s.data + n + 3, s.size - n - 3);
    o->below = rest.size > 2 && rest.data[0] == '*' && rest.data[1] == '.';
    if (o->below) rest = ws__str(rest.data + 2, rest.size - 2);
    for (i = 0; i < rest.size; i++)
        if (rest.data[i] < 0x21 || rest.data[i] > 0x7E || strchr("/?#@,;*", rest.data[i]))
            return 0;
    o->host = rest;
    if (ws_str_is(o->scheme, "http")) o->standard = 80;
    else if (ws_str_is(o->scheme, "https")) o->standard = 443;
    else return 1;
    return ws__authority(rest, &o->host, &o->port, o->standard);
}

/* The element of cfg.origins that can never be an origin, size 0: none. */
static ws_str ws__origins_fault(const char *origins)
{
    ws_str list = ws__cstr(origins), item;
    ws__origin o;
    int any = 0;

    while (ws_list_next(&list, &item)) {
        any = 1;
        if (!ws_str_is(item, "*") && !ws_str_is(item, "same") && !ws_str_is(item, "null") &&
            !ws__origin_parse(&o, item))
            return item;
    }
    return origins && !any ? ws__cstr("an empty list") : ws__str("", 0);
}

/* The first field that cannot be as it is; NULL: none but perhaps deflate. */
static const char *ws__field_fault(const ws_config *cfg)
{
    const ws_extension *const *x = cfg->extensions;
    const ws_route *r;
    ws_str list = ws__cstr(cfg->protocols), item;

    for (r = cfg->routes; r && r->path; r++)
        if (r - cfg->routes >= 254 || !ws__pattern_valid(r->path) ||
            (r->protocol && !ws__token_valid(ws__cstr(r->protocol)))) return "routes";
    if (cfg->method && !ws__token_valid(ws__cstr(cfg->method))) return "method";
    if (cfg->body_size && !cfg->body) return "body_size";
    if (cfg->version != 0 && cfg->version != 8 && cfg->version != 13) return "version";
    if (cfg->reconnect) return "reconnect: only for clients that connect by themselves";
    if (!WS__EXTENDS && cfg->deflate) return "deflate";
    if (!WS__EXTENDS && x) return "extensions";
    while (x && *x) if (!ws__extension_valid(*x++)) return "extensions";
    while (ws_list_next(&list, &item)) if (!ws__token_valid(item)) return "protocols";
    if (ws__origins_fault(cfg->origins).size) return "origins";
    if (cfg->origin && (!*cfg->origin || !ws__is_value(cfg->origin))) return "origin";
    if (cfg->host && (!*cfg->host || !ws__is_value(cfg->host))) return "host";
    if (!ws__headers_own(cfg->headers, 0)) return "headers";
    if (!cfg->io.read != !cfg->io.write || (cfg->io.read && (cfg->wrap || cfg->tls))) return "io";
    if (cfg->memory && (cfg->trusted_proxies || cfg->wrap || cfg->tls)) return "memory";
    if (cfg->memory && !cfg->memory_extension && (cfg->extensions || cfg->deflate)) return "memory";
    return NULL;
}

/* What is wrong with a configuration, or 0. */
static int ws__config_fault(const ws_config *cfg, int client)
{
    if (ws__field_fault(cfg)) return WS_ERR_ARGUMENT;
    return WS__EXTENDS && cfg->deflate ? ws__deflate_fault(cfg->deflate, client) : 0;
}

/* The field that such a fault is about, NULL if it says so itself. Room: for its words, with an
   element of a list that is wrong. */
static const char *ws__fault_field(int fault, const ws_config *cfg, char room[96])
{
    const char *field = fault == WS_ERR_ARGUMENT ? ws__field_fault(cfg) : NULL;
    ws_str item = field ? ws__origins_fault(cfg->origins) : ws__str("", 0);
    ws__text t;

    if (WS__EXTENDS && fault == WS_ERR_ARGUMENT && !field) return "deflate";
    if (!field || strcmp(field, "origins")) return field;
    t = ws__text_in(room, 96);
    ws__puts(&t, "origins: ");
    ws__put(&t, item.data, item.size);
    return room;
}

static size_t ws__lines_size(const ws_header *h)
{
    size_t n = 1;
    for (; h && h->name; h++) n += strlen(h->name) + strlen(h->value) + 4;
    return n;
}

static void ws__put_lines(ws__text *t, const ws_header *h)
{
    for (; h && h->name; h++) {
        ws__puts(t, h->name);
        ws__puts(t, ": ");
        ws__puts(t, h->value);
        ws__puts(t, "\r\n");
    }
}

/* Those of the lines that headers does not say itself. */
static void ws__put_more(ws__text *t, const ws_header *headers, const ws_header *more)
{
    ws_header one[2] = { { NULL, NULL }, { NULL, NULL } };

    for (; more && more->name; more++) {
        *one = *more;
        if (!ws__has_header(headers, more->name)) ws__put_lines(t, one);
    }
}

/* Copies s behind the others; NULL stays NULL. */
static const char *ws__keep(ws__text *t, const char *s)
{
    const char *at = t->at;
    if (!s) return NULL;
    ws__puts(t, s);
    t->at++;
    return at;
}

static const char *ws__keep_lines(ws__text *t, const ws_header *h, const ws_header *more)
{
    const char *at = t->at;
    *t->at = 0;
    ws__put_lines(t, h);
    ws__put_more(t, h, more);
    t->at++;
    return at;
}

/* Writes list as "a\0b\0\0": its elements can be handed out as strings. */
static const char *ws__keep_list(ws__text *t, const char *list)
{
    const char *at = t->at;
    ws_str rest = ws__cstr(list), item;

    while (ws_list_next(&rest, &item)) {
        ws__put(t, item.data, item.size);
        t->at++;
    }
    *t->at++ = 0;
    return at;
}

static void ws__default(uint32_t *value, uint32_t preset)
{
    if (!*value) *value = preset;
}

static void ws__default_time(uint32_t *ms, uint32_t preset)
{
    ws__default(ms, preset);
    if (*ms != WS_NEVER && *ms > 1u << 29) *ms = 1u << 29;
}

static void ws__defaults(ws_config *s)
{
    ws__default(&s->max_message, 1u << 20);
    ws__default(&s->max_fragments, 4096);
    ws__default(&s->max_head, 8192);
    ws__default(&s->max_headers, 64);
    ws__default(&s->max_backlog, 1u << 20);
    ws__default(&s->max_frame, WS_NO_LIMIT);
    ws__default(&s->max_connections, WS_NO_LIMIT);
    ws__default(&s->max_per_address, WS_NO_LIMIT);
    ws__default(&s->parts_over, WS_NO_LIMIT);
    ws__default(&s->fragment, WS_NO_LIMIT);
    ws__default_time(&s->handshake_timeout, 10000);
    ws__default_time(&s->ping_interval, 20000);
    ws__default_time(&s->ping_timeout, 20000);
    ws__default_time(&s->close_timeout, 5000);
    ws__default_time(&s->idle_timeout, WS_NEVER);
    ws__default_time(&s->reconnect_max, 30000);
    ws__default_time(&s->retry_max, 300000);
    ws__default_time(&s->send_timeout, 30000);
    if (!s->alloc) s->alloc = ws__system_alloc;
}

static size_t ws__routes_size(const ws_route *r)
{
    size_t n = r ? sizeof *r + 7 : 0;       /* and to align them */
    for (; r && r->path; r++)
        n += sizeof *r + strlen(r->path) + (r->protocol ? strlen(r->protocol) + 1 : 0) + 1;
    return n;
}

static const ws_route *ws__keep_routes(ws__text *t, const ws_route *from)
{
    ws_route *to;
    size_t count = 0, i;

    if (!from) return NULL;
    t->at += (8 - (uintptr_t)t->at % 8) % 8;
    to = (ws_route *)(void *)t->at;
    while (from[count].path) count++;
    memcpy(to, from, (count + 1) * sizeof *to);
    t->at += (count + 1) * sizeof *to;
    for (i = 0; i < count; i++) {
        to[i].path = ws__keep(t, from[i].path);
        to[i].protocol = ws__keep(t, from[i].protocol);
    }
    return to;
}

/* Bytes of the copied extensions: an array, settings of permessage-deflate, names. */
static size_t ws__extensions_size(const ws_config *cfg)
{
    size_t n = 0;
    const ws_extension *const *x = cfg->extensions;

    if (!WS__EXTENDS) return 0;
    for (; x && *x; x++) n += sizeof **x + strlen((*x)->name) + 1;
    if (cfg->deflate) n += sizeof(ws_extension) + sizeof(ws_deflate);
    return n ? n + sizeof(ws_extension) : 0;
}

/* t stands where a ws_extension may stand. */
static ws_extension *ws__keep_extensions(ws__text *t, const ws_config *cfg)
{
    ws_extension *all = (ws_extension *)(void *)t->at, *to = all;
    const ws_extension *const *x = cfg->extensions;
    ws_deflate *d;

    if (!WS__EXTENDS || !ws__extensions_size(cfg)) return NULL;
    for (; x && *x; x++) *to++ = **x;
    d = (ws_deflate *)(void *)(to + (cfg->deflate ? 2 : 1));
    t->at = (char *)d;
    if (cfg->deflate) {
        *d = ws__deflate_settings(cfg->deflate);
        *to++ = ws__deflate_extension(d);
        t->at = (char *)(d + 1);
    }
    memset(to, 0, sizeof *to);
    for (to = all, x = cfg->extensions; x && *x; x++, to++) to->name = ws__keep(t, (*x)->name);
    return all;
}

static uint32_t ws__short_below(const ws_config *s)
{
    uint32_t least = s->max_message < s->max_frame ? s->max_message : s->max_frame;

    if (s->frames) return 0;
    if (s->parts_over < least) least = s->parts_over;
    return least == WS_NO_LIMIT ? least : least + 1;
}

static size_t ws__cfg_size(const ws_config *cfg, const char *url)
{
    size_t n = sizeof(ws__cfg) + (url ? strlen(url) + 1 : 0) + 3;

    if (!cfg) return n + 2 * ws__lines_size(NULL);
    return n + ws__lines_size(cfg->headers) + ws__lines_size(cfg->more_headers) +
           ws__extensions_size(cfg) + ws__routes_size(cfg->routes) +
           (cfg->protocols ? strlen(cfg->protocols) : 0) +
           (cfg->origins ? strlen(cfg->origins) + 1 : 0) +
           (cfg->method ? strlen(cfg->method) + 1 + cfg->body_size : 0) +
           (cfg->origin ? strlen(cfg->origin) + 1 : 0) +
           (cfg->host ? strlen(cfg->host) + 1 : 0) +
           (cfg->proxy ? strlen(cfg->proxy) + 1 : 0) + ws__lines_size(cfg->proxy_headers);
}

static ws_tls *ws__tls_hold(ws_tls *tls);
static void ws__tls_drop(ws_tls *tls);

/* Fills size bytes at k, from ws__cfg_size. cfg is valid, or NULL: all is as by default. */
static void ws__cfg_fill(ws__cfg *k, size_t size, const ws_config *cfg, const char *url)
{
    ws__text t;

    memset(k, 0, sizeof *k);
    if (cfg) k->set = *cfg;
    cfg = &k->set;
    k->size = size;
    k->refs = 1;
    ws__defaults(&k->set);
    t.at = (char *)(k + 1);
    t.end = (char *)k + size;
    k->extensions = ws__keep_extensions(&t, cfg);
    k->set.routes = ws__keep_routes(&t, cfg->routes);
    k->lines = ws__keep_lines(&t, cfg->headers, cfg->more_headers);
    ws__keep_lines(&t, cfg->proxy_headers, NULL);
    k->set.protocols = ws__keep_list(&t, cfg->protocols);
    k->set.origins = ws__keep(&t, cfg->origins);
    k->url = ws__keep(&t, url);
    k->short_below = ws__short_below(&k->set);
    k->set.host = ws__keep(&t, cfg->host);
    k->set.origin = ws__keep(&t, cfg->origin);
    k->set.proxy = ws__keep(&t, cfg->proxy);
    k->set.method = ws__keep(&t, cfg->method);
    if (cfg->method && cfg->body_size) {
        memcpy(t.at, cfg->body, cfg->body_size);
        k->set.body = t.at;
    }
    k->set.headers = k->set.more_headers = k->set.proxy_headers = NULL;
    k->set.tls = ws__tls_hold(cfg->tls);
    k->set.deflate = NULL;
    k->set.extensions = NULL;
}

static void ws__cfg_release(ws__cfg *k)
{
    if (--k->refs) return;
    ws__tls_drop(k->set.tls);
    if (k->moved) ws__free(k, k->moved, strlen(k->moved) + 1);
    if (k->next_line) ws__free(k, k->next_line, strlen(k->next_line) + 1);
    ws__free(k, k, k->size);
}

/* ---- the connection ---- */

/* What the bytes go through when it is not a mere socket. */
static const ws_io *ws__io(const ws_conn *c)
{
    if (c->more && c->more->layer) return &c->more->layer->io;
    return c->cfg->set.io.read ? &c->cfg->set.io : NULL;
}

static const char *ws__io_why(const ws_conn *c)
{
    const ws_io *io = ws__io(c);
    return io && io->why ? (io->why)(io->user) : NULL;
}

/* The time ms from now; far away for WS_NEVER. */
static uint32_t ws__after(const ws_conn *c, uint32_t ms)
{
    return c->now + (ms == WS_NEVER ? 1u << 30 : ms);
}

static void ws__init(ws_conn *c, ws__cfg *k, uint32_t flags)
{
    memset(c, 0, sizeof *c);
    c->cfg = k;
    c->flags = flags;
    c->user = k->set.user;
    c->fd = WS__NO_SOCK;
    c->deadline = ws__after(c, k->set.handshake_timeout);
    c->wants = WS__UNWATCHED;
}

/* Lays conn, configuration, input and output out in the caller's block, from the first place in
   it that is aligned; what that skips the overhead has to spare. bad: of cfg the memory alone
   counts. */
static ws_conn *ws__new_fixed(const ws_config *cfg, int bad, const char *url, uint32_t flags)
{
    size_t skip = (8 - (uintptr_t)cfg->memory % 8) % 8;
    uint8_t *base = (uint8_t *)cfg->memory + skip, *at = base;
    const ws_config *set = bad ? NULL : cfg;
    size_t conn = (sizeof(ws_conn) + 7) / 8 * 8, size = (ws__cfg_size(set, url) + 7) / 8 * 8;
    size_t tx = (sizeof(ws__tx) + 7) / 8 * 8;
    size_t fixed = conn + size + sizeof(ws__rx) + tx + WS__STAGE + WS__NOTE_FIXED, rest, send;
    size_t most = cfg->memory_size / 8 * 8, area = bad ? 0 : cfg->memory_extension / 8 * 8;
    size_t copies = bad ? 0 : ws__extensions_size(cfg);     /* stand in front, count as area */
    uint32_t *whole;                        /* the limit of what is put together */
    ws_conn *c;

    if (area > most || copies > area) return NULL;
    most -= area - copies / 8 * 8;
    area -= copies / 8 * 8;
    if (most <= WS_MEMORY_OVERHEAD + copies) return NULL;
    rest = most - WS_MEMORY_OVERHEAD - copies;
    if (skip > cfg->memory_size % 8) most -= 8;
    send = cfg->memory_send && !bad ? cfg->memory_send : rest / 3;
    if (send >= rest) return NULL;
    rest -= send;                           /* the largest message */
    send = (send + 2 * WS__TX_ROOM + 7) / 8 * 8;
    if (most < fixed + send + rest) return NULL;
    c = (ws_conn *)(void *)at;
    at += conn;
    ws__cfg_fill((ws__cfg *)(void *)at, size, set, url);
    ws__init(c, (ws__cfg *)(void *)at, flags | WS__IS_FIXED);
    at += size;
    c->note = (char *)at;                   /* empty until there is something to say */
    *at = 0;
    at += WS__NOTE_FIXED;
    c->tx = (ws__tx *)(void *)at;
    memset(c->tx, 0, sizeof *c->tx);
    c->tx->cap = send;
    c->tx->pos = c->tx->len = c->tx->border = WS__TX_ROOM;
    at += tx + send;
    c->rx = (ws__rx *)(void *)at;
    memset(c->rx, 0, sizeof *c->rx);
    at += sizeof(ws__rx);
    c->rx->cap = most - (size_t)(at - base) - 1;
    c->cfg->area = area ? base + most : NULL;
    c->cfg->area_size = area;
    whole = c->cfg->set.frames ? &c->cfg->set.max_frame
          : c->cfg->set.parts_over != WS_NO_LIMIT ? &c->cfg->set.parts_over
          : &c->cfg->set.max_message;
    if (*whole > rest) *whole = (uint32_t)rest;
    c->cfg->short_below = ws__short_below(&c->cfg->set);
    send -= 2 * WS__TX_ROOM;
    if (c->cfg->set.max_backlog > send) c->cfg->set.max_backlog = (uint32_t)send;
    return c;
}

static ws_conn *ws__new_shared(ws__cfg *k, uint32_t flags)
{
    ws_conn *c = (ws_conn *)ws__alloc(k, sizeof *c);
    if (!c) return NULL;
    k->refs++;
    ws__init(c, k, flags);
    return c;
}

/* A copy of cfg, or all as by default. from: whose allocator it takes, or NULL. */
static ws__cfg *ws__cfg_from(const ws_config *cfg, const char *url, const ws_config *from)
{
    void *(*alloc)(void *, void *, size_t, size_t) = from ? from->alloc : NULL;
    void *user = from ? from->alloc_user : NULL;
    size_t size = ws__cfg_size(cfg, url);
    ws__cfg *k;

    if (!alloc) alloc = ws__system_alloc;
    k = (ws__cfg *)(alloc)(user, NULL, 0, size);
    if (!k) return NULL;
    ws__cfg_fill(k, size, cfg, url);
    k->set.alloc = alloc;
    k->set.alloc_user = user;
    return k;
}

WS__PRIVATE ws__cfg *ws__cfg_new(const ws_config *cfg, const char *url)
{
    return ws__cfg_from(cfg, url, cfg);
}

/* Makes a connection with its own configuration, in cfg.memory if fixed, or memory of from. A
   bad configuration gives a connection with *fault set that knows nothing but its memory and its
   user. */
static ws_conn *ws__new(const ws_config *cfg, const ws_config *from, int fixed, const char *url,
                        uint32_t flags, int *fault)
{
    ws__cfg *k;
    ws_conn *c;

    *fault = cfg ? ws__config_fault(cfg, flags & WS__IS_CLIENT) : 0;
    if (cfg && cfg->memory && fixed) {
        c = ws__new_fixed(cfg, *fault, url, flags);
    } else {
        k = ws__cfg_from(*fault ? NULL : cfg, url, from);
        if (!k) return NULL;
        c = ws__new_shared(k, flags);
        ws__cfg_release(k);
    }
    if (c && *fault) c->user = cfg->user;
    return c;
}

/* c->more, made if need be; NULL when memory is out. */
static ws__more *ws__more_of(ws_conn *c)
{
    if (WS__HAS(c, WS__IS_FIXED)) return NULL;
    if (!c->more) {
        c->more = (ws__more *)ws__alloc(c->cfg, sizeof *c->more);
        if (c->more) memset(c->more, 0, sizeof *c->more);
    }
    return c->more;
}

/* A copy of s with a NUL, freed by ws__string_free; NULL when memory is out. */
WS__PRIVATE char *ws__string_new(ws_conn *c, ws_str s)
{
    char *copy = (char *)ws__alloc(c->cfg, s.size + 1);
    if (!copy) return NULL;
    if (s.size) memcpy(copy, s.data, s.size);
    copy[s.size] = 0;
    return copy;
}

static void ws__string_free(ws_conn *c, char *s)
{
    if (s) ws__free(c->cfg, s, strlen(s) + 1);
}

static void ws__ext_free(ws_conn *c);

static void ws__more_free(ws_conn *c)
{
    if (!c->more) return;
    ws__ext_free(c);
    ws__string_free(c, c->more->remote);
    ws__string_free(c, c->more->protocol);
    ws__string_free(c, c->more->beat);
    ws__free(c->cfg, c->more, sizeof *c->more);
    c->more = NULL;
}

static size_t ws__rx_block(const ws__rx *rx) { return sizeof *rx + rx->cap + 1; }

/* Others may get the block next: no request's head, cookies and all, goes along. */
static void ws__head_wipe(ws_conn *c)
{
    if (c->rx && c->rx->head_size) memset(WS__DATA(c->rx) + c->rx->head_at, 0, c->rx->head_size);
    if (c->rx) c->rx->head_size = 0;
}

/* A block in which an event was shown while more was read elsewhere. */
static void ws__unpark(ws_conn *c)
{
    if (!c->cfg->parked) return;
    ws__block_free(c->cfg, c->cfg->parked, ws__rx_block(c->cfg->parked));
    c->cfg->parked = NULL;
}

static void ws__rx_free(ws_conn *c)
{
    if (WS__HAS(c, WS__IS_BLOCKING)) ws__unpark(c);
    if (c->rx && !WS__HAS(c, WS__OPENED)) memset(WS__DATA(c->rx), 0, c->rx->len);
    ws__head_wipe(c);
    if (WS__HAS(c, WS__IS_FIXED)) {
        c->rx->msg = c->rx->pos = c->rx->len = c->rx->behind = 0;
    } else if (c->rx) {
        ws__block_free(c->cfg, c->rx, ws__rx_block(c->rx));
        c->rx = NULL;
    }
}

/* Puts a NUL behind the data that an event shows. */
static void ws__show(ws_conn *c, const ws_event *ev)
{
    uint8_t *at = (uint8_t *)(uintptr_t)ev->data + ev->size;
    ws__rx *rx = c->rx;

    if (!ev->size) return;
    if (rx && at > WS__DATA(rx) && at <= WS__DATA(rx) + rx->cap) {
        rx->behind = (size_t)(at - WS__DATA(rx));
        rx->kept = *at;
    }
    *at = 0;
}

/* The event is no longer shown: the byte behind it comes back. */
static void ws__unshow(ws_conn *c)
{
    if (!c->rx || !c->rx->behind) return;
    WS__DATA(c->rx)[c->rx->behind] = c->rx->kept;
    c->rx->behind = 0;
}

/* A blocking client reads while it sends: does c->rx hold what its last event shows? */
static int ws__is_shown(const ws_conn *c)
{
    return WS__HAS(c, WS__IS_BLOCKING) && !c->cfg->parked &&
           (c->rx->behind || WS__HAS(c, WS__HEAD_HELD));
}

static void ws__shared_release(ws__shared *f)
{
    if (--f->refs == 0) ws__block_free(f->cfg, f, f->block);
}

static void ws__tx_free(ws_conn *c)
{
    ws__tx *tx = c->tx;

    for (; tx && tx->mark_at < tx->mark_end; tx->mark_at++)
        if (tx->marks[tx->mark_at].frame) ws__shared_release(tx->marks[tx->mark_at].frame);
    if (tx) ws__free(c->cfg, tx->marks, tx->mark_cap * sizeof *tx->marks);
    if (WS__HAS(c, WS__IS_FIXED)) {
        c->tx->pos = c->tx->len = c->tx->border = WS__TX_ROOM;
        c->tx->has_pong = 0;
    } else if (c->tx) {
        ws__block_free(c->cfg, c->tx, sizeof *c->tx + c->tx->cap);
        c->tx = NULL;
    }
}

static int ws__random(ws__cfg *k, void *buf, size_t n)
{
    if (k->set.random) return (k->set.random)(k->set.random_user, buf, n) ? WS_ERR_RANDOM : 0;
#ifdef WS_NO_SOCKETS
    (void)buf;
    (void)n;
    return WS_ERR_RANDOM;
#else
    if (n > sizeof k->keys) return WS_ERR_RANDOM;
    if (k->key_count < n) {
        if (ws__system_random(k->keys, sizeof k->keys)) return WS_ERR_RANDOM;
        k->key_count = sizeof k->keys;
    }
    k->key_count = (uint16_t)(k->key_count - n);
    memcpy(buf, k->keys + k->key_count, n);
    memset(k->keys + k->key_count, 0, n);
    return 0;
#endif
}

/* Does one of our drivers carry the bytes, not the application? */
static int ws__is_driven(const ws_conn *c) { return c->loop || WS__HAS(c, WS__CLOCKED); }

/* Is it a client of ordinary HTTP? */
static int ws__is_http(const ws_conn *c)
{
    return WS__HAS(c, WS__IS_CLIENT) && c->cfg->set.method != NULL;
}

static void ws__wake(ws_conn *c)
{
    if (c->cfg->wake) (c->cfg->wake)(c);
}

/* Room for text that lasts until the end: WS__NOTE_FIXED bytes or more; NULL: memory is out. */
static char *ws__note_new(ws_conn *c)
{
    if (!c->note) c->note = (char *)ws__alloc(c->cfg, WS__NOTE_SIZE);
    return c->note;
}

/* ==== >>extend (private) =============================================================== */

#define WS__CODE_ROOM 64        /* bytes that a step may always write */

/* One direction of an extension. */
typedef struct ws__coder {
    void *state;                /* NULL: none */
    size_t size;                /* of its block */
    uint8_t encode;
    uint8_t alone;              /* a state for each message */
    uint8_t begun;
} ws__coder;

/* The extension in use. Its answer follows, a string. */
typedef struct ws__ext {
    const ws_extension *set;
    uint32_t agreed;
    uint8_t encodes;            /* it can encode messages */
    uint8_t part_coded;         /* the message that is sent in parts is encoded */
    uint8_t pending;            /* the decoder may have more to write */
    uint8_t shown;              /* an event shows data */
    ws__coder in, out;
    uint8_t *data;              /* decoded bytes of the message: len in a block of cap + 1 */
    size_t len, cap;
    size_t size;                /* of this block */
} ws__ext;

static ws__ext *ws__ext_of(const ws_conn *c)
{
    return WS__EXTENDS && c->more ? c->more->ext : NULL;
}

static const ws_extension *ws__extensions(const ws__cfg *k)
{
    return WS__EXTENDS ? k->extensions : NULL;
}

/* Memory for an extension, at least *size bytes. */
static void *ws__ext_alloc(ws__cfg *k, size_t *size)
{
    size_t at = k->area_used;

    if (*size > (size_t)-1 / 4) return NULL;
    if (!k->area) return ws__block_new(k, size);
    *size = (*size + 7) / 8 * 8;
    if (*size > k->area_size - at) return NULL;
    k->area_used += *size;
    return k->area + at;
}

static int ws__coder_begin(ws__cfg *k, const ws_extension *x, uint32_t agreed, ws__coder *d)
{
    int alone, r;

    if (d->begun) return 0;
    if (!d->state) {
        d->size = (x->state_size)(x->user, agreed, d->encode, &alone);
        d->state = d->size ? ws__ext_alloc(k, &d->size) : NULL;
        if (!d->state) return d->size ? WS_ERR_MEMORY : WS_ERR_CODEC;
    }
    r = (x->begin)(x->user, agreed, d->encode, d->state);
    d->begun = !r;
    return !r || r == WS_ERR_MEMORY ? r : WS_ERR_CODEC;
}

static void ws__coder_end(ws__cfg *k, const ws_extension *x, ws__coder *d)
{
    if (d->begun && x->end) (x->end)(x->user, d->encode, d->state);
    d->begun = 0;
    if (k->area) return;
    if (d->state) ws__block_free(k, d->state, d->size);
    d->state = NULL;
}

/* Gives back what an event showed. */
static void ws__ext_release(ws__cfg *k, ws__ext *e)
{
    e->len = e->shown = 0;
    if (k->area) return;
    if (e->data) ws__block_free(k, e->data, e->cap + 1);
    e->data = NULL;
    e->cap = 0;
}

static void ws__ext_free(ws_conn *c)
{
    ws__ext *e = ws__ext_of(c);

    if (!e) return;
    c->more->ext = NULL;
    ws__coder_end(c->cfg, e->set, &e->in);
    ws__coder_end(c->cfg, e->set, &e->out);
    ws__ext_release(c->cfg, e);
    if (!c->cfg->area) ws__block_free(c->cfg, e, e->size);
}

/* In the caller's block all memory is taken at once: states, and the rest for data. */
static int ws__ext_reserve(ws__cfg *k, ws__ext *e)
{
    int r = ws__coder_begin(k, e->set, e->agreed, &e->in);

    if (!r && e->encodes) r = ws__coder_begin(k, e->set, e->agreed, &e->out);
    if (r) ws__coder_end(k, e->set, &e->in);
    if (r) return r;
    if (k->area_size == k->area_used) return WS_ERR_MEMORY;
    e->data = k->area + k->area_used;
    e->cap = k->area_size - k->area_used - 1;
    return 0;
}

/* Takes an extension into use, as it was answered. */
static int ws__ext_open(ws_conn *c, const ws_extension *x, uint32_t agreed, ws_str name,
                        ws_str params)
{
    ws__cfg *k = c->cfg;
    size_t size = sizeof(ws__ext) + name.size + params.size + 1, more = sizeof *c->more;
    int alone = 0, reserve;
    ws__ext *e;
    char *text;

    if (k->area) {
        k->area_used = 0;
        c->more = (ws__more *)ws__ext_alloc(k, &more);
        if (c->more) memset(c->more, 0, sizeof *c->more);
    } else {
        ws__more_of(c);
    }
    e = c->more ? (ws__ext *)ws__ext_alloc(k, &size) : NULL;
    if (!e) return WS_ERR_MEMORY;
    memset(e, 0, sizeof *e);
    e->set = x;
    e->agreed = agreed;
    e->size = size;
    (x->state_size)(x->user, agreed, 0, &alone);
    e->in.alone = alone != 0;
    e->out.encode = 1;
    alone = 0;
    e->encodes = (x->state_size)(x->user, agreed, 1, &alone) != 0;
    e->out.alone = alone || k->set.drop_oldest;     /* what is dropped must not be missed */
    text = (char *)(e + 1);
    memcpy(text, name.data, name.size);
    if (params.size) memcpy(text + name.size, params.data, params.size);
    text[name.size + params.size] = 0;
    reserve = k->area ? ws__ext_reserve(k, e) : 0;
    c->more->ext = reserve ? NULL : e;
    return reserve;
}

/* One step, its result checked: 1, 0 or an error. */
static int ws__code(const ws_extension *x, const ws__coder *d, const void *in, size_t *used,
                    void *out, size_t *made, int end)
{
    size_t have = *used, room = *made;
    int r = (d->encode ? x->encode : x->decode)(x->user, d->state, in, used, out, made, end);

    if (*made >= room && r < 0) *made = 0;
    if (r == WS_ERR_DECODE && !d->encode) return r;
    if (r < 0) return r == WS_ERR_MEMORY ? r : WS_ERR_CODEC;
    if (r > 1 || *used > have || *made > room || (r && (!end || *used < have)) ||
        (!r && !*used && !*made && (have || end)))
        return WS_ERR_CODEC;
    return r;
}

/* A message on its way through an encoder: pieces, bytes of the first that were taken, and
   how it ends (see ws_extension). */
typedef struct ws__encoding {
    const ws_str *v;
    int count, end;
    size_t at;
} ws__encoding;

/* Encodes into room bytes. 1: all of it; 0: the room is full. */
static int ws__encode(const ws_extension *x, const ws__coder *d, ws__encoding *f, uint8_t *out,
                      size_t room, size_t *made)
{
    int r = 0;

    *made = 0;
    while (!r && room - *made >= WS__CODE_ROOM) {
        int last = f->count <= 1;
        size_t have = f->count ? f->v->size - f->at : 0, n = have, m = room - *made;
        const char *in = have ? f->v->data + f->at : "";
        if (have || last) {
            r = ws__code(x, d, in, &n, out + *made, &m, last ? f->end : 0);
            if (r < 0) return r;
            f->at += n;
            *made += m;
        }
        if (!last && f->at == f->v->size) {
            f->v++;
            f->count--;
            f->at = 0;
        }
    }
    return r;
}

/* Is a message of n bytes to be encoded? */
static int ws__encodes(const ws_conn *c, int op, size_t n)
{
    const ws__ext *e = ws__ext_of(c);

    return e && e->encodes && n >= e->set->threshold && !(op & WS_OP_PLAIN);
}

/* ---- negotiation ---- */

/* Splits "name; parameters". */
static ws_str ws__extension_name(ws_str item, ws_str *params)
{
    size_t n = ws__find(item, 0, ';');

    *params = ws__str(item.data + n, item.size - n);
    return ws__trim(item.data, 0, n);
}

static int ws__extension_parses(ws_str item)
{
    ws_str params, name;
    int good = ws__token_valid(ws__extension_name(item, &params)), r;

    do r = ws_param_next(&params, &name, NULL, 0); while (r > 0);
    return good && !r;
}

static int ws__extension_is(const ws_extension *x, ws_str name)
{
    return name.size == strlen(x->name) && !memcmp(name.data, x->name, name.size);
}

/* The required extension that is not the one in use, NULL if there is none. */
static const ws_extension *ws__extension_missing(const ws__cfg *k, const ws_extension *in_use)
{
    const ws_extension *x = ws__extensions(k);

    for (; x && x->name; x++) if (x->required && x != in_use) return x;
    return NULL;
}

#define WS__PARAMS_SIZE 256

/* ==== >>send (private) ================================================================= */

/* Bytes of the queue but for a pong that waits. */
static size_t ws__queued(const ws__tx *tx)
{
    return tx->len - tx->pos - tx->holes + tx->shared;
}

static size_t ws__pending(const ws_conn *c)
{
    return c->tx ? ws__queued(c->tx) + (c->tx->has_pong ? 2u + c->tx->pong_size : 0u) : 0;
}

/* Waiting for the driver: the queue, and what a cork holds. */
static size_t ws__unsent(const ws_conn *c)
{
    return ws__pending(c) + (c->cork ? c->cork->total : 0);
}

/* While the peer does not read, we do not read either. A blocking client waits when it sends. */
static int ws__held_back(const ws_conn *c)
{
    if (WS__HAS(c, WS__PAUSED) && c->phase > WS__PHASE_HTTP) return 1;
    return ws__pending(c) > c->cfg->set.max_backlog / 2 && !WS__HAS(c, WS__IS_BLOCKING);
}

#ifdef WS_NO_SOCKETS
#define WS__LUMPS 1             /* with the engine what was written counts as taken */
static size_t ws__sock_untaken(const ws_conn *c) { (void)c; return 0; }
#else
static size_t ws__sock_untaken(const ws_conn *c);
#endif

/* Begins to watch whether the peer takes what is sent. */
static void ws__taking_begin(ws_conn *c)
{
    c->untaken = (uint32_t)(ws__unsent(c) + ws__sock_untaken(c));
}

/* Bytes that the peer took since it was asked last; what was queued since counts against it. */
static uint32_t ws__taken(ws_conn *c)
{
    uint32_t before = c->untaken;

    ws__taking_begin(c);
    return before > c->untaken ? before - c->untaken : 0;
}

/* Has the peer taken 1 KiB/s or more, over ms milliseconds? */
static int ws__takes(ws_conn *c, uint32_t ms)
{
    return ws__taken(c) >= ms + ms / 42;
}

/* Moves the bytes of a queue to another block, or to the front of their own, leaving out those
   that were dropped. */
static void ws__tx_move(ws__tx *tx, uint8_t *to)
{
    size_t from = tx->pos, at = WS__TX_ROOM;
    uint32_t i, kept = 0;

    for (i = tx->mark_at; i <= tx->mark_end; i++) {
        ws__mark *m = i < tx->mark_end ? &tx->marks[i] : NULL;
        size_t n = (m ? m->at : tx->len) - from;
        memmove(to + at, WS__DATA(tx) + from, n);
        at += n;
        from += n;
        if (m && m->frame) tx->marks[kept] = *m, tx->marks[kept++].at = at;
        else if (m) from += m->extra;
    }
    tx->border = tx->border - tx->pos + WS__TX_ROOM;
    tx->pos = WS__TX_ROOM;
    tx->len = at;
    tx->holes = 0;
    tx->mark_at = 0;
    tx->mark_end = kept;
}

/* Room for n more bytes behind the queue; NULL when memory is out. */
static uint8_t *ws__tx_room(ws_conn *c, size_t n)
{
    ws__tx *tx = c->tx, *bigger;
    size_t used = tx ? tx->len - tx->pos - tx->holes : 0, size;

    /* what is moved is at most four times what was written since, so the cost stays linear */
    if (tx && tx->cap - tx->len < n && tx->pos >= WS__TX_ROOM &&
        (tx->pos - WS__TX_ROOM + tx->holes >= used / 4 || WS__HAS(c, WS__IS_FIXED)))
        ws__tx_move(tx, WS__DATA(tx));
    if (tx && tx->cap - tx->len >= n) return WS__DATA(tx) + tx->len;
    if (WS__HAS(c, WS__IS_FIXED) || n > ((size_t)-1) / 2 - used - 4096) return NULL;
    size = sizeof *tx + WS__TX_ROOM + used + n;
    size = size < 512 ? 512 : size + (used ? size / 4 : 0);
    bigger = (ws__tx *)ws__block_new(c->cfg, &size);
    if (!bigger) return NULL;
    if (tx) {
        size_t old = sizeof *tx + tx->cap;
        ws__tx_move(tx, WS__DATA(bigger));
        *bigger = *tx;
        ws__free(c->cfg, tx, old);
    } else {
        memset(bigger, 0, sizeof *bigger);
        bigger->pos = bigger->len = bigger->border = WS__TX_ROOM;
    }
    bigger->cap = size - sizeof *bigger;
    c->tx = bigger;
    return WS__DATA(bigger) + bigger->len;
}

/* Queues n bytes as they are. raw: they are not frames. */
WS__PRIVATE int ws__tx_append(ws_conn *c, const void *data, size_t n, int raw)
{
    uint8_t *at = ws__tx_room(c, n);
    if (!at) return WS_ERR_MEMORY;
    memcpy(at, data, n);
    c->tx->len += n;
    if (raw) c->tx->border = c->tx->len;
    return 0;
}

/* Bytes of the frame that begins at p, one of ours and all there. */
static size_t ws__frame_size(const uint8_t *p)
{
    ws_frame f = { 0, 0, 0, 0, 0, { 0, 0, 0, 0 } };
    size_t head = (size_t)ws_frame_decode(p, WS_FRAME_HEADER_MAX, &f);

    return head + (size_t)f.size;
}

/* Steps over what was dropped in front; lets go of a queue that holds nothing. */
static void ws__tx_settle(ws_conn *c)
{
    ws__tx *tx = c->tx;

    if (tx->drain > ws__queued(tx)) tx->drain = ws__queued(tx);
    while (tx->mark_at < tx->mark_end && !tx->marks[tx->mark_at].frame &&
           tx->marks[tx->mark_at].at == tx->pos) {
        size_t n = tx->marks[tx->mark_at++].extra;
        tx->holes -= n;
        tx->border = tx->pos += n;
    }
    if (!ws__pending(c)) ws__tx_free(c);
}

/* Has it said all, and waits for the peer to end TCP? A client for the server (7.1.1); a server
   that found a fault so that its Close frame arrives (a loop does that after CLOSE). */
static int ws__awaits_end(const ws_conn *c)
{
    if (!c->close_left || c->phase != WS__PHASE_ENDING || c->fd == WS__NO_SOCK) return 0;
    if (c->cfg->set.io.read || WS__HAS(c, WS__INPUT_END | WS__NO_OUTPUT)) return 0;
    return WS__HAS(c, WS__IS_CLIENT) || (c->error && !c->loop);
}

#define WS__END_WAIT 1000       /* ms that a client waits at most */
#define WS__LINGER 5000         /* and a server */

/* How often the patience must pass before the peer counts as one that takes nothing: with the
   engine alone what was written counts as taken. */
static uint32_t ws__lumps(const ws_conn *c) { return ws__is_driven(c) ? WS__LUMPS : 1; }

/* From now on the peer has so long for its part of closing, or to take more output. */
static void ws__call_begin(ws_conn *c)
{
    if (ws__is_driven(c) && !c->loop) c->now = (uint32_t)ws__clock();
}

static void ws__closing_begin(ws_conn *c)
{
    uint32_t patience = c->cfg->set.close_timeout;

#ifndef WS_NO_SOCKETS
    if (ws__is_driven(c)) c->now = (uint32_t)ws__clock();   /* it may have slept */
#endif
    if (ws__unsent(c) && patience < 1u << 27) patience *= ws__lumps(c);
    if (ws__awaits_end(c))
        patience = ws__smaller(patience, WS__HAS(c, WS__IS_CLIENT) ? WS__END_WAIT : WS__LINGER);
    c->deadline = ws__after(c, patience);
    ws__taking_begin(c);
}

/* After output was written. The closing handshake takes its time once our Close has left. */
static void ws__drained(ws_conn *c)
{
    if (!WS__HAS(c, WS__CLOSE_SENT) || WS__HAS(c, WS__NO_OUTPUT) || c->close_left) return;
    if (ws__unsent(c)) return;
    c->close_left = 1;
    ws__closing_begin(c);
#ifndef WS_NO_SOCKETS
    if (ws__awaits_end(c) && !WS__HAS(c, WS__IS_CLIENT)) shutdown(c->fd, 1);
#endif
}

static void ws__tx_done(ws_conn *c, size_t n)
{
    ws__tx *tx = c->tx;

    if (!tx || n > ws__queued(tx)) return;
    tx->drain = n < tx->drain ? tx->drain - n : 0;
    if (n && (c->phase == WS__PHASE_BODY || ws__held_back(c))) {
        /* its reading shows the peer alive */
        c->last_rx = c->now;
        c->flags &= ~(uint32_t)WS__PINGED;
    }
    while (n && c->tx) {
        ws__mark *m = tx->mark_at < tx->mark_end ? &tx->marks[tx->mark_at] : NULL;
        size_t k = (m ? m->at : tx->len) - tx->pos;
        if (k) {
            if (k > n) k = n;
            tx->pos += k;
        } else {
            k = m->frame->size - tx->sent;
            if (k > n) k = n;
            tx->sent += k;
            tx->shared -= k;
            if (tx->sent == m->frame->size) {
                ws__shared_release(m->frame);
                tx->sent = 0;
                tx->tried = 0;
                tx->mark_at++;
            }
        }
        n -= k;
        while (tx->border < tx->pos) tx->border += ws__frame_size(WS__DATA(tx) + tx->border);
        ws__tx_settle(c);
    }
    ws__drained(c);
}

/* 1 if the shared frame in front must be the next to go. */
static int ws__front_begun(const ws__tx *tx) { return tx->sent || tx->tried; }

#define WS__IO_MAX 16384        /* bytes offered to a ws_io at once: what TLS takes in one record */

/* A ws_io was offered what comes next, and wants to see it again: nothing may go before it. */
WS__PRIVATE void ws__tx_tried(ws_conn *c)
{
    ws__tx *tx = c->tx;
    size_t stop;

    if (!tx || tx->has_pong || c->phase == WS__PHASE_HEAD) return;     /* none but what is begun */
    stop = tx->mark_at < tx->mark_end ? tx->marks[tx->mark_at].at : tx->len;
    if (stop - tx->pos > WS__IO_MAX) stop = tx->pos + WS__IO_MAX;
    while (tx->border < stop) tx->border += ws__frame_size(WS__DATA(tx) + tx->border);
    if (stop == tx->pos && tx->mark_at < tx->mark_end) tx->tried = 1;
}

/* The next pieces to write, in order: fills up to most of v, returns how many. */
static int ws__tx_pieces(const ws_conn *c, ws__piece *v, int most)
{
    const ws__tx *tx = c->tx;
    /* before OPEN only the request may go; before a waiting pong only the frame begun */
    int begun = tx->has_pong || c->phase == WS__PHASE_HEAD, n = 0;
    size_t at = tx->pos, end = begun ? tx->border : tx->len;
    uint32_t i = tx->mark_at;

    while (n < most) {
        const ws__mark *m = i < tx->mark_end ? &tx->marks[i] : NULL;
        size_t stop = m && m->at < end ? m->at : end, sent = i == tx->mark_at ? tx->sent : 0;
        if (at < stop) {
            v[n].iov_base = (void *)(uintptr_t)(WS__DATA(tx) + at);
            v[n++].iov_len = stop - at;
            at = stop;
            continue;
        }
        if (!m || m->at > at || (begun && (i > tx->mark_at || !ws__front_begun(tx)))) break;
        if (m->frame) {
            v[n].iov_base = WS__DATA(m->frame) + sent;
            v[n++].iov_len = m->frame->size - sent;
        } else {
            at += m->extra;
        }
        i++;
    }
    return n;
}

/* ---- shared and dropped frames ---- */

/* Copies pieces one behind the other, masked if f says so. */
static void ws__join_pieces(uint8_t *at, const ws_frame *f, const ws_str *v, int count)
{
    size_t done = 0;

    for (; count > 0; count--, v++) {
        if (f->masked) ws_mask(at + done, v->data, v->size, f->key, done);
        else if (v->size) memcpy(at + done, v->data, v->size);
        done += v->size;
    }
}

/* A new mark before the i-th; NULL when memory is out. */
static ws__mark *ws__mark_new(ws_conn *c, uint32_t i)
{
    ws__tx *tx = c->tx;
    uint32_t used = tx->mark_end - tx->mark_at;

    if (WS__HAS(c, WS__IS_FIXED)) return NULL;
    if (tx->mark_end == tx->mark_cap) {     /* to the front, or as in ws__tx_room elsewhere */
        ws__mark *to = tx->marks;
        uint32_t cap = tx->mark_cap;
        if (tx->mark_at <= used / 4) {
            cap = used + used / 2 + 8;
            to = (ws__mark *)ws__alloc(c->cfg, cap * sizeof *to);
            if (!to) return NULL;
        }
        if (used) memmove(to, tx->marks + tx->mark_at, used * sizeof *to);
        if (to != tx->marks) ws__free(c->cfg, tx->marks, tx->mark_cap * sizeof *to);
        tx->marks = to;
        tx->mark_cap = cap;
        i -= tx->mark_at;
        tx->mark_at = 0;
        tx->mark_end = used;
    }
    memmove(tx->marks + i + 1, tx->marks + i, (tx->mark_end - i) * sizeof *tx->marks);
    tx->mark_end++;
    return &tx->marks[i];
}

/* Room for n bytes to share, with one reference: the caller's. */
static ws__shared *ws__shared_raw(ws__cfg *k, size_t n)
{
    size_t size = sizeof(ws__shared) + n;
    ws__shared *s = (ws__shared *)ws__block_new(k, &size);

    if (!s) return NULL;
    s->cfg = k;
    s->size = n;
    s->block = size;
    s->refs = 1;
    return s;
}

/* The frame of a payload, masked if f says so. */
static ws__shared *ws__shared_new(ws__cfg *k, const ws_frame *f, const ws_str *payload)
{
    ws__shared *s = ws__shared_raw(k, WS_FRAME_HEADER_MAX + payload->size);
    size_t head;

    if (!s) return NULL;
    head = ws_frame_encode(f, WS__DATA(s));
    ws__join_pieces(WS__DATA(s) + head, f, payload, 1);
    s->size = head + payload->size;
    return s;
}

/* Queues a shared frame. */
static int ws__tx_share(ws_conn *c, ws__shared *f, size_t slot)
{
    ws__mark *m;

    if (WS__HAS(c, WS__NO_OUTPUT)) return WS_ERR_STATE;
    if (c->cork && c->cork->total) (c->cork->flush)(c);
    if (!ws__tx_room(c, 0)) return WS_ERR_MEMORY;
    m = ws__mark_new(c, c->tx->mark_end);
    if (!m) {
        ws__tx_settle(c);
        return WS_ERR_MEMORY;
    }
    m->at = c->tx->len;
    m->frame = f;
    m->extra = slot;
    c->tx->shared += f->size;
    f->refs++;
    return 0;
}

/* A place in a queue: before the byte at `at` and the mark-th mark. */
typedef struct ws__place { size_t at; uint32_t mark; } ws__place;

/* The frame at a place, of size bytes; NULL at the end. Steps over dropped bytes. */
static const uint8_t *ws__place_frame(const ws__tx *tx, ws__place *p, size_t *size)
{
    while (p->mark < tx->mark_end && tx->marks[p->mark].at == p->at) {
        const ws__mark *m = &tx->marks[p->mark];
        if (m->frame) {
            *size = m->frame->size;
            return WS__DATA(m->frame);
        }
        p->at += m->extra;
        p->mark++;
    }
    if (p->at == tx->len) return NULL;
    *size = ws__frame_size(WS__DATA(tx) + p->at);
    return WS__DATA(tx) + p->at;
}

static void ws__place_next(const ws__tx *tx, ws__place *p, size_t size)
{
    if (p->mark < tx->mark_end && tx->marks[p->mark].at == p->at) p->mark++;
    else p->at += size;
}

/* Takes the bytes at a place out of the queue: the front moves, or a mark skips them. */
static void ws__place_skip(ws_conn *c, ws__place *p, size_t size)
{
    ws__tx *tx = c->tx;
    ws__mark *m = p->mark > tx->mark_at ? &tx->marks[p->mark - 1] : NULL;
    uint32_t i;

    if (!m && p->at == tx->pos) {
        tx->border = tx->pos += size;
        p->at = tx->pos;
        return;
    }
    if (m && !m->frame && m->at + m->extra == p->at) {
        m->extra += size;
        tx->holes += size;
        p->at += size;
        return;
    }
    i = p->mark - tx->mark_at;
    m = ws__mark_new(c, p->mark);
    i = p->mark = tx->mark_at + i;      /* the marks may have moved */
    if (m) {
        m->at = p->at;
        m->frame = NULL;
        m->extra = size;
        tx->holes += size;
        return;
    }
    tx->len -= size;                    /* no room for a mark: the bytes behind move up */
    memmove(WS__DATA(tx) + p->at, WS__DATA(tx) + p->at + size, tx->len - p->at);
    for (; i < tx->mark_end; i++) tx->marks[i].at -= size;
}

/* Takes the frame at a place out of the queue. After a shared one, a message in itself, the
   place means nothing. */
static void ws__place_cut(ws_conn *c, ws__place *p, size_t size)
{
    ws__tx *tx = c->tx;
    ws__mark *first, *m;

    tx->drain = tx->drain > size ? tx->drain - size : 0;    /* it waits no more */
    if (p->mark == tx->mark_end || tx->marks[p->mark].at != p->at) {
        ws__place_skip(c, p, size);
        return;
    }
    first = tx->marks + tx->mark_at;
    m = tx->marks + p->mark;
    ws__shared_release(m->frame);
    tx->shared -= size;
    memmove(first + 1, first, (size_t)(m - first) * sizeof *m);
    tx->mark_at++;
}

/* Takes the oldest whole message out of the queue of which nothing was written; control
   frames stay. Returns 0 when there is none. */
static int ws__tx_drop_oldest(ws_conn *c)
{
    ws__tx *tx = c->tx;
    ws__place at, look;
    const uint8_t *p;
    size_t size = 0;
    int last = 0;

    if (!tx) return 0;
    at.at = tx->border;
    at.mark = tx->mark_at + (ws__front_begun(tx) ? 1 : 0);
    if (c->phase == WS__PHASE_BODY) {       /* each mark is one write */
        while (at.mark < tx->mark_end && !tx->marks[at.mark].frame) at.mark++;
        if (at.mark == tx->mark_end) return 0;
        at.at = tx->marks[at.mark].at;
        ws__place_cut(c, &at, tx->marks[at.mark].frame->size);
        ws__tx_settle(c);
        return 1;
    }
    while ((p = ws__place_frame(tx, &at, &size)) && (p[0] & 15) != 1 && (p[0] & 15) != 2)
        ws__place_next(tx, &at, size);
    for (look = at; p && (!(p[0] & 0x80) || (p[0] & 8)); p = ws__place_frame(tx, &look, &size))
        ws__place_next(tx, &look, size);
    if (!p) return 0;                   /* none, or its end is not queued yet */
    while (!last) {
        p = ws__place_frame(tx, &at, &size);
        last = (p[0] & 0x88) == 0x80;
        if (p[0] & 8) ws__place_next(tx, &at, size);
        else ws__place_cut(c, &at, size);
    }
    ws__tx_settle(c);
    return 1;
}

/* Do n bytes at p lie wholly in what an event shows? The NUL behind it is no part of that. */
static int ws__borrowed(const ws_conn *c, const ws__gather *g, const uint8_t *p, size_t n)
{
    if (p >= g->lo && p < g->hi) return n <= (size_t)(g->hi - p);
    return WS__HAS(c, WS__MESSAGE_HELD) && p >= WS__DATA(c->rx) &&
           p < WS__DATA(c->rx) + c->rx->msg && n <= (size_t)(WS__DATA(c->rx) + c->rx->msg - p);
}

static void ws__gather_piece(ws__gather *g, const uint8_t *p, size_t n)
{
    ws__piece *last = g->n ? &g->piece[g->n - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == p) {
        last->iov_len += n;
    } else {
        g->piece[g->n].iov_base = (void *)(uintptr_t)p;
        g->piece[g->n].iov_len = n;
        g->n++;
    }
    g->total += n;
}

/* Adds a frame to the cork; 0 when it does not fit. */
static int ws__gather_frame(ws_conn *c, const ws_frame *f, const ws_str *v, int count)
{
    ws__gather *g = c->cork;
    uint8_t *at = g->buf + g->len;
    size_t n = (size_t)f->size, copied, head;
    int borrow = n >= WS__BORROW_MIN && !f->masked && count == 1 && !ws__io(c) &&
                 ws__borrowed(c, g, (const uint8_t *)v->data, n);

    copied = borrow ? 0 : n;
    if (g->n + 2 > WS__PIECES || copied > g->cap || g->cap - g->len < copied + 14) return 0;
    head = ws_frame_encode(f, at);
    if (copied) ws__join_pieces(at + head, f, v, count);
    g->len += head + copied;
    ws__gather_piece(g, at, head + copied);
    if (borrow) ws__gather_piece(g, (const uint8_t *)v->data, n);
    return 1;
}

static size_t ws__header_size(const ws_conn *c, size_t n)
{
    return 2u + (n < 126 ? 0u : n < 65536 ? 2u : 8u) + (WS__HAS(c, WS__IS_CLIENT) ? 4u : 0u);
}

#define WS__UNFINISHED 0x80     /* added to an opcode: FIN stays 0 */
#define WS__PLAIN 1             /* ws__coded_put: nothing was queued, better as it is */

/* A header for n bytes; op may have WS__UNFINISHED. */
static int ws__frame_make(ws_conn *c, ws_frame *f, int op, size_t n)
{
    memset(f, 0, sizeof *f);
    f->fin = !(op & WS__UNFINISHED);
    f->op = op & 15;
    f->size = n;
    f->masked = WS__HAS(c, WS__IS_CLIENT);
    WS_TRACE(c, "frame out", (f->fin ? 0x80 : 0) | f->op);
    return f->masked ? ws__random(c->cfg, f->key, 4) : 0;
}

/* Sends or queues one frame, its payload of n bytes in pieces. */
static int ws__frame_put(ws_conn *c, int op, const ws_str *v, int count, size_t n)
{
    ws_frame f;
    uint8_t *at;
    size_t head;
    int r;

    if (WS__HAS(c, WS__NO_OUTPUT)) return WS_ERR_STATE;
    r = ws__frame_make(c, &f, op, n);
    if (r) return r;
    if (c->cork && !ws__pending(c)) {
        if (ws__gather_frame(c, &f, v, count)) return 0;
        (c->cork->flush)(c);
        if (!ws__pending(c) && ws__gather_frame(c, &f, v, count)) return 0;
    } else if (c->cork && c->cork->total) {
        (c->cork->flush)(c);
    }
    at = ws__tx_room(c, n + ws__header_size(c, n));
    if (!at) return WS_ERR_MEMORY;
    head = ws_frame_encode(&f, at);
    ws__join_pieces(at + head, &f, v, count);
    c->tx->len += head + n;
    return 0;
}

/* Bytes that a message takes in frames of at most most bytes. */
static uint64_t ws__wire_size(const ws_conn *c, size_t n, size_t most)
{
    size_t full = n > most ? (n - 1) / most : 0;

    return n + (uint64_t)full * ws__header_size(c, most) + ws__header_size(c, n - full * most);
}

/* ws__tx_room behind used bytes that are not queued yet. */
static uint8_t *ws__tx_room_behind(ws_conn *c, size_t used, size_t n)
{
    uint8_t *at;

    if (c->tx) c->tx->len += used;
    at = ws__tx_room(c, n);
    if (c->tx) c->tx->len -= used;
    return at;
}

/* Makes frames of at most most bytes out of size bytes behind the queue. op: of the first, which
   is marked with the reserved bits rsv; with WS__UNFINISHED none has FIN. */
static int ws__frame_run(ws_conn *c, int op, int rsv, size_t size, size_t most)
{
    size_t heads = (size_t)(ws__wire_size(c, size, most) - size), i;
    size_t frames = size > most ? (size - 1) / most + 1 : 1;
    uint8_t head[WS_FRAME_HEADER_MAX], *base, *to;

    base = ws__tx_room_behind(c, size, heads);
    if (!base) return WS_ERR_MEMORY;
    base -= size;
    for (i = frames; i-- > 0;) {    /* from the last one on they move up */
        size_t k = i + 1 < frames ? most : size - i * most, n;
        int r, end = i + 1 < frames ? WS__UNFINISHED : op & WS__UNFINISHED;
        ws_frame f;
        r = ws__frame_make(c, &f, (i ? WS_OP_CONTINUATION : op & 15) | end, k);
        if (r) return r;
        if (!i && op & 15) f.rsv = (uint8_t)rsv;
        n = ws_frame_encode(&f, head);
        to = base + i * most + (i ? i * ws__header_size(c, most) : 0);
        memmove(to + n, base + i * most, k);
        memcpy(to, head, n);
        if (f.masked) ws_mask(to + n, to + n, k, f.key, 0);
    }
    c->tx->len += size + heads;
    return 0;
}

/* Encodes a message of n bytes, or a part of one, behind the queue: *size bytes. */
static int ws__encode_run(ws_conn *c, const ws_str *v, int count, size_t n, int end, size_t *size)
{
    ws__ext *e = c->more->ext;
    size_t room = WS__HAS(c, WS__IS_FIXED) ? WS__CODE_ROOM : n / 2 + 256, made;
    ws__encoding f = { NULL, 0, 0, 0 };
    int r;

    f.v = v;
    f.count = count;
    f.end = end;
    *size = 0;
    r = ws__coder_begin(c->cfg, e->set, e->agreed, &e->out);
    while (!r) {
        uint8_t *at = ws__tx_room_behind(c, *size, room);
        if (!at) return WS_ERR_MEMORY;
        r = ws__encode(e->set, &e->out, &f, at, c->tx->cap - c->tx->len - *size, &made);
        if (r < 0) break;
        *size += made;
        if (*size > 2 * n + 4096) return WS_ERR_CODEC;
    }
    return r < 0 ? r : 0;
}

/* Queues a message of n bytes, or a part of one, as the extension encodes it, in frames of at
   most most bytes. */
static int ws__coded_put(ws_conn *c, int op, const ws_str *v, int count, size_t n, size_t most)
{
    ws__ext *e = c->more->ext;
    int end = op & WS__UNFINISHED ? 1 : 2, whole = end == 2 && op & 15, r;
    size_t size;

    if (c->cork && c->cork->total) (c->cork->flush)(c);
    if (WS__HAS(c, WS__NO_OUTPUT)) return WS_ERR_STATE;
    r = ws__encode_run(c, v, count, n, end, &size);
    if (!r && whole && e->set->only_smaller && e->out.alone && size >= n) r = WS__PLAIN;
    if (!r) r = ws__frame_run(c, op, e->set->rsv, size, most);
    if (r == WS_ERR_MEMORY && WS__HAS(c, WS__IS_FIXED) && op & 15) r = WS__PLAIN;  /* it fits */
    if (r && c->tx) ws__tx_settle(c);
    /* what the encoder remembers of a message that did not go, the peer does not know */
    if (r || (end == 2 && e->out.alone)) ws__coder_end(c->cfg, e->set, &e->out);
    return r;
}

/* A control frame. */
static int ws__control_put(ws_conn *c, int op, const void *data, size_t n)
{
    ws_str v = ws__str((const char *)data, n);

    return ws__frame_put(c, op, &v, 1, n);
}

/* Answers a ping: at once while little waits, else the latest one overtakes the queue at the
   next frame border (5.5.3 allows to answer only the latest). */
static int ws__pong_put(ws_conn *c, const void *data, size_t n)
{
    size_t limit = WS__HAS(c, WS__IS_FIXED) ? c->tx->cap / 4 : WS__PONG_QUEUE;

    if (WS__HAS(c, WS__NO_OUTPUT)) return 0;
    if (!c->tx || ws__pending(c) <= limit) return ws__control_put(c, WS_OP_PONG, data, n);
    c->tx->has_pong = 1;
    c->tx->pong_size = (uint8_t)n;
    if (n) memcpy(c->tx->pong, data, n);
    return 0;
}

/* Puts the waiting pong in front of the queue. The queue stands at a frame border. */
static void ws__pong_front(ws_conn *c)
{
    ws__tx *tx = c->tx;
    ws_frame f;
    size_t head;
    uint8_t header[WS_FRAME_HEADER_MAX];

    memset(&f, 0, sizeof f);
    f.fin = 1;
    f.op = WS_OP_PONG;
    f.size = tx->pong_size;
    f.masked = WS__HAS(c, WS__IS_CLIENT);
    tx->has_pong = 0;
    if (f.masked && ws__random(c->cfg, f.key, 4)) return;
    head = ws_frame_encode(&f, header);
    tx->pos -= head + tx->pong_size;
    if (tx->drain) tx->drain += head + tx->pong_size;
    memcpy(WS__DATA(tx) + tx->pos, header, head);
    ws_mask(WS__DATA(tx) + tx->pos + head, tx->pong, tx->pong_size, f.key, 0);
}

static int ws__close_put(ws_conn *c, int code, const char *reason, size_t n)
{
    uint8_t body[125];
    int r;

    if (WS__HAS(c, WS__CLOSE_SENT)) return 0;
    body[0] = (uint8_t)(code >> 8);
    body[1] = (uint8_t)code;
    if (n > 123) n = 123;
    if (n) memcpy(body + 2, reason, n);
    r = ws__control_put(c, WS_OP_CLOSE, body, code ? n + 2 : 0);
    if (!r) c->flags |= WS__CLOSE_SENT;
    return r;
}

/* ---- errors ---- */

static void ws__drop_output(ws_conn *c)
{
    if (ws__unsent(c)) c->flags &= ~(uint32_t)WS__ANSWERED;     /* it will not arrive */
    c->flags |= WS__NO_OUTPUT;
    if (c->tx) ws__tx_free(c);
    if (c->cork) c->cork->n = 0, c->cork->len = c->cork->total = 0;
}

static void ws__end(ws_conn *c, int phase)
{
    c->phase = (uint8_t)phase;
    c->flags &= ~(uint32_t)WS__CORKED;
    ws__closing_begin(c);
    ws__drained(c);
    ws__wake(c);
}

/* A fault in the frames: its text says at which of their bytes. A close reason does not. */
static int ws__is_placed(int number)
{
    int tell = ws__error_tell(number);

    return tell >= 1002 && tell <= 1009;
}

static void ws__note_error(ws_conn *c, int number, const char *more)
{
    char *room = ws__note_new(c);
    ws__text t;

    if (!room) return;
    t = ws__text_in(room, WS__HAS(c, WS__IS_FIXED) ? WS__NOTE_FIXED : WS__NOTE_SIZE);
    ws__puts(&t, ws__error_text(number));
    if (more) {
        ws__puts(&t, ": ");
        ws__puts(&t, more);
    }
    if (number == -WS_ERR_STATUS && c->cfg->status) {
        ws__puts(&t, " with status ");
        ws__put_number(&t, c->cfg->status);
    }
    if (ws__is_placed(number) || number == -WS_ERR_HEAD_SYNTAX) {
        ws__puts(&t, " at byte ");
        ws__put_number(&t, c->taken);
    }
}

#ifndef WS_NO_SERVER
static int ws__refuse(ws_conn *c, int status, const ws_header *headers, const char *text,
                      size_t n, int with_body);
#endif

/* The one way into failure: tells the peer what the RFC wants it told, and ends. */
static void ws__fail_with(ws_conn *c, int error, const char *more)
{
    int tell = ws__error_tell(-error);

    WS_TRACE(c, "error", error);
    if (c->phase >= WS__PHASE_ENDING && c->error) {
        c->phase = WS__PHASE_ENDED;
        ws__wake(c);
        return;
    }
    if (!c->error) {
        c->error = (uint8_t)-error;
        if (!WS__HAS(c, WS__CLOSE_GOT)) {
            c->code = (uint16_t)(tell >= 1000 ? tell : WS_CLOSE_ABNORMAL);
            if (error == WS_ERR_TLS && !WS__HAS(c, WS__OPENED)) c->code = WS_CLOSE_TLS;
            ws__note_error(c, -error, more);
        }
    }
    if (tell >= 1000 && c->phase == WS__PHASE_FRAMES) {
        const char *text = ws__error_text(-error);
        ws__close_put(c, tell, text, strlen(text));
        ws__end(c, WS__PHASE_ENDING);
#ifndef WS_NO_SERVER
    } else if (tell >= 400 && tell < 600 && !WS__HAS(c, WS__IS_CLIENT) &&
               c->phase < WS__PHASE_FRAMES) {
        const char *text = ws__error_text(-error);
        static const ws_header retry[] = { { "Retry-After", "5" }, { NULL, NULL } };
        ws__refuse(c, tell, tell == 503 ? retry : NULL, text, strlen(text), 1);
        ws__end(c, WS__PHASE_ENDING);
#endif
    } else {
        ws__drop_output(c);
        ws__end(c, WS__PHASE_ENDED);
    }
}

static void ws__fail(ws_conn *c, int error) { ws__fail_with(c, error, NULL); }

/* Our own ping carries the time, so that its pong tells the round trip. */
static int ws__ping_put(ws_conn *c)
{
    uint8_t sent[4];
    int r;

    ws__put16(sent, c->now >> 16);
    ws__put16(sent + 2, c->now);
    r = ws__control_put(c, WS_OP_PING, sent, 4);
    if (!r) c->flags |= WS__RTT_ASKED;
    return r;
}

static void ws__pong_got(ws_conn *c, const uint8_t *p, size_t n)
{
    uint32_t ms;

    if (n != 4 || !WS__HAS(c, WS__RTT_ASKED)) return;
    ms = c->now - ((uint32_t)ws__get16(p) << 16 | ws__get16(p + 2));
    if (ms >= 65535) return;
    c->rtt = (uint16_t)(ms + 1);
    c->flags &= ~(uint32_t)WS__RTT_ASKED;
}

/* ---- messages in parts ---- */

/* ws_send_part, for the application or its source. */
static int ws__part_put(ws_conn *c, int op, const void *data, size_t n, int last)
{
    ws_str v = ws__str((const char *)data, n);
    ws__ext *e = ws__ext_of(c);
    int coded = e && (c->sending ? e->part_coded : ws__encodes(c, op, (size_t)-1)), r;
    int frame = (c->sending ? WS_OP_CONTINUATION : op & 15) | (last ? 0 : WS__UNFINISHED);

    if (coded) r = ws__coded_put(c, frame, &v, 1, n, (size_t)-1 / 4);
    if (coded && r == WS__PLAIN) coded = 0;
    if (!coded) r = ws__frame_put(c, frame, &v, 1, n);
    if (r && c->sending && coded) ws__fail(c, r);   /* the encoder is ahead of the peer */
    if (r) return r;
    if (e) e->part_coded = (uint8_t)coded;
    c->sending = (uint8_t)(last ? 0 : op);
    c->last_message = c->now;
    return 0;
}

#define WS__SOURCE_PIECE 4096

/* 1 while a message is being pulled from the application. */
static int ws__has_source(const ws_conn *c) { return c->more && c->more->read; }

/* 1 if it may have more now. */
static int ws__source_ready(const ws_conn *c)
{
    return ws__has_source(c) && !c->more->read_waits && c->phase == WS__PHASE_FRAMES &&
           !WS__HAS(c, WS__CLOSE_SENT | WS__NO_OUTPUT);
}

/* 1 if the next pull can give WRITABLE. */
static int ws__writable_due(const ws_conn *c)
{
    if (c->phase < WS__PHASE_FRAMES || c->phase > WS__PHASE_BODY) return 0;
    if (WS__HAS(c, WS__REFUSED) && ws__pending(c) > c->cfg->set.max_backlog / 4) return 0;
    if (!WS__HAS(c, WS__DRAIN_ASKED)) return WS__HAS(c, WS__REFUSED);
    return !(c->tx && c->tx->drain) && !(c->more && c->more->read_asked);
}

/* Reads a piece of the source to buf: its size, 0 at the end, or negative: nothing is to be sent
   (*r: the error, or 0). */
static ptrdiff_t ws__source_read(ws__more *m, void *buf, int *r)
{
    ptrdiff_t n = (m->read)(m->read_user, buf, WS__SOURCE_PIECE);

    *r = 0;
    m->read_waits = n == WS_IO_WANT_READ || n == WS_IO_WANT_WRITE;
    if (m->read_waits) return n;
    if (n < 0 || n > WS__SOURCE_PIECE) *r = WS_ERR_SOURCE;
    if (n <= 0 || *r) m->read = NULL;
    return *r ? -1 : n;
}

/* A piece of the source as a frame, made in the place from which it is sent. */
static int ws__source_plain(ws_conn *c)
{
    ws__more *m = c->more;
    uint8_t *at = ws__tx_room(c, WS_FRAME_HEADER_MAX + WS__SOURCE_PIECE);
    ptrdiff_t n;
    ws_frame f;
    size_t head;
    int r;

    if (!at) return WS_ERR_MEMORY;
    n = ws__source_read(m, at + WS_FRAME_HEADER_MAX, &r);
    if (n >= 0)
        r = ws__frame_make(c, &f, (c->sending ? WS_OP_CONTINUATION : m->read_op & 15) |
                                  (n ? WS__UNFINISHED : 0), (size_t)n);
    if (n < 0 || r) {
        ws__tx_settle(c);
        return r;
    }
    head = ws_frame_encode(&f, at);
    memmove(at + head, at + WS_FRAME_HEADER_MAX, (size_t)n);
    if (f.masked) ws_mask(at + head, at + head, (size_t)n, f.key, 0);
    c->tx->len += head + (size_t)n;
    c->sending = (uint8_t)(n ? m->read_op : 0);
    c->last_message = c->now;
    return 0;
}

/* The same, encoded by the extension. */
static int ws__source_coded(ws_conn *c)
{
    ws__more *m = c->more;
    size_t size = WS__SOURCE_PIECE;
    void *piece = ws__block_new(c->cfg, &size);
    ptrdiff_t n;
    int r;

    if (!piece) return WS_ERR_MEMORY;
    n = ws__source_read(m, piece, &r);
    if (n >= 0) r = ws__part_put(c, m->read_op, piece, (size_t)n, n == 0);
    ws__block_free(c->cfg, piece, size);
    return r;
}

/* Lets the source fill the empty queue with one frame. */
static void ws__source_pull(ws_conn *c)
{
    ws__more *m = c->more;
    int r = ws__ext_of(c) ? ws__source_coded(c) : ws__source_plain(c);

    if (r) ws__fail(c, r);
    if (m->read || !m->read_asked) return;
    m->read_asked = 0;
    if (c->tx) c->tx->drain = ws__queued(c->tx);
}

/* ---- deadlines ---- */

static uint32_t ws__sooner(uint32_t now, uint32_t a, uint32_t b)
{
    return (int32_t)(a - now) < (int32_t)(b - now) ? a : b;
}

static uint32_t ws__open_deadline(const ws_conn *c)
{
    const ws_config *s = &c->cfg->set;
    uint32_t due = ws__after(c, WS_NEVER);

    if (s->ping_interval != WS_NEVER && !WS__HAS(c, WS__PINGED))
        due = c->last_rx + s->ping_interval;
    if (s->ping_timeout != WS_NEVER && WS__HAS(c, WS__PINGED))
        due = c->last_ping + s->ping_timeout;
    if (s->idle_timeout != WS_NEVER)
        due = ws__sooner(c->now, due, c->last_message + s->idle_timeout);
    return due;
}

static uint32_t ws__body_due(const ws_conn *c)
{
    const ws__more *m = c->more;

    if (!m || !m->beat) return ws__after(c, WS_NEVER);
    if (!ws__pending(c) || c->cfg->set.ping_timeout == WS_NEVER) return m->beat_at;
    return ws__sooner(c->now, m->beat_at, WS__HAS(c, WS__PINGED)
                      ? c->last_ping + c->cfg->set.ping_timeout : c->last_rx + m->beat_ms);
}

/* Exact, whatever changed since the deadline was set. */
static uint32_t ws__due(const ws_conn *c)
{
    uint32_t idle = c->cfg->set.idle_timeout;

    if (c->phase == WS__PHASE_FRAMES && !WS__HAS(c, WS__CLOSE_SENT)) return ws__open_deadline(c);
    if (c->phase == WS__PHASE_BODY) return ws__body_due(c);
    if (c->phase != WS__PHASE_READING) return c->deadline;
    return idle == WS_NEVER ? ws__after(c, WS_NEVER) : c->last_message + idle;
}

static int ws__overdue(const ws_conn *c) { return (int32_t)(c->now - ws__due(c)) >= 0; }

/* ==== >>shake (private) ================================================================ */

/* Begins text of at most n bytes behind the queue; ws__text_end queues all of it or nothing. */
static int ws__text_begin(ws_conn *c, ws__text *t, size_t n)
{
    uint8_t *at;

    if (WS__HAS(c, WS__IS_FIXED)) n = c->tx->cap - c->tx->len - 1;
    at = ws__tx_room(c, n + 1);
    if (!at) return WS_ERR_MEMORY;
    t->at = (char *)at;
    t->end = t->at + n + 1;
    t->cut = 0;
    return 0;
}

static int ws__text_end(ws_conn *c, const ws__text *t)
{
    if (t->cut) return WS_ERR_MEMORY;
    c->tx->len = (size_t)((uint8_t *)t->at - WS__DATA(c->tx));
    c->tx->border = c->tx->len;
    return 0;
}

/* The n-th (1..) subprotocol of the configuration, "" for 0. */
static const char *ws__protocol_at(const ws__cfg *k, int n)
{
    const char *at = k->set.protocols;
    if (!n) return "";
    while (--n) at += strlen(at) + 1;
    return at;
}

static uint8_t ws__protocol_find(const ws__cfg *k, ws_str name)
{
    const char *at = k->set.protocols;
    int n;
    for (n = 1; *at && n < 256; at += strlen(at) + 1, n++)
        if (strlen(at) == name.size && !memcmp(at, name.data, name.size)) return (uint8_t)n;
    return 0;
}

/* ---- server ---- */

#ifndef WS_NO_SERVER

static const char *ws__status_text(int status)
{
    static const struct { int status; const char *text; } known[] = {
        { 101, "Switching Protocols" }, { 200, "OK" }, { 201, "Created" },
        { 204, "No Content" }, { 206, "Partial Content" },
        { 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" },
        { 304, "Not Modified" }, { 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
        { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
        { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
        { 413, "Content Too Large" }, { 416, "Range Not Satisfiable" },
        { 426, "Upgrade Required" },
        { 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" }, { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" }
    };
    size_t i;
    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) return known[i].text;
    return "Status";
}

static void ws__put_status(ws__text *t, int status)
{
    ws__puts(t, "HTTP/1.1 ");
    ws__put_number(t, (uint64_t)status);
    ws__puts(t, " ");
    ws__puts(t, ws__status_text(status));
    ws__puts(t, "\r\nConnection: close");
    if (status == 426) ws__puts(t, ", Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13");
    ws__puts(t, "\r\n");
}

/* Queues an HTTP answer that ends the connection. */
static int ws__refuse(ws_conn *c, int status, const ws_header *headers, const char *text,
                      size_t n, int with_body)
{
    int bare = status == 204 || status == 304;
    ws__text t;

    if (ws__text_begin(c, &t, 320 + ws__lines_size(headers) + n)) {
        ws__drop_output(c);
        return WS_ERR_MEMORY;
    }
    ws__put_status(&t, status);
    if (n && !bare && !ws__has_header(headers, "Content-Type"))
        ws__puts(&t, "Content-Type: text/plain\r\n");
    if (status == 405 && !ws__has_header(headers, "Allow")) ws__puts(&t, "Allow: GET\r\n");
    ws__put_lines(&t, headers);
    if (!bare && !ws__has_header(headers, "Content-Length")) {
        ws__puts(&t, "Content-Length: ");
        ws__put_number(&t, n);
        ws__puts(&t, "\r\n");
    }
    ws__puts(&t, "\r\n");
    if (with_body && !bare) ws__put(&t, text, n);
    if (!ws__text_end(c, &t)) return 0;
    ws__drop_output(c);
    return WS_ERR_MEMORY;
}

#endif /* WS_NO_SERVER */

/* What a request says about the upgrade. Counts tell repeated fields. */
typedef struct ws__request {
    ws_str method, target, version;
    ws_str host, key, wanted, origin, protocols;
    int hosts, keys, versions, origins;
    int upgrade, connection, has_upgrade, body;
} ws__request;

static void ws__request_field(ws__request *r, ws_str name, ws_str value)
{
    if (ws_str_is(name, "Host")) { r->hosts++; r->host = value; }
    else if (ws_str_is(name, "Sec-WebSocket-Key")) { r->keys++; r->key = value; }
    else if (ws_str_is(name, "Sec-WebSocket-Version")) { r->versions++; r->wanted = value; }
    else if (ws_str_is(name, "Origin")) { r->origins++; r->origin = value; }
    else if (ws_str_is(name, "Upgrade")) {
        r->has_upgrade = 1;
        r->upgrade |= ws_list_has(value, "websocket");
    }
    else if (ws_str_is(name, "Connection")) r->connection |= ws_list_has(value, "upgrade");
    else if (ws_str_is(name, "Transfer-Encoding")) r->body = 1;
    else if (ws_str_is(name, "Content-Length")) r->body |= !ws_str_is(value, "0");
}

/* Reads a request head. 0 or WS_ERR_HEAD_SYNTAX. */
static int ws__request_read(ws__request *r, ws_str head)
{
    ws_str name, value;
    size_t pos = 0;
    int fault;

    memset(r, 0, sizeof *r);
    fault = ws_head_request(head, &r->method, &r->target, &r->version);
    while (!fault && ws_head_field(head, &pos, &name, &value))
        ws__request_field(r, name, value);
    return fault;
}

#ifndef WS_NO_SERVER

/* The extension for a client that offers some, and its answer. */
typedef struct ws__choice {
    const ws_extension *set;    /* NULL: none */
    uint32_t agreed;
    char answer[WS__PARAMS_SIZE];
} ws__choice;

/* Finds the element of that place (0..) over all lines of a name. Returns it, or how
   many there are. Commas alone separate: a quote that a client sends must not swallow what the
   proxies put behind it. */
static uint32_t ws__forwarded_find(const ws_conn *c, const char *field, uint32_t place,
                                   ws_str *item)
{
    ws_str name, line;
    size_t pos = 0, at, end;
    uint32_t count = 0;

    while (ws_header_next(c, &pos, &name, &line)) {
        if (!ws_str_is(name, field)) continue;
        for (at = 0; at < line.size; at = end + 1) {
            end = ws__find(line, at, ',');
            *item = ws__trim(line.data, at, end);
            if (item->size && count++ == place) return place;
        }
    }
    return count;
}

/* Same host and port as Host, the scheme's port filled in on both sides (a proxy in front may
   have ended TLS). */
static int ws__same_origin(ws_str origin, ws_str host)
{
    ws__origin o;
    ws_str name;
    unsigned port;

    return ws__origin_parse(&o, origin) && o.port &&
           ws__authority(host, &name, &port, o.standard) && port == o.port &&
           ws__same_text(name, o.host);
}

/* Does an element of cfg.origins stand for the origin? */
static int ws__origin_fits(ws_str item, ws_str origin)
{
    ws__origin a, b;
    size_t tail;

    if (ws_str_is(item, "null")) return ws_str_is(origin, "null");
    if (!ws__origin_parse(&a, item) || !ws__origin_parse(&b, origin)) return 0;
    if (a.port != b.port || !ws__same_text(a.scheme, b.scheme)) return 0;
    if (!a.below) return ws__same_text(a.host, b.host);
    if (b.host.size <= a.host.size + 1) return 0;
    tail = b.host.size - a.host.size;
    return b.host.data[tail - 1] == '.' &&
           ws__same_text(a.host, ws__str(b.host.data + tail, a.host.size));
}

/* The host that the client asked for: of trusted proxies, the first one tells it. */
static ws_str ws__asked_host(const ws_conn *c, const ws__request *r)
{
    static const char name[] = "X-Forwarded-Host";
    uint32_t trusted = c->cfg->set.trusted_proxies, count;
    ws_str item;

    count = trusted ? ws__forwarded_find(c, name, UINT32_MAX, &item) : 0;
    if (!count) return r->host;
    ws__forwarded_find(c, name, count > trusted ? count - trusted : 0, &item);
    return item;
}

static int ws__origin_allowed(const ws_conn *c, const ws__request *r)
{
    ws_str list = ws__cstr(c->cfg->set.origins), item;

    if (!r->origins) return 1;
    if (!c->cfg->set.origins) return ws__same_origin(r->origin, ws__asked_host(c, r));
    while (ws_list_next(&list, &item)) {
        if (ws_str_is(item, "*") || ws__origin_fits(item, r->origin)) return 1;
        if (ws_str_is(item, "same") && ws__same_origin(r->origin, ws__asked_host(c, r))) return 1;
    }
    return 0;
}

static int ws__target_valid(ws_str target)
{
    ws_str scheme = target;
    size_t i;

    if (ws__find(target, 0, '#') < target.size) return 0;
    if (target.data[0] == '/') return 1;
    scheme.size = ws__find(target, 0, ':');
    i = scheme.size + 3;                    /* where the host begins */
    if (i >= target.size || memcmp(target.data + scheme.size, "://", 3)) return 0;
    if (target.data[i] == '/' || target.data[i] == '?') return 0;
    return ws_str_is(scheme, "http") || ws_str_is(scheme, "https") || ws_str_is(scheme, "ws") ||
           ws_str_is(scheme, "wss");
}

/* 24 characters that decode to 16 bytes. Real clients leave bits in the last letter that stand for
   none of them. */
static int ws__key_valid(ws_str key)
{
    size_t i = 0;

    while (i < key.size && ws__base64_value(key.data[i]) < 64) i++;
    return i == 22 && key.size == 24 && key.data[22] == '=' && key.data[23] == '=';
}

/* 0: a good WebSocket request; WS_ERR_NOT_UPGRADE: plain HTTP; else the fault, perhaps with
   *why. */
WS__APART int ws__request_check(const ws_conn *c, const ws__request *r, const char **why)
{
    ws_str host;
    unsigned port;
    int major_1 = r->version.data[5] == '1', modern = ws_str_is(r->version, "HTTP/1.1");
    int wants = r->upgrade || r->keys || r->versions;

    if (!major_1) return WS_ERR_HTTP_VERSION;
    if (r->hosts > 1 || (r->hosts && r->host.size && !ws__authority(r->host, &host, &port, 80)))
        return WS_ERR_HOST;
    if ((!r->hosts || !r->host.size) && (modern || wants)) return WS_ERR_HOST;
    if (!wants) return WS_ERR_NOT_UPGRADE;
    if (r->keys && !r->has_upgrade && (!modern || !r->connection)) {
        *why = "a proxy removed it (nginx: proxy_http_version 1.1, proxy_set_header Upgrade)";
        return WS_ERR_UPGRADE;
    }
    if (r->keys && !r->connection && !modern) {
        *why = "a proxy removed it (nginx: proxy_set_header Connection upgrade)";
        return WS_ERR_CONNECTION;
    }
    if (r->method.size != 3 || memcmp(r->method.data, "GET", 3)) return WS_ERR_METHOD;
    if (!modern) return WS_ERR_HTTP_VERSION;
    if (!ws__target_valid(r->target)) {
        *why = "request target";
        return WS_ERR_HEAD_SYNTAX;
    }
    if (!r->upgrade) {
        if (!r->has_upgrade) *why = "missing: perhaps a proxy removed it";
        return WS_ERR_UPGRADE;
    }
    if (!r->connection) {
        if (r->keys) *why = "a proxy removed it (nginx: proxy_set_header Connection upgrade)";
        return WS_ERR_CONNECTION;
    }
    *why = NULL;
    if (r->versions > 1 || r->origins > 1) {
        *why = r->origins > 1 ? "Origin repeated" : "Sec-WebSocket-Version repeated";
        return WS_ERR_HEAD_SYNTAX;
    }
    if (!r->versions || !ws_str_is(r->wanted, "13")) return WS_ERR_VERSION;
    if (r->keys != 1 || !ws__key_valid(r->key)) return WS_ERR_KEY;
    if (r->body) return WS_ERR_BODY;
    if (!ws__origin_allowed(c, r)) return WS_ERR_ORIGIN;
    return 0;
}

#define WS__NOT_OFFERED 0xFFFFFFFFu

/* The place of a subprotocol among those that the client offers: 0 for the first. */
static uint32_t ws__offer_find(const ws_conn *c, const char *protocol)
{
    ws_walk w = { 0, { NULL, 0 } };
    ws_str item;
    uint32_t n;

    for (n = 0; ws_header_walk(c, "Sec-WebSocket-Protocol", &w, &item); n++)
        if (strlen(protocol) == item.size && !memcmp(protocol, item.data, item.size)) return n;
    return WS__NOT_OFFERED;
}

/* The first of the client's offers that we support (4.2.2 /subprotocol/). */
static void ws__protocol_choose(ws_conn *c)
{
    ws_walk w = { 0, { NULL, 0 } };
    ws_str item;

    while (!c->protocol && ws_header_walk(c, "Sec-WebSocket-Protocol", &w, &item))
        c->protocol = ws__protocol_find(c->cfg, item);
}

/* Does the client offer x in a way that suits? Of several offers the first one that does. */
static int ws__extension_accept(const ws_conn *c, const ws_extension *x, ws__choice *o)
{
    ws_walk w = { 0, { NULL, 0 } };
    ws_str item, params;

    while (ws_header_walk(c, "Sec-WebSocket-Extensions", &w, &item)) {
        *o->answer = 0;
        if (ws__extension_is(x, ws__extension_name(item, &params)) &&
            !(x->accept)(x->user, params, o->answer, sizeof o->answer, &o->agreed) &&
            ws__is_value(o->answer)) {
            o->set = x;
            return 1;
        }
    }
    return 0;
}

/* Chooses the extension. Returns a fault, and why. */
WS__APART int ws__extension_choose(const ws_conn *c, ws__choice *o, const char **why)
{
    const ws_extension *x = ws__extensions(c->cfg);
    ws_walk w = { 0, { NULL, 0 } };
    ws_str item;

    memset(o, 0, sizeof *o);
    while (x && ws_header_walk(c, "Sec-WebSocket-Extensions", &w, &item))
        if (!ws__extension_parses(item)) { *why = "malformed"; return WS_ERR_EXTENSION; }
    while (x && x->name && !ws__extension_accept(c, x, o)) x++;
    x = ws__extension_missing(c->cfg, o->set);
    if (!x) return 0;
    *why = x->name;
    return WS_ERR_EXTENSION;
}

/* path fits the pattern: '*' at its end is any rest, elsewhere the rest of a segment. */
static int ws__path_fits(const char *pattern, ws_str path)
{
    size_t i = 0;

    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (i == path.size || path.data[i++] != *pattern) return 0;
        } else if (!pattern[1]) {
            return 1;
        } else {
            if (i == path.size || path.data[i] == '/') return 0;
            while (i < path.size && path.data[i] != '/') i++;
        }
    }
    return i == path.size;
}

/* Chooses the route: of those whose path fits the one that the client offers first, else the
   first for any subprotocol. */
static int ws__route_choose(ws_conn *c)
{
    const ws_route *all = c->cfg->set.routes, *r;
    uint32_t best = WS__NOT_OFFERED, place;

    if (!all) return 0;
    for (r = all; r->path; r++) {
        if (!ws__path_fits(r->path, ws_path(c))) continue;
        place = r->protocol ? ws__offer_find(c, r->protocol) : WS__NOT_OFFERED - 1;
        if (place >= best) continue;
        best = place;
        c->route = (uint8_t)(r - all + 1);
    }
    return c->route ? 0 : WS_ERR_ROUTE;
}

/* Keeps what the last of our own proxies says about the client, "" where it is no address. */
static int ws__forwarded(ws_conn *c)
{
    static const char name[] = "X-Forwarded-For";
    uint32_t trusted = c->cfg->set.trusted_proxies, count;
    ws_str item, host;
    unsigned port;
    uint8_t ip[16];

    count = trusted ? ws__forwarded_find(c, name, UINT32_MAX, &item) : 0;
    if (!count) return 0;
    ws__forwarded_find(c, name, count > trusted ? count - trusted : 0, &item);
    if (ws__authority(item, &host, &port, 80)) item = host;     /* of "192.0.2.7:5000" */
    if (!ws__ipv4_parse(item, ip) && !ws__ipv6_parse(item, ip)) item.size = 0;
    if (!ws__more_of(c)) return WS_ERR_MEMORY;
    c->more->remote = ws__string_new(c, item);
    return c->more->remote ? 0 : WS_ERR_MEMORY;
}

/* The subprotocol of the answer, NULL if it was not offered. */
static const char *ws__answer_protocol(ws_conn *c, const ws_answer *answer)
{
    if (!answer || !answer->protocol) {
        ws__protocol_choose(c);
        return ws_protocol(c);
    }
    if (!*answer->protocol) return "";
    return ws__token_valid(ws__cstr(answer->protocol)) &&
           ws__offer_find(c, answer->protocol) != WS__NOT_OFFERED ? answer->protocol : NULL;
}

/* Keeps the application's choice, where the configuration does not name it. */
static int ws__target_keep(ws_conn *c, int always)
{
    const char *plain = c->route ? c->cfg->set.routes[c->route - 1].path : "/";

    if (WS__HAS(c, WS__IS_FIXED) || (!always && !strcmp(ws_target(c), plain))) return 0;
    ws__string_free(c, c->target);
    c->target = ws__string_new(c, ws__cstr(ws_target(c)));
    return c->target ? 0 : WS_ERR_MEMORY;
}

static int ws__protocol_keep(ws_conn *c, const char *protocol)
{
    if (!c->route) c->protocol = ws__protocol_find(c->cfg, ws__cstr(protocol));
    if (!strcmp(protocol, ws_protocol(c))) return 0;
    if (!ws__more_of(c)) return WS_ERR_MEMORY;
    c->more->protocol = ws__string_new(c, ws__cstr(protocol));
    return c->more->protocol ? 0 : WS_ERR_MEMORY;
}

/* Writes the answer that opens the connection (4.2.2) but for the application's headers. */
WS__APART void ws__answer_write(ws_conn *c, ws__text *t, const char *protocol, const ws__choice *o)
{
    char accept[29];

    ws_accept_key(ws_header_value(c, "Sec-WebSocket-Key").data, accept);
    ws__puts(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    ws__puts(t, accept);
    if (*protocol) ws__puts(t, "\r\nSec-WebSocket-Protocol: ");
    ws__puts(t, protocol);
    if (o->set) {
        ws__puts(t, "\r\nSec-WebSocket-Extensions: ");
        ws__puts(t, o->set->name);
        ws__puts(t, o->answer);
    }
    ws__puts(t, "\r\n");
    ws__puts(t, c->cfg->lines);
}

/* Queues the answer. */
WS__APART int ws__answer_put(ws_conn *c, const ws_answer *answer)
{
    const ws_header *headers = answer ? answer->headers : NULL;
    const char *protocol = ws__answer_protocol(c, answer), *why;
    ws__choice o;
    ws__text t;
    int r;

    if (!protocol) return WS_ERR_ARGUMENT;
    r = ws__extension_choose(c, &o, &why);
    if (r) return r;
    if (ws__text_begin(c, &t, 200 + strlen(protocol) + strlen(c->cfg->lines) +
                              ws__lines_size(headers) +
                              (o.set ? 32 + strlen(o.set->name) + strlen(o.answer) : 0)))
        return WS_ERR_MEMORY;
    ws__answer_write(c, &t, protocol, &o);
    ws__put_lines(&t, headers);
    ws__puts(&t, "\r\n");
    if (t.cut || ws__protocol_keep(c, protocol) || ws__target_keep(c, 0)) return WS_ERR_MEMORY;
    if (WS__EXTENDS && o.set)
        r = ws__ext_open(c, o.set, o.agreed, ws__cstr(o.set->name), ws__cstr(o.answer));
    return r ? r : ws__text_end(c, &t);
}

/* The same, or it changes nothing. */
static int ws__answer_101(ws_conn *c, const ws_answer *answer)
{
    int r = ws__answer_put(c, answer);

    if (!r) return 0;
    c->protocol = 0;            /* the next answer may choose another */
    if (c->more) ws__string_free(c, c->more->protocol);
    if (c->more) c->more->protocol = NULL;
    return r;
}

/* Where a request goes wrong: at a line that came twice, or in the first one. */
static size_t ws__request_fault(const ws__request *r, ws_str head)
{
    size_t at = ws__find(head, 0, ' ') + 1;

    if (at > head.size) return ws__head_line(head).size;
    if (r->origins > 1) return (size_t)(r->origin.data - head.data);
    if (r->versions > 1) return (size_t)(r->wanted.data - head.data);

    while (at < head.size && head.data[at] > 0x20 && head.data[at] < 0x7F && head.data[at] != '#')
        at++;
    return at < head.size && head.data[at] == ' ' ? ws__find(head, 0, ' ') + 1 : at;
}

/* Can the answer say something to what extensions are offered? */
WS__APART int ws__extension_fault(ws_conn *c, const char **why)
{
    ws__choice o;

    return ws__extension_choose(c, &o, why);
}

/* Judges a whole request head. Returns the event it makes, 0 after a failure. */
WS__APART int ws__server_head(ws_conn *c, ws_str head)
{
    ws__request r;
    const char *why = NULL;
    int fault = ws__request_read(&r, head);

    if (fault) why = "request line";
    else fault = ws__request_check(c, &r, &why);
    if (fault == WS_ERR_HEAD_SYNTAX) c->taken = ws__request_fault(&r, head);
    if (r.method.size && r.target.size) {   /* strings for ws_method and ws_target */
        ((char *)(uintptr_t)r.method.data)[r.method.size] = 0;
        ((char *)(uintptr_t)r.target.data)[r.target.size] = 0;
    } else {
        c->rx->head_size = 0;               /* not a request: nothing to show */
    }
    if ((!fault || fault == WS_ERR_NOT_UPGRADE) && ws__forwarded(c)) fault = WS_ERR_MEMORY;
    if (fault == WS_ERR_NOT_UPGRADE) return WS_EV_HTTP;
    if (!fault) fault = ws__route_choose(c);
    if (!fault) fault = ws__extension_fault(c, &why);
    if (!fault && c->cfg->set.ask) {
        c->flags |= WS__ASKED;
        return WS_EV_REQUEST;
    }
    if (!fault) fault = ws__answer_101(c, NULL);
    if (!fault) return WS_EV_OPEN;
    ws__fail_with(c, fault, why);
    return 0;
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_CLIENT

/* ---- client ---- */

/* The Host header: brackets back around IPv6, the port unless it is the scheme's own. */
static void ws__put_host(ws__text *t, const ws_url *url)
{
    if (url->is_unix) { ws__puts(t, "localhost"); return; }
    if (url->ipv6) ws__puts(t, "[");
    ws__put(t, url->host.data, ws__url_host(url).size);
    if (url->ipv6) ws__puts(t, "]");
    if (!url->default_port) {
        ws__puts(t, ":");
        ws__put_number(t, url->port);
    }
}

/* "Authorization: Basic ..." for user:password of the URL (RFC 7617), under that name. */
static int ws__put_basic(ws__text *t, const char *name, const ws_url *url)
{
    uint8_t three[3];
    char four[5];
    size_t i, part, n = 0;

    if (!url->user.data) return 0;
    ws__puts(t, name);
    ws__puts(t, ": Basic ");
    for (part = 0; part < 3; part++) {      /* user, ':', password */
        ws_str s = part == 0 ? url->user : part == 1 ? ws__cstr(":") : url->password;
        for (i = 0; i < s.size; i++) {
            int code = ws__percent(s, i);
            if (code < 0 && s.data[i] == '%') return WS_ERR_URL;
            three[n++] = (uint8_t)(code < 0 ? s.data[i] : code);
            if (code >= 0) i += 2;
            if (n == 3) {
                ws_base64_encode(three, 3, four);
                ws__puts(t, four);
                n = 0;
            }
        }
    }
    ws_base64_encode(three, n, four);
    ws__puts(t, four);
    ws__puts(t, "\r\n");
    return 0;
}

/* The offered subprotocols, joined again. */
static void ws__put_protocols(ws__text *t, const ws__cfg *k)
{
    const char *at = k->set.protocols;

    if (!*at) return;
    ws__puts(t, "Sec-WebSocket-Protocol: ");
    for (; *at; at += strlen(at) + 1) {
        if (at != k->set.protocols) ws__puts(t, ", ");
        ws__puts(t, at);
    }
    ws__puts(t, "\r\n");
}

/* What the extensions offer. */
WS__APART void ws__put_offers(ws__text *t, const ws__cfg *k)
{
    const ws_extension *x = ws__extensions(k);
    char params[WS__PARAMS_SIZE];
    int i, any = 0;

    for (; x && x->name; x++)
        for (i = 0; i < 4; i++) {
            *params = 0;
            if ((x->offer)(x->user, i, params, sizeof params) || !ws__is_value(params)) break;
            ws__puts(t, any ? ", " : "Sec-WebSocket-Extensions: ");
            ws__puts(t, x->name);
            ws__puts(t, params);
            any = 1;
        }
    if (any) ws__puts(t, "\r\n");
}

/* Bytes that they may take. */
static size_t ws__offers_size(const ws__cfg *k)
{
    const ws_extension *x = ws__extensions(k);
    size_t n = 0;

    for (; x && x->name; x++) n += 4 * (strlen(x->name) + WS__PARAMS_SIZE + 2);
    return n + 32;
}

/* The name in front of a header line. */
static ws_str ws__line_name(ws_str line)
{
    return ws__str(line.data, ws__find(line, 0, ':'));
}

/* Lines of the application, but those of a name. Its secrets do not follow a redirect to
   another server. */
static void ws__put_own_lines(ws__text *t, const ws__cfg *k, ws_str lines, ws_str but)
{
    static const char *const secret[] = { "Authorization", "Cookie", "Proxy-Authorization" };

    while (lines.size) {
        size_t n = ws__find(lines, 0, '\n') + 1, i = 0;
        ws_str name = ws__line_name(lines);
        while (i < 3 && !ws_str_is(name, secret[i])) i++;
        if ((!k->crossed || i == 3) && !ws__same_text(name, but)) ws__put(t, lines.data, n);
        lines = ws__str(lines.data + n, lines.size - n);
    }
}

/* The application's header lines, the one of ws_next_header in place of others of its name. */
static void ws__put_own(ws__text *t, const ws__cfg *k)
{
    ws_str next = ws__cstr(k->next_line), name = ws__line_name(next);

    ws__put_own_lines(t, k, ws__cstr(k->lines), name);
    if (next.size > name.size + 4) ws__put_own_lines(t, k, next, ws__cstr(NULL));  /* ": CR LF" */
}

static int ws__lines_have(ws_str lines, const char *name)
{
    while (lines.size && !ws_str_is(ws__line_name(lines), name)) {
        size_t n = ws__find(lines, 0, '\n') + 1;
        lines = ws__str(lines.data + n, lines.size - n);
    }
    return lines.size > 0;
}

/* Does the application send a line of that name itself, or want none? */
static int ws__has_own(const ws__cfg *k, const char *name)
{
    return ws_str_is(ws__line_name(ws__cstr(k->next_line)), name) ||
           ws__lines_have(ws__cstr(k->lines), name);
}

static void ws__put_upgrade(ws_conn *c, ws__text *t, const char *key)
{
    const ws_config *set = &c->cfg->set;

    ws__puts(t, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
    ws__puts(t, key);
    ws__puts(t, "\r\nSec-WebSocket-Version: ");
    ws__put_number(t, (uint64_t)ws_version(c));
    ws__puts(t, "\r\n");
    ws__put_protocols(t, c->cfg);
    ws__put_offers(t, c->cfg);
    if (!set->origin || ws__has_own(c->cfg, "Origin")) return;
    ws__puts(t, ws_version(c) == 8 ? "Sec-WebSocket-Origin: " : "Origin: ");
    ws__puts(t, set->origin);
    ws__puts(t, "\r\n");
}

/* Draws the key and queues the request (4.1), or the one of ordinary HTTP. */
static int ws__request_put(ws_conn *c, const ws_url *url)
{
    const ws_config *set = &c->cfg->set;
    int http = ws__is_http(c), own = http && !c->cfg->as_get, with_body = own && set->body_size;
    uint8_t nonce[16];
    char key[25];
    size_t size = 1024 + 3 * strlen(ws_url_of(c)) + 2 * (c->cfg->size - sizeof *c->cfg) +
                  ws__cstr(c->cfg->next_line).size + ws__offers_size(c->cfg);
    ws__text t;

    if (ws__random(c->cfg, nonce, sizeof nonce)) return WS_ERR_RANDOM;
    ws_base64_encode(nonce, sizeof nonce, key);
    ws_accept_key(key, c->cfg->accept);
    if (ws__text_begin(c, &t, size)) return WS_ERR_MEMORY;
    ws__puts(&t, own ? set->method : "GET");
    ws__puts(&t, " ");
    if (!url->target.size || url->target.data[0] != '/') ws__puts(&t, "/");
    ws__put(&t, url->target.data, url->target.size);
    ws__puts(&t, " HTTP/1.1\r\nHost: ");
    if (set->host && !c->cfg->crossed) ws__puts(&t, set->host);
    else ws__put_host(&t, url);
    ws__puts(&t, "\r\n");
    if (!http) ws__put_upgrade(c, &t, key);
    else ws__puts(&t, "Connection: close\r\n");
    if ((c->cfg->crossed || !ws__has_own(c->cfg, "Authorization")) &&
        ws__put_basic(&t, "Authorization", url))
        return WS_ERR_URL;
    ws__put_own(&t, c->cfg);
    if (with_body || (own && strcmp(set->method, "GET") && strcmp(set->method, "HEAD"))) {
        ws__puts(&t, "Content-Length: ");
        ws__put_number(&t, set->body_size);
        ws__puts(&t, "\r\n");
    }
    ws__puts(&t, "\r\n");
    if (with_body) ws__put(&t, (const char *)set->body, set->body_size);
    return ws__text_end(c, &t);
}

/* Takes the extension of the answer into use, if we offered it so. */
static int ws__extension_answer(ws_conn *c, ws_str value, const char **why)
{
    const ws_extension *x;
    ws_str item, name, params;
    uint32_t agreed = 0;
    int r = 0;

    while (!r && ws_list_next(&value, &item)) {
        name = ws__extension_name(item, &params);
        for (x = ws__extensions(c->cfg); x && x->name && !ws__extension_is(x, name); x++) {}
        *why = !ws__extension_parses(item) ? "malformed"
             : !x || !x->name ? "not offered"
             : ws__ext_of(c) ? "more than one"
             : (x->confirm)(x->user, params, &agreed) ? "parameters" : NULL;
        r = *why ? WS_ERR_EXTENSION : ws__ext_open(c, x, agreed, name, params);
    }
    return r;
}

/* 4.1, what a client must find in the answer. */
static int ws__answer_check(ws_conn *c, ws_str head, int status, ws_str version,
                            const char **why)
{
    ws_str name, value;
    size_t pos = 0;
    int upgrades = 0, upgrade = 0, connection = 0, accepts = 0, right = 0, protocols = 0, r;

    if (status != 101) return WS_ERR_STATUS;
    if (!ws_str_is(version, "HTTP/1.1")) {
        *why = "101 by another than HTTP/1.1";
        return WS_ERR_HTTP_VERSION;
    }
    while (ws_head_field(head, &pos, &name, &value)) {
        if (ws_str_is(name, "Upgrade")) {
            upgrades++;
            upgrade = ws_str_is(value, "websocket");
        } else if (ws_str_is(name, "Connection")) {
            connection |= ws_list_has(value, "upgrade");
        } else if (ws_str_is(name, "Sec-WebSocket-Accept")) {
            accepts++;
            right = value.size == 28 && !memcmp(value.data, c->cfg->accept, 28);
        } else if (ws_str_is(name, "Sec-WebSocket-Protocol")) {
            c->protocol = ws__protocol_find(c->cfg, value);
            if (protocols++ || !c->protocol) return WS_ERR_SUBPROTOCOL;
        } else if (ws_str_is(name, "Sec-WebSocket-Extensions")) {
            r = ws__extension_answer(c, value, why);
            if (r) return r;
        }
    }
    *why = upgrades > 1 ? "repeated" : NULL;
    if (upgrades != 1 || !upgrade) return WS_ERR_UPGRADE;
    if (!connection) return WS_ERR_CONNECTION;
    if (!protocols && ws__protocol_at(c->cfg, 1)[0] && !c->cfg->set.protocol_optional)
        return WS_ERR_SUBPROTOCOL;
    return accepts == 1 && right ? 0 : WS_ERR_ACCEPT;
}

/* Has it a driver that can make new connections? */
static int ws__can_dial(const ws_conn *c) { return ws__is_driven(c) && !c->cfg->set.io.read; }

/* Does an answer of this status send us elsewhere? */
static int ws__redirects(const ws_conn *c, int status)
{
    return c->cfg->set.max_redirects && ws__can_dial(c) && !WS__HAS(c, WS__IS_FIXED) &&
           ((status >= 301 && status <= 303) || status == 307 || status == 308);
}

/* Is it a client of ordinary HTTP whose answer has no body? */
static int ws__is_head(const ws_conn *c)
{
    return ws__is_http(c) && !strcmp(c->cfg->set.method, "HEAD");
}

/* 1 when of a refusal's body enough is here to show. */
static int ws__refusal_whole(const ws_conn *c, ws_str head, const char *body, size_t n)
{
    ws__body b;
    ws_str version, reason;
    int status;

    if (ws_head_answer(head, &version, &status, &reason) || WS__HAS(c, WS__INPUT_END)) return 1;
    if (ws__is_head(c) || (ws__is_http(c) && status < 300)) return 1;
    if (WS__HAS(c, WS__IS_FIXED) && c->rx->len == c->rx->cap) return 1;
    if (ws__redirects(c, status)) return 1;
    ws__body_begin(&b, head, status == 204 || status == 304);
    return n >= WS_BODY_MAX || status < 200 ||
           ws__body_gather(b, (char *)(uintptr_t)body, n, 0, &n);
}

/* How the body of an ordinary answer comes (RFC 9112 6.3). Its place is rx->op while phase is
   READING. */
enum {
    WS__READ_TO_END = 1,    /* until the stream ends */
    WS__READ_LENGTH,        /* rx->left bytes */
    WS__READ_SIZE,          /* the line before a chunk */
    WS__READ_CHUNK,         /* rx->left bytes of a chunk */
    WS__READ_BREAK,         /* the line end behind it */
    WS__READ_TRAILER        /* lines behind the last chunk */
};

/* An ordinary answer: 0 if its body is to be read. */
static int ws__http_check(ws_conn *c, ws_str head, int status)
{
    ws__rx *rx = c->rx;
    ws_str name, value;
    size_t pos = 0, i;
    uint64_t n;

    if (status < 200 || status > 299) return WS_ERR_STATUS;
    rx->op = WS__READ_TO_END;
    rx->begun = 0;
    while (ws_head_field(head, &pos, &name, &value)) {
        if (ws_str_is(name, "Transfer-Encoding")) {
            if (!ws_str_is(value, "chunked")) return WS_ERR_BODY;
            rx->op = WS__READ_SIZE;
        } else if (ws_str_is(name, "Content-Length") && rx->op != WS__READ_SIZE) {
            for (n = i = 0; i < value.size; i++) {
                if (!ws__is_digit(value.data[i]) || i > 17) return WS_ERR_BODY;
                n = n * 10 + (uint64_t)(value.data[i] - '0');
            }
            if (!i || (rx->op == WS__READ_LENGTH && rx->left != n)) return WS_ERR_BODY;
            rx->op = WS__READ_LENGTH;
            rx->left = n;
        }
    }
    if (status == 204 || ws__is_head(c)) {
        rx->op = WS__READ_LENGTH;
        rx->left = 0;
    }
    return 0;
}

/* Keeps the body behind a refusal's head for ws_body. */
static void ws__body_keep(ws_conn *c, ws_str head, int status)
{
    char *p = (char *)(uintptr_t)(head.data + head.size);
    size_t size = 0, n = c->rx->len - c->rx->head_at - head.size;
    ws__body b;

    if (n > WS_BODY_MAX) n = WS_BODY_MAX;
    ws__body_begin(&b, head, status == 204 || status == 304);
    if (status >= 200)
        ws__body_gather(b, p, n, 1, &size);
    c->rx->left = size;
}

/* Without an extension that is required the connection is closed at once (7.4.1), and what
   waits to be sent is not. */
static int ws__extension_insist(ws_conn *c)
{
    const ws__ext *e = ws__ext_of(c);
    const ws_extension *x = ws__extension_missing(c->cfg, e ? e->set : NULL);

    if (!x) return 0;
    if (c->tx) ws__tx_free(c);
    c->phase = WS__PHASE_FRAMES;
    ws__close_put(c, WS_CLOSE_EXTENSION, x->name, strlen(x->name));
    ws__fail_with(c, WS_ERR_EXTENSION_MISSING, x->name);
    return WS_ERR_EXTENSION_MISSING;
}

WS__APART int ws__client_head(ws_conn *c, ws_str head)
{
    ws_str version, reason;
    const char *why = NULL;
    int status = 0, fault = ws_head_answer(head, &version, &status, &reason);

    c->rx->left = 0;                    /* it counted interim answers */
    if (fault) c->taken = 9;            /* behind "HTTP/1.1 " */
    if (!fault) {
        c->cfg->status = (uint16_t)status;
        fault = ws__is_http(c) ? ws__http_check(c, head, status)
                               : ws__answer_check(c, head, status, version, &why);
    }
    if (!fault && !ws__is_http(c)) fault = ws__extension_insist(c);
    if (fault == WS_ERR_EXTENSION_MISSING) return 0;
    if (!fault) return WS_EV_OPEN;
    if (fault == WS_ERR_STATUS && !ws__is_head(c)) ws__body_keep(c, head, status);
    else c->rx->left = 0;
    if (fault == WS_ERR_STATUS && ws__redirects(c, status)) {   /* what waits for OPEN stays */
        if (status <= 303 && ws__is_http(c) && !ws__is_head(c)) c->cfg->as_get = 1;
        c->error = -WS_ERR_STATUS;
        c->phase = WS__PHASE_ENDED;
        return 0;
    }
    ws__fail_with(c, fault, why);
    return 0;
}

#endif /* WS_NO_CLIENT */

/* ==== >>recv (private) ================================================================= */

/* Input to parse: [p, end). in_rx: it lies in c->rx, else in the driver's buffer. */
typedef struct ws__span {
    uint8_t *p, *end;
    int in_rx;
} ws__span;

/* Room for n more raw bytes at the end of c->rx; NULL when there is none. */
static uint8_t *ws__rx_room(ws_conn *c, size_t n)
{
    ws__rx *rx = c->rx, *bigger;
    size_t raw = rx ? rx->len - rx->pos : 0, size;
    size_t msg = !rx ? 0 : WS__HAS(c, WS__HEAD_HELD) ? rx->pos : rx->msg;   /* bytes kept */

    if (rx && rx->cap - rx->len < n && rx->pos > msg && !rx->behind &&
        (rx->pos - msg >= raw / 4 || WS__HAS(c, WS__IS_FIXED))) {   /* as in ws__tx_room */
        memmove(WS__DATA(rx) + msg, WS__DATA(rx) + rx->pos, raw);
        rx->pos = msg;
        rx->len = msg + raw;
    }
    if (rx && rx->cap - rx->len >= n) return WS__DATA(rx) + rx->len;
    if (WS__HAS(c, WS__IS_FIXED) || n > ((size_t)-1) / 4 - msg - raw) return NULL;
    size = sizeof *rx + msg + raw + n + 1;
    size = size < 512 ? 512 : size + (rx ? size / 8 * 3 : 0);
    bigger = (ws__rx *)ws__block_new(c->cfg, &size);
    if (!bigger) return NULL;
    memset(bigger, 0, sizeof *bigger);
    if (rx) {
        *bigger = *rx;
        memcpy(WS__DATA(bigger), WS__DATA(rx), msg);
        memcpy(WS__DATA(bigger) + msg, WS__DATA(rx) + rx->pos, raw);
        bigger->pos = msg;
        bigger->len = msg + raw;
        if (rx->behind && rx->behind >= rx->pos && rx->behind < rx->len)
            WS__DATA(bigger)[msg + rx->behind - rx->pos] = rx->kept;
        bigger->behind = 0;
        if (ws__is_shown(c)) c->cfg->parked = rx;   /* it stays until the next pull */
        else ws__free(c->cfg, rx, ws__rx_block(rx));
    }
    bigger->cap = size - sizeof *bigger - 1;
    c->rx = bigger;
    return WS__DATA(bigger) + bigger->len;
}

/* Room for more of the message's payload, when the raw bytes are elsewhere (rx->pos ==
   rx->len). Grows with what was received, never to what was announced. */
static int ws__rx_message_room(ws_conn *c, size_t now)
{
    ws__rx *rx = c->rx;
    size_t have = rx->msg, size;
    ws__rx *bigger;

    if (rx->cap - have >= now) return 0;
    if (WS__HAS(c, WS__IS_FIXED)) return WS_ERR_MEMORY;
    size = 2 * (have + now) + 4096;
    if (rx->fin && rx->left < size - have) size = have + (size_t)rx->left;
    size += sizeof *rx + 1;
    bigger = (ws__rx *)ws__block_new(c->cfg, &size);
    if (!bigger) return WS_ERR_MEMORY;
    *bigger = *rx;
    if (have) memcpy(WS__DATA(bigger), WS__DATA(rx), have);
    bigger->cap = size - sizeof *bigger - 1;
    bigger->pos = bigger->len = have;
    ws__free(c->cfg, rx, ws__rx_block(rx));
    c->rx = bigger;
    return 0;
}

/* Keeps raw bytes for later. */
static int ws__rx_append(ws_conn *c, const uint8_t *p, size_t n)
{
    uint8_t *at = n ? ws__rx_room(c, n) : NULL;
    if (!n) return 0;
    if (!at) return WS_ERR_MEMORY;
    memcpy(at, p, n);
    c->rx->len += n;
    return 0;
}

/* Before the next pull: gives back what the last event showed. */
static void ws__release(ws_conn *c)
{
    ws__rx *rx = c->rx;

    ws__unshow(c);
    if (WS__HAS(c, WS__IS_BLOCKING)) ws__unpark(c);
    if (WS__HAS(c, WS__OPEN_OWED)) return;      /* the head is yet to be shown */
    if (WS__HAS(c, WS__MESSAGE_HELD)) {
        if (c->cork && c->cork->total) (c->cork->flush)(c);
        rx->msg = 0;
        c->flags &= ~(uint32_t)WS__MESSAGE_HELD;
    }
    if (ws__ext_of(c) && ws__ext_of(c)->shown) ws__ext_release(c->cfg, ws__ext_of(c));
    if (WS__HAS(c, WS__HEAD_HELD) &&
        (WS__HAS(c, WS__OPENED | WS__CLOSE_TOLD) || c->phase == WS__PHASE_BODY)) {
        ws__head_wipe(c);
        c->flags &= ~(uint32_t)WS__HEAD_HELD;
    }
#ifndef WS_NO_SERVER
    if (c->phase == WS__PHASE_HTTP && !WS__HAS(c, WS__ANSWERED) && !c->cfg->set.ask)
        ws_http_reply(c, 426, NULL, "WebSocket only\n", 15);
#endif
    if (rx && rx->pos == rx->len && !rx->op && !rx->in_frame && !rx->msg &&
        (c->phase == WS__PHASE_FRAMES || c->phase == WS__PHASE_BODY))
        ws__rx_free(c);
}

/* Are the reserved bits of a frame those of the extension, where they may stand? */
static int ws__rsv_agreed(const ws_conn *c, uint8_t first)
{
    const ws__ext *e = ws__ext_of(c);
    int op = first & 15;

    return e && (first >> 4 & 7) == e->set->rsv && (op == WS_OP_TEXT || op == WS_OP_BINARY);
}

/* The verdict that the first two bytes of a frame allow. op: of the unfinished message. */
static int ws__header_check(const ws_conn *c, const uint8_t *p, int op)
{
    int code = p[0] & 15, fin = p[0] >> 7, masked = p[1] >> 7, size = p[1] & 127;

    if (p[0] & 0x70 && !ws__rsv_agreed(c, p[0])) return WS_ERR_RSV;
    if ((code > 2 && code < 8) || code > 10) return WS_ERR_OPCODE;
    if (code >= 8 && !fin) return WS_ERR_CONTROL_FRAGMENT;
    if (code >= 8 && size > 125) return WS_ERR_CONTROL_SIZE;
    if (code == 0 && !op) return WS_ERR_CONTINUATION;
    if (code > 0 && code < 8 && op) return WS_ERR_INTERLEAVED;
    if (masked && WS__HAS(c, WS__IS_CLIENT)) return WS_ERR_MASK_PRESENT;
    if (!masked && !WS__HAS(c, WS__IS_CLIENT)) return WS_ERR_MASK_MISSING;
    return 0;
}

/* Codes that may stand in a Close frame (7.4). */
static int ws__code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int ws__fill(ws_event *ev, ws_conn *c, int type, const void *data, size_t n)
{
    memset(ev, 0, sizeof *ev);
    ev->type = type;
    ev->conn = c;
    ev->data = n || type == WS_EV_POST ? data : "";
    ev->size = n;
    ev->reason = "";
    return 1;
}

/* 5.5.1: the peer's Close. Its code is echoed. */
static void ws__close_got(ws_conn *c, const uint8_t *p, size_t n)
{
    uint32_t state = 0;
    int code = n >= 2 ? p[0] << 8 | p[1] : WS_CLOSE_NO_CODE;

    if (n == 1) { ws__fail(c, WS_ERR_CLOSE_SIZE); return; }
    if (n && !ws__code_valid(code)) { ws__fail(c, WS_ERR_CLOSE_CODE); return; }
    if (n > 2 && (ws_utf8(&state, p + 2, n - 2) < n - 2 || state)) {
        ws__fail(c, WS_ERR_CLOSE_UTF8);
        return;
    }
    c->flags |= WS__CLOSE_GOT;
    c->code = (uint16_t)code;
    {
        int r = ws__close_put(c, n ? code : 0, (const char *)p + 2, n > 2 ? n - 2 : 0);
        if (r && !c->error && !WS__HAS(c, WS__NO_OUTPUT)) c->error = (uint8_t)-r;
    }
    if (n > 2) {
        char *note = ws__note_new(c);
        if (note) {
            memmove(note, p + 2, n - 2);
            note[n - 2] = 0;
        }
    }
    ws__end(c, WS__PHASE_ENDING);
}

/* A whole control frame. Returns 1 with its event, -1 to go on. */
static int ws__control(ws_conn *c, int op, const uint8_t *p, size_t n, ws_event *ev)
{
    int fault;

    if (op == WS_OP_CLOSE) {
        ws__close_got(c, p, n);
        return -1;
    }
    if (op == WS_OP_PONG) {
        ws__pong_got(c, p, n);
        return ws__fill(ev, c, WS_EV_PONG, p, n);
    }
    fault = 0;
    if (WS__HAS(c, WS__IS_BLOCKING) && c->cfg->answered) c->cfg->answered--;
    else if (!c->cfg->set.manual_pong) fault = ws__pong_put(c, p, n);
    if (fault) { ws__fail(c, fault); return -1; }
    return ws__fill(ev, c, WS_EV_PING, p, n);
}

static int ws__message(ws_conn *c, int op, const void *data, size_t n, ws_event *ev)
{
    c->last_message = c->now;
    ws__fill(ev, c, WS_EV_MESSAGE, data, n);
    ev->op = op;
    ev->first = ev->last = 1;
    return 1;
}

/* A piece of the unfinished message. */
static int ws__part(ws_conn *c, const void *data, size_t n, int last, ws_event *ev)
{
    ws__rx *rx = c->rx;

    ws__message(c, rx->op, data, n, ev);
    ev->type = WS_EV_PART;
    ev->first = !rx->begun;
    ev->last = last;
    rx->begun = 1;
    rx->given += n;
    if (n) rx->frames = 1;          /* max_message bounds those that bring something */
    if (last) rx->op = 0;
    return 1;
}

/* Counts k unmasked payload bytes. 0, or the fault they show. */
static int ws__payload_count(ws_conn *c, const uint8_t *p, size_t k)
{
    ws__rx *rx = c->rx;
    size_t good = rx->op == WS_OP_TEXT ? ws_utf8(&rx->utf8, p, k) : k, i;
    uint8_t key[4];

    c->taken += good;
    if (good < k) return WS_ERR_UTF8;
    memcpy(key, rx->key, 4);
    for (i = 0; i < 4; i++) rx->key[i] = key[(i + k) & 3];
    rx->left -= k;
    if (rx->left) return 0;
    rx->in_frame = 0;
    return rx->fin && rx->op == WS_OP_TEXT && rx->utf8 ? WS_ERR_UTF8 : 0;
}

/* k payload bytes now stand unmasked at the message's end. Returns as a step. */
static int ws__payload_done(ws_conn *c, size_t k, ws_event *ev)
{
    ws__rx *rx = c->rx;
    int fault = ws__payload_count(c, WS__DATA(rx) + rx->msg, k);

    if (fault) { ws__fail(c, fault); return -1; }
    rx->msg += k;
    if (rx->left) return 0;
    if (!rx->fin && !c->cfg->set.frames) return -1;
    c->flags |= WS__MESSAGE_HELD;
    if (c->cfg->set.frames) return ws__part(c, WS__DATA(rx), rx->msg, rx->fin, ev);
    ws__message(c, rx->op, WS__DATA(rx), rx->msg, ev);
    rx->op = 0;
    return 1;
}

/* Inside a data frame of a message in parts: hands on what came. */
static int ws__payload_part(ws_conn *c, ws__span *in, size_t k, ws_event *ev)
{
    ws__rx *rx = c->rx;
    uint8_t *p = in->p;
    int fault, last;

    if (rx->msg) {                  /* from before it grew too large */
        c->flags |= WS__MESSAGE_HELD;
        return ws__part(c, WS__DATA(rx), rx->msg, 0, ev);
    }
    if (rx->masked) ws_mask(p, p, k, rx->key, 0);
    in->p += k;
    fault = ws__payload_count(c, p, k);
    if (fault) { ws__fail(c, fault); return -1; }
    last = !rx->left && rx->fin;
    if (!k && !last) return -1;
    return ws__part(c, k ? (const void *)p : "", k, last, ev);
}

/* ---- encoded messages ---- */

#define WS__PART_MAX 16384      /* decoded bytes of one PART event */

/* Room for a step of the decoder over n bytes. */
static int ws__decoded_room(ws_conn *c, ws__ext *e, size_t n)
{
    size_t size = 2 * (e->len ? e->len : n) + 1024;
    uint8_t *bigger;

    if (e->cap - e->len >= WS__CODE_ROOM) return 0;
    if (c->cfg->area || e->len > (size_t)-1 / 4) return WS_ERR_MESSAGE_SIZE;
    bigger = (uint8_t *)ws__block_new(c->cfg, &size);
    if (!bigger) return WS_ERR_MEMORY;
    if (e->len) memcpy(bigger, e->data, e->len);
    if (e->data) ws__block_free(c->cfg, e->data, e->cap + 1);
    e->data = bigger;
    e->cap = size - 1;
    return 0;
}

/* A step of the decoder over *n bytes of input; returns like it. Never much more is decoded
   than the limit allows. */
static int ws__decode(ws_conn *c, ws__ext *e, const uint8_t *p, size_t *n, int last)
{
    ws__rx *rx = c->rx;
    uint64_t left = c->cfg->set.max_message;
    size_t room, made, good;
    int r = ws__decoded_room(c, e, *n);

    if (r) return r;
    left = left == WS_NO_LIMIT ? (size_t)-1 / 2 : left - rx->given - e->len;
    room = e->cap - e->len;
    if (room > left + WS__CODE_ROOM) room = (size_t)left + WS__CODE_ROOM;
    made = room;
    r = ws__code(e->set, &e->in, p, n, e->data + e->len, &made, last);
    if (r < 0 && r != WS_ERR_DECODE) return r;
    e->pending = !r && room - made < WS__CODE_ROOM;
    good = made < left ? made : (size_t)left;   /* the first fault counts, however it was cut */
    if (rx->op == WS_OP_TEXT && ws_utf8(&rx->utf8, e->data + e->len, good) < good)
        return WS_ERR_UTF8;
    if (made > left) return WS_ERR_MESSAGE_SIZE;
    e->len += made;
    return r;
}

/* The first n raw bytes were taken. */
static void ws__coded_taken(ws_conn *c, ws__span *in, size_t n)
{
    ws__rx *rx = c->rx;
    uint8_t key[4];
    size_t i;

    memcpy(key, rx->key, 4);
    for (i = 0; i < 4; i++) rx->key[i] = key[(i + n) & 3];
    rx->clear -= rx->masked ? n : 0;
    rx->left -= n;
    rx->eaten += n;
    in->p += n;
}

/* Shows what is decoded. */
static int ws__coded_event(ws_conn *c, int last, ws_event *ev)
{
    ws__rx *rx = c->rx;
    ws__ext *e = c->more->ext;
    const void *data = e->len ? (const void *)e->data : "";

    e->shown = 1;
    if (rx->parts || c->cfg->set.frames) return ws__part(c, data, e->len, last, ev);
    ws__message(c, rx->op, data, e->len, ev);
    rx->op = 0;
    return 1;
}

/* Inside a data frame of an encoded message: decodes k bytes that came. */
static int ws__payload_coded(ws_conn *c, ws__span *in, size_t k, ws_event *ev)
{
    const ws_config *s = &c->cfg->set;
    ws__rx *rx = c->rx;
    ws__ext *e = c->more->ext;
    int r = ws__coder_begin(c->cfg, e->set, e->agreed, &e->in), last, full, go = 1;
    size_t n;

    if (rx->masked && k > rx->clear) {
        ws_mask(in->p + rx->clear, in->p + rx->clear, k - rx->clear, rx->key, rx->clear);
        rx->clear = k;
    }
    while (!r && go) {
        n = k;
        last = rx->fin && k == rx->left;
        r = ws__decode(c, e, in->p, &n, last);
        if (r < 0) break;
        k -= n;
        ws__coded_taken(c, in, n);
        full = c->cfg->area && !r && e->cap - e->len < WS__CODE_ROOM;
        if (!s->frames && s->parts_over != WS_NO_LIMIT && (e->len > s->parts_over || full))
            rx->parts = 1;
        go = (k || last || e->pending) && !(rx->parts && (e->len >= WS__PART_MAX || full));
    }
    if (r == 1 && rx->op == WS_OP_TEXT && rx->utf8) r = WS_ERR_UTF8;
    if (r < 0) { ws__fail(c, r); return -1; }
    if (r && e->in.alone) ws__coder_end(c->cfg, e->set, &e->in);
    rx->in_frame = rx->left || e->pending || (rx->fin && !r);
    if (!rx->in_frame) c->taken += rx->eaten;   /* till then a fault is told at its beginning */
    if (r || (rx->parts && e->len) || (s->frames && !rx->in_frame))
        return ws__coded_event(c, r, ev);
    return rx->in_frame ? 0 : -1;
}

/* Inside a data frame: moves what came to the message. */
static int ws__payload(ws_conn *c, ws__span *in, ws_event *ev)
{
    ws__rx *rx = c->rx;
    size_t k = (size_t)(in->end - in->p);

    if (k > rx->left) k = (size_t)rx->left;
    if (WS__EXTENDS && rx->coded)
        return k || !rx->left || c->more->ext->pending ? ws__payload_coded(c, in, k, ev) : 0;
    if (!k && rx->left) return 0;
    if (rx->parts) return ws__payload_part(c, in, k, ev);
    if (in->in_rx) {
        if (rx->masked) ws_mask(in->p, in->p, k, rx->key, 0);
        if (WS__DATA(rx) + rx->msg != in->p) memmove(WS__DATA(rx) + rx->msg, in->p, k);
    } else {
        if (ws__rx_message_room(c, k)) { ws__fail(c, WS_ERR_MEMORY); return -1; }
        rx = c->rx;
        if (rx->masked) ws_mask(WS__DATA(rx) + rx->msg, in->p, k, rx->key, 0);
        else if (k) memcpy(WS__DATA(rx) + rx->msg, in->p, k);
        rx->pos = rx->len = rx->msg + k;
    }
    in->p += k;
    return ws__payload_done(c, k, ev);
}

/* Payload of the unfinished message so far. */
static uint64_t ws__message_size(const ws_conn *c)
{
    return c->rx && c->rx->op ? c->rx->given + c->rx->msg : 0;
}

/* Does frame f bring its message to the application in PART events? */
static int ws__in_parts(const ws_conn *c, const ws_frame *f)
{
    const ws_config *s = &c->cfg->set;

    if (s->frames) return 1;
    return s->parts_over != WS_NO_LIMIT && ws__message_size(c) + f->size > s->parts_over;
}

/* Begins a data frame that is not handed out in place. */
static int ws__frame_begin(ws_conn *c, const ws_frame *f, size_t head, ws__span *in)
{
    ws__rx *rx;

    if (!c->rx && !ws__rx_room(c, 64)) return WS_ERR_MEMORY;
    rx = c->rx;
    if (!rx->op) {
        rx->op = f->op;
        rx->utf8 = 0;
        rx->frames = 0;
        rx->msg = 0;
        rx->given = 0;
        rx->begun = rx->parts = 0;
        rx->coded = f->rsv != 0;
    }
    rx->frames++;
    if (!c->cfg->set.frames && !rx->coded && ws__in_parts(c, f)) rx->parts = 1;
    rx->left = f->size;
    rx->fin = f->fin;
    rx->masked = f->masked;
    rx->clear = 0;
    rx->eaten = 0;
    memcpy(rx->key, f->key, 4);
    rx->in_frame = 1;
    in->p += head;
    c->taken += head;
    return 0;
}

/* Limits that the header alone decides. */
static int ws__limits(const ws_conn *c, const ws_frame *f)
{
    const ws_config *s = &c->cfg->set;
    uint64_t have = ws__message_size(c);
    uint32_t frames = c->rx && c->rx->op ? c->rx->frames : 0;
    int coded = f->rsv || (frames && c->rx->coded);     /* counted when it is decoded */

    if (s->max_frame != WS_NO_LIMIT && f->size > s->max_frame) return WS_ERR_FRAME_SIZE;
    if (!coded && s->max_message != WS_NO_LIMIT &&
        (f->size > s->max_message || have > s->max_message - f->size))
        return WS_ERR_MESSAGE_SIZE;
    if (s->frames) have = 0;                /* what must be held */
    if (!coded && (s->frames || !ws__in_parts(c, f)) && have + f->size > ((size_t)-1) / 4)
        return WS_ERR_MESSAGE_SIZE;
    if (s->max_fragments != WS_NO_LIMIT && frames >= s->max_fragments) return WS_ERR_FRAGMENTS;
    return 0;
}

/* A text or binary message in a single frame that is all here: no copy. key: NULL for none. */
static int ws__message_in_place(ws_conn *c, int op, uint8_t *p, size_t n, const uint8_t *key,
                                ws_event *ev)
{
    uint32_t state = 0;

    if (key) ws_mask(p, p, n, key, 0);
    if (op == WS_OP_TEXT) {
        size_t good = ws_utf8(&state, p, n);
        if (good < n || state) {
            c->taken -= n - good;
            ws__fail(c, WS_ERR_UTF8);
            return -1;
        }
    }
    return ws__message(c, op, p, n, ev);
}

/* The short way for the commonest frame: a whole message below 64 KiB, all here, while no
   other is unfinished. Returns 0 for every other frame, and for every fault. */
static int ws__short_message(ws_conn *c, ws__span *in, ws_event *ev)
{
    uint8_t *p = in->p;
    size_t n, head, have = (size_t)(in->end - p);
    int client = WS__HAS(c, WS__IS_CLIENT);

    if (have < 8 || (p[0] != 0x81 && p[0] != 0x82) || p[1] >> 7 == client) return 0;
    n = p[1] & 127u;
    head = client ? 2 : 6;
    if (n == 127) return 0;
    if (n == 126) {
        n = ws__get16(p + 2);
        head += 2;
        if (n < 126) return 0;
    }
    if (have - head < n || n >= c->cfg->short_below) return 0;
    WS_TRACE(c, "frame in", p[0]);
    in->p += head + n;
    c->taken += head + n;
    return ws__message_in_place(c, p[0] & 15, p + head, n, client ? NULL : p + head - 4, ev);
}

/* One step over frames: 1 an event, 0 needs more input, -1 go on. */
static int ws__frame_step(ws_conn *c, ws__span *in, ws_event *ev)
{
    size_t have = (size_t)(in->end - in->p), whole;
    int op = c->rx ? c->rx->op : 0, head, fault;
    ws_frame f;
    uint8_t *p;

    if (c->rx && c->rx->in_frame) return ws__payload(c, in, ev);
    fault = op ? 0 : ws__short_message(c, in, ev);
    if (fault) return fault;
    if (have < 2) return 0;
    memset(&f, 0, sizeof f);
    fault = ws__header_check(c, in->p, op);
    head = fault ? fault : ws_frame_decode(in->p, have, &f);
    if (head > 0 && f.op < 8) fault = ws__limits(c, &f);
    if (head < 0 || fault) { ws__fail(c, head < 0 ? head : fault); return -1; }
    if (!head) return 0;
    if (have - (size_t)head < f.size ||
        (f.op < 8 && (op || !f.fin || f.rsv || ws__in_parts(c, &f)))) {
        if (f.op >= 8 || (have == (size_t)head && f.size)) return 0;
        WS_TRACE(c, "frame in", in->p[0]);
        fault = ws__frame_begin(c, &f, (size_t)head, in);
        if (fault) ws__fail(c, fault);
        return -1;
    }
    WS_TRACE(c, "frame in", in->p[0]);
    p = in->p + head;
    whole = (size_t)head + (size_t)f.size;
    in->p += whole;
    c->taken += whole;
    if (f.op < 8)
        return ws__message_in_place(c, f.op, p, (size_t)f.size, f.masked ? f.key : NULL, ev);
    if (f.masked) ws_mask(p, p, (size_t)f.size, f.key, 0);
    return ws__control(c, f.op, p, (size_t)f.size, ev);
}

#ifndef WS_NO_CLIENT
/* An interim answer (100, 103): 1 if head was one, and is gone. */
static int ws__head_skip(ws_conn *c, ws__span *in, ws_str head)
{
    ws_str version, reason;
    int status;

    if (ws_head_answer(head, &version, &status, &reason) || status / 100 != 1 || status == 101)
        return 0;
    in->p += head.size;
    c->rx->left += head.size;
    memset(&c->rx->head, 0, sizeof c->rx->head);
    if (c->rx->left > c->cfg->set.max_head) ws__fail(c, WS_ERR_HEAD_SIZE);
    return 1;
}

/* The body is whole. */
static int ws__body_end(ws_conn *c, ws_event *ev)
{
    int told = c->rx->begun && c->rx->fin;

    c->rx->op = 0;
    c->flags |= WS__ANSWERED;
    ws__end(c, WS__PHASE_ENDED);
    if (told) return -1;
    ws__fill(ev, c, WS_EV_PART, "", 0);
    ev->op = WS_OP_BINARY;
    ev->first = !c->rx->begun;
    ev->last = 1;
    return 1;
}

/* Bytes of a body, at most rx->left of them. */
static int ws__body_part(ws_conn *c, ws__span *in, ws_event *ev)
{
    ws__rx *rx = c->rx;
    size_t k = (size_t)(in->end - in->p);

    if (rx->op == WS__READ_TO_END) rx->left = k;
    if (k > rx->left) k = (size_t)rx->left;
    if (!k) return 0;
    ws__fill(ev, c, WS_EV_PART, in->p, k);
    ev->op = WS_OP_BINARY;
    ev->first = !rx->begun;
    rx->begun = 1;
    rx->left -= k;
    rx->fin = rx->op == WS__READ_LENGTH && !rx->left;
    ev->last = rx->fin;
    in->p += k;
    c->last_message = c->now;
    if (rx->op == WS__READ_CHUNK && !rx->left) rx->op = WS__READ_BREAK;
    return 1;
}

/* A line between chunks (RFC 9112 7.1). 0: it is not whole, -1: taken, or failed. */
static int ws__body_line(ws_conn *c, ws__span *in)
{
    ws__rx *rx = c->rx;
    size_t have = (size_t)(in->end - in->p), n = 0, i, k;
    const char *p = (const char *)in->p;
    uint64_t size = 0;

    while (n < have && p[n] != '\n') n++;
    if (n == have && n < 1024 && !(WS__HAS(c, WS__IS_FIXED) && n == rx->cap)) return 0;
    if (n == have || !n || p[n - 1] != '\r') { ws__fail(c, WS_ERR_BODY); return -1; }
    in->p += n + 1;
    n--;
    if (rx->op == WS__READ_TRAILER) {
        rx->left += n;                  /* they may be as long as a head, not endless */
        if (rx->left > c->cfg->set.max_head) ws__fail(c, WS_ERR_BODY);
        if (!n) rx->op = WS__READ_LENGTH, rx->left = 0;
        return -1;
    }
    if (rx->op == WS__READ_BREAK) {
        rx->op = WS__READ_SIZE;
        if (n) ws__fail(c, WS_ERR_BODY);
        return -1;
    }
    for (i = 0; i < n && i < 16 && ws__hex(p[i]) >= 0; i++)
        size = size << 4 | (uint64_t)ws__hex(p[i]);
    k = i;
    while (k < n && ws__is_blank(p[k])) k++;
    if (!i || (k < n && p[k] != ';') || size >> 62) ws__fail(c, WS_ERR_BODY);
    rx->left = size;
    rx->op = size ? WS__READ_CHUNK : WS__READ_TRAILER;
    return -1;
}

/* One step over an ordinary answer's body; returns like ws__frame_step. */
static int ws__body_step(ws_conn *c, ws__span *in, ws_event *ev)
{
    ws__rx *rx = c->rx;
    int dry = in->p == in->end;

    if ((rx->op == WS__READ_LENGTH && !rx->left) ||
        (rx->op == WS__READ_TO_END && dry && WS__HAS(c, WS__INPUT_END) && !WS__HAS(c, WS__BROKEN)))
        return ws__body_end(c, ev);
    if (rx->op == WS__READ_SIZE || rx->op == WS__READ_BREAK || rx->op == WS__READ_TRAILER)
        return ws__body_line(c, in);
    return ws__body_part(c, in, ev);
}
#else
static int ws__body_step(ws_conn *c, ws__span *in, ws_event *ev)
{
    (void)c;
    (void)in;
    (void)ev;
    return 0;
}
#endif

static void ws__opened(ws_conn *c)
{
    WS_TRACE(c, "open", 0);
    c->phase = WS__PHASE_FRAMES;
    if (ws__is_http(c)) c->phase = WS__PHASE_READING;
    c->flags |= WS__OPENED;
    c->taken = 0;
    if (WS__HAS(c, WS__IS_CLIENT)) c->cfg->opened = c->now;
    c->last_rx = c->last_message = c->now;
    c->deadline = WS__HAS(c, WS__TICKED) ? ws__open_deadline(c) : ws__after(c, WS_NEVER);
}

#define WS__EMPTY_LINES 4       /* that may stand before a request (RFC 9112 2.2) */

/* Steps over an empty line before a request: 1 it is gone, 0 it may be one, -1 it is none. */
static int ws__empty_line(ws__rx *rx, ws__span *in)
{
    if (rx->head.scanned || rx->frames >= WS__EMPTY_LINES || *in->p != '\r') return -1;
    if (in->end - in->p < 2) return 0;
    if (in->p[1] != '\n') return -1;
    in->p += 2;
    rx->frames++;
    return 1;
}

/* Fails a handshake whose peer does not speak HTTP, showing what it says. */
static void ws__not_http(ws_conn *c, const uint8_t *p, size_t n)
{
    char text[64];
    ws__text t = ws__text_in(text, sizeof text);
    size_t i;

    ws__puts(&t, *p == 21 || *p == 22 ? "TLS is spoken here" : "no HTTP, but \"");
    for (i = 0; i < n && i < 40 && p[i] > 31 && p[i] < 127; i++)
        ws__put(&t, (const char *)p + i, 1);
    if (*p != 21 && *p != 22) ws__puts(&t, "\"");
    ws__fail_with(c, WS_ERR_HEAD_SYNTAX, text);
}

/* Scans the head: its size, 0, or an error. */
static int ws__shake_scan(ws_conn *c, const ws__span *in)
{
    ws__rx *rx = c->rx;
    size_t have = (size_t)(in->end - in->p);
    int size;

    rx->head.max_size = c->cfg->set.max_head;
    rx->head.max_fields = c->cfg->set.max_headers;
    size = ws__head_scan(&rx->head, in->p, have, WS__HAS(c, WS__IS_CLIENT));
    if (!size && WS__HAS(c, WS__IS_FIXED) && rx->len - rx->pos == rx->cap)
        size = WS_ERR_HEAD_SIZE;
    c->taken = rx->head.scanned;
    return size;
}

/* Of a request the first line is judged as soon as it is here: who speaks another protocol may
   say no more. 1 if it is none. */
static int ws__line_is_bad(ws__rx *rx, const uint8_t *p)
{
    ws_str line = ws__str((const char *)p, rx->head.scanned), method, target, version;
    int state = rx->head.state;

    if (rx->line_good || state < WS__HEAD_FIELD) return 0;
    if (state == WS__HEAD_LF && !rx->head.fields) return 0;
    rx->line_good = !ws_head_request(line, &method, &target, &version);
    return !rx->line_good;
}

/* One step over the opening handshake; returns like ws__frame_step. */
static int ws__shake_step(ws_conn *c, ws__span *in, ws_event *ev)
{
    ws__rx *rx = c->rx;
    ws_str head;
    size_t have;
    int size, type = 0, client = WS__HAS(c, WS__IS_CLIENT), empty;

    if (!in->in_rx || in->p == in->end) return 0;
    empty = client ? -1 : ws__empty_line(rx, in);
    if (empty >= 0) return -empty;
    have = (size_t)(in->end - in->p);
    if (client ? !ws__http_begins(in->p, rx->head.scanned, have)
               : !rx->head.scanned && *in->p == 22) {
        ws__not_http(c, in->p, have);
        return -1;
    }
    size = ws__shake_scan(c, in);
    if (!client && ws__line_is_bad(rx, in->p))
        size = (int)ws__find(ws__str((const char *)in->p, have), 0, '\n') + 1;
    if (size < 0) { ws__fail(c, size); return -1; }
    if (!size) return 0;
    head = ws__str((const char *)in->p, (size_t)size);
#ifndef WS_NO_CLIENT
    if (WS__HAS(c, WS__IS_CLIENT) && ws__head_skip(c, in, head)) return -1;
    if (WS__HAS(c, WS__IS_CLIENT) &&
        !ws__refusal_whole(c, head, head.data + size, (size_t)(in->end - in->p) - head.size))
        return 0;
#endif
    rx->head_size = head.size;
    rx->head_at = (size_t)(in->p - WS__DATA(rx));
    in->p += size;
    rx->frames = 0;
    c->taken = (uint64_t)size;
    c->flags |= WS__HEAD_HELD;
#ifndef WS_NO_CLIENT
    if (WS__HAS(c, WS__IS_CLIENT)) type = ws__client_head(c, head);
#endif
#ifndef WS_NO_SERVER
    if (!WS__HAS(c, WS__IS_CLIENT)) type = ws__server_head(c, head);
#endif
    if (!type) return -1;
    c->phase = WS__PHASE_HTTP;
    if (type == WS_EV_OPEN) ws__opened(c);
    ws__wake(c);
    return ws__fill(ev, c, type, "", 0);
}

#ifdef WS__DIALS
static int ws__again(ws_conn *c, ws_event *ev);
static int ws__dial_due(ws_conn *c);
#endif
static int ws__judge(ws_conn *c);

static int ws__close_event(ws_conn *c, ws_event *ev)
{
    int clean = WS__HAS(c, WS__CLOSE_GOT) && c->close_left && !c->error;

    WS_TRACE(c, "end", c->code);
    c->flags |= WS__CLOSE_TOLD;
    c->phase = WS__PHASE_ENDED;
    ws__fill(ev, c, WS_EV_CLOSE, "", 0);
    ev->error = -(int)c->error;
    ev->code = c->code;
    ev->clean = clean || (WS__HAS(c, WS__ANSWERED) && !c->error && !ws__unsent(c));
    ev->refused = c->refused;
    ev->reason = c->note && *c->note && !ws__is_placed(c->error) ? c->note
                                                                 : ws__error_text(c->error);
#ifdef WS__DIALS
    if (WS__HAS(c, WS__IS_CLIENT)) return ws__again(c, ev);
#endif
    return 1;
}

/* The input has ended too early. */
static void ws__cut_off(ws_conn *c)
{
    const char *why = WS__HAS(c, WS__BROKEN) ? ws__io_why(c) : NULL;
    int tls = why && c->more && c->more->layer;

    ws__fail_with(c, tls ? WS_ERR_TLS : WS__HAS(c, WS__BROKEN) ? WS_ERR_IO : WS_ERR_EOF, why);
}

/* What is left to say when the input gives nothing more. */
static int ws__late_event(ws_conn *c, ws_event *ev)
{
    if (WS__HAS(c, WS__CLOSE_TOLD | WS__DOWN)) return 0;
    if (WS__HAS(c, WS__INPUT_END) && !ws__held_back(c) && c->phase <= WS__PHASE_READING &&
        !WS__HAS(c, WS__ANSWERED))
        ws__cut_off(c);
    if (WS__HAS(c, WS__INPUT_END) && c->phase == WS__PHASE_BODY) ws_drop(c);
    if (ws__writable_due(c)) {
        c->flags &= ~(uint32_t)(WS__REFUSED | WS__DRAIN_ASKED);
        return ws__fill(ev, c, WS_EV_WRITABLE, "", 0);
    }
    if (c->phase == WS__PHASE_ENDED) return ws__close_event(c, ev);
    if (c->phase == WS__PHASE_ENDING && !ws__unsent(c) && !ws__awaits_end(c))
        return ws__close_event(c, ev);
    return 0;
}

/* The parser: takes from in until there is an event (1) or nothing more to do (0). */
static int ws__step(ws_conn *c, ws__span *in, ws_event *ev)
{
    int r = -1, held;

    if (WS__HAS(c, WS__OPEN_OWED)) {
        c->flags &= ~(uint32_t)WS__OPEN_OWED;
        return ws__fill(ev, c, WS_EV_OPEN, "", 0);
    }
    while (r < 0) {
        if (c->phase == WS__PHASE_HEAD) r = ws__shake_step(c, in, ev);
        else if (c->phase == WS__PHASE_FRAMES && !ws__held_back(c))
            r = ws__frame_step(c, in, ev);
        else if (c->phase == WS__PHASE_READING && !ws__held_back(c))
            r = ws__body_step(c, in, ev);
        else r = 0;
    }
    if (r > 0) return 1;
    if (c->phase > WS__PHASE_READING) in->p = in->end;
    held = c->fresh && ws__held_back(c);
    c->fresh = (uint8_t)held;
    if (ws__late_event(c, ev)) return 1;
    if (!c->judge_owed) return 0;       /* a loop judges when the turn ends */
    c->judge_owed = 0;
    if (!ws__judge(c)) return 0;
    return c->fresh && !held ? ws__step(c, in, ev) : ws__late_event(c, ev);
}

/* Pulls from the bytes that c->rx holds. */
static int ws__pull(ws_conn *c, ws_event *ev)
{
    ws__span in;
    size_t left;
    int r;

    in.in_rx = c->rx != NULL;
    in.p = in.in_rx ? WS__DATA(c->rx) + c->rx->pos : NULL;
    in.end = in.in_rx ? WS__DATA(c->rx) + c->rx->len : NULL;
    left = (size_t)(in.end - in.p);
    r = ws__step(c, &in, ev);
    if (!c->rx || !in.in_rx) return r;
    c->rx->pos = (size_t)(in.p - WS__DATA(c->rx));
    if (!c->rx->owed) return r;
    left -= (size_t)(in.end - in.p);
    c->rx->owed = r && left < c->rx->owed ? c->rx->owed - left : 0;
    if (!c->rx->owed && c->phase != WS__PHASE_HTTP) ws__judge(c);
    return r;
}

/* ==== >>time (private) ================================================================= */

/* OPEN: keepalive and idleness. */
static void ws__open_expired(ws_conn *c)
{
    const ws_config *s = &c->cfg->set;

    if (s->idle_timeout != WS_NEVER && c->now - c->last_message >= s->idle_timeout) {
        ws__fail(c, WS_ERR_IDLE_TIMEOUT);
        return;
    }
    if (WS__HAS(c, WS__PAUSED)) {       /* the answer may lie unread */
        c->last_rx = c->now;
        c->flags &= ~(uint32_t)WS__PINGED;
    } else if (WS__HAS(c, WS__PINGED)) {
        if (s->ping_timeout != WS_NEVER && c->now - c->last_ping >= s->ping_timeout) {
            ws__fail(c, WS_ERR_PING_TIMEOUT);
            return;
        }
    } else if (s->ping_interval != WS_NEVER && c->now - c->last_rx >= s->ping_interval) {
        if (!ws__held_back(c)) ws__ping_put(c);
        c->flags |= WS__PINGED;
        c->last_ping = c->now;
        ws__wake(c);
    }
    c->deadline = ws__open_deadline(c);
}

/* A refusal whose body does not end: what came must do. 1 if that is it. */
static int ws__refusal_shown(ws_conn *c)
{
    if (!WS__HAS(c, WS__IS_CLIENT) || WS__HAS(c, WS__INPUT_END) || !c->rx ||
        c->rx->head.state != WS__HEAD_DONE)
        return 0;
    c->flags |= WS__INPUT_END;
    c->fresh = 1;
    c->deadline = ws__after(c, WS_NEVER);
    ws__wake(c);
    return 1;
}

/* Waits no more for what closing takes. */
static void ws__give_up(ws_conn *c)
{
    if (!c->error && !(WS__HAS(c, WS__CLOSE_GOT) && c->close_left)) {
        ws__fail(c, WS_ERR_CLOSE_TIMEOUT);
    } else {
        ws__drop_output(c);
        ws__end(c, WS__PHASE_ENDED);
    }
}

#ifndef WS_NO_SERVER

static void ws__fill_copy(void *data, void *at, size_t n) { memcpy(at, data, n); }
static int ws__body_put(ws_conn *c, size_t n, void (*fill)(void *, void *, size_t), void *user);

static void ws__body_deadline(ws_conn *c)
{
    const ws__more *m = c->more;

    c->deadline = ws__after(c, WS_NEVER);
    if (!m || !m->beat) return;
    c->deadline = m->beat_at;
    if (ws__pending(c) && c->cfg->set.ping_timeout != WS_NEVER)
        c->deadline = ws__sooner(c->now, m->beat_at, WS__HAS(c, WS__PINGED)
                                 ? c->last_ping + c->cfg->set.ping_timeout
                                 : c->last_rx + m->beat_ms);
}

/* Something is written: the next beat is due so much later. */
static void ws__beat_later(ws_conn *c)
{
    if (c->more) c->more->beat_at = c->now + c->more->beat_ms;
    ws__body_deadline(c);
}

/* 1 if the peer is dead. What waits for too long is as good as a ping to it, and ws__tx_done
   as its answer. */
static int ws__body_stuck(ws_conn *c)
{
    uint32_t patience = c->cfg->set.ping_timeout;

    if (!ws__pending(c) || patience == WS_NEVER) return 0;
    if (WS__HAS(c, WS__PINGED)) return c->now - c->last_ping >= patience;
    if (c->now - c->last_rx >= c->more->beat_ms) {
        c->flags |= WS__PINGED;
        c->last_ping = c->now;
    }
    return 0;
}

static void ws__beat(ws_conn *c)
{
    const ws__more *m = c->more;

    if (m && m->beat && ws__body_stuck(c)) {
        ws__fail(c, WS_ERR_PING_TIMEOUT);
        return;
    }
    if (m && m->beat && (int32_t)(c->now - m->beat_at) >= 0) {
        if (!ws__pending(c)) ws__body_put(c, strlen(m->beat), ws__fill_copy, m->beat);
        ws__beat_later(c);
    }
    ws__body_deadline(c);
    ws__wake(c);
}

#endif /* WS_NO_SERVER */

static void ws__read_expired(ws_conn *c)
{
    uint32_t most = c->cfg->set.idle_timeout;

    if (most != WS_NEVER && c->now - c->last_message >= most) ws__fail(c, WS_ERR_IDLE_TIMEOUT);
    else c->deadline = ws__after(c, most == WS_NEVER ? most : most - (c->now - c->last_message));
}

/* The opening handshake took too long. While something stands in the way, TLS that is not done,
   the peer cannot be told. */
static void ws__shake_late(ws_conn *c)
{
    const char *why = ws__io_why(c);

    if (!why && WS__HAS(c, WS__IS_CLIENT)) why = "waiting for the answer";
    ws__fail_with(c, WS_ERR_HANDSHAKE_TIMEOUT, why);
    if (!why) return;
    ws__drop_output(c);
    ws__end(c, WS__PHASE_ENDED);
}

#ifdef WS_NO_SOCKETS
static int ws__must_end(const ws_conn *c) { (void)c; return 0; }
#else
static int ws__must_end(const ws_conn *c);
#endif

/* Closing took too long, unless the peer goes on taking what is left to be sent. */
static void ws__close_expired(ws_conn *c)
{
    uint32_t patience = c->cfg->set.close_timeout;

    if (ws__awaits_end(c)) ws__give_up(c);
    else if (patience == WS_NEVER) c->deadline = ws__after(c, WS_NEVER);
    else if (c->untaken && ws__takes(c, patience))
        c->deadline = ws__after(c, patience * ws__lumps(c));
    else ws__give_up(c);
}

static void ws__expired(ws_conn *c)
{
    if (c->phase == WS__PHASE_ENDED) return;
    if (ws__must_end(c)) {
        ws__give_up(c);
    } else if (c->phase == WS__PHASE_FRAMES && !WS__HAS(c, WS__CLOSE_SENT)) {
        ws__open_expired(c);
    } else if (c->phase < WS__PHASE_FRAMES) {
        if (c->cfg->set.handshake_timeout == WS_NEVER) c->deadline = ws__after(c, WS_NEVER);
        else if (!ws__refusal_shown(c)) ws__shake_late(c);
    } else if (c->phase == WS__PHASE_READING) {
        ws__read_expired(c);
#ifndef WS_NO_SERVER
    } else if (c->phase == WS__PHASE_BODY) {
        ws__beat(c);
#endif
    } else {
        ws__close_expired(c);
    }
}

/* Judges what is due at c->now, after what came until then was taken and parsed. 1 if anything
   was. */
static int ws__judge(ws_conn *c)
{
    if (!ws__overdue(c)) return 0;
#ifdef WS__DIALS
    if (ws__dial_due(c)) return 1;
#endif
    ws__expired(c);
    return 1;
}

/* The same, unless the parser is to look at what came first: at the bytes that are here now, not
   at those with which a peer floods us meanwhile. */
static int ws__judge_dry(ws_conn *c)
{
    ws__rx *rx = c->rx;
    int waits = c->fresh && !ws__held_back(c) && ws__overdue(c);

    if (!waits) return ws__judge(c);
    c->judge_owed = 1;
    if (rx && !rx->owed) rx->owed = rx->len - rx->pos;
    return 0;
}

/* ==== >>engine (public) ================================================================ */

/* A connection that could not be made right says so with its CLOSE event. */
WS__APART ws_conn *ws__stillborn(ws_conn *c, int fault, const ws_config *cfg)
{
    char room[96];

    if (c && fault) ws__fail_with(c, fault, cfg ? ws__fault_field(fault, cfg, room) : NULL);
    return c;
}

#ifndef WS_NO_CLIENT
WS__APART void ws__fail_url(ws_conn *c, const char *url, const ws__url_why *why)
{
    char text[80];
    ws__text t = ws__text_in(text, sizeof text);

    ws__puts(&t, why->words);
    if (url) {
        ws__puts(&t, " at byte ");
        ws__put_number(&t, why->at);
    }
    ws__fail_with(c, WS_ERR_URL, text);
}

/* Can user and password be decoded? */
static int ws__login_fault(const ws_url *url, const char *text, ws__url_why *why)
{
    ws_str both = ws__str(url->user.data, (size_t)(url->host.data - url->user.data));
    size_t i;

    if (!url->user.data) return 0;
    for (i = 0; i < both.size && both.data[i] != '@'; i++)
        if (both.data[i] == '%' && ws__percent(both, i) < 0)
            return ws__url_fault(why, "user or password", (size_t)(both.data + i - text));
    return 0;
}

/* A client of any driver. from: whose allocator it takes; fixed: cfg.memory serves, or not. */
WS__APART ws_conn *ws__client_new(const char *url, const ws_config *cfg, const ws_config *from,
                                  int fixed)
{
    ws_url parsed;
    ws__url_why why = { "there is none", 0 };
    int fault, bad = !url || ws__url_parse(url, strlen(url), &parsed, &why) ||
                     ws__login_fault(&parsed, url, &why);
    ws_conn *c = ws__new(cfg, from, fixed, bad ? "" : url, WS__IS_CLIENT, &fault);

    if (c && !fault && bad) ws__fail_url(c, url, &why);
    if (!c || c->error) return c;
    return ws__stillborn(c, fault ? fault : ws__request_put(c, &parsed), cfg);
}

/* A field that takes a driver which makes connections of its own; NULL: none is set. */
static const char *ws__dialling_field(const ws_config *cfg)
{
    return !cfg ? NULL : cfg->reconnect ? "reconnect" : cfg->proxy ? "proxy"
         : cfg->max_redirects ? "max_redirects" : cfg->resolve ? "resolve"
         : cfg->on_socket ? "on_socket" : cfg->allow_address ? "allow_address" : NULL;
}

/* Fails a client whose transport is the application's if it is told how to connect. */
static ws_conn *ws__not_dialling(ws_conn *c, const ws_config *cfg)
{
    const char *field = ws__dialling_field(cfg);

    if (c && field && !c->error) ws__fail_with(c, WS_ERR_ARGUMENT, field);
    return c;
}

WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg)
{
    return ws__not_dialling(ws__client_new(url, cfg, cfg, 1), cfg);
}
#endif

#ifndef WS_NO_SERVER
WS__PRIVATE ws_conn *ws__server_new(const ws_config *cfg, const ws_config *from, int fixed)
{
    int fault;
    ws_conn *c = ws__new(cfg, from, fixed, NULL, 0, &fault);
    return ws__stillborn(c, fault, cfg);
}

WS_API ws_conn *ws_server_new(const ws_config *cfg) { return ws__server_new(cfg, cfg, 1); }
#endif

#define WS__FEED_MAX 65536      /* raw bytes ws_feed holds at most */
#define WS__FEED_MIN 16384      /* and may always hold */

/* The raw bytes that may wait to be parsed, at most most: as many as the limits let a message
   have. */
static size_t ws__raw_most(const ws_conn *c, size_t most)
{
    size_t whole = c->cfg->set.max_message;

    if (c->phase == WS__PHASE_HEAD) whole = c->cfg->set.max_head;
    if (whole < WS__FEED_MIN) whole = WS__FEED_MIN;
    return whole < most ? whole : most;
}

WS_API size_t ws_feed_room(const ws_conn *c)
{
    size_t raw, most;

    if (!c || c->phase > WS__PHASE_READING || WS__HAS(c, WS__INPUT_END)) return 0;
    most = ws__raw_most(c, c->phase == WS__PHASE_HEAD ? (size_t)-1 : WS__FEED_MAX);
    if (!c->rx) return most;
    raw = c->rx->len - c->rx->pos;
    if (WS__HAS(c, WS__IS_FIXED) && c->rx->behind) return c->rx->cap - c->rx->len;
    if (WS__HAS(c, WS__IS_FIXED))
        return WS__HAS(c, WS__HEAD_HELD) ? 0 : c->rx->cap - c->rx->msg - raw;
    return raw < most ? most - raw : 0;
}

static void ws__heard(ws_conn *c)
{
    c->fresh = 1;
    c->last_rx = c->now;
    c->flags &= ~(uint32_t)WS__PINGED;
}

WS_API size_t ws_feed(ws_conn *c, const void *data, size_t n)
{
    size_t room = ws_feed_room(c);

    if (!c || !data) return 0;
    if (c->phase > WS__PHASE_READING) return n;     /* nobody needs it any more */
    ws__unshow(c);
    if (n > room) n = room;
    if (!n) return 0;
    ws__heard(c);
    if (ws__rx_append(c, (const uint8_t *)data, n)) ws__fail(c, WS_ERR_MEMORY);
    return n;
}

WS_API void ws_feed_end(ws_conn *c)
{
    if (!c) return;
    c->flags |= WS__INPUT_END;
    c->fresh = 1;
}

WS_API int ws_next(ws_conn *c, ws_event *ev)
{
    if (!c || !ev) return 0;
    ev->type = WS_EV_NONE;
    ws__release(c);
    if (!ws__pull(c, ev)) return 0;
    ws__show(c, ev);
    return 1;
}

WS_API const void *ws_output(ws_conn *c, size_t *n)
{
    ws__piece piece;
    ws__tx *tx;

    *n = 0;
    if (c && !ws__unsent(c) && ws__source_ready(c)) ws__source_pull(c);
    tx = c ? c->tx : NULL;
    if (!tx) return "";
    if (tx->has_pong && tx->pos == tx->border && !ws__front_begun(tx)) ws__pong_front(c);
    if (!ws__tx_pieces(c, &piece, 1)) return "";
    *n = piece.iov_len;
    return piece.iov_base;
}

WS_API void ws_output_done(ws_conn *c, size_t n)
{
    if (c) ws__tx_done(c, n);
}

WS_API int ws_finished(const ws_conn *c)
{
    if (!c) return 1;
    if (ws__unsent(c) || WS__HAS(c, WS__DOWN)) return 0;
    return c->phase == WS__PHASE_ENDED || (c->phase == WS__PHASE_ENDING && !ws__awaits_end(c));
}

/* Tells the time. */
static void ws__tell_time(ws_conn *c, uint64_t now)
{
    uint32_t t = (uint32_t)now, step = t - c->now;

    if (!WS__HAS(c, WS__TICKED) || (int32_t)step < 0) {     /* first call, or clock set back */
        c->last_rx += step;
        c->last_message += step;
        c->last_ping += step;
        c->deadline += step;
        if (c->more) c->more->beat_at += step;
    }
    c->now = t;
    if (!WS__HAS(c, WS__TICKED)) {
        c->flags |= WS__TICKED;
        if (c->phase == WS__PHASE_FRAMES && !WS__HAS(c, WS__CLOSE_SENT))
            c->deadline = ws__open_deadline(c);
    }
}

WS_API void ws_tick(ws_conn *c, uint64_t now)
{
    if (!c) return;
    ws__tell_time(c, now);
    ws__judge_dry(c);
}

/* A blocking client has read the peer's Close while it was sending. */
static int ws__close_is_ahead(const ws_conn *c)
{
    return WS__HAS(c, WS__IS_BLOCKING) && c->cfg->close_ahead;
}

static int ws__can_send(const ws_conn *c)
{
    return !WS__HAS(c, WS__CLOSE_SENT | WS__CLOSE_GOT | WS__NO_OUTPUT) && !ws__close_is_ahead(c) &&
           (c->phase == WS__PHASE_FRAMES ||
            (c->phase == WS__PHASE_HEAD && WS__HAS(c, WS__IS_CLIENT) && !ws__is_http(c) &&
             !c->cfg->delay));
}

/* May a ping or a pong go? Also behind our Close frame, until the peer's has come (5.5.2). */
static int ws__can_control(const ws_conn *c)
{
    return c->phase == WS__PHASE_FRAMES && !WS__HAS(c, WS__CLOSE_GOT | WS__NO_OUTPUT);
}

/* May a new message begin? */
static int ws__can_begin(const ws_conn *c)
{
    if (!ws__can_send(c)) return WS_ERR_STATE;
    return c->sending || ws__has_source(c) ? WS_ERR_BUSY : 0;
}

/* 1 if wire more bytes are too many. Only while much waits: one message always goes. */
static int ws__too_much(const ws_conn *c, uint64_t wire)
{
    size_t most = c->cfg->set.max_backlog, waits = ws__unsent(c);

    if (WS__HAS(c, WS__IS_FIXED)) return waits + wire > c->tx->cap - 2 * WS__TX_ROOM;
    return waits > most / 2 && waits + wire > most;
}

#ifndef WS_NO_SOCKETS
static void ws__flush(ws_conn *c);
static int ws__await(ws_conn *c, uint64_t wire, int (*busy)(const ws_conn *c));
static void ws__look(ws_conn *c);

/* 1 if the poller will tell when the socket takes more output: trying before is in vain. */
static int ws__awaits_room(const ws_conn *c)
{
    return c->wants != WS__UNWATCHED && (c->wants & WS_WANT_WRITE);
}
#endif

/* May wire bytes be sent, frame headers included? Makes room if the settings say so. */
static int ws__admit(ws_conn *c, uint64_t wire)
{
    const ws_config *s = &c->cfg->set;

    if (WS__HAS(c, WS__IS_FIXED) && wire > c->tx->cap - 2 * WS__TX_ROOM) return WS_ERR_ARGUMENT;
    ws__call_begin(c);
    if (c->cork && ws__unsent(c) > s->max_backlog / 2) (c->cork->flush)(c);
#ifndef WS_NO_SOCKETS
    if (WS__HAS(c, WS__IS_BLOCKING) && ws__too_much(c, wire) && !s->drop_oldest && !s->drop_slow)
        return ws__await(c, wire, NULL);
    if (c->loop && (!c->cork || (ws__ext_of(c) && !c->cork->total)) && !ws__awaits_room(c) &&
        ws__too_much(c, wire))
        ws__flush(c);
#endif
    while (s->drop_oldest && ws__too_much(c, wire) && ws__tx_drop_oldest(c)) {}
    if (!ws__too_much(c, wire)) return 0;
    if (s->drop_slow && !WS__HAS(c, WS__CLOSE_SENT)) {
        /* so that it hears of it soon, what it did not get goes */
        while (ws__tx_drop_oldest(c)) {}
        ws__fail(c, WS_ERR_SLOW);
        return WS_ERR_SLOW;
    }
    c->flags |= WS__REFUSED;
    c->refused++;
    return WS_ERR_BACKLOG;
}

/* Begins a message. Behind a source that has more a blocking client waits. */
static int ws__begin(ws_conn *c)
{
    int r = ws__can_begin(c);

#ifndef WS_NO_SOCKETS
    if (r == WS_ERR_BUSY && WS__HAS(c, WS__IS_BLOCKING) && ws__source_ready(c)) {
        r = ws__await(c, 0, ws__source_ready);
        if (!r) r = ws__can_begin(c);
    }
#endif
    if (r == WS_ERR_BUSY) c->refused++;
    return r;
}

/* What follows a try to send a frame. */
static int ws__sent(ws_conn *c, int r)
{
    if (r == WS_ERR_RANDOM || r == WS_ERR_CODEC) ws__fail(c, r);
    if (!r && !c->cork) ws__wake(c);
#ifndef WS_NO_SOCKETS
    if (!r && WS__HAS(c, WS__IS_BLOCKING)) {
        ws__look(c);
        return ws_error(c);             /* it may have broken while writing this */
    }
#endif
    return r;
}

/* Copies the next n bytes of pieces, *at being the place in the first of them. Returns the
   piece to go on with. */
static const ws_str *ws__take_pieces(uint8_t *to, const ws_str *v, size_t *at, size_t n)
{
    while (n) {
        size_t k = v->size - *at < n ? v->size - *at : n;
        if (k) memcpy(to, v->data + *at, k);
        to += k;
        n -= k;
        *at += k;
        if (n) { v++; *at = 0; }
    }
    return v;
}

/* Queues a message in frames of at most most bytes: all of it, or nothing. */
static int ws__send_cut(ws_conn *c, int op, const ws_str *v, size_t n, size_t most)
{
    uint64_t wire = ws__wire_size(c, n, most);
    size_t at = 0;
    uint8_t *to;

    if (c->cork && c->cork->total) (c->cork->flush)(c);
    to = wire < ((size_t)-1) / 4 ? ws__tx_room(c, (size_t)wire) : NULL;
    if (!to) return WS_ERR_MEMORY;
    for (;;) {
        size_t k = n < most ? n : most;
        ws_frame f;
        int r = ws__frame_make(c, &f, op | (k < n ? WS__UNFINISHED : 0), k);
        if (r) return r;
        to += ws_frame_encode(&f, to);
        v = ws__take_pieces(to, v, &at, k);
        if (f.masked) ws_mask(to, to, k, f.key, 0);
        to += k;
        n -= k;
        op = WS_OP_CONTINUATION;
        if (!n) break;
    }
    c->tx->len = (size_t)(to - WS__DATA(c->tx));
    return 0;
}

static int ws__op_valid(int op)
{
    op &= ~WS_OP_PLAIN;
    return op == WS_OP_TEXT || op == WS_OP_BINARY;
}

WS_API int ws_sendv(ws_conn *c, int op, const ws_str *v, int count)
{
    size_t n = 0, cut;
    int i, r;

    if (!c || !ws__op_valid(op) || count < 0 || (!v && count))
        return WS_ERR_ARGUMENT;
    for (i = 0; i < count; i++) {
        if ((!v[i].data && v[i].size) || v[i].size > (size_t)-1 / 4 - n) return WS_ERR_ARGUMENT;
        n += v[i].size;
    }
    cut = c->cfg->set.fragment == WS_NO_LIMIT ? n : c->cfg->set.fragment;
    r = ws__begin(c);
    if (!r) r = ws__admit(c, ws__wire_size(c, n, cut));
    if (r) return r;
    c->last_message = c->now;
    if (c->more && ws__encodes(c, op, n)) {
        r = ws__coded_put(c, op & 15, v, count, n,
                          c->cfg->set.fragment == WS_NO_LIMIT ? (size_t)-1 / 4 : cut);
        if (r != WS__PLAIN) return ws__sent(c, r);
    }
    if (n > cut) r = ws__send_cut(c, op, v, n, cut);
    else r = ws__frame_put(c, op, v, count, n);
    return ws__sent(c, r);
}

/* The short way for the commonest message: a small one of a server, into the cork, nothing
   before it. 0: it is not that. */
static int ws__send_short(ws_conn *c, int op, const void *data, size_t n)
{
    const uint32_t no = WS__CLOSE_SENT | WS__CLOSE_GOT | WS__NO_OUTPUT | WS__IS_CLIENT |
                        WS__IS_FIXED;
    ws__gather *g = c->cork;
    size_t head = n < 126 ? 2 : 4;
    uint8_t *at;

    if (!g || !data || !n || n >= WS__BORROW_MIN || n > c->cfg->set.fragment) return 0;
    if ((op != WS_OP_TEXT && op != WS_OP_BINARY) || WS__HAS(c, no)) return 0;
    if (c->phase != WS__PHASE_FRAMES || c->tx || c->sending) return 0;
    if (c->more && (c->more->read || ws__encodes(c, op, n))) return 0;
    if (g->n == WS__PIECES || g->cap - g->len < head + n ||
        g->total > c->cfg->set.max_backlog / 2) return 0;
    WS_TRACE(c, "frame out", 0x80 | op);
    at = g->buf + g->len;
    at[0] = (uint8_t)(0x80 | op);
    at[1] = (uint8_t)(head == 2 ? n : 126);
    if (head == 4) ws__put16(at + 2, (unsigned)n);
    memcpy(at + head, data, n);
    g->len += head + n;
    ws__gather_piece(g, at, head + n);
    c->last_message = c->now;
    return 1;
}

WS_API int ws_send(ws_conn *c, int op, const void *data, size_t n)
{
    ws_str v = ws__str((const char *)data, n);

    return c && ws__send_short(c, op, data, n) ? 0 : ws_sendv(c, op, &v, 1);
}

WS_API int ws_send_text(ws_conn *c, const char *text)
{
    return text ? ws_send(c, WS_OP_TEXT, text, strlen(text)) : WS_ERR_ARGUMENT;
}

WS_API int ws_send_part(ws_conn *c, int op, const void *data, size_t n, int last)
{
    ws__ext *e;
    size_t grows;       /* in a block of the caller's: an encoder under way cannot go back */
    int r;

    if (!c || !ws__op_valid(op) || (!data && n) || n > (size_t)-1 / 4) return WS_ERR_ARGUMENT;
    if (!ws__can_send(c)) return WS_ERR_STATE;
    r = ws__has_source(c) ? ws__begin(c) : 0;
    if (r) return r;
    if (c->sending && c->sending != op) return WS_ERR_ARGUMENT;
    e = ws__ext_of(c);
    grows = c->sending && e && e->part_coded ? n / 16 + WS__CODE_ROOM : 0;
    r = ws__admit(c, n + ws__header_size(c, n) + grows);
    return r ? r : ws__sent(c, ws__part_put(c, op, data, n, last));
}

WS_API int ws_send_from(ws_conn *c, int op,
                        ptrdiff_t (*read)(void *user, void *buf, size_t n), void *user)
{
    ws__more *m;
    int r;

    if (!c || !ws__op_valid(op) || !read) return WS_ERR_ARGUMENT;
    if (!ws__can_send(c)) return WS_ERR_STATE;
    m = c->more;
    if (!m || m->read != read || m->read_user != user || m->read_op != op) {
        r = ws__begin(c);
        if (!r) r = ws__admit(c, 0);
        if (r) return r;
        m = ws__more_of(c);
        if (!m) return WS_ERR_MEMORY;
        m->read = read;
        m->read_user = user;
        m->read_op = (uint8_t)op;
    }
    m->read_waits = 0;
    ws__wake(c);
    return 0;
}

/* What an extension made of a message for many. */
typedef struct ws__news_set {
    const ws_extension *set;
    uint32_t agreed;
    ws__shared *frame;          /* NULL: better as it is */
} ws__news_set;

#define WS__NEWS_SETS 4         /* of more, the first is forgotten */

/* A message for many, or for a slot. The frames are built when the first needs them. */
typedef struct ws__news {
    ws__cfg *cfg;               /* whose memory the frames take */
    ws__shared *frame;
    ws__news_set coded[WS__NEWS_SETS];
    unsigned sets;              /* that there were */
    ws_str payload;
    int op, slot;               /* slot: -1 none */
} ws__news;

#define WS__SHARE_MIN 64        /* bytes of payload from which a reference beats a copy */

/* Encodes a message alone into the frame that f begins. *out is NULL if it does not pay. */
static int ws__shared_coded(ws__cfg *k, const ws__ext *e, ws_frame *f, const ws_str *payload,
                            ws__shared **out)
{
    const ws_extension *x = e->set;
    size_t n = payload->size, room = x->only_smaller ? n + WS__CODE_ROOM : 2 * n + 4096;
    ws__shared *s = ws__shared_raw(k, WS_FRAME_HEADER_MAX + room);
    ws__coder d = { NULL, 0, 1, 1, 0 };
    ws__encoding input = { NULL, 1, 2, 0 };
    size_t made = 0, head;
    uint8_t *at;
    int r;

    *out = NULL;
    if (!s) return WS_ERR_MEMORY;
    at = WS__DATA(s) + WS_FRAME_HEADER_MAX;
    input.v = payload;
    r = ws__coder_begin(k, x, e->agreed, &d);
    if (!r) r = ws__encode(x, &d, &input, at, room, &made);
    ws__coder_end(k, x, &d);
    if (!r && !x->only_smaller) r = WS_ERR_CODEC;
    if (r <= 0 || (x->only_smaller && made >= n)) {
        ws__shared_release(s);
        return r < 0 ? r : 0;
    }
    f->rsv = (uint8_t)x->rsv;
    f->size = made;
    head = ws_frame_encode(f, WS__DATA(s));
    memmove(WS__DATA(s) + head, at, made);
    if (f->masked) ws_mask(WS__DATA(s) + head, WS__DATA(s) + head, made, f->key, 0);
    s->size = head + made;
    *out = s;
    return 0;
}

/* Is the message to be encoded for c, and alone, so that others may have the same? */
static int ws__news_coded(const ws_conn *c, const ws__news *w)
{
    return c->more && ws__encodes(c, w->op, w->payload.size) && c->more->ext->out.alone;
}

/* Do two extensions, of listeners perhaps, encode alike? */
static int ws__encode_alike(const ws_extension *a, const ws_extension *b)
{
    if (a == b) return 1;
    if (a->encode != b->encode || a->begin != b->begin || a->state_size != b->state_size ||
        a->end != b->end || a->rsv != b->rsv || !a->only_smaller != !b->only_smaller)
        return 0;
    return a->user == b->user || (a->encode == ws__deflate_encode &&
           ws__deflate_alike((const ws_deflate *)a->user, (const ws_deflate *)b->user));
}

/* What was encoded for those who agreed to the same as c, or the place for it. */
static ws__news_set *ws__news_find(const ws_conn *c, ws__news *w)
{
    const ws__ext *e = c->more->ext;
    ws__news_set *s = w->coded, *end = s + WS__NEWS_SETS;

    while (s < end && (!s->set || s->agreed != e->agreed || !ws__encode_alike(s->set, e->set)))
        s++;
    if (s < end) return s;
    s = &w->coded[w->sets++ % WS__NEWS_SETS];
    if (s->frame) ws__shared_release(s->frame);
    memset(s, 0, sizeof *s);
    return s;
}

static void ws__news_end(ws__news *w)
{
    int i;

    if (w->frame) ws__shared_release(w->frame);
    for (i = 0; i < WS__NEWS_SETS; i++)
        if (w->coded[i].frame) ws__shared_release(w->coded[i].frame);
}

/* The frame of a message in the form that c needs, with a reference for the caller. A client
   has one of its own: its key is used once. */
static int ws__news_frame(ws_conn *c, ws__news *w, ws__shared **out)
{
    ws_frame f = { 0, 1, 0, 0, 0, { 0, 0, 0, 0 } };
    ws__news_set *s;
    int r;

    f.op = (uint8_t)(w->op & 15);
    f.masked = WS__HAS(c, WS__IS_CLIENT);
    if (f.masked && ws__random(c->cfg, f.key, 4)) return WS_ERR_RANDOM;
    if (ws__news_coded(c, w)) {
        s = f.masked ? NULL : ws__news_find(c, w);
        if (s && s->set) {
            *out = s->frame;
        } else {
            r = ws__shared_coded(s ? w->cfg : c->cfg, c->more->ext, &f, &w->payload, out);
            if (r) return r;
            if (s) {
                s->set = c->more->ext->set;
                s->agreed = c->more->ext->agreed;
                s->frame = *out;
            }
        }
        if (*out && s) (*out)->refs++;
        if (*out) return 0;
    }
    f.rsv = 0;
    f.size = w->payload.size;
    if (f.masked) {
        *out = ws__shared_new(c->cfg, &f, &w->payload);
        return *out ? 0 : WS_ERR_MEMORY;
    }
    if (!w->frame) w->frame = ws__shared_new(w->cfg, &f, &w->payload);
    if (!w->frame) return WS_ERR_MEMORY;
    *out = w->frame;
    w->frame->refs++;
    return 0;
}

/* The unsent frame of a slot, NULL if there is none. */
static ws__mark *ws__slot_find(const ws_conn *c, int slot)
{
    const ws__tx *tx = c->tx;
    uint32_t i = tx ? tx->mark_at + (ws__front_begun(tx) ? 1 : 0) : 0;

    for (; tx && i < tx->mark_end; i++)
        if (tx->marks[i].frame && tx->marks[i].extra == (size_t)slot + 1) return &tx->marks[i];
    return NULL;
}

/* Bytes of the queue in front of a mark. */
static size_t ws__waits_before(const ws__tx *tx, const ws__mark *m)
{
    size_t n = m->at - tx->pos - tx->sent;
    const ws__mark *i;

    for (i = tx->marks + tx->mark_at; i < m; i++) {
        if (i->frame) n += i->frame->size;
        else n -= i->extra;
    }
    return n;
}

/* Puts frame in the place of the slot's unsent one. */
static void ws__slot_replace(ws_conn *c, ws__mark *m, ws__shared *frame)
{
    if (ws__waits_before(c->tx, m) < c->tx->drain) {
        c->tx->drain += frame->size;
        c->tx->drain -= m->frame->size;
    }
    c->tx->shared += frame->size;
    c->tx->shared -= m->frame->size;
    ws__shared_release(m->frame);
    m->frame = frame;
    frame->refs++;
}

/* Can c share a message with others? A client masks it, a stream takes it in frames, and an
   encoder that remembers must see it. */
static int ws__news_shares(const ws_conn *c, const ws__news *w)
{
    size_t n = w->payload.size;

    return n >= WS__SHARE_MIN && n <= c->cfg->set.fragment &&
           !WS__HAS(c, WS__IS_CLIENT | WS__IS_FIXED) &&
           (!c->more || !ws__encodes(c, w->op, n) || c->more->ext->out.alone);
}

/* Gives a message to one of its receivers. */
WS__APART int ws__news_give(ws_conn *c, ws__news *w)
{
    size_t n = w->payload.size, grows = n + ws__header_size(c, n);
    ws__mark *m = w->slot < 0 ? NULL : ws__slot_find(c, w->slot);
    ws__shared *frame;
    int r;

    if (w->slot < 0 && !ws__news_shares(c, w)) return ws_sendv(c, w->op, &w->payload, 1);
    if (m) grows = grows > m->frame->size ? grows - m->frame->size : 0;
    r = !m ? ws__begin(c) : ws__can_send(c) ? 0 : WS_ERR_STATE;
    if (!r) r = ws__admit(c, grows);
    if (!r && m) {
        m = ws__slot_find(c, w->slot);      /* or was it dropped to make room? */
        if (!m) r = ws__begin(c);
    }
    if (r) return r;
    c->last_message = c->now;
    r = ws__news_frame(c, w, &frame);
    if (r) return ws__sent(c, r);
    if (m) ws__slot_replace(c, m, frame);
    else r = ws__tx_share(c, frame, (size_t)w->slot + 1);
    ws__shared_release(frame);
    return ws__sent(c, r);
}

/* What ws_publish and its like may be given. */
static int ws__news_valid(int op, const void *data, size_t n)
{
    return ws__op_valid(op) && (data || !n) && n <= (size_t)-1 / 4;
}

static ws__news ws__news_of(ws__cfg *k, int slot, int op, const void *data, size_t n)
{
    ws__news w;

    memset(&w, 0, sizeof w);
    w.cfg = k;
    w.payload = ws__str((const char *)data, n);
    w.op = op;
    w.slot = slot;
    return w;
}

WS_API int ws_send_latest(ws_conn *c, int slot, int op, const void *data, size_t n)
{
    ws__news w;
    int r;

    if (!c || slot < 0 || !ws__news_valid(op, data, n)) return WS_ERR_ARGUMENT;
    if (WS__HAS(c, WS__IS_FIXED)) return WS_ERR_MEMORY;
    w = ws__news_of(c->cfg, slot, op, data, n);
    r = ws__news_give(c, &w);
    ws__news_end(&w);
    return r;
}

WS_API void ws_want_writable(ws_conn *c)
{
    if (!c) return;
    if (c->cork && c->cork->total) (c->cork->flush)(c);
    if (c->tx) c->tx->drain = ws__queued(c->tx);
    if (ws__has_source(c)) c->more->read_asked = 1;
    c->flags |= WS__DRAIN_ASKED;
    ws__wake(c);
}

static int ws__control_send(ws_conn *c, int op, const void *data, size_t n)
{
    int r, own = op == WS_OP_PING && !data;

    if (!c || n > 125 || (!data && n)) return WS_ERR_ARGUMENT;
    if (!ws__can_control(c)) return WS_ERR_STATE;
    if (own) n = 4;
    r = ws__admit(c, n + ws__header_size(c, n));
    if (r) return r;
    return ws__sent(c, own ? ws__ping_put(c) : ws__control_put(c, op, data, n));
}

WS_API int ws_ping(ws_conn *c, const void *data, size_t n)
{
    return ws__control_send(c, WS_OP_PING, data, n);
}

WS_API int ws_pong(ws_conn *c, const void *data, size_t n)
{
    return ws__control_send(c, WS_OP_PONG, data, n);
}

/* The length of a reason cut to what a Close frame holds, between characters. */
static size_t ws__reason_size(const char *reason)
{
    size_t n = reason ? strlen(reason) : 0;
    if (n <= 123) return n;
    n = 123;
    while (n && ((uint8_t)reason[n] & 0xC0) == 0x80) n--;
    return n;
}

/* Before it ends at once: what can be written now of a Close frame or an answer, and of what is
   queued before it, is. */
static void ws__last_words(ws_conn *c)
{
#ifdef WS_NO_SOCKETS
    (void)c;
#else
    if (!WS__HAS(c, WS__CLOSE_SENT | WS__ANSWERED) || !ws__unsent(c)) return;
    if (c->cork && c->cork->total) (c->cork->flush)(c);
    ws__flush(c);
#endif
}

/* The application ends it: no new tries. 1: that was all there was to end. */
static int ws__stop_trying(ws_conn *c)
{
    int was_down = WS__HAS(c, WS__DOWN);

    if (WS__HAS(c, WS__IS_CLIENT)) c->cfg->set.reconnect = 0;
    c->flags &= ~(uint32_t)WS__DOWN;
    if (was_down) ws__wake(c);
    return was_down;
}

WS_API int ws_close(ws_conn *c, int code, const char *reason)
{
    uint32_t state = 0;
    size_t n = ws__reason_size(reason);
    int r;

    if (!c || (code && !ws__code_valid(code)) || (!code && n)) return WS_ERR_ARGUMENT;
    if (n && (ws_utf8(&state, reason, n) < n || state)) return WS_ERR_ARGUMENT;
    if (ws__stop_trying(c)) return 0;
#ifndef WS_NO_SERVER
    if (c->phase == WS__PHASE_BODY) return ws_http_end(c);
#endif
    if (c->phase > WS__PHASE_READING || WS__HAS(c, WS__CLOSE_SENT)) return WS_ERR_STATE;
    if (c->phase != WS__PHASE_FRAMES) {             /* not open yet: nothing to shake */
        ws_drop(c);
        return 0;
    }
    if (ws__has_source(c)) c->refused++;            /* the rest of its message */
    r = ws__close_put(c, code, reason, n);
    if (r == WS_ERR_RANDOM || r == WS_ERR_MEMORY) ws__fail(c, r);
    else ws__end(c, WS__PHASE_FRAMES);
    return r;
}

WS_API void ws_drop(ws_conn *c)
{
    if (!c || ws__stop_trying(c)) return;
    ws__last_words(c);
    if (c->phase == WS__PHASE_ENDED) return;
    if (!WS__HAS(c, WS__CLOSE_GOT)) c->code = WS_CLOSE_ABNORMAL;
    if (ws__is_driven(c) || !WS__HAS(c, WS__CLOSE_SENT | WS__ANSWERED)) ws__drop_output(c);
    ws__end(c, WS__PHASE_ENDED);
}

WS_API void ws_cork(ws_conn *c)
{
    if (ws_state(c) != WS_STATE_OPEN) return;
    if (c->cork && c->cork->total) (c->cork->flush)(c);
    c->cork = NULL;
    c->flags |= WS__CORKED;
}

WS_API void ws_uncork(ws_conn *c)
{
    if (!c) return;
    c->flags &= ~(uint32_t)WS__CORKED;
    ws__wake(c);
}

WS_API void ws_pause(ws_conn *c)
{
    if (!c) return;
    c->flags |= WS__PAUSED;
    ws__wake(c);
}

WS_API void ws_resume(ws_conn *c)
{
    if (!c) return;
    ws__call_begin(c);
    c->flags &= ~(uint32_t)WS__PAUSED;
    if (ws__is_driven(c) && !c->dial && !WS__HAS(c, WS__DOWN)) c->flags |= WS__MORE;
    ws__heard(c);
    ws__wake(c);
}

#ifndef WS_NO_SERVER

/* Ends the phase in which the application has a request to answer. */
static int ws__reply(ws_conn *c, int status, const ws_header *headers, const char *body,
                     size_t n)
{
    int r;

    if (c->phase != WS__PHASE_HTTP || WS__HAS(c, WS__ANSWERED)) return WS_ERR_STATE;
    if (!ws__headers_own(headers, 1)) return WS_ERR_ARGUMENT;
    r = ws__refuse(c, status, headers, body, n, strcmp(ws_method(c), "HEAD") != 0);
    if (r) {
        ws__fail(c, r);
        return r;
    }
    c->flags |= WS__ANSWERED;
    ws__end(c, WS__PHASE_ENDING);
    return 0;
}

WS_API int ws_http_reply(ws_conn *c, int status, const ws_header *headers,
                         const void *body, size_t n)
{
    if (!c || status < 200 || status > 999 || (!body && n)) return WS_ERR_ARGUMENT;
    return WS__HAS(c, WS__ASKED) ? WS_ERR_STATE
                                 : ws__reply(c, status, headers, (const char *)body, n);
}

WS_API int ws_reject(ws_conn *c, int status, const ws_header *headers, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    int r;

    if (!c || status < 300 || status > 599) return WS_ERR_ARGUMENT;
    r = ws__reply(c, status, headers, text, n);
    if (r) return r;
    c->error = -WS_ERR_REJECTED;
    c->code = WS_CLOSE_ABNORMAL;
    ws__note_error(c, -WS_ERR_REJECTED, n ? text : NULL);
    return 0;
}

WS_API int ws_accept(ws_conn *c, const ws_answer *answer)
{
    int r;

    if (!c || (answer && !ws__headers_own(answer->headers, 0))) return WS_ERR_ARGUMENT;
    if (c->phase != WS__PHASE_HTTP || !WS__HAS(c, WS__ASKED) || WS__HAS(c, WS__ANSWERED))
        return WS_ERR_STATE;
    r = ws__answer_101(c, answer);
    if (r) return r;
    c->flags = (c->flags & ~(uint32_t)WS__ASKED) | WS__OPEN_OWED;
    ws__call_begin(c);
    ws__opened(c);
    ws__wake(c);
    return 0;
}

/* ---- answers that go on ---- */

/* The request on show is HTTP/1.1, not 1.0. */
static int ws__request_modern(const ws_conn *c)
{
    const char *target = ws_target(c);

    return *target && !memcmp(target + strlen(target) + 1, "HTTP/1.1", 8);
}

WS_API int ws__http_begin(ws_conn *c, int status, const ws_header *headers, const ws_header *more,
                          int chunked)
{
    ws__text t;
    int head;

    if (!c || status < 200 || status > 999 || !ws__headers_own(headers, !chunked))
        return WS_ERR_ARGUMENT;
    if (c->phase != WS__PHASE_HTTP || WS__HAS(c, WS__ANSWERED | WS__ASKED)) return WS_ERR_STATE;
    if (ws__target_keep(c, 1)) return WS_ERR_MEMORY;
    if (ws__text_begin(c, &t, 320 + ws__lines_size(headers) + ws__lines_size(more)))
        return WS_ERR_MEMORY;
    head = !strcmp(ws_method(c), "HEAD") || status == 204 || status == 304;
    chunked = chunked && ws__request_modern(c) && status != 204 && status != 304;
    ws__put_status(&t, status);
    ws__put_lines(&t, headers);
    ws__put_more(&t, headers, more);
    if (chunked) ws__puts(&t, "Transfer-Encoding: chunked\r\n");
    ws__puts(&t, "\r\n");
    if (ws__text_end(c, &t)) return WS_ERR_MEMORY;
    if (chunked && !head) c->flags |= WS__CHUNKED;
    ws__call_begin(c);
    c->phase = WS__PHASE_BODY;
    c->last_rx = c->now;
    c->flags &= ~(uint32_t)WS__PINGED;
    ws__beat_later(c);
    ws__wake(c);
    return head ? ws_http_end(c) : 0;
}

WS_API int ws_http_begin(ws_conn *c, int status, const ws_header *headers, int chunked)
{
    return ws__http_begin(c, status, headers, NULL, chunked);
}

/* Queues bytes of a body. With drop_oldest what waits is kept write by write. */
static int ws__body_put(ws_conn *c, size_t n, void (*fill)(void *, void *, size_t), void *user)
{
    char size[20];
    int chunked = WS__HAS(c, WS__CHUNKED), r = 0;
    ws__text t = ws__text_in(size, sizeof size);
    ws__shared *f = NULL;
    size_t head, all;
    uint8_t *at;

    if (!ws__pending(c)) c->last_rx = c->now;       /* the peer's time to take it begins */
    if (chunked) {
        ws__put_hex(&t, n);
        ws__puts(&t, "\r\n");
    }
    head = chunked ? (size_t)(t.at - size) : 0;
    all = head + n + (chunked ? 2 : 0);
    if (c->cfg->set.drop_oldest && ws__pending(c) && !WS__HAS(c, WS__IS_FIXED)) {
        f = ws__shared_raw(c->cfg, all);
        at = f ? WS__DATA(f) : NULL;
    } else {
        at = ws__tx_room(c, all);
    }
    if (!at) return WS_ERR_MEMORY;
    memcpy(at, size, head);
    (fill)(user, at + head, n);
    if (chunked) memcpy(at + head + n, "\r\n", 2);
    if (f) {
        r = ws__tx_share(c, f, 0);
        ws__shared_release(f);
    } else {
        c->tx->len += all;
        c->tx->border = c->tx->len;
    }
    ws__beat_later(c);
    return ws__sent(c, r);
}

WS_API int ws_http_fill(ws_conn *c, size_t n, void (*fill)(void *user, void *at, size_t n),
                        void *user)
{
    int r;

    if (!c || !fill || n > (size_t)-1 / 4) return WS_ERR_ARGUMENT;
    if (c->phase != WS__PHASE_BODY) return WS_ERR_STATE;
    if (!n) return 0;           /* an empty chunk would be the end */
    r = ws__admit(c, n + 20);
    return r ? r : ws__body_put(c, n, fill, user);
}

WS_API int ws_http_write(ws_conn *c, const void *data, size_t n)
{
    if (!data && n) return WS_ERR_ARGUMENT;
    return ws_http_fill(c, n, ws__fill_copy, (void *)(uintptr_t)data);
}

WS_API int ws_http_end(ws_conn *c)
{
    if (!c || c->phase != WS__PHASE_BODY) return c ? WS_ERR_STATE : WS_ERR_ARGUMENT;
    if (WS__HAS(c, WS__CHUNKED) && ws__tx_append(c, "0\r\n\r\n", 5, 1)) {
        ws__fail(c, WS_ERR_MEMORY);
        return WS_ERR_MEMORY;
    }
    c->flags |= WS__ANSWERED;
    ws__end(c, WS__PHASE_ENDING);
    return 0;
}

WS_API int ws_http_beat(ws_conn *c, const char *text, uint32_t ms)
{
    char *copy = NULL;

    if (!c || !text || !*text || !ms) return WS_ERR_ARGUMENT;
    if (c->phase != WS__PHASE_BODY) return WS_ERR_STATE;
    if (ms == WS_NEVER && !c->more) return 0;
    if (ms != WS_NEVER) {
        copy = ws__more_of(c) ? ws__string_new(c, ws__cstr(text)) : NULL;
        if (!copy) return WS_ERR_MEMORY;
    }
    ws__call_begin(c);
    ws__string_free(c, c->more->beat);
    c->more->beat = copy;
    c->more->beat_ms = ms;
    c->last_rx = c->now;
    c->flags &= ~(uint32_t)WS__PINGED;
    ws__beat_later(c);
    ws__wake(c);
    return 0;
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_CLIENT
WS_API int ws_next_header(ws_conn *c, const char *name, const char *value)
{
    ws_header h[2];
    size_t n;
    ws__text t;
    char *line = NULL;

    if (!c || !WS__HAS(c, WS__IS_CLIENT) || WS__HAS(c, WS__IS_FIXED) || !name)
        return WS_ERR_ARGUMENT;
    h[0].name = name;
    h[0].value = value;
    h[1].name = NULL;
    if (value && !ws__headers_own(h, 0)) return WS_ERR_ARGUMENT;
    if (value) {
        n = ws__lines_size(h);
        line = (char *)ws__alloc(c->cfg, n);
        if (!line) return WS_ERR_MEMORY;
        t = ws__text_in(line, n);
        ws__put_lines(&t, h);
    }
    ws__string_free(c, c->cfg->next_line);
    c->cfg->next_line = line;
    return 0;
}

WS_API void ws_next_delay(ws_conn *c, uint32_t ms)
{
    if (c && WS__HAS(c, WS__IS_CLIENT) && c->cfg->set.reconnect) {
        c->cfg->set.reconnect = ms ? ms : 1;
        c->cfg->delay_set = 1;
        c->cfg->delay = 0;
    }
}
#endif

/* Has sending failed, so that nothing but what came before is left? */
static int ws__is_broken(const ws_conn *c)
{
    return WS__HAS(c, WS__BROKEN) && WS__HAS(c, WS__NO_OUTPUT) && !c->error &&
           c->phase < WS__PHASE_ENDING;
}

WS_API int ws_state(const ws_conn *c)
{
    if (c && WS__HAS(c, WS__DOWN)) return WS_STATE_CONNECTING;
    if (!c || c->phase == WS__PHASE_ENDED || ws__is_broken(c)) return WS_STATE_CLOSED;
    if (c->phase < WS__PHASE_FRAMES) return WS_STATE_CONNECTING;
    if (c->phase == WS__PHASE_ENDING || WS__HAS(c, WS__CLOSE_SENT | WS__CLOSE_GOT) ||
        ws__close_is_ahead(c))
        return WS_STATE_CLOSING;
    return WS_STATE_OPEN;
}

WS_API int ws_done(const ws_conn *c) { return !c || WS__HAS(c, WS__CLOSE_TOLD); }

WS_API int ws_error(const ws_conn *c)
{
    if (!c) return WS_ERR_MEMORY;
    return ws__is_broken(c) ? (int)WS_ERR_IO : -(int)c->error;
}

WS_API const char *ws_error_text(const ws_conn *c)
{
    if (!c) return ws__error_text(-WS_ERR_MEMORY);
    if (ws__is_broken(c)) return ws__error_text(-WS_ERR_IO);
    return c->error && c->note && *c->note && !WS__HAS(c, WS__CLOSE_GOT)
         ? c->note : ws__error_text(c->error);
}

WS_API const char *ws_error_string(int error)
{
    return error > 0 || error < -WS__NUMBER_END ? ws__error_text(-1) : ws__error_text(-error);
}

WS_API int ws_is_client(const ws_conn *c) { return c && WS__HAS(c, WS__IS_CLIENT); }

WS_API const char *ws_url_of(const ws_conn *c)
{
    if (!c || !c->cfg->url) return "";
    return c->cfg->moved ? c->cfg->moved : c->cfg->url;
}

WS_API const char *ws_protocol(const ws_conn *c)
{
    if (!c) return "";
    if (c->more && c->more->protocol) return c->more->protocol;
    if (c->route && c->cfg->set.routes[c->route - 1].protocol)
        return c->cfg->set.routes[c->route - 1].protocol;
    return ws__protocol_at(c->cfg, c->protocol);
}

WS_API const char *ws_extensions(const ws_conn *c)
{
    const ws__ext *e = c ? ws__ext_of(c) : NULL;

    return e ? (const char *)(e + 1) : "";
}

WS_API const char *ws_close_text(int code)
{
    static const char *const texts[] = {
        "normal closure", "going away", "protocol error", "unsupported data", "",
        "no close code", "connection lost", "invalid data", "policy violation",
        "message too big", "extension missing", "internal error", "service restart",
        "try again later", "bad gateway", "TLS handshake failed"
    };
    return code >= 1000 && code <= 1015 ? texts[code - 1000] : "";
}

WS_API int ws_version(const ws_conn *c)
{
    return ws_is_client(c) && c->cfg->set.version ? c->cfg->set.version : 13;
}

WS_API int ws_rtt(const ws_conn *c) { return c && c->rtt ? c->rtt - 1 : -1; }

WS_API int ws_is_paused(const ws_conn *c) { return c && WS__HAS(c, WS__PAUSED); }

WS_API size_t ws_buffered(const ws_conn *c) { return c ? ws__unsent(c) : 0; }

WS_API void *ws_user(const ws_conn *c) { return c ? c->user : NULL; }

WS_API void ws_set_user(ws_conn *c, void *user)
{
    if (c) c->user = user;
}

/* The head that is on show, size 0 if none. */
static ws_str ws__head(const ws_conn *c)
{
    ws_str head = { "", 0 };
    if (c && c->rx && WS__HAS(c, WS__HEAD_HELD) && c->rx->head_size) {
        head.data = (const char *)WS__DATA(c->rx) + c->rx->head_at;
        head.size = c->rx->head_size;
    }
    return head;
}

WS_API const char *ws_method(const ws_conn *c)
{
    return c && !WS__HAS(c, WS__IS_CLIENT) ? ws__head(c).data : "";
}

WS_API const char *ws_target(const ws_conn *c)
{
    const char *method = ws_method(c);
    return *method ? method + strlen(method) + 1 : "";
}

WS_API int ws_status(const ws_conn *c)
{
    return ws_is_client(c) ? c->cfg->status : 0;
}

WS_API ws_str ws_path(const ws_conn *c)
{
    ws_str all = ws__cstr(ws_target(c));
    size_t from = 0, i;

    if (all.size && all.data[0] != '/') {       /* "http://host/path" */
        from = ws__find(all, ws__find(all, 0, '/') + 2, '/');
    }
    i = ws__find(all, 0, '?');
    if (i < from) from = i;
    return from == i && all.size ? ws__str("/", 1) : ws__str(all.data + from, i - from);
}

WS_API ws_str ws_body(const ws_conn *c)
{
    ws_str head = ws__head(c);

    if (!head.size || !ws_is_client(c) || WS__HAS(c, WS__OPENED)) return ws__str("", 0);
    return ws__str(head.data + head.size, (size_t)c->rx->left);
}

WS_API int ws_header_next(const ws_conn *c, size_t *pos, ws_str *name, ws_str *value)
{
    ws_str head = ws__head(c);

    return head.size && ws_head_field(head, pos, name, value);
}

WS_API ws_str ws_header_value(const ws_conn *c, const char *name)
{
    ws_str n, value;
    size_t pos = 0;

    while (name && ws_header_next(c, &pos, &n, &value))
        if (ws_str_is(n, name)) return value;
    return ws__str(NULL, 0);
}

WS_API int ws_header_walk(const ws_conn *c, const char *name, ws_walk *walk, ws_str *item)
{
    ws_str field, value;

    if (!name || !walk) return 0;
    while (!ws_list_next(&walk->list, item)) {
        do {
            if (!ws_header_next(c, &walk->pos, &field, &value)) return 0;
        } while (!ws_str_is(field, name));
        walk->list = value;
    }
    return 1;
}

WS_API ws_str ws_header_item(const ws_conn *c, const char *name, int i)
{
    ws_walk w = { 0, { NULL, 0 } };
    ws_str item;

    while (name && i >= 0 && ws_header_walk(c, name, &w, &item))
        if (!i--) return item;
    return ws__str(NULL, 0);
}

/* The same as a string in buf; its length or -1. */
static int ws__unescaped(ws_str s, int plus, char *buf, size_t n)
{
    ptrdiff_t size = n ? ws__unescape(s, plus, 0, buf, n - 1) : -1;

    if (size < 0 || memchr(buf, 0, (size_t)size)) return -1;
    buf[size] = 0;
    return (int)size;
}

/* The value of name in "name=value" pairs with mark between them; data NULL if absent. */
static ws_str ws__named_value(ws_str all, char mark, const char *name)
{
    size_t at = 0, end, eq, n = strlen(name);

    for (; at < all.size; at = end + 1) {
        ws_str pair;
        end = ws__find(all, at, mark);
        pair = ws__trim(all.data, at, end);
        eq = ws__find(pair, 0, '=');
        if (pair.size && eq == n && !memcmp(pair.data, name, n))
            return eq < pair.size ? ws__trim(pair.data, eq + 1, pair.size) : ws__str("", 0);
    }
    return ws__str(NULL, 0);
}

WS_API int ws_cookie(const ws_conn *c, const char *name, char *buf, size_t n)
{
    ws_str field, value;
    size_t pos = 0;

    while (name && buf && ws_header_next(c, &pos, &field, &value)) {
        if (!ws_str_is(field, "Cookie")) continue;
        value = ws__named_value(value, ';', name);
        if (!value.data) continue;
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
            value = ws__str(value.data + 1, value.size - 2);
        return ws__unescaped(value, 0, buf, n);
    }
    return -1;
}

WS_API int ws_query(const ws_conn *c, const char *name, char *buf, size_t n)
{
    ws_str all = ws__cstr(ws_target(c)), value;
    size_t at = ws__find(all, 0, '?');

    if (!name || !buf || at == all.size) return -1;
    value = ws__named_value(ws__str(all.data + at + 1, all.size - at - 1), '&', name);
    return value.data ? ws__unescaped(value, 1, buf, n) : -1;
}

/* Adds "; name=value" unless value is NULL. 0 if value holds what may not stand there. */
static int ws__put_attribute(ws__text *t, const char *name, const char *value)
{
    if (!value) return 1;
    ws__puts(t, name);
    ws__puts(t, value);
    return ws__is_value(value) && !strchr(value, ';');
}

WS_API int ws_cookie_format(const ws_set_cookie *k, char *buf, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    const char *p;
    ws__text t;
    int good;

    if (!k || !buf || !n || !k->name || !ws__token_valid(ws__cstr(k->name))) return -1;
    t = ws__text_in(buf, n);
    ws__puts(&t, k->name);
    ws__puts(&t, "=");
    for (p = k->value ? k->value : ""; *p; p++) {
        unsigned b = (uint8_t)*p;
        char code[4] = { '%', hex[b >> 4], hex[b & 15], 0 };
        if (b > ' ' && b < 0x7F && !strchr("\",;\\%", *p)) ws__put(&t, p, 1);
        else ws__puts(&t, code);
    }
    good = ws__put_attribute(&t, "; Path=", k->path) &&
           ws__put_attribute(&t, "; Domain=", k->domain) &&
           ws__put_attribute(&t, "; Expires=", k->expires) &&
           ws__put_attribute(&t, "; SameSite=", k->same_site);
    if (k->max_age) ws__puts(&t, "; Max-Age=");
    if (k->max_age) ws__put_number(&t, k->max_age > 0 ? (uint64_t)k->max_age : 0);
    if (k->secure) ws__puts(&t, "; Secure");
    if (k->http_only) ws__puts(&t, "; HttpOnly");
    return good && !t.cut ? (int)(t.at - buf) : -1;
}

WS_API int ws_route_id(const ws_conn *c)
{
    return c && c->route ? c->cfg->set.routes[c->route - 1].id : 0;
}

WS_API int ws_is_upgrade(ws_str head)
{
    ws__request r;

    return !ws__request_read(&r, head) && r.upgrade && r.connection && r.method.size == 3 &&
           !memcmp(r.method.data, "GET", 3);
}

WS_API size_t ws_head_format(char *buf, size_t n, const char *method, const char *target,
                             const ws_header *headers)
{
    ws_str a, b, v;
    ws__text t;

    if (!buf || !n || !method || !target || !ws__headers_valid(headers)) return 0;
    t = ws__text_in(buf, n);
    ws__puts(&t, method);
    ws__puts(&t, " ");
    ws__puts(&t, target);
    ws__puts(&t, " HTTP/1.1\r\n");
    ws__put_lines(&t, headers);
    ws__puts(&t, "\r\n");
    if (t.cut || ws_head_request(ws__str(buf, (size_t)(t.at - buf)), &a, &b, &v)) return 0;
    /* all of method and target, not only what stands before a CR LF of theirs */
    return a.size == strlen(method) && b.size == strlen(target) ? (size_t)(t.at - buf) : 0;
}

/* ==== >>tunnel ========================================================================= */

#ifndef WS_NO_CLIENT

/* What buf holds. HTTP: first the request, then the answer in its place. SOCKS5: up to three
   requests one behind the other, each ending at part[]; answers from WS__SOCKS_IN on. */
enum {
    WS__TUNNEL_HTTP,
    WS__TUNNEL_METHOD,      /* SOCKS5: which method the proxy takes */
    WS__TUNNEL_LOGIN,       /* are user and password right? */
    WS__TUNNEL_REPLY        /* is the way open? */
};

#define WS__SOCKS_IN 1024

/* [scheme://][user:password@]host[:port][/] of a proxy. */
static int ws__proxy_parse(const char *text, ws_url *url, ws__url_why *why)
{
    ws_str rest = ws__cstr(text);
    size_t i;

    memset(url, 0, sizeof *url);
    for (i = 0; i < rest.size; i++)
        if (text[i] < 0x21 || text[i] > 0x7E)
            return ws__url_fault(why, "proxy: a space, or a character to percent-encode", i);
    for (i = 0; i + 3 <= rest.size && memcmp(text + i, "://", 3); i++) {}
    url->scheme = ws__cstr("http");
    if (i + 3 <= rest.size) {
        url->scheme = ws__str(text, i);
        rest = ws__str(text + i + 3, rest.size - i - 3);
    }
    url->port = 1080;
    url->secure = (uint8_t)ws_str_is(url->scheme, "https");
    if (url->secure || ws_str_is(url->scheme, "http")) url->port = url->secure ? 443 : 80;
    else if (!ws_str_is(url->scheme, "socks5") && !ws_str_is(url->scheme, "socks5h"))
        return ws__url_fault(why, "proxy: scheme is not http, https, socks5 or socks5h", 0);
    if (rest.size && rest.data[rest.size - 1] == '/') rest.size--;
    for (i = 0; i < rest.size; i++)
        if (strchr("/?#", rest.data[i])) return ws__url_fault(why, "proxy: a path", i);
    if (!ws__url_authority(rest, url)) return 0;
    return ws__url_fault(why, url->host.size ? "proxy: port" : "proxy: host, user or password", 0);
}

/* Greeting, login, request (RFC 1928 3, RFC 1929 2, RFC 1928 4). */
static int ws__socks_write(ws_tunnel *t, const ws_url *proxy, ws_str host, uint16_t port)
{
    uint8_t *at = (uint8_t *)t->buf, ip[16];
    ptrdiff_t user, password;
    int auth = proxy->user.data != NULL;

    *at++ = 5;
    *at++ = auth ? 2 : 1;
    *at++ = 0;
    if (auth) *at++ = 2;
    t->part[0] = t->end = (uint32_t)(at - (uint8_t *)t->buf);
    if (auth) {
        ws__text w = ws__text_in(t->text, sizeof t->text);
        ws__puts(&w, "SOCKS5: user and password have 1 to 255 bytes");
        user = ws__unescape(proxy->user, 0, 1, (char *)at + 2, 255);
        if (user <= 0) return WS_ERR_ARGUMENT;
        password = ws__unescape(proxy->password, 0, 1, (char *)at + 3 + user, 255);
        if (password < 0) return WS_ERR_ARGUMENT;
        *t->text = 0;
        at[0] = 1;
        at[1] = (uint8_t)user;
        at[2 + user] = (uint8_t)password;
        at += 3 + user + password;
    }
    t->part[1] = (uint32_t)(at - (uint8_t *)t->buf);
    memcpy(at, "\5\1\0", 3);
    at += 3;
    if (ws__ipv4_parse(host, ip)) {
        *at++ = 1;
        memcpy(at, ip, 4);
        at += 4;
    } else if (ws__ipv6_parse(host, ip)) {
        *at++ = 4;
        memcpy(at, ip, 16);
        at += 16;
    } else {
        *at++ = 3;
        *at++ = (uint8_t)host.size;
        memcpy(at, host.data, host.size);
        at += host.size;
    }
    ws__put16(at, port);
    t->part[2] = (uint32_t)(at + 2 - (uint8_t *)t->buf);
    t->stage = WS__TUNNEL_METHOD;
    return 0;
}

/* A host that may stand in front of ":port". */
static int ws__host_valid(ws_str host)
{
    uint8_t ip[16];
    size_t i;

    if (!host.size || host.size > 255) return 0;
    if (ws__find(host, 0, ':') < host.size) return ws__ipv6_parse(host, ip);
    for (i = 0; i < host.size; i++)
        if (host.data[i] < 0x21 || host.data[i] > 0x7E || ws__url_odd(host.data[i]) ||
            strchr("/?#%,", host.data[i]))
            return 0;
    return 1;
}

/* headers or lines: more for CONNECT, either may be NULL. */
static int ws__tunnel_begin(ws_tunnel *t, const ws_url *proxy, ws_str host, uint16_t port,
                            const ws_header *headers, const char *lines)
{
    static const char login[] = "Proxy-Authorization";
    int i, ipv6 = ws__find(host, 0, ':') < host.size;
    ws__text w = ws__text_in(t->buf, sizeof t->buf);

    if (!ws__host_valid(host) || !port) return WS_ERR_ARGUMENT;
    if (!proxy->secure && !ws_str_is(proxy->scheme, "http"))
        return ws__socks_write(t, proxy, host, port);
    for (i = 0; i < 2; i++) {
        ws__puts(&w, i ? " HTTP/1.1\r\nHost: " : "CONNECT ");
        ws__puts(&w, ipv6 ? "[" : "");
        ws__put(&w, host.data, host.size);
        ws__puts(&w, ipv6 ? "]:" : ":");
        ws__put_number(&w, port);
    }
    ws__puts(&w, "\r\n");
    if (!ws__has_header(headers, login) && !ws__lines_have(ws__cstr(lines), login) &&
        ws__put_basic(&w, login, proxy))
        return WS_ERR_ARGUMENT;
    ws__put_lines(&w, headers);
    if (lines) ws__puts(&w, lines);
    ws__puts(&w, "\r\n");
    t->end = (uint32_t)(w.at - t->buf);
    return w.cut ? WS_ERR_ARGUMENT : 0;
}

WS_API int ws_tunnel_init(ws_tunnel *t, const char *proxy, const char *host, uint16_t port,
                          const ws_header *headers)
{
    ws_url url;

    if (!t) return WS_ERR_ARGUMENT;
    memset(t, 0, sizeof *t);
    t->result = proxy ? ws__proxy_parse(proxy, &url, NULL) : WS_ERR_ARGUMENT;
    if (!t->result && !ws__headers_own(headers, 0)) t->result = WS_ERR_ARGUMENT;
    if (!t->result) t->result = ws__tunnel_begin(t, &url, ws__cstr(host), port, headers, NULL);
    return t->result;
}

WS_API const void *ws_tunnel_output(const ws_tunnel *t, size_t *n)
{
    *n = t && !t->result ? t->end - t->pos : 0;
    return t ? t->buf + t->pos : "";
}

WS_API void ws_tunnel_output_done(ws_tunnel *t, size_t n)
{
    if (t && n <= t->end - t->pos) t->pos += (uint32_t)n;
}

/* number < 0: none. */
static void ws__tunnel_fail(ws_tunnel *t, const char *text, int number)
{
    ws__text w = ws__text_in(t->text, sizeof t->text);

    t->result = WS_ERR_PROXY;
    ws__puts(&w, text);
    if (number >= 0) ws__put_number(&w, (uint64_t)number);
}

/* One more byte of the answer to CONNECT is in buf. Whatever body a success announces is not
   there (RFC 9110 9.3.6). */
static void ws__tunnel_http(ws_tunnel *t)
{
    ws_str head = ws__str(t->buf, t->got), version, reason;
    int size;

    t->scan.max_size = WS_TUNNEL_SIZE - t->part[0];     /* of interim answers, too */
    size = WS_ERR_HEAD_SYNTAX;
    if (ws__http_begins(t->buf, t->scan.scanned, t->got))
        size = ws__head_scan(&t->scan, t->buf, t->got, 1);
    if (!size) return;
    if (size == WS_ERR_HEAD_SIZE || size == WS_ERR_HEAD_FIELDS) {
        ws__tunnel_fail(t, "proxy's answer is too large", -1);
    } else if (size < 0 || ws_head_answer(head, &version, &t->status, &reason) ||
               version.data[5] != '1') {
        t->status = 0;
        ws__tunnel_fail(t, "proxy's answer is not HTTP", -1);
    } else if (t->status / 100 == 1 && t->status != 101) {
        memset(&t->scan, 0, sizeof t->scan);    /* an interim answer */
        t->status = 0;
        t->part[0] += t->got;
        t->got = 0;
        if (t->part[0] == WS_TUNNEL_SIZE) ws__tunnel_fail(t, "proxy's answer is too large", -1);
    } else {
        t->head_size = t->got;
        if (t->status / 100 == 2) t->result = 1;
        else ws__tunnel_fail(t, "proxy answered ", t->status);
    }
}

/* The bytes of the reply to a SOCKS5 request, as far as they tell (RFC 1928 6). */
static uint32_t ws__socks_reply_size(const uint8_t *p, uint32_t got)
{
    if (got < 5) return 5;
    return p[3] == 1 ? 10u : p[3] == 4 ? 22u : 7u + p[4];
}

static void ws__socks_reply(ws_tunnel *t, const uint8_t *p)
{
    static const char *const replies[] = {
        "", "general failure", "not allowed", "network unreachable", "host unreachable",
        "connection refused", "TTL expired", "command not supported", "address not supported"
    };
    char text[48] = "SOCKS5 proxy: ";

    if (t->got >= 2 && p[1]) {
        t->status = p[1];
        if (p[1] > 8) { ws__tunnel_fail(t, "SOCKS5 proxy: reply ", p[1]); return; }
        memcpy(text + 14, replies[p[1]], strlen(replies[p[1]]) + 1);
        ws__tunnel_fail(t, text, -1);
    } else if ((t->got >= 3 && p[2]) || (t->got >= 4 && p[3] != 1 && p[3] != 3 && p[3] != 4)) {
        ws__tunnel_fail(t, "proxy's answer is not SOCKS5", -1);
    } else if (t->got == ws__socks_reply_size(p, t->got)) {
        t->result = 1;
    }
}

/* One more byte from a SOCKS5 proxy. */
static void ws__tunnel_socks(ws_tunnel *t)
{
    const uint8_t *p = (const uint8_t *)t->buf + WS__SOCKS_IN;
    int login = t->stage == WS__TUNNEL_LOGIN, can = t->part[1] > t->part[0];

    if (p[0] != 5 && !(login && p[0] == 1)) {
        ws__tunnel_fail(t, "proxy's answer is not SOCKS5", -1);
        return;
    }
    if (t->stage == WS__TUNNEL_REPLY) { ws__socks_reply(t, p); return; }
    if (t->got < 2) return;
    t->got = 0;
    if (login && p[1]) {
        ws__tunnel_fail(t, "SOCKS5 proxy: wrong user or password", -1);
    } else if (!login && p[1] == 2 && can) {
        t->stage = WS__TUNNEL_LOGIN;
        t->end = t->part[1];
    } else if (login || !p[1]) {
        t->stage = WS__TUNNEL_REPLY;
        t->pos = t->part[1];
        t->end = t->part[2];
    } else {
        ws__tunnel_fail(t, "SOCKS5 proxy wants another way to log in", -1);
    }
}

WS_API size_t ws_tunnel_feed(ws_tunnel *t, const void *data, size_t n)
{
    const char *p = (const char *)data;
    size_t i = 0;

    while (t && i < n && !t->result && t->pos == t->end) {
        int socks = t->stage != WS__TUNNEL_HTTP;
        t->buf[(socks ? WS__SOCKS_IN : 0) + t->got++] = p[i++];
        if (socks) ws__tunnel_socks(t);
        else ws__tunnel_http(t);
    }
    return i;
}

WS_API void ws_tunnel_feed_end(ws_tunnel *t)
{
    if (t && !t->result) ws__tunnel_fail(t, "proxy ended the connection", -1);
}

#endif /* WS_NO_CLIENT */

/* ==== >>mbedtls ======================================================================== */

/* What ws_tls_new made, whether it can be used or not. */
struct ws_tls {
    uint32_t refs;              /* 0: one for all, for ever */
    int error;                  /* WS_ERR_; text says more */
    char text[160];
};

static ws_tls *ws__tls_hold(ws_tls *tls)
{
    if (tls && tls->refs) tls->refs++;
    return tls;
}

static void ws__tls_drop(ws_tls *tls) { ws_tls_free(tls); }

WS_API const char *ws_tls_error_text(const ws_tls *tls) { return tls ? tls->text : ""; }

#ifndef WS_USE_MBEDTLS

WS_API ws_tls *ws_tls_new(const ws_tls_config *set)
{
    static const ws_tls none = { 0, WS_ERR_NO_TLS, "TLS is not compiled in (WS_USE_MBEDTLS)" };
    (void)set;
    return (ws_tls *)(uintptr_t)&none;
}

WS_API void ws_tls_free(ws_tls *tls) { (void)tls; }

WS_API int ws_tls_wrap(ws_tls *tls, ws_io *io, const char *host)
{
    (void)tls;
    (void)io;
    (void)host;
    return WS_ERR_NO_TLS;
}

WS_API size_t ws_tls_peer(const ws_conn *c, char *buf, size_t n)
{
    (void)c;
    if (buf && n) *buf = 0;
    return 0;
}

WS__PRIVATE int ws__tls_serves(const ws_tls *tls, const char **why)
{
    *why = tls ? tls->text : NULL;
    return tls ? tls->error : 0;
}

#else

#define WS__TLS_SESSIONS 4          /* of servers, to resume */
#ifdef WS_NO_SOCKETS
#define WS__TLS_AHEAD 1024
#else
#define WS__TLS_AHEAD 16384         /* bytes read from below at once */
#endif
#define WS__TLS_IDLE 65536          /* bytes read at once for nothing but TLS itself */
#define WS__TLS_BROKEN (-0x0050)    /* for mbedTLS: what is below has failed */

/* One of our certificates. */
typedef struct ws__tls_own {
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    struct ws__tls_own *next;
} ws__tls_own;

typedef struct ws__tls_keys {
    ws_tls head;
    int trusts_everyone, trusts_system;     /* system: its authorities are not read yet */
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca;
    ws__tls_own *own;               /* NULL: none; the first is for clients that ask no name */
    mbedtls_ssl_config client, server;
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_ticket_context tickets;
#endif
    struct { char *host; mbedtls_ssl_session session; } kept[WS__TLS_SESSIONS];
    unsigned next_kept;
} ws__tls_keys;

enum { WS__TLS_NEW, WS__TLS_SHAKING, WS__TLS_OPEN, WS__TLS_FAILED };

/* One end of a TLS stream. */
typedef struct ws__tls_end {
    ws__tls_keys *tls;
    ws_io io;                       /* what carries it */
    char *host;                     /* client: whom to verify */
    mbedtls_ssl_context ssl;
    int stage;
    int asked;                      /* the last call into mbedTLS met a WANT below */
    int ended;                      /* read after some bytes: 1 + what to return next */
    size_t blocked;                 /* bytes of a write that is to be repeated */
    uint8_t *ahead;                 /* raw bytes [at..end), NULL: none */
    size_t at, end;
    size_t idle;                    /* raw bytes read in this call, nothing inside so far */
    int spoken;                     /* the peer's first byte was looked at */
    char text[120];                 /* why it failed */
} ws__tls_end;

/* ---- certificates ---- */

static int ws__tls_wrong(ws__tls_keys *t, int error, const char *what, const char *why)
{
    ws__text text = ws__text_in(t->head.text, sizeof t->head.text);

    if (t->head.error) return t->head.error;
    t->head.error = error;
    ws__puts(&text, what);
    ws__puts(&text, why);
    return error;
}

static int ws__tls_mbed(ws__tls_keys *t, const char *what, int code)
{
    char why[100] = "mbedTLS failed";

    if (!code) return 0;
    if (code == MBEDTLS_ERR_X509_ALLOC_FAILED || code == MBEDTLS_ERR_PK_ALLOC_FAILED)
        return ws__tls_wrong(t, WS_ERR_MEMORY, what, "out of memory");
#ifdef MBEDTLS_ERROR_C
    mbedtls_strerror(code, why, sizeof why);
#endif
    return ws__tls_wrong(t, WS_ERR_TLS, what, why);
}

static int ws__is_pem(const char *s) { return strstr(s, "-----BEGIN") != NULL; }

/* Begins an error about a piece of configuration: "key FILE: ". */
static void ws__tls_about(char *what, size_t n, const char *kind, const char *from)
{
    ws__text t = ws__text_in(what, n);

    ws__puts(&t, kind);
    ws__puts(&t, ws__is_pem(from) ? "PEM text" : from);
    ws__puts(&t, ": ");
}

/* Adds the certificates in PEM text or a file. Bundles may hold some that mbedTLS does not
   know: those are left out. */
static int ws__tls_certs(ws__tls_keys *t, mbedtls_x509_crt *to, const char *from)
{
    char what[100];
    int r = MBEDTLS_ERR_X509_FILE_IO_ERROR;

    ws__tls_about(what, sizeof what, "certificate ", from);
    if (ws__is_pem(from))
        r = mbedtls_x509_crt_parse(to, (const unsigned char *)from, strlen(from) + 1);
#ifdef MBEDTLS_FS_IO
    else
        r = mbedtls_x509_crt_parse_file(to, from);
#endif
    return r > 0 && to->version ? 0 : ws__tls_mbed(t, what, r);
}

/* The system's authorities. */
static int ws__tls_system(ws__tls_keys *t)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",       /* Debian, Arch, Gentoo */
        "/etc/pki/tls/certs/ca-bundle.crt",         /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",                   /* SUSE */
        "/usr/local/share/certs/ca-root-nss.crt",   /* FreeBSD */
        "/etc/ssl/cert.pem"                         /* Alpine, OpenBSD, macOS */
    };
#ifdef MBEDTLS_FS_IO
    const char *file = getenv("SSL_CERT_FILE");
    size_t i;

    t->trusts_system = 0;
    if (file && *file) return ws__tls_certs(t, &t->ca, file);
    for (i = 0; i < sizeof places / sizeof *places; i++)
        if (mbedtls_x509_crt_parse_file(&t->ca, places[i]) >= 0) return 0;
#else
    (void)places;
#endif
    return ws__tls_wrong(t, WS_ERR_TLS, "no authorities found on this system", ": set ca");
}

static int ws__tls_random(void *user, unsigned char *buf, size_t n)
{
    return mbedtls_ctr_drbg_random(user, buf, n);
}

static int ws__tls_key(ws__tls_keys *t, mbedtls_pk_context *to, const char *from)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (ws__is_pem(from))
        return mbedtls_pk_parse_key(to, (const unsigned char *)from, strlen(from) + 1, NULL, 0,
                                    ws__tls_random, &t->random);
#ifdef MBEDTLS_FS_IO
    return mbedtls_pk_parse_keyfile(to, from, NULL, ws__tls_random, &t->random);
#endif
#else
    (void)t;
    if (ws__is_pem(from))
        return mbedtls_pk_parse_key(to, (const unsigned char *)from, strlen(from) + 1, NULL, 0);
#ifdef MBEDTLS_FS_IO
    return mbedtls_pk_parse_keyfile(to, from, NULL);
#endif
#endif
#ifndef MBEDTLS_FS_IO
    return MBEDTLS_ERR_PK_FILE_IO_ERROR;
#endif
}

static int ws__tls_pair_fits(ws__tls_keys *t, const ws__tls_own *o)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return !mbedtls_pk_check_pair(&o->cert.pk, &o->key, ws__tls_random, &t->random);
#else
    (void)t;
    return !mbedtls_pk_check_pair(&o->cert.pk, &o->key);
#endif
}

/* Adds a certificate of ours behind the others. */
static int ws__tls_own_add(ws__tls_keys *t, const char *cert, const char *key)
{
    ws__tls_own *o, **at = &t->own;
    char what[100];
    int r;

    if (!cert || !key) return ws__tls_wrong(t, WS_ERR_TLS, "certificate without key", "");
    while (*at) at = &(*at)->next;
    o = *at = (ws__tls_own *)mbedtls_calloc(1, sizeof *o);
    if (!o) return ws__tls_wrong(t, WS_ERR_MEMORY, "out of memory", "");
    mbedtls_x509_crt_init(&o->cert);
    mbedtls_pk_init(&o->key);
    if (ws__tls_certs(t, &o->cert, cert)) return t->head.error;
    ws__tls_about(what, sizeof what, "key ", key);
    r = ws__tls_key(t, &o->key, key);
    if (r) return ws__tls_mbed(t, what, r);
    return ws__tls_pair_fits(t, o) ? 0
         : ws__tls_wrong(t, WS_ERR_TLS, what, "belongs to another certificate");
}

/* ---- names in certificates ---- */

/* Does a name in a certificate stand for host? "*." at its start is any one label. */
static int ws__tls_name_is(ws_str name, ws_str host)
{
    size_t dot = ws__find(host, 0, '.');

    if (name.size > 2 && name.data[0] == '*' && name.data[1] == '.') {
        if (!dot || dot == host.size) return 0;
        name = ws__str(name.data + 1, name.size - 1);
        host = ws__str(host.data + dot, host.size - dot);
    }
    return ws__same_text(name, host);
}

/* Is the certificate for that host or address (RFC 9525: only subject alternative names)? */
static int ws__tls_is_for(const mbedtls_x509_crt *cert, ws_str host)
{
    const mbedtls_x509_sequence *san = &cert->subject_alt_names;
    uint8_t ip[16];
    size_t ip_size = ws__ipv4_parse(host, ip) ? 4 : ws__ipv6_parse(host, ip) ? 16 : 0;

    for (; san && san->buf.p; san = san->next) {
        ws_str name = ws__str((const char *)san->buf.p, san->buf.len);
        int kind = san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
        if (kind == MBEDTLS_X509_SAN_IP_ADDRESS && ip_size && name.size == ip_size &&
            !memcmp(name.data, ip, ip_size))
            return 1;
        if (kind == MBEDTLS_X509_SAN_DNS_NAME && !ip_size && ws__tls_name_is(name, host))
            return 1;
    }
    return 0;
}

/* The client asks for a host: the first certificate that names it, else the first of all. */
static int ws__tls_sni(void *user, mbedtls_ssl_context *ssl, const unsigned char *name, size_t n)
{
    ws__tls_own *o = ((ws__tls_keys *)user)->own;

    while (o && !ws__tls_is_for(&o->cert, ws__str((const char *)name, n))) o = o->next;
    if (!o) o = ((ws__tls_keys *)user)->own;
    return mbedtls_ssl_set_hs_own_cert(ssl, &o->cert, &o->key);
}

/* ---- ws_tls ---- */

static int ws__tls_config(ws__tls_keys *t, mbedtls_ssl_config *k, int role)
{
    static const char *const http[] = { "http/1.1", NULL };
    int r = mbedtls_ssl_config_defaults(k, role, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);

    if (r) return ws__tls_mbed(t, "", r);
    mbedtls_ssl_conf_rng(k, ws__tls_random, &t->random);
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
    mbedtls_ssl_conf_min_tls_version(k, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(k, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#ifdef MBEDTLS_SSL_ALPN
    mbedtls_ssl_conf_alpn_protocols(k, (const char **)(uintptr_t)http);
#else
    (void)http;
#endif
    mbedtls_ssl_conf_ca_chain(k, &t->ca, NULL);
    if (t->own) return ws__tls_mbed(t, "", mbedtls_ssl_conf_own_cert(k, &t->own->cert,
                                                                     &t->own->key));
    return 0;
}

static int ws__tls_client(ws__tls_keys *t)
{
    mbedtls_ssl_config *k = &t->client;

    if (ws__tls_config(t, k, MBEDTLS_SSL_IS_CLIENT)) return t->head.error;
    mbedtls_ssl_conf_authmode(k, t->trusts_everyone ? MBEDTLS_SSL_VERIFY_NONE
                                                    : MBEDTLS_SSL_VERIFY_REQUIRED);
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        k, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    return 0;
}

static int ws__tls_server(ws__tls_keys *t, int asks, int optional)
{
    mbedtls_ssl_config *k = &t->server;

    if (ws__tls_config(t, k, MBEDTLS_SSL_IS_SERVER)) return t->head.error;
    mbedtls_ssl_conf_authmode(k, !asks ? MBEDTLS_SSL_VERIFY_NONE
                              : optional ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                         : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_sni(k, ws__tls_sni, t);
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    if (asks) return 0;         /* its sessions forget whom the client has proved to be */
#endif
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_conf_session_tickets_cb(k, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &t->tickets);
    return ws__tls_mbed(t, "", mbedtls_ssl_ticket_setup(&t->tickets, ws__tls_random, &t->random,
                                                        MBEDTLS_CIPHER_AES_256_GCM, 86400));
#else
    return 0;
#endif
}

static void ws__tls_init(ws__tls_keys *t)
{
    int i;

    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_x509_crt_init(&t->ca);
    mbedtls_ssl_config_init(&t->client);
    mbedtls_ssl_config_init(&t->server);
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_ticket_init(&t->tickets);
#endif
    for (i = 0; i < WS__TLS_SESSIONS; i++) mbedtls_ssl_session_init(&t->kept[i].session);
}

/* Reads everything. Stops at the first fault, which sticks. */
static void ws__tls_load(ws__tls_keys *t, const ws_tls_config *set)
{
    const ws_tls_pair *p = set->others;

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && defined(MBEDTLS_PSA_CRYPTO_C)
    if (psa_crypto_init()) {
        ws__tls_wrong(t, WS_ERR_TLS, "psa_crypto_init failed", "");
        return;
    }
#endif
    if (ws__tls_mbed(t, "", mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy,
                                                  NULL, 0)))
        return;
    if ((set->cert || set->key) && ws__tls_own_add(t, set->cert, set->key)) return;
    for (; p && p->cert; p++) if (ws__tls_own_add(t, p->cert, p->key)) return;
    if (set->ca) ws__tls_certs(t, &t->ca, set->ca);
    if (t->head.error || ws__tls_client(t)) return;
    if (t->own) ws__tls_server(t, set->ca != NULL, set->client_may_be_unknown);
}

WS_API ws_tls *ws_tls_new(const ws_tls_config *set)
{
    static const ws_tls lost = { 0, WS_ERR_MEMORY, "out of memory" };
    ws__tls_keys *t = (ws__tls_keys *)mbedtls_calloc(1, sizeof *t);
    ws_tls_config none;

    if (!t) return (ws_tls *)(uintptr_t)&lost;
    memset(&none, 0, sizeof none);
    if (!set) set = &none;
    t->head.refs = 1;
    t->trusts_everyone = set->insecure_trust_everyone;
    t->trusts_system = !set->ca && !t->trusts_everyone;
    ws__tls_init(t);
    ws__tls_load(t, set);
    return &t->head;
}

WS_API void ws_tls_free(ws_tls *tls)
{
    ws__tls_keys *t = (ws__tls_keys *)(void *)tls;
    ws__tls_own *o;
    int i;

    if (!tls || !tls->refs || --tls->refs) return;
    for (i = 0; i < WS__TLS_SESSIONS; i++) {
        mbedtls_ssl_session_free(&t->kept[i].session);
        mbedtls_free(t->kept[i].host);
    }
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_ticket_free(&t->tickets);
#endif
    mbedtls_ssl_config_free(&t->client);
    mbedtls_ssl_config_free(&t->server);
    while ((o = t->own) != NULL) {
        t->own = o->next;
        mbedtls_x509_crt_free(&o->cert);
        mbedtls_pk_free(&o->key);
        mbedtls_free(o);
    }
    mbedtls_x509_crt_free(&t->ca);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    mbedtls_free(t);
}

/* Can a server use it? Returns 0, or the error with *why. */
WS__PRIVATE int ws__tls_serves(const ws_tls *tls, const char **why)
{
    *why = tls ? tls->text : NULL;
    if (!tls || tls->error) return tls ? tls->error : 0;
    *why = "a server needs a certificate";
    return ((const ws__tls_keys *)(const void *)tls)->own ? 0 : WS_ERR_TLS;
}

/* ---- why a connection failed ---- */

static const char *ws__tls_alert(int number)
{
    static const struct { int number; const char *text; } alerts[] = {
        { 40, "handshake failure" }, { 42, "bad certificate" },
        { 43, "unsupported certificate" }, { 44, "certificate revoked" },
        { 45, "certificate expired" }, { 46, "certificate unknown" }, { 48, "unknown CA" },
        { 70, "protocol version" }, { 80, "internal error" }, { 112, "unrecognized name" },
        { 116, "certificate required" }, { 120, "no application protocol" }
    };
    size_t i;

    for (i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (alerts[i].number == number) return alerts[i].text;
    return "fatal";
}

/* What the verification found, worst first. */
static void ws__tls_put_flags(ws__text *w, const ws__tls_end *e)
{
    static const struct { uint32_t flag; const char *text; } faults[] = {
        { MBEDTLS_X509_BADCERT_CN_MISMATCH, "is not for this host" },
        { MBEDTLS_X509_BADCERT_EXPIRED, "has expired" },
        { MBEDTLS_X509_BADCERT_FUTURE, "is not valid yet" },
        { MBEDTLS_X509_BADCERT_REVOKED, "was revoked" },
        { MBEDTLS_X509_BADCERT_MISSING, "is missing" },
        { MBEDTLS_X509_BADCERT_NOT_TRUSTED, "is not from an authority that is trusted" },
        { MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
          MBEDTLS_X509_BADCERT_NS_CERT_TYPE, "is not meant for this use" },
        { MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD |
          MBEDTLS_X509_BADCERT_BAD_PK, "uses a weak key or hash" }
    };
    uint32_t flags = mbedtls_ssl_get_verify_result(&e->ssl);
    const char *before = "certificate ";
    size_t i;

    for (i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (!(flags & faults[i].flag)) continue;
        ws__puts(w, before);
        ws__puts(w, faults[i].text);
        before = ", ";
    }
    if (*before == 'c') ws__puts(w, "certificate not accepted");
}

/* Fails for ever. Returns WS_IO_ERROR. */
static ptrdiff_t ws__tls_fail(ws__tls_end *e, const char *why)
{
    ws__text w = ws__text_in(e->text, sizeof e->text);

    e->stage = WS__TLS_FAILED;
    ws__puts(&w, why);
    return WS_IO_ERROR;
}

static void ws__tls_alerted(ws__tls_end *e, int number)
{
    ws__text w = ws__text_in(e->text, sizeof e->text);

    e->stage = WS__TLS_FAILED;
    ws__puts(&w, "peer's alert: ");
    ws__puts(&w, ws__tls_alert(number));
}

#ifdef MBEDTLS_PRIVATE
#define WS__MBEDTLS(member) MBEDTLS_PRIVATE(member)
#define WS__TLS_BAD_CERT MBEDTLS_ERR_SSL_BAD_CERTIFICATE
#else
#define WS__MBEDTLS(member) member
#define WS__TLS_BAD_CERT MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE
#endif

/* What mbedTLS returned, as a ws_io. */
static ptrdiff_t ws__tls_result(ws__tls_end *e, int code)
{
    int shaking = e->stage == WS__TLS_SHAKING;
    ws__text w;

    if (code == MBEDTLS_ERR_SSL_WANT_READ) return WS_IO_WANT_READ;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) return WS_IO_WANT_WRITE;
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && !shaking) return 0;
    if (*e->text || (code == WS__TLS_BROKEN && !shaking)) {
        e->stage = WS__TLS_FAILED;
        return WS_IO_ERROR;
    }
    if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF || code == WS__TLS_BROKEN ||
        code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return ws__tls_fail(e, shaking ? "peer ended the connection in the handshake"
                                       : "stream cut off without close_notify");
    w = ws__text_in(e->text, sizeof e->text);
    e->stage = WS__TLS_FAILED;
    if (code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)      /* mbedTLS does not tell the client */
        mbedtls_ssl_send_alert_message(&e->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                       MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || code == WS__TLS_BAD_CERT ||
        code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
        ws__tls_put_flags(&w, e);
    } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        ws__tls_alerted(e, e->ssl.WS__MBEDTLS(in_msg)[1]);
    } else {
#ifdef MBEDTLS_ERROR_C
        mbedtls_strerror(code, e->text, sizeof e->text);
#else
        ws__puts(&w, "mbedTLS error -");
        ws__put_hex(&w, (uint64_t)-code);
#endif
    }
    return WS_IO_ERROR;
}

/* ---- raw bytes ---- */

/* What is below said r, no count of bytes: for mbedTLS. */
static int ws__tls_below(ws__tls_end *e, ptrdiff_t r)
{
    e->asked = 1;
    return r == WS_IO_WANT_READ ? MBEDTLS_ERR_SSL_WANT_READ
         : r == WS_IO_WANT_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
         : r == 0 ? 0 : WS__TLS_BROKEN;
}

static void ws__tls_ahead_free(ws__tls_end *e)
{
    mbedtls_free(e->ahead);
    e->ahead = NULL;
    e->at = e->end = 0;
}

/* The first byte of a TLS stream is a handshake record's, or an alert's. */
static int ws__tls_greeting(ws__tls_end *e)
{
    static const char sorry[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                "Content-Length: 32\r\n\r\nThis port speaks TLS: use https.\n";

    e->spoken = 1;
    if (e->ahead[0] == 22 || e->ahead[0] == 21) return 0;
    if (e->host) { ws__tls_fail(e, "server does not speak TLS"); return WS__TLS_BROKEN; }
    if (e->ahead[0] < 'A' || e->ahead[0] > 'Z') {
        ws__tls_fail(e, "client does not speak TLS");
    } else {
        (e->io.write)(e->io.user, sorry, sizeof sorry - 1);
        ws__tls_fail(e, "plain HTTP on a TLS port");
    }
    return WS__TLS_BROKEN;
}

/* Reads ahead: 1, 0 at the end, or mbedTLS's error. mbedTLS reads on over warnings: a peer that
   has no end of them must leave others their turn. */
static int ws__tls_fill(ws__tls_end *e)
{
    ptrdiff_t r;

    if (e->at < e->end) return 1;
    if (e->idle >= WS__TLS_IDLE) return ws__tls_below(e, WS_IO_WANT_READ);
    if (!e->ahead) e->ahead = (uint8_t *)mbedtls_calloc(1, WS__TLS_AHEAD);
    if (!e->ahead) return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    r = (e->io.read)(e->io.user, e->ahead, WS__TLS_AHEAD);
    if (r <= 0 || r > WS__TLS_AHEAD) return ws__tls_below(e, r);
    e->at = 0;
    e->end = (size_t)r;
    e->idle += e->end;
    return !e->spoken && ws__tls_greeting(e) ? WS__TLS_BROKEN : 1;
}

static int ws__tls_recv(void *user, unsigned char *buf, size_t n)
{
    ws__tls_end *e = (ws__tls_end *)user;
    int r = ws__tls_fill(e);

    if (r <= 0) return r;
    if (n > e->end - e->at) n = e->end - e->at;
    memcpy(buf, e->ahead + e->at, n);
    e->at += n;
    return (int)n;
}

/* A peer that gives up in the handshake says why and goes: mbedTLS, which writes on, fails before
   it reads that. The alert is not encrypted (in TLS 1.3 it is, but comes after the handshake). */
static void ws__tls_last_words(ws__tls_end *e)
{
    const uint8_t *p;

    if (e->stage != WS__TLS_SHAKING || ws__tls_fill(e) <= 0) return;
    p = e->ahead + e->at;
    if (e->end - e->at >= 7 && p[0] == 21 && p[4] == 2 && p[5] == 2) ws__tls_alerted(e, p[6]);
}

static int ws__tls_send(void *user, const unsigned char *buf, size_t n)
{
    ws__tls_end *e = (ws__tls_end *)user;
    ptrdiff_t r = (e->io.write)(e->io.user, buf, n);

    if (r == 0) r = WS_IO_WANT_WRITE;
    if (r == WS_IO_ERROR) ws__tls_last_words(e);
    return r > 0 ? (int)r : ws__tls_below(e, r);
}

/* ---- handshake ---- */

static void ws__tls_session_load(ws__tls_end *e)
{
    ws__tls_keys *t = e->tls;
    int i;

    for (i = 0; i < WS__TLS_SESSIONS; i++)
        if (t->kept[i].host && !strcmp(t->kept[i].host, e->host))
            mbedtls_ssl_set_session(&e->ssl, &t->kept[i].session);
}

static void ws__tls_session_keep(ws__tls_end *e)
{
    ws__tls_keys *t = e->tls;
    unsigned i;

    if (!e->host) return;
    for (i = 0; i < WS__TLS_SESSIONS; i++)
        if (t->kept[i].host && !strcmp(t->kept[i].host, e->host)) break;
    if (i == WS__TLS_SESSIONS) i = t->next_kept++ % WS__TLS_SESSIONS;
    mbedtls_ssl_session_free(&t->kept[i].session);
    mbedtls_ssl_session_init(&t->kept[i].session);
    mbedtls_free(t->kept[i].host);
    t->kept[i].host = NULL;
    if (mbedtls_ssl_get_session(&e->ssl, &t->kept[i].session)) return;
    t->kept[i].host = (char *)mbedtls_calloc(1, strlen(e->host) + 1);
    if (t->kept[i].host) memcpy(t->kept[i].host, e->host, strlen(e->host));
}

static int ws__tls_begin(ws__tls_end *e)
{
    uint8_t ip[16];
    ws_str host = ws__cstr(e->host);
    int named = e->host && !ws__ipv4_parse(host, ip) && !ws__ipv6_parse(host, ip);
    int r = mbedtls_ssl_setup(&e->ssl, e->host ? &e->tls->client : &e->tls->server);

    e->stage = WS__TLS_SHAKING;
    if (r) return r;
    mbedtls_ssl_set_bio(&e->ssl, e, ws__tls_send, ws__tls_recv, NULL);
    if (!e->host) return 0;
    /* an address is no SNI (RFC 6066 3): ws__tls_verified looks for it */
    r = mbedtls_ssl_set_hostname(&e->ssl, named ? e->host : NULL);
    if (!r) ws__tls_session_load(e);
    return r;
}

/* The handshake is done: is the peer who it must be? mbedTLS has verified the server's chain;
   of a client that need not show a certificate it lets in any. */
static int ws__tls_verified(ws__tls_end *e)
{
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&e->ssl);
    ws__text w = ws__text_in(e->text, sizeof e->text);

    if (e->host ? e->tls->trusts_everyone || (cert && ws__tls_is_for(cert, ws__cstr(e->host)))
                : !cert || !mbedtls_ssl_get_verify_result(&e->ssl))
        return 1;
    if (e->host) ws__puts(&w, "certificate is not for this host");
    else ws__tls_put_flags(&w, e);
    e->stage = WS__TLS_FAILED;
    mbedtls_ssl_send_alert_message(&e->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                   MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return 0;
}

/* 1: call mbedTLS again. It may want to read without having asked below (TLS 1.3 does), and
   a session ticket is no error. */
static int ws__tls_once_more(ws__tls_end *e, int code)
{
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        ws__tls_session_keep(e);
        return 1;
    }
#endif
    return (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) && !e->asked;
}

/* Shakes hands as far as possible. 1 when it is done, or WS_IO_. */
static ptrdiff_t ws__tls_shake(ws__tls_end *e)
{
    int r;

    if (e->stage == WS__TLS_OPEN) return 1;
    if (e->stage == WS__TLS_FAILED) return WS_IO_ERROR;
    if (e->stage == WS__TLS_NEW) {      /* who says nothing costs nothing */
        r = e->host ? 1 : ws__tls_fill(e);
        if (r > 0) r = ws__tls_begin(e);
        else if (r == 0) return 0;
        if (r) return ws__tls_result(e, r);
    }
    do {
        e->asked = 0;
        r = mbedtls_ssl_handshake(&e->ssl);
    } while (r && ws__tls_once_more(e, r));
    if (r) {
        ptrdiff_t result = ws__tls_result(e, r);
        return result ? result : (ptrdiff_t)WS_IO_ERROR;
    }
    if (!ws__tls_verified(e)) return WS_IO_ERROR;
    e->stage = WS__TLS_OPEN;
    ws__tls_session_keep(e);
    return 1;
}

/* ---- the ws_io ---- */

static int ws__tls_pending(void *user)
{
    const ws__tls_end *e = (const ws__tls_end *)user;

    return e->at < e->end || e->ended || e->stage == WS__TLS_FAILED || e->idle >= WS__TLS_IDLE ||
           (e->stage == WS__TLS_OPEN && mbedtls_ssl_get_bytes_avail(&e->ssl)) ||
           (e->io.pending && (e->io.pending)(e->io.user));
}

/* As much as is there: each call into mbedTLS gives at most one record. */
static ptrdiff_t ws__tls_read(void *user, void *buf, size_t n)
{
    ws__tls_end *e = (ws__tls_end *)user;
    ptrdiff_t r;
    size_t got = 0;

    e->idle = 0;
    r = ws__tls_shake(e);
    if (r > 0 && e->ended) {
        r = e->ended - 1;
        e->ended = 0;
        return r;
    }
    while (r > 0 && got < n && (!got || ws__tls_pending(e))) {
        int k;
        e->asked = 0;
        k = mbedtls_ssl_read(&e->ssl, (unsigned char *)buf + got, n - got);
        if (k > 0) got += (size_t)k, e->idle = 0;
        else if (!ws__tls_once_more(e, k)) r = ws__tls_result(e, k);
    }
    if (e->at == e->end) ws__tls_ahead_free(e);
    if (!got) return r;
    if (r == 0) e->ended = 1;
    return (ptrdiff_t)got;
}

/* mbedTLS takes what is left in its buffer for the bytes it is given. They are in there after
   they met a WANT, unless reading has sent them since (session tickets make it do that); when
   they were not offered yet, it is an alert or the like that is left. */
static ptrdiff_t ws__tls_write(void *user, const void *buf, size_t n)
{
    ws__tls_end *e = (ws__tls_end *)user;
    const size_t *left = &e->ssl.WS__MBEDTLS(out_left);
    ptrdiff_t r;
    int k, ours;

    e->idle = 0;
    r = ws__tls_shake(e);
    if (r <= 0) return r ? r : (ptrdiff_t)WS_IO_ERROR;
    if (e->blocked && e->blocked <= n) n = e->blocked;
    do {
        ours = e->blocked || !*left;
        e->asked = 0;
        k = e->blocked && !*left ? (int)n
                                 : mbedtls_ssl_write(&e->ssl, (const unsigned char *)buf, n);
        e->blocked = k < 0 && (e->blocked || (ours && *left)) ? n : 0;
    } while (k < 0 ? ws__tls_once_more(e, k) : !ours);
    if (k == WS__TLS_BROKEN) return WS_IO_ERROR;        /* what came before can still be read */
    return k > 0 ? k : ws__tls_result(e, k);
}

static void ws__tls_wait(void *user, int wants, int timeout)
{
    const ws_io *io = &((const ws__tls_end *)user)->io;

    (io->wait)(io->user, wants, timeout);
}

static const char *ws__tls_why(void *user)
{
    const ws__tls_end *e = (const ws__tls_end *)user;
    const char *why = e->io.why ? (e->io.why)(e->io.user) : NULL;

    if (*e->text) return e->text;
    if (!why && e->stage < WS__TLS_OPEN) why = "the TLS handshake did not finish";
    return why;
}

static void ws__tls_close(void *user)
{
    ws__tls_end *e = (ws__tls_end *)user;

    if (e->stage == WS__TLS_OPEN) mbedtls_ssl_close_notify(&e->ssl);
    if (e->io.close) (e->io.close)(e->io.user);
    mbedtls_ssl_free(&e->ssl);
    ws__tls_ahead_free(e);
    mbedtls_free(e->host);
    ws_tls_free(&e->tls->head);
    mbedtls_free(e);
}

WS_API int ws_tls_wrap(ws_tls *tls, ws_io *io, const char *host)
{
    ws__tls_keys *t = (ws__tls_keys *)(void *)tls;
    const char *why;
    ws__tls_end *e;

    if (!tls || !io) return WS_ERR_ARGUMENT;
    if (!tls->error && host && t->trusts_system) ws__tls_system(t);
    if (tls->error || (!host && ws__tls_serves(tls, &why)))
        return tls->error ? tls->error : WS_ERR_TLS;
    e = (ws__tls_end *)mbedtls_calloc(1, sizeof *e);
    if (e && host) e->host = (char *)mbedtls_calloc(1, strlen(host) + 1);
    if (!e || (host && !e->host)) { mbedtls_free(e); return WS_ERR_MEMORY; }
    if (host) memcpy(e->host, host, strlen(host));
    ws__tls_hold(tls);
    e->tls = t;
    e->io = *io;
    mbedtls_ssl_init(&e->ssl);
    io->read = ws__tls_read;
    io->write = ws__tls_write;
    io->close = ws__tls_close;
    if (io->wait) io->wait = ws__tls_wait;
    io->pending = ws__tls_pending;
    io->why = ws__tls_why;
    io->user = e;
    return 0;
}

WS_API size_t ws_tls_peer(const ws_conn *c, char *buf, size_t n)
{
    const ws_io *io = c ? ws__io(c) : NULL;
    const ws__tls_end *e = io && io->read == ws__tls_read ? (const ws__tls_end *)io->user : NULL;
    const mbedtls_x509_crt *cert = NULL;
    int r;

    if (!buf || !n) return 0;
    *buf = 0;
    if (e && (e->host || !mbedtls_ssl_get_verify_result(&e->ssl)))
        cert = mbedtls_ssl_get_peer_cert(&e->ssl);
    r = cert ? mbedtls_x509_dn_gets(buf, n, &cert->subject) : 0;
    if (r <= 0) *buf = 0;
    return r > 0 ? (size_t)r : 0;
}

#endif /* WS_USE_MBEDTLS */

#ifndef WS_NO_SOCKETS

/* ==== >>socket (private) =============================================================== */

#ifdef _WIN32
WS__PRIVATE int ws__sock_error(void) { return WSAGetLastError(); }

static int ws__would_block(void)
{
    int e = WSAGetLastError();
    return e == WSAEWOULDBLOCK || e == WSAEINPROGRESS || e == WSAEINTR;
}

static void ws__sock_close(ws__sock s)
{
    int kept = WSAGetLastError();   /* what the caller is about to tell */
    closesocket(s);
    WSASetLastError(kept);
}

WS__PRIVATE int ws__sock_connect(ws__sock s, const struct sockaddr *a, size_t size)
{
    return connect(s, a, (int)size);
}

static int ws__sock_nonblock(ws__sock s)
{
    u_long on = 1;
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);    /* as accept gave it */
    return ioctlsocket(s, (long)FIONBIO, &on);
}

/* A socket that no child process inherits. */
static ws__sock ws__sock_open(int family, int type)
{
    ws__sock s = WSASocketW(family, type, 0, NULL, 0,
                            WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);

    if (s == WS__NO_SOCK || !ws__sock_nonblock(s)) return s;
    closesocket(s);
    return WS__NO_SOCK;
}

static ptrdiff_t ws__sock_sendv(ws__sock s, const ws__piece *v, int n)
{
    ptrdiff_t sum = 0;
    while (n > 0) {
        WSABUF b[16];
        DWORD sent = 0;
        size_t all = 0;
        int i;
        for (i = 0; i < n && i < 16; i++) {
            b[i].buf = (char *)v[i].iov_base;
            b[i].len = (ULONG)v[i].iov_len;
            all += v[i].iov_len;
        }
        if (WSASend(s, b, (DWORD)i, &sent, 0, NULL, NULL)) return sum ? sum : -1;
        sum += (ptrdiff_t)sent;
        if (sent < all) break;
        v += i;
        n -= i;
    }
    return sum;
}

static ptrdiff_t ws__sock_recvv(ws__sock s, const ws__piece *v, int n)
{
    WSABUF b[2];
    DWORD got = 0, flags = 0;
    int i;
    for (i = 0; i < n; i++) {
        b[i].buf = (char *)v[i].iov_base;
        b[i].len = (ULONG)v[i].iov_len;
    }
    return WSARecv(s, b, (DWORD)n, &got, &flags, NULL, NULL) ? -1 : (ptrdiff_t)got;
}

static int ws__sock_size(size_t n) { return n > 1u << 30 ? 1 << 30 : (int)n; }

static long ws__process(void) { return 0; }

WS__APART int ws__sock_startup(void)
{
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data);
}
#else
WS__PRIVATE int ws__sock_error(void) { return errno; }

static int ws__would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
}

static void ws__sock_close(ws__sock s)
{
    int kept = errno;   /* what the caller is about to tell */
    close(s);
    errno = kept;
}

/* Every socket of ours comes through here. No SIGPIPE either, where a flag of send does not say
   so. */
static int ws__sock_nonblock(ws__sock s)
{
    int flags = fcntl(s, F_GETFL, 0);
#ifdef SO_NOSIGPIPE
    int on = 1;
    setsockopt(s, SOL_SOCKET, SO_NOSIGPIPE, (const char *)&on, sizeof on);
#endif
    fcntl(s, F_SETFD, FD_CLOEXEC);
    return flags < 0 ? -1 : fcntl(s, F_SETFL, flags | O_NONBLOCK);
}

/* A socket that no child process inherits. */
static ws__sock ws__sock_open(int family, int type)
{
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK) && !defined(SO_NOSIGPIPE)
    return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    ws__sock s;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    s = socket(family, type, 0);
    if (s == WS__NO_SOCK || !ws__sock_nonblock(s)) return s;
    ws__sock_close(s);
    return WS__NO_SOCK;
#endif
}

/* Interrupted by a signal it goes on by itself: ask again. */
WS__PRIVATE int ws__sock_connect(ws__sock s, const struct sockaddr *a, size_t size)
{
    int r;
    do r = connect(s, a, (socklen_t)size); while (r && errno == EINTR);
    return r && errno != EISCONN ? -1 : 0;
}

static ptrdiff_t ws__sock_sendv(ws__sock s, const ws__piece *v, int n)
{
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = (struct iovec *)(uintptr_t)v;
    m.msg_iovlen = (size_t)n;
    return sendmsg(s, &m, WS__NO_SIGNAL);
}

static ptrdiff_t ws__sock_recvv(ws__sock s, const ws__piece *v, int n)
{
    return readv(s, v, n);
}

static size_t ws__sock_size(size_t n) { return n; }

static long ws__process(void) { return (long)getpid(); }

static int ws__sock_startup(void) { return 0; }
#endif

/* Two ends that do not block: what is written to s[1] comes out of s[0]. */
#ifdef _WIN32
/* Two connected UDP sockets: a WSAPoll does not know pipes. Others could send to the first until it
   is connected: what came by then is dropped. */
static int ws__pair_open(ws__sock s[2])
{
    struct sockaddr_in a[2];
    socklen_t n = sizeof a[0];
    int i, bad = 0, on = 1;
    char byte;

    memset(a, 0, sizeof a);
    s[0] = s[1] = WS__NO_SOCK;
    for (i = 0; i < 2 && !bad; i++) {
        a[i].sin_family = AF_INET;
        a[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        s[i] = ws__sock_open(AF_INET, SOCK_DGRAM);
        if (s[i] != WS__NO_SOCK)
            setsockopt(s[i], SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
        bad = s[i] == WS__NO_SOCK || bind(s[i], (struct sockaddr *)&a[i], sizeof a[i]) ||
              getsockname(s[i], (struct sockaddr *)&a[i], &n);
    }
    if (!bad && !connect(s[0], (struct sockaddr *)&a[1], sizeof a[1]) &&
        !connect(s[1], (struct sockaddr *)&a[0], sizeof a[0])) {
        while (recv(s[0], &byte, 1, 0) >= 0 || WSAGetLastError() == WSAEMSGSIZE) {}
        return 0;
    }
    for (i = 0; i < 2; i++) if (s[i] != WS__NO_SOCK) ws__sock_close(s[i]);
    return -1;
}
#else
static int ws__pair_open(ws__sock s[2])
{
#ifdef WS__LINUX_CALLS
    return pipe2(s, O_CLOEXEC | O_NONBLOCK);
#else
    if (pipe(s)) return -1;
    if (!ws__sock_nonblock(s[0]) && !ws__sock_nonblock(s[1])) return 0;
    ws__sock_close(s[0]);
    ws__sock_close(s[1]);
    return -1;
#endif
}
#endif

/* What the system says of an error, for the text of ours. */
static const char *ws__sock_why(int error, char text[32])
{
#ifdef _WIN32
    ws__text t = ws__text_in(text, 32);

    ws__puts(&t, "Winsock error ");
    ws__put_number(&t, (uint64_t)error);
    return text;
#else
    (void)text;
    return error ? strerror(error) : NULL;
#endif
}

static void ws__sock_options(ws__sock s)
{
    int on = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
}

/* Closes so that the peer gets our last words: unread input would turn them into a reset. */
static void ws__sock_end(ws__sock s)
{
    char waste[256];
    int i;

    shutdown(s, 1);
    for (i = 0; i < 256 && recv(s, waste, sizeof waste, 0) > 0; i++) {}
    ws__sock_close(s);
}

/* In front of an IPv4 address in IPv6 (RFC 4291 2.5.5.2). */
static const uint8_t ws__mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

/* Does an error of the system mean that this machine lacks something? */
static int ws__out_of(int error)
{
#ifdef _WIN32
    return error == WSAEMFILE || error == WSAENOBUFS || error == WSA_NOT_ENOUGH_MEMORY;
#else
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
#endif
}

/* What getaddrinfo's result means; errno as it left it. */
static int ws__lookup_fault(int code)
{
    if (code == EAI_MEMORY) return WS_ERR_MEMORY;
    if (ws__out_of(ws__sock_error())) return WS_ERR_SYSTEM;
#ifdef EAI_SYSTEM
    if (code == EAI_SYSTEM) return WS_ERR_SYSTEM;
#endif
    return code == EAI_AGAIN || code == EAI_FAIL ? WS_ERR_RESOLVER : WS_ERR_LOOKUP;
}

/* Parses "host:port" into host (without brackets) and port text. 0 or WS_ERR_ARGUMENT. */
WS__PRIVATE int ws__split_address(const char *address, char *host, size_t room, const char **port)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    size_t n;

    if (!colon || !colon[1]) return WS_ERR_ARGUMENT;
    n = (size_t)(colon - address);
    *port = colon + 1;
    if (n > 1 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    } else if (memchr(address, ':', n)) {
        return WS_ERR_ARGUMENT;
    }
    if (n >= room || strspn(*port, "0123456789") != strlen(*port) || strlen(*port) > 5 ||
        strtoul(*port, NULL, 10) > 65535)
        return WS_ERR_ARGUMENT;
    memcpy(host, address, n);
    host[n] = 0;
    return 0;
}

#ifndef _WIN32
/* "/path", or on Linux "@name" without a file. *size is that of the address. */
static int ws__unix_address(struct sockaddr_un *a, size_t *size, ws_str path)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    *size = sizeof *a;
    if (!path.size || path.size >= sizeof a->sun_path) return WS_ERR_ARGUMENT;
    memcpy(a->sun_path, path.data, path.size);
    if (*a->sun_path != '@') return 0;
#ifdef __linux__
    *a->sun_path = 0;
    *size = offsetof(struct sockaddr_un, sun_path) + path.size;
    return path.size > 1 ? 0 : WS_ERR_ARGUMENT;
#else
    return WS_ERR_ARGUMENT;
#endif
}
#endif

/* "1.2.3.4:80" or "[::1]:80"; an IPv4 address in IPv6 as the former. */
static void ws__put_address(ws__text *t, const struct sockaddr *a, size_t size)
{
    char host[64], port[8];
    struct sockaddr_in v4;

    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
        const uint8_t *ip = (const uint8_t *)&v6->sin6_addr;
        memset(&v4, 0, sizeof v4);
        v4.sin_family = AF_INET;
        v4.sin_port = v6->sin6_port;
        memcpy(&v4.sin_addr, ip + 12, 4);
        if (!memcmp(ip, ws__mapped, 12)) {
            a = (const struct sockaddr *)(const void *)&v4;
            size = sizeof v4;
        }
    }
    if (getnameinfo(a, (socklen_t)size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    ws__puts(t, a->sa_family == AF_INET6 ? "[" : "");
    ws__puts(t, host);
    ws__puts(t, a->sa_family == AF_INET6 ? "]:" : ":");
    ws__puts(t, port);
}

static void ws__poller_drop(ws_loop *l, ws__sock fd);

/* The poller forgets the socket. Before it is closed: as long as a child process has a copy of
   it, it would go on to tell of it. */
static void ws__unwatch(ws_conn *c)
{
    if (c->loop && c->wants != WS__UNWATCHED) ws__poller_drop(c->loop, c->fd);
    c->wants = WS__UNWATCHED;
}

/* Bytes in the system's buffer that the peer has not acknowledged, where the system tells. */
static size_t ws__sock_untaken(const ws_conn *c)
{
    int n = 0;

    if (c->fd == WS__NO_SOCK || c->dial) return 0;
#if defined(TIOCOUTQ) && defined(__linux__)
    if (ioctl(c->fd, TIOCOUTQ, &n)) n = 0;
#elif defined(SO_NWRITE)
    {
        socklen_t size = sizeof n;
        if (getsockopt(c->fd, SOL_SOCKET, SO_NWRITE, &n, &size)) n = 0;
    }
#elif defined(FIONWRITE)
    if (ioctl(c->fd, FIONWRITE, &n)) n = 0;
#endif
    return n > 0 ? (size_t)n : 0;
}

/* ---- bytes in and out of a connection ---- */

/* What a failed receive means. */
static ptrdiff_t ws__read_fault(const ws_conn *c)
{
    return ws__would_block() && !WS__HAS(c, WS__BROKEN) ? WS_IO_WANT_READ : WS_IO_ERROR;
}

/* The socket as a ws_io. */
static ptrdiff_t ws__socket_read(void *user, void *buf, size_t n)
{
    const ws_conn *c = (const ws_conn *)user;
    ptrdiff_t r = recv(c->fd, (char *)buf, ws__sock_size(n), 0);

    return r < 0 ? ws__read_fault(c) : r;
}

static ptrdiff_t ws__socket_write(void *user, const void *buf, size_t n)
{
    const ws_conn *c = (const ws_conn *)user;
    ptrdiff_t r = send(c->fd, (const char *)buf, ws__sock_size(n), WS__NO_SIGNAL);

    if (r < 0) return ws__would_block() ? WS_IO_WANT_WRITE : WS_IO_ERROR;
    return r;
}

/* Reads up to n bytes: more than 0, 0 at the end, or WS_IO_. */
static ptrdiff_t ws__read(ws_conn *c, void *buf, size_t n)
{
    const ws_io *io = ws__io(c);
    ptrdiff_t r;

    c->flags &= ~(uint32_t)(WS__READ_WANTS_WRITE | WS__MORE);
    if (!io) return ws__socket_read(c, buf, n);
    r = (io->read)(io->user, buf, n);
    if (r < 0 && WS__HAS(c, WS__BROKEN)) r = WS_IO_ERROR;
    if (r == WS_IO_WANT_WRITE) c->flags |= WS__READ_WANTS_WRITE;
    if (r > 0 || r == WS_IO_WANT_READ)      /* which pending may say: it only takes a break */
        if (io->pending ? (io->pending)(io->user) : r > 0) c->flags |= WS__MORE;
    return r;
}

static ptrdiff_t ws__readv(ws_conn *c, const ws__piece *v, int n)
{
    ptrdiff_t r = ws__sock_recvv(c->fd, v, n);

    c->flags &= ~(uint32_t)WS__MORE;
    return r < 0 ? ws__read_fault(c) : r;
}

static ptrdiff_t ws__write(ws_conn *c, const void *buf, size_t n)
{
    const ws_io *io = ws__io(c);
    ptrdiff_t r;

    c->flags &= ~(uint32_t)WS__WRITE_WANTS_READ;
    if (!io) return ws__socket_write(c, buf, n);
    r = (io->write)(io->user, buf, n < WS__IO_MAX ? n : WS__IO_MAX);
    if (r == WS_IO_WANT_READ) c->flags |= WS__WRITE_WANTS_READ;
    return r ? r : (ptrdiff_t)WS_IO_WANT_WRITE;
}

/* Writes pieces in order: the bytes that went, or WS_IO_ if none did. */
static ptrdiff_t ws__writev(ws_conn *c, const ws__piece *v, int n)
{
    ptrdiff_t r = 0, sum = 0;
    int i;

    if (!ws__io(c)) {
        if (n == 1) return ws__socket_write(c, v->iov_base, v->iov_len);
        r = ws__sock_sendv(c->fd, v, n);    /* costs more than send */
        if (r < 0) return ws__would_block() ? WS_IO_WANT_WRITE : WS_IO_ERROR;
        return r;
    }
    for (i = 0; i < n; i++) {
        size_t done = 0;
        while (done < v[i].iov_len) {
            r = ws__write(c, (const char *)v[i].iov_base + done, v[i].iov_len - done);
            if (r <= 0) return sum ? sum : r;
            done += (size_t)r;
            sum += r;
        }
    }
    return sum;
}

/* ---- TLS around a socket ---- */

/* Must a connection that is accepted speak TLS? */
WS__PRIVATE int ws__serves_tls(const ws_config *set) { return set->wrap || set->tls; }

static ws_tls *ws__loop_tls(ws_loop *l);

/* Is there TLS for its connections? Returns 0, or the error with *why. */
static int ws__tls_ready(ws_conn *c, const char **why)
{
    ws_config *set = &c->cfg->set;

    *why = NULL;
    if (set->wrap) return 0;
    if (!set->tls) set->tls = c->loop ? ws__loop_tls(c->loop) : ws_tls_new(NULL);
    if (set->tls->error == WS_ERR_TLS) *why = set->tls->text;
    return set->tls->error;
}

/* Puts TLS around the layer below, as configured. Returns 0, or the error with *why. */
static int ws__layer_wrap(ws_conn *c, ws_io *io, const char *host, const char **why)
{
    const ws_config *set = &c->cfg->set;
    int r = ws__tls_ready(c, why);

    if (r) return r;
    if (set->wrap) return (set->wrap)(set->wrap_user, c, io, host) ? WS_ERR_TLS : 0;
    r = ws_tls_wrap(set->tls, io, host);
    if (r == WS_ERR_TLS) *why = set->tls->text;
    return r;
}

/* Puts TLS around what c's bytes go through. host: the server's or the proxy's; NULL: we are
   the server. Returns 0, or fails the connection. */
static int ws__wrap(ws_conn *c, const char *host)
{
    const char *why = NULL;
    ws__layer *top = NULL;
    int r = WS_ERR_MEMORY;

    if (ws__more_of(c)) top = (ws__layer *)ws__alloc(c->cfg, sizeof *top);
    if (top) {
        memset(top, 0, sizeof *top);
        top->below = c->more->layer;
        if (top->below) {
            top->io = top->below->io;
            top->io.close = NULL;       /* ws__unwrap calls it */
        } else {
            top->io.read = ws__socket_read;
            top->io.write = ws__socket_write;
            top->io.user = c;
        }
        r = ws__layer_wrap(c, &top->io, host, &why);
        if (!r) c->more->layer = top;
        else ws__free(c->cfg, top, sizeof *top);
    }
    if (r) ws__fail_with(c, r, why);
    return r;
}

/* Takes all TLS off again: each layer says goodbye through the one below. */
static void ws__unwrap(ws_conn *c)
{
    while (c->more && c->more->layer) {
        ws__layer *top = c->more->layer;
        if (top->io.close) (top->io.close)(top->io.user);
        c->more->layer = top->below;
        ws__free(c->cfg, top, sizeof *top);
    }
}

/* Ends the connection's use of its socket. */
static void ws__hang_up(ws_conn *c)
{
    ws__unwrap(c);
    ws__unwatch(c);
    if (c->fd != WS__NO_SOCK) ws__sock_end(c->fd);
    c->fd = WS__NO_SOCK;
}

/* ==== >>dial (private) ================================================================= */

#ifndef WS_NO_CLIENT

typedef union ws__address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} ws__address;

#define WS__ADDRESSES 16        /* of one name; more are not tried */

typedef struct ws__found {
    int count;
    int fault;                  /* WS_ERR_ when there are none */
    int error;                  /* of the system, with WS_ERR_SYSTEM */
    ws__address at[WS__ADDRESSES];
} ws__found;

enum { WS__DIAL_LOOKUP, WS__DIAL_CONNECT, WS__DIAL_TUNNEL };

/* A client that is still connecting. Stage LOOKUP: c->fd, if any, becomes readable when the
   answer is there. */
typedef struct ws__dial {
    struct ws__lookup *lookup;  /* under way on a thread, or NULL */
    ws_tunnel *tunnel;          /* NULL: straight to the server */
    int stage;
    int next;                   /* address to try */
    uint32_t until;             /* when the one before has had its time */
    int error;                  /* of the last one tried */
    int proxy_tls;              /* the proxy itself is https:// */
    char *env;                  /* Windows: of ws__env, NULL: none */
    size_t env_size;
    ws__found found;
    char host[256], port[8];    /* of the server, or of the proxy */
} ws__dial;

static size_t ws__address_size(const ws__address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

/* Adds the addresses of host to f. Returns 0 if there are any. An IPv4 address is looked up all the
   same: where there is only IPv6, Apple's getaddrinfo makes the one of it that leads there. */
static int ws__find_host(ws__found *f, const char *host, const char *port, int flags)
{
    struct addrinfo hints, *all, *a;
    uint8_t ip[16];
    int r;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ws__ipv4_parse(ws__cstr(host), ip) ? flags & ~AI_NUMERICHOST : flags;
#ifndef _WIN32
    errno = 0;
#endif
    r = getaddrinfo(host, port, &hints, &all);
    f->fault = r ? ws__lookup_fault(r) : WS_ERR_LOOKUP;
    f->error = ws__sock_error();
    if (r) return -1;
    for (a = all; a && f->count < WS__ADDRESSES; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
            a->ai_addrlen <= sizeof *f->at)
            memcpy(&f->at[f->count++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(all);
    return f->count ? 0 : -1;
}

static void ws__sock_drop(ws_conn *c)
{
    ws__unwatch(c);
    if (c->fd != WS__NO_SOCK) ws__sock_close(c->fd);
    c->fd = WS__NO_SOCK;
}

/* ---- lookup on a thread ---- */

#ifdef WS__THREADS

/* Belongs to the connection and the thread until each has marked it; the second one frees it.
   Its memory is malloc's, because cfg.alloc need not be good for two threads. */
typedef struct ws__lookup {
    ws__sock done;              /* the thread's end of a pair; it writes a byte when ready */
    ws__found found;
    char host[256], port[8];
#ifdef _WIN32
    LONG marks;
#else
    int marks;
    pthread_mutex_t lock;
#endif
} ws__lookup;

/* One side is done with q; everything it wrote is seen by the other. Returns 1 to the second,
   who must free it. */
static int ws__lookup_mark(ws__lookup *q)
{
#ifdef _WIN32
    return InterlockedIncrement(&q->marks) == 2;
#else
    int second;
    pthread_mutex_lock(&q->lock);
    second = ++q->marks == 2;
    pthread_mutex_unlock(&q->lock);
    return second;
#endif
}

static void ws__lookup_free(ws__lookup *q)
{
#ifndef _WIN32
    pthread_mutex_destroy(&q->lock);
#endif
    free(q);
}

static void ws__lookup_run(ws__lookup *q)
{
    ws__sock done = q->done;

    ws__find_host(&q->found, q->host, q->port, 0);
    if (ws__lookup_mark(q)) ws__lookup_free(q);
#ifdef _WIN32
    send(done, "", 1, 0);
#else
    if (write(done, "", 1) < 0) {}      /* nobody reads: fine. The mere end would not show */
#endif                                  /* while a child process has inherited a copy of it */
    ws__sock_close(done);
}

#ifdef _WIN32
static DWORD WINAPI ws__lookup_thread(void *q)
{
    ws__lookup_run((ws__lookup *)q);
    return 0;
}

static int ws__lookup_begin(ws__lookup *q)
{
    HANDLE h = CreateThread(NULL, 0, ws__lookup_thread, q, 0, NULL);

    if (h) CloseHandle(h);
    return h ? 0 : (int)GetLastError();
}
#else
static void *ws__lookup_thread(void *q)
{
    ws__lookup_run((ws__lookup *)q);
    return NULL;
}

/* The thread takes no signals: they are the application's, and it may write to a closed
   pipe. */
static int ws__lookup_begin(ws__lookup *q)
{
    sigset_t all, old;
    pthread_t id;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&id, NULL, ws__lookup_thread, q);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!r) pthread_detach(id);
    return r;
}
#endif

/* Starts to look d->host up. Returns 0 or the error. */
static int ws__lookup_start(ws_conn *c)
{
    ws__dial *d = c->dial;
    ws__lookup *q = (ws__lookup *)calloc(1, sizeof *q);
    ws__sock pair[2];

    if (!q) return WS_ERR_MEMORY;
    if (ws__pair_open(pair)) {
        d->found.error = ws__sock_error();
        free(q);
        return WS_ERR_SYSTEM;
    }
    memcpy(q->host, d->host, sizeof q->host);
    memcpy(q->port, d->port, sizeof q->port);
    q->done = pair[1];
#ifndef _WIN32
    pthread_mutex_init(&q->lock, NULL);
#endif
    d->found.error = ws__lookup_begin(q);
    if (d->found.error) {
        ws__lookup_free(q);
        ws__sock_close(pair[0]);
        ws__sock_close(pair[1]);
        return WS_ERR_SYSTEM;
    }
    c->fd = pair[0];
    d->lookup = q;
    return 0;
}

/* Ends c's part in its lookup. done: it is ready; take the answer. */
static void ws__lookup_end(ws_conn *c, int done)
{
    ws__lookup *q = c->dial->lookup;

    if (!q) return;
    c->dial->lookup = NULL;
    ws__sock_drop(c);
    if (!ws__lookup_mark(q)) return;
    if (done) c->dial->found = q->found;
    ws__lookup_free(q);
}

#else

static int ws__lookup_start(ws_conn *c)
{
    ws__find_host(&c->dial->found, c->dial->host, c->dial->port, 0);
    return 0;
}

static void ws__lookup_end(ws_conn *c, int done) { (void)c; (void)done; }

#endif

static void ws__dial_free(ws_conn *c)
{
    if (!c->dial) return;
    ws__lookup_end(c, 0);
    ws__free(c->cfg, c->dial->env, c->dial->env_size);
    ws__free(c->cfg, c->dial->tunnel, sizeof *c->dial->tunnel);
    if (!WS__HAS(c, WS__IS_FIXED)) ws__free(c->cfg, c->dial, sizeof *c->dial);
    c->dial = NULL;
}

/* Makes c->dial. In the caller's block it lies at the end of the input, of which there is none
   yet. 0 when there is no room. */
static int ws__dial_new(ws_conn *c)
{
    const size_t size = sizeof *c->dial;

    if (!WS__HAS(c, WS__IS_FIXED))
        c->dial = (ws__dial *)ws__alloc(c->cfg, size);
    else if (c->rx->cap >= size + 8)
        c->dial = (ws__dial *)(void *)(WS__DATA(c->rx) + (c->rx->cap - size) / 8 * 8);
    if (c->dial) memset(c->dial, 0, size);
    return c->dial != NULL;
}

static void ws__dial_failed(ws_conn *c, int error, const char *more)
{
    ws__fail_with(c, error, more);
    ws__dial_free(c);
}

/* ---- through a proxy ---- */

/* Is host:port in no_proxy: "*", "example.org" with all below it, either with a port? */
static int ws__no_proxy(const ws_url *url, const char *names)
{
    ws_str list = ws__cstr(names), item;

    while (ws_list_next(&list, &item)) {
        uint16_t port = url->port;
        size_t colon = item.size, n;
        while (colon && ws__is_digit(item.data[colon - 1])) colon--;
        if (colon && colon < item.size && item.data[colon - 1] == ':' &&
            (ws__find(item, 0, ':') == colon - 1 || item.data[colon - 2] == ']')) {
            if (ws__url_port(item.data + colon, item.size - colon, &port)) continue;
            item.size = colon - 1;
        }
        if (port != url->port) continue;
        if (item.size == 1 && *item.data == '*') return 1;
        if (item.size > 1 && item.data[0] == '[') item = ws__str(item.data + 1, item.size - 2);
        if (item.size > 1 && item.data[0] == '*' && item.data[1] == '.')
            item = ws__str(item.data + 1, item.size - 1);
        if (item.size && item.data[0] == '.') item = ws__str(item.data + 1, item.size - 1);
        n = url->host.size;
        if (!item.size || item.size > n) continue;
        if (item.size < n && (url->ipv6 || url->host.data[n - item.size - 1] != '.')) continue;
        if (ws__same_text(item, ws__str(url->host.data + n - item.size, item.size))) return 1;
    }
    return 0;
}

/* A variable of the environment, or NULL. On Windows, where getenv counts as unsafe, it is a copy
   that lasts until the next one. */
static const char *ws__env(ws_conn *c, const char *name)
{
#ifdef _WIN32
    ws__dial *d = c->dial;
    DWORD n = GetEnvironmentVariableA(name, NULL, 0);

    ws__free(c->cfg, d->env, d->env_size);
    d->env = n ? (char *)ws__alloc(c->cfg, n) : NULL;
    d->env_size = n;
    return d->env && GetEnvironmentVariableA(name, d->env, n) < n ? d->env : NULL;
#else
    (void)c;
    return getenv(name);
#endif
}

/* The proxy that the environment names for url, or NULL. HTTP_PROXY does not count: in a CGI
   program it is a header of somebody's request. */
static const char *ws__proxy_named(ws_conn *c, const ws_url *url)
{
    static const char *const names[] = {
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"
    };
    const char *no = ws__env(c, "no_proxy"), *proxy = NULL;
    int i = url->secure ? 1 : 0;

    if (!no) no = ws__env(c, "NO_PROXY");
    if (ws__no_proxy(url, no)) return NULL;
#ifdef _WIN32
    if (!i && ws__env(c, "REQUEST_METHOD")) i = 3;      /* names have no case there */
#endif
    for (; i < 5 && (!proxy || !*proxy); i += i ? 1 : 3) proxy = ws__env(c, names[i]);
    return proxy && *proxy ? proxy : NULL;
}

#ifndef _WIN32
WS__PRIVATE const char *ws__proxy_env(const ws_url *url) { return ws__proxy_named(NULL, url); }
#endif

/* Makes c->dial->tunnel if url is to be reached through a proxy; fills proxy. */
WS__APART int ws__dial_proxy(ws_conn *c, const ws_url *url, ws_url *proxy, const char **why)
{
    const char *text = c->cfg->set.proxy, *lines = c->cfg->lines + strlen(c->cfg->lines) + 1;
    ws__url_why bad;
    ws_tunnel *t;

    if (text && !strcmp(text, "env")) text = ws__proxy_named(c, url);
    if (!text || !*text) return 0;
    if (WS__HAS(c, WS__IS_FIXED)) return WS_ERR_ARGUMENT;
    if (ws__proxy_parse(text, proxy, &bad)) {
        *why = bad.words;
        return WS_ERR_URL;
    }
    t = (ws_tunnel *)ws__alloc(c->cfg, sizeof *t);
    if (!t) return WS_ERR_MEMORY;
    memset(t, 0, sizeof *t);
    c->dial->tunnel = t;
    c->dial->proxy_tls = proxy->secure;
    if (proxy->secure) t->result = ws__tls_ready(c, why);
    if (!t->result)
        t->result = ws__tunnel_begin(t, proxy, ws__url_host(url), url->port, NULL, lines);
    if (*t->text) *why = t->text;
    return t->result;
}

/* Shows the proxy's answer where a server's refusal would stand. */
static void ws__proxy_refused(ws_conn *c)
{
    ws_tunnel *t = c->dial->tunnel;

    ws__fail_with(c, t->result, t->text);
    c->cfg->status = (uint16_t)t->status;
    if (t->head_size && !ws__rx_append(c, (uint8_t *)t->buf, t->head_size)) {
        c->rx->head_at = c->rx->pos;
        c->rx->head_size = t->head_size;
        c->rx->pos = c->rx->len;
        c->flags |= WS__HEAD_HELD;
    }
    ws__dial_free(c);
}

/* The way to the server is open: TLS with it comes next, or the request. */
WS__APART void ws__dial_done(ws_conn *c)
{
    char host[256];
    ws_url url;

    ws_url_parse(ws_url_of(c), strlen(ws_url_of(c)), &url);
    if (url.secure) {
        size_t n = ws__url_host(&url).size;
        if (n > 1 && url.host.data[n - 1] == '.') n--;      /* DNS's; no certificate has it */
        memcpy(host, url.host.data, n);
        host[n] = 0;
        ws__wrap(c, host);
    }
    ws__dial_free(c);
}

/* Reads what the proxy says. What follows its answer stays in the socket, for whoever is next:
   the handshake. TLS shows nothing ahead, and is cheap to ask for one byte. */
static ptrdiff_t ws__tunnel_read(ws_conn *c, char *in, size_t n)
{
    ptrdiff_t r;

    if (ws__io(c)) {
        r = ws__read(c, in, 1);
        if (r > 0) ws_tunnel_feed(c->dial->tunnel, in, 1);
        return r;
    }
    r = (ptrdiff_t)recv(c->fd, in, ws__sock_size(n), MSG_PEEK);
    if (r < 0) return ws__read_fault(c);
    if (r > 0) recv(c->fd, in, ws__sock_size(ws_tunnel_feed(c->dial->tunnel, in, (size_t)r)), 0);
    return r;
}

WS__APART void ws__dial_tunnel(ws_conn *c)
{
    ws_tunnel *t = c->dial->tunnel;
    char in[256];

    while (!t->result) {
        size_t n;
        const void *out = ws_tunnel_output(t, &n);
        ptrdiff_t r = n ? ws__write(c, out, n) : ws__tunnel_read(c, in, sizeof in);
        if (r == WS_IO_WANT_READ || r == WS_IO_WANT_WRITE) return;
        if (r <= 0 && ws__io_why(c)) {
            ws__dial_failed(c, WS_ERR_TLS, ws__io_why(c));
            return;
        }
        if (r <= 0) ws_tunnel_feed_end(t);
        else if (n) ws_tunnel_output_done(t, (size_t)r);
    }
    if (t->result < 0) ws__proxy_refused(c);
    else ws__dial_done(c);
}

/* ---- connecting ---- */

/* The application refused the address, in words. */
#define WS__DENIED (-1)

WS__APART void ws__connect_failed(ws_conn *c, int error, const char *address)
{
    char text[200], code[32];
    ws__text t = ws__text_in(text, sizeof text);
    int ours = ws__out_of(error);

    if (ours) ws__puts(&t, "connecting to ");
    if (ours || error == WS__DENIED) ws__puts(&t, address);
    if (ours) ws__puts(&t, ": ");
    if (error == WS__DENIED) ws__puts(&t, " is not allowed (allow_address)");
    else if (error) ws__puts(&t, ws__sock_why(error, code));
    ws__dial_failed(c, ours ? WS_ERR_SYSTEM : WS_ERR_CONNECT, *text ? text : NULL);
}

static int ws__allows(ws_conn *c, const char *address)
{
    const ws_config *set = &c->cfg->set;

    return !set->allow_address || (set->allow_address)(set->allow_address_user, c, address);
}

/* Begins a connection to one address. 1 under way, 0 connected, -1 refused. */
static int ws__connect_one(ws_conn *c, const struct sockaddr *a, size_t size, int family)
{
    ws__sock s = ws__sock_open(family, SOCK_STREAM);

    if (s == WS__NO_SOCK) return -1;
    if (family != AF_UNIX) ws__sock_options(s);
    if (c->cfg->set.on_socket) (c->cfg->set.on_socket)(c->cfg->set.on_socket_user, (intptr_t)s);
    c->fd = s;
    c->wants = WS__UNWATCHED;
    if (!ws__sock_connect(s, a, size)) return 0;
#ifdef _WIN32
    if (WSAGetLastError() == WSAEWOULDBLOCK) return 1;
#else
    if (errno == EINPROGRESS || errno == EALREADY) return 1;
#endif
    c->fd = WS__NO_SOCK;
    ws__sock_close(s);
    return -1;
}

/* The socket is connected: to the server, or to the proxy. */
static void ws__dial_connected(ws_conn *c)
{
    c->deadline = c->cfg->limit;
    c->dial->stage = WS__DIAL_TUNNEL;
    if (c->dial->proxy_tls && ws__wrap(c, c->dial->host)) ws__dial_free(c);
    else if (c->dial->tunnel) ws__dial_tunnel(c);
    else ws__dial_done(c);
}

#define WS__CONNECT_LOOK 250    /* ms */

/* When to look after the address that is being tried. Before Windows 10 2004 a WSAPoll does not
   tell of one that refuses: so the socket is asked now and then. */
static void ws__dial_patience(ws_conn *c)
{
    ws__dial *d = c->dial;

    if (d->next == d->found.count) d->until = c->cfg->limit;
    c->deadline = d->until;
#ifdef _WIN32
    if ((int32_t)(d->until - c->now) > WS__CONNECT_LOOK) c->deadline = c->now + WS__CONNECT_LOOK;
#endif
}

/* Goes to the next address that does not fail at once. While others are left, each gets a
   part of the time. */
static void ws__dial_next(ws_conn *c)
{
    ws__dial *d = c->dial;
    char text[80] = "";

    d->stage = WS__DIAL_CONNECT;
    while (d->next < d->found.count) {
        const ws__address *a = &d->found.at[d->next++];
        ws__text t = ws__text_in(text, sizeof text);
        int r;
        ws__put_address(&t, &a->any, ws__address_size(a));
        if (!ws__allows(c, text)) {
            d->error = WS__DENIED;
            continue;
        }
        r = ws__connect_one(c, &a->any, ws__address_size(a), a->any.sa_family);
        if (r < 0) {
            d->error = ws__sock_error();
            continue;
        }
        d->until = c->now + (c->cfg->limit - c->now) / 3;
        ws__dial_patience(c);
        if (!r) ws__dial_connected(c);
        return;
    }
    ws__connect_failed(c, d->error, text);
}

/* No address was found. */
static void ws__lookup_failed(ws_conn *c, int fault)
{
    char text[300], code[32];
    ws__text t = ws__text_in(text, sizeof text);

    ws__puts(&t, fault == WS_ERR_SYSTEM ? "looking up " : "");
    ws__puts(&t, c->dial->host);
    if (fault == WS_ERR_SYSTEM && c->dial->found.error) {
        ws__puts(&t, ": ");
        ws__puts(&t, ws__sock_why(c->dial->found.error, code));
    }
    ws__dial_failed(c, fault, text);
}

static void ws__dial_found(ws_conn *c)
{
    const ws__found *f = &c->dial->found;

    if (f->count) ws__dial_next(c);
    else ws__lookup_failed(c, f->fault ? f->fault : (int)WS_ERR_LOOKUP);
}

/* Is the host an address, in its usual form? All others are names, whatever the system makes of
   them. */
static int ws__is_address(ws_str host)
{
    uint8_t ip[16];

    return ws__ipv4_parse(host, ip) || ws__find(host, 0, ':') < host.size;
}

/* Addresses at once, or stage LOOKUP. */
WS__APART void ws__dial_lookup(ws_conn *c)
{
    const ws_config *set = &c->cfg->set;
    ws__dial *d = c->dial;
    int error;

    if (ws__is_address(ws__cstr(d->host)) &&
        !ws__find_host(&d->found, d->host, d->port, AI_NUMERICHOST)) {
        ws__dial_next(c);
        return;
    }
    if (set->resolve) { (set->resolve)(set->resolve_user, c, d->host); return; }
    error = ws__lookup_start(c);
    if (error) ws__lookup_failed(c, error);
    else if (!d->lookup) ws__dial_found(c);
}

WS_API int ws_resolved(ws_conn *c, const char *addresses)
{
    ws_str list = ws__cstr(addresses), item;
    ws__dial *d = c ? c->dial : NULL;
    char host[64];
    int bad = 0;

    if (!c) return WS_ERR_ARGUMENT;
    if (!d || d->stage != WS__DIAL_LOOKUP || d->lookup || c->phase != WS__PHASE_HEAD)
        return WS_ERR_STATE;
    memset(&d->found, 0, sizeof d->found);
    while (!bad && ws_list_next(&list, &item)) {
        bad = item.size >= sizeof host;
        if (!bad) memcpy(host, item.data, item.size);
        host[bad ? 0 : item.size] = 0;
        bad = bad || ws__find_host(&d->found, host, d->port, AI_NUMERICHOST);
    }
    if (bad) { d->found.count = 0; return WS_ERR_ARGUMENT; }
    c->now = (uint32_t)ws__clock();
    ws__dial_found(c);
    ws__wake(c);
    return 0;
}

/* ---- start, steps, time ---- */

WS__APART void ws__dial_unix(ws_conn *c, const ws_url *url)
{
#ifdef _WIN32
    (void)url;
    ws__fail(c, WS_ERR_CONNECT);
#else
    struct sockaddr_un a;
    char text[sizeof a.sun_path + 8];
    ws__text t = ws__text_in(text, sizeof text);
    size_t size;

    ws__puts(&t, "unix:");
    ws__put(&t, url->host.data, url->host.size);
    if (ws__unix_address(&a, &size, url->host))
        ws__fail_with(c, WS_ERR_CONNECT, "no path or name that a unix socket can have");
    else if (!ws__allows(c, text))
        ws__connect_failed(c, WS__DENIED, text);
    else if (ws__connect_one(c, (struct sockaddr *)&a, size, AF_UNIX))
        ws__connect_failed(c, errno, text);
#endif
}

/* Starts a client, whose request is queued, on its way to its URL. */
static void ws__dial_start(ws_conn *c)
{
    const char *why;
    ws_url url, via;
    ws__text t;
    int error = 0;

    ws_url_parse(ws_url_of(c), strlen(ws_url_of(c)), &url);
    if (url.secure && WS__HAS(c, WS__IS_FIXED)) {
        ws__fail_with(c, WS_ERR_ARGUMENT, "TLS with cfg.memory goes through cfg.io");
        return;
    }
    if (url.secure) error = ws__tls_ready(c, &why);
    if (error) { ws__fail_with(c, error, why); return; }
    if (ws__sock_startup()) { ws__fail(c, WS_ERR_CONNECT); return; }
    if (url.is_unix) { ws__dial_unix(c, &url); return; }
    if (!ws__dial_new(c)) { ws__fail(c, WS_ERR_MEMORY); return; }
    why = "proxy";
    error = ws__dial_proxy(c, &url, &via, &why);
    if (error) { ws__dial_failed(c, error, why ? why : "proxy"); return; }
    if (!c->dial->tunnel) via = url;
    if (via.host.size >= sizeof c->dial->host) { ws__dial_failed(c, WS_ERR_LOOKUP, NULL); return; }
    memcpy(c->dial->host, via.host.data, via.host.size);
    if (via.ipv6) {             /* a zone as the system writes it */
        ptrdiff_t n = ws__unescape(via.host, 0, 0, c->dial->host, sizeof c->dial->host - 1);
        c->dial->host[n] = 0;
    }
    t = ws__text_in(c->dial->port, sizeof c->dial->port);
    ws__put_number(&t, via.port);
    ws__dial_lookup(c);
}

/* Has c->fd got what its stage waits for? */
static int ws__dial_ready(const ws_conn *c)
{
    struct pollfd p;
#ifdef _WIN32
    int error = 0;
    socklen_t n = sizeof error;
#endif

    if (c->fd == WS__NO_SOCK) return 0;
    p.fd = c->fd;
    p.events = c->dial->stage == WS__DIAL_LOOKUP ? POLLIN : POLLOUT;
    p.revents = 0;
#ifdef _WIN32
    if (WSAPoll(&p, 1, 0) > 0) return 1;
    if (c->dial->stage == WS__DIAL_LOOKUP) return 0;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (char *)&error, &n);
    if (error) WSASetLastError(error);
    return error != 0;
#else
    return poll(&p, 1, 0) > 0;
#endif
}

/* Goes on connecting as far as the socket allows. */
static void ws__dial_step(ws_conn *c)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (c->phase != WS__PHASE_HEAD) return;
    if (c->dial->stage == WS__DIAL_TUNNEL) { ws__dial_tunnel(c); return; }
    if (!ws__dial_ready(c)) return;
    if (c->dial->stage == WS__DIAL_LOOKUP) {
        ws__lookup_end(c, 1);
        ws__dial_found(c);
        return;
    }
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (char *)&error, &n)) error = ws__sock_error();
    if (!error) { ws__dial_connected(c); return; }
    c->dial->error = error;
    ws__sock_drop(c);
    ws__dial_next(c);
}

static int ws__dial_wants(const ws_conn *c)
{
    const ws__dial *d = c->dial;

    if (d->stage == WS__DIAL_LOOKUP) return d->lookup ? WS_WANT_READ : 0;
    if (d->stage == WS__DIAL_CONNECT) return WS_WANT_WRITE;
    if (d->tunnel->pos < d->tunnel->end)
        return WS__HAS(c, WS__WRITE_WANTS_READ) ? WS_WANT_READ : WS_WANT_WRITE;
    return WS__HAS(c, WS__READ_WANTS_WRITE) ? WS_WANT_WRITE : WS_WANT_READ;
}

/* The time for connecting is over: says with what it went. */
static void ws__dial_late(ws_conn *c)
{
    ws__dial *d = c->dial;
    char text[128];
    ws__text t = ws__text_in(text, sizeof text);

    if (d->stage == WS__DIAL_TUNNEL) {
        ws__puts(&t, "waiting for the proxy");
    } else if (d->stage == WS__DIAL_LOOKUP) {
        ws__puts(&t, "looking up ");
        ws__puts(&t, d->host);
    } else {
        const ws__address *a = &d->found.at[d->next - 1];
        ws__puts(&t, "connecting to ");
        ws__put_address(&t, &a->any, ws__address_size(a));
    }
    ws__dial_failed(c, WS_ERR_HANDSHAKE_TIMEOUT, text);
}

/* ---- once more: redirects, new tries ---- */

/* Takes "." and ".." out of the path p[0..n), which begins with '/' (RFC 3986 5.2.4). Returns
   what is left of n. */
static size_t ws__path_tidy(char *p, size_t n)
{
    size_t in = 0, out = 0, end;

    for (; in < n; in = end) {
        ws_str part;
        for (end = in + 1; end < n && p[end] != '/'; end++) {}
        part = ws__str(p + in, end - in);
        if (ws_str_is(part, "/..")) {
            while (out && p[--out] != '/') {}
        } else if (!ws_str_is(part, "/.")) {
            memmove(p + out, part.data, part.size);
            out += part.size;
            continue;
        }
        if (end == n) p[out++] = '/';
    }
    return out;
}

/* Writes the URL that a Location means when it comes from another (RFC 3986 5.2). */
static void ws__put_location(ws__text *t, const ws_url *from, ws_str to)
{
    ws_str path = from->target;
    size_t colon = ws__find(to, 0, ':'), slash = ws__find(to, 0, '/'), ask = ws__find(to, 0, '?');
    char *at;

    if (colon < slash && colon < ask) { ws__put(t, to.data, to.size); return; }
    ws__puts(t, from->is_unix ? "ws+unix:" : from->secure ? "wss:" : "ws:");
    if (slash == 0 && to.size > 1 && to.data[1] == '/') { ws__put(t, to.data, to.size); return; }
    if (from->is_unix) ws__put(t, from->host.data, from->host.size);
    else ws__puts(t, "//"), ws__put_host(t, from);
    if (from->is_unix) ws__puts(t, ":");
    at = t->at;
    path.size = ws__find(path, 0, '?');
    if (ask) while (path.size && path.data[path.size - 1] != '/') path.size--;
    if (slash) ws__puts(t, path.size ? "" : "/");
    if (slash) ws__put(t, path.data, path.size);
    path = ws__str(at, (size_t)(t->at - at) + ask);
    ws__put(t, to.data, to.size);
    if (!t->cut) {
        size_t tail = to.size - ask, left = ws__path_tidy(at, path.size);
        memmove(at + left, at + path.size, tail + 1);
        t->at = at + left + tail;
    }
}

static int ws__same_server(const ws_url *a, const ws_url *b)
{
    return a->secure == b->secure && a->is_unix == b->is_unix && a->port == b->port &&
           ws__same_text(a->host, b->host);
}

/* Makes the URL that a Location leads to in t; user and password go along to the same server.
   Returns NULL, or what is wrong. */
static const char *ws__location(ws__text *t, const ws_url *from, ws_str to, uint8_t *crossed)
{
    char *text = t->at;
    ws_url url;

    to.size = ws__find(to, 0, '#');
    if (!to.size) return "no Location";
    ws__put_location(t, from, to);
    if (t->cut || ws_url_parse(text, (size_t)(t->at - text), &url)) return "bad Location";
    if (url.is_unix && !ws__same_server(from, &url)) return "bad Location";
    if (from->secure && !url.secure) return "from wss to ws";
    if (!ws__same_server(from, &url)) { *crossed = 1; return NULL; }
    if (from->user.data && !url.user.data && !url.is_unix) {
        char *at = text + (url.host.data - text) - url.ipv6;
        const char *end = from->password.data ? from->password.data + from->password.size
                                              : from->user.data + from->user.size;
        size_t n = (size_t)(end - from->user.data) + 1, tail = (size_t)(t->at - at) + 1;
        if ((size_t)(t->end - t->at) <= n) return "bad Location";
        memmove(at + n, at, tail);
        memcpy(at, from->user.data, n);         /* with the '@' behind it */
        t->at += n;
    }
    return NULL;
}

/* Everything of the last connection is forgotten, but for the flags to keep. */
static void ws__renew(ws_conn *c, uint32_t keep)
{
    ws__dial_free(c);
    ws__hang_up(c);
    ws__rx_free(c);
    if (WS__HAS(c, WS__IS_FIXED)) {
        size_t cap = c->rx->cap;
        memset(c->rx, 0, sizeof *c->rx);
        c->rx->cap = cap;
        *c->note = 0;
    } else {
        ws__free(c->cfg, c->note, WS__NOTE_SIZE);
        c->note = NULL;
    }
    c->flags &= keep;
    c->phase = WS__PHASE_HEAD;
    c->error = c->protocol = 0;
    c->code = c->rtt = 0;
    c->close_left = c->fresh = 0;
    c->cfg->answered = c->cfg->close_ahead = 0;
    c->refused = 0;
    c->taken = 0;
    c->cfg->status = 0;
    ws__ext_free(c);
    c->last_rx = c->last_message = c->now;
}

/* Puts what waits for OPEN in old behind the new request. */
static int ws__requeue(ws_conn *c, ws__tx *old)
{
    size_t n = old->len - old->border, shift;
    uint8_t *at = ws__tx_room(c, n);
    uint32_t i;

    if (!at) return WS_ERR_MEMORY;
    memcpy(at, WS__DATA(old) + old->border, n);
    shift = c->tx->len - old->border;
    for (i = old->mark_at; i < old->mark_end; i++) old->marks[i].at += shift;
    c->tx->marks = old->marks;
    c->tx->mark_at = old->mark_at;
    c->tx->mark_end = old->mark_end;
    c->tx->mark_cap = old->mark_cap;
    c->tx->holes = old->holes;
    c->tx->shared = old->shared;
    c->tx->len += n;
    if (old->drain) c->tx->drain = ws__queued(c->tx);
    old->marks = NULL;
    old->mark_at = old->mark_end = old->mark_cap = 0;
    return 0;
}

/* Queues the request for the present URL, behind it what waits in old, which may be NULL, and
   sets out. */
static void ws__set_out(ws_conn *c, ws__tx *old)
{
    ws__tx *made;
    ws_url url;
    int fault;

    c->deadline = c->cfg->limit;
    ws_url_parse(ws_url_of(c), strlen(ws_url_of(c)), &url);
    fault = ws__request_put(c, &url);
    if (old) {
        if (!fault) fault = ws__requeue(c, old);
        made = c->tx;
        c->tx = old;
        ws__tx_free(c);
        c->tx = made;
    }
    if (fault) ws__fail(c, fault);
    else ws__dial_start(c);
}

/* Goes where the answer's Location says. Returns 0, or an error with *why. */
static int ws__follow(ws_conn *c, const char **why)
{
    ws__cfg *k = c->cfg;
    const char *text = ws_url_of(c);
    ws_str to = ws_header_value(c, "Location");
    size_t room = 2 * strlen(text) + to.size + 16;
    ws__tx *old = c->tx;
    ws__text t;
    ws_url from;
    char *buf, *fit;

    if (k->hops >= k->set.max_redirects) { *why = "too many"; return WS_ERR_REDIRECT; }
    buf = (char *)ws__alloc(k, room);
    if (!buf) return WS_ERR_MEMORY;
    t = ws__text_in(buf, room);
    ws_url_parse(text, strlen(text), &from);
    *why = ws__location(&t, &from, to, &k->crossed);
    fit = *why ? NULL : ws__string_new(c, ws__cstr(buf));
    ws__free(k, buf, room);
    if (*why) return WS_ERR_REDIRECT;
    if (!fit) return WS_ERR_MEMORY;
    ws__string_free(c, k->moved);
    k->moved = fit;
    k->hops++;
    c->tx = NULL;
    ws__renew(c, ~(uint32_t)(WS__HEAD_HELD | WS__MORE | WS__READ_WANTS_WRITE | WS__INPUT_END |
                             WS__WRITE_WANTS_READ | WS__BROKEN | WS__CLOSE_TOLD));
    ws__set_out(c, old);
    return 0;
}

/* The next try after DOWN, from the first URL on. */
static void ws__retry(ws_conn *c)
{
    ws__cfg *k = c->cfg;

    ws__string_free(c, k->moved);
    k->moved = NULL;
    k->hops = k->crossed = k->as_get = 0;
    k->limit = ws__after(c, k->set.handshake_timeout);
    ws__tx_free(c);
    if (c->more) {
        c->more->read = NULL;
        c->more->read_asked = 0;
    }
    c->sending = 0;
    ws__renew(c, WS__IS_CLIENT | WS__IS_FIXED | WS__IS_BLOCKING | WS__TICKED | WS__CLOCKED |
                 WS__QUEUED | WS__PAUSED);
    ws__set_out(c, NULL);
}

/* Refused by a server that may take it later. */
static int ws__refused_for_now(const ws__cfg *k)
{
    return k->status == 429 || k->status == 502 || k->status == 503 || k->status == 504;
}

/* The ms that such a server asks us to wait, 0 if none. */
static uint32_t ws__retry_after(const ws_conn *c)
{
    const ws__cfg *k = c->cfg;
    ws_str v = ws_header_value(c, "Retry-After");
    uint64_t ms = 0;
    size_t i;

    if (!k->set.retry_after || !ws__refused_for_now(k)) return 0;
    for (i = 0; i < v.size; i++) {
        if (!ws__is_digit(v.data[i])) return 0;
        ms = ms * 10 + (uint64_t)(v.data[i] - '0') * 1000u;
        if (ms > k->set.retry_max) return k->set.retry_max;
    }
    return (uint32_t)ms;
}

/* Milliseconds until the next try: from half to all of a delay that doubles, and is the first
   one again after a connection that lasted longer. */
static uint32_t ws__back_off(ws_conn *c)
{
    ws__cfg *k = c->cfg;
    uint32_t least = k->delay_set ? k->set.reconnect : 0;
    uint32_t most = ws__smaller(ws__larger(k->set.reconnect_max, least), 1u << 29);
    uint32_t shortest, longest, r = 0;

    if (!k->delay || (WS__HAS(c, WS__OPENED) && c->now - k->opened >= k->delay))
        k->delay = ws__smaller(k->set.reconnect, most);
    else
        k->delay = k->delay < most / 2 ? 2 * k->delay : most;
    shortest = ws__larger(k->delay - k->delay / 2, least);
    longest = ws__smaller(least + least / 4, k->set.retry_max);
    shortest = ws__larger(shortest, ws__retry_after(c));
    longest = ws__larger(longest, ws__larger(k->delay, shortest));
    if (ws__random(k, &r, sizeof r)) r = 0;
    return shortest + r % (longest - shortest + 1);
}

/* Is the CLOSE in ev the last word? 1: yes, or it has become DOWN; 0: no, a redirect leads on. */
static int ws__again(ws_conn *c, ws_event *ev)
{
    ws__cfg *k = c->cfg;
    int error = -(int)c->error, refused = error == WS_ERR_STATUS || error == WS_ERR_REDIRECT;
    const char *why = NULL;

    if (error == WS_ERR_STATUS && ws__redirects(c, k->status)) {
        int fault = ws__follow(c, &why);
        if (!fault) return 0;
        c->error = 0;
        ws__fail_with(c, fault, why);
        ev->error = error = fault;
        ev->code = c->code;
        ev->reason = ws_error_text(c);
    }
    if (refused && k->set.refusal_final &&
        !(k->set.retry_after && ws__refused_for_now(k)))
        return 1;
    if (!k->set.reconnect || !ws__can_dial(c) ||
        error == WS_ERR_URL || error == WS_ERR_NO_TLS || error == WS_ERR_ARGUMENT ||
        error == WS_ERR_MEMORY)
        return 1;
    ws__drop_output(c);
    ws__ext_free(c);
    ws__dial_free(c);
    ws__hang_up(c);
    ev->type = WS_EV_DOWN;
    ev->retry_in = (int)ws__back_off(c);
    c->deadline = c->now + (uint32_t)ev->retry_in;
    c->flags = (c->flags & ~(uint32_t)WS__CLOSE_TOLD) | WS__DOWN;
    return 1;
}

/* The deadline of a client has passed: the next try is due, or a silent address gives way to the
   next. 0: it is neither down nor connecting. */
static int ws__dial_due(ws_conn *c)
{
    if (WS__HAS(c, WS__DOWN)) {
        ws__retry(c);
        return 1;
    }
    if (!c->dial || c->phase != WS__PHASE_HEAD) return 0;
    if (c->cfg->set.handshake_timeout == WS_NEVER) c->cfg->limit = ws__after(c, WS_NEVER);
    if ((int32_t)(c->now - c->cfg->limit) >= 0) {
        ws__dial_late(c);
    } else if (c->dial->stage != WS__DIAL_CONNECT) {
        c->deadline = c->cfg->limit;
    } else if ((int32_t)(c->now - c->dial->until) < 0 ||
               c->dial->next == c->dial->found.count) {
        ws__dial_patience(c);
    } else {
        ws__sock_drop(c);
        ws__dial_next(c);
    }
    return 1;
}

#else

static void ws__dial_free(ws_conn *c) { (void)c; }
static void ws__dial_step(ws_conn *c) { (void)c; }
static int ws__dial_wants(const ws_conn *c) { (void)c; return 0; }

#endif /* WS_NO_CLIENT */

static int ws__connected(const ws_conn *c)
{
    return !c->dial && (c->fd != WS__NO_SOCK || c->cfg->set.io.read);
}

/* The peer will get nothing more. What it had sent before may lie in the socket unread: the
   connection ends when that is used up. */
static void ws__write_failed(ws_conn *c)
{
    if (c->phase == WS__PHASE_ENDING) {     /* it is closing: nothing that came matters */
        ws__fail(c, WS_ERR_IO);
        return;
    }
    ws__drop_output(c);
    c->flags |= WS__BROKEN;
    if (c->cfg->set.io.read) c->flags |= WS__INPUT_END;     /* a blocking one would wait */
}

static ws__piece *ws__loop_pieces(ws_loop *l, int *most);

/* Writes what waits until the transport takes no more, or others should have their turn. */
static void ws__flush(ws_conn *c)
{
    ws__piece few[16], *v = few;
    size_t n;
    const void *p;
    int turns = 64, most = 16;

    if (c->loop) v = ws__loop_pieces(c->loop, &most);
    while (turns-- && ws__connected(c) && !WS__HAS(c, WS__CORKED) &&
           (p = ws_output(c, &n), n)) {
        ptrdiff_t r = c->tx->mark_end ? ws__writev(c, v, ws__tx_pieces(c, v, most))
                                      : ws__write(c, p, n);
        if (r > 0) { ws__tx_done(c, (size_t)r); continue; }
        if (r == WS_IO_ERROR) ws__write_failed(c);
        else if (ws__io(c)) ws__tx_tried(c);
        return;
    }
    if (turns < 0 && ws__io(c)) ws__tx_tried(c);    /* the last of many pieces met a WANT */
}

static void ws__input_end(ws_conn *c, ptrdiff_t r)
{
    if (r == 0) c->flags = (c->flags & ~(uint32_t)WS__BROKEN) | WS__INPUT_END;
    if (r == WS_IO_ERROR) c->flags |= WS__INPUT_END | WS__BROKEN;
    if (r == 0 || r == WS_IO_ERROR) c->fresh = 1;
}

/* 1 if the next bytes are payload of a message that is put together. */
static int ws__reads_payload(const ws_conn *c)
{
    const ws__rx *rx = c->rx;

    return rx && rx->in_frame && !rx->parts && !rx->coded && rx->pos == rx->len;
}

/* Room to read input into: *n bytes. The payload of a large frame goes straight to its
   place; other bytes wait behind it. NULL: nothing should be read now. */
static uint8_t *ws__read_room(ws_conn *c, size_t *n)
{
    ws__rx *rx = c->rx;
    uint8_t *at;

    if (!ws__connected(c) || c->phase > WS__PHASE_READING || c->phase == WS__PHASE_HTTP ||
        ws__held_back(c) || WS__HAS(c, WS__INPUT_END) || !ws_feed_room(c))
        return NULL;
    if (ws__reads_payload(c) && rx->left >= *n && !rx->behind && !c->cfg->parked &&
        !WS__HAS(c, WS__IS_FIXED | WS__MESSAGE_HELD | WS__HEAD_HELD)) {
        rx->pos = rx->len = rx->msg;
        if (rx->cap - rx->msg < *n && ws__rx_message_room(c, *n)) return NULL;
        rx = c->rx;
        *n = rx->cap - rx->msg;
        if (*n > rx->left) *n = (size_t)rx->left;
        return WS__DATA(rx) + rx->msg;
    }
    if (*n > ws_feed_room(c)) *n = ws_feed_room(c);
    at = ws__rx_room(c, *n);
    if (!at) ws__fail(c, WS_ERR_MEMORY);
    return at;
}

/* A look ahead: a copy of the connection, with the message as it will be. */
typedef struct ws__walk { ws_conn c; ws__rx rx; } ws__walk;

static void ws__walk_done(ws__walk *w, uint64_t n, int fin)
{
    if (!w->rx.coded) w->rx.given += n;
    if (n && (w->rx.parts || w->c.cfg->set.frames)) w->rx.frames = 1;
    if (fin) w->rx.op = w->rx.coded = w->rx.parts = 0, w->rx.frames = 0, w->rx.given = w->rx.msg = 0;
}

static void ws__walk_begin(ws__walk *w, const ws_conn *c)
{
    memset(w, 0, sizeof *w);
    w->c = *c;
    w->c.rx = &w->rx;
    if (!c->rx) return;
    w->rx = *c->rx;
    if (w->rx.op && w->rx.coded) w->rx.parts = 1;
    if (w->rx.in_frame) ws__walk_done(w, w->rx.left, w->rx.fin);
}

static int ws__walk_see(ws__walk *w, const uint8_t *p, size_t have, ws_frame *f)
{
    int fault, head;

    if (have < 2) return 0;
    fault = ws__header_check(&w->c, p, w->rx.op);
    if (fault) return fault;
    head = ws_frame_decode(p, have, f);
    if (head <= 0 || f->op >= 8) return head;
    fault = ws__limits(&w->c, f);
    if (fault) return fault;
    if (f->size > have - (size_t)head) return head;
    if (!w->rx.op) w->rx.frames = w->rx.parts = 0, w->rx.given = w->rx.msg = 0;
    if (f->rsv || ws__in_parts(&w->c, f)) w->rx.parts = 1;
    if (!w->rx.op) {
        w->rx.op = (uint8_t)f->op;
        w->rx.coded = f->rsv != 0;
    }
    w->rx.frames++;
    ws__walk_done(w, f->size, f->fin);
    return head;
}

/* The bytes that must come before anything new can happen: at least 1. */
static size_t ws__need(const ws_conn *c)
{
    const ws__rx *rx = c->rx;
    size_t have = rx ? rx->len - rx->pos : 0, head;
    const uint8_t *p;
    ws_frame f = { 0, 0, 0, 0, 0, { 0, 0, 0, 0 } };
    ws__walk w;
    int got;

    if (c->phase != WS__PHASE_FRAMES) return 1;
    if (rx && rx->in_frame && rx->left > have) {
        size_t left = (size_t)rx->left - have;
        return left < 65536 ? left : 65536;
    }
    p = rx ? WS__DATA(rx) + rx->pos : NULL;
    if (rx && rx->in_frame) {
        p += rx->left;
        have -= (size_t)rx->left;
    }
    ws__walk_begin(&w, c);
    while ((got = ws__walk_see(&w, p, have, &f)) > 0 && f.size <= have - (size_t)got) {
        p += (size_t)got + (size_t)f.size;          /* whole, and waiting for ws_recv */
        have -= (size_t)got + (size_t)f.size;
    }
    if (got < 0) return 1;
    if (have < 2) return 2 - have;
    head = 2u + ((p[1] & 127) == 126 ? 2u : (p[1] & 127) == 127 ? 8u : 0u) +
           (p[1] & 128 ? 4u : 0u);
    if (have < head) return head - have;
    got = ws_frame_decode(p, have, &f);
    if (got <= 0 || f.size + head <= have) return 1;
    return f.size + head - have < 65536 ? (size_t)f.size + head - have : 65536;
}

static int ws__wants_input(const ws_conn *c);

/* One read, of n bytes, of what nobody wants to know; its end counts. */
static int ws__receive_waste(ws_conn *c, void *waste, size_t n)
{
    ptrdiff_t r = ws__read(c, waste, n);

    if (r <= 0) ws__input_end(c, r);
    return r == (ptrdiff_t)n;
}

/* One read into c->rx. Returns 1 when more may follow at once. */
static int ws__receive(ws_conn *c)
{
    size_t n = 16384;
    int exact = WS__HAS(c, WS__IS_BLOCKING) && c->cfg->set.io.read;
    uint8_t *at, few[256];
    ptrdiff_t r;

    if (c->phase >= WS__PHASE_BODY && ws__wants_input(c)) {
        at = WS__HAS(c, WS__IS_FIXED) ? NULL : ws__rx_room(c, n);
        return at ? ws__receive_waste(c, at, n) : ws__receive_waste(c, few, sizeof few);
    }
    if (exact && !ws__is_http(c)) n = ws__need(c);
    at = ws__read_room(c, &n);
    if (!at) return 0;
    r = ws__read(c, at, n);
    if (r > 0 && (size_t)r <= n) {
        c->rx->len += (size_t)r;
        ws__heard(c);
        return !exact && (size_t)r == n;
    }
    ws__input_end(c, r > 0 ? (ptrdiff_t)WS_IO_ERROR : r);
    return 0;
}

static void ws__start_clock(ws_conn *c)
{
    c->now = (uint32_t)ws__clock();
    c->last_rx = c->last_message = c->now;
    c->deadline = ws__after(c, c->cfg->set.handshake_timeout);
    if (WS__HAS(c, WS__IS_CLIENT)) c->cfg->limit = c->deadline;
    c->flags |= WS__TICKED | WS__CLOCKED;
}

#ifndef WS_NO_CLIENT
/* Makes a client and starts connecting. */
static ws_conn *ws__open(const char *url, const ws_config *cfg, uint32_t flags)
{
    ws_conn *c = ws__client_new(url, cfg, cfg, 1);

    if (!c) return NULL;
    if (cfg && cfg->io.read) ws__not_dialling(c, cfg);
    c->flags |= flags;
    ws__start_clock(c);
    if (!c->error && !c->cfg->set.io.read) ws__dial_start(c);
    return c;
}

WS_API ws_conn *ws_open(const char *url, const ws_config *cfg)
{
    return ws__open(url, cfg, 0);
}
#endif

WS_API ws_socket ws_fd(const ws_conn *c)
{
    return (ws_socket)(c ? c->fd : WS__NO_SOCK);
}

/* 1 if ws_output has something that may be written now. */
static int ws__has_output(const ws_conn *c)
{
    if (WS__HAS(c, WS__CORKED)) return 0;
    if (ws__source_ready(c)) return 1;
    if (!c->tx) return 0;
    if (c->phase == WS__PHASE_HEAD) return c->tx->border > c->tx->pos;
    return ws__pending(c) > 0;
}

static int ws__wants_input(const ws_conn *c)
{
    if (c->phase == WS__PHASE_BODY) return !WS__HAS(c, WS__INPUT_END);
    if (c->phase == WS__PHASE_ENDING) return ws__awaits_end(c);
    return c->phase <= WS__PHASE_READING && c->phase != WS__PHASE_HTTP && !ws__held_back(c) &&
           !WS__HAS(c, WS__INPUT_END) && ws_feed_room(c);
}

WS_API int ws_wants(const ws_conn *c)
{
    int wants = 0;

    if (!c || c->phase == WS__PHASE_ENDED) return 0;
    if (c->dial) return ws__dial_wants(c);
    if (ws__wants_input(c))
        wants = WS__HAS(c, WS__READ_WANTS_WRITE) ? WS_WANT_WRITE : WS_WANT_READ;
    if (ws__has_output(c))
        wants |= WS__HAS(c, WS__WRITE_WANTS_READ) ? WS_WANT_READ : WS_WANT_WRITE;
    return wants;
}

WS_API void ws_step(ws_conn *c)
{
    int i;

    if (!c || c->loop) return;
    ws__unshow(c);
    ws__tell_time(c, ws__clock());
    if (c->dial) ws__dial_step(c);
    ws__flush(c);
    for (i = 0; i < 16 && ws__receive(c); i++) {}
    if (i == 16) c->flags |= WS__MORE;
    /* what writing waited for may have been read just now */
    if (ws__judge_dry(c) || WS__HAS(c, WS__WRITE_WANTS_READ)) ws__flush(c);
}

#endif /* WS_NO_SOCKETS */

/* ---- with or without sockets ---- */

WS_API int ws_timeout(const ws_conn *c)
{
    uint32_t now;
    int32_t due;

    if (!c || WS__HAS(c, WS__CLOSE_TOLD)) return -1;
    now = c->now;
#ifndef WS_NO_SOCKETS
    if (WS__HAS(c, WS__CLOCKED)) now = (uint32_t)ws__clock();
    if (WS__HAS(c, WS__MORE | WS__BROKEN) && (ws_wants(c) & WS_WANT_READ)) return 0;
#endif
    if (ws_finished(c) || ws__writable_due(c)) return 0;
    due = (int32_t)(ws__due(c) - now);
    if (due > 1 << 29) return -1;
    return due < 0 ? 0 : due;
}

/* The application's transport is told once that the connection is done with it. */
static void ws__io_close(ws_conn *c)
{
    ws_io *io = &c->cfg->set.io;
    void (*close_it)(void *user) = io->close;

    io->close = NULL;
    if (close_it) close_it(io->user);
}

static void ws__free_now(ws_conn *c)
{
    ws__cfg *k = c->cfg;

#ifndef WS_NO_SOCKETS
    ws__last_words(c);
    ws__dial_free(c);
    if (!k->set.io.read) ws__hang_up(c);
#endif
    ws__io_close(c);
    ws__ext_free(c);
    if (WS__HAS(c, WS__IS_FIXED)) return;
    ws__rx_free(c);
    ws__tx_free(c);
    ws__more_free(c);
    ws__free(k, c->note, WS__NOTE_SIZE);
    ws__string_free(c, c->target);
    ws__free(k, c, sizeof *c);
    ws__cfg_release(k);
}

#ifndef WS_NO_SOCKETS

/* ---- blocking ---- */

/* Waits until the transport has one of wants, or ms milliseconds passed. 1 if a signal
   interrupted it. */
static int ws__wait_for(ws_conn *c, int wants, int ms)
{
    const ws_io *io = &c->cfg->set.io;
    int sleeps, r;
    struct pollfd p;

    if (io->read && io->wait) {
        (io->wait)(io->user, wants, ms);
        return 0;
    }
    if (io->read && (ms < 0 || ms > 1)) ms = 1;
    memset(&p, 0, sizeof p);
    p.fd = c->fd;
    if (wants & WS_WANT_READ) p.events |= POLLIN;
    if (wants & WS_WANT_WRITE) p.events |= POLLOUT;
    sleeps = io->read || c->fd == WS__NO_SOCK || !p.events;     /* a hang-up would show for ever */
#ifdef _WIN32
    if (sleeps) Sleep((DWORD)ms);
    r = sleeps ? 0 : WSAPoll(&p, 1, ms);
#else
    r = poll(&p, sleeps ? 0 : 1, ms);
#endif
    return r < 0 && ws__would_block();
}

/* Answers the pings among the bytes that wait for ws_recv, which still tells of them. */
static void ws__answer_ahead(ws_conn *c)
{
    ws__rx *rx = c->rx;
    uint32_t seen = 0;
    size_t at, left;
    ws__walk w;

    if (!rx || c->phase != WS__PHASE_FRAMES) return;
    ws__walk_begin(&w, c);
    at = rx->pos;
    left = rx->in_frame ? (size_t)rx->left : 0;
    while (left <= rx->len - at) {
        const uint8_t *p = WS__DATA(rx) + (at += left);
        ws_frame f;
        int head = ws__walk_see(&w, p, rx->len - at, &f);
        if (head <= 0 || f.size > rx->len - at - (size_t)head) return;
        left = (size_t)head + (size_t)f.size;
        if (f.op == WS_OP_CLOSE) {
            c->cfg->close_ahead = 1;
            return;
        }
        if (f.op != WS_OP_PING || f.size > 125 || c->cfg->set.manual_pong) continue;
        if (++seen <= c->cfg->answered) continue;
        c->cfg->answered = (uint16_t)seen;
        if (ws__pong_put(c, p + head, (size_t)f.size)) return;
    }
}

/* A blocking client that sends takes what is there, up to what ws_feed_room bounds, and leaves
   what an event shows where it is. */
static void ws__read_ahead(ws_conn *c)
{
    ws__rx *shown = c->rx && c->rx->behind ? c->rx : NULL;

    c->cfg->looked = (uint16_t)c->now;
    c->judge_owed = 1;
    if (shown) WS__DATA(shown)[shown->behind] = shown->kept;
    ws__receive(c);
    ws__answer_ahead(c);
    if (!shown) return;
    shown->kept = WS__DATA(shown)[shown->behind];   /* what follows may have come just now */
    WS__DATA(shown)[shown->behind] = 0;
}

#define WS__LOOK_EVERY 10       /* ms */

/* After a blocking client has sent: one that only sends looks for pings from time to time. */
static void ws__look(ws_conn *c)
{
    const ws_io *io = &c->cfg->set.io;

    if (c->phase != WS__PHASE_FRAMES || !ws__wants_input(c)) return;
    if (io->read && !io->wait) return;
    c->now = (uint32_t)ws__clock();
    if ((uint16_t)(c->now - c->cfg->looked) < WS__LOOK_EVERY) return;
    ws__read_ahead(c);
    ws__flush(c);
}

/* A blocking client waits until wire more bytes may be queued and it is no longer busy (NULL: it
   is not), reading meanwhile, where cfg.io does not forbid it. Returns 0, or why it cannot be. */
static int ws__await(ws_conn *c, uint64_t wire, int (*busy)(const ws_conn *c))
{
    const uint32_t corked = c->flags & (uint32_t)WS__CORKED, patience = c->cfg->set.send_timeout;
    const int reads = !c->cfg->set.io.read || c->cfg->set.io.wait;
    uint32_t due, spoke;

    c->flags &= ~corked;
    c->now = (uint32_t)ws__clock();
    due = ws__after(c, patience);
    ws__flush(c);
    ws__taking_begin(c);
    while ((ws__too_much(c, wire) || (busy && (busy)(c))) && !ws_error(c) &&
           !c->cfg->close_ahead) {
        int wants = reads && ws__wants_input(c) ? WS_WANT_READ | WS_WANT_WRITE : WS_WANT_WRITE;
        if ((int32_t)(c->now - due) >= 0 && !ws__takes(c, patience)) {
            ws__fail(c, WS_ERR_SEND_TIMEOUT);
            break;
        }
        if ((int32_t)(c->now - due) >= 0) due = ws__after(c, patience);
        spoke = c->last_message;
        ws__wait_for(c, wants, (int)(due - c->now));
        c->now = (uint32_t)ws__clock();
        if (wants & WS_WANT_READ) ws__read_ahead(c);
        if (WS__HAS(c, WS__INPUT_END)) ws__write_failed(c);     /* the peer has gone */
        ws__flush(c);
        if (busy && c->last_message != spoke) due = ws__after(c, patience);    /* the source went on */
    }
    if (c->phase == WS__PHASE_FRAMES || c->phase == WS__PHASE_BODY) c->flags |= corked;
    return c->cfg->close_ahead ? (int)WS_ERR_STATE : ws_error(c);
}

/* Waits until there is something to do, or ms milliseconds passed. */
static int ws__wait(ws_conn *c, int ms)
{
    int due = ws_timeout(c);

    if (due >= 0 && (ms < 0 || due < ms)) ms = due;
    return ms ? ws__wait_for(c, ws_wants(c), ms) : 0;
}

WS_API int ws_recv(ws_conn *c, ws_event *ev, int timeout)
{
    uint64_t start;
    int left = timeout;

    if (!c || !ev || c->loop) return WS_ERR_ARGUMENT;
    if (WS__HAS(c, WS__CLOSE_TOLD)) return -1;
    start = ws__clock();
    for (;;) {
        int got = ws_next(c, ev);
        if (!got && !timeout && c->cfg->stepped) break;
        if (!got) {
            c->cfg->stepped = !timeout;
            ws_step(c);
            got = ws_next(c, ev);
        }
        if (got || ws__has_output(c)) ws__flush(c);
        if (got) return 1;
        if (timeout >= 0) {
            uint64_t passed = ws__clock() - start;
            if (passed >= (uint64_t)timeout) break;
            left = timeout - (int)passed;
        }
        if (ws__wait(c, left)) return ws__fill(ev, NULL, WS_EV_WAKE, NULL, 0);
    }
    c->cfg->stepped = 0;
    return 0;
}

#ifndef WS_NO_CLIENT
/* Waits for the end of the handshake, which the first ws_recv tells. */
WS__APART void ws__await_open(ws_conn *c)
{
    uint32_t reconnect = c->cfg->set.reconnect;
    ws_event ev;
    int got;

    c->cfg->wake = ws__flush;
    c->cfg->set.reconnect = 0;      /* a failure is for the first ws_recv to tell */
    do got = ws_recv(c, &ev, -1);
    while (got > 0 && ev.type == WS_EV_WAKE);       /* handshake_timeout bounds it */
    c->cfg->set.reconnect = reconnect;
    if (got <= 0) return;
    if (ev.type == WS_EV_OPEN) c->flags |= WS__OPEN_OWED;   /* the caller gets it again */
    else c->flags &= ~(uint32_t)WS__CLOSE_TOLD;
}

WS_API ws_conn *ws_connect(const char *url, const ws_config *cfg)
{
    ws_conn *c = ws__open(url, cfg, WS__IS_BLOCKING);

    if (c) ws__await_open(c);
    return c;
}
#endif

/* ==== >>poller (private) =============================================================== */

/* What ws__poller_wait found: key as given to ws__poller_set. What the system tells it is first
   written to l->buf, which is free between turns. */
typedef struct ws__ready {
    uintptr_t key;      /* a ws_conn *, WS__KEY_LISTENER(i) or WS__KEY_POST */
    int wants;          /* WS_WANT_ bits that hold, or WS__HANGUP */
} ws__ready;

#define WS__KEY_POST ((uintptr_t)0)
#define WS__KEY_LISTENER(i) ((uintptr_t)(i) * 2 + 1)
#define WS__HANGUP 4
#define WS__INTERRUPTED 1       /* ws__poller_wait: by a signal */
#define WS__POSTS 64
#define WS__LINGER_MAX 256      /* past so many, peers over a limit are closed at once */
#define WS__READY_MAX 256
#define WS__CORK_SIZE ((size_t)512 << 10)
#define WS__READ_SIZE ((size_t)512 << 10)
#define WS__WASTE_SIZE 65536    /* read at once of what nobody wants to know */
#define WS__READ_EARLY ((size_t)16384)  /* what a stranger may make us hold, before OPEN */
#define WS__READ_FRONT 256      /* in front of the read buffer, for the start of a frame */
#define WS__BUF_SIZE (WS__READ_FRONT + WS__READ_SIZE + 1)

typedef struct ws__listener {
    ws__sock fd;                /* WS__NO_SOCK: the place is free */
    ws__cfg *cfg;
    uint16_t port;
    uint8_t wants;
    char *path;                 /* of a unix socket that we made a file for, NULL: none */
    uint64_t device, inode;     /* of that file */
    int twin;                   /* where IPv6 does not take IPv4: the listener that does, or -1 */
} ws__listener;

/* Set by any thread or signal handler. ws__flag_set returns what it was. */
#if defined(_WIN32)
typedef volatile LONG ws__flag;
static int ws__flag_set(ws__flag *f, int v) { return (int)InterlockedExchange(f, v); }
#elif defined(__GNUC__) && !defined(__TINYC__)
typedef volatile int ws__flag;
static int ws__flag_set(ws__flag *f, int v) { return __atomic_exchange_n(f, v, __ATOMIC_SEQ_CST); }
#else
typedef volatile int ws__flag;
static int ws__flag_set(ws__flag *f, int v)
{
    int was = *f;
    *f = v;
    return was;
}
#endif

struct ws_loop {
    ws__cfg *cfg;               /* allocator and cache */
    ws__cache cache;
    uint64_t now;               /* ms, as of the last wait */
    uint64_t accept_at;         /* when to accept again after descriptors ran out, 0 */
    int poller;
    ws__sock post_in, post_out; /* ws_post writes pointers here, the loop reads them there */
#ifdef _WIN32
    volatile LONG post_count;
    uint8_t post_key[8];        /* what others on this machine cannot know */
#endif
    ws__flag woken;             /* WS_EV_WAKE is owed; set by any thread */
    int post_at, post_end;      /* posts[post_at..post_end) were read and are not told yet */
    void *posts[WS__POSTS];
    ws_conn **heap;             /* every connection, [1] due first */
    uint32_t heap_count, heap_size;
    ws_conn *queue, **queue_end;    /* to be visited before sleeping */
    ws_conn *current;           /* its events are being pulled */
    ws__span span;              /* its input that is still in the read buffer */
    uint32_t turn;              /* events of it in this turn */
    int rested;                 /* 1: a turn was cut short: look for others before going on, but
                                   not twice (2) without a turn of the queue in between */
    uint32_t asked;             /* ws_poll_until calls */
    uint8_t looked;             /* the poller was asked since ws_poll(..., 0) gave 0 last */
    uint32_t seed;              /* of the hash of group names */
    uint8_t *buf;
    uint8_t kept;               /* stood at cork.hi, where a NUL is behind what an event shows */
    ws__gather cork;
    ws__listener *listeners;
    uint32_t listener_count;
    uint32_t gone;              /* of the heap: freed, or CLOSE was told, the socket lingers */
    struct ws__group **groups;  /* hash table */
    uint32_t group_count, group_slots;
    uint64_t stop_at;           /* after ws_shutdown: when it ends what is left */
    uint8_t stopping;           /* 1 after ws_shutdown, 2 past its deadline */
    uint8_t foreign;            /* we are a forked child: the connections are the parent's */
    long process;               /* that made it */
    int ready_count, ready_at;
#ifdef WS__POLLER_POLL
    struct pollfd *polls;       /* poll_size of them, in one block with */
    ws__ready *ready;           /* as many */
    uint32_t poll_size;
#else
    ws__ready ready[WS__READY_MAX];
#endif
    char error[200];
};

#if defined(WS__POLLER_EPOLL)

static int ws__poller_open(ws_loop *l)
{
    l->poller = epoll_create1(EPOLL_CLOEXEC);
    return l->poller < 0 ? WS_ERR_POLLER : 0;
}

static void ws__poller_close(ws_loop *l)
{
    if (l->poller >= 0) close(l->poller);
    l->poller = -1;
}

/* Watches fd for wants; had is what it was watched for, or WS__UNWATCHED. */
static int ws__poller_set(ws_loop *l, ws__sock fd, uintptr_t key, int had, int wants)
{
    struct epoll_event e;

    memset(&e, 0, sizeof e);
    e.events = (wants & WS_WANT_READ ? (uint32_t)EPOLLIN : 0u) |
               (wants & WS_WANT_WRITE ? (uint32_t)EPOLLOUT : 0u);
    e.data.u64 = key;
    return epoll_ctl(l->poller, had == WS__UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
}

static void ws__poller_drop(ws_loop *l, ws__sock fd)
{
    struct epoll_event e;
    epoll_ctl(l->poller, EPOLL_CTL_DEL, fd, &e);
}

static int ws__poller_wait(ws_loop *l, int ms)
{
    struct epoll_event *e = (struct epoll_event *)(void *)l->buf;
    int i, n = epoll_wait(l->poller, e, WS__READY_MAX, ms);

    if (n < 0) return errno == EINTR ? WS__INTERRUPTED : WS_ERR_POLLER;
    for (i = 0; i < n; i++) {
        l->ready[i].key = (uintptr_t)e[i].data.u64;
        l->ready[i].wants = (e[i].events & EPOLLIN ? WS_WANT_READ : 0) |
                            (e[i].events & EPOLLOUT ? WS_WANT_WRITE : 0) |
                            (e[i].events & (EPOLLERR | EPOLLHUP) ? WS__HANGUP : 0);
    }
    l->ready_count = n;
    return 0;
}

#elif defined(WS__POLLER_KQUEUE)

static int ws__poller_open(ws_loop *l)
{
    l->poller = kqueue();
    return l->poller < 0 ? WS_ERR_POLLER : 0;
}

static void ws__poller_close(ws_loop *l)
{
    if (l->poller >= 0) close(l->poller);
    l->poller = -1;
}

/* had, wants: WS_WANT_ bits, or WS__HANGUP: only that the peer is gone, which ends writing, is to
   be told, and once; the room it has to write never reaches NOTE_LOWAT. */
static int ws__kqueue_set(ws_loop *l, ws__sock fd, uintptr_t key, int had, int wants)
{
    static const struct { int want; short filter; unsigned short flags; unsigned note; } side[3] = {
        { WS_WANT_READ, EVFILT_READ, 0, 0 }, { WS_WANT_WRITE, EVFILT_WRITE, 0, 0 },
        { WS__HANGUP, EVFILT_WRITE, EV_CLEAR, NOTE_LOWAT }
    };
    struct kevent k[3];
    int i, n = 0;

    for (i = 0; i < 3; i++)             /* first what goes: two sides share a filter */
        if (had & ~wants & side[i].want) {
            EV_SET(&k[n], (uintptr_t)fd, side[i].filter, EV_DELETE, 0, 0, (void *)key);
            n++;
        }
    for (i = 0; i < 3; i++)
        if (wants & ~had & side[i].want) {
            EV_SET(&k[n], (uintptr_t)fd, side[i].filter, EV_ADD | side[i].flags, side[i].note,
                   side[i].note ? INT_MAX : 0, (void *)key);
            n++;
        }
    return n ? kevent(l->poller, k, n, NULL, 0, NULL) : 0;
}

static int ws__poller_set(ws_loop *l, ws__sock fd, uintptr_t key, int had, int wants)
{
    const int idle = key & 1 ? 0 : WS__HANGUP;      /* a listener hears nothing meanwhile */

    return ws__kqueue_set(l, fd, key, had == WS__UNWATCHED ? 0 : had ? had : idle,
                          wants ? wants : idle);
}

static void ws__poller_drop(ws_loop *l, ws__sock fd)
{
    ws__kqueue_set(l, fd, 0, WS_WANT_READ, 0);
    ws__kqueue_set(l, fd, 0, WS_WANT_WRITE, 0);
}

static int ws__poller_wait(ws_loop *l, int ms)
{
    struct kevent *k = (struct kevent *)(void *)l->buf;
    struct timespec t;
    int i, n;

    t.tv_sec = ms / 1000;
    t.tv_nsec = ms % 1000 * 1000000L;
    n = kevent(l->poller, NULL, 0, k, WS__READY_MAX, ms < 0 ? NULL : &t);
    if (n < 0) return errno == EINTR ? WS__INTERRUPTED : WS_ERR_POLLER;
    for (i = 0; i < n; i++) {
        l->ready[i].key = (uintptr_t)k[i].udata;
        l->ready[i].wants = k[i].filter == EVFILT_READ ? WS_WANT_READ
                          : k[i].flags & EV_EOF ? WS_WANT_WRITE | WS__HANGUP : WS_WANT_WRITE;
    }
    l->ready_count = n;
    return 0;
}

#else /* poll, WSAPoll: the list is made anew for each wait, and all that is ready has its turn */

#define WS__POLL_EACH (sizeof(ws__ready) + sizeof(struct pollfd))

static int ws__poller_open(ws_loop *l) { l->poller = -1; return 0; }

static void ws__poller_close(ws_loop *l)
{
    ws__free(l->cfg, l->ready, l->poll_size * WS__POLL_EACH);
    l->poll_size = 0;
}

static int ws__poller_grow(ws_loop *l, uint32_t n)
{
    ws__poller_close(l);
    l->ready = (ws__ready *)ws__alloc(l->cfg, n * WS__POLL_EACH);
    if (!l->ready) return WS_ERR_MEMORY;
    l->polls = (struct pollfd *)(void *)(l->ready + n);
    l->poll_size = n;
    return 0;
}

static int ws__poller_set(ws_loop *l, ws__sock fd, uintptr_t key, int had, int wants)
{
    (void)l; (void)fd; (void)key; (void)had; (void)wants;
    return 0;
}

static void ws__poller_drop(ws_loop *l, ws__sock fd) { (void)l; (void)fd; }

/* With wants 0 it still tells of a hang-up. */
static void ws__poll_add(struct pollfd *p, ws__sock fd, int wants)
{
    p->fd = wants == WS__UNWATCHED ? WS__NO_SOCK : fd;
    p->events = (short)((wants & WS_WANT_READ ? POLLIN : 0) |
                        (wants & WS_WANT_WRITE ? POLLOUT : 0));
    p->revents = 0;
}

/* polls[0] is where posts come in, then the listeners, then the connections. */
static uintptr_t ws__poll_key(const ws_loop *l, uint32_t i)
{
    if (!i) return WS__KEY_POST;
    if (i <= l->listener_count) return WS__KEY_LISTENER(i - 1);
    return (uintptr_t)l->heap[i - l->listener_count];
}

static int ws__poller_wait(ws_loop *l, int ms)
{
    uint32_t i, n = 1 + l->listener_count + l->heap_count;
    int got;

    if (n > l->poll_size && ws__poller_grow(l, 2 * n)) return WS_ERR_MEMORY;
    ws__poll_add(&l->polls[0], l->post_in, WS_WANT_READ);
    for (i = 0; i < l->listener_count; i++)
        ws__poll_add(&l->polls[1 + i], l->listeners[i].fd, l->listeners[i].wants);
    for (i = 1; i <= l->heap_count; i++)
        ws__poll_add(&l->polls[l->listener_count + i], l->heap[i]->fd, l->heap[i]->wants);
#ifdef _WIN32
    got = WSAPoll(l->polls, n, ms);
#else
    got = poll(l->polls, n, ms);
#endif
    if (got < 0) return ws__would_block() ? WS__INTERRUPTED : WS_ERR_POLLER;
    l->ready_count = 0;
    for (i = 0; i < n && got > 0; i++) {
        ws__ready *out = &l->ready[l->ready_count];
        short r = l->polls[i].revents;
        if (!r || l->polls[i].fd == WS__NO_SOCK) continue;  /* WSAPoll says no socket is bad */
        out->key = ws__poll_key(l, i);
        out->wants = (r & POLLIN ? WS_WANT_READ : 0) | (r & POLLOUT ? WS_WANT_WRITE : 0) |
                     (r & (POLLERR | POLLHUP | POLLNVAL) ? WS__HANGUP : 0);
        l->ready_count++;
    }
    return 0;
}

#endif

/* ==== >>loop =========================================================================== */

/* ---- posts from other threads ---- */

static int ws__post_open(ws_loop *l)
{
    ws__sock s[2];

    if (ws__pair_open(s)) return -1;
    l->post_in = s[0];
    l->post_out = s[1];
#ifdef _WIN32
    return ws__system_random(l->post_key, sizeof l->post_key);
#else
    return 0;
#endif
}

static void ws__post_close(ws_loop *l)
{
    if (l->post_in != WS__NO_SOCK) ws__sock_close(l->post_in);
    if (l->post_out != WS__NO_SOCK) ws__sock_close(l->post_out);
}

#ifdef _WIN32
/* Datagrams that do not fit would be lost: so they are counted. */
#define WS__POSTS_MAX 128

typedef struct ws__letter {
    void *message;
    uint8_t key[8];
} ws__letter;

WS_API int ws_post(ws_loop *l, void *message)
{
    ws__letter t;

    if (!l) return WS_ERR_ARGUMENT;
    memset(&t, 0, sizeof t);
    t.message = message;
    memcpy(t.key, l->post_key, sizeof t.key);
    if (InterlockedIncrement(&l->post_count) <= WS__POSTS_MAX &&
        send(l->post_out, (const char *)&t, sizeof t, 0) == (int)sizeof t)
        return 0;
    InterlockedDecrement(&l->post_count);
    return WS_ERR_BACKLOG;
}

static void ws__post_read(ws_loop *l)
{
    ws__letter t;
    int r;

    l->post_at = l->post_end = 0;
    while (l->post_end < WS__POSTS) {
        r = recv(l->post_in, (char *)&t, sizeof t, 0);
        if (r < 0 && WSAGetLastError() != WSAEMSGSIZE) return;
        if (r != (int)sizeof t || memcmp(t.key, l->post_key, sizeof t.key)) continue;
        InterlockedDecrement(&l->post_count);
        l->posts[l->post_end++] = t.message;
    }
}
#else
/* A pipe takes so few bytes whole or not at all (POSIX: up to PIPE_BUF). */
WS_API int ws_post(ws_loop *l, void *message)
{
    int kept = errno;       /* of whoever a signal interrupts */
    ssize_t r;

    if (!l) return WS_ERR_ARGUMENT;
    do r = write(l->post_out, &message, sizeof message); while (r < 0 && errno == EINTR);
    errno = kept;
    return r == (ssize_t)sizeof message ? 0 : WS_ERR_BACKLOG;
}

static void ws__post_read(ws_loop *l)
{
    ssize_t r = read(l->post_in, l->posts, sizeof l->posts);

    l->post_at = 0;
    l->post_end = r > 0 ? (int)((size_t)r / sizeof l->posts[0]) : 0;
}
#endif

/* What ws_wake posts, to end the wait: no application can have this address. */
static void *ws__wake_mark(ws_loop *l) { return &l->post_at; }

/* When the posts are full the wait ends as well. */
WS_API int ws_wake(ws_loop *l)
{
    if (!l) return WS_ERR_ARGUMENT;
    if (!ws__flag_set(&l->woken, 1)) ws_post(l, ws__wake_mark(l));
    return 0;
}

/* The event of a wake, or of the next post; 0 when there is none. */
static int ws__post_next(ws_loop *l, ws_event *ev)
{
    if (l->woken && ws__flag_set(&l->woken, 0)) return ws__fill(ev, NULL, WS_EV_WAKE, NULL, 0);
    while (l->post_at < l->post_end && l->posts[l->post_at] == ws__wake_mark(l)) l->post_at++;
    if (l->post_at == l->post_end) return 0;
    return ws__fill(ev, NULL, WS_EV_POST, l->posts[l->post_at++], 0);
}

static int ws__loop_error(ws_loop *l, int error, const char *what, const char *why)
{
    ws__text t;

    t = ws__text_in(l->error, sizeof l->error);
    ws__puts(&t, ws__error_text(-error));
    if (what) { ws__puts(&t, ": "); ws__puts(&t, what); }
    if (why) { ws__puts(&t, ": "); ws__puts(&t, why); }
    return error;
}

/* ---- heap of deadlines ---- */

static int ws__heap_before(const ws_loop *l, const ws_conn *a, const ws_conn *b)
{
    uint32_t now = (uint32_t)l->now;
    return (int32_t)(a->due - now) < (int32_t)(b->due - now);
}

static void ws__heap_put(ws_loop *l, uint32_t slot, ws_conn *c)
{
    l->heap[slot] = c;
    c->slot = slot;
}

/* Moves c to its place. All others are at theirs. */
static void ws__heap_sift(ws_loop *l, ws_conn *c)
{
    uint32_t at = c->slot, child;

    for (; at > 1 && ws__heap_before(l, c, l->heap[at / 2]); at /= 2)
        ws__heap_put(l, at, l->heap[at / 2]);
    for (; (child = 2 * at) <= l->heap_count; at = child) {
        if (child < l->heap_count && ws__heap_before(l, l->heap[child + 1], l->heap[child]))
            child++;
        if (!ws__heap_before(l, l->heap[child], c)) break;
        ws__heap_put(l, at, l->heap[child]);
    }
    ws__heap_put(l, at, c);
}

/* After c's deadline may have changed. One turn may change those of many, so the heap goes by
   due, which changes here alone. */
static void ws__heap_fix(ws_loop *l, ws_conn *c)
{
    if (!c->slot || c->due == c->deadline) return;
    c->due = c->deadline;
    ws__heap_sift(l, c);
}

/* Puts c last: its first turn moves it to its place. So ws_each sees the others stand still. */
static int ws__heap_add(ws_loop *l, ws_conn *c)
{
    if (l->stopping) return WS_ERR_STATE;
    if (l->heap_count + 1 >= l->heap_size) {
        uint32_t size = l->heap_size ? l->heap_size + l->heap_size / 2 : 64;
        ws_conn **bigger = (ws_conn **)ws__alloc(l->cfg, size * sizeof *bigger);
        if (!bigger) return WS_ERR_MEMORY;
        if (l->heap) memcpy(bigger, l->heap, (l->heap_count + 1) * sizeof *bigger);
        ws__free(l->cfg, l->heap, l->heap_size * sizeof *bigger);
        l->heap = bigger;
        l->heap_size = size;
    }
    c->due = (uint32_t)l->now + (1u << 30);
    ws__heap_put(l, ++l->heap_count, c);
    return 0;
}

static void ws__heap_remove(ws_loop *l, ws_conn *c)
{
    ws_conn *last;
    uint32_t slot = c->slot;

    if (!slot) return;
    last = l->heap[l->heap_count--];
    c->slot = 0;
    if (last == c) return;
    ws__heap_put(l, slot, last);
    ws__heap_sift(l, last);
}

/* Takes out one that was dropped. */
static void ws__heap_reap(ws_loop *l, ws_conn *c)
{
    if (c->slot) l->gone--;
    ws__heap_remove(l, c);
}

/* ---- one connection's turn ---- */

static void ws__enqueue(ws_conn *c)
{
    ws_loop *l = c->loop;

    if (WS__HAS(c, WS__QUEUED)) return;
    c->flags |= WS__QUEUED;
    c->link = NULL;
    *l->queue_end = c;
    l->queue_end = &c->link;
}

static void ws__loop_wake(ws_conn *c)
{
    if (c->loop && c != c->loop->current) ws__enqueue(c);
}

/* ---- groups ---- */

typedef struct ws__group {
    struct ws__group *link;     /* in the slot of the hash table */
    struct ws__member *members;
    uint32_t count, hash;
    size_t size;                /* of the name, which follows */
} ws__group;

/* One connection in one group: in the lists of both. */
typedef struct ws__member {
    ws_conn *conn;
    ws__group *group;
    struct ws__member *next, **at;          /* of the group */
    struct ws__member *other, **other_at;   /* of the connection */
} ws__member;

#define WS__GROUP_NAME 255

/* Where the pointer to the group stands, or where it belongs. */
static ws__group **ws__group_find(ws_loop *l, ws_str name, uint32_t *hash)
{
    ws__group **at;
    size_t i;

    *hash = l->seed;            /* FNV-1a from a secret start: names may come from peers */
    for (i = 0; i < name.size; i++) *hash = (*hash ^ (uint8_t)name.data[i]) * 16777619u;
    if (!l->group_slots) return NULL;
    at = &l->groups[*hash & (l->group_slots - 1)];
    while (*at && ((*at)->hash != *hash || (*at)->size != name.size ||
                   memcmp(*at + 1, name.data, name.size)))
        at = &(*at)->link;
    return at;
}

static ws__group *ws__group_of(ws_loop *l, ws_str name)
{
    uint32_t hash;
    ws__group **at = ws__group_find(l, name, &hash);

    return at ? *at : NULL;
}

/* As many slots as groups, or more. */
static int ws__group_grow(ws_loop *l)
{
    uint32_t size = l->group_slots ? 2 * l->group_slots : 16, i;
    ws__group **bigger, *g;

    if (l->group_count < l->group_slots) return 0;
    bigger = (ws__group **)ws__alloc(l->cfg, size * sizeof *bigger);
    if (!bigger) return WS_ERR_MEMORY;
    memset(bigger, 0, size * sizeof *bigger);
    for (i = 0; i < l->group_slots; i++)
        while ((g = l->groups[i]) != NULL) {
            l->groups[i] = g->link;
            g->link = bigger[g->hash & (size - 1)];
            bigger[g->hash & (size - 1)] = g;
        }
    ws__free(l->cfg, l->groups, l->group_slots * sizeof *bigger);
    l->groups = bigger;
    l->group_slots = size;
    return 0;
}

static ws__group *ws__group_make(ws_loop *l, ws_str name)
{
    ws__group **at, *g;
    uint32_t hash;

    if (ws__group_grow(l)) return NULL;
    at = ws__group_find(l, name, &hash);
    if (*at) return *at;
    g = (ws__group *)ws__alloc(l->cfg, sizeof *g + name.size);
    if (!g) return NULL;
    memset(g, 0, sizeof *g);
    g->hash = hash;
    g->size = name.size;
    memcpy(g + 1, name.data, name.size);
    *at = g;
    l->group_count++;
    return g;
}

static void ws__group_free(ws_loop *l, ws__group *g)
{
    uint32_t hash;
    ws__group **at = ws__group_find(l, ws__str((const char *)(g + 1), g->size), &hash);

    *at = g->link;
    l->group_count--;
    ws__free(l->cfg, g, sizeof *g + g->size);
}

/* The membership: looks through the members and the connection's groups at the same pace, so
   that it takes as long as the shorter list. */
static ws__member *ws__member_of(const ws_conn *c, const ws__group *g)
{
    ws__member *m = g->members, *o = c->more ? c->more->groups : NULL;

    for (; m && o; m = m->next, o = o->other) {
        if (m->conn == c) return m;
        if (o->group == g) return o;
    }
    return NULL;
}

static int ws__join(ws_conn *c, ws_str name)
{
    ws_loop *l = c->loop;
    ws__group *g = ws__more_of(c) ? ws__group_make(l, name) : NULL;
    ws__member *m;

    if (!g) return WS_ERR_MEMORY;
    if (ws__member_of(c, g)) return 0;
    m = (ws__member *)ws__alloc(l->cfg, sizeof *m);
    if (!m) {
        if (!g->count) ws__group_free(l, g);
        return WS_ERR_MEMORY;
    }
    m->conn = c;
    m->group = g;
    m->at = &g->members;
    m->next = g->members;
    if (m->next) m->next->at = &m->next;
    g->members = m;
    g->count++;
    m->other_at = &c->more->groups;
    m->other = c->more->groups;
    if (m->other) m->other->other_at = &m->other;
    c->more->groups = m;
    return 0;
}

static void ws__leave(ws_loop *l, ws__member *m)
{
    *m->at = m->next;
    if (m->next) m->next->at = m->at;
    *m->other_at = m->other;
    if (m->other) m->other->other_at = m->other_at;
    if (!--m->group->count) ws__group_free(l, m->group);
    ws__free(l->cfg, m, sizeof *m);
}

/* own: also the groups that the library made, whose names begin with NUL. */
static void ws__leave_all(ws_conn *c, int own)
{
    ws__member *m = c->more ? c->more->groups : NULL, *next;

    for (; m; m = next) {
        next = m->other;
        if (own || *(const char *)(m->group + 1)) ws__leave(c->loop, m);
    }
}

/* Takes c out of the loop; the memory goes when the queue comes to it. */
static void ws__loop_drop(ws_conn *c)
{
    ws_loop *l = c->loop;

    if (WS__HAS(c, WS__DEAD)) return;
    if (l->foreign) {
        if (c->fd != WS__NO_SOCK) ws__sock_close(c->fd);
        c->fd = WS__NO_SOCK;            /* so nothing is said any more, by TLS neither */
        c->wants = WS__UNWATCHED;
    }
    ws__last_words(c);
    if (l->current == c) {
        l->cork.n = 0;
        l->cork.len = l->cork.total = 0;
        c->cork = NULL;
        l->current = NULL;
    }
    if (c->slot && !WS__HAS(c, WS__LINGERS)) l->gone++;
    if (c->cfg->conns) c->cfg->conns--;
    c->flags |= WS__DEAD;
    ws__leave_all(c, 1);
    ws__dial_free(c);
    ws__unwrap(c);
    ws__unwatch(c);
    if (c->cfg->set.io.read) ws__io_close(c);
    else if (c->fd != WS__NO_SOCK) ws__sock_end(c->fd);
    c->fd = WS__NO_SOCK;
    ws__enqueue(c);
}

/* Room for pieces of one write: behind those of the turn, which are *few at least. */
static ws__piece *ws__loop_pieces(ws_loop *l, int *few)
{
    const int left = WS__PIECES - l->cork.n;

    *few = left < 64 ? left : 64;
    return l->cork.piece + l->cork.n;
}

/* Sends the cork; what the socket does not take moves to c->tx. */
static int ws__cork_flush(ws_conn *c)
{
    ws__gather *g = c->cork;
    size_t sent = 0, left, edge = 0, done = 0;  /* edge: a border of frames, done: bytes seen */
    int i, bad = 0;

    if (g->total && !WS__HAS(c, WS__NO_OUTPUT)) {
        ptrdiff_t r = ws__writev(c, g->piece, g->n);
        if (r >= 0) sent = (size_t)r;
        else if (r == WS_IO_ERROR) { ws__write_failed(c); return 0; }
    }
    if (sent == g->total) {
        g->n = 0;
        g->len = g->total = 0;
        ws__drained(c);
        return 0;
    }
    for (i = 0, left = sent; i < g->n && !WS__HAS(c, WS__NO_OUTPUT) && !bad; i++) {
        const uint8_t *p = (const uint8_t *)g->piece[i].iov_base;
        size_t n = g->piece[i].iov_len, skip = left < n ? left : n;
        left -= skip;
        for (; edge < sent && edge < done + n; edge += ws__frame_size(p + (edge - done))) {}
        done += n;
        if (n > skip) bad = ws__tx_append(c, p + skip, n - skip, 0);
    }
    if (c->tx && !bad) c->tx->border += edge > sent ? edge - sent : 0;
    if (ws__io(c) && !bad) ws__tx_tried(c);
    g->n = 0;
    g->len = g->total = 0;
    if (bad) {
        ws__drop_output(c);
        ws__fail(c, bad);
    }
    return 0;
}

static void ws__watch(ws_loop *l, ws_conn *c)
{
    int wants = ws_wants(c);

    if (WS__HAS(c, WS__LINGERS)) wants = WS_WANT_READ;
    if (c->fd == WS__NO_SOCK || c->wants == wants) return;
    if (c->wants == WS__UNWATCHED && !wants && WS__HAS(c, WS__NO_OUTPUT)) return;  /* hung up */
    if (!ws__poller_set(l, c->fd, (uintptr_t)c, c->wants, wants)) c->wants = (uint8_t)wants;
    else if (!WS__HAS(c, WS__LINGERS)) ws__fail(c, WS_ERR_POLLER);
}

/* After CLOSE: the socket goes now, or when the peer had time to read our last words. */
static void ws__loop_retire(ws_loop *l, ws_conn *c)
{
    int speak = (c->error || WS__HAS(c, WS__ANSWERED)) && c->fd != WS__NO_SOCK &&
                !c->cfg->set.io.read &&
                !WS__HAS(c, WS__IS_CLIENT | WS__INPUT_END | WS__NO_OUTPUT);

    if (!speak) { ws__loop_drop(c); return; }
    ws__unwrap(c);
    c->flags |= WS__LINGERS;
    l->gone++;
    shutdown(c->fd, 1);
    ws__rx_free(c);
    c->deadline = c->now + ws__smaller(c->cfg->set.close_timeout, WS__LINGER);
    ws__heap_fix(l, c);
    ws__watch(l, c);
}

/* Open, and nothing held, waiting, owed or out of the ordinary: the short ways apply. */
static int ws__at_rest(const ws_conn *c)
{
    return c->phase == WS__PHASE_FRAMES && !c->rx && !c->tx && !c->more &&
           !(c->flags & ~(uint32_t)(WS__TICKED | WS__OPENED));
}

/* Ends a turn: what was sent leaves, the rest of the input is kept, the poller is told. */
static void ws__loop_leave(ws_loop *l, ws_conn *c)
{
    size_t rest = (size_t)(l->span.end - l->span.p);
    int held;

    l->current = NULL;
    if (rest && c->phase < WS__PHASE_ENDING && ws__rx_append(c, l->span.p, rest))
        ws__fail(c, WS_ERR_MEMORY);
    l->span.p = l->span.end = NULL;
    if (c->cork && c->cork->total) ws__cork_flush(c);
    c->cork = NULL;
    if (ws__judge(c) && ws__overdue(c)) c->deadline = c->now + 1000;
    if (ws__at_rest(c) && c->wants == WS_WANT_READ) {
        ws__heap_fix(l, c);
        return;
    }
    if (WS__HAS(c, WS__CLOSE_TOLD)) {
        if (!WS__HAS(c, WS__LINGERS)) ws__loop_retire(l, c);
        return;
    }
    held = ws__held_back(c);
    if (!ws__pending(c) || !ws__awaits_room(c)) ws__flush(c);
    if (c->rx && c->rx->pos == c->rx->len && !c->rx->op && !c->rx->in_frame &&
        !WS__HAS(c, WS__MESSAGE_HELD | WS__HEAD_HELD | WS__IS_FIXED))
        ws__rx_free(c);
    if ((held && !ws__held_back(c)) || (c->phase >= WS__PHASE_ENDING && ws_finished(c)) ||
        ws__writable_due(c) || (WS__HAS(c, WS__MORE | WS__BROKEN) && ws__wants_input(c)))
        ws__enqueue(c);
    if (WS__HAS(c, WS__MORE)) l->rested |= 1;   /* perhaps for ever */
    ws__watch(l, c);
    ws__heap_fix(l, c);
}

/* Begins a turn: c's events are pulled next, its frames collect in the cork. */
static void ws__loop_enter(ws_loop *l, ws_conn *c)
{
    l->current = c;
    l->span.p = l->span.end = l->buf;
    l->span.in_rx = 0;
    l->turn = 0;
    c->now = (uint32_t)l->now;
    c->cork = c->dial || WS__HAS(c, WS__CORKED) ? NULL : &l->cork;
}

static int ws__parses_in_place(const ws_conn *c)
{
    return c->phase == WS__PHASE_FRAMES || c->phase == WS__PHASE_READING;
}

/* Reads once: first into a large payload's own place, then into the loop's buffer. */
static void ws__loop_receive(ws_loop *l, ws_conn *c)
{
    uint8_t *base = l->buf + WS__READ_FRONT;
    ws__rx *rx = c->rx;
    size_t rest = rx ? rx->len - rx->pos : 0, direct = 4096;
    ws__piece v[2];
    int n = 0;
    ptrdiff_t r;

    if (c->phase >= WS__PHASE_BODY) { ws__receive_waste(c, base, WS__WASTE_SIZE); return; }
    if (ws__reads_payload(c) && rx->left >= direct) {
        v[0].iov_base = ws__read_room(c, &direct);
        v[0].iov_len = direct;
        if (v[0].iov_base) n = 1;
    }
    v[n].iov_base = base;
    v[n].iov_len = c->phase == WS__PHASE_HEAD ? WS__READ_EARLY : ws__raw_most(c, WS__READ_SIZE);
    r = n && !ws__io(c) ? ws__readv(c, v, 2) : ws__read(c, v[0].iov_base, v[0].iov_len);
    if (r <= 0) {
        ws__input_end(c, r);
        return;
    }
    ws__heard(c);
    if (n) {
        size_t k = (size_t)r < direct ? (size_t)r : direct;
        c->rx->len += k;
        r -= (ptrdiff_t)k;
        rest = 0;
    } else if (rest && rest <= WS__READ_FRONT && ws__parses_in_place(c)) {
        base -= rest;
        memcpy(base, WS__DATA(rx) + rx->pos, rest);
        rx->pos = rx->len = rx->msg;
        r += (ptrdiff_t)rest;
        rest = 0;
    }
    if (!rest && ws__parses_in_place(c)) {
        l->span.p = base;
        l->span.end = base + r;
    } else {
        if (ws__rx_append(c, base, (size_t)r)) ws__fail(c, WS_ERR_MEMORY);
        if (c->phase == WS__PHASE_HEAD) memset(base, 0, (size_t)r);     /* others read here too */
    }
}

/* What an event shows lies in the loop's buffer, in the connection's, or an extension's. */
static void ws__loop_show(ws_loop *l, ws_conn *c, const ws_event *ev)
{
    uint8_t *at = (uint8_t *)(uintptr_t)ev->data;

    if (!ev->size) return;
    if (at < l->buf || at >= l->buf + WS__BUF_SIZE) { ws__show(c, ev); return; }
    l->cork.lo = at;
    l->cork.hi = at + ev->size;
    l->kept = at[ev->size];
    at[ev->size] = 0;
}

static void ws__loop_unshow(ws_loop *l)
{
    if (!l->cork.hi) return;
    l->buf[l->cork.hi - l->buf] = l->kept;
    l->cork.lo = l->cork.hi = NULL;
}

static int ws__loop_pull(ws_loop *l, ws_conn *c, ws_event *ev)
{
    if (ws__at_rest(c)) {
        if (l->span.p == l->span.end) return 0;
        if (ws__short_message(c, &l->span, ev) > 0) return 1;
    }
    ws__release(c);
    if ((c->rx || l->span.p == l->span.end) && ws__pull(c, ev)) return 1;
    if (l->span.p == l->span.end || (c->rx && c->rx->pos < c->rx->len)) return 0;
    return ws__step(c, &l->span, ev);
}

/* A turn of a connection that the poller or the queue named. */
static void ws__loop_visit(ws_loop *l, ws_conn *c, int found)
{
    int overdue;

    if (WS__HAS(c, WS__LINGERS)) {      /* until its time is over: what it still sends is dropped */
        ptrdiff_t r = found ? recv(c->fd, (char *)l->buf, WS__WASTE_SIZE, 0) : 0;
        if (found && (r == 0 || (r < 0 && !ws__would_block()))) ws__loop_drop(c);
        return;
    }
    ws__loop_enter(l, c);
    overdue = ws__overdue(c);           /* then its input is looked at before it is judged */
    if (c->dial) {
        ws__dial_step(c);
        c->cork = c->dial ? NULL : &l->cork;
    }
    if (overdue || found & WS_WANT_WRITE || (!found && !ws__awaits_room(c)) ||
        WS__HAS(c, WS__WRITE_WANTS_READ))
        ws__flush(c);
    if (c->fd == WS__NO_SOCK || c->dial) return;
    if (ws__wants_input(c)) {
        if (overdue || found & (WS_WANT_READ | WS__HANGUP) ||
            WS__HAS(c, WS__MORE | WS__BROKEN | WS__READ_WANTS_WRITE))
            ws__loop_receive(l, c);
    } else if (found & WS__HANGUP && c->phase == WS__PHASE_HTTP) {
        ws__input_end(c, WS_IO_ERROR);
    } else if (found & WS__HANGUP) {    /* would be reported for ever: forget the socket */
        ws__unwatch(c);                 /* until its input is wanted; what came is not lost */
        ws__drop_output(c);
    }
}

/* ---- accepting ---- */

#ifndef WS_NO_SERVER

static int ws__accept(ws__sock listener, ws__sock *out)
{
#ifdef WS__LINUX_CALLS
    *out = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return *out == WS__NO_SOCK ? -1 : 0;
#else
    *out = accept(listener, NULL, NULL);
    if (*out == WS__NO_SOCK) return -1;
    if (!ws__sock_nonblock(*out)) return 0;
    ws__sock_close(*out);
    return -1;
#endif
}

/* After accept failed: 1 that connection is lost, try the next; 0 none waits; -1 descriptors
   or memory are out. */
static int ws__accept_fault(void)
{
#ifdef _WIN32
    int e = WSAGetLastError();
    return e == WSAEWOULDBLOCK ? 0 : e == WSAECONNRESET || e == WSAEINTR ? 1 : -1;
#else
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    switch (errno) {
    case EINTR: case ECONNABORTED: case EPROTO:
    case ENETDOWN: case ENETUNREACH: case EHOSTDOWN: case EHOSTUNREACH: case EOPNOTSUPP:
    case ENOPROTOOPT:           /* Linux: what became of it on the network */
#ifdef ENONET
    case ENONET:
#endif
        return 1;
    default:
        return -1;
    }
#endif
}

static void ws__watch_listeners(ws_loop *l, int wants)
{
    uint32_t i;
    for (i = 0; i < l->listener_count; i++) {
        ws__listener *s = &l->listeners[i];
        if (s->fd == WS__NO_SOCK) continue;
        if (!ws__poller_set(l, s->fd, WS__KEY_LISTENER(i), s->wants, wants))
            s->wants = (uint8_t)wants;
        else if (wants)
            l->accept_at = l->now + 100;
    }
}

/* The name of the group that counts the connections of a peer's address: NUL, the listener,
   4 bytes of IPv4 or the network's 8 bytes of IPv6. Empty for others. */
static ws_str ws__address_group(const ws__listener *s, ws__sock fd, char name[20])
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    size_t at = 1 + sizeof s->cfg;

    memset(&a, 0, sizeof a);
    if (getpeername(fd, (struct sockaddr *)&a, &size)) return ws__str(name, 0);
    name[0] = 0;
    memcpy(name + 1, &s->cfg, sizeof s->cfg);
    if (a.ss_family == AF_INET) {
        memcpy(name + at, &((struct sockaddr_in *)(void *)&a)->sin_addr, 4);
        return ws__str(name, at + 4);
    }
    if (a.ss_family == AF_INET6) {
        const uint8_t *p = (const uint8_t *)&((struct sockaddr_in6 *)(void *)&a)->sin6_addr;
        int v4 = !memcmp(p, ws__mapped, 12);
        memcpy(name + at, v4 ? p + 12 : p, v4 ? 4 : 8);
        return ws__str(name, at + (v4 ? 4 : 8));
    }
    return ws__str(name, 0);
}

/* Adds an accepted connection to the loop; NULL when memory is out, and it is closed. */
static ws_conn *ws__accepted(ws_loop *l, ws__cfg *k, ws__sock fd, ws_str address)
{
    ws_conn *c = ws__new_shared(k, WS__TICKED);

    if (!c) { ws__sock_close(fd); return NULL; }
    c->fd = fd;
    c->loop = l;
    c->now = c->last_rx = c->last_message = (uint32_t)l->now;
    c->deadline = ws__after(c, k->set.handshake_timeout);
    k->conns++;
    if (ws__heap_add(l, c) || (address.size && ws__join(c, address))) {
        ws__loop_drop(c);
        return NULL;
    }
    ws__heap_fix(l, c);
    return c;
}

/* Over a limit: answered 503 without being heard, by a connection that the listener does not
   count. */
static void ws__accept_refuse(ws_loop *l, ws__listener *s, ws__sock fd)
{
    static const char sorry[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                                "Retry-After: 5\r\nContent-Length: 0\r\n\r\n";
    ws_conn *c;

    if (l->gone >= WS__LINGER_MAX || l->cfg->conns >= WS__LINGER_MAX) {     /* conns: refused */
        if (!ws__serves_tls(&s->cfg->set)) send(fd, sorry, sizeof sorry - 1, WS__NO_SIGNAL);
        ws__sock_end(fd);
        return;
    }
    c = ws__accepted(l, l->cfg, fd, ws__str("", 0));
    if (!c) return;
    c->user = s->cfg->set.user;
    ws__fail(c, WS_ERR_LIMIT);
    if (ws__serves_tls(&s->cfg->set)) ws__drop_output(c);    /* no plain words to a TLS peer */
}

static void ws__loop_accept(ws_loop *l, ws__listener *s)
{
    const ws_config *set = &s->cfg->set;
    char name[20];
    int i;

    for (i = 0; i < 64 && s->fd != WS__NO_SOCK; i++) {
        ws_str address = ws__str(name, 0);
        ws__group *g;
        ws__sock fd;
        ws_conn *c;
        if (ws__accept(s->fd, &fd)) {
            int fault = ws__accept_fault();
            if (fault > 0) continue;
            if (!fault) return;
            ws__watch_listeners(l, 0);      /* rest a while */
            l->accept_at = l->now + 100;
            return;
        }
        if (s->port) ws__sock_options(fd);
        if (set->max_per_address != WS_NO_LIMIT) address = ws__address_group(s, fd, name);
        g = address.size ? ws__group_of(l, address) : NULL;
        if (s->cfg->conns >= set->max_connections || (g && g->count >= set->max_per_address)) {
            ws__accept_refuse(l, s, fd);
            continue;
        }
        c = ws__accepted(l, s->cfg, fd, address);
        if (!c) continue;
        if (ws__serves_tls(set)) ws__wrap(c, NULL);
        ws__watch(l, c);
    }
}

#endif /* WS_NO_SERVER */

/* ---- the loop ---- */

/* 1 past the deadline of ws_shutdown. */
static int ws__must_end(const ws_conn *c) { return c->loop && c->loop->stopping == 2; }

/* The deadline of ws_shutdown: all that is left is due. */
static void ws__stop_all(ws_loop *l)
{
    uint32_t i;

    l->stopping = 2;
    l->stop_at = UINT64_MAX;
    for (i = l->heap_count; i; i--) {
        ws_conn *c = l->heap[i];
        c->deadline = (uint32_t)l->now;
        if (WS__HAS(c, WS__CLOSE_TOLD)) ws__loop_drop(c);
        else ws__enqueue(c);
    }
}

/* Gives what is due a turn, which ends with its judgement. 1 if anything was. */
static int ws__loop_timers(ws_loop *l)
{
    int any = 0;

    while (l->heap_count && (int32_t)((uint32_t)l->now - l->heap[1]->due) >= 0) {
        ws_conn *c = l->heap[1];
        any = 1;
        if (WS__HAS(c, WS__LINGERS)) ws__loop_drop(c);
        if (WS__HAS(c, WS__DEAD)) { ws__heap_reap(l, c); continue; }
        c->due = (uint32_t)l->now + 1000;   /* its turn puts it in its place */
        ws__heap_sift(l, c);
        ws__enqueue(c);
    }
    if (l->stopping && l->now >= l->stop_at) {
        ws__stop_all(l);
        any = 1;
    }
#ifndef WS_NO_SERVER
    if (l->accept_at && l->now >= l->accept_at) {
        l->accept_at = 0;
        ws__watch_listeners(l, WS_WANT_READ);
    }
#endif
    return any;
}

/* 1 when ws_shutdown has ended everything. */
static int ws__loop_over(const ws_loop *l) { return l->stopping && !l->heap_count; }

/* Milliseconds to sleep: until when, the next deadline, or the next try to accept. */
static int ws__loop_sleep(const ws_loop *l, uint64_t when)
{
    uint64_t ms = when - l->now;

    if (when <= l->now || ws__loop_over(l)) return 0;
    if (l->stopping && l->stop_at - l->now < ms) ms = l->stop_at - l->now;
    if (l->heap_count) {
        int32_t due = (int32_t)(l->heap[1]->due - (uint32_t)l->now);
        if (due < 0) due = 0;
        if ((uint64_t)due < ms) ms = (uint64_t)due;
    }
    if (l->accept_at && l->accept_at - l->now < ms) ms = l->accept_at - l->now;
    if (when == UINT64_MAX && ms > 1u << 30) return -1;
    return ms > 1u << 30 ? 1 << 30 : (int)ms;
}

/* Takes the next ready or queued connection. 0 when there is none. */
static int ws__loop_take(ws_loop *l)
{
    if (l->ready_at < l->ready_count) {
        ws__ready r = l->ready[l->ready_at++];
        if (r.key == WS__KEY_POST) ws__post_read(l);
#ifndef WS_NO_SERVER
        else if (r.key & 1) ws__loop_accept(l, &l->listeners[r.key / 2]);
#endif
        else if (!WS__HAS((ws_conn *)r.key, WS__DEAD))
            ws__loop_visit(l, (ws_conn *)r.key, r.wants);
        return 1;
    }
    if (l->queue) {
        ws_conn *c = l->queue;
        l->queue = c->link;
        l->rested &= 1;
        if (!l->queue) l->queue_end = &l->queue;
        c->flags &= ~(uint32_t)WS__QUEUED;
        if (!WS__HAS(c, WS__DEAD)) {
            ws__loop_visit(l, c, 0);
        } else {
            ws__heap_reap(l, c);
            ws__free_now(c);
        }
        return 1;
    }
    return 0;
}

#define WS__TURN_MAX 4096       /* events after which others have their turn */

/* What an event counts in its turn: little input may decode to much. */
static uint32_t ws__turn_share(const ws_conn *c, const ws_event *ev)
{
    size_t n = ws__ext_of(c) ? ev->size / 256 : 0;

    return 1 + (uint32_t)(n < WS__TURN_MAX ? n : WS__TURN_MAX);
}

/* timeout < 0: until when. */
static int ws__loop_run(ws_loop *l, ws_event *ev, int timeout, uint64_t when)
{
    const int at_once = timeout == 0;
    int slept = 0, fault;

    ws__loop_unshow(l);
    if (!at_once) l->looked = 0;
    for (;;) {
        while (l->current) {
            ws_conn *c = l->current;
            int rest = l->turn >= WS__TURN_MAX;
            if (rest) ws__release(c);
            else if (ws__loop_pull(l, c, ev)) {
                ws__loop_show(l, c, ev);
                l->turn += ws__turn_share(c, ev);
                return 1;
            }
            if (l->current) ws__loop_leave(l, c);
            if (rest && !WS__HAS(c, WS__DEAD | WS__CLOSE_TOLD)) ws__enqueue(c);
            l->rested |= rest;
        }
        if (ws__post_next(l, ev)) return 1;
        if (l->rested == 1 && l->ready_at == l->ready_count) {
            if (at_once && l->looked) break;
            l->looked = (uint8_t)at_once;
            l->rested = 2;
            l->ready_at = l->ready_count = 0;
            fault = ws__poller_wait(l, 0);
            if (fault < 0) return ws__loop_error(l, fault, NULL, NULL);
            l->now = ws__clock();
            ws__loop_timers(l);
            if (timeout >= 0) { when = l->now + (uint64_t)timeout; timeout = -1; }
            else if (l->now >= when) return 0;
        }
        if (ws__loop_take(l)) continue;
        if (at_once && l->looked) break;
        if (timeout >= 0) {
            when = timeout ? ws__clock() + (uint64_t)timeout : 0;
            timeout = -1;
        } else if (when != UINT64_MAX && l->now >= when && (when || slept)) {
            return 0;
        }
        if (slept && ws__loop_over(l)) return 0;
        if (when != UINT64_MAX || !slept) l->now = ws__clock();
        if (ws__loop_timers(l)) continue;
        l->ready_at = l->ready_count = 0;   /* an interrupted wait finds nothing */
        l->looked = (uint8_t)at_once;
        fault = ws__poller_wait(l, ws__loop_sleep(l, when));
        if (fault < 0) return ws__loop_error(l, fault, NULL, NULL);
        if (fault == WS__INTERRUPTED) ws__flag_set(&l->woken, 1);
        slept = 1;
        l->now = ws__clock();
        ws__loop_timers(l);
    }
    l->looked = 0;
    return 0;
}

WS_API int ws_poll(ws_loop *l, ws_event *ev, int timeout)
{
    if (!l || !ev) return WS_ERR_ARGUMENT;
    ev->type = WS_EV_NONE;
    return ws__loop_run(l, ev, timeout, UINT64_MAX);
}

WS_API int ws_poll_until(ws_loop *l, ws_event *ev, uint64_t when)
{
    if (!l || !ev) return WS_ERR_ARGUMENT;
    ev->type = WS_EV_NONE;
    if (!(++l->asked & 63)) {       /* events without end must not make it late */
        l->now = ws__clock();
        if (l->now >= when) return 0;
    }
    return ws__loop_run(l, ev, -1, when ? when : 1);
}

WS_API uint64_t ws_loop_now(const ws_loop *l)
{
    (void)l;
    return ws__clock();
}

WS_API size_t ws_loop_count(const ws_loop *l)
{
    if (!l) return 0;
    return l->heap_count - l->gone - (l->current && WS__HAS(l->current, WS__CLOSE_TOLD));
}

WS_API const char *ws_loop_error_text(const ws_loop *l)
{
    return l ? l->error : ws__error_text(-WS_ERR_MEMORY);
}

WS_API ws_loop *ws_loop_new(const ws_config *cfg)
{
    ws__cfg *k = ws__sock_startup() ? NULL : ws__cfg_from(NULL, NULL, cfg);
    ws_loop *l;

    if (!k) return NULL;
    l = (ws_loop *)ws__alloc(k, sizeof *l);
    if (!l) { ws__cfg_release(k); return NULL; }
    memset(l, 0, sizeof *l);
    l->cfg = k;
    l->queue_end = &l->queue;
    l->process = ws__process();
    if (ws__random(k, &l->seed, sizeof l->seed)) l->seed = 2166136261u;
    k->cache = &l->cache;
    k->wake = ws__loop_wake;
    l->buf = (uint8_t *)ws__alloc(k, WS__BUF_SIZE);
    l->cork.buf = (uint8_t *)ws__alloc(k, WS__CORK_SIZE);
    l->cork.cap = WS__CORK_SIZE;
    l->cork.flush = ws__cork_flush;
    l->poller = -1;
    l->post_in = l->post_out = WS__NO_SOCK;
    if (!l->buf || !l->cork.buf || ws__poller_open(l) || ws__post_open(l) ||
        ws__poller_set(l, l->post_in, WS__KEY_POST, WS__UNWATCHED, WS_WANT_READ)) {
        ws_loop_free(l);
        return NULL;
    }
    l->now = ws__clock();
    return l;
}

static void ws__unlisten_all(ws_loop *l)
{
#ifdef WS_NO_SERVER
    (void)l;
#else
    uint32_t i;
    for (i = 0; i < l->listener_count; i++) ws_unlisten(l, (int)i);
#endif
}

WS_API void ws_loop_free(ws_loop *l)
{
    ws__cfg *k;
    uint32_t i;

    if (!l) return;
    k = l->cfg;
    l->foreign = l->process != ws__process();
    if (l->foreign) ws__poller_close(l);    /* as long as it is open it is the parent's too */
    for (i = 1; i <= l->heap_count; i++) ws__loop_drop(l->heap[i]);
    while (l->queue) {
        ws_conn *c = l->queue;
        l->queue = c->link;
        ws__free_now(c);
    }
    ws__unlisten_all(l);
    ws__poller_close(l);
    ws__post_close(l);
    ws__cache_clear(k);
    ws__free(k, l->listeners, l->listener_count * sizeof *l->listeners);
    ws__free(k, l->heap, l->heap_size * sizeof *l->heap);
    ws__free(k, l->groups, l->group_slots * sizeof *l->groups);
    ws__free(k, l->buf, WS__BUF_SIZE);
    ws__free(k, l->cork.buf, WS__CORK_SIZE);
    ws__free(k, l, sizeof *l);
    k->cache = NULL;
    ws__cfg_release(k);
}

/* Makes the connections of a configuration the loop's. Blocks of the same allocator share its
   cache. */
static void ws__loop_share(ws_loop *l, ws__cfg *k)
{
    const ws_config *own = &l->cfg->set;

    k->wake = ws__loop_wake;
    if (k->set.alloc == own->alloc && k->set.alloc_user == own->alloc_user) k->cache = &l->cache;
}

/* Whose allocator a connection takes: the loop's is the default. */
static const ws_config *ws__loop_from(const ws_loop *l, const ws_config *cfg)
{
    return l && !(cfg && cfg->alloc) ? &l->cfg->set : cfg;
}

/* ---- listening ---- */

#ifndef WS_NO_SERVER

/* FreeBSD and Linux then spread connections over the sockets. */
static int ws__share_port(ws__sock s)
{
#if defined(SO_REUSEPORT_LB)
    int on = 1;
    return setsockopt(s, SOL_SOCKET, SO_REUSEPORT_LB, &on, sizeof on);
#elif defined(SO_REUSEPORT)
    int on = 1;
    return setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
    (void)s;
    return -1;
#endif
}

/* share: other sockets that ask for it too may listen on the same port. */
static int ws__bind(ws__sock *out, const struct sockaddr *a, size_t size, int family, int share)
{
    ws__sock s = ws__sock_open(family, SOCK_STREAM);
    int on = 1, off = 0;

    if (s == WS__NO_SOCK) return -1;
#ifdef _WIN32   /* SO_REUSEADDR would let any program take the port from us, and so does neither */
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
#else
    if (family != AF_UNIX) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#endif
    if (family == AF_INET6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof off);
    if ((share && ws__share_port(s)) ||
        bind(s, a, (socklen_t)size) || listen(s, 1024)) {
        ws__sock_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

/* The port that s got, 0 for a unix socket; negative when the system does not tell. */
WS__APART int ws__bound_port(ws__sock s)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;

    memset(&a, 0, sizeof a);
    if (getsockname(s, (struct sockaddr *)&a, &n)) return WS_ERR_LISTEN;
    if (a.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)(void *)&a)->sin_port);
    if (a.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&a)->sin6_port);
    return 0;
}

/* out[0] listens on every address of IPv6: does out[1] on IPv4, if the system (OpenBSD) needs two
   sockets for that? 0, or -1: the port is taken there. */
WS__APART int ws__bind_twin(ws__sock out[2], int share)
{
    struct sockaddr_in a;
    int only = 0, port = ws__bound_port(out[0]);
    socklen_t n = sizeof only;

    if (getsockopt(out[0], IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, &n) || !only) return 0;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons((uint16_t)port);
    if (!ws__bind(&out[1], (struct sockaddr *)&a, sizeof a, AF_INET, share)) return 0;
    ws__sock_close(out[0]);
    out[0] = WS__NO_SOCK;
    return -1;
}

/* Why listening failed: the machine, or the address. */
static int ws__listen_error(void)
{
    return ws__out_of(ws__sock_error()) ? WS_ERR_SYSTEM : WS_ERR_LISTEN;
}

WS__APART int ws__listen_tcp(const char *address, int share, ws__sock out[2])
{
    struct addrinfo hints, *all, *a;
    const char *port;
    char host[256];
    int pass, tries, half = 0, r = -1;

    if (ws__split_address(address, host, sizeof host, &port)) return WS_ERR_ARGUMENT;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
#ifndef _WIN32
    errno = 0;
#endif
    r = getaddrinfo(*host ? host : NULL, port, &hints, &all);
    if (r) return ws__lookup_fault(r);
    r = -1;
    for (pass = *host ? 1 : 0; r && !half && pass < 2; pass++)  /* no host: IPv6 takes both */
        for (a = all; r && !half && a; a = a->ai_next)
            for (tries = 0; r && tries < 8 && (pass || a->ai_family == AF_INET6); tries++) {
                r = ws__bind(out, a->ai_addr, a->ai_addrlen, a->ai_family, share);
                if (r || pass) break;
                r = half = ws__bind_twin(out, share);   /* port 0 gives another next time */
            }
    freeaddrinfo(all);
    return r ? ws__listen_error() : 0;
}

#ifdef _WIN32
static int ws__listen_unix(ws_loop *l, const char *path, ws__listener *s, ws__sock *out,
                           const char **why)
{
    (void)l;
    (void)path;
    (void)s;
    (void)out;
    *why = "no unix sockets on this system";
    return WS_ERR_LISTEN;
}

static void ws__unix_end(ws_loop *l, ws__listener *s)
{
    (void)l;
    (void)s;
}
#else
/* Does a dead server's socket stand in the way? Nothing else may be taken away; *why says what
   it is. */
static int ws__unix_is_stale(const struct sockaddr_un *a, size_t size, const char **why)
{
    struct stat file;
    int probe, refused;

    *why = "a file that is no socket stands there";
    if (lstat(a->sun_path, &file) || !S_ISSOCK(file.st_mode)) return 0;
    probe = ws__sock_open(AF_UNIX, SOCK_STREAM);
    refused = probe >= 0 && ws__sock_connect(probe, (const struct sockaddr *)a, size) &&
              errno == ECONNREFUSED;
    *why = probe < 0 ? strerror(errno) : "another server listens there";
    if (probe >= 0) close(probe);
    return refused;
}

WS__APART int ws__listen_unix(ws_loop *l, const char *path, ws__listener *s, ws__sock *out,
                              const char **why)
{
    struct sockaddr_un a;
    struct stat file;
    size_t size, n = strlen(path) + 1;
    int r;

    if (ws__unix_address(&a, &size, ws__cstr(path))) return WS_ERR_ARGUMENT;
    r = ws__bind(out, (struct sockaddr *)&a, size, AF_UNIX, 0);
    if (r && errno == EADDRINUSE && *a.sun_path) {
        if (!ws__unix_is_stale(&a, size, why)) return WS_ERR_LISTEN;
        *why = NULL;
        if (!unlink(path)) r = ws__bind(out, (struct sockaddr *)&a, size, AF_UNIX, 0);
    }
    if (r) return ws__listen_error();
    if (!*a.sun_path || lstat(path, &file)) return 0;
    s->device = (uint64_t)file.st_dev;
    s->inode = (uint64_t)file.st_ino;
    s->path = (char *)ws__alloc(l->cfg, n);
    if (s->path) memcpy(s->path, path, n);
    return 0;
}

/* Takes away the file of a listener, if it is still ours. */
static void ws__unix_end(ws_loop *l, ws__listener *s)
{
    struct stat file;

    if (!s->path) return;
    if (l->process == ws__process() && !lstat(s->path, &file) && S_ISSOCK(file.st_mode) &&
        s->device == (uint64_t)file.st_dev && s->inode == (uint64_t)file.st_ino)
        unlink(s->path);
    ws__free(l->cfg, s->path, strlen(s->path) + 1);
    s->path = NULL;
}
#endif

static int ws__listener_add(ws_loop *l, const ws__listener *s)
{
    size_t old = l->listener_count * sizeof *s;
    ws__listener *bigger;
    uint32_t i;

    for (i = 0; i < l->listener_count; i++)
        if (l->listeners[i].fd == WS__NO_SOCK) {
            l->listeners[i] = *s;
            return (int)i;
        }
    bigger = (ws__listener *)ws__alloc(l->cfg, old + sizeof *s);
    if (!bigger) return WS_ERR_MEMORY;
    if (old) memcpy(bigger, l->listeners, old);
    ws__free(l->cfg, l->listeners, old);
    l->listeners = bigger;
    bigger[l->listener_count] = *s;
    return (int)l->listener_count++;
}

/* What is wrong with a listener's configuration: 0, or the error with its field, or *why. */
static int ws__listen_fault(const ws_config *cfg, const char **why, char room[96])
{
    int r = cfg ? ws__config_fault(cfg, 0) : 0;

    *why = r ? ws__fault_field(r, cfg, room) : NULL;
    if (r || !cfg) return r;
    if (cfg->memory) *why = "memory";
    if (cfg->io.read) *why = "io";
    return *why ? WS_ERR_ARGUMENT : ws__tls_serves(cfg->tls, why);
}

/* Makes a bound socket a listener with configuration k: its number, or the error. */
static int ws__listener_start(ws_loop *l, ws__sock fd, ws__cfg *k)
{
    int port = ws__bound_port(fd), r;
    ws__listener s;

    if (port < 0) return port;
    memset(&s, 0, sizeof s);
    s.fd = fd;
    s.port = (uint16_t)port;
    s.wants = WS_WANT_READ;
    s.cfg = k;
    s.twin = -1;
    r = ws__listener_add(l, &s);
    if (r < 0) return r;
    if (ws__poller_set(l, fd, WS__KEY_LISTENER(r), WS__UNWATCHED, WS_WANT_READ)) {
        l->listeners[r].fd = WS__NO_SOCK;
        return WS_ERR_POLLER;
    }
    k->refs++;
    return r;
}

WS_API int ws_listen(ws_loop *l, const char *address, const ws_config *cfg)
{
    ws__sock fd[2] = { WS__NO_SOCK, WS__NO_SOCK };
    ws__listener file;          /* of a unix socket: its path and what identifies it */
    ws__cfg *k;
    const char *why;
    char text[32], room[96];
    int r, twin = -1, share = cfg && cfg->reuse_port;

    if (!l || !address) return WS_ERR_ARGUMENT;
    if (l->stopping) return ws__loop_error(l, WS_ERR_STATE, address, NULL);
    memset(&file, 0, sizeof file);
    r = ws__listen_fault(cfg, &why, room);
    if (r) return ws__loop_error(l, r, address, why);
    why = NULL;
    r = strncmp(address, "unix:", 5) ? ws__listen_tcp(address, share, fd)
                                     : ws__listen_unix(l, address + 5, &file, fd, &why);
    if (r == WS_ERR_ARGUMENT) why = "host:port or unix:/path is expected";
    if (!why && (r == WS_ERR_LISTEN || r == WS_ERR_SYSTEM))
        why = ws__sock_why(ws__sock_error(), text);
    if (r) return ws__loop_error(l, r, address, why);
    k = ws__cfg_from(cfg, NULL, ws__loop_from(l, cfg));
    r = k ? ws__listener_start(l, fd[0], k) : WS_ERR_MEMORY;
    if (r >= 0 && fd[1] != WS__NO_SOCK) twin = ws__listener_start(l, fd[1], k);
    if (r >= 0) {
        l->listeners[r].twin = twin;
        l->listeners[r].path = file.path;
        l->listeners[r].device = file.device;
        l->listeners[r].inode = file.inode;
    } else {
        ws__unix_end(l, &file);
        ws__sock_close(fd[0]);
    }
    if (twin < 0 && fd[1] != WS__NO_SOCK) {
        ws__sock_close(fd[1]);
        if (r >= 0) ws_unlisten(l, r);
        if (r >= 0) r = twin;
    }
    if (r >= 0) ws__loop_share(l, k);
    if (k) ws__cfg_release(k);
    return r < 0 ? ws__loop_error(l, r, address, NULL) : r;
}

WS_API int ws_listen_port(const ws_loop *l, int listener)
{
    if (!l || listener < 0 || (uint32_t)listener >= l->listener_count) return WS_ERR_ARGUMENT;
    return l->listeners[listener].port;
}

WS_API int ws_listen_tls(ws_loop *l, int listener, ws_tls *tls)
{
    ws_config *set;
    const char *why;
    int r;

    if (!l || listener < 0 || (uint32_t)listener >= l->listener_count || !tls ||
        l->listeners[listener].fd == WS__NO_SOCK || !l->listeners[listener].cfg->set.tls)
        return WS_ERR_ARGUMENT;
    r = ws__tls_serves(tls, &why);
    if (r) return ws__loop_error(l, r, why, NULL);
    set = &l->listeners[listener].cfg->set;
    tls = ws__tls_hold(tls);
    ws__tls_drop(set->tls);
    set->tls = tls;
    return 0;
}

WS_API void ws_unlisten(ws_loop *l, int listener)
{
    ws__listener *s;

    if (!l || listener < 0 || (uint32_t)listener >= l->listener_count) return;
    s = &l->listeners[listener];
    if (s->fd == WS__NO_SOCK) return;
    ws_unlisten(l, s->twin);
    ws__poller_drop(l, s->fd);
    ws__unix_end(l, s);
    ws__sock_close(s->fd);
    s->fd = WS__NO_SOCK;
    ws__cfg_release(s->cfg);
}

#endif /* WS_NO_SERVER */

/* ---- connections that are not accepted ---- */

/* The system's authorities take long to read: a loop's clients share them. */
static ws_tls *ws__loop_tls(ws_loop *l)
{
    ws_tls **own = &l->cfg->set.tls;

    if (*own && (*own)->error) {        /* files may be there by now */
        ws__tls_drop(*own);
        *own = NULL;
    }
    if (!*own) *own = ws_tls_new(NULL);
    return ws__tls_hold(*own);
}

static int ws__loop_add(ws_loop *l, ws_conn *c)
{
    int r = ws__heap_add(l, c);

    if (r) return r;
    c->flags &= ~(uint32_t)WS__CLOCKED;
    c->loop = l;
    ws__loop_share(l, c->cfg);
    ws__enqueue(c);
    return 0;
}

#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_dial(ws_loop *l, const char *url, const ws_config *cfg)
{
    ws_conn *c = l ? ws__client_new(url, cfg, ws__loop_from(l, cfg), 0) : NULL;

    if (!c) return NULL;
    ws__start_clock(c);
    if (ws__loop_add(l, c)) {
        ws__free_now(c);
        return NULL;
    }
    if (c->error) return c;
    if (cfg && (cfg->io.read || cfg->memory))
        ws__fail_with(c, WS_ERR_ARGUMENT, cfg->memory ? "memory" : "io");
    else ws__dial_start(c);
    return c;
}
#endif

#ifndef WS_NO_SERVER
WS_API ws_conn *ws_adopt(ws_loop *l, ws_socket fd, const void *data, size_t n,
                         const ws_config *cfg)
{
    ws_conn *c = ws__server_new(cfg, ws__loop_from(l, cfg), !l);

    if (!c) return NULL;
    if (l && cfg && cfg->memory && !c->error) ws__fail_with(c, WS_ERR_ARGUMENT, "memory");
    ws__start_clock(c);
    if ((l && ws__loop_add(l, c)) || (n && data && ws__rx_append(c, (const uint8_t *)data, n))) {
        c->cfg->set.io.close = NULL;
        ws_free(c);
        return NULL;
    }
    c->fresh = n > 0;
    c->fd = (ws__sock)fd;
    if ((cfg && cfg->io.read) || fd == (ws_socket)WS__NO_SOCK) return c;
    ws__sock_options(c->fd);
    if (ws__sock_nonblock(c->fd)) {
        ws__sock_close(c->fd);
        c->fd = WS__NO_SOCK;
        ws__fail(c, WS_ERR_IO);
    } else if (!c->error && ws__serves_tls(&c->cfg->set)) {
        if (n) ws__fail(c, WS_ERR_ARGUMENT);
        else ws__wrap(c, NULL);
    }
    return c;
}
#endif

/* The request head as it came: ws__server_head put NULs into its first line. */
static void ws__head_restore(ws_conn *c)
{
    char *p = (char *)WS__DATA(c->rx) + c->rx->head_at;
    size_t n = c->rx->head_size ? strlen(p) : 0;

    if (!n) return;
    p[n] = ' ';
    p[n + strlen(p + n)] = ' ';
    c->rx->head_size = 0;       /* no strings any more */
}

WS_API ws_socket ws_detach(ws_conn *c, const void **rest, size_t *n)
{
    const ws_socket none = (ws_socket)WS__NO_SOCK;
    ws_socket fd;
    ws_loop *l = c ? c->loop : NULL;
    int asked = c && c->phase == WS__PHASE_HTTP && !WS__HAS(c, WS__ANSWERED);

    if (!c || !rest || !n || (!asked && (c->phase != WS__PHASE_FRAMES || c->sending))) return none;
    if (c->more && c->more->layer) return none;
    if ((c->rx && c->rx->op) || WS__HAS(c, WS__OPEN_OWED)) return none;
    if (c->cork && c->cork->total) (c->cork->flush)(c);
    ws__flush(c);
    if (ws__unsent(c) || WS__HAS(c, WS__CLOSE_SENT)) return none;
    ws__unshow(c);
    if (l) ws__loop_unshow(l);
    if (l && l->current == c) {
        if (ws__rx_append(c, l->span.p, (size_t)(l->span.end - l->span.p))) return none;
        l->span.p = l->span.end;
    }
    if (asked) ws__head_restore(c);
    if (asked) c->rx->pos = c->rx->head_at;
    *n = c->rx ? c->rx->len - c->rx->pos : 0;
    *rest = c->rx ? WS__DATA(c->rx) + c->rx->pos : (const uint8_t *)"";
    fd = (ws_socket)c->fd;
    ws__unwatch(c);
    c->fd = WS__NO_SOCK;
    c->cfg->set.io.close = NULL;
    if (WS__HAS(c, WS__IS_CLIENT)) c->cfg->set.reconnect = 0;
    c->flags |= WS__ANSWERED | WS__NO_OUTPUT;
    ws__end(c, WS__PHASE_ENDED);
    return fd;
}

/* ---- many connections ---- */

WS_API ws_conn *ws_each(ws_loop *l, ws_conn *after)
{
    uint32_t i = after ? after->slot : 0;

    if (!l || (after && (after->loop != l || !i))) return NULL;
    while (++i <= l->heap_count)
        if (!WS__HAS(l->heap[i], WS__DEAD | WS__CLOSE_TOLD)) return l->heap[i];
    return NULL;
}

static ws_str ws__group_name(const char *group)
{
    ws_str name = ws__cstr(group);
    if (name.size > WS__GROUP_NAME) name.size = 0;
    return name;
}

WS_API int ws_join(ws_conn *c, const char *group)
{
    ws_str name = ws__group_name(group);

    if (!c || !c->loop || !name.size) return WS_ERR_ARGUMENT;
    if (WS__HAS(c, WS__DEAD) || ws_state(c) > WS_STATE_OPEN) return WS_ERR_STATE;
    return ws__join(c, name);
}

WS_API int ws_leave(ws_conn *c, const char *group)
{
    ws_str name = ws__group_name(group);
    ws__group *g;
    ws__member *m;

    if (!c || !c->loop || (group && !name.size)) return WS_ERR_ARGUMENT;
    if (!group) ws__leave_all(c, 0);
    g = group ? ws__group_of(c->loop, name) : NULL;
    m = g ? ws__member_of(c, g) : NULL;
    if (m) ws__leave(c->loop, m);
    return 0;
}

/* Gives w to c if it is open. Returns 1 if c took it. */
static int ws__offer(ws_conn *c, ws__news *w)
{
    return !WS__HAS(c, WS__DEAD) && ws_state(c) == WS_STATE_OPEN && !ws__news_give(c, w);
}

static int ws__publish(ws_loop *l, const char *group, const ws_conn *except, ws__news *w)
{
    ws__group *g = ws__group_of(l, ws__group_name(group));
    ws__member *m = g ? g->members : NULL;
    int took = 0;

    for (; m; m = m->next)
        if (m->conn != except) took += ws__offer(m->conn, w);
    ws__news_end(w);
    return took;
}

WS_API int ws_publish(ws_loop *l, const char *group, ws_conn *except, int op,
                      const void *data, size_t n)
{
    ws__news w;

    if (!l || !ws__news_valid(op, data, n)) return 0;
    w = ws__news_of(l->cfg, -1, op, data, n);
    return ws__publish(l, group, except, &w);
}

#ifndef WS_NO_SERVER

WS_API int ws_http_publish(ws_loop *l, const char *group, ws_conn *except,
                           const void *data, size_t n)
{
    ws__group *g = l ? ws__group_of(l, ws__group_name(group)) : NULL;
    ws__member *m = g ? g->members : NULL;
    int took = 0;

    for (; m; m = m->next)
        if (m->conn != except && !WS__HAS(m->conn, WS__DEAD))
            took += !ws_http_write(m->conn, data, n);
    return took;
}

WS_API int ws_http_publish_fill(ws_loop *l, const char *group, ws_conn *except, size_t n,
                                void (*fill)(void *user, void *at, size_t n), void *user)
{
    char few[256];
    ws__shared *big = NULL;
    void *at = few;
    int took;

    if (!l || !fill || n > (size_t)-1 / 4 || !ws__group_of(l, ws__group_name(group))) return 0;
    if (n > sizeof few) {
        big = ws__shared_raw(l->cfg, n);
        if (!big) return 0;
        at = WS__DATA(big);
    }
    (fill)(user, at, n);
    took = ws_http_publish(l, group, except, at, n);
    if (big) ws__shared_release(big);
    return took;
}

WS_API int ws_broadcast(ws_loop *l, ws_conn *except, int op, const void *data, size_t n)
{
    ws__news w;
    uint32_t i;
    int took = 0;

    if (!l || !ws__news_valid(op, data, n)) return 0;
    w = ws__news_of(l->cfg, -1, op, data, n);
    for (i = 1; i <= l->heap_count; i++)
        if (l->heap[i] != except && !WS__HAS(l->heap[i], WS__IS_CLIENT))
            took += ws__offer(l->heap[i], &w);
    ws__news_end(&w);
    return took;
}

#endif /* WS_NO_SERVER */

WS_API int ws_publish_latest(ws_loop *l, const char *group, int slot, int op,
                             const void *data, size_t n)
{
    ws__news w;

    if (!l || slot < 0 || !ws__news_valid(op, data, n)) return 0;
    w = ws__news_of(l->cfg, slot, op, data, n);
    return ws__publish(l, group, NULL, &w);
}

WS_API void ws_shutdown(ws_loop *l, int code, const char *reason, uint32_t deadline_ms)
{
    uint32_t i;

    if (!l || l->stopping) return;
    ws__unlisten_all(l);
    for (i = 1; i <= l->heap_count; i++) {
        ws_conn *c = l->heap[i];
        if (WS__HAS(c, WS__DEAD)) continue;
        if (c->phase < WS__PHASE_FRAMES && !WS__HAS(c, WS__IS_CLIENT))
            ws__fail(c, WS_ERR_SHUTDOWN);
        else if (ws_close(c, code, reason) == WS_ERR_ARGUMENT)
            ws_close(c, WS_CLOSE_GOING_AWAY, NULL);
    }
    l->stopping = 1;
    l->stop_at = deadline_ms == WS_NEVER ? UINT64_MAX : ws__clock() + deadline_ms;
}

WS_API size_t ws_remote(const ws_conn *c, char *buf, size_t n)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    ws__text t;

    if (!buf || !n) return 0;
    *buf = 0;
    t = ws__text_in(buf, n);
    memset(&a, 0, sizeof a);
    if (c && c->more && c->more->remote)
        ws__puts(&t, c->more->remote);
    else if (!c || c->fd == WS__NO_SOCK || getpeername(c->fd, (struct sockaddr *)&a, &size))
        return 0;
    else if (a.ss_family == AF_UNIX)
        ws__puts(&t, "unix");
    else
        ws__put_address(&t, (struct sockaddr *)&a, (size_t)size);
    return (size_t)(t.at - buf);
}

#endif /* WS_NO_SOCKETS */

WS_API void ws_free(ws_conn *c)
{
    if (!c) return;
#ifndef WS_NO_SOCKETS
    if (c->loop) { ws__loop_drop(c); return; }
#endif
    ws__free_now(c);
}

#endif /* WS_IMPLEMENTED_ */
#endif /* WS_IMPLEMENTATION */

/* ==== >>history ========================================================================
   0.1.0  engine and drivers, handshake control, proxies, groups, plain HTTP, TLS, compression */

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

/* ws.h - v0.2.0 - WebSocket client and server in one header (RFC 6455). MIT, see the end.

DO THIS
    In ONE source file, before the include:

        #define WS_IMPLEMENTATION
        #include "ws.h"

    Everywhere else include it plainly. C99 or C++11. Nothing else to build, nothing to
    link (Windows, 7 SP1 or later: -lws2_32 -lbcrypt; BSD, and Linux with a glibc before
    2.34: -lpthread, or WS_NO_THREADS).

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
                    >>small    WS_TINY: a small connection in place of >>api to >>net
    Implementation  >>impl      includes, platform, which annexes are compiled in
      leaves        >>util      small things everything below uses
                    >>hash      SHA-1, base64
                    >>utf8      incremental validator
                    >>mask      masking
                    >>wire      frame header
                    >>http      HTTP heads, token lists, bodies that come in
                    >>url       URLs, addresses
      core          >>core      RFC 6455: frames, closing, keepalive, opening
                    >>seams     what may be called of each annex
      connection    >>conn      its parts, its memory
                    >>settings  the configuration: checked, copied
                    >>queue     output that waits
                    >>make      made and freed
                    >>send      frames out, failing, messages in parts
                    >>shake     opening handshake, both roles
                    >>recv      frames in, events out
                    >>time      deadlines
      drivers       >>engine    public bodies of >>api
                    >>socket    sockets of POSIX and Windows
                    >>drive     one connection over a socket or your functions
                    >>loop      many connections
      annexes       >>facts     what a connection can tell
                    >>blocking  one connection that waits: ws_connect, ws_recv
                    >>poller    epoll, kqueue or poll
                    >>posts     what other threads tell a loop
                    >>foreign   other descriptors in a loop, a loop in other loops
                    >>adopt     sockets that come from elsewhere, or go there
                    >>dial      from a URL to a connected socket
                    >>reconnect redirects, new tries
                    >>proxy     CONNECT, SOCKS5
                    >>listen    accepting, listening sockets
                    >>deflate   permessage-deflate; zlib as its codec
                    >>extend    extensions in use: negotiation, encoding, decoding
                    >>begin     connections whose handshake others did
                    >>groups    groups, broadcasts, latest-only slots
                    >>routes    which path, what our own proxies say, headers that stay
                    >>serve     a server's answers to HTTP, cookies, queries
                    >>source    messages that a function of yours gives
                    >>file      answers that a function of yours gives, ranges
                    >>fetch     a client's ordinary HTTP
                    >>mbedtls   TLS by mbedTLS
                    >>sane      what always holds, for tests
                    >>words     what errors are called
                    >>tiny      WS_TINY: a small connection on the core, alone
    The end         >>history  >>license

WHAT IT DOES
    The whole of RFC 6455 in both roles: opening handshake, masking, fragments, control
    frames, closing handshake, UTF-8 validation, close codes. Plain HTTP answers on the
    same port, whole or streamed; an HTTP client; event streams with ws_sse.h. Clients go
    through HTTP and SOCKS5 proxies, follow redirects, and come back when lost. wss://
    with mbedTLS, or any TLS through cfg.wrap. permessage-deflate (RFC 7692) with zlib or
    a codec of yours; extensions of your own. It has no global state, prints nothing and
    never calls exit(). Its only threads look up host names, one each; they touch nothing
    of yours.

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
        (HTTP PART* WRITABLE*)* ([REQUEST] OPEN ...)? CLOSE          (a server with HTTP)
    CLOSE comes exactly once and last, also when the opening handshake failed. A client
    with cfg.reconnect gives ([OPEN (MESSAGE | ...)*] DOWN)* before: the same connection
    tries again and again, until you close it, or nothing can help (URL, ARGUMENT, NO_TLS,
    MEMORY).

MEMORY, LIFETIMES, LIMITS
    ev.data and ev.reason are valid until the next pull (ws_next, ws_recv, ws_poll),
    ws_feed or ws_step on the same connection or loop. Pass pointers from ev.data straight
    to ws_send: large ones go out without a copy.
    A connection from ws_client_new, ws_server_new, ws_connect or ws_open is yours:
    ws_free it. A connection of a loop belongs to the loop, which frees it on the pull
    after its CLOSE; you may ws_free it earlier, also while handling its event.
    A connection that waits holds no buffer. Heap follows the bytes received, never the
    bytes announced, and not the number of fragments or pings:
        receiving  <= 3 * (message so far, raw bytes fed) + 4 KiB, or the request's head
                   and the body so far (max_body);
                   raw bytes wait up to max_message or 16 KiB, whichever is more
        sending    <= 2.5 * max(max_backlog, max_backlog / 2 + one message), frame headers
                   included (cfg.fragment). A message shared with other connections costs
                   24 bytes, a slot of ws_send_latest 100. While more than half of
                   max_backlog waits, the connection reads nothing: a peer that does not
                   read cannot make you buffer its echo.
    These are peaks, reached only while a buffer is copied into a larger one; otherwise a
    third (receiving) or half (sending) of it. A loop has cfg.loop_buffer (1 MiB)
    + 10 KB, + 8 to 16 per connection and 40 to 80 per ws_watch, and caches up to 8 MiB of
    freed blocks for the next large messages.

ERRORS AND CLOSING
    Errors stick to the connection: you may ignore return values and look at CLOSE. A send
    that the backlog refuses is not such an error; ev.refused of CLOSE counts them. A
    blocking client waits instead.
    What can fail returns 0, or where something is pulled 1, and 0 for nothing more, or a
    length or number; a negative WS_ERR_ when it fails (see ws_error_string). A pointer is
    then NULL, a descriptor -1.
    Every function takes NULL and failed connections. After a protocol error the peer gets
    a Close frame with the right code, you get CLOSE with .error set, .reason naming the
    fault.

SECURITY
    Every client frame is masked with a fresh key from the system's source (or
    cfg.random); if that fails nothing is sent. Browsers' Origin must match Host unless
    cfg.origins says otherwise. All limits hold before memory is taken. CR, LF and NUL in
    your strings never reach a header. The opening handshake has an absolute deadline. TLS
    verifies chain and host name; wss:// without TLS compiled in or injected is an error
    before any byte leaves.

CHOICES (where libraries differ)
    A server takes the first of the client's offered subprotocols that it speaks, compared
    exactly, and none otherwise. A client that offered some fails when none is chosen,
    unless cfg.protocol_optional.
    Sends before OPEN are queued. A Close frame without a code is code 1005, never 1000;
    the peer's code is reported as it came, and answered with the same.
    Codes that ws_close takes: 1000..1003, 1007..1014, 3000..4999.
    A client's unmasked frame is a fault, 1002; nothing switches that off.
    Any input at all counts as the answer to a ping. Version 13; a client may ask for 8.

THREADS, TIME, RANDOM
    No locks, no file-scope state: use a connection or a loop from one thread at a time,
    and as many of them on as many threads as you like. Only ws_post, ws_post_to and
    ws_wake may be called from any thread. Times are milliseconds of a monotonic
    clock; with the engine alone you tell them (ws_tick), also as a 32-bit counter that
    wraps. After fork a child may call ws_loop_free, and nothing else: anything more would
    end or change connections of its parent.

SWITCHES (define before every include, or "impl" before the one with WS_IMPLEMENTATION)
    WS_IMPLEMENTATION  impl  compile the bodies here
    WS_STATIC                all functions static: private to the files with the bodies
    WS_TINY                  a small connection for firmware: see >>small
    WS_NO_SOCKETS            no sockets, no clock, no system random: the engine alone
    WS_NO_MALLOC             no malloc: cfg.memory is required
    WS_NO_CLIENT             leave out the client role
    WS_NO_SERVER             leave out the server role
    WS_NO_HTTP               leave out bodies of HTTP: ws_http_ calls but for refusals by
                             ws_reject, cfg.method, ws_body, event streams
    WS_NO_TEXT         impl  errors have no words: their texts are empty
    WS_NO_EXTENSIONS   impl  leave out cfg.deflate and cfg.extensions (6 KB of code)
    WS_NO_SIMD         impl  portable C only
    WS_NO_THREADS      impl  looking a host name up blocks, instead of taking a thread
    WS_USE_MBEDTLS     impl  wss:// by mbedTLS (link -lmbedtls -lmbedx509 -lmbedcrypto)
    WS_USE_ZLIB        impl  zlib is the codec of cfg.deflate; link with -lz
    WS_TRACE(c, text, n)     impl  a macro of yours, for a log: sees openings, frames
                             (n: the first byte), errors (n: WS_ERR_), ends (n: the code)
    WS_ASSERT(truth)         impl  a macro of yours: checks the library's own invariants
*/

/* The bodies, and they alone, ask Linux for more than -std=c99 shows: accept4,
   getaddrinfo. If a plain include came first, its headers are asked again. */
#if defined(__linux__) && defined(WS_IMPLEMENTATION) && !defined(WS_IMPLEMENTED_) && \
    !defined(_GNU_SOURCE) && !defined(WS_NO_SOCKETS) && !defined(WS_TINY)
#define _GNU_SOURCE
#undef _FEATURES_H
#endif

#ifndef WS_H_INCLUDED
#define WS_H_INCLUDED

/* ==== >>config ====================================================================== */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if UINT_MAX < 0xFFFFFFFF && !defined(WS_NO_SOCKETS)
#error "ws.h: int has 16 bits here; its drivers need 32, with WS_NO_SOCKETS it does not"
#endif

#ifdef WS_TINY
#ifndef WS_NO_SOCKETS
#define WS_NO_SOCKETS
#endif
#ifndef WS_NO_MALLOC
#define WS_NO_MALLOC
#endif
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

/* ==== >>version ===================================================================== */

#define WS_VERSION_MAJOR 0
#define WS_VERSION_MINOR 2
#define WS_VERSION_PATCH 0
#define WS_VERSION_STRING "0.2.0"

/* ==== >>types ======================================================================= */

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
    WS_OP_PLAIN = 64                 /* added to TEXT or BINARY when sending: this message
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

/* Every error: name (enum WS_ERR_name, negative), what a peer is told (a close code, or
   an HTTP status in the opening handshake, or 0 for nothing), sentence. */
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
    X(NO_TLS,               0, \
      "wss:// needs TLS: define WS_USE_MBEDTLS, or set cfg.wrap") \
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
    X(NO_CODEC,             0, \
      "cfg.deflate needs a codec, and none is compiled in or given") \
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
    X(FRAGMENTS,         1008, "message of more than max_fragments frames") \
    X(BODY_SIZE,          413, "HTTP body larger than max_body") \
    X(ABSENT,               0, "there is none")

#define WS__ERROR_NUMBER(name, tell, text) WS__NUMBER_##name,
enum { WS__NUMBER_OK, WS_ERRORS(WS__ERROR_NUMBER) WS__NUMBER_END };
#define WS__ERROR_ENUM(name, tell, text) WS_ERR_##name = -WS__NUMBER_##name,
enum { WS_OK = 0, WS_ERRORS(WS__ERROR_ENUM) WS_ERR_LAST_ = -WS__NUMBER_END };

/* Kinds of event. */
enum {
    WS_EV_NONE = 0,
    WS_EV_OPEN,       /* handshake done: ws_header_value until the next pull */
    WS_EV_MESSAGE,      /* op (TEXT: valid UTF-8, or BINARY), data, size */
    WS_EV_PING,         /* data, size (0..125); already answered */
    WS_EV_PONG,         /* data, size (0..125) */
    WS_EV_WRITABLE,     /* after WS_ERR_BACKLOG: the backlog has drained; or what waited
                           at ws_want_writable has gone */
    WS_EV_HTTP,         /* server: not a WebSocket request; ws_http_reply before the next
                           pull (with cfg.ask: or later), else it is answered 426, or 404
                           where cfg.routes has nothing. data, size: its body, up to
                           cfg.max_body. last = 0: the body comes in PART events
                           (cfg.body_parts), and the answer is due after the last */
    WS_EV_CLOSE,        /* last: code, reason, clean, error */
    WS_EV_REQUEST,      /* server with cfg.ask: ws_accept or ws_reject it, now or later */
    WS_EV_PART,         /* a piece of a message (cfg.parts_over, cfg.frames) or of a body
                           of HTTP: op, data, size, first, last; TEXT may be cut inside a
                           character */
    WS_EV_DOWN,     /* client with cfg.reconnect: lost or not reached; fields as in CLOSE.
                       The next try comes in retry_in ms; OPEN, or DOWN again, follows.
                       What waited to be sent is gone, ws_send is WS_ERR_STATE until OPEN.
                       ws_close: CLOSE follows at once, with the fields of this DOWN */
    WS_EV_POST,       /* ws_post from another thread: data is the pointer; conn is NULL */
    WS_EV_READY,        /* a descriptor of ws_watch: fd, wants; data is its user pointer;
                           conn is NULL */
    WS_EV_WAKE          /* a signal interrupted the wait, or ws_wake: look at your own
                           flags; conn is NULL */
};

#ifdef _WIN32
typedef uintptr_t ws_socket;                /* a SOCKET */
#else
typedef int ws_socket;                      /* a file descriptor */
#endif

typedef struct ws_event {
    int type;           /* WS_EV_ */
    int op;             /* MESSAGE: WS_OP_TEXT or WS_OP_BINARY */
    ws_conn *conn;
    const void *data;   /* "" when size is 0. A NUL stands behind it in MESSAGE, PART,
                           PING, PONG and HTTP, which size does not count */
    size_t size;        /* bytes */
    int first, last;    /* PART: 1 if it begins, ends its message or body. HTTP: last is 1
                           if the body is whole, or there is none */
#ifndef WS_TINY
    int retry_in;       /* DOWN: milliseconds */
#endif
    int code;        /* CLOSE: what the peer sent, or WS_CLOSE_NO_CODE, WS_CLOSE_ABNORMAL;
                        what we sent after an error of the peer; 0 after plain HTTP */
#ifndef WS_TINY
    int opened;         /* CLOSE, DOWN: 1 if OPEN was given */
#endif
    int clean;        /* CLOSE: 1 if Close frames went both ways (or HTTP was answered) */
    int error;          /* CLOSE: 0 or WS_ERR_ */
#ifndef WS_TINY
    uint32_t refused;   /* CLOSE, DOWN: messages and parts that met WS_ERR_BACKLOG or
                           WS_ERR_BUSY since OPEN, or were cut off by ws_close */
#endif
    const char *reason; /* CLOSE: the peer's reason, else the error's text; never NULL */
#ifndef WS_TINY
    ws_socket fd;       /* READY */
    int wants;          /* READY: WS_WANT_ bits of what may be done without blocking */
#endif
} ws_event;

/* One header line. Arrays of them end with { NULL, NULL }. What only the library writes
   is WS_ERR_ARGUMENT wherever headers are sent: Host (see cfg.host), Connection, Upgrade,
   Transfer-Encoding, Content-Length (but see ws_http_reply, ws_http_begin), and
   Sec-WebSocket-Key, -Version, -Accept, -Protocol (see cfg.protocols), -Extensions. */
typedef struct ws_header {
    const char *name, *value;
} ws_header;

#ifndef WS_TINY

/* A place where WebSockets are served. Arrays of them end with { NULL, NULL, 0 }. */
typedef struct ws_route {
    const char *path;       /* "/chat"; a '*' at its end stands for any rest, a '*' before
                               a '/' for the rest of its segment, not empty; no other '*'.
                               The query does not count; case and percent-encoding do */
    const char *protocol;   /* subprotocol it speaks: only for clients that offer it.
                               NULL: for all others, whatever cfg.protocols says */
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
    /* Bytes written (0..n), or WS_IO_. What was not taken comes again: the same bytes,
       perhaps at another address, perhaps with more behind them; at most 16384. */
    ptrdiff_t (*write)(void *user, const void *buf, size_t n);
    /* Called once when the connection is done with it. */
    void (*close)(void *user);
    /* Blocking client only: waits until one of wants (WS_WANT_ bits) holds or timeout
       milliseconds passed (-1: forever). NULL: sleeps a millisecond, and a send that
       waits for room only writes. */
    void (*wait)(void *user, int wants, int timeout);
    void *user;
    /* 1 while read has something for which nothing below becomes readable: TLS has
       decrypted it already. NULL: after each success read is called once more. */
    int (*pending)(void *user);
    /* After WS_IO_ERROR, and when time ran out: what stands in the way, in words; or
       NULL. */
    const char *(*why)(void *user);
} ws_io;

/* Bits of ws_wants. */
enum { WS_WANT_READ = 1, WS_WANT_WRITE = 2 };

/* A per-message extension (RFC 6455 9): how it is negotiated, and how it changes
   messages. Arrays of pointers to them end with NULL. All functions but end are required;
   the first argument is user; they must leave connections alone. Each state is bytes of
   ours, aligned to 8, one for each direction.

   encode and decode work in steps: *in_size bytes are there, *out_size bytes (64 or more)
   may be written; they set both to what they took and wrote. They return 1 when what
   flush or last asks for is done, all taken and all written; 0 to be called again: with
   more room if out is full, else with more input; or an error. A step with input, flush
   or last that neither takes nor writes is a fault. decode returns WS_ERR_DECODE for
   bytes that are the peer's fault (1007), and may set *out_size to what it wrote before
   them, less than all; every other error and fault is ours (WS_ERR_CODEC, 1011). */
typedef struct ws_extension {
    const char *name;           /* a token */
    int rsv;          /* the reserved bit of its messages: RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    int required;            /* 1: no connection without it (a client closes with 1010) */
    uint32_t threshold;         /* smaller messages, in bytes, are sent without it */
    int only_smaller;   /* 1: so are messages that it does not make smaller (where each
                           starts over); else it may give at most 2 * size + 4096 bytes */
    void *user;                 /* yours; what it points to is not copied */
    /* Client: writes the parameters of its i-th (0..3) offer, "; a=1; b", as a string to
       buf of 256 bytes, n of them. 0, or -1: there are no more. */
    int (*offer)(void *user, int i, char *buf, size_t n);
    /* Server: takes an offer with such parameters (0), writes those of the answer, and
       what was agreed in a form of its own; or declines (-1). May be asked twice in a
       handshake. */
    int (*accept)(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed);
    /* Client: 0 if the parameters of an answer are good, or -1: the handshake fails. */
    int (*confirm)(void *user, ws_str answer, uint32_t *agreed);
    /* Bytes of state for messages out (encode = 1) or in (0). 0: none is ever encoded.
       *alone: 1 if every message starts over, so that the state lives only as long as a
       message. */
    size_t (*state_size)(void *user, uint32_t agreed, int encode, int *alone);
    /* Initialises a state; returns 0 or an error. May be called again on a used state:
       when a message could not be sent (with cfg.drop_oldest: for each) the encoder
       starts over, so the peer's decoder must accept a fresh stream at any message. */
    int (*begin)(void *user, uint32_t agreed, int encode, void *state);
    /* flush: 0 more of the message follows, 1 a part ends: the peer must be able to
       decode all so far, 2 the message ends. */
    int (*encode)(void *user, void *state, const void *in, size_t *in_size,
                  void *out, size_t *out_size, int flush);
    /* last: the message ends with this input. */
    int (*decode)(void *user, void *state, const void *in, size_t *in_size,
                  void *out, size_t *out_size, int last);
    /* A state is no longer used. May be NULL. */
    void (*end)(void *user, int encode, void *state);
} ws_extension;

/* DEFLATE without header (RFC 1951) for permessage-deflate. Its state, aligned to 8,
   holds all it needs and is let go without a word. Steps as in ws_extension. */
typedef struct ws_codec {
    /* Bytes of state for windows of 2^bits (8..15) bytes, mem_level 1..9; 0: not
       possible. What inflates may use a larger window; what deflates must not. */
    size_t (*deflate_size)(int bits, int mem_level);
    size_t (*inflate_size)(int bits);
    /* 0, or anything else on failure. size: from above; level 1..9. */
    int (*deflate_init)(void *state, size_t size, int bits, int mem_level, int level);
    int (*inflate_init)(void *state, size_t size, int bits);
    /* flush: writes all that was taken and ends it with 00 00 FF FF (zlib's
       Z_SYNC_FLUSH), once; then 1. */
    int (*deflate)(void *state, const void *in, size_t *in_size, void *out,
                   size_t *out_size, int flush);
    /* 1: room is left and the input stands between two blocks, or it cannot tell; 2:
       behind a final block. What follows one is decoded too. WS_ERR_DECODE: not
       DEFLATE. */
    int (*inflate)(void *state, const void *in, size_t *in_size, void *out,
                   size_t *out_size);
} ws_codec;

/* permessage-deflate (RFC 7692). Zero it, then set what you care about. */
typedef struct ws_deflate {
    const ws_codec *codec;              /* NULL: zlib's, with WS_USE_ZLIB */
    int server_no_context_takeover; /* 1: each message of the server, of the client, is */
    int client_no_context_takeover;     /* compressed alone: larger, but no state between
                                           them */
    int server_max_window_bits;    /* 9..15 (8: if the codec can), 15: window of 2^bits */
    int client_max_window_bits;     /* bytes; a server then declines clients without it */
    int level;                          /* 1 fast .. 9 small, 6 */
    int mem_level;                      /* 1 little memory .. 9 fast, 8 */
    int required;                 /* 1: no connection without it (a client closes 1010) */
    uint32_t threshold;            /* smaller messages are sent as they are, 1024 bytes */
} ws_deflate;

#endif /* WS_TINY */

/* "Off" for a limit or a time of ws_config. */
#define WS_NO_LIMIT 0xFFFFFFFFu
#define WS_NEVER    0xFFFFFFFFu

/* Bytes of a message or frame; machines of 64 bits can say more than 4 GiB. */
#if SIZE_MAX > 0xFFFFFFFF && !defined(WS_TINY)
typedef uint64_t ws_limit;
#else
typedef uint32_t ws_limit;
#endif

#ifndef WS_TINY

/* Settings. Zero it, then set what you care about: 0 always means the default. Everything
   is copied when a connection, loop or listener is made; nothing needs to stay alive.
   Times are milliseconds, at most 2^29 (6 days). A field marked "server", "listener" or
   "client" that is set for another role is WS_ERR_ARGUMENT, whose text names it. So is a
   field about connecting (reconnect, proxy ...) where the bytes are yours to carry. */
typedef struct ws_config {
    ws_limit max_message;       /* bytes, 1 MiB, with parts_over WS_NO_LIMIT; larger is
                                   refused with 1009 */
    ws_limit max_frame;         /* payload bytes of a frame, WS_NO_LIMIT; larger: 1009 */
    uint32_t max_fragments;     /* frames of a message, 4096: 16 MiB of ws_send_from. Of
                                   one that comes in parts: those since its last part with
                                   bytes */
    uint32_t max_head;          /* bytes of HTTP head, 8192 */
    uint32_t max_headers;       /* header lines, 64 */
    uint32_t max_backlog;       /* bytes, in frames, that may wait to be sent, 1 MiB */
    uint32_t max_body;          /* server: bytes of an ordinary request's body, 65536;
                                   larger is answered 413 unless body_parts takes it. Not
                                   with WS_NO_HTTP: bodies are left unread */
    uint32_t max_requests;      /* server: ordinary requests of one connection, 1. More
                                   let it go on after an answer (HTTP/1.1 keep-alive):
                                   handshake_timeout is the time for each request, and for
                                   the wait before it; ws_user stays. The last answer says
                                   "Connection: close": so do those to HTTP/1.0, to who
                                   asks for an Upgrade, and bodies that are neither in
                                   chunks nor of a size that the library knows */
    uint32_t max_connections;   /* listener: WS_NO_LIMIT; more are answered 503 (a flood
                                   of them without an event); in TLS they are closed */
    uint32_t max_per_address;   /* listener: from one IPv4 address or one IPv6 network
                                   of 64 bits, WS_NO_LIMIT; then 503. The socket's address
                                   counts: behind a proxy the proxy's */

    uint32_t handshake_timeout; /* from start to OPEN, over lookup, every address, proxy
                                   and redirects, 10000; the error's text says what took
                                   so long */
    uint32_t ping_interval;     /* a ping after so long without input, 20000 */
    uint32_t ping_timeout;      /* dead when no input so long after it, 20000 */
    uint32_t close_timeout;     /* for the peer's part of closing, from when our Close has
                                   left, 5000. What is queued before it may leave as long
                                   as the peer takes 1 KiB/s, judged every close_timeout
                                   by what its system acknowledged (Linux, macOS, FreeBSD;
                                   in lumps of perhaps 95 KB on loopback; elsewhere, with
                                   four times the patience, by what ours took). A client
                                   that has said all waits 1000 at most for the server to
                                   end TCP (RFC 6455 7.1.1) */
    uint32_t idle_timeout;      /* close 1001 after so long without a message, WS_NEVER */
    uint32_t send_timeout;      /* blocking client: ws_send waits for room, 30000; then
                                   the connection ends with WS_ERR_SEND_TIMEOUT. A peer
                                   that takes 1 KiB/s is waited for as long as it does,
                                   judged each time */

    uint32_t loop_buffer; /* loop: bytes that it reads into and writes from in a turn,
                            half each; 0: 1 MiB; at least 4096 */
    uint8_t ask;         /* server: 1 gives WS_EV_REQUEST, and lets WS_EV_HTTP wait too */
    uint8_t body_parts;       /* server: 1 gives bodies of more than max_body as PART
                                 events behind WS_EV_HTTP, of any size. Answer when the
                                 last has come, or before: the rest is then not read */
    const ws_route *routes; /* server: NULL every path; else WebSockets at other paths get
                               404; an empty list: none are served. Plain HTTP is
                               WS_EV_HTTP at any path, with id 0 */
    uint32_t trusted_proxies;   /* server: so many proxies in front write X-Forwarded-For,
                                   and no request comes past them; ws_remote then tells
                                   the client's address, and X-Forwarded-Host counts for
                                   origins. Not with memory */
    uint8_t reuse_port;       /* listener: 1 shares the port with other loops that ask for
                                 it too; Linux and FreeBSD spread connections over them */

    ws_limit parts_over;     /* messages of more bytes come as PART events, WS_NO_LIMIT */
    uint32_t fragment;   /* ws_send cuts messages into frames of this size, WS_NO_LIMIT */
    uint8_t frames;             /* 1: every data frame comes as one PART event */
    uint8_t manual_pong;        /* 1: you answer PING events with ws_pong yourself */
    uint8_t drop_oldest;       /* 1: a full backlog loses its oldest whole messages ... */
    uint8_t drop_slow;          /* 1: ... or closes the connection with 1013 */

    const char *method;     /* client: "GET", "POST" ...: an ordinary HTTP request instead
                               of a WebSocket (see "ordinary HTTP as a client") */
    const void *body;           /* client with method: the request's body, or NULL */
    size_t body_size;
    int version;                /* client: Sec-WebSocket-Version to ask for, 13 (or 8) */
    uint32_t max_redirects; /* client: answers 301, 302, 303, 307, 308 followed, 0: none.
                               To another host, port or scheme go no credentials (of the
                               URL; Authorization, Cookie, Proxy-Authorization of headers)
                               and no cfg.host; never from wss to ws. See ws_url_of */
    uint32_t reconnect;  /* client: ms before the first new try, doubled each time up to
                            reconnect_max; waited is half to all of it, by chance. After a
                            connection that lasted longer it starts over. 0: no tries */
    uint32_t reconnect_max;     /* ms, 30000 */
    uint8_t retry_after;        /* client with reconnect: 1 waits after 429, 502, 503 and
                                   504 as Retry-After says (in seconds; a date is not
                                   understood); a reader of events, which otherwise stops
                                   at every refusal, then comes back after these */
    uint8_t refusal_final;      /* client with reconnect: 1 gives CLOSE, not DOWN, when
                                   the server refuses (WS_ERR_STATUS); with retry_after
                                   not after 429, 502, 503 and 504 */
    uint8_t protocol_optional;  /* client: 1 connects if the server chooses none of its
                                   subprotocols */
    uint8_t for_stream;         /* private: 1 asks for an event stream, for ws_sse.h */
    uint32_t retry_max;       /* ms that a server may ask a client to wait before its next
                                 try, by Retry-After or an event stream's retry, 300000 */
    const char *proxy;          /* client: "http://user:password@host:3128",
                                   "socks5://host"; "env": from http_proxy, https_proxy,
                                   all_proxy, no_proxy. Gets the server's name, looks it
                                   up. Not with cfg.io or cfg.memory. WS_ERR_PROXY:
                                   ws_status and its headers can be read */
    const ws_header *proxy_headers;     /* sent with CONNECT; Proxy-Authorization instead
                                   of the URL's user */

    const ws_deflate *deflate;  /* permessage-deflate; NULL: off */
    const ws_extension *const *extensions;  /* your own, in order of preference, before
                                   deflate: one of them is used. Copied, but for what user
                                   points to */
    const char *protocols;    /* subprotocols "a, b": offered, or supported by a server */
    const char *origins;       /* server: NULL same host as Host (with trusted_proxies, as
                                  X-Forwarded-Host), or none sent; "*" any; else a list of
                                  origins, "https://a.example, https://b.example:8443",
                                  whose host may begin with "*." for all below it; "same"
                                  stands for that host, "null" and "file://" for pages
                                  from disk. What can never match is WS_ERR_ARGUMENT */
    const char *keep_headers;   /* server: names of request headers, "Cookie, User-Agent",
                                   whose lines stay as long as the target does. Not with
                                   memory */
    const char *origin;         /* client: Origin to send, NULL none */
    const char *host;           /* client: Host to send, NULL from the URL */
    const ws_header *headers;   /* sent with our part of the opening handshake; Origin
                                   instead of cfg.origin, Authorization instead of the
                                   URL's user */

    /* Client: looks a host name up in your own way; ws_resolved(c, ...) gives the answer,
       from inside or later. NULL: getaddrinfo, on a thread of its own unless
       WS_NO_THREADS. */
    void (*resolve)(void *user, ws_conn *c, const char *host);
    void *resolve_user;

    /* Client: may it connect to this address: "192.0.2.1:80", "[2001:db8::1]:443" or
       "unix:/path"? However the host was spelled or looked up, and after redirects too;
       an IPv4 address in IPv6 is shown as IPv4. 0 refuses it; the next one of the name is
       tried. With cfg.proxy it is the proxy's: the proxy looks the server's name up. */
    int (*allow_address)(void *user, ws_conn *c, const char *address);
    void *allow_address_user;

    /* Client: sees each socket before it connects, to bind it to an address of this
       machine or to set options; a descriptor or a SOCKET. */
    void (*on_socket)(void *user, intptr_t socket);
    void *on_socket_user;

    ws_io io;             /* transport, instead of a socket; for wss:// it does the TLS */

    /* TLS of another library. Called for each connection of a listener (or ws_adopt) when
       it is accepted, and for each client of wss:// (or https://) when its socket is
       connected and the tunnel through a proxy is open; before that, if the proxy itself
       is https://. io reads and writes the bytes of the socket, and does so until
       io.close: keep a copy, and put functions of your own in its place. The library
       closes the socket, after your io.close, which says goodbye (close_notify) without
       waiting. host: whom the peer must prove to be, and its SNI; NULL: we are the
       server. Returns 0, or anything else to fail with WS_ERR_TLS. Not with cfg.memory or
       cfg.io. */
    int (*wrap)(void *user, ws_conn *c, ws_io *io, const char *host);
    void *wrap_user;

    /* TLS by mbedTLS: see ws_tls_new. A listener with it speaks TLS only; a client of
       wss:// or https:// needs it for other than the system's authorities. Not with
       cfg.memory or cfg.io. */
    struct ws_tls *tls;

    void *user;                 /* first value of ws_user */

    /* Fills buf with n unpredictable bytes; returns 0, or anything else on failure. NULL:
       the system's source; without one (WS_NO_SOCKETS) a client cannot be made. */
    int (*random)(void *user, void *buf, size_t n);
    void *random_user;

    /* One function for all memory: like realloc, told the old size; new_size 0 frees and
       returns NULL. NULL: realloc and free. */
    void *(*alloc)(void *user, void *old, size_t old_size, size_t new_size);
    void *alloc_user;

    /* All memory of one connection: WS_MEMORY_SIZE bytes, at any address. No allocation
       then (but by the system, to look a host name up); max_message and the answer's head
       are bounded by the receive size. To connect over sockets takes 512 bytes of that or
       more. */
    void *memory;
    size_t memory_size;
    size_t memory_send;         /* part of it for output, bytes; 1/3 */
    size_t memory_extension;    /* more of it, for deflate or extensions: states, 1 KiB,
                                   and the largest decoded message, or part of one
                                   (parts_over) */
} ws_config;

/* Bytes for cfg.memory: room for messages of recv bytes in, and send bytes waiting to go
   out (the opening handshake included), and for 300 bytes of strings and headers in cfg.
   cfg.memory_extension comes on top. */
#define WS_MEMORY_SIZE(recv, send) \
    (((size_t)(recv) + (size_t)(send) + WS_MEMORY_OVERHEAD + 7) / 8 * 8)
#define WS_MEMORY_OVERHEAD (1280 + 128 * sizeof(void *))

#endif /* WS_TINY */

/* ==== >>codec ======================================================================= */

/* The leaves, usable without a connection. None allocates. */

#ifdef WS_TINY
typedef uint32_t ws__length;    /* private; what does not fit is WS_ERR_MESSAGE_SIZE */
#else
typedef uint64_t ws__length;
#endif

/* A frame header (RFC 6455 5.2). */
typedef struct ws_frame {
    ws__length size;    /* payload bytes, 0 .. 2^63 - 1 */
    uint8_t fin;        /* 1: last frame of its message */
    uint8_t rsv;        /* reserved bits, RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    uint8_t op;         /* 0..15 */
    uint8_t masked;     /* 1: key is present */
    uint8_t key[4];
} ws_frame;

#define WS_FRAME_HEADER_MAX 14

/* Reads a header from n bytes; key is zeros in a frame without one. Returns its size
   (2..14), 0 when more bytes are needed, WS_ERR_LENGTH or WS_ERR_LENGTH_SIGN for a length
   that is not allowed, with WS_TINY WS_ERR_MESSAGE_SIZE for one of 4 GiB or more. *frame
   means nothing unless the result is positive. */
WS_API int ws_frame_decode(const void *data, size_t n, ws_frame *frame);

/* Writes the header to out (room for 14 bytes), lengths in their shortest form. Returns
   its size, or WS_ERR_LENGTH_SIGN when size is over 2^63 - 1. */
WS_API int ws_frame_encode(const ws_frame *frame, void *out);

/* dst[i] = src[i] ^ key[(offset + i) % 4] for n bytes. dst may be src; otherwise they
   must not overlap. Any alignment. */
WS_API void ws_mask(void *dst, const void *src, size_t n, const uint8_t key[4],
                    size_t offset);

/* Validates UTF-8 (RFC 3629) piece by piece: *state is 0 at the start, and again whenever
   the bytes so far end with a whole character. Returns n, or the index of the first byte
   that no valid text can have there; *state is then 1 and every later call returns 0. */
WS_API size_t ws_utf8(uint32_t *state, const void *data, size_t n);

/* base64 (RFC 4648 4, padded), canonical alone: writes at most n / 4 * 3 bytes; returns
   how many, or WS_ERR_ARGUMENT. */
WS_API ptrdiff_t ws_base64_decode(const char *text, size_t n, void *out);

/* Sec-WebSocket-Accept for a key of 24 characters, which needs no NUL (RFC 6455 4.2.2):
   28 characters and a NUL. */
WS_API void ws_accept_key(const char *key, char accept[29]);

/* Incremental scanner for the head of an HTTP/1 message: start line, header lines, blank
   line. Zero it, set the limits, then call ws_head_scan with the head from its first byte
   each time more has come; only new bytes are looked at. Strict: lines end with CR LF; no
   bare CR or LF, no NUL or other control characters but tab in values, no folded lines,
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

/* Takes the next parameter off "; name; name=value; name="value"" of an extension (RFC
   6455 9.1), whose first ';' stands before the first name; value (may be NULL) is a
   string, "" without one. Returns 1, 0 at the end, or, and then nothing more can be
   taken, WS_ERR_EXTENSION (malformed) or WS_ERR_ARGUMENT (value does not fit n bytes with
   its NUL). */
WS_API int ws_param_next(ws_str *params, ws_str *name, char *value, size_t n);

/* 1 if the text equals s; ASCII letters are the same in either case. */
WS_API int ws_str_is(ws_str text, const char *s);

/* 1 if one element of a comma-separated list is token, in either case. */
WS_API int ws_list_has(ws_str list, const char *token);

/* A parsed URL; the pieces point into the text. */
typedef struct ws_url {
    ws_str scheme;          /* "ws", "wss", "http", "https", "ws+unix" */
    ws_str user, password;  /* still percent-encoded; data NULL if absent. Sent as Basic
                               credentials */
    ws_str host;        /* IPv6 without brackets, with "%25" and a zone if it has one (RFC
                           6874); ws+unix: path of the socket, on Linux also "@name" */
    ws_str target;     /* path and query; may be empty or begin with '?': put "/" first */
    uint16_t port;          /* 80 or 443 by default, 0 for ws+unix */
    uint8_t secure;         /* wss, https */
    uint8_t ipv6;           /* host is an IPv6 literal */
    uint8_t is_unix;        /* ws+unix */
    uint8_t default_port;   /* the port is the scheme's own */
} ws_url;

/* ws://host, wss://user:password@host:8443/path?query, ws://[::1]:80/, http and https
   alike, ws+unix:/run/app.sock:/path. Returns 0 or WS_ERR_URL: unknown scheme, no host,
   bad port (1..65535), control characters, spaces or non-ASCII, or a #fragment (RFC 6455
   3). */
WS_API int ws_url_parse(const char *text, size_t n, ws_url *url);

#ifndef WS_TINY

#ifndef WS_NO_CLIENT

#define WS_TUNNEL_SIZE 8192

/* The way to a server through a proxy: HTTP CONNECT (RFC 9110 9.3.6) or SOCKS5 (RFC 1928,
   1929). Connected to the proxy, write what ws_tunnel_output has, feed what comes, until
   result is not 0. cfg.proxy does it all; this is for transports of your own. */
typedef struct ws_tunnel {
    int result;             /* 0 under way, 1 open, or the WS_ERR_ it failed with */
    int status;             /* the proxy's HTTP status or SOCKS5 reply, 0 without one */
    char text[48];          /* of a failure: "proxy answered 407" */
    uint32_t head_size;     /* bytes of buf that are the proxy's HTTP head, for
                               ws_head_field */
    uint32_t pos, end, got, part[3];    /* the rest is private */
    ws_head scan;
    uint8_t stage;
    char buf[WS_TUNNEL_SIZE];
} ws_tunnel;

/* proxy: "http://user:password@host:port", user and password percent-encoded; https://
   (the TLS is yours), socks5:// and socks5h:// alike, "host:port" is http. Connecting to
   it is yours too, by default at port 80, 443 or 1080. host (an IPv6 address without
   brackets) and port of the server, which the proxy looks up; headers for CONNECT, may be
   NULL. Returns 0, WS_ERR_URL (proxy not understood) or WS_ERR_ARGUMENT (all else, or too
   long), which result is then too; text may be empty. */
WS_API int ws_tunnel_init(ws_tunnel *t, const char *proxy, const char *host,
                          uint16_t port, const ws_header *headers);

/* What waits to go to the proxy, *n bytes, and how many of them went. */
WS_API const void *ws_tunnel_output(const ws_tunnel *t, size_t *n);
WS_API void ws_tunnel_output_done(ws_tunnel *t, size_t n);

/* Takes n bytes from the proxy. Returns the bytes taken: never any behind its answer, and
   none while output waits. */
WS_API size_t ws_tunnel_feed(ws_tunnel *t, const void *data, size_t n);

/* The proxy ended the connection. */
WS_API void ws_tunnel_feed_end(ws_tunnel *t);

#endif /* WS_NO_CLIENT */

/* ==== >>api ========================================================================= */

/* ---- making and freeing ---- */

/* A client that will speak to url. Does no I/O: its request waits in ws_output. cfg may
   be NULL. Never NULL unless memory is out; other faults stick to it (ws_error) and come
   as its CLOSE event. What only a driver can do is WS_ERR_ARGUMENT: reconnect,
   max_redirects, proxy, resolve, on_socket, allow_address (with cfg.io too). */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg);
#endif

/* A server end for one accepted stream. NULL when memory is out. Neither does TLS, also
   of wss:// and with cfg.tls: what you carry are the bytes inside; ws_tls_wrap goes
   around. */
#ifndef WS_NO_SERVER
WS_API ws_conn *ws_server_new(const ws_config *cfg);
#endif

/* Ends it at once, without closing handshake (after ws_close what can be written now
   still is), and frees it. NULL is fine. A connection of a loop gives no further events
   and may be freed while its event is handled. */
WS_API void ws_free(ws_conn *c);

/* ---- bytes in, events out, bytes out (engine) ---- */

/* Takes up to n bytes from the peer, copied. Returns the bytes taken: less than n while
   events wait to be pulled, or while output must drain first. Bytes after the end are
   taken and dropped. */
WS_API size_t ws_feed(ws_conn *c, const void *data, size_t n);

/* The bytes ws_feed would take now. 0 once the connection is closed. */
WS_API size_t ws_feed_room(const ws_conn *c);

/* The peer's stream has ended: no more input will come. */
WS_API void ws_feed_end(ws_conn *c);

/* Pulls the next event. Returns 1, or 0 when there is none now. */
WS_API int ws_next(ws_conn *c, ws_event *ev);

/* What waits to go to the peer: *n bytes (0 if none), valid until the next call on c.
   Never NULL. */
WS_API const void *ws_output(ws_conn *c, size_t *n);

/* Says that the first n bytes of ws_output were written. */
WS_API void ws_output_done(ws_conn *c, size_t n);

/* 1 when all output was taken and the stream should be closed for good. */
WS_API int ws_finished(const ws_conn *c);

/* Tells the time, in milliseconds of any steady clock; 32-bit counters may wrap. Call it
   at least when ws_timeout has passed, and before ws_close: deadlines count from the time
   told last. The first call starts them. A loop tells its connections itself. */
WS_API void ws_tick(ws_conn *c, uint64_t now);

/* Milliseconds until ws_tick (or ws_step) is due, 0 if overdue, -1 for never. */
WS_API int ws_timeout(const ws_conn *c);

/* ---- sending: 0, or a negative WS_ERR_ and nothing was sent ---- */

/* Queues one message; op is WS_OP_TEXT (data must be UTF-8, not checked) or WS_OP_BINARY,
   with WS_OP_PLAIN if it is not to be compressed. Before OPEN none is. Data is copied, or
   written before the driver returns to you. A client may send before OPEN: it is queued.
   WS_ERR_BACKLOG: more than half of max_backlog waits already and it would not fit; a
   WRITABLE event follows. A blocking client waits for room instead, and reads meanwhile
   what ws_recv gives later (cfg.send_timeout). WS_ERR_STATE: closing or closed. */
WS_API int ws_send(ws_conn *c, int op, const void *data, size_t n);

/* ws_send of a NUL-terminated string as text. */
WS_API int ws_send_text(ws_conn *c, const char *text);

/* ws_send of count pieces as one message, without joining them first. */
WS_API int ws_sendv(ws_conn *c, int op, const ws_str *pieces, int count);

/* One frame of a message whose size is not known yet. The first call begins the message,
   last != 0 ends it (n may be 0); op stays the same. Until then other messages are
   WS_ERR_BUSY; pings, pongs and ws_close pass. After WS_ERR_BACKLOG call again with the
   same part. */
WS_API int ws_send_part(ws_conn *c, int op, const void *data, size_t n, int last);

/* Sends a message that is pulled from read as the peer takes it, in frames of up to 4096
   bytes: never more than one of them is held; a peer of this library puts max_fragments
   of them together. read returns like ws_io.read: bytes (1..n), 0 at the end, WS_IO_ERROR
   to fail (1011), WS_IO_WANT_READ for nothing yet: call ws_send_from again with the same
   arguments to go on. user must stay valid until read returned 0 or WS_IO_ERROR, or the
   connection is closed or lost (DOWN). read must leave c alone. Without allocation
   (cfg.memory): WS_ERR_MEMORY. */
WS_API int ws_send_from(ws_conn *c, int op,
                        ptrdiff_t (*read)(void *user, void *buf, size_t n), void *user);

/* ws_send of a value that replaces the older one of the same slot (0 or more, a number of
   yours) as long as nothing of that was written: a slow peer gets the newest, in the
   older one's place, never a queue of old ones. The cost grows with the number of slots
   in use. Not with cfg.memory (WS_ERR_MEMORY). Compressed only where each message is
   alone. */
WS_API int ws_send_latest(ws_conn *c, int slot, int op, const void *data, size_t n);

/* Asks for one WS_EV_WRITABLE when all that waits now has been written, whatever is sent
   after it: completion. */
WS_API void ws_want_writable(ws_conn *c);

/* Control frames, 0..125 bytes. The library pings and answers pings by itself. ws_ping
   with data NULL sends a payload of the library's own, whose pong sets ws_rtt. */
WS_API int ws_ping(ws_conn *c, const void *data, size_t n);
WS_API int ws_pong(ws_conn *c, const void *data, size_t n);

/* Starts the closing handshake after what is queued. code: 1000..1003, 1007..1014 or
   3000..4999, else WS_ERR_ARGUMENT; 0 sends an empty Close frame. reason: UTF-8 or NULL,
   cut at a character before 123 bytes. What a source (ws_send_from) has not given yet
   goes no more; ev.refused of CLOSE counts it. Keep pulling until CLOSE. */
WS_API int ws_close(ws_conn *c, int code, const char *reason);

/* Ends it at once, without closing handshake; CLOSE follows (1006). Queued output is
   lost; but after ws_close what can be written at once still is, the Close frame (with
   the engine it stays in ws_output). */
WS_API void ws_drop(ws_conn *c);

/* Holds output back until ws_uncork or closing, so that many small messages leave in one
   write. For the blocking client, which otherwise writes each at once; a loop does the
   like in every turn by itself. What is held counts as backlog. ws_output shows it all
   the same. Does nothing before OPEN. */
WS_API void ws_cork(ws_conn *c);
WS_API void ws_uncork(ws_conn *c);

/* Stops and starts taking messages (flow control). Nothing is lost; the opening handshake
   and new tries go on. */
WS_API void ws_pause(ws_conn *c);
WS_API void ws_resume(ws_conn *c);

#ifndef WS_NO_SERVER

/* ---- answering requests (server) ---- */

/* What ws_accept adds to the configured answer. */
typedef struct ws_answer {
    const char *protocol;  /* one of the offered subprotocols; "" none; NULL: the route's,
                              or the first offered one that cfg.protocols names */
    const ws_header *headers;   /* besides cfg.headers; NULL none */
} ws_answer;

/* Answers a WS_EV_REQUEST, at once or later (the handshake deadline runs): OPEN follows.
   answer may be NULL. WS_ERR_ARGUMENT: bad headers, or a subprotocol that was not
   offered. */
WS_API int ws_accept(ws_conn *c, const ws_answer *answer);

/* Refuses a WS_EV_REQUEST or WS_EV_HTTP with an HTTP status (300..599), and text (may be
   NULL) for a person. headers may be NULL. CLOSE follows with WS_ERR_REJECTED. */
WS_API int ws_reject(ws_conn *c, int status, const ws_header *headers, const char *text);

#ifndef WS_NO_HTTP

/* Answers a WS_EV_HTTP, then closes, or with cfg.max_requests waits for the next request.
   body and headers may be NULL; HEAD gets no body. Adds Connection: close unless it stays
   and, where headers have none, Content-Length (one of theirs must be true; to HEAD it
   tells the size of the body left out), Content-Type: text/plain, Allow to 405. */
WS_API int ws_http_reply(ws_conn *c, int status, const ws_header *headers,
                         const void *body, size_t n);

/* ---- streamed answers (server): event streams, downloads ---- */

/* n bytes of an answer that stand at that place, to buf. Returns how many there are now,
   1 to n; 0 or WS_IO_ERROR: it cannot, and the client sees its answer cut off. n 0, and
   buf NULL: the last call, nothing more is read. It must leave the connection alone. */
typedef ptrdiff_t ws_file_reader(void *user, uint64_t at, void *buf, size_t n);

/* Answers a WS_EV_HTTP with size bytes that read gives as the peer takes them: of a file,
   of flash. A client may ask for one part of them (Range, If-Range with the ETag or
   Last-Modified of headers: 206, or 416; RFC 9110 14); HEAD gets the head alone. Adds
   Content-Length, Content-Range, Accept-Ranges. Then the connection closes, or waits for
   the next request, as after ws_http_reply; a peer that takes nothing for ping_timeout
   fails. What else the peer sends waits until then. Conditions (If-None-Match) are for
   you to judge. user must stay valid until the last call of read, which comes when all
   was read, at the latest when the connection is freed; after an error returned here it
   is never called. Not with cfg.memory: WS_ERR_MEMORY. ws_content_type has the type of a
   name; take no path from a URL without looking it up in a list of yours. */
WS_API int ws_http_file(ws_conn *c, const ws_header *headers, uint64_t size,
                        ws_file_reader *read, void *user);

/* Answers a WS_EV_HTTP with a head whose body follows from ws_http_write, whenever it
   comes, until ws_http_end, ws_close, or the peer goes (a peer that ends only its own
   sending counts as gone, as it does for nginx and Node); then CLOSE, or with
   cfg.max_requests, behind a body in chunks, the next request. ws_state is WS_STATE_OPEN
   meanwhile; what the peer sends is dropped, and then CLOSE it is. chunked: 1 for a body
   in chunks if the request is HTTP/1.1; else it ends with the connection, and headers may
   say its Content-Length. For a HEAD request, and with status 204 or 304, the head is all
   there is: the answer has ended. */
WS_API int ws_http_begin(ws_conn *c, int status, const ws_header *headers, int chunked);

/* Private: of ws_sse.h. The same, and the lines of more that headers does not say
   itself. */
WS_API int ws__http_begin(ws_conn *c, int status, const ws_header *headers,
                          const ws_header *more, int chunked);

/* Queues n bytes of the body; all or nothing, by the rules of ws_send. */
WS_API int ws_http_write(ws_conn *c, const void *data, size_t n);
WS_API int ws_http_end(ws_conn *c);

/* ws_http_write of n bytes that fill writes to where they will be sent from: no other
   memory is needed. It must write them all, and leave the library alone. */
WS_API int ws_http_fill(ws_conn *c, size_t n,
                        void (*fill)(void *user, void *at, size_t n), void *user);

/* Writes text whenever ms milliseconds passed without a write, so that proxies keep the
   connection and a dead peer is noticed: one that takes nothing for ms and ping_timeout.
   WS_NEVER: no more of that. */
WS_API int ws_http_beat(ws_conn *c, const char *text, uint32_t ms);

#endif /* WS_NO_HTTP */
#endif /* WS_NO_SERVER */

/* ---- ordinary HTTP as a client ----

   With cfg.method, ws_connect, ws_open and ws_dial send that request. OPEN tells an
   answer of 200..299 (ws_status, ws_header_value); its body comes in PART events (op
   BINARY, chunks undone), the last one perhaps empty; then CLOSE with clean = 1. Other
   answers are CLOSE with WS_ERR_STATUS, and ws_body. Redirects, proxies, deadlines and
   reconnection are those of a WebSocket; after 301, 302 and 303 any request but HEAD
   becomes a GET without body. Messages cannot be sent; ws_close ends it at once. */

#ifndef WS_NO_CLIENT
/* A header line of the next tries of a client with cfg.reconnect, in place of those of
   that name in cfg.headers, and of the one set before; value "": none at all of that
   name; NULL: cfg.headers as they are. Both are copied. 0, or nothing changed:
   WS_ERR_ARGUMENT (not fit for a header, or cfg.memory) or WS_ERR_MEMORY. */
WS_API int ws_reconnect_header(ws_conn *c, const char *name, const char *value);

/* This try counts as a success, however short it was: the next one comes ms later, or up
   to a quarter more by chance. ms takes the place of cfg.reconnect: while tries fail it
   is doubled up to cfg.reconnect_max (or ms, if that is more), and no wait is shorter
   than ms. A wait that runs already is not changed. */
WS_API void ws_reconnect_delay(ws_conn *c, uint32_t ms);
#endif

/* ---- handshakes that others did ---- */

/* Begins at OPEN: for a stream whose opening handshake is done, by another HTTP server
   that wrote the 101 itself or by an HTTP/2 library (RFC 8441, which has none). Call it
   for a new connection of ws_server_new, ws_adopt or the engine's ws_client_new, before
   it has parsed or sent anything; the next pull gives OPEN. Who writes the 101 has
   checked the request: version, key, Origin. protocol: the subprotocol that was chosen,
   NULL: none. extensions: what was agreed, as in Sec-WebSocket-Extensions of the answer,
   NULL: none; the configuration must have it, and what it requires must be among it.
   Strings are copied. There are no headers. Returns 0, or changes nothing:
   WS_ERR_ARGUMENT, WS_ERR_STATE (too late, or not such a connection),
   WS_ERR_EXTENSION, WS_ERR_MEMORY. */
WS_API int ws_begin(ws_conn *c, const char *protocol, const char *extensions);

/* ---- asking ---- */

WS_API int ws_state(const ws_conn *c);              /* WS_STATE_ */
WS_API int ws_done(const ws_conn *c);         /* 1 after CLOSE was pulled, and for NULL */
WS_API int ws_error(const ws_conn *c);              /* 0 or the first WS_ERR_ */
WS_API const char *ws_error_text(const ws_conn *c); /* valid as long as c, "" without
                                                       error; names the field of a bad
                                                       ws_config */
WS_API const char *ws_error_string(int error);     /* the sentence of a WS_ERR_; static */
WS_API int ws_is_client(const ws_conn *c);
WS_API const char *ws_url_of(const ws_conn *c); /* where redirects led; "" for a server */
WS_API const char *ws_protocol(const ws_conn *c);   /* chosen subprotocol, "" for none */
WS_API const char *ws_extensions(const ws_conn *c); /* in use, as answered; "" for none */
WS_API const char *ws_close_text(int code);     /* "going away" for 1001; static, or "" */
WS_API int ws_version(const ws_conn *c);         /* of the protocol: 13, or cfg.version */
WS_API size_t ws_buffered(const ws_conn *c);        /* bytes waiting to be sent */
WS_API int ws_rtt(const ws_conn *c);        /* last round trip of our ping in ms, or -1 */
WS_API int ws_is_paused(const ws_conn *c);
WS_API void *ws_user(const ws_conn *c);             /* your pointer */
WS_API void ws_set_user(ws_conn *c, void *user);

/* The opening handshake, from its event (REQUEST until it is answered, OPEN, HTTP, or
   CLOSE or DOWN after a refusal) until the next pull; afterwards empty. method and
   target: the request line; path: the target without its query, "/" for that of "OPTIONS
   *"; "" on a client. Target and path stay as long as a server's connection after OPEN or
   ws_http_begin (not with cfg.memory), and with them the lines of cfg.keep_headers; a
   target other than "/" or, with cfg.routes, its route's path costs its length. status:
   the HTTP status a client got, 0 if none. body: server, at HTTP: the whole body, as in
   the event; client, at CLOSE or DOWN after a refusal: what came behind the head, at most
   WS_BODY_MAX bytes, chunks undone. While a request's body comes in PART events all of
   these stay, until it is answered. */
WS_API const char *ws_method(const ws_conn *c);
WS_API const char *ws_target(const ws_conn *c);
WS_API ws_str ws_path(const ws_conn *c);
WS_API int ws_status(const ws_conn *c);
WS_API ws_str ws_body(const ws_conn *c);

#define WS_BODY_MAX 4096

/* Progress of a body that comes in PART events, of a request or an answer: its bytes so
   far, those on show included. *all (may be NULL): the bytes that were announced, -1 if
   nobody knows (chunks; until the stream ends). Until the pull after the last PART; 0
   where there is no body. */
WS_API uint64_t ws_body_got(const ws_conn *c, int64_t *all);

/* Value of the first header line of that name (without case); data is NULL if absent. */
WS_API ws_str ws_header_value(const ws_conn *c, const char *name);

/* Walks all header lines: *pos is 0 at first. 1 with name and value, 0 at the end. */
WS_API int ws_header_next(const ws_conn *c, size_t *pos, ws_str *name, ws_str *value);

/* Walks the elements of the comma-separated lists in all header lines of that name:
   offered subprotocols ("Sec-WebSocket-Protocol"), Accept ... Zero *walk at first. 1 with
   the next element, 0 at the end. */
typedef struct ws_walk {
    size_t pos;             /* private */
    ws_str list;
} ws_walk;

WS_API int ws_header_walk(const ws_conn *c, const char *name, ws_walk *walk,
                          ws_str *item);

/* The i-th (0..) of these elements alone; data is NULL past the end. Each call walks from
   the start: for all of them use ws_header_walk. */
WS_API ws_str ws_header_item(const ws_conn *c, const char *name, int i);

/* A cookie the client sent, a parameter of the query, with percent-encoding (and in
   queries '+') undone, as a string in buf of n bytes. The first of that name, compared as
   it came. Returns its length, WS_ERR_ABSENT (also where it cannot be a string: a NUL in
   it), or WS_ERR_ARGUMENT: no room. */
WS_API int ws_cookie(const ws_conn *c, const char *name, char *buf, size_t n);
WS_API int ws_query(const ws_conn *c, const char *name, char *buf, size_t n);

/* A field of a form, by the rules of ws_query: of a WS_EV_HTTP whose body is
   application/x-www-form-urlencoded (or says no Content-Type). WS_ERR_ABSENT also for
   every other event, and for other types: a form with files (multipart/form-data) is not
   taken apart. */
WS_API int ws_form(const ws_event *ev, const char *name, char *buf, size_t n);

/* The value of a Set-Cookie header. Zero it, then set what you need. */
typedef struct ws_set_cookie {
    const char *name, *value;   /* value: any text, percent-encoded where need be */
    const char *path, *domain, *expires, *same_site;    /* NULL: left out */
    long max_age;               /* seconds, 0: left out; below 0: delete the cookie */
    int secure, http_only;
} ws_set_cookie;

/* Writes it to buf of n bytes, with a NUL. Returns the length, or WS_ERR_ARGUMENT: a name
   or an attribute with characters that are not allowed, or no room. */
WS_API int ws_cookie_format(const ws_set_cookie *cookie, char *buf, size_t n);

#ifndef WS_NO_HTTP
/* The media type of a file, by the end of its name (without case; a query behind it does
   not count): a Content-Type for ws_http_reply. Text is said to be UTF-8. Static;
   "application/octet-stream" for what is not known, and for NULL. */
WS_API const char *ws_content_type(const char *path);
#endif

/* id of the route that a server's connection came through, 0 without routes. */
WS_API int ws_route_id(const ws_conn *c);

/* ---- requests that another HTTP server parsed ---- */

/* 1 if a whole request head asks for a WebSocket (GET, Connection: upgrade, Upgrade:
   websocket): hand it over with ws_feed or ws_adopt, which then check the rest. */
WS_API int ws_is_upgrade(ws_str head);

/* Writes a request head from parsed pieces to buf of n bytes, with a NUL. Returns its
   size, or WS_ERR_ARGUMENT: no room, or characters that cannot be in a head. headers may
   be NULL. */
WS_API int ws_head_format(char *buf, size_t n, const char *method, const char *target,
                          const ws_header *headers);

/* ==== >>tls ========================================================================= */

/* TLS by mbedTLS 2.28 or 3.x, with WS_USE_MBEDTLS where the bodies are compiled. What is
   here holds whom to trust and who we are, for any number of listeners and connections of
   one thread: their cfg.tls. Its memory comes from mbedTLS. It speaks TLS 1.2 and later,
   sends the host name (SNI), verifies chain and host name, and resumes sessions. */
typedef struct ws_tls ws_tls;

/* A certificate with those of its issuers behind it, and its private key. Each is PEM
   text or the name of a file. Arrays of them end with { NULL, NULL }. */
typedef struct ws_tls_pair {
    const char *cert, *key;
} ws_tls_pair;

/* Zero it, then set what you need. */
typedef struct ws_tls_config {
    const char *ca;        /* authorities: PEM text or the name of a file. NULL: a client
                              trusts the system's (the file that SSL_CERT_FILE names, or
                              where systems keep them; none on Windows), a server asks for
                              no certificate. With it clients must show one of theirs */
    const char *cert, *key;     /* who we are: a server must, a client may say so, to
                                   whoever asks: also a proxy, and where redirects lead */
    const ws_tls_pair *others;  /* server: further ones, taken when they name the host
                                   that the client asks for and cert does not */
    int client_may_be_unknown;  /* server with ca: 1 takes clients without certificate as
                                   well */
    int insecure_trust_everyone;    /* client: 1 verifies nothing. Whoever sits on the
                                   line can then read and change all of it */
} ws_tls_config;

/* Reads the files; set may be NULL. Never NULL: failures stick, and whoever is to use it
   fails with its error (WS_ERR_TLS, WS_ERR_MEMORY; WS_ERR_NO_TLS without WS_USE_MBEDTLS)
   and text. */
WS_API ws_tls *ws_tls_new(const ws_tls_config *set);

/* Gives up your share of it; listeners and connections keep theirs as long as they
   last. */
WS_API void ws_tls_free(ws_tls *tls);

/* What is wrong with it, "" if nothing. */
WS_API const char *ws_tls_error_text(const ws_tls *tls);

/* Puts TLS around a ws_io of your own: before, io carries the raw bytes (and must until
   it is closed); afterwards it takes and gives what is inside. host: client: whom to
   verify; NULL: we are the server. The handshake comes with the first bytes. tls may be
   freed right after. For cfg.io; cfg.tls does it for sockets. Returns 0, WS_ERR_MEMORY or
   WS_ERR_TLS. */
WS_API int ws_tls_wrap(ws_tls *tls, ws_io *io, const char *host);

/* Writes the subject of the peer's certificate ("CN=alice, O=Example") to buf with a NUL.
   Returns its length; WS_ERR_ABSENT: no certificate, or no TLS; WS_ERR_ARGUMENT: no room.
   A server has verified it. */
WS_API int ws_tls_peer(const ws_conn *c, char *buf, size_t n);

/* ==== >>net ========================================================================= */

#ifndef WS_NO_SOCKETS

/* ---- blocking client ---- */

/* Connects and shakes hands, waiting up to handshake_timeout, or until a signal
   interrupts: ws_state is then WS_STATE_CONNECTING, and ws_recv continues it. Never
   NULL unless memory is out; a failure sticks to the connection and comes as its CLOSE
   event (with cfg.reconnect, as its DOWN event: only the first try is waited for). With
   cfg.io, no socket is made, and never more bytes are read than the protocol needs, so
   that a blocking read function serves; for ordinary HTTP it must return what is there
   instead of waiting for all. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_connect(const char *url, const ws_config *cfg);
#endif

/* Sends what waits and returns the next event: 1, or 0 after timeout milliseconds (-1:
   forever) without one, WS_ERR_STATE after CLOSE was pulled, or WS_ERR_ARGUMENT (also for
   a connection of a loop). A signal that interrupts the wait makes WS_EV_WAKE. */
WS_API int ws_recv(ws_conn *c, ws_event *ev, int timeout);

/* ---- client in your own poll loop ---- */

/* Starts connecting. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_open(const char *url, const ws_config *cfg);

/* Answers cfg.resolve, from inside it (where nothing else may be called for c) or later:
   addresses "192.0.2.1, 2001:db8::1", tried in this order; NULL or "": there are none.
   Returns 0, WS_ERR_ARGUMENT if one is no address, or WS_ERR_STATE if c does not wait for
   it. */
WS_API int ws_resolved(ws_conn *c, const char *addresses);
#endif

/* A server end for a connected socket that somebody else accepted, with the n bytes of
   the request (and what follows) that were already read from it; data may be NULL. loop:
   its events come out of ws_poll; NULL: drive it yourself like ws_open's. It now owns fd
   and closes it. With cfg.io, io moves the bytes, fd only tells when to try (-1: your own
   loop calls ws_step), and io.close closes it. With cfg.tls or cfg.wrap nothing may have
   been read from it: n is 0. cfg.memory is only for loop NULL (WS_ERR_ARGUMENT in CLOSE);
   the block is free again after ws_free. NULL when memory is out: fd is still yours. */
#ifndef WS_NO_SERVER
WS_API ws_conn *ws_adopt(ws_loop *loop, ws_socket fd, const void *data, size_t n,
                         const ws_config *cfg);
#endif

/* Takes the socket out of the library: at WS_EV_HTTP or WS_EV_REQUEST, for another server
   to answer, or after WS_EV_OPEN, to speak raw bytes. Returns it, non-blocking and yours
   to close (cfg.io is left alone too), or -1 while output waits or a message or a body is
   half received, after a body in chunks, and with TLS around the socket. *rest: the n
   bytes that came from it and were not used (before OPEN: all, with the request's head),
   valid until the next pull, which gives CLOSE. */
WS_API ws_socket ws_detach(ws_conn *c, const void **rest, size_t *n);

/* The socket to wait for, -1 if none. Until OPEN, and after DOWN, it may be another one
   after each ws_step, also of the same number. */
WS_API ws_socket ws_fd(const ws_conn *c);
WS_API int ws_wants(const ws_conn *c); /* WS_WANT_ bits: when to call ws_step. 0: do not
                                          poll ws_fd now: a hang-up would be reported
                                          forever */

/* Moves bytes and time without blocking; then pull with ws_next. */
WS_API void ws_step(ws_conn *c);

/* ---- loop ---- */

/* cfg: alloc is used for the loop itself, loop_buffer says how large its buffers are; may
   be NULL. NULL when memory or descriptors are out. */
WS_API ws_loop *ws_loop_new(const ws_config *cfg);

/* Ends every connection at once and frees everything. The one call that a forked child
   may make for a loop of its parent, whose connections it leaves alone. */
WS_API void ws_loop_free(ws_loop *loop);

#ifndef WS_NO_SERVER
/* Listens on "host:port", ":port" (every address), "[::1]:port", "unix:/path", or on
   Linux "unix:@name" (abstract: no file). A socket file that nobody answers any more is
   replaced, any other file is an error; ours goes when the listener ends. Port 0 lets the
   system choose. Returns a listener number >= 0 or a negative WS_ERR_, see
   ws_loop_error_text. */
WS_API int ws_listen(ws_loop *loop, const char *address, const ws_config *cfg);

/* The port a listener got, 0 for a unix socket. */
WS_API int ws_listen_port(const ws_loop *loop, int listener);

/* New certificates for a listener of cfg.tls: connections accepted from now on use tls,
   the others keep what they have. Returns 0, WS_ERR_ARGUMENT, or WS_ERR_TLS: tls has an
   error, and the old one stays. */
WS_API int ws_listen_tls(ws_loop *loop, int listener, ws_tls *tls);

/* Stops listening and closes that socket; its connections stay. */
WS_API void ws_unlisten(ws_loop *loop, int listener);
#endif

/* Starts a client connection in the loop; its events come out of ws_poll. NULL when
   memory is out, or after ws_shutdown; every other failure comes as CLOSE. cfg.io and
   cfg.memory are not for a loop's clients: WS_ERR_ARGUMENT. */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_dial(ws_loop *loop, const char *url, const ws_config *cfg);
#endif

/* The next event of any connection. Waits up to timeout milliseconds (-1: forever).
   Returns 1, 0 when none came in time, or a negative WS_ERR_. A signal that interrupts
   the wait makes WS_EV_WAKE. */
WS_API int ws_poll(ws_loop *loop, ws_event *ev, int timeout);

/* The same, waiting until ws_loop_now would be when. */
WS_API int ws_poll_until(ws_loop *loop, ws_event *ev, uint64_t when);

/* Hands a pointer to the loop: it comes out of ws_poll as WS_EV_POST, those of one thread
   in their order. Like ws_wake it may be called by any thread, and on POSIX by a signal
   handler; the loop must not be freed before it returns. Returns 0, WS_ERR_ARGUMENT (loop
   is NULL), or WS_ERR_BACKLOG when too many wait (more than 500; Windows 128). What is
   not pulled before ws_loop_free is forgotten, not freed. */
WS_API int ws_post(ws_loop *loop, void *message);

/* Makes ws_poll return soon with WS_EV_WAKE; calls that come before it does make one
   event. For any thread and any signal handler, by the rules of ws_post. To stop a
   server: set a flag of yours, then ws_wake. Returns 0 or WS_ERR_ARGUMENT. */
WS_API int ws_wake(ws_loop *loop);

/* A number of a connection that no other in this loop has, also when this one is gone:
   for other threads, and for whatever outlives it. 0 without a loop, or when memory is
   out. It costs some 200 bytes from the first call on. */
WS_API uint64_t ws_id(ws_conn *c);

/* The connection of that number; NULL when its CLOSE was pulled, or it was freed. */
WS_API ws_conn *ws_find(ws_loop *loop, uint64_t id);

#ifndef WS_NO_MALLOC
/* ws_send to the connection of that number, from any thread: data is copied, and sent by
   the ws_poll that comes to it. If the connection is gone by then, which no other thread
   can know, the copy is dropped; if it does not take it (backlog, closing, ordinary
   HTTP), ev.refused counts it. Order as by ws_post. Returns 0, WS_ERR_ARGUMENT,
   WS_ERR_MEMORY, or WS_ERR_BACKLOG as ws_post does. Copies are made by malloc, whatever
   cfg.alloc is. Not for signal handlers. */
WS_API int ws_post_to(ws_loop *loop, uint64_t id, int op, const void *data, size_t n);
#endif

/* ---- other descriptors, other loops ---- */

/* Watches a descriptor that is not the library's: while it is ready for one of wants
   (WS_WANT_ bits), each round of ws_poll gives a WS_EV_READY for it, with user as data.
   wants 0 takes it out: do that before you close it. A hang-up or an error of it counts
   as ready for all that is wanted. Regular files, and others that cannot be waited for,
   are always ready. On Windows sockets only. Returns 0, WS_ERR_ARGUMENT (not open, or the
   loop has it already), WS_ERR_MEMORY, or WS_ERR_POLLER. */
WS_API int ws_watch(ws_loop *loop, ws_socket fd, int wants, void *user);

/* A loop inside another one: wait until this descriptor is readable, but at most for
   ws_loop_timeout, then call ws_poll(loop, &ev, 0) until it returns 0. It belongs to the
   loop: do not read or close it. -1 where the system's poller has none (poll, Windows):
   then wait for what ws_loop_polls lists. */
WS_API int ws_loop_fd(const ws_loop *loop);

/* Milliseconds until ws_poll(loop, &ev, 0) is to be called even if nothing is readable; 0
   now; -1 only then. Ask again after every call for the loop or a connection in it. Where
   ws_loop_fd is -1, at most 10. */
WS_API int ws_loop_timeout(ws_loop *loop);

typedef struct ws_polled {
    ws_socket fd;
    int wants;          /* WS_WANT_ bits; 0: only errors and hang-ups matter */
} ws_polled;

/* What the loop waits for: fills at most n of list and returns how many there are. */
WS_API size_t ws_loop_polls(const ws_loop *loop, ws_polled *list, size_t n);

/* ---- many connections ---- */

/* Walks the connections of the loop whose CLOSE was not pulled yet, clients too: after is
   NULL at first, then the last result; NULL at the end. Any of them may be sent to,
   closed or freed meanwhile, but not across a ws_poll. Those made meanwhile come last. */
WS_API ws_conn *ws_each(ws_loop *loop, ws_conn *after);

/* Puts a connection of a loop into a group, a name of 1..255 bytes; takes it out again
   (NULL: out of all). Membership ends with the connection, or with the answer of
   ordinary HTTP behind which it goes on. Joining twice or leaving
   without having joined is fine. A membership takes 48 bytes, a group 40 and its name
   while it has members. Returns 0, WS_ERR_ARGUMENT, WS_ERR_MEMORY, or WS_ERR_STATE:
   closing or closed. */
WS_API int ws_join(ws_conn *c, const char *group);
WS_API int ws_leave(ws_conn *c, const char *group);

/* How many connections are in a group, those that are closing too; who: after is NULL at
   first, then the last result, which must still be in the group; NULL at the end; and the
   groups of a connection, by number from 0: NULL data past the last. A name is valid
   until it leaves the group. */
WS_API size_t ws_group_count(ws_loop *loop, const char *group);
WS_API ws_conn *ws_group_each(ws_loop *loop, const char *group, ws_conn *after);
WS_API ws_str ws_group_at(const ws_conn *c, int number);

/* Sends to every open connection of a group but except (may be NULL); to every open
   server connection of the loop. Each takes it by the rules of ws_send; a large message
   is kept once for all. Returns how many took it: 0 also for wrong arguments. */
WS_API int ws_publish(ws_loop *loop, const char *group, ws_conn *except, int op,
                      const void *data, size_t n);
#ifndef WS_NO_SERVER
WS_API int ws_broadcast(ws_loop *loop, ws_conn *except, int op, const void *data,
                        size_t n);

#ifndef WS_NO_HTTP
/* ws_http_write to every streamed answer of a group (see ws_http_begin). fill: as for
   ws_http_fill, called at most once. */
WS_API int ws_http_publish(ws_loop *loop, const char *group, ws_conn *except,
                           const void *data, size_t n);
WS_API int ws_http_publish_fill(ws_loop *loop, const char *group, ws_conn *except,
                                size_t n, void (*fill)(void *user, void *at, size_t n),
                                void *user);
#endif
#endif

/* ws_publish by the rules of ws_send_latest. */
WS_API int ws_publish_latest(ws_loop *loop, const char *group, int slot, int op,
                             const void *data, size_t n);

/* Stops listening and closes every connection with that code (1001 is usual) and reason;
   opening handshakes get 503. Go on with ws_poll: what has not ended after deadline_ms is
   ended then. It is over when ws_loop_count is 0: ws_poll then returns 0, at once or when
   peers that were refused had up to close_timeout (5 s) to read why. Nothing can be added
   to the loop any more. */
WS_API void ws_shutdown(ws_loop *loop, int code, const char *reason,
                        uint32_t deadline_ms);

/* Monotonic milliseconds. */
WS_API uint64_t ws_loop_now(const ws_loop *loop);

/* Connections of the loop whose CLOSE was not pulled yet. */
WS_API size_t ws_loop_count(const ws_loop *loop);

/* Why ws_listen or ws_poll failed; valid until the next call. Takes NULL. */
WS_API const char *ws_loop_error_text(const ws_loop *loop);

/* Writes the peer's address ("127.0.0.1:5000", "[::1]:5000", "unix") to buf. With
   cfg.trusted_proxies and a request that has X-Forwarded-For, the address in it
   ("192.0.2.7", without a port) that the first of the proxies wrote: the one that stands
   so many places from the end, or the first. Returns its length, WS_ERR_ABSENT if it is
   unknown, or if no address stands there, or WS_ERR_ARGUMENT: no room. Whatever comes,
   buf is a string: "" without an address. */
WS_API int ws_remote(const ws_conn *c, char *buf, size_t n);

#endif /* WS_NO_SOCKETS */

#else /* WS_TINY */

/* ==== >>small ======================================================================= */

/* With WS_TINY, before every include, ws.h is one small connection for firmware: some 6
   KB of code for a client or a server, no malloc, no clock, no sockets. What stands from
   here to the end of this section takes the place of >>api, >>tls and >>net; what is not
   here does not exist and does not compile. Files that were built with WS_TINY and files
   that were not do not link.

   It keeps all the rules of RFC 6455, as the engine does: heads are strict, text is
   UTF-8 up to the first bad byte, fragments are put together, pings are answered and
   sent, closing has its codes and reasons, all has its deadline. The events are

       OPEN (MESSAGE | PART | PING | PONG | WRITABLE)* CLOSE

   PART: a message that is larger than the receive size comes in parts of that size.
   Not here: redirects, proxies, retries, TLS, compression, HTTP but for refusals by
   number, more than one subprotocol, sending before OPEN, words for errors in
   ev.reason. */

#define ws_client_new ws_client_new_tiny
#define ws_server_new ws_server_new_tiny

/* Settings. Zero it, then set what you care about: 0 always means the default. It is
   copied, but headers and protocol must stay as they are. Times are milliseconds, at most
   2^29, or WS_NEVER. */
typedef struct ws_config {
    void *memory;               /* WS_MEMORY_SIZE bytes, at any address */
    size_t memory_size;
    size_t memory_send;         /* part of it for output, bytes; 1/3 */
    const struct ws_header *headers;    /* sent with our part of the opening handshake */
    const char *protocol;       /* subprotocol: offered, then it must be agreed to; or
                                   spoken by a server to clients that offer it */
    /* Client: fills buf with n unpredictable bytes; returns 0, or anything else on
       failure (WS_ERR_RANDOM). */
    int (*random)(void *user, void *buf, size_t n);
    void *random_user;
    uint32_t max_message;       /* bytes, parts included, 1 MiB; larger: 1009 */
    uint32_t handshake_timeout; /* until OPEN, 10000 */
    uint32_t ping_interval;     /* a ping after so long without input, 20000 */
    uint32_t ping_timeout;      /* dead when no input so long after it, 20000 */
    uint32_t close_timeout;     /* for each step of closing, 5000 */
} ws_config;

/* Bytes for cfg.memory: messages of recv bytes in one piece, the peer's head of up to
   recv + 130 bytes, and send bytes waiting to go out, 131 at least; our part of the
   opening handshake must fit in these too. */
#define WS_MEMORY_SIZE(recv, send) \
    (((size_t)(recv) + (size_t)(send) + WS_MEMORY_OVERHEAD + 7) / 8 * 8)
#define WS_MEMORY_OVERHEAD (64 + 24 + 14 * sizeof(void *) + 164)

/* A client of "ws://host[:port]/path", a server end. NULL: no memory, or too little; then
   ws_error(NULL) is WS_ERR_MEMORY. Other faults come as its CLOSE event: WS_ERR_URL,
   WS_ERR_RANDOM, WS_ERR_ARGUMENT (headers, protocol), WS_ERR_MEMORY (our head does not
   fit). */
#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg);
#endif
#ifndef WS_NO_SERVER
WS_API ws_conn *ws_server_new(const ws_config *cfg);
#endif

/* It is gone, and the block is yours again. */
WS_API void ws_free(ws_conn *c);

/* Takes up to n bytes from the peer, copied: how many it took, ws_feed_room at most. */
WS_API size_t ws_feed(ws_conn *c, const void *data, size_t n);
WS_API size_t ws_feed_room(const ws_conn *c);

/* The peer's stream has ended. */
WS_API void ws_feed_end(ws_conn *c);

/* Pulls the next event: 1, or 0 when there is none now. ev.data is valid until the next
   ws_next or ws_feed. What ws_tick made due happens here. While a pong, or our part of
   closing, does not fit in the output, nothing more is read. */
WS_API int ws_next(ws_conn *c, ws_event *ev);

/* What waits to go to the peer, *n bytes, never NULL; n of them were written; 1 when all
   was taken and the stream should be closed for good. */
WS_API const void *ws_output(ws_conn *c, size_t *n);
WS_API void ws_output_done(ws_conn *c, size_t n);
WS_API int ws_finished(const ws_conn *c);

/* Tells the time, in milliseconds of any steady clock; 32-bit counters may wrap. Before
   ws_next, and when ws_timeout has passed: milliseconds, 0 if overdue, -1 for never. */
WS_API void ws_tick(ws_conn *c, uint32_t now);
WS_API int ws_timeout(const ws_conn *c);

/* Queues a message, one frame of a message, a control frame of 0..125 bytes. 0, or
   nothing was sent: WS_ERR_ARGUMENT (larger than the send size), WS_ERR_STATE (not open),
   WS_ERR_BUSY (inside a message in parts), WS_ERR_BACKLOG (what waits must go first: a
   WRITABLE event follows), WS_ERR_RANDOM (it has failed). ws_ping with data NULL sends a
   payload of the library's own. */
WS_API int ws_send(ws_conn *c, int op, const void *data, size_t n);
WS_API int ws_send_text(ws_conn *c, const char *text);
WS_API int ws_send_part(ws_conn *c, int op, const void *data, size_t n, int last);
WS_API int ws_ping(ws_conn *c, const void *data, size_t n);
WS_API int ws_pong(ws_conn *c, const void *data, size_t n);

/* Starts the closing handshake after what is queued. code: as everywhere, 0: none.
   reason: UTF-8 or NULL; it is left out where it does not fit. */
WS_API int ws_close(ws_conn *c, int code, const char *reason);

/* Ends it at once; CLOSE follows (1006). */
WS_API void ws_drop(ws_conn *c);

WS_API int ws_state(const ws_conn *c);              /* WS_STATE_ */
WS_API int ws_done(const ws_conn *c);         /* 1 after CLOSE was pulled, and for NULL */
WS_API int ws_error(const ws_conn *c);              /* 0 or the first WS_ERR_ */
WS_API const char *ws_error_string(int error);      /* static */
WS_API int ws_is_client(const ws_conn *c);
WS_API const char *ws_protocol(const ws_conn *c);   /* agreed subprotocol, "" for none */

/* From the OPEN event until the next pull, afterwards empty: a request's target without
   its query; the value of the first header line of that name. */
WS_API ws_str ws_path(const ws_conn *c);
WS_API ws_str ws_header_value(const ws_conn *c, const char *name);

#endif /* WS_TINY */

#endif /* WS_H_INCLUDED */

/* ==== Stop here if you only use the library ========================================= */

#ifdef WS_IMPLEMENTATION
#ifndef WS_IMPLEMENTED_
#define WS_IMPLEMENTED_

/* A map for maintainers.

   Who calls whom. Each row calls those below it, never above:

     drivers      ws_recv, ws_step, ws_poll: sockets, clock, waiting  >>drive >>loop
     engine       ws_feed, ws_next, ws_output, ws_tick, ws_send       >>engine
     connection   requests, frames, what waits, what is due           >>conn to >>sane
     core         RFC 6455: what a frame, a request, a moment means   >>core
     leaves       bytes to values and back                            >>util to >>url

   Two doors lead up: ws__wake tells the driver that there is output or a new deadline,
   and conn->cork is memory that a loop lends for the frames of one turn. The annexes
   behind the drivers may call all of these, which call of an annex only what >>seams
   names.

   The life of a connection, and which function moves its phase:

     HEAD     until the peer's head is whole. ws__shake_step gives it to
              ws__server_head or ws__client_head, and these to the core.
     HTTP     a server's application has a request to answer: ws__shake_step, after
              ws__server_head said so.
     FRAMES   ws__opened: from ws__shake_step, or from ws_accept.
     READING  the same, for a client of ordinary HTTP.
     BODY     ws__http_begin.
     ENDING   ws__end, from ws__close_got, ws__fail_with, ws__reply, ws_http_end.
     ENDED    ws__end or ws__close_event, when nothing is left to be sent;
              ws__fail_with when even telling the peer failed. ws__again leads a client
              back to HEAD by ws__renew, or to a pause (DOWN) first.

   ws__fail_with is the one way into failure, ws__step the one place where events are made
   from input, ws__judge the one where time makes something happen.

   Each connection has input (ws__rx) and output (ws__tx) only while it holds some. In a
   loop most never have: messages are read and written in the loop's own memory. */

/* ==== >>impl (private) ============================================================== */

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

#ifndef WS_ASSERT
#define WS_ASSERT(truth) ((void)0)
#endif

#ifndef WS_TRACE
#define WS_TRACE(c, text, n) ((void)0)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define WS__PRIVATE static __attribute__((unused))
#define WS__APART static __attribute__((noinline))  /* its frame does not add to its
                                                       caller's */
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
#pragma GCC diagnostic ignored "-Wcpp"  /* windows.h came first: mingw copes, and warns */
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
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || \
    defined(__OpenBSD__)
#include <sys/event.h>
#define WS__POLLER_KQUEUE
#else
#define WS__POLLER_POLL
#endif
#endif
/* Whether the peer takes what is sent shows in what it has acknowledged, where the system
   tells. Elsewhere it shows in room for more, which comes in lumps of a third of the
   system's buffer: then so many times the patience. */
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
#if !defined(WS_NO_CLIENT) && !defined(WS_NO_THREADS) && !defined(WS_NO_MALLOC)
#define WS__THREADS
#ifndef _WIN32
#include <pthread.h>
#endif
#endif
#if defined(__linux__) && \
    (defined(__USE_GNU) || (!defined(__GLIBC__) && defined(_GNU_SOURCE)))
#define WS__LINUX_CALLS         /* accept4, pipe2 */
#endif
#else
typedef int ws__sock;
#define WS__NO_SOCK (-1)
#endif

#ifdef WS_NO_TEXT
#define WS__WORDS 0
#else
#define WS__WORDS 1
#endif

/* Which annexes are compiled in. Tests leave out one alone by a name of WS__WITHOUT_. */
#ifdef WS_NO_HTTP
#define WS__HTTP 0
#else
#define WS__HTTP 1
#endif
#ifdef WS_NO_EXTENSIONS
#define WS__EXTENDS 0
#else
#define WS__EXTENDS 1
#endif
#if !defined(WS_NO_SOCKETS) && !defined(WS_NO_CLIENT) && !defined(WS__WITHOUT_DIAL)
#define WS__DIALS
#endif
#if !defined(WS_NO_SOCKETS) && !defined(WS_NO_CLIENT)
#define WS__WAITS
#endif
#if defined(WS__DIALS) && !defined(WS__WITHOUT_RECONNECT)
#define WS__RETRIES
#endif
#if !defined(WS_NO_CLIENT) && !defined(WS__WITHOUT_PROXY)
#define WS__PROXIES
#endif
#if !defined(WS_NO_SOCKETS) && !defined(WS_NO_SERVER) && !defined(WS__WITHOUT_LISTEN)
#define WS__LISTENS
#endif
#if !defined(WS__WITHOUT_GROUPS)
#define WS__GROUPS
#endif
#if !defined(WS_NO_SERVER) && !defined(WS__WITHOUT_ROUTES)
#define WS__ROUTES
#endif
#ifndef WS__WITHOUT_SOURCE
#define WS__SOURCES
#endif
#if WS__HTTP && !defined(WS_NO_SERVER) && !defined(WS__WITHOUT_SERVE)
#define WS__ANSWERS
#endif
#if defined(WS__ANSWERS) && defined(WS__SOURCES) && !defined(WS__WITHOUT_FILE)
#define WS__FILES
#endif
#if WS__HTTP && !defined(WS_NO_CLIENT) && !defined(WS__WITHOUT_FETCH)
#define WS__FETCHES
#endif

/* The compiler is asked for few bytes: loops go byte by byte, no short ways. */
#ifdef __OPTIMIZE_SIZE__
#define WS__SMALL
#define WS__FAST 0
#else
#define WS__FAST 1
#endif

/* Inlined, these take more bytes. */
#if defined(WS_TINY) && defined(WS__SMALL)
#define WS__INNER WS__APART
#else
#define WS__INNER WS__PRIVATE
#endif

/* 16 bytes for the compiler's vector operations, where the machine has them. */
#if !defined(WS_NO_SIMD) && !defined(WS__SMALL) && defined(__GNUC__) && \
    !defined(__TINYC__) && \
    (defined(__SSE2__) || defined(__ARM_NEON))
#define WS__VECTOR
typedef int8_t ws__vec __attribute__((vector_size(16)));

WS__PRIVATE ws__vec ws__vec_load(const uint8_t *p)
{
    ws__vec vec;
    memcpy(&vec, p, 16);
    return vec;
}

WS__PRIVATE void ws__vec_store(uint8_t *p, ws__vec vec)
{
    memcpy(p, &vec, 16);
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
    return BCryptGenRandom(NULL, (PUCHAR)buf, (ULONG)n,
                           BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0;
#elif defined(__linux__) && (!defined(__ANDROID__) || __ANDROID_API__ >= 28)
    return getentropy(buf, n) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || \
    defined(__OpenBSD__)
    arc4random_buf(buf, n);
    return 0;
#else
    int fd, bad;
#ifdef SYS_getrandom
    if (syscall(SYS_getrandom, buf, n, 0) == (long)n)
        return 0;
#endif
    fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    bad = fd < 0 || read(fd, buf, n) != (ssize_t)n;
    if (fd >= 0)
        close(fd);
    return bad;
#endif
}
#endif

/* ==== >>util ======================================================================== */

WS__PRIVATE unsigned ws__get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* n bytes to where they are wanted, which may lie in front of them, not behind. */
WS__PRIVATE void ws__copy(void *to, const void *from, size_t n)
{
#if defined(WS_TINY) && defined(WS__SMALL)
    uint8_t *at = (uint8_t *)to;
    const uint8_t *source = (const uint8_t *)from;

    while (n--)
        *at++ = *source++;
#else
    if (n)
        memmove(to, from, n);
#endif
}

/* strlen and memcmp; those of small machines' libraries are large. */
WS__PRIVATE size_t ws__size_of(const char *text)
{
#if defined(WS_TINY) && defined(WS__SMALL)
    size_t n = 0;

    while (text[n])
        n++;
    return n;
#else
    return strlen(text);
#endif
}

WS__PRIVATE int ws__same(const void *a, const void *b, size_t n)
{
#if defined(WS_TINY) && defined(WS__SMALL)
    const uint8_t *left = (const uint8_t *)a, *right = (const uint8_t *)b;

    for (; n; n--)
        if (*left++ != *right++)
            return 0;
    return 1;
#else
    return !memcmp(a, b, n);
#endif
}

WS__PRIVATE uint32_t ws__larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
/* n / by, for what is seldom asked: the division of small machines is large. */
WS__PRIVATE size_t ws__quotient(size_t n, size_t by)
{
    size_t step = by, times = 1, sum = 0;

    while (n >= step && n - step >= step) {
        step += step;
        times += times;
    }
    for (; times; times /= 2, step /= 2)
        if (n >= step) {
            n -= step;
            sum += times;
        }
    return sum;
}

WS__PRIVATE uint32_t ws__smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* 8 bytes, of which the value has the last 4 with WS_TINY. */
WS__PRIVATE ws__length ws__get64(const uint8_t *p)
{
    ws__length value = 0;
    int i;

    for (i = 0; i < 8; i++)
        value = value << 8 | p[i];
    return value;
}

WS__PRIVATE void ws__put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8 & 255);
    p[1] = (uint8_t)(value & 255);
}

WS__PRIVATE void ws__put64(uint8_t *p, ws__length value)
{
    int i;

    for (i = 7; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)(value & 255);
}

WS__PRIVATE char ws__lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

WS__PRIVATE int ws__is_digit(char c) { return c >= '0' && c <= '9'; }
WS__PRIVATE int ws__is_blank(char c) { return c == ' ' || c == '\t'; }
WS__PRIVATE int ws__is_visible(char c) { return c >= 0x21 && c <= 0x7E; }

/* A character of a token (RFC 9110 5.6.2). */
WS__PRIVATE int ws__is_token(char c)
{
    static const uint32_t set[4] = { 0, 0x03FF6CFAu, 0xC7FFFFFEu, 0x57FFFFFFu };
    unsigned u = (unsigned char)c;

    return u < 128 && (set[u >> 5] >> (u & 31) & 1);
}

WS__PRIVATE ws_str ws__str(const char *data, size_t n)
{
    ws_str str;

    str.data = data;
    str.size = n;
    return str;
}

WS__PRIVATE ws_str ws__cstr(const char *s) { return ws__str(s, s ? ws__size_of(s) : 0); }

/* The character at i, 0 behind the end. */
WS__PRIVATE char ws__at(ws_str str, size_t i) { return i < str.size ? str.data[i] : 0; }

/* The text without its first n bytes. */
WS__PRIVATE ws_str ws__from(ws_str str, size_t n)
{
    return ws__str(str.data + n, str.size - n);
}

/* Equal, byte for byte. */
WS__PRIVATE int ws__equal(ws_str a, ws_str b)
{
    return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

/* Equal, ASCII letters compared without case. */
WS__PRIVATE int ws__same_text(ws_str a, ws_str b)
{
    size_t i;

    if (a.size != b.size)
        return 0;
    for (i = 0; i < a.size; i++)
        if (ws__lower(a.data[i]) != ws__lower(b.data[i]))
            return 0;
    return 1;
}

/* Value of a hex digit, or -1. */
WS__PRIVATE int ws__hex(char b)
{
    if (ws__is_digit(b))
        return b - '0';
    b = ws__lower(b);
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* The byte that "%XX" at s.data[at] stands for, or -1. */
WS__PRIVATE int ws__percent(ws_str str, size_t at)
{
    int high, low;

    if (str.data[at] != '%' || at + 2 >= str.size)
        return -1;
    high = ws__hex(str.data[at + 1]);
    low = ws__hex(str.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Undoes percent-encoding, and with plus that of '+'. What is none is a fault if strict,
   else it stays. Returns the bytes, or -1. */
WS__PRIVATE ptrdiff_t ws__unescape(ws_str str, int plus, int strict, char *out,
                                   size_t room)
{
    size_t i, n = 0;

    for (i = 0; i < str.size; i++) {
        char b = plus && str.data[i] == '+' ? ' ' : str.data[i];
        int code = ws__percent(str, i);
        if (code >= 0) {
            b = (char)code;
            i += 2;
        } else if (strict && b == '%') {
            return -1;
        }
        if (n == room)
            return -1;
        out[n++] = b;
    }
    return (ptrdiff_t)n;
}

/* Index of the first c at or after from, or str.size. */
WS__PRIVATE size_t ws__find(ws_str str, size_t from, char c)
{
    while (from < str.size && str.data[from] != c)
        from++;
    return from;
}

/* Index of the first character at or after from that is not of a kind, or str.size. */
WS__PRIVATE size_t ws__past(ws_str str, size_t from, int (*is_of_kind)(char c))
{
    while (from < str.size && is_of_kind(str.data[from]))
        from++;
    return from;
}

/* Is each character of that kind? */
WS__PRIVATE int ws__all(ws_str str, int (*is_of_kind)(char c))
{
    return ws__past(str, 0, is_of_kind) == str.size;
}

/* text[from..to) without spaces and tabs around it. */
WS__PRIVATE ws_str ws__trim(const char *text, size_t from, size_t to)
{
    while (from < to && ws__is_blank(text[from]))
        from++;
    while (from < to && ws__is_blank(text[to - 1]))
        to--;
    return ws__str(text + from, to - from);
}

/* Builds NUL-terminated text in a buffer, cutting what does not fit. */
typedef struct ws__text { char *at, *end; int cut; } ws__text;

static void ws__put(ws__text *text, const char *s, size_t n)
{
    size_t room = (size_t)(text->end - text->at) - 1;
    if (n > room) {
        n = room;
        text->cut = 1;
    }
    ws__copy(text->at, s, n);
    text->at += n;
    *text->at = 0;
}

WS__PRIVATE ws__text ws__text_in(char *buf, size_t n)
{
    ws__text text;

    text.at = buf;
    text.end = buf + n;
    text.cut = 0;
    *buf = 0;
    return text;
}

static void ws__puts(ws__text *text, const char *s)
{
    ws__put(text, s, ws__size_of(s));
}

/* In decimal. Small machines have no division. */
WS__PRIVATE void ws__put_number(ws__text *text, uint64_t value)
{
    uint64_t powers[20] = { 1 };
    int n = 0;

    for (; n < 19 && value >= powers[n] * 10; n++)
        powers[n + 1] = powers[n] * 10;
    for (; n >= 0; n--) {
        char digit = '0';
        for (; value >= powers[n]; value -= powers[n])
            digit++;
        ws__put(text, &digit, 1);
    }
}

WS__PRIVATE void ws__put_hex(ws__text *text, uint64_t value)
{
    int shift = 60;
    while (shift && !(value >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        ws__put(text, &"0123456789abcdef"[value >> shift & 15], 1);
}

/* ---- what errors say ---- */

/* What the peer is told of an error; as a byte: an HTTP status, less 300, a close code,
   less 1000. */
#define WS__TOLD(tell) ((tell) >= 1000 ? (tell) - 1000 : (tell) ? (tell) - 300 : 0)
static int ws__error_tell(int number)
{
#define WS__ERROR_TOLD(name, tell, text) WS__TOLD(tell),
    static const uint8_t told[] = { 0, WS_ERRORS(WS__ERROR_TOLD) 0 };
    int tell = told[number];

    if (tell >= 100)
        return tell + 300;
    return tell ? tell + 1000 : 0;
}

/* ==== >>hash ======================================================================== */

WS__PRIVATE uint32_t ws__rotate(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

/* The word at that place of n bytes and their padding (FIPS 180-4 5.1.1). */
WS__INNER uint32_t ws__sha1_word(const uint8_t *p, size_t n, size_t at)
{
    uint32_t word = 0;
    size_t end = at + 4, all = ((n + 8) | 63) + 1;

#ifndef WS__SMALL
    if (end <= n)
        return (uint32_t)ws__get16(p + at) << 16 | ws__get16(p + at + 2);
#endif
    if (end == all)
        return (uint32_t)n << 3;
    if (end + 4 == all)
        return (uint32_t)((uint64_t)n >> 29);
    for (; at < end; at++) {
        word <<= 8;
        if (at < n)
            word |= p[at];
        else if (at == n)
            word |= 0x80;
    }
    return word;
}

/* The block at that place of them (FIPS 180-4 6.1.3): the schedule lives in a ring of 16
   words. */
WS__PRIVATE void ws__sha1_block(uint32_t h[5], const uint8_t *p, size_t n, size_t at)
{
    static const uint32_t add[4] = { 0x5A827999u, 0x6ED9EBA1u, 0x8F1BBCDCu, 0xCA62C1D6u };
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f, x;
    int t;

    for (t = 0; t < 80; t++) {
        int round = t * 205 >> 12;      /* t / 20 */

        if (t < 16)
            x = ws__sha1_word(p, n, at + 4 * (size_t)t);
        else
            x = ws__rotate(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^
                           w[t & 15], 1);
        w[t & 15] = x;
        if (round == 0)
            f = d ^ (b & (c ^ d));
        else if (round == 2)
            f = (b & c) | (d & (b | c));
        else
            f = b ^ c ^ d;
        x += ws__rotate(a, 5) + f + e + add[round];
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

/* SHA-1 of n bytes. */
WS__PRIVATE void ws__sha1(const void *data, size_t n, uint8_t digest[20])
{
    uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
    size_t at;
    int i;

    for (at = 0; at < n + 9; at += 64)
        ws__sha1_block(h, (const uint8_t *)data, n, at);
    for (i = 0; i < 5; i++) {
        ws__put16(digest + 4 * i, (unsigned)(h[i] >> 16));
        ws__put16(digest + 4 * i + 2, (unsigned)(h[i] & 0xFFFF));
    }
}

/* Writes (n + 2) / 3 * 4 characters and a NUL; returns the characters. */
WS__PRIVATE size_t ws__base64_encode(const void *data, size_t n, char *out)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = (const uint8_t *)data;
    char *o = out;
    size_t i;

    for (i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t value = (uint32_t)p[i] << 16;
        if (left > 1)
            value |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            value |= p[i + 2];
        *o++ = abc[value >> 18];
        *o++ = abc[value >> 12 & 63];
        *o++ = left > 1 ? abc[value >> 6 & 63] : '=';
        *o++ = left > 2 ? abc[value & 63] : '=';
    }
    *o = 0;
    return (size_t)(o - out);
}

/* The six bits of a base64 character, or 64. */
WS__PRIVATE uint32_t ws__base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

WS_API ptrdiff_t ws_base64_decode(const char *text, size_t n, void *out)
{
    uint8_t *start = (uint8_t *)out, *o = start;
    size_t i, k;

    if (n % 4)
        return WS_ERR_ARGUMENT;
    for (i = 0; i < n; i += 4) {
        uint32_t value = 0, six;
        size_t chars = 4;
        if (i + 4 == n && text[i + 3] == '=')
            chars = text[i + 2] == '=' ? 2 : 3;
        for (k = 0; k < 4; k++) {
            six = k < chars ? ws__base64_value(text[i + k]) : 0;
            if (six > 63)
                return WS_ERR_ARGUMENT;
            value = value << 6 | six;
        }
        /* RFC 4648 3.5: the bits that pad the last character are zero */
        if ((chars == 2 && (value & 0xFFFF)) || (chars == 3 && (value & 0xFF)))
            return WS_ERR_ARGUMENT;
        *o++ = (uint8_t)(value >> 16 & 255);
        if (chars > 2)
            *o++ = (uint8_t)(value >> 8 & 255);
        if (chars > 3)
            *o++ = (uint8_t)(value & 255);
    }
    return o - start;
}

WS_API void ws_accept_key(const char *key, char accept[29])
{
    char text[60];
    uint8_t digest[20];

    ws__copy(text, key, 24);
    ws__copy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    ws__sha1(text, 60, digest);
    ws__base64_encode(digest, sizeof digest, accept);
}

/* ==== >>utf8 ======================================================================== */

/* What may follow, by lead byte (RFC 3629 4):
       00..7F
       C2..DF  80..BF
       E0      A0..BF  80..BF
       E1..EF  80..BF  80..BF           but ED 80..9F: no surrogates
       F0      90..BF  80..BF  80..BF
       F1..F3  80..BF  80..BF  80..BF
       F4      80..8F  80..BF  80..BF */

/* Between calls, inside a character: (bytes missing) | (lowest next) << 8 | (highest) <<
   16. */
WS__INNER uint32_t ws__utf8_step(uint32_t s, uint32_t b)
{
    if (s) {
        if (b < (s >> 8 & 255) || b > s >> 16)
            return 1;
        return (s & 255) == 1 ? 0 : ((s & 255) - 1) | 0xBF8000u;
    }
    if (b < 0x80)
        return 0;
    if (b < 0xC2 || b > 0xF4)
        return 1;
    if (b < 0xE0)
        return 1 | 0xBF8000u;
    if (b < 0xF0)
        return 2 | (b == 0xE0 ? 0xBFA000u : b == 0xED ? 0x9F8000u : 0xBF8000u);
    return 3 | (b == 0xF0 ? 0xBF9000u : b == 0xF4 ? 0x8F8000u : 0xBF8000u);
}

/* From p[i] up to the first fault or to p[n]: the index. */
WS__PRIVATE size_t ws__utf8_steps(uint32_t *state, const uint8_t *p, size_t i, size_t n)
{
    uint32_t s = *state;

    for (; i < n; i++) {
        s = ws__utf8_step(s, p[i]);
        if (s == 1)
            break;
    }
    *state = s;
    return i;
}

#ifdef WS__SMALL

WS_API size_t ws_utf8(uint32_t *state, const void *data, size_t n)
{
    return *state == 1 ? 0 : ws__utf8_steps(state, (const uint8_t *)data, 0, n);
}

#else

#define WS__TOPS ((uint64_t)0x80808080u << 32 | 0x80808080u)

/* Bytes of ASCII at the front of p[0..n): all n, or some multiple of 8. */
WS__PRIVATE size_t ws__ascii_run(const uint8_t *p, size_t n)
{
    uint64_t word[4];
    size_t i = 0;

    for (; n - i >= 32; i += 32) {
        memcpy(word, p + i, 32);
        if ((word[0] | word[1] | word[2] | word[3]) & WS__TOPS)
            break;
    }
    for (; n - i >= 8; i += 8) {
        memcpy(word, p + i, 8);
        if (*word & WS__TOPS)
            return i;
    }
    if (n < 8)
        return 0;
    memcpy(word, p + n - 8, 8);        /* the last bytes together with some seen before */
    return *word & WS__TOPS ? i : n;
}

#ifdef WS__VECTOR

/* 1 if a byte of v has its top bit set. */
WS__PRIVATE int ws__vec_top(ws__vec vec)
{
    uint64_t word[2];
    memcpy(word, &vec, 16);
    return ((word[0] | word[1]) & WS__TOPS) != 0;
}

/* Which of p[0..16) are faults after the three bytes before them. Bytes count from -128,
   as machines compare signed ones. */
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

/* Goes on from p[i], i >= 3 and n >= 19, to p[n] or to less than 64 bytes before a fault,
   with the state there. */
WS__PRIVATE size_t ws__utf8_vectors(uint32_t *state, const uint8_t *p, size_t i, size_t n)
{
    size_t k;

    for (; n - i >= 64; i += 64) {
        const uint8_t *q = p + i;
        if (ws__vec_top(ws__vec_load(q - 1) | ws__vec_load(q) | ws__vec_load(q + 16) |
                        ws__vec_load(q + 32) | ws__vec_load(q + 48)) &&
            ws__vec_top(ws__utf8_faults(q) | ws__utf8_faults(q + 16) |
                        ws__utf8_faults(q + 32) | ws__utf8_faults(q + 48)))
            break;
    }
    while (n - i >= 16 && !ws__vec_top(ws__utf8_faults(p + i)))
        i += 16;
    /* the last bytes together with some seen before */
    if (n - i < 16 && !ws__vec_top(ws__utf8_faults(p + n - 16)))
        i = n;
    for (k = 1; k < 3 && (p[i - k] & 0xC0) == 0x80; k++) {}
    *state = 0;
    if (p[i - k] >= 0xC0)
        ws__utf8_steps(state, p, i - k, i);
    return i;
}

#endif

WS_API size_t ws_utf8(uint32_t *state, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t i = 0, stop;

    if (*state == 1)
        return 0;
    while (i < n) {
        if (!*state)
            i += ws__ascii_run(p + i, n - i);
#ifdef WS__VECTOR
        if (i >= 3 && i < n && n >= 19)
            i = ws__utf8_vectors(state, p, i, n);
        stop = i < 3 && n > 3 ? 3 : n;
#else
        stop = n - i > 64 ? i + 64 : n;
#endif
        i = ws__utf8_steps(state, p, i, stop);
        if (i < stop)
            break;
    }
    return i;
}

#endif

/* ==== >>mask ======================================================================== */

#ifndef WS__SMALL

/* The key from its byte offset % 4 on, twice, in the order of memory. */
WS__PRIVATE uint64_t ws__mask_word(const uint8_t key[4], size_t offset)
{
    const uint16_t one = 1;
    uint8_t little;
    uint32_t value;
    unsigned turn = (unsigned)(offset & 3) * 8;

    memcpy(&little, &one, 1);
    memcpy(&value, key, 4);
    if (!little)
        turn = (32 - turn) & 31;
    value = value >> turn | value << ((32 - turn) & 31);
    return (uint64_t)value << 32 | value;
}

/* Masks from s to d all but the last bytes of n, 3 at most: how many. */
WS__PRIVATE size_t ws__mask_words(uint8_t *d, const uint8_t *s, size_t n,
                                  const uint8_t key[4], size_t offset)
{
    uint64_t k = ws__mask_word(key, offset), word[4];
    uint32_t half = (uint32_t)k, x;     /* both halves of k are the same */
    const uint8_t *start = s;

    /* all loads come before the stores: compilers then use vectors although dst may be
       src */
#ifdef WS__VECTOR
    if (n >= 64) {
        ws__vec key16 = ws__vec_twice(k), vec[4];
        for (; n >= 64; n -= 64, s += 64, d += 64) {
            vec[0] = ws__vec_load(s) ^ key16;
            vec[1] = ws__vec_load(s + 16) ^ key16;
            vec[2] = ws__vec_load(s + 32) ^ key16;
            vec[3] = ws__vec_load(s + 48) ^ key16;
            ws__vec_store(d, vec[0]);
            ws__vec_store(d + 16, vec[1]);
            ws__vec_store(d + 32, vec[2]);
            ws__vec_store(d + 48, vec[3]);
        }
    }
#endif
    for (; n >= 32; n -= 32, s += 32, d += 32) {
        memcpy(word, s, 32);
        word[0] ^= k;
        word[1] ^= k;
        word[2] ^= k;
        word[3] ^= k;
        memcpy(d, word, 32);
    }
    for (; n >= 8; n -= 8, s += 8, d += 8) {
        memcpy(word, s, 8);
        word[0] ^= k;
        memcpy(d, word, 8);
    }
    if (n >= 4) {
        memcpy(&x, s, 4);
        x ^= half;
        memcpy(d, &x, 4);
        s += 4;
    }
    return (size_t)(s - start);
}

#endif

WS_API void ws_mask(void *dst, const void *src, size_t n, const uint8_t key[4],
                    size_t offset)
{
    const uint8_t *s = (const uint8_t *)src;
    uint8_t *d = (uint8_t *)dst;
    size_t i = 0;

#ifndef WS__SMALL
    i = ws__mask_words(d, s, n, key, offset);
#endif
    for (; i < n; i++)
        d[i] = (uint8_t)(s[i] ^ key[(offset + i) & 3]);
}

/* ==== >>wire ======================================================================== */

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

/* Is a length of 8 bytes more than ws__length has bits for? */
#ifdef WS_TINY
#define WS__LENGTH_END 0xFFFFFFFFu
WS__PRIVATE int ws__length_over(const uint8_t *p)
{
    return (ws__get16(p) | ws__get16(p + 2)) != 0;
}
#else
#define WS__LENGTH_END ((ws__length)1 << 63)
#define ws__length_over(p) 0
#endif

WS_API int ws_frame_decode(const void *data, size_t n, ws_frame *frame)
{
    const uint8_t *p = (const uint8_t *)data;
    unsigned head = 2;

    if (n < 2)
        return 0;
    frame->fin = (uint8_t)(p[0] >> 7);
    frame->rsv = (uint8_t)(p[0] >> 4 & 7);
    frame->op = (uint8_t)(p[0] & 15);
    frame->masked = (uint8_t)(p[1] >> 7);
    frame->size = p[1] & 127u;
    memset(frame->key, 0, 4);
    if (frame->size == 126) {
        head = 4;
        if (n < head)
            return 0;
        frame->size = ws__get16(p + 2);
        if (frame->size < 126)
            return WS_ERR_LENGTH;
    } else if (frame->size == 127) {
        head = 10;
        if (n < head)
            return 0;
        frame->size = ws__get64(p + 2);
        if (p[2] >> 7)
            return WS_ERR_LENGTH_SIGN;
        if (ws__length_over(p + 2))
            return WS_ERR_MESSAGE_SIZE;
        if (frame->size < 65536)
            return WS_ERR_LENGTH;
    }
    if (frame->masked) {
        if (n < head + 4)
            return 0;
        ws__copy(frame->key, p + head, 4);
        head += 4;
    }
    return (int)head;
}

/* ws_frame_encode of a size that can be sent. */
WS__PRIVATE size_t ws__header_lay(const ws_frame *frame, uint8_t *p)
{
    unsigned mask = frame->masked ? 128 : 0;
    size_t head = 2;

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
        ws__copy(p + head, frame->key, 4);
        head += 4;
    }
    return head;
}

WS_API int ws_frame_encode(const ws_frame *frame, void *out)
{
    if (frame->size >= WS__LENGTH_END)
        return WS_ERR_LENGTH_SIGN;
    return (int)ws__header_lay(frame, (uint8_t *)out);
}

/* ==== >>http ======================================================================== */

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

/* Allowed anywhere in a line, and in the value of a field. */
WS__PRIVATE int ws__is_text(char c) { return (uint8_t)c >= 32 && c != 127; }
WS__PRIVATE int ws__is_clean(char c) { return ws__is_text(c) || c == '\t'; }

/* May the byte stand inside that part of a head? */
WS__PRIVATE int ws__head_holds(int state, char c)
{
    switch (state) {
    case WS__HEAD_LINE: return ws__is_text(c);
    case WS__HEAD_NAME: return ws__is_token(c);
    case WS__HEAD_VALUE: return ws__is_clean(c);
    default: return 0;
    }
}

/* The state that a byte leads to: behind, if this one ends with it, else inside. */
WS__PRIVATE int ws__head_step(int state, char c)
{
#define WS__LEADS(behind, inside) (WS__HEAD_##behind << 4 | WS__HEAD_##inside)
    static const struct { char end; uint8_t leads; } next[] = {
        { '\r', WS__LEADS(BAD, LINE) },         /* of WS__HEAD_START */
        { '\r', WS__LEADS(LF, LINE) },          /* of WS__HEAD_LINE */
        { '\r', WS__LEADS(LAST, NAME) },        /* of WS__HEAD_FIELD */
        { ':', WS__LEADS(VALUE, NAME) },        /* of WS__HEAD_NAME */
        { '\r', WS__LEADS(LF, VALUE) },         /* of WS__HEAD_VALUE */
        { '\n', WS__LEADS(FIELD, BAD) },        /* of WS__HEAD_LF */
        { '\n', WS__LEADS(DONE, BAD) }          /* of WS__HEAD_LAST */
    };
    int inside = next[state].leads & 15;

    WS_ASSERT(state < WS__HEAD_DONE);
    if (c == next[state].end)
        return next[state].leads >> 4;
    return ws__head_holds(inside, c) ? inside : (int)WS__HEAD_BAD;
}

WS_API int ws_head_scan(ws_head *head, const void *data, size_t n)
{
    const char *p = (const char *)data;
    uint32_t max_size = ws__smaller(head->max_size ? head->max_size : 8192, INT_MAX);
    uint32_t max_fields = head->max_fields ? head->max_fields : 64;
    ws_str part = ws__str(p, n < max_size ? n : (size_t)max_size);
    int state = head->state, next;

    while (state != WS__HEAD_DONE) {
        if (WS__FAST && state == WS__HEAD_VALUE)
            head->scanned = (uint32_t)ws__past(part, (size_t)head->scanned,
                                               ws__is_text);
        if (head->scanned >= max_size)
            return WS_ERR_HEAD_SIZE;
        if (head->scanned >= n)
            return 0;
        next = ws__head_step(state, p[head->scanned]);
        if (next == WS__HEAD_BAD)
            return WS_ERR_HEAD_SYNTAX;
        if (state == WS__HEAD_FIELD && next == WS__HEAD_NAME) {
            if (head->fields >= max_fields)
                return WS_ERR_HEAD_FIELDS;
            head->fields++;
        }
        head->state = (uint8_t)next;
        head->scanned++;
        state = next;
    }
    return (int)head->scanned;
}

/* Do n bytes begin like the answer of a server? The first from of them did. */
WS__PRIVATE int ws__http_begins(const void *p, size_t from, size_t n)
{
    static const char begin[] = "HTTP/";

    for (; from < n && from < sizeof begin - 1; from++)
        if (((const char *)p)[from] != begin[from])
            return 0;
    return 1;
}

/* ws_head_scan; folds: folded lines become spaces (RFC 9112 5.2), for user agents. */
WS__PRIVATE int ws__head_scan(ws_head *head, void *data, size_t n, int folds)
{
    char *p = (char *)data;
    int size = ws_head_scan(head, p, n);

    while (folds && size == WS_ERR_HEAD_SYNTAX && head->state == WS__HEAD_FIELD &&
           head->fields && ws__is_blank(p[head->scanned])) {
        p[head->scanned - 2] = p[head->scanned - 1] = ' ';
        head->state = WS__HEAD_VALUE;
        size = ws_head_scan(head, p, n);
    }
    return size;
}

/* The start line, without CR LF; empty if there is no CR. */
WS__PRIVATE ws_str ws__head_line(ws_str head)
{
    size_t end = ws__find(head, 0, '\r');

    return ws__str(head.data, end < head.size ? end : 0);
}

/* Does the text at p begin with this, in which '#' stands for a digit? */
WS__PRIVATE int ws__begins(const char *p, const char *form)
{
    for (; *form; form++, p++)
        if (*form == '#' ? !ws__is_digit(*p) : *p != *form)
            return 0;
    return 1;
}

WS_API int ws_head_request(ws_str head, ws_str *method, ws_str *target, ws_str *version)
{
    ws_str line = ws__head_line(head);
    size_t a = ws__find(line, 0, ' '), b = ws__find(line, a + 1, ' '), i;

    if (!a || b <= a + 1 || line.size != b + 9)
        return WS_ERR_HEAD_SYNTAX;
    for (i = 0; i < a; i++)
        if (!ws__is_token(line.data[i]))
            return WS_ERR_HEAD_SYNTAX;
    for (i = a + 1; i < b; i++)
        if (!ws__is_visible(line.data[i]))
            return WS_ERR_HEAD_SYNTAX;
    if (!ws__begins(line.data + b + 1, "HTTP/#.#"))
        return WS_ERR_HEAD_SYNTAX;
    *method = ws__str(line.data, a);
    *target = ws__str(line.data + a + 1, b - a - 1);
    *version = ws__str(line.data + b + 1, 8);
    return 0;
}

WS_API int ws_head_answer(ws_str head, ws_str *version, int *status, ws_str *reason)
{
    ws_str line = ws__head_line(head);
    const char *p = line.data;
    size_t space = line.size > 12;

    if (line.size < 12 || !ws__begins(p, "HTTP/#.# ###") || p[9] == '0')
        return WS_ERR_HEAD_SYNTAX;
    if (space && p[12] != ' ')
        return WS_ERR_HEAD_SYNTAX;
    *status = 100 * (p[9] - '0') + 10 * (p[10] - '0') + p[11] - '0';
    *version = ws__str(p, 8);
    *reason = ws__str(p + 12 + space, line.size - 12 - space);
    return 0;
}

WS_API int ws_head_field(ws_str head, size_t *pos, ws_str *name, ws_str *value)
{
    size_t at = *pos, colon, end;

    if (!at)
        at = ws__find(head, 0, '\r') + 2;
    if (at >= head.size || head.data[at] == '\r')
        return 0;
    colon = ws__find(head, at, ':');
    end = ws__find(head, colon, '\r');
    if (end >= head.size)
        return 0;
    *name = ws__str(head.data + at, colon - at);
    *value = ws__trim(head.data, colon + 1, end);
    *pos = end + 2;
    return 1;
}

WS_API int ws_list_next(ws_str *list, ws_str *item)
{
    ws_str str = *list;
    size_t from = 0, i;
    int quoted = 0;

    while (from < str.size && (str.data[from] == ',' || ws__is_blank(str.data[from])))
        from++;
    for (i = from; i < str.size && (quoted || str.data[i] != ','); i++) {
        if (str.data[i] == '"')
            quoted = !quoted;
        else if (quoted && str.data[i] == '\\' && i + 1 < str.size)
            i++;
    }
    if (from == i) {
        list->size = 0;
        return 0;
    }
    *item = ws__trim(str.data, from, i);
    *list = ws__str(str.data + i, str.size - i);
    return 1;
}

WS_API int ws_str_is(ws_str text, const char *s)
{
    return ws__same_text(text, ws__cstr(s));
}

WS_API int ws_list_has(ws_str list, const char *token)
{
    ws_str item;

    while (ws_list_next(&list, &item))
        if (ws_str_is(item, token))
            return 1;
    return 0;
}

/* The rest of the text behind blanks. */
static ws_str ws__unblank(ws_str text)
{
    while (ws__is_blank(ws__at(text, 0)))
        text = ws__from(text, 1);
    return text;
}

/* Is it blanks, a mark and blanks? Then they are taken off. */
static int ws__mark_take(ws_str *text, char mark)
{
    ws_str rest = ws__unblank(*text);

    if (ws__at(rest, 0) != mark)
        return 0;
    *text = ws__unblank(ws__from(rest, 1));
    return 1;
}

/* The value of a parameter, a token or a quoted one, is copied to value, if that is not
   NULL: *used bytes. Returns its size in text; 0: it is none, or fills the room. */
static size_t ws__param_value(ws_str text, char *value, size_t room, size_t *used)
{
    size_t quoted = ws__at(text, 0) == '"', at = quoted, n;

    for (n = 0; n < room; n++) {
        size_t escape = quoted && ws__at(text, at) == '\\';
        char c = ws__at(text, at + escape);
        if (!ws__is_token(c))
            break;
        if (value)
            value[n] = c;
        at += escape + 1;
    }
    *used = n;
    if (!n || n == room || (quoted && ws__at(text, at) != '"'))
        return 0;
    return at + quoted;
}

WS_API int ws_param_next(ws_str *params, ws_str *name, char *value, size_t n)
{
    ws_str rest = ws__trim(params->data, 0, params->size);
    size_t room = value ? n : rest.size + 1, size, used = 0;

    if (!rest.size)
        return 0;
    if (!room)
        return WS_ERR_ARGUMENT;
    if (!ws__mark_take(&rest, ';'))
        return WS_ERR_EXTENSION;
    size = ws__past(rest, 0, ws__is_token);
    *name = ws__str(rest.data, size);
    rest = ws__from(rest, size);
    if (ws__mark_take(&rest, '=')) {
        size = ws__param_value(rest, value, room, &used);
        if (!size)
            return used == room ? WS_ERR_ARGUMENT : WS_ERR_EXTENSION;
        rest = ws__from(rest, size);
    }
    if (value)
        value[used] = 0;
    *params = ws__trim(rest.data, 0, rest.size);
    if (!name->size || (params->size && *params->data != ';'))
        return WS_ERR_EXTENSION;
    return 1;
}

#ifndef WS_TINY

/* ---- bodies that come in (RFC 9112 6.3, 7.1) ---- */

enum {
    WS__BODY_DONE,              /* nothing of it is to come */
    WS__BODY_TO_END,            /* it lasts until the stream ends */
    WS__BODY_LENGTH,            /* left bytes */
    WS__BODY_SIZE,              /* the line before a chunk */
    WS__BODY_CHUNK,             /* left bytes of a chunk */
    WS__BODY_BREAK,             /* the line end behind it */
    WS__BODY_TRAILER            /* lines behind the last chunk */
};

#define WS__BODY_LINE 1024      /* bytes of a line between chunks */

typedef struct ws__body {
    uint64_t left;
    uint64_t got, all;          /* payload that came; that was announced, or WS__UNTOLD */
    uint32_t spent;             /* bytes of trailers, and of extensions too long for it */
    uint8_t how;
    uint8_t strict;             /* a request's: what proxies could read in two ways is a
                                   fault (RFC 9112 7.1.1, 11.2) */
} ws__body;

#define WS__UNTOLD (~(uint64_t)0)

/* The digits of a Content-Length: 0, or WS_ERR_BODY. */
static int ws__body_length(ws_str value, uint64_t *size)
{
    size_t i;

    if (!value.size || value.size > 18)
        return WS_ERR_BODY;
    for (*size = i = 0; i < value.size; i++) {
        if (!ws__is_digit(value.data[i]))
            return WS_ERR_BODY;
        *size = *size * 10 + (uint64_t)(value.data[i] - '0');
    }
    return 0;
}

/* What a line of the head says of it: 0, or 1 for a fault. */
static int ws__body_field(ws__body *body, ws_str name, ws_str value)
{
    uint64_t size = 0;
    int fault;

    if (ws_str_is(name, "Transfer-Encoding")) {
        if (ws_list_has(value, "chunked"))
            body->how = WS__BODY_SIZE;
        return !ws_str_is(value, "chunked");
    }
    if (!ws_str_is(name, "Content-Length") || body->how == WS__BODY_SIZE)
        return 0;
    fault = ws__body_length(value, &size) != 0;
    fault |= body->how == WS__BODY_LENGTH && body->left != size;
    body->how = WS__BODY_LENGTH;
    body->left = size;
    return fault;
}

/* How the body behind an answer's head comes. none: it has none, whatever the head says.
   0, or WS_ERR_BODY with a guess, for those who only show it. */
WS__PRIVATE int ws__body_begin(ws__body *body, ws_str head, int none)
{
    ws_str name, value;
    size_t pos = 0;
    int fault = 0;

    memset(body, 0, sizeof *body);
    body->how = WS__BODY_TO_END;
    while (ws_head_field(head, &pos, &name, &value))
        fault |= ws__body_field(body, name, value);
    if (fault && body->how == WS__BODY_LENGTH)
        body->how = WS__BODY_TO_END;
    if (body->how != WS__BODY_LENGTH)
        body->left = 0;
    body->all = body->how == WS__BODY_LENGTH || none ? body->left : WS__UNTOLD;
    if (none || !body->all)
        body->how = WS__BODY_DONE;
    return fault ? WS_ERR_BODY : 0;
}

/* The same of a request: one that names no length has none. */
WS__PRIVATE int ws__body_request(ws__body *body, ws_str head)
{
    int fault = ws__body_begin(body, head, 0);

    body->strict = 1;
    if (body->how == WS__BODY_TO_END) {
        body->how = WS__BODY_DONE;
        body->all = 0;
    }
    return fault;
}

/* Requests alone are read strictly. */
#ifdef WS_NO_SERVER
#define WS__STRICT(body) 0
#else
#define WS__STRICT(body) ((body)->strict)
#endif

/* Takes off the quoted string or the token that text begins with; 0: there is none. */
static int ws__word_take(ws_str *text)
{
    int quoted = ws__at(*text, 0) == '"';
    size_t n = quoted ? 1 : ws__past(*text, 0, ws__is_token);

    while (quoted && n < text->size && text->data[n] != '"')
        n += text->data[n] == '\\' ? 2 : 1;
    n += (size_t)quoted;
    if (!n || n > text->size)
        return 0;
    *text = ws__from(*text, n);
    return 1;
}

/* Chunk extensions (RFC 9112 7.1.1): 1 if they are well formed. */
static int ws__chunk_extensions_good(ws_str text)
{
    if (!ws__all(text, ws__is_clean))
        return 0;
    while (text.size) {
        if (!ws__mark_take(&text, ';') || ws__at(text, 0) == '"')
            return 0;
        if (!ws__word_take(&text))
            return 0;
        if (ws__mark_take(&text, '=') && !ws__word_take(&text))
            return 0;
    }
    return 1;
}

/* A line of trailers: a header field. */
static int ws__trailer_good(ws_str line)
{
    size_t name = ws__past(line, 0, ws__is_token);

    return name && ws__at(line, name) == ':' && ws__all(line, ws__is_clean);
}

/* The size that the line before a chunk tells; 0 or WS_ERR_BODY. */
static int ws__chunk_size(ws__body *body, ws_str line, uint64_t *size)
{
    size_t digits = 0;
    ws_str rest, extensions;

    for (*size = 0; digits < 16 && ws__hex(ws__at(line, digits)) >= 0; digits++)
        *size = *size << 4 | (uint64_t)ws__hex(line.data[digits]);
    rest = ws__from(line, digits);
    extensions = ws__unblank(rest);
    if (!digits || *size >> 62)
        return WS_ERR_BODY;
    if (extensions.size && *extensions.data != ';')
        return WS_ERR_BODY;
    if (!WS__STRICT(body))
        return 0;
    if (rest.size > *size)
        body->spent += (uint32_t)(rest.size - *size);
    return ws__chunk_extensions_good(rest) ? 0 : WS_ERR_BODY;
}

/* A line of the chunked form: its whole size, 0: more must come; or WS_ERR_BODY. */
static ptrdiff_t ws__body_line(ws__body *body, ws_str text, uint32_t most)
{
    size_t end = ws__find(text, 0, '\n');
    int fault;

    if (end >= WS__BODY_LINE)
        return WS_ERR_BODY;
    if (end == text.size)
        return 0;
    if (!end || text.data[end - 1] != '\r')
        return WS_ERR_BODY;
    text.size = end - 1;
    switch (body->how) {
    case WS__BODY_BREAK:
        fault = text.size > 0;
        body->how = WS__BODY_SIZE;
        break;
    case WS__BODY_SIZE:
        fault = ws__chunk_size(body, text, &body->left);
        body->how = body->left ? WS__BODY_CHUNK : WS__BODY_TRAILER;
        break;
    default:
        fault = text.size && WS__STRICT(body) && !ws__trailer_good(text);
        body->how = text.size ? WS__BODY_TRAILER : WS__BODY_DONE;
        body->spent += (uint32_t)text.size;
    }
    return fault || body->spent > most ? (ptrdiff_t)WS_ERR_BODY : (ptrdiff_t)end + 1;
}

/* One step over n bytes. Returns how many are used up, of which *data are payload, all or
   none; 0: more must come, or it is done; or WS_ERR_BODY. most: bytes of trailers. */
WS__PRIVATE ptrdiff_t ws__body_step(ws__body *body, const char *p, size_t n,
                                    uint32_t most, size_t *data)
{
    *data = 0;
    switch (body->how) {
    case WS__BODY_DONE:
        return 0;
    case WS__BODY_TO_END:
        *data = n;
        break;
    case WS__BODY_LENGTH:
    case WS__BODY_CHUNK:
        *data = n < body->left ? n : (size_t)body->left;
        body->left -= *data;
        if (!body->left)
            body->how = body->how == WS__BODY_CHUNK ? WS__BODY_BREAK : WS__BODY_DONE;
        break;
    default:
        return ws__body_line(body, ws__str(p, n), most);
    }
    body->got += *data;
    return (ptrdiff_t)*data;
}

/* Is all of a refusal's body here, which begins with these n bytes? A malformed one ends
   where it is. What is here is moved together to p if join is set: *size bytes. */
WS__PRIVATE int ws__body_gather(ws__body body, char *p, size_t n, int join, size_t *size)
{
    size_t at = 0, data;
    ptrdiff_t step;

    *size = 0;
    while ((step = ws__body_step(&body, p + at, n - at, WS_BODY_MAX, &data)) > 0) {
        if (join)
            memmove(p + *size, p + at, data);
        *size += data;
        at += (size_t)step;
    }
    return step < 0 || body.how == WS__BODY_DONE;
}

#endif /* WS_TINY */

/* ==== >>url ========================================================================= */

/* Not a delimiter that other parsers take for the end of something: those are never in a
   host or in front of an '@' (RFC 3986 2). */
WS__PRIVATE int ws__is_plain(char c)
{
    static const char odd[] = "\"<>\\^`{|}[]@";

    return ws__find(ws__str(odd, sizeof odd - 1), 0, c) == sizeof odd - 1;
}

/* Decimal number 1..65535 in p[0..n); nothing at all leaves *port as it is. */
WS__PRIVATE int ws__url_port(const char *p, size_t n, uint16_t *port)
{
    uint32_t value = 0;
    size_t i;

    if (!n)
        return 0;
    for (i = 0; i < n; i++) {
        if (!ws__is_digit(p[i]))
            return WS_ERR_URL;
        value = value * 10 + (uint32_t)(p[i] - '0');
        if (value > 65535)
            return WS_ERR_URL;
    }
    *port = (uint16_t)value;
    return value ? 0 : WS_ERR_URL;
}

/* What is wrong with a URL, and where. */
typedef struct ws__url_why { const char *words; size_t at; } ws__url_why;

#define ws__url_fault(why, words, at) ws__url_bad(why, WS__WORDS ? (words) : "", at)
WS__PRIVATE int ws__url_bad(ws__url_why *why, const char *words, size_t at)
{
    if (why) {
        why->words = words;
        why->at = at;
    }
    return WS_ERR_URL;
}

WS__PRIVATE int ws__in_ipv6(char c) { return c == ':' || c == '.' || ws__hex(c) >= 0; }

/* Takes "user[:password]@" off, if it is there. 0 or WS_ERR_URL. */
WS__PRIVATE int ws__url_user(ws_str *authority, ws_url *url)
{
    size_t at = ws__find(*authority, 0, '@');
    ws_str user = ws__str(authority->data, at);
    size_t colon = ws__find(user, 0, ':');

    if (at == authority->size)
        return 0;
    if (!ws__all(user, ws__is_plain))
        return WS_ERR_URL;
    url->user = ws__str(user.data, colon);
    if (colon < at)
        url->password = ws__from(user, colon + 1);
    *authority = ws__from(*authority, at + 1);
    return 0;
}

/* The host "[address]" or "[address%25zone]" that a begins with: its size, or 0. */
WS__PRIVATE size_t ws__url_ipv6(ws_str a, ws_url *url)
{
    size_t end = ws__find(a, 0, ']'), i;
    ws_str host = ws__str(a.data + 1, end - 1);
    ws_str zone = ws__from(host, ws__past(host, 0, ws__in_ipv6));

    if (end == a.size || ws__find(host, 0, ':') == host.size)
        return 0;
    if (zone.size && (zone.size < 4 || ws__percent(zone, 0) != '%'))
        return 0;
    for (i = 0; i < zone.size; i++)
        if (zone.data[i] == '%' && ws__percent(zone, i) < 0)
            return 0;
    if (!ws__all(zone, ws__is_plain))
        return 0;
    url->host = host;
    url->ipv6 = 1;
    return end + 1;
}

/* The name that a begins with: its size, or 0. */
WS__PRIVATE size_t ws__url_name(ws_str a, ws_url *url)
{
    ws_str host = ws__str(a.data, ws__find(a, 0, ':'));

    if (ws__find(host, 0, '%') < host.size || !ws__all(host, ws__is_plain))
        return 0;
    url->host = host;
    return host.size;
}

/* a: what is between "//" and the path: [user[:password]@]host[:port]. */
WS__PRIVATE int ws__url_authority(ws_str a, ws_url *url)
{
    size_t end;

    if (ws__url_user(&a, url))
        return WS_ERR_URL;
    end = ws__at(a, 0) == '[' ? ws__url_ipv6(a, url) : ws__url_name(a, url);
    if (!end)
        return WS_ERR_URL;
    if (end == a.size)
        return 0;
    if (a.data[end] != ':')
        return WS_ERR_URL;
    return ws__url_port(a.data + end + 1, a.size - end - 1, &url->port);
}

/* The host without the zone of an IPv6 address, which means nothing to others. */
WS__PRIVATE ws_str ws__url_host(const ws_url *url)
{
    return ws__str(url->host.data,
                   url->ipv6 ? ws__find(url->host, 0, '%') : url->host.size);
}

/* rest: after "ws+unix:": [//]/path/of/socket[:target]. */
WS__PRIVATE int ws__url_unix(ws_str rest, ws_url *url)
{
    size_t colon;

    if (ws__at(rest, 0) == '/' && ws__at(rest, 1) == '/')
        rest = ws__from(rest, 2);
    if (ws__at(rest, 0) != '/' && ws__at(rest, 0) != '@')
        return WS_ERR_URL;
    colon = ws__find(rest, 0, ':');
    url->host = ws__str(rest.data, colon);
    url->target = ws__from(rest, colon < rest.size ? colon + 1 : colon);
    if (url->target.size && *url->target.data != '/' && *url->target.data != '?')
        return WS_ERR_URL;
    url->is_unix = 1;
    url->default_port = 1;
    return 0;
}

/* What is wrong with a character of a URL, NULL: nothing. */
WS__PRIVATE const char *ws__url_wrong(char c)
{
    if (c == '#')
        return "a #fragment";
    if (c == ' ')
        return "a space";
    return ws__is_visible(c) ? NULL : "a character that must be percent-encoded";
}

/* The port that is a scheme's own, 0: it is no scheme of ours. */
WS__PRIVATE uint16_t ws__own_port(ws_str scheme)
{
    if (ws_str_is(scheme, "ws") || ws_str_is(scheme, "http"))
        return 80;
    return ws_str_is(scheme, "wss") || ws_str_is(scheme, "https") ? 443 : 0;
}

/* ws_url_parse; why may be NULL. */
WS__PRIVATE int ws__url_parse(const char *text, size_t n, ws_url *url, ws__url_why *why)
{
    ws_str rest = ws__str(text, n);
    size_t end = 0;
    uint16_t own;

    memset(url, 0, sizeof *url);
    while (end < n && !ws__url_wrong(text[end]))
        end++;
    if (end < n)
        return ws__url_fault(why, ws__url_wrong(text[end]), end);
    end = ws__find(rest, 0, ':');
    url->scheme = ws__str(text, end);
    rest = ws__from(rest, end < n ? end + 1 : n);
    if (ws_str_is(url->scheme, "ws+unix")) {
        if (!ws__url_unix(rest, url))
            return 0;
        return ws__url_fault(why, "path or target of ws+unix", 8);
    }
    own = ws__own_port(url->scheme);
    if (!own)
        return ws__url_fault(why, "scheme is not ws, wss, http, https or ws+unix", 0);
    url->secure = own == 443;
    url->port = own;
    if (ws__at(rest, 0) != '/' || ws__at(rest, 1) != '/')
        return ws__url_fault(why, "no // behind the scheme", url->scheme.size + 1);
    rest = ws__from(rest, 2);
    end = ws__find(rest, 0, '?');
    end = ws__find(ws__str(rest.data, end), 0, '/');
    url->target = ws__from(rest, end);
    if (!ws__url_authority(ws__str(rest.data, end), url)) {
        url->default_port = url->port == own;
        return 0;
    }
    if (url->host.size)
        return ws__url_fault(why, "port",
                             (size_t)(url->host.data - text) + url->host.size);
    return ws__url_fault(why, end ? "host, user or password" : "no host",
                         url->scheme.size + 3);
}

WS_API int ws_url_parse(const char *text, size_t n, ws_url *url)
{
    return ws__url_parse(text, n, url, NULL);
}

/* ---- addresses ---- */

/* A dotted quad. Returns 1 if str is one. */
WS__PRIVATE int ws__ipv4_parse(ws_str str, uint8_t out[4])
{
    size_t i = 0, from;
    int k;

    for (k = 0; k < 4; k++, i++) {
        unsigned value = 0;
        for (from = i; i < str.size && i < from + 3 && ws__is_digit(str.data[i]); i++)
            value = value * 10 + (unsigned)(str.data[i] - '0');
        if (i == from || value > 255 || (i - from > 1 && str.data[from] == '0'))
            return 0;
        if (k < 3 && (i == str.size || str.data[i] != '.'))
            return 0;
        out[k] = (uint8_t)value;
    }
    return i == str.size + 1;
}

/* Groups of hex digits, with last: the last may be a dotted quad. Returns their bytes, at
   most 16; 17 if str is something else. */
WS__PRIVATE size_t ws__ipv6_groups(ws_str str, int last, uint8_t out[16])
{
    size_t n, digits;

    if (!str.size)
        return 0;
    for (n = 0; n <= 14; n += 2) {
        unsigned value = 0;
        for (digits = 0; digits < 4 && ws__hex(ws__at(str, digits)) >= 0; digits++)
            value = value << 4 | (unsigned)ws__hex(str.data[digits]);
        if (last && n <= 12 && ws__ipv4_parse(str, out + n))
            return n + 4;
        if (!digits)
            return 17;
        ws__put16(out + n, value);
        if (digits == str.size)
            return n + 2;
        if (str.data[digits] != ':')
            return 17;
        str = ws__from(str, digits + 1);
    }
    return 17;
}

/* RFC 4291 2.2: groups, one "::" for a run of zeros. Returns 1 if str is an address. */
WS__PRIVATE int ws__ipv6_parse(ws_str str, uint8_t out[16])
{
    uint8_t behind[16];
    size_t gap = 0, front, back;

    while (gap < str.size && (str.data[gap] != ':' || ws__at(str, gap + 1) != ':'))
        gap++;
    if (gap == str.size)
        return ws__ipv6_groups(str, 1, out) == 16;
    front = ws__ipv6_groups(ws__str(str.data, gap), 0, out);
    back = ws__ipv6_groups(ws__from(str, gap + 2), 1, behind);
    if (front + back > 14)
        return 0;
    memset(out + front, 0, 16 - front);
    memcpy(out + 16 - back, behind, back);
    return 1;
}

/* An address of either kind: its bytes, 4 or 16, or 0 if str is none. */
WS__PRIVATE size_t ws__ip_parse(ws_str str, uint8_t out[16])
{
    if (ws__ipv4_parse(str, out))
        return 4;
    return ws__ipv6_parse(str, out) ? 16 : 0;
}

#if defined(WS_TINY) && !defined(WS_NO_SERVER)
/* Is it an authority, host [":" port], without user or zone? */
static int ws__is_authority(ws_str text)
{
    static const char odd[] = "\"<>\\^`{|}[]@%/?#,:";
    const char *at = text.data, *end = at + text.size;
    uint16_t port;

    if (*at == '[') {
        do
            at++;
        while (at < end && (ws__hex(*at) >= 0 || *at == ':' || *at == '.'));
        if (at == end || *at++ != ']')
            return 0;
    } else {
        while (at < end && ws__is_visible(*at) &&
               ws__find(ws__str(odd, sizeof odd - 1), 0, *at) == sizeof odd - 1)
            at++;
    }
    if (at == end)
        return 1;
    return at > text.data && *at == ':' &&
           !ws__url_port(at + 1, (size_t)(end - at) - 1, &port);
}
#elif !defined(WS_NO_SERVER)
/* authority = host [":" port], without user: splits it. 0 when it is not one. */
static int ws__authority(ws_str a, ws_str *host, unsigned *port, unsigned standard)
{
    ws_url url;
    size_t i;

    memset(&url, 0, sizeof url);
    url.port = (uint16_t)standard;
    for (i = 0; i < a.size; i++)
        if (!ws__is_visible(a.data[i]) || strchr("/?#@,", a.data[i]))
            return 0;
    if (ws__url_authority(a, &url))
        return 0;
    *host = url.host;
    *port = url.port;
    return 1;
}

static int ws__is_authority(ws_str text)
{
    ws_str host;
    unsigned port;

    return ws__authority(text, &host, &port, 80);
}
#endif

/* ==== >>core (private) ============================================================== */

/* RFC 6455 itself, for both roles: what a request and an answer must say, what a frame
   may be, what text is, how closing goes, when a ping is due. Each of its rules stands
   here, once. The core calls leaves only: it has no memory, no queue, no words for errors
   and no clock. Who uses it gives it bytes and the time, and does what it answers. rules
   are a ws_config with the defaults filled in; WS__RULE: one that WS_TINY does not let
   be set. */
#ifdef WS_TINY
#define WS__RULE(rules, name) ((void)(rules), WS__TINY_##name)
#define WS__TINY_max_frame WS_NO_LIMIT
#define WS__TINY_max_fragments 4096u
#define WS__TINY_idle_timeout WS_NEVER
#define WS__IDLES 0
#else
#define WS__IDLES 1
#define WS__RULE(rules, name) ((rules)->name)
#endif

/* What a connection is doing.

               input       its end        time is for     may be sent
     HEAD      a head [4]  a fault        the opening     -
     HTTP      is kept     a fault        the opening     a server's answer
     UPLOAD    a body      a fault        the opening     a server's answer
     FRAMES    frames      a fault        keepalive [1]   frames [1]
     READING   a body      a fault [2]    idleness        -
     BODY      is dropped  ends all       heartbeats      a server's body
     ENDING    is dropped  -              closing         -
     ENDED     is dropped  -              a pause [3]     -

   [1] until our Close frame is sent: then time is for closing, and only pings and pongs
   may follow. [2] but for a body that lasts until then. [3] if one was begun: until a
   client's next try, or until a peer has read our last words. [4] and a request's body
   that is given whole; with cfg.max_requests a server comes back to it. */
enum {
    WS__PHASE_HEAD,
    WS__PHASE_HTTP,
#ifndef WS_TINY
    WS__PHASE_UPLOAD,   /* server: the request's body comes in, in parts */
#endif
    WS__PHASE_FRAMES,
    WS__PHASE_READING,  /* client: the answer's body comes in */
    WS__PHASE_BODY,     /* server: the answer's body goes out */
    WS__PHASE_ENDING,   /* CLOSE comes when the output is gone */
    WS__PHASE_ENDED,    /* CLOSE comes now */
    WS__PHASES
};

/* The same for machines. */
enum {
    WS__OPENS = 1 << 0,         /* nothing is agreed yet */
    WS__PARSES = 1 << 1,        /* input is used as it comes */
    WS__KEEPS = 1 << 2,         /* input is kept, and its end is a fault */
    WS__CUTS = 1 << 3,          /* the end of input ends all */
    WS__STREAMS = 1 << 4,       /* WRITABLE may come */
    WS__ENDS = 1 << 5
};

/* What the application may send; a client's request goes by itself. */
enum {
    WS__SENDS_NOTHING,
    WS__SENDS_ANSWER,           /* of HTTP, or the one that opens */
    WS__SENDS_FRAMES,           /* ws__core_may tells which */
    WS__SENDS_BODY
};

/* What time is for. */
enum {
    WS__TIME_LIMIT,             /* until ws__core.until, with WS__TIMED */
    WS__TIME_KEEPALIVE,
    WS__TIME_IDLE,
    WS__TIME_BEATS
};

#define WS__IN(phase) (1 << WS__PHASE_##phase)
#define WS__IN_END (WS__IN(ENDING) | WS__IN(ENDED))
#ifdef WS_TINY
#define WS__IN_UPLOAD 0
#else
#define WS__IN_UPLOAD WS__IN(UPLOAD)
#endif

static const struct { uint8_t facts, time, sends, leads; } ws__phases[WS__PHASES] = {
    /* HEAD */    { WS__OPENS | WS__PARSES | WS__KEEPS, WS__TIME_LIMIT, WS__SENDS_NOTHING,
                    WS__IN(HTTP) | WS__IN_UPLOAD | WS__IN(FRAMES) | WS__IN(READING) |
                    WS__IN_END },
    /* HTTP */    { WS__OPENS | WS__KEEPS, WS__TIME_LIMIT, WS__SENDS_ANSWER,
                    WS__IN(HEAD) | WS__IN(FRAMES) | WS__IN(BODY) | WS__IN_END },
#ifndef WS_TINY
    /* UPLOAD */  { WS__OPENS | WS__PARSES | WS__KEEPS, WS__TIME_LIMIT, WS__SENDS_ANSWER,
                    WS__IN(HTTP) | WS__IN(BODY) | WS__IN_END },
#endif
    /* FRAMES */  { WS__PARSES | WS__KEEPS | WS__STREAMS, WS__TIME_KEEPALIVE,
                    WS__SENDS_FRAMES, WS__IN_END },
    /* READING */ { WS__PARSES | WS__KEEPS | WS__STREAMS, WS__TIME_IDLE,
                    WS__SENDS_NOTHING, WS__IN_END },
    /* BODY */    { WS__CUTS | WS__STREAMS, WS__TIME_BEATS, WS__SENDS_BODY,
                    WS__IN(HEAD) | WS__IN_END },
    /* ENDING */  { WS__ENDS, WS__TIME_LIMIT, WS__SENDS_NOTHING, WS__IN_END },
    /* ENDED */   { WS__ENDS, WS__TIME_LIMIT, WS__SENDS_NOTHING,
                    WS__IN(ENDED) | WS__IN(HEAD) }      /* a client's next try */
};

/* Bits of ws__core.is. */
enum {
    WS__CLIENT = 1 << 0,
    WS__CLOSE_SENT = 1 << 1,    /* our Close frame is queued */
    WS__CLOSE_LEFT = 1 << 2,    /* it, and all before it, was written */
    WS__CLOSE_GOT = 1 << 3,
    WS__PINGED = 1 << 4,        /* a sign of life was asked for, none came since */
    WS__RTT_ASKED = 1 << 5,     /* a ping that carries the time is out */
    WS__TIMED = 1 << 6          /* there is a limit: ws__core.until */
};

/* One connection, as far as RFC 6455 knows it. Times are ms, modulo 2^32. */
typedef struct ws__core {
    uint32_t heard, spoke, pinged; /* input came; a message went or came; our last ping */
    uint32_t until;             /* with WS__TIMED */
    uint16_t code;              /* of CLOSE */
    uint16_t rtt;               /* ms + 1 of the last ping, 0 unknown */
    uint8_t phase, is, error;
    uint8_t sending;            /* opcode of a message being sent in parts, 0: none */
} ws__core;

#if defined(WS_NO_SERVER)
#define WS__IS_CLIENT(core) ((void)(core), 1)
#elif defined(WS_NO_CLIENT)
#define WS__IS_CLIENT(core) ((void)(core), 0)
#else
#define WS__IS_CLIENT(core) (((core)->is & WS__CLIENT) != 0)
#endif

/* The one way from phase to phase. */
static void ws__enter(ws__core *core, int phase)
{
    WS_ASSERT(ws__phases[core->phase].leads >> phase & 1);
    core->phase = (uint8_t)phase;
}

static int ws__phase_has(const ws__core *core, int facts)
{
    return (ws__phases[core->phase].facts & facts) != 0;
}

static int ws__sends(const ws__core *core, int what)
{
    return ws__phases[core->phase].sends == what;
}

/* The one writer of the error. The first fault is the one that is told, with its code
   unless the peer has sent one. 1 if this is the first, and its code counts. */
static int ws__core_fail(ws__core *core, int error, int code)
{
    if (core->error)
        return 0;
    core->error = (uint8_t)-error;
    if (core->is & WS__CLOSE_GOT)
        return 0;
    core->code = (uint16_t)code;
    return 1;
}

/* Nothing is known of the peer's silence yet. */
static void ws__core_begins(ws__core *core, uint32_t now)
{
    core->heard = core->spoke = now;
}

#if !defined(WS_NO_CLIENT) && !defined(WS_NO_SOCKETS)
/* From the opening on again: the next try of a client, in the same time. */
WS__PRIVATE void ws__core_renew(ws__core *core, uint32_t now)
{
    ws__enter(core, WS__PHASE_HEAD);
    core->is &= WS__CLIENT | WS__TIMED;
    core->error = core->sending = 0;
    core->code = core->rtt = 0;
    ws__core_begins(core, now);
}
#endif

/* The message that is coming in, and its frame. Zero it where none is. */
typedef struct ws__reader {
    ws__length left;            /* bytes of the frame's payload still to come */
    ws__length size;            /* clear bytes of the message */
    uint32_t frames;            /* of the message, from its last part on */
    uint32_t utf8;              /* state of its text */
    uint8_t key[4];             /* of the frame, turned so that key[0] is next */
    uint8_t op;                 /* of the message, 0: none is unfinished */
    uint8_t in_frame, fin, masked;
    uint8_t coded;              /* an extension is to decode it */
} ws__reader;

#define WS__CONTROL_MAX 125     /* bytes of a control frame's payload (5.5) */

/* ---- frames that come in (5.2 to 5.8) ---- */

/* The verdict that the first two bytes of a frame allow. rsv: the bits that an extension
   marks messages with. */
static int ws__header_judge(const ws__core *core, int rsv, int unfinished,
                            const uint8_t *p)
{
    int op = p[0] & 15, fin = p[0] >> 7, bits = p[0] >> 4 & 7;
    int masked = p[1] >> 7, size = p[1] & 127;

    if (bits && (bits != rsv || (op != WS_OP_TEXT && op != WS_OP_BINARY)))
        return WS_ERR_RSV;
    if ((op > 2 && op < 8) || op > 10)
        return WS_ERR_OPCODE;
    if (op >= 8 && !fin)
        return WS_ERR_CONTROL_FRAGMENT;
    if (op >= 8 && size > WS__CONTROL_MAX)
        return WS_ERR_CONTROL_SIZE;
    if (op == WS_OP_CONTINUATION && !unfinished)
        return WS_ERR_CONTINUATION;
    if ((op == WS_OP_TEXT || op == WS_OP_BINARY) && unfinished)
        return WS_ERR_INTERLEAVED;
    if (masked && WS__IS_CLIENT(core))
        return WS_ERR_MASK_PRESENT;
    if (!masked && !WS__IS_CLIENT(core))
        return WS_ERR_MASK_MISSING;
    return 0;
}

/* Limits that the header of a data frame alone decides. What is coded counts when
   decoded. */
static int ws__limits_judge(const ws_config *rules, const ws__reader *reader,
                            const ws_frame *frame)
{
    ws_limit largest = WS__RULE(rules, max_frame), most = rules->max_message;
    uint32_t frames = WS__RULE(rules, max_fragments);
    int coded = frame->rsv || reader->coded;

    if (largest != WS_NO_LIMIT && frame->size > largest)
        return WS_ERR_FRAME_SIZE;
    if (!coded && most != WS_NO_LIMIT &&
        (frame->size > most || reader->size > most - frame->size))
        return WS_ERR_MESSAGE_SIZE;
    if (frames != WS_NO_LIMIT && reader->frames >= frames)
        return WS_ERR_FRAGMENTS;
    return 0;
}

/* Judges the frame that begins at p, as soon as its bytes decide. Returns the size of its
   header, 0: more must come, or the error. */
static int ws__core_see(const ws__core *core, const ws_config *rules,
                        const ws__reader *reader, int rsv,
                        const uint8_t *p, size_t have, ws_frame *frame)
{
    int fault, head;

    if (have < 2)
        return 0;
    fault = ws__header_judge(core, rsv, reader->op, p);
    if (fault)
        return fault;
    head = ws_frame_decode(p, have, frame);
    if (head > 0 && frame->op < 8)
        fault = ws__limits_judge(rules, reader, frame);
    return fault ? fault : head;
}

/* Begins a data frame that ws__core_see has let through. */
static void ws__core_begin(ws__reader *reader, const ws_frame *frame)
{
    WS_ASSERT(!reader->in_frame && frame->op < 8);
    WS_ASSERT((frame->op == WS_OP_CONTINUATION) == (reader->op != 0));
    if (!reader->op) {
        reader->op = frame->op;
        reader->coded = frame->rsv != 0;
    }
    reader->frames++;
    reader->left = frame->size;
    reader->fin = frame->fin;
    reader->masked = frame->masked;
    ws__copy(reader->key, frame->key, 4);
    reader->in_frame = 1;
}

/* Text is UTF-8 (8.1), and with end no character is left unfinished. 0, or the fault;
   *good: the bytes in front of it. */
static int ws__text_judge(int op, uint32_t *utf8, const uint8_t *p, size_t n, int end,
                          size_t *good)
{
    *good = n;
    if (op != WS_OP_TEXT)
        return 0;
    *good = ws_utf8(utf8, p, n);
    return *good < n || (end && *utf8) ? WS_ERR_UTF8 : 0;
}

/* Judges n clear bytes of the message: its text, its size. end: they are its last. 0, or
   the fault; *good: the bytes in front of it. */
static int ws__core_clear(ws__reader *reader, const ws_config *rules, const uint8_t *p,
                          size_t n, int end, size_t *good)
{
    ws_limit most = rules->max_message;
    size_t fits = n;
    int fault;

    if (most != WS_NO_LIMIT && n > most - reader->size)
        fits = (size_t)(most - reader->size);
    fault = ws__text_judge(reader->op, &reader->utf8, p, fits, end && fits == n, good);
    WS_ASSERT(reader->op && *good <= fits && fits <= n);
    reader->size += (ws__length)*good;
    return fault ? fault : fits < n ? WS_ERR_MESSAGE_SIZE : 0;
}

/* Takes n bytes of the frame's payload, n at most left, and moves them unmasked to where
   the caller wants them, perhaps where they are. */
static void ws__core_move(ws__reader *reader, uint8_t *to, const uint8_t *from, size_t n)
{
    uint8_t key[4];
    size_t i;

    WS_ASSERT(reader->in_frame && n <= reader->left);
    if (reader->masked || !WS__FAST)
        ws_mask(to, from, n, reader->key, 0);       /* a key of zeros moves */
    else if (to != from)
        ws__copy(to, from, n);
    ws__copy(key, reader->key, 4);
    for (i = 0; i < 4; i++)
        reader->key[i] = key[(i + n) & 3];
    reader->left -= (ws__length)n;
}

/* The same, and judges them: for messages that no extension decodes. */
static int ws__core_take(ws__reader *reader, const ws_config *rules, uint8_t *to,
                         const uint8_t *from, size_t n, size_t *good)
{
    ws__core_move(reader, to, from, n);
    reader->in_frame = reader->left > 0;
    return ws__core_clear(reader, rules, to, n, !reader->left && reader->fin, good);
}

/* A whole message in one frame of a size that was let through, unmasked in place. key:
   NULL for none. */
WS__PRIVATE int ws__core_whole(int op, uint8_t *p, size_t n, const uint8_t *key,
                               size_t *good)
{
    uint32_t utf8 = 0;

    if (key)
        ws_mask(p, p, n, key, 0);
    return ws__text_judge(op, &utf8, p, n, 1, good);
}

/* The header's size if a whole message of less than 64 KiB lies at p: *n bytes. A filter
   for the commonest frames: 0 tells nothing, of faults neither. */
static inline size_t ws__core_short(const ws__core *core, const uint8_t *p, size_t have,
                                    size_t *n)
{
    int client = WS__IS_CLIENT(core);
    size_t head = client ? 2 : 6;

    if (have < 8 || (p[0] != 0x81 && p[0] != 0x82))
        return 0;
    if (p[1] >> 7 == client)
        return 0;
    *n = p[1] & 127u;
    if (*n == 127)
        return 0;
    if (*n == 126) {
        *n = ws__get16(p + 2);
        head += 2;
        if (*n < 126)
            return 0;
    }
    return have - head < *n ? 0 : head;
}

/* n bytes were handed on, last: and with them the message. Of one in parts max_fragments
   bounds the frames that bring nothing, max_message the others. */
static void ws__core_given(ws__reader *reader, size_t n, int last)
{
    if (n)
        reader->frames = 1;
    if (last)
        memset(reader, 0, sizeof *reader);
}

#ifndef WS_NO_SOCKETS

/* Steps over a frame that was begun and is not looked into. */
static void ws__core_skip(ws__reader *reader, int in_parts)
{
    uint64_t n = reader->left;

    if (!reader->coded)
        reader->size += n;
    reader->left = 0;
    reader->in_frame = 0;
    if (in_parts || reader->fin)
        ws__core_given(reader, n > 0, reader->fin);
}

/* Bytes that are missing of a header of which have bytes are here: at least 1. */
static size_t ws__header_missing(const uint8_t *p, size_t have)
{
    size_t size = have < 2 ? 0 : p[1] & 127u, all = 2;

    if (size == 126)
        all = 4;
    if (size == 127)
        all = 10;
    if (have >= 2 && p[1] & 128)
        all += 4;
    WS_ASSERT(have < all);
    return all - have;
}

#endif

/* ---- closing (5.5.1, 7) ---- */

/* Codes that may stand in a Close frame (7.4). */
static int ws__code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* Takes the payload of the peer's Close frame: 0, or the fault. */
static int ws__core_close_got(ws__core *core, const uint8_t *p, size_t n)
{
    uint32_t state = 0;
    int code = n >= 2 ? (int)ws__get16(p) : WS_CLOSE_NO_CODE;

    if (n == 1)
        return WS_ERR_CLOSE_SIZE;
    if (n && !ws__code_valid(code))
        return WS_ERR_CLOSE_CODE;
    if (n > 2 && (ws_utf8(&state, p + 2, n - 2) < n - 2 || state))
        return WS_ERR_CLOSE_UTF8;
    WS_ASSERT(core->phase == WS__PHASE_FRAMES && !(core->is & WS__CLOSE_GOT));
    core->is |= WS__CLOSE_GOT;
    core->code = (uint16_t)code;
    return 0;
}

#define WS__REASON_MAX (WS__CONTROL_MAX - 2)

/* The length of a reason cut to what a Close frame holds, between characters. */
WS__PRIVATE size_t ws__reason_size(const char *reason)
{
    size_t n = reason ? ws__size_of(reason) : 0;

    if (n <= WS__REASON_MAX)
        return n;
    n = WS__REASON_MAX;
    while (n && ((uint8_t)reason[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* May a Close frame of ours say this? 0, with *n bytes of the reason, or the fault. */
static int ws__core_close_judge(int code, const char *reason, size_t *n)
{
    uint32_t state = 0;

    *n = ws__reason_size(reason);
    if (code ? !ws__code_valid(code) : *n > 0)
        return WS_ERR_ARGUMENT;
    return ws_utf8(&state, reason, *n) < *n || state ? WS_ERR_ARGUMENT : 0;
}

/* Writes the payload of a Close frame, of which the reason may be cut: its size. code 0:
   empty. */
static size_t ws__core_close_lay(uint8_t to[WS__CONTROL_MAX], int code,
                                 const char *reason, size_t n)
{
    if (!code)
        return 0;
    if (n > WS__REASON_MAX)
        n = WS__REASON_MAX;
    ws__put16(to, (unsigned)code);
    ws__copy(to + 2, reason, n);
    return n + 2;
}

/* Our Close frame is queued: nothing but pings and pongs may follow. */
static void ws__core_close_sent(ws__core *core) { core->is |= WS__CLOSE_SENT; }

/* It was written, with all before it. 1 if that is news. */
static int ws__core_close_left(ws__core *core)
{
    if ((core->is & (WS__CLOSE_SENT | WS__CLOSE_LEFT)) != WS__CLOSE_SENT)
        return 0;
    core->is |= WS__CLOSE_LEFT;
    return 1;
}

/* The connection ends without closing. */
static void ws__core_dropped(ws__core *core)
{
    if (!(core->is & WS__CLOSE_GOT))
        core->code = WS_CLOSE_ABNORMAL;
}

/* The opcode that answers a control frame, with the same payload (5.5.1, 5.5.2); 0:
   none. */
static int ws__core_answer(const ws__core *core, int op)
{
    if (op == WS_OP_CLOSE)
        return core->is & WS__CLOSE_SENT ? 0 : WS_OP_CLOSE;
    return op == WS_OP_PING ? WS_OP_PONG : 0;
}

/* All is said: does it wait for the peer to end TCP? A client for the server (7.1.1), and
   a server that found a fault, so that its Close frame arrives. */
WS__PRIVATE int ws__core_awaits_end(const ws__core *core)
{
    if (core->phase != WS__PHASE_ENDING || !(core->is & WS__CLOSE_LEFT))
        return 0;
    return WS__IS_CLIENT(core) || core->error;
}

/* Have both Close frames gone their way? */
static int ws__core_clean(const ws__core *core)
{
    const unsigned both = WS__CLOSE_GOT | WS__CLOSE_LEFT;

    return (core->is & both) == both;
}

/* ---- frames that go out ---- */

#define WS__UNFINISHED 0x80     /* added to an opcode: FIN stays 0 */

/* The header of a frame of n bytes (5.2); op may have WS__UNFINISHED. A client's are
   masked, each with a key of its own, which the caller draws. */
static void ws__core_frame(const ws__core *core, ws_frame *frame, int op, ws__length n)
{
    memset(frame, 0, sizeof *frame);
    frame->fin = !(op & WS__UNFINISHED);
    frame->op = op & 15;
    frame->size = n;
    frame->masked = (uint8_t)WS__IS_CLIENT(core);
    WS_ASSERT(frame->op < 8 || (frame->fin && n <= WS__CONTROL_MAX));
}

/* May a server's whole message be laid down at once? A filter: 0 forbids nothing. */
static inline int ws__core_may_short(const ws__core *core)
{
    const int no = WS__CLIENT | WS__CLOSE_SENT;

    return core->phase == WS__PHASE_FRAMES && !core->sending && !(core->is & no);
}

/* Its header, of less than 64 KiB. */
static inline size_t ws__core_lay_short(uint8_t *at, int op, size_t n)
{
    at[0] = (uint8_t)(0x80 | op);
    if (n < 126) {
        at[1] = (uint8_t)n;
        return 2;
    }
    at[1] = 126;
    ws__put16(at + 2, (unsigned)n);
    return 4;
}

/* How the next part of a message of op begins its frame (5.4). */
static int ws__core_part(const ws__core *core, int op, int last)
{
    return (core->sending ? WS_OP_CONTINUATION : op & 15) | (last ? 0 : WS__UNFINISHED);
}

/* A message went or came. */
static void ws__core_spoke(ws__core *core, uint32_t now) { core->spoke = now; }

/* A part of a message of op was sent. */
static void ws__core_part_sent(ws__core *core, uint32_t now, int op, int last)
{
    core->sending = (uint8_t)(last ? 0 : op);
    ws__core_spoke(core, now);
}

/* May a frame of that opcode go? A message may not begin behind a Close frame of ours;
   pings and pongs may, until the peer's has come (5.5.1, 5.5.2). */
static inline int ws__core_may(const ws__core *core, int op)
{
    if (!ws__sends(core, WS__SENDS_FRAMES))
        return 0;
    return op == WS_OP_PING || op == WS_OP_PONG || !(core->is & WS__CLOSE_SENT);
}

/* ---- time: opening, keepalive, closing ---- */

static uint32_t ws__sooner(uint32_t now, uint32_t a, uint32_t b)
{
    return (int32_t)(a - now) < (int32_t)(b - now) ? a : b;
}

#define WS__FAR ((uint32_t)1 << 30)      /* ms from now that are never reached */

/* The time ms after since; WS_NEVER is far from now. */
static uint32_t ws__after(uint32_t now, uint32_t since, uint32_t ms)
{
    return ms == WS_NEVER ? now + WS__FAR : since + ms;
}

/* From now on opening, closing or a pause may take ms milliseconds. */
static void ws__core_wait(ws__core *core, uint32_t now, uint32_t ms)
{
    core->is = (uint8_t)(ms == WS_NEVER ? core->is & ~WS__TIMED : core->is | WS__TIMED);
    core->until = now + ms;
}

/* Milliseconds that are left of them; 0 or negative: none. */
static int32_t ws__core_left(const ws__core *core, uint32_t now)
{
    return core->is & WS__TIMED ? (int32_t)(core->until - now) : (int32_t)WS__FAR;
}

/* What time is for at present. */
static int ws__core_time(const ws__core *core)
{
    if (core->is & WS__CLOSE_SENT)
        return WS__TIME_LIMIT;
    return ws__phases[core->phase].time;
}

/* What comes next, and when: 0 nothing, 1 a ping, or the error of what took too long. */
static int ws__core_next(const ws__core *core, const ws_config *rules, uint32_t now,
                         uint32_t *due)
{
    uint32_t idle = ws__after(now, core->spoke, WS__RULE(rules, idle_timeout)), ping;

    switch (ws__core_time(core)) {
    case WS__TIME_LIMIT:
        *due = now + (uint32_t)ws__core_left(core, now);
        if (ws__phase_has(core, WS__OPENS))
            return WS_ERR_HANDSHAKE_TIMEOUT;
        return WS_ERR_CLOSE_TIMEOUT;
#ifndef WS_TINY
    case WS__TIME_BEATS:
        *due = now + WS__FAR;
        return 0;
    case WS__TIME_IDLE:
        *due = idle;
        return WS_ERR_IDLE_TIMEOUT;
#endif
    default:
        break;
    }
    if (core->is & WS__PINGED)
        ping = ws__after(now, core->pinged, rules->ping_timeout);
    else
        ping = ws__after(now, core->heard, rules->ping_interval);
    *due = ping;
    if (WS__IDLES)
        *due = ws__sooner(now, idle, ping);
    if (WS__IDLES && (*due == idle || (int32_t)(now - idle) >= 0))
        return WS_ERR_IDLE_TIMEOUT;
    return core->is & WS__PINGED ? WS_ERR_PING_TIMEOUT : 1;
}

/* When ws__core_tick has something to say. */
static uint32_t ws__core_due(const ws__core *core, const ws_config *rules, uint32_t now)
{
    uint32_t due;

    ws__core_next(core, rules, now, &due);
    return due;
}

/* A sign that the peer reads or speaks; or there can be none. */
static void ws__core_heard(ws__core *core, uint32_t now)
{
    core->heard = now;
    core->is &= (uint8_t)~WS__PINGED;
}

/* The peer is asked for a sign. */
static void ws__core_pinged(ws__core *core, uint32_t now)
{
    core->pinged = now;
    core->is |= WS__PINGED;
}

/* What is due now, as ws__core_next says it; a ping is taken as sent. */
static int ws__core_tick(ws__core *core, const ws_config *rules, uint32_t now)
{
    uint32_t due;
    int what = ws__core_next(core, rules, now, &due);

    if ((int32_t)(now - due) < 0)
        return 0;
    if (what == 1)
        ws__core_pinged(core, now);
    return what;
}

/* The clock was set: everything that was noted moves with it. */
static void ws__core_shift(ws__core *core, uint32_t by)
{
    core->heard += by;
    core->spoke += by;
    core->pinged += by;
    core->until += by;
}

/* Our own ping carries the time, so that its pong tells the round trip: 4 bytes. */
static void ws__core_ping_lay(uint8_t *to, uint32_t now)
{
    ws__put16(to, (unsigned)(now >> 16));
    ws__put16(to + 2, (unsigned)(now & 0xFFFF));
}

/* It was sent. */
WS__PRIVATE void ws__core_ping_sent(ws__core *core) { core->is |= WS__RTT_ASKED; }

WS__PRIVATE void ws__core_pong_got(ws__core *core, uint32_t now, const uint8_t *p,
                                   size_t n)
{
    uint32_t ms;

    if (n != 4 || !(core->is & WS__RTT_ASKED))
        return;
    ms = now - ((uint32_t)ws__get16(p) << 16 | ws__get16(p + 2));
    if (ms >= 65535)
        return;
    core->rtt = (uint16_t)(ms + 1);
    core->is &= (uint8_t)~WS__RTT_ASKED;
}

/* ---- opening (4) ---- */

/* What more can be said of a fault; the words are ws__hint_text's. */
enum {
    WS__HINT_NONE,
    WS__HINT_CONNECTION_LOST, WS__HINT_UPGRADE_LOST, WS__HINT_UPGRADE_MISSING,
    WS__HINT_LINE, WS__HINT_TARGET, WS__HINT_ORIGIN_TWICE, WS__HINT_VERSION_TWICE,
    WS__HINT_ANSWER_VERSION, WS__HINT_UPGRADE_TWICE,
    WS__HINTS
};

/* A fault, and what more can be said of it: WS_TINY says nothing. */
#ifdef WS_TINY
#define ws__hinted(hint, what, fault) ((void)(hint), fault)
#else
static int ws__hinted(int *hint, int what, int fault)
{
    *hint = what;
    return fault;
}
#endif

/* What a request says about the upgrade. Counts tell repeated fields. */
typedef struct ws__request {
    ws_str method, target, version;
    ws_str host, key, wanted, origin;
    int hosts, keys, versions, origins;
    int upgrade, connection, has_upgrade, body;
} ws__request;

static void ws__request_field(ws__request *request, ws_str name, ws_str value)
{
    if (ws_str_is(name, "Host")) {
        request->hosts++;
        request->host = ws__str(value.data, value.size);
    } else if (ws_str_is(name, "Sec-WebSocket-Key")) {
        request->keys++;
        request->key = ws__str(value.data, value.size);
    } else if (ws_str_is(name, "Sec-WebSocket-Version")) {
        request->versions++;
        request->wanted = ws__str(value.data, value.size);
    } else if (ws_str_is(name, "Origin")) {
        request->origins++;
        request->origin = ws__str(value.data, value.size);
    } else if (ws_str_is(name, "Upgrade")) {
        request->has_upgrade = 1;
        request->upgrade |= ws_list_has(value, "websocket");
    } else if (ws_str_is(name, "Connection")) {
        request->connection |= ws_list_has(value, "upgrade");
    } else if (ws_str_is(name, "Transfer-Encoding")) {
        request->body = 1;
    } else if (ws_str_is(name, "Content-Length")) {
        request->body |= !ws_str_is(value, "0");
    }
}

/* Reads a request head. 0 or WS_ERR_HEAD_SYNTAX. */
WS__PRIVATE int ws__request_read(ws__request *request, ws_str head)
{
    ws_str name, value;
    size_t pos = 0;
    int fault;

    memset(request, 0, sizeof *request);
    fault = ws_head_request(head, &request->method, &request->target, &request->version);
    while (!fault && ws_head_field(head, &pos, &name, &value))
        ws__request_field(request, name, value);
    return fault;
}

#ifndef WS_NO_SERVER

/* A path, or an absolute form with a host (RFC 9112 3.2.2). */
static int ws__target_valid(ws_str target)
{
    ws_str scheme = target;
    size_t i;

    if (ws__find(target, 0, '#') < target.size)
        return 0;
    if (target.data[0] == '/')
        return 1;
    scheme.size = ws__find(target, 0, ':');
    i = scheme.size + 3;                    /* where the host begins */
    if (i >= target.size || !ws__same(target.data + scheme.size, "://", 3))
        return 0;
    if (target.data[i] == '/' || target.data[i] == '?')
        return 0;
    return ws_str_is(scheme, "http") || ws_str_is(scheme, "https") ||
           ws_str_is(scheme, "ws") || ws_str_is(scheme, "wss");
}

/* 24 characters that decode to 16 bytes. Real clients leave bits in the last letter that
   stand for none of them. */
static int ws__key_valid(ws_str key)
{
    size_t i = 0;

    while (i < key.size && ws__base64_value(key.data[i]) < 64)
        i++;
    return i == 22 && key.size == 24 && key.data[22] == '=' && key.data[23] == '=';
}

/* The Host of a request: there once, and an authority (RFC 9112 3.2). */
static int ws__host_judge(const ws__request *request, int needed)
{
    if (request->hosts > 1)
        return WS_ERR_HOST;
    if (!request->hosts || !request->host.size)
        return needed ? WS_ERR_HOST : 0;
    return ws__is_authority(request->host) ? 0 : WS_ERR_HOST;
}

static int ws__connection_lost(const ws__request *request, int *hint)
{
    if (request->keys)
        return ws__hinted(hint, WS__HINT_CONNECTION_LOST, WS_ERR_CONNECTION);
    return WS_ERR_CONNECTION;
}

/* Was the upgrade asked for, and no line of it lost on the way? */
static int ws__upgrade_judge(const ws__request *request, int modern, int *hint)
{
    if (request->keys && !request->has_upgrade && (!modern || !request->connection))
        return ws__hinted(hint, WS__HINT_UPGRADE_LOST, WS_ERR_UPGRADE);
    if (request->keys && !request->connection && !modern)
        return ws__connection_lost(request, hint);
    return 0;
}

/* 4.2.1. 0: a good WebSocket request, but for its Origin; WS_ERR_NOT_UPGRADE: plain HTTP;
   else the fault, perhaps with *hint. */
WS__APART int ws__request_judge(const ws__request *request, int *hint)
{
    int modern = ws_str_is(request->version, "HTTP/1.1"), fault;
    int wants = request->upgrade || request->keys || request->versions;

    if (request->version.data[5] != '1')
        return WS_ERR_HTTP_VERSION;
    fault = ws__host_judge(request, modern || wants);
    if (fault)
        return fault;
    if (!wants)
        return WS_ERR_NOT_UPGRADE;
    fault = ws__upgrade_judge(request, modern, hint);
    if (fault)
        return fault;
    if (request->method.size != 3 || !ws__same(request->method.data, "GET", 3))
        return WS_ERR_METHOD;
    if (!modern)
        return WS_ERR_HTTP_VERSION;
    if (!ws__target_valid(request->target))
        return ws__hinted(hint, WS__HINT_TARGET, WS_ERR_HEAD_SYNTAX);
    if (!request->has_upgrade)
        return ws__hinted(hint, WS__HINT_UPGRADE_MISSING, WS_ERR_UPGRADE);
    if (!request->upgrade)
        return WS_ERR_UPGRADE;
    if (!request->connection)
        return ws__connection_lost(request, hint);
    if (request->origins > 1)
        return ws__hinted(hint, WS__HINT_ORIGIN_TWICE, WS_ERR_HEAD_SYNTAX);
    if (request->versions > 1)
        return ws__hinted(hint, WS__HINT_VERSION_TWICE, WS_ERR_HEAD_SYNTAX);
    if (!request->versions || !ws_str_is(request->wanted, "13"))
        return WS_ERR_VERSION;
    if (request->keys != 1 || !ws__key_valid(request->key))
        return WS_ERR_KEY;
    return request->body ? WS_ERR_BODY : 0;
}

/* The lines of a refusal behind its status; one with 426 says what we speak (4.4). */
static void ws__core_refusal_put(ws__text *text, int status)
{
    ws__puts(text, "\r\nConnection: close");
    if (status == 426)
        ws__puts(text, ", Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13");
    ws__puts(text, "\r\n");
}

/* The answer that opens the connection (4.2.2), but for what was agreed. */
static void ws__core_answer_put(ws__text *text, ws_str key)
{
    char accept[29];

    ws_accept_key(key.data, accept);
    ws__puts(text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    ws__puts(text, accept);
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_CLIENT

/* The lines of a request that ask for the upgrade (4.1), but for what is offered. */
static void ws__core_upgrade_put(ws__text *text, const char *key, int version)
{
    ws__puts(text, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
    ws__puts(text, key);
    ws__puts(text, "\r\nSec-WebSocket-Version: ");
    ws__puts(text, version == 8 ? "8" : "13");
    ws__puts(text, "\r\n");
}

/* Does an answer open the connection (4.1)? 0: its lines decide, else why not. */
static int ws__answer_opens(int status, ws_str version, int *hint)
{
    if (status != 101)
        return WS_ERR_STATUS;
    if (ws_str_is(version, "HTTP/1.1"))
        return 0;
    return ws__hinted(hint, WS__HINT_ANSWER_VERSION, WS_ERR_HTTP_VERSION);
}

/* What an answer says about the upgrade. */
typedef struct ws__answer {
    int upgrades, upgrade, connection, accepts, accept, protocols;
} ws__answer;

enum { WS__ANSWER_END, WS__ANSWER_PROTOCOL, WS__ANSWER_EXTENSIONS };

/* Reads the lines of an answer on from *pos, up to one that says what was agreed: its
   *value is for the caller to judge. accept: the 28 characters that are right. */
static int ws__answer_read(ws__answer *answer, ws_str head, size_t *pos,
                           const char *accept, ws_str *value)
{
    ws_str name;

    while (ws_head_field(head, pos, &name, value)) {
        if (ws_str_is(name, "Upgrade")) {
            answer->upgrades++;
            answer->upgrade = ws_str_is(*value, "websocket");
        } else if (ws_str_is(name, "Connection")) {
            answer->connection |= ws_list_has(*value, "upgrade");
        } else if (ws_str_is(name, "Sec-WebSocket-Accept")) {
            answer->accepts++;
            answer->accept = value->size == 28 && ws__same(value->data, accept, 28);
        } else if (ws_str_is(name, "Sec-WebSocket-Protocol")) {
            answer->protocols++;
            return WS__ANSWER_PROTOCOL;
        } else if (ws_str_is(name, "Sec-WebSocket-Extensions")) {
            return WS__ANSWER_EXTENSIONS;
        }
    }
    return WS__ANSWER_END;
}

/* The subprotocol of an answer: named once, and offered. */
static int ws__answer_protocol_judge(const ws__answer *answer, int offered)
{
    return answer->protocols == 1 && offered ? 0 : WS_ERR_SUBPROTOCOL;
}

/* 4.1, what a client must find in an answer of 101 that was read. needs: a subprotocol
   was offered and must be there. */
WS__INNER int ws__answer_judge(const ws__answer *answer, int needs, int *hint)
{
    if (answer->upgrades > 1)
        return ws__hinted(hint, WS__HINT_UPGRADE_TWICE, WS_ERR_UPGRADE);
    if (!answer->upgrade)
        return WS_ERR_UPGRADE;
    if (!answer->connection)
        return WS_ERR_CONNECTION;
    if (needs && !answer->protocols)
        return WS_ERR_SUBPROTOCOL;
    return answer->accepts == 1 && answer->accept ? 0 : WS_ERR_ACCEPT;
}

#endif /* WS_NO_CLIENT */

/* ==== >>seams (private) ============================================================= */

/* >>words: what errors are called; with WS_NO_TEXT they are numbers. */
#ifdef WS_NO_TEXT
#define ws__error_text(number) ((void)(number), "")
#define ws__hint_text(hint) ((void)(hint), (const char *)NULL)
#define ws__fault_words(fault, cfg, role, room) \
    ((void)(role), (void)(room), (const char *)NULL)
#define ws__request_fault(request, head) 0
#define ws__fail_url(conn, url, why) ws__fail_with(conn, WS_ERR_URL, NULL)
#define ws__note_error(conn, number, more) ((void)(more))
#else
static const char *ws__error_text(int number);
#ifndef WS_TINY
static const char *ws__hint_text(int hint);
static const char *ws__fault_words(int fault, const ws_config *cfg, int role,
                                   char room[96]);
static void ws__note_error(ws_conn *conn, int number, const char *more);
#ifndef WS_NO_SERVER
static size_t ws__request_fault(const struct ws__request *request, ws_str head);
#endif
#ifndef WS_NO_CLIENT
WS__APART void ws__fail_url(ws_conn *conn, const char *url, const ws__url_why *why);
#endif
#endif
#endif

#ifndef WS_TINY

/* What the floors below may call of each annex; no other name of an annex occurs before
   its section (tests/lint.sh). An annex that a switch leaves out is here as what it means
   to be without it. */

struct ws__cfg;
struct ws__text;
struct ws__span;
struct ws__listener;
struct ws__dial;                /* what a connection holds for an annex */
struct ws__ext;
struct ws__member;
struct ws__group;
struct ws__file;

/* >>dial: a client's way from its URL to a connected socket. */
#ifdef WS__DIALS
static void ws__dial_start(ws_conn *conn);
static void ws__dial_step(ws_conn *conn);
static int ws__dial_wants(const ws_conn *conn);
static int ws__dial_expired(ws_conn *conn);
static int ws__connects(const ws_conn *conn);
static uint32_t ws__connect_due(const ws_conn *conn, uint32_t now);
static void ws__dial_free(ws_conn *conn);
#else
#define ws__dial_start(conn) ws__fail(conn, WS_ERR_SYSTEM)
#define ws__dial_step(conn) ((void)(conn))
#define ws__dial_wants(conn) ((void)(conn), 0)
#define ws__dial_expired(conn) ((void)(conn), 0)
#define ws__connects(conn) ((void)(conn), 0)
#define ws__connect_due(conn, now) (now)
#define ws__dial_free(conn) ((void)(conn))
#endif

/* >>reconnect: redirects and new tries. ws__again: is the CLOSE in ev, or the DOWN which
   that becomes, told? 0: no, a redirect leads on. */
#ifdef WS__RETRIES
static int ws__redirects(const ws_conn *conn, int status);
static int ws__again(ws_conn *conn, ws_event *ev);
static void ws__retry(ws_conn *conn);
#else
#define ws__redirects(conn, status) 0
#define ws__again(conn, ev) 1
#define ws__retry(conn) ((void)(conn))
#endif

/* >>proxy: HTTP CONNECT and SOCKS5. */
#if defined(WS__PROXIES) && defined(WS__DIALS)
static int ws__dial_proxy(ws_conn *conn, const ws_url *url, ws_url *proxy,
                          const char **why);
static void ws__dial_tunnel(ws_conn *conn);
#else
#define ws__dial_proxy(conn, url, proxy, why) 0
#define ws__dial_tunnel(conn) ((void)(conn))
#endif

/* >>blocking: a client made by ws_connect, which waits where others refuse. */
#ifdef WS__WAITS
static void ws__look(ws_conn *conn);
static int ws__await(ws_conn *conn, uint64_t wire, int (*busy)(const ws_conn *conn));
#else
#define ws__look(conn) ((void)(conn))
#define ws__await(conn, wire, busy) ws_error(conn)
#endif

/* >>poller: how a loop waits. */
#ifndef WS_NO_SOCKETS
static int ws__poller_open(ws_loop *loop);
static void ws__poller_close(ws_loop *loop);
static int ws__poller_set(ws_loop *loop, ws__sock fd, uintptr_t key, int had, int wants);
static void ws__poller_drop(ws_loop *loop, ws__sock fd);
static int ws__poller_wait(ws_loop *loop, int ms);
#endif

/* >>posts: what other threads and signal handlers tell a loop. */
#ifndef WS_NO_SOCKETS
static int ws__post_open(ws_loop *loop);
static void ws__post_close(ws_loop *loop);
static void ws__post_read(ws_loop *loop);
static int ws__post_next(ws_loop *loop, ws_event *ev);
static void ws__posts_drop(ws_loop *loop);
static int ws__post_put(ws_loop *loop, void *const *posts, int count);
static void *ws__parcel_mark(ws_loop *loop);
#endif

/* >>foreign: descriptors of others in a loop, a loop in others. */
#if !defined(WS_NO_SOCKETS) && !defined(WS__WITHOUT_FOREIGN)
static void ws__watched_free(ws_loop *loop);
static void ws__watched_found(ws_loop *loop, uintptr_t key, int wants);
static int ws__watched_next(ws_loop *loop, ws_event *ev);
static int ws__always_ready(const ws_loop *loop);
#else
#define ws__watched_free(loop) ((void)(loop))
#define ws__watched_found(loop, key, wants) ((void)(loop))
#define ws__watched_next(loop, ev) 0
#define ws__always_ready(loop) 0
#endif

/* >>listen: listening sockets of a loop. */
#ifdef WS__LISTENS
static void ws__loop_accept(ws_loop *loop, struct ws__listener *listener);
static void ws__watch_listeners(ws_loop *loop, int wants);
static void ws__unlisten_all(ws_loop *loop);
#else
#define ws__loop_accept(loop, listener) ((void)(loop))
#define ws__watch_listeners(loop, wants) ((void)(loop))
#define ws__unlisten_all(loop) ((void)(loop))
#endif

/* >>source: messages that are pulled from a function. */
#ifdef WS__SOURCES
#define WS__SOURCE_PIECE 4096   /* bytes that are asked for at once */
struct ws__more;
static int ws__source_gives(const ws_conn *conn);
static void ws__source_pull(ws_conn *conn);
static ptrdiff_t ws__source_read(struct ws__more *more, void *buf, int *r);
#else
#define ws__source_gives(conn) 0
#define ws__source_pull(conn) ((void)(conn))
#endif

/* >>file: answers that are pulled from a function. */
#ifdef WS__FILES
static int ws__has_file(const ws_conn *conn);
static int ws__file_piece(ws_conn *conn);
static void ws__file_end(ws_conn *conn);
#else
#define ws__has_file(conn) 0
#define ws__file_piece(conn) 0
#define ws__file_end(conn) ((void)(conn))
#endif

/* >>deflate, >>extend: extensions of frames. What a function of these cannot do without
   an extension in use (ws__is_extended) it does not do. */
#define WS__PARAMS_SIZE 256     /* bytes of an extension's parameters, with a NUL */
#define WS__CODE_ROOM 64        /* bytes that a step of an encoder may always write */
#define WS__PLAIN 1             /* ws__coded_put: nothing was queued, better as it is */
struct ws__choice;
#ifndef WS_NO_CLIENT
static int ws__extension_answer(ws_conn *conn, ws_str value, const char **why);
#endif
#if WS__EXTENDS
static int ws__deflate_fault(const ws_deflate *from, int client);
static int ws__extensions_valid(const ws_extension *const *extension);
static size_t ws__extensions_size(const ws_config *cfg);
static ws_extension *ws__keep_extensions(struct ws__text *text, const ws_config *cfg);
#ifndef WS_NO_SERVER
static int ws__extension_choose(const ws_conn *conn, struct ws__choice *choice,
                                const char **why);
static int ws__extension_fault(ws_conn *conn, const char **why);
#endif
#ifndef WS_NO_CLIENT
static size_t ws__offers_size(const struct ws__cfg *cfg);
static void ws__put_offers(struct ws__text *text, const struct ws__cfg *cfg);
static int ws__extension_insist(ws_conn *conn);
#endif
static int ws__ext_open(ws_conn *conn, const ws_extension *extension, uint32_t agreed,
                        ws_str name, ws_str params);
static void ws__ext_free(ws_conn *conn);
static void ws__ext_show_end(ws_conn *conn);
static int ws__ext_rsv(const ws_conn *conn);
static int ws__ext_pending(const ws_conn *conn);
static int ws__payload_coded(ws_conn *conn, struct ws__span *in, size_t part,
                             ws_event *ev);
static int ws__encodes(const ws_conn *conn, int op, size_t n);
WS__PRIVATE int ws__encodes_alone(const ws_conn *conn, int op, size_t n);
static int ws__coded_put(ws_conn *conn, int op, const ws_str *value, int count, size_t n,
                         size_t most);
#ifdef WS__SOURCES
static int ws__source_coded(ws_conn *conn);
#endif
#else
#define ws__deflate_fault(from, client) 0
#define ws__extensions_valid(extension) 0
#define ws__extensions_size(cfg) ((size_t)0)
#define ws__keep_extensions(text, cfg) NULL
#define ws__extension_choose(conn, choice, why) \
    ((choice)->set = NULL, *(why) = NULL, 0)
#define ws__extension_fault(conn, why) 0
#define ws__offers_size(cfg) ((size_t)0)
#define ws__put_offers(text, cfg) ((void)(text))
#define ws__extension_insist(conn) ((void)(conn), 0)
#define ws__ext_open(conn, extension, agreed, name, params) 0
#define ws__ext_free(conn) ((void)(conn))
#define ws__ext_show_end(conn) ((void)(conn))
#define ws__ext_rsv(conn) 0
#define ws__ext_pending(conn) 0
#define ws__payload_coded(conn, in, part, ev) 0
#define ws__encodes(conn, op, n) 0
#define ws__encodes_alone(conn, op, n) 0
#define ws__coded_put(conn, op, value, count, n, most) WS__PLAIN
#define ws__source_coded(conn) 0
#endif

/* >>groups: connections by name, what is sent to many. */
#if defined(WS__GROUPS) && !defined(WS_NO_SOCKETS)
static int ws__join(ws_conn *conn, ws_str name);
static void ws__leave_all(ws_conn *conn, int own);
static uint32_t ws__group_size(ws_loop *loop, ws_str name);
static void ws__parcel_deliver(ws_loop *loop, void *parcel);
#else
#define ws__join(conn, name) 0
#define ws__leave_all(conn, own) ((void)(conn))
#define ws__group_size(loop, name) 0
#define ws__parcel_deliver(loop, parcel) ((void)(parcel))
#endif

/* >>routes: cfg.routes, cfg.trusted_proxies, cfg.keep_headers. */
#ifdef WS__ROUTES
static ws_str ws__asked_host(const ws_conn *conn, const struct ws__request *request);
static int ws__forwarded(ws_conn *conn);
static int ws__route_choose(ws_conn *conn);
static int ws__path_served(const ws_conn *conn);
static int ws__lines_keep(ws_conn *conn);
#else
#define ws__asked_host(conn, request) ((request)->host)
#define ws__forwarded(conn) 0
#define ws__route_choose(conn) 0
#define ws__path_served(conn) 1
#define ws__lines_keep(conn) 0
#endif

/* >>serve: a server's answers to ordinary requests. */
#ifdef WS__ANSWERS
static uint32_t ws__body_due(const ws_conn *conn, uint32_t now);
static void ws__beat(ws_conn *conn);
static int ws__body_expect(ws_conn *conn, const struct ws__request *request, ws_str head);
static int ws__body_whole_step(ws_conn *conn, struct ws__span *in, ws_event *ev);
static int ws__upload_step(ws_conn *conn, struct ws__span *in, ws_event *ev);
static int ws__request_goes_on(ws_conn *conn);
static int ws__stay(ws_conn *conn);
static int ws__kept_step(ws_conn *conn, struct ws__span *in);
static void ws__stay_no_more(ws_conn *conn);
static void ws__wasted(ws_conn *conn, size_t n);
#else
#define ws__body_expect(conn, request, head) 0
#define ws__body_whole_step(conn, in, ev) 0
#define ws__upload_step(conn, in, ev) 0
#define ws__request_goes_on(conn) ((void)(conn), 0)
#define ws__stay(conn) ((void)(conn), 0)
#define ws__kept_step(conn, in) ((void)(conn), 0)
#define ws__stay_no_more(conn) ((void)(conn))
#define ws__wasted(conn, n) ((void)(conn))
#endif

/* >>fetch: a client's ordinary requests, and the bodies of refusals. */
#ifdef WS__FETCHES
static int ws__http_check(ws_conn *conn, ws_str head, int status);
static int ws__read_step(ws_conn *conn, struct ws__span *in, ws_event *ev);
static int ws__refusal_whole(const ws_conn *conn, ws_str head, char *body, size_t n);
static void ws__body_keep(ws_conn *conn, ws_str head, int status);
static int ws__refusal_shown(ws_conn *conn);
#else
#define ws__http_check(conn, head, status) 0
#define ws__read_step(conn, in, ev) 0
#define ws__refusal_whole(conn, head, body, n) 1
#define ws__body_keep(conn, head, status) ((void)(conn))
#define ws__refusal_shown(conn) ((void)(conn), 0)
#endif

/* >>sane: what always holds between two calls. */
WS__PRIVATE void ws__sane(const ws_conn *conn);

/* >>mbedtls: TLS that is compiled in. ws_tls_new, ws_tls_free, ws_tls_wrap: its way in
   from without is good enough for us. */
struct ws_tls {
    uint32_t refs;              /* 0: one for all, never freed */
    int error;                  /* WS_ERR_; text says more */
    char text[160];
};
static ws_tls *ws__tls_hold(ws_tls *tls);
static void ws__tls_drop(ws_tls *tls);
static int ws__tls_serves(const ws_tls *tls, const char **why);

/* ==== >>conn (private) ============================================================== */

/* Bits of ws_conn.role, which stays as it was made. */
enum {
    WS__IS_FIXED = 1 << 0,      /* all memory is cfg.memory */
    WS__IS_BLOCKING = 1 << 1,   /* made by ws_connect */
    WS__IS_DRIVEN = 1 << 2      /* our drivers carry its bytes, by the system's clock */
};

/* Of ws_conn.line: the transport, both ways. */
enum {
    WS__INPUT_END = 1 << 0,     /* the peer's stream has ended */
    WS__BROKEN = 1 << 1,   /* ... by an error, or will when it was read: writing failed */
    WS__NO_OUTPUT = 1 << 2,     /* writing is pointless */
    WS__READ_WANTS_WRITE = 1 << 3,
    WS__WRITE_WANTS_READ = 1 << 4,
    WS__MORE = 1 << 5,          /* it may hold bytes without being readable */
    WS__PAUSED = 1 << 6,        /* the application wants no input */
    WS__CORKED = 1 << 7         /* drivers write nothing until ws_uncork */
};

/* Of ws_conn.owes: what the application is owed, and what was given to it. */
enum {
    WS__REFUSED = 1 << 0,       /* a send met WS_ERR_BACKLOG: WRITABLE is owed */
    WS__DRAIN_ASKED = 1 << 1,   /* WRITABLE is owed when nothing waits any more */
    WS__OPEN_OWED = 1 << 2,     /* the next pull gives OPEN */
    WS__MESSAGE_HELD = 1 << 3,  /* rx holds the message of the last event */
    WS__HEAD_HELD = 1 << 4,     /* rx holds the head of the last event */
    WS__CLOSE_TOLD = 1 << 5,
    WS__DOWN = 1 << 6,          /* DOWN was told, the next try is not due yet */
    WS__JUDGE_OWED = 1 << 7     /* the parser judges what is due, behind the input that is
                                   here */
};

/* Of ws_conn.life: how far it is. */
enum {
    WS__TICKED = 1 << 0,        /* now is a real time */
    WS__OPENED = 1 << 1,        /* the handshake was done */
    WS__ASKED = 1 << 2,         /* the application is to answer a WebSocket request */
    WS__ANSWERED = 1 << 3,      /* plain HTTP: the answer is queued. In the phase of heads
                                   (ws__is_kept): another request may come */
    WS__CHUNKED = 1 << 4,       /* a body in chunks */
    WS__LOOKED = 1 << 5,        /* there was a read since ws_recv(..., 0) gave 0 last */
    WS__IO_CLOSED = 1 << 6,     /* cfg.io.close was called */
    WS__FRESH = 1 << 7          /* input, or its end, came that the parser has not seen */
};

/* Of ws_conn.place, in the loop. */
enum {
    WS__QUEUED = 1 << 0,        /* in its queue */
    WS__DEAD = 1 << 1,          /* freed as soon as nothing points here */
    WS__LINGERS = 1 << 2,       /* output shut down, waits for the peer's end */
    WS__OVERDUE = 1 << 3,       /* something is due: judged when its turn ends */
    WS__PLACED = 1 << 4         /* keepalive alone makes nothing due before ws_conn.due */
};

#define WS__UNWATCHED 0xFF      /* conn->wants: the poller does not know the socket */
#define WS__NOTE_SIZE 192       /* of conn->note */
#define WS__NOTE_FIXED 144      /* in the caller's block */

/* Input of one connection. data[0..msg): payload of the unfinished message.
   data[pos..len): raw bytes not parsed yet; msg <= pos <= len <= cap, and one byte more.
   Exists only while it holds something. */
typedef struct ws__rx {
    size_t cap, msg, pos, len;
    size_t owed;            /* raw bytes to parse before what is due is judged, 0: none */
    size_t behind;   /* 0, or where a NUL stands behind what an event shows, instead of */
    uint8_t kept;           /* this byte */
    uint8_t begun;          /* the first PART event of the message was given */
    uint8_t parts;          /* its payload is handed on as it comes */
    uint8_t reads_body;     /* HTTP: a body that is not whole. Of a request, data[0..msg)
                               is its head, and what is to be given with it */
    uint8_t told_last;      /* HTTP: a PART event said that it is the last */
    uint8_t expects;        /* HTTP: a request whose body waits for a 100 */
    uint8_t in_parts;       /* HTTP: its body comes in parts */
    uint8_t undone;         /* HTTP: chunks of its body were put together in place */
    uint8_t stays;          /* HTTP: the connection goes on behind the answer */
    uint8_t empty_lines;    /* that stood before a request */
    uint8_t line_good;      /* its first line was judged */
    ws__reader reader;      /* of frames */
    ws__body body;              /* HTTP: of an answer, or of a request */
    size_t body_size;           /* HTTP: bytes of a request's body behind its head */
    uint32_t aside;             /* HTTP: bytes of interim answers; of a refusal's body, to
                                   be shown */
    uint32_t served;            /* HTTP: requests that were answered, until OPEN */
    uint64_t eaten;         /* coded: bytes of the frame that were decoded */
    size_t clear;           /* coded: bytes in front of the raw ones that are unmasked */
    ws_head head;           /* scanner of the peer's head */
    uint32_t head_at, head_size;
} ws__rx;

/* A whole frame in its final form, kept once for all who are to get it. Its bytes
   follow. */
typedef struct ws__shared {
    struct ws__cfg *cfg;        /* whose allocator it is from */
    size_t size, block;         /* bytes: the frame, all of it */
    uint32_t refs;
} ws__shared;

/* Something at a place between the bytes of a queue: a shared frame goes out before the
   byte at `at`; or (frame NULL) the bytes from there on were dropped. */
typedef struct ws__mark {
    size_t at;
    ws__shared *frame;
    size_t extra;          /* with a frame its slot + 1, 0 for none; else bytes dropped */
} ws__mark;

/* Output waiting for the peer. What is queued goes out in order, with three exceptions:
   the latest pong may overtake between two frames; a slot's frame that was not begun is
   replaced where it stands; drop_oldest takes frames out that were not begun. So the
   queue is bytes with marks between them: a mark stands for a frame that many connections
   share, or for bytes that are not to be sent any more.

   data[pos..len) and what the marks say, in order of their places. border is where the
   first frame begins of which nothing was written, or offered to a ws_io; marks stand at
   or behind it, between frames. There the pong overtakes; room for it is kept before pos.
   Dropped bytes never stand in front. */
typedef struct ws__tx {
    size_t cap, pos, len, border;
    size_t holes;               /* dropped bytes */
    size_t shared, sent;      /* bytes of shared frames: to write, written of the first */
    ws__mark *marks;            /* [mark_at..mark_end) of mark_cap */
    uint32_t mark_at, mark_end, mark_cap;
    size_t drain;         /* ws_want_writable: bytes still to be written of what waited */
    uint8_t tried;              /* the first mark's frame was offered to a ws_io */
    uint8_t has_pong, pong_size, pong[WS__CONTROL_MAX];
} ws__tx;

#define WS__TX_ROOM 131         /* a masked pong */
#define WS__PONG_QUEUE 2048     /* bytes of waiting output up to which each ping gets its
                                   pong */
#define WS__STAGE 144           /* raw bytes that must fit beside a whole message */

/* Blocks of memory that were just freed, kept for the next connection that needs one. */
typedef struct ws__cache {
    struct { void *block; size_t size; } slot[16];
    size_t total;
} ws__cache;

#define WS__CACHE_MAX ((size_t)8 << 10 << 10)   /* 0, none, where a size has 16 bits */

/* Pieces of output collected during one turn of a driver, sent in one call. Small
   payloads are copied to buf, large ones inside [lo, hi), which an event shows, are
   referred to. */
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
    int (*flush)(ws_conn *c);   /* writes all; what does not fit moves to conn->tx */
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
    uint8_t part_coded;         /* ext encodes the message that is sent in parts */
    struct ws__file *file;      /* of ws_http_file; NULL: none */
    struct ws__member *groups;      /* that it is in */
    struct ws__ext *ext;        /* the extension in use */
    char *remote;               /* the client's address that a trusted proxy wrote */
    char *lines;                /* of cfg.keep_headers, behind a CR LF */
    char *protocol;             /* subprotocol that the application chose */
    char *beat;                 /* of ws_http_beat */
    uint32_t beat_ms, beat_at;  /* at: when the next is due */
} ws__more;

/* The part of the caller's block that extensions have. */
typedef struct ws__area { uint8_t *at; size_t size, used; } ws__area;

/* A configuration with the defaults filled in and all strings copied. The connections of
   a listener share it: once they have begun, only the counts change. */
typedef struct ws__cfg {
    ws_config set;
    size_t size;
    const ws_extension *extensions;     /* up to one without a name; NULL: none */
    const char *url;            /* NULL: a server's */
    const char *lines;      /* headers, "name: value CR LF" each, NUL; then the proxy's */
    ws__area *area;             /* of cfg.memory_extension, NULL: none */
    ws__cache *cache;
    void (*wake)(ws_conn *c);   /* tells the driver that output or a deadline is new */
    uint32_t short_below;   /* single frames of fewer bytes are whole messages for sure */
    uint32_t refs;              /* who holds it */
    uint32_t conns;             /* listener: accepted and not closed yet */
} ws__cfg;

/* What only a client has: that connects, follows redirects, tries again, and may
   block. */
typedef struct ws__client {
    ws__cfg cfg;                /* its own. First: conn->cfg leads here */
    char *moved;                /* where redirects led, NULL: nowhere */
    char *next_line;            /* of ws_reconnect_header, NULL: none */
    struct ws__rx *parked;    /* blocking: shows an event, while more is read elsewhere */
    uint32_t reconnect;         /* ms of the first wait; 0: no new tries */
    uint32_t delay;             /* ms waited before this try, 0: it is the first */
    uint32_t opened;            /* when it was */
    uint32_t hops;              /* redirects followed in this try */
    uint16_t status;            /* of the answer */
    uint16_t answered;          /* blocking: pings answered that ws_recv is yet to tell */
    uint16_t looked;            /* blocking: when sending last looked for input, ms */
    uint8_t crossed;            /* a redirect led to another server */
    uint8_t as_get;             /* a redirect said: without the body */
    uint8_t to_follow;          /* the answer was a redirect */
    uint8_t close_ahead;        /* blocking: the peer's Close was read while sending */
    uint8_t delay_set;          /* by ws_reconnect_delay: no wait is shorter than
                                   reconnect */
    char accept[29];            /* the Sec-WebSocket-Accept to expect */
    uint8_t key_count;
    uint8_t keys[64];           /* masks drawn in advance from the system's source */
} ws__client;

/* What every turn looks at comes first. */
struct ws_conn {
    ws__cfg *cfg;
    ws_loop *loop;
    ws__rx *rx;                 /* NULL: holds nothing */
    ws__tx *tx;                 /* NULL: holds nothing */
    ws__gather *cork;           /* lent by the driver for a turn */
    ws__more *more;             /* NULL: none of it */
    struct ws__dial *dial;      /* while connecting */
    uint64_t taken;           /* bytes of input parsed: of the head, then of the frames */
    ws__core core;
    uint8_t role, line, owes, life, place;
    uint8_t protocol, wants;
    uint8_t route;              /* its number 1.., 0: none */
    ws__sock fd;
    uint32_t now;               /* ms, modulo 2^32 */
    uint32_t due;               /* its place in the heap: unless it is queued, nothing is
                                   due before */
    uint32_t slot;              /* in the loop's heap */
    void *user;
    ws_conn *link;              /* in the loop's queue */
    char *note;                 /* text of the error, or the peer's reason */
    char *target;               /* of the request, once that is gone; NULL: its route's
                                   path, or "/" without one */
    uint32_t refused;           /* sends that met WS_ERR_BACKLOG */
    uint32_t untaken;         /* what the peer had not taken yet when it was last asked */
};

static ws__client *ws__client_of(const ws_conn *conn)
{
    WS_ASSERT(WS__IS_CLIENT(&conn->core));
    return (ws__client *)(void *)conn->cfg;
}

/* Of the answer to a client's request, 0 before it. */
static int ws__status(const ws_conn *conn)
{
    return WS__IS_CLIENT(&conn->core) ? (int)ws__client_of(conn)->status : 0;
}

/* What a switch decides is a constant, so that the compiler leaves out what it rules. */
#ifdef WS_NO_MALLOC
static int ws__is_fixed(const ws_conn *conn) { (void)conn; return 1; }
#else
static int ws__is_fixed(const ws_conn *conn) { return conn->role & WS__IS_FIXED; }
#endif

#ifdef WS__WAITS
static int ws__is_blocking(const ws_conn *conn) { return conn->role & WS__IS_BLOCKING; }
#else
static int ws__is_blocking(const ws_conn *conn) { (void)conn; return 0; }
#endif

#ifdef WS_NO_SOCKETS
static int ws__is_driven(const ws_conn *conn) { (void)conn; return 0; }
static inline ws__gather *ws__cork_of(const ws_conn *conn) { (void)conn; return NULL; }
static inline ws_loop *ws__loop_of(const ws_conn *conn) { (void)conn; return NULL; }
#else
static int ws__is_driven(const ws_conn *conn) { return conn->role & WS__IS_DRIVEN; }
static inline ws__gather *ws__cork_of(const ws_conn *conn) { return conn->cork; }
static inline ws_loop *ws__loop_of(const ws_conn *conn) { return conn->loop; }
#endif

#if defined(WS_NO_MALLOC) && defined(WS_NO_EXTENSIONS)
static inline ws__more *ws__more_of(const ws_conn *conn) { (void)conn; return NULL; }
#else
static inline ws__more *ws__more_of(const ws_conn *conn) { return conn->more; }
#endif

/* Has it an extension in use? */
static inline int ws__is_extended(const ws_conn *conn)
{
    return WS__EXTENDS && ws__more_of(conn) && ws__more_of(conn)->ext;
}

#define WS__DATA(block) ((uint8_t *)(uintptr_t)((block) + 1))

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
    if (new_size)
        return realloc(old, new_size);
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
    if (p)
        (cfg->set.alloc)(cfg->set.alloc_user, p, size, 0);
}

/* Loops keep freed blocks. */
static inline ws__cache *ws__cache_of(const ws__cfg *cfg)
{
#ifdef WS_NO_SOCKETS
    (void)cfg;
    return NULL;
#else
    return cfg->cache;
#endif
}

/* A block of at least *size bytes, *size then being its real size. */
static void *ws__block_new(ws__cfg *cfg, size_t *size)
{
    ws__cache *cache = ws__cache_of(cfg);
    int i, best = -1;

    for (i = 0; cache && i < 16; i++) {
        size_t have = cache->slot[i].size;
        if (have >= *size && have / 4 <= *size &&
            (best < 0 || have < cache->slot[best].size))
            best = i;
    }
    if (best >= 0) {
        *size = cache->slot[best].size;
        cache->slot[best].size = 0;
        cache->total -= *size;
        return cache->slot[best].block;
    }
    return ws__alloc(cfg, *size);
}

static void ws__block_free(ws__cfg *cfg, void *block, size_t size)
{
    ws__cache *cache = ws__cache_of(cfg);
    int i, least = 0;

    if (!cache || !block || size > WS__CACHE_MAX / 2) {
        ws__free(cfg, block, size);
        return;
    }
    for (i = 1; i < 16; i++)
        if (cache->slot[i].size < cache->slot[least].size)
            least = i;
    if (cache->slot[least].size >= size ||
        cache->total - cache->slot[least].size + size > WS__CACHE_MAX) {
        ws__free(cfg, block, size);
        return;
    }
    if (cache->slot[least].size)
        ws__free(cfg, cache->slot[least].block, cache->slot[least].size);
    cache->total += size - cache->slot[least].size;
    cache->slot[least].block = block;
    cache->slot[least].size = size;
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

/* ==== >>settings (private) ========================================================== */

static int ws__token_valid(ws_str str) { return str.size && ws__all(str, ws__is_token); }

/* Header values: visible characters, spaces, tabs, and bytes of other charsets. */
static int ws__is_value(const char *s)
{
    for (; *s; s++)
        if (((uint8_t)*s < 0x20 && *s != '\t') || *s == 0x7F)
            return 0;
    return 1;
}

static int ws__headers_valid(const ws_header *header)
{
    for (; header && header->name; header++)
        if (!ws__token_valid(ws__cstr(header->name)) || !header->value ||
            !ws__is_value(header->value))
            return 0;
    return 1;
}

static int ws__has_header(const ws_header *header, const char *name)
{
    for (; header && header->name; header++)
        if (ws_str_is(ws__cstr(header->name), name))
            return 1;
    return 0;
}

/* Headers of the application: valid, and none of those that the library alone may write.
   sized: one may be Content-Length. */
static int ws__headers_own(const ws_header *header, int sized)
{
    static const char *const ours[] = {
        "Host", "Connection", "Upgrade", "Transfer-Encoding", "Sec-WebSocket-Key",
        "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions"
    };
    size_t i;

    for (i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ws__has_header(header, ours[i]))
            return 0;
    return ws__headers_valid(header) &&
        (sized || !ws__has_header(header, "Content-Length"));
}

/* A path in which '*' stands only at the end of a segment. */
static int ws__pattern_valid(const char *p)
{
    if (*p != '/')
        return 0;
    for (; *p; p++)
        if (*p == '*' && p[1] && p[1] != '/')
            return 0;
    return 1;
}

#ifndef WS_NO_SERVER

/* scheme "://" host [":" port], or of other schemes than HTTP's anything behind "://". */
typedef struct ws__origin {
    ws_str scheme, host;
    unsigned port, standard;   /* of HTTP's schemes: the scheme's own filled in; else 0 */
    int below;                  /* it was "*.host" */
} ws__origin;

static int ws__origin_parse(ws__origin *origin, ws_str str)
{
    size_t n = ws__find(str, 0, ':'), i;
    ws_str rest;

    memset(origin, 0, sizeof *origin);
    if (!n || n + 3 > str.size || memcmp(str.data + n, "://", 3))
        return 0;
    for (i = 0; i < n; i++)
        if (!ws__is_token(str.data[i]) || strchr("*!#$%&'^_`|~", str.data[i]))
            return 0;
    origin->scheme = ws__str(str.data, n);
    rest = ws__str(str.data + n + 3, str.size - n - 3);
    origin->below = rest.size > 2 && rest.data[0] == '*' && rest.data[1] == '.';
    if (origin->below)
        rest = ws__str(rest.data + 2, rest.size - 2);
    for (i = 0; i < rest.size; i++)
        if (!ws__is_visible(rest.data[i]) || strchr("/?#@,;*", rest.data[i]))
            return 0;
    origin->host = rest;
    if (ws_str_is(origin->scheme, "http"))
        origin->standard = 80;
    else if (ws_str_is(origin->scheme, "https"))
        origin->standard = 443;
    else
        return 1;
    return ws__authority(rest, &origin->host, &origin->port, origin->standard);
}

/* The element of cfg.origins that can never be an origin, size 0: none. */
static ws_str ws__origins_fault(const char *origins)
{
    ws_str list = ws__cstr(origins), item;
    ws__origin origin;
    int any = 0;

    while (ws_list_next(&list, &item)) {
        any = 1;
        if (!ws_str_is(item, "*") && !ws_str_is(item, "same") &&
            !ws_str_is(item, "null") &&
            !ws__origin_parse(&origin, item))
            return item;
    }
    return origins && !any ? ws__cstr("an empty list") : ws__str("", 0);
}

#endif

/* Whose a field of ws_config is, and what a connection is that is to be made with it. */
enum {
    WS__OF_SERVER = 1 << 0,
    WS__OF_LISTENER = 1 << 1,
    WS__OF_CLIENT = 1 << 2,
    WS__OF_DIALLER = 1 << 3,    /* a client that connects itself */
    WS__OF_ALL = 15,
    WS__OF_LOOP = 1 << 4
};

/* How it is checked and copied. */
enum {
    WS__AS_IS,
    WS__AS_LIMIT,               /* a ws_limit */
    WS__AS_TIME,                /* ms, of which there are never too many */
    WS__AS_TEXT,                /* a string, the value of a header */
    WS__AS_TOKEN,               /* a string */
    WS__AS_ORIGINS,             /* a string */
    WS__AS_TOKENS,              /* a list */
    WS__AS_LINES,               /* headers */
    WS__AS_ROUTES,
    WS__AS_BODY,
    WS__AS_VERSION,
    WS__AS_IO,
    WS__AS_MEMORY,
    WS__AS_EXTENSIONS,
    WS__AS_DEFLATE
};

typedef struct ws__field {
    uint32_t preset;
    uint16_t at;
    uint8_t size, of, as;
} ws__field;

/* All fields that are not for everybody: who may set each, how it is checked, and what it
   is when it is not set. */
#define WS__FIELDS(X) \
    X(max_message, ALL, LIMIT, (uint32_t)1 << 20) \
    X(max_frame, ALL, LIMIT, WS_NO_LIMIT) \
    X(max_fragments, ALL, IS, 4096) \
    X(max_head, ALL, IS, 8192) \
    X(max_headers, ALL, IS, 64) \
    X(max_backlog, ALL, IS, (uint32_t)1 << 20) \
    X(max_body, SERVER, IS, 65536) \
    X(max_requests, SERVER, IS, 1) \
    X(max_connections, LISTENER, IS, WS_NO_LIMIT) \
    X(max_per_address, LISTENER, IS, WS_NO_LIMIT) \
    X(handshake_timeout, ALL, TIME, 10000) \
    X(ping_interval, ALL, TIME, 20000) \
    X(ping_timeout, ALL, TIME, 20000) \
    X(close_timeout, ALL, TIME, 5000) \
    X(idle_timeout, ALL, TIME, WS_NEVER) \
    X(send_timeout, CLIENT, TIME, 30000) \
    X(loop_buffer, LOOP, IS, (uint32_t)1 << 20) \
    X(ask, SERVER, IS, 0) \
    X(body_parts, SERVER, IS, 0) \
    X(routes, SERVER, ROUTES, 0) \
    X(trusted_proxies, SERVER, IS, 0) \
    X(keep_headers, SERVER, TEXT, 0) \
    X(reuse_port, LISTENER, IS, 0) \
    X(parts_over, ALL, LIMIT, WS_NO_LIMIT) \
    X(fragment, ALL, IS, WS_NO_LIMIT) \
    X(method, CLIENT, TOKEN, 0) \
    X(body, CLIENT, IS, 0) \
    X(body_size, CLIENT, BODY, 0) \
    X(version, CLIENT, VERSION, 0) \
    X(max_redirects, DIALLER, IS, 0) \
    X(reconnect, DIALLER, IS, 0) \
    X(reconnect_max, CLIENT, TIME, 30000) \
    X(retry_after, CLIENT, IS, 0) \
    X(refusal_final, CLIENT, IS, 0) \
    X(protocol_optional, CLIENT, IS, 0) \
    X(retry_max, CLIENT, TIME, 300000) \
    X(proxy, DIALLER, TEXT, 0) \
    X(proxy_headers, DIALLER, LINES, 0) \
    X(deflate, ALL, DEFLATE, 0) \
    X(extensions, ALL, EXTENSIONS, 0) \
    X(protocols, ALL, TOKENS, 0) \
    X(origins, SERVER, ORIGINS, 0) \
    X(origin, CLIENT, TEXT, 0) \
    X(host, CLIENT, TEXT, 0) \
    X(headers, ALL, LINES, 0) \
    X(resolve, DIALLER, IS, 0) \
    X(allow_address, DIALLER, IS, 0) \
    X(on_socket, DIALLER, IS, 0) \
    X(io, ALL, IO, 0) \
    X(memory, ALL, MEMORY, 0)

#define WS__FIELD(name, of, as, preset) \
    { preset, (uint16_t)offsetof(ws_config, name), \
      (uint8_t)sizeof(((ws_config *)0)->name), WS__OF_##of, WS__AS_##as },

static const ws__field ws__fields[] = { WS__FIELDS(WS__FIELD) };

#define WS__FIELD_END (ws__fields + sizeof ws__fields / sizeof *ws__fields)

static const void *ws__field_at(const ws_config *cfg, const ws__field *field)
{
    return (const char *)cfg + field->at;
}

static int ws__field_is_set(const ws_config *cfg, const ws__field *field)
{
    const uint8_t *p = (const uint8_t *)ws__field_at(cfg, field);
    size_t i;

    for (i = 0; i < field->size; i++) {
        if (p[i])
            return 1;
    }
    return 0;
}

/* The place of a field that is a string to be copied; NULL: it is none. */
static const char **ws__field_text(const ws_config *cfg, const ws__field *field)
{
    if (field->as != WS__AS_TEXT && field->as != WS__AS_TOKEN &&
        field->as != WS__AS_ORIGINS)
        return NULL;
    return (const char **)(uintptr_t)ws__field_at(cfg, field);
}

static int ws__tokens_valid(const char *text)
{
    ws_str list = ws__cstr(text), item;

    while (ws_list_next(&list, &item)) {
        if (!ws__token_valid(item))
            return 0;
    }
    return 1;
}

static int ws__routes_valid(const ws_route *routes)
{
    const ws_route *route;

    for (route = routes; route->path; route++) {
        if (route - routes >= 254 || !ws__pattern_valid(route->path))
            return 0;
        if (route->protocol && !ws__token_valid(ws__cstr(route->protocol)))
            return 0;
    }
    return 1;
}

static int ws__io_valid(const ws_config *cfg)
{
    if (!cfg->io.read && !cfg->io.write)
        return 1;
    return cfg->io.read && cfg->io.write && !cfg->wrap && !cfg->tls;
}

/* A block has no room for some things, or no part for extensions. */
static int ws__memory_valid(const ws_config *cfg)
{
    if (cfg->trusted_proxies || cfg->wrap || cfg->tls)
        return 0;
    return cfg->memory_extension || !WS__EXTENDS || !(cfg->extensions || cfg->deflate);
}

/* Can a field that is set be as it is? */
static int ws__field_valid(const ws_config *cfg, const ws__field *field)
{
    const char **text = ws__field_text(cfg, field);

    switch (field->as) {
    case WS__AS_TEXT: return **text && ws__is_value(*text);
    case WS__AS_TOKEN: return WS__HTTP && ws__token_valid(ws__cstr(*text));
#ifndef WS_NO_SERVER
    case WS__AS_ORIGINS: return !ws__origins_fault(*text).size;
#endif
    case WS__AS_TOKENS: return ws__tokens_valid(cfg->protocols);
    case WS__AS_LINES:
        return ws__headers_own(*(const ws_header *const *)ws__field_at(cfg, field), 0);
    case WS__AS_ROUTES: return ws__routes_valid(cfg->routes);
    case WS__AS_BODY: return cfg->body != NULL;
    case WS__AS_VERSION: return cfg->version == 8 || cfg->version == 13;
    case WS__AS_IO: return ws__io_valid(cfg);
    case WS__AS_MEMORY: return ws__memory_valid(cfg);
    case WS__AS_EXTENSIONS: return ws__extensions_valid(cfg->extensions);
    case WS__AS_DEFLATE: return WS__EXTENDS;
    default: return 1;
    }
}

/* The first field that cannot be as it is, or not for this role; NULL: none. */
static const ws__field *ws__field_fault(const ws_config *cfg, int role)
{
    const ws__field *field;

    for (field = ws__fields; field < WS__FIELD_END; field++) {
        if (!ws__field_is_set(cfg, field))
            continue;
        if (!(field->of & role) || !ws__field_valid(cfg, field))
            return field;
    }
    return NULL;
}

/* What is wrong with a configuration, or 0. */
static int ws__config_fault(const ws_config *cfg, int role)
{
    if (ws__field_fault(cfg, role))
        return WS_ERR_ARGUMENT;
    return WS__EXTENDS && cfg->deflate
           ? ws__deflate_fault(cfg->deflate, role & WS__OF_CLIENT) : 0;
}

static size_t ws__lines_size(const ws_header *header)
{
    size_t n = 1;
    for (; header && header->name; header++)
        n += strlen(header->name) + strlen(header->value) + 4;
    return n;
}

static void ws__put_lines(ws__text *text, const ws_header *header)
{
    for (; header && header->name; header++) {
        ws__puts(text, header->name);
        ws__puts(text, ": ");
        ws__puts(text, header->value);
        ws__puts(text, "\r\n");
    }
}

/* Those of the lines that headers does not say itself. */
static void ws__put_more(ws__text *text, const ws_header *headers, const ws_header *more)
{
    ws_header one[2] = { { NULL, NULL }, { NULL, NULL } };

    for (; more && more->name; more++) {
        *one = *more;
        if (!ws__has_header(headers, more->name))
            ws__put_lines(text, one);
    }
}

/* Copies s behind the others; NULL stays NULL. */
static const char *ws__keep(ws__text *text, const char *s)
{
    const char *at = text->at;
    if (!s)
        return NULL;
    ws__puts(text, s);
    text->at++;
    return at;
}

static const char *ws__keep_lines(ws__text *text, const ws_header *header,
                                  const ws_header *more)
{
    const char *at = text->at;
    *text->at = 0;
    ws__put_lines(text, header);
    ws__put_more(text, header, more);
    text->at++;
    return at;
}

/* Writes list as "a\0b\0\0": its elements can be handed out as strings. */
static const char *ws__keep_list(ws__text *text, const char *list)
{
    const char *at = text->at;
    ws_str rest = ws__cstr(list), item;

    while (ws_list_next(&rest, &item)) {
        ws__put(text, item.data, item.size);
        text->at++;
    }
    *text->at++ = 0;
    return at;
}

#define WS__LONGEST ((uint32_t)1 << 29) /* ms that a time may be, but for WS_NEVER */

static uint32_t ws__time_within(uint32_t ms)
{
    return ms == WS_NEVER ? ms : ws__smaller(ms, WS__LONGEST);
}

/* A number that is not set, or a time that is too long. */
static void ws__preset(ws_config *set, const ws__field *field)
{
    void *at = (char *)set + field->at;
    uint32_t *number = (uint32_t *)at;
    ws_limit *limit = (ws_limit *)at;

    if (field->as == WS__AS_LIMIT)
        *limit = *limit ? *limit : field->preset;
    else if (!*number)
        *number = field->preset;
    if (field->as == WS__AS_TIME)
        *number = ws__time_within(*number);
}

static ws_limit ws__lesser(ws_limit a, ws_limit b) { return a < b ? a : b; }

/* The limit of what is put together in memory. */
static ws_limit *ws__whole(ws_config *set)
{
    if (set->frames)
        return &set->max_frame;
    return set->parts_over != WS_NO_LIMIT ? &set->parts_over : &set->max_message;
}

/* Limits are sizes, be they of 16 bits; of the heap a quarter, so that sums are. */
static void ws__fit_sizes(ws_config *set)
{
    const uint32_t any = (uint32_t)(size_t)-1;
    uint32_t most = set->memory ? any : any / 4;
    ws_limit *whole = ws__whole(set);

    *whole = ws__lesser(*whole, most);
    set->max_head = ws__smaller(set->max_head, most);
    set->max_backlog = ws__smaller(set->max_backlog, most);
    if (set->fragment != WS_NO_LIMIT)
        set->fragment = ws__smaller(set->fragment, any);
}

static void ws__defaults(ws_config *set)
{
    const ws__field *field;

    if (!set->max_message && set->parts_over && set->parts_over != WS_NO_LIMIT)
        set->max_message = WS_NO_LIMIT;         /* no message is held whole */
    for (field = ws__fields; field < WS__FIELD_END; field++) {
        if (field->preset)
            ws__preset(set, field);
    }
    if ((size_t)-1 / 2 < 0xFFFFFF)
        ws__fit_sizes(set);
    if (!set->alloc)
        set->alloc = ws__system_alloc;
}

static size_t ws__routes_size(const ws_route *route)
{
    size_t n = route ? sizeof *route + 7 : 0;       /* and to align them */
    for (; route && route->path; route++)
        n += sizeof *route + strlen(route->path) +
            (route->protocol ? strlen(route->protocol) + 1 : 0) + 1;
    return n;
}

static const ws_route *ws__keep_routes(ws__text *text, const ws_route *from)
{
    ws_route *to;
    size_t count = 0, i;

    if (!from)
        return NULL;
    text->at += (8 - (uintptr_t)text->at % 8) % 8;
    to = (ws_route *)(void *)text->at;
    while (from[count].path)
        count++;
    memcpy(to, from, (count + 1) * sizeof *to);
    text->at += (count + 1) * sizeof *to;
    for (i = 0; i < count; i++) {
        to[i].path = ws__keep(text, from[i].path);
        to[i].protocol = ws__keep(text, from[i].protocol);
    }
    return to;
}

static uint32_t ws__short_below(const ws_config *set)
{
    ws_limit least = ws__lesser(set->max_message, set->max_frame);

    if (set->frames)
        return 0;
    least = ws__lesser(least, set->parts_over);
    return (uint32_t)ws__lesser(least, WS_NO_LIMIT - 1) + 1;
}

/* What a reader of an event stream says, unless the application's headers do. */
static const ws_header *ws__stream_lines(const ws_config *cfg)
{
    static const ws_header lines[] = {
        { "Accept", "text/event-stream" }, { "Cache-Control", "no-cache" }, { NULL, NULL }
    };

    return cfg->for_stream ? lines : NULL;
}

/* What stands in front of the strings. */
static size_t ws__cfg_base(const char *url)
{
    return url ? sizeof(ws__client) : sizeof(ws__cfg);
}

/* url: NULL for a server's. */
static size_t ws__cfg_size(const ws_config *cfg, const char *url)
{
    size_t n = ws__cfg_base(url) + (url ? strlen(url) + 1 : 0) + 3;
    const ws__field *field;

    if (!cfg)
        return n + 2 * ws__lines_size(NULL);
    for (field = ws__fields; field < WS__FIELD_END; field++) {
        const char **text = ws__field_text(cfg, field);
        if (text && *text)
            n += strlen(*text) + 1;
    }
    return n + ws__lines_size(cfg->headers) + ws__lines_size(ws__stream_lines(cfg)) +
           ws__lines_size(cfg->proxy_headers) + ws__extensions_size(cfg) +
           ws__routes_size(cfg->routes) + ws__cstr(cfg->protocols).size +
           (cfg->method ? cfg->body_size : 0);
}

/* Fills size bytes at kept, from ws__cfg_size. cfg is valid, or NULL: all is as by
   default. */
static void ws__cfg_fill(ws__cfg *kept, size_t size, const ws_config *cfg,
                         const char *url)
{
    const ws__field *field;
    ws__text out;

    memset(kept, 0, ws__cfg_base(url));
    if (cfg)
        kept->set = *cfg;
    cfg = &kept->set;
    kept->size = size;
    kept->refs = 1;
    ws__defaults(&kept->set);
    if (url)
        ((ws__client *)(void *)kept)->reconnect = kept->set.reconnect;
    out.at = (char *)kept + ws__cfg_base(url);
    out.end = (char *)kept + size;
    kept->extensions = ws__keep_extensions(&out, cfg);
    kept->set.routes = ws__keep_routes(&out, cfg->routes);
    kept->lines = ws__keep_lines(&out, cfg->headers, ws__stream_lines(cfg));
    ws__keep_lines(&out, cfg->proxy_headers, NULL);
    kept->set.protocols = ws__keep_list(&out, cfg->protocols);
    kept->url = ws__keep(&out, url);
    for (field = ws__fields; field < WS__FIELD_END; field++) {
        const char **text = ws__field_text(&kept->set, field);
        if (text)
            *text = ws__keep(&out, *text);
    }
    kept->short_below = ws__short_below(&kept->set);
    if (cfg->method && cfg->body_size) {
        memcpy(out.at, cfg->body, cfg->body_size);
        kept->set.body = out.at;
    }
    kept->set.headers = kept->set.proxy_headers = NULL;
    kept->set.tls = ws__tls_hold(cfg->tls);
    kept->set.deflate = NULL;
    kept->set.extensions = NULL;
}

static void ws__cfg_release(ws__cfg *cfg)
{
    if (--cfg->refs)
        return;
    ws__tls_drop(cfg->set.tls);
    ws__free(cfg, cfg, cfg->size);
}

/* ==== >>queue (private) ============================================================= */

/* Output that waits. Bytes are put behind it, or a frame is shared with others; front
   shows what goes next, advance takes away what went, forget drops the oldest message of
   which nothing was written. Nobody else looks into a ws__tx (tests/lint.sh). */

/* The i-th mark of a queue, NULL behind the last. A caller's block has none. */
static inline ws__mark *ws__mark_at(const ws__tx *tx, uint32_t i)
{
#ifdef WS_NO_MALLOC
    (void)tx;
    (void)i;
    return NULL;
#else
    return i < tx->mark_end ? &tx->marks[i] : NULL;
#endif
}

/* Bytes of the queue but for a pong that waits. */
static size_t ws__queued(const ws__tx *tx)
{
    return tx->len - tx->pos - tx->holes + tx->shared;
}

static size_t ws__pending(const ws_conn *conn)
{
    if (!conn->tx)
        return 0;
    return ws__queued(conn->tx) + (conn->tx->has_pong ? 2u + conn->tx->pong_size : 0u);
}

/* Bytes in front that go before anything else: the request, a frame that is begun. */
static size_t ws__tx_begun(const ws_conn *conn)
{
    return conn->tx ? conn->tx->border - conn->tx->pos : 0;
}

/* Bytes for which there is room behind what waits, and in a block at most. */
static size_t ws__tx_spare(const ws_conn *conn) { return conn->tx->cap - conn->tx->len; }
static size_t ws__tx_most(const ws_conn *conn) { return conn->tx->cap - 2 * WS__TX_ROOM; }

/* From now on ws__tx_drains, until all that waits was written. */
static void ws__tx_drain(ws_conn *conn)
{
    if (conn->tx)
        conn->tx->drain = ws__queued(conn->tx);
}

static int ws__tx_drains(const ws_conn *conn) { return conn->tx && conn->tx->drain; }

static void ws__shared_release(ws__shared *shared)
{
    if (--shared->refs == 0)
        ws__block_free(shared->cfg, shared, shared->block);
}

/* Forgets all. */
static void ws__tx_clear(ws_conn *conn)
{
    ws__tx *tx = conn->tx;
    ws__mark *mark;

    if (ws__is_fixed(conn)) {
        tx->pos = tx->len = tx->border = WS__TX_ROOM;
        tx->drain = 0;
        tx->has_pong = 0;
    } else if (tx) {
        for (; (mark = ws__mark_at(tx, tx->mark_at)) != NULL; tx->mark_at++)
            if (mark->frame)
                ws__shared_release(mark->frame);
        ws__free(conn->cfg, tx->marks, (size_t)tx->mark_cap * sizeof *tx->marks);
        ws__block_free(conn->cfg, tx, sizeof *tx + tx->cap);
        conn->tx = NULL;
    }
}

/* A block's queue, with room for cap bytes behind it. */
WS__PRIVATE void ws__tx_begin(ws_conn *conn, void *at, size_t cap)
{
    conn->tx = (ws__tx *)at;
    memset(conn->tx, 0, sizeof *conn->tx);
    conn->tx->cap = cap;
    ws__tx_clear(conn);
}

/* ---- put ---- */

/* Moves the bytes of a queue to another block, or to the front of their own, leaving out
   those that were dropped. */
static void ws__tx_move(ws__tx *tx, uint8_t *to)
{
    size_t from = tx->pos, at = WS__TX_ROOM;
    uint32_t i, kept = 0;

    for (i = tx->mark_at; i <= tx->mark_end; i++) {
        ws__mark *mark = ws__mark_at(tx, i);
        size_t n = (mark ? mark->at : tx->len) - from;
        memmove(to + at, WS__DATA(tx) + from, n);
        at += n;
        from += n;
        if (mark && mark->frame)
            tx->marks[kept] = *mark, tx->marks[kept++].at = at;
        else if (mark)
            from += mark->extra;
    }
    tx->border = tx->border - tx->pos + WS__TX_ROOM;
    tx->pos = WS__TX_ROOM;
    tx->len = at;
    tx->holes = 0;
    tx->mark_at = 0;
    tx->mark_end = kept;
}

/* Room for n more bytes behind the queue; NULL when memory is out. */
static uint8_t *ws__tx_room(ws_conn *conn, size_t n)
{
    ws__tx *tx = conn->tx, *bigger;
    size_t used = tx ? tx->len - tx->pos - tx->holes : 0, size;

    /* what is moved is at most four times what was written since, so the cost stays
       linear */
    if (tx && tx->cap - tx->len < n && tx->pos >= WS__TX_ROOM &&
        (tx->pos - WS__TX_ROOM + tx->holes >= used / 4 || ws__is_fixed(conn)))
        ws__tx_move(tx, WS__DATA(tx));
    if (tx && tx->cap - tx->len >= n)
        return WS__DATA(tx) + tx->len;
    if (ws__is_fixed(conn) || n > ((size_t)-1) / 2 - used - 4096)
        return NULL;
    size = sizeof *tx + WS__TX_ROOM + used + n;
    size = size < 512 ? 512 : size + (used ? size / 4 : 0);
    bigger = (ws__tx *)ws__block_new(conn->cfg, &size);
    if (!bigger)
        return NULL;
    if (tx) {
        size_t old = sizeof *tx + tx->cap;
        ws__tx_move(tx, WS__DATA(bigger));
        *bigger = *tx;
        ws__free(conn->cfg, tx, old);
    } else {
        memset(bigger, 0, sizeof *bigger);
        bigger->pos = bigger->len = bigger->border = WS__TX_ROOM;
    }
    bigger->cap = size - sizeof *bigger;
    conn->tx = bigger;
    return WS__DATA(bigger) + bigger->len;
}

/* ws__tx_room behind used bytes that are not queued yet. */
static uint8_t *ws__tx_room_behind(ws_conn *conn, size_t used, size_t n)
{
    uint8_t *at;

    if (conn->tx)
        conn->tx->len += used;
    at = ws__tx_room(conn, n);
    if (conn->tx)
        conn->tx->len -= used;
    return at;
}

/* What was laid down behind the queue, up to end, now waits. raw: it is no frame, and
   nothing overtakes it. */
static void ws__tx_laid(ws_conn *conn, const void *end, int raw)
{
    conn->tx->len = (size_t)((const uint8_t *)end - WS__DATA(conn->tx));
    if (raw)
        conn->tx->border = conn->tx->len;
}

/* Puts n bytes behind what waits. */
WS__PRIVATE int ws__tx_put(ws_conn *conn, const void *data, size_t n, int raw)
{
    uint8_t *at = ws__tx_room(conn, n);

    if (!at)
        return WS_ERR_MEMORY;
    memcpy(at, data, n);
    ws__tx_laid(conn, at + n, raw);
    return 0;
}

/* The first n bytes are the rest of a frame that was begun elsewhere. */
WS__PRIVATE void ws__tx_goes_on(ws_conn *conn, size_t n) { conn->tx->border += n; }

/* Puts what waits in old behind its first frame, a request, behind the new one. */
WS__PRIVATE int ws__tx_join(ws_conn *conn, ws__tx *old)
{
    size_t n = old->len - old->border, shift;
    uint8_t *at = ws__tx_room(conn, n);
    uint32_t i;

    if (!at)
        return WS_ERR_MEMORY;
    memcpy(at, WS__DATA(old) + old->border, n);
    shift = conn->tx->len - old->border;
    for (i = old->mark_at; i < old->mark_end; i++)
        old->marks[i].at += shift;
    conn->tx->marks = old->marks;
    conn->tx->mark_at = old->mark_at;
    conn->tx->mark_end = old->mark_end;
    conn->tx->mark_cap = old->mark_cap;
    conn->tx->holes = old->holes;
    conn->tx->shared = old->shared;
    conn->tx->len += n;
    if (old->drain)
        ws__tx_drain(conn);
    old->marks = NULL;
    old->mark_at = old->mark_end = old->mark_cap = 0;
    return 0;
}

/* ---- advance ---- */

/* Bytes of the frame that begins at p, one of ours and all there. */
static size_t ws__frame_size(const uint8_t *p)
{
    ws_frame frame = { 0, 0, 0, 0, 0, { 0, 0, 0, 0 } };
    size_t head = (size_t)ws_frame_decode(p, WS_FRAME_HEADER_MAX, &frame);

    return head + (size_t)frame.size;
}

/* Steps over what was dropped in front; lets go of a queue that holds nothing. */
static void ws__tx_settle(ws_conn *conn)
{
    ws__tx *tx = conn->tx;

    if (tx->drain > ws__queued(tx))
        tx->drain = ws__queued(tx);
    for (;;) {
        const ws__mark *mark = ws__mark_at(tx, tx->mark_at);
        if (!mark || mark->frame || mark->at != tx->pos)
            break;
        tx->holes -= mark->extra;
        tx->border = tx->pos += mark->extra;
        tx->mark_at++;
    }
    if (!ws__pending(conn))
        ws__tx_clear(conn);
}

/* n bytes in front were written. 0 if not so many wait. */
static int ws__tx_advance(ws_conn *conn, size_t n)
{
    ws__tx *tx = conn->tx;

    if (!tx || n > ws__queued(tx))
        return 0;
    tx->drain = n < tx->drain ? tx->drain - n : 0;
    while (n && conn->tx) {
        ws__mark *mark = ws__mark_at(tx, tx->mark_at);
        size_t part = (mark ? mark->at : tx->len) - tx->pos;
        if (part) {
            if (part > n)
                part = n;
            tx->pos += part;
        } else {
            part = mark->frame->size - tx->sent;
            if (part > n)
                part = n;
            tx->sent += part;
            tx->shared -= part;
            if (tx->sent == mark->frame->size) {
                ws__shared_release(mark->frame);
                tx->sent = 0;
                tx->tried = 0;
                tx->mark_at++;
            }
        }
        n -= part;
        while (tx->border < tx->pos)
            tx->border += ws__frame_size(WS__DATA(tx) + tx->border);
        ws__tx_settle(conn);
    }
    return 1;
}

/* ---- front ---- */

/* 1 if the shared frame in front must be the next to go. */
static int ws__front_begun(const ws__tx *tx) { return tx->sent || tx->tried; }

#define WS__IO_MAX 16384        /* bytes offered to a ws_io at once: what TLS takes in one
                                   record */

/* A ws_io was offered what comes next, and wants to see it again: nothing may go before
   it. */
WS__PRIVATE void ws__tx_tried(ws_conn *conn)
{
    ws__tx *tx = conn->tx;
    const ws__mark *mark;
    size_t stop;

    if (!tx || tx->has_pong)
        return;                         /* only what is begun */
    mark = ws__mark_at(tx, tx->mark_at);
    stop = mark ? mark->at : tx->len;
    if (stop - tx->pos > WS__IO_MAX)
        stop = tx->pos + WS__IO_MAX;
    while (tx->border < stop)
        tx->border += ws__frame_size(WS__DATA(tx) + tx->border);
    if (stop == tx->pos && mark)
        tx->tried = 1;
}

/* The next pieces to write, in order: fills up to most of v, returns how many. */
static int ws__tx_front(const ws_conn *conn, ws__piece *pieces, int most)
{
    const ws__tx *tx = conn->tx;
    /* before OPEN only the request may go; before a waiting pong only the frame begun */
    int opens = WS__IS_CLIENT(&conn->core) && conn->core.phase == WS__PHASE_HEAD;
    int begun = tx->has_pong || opens, n = 0;
    size_t at = tx->pos, end = begun ? tx->border : tx->len;
    uint32_t i = tx->mark_at;

    while (n < most) {
        const ws__mark *mark = ws__mark_at(tx, i);
        size_t stop = mark && mark->at < end ? mark->at : end,
            sent = i == tx->mark_at ? tx->sent : 0;
        if (at < stop) {
            pieces[n].iov_base = (void *)(uintptr_t)(WS__DATA(tx) + at);
            pieces[n++].iov_len = stop - at;
            at = stop;
            continue;
        }
        if (!mark || mark->at > at ||
            (begun && (i > tx->mark_at || !ws__front_begun(tx))))
            break;
        if (mark->frame) {
            pieces[n].iov_base = WS__DATA(mark->frame) + sent;
            pieces[n++].iov_len = mark->frame->size - sent;
        } else {
            at += mark->extra;
        }
        i++;
    }
    return n;
}

/* Bytes alone are front's first piece. */
WS__PRIVATE int ws__tx_is_plain(const ws_conn *conn) { return !conn->tx->mark_end; }

/* Bytes of waiting output up to which each ping gets a pong of its own. */
static size_t ws__tx_pong_limit(const ws_conn *conn)
{
    return ws__is_fixed(conn) ? conn->tx->cap / 4 : WS__PONG_QUEUE;
}

/* The latest pong, which goes at the next frame border. */
static void ws__tx_pong(ws_conn *conn, const void *data, size_t n)
{
    conn->tx->has_pong = 1;
    conn->tx->pong_size = (uint8_t)n;
    if (n)
        memcpy(conn->tx->pong, data, n);
}

static int ws__tx_pong_is_due(const ws_conn *conn)
{
    const ws__tx *tx = conn->tx;

    return tx->has_pong && tx->pos == tx->border && !ws__front_begun(tx);
}

/* Takes the pong that is due: n bytes. */
static const uint8_t *ws__tx_pong_take(ws_conn *conn, size_t *n)
{
    conn->tx->has_pong = 0;
    *n = conn->tx->pong_size;
    return conn->tx->pong;
}

/* Room for a pong in front of all. */
static uint8_t *ws__tx_overtake(ws_conn *conn, size_t n)
{
    ws__tx *tx = conn->tx;

    tx->pos -= n;
    if (tx->drain)
        tx->drain += n;
    return WS__DATA(tx) + tx->pos;
}

/* ---- share ---- */

/* A new mark before the i-th; NULL when memory is out. */
static ws__mark *ws__mark_new(ws_conn *conn, uint32_t i)
{
    ws__tx *tx = conn->tx;
    uint32_t used = tx->mark_end - tx->mark_at;

    if (ws__is_fixed(conn))
        return NULL;
    if (tx->mark_end == tx->mark_cap) { /* to the front, or as in ws__tx_room elsewhere */
        ws__mark *to = tx->marks;
        uint32_t cap = tx->mark_cap;
        if (tx->mark_at <= used / 4) {
            cap = used + used / 2 + 8;
            to = (ws__mark *)ws__alloc(conn->cfg, (size_t)cap * sizeof *to);
            if (!to)
                return NULL;
        }
        if (used)
            memmove(to, tx->marks + tx->mark_at, (size_t)used * sizeof *to);
        if (to != tx->marks)
            ws__free(conn->cfg, tx->marks, (size_t)tx->mark_cap * sizeof *to);
        tx->marks = to;
        tx->mark_cap = cap;
        i -= tx->mark_at;
        tx->mark_at = 0;
        tx->mark_end = used;
    }
    memmove(tx->marks + i + 1, tx->marks + i,
            (size_t)(tx->mark_end - i) * sizeof *tx->marks);
    tx->mark_end++;
    return &tx->marks[i];
}

/* Room for n bytes to share, with one reference: the caller's. */
static ws__shared *ws__shared_raw(ws__cfg *cfg, size_t n)
{
    size_t size = sizeof(ws__shared) + n;
    ws__shared *shared = (ws__shared *)ws__block_new(cfg, &size);

    if (!shared)
        return NULL;
    shared->cfg = cfg;
    shared->size = n;
    shared->block = size;
    shared->refs = 1;
    return shared;
}

/* Puts a shared frame behind what waits. slot: its number + 1, 0: none. */
static int ws__tx_share(ws_conn *conn, ws__shared *shared, size_t slot)
{
    ws__mark *mark;

    if (!ws__tx_room(conn, 0))
        return WS_ERR_MEMORY;
    mark = ws__mark_new(conn, conn->tx->mark_end);
    if (!mark) {
        ws__tx_settle(conn);
        return WS_ERR_MEMORY;
    }
    mark->at = conn->tx->len;
    mark->frame = shared;
    mark->extra = slot;
    conn->tx->shared += shared->size;
    shared->refs++;
    return 0;
}

/* The unsent frame of a slot, NULL if there is none. */
WS__PRIVATE ws__mark *ws__slot_find(const ws_conn *conn, int slot)
{
    const ws__tx *tx = conn->tx;
    uint32_t i = tx ? tx->mark_at + (ws__front_begun(tx) ? 1 : 0) : 0;

    for (; tx && i < tx->mark_end; i++)
        if (tx->marks[i].frame && tx->marks[i].extra == (size_t)slot + 1)
            return &tx->marks[i];
    return NULL;
}

/* Bytes of the queue in front of a mark. */
static size_t ws__waits_before(const ws__tx *tx, const ws__mark *mark)
{
    size_t n = mark->at - tx->pos - tx->sent;
    const ws__mark *i;

    for (i = tx->marks + tx->mark_at; i < mark; i++) {
        if (i->frame)
            n += i->frame->size;
        else
            n -= i->extra;
    }
    return n;
}

/* Puts frame in the place of the slot's unsent one. */
WS__PRIVATE void ws__slot_replace(ws_conn *conn, ws__mark *mark, ws__shared *frame)
{
    if (ws__waits_before(conn->tx, mark) < conn->tx->drain) {
        conn->tx->drain += frame->size;
        conn->tx->drain -= mark->frame->size;
    }
    conn->tx->shared += frame->size;
    conn->tx->shared -= mark->frame->size;
    ws__shared_release(mark->frame);
    mark->frame = frame;
    frame->refs++;
}

/* ---- forget ---- */

/* A place in a queue: before the byte at `at` and the mark-th mark. */
typedef struct ws__place { size_t at; uint32_t mark; } ws__place;

/* The frame at a place, of size bytes; NULL at the end. Steps over dropped bytes. */
static const uint8_t *ws__place_frame(const ws__tx *tx, ws__place *place, size_t *size)
{
    for (;;) {
        const ws__mark *mark = ws__mark_at(tx, place->mark);
        if (!mark || mark->at != place->at)
            break;
        if (mark->frame) {
            *size = mark->frame->size;
            return WS__DATA(mark->frame);
        }
        place->at += mark->extra;
        place->mark++;
    }
    if (place->at == tx->len)
        return NULL;
    *size = ws__frame_size(WS__DATA(tx) + place->at);
    return WS__DATA(tx) + place->at;
}

static void ws__place_next(const ws__tx *tx, ws__place *place, size_t size)
{
    const ws__mark *mark = ws__mark_at(tx, place->mark);

    if (mark && mark->at == place->at)
        place->mark++;
    else
        place->at += size;
}

/* Takes the bytes at a place out of the queue: the front moves, or a mark skips them. */
static void ws__place_skip(ws_conn *conn, ws__place *place, size_t size)
{
    ws__tx *tx = conn->tx;
    ws__mark *mark = NULL;
    uint32_t i;

    if (place->mark > tx->mark_at)
        mark = ws__mark_at(tx, place->mark - 1);
    if (!mark && place->at == tx->pos) {
        tx->border = tx->pos += size;
        place->at = tx->pos;
        return;
    }
    if (mark && !mark->frame && mark->at + mark->extra == place->at) {
        mark->extra += size;
        tx->holes += size;
        place->at += size;
        return;
    }
    i = place->mark - tx->mark_at;
    mark = ws__mark_new(conn, place->mark);
    i = place->mark = tx->mark_at + i;      /* the marks may have moved */
    if (mark) {
        mark->at = place->at;
        mark->frame = NULL;
        mark->extra = size;
        tx->holes += size;
        return;
    }
    tx->len -= size;                    /* no room for a mark: the bytes behind move up */
    memmove(WS__DATA(tx) + place->at, WS__DATA(tx) + place->at + size,
            tx->len - place->at);
    for (; (mark = ws__mark_at(tx, i)) != NULL; i++)
        mark->at -= size;
}

/* Takes the frame at a place out of the queue. After a shared one, a message in itself,
   the place means nothing. */
static void ws__place_cut(ws_conn *conn, ws__place *place, size_t size)
{
    ws__tx *tx = conn->tx;
    ws__mark *mark = ws__mark_at(tx, place->mark), *first;

    tx->drain = tx->drain > size ? tx->drain - size : 0;    /* it waits no more */
    if (!mark || mark->at != place->at) {
        ws__place_skip(conn, place, size);
        return;
    }
    first = tx->marks + tx->mark_at;
    ws__shared_release(mark->frame);
    tx->shared -= size;
    memmove(first + 1, first, (size_t)(mark - first) * sizeof *mark);
    tx->mark_at++;
}

/* Forgets the oldest whole message of which nothing was written; control frames stay.
   Returns 0 when there is none. */
static int ws__tx_forget(ws_conn *conn)
{
    ws__tx *tx = conn->tx;
    ws__place at, look;
    const uint8_t *p;
    size_t size = 0;
    int last = 0;

    if (!tx)
        return 0;
    at.at = tx->border;
    at.mark = tx->mark_at + (ws__front_begun(tx) ? 1 : 0);
    if (conn->core.phase == WS__PHASE_BODY) {       /* each mark is one write */
        const ws__mark *mark;
        while ((mark = ws__mark_at(tx, at.mark)) != NULL && !mark->frame)
            at.mark++;
        if (!mark)
            return 0;
        at.at = mark->at;
        ws__place_cut(conn, &at, mark->frame->size);
        ws__tx_settle(conn);
        return 1;
    }
    while ((p = ws__place_frame(tx, &at, &size)) && (p[0] & 15) != 1 && (p[0] & 15) != 2)
        ws__place_next(tx, &at, size);
    look = at;
    while (p && (!(p[0] & 0x80) || (p[0] & 8))) {
        ws__place_next(tx, &look, size);
        p = ws__place_frame(tx, &look, &size);
    }
    if (!p)
        return 0;                   /* none, or its end is not queued yet */
    while (!last) {
        p = ws__place_frame(tx, &at, &size);
        last = (p[0] & 0x88) == 0x80;
        if (p[0] & 8)
            ws__place_next(tx, &at, size);
        else
            ws__place_cut(conn, &at, size);
    }
    ws__tx_settle(conn);
    return 1;
}

/* ==== >>make (private) ============================================================== */

/* Do its bytes go through TLS, or what else wraps a socket? */
static inline int ws__is_wrapped(const ws_conn *conn)
{
    return ws__more_of(conn) && ws__more_of(conn)->layer;
}

/* What the bytes go through when it is not a mere socket. */
static const ws_io *ws__io(const ws_conn *conn)
{
    if (ws__is_wrapped(conn))
        return &ws__more_of(conn)->layer->io;
    return conn->cfg->set.io.read ? &conn->cfg->set.io : NULL;
}

static const char *ws__io_why(const ws_conn *conn)
{
    const ws_io *io = ws__io(conn);
    return io && io->why ? (io->why)(io->user) : NULL;
}

static void ws__init(ws_conn *conn, ws__cfg *cfg, int client, int role)
{
    memset(conn, 0, sizeof *conn);
    conn->cfg = cfg;
    conn->core.is = client ? WS__CLIENT : 0;
    conn->role = (uint8_t)role;
    conn->user = cfg->set.user;
    conn->fd = WS__NO_SOCK;
    ws__core_wait(&conn->core, 0, cfg->set.handshake_timeout);
    conn->wants = WS__UNWATCHED;
}

/* How a block of the caller's is divided, in bytes. */
typedef struct ws__division {
    size_t conn, cfg, tx;       /* sizes of what stands in front */
    size_t send;                /* room of the queue */
    size_t message;             /* the largest that can come in */
    size_t area;                /* for extensions, at the end */
    size_t most;                /* all but that */
} ws__division;

/* Divides size bytes, without the first skip of them, as set asks; NULL: it asks nothing.
   0 if they are too few. */
static int ws__divide(ws__division *is, const ws_config *set, const char *url,
                      size_t size, size_t skip)
{
    size_t copies = set ? ws__extensions_size(set) : 0; /* they count as area */
    size_t rest, fixed;

    is->conn = (sizeof(ws_conn) + sizeof(ws__area) + 7) / 8 * 8;
    is->cfg = (ws__cfg_size(set, url) + 7) / 8 * 8;
    is->tx = (sizeof(ws__tx) + 7) / 8 * 8;
    is->area = set ? set->memory_extension / 8 * 8 : 0;
    is->most = size / 8 * 8;
    if (is->area > is->most || copies > is->area)
        return 0;
    is->most -= is->area - copies / 8 * 8;
    is->area -= copies / 8 * 8;
    if (is->most <= WS_MEMORY_OVERHEAD + copies)
        return 0;
    rest = is->most - WS_MEMORY_OVERHEAD - copies;
    if (skip > size % 8)
        is->most -= 8;
    is->send = set && set->memory_send ? set->memory_send : ws__quotient(rest, 3);
    if (is->send >= rest)
        return 0;
    is->message = rest - is->send;
    is->send = (is->send + 2 * WS__TX_ROOM + 7) / 8 * 8;
    fixed = is->conn + is->cfg + is->tx + sizeof(ws__rx) + WS__STAGE + WS__NOTE_FIXED;
    return is->most >= fixed + is->send + is->message;
}

/* What is put together in the block, and what waits there, must fit. */
static void ws__fit(ws__cfg *cfg, const ws__division *is)
{
    ws_config *set = &cfg->set;
    ws_limit *whole = ws__whole(set);
    size_t queue = is->send - 2 * WS__TX_ROOM;

    *whole = ws__lesser(*whole, (ws_limit)is->message);
    if (set->max_backlog > queue)
        set->max_backlog = (uint32_t)queue;
    cfg->short_below = ws__short_below(set);
}

/* Lays connection, configuration, input and output out in the caller's block, from the
   first place in it that is aligned; what that skips the overhead has to spare. bad: of
   cfg the memory alone counts. */
static ws_conn *ws__new_fixed(const ws_config *cfg, int bad, const char *url, int client)
{
    size_t skip = (8 - (uintptr_t)cfg->memory % 8) % 8;
    uint8_t *base = (uint8_t *)cfg->memory + skip, *at = base;
    const ws_config *set = bad ? NULL : cfg;
    ws__division is;
    ws_conn *conn;

    if (!ws__divide(&is, set, url, cfg->memory_size, skip))
        return NULL;
    conn = (ws_conn *)(void *)at;
    at += is.conn;
    ws__cfg_fill((ws__cfg *)(void *)at, is.cfg, set, url);
    ws__init(conn, (ws__cfg *)(void *)at, client, WS__IS_FIXED);
    at += is.cfg;
    conn->note = (char *)at;                /* empty until there is something to say */
    *at = 0;
    at += WS__NOTE_FIXED;
    ws__tx_begin(conn, at, is.send);
    at += is.tx + is.send;
    conn->rx = (ws__rx *)(void *)at;
    memset(conn->rx, 0, sizeof *conn->rx);
    at += sizeof(ws__rx);
    conn->rx->cap = is.most - (size_t)(at - base) - 1;
    if (is.area) {
        conn->cfg->area = (ws__area *)(void *)(conn + 1);
        conn->cfg->area->at = base + is.most;
        conn->cfg->area->size = is.area;
        conn->cfg->area->used = 0;
    }
    ws__fit(conn->cfg, &is);
    return conn;
}

static ws_conn *ws__new_shared(ws__cfg *cfg, int client, int role)
{
    ws_conn *conn = (ws_conn *)ws__alloc(cfg, sizeof *conn);
    if (!conn)
        return NULL;
    cfg->refs++;
    ws__init(conn, cfg, client, role);
    return conn;
}

/* A copy of cfg, or all as by default. from: whose allocator it takes, or NULL. */
static ws__cfg *ws__cfg_from(const ws_config *cfg, const char *url, const ws_config *from)
{
    void *(*alloc)(void *, void *, size_t, size_t) = from ? from->alloc : NULL;
    void *user = from ? from->alloc_user : NULL;
    size_t size = ws__cfg_size(cfg, url);
    ws__cfg *kept;

    if (!alloc)
        alloc = ws__system_alloc;
    kept = (ws__cfg *)(alloc)(user, NULL, 0, size);
    if (!kept)
        return NULL;
    ws__cfg_fill(kept, size, cfg, url);
    kept->set.alloc = alloc;
    kept->set.alloc_user = user;
    return kept;
}

WS__PRIVATE ws__cfg *ws__cfg_new(const ws_config *cfg, const char *url)
{
    return ws__cfg_from(cfg, url, cfg);
}

/* Makes a connection with its own configuration, in cfg.memory if fixed, or memory of
   from. A bad configuration gives a connection with *fault set that knows nothing but its
   memory and its user. */
static ws_conn *ws__new(const ws_config *cfg, const ws_config *from, int fixed,
                        const char *url, int role, int *fault)
{
    int client = (role & WS__OF_CLIENT) != 0;
    ws__cfg *kept;
    ws_conn *conn;

    *fault = cfg ? ws__config_fault(cfg, role) : 0;
    if (cfg && cfg->memory && fixed) {
        conn = ws__new_fixed(cfg, *fault, url, client);
    } else {
        kept = ws__cfg_from(*fault ? NULL : cfg, url, from);
        if (!kept)
            return NULL;
        conn = ws__new_shared(kept, client, 0);
        ws__cfg_release(kept);
    }
    if (conn && *fault)
        conn->user = cfg->user;
    return conn;
}

/* conn->more, made if need be; NULL when memory is out. */
static ws__more *ws__more_make(ws_conn *conn)
{
    if (ws__is_fixed(conn))
        return NULL;
    if (!conn->more) {
        conn->more = (ws__more *)ws__alloc(conn->cfg, sizeof *conn->more);
        if (conn->more)
            memset(conn->more, 0, sizeof *conn->more);
    }
    return conn->more;
}

/* A copy of s with a NUL, freed by ws__string_free; NULL when memory is out. */
WS__PRIVATE char *ws__string_new(ws_conn *conn, ws_str str)
{
    char *copy = (char *)ws__alloc(conn->cfg, str.size + 1);
    if (!copy)
        return NULL;
    if (str.size)
        memcpy(copy, str.data, str.size);
    copy[str.size] = 0;
    return copy;
}

static void ws__string_free(ws_conn *conn, char *s)
{
    if (s)
        ws__free(conn->cfg, s, strlen(s) + 1);
}

static void ws__more_free(ws_conn *conn)
{
    if (!ws__more_of(conn))
        return;
    ws__ext_free(conn);
    ws__file_end(conn);
    ws__string_free(conn, ws__more_of(conn)->remote);
    ws__string_free(conn, ws__more_of(conn)->lines);
    ws__string_free(conn, ws__more_of(conn)->protocol);
    ws__string_free(conn, ws__more_of(conn)->beat);
    ws__free(conn->cfg, ws__more_of(conn), sizeof *ws__more_of(conn));
    conn->more = NULL;
}

static size_t ws__rx_block(const ws__rx *rx) { return sizeof *rx + rx->cap + 1; }

/* Others may get the block next: no request's head, cookies and all, goes along, nor its
   body. */
static void ws__head_wipe(ws_conn *conn)
{
    if (conn->rx && conn->rx->head_size)
        memset(WS__DATA(conn->rx) + conn->rx->head_at, 0,
               (size_t)(conn->rx->head_size + conn->rx->body_size));
    if (conn->rx)
        conn->rx->head_size = 0;
    if (conn->rx)
        conn->rx->body_size = 0;
}

/* A block in which an event was shown while more was read elsewhere. */
static void ws__unpark(ws_conn *conn)
{
    ws__client *client = ws__client_of(conn);

    if (!client->parked)
        return;
    ws__block_free(conn->cfg, client->parked, ws__rx_block(client->parked));
    client->parked = NULL;
}

static void ws__rx_free(ws_conn *conn)
{
    if (ws__is_blocking(conn))
        ws__unpark(conn);
    if (conn->rx && !(conn->life & WS__OPENED))
        memset(WS__DATA(conn->rx), 0, conn->rx->len);
    ws__head_wipe(conn);
    if (ws__is_fixed(conn)) {
        conn->rx->msg = conn->rx->pos = conn->rx->len = conn->rx->behind = 0;
    } else if (conn->rx) {
        ws__block_free(conn->cfg, conn->rx, ws__rx_block(conn->rx));
        conn->rx = NULL;
    }
}

/* Puts a NUL behind the data that an event shows. */
static void ws__show(ws_conn *conn, const ws_event *ev)
{
    uint8_t *at = (uint8_t *)(uintptr_t)ev->data + ev->size;
    ws__rx *rx = conn->rx;

    if (!ev->size)
        return;
    if (rx && at > WS__DATA(rx) && at <= WS__DATA(rx) + rx->cap) {
        rx->behind = (size_t)(at - WS__DATA(rx));
        rx->kept = *at;
    }
    *at = 0;
}

/* The event is no longer shown: the byte behind it comes back. */
static void ws__unshow(ws_conn *conn)
{
    if (!conn->rx || !conn->rx->behind)
        return;
    WS__DATA(conn->rx)[conn->rx->behind] = conn->rx->kept;
    conn->rx->behind = 0;
}

/* A blocking client reads while it sends: does conn->rx hold what its last event
   shows? */
static int ws__is_shown(const ws_conn *conn)
{
    return ws__is_blocking(conn) && !ws__client_of(conn)->parked &&
           (conn->rx->behind || conn->owes & WS__HEAD_HELD);
}

/* Random bytes for a client. */
static int ws__random(ws_conn *conn, void *buf, size_t n)
{
    const ws_config *set = &conn->cfg->set;
#ifndef WS_NO_SOCKETS
    ws__client *k = ws__client_of(conn);
#endif

    if (set->random)
        return (set->random)(set->random_user, buf, n) ? WS_ERR_RANDOM : 0;
#ifdef WS_NO_SOCKETS
    (void)buf;
    (void)n;
    return WS_ERR_RANDOM;
#else
    if (n > sizeof k->keys)
        return WS_ERR_RANDOM;
    if (k->key_count < n) {
        if (ws__system_random(k->keys, sizeof k->keys))
            return WS_ERR_RANDOM;
        k->key_count = sizeof k->keys;
    }
    k->key_count = (uint8_t)(k->key_count - n);
    memcpy(buf, k->keys + k->key_count, n);
    memset(k->keys + k->key_count, 0, n);
    return 0;
#endif
}

/* Is it a client of ordinary HTTP? */
static int ws__is_http(const ws_conn *conn)
{
    return WS__HTTP && WS__IS_CLIENT(&conn->core) && conn->cfg->set.method != NULL;
}

/* Is it a server between two requests? The answer may not be gone yet; of the next one
   nothing was looked at. */
static inline int ws__is_kept(const ws_conn *conn)
{
    return conn->life & WS__ANSWERED && conn->core.phase == WS__PHASE_HEAD;
}

/* Is it a server that has not got all of a request's body? */
static int ws__takes_body(const ws_conn *conn)
{
    return WS__HTTP && !WS__IS_CLIENT(&conn->core) && conn->rx && conn->rx->reads_body;
}

static void ws__wake(ws_conn *conn)
{
#ifdef WS_NO_SOCKETS
    (void)conn;
#else
    if (conn->cfg->wake)
        (conn->cfg->wake)(conn);
#endif
}

/* Room for text that lasts until the end: WS__NOTE_FIXED bytes or more; NULL: memory is
   out. */
static char *ws__note_new(ws_conn *conn)
{
    if (!conn->note)
        conn->note = (char *)ws__alloc(conn->cfg, WS__NOTE_SIZE);
    return conn->note;
}

/* ==== >>send (private) ============================================================== */

/* Waiting for the driver: the queue, and what a cork holds. */
static size_t ws__unsent(const ws_conn *conn)
{
    return ws__pending(conn) + (ws__cork_of(conn) ? ws__cork_of(conn)->total : 0);
}

/* Is input kept? What comes behind a request waits, too, while a file answers that. */
static inline int ws__keeps_input(const ws_conn *conn)
{
    return ws__phase_has(&conn->core, WS__KEEPS) || ws__has_file(conn);
}

/* While the peer does not read, we do not read either. A blocking client waits when it
   sends. */
static inline int ws__held_back(const ws_conn *conn)
{
    if (conn->line & WS__PAUSED && (!ws__phase_has(&conn->core, WS__OPENS) ||
                                    conn->core.phase == WS__PHASE_UPLOAD))
        return 1;
    return ws__pending(conn) > conn->cfg->set.max_backlog / 2 && !ws__is_blocking(conn);
}

#ifdef WS_NO_SOCKETS
#define WS__LUMPS 1             /* with the engine what was written counts as taken */
static size_t ws__sock_untaken(const ws_conn *conn) { (void)conn; return 0; }
static void ws__read_clock(ws_conn *conn) { (void)conn; }
static void ws__call_begin(ws_conn *conn) { (void)conn; }
#else
static size_t ws__sock_untaken(const ws_conn *conn);
static void ws__read_clock(ws_conn *conn);
static void ws__call_begin(ws_conn *conn);
#endif

/* Begins to watch whether the peer takes what is sent. */
static void ws__taking_begin(ws_conn *conn)
{
    conn->untaken = (uint32_t)(ws__unsent(conn) + ws__sock_untaken(conn));
}

/* Bytes that the peer took since it was asked last; what was queued since counts against
   it. */
static uint32_t ws__taken(ws_conn *conn)
{
    uint32_t before = conn->untaken;

    ws__taking_begin(conn);
    return before > conn->untaken ? before - conn->untaken : 0;
}

/* Has the peer taken 1 KiB/s or more, over ms milliseconds? */
static int ws__takes(ws_conn *conn, uint32_t ms)
{
    return ws__taken(conn) >= ms + ws__quotient((size_t)ms, 42);
}

/* Does it wait for the peer to end TCP? A loop does a server's waiting after CLOSE. */
static int ws__awaits_end(const ws_conn *conn)
{
    if (!ws__core_awaits_end(&conn->core) || conn->fd == WS__NO_SOCK)
        return 0;
    if (conn->cfg->set.io.read || conn->line & (WS__INPUT_END | WS__NO_OUTPUT))
        return 0;
    return WS__IS_CLIENT(&conn->core) || !conn->loop;
}

#define WS__END_WAIT 1000       /* ms that a client waits at most */
#define WS__LINGER 5000         /* and a server */

/* How long closing may take while output waits that the peer does not take. With the
   engine alone what was written counts as taken. */
static uint32_t ws__patience(const ws_conn *conn)
{
    uint32_t ms = conn->cfg->set.close_timeout;

    if (ms == WS_NEVER || !ws__is_driven(conn))
        return ms;
    return ws__smaller(WS__LUMPS * ms, WS__LONGEST);
}

/* From now on the peer has so long for its part of closing, or to take more output. */
static void ws__closing_begin(ws_conn *conn)
{
    uint32_t patience = conn->cfg->set.close_timeout;

    if (ws__unsent(conn))
        patience = ws__patience(conn);
    if (ws__is_driven(conn))
        ws__read_clock(conn);        /* it may have slept */
    if (ws__awaits_end(conn))
        patience = ws__smaller(patience,
                               WS__IS_CLIENT(&conn->core) ? WS__END_WAIT : WS__LINGER);
    ws__core_wait(&conn->core, conn->now, patience);
    ws__taking_begin(conn);
}

/* After output was written. The closing handshake takes its time once our Close has
   left. */
static void ws__drained(ws_conn *conn)
{
    if (ws__is_kept(conn)) {
        conn->life |= WS__FRESH;        /* what waited behind the answer */
        ws__wake(conn);
    }
    if (!(conn->core.is & WS__CLOSE_SENT))
        return;
    if (conn->line & WS__NO_OUTPUT || ws__unsent(conn))
        return;
    if (!ws__core_close_left(&conn->core))
        return;
    ws__closing_begin(conn);
#ifndef WS_NO_SOCKETS
    if (ws__awaits_end(conn) && !WS__IS_CLIENT(&conn->core))
        shutdown(conn->fd, 1);
#endif
}

/* n bytes of what waits were written. */
static void ws__wrote(ws_conn *conn, size_t n)
{
    int reads = conn->core.phase == WS__PHASE_BODY || ws__held_back(conn);

    if (!ws__tx_advance(conn, n))
        return;
    if (n && reads)
        ws__core_heard(&conn->core, conn->now);     /* its reading shows the peer alive */
    ws__drained(conn);
}

/* ---- frames ---- */

/* A place in what an application sends: in one of its pieces. */
typedef struct ws__cursor {
    const ws_str *piece;
    size_t at;
} ws__cursor;

/* Lays a frame down at `at`: its header and, masked if it says so, as much of what is at
   the cursor as it says, which moves on. Returns the frame's end. */
static uint8_t *ws__frame_lay(uint8_t *at, const ws_frame *frame, ws__cursor *from)
{
    size_t left = (size_t)frame->size, done = 0;

    at += ws__header_lay(frame, at);
    while (left) {
        const ws_str *piece = from->piece;      /* an empty one may have no data */
        size_t part = piece->size - from->at;
        if (part > left)
            part = left;
        if (part && frame->masked)
            ws_mask(at, piece->data + from->at, part, frame->key, done);
        else if (part)
            memcpy(at, piece->data + from->at, part);
        at += part;
        done += part;
        from->at += part;
        left -= part;
        if (left) {
            from->piece++;
            from->at = 0;
        }
    }
    return at;
}

/* The same with a payload that stands about there, and is moved. */
static uint8_t *ws__frame_move(uint8_t *at, const ws_frame *frame, const uint8_t *payload)
{
    uint8_t header[WS_FRAME_HEADER_MAX];
    size_t head = ws__header_lay(frame, header), size = (size_t)frame->size;

    memmove(at + head, payload, size);
    memcpy(at, header, head);
    if (frame->masked)
        ws_mask(at + head, at + head, size, frame->key, 0);
    return at + head + size;
}

static ws__cursor ws__cursor_at(const ws_str *pieces)
{
    ws__cursor cursor;

    cursor.piece = pieces;
    cursor.at = 0;
    return cursor;
}

/* Sends what the cork holds, if there is one; what the socket does not take is queued. */
static void ws__cork_out(ws_conn *conn)
{
    ws__gather *gather = ws__cork_of(conn);

    if (gather && gather->total)
        (gather->flush)(conn);
}

/* Room in the queue: what the cork holds goes before. 0, or WS_ERR_STATE: nothing goes
   any more, perhaps since now. */
static int ws__cork_first(ws_conn *conn)
{
    ws__cork_out(conn);
    return conn->line & WS__NO_OUTPUT ? WS_ERR_STATE : 0;
}

/* The frame of a payload, masked if frame says so. */
WS__PRIVATE ws__shared *ws__shared_new(ws__cfg *cfg, const ws_frame *frame,
                                  const ws_str *payload)
{
    ws__shared *shared = ws__shared_raw(cfg, WS_FRAME_HEADER_MAX + payload->size);
    ws__cursor from = ws__cursor_at(payload);

    if (!shared)
        return NULL;
    shared->size = (size_t)(ws__frame_lay(WS__DATA(shared), frame, &from) -
                            WS__DATA(shared));
    return shared;
}

/* Sends or queues a shared frame. */
WS__PRIVATE int ws__share_put(ws_conn *conn, ws__shared *shared, size_t slot)
{
    return ws__cork_first(conn) ? WS_ERR_STATE : ws__tx_share(conn, shared, slot);
}

static int ws__lies_in(const uint8_t *p, size_t n, const uint8_t *from, const uint8_t *to)
{
    return p >= from && p < to && n <= (size_t)(to - p);
}

/* Do n bytes at p lie wholly in what an event shows? The NUL behind it is no part of
   that. */
static int ws__borrowed(const ws_conn *conn, const ws__gather *gather, const uint8_t *p,
                        size_t n)
{
    const uint8_t *data;

    if (ws__lies_in(p, n, gather->lo, gather->hi))
        return 1;
    if (!(conn->owes & WS__MESSAGE_HELD))
        return 0;
    data = WS__DATA(conn->rx);
    return ws__lies_in(p, n, data, data + conn->rx->msg);
}

static void ws__gather_empty(ws__gather *gather)
{
    gather->n = 0;
    gather->len = gather->total = 0;
}

static void ws__gather_piece(ws__gather *gather, const uint8_t *p, size_t n)
{
    ws__piece *last = gather->n ? &gather->piece[gather->n - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == p) {
        last->iov_len += n;
    } else {
        gather->piece[gather->n].iov_base = (void *)(uintptr_t)p;
        gather->piece[gather->n].iov_len = n;
        gather->n++;
    }
    gather->total += n;
}

/* Adds a frame to the cork; 0 when it does not fit, or other output waits. */
static int ws__gather_frame(ws_conn *conn, const ws_frame *frame, const ws_str *value,
                            int count)
{
    ws__gather *gather = ws__cork_of(conn);
    uint8_t *at = gather->buf + gather->len;
    size_t n = (size_t)frame->size, copied, laid;
    ws__cursor from = ws__cursor_at(value);
    int borrow = n >= WS__BORROW_MIN && !frame->masked && count == 1 && !ws__io(conn) &&
                 ws__borrowed(conn, gather, (const uint8_t *)value->data, n);

    copied = borrow ? 0 : n;
    if (ws__pending(conn) || gather->n + 2 > WS__PIECES || copied > gather->cap ||
        gather->cap - gather->len < copied + 14)
        return 0;
    laid = borrow ? ws__header_lay(frame, at)
                  : (size_t)(ws__frame_lay(at, frame, &from) - at);
    gather->len += laid;
    ws__gather_piece(gather, at, laid);
    if (borrow)
        ws__gather_piece(gather, (const uint8_t *)value->data, n);
    return 1;
}

static size_t ws__header_size(const ws_conn *conn, size_t n)
{
    return 2u + (n < 126 ? 0u : n / 256 < 256 ? 2u : 8u) +
           4u * (unsigned)WS__IS_CLIENT(&conn->core);
}

/* A header for n bytes; op may have WS__UNFINISHED. */
static int ws__frame_make(ws_conn *conn, ws_frame *frame, int op, size_t n)
{
    ws__core_frame(&conn->core, frame, op, n);
    WS_TRACE(conn, "frame out", frame->fin << 7 | frame->op);
    return frame->masked ? ws__random(conn, frame->key, 4) : 0;
}

/* Sends or queues one frame, its payload of n bytes in pieces. */
static int ws__frame_put(ws_conn *conn, int op, const ws_str *value, int count, size_t n)
{
    ws__cursor from = ws__cursor_at(value);
    ws_frame frame;
    uint8_t *at;
    int r;

    if (conn->line & WS__NO_OUTPUT)
        return WS_ERR_STATE;
    r = ws__frame_make(conn, &frame, op, n);
    if (r)
        return r;
    if (ws__cork_of(conn)) {
        if (ws__gather_frame(conn, &frame, value, count))
            return 0;
        if (ws__cork_first(conn))
            return WS_ERR_STATE;
        if (ws__gather_frame(conn, &frame, value, count))
            return 0;
    }
    at = ws__tx_room(conn, n + ws__header_size(conn, n));
    if (!at)
        return WS_ERR_MEMORY;
    ws__tx_laid(conn, ws__frame_lay(at, &frame, &from), 0);
    return 0;
}

/* Bytes that a message takes in frames of at most most bytes. */
static uint64_t ws__wire_size(const ws_conn *conn, size_t n, size_t most)
{
    size_t full;

    if (n <= most)
        return n + ws__header_size(conn, n);
    full = ws__quotient(n - 1, most);
    return n + (uint64_t)full * ws__header_size(conn, most) +
           ws__header_size(conn, n - full * most);
}

/* Makes frames of at most most bytes out of size bytes behind the queue. op: of the
   first, which is marked with the reserved bits rsv; with WS__UNFINISHED none has FIN. */
WS__PRIVATE int ws__frame_run(ws_conn *conn, int op, int rsv, size_t size, size_t most)
{
    size_t heads = (size_t)(ws__wire_size(conn, size, most) - size), i;
    size_t frames = size > most ? ws__quotient(size - 1, most) + 1 : 1;
    size_t part = size - (frames - 1) * most;       /* of the last one */
    int r, end = op & WS__UNFINISHED;
    uint8_t *base, *to;

    base = ws__tx_room_behind(conn, size, heads);
    if (!base)
        return WS_ERR_MEMORY;
    base -= size;
    for (i = frames; i-- > 0;) {    /* from the last one on they move up */
        ws_frame frame;
        r = ws__frame_make(conn, &frame, (i ? WS_OP_CONTINUATION : op & 15) | end, part);
        if (r)
            return r;
        if (!i && op & 15)
            frame.rsv = (uint8_t)rsv;
        to = base + i * (most + ws__header_size(conn, most));
        ws__frame_move(to, &frame, base + i * most);
        part = most;
        end = WS__UNFINISHED;
    }
    ws__tx_laid(conn, base + size + heads, 0);
    return 0;
}

/* A control frame. */
static int ws__control_put(ws_conn *conn, int op, const void *data, size_t n)
{
    ws_str value = ws__str((const char *)data, n);

    return ws__frame_put(conn, op, &value, 1, n);
}

/* Answers a ping: at once while little waits, else the latest one overtakes the queue at
   the next frame border (5.5.3 allows to answer only the latest). */
static int ws__pong_put(ws_conn *conn, const void *data, size_t n)
{
    if (conn->line & WS__NO_OUTPUT)
        return 0;
    if (ws__pending(conn) <= ws__tx_pong_limit(conn))
        return ws__control_put(conn, WS_OP_PONG, data, n);
    ws__tx_pong(conn, data, n);
    return 0;
}

/* Puts the pong that is due in front of the queue. */
static void ws__pong_front(ws_conn *conn)
{
    size_t n;
    const uint8_t *pong = ws__tx_pong_take(conn, &n);
    ws_frame frame;

    ws__core_frame(&conn->core, &frame, WS_OP_PONG, n);
    if (frame.masked && ws__random(conn, frame.key, 4))
        return;
    ws__frame_move(ws__tx_overtake(conn, ws__header_size(conn, n) + n), &frame, pong);
}

static int ws__close_put(ws_conn *conn, int code, const char *reason, size_t n)
{
    uint8_t body[WS__CONTROL_MAX];
    int r;

    if (conn->core.is & WS__CLOSE_SENT)
        return 0;
    r = ws__control_put(conn, WS_OP_CLOSE, body,
                        ws__core_close_lay(body, code, reason, n));
    if (!r)
        ws__core_close_sent(&conn->core);
    return r;
}

/* ---- errors ---- */

static void ws__drop_output(ws_conn *conn)
{
    if (ws__unsent(conn))
        conn->life &= (uint8_t)~WS__ANSWERED;     /* it will not arrive */
    conn->line |= WS__NO_OUTPUT;
    ws__tx_clear(conn);
    if (ws__cork_of(conn))
        ws__gather_empty(ws__cork_of(conn));
}

/* All that the application had to say is queued. */
static void ws__finish(ws_conn *conn)
{
    conn->line &= (uint8_t)~WS__CORKED;
    ws__closing_begin(conn);
    ws__drained(conn);
    ws__wake(conn);
}

static void ws__end(ws_conn *conn, int phase)
{
    ws__enter(&conn->core, phase);
    ws__finish(conn);
}

/* A fault in the frames: its text says at which of their bytes. A close reason does
   not. */
static int ws__is_placed(int number)
{
    int tell = ws__error_tell(number);

    return tell >= 1002 && tell <= 1009;
}

/* ": more", if there is more to say. */
WS__PRIVATE void ws__put_why(ws__text *text, const char *more)
{
    if (!more)
        return;
    ws__puts(text, ": ");
    ws__puts(text, more);
}

#ifndef WS_NO_SERVER
static int ws__refuse(ws_conn *conn, int status, const ws_header *headers,
                      const char *text, size_t n, int with_body);
#endif

/* What CLOSE will say of an error. */
static void ws__record(ws_conn *conn, int error, const char *more)
{
    int tell = ws__error_tell(-error), code = tell >= 1000 ? tell : WS_CLOSE_ABNORMAL;

    if (error == WS_ERR_TLS && !(conn->life & WS__OPENED))
        code = WS_CLOSE_TLS;
    if (ws__core_fail(&conn->core, error, code))
        ws__note_error(conn, -error, more);
}

/* The one way into failure: tells the peer what the RFC wants it told, and ends. Nothing
   fails behind a first fault, or once closing is complete. */
static void ws__fail_with(ws_conn *conn, int error, const char *more)
{
    int tell = ws__error_tell(-error);

    WS_TRACE(conn, "error", error);
    if (ws__phase_has(&conn->core, WS__ENDS) &&
        (conn->core.error || ws__core_clean(&conn->core))) {
        ws__enter(&conn->core, WS__PHASE_ENDED);    /* what is queued may still go */
        ws__wake(conn);
        return;
    }
    ws__record(conn, error, more);
    if (tell >= 1000 && conn->core.phase == WS__PHASE_FRAMES) {
        const char *text = ws__error_text(-error);
        if (!(conn->core.is & WS__CLOSE_GOT))
            ws__close_put(conn, tell, text, strlen(text));
        ws__end(conn, WS__PHASE_ENDING);
#ifndef WS_NO_SERVER
    } else if (tell >= 400 && tell < 600 && !WS__IS_CLIENT(&conn->core) &&
               ws__phase_has(&conn->core, WS__OPENS)) {
        const char *text = ws__error_text(-error);
        static const ws_header retry[] = { { "Retry-After", "5" }, { NULL, NULL } };
        ws__stay_no_more(conn);
        ws__refuse(conn, tell, tell == 503 ? retry : NULL, text, strlen(text), 1);
        ws__end(conn, WS__PHASE_ENDING);
#endif
    } else {
        ws__drop_output(conn);
        ws__end(conn, WS__PHASE_ENDED);
    }
}

static void ws__fail(ws_conn *conn, int error) { ws__fail_with(conn, error, NULL); }

/* A ping of our own. */
static int ws__ping_put(ws_conn *conn)
{
    uint8_t sent[4];
    int r;

    ws__core_ping_lay(sent, conn->now);
    r = ws__control_put(conn, WS_OP_PING, sent, 4);
    if (!r)
        ws__core_ping_sent(&conn->core);
    return r;
}

/* ---- messages in parts ---- */

/* ws_send_part, for the application or its source. */
static int ws__part_put(ws_conn *conn, int op, const void *data, size_t n, int last)
{
    ws_str value = ws__str((const char *)data, n);
    int frame = ws__core_part(&conn->core, op, last), coded = 0, r = WS__PLAIN;

    if (ws__is_extended(conn))
        coded = conn->core.sending ? ws__more_of(conn)->part_coded
                                   : ws__encodes(conn, op, (size_t)-1);
    if (coded)
        r = ws__coded_put(conn, frame, &value, 1, n, (size_t)-1 / 4);
    if (r == WS__PLAIN) {
        coded = 0;
        r = ws__frame_put(conn, frame, &value, 1, n);
    }
    if (r) {
        if (conn->core.sending && coded)
            ws__fail(conn, r);      /* the encoder is ahead of the peer */
        return r;
    }
    if (ws__is_extended(conn))
        ws__more_of(conn)->part_coded = (uint8_t)coded;
    ws__core_part_sent(&conn->core, conn->now, op, last);
    return 0;
}

/* 1 while a message is being pulled from the application. */
static int ws__has_source(const ws_conn *conn)
{
    return ws__more_of(conn) && ws__more_of(conn)->read;
}

/* Has a function of the application more to send, now? */
static inline int ws__source_ready(const ws_conn *conn)
{
    return ws__more_of(conn) && ws__source_gives(conn);
}

/* 1 if the next pull can give WRITABLE. */
static int ws__writable_due(const ws_conn *conn)
{
    if (!ws__phase_has(&conn->core, WS__STREAMS))
        return 0;
    if (conn->owes & WS__REFUSED && ws__pending(conn) > conn->cfg->set.max_backlog / 4)
        return 0;
    if (!(conn->owes & WS__DRAIN_ASKED))
        return conn->owes & WS__REFUSED;
    return !ws__tx_drains(conn) &&
        !(ws__more_of(conn) && ws__more_of(conn)->read_asked);
}

/* ==== >>shake (private) ============================================================= */

/* Begins text of at most n bytes behind the queue; ws__text_end queues all of it or
   nothing. */
static int ws__text_begin(ws_conn *conn, ws__text *text, size_t n)
{
    uint8_t *at;

    if (ws__is_fixed(conn))
        n = ws__tx_spare(conn) - 1;
    at = ws__tx_room(conn, n + 1);
    if (!at)
        return WS_ERR_MEMORY;
    text->at = (char *)at;
    text->end = text->at + n + 1;
    text->cut = 0;
    return 0;
}

static int ws__text_end(ws_conn *conn, const ws__text *text)
{
    if (text->cut)
        return WS_ERR_MEMORY;
    ws__tx_laid(conn, text->at, 1);
    return 0;
}

/* The n-th (1..) subprotocol of the configuration, "" for 0. */
static const char *ws__protocol_at(const ws__cfg *cfg, int n)
{
    const char *at = cfg->set.protocols;
    if (!n)
        return "";
    while (--n)
        at += strlen(at) + 1;
    return at;
}

static uint8_t ws__protocol_find(const ws__cfg *cfg, ws_str name)
{
    const char *at = cfg->set.protocols;
    int n;
    for (n = 1; *at && n < 256; at += strlen(at) + 1, n++)
        if (ws__equal(ws__cstr(at), name))
            return (uint8_t)n;
    return 0;
}

/* Keeps the application's choice, where the configuration does not name it. */
WS__PRIVATE int ws__protocol_keep(ws_conn *conn, const char *protocol)
{
    if (!conn->route)
        conn->protocol = ws__protocol_find(conn->cfg, ws__cstr(protocol));
    if (!strcmp(protocol, ws_protocol(conn)))
        return 0;
    if (!ws__more_make(conn))
        return WS_ERR_MEMORY;
    ws__more_of(conn)->protocol = ws__string_new(conn, ws__cstr(protocol));
    return ws__more_of(conn)->protocol ? 0 : WS_ERR_MEMORY;
}

/* ---- server ---- */

#ifndef WS_NO_SERVER

static const char *ws__status_text(int status)
{
    static const struct { int status; const char *text; } known[] = {
        { 101, "Switching Protocols" }, { 200, "OK" }, { 201, "Created" },
        { 204, "No Content" }, { 206, "Partial Content" },
        { 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" },
        { 304, "Not Modified" }, { 307, "Temporary Redirect" },
            { 308, "Permanent Redirect" },
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
        if (known[i].status == status)
            return known[i].text;
    return "Status";
}

static void ws__put_status(const ws_conn *conn, ws__text *text, int status)
{
    ws__puts(text, "HTTP/1.1 ");
    ws__put_number(text, (uint64_t)status);
    ws__puts(text, " ");
    ws__puts(text, ws__status_text(status));
    if (conn->rx && conn->rx->stays)
        ws__puts(text, "\r\n");
    else
        ws__core_refusal_put(text, status);
}

/* Queues a whole HTTP answer. */
static int ws__refuse(ws_conn *conn, int status, const ws_header *headers,
                      const char *text, size_t n, int with_body)
{
    int bare = status == 204 || status == 304;
    ws__text out;

    if (ws__text_begin(conn, &out, 320 + ws__lines_size(headers) + n)) {
        ws__drop_output(conn);
        return WS_ERR_MEMORY;
    }
    ws__put_status(conn, &out, status);
    if (n && !bare && !ws__has_header(headers, "Content-Type"))
        ws__puts(&out, "Content-Type: text/plain\r\n");
    if (status == 405 && !ws__has_header(headers, "Allow"))
        ws__puts(&out, "Allow: GET\r\n");
    ws__put_lines(&out, headers);
    if (!bare && !ws__has_header(headers, "Content-Length")) {
        ws__puts(&out, "Content-Length: ");
        ws__put_number(&out, n);
        ws__puts(&out, "\r\n");
    }
    ws__puts(&out, "\r\n");
    if (with_body && !bare)
        ws__put(&out, text, n);
    if (!ws__text_end(conn, &out))
        return 0;
    ws__drop_output(conn);
    return WS_ERR_MEMORY;
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_SERVER

/* The extension for a client that offers some, and its answer. */
typedef struct ws__choice {
    const ws_extension *set;    /* NULL: none */
    uint32_t agreed;
    char answer[WS__PARAMS_SIZE];
} ws__choice;

/* Same host and port as Host, the scheme's port filled in on both sides (a proxy in front
   may have ended TLS). */
static int ws__same_origin(ws_str origin, ws_str host)
{
    ws__origin wanted;
    ws_str name;
    unsigned port;

    return ws__origin_parse(&wanted, origin) && wanted.port &&
           ws__authority(host, &name, &port, wanted.standard) && port == wanted.port &&
           ws__same_text(name, wanted.host);
}

/* Does an element of cfg.origins stand for the origin? */
static int ws__origin_fits(ws_str item, ws_str origin)
{
    ws__origin a, b;
    size_t tail;

    if (ws_str_is(item, "null"))
        return ws_str_is(origin, "null");
    if (!ws__origin_parse(&a, item) || !ws__origin_parse(&b, origin))
        return 0;
    if (a.port != b.port || !ws__same_text(a.scheme, b.scheme))
        return 0;
    if (!a.below)
        return ws__same_text(a.host, b.host);
    if (b.host.size <= a.host.size + 1)
        return 0;
    tail = b.host.size - a.host.size;
    return b.host.data[tail - 1] == '.' &&
           ws__same_text(a.host, ws__str(b.host.data + tail, a.host.size));
}

static int ws__origin_allowed(const ws_conn *conn, const ws__request *request)
{
    ws_str list = ws__cstr(conn->cfg->set.origins), item;

    if (!request->origins)
        return 1;
    if (!conn->cfg->set.origins)
        return ws__same_origin(request->origin, ws__asked_host(conn, request));
    while (ws_list_next(&list, &item)) {
        if (ws_str_is(item, "*") || ws__origin_fits(item, request->origin))
            return 1;
        if (ws_str_is(item, "same") &&
            ws__same_origin(request->origin, ws__asked_host(conn, request)))
            return 1;
    }
    return 0;
}

#define WS__NOT_OFFERED 0xFFFFFFFFu

/* The place of a subprotocol among those that the client offers: 0 for the first. */
static uint32_t ws__offer_find(const ws_conn *conn, const char *protocol)
{
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item;
    uint32_t n;

    for (n = 0; ws_header_walk(conn, "Sec-WebSocket-Protocol", &walk, &item); n++)
        if (ws__equal(ws__cstr(protocol), item))
            return n;
    return WS__NOT_OFFERED;
}

/* The first of the client's offers that we support (4.2.2 /subprotocol/). */
static void ws__protocol_choose(ws_conn *conn)
{
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item;

    while (!conn->protocol &&
           ws_header_walk(conn, "Sec-WebSocket-Protocol", &walk, &item))
        conn->protocol = ws__protocol_find(conn->cfg, item);
}

/* The subprotocol of the answer, NULL if it was not offered. */
static const char *ws__answer_protocol(ws_conn *conn, const ws_answer *answer)
{
    if (!answer || !answer->protocol) {
        ws__protocol_choose(conn);
        return ws_protocol(conn);
    }
    if (!*answer->protocol)
        return "";
    if (!ws__token_valid(ws__cstr(answer->protocol)))
        return NULL;
    if (ws__offer_find(conn, answer->protocol) == WS__NOT_OFFERED)
        return NULL;
    return answer->protocol;
}

/* The target of a request that needs no copy. */
static const char *ws__target_plain(const ws_conn *conn)
{
    return conn->route ? conn->cfg->set.routes[conn->route - 1].path : "/";
}

/* Keeps the target of the request on show for the life of the connection; always: also
   one that needs no copy. 0 or WS_ERR_MEMORY. */
static int ws__target_keep(ws_conn *conn, int always)
{
    const char *target = ws_target(conn);

    if (ws__is_fixed(conn) || (!always && !strcmp(target, ws__target_plain(conn))))
        return ws__lines_keep(conn);
    ws__string_free(conn, conn->target);
    conn->target = ws__string_new(conn, ws__cstr(target));
    return conn->target ? ws__lines_keep(conn) : WS_ERR_MEMORY;
}

/* Writes the answer that opens the connection (4.2.2) but for the application's
   headers. */
WS__APART void ws__answer_write(ws_conn *conn, ws__text *text, const char *protocol,
                                const ws__choice *choice)
{
    ws__core_answer_put(text, ws_header_value(conn, "Sec-WebSocket-Key"));
    if (*protocol)
        ws__puts(text, "\r\nSec-WebSocket-Protocol: ");
    ws__puts(text, protocol);
    if (choice->set) {
        ws__puts(text, "\r\nSec-WebSocket-Extensions: ");
        ws__puts(text, choice->set->name);
        ws__puts(text, choice->answer);
    }
    ws__puts(text, "\r\n");
    ws__puts(text, conn->cfg->lines);
}

/* Queues the answer. */
WS__APART int ws__answer_put(ws_conn *conn, const ws_answer *answer)
{
    const ws_header *headers = answer ? answer->headers : NULL;
    const char *protocol = ws__answer_protocol(conn, answer), *why;
    ws__choice choice;
    ws__text text;
    int r;

    if (!protocol)
        return WS_ERR_ARGUMENT;
    r = ws__extension_choose(conn, &choice, &why);
    if (r)
        return r;
    if (ws__text_begin(conn, &text, 200 + strlen(protocol) + strlen(conn->cfg->lines) +
                              ws__lines_size(headers) +
                              (choice.set ? 32 + strlen(choice.set->name) +
                               strlen(choice.answer) : 0)))
        return WS_ERR_MEMORY;
    ws__answer_write(conn, &text, protocol, &choice);
    ws__put_lines(&text, headers);
    ws__puts(&text, "\r\n");
    if (text.cut || ws__protocol_keep(conn, protocol) || ws__target_keep(conn, 0))
        return WS_ERR_MEMORY;
    if (WS__EXTENDS && choice.set)
        r = ws__ext_open(conn, choice.set, choice.agreed, ws__cstr(choice.set->name),
                         ws__cstr(choice.answer));
    return r ? r : ws__text_end(conn, &text);
}

/* The same, or it changes nothing. */
static int ws__answer_101(ws_conn *conn, const ws_answer *answer)
{
    int r = ws__answer_put(conn, answer);

    if (!r)
        return 0;
    conn->protocol = 0;            /* the next answer may choose another */
    if (ws__more_of(conn))
        ws__string_free(conn, ws__more_of(conn)->protocol);
    if (ws__more_of(conn))
        ws__more_of(conn)->protocol = NULL;
    return r;
}

/* Makes strings for ws_method and ws_target. */
static void ws__head_strings(const ws__request *request)
{
    ((char *)(uintptr_t)request->method.data)[request->method.size] = 0;
    ((char *)(uintptr_t)request->target.data)[request->target.size] = 0;
}

/* Judges a whole request head. Returns the event it makes, 0 after a failure. */
WS__APART int ws__server_head(ws_conn *conn, ws_str head)
{
    ws__request request;
    const char *why = NULL;
    int hint = WS__HINT_NONE, fault = ws__request_read(&request, head);

    if (fault)
        hint = WS__HINT_LINE;
    else
        fault = ws__request_judge(&request, &hint);
    if (hint)
        why = ws__hint_text(hint);
    if (!fault && !ws__origin_allowed(conn, &request))
        fault = WS_ERR_ORIGIN;
    if (fault == WS_ERR_HEAD_SYNTAX)
        conn->taken = ws__request_fault(&request, head);
    if (request.method.size && request.target.size)
        ws__head_strings(&request);
    else
        conn->rx->head_size = 0;               /* not a request: nothing to show */
    if (fault == WS_ERR_NOT_UPGRADE) {
        fault = ws__forwarded(conn);
        if (!fault)
            fault = ws__body_expect(conn, &request, head);
        if (!fault)
            return WS_EV_HTTP;
    } else if (!fault) {
        fault = ws__forwarded(conn);
    }
    if (!fault)
        fault = ws__route_choose(conn);
    if (!fault)
        fault = ws__extension_fault(conn, &why);
    if (!fault && conn->cfg->set.ask) {
        conn->life |= WS__ASKED;
        return WS_EV_REQUEST;
    }
    if (!fault)
        fault = ws__answer_101(conn, NULL);
    if (!fault)
        return WS_EV_OPEN;
    ws__fail_with(conn, fault, why);
    return 0;
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_CLIENT

/* ---- client ---- */

/* The Host header: brackets back around IPv6, the port unless it is the scheme's own. */
static void ws__put_host(ws__text *text, const ws_url *url)
{
    if (url->is_unix) {
        ws__puts(text, "localhost");
        return;
    }
    if (url->ipv6)
        ws__puts(text, "[");
    ws__put(text, url->host.data, ws__url_host(url).size);
    if (url->ipv6)
        ws__puts(text, "]");
    if (!url->default_port) {
        ws__puts(text, ":");
        ws__put_number(text, url->port);
    }
}

/* "Authorization: Basic ..." for user:password of the URL (RFC 7617), under that name. */
static int ws__put_basic(ws__text *text, const char *name, const ws_url *url)
{
    uint8_t three[3];
    char four[5];
    size_t i, part, n = 0;

    if (!url->user.data)
        return 0;
    ws__puts(text, name);
    ws__puts(text, ": Basic ");
    for (part = 0; part < 3; part++) {      /* user, ':', password */
        ws_str str = part == 0 ? url->user : part == 1 ? ws__cstr(":") : url->password;
        for (i = 0; i < str.size; i++) {
            int code = ws__percent(str, i);
            if (code < 0 && str.data[i] == '%')
                return WS_ERR_URL;
            three[n++] = (uint8_t)(code < 0 ? str.data[i] : code);
            if (code >= 0)
                i += 2;
            if (n == 3) {
                ws__base64_encode(three, 3, four);
                ws__puts(text, four);
                n = 0;
            }
        }
    }
    ws__base64_encode(three, n, four);
    ws__puts(text, four);
    ws__puts(text, "\r\n");
    return 0;
}

/* The offered subprotocols, joined again. */
static void ws__put_protocols(ws__text *text, const ws__cfg *cfg)
{
    const char *at = cfg->set.protocols;

    if (!*at)
        return;
    ws__puts(text, "Sec-WebSocket-Protocol: ");
    for (; *at; at += strlen(at) + 1) {
        if (at != cfg->set.protocols)
            ws__puts(text, ", ");
        ws__puts(text, at);
    }
    ws__puts(text, "\r\n");
}

/* The name in front of a header line. */
static ws_str ws__line_name(ws_str line)
{
    return ws__str(line.data, ws__find(line, 0, ':'));
}

/* Lines of the application, but those of a name. Its secrets do not follow a redirect to
   another server. */
static void ws__put_own_lines(ws__text *text, const ws__client *client, ws_str lines,
                              ws_str but)
{
    static const char *const secret[] = { "Authorization", "Cookie",
                                          "Proxy-Authorization" };

    while (lines.size) {
        size_t n = ws__find(lines, 0, '\n') + 1, i = 0;
        ws_str name = ws__line_name(lines);
        while (i < 3 && !ws_str_is(name, secret[i]))
            i++;
        if ((!client->crossed || i == 3) && !ws__same_text(name, but))
            ws__put(text, lines.data, n);
        lines = ws__str(lines.data + n, lines.size - n);
    }
}

/* The application's header lines, the one of ws_reconnect_header in place of others of
   its name. */
static void ws__put_own(ws__text *text, const ws__client *client)
{
    ws_str next = ws__cstr(client->next_line), name = ws__line_name(next);

    ws__put_own_lines(text, client, ws__cstr(client->cfg.lines), name);
    if (next.size > name.size + 4)
        ws__put_own_lines(text, client, next, ws__cstr(NULL));  /* ": CR LF" */
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
static int ws__has_own(const ws__client *client, const char *name)
{
    return ws_str_is(ws__line_name(ws__cstr(client->next_line)), name) ||
           ws__lines_have(ws__cstr(client->cfg.lines), name);
}

static void ws__put_upgrade(ws_conn *conn, ws__text *text, const char *key)
{
    const ws_config *set = &conn->cfg->set;

    ws__core_upgrade_put(text, key, ws_version(conn));
    ws__put_protocols(text, conn->cfg);
    ws__put_offers(text, conn->cfg);
    if (!set->origin || ws__has_own(ws__client_of(conn), "Origin"))
        return;
    ws__puts(text, ws_version(conn) == 8 ? "Sec-WebSocket-Origin: " : "Origin: ");
    ws__puts(text, set->origin);
    ws__puts(text, "\r\n");
}

/* Draws the key and queues the request (4.1), or the one of ordinary HTTP. */
static int ws__request_put(ws_conn *conn, const ws_url *url)
{
    const ws_config *set = &conn->cfg->set;
    ws__client *client = ws__client_of(conn);
    int http = ws__is_http(conn), own = http && !client->as_get,
        with_body = own && set->body_size;
    uint8_t nonce[16];
    char key[25];
    size_t size = 1024 + 3 * strlen(ws_url_of(conn)) +
                  2 * (conn->cfg->size - sizeof *client) +
                  ws__cstr(client->next_line).size + ws__offers_size(conn->cfg);
    ws__text text;

    if (ws__random(conn, nonce, sizeof nonce))
        return WS_ERR_RANDOM;
    ws__base64_encode(nonce, sizeof nonce, key);
    ws_accept_key(key, client->accept);
    if (ws__text_begin(conn, &text, size))
        return WS_ERR_MEMORY;
    ws__puts(&text, own ? set->method : "GET");
    ws__puts(&text, " ");
    if (!url->target.size || url->target.data[0] != '/')
        ws__puts(&text, "/");
    ws__put(&text, url->target.data, url->target.size);
    ws__puts(&text, " HTTP/1.1\r\nHost: ");
    if (set->host && !client->crossed)
        ws__puts(&text, set->host);
    else
        ws__put_host(&text, url);
    ws__puts(&text, "\r\n");
    if (!http)
        ws__put_upgrade(conn, &text, key);
    else
        ws__puts(&text, "Connection: close\r\n");
    if ((client->crossed || !ws__has_own(client, "Authorization")) &&
        ws__put_basic(&text, "Authorization", url))
        return WS_ERR_URL;
    ws__put_own(&text, client);
    if (with_body || (own && strcmp(set->method, "GET") && strcmp(set->method, "HEAD"))) {
        ws__puts(&text, "Content-Length: ");
        ws__put_number(&text, set->body_size);
        ws__puts(&text, "\r\n");
    }
    ws__puts(&text, "\r\n");
    if (with_body)
        ws__put(&text, (const char *)set->body, set->body_size);
    return ws__text_end(conn, &text);
}

/* The answer to our upgrade: 0, or the fault. Takes into use what was agreed. */
static int ws__answer_check(ws_conn *conn, ws_str head, int status, ws_str version,
                            const char **why)
{
    int offered = ws__protocol_at(conn->cfg, 1)[0] != 0, hint = WS__HINT_NONE, what;
    int fault = ws__answer_opens(status, version, &hint);
    ws__answer answer;
    ws_str value;
    size_t pos = 0;

    memset(&answer, 0, sizeof answer);
    while (!fault &&
           (what = ws__answer_read(&answer, head, &pos, ws__client_of(conn)->accept,
                                   &value)) != 0) {
        if (what == WS__ANSWER_EXTENSIONS) {
            fault = ws__extension_answer(conn, value, why);
        } else {
            conn->protocol = ws__protocol_find(conn->cfg, value);
            fault = ws__answer_protocol_judge(&answer, conn->protocol);
        }
    }
    if (!fault)
        fault = ws__answer_judge(&answer, offered && !conn->cfg->set.protocol_optional,
                                 &hint);
    if (hint)
        *why = ws__hint_text(hint);
    return fault;
}

/* Is it a client of ordinary HTTP whose answer has no body? */
static int ws__is_head(const ws_conn *conn)
{
    return ws__is_http(conn) && !strcmp(conn->cfg->set.method, "HEAD");
}

WS__APART int ws__client_head(ws_conn *conn, ws_str head)
{
    ws_str version, reason;
    const char *why = NULL;
    int status = 0, fault = ws_head_answer(head, &version, &status, &reason);

    conn->rx->aside = 0;                   /* it counted interim answers */
    if (fault)
        conn->taken = 9;            /* behind "HTTP/1.1 " */
    if (!fault) {
        ws__client_of(conn)->status = (uint16_t)status;
        fault = ws__is_http(conn) ? ws__http_check(conn, head, status)
                               : ws__answer_check(conn, head, status, version, &why);
    }
    if (!fault && !ws__is_http(conn))
        fault = ws__extension_insist(conn);
    if (fault == WS_ERR_EXTENSION_MISSING)
        return 0;
    if (!fault)
        return WS_EV_OPEN;
    if (fault == WS_ERR_STATUS)
        ws__body_keep(conn, head, status);
    /* what waits for OPEN stays */
    if (fault == WS_ERR_STATUS && ws__redirects(conn, status)) {
        if (status <= 303 && ws__is_http(conn) && !ws__is_head(conn))
            ws__client_of(conn)->as_get = 1;
        ws__client_of(conn)->to_follow = 1;
        ws__enter(&conn->core, WS__PHASE_ENDED);
        return 0;
    }
    ws__fail_with(conn, fault, why);
    return 0;
}

#endif /* WS_NO_CLIENT */

/* ==== >>recv (private) ============================================================== */

/* Input to parse: [p, end). in_rx: it lies in conn->rx, else in the driver's buffer. */
typedef struct ws__span {
    uint8_t *p, *end;
    int in_rx;
} ws__span;

/* Bytes in front of the raw ones that must stay. */
static size_t ws__rx_kept(const ws_conn *conn)
{
    int head = conn->owes & WS__HEAD_HELD && !ws__takes_body(conn);

    return head ? conn->rx->pos : conn->rx->msg;
}

/* Room for n more raw bytes at the end of conn->rx; NULL when there is none. */
static uint8_t *ws__rx_room(ws_conn *conn, size_t n)
{
    ws__rx *rx = conn->rx, *bigger;
    size_t raw = rx ? rx->len - rx->pos : 0, size;
    size_t msg = rx ? ws__rx_kept(conn) : 0;

    if (rx && rx->cap - rx->len < n && rx->pos > msg && !rx->behind &&
        (rx->pos - msg >= raw / 4 || ws__is_fixed(conn))) {  /* as in ws__tx_room */
        memmove(WS__DATA(rx) + msg, WS__DATA(rx) + rx->pos, raw);
        rx->pos = msg;
        rx->len = msg + raw;
    }
    if (rx && rx->cap - rx->len >= n)
        return WS__DATA(rx) + rx->len;
    if (ws__is_fixed(conn) || n > ((size_t)-1) / 4 - msg - raw)
        return NULL;
    size = sizeof *rx + msg + raw + n + 1;
    size = size < 512 ? 512 : size + (rx ? size / 8 * 3 : 0);
    bigger = (ws__rx *)ws__block_new(conn->cfg, &size);
    if (!bigger)
        return NULL;
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
        if (ws__is_shown(conn))
            ws__client_of(conn)->parked = rx;   /* it stays until the next pull */
        else
            ws__free(conn->cfg, rx, ws__rx_block(rx));
    }
    bigger->cap = size - sizeof *bigger - 1;
    conn->rx = bigger;
    return WS__DATA(bigger) + bigger->len;
}

/* Room for more of the message's payload, when the raw bytes are elsewhere (rx->pos ==
   rx->len). Grows with what was received, never to what was announced. */
static int ws__rx_message_room(ws_conn *conn, size_t now)
{
    ws__rx *rx = conn->rx;
    size_t have = rx->msg, size;
    ws__rx *bigger;

    if (rx->cap - have >= now)
        return 0;
    if (ws__is_fixed(conn))
        return WS_ERR_MEMORY;
    size = 2 * (have + now) + 4096;
    if (rx->reader.fin && rx->reader.left < size - have)
        size = have + (size_t)rx->reader.left;
    size += sizeof *rx + 1;
    bigger = (ws__rx *)ws__block_new(conn->cfg, &size);
    if (!bigger)
        return WS_ERR_MEMORY;
    *bigger = *rx;
    if (have)
        memcpy(WS__DATA(bigger), WS__DATA(rx), have);
    bigger->cap = size - sizeof *bigger - 1;
    bigger->pos = bigger->len = have;
    ws__free(conn->cfg, rx, ws__rx_block(rx));
    conn->rx = bigger;
    return 0;
}

/* Keeps raw bytes for later. */
static int ws__rx_append(ws_conn *conn, const uint8_t *p, size_t n)
{
    uint8_t *at = n ? ws__rx_room(conn, n) : NULL;
    if (!n)
        return 0;
    if (!at)
        return WS_ERR_MEMORY;
    memcpy(at, p, n);
    conn->rx->len += n;
    return 0;
}

#ifndef WS_NO_SERVER
static int ws__reply(ws_conn *conn, int status, const ws_header *headers,
                     const char *body, size_t n);
#endif

#ifndef WS_NO_SERVER
/* Answers an ordinary request that the application leaves alone. */
static void ws__answer_default(ws_conn *conn)
{
    if (ws__path_served(conn))
        ws__reply(conn, 426, NULL, "WebSocket only\n", 15);
    else
        ws__reply(conn, 404, NULL, "not found\n", 10);
}
#endif

/* Does nothing that came wait, neither to be parsed nor for its end? */
static int ws__rx_is_idle(const ws__rx *rx)
{
    return rx && rx->pos == rx->len && !rx->reader.op && !rx->reads_body &&
           !(rx->stays | rx->served);
}

/* Does nobody need the head any more? */
static int ws__head_served(const ws_conn *conn)
{
    return conn->life & WS__OPENED || conn->owes & WS__CLOSE_TOLD || ws__is_kept(conn) ||
           conn->core.phase == WS__PHASE_BODY;
}

/* Before the next pull: gives back what the last event showed. */
static void ws__release(ws_conn *conn)
{
    ws__rx *rx = conn->rx;

    ws__unshow(conn);
    if (ws__is_blocking(conn))
        ws__unpark(conn);
    if (conn->owes & WS__OPEN_OWED)
        return;      /* the head is yet to be shown */
    if (conn->owes & WS__MESSAGE_HELD) {
        ws__cork_out(conn);
        rx->msg = 0;
        conn->owes &= (uint8_t)~WS__MESSAGE_HELD;
    }
    ws__ext_show_end(conn);
    if (conn->owes & WS__HEAD_HELD && ws__head_served(conn)) {
        ws__head_wipe(conn);
        conn->owes &= (uint8_t)~WS__HEAD_HELD;
    }
#ifndef WS_NO_SERVER
    if (conn->core.phase == WS__PHASE_HTTP && !(conn->life & WS__ANSWERED) &&
        !conn->cfg->set.ask)
        ws__answer_default(conn);
#endif
    if (ws__rx_is_idle(rx) && !rx->msg &&
        (conn->core.phase == WS__PHASE_FRAMES || conn->core.phase == WS__PHASE_BODY))
        ws__rx_free(conn);
}

static int ws__fill(ws_event *ev, ws_conn *conn, int type, const void *data, size_t n)
{
    memset(ev, 0, sizeof *ev);
    ev->type = type;
    ev->conn = conn;
    ev->data = n || type == WS_EV_POST || type == WS_EV_READY ? data : "";
    ev->size = n;
    ev->reason = "";
    return 1;
}

/* Answers a control frame if the core says so: 0, or why that failed. */
static int ws__control_answer(ws_conn *conn, int op, const uint8_t *p, size_t n)
{
    int answer = ws__core_answer(&conn->core, op), fault;

    if (answer == WS_OP_PONG)
        return ws__pong_put(conn, p, n);
    if (answer != WS_OP_CLOSE)
        return 0;
    fault = ws__control_put(conn, WS_OP_CLOSE, p, n);
    if (!fault)
        ws__core_close_sent(&conn->core);
    return fault;
}

/* The peer's Close frame. One that cannot be answered ends all the same; it is no fault
   if the peer takes nothing any more. */
static void ws__close_got(ws_conn *conn, const uint8_t *p, size_t n)
{
    int fault = ws__core_close_got(&conn->core, p, n);

    if (fault) {
        ws__fail(conn, fault);
        return;
    }
    fault = ws__control_answer(conn, WS_OP_CLOSE, p, n);
    if (fault && !(conn->line & WS__NO_OUTPUT))
        ws__fail(conn, fault);
    else
        ws__end(conn, WS__PHASE_ENDING);
    if (n > 2) {
        char *note = ws__note_new(conn);
        if (note) {
            memmove(note, p + 2, n - 2);
            note[n - 2] = 0;
        }
    }
}

/* Was this ping answered while the application was sending? */
static int ws__pong_went(ws_conn *conn)
{
    if (!ws__is_blocking(conn) || !ws__client_of(conn)->answered)
        return 0;
    ws__client_of(conn)->answered--;
    return 1;
}

/* A whole control frame. Returns 1 with its event, -1 to go on. */
static int ws__control(ws_conn *conn, int op, const uint8_t *p, size_t n, ws_event *ev)
{
    int fault;

    if (op == WS_OP_CLOSE) {
        ws__close_got(conn, p, n);
        return -1;
    }
    if (op == WS_OP_PONG) {
        ws__core_pong_got(&conn->core, conn->now, p, n);
        return ws__fill(ev, conn, WS_EV_PONG, p, n);
    }
    fault = 0;
    if (!conn->cfg->set.manual_pong && !ws__pong_went(conn))
        fault = ws__control_answer(conn, op, p, n);
    if (fault) {
        ws__fail(conn, fault);
        return -1;
    }
    return ws__fill(ev, conn, WS_EV_PING, p, n);
}

static int ws__message(ws_conn *conn, int op, const void *data, size_t n, ws_event *ev)
{
    ws__core_spoke(&conn->core, conn->now);
    ws__fill(ev, conn, WS_EV_MESSAGE, data, n);
    ev->op = op;
    ev->first = ev->last = 1;
    return 1;
}

/* A piece of the unfinished message. */
static int ws__part(ws_conn *conn, const void *data, size_t n, int last, ws_event *ev)
{
    ws__rx *rx = conn->rx;

    ws__message(conn, rx->reader.op, data, n, ev);
    ev->type = WS_EV_PART;
    ev->first = !rx->begun;
    ev->last = last;
    rx->begun = 1;
    ws__core_given(&rx->reader, n, last);
    return 1;
}

/* Takes part bytes of payload to a place of their own. 0, or the connection has
   failed. */
static int ws__payload_take(ws_conn *conn, ws__span *in, uint8_t *to, size_t part)
{
    size_t good;
    int fault = ws__core_take(&conn->rx->reader, &conn->cfg->set, to, in->p, part, &good);

    in->p += part;
    conn->taken += good;
    if (fault)
        ws__fail(conn, fault);
    return fault;
}

/* The message or, with cfg.frames, the frame that is put together is whole. */
static int ws__payload_whole(ws_conn *conn, ws_event *ev)
{
    ws__rx *rx = conn->rx;

    conn->owes |= WS__MESSAGE_HELD;
    if (conn->cfg->set.frames)
        return ws__part(conn, WS__DATA(rx), rx->msg, rx->reader.fin, ev);
    ws__message(conn, rx->reader.op, WS__DATA(rx), rx->msg, ev);
    ws__core_given(&rx->reader, rx->msg, 1);
    return 1;
}

/* Inside a data frame of a message in parts: hands on what came. */
static int ws__payload_part(ws_conn *conn, ws__span *in, size_t part, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    uint8_t *p = in->p;
    int last;

    if (rx->msg) {                  /* from before it grew too large */
        conn->owes |= WS__MESSAGE_HELD;
        return ws__part(conn, WS__DATA(rx), rx->msg, 0, ev);
    }
    if (ws__payload_take(conn, in, p, part))
        return -1;
    last = !rx->reader.left && rx->reader.fin;
    if (!part && !last)
        return -1;
    return ws__part(conn, part ? (const void *)p : "", part, last, ev);
}

#define WS__PART_MAX 16384      /* decoded bytes of one PART event */

/* Payload of the frame that was not decoded yet: what is to come, and what lies there. */
static uint64_t ws__frame_left(const ws__rx *rx) { return rx->reader.left + rx->clear; }

/* Inside a data frame: moves what came to the message. */
static int ws__payload(ws_conn *conn, ws__span *in, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    size_t part = (size_t)(in->end - in->p);
    uint64_t left = ws__frame_left(rx);

    if (part > left)
        part = (size_t)left;
    if (WS__EXTENDS && rx->reader.coded) {
        if (!part && left && !ws__ext_pending(conn))
            return 0;
        return ws__payload_coded(conn, in, part, ev);
    }
    if (!part && left)
        return 0;
    if (rx->parts)
        return ws__payload_part(conn, in, part, ev);
    if (!in->in_rx && ws__rx_message_room(conn, part)) {
        ws__fail(conn, WS_ERR_MEMORY);
        return -1;
    }
    rx = conn->rx;
    if (ws__payload_take(conn, in, WS__DATA(rx) + rx->msg, part))
        return -1;
    rx->msg += part;
    if (!in->in_rx)
        rx->pos = rx->len = rx->msg;
    if (rx->reader.left)
        return 0;
    return rx->reader.fin || conn->cfg->set.frames ? ws__payload_whole(conn, ev) : -1;
}

/* The message that is coming in. */
static const ws__reader *ws__reader_of(const ws_conn *conn)
{
    static const ws__reader none = { 0, 0, 0, 0, { 0, 0, 0, 0 }, 0, 0, 0, 0, 0 };

    return conn->rx ? &conn->rx->reader : &none;
}

/* Does the frame bring its message to the application in PART events? */
static int ws__in_parts(const ws_config *set, const ws__reader *reader,
                        const ws_frame *frame)
{
    uint64_t size = reader->size + frame->size;

    return set->frames || (set->parts_over != WS_NO_LIMIT && size > set->parts_over);
}

/* Begins a data frame that is not handed out in place. */
static int ws__frame_begin(ws_conn *conn, const ws_frame *frame, size_t head,
                           ws__span *in)
{
    ws__rx *rx;

    if (!conn->rx && !ws__rx_room(conn, 64))
        return WS_ERR_MEMORY;
    rx = conn->rx;
    if (!rx->reader.op) {
        rx->msg = 0;
        rx->begun = rx->parts = 0;
    }
    if (!conn->cfg->set.frames && !frame->rsv && !rx->reader.coded &&
        ws__in_parts(&conn->cfg->set, &rx->reader, frame))
        rx->parts = 1;
    ws__core_begin(&rx->reader, frame);
    rx->clear = 0;
    rx->eaten = 0;
    in->p += head;
    conn->taken += head;
    return 0;
}

/* Could a message that must be put together not even have an address? */
static int ws__is_boundless(const ws_conn *conn, const ws_frame *frame)
{
    const ws__reader *reader = ws__reader_of(conn);
    uint64_t have = conn->cfg->set.frames ? 0 : reader->size;

    if (frame->rsv || reader->coded)
        return 0;
    return (conn->cfg->set.frames || !ws__in_parts(&conn->cfg->set, reader, frame)) &&
           have + frame->size > ((size_t)-1) / 4;
}

/* A text or binary message in a single frame that is all here: no copy. key: NULL for
   none. */
static int ws__message_in_place(ws_conn *conn, int op, uint8_t *p, size_t n,
                                const uint8_t *key, ws_event *ev)
{
    size_t good;
    int fault = ws__core_whole(op, p, n, key, &good);

    if (!fault)
        return ws__message(conn, op, p, n, ev);
    conn->taken -= n - good;
    ws__fail(conn, fault);
    return -1;
}

/* The short way for the commonest frame, while no other message is unfinished. Returns 0
   for every other frame, and for every fault. */
static int ws__short_message(ws_conn *conn, ws__span *in, ws_event *ev)
{
    uint8_t *p = in->p;
    size_t n, head = ws__core_short(&conn->core, p, (size_t)(in->end - p), &n);

    if (!head || n >= conn->cfg->short_below)
        return 0;
    WS_TRACE(conn, "frame in", p[0]);
    in->p += head + n;
    conn->taken += head + n;
    return ws__message_in_place(conn, p[0] & 15, p + head, n,
                                WS__IS_CLIENT(&conn->core) ? NULL : p + head - 4, ev);
}

/* Can the frame be handed out where it lies? */
static int ws__fits_in_place(const ws_conn *conn, const ws_frame *frame, size_t have)
{
    const ws__reader *reader = ws__reader_of(conn);

    if (have < frame->size)
        return 0;
    if (frame->op >= 8)
        return 1;
    return !reader->op && frame->fin && !frame->rsv &&
        !ws__in_parts(&conn->cfg->set, reader, frame);
}

/* A frame of any kind begins. */
WS__APART int ws__frame_any(ws_conn *conn, ws__span *in, ws_event *ev)
{
    size_t have = (size_t)(in->end - in->p);
    int head, fault;
    ws_frame frame;
    uint8_t *p;

    memset(&frame, 0, sizeof frame);
    head = ws__core_see(&conn->core, &conn->cfg->set, ws__reader_of(conn),
                        ws__ext_rsv(conn), in->p, have, &frame);
    if (!head)
        return 0;
    if (head > 0 && frame.op < 8 && ws__is_boundless(conn, &frame))
        head = WS_ERR_MESSAGE_SIZE;
    if (head < 0) {
        ws__fail(conn, head);
        return -1;
    }
    have -= (size_t)head;
    if (!ws__fits_in_place(conn, &frame, have)) {
        if (frame.op >= 8 || (!have && frame.size))
            return 0;
        WS_TRACE(conn, "frame in", in->p[0]);
        fault = ws__frame_begin(conn, &frame, (size_t)head, in);
        if (fault)
            ws__fail(conn, fault);
        return -1;
    }
    WS_TRACE(conn, "frame in", in->p[0]);
    p = in->p + head;
    in->p = p + frame.size;
    conn->taken += (size_t)head + frame.size;
    if (frame.op < 8)
        return ws__message_in_place(conn, frame.op, p, (size_t)frame.size,
                                    frame.masked ? frame.key : NULL, ev);
    if (frame.masked)
        ws_mask(p, p, (size_t)frame.size, frame.key, 0);
    return ws__control(conn, frame.op, p, (size_t)frame.size, ev);
}

/* One step over frames: 1 an event, 0 needs more input, -1 go on. */
static int ws__frame_step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    const ws__reader *reader = ws__reader_of(conn);
    int r;

    if (reader->in_frame)
        return ws__payload(conn, in, ev);
    if (in->p == in->end)
        return 0;
    r = WS__FAST && !reader->op ? ws__short_message(conn, in, ev) : 0;
    return r ? r : ws__frame_any(conn, in, ev);
}

#ifndef WS_NO_CLIENT
/* An interim answer (100, 103): 1 if head was one, and is gone. */
static int ws__head_skip(ws_conn *conn, ws__span *in, ws_str head)
{
    ws_str version, reason;
    int status;

    if (ws_head_answer(head, &version, &status, &reason) || status / 100 != 1 ||
        status == 101)
        return 0;
    in->p += head.size;
    conn->rx->aside += (uint32_t)head.size;
    memset(&conn->rx->head, 0, sizeof conn->rx->head);
    if (conn->rx->aside > conn->cfg->set.max_head)
        ws__fail(conn, WS_ERR_HEAD_SIZE);
    return 1;
}

#endif

static void ws__opened(ws_conn *conn)
{
    WS_TRACE(conn, "open", 0);
    ws__enter(&conn->core, ws__is_http(conn) ? WS__PHASE_READING : WS__PHASE_FRAMES);
    conn->life |= WS__OPENED;
    conn->taken = 0;
    if (conn->rx)
        conn->rx->served = 0;
    if (WS__IS_CLIENT(&conn->core))
        ws__client_of(conn)->opened = conn->now;
    ws__core_begins(&conn->core, conn->now);
}

#define WS__EMPTY_LINES 4       /* that may stand before a request (RFC 9112 2.2) */

/* Steps over an empty line before a request: 1 it is gone, 0 it may be one, -1 it is
   none. */
static int ws__empty_line(ws__rx *rx, ws__span *in)
{
    if (rx->head.scanned || rx->empty_lines >= WS__EMPTY_LINES || *in->p != '\r')
        return -1;
    if (in->end - in->p < 2)
        return 0;
    if (in->p[1] != '\n')
        return -1;
    in->p += 2;
    rx->empty_lines++;
    return 1;
}

/* Fails a handshake whose peer does not speak HTTP, showing what it says. */
static void ws__not_http(ws_conn *conn, const uint8_t *p, size_t n)
{
    char text[64];
    ws__text out = ws__text_in(text, sizeof text);
    size_t i;

    if (!WS__WORDS) {
        ws__fail_with(conn, WS_ERR_HEAD_SYNTAX, NULL);
        return;
    }
    ws__puts(&out, *p == 21 || *p == 22 ? "TLS is spoken here" : "no HTTP, but \"");
    for (i = 0; i < n && i < 40 && p[i] > 31 && p[i] < 127; i++)
        ws__put(&out, (const char *)p + i, 1);
    if (*p != 21 && *p != 22)
        ws__puts(&out, "\"");
    ws__fail_with(conn, WS_ERR_HEAD_SYNTAX, text);
}

/* Scans the head: its size, 0, or an error. */
static int ws__shake_scan(ws_conn *conn, const ws__span *in)
{
    ws__rx *rx = conn->rx;
    size_t have = (size_t)(in->end - in->p);
    int size;

    rx->head.max_size = conn->cfg->set.max_head;
    rx->head.max_fields = conn->cfg->set.max_headers;
    size = ws__head_scan(&rx->head, in->p, have, WS__IS_CLIENT(&conn->core));
    if (!size && ws__is_fixed(conn) && rx->len - rx->pos == rx->cap)
        size = WS_ERR_HEAD_SIZE;
    conn->taken = rx->head.scanned;
    return size;
}

/* Of a request the first line is judged as soon as it is here: who speaks another
   protocol may say no more. 1 if it is none. */
static int ws__line_is_bad(ws__rx *rx, const uint8_t *p)
{
    ws_str line = ws__str((const char *)p, (size_t)rx->head.scanned);
    ws_str method, target, version;
    int state = rx->head.state;

    if (rx->line_good || state < WS__HEAD_FIELD)
        return 0;
    if (state == WS__HEAD_LF && !rx->head.fields)
        return 0;
    rx->line_good = !ws_head_request(line, &method, &target, &version);
    return !rx->line_good;
}

/* Is the event of a request put off until its body is whole? */
static int ws__awaits_body(const ws_conn *conn)
{
    return ws__takes_body(conn) && conn->core.phase == WS__PHASE_HEAD &&
           !conn->rx->in_parts;
}

/* The head was good: gives the event that it makes, or waits for its body. */
static int ws__shaken(ws_conn *conn, int type, ws_event *ev)
{
    int uploads = ws__takes_body(conn);

    if (ws__awaits_body(conn))
        return -1;
    if (type == WS_EV_OPEN)
        ws__opened(conn);
    else
        ws__enter(&conn->core, uploads ? WS__PHASE_UPLOAD : WS__PHASE_HTTP);
    ws__wake(conn);
    ws__fill(ev, conn, type, "", 0);
    ev->first = ev->last = type == WS_EV_HTTP && !uploads;
    return 1;
}

/* One step over the opening handshake; returns like ws__frame_step. */
static int ws__shake_step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    ws_str head;
    size_t have;
    int size, type = 0, client = WS__IS_CLIENT(&conn->core), empty;

    if (!in->in_rx || in->p == in->end)
        return 0;
    empty = client ? -1 : ws__empty_line(rx, in);
    if (empty >= 0)
        return -empty;
    have = (size_t)(in->end - in->p);
    if (client ? !ws__http_begins(in->p, (size_t)rx->head.scanned, have)
               : !rx->head.scanned && *in->p == 22) {
        ws__not_http(conn, in->p, have);
        return -1;
    }
    size = ws__shake_scan(conn, in);
    if (!client && ws__line_is_bad(rx, in->p))
        size = (int)ws__find(ws__str((const char *)in->p, have), 0, '\n') + 1;
    if (size < 0) {
        ws__fail(conn, size);
        return -1;
    }
    if (!size)
        return 0;
    head = ws__str((const char *)in->p, (size_t)size);
#ifndef WS_NO_CLIENT
    if (WS__IS_CLIENT(&conn->core) && ws__head_skip(conn, in, head))
        return -1;
    if (WS__IS_CLIENT(&conn->core) &&
        !ws__refusal_whole(conn, head, (char *)in->p + size, have - head.size))
        return 0;
#endif
    rx->head_size = (uint32_t)head.size;
    rx->head_at = (uint32_t)(in->p - WS__DATA(rx));
    in->p += size;
    conn->taken = (uint64_t)size;
    conn->owes |= WS__HEAD_HELD;
#ifndef WS_NO_CLIENT
    if (WS__IS_CLIENT(&conn->core))
        type = ws__client_head(conn, head);
#endif
#ifndef WS_NO_SERVER
    if (!WS__IS_CLIENT(&conn->core))
        type = ws__server_head(conn, head);
#endif
    return type ? ws__shaken(conn, type, ev) : -1;
}

static int ws__judge(ws_conn *conn);

static int ws__close_event(ws_conn *conn, ws_event *ev)
{
    int error = conn->core.error;
    int answered = conn->life & WS__ANSWERED && !error && !ws__unsent(conn);

    WS_TRACE(conn, "end", conn->core.code);
    conn->owes |= WS__CLOSE_TOLD;
    ws__enter(&conn->core, WS__PHASE_ENDED);
    ws__fill(ev, conn, WS_EV_CLOSE, "", 0);
    ev->error = -error;
    ev->code = answered ? 0 : (int)conn->core.code;
    ev->clean = answered || ws__core_clean(&conn->core);
    ev->refused = conn->refused;
    ev->opened = (conn->life & WS__OPENED) != 0;
    ev->reason = ws__error_text(error);
    if (conn->note && *conn->note && !(WS__WORDS && ws__is_placed(error)))
        ev->reason = conn->note;
    return WS__IS_CLIENT(&conn->core) ? ws__again(conn, ev) : 1;
}

/* The input has ended too early. */
static void ws__cut_off(ws_conn *conn)
{
    const char *why = conn->line & WS__BROKEN ? ws__io_why(conn) : NULL;
    int error = conn->line & WS__BROKEN ? WS_ERR_IO : WS_ERR_EOF;

    if (why && ws__is_wrapped(conn))
        error = WS_ERR_TLS;
    if (WS__WORDS && !why && ws__takes_body(conn))
        why = "the body is shorter than it should be";
    ws__fail_with(conn, error, why);
}

/* What is left to say when the input gives nothing more. */
static int ws__late_event(ws_conn *conn, ws_event *ev)
{
    if (conn->owes & (WS__CLOSE_TOLD | WS__DOWN))
        return 0;
    if (conn->line & WS__INPUT_END && !ws__held_back(conn) &&
        !(conn->life & WS__ANSWERED) &&
        ws__phase_has(&conn->core, WS__KEEPS))
        ws__cut_off(conn);
    if (conn->line & WS__INPUT_END && ws__phase_has(&conn->core, WS__CUTS) &&
        (!ws__has_file(conn) || conn->line & WS__BROKEN))
        ws_drop(conn);
    if (ws__writable_due(conn)) {
        conn->owes &= (uint8_t)~(WS__REFUSED | WS__DRAIN_ASKED);
        return ws__fill(ev, conn, WS_EV_WRITABLE, "", 0);
    }
    if (conn->core.phase == WS__PHASE_ENDED)
        return ws__close_event(conn, ev);
    if (conn->core.phase == WS__PHASE_ENDING && !ws__unsent(conn) &&
        !ws__awaits_end(conn))
        return ws__close_event(conn, ev);
    return 0;
}

/* One step over what comes in this phase; returns like ws__frame_step. */
static inline int ws__parse(ws_conn *conn, ws__span *in, ws_event *ev)
{
    if (conn->core.phase == WS__PHASE_FRAMES)
        return ws__held_back(conn) ? 0 : ws__frame_step(conn, in, ev);
    if (ws__is_kept(conn))
        return ws__kept_step(conn, in);
    if (conn->core.phase == WS__PHASE_HEAD)
        return ws__awaits_body(conn) ? ws__body_whole_step(conn, in, ev)
                                     : ws__shake_step(conn, in, ev);
    if (!ws__phase_has(&conn->core, WS__PARSES) || ws__held_back(conn))
        return 0;
    if (conn->core.phase == WS__PHASE_UPLOAD)
        return ws__upload_step(conn, in, ev);
    return ws__read_step(conn, in, ev);
}

/* The parser: takes from in until there is an event (1) or nothing more to do (0). */
static int ws__step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    int r = -1, held;

    if (conn->owes & WS__OPEN_OWED) {
        conn->owes &= (uint8_t)~WS__OPEN_OWED;
        return ws__fill(ev, conn, WS_EV_OPEN, "", 0);
    }
    while (r < 0)
        r = ws__parse(conn, in, ev);
    if (r > 0)
        return 1;
    if (!ws__keeps_input(conn)) {
        ws__wasted(conn, (size_t)(in->end - in->p));
        in->p = in->end;
    }
    held = conn->life & WS__FRESH && ws__held_back(conn);
    if (!held)
        conn->life &= (uint8_t)~WS__FRESH;
    if (ws__late_event(conn, ev))
        return 1;
    if (!(conn->owes & WS__JUDGE_OWED))
        return 0;
    conn->owes &= (uint8_t)~WS__JUDGE_OWED;
    ws__judge(conn);
    if (conn->life & WS__FRESH && !held)
        return ws__step(conn, in, ev);          /* judging has shown a refusal */
    return ws__late_event(conn, ev);
}

/* Pulls from the bytes that conn->rx holds. */
static int ws__pull(ws_conn *conn, ws_event *ev)
{
    ws__span in;
    size_t left;
    int r;

    in.in_rx = conn->rx != NULL;
    in.p = in.in_rx ? WS__DATA(conn->rx) + conn->rx->pos : NULL;
    in.end = in.in_rx ? WS__DATA(conn->rx) + conn->rx->len : NULL;
    left = (size_t)(in.end - in.p);
    r = ws__step(conn, &in, ev);
    if (!conn->rx || !in.in_rx)
        return r;
    conn->rx->pos = (size_t)(in.p - WS__DATA(conn->rx));
    if (!conn->rx->owed)
        return r;
    left -= (size_t)(in.end - in.p);
    conn->rx->owed = r && left < conn->rx->owed ? conn->rx->owed - left : 0;
    if (!conn->rx->owed && !ws__sends(&conn->core, WS__SENDS_ANSWER))
        ws__judge(conn);
    return r;
}

/* ==== >>time (private) ============================================================== */

/* What is due when, and what then happens. A deadline is not kept, but follows from what
   was noted when it happened; the core keeps one for opening, closing and pauses, a dial
   one for the address that it tries, a body the time of its next beat.

   ws__due tells when something is due, ws__judge does it. Input comes first: what a peer
   sent in time counts although it is read late. So a driver reads and parses before it
   judges. The engine is told the time before it parses: where there is input that the
   parser has not seen (WS__FRESH), ws__judge_dry leaves WS__JUDGE_OWED, and the parser
   judges when it has used up the bytes that are here, or, as more may come while they are
   read, the first rx->owed of them. In a loop a heap has the connections by ws_conn.due,
   a time before which nothing is due: one that is reached gets a turn (WS__OVERDUE),
   which ends with ws__judge. */

#ifdef WS_NO_SOCKETS
static int ws__must_end(const ws_conn *conn) { (void)conn; return 0; }
#else
static int ws__must_end(const ws_conn *conn);
#endif

/* When ws__judge has something to do, if nothing happens before. */
static uint32_t ws__due(const ws_conn *conn, uint32_t now)
{
    if (ws__must_end(conn))
        return now;
    if (ws__connects(conn))
        return ws__connect_due(conn, now);
#ifdef WS__ANSWERS
    if (ws__core_time(&conn->core) == WS__TIME_BEATS)
        return ws__body_due(conn, now);
#endif
    return ws__core_due(&conn->core, &conn->cfg->set, now);
}

static int ws__overdue(const ws_conn *conn)
{
    return (int32_t)(conn->now - ws__due(conn, conn->now)) >= 0;
}

/* What the opening was waiting for. */
static const char *ws__late_words(const ws_conn *conn)
{
    if (!WS__WORDS)
        return NULL;
    if (WS__IS_CLIENT(&conn->core))
        return "waiting for the answer";
    return ws__takes_body(conn) ? "the request's body comes too slowly" : NULL;
}

/* The opening handshake took too long. While something stands in the way, TLS that is not
   done, the peer cannot be told. */
static void ws__shake_late(ws_conn *conn)
{
    const char *why = ws__io_why(conn);
    int hears_not = why || WS__IS_CLIENT(&conn->core);

    ws__fail_with(conn, WS_ERR_HANDSHAKE_TIMEOUT, why ? why : ws__late_words(conn));
    if (!hears_not)
        return;
    ws__drop_output(conn);
    ws__end(conn, WS__PHASE_ENDED);
}

/* Waits no more for what closing takes. */
static void ws__give_up(ws_conn *conn)
{
    if (!conn->core.error && !ws__core_clean(&conn->core)) {
        ws__fail(conn, WS_ERR_CLOSE_TIMEOUT);
    } else {
        ws__drop_output(conn);
        ws__end(conn, WS__PHASE_ENDED);
    }
}

/* Closing took too long, unless the peer goes on taking what is left to be sent. */
static void ws__close_late(ws_conn *conn)
{
    if (!ws__awaits_end(conn) && conn->untaken &&
        ws__takes(conn, conn->cfg->set.close_timeout))
        ws__core_wait(&conn->core, conn->now, ws__patience(conn));
    else
        ws__give_up(conn);
}

/* What the core says is due. */
static void ws__core_expired(ws_conn *conn)
{
    int due;

    if (conn->line & WS__PAUSED && ws__core_may(&conn->core, WS_OP_CONTINUATION))
        ws__core_heard(&conn->core, conn->now);       /* the answer may lie unread */
    due = ws__core_tick(&conn->core, &conn->cfg->set, conn->now);
    if (due == WS_ERR_HANDSHAKE_TIMEOUT) {
        if (!ws__refusal_shown(conn) && !ws__request_goes_on(conn))
            ws__shake_late(conn);
    } else if (due == WS_ERR_CLOSE_TIMEOUT) {
        ws__close_late(conn);
    } else if (due < 0) {
        ws__fail(conn, due);
    } else if (due) {
        if (!ws__held_back(conn))
            ws__ping_put(conn);
        ws__wake(conn);
    }
}

static void ws__expired(ws_conn *conn)
{
    if (conn->core.phase == WS__PHASE_ENDED)
        return;
    if (ws__must_end(conn))
        ws__give_up(conn);
#ifdef WS__ANSWERS
    else if (ws__core_time(&conn->core) == WS__TIME_BEATS)
        ws__beat(conn);
#endif
    else
        ws__core_expired(conn);
}

/* Judges what is due at conn->now, after what came until then was taken and parsed. 1 if
   anything was. */
static int ws__judge(ws_conn *conn)
{
    if (!ws__overdue(conn))
        return 0;
    if (!ws__dial_expired(conn))
        ws__expired(conn);
    return 1;
}

/* The same, unless the parser is to look at what came first: at the bytes that are here
   now, not at those with which a peer floods us meanwhile. */
static int ws__judge_dry(ws_conn *conn)
{
    ws__rx *rx = conn->rx;
    int waits = conn->life & WS__FRESH && !ws__held_back(conn) && ws__overdue(conn);

    if (!waits)
        return ws__judge(conn);
    conn->owes |= WS__JUDGE_OWED;
    if (rx && !rx->owed)
        rx->owed = rx->len - rx->pos;
    return 0;
}

/* ==== >>engine (public) ============================================================= */

/* A connection that could not be made right says so with its CLOSE event. */
WS__APART ws_conn *ws__stillborn(ws_conn *conn, int fault, const ws_config *cfg, int role)
{
    char room[96];

    if (conn && fault)
        ws__fail_with(conn, fault, cfg ? ws__fault_words(fault, cfg, role, room) : NULL);
    return conn;
}

#ifndef WS_NO_CLIENT
/* Can user and password be decoded? */
static int ws__login_fault(const ws_url *url, const char *text, ws__url_why *why)
{
    ws_str both = ws__str(url->user.data, (size_t)(url->host.data - url->user.data));
    size_t i;

    if (!url->user.data)
        return 0;
    for (i = 0; i < both.size && both.data[i] != '@'; i++)
        if (both.data[i] == '%' && ws__percent(both, i) < 0)
            return ws__url_fault(why, "user or password", (size_t)(both.data + i - text));
    return 0;
}

/* A client of any driver. from: whose allocator it takes; fixed: cfg.memory serves, or
   not; dials: it connects itself. */
WS__APART ws_conn *ws__client_new(const char *url, const ws_config *cfg,
                                  const ws_config *from, int fixed, int dials)
{
    int role = WS__OF_CLIENT | (dials ? WS__OF_DIALLER : 0);
    ws_url parsed;
    ws__url_why why = { "there is none", 0 };
    int fault, bad = !url || ws__url_parse(url, strlen(url), &parsed, &why) ||
                     ws__login_fault(&parsed, url, &why);
    ws_conn *conn = ws__new(cfg, from, fixed, bad ? "" : url, role, &fault);

    if (conn && !fault && bad)
        ws__fail_url(conn, url, &why);
    if (!conn || conn->core.error)
        return conn;
    return ws__stillborn(conn, fault ? fault : ws__request_put(conn, &parsed), cfg, role);
}

WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg)
{
    return ws__client_new(url, cfg, cfg, 1, 0);
}
#endif

#ifndef WS_NO_SERVER
WS__PRIVATE ws_conn *ws__server_new(const ws_config *cfg, const ws_config *from,
                                    int fixed)
{
    int fault;
    ws_conn *conn = ws__new(cfg, from, fixed, NULL, WS__OF_SERVER, &fault);

    return ws__stillborn(conn, fault, cfg, WS__OF_SERVER);
}

WS_API ws_conn *ws_server_new(const ws_config *cfg)
{
    return ws__server_new(cfg, cfg, 1);
}
#endif

/* Raw bytes ws_feed holds at most. */
#define WS__FEED_MAX ((size_t)((size_t)-1 / 2 > 32767 ? 65536u : 32768u))
#define WS__FEED_MIN 16384      /* and may always hold */

/* The raw bytes that may wait to be parsed, at most most: as many as the limits let a
   message have. */
static size_t ws__raw_most(const ws_conn *conn, size_t most)
{
    ws_limit whole = conn->cfg->set.max_message;

    if (conn->core.phase == WS__PHASE_HEAD)
        whole = conn->cfg->set.max_head;
    if (whole < WS__FEED_MIN)
        whole = WS__FEED_MIN;
    return whole < most ? (size_t)whole : most;
}

WS_API size_t ws_feed_room(const ws_conn *conn)
{
    size_t raw, most;

    ws__sane(conn);
    if (!conn || !ws__phase_has(&conn->core, WS__KEEPS) || conn->line & WS__INPUT_END)
        return 0;
    most = ws__raw_most(conn,
                        conn->core.phase == WS__PHASE_HEAD ? (size_t)-1 : WS__FEED_MAX);
    if (!conn->rx)
        return most;
    raw = conn->rx->len - conn->rx->pos;
    if (ws__is_fixed(conn) && conn->rx->behind)
        return conn->rx->cap - conn->rx->len;
    if (ws__is_fixed(conn))
        return ws__rx_kept(conn) > conn->rx->msg ? 0
                                                 : conn->rx->cap - conn->rx->msg - raw;
    return raw < most ? most - raw : 0;
}

static void ws__heard(ws_conn *conn)
{
    conn->life |= WS__FRESH;
    ws__core_heard(&conn->core, conn->now);
}

WS_API size_t ws_feed(ws_conn *conn, const void *data, size_t n)
{
    size_t room = ws_feed_room(conn);

    if (!conn || !data)
        return 0;
    if (!ws__keeps_input(conn)) {
        ws__wasted(conn, n);
        return n;     /* nobody needs it any more */
    }
    ws__unshow(conn);
    if (n > room)
        n = room;
    if (!n)
        return 0;
    ws__heard(conn);
    if (ws__rx_append(conn, (const uint8_t *)data, n))
        ws__fail(conn, WS_ERR_MEMORY);
    return n;
}

WS_API void ws_feed_end(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
    conn->line |= WS__INPUT_END;
    conn->life |= WS__FRESH;
}

WS_API int ws_next(ws_conn *conn, ws_event *ev)
{
    ws__sane(conn);
    if (!conn || !ev)
        return 0;
    ev->type = WS_EV_NONE;
    ws__release(conn);
    if (!ws__pull(conn, ev))
        return 0;
    ws__show(conn, ev);
    ws__sane(conn);
    return 1;
}

/* ws_output, also while input is parsed. */
static const void *ws__output(ws_conn *conn, size_t *n)
{
    ws__piece piece;

    *n = 0;
    if (conn && !ws__unsent(conn) && ws__source_ready(conn))
        ws__source_pull(conn);
    if (!conn || !conn->tx)
        return "";
    if (ws__tx_pong_is_due(conn))
        ws__pong_front(conn);
    if (!ws__tx_front(conn, &piece, 1))
        return "";
    *n = piece.iov_len;
    return piece.iov_base;
}

WS_API const void *ws_output(ws_conn *conn, size_t *n)
{
    ws__sane(conn);
    return ws__output(conn, n);
}

WS_API void ws_output_done(ws_conn *conn, size_t n)
{
    ws__sane(conn);
    if (conn)
        ws__wrote(conn, n);
}

WS_API int ws_finished(const ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return 1;
    if (ws__unsent(conn) || conn->owes & WS__DOWN)
        return 0;
    return ws__phase_has(&conn->core, WS__ENDS) && !ws__awaits_end(conn);
}

/* Tells the time, which may go back. */
static void ws__tell_time(ws_conn *conn, uint64_t now)
{
    uint32_t t = (uint32_t)now, step = t - conn->now;

    /* first call, or clock set back */
    if (!(conn->life & WS__TICKED) || (int32_t)step < 0) {
        ws__core_shift(&conn->core, step);
        if (ws__more_of(conn))
            ws__more_of(conn)->beat_at += step;
    }
    conn->now = t;
    conn->life |= WS__TICKED;
}

WS_API void ws_tick(ws_conn *conn, uint64_t now)
{
    ws__sane(conn);
    if (!conn || conn->loop)
        return;
    ws__tell_time(conn, now);
    ws__judge_dry(conn);
}

/* A blocking client has read the peer's Close while it was sending. */
static int ws__close_is_ahead(const ws_conn *conn)
{
    return ws__is_blocking(conn) && ws__client_of(conn)->close_ahead;
}

/* Before OPEN a client's messages wait behind its request. */
static int ws__sends_early(const ws_conn *conn)
{
    return conn->core.phase == WS__PHASE_HEAD && WS__IS_CLIENT(&conn->core) &&
           !ws__is_http(conn) && !ws__client_of(conn)->delay;
}

static inline int ws__can_send(const ws_conn *conn)
{
    if (conn->line & WS__NO_OUTPUT || ws__close_is_ahead(conn))
        return 0;
    return ws__core_may(&conn->core, WS_OP_CONTINUATION) || ws__sends_early(conn);
}

/* May a ping or a pong go? */
static int ws__can_control(const ws_conn *conn)
{
    return ws__core_may(&conn->core, WS_OP_PING) && !(conn->line & WS__NO_OUTPUT);
}

/* May a new message begin? */
static inline int ws__can_begin(const ws_conn *conn)
{
    if (!ws__can_send(conn))
        return WS_ERR_STATE;
    return conn->core.sending || ws__has_source(conn) ? WS_ERR_BUSY : 0;
}

/* 1 if wire more bytes are too many. Only while much waits: one message always goes. */
static int ws__too_much(const ws_conn *conn, uint64_t wire)
{
    size_t most = (size_t)conn->cfg->set.max_backlog, waits = ws__unsent(conn);

    if (ws__is_fixed(conn))
        return waits + wire > ws__tx_most(conn);
    return waits > most / 2 && waits + wire > most;
}

#ifndef WS_NO_SOCKETS
static void ws__flush(ws_conn *conn);

/* Will the poller tell when the socket takes more output? Trying before is in vain. */
static int ws__awaits_room(const ws_conn *conn)
{
    return conn->wants != WS__UNWATCHED && (conn->wants & WS_WANT_WRITE);
}

/* Can what waits in a loop be written now? What is in the cork goes with the cork. */
static int ws__can_flush(const ws_conn *conn)
{
    if (!conn->loop || ws__awaits_room(conn))
        return 0;
    return !ws__cork_of(conn) || (ws__is_extended(conn) && !ws__cork_of(conn)->total);
}
#endif

/* May wire bytes be sent, frame headers included? Makes room if the settings say so. */
static int ws__admit(ws_conn *conn, uint64_t wire)
{
    const ws_config *set = &conn->cfg->set;

    ws__call_begin(conn);
    if (ws__is_fixed(conn) && wire > ws__tx_most(conn))
        return WS_ERR_ARGUMENT;
    if (ws__cork_of(conn) && ws__unsent(conn) > set->max_backlog / 2)
        (ws__cork_of(conn)->flush)(conn);
#ifndef WS_NO_SOCKETS
    if (ws__is_blocking(conn) && !set->drop_oldest && !set->drop_slow &&
        ws__too_much(conn, wire))
        return ws__await(conn, wire, NULL);
    if (ws__can_flush(conn) && ws__too_much(conn, wire))
        ws__flush(conn);
#endif
    while (set->drop_oldest && ws__too_much(conn, wire) && ws__tx_forget(conn)) {}
    if (!ws__too_much(conn, wire))
        return 0;
    if (set->drop_slow && !(conn->core.is & WS__CLOSE_SENT)) {
        /* so that it hears of it soon, what it did not get goes */
        while (ws__tx_forget(conn)) {}
        ws__fail(conn, WS_ERR_SLOW);
        return WS_ERR_SLOW;
    }
    conn->owes |= WS__REFUSED;
    conn->refused++;
    return WS_ERR_BACKLOG;
}

/* Another message is under way. A blocking client waits for a source that has more. */
WS__APART int ws__busy(ws_conn *conn)
{
    int r = WS_ERR_BUSY;

    if (ws__is_blocking(conn) && ws__source_ready(conn)) {
        r = ws__await(conn, 0, ws__source_ready);
        if (!r)
            r = ws__can_begin(conn);
    }
    if (r == WS_ERR_BUSY)
        conn->refused++;
    return r;
}

/* Begins a message. */
static inline int ws__begin(ws_conn *conn)
{
    int r = ws__can_begin(conn);

    return r == WS_ERR_BUSY ? ws__busy(conn) : r;
}

/* What follows a try to send a frame. */
static int ws__sent(ws_conn *conn, int r)
{
    if (r == WS_ERR_RANDOM || r == WS_ERR_CODEC)
        ws__fail(conn, r);
    if (!r && !ws__cork_of(conn))
        ws__wake(conn);
    if (!r && ws__is_blocking(conn)) {
        ws__look(conn);
        return ws_error(conn);             /* it may have broken while writing this */
    }
    return r;
}

/* Queues a message in frames of at most most bytes: all of it, or nothing. */
static int ws__send_cut(ws_conn *conn, int op, const ws_str *value, size_t n, size_t most)
{
    uint64_t wire = ws__wire_size(conn, n, most);
    ws__cursor from = ws__cursor_at(value);
    uint8_t *to;

    if (ws__cork_first(conn))
        return WS_ERR_STATE;
    to = wire < ((size_t)-1) / 4 ? ws__tx_room(conn, (size_t)wire) : NULL;
    if (!to)
        return WS_ERR_MEMORY;
    do {
        size_t part = n < most ? n : most;
        ws_frame frame;
        int r = ws__frame_make(conn, &frame, op | (part < n ? WS__UNFINISHED : 0), part);
        if (r)
            return r;
        to = ws__frame_lay(to, &frame, &from);
        n -= part;
        op = WS_OP_CONTINUATION;
    } while (n);
    ws__tx_laid(conn, to, 0);
    return 0;
}

static int ws__op_valid(int op)
{
    op &= ~WS_OP_PLAIN;
    return op == WS_OP_TEXT || op == WS_OP_BINARY;
}

/* The bytes of all pieces, (size_t)-1 if they cannot be sent. */
static size_t ws__pieces_size(const ws_str *value, int count)
{
    size_t n = 0;

    for (; count; count--, value++) {
        if ((!value->data && value->size) || value->size > (size_t)-1 / 4 - n)
            return (size_t)-1;
        n += value->size;
    }
    return n;
}

WS_API int ws_sendv(ws_conn *conn, int op, const ws_str *value, int count)
{
    size_t n, most = (size_t)-1 / 4;
    int r;

    ws__sane(conn);
    if (!conn || !ws__op_valid(op) || count < 0 || (!value && count))
        return WS_ERR_ARGUMENT;
    n = ws__pieces_size(value, count);
    if (n == (size_t)-1)
        return WS_ERR_ARGUMENT;
    if (conn->cfg->set.fragment != WS_NO_LIMIT)
        most = (size_t)conn->cfg->set.fragment;
    r = ws__begin(conn);
    if (!r)
        r = ws__admit(conn, ws__wire_size(conn, n, most));
    if (r)
        return r;
    ws__core_spoke(&conn->core, conn->now);
    if (ws__more_of(conn) && ws__encodes(conn, op, n)) {
        r = ws__coded_put(conn, op & 15, value, count, n, most);
        if (r != WS__PLAIN)
            return ws__sent(conn, r);
    }
    if (n > most)
        r = ws__send_cut(conn, op, value, n, most);
    else
        r = ws__frame_put(conn, op, value, count, n);
    return ws__sent(conn, r);
}

/* The short way for the commonest message: a small one of a server, into the cork,
   nothing before it. 0: it is not that. */
static int ws__send_short(ws_conn *conn, int op, const void *data, size_t n)
{
    ws__gather *gather = ws__cork_of(conn);
    size_t head;
    uint8_t *at;

    if (!gather || !data || !n || n >= WS__BORROW_MIN || n > conn->cfg->set.fragment)
        return 0;
    if ((op != WS_OP_TEXT && op != WS_OP_BINARY) || conn->tx ||
        conn->line & WS__NO_OUTPUT)
        return 0;
    if (!ws__core_may_short(&conn->core))
        return 0;
    if (ws__more_of(conn) && (ws__more_of(conn)->read || ws__encodes(conn, op, n)))
        return 0;
    if (gather->n == WS__PIECES || gather->cap - gather->len < n + 4 ||
        gather->total > conn->cfg->set.max_backlog / 2)
        return 0;
    WS_TRACE(conn, "frame out", 0x80 | op);
    at = gather->buf + gather->len;
    head = ws__core_lay_short(at, op, n);
    memcpy(at + head, data, n);
    gather->len += head + n;
    ws__gather_piece(gather, at, head + n);
    ws__core_spoke(&conn->core, conn->now);
    return 1;
}

WS_API int ws_send(ws_conn *conn, int op, const void *data, size_t n)
{
    ws_str value = ws__str((const char *)data, n);

    ws__sane(conn);
    return conn && ws__send_short(conn, op, data, n) ? 0 : ws_sendv(conn, op, &value, 1);
}

WS_API int ws_send_text(ws_conn *conn, const char *text)
{
    return text ? ws_send(conn, WS_OP_TEXT, text, strlen(text)) : WS_ERR_ARGUMENT;
}

WS_API int ws_send_part(ws_conn *conn, int op, const void *data, size_t n, int last)
{
    size_t grows;    /* in a block of the caller's: an encoder under way cannot go back */
    int r;

    ws__sane(conn);
    if (!conn || !ws__op_valid(op) || (!data && n) || n > (size_t)-1 / 4)
        return WS_ERR_ARGUMENT;
    if (!ws__can_send(conn))
        return WS_ERR_STATE;
    r = ws__has_source(conn) ? ws__busy(conn) : 0;
    if (r)
        return r;
    if (conn->core.sending && conn->core.sending != op)
        return WS_ERR_ARGUMENT;
    grows = conn->core.sending && ws__is_extended(conn) &&
            ws__more_of(conn)->part_coded ? n / 16 + WS__CODE_ROOM : 0;
    r = ws__admit(conn, n + ws__header_size(conn, n) + grows);
    return r ? r : ws__sent(conn, ws__part_put(conn, op, data, n, last));
}

WS_API void ws_want_writable(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
    ws__cork_out(conn);
    ws__tx_drain(conn);
    if (ws__has_source(conn))
        ws__more_of(conn)->read_asked = 1;
    conn->owes |= WS__DRAIN_ASKED;
    ws__wake(conn);
}

static int ws__control_send(ws_conn *conn, int op, const void *data, size_t n)
{
    int r, own = op == WS_OP_PING && !data;

    ws__sane(conn);
    if (!conn || n > WS__CONTROL_MAX || (!data && n))
        return WS_ERR_ARGUMENT;
    if (!ws__can_control(conn))
        return WS_ERR_STATE;
    if (own)
        n = 4;
    r = ws__admit(conn, n + ws__header_size(conn, n));
    if (r)
        return r;
    return ws__sent(conn, own ? ws__ping_put(conn) : ws__control_put(conn, op, data, n));
}

WS_API int ws_ping(ws_conn *conn, const void *data, size_t n)
{
    return ws__control_send(conn, WS_OP_PING, data, n);
}

WS_API int ws_pong(ws_conn *conn, const void *data, size_t n)
{
    return ws__control_send(conn, WS_OP_PONG, data, n);
}

static int ws__has_last_words(const ws_conn *conn)
{
    return conn->core.is & WS__CLOSE_SENT || conn->life & WS__ANSWERED;
}

/* Before it ends at once: what can be written now of a Close frame or an answer, and of
   what is queued before it, is. */
static void ws__last_words(ws_conn *conn)
{
#ifdef WS_NO_SOCKETS
    (void)conn;
#else
    if (!ws__has_last_words(conn) || !ws__unsent(conn))
        return;
    ws__cork_out(conn);
    ws__flush(conn);
#endif
}

/* The application ends it: no new tries. 1: that was all there was to end. */
static int ws__stop_trying(ws_conn *conn)
{
    int was_down = conn->owes & WS__DOWN;

    if (WS__IS_CLIENT(&conn->core))
        ws__client_of(conn)->reconnect = 0;
    conn->owes &= (uint8_t)~WS__DOWN;
    if (was_down)
        ws__wake(conn);
    return was_down;
}

WS_API int ws_close(ws_conn *conn, int code, const char *reason)
{
    size_t n;
    int r;

    ws__sane(conn);
    if (!conn || ws__core_close_judge(code, reason, &n))
        return WS_ERR_ARGUMENT;
    if (ws__stop_trying(conn))
        return 0;
#ifdef WS__ANSWERS
    if (ws__sends(&conn->core, WS__SENDS_BODY))
        return ws_http_end(conn);
#endif
    if (!ws__phase_has(&conn->core, WS__KEEPS) || conn->core.is & WS__CLOSE_SENT)
        return WS_ERR_STATE;
    if (conn->core.phase != WS__PHASE_FRAMES) {     /* not open yet: nothing to shake */
        ws_drop(conn);
        return 0;
    }
    if (ws__has_source(conn))
        conn->refused++;            /* the rest of its message */
    r = ws__close_put(conn, code, reason, n);
    if (r == WS_ERR_RANDOM || r == WS_ERR_MEMORY)
        ws__fail(conn, r);
    else
        ws__finish(conn);
    return r;
}

WS_API void ws_drop(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn || ws__stop_trying(conn))
        return;
    ws__last_words(conn);
    if (conn->core.phase == WS__PHASE_ENDED)
        return;
    ws__core_dropped(&conn->core);
    if (ws__is_driven(conn) || !ws__has_last_words(conn))
        ws__drop_output(conn);
    ws__end(conn, WS__PHASE_ENDED);
}

WS_API void ws_cork(ws_conn *conn)
{
    ws__sane(conn);
    if (ws_state(conn) != WS_STATE_OPEN)
        return;
    ws__cork_out(conn);
    conn->cork = NULL;
    conn->line |= WS__CORKED;
}

WS_API void ws_uncork(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
    conn->line &= (uint8_t)~WS__CORKED;
    ws__wake(conn);
}

WS_API void ws_pause(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
    conn->line |= WS__PAUSED;
    ws__wake(conn);
}

WS_API void ws_resume(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
    ws__call_begin(conn);
    conn->line &= (uint8_t)~WS__PAUSED;
    if (ws__is_driven(conn) && !conn->dial && !(conn->owes & WS__DOWN))
        conn->line |= WS__MORE;
    ws__heard(conn);
    ws__wake(conn);
}

/* The application has a request to answer. */
static inline int ws__may_answer(const ws_conn *conn)
{
    return ws__sends(&conn->core, WS__SENDS_ANSWER) && !(conn->life & WS__ANSWERED);
}

#ifndef WS_NO_SERVER

/* The answer is queued: behind it the connection ends, or waits for the next request. */
static void ws__answered(ws_conn *conn)
{
    conn->life |= WS__ANSWERED;
    if (!ws__stay(conn))
        ws__end(conn, WS__PHASE_ENDING);
}

static int ws__reply(ws_conn *conn, int status, const ws_header *headers,
                     const char *body, size_t n)
{
    int r;

    if (!ws__may_answer(conn))
        return WS_ERR_STATE;
    if (!ws__headers_own(headers, 1))
        return WS_ERR_ARGUMENT;
    r = ws__refuse(conn, status, headers, body, n, strcmp(ws_method(conn), "HEAD") != 0);
    if (r) {
        ws__fail(conn, r);
        return r;
    }
    ws__answered(conn);
    return 0;
}

WS_API int ws_reject(ws_conn *conn, int status, const ws_header *headers,
                     const char *text)
{
    size_t n = text ? strlen(text) : 0;
    int r;

    ws__sane(conn);
    if (!conn || status < 300 || status > 599)
        return WS_ERR_ARGUMENT;
    r = ws__reply(conn, status, headers, text, n);
    if (r)
        return r;
    ws__record(conn, WS_ERR_REJECTED, n ? text : NULL);
    return 0;
}

WS_API int ws_accept(ws_conn *conn, const ws_answer *answer)
{
    int r;

    ws__sane(conn);
    if (!conn || (answer && !ws__headers_own(answer->headers, 0)))
        return WS_ERR_ARGUMENT;
    if (!ws__may_answer(conn) || !(conn->life & WS__ASKED))
        return WS_ERR_STATE;
    r = ws__answer_101(conn, answer);
    if (r)
        return r;
    conn->life &= (uint8_t)~WS__ASKED;
    conn->owes |= WS__OPEN_OWED;
    ws__call_begin(conn);
    ws__opened(conn);
    ws__wake(conn);
    return 0;
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_SOCKETS

/* ==== >>socket (private) ============================================================ */

#ifdef _WIN32
WS__PRIVATE int ws__sock_error(void) { return WSAGetLastError(); }

static int ws__would_block(void)
{
    int e = WSAGetLastError();
    return e == WSAEWOULDBLOCK || e == WSAEINPROGRESS || e == WSAEINTR;
}

static void ws__sock_close(ws__sock sock)
{
    int kept = WSAGetLastError();   /* what the caller is about to tell */
    closesocket(sock);
    WSASetLastError(kept);
}

WS__PRIVATE int ws__sock_connect(ws__sock sock, const struct sockaddr *addr, size_t size)
{
    return connect(sock, addr, (int)size);
}

WS__PRIVATE int ws__sock_nonblock(ws__sock sock)
{
    u_long on = 1;
    SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT, 0);    /* as accept gave it */
    return ioctlsocket(sock, (long)FIONBIO, &on);
}

/* A socket that no child process inherits. */
static ws__sock ws__sock_open(int family, int type)
{
    ws__sock sock = WSASocketW(family, type, 0, NULL, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);

    if (sock == WS__NO_SOCK || !ws__sock_nonblock(sock))
        return sock;
    closesocket(sock);
    return WS__NO_SOCK;
}

static ptrdiff_t ws__sock_sendv(ws__sock sock, const ws__piece *pieces, int n)
{
    ptrdiff_t sum = 0;
    while (n > 0) {
        WSABUF buf[16];
        DWORD sent = 0;
        size_t all = 0;
        int i;
        for (i = 0; i < n && i < 16; i++) {
            buf[i].buf = (char *)pieces[i].iov_base;
            buf[i].len = (ULONG)pieces[i].iov_len;
            all += pieces[i].iov_len;
        }
        if (WSASend(sock, buf, (DWORD)i, &sent, 0, NULL, NULL))
            return sum ? sum : -1;
        sum += (ptrdiff_t)sent;
        if (sent < all)
            break;
        pieces += i;
        n -= i;
    }
    return sum;
}

static ptrdiff_t ws__sock_recvv(ws__sock sock, const ws__piece *pieces, int n)
{
    WSABUF buf[2];
    DWORD got = 0, flags = 0;
    int i;
    for (i = 0; i < n; i++) {
        buf[i].buf = (char *)pieces[i].iov_base;
        buf[i].len = (ULONG)pieces[i].iov_len;
    }
    return WSARecv(sock, buf, (DWORD)n, &got, &flags, NULL, NULL) ? -1 : (ptrdiff_t)got;
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

static void ws__sock_close(ws__sock sock)
{
    int kept = errno;   /* what the caller is about to tell */
    close(sock);
    errno = kept;
}

/* Every socket of ours comes through here. No SIGPIPE either, where a flag of send does
   not say so. */
WS__PRIVATE int ws__sock_nonblock(ws__sock sock)
{
    int flags = fcntl(sock, F_GETFL, 0);
#ifdef SO_NOSIGPIPE
    int on = 1;
    setsockopt(sock, SOL_SOCKET, SO_NOSIGPIPE, (const char *)&on, sizeof on);
#endif
    fcntl(sock, F_SETFD, FD_CLOEXEC);
    return flags < 0 ? -1 : fcntl(sock, F_SETFL, flags | O_NONBLOCK);
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
    if (s == WS__NO_SOCK || !ws__sock_nonblock(s))
        return s;
    ws__sock_close(s);
    return WS__NO_SOCK;
#endif
}

/* Interrupted by a signal it goes on by itself: ask again. */
WS__PRIVATE int ws__sock_connect(ws__sock sock, const struct sockaddr *addr, size_t size)
{
    int r;
    do r = connect(sock, addr, (socklen_t)size); while (r && errno == EINTR);
    return r && errno != EISCONN ? -1 : 0;
}

static ptrdiff_t ws__sock_sendv(ws__sock sock, const ws__piece *pieces, int n)
{
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = (struct iovec *)(uintptr_t)pieces;
    m.msg_iovlen = (size_t)n;
    return sendmsg(sock, &m, WS__NO_SIGNAL);
}

static ptrdiff_t ws__sock_recvv(ws__sock sock, const ws__piece *pieces, int n)
{
    return readv(sock, pieces, n);
}

static size_t ws__sock_size(size_t n) { return n; }

static long ws__process(void) { return (long)getpid(); }

static int ws__sock_startup(void) { return 0; }
#endif

/* With wants 0 it still tells of a hang-up. */
static struct pollfd ws__poll_entry(ws__sock fd, int wants)
{
    struct pollfd polled;

    memset(&polled, 0, sizeof polled);
    polled.fd = fd;
    if (wants & WS_WANT_READ)
        polled.events = POLLIN;
    if (wants & WS_WANT_WRITE)
        polled.events |= POLLOUT;
    return polled;
}

/* Waits until fd (WS__NO_SOCK: none) has one of wants, or ms milliseconds passed: 1, 0,
   or -1 if that failed, as after a signal. */
static int ws__sock_wait(ws__sock fd, int wants, int ms)
{
    struct pollfd polled = ws__poll_entry(fd, wants);
#ifdef _WIN32           /* which polls no list without sockets */
    if (fd == WS__NO_SOCK) {
        Sleep((DWORD)ms);
        return 0;
    }
    return WSAPoll(&polled, 1, ms);
#else
    return poll(&polled, 1, ms);
#endif
}

/* The one reader of sockets: how many bytes came, 0 at the end of the stream,
   WS_IO_WANT_READ or WS_IO_ERROR. flags: recv's. */
static ptrdiff_t ws__sock_read(ws__sock sock, void *buf, size_t n, int flags)
{
    ptrdiff_t got = recv(sock, (char *)buf, ws__sock_size(n), flags);

    if (got >= 0)
        return got;
    return ws__would_block() ? WS_IO_WANT_READ : WS_IO_ERROR;
}

/* Two ends that do not block: what is written to s[1] comes out of s[0]. */
#ifdef _WIN32
/* Two connected UDP sockets: a WSAPoll does not know pipes. Others could send to the
   first until it is connected: what came by then is dropped. */
static int ws__pair_open(ws__sock sock[2])
{
    struct sockaddr_in addr[2];
    socklen_t n = sizeof addr[0];
    int i, bad = 0, on = 1;
    char byte;

    memset(addr, 0, sizeof addr);
    sock[0] = sock[1] = WS__NO_SOCK;
    for (i = 0; i < 2 && !bad; i++) {
        addr[i].sin_family = AF_INET;
        addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sock[i] = ws__sock_open(AF_INET, SOCK_DGRAM);
        if (sock[i] != WS__NO_SOCK)
            setsockopt(sock[i], SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on,
                       sizeof on);
        bad = sock[i] == WS__NO_SOCK ||
            bind(sock[i], (struct sockaddr *)&addr[i], sizeof addr[i]) ||
              getsockname(sock[i], (struct sockaddr *)&addr[i], &n);
    }
    if (!bad && !connect(sock[0], (struct sockaddr *)&addr[1], sizeof addr[1]) &&
        !connect(sock[1], (struct sockaddr *)&addr[0], sizeof addr[0])) {
        while (recv(sock[0], &byte, 1, 0) >= 0 || WSAGetLastError() == WSAEMSGSIZE) {}
        return 0;
    }
    for (i = 0; i < 2; i++)
        if (sock[i] != WS__NO_SOCK)
            ws__sock_close(sock[i]);
    return -1;
}
#else
static int ws__pair_open(ws__sock sock[2])
{
#ifdef WS__LINUX_CALLS
    return pipe2(sock, O_CLOEXEC | O_NONBLOCK);
#else
    if (pipe(sock))
        return -1;
    if (!ws__sock_nonblock(sock[0]) && !ws__sock_nonblock(sock[1]))
        return 0;
    ws__sock_close(sock[0]);
    ws__sock_close(sock[1]);
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

static void ws__sock_options(ws__sock sock)
{
    int on = 1;
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
}

/* Closes so that the peer gets our last words: unread input would turn them into a
   reset. */
static void ws__sock_end(ws__sock sock)
{
    char waste[256];
    int i;

    shutdown(sock, 1);
    for (i = 0; i < 256 && ws__sock_read(sock, waste, sizeof waste, 0) > 0; i++) {}
    ws__sock_close(sock);
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
    if (code == EAI_MEMORY)
        return WS_ERR_MEMORY;
    if (ws__out_of(ws__sock_error()))
        return WS_ERR_SYSTEM;
#ifdef EAI_SYSTEM
    if (code == EAI_SYSTEM)
        return WS_ERR_SYSTEM;
#endif
    return code == EAI_AGAIN || code == EAI_FAIL ? WS_ERR_RESOLVER : WS_ERR_LOOKUP;
}

/* Parses "host:port" into host (without brackets) and port text. 0 or WS_ERR_ARGUMENT. */
WS__PRIVATE int ws__split_address(const char *address, char *host, size_t room,
                                  const char **port)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    size_t n;

    if (!colon || !colon[1])
        return WS_ERR_ARGUMENT;
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
static int ws__unix_address(struct sockaddr_un *addr, size_t *size, ws_str path)
{
    memset(addr, 0, sizeof *addr);
    addr->sun_family = AF_UNIX;
    *size = sizeof *addr;
    if (!path.size || path.size >= sizeof addr->sun_path)
        return WS_ERR_ARGUMENT;
    memcpy(addr->sun_path, path.data, path.size);
    if (*addr->sun_path != '@')
        return 0;
#ifdef __linux__
    *addr->sun_path = 0;
    *size = offsetof(struct sockaddr_un, sun_path) + path.size;
    return path.size > 1 ? 0 : WS_ERR_ARGUMENT;
#else
    return WS_ERR_ARGUMENT;
#endif
}
#endif

/* "1.2.3.4:80" or "[::1]:80"; an IPv4 address in IPv6 as the former. */
static void ws__put_address(ws__text *text, const struct sockaddr *addr, size_t size)
{
    char host[64], port[8];
    struct sockaddr_in v4;

    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;
        const uint8_t *ip = (const uint8_t *)&v6->sin6_addr;
        memset(&v4, 0, sizeof v4);
        v4.sin_family = AF_INET;
        v4.sin_port = v6->sin6_port;
        memcpy(&v4.sin_addr, ip + 12, 4);
        if (!memcmp(ip, ws__mapped, 12)) {
            addr = (const struct sockaddr *)(const void *)&v4;
            size = sizeof v4;
        }
    }
    if (getnameinfo(addr, (socklen_t)size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    ws__puts(text, addr->sa_family == AF_INET6 ? "[" : "");
    ws__puts(text, host);
    ws__puts(text, addr->sa_family == AF_INET6 ? "]:" : ":");
    ws__puts(text, port);
}


/* The poller forgets the socket. Before it is closed: as long as a child process has a
   copy of it, it would go on to tell of it. */
static void ws__unwatch(ws_conn *conn)
{
    if (conn->loop && conn->wants != WS__UNWATCHED)
        ws__poller_drop(conn->loop, conn->fd);
    conn->wants = WS__UNWATCHED;
}

/* Bytes in the system's buffer that the peer has not acknowledged, where the system
   tells. */
static size_t ws__sock_untaken(const ws_conn *conn)
{
    int n = 0;

    if (conn->fd == WS__NO_SOCK || conn->dial)
        return 0;
#if defined(TIOCOUTQ) && defined(__linux__)
    if (ioctl(conn->fd, TIOCOUTQ, &n))
        n = 0;
#elif defined(SO_NWRITE)
    {
        socklen_t size = sizeof n;
        if (getsockopt(conn->fd, SOL_SOCKET, SO_NWRITE, &n, &size))
            n = 0;
    }
#elif defined(FIONWRITE)
    if (ioctl(conn->fd, FIONWRITE, &n))
        n = 0;
#endif
    return n > 0 ? (size_t)n : 0;
}

/* ---- bytes in and out of a connection ---- */

/* What reading conn's socket gave. One that cannot be written any more has no more to
   come than is here. */
static ptrdiff_t ws__was_read(const ws_conn *conn, ptrdiff_t got)
{
    if (got == WS_IO_WANT_READ && conn->line & WS__BROKEN)
        return WS_IO_ERROR;
    return got;
}

/* The socket as a ws_io. */
static ptrdiff_t ws__socket_read(void *user, void *buf, size_t n)
{
    const ws_conn *conn = (const ws_conn *)user;

    return ws__was_read(conn, ws__sock_read(conn->fd, buf, n, 0));
}

static ptrdiff_t ws__socket_write(void *user, const void *buf, size_t n)
{
    const ws_conn *conn = (const ws_conn *)user;
    ptrdiff_t got = send(conn->fd, (const char *)buf, ws__sock_size(n), WS__NO_SIGNAL);

    if (got < 0)
        return ws__would_block() ? WS_IO_WANT_WRITE : WS_IO_ERROR;
    return got;
}

/* Reads up to n bytes: more than 0, 0 at the end, or WS_IO_. */
static ptrdiff_t ws__read(ws_conn *conn, void *buf, size_t n)
{
    const ws_io *io = ws__io(conn);
    ptrdiff_t got;

    conn->line &= (uint8_t)~(WS__READ_WANTS_WRITE | WS__MORE);
    if (!io)
        return ws__socket_read(conn, buf, n);
    got = (io->read)(io->user, buf, n);
    if (got < 0 && conn->line & WS__BROKEN)
        got = WS_IO_ERROR;
    if (got == WS_IO_WANT_WRITE)
        conn->line |= WS__READ_WANTS_WRITE;
    /* pending may say WANT_READ: it only takes a break */
    if (got > 0 || got == WS_IO_WANT_READ)
        if (io->pending ? (io->pending)(io->user) : got > 0)
            conn->line |= WS__MORE;
    return got;
}

static ptrdiff_t ws__readv(ws_conn *conn, const ws__piece *pieces, int n)
{
    ptrdiff_t got = ws__sock_recvv(conn->fd, pieces, n);

    conn->line &= (uint8_t)~WS__MORE;
    if (got < 0)
        got = ws__would_block() ? WS_IO_WANT_READ : WS_IO_ERROR;
    return ws__was_read(conn, got);
}

static ptrdiff_t ws__write(ws_conn *conn, const void *buf, size_t n)
{
    const ws_io *io = ws__io(conn);
    ptrdiff_t got;

    conn->line &= (uint8_t)~WS__WRITE_WANTS_READ;
    if (!io)
        return ws__socket_write(conn, buf, n);
    got = (io->write)(io->user, buf, n < WS__IO_MAX ? n : WS__IO_MAX);
    if (got == WS_IO_WANT_READ)
        conn->line |= WS__WRITE_WANTS_READ;
    return got ? got : (ptrdiff_t)WS_IO_WANT_WRITE;
}

/* Writes pieces in order: the bytes that went, or WS_IO_ if none did. */
static ptrdiff_t ws__writev(ws_conn *conn, const ws__piece *pieces, int n)
{
    ptrdiff_t got = 0, sum = 0;
    int i;

    if (!ws__io(conn)) {
        if (n == 1)
            return ws__socket_write(conn, pieces->iov_base, pieces->iov_len);
        got = ws__sock_sendv(conn->fd, pieces, n);    /* costs more than send */
        if (got < 0)
            return ws__would_block() ? WS_IO_WANT_WRITE : WS_IO_ERROR;
        return got;
    }
    for (i = 0; i < n; i++) {
        size_t done = 0;
        while (done < pieces[i].iov_len) {
            got = ws__write(conn, (const char *)pieces[i].iov_base + done,
                            pieces[i].iov_len - done);
            if (got <= 0)
                return sum ? sum : got;
            done += (size_t)got;
            sum += got;
        }
    }
    return sum;
}

/* ---- TLS around a socket ---- */

/* Must a connection that is accepted speak TLS? */
WS__PRIVATE int ws__serves_tls(const ws_config *set) { return set->wrap || set->tls; }

static ws_tls *ws__loop_tls(ws_loop *loop);

/* Is there TLS for its connections? Returns 0, or the error with *why. */
static int ws__tls_ready(ws_conn *conn, const char **why)
{
    ws_config *set = &conn->cfg->set;

    *why = NULL;
    if (set->wrap)
        return 0;
    if (!set->tls)
        set->tls = conn->loop ? ws__loop_tls(conn->loop) : ws_tls_new(NULL);
    if (set->tls->error == WS_ERR_TLS)
        *why = set->tls->text;
    return set->tls->error;
}

/* Puts TLS around the layer below, as configured. Returns 0, or the error with *why. */
static int ws__layer_wrap(ws_conn *conn, ws_io *io, const char *host, const char **why)
{
    const ws_config *set = &conn->cfg->set;
    int r = ws__tls_ready(conn, why);

    if (r)
        return r;
    if (set->wrap)
        return (set->wrap)(set->wrap_user, conn, io, host) ? WS_ERR_TLS : 0;
    r = ws_tls_wrap(set->tls, io, host);
    if (r == WS_ERR_TLS)
        *why = set->tls->text;
    return r;
}

/* Puts TLS around what conn's bytes go through. host: the server's or the proxy's; NULL:
   we are the server. Returns 0, or fails the connection. */
static int ws__wrap(ws_conn *conn, const char *host)
{
    const char *why = NULL;
    ws__layer *top = NULL;
    int r = WS_ERR_MEMORY;

    if (ws__more_make(conn))
        top = (ws__layer *)ws__alloc(conn->cfg, sizeof *top);
    if (top) {
        memset(top, 0, sizeof *top);
        top->below = ws__more_of(conn)->layer;
        if (top->below) {
            top->io = top->below->io;
            top->io.close = NULL;       /* ws__unwrap calls it */
        } else {
            top->io.read = ws__socket_read;
            top->io.write = ws__socket_write;
            top->io.user = conn;
        }
        r = ws__layer_wrap(conn, &top->io, host, &why);
        if (!r)
            ws__more_of(conn)->layer = top;
        else
            ws__free(conn->cfg, top, sizeof *top);
    }
    if (r)
        ws__fail_with(conn, r, why);
    return r;
}

/* Takes all TLS off again: each layer says goodbye through the one below. */
static void ws__unwrap(ws_conn *conn)
{
    while (ws__is_wrapped(conn)) {
        ws__layer *top = ws__more_of(conn)->layer;
        if (top->io.close)
            (top->io.close)(top->io.user);
        ws__more_of(conn)->layer = top->below;
        ws__free(conn->cfg, top, sizeof *top);
    }
}

/* Ends the connection's use of its socket. */
static void ws__hang_up(ws_conn *conn)
{
    ws__unwrap(conn);
    ws__unwatch(conn);
    if (conn->fd != WS__NO_SOCK)
        ws__sock_end(conn->fd);
    conn->fd = WS__NO_SOCK;
}

/* ==== >>drive (private) ============================================================= */

#ifndef WS_NO_CLIENT

#else

#endif /* WS_NO_CLIENT */

static int ws__connected(const ws_conn *conn)
{
    return !conn->dial && (conn->fd != WS__NO_SOCK || conn->cfg->set.io.read);
}

/* The peer will get nothing more. What it had sent before may lie in the socket unread:
   the connection ends when that is used up. */
static void ws__write_failed(ws_conn *conn)
{
    /* it is closing: nothing that came matters */
    if (conn->core.phase == WS__PHASE_ENDING) {
        ws__fail(conn, WS_ERR_IO);
        return;
    }
    ws__drop_output(conn);
    conn->line |= WS__BROKEN;
    if (conn->cfg->set.io.read)
        conn->line |= WS__INPUT_END;    /* a blocking one would wait */
}

static ws__piece *ws__loop_pieces(ws_loop *loop, int *most);

/* The transport did not take all that it was offered: a ws_io wants the same again. */
static void ws__tx_offered(ws_conn *conn)
{
    if (ws__io(conn) && conn->core.phase != WS__PHASE_HEAD)
        ws__tx_tried(conn);
}

/* Writes what waits until the transport takes no more, or others should have their
   turn. */
static void ws__flush(ws_conn *conn)
{
    ws__piece few[16], *pieces = few;
    size_t n;
    const void *p;
    int turns = 64, most = 16;

    if (conn->loop)
        pieces = ws__loop_pieces(conn->loop, &most);
    while (turns-- && ws__connected(conn) && !(conn->line & WS__CORKED) &&
           (p = ws__output(conn, &n), n)) {
        ptrdiff_t got;
        if (ws__tx_is_plain(conn))
            got = ws__write(conn, p, n);
        else
            got = ws__writev(conn, pieces, ws__tx_front(conn, pieces, most));
        if (got > 0) {
            ws__wrote(conn, (size_t)got);
            continue;
        }
        if (got == WS_IO_ERROR)
            ws__write_failed(conn);
        else
            ws__tx_offered(conn);
        return;
    }
    if (turns < 0)
        ws__tx_offered(conn);   /* the last of many pieces met a WANT */
}

static void ws__input_end(ws_conn *conn, ptrdiff_t got)
{
    if (got == 0)
        conn->line = (uint8_t)((conn->line & ~WS__BROKEN) | WS__INPUT_END);
    if (got == WS_IO_ERROR)
        conn->line |= WS__INPUT_END | WS__BROKEN;
    if (got == 0 || got == WS_IO_ERROR)
        conn->life |= WS__FRESH;
}

/* 1 if the next bytes are payload of a message that is put together. */
static int ws__reads_payload(const ws_conn *conn)
{
    const ws__rx *rx = conn->rx;

    return rx && rx->reader.in_frame && !rx->parts && !rx->reader.coded &&
        rx->pos == rx->len;
}

static int ws__has_parked(const ws_conn *conn)
{
    return ws__is_blocking(conn) && ws__client_of(conn)->parked;
}

/* Room to read input into: *n bytes. The payload of a large frame goes straight to its
   place; other bytes wait behind it. NULL: nothing should be read now. */
static uint8_t *ws__read_room(ws_conn *conn, size_t *n)
{
    ws__rx *rx = conn->rx;
    uint8_t *at;

    if (!ws__connected(conn) || !ws__phase_has(&conn->core, WS__PARSES) ||
        ws__held_back(conn) ||
        conn->line & WS__INPUT_END || !ws_feed_room(conn))
        return NULL;
    if (ws__reads_payload(conn) && rx->reader.left >= *n && !rx->behind &&
        !ws__has_parked(conn) &&
        !ws__is_fixed(conn) && !(conn->owes & (WS__MESSAGE_HELD | WS__HEAD_HELD))) {
        rx->pos = rx->len = rx->msg;
        if (rx->cap - rx->msg < *n && ws__rx_message_room(conn, *n))
            return NULL;
        rx = conn->rx;
        *n = rx->cap - rx->msg;
        if (*n > rx->reader.left)
            *n = (size_t)rx->reader.left;
        return WS__DATA(rx) + rx->msg;
    }
    if (*n > ws_feed_room(conn))
        *n = ws_feed_room(conn);
    at = ws__rx_room(conn, *n);
    if (!at)
        ws__fail(conn, WS_ERR_MEMORY);
    return at;
}

/* A look at the frames that wait in conn->rx, which leaves them there. */
typedef struct ws__walk {
    const uint8_t *p, *end;     /* behind the frame that was seen last */
    ws__reader reader;
    ws_frame f;
    /* bytes of the frame that is not whole, as far as known */
    uint64_t missing;
    int parts;                  /* its message is handed on in parts */
} ws__walk;

static void ws__walk_begin(ws__walk *walk, const ws_conn *conn)
{
    const ws__rx *rx = conn->rx;

    memset(walk, 0, sizeof *walk);
    if (!rx)
        return;
    walk->reader = rx->reader;
    walk->parts = rx->parts || rx->reader.coded;
    walk->p = WS__DATA(rx) + rx->pos;
    walk->end = WS__DATA(rx) + rx->len;
}

/* Is the rest of the frame here that the parser is in? Then it is stepped over. */
static int ws__walk_rest(ws__walk *walk, const ws_conn *conn)
{
    size_t have = (size_t)(walk->end - walk->p);
    uint64_t left;

    if (!walk->reader.in_frame)
        return 1;
    left = ws__frame_left(conn->rx);
    if (left > have) {
        walk->missing = left - have;
        return 0;
    }
    walk->p += left;
    ws__core_skip(&walk->reader, walk->parts);
    return 1;
}

/* The next frame that is whole: 1; 0: none, and how many bytes are missing; or the fault
   that the parser will find. Of coded messages max_fragments is left to the parser: it
   depends on what they decode to. */
static int ws__walk_next(ws__walk *walk, const ws_conn *conn)
{
    size_t have;
    int head;

    if (!ws__walk_rest(walk, conn))
        return 0;
    have = (size_t)(walk->end - walk->p);
    head = ws__core_see(&conn->core, &conn->cfg->set, &walk->reader,
                        ws__ext_rsv(conn), walk->p, have, &walk->f);
    if (head < 0)
        return head;
    if (!head) {
        walk->missing = ws__header_missing(walk->p, have);
        return 0;
    }
    if (walk->f.size > have - (size_t)head) {
        walk->missing = walk->f.size - (have - (size_t)head);
        return 0;
    }
    if (walk->f.op < 8) {
        walk->parts = (walk->reader.op && walk->parts) || walk->f.rsv ||
                   ws__in_parts(&conn->cfg->set, &walk->reader, &walk->f);
        ws__core_begin(&walk->reader, &walk->f);
        ws__core_skip(&walk->reader, walk->parts);
    }
    walk->p += (size_t)head + (size_t)walk->f.size;
    return 1;
}

/* The bytes that must come before anything new can happen: at least 1. */
static size_t ws__need(const ws_conn *conn)
{
    ws__walk walk;
    int r = 1;

    if (conn->core.phase != WS__PHASE_FRAMES)
        return 1;
    ws__walk_begin(&walk, conn);
    while (r > 0) {
        r = ws__walk_next(&walk, conn);
    }
    if (r < 0)
        return 1;
    WS_ASSERT(walk.missing);
    return walk.missing < 65536 ? (size_t)walk.missing : 65536;
}

static int ws__wants_input(const ws_conn *conn);

/* One read, of n bytes, of what nobody wants to know; its end counts. */
static int ws__receive_waste(ws_conn *conn, void *waste, size_t n)
{
    ptrdiff_t got = ws__read(conn, waste, n);

    if (got > 0)
        ws__wasted(conn, (size_t)got);
    else
        ws__input_end(conn, got);
    return got == (ptrdiff_t)n;
}

/* One read into conn->rx. Returns 1 when more may follow at once. */
static int ws__receive(ws_conn *conn)
{
    size_t n = 16384;
    int exact = ws__is_blocking(conn) && conn->cfg->set.io.read;
    uint8_t *at, few[256];
    ptrdiff_t got;

    if (!ws__phase_has(&conn->core, WS__KEEPS) && ws__wants_input(conn)) {
        at = ws__is_fixed(conn) ? NULL : ws__rx_room(conn, n);
        if (at)
            return ws__receive_waste(conn, at, n);
        return ws__receive_waste(conn, few, sizeof few);
    }
    if (exact && !ws__is_http(conn))
        n = ws__need(conn);
    at = ws__read_room(conn, &n);
    if (!at)
        return 0;
    got = ws__read(conn, at, n);
    if (got > 0 && (size_t)got <= n) {
        conn->rx->len += (size_t)got;
        ws__heard(conn);
        return !exact && (size_t)got == n;
    }
    ws__input_end(conn, got > 0 ? (ptrdiff_t)WS_IO_ERROR : got);
    return 0;
}

static void ws__start_clock(ws_conn *conn)
{
    conn->now = (uint32_t)ws__clock();
    ws__core_begins(&conn->core, conn->now);
    ws__core_wait(&conn->core, conn->now, conn->cfg->set.handshake_timeout);
    conn->role |= WS__IS_DRIVEN;
    conn->life |= WS__TICKED;
}

#ifndef WS_NO_CLIENT
/* Makes a client and starts connecting. */
static ws_conn *ws__open(const char *url, const ws_config *cfg, int role)
{
    ws_conn *conn = ws__client_new(url, cfg, cfg, 1, !cfg || !cfg->io.read);

    if (!conn)
        return NULL;
    conn->role |= (uint8_t)role;
    ws__start_clock(conn);
    if (!conn->core.error && !conn->cfg->set.io.read)
        ws__dial_start(conn);
    return conn;
}

WS_API ws_conn *ws_open(const char *url, const ws_config *cfg)
{
    return ws__open(url, cfg, 0);
}
#endif

WS_API ws_socket ws_fd(const ws_conn *conn)
{
    ws__sane(conn);
    return (ws_socket)(conn ? conn->fd : WS__NO_SOCK);
}

/* 1 if ws_output has something that may be written now. */
static int ws__has_output(const ws_conn *conn)
{
    if (conn->line & WS__CORKED)
        return 0;
    if (ws__source_ready(conn))
        return 1;
    if (conn->core.phase == WS__PHASE_HEAD)
        return ws__tx_begun(conn) > 0;
    return ws__pending(conn) > 0;
}

static int ws__wants_input(const ws_conn *conn)
{
    if (conn->core.phase == WS__PHASE_BODY)
        return !(conn->line & WS__INPUT_END) && !ws__has_file(conn);
    if (conn->core.phase == WS__PHASE_ENDING)
        return ws__awaits_end(conn);
    return ws__phase_has(&conn->core, WS__PARSES) && !ws__held_back(conn) &&
           !(conn->line & WS__INPUT_END) && ws_feed_room(conn);
}

WS_API int ws_wants(const ws_conn *conn)
{
    int wants = 0;

    ws__sane(conn);
    if (!conn || conn->core.phase == WS__PHASE_ENDED)
        return 0;
    if (conn->dial)
        return ws__dial_wants(conn);
    if (ws__wants_input(conn))
        wants = conn->line & WS__READ_WANTS_WRITE ? WS_WANT_WRITE : WS_WANT_READ;
    if (ws__has_output(conn))
        wants |= conn->line & WS__WRITE_WANTS_READ ? WS_WANT_READ : WS_WANT_WRITE;
    return wants;
}

WS_API void ws_step(ws_conn *conn)
{
    int i;

    ws__sane(conn);
    if (!conn || conn->loop)
        return;
    ws__unshow(conn);
    ws__tell_time(conn, ws__clock());
    if (conn->dial)
        ws__dial_step(conn);
    ws__flush(conn);
    for (i = 0; i < 16 && ws__receive(conn); i++) {}
    if (i == 16)
        conn->line |= WS__MORE;
    /* what writing waited for may have been read just now */
    if (ws__judge_dry(conn) || conn->line & WS__WRITE_WANTS_READ)
        ws__flush(conn);
}

#endif /* WS_NO_SOCKETS */

/* ---- with or without sockets ---- */

WS_API int ws_timeout(const ws_conn *conn)
{
    uint32_t now;
    int32_t due;

    ws__sane(conn);
    if (!conn || conn->owes & WS__CLOSE_TOLD)
        return -1;
    now = conn->now;
#ifndef WS_NO_SOCKETS
    if (ws__is_driven(conn))
        now = (uint32_t)ws__clock();
    if (conn->line & (WS__MORE | WS__BROKEN) && (ws_wants(conn) & WS_WANT_READ))
        return 0;
#endif
    if (ws_finished(conn) || ws__writable_due(conn))
        return 0;
    due = (int32_t)(ws__due(conn, now) - now);
    if (due > (int32_t)WS__LONGEST)
        return -1;
    return due < 0 ? 0 : (int)ws__smaller((uint32_t)due, INT_MAX);
}

/* The application's transport is told once that the connection is done with it. */
static void ws__io_close(ws_conn *conn)
{
    const ws_io *io = &conn->cfg->set.io;

    if (conn->life & WS__IO_CLOSED || !io->close)
        return;
    conn->life |= WS__IO_CLOSED;
    (io->close)(io->user);
}

static void ws__free_now(ws_conn *conn)
{
    ws__cfg *cfg = conn->cfg;

#ifndef WS_NO_SOCKETS
    ws__last_words(conn);
    ws__dial_free(conn);
    if (!cfg->set.io.read)
        ws__hang_up(conn);
#endif
    ws__io_close(conn);
    ws__ext_free(conn);
    if (ws__is_fixed(conn))
        return;
    ws__rx_free(conn);
    ws__tx_clear(conn);
    ws__more_free(conn);
    ws__string_free(conn, conn->target);
    if (WS__IS_CLIENT(&conn->core)) {
        ws__string_free(conn, ws__client_of(conn)->moved);
        ws__string_free(conn, ws__client_of(conn)->next_line);
    }
    ws__free(cfg, conn->note, WS__NOTE_SIZE);
    ws__free(cfg, conn, sizeof *conn);
    ws__cfg_release(cfg);
}

#ifndef WS_NO_SOCKETS

/* ==== >>loop ======================================================================== */

/* What ws__poller_wait found: key as given to ws__poller_set. What the system tells it is
   first written to loop->buf, which is free between turns. */
typedef struct ws__ready {
    uintptr_t key;      /* a ws_conn *, or WS__KEY_ */
    int wants;          /* WS_WANT_ bits that hold, or WS__HANGUP */
} ws__ready;

#define WS__KEY_POST ((uintptr_t)0)
#define WS__KEY_LISTENER(i) ((uintptr_t)(i) * 2 + 1)
#define WS__KEY_WATCHED(i) ((uintptr_t)(i) * 4 + 2)
#define WS__HANGUP 4
#define WS__INTERRUPTED 1       /* ws__poller_wait: by a signal */
#define WS__POSTS 64
#define WS__LINGER_MAX 256      /* past so many, peers over a limit are closed at once */
#define WS__READY_MAX 256
#define WS__WASTE_SIZE 65536    /* read at once of what nobody wants to know */
#define WS__READ_EARLY 16384    /* what a stranger may make us hold, before OPEN */
#define WS__LOOP_BUFFER_MIN 4096
#define WS__LOOP_BUFFER_MAX (1u << 30)
#define WS__LOOK 10             /* ms between looks, in a loop that has no descriptor */
#define WS__READ_FRONT 256     /* in front of the read buffer, for the start of a frame */

typedef struct ws__listener {
    ws__sock fd;                /* WS__NO_SOCK: the place is free */
    ws__cfg *cfg;
    uint16_t port;
    uint8_t wants;
    char *path;                 /* of a unix socket that we made a file for, NULL: none */
    uint64_t device, inode;     /* of that file */
    int twin;           /* where IPv6 does not take IPv4: the listener that does, or -1 */
} ws__listener;

/* A descriptor of the application. */
typedef struct ws__watched {
    ws__sock fd;                /* WS__NO_SOCK: the place is free */
    void *user;
    uint64_t device, inode;     /* what fd was of, where the system tells */
    uint8_t wants;
    uint8_t always;             /* the poller does not take it: it is ready */
} ws__watched;

/* Set by any thread or signal handler. ws__flag_set returns what it was. */
#if defined(_WIN32)
typedef volatile LONG ws__flag;
static int ws__flag_set(ws__flag *f,
                        int value) { return (int)InterlockedExchange(f, value); }
#elif defined(__GNUC__) && !defined(__TINYC__)
typedef volatile int ws__flag;
static int ws__flag_set(ws__flag *f, int value)
{
    return __atomic_exchange_n(f, value, __ATOMIC_SEQ_CST);
}
#else
typedef volatile int ws__flag;
static int ws__flag_set(ws__flag *f, int value)
{
    int was = *f;
    *f = value;
    return was;
}
#endif

struct ws_loop {
    ws__cfg *cfg;               /* allocator and cache */
    ws__cache cache;
    uint64_t now;               /* ms, when it looked last */
    uint64_t accept_at;         /* when to accept again after descriptors ran out, 0 */
    int poller;
    /* ws_post writes pointers here, the loop reads them there */
    ws__sock post_in, post_out;
#ifdef _WIN32
    volatile LONG post_count;
    uint8_t post_key[8];        /* what others on this machine cannot know */
#endif
    ws__flag woken;             /* WS_EV_WAKE is owed; set by any thread */
    int post_at, post_end;   /* posts[post_at..post_end) were read and are not told yet */
    void *posts[WS__POSTS];
    uint8_t parcel_next;        /* the next post is a parcel */
    uint64_t ids;               /* that were given */
    ws_conn **heap;             /* every connection, [1] due first */
    uint32_t heap_count, heap_size;
    ws_conn *queue, **queue_end;    /* to be visited before sleeping */
    ws_conn *current;           /* its events are being pulled */
    ws__span span;              /* its input that is still in the read buffer */
    uint32_t turn;              /* events of it in this turn */
    int rested;             /* 1: a turn was cut short: look for others before going on,
                               but not twice (2) without a turn of the queue in between */
    uint32_t asked;             /* ws_poll_until calls */
    uint8_t looked;           /* the poller was asked since ws_poll(..., 0) gave 0 last */
    uint32_t gives;             /* messages that go to many: now is when that began */
    uint32_t seed;              /* of the hash of group names */
    uint8_t *buf;               /* WS__READ_FRONT + half + 1 bytes */
    uint32_t half;              /* of cfg.loop_buffer; as much is the cork's */
    uint8_t kept;        /* stood at cork.hi, where a NUL is behind what an event shows */
    ws__gather cork;
    ws__listener *listeners;
    uint32_t listener_count;
    ws__watched *watched;
    uint32_t watched_count, watched_size;
    uint32_t always_at;     /* of those that are always ready, who is told next */
    uint32_t found;             /* number of the one that is to be told, 0: none */
    int found_wants;
    uint32_t gone;         /* of the heap: freed, or CLOSE was told, the socket lingers */
    struct ws__group **groups;  /* hash table */
    uint32_t group_count, group_slots;
    uint64_t stop_at;           /* when ws_shutdown ends what is left, else UINT64_MAX */
    uint8_t stopping;           /* 1 after ws_shutdown, 2 past its deadline */
    uint8_t foreign;         /* we are a forked child: the connections are the parent's */
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

static int ws__loop_error(ws_loop *loop, int error, const char *what, const char *why)
{
    ws__text text;

    text = ws__text_in(loop->error, sizeof loop->error);
    ws__puts(&text, ws__error_text(-error));
    ws__put_why(&text, what);
    ws__put_why(&text, why);
    return error;
}

/* ---- heap of deadlines ---- */

static int ws__heap_before(const ws_loop *loop, const ws_conn *a, const ws_conn *b)
{
    uint32_t now = (uint32_t)loop->now;
    return (int32_t)(a->due - now) < (int32_t)(b->due - now);
}

static void ws__heap_put(ws_loop *loop, uint32_t slot, ws_conn *conn)
{
    loop->heap[slot] = conn;
    conn->slot = slot;
}

/* Moves conn to its place. All others are at theirs. */
static void ws__heap_sift(ws_loop *loop, ws_conn *conn)
{
    uint32_t at = conn->slot, child;

    for (; at > 1 && ws__heap_before(loop, conn, loop->heap[at / 2]); at /= 2)
        ws__heap_put(loop, at, loop->heap[at / 2]);
    for (; (child = 2 * at) <= loop->heap_count; at = child) {
        if (child < loop->heap_count &&
            ws__heap_before(loop, loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!ws__heap_before(loop, loop->heap[child], conn))
            break;
        ws__heap_put(loop, at, loop->heap[child]);
    }
    ws__heap_put(loop, at, conn);
}

static inline void ws__heap_sooner(ws_loop *loop, ws_conn *conn, uint32_t due)
{
    if (!conn->slot || (int32_t)(due - conn->due) >= 0)
        return;
    conn->due = due;
    ws__heap_sift(loop, conn);
}

/* Gives conn a place in the heap at due, or sooner: while only keepalive runs nothing is
   ever due before it then, not when a message goes or comes, nor when a pong ends the
   wait. */
static uint32_t ws__heap_place(ws_conn *conn, uint32_t due, uint32_t now)
{
    conn->place &= (uint8_t)~WS__PLACED;
    if (ws__core_time(&conn->core) != WS__TIME_KEEPALIVE)
        return due;
    conn->place |= WS__PLACED;
    return ws__sooner(now, due, ws__after(now, now, conn->cfg->set.ping_interval));
}

/* After a turn of conn: moves it up if it is due sooner than its place says. One that is
   due later stays there until ws__loop_timers comes across it. */
static void ws__heap_fix(ws_loop *loop, ws_conn *conn)
{
    uint32_t now = (uint32_t)loop->now;
    int keeps = ws__core_time(&conn->core) == WS__TIME_KEEPALIVE;

    if (keeps && (conn->place & (WS__PLACED | WS__OVERDUE)) == WS__PLACED)
        return;
    conn->place &= (uint8_t)~WS__OVERDUE;
    ws__heap_sooner(loop, conn, ws__heap_place(conn, ws__due(conn, now), now));
}

/* Puts conn last: its first turn moves it to its place. So ws_each sees the others stand
   still. */
static int ws__heap_add(ws_loop *loop, ws_conn *conn)
{
    if (loop->stopping)
        return WS_ERR_STATE;
    if (loop->heap_count + 1 >= loop->heap_size) {
        uint32_t size = loop->heap_size ? loop->heap_size + loop->heap_size / 2 : 64;
        ws_conn **bigger = (ws_conn **)ws__alloc(loop->cfg, size * sizeof *bigger);
        if (!bigger)
            return WS_ERR_MEMORY;
        if (loop->heap)
            memcpy(bigger, loop->heap, (loop->heap_count + 1) * sizeof *bigger);
        ws__free(loop->cfg, loop->heap, loop->heap_size * sizeof *bigger);
        loop->heap = bigger;
        loop->heap_size = size;
    }
    conn->due = (uint32_t)loop->now + WS__FAR;
    ws__heap_put(loop, ++loop->heap_count, conn);
    return 0;
}

static void ws__heap_remove(ws_loop *loop, ws_conn *conn)
{
    ws_conn *last;
    uint32_t slot = conn->slot;

    if (!slot)
        return;
    last = loop->heap[loop->heap_count--];
    conn->slot = 0;
    if (last == conn)
        return;
    ws__heap_put(loop, slot, last);
    ws__heap_sift(loop, last);
}

/* Takes out one that was dropped. */
static void ws__heap_reap(ws_loop *loop, ws_conn *conn)
{
    if (conn->slot)
        loop->gone--;
    ws__heap_remove(loop, conn);
}

/* ---- one connection's turn ----

   ws__loop_take names a connection that is ready, or queued because there is something to
   do without the poller. ws__loop_visit begins its turn: it flushes what waits and reads
   once, into the loop's buffer (loop->span). Then each ws_poll pulls one event
   (ws__loop_pull), while what the application sends collects in the loop's cork. When
   there is no event left ws__loop_leave ends the turn: the cork is written in one call,
   what is left of the input is kept in conn->rx, what is due is judged, the poller and
   the heap are told. The usual turn of a connection at rest touches neither of these. */

static void ws__enqueue(ws_conn *conn)
{
    ws_loop *loop = conn->loop;

    if (conn->place & WS__QUEUED)
        return;
    conn->place |= WS__QUEUED;
    conn->link = NULL;
    *loop->queue_end = conn;
    loop->queue_end = &conn->link;
}

static void ws__loop_wake(ws_conn *conn)
{
    if (conn->loop && conn != conn->loop->current)
        ws__enqueue(conn);
}

/* Takes conn out of the loop; the memory goes when the queue comes to it. */
static void ws__loop_drop(ws_conn *conn)
{
    ws_loop *loop = conn->loop;

    if (conn->place & WS__DEAD)
        return;
    if (loop->foreign) {
        if (conn->fd != WS__NO_SOCK)
            ws__sock_close(conn->fd);
        /* so nothing is said any more, by TLS neither */
        conn->fd = WS__NO_SOCK;
        conn->wants = WS__UNWATCHED;
    }
    ws__last_words(conn);
    if (loop->current == conn) {
        ws__gather_empty(&loop->cork);
        conn->cork = NULL;
        loop->current = NULL;
    }
    if (conn->slot && !(conn->place & WS__LINGERS))
        loop->gone++;
    if (conn->cfg->conns)
        conn->cfg->conns--;
    conn->place |= WS__DEAD;
    ws__leave_all(conn, 1);
    ws__dial_free(conn);
    ws__unwrap(conn);
    ws__unwatch(conn);
    if (conn->cfg->set.io.read)
        ws__io_close(conn);
    else if (conn->fd != WS__NO_SOCK)
        ws__sock_end(conn->fd);
    conn->fd = WS__NO_SOCK;
    ws__enqueue(conn);
}

/* Room for pieces of one write: behind those of the turn, which are *few at least. */
static ws__piece *ws__loop_pieces(ws_loop *loop, int *few)
{
    const int left = WS__PIECES - loop->cork.n;

    *few = left < 64 ? left : 64;
    return loop->cork.piece + loop->cork.n;
}

/* Bytes of the cork that the transport did not take move to conn->tx. */
static int ws__cork_keep(ws_conn *conn, const ws__gather *gather, size_t sent)
{
    /* edge: a border of frames, seen: bytes sent before it is looked for */
    size_t edge = 0, done = 0, seen = 0;
    int i, fault = 0;

    for (i = 0; i < gather->n && !fault; i++) {
        const uint8_t *p = (const uint8_t *)gather->piece[i].iov_base;
        size_t n = gather->piece[i].iov_len, left = sent - seen;
        size_t skip = left < n ? left : n;
        seen += skip;
        for (; edge < seen; edge += ws__frame_size(p + (edge - done))) {}
        done += n;
        if (n > skip)
            fault = ws__tx_put(conn, p + skip, n - skip, 0);
    }
    if (fault)
        return fault;
    ws__tx_goes_on(conn, edge - sent);
    ws__tx_offered(conn);
    return 0;
}

/* Sends the cork; what the socket does not take moves to conn->tx. */
static int ws__cork_flush(ws_conn *conn)
{
    ws__gather *gather = ws__cork_of(conn);
    ptrdiff_t got = WS_IO_WANT_WRITE;
    int fault = 0;

    if (!(conn->line & WS__NO_OUTPUT)) {
        got = ws__writev(conn, gather->piece, gather->n);
        if (got == WS_IO_ERROR) {
            ws__write_failed(conn);
            return 0;
        }
        if (got < 0)
            got = 0;
        if ((size_t)got < gather->total)
            fault = ws__cork_keep(conn, gather, (size_t)got);
    }
    ws__gather_empty(gather);
    if (fault) {
        ws__drop_output(conn);
        ws__fail(conn, fault);
    } else {
        ws__drained(conn);
    }
    return 0;
}

static void ws__watch(ws_loop *loop, ws_conn *conn)
{
    int wants = ws_wants(conn);

    if (conn->place & WS__LINGERS)
        wants = WS_WANT_READ;
    if (conn->fd == WS__NO_SOCK || conn->wants == wants)
        return;
    /* hung up */
    if (conn->wants == WS__UNWATCHED && !wants && conn->line & WS__NO_OUTPUT)
        return;
    if (!ws__poller_set(loop, conn->fd, (uintptr_t)conn, conn->wants, wants))
        conn->wants = (uint8_t)wants;
    else if (!(conn->place & WS__LINGERS))
        ws__fail(conn, WS_ERR_POLLER);
}

/* Closing a socket at once can take our last words from a peer that is still sending
   (RFC 9112, 9.6): a server's answer or Close frame of a fault. Both Close frames have
   been read otherwise, or the peer has ended. */
static int ws__may_be_unread(const ws_conn *conn)
{
    if (conn->fd == WS__NO_SOCK || conn->cfg->set.io.read)
        return 0;
    if (WS__IS_CLIENT(&conn->core) || conn->line & (WS__INPUT_END | WS__NO_OUTPUT))
        return 0;
    return conn->core.error || conn->life & WS__ANSWERED;
}

/* After CLOSE: the socket goes now, or when the peer had time to read them. */
static void ws__loop_retire(ws_loop *loop, ws_conn *conn)
{
    if (!ws__may_be_unread(conn)) {
        ws__loop_drop(conn);
        return;
    }
    ws__unwrap(conn);
    conn->place |= WS__LINGERS;
    loop->gone++;
    shutdown(conn->fd, 1);
    ws__rx_free(conn);
    ws__core_wait(&conn->core, conn->now,
                  ws__smaller(conn->cfg->set.close_timeout, WS__LINGER));
    ws__heap_fix(loop, conn);
    ws__watch(loop, conn);
}

/* Was its last event told? */
static int ws__is_gone(const ws_conn *conn)
{
    return conn->place & WS__DEAD || conn->owes & WS__CLOSE_TOLD;
}

/* Open, and nothing held, waiting, owed or out of the ordinary: the short ways apply. */
static inline int ws__at_rest(const ws_conn *conn)
{
    return conn->core.phase == WS__PHASE_FRAMES && !conn->rx && !conn->tx &&
           !ws__more_of(conn) && !(conn->line | conn->owes);
}

/* What this turn read and did not use is kept for the next one. */
static void ws__loop_keep(ws_loop *loop, ws_conn *conn)
{
    size_t rest = (size_t)(loop->span.end - loop->span.p);

    if (rest && !ws__phase_has(&conn->core, WS__ENDS) &&
        ws__rx_append(conn, loop->span.p, rest))
        ws__fail(conn, WS_ERR_MEMORY);
    loop->span.p = loop->span.end = NULL;
}

/* Has it something to do at once, without the poller? held: it was held back. */
static int ws__goes_on(const ws_conn *conn, int held)
{
    if (held && !ws__held_back(conn))
        return 1;
    if (conn->line & (WS__MORE | WS__BROKEN) && ws__wants_input(conn))
        return 1;
    return ws_finished(conn) || ws__writable_due(conn);
}

/* The end of a turn that was not usual. */
static void ws__loop_settle(ws_loop *loop, ws_conn *conn)
{
    int held = ws__held_back(conn);

    if (!ws__pending(conn) || !ws__awaits_room(conn))
        ws__flush(conn);
    if (ws__rx_is_idle(conn->rx) && !(conn->owes & (WS__MESSAGE_HELD | WS__HEAD_HELD)))
        ws__rx_free(conn);
    if (ws__goes_on(conn, held))
        ws__enqueue(conn);
    if (conn->line & WS__MORE)
        loop->rested |= 1;   /* perhaps forever */
    ws__watch(loop, conn);
    ws__heap_fix(loop, conn);
}

/* Ends a turn: what was sent leaves, the rest of the input is kept, the poller is
   told. */
static void ws__loop_leave(ws_loop *loop, ws_conn *conn)
{
    int overdue = conn->place & WS__OVERDUE;

    loop->current = NULL;
    ws__loop_keep(loop, conn);
    if (ws__cork_of(conn) && ws__cork_of(conn)->total)
        ws__cork_flush(conn);
    conn->cork = NULL;
    if (overdue)
        ws__judge(conn);
    if (conn->place == WS__PLACED && conn->wants == WS_WANT_READ && ws__at_rest(conn) &&
        !(conn->core.is & WS__CLOSE_SENT))
        return;
    if (!(conn->owes & WS__CLOSE_TOLD))
        ws__loop_settle(loop, conn);
    else if (!(conn->place & WS__LINGERS))
        ws__loop_retire(loop, conn);
}

/* Begins a turn: conn's events are pulled next, its frames collect in the cork. */
static void ws__loop_enter(ws_loop *loop, ws_conn *conn)
{
    loop->current = conn;
    loop->span.p = loop->span.end = loop->buf;
    loop->span.in_rx = 0;
    loop->turn = 0;
    conn->now = (uint32_t)loop->now;
    conn->cork = conn->dial || conn->line & WS__CORKED ? NULL : &loop->cork;
}

static int ws__parses_in_place(const ws_conn *conn)
{
    return conn->core.phase == WS__PHASE_FRAMES ||
           conn->core.phase == WS__PHASE_READING || conn->core.phase == WS__PHASE_UPLOAD;
}

/* Reads once: first into a large payload's own place, then into the loop's buffer. */
static void ws__loop_receive(ws_loop *loop, ws_conn *conn)
{
    uint8_t *base = loop->buf + WS__READ_FRONT;
    ws__rx *rx = conn->rx;
    size_t rest = rx ? rx->len - rx->pos : 0, direct = 4096;
    ws__piece pieces[2];
    int n = 0;
    ptrdiff_t got;

    if (!ws__phase_has(&conn->core, WS__KEEPS)) {
        ws__receive_waste(conn, base, ws__smaller(WS__WASTE_SIZE, loop->half));
        return;
    }
    if (ws__reads_payload(conn) && rx->reader.left >= direct) {
        pieces[0].iov_base = ws__read_room(conn, &direct);
        pieces[0].iov_len = direct;
        if (pieces[0].iov_base)
            n = 1;
    }
    pieces[n].iov_base = base;
    if (conn->core.phase == WS__PHASE_HEAD)
        pieces[n].iov_len = ws__smaller(WS__READ_EARLY, loop->half);
    else
        pieces[n].iov_len = ws__raw_most(conn, loop->half);
    if (n && !ws__io(conn))
        got = ws__readv(conn, pieces, 2);
    else
        got = ws__read(conn, pieces[0].iov_base, pieces[0].iov_len);
    if (got <= 0) {
        ws__input_end(conn, got);
        return;
    }
    ws__heard(conn);
    if (n) {
        size_t part = (size_t)got < direct ? (size_t)got : direct;
        conn->rx->len += part;
        got -= (ptrdiff_t)part;
        rest = 0;
    } else if (rest && rest <= WS__READ_FRONT && ws__parses_in_place(conn)) {
        base -= rest;
        memcpy(base, WS__DATA(rx) + rx->pos, rest);
        rx->pos = rx->len = rx->msg;
        got += (ptrdiff_t)rest;
        rest = 0;
    }
    if (!rest && ws__parses_in_place(conn)) {
        loop->span.p = base;
        loop->span.end = base + got;
    } else {
        if (ws__rx_append(conn, base, (size_t)got))
            ws__fail(conn, WS_ERR_MEMORY);
        if (conn->core.phase == WS__PHASE_HEAD)
            /* others read here */
            memset(base, 0, (size_t)got);
    }
}

/* What an event shows lies in the loop's buffer, in the connection's, or an
   extension's. */
static void ws__loop_show(ws_loop *loop, ws_conn *conn, const ws_event *ev)
{
    uint8_t *at = (uint8_t *)(uintptr_t)ev->data;

    if (!ev->size)
        return;
    if ((uintptr_t)at - (uintptr_t)loop->buf > WS__READ_FRONT + loop->half) {
        ws__show(conn, ev);
        return;
    }
    loop->cork.lo = at;
    loop->cork.hi = at + ev->size;
    loop->kept = at[ev->size];
    at[ev->size] = 0;
}

static void ws__loop_unshow(ws_loop *loop)
{
    if (!loop->cork.hi)
        return;
    *(uint8_t *)(uintptr_t)loop->cork.hi = loop->kept;
    loop->cork.lo = loop->cork.hi = NULL;
}

static int ws__loop_pull(ws_loop *loop, ws_conn *conn, ws_event *ev)
{
    if (ws__at_rest(conn)) {
        if (loop->span.p == loop->span.end)
            return 0;
        if (ws__short_message(conn, &loop->span, ev) > 0)
            return 1;
    }
    ws__release(conn);
    if ((conn->rx || loop->span.p == loop->span.end) && ws__pull(conn, ev))
        return 1;
    if (loop->span.p == loop->span.end || (conn->rx && conn->rx->pos < conn->rx->len))
        return 0;
    return ws__step(conn, &loop->span, ev);
}

/* Until the time of one that lingers is over: what it still sends is dropped. */
static void ws__loop_waste(ws_loop *loop, ws_conn *conn)
{
    size_t n = ws__smaller(WS__WASTE_SIZE, loop->half);
    ptrdiff_t got = ws__sock_read(conn->fd, loop->buf, n, 0);

    if (got <= 0 && got != WS_IO_WANT_READ)
        ws__loop_drop(conn);
}

/* Its peer hung up while its input is not wanted: that would be reported forever. */
static void ws__loop_hang_up(ws_conn *conn)
{
    if (conn->core.phase == WS__PHASE_HTTP || ws__has_file(conn)) {
        ws__input_end(conn, WS_IO_ERROR);
        return;
    }
    /* forget the socket until its input is wanted; what came is not lost */
    ws__unwatch(conn);
    ws__drop_output(conn);
}

/* A turn of a connection that the poller or the queue named. */
static void ws__loop_visit(ws_loop *loop, ws_conn *conn, int found)
{
    const int reads = WS_WANT_READ | WS__HANGUP;

    if (conn->place & WS__LINGERS) {
        if (found)
            ws__loop_waste(loop, conn);
        return;
    }
    if (conn->place & WS__OVERDUE) {    /* then input comes before judgement */
        loop->now = ws__clock();        /* others' events may have taken long */
        found |= WS_WANT_READ | WS_WANT_WRITE;
    }
    ws__loop_enter(loop, conn);
    if (conn->dial) {
        ws__dial_step(conn);
        conn->cork = conn->dial ? NULL : &loop->cork;
    }
    if (found & WS_WANT_WRITE || conn->line & WS__WRITE_WANTS_READ ||
        (!found && !ws__awaits_room(conn)))
        ws__flush(conn);
    if (conn->fd == WS__NO_SOCK || conn->dial)
        return;
    if (!ws__wants_input(conn)) {
        if (found & WS__HANGUP)
            ws__loop_hang_up(conn);
    } else if (found & reads ||
               conn->line & (WS__MORE | WS__BROKEN | WS__READ_WANTS_WRITE)) {
        ws__loop_receive(loop, conn);
    }
}

/* ---- the loop ---- */

/* Time passes inside a call, or has passed since the last one. */
static void ws__read_clock(ws_conn *conn)
{
    uint64_t now = ws__clock();

    conn->now = (uint32_t)now;
    if (conn->loop)
        conn->loop->now = now;
}

/* The application calls outside conn's turn: conn may not have seen the time for long.
   What this makes due is judged when the driver has read. */
static void ws__call_begin(ws_conn *conn)
{
    ws_loop *loop = conn->loop;

    if (loop && loop->gives)
        conn->now = (uint32_t)loop->now;
    else if (ws__is_driven(conn) && !(loop && loop->current == conn))
        ws__read_clock(conn);
}

/* 1 past the deadline of ws_shutdown. */
static int ws__must_end(const ws_conn *conn)
{
    return conn->loop && conn->loop->stopping == 2;
}

/* The deadline of ws_shutdown: all that is left is due. */
static void ws__stop_all(ws_loop *loop)
{
    uint32_t i;

    loop->stopping = 2;
    loop->stop_at = UINT64_MAX;
    for (i = loop->heap_count; i; i--) {
        ws_conn *conn = loop->heap[i];
        conn->place |= WS__OVERDUE;
        if (conn->owes & WS__CLOSE_TOLD)
            ws__loop_drop(conn);
        else
            ws__enqueue(conn);
    }
}

/* What is due gets a turn, which ends with its judgement. 1 if conn is. */
static int ws__loop_due(ws_loop *loop, ws_conn *conn)
{
    uint32_t now = (uint32_t)loop->now, due = ws__due(conn, now);

    if ((int32_t)(now - due) < 0) {
        conn->due = ws__heap_place(conn, due, now);
        return 0;
    }
    conn->due = now + WS__FAR;             /* its turn puts it in its place */
    conn->place = (uint8_t)((conn->place & ~WS__PLACED) | WS__OVERDUE);
    if (conn->place & WS__LINGERS)
        ws__loop_drop(conn);
    else
        ws__enqueue(conn);
    return 1;
}

/* Has the time come for the first in the heap? */
static inline int ws__heap_is_due(const ws_loop *loop)
{
    return loop->heap_count && (int32_t)((uint32_t)loop->now - loop->heap[1]->due) >= 0;
}

/* Looks at those in the heap whose time has come. 1 if anything is due. */
static int ws__loop_expired(ws_loop *loop)
{
    int any = 0;

    while (ws__heap_is_due(loop)) {
        ws_conn *conn = loop->heap[1];
        if (!(conn->place & WS__DEAD))
            any |= ws__loop_due(loop, conn);
        if (conn->place & WS__DEAD)
            ws__heap_reap(loop, conn);
        else
            ws__heap_sift(loop, conn);
    }
    if (loop->now >= loop->stop_at) {
        ws__stop_all(loop);
        any = 1;
    }
#ifndef WS_NO_SERVER
    if (loop->accept_at && loop->now >= loop->accept_at) {
        loop->accept_at = 0;
        ws__watch_listeners(loop, WS_WANT_READ);
    }
#endif
    return any;
}

static inline int ws__loop_timers(ws_loop *loop)
{
    if (ws__heap_is_due(loop) || loop->stopping || loop->accept_at)
        return ws__loop_expired(loop);
    return 0;
}

/* 1 when ws_shutdown has ended everything. */
static int ws__loop_over(const ws_loop *loop)
{
    return loop->stopping && !loop->heap_count;
}

/* The sooner: ms from now, or at. */
static uint64_t ws__ms_until(uint64_t ms, uint64_t now, uint64_t at)
{
    uint64_t left = at > now ? at - now : 0;

    return left < ms ? left : ms;
}

/* Milliseconds to sleep: until when, the next deadline, or the next try to accept. */
static int ws__loop_sleep(const ws_loop *loop, uint64_t when)
{
    const uint64_t now = loop->now, most = 1u << 30;
    uint64_t ms;

    if (when <= now || ws__loop_over(loop) || ws__always_ready(loop))
        return 0;
    ms = ws__ms_until(when == UINT64_MAX ? when : most, now, when);
    ms = ws__ms_until(ms, now, loop->stop_at);
    if (loop->heap_count) {
        int32_t due = (int32_t)(loop->heap[1]->due - (uint32_t)now);
        ms = ws__ms_until(ms, now, now + (uint64_t)(int64_t)due);
    }
    if (loop->accept_at)
        ms = ws__ms_until(ms, now, loop->accept_at);
    return ms > most ? -1 : (int)ms;
}

/* Takes the next ready or queued connection. 0 when there is none. */
static int ws__loop_take(ws_loop *loop)
{
    if (loop->ready_at < loop->ready_count) {
        ws__ready r = loop->ready[loop->ready_at++];
        if (r.key == WS__KEY_POST)
            ws__post_read(loop);
        else if (r.key & 1)
            ws__loop_accept(loop, &loop->listeners[r.key / 2]);
        else if (r.key & 2)
            ws__watched_found(loop, r.key, r.wants);
        else if (!(((ws_conn *)r.key)->place & WS__DEAD))
            ws__loop_visit(loop, (ws_conn *)r.key, r.wants);
        return 1;
    }
    if (loop->queue) {
        ws_conn *conn = loop->queue;
        loop->queue = conn->link;
        loop->rested &= 1;
        if (!loop->queue)
            loop->queue_end = &loop->queue;
        conn->place &= (uint8_t)~WS__QUEUED;
        if (!(conn->place & WS__DEAD)) {
            ws__loop_visit(loop, conn, 0);
        } else {
            ws__heap_reap(loop, conn);
            ws__free_now(conn);
        }
        return 1;
    }
    return 0;
}

#define WS__TURN_MAX 4096       /* events after which others have their turn */

/* What an event counts in its turn: little input may decode to much. */
static uint32_t ws__turn_share(const ws_conn *conn, const ws_event *ev)
{
    size_t n = ws__is_extended(conn) ? ev->size / 256 : 0;

    return 1 + (uint32_t)(n < WS__TURN_MAX ? n : WS__TURN_MAX);
}

/* Goes on with the turn that was begun: 1 an event, 0 none was left and it ended. */
static int ws__loop_turn(ws_loop *loop, ws_event *ev)
{
    ws_conn *conn = loop->current;
    int long_enough = loop->turn >= WS__TURN_MAX;

    if (!conn)
        return 0;
    if (long_enough) {
        ws__release(conn);
    } else if (ws__loop_pull(loop, conn, ev)) {
        ws__loop_show(loop, conn, ev);
        loop->turn += ws__turn_share(conn, ev);
        return 1;
    }
    if (loop->current)
        ws__loop_leave(loop, conn);
    if (long_enough && !ws__is_gone(conn))
        ws__enqueue(conn);
    loop->rested |= long_enough;
    return 0;
}

/* Asks the poller, for at most ms. 0, WS__INTERRUPTED, or an error. */
static int ws__loop_wait(ws_loop *loop, int ms)
{
    int fault;

    loop->ready_at = loop->ready_count = 0;     /* an interrupted wait finds nothing */
    fault = ws__poller_wait(loop, ms);
    if (fault < 0)
        return ws__loop_error(loop, fault, NULL, NULL);
    loop->always_at = 0;
    loop->now = ws__clock();
    ws__loop_timers(loop);
    return fault;
}

/* An event that is to be told without looking for more. */
static int ws__loop_next(ws_loop *loop, ws_event *ev)
{
    return ws__loop_turn(loop, ev) || ws__post_next(loop, ev) ||
           ws__watched_next(loop, ev);
}

/* timeout < 0: until when. */
static int ws__loop_run(ws_loop *loop, ws_event *ev, int timeout, uint64_t when)
{
    const int at_once = timeout == 0;
    int slept = 0, fault;

    ws__loop_unshow(loop);
    if (!at_once)
        loop->looked = 0;
    for (;;) {
        if (ws__loop_next(loop, ev))
            return 1;
        if (loop->rested == 1 && loop->ready_at == loop->ready_count) {
            if (at_once && loop->looked)
                break;
            loop->looked = (uint8_t)at_once;
            loop->rested = 2;
            fault = ws__loop_wait(loop, 0);
            if (fault < 0)
                return fault;
            if (timeout >= 0) {
                when = loop->now + (uint64_t)timeout;
                timeout = -1;
            }
            else if (loop->now >= when)
                return 0;
        }
        if (ws__loop_take(loop))
            continue;
        if (at_once && loop->looked)
            break;
        if (timeout >= 0) {
            when = timeout ? ws__clock() + (uint64_t)timeout : 0;
            timeout = -1;
        } else if (loop->now >= when && (when || slept)) {
            return 0;
        }
        if (slept && ws__loop_over(loop))
            return 0;
        if (when != UINT64_MAX || !slept)
            loop->now = ws__clock();
        if (ws__loop_timers(loop))
            continue;
        loop->looked = (uint8_t)at_once;
        fault = ws__loop_wait(loop, ws__loop_sleep(loop, when));
        if (fault < 0)
            return fault;
        if (fault == WS__INTERRUPTED)
            ws__flag_set(&loop->woken, 1);
        slept = 1;
    }
    loop->looked = 0;
    return 0;
}

WS_API int ws_poll(ws_loop *loop, ws_event *ev, int timeout)
{
    if (!loop || !ev)
        return WS_ERR_ARGUMENT;
    ev->type = WS_EV_NONE;
    return ws__loop_run(loop, ev, timeout, UINT64_MAX);
}

WS_API int ws_poll_until(ws_loop *loop, ws_event *ev, uint64_t when)
{
    if (!loop || !ev)
        return WS_ERR_ARGUMENT;
    ev->type = WS_EV_NONE;
    if (!(++loop->asked & 63)) {       /* events without end must not make it late */
        loop->now = ws__clock();
        if (loop->now >= when)
            return 0;
    }
    return ws__loop_run(loop, ev, -1, when ? when : 1);
}

WS_API ws_loop *ws_loop_new(const ws_config *cfg)
{
    ws__cfg *kept = ws__sock_startup() ? NULL : ws__cfg_from(NULL, NULL, cfg);
    size_t buffer = cfg && cfg->loop_buffer ? cfg->loop_buffer : (size_t)1 << 20;
    ws_loop *loop;

    if (!kept)
        return NULL;
    loop = (ws_loop *)ws__alloc(kept, sizeof *loop);
    if (!loop) {
        ws__cfg_release(kept);
        return NULL;
    }
    memset(loop, 0, sizeof *loop);
    loop->cfg = kept;
    loop->queue_end = &loop->queue;
    loop->process = ws__process();
    if (ws__system_random(&loop->seed, sizeof loop->seed))
        loop->seed = 2166136261u;
    kept->cache = &loop->cache;
    kept->wake = ws__loop_wake;
    if (buffer > WS__LOOP_BUFFER_MAX)
        buffer = WS__LOOP_BUFFER_MAX;
    loop->half = ws__larger((uint32_t)buffer, WS__LOOP_BUFFER_MIN) / 2;
    loop->buf = (uint8_t *)ws__alloc(kept, WS__READ_FRONT + loop->half + 1);
    loop->cork.buf = (uint8_t *)ws__alloc(kept, loop->half);
    loop->cork.cap = loop->half;
    loop->cork.flush = ws__cork_flush;
    loop->stop_at = UINT64_MAX;
    loop->poller = -1;
    loop->post_in = loop->post_out = WS__NO_SOCK;
    if (!loop->buf || !loop->cork.buf || ws__poller_open(loop) || ws__post_open(loop) ||
        ws__poller_set(loop, loop->post_in, WS__KEY_POST, WS__UNWATCHED, WS_WANT_READ)) {
        ws_loop_free(loop);
        return NULL;
    }
    loop->now = ws__clock();
    return loop;
}

WS_API void ws_loop_free(ws_loop *loop)
{
    ws__cfg *cfg;
    uint32_t i;

    if (!loop)
        return;
    cfg = loop->cfg;
    loop->foreign = loop->process != ws__process();
    if (loop->foreign)
        /* as long as it is open it is the parent's too */
        ws__poller_close(loop);
    for (i = 1; i <= loop->heap_count; i++)
        ws__loop_drop(loop->heap[i]);
    while (loop->queue) {
        ws_conn *conn = loop->queue;
        loop->queue = conn->link;
        ws__free_now(conn);
    }
    ws__unlisten_all(loop);
    ws__poller_close(loop);
    if (!loop->foreign && loop->post_in != WS__NO_SOCK)
        ws__posts_drop(loop);
    ws__post_close(loop);
    ws__cache_clear(cfg);
    ws__free(cfg, loop->listeners, loop->listener_count * sizeof *loop->listeners);
    ws__free(cfg, loop->heap, loop->heap_size * sizeof *loop->heap);
    ws__free(cfg, loop->groups, loop->group_slots * sizeof *loop->groups);
    ws__watched_free(loop);
    ws__free(cfg, loop->buf, WS__READ_FRONT + loop->half + 1);
    ws__free(cfg, loop->cork.buf, loop->half);
    ws__free(cfg, loop, sizeof *loop);
    cfg->cache = NULL;
    ws__cfg_release(cfg);
}

/* Makes the connections of a configuration the loop's. Blocks of the same allocator share
   its cache. */
static void ws__loop_share(ws_loop *loop, ws__cfg *cfg)
{
    const ws_config *own = &loop->cfg->set;

    cfg->wake = ws__loop_wake;
    if (cfg->set.alloc == own->alloc && cfg->set.alloc_user == own->alloc_user)
        cfg->cache = &loop->cache;
}

/* Whose allocator a connection takes: the loop's is the default. */
static const ws_config *ws__loop_from(const ws_loop *loop, const ws_config *cfg)
{
    return loop && !(cfg && cfg->alloc) ? &loop->cfg->set : cfg;
}

/* ---- connections that are not accepted ---- */

/* The system's authorities take long to read: a loop's clients share them. */
static ws_tls *ws__loop_tls(ws_loop *loop)
{
    ws_tls **own = &loop->cfg->set.tls;

    if (*own && (*own)->error) {        /* files may be there by now */
        ws__tls_drop(*own);
        *own = NULL;
    }
    if (!*own)
        *own = ws_tls_new(NULL);
    return ws__tls_hold(*own);
}

static int ws__loop_add(ws_loop *loop, ws_conn *conn)
{
    int r = ws__heap_add(loop, conn);

    if (r)
        return r;
    conn->loop = loop;
    ws__loop_share(loop, conn->cfg);
    ws__enqueue(conn);
    return 0;
}

#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_dial(ws_loop *loop, const char *url, const ws_config *cfg)
{
    ws_conn *conn = NULL;

    if (loop)
        conn = ws__client_new(url, cfg, ws__loop_from(loop, cfg), 0, 1);
    if (!conn)
        return NULL;
    ws__start_clock(conn);
    if (ws__loop_add(loop, conn)) {
        ws__free_now(conn);
        return NULL;
    }
    if (conn->core.error)
        return conn;
    if (cfg && (cfg->io.read || cfg->memory))
        ws__fail_with(conn, WS_ERR_ARGUMENT, cfg->memory ? "memory" : "io");
    else
        ws__dial_start(conn);
    return conn;
}
#endif

/* ---- many connections ---- */

WS_API ws_conn *ws_each(ws_loop *loop, ws_conn *after)
{
    uint32_t i = after ? after->slot : 0;

    if (!loop || (after && (after->loop != loop || !i)))
        return NULL;
    while (++i <= loop->heap_count)
        if (!ws__is_gone(loop->heap[i]))
            return loop->heap[i];
    return NULL;
}

WS_API void ws_shutdown(ws_loop *loop, int code, const char *reason, uint32_t deadline_ms)
{
    uint32_t i;

    if (!loop || loop->stopping)
        return;
    ws__unlisten_all(loop);
    for (i = 1; i <= loop->heap_count; i++) {
        ws_conn *conn = loop->heap[i];
        if (conn->place & WS__DEAD)
            continue;
        if (ws__phase_has(&conn->core, WS__OPENS) && !WS__IS_CLIENT(&conn->core) &&
            !ws__is_kept(conn))
            ws__fail(conn, WS_ERR_SHUTDOWN);
        else if (ws_close(conn, code, reason) == WS_ERR_ARGUMENT)
            ws_close(conn, WS_CLOSE_GOING_AWAY, NULL);
    }
    loop->stopping = 1;
    loop->stop_at = deadline_ms == WS_NEVER ? UINT64_MAX : ws__clock() + deadline_ms;
}

#endif /* WS_NO_SOCKETS */

WS_API void ws_free(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return;
#ifndef WS_NO_SOCKETS
    if (conn->loop) {
        ws__loop_drop(conn);
        return;
    }
#endif
    ws__free_now(conn);
}

/* ==== >>facts (public) ============================================================== */

/* Has sending failed, so that nothing but what came before is left? */
static int ws__is_broken(const ws_conn *conn)
{
    const uint8_t failed = WS__BROKEN | WS__NO_OUTPUT;

    return (conn->line & failed) == failed && !conn->core.error &&
           !ws__phase_has(&conn->core, WS__ENDS);
}

WS_API int ws_state(const ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return WS_STATE_CLOSED;
    if (conn->owes & WS__DOWN)
        return WS_STATE_CONNECTING;
    if (conn->core.phase == WS__PHASE_ENDED || ws__is_broken(conn))
        return WS_STATE_CLOSED;
    if (ws__phase_has(&conn->core, WS__OPENS))
        return WS_STATE_CONNECTING;
    if (conn->core.phase == WS__PHASE_ENDING ||
        conn->core.is & (WS__CLOSE_SENT | WS__CLOSE_GOT) || ws__close_is_ahead(conn))
        return WS_STATE_CLOSING;
    return WS_STATE_OPEN;
}

WS_API int ws_done(const ws_conn *conn)
{
    ws__sane(conn);
    return !conn || conn->owes & WS__CLOSE_TOLD;
}

WS_API int ws_error(const ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return WS_ERR_MEMORY;
    return ws__is_broken(conn) ? (int)WS_ERR_IO : -(int)conn->core.error;
}

WS_API const char *ws_error_text(const ws_conn *conn)
{
    int number = -ws_error(conn);
    int ours = conn && conn->core.error && !(conn->core.is & WS__CLOSE_GOT);

    return ours && conn->note && *conn->note ? conn->note : ws__error_text(number);
}

WS_API int ws_is_client(const ws_conn *conn)
{
    ws__sane(conn);
    return conn && WS__IS_CLIENT(&conn->core);
}

WS_API const char *ws_url_of(const ws_conn *conn)
{
    ws__sane(conn);
    if (!conn || !conn->cfg->url)
        return "";
    return ws__client_of(conn)->moved ? ws__client_of(conn)->moved : conn->cfg->url;
}

WS_API const char *ws_protocol(const ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return "";
    if (ws__more_of(conn) && ws__more_of(conn)->protocol)
        return ws__more_of(conn)->protocol;
    if (conn->route && conn->cfg->set.routes[conn->route - 1].protocol)
        return conn->cfg->set.routes[conn->route - 1].protocol;
    return ws__protocol_at(conn->cfg, conn->protocol);
}

WS_API int ws_version(const ws_conn *conn)
{
    int asked = ws_is_client(conn) ? conn->cfg->set.version : 0;

    return asked ? asked : 13;
}

WS_API int ws_rtt(const ws_conn *conn)
{
    ws__sane(conn);
    return conn && conn->core.rtt ? (int)ws__smaller(conn->core.rtt - 1u, INT_MAX) : -1;
}

WS_API int ws_is_paused(const ws_conn *conn)
{
    ws__sane(conn);
    return conn && conn->line & WS__PAUSED;
}

WS_API size_t ws_buffered(const ws_conn *conn)
{
    ws__sane(conn);
    return conn ? ws__unsent(conn) : 0;
}

WS_API void *ws_user(const ws_conn *conn)
{
    ws__sane(conn);
    return conn ? conn->user : NULL;
}

WS_API void ws_set_user(ws_conn *conn, void *user)
{
    ws__sane(conn);
    if (conn)
        conn->user = user;
}

/* The head that is on show, size 0 if none. */
static ws_str ws__head(const ws_conn *conn)
{
    const ws__rx *rx = conn ? conn->rx : NULL;

    if (!rx || !(conn->owes & WS__HEAD_HELD) || !rx->head_size)
        return ws__str("", 0);
    return ws__str((const char *)WS__DATA(rx) + rx->head_at, (size_t)rx->head_size);
}

WS_API const char *ws_method(const ws_conn *conn)
{
    ws__sane(conn);
    return ws_is_client(conn) ? "" : ws__head(conn).data;
}

#ifndef WS_NO_SERVER
/* The target of a request that is no longer there. */
static const char *ws__target_kept(const ws_conn *conn)
{
    if (WS__IS_CLIENT(&conn->core) || ws__is_fixed(conn))
        return "";
    if (conn->target)
        return conn->target;
    return conn->life & WS__OPENED ? ws__target_plain(conn) : "";
}
#endif

WS_API const char *ws_target(const ws_conn *conn)
{
    const char *method = ws_method(conn);

    if (*method)
        return method + strlen(method) + 1;
#ifndef WS_NO_SERVER
    if (conn)
        return ws__target_kept(conn);
#endif
    return "";
}

WS_API int ws_status(const ws_conn *conn)
{
    ws__sane(conn);
    return conn ? ws__status(conn) : 0;
}

WS_API ws_str ws_path(const ws_conn *conn)
{
    ws_str all = ws__cstr(ws_target(conn));
    size_t from = 0, i;

    if (all.size && all.data[0] != '/')         /* "http://host/path" */
        from = ws__find(all, ws__find(all, 0, '/') + 2, '/');
    i = ws__find(all, 0, '?');
    if (i < from)
        from = i;
    return from == i && all.size ? ws__str("/", 1) : ws__str(all.data + from, i - from);
}

WS_API int ws_header_next(const ws_conn *conn, size_t *pos, ws_str *name, ws_str *value)
{
    ws_str head = ws__head(conn);

    ws__sane(conn);
    if (!head.size && conn && ws__more_of(conn))
        head = ws__cstr(ws__more_of(conn)->lines);
    return ws_head_field(head, pos, name, value);
}

WS_API ws_str ws_header_value(const ws_conn *conn, const char *name)
{
    ws_str n, value;
    size_t pos = 0;

    while (name && ws_header_next(conn, &pos, &n, &value))
        if (ws_str_is(n, name))
            return value;
    return ws__str(NULL, 0);
}

WS_API int ws_header_walk(const ws_conn *conn, const char *name, ws_walk *walk,
                          ws_str *item)
{
    ws_str field, value;

    if (!name || !walk)
        return 0;
    while (!ws_list_next(&walk->list, item)) {
        do {
            if (!ws_header_next(conn, &walk->pos, &field, &value))
                return 0;
        } while (!ws_str_is(field, name));
        walk->list = value;
    }
    return 1;
}

#ifndef WS_NO_SOCKETS

WS_API uint64_t ws_loop_now(const ws_loop *loop)
{
    (void)loop;
    return ws__clock();
}

WS_API size_t ws_loop_count(const ws_loop *loop)
{
    if (!loop)
        return 0;
    return loop->heap_count - loop->gone -
        (loop->current && loop->current->owes & WS__CLOSE_TOLD);
}

WS_API const char *ws_loop_error_text(const ws_loop *loop)
{
    return loop ? loop->error : ws__error_text(-WS_ERR_MEMORY);
}

WS_API int ws_remote(const ws_conn *conn, char *buf, size_t n)
{
    struct sockaddr_storage addr;
    socklen_t size = sizeof addr;
    ws__text text;

    ws__sane(conn);
    if (!buf || !n)
        return WS_ERR_ARGUMENT;
    *buf = 0;
    text = ws__text_in(buf, n);
    memset(&addr, 0, sizeof addr);
    if (conn && ws__more_of(conn) && ws__more_of(conn)->remote)
        ws__puts(&text, ws__more_of(conn)->remote);
    else if (!conn || conn->fd == WS__NO_SOCK ||
             getpeername(conn->fd, (struct sockaddr *)&addr, &size))
        return WS_ERR_ABSENT;
    else if (addr.ss_family == AF_UNIX)
        ws__puts(&text, "unix");
    else
        ws__put_address(&text, (struct sockaddr *)&addr, (size_t)size);
    if (text.cut)
        return WS_ERR_ARGUMENT;
    return text.at == buf ? (int)WS_ERR_ABSENT : (int)(text.at - buf);
}

#endif

/* ==== >>blocking (public) =========================================================== */

#ifndef WS_NO_SOCKETS

/* Waits until the transport has one of wants, or ms milliseconds passed. 1 if a signal
   interrupted it. */
static int ws__wait_for(ws_conn *conn, int wants, int ms)
{
    const ws_io *io = &conn->cfg->set.io;

    if (!io->read)      /* without wants a hang-up would be reported forever */
        return ws__sock_wait(wants ? conn->fd : WS__NO_SOCK, wants, ms) < 0 &&
               ws__would_block();
    if (io->wait)
        (io->wait)(io->user, wants, ms);
    else                /* nobody says when: it looks every millisecond */
        ws__sock_wait(WS__NO_SOCK, 0, ms ? 1 : 0);
    return 0;
}

#ifdef WS__WAITS

/* Answers the pings among the bytes that wait for ws_recv, which still tells of them; up
   to the peer's Close, or to a fault. */
static void ws__answer_ahead(ws_conn *conn)
{
    ws__client *client = ws__client_of(conn);
    ws__walk walk;
    uint32_t seen = 0;

    if (!conn->rx || conn->core.phase != WS__PHASE_FRAMES)
        return;
    ws__walk_begin(&walk, conn);
    while (ws__walk_next(&walk, conn) > 0) {
        if (walk.f.op == WS_OP_CLOSE) {
            client->close_ahead = 1;
            return;
        }
        if (walk.f.op != WS_OP_PING || conn->cfg->set.manual_pong)
            continue;
        if (++seen <= client->answered)
            continue;
        client->answered = (uint16_t)seen;
        if (ws__control_answer(conn, WS_OP_PING, walk.p - walk.f.size,
                               (size_t)walk.f.size))
            return;
    }
}

/* A blocking client that sends takes what is there, up to what ws_feed_room bounds, and
   leaves what an event shows where it is. */
static void ws__read_ahead(ws_conn *conn)
{
    ws__rx *shown = conn->rx && conn->rx->behind ? conn->rx : NULL;

    ws__client_of(conn)->looked = (uint16_t)conn->now;
    conn->owes |= WS__JUDGE_OWED;          /* by ws_recv, behind what came */
    if (shown)
        WS__DATA(shown)[shown->behind] = shown->kept;
    ws__receive(conn);
    ws__answer_ahead(conn);
    if (!shown)
        return;
    /* what follows may have come just now */
    shown->kept = WS__DATA(shown)[shown->behind];
    WS__DATA(shown)[shown->behind] = 0;
}

#define WS__LOOK_EVERY 10       /* ms */

/* After a blocking client has sent: one that only sends looks for pings from time to
   time. */
static void ws__look(ws_conn *conn)
{
    const ws_io *io = &conn->cfg->set.io;

    if (conn->core.phase != WS__PHASE_FRAMES || !ws__wants_input(conn))
        return;
    if (io->read && !io->wait)
        return;
    ws__read_clock(conn);
    if ((uint16_t)(conn->now - ws__client_of(conn)->looked) < WS__LOOK_EVERY)
        return;
    ws__read_ahead(conn);
    ws__flush(conn);
}

/* What a blocking client that sends waits for: it reads meanwhile, where cfg.io does not
   forbid it. */
static int ws__await_wants(const ws_conn *conn)
{
    const ws_io *io = &conn->cfg->set.io;
    int reads = !io->read || io->wait;

    return reads && ws__wants_input(conn) ? WS_WANT_WRITE | WS_WANT_READ : WS_WANT_WRITE;
}

/* Moves what can be moved, once there was something, or ms milliseconds passed. */
static void ws__await_step(ws_conn *conn, int ms)
{
    int wants = ws__await_wants(conn);

    ws__wait_for(conn, wants, ms);
    ws__read_clock(conn);
    if (wants & WS_WANT_READ)
        ws__read_ahead(conn);
    if (conn->line & WS__INPUT_END)
        ws__write_failed(conn);         /* the peer has gone */
    ws__flush(conn);
}

/* Can more still be sent, though not yet? */
static int ws__must_await(const ws_conn *conn, uint64_t wire,
                          int (*busy)(const ws_conn *conn))
{
    if (ws_error(conn) || ws__close_is_ahead(conn))
        return 0;
    return ws__too_much(conn, wire) || (busy && (busy)(conn));
}

/* A blocking client waits until wire more bytes may be queued and it is no longer busy
   (NULL: it is not). Returns 0, or why it cannot be. */
static int ws__await(ws_conn *conn, uint64_t wire, int (*busy)(const ws_conn *conn))
{
    const uint8_t corked = conn->line & WS__CORKED;
    const uint32_t patience = conn->cfg->set.send_timeout;
    uint32_t due;

    conn->line &= (uint8_t)~WS__CORKED;
    ws__read_clock(conn);
    due = ws__after(conn->now, conn->now, patience);
    ws__flush(conn);
    ws__taking_begin(conn);
    while (ws__must_await(conn, wire, busy)) {
        int is_late = (int32_t)(conn->now - due) >= 0;
        uint32_t spoke = conn->core.spoke;
        if (is_late && !ws__takes(conn, patience)) {
            ws__fail(conn, WS_ERR_SEND_TIMEOUT);
            break;
        }
        if (is_late)
            due = ws__after(conn->now, conn->now, patience);
        ws__await_step(conn, (int)(due - conn->now));
        if (busy && conn->core.spoke != spoke)          /* the source gives */
            due = ws__after(conn->now, conn->now, patience);
    }
    if (ws__phase_has(&conn->core, WS__STREAMS))
        conn->line |= corked;
    return ws__close_is_ahead(conn) ? (int)WS_ERR_STATE : ws_error(conn);
}

#endif /* WS__WAITS */

/* Waits until there is something to do, or ms milliseconds passed. */
static int ws__wait(ws_conn *conn, int ms)
{
    int due = ws_timeout(conn);

    if (due >= 0 && (ms < 0 || due < ms))
        ms = due;
    return ms ? ws__wait_for(conn, ws_wants(conn), ms) : 0;
}

WS_API int ws_recv(ws_conn *conn, ws_event *ev, int timeout)
{
    uint64_t start;
    int left = timeout;

    ws__sane(conn);
    if (!conn || !ev || conn->loop)
        return WS_ERR_ARGUMENT;
    if (conn->owes & WS__CLOSE_TOLD)
        return WS_ERR_STATE;
    start = ws__clock();
    for (;;) {
        int got = ws_next(conn, ev);
        if (!got && !timeout && conn->life & WS__LOOKED)
            break;
        if (!got) {
            conn->life = (uint8_t)(timeout ? conn->life & ~WS__LOOKED : conn->life |
                                   WS__LOOKED);
            ws_step(conn);
            got = ws_next(conn, ev);
        }
        if (got || ws__has_output(conn))
            ws__flush(conn);
        if (got)
            return 1;
        if (timeout >= 0) {
            uint64_t passed = ws__clock() - start;
            if (passed >= (uint64_t)timeout)
                break;
            left = timeout - (int)passed;
        }
        if (ws__wait(conn, left))
            return ws__fill(ev, NULL, WS_EV_WAKE, NULL, 0);
    }
    conn->life &= (uint8_t)~WS__LOOKED;
    return 0;
}

#ifndef WS_NO_CLIENT
/* Waits for the end of the handshake, which the first ws_recv tells. */
WS__APART void ws__await_open(ws_conn *conn)
{
    ws__client *client = ws__client_of(conn);
    uint32_t reconnect = client->reconnect;
    ws_event ev;
    int got;

    conn->cfg->wake = ws__flush;
    client->reconnect = 0;               /* a failure is for the first ws_recv to tell */
    got = ws_recv(conn, &ev, -1);
    client->reconnect = reconnect;
    if (got <= 0 || ev.type == WS_EV_WAKE)
        return;
    if (ev.type == WS_EV_OPEN)
        conn->owes |= WS__OPEN_OWED;   /* the caller gets it again */
    else
        conn->owes &= (uint8_t)~WS__CLOSE_TOLD;
}

WS_API ws_conn *ws_connect(const char *url, const ws_config *cfg)
{
    ws_conn *conn = ws__open(url, cfg, WS__IS_BLOCKING);

    if (conn)
        ws__await_open(conn);
    return conn;
}
#endif

#endif /* WS_NO_SOCKETS */

/* ==== >>poller (private) ============================================================ */

#ifndef WS_NO_SOCKETS

/* So many things of size bytes each that the system tells have room in loop->buf. */
WS__PRIVATE int ws__ready_most(const ws_loop *loop, size_t size)
{
    size_t most = (WS__READ_FRONT + loop->half) / size;

    return most < WS__READY_MAX ? (int)most : WS__READY_MAX;
}

#if defined(WS__POLLER_EPOLL)

static int ws__poller_open(ws_loop *loop)
{
    loop->poller = epoll_create1(EPOLL_CLOEXEC);
    return loop->poller < 0 ? WS_ERR_POLLER : 0;
}

static void ws__poller_close(ws_loop *loop)
{
    if (loop->poller >= 0)
        close(loop->poller);
    loop->poller = -1;
}

/* Watches fd for wants; had is what it was watched for, or WS__UNWATCHED. */
static int ws__poller_set(ws_loop *loop, ws__sock fd, uintptr_t key, int had, int wants)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = (wants & WS_WANT_READ ? (uint32_t)EPOLLIN : 0u) |
               (wants & WS_WANT_WRITE ? (uint32_t)EPOLLOUT : 0u);
    event.data.u64 = key;
    return epoll_ctl(loop->poller, had == WS__UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                     fd, &event);
}

static void ws__poller_drop(ws_loop *loop, ws__sock fd)
{
    struct epoll_event event;
    epoll_ctl(loop->poller, EPOLL_CTL_DEL, fd, &event);
}

static int ws__poller_wait(ws_loop *loop, int ms)
{
    struct epoll_event *event = (struct epoll_event *)(void *)loop->buf;
    int i, n = epoll_wait(loop->poller, event, ws__ready_most(loop, sizeof *event), ms);

    if (n < 0)
        return errno == EINTR ? WS__INTERRUPTED : WS_ERR_POLLER;
    for (i = 0; i < n; i++) {
        loop->ready[i].key = (uintptr_t)event[i].data.u64;
        loop->ready[i].wants = (event[i].events & EPOLLIN ? WS_WANT_READ : 0) |
                            (event[i].events & EPOLLOUT ? WS_WANT_WRITE : 0) |
                            (event[i].events & (EPOLLERR | EPOLLHUP) ? WS__HANGUP : 0);
    }
    loop->ready_count = n;
    return 0;
}

#elif defined(WS__POLLER_KQUEUE)

static int ws__poller_open(ws_loop *loop)
{
    loop->poller = kqueue();
    return loop->poller < 0 ? WS_ERR_POLLER : 0;
}

static void ws__poller_close(ws_loop *loop)
{
    if (loop->poller >= 0)
        close(loop->poller);
    loop->poller = -1;
}

/* had, wants: WS_WANT_ bits, or WS__HANGUP: only that the peer is gone, which ends
   writing, is to be told, and once; the room it has to write never reaches NOTE_LOWAT. */
static int ws__kqueue_set(ws_loop *loop, ws__sock fd, uintptr_t key, int had, int wants)
{
    static const struct {
        int want;
        short filter;
        unsigned short flags;
        unsigned note;
    } side[3] = {
        { WS_WANT_READ, EVFILT_READ, 0, 0 }, { WS_WANT_WRITE, EVFILT_WRITE, 0, 0 },
        { WS__HANGUP, EVFILT_WRITE, EV_CLEAR, NOTE_LOWAT }
    };
    struct kevent change[3];
    int i, n = 0;

    for (i = 0; i < 3; i++)             /* first what goes: two sides share a filter */
        if (had & ~wants & side[i].want) {
            EV_SET(&change[n], (uintptr_t)fd, side[i].filter, EV_DELETE, 0, 0,
                   (void *)key);
            n++;
        }
    for (i = 0; i < 3; i++)
        if (wants & ~had & side[i].want) {
            EV_SET(&change[n], (uintptr_t)fd, side[i].filter, EV_ADD | side[i].flags,
                   side[i].note, side[i].note ? INT_MAX : 0, (void *)key);
            n++;
        }
    return n ? kevent(loop->poller, change, n, NULL, 0, NULL) : 0;
}

static int ws__poller_set(ws_loop *loop, ws__sock fd, uintptr_t key, int had, int wants)
{
    /* a listener or a foreign descriptor hears nothing meanwhile */
    const int idle = key & 3 ? 0 : WS__HANGUP;

    return ws__kqueue_set(loop, fd, key, had == WS__UNWATCHED ? 0 : had ? had : idle,
                          wants ? wants : idle);
}

static void ws__poller_drop(ws_loop *loop, ws__sock fd)
{
    ws__kqueue_set(loop, fd, 0, WS_WANT_READ, 0);
    ws__kqueue_set(loop, fd, 0, WS_WANT_WRITE, 0);
}

static int ws__poller_wait(ws_loop *loop, int ms)
{
    struct kevent *change = (struct kevent *)(void *)loop->buf;
    struct timespec t;
    int i, n;

    t.tv_sec = ms / 1000;
    t.tv_nsec = ms % 1000 * 1000000L;
    n = kevent(loop->poller, NULL, 0, change, ws__ready_most(loop, sizeof *change),
               ms < 0 ? NULL : &t);
    if (n < 0)
        return errno == EINTR ? WS__INTERRUPTED : WS_ERR_POLLER;
    for (i = 0; i < n; i++) {
        loop->ready[i].key = (uintptr_t)change[i].udata;
        loop->ready[i].wants = WS_WANT_WRITE;
        if (change[i].filter == EVFILT_READ)
            loop->ready[i].wants = WS_WANT_READ;
        else if (change[i].flags & EV_EOF)
            loop->ready[i].wants = WS_WANT_WRITE | WS__HANGUP;
    }
    loop->ready_count = n;
    return 0;
}

#else /* poll, WSAPoll: the list is made anew for each wait, and all that is ready has its
         turn */

#define WS__POLL_EACH (sizeof(ws__ready) + sizeof(struct pollfd))

static int ws__poller_open(ws_loop *loop) { loop->poller = -1; return 0; }

static void ws__poller_close(ws_loop *loop)
{
    ws__free(loop->cfg, loop->ready, loop->poll_size * WS__POLL_EACH);
    loop->poll_size = 0;
}

static int ws__poller_grow(ws_loop *loop, uint32_t n)
{
    ws__poller_close(loop);
    loop->ready = (ws__ready *)ws__alloc(loop->cfg, n * WS__POLL_EACH);
    if (!loop->ready)
        return WS_ERR_MEMORY;
    loop->polls = (struct pollfd *)(void *)(loop->ready + n);
    loop->poll_size = n;
    return 0;
}

static int ws__poller_set(ws_loop *loop, ws__sock fd, uintptr_t key, int had, int wants)
{
    (void)loop; (void)fd; (void)key; (void)had; (void)wants;
    return 0;
}

static void ws__poller_drop(ws_loop *loop, ws__sock fd) { (void)loop; (void)fd; }

static void ws__poll_add(struct pollfd *polled, ws__sock fd, int wants)
{
    *polled = ws__poll_entry(wants == WS__UNWATCHED ? WS__NO_SOCK : fd, wants);
}

/* polls[0] is where posts come in, then the listeners, what the application watches, the
   connections. */
static uintptr_t ws__poll_key(const ws_loop *loop, uint32_t i)
{
    if (!i)
        return WS__KEY_POST;
    i--;
    if (i < loop->listener_count)
        return WS__KEY_LISTENER(i);
    i -= loop->listener_count;
    if (i < loop->watched_count)
        return WS__KEY_WATCHED(i);
    return (uintptr_t)loop->heap[i - loop->watched_count + 1];
}

/* Lists all in loop->polls. */
static void ws__poll_list(ws_loop *loop)
{
    struct pollfd *polled = loop->polls;
    uint32_t i;

    ws__poll_add(polled++, loop->post_in, WS_WANT_READ);
    for (i = 0; i < loop->listener_count; i++)
        ws__poll_add(polled++, loop->listeners[i].fd, loop->listeners[i].wants);
    for (i = 0; i < loop->watched_count; i++)
        ws__poll_add(polled++, loop->watched[i].fd,
                     loop->watched[i].always ? WS__UNWATCHED : loop->watched[i].wants);
    for (i = 1; i <= loop->heap_count; i++)
        ws__poll_add(polled++, loop->heap[i]->fd, loop->heap[i]->wants);
}

static int ws__poller_wait(ws_loop *loop, int ms)
{
    uint32_t i, n = 1 + loop->listener_count + loop->watched_count + loop->heap_count;
    int got;

    if (n > loop->poll_size && ws__poller_grow(loop, 2 * n))
        return WS_ERR_MEMORY;
    ws__poll_list(loop);
#ifdef _WIN32
    got = WSAPoll(loop->polls, n, ms);
#else
    got = poll(loop->polls, n, ms);
#endif
    if (got < 0)
        return ws__would_block() ? WS__INTERRUPTED : WS_ERR_POLLER;
    loop->ready_count = 0;
    for (i = 0; i < n && got > 0; i++) {
        ws__ready *out = &loop->ready[loop->ready_count];
        short r = loop->polls[i].revents;
        if (!r || loop->polls[i].fd == WS__NO_SOCK)
            /* WSAPoll says no socket is bad */
            continue;
        out->key = ws__poll_key(loop, i);
        out->wants = (r & POLLIN ? WS_WANT_READ : 0) | (r & POLLOUT ? WS_WANT_WRITE : 0) |
                     (r & (POLLERR | POLLHUP | POLLNVAL) ? WS__HANGUP : 0);
        loop->ready_count++;
    }
    return 0;
}

#endif

#endif /* WS_NO_SOCKETS */

/* ==== >>posts (private) ============================================================= */

#ifndef WS_NO_SOCKETS

static int ws__post_open(ws_loop *loop)
{
    ws__sock sock[2];

    if (ws__pair_open(sock))
        return -1;
    loop->post_in = sock[0];
    loop->post_out = sock[1];
#ifdef _WIN32
    return ws__system_random(loop->post_key, sizeof loop->post_key);
#else
    return 0;
#endif
}

static void ws__post_close(ws_loop *loop)
{
    if (loop->post_in != WS__NO_SOCK)
        ws__sock_close(loop->post_in);
    if (loop->post_out != WS__NO_SOCK)
        ws__sock_close(loop->post_out);
}

#ifdef _WIN32
/* Datagrams that do not fit would be lost: so they are counted. */
#define WS__POSTS_MAX 128

typedef struct ws__letter {
    void *posts[2];
    int count;
    uint8_t key[8];
} ws__letter;

static int ws__post_put(ws_loop *loop, void *const *posts, int count)
{
    ws__letter letter;

    memset(&letter, 0, sizeof letter);
    memcpy(letter.posts, posts, (size_t)count * sizeof *posts);
    letter.count = count;
    memcpy(letter.key, loop->post_key, sizeof letter.key);
    if (InterlockedIncrement(&loop->post_count) <= WS__POSTS_MAX &&
        send(loop->post_out, (const char *)&letter, sizeof letter,
             0) == (int)sizeof letter)
        return 0;
    InterlockedDecrement(&loop->post_count);
    return WS_ERR_BACKLOG;
}

static void ws__post_read(ws_loop *loop)
{
    ws__letter letter;
    int r;

    loop->post_at = loop->post_end = 0;
    while (loop->post_end + 1 < WS__POSTS) {
        r = recv(loop->post_in, (char *)&letter, sizeof letter, 0);
        if (r < 0 && WSAGetLastError() != WSAEMSGSIZE)
            return;
        if (r != (int)sizeof letter ||
            memcmp(letter.key, loop->post_key, sizeof letter.key))
            continue;
        InterlockedDecrement(&loop->post_count);
        memcpy(loop->posts + loop->post_end, letter.posts, sizeof letter.posts);
        loop->post_end += letter.count;
    }
}
#else
/* A pipe takes so few bytes whole or not at all (POSIX: up to PIPE_BUF). */
static int ws__post_put(ws_loop *loop, void *const *posts, int count)
{
    int kept = errno;       /* of whoever a signal interrupts */
    size_t size = (size_t)count * sizeof *posts;
    ssize_t got;

    do got = write(loop->post_out, posts, size); while (got < 0 && errno == EINTR);
    errno = kept;
    return got == (ssize_t)size ? 0 : WS_ERR_BACKLOG;
}

static void ws__post_read(ws_loop *loop)
{
    ssize_t got = read(loop->post_in, loop->posts, sizeof loop->posts);

    loop->post_at = 0;
    loop->post_end = got > 0 ? (int)((size_t)got / sizeof loop->posts[0]) : 0;
}
#endif

WS_API int ws_post(ws_loop *loop, void *message)
{
    return loop ? ws__post_put(loop, &message, 1) : WS_ERR_ARGUMENT;
}

/* What ws_wake posts, to end the wait, and what stands before a parcel of ws_post_to: no
   application can have these addresses. */
static void *ws__wake_mark(ws_loop *loop) { return &loop->post_at; }
static void *ws__parcel_mark(ws_loop *loop) { return &loop->post_end; }

/* When the posts are full the wait ends as well. */
WS_API int ws_wake(ws_loop *loop)
{
    if (!loop)
        return WS_ERR_ARGUMENT;
    if (!ws__flag_set(&loop->woken, 1))
        ws_post(loop, ws__wake_mark(loop));
    return 0;
}

/* Is it a mark, or a parcel, which is delivered at once? */
static int ws__post_is_ours(ws_loop *loop, void *post)
{
    int is_parcel = loop->parcel_next;

    loop->parcel_next = !is_parcel && post == ws__parcel_mark(loop);
    if (is_parcel)
        ws__parcel_deliver(loop, post);
    return is_parcel || loop->parcel_next || post == ws__wake_mark(loop);
}

/* The event of a wake, or of the next post; 0 when there is none. */
static int ws__post_next(ws_loop *loop, ws_event *ev)
{
    if (loop->woken && ws__flag_set(&loop->woken, 0))
        return ws__fill(ev, NULL, WS_EV_WAKE, NULL, 0);
    while (loop->post_at < loop->post_end) {
        void *post = loop->posts[loop->post_at++];
        if (!ws__post_is_ours(loop, post))
            return ws__fill(ev, NULL, WS_EV_POST, post, 0);
    }
    return 0;
}

/* Parcels that nobody will get any more are freed. */
static void ws__posts_drop(ws_loop *loop)
{
    loop->heap_count = 0;
    do {
        while (loop->post_at < loop->post_end)
            ws__post_is_ours(loop, loop->posts[loop->post_at++]);
        ws__post_read(loop);
    } while (loop->post_end);
}

#endif

/* ==== >>foreign (private) =========================================================== */

#if !defined(WS_NO_SOCKETS) && !defined(WS__WITHOUT_FOREIGN)

/* ---- descriptors of others in a loop ---- */

static void ws__watched_free(ws_loop *loop)
{
    ws__free(loop->cfg, loop->watched, loop->watched_size * sizeof *loop->watched);
}

static void ws__watched_clear(ws__watched *watched)
{
    memset(watched, 0, sizeof *watched);
    watched->fd = WS__NO_SOCK;
}

/* What the system says of fd; always: no poller need wait for it. -1: it is not open. */
static int ws__watched_look(ws__watched *watched, ws__sock fd)
{
#ifdef _WIN32
    (void)watched;
    (void)fd;
#else
    struct stat about;

    if (fstat(fd, &about))
        return -1;
    watched->device = (uint64_t)about.st_dev;
    watched->inode = (uint64_t)about.st_ino;
    watched->always = S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);
#endif
    return 0;
}

/* Was it closed without a word? Then another one, even one of ours, may have its
   number. */
static int ws__watched_gone(const ws__watched *watched)
{
    ws__watched now = *watched;

    if (ws__watched_look(&now, watched->fd))
        return 1;
    return now.device != watched->device || now.inode != watched->inode;
}

/* What the poller has told of a descriptor that is not watched any more is forgotten. */
static void ws__watched_forget(ws_loop *loop, ws__watched *watched)
{
    uintptr_t key = WS__KEY_WATCHED(watched - loop->watched);
    int i;

    for (i = loop->ready_at; i < loop->ready_count; i++) {
        if (loop->ready[i].key == key)
            loop->ready[i].wants = 0;
    }
    if (loop->found == (uint32_t)(watched - loop->watched) + 1)
        loop->found = 0;
    if (!watched->always && !ws__watched_gone(watched))
        ws__poller_drop(loop, watched->fd);
    ws__watched_clear(watched);
}

/* The poller found one: it is told by the next ws__watched_next. Since it was found less
   may be wanted. */
static void ws__watched_found(ws_loop *loop, uintptr_t key, int wants)
{
    const ws__watched *watched = &loop->watched[key / 4];

    loop->found_wants = wants & WS__HANGUP ? watched->wants : wants & watched->wants;
    loop->found = loop->found_wants ? (uint32_t)(key / 4) + 1 : 0;
}

static void ws__ready_fill(ws_event *ev, const ws__watched *watched, int wants)
{
    ws__fill(ev, NULL, WS_EV_READY, watched->user, 0);
    ev->fd = (ws_socket)watched->fd;
    ev->wants = wants;
}

/* The event of the one that was found, or of the next that is always ready; none once the
   loop is over. One that was closed without a word is told once. */
static int ws__watched_next(ws_loop *loop, ws_event *ev)
{
    ws__watched *watched;

    if (ws__loop_over(loop)) {
        loop->found = 0;
        return 0;
    }
    if (loop->found) {
        watched = &loop->watched[loop->found - 1];
        loop->found = 0;
        ws__ready_fill(ev, watched, loop->found_wants);
        if (loop->poller < 0 && ws__watched_gone(watched))
            ws__watched_forget(loop, watched);
        return 1;
    }
    while (loop->always_at < loop->watched_count) {
        watched = &loop->watched[loop->always_at++];
        if (watched->always) {
            ws__ready_fill(ev, watched, watched->wants);
            if (ws__watched_gone(watched))
                ws__watched_forget(loop, watched);
            return 1;
        }
    }
    return 0;
}

/* The place of fd, NULL if it is not watched. */
static ws__watched *ws__watched_find(ws_loop *loop, ws__sock fd)
{
    uint32_t i;

    for (i = 0; i < loop->watched_count; i++) {
        if (loop->watched[i].fd == fd)
            return &loop->watched[i];
    }
    return NULL;
}

/* A free place; NULL when memory is out. */
static ws__watched *ws__watched_make(ws_loop *loop)
{
    uint32_t size = loop->watched_size ? 2 * loop->watched_size : 4;
    ws__watched *all, *vacant = ws__watched_find(loop, WS__NO_SOCK);

    if (vacant)
        return vacant;
    if (loop->watched_count == loop->watched_size) {
        all = (ws__watched *)ws__alloc(loop->cfg, size * sizeof *all);
        if (!all)
            return NULL;
        if (loop->watched_count)
            memcpy(all, loop->watched, loop->watched_count * sizeof *all);
        ws__watched_free(loop);
        loop->watched = all;
        loop->watched_size = size;
    }
    vacant = &loop->watched[loop->watched_count++];
    ws__watched_clear(vacant);
    return vacant;
}

/* Tells the poller. An application may have closed the descriptor without a word, and got
   its number again: the system then knows it no more. */
static int ws__watched_set(ws_loop *loop, ws__watched *watched, ws__sock fd, int wants)
{
    uintptr_t key = WS__KEY_WATCHED(watched - loop->watched);
    int had = watched->fd == WS__NO_SOCK ? WS__UNWATCHED : watched->wants;

    if (!ws__poller_set(loop, fd, key, had, wants))
        return 0;
#ifdef WS__POLLER_EPOLL
    if (errno == ENOENT && !ws__poller_set(loop, fd, key, WS__UNWATCHED, wants))
        return 0;
    if (errno == EPERM) {
        watched->always = 1;
        return 0;
    }
    return errno == ENOMEM || errno == ENOSPC ? WS_ERR_POLLER : WS_ERR_ARGUMENT;
#else
    return WS_ERR_POLLER;
#endif
}

/* 1 if a descriptor is watched that is always ready. */
static int ws__always_ready(const ws_loop *loop)
{
    uint32_t i;

    for (i = 0; i < loop->watched_count && !ws__loop_over(loop); i++) {
        if (loop->watched[i].always)
            return 1;
    }
    return 0;
}

/* ---- a loop in others ---- */

WS_API int ws_loop_fd(const ws_loop *loop)
{
    return loop ? loop->poller : -1;
}

/* Has ws_poll something to tell, or to look at, without asking the poller? */
static int ws__loop_busy(const ws_loop *loop)
{
    if (loop->current || loop->queue || loop->found || loop->woken)
        return 1;
    if (loop->ready_at < loop->ready_count || loop->post_at < loop->post_end)
        return 1;
    return loop->rested == 1 || ws__always_ready(loop);
}

WS_API int ws_loop_timeout(ws_loop *loop)
{
    int ms;

    if (!loop)
        return -1;
    if (ws__loop_busy(loop))
        return 0;
    if (ws__loop_over(loop))
        return -1;
    loop->now = ws__clock();
    ms = ws__loop_sleep(loop, UINT64_MAX);
    return loop->poller < 0 && (ms < 0 || ms > WS__LOOK) ? WS__LOOK : ms;
}

/* A loop's descriptors: that of posts, its listeners, what the application watches, its
   connections; and how many there are. */
static uint32_t ws__polled_count(const ws_loop *loop)
{
    return 1 + loop->listener_count + loop->watched_count + loop->heap_count;
}

static ws_polled ws__polled_of(ws__sock fd, int wants)
{
    ws_polled polled;

    polled.fd = (ws_socket)fd;
    polled.wants = wants;
    return polled;
}

static ws_polled ws__polled_at(const ws_loop *loop, uint32_t i)
{
    if (!i--)
        return ws__polled_of(loop->post_in, WS_WANT_READ);
    if (i < loop->listener_count)
        return ws__polled_of(loop->listeners[i].fd, loop->listeners[i].wants);
    i -= loop->listener_count;
    if (i < loop->watched_count)
        return ws__polled_of(loop->watched[i].fd, loop->watched[i].wants);
    i -= loop->watched_count;
    return ws__polled_of(loop->heap[i + 1]->fd, loop->heap[i + 1]->wants);
}

WS_API size_t ws_loop_polls(const ws_loop *loop, ws_polled *list, size_t n)
{
    size_t at = 0;
    uint32_t i;

    if (!loop || (!list && n))
        return 0;
    for (i = 0; i < ws__polled_count(loop); i++) {
        ws_polled polled = ws__polled_at(loop, i);
        if ((ws__sock)polled.fd == WS__NO_SOCK || polled.wants == WS__UNWATCHED)
            continue;
        if (at < n)
            list[at] = polled;
        at++;
    }
    return at;
}

/* ---- watching ---- */

/* Is it a descriptor of the loop itself? epoll knows its own when it is to add one. */
#ifdef WS__POLLER_EPOLL
#define ws__is_ours(loop, fd) 0
#else
static int ws__is_ours(const ws_loop *loop, ws__sock fd)
{
    uint32_t i;

    for (i = 0; i < ws__polled_count(loop); i++) {
        if ((ws__sock)ws__polled_at(loop, i).fd == fd)
            return 1;
    }
    return fd == (ws__sock)loop->poller || fd == loop->post_out;
}
#endif

/* Begins to watch, or changes what is wanted. */
static int ws__watched_start(ws_loop *loop, ws__watched *watched, ws__sock fd, int wants)
{
    int fault = WS_ERR_ARGUMENT;

    if (loop->found == (uint32_t)(watched - loop->watched) + 1)
        loop->found = 0;
    if (!ws__watched_look(watched, fd))
        fault = watched->always ? 0 : ws__watched_set(loop, watched, fd, wants);
    if (fault)
        ws__watched_clear(watched);
    return fault;
}

WS_API int ws_watch(ws_loop *loop, ws_socket fd, int wants, void *user)
{
    ws__sock sock = (ws__sock)fd;
    ws__watched *watched;
    int fault;

    if (!loop || sock == WS__NO_SOCK || wants & ~(WS_WANT_READ | WS_WANT_WRITE))
        return WS_ERR_ARGUMENT;
    watched = ws__watched_find(loop, sock);
    if (watched && (!wants || ws__watched_gone(watched))) {
        ws__watched_forget(loop, watched);
        watched = NULL;
    }
    if (!wants)
        return 0;
    if (!watched && ws__is_ours(loop, sock))
        return WS_ERR_ARGUMENT;
    if (!watched)
        watched = ws__watched_make(loop);
    if (!watched)
        return WS_ERR_MEMORY;
    fault = ws__watched_start(loop, watched, sock, wants);
    if (fault)
        return fault;
    watched->fd = sock;
    watched->wants = (uint8_t)wants;
    watched->user = user;
    return 0;
}

#endif

/* ==== >>adopt (private) ============================================================= */

#ifndef WS_NO_SOCKETS

#ifndef WS_NO_SERVER

/* Makes a socket from which n bytes were read one like those that we accept. */
static void ws__adopt_socket(ws_conn *conn, size_t n)
{
    ws__sock_options(conn->fd);
    if (ws__sock_nonblock(conn->fd)) {
        ws__sock_close(conn->fd);
        conn->fd = WS__NO_SOCK;
        ws__fail(conn, WS_ERR_IO);
        return;
    }
    if (conn->core.error || !ws__serves_tls(&conn->cfg->set))
        return;
    if (n)
        ws__fail(conn, WS_ERR_ARGUMENT);
    else
        ws__wrap(conn, NULL);
}

WS_API ws_conn *ws_adopt(ws_loop *loop, ws_socket fd, const void *data, size_t n,
                         const ws_config *cfg)
{
    ws_conn *conn = ws__server_new(cfg, ws__loop_from(loop, cfg), !loop);

    if (!conn)
        return NULL;
    if (loop && cfg && cfg->memory)
        ws__fail_with(conn, WS_ERR_ARGUMENT, "memory");
    ws__start_clock(conn);
    if ((loop && ws__loop_add(loop, conn)) ||
        (data && ws__rx_append(conn, (const uint8_t *)data, n))) {
        conn->life |= WS__IO_CLOSED;
        ws_free(conn);
        return NULL;
    }
    if (n)
        conn->life |= WS__FRESH;
    conn->fd = (ws__sock)fd;
    if (!conn->cfg->set.io.read && conn->fd != WS__NO_SOCK)
        ws__adopt_socket(conn, n);
    return conn;
}
#endif

/* Back to the request head as it came: ws__server_head put NULs into its first line. */
static void ws__head_restore(ws_conn *conn)
{
    char *p = (char *)WS__DATA(conn->rx) + conn->rx->head_at;
    size_t n;

    WS_ASSERT(conn->rx->head_size);
    conn->rx->pos = conn->rx->head_at;
    n = strlen(p);
    p[n] = ' ';
    p[n + strlen(p + n)] = ' ';
    conn->rx->head_size = 0;       /* no strings any more */
}

/* Is all that came here as it came, or between two messages? */
static int ws__is_detachable(const ws_conn *conn)
{
    if (ws__is_wrapped(conn) || conn->owes & WS__OPEN_OWED)
        return 0;
    if (ws__may_answer(conn))
        return !conn->rx->reads_body && !conn->rx->undone;
    return conn->core.phase == WS__PHASE_FRAMES && !conn->core.sending &&
           !ws__reader_of(conn)->op;
}

/* All that is to be sent goes now. 1 if it went, and more may follow. */
static int ws__leaves_clean(ws_conn *conn)
{
    ws__cork_out(conn);
    ws__flush(conn);
    return !ws__unsent(conn) && !(conn->core.is & WS__CLOSE_SENT);
}

/* What its turn in a loop has read comes to the rest. 0, or WS_ERR_MEMORY. */
static int ws__turn_keep(ws_loop *loop, ws_conn *conn)
{
    int r;

    ws__loop_unshow(loop);
    if (loop->current != conn)
        return 0;
    r = ws__rx_append(conn, loop->span.p, (size_t)(loop->span.end - loop->span.p));
    if (!r)
        loop->span.p = loop->span.end;
    return r;
}

WS_API ws_socket ws_detach(ws_conn *conn, const void **rest, size_t *n)
{
    const ws_socket none = (ws_socket)WS__NO_SOCK;
    ws_socket fd;
    int asked;

    ws__sane(conn);
    if (!conn || !rest || !n || !ws__is_detachable(conn))
        return none;
    asked = ws__may_answer(conn);
    if (!ws__leaves_clean(conn))
        return none;
    ws__unshow(conn);
    if (conn->loop && ws__turn_keep(conn->loop, conn))
        return none;
    if (asked)
        ws__head_restore(conn);
    *n = 0;
    *rest = "";
    if (conn->rx) {
        *n = conn->rx->len - conn->rx->pos;
        *rest = WS__DATA(conn->rx) + conn->rx->pos;
    }
    fd = (ws_socket)conn->fd;
    ws__unwatch(conn);
    conn->fd = WS__NO_SOCK;
    conn->life |= WS__IO_CLOSED;
    if (WS__IS_CLIENT(&conn->core))
        ws__client_of(conn)->reconnect = 0;
    conn->life |= WS__ANSWERED;
    conn->line |= WS__NO_OUTPUT;
    ws__end(conn, WS__PHASE_ENDED);
    return fd;
}

#endif

/* ==== >>dial (private) ============================================================== */

#ifdef WS__DIALS

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

/* The application refused the address, in words. */
#define WS__DENIED (-1)

/* A client that is still connecting. Stage LOOKUP: conn->fd, if any, becomes readable
   when the answer is there. */
typedef struct ws__dial {
    struct ws__lookup *lookup;  /* under way on a thread, or NULL */
    ws_tunnel *tunnel;          /* NULL: straight to the server */
    int stage;
    int next;                   /* address to try */
    uint32_t until;             /* when the one before has had its time */
    uint32_t look_at;           /* when the socket is asked how it goes */
    int error;                  /* of the last one tried */
    int proxy_tls;              /* the proxy itself is https:// */
    char *env;                  /* Windows: of ws__env, NULL: none */
    size_t env_size;
    ws__found found;
    char host[256], port[8];    /* of the server, or of the proxy */
} ws__dial;

/* Before Windows 10 2004 a WSAPoll does not tell of an address that refuses. */
#define WS__CONNECT_LOOK 250    /* ms */

static size_t ws__address_size(const ws__address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

/* Adds the addresses of host to f. Returns 0 if there are any. An IPv4 address is looked
   up all the same: where there is only IPv6, Apple's getaddrinfo makes the one of it that
   leads there. */
static int ws__find_host(ws__found *found, const char *host, const char *port, int flags)
{
    struct addrinfo hints, *all, *info;
    uint8_t ip[16];
    int r;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ws__ipv4_parse(ws__cstr(host), ip) ? flags & ~AI_NUMERICHOST : flags;
#ifndef _WIN32
    errno = 0;
#endif
    r = getaddrinfo(host, port, &hints, &all);
    found->fault = r ? ws__lookup_fault(r) : WS_ERR_LOOKUP;
    found->error = ws__sock_error();
    if (r)
        return -1;
    for (info = all; info && found->count < WS__ADDRESSES; info = info->ai_next)
        if ((info->ai_family == AF_INET || info->ai_family == AF_INET6) &&
            info->ai_addrlen <= sizeof *found->at)
            memcpy(&found->at[found->count++], info->ai_addr, info->ai_addrlen);
    freeaddrinfo(all);
    return found->count ? 0 : -1;
}

static void ws__sock_drop(ws_conn *conn)
{
    ws__unwatch(conn);
    if (conn->fd != WS__NO_SOCK)
        ws__sock_close(conn->fd);
    conn->fd = WS__NO_SOCK;
}

/* ---- lookup on a thread ---- */

#ifdef WS__THREADS

/* Belongs to the connection and the thread until each has marked it; the second one frees
   it. Its memory is malloc's, because cfg.alloc need not be good for two threads. */
typedef struct ws__lookup {
    ws__sock done;           /* the thread's end of a pair; it writes a byte when ready */
    ws__found found;
    char host[256], port[8];
#ifdef _WIN32
    LONG marks;
#else
    int marks;
    pthread_mutex_t lock;
#endif
} ws__lookup;

/* One side is done with q; everything it wrote is seen by the other. Returns 1 to the
   second, who must free it. */
static int ws__lookup_mark(ws__lookup *lookup)
{
#ifdef _WIN32
    return InterlockedIncrement(&lookup->marks) == 2;
#else
    int second;
    pthread_mutex_lock(&lookup->lock);
    second = ++lookup->marks == 2;
    pthread_mutex_unlock(&lookup->lock);
    return second;
#endif
}

static void ws__lookup_free(ws__lookup *lookup)
{
#ifndef _WIN32
    pthread_mutex_destroy(&lookup->lock);
#endif
    free(lookup);
}

static void ws__lookup_run(ws__lookup *lookup)
{
    ws__sock done = lookup->done;

    ws__find_host(&lookup->found, lookup->host, lookup->port, 0);
    if (ws__lookup_mark(lookup))
        ws__lookup_free(lookup);
#ifdef _WIN32
    send(done, "", 1, 0);
#else
    if (write(done, "", 1) < 0) {}   /* nobody reads: fine. The mere end would not show */
#endif                              /* while a child process has inherited a copy of it */
    ws__sock_close(done);
}

#ifdef _WIN32

static DWORD WINAPI ws__lookup_thread(void *q)
{
    ws__lookup_run((ws__lookup *)q);
    return 0;
}

static int ws__lookup_begin(ws__lookup *lookup)
{
    HANDLE h = CreateThread(NULL, 0, ws__lookup_thread, lookup, 0, NULL);

    if (h)
        CloseHandle(h);
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
static int ws__lookup_begin(ws__lookup *lookup)
{
    sigset_t all, old;
    pthread_t id;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&id, NULL, ws__lookup_thread, lookup);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!r)
        pthread_detach(id);
    return r;
}

#endif /* _WIN32 */

/* Starts to look d->host up. Returns 0 or the error. */
static int ws__lookup_start(ws_conn *conn)
{
    ws__dial *dial = conn->dial;
    ws__lookup *lookup = (ws__lookup *)calloc(1, sizeof *lookup);
    ws__sock pair[2];

    if (!lookup)
        return WS_ERR_MEMORY;
    if (ws__pair_open(pair)) {
        dial->found.error = ws__sock_error();
        free(lookup);
        return WS_ERR_SYSTEM;
    }
    memcpy(lookup->host, dial->host, sizeof lookup->host);
    memcpy(lookup->port, dial->port, sizeof lookup->port);
    lookup->done = pair[1];
#ifndef _WIN32
    pthread_mutex_init(&lookup->lock, NULL);
#endif
    dial->found.error = ws__lookup_begin(lookup);
    if (dial->found.error) {
        ws__lookup_free(lookup);
        ws__sock_close(pair[0]);
        ws__sock_close(pair[1]);
        return WS_ERR_SYSTEM;
    }
    conn->fd = pair[0];
    dial->lookup = lookup;
    return 0;
}

/* Ends conn's part in its lookup. done: it is ready; take the answer. */
static void ws__lookup_end(ws_conn *conn, int done)
{
    ws__lookup *lookup = conn->dial->lookup;

    if (!lookup)
        return;
    conn->dial->lookup = NULL;
    ws__sock_drop(conn);
    if (!ws__lookup_mark(lookup))
        return;
    if (done)
        conn->dial->found = lookup->found;
    ws__lookup_free(lookup);
}

#else

static int ws__lookup_start(ws_conn *conn)
{
    ws__find_host(&conn->dial->found, conn->dial->host, conn->dial->port, 0);
    return 0;
}

static void ws__lookup_end(ws_conn *conn, int done) { (void)conn; (void)done; }

#endif /* WS__THREADS */

static void ws__dial_free(ws_conn *conn)
{
    if (!conn->dial)
        return;
    ws__lookup_end(conn, 0);
    ws__free(conn->cfg, conn->dial->env, conn->dial->env_size);
    ws__free(conn->cfg, conn->dial->tunnel, sizeof *conn->dial->tunnel);
    if (!ws__is_fixed(conn))
        ws__free(conn->cfg, conn->dial, sizeof *conn->dial);
    conn->dial = NULL;
}

/* Makes conn->dial. In the caller's block it lies at the end of the input, of which there
   is none yet. 0 when there is no room. */
static int ws__dial_new(ws_conn *conn)
{
    const size_t size = sizeof *conn->dial;

    if (!ws__is_fixed(conn))
        conn->dial = (ws__dial *)ws__alloc(conn->cfg, size);
    else if (conn->rx->cap >= size + 8)
        conn->dial = (ws__dial *)(void *)(WS__DATA(conn->rx) +
                                          (conn->rx->cap - size) / 8 * 8);
    if (conn->dial)
        memset(conn->dial, 0, size);
    return conn->dial != NULL;
}

static void ws__dial_failed(ws_conn *conn, int error, const char *more)
{
    ws__fail_with(conn, error, more);
    ws__dial_free(conn);
}

/* The way to the server is open: TLS with it comes next, or the request. */
WS__APART void ws__dial_done(ws_conn *conn)
{
    char host[256];
    ws_url url;

    ws_url_parse(ws_url_of(conn), strlen(ws_url_of(conn)), &url);
    if (url.secure) {
        size_t n = ws__url_host(&url).size;
        if (n > 1 && url.host.data[n - 1] == '.')
            n--;  /* DNS's; no certificate has it */
        memcpy(host, url.host.data, n);
        host[n] = 0;
        ws__wrap(conn, host);
    }
    ws__dial_free(conn);
}

/* ---- connecting ---- */

WS__APART void ws__connect_failed(ws_conn *conn, int error, const char *address)
{
    char text[200], code[32];
    ws__text out = ws__text_in(text, sizeof text);
    int ours = ws__out_of(error);

    if (ours)
        ws__puts(&out, "connecting to ");
    if (ours || error == WS__DENIED)
        ws__puts(&out, address);
    if (ours)
        ws__puts(&out, ": ");
    if (error == WS__DENIED)
        ws__puts(&out, " is not allowed (allow_address)");
    else if (error)
        ws__puts(&out, ws__sock_why(error, code));
    ws__dial_failed(conn, ours ? WS_ERR_SYSTEM : WS_ERR_CONNECT, *text ? text : NULL);
}

static int ws__allows(ws_conn *conn, const char *address)
{
    const ws_config *set = &conn->cfg->set;

    return !set->allow_address ||
        (set->allow_address)(set->allow_address_user, conn, address);
}

/* Begins a connection to one address. 1 under way, 0 connected, -1 refused. */
static int ws__connect_one(ws_conn *conn, const struct sockaddr *addr, size_t size,
                           int family)
{
    ws__sock sock = ws__sock_open(family, SOCK_STREAM);

    if (sock == WS__NO_SOCK)
        return -1;
    if (family != AF_UNIX)
        ws__sock_options(sock);
    if (conn->cfg->set.on_socket)
        (conn->cfg->set.on_socket)(conn->cfg->set.on_socket_user, (intptr_t)sock);
    conn->fd = sock;
    conn->wants = WS__UNWATCHED;
    if (!ws__sock_connect(sock, addr, size))
        return 0;
#ifdef _WIN32
    if (WSAGetLastError() == WSAEWOULDBLOCK)
        return 1;
#else
    if (errno == EINPROGRESS || errno == EALREADY)
        return 1;
#endif
    conn->fd = WS__NO_SOCK;
    ws__sock_close(sock);
    return -1;
}

/* The socket is connected: to the server, or to the proxy. */
static void ws__dial_connected(ws_conn *conn)
{
    conn->dial->stage = WS__DIAL_TUNNEL;
    if (conn->dial->proxy_tls && ws__wrap(conn, conn->dial->host))
        ws__dial_free(conn);
    else if (conn->dial->tunnel)
        ws__dial_tunnel(conn);
    else
        ws__dial_done(conn);
}

/* Goes to the next address that does not fail at once. While others are left, each gets a
   part of the time. */
static void ws__dial_next(ws_conn *conn)
{
    ws__dial *dial = conn->dial;
    char text[80] = "";

    dial->stage = WS__DIAL_CONNECT;
    while (dial->next < dial->found.count) {
        const ws__address *address = &dial->found.at[dial->next++];
        ws__text out = ws__text_in(text, sizeof text);
        uint32_t left;
        int r;
        ws__put_address(&out, &address->any, ws__address_size(address));
        if (!ws__allows(conn, text)) {
            dial->error = WS__DENIED;
            continue;
        }
        r = ws__connect_one(conn, &address->any, ws__address_size(address),
                            address->any.sa_family);
        if (r < 0) {
            dial->error = ws__sock_error();
            continue;
        }
        left = (uint32_t)ws__core_left(&conn->core, conn->now);
        dial->until = conn->now + (dial->next < dial->found.count ? left / 3 : left);
        dial->look_at = conn->now + WS__CONNECT_LOOK;
        if (!r)
            ws__dial_connected(conn);
        return;
    }
    ws__connect_failed(conn, dial->error, text);
}

/* No address was found. */
static void ws__lookup_failed(ws_conn *conn, int fault)
{
    char text[300], code[32];
    ws__text out = ws__text_in(text, sizeof text);

    ws__puts(&out, fault == WS_ERR_SYSTEM ? "looking up " : "");
    ws__puts(&out, conn->dial->host);
    if (fault == WS_ERR_SYSTEM && conn->dial->found.error) {
        ws__puts(&out, ": ");
        ws__puts(&out, ws__sock_why(conn->dial->found.error, code));
    }
    ws__dial_failed(conn, fault, text);
}

static void ws__dial_found(ws_conn *conn)
{
    const ws__found *found = &conn->dial->found;

    if (found->count)
        ws__dial_next(conn);
    else
        ws__lookup_failed(conn, found->fault ? found->fault : (int)WS_ERR_LOOKUP);
}

/* Is the host an address, in its usual form? All others are names, whatever the system
   makes of them. */
static int ws__is_address(ws_str host)
{
    uint8_t ip[16];

    return ws__ipv4_parse(host, ip) || ws__find(host, 0, ':') < host.size;
}

/* Addresses at once, or stage LOOKUP. */
WS__APART void ws__dial_lookup(ws_conn *conn)
{
    const ws_config *set = &conn->cfg->set;
    ws__dial *dial = conn->dial;
    int error;

    if (ws__is_address(ws__cstr(dial->host)) &&
        !ws__find_host(&dial->found, dial->host, dial->port, AI_NUMERICHOST)) {
        ws__dial_next(conn);
        return;
    }
    if (set->resolve) {
        (set->resolve)(set->resolve_user, conn, dial->host);
        return;
    }
    error = ws__lookup_start(conn);
    if (error)
        ws__lookup_failed(conn, error);
    else if (!dial->lookup)
        ws__dial_found(conn);
}

WS_API int ws_resolved(ws_conn *conn, const char *addresses)
{
    ws_str list = ws__cstr(addresses), item;
    ws__dial *dial = conn ? conn->dial : NULL;
    char host[64];
    int bad = 0;

    ws__sane(conn);
    if (!conn)
        return WS_ERR_ARGUMENT;
    if (!dial || dial->stage != WS__DIAL_LOOKUP || dial->lookup ||
        conn->core.phase != WS__PHASE_HEAD)
        return WS_ERR_STATE;
    memset(&dial->found, 0, sizeof dial->found);
    while (!bad && ws_list_next(&list, &item)) {
        bad = item.size >= sizeof host;
        if (!bad)
            memcpy(host, item.data, item.size);
        host[bad ? 0 : item.size] = 0;
        bad = bad || ws__find_host(&dial->found, host, dial->port, AI_NUMERICHOST);
    }
    if (bad) {
        dial->found.count = 0;
        return WS_ERR_ARGUMENT;
    }
    conn->now = (uint32_t)ws__clock();
    ws__dial_found(conn);
    ws__wake(conn);
    return 0;
}

/* ---- start, steps, time ---- */

WS__APART void ws__dial_unix(ws_conn *conn, const ws_url *url)
{
#ifdef _WIN32
    (void)url;
    ws__fail(conn, WS_ERR_CONNECT);
#else
    struct sockaddr_un a;
    char text[sizeof a.sun_path + 8];
    ws__text out = ws__text_in(text, sizeof text);
    size_t size;

    ws__puts(&out, "unix:");
    ws__put(&out, url->host.data, url->host.size);
    if (ws__unix_address(&a, &size, url->host))
        ws__fail_with(conn, WS_ERR_CONNECT,
                      "no path or name that a unix socket can have");
    else if (!ws__allows(conn, text))
        ws__connect_failed(conn, WS__DENIED, text);
    else if (ws__connect_one(conn, (struct sockaddr *)&a, size, AF_UNIX))
        ws__connect_failed(conn, errno, text);
#endif
}

/* Starts a client, whose request is queued, on its way to its URL. */
static void ws__dial_start(ws_conn *conn)
{
    const char *why;
    ws_url url, via;
    ws__text text;
    int error = 0;

    ws_url_parse(ws_url_of(conn), strlen(ws_url_of(conn)), &url);
    if (url.secure && ws__is_fixed(conn)) {
        ws__fail_with(conn, WS_ERR_ARGUMENT, "TLS with cfg.memory goes through cfg.io");
        return;
    }
    if (url.secure)
        error = ws__tls_ready(conn, &why);
    if (error) {
        ws__fail_with(conn, error, why);
        return;
    }
    if (ws__sock_startup()) {
        ws__fail(conn, WS_ERR_CONNECT);
        return;
    }
    if (url.is_unix) {
        ws__dial_unix(conn, &url);
        return;
    }
    if (!ws__dial_new(conn)) {
        ws__fail(conn, WS_ERR_MEMORY);
        return;
    }
    why = "proxy";
    via = url;
    error = ws__dial_proxy(conn, &url, &via, &why);
    if (error) {
        ws__dial_failed(conn, error, why ? why : "proxy");
        return;
    }
    if (via.host.size >= sizeof conn->dial->host) {
        ws__dial_failed(conn, WS_ERR_LOOKUP, NULL);
        return;
    }
    memcpy(conn->dial->host, via.host.data, via.host.size);
    if (via.ipv6) {             /* a zone as the system writes it */
        ptrdiff_t n = ws__unescape(via.host, 0, 0, conn->dial->host,
                                   sizeof conn->dial->host - 1);
        conn->dial->host[n] = 0;
    }
    text = ws__text_in(conn->dial->port, sizeof conn->dial->port);
    ws__put_number(&text, via.port);
    ws__dial_lookup(conn);
}

/* Has conn->fd got what its stage waits for? */
static int ws__dial_ready(const ws_conn *conn)
{
    int looks_up = conn->dial->stage == WS__DIAL_LOOKUP;

    if (ws__sock_wait(conn->fd, looks_up ? WS_WANT_READ : WS_WANT_WRITE, 0) > 0)
        return 1;
#ifdef _WIN32           /* where a refused socket is not told by polling */
    if (!looks_up && conn->fd != WS__NO_SOCK) {
        int error = 0;
        socklen_t n = sizeof error;
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, (char *)&error, &n);
        if (error)
            WSASetLastError(error);
        return error != 0;
    }
#endif
    return 0;
}

/* Goes on connecting as far as the socket allows. */
static void ws__dial_step(ws_conn *conn)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (conn->core.phase != WS__PHASE_HEAD)
        return;
    if (conn->dial->stage == WS__DIAL_TUNNEL) {
        ws__dial_tunnel(conn);
        return;
    }
    if (!ws__dial_ready(conn))
        return;
    if (conn->dial->stage == WS__DIAL_LOOKUP) {
        ws__lookup_end(conn, 1);
        ws__dial_found(conn);
        return;
    }
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, (char *)&error, &n))
        error = ws__sock_error();
    if (!error) {
        ws__dial_connected(conn);
        return;
    }
    conn->dial->error = error;
    ws__sock_drop(conn);
    ws__dial_next(conn);
}

static int ws__dial_wants(const ws_conn *conn)
{
    const ws__dial *dial = conn->dial;

    if (dial->stage == WS__DIAL_LOOKUP)
        return dial->lookup ? WS_WANT_READ : 0;
    if (dial->stage == WS__DIAL_CONNECT)
        return WS_WANT_WRITE;
    if (dial->tunnel->pos < dial->tunnel->end)
        return conn->line & WS__WRITE_WANTS_READ ? WS_WANT_READ : WS_WANT_WRITE;
    return conn->line & WS__READ_WANTS_WRITE ? WS_WANT_WRITE : WS_WANT_READ;
}

/* The time for connecting is over: says with what it went. */
static void ws__dial_late(ws_conn *conn)
{
    ws__dial *dial = conn->dial;
    char text[128];
    ws__text out = ws__text_in(text, sizeof text);

    if (dial->stage == WS__DIAL_TUNNEL) {
        ws__puts(&out, "waiting for the proxy");
    } else if (dial->stage == WS__DIAL_LOOKUP) {
        ws__puts(&out, "looking up ");
        ws__puts(&out, dial->host);
    } else {
        const ws__address *address = &dial->found.at[dial->next - 1];
        ws__puts(&out, "connecting to ");
        ws__put_address(&out, &address->any, ws__address_size(address));
    }
    ws__dial_failed(conn, WS_ERR_HANDSHAKE_TIMEOUT, text);
}

/* Is it one address after the other that is tried? */
static int ws__connects(const ws_conn *conn)
{
    return conn->dial && conn->core.phase == WS__PHASE_HEAD &&
        conn->dial->stage == WS__DIAL_CONNECT;
}

/* When the present address is to be looked after. */
static uint32_t ws__connect_due(const ws_conn *conn, uint32_t now)
{
    const ws__dial *dial = conn->dial;

#ifdef _WIN32
    return ws__sooner(now, dial->until, dial->look_at);
#else
    (void)now;
    return dial->until;
#endif
}

/* Something of a client's way to the server is due: the next try, or a silent address
   gives way to the next. 0: it is neither down nor connecting. */
static int ws__dial_expired(ws_conn *conn)
{
    ws__dial *dial = conn->dial;

    if (conn->owes & WS__DOWN) {
        ws__retry(conn);
    } else if (!dial || conn->core.phase != WS__PHASE_HEAD) {
        return 0;
    } else if (ws__core_left(&conn->core, conn->now) <= 0) {
        ws__dial_late(conn);
    } else if ((int32_t)(conn->now - dial->until) < 0) {
        dial->look_at = conn->now + WS__CONNECT_LOOK;
    } else if (dial->next == dial->found.count) {
        dial->until = conn->now + (uint32_t)ws__core_left(&conn->core, conn->now);
    } else {
        ws__sock_drop(conn);
        ws__dial_next(conn);
    }
    return 1;
}

#endif /* WS__DIALS */

/* ==== >>reconnect (private) ========================================================= */

#ifdef WS__RETRIES

/* Has it a driver that can make new connections? */
static int ws__can_dial(const ws_conn *conn)
{
    return ws__is_driven(conn) && !conn->cfg->set.io.read;
}

/* Does an answer of this status send us elsewhere? */
static int ws__redirects(const ws_conn *conn, int status)
{
    return conn->cfg->set.max_redirects && ws__can_dial(conn) && !ws__is_fixed(conn) &&
           ((status >= 301 && status <= 303) || status == 307 || status == 308);
}

/* Takes "." and ".." out of the path p[0..n), which begins with '/' (RFC 3986 5.2.4).
   Returns what is left of n. */
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
        if (end == n)
            p[out++] = '/';
    }
    return out;
}

/* Writes the URL that a Location means when it comes from another (RFC 3986 5.2). */
static void ws__put_location(ws__text *text, const ws_url *from, ws_str to)
{
    ws_str path = from->target;
    size_t colon = ws__find(to, 0, ':'), slash = ws__find(to, 0, '/'),
        ask = ws__find(to, 0, '?');
    char *at;

    if (colon < slash && colon < ask) {
        ws__put(text, to.data, to.size);
        return;
    }
    ws__puts(text, from->is_unix ? "ws+unix:" : from->secure ? "wss:" : "ws:");
    if (slash == 0 && to.size > 1 && to.data[1] == '/') {
        ws__put(text, to.data, to.size);
        return;
    }
    if (from->is_unix) {
        ws__put(text, from->host.data, from->host.size);
        ws__puts(text, ":");
    } else {
        ws__puts(text, "//");
        ws__put_host(text, from);
    }
    at = text->at;
    path.size = ws__find(path, 0, '?');
    if (ask)
        while (path.size && path.data[path.size - 1] != '/')
            path.size--;
    if (slash) {
        ws__puts(text, path.size ? "" : "/");
        ws__put(text, path.data, path.size);
    }
    path = ws__str(at, (size_t)(text->at - at) + ask);
    ws__put(text, to.data, to.size);
    if (!text->cut) {
        size_t tail = to.size - ask, left = ws__path_tidy(at, path.size);
        memmove(at + left, at + path.size, tail + 1);
        text->at = at + left + tail;
    }
}

static int ws__same_server(const ws_url *a, const ws_url *b)
{
    return a->secure == b->secure && a->is_unix == b->is_unix && a->port == b->port &&
           ws__same_text(a->host, b->host);
}

/* Makes the URL that a Location leads to in text; user and password go along to the same
   server. Returns NULL, or what is wrong. */
static const char *ws__location(ws__text *out, const ws_url *from, ws_str to,
                                uint8_t *crossed)
{
    char *text = out->at;
    ws_url url;

    to.size = ws__find(to, 0, '#');
    if (!to.size)
        return "no Location";
    ws__put_location(out, from, to);
    if (out->cut || ws_url_parse(text, (size_t)(out->at - text), &url))
        return "bad Location";
    if (url.is_unix && !ws__same_server(from, &url))
        return "bad Location";
    if (from->secure && !url.secure)
        return "from wss to ws";
    if (!ws__same_server(from, &url)) {
        *crossed = 1;
        return NULL;
    }
    if (from->user.data && !url.user.data && !url.is_unix) {
        char *at = text + (url.host.data - text) - url.ipv6;
        const char *end = from->password.data ? from->password.data + from->password.size
                                              : from->user.data + from->user.size;
        size_t n = (size_t)(end - from->user.data) + 1, tail = (size_t)(out->at - at) + 1;
        if ((size_t)(out->end - out->at) <= n)
            return "bad Location";
        memmove(at + n, at, tail);
        memcpy(at, from->user.data, n);         /* with the '@' behind it */
        out->at += n;
    }
    return NULL;
}

/* Everything of the last connection is forgotten, but for output that waits for OPEN. */
static void ws__renew(ws_conn *conn)
{
    ws__client *client = ws__client_of(conn);

    ws__dial_free(conn);
    ws__hang_up(conn);
    ws__rx_free(conn);
    if (ws__is_fixed(conn)) {
        size_t cap = conn->rx->cap;
        memset(conn->rx, 0, sizeof *conn->rx);
        conn->rx->cap = cap;
        *conn->note = 0;
    } else {
        ws__free(conn->cfg, conn->note, WS__NOTE_SIZE);
        conn->note = NULL;
    }
    conn->line &= WS__PAUSED;
    conn->owes &= WS__REFUSED | WS__DRAIN_ASKED;
    conn->life &= WS__TICKED | WS__LOOKED;
    ws__core_renew(&conn->core, conn->now);
    conn->protocol = 0;
    client->to_follow = 0;
    client->answered = client->status = 0;
    client->close_ahead = 0;
    conn->refused = 0;
    conn->taken = 0;
    ws__ext_free(conn);
}

/* Queues the request for the present URL, behind it what waits in old, which may be NULL,
   and sets out. */
static void ws__set_out(ws_conn *conn, ws__tx *old)
{
    ws__tx *made;
    ws_url url;
    int fault;

    ws_url_parse(ws_url_of(conn), strlen(ws_url_of(conn)), &url);
    fault = ws__request_put(conn, &url);
    if (old) {
        if (!fault)
            fault = ws__tx_join(conn, old);
        made = conn->tx;
        conn->tx = old;
        ws__tx_clear(conn);
        conn->tx = made;
    }
    if (fault)
        ws__fail(conn, fault);
    else
        ws__dial_start(conn);
}

/* Goes where the answer's Location says. Returns 0, or an error with *why. */
static int ws__follow(ws_conn *conn, const char **why)
{
    ws__client *client = ws__client_of(conn);
    const char *text = ws_url_of(conn);
    ws_str to = ws_header_value(conn, "Location");
    size_t room = 2 * strlen(text) + to.size + 16;
    ws__tx *old = conn->tx;
    ws__text out;
    ws_url from;
    char *buf, *fit;

    if (client->hops >= conn->cfg->set.max_redirects) {
        *why = "too many";
        return WS_ERR_REDIRECT;
    }
    buf = (char *)ws__alloc(conn->cfg, room);
    if (!buf)
        return WS_ERR_MEMORY;
    out = ws__text_in(buf, room);
    ws_url_parse(text, strlen(text), &from);
    *why = ws__location(&out, &from, to, &client->crossed);
    fit = *why ? NULL : ws__string_new(conn, ws__cstr(buf));
    ws__free(conn->cfg, buf, room);
    if (*why)
        return WS_ERR_REDIRECT;
    if (!fit)
        return WS_ERR_MEMORY;
    ws__string_free(conn, client->moved);
    client->moved = fit;
    client->hops++;
    conn->tx = NULL;
    ws__renew(conn);
    ws__set_out(conn, old);
    return 0;
}

/* The next try after DOWN, from the first URL on. */
static void ws__retry(ws_conn *conn)
{
    ws__client *client = ws__client_of(conn);

    ws__string_free(conn, client->moved);
    client->moved = NULL;
    client->hops = client->crossed = client->as_get = 0;
    ws__core_wait(&conn->core, conn->now, conn->cfg->set.handshake_timeout);
    ws__tx_clear(conn);
    if (ws__more_of(conn)) {
        ws__more_of(conn)->read = NULL;
        ws__more_of(conn)->read_asked = 0;
    }
    conn->owes = 0;
    ws__renew(conn);
    ws__set_out(conn, NULL);
}

/* Refused by a server that may take it later. */
static int ws__refused_for_now(const ws_conn *conn)
{
    int status = ws__status(conn);

    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* The ms that such a server asks us to wait, 0 if none. */
static uint32_t ws__retry_after(const ws_conn *conn)
{
    const ws_config *set = &conn->cfg->set;
    ws_str value = ws_header_value(conn, "Retry-After");
    uint64_t ms = 0;
    size_t i;

    if (!set->retry_after || !ws__refused_for_now(conn))
        return 0;
    for (i = 0; i < value.size; i++) {
        if (!ws__is_digit(value.data[i]))
            return 0;
        ms = ms * 10 + (uint64_t)(value.data[i] - '0') * 1000u;
        if (ms > set->retry_max)
            return set->retry_max;
    }
    return (uint32_t)ms;
}

/* Milliseconds until the next try: from half to all of a delay that doubles, and is the
   first one again after a connection that lasted longer. */
static uint32_t ws__back_off(ws_conn *conn)
{
    const ws_config *set = &conn->cfg->set;
    ws__client *client = ws__client_of(conn);
    uint32_t least = client->delay_set ? client->reconnect : 0;
    uint32_t most = ws__smaller(ws__larger(set->reconnect_max, least), WS__LONGEST);
    uint32_t shortest, longest, r = 0;

    if (!client->delay ||
        (conn->life & WS__OPENED && conn->now - client->opened >= client->delay))
        client->delay = ws__smaller(client->reconnect, most);
    else
        client->delay = client->delay < most / 2 ? 2 * client->delay : most;
    shortest = ws__larger(client->delay - client->delay / 2, least);
    longest = ws__smaller(least + least / 4, set->retry_max);
    shortest = ws__larger(shortest, ws__retry_after(conn));
    longest = ws__larger(longest, ws__larger(client->delay, shortest));
    if (ws__random(conn, &r, sizeof r))
        r = 0;
    return shortest + r % (longest - shortest + 1);
}

/* Is the CLOSE in ev the last word? 1: yes, or it has become DOWN; 0: no, a redirect
   leads on. */
static int ws__again(ws_conn *conn, ws_event *ev)
{
    const ws_config *set = &conn->cfg->set;
    ws__client *client = ws__client_of(conn);
    const char *why = NULL;
    int error, refused;

    if (client->to_follow) {
        error = ws__follow(conn, &why);
        if (!error)
            return 0;
        ws__fail_with(conn, error, why);
        ev->error = error;
        ev->code = conn->core.code;
        ev->reason = ws_error_text(conn);
    }
    error = -(int)conn->core.error;
    refused = error == WS_ERR_STATUS || error == WS_ERR_REDIRECT;
    if (refused && set->refusal_final && !(set->retry_after && ws__refused_for_now(conn)))
        return 1;
    if (!client->reconnect || !ws__can_dial(conn) ||
        error == WS_ERR_URL || error == WS_ERR_NO_TLS || error == WS_ERR_ARGUMENT ||
        error == WS_ERR_MEMORY)
        return 1;
    ws__drop_output(conn);
    ws__ext_free(conn);
    ws__dial_free(conn);
    ws__hang_up(conn);
    ev->type = WS_EV_DOWN;
    ev->retry_in = (int)ws__back_off(conn);
    ws__core_wait(&conn->core, conn->now, (uint32_t)ev->retry_in);
    conn->owes = (uint8_t)((conn->owes & ~WS__CLOSE_TOLD) | WS__DOWN);
    return 1;
}

#endif /* WS__RETRIES */

#ifndef WS_NO_CLIENT
WS_API int ws_reconnect_header(ws_conn *conn, const char *name, const char *value)
{
    ws_header header[2];
    size_t n;
    ws__text text;
    char *line = NULL;

    ws__sane(conn);
    if (!conn || !WS__IS_CLIENT(&conn->core) || ws__is_fixed(conn) || !name)
        return WS_ERR_ARGUMENT;
    header[0].name = name;
    header[0].value = value;
    header[1].name = NULL;
    if (value && !ws__headers_own(header, 0))
        return WS_ERR_ARGUMENT;
    if (value) {
        n = ws__lines_size(header);
        line = (char *)ws__alloc(conn->cfg, n);
        if (!line)
            return WS_ERR_MEMORY;
        text = ws__text_in(line, n);
        ws__put_lines(&text, header);
    }
    ws__string_free(conn, ws__client_of(conn)->next_line);
    ws__client_of(conn)->next_line = line;
    return 0;
}

WS_API void ws_reconnect_delay(ws_conn *conn, uint32_t ms)
{
    ws__client *client;

    ws__sane(conn);
    if (!conn || !WS__IS_CLIENT(&conn->core))
        return;
    client = ws__client_of(conn);
    if (!client->reconnect)
        return;
    client->reconnect = ms ? ws__smaller(ms, WS__LONGEST) : 1;
    client->delay_set = 1;
    client->delay = 0;
}
#endif

/* ==== >>proxy (private) ============================================================= */

#ifdef WS__PROXIES

/* What buf holds. HTTP: first the request, then the answer in its place. SOCKS5: up to
   three requests one behind the other, each ending at part[]; answers from WS__SOCKS_IN
   on. */
enum {
    WS__TUNNEL_HTTP,
    WS__TUNNEL_METHOD,      /* SOCKS5: which method the proxy takes */
    WS__TUNNEL_LOGIN,       /* are user and password right? */
    WS__TUNNEL_REPLY        /* is the way open? */
};

#define WS__SOCKS_IN 1024

/* The port of a proxy whose URL has none; 0: there is no such scheme. */
static uint16_t ws__proxy_port(ws_str scheme)
{
    static const struct { char name[8]; uint16_t port; } schemes[] = {
        { "http", 80 }, { "https", 443 }, { "socks5", 1080 }, { "socks5h", 1080 }
    };
    size_t i;

    for (i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (ws_str_is(scheme, schemes[i].name))
            return schemes[i].port;
    return 0;
}

static const char *ws__scheme_end(ws_str text)
{
    size_t i;

    for (i = 0; i + 3 <= text.size; i++)
        if (!memcmp(text.data + i, "://", 3))
            return text.data + i;
    return NULL;
}

/* [scheme://][user:password@]host[:port][/] of a proxy. */
static int ws__proxy_parse(const char *text, ws_url *url, ws__url_why *why)
{
    const char *mark = ws__scheme_end(ws__cstr(text));
    ws_str rest = ws__cstr(mark ? mark + 3 : text);
    size_t i;

    memset(url, 0, sizeof *url);
    for (i = 0; text[i]; i++)
        if (!ws__is_visible(text[i]))
            return ws__url_fault(why, "proxy: a space, or a character to percent-encode",
                                 i);
    url->scheme = mark ? ws__str(text, (size_t)(mark - text)) : ws__cstr("http");
    url->secure = (uint8_t)ws_str_is(url->scheme, "https");
    url->port = ws__proxy_port(url->scheme);
    if (!url->port)
        return ws__url_fault(why, "proxy: scheme is not http, https, socks5 or socks5h",
                             0);
    if (rest.size && rest.data[rest.size - 1] == '/')
        rest.size--;
    for (i = 0; i < rest.size; i++)
        if (strchr("/?#", rest.data[i]))
            return ws__url_fault(why, "proxy: a path", i);
    if (!ws__url_authority(rest, url))
        return 0;
    return ws__url_fault(why,
                         url->host.size ? "proxy: port" : "proxy: host, user or password",
                         0);
}

/* Writes user and password (RFC 1929 2); returns where they end, or NULL: they do not
   have 1 to 255 bytes. */
static uint8_t *ws__socks_put_login(uint8_t *at, const ws_url *proxy)
{
    ptrdiff_t user = ws__unescape(proxy->user, 0, 1, (char *)at + 2, 255), password;

    if (user <= 0)
        return NULL;
    password = ws__unescape(proxy->password, 0, 1, (char *)at + 3 + user, 255);
    if (password < 0)
        return NULL;
    at[0] = 1;
    at[1] = (uint8_t)user;
    at[2 + user] = (uint8_t)password;
    return at + 3 + user + password;
}

enum { WS__SOCKS_IPV4 = 1, WS__SOCKS_NAME = 3, WS__SOCKS_IPV6 = 4 };   /* address types */

/* Writes the request (RFC 1928 4); returns where it ends. */
static uint8_t *ws__socks_put_request(uint8_t *at, ws_str host, uint16_t port)
{
    uint8_t ip[16];
    size_t ip_size = ws__ip_parse(host, ip);

    memcpy(at, "\5\1\0", 3);
    at += 3;
    if (ip_size) {
        *at++ = ip_size == 4 ? WS__SOCKS_IPV4 : WS__SOCKS_IPV6;
        memcpy(at, ip, ip_size);
        at += ip_size;
    } else {
        *at++ = WS__SOCKS_NAME;
        *at++ = (uint8_t)host.size;
        memcpy(at, host.data, host.size);
        at += host.size;
    }
    ws__put16(at, port);
    return at + 2;
}

/* Greeting (RFC 1928 3), login, request. */
static int ws__socks_write(ws_tunnel *tunnel, const ws_url *proxy, ws_str host,
                           uint16_t port)
{
    uint8_t *begin = (uint8_t *)tunnel->buf, *at = begin;
    int auth = proxy->user.data != NULL;

    *at++ = 5;
    *at++ = auth ? 2 : 1;
    *at++ = 0;
    if (auth)
        *at++ = 2;
    tunnel->part[0] = tunnel->end = (uint32_t)(at - begin);
    if (auth)
        at = ws__socks_put_login(at, proxy);
    if (!at) {
        ws__text words = ws__text_in(tunnel->text, sizeof tunnel->text);
        ws__puts(&words, "SOCKS5: user and password have 1 to 255 bytes");
        return WS_ERR_ARGUMENT;
    }
    tunnel->part[1] = (uint32_t)(at - begin);
    at = ws__socks_put_request(at, host, port);
    tunnel->part[2] = (uint32_t)(at - begin);
    tunnel->stage = WS__TUNNEL_METHOD;
    return 0;
}

/* A host that may stand in front of ":port". */
static int ws__host_valid(ws_str host)
{
    uint8_t ip[16];
    size_t i;

    if (!host.size || host.size > 255)
        return 0;
    if (ws__find(host, 0, ':') < host.size)
        return ws__ipv6_parse(host, ip);
    for (i = 0; i < host.size; i++) {
        char c = host.data[i];
        if (!ws__is_visible(c) || !ws__is_plain(c) || strchr("/?#%,", c))
            return 0;
    }
    return 1;
}

static void ws__put_target(ws__text *text, ws_str host, uint16_t port)
{
    int ipv6 = ws__find(host, 0, ':') < host.size;

    ws__puts(text, ipv6 ? "[" : "");
    ws__put(text, host.data, host.size);
    ws__puts(text, ipv6 ? "]:" : ":");
    ws__put_number(text, port);
}

/* headers or lines: more for CONNECT, either may be NULL. */
static int ws__tunnel_begin(ws_tunnel *tunnel, const ws_url *proxy, ws_str host,
                            uint16_t port, const ws_header *headers, const char *lines)
{
    static const char login[] = "Proxy-Authorization";
    ws__text words = ws__text_in(tunnel->buf, sizeof tunnel->buf);

    if (!ws__host_valid(host) || !port)
        return WS_ERR_ARGUMENT;
    if (!proxy->secure && !ws_str_is(proxy->scheme, "http"))
        return ws__socks_write(tunnel, proxy, host, port);
    ws__puts(&words, "CONNECT ");
    ws__put_target(&words, host, port);
    ws__puts(&words, " HTTP/1.1\r\nHost: ");
    ws__put_target(&words, host, port);
    ws__puts(&words, "\r\n");
    if (!ws__has_header(headers, login) && !ws__lines_have(ws__cstr(lines), login) &&
        ws__put_basic(&words, login, proxy))
        return WS_ERR_ARGUMENT;
    ws__put_lines(&words, headers);
    if (lines)
        ws__puts(&words, lines);
    ws__puts(&words, "\r\n");
    tunnel->end = (uint32_t)(words.at - tunnel->buf);
    return words.cut ? WS_ERR_ARGUMENT : 0;
}

WS_API int ws_tunnel_init(ws_tunnel *tunnel, const char *proxy, const char *host,
                          uint16_t port, const ws_header *headers)
{
    ws_url url;

    if (!tunnel)
        return WS_ERR_ARGUMENT;
    memset(tunnel, 0, sizeof *tunnel);
    tunnel->result = proxy ? ws__proxy_parse(proxy, &url, NULL) : WS_ERR_ARGUMENT;
    if (!tunnel->result && !ws__headers_own(headers, 0))
        tunnel->result = WS_ERR_ARGUMENT;
    if (!tunnel->result)
        tunnel->result = ws__tunnel_begin(tunnel, &url, ws__cstr(host), port, headers,
                                          NULL);
    return tunnel->result;
}

WS_API const void *ws_tunnel_output(const ws_tunnel *tunnel, size_t *n)
{
    *n = tunnel && !tunnel->result ? (size_t)(tunnel->end - tunnel->pos) : 0;
    return tunnel ? tunnel->buf + tunnel->pos : "";
}

WS_API void ws_tunnel_output_done(ws_tunnel *tunnel, size_t n)
{
    if (tunnel && n <= tunnel->end - tunnel->pos)
        tunnel->pos += (uint32_t)n;
}

/* number < 0: none. */
static void ws__tunnel_fail(ws_tunnel *tunnel, const char *text, int number)
{
    ws__text words = ws__text_in(tunnel->text, sizeof tunnel->text);

    tunnel->result = WS_ERR_PROXY;
    ws__puts(&words, text);
    if (number >= 0)
        ws__put_number(&words, (uint64_t)number);
}

/* An interim answer stands in buf: the next one takes its place. */
static void ws__tunnel_interim(ws_tunnel *tunnel)
{
    memset(&tunnel->scan, 0, sizeof tunnel->scan);
    tunnel->status = 0;
    tunnel->part[0] += tunnel->got;     /* the bytes of all of them */
    tunnel->got = 0;
    if (tunnel->part[0] == WS_TUNNEL_SIZE)
        ws__tunnel_fail(tunnel, "proxy's answer is too large", -1);
}

/* One more byte of the answer to CONNECT is in buf. Whatever body a success announces is
   not there (RFC 9110 9.3.6). */
static void ws__tunnel_http(ws_tunnel *tunnel)
{
    size_t got = (size_t)tunnel->got;
    ws_str head = ws__str(tunnel->buf, got), version, reason;
    int size = WS_ERR_HEAD_SYNTAX;

    tunnel->scan.max_size = WS_TUNNEL_SIZE - tunnel->part[0];
    if (ws__http_begins(tunnel->buf, (size_t)tunnel->scan.scanned, got))
        size = ws__head_scan(&tunnel->scan, tunnel->buf, got, 1);
    if (!size)
        return;
    if (size == WS_ERR_HEAD_SIZE || size == WS_ERR_HEAD_FIELDS) {
        ws__tunnel_fail(tunnel, "proxy's answer is too large", -1);
        return;
    }
    if (size < 0 || ws_head_answer(head, &version, &tunnel->status, &reason) ||
        version.data[5] != '1') {
        tunnel->status = 0;
        ws__tunnel_fail(tunnel, "proxy's answer is not HTTP", -1);
        return;
    }
    if (tunnel->status / 100 == 1 && tunnel->status != 101) {
        ws__tunnel_interim(tunnel);
        return;
    }
    tunnel->head_size = tunnel->got;
    if (tunnel->status / 100 == 2)
        tunnel->result = 1;
    else
        ws__tunnel_fail(tunnel, "proxy answered ", tunnel->status);
}

/* The bytes of the reply to a SOCKS5 request, as far as they tell (RFC 1928 6); 0: there
   is no such type of address. */
static uint32_t ws__socks_reply_size(const uint8_t *p, uint32_t got)
{
    if (got < 4)
        return 5;
    switch (p[3]) {
    case WS__SOCKS_IPV4: return 10;
    case WS__SOCKS_IPV6: return 22;
    case WS__SOCKS_NAME: return got < 5 ? 5 : 7u + p[4];
    default: return 0;
    }
}

/* The proxy refuses. */
static void ws__socks_refused(ws_tunnel *tunnel, int reply)
{
    static const char *const replies[] = {
        "", "general failure", "not allowed", "network unreachable", "host unreachable",
        "connection refused", "TTL expired", "command not supported",
            "address not supported"
    };
    char text[48] = "SOCKS5 proxy: ";

    tunnel->status = reply;
    if (reply > 8) {
        ws__tunnel_fail(tunnel, "SOCKS5 proxy: reply ", reply);
        return;
    }
    memcpy(text + 14, replies[reply], strlen(replies[reply]) + 1);
    ws__tunnel_fail(tunnel, text, -1);
}

static void ws__socks_reply(ws_tunnel *tunnel, const uint8_t *p)
{
    uint32_t size = ws__socks_reply_size(p, tunnel->got);

    if (tunnel->got >= 2 && p[1])
        ws__socks_refused(tunnel, p[1]);
    else if (!size || (tunnel->got >= 3 && p[2]))
        ws__tunnel_fail(tunnel, "proxy's answer is not SOCKS5", -1);
    else if (tunnel->got == size)
        tunnel->result = 1;
}

/* The proxy lets us in: asks it for the way to the host. */
static void ws__socks_ask(ws_tunnel *tunnel)
{
    tunnel->stage = WS__TUNNEL_REPLY;
    tunnel->pos = tunnel->part[1];
    tunnel->end = tunnel->part[2];
}

/* One more byte from a SOCKS5 proxy. */
static void ws__tunnel_socks(ws_tunnel *tunnel)
{
    const uint8_t *p = (const uint8_t *)tunnel->buf + WS__SOCKS_IN;
    int login = tunnel->stage == WS__TUNNEL_LOGIN,
        can = tunnel->part[1] > tunnel->part[0];

    if (p[0] != 5 && !(login && p[0] == 1)) {
        ws__tunnel_fail(tunnel, "proxy's answer is not SOCKS5", -1);
        return;
    }
    if (tunnel->stage == WS__TUNNEL_REPLY) {
        ws__socks_reply(tunnel, p);
        return;
    }
    if (tunnel->got < 2)
        return;
    tunnel->got = 0;
    if (!p[1]) {
        ws__socks_ask(tunnel);
    } else if (login) {
        ws__tunnel_fail(tunnel, "SOCKS5 proxy: wrong user or password", -1);
    } else if (p[1] == 2 && can) {
        tunnel->stage = WS__TUNNEL_LOGIN;
        tunnel->end = tunnel->part[1];
    } else {
        ws__tunnel_fail(tunnel, "SOCKS5 proxy wants another way to log in", -1);
    }
}

WS_API size_t ws_tunnel_feed(ws_tunnel *tunnel, const void *data, size_t n)
{
    const char *p = (const char *)data;
    size_t i = 0;

    while (tunnel && i < n && !tunnel->result && tunnel->pos == tunnel->end) {
        int socks = tunnel->stage != WS__TUNNEL_HTTP;
        tunnel->buf[(socks ? WS__SOCKS_IN : 0) + tunnel->got++] = p[i++];
        if (socks)
            ws__tunnel_socks(tunnel);
        else
            ws__tunnel_http(tunnel);
    }
    return i;
}

WS_API void ws_tunnel_feed_end(ws_tunnel *tunnel)
{
    if (tunnel && !tunnel->result)
        ws__tunnel_fail(tunnel, "proxy ended the connection", -1);
}

#ifdef WS__DIALS

/* ---- through a proxy ---- */

/* Takes ":port" off an item of no_proxy, if it has one: 0, or -1 if that is none. */
static int ws__no_proxy_port(ws_str *item, uint16_t *port)
{
    const char *text = item->data;
    size_t digits = item->size;

    while (digits && ws__is_digit(text[digits - 1]))
        digits--;
    if (!digits || digits == item->size || text[digits - 1] != ':')
        return 0;
    if (ws__find(*item, 0, ':') != digits - 1 && text[digits - 2] != ']')
        return 0;               /* the end of an IPv6 address */
    if (ws__url_port(text + digits, item->size - digits, port))
        return -1;
    item->size = digits - 1;
    return 0;
}

/* An item without the brackets of an IPv6 address, without "*." or ".". */
static ws_str ws__no_proxy_name(ws_str item)
{
    if (item.size > 1 && item.data[0] == '[')
        item = ws__str(item.data + 1, item.size - 2);
    if (item.size > 1 && !memcmp(item.data, "*.", 2))
        item = ws__str(item.data + 1, item.size - 1);
    if (item.size && item.data[0] == '.')
        item = ws__str(item.data + 1, item.size - 1);
    return item;
}

/* Is it the host of that name, or one below it? */
static int ws__host_is_in(const ws_url *url, ws_str name)
{
    const char *host = url->host.data;
    size_t front = url->host.size - name.size;      /* bytes in front of the name */

    if (!name.size || name.size > url->host.size)
        return 0;
    if (front && (url->ipv6 || host[front - 1] != '.'))
        return 0;
    return ws__same_text(name, ws__str(host + front, name.size));
}

/* Is host:port in no_proxy: "*", "example.org" with all below it, either with a port? */
static int ws__no_proxy(const ws_url *url, const char *names)
{
    ws_str list = ws__cstr(names), item;

    while (ws_list_next(&list, &item)) {
        uint16_t port = url->port;
        if (ws__no_proxy_port(&item, &port) || port != url->port)
            continue;
        if (ws__equal(item, ws__str("*", 1)))
            return 1;
        if (ws__host_is_in(url, ws__no_proxy_name(item)))
            return 1;
    }
    return 0;
}

/* A variable of the environment, or NULL. On Windows, where getenv counts as unsafe, it
   is a copy that lasts until the next one. */
static const char *ws__env(ws_conn *conn, const char *name)
{
#ifdef _WIN32
    ws__dial *d = conn->dial;
    DWORD n = GetEnvironmentVariableA(name, NULL, 0);

    ws__free(conn->cfg, d->env, d->env_size);
    d->env = n ? (char *)ws__alloc(conn->cfg, n) : NULL;
    d->env_size = n;
    return d->env && GetEnvironmentVariableA(name, d->env, n) < n ? d->env : NULL;
#else
    (void)conn;
    return getenv(name);
#endif
}

/* The proxy that the environment names for url, or NULL. HTTP_PROXY does not count: in a
   CGI program it is a header of somebody's request. */
static const char *ws__proxy_named(ws_conn *conn, const ws_url *url)
{
    static const char *const plain[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
    static const char *const secure[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY", NULL };
    const char *const *name = url->secure ? secure : plain;
    const char *no = ws__env(conn, "no_proxy");

    if (!no)
        no = ws__env(conn, "NO_PROXY");
    if (ws__no_proxy(url, no))
        return NULL;
#ifdef _WIN32
    if (!url->secure && ws__env(conn, "REQUEST_METHOD"))
        name++;         /* names have no case there */
#endif
    for (; *name; name++) {
        const char *proxy = ws__env(conn, *name);
        if (proxy && *proxy)
            return proxy;
    }
    return NULL;
}

#ifndef _WIN32

WS__PRIVATE const char *ws__proxy_env(const ws_url *url)
{
    return ws__proxy_named(NULL, url);
}

#endif

/* Makes conn->dial->tunnel if url is to be reached through a proxy; fills proxy. */
WS__APART int ws__dial_proxy(ws_conn *conn, const ws_url *url, ws_url *proxy,
                             const char **why)
{
    const char *text = conn->cfg->set.proxy,
        *lines = conn->cfg->lines + strlen(conn->cfg->lines) + 1;
    ws__url_why bad;
    ws_tunnel *tunnel;

    if (text && !strcmp(text, "env"))
        text = ws__proxy_named(conn, url);
    if (!text || !*text)
        return 0;
    if (ws__is_fixed(conn))
        return WS_ERR_ARGUMENT;
    if (ws__proxy_parse(text, proxy, &bad)) {
        *why = bad.words;
        return WS_ERR_URL;
    }
    tunnel = (ws_tunnel *)ws__alloc(conn->cfg, sizeof *tunnel);
    if (!tunnel)
        return WS_ERR_MEMORY;
    memset(tunnel, 0, sizeof *tunnel);
    conn->dial->tunnel = tunnel;
    conn->dial->proxy_tls = proxy->secure;
    if (proxy->secure)
        tunnel->result = ws__tls_ready(conn, why);
    if (!tunnel->result)
        tunnel->result = ws__tunnel_begin(tunnel, proxy, ws__url_host(url), url->port,
                                          NULL, lines);
    if (*tunnel->text)
        *why = tunnel->text;
    return tunnel->result;
}

/* Shows the proxy's answer where a server's refusal would stand. */
static void ws__proxy_refused(ws_conn *conn)
{
    ws_tunnel *tunnel = conn->dial->tunnel;

    ws__fail_with(conn, tunnel->result, tunnel->text);
    ws__client_of(conn)->status = (uint16_t)tunnel->status;
    if (tunnel->head_size &&
        !ws__rx_append(conn, (uint8_t *)tunnel->buf, tunnel->head_size)) {
        conn->rx->head_at = (uint32_t)conn->rx->pos;
        conn->rx->head_size = tunnel->head_size;
        conn->rx->pos = conn->rx->len;
        conn->owes |= WS__HEAD_HELD;
    }
    ws__dial_free(conn);
}

/* Reads what the proxy says. What follows its answer stays in the socket, for whoever is
   next: the handshake. TLS shows nothing ahead, and is cheap to ask for one byte. */
static ptrdiff_t ws__tunnel_read(ws_conn *conn, char *in, size_t n)
{
    ptrdiff_t got;

    if (ws__io(conn)) {
        got = ws__read(conn, in, 1);
        if (got > 0)
            ws_tunnel_feed(conn->dial->tunnel, in, 1);
        return got;
    }
    got = ws__was_read(conn, ws__sock_read(conn->fd, in, n, MSG_PEEK));
    if (got > 0) {
        size_t used = ws_tunnel_feed(conn->dial->tunnel, in, (size_t)got);
        ws__sock_read(conn->fd, in, used, 0);
    }
    return got;
}

WS__APART void ws__dial_tunnel(ws_conn *conn)
{
    ws_tunnel *tunnel = conn->dial->tunnel;
    char in[256];

    while (!tunnel->result) {
        size_t n;
        const void *out = ws_tunnel_output(tunnel, &n);
        ptrdiff_t got = n ? ws__write(conn, out, n)
                          : ws__tunnel_read(conn, in, sizeof in);
        if (got == WS_IO_WANT_READ || got == WS_IO_WANT_WRITE)
            return;
        if (got <= 0 && ws__io_why(conn)) {
            ws__dial_failed(conn, WS_ERR_TLS, ws__io_why(conn));
            return;
        }
        if (got <= 0)
            ws_tunnel_feed_end(tunnel);
        else if (n)
            ws_tunnel_output_done(tunnel, (size_t)got);
    }
    if (tunnel->result < 0)
        ws__proxy_refused(conn);
    else
        ws__dial_done(conn);
}

#endif /* WS__DIALS */

#endif /* WS__PROXIES */

/* ==== >>listen (private) ============================================================ */

#ifdef WS__LISTENS

/* ---- accepting ---- */

static int ws__accept(ws__sock listener, ws__sock *out)
{
#ifdef WS__LINUX_CALLS
    *out = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return *out == WS__NO_SOCK ? -1 : 0;
#else
    *out = accept(listener, NULL, NULL);
    if (*out == WS__NO_SOCK)
        return -1;
    if (!ws__sock_nonblock(*out))
        return 0;
    ws__sock_close(*out);
    return -1;
#endif
}

/* After accept failed: 1 that connection is lost, try the next; 0 none waits; -1
   descriptors or memory are out. */
static int ws__accept_fault(void)
{
#ifdef _WIN32
    int e = WSAGetLastError();
    return e == WSAEWOULDBLOCK ? 0 : e == WSAECONNRESET || e == WSAEINTR ? 1 : -1;
#else
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
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

static void ws__watch_listeners(ws_loop *loop, int wants)
{
    uint32_t i;
    for (i = 0; i < loop->listener_count; i++) {
        ws__listener *listener = &loop->listeners[i];
        if (listener->fd == WS__NO_SOCK)
            continue;
        if (!ws__poller_set(loop, listener->fd, WS__KEY_LISTENER(i), listener->wants,
                            wants))
            listener->wants = (uint8_t)wants;
        else if (wants)
            loop->accept_at = loop->now + 100;
    }
}

/* The name of the group that counts the connections of a peer's address: NUL, the
   listener, 4 bytes of IPv4 or the network's 8 bytes of IPv6. Empty for others. */
static ws_str ws__address_group(const ws__listener *listener, ws__sock fd, char name[20])
{
    struct sockaddr_storage addr;
    socklen_t size = sizeof addr;
    size_t at = 1 + sizeof listener->cfg;

    memset(&addr, 0, sizeof addr);
    if (getpeername(fd, (struct sockaddr *)&addr, &size))
        return ws__str(name, 0);
    name[0] = 0;
    memcpy(name + 1, &listener->cfg, sizeof listener->cfg);
    if (addr.ss_family == AF_INET) {
        memcpy(name + at, &((struct sockaddr_in *)(void *)&addr)->sin_addr, 4);
        return ws__str(name, at + 4);
    }
    if (addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&addr;
        const uint8_t *p = (const uint8_t *)&six->sin6_addr;
        int v4 = !memcmp(p, ws__mapped, 12);
        memcpy(name + at, v4 ? p + 12 : p, v4 ? 4 : 8);
        return ws__str(name, at + (v4 ? 4 : 8));
    }
    return ws__str(name, 0);
}

/* Adds an accepted connection to the loop; NULL when memory is out, and it is closed. */
static ws_conn *ws__accepted(ws_loop *loop, ws__cfg *cfg, ws__sock fd, ws_str address)
{
    ws_conn *conn = ws__new_shared(cfg, 0, WS__IS_DRIVEN);

    if (!conn) {
        ws__sock_close(fd);
        return NULL;
    }
    conn->fd = fd;
    conn->loop = loop;
    conn->life = WS__TICKED;
    conn->now = (uint32_t)loop->now;
    ws__core_begins(&conn->core, conn->now);
    ws__core_wait(&conn->core, conn->now, cfg->set.handshake_timeout);
    cfg->conns++;
    if (ws__heap_add(loop, conn) || (address.size && ws__join(conn, address))) {
        ws__loop_drop(conn);
        return NULL;
    }
    ws__heap_fix(loop, conn);
    return conn;
}

/* Over a limit: answered 503 without being heard, by a connection that the loop counts
   instead of the listener; too many of those, and the socket alone says it. */
static void ws__accept_refuse(ws_loop *loop, ws__listener *listener, ws__sock fd)
{
    static const char sorry[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                "Connection: close\r\nRetry-After: 5\r\n"
                                "Content-Length: 0\r\n\r\n";
    int plain = !ws__serves_tls(&listener->cfg->set);   /* else no words without TLS */
    ws_conn *conn;

    if (loop->gone >= WS__LINGER_MAX || loop->cfg->conns >= WS__LINGER_MAX) {
        if (plain)
            send(fd, sorry, sizeof sorry - 1, WS__NO_SIGNAL);
        ws__sock_end(fd);
        return;
    }
    conn = ws__accepted(loop, loop->cfg, fd, ws__str("", 0));
    if (!conn)
        return;
    conn->user = listener->cfg->set.user;
    ws__fail(conn, WS_ERR_LIMIT);
    if (!plain)
        ws__drop_output(conn);
}

/* A socket that was just accepted becomes a connection, or is refused. */
static void ws__accept_take(ws_loop *loop, ws__listener *listener, ws__sock fd)
{
    const ws_config *set = &listener->cfg->set;
    int full = listener->cfg->conns >= set->max_connections;
    ws_str address = ws__str(NULL, 0);
    char name[20];
    ws_conn *conn;

    if (listener->port)
        ws__sock_options(fd);
    if (set->max_per_address != WS_NO_LIMIT)
        address = ws__address_group(listener, fd, name);
    if (address.size && ws__group_size(loop, address) >= set->max_per_address)
        full = 1;
    if (full) {
        ws__accept_refuse(loop, listener, fd);
        return;
    }
    conn = ws__accepted(loop, listener->cfg, fd, address);
    if (!conn)
        return;
    if (ws__serves_tls(set))
        ws__wrap(conn, NULL);
    ws__watch(loop, conn);
}

static void ws__loop_accept(ws_loop *loop, ws__listener *listener)
{
    int i, goes_on = 1;
    ws__sock fd;

    for (i = 0; i < 64 && goes_on > 0 && listener->fd != WS__NO_SOCK; i++) {
        if (ws__accept(listener->fd, &fd))
            goes_on = ws__accept_fault();
        else
            ws__accept_take(loop, listener, fd);
    }
    if (goes_on >= 0)
        return;
    ws__watch_listeners(loop, 0);      /* rest a while */
    loop->accept_at = loop->now + 100;
}

static void ws__unlisten_all(ws_loop *loop)
{
#ifdef WS_NO_SERVER
    (void)loop;
#else
    uint32_t i;
    for (i = 0; i < loop->listener_count; i++)
        ws_unlisten(loop, (int)i);
#endif
}

/* ---- listening ---- */

/* FreeBSD and Linux then spread connections over the sockets. */
static int ws__share_port(ws__sock sock)
{
#if defined(SO_REUSEPORT_LB)
    int on = 1;
    return setsockopt(sock, SOL_SOCKET, SO_REUSEPORT_LB, &on, sizeof on);
#elif defined(SO_REUSEPORT)
    int on = 1;
    return setsockopt(sock, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
    (void)sock;
    return -1;
#endif
}

/* share: other sockets that ask for it too may listen on the same port. */
static int ws__bind(ws__sock *out, const struct sockaddr *addr, size_t size, int family,
                    int share)
{
    ws__sock sock = ws__sock_open(family, SOCK_STREAM);
    int on = 1, off = 0;

    if (sock == WS__NO_SOCK)
        return -1;
#ifdef _WIN32   /* SO_REUSEADDR would let any program take the port from us, and so does
                   neither */
    setsockopt(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
#else
    if (family != AF_UNIX)
        setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#endif
    if (family == AF_INET6)
        setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof off);
    if ((share && ws__share_port(sock)) ||
        bind(sock, addr, (socklen_t)size) || listen(sock, 1024)) {
        ws__sock_close(sock);
        return -1;
    }
    *out = sock;
    return 0;
}

/* The port that sock got, 0 for a unix socket; negative when the system does not tell. */
WS__APART int ws__bound_port(ws__sock sock)
{
    struct sockaddr_storage addr;
    socklen_t n = sizeof addr;

    memset(&addr, 0, sizeof addr);
    if (getsockname(sock, (struct sockaddr *)&addr, &n))
        return WS_ERR_LISTEN;
    if (addr.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)(void *)&addr)->sin_port);
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&addr)->sin6_port);
    return 0;
}

/* out[0] listens on every address of IPv6: does out[1] on IPv4, if the system (OpenBSD)
   needs two sockets for that? 0, or -1: the port is taken there. */
WS__APART int ws__bind_twin(ws__sock out[2], int share)
{
    struct sockaddr_in addr;
    int only = 0, port = ws__bound_port(out[0]);
    socklen_t n = sizeof only;

    if (getsockopt(out[0], IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, &n) || !only)
        return 0;
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_port = htons((uint16_t)port);
    if (!ws__bind(&out[1], (struct sockaddr *)&addr, sizeof addr, AF_INET, share))
        return 0;
    ws__sock_close(out[0]);
    out[0] = WS__NO_SOCK;
    return -1;
}

/* Why listening failed: the machine, or the address. */
static int ws__listen_error(void)
{
    return ws__out_of(ws__sock_error()) ? WS_ERR_SYSTEM : WS_ERR_LISTEN;
}

/* Binds to an address: 0, or -1. */
static int ws__bind_one(ws__sock out[2], const struct addrinfo *info, int share)
{
    return ws__bind(out, info->ai_addr, info->ai_addrlen, info->ai_family, share);
}

/* Binds to every address by IPv6, which takes IPv4 as well: 0, -1, or 1 if the port is
   taken there. Port 0 gives another one the next time. */
static int ws__bind_any(ws__sock out[2], const struct addrinfo *info, int share)
{
    int tries;

    for (tries = 0; tries < 8; tries++) {
        if (ws__bind_one(out, info, share))
            return -1;
        if (!ws__bind_twin(out, share))
            return 0;
    }
    return 1;
}

WS__APART int ws__listen_tcp(const char *address, int share, ws__sock out[2])
{
    struct addrinfo hints, *all, *info;
    const char *port;
    char host[256];
    int r;

    if (ws__split_address(address, host, sizeof host, &port))
        return WS_ERR_ARGUMENT;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
#ifndef _WIN32
    errno = 0;
#endif
    r = getaddrinfo(*host ? host : NULL, port, &hints, &all);
    if (r)
        return ws__lookup_fault(r);
    r = -1;
    for (info = all; r < 0 && !*host && info; info = info->ai_next)
        if (info->ai_family == AF_INET6)
            r = ws__bind_any(out, info, share);
    for (info = all; r < 0 && info; info = info->ai_next)
        r = ws__bind_one(out, info, share);
    freeaddrinfo(all);
    return r ? ws__listen_error() : 0;
}

#ifdef _WIN32

static int ws__listen_unix(ws_loop *loop, const char *path, ws__listener *listener,
                           ws__sock *out, const char **why)
{
    (void)loop;
    (void)path;
    (void)listener;
    (void)out;
    *why = "no unix sockets on this system";
    return WS_ERR_LISTEN;
}

static void ws__unix_end(ws_loop *loop, ws__listener *listener)
{
    (void)loop;
    (void)listener;
}

#else

/* Does a dead server's socket stand in the way? Nothing else may be taken away; *why says
   what it is. */
static int ws__unix_is_stale(const struct sockaddr_un *addr, size_t size,
                             const char **why)
{
    struct stat file;
    int probe, refused;

    *why = "a file that is no socket stands there";
    if (lstat(addr->sun_path, &file) || !S_ISSOCK(file.st_mode))
        return 0;
    probe = ws__sock_open(AF_UNIX, SOCK_STREAM);
    refused = probe >= 0 &&
        ws__sock_connect(probe, (const struct sockaddr *)addr, size) &&
              errno == ECONNREFUSED;
    *why = probe < 0 ? strerror(errno) : "another server listens there";
    if (probe >= 0)
        close(probe);
    return refused;
}

WS__APART int ws__listen_unix(ws_loop *loop, const char *path, ws__listener *listener,
                              ws__sock *out, const char **why)
{
    struct sockaddr_un addr;
    struct stat file;
    size_t size, n = strlen(path) + 1;
    int r;

    if (ws__unix_address(&addr, &size, ws__cstr(path)))
        return WS_ERR_ARGUMENT;
    r = ws__bind(out, (struct sockaddr *)&addr, size, AF_UNIX, 0);
    if (r && errno == EADDRINUSE && *addr.sun_path) {
        if (!ws__unix_is_stale(&addr, size, why))
            return WS_ERR_LISTEN;
        *why = NULL;
        if (!unlink(path))
            r = ws__bind(out, (struct sockaddr *)&addr, size, AF_UNIX, 0);
    }
    if (r)
        return ws__listen_error();
    if (!*addr.sun_path || lstat(path, &file))
        return 0;
    listener->device = (uint64_t)file.st_dev;
    listener->inode = (uint64_t)file.st_ino;
    listener->path = (char *)ws__alloc(loop->cfg, n);
    if (listener->path)
        memcpy(listener->path, path, n);
    return 0;
}

/* Is the file of a listener still ours? */
static int ws__unix_is_ours(const ws__listener *listener)
{
    struct stat file;

    if (lstat(listener->path, &file) || !S_ISSOCK(file.st_mode))
        return 0;
    return listener->device == (uint64_t)file.st_dev &&
           listener->inode == (uint64_t)file.st_ino;
}

/* Takes away the file of a listener, but not in a child process. */
static void ws__unix_end(ws_loop *loop, ws__listener *listener)
{
    if (!listener->path)
        return;
    if (loop->process == ws__process() && ws__unix_is_ours(listener))
        unlink(listener->path);
    ws__free(loop->cfg, listener->path, strlen(listener->path) + 1);
    listener->path = NULL;
}

#endif /* _WIN32 */

static int ws__listener_add(ws_loop *loop, const ws__listener *listener)
{
    size_t old = loop->listener_count * sizeof *listener;
    ws__listener *bigger;
    uint32_t i;

    for (i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].fd == WS__NO_SOCK) {
            loop->listeners[i] = *listener;
            return (int)i;
        }
    bigger = (ws__listener *)ws__alloc(loop->cfg, old + sizeof *listener);
    if (!bigger)
        return WS_ERR_MEMORY;
    if (old)
        memcpy(bigger, loop->listeners, old);
    ws__free(loop->cfg, loop->listeners, old);
    loop->listeners = bigger;
    bigger[loop->listener_count] = *listener;
    return (int)loop->listener_count++;
}

/* What is wrong with a listener's configuration: 0, or the error with its field, or
   *why. */
static int ws__listen_fault(const ws_config *cfg, const char **why, char room[96])
{
    const int role = WS__OF_SERVER | WS__OF_LISTENER;
    int r = cfg ? ws__config_fault(cfg, role) : 0;

    *why = r ? ws__fault_words(r, cfg, role, room) : NULL;
    if (r || !cfg)
        return r;
    if (cfg->memory)
        *why = "memory";
    if (cfg->io.read)
        *why = "io";
    return *why ? WS_ERR_ARGUMENT : ws__tls_serves(cfg->tls, why);
}

/* Makes a bound socket a listener with configuration cfg: its number, or the error. */
static int ws__listener_start(ws_loop *loop, ws__sock fd, ws__cfg *cfg)
{
    int port = ws__bound_port(fd), r;
    ws__listener listener;

    if (port < 0)
        return port;
    memset(&listener, 0, sizeof listener);
    listener.fd = fd;
    listener.port = (uint16_t)port;
    listener.wants = WS_WANT_READ;
    listener.cfg = cfg;
    listener.twin = -1;
    r = ws__listener_add(loop, &listener);
    if (r < 0)
        return r;
    if (ws__poller_set(loop, fd, WS__KEY_LISTENER(r), WS__UNWATCHED, WS_WANT_READ)) {
        loop->listeners[r].fd = WS__NO_SOCK;
        return WS_ERR_POLLER;
    }
    cfg->refs++;
    return r;
}

/* Makes one listener of the bound sockets; file: of a unix socket, its path and what
   identifies it. What cannot be used is closed. */
static int ws__listen_on(ws_loop *loop, ws__sock fd[2], ws__listener *file,
                         const ws_config *cfg)
{
    ws__cfg *kept = ws__cfg_from(cfg, NULL, ws__loop_from(loop, cfg));
    int r = kept ? ws__listener_start(loop, fd[0], kept) : WS_ERR_MEMORY, twin = -1;

    if (r < 0) {
        ws__unix_end(loop, file);
        ws__sock_close(fd[0]);
    } else {
        loop->listeners[r].path = file->path;
        loop->listeners[r].device = file->device;
        loop->listeners[r].inode = file->inode;
    }
    if (r >= 0 && fd[1] != WS__NO_SOCK) {
        twin = ws__listener_start(loop, fd[1], kept);
        loop->listeners[r].twin = twin;
    }
    if (twin < 0 && fd[1] != WS__NO_SOCK) {
        ws__sock_close(fd[1]);
        ws_unlisten(loop, r);
        r = r < 0 ? r : twin;
    }
    if (r >= 0)
        ws__loop_share(loop, kept);
    if (kept)
        ws__cfg_release(kept);
    return r;
}

WS_API int ws_listen(ws_loop *loop, const char *address, const ws_config *cfg)
{
    ws__sock fd[2] = { WS__NO_SOCK, WS__NO_SOCK };
    ws__listener file;
    const char *why;
    char text[32], room[96];
    int r;

    if (!loop || !address)
        return WS_ERR_ARGUMENT;
    if (loop->stopping)
        return ws__loop_error(loop, WS_ERR_STATE, address, NULL);
    memset(&file, 0, sizeof file);
    r = ws__listen_fault(cfg, &why, room);
    if (r)
        return ws__loop_error(loop, r, address, why);
    why = NULL;
    if (strncmp(address, "unix:", 5))
        r = ws__listen_tcp(address, cfg && cfg->reuse_port, fd);
    else
        r = ws__listen_unix(loop, address + 5, &file, fd, &why);
    if (r == WS_ERR_ARGUMENT)
        why = "host:port or unix:/path is expected";
    else if (!why && (r == WS_ERR_LISTEN || r == WS_ERR_SYSTEM))
        why = ws__sock_why(ws__sock_error(), text);
    if (!r)
        r = ws__listen_on(loop, fd, &file, cfg);
    return r < 0 ? ws__loop_error(loop, r, address, why) : r;
}

/* The listener of that number; NULL: there never was one. */
static ws__listener *ws__listener_at(const ws_loop *loop, int listener)
{
    int is = loop && listener >= 0 && (uint32_t)listener < loop->listener_count;

    return is ? &loop->listeners[listener] : NULL;
}

WS_API int ws_listen_port(const ws_loop *loop, int listener)
{
    const ws__listener *at = ws__listener_at(loop, listener);

    return at ? at->port : (int)WS_ERR_ARGUMENT;
}

WS_API int ws_listen_tls(ws_loop *loop, int listener, ws_tls *tls)
{
    const ws__listener *at = ws__listener_at(loop, listener);
    ws_config *set;
    const char *why;
    int r;

    if (!at || !tls || at->fd == WS__NO_SOCK || !at->cfg->set.tls)
        return WS_ERR_ARGUMENT;
    r = ws__tls_serves(tls, &why);
    if (r)
        return ws__loop_error(loop, r, why, NULL);
    set = &at->cfg->set;
    tls = ws__tls_hold(tls);
    ws__tls_drop(set->tls);
    set->tls = tls;
    return 0;
}

WS_API void ws_unlisten(ws_loop *loop, int listener)
{
    ws__listener *at = ws__listener_at(loop, listener);

    if (!at || at->fd == WS__NO_SOCK)
        return;
    ws_unlisten(loop, at->twin);
    ws__poller_drop(loop, at->fd);
    ws__unix_end(loop, at);
    ws__sock_close(at->fd);
    at->fd = WS__NO_SOCK;
    ws__cfg_release(at->cfg);
}

#endif /* WS__LISTENS */

/* ==== >>deflate (private) =========================================================== */

#if WS__EXTENDS

#ifdef WS_USE_ZLIB

/* zlib takes its memory from the rest of the state's block, and never gives any back. */
typedef struct ws__zlib {
    z_stream z;
    uint8_t *at, *end;
} ws__zlib;

static void *ws__zlib_alloc(void *user, unsigned items, unsigned size)
{
    ws__zlib *zlib = (ws__zlib *)user;
    size_t n = ((size_t)items * size + 15) / 16 * 16;
    uint8_t *p = zlib->at;

    if (n > (size_t)(zlib->end - p))
        return NULL;
    zlib->at += n;
    return p;
}

static void ws__zlib_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static void ws__zlib_begin(ws__zlib *zlib, size_t size)
{
    memset(zlib, 0, sizeof *zlib);
    zlib->at = (uint8_t *)(zlib + 1);
    zlib->end = (uint8_t *)zlib + size;
    zlib->z.zalloc = ws__zlib_alloc;
    zlib->z.zfree = ws__zlib_free;
    zlib->z.opaque = zlib;
}

#define WS__ZLIB_OWN (sizeof(ws__zlib) + 8192)      /* its small objects: 6 and 7 KB */

/* By zconf.h, and a quarter of the second for a way newer versions may be built. Told 8
   bits, zlib would use 9 and not say so. */
static size_t ws__zlib_deflate_size(int bits, int mem_level)
{
    size_t window = (size_t)1 << (bits + 2), table = (size_t)1 << (mem_level + 9);

    if (bits < 9)
        return 0;
    return WS__ZLIB_OWN + window + table + table / 8;
}

/* With 9 bits for 8: peers exist whose zlib used 9. */
static size_t ws__zlib_inflate_size(int bits)
{
    return WS__ZLIB_OWN + ((size_t)1 << (bits < 9 ? 9 : bits));
}

static int ws__zlib_deflate_init(void *state, size_t size, int bits, int mem_level,
                                 int level)
{
    ws__zlib *zlib = (ws__zlib *)state;

    ws__zlib_begin(zlib, size);
    return deflateInit2(&zlib->z, level, Z_DEFLATED, -bits, mem_level,
                        Z_DEFAULT_STRATEGY);
}

static int ws__zlib_inflate_init(void *state, size_t size, int bits)
{
    ws__zlib *zlib = (ws__zlib *)state;

    ws__zlib_begin(zlib, size);
    return inflateInit2(&zlib->z, bits < 9 ? -9 : -bits);
}

/* zlib counts at most 2^30 bytes in a step. */
static uInt ws__zlib_count(size_t n)
{
    const size_t most = (size_t)1 << 30;

    return (uInt)(n < most ? n : most);
}

static void ws__zlib_show(z_stream *stream, const void *in, size_t in_size, void *out,
                          size_t out_size)
{
    stream->next_in = (Bytef *)(uintptr_t)in;
    stream->avail_in = ws__zlib_count(in_size);
    stream->next_out = (Bytef *)out;
    stream->avail_out = ws__zlib_count(out_size);
}

/* One that found nothing to do, Z_BUF_ERROR, did not fail. */
static int ws__zlib_failed(int r) { return r != Z_OK && r != Z_BUF_ERROR; }

static int ws__zlib_deflate(void *state, const void *in, size_t *in_size, void *out,
                            size_t *out_size, int flush)
{
    z_stream *stream = &((ws__zlib *)state)->z;
    size_t have = *in_size, room = *out_size;
    int r;

    ws__zlib_show(stream, in, have, out, room);
    flush = flush && stream->avail_in == have;
    r = deflate(stream, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    if (ws__zlib_failed(r))
        return WS_ERR_CODEC;
    *in_size = (size_t)(stream->next_in - (const Bytef *)in);
    *out_size = (size_t)(stream->next_out - (Bytef *)out);
    return flush && !stream->avail_in && stream->avail_out;
}

static int ws__zlib_inflate(void *state, const void *in, size_t *in_size, void *out,
                            size_t *out_size)
{
    z_stream *stream = &((ws__zlib *)state)->z;
    int r;

    ws__zlib_show(stream, in, *in_size, out, *out_size);
    r = inflate(stream, Z_SYNC_FLUSH);
    *in_size = (size_t)(stream->next_in - (const Bytef *)in);
    *out_size = (size_t)(stream->next_out - (Bytef *)out);
    if (r == Z_STREAM_END)
        return inflateResetKeep(stream) ? (int)WS_ERR_CODEC : 2;
    /* it stays so: if full, the next call tells */
    if (r == Z_DATA_ERROR || r == Z_NEED_DICT)
        return *out_size && !stream->avail_out ? 0 : (int)WS_ERR_DECODE;
    if (ws__zlib_failed(r))
        return WS_ERR_CODEC;
    /* behind a block (zlib.h) */
    return stream->avail_out && (stream->data_type & 128);
}

#endif /* WS_USE_ZLIB */

/* The codec of the settings, NULL if there is none. */
static const ws_codec *ws__codec(const ws_deflate *deflate)
{
#ifdef WS_USE_ZLIB
    static const ws_codec zlib = {
        ws__zlib_deflate_size, ws__zlib_inflate_size, ws__zlib_deflate_init,
        ws__zlib_inflate_init, ws__zlib_deflate, ws__zlib_inflate
    };
    return deflate->codec ? deflate->codec : &zlib;
#else
    return deflate->codec;
#endif
}

/* The most window bits, up to most, that the codec can compress or decompress with; 0:
   none. */
static int ws__deflate_bits(const ws_deflate *deflate, int most)
{
    for (; most >= 8; most--)
        if ((ws__codec(deflate)->deflate_size)(most, deflate->mem_level))
            return most;
    return 0;
}

static int ws__inflate_bits(const ws_deflate *deflate, int most)
{
    for (; most >= 8; most--)
        if ((ws__codec(deflate)->inflate_size)(most))
            return most;
    return 0;
}

/* What was agreed: bits of our window (0: we do not compress) and of the peer's, and
   whose messages stand alone. */
#define WS__DEFLATE_OURS(agreed) ((int)((agreed) & 15))
#define WS__DEFLATE_THEIRS(agreed) ((int)((agreed) >> 4 & 15))
#define WS__DEFLATE_OURS_ALONE 256u
#define WS__DEFLATE_THEIRS_ALONE 512u

static uint32_t ws__deflate_agreed(int ours, int theirs, int ours_alone, int theirs_alone)
{
    return (uint32_t)ours | (uint32_t)theirs << 4 | (uint32_t)ours_alone << 8 |
           (uint32_t)theirs_alone << 9;
}

/* The parameters. The value of one that is left out is 0, of one without a value 1. */
enum {
    WS__SERVER_ALONE, WS__CLIENT_ALONE, WS__SERVER_BITS, WS__CLIENT_BITS,
    WS__DEFLATE_PARAMS
};

static const char *const ws__deflate_names[WS__DEFLATE_PARAMS] = {
    "server_no_context_takeover", "client_no_context_takeover",
    "server_max_window_bits", "client_max_window_bits"
};

static void ws__deflate_put(char *buf, size_t n, const int value[WS__DEFLATE_PARAMS])
{
    ws__text text = ws__text_in(buf, n);
    int i;

    for (i = 0; i < WS__DEFLATE_PARAMS; i++) {
        if (!value[i])
            continue;
        ws__puts(&text, "; ");
        ws__puts(&text, ws__deflate_names[i]);
        if (value[i] == 1)
            continue;
        ws__puts(&text, "=");
        ws__put_number(&text, (uint64_t)value[i]);
    }
}

/* The number of the parameter of that name; an unknown one has WS__DEFLATE_PARAMS. */
static int ws__deflate_param(ws_str name)
{
    int i = 0;

    while (i < WS__DEFLATE_PARAMS && !ws__equal(name, ws__cstr(ws__deflate_names[i])))
        i++;
    return i;
}

/* The value that this text stands for, -1: it stands for none. */
static int ws__deflate_value(const char *text)
{
    static const char *const bits[] = { "8", "9", "10", "11", "12", "13", "14", "15" };
    int i;

    if (!*text)
        return 1;
    for (i = 0; i < 8; i++)
        if (!strcmp(text, bits[i]))
            return 8 + i;
    return -1;
}

/* May parameter i have that value? Only an offer may leave it to the server how small the
   client's window is. */
static int ws__deflate_may(int i, int value, int offer)
{
    if (i < WS__SERVER_BITS)
        return value == 1;
    return value >= (offer && i == WS__CLIENT_BITS ? 1 : 8);
}

/* Reads parameters, of an offer or of an answer; 0, or negative. */
static int ws__deflate_get(ws_str params, int offer, int value[WS__DEFLATE_PARAMS])
{
    char text[8];
    ws_str name;
    int i, r;

    memset(value, 0, WS__DEFLATE_PARAMS * sizeof *value);
    while ((r = ws_param_next(&params, &name, text, sizeof text)) > 0) {
        i = ws__deflate_param(name);
        if (i == WS__DEFLATE_PARAMS || value[i])
            return -1;          /* unknown, or for the second time */
        value[i] = ws__deflate_value(text);
        if (!ws__deflate_may(i, value[i], offer))
            return -1;
    }
    return r;
}

/* The bits of a window that a parameter of that value limits. */
static int ws__window_within(int bits, int value)
{
    return value > 1 && value < bits ? value : bits;
}

static int ws__deflate_offer(void *user, int i, char *buf, size_t n)
{
    const ws_deflate *deflate = (const ws_deflate *)user;
    int ours = ws__deflate_bits(deflate, deflate->client_max_window_bits);
    int theirs = ws__inflate_bits(deflate, deflate->server_max_window_bits);
    int value[WS__DEFLATE_PARAMS];

    if (i || !theirs)
        return -1;
    value[WS__SERVER_ALONE] = deflate->server_no_context_takeover;
    value[WS__CLIENT_ALONE] = deflate->client_no_context_takeover;
    value[WS__SERVER_BITS] = theirs < 15 ? theirs : 0;
    value[WS__CLIENT_BITS] = ours < 15 ? ours : 1;
    ws__deflate_put(buf, n, value);
    return 0;
}

static int ws__deflate_accept(void *user, ws_str offer, char *answer, size_t n,
                              uint32_t *agreed)
{
    const ws_deflate *deflate = (const ws_deflate *)user;
    int value[WS__DEFLATE_PARAMS], ours, theirs;

    if (ws__deflate_get(offer, 1, value))
        return -1;
    ours = ws__window_within(deflate->server_max_window_bits, value[WS__SERVER_BITS]);
    ours = ws__deflate_bits(deflate, ours);
    theirs = ws__window_within(deflate->client_max_window_bits, value[WS__CLIENT_BITS]);
    theirs = ws__inflate_bits(deflate, theirs);
    if (!ours || !theirs)
        return -1;
    if (theirs < 15 && !value[WS__CLIENT_BITS])
        return -1;              /* the client does not let us limit its window */
    value[WS__SERVER_ALONE] |= deflate->server_no_context_takeover;
    value[WS__CLIENT_ALONE] |= deflate->client_no_context_takeover;
    if (value[WS__SERVER_BITS] || ours < 15)
        value[WS__SERVER_BITS] = ours;
    if (value[WS__CLIENT_BITS] > 1 || theirs < 15)
        value[WS__CLIENT_BITS] = theirs;
    else
        value[WS__CLIENT_BITS] = 0;
    ws__deflate_put(answer, n, value);
    *agreed = ws__deflate_agreed(ours, theirs, value[WS__SERVER_ALONE],
                                 value[WS__CLIENT_ALONE]);
    return 0;
}

static int ws__deflate_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    const ws_deflate *deflate = (const ws_deflate *)user;
    int ours = ws__deflate_bits(deflate, deflate->client_max_window_bits);
    int most = ws__inflate_bits(deflate, deflate->server_max_window_bits);
    int value[WS__DEFLATE_PARAMS], theirs;

    if (ws__deflate_get(answer, 0, value))
        return -1;
    if (deflate->server_no_context_takeover && !value[WS__SERVER_ALONE])
        return -1;
    theirs = ws__window_within(15, value[WS__SERVER_BITS]);
    if (theirs > most || !(ws__codec(deflate)->inflate_size)(theirs))
        return -1;
    if (value[WS__CLIENT_BITS] && !ours)
        return -1;              /* we did not offer to compress */
    ours = ws__window_within(ours, value[WS__CLIENT_BITS]);
    ours = ws__deflate_bits(deflate, ours);     /* 0: we do not compress */
    *agreed = ws__deflate_agreed(ours, theirs,
                                 value[WS__CLIENT_ALONE] |
                                     deflate->client_no_context_takeover,
                                 value[WS__SERVER_ALONE]);
    return 0;
}

/* The codec's state stands behind this. */
typedef struct ws__deflate_state {
    uint8_t held[4];           /* encode: bytes that may be the tail, which is not sent */
    uint8_t count;              /* of them */
    uint8_t tail;               /* decode: bytes of the tail that were given */
    uint8_t any;                /* decode: the message has a byte */
    uint8_t final;              /* decode: so far it ends with a final block */
    uint8_t unused[8];
} ws__deflate_state;

/* Bytes of the codec's state, 0: there is none. */
static size_t ws__codec_size(const ws_deflate *deflate, uint32_t agreed, int encode)
{
    const ws_codec *codec = ws__codec(deflate);
    int ours = WS__DEFLATE_OURS(agreed);

    if (!encode)
        return (codec->inflate_size)(WS__DEFLATE_THEIRS(agreed));
    return ours ? (codec->deflate_size)(ours, deflate->mem_level) : 0;
}

static size_t ws__deflate_state_size(void *user, uint32_t agreed, int encode, int *alone)
{
    uint32_t flag = encode ? WS__DEFLATE_OURS_ALONE : WS__DEFLATE_THEIRS_ALONE;
    size_t n = ws__codec_size((const ws_deflate *)user, agreed, encode);

    *alone = (agreed & flag) != 0;
    return n && n < (size_t)-1 / 4 ? n + sizeof(ws__deflate_state) : 0;
}

static int ws__deflate_begin(void *user, uint32_t agreed, int encode, void *state)
{
    const ws_deflate *deflate = (const ws_deflate *)user;
    ws__deflate_state *s = (ws__deflate_state *)state;
    const ws_codec *codec = ws__codec(deflate);
    size_t n = ws__codec_size(deflate, agreed, encode);
    int r;

    memset(s, 0, sizeof *s);
    if (encode)
        r = (codec->deflate_init)(s + 1, n, WS__DEFLATE_OURS(agreed), deflate->mem_level,
                                  deflate->level);
    else
        r = (codec->inflate_init)(s + 1, n, WS__DEFLATE_THEIRS(agreed));
    return r ? WS_ERR_CODEC : 0;
}

/* What a flush writes last, and a message goes without (7.2.1, 7.2.2). */
static const uint8_t ws__deflate_tail[4] = { 0, 0, 0xFF, 0xFF };

/* Where the next bytes go, and how many may. */
typedef struct ws__room {
    uint8_t *at;
    size_t size;
} ws__room;

/* A step of the codec used and made that many bytes: -1, it cannot have. */
static int ws__codec_went(ws_str *from, ws__room *to, size_t used, size_t made)
{
    if (used > from->size || made > to->size)
        return -1;
    *from = ws__str(from->data + used, from->size - used);
    to->at += made;
    to->size -= made;
    return 0;
}

static int ws__deflate_step(const ws_codec *codec, ws__deflate_state *s, ws_str *from,
                            ws__room *to, int flush)
{
    size_t used = from->size, made = to->size;
    int r = (codec->deflate)(s + 1, from->data, &used, to->at, &made, flush);

    if (r < 0 || r > 1 || ws__codec_went(from, to, used, made))
        return WS_ERR_CODEC;
    if (r)
        return flush && !from->size ? 1 : (int)WS_ERR_CODEC;
    return used || made ? 0 : (int)WS_ERR_CODEC;
}

/* Drops the tail of a message, which is held. An empty one is a byte of 0 (7.2.3.6). */
static int ws__deflate_drop_tail(ws__deflate_state *s, ws__room *to)
{
    if (!s->count)
        *to->at++ = 0;
    else if (memcmp(s->held, ws__deflate_tail, 4))
        return WS_ERR_CODEC;
    s->count = 0;
    return 0;
}

/* The last four bytes may be the tail, so they are held back. */
static int ws__deflate_encode(void *user, void *state, const void *in, size_t *in_size,
                              void *out, size_t *out_size, int flush)
{
    const ws_codec *codec = ws__codec((const ws_deflate *)user);
    ws__deflate_state *s = (ws__deflate_state *)state;
    ws_str from = ws__str((const char *)in, *in_size);
    uint8_t *begin = (uint8_t *)out;
    ws__room to = { begin + s->count, *out_size - s->count };
    size_t made;
    int r = 0;

    memcpy(begin, s->held, s->count);
    while (!r && to.size && (from.size || flush)) {
        r = ws__deflate_step(codec, s, &from, &to, flush != 0);
        if (r < 0)
            return r;
    }
    made = (size_t)(to.at - begin);
    s->count = (uint8_t)(made < 4 ? made : 4);
    to.at -= s->count;
    memcpy(s->held, to.at, s->count);
    if (r && flush == 2 && ws__deflate_drop_tail(s, &to))
        return WS_ERR_CODEC;
    *in_size -= from.size;
    *out_size = (size_t)(to.at - begin);
    return r;
}

static int ws__inflate_step(const ws_codec *codec, ws__deflate_state *s, ws_str *from,
                            ws__room *to)
{
    size_t have = from->size, used = have, made = to->size;
    int r = (codec->inflate)(s + 1, from->data, &used, to->at, &made);

    if (r == WS_ERR_DECODE) {
        to->size -= made < to->size ? made : 0;
        return r;
    }
    if (r < 0 || r > 2 || ws__codec_went(from, to, used, made))
        return WS_ERR_CODEC;
    return have && !used && !made ? (int)WS_ERR_CODEC : r;
}

/* A message was read to its end: 1 it is whole, 0 more of it is to be written. full: no
   room is left; r: of the codec's last step. */
static int ws__inflate_end(ws__deflate_state *s, int full, int r)
{
    int is_whole = !s->any || s->final;

    if (!is_whole && full)
        return 0;
    if (!is_whole && !r)
        return WS_ERR_DECODE;    /* it ends inside a block */
    s->tail = s->any = s->final = 0;
    return 1;
}

/* The tail is put back behind the message. One without a single byte, which some send for
   an empty one, is no stream at all; one that a final block ends is whole without it,
   though 7.2.3.4 wants a byte of 0 there. */
static int ws__deflate_decode(void *user, void *state, const void *in, size_t *in_size,
                              void *out, size_t *out_size, int last)
{
    const ws_codec *codec = ws__codec((const ws_deflate *)user);
    ws__deflate_state *s = (ws__deflate_state *)state;
    ws_str from = ws__str((const char *)in, *in_size);
    ws_str tail = ws__str((const char *)ws__deflate_tail + s->tail, 4u - s->tail);
    ws__room to = { (uint8_t *)out, *out_size };
    int r = 0;

    if (from.size)
        s->any = 1;
    while (s->any) {
        int behind = last && !from.size;
        if (behind && s->final)
            break;
        r = ws__inflate_step(codec, s, behind ? &tail : &from, &to);
        if (r < 0) {
            *out_size -= to.size;
            return r;
        }
        if (!behind)
            s->final = r == 2;
        if (!to.size)
            break;
        if (!from.size && (!last || !tail.size))
            break;
    }
    s->tail = (uint8_t)(4 - tail.size);
    *in_size -= from.size;
    *out_size -= to.size;
    return last && !from.size ? ws__inflate_end(s, !to.size, r) : 0;
}

static void ws__deflate_preset(int *value, int preset)
{
    if (!*value)
        *value = preset;
}

/* The settings with the defaults filled in. */
static ws_deflate ws__deflate_settings(const ws_deflate *from)
{
    ws_deflate deflate = *from;

    deflate.server_no_context_takeover = deflate.server_no_context_takeover != 0;
    deflate.client_no_context_takeover = deflate.client_no_context_takeover != 0;
    ws__deflate_preset(&deflate.server_max_window_bits, 15);
    ws__deflate_preset(&deflate.client_max_window_bits, 15);
    ws__deflate_preset(&deflate.level, 6);
    ws__deflate_preset(&deflate.mem_level, 8);
    if (!deflate.threshold)
        deflate.threshold = 1024;
    return deflate;
}

/* Do both compress in the same way, once the same was agreed? */
WS__PRIVATE int ws__deflate_alike(const ws_deflate *a, const ws_deflate *b)
{
    return ws__codec(a) == ws__codec(b) && a->level == b->level &&
        a->mem_level == b->mem_level;
}

static int ws__window_valid(int bits) { return bits >= 8 && bits <= 15; }
static int ws__level_valid(int level) { return level >= 1 && level <= 9; }

/* 0, or why the settings cannot be. */
static int ws__deflate_fault(const ws_deflate *from, int client)
{
    ws_deflate deflate = ws__deflate_settings(from);
    int ours = client ? deflate.client_max_window_bits : deflate.server_max_window_bits;

    if (!ws__codec(&deflate))
        return WS_ERR_NO_CODEC;
    if (!ws__window_valid(deflate.server_max_window_bits) ||
        !ws__window_valid(deflate.client_max_window_bits))
        return WS_ERR_ARGUMENT;
    if (!ws__level_valid(deflate.level) || !ws__level_valid(deflate.mem_level))
        return WS_ERR_ARGUMENT;
    return ws__deflate_bits(&deflate, ours) ? 0 : WS_ERR_ARGUMENT;
}

static ws_extension ws__deflate_extension(ws_deflate *deflate)
{
    static const ws_extension plain = {
        "permessage-deflate", 4, 0, 0, 1, NULL, ws__deflate_offer, ws__deflate_accept,
        ws__deflate_confirm, ws__deflate_state_size, ws__deflate_begin,
        ws__deflate_encode, ws__deflate_decode, NULL
    };
    ws_extension extension = plain;

    extension.required = deflate->required;
    extension.threshold = deflate->threshold;
    extension.user = deflate;
    return extension;
}

#endif /* WS__EXTENDS */

/* ==== >>extend (private) ============================================================ */

#if WS__EXTENDS

/* The extensions of the application, NULL behind the last. */
static const ws_extension *const *ws__extensions_own(const ws_config *cfg)
{
    static const ws_extension *const none[1] = { NULL };

    return cfg->extensions ? cfg->extensions : none;
}

static int ws__extension_valid(const ws_extension *extension)
{
    int rsv = extension->rsv;

    if (!ws__token_valid(ws__cstr(extension->name)))
        return 0;
    return (rsv == 1 || rsv == 2 || rsv == 4) && extension->offer && extension->accept &&
           extension->confirm && extension->state_size && extension->begin &&
           extension->encode && extension->decode;
}

static int ws__extensions_valid(const ws_extension *const *extension)
{
    for (; *extension; extension++) {
        if (!ws__extension_valid(*extension))
            return 0;
    }
    return 1;
}

/* Bytes of the copied extensions: an array, settings of permessage-deflate, names. */
static size_t ws__extensions_size(const ws_config *cfg)
{
    size_t n = 0;
    const ws_extension *const *extension = ws__extensions_own(cfg);

    for (; *extension; extension++)
        n += sizeof **extension + strlen((*extension)->name) + 1;
    if (cfg->deflate)
        n += sizeof(ws_extension) + sizeof(ws_deflate);
    return n ? n + sizeof(ws_extension) : 0;
}

/* text stands where a ws_extension may stand. */
static ws_extension *ws__keep_extensions(ws__text *text, const ws_config *cfg)
{
    ws_extension *all = (ws_extension *)(void *)text->at, *to = all;
    const ws_extension *const *extension = ws__extensions_own(cfg);
    ws_deflate *deflate;

    if (!ws__extensions_size(cfg))
        return NULL;
    for (; *extension; extension++)
        *to++ = **extension;
    deflate = (ws_deflate *)(void *)(to + (cfg->deflate ? 2 : 1));
    text->at = (char *)deflate;
    if (cfg->deflate) {
        *deflate = ws__deflate_settings(cfg->deflate);
        *to++ = ws__deflate_extension(deflate);
        text->at = (char *)(deflate + 1);
    }
    memset(to, 0, sizeof *to);
    for (to = all, extension = ws__extensions_own(cfg); *extension; extension++, to++)
        to->name = ws__keep(text, (*extension)->name);
    return all;
}

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
    uint8_t pending;            /* the decoder may have more to write */
    uint8_t shown;              /* an event shows data */
    ws__coder in, out;
    uint8_t *data;           /* decoded bytes of the message: len in a block of cap + 1 */
    size_t len, cap;
    size_t size;                /* of this block */
} ws__ext;

static ws__ext *ws__ext_of(const ws_conn *conn)
{
    return ws__more_of(conn) ? ws__more_of(conn)->ext : NULL;
}

/* The extensions of a configuration, up to one without a name. */
static const ws_extension *ws__extensions(const ws__cfg *cfg)
{
    static const ws_extension none = { NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL,
                                       NULL, NULL, NULL, NULL };

    return cfg->extensions ? cfg->extensions : &none;
}

/* Memory for an extension, at least *size bytes. */
static void *ws__ext_alloc(ws__cfg *cfg, size_t *size)
{
    ws__area *area = cfg->area;

    if (*size > (size_t)-1 / 4)
        return NULL;
    if (!area)
        return ws__block_new(cfg, size);
    *size = (*size + 7) / 8 * 8;
    if (*size > area->size - area->used)
        return NULL;
    area->used += *size;
    return area->at + area->used - *size;
}

static int ws__coder_begin(ws__cfg *cfg, const ws_extension *extension, uint32_t agreed,
                           ws__coder *coder)
{
    int alone, r;

    if (coder->begun)
        return 0;
    if (!coder->state) {
        coder->size = (extension->state_size)(extension->user, agreed, coder->encode,
                                              &alone);
        if (!coder->size)
            return WS_ERR_CODEC;
        coder->state = ws__ext_alloc(cfg, &coder->size);
        if (!coder->state)
            return WS_ERR_MEMORY;
    }
    r = (extension->begin)(extension->user, agreed, coder->encode, coder->state);
    coder->begun = !r;
    return !r || r == WS_ERR_MEMORY ? r : WS_ERR_CODEC;
}

static void ws__coder_end(ws__cfg *cfg, const ws_extension *extension, ws__coder *coder)
{
    if (coder->begun && extension->end)
        (extension->end)(extension->user, coder->encode, coder->state);
    coder->begun = 0;
    if (cfg->area)
        return;
    ws__block_free(cfg, coder->state, coder->size);
    coder->state = NULL;
}

/* Reserved bits that frames may have. */
static int ws__ext_rsv(const ws_conn *conn)
{
    return ws__is_extended(conn) ? ws__more_of(conn)->ext->set->rsv : 0;
}

/* 1 while the decoder may have more to write. */
static int ws__ext_pending(const ws_conn *conn)
{
    return ws__more_of(conn)->ext->pending;
}

static void ws__ext_release(ws__cfg *cfg, ws__ext *ext)
{
    ext->len = ext->shown = 0;
    if (cfg->area)
        return;
    ws__block_free(cfg, ext->data, ext->cap + 1);
    ext->data = NULL;
    ext->cap = 0;
}

/* Gives back what an event showed. */
static void ws__ext_show_end(ws_conn *conn)
{
    if (ws__is_extended(conn) && ws__more_of(conn)->ext->shown)
        ws__ext_release(conn->cfg, ws__more_of(conn)->ext);
}

static void ws__ext_free(ws_conn *conn)
{
    ws__ext *ext = ws__ext_of(conn);

    if (!ext)
        return;
    ws__more_of(conn)->ext = NULL;
    ws__coder_end(conn->cfg, ext->set, &ext->in);
    ws__coder_end(conn->cfg, ext->set, &ext->out);
    ws__ext_release(conn->cfg, ext);
    if (!conn->cfg->area)
        ws__block_free(conn->cfg, ext, ext->size);
}

/* In the caller's block all memory is taken at once: states, and the rest for data. */
static int ws__ext_reserve(ws__cfg *cfg, ws__ext *ext)
{
    ws__area *area = cfg->area;
    int r = ws__coder_begin(cfg, ext->set, ext->agreed, &ext->in);

    if (!r && ext->encodes)
        r = ws__coder_begin(cfg, ext->set, ext->agreed, &ext->out);
    if (r) {
        ws__coder_end(cfg, ext->set, &ext->in);
        return r;
    }
    if (area->size == area->used)
        return WS_ERR_MEMORY;
    ext->data = area->at + area->used;
    ext->cap = area->size - area->used - 1;
    return 0;
}

/* Takes an extension into use, as it was answered. */
static int ws__ext_open(ws_conn *conn, const ws_extension *extension, uint32_t agreed,
                        ws_str name, ws_str params)
{
    ws__cfg *cfg = conn->cfg;
    size_t size = sizeof(ws__ext) + name.size + params.size + 1,
        more = sizeof *ws__more_of(conn);
    int alone = 0, reserve;
    ws__ext *ext;
    ws__text text;

    if (cfg->area) {
        cfg->area->used = 0;
        conn->more = (ws__more *)ws__ext_alloc(cfg, &more);
        if (ws__more_of(conn))
            memset(ws__more_of(conn), 0, sizeof *ws__more_of(conn));
    } else {
        ws__more_make(conn);
    }
    ext = ws__more_of(conn) ? (ws__ext *)ws__ext_alloc(cfg, &size) : NULL;
    if (!ext)
        return WS_ERR_MEMORY;
    memset(ext, 0, sizeof *ext);
    ext->set = extension;
    ext->agreed = agreed;
    ext->size = size;
    (extension->state_size)(extension->user, agreed, 0, &alone);
    ext->in.alone = alone != 0;
    ext->out.encode = 1;
    alone = 0;
    ext->encodes = (extension->state_size)(extension->user, agreed, 1, &alone) != 0;
    /* what is dropped must not be missed */
    ext->out.alone = alone || cfg->set.drop_oldest;
    text = ws__text_in((char *)(ext + 1), name.size + params.size + 1);
    ws__put(&text, name.data, name.size);
    ws__put(&text, params.data, params.size);
    reserve = cfg->area ? ws__ext_reserve(cfg, ext) : 0;
    ws__more_of(conn)->ext = reserve ? NULL : ext;
    return reserve;
}

/* What a step's failure is for the connection. */
static int ws__code_error(const ws__coder *coder, int r)
{
    if (r == WS_ERR_DECODE && !coder->encode)
        return r;
    return r == WS_ERR_MEMORY ? r : WS_ERR_CODEC;
}

/* One step, its result checked: 1, 0 or an error. */
static int ws__code(const ws_extension *extension, const ws__coder *coder,
                    const void *in, size_t *used, void *out, size_t *made, int end)
{
    size_t have = *used, room = *made;
    int (*step)(void *, void *, const void *, size_t *, void *, size_t *, int) =
        coder->encode ? extension->encode : extension->decode;
    int r = (step)(extension->user, coder->state, in, used, out, made, end);

    if (r < 0) {
        if (*made >= room)
            *made = 0;
        return ws__code_error(coder, r);
    }
    if (r > 1 || *used > have || *made > room)
        return WS_ERR_CODEC;
    if (r)
        return end && *used == have ? 1 : (int)WS_ERR_CODEC;
    if (*used || *made)
        return 0;
    return have || end ? (int)WS_ERR_CODEC : 0;
}

/* A message on its way through an encoder: pieces, bytes of the first that were taken,
   and how it ends (see ws_extension). */
typedef struct ws__encoding {
    const ws_str *v;
    int count, end;
    size_t at;
} ws__encoding;

/* Encodes into room bytes. 1: all of it; 0: the room is full. */
static int ws__encode(const ws_extension *extension, const ws__coder *coder,
                      ws__encoding *encoding, uint8_t *out, size_t room, size_t *made)
{
    int r = 0;

    *made = 0;
    while (!r && room - *made >= WS__CODE_ROOM) {
        int last = encoding->count <= 1;
        size_t have = encoding->count ? encoding->v->size - encoding->at : 0, n = have,
            size = room - *made;
        const char *in = have ? encoding->v->data + encoding->at : "";
        if (have || last) {
            r = ws__code(extension, coder, in, &n, out + *made, &size,
                         last ? encoding->end : 0);
            if (r < 0)
                return r;
            encoding->at += n;
            *made += size;
        }
        if (!last && encoding->at == encoding->v->size) {
            encoding->v++;
            encoding->count--;
            encoding->at = 0;
        }
    }
    return r;
}

/* Is a message of n bytes to be encoded? */
static int ws__encodes(const ws_conn *conn, int op, size_t n)
{
    const ws__ext *ext = ws__ext_of(conn);

    return ext && ext->encodes && n >= ext->set->threshold && !(op & WS_OP_PLAIN);
}

/* Does it encode such a message, and each without the ones before? */
WS__PRIVATE int ws__encodes_alone(const ws_conn *conn, int op, size_t n)
{
    return ws__encodes(conn, op, n) && ws__more_of(conn)->ext->out.alone;
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

static int ws__extension_is(const ws_extension *extension, ws_str name)
{
    return ws__equal(ws__cstr(extension->name), name);
}

/* The extension of that name, NULL if there is none. */
static const ws_extension *ws__extension_named(const ws__cfg *cfg, ws_str name)
{
    const ws_extension *extension = ws__extensions(cfg);

    for (; extension->name; extension++) {
        if (ws__extension_is(extension, name))
            return extension;
    }
    return NULL;
}

/* The required extension that is not the one in use, NULL if there is none. */
static const ws_extension *ws__extension_missing(const ws__cfg *cfg,
                                                 const ws_extension *in_use)
{
    const ws_extension *extension = ws__extensions(cfg);

    for (; extension->name; extension++)
        if (extension->required && extension != in_use)
            return extension;
    return NULL;
}

/* Encodes a message of n bytes, or a part of one, behind the queue: *size bytes. */
static int ws__encode_run(ws_conn *conn, const ws_str *value, int count, size_t n,
                          int end, size_t *size)
{
    ws__ext *ext = ws__more_of(conn)->ext;
    size_t room = ws__is_fixed(conn) ? WS__CODE_ROOM : n / 2 + 256, made;
    ws__encoding encoding = { NULL, 0, 0, 0 };
    int r;

    encoding.v = value;
    encoding.count = count;
    encoding.end = end;
    *size = 0;
    r = ws__coder_begin(conn->cfg, ext->set, ext->agreed, &ext->out);
    while (!r) {
        uint8_t *at = ws__tx_room_behind(conn, *size, room);
        if (!at)
            return WS_ERR_MEMORY;
        r = ws__encode(ext->set, &ext->out, &encoding, at,
                       ws__tx_spare(conn) - *size, &made);
        if (r < 0)
            break;
        *size += made;
        if (*size > 2 * n + 4096)
            return WS_ERR_CODEC;
    }
    return r < 0 ? r : 0;
}

/* Should a message that is encoded into size bytes go as it is, n bytes? */
static int ws__goes_plain(const ws__ext *ext, int op, size_t size, size_t n)
{
    int whole = op & 15 && !(op & WS__UNFINISHED);

    return whole && ext->set->only_smaller && ext->out.alone && size >= n;
}

/* Queues a message of n bytes, or a part of one, as the extension encodes it, in frames
   of at most most bytes. */
static int ws__coded_put(ws_conn *conn, int op, const ws_str *value, int count, size_t n,
                         size_t most)
{
    ws__ext *ext = ws__more_of(conn)->ext;
    int end = op & WS__UNFINISHED ? 1 : 2, r;
    size_t size;

    if (ws__cork_first(conn))
        return WS_ERR_STATE;
    r = ws__encode_run(conn, value, count, n, end, &size);
    if (!r && ws__goes_plain(ext, op, size, n))
        r = WS__PLAIN;
    if (!r)
        r = ws__frame_run(conn, op, ext->set->rsv, size, most);
    if (r == WS_ERR_MEMORY && ws__is_fixed(conn) && op & 15)
        r = WS__PLAIN;  /* it fits */
    if (r && conn->tx)
        ws__tx_settle(conn);
    /* what the encoder remembers of a message that did not go, the peer does not know */
    if (r || (end == 2 && ext->out.alone))
        ws__coder_end(conn->cfg, ext->set, &ext->out);
    return r;
}

#ifdef WS__SOURCES
/* The same, encoded by the extension. */
static int ws__source_coded(ws_conn *conn)
{
    ws__more *more = ws__more_of(conn);
    size_t size = WS__SOURCE_PIECE;
    void *piece = ws__block_new(conn->cfg, &size);
    ptrdiff_t n;
    int r;

    if (!piece)
        return WS_ERR_MEMORY;
    n = ws__source_read(more, piece, &r);
    if (n >= 0)
        r = ws__part_put(conn, more->read_op, piece, (size_t)n, n == 0);
    ws__block_free(conn->cfg, piece, size);
    return r;
}
#endif

#ifndef WS_NO_SERVER

/* Does the client offer the extension in a way that suits? Of several offers the first
   one that does. */
static int ws__extension_accept(const ws_conn *conn, const ws_extension *extension,
                                ws__choice *choice)
{
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item, params;

    while (ws_header_walk(conn, "Sec-WebSocket-Extensions", &walk, &item)) {
        if (!ws__extension_is(extension, ws__extension_name(item, &params)))
            continue;
        *choice->answer = 0;
        if ((extension->accept)(extension->user, params, choice->answer,
                                sizeof choice->answer, &choice->agreed))
            continue;
        if (!ws__is_value(choice->answer))
            continue;
        choice->set = extension;
        return 1;
    }
    return 0;
}

/* Chooses the extension. Returns a fault, and why. */
WS__APART int ws__extension_choose(const ws_conn *conn, ws__choice *choice,
                                   const char **why)
{
    const ws_extension *extension = ws__extensions(conn->cfg);
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item;

    memset(choice, 0, sizeof *choice);
    while (extension->name &&
           ws_header_walk(conn, "Sec-WebSocket-Extensions", &walk, &item))
        if (!ws__extension_parses(item)) {
            *why = "malformed";
            return WS_ERR_EXTENSION;
        }
    while (extension->name && !ws__extension_accept(conn, extension, choice))
        extension++;
    extension = ws__extension_missing(conn->cfg, choice->set);
    if (!extension)
        return 0;
    *why = extension->name;
    return WS_ERR_EXTENSION;
}

/* Can the answer say something to what extensions are offered? */
WS__APART int ws__extension_fault(ws_conn *conn, const char **why)
{
    ws__choice choice;

    return ws__extension_choose(conn, &choice, why);
}

#endif /* WS_NO_SERVER */

#ifndef WS_NO_CLIENT

/* What the extensions offer. */
WS__APART void ws__put_offers(ws__text *text, const ws__cfg *cfg)
{
    const ws_extension *extension = ws__extensions(cfg);
    char params[WS__PARAMS_SIZE];
    int i, any = 0;

    for (; extension->name; extension++)
        for (i = 0; i < 4; i++) {
            *params = 0;
            if ((extension->offer)(extension->user, i, params, sizeof params) ||
                !ws__is_value(params))
                break;
            ws__puts(text, any ? ", " : "Sec-WebSocket-Extensions: ");
            ws__puts(text, extension->name);
            ws__puts(text, params);
            any = 1;
        }
    if (any)
        ws__puts(text, "\r\n");
}

/* Bytes that they may take. */
static size_t ws__offers_size(const ws__cfg *cfg)
{
    const ws_extension *extension = ws__extensions(cfg);
    size_t n = 0;

    for (; extension->name; extension++)
        n += 4 * (strlen(extension->name) + WS__PARAMS_SIZE + 2);
    return n + 32;
}

/* Takes the extension of the answer into use, if we offered it so. */
static int ws__extension_answer(ws_conn *conn, ws_str value, const char **why)
{
    const ws_extension *extension;
    ws_str item, name, params;
    uint32_t agreed = 0;
    int r = 0;

    while (!r && ws_list_next(&value, &item)) {
        name = ws__extension_name(item, &params);
        extension = ws__extension_named(conn->cfg, name);
        *why = NULL;
        if (!ws__extension_parses(item))
            *why = "malformed";
        else if (!extension)
            *why = "not offered";
        else if (ws__ext_of(conn))
            *why = "more than one";
        else if ((extension->confirm)(extension->user, params, &agreed))
            *why = "parameters";
        r = *why ? WS_ERR_EXTENSION : ws__ext_open(conn, extension, agreed, name, params);
    }
    return r;
}

/* Without an extension that is required the connection is closed at once (7.4.1), and
   what waits to be sent is not. */
static int ws__extension_insist(ws_conn *conn)
{
    const ws__ext *ext = ws__ext_of(conn);
    const ws_extension *used = ext ? ext->set : NULL;
    const ws_extension *extension = ws__extension_missing(conn->cfg, used);

    if (!extension)
        return 0;
    ws__tx_clear(conn);
    ws__enter(&conn->core, WS__PHASE_FRAMES);
    ws__close_put(conn, WS_CLOSE_EXTENSION, extension->name, strlen(extension->name));
    ws__fail_with(conn, WS_ERR_EXTENSION_MISSING, extension->name);
    return WS_ERR_EXTENSION_MISSING;
}

#endif /* WS_NO_CLIENT */

/* ---- encoded messages ---- */

/* Room for a step of the decoder over n bytes. */
static int ws__decoded_room(ws_conn *conn, ws__ext *ext, size_t n)
{
    size_t size = 2 * (ext->len ? ext->len : n) + 1024;
    uint8_t *bigger;

    if (ext->cap - ext->len >= WS__CODE_ROOM)
        return 0;
    if (conn->cfg->area || ext->len > (size_t)-1 / 4)
        return WS_ERR_MESSAGE_SIZE;
    bigger = (uint8_t *)ws__block_new(conn->cfg, &size);
    if (!bigger)
        return WS_ERR_MEMORY;
    if (ext->len)
        memcpy(bigger, ext->data, ext->len);
    ws__block_free(conn->cfg, ext->data, ext->cap + 1);
    ext->data = bigger;
    ext->cap = size - 1;
    return 0;
}

/* A step of the decoder over *n bytes of input; returns like it. Never much more is
   decoded than the limit allows. */
static int ws__decode(ws_conn *conn, ws__ext *ext, const uint8_t *p, size_t *n, int last)
{
    ws__reader *reader = &conn->rx->reader;
    uint64_t left = conn->cfg->set.max_message;
    size_t room, made, good;
    int r = ws__decoded_room(conn, ext, *n), fault;

    if (r)
        return r;
    left = left == WS_NO_LIMIT ? (size_t)-1 / 2 : left - reader->size;
    room = ext->cap - ext->len;
    if (room > left + WS__CODE_ROOM)
        room = (size_t)left + WS__CODE_ROOM;
    made = room;
    r = ws__code(ext->set, &ext->in, p, n, ext->data + ext->len, &made, last);
    if (r < 0 && r != WS_ERR_DECODE)
        return r;
    ext->pending = !r && room - made < WS__CODE_ROOM;
    fault = ws__core_clear(reader, &conn->cfg->set, ext->data + ext->len, made, r == 1,
                           &good);
    if (fault)
        return fault;        /* the first one counts, however it was cut */
    ext->len += made;
    return r;
}

/* Shows what is decoded. */
static int ws__coded_event(ws_conn *conn, int last, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    ws__ext *ext = ws__more_of(conn)->ext;
    const void *data = ext->len ? (const void *)ext->data : "";

    ext->shown = 1;
    if (rx->parts || conn->cfg->set.frames)
        return ws__part(conn, data, ext->len, last, ev);
    ws__message(conn, rx->reader.op, data, ext->len, ev);
    ws__core_given(&rx->reader, ext->len, 1);
    return 1;
}

/* Is what is decoded shown in parts? full: the caller's block has no room for more. */
static int ws__decoded_in_parts(const ws_config *set, const ws__ext *ext, int full)
{
    if (set->frames || set->parts_over == WS_NO_LIMIT)
        return 0;
    return full || ext->len > set->parts_over;
}

/* Decodes part bytes that came, or as many as are shown at once; returns like
   ws__decode. */
static int ws__payload_decode(ws_conn *conn, ws__span *in, size_t part)
{
    ws__rx *rx = conn->rx;
    ws__reader *reader = &rx->reader;
    ws__ext *ext = ws__more_of(conn)->ext;
    int last, full, r;

    if (part > rx->clear) {
        ws__core_move(reader, in->p + rx->clear, in->p + rx->clear, part - rx->clear);
        rx->clear = part;
    }
    last = reader->fin && !reader->left && part == rx->clear;
    do {
        size_t n = part;
        r = ws__decode(conn, ext, in->p, &n, last);
        if (r < 0)
            return r;
        in->p += n;
        part -= n;
        rx->clear -= n;
        rx->eaten += n;
        full = conn->cfg->area && !r && ext->cap - ext->len < WS__CODE_ROOM;
        if (ws__decoded_in_parts(&conn->cfg->set, ext, full))
            rx->parts = 1;
        if (rx->parts && (full || ext->len >= WS__PART_MAX))
            return r;
    } while (!r && (part || last || ext->pending));
    return r;
}

/* Inside a data frame of an encoded message: takes part bytes that came. */
static int ws__payload_coded(ws_conn *conn, ws__span *in, size_t part, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    ws__reader *reader = &rx->reader;
    ws__ext *ext = ws__more_of(conn)->ext;
    int r = ws__coder_begin(conn->cfg, ext->set, ext->agreed, &ext->in);

    if (!r)
        r = ws__payload_decode(conn, in, part);
    if (r < 0) {
        ws__fail(conn, r);
        return -1;
    }
    if (r && ext->in.alone)
        ws__coder_end(conn->cfg, ext->set, &ext->in);
    reader->in_frame = ws__frame_left(rx) || ext->pending || (reader->fin && !r);
    if (!reader->in_frame)
        /* till then a fault is told at its beginning */
        conn->taken += rx->eaten;
    if (r || (rx->parts && ext->len) || (conn->cfg->set.frames && !reader->in_frame))
        return ws__coded_event(conn, r, ev);
    return reader->in_frame ? 0 : -1;
}

/* Do two extensions, of listeners perhaps, encode alike? */
WS__PRIVATE int ws__encode_alike(const ws_extension *a, const ws_extension *b)
{
    if (a == b)
        return 1;
    if (a->encode != b->encode || a->begin != b->begin ||
        a->state_size != b->state_size ||
        a->end != b->end || a->rsv != b->rsv || !a->only_smaller != !b->only_smaller)
        return 0;
    return a->user == b->user || (a->encode == ws__deflate_encode &&
           ws__deflate_alike((const ws_deflate *)a->user, (const ws_deflate *)b->user));
}

WS_API const char *ws_extensions(const ws_conn *conn)
{
    const ws__ext *ext = conn ? ws__ext_of(conn) : NULL;

    ws__sane(conn);
    return ext ? (const char *)(ext + 1) : "";
}

#else

#ifndef WS_NO_CLIENT
/* None was offered. */
static int ws__extension_answer(ws_conn *conn, ws_str value, const char **why)
{
    ws_str item;

    (void)conn;
    if (!ws_list_next(&value, &item))
        return 0;
    *why = WS__WORDS ? "not offered" : "";
    return WS_ERR_EXTENSION;
}
#endif

WS_API const char *ws_extensions(const ws_conn *conn)
{
    ws__sane(conn);
    return "";
}

#endif /* WS__EXTENDS */

/* ==== >>begin (private) ============================================================= */

WS_API int ws_is_upgrade(ws_str head)
{
    ws__request request;

    return !ws__request_read(&request, head) && request.upgrade && request.connection &&
           ws__equal(request.method, ws__cstr("GET"));
}

WS_API int ws_head_format(char *buf, size_t n, const char *method, const char *target,
                          const ws_header *headers)
{
    ws_str goal = ws__cstr(target);
    ws__text text;

    if (!buf || !n || !ws__token_valid(ws__cstr(method)) || !ws__headers_valid(headers))
        return WS_ERR_ARGUMENT;
    if (!goal.size || !ws__all(goal, ws__is_visible))
        return WS_ERR_ARGUMENT;
    text = ws__text_in(buf, n);
    ws__puts(&text, method);
    ws__puts(&text, " ");
    ws__puts(&text, target);
    ws__puts(&text, " HTTP/1.1\r\n");
    ws__put_lines(&text, headers);
    ws__puts(&text, "\r\n");
    return text.cut ? (int)WS_ERR_ARGUMENT : (int)(text.at - buf);
}

/* Has a client messages behind its request? */
static int ws__sent_early(const ws_conn *conn)
{
    return conn->core.sending || ws__has_source(conn) ||
           ws__pending(conn) > ws__tx_begun(conn);
}

/* Has it done nothing yet for a handshake, but to queue a request? */
static int ws__may_begin(const ws_conn *conn)
{
    int parsed = conn->taken || (conn->rx && conn->rx->empty_lines);

    if (conn->core.phase != WS__PHASE_HEAD || conn->owes || parsed || ws__is_kept(conn))
        return 0;
    WS_ASSERT(!conn->core.error);
    WS_ASSERT(!(conn->life & WS__ASKED));
    if (!WS__IS_CLIENT(&conn->core))
        return 1;
    return !ws__is_driven(conn) && !ws__is_http(conn) && !ws__sent_early(conn);
}

#ifndef WS_NO_SERVER

#if WS__EXTENDS

/* Is a parameter among all, with the same value? */
static int ws__param_among(ws_str all, ws_str name, const char *value)
{
    char other_value[64];
    ws_str other;

    while (ws_param_next(&all, &other, other_value, sizeof other_value) > 0) {
        if (ws__equal(other, name) && !strcmp(other_value, value))
            return 1;
    }
    return 0;
}

/* Is each of some parameters among all? */
static int ws__params_within(ws_str some, ws_str all)
{
    char value[64];
    ws_str name;

    while (ws_param_next(&some, &name, value, sizeof value) > 0) {
        if (!ws__param_among(all, name, value))
            return 0;
    }
    return 1;
}

static int ws__params_same(ws_str a, ws_str b)
{
    return ws__params_within(a, b) && ws__params_within(b, a);
}

/* What a server agreed to elsewhere: an offer to which ours answers just that. */
static int ws__extension_agreed(ws_conn *conn, ws_str value)
{
    const ws_extension *extension;
    char answer[WS__PARAMS_SIZE];
    ws_str item, rest, name, params;
    uint32_t agreed = 0;

    if (!ws_list_next(&value, &item))
        return 0;
    name = ws__extension_name(item, &params);
    extension = ws__extension_named(conn->cfg, name);
    if (!extension || !ws__extension_parses(item) || ws_list_next(&value, &rest))
        return WS_ERR_EXTENSION;
    *answer = 0;
    if ((extension->accept)(extension->user, params, answer, sizeof answer, &agreed) ||
        !ws__params_same(params, ws__cstr(answer)))
        return WS_ERR_EXTENSION;
    return ws__ext_open(conn, extension, agreed, name, params);
}

#else

static int ws__extension_agreed(ws_conn *conn, ws_str value)
{
    ws_str item;

    (void)conn;
    return ws_list_next(&value, &item) ? WS_ERR_EXTENSION : 0;
}

#endif

#endif

/* 0, or the fault of missing an extension without which there is no connection. */
static int ws__begin_misses(const ws_conn *conn)
{
#if WS__EXTENDS
    const ws__ext *ext = ws__ext_of(conn);

    return ws__extension_missing(conn->cfg, ext ? ext->set : NULL) ? WS_ERR_EXTENSION : 0;
#else
    (void)conn;
    return 0;
#endif
}

static int ws__begin_extensions(ws_conn *conn, const char *extensions)
{
    const char *why;

    (void)why;
#ifndef WS_NO_SERVER
    if (!WS__IS_CLIENT(&conn->core))
        return ws__extension_agreed(conn, ws__cstr(extensions));
#endif
#ifndef WS_NO_CLIENT
    return ws__extension_answer(conn, ws__cstr(extensions), &why);
#endif
}

WS_API int ws_begin(ws_conn *conn, const char *protocol, const char *extensions)
{
    ws_str chosen = ws__cstr(protocol);
    int fault;

    ws__sane(conn);
    if (!conn || (chosen.size && !ws__token_valid(chosen)))
        return WS_ERR_ARGUMENT;
    if (!ws__may_begin(conn))
        return WS_ERR_STATE;
    fault = ws__begin_extensions(conn, extensions);
    if (!fault)
        fault = ws__begin_misses(conn);
    if (!fault)
        fault = ws__protocol_keep(conn, chosen.data ? protocol : "");
    if (fault) {
        ws__ext_free(conn);
        return fault;
    }
    ws__tx_clear(conn);          /* a client's request */
    conn->owes |= WS__OPEN_OWED;
    if (conn->rx)
        conn->life |= WS__FRESH;
    ws__call_begin(conn);
    ws__opened(conn);
    ws__wake(conn);
    ws__sane(conn);
    return 0;
}

/* ==== >>groups (private) ============================================================ */

#ifdef WS__GROUPS

/* What an extension made of a message for many. */
typedef struct ws__broadcast_set {
    const ws_extension *set;
    uint32_t agreed;
    ws__shared *frame;          /* NULL: better as it is */
} ws__broadcast_set;

#define WS__BROADCAST_SETS 4         /* of more, the first is forgotten */

/* A message for many, or for a slot. The frames are built when the first needs them. */
typedef struct ws__broadcast {
    ws__cfg *cfg;               /* whose memory the frames take */
    ws__shared *frame;
    ws__broadcast_set coded[WS__BROADCAST_SETS];
    unsigned sets;              /* that there were */
    ws_str payload;
    int op, slot;               /* slot: -1 none */
} ws__broadcast;

#define WS__SHARE_MIN 64        /* bytes of payload from which a reference beats a copy */

#if WS__EXTENDS

/* Encodes a message alone into the frame that begins there. *out is NULL if it does not
   pay. */
static int ws__shared_coded(ws__cfg *cfg, const ws__ext *ext, ws_frame *frame,
                            const ws_str *payload, ws__shared **out)
{
    const ws_extension *extension = ext->set;
    size_t n = payload->size,
        room = extension->only_smaller ? n + WS__CODE_ROOM : 2 * n + 4096;
    ws__shared *shared = ws__shared_raw(cfg, WS_FRAME_HEADER_MAX + room);
    ws__coder coder = { NULL, 0, 1, 1, 0 };
    ws__encoding input = { NULL, 1, 2, 0 };
    size_t made = 0;
    uint8_t *at;
    int r;

    *out = NULL;
    if (!shared)
        return WS_ERR_MEMORY;
    at = WS__DATA(shared) + WS_FRAME_HEADER_MAX;
    input.v = payload;
    r = ws__coder_begin(cfg, extension, ext->agreed, &coder);
    if (!r)
        r = ws__encode(extension, &coder, &input, at, room, &made);
    ws__coder_end(cfg, extension, &coder);
    if (!r && !extension->only_smaller)
        r = WS_ERR_CODEC;
    if (r <= 0 || (extension->only_smaller && made >= n)) {
        ws__shared_release(shared);
        return r < 0 ? r : 0;
    }
    frame->rsv = (uint8_t)extension->rsv;
    frame->size = made;
    shared->size = (size_t)(ws__frame_move(WS__DATA(shared), frame, at) -
                            WS__DATA(shared));
    *out = shared;
    return 0;
}

/* What was encoded for those who agreed to the same as conn, or the place for it. */
static ws__broadcast_set *ws__broadcast_find(const ws_conn *conn,
                                             ws__broadcast *broadcast)
{
    const ws__ext *ext = ws__more_of(conn)->ext;
    ws__broadcast_set *set = broadcast->coded, *end = set + WS__BROADCAST_SETS;

    while (set < end && (!set->set || set->agreed != ext->agreed ||
                         !ws__encode_alike(set->set, ext->set)))
        set++;
    if (set < end)
        return set;
    set = &broadcast->coded[broadcast->sets++ % WS__BROADCAST_SETS];
    if (set->frame)
        ws__shared_release(set->frame);
    memset(set, 0, sizeof *set);
    return set;
}

/* The frame of a message that conn encodes alone, so that others may have the same: 1, 0:
   better as it is. */
static int ws__broadcast_encoded(ws_conn *conn, ws__broadcast *broadcast, ws_frame *frame,
                                 ws__shared **out)
{
    const ws__ext *ext = ws__more_of(conn)->ext;
    ws__broadcast_set *set = frame->masked ? NULL : ws__broadcast_find(conn, broadcast);
    int r;

    if (set && set->set) {
        *out = set->frame;
    } else {
        r = ws__shared_coded(set ? broadcast->cfg : conn->cfg, ext, frame,
                             &broadcast->payload, out);
        if (r)
            return r;
        if (set) {
            set->set = ext->set;
            set->agreed = ext->agreed;
            set->frame = *out;
        }
    }
    if (*out && set)
        (*out)->refs++;
    return *out != NULL;
}

#else
#define ws__broadcast_encoded(conn, broadcast, frame, out) 0
#endif

static void ws__broadcast_end(ws__broadcast *broadcast)
{
    int i;

    if (broadcast->frame)
        ws__shared_release(broadcast->frame);
    for (i = 0; i < WS__BROADCAST_SETS; i++)
        if (broadcast->coded[i].frame)
            ws__shared_release(broadcast->coded[i].frame);
}

/* The frame of a message in the form that conn needs, with a reference for the caller. A
   client has one of its own: its key is used once. */
static int ws__broadcast_frame(ws_conn *conn, ws__broadcast *broadcast, ws__shared **out)
{
    ws_frame frame;
    int r;

    ws__core_frame(&conn->core, &frame, broadcast->op, broadcast->payload.size);
    if (frame.masked && ws__random(conn, frame.key, 4))
        return WS_ERR_RANDOM;
    if (ws__encodes_alone(conn, broadcast->op, broadcast->payload.size)) {
        r = ws__broadcast_encoded(conn, broadcast, &frame, out);
        if (r)
            return r < 0 ? r : 0;
    }
    frame.rsv = 0;
    frame.size = broadcast->payload.size;
    if (frame.masked) {
        *out = ws__shared_new(conn->cfg, &frame, &broadcast->payload);
        return *out ? 0 : WS_ERR_MEMORY;
    }
    if (!broadcast->frame)
        broadcast->frame = ws__shared_new(broadcast->cfg, &frame, &broadcast->payload);
    if (!broadcast->frame)
        return WS_ERR_MEMORY;
    *out = broadcast->frame;
    broadcast->frame->refs++;
    return 0;
}

/* Can conn share a message with others? A client masks it, a stream takes it in frames,
   and an encoder that remembers must see it. */
static int ws__broadcast_shares(const ws_conn *conn, const ws__broadcast *broadcast)
{
    size_t n = broadcast->payload.size;

    return n >= WS__SHARE_MIN && n <= conn->cfg->set.fragment &&
           !WS__IS_CLIENT(&conn->core) && !ws__is_fixed(conn) &&
           (!ws__encodes(conn, broadcast->op, n) ||
            ws__encodes_alone(conn, broadcast->op, n));
}

/* Gives a message to one of its receivers. */
WS__APART int ws__broadcast_give(ws_conn *conn, ws__broadcast *broadcast)
{
    size_t n = broadcast->payload.size, grows = n + ws__header_size(conn, n);
    ws__mark *mark = broadcast->slot < 0 ? NULL : ws__slot_find(conn, broadcast->slot);
    ws__shared *frame;
    int r;

    if (broadcast->slot < 0 && !ws__broadcast_shares(conn, broadcast))
        return ws_sendv(conn, broadcast->op, &broadcast->payload, 1);
    if (mark)
        grows = grows > mark->frame->size ? grows - mark->frame->size : 0;
    r = !mark ? ws__begin(conn) : ws__can_send(conn) ? 0 : WS_ERR_STATE;
    if (!r)
        r = ws__admit(conn, grows);
    if (!r && mark) {
        /* or was it dropped to make room? */
        mark = ws__slot_find(conn, broadcast->slot);
        if (!mark)
            r = ws__begin(conn);
    }
    if (r)
        return r;
    ws__core_spoke(&conn->core, conn->now);
    r = ws__broadcast_frame(conn, broadcast, &frame);
    if (r)
        return ws__sent(conn, r);
    if (mark)
        ws__slot_replace(conn, mark, frame);
    else
        r = ws__share_put(conn, frame, (size_t)broadcast->slot + 1);
    ws__shared_release(frame);
    return ws__sent(conn, r);
}

/* What ws_publish and its like may be given. */
static int ws__broadcast_valid(int op, const void *data, size_t n)
{
    return ws__op_valid(op) && (data || !n) && n <= (size_t)-1 / 4;
}

static ws__broadcast ws__broadcast_of(ws__cfg *cfg, int slot, int op, const void *data,
                                      size_t n)
{
    ws__broadcast broadcast;

    memset(&broadcast, 0, sizeof broadcast);
    broadcast.cfg = cfg;
    broadcast.payload = ws__str((const char *)data, n);
    broadcast.op = op;
    broadcast.slot = slot;
    return broadcast;
}

WS_API int ws_send_latest(ws_conn *conn, int slot, int op, const void *data, size_t n)
{
    ws__broadcast broadcast;
    int r;

    ws__sane(conn);
    if (!conn || slot < 0 || !ws__broadcast_valid(op, data, n))
        return WS_ERR_ARGUMENT;
    if (ws__is_fixed(conn))
        return WS_ERR_MEMORY;
    broadcast = ws__broadcast_of(conn->cfg, slot, op, data, n);
    r = ws__broadcast_give(conn, &broadcast);
    ws__broadcast_end(&broadcast);
    return r;
}

#ifndef WS_NO_SOCKETS

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
static ws__group **ws__group_find(ws_loop *loop, ws_str name, uint32_t *hash)
{
    ws__group **at;
    size_t i;

    /* FNV-1a from a secret start: names may come from peers */
    *hash = loop->seed;
    for (i = 0; i < name.size; i++)
        *hash = (*hash ^ (uint8_t)name.data[i]) * 16777619u;
    if (!loop->group_slots)
        return NULL;
    at = &loop->groups[*hash & (loop->group_slots - 1)];
    while (*at && ((*at)->hash != *hash || (*at)->size != name.size ||
                   memcmp(*at + 1, name.data, name.size)))
        at = &(*at)->link;
    return at;
}

static ws__group *ws__group_of(ws_loop *loop, ws_str name)
{
    uint32_t hash;
    ws__group **at = ws__group_find(loop, name, &hash);

    return at ? *at : NULL;
}

/* As many slots as groups, or more. */
WS__PRIVATE uint32_t ws__group_size(ws_loop *loop, ws_str name)
{
    const ws__group *group = ws__group_of(loop, name);

    return group ? group->count : 0;
}

static int ws__group_grow(ws_loop *loop)
{
    uint32_t size = loop->group_slots ? 2 * loop->group_slots : 16, i;
    ws__group **bigger, *group;

    if (loop->group_count < loop->group_slots)
        return 0;
    bigger = (ws__group **)ws__alloc(loop->cfg, size * sizeof *bigger);
    if (!bigger)
        return WS_ERR_MEMORY;
    memset(bigger, 0, size * sizeof *bigger);
    for (i = 0; i < loop->group_slots; i++)
        while ((group = loop->groups[i]) != NULL) {
            loop->groups[i] = group->link;
            group->link = bigger[group->hash & (size - 1)];
            bigger[group->hash & (size - 1)] = group;
        }
    ws__free(loop->cfg, loop->groups, loop->group_slots * sizeof *bigger);
    loop->groups = bigger;
    loop->group_slots = size;
    return 0;
}

static ws__group *ws__group_make(ws_loop *loop, ws_str name)
{
    ws__group **at, *group;
    uint32_t hash;

    if (ws__group_grow(loop))
        return NULL;
    at = ws__group_find(loop, name, &hash);
    if (*at)
        return *at;
    group = (ws__group *)ws__alloc(loop->cfg, sizeof *group + name.size);
    if (!group)
        return NULL;
    memset(group, 0, sizeof *group);
    group->hash = hash;
    group->size = name.size;
    memcpy(group + 1, name.data, name.size);
    *at = group;
    loop->group_count++;
    return group;
}

static void ws__group_free(ws_loop *loop, ws__group *group)
{
    uint32_t hash;
    ws__group **at = ws__group_find(loop, ws__str((const char *)(group + 1), group->size),
                                    &hash);

    *at = group->link;
    loop->group_count--;
    ws__free(loop->cfg, group, sizeof *group + group->size);
}

/* The membership: looks through the members and the connection's groups at the same pace,
   so that it takes as long as the shorter list. */
static ws__member *ws__member_of(const ws_conn *conn, const ws__group *group)
{
    ws__member *member = group->members;
    ws__member *o = ws__more_of(conn) ? ws__more_of(conn)->groups : NULL;

    for (; member && o; member = member->next, o = o->other) {
        if (member->conn == conn)
            return member;
        if (o->group == group)
            return o;
    }
    return NULL;
}

static int ws__join(ws_conn *conn, ws_str name)
{
    ws_loop *loop = conn->loop;
    ws__group *group = ws__more_make(conn) ? ws__group_make(loop, name) : NULL;
    ws__member *member;

    if (!group)
        return WS_ERR_MEMORY;
    if (ws__member_of(conn, group))
        return 0;
    member = (ws__member *)ws__alloc(loop->cfg, sizeof *member);
    if (!member) {
        if (!group->count)
            ws__group_free(loop, group);
        return WS_ERR_MEMORY;
    }
    member->conn = conn;
    member->group = group;
    member->at = &group->members;
    member->next = group->members;
    if (member->next)
        member->next->at = &member->next;
    group->members = member;
    group->count++;
    member->other_at = &ws__more_of(conn)->groups;
    member->other = ws__more_of(conn)->groups;
    if (member->other)
        member->other->other_at = &member->other;
    ws__more_of(conn)->groups = member;
    return 0;
}

static void ws__leave(ws_loop *loop, ws__member *member)
{
    *member->at = member->next;
    if (member->next)
        member->next->at = member->at;
    *member->other_at = member->other;
    if (member->other)
        member->other->other_at = member->other_at;
    if (!--member->group->count)
        ws__group_free(loop, member->group);
    ws__free(loop->cfg, member, sizeof *member);
}

/* own: also the groups that the library made, whose names begin with NUL. */
static void ws__leave_all(ws_conn *conn, int own)
{
    ws__member *member = ws__more_of(conn) ? ws__more_of(conn)->groups : NULL, *next;

    for (; member; member = next) {
        next = member->other;
        if (own || *(const char *)(member->group + 1))
            ws__leave(conn->loop, member);
    }
}

WS_API size_t ws_group_count(ws_loop *loop, const char *group)
{
    return loop && group ? ws__group_size(loop, ws__cstr(group)) : 0;
}

WS_API ws_conn *ws_group_each(ws_loop *loop, const char *group, ws_conn *after)
{
    const ws__group *found = loop && group ? ws__group_of(loop, ws__cstr(group)) : NULL;
    const ws__member *member = NULL;

    if (!found)
        return NULL;
    if (after)
        member = ws__member_of(after, found);
    if (after && !member)
        return NULL;
    member = after ? member->next : found->members;
    return member ? member->conn : NULL;
}

WS_API ws_str ws_group_at(const ws_conn *conn, int number)
{
    const ws__member *member;
    const char *name;

    ws__sane(conn);
    member = conn && ws__more_of(conn) ? ws__more_of(conn)->groups : NULL;
    for (; member && number >= 0; member = member->other) {
        name = (const char *)(member->group + 1);
        if (*name && !number--)
            return ws__str(name, member->group->size);
    }
    return ws__str(NULL, 0);
}

/* ---- numbers of connections, and what other threads send them ---- */

/* A connection with a number is in a group of its own, of that name. */
enum { WS__ID_NAME = 10 };

static ws_str ws__id_name(uint64_t id, char name[WS__ID_NAME])
{
    name[0] = 0;
    name[1] = 'i';              /* the groups of addresses are shorter or longer */
    memcpy(name + 2, &id, sizeof id);
    return ws__str(name, WS__ID_NAME);
}

WS_API uint64_t ws_id(ws_conn *conn)
{
    const ws__member *member;
    char name[WS__ID_NAME];
    uint64_t id;

    ws__sane(conn);
    if (!conn || !conn->loop || ws__is_gone(conn))
        return 0;
    member = ws__more_of(conn) ? ws__more_of(conn)->groups : NULL;
    for (; member; member = member->other) {
        const char *at = (const char *)(member->group + 1);
        if (member->group->size == WS__ID_NAME && !at[0] && at[1] == 'i') {
            memcpy(&id, at + 2, sizeof id);
            return id;
        }
    }
    id = conn->loop->ids + 1;
    if (ws__join(conn, ws__id_name(id, name)))
        return 0;
    conn->loop->ids = id;
    return id;
}

WS_API ws_conn *ws_find(ws_loop *loop, uint64_t id)
{
    char name[WS__ID_NAME];
    const ws__group *group = loop ? ws__group_of(loop, ws__id_name(id, name)) : NULL;

    return group && !ws__is_gone(group->members->conn) ? group->members->conn : NULL;
}

#ifdef WS_NO_MALLOC

static void ws__parcel_deliver(ws_loop *loop, void *parcel)
{
    (void)loop;
    (void)parcel;
}

#else

/* A copy of what another thread sends; the bytes follow. */
typedef struct ws__parcel {
    uint64_t id;
    size_t size;
    int op;
} ws__parcel;

static void ws__parcel_deliver(ws_loop *loop, void *parcel)
{
    ws__parcel *is = (ws__parcel *)parcel;
    ws_conn *conn = loop->heap_count ? ws_find(loop, is->id) : NULL;

    if (conn && ws_send(conn, is->op, is + 1, is->size) == WS_ERR_STATE)
        conn->refused++;            /* the other faults are counted where they arise */
    free(is);
}

WS_API int ws_post_to(ws_loop *loop, uint64_t id, int op, const void *data, size_t n)
{
    void *posts[2];
    ws__parcel *parcel;
    int fault;

    if (!loop || !id || (!data && n) || !ws__op_valid(op) || n > (size_t)-1 / 2)
        return WS_ERR_ARGUMENT;
    parcel = (ws__parcel *)malloc(sizeof *parcel + n);
    if (!parcel)
        return WS_ERR_MEMORY;
    parcel->id = id;
    parcel->op = op;
    parcel->size = n;
    if (n)
        memcpy(parcel + 1, data, n);
    posts[0] = ws__parcel_mark(loop);
    posts[1] = parcel;
    fault = ws__post_put(loop, posts, 2);
    if (fault)
        free(parcel);
    return fault;
}

#endif

static ws_str ws__group_name(const char *group)
{
    ws_str name = ws__cstr(group);
    if (name.size > WS__GROUP_NAME)
        name.size = 0;
    return name;
}

WS_API int ws_join(ws_conn *conn, const char *group)
{
    ws_str name = ws__group_name(group);

    ws__sane(conn);
    if (!conn || !conn->loop || !name.size)
        return WS_ERR_ARGUMENT;
    if (conn->place & WS__DEAD || ws_state(conn) > WS_STATE_OPEN)
        return WS_ERR_STATE;
    return ws__join(conn, name);
}

WS_API int ws_leave(ws_conn *conn, const char *group)
{
    ws_str name = ws__group_name(group);
    ws__group *g;
    ws__member *member;

    ws__sane(conn);
    if (!conn || !conn->loop || (group && !name.size))
        return WS_ERR_ARGUMENT;
    if (!group)
        ws__leave_all(conn, 0);
    g = group ? ws__group_of(conn->loop, name) : NULL;
    member = g ? ws__member_of(conn, g) : NULL;
    if (member)
        ws__leave(conn->loop, member);
    return 0;
}

/* One message to many connections: the clock is read once. */
static void ws__give_begin(ws_loop *loop)
{
    loop->now = ws__clock();
    loop->gives++;
}

static void ws__give_end(ws_loop *loop) { loop->gives--; }

/* Gives a broadcast to conn if it is open. Returns 1 if conn took it. */
static int ws__offer(ws_conn *conn, ws__broadcast *broadcast)
{
    return !(conn->place & WS__DEAD) && ws_state(conn) == WS_STATE_OPEN &&
        !ws__broadcast_give(conn, broadcast);
}

static int ws__publish(ws_loop *loop, const char *group, const ws_conn *except,
                       ws__broadcast *broadcast)
{
    ws__group *g = ws__group_of(loop, ws__group_name(group));
    ws__member *member = g ? g->members : NULL;
    int took = 0;

    ws__give_begin(loop);
    for (; member; member = member->next)
        if (member->conn != except)
            took += ws__offer(member->conn, broadcast);
    ws__give_end(loop);
    ws__broadcast_end(broadcast);
    return took;
}

WS_API int ws_publish(ws_loop *loop, const char *group, ws_conn *except, int op,
                      const void *data, size_t n)
{
    ws__broadcast broadcast;

    if (!loop || !ws__broadcast_valid(op, data, n))
        return 0;
    broadcast = ws__broadcast_of(loop->cfg, -1, op, data, n);
    return ws__publish(loop, group, except, &broadcast);
}

#ifdef WS__ANSWERS

WS_API int ws_http_publish(ws_loop *loop, const char *group, ws_conn *except,
                           const void *data, size_t n)
{
    ws__group *g = loop ? ws__group_of(loop, ws__group_name(group)) : NULL;
    ws__member *member = g ? g->members : NULL;
    int took = 0;

    if (!g)
        return 0;
    ws__give_begin(loop);
    for (; member; member = member->next) {
        if (member->conn != except && !(member->conn->place & WS__DEAD))
            took += !ws_http_write(member->conn, data, n);
    }
    ws__give_end(loop);
    return took;
}

WS_API int ws_http_publish_fill(ws_loop *loop, const char *group, ws_conn *except,
                                size_t n,
                                void (*fill)(void *user, void *at, size_t n), void *user)
{
    char few[256];
    ws__shared *big = NULL;
    void *at = few;
    int took;

    if (!loop || !fill || n > (size_t)-1 / 4 ||
        !ws__group_of(loop, ws__group_name(group)))
        return 0;
    if (n > sizeof few) {
        big = ws__shared_raw(loop->cfg, n);
        if (!big)
            return 0;
        at = WS__DATA(big);
    }
    (fill)(user, at, n);
    took = ws_http_publish(loop, group, except, at, n);
    if (big)
        ws__shared_release(big);
    return took;
}

#endif /* WS__ANSWERS */

#ifndef WS_NO_SERVER

WS_API int ws_broadcast(ws_loop *loop, ws_conn *except, int op, const void *data,
                        size_t n)
{
    ws__broadcast broadcast;
    uint32_t i;
    int took = 0;

    if (!loop || !ws__broadcast_valid(op, data, n))
        return 0;
    broadcast = ws__broadcast_of(loop->cfg, -1, op, data, n);
    ws__give_begin(loop);
    for (i = 1; i <= loop->heap_count; i++) {
        if (loop->heap[i] != except && !WS__IS_CLIENT(&loop->heap[i]->core))
            took += ws__offer(loop->heap[i], &broadcast);
    }
    ws__give_end(loop);
    ws__broadcast_end(&broadcast);
    return took;
}

#endif

WS_API int ws_publish_latest(ws_loop *loop, const char *group, int slot, int op,
                             const void *data, size_t n)
{
    ws__broadcast broadcast;

    if (!loop || slot < 0 || !ws__broadcast_valid(op, data, n))
        return 0;
    broadcast = ws__broadcast_of(loop->cfg, slot, op, data, n);
    return ws__publish(loop, group, NULL, &broadcast);
}

#endif /* WS_NO_SOCKETS */

#endif /* WS__GROUPS */

/* ==== >>routes (private) ============================================================ */

#ifdef WS__ROUTES

/* ---- what our own proxies say ---- */

/* Finds the element of that place (0..) over all lines of a name. Returns it, or how many
   there are. Commas alone separate: a quote that a client sends must not swallow what the
   proxies put behind it. */
static uint32_t ws__forwarded_find(const ws_conn *conn, const char *field, uint32_t place,
                                   ws_str *item)
{
    ws_str name, line;
    size_t pos = 0, at, end;
    uint32_t count = 0;

    while (ws_header_next(conn, &pos, &name, &line)) {
        if (!ws_str_is(name, field))
            continue;
        for (at = 0; at < line.size; at = end + 1) {
            end = ws__find(line, at, ',');
            *item = ws__trim(line.data, at, end);
            if (item->size && count++ == place)
                return place;
        }
    }
    return count;
}

/* What the first of the proxies that we trust says under that name. 0: nothing. */
static int ws__proxies_say(const ws_conn *conn, const char *field, ws_str *item)
{
    uint32_t trusted = conn->cfg->set.trusted_proxies, count = 0;

    if (trusted)
        count = ws__forwarded_find(conn, field, 0xFFFFFFFFu, item);
    if (count)
        ws__forwarded_find(conn, field, count > trusted ? count - trusted : 0, item);
    return count != 0;
}

/* The host that the client asked for. */
static ws_str ws__asked_host(const ws_conn *conn, const ws__request *request)
{
    ws_str item;

    return ws__proxies_say(conn, "X-Forwarded-Host", &item) ? item : request->host;
}

/* Keeps the client's address as our proxies say it, "" where it is none. */
static int ws__forwarded(ws_conn *conn)
{
    ws_str item, host;
    unsigned port;
    uint8_t ip[16];

    if (!ws__proxies_say(conn, "X-Forwarded-For", &item))
        return 0;
    if (ws__authority(item, &host, &port, 80))
        item = host;     /* of "192.0.2.7:5000" */
    if (!ws__ip_parse(item, ip))
        item.size = 0;
    if (!ws__more_make(conn))
        return WS_ERR_MEMORY;
    ws__string_free(conn, ws__more_of(conn)->remote);   /* of a request before */
    ws__more_of(conn)->remote = ws__string_new(conn, item);
    return ws__more_of(conn)->remote ? 0 : WS_ERR_MEMORY;
}

/* ---- which path ---- */

/* path fits the pattern: '*' at its end is any rest, elsewhere the rest of a segment. */
static int ws__path_fits(const char *pattern, ws_str path)
{
    size_t i = 0, rest;

    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (i == path.size || path.data[i++] != *pattern)
                return 0;
            continue;
        }
        if (!pattern[1])
            return 1;
        rest = ws__find(path, i, '/');
        if (rest == i)
            return 0;
        i = rest;
    }
    return i == path.size;
}

/* Chooses the route: of those whose path fits the one that the client offers first, else
   the first for any subprotocol. */
static int ws__route_choose(ws_conn *conn)
{
    const ws_route *all = conn->cfg->set.routes, *route;
    uint32_t best = WS__NOT_OFFERED, place;

    if (!all)
        return 0;
    for (route = all; route->path; route++) {
        if (!ws__path_fits(route->path, ws_path(conn)))
            continue;
        place = WS__NOT_OFFERED - 1;
        if (route->protocol)
            place = ws__offer_find(conn, route->protocol);
        if (place >= best)
            continue;
        best = place;
        conn->route = (uint8_t)(route - all + 1);
    }
    return conn->route ? 0 : WS_ERR_ROUTE;
}

/* Are WebSockets served at the path of the request? */
static int ws__path_served(const ws_conn *conn)
{
    const ws_route *route = conn->cfg->set.routes;

    if (!route)
        return 1;
    while (route->path && !ws__path_fits(route->path, ws_path(conn)))
        route++;
    return route->path != NULL;
}

/* ---- headers that stay ---- */

/* Is the name in cfg.keep_headers? */
static int ws__line_stays(const ws_conn *conn, ws_str name)
{
    ws_str list = ws__cstr(conn->cfg->set.keep_headers), item;

    while (ws_list_next(&list, &item)) {
        if (ws__same_text(item, name))
            return 1;
    }
    return 0;
}

/* Keeps those lines of the head on show. 0 or WS_ERR_MEMORY. */
static int ws__lines_keep(ws_conn *conn)
{
    ws_str name, value;
    ws__more *more;
    ws__text text;
    size_t pos = 0, n = 2;

    if (!conn->cfg->set.keep_headers || ws__is_fixed(conn))
        return 0;
    while (ws_header_next(conn, &pos, &name, &value)) {
        if (ws__line_stays(conn, name))
            n += name.size + value.size + 4;
    }
    more = ws__more_make(conn);
    if (!more)
        return WS_ERR_MEMORY;
    ws__string_free(conn, more->lines);
    more->lines = (char *)ws__alloc(conn->cfg, n + 1);
    if (!more->lines)
        return WS_ERR_MEMORY;
    text = ws__text_in(more->lines, n + 1);
    ws__puts(&text, "\r\n");
    for (pos = 0; ws_header_next(conn, &pos, &name, &value);) {
        if (!ws__line_stays(conn, name))
            continue;
        ws__put(&text, name.data, name.size);
        ws__puts(&text, ": ");
        ws__put(&text, value.data, value.size);
        ws__puts(&text, "\r\n");
    }
    return 0;
}

#endif /* WS__ROUTES */

WS_API int ws_route_id(const ws_conn *conn)
{
    ws__sane(conn);
    return conn && conn->route ? conn->cfg->set.routes[conn->route - 1].id : 0;
}

/* ==== >>serve (private) ============================================================= */

#ifdef WS__ANSWERS

static int ws__body_put(ws_conn *conn, size_t n, void (*fill)(void *, void *, size_t),
                        void *user);

/* When a peer that takes nothing of a body has missed a beat; or, with WS__PINGED, is
   taken for dead. */
static uint32_t ws__body_limit(const ws_conn *conn, uint32_t now)
{
    uint32_t patience = conn->cfg->set.ping_timeout;

    if (!ws__pending(conn) || patience == WS_NEVER)
        return now + WS__FAR;
    if (conn->core.is & WS__PINGED)
        return conn->core.pinged + patience;
    return conn->core.heard + ws__more_of(conn)->beat_ms;
}

/* When the next beat of a body is due, or the peer that takes none is to be judged. */
static uint32_t ws__body_due(const ws_conn *conn, uint32_t now)
{
    const ws__more *more = ws__more_of(conn);

    if (ws__has_file(conn))
        return ws__after(now, conn->core.heard, conn->cfg->set.ping_timeout);
    if (!more || !more->beat)
        return now + WS__FAR;
    return ws__sooner(now, more->beat_at, ws__body_limit(conn, now));
}

static void ws__fill_copy(void *data, void *at, size_t n) { memcpy(at, data, n); }

/* Something is written: the next beat is due so much later. */
static void ws__beat_later(ws_conn *conn)
{
    if (ws__more_of(conn))
        ws__more_of(conn)->beat_at = conn->now + ws__more_of(conn)->beat_ms;
}

static void ws__beat_end(ws_conn *conn)
{
    ws__more *more = ws__more_of(conn);

    if (!more)
        return;
    ws__string_free(conn, more->beat);
    more->beat = NULL;
}

/* 1 if the peer is dead. What waits for too long is as good as a ping to it, and
   ws__wrote as its answer. */
static int ws__body_stuck(ws_conn *conn)
{
    if ((int32_t)(conn->now - ws__body_limit(conn, conn->now)) < 0)
        return 0;
    if (conn->core.is & WS__PINGED)
        return 1;
    ws__core_pinged(&conn->core, conn->now);
    return 0;
}

static void ws__beat(ws_conn *conn)
{
    const ws__more *more = ws__more_of(conn);

    if (!more)
        return;
    if (ws__has_file(conn) || (more->beat && ws__body_stuck(conn))) {
        ws__fail(conn, WS_ERR_PING_TIMEOUT);
        return;
    }
    if (more->beat && (int32_t)(conn->now - more->beat_at) >= 0) {
        if (!ws__pending(conn))
            ws__body_put(conn, strlen(more->beat), ws__fill_copy, more->beat);
        ws__beat_later(conn);
    }
    ws__wake(conn);
}

/* ---- bodies of requests ---- */

/* The bytes of a body that can be given whole. */
static uint64_t ws__body_most(const ws_conn *conn)
{
    const ws__rx *rx = conn->rx;
    uint64_t most = conn->cfg->set.max_body, room = (size_t)-1 / 4;

    if (ws__is_fixed(conn))
        room = rx->cap - rx->head_at - rx->head_size;
    if (most == WS_NO_LIMIT || most > room)
        most = room;
    return most;
}

/* A body of more than that: it comes in parts, or not at all. */
static int ws__body_over(ws_conn *conn)
{
    if (!conn->cfg->set.body_parts)
        return WS_ERR_BODY_SIZE;
    conn->rx->in_parts = 1;
    return 0;
}

/* The body of a request is to come: tells a client that waits for it (RFC 9110
   10.1.1). */
static int ws__body_invite(ws_conn *conn, const ws__span *in)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ws__rx *rx = conn->rx;
    ws__text text;

    if (!rx->expects)
        return 0;
    rx->expects = 0;
    if (rx->body.got || in->p < in->end)
        return 0;                   /* it does not wait */
    if (ws__text_begin(conn, &text, sizeof go_on))
        return WS_ERR_MEMORY;
    ws__puts(&text, go_on);
    ws__wake(conn);
    return ws__text_end(conn, &text);
}

/* How many lines of a head have that name, and that value unless it is NULL. */
static int ws__head_lines(ws_str head, const char *wanted, const char *said)
{
    ws_str name, value;
    size_t pos = 0;
    int count = 0;

    while (ws_head_field(head, &pos, &name, &value))
        count += ws_str_is(name, wanted) && (!said || ws_str_is(value, said));
    return count;
}

/* How the body of an ordinary request comes: 0, or why it is refused (RFC 9112 6). */
static int ws__body_expect(ws_conn *conn, const ws__request *request, ws_str head)
{
    ws__rx *rx = conn->rx;
    int modern = ws_str_is(request->version, "HTTP/1.1");
    int fault = ws__body_request(&rx->body, head);
    int codings = ws__head_lines(head, "Transfer-Encoding", NULL);

    if (fault || codings > 1)
        return WS_ERR_BODY;
    if (codings && (!modern || ws__head_lines(head, "Content-Length", NULL)))
        return WS_ERR_BODY;
    if (rx->body.how == WS__BODY_DONE)
        return 0;
    rx->reads_body = 1;
    rx->expects = modern && ws__head_lines(head, "Expect", "100-continue");
    rx->begun = rx->in_parts = rx->undone = 0;
    rx->msg = (size_t)(rx->head_at + rx->head_size);
    conn->taken = 0;
    if (rx->body.all != WS__UNTOLD && rx->body.all > ws__body_most(conn))
        return ws__body_over(conn);
    return 0;
}

/* All of it is here. */
static void ws__body_done(ws_conn *conn)
{
    conn->rx->reads_body = 0;
    conn->rx->msg = 0;
    ws__core_wait(&conn->core, conn->now, conn->cfg->set.handshake_timeout);
    ws__enter(&conn->core, WS__PHASE_HTTP);
    ws__wake(conn);
}

/* The event of a request whose body is whole, or turns out to come in parts. */
static int ws__body_event(ws_conn *conn, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    const uint8_t *body = WS__DATA(rx) + rx->head_at + rx->head_size;

    if (rx->in_parts) {
        ws__enter(&conn->core, WS__PHASE_UPLOAD);
        ws__wake(conn);
        ws__fill(ev, conn, WS_EV_HTTP, "", 0);
        return 1;
    }
    rx->body_size = rx->msg - (size_t)(rx->head_at + rx->head_size);
    ws__body_done(conn);
    ws__fill(ev, conn, WS_EV_HTTP, body, rx->body_size);
    ev->first = ev->last = 1;
    return 1;
}

/* Is there no room for what must come next, a body being in the caller's block? */
static int ws__body_is_stuck(const ws_conn *conn, const ws__span *in)
{
    return ws__is_fixed(conn) && in->in_rx &&
           (size_t)(in->end - in->p) >= conn->rx->cap - conn->rx->msg;
}

/* What is wrong with a body that is given whole, after a step over it. */
static int ws__body_fault(ws_conn *conn, const ws__span *in, ptrdiff_t step)
{
    const ws__body *body = &conn->rx->body;
    uint64_t told = body->how == WS__BODY_CHUNK ? body->got + body->left : body->got;

    if (step < 0)
        return WS_ERR_BODY;
    if (!step && body->how != WS__BODY_DONE && ws__body_is_stuck(conn, in))
        return WS_ERR_BODY_SIZE;
    return told > ws__body_most(conn) ? ws__body_over(conn) : 0;
}

/* One step over a body that is given whole: puts it together behind its head. Returns
   like ws__frame_step. */
static int ws__body_whole_step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    size_t data;
    ptrdiff_t step;
    int fault;

    if (!in->in_rx)
        return 0;
    fault = ws__body_invite(conn, in);
    step = ws__body_step(&rx->body, (const char *)in->p, (size_t)(in->end - in->p),
                         conn->cfg->set.max_head, &data);
    if (!fault)
        fault = ws__body_fault(conn, in, step);
    if (fault) {
        ws__fail(conn, fault);
        return -1;
    }
    if (!step)
        return rx->body.how == WS__BODY_DONE ? ws__body_event(conn, ev) : 0;
    if (data && in->p != WS__DATA(rx) + rx->msg)
        memmove(WS__DATA(rx) + rx->msg, in->p, data);
    if (rx->body.all == WS__UNTOLD)
        rx->undone = 1;
    rx->msg += data;
    in->p += step;
    conn->taken += (uint64_t)step;
    return rx->in_parts ? ws__body_event(conn, ev) : -1;
}

/* A part of an upload. */
static int ws__upload_part(ws_conn *conn, const void *data, size_t n, int last,
                           ws_event *ev)
{
    ws__rx *rx = conn->rx;

    ws__fill(ev, conn, WS_EV_PART, data, n);
    ev->op = WS_OP_BINARY;
    ev->first = !rx->begun;
    ev->last = last;
    rx->begun = 1;
    if (ev->last)
        ws__body_done(conn);
    return 1;
}

/* One step over a body that comes in parts; what came before it was too long for one
   piece is the first of them. */
static int ws__upload_step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    size_t data, front = (size_t)(rx->head_at + rx->head_size);
    const uint8_t *early = WS__DATA(rx) + front;
    size_t waits = rx->msg - front;
    ptrdiff_t step;

    if (ws__body_invite(conn, in)) {
        ws__fail(conn, WS_ERR_MEMORY);
        return -1;
    }
    if (waits) {
        rx->msg = front;
        return ws__upload_part(conn, early, waits, 0, ev);
    }
    step = ws__body_step(&rx->body, (const char *)in->p, (size_t)(in->end - in->p),
                         conn->cfg->set.max_head, &data);
    if (!step && rx->body.how == WS__BODY_DONE)
        return ws__upload_part(conn, "", 0, 1, ev);
    if (!step && !ws__body_is_stuck(conn, in))
        return 0;
    if (step <= 0) {
        ws__fail(conn, WS_ERR_BODY);
        return -1;
    }
    in->p += step;
    conn->taken += (uint64_t)step;
    if (!data)
        return -1;
    return ws__upload_part(conn, in->p - data, data, rx->body.how == WS__BODY_DONE, ev);
}

#define WS__BODY_RATE 1024      /* bytes of a request's body that must come in a second */

/* Time is up for a request. 1: its body comes fast enough for more of it, or the
   application holds it back; or there is none yet, and the connection ends when the
   answer before it is taken. */
static int ws__request_goes_on(ws_conn *conn)
{
    uint32_t time = conn->cfg->set.handshake_timeout;
    int held = conn->core.phase == WS__PHASE_UPLOAD && ws__held_back(conn);

    if (ws__is_kept(conn)) {
        ws__end(conn, WS__PHASE_ENDING);
        return 1;
    }
    if (!ws__takes_body(conn))
        return 0;
    if (!held && conn->taken < (uint64_t)WS__BODY_RATE * time / 1000)
        return 0;
    conn->taken = 0;
    ws__core_wait(&conn->core, conn->now, time);
    ws__wake(conn);
    return 1;
}

/* Of a whole answer. */
static int ws__status_valid(int status) { return status >= 200 && status <= 999; }

/* ---- more requests on a connection (RFC 9112 9.3) ---- */

/* The request on show is HTTP/1.1, not 1.0. */
static int ws__request_modern(const ws_conn *conn)
{
    const char *target = ws_target(conn);

    return *target && !memcmp(target + strlen(target) + 1, "HTTP/1.1", 8);
}

/* May another request follow the one on show? Where the client wants another protocol,
   something on the way may take what follows for that. */
static int ws__may_stay(const ws_conn *conn)
{
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item;
    uint32_t before = conn->rx->served;

    if (before >= conn->cfg->set.max_requests - 1 || conn->line & WS__INPUT_END)
        return 0;
    while (ws_header_walk(conn, "Connection", &walk, &item)) {
        if (ws_str_is(item, "close"))
            return 0;
    }
    return ws__request_modern(conn) && !ws_header_value(conn, "Upgrade").data;
}

/* Before an answer: does the connection go on behind it? sized: the client sees where the
   answer ends. */
static void ws__stay_judge(ws_conn *conn, int status, int sized)
{
    conn->rx->stays = sized && status != 426 && !conn->rx->reads_body &&
                      ws__may_stay(conn);
}

/* The answer is queued: if the connection goes on, it waits for the next request. */
static int ws__stay(ws_conn *conn)
{
    if (!conn->rx || !conn->rx->stays)
        return 0;
    conn->rx->stays = 0;
    conn->rx->served++;
    conn->life &= (uint8_t)~WS__CHUNKED;
    conn->line &= (uint8_t)~WS__CORKED;
    conn->owes &= (uint8_t)~(WS__REFUSED | WS__DRAIN_ASKED);
    ws__leave_all(conn, 0);
    ws__beat_end(conn);
    ws__call_begin(conn);
    ws__core_wait(&conn->core, conn->now, conn->cfg->set.handshake_timeout);
    ws__enter(&conn->core, WS__PHASE_HEAD);
    ws__drained(conn);
    return 1;
}

/* One step between two requests, so that answers do not pile up: returns like
   ws__frame_step. */
static int ws__kept_step(ws_conn *conn, ws__span *in)
{
    ws__rx *rx = conn->rx;

    if (ws__unsent(conn))
        return 0;
    if (in->p == in->end && conn->line & WS__INPUT_END) {
        ws__end(conn, WS__PHASE_ENDING);
        return -1;
    }
    if (in->p == in->end || !in->in_rx)
        return 0;
    memset(&rx->head, 0, sizeof rx->head);
    rx->line_good = rx->empty_lines = rx->undone = 0;
    ws__string_free(conn, conn->target);
    conn->target = NULL;
    if (ws__more_of(conn)) {
        ws__string_free(conn, ws__more_of(conn)->lines);
        ws__more_of(conn)->lines = NULL;
    }
    conn->life &= (uint8_t)~WS__ANSWERED;
    ws__leave_all(conn, 0);             /* joined behind the answer */
    ws__core_wait(&conn->core, conn->now, conn->cfg->set.handshake_timeout);
    ws__wake(conn);
    return -1;
}

/* The connection ends behind its answer after all. */
static void ws__stay_no_more(ws_conn *conn)
{
    if (conn->rx)
        conn->rx->stays = 0;
}

/* Input came that is dropped: no request can be found behind it. */
static void ws__wasted(ws_conn *conn, size_t n)
{
    if (n)
        ws__stay_no_more(conn);
}

#endif /* WS__ANSWERS */

#ifndef WS_NO_SERVER

#ifdef WS__ANSWERS

WS_API int ws_http_reply(ws_conn *conn, int status, const ws_header *headers,
                         const void *body, size_t n)
{
    int r;

    ws__sane(conn);
    if (!conn || !ws__status_valid(status) || (!body && n))
        return WS_ERR_ARGUMENT;
    if (!ws__may_answer(conn) || conn->life & WS__ASKED)
        return WS_ERR_STATE;
    ws__stay_judge(conn, status, 1);
    r = ws__reply(conn, status, headers, (const char *)body, n);
    if (r)
        ws__stay_no_more(conn);
    return r;
}

#endif

/* ---- streamed answers ---- */

#ifdef WS__ANSWERS

/* Statuses of answers without a body (RFC 9110 6.4.1). */
static int ws__is_bodiless(int status) { return status == 204 || status == 304; }

static int ws__may_chunk(const ws_conn *conn, int status)
{
    return !ws__is_bodiless(status) && ws__request_modern(conn);
}

/* Is the head all of the answer? */
static int ws__ends_with_head(const ws_conn *conn, int status)
{
    return ws__is_bodiless(status) || !strcmp(ws_method(conn), "HEAD");
}

/* The head of an answer is queued, the body follows. */
static void ws__body_begins(ws_conn *conn, int chunked)
{
    if (chunked)
        conn->life |= WS__CHUNKED;
    conn->rx->reads_body = 0;       /* what is left of the request's is dropped */
    conn->rx->msg = 0;
    ws__call_begin(conn);
    ws__enter(&conn->core, WS__PHASE_BODY);
    ws__core_heard(&conn->core, conn->now);
    ws__beat_later(conn);
    ws__wake(conn);
}

WS_API int ws__http_begin(ws_conn *conn, int status, const ws_header *headers,
                          const ws_header *more, int chunked)
{
    ws__text text;
    int bodiless;

    ws__sane(conn);
    if (!conn || !ws__status_valid(status) || !ws__headers_own(headers, !chunked))
        return WS_ERR_ARGUMENT;
    if (!ws__may_answer(conn) || conn->life & WS__ASKED)
        return WS_ERR_STATE;
    if (ws__target_keep(conn, 1) ||
        ws__text_begin(conn, &text, 320 + ws__lines_size(headers) + ws__lines_size(more)))
        return WS_ERR_MEMORY;
    bodiless = ws__ends_with_head(conn, status);
    chunked = chunked && ws__may_chunk(conn, status);
    ws__stay_judge(conn, status,
                   chunked || bodiless || ws__has_header(more, "Content-Length"));
    ws__put_status(conn, &text, status);
    ws__put_lines(&text, headers);
    ws__put_more(&text, headers, more);
    if (chunked)
        ws__puts(&text, "Transfer-Encoding: chunked\r\n");
    ws__puts(&text, "\r\n");
    if (ws__text_end(conn, &text)) {
        ws__stay_no_more(conn);
        return WS_ERR_MEMORY;
    }
    ws__body_begins(conn, chunked && !bodiless);
    return bodiless ? ws_http_end(conn) : 0;
}

WS_API int ws_http_begin(ws_conn *conn, int status, const ws_header *headers, int chunked)
{
    ws__sane(conn);
    return ws__http_begin(conn, status, headers, NULL, chunked);
}

/* Does the application write the body of an answer? */
static int ws__writes_body(const ws_conn *conn)
{
    return ws__sends(&conn->core, WS__SENDS_BODY) && !ws__has_file(conn);
}

/* Queues bytes of a body. With drop_oldest what waits is kept write by write. */
static int ws__body_put(ws_conn *conn, size_t n, void (*fill)(void *, void *, size_t),
                        void *user)
{
    char size[20];
    int chunked = conn->life & WS__CHUNKED, r = 0;
    ws__text text = ws__text_in(size, sizeof size);
    ws__shared *shared = NULL;
    size_t head, all;
    uint8_t *at;

    if (!ws__pending(conn))
        ws__core_heard(&conn->core, conn->now);  /* its time to take it begins */
    if (chunked) {
        ws__put_hex(&text, n);
        ws__puts(&text, "\r\n");
    }
    head = chunked ? (size_t)(text.at - size) : 0;
    all = head + n + (chunked ? 2 : 0);
    if (conn->cfg->set.drop_oldest && ws__pending(conn) && !ws__is_fixed(conn)) {
        shared = ws__shared_raw(conn->cfg, all);
        at = shared ? WS__DATA(shared) : NULL;
    } else {
        at = ws__tx_room(conn, all);
    }
    if (!at)
        return WS_ERR_MEMORY;
    memcpy(at, size, head);
    (fill)(user, at + head, n);
    if (chunked)
        memcpy(at + head + n, "\r\n", 2);
    if (shared) {
        r = ws__share_put(conn, shared, 0);
        ws__shared_release(shared);
    } else {
        ws__tx_laid(conn, at + all, 1);
    }
    ws__beat_later(conn);
    return ws__sent(conn, r);
}

WS_API int ws_http_fill(ws_conn *conn, size_t n,
                        void (*fill)(void *user, void *at, size_t n), void *user)
{
    int r;

    ws__sane(conn);
    if (!conn || !fill || n > (size_t)-1 / 4)
        return WS_ERR_ARGUMENT;
    if (!ws__writes_body(conn))
        return WS_ERR_STATE;
    if (!n)
        return 0;           /* an empty chunk would be the end */
    r = ws__admit(conn, n + 20);
    return r ? r : ws__body_put(conn, n, fill, user);
}

WS_API int ws_http_write(ws_conn *conn, const void *data, size_t n)
{
    ws__sane(conn);
    if (!data && n)
        return WS_ERR_ARGUMENT;
    return ws_http_fill(conn, n, ws__fill_copy, (void *)(uintptr_t)data);
}

WS_API int ws_http_end(ws_conn *conn)
{
    ws__sane(conn);
    if (!conn)
        return WS_ERR_ARGUMENT;
    if (!ws__writes_body(conn))
        return WS_ERR_STATE;
    if (conn->life & WS__CHUNKED && ws__tx_put(conn, "0\r\n\r\n", 5, 1)) {
        ws__fail(conn, WS_ERR_MEMORY);
        return WS_ERR_MEMORY;
    }
    ws__answered(conn);
    return 0;
}

WS_API int ws_http_beat(ws_conn *conn, const char *text, uint32_t ms)
{
    char *copy = NULL;

    ws__sane(conn);
    if (!conn || !text || !*text || !ms)
        return WS_ERR_ARGUMENT;
    if (!ws__writes_body(conn))
        return WS_ERR_STATE;
    if (ms == WS_NEVER && !ws__more_of(conn))
        return 0;
    if (ms != WS_NEVER) {
        copy = ws__more_make(conn) ? ws__string_new(conn, ws__cstr(text)) : NULL;
        if (!copy)
            return WS_ERR_MEMORY;
    }
    ws__call_begin(conn);
    ws__string_free(conn, ws__more_of(conn)->beat);
    ws__more_of(conn)->beat = copy;
    ws__more_of(conn)->beat_ms = ws__time_within(ms);
    ws__core_heard(&conn->core, conn->now);
    ws__beat_later(conn);
    ws__wake(conn);
    return 0;
}

#endif /* WS__ANSWERS */

#endif /* WS_NO_SERVER */

WS_API ws_str ws_body(const ws_conn *conn)
{
    ws_str head = ws__head(conn);
    size_t size;

    ws__sane(conn);
    if (!head.size || conn->life & WS__OPENED)
        return ws__str("", 0);
    size = ws_is_client(conn) ? (size_t)conn->rx->aside : conn->rx->body_size;
    return ws__str(head.data + head.size, size);
}

WS_API uint64_t ws_body_got(const ws_conn *conn, int64_t *all)
{
    const ws__rx *rx = conn ? conn->rx : NULL;
    uint64_t told = rx ? rx->body.all : 0;

    ws__sane(conn);
    if (all)
        *all = told == WS__UNTOLD ? -1 : (int64_t)told;
    if (!rx)
        return 0;
    if (conn->core.phase != WS__PHASE_UPLOAD)
        return rx->body.got;
    return rx->body.got - (rx->msg - rx->head_at - rx->head_size);
}

WS_API ws_str ws_header_item(const ws_conn *conn, const char *name, int i)
{
    ws_walk walk = { 0, { NULL, 0 } };
    ws_str item;

    ws__sane(conn);
    while (name && i >= 0 && ws_header_walk(conn, name, &walk, &item))
        if (!i--)
            return item;
    return ws__str(NULL, 0);
}

/* What ws_cookie, ws_query and ws_form return for a value; data NULL: there is none. */
static int ws__unescaped(ws_str value, int plus, char *buf, size_t n)
{
    ptrdiff_t size;

    if (!value.data)
        return WS_ERR_ABSENT;
    size = buf && n ? ws__unescape(value, plus, 0, buf, n - 1) : -1;
    if (size < 0)
        return WS_ERR_ARGUMENT;
    if (memchr(buf, 0, (size_t)size))
        return WS_ERR_ABSENT;
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
            return eq < pair.size ? ws__trim(pair.data, eq + 1, pair.size)
                                  : ws__str("", 0);
    }
    return ws__str(NULL, 0);
}

WS_API int ws_cookie(const ws_conn *conn, const char *name, char *buf, size_t n)
{
    ws_str field, value;
    size_t pos = 0;

    ws__sane(conn);
    while (name && ws_header_next(conn, &pos, &field, &value)) {
        if (!ws_str_is(field, "Cookie"))
            continue;
        value = ws__named_value(value, ';', name);
        if (!value.data)
            continue;
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"')
            value = ws__str(value.data + 1, value.size - 2);
        return ws__unescaped(value, 0, buf, n);
    }
    return name ? WS_ERR_ABSENT : WS_ERR_ARGUMENT;
}

WS_API int ws_query(const ws_conn *conn, const char *name, char *buf, size_t n)
{
    ws_str all = ws__cstr(ws_target(conn));
    size_t at = ws__find(all, 0, '?');

    ws__sane(conn);
    if (!name)
        return WS_ERR_ARGUMENT;
    if (at == all.size)
        return WS_ERR_ABSENT;
    return ws__unescaped(ws__named_value(ws__from(all, at + 1), '&', name), 1, buf, n);
}

WS_API int ws_form(const ws_event *ev, const char *name, char *buf, size_t n)
{
    ws_conn *conn = ev ? ev->conn : NULL;
    ws_str type = ws_header_value(conn, "Content-Type"), value;

    ws__sane(conn);
    if (!ev || !name)
        return WS_ERR_ARGUMENT;
    if (ev->type != WS_EV_HTTP)
        return WS_ERR_ABSENT;
    if (type.data) {
        type = ws__trim(type.data, 0, ws__find(type, 0, ';'));
        if (!ws_str_is(type, "application/x-www-form-urlencoded"))
            return WS_ERR_ABSENT;
    }
    value = ws__named_value(ws__str((const char *)ev->data, ev->size), '&', name);
    return ws__unescaped(value, 1, buf, n);
}

/* Adds "; name=value" unless value is NULL. 0 if value holds what may not stand there. */
static int ws__put_attribute(ws__text *text, const char *name, const char *value)
{
    if (!value)
        return 1;
    ws__puts(text, name);
    ws__puts(text, value);
    return ws__is_value(value) && !strchr(value, ';');
}

WS_API int ws_cookie_format(const ws_set_cookie *cookie, char *buf, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    const char *p;
    ws__text text;
    int good;

    if (!cookie || !buf || !n || !ws__token_valid(ws__cstr(cookie->name)))
        return WS_ERR_ARGUMENT;
    text = ws__text_in(buf, n);
    ws__puts(&text, cookie->name);
    ws__puts(&text, "=");
    for (p = cookie->value ? cookie->value : ""; *p; p++) {
        unsigned b = (uint8_t)*p;
        char code[4] = { '%', hex[b >> 4], hex[b & 15], 0 };
        if (b > ' ' && b < 0x7F && !strchr("\",;\\%", *p))
            ws__put(&text, p, 1);
        else
            ws__puts(&text, code);
    }
    good = ws__put_attribute(&text, "; Path=", cookie->path) &&
           ws__put_attribute(&text, "; Domain=", cookie->domain) &&
           ws__put_attribute(&text, "; Expires=", cookie->expires) &&
           ws__put_attribute(&text, "; SameSite=", cookie->same_site);
    if (cookie->max_age) {
        ws__puts(&text, "; Max-Age=");
        ws__put_number(&text, cookie->max_age > 0 ? (uint64_t)cookie->max_age : 0);
    }
    if (cookie->secure)
        ws__puts(&text, "; Secure");
    if (cookie->http_only)
        ws__puts(&text, "; HttpOnly");
    return good && !text.cut ? (int)(text.at - buf) : (int)WS_ERR_ARGUMENT;
}

#if WS__HTTP

/* What stands behind the last dot of a path's last segment, size 0: nothing. */
static ws_str ws__path_end(ws_str path)
{
    size_t i, from, size = ws__find(path, 0, '?');

    path.size = ws__find(ws__str(path.data, size), 0, '#');
    for (i = path.size; i && path.data[i - 1] != '.' && path.data[i - 1] != '/';)
        i--;
    from = i;
    if (i < 2 || path.data[i - 1] != '.' || path.data[i - 2] == '/')
        return ws__str("", 0);
    return ws__str(path.data + from, path.size - from);
}

WS_API const char *ws_content_type(const char *path)
{
    /* Names, then their type behind a ':', in one string: a linker can leave it out. */
    static const char types[] =
        "html htm:text/html; charset=utf-8\0" "css:text/css; charset=utf-8\0"
        "js mjs:text/javascript; charset=utf-8\0" "txt log:text/plain; charset=utf-8\0"
        "csv:text/csv; charset=utf-8\0" "md:text/markdown; charset=utf-8\0"
        "vtt:text/vtt; charset=utf-8\0" "ics:text/calendar; charset=utf-8\0"
        "json map:application/json\0" "webmanifest:application/manifest+json\0"
        "xml:application/xml\0" "wasm:application/wasm\0" "pdf:application/pdf\0"
        "zip:application/zip\0" "gz:application/gzip\0" "svg:image/svg+xml\0"
        "png:image/png\0" "jpg jpeg:image/jpeg\0" "gif:image/gif\0" "webp:image/webp\0"
        "avif:image/avif\0" "bmp:image/bmp\0" "ico:image/vnd.microsoft.icon\0"
        "mp4 m4v:video/mp4\0" "webm:video/webm\0" "mp3:audio/mpeg\0" "m4a:audio/mp4\0"
        "ogg oga:audio/ogg\0" "wav:audio/wav\0" "flac:audio/flac\0" "woff2:font/woff2\0"
        "woff:font/woff\0" "ttf:font/ttf\0" "otf:font/otf\0";
    ws_str end = ws__path_end(ws__cstr(path)), name;
    const char *type;
    size_t at, next;

    for (type = types; *type; type += strlen(type) + 1) {
        ws_str names = ws__str(type, ws__find(ws__cstr(type), 0, ':'));
        for (at = 0; at < names.size; at = next + 1) {
            next = ws__find(names, at, ' ');
            name = ws__str(names.data + at, next - at);
            if (ws__same_text(name, end))
                return names.data + names.size + 1;
        }
    }
    return "application/octet-stream";
}

#endif

/* ==== >>source (private) =========================================================== */

#ifdef WS__SOURCES

/* 1 if it may have more now. */
static int ws__source_gives(const ws_conn *conn)
{
    const ws__more *more = ws__more_of(conn);

    if (conn->line & WS__NO_OUTPUT)
        return 0;
    if (ws__has_file(conn))
        return conn->core.phase == WS__PHASE_BODY;
    return more->read && !more->read_waits &&
           ws__core_may(&conn->core, WS_OP_CONTINUATION);
}

/* Reads a piece of the source to buf: its size, 0 at the end, or negative: nothing is to
   be sent (*r: the error, or 0). */
static ptrdiff_t ws__source_read(ws__more *more, void *buf, int *r)
{
    ptrdiff_t n = (more->read)(more->read_user, buf, WS__SOURCE_PIECE);

    *r = 0;
    more->read_waits = n == WS_IO_WANT_READ || n == WS_IO_WANT_WRITE;
    if (more->read_waits || (n > 0 && n <= WS__SOURCE_PIECE))
        return n;
    more->read = NULL;
    if (!n)
        return 0;
    *r = WS_ERR_SOURCE;
    return -1;
}

/* A piece of the source as a frame, made in the place from which it is sent. */
static int ws__source_plain(ws_conn *conn)
{
    ws__more *more = ws__more_of(conn);
    uint8_t *at = ws__tx_room(conn, WS_FRAME_HEADER_MAX + WS__SOURCE_PIECE);
    ptrdiff_t n;
    ws_frame frame;
    int r, last;

    if (!at)
        return WS_ERR_MEMORY;
    n = ws__source_read(more, at + WS_FRAME_HEADER_MAX, &r);
    last = n == 0;
    if (n >= 0)
        r = ws__frame_make(conn, &frame, ws__core_part(&conn->core, more->read_op, last),
                           (size_t)n);
    if (n < 0 || r) {
        ws__tx_settle(conn);
        return r;
    }
    ws__tx_laid(conn, ws__frame_move(at, &frame, at + WS_FRAME_HEADER_MAX), 0);
    ws__core_part_sent(&conn->core, conn->now, more->read_op, last);
    return 0;
}

/* One piece of what is there. */
static int ws__source_piece(ws_conn *conn)
{
    if (ws__has_file(conn))
        return ws__file_piece(conn);
    return ws__is_extended(conn) ? ws__source_coded(conn) : ws__source_plain(conn);
}

/* Lets the source fill the empty queue with one piece. */
static void ws__source_pull(ws_conn *conn)
{
    ws__more *more = ws__more_of(conn);
    int r = ws__source_piece(conn);

    if (r)
        ws__fail(conn, r);
    if (more->read || !more->read_asked)
        return;
    more->read_asked = 0;
    ws__tx_drain(conn);
}

WS_API int ws_send_from(ws_conn *conn, int op,
                        ptrdiff_t (*read)(void *user, void *buf, size_t n), void *user)
{
    ws__more *more;
    int r, goes_on;

    ws__sane(conn);
    if (!conn || !ws__op_valid(op) || !read)
        return WS_ERR_ARGUMENT;
    if (!ws__can_send(conn))
        return WS_ERR_STATE;
    more = ws__more_of(conn);
    goes_on = more && more->read == read && more->read_user == user;
    if (!goes_on || more->read_op != op) {
        r = ws__begin(conn);
        if (!r)
            r = ws__admit(conn, 0);
        if (r)
            return r;
        more = ws__more_make(conn);
        if (!more)
            return WS_ERR_MEMORY;
        more->read = read;
        more->read_user = user;
        more->read_op = (uint8_t)op;
    }
    more->read_waits = 0;
    ws__wake(conn);
    return 0;
}

#endif /* WS__SOURCES */

/* ==== >>file (private) ============================================================= */

#ifdef WS__FILES

/* What is left of an answer. */
typedef struct ws__file {
    ws_file_reader *read;
    void *user;
    uint64_t at, left;
} ws__file;

static int ws__has_file(const ws_conn *conn)
{
    return ws__more_of(conn) && ws__more_of(conn)->file;
}

/* Nothing more is read for an answer. */
static void ws__file_end(ws_conn *conn)
{
    ws__file *file = ws__more_of(conn)->file;

    if (!file)
        return;
    ws__more_of(conn)->file = NULL;
    (file->read)(file->user, 0, NULL, 0);
    ws__free(conn->cfg, file, sizeof *file);
}

/* A piece of an answer; behind the last one the answer is complete. */
static int ws__file_piece(ws_conn *conn)
{
    ws__file *file = ws__more_of(conn)->file;
    size_t n = WS__SOURCE_PIECE;
    uint8_t *at;
    ptrdiff_t got;

    if (n > file->left)
        n = (size_t)file->left;
    at = ws__tx_room(conn, n);
    if (!at)
        return WS_ERR_MEMORY;
    got = (file->read)(file->user, file->at, at, n);
    if (got <= 0 || (size_t)got > n)
        return WS_ERR_SOURCE;
    ws__tx_laid(conn, at + got, 1);
    file->at += (uint64_t)got;
    file->left -= (uint64_t)got;
    if (file->left)
        return 0;
    ws__file_end(conn);
    return ws_http_end(conn);
}

/* ---- ranges ---- */

/* A number of digits alone; *at is behind them. 0: there is none, or it is too large. */
static int ws__digits(ws_str text, size_t *at, uint64_t *value)
{
    size_t from = *at;

    for (*value = 0; *at < text.size; ++*at) {
        unsigned digit = (unsigned)(uint8_t)text.data[*at] - '0';
        if (digit > 9)
            break;
        if (*value > ((uint64_t)-1 - 9) / 10)
            return 0;
        *value = *value * 10 + digit;
    }
    return *at > from;
}

/* What a Range wants of size bytes (RFC 9110 14.1): 200 all, 206 from *from *n of them,
   416 what is not there. One that is malformed, or wants several parts, wants all. */
static int ws__range_parse(ws_str range, uint64_t size, uint64_t *from, uint64_t *n)
{
    static const char unit[] = "bytes=";
    size_t at = sizeof unit - 1;
    uint64_t last = (uint64_t)-1;
    int begins;

    if (range.size < at || !ws_str_is(ws__str(range.data, at), unit))
        return 200;
    begins = ws__digits(range, &at, from);
    if (at == range.size || range.data[at++] != '-')
        return 200;
    if (at < range.size)
        ws__digits(range, &at, &last);
    if (at < range.size || (begins ? last < *from : range.data[at - 1] == '-'))
        return 200;
    if (!begins) {
        *from = last < size ? size - last : 0;      /* so many of its end */
        last = (uint64_t)-1;
    }
    if (*from >= size)
        return 416;
    *n = last - *from < size - *from ? last - *from + 1 : size - *from;
    return 206;
}

/* The value that headers give a name, NULL if none. */
static const char *ws__header_of(const ws_header *headers, const char *name)
{
    for (; headers && headers->name; headers++) {
        if (ws_str_is(ws__cstr(headers->name), name))
            return headers->value;
    }
    return NULL;
}

/* Does a Range count? Not for what has changed since the client got its part (RFC 9110
   13.1.5), nor but for GET. */
static int ws__range_counts(const ws_conn *conn, const ws_header *headers)
{
    ws_str seen = ws_header_value(conn, "If-Range");
    const char *tag = ws__header_of(headers, "ETag");
    const char *time = ws__header_of(headers, "Last-Modified");

    if (strcmp(ws_method(conn), "GET") != 0)
        return 0;
    if (!seen.data)
        return 1;
    if (seen.size && seen.data[0] == '"')
        return tag && ws__equal(seen, ws__cstr(tag));
    return time && ws__equal(seen, ws__cstr(time));
}

/* "bytes 0-9/100", or of what is not there "bytes *" "/100". */
static void ws__put_range(ws__text *text, uint64_t from, uint64_t n, uint64_t size)
{
    ws__puts(text, "bytes ");
    if (n) {
        ws__put_number(text, from);
        ws__puts(text, "-");
        ws__put_number(text, from + n - 1);
    } else {
        ws__puts(text, "*");
    }
    ws__puts(text, "/");
    ws__put_number(text, size);
}

/* Begins the answer with part of size bytes: *n of them, 0 with a 416. */
static int ws__file_head(ws_conn *conn, const ws_header *headers, uint64_t size,
                         uint64_t *from, uint64_t *n)
{
    ws_str range = ws_header_value(conn, "Range");
    ws_header more[] = { { "Accept-Ranges", "bytes" }, { "Content-Length", NULL },
                         { NULL, NULL }, { NULL, NULL } };
    char length[24], part[72];
    ws__text text = ws__text_in(length, sizeof length);
    int status = 200;

    *from = 0;
    *n = size;
    if (range.data && ws__range_counts(conn, headers))
        status = ws__range_parse(range, size, from, n);
    if (status == 416)
        *n = 0;
    if (status == 200)
        *from = 0;
    ws__put_number(&text, *n);
    more[1].value = length;
    if (status != 200) {
        text = ws__text_in(part, sizeof part);
        ws__put_range(&text, *from, *n, size);
        more[2].name = "Content-Range";
        more[2].value = part;
    }
    return ws__http_begin(conn, status, headers, more, 0);
}

WS_API int ws_http_file(ws_conn *conn, const ws_header *headers, uint64_t size,
                        ws_file_reader *read, void *user)
{
    ws__more *more;
    ws__file *file;
    int fault;

    ws__sane(conn);
    if (!conn || !read || !ws__headers_own(headers, 0))
        return WS_ERR_ARGUMENT;
    if (!ws__may_answer(conn))
        return WS_ERR_STATE;
    more = ws__more_make(conn);
    file = more ? (ws__file *)ws__alloc(conn->cfg, sizeof *file) : NULL;
    if (!file)
        return WS_ERR_MEMORY;
    file->read = read;
    file->user = user;
    fault = ws__file_head(conn, headers, size, &file->at, &file->left);
    if (fault) {
        ws__free(conn->cfg, file, sizeof *file);
        return fault;
    }
    more->file = file;
    if (file->left && conn->core.phase == WS__PHASE_BODY)
        return 0;
    ws__file_end(conn);
    return conn->core.phase == WS__PHASE_BODY ? ws_http_end(conn) : 0;
}

#endif /* WS__FILES */

/* ==== >>fetch (private) ============================================================= */

#ifdef WS__FETCHES

/* How the body of an answer comes: 0 or WS_ERR_BODY. */
static int ws__answer_body(const ws_conn *conn, ws_str head, int status, ws__body *body)
{
    return ws__body_begin(body, head, status == 204 || status == 304 ||
                          ws__is_head(conn));
}

/* 1 when of a refusal's body enough is here to show. */
static int ws__refusal_whole(const ws_conn *conn, ws_str head, char *body, size_t n)
{
    ws_str version, reason;
    ws__body b;
    int status;

    if (ws_head_answer(head, &version, &status, &reason) || conn->line & WS__INPUT_END)
        return 1;
    if (status < 200 || (ws__is_http(conn) && status < 300))
        return 1;
    if (ws__is_fixed(conn) && conn->rx->len == conn->rx->cap)
        return 1;
    if (ws__redirects(conn, status))
        return 1;
    ws__answer_body(conn, head, status, &b);
    return n >= WS_BODY_MAX || ws__body_gather(b, body, n, 0, &n);
}

/* An ordinary answer: 0 if its body is to be read. */
static int ws__http_check(ws_conn *conn, ws_str head, int status)
{
    if (status < 200 || status > 299)
        return WS_ERR_STATUS;
    conn->rx->begun = 0;
    conn->rx->reads_body = 1;
    return ws__answer_body(conn, head, status, &conn->rx->body);
}

/* A refusal whose body does not end: what came must do. 1 if that is it. */
static int ws__refusal_shown(ws_conn *conn)
{
    int whole = conn->rx && conn->rx->head.state == WS__HEAD_DONE;

    if (!whole || !WS__IS_CLIENT(&conn->core) || conn->line & WS__INPUT_END)
        return 0;
    conn->line |= WS__INPUT_END;
    conn->life |= WS__FRESH;
    ws__core_wait(&conn->core, conn->now, WS_NEVER);
    ws__wake(conn);
    return 1;
}

/* Keeps the body behind a refusal's head for ws_body. */
static void ws__body_keep(ws_conn *conn, ws_str head, int status)
{
    char *p = (char *)(uintptr_t)(head.data + head.size);
    size_t size = 0, n = conn->rx->len - (size_t)conn->rx->head_at - head.size;
    ws__body body;

    if (n > WS_BODY_MAX)
        n = WS_BODY_MAX;
    if (status >= 200) {
        ws__answer_body(conn, head, status, &body);
        ws__body_gather(body, p, n, 1, &size);
    }
    conn->rx->aside = (uint32_t)size;
}

/* Tells of a piece of an ordinary answer's body. */
static int ws__read_part(ws_conn *conn, ws_event *ev, const void *data, size_t n)
{
    ws__rx *rx = conn->rx;

    ws__fill(ev, conn, WS_EV_PART, data, n);
    ev->op = WS_OP_BINARY;
    ev->first = !rx->begun;
    ev->last = rx->body.how == WS__BODY_DONE;
    rx->begun = 1;
    rx->told_last = (uint8_t)ev->last;
    return 1;
}

/* The body is whole. */
static int ws__body_end(ws_conn *conn, ws_event *ev)
{
    int told = conn->rx->begun && conn->rx->told_last;

    conn->rx->reads_body = 0;
    conn->life |= WS__ANSWERED;
    ws__end(conn, WS__PHASE_ENDED);
    return told ? -1 : ws__read_part(conn, ev, "", 0);
}

/* One step over an ordinary answer's body; returns like ws__frame_step. */
static int ws__read_step(ws_conn *conn, ws__span *in, ws_event *ev)
{
    ws__rx *rx = conn->rx;
    size_t have = (size_t)(in->end - in->p), data;
    ptrdiff_t step;

    if (rx->body.how == WS__BODY_TO_END && !have &&
        (conn->line & (WS__INPUT_END | WS__BROKEN)) == WS__INPUT_END)
        rx->body.how = WS__BODY_DONE;
    if (rx->body.how == WS__BODY_DONE)
        return ws__body_end(conn, ev);
    step = ws__body_step(&rx->body, (const char *)in->p, have, conn->cfg->set.max_head,
                         &data);
    if (!step && ws__is_fixed(conn) && have == rx->cap)
        step = WS_ERR_BODY;    /* a line */
    if (step < 0) {
        ws__fail(conn, WS_ERR_BODY);
        return -1;
    }
    if (!step)
        return 0;
    in->p += step;
    if (!data)
        return -1;
    ws__core_spoke(&conn->core, conn->now);
    return ws__read_part(conn, ev, in->p - data, data);
}

#endif /* WS__FETCHES */

/* ==== >>mbedtls (private) =========================================================== */

static ws_tls *ws__tls_hold(ws_tls *tls)
{
    if (tls && tls->refs)
        tls->refs++;
    return tls;
}

static void ws__tls_drop(ws_tls *tls) { ws_tls_free(tls); }

WS_API const char *ws_tls_error_text(const ws_tls *tls) { return tls ? tls->text : ""; }

#ifndef WS_USE_MBEDTLS

WS_API ws_tls *ws_tls_new(const ws_tls_config *set)
{
    static const ws_tls none = { 0, WS_ERR_NO_TLS,
                                 "TLS is not compiled in (WS_USE_MBEDTLS)" };
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

WS_API int ws_tls_peer(const ws_conn *conn, char *buf, size_t n)
{
    ws__sane(conn);
    (void)conn;
    if (!buf || !n)
        return WS_ERR_ARGUMENT;
    *buf = 0;
    return WS_ERR_ABSENT;
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
    ws__tls_own *own;          /* NULL: none; the first is for clients that ask no name */
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
    size_t idle;                  /* raw bytes read in this call, nothing inside so far */
    int spoken;                     /* the peer's first byte was looked at */
    char text[120];                 /* why it failed */
} ws__tls_end;

/* ---- certificates ---- */

static int ws__tls_wrong(ws__tls_keys *keys, int error, const char *what, const char *why)
{
    ws__text text = ws__text_in(keys->head.text, sizeof keys->head.text);

    if (keys->head.error)
        return keys->head.error;
    keys->head.error = error;
    ws__puts(&text, what);
    ws__puts(&text, why);
    return error;
}

static int ws__tls_mbed(ws__tls_keys *keys, const char *what, int code)
{
    char why[100] = "mbedTLS failed";

    if (!code)
        return 0;
    if (code == MBEDTLS_ERR_X509_ALLOC_FAILED || code == MBEDTLS_ERR_PK_ALLOC_FAILED)
        return ws__tls_wrong(keys, WS_ERR_MEMORY, what, "out of memory");
#ifdef MBEDTLS_ERROR_C
    mbedtls_strerror(code, why, sizeof why);
#endif
    return ws__tls_wrong(keys, WS_ERR_TLS, what, why);
}

static int ws__is_pem(const char *s) { return strstr(s, "-----BEGIN") != NULL; }

/* Begins an error about a piece of configuration: "key FILE: ". */
static void ws__tls_about(char *what, size_t n, const char *kind, const char *from)
{
    ws__text text = ws__text_in(what, n);

    ws__puts(&text, kind);
    ws__puts(&text, ws__is_pem(from) ? "PEM text" : from);
    ws__puts(&text, ": ");
}

/* Adds the certificates in PEM text or a file. Bundles may hold some that mbedTLS does
   not know: those are left out. */
static int ws__tls_certs(ws__tls_keys *keys, mbedtls_x509_crt *to, const char *from)
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
    return r > 0 && to->version ? 0 : ws__tls_mbed(keys, what, r);
}

/* The system's authorities. */
static int ws__tls_system(ws__tls_keys *keys)
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

    keys->trusts_system = 0;
    if (file && *file)
        return ws__tls_certs(keys, &keys->ca, file);
    for (i = 0; i < sizeof places / sizeof *places; i++)
        if (mbedtls_x509_crt_parse_file(&keys->ca, places[i]) >= 0)
            return 0;
#else
    (void)places;
#endif
    return ws__tls_wrong(keys, WS_ERR_TLS, "no authorities found on this system",
                         ": set ca");
}

static int ws__tls_random(void *user, unsigned char *buf, size_t n)
{
    return mbedtls_ctr_drbg_random(user, buf, n);
}

static int ws__tls_key(ws__tls_keys *keys, mbedtls_pk_context *to, const char *from)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (ws__is_pem(from))
        return mbedtls_pk_parse_key(to, (const unsigned char *)from, strlen(from) + 1,
                                    NULL, 0, ws__tls_random, &keys->random);
#ifdef MBEDTLS_FS_IO
    return mbedtls_pk_parse_keyfile(to, from, NULL, ws__tls_random, &keys->random);
#endif
#else
    (void)keys;
    if (ws__is_pem(from))
        return mbedtls_pk_parse_key(to, (const unsigned char *)from, strlen(from) + 1,
                                    NULL, 0);
#ifdef MBEDTLS_FS_IO
    return mbedtls_pk_parse_keyfile(to, from, NULL);
#endif
#endif
#ifndef MBEDTLS_FS_IO
    return MBEDTLS_ERR_PK_FILE_IO_ERROR;
#endif
}

static int ws__tls_pair_fits(ws__tls_keys *keys, const ws__tls_own *o)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return !mbedtls_pk_check_pair(&o->cert.pk, &o->key, ws__tls_random, &keys->random);
#else
    (void)keys;
    return !mbedtls_pk_check_pair(&o->cert.pk, &o->key);
#endif
}

/* Adds a certificate of ours behind the others. */
static int ws__tls_own_add(ws__tls_keys *keys, const char *cert, const char *key)
{
    ws__tls_own *o, **at = &keys->own;
    char what[100];
    int r;

    if (!cert || !key)
        return ws__tls_wrong(keys, WS_ERR_TLS, "certificate without key", "");
    while (*at)
        at = &(*at)->next;
    o = *at = (ws__tls_own *)mbedtls_calloc(1, sizeof *o);
    if (!o)
        return ws__tls_wrong(keys, WS_ERR_MEMORY, "out of memory", "");
    mbedtls_x509_crt_init(&o->cert);
    mbedtls_pk_init(&o->key);
    if (ws__tls_certs(keys, &o->cert, cert))
        return keys->head.error;
    ws__tls_about(what, sizeof what, "key ", key);
    r = ws__tls_key(keys, &o->key, key);
    if (r)
        return ws__tls_mbed(keys, what, r);
    return ws__tls_pair_fits(keys, o) ? 0
         : ws__tls_wrong(keys, WS_ERR_TLS, what, "belongs to another certificate");
}

/* ---- names in certificates ---- */

/* Does a name in a certificate stand for host? "*." at its start is any one label. */
static int ws__tls_name_is(ws_str name, ws_str host)
{
    size_t dot = ws__find(host, 0, '.');

    if (name.size > 2 && name.data[0] == '*' && name.data[1] == '.') {
        if (!dot || dot == host.size)
            return 0;
        name = ws__str(name.data + 1, name.size - 1);
        host = ws__str(host.data + dot, host.size - dot);
    }
    return ws__same_text(name, host);
}

/* Is the certificate for that host or address (RFC 9525: only subject alternative
   names)? */
static int ws__tls_is_for(const mbedtls_x509_crt *cert, ws_str host)
{
    const mbedtls_x509_sequence *san = &cert->subject_alt_names;
    uint8_t ip[16];
    size_t ip_size = ws__ip_parse(host, ip);

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

/* The client asks for a host: the first certificate that names it, else the first of
   all. */
static int ws__tls_sni(void *user, mbedtls_ssl_context *ssl, const unsigned char *name,
                       size_t n)
{
    ws__tls_own *o = ((ws__tls_keys *)user)->own;

    while (o && !ws__tls_is_for(&o->cert, ws__str((const char *)name, n)))
        o = o->next;
    if (!o)
        o = ((ws__tls_keys *)user)->own;
    return mbedtls_ssl_set_hs_own_cert(ssl, &o->cert, &o->key);
}

/* ---- ws_tls ---- */

static int ws__tls_config(ws__tls_keys *keys, mbedtls_ssl_config *config, int role)
{
    static const char *const http[] = { "http/1.1", NULL };
    int r = mbedtls_ssl_config_defaults(config, role, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);

    if (r)
        return ws__tls_mbed(keys, "", r);
    mbedtls_ssl_conf_rng(config, ws__tls_random, &keys->random);
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#ifdef MBEDTLS_SSL_ALPN
    mbedtls_ssl_conf_alpn_protocols(config, (const char **)(uintptr_t)http);
#else
    (void)http;
#endif
    mbedtls_ssl_conf_ca_chain(config, &keys->ca, NULL);
    if (keys->own)
        return ws__tls_mbed(keys, "", mbedtls_ssl_conf_own_cert(config, &keys->own->cert,
                                                      &keys->own->key));
    return 0;
}

static int ws__tls_client(ws__tls_keys *keys)
{
    mbedtls_ssl_config *config = &keys->client;

    if (ws__tls_config(keys, config, MBEDTLS_SSL_IS_CLIENT))
        return keys->head.error;
    mbedtls_ssl_conf_authmode(config, keys->trusts_everyone
                                          ? MBEDTLS_SSL_VERIFY_NONE
                                          : MBEDTLS_SSL_VERIFY_REQUIRED);
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    return 0;
}

static int ws__tls_server(ws__tls_keys *keys, int asks, int optional)
{
    mbedtls_ssl_config *config = &keys->server;

    if (ws__tls_config(keys, config, MBEDTLS_SSL_IS_SERVER))
        return keys->head.error;
    mbedtls_ssl_conf_authmode(config, !asks ? MBEDTLS_SSL_VERIFY_NONE
                              : optional ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                         : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_sni(config, ws__tls_sni, keys);
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    if (asks)
        return 0;         /* its sessions forget whom the client has proved to be */
#endif
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &keys->tickets);
    return ws__tls_mbed(keys, "", mbedtls_ssl_ticket_setup(&keys->tickets, ws__tls_random,
                                                 &keys->random,
                                                 MBEDTLS_CIPHER_AES_256_GCM, 86400));
#else
    return 0;
#endif
}

static void ws__tls_init(ws__tls_keys *keys)
{
    int i;

    mbedtls_entropy_init(&keys->entropy);
    mbedtls_ctr_drbg_init(&keys->random);
    mbedtls_x509_crt_init(&keys->ca);
    mbedtls_ssl_config_init(&keys->client);
    mbedtls_ssl_config_init(&keys->server);
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_ticket_init(&keys->tickets);
#endif
    for (i = 0; i < WS__TLS_SESSIONS; i++)
        mbedtls_ssl_session_init(&keys->kept[i].session);
}

/* Reads everything. Stops at the first fault, which sticks. */
static void ws__tls_load(ws__tls_keys *keys, const ws_tls_config *set)
{
    const ws_tls_pair *p = set->others;

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && defined(MBEDTLS_PSA_CRYPTO_C)
    if (psa_crypto_init()) {
        ws__tls_wrong(keys, WS_ERR_TLS, "psa_crypto_init failed", "");
        return;
    }
#endif
    if (ws__tls_mbed(keys, "", mbedtls_ctr_drbg_seed(&keys->random, mbedtls_entropy_func,
                                           &keys->entropy, NULL, 0)))
        return;
    if ((set->cert || set->key) && ws__tls_own_add(keys, set->cert, set->key))
        return;
    for (; p && p->cert; p++)
        if (ws__tls_own_add(keys, p->cert, p->key))
            return;
    if (set->ca)
        ws__tls_certs(keys, &keys->ca, set->ca);
    if (keys->head.error || ws__tls_client(keys))
        return;
    if (keys->own)
        ws__tls_server(keys, set->ca != NULL, set->client_may_be_unknown);
}

WS_API ws_tls *ws_tls_new(const ws_tls_config *set)
{
    static const ws_tls lost = { 0, WS_ERR_MEMORY, "out of memory" };
    ws__tls_keys *keys = (ws__tls_keys *)mbedtls_calloc(1, sizeof *keys);
    ws_tls_config none;

    if (!keys)
        return (ws_tls *)(uintptr_t)&lost;
    memset(&none, 0, sizeof none);
    if (!set)
        set = &none;
    keys->head.refs = 1;
    keys->trusts_everyone = set->insecure_trust_everyone;
    keys->trusts_system = !set->ca && !keys->trusts_everyone;
    ws__tls_init(keys);
    ws__tls_load(keys, set);
    return &keys->head;
}

WS_API void ws_tls_free(ws_tls *tls)
{
    ws__tls_keys *keys = (ws__tls_keys *)(void *)tls;
    ws__tls_own *o;
    int i;

    if (!tls || !tls->refs || --tls->refs)
        return;
    for (i = 0; i < WS__TLS_SESSIONS; i++) {
        mbedtls_ssl_session_free(&keys->kept[i].session);
        mbedtls_free(keys->kept[i].host);
    }
#ifdef MBEDTLS_SSL_TICKET_C
    mbedtls_ssl_ticket_free(&keys->tickets);
#endif
    mbedtls_ssl_config_free(&keys->client);
    mbedtls_ssl_config_free(&keys->server);
    while ((o = keys->own) != NULL) {
        keys->own = o->next;
        mbedtls_x509_crt_free(&o->cert);
        mbedtls_pk_free(&o->key);
        mbedtls_free(o);
    }
    mbedtls_x509_crt_free(&keys->ca);
    mbedtls_ctr_drbg_free(&keys->random);
    mbedtls_entropy_free(&keys->entropy);
    mbedtls_free(keys);
}

/* Can a server use it? Returns 0, or the error with *why. */
WS__PRIVATE int ws__tls_serves(const ws_tls *tls, const char **why)
{
    *why = tls ? tls->text : NULL;
    if (!tls || tls->error)
        return tls ? tls->error : 0;
    *why = "a server needs a certificate";
    return ((const ws__tls_keys *)(const void *)tls)->own ? 0 : WS_ERR_TLS;
}

/* ---- why a connection failed ---- */

static const char *ws__tls_alert(int number)
{
    static const struct { int number; const char *text; } alerts[] = {
        { 40, "handshake failure" }, { 42, "bad certificate" },
        { 43, "unsupported certificate" }, { 44, "certificate revoked" },
        { 45, "certificate expired" }, { 46, "certificate unknown" },
            { 48, "unknown CA" },
        { 70, "protocol version" }, { 80, "internal error" },
            { 112, "unrecognized name" },
        { 116, "certificate required" }, { 120, "no application protocol" }
    };
    size_t i;

    for (i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (alerts[i].number == number)
            return alerts[i].text;
    return "fatal";
}

/* What the verification found, worst first. */
static void ws__tls_put_flags(ws__text *words, const ws__tls_end *tls)
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
    uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    const char *before = "certificate ";
    size_t i;

    for (i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (!(flags & faults[i].flag))
            continue;
        ws__puts(words, before);
        ws__puts(words, faults[i].text);
        before = ", ";
    }
    if (*before == 'c')
        ws__puts(words, "certificate not accepted");
}

/* Fails for good. Returns WS_IO_ERROR. */
static ptrdiff_t ws__tls_fail(ws__tls_end *tls, const char *why)
{
    ws__text words = ws__text_in(tls->text, sizeof tls->text);

    tls->stage = WS__TLS_FAILED;
    ws__puts(&words, why);
    return WS_IO_ERROR;
}

static void ws__tls_alerted(ws__tls_end *tls, int number)
{
    ws__text words = ws__text_in(tls->text, sizeof tls->text);

    tls->stage = WS__TLS_FAILED;
    ws__puts(&words, "peer's alert: ");
    ws__puts(&words, ws__tls_alert(number));
}

#ifdef MBEDTLS_PRIVATE

#define WS__MBEDTLS(member) MBEDTLS_PRIVATE(member)
#define WS__TLS_BAD_CERT MBEDTLS_ERR_SSL_BAD_CERTIFICATE

#else

#define WS__MBEDTLS(member) member
#define WS__TLS_BAD_CERT MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE

#endif

/* What mbedTLS returned, as a ws_io. */
static ptrdiff_t ws__tls_result(ws__tls_end *tls, int code)
{
    int shaking = tls->stage == WS__TLS_SHAKING;
    ws__text words;

    if (code == MBEDTLS_ERR_SSL_WANT_READ)
        return WS_IO_WANT_READ;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE)
        return WS_IO_WANT_WRITE;
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && !shaking)
        return 0;
    if (*tls->text || (code == WS__TLS_BROKEN && !shaking)) {
        tls->stage = WS__TLS_FAILED;
        return WS_IO_ERROR;
    }
    if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF || code == WS__TLS_BROKEN ||
        code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return ws__tls_fail(tls, shaking ? "peer ended the connection in the handshake"
                                       : "stream cut off without close_notify");
    words = ws__text_in(tls->text, sizeof tls->text);
    tls->stage = WS__TLS_FAILED;
    /* mbedTLS does not tell the client */
    if (code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                       MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || code == WS__TLS_BAD_CERT ||
        code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
        ws__tls_put_flags(&words, tls);
    } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        ws__tls_alerted(tls, tls->ssl.WS__MBEDTLS(in_msg)[1]);
    } else {
#ifdef MBEDTLS_ERROR_C
        mbedtls_strerror(code, tls->text, sizeof tls->text);
#else
        ws__puts(&words, "mbedTLS error -");
        ws__put_hex(&words, (uint64_t)-code);
#endif
    }
    return WS_IO_ERROR;
}

/* ---- raw bytes ---- */

/* What is below said r, no count of bytes: for mbedTLS. */
static int ws__tls_below(ws__tls_end *tls, ptrdiff_t got)
{
    tls->asked = 1;
    return got == WS_IO_WANT_READ ? MBEDTLS_ERR_SSL_WANT_READ
         : got == WS_IO_WANT_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
         : got == 0 ? 0 : WS__TLS_BROKEN;
}

static void ws__tls_ahead_free(ws__tls_end *tls)
{
    mbedtls_free(tls->ahead);
    tls->ahead = NULL;
    tls->at = tls->end = 0;
}

/* The first byte of a TLS stream is a handshake record's, or an alert's. */
static int ws__tls_greeting(ws__tls_end *tls)
{
    static const char sorry[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                "Content-Length: 32\r\n\r\n"
                                "This port speaks TLS: use https.\n";

    tls->spoken = 1;
    if (tls->ahead[0] == 22 || tls->ahead[0] == 21)
        return 0;
    if (tls->host) {
        ws__tls_fail(tls, "server does not speak TLS");
        return WS__TLS_BROKEN;
    }
    if (tls->ahead[0] < 'A' || tls->ahead[0] > 'Z') {
        ws__tls_fail(tls, "client does not speak TLS");
    } else {
        (tls->io.write)(tls->io.user, sorry, sizeof sorry - 1);
        ws__tls_fail(tls, "plain HTTP on a TLS port");
    }
    return WS__TLS_BROKEN;
}

/* Reads ahead: 1, 0 at the end, or mbedTLS's error. mbedTLS reads on over warnings: a
   peer that has no end of them must leave others their turn. */
static int ws__tls_fill(ws__tls_end *tls)
{
    ptrdiff_t got;

    if (tls->at < tls->end)
        return 1;
    if (tls->idle >= WS__TLS_IDLE)
        return ws__tls_below(tls, WS_IO_WANT_READ);
    if (!tls->ahead)
        tls->ahead = (uint8_t *)mbedtls_calloc(1, WS__TLS_AHEAD);
    if (!tls->ahead)
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    got = (tls->io.read)(tls->io.user, tls->ahead, WS__TLS_AHEAD);
    if (got <= 0 || got > WS__TLS_AHEAD)
        return ws__tls_below(tls, got);
    tls->at = 0;
    tls->end = (size_t)got;
    tls->idle += tls->end;
    return !tls->spoken && ws__tls_greeting(tls) ? WS__TLS_BROKEN : 1;
}

static int ws__tls_recv(void *user, unsigned char *buf, size_t n)
{
    ws__tls_end *tls = (ws__tls_end *)user;
    int r = ws__tls_fill(tls);

    if (r <= 0)
        return r;
    if (n > tls->end - tls->at)
        n = tls->end - tls->at;
    memcpy(buf, tls->ahead + tls->at, n);
    tls->at += n;
    return (int)n;
}

/* A peer that gives up in the handshake says why and goes: mbedTLS, which writes on,
   fails before it reads that. The alert is not encrypted (in TLS 1.3 it is, but comes
   after the handshake). */
static void ws__tls_last_words(ws__tls_end *tls)
{
    const uint8_t *p;

    if (tls->stage != WS__TLS_SHAKING || ws__tls_fill(tls) <= 0)
        return;
    p = tls->ahead + tls->at;
    if (tls->end - tls->at >= 7 && p[0] == 21 && p[4] == 2 && p[5] == 2)
        ws__tls_alerted(tls, p[6]);
}

static int ws__tls_send(void *user, const unsigned char *buf, size_t n)
{
    ws__tls_end *tls = (ws__tls_end *)user;
    ptrdiff_t got = (tls->io.write)(tls->io.user, buf, n);

    if (got == 0)
        got = WS_IO_WANT_WRITE;
    if (got == WS_IO_ERROR)
        ws__tls_last_words(tls);
    return got > 0 ? (int)got : ws__tls_below(tls, got);
}

/* ---- handshake ---- */

static void ws__tls_session_load(ws__tls_end *tls)
{
    ws__tls_keys *keys = tls->tls;
    int i;

    for (i = 0; i < WS__TLS_SESSIONS; i++)
        if (keys->kept[i].host && !strcmp(keys->kept[i].host, tls->host))
            mbedtls_ssl_set_session(&tls->ssl, &keys->kept[i].session);
}

static void ws__tls_session_keep(ws__tls_end *tls)
{
    ws__tls_keys *keys = tls->tls;
    unsigned i;

    if (!tls->host)
        return;
    for (i = 0; i < WS__TLS_SESSIONS; i++)
        if (keys->kept[i].host && !strcmp(keys->kept[i].host, tls->host))
            break;
    if (i == WS__TLS_SESSIONS)
        i = keys->next_kept++ % WS__TLS_SESSIONS;
    mbedtls_ssl_session_free(&keys->kept[i].session);
    mbedtls_ssl_session_init(&keys->kept[i].session);
    mbedtls_free(keys->kept[i].host);
    keys->kept[i].host = NULL;
    if (mbedtls_ssl_get_session(&tls->ssl, &keys->kept[i].session))
        return;
    keys->kept[i].host = (char *)mbedtls_calloc(1, strlen(tls->host) + 1);
    if (keys->kept[i].host)
        memcpy(keys->kept[i].host, tls->host, strlen(tls->host));
}

static int ws__tls_begin(ws__tls_end *tls)
{
    uint8_t ip[16];
    ws_str host = ws__cstr(tls->host);
    int named = tls->host && !ws__ip_parse(host, ip);
    int r = mbedtls_ssl_setup(&tls->ssl,
                              tls->host ? &tls->tls->client : &tls->tls->server);

    tls->stage = WS__TLS_SHAKING;
    if (r)
        return r;
    mbedtls_ssl_set_bio(&tls->ssl, tls, ws__tls_send, ws__tls_recv, NULL);
    if (!tls->host)
        return 0;
    /* an address is no SNI (RFC 6066 3): ws__tls_verified looks for it */
    r = mbedtls_ssl_set_hostname(&tls->ssl, named ? tls->host : NULL);
    if (!r)
        ws__tls_session_load(tls);
    return r;
}

/* The handshake is done: is the peer who it must be? mbedTLS has verified the server's
   chain; of a client that need not show a certificate it lets in any. */
static int ws__tls_verified(ws__tls_end *tls)
{
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&tls->ssl);
    ws__text words = ws__text_in(tls->text, sizeof tls->text);

    if (!tls->host && (!cert || !mbedtls_ssl_get_verify_result(&tls->ssl)))
        return 1;
    if (tls->host && tls->tls->trusts_everyone)
        return 1;
    if (tls->host && cert && ws__tls_is_for(cert, ws__cstr(tls->host)))
        return 1;
    if (tls->host)
        ws__puts(&words, "certificate is not for this host");
    else
        ws__tls_put_flags(&words, tls);
    tls->stage = WS__TLS_FAILED;
    mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                   MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return 0;
}

/* 1: call mbedTLS again. It may want to read without having asked below (TLS 1.3 does),
   and a session ticket is no error. */
static int ws__tls_once_more(ws__tls_end *tls, int code)
{
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        ws__tls_session_keep(tls);
        return 1;
    }
#endif
    return (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) &&
        !tls->asked;
}

/* Shakes hands as far as possible. 1 when it is done, or WS_IO_. */
static ptrdiff_t ws__tls_shake(ws__tls_end *tls)
{
    int r;

    if (tls->stage == WS__TLS_OPEN)
        return 1;
    if (tls->stage == WS__TLS_FAILED)
        return WS_IO_ERROR;
    if (tls->stage == WS__TLS_NEW) {      /* who says nothing costs nothing */
        r = tls->host ? 1 : ws__tls_fill(tls);
        if (r > 0)
            r = ws__tls_begin(tls);
        else if (r == 0)
            return 0;
        if (r)
            return ws__tls_result(tls, r);
    }
    do {
        tls->asked = 0;
        r = mbedtls_ssl_handshake(&tls->ssl);
    } while (r && ws__tls_once_more(tls, r));
    if (r) {
        ptrdiff_t result = ws__tls_result(tls, r);
        return result ? result : (ptrdiff_t)WS_IO_ERROR;
    }
    if (!ws__tls_verified(tls))
        return WS_IO_ERROR;
    tls->stage = WS__TLS_OPEN;
    ws__tls_session_keep(tls);
    return 1;
}

/* ---- the ws_io ---- */

static int ws__tls_pending(void *user)
{
    const ws__tls_end *tls = (const ws__tls_end *)user;

    return tls->at < tls->end || tls->ended || tls->stage == WS__TLS_FAILED ||
        tls->idle >= WS__TLS_IDLE ||
           (tls->stage == WS__TLS_OPEN && mbedtls_ssl_get_bytes_avail(&tls->ssl)) ||
           (tls->io.pending && (tls->io.pending)(tls->io.user));
}

/* As much as is there: each call into mbedTLS gives at most one record. */
static ptrdiff_t ws__tls_read(void *user, void *buf, size_t n)
{
    ws__tls_end *tls = (ws__tls_end *)user;
    ptrdiff_t done;
    size_t got = 0;

    tls->idle = 0;
    done = ws__tls_shake(tls);
    if (done > 0 && tls->ended) {
        done = tls->ended - 1;
        tls->ended = 0;
        return done;
    }
    while (done > 0 && got < n && (!got || ws__tls_pending(tls))) {
        int k;
        tls->asked = 0;
        k = mbedtls_ssl_read(&tls->ssl, (unsigned char *)buf + got, n - got);
        if (k > 0)
            got += (size_t)k, tls->idle = 0;
        else if (!ws__tls_once_more(tls, k))
            done = ws__tls_result(tls, k);
    }
    if (tls->at == tls->end)
        ws__tls_ahead_free(tls);
    if (!got)
        return done;
    if (done == 0)
        tls->ended = 1;
    return (ptrdiff_t)got;
}

/* mbedTLS takes what is left in its buffer for the bytes it is given. They are in there
   after they met a WANT, unless reading has sent them since (session tickets make it do
   that); when they were not offered yet, it is an alert or the like that is left. */
static ptrdiff_t ws__tls_write(void *user, const void *buf, size_t n)
{
    ws__tls_end *tls = (ws__tls_end *)user;
    const size_t *left = &tls->ssl.WS__MBEDTLS(out_left);
    ptrdiff_t got;
    int k, ours;

    tls->idle = 0;
    got = ws__tls_shake(tls);
    if (got <= 0)
        return got ? got : (ptrdiff_t)WS_IO_ERROR;
    if (tls->blocked && tls->blocked <= n)
        n = tls->blocked;
    do {
        ours = tls->blocked || !*left;
        tls->asked = 0;
        if (tls->blocked && !*left)
            k = (int)n;
        else
            k = mbedtls_ssl_write(&tls->ssl, (const unsigned char *)buf, n);
        tls->blocked = k < 0 && (tls->blocked || (ours && *left)) ? n : 0;
    } while (k < 0 ? ws__tls_once_more(tls, k) : !ours);
    if (k == WS__TLS_BROKEN)
        return WS_IO_ERROR;  /* what came before can still be read */
    return k > 0 ? k : ws__tls_result(tls, k);
}

static void ws__tls_wait(void *user, int wants, int timeout)
{
    const ws_io *io = &((const ws__tls_end *)user)->io;

    (io->wait)(io->user, wants, timeout);
}

static const char *ws__tls_why(void *user)
{
    const ws__tls_end *tls = (const ws__tls_end *)user;
    const char *why = tls->io.why ? (tls->io.why)(tls->io.user) : NULL;

    if (*tls->text)
        return tls->text;
    if (!why && tls->stage < WS__TLS_OPEN)
        why = "the TLS handshake did not finish";
    return why;
}

static void ws__tls_close(void *user)
{
    ws__tls_end *tls = (ws__tls_end *)user;

    if (tls->stage == WS__TLS_OPEN)
        mbedtls_ssl_close_notify(&tls->ssl);
    if (tls->io.close)
        (tls->io.close)(tls->io.user);
    mbedtls_ssl_free(&tls->ssl);
    ws__tls_ahead_free(tls);
    mbedtls_free(tls->host);
    ws_tls_free(&tls->tls->head);
    mbedtls_free(tls);
}

WS_API int ws_tls_wrap(ws_tls *tls, ws_io *io, const char *host)
{
    ws__tls_keys *keys = (ws__tls_keys *)(void *)tls;
    const char *why;
    ws__tls_end *e;

    if (!tls || !io)
        return WS_ERR_ARGUMENT;
    if (!tls->error && host && keys->trusts_system)
        ws__tls_system(keys);
    if (tls->error || (!host && ws__tls_serves(tls, &why)))
        return tls->error ? tls->error : WS_ERR_TLS;
    e = (ws__tls_end *)mbedtls_calloc(1, sizeof *e);
    if (e && host)
        e->host = (char *)mbedtls_calloc(1, strlen(host) + 1);
    if (!e || (host && !e->host)) {
        mbedtls_free(e);
        return WS_ERR_MEMORY;
    }
    if (host)
        memcpy(e->host, host, strlen(host));
    ws__tls_hold(tls);
    e->tls = keys;
    e->io = *io;
    mbedtls_ssl_init(&e->ssl);
    io->read = ws__tls_read;
    io->write = ws__tls_write;
    io->close = ws__tls_close;
    if (io->wait)
        io->wait = ws__tls_wait;
    io->pending = ws__tls_pending;
    io->why = ws__tls_why;
    io->user = e;
    return 0;
}

WS_API int ws_tls_peer(const ws_conn *conn, char *buf, size_t n)
{
    const ws_io *io = conn ? ws__io(conn) : NULL;
    const ws__tls_end *tls = NULL;
    const mbedtls_x509_crt *cert = NULL;
    int r;

    if (io && io->read == ws__tls_read)
        tls = (const ws__tls_end *)io->user;
    ws__sane(conn);
    if (!buf || !n)
        return WS_ERR_ARGUMENT;
    *buf = 0;
    if (tls && (tls->host || !mbedtls_ssl_get_verify_result(&tls->ssl)))
        cert = mbedtls_ssl_get_peer_cert(&tls->ssl);
    if (!cert)
        return WS_ERR_ABSENT;
    r = mbedtls_x509_dn_gets(buf, n, &cert->subject);
    if (r > 0)
        return r;
    *buf = 0;
    return r ? WS_ERR_ARGUMENT : WS_ERR_ABSENT;
}

#endif /* WS_USE_MBEDTLS */

/* ==== >>sane (private) ============================================================== */

/* What always holds between two calls. WS_ASSERT checks it in tests: on the way into
   every public function, and out of those that pull. */

#define WS__IF(fact, then) (!(fact) || (then))

static void ws__core_sane(const ws__core *core)
{
    (void)core;
    WS_ASSERT(core->phase < WS__PHASES);
    WS_ASSERT(WS__IF(core->is & WS__CLOSE_LEFT, core->is & WS__CLOSE_SENT));
    WS_ASSERT(WS__IF(core->is & WS__CLOSE_GOT, ws__phase_has(core, WS__ENDS)));
    WS_ASSERT(WS__IF(core->is & WS__PINGED, !ws__phase_has(core, WS__OPENS) &&
                                            core->phase != WS__PHASE_READING));
    WS_ASSERT(WS__IF(core->is & WS__CLOSE_SENT, core->phase == WS__PHASE_FRAMES ||
                                                ws__phase_has(core, WS__ENDS)));
    WS_ASSERT(WS__IF(core->error,
                     ws__phase_has(core, WS__ENDS) && !ws__core_clean(core)));
    WS_ASSERT(WS__IF((WS__IN(HTTP) | WS__IN_UPLOAD | WS__IN(BODY)) >> core->phase & 1,
                     !WS__IS_CLIENT(core)));
    WS_ASSERT(WS__IF(core->phase == WS__PHASE_READING, WS__IS_CLIENT(core)));
}

static void ws__reader_sane(const ws__reader *reader)
{
    (void)reader;
    WS_ASSERT(WS__IF(!reader->op, !reader->size && !reader->frames && !reader->in_frame &&
                     !reader->coded));
    WS_ASSERT(WS__IF(reader->op, reader->op == WS_OP_TEXT || reader->op == WS_OP_BINARY));
    WS_ASSERT(WS__IF(reader->left, reader->in_frame));
    WS_ASSERT(WS__IF(reader->utf8, reader->op == WS_OP_TEXT));
}

static void ws__rx_sane(const ws__rx *rx)
{
    WS_ASSERT(rx->msg <= rx->pos && rx->pos <= rx->len && rx->len <= rx->cap);
    WS_ASSERT(rx->behind <= rx->cap);
    WS_ASSERT(WS__IF(rx->clear, rx->reader.coded));
    WS_ASSERT(rx->owed <= rx->len - rx->pos);
    ws__reader_sane(&rx->reader);
}

static void ws__tx_sane(const ws__tx *tx)
{
    (void)tx;
    WS_ASSERT(tx->pos <= tx->border && tx->border <= tx->len && tx->len <= tx->cap);
    WS_ASSERT(tx->holes <= tx->len - tx->pos);
    WS_ASSERT(tx->mark_at <= tx->mark_end && tx->mark_end <= tx->mark_cap);
    WS_ASSERT(WS__IF(tx->sent || tx->tried || tx->shared, tx->mark_at < tx->mark_end));
    WS_ASSERT(tx->drain <= ws__queued(tx));
}

/* Once it is open nothing that was noted lies in the future. What no limit looks at may
   be older than the clock can tell. */
static void ws__frames_sane(const ws_conn *conn)
{
    const ws_config *set = &conn->cfg->set;
    int pings = set->ping_interval != WS_NEVER && set->ping_timeout != WS_NEVER;

    (void)pings;
    WS_ASSERT(conn->life & WS__OPENED);
    WS_ASSERT(WS__IF(set->idle_timeout != WS_NEVER,
                     (int32_t)(conn->now - conn->core.spoke) >= 0));
    WS_ASSERT(WS__IF(pings, (int32_t)(conn->now - conn->core.heard) >= 0));
    WS_ASSERT(WS__IF(pings && conn->core.is & WS__PINGED,
                     (int32_t)(conn->now - conn->core.pinged) >= 0));
}

static void ws__place_sane(const ws_conn *conn)
{
    (void)conn;
    WS_ASSERT(WS__IF(conn->place || ws__cork_of(conn) || conn->slot, conn->loop));
    WS_ASSERT(WS__IF(conn->place & WS__LINGERS, conn->owes & WS__CLOSE_TOLD));
    WS_ASSERT(WS__IF(conn->loop, !(conn->owes & WS__JUDGE_OWED)));
}

WS__PRIVATE void ws__sane(const ws_conn *conn)
{
    if (!conn)
        return;
    ws__core_sane(&conn->core);
    ws__place_sane(conn);
    if (conn->core.phase == WS__PHASE_FRAMES)
        ws__frames_sane(conn);
    if (conn->rx)
        ws__rx_sane(conn->rx);
    if (conn->tx)
        ws__tx_sane(conn->tx);
    WS_ASSERT(WS__IF(ws__is_fixed(conn), conn->rx && conn->tx && conn->note));
    WS_ASSERT(WS__IF(conn->owes & (WS__MESSAGE_HELD | WS__HEAD_HELD), conn->rx));
    WS_ASSERT(WS__IF(conn->line & WS__CORKED, ws__phase_has(&conn->core, WS__STREAMS)));
    WS_ASSERT(WS__IF(conn->line & WS__NO_OUTPUT, !ws__pending(conn)));
    WS_ASSERT(WS__IF(conn->owes & (WS__CLOSE_TOLD | WS__DOWN),
                     conn->core.phase == WS__PHASE_ENDED));
    WS_ASSERT(WS__IF(conn->life & WS__ASKED, !(conn->life & WS__OPENED)));
    WS_ASSERT(WS__IF(ws__is_kept(conn), conn->rx && conn->rx->served));
    WS_ASSERT(WS__IF(conn->core.phase == WS__PHASE_UPLOAD,
                     ws__takes_body(conn) && conn->owes & WS__HEAD_HELD));
    WS_ASSERT(WS__IF(conn->core.phase == WS__PHASE_HTTP, !ws__takes_body(conn)));
    WS_ASSERT(WS__IF(conn->life & WS__CHUNKED,
                     ws__phase_has(&conn->core, WS__CUTS | WS__ENDS)));
    WS_ASSERT(WS__IF(conn->owes & WS__OPEN_OWED, conn->life & WS__OPENED));
    WS_ASSERT((conn->owes & (WS__DOWN | WS__CLOSE_TOLD)) != (WS__DOWN | WS__CLOSE_TOLD));
    WS_ASSERT(WS__IF(conn->dial, WS__IS_CLIENT(&conn->core)));
}

#endif /* WS_TINY */

/* ==== >>words (private) ============================================================= */

#ifndef WS_NO_TEXT

/* The sentence of an error. */
static const char *ws__error_text(int number)
{
#define WS__ERROR_TEXT(name, tell, text) text "\0"
    static const char texts[] = "\0" WS_ERRORS(WS__ERROR_TEXT) "unknown error";
    const char *text = texts;
    int i, last = number < 0 || number > WS__NUMBER_END ? WS__NUMBER_END : number;

    for (i = 0; i < last; i++)
        text += strlen(text) + 1;
    return text;
}

#ifndef WS_TINY

/* What more can be said of a fault in a head. */
static const char *ws__hint_text(int hint)
{
    static const char *const texts[WS__HINTS] = {
        NULL,
        "a proxy removed it (nginx: proxy_set_header Connection upgrade)",
        "a proxy removed it (nginx: proxy_http_version 1.1, proxy_set_header Upgrade)",
        "missing: perhaps a proxy removed it",
        "request line", "request target",
        "Origin repeated", "Sec-WebSocket-Version repeated",
        "101 by another than HTTP/1.1", "repeated"
    };
    return texts[hint];
}

#ifndef WS_NO_SERVER
/* Where a request goes wrong: at a line that came twice, or in the first one. */
static size_t ws__request_fault(const ws__request *request, ws_str head)
{
    size_t at = ws__find(head, 0, ' ') + 1;

    if (at > head.size)
        return ws__head_line(head).size;
    if (request->origins > 1)
        return (size_t)(request->origin.data - head.data);
    if (request->versions > 1)
        return (size_t)(request->wanted.data - head.data);

    while (ws__is_visible(ws__at(head, at)) && head.data[at] != '#')
        at++;
    return ws__at(head, at) == ' ' ? ws__find(head, 0, ' ') + 1 : at;
}
#endif

/* What CLOSE will say of an error. */
static void ws__note_error(ws_conn *conn, int number, const char *more)
{
    char *room = ws__note_new(conn);
    ws__text text;

    if (!room)
        return;
    text = ws__text_in(room, ws__is_fixed(conn) ? WS__NOTE_FIXED : WS__NOTE_SIZE);
    ws__puts(&text, ws__error_text(number));
    ws__put_why(&text, more);
    if (number == -WS_ERR_STATUS && ws__status(conn)) {
        ws__puts(&text, " with status ");
        ws__put_number(&text, (uint64_t)ws__status(conn));
    }
    if (ws__is_placed(number) || number == -WS_ERR_HEAD_SYNTAX) {
        ws__puts(&text, " at byte ");
        ws__put_number(&text, conn->taken);
    }
}

/* ---- configurations ---- */

static const char *ws__field_name(const ws__field *field)
{
#define WS__FIELD_NAME(name, of, as, preset) #name "\0"
    static const char names[] = WS__FIELDS(WS__FIELD_NAME);
    const char *name = names;

    while (field-- > ws__fields)
        name += strlen(name) + 1;
    return name;
}

static const char *ws__field_whose(int of)
{
    return of == WS__OF_SERVER ? "servers" : of == WS__OF_LISTENER ? "listeners"
         : of == WS__OF_LOOP ? "loops" : of == WS__OF_CLIENT ? "clients"
         : "clients that connect by themselves";
}

/* The words for such a fault, in room; NULL if the error says it all. */
static const char *ws__fault_words(int fault, const ws_config *cfg, int role,
                                   char room[96])
{
    const ws__field *field = fault == WS_ERR_ARGUMENT ? ws__field_fault(cfg, role) : NULL;
    ws__text text = ws__text_in(room, 96);

    if (fault != WS_ERR_ARGUMENT)
        return NULL;
    ws__puts(&text, field ? ws__field_name(field) : "deflate");
    if (field && !(field->of & role)) {
        ws__puts(&text, ": only for ");
        ws__puts(&text, ws__field_whose(field->of));
#ifndef WS_NO_SERVER
    } else if (field && field->as == WS__AS_ORIGINS) {
        ws_str item = ws__origins_fault(cfg->origins);
        ws__puts(&text, ": ");
        ws__put(&text, item.data, item.size);
#endif
    }
    return room;
}

#ifndef WS_NO_CLIENT
WS__APART void ws__fail_url(ws_conn *conn, const char *url, const ws__url_why *why)
{
    char text[80];
    ws__text out = ws__text_in(text, sizeof text);

    ws__puts(&out, why->words);
    if (url) {
        ws__puts(&out, " at byte ");
        ws__put_number(&out, why->at);
    }
    ws__fail_with(conn, WS_ERR_URL, text);
}
#endif

#endif /* WS_TINY */

#endif /* WS_NO_TEXT */

WS_API const char *ws_error_string(int error)
{
    if (error > 0 || error < -WS__NUMBER_END)
        return ws__error_text(-1);
    return ws__error_text(-error);
}

#ifndef WS_TINY

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

#endif

#ifdef WS_TINY

/* ==== >>tiny (private) ============================================================== */

/* WS_TINY: a connection that has nothing but its block. All rules of RFC 6455 are the
   core's; here are the buffers, and who calls the core when.

   The block: the connection, room for input, room for output.

       input    [0, message)  the message that is put together; or a head that is shown
                [from, to)    bytes that were not looked at; message < from once there is
                              a message, so that a NUL fits behind it
       output   [sent, queued)

   Of the input's room WS__TINY_ASIDE is kept for control frames amid a message; of the
   output's, behind what the application may fill, WS__TINY_HEAD for the header of a frame
   and WS__TINY_CLOSE for a Close frame of ours with its code. */

#define WS__TINY_ASIDE 132      /* a control frame, masked, and a NUL */
#define WS__TINY_HEAD 14
#define WS__TINY_CLOSE 8
#define WS__TINY_SEND_MIN 131

/* Bits of ws_conn.is. */
enum {
    WS__TINY_TICKED = 1 << 0,       /* the time was told once */
    WS__TINY_HELD = 1 << 1,         /* the last event shows [0, message) */
    WS__TINY_HEAD_HELD = 1 << 2,    /* and that is a head */
    WS__TINY_BEGUN = 1 << 3,        /* a part of the message was given */
    WS__TINY_REFUSED = 1 << 4,      /* WRITABLE is owed */
    WS__TINY_INPUT_END = 1 << 5,
    WS__TINY_CLOSE_TOLD = 1 << 6,
    WS__TINY_CHOSEN = 1 << 7        /* the subprotocol was agreed */
};

struct ws_conn {
    ws__core core;
    uint8_t is;
    union {
        ws__reader reader;
        char key[25];           /* of a client's request, until the answer has come */
    } in;
    uint32_t now;
    size_t message, from, to;
    size_t sent, queued;
    ws_config set;              /* with defaults; memory is the output, memory_size and
                                   memory_send are the rooms for input and for output that
                                   the application may fill */
};

typedef char ws__tiny_fits[sizeof(ws_conn) + 7 + WS__TINY_ASIDE + WS__TINY_HEAD +
                           WS__TINY_CLOSE <= WS_MEMORY_OVERHEAD ? 1 : -1];

static uint8_t *ws__tiny_input(const ws_conn *conn)
{
    return (uint8_t *)(uintptr_t)(conn + 1);
}

static uint8_t *ws__tiny_output(const ws_conn *conn)
{
    return (uint8_t *)conn->set.memory;
}

static size_t ws__tiny_unsent(const ws_conn *conn) { return conn->queued - conn->sent; }

static void ws__tiny_sane(const ws_conn *conn)
{
    if (!conn)
        return;
    WS_ASSERT(conn->from <= conn->to && conn->to <= conn->set.memory_size);
    WS_ASSERT(conn->message <= conn->set.memory_size - WS__TINY_ASIDE ||
              conn->is & WS__TINY_HEAD_HELD);
    WS_ASSERT(!conn->message || conn->message <= conn->from);
    WS_ASSERT(conn->sent <= conn->queued);
    WS_ASSERT(conn->queued <= conn->set.memory_send + WS__TINY_HEAD + WS__TINY_CLOSE);
}

/* ---- output ---- */

/* Does a frame of n bytes fit in what the application may fill? */
static int ws__tiny_fits_out(const ws_conn *conn, size_t n)
{
    return ws__tiny_unsent(conn) + n <= conn->set.memory_send;
}

/* What waits moves to the front of its room: the place behind it. */
static uint8_t *ws__tiny_end(ws_conn *conn)
{
    uint8_t *output = ws__tiny_output(conn);

    conn->queued -= conn->sent;
    ws__copy(output, output + conn->sent, conn->queued);
    conn->sent = 0;
    return output + conn->queued;
}

/* Queues a frame that fits; op may have WS__UNFINISHED. */
static int ws__tiny_frame(ws_conn *conn, int op, const void *data, size_t n)
{
    uint8_t *at = ws__tiny_end(conn);
    ws_frame frame;
    size_t head;

    ws__core_frame(&conn->core, &frame, op, (ws__length)n);
    if (frame.masked &&
        (!conn->set.random || (conn->set.random)(conn->set.random_user, frame.key, 4)))
        return WS_ERR_RANDOM;
    head = ws__header_lay(&frame, at);
    ws_mask(at + head, data, n, frame.key, 0);
    conn->queued += head + n;
    return 0;
}

static void ws__tiny_wait(ws_conn *conn)
{
    ws__core_wait(&conn->core, conn->now, conn->set.close_timeout);
}

/* Output was taken: was our Close frame in it? */
static void ws__tiny_drained(ws_conn *conn)
{
    if (!ws__tiny_unsent(conn) && ws__core_close_left(&conn->core))
        ws__tiny_wait(conn);
}

static int ws__tiny_close(ws_conn *conn, int code, const char *reason, size_t n)
{
    uint8_t body[WS__CONTROL_MAX];
    int fault;

    if (!ws__core_answer(&conn->core, WS_OP_CLOSE))
        return 0;
    if (!ws__tiny_fits_out(conn, n + 2))
        n = 0;
    fault = ws__tiny_frame(conn, WS_OP_CLOSE, body,
                           ws__core_close_lay(body, code, reason, n));
    if (!fault)
        ws__core_close_sent(&conn->core);
    ws__tiny_wait(conn);
    return fault;
}

#ifndef WS_NO_SERVER

/* Refuses a request. */
static void ws__tiny_refuse(ws_conn *conn, int status)
{
    ws__text text = ws__text_in((char *)ws__tiny_end(conn), conn->set.memory_send);
    char number[3];
    int left = status;

    number[0] = number[1] = '0';
    for (; left >= 100; left -= 100)
        number[0]++;
    for (; left >= 10; left -= 10)
        number[1]++;
    number[2] = (char)('0' + left);
    ws__puts(&text, "HTTP/1.1 ");
    ws__put(&text, number, 3);
    ws__core_refusal_put(&text, status);
    ws__puts(&text, "\r\n");
    conn->queued = (size_t)((uint8_t *)text.at - ws__tiny_output(conn));
}

#endif

/* The one way into failure, as ws__fail_with of the engine. */
static void ws__tiny_fail(ws_conn *conn, int error)
{
    int tell = ws__error_tell(-error), to = WS__PHASE_ENDING;

    if (ws__phase_has(&conn->core, WS__ENDS) &&
        (conn->core.error || ws__core_clean(&conn->core))) {
        ws__enter(&conn->core, WS__PHASE_ENDED);
        return;
    }
    ws__core_fail(&conn->core, error, tell >= 1000 ? tell : WS_CLOSE_ABNORMAL);
    if (tell >= 1000 && conn->core.phase == WS__PHASE_FRAMES) {
        if (!(conn->core.is & WS__CLOSE_GOT))
            ws__tiny_close(conn, tell, NULL, 0);
#ifndef WS_NO_SERVER
    } else if (tell >= 400 && tell < 600 && !WS__IS_CLIENT(&conn->core) &&
               ws__phase_has(&conn->core, WS__OPENS)) {
        ws__tiny_refuse(conn, tell);
#endif
    } else {
        conn->queued = conn->sent;
        to = WS__PHASE_ENDED;
    }
    ws__enter(&conn->core, to);
    ws__tiny_wait(conn);
    ws__tiny_drained(conn);
}

/* ---- opening ---- */

/* A header line of the application: 0, or WS_ERR_ARGUMENT. */
static int ws__tiny_put_line(ws__text *text, const char *name, const char *value)
{
    const char *at;

    for (at = name; ws__is_token(*at); at++) {}
    if (at == name || *at || !value)
        return WS_ERR_ARGUMENT;
    for (at = value; ws__is_text(*at) || *at == '\t'; at++) {}
    if (*at)
        return WS_ERR_ARGUMENT;
    ws__puts(text, name);
    ws__puts(text, ": ");
    ws__puts(text, value);
    ws__puts(text, "\r\n");
    return 0;
}

/* The end of our head: the application's lines, the subprotocol, if it is to be named. It
   is queued, or it was a fault. */
static int ws__tiny_put_end(ws_conn *conn, ws__text *text, int named)
{
    const ws_header *header = conn->set.headers;
    int fault = 0;

    if (named)
        fault = ws__tiny_put_line(text, "Sec-WebSocket-Protocol", conn->set.protocol);
    for (; !fault && header && header->name; header++)
        fault = ws__tiny_put_line(text, header->name, header->value);
    ws__puts(text, "\r\n");
    if (fault)
        return fault;
    conn->queued = (size_t)((uint8_t *)text->at - ws__tiny_output(conn));
    return text->cut ? WS_ERR_MEMORY : 0;
}

static ws__text ws__tiny_text(ws_conn *conn)
{
    return ws__text_in((char *)ws__tiny_output(conn), conn->set.memory_send + 1);
}

/* Is the value the subprotocol of the configuration? */
static int ws__tiny_speaks(const ws_conn *conn, ws_str value)
{
    const char *protocol = conn->set.protocol;

    return protocol && ws__size_of(protocol) == value.size &&
           ws__same(protocol, value.data, value.size);
}

#ifndef WS_NO_CLIENT

/* Splits "ws://host:port/path": 0, or WS_ERR_URL. */
static int ws__tiny_url(ws_str url, ws_str *host, ws_str *target)
{
    size_t at, end = 0;
    char c;

    if (url.size < 6 || !ws_str_is(ws__str(url.data, 5), "ws://"))
        return WS_ERR_URL;
    for (at = 5; at < url.size; at++) {
        c = url.data[at];
        if (!end && (c == '/' || c == '?'))
            end = at;
        if (c < 0x21 || c > 0x7E || c == '#' || (c == '@' && !end))
            return WS_ERR_URL;
    }
    if (!end)
        end = at;
    *host = ws__str(url.data + 5, end - 5);
    *target = ws__str(url.data + end, at - end);
    return host->size ? 0 : WS_ERR_URL;
}

/* Draws the key and queues the request. */
static int ws__tiny_request(ws_conn *conn, const char *url)
{
    ws__text text = ws__tiny_text(conn);
    uint8_t nonce[16];
    ws_str host, target;

    if (ws__tiny_url(ws__cstr(url), &host, &target))
        return WS_ERR_URL;
    if (!conn->set.random ||
        (conn->set.random)(conn->set.random_user, nonce, sizeof nonce))
        return WS_ERR_RANDOM;
    ws__base64_encode(nonce, sizeof nonce, conn->in.key);
    ws__puts(&text, "GET ");
    if (!target.size || target.data[0] != '/')
        ws__puts(&text, "/");
    ws__put(&text, target.data, target.size);
    ws__puts(&text, " HTTP/1.1\r\nHost: ");
    ws__put(&text, host.data, host.size);
    ws__puts(&text, "\r\n");
    ws__core_upgrade_put(&text, conn->in.key, 13);
    return ws__tiny_put_end(conn, &text, conn->set.protocol != NULL);
}

/* Judges the answer: 0, or the fault; 1: an interim one. */
WS__INNER int ws__tiny_answer(ws_conn *conn, ws_str head)
{
    ws_str version, value;
    int status = 0, hint = WS__HINT_NONE, what, fault;
    ws__answer answer;
    char accept[29];
    size_t pos = 0;

    fault = ws_head_answer(head, &version, &status, &value);
    if (fault)
        return fault;
    if (status < 200 && status != 101)
        return 1;
    ws_accept_key(conn->in.key, accept);
    memset(&answer, 0, sizeof answer);
    fault = ws__answer_opens(status, version, &hint);
    while (!fault && (what = ws__answer_read(&answer, head, &pos, accept, &value)) != 0) {
        int speaks = ws__tiny_speaks(conn, value);
        fault = WS_ERR_EXTENSION;
        if (what == WS__ANSWER_PROTOCOL)
            fault = ws__answer_protocol_judge(&answer, speaks);
    }
    if (!fault)
        fault = ws__answer_judge(&answer, conn->set.protocol != NULL, &hint);
    if (answer.protocols)
        conn->is |= WS__TINY_CHOSEN;
    return fault;
}

#endif

#ifndef WS_NO_SERVER

/* A page's requests come from the host that it asks. */
static int ws__tiny_same_origin(const ws__request *request)
{
    ws_str origin = request->origin;
    size_t host = ws__find(origin, 0, ':') + 3;

    if (!request->origins)
        return 1;
    return host < origin.size &&
           ws__same_text(ws__str(origin.data + host, origin.size - host), request->host);
}

/* Does the client offer our subprotocol? */
static int ws__tiny_offered(const ws_conn *conn, ws_str head)
{
    ws_str name, value, item;
    size_t pos = 0;

    while (ws_head_field(head, &pos, &name, &value))
        if (ws_str_is(name, "Sec-WebSocket-Protocol"))
            while (ws_list_next(&value, &item))
                if (ws__tiny_speaks(conn, item))
                    return 1;
    return 0;
}

/* Judges a request and queues the answer: 0, or the fault. */
static int ws__tiny_asked(ws_conn *conn, ws_str head)
{
    ws__text text = ws__tiny_text(conn);
    ws__request request;
    int hint = WS__HINT_NONE, fault = ws__request_read(&request, head);

    if (!fault)
        fault = ws__request_judge(&request, &hint);
    if (!fault && !ws__tiny_same_origin(&request))
        fault = WS_ERR_ORIGIN;
    if (fault)
        return fault;
    if (ws__tiny_offered(conn, head))
        conn->is |= WS__TINY_CHOSEN;
    ws__core_answer_put(&text, request.key);
    ws__puts(&text, "\r\n");
    return ws__tiny_put_end(conn, &text, conn->is & WS__TINY_CHOSEN);
}

#endif

WS__INNER int ws__tiny_event(ws_conn *conn, ws_event *ev, int type, const void *data,
                             size_t n)
{
    memset(ev, 0, sizeof *ev);
    ev->type = type;
    ev->conn = conn;
    ev->data = n ? data : "";
    ev->size = n;
    ev->reason = "";
    return 1;
}

/* The size of the line that begins at p, CR LF included; first: of the start line. 0: it
   is not whole, or the error. As strict as ws_head_scan. */
static int ws__tiny_line(const char *p, size_t n, int first)
{
    size_t at = 0;

    if (!first) {
        while (at < n && ws__is_token(p[at]))
            at++;
        if (at < n && p[at] != (at ? ':' : '\r'))
            return WS_ERR_HEAD_SYNTAX;
    }
    while (at < n && (ws__is_text(p[at]) || (!first && p[at] == '\t')))
        at++;
    if (at + 2 <= n)
        return ws__same(p + at, "\r\n", 2) ? (int)at + 2 : (int)WS_ERR_HEAD_SYNTAX;
    return at < n && p[at] != '\r' ? (int)WS_ERR_HEAD_SYNTAX : 0;
}

/* The size of the head that begins at p, all looked at at once; or as ws__tiny_line. */
static int ws__tiny_scan(const char *p, size_t n)
{
    int lines, size, all = 0;

    for (lines = 0; lines < 66; lines++) {
        size = ws__tiny_line(p + all, n - (size_t)all, !lines);
        if (size <= 0)
            return size;
        all += size;
        if (size == 2)
            return lines ? all : (int)WS_ERR_HEAD_SYNTAX;
    }
    return WS_ERR_HEAD_FIELDS;
}

/* A whole head, in front of the input: 0, or the fault; 1: an interim answer. */
static int ws__tiny_judge_head(ws_conn *conn, size_t size)
{
    ws_str head = ws__str((const char *)ws__tiny_input(conn), size);

#ifndef WS_NO_CLIENT
    if (WS__IS_CLIENT(&conn->core))
        return ws__tiny_answer(conn, head);
#endif
#ifndef WS_NO_SERVER
    return ws__tiny_asked(conn, head);
#endif
}

/* One step over the opening handshake: 1 with its event, 0: more must come, or it has
   failed, -1: go on. */
static int ws__tiny_shake(ws_conn *conn, ws_event *ev)
{
    uint8_t *input = ws__tiny_input(conn);
    size_t have = conn->to - conn->from;
    int size, fault;

    ws__copy(input, input + conn->from, have);
    conn->from = 0;
    conn->to = have;
    input[have] = 0;
    if (!WS__IS_CLIENT(&conn->core) && *input == '\r' && input[1] == '\n') {
        conn->from = 2;                             /* an empty line before a request */
        return -1;
    }
    size = ws__tiny_scan((const char *)input, have);
    if (!size && have + 1 < conn->set.memory_size)
        return 0;
    fault = size ? size : (int)WS_ERR_HEAD_SIZE;
    if (size > 0) {
        conn->from = (size_t)size;
        fault = ws__tiny_judge_head(conn, conn->from);
    }
    if (fault > 0)
        return -1;
    if (fault) {
        ws__tiny_fail(conn, fault);
        return 0;
    }
    memset(&conn->in, 0, sizeof conn->in);
    ws__enter(&conn->core, WS__PHASE_FRAMES);
    ws__core_begins(&conn->core, conn->now);
    conn->message = (size_t)size;
    conn->is |= WS__TINY_HELD | WS__TINY_HEAD_HELD;
    return ws__tiny_event(conn, ev, WS_EV_OPEN, NULL, 0);
}

/* ---- frames in ---- */

/* Shows [0, message). */
WS__INNER int ws__tiny_show(ws_conn *conn, ws_event *ev, int last)
{
    ws__reader *reader = &conn->in.reader;
    int first = !(conn->is & WS__TINY_BEGUN);
    uint8_t *input = ws__tiny_input(conn);

    conn->is |= WS__TINY_HELD | WS__TINY_BEGUN;
    ws__tiny_event(conn, ev, first && last ? WS_EV_MESSAGE : WS_EV_PART, input,
                   conn->message);
    input[conn->message] = 0;
    ev->op = reader->op;
    ev->first = first;
    ev->last = last;
    if (ev->last)
        conn->is &= (uint8_t)~WS__TINY_BEGUN;
    ws__core_given(reader, conn->message, last);
    return 1;
}

/* Inside a data frame: moves what came to the message. */
static int ws__tiny_payload(ws_conn *conn, ws_event *ev)
{
    ws__reader *reader = &conn->in.reader;
    uint8_t *input = ws__tiny_input(conn);
    size_t part = conn->to - conn->from, good;
    size_t room = conn->set.memory_size - WS__TINY_ASIDE - conn->message;
    int fault;

    if (part > reader->left)
        part = (size_t)reader->left;
    if (!part && reader->left)
        return 0;
    if (part && !room)
        return ws__tiny_show(conn, ev, 0);
    if (part > room)
        part = room;
    fault = ws__core_take(reader, &conn->set, input + conn->message, input + conn->from,
                          part, &good);
    conn->from += part;
    conn->message += part;
    if (fault) {
        ws__tiny_fail(conn, fault);
        return 0;
    }
    if (reader->left || !reader->fin)
        return -1;
    return ws__tiny_show(conn, ev, 1);
}

/* The peer's Close frame was read: p, n bytes. Its reason is kept for CLOSE. */
static int ws__tiny_close_got(ws_conn *conn, int answer, uint8_t *p, size_t n)
{
    uint8_t *reason = ws__tiny_input(conn);
    int fault = ws__core_close_got(&conn->core, p, n);

    if (fault)
        return fault;
    if (answer) {
        fault = ws__tiny_frame(conn, WS_OP_CLOSE, p, n);
        if (fault)
            return fault;
        ws__core_close_sent(&conn->core);
    }
    conn->message = 0;
    if (n > 2)
        ws__copy(reason, p + 2, n - 1);
    else
        *reason = 0;
    ws__enter(&conn->core, WS__PHASE_ENDING);
    ws__tiny_wait(conn);
    ws__tiny_drained(conn);
    return 0;
}

#define WS__TINY_BLOCKED 2      /* of a step: output must be taken first */

/* A whole control frame, whose header has head bytes. It waits while its answer has no
   room. */
static int ws__tiny_control(ws_conn *conn, ws_event *ev, const ws_frame *frame,
                            size_t head)
{
    uint8_t *p = ws__tiny_input(conn) + conn->from;
    size_t n = (size_t)frame->size;
    int answer = ws__core_answer(&conn->core, frame->op), fault = 0;

    if (answer && !ws__tiny_fits_out(conn, n))
        return WS__TINY_BLOCKED;
    conn->from += head + n;
    ws_mask(p, p + head, n, frame->key, 0);     /* in front, so that a NUL fits behind */
    p[n] = 0;
    if (frame->op == WS_OP_CLOSE)
        fault = ws__tiny_close_got(conn, answer, p, n);
    else if (answer)
        fault = ws__tiny_frame(conn, answer, p, n);
    if (fault)
        ws__tiny_fail(conn, fault);
    if (fault || frame->op == WS_OP_CLOSE)
        return 0;
    return ws__tiny_event(conn, ev, frame->op == WS_OP_PING ? WS_EV_PING : WS_EV_PONG, p,
                          n);
}

/* One step over frames; returns as ws__tiny_shake. */
static int ws__tiny_step(ws_conn *conn, ws_event *ev)
{
    ws__reader *reader = &conn->in.reader;
    size_t have = conn->to - conn->from;
    ws_frame frame;
    int head;

    if (reader->in_frame)
        return ws__tiny_payload(conn, ev);
    head = ws__core_see(&conn->core, &conn->set, reader, 0,
                        ws__tiny_input(conn) + conn->from, have, &frame);
    if (head < 0)
        ws__tiny_fail(conn, head);
    if (head <= 0)
        return 0;
    if (frame.op < 8) {
        ws__core_begin(reader, &frame);
        conn->from += (size_t)head;
        return -1;
    }
    if (have - (size_t)head < frame.size)
        return 0;
    return ws__tiny_control(conn, ev, &frame, (size_t)head);
}

/* ---- what else is to be told ---- */

static int ws__tiny_close_event(ws_conn *conn, ws_event *ev)
{
    ws__enter(&conn->core, WS__PHASE_ENDED);
    conn->is |= WS__TINY_CLOSE_TOLD;
    ws__tiny_event(conn, ev, WS_EV_CLOSE, NULL, 0);
    ev->code = (int)conn->core.code;
    ev->error = -(int)conn->core.error;
    ev->clean = ws__core_clean(&conn->core);
    if (conn->core.is & WS__CLOSE_GOT)
        ev->reason = (const char *)ws__tiny_input(conn);
    return 1;
}

/* When the input gives nothing more; all: nothing of it is left that waits for output. */
static int ws__tiny_late(ws_conn *conn, ws_event *ev, int all)
{
    if (conn->is & WS__TINY_CLOSE_TOLD)
        return 0;
    if (all && conn->is & WS__TINY_INPUT_END && ws__phase_has(&conn->core, WS__KEEPS))
        ws__tiny_fail(conn, WS_ERR_EOF);
    if (conn->is & WS__TINY_REFUSED && conn->core.phase == WS__PHASE_FRAMES &&
        ws__tiny_unsent(conn) <= conn->set.memory_send / 4) {
        conn->is &= (uint8_t)~WS__TINY_REFUSED;
        return ws__tiny_event(conn, ev, WS_EV_WRITABLE, NULL, 0);
    }
    if (conn->core.phase == WS__PHASE_ENDED ||
        (conn->core.phase == WS__PHASE_ENDING && !ws__tiny_unsent(conn)))
        return ws__tiny_close_event(conn, ev);
    return 0;
}

/* Does what is due, after all input was looked at. */
static void ws__tiny_judge(ws_conn *conn)
{
    int due;

    if (conn->core.phase == WS__PHASE_ENDED)
        return;
    due = ws__core_tick(&conn->core, &conn->set, conn->now);
    if (due == WS_ERR_CLOSE_TIMEOUT)
        conn->queued = conn->sent;
    if (due < 0)
        ws__tiny_fail(conn, due);
    else if (due && ws__tiny_fits_out(conn, 4))
        ws_ping(conn, NULL, 0);
}

/* What the last event showed is no longer shown. */
static void ws__tiny_release(ws_conn *conn)
{
    if (conn->is & WS__TINY_HELD)
        conn->message = 0;
    conn->is &= (uint8_t)~(WS__TINY_HELD | WS__TINY_HEAD_HELD);
}

/* ---- public ---- */

static ws_conn *ws__tiny_new(const ws_config *cfg, int client)
{
    size_t skip, send, rest;
    uint8_t *at;
    ws_conn *conn;

    if (!cfg || !cfg->memory || cfg->memory_size < WS_MEMORY_OVERHEAD)
        return NULL;
    skip = (size_t)(0 - (uintptr_t)cfg->memory) & 7;
    rest = cfg->memory_size - WS_MEMORY_OVERHEAD;
    send = cfg->memory_send;
    if (!cfg->memory_send)
        while (3 * (send + 8) <= rest)
            send += 8;
    if (send < WS__TINY_SEND_MIN || send > rest)
        return NULL;
    at = (uint8_t *)cfg->memory + skip;
    conn = (ws_conn *)(void *)at;
    memset(conn, 0, sizeof *conn);
    ws__copy(&conn->set, cfg, sizeof *cfg);
    conn->set.memory_size = rest - send + WS__TINY_ASIDE;
    conn->set.memory_send = send;
    conn->set.memory = ws__tiny_input(conn) + conn->set.memory_size;
    if (!conn->set.max_message)
        conn->set.max_message = 1048576;
    if (!conn->set.handshake_timeout)
        conn->set.handshake_timeout = 10000;
    if (!conn->set.ping_interval)
        conn->set.ping_interval = 20000;
    if (!conn->set.ping_timeout)
        conn->set.ping_timeout = 20000;
    if (!conn->set.close_timeout)
        conn->set.close_timeout = 5000;
    conn->core.is = client ? WS__CLIENT : 0;
    ws__core_wait(&conn->core, 0, conn->set.handshake_timeout);
    return conn;
}

#ifndef WS_NO_CLIENT
WS_API ws_conn *ws_client_new(const char *url, const ws_config *cfg)
{
    ws_conn *conn = ws__tiny_new(cfg, 1);
    int fault = conn ? ws__tiny_request(conn, url) : 0;

    if (fault)
        ws__tiny_fail(conn, fault);
    return conn;
}
#endif

#ifndef WS_NO_SERVER
WS_API ws_conn *ws_server_new(const ws_config *cfg) { return ws__tiny_new(cfg, 0); }
#endif

WS_API void ws_free(ws_conn *conn) { ws__tiny_sane(conn); }

WS_API size_t ws_feed_room(const ws_conn *conn)
{
    size_t used;

    ws__tiny_sane(conn);
    if (!conn || conn->is & WS__TINY_INPUT_END || !ws__phase_has(&conn->core, WS__KEEPS))
        return 0;
    used = conn->to - conn->from + 1;
    if (!(conn->is & WS__TINY_HELD))
        used += conn->message;
    return conn->set.memory_size - used;
}

WS_API size_t ws_feed(ws_conn *conn, const void *data, size_t n)
{
    size_t room = ws_feed_room(conn), front;
    uint8_t *input;

    if (!conn || !data)
        return 0;
    if (!ws__phase_has(&conn->core, WS__KEEPS))
        return n;
    if (n > room)
        n = room;
    if (!n)
        return 0;
    ws__tiny_release(conn);
    input = ws__tiny_input(conn);
    front = conn->message + 1;
    if (conn->from > front) {
        conn->to -= conn->from - front;
        ws__copy(input + front, input + conn->from, conn->to - front);
        conn->from = front;
    }
    ws__copy(input + conn->to, data, n);
    conn->to += n;
    ws__core_heard(&conn->core, conn->now);
    return n;
}

WS_API void ws_feed_end(ws_conn *conn)
{
    ws__tiny_sane(conn);
    if (conn)
        conn->is |= WS__TINY_INPUT_END;
}

WS_API int ws_next(ws_conn *conn, ws_event *ev)
{
    int what = -1;

    ws__tiny_sane(conn);
    if (!conn || !ev)
        return 0;
    ev->type = WS_EV_NONE;
    ws__tiny_release(conn);
    while (what < 0) {
        what = 0;
        if (conn->core.phase == WS__PHASE_HEAD)
            what = ws__tiny_shake(conn, ev);
        else if (conn->core.phase == WS__PHASE_FRAMES)
            what = ws__tiny_step(conn, ev);
    }
    ws__tiny_sane(conn);
    if (what == 1 || ws__tiny_late(conn, ev, !what))
        return 1;
    ws__tiny_judge(conn);
    return ws__tiny_late(conn, ev, !what);
}

WS_API const void *ws_output(ws_conn *conn, size_t *n)
{
    ws__tiny_sane(conn);
    *n = conn ? ws__tiny_unsent(conn) : 0;
    return conn ? (const void *)(ws__tiny_output(conn) + conn->sent) : "";
}

WS_API void ws_output_done(ws_conn *conn, size_t n)
{
    ws__tiny_sane(conn);
    if (!conn || n > ws__tiny_unsent(conn))
        return;
    conn->sent += n;
    ws__tiny_drained(conn);
}

WS_API int ws_finished(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    if (!conn)
        return 1;
    return ws__phase_has(&conn->core, WS__ENDS) && !ws__tiny_unsent(conn);
}

WS_API void ws_tick(ws_conn *conn, uint32_t now)
{
    ws__tiny_sane(conn);
    if (!conn)
        return;
    if (!(conn->is & WS__TINY_TICKED) || (int32_t)(now - conn->now) < 0)
        ws__core_shift(&conn->core, now - conn->now);
    conn->is |= WS__TINY_TICKED;
    conn->now = now;
}

WS_API int ws_timeout(const ws_conn *conn)
{
    int32_t left;

    ws__tiny_sane(conn);
    if (!conn || conn->core.phase == WS__PHASE_ENDED)
        return -1;
    left = (int32_t)(ws__core_due(&conn->core, &conn->set, conn->now) - conn->now);
    if (left < 0)
        return 0;
    return left >= (int32_t)WS__FAR ? -1 : (int)left;
}

/* Queues a frame of that opcode, perhaps as another. */
static int ws__tiny_send(ws_conn *conn, int op, int as, const void *data, size_t n)
{
    int fault;

    ws__tiny_sane(conn);
    if (!conn || (!data && n) || n > conn->set.memory_send)
        return WS_ERR_ARGUMENT;
    if (op >= 8 ? n > WS__CONTROL_MAX : op != WS_OP_TEXT && op != WS_OP_BINARY)
        return WS_ERR_ARGUMENT;
    if (!ws__core_may(&conn->core, op))
        return WS_ERR_STATE;
    if (!ws__tiny_fits_out(conn, n)) {
        conn->is |= WS__TINY_REFUSED;
        return WS_ERR_BACKLOG;
    }
    fault = ws__tiny_frame(conn, as, data, n);
    if (fault)
        ws__tiny_fail(conn, fault);
    return fault;
}

WS_API int ws_send(ws_conn *conn, int op, const void *data, size_t n)
{
    if (conn && conn->core.sending && ws__core_may(&conn->core, op))
        return WS_ERR_BUSY;
    return ws__tiny_send(conn, op, op, data, n);
}

WS_API int ws_send_text(ws_conn *conn, const char *text)
{
    return text ? ws_send(conn, WS_OP_TEXT, text, ws__size_of(text)) : WS_ERR_ARGUMENT;
}

WS_API int ws_send_part(ws_conn *conn, int op, const void *data, size_t n, int last)
{
    int fault;

    if (!conn || (conn->core.sending && conn->core.sending != op))
        return WS_ERR_ARGUMENT;
    fault = ws__tiny_send(conn, op, ws__core_part(&conn->core, op, last), data, n);
    if (!fault)
        ws__core_part_sent(&conn->core, conn->now, op, last);
    return fault;
}

WS_API int ws_ping(ws_conn *conn, const void *data, size_t n)
{
    uint8_t own[4];

    if (!data && !n && conn) {
        ws__core_ping_lay(own, conn->now);
        data = own;
        n = 4;
    }
    return ws__tiny_send(conn, WS_OP_PING, WS_OP_PING, data, n);
}

WS_API int ws_pong(ws_conn *conn, const void *data, size_t n)
{
    return ws__tiny_send(conn, WS_OP_PONG, WS_OP_PONG, data, n);
}

WS_API int ws_close(ws_conn *conn, int code, const char *reason)
{
    size_t n;
    int fault;

    ws__tiny_sane(conn);
    if (!conn || ws__core_close_judge(code, reason, &n))
        return WS_ERR_ARGUMENT;
    if (!ws__phase_has(&conn->core, WS__KEEPS) || conn->core.is & WS__CLOSE_SENT)
        return WS_ERR_STATE;
    if (conn->core.phase != WS__PHASE_FRAMES) {
        ws_drop(conn);
        return 0;
    }
    fault = ws__tiny_close(conn, code, reason, n);
    if (fault)
        ws__tiny_fail(conn, fault);
    return fault;
}

WS_API void ws_drop(ws_conn *conn)
{
    ws__tiny_sane(conn);
    if (!conn || conn->core.phase == WS__PHASE_ENDED)
        return;
    ws__core_dropped(&conn->core);
    if (!(conn->core.is & WS__CLOSE_SENT))
        conn->queued = conn->sent;
    ws__enter(&conn->core, WS__PHASE_ENDED);
}

WS_API int ws_state(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    if (!conn || conn->core.phase == WS__PHASE_ENDED)
        return WS_STATE_CLOSED;
    if (ws__phase_has(&conn->core, WS__OPENS))
        return WS_STATE_CONNECTING;
    if (conn->core.phase == WS__PHASE_FRAMES && !(conn->core.is & WS__CLOSE_SENT))
        return WS_STATE_OPEN;
    return WS_STATE_CLOSING;
}

WS_API int ws_done(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    return !conn || conn->is & WS__TINY_CLOSE_TOLD;
}

WS_API int ws_error(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    return conn ? -(int)conn->core.error : (int)WS_ERR_MEMORY;
}

WS_API int ws_is_client(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    return conn && WS__IS_CLIENT(&conn->core);
}

WS_API const char *ws_protocol(const ws_conn *conn)
{
    ws__tiny_sane(conn);
    return conn && conn->is & WS__TINY_CHOSEN ? conn->set.protocol : "";
}

/* The head that is shown. */
static ws_str ws__tiny_head(const ws_conn *conn)
{
    if (!conn || !(conn->is & WS__TINY_HEAD_HELD))
        return ws__str("", 0);
    return ws__str((const char *)ws__tiny_input(conn), conn->message);
}

WS_API ws_str ws_path(const ws_conn *conn)
{
    ws_str method, target, version;

    ws__tiny_sane(conn);
    if (ws_head_request(ws__tiny_head(conn), &method, &target, &version))
        return ws__str("", 0);
    target.size = ws__find(target, 0, '?');
    return target;
}

WS_API ws_str ws_header_value(const ws_conn *conn, const char *field)
{
    ws_str head = ws__tiny_head(conn), name, value;
    size_t pos = 0;

    ws__tiny_sane(conn);
    while (ws_head_field(head, &pos, &name, &value))
        if (ws_str_is(name, field))
            return value;
    return ws__str(NULL, 0);
}

#endif /* WS_TINY */

#endif /* WS_IMPLEMENTED_ */
#endif /* WS_IMPLEMENTATION */

/* ==== >>history ========================================================================
   0.2.0  RFC 6455 as a core of its own; WS_TINY, WS_NO_HTTP, WS_NO_TEXT; a loop in other
          loops, ws_begin, bodies of requests, keep-alive, ranges; fields of another role
          are errors. Renamed (tests/rename-0.1-0.2.sed carries a program over):
          ws_next_header  ws_reconnect_header
          ws_next_delay   ws_reconnect_delay
          What fails returns a WS_ERR_ everywhere: ws_cookie, ws_query, ws_cookie_format,
          ws_param_next, ws_base64_decode and ws_recv gave -1, ws_remote, ws_tls_peer,
          ws_head_format and ws_frame_encode 0. Gone: ws_sha1, ws_base64_encode.
   0.1.0  engine and drivers, handshake control, proxies, groups, plain HTTP, TLS,
   compression */

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
   CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR
   THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/

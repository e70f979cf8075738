/* Faults seen in the field: deadlines and ends, over sockets. Both roles, every driver,
   with and without a wrap around the socket; the other side is played by hand, and time
   is a clock that is put forward. What the engine alone shows of it:
   test_field_engine.c. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_field_ends: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#define FIXTURE_SOCKETS
#include "fixture.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include <sys/wait.h>

#define MINUTE 60000

/* ==== one connection of the library, and its peer =================================== */

enum { CLIENT, SERVER, ROLES };

static int role, driver, wrapped;       /* of the library's end */

#define GOES_ON (test_faults < 6)       /* waiting for what does not come takes long */
#define EACH_ROLE for (role = 0; role < ROLES && GOES_ON; role++)
#define EACH_DRIVER for (driver = 0; driver < DRIVERS && GOES_ON; driver++)
#define EACH_WRAP for (wrapped = 0; wrapped < 2 && GOES_ON; wrapped++)
#define FEW_WRAPS for (wrapped = 0; wrapped < 1 + (driver == LOOP) && GOES_ON; wrapped++)
#define EACH_END EACH_ROLE EACH_DRIVER EACH_WRAP
#define MOST_ENDS EACH_ROLE EACH_DRIVER FEW_WRAPS

static end e;                   /* what came out of it */
static ws_conn *conn;
static int lib_fd;              /* its socket */
static int copies, copy_fd;     /* copies: one is made of it */
static int status;              /* of the answer that it got, at CLOSE */
static buf body;                /* and what came with it */
static int send_room;           /* its SO_SNDBUF, 0: the system's */
static peer far;
static int peer_room;           /* SO_RCVBUF of the peer */
static int local;               /* a server's socket is a unix socket */
static size_t cut;              /* bytes of the peer's head that come first */
static const char *text;        /* the peer's head; NULL: what opens a WebSocket */
static const char *given;       /* what was read from it before ws_adopt */
static void (*on_event)(const ws_event *ev);

/* What the peer's frames were. */
static struct { int data, pings, pongs, closes, code; } got;

static void heard(end *to, const ws_event *ev)
{
    (void)to;
    if (ev->type == WS_EV_CLOSE || ev->type == WS_EV_DOWN) {
        ws_str b = ws_body(ev->conn);
        status = ws_status(ev->conn);
        buf_clear(&body);
        buf_add(&body, b.data, b.size);
    }
    if (on_event) on_event(ev);
    if (ev->type == WS_EV_CLOSE && driver == LOOP)
        conn = NULL; /* the loop frees it */
}

static void socket_made(void *user, intptr_t fd)
{
    line_taken(user, fd);
    lib_fd = (int)fd;
    if (copies) copy_fd = dup((int)fd);
    if (send_room)
        setsockopt((int)fd, SOL_SOCKET, SO_SNDBUF, &send_room, sizeof send_room);
}

/* A wrap that changes nothing: the bytes go through cfg.wrap's functions. */
static int bare_wrap(void *user, ws_conn *c, ws_io *io, const char *host)
{
    (void)user;
    (void)c;
    (void)io;
    (void)host;
    return 0;
}

/* Two ends of a TCP connection: the peer's, and the one that the server is to have. */
static int peer_tcp(void)
{
    struct sockaddr_in a = loopback(far.port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    no_delay(fd);
    if (peer_room) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &peer_room, sizeof peer_room);
    CHECK(!connect(fd, (struct sockaddr *)&a, sizeof a));
    while ((lib_fd = accept(far.listener, NULL, NULL)) < 0) {}
    return fd;
}

/* The same of a unix socket. */
static int peer_unix(void)
{
    int pair[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    lib_fd = pair[0];
    return pair[1];
}

/* The peer's connection to a server that is adopted. */
static void peer_connects(const ws_config *cfg)
{
    int fd = local ? peer_unix() : peer_tcp();

    socket_made(NULL, lib_fd);
    peer_take(&far, fd);
    e.driver = driver;
    e.c = ws_adopt(driver == LOOP ? loop : NULL, lib_fd, given,
                    given ? strlen(given) : 0, cfg);
    if (driver != LOOP) clients[0] = &e;
}

/* Makes the library's end, and the peer that plays part in each turn. With any
   cfg.proxy, the peer is the proxy. */
static void begin(ws_config *cfg, const char *scheme, void (*part)(peer *r))
{
    static char url[64], proxy[64];

    memset(&e, 0, sizeof e);
    memset(&got, 0, sizeof got);
    status = 0;
    if (!loop) loop = ws_loop_new(NULL);
    app = heard;
    cfg->user = &e;
    if (wrapped) cfg->wrap = bare_wrap;
    peer_begin(&far, part, NULL);
    no_delay(far.listener);                    /* and what it accepts */
    if (role == SERVER) {
        peer_connects(cfg);
        conn = e.c;
        return;
    }
    if (!cfg->resolve) cfg->resolve = to_loopback;
    if (!cfg->on_socket) cfg->on_socket = socket_made;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", far.port);
    if (cfg->proxy) cfg->proxy = proxy;
    if (peer_room)
        setsockopt(far.listener, SOL_SOCKET, SO_RCVBUF, &peer_room, sizeof peer_room);
    snprintf(url, sizeof url, "%s%s://localhost:%d/", scheme, wrapped ? "s" : "",
             far.port);
    conn = visit(driver, url, cfg);
}

/* Of a test over all ends: says which one was at fault. */
static void where(int what)
{
    static const char *const drivers[] = { "blocking", "own", "loop" };
    static int told;

    if (test_faults < told) told = 0;
    if (test_faults == told) return;
    told = test_faults;
    printf("    %s, %s%s: %d\n", role == CLIENT ? "client" : "server", drivers[driver],
           wrapped ? ", wrapped" : "", what);
}

/* Lets go of the library's end; the peer stays. */
static void let_go(void)
{
    if (conn) leave(&e, conn);
    conn = NULL;
}

static void finish(void)
{
    where(-1);
    let_go();
    peer_over(&far);
    over();
    on_event = NULL;
    text = given = NULL;
    cut = 0;
    send_room = peer_room = local = 0;
}

/* Everybody runs once after the program was away for so long. */
static void late(uint64_t ms)
{
    skipped += ms;
    turn();
}

/* What the peer wrote has come to the library's socket. */
static void arrived(void)
{
    struct pollfd p = { lib_fd, POLLIN, 0 };
    CHECK(poll(&p, 1, 10000) > 0);
}

/* The head of the peer's that answers, or begins, the opening handshake; "" while it
   waits for the request. */
static const char *peer_head(peer *r)
{
    static buf answer;
    buf request = { 0 };

    if (role == SERVER) return text ? text : REQUEST;
    if (!strstr(r->in, "\r\n\r\n")) return "";
    if (text) return text;
    request.p = r->in;
    request.n = r->n;
    buf_clear(&answer);
    put_answer(&answer, &request, NULL);
    return answer.p;
}

/* A part: the opening handshake. Done is 1 when the peer has spoken, 2 when it has
   heard. */
static void shakes(peer *r)
{
    const char *head = r->done ? "" : peer_head(r);

    if (*head) {
        r->done = 1 + (role == CLIENT);
        r->n = 0;
        r->in[0] = 0;
        peer_text(r, head);
    } else if (r->done == 1 && strstr(r->in, "\r\n\r\n")) {
        size_t n = (size_t)(strstr(r->in, "\r\n\r\n") - r->in) + 4;
        memmove(r->in, r->in + n, r->n - n + 1);
        r->n -= n;
        r->done = 2;
    }
}

/* A connection past its opening handshake; the peer does nothing by itself. */
static void begin_open(ws_config *cfg)
{
    begin(cfg, "ws", shakes);
    UNTIL(e.opens && far.done == 2, 2000);
    far.turn = NULL;
    besides = NULL;
}

static void peer_says(int first, const void *data, size_t n)
{
    buf b = { 0 };
    put_frame(&b, first, role == SERVER, data, n, 0);
    CHECK_INT(peer_write(&far, b.p, b.n), 0);
    buf_free(&b);
}

static void peer_closes(int code)
{
    char t[2] = { (char)(code >> 8), (char)code };
    peer_says(0x88, t, 2);
}

/* Takes the next frame of what the peer has read; its payload, of up to 125 bytes, goes
   to data. */
static int peer_next(ws_frame *f, uint8_t data[125])
{
    int head = ws_frame_decode(far.in, far.n, f);

    if (head <= 0 || far.n - (size_t)head < f->size) return 0;
    if (f->size <= 125) memcpy(data, far.in + head, (size_t)f->size);
    if (f->size <= 125 && f->masked) ws_mask(data, data, (size_t)f->size, f->key, 0);
    far.n -= (size_t)head + (size_t)f->size;
    memmove(far.in, far.in + head + f->size, far.n + 1);
    return 1;
}

/* Looks at the frames that the peer has read. pongs: and answers pings. */
static void peer_looks(int pongs)
{
    ws_frame f;
    uint8_t data[125];

    while (peer_next(&f, data)) {
        if (f.op < 8) got.data++;
        if (f.op == WS_OP_PING) got.pings++;
        if (f.op == WS_OP_PING && pongs) peer_says(0x8A, data, (size_t)f.size);
        if (f.op == WS_OP_PONG) got.pongs++;
        if (f.op != WS_OP_CLOSE) continue;
        got.closes++;
        got.code = f.size < 2 ? 1005 : data[0] << 8 | data[1];
    }
}

static void peer_reads(int pongs)
{
    peer_read(&far);
    peer_looks(pongs);
}

/* The peer reads until cond holds. */
#define PEER_UNTIL(cond) \
    do { \
        int peer_patience = 5000; \
        while (peer_patience-- && !(peer_reads(0), cond)) turn(); \
        CHECK(cond); \
    } while (0)

/* The peer ends TCP, for which a client waits, and CLOSE comes. */
static void end_comes(void)
{
    shutdown(far.fd, SHUT_WR);
    UNTIL(e.closes, 2000);
}

/* ==== 1: input that lies in the socket counts ======================================= */

/* The peer answers every ping at once, the program looks rarely. Then the peer falls
   silent. */
TEST(field_01_pongs_in_the_socket)
{
    static const struct { uint32_t interval, timeout, away; } times[] = {
        { 0, 0, 25000 }, { 1000, 1000, 1500 }, { 1000, 1000, MINUTE }
    };
    size_t i;
    int k;

    EACH_END for (i = 0; i < 3; i++) {
        ws_config cfg = { 0 };

        cfg.ping_interval = times[i].interval;
        cfg.ping_timeout = times[i].timeout;
        begin_open(&cfg);
        for (k = 0; k < 12; k++) {
            int before = got.pings;
            late(times[i].away);
            peer_reads(1);
            if (got.pings > before) arrived();
        }
        CHECK_INT(e.closes, 0);
        CHECK(e.pongs > 3);
        for (k = 0; k < 4 && !e.closes; k++) late(times[i].away);
        CHECK_INT(e.error, WS_ERR_PING_TIMEOUT);
        finish();
    }
}

/* A peer from which something lies there is not pinged. */
TEST(field_01_who_has_spoken_is_not_pinged)
{
    int k;

    EACH_END {
        ws_config cfg = { 0 };

        cfg.ping_interval = 1000;
        begin_open(&cfg);
        for (k = 0; k < 8; k++) {
            peer_says(0x81, "here", 4);
            arrived();
            late(1500);
            peer_reads(0);
            CHECK_INT(e.messages, k + 1);
        }
        CHECK_INT(got.pings, 0);
        late(1500);
        PEER_UNTIL(got.pings);
        finish();
    }
}

/* The opening handshake, or an ordinary answer, comes in time: whole, or its rest
   does. */
static void head_in_time(peer *r)
{
    const char *head = r->done ? text : peer_head(r);
    size_t n = strlen(head) < cut ? strlen(head) : cut;

    if (r->done == 2 || !*head) return;
    if (r->done++ == 0) {
        text = head;
        peer_write(r, head, n);
        return;
    }
    peer_text(r, head + n);
    arrived();
    skipped += MINUTE;
}

TEST(field_01_a_handshake_in_the_socket)
{
    static const size_t cuts[] = { 0, 1, 60, 128 };
    size_t i;

    EACH_END for (i = 0; i < 4; i++) {
        ws_config cfg = { 0 };

        cut = cuts[i];
        begin(&cfg, "ws", head_in_time);
        UNTIL(e.opens || e.closes, 2000);
        CHECK_INT(e.opens, 1);
        CHECK_INT(e.closes, 0);
        finish();
    }
}

/* What somebody else read before ws_adopt, too. */
TEST(field_01_a_request_that_was_given)
{
    role = SERVER;
    wrapped = 0;
    EACH_DRIVER {
        ws_config cfg = { 0 };

        given = REQUEST;
        begin(&cfg, "ws", NULL);
        late(MINUTE);
        CHECK_INT(e.opens, 1);
        CHECK_INT(e.closes, 0);
        finish();
    }
}

/* Ordinary HTTP of a client: the answer, the rest of a refusal's body. */
TEST(field_01_an_answer_in_the_socket)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n0123456789"
    };
    int what, k;

    role = CLIENT;
    EACH_DRIVER EACH_WRAP for (what = 0; what < 4; what++) for (k = 0; k < 12; k += 5) {
        ws_config cfg = { 0 };              /* odd: it is a WebSocket that is refused */

        if (what == 1) continue;
        text = answers[what > 0];
        cut = strlen(text) - (size_t)k;
        if (!k) cut = 20;
        if (what != 3) cfg.method = "GET";
        begin(&cfg, what == 3 ? "ws" : "http", head_in_time);
        UNTIL(e.closes, 2000);
        CHECK_INT(e.opens, what == 0);
        CHECK_INT(e.clean, what == 0);
        CHECK_INT(e.error, what == 0 ? 0 : WS_ERR_STATUS);
        if (what == 0) CHECK_INT(e.bytes, 10);
        else CHECK_STR(buf_c(&body), "0123456789");
        finish();
    }
}

/* The rest of an answer comes before idle_timeout. */
TEST(field_01_a_body_in_the_socket)
{
    role = CLIENT;
    EACH_DRIVER EACH_WRAP {
        ws_config cfg = { 0 };

        cfg.method = "GET";
        cfg.idle_timeout = 10000;
        text = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nabcde";
        begin(&cfg, "http", shakes);
        UNTIL(e.opens && e.bytes == 5, 2000);
        besides = NULL;
        peer_text(&far, "fghij");
        arrived();
        late(MINUTE);
        CHECK(!e.closes && e.bytes == 10);
        peer_text(&far, "klmno");
        arrived();
        late(MINUTE);
        UNTIL(e.closes, 2000);
        CHECK(e.clean && !e.error && e.bytes == 15);
        finish();
    }
}

static int skip_once;

static void slow_connect(void *user, intptr_t fd)
{
    socket_made(user, fd);
    skipped += (uint64_t)skip_once;
    skip_once = 0;
}

static void two_addresses(void *user, ws_conn *c, const char *host)
{
    (void)user;
    (void)host;
    ws_resolved(c, "127.0.0.1, 127.0.0.2");
}

/* The first address is connected, which is noticed after the time for it: it is taken
   all the same, instead of the second, where nobody listens. */
TEST(field_01_a_connected_socket_is_taken)
{
    role = CLIENT;
    EACH_DRIVER EACH_WRAP {
        ws_config cfg = { 0 };

        skip_once = 5000;
        cfg.resolve = two_addresses;
        cfg.on_socket = slow_connect;
        begin(&cfg, "ws", shakes);
        UNTIL(e.opens || e.closes, 2000);
        CHECK_INT(e.opens, 1);
        CHECK_INT(e.closes, 0);
        finish();
    }
}

/* A server that refuses whoever comes, at once: the client hears it, though it had not
   yet noticed that it is connected. Not blocking: that one notices. */
TEST(field_01_a_refusal_before_connecting_was_noticed)
{
    int http;

    role = CLIENT;
    for (driver = OWN; driver < DRIVERS; driver++) for (http = 0; http < 2; http++) {
        ws_config cfg = { 0 };
        int patience = 1000;

        wrapped = 0;
        if (http) cfg.method = "GET";
        begin(&cfg, http ? "http" : "ws", NULL);
        while (far.fd < 0 && patience--) {
            peer_turn(&far);
            if (far.fd < 0) turn();            /* the name, the socket */
        }
        peer_text(&far,
                  "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");
        arrived();
        late(MINUTE);
        UNTIL(e.closes, 2000);
        CHECK_INT(e.error, WS_ERR_STATUS);
        CHECK_INT(status, 503);
        finish();
    }
}

/* A part: the proxy refuses. */
static void proxy_refuses(peer *r)
{
    if (r->done || !strstr(r->in, "\r\n\r\n")) return;
    r->done = 1;
    peer_text(r,
              "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    arrived();
    skipped += MINUTE;
}

/* The proxy's answer counts like the server's. */
TEST(field_01_a_proxys_answer_in_the_socket)
{
    role = CLIENT;
    wrapped = 0;
    EACH_DRIVER {
        ws_config cfg = { 0 };

        cfg.proxy = "the peer";
        begin(&cfg, "ws", proxy_refuses);
        UNTIL(e.closes, 2000);
        CHECK_INT(e.error, WS_ERR_PROXY);
        CHECK_INT(status, 407);
        finish();
    }
}

/* The peer's Close, also behind a last message, came before close_timeout. */
TEST(field_01_a_close_in_the_socket)
{
    int last;

    EACH_END for (last = 0; last < 2; last++) {
        ws_config cfg = { 0 };

        begin_open(&cfg);
        CHECK_INT(ws_close(conn, 1000, NULL), 0);
        PEER_UNTIL(got.closes);
        if (last) peer_says(0x81, "last", 4);
        peer_closes(1000);
        arrived();
        late(MINUTE);
        end_comes();
        CHECK_INT(e.messages, last);
        CHECK_INT(e.clean, 1);
        CHECK_INT(e.error, 0);
        CHECK_INT(e.code, 1000);
        finish();
    }
}

/* Messages came before idle_timeout. */
TEST(field_01_messages_in_the_socket)
{
    int k;

    EACH_END {
        ws_config cfg = { 0 };

        cfg.idle_timeout = 10000;
        cfg.ping_interval = WS_NEVER;
        begin_open(&cfg);
        for (k = 0; k < 5; k++) {
            peer_says(0x82, "message", 7);
            arrived();
            late(MINUTE);
            CHECK_INT(e.messages, k + 1);
        }
        CHECK_INT(e.closes, 0);
        late(MINUTE);
        PEER_UNTIL(got.closes);
        CHECK_INT(got.code, 1001);
        end_comes();
        CHECK_INT(e.error, WS_ERR_IDLE_TIMEOUT);
        finish();
    }
}

/* All connections of a loop that is stopped: who has closed in time has closed. */
TEST(field_01_closes_in_the_sockets_at_shutdown)
{
    driver = LOOP;
    EACH_ROLE EACH_WRAP {
        ws_config cfg = { 0 };

        begin_open(&cfg);
        ws_shutdown(loop, 1001, NULL, 3000);
        PEER_UNTIL(got.closes);
        peer_closes(1001);
        arrived();
        late(MINUTE);
        end_comes();
        CHECK_INT(e.clean, 1);
        CHECK_INT(e.error, 0);
        finish();
    }
}

/* ---- room in the socket counts as well ---- */

static char plenty[400000];

static void answer_plenty(const ws_event *ev)
{
    if (ev->type != WS_EV_HTTP) return;
    CHECK_INT(ws_http_begin(ev->conn, 200, NULL, 0), 0);
    CHECK_INT(ws_http_beat(ev->conn, "\n", 1000), 0);
    CHECK_INT(ws_http_write(ev->conn, plenty, sizeof plenty), 0);
}

/* Reads up to so many bytes that came to the peer. */
static size_t peer_drinks(size_t most)
{
    static char gulp[65536];
    size_t all = 0;
    ssize_t n = 1;

    while (all < most && n > 0) {
        size_t want = most - all < sizeof gulp ? most - all : sizeof gulp;
        n = recv(far.fd, gulp, want, MSG_DONTWAIT);
        if (n > 0) all += (size_t)n;
        if (!n) far.ended = 1;
    }
    return all;
}

/* A peer that reads, if seldom, takes what waits: the room that it made is used before
   it is given up. An answer with beats (http); a connection whose output holds its
   input back. */
TEST(field_01_room_in_the_socket)
{
    int http, k;

    EACH_END for (http = 0; http < 2; http++) {
        ws_config cfg = { 0 };

        if (http && role == CLIENT) continue;
        if (!http && role == CLIENT && driver == BLOCKING)
            continue; /* holds nothing back */
        cfg.ping_interval = cfg.ping_timeout = 1000;
        cfg.max_backlog = 500000;
        send_room = peer_room = 4096;
        if (http) {
            on_event = answer_plenty;
            text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
            begin(&cfg, "http", shakes);
            UNTIL(e.https, 2000);
            besides = NULL;
        } else {
            begin_open(&cfg);
            CHECK_INT(ws_send(conn, WS_OP_BINARY, plenty, sizeof plenty), 0);
        }
        turn();
        for (k = 0; k < 6 && !e.closes; k++) {
            late(1100);                         /* it is suspected ... */
            CHECK(peer_drinks(sizeof plenty) > 0);      /* ... and reads */
            late(1100);
        }
        CHECK_INT(e.closes, 0);
        for (k = 0; k < 5 && !e.closes; k++) late(1100);
        CHECK_INT(e.error, WS_ERR_PING_TIMEOUT);
        finish();
    }
}

/* ---- and floods are judged ---- */

static buf flood;
static size_t flood_at;

/* The peer writes more than is taken in a turn, and reads what comes. */
static void floods(peer *r)
{
    ssize_t n = 1;
    size_t all = 0;

    while (n > 0 && all < 20000) {
        n = send(r->fd, flood.p + flood_at, flood.n - flood_at,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) flood_at = (flood_at + (size_t)n) % flood.n, all += (size_t)n;
    }
    peer_read(r);
    r->n = 0;
    skipped += 1000;
}

static void flood_with(const char *spec, int times)
{
    buf_clear(&flood);
    while (times--) put_frames(&flood, spec, role == SERVER);
    flood_at = 0;
}

/* One event of the library's end, as in: for (;;) { ws_recv(c, &ev, 0); ... } */
static void one_event(void)
{
    ws_event ev;
    int any;

    if (driver == LOOP) any = ws_poll(loop, &ev, 0);
    else if (driver == BLOCKING) any = ws_recv(conn, &ev, 0);
    else any = ws_next(conn, &ev) || (ws_step(conn), ws_next(conn, &ev));
    if (any > 0) note(&ev);
}

/* Pings without end are no message, and no Close: idle_timeout and close_timeout hold.
   Also for a program that takes one event at a time. */
TEST(field_01_floods_are_judged)
{
    int closing, single, i;

    MOST_ENDS for (closing = 0; closing < 2; closing++) for (single = 0; single < 2;
                                                             single++)
    {
        ws_config cfg = { 0 };

        if (single && wrapped) continue;
        cfg.idle_timeout = 10000;
        begin_open(&cfg);
        if (closing) ws_close(conn, 1000, NULL);
        flood_with("89'ping'", 500);
        for (i = 0; i < 300000 && !e.closes && !ws_error(conn); i++) {
            if (i % 256 == 0 || !single) floods(&far);
            if (single) one_event();
            else turn();
        }
        CHECK(e.pings > 0);
        CHECK_INT(e.closes ? e.error : ws_error(conn),
                  closing ? WS_ERR_CLOSE_TIMEOUT : WS_ERR_IDLE_TIMEOUT);
        where(closing * 2 + single);
        finish();
    }
}

/* A part: a head that goes on and on. */
static void trickles(peer *r)
{
    if (role == CLIENT && !strstr(r->in, "\r\n\r\n")) return;
    if (!r->done)
        peer_text(r, role == SERVER ? "GET / HTTP/1.1\r\n" : "HTTP/1.1 101 OK\r\n");
    if (!r->ended) send(r->fd, &"A: b\r\n"[r->done++ % 6], 1, MSG_NOSIGNAL);
    skipped += 400;
}

/* A head that never ends is judged at handshake_timeout. */
TEST(field_01_a_trickling_head_is_judged)
{
    EACH_END {
        ws_config cfg = { 0 };

        begin(&cfg, "ws", trickles);
        UNTIL(e.closes, 5000);
        CHECK_INT(e.error, WS_ERR_HANDSHAKE_TIMEOUT);
        CHECK(skipped < 14000);
        finish();
    }
}

/* ==== 2: closing waits for a peer that reads ======================================== */

/* Ways to begin an end while output waits. */
enum { BY_US, BY_PEER, BY_FAULT, REPLY, ANSWER, WAYS };

static struct { int way; char *data; size_t size, left, read; } load;

static void answer_with_load(const ws_event *ev)
{
    if (ev->type != WS_EV_HTTP) return;
    if (load.way == REPLY) ws_http_reply(ev->conn, 200, NULL, load.data, load.size);
    if (load.way != ANSWER) return;
    CHECK_INT(ws_http_begin(ev->conn, 200, NULL, 0), 0);
    CHECK_INT(ws_http_write(ev->conn, load.data, load.size), 0);
    CHECK_INT(ws_http_end(ev->conn), 0);
}

static void answer_and_drop(const ws_event *ev)
{
    answer_with_load(ev);
    if (ev->type == WS_EV_HTTP) ws_drop(ev->conn);
}

/* A connection that ends in one of the ways with so many bytes before the end. */
static void begin_ending(int way, size_t size, ws_config *cfg)
{
    load.way = way;
    load.size = size;
    load.read = 0;
    load.data = (char *)realloc(load.data, size);
    memset(load.data, 'x', size);
    load.left = size + (size > 65535 ? 10 : 4) + (role == CLIENT ? 4 : 0);
    cfg->ping_interval = WS_NEVER;
    if (way >= REPLY) {
        load.left = (size_t)-1;
        on_event = answer_with_load;
        text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        begin(cfg, "http", shakes);
        UNTIL(e.https, 2000);
        besides = NULL;
    } else {
        begin_open(cfg);
        CHECK_INT(ws_send(conn, WS_OP_BINARY, load.data, size), 0);
        if (way == BY_US) CHECK_INT(ws_close(conn, 1000, NULL), 0);
        if (way == BY_PEER) peer_closes(1000);
        if (way == BY_FAULT) peer_says(0x83, "", 0);
        if (way != BY_US) arrived();
    }
    turn();
    CHECK(!e.closes && ws_buffered(conn) > 0);
}

/* The peer reads up to so many bytes. What comes behind the message is kept for
   peer_next. */
static size_t peer_sips(size_t most)
{
    static char sip[65536];
    ssize_t n = recv(far.fd, sip, most < sizeof sip ? most : sizeof sip, MSG_DONTWAIT);
    size_t k, rest;

    if (n == 0) far.ended = 1;
    if (n < 0 && errno != EAGAIN) far.ended = -1;
    if (n <= 0) return 0;
    k = (size_t)n < load.left ? (size_t)n : load.left;
    rest = (size_t)n - k;
    load.read += k;
    load.left -= k;
    if (rest > sizeof far.in - 1 - far.n) rest = sizeof far.in - 1 - far.n;
    memcpy(far.in + far.n, sip + k, rest);
    far.n += rest;
    far.in[far.n] = 0;
    return (size_t)n;
}

/* As a program does: what has told its end is freed. */
static void free_the_ended(void)
{
    if (e.closes && driver != LOOP) let_go();
}

/* The peer reads steadily, so many bytes at a time and in a second, to the end: of the
   connection, or to our Close. Time passes only with what it reads. */
static void peer_reads_steadily(size_t step, uint32_t rate)
{
    uint64_t patience = now_ms() + 20000;

    while (!got.closes && !far.ended && now_ms() < patience) {
        size_t n = peer_sips(step);
        skipped += (uint64_t)n * 1000 / rate;
        if (n) patience = now_ms() + 20000;
        turn();
        free_the_ended();
        peer_looks(0);
    }
    CHECK(now_ms() < patience);
}

/* One end with a steady reader: it gets all, and the end is what it would be without
   waiting. */
static void steady_end(int way, size_t size, size_t step, uint32_t rate)
{
    ws_config cfg = { 0 };

    begin_ending(way, size, &cfg);
    peer_reads_steadily(step, rate);
    if (way < REPLY) {
        CHECK_INT(load.left, 0);
        CHECK_INT(got.closes, 1);
    } else {
        CHECK(load.read > size);
        CHECK_INT(far.ended, 1);
    }
    if (way == BY_US) {
        CHECK_INT(e.closes, 0);
        peer_closes(1000);
    }
    if (!e.closes) end_comes();
    CHECK_INT(e.clean, way != BY_FAULT);
    CHECK_INT(e.error, way == BY_FAULT ? WS_ERR_OPCODE : 0);
    where(way);
    finish();
}

/* The system takes 33 KB at a time, which the peer reads in 8 s: longer than
   close_timeout. */
TEST(field_02_a_steady_reader_gets_all)
{
    int way;

    MOST_ENDS for (way = 0; way < WAYS && GOES_ON; way++) {
        if (role == CLIENT && way >= REPLY) continue;
        send_room = 65536;
        peer_room = 4096;
        steady_end(way, 160000, 4096, 4096);
    }
}

/* The same of a unix socket, which takes more again when three quarters have been read:
   12 s. */
TEST(field_02_a_steady_reader_of_a_unix_socket)
{
    int way;

    role = SERVER;
    wrapped = 0;
    EACH_DRIVER for (way = 0; way < WAYS && GOES_ON; way++) {
        local = 1;
        send_room = 262144;
        steady_end(way, 650000, 16384, 32768);
    }
}

/* 8 MiB at 600 KB/s, with the system's own buffers. */
TEST(field_02_eight_mebibytes)
{
    wrapped = 0;
    EACH_ROLE EACH_DRIVER {
        peer_room = 65536;
        steady_end(BY_US, 8 << 20, 60000, 600000);
    }
}

/* An answer of 16 MiB at 100 KB/s: the system takes a megabyte at a time, in 11 s
   each. */
TEST(field_02_sixteen_mebibytes_of_an_answer)
{
    role = SERVER;
    wrapped = 0;
    EACH_DRIVER {
        peer_room = 65536;
        steady_end(REPLY, 16 << 20, 60000, 100000);
    }
}

/* Who reads nothing, or a byte every four seconds, or 100 in one, is waited for no
   longer than ever. */
TEST(field_02_who_does_not_read_is_given_up)
{
    static const size_t sips[] = { 0, 1, 400 };
    int way;
    size_t i;

    MOST_ENDS for (way = 0; way < WAYS; way++) for (i = 0; i < 3; i++) {
        ws_config cfg = { 0 };
        uint64_t start = now_ms() + skipped;

        if (role == CLIENT && way >= REPLY) continue;
        send_room = 65536;
        peer_room = 4096;
        begin_ending(way, 160000, &cfg);
        while (!e.closes && now_ms() + skipped - start < MINUTE) {
            peer_sips(sips[i]);
            late(1000);
            if (e.closes) break;
            late(3000);
        }
        CHECK_INT(e.closes, 1);
        CHECK_INT(e.clean, 0);
        CHECK(now_ms() + skipped - start >= 5000);
        CHECK(skipped <= 17000);
        if (way == BY_FAULT) CHECK_INT(e.error, WS_ERR_OPCODE);
        else CHECK(e.error == WS_ERR_CLOSE_TIMEOUT || e.error == WS_ERR_IO);
        finish();
    }
}

/* ==== 3: clean says that our Close was written ====================================== */

/* The peer closed and reads nothing more: time passes, or it resets. crossing: we
   closed too. */
TEST(field_03_a_close_that_did_not_go)
{
    int resets, crossing, k;

    EACH_END for (resets = 0; resets < 2; resets++) for (crossing = 0; crossing < 2;
                                                         crossing++)
    {
        struct linger hard = { 1, 0 };
        ws_config cfg = { 0 };

        send_room = peer_room = 4096;
        begin_ending(BY_PEER, 100000, &cfg);
        if (crossing) ws_close(conn, 1001, NULL);
        for (k = 0; k < 3; k++) turn();
        CHECK_INT(ws_state(conn), WS_STATE_CLOSING);
        if (resets) {
            setsockopt(far.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            close(far.fd);
            far.fd = -1;
        }
        for (k = 0; k < 5 && !resets && !e.closes; k++) late(4000);
        UNTIL(e.closes, 2000);
        CHECK_INT(e.clean, 0);
        CHECK(e.error == WS_ERR_CLOSE_TIMEOUT || e.error == WS_ERR_IO);
        finish();
    }
}

/* ws_drop behind an answer: of 16 MiB the rest is lost, and CLOSE is not clean; what
   fits goes, and it is. */
TEST(field_03_a_dropped_answer)
{
    int way, fits;

    role = SERVER;
    EACH_DRIVER FEW_WRAPS for (way = REPLY; way < WAYS; way++) for (fits = 0; fits < 2;
                                                                    fits++)
    {
        ws_config cfg = { 0 };

        if (fits) {
            load.way = way;
            load.size = 5;
            load.data = (char *)realloc(load.data, 5);
            memset(load.data, 'x', 5);
            on_event = answer_and_drop;
            text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
            begin(&cfg, "http", shakes);
        } else {
            send_room = peer_room = 65536;
            begin_ending(way, 16 << 20, &cfg);
            ws_drop(conn);
        }
        UNTIL(e.closes, 2000);
        CHECK_INT(e.clean, fits);
        CHECK_INT(e.error, 0);
        let_go();
        if (fits) UNTIL(far.ended, 2000);
        if (fits) CHECK(strstr(far.in, "xxxxx") != NULL);
        where(way * 2 + fits);
        finish();
    }
}

/* ==== 4: pings are answered until the peer's Close ================================== */

TEST(field_04_a_ping_after_our_close)
{
    int k;

    EACH_END {
        ws_config cfg = { 0 };

        begin_open(&cfg);
        CHECK_INT(ws_close(conn, 1000, NULL), 0);
        for (k = 0; k < 3; k++) {
            PEER_UNTIL(got.closes);
            peer_says(0x89, "still there?", 12);
            PEER_UNTIL(got.pongs == k + 1);
        }
        CHECK_INT(e.pings, 3);
        CHECK_INT(ws_ping(conn, "ours", 4), 0);
        PEER_UNTIL(got.pings == 1);
        peer_closes(1000);
        end_comes();
        CHECK(e.clean && !e.error);
        CHECK_INT(got.pongs, 3);
        finish();
    }
}

/* ==== 5: the server ends TCP ======================================================== */

/* Both Close frames went; the client waits for the server to end TCP, at most a
   second. */
TEST(field_05_a_client_waits_for_the_end_of_tcp)
{
    int first, never, k;

    role = CLIENT;
    EACH_DRIVER EACH_WRAP for (first = 0; first < 2; first++)
    for (never = 0; never < 2; never++) {
        ws_config cfg = { 0 };
        uint64_t start;

        begin_open(&cfg);
        if (first) ws_close(conn, 1000, "bye");
        else peer_closes(1000);
        start = now_ms();
        PEER_UNTIL(got.closes);
        if (first) peer_closes(1000);
        for (k = 0; k < 4; k++) {
            late(150);
            if (k == 1 && !far.ended) peer_says(0x81, "too late", 8);
            free_the_ended();
            peer_read(&far);
            if (now_ms() - start < 300) CHECK_INT(far.ended, 0);
        }
        if (never) skipped += 500;
        else shutdown(far.fd, SHUT_WR);
        UNTIL(e.closes, 2000);
        CHECK_INT(e.messages, 0);
        CHECK_INT(e.clean, 1);
        CHECK_INT(e.error, 0);
        CHECK_INT(e.code, 1000);
        let_go();
        PEER_UNTIL(far.ended == 1);
        finish();
    }
}

static unsigned port_of(int fd)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof a;

    CHECK(!getsockname(fd, (struct sockaddr *)&a, &n));
    return ntohs(a.sin_port);
}

/* 1 if the system keeps the end of a connection between two ports in TIME_WAIT. */
static int time_waits(unsigned at, unsigned to)
{
    FILE *f = fopen("/proc/net/tcp", "r");
    char row[300];
    unsigned here, there, state;
    int found = 0;

    while (f && fgets(row, sizeof row, f))
        if (sscanf(row, " %*d: %*x:%x %*x:%x %x", &here, &there, &state) == 3)
            found |= here == at && there == to && state == 6;
    if (f) fclose(f);
    return found;
}

/* TIME_WAIT is the server's part: none of it is left with our clients, whoever closes
   first. */
TEST(field_05_time_wait_is_the_servers)
{
    static end s;
    int i, l;

    EACH_DRIVER {
        ws_config cfg = { 0 };
        unsigned ports[20];

        cfg.user = &s;
        l = listen_on(&cfg);
        for (i = 0; i < 20; i++) {
            memset(&s, 0, sizeof s);
            cfg = client_config(&e);
            cfg.on_socket = socket_made;
            conn = visit(driver, url_of("ws", "localhost", l), &cfg);
            UNTIL(e.opens && s.opens, 2000);
            ports[i] = port_of(lib_fd);
            CHECK_INT(ws_close(i & 1 ? conn : s.c, 1000, NULL), 0);
            UNTIL(e.closes && s.closes, 2000);
            CHECK(e.clean && !e.error);
            let_go();
        }
        UNTIL(ws_loop_count(loop) == 0, 2000);
        for (i = 0; i < 20; i++)
            CHECK(!time_waits(ports[i], (unsigned)ws_listen_port(loop, l)));
        over();
    }
}

/* ==== 6: the peer sees the end at once ============================================== */

enum {
    PEER_CLOSES,
    WE_CLOSE,
    FREED,
    DROPPED,
    LOOP_FREED,
    SILENT,
    FAULTY,
    ANSWERED,
    REFUSED,
    ENDS
};

/* Ends an open connection in one of the ways. */
static void end_by(int how)
{
    int k;

    if (how == PEER_CLOSES) peer_closes(1000);
    if (how == WE_CLOSE) {
        ws_close(conn, 1000, NULL);
        PEER_UNTIL(got.closes);
        peer_closes(1000);
    }
    if (how == FREED) {
        ws_free(conn);
        e.closes = 1;               /* there will be none */
        clients[0] = NULL;
        conn = NULL;
    }
    if (how == DROPPED) ws_drop(conn);
    if (how == LOOP_FREED) {
        ws_loop_free(loop);
        loop = NULL;
        conn = NULL;
    }
    for (k = 0; how == SILENT && k < 4; k++) late(1100);
    if (how == FAULTY) peer_says(0x83, "", 0);
    if (loop) {
        pass(2);
        late(1100);                 /* a client has waited for the server */
    }
}

/* The peer reads to the end. */
static void peer_sees_the_end(void)
{
    int patience = 5000;

    while (patience-- && !far.ended) {
        peer_read(&far);
        far.n = 0;
        if (loop) turn();
        else poll(NULL, 0, 1);
        free_the_ended();
    }
    CHECK(far.ended != 0);
}

/* A copy of the socket is open somewhere, as in a child process: the peer sees the end
   all the same, however it came. */
TEST(field_06_the_end_is_seen_though_there_are_copies)
{
    int how;

    EACH_END for (how = 0; how < ENDS; how++) {
        ws_config cfg = { 0 };

        if ((how == LOOP_FREED && driver != LOOP) || (how == ANSWERED && role == CLIENT))
            continue;
        cfg.ping_interval = cfg.ping_timeout = 1000;
        copies = 1;
        copy_fd = -1;
        if (how >= ANSWERED) {
            text = how == ANSWERED  ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                   : role == SERVER ? "junk\r\n\r\n"
                                    : "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
            load.way = REPLY;
            load.size = 0;
            on_event = answer_with_load;
            begin(&cfg, "ws", shakes);
            UNTIL(far.done, 2000);
            besides = NULL;
        } else {
            begin_open(&cfg);
        }
        end_by(how);
        CHECK(copy_fd >= 0);
        peer_sees_the_end();
        close(copy_fd);
        copies = 0;
        where(how);
        finish();
    }
}

/* The same with a child that lives on. */
TEST(field_06_the_end_is_seen_though_a_child_lives)
{
    wrapped = 0;
    EACH_ROLE EACH_DRIVER {
        ws_config cfg = { 0 };
        int tie[2];
        pid_t child;
        char c;

        begin_open(&cfg);
        CHECK(!pipe(tie));
        fflush(stdout);
        child = fork();
        if (!child) {
            close(tie[1]);
            _exit(read(tie[0], &c, 1) != 0);
        }
        close(tie[0]);
        end_by(WE_CLOSE);
        peer_sees_the_end();
        CHECK_INT(waitpid(child, NULL, WNOHANG), 0);
        close(tie[1]);
        waitpid(child, NULL, 0);
        finish();
    }
}

/* Whoever took its socket out has it whole. */
TEST(field_06_a_detached_socket_stays_open)
{
    wrapped = 0;
    EACH_ROLE EACH_DRIVER {
        ws_config cfg = { 0 };
        const void *rest;
        size_t n;
        int fd;

        begin_open(&cfg);
        turn();
        fd = ws_detach(conn, &rest, &n);
        CHECK(fd >= 0);
        UNTIL(e.closes, 2000);
        let_go();
        CHECK_INT(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
        PEER_UNTIL(far.n == 5);
        CHECK_INT(send(far.fd, "hello", 5, MSG_NOSIGNAL), 5);
        CHECK_INT(recv(fd, far.in, 5, 0), 5);
        CHECK_INT(far.ended, 0);
        close(fd);
        finish();
    }
}

/* ==== 7: last words reach a peer that goes on sending =============================== */

static const char zeros[65536];

/* The peer sends so many bytes, reading nothing meanwhile. 0 when the connection
   broke. */
static int peer_pours(size_t n)
{
    uint64_t patience = now_ms() + 20000;

    while (n && now_ms() < patience) {
        ssize_t k = send(far.fd, zeros, n < sizeof zeros ? n : sizeof zeros,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k > 0) n -= (size_t)k;
        if (k < 0 && errno != EAGAIN) return 0;
        turn();
        free_the_ended();
    }
    return !n;
}

#define POUR 10000000

/* What the peer begins with, and the close code, or status, that it must get. */
static const struct {
    const char *begins;
    int code;
    uint32_t max_message, max_frame;
} bad[] = {
    { "\x82", 1009, 0, 0 },
    { "\x82", 1009, WS_NO_LIMIT, 1000 },
    { "\x81\xff", 1007, WS_NO_LIMIT, 0 },
    { "\x83", 1002, 0, 0 },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n", 413, 0, 0 },
    { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n", 413, 0, 0 },
    { "nonsense\r\n\r\n", 400, 0, 0 }
};

/* One of them. */
static void begin_bad(size_t i, ws_config *cfg)
{
    uint8_t head[15];
    ws_frame f = { POUR, 1, 0, 0, 0, { 0, 0, 0, 0 } };

    load.way = REPLY;
    load.size = 5;
    load.data = (char *)realloc(load.data, 5);
    memset(load.data, 'x', 5);
    on_event = answer_with_load;
    if (bad[i].code < 1000) {
        text = bad[i].begins;
        begin(cfg, "ws", shakes);
        UNTIL(far.done, 2000);
        besides = NULL;
        return;
    }
    cfg->max_message = bad[i].max_message;
    cfg->max_frame = bad[i].max_frame;
    begin_open(cfg);
    f.op = (uint8_t)bad[i].begins[0] & 15;
    f.masked = role == SERVER;
    CHECK_INT(peer_write(&far, head, (size_t)ws_frame_encode(&f, head)), 0);
    if (bad[i].begins[1]) peer_write(&far, bad[i].begins + 1, 1);
}

/* The peer sends 10 MB that nobody wants: it can write them all, and is then told why. */
static void pour_and_hear(size_t i)
{
    ws_config cfg = { 0 };
    char want[20];

    begin_bad(i, &cfg);
    CHECK(peer_pours(POUR));
    snprintf(want, sizeof want, "HTTP/1.1 %d ", bad[i].code);
    if (bad[i].code > 1000) {
        PEER_UNTIL(got.closes && got.code == bad[i].code);
    } else {
        far.turn = NULL;
        besides = peers_turn;
        UNTIL(!strncmp(far.in, want, strlen(want)), 500);
        besides = NULL;
    }
    shutdown(far.fd, SHUT_WR);
    peer_sees_the_end();
    where((int)i);
    finish();
}

/* A server of a loop. */
TEST(field_07_last_words_reach_who_still_sends)
{
    size_t i;

    role = SERVER;
    driver = LOOP;
    EACH_WRAP for (i = 0; i < sizeof bad / sizeof *bad && GOES_ON; i++) pour_and_hear(i);
}

/* The same of a server in your own loop, of its Close frames. */
TEST(field_07_a_lone_servers_last_words)
{
    size_t i;

    role = SERVER;
    for (driver = 0; driver < LOOP; driver++)
        FEW_WRAPS for (i = 0; bad[i].code > 1000 && GOES_ON; i++) pour_and_hear(i);
}

/* The same of a server that sends to a client. */
TEST(field_07_a_clients_last_words)
{
    size_t i;

    role = CLIENT;
    EACH_DRIVER FEW_WRAPS for (i = 0; bad[i].code > 1000 && GOES_ON; i++)
        pour_and_hear(i);
}

/* Who sends without end is cut off: after close_timeout, and after 5 s at the latest. */
TEST(field_07_time_bounds_it)
{
    static const uint32_t timeouts[] = { 0, 1000, 60000, WS_NEVER };
    size_t i;

    role = SERVER;
    EACH_DRIVER EACH_WRAP for (i = 0; i < 4; i++) {
        ws_config cfg = { 0 };
        int k;

        cfg.close_timeout = timeouts[i];
        begin_bad(0, &cfg);
        for (k = 0; k < 60 && peer_pours(sizeof zeros); k++) skipped += 250;
        CHECK(k < 60);
        CHECK(skipped <= (i == 1 ? 2500 : 6500));
        finish();
    }
}

/* ==== 8: a close that was asked for is sent, whatever follows at once =============== */

static int how_dropped;         /* ws_drop, ws_free, ws_loop_free */

static void close_and_drop(const ws_event *ev)
{
    if (ev && ev->type != WS_EV_MESSAGE) return;
    CHECK_INT(ws_close(conn, 1000, "bye"), 0);
    if (how_dropped == 0) ws_drop(conn);
    if (how_dropped == 1) {
        ws_free(conn);
        clients[0] = NULL;
        conn = NULL;
    }
    if (how_dropped == 2) {
        ws_loop_free(loop);
        loop = NULL;
        conn = NULL;
    }
}

/* With a message before it, or none; from inside an event, or between two. */
TEST(field_08_close_then_drop)
{
    int message, inside;

    EACH_END for (how_dropped = 0; how_dropped < 3; how_dropped++)
    for (message = 0; message < 2; message++) for (inside = 0; inside < 2; inside++) {
        ws_config cfg = { 0 };

        if (how_dropped == 2 && (driver != LOOP || inside)) continue;
        if (how_dropped == 1 && driver != LOOP && inside) continue;
        begin_open(&cfg);
        if (message) CHECK_INT(ws_send_text(conn, "last words"), 0);
        if (inside) {
            on_event = close_and_drop;
            peer_says(0x81, "go", 2);
            UNTIL(e.messages, 2000);
        } else {
            close_and_drop(NULL);
        }
        if (!how_dropped) {
            UNTIL(e.closes, 2000);
            CHECK_INT(e.clean, 0);
            CHECK_INT(e.code, 1006);
        }
        let_go();
        PEER_UNTIL(far.ended);
        CHECK_INT(got.data, message);
        CHECK_INT(got.closes, 1);
        CHECK_INT(got.code, 1000);
        where(how_dropped * 4 + message * 2 + inside);
        finish();
    }
}

/* ==== 9: the code of a handshake that failed ======================================== */

/* A part: answers everybody the same. */
static void answers_all(peer *r)
{
    shakes(r);
    if (!r->ended) return;
    peer_end(r, 0);
    r->done = 0;
}

/* Every way not to open is 1006, redirects that are not followed like all others; with
   cfg.reconnect, DOWN says so. */
TEST(field_09_a_failed_handshake_is_1006)
{
#define TO "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    static const struct { const char *answer; uint32_t most; int error;
    } answers[] = {
        { TO "Location: /again\r\n\r\n", 0, WS_ERR_STATUS },
        { TO "Location: /again\r\n\r\n", 3, WS_ERR_REDIRECT },
        { TO "\r\n", 3, WS_ERR_REDIRECT },
        { TO "Location: \r\n\r\n", 3, WS_ERR_REDIRECT },
        { TO "Location: http://[\r\n\r\n", 3, WS_ERR_REDIRECT },
        { TO "Location: gopher://a/\r\n\r\n", 3, WS_ERR_REDIRECT },
        { TO "Location: ws+unix:/a:/\r\n\r\n", 3, WS_ERR_REDIRECT },
        { TO "Location: ws://localhost/\r\n\r\n", 3, WS_ERR_REDIRECT }, /* from wss */
        { "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", 3, WS_ERR_STATUS },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 3, WS_ERR_STATUS },
        { "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 3,
          WS_ERR_ACCEPT },
        { "nonsense\r\n\r\n", 3, WS_ERR_HEAD_SYNTAX }
    };
    size_t i;
    int again;

    role = CLIENT;
    EACH_DRIVER for (i = 0; i < sizeof answers / sizeof *answers; i++)
    for (again = 0; again < 2; again++) {
        ws_config cfg = { 0 };

        wrapped = i == 7;
        text = answers[i].answer;
        cfg.max_redirects = answers[i].most;
        cfg.reconnect = again ? 1000 : 0;
        begin(&cfg, "ws", answers_all);
        UNTIL(again ? e.downs : e.closes, 2000);
        CHECK_INT(e.error, answers[i].error);
        CHECK_INT(e.code, 1006);
        CHECK_INT(e.clean, 0);
        if (again) {
            ws_close(conn, 1000, NULL);
            e.code = 0;
            UNTIL(e.closes, 2000);
            CHECK_INT(e.code, 1006);
        }
        finish();
    }
}

/* ==== 15: a redirect that leads nowhere ends a reader of events ===================== */

static ws_sse_reader reader;
static const char *then;        /* what the peer answers from the second request on */

static void answers_in_turn(peer *r)
{
    answers_all(r);
    if (r->done) text = then;
}

static void follow(const ws_event *ev)
{
    ws_sse_event event;
    while (ws_sse_take(&reader, ev, &event)) {}
}

static void begin_reader(void)
{
    static char memory[1024], url[64];
    ws_config cfg = client_config(&e);

    cfg.max_redirects = 2;
    memset(&e, 0, sizeof e);
    e.driver = driver;
    if (!loop) loop = ws_loop_new(NULL);
    app = heard;
    on_event = follow;
    peer_begin(&far, answers_in_turn, NULL);
    snprintf(url, sizeof url, "http://localhost:%d/", far.port);
    conn = driver == BLOCKING ? ws_sse_connect(&reader, url, &cfg, memory, sizeof memory)
                              : ws_sse_dial(&reader, driver == LOOP ? loop : NULL, url,
                                            &cfg, memory, sizeof memory);
    e.c = conn;
    if (driver != LOOP) clients[0] = &e;
}

/* As a refusal does: CLOSE, and no DOWN before it that promises a try; at once, or
   after a stream that was followed. */
TEST(field_15_a_redirect_to_nowhere_promises_nothing)
{
    static const char *const answers[] = {
        TO "\r\n", TO "Location: \r\n\r\n", TO "Location: ftp://a/\r\n\r\n",
        TO "Location: http://[\r\n\r\n", TO "Location: ws+unix:/a:/\r\n\r\n",
        TO "Location: /round\r\n\r\n"
    };
    size_t i;
    int later;

    role = CLIENT;
    wrapped = 0;
    EACH_DRIVER for (i = 0; i < sizeof answers / sizeof *answers; i++)
    for (later = 0; later < 2; later++) {
        then = answers[i];
        text = !later ? then : "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Content-Length: 18\r\n\r\nretry: 1\ndata: a\n\n";
        begin_reader();
        UNTIL(e.closes || e.downs > later, 2000);
        CHECK_INT(e.error, WS_ERR_REDIRECT);
        CHECK_INT(e.closes, 1);
        CHECK_INT(e.downs, later);
        CHECK_INT(e.opens, later);
        CHECK_INT(reader.error, 0);
        where((int)i * 2 + later);
        finish();
    }
}

TESTS(T(field_01_pongs_in_the_socket) T(field_01_who_has_spoken_is_not_pinged)
      T(field_01_a_handshake_in_the_socket) T(field_01_a_request_that_was_given)
      T(field_01_an_answer_in_the_socket) T(field_01_a_body_in_the_socket)
      T(field_01_a_connected_socket_is_taken)
      T(field_01_a_refusal_before_connecting_was_noticed)
      T(field_01_a_proxys_answer_in_the_socket) T(field_01_a_close_in_the_socket)
      T(field_01_messages_in_the_socket) T(field_01_closes_in_the_sockets_at_shutdown)
      T(field_01_room_in_the_socket) T(field_01_floods_are_judged)
      T(field_01_a_trickling_head_is_judged) T(field_02_a_steady_reader_gets_all)
      T(field_02_a_steady_reader_of_a_unix_socket) T(field_02_eight_mebibytes)
      T(field_02_sixteen_mebibytes_of_an_answer)
      T(field_02_who_does_not_read_is_given_up) T(field_03_a_close_that_did_not_go)
      T(field_03_a_dropped_answer) T(field_04_a_ping_after_our_close)
      T(field_05_a_client_waits_for_the_end_of_tcp) T(field_05_time_wait_is_the_servers)
      T(field_06_the_end_is_seen_though_there_are_copies)
      T(field_06_the_end_is_seen_though_a_child_lives)
      T(field_06_a_detached_socket_stays_open)
      T(field_07_last_words_reach_who_still_sends) T(field_07_a_lone_servers_last_words)
      T(field_07_a_clients_last_words) T(field_07_time_bounds_it)
      T(field_08_close_then_drop) T(field_09_a_failed_handshake_is_1006)
      T(field_15_a_redirect_to_nowhere_promises_nothing))
#endif

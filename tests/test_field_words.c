/* What real peers send, and the words in which faults are told, over sockets in every
   driver: interim answers, origins of listeners, long passwords, zones, optional
   subprotocols, peers that flood, a machine that is out of descriptors, threads or name
   servers, banners of others, proxies that take headers away. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_field_words: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

/* Calls of the library that a test can make fail, or look at. */
static int field_socket(int family, int type, int protocol);
static inline int field_pipe(int fd[2]);
static inline int field_thread(pthread_t *id, const pthread_attr_t *a,
                               void *(*run)(void *), void *arg);
static int field_lookup(const char *, const char *, const struct addrinfo *,
                        struct addrinfo **);
#define socket field_socket
#define pipe field_pipe
#define pthread_create field_thread
#define getaddrinfo field_lookup
#ifdef __linux__
static inline int field_pipe2(int fd[2], int flags);
static int field_epoll_wait(int fd, struct epoll_event *e, int n, int ms);
#define pipe2 field_pipe2
#define epoll_wait field_epoll_wait
#endif
#define FIXTURE_SOCKETS
#include "fixture.h"
#undef socket
#undef pipe
#undef pthread_create
#undef getaddrinfo
#undef pipe2
#undef epoll_wait
#ifdef WS_NO_THREADS            /* see test_field_lookup.c */
#undef TEST
#define TEST(name) static inline void test_##name(void)
#define THREADS 0
#else
#define THREADS 1
#endif

#define LOCAL_REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\n" UP CO KE VE E

/* ---- what fails ---- */

static struct fails {
    int socket, pipe, thread;   /* errno of the call, 0: it does what it does */
    int lookup,
        lookup_errno; /* what getaddrinfo says of a name, and errno with it, -1: as is */
} fail;

static char zone_seen[100];     /* the last address with a zone that was looked up */
static int zones_are_real;      /* 1: the system looks them up */
static int asks;                /* calls of epoll_wait */

static int field_socket(int family, int type, int protocol)
{
    if (!fail.socket) return socket(family, type, protocol);
    errno = fail.socket;
    return -1;
}

static inline int field_pipe(int fd[2])
{
    if (!fail.pipe) return pipe(fd);
    errno = fail.pipe;
    return -1;
}

static inline int field_thread(pthread_t *id, const pthread_attr_t *a,
                               void *(*run)(void *), void *arg)
{
    return fail.thread ? fail.thread : pthread_create(id, a, run, arg);
}

#ifdef __linux__
static inline int field_pipe2(int fd[2], int flags)
{
    if (!fail.pipe) return pipe2(fd, flags);
    errno = fail.pipe;
    return -1;
}

static int field_epoll_wait(int fd, struct epoll_event *e, int n, int ms)
{
    asks++;
    return epoll_wait(fd, e, n, ms);
}
#endif

/* Names are this machine, and so are addresses with a zone. */
static int field_lookup(const char *host, const char *port, const struct addrinfo *hints,
                        struct addrinfo **out)
{
    int zone = host && strchr(host, '%') != NULL;

    if (zone) snprintf(zone_seen, sizeof zone_seen, "%s", host);
    if (zone && zones_are_real) return getaddrinfo(host, port, hints, out);
    if (!host || (!zone && strspn(host, "0123456789.") == strlen(host)) ||
        (!zone && strchr(host, ':')))
        return getaddrinfo(host, port, hints, out);
    if (!zone && hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    if (!zone && fail.lookup) {
        if (fail.lookup_errno >= 0) errno = fail.lookup_errno;
        return fail.lookup;
    }
    return getaddrinfo("127.0.0.1", port, hints, out);
}

static const char *const drivers[] = { "blocking", "own loop", "loop" };

/* Says for which of several cases checks failed since then. */
static void which(int faults, int driver, const char *what)
{
    if (test_faults > faults) printf("    %s, %s\n", drivers[driver], what);
}

static void begin(void)
{
    memset(&fail, 0, sizeof fail);
    zone_seen[0] = 0;
    zones_are_real = 0;
    loop = ws_loop_new(NULL);
    CHECK(loop != NULL);
}

/* Lets a client end. In what has to wait for time, time passes. */
static void run_out(end *e)
{
    int turns = 0;

    while (!e->closes && turns++ < 2000) {
        if (turns > 200) skipped += 50;
        turn();
    }
    CHECK_INT(e->closes, 1);
}

/* ---- a peer that answers as it is told ---- */

static const char *play_first;  /* said before anything is asked, or NULL */
static const char
    *play_answer; /* to a request, %s: the right accept value; NULL: nothing */
static int play_turns;          /* since it has spoken */

#define PATIENCE 100            /* of these turns, then it hangs up */

static void accept_value(const char *request, char accept[29])
{
    const char *at = strstr(request, "Sec-WebSocket-Key: ");
    char key[25] = "";

    if (at) memcpy(key, at + 19, 24);
    ws_accept_key(key, accept);
}

/* Says its part once, and hangs up when nothing comes of it. */
static void player(peer *r)
{
    char out[2000], accept[29];

    if (r->fd < 0) return;
    if (!r->done && play_first) {
        peer_text(r, play_first);
        r->done = 1;
    }
    if (!r->done && play_answer && strstr(r->in, "\r\n\r\n")) {
        accept_value(r->in, accept);
        snprintf(out, sizeof out, play_answer, accept);
        peer_text(r, out);
        r->done = 1;
    }
    if (r->done && ++play_turns > PATIENCE) r->ended = 1;
    if (r->ended) peer_end(r, 0);
}

static void player_begin(peer *r, const char *first, const char *answer)
{
    play_first = first;
    play_answer = answer;
    play_turns = 0;
    peer_begin(r, player, NULL);
}

static const char *player_url(const peer *r, const char *scheme, const char *host)
{
    static char text[8][200];
    static int next;
    char *s = text[next++ % 8];
    snprintf(s, sizeof text[0], "%s://%s:%d/", scheme, host, r->port);
    return s;
}

/* ==== 27: empty lines =============================================================== */

/* An empty line that comes before the request, or that was read by whoever hands it
   over. */
TEST(field_27_empty_line_over_sockets)
{
    static const char page[] = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    int cut, adopted, pair[2], n;
    end e;

    for (adopted = 0; adopted < 2; adopted++)
        for (cut = 1; cut < 4; cut++) {
            ws_config cfg;
            peer r;
            begin();
            memset(&cfg, 0, sizeof cfg);
            memset(&e, 0, sizeof e);
            memset(&r, 0, sizeof r);
            cfg.user = &e;
            if (adopted) {
                CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
                CHECK(ws_adopt(loop, pair[0], page, (size_t)cut, &cfg) != NULL);
                peer_take(&r, pair[1]);
            } else {
                peer_connect(&r, ws_listen_port(loop, listen_on(&cfg)));
                peer_write(&r, page, (size_t)cut);
            }
            for (n = 0; n < 20; n++) serve(0);
            CHECK_INT(e.closes + e.https, 0);
            peer_write(&r, page + cut, sizeof page - 1 - (size_t)cut);
            UNTIL(e.closes, 2000);
            CHECK_INT(e.https, 1);
            peer_read(&r);
            CHECK(!strncmp(r.in, "HTTP/1.1 200", 12));
            peer_end(&r, 0);
            over();
        }
}

/* ==== 29: interim answers =========================================================== */

#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n" \
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\n" UP CO "Sec-WebSocket-Accept: " \
    "%s\r\n\r\n"

static int interim_turns;

/* A proxy that says something first: each byte alone, or all at once. */
static void slow_proxy(peer *r)
{
    static const char interim[] = INTERIM "HTTP/1.1 102 Processing\r\n\r\n";

    if (r->fd >= 0 && !r->done && strstr(r->in, "\r\n\r\n")) {
        if (interim_turns < (int)sizeof interim - 1) {
            peer_write(r, interim + interim_turns++, 1);
            return;
        }
    }
    proxy_turn(r);
}

/* Through a proxy that answers 100 before 200, in every driver and by both kinds of
   request. */
TEST(field_29_interim_answers_of_a_proxy)
{
    int driver, http;

    for (driver = 0; driver < DRIVERS; driver++)
        for (http = 0; http < 2; http++) {
            ws_config server, cfg;
            char proxy[100];
            end e, s;
            ws_conn *c;
            peer r;
            int l, faults = test_faults;
            begin();
            memset(&server, 0, sizeof server);
            memset(&s, 0, sizeof s);
            server.user = &s;
            l = listen_on(&server);
            peer_begin(&r, slow_proxy, NULL);
            interim_turns = 0;
            cfg = client_config(&e);
            snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", r.port);
            cfg.proxy = proxy;
            if (http) cfg.method = "GET";
            c = visit(driver, url_of("ws", "server.test", l), &cfg);
            UNTIL(e.opens + e.closes, 3000);
            CHECK_INT(e.opens, 1);
            CHECK_INT(e.error, 0);
            which(faults, driver, e.reason);
            leave(&e, c);
            peer_over(&r);
            over();
        }
}

/* A server's are skipped in every driver, and bounded in every driver. */
TEST(field_29_interim_answers_of_a_server)
{
    static const char *const answers[] = {
        INTERIM UPGRADED, INTERIM INTERIM "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    };
    static char endless[100 * sizeof INTERIM];
    int driver, kind, i;

    for (i = 0; i < 100; i++) strcat(endless, INTERIM);
    for (driver = 0; driver < DRIVERS; driver++)
        for (kind = 0; kind < 3; kind++) {
            ws_config cfg;
            ws_conn *c;
            end e;
            peer r;
            int faults = test_faults;
            begin();
            player_begin(&r, kind == 2 ? endless : NULL, kind < 2 ? answers[kind] : NULL);
            cfg = client_config(&e);
            cfg.max_head = 4000;
            if (kind == 1) cfg.method = "GET";
            c = visit(driver, player_url(&r, "ws", "server.test"), &cfg);
            if (kind == 2) {
                run_out(&e);
                CHECK_INT(e.error, WS_ERR_HEAD_SIZE);
            } else {
                UNTIL(e.opens + e.closes, 2000);
                CHECK_INT(e.opens, 1);
            }
            which(faults, driver, e.reason);
            leave(&e, c);
            peer_over(&r);
            over();
        }
}

/* ==== 31: origins =================================================================== */

/* Who listens, or hands a socket over, is told of the entry as well. */
TEST(field_31_origins_of_listeners)
{
    static const char *const bad[] = {
        "https://a.example/", "*.a.example",
        "a.example",          "https://a.example; https://b.example",
        "https://*",          "same, https://b.example/x"
    };
    static const char *const named[] = {
        "https://a.example/", "*.a.example", "a.example", "b.example", "https://*",
        "https://b.example/x"
    };
    size_t i;
    int pair[2];

    for (i = 0; i < COUNT(bad); i++) {
        ws_config cfg;
        ws_conn *c;
        ws_event ev;
        begin();
        memset(&cfg, 0, sizeof cfg);
        cfg.origins = bad[i];
        CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_ARGUMENT);
        CHECK_SAYS(ws_loop_error_text(loop), "origins");
        CHECK_SAYS(ws_loop_error_text(loop), named[i]);
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        c = ws_adopt(loop, pair[0], NULL, 0, &cfg);
        CHECK_INT(ws_error(c), WS_ERR_ARGUMENT);
        CHECK_SAYS(ws_error_text(c), named[i]);
        if (ws_error(c)) {
            CHECK_INT(ws_poll(loop, &ev, 1000), 1);
            CHECK_INT(ev.type, WS_EV_CLOSE);
            CHECK_INT(ev.error, WS_ERR_ARGUMENT);
        }
        close(pair[1]);
        over();
    }
}

/* ==== 32: long logins, zones ======================================================== */

/* 1,000 bytes that need no escape. */
static const char *long_text(void)
{
    static char text[1001];
    int i;
    for (i = 0; i < 1000; i++) text[i] = (char)('a' + i % 26);
    return text;
}

/* The value of Basic that this login makes. */
static void basic_value(char *out, const char *user, const char *password)
{
    char plain[2100];
    int n = snprintf(plain, sizeof plain, "%s:%s", user, password);
    strcpy(out, "Basic ");
    ws__base64_encode(plain, (size_t)n, out + 6);
}

static char login_seen[4][4000];        /* what requests had, in their order */
static int logins_seen, login_redirect;

static void login_app(end *e, const ws_event *ev)
{
    ws_str v = { NULL, 0 };

    (void)e;
    if (ws_is_client(ev->conn) || (ev->type != WS_EV_REQUEST && ev->type != WS_EV_HTTP))
        return;
    v = ws_header_value(ev->conn, "Authorization");
    snprintf(login_seen[logins_seen & 3], sizeof login_seen[0], "%.*s", (int)v.size,
             v.data ? v.data : "");
    logins_seen++;
    if (login_redirect && logins_seen == 1) {
        static const ws_header to[] = { { "Location", "/next" }, { NULL, NULL } };
        CHECK_INT(ws_reject(ev->conn, 302, to, NULL), 0);
    } else if (ev->type == WS_EV_REQUEST) {
        CHECK_INT(ws_accept(ev->conn, NULL), 0);
    } else {
        CHECK_INT(ws_http_reply(ev->conn, 200, NULL, "hi", 2), 0);
    }
}

/* A long login arrives whole, also where a redirect to the same server leads, in every
   driver. */
TEST(field_32_long_logins_arrive)
{
    char url[3000], want[4000];
    int driver, http, i;

    basic_value(want, long_text(), long_text());
    for (driver = 0; driver < DRIVERS; driver++)
        for (http = 0; http < 2; http++) {
            ws_config server, cfg;
            end e, s;
            ws_conn *c;
            int faults = test_faults;
            begin();
            memset(&server, 0, sizeof server);
            memset(&s, 0, sizeof s);
            server.user = &s;
            server.ask = 1;
            app = login_app;
            logins_seen = 0;
            login_redirect = 1;
            cfg = client_config(&e);
            cfg.max_redirects = 3;
            if (http) cfg.method = "GET";
            snprintf(url, sizeof url, "ws://%s:%s@server.test:%d/", long_text(),
                     long_text(), ws_listen_port(loop, listen_on(&server)));
            c = visit(driver, url, &cfg);
            UNTIL(e.opens + e.closes, 3000);
            CHECK_INT(e.opens, 1);
            CHECK_INT(logins_seen, 2);
            for (i = 0; i < 2; i++) CHECK_STR(login_seen[i], want);
            which(faults, driver, e.reason);
            leave(&e, c);
            over();
        }
}

static char connect_seen[4000];         /* Proxy-Authorization of the last CONNECT */

static void login_proxy(peer *r)
{
    const char *at = strstr(r->in, "Proxy-Authorization: ");
    if (r->fd >= 0 && !r->done && at && strstr(r->in, "\r\n\r\n"))
        snprintf(connect_seen, sizeof connect_seen, "%.*s", (int)strcspn(at + 21, "\r"),
                 at + 21);
    proxy_turn(r);
}

/* And so does a proxy's; SOCKS5 has room for 255 bytes of each, and says so. */
TEST(field_32_long_logins_of_proxies_arrive)
{
    char proxy[3000], want[4000];
    int driver;

    basic_value(want, long_text(), long_text());
    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config server, cfg;
        end e, s;
        ws_conn *c;
        peer r;
        int faults = test_faults, l;
        begin();
        memset(&server, 0, sizeof server);
        memset(&s, 0, sizeof s);
        server.user = &s;
        l = listen_on(&server);
        peer_begin(&r, login_proxy, NULL);
        connect_seen[0] = 0;
        cfg = client_config(&e);
        snprintf(proxy, sizeof proxy, "http://%s:%s@127.0.0.1:%d", long_text(),
                 long_text(), r.port);
        cfg.proxy = proxy;
        c = visit(driver, url_of("ws", "server.test", l), &cfg);
        UNTIL(e.opens + e.closes, 3000);
        CHECK_INT(e.opens, 1);
        CHECK_STR(connect_seen, want);
        which(faults, driver, e.reason);
        leave(&e, c);
        snprintf(proxy, sizeof proxy, "socks5://%s:x@127.0.0.1:%d", long_text(), r.port);
        c = visit(driver, url_of("ws", "server.test", l), &cfg);
        run_out(&e);
        CHECK(e.error != 0);
        CHECK_SAYS(e.reason, "255");
        leave(&e, c);
        peer_over(&r);
        over();
    }
}

/* The zone of a URL reaches the system, with its percent sign, and no other end. */
TEST(field_32_zone_reaches_the_system)
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg;
        ws_conn *c;
        char host[100];
        end e;
        peer r;
        int faults = test_faults;
        begin();
        player_begin(&r, NULL, UPGRADED);
        cfg = client_config(&e);
        cfg.resolve = NULL;
        c = visit(driver, player_url(&r, "ws", "[fe80::1%25eth0]"), &cfg);
        UNTIL(e.opens + e.closes, 2000);
        CHECK_INT(e.opens, 1);
        CHECK_STR(zone_seen, "fe80::1%eth0");
        snprintf(host, sizeof host, "\r\nHost: [fe80::1]:%d\r\n", r.port);
        CHECK(strstr(r.in, host) != NULL);
        CHECK(strstr(r.in, "eth0") == NULL);
        which(faults, driver, e.reason);
        leave(&e, c);
        peer_over(&r);
        over();
    }
}

static char wrap_host[100];

static int wrap_refuses(void *user, ws_conn *c, ws_io *io, const char *host)
{
    (void)user;
    (void)c;
    (void)io;
    snprintf(wrap_host, sizeof wrap_host, "%s", host);
    return -1;
}

/* No certificate names a zone: whoever does TLS is told the address alone. */
TEST(field_32_zone_is_no_name_for_tls)
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg;
        ws_conn *c;
        end e;
        peer r;
        begin();
        player_begin(&r, NULL, NULL);
        cfg = client_config(&e);
        cfg.resolve = NULL;
        cfg.wrap = wrap_refuses;
        wrap_host[0] = 0;
        c = visit(driver, player_url(&r, "wss", "[fe80::1%25eth0]"), &cfg);
        run_out(&e);
        CHECK_INT(e.error, WS_ERR_TLS);
        CHECK_STR(wrap_host, "fe80::1");
        leave(&e, c);
        peer_over(&r);
        over();
    }
}

/* Where the system takes a zone with ::1, a server there is reached. */
TEST(field_32_zone_of_loopback)
{
    struct addrinfo hints, *all = NULL;
    ws_config server, cfg;
    ws_conn *c;
    ws_url u;
    end e, s;
    char url[100];
    int l;

    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST;
    CHECK_INT(ws_url_parse("ws://[::1%251]/", 15, &u), 0);
    if (getaddrinfo("::1%1", "80", &hints, &all)) {
        printf("  this system takes no zone with ::1\n");
        return;
    }
    freeaddrinfo(all);
    begin();
    memset(&server, 0, sizeof server);
    memset(&s, 0, sizeof s);
    server.user = &s;
    l = ws_listen(loop, "[::1]:0", &server);
    if (l < 0) {
        printf("  no IPv6 here\n");
        over();
        return;
    }
    cfg = client_config(&e);
    cfg.resolve = NULL;
    zones_are_real = 1;
    snprintf(url, sizeof url, "ws://[::1%%251]:%d/", ws_listen_port(loop, l));
    c = visit(OWN, url, &cfg);
    UNTIL(e.opens + e.closes, 2000);
    CHECK_INT(e.opens, 1);
    leave(&e, c);
    over();
}

/* ==== 33: subprotocols that are optional ============================================ */

/* A server that chooses none: who does not insist goes on, in every driver. */
TEST(field_33_protocol_optional)
{
    static const char *const speaks[] = { NULL, "other", "talk" };
    int driver, optional;
    size_t i;

    for (driver = 0; driver < DRIVERS; driver++)
        for (optional = 0; optional < 2; optional++)
            for (i = 0; i < COUNT(speaks); i++) {
                ws_config server, cfg;
                end e, s;
                ws_conn *c;
                int opens = optional || i == 2, faults = test_faults;
                begin();
                memset(&server, 0, sizeof server);
                memset(&s, 0, sizeof s);
                server.user = &s;
                server.protocols = speaks[i];
                cfg = client_config(&e);
                cfg.protocols = "chat, talk";
                cfg.protocol_optional = optional;
                c = visit(driver, url_of("ws", "server.test", listen_on(&server)), &cfg);
                ws_send_text(c, "hello");
                UNTIL(e.messages + e.closes, 2000);
                CHECK_INT(e.messages, opens);
                CHECK_INT(e.error, opens ? 0 : WS_ERR_SUBPROTOCOL);
                CHECK_STR(ws_protocol(e.c), i == 2 ? "talk" : "");
                which(faults, driver, e.reason);
                leave(&e, c);
                over();
            }
}

/* ==== 35: peers that flood ========================================================== */

#define FLOODERS 3
#define FLOOD_FRAMES 4096

/* Frames of 8 bytes without end on a socket, or other bytes again and again. */
typedef struct flood {
    int fd;
    const char *p;
    size_t n, at;
} flood;

static flood floods[FLOODERS];
static char frames_up[FLOOD_FRAMES * 14], frames_down[FLOOD_FRAMES * 10];
static char flood_pings[FLOOD_FRAMES * 14];

static void flood_fill(void)
{
    int i;

    for (i = 0; i < FLOOD_FRAMES; i++) {
        memcpy(frames_up + i * 14, "\x82\x88\0\0\0\0floodmsg", 14);
        memcpy(flood_pings + i * 14, "\x89\x88\0\0\0\0floodmsg", 14);
        memcpy(frames_down + i * 10, "\x82\x08" "floodmsg", 10);
    }
}

/* Puts as much into the sockets as they take. */
static void flood_on(void)
{
    int i;

    for (i = 0; i < FLOODERS; i++) {
        flood *f = &floods[i];
        ssize_t r = 1;
        while (f->fd > 0 && r > 0) {
            r = send(f->fd, f->p + f->at, f->n - f->at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (r > 0) f->at = (f->at + (size_t)r) % f->n;
        }
    }
}

#define FLOOD_MOST 400000 /* events: three times what the sockets and the loop can hold */

/* A program with other work to do: between two zeros it gets at most so many events,
   and the poller was asked once. Returns the events of so many rounds. */
static long flood_rounds(int rounds, int (*pull)(ws_event *ev))
{
    long all = 0, n;
    ws_event ev;
    int round;

    for (round = 0; round < rounds && !test_faults; round++) {
        asks = 0;
        flood_on();
        for (n = 0; n < FLOOD_MOST && pull(&ev) > 0; n++) {
            CHECK(ev.type != WS_EV_CLOSE);
            if (ev.type == WS_EV_CLOSE) printf("    %s\n", ev.reason);
            if (n % 64 == 0) flood_on();
        }
        CHECK(n < FLOOD_MOST);
        CHECK(asks <= 1);
        all += n;
    }
    return all;
}

static int flood_poll(ws_event *ev) { return ws_poll(loop, ev, 0); }

static void flood_end(void)
{
    int i;

    for (i = 0; i < FLOODERS; i++) if (floods[i].fd > 0) close(floods[i].fd);
    memset(floods, 0, sizeof floods);
}

/* Clients of a listener, past their handshake, which send this without end. */
static void flood_clients(int port, const char *p, size_t n)
{
    static peer r[FLOODERS];
    int i;

    flood_fill();
    for (i = 0; i < FLOODERS; i++) {
        memset(&r[i], 0, sizeof r[i]);
        peer_connect(&r[i], port);
        peer_text(&r[i], LOCAL_REQUEST);
    }
    for (i = 0; i < FLOODERS; i++) {
        while (!strstr(r[i].in, "\r\n\r\n") && !r[i].ended) {
            serve(1);
            peer_read(&r[i]);
        }
        CHECK(!strncmp(r[i].in, "HTTP/1.1 101", 12));
        floods[i].fd = r[i].fd;
        floods[i].p = p;
        floods[i].n = n;
        floods[i].at = 0;
    }
}

/* Messages, and pings, from several peers at once. */
TEST(field_35_flooding_clients)
{
    ws_config cfg;
    int pings;

    for (pings = 0; pings < 2; pings++) {
        begin();
        memset(&cfg, 0, sizeof cfg);
        flood_clients(ws_listen_port(loop, listen_on(&cfg)),
                      pings ? flood_pings : frames_up, sizeof frames_up);
        CHECK(flood_rounds(6, flood_poll) > 1000);
        flood_end();
        over();
    }
}

/* Servers that flood the clients of a loop, by frames or by a body without end. */
TEST(field_35_flooding_servers)
{
    static const char body[] = "HTTP/1.1 200 OK\r\n\r\n";
    int http, i, listener, port;

    for (http = 0; http < 2; http++) {
        end e[FLOODERS];
        begin();
        flood_fill();
        listener = loopback_listen(&port);
        for (i = 0; i < FLOODERS; i++) {
            ws_config cfg = client_config(&e[i]);
            char url[100], in[4000] = "", out[500], accept[29];
            size_t n = 0;
            if (http) cfg.method = "GET";
            snprintf(url, sizeof url, "ws://server.test:%d/", port);
            visit(LOOP, url, &cfg);
            floods[i].fd = accept4(listener, NULL, NULL, 0);
            while (!strstr(in, "\r\n\r\n") && n < sizeof in - 1) {
                ssize_t r;
                serve(1);
                r = recv(floods[i].fd, in + n, sizeof in - 1 - n, MSG_DONTWAIT);
                if (r > 0) n += (size_t)r;
            }
            accept_value(in, accept);
            snprintf(out, sizeof out, http ? body : UPGRADED, accept);
            CHECK(send(floods[i].fd, out, strlen(out), 0) > 0);
            UNTIL(e[i].opens, 2000);
            floods[i].p = http ? frames_up : frames_down;
            floods[i].n = http ? sizeof frames_up : sizeof frames_down;
        }
        CHECK(flood_rounds(6, flood_poll) > 10);
        close(listener);
        flood_end();
        over();
    }
}

static int post_again(ws_event *ev)
{
    int r = ws_poll(loop, ev, 0);
    if (r > 0 && ev->type == WS_EV_POST) CHECK_INT(ws_post(loop, "again"), 0);
    return r;
}

/* Posts that are answered by posts, with peers that flood. */
TEST(field_35_posts_without_end)
{
    ws_config cfg;
    long n;

    begin();
    memset(&cfg, 0, sizeof cfg);
    flood_clients(ws_listen_port(loop, listen_on(&cfg)), frames_up, sizeof frames_up);
    CHECK_INT(ws_post(loop, "first"), 0);
    CHECK(flood_rounds(6, post_again) > 1000);
    flood_end();
    over();
    begin();
    CHECK_INT(ws_post(loop, "first"), 0);
    n = flood_rounds(10, post_again);
    CHECK(n > 0 && n < 1000);
    over();
}

/* Nobody is forgotten meanwhile: a quiet peer, and deadlines. */
TEST(field_35_the_others_have_their_turn)
{
    ws_config cfg, quick;
    ws_event ev;
    peer quiet, late;
    end e;
    int round, heard = 0, ended = 0, l;
    long n;

    begin();
    memset(&cfg, 0, sizeof cfg);
    memset(&e, 0, sizeof e);
    memset(&quiet, 0, sizeof quiet);
    memset(&late, 0, sizeof late);
    l = listen_on(&cfg);
    quick = cfg;
    quick.handshake_timeout = 500;
    quick.user = &e;
    peer_connect(&quiet, ws_listen_port(loop, l));
    peer_connect(&late, ws_listen_port(loop, listen_on(&quick)));
    peer_text(&quiet, LOCAL_REQUEST);
    flood_clients(ws_listen_port(loop, l), frames_up, sizeof frames_up);
    peer_write(&quiet, "\x81\x85\0\0\0\0quiet", 11);
    skipped += 1000;
    for (round = 0; round < 10 && !test_faults; round++) {
        flood_on();
        for (n = 0; n < FLOOD_MOST && ws_poll(loop, &ev, 0) > 0; n++) {
            heard |= ev.type == WS_EV_MESSAGE && ev.size == 5;
            ended |= ev.type == WS_EV_CLOSE && ev.error == WS_ERR_HANDSHAKE_TIMEOUT;
            if (n % 64 == 0) flood_on();
        }
        CHECK(n < FLOOD_MOST);
    }
    CHECK_INT(heard, 1);
    CHECK_INT(ended, 1);
    peer_end(&quiet, 0);
    peer_end(&late, 0);
    flood_end();
    over();
}

static ws_conn *flooded;

static int flood_recv(ws_event *ev) { return ws_recv(flooded, ev, 0); }

/* A blocking client that only looks what is there comes back to its caller as well. */
TEST(field_35_blocking_client_that_looks)
{
    ws_config cfg;
    end e;
    peer r;

    begin();
    flood_fill();
    player_begin(&r, NULL, UPGRADED);
    cfg = client_config(&e);
    flooded = visit(BLOCKING, player_url(&r, "ws", "server.test"), &cfg);
    UNTIL(e.opens, 2000);
    floods[0].fd = r.fd;
    floods[0].p = frames_down;
    floods[0].n = sizeof frames_down;
    CHECK(flood_rounds(6, flood_recv) > 1000);
    memset(floods, 0, sizeof floods);
    leave(&e, flooded);
    peer_over(&r);
    over();
}

/* ==== 36: faults of our own machine ================================================= */

enum { BY_NAME, BY_ADDRESS, BY_PATH, BY_PROXY, WAYS };

/* Starts a client on one of the ways to port, and lets it end. */
static void run_way(int driver, int way, int port, end *e)
{
    ws_config cfg = client_config(e);
    char url[200], proxy[100];
    ws_conn *c;

    snprintf(url, sizeof url, way == BY_PATH ? "ws+unix:/tmp/none.%d.sock:/"
             : way == BY_ADDRESS ? "ws://127.0.0.1:%d/" : "ws://server.test:%d/", port);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", port);
    if (way == BY_PROXY) cfg.proxy = proxy;
    c = visit(driver, url, &cfg);
    run_out(e);
    leave(e, c);
}

/* No descriptor, no memory for a socket: our fault, told as what it is, where it met
   us. */
TEST(field_36_no_socket)
{
    static const int errors[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };
    int driver, way, port, listener = loopback_listen(&port);
    size_t i;

    for (i = 0; i < COUNT(errors); i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (way = 0; way < WAYS; way++) {
                int faults = test_faults;
                end e;
                begin();
                fail.socket = errors[i];
                run_way(driver, way, port, &e);
                CHECK_INT(e.error, WS_ERR_SYSTEM);
                CHECK_SAYS(e.reason, ws_error_string(WS_ERR_SYSTEM));
                CHECK_SAYS(e.reason, strerror(errors[i]));
                CHECK(says(e.reason, "socket") || says(e.reason, "connect"));
                which(faults, driver, e.reason);
                fail.socket = 0;
                over();
            }
    close(listener);
}

/* A system that does not know the kind of address is no lack of anything. */
TEST(field_36_other_faults_of_sockets)
{
    int driver, port, listener = loopback_listen(&port);
    end e;

    for (driver = 0; driver < DRIVERS; driver++) {
        begin();
        fail.socket = EAFNOSUPPORT;
        run_way(driver, BY_ADDRESS, port, &e);
        CHECK_INT(e.error, WS_ERR_CONNECT);
        fail.socket = EMFILE;
        run_way(driver, BY_ADDRESS, port, &e);
        CHECK_INT(e.error, WS_ERR_SYSTEM);
        fail.socket = 0;
        over();
    }
    close(listener);
}

/* Looks name.test up, directly or as a proxy's name: what became of it is in e. */
static void run_lookup(int driver, int proxied, end *e)
{
    ws_config cfg = client_config(e);
    ws_conn *c;

    cfg.resolve = NULL;
    if (proxied) cfg.proxy = "http://name.test:9";
    c = visit(driver, proxied ? "ws://other.test:9/" : "ws://name.test:9/", &cfg);
    run_out(e);
    leave(e, c);
}

/* A lookup that cannot even begin: no pipe, no thread. */
TEST(field_36_lookup_cannot_begin)
{
    static const struct { int pipe, thread; } t[] = {
        { EMFILE, 0 }, { ENFILE, 0 }, { 0, EAGAIN }, { 0, ENOMEM }
    };
    int driver, proxied;
    size_t i;

    for (i = 0; i < COUNT(t); i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (proxied = 0; proxied < 2; proxied++) {
                int faults = test_faults;
                end e;
                begin();
                fail.pipe = t[i].pipe;
                fail.thread = t[i].thread;
                run_lookup(driver, proxied, &e);
                CHECK_INT(e.error, WS_ERR_SYSTEM);
                CHECK_SAYS(e.reason, ws_error_string(WS_ERR_SYSTEM));
                CHECK(says(e.reason, strerror(t[i].pipe ? t[i].pipe : t[i].thread)) ||
                      (t[i].thread && says(e.reason, "thread")));
                CHECK_SAYS(e.reason, "name.test");
                which(faults, driver, e.reason);
                memset(&fail, 0, sizeof fail);
                over();
            }
}

static const struct { int result, number, error, also; } lookups[] = {
    { EAI_AGAIN, 0, WS_ERR_RESOLVER, 0 },
    { EAI_FAIL, 0, WS_ERR_RESOLVER, WS_ERR_LOOKUP },
    { EAI_NONAME, 0, WS_ERR_LOOKUP, 0 },
#ifdef EAI_NODATA
    { EAI_NODATA, 0, WS_ERR_LOOKUP, 0 },
#endif
    { EAI_SYSTEM, EMFILE, WS_ERR_SYSTEM, 0 },
    { EAI_SYSTEM, ENFILE, WS_ERR_SYSTEM, 0 },
    { EAI_SYSTEM, ENOMEM, WS_ERR_SYSTEM, WS_ERR_MEMORY },
    { EAI_MEMORY, 0, WS_ERR_SYSTEM, WS_ERR_MEMORY },
};

/* What the system's resolver says is not all "not found". */
TEST(field_36_what_the_resolver_says)
{
    int driver, proxied;
    size_t i;

    for (i = 0; i < COUNT(lookups); i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (proxied = 0; proxied < 2; proxied++) {
                int faults = test_faults;
                end e;
                begin();
                fail.lookup = lookups[i].result;
                fail.lookup_errno = lookups[i].number;
                run_lookup(driver, proxied, &e);
                CHECK(e.error &&
                      (e.error == lookups[i].error || e.error == lookups[i].also));
                if (lookups[i].number) CHECK_SAYS(e.reason, strerror(lookups[i].number));
                CHECK_SAYS(e.reason, "name.test");
                CHECK_SAYS(e.reason, ws_error_string(e.error));
                which(faults, driver, e.reason);
                fail.lookup = 0;
                over();
            }
}

/* What errno was before is not what became of a lookup. */
TEST(field_36_errno_of_something_else)
{
    int driver;
    end e;

    for (driver = 0; driver < DRIVERS; driver++) {
        int faults = test_faults;
        begin();
        fail.lookup = EAI_NONAME;
        fail.lookup_errno = -1;
        errno = EMFILE;
        run_lookup(driver, 0, &e);
        CHECK_INT(e.error, WS_ERR_LOOKUP);
        fail.lookup = EAI_AGAIN;
        errno = EMFILE;
        run_lookup(driver, 0, &e);
        CHECK_INT(e.error, WS_ERR_RESOLVER);
        which(faults, driver, e.reason);
        fail.lookup = EAI_NONAME;
        errno = EMFILE;
        CHECK_INT(ws_listen(loop, "name.test:0", NULL), WS_ERR_LOOKUP);
        fail.lookup = 0;
        over();
    }
}

/* The same where the name of a listener is looked up, or its socket cannot be made. */
TEST(field_36_listeners)
{
    size_t i;

    for (i = 0; i < COUNT(lookups); i++) {
        int r;
        begin();
        fail.lookup = lookups[i].result;
        fail.lookup_errno = lookups[i].number;
        r = ws_listen(loop, "name.test:0", NULL);
        CHECK(r < 0 && (r == lookups[i].error || r == lookups[i].also));
        CHECK_SAYS(ws_loop_error_text(loop), "name.test");
        if (lookups[i].number)
            CHECK_SAYS(ws_loop_error_text(loop), strerror(lookups[i].number));
        fail.lookup = 0;
        fail.socket = EMFILE;
        r = ws_listen(loop, "127.0.0.1:0", NULL);
        CHECK(r == WS_ERR_SYSTEM || r == WS_ERR_LISTEN);
        CHECK_SAYS(ws_loop_error_text(loop), strerror(EMFILE));
        fail.socket = 0;
        over();
    }
}

/* None of it lasts for ever: a client that comes back does so after each. */
TEST(field_36_comes_back)
{
    int driver, kind;

    for (driver = 0; driver < DRIVERS; driver++)
        for (kind = 0; kind < 5; kind++) {
            static const int wants[] = { WS_ERR_SYSTEM, WS_ERR_SYSTEM, WS_ERR_SYSTEM,
                                         WS_ERR_RESOLVER, WS_ERR_SYSTEM };
            ws_config server, cfg;
            end e, s;
            ws_conn *c;
            int faults = test_faults, turns, l;
            if (!THREADS && (kind == 1 || kind == 2)) continue;
            begin();
            memset(&server, 0, sizeof server);
            memset(&s, 0, sizeof s);
            server.user = &s;
            l = listen_on(&server);
            cfg = client_config(&e);
            cfg.resolve = NULL;
            cfg.reconnect = 1000;
            if (kind == 0) fail.socket = EMFILE;
            if (kind == 1) fail.pipe = EMFILE;
            if (kind == 2) fail.thread = EAGAIN;
            if (kind >= 3) fail.lookup = kind == 3 ? EAI_AGAIN : EAI_SYSTEM;
            if (kind == 4) fail.lookup_errno = EMFILE;
            c = visit(driver, url_of("ws", "name.test", l), &cfg);
            for (turns = 0; turns < 2000 && e.downs < 2; turns++) {
                if (turns > 100) skipped += 50;
                turn();
            }
            CHECK(e.downs >= 2);
            CHECK_INT(e.error, wants[kind]);
            CHECK_INT(e.closes, 0);
            memset(&fail, 0, sizeof fail);
            for (turns = 0; turns < 2000 && !e.opens; turns++) {
                skipped += 50;
                turn();
            }
            CHECK_INT(e.opens, 1);
            which(faults, driver, e.reason);
            leave(&e, c);
            over();
        }
}

/* ==== 37: words ===================================================================== */

static int is_printable(const char *s)
{
    for (; *s; s++) if (*s < 32 || *s > 126) return 0;
    return 1;
}

/* A server that speaks something else is told at once, not when time is up. */
TEST(field_37_banners_of_others)
{
    static const char *const banners[] = { "SSH-2.0-OpenSSH_9\r\n",
                                           "220 mail.example ESMTP\r\n", "RFB 003.008\n",
                                           "* OK IMAP ready\r\n", "\x15\x03\x01" };
    static const char *const shown[] = { "SSH-2.0", "220 mail", "RFB 003", "* OK", "" };
    int driver, http;
    size_t i;

    for (i = 0; i < COUNT(banners); i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (http = 0; http < 2; http++) {
                int faults = test_faults;
                ws_config cfg;
                ws_conn *c;
                end e;
                peer r;
                begin();
                player_begin(&r, banners[i], NULL);
                cfg = client_config(&e);
                if (http) cfg.method = "GET";
                c = visit(driver, player_url(&r, "ws", "server.test"), &cfg);
                run_out(&e);
                CHECK(e.error != 0 && play_turns <= PATIENCE);
                CHECK(says(e.reason, "no HTTP") || says(e.reason, "not HTTP") ||
                      says(e.reason, "TLS is spoken"));
                CHECK_SAYS(e.reason, shown[i]);
                CHECK(is_printable(e.reason));
                which(faults, driver, e.reason);
                leave(&e, c);
                peer_over(&r);
                over();
            }
}

/* Nor is a proxy that is none waited for. */
TEST(field_37_banner_instead_of_a_proxy)
{
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        int faults = test_faults;
        char proxy[100];
        ws_config cfg;
        ws_conn *c;
        end e;
        peer r;
        begin();
        player_begin(&r, "SSH-2.0-OpenSSH_9\r\n", NULL);
        cfg = client_config(&e);
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", r.port);
        cfg.proxy = proxy;
        c = visit(driver, "ws://server.test/", &cfg);
        run_out(&e);
        CHECK_INT(e.error, WS_ERR_PROXY);
        CHECK(play_turns <= PATIENCE);
        CHECK(says(e.reason, "no HTTP") || says(e.reason, "not HTTP"));
        which(faults, driver, e.reason);
        leave(&e, c);
        peer_over(&r);
        over();
    }
}

/* A URL that is not understood: every driver says why, and a proxy's is called the
   proxy's. */
TEST(field_37_urls)
{
    static const struct { const char *url, *proxy, *why;
    } t[] = {
        { "ftp://server.test/", NULL, "scheme" },
        { "ws://server.test:70000/", NULL, "port" },
        { "ws://server.test/a b", NULL, "space" },
        { "ws://server.test/#f", NULL, "fragment" },
        { "ws:///x", NULL, "host" },
        { "ws://server.test/", "ftp://proxy.test", "scheme" },
        { "ws://server.test/", "http://proxy.test:70000", "port" },
        { "ws://server.test/", "http://proxy test", "space" },
        { "ws://server.test/", "http://", "host" },
    };
    int driver;
    size_t i;

    for (i = 0; i < COUNT(t); i++)
        for (driver = 0; driver < DRIVERS; driver++) {
            int faults = test_faults;
            ws_config cfg;
            ws_conn *c;
            end e;
            begin();
            cfg = client_config(&e);
            cfg.proxy = t[i].proxy;
            c = visit(driver, t[i].url, &cfg);
            run_out(&e);
            CHECK_INT(e.error, WS_ERR_URL);
            CHECK_SAYS(e.reason, t[i].why);
            if (t[i].proxy) CHECK_SAYS(e.reason, "proxy");
            else CHECK_SAYS_NOT(e.reason, "proxy");
            which(faults, driver, e.reason);
            leave(&e, c);
            over();
        }
}

/* Of a login whose escapes are bad every driver says where. Without a URL there is no
   place to name. */
TEST(field_37_bad_escapes_of_logins)
{
    static const struct { const char *url, *at;
    } t[] = {
        { "ws://us%zz:x@h/", "at byte 7" },
        { "ws://us:x%@h/", "at byte 9" },
        { NULL, "" },
    };
    int driver;
    size_t i;

    for (i = 0; i < COUNT(t); i++) for (driver = 0; driver < DRIVERS; driver++) {
        int faults = test_faults;
        ws_config cfg;
        ws_conn *c;
        end e;
        begin();
        cfg = client_config(&e);
        c = visit(driver, t[i].url, &cfg);
        run_out(&e);
        CHECK_INT(e.error, WS_ERR_URL);
        CHECK_SAYS(e.reason, t[i].at);
        if (!t[i].url) CHECK_SAYS_NOT(e.reason, "at byte");
        which(faults, driver, e.reason);
        leave(&e, c);
        over();
    }
}

/* Who asks a server in another protocol, and waits, is told with the first line. */
TEST(field_37_banners_for_a_server)
{
    static const char *const lines[] = { "SSH-2.0-OpenSSH_9.2\r\n", "GET /\r\n" };
    size_t i;

    for (i = 0; i < COUNT(lines); i++) {
        uint64_t start;
        ws_config cfg;
        end s;
        peer r;
        begin();
        memset(&cfg, 0, sizeof cfg);
        memset(&s, 0, sizeof s);
        memset(&r, 0, sizeof r);
        cfg.user = &s;
        cfg.handshake_timeout = WS_NEVER;
        peer_connect(&r, ws_listen_port(loop, listen_on(&cfg)));
        peer_text(&r, lines[i]);
        start = now_ms();
        while (!s.closes && now_ms() - start < 3000) turn();
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_HEAD_SYNTAX);
        for (start = now_ms(); !r.ended && now_ms() - start < 3000;) {
            turn();
            peer_read(&r);
        }
        CHECK(!strncmp(r.in, "HTTP/1.1 400 ", 13));
        peer_end(&r, 0);
        over();
    }
}

/* The reason of CLOSE that a user may be shown, in both roles: no counts from the
   head's start. */
TEST(field_37_reasons_without_counts)
{
    static const char *const longer[] = {
        "", "X-Fill: 0123456789012345678901234567890123456789\r\n"
    };
    char first[256] = "", request[500];     /* first: the reason with the shorter head */
    int i;

    for (i = 0; i < 2; i++) {
        ws_config cfg;
        end s;
        peer r;
        begin();
        memset(&cfg, 0, sizeof cfg);
        memset(&s, 0, sizeof s);
        memset(&r, 0, sizeof r);
        cfg.user = &s;
        peer_connect(&r, ws_listen_port(loop, listen_on(&cfg)));
        snprintf(request, sizeof request,
                 "GET / HTTP/1.1\r\nHost: a\r\n%s" UP CO KE VE "\r\n", longer[i]);
        peer_text(&r, request);
        UNTIL(s.opens, 2000);
        peer_write(&r, "\x81\x01x", 3);
        UNTIL(s.closes, 2000);
        CHECK_INT(s.error, WS_ERR_MASK_MISSING);
        if (i) CHECK_STR(s.reason, first);
        snprintf(first, sizeof first, "%s", s.reason);
        peer_end(&r, 0);
        over();
    }
}

/* ==== 38: what proxies take away, and TLS that is not there ========================= */

/* What a server's log says of requests that a proxy without settings passes on. */
TEST(field_38_upgrade_removed)
{
    static const char *const requests[] = {
        "GET / HTTP/1.0\r\nHost: backend\r\nConnection: close\r\n" KE VE "\r\n",
        "GET / HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n" KE VE "\r\n",
    };
    size_t i;
    int ask;

    for (i = 0; i < COUNT(requests); i++)
        for (ask = 0; ask < 2; ask++) {
            ws_config cfg;
            end s;
            peer r;
            begin();
            memset(&cfg, 0, sizeof cfg);
            memset(&s, 0, sizeof s);
            memset(&r, 0, sizeof r);
            cfg.user = &s;
            cfg.ask = ask;
            peer_connect(&r, ws_listen_port(loop, listen_on(&cfg)));
            peer_text(&r, requests[i]);
            UNTIL(s.closes, 2000);
            CHECK_INT(s.requests + s.https, 0);
            CHECK_SAYS(s.reason, "proxy");
            CHECK_SAYS(s.reason, "removed");
            CHECK_SAYS(s.reason, "Upgrade");
            peer_end(&r, 0);
            over();
        }
}

/* Whoever meets TLS that was not compiled in is told the switch, and the other way. */
TEST(field_38_no_tls_says_what_helps)
{
    static const char *const urls[] = { "wss://server.test/", "https://server.test/",
                                        "ws://server.test/" };
    int driver;
    size_t i;

    for (i = 0; i < COUNT(urls); i++)
        for (driver = 0; driver < DRIVERS; driver++) {
            int faults = test_faults;
            ws_config cfg;
            ws_conn *c;
            end e;
            begin();
            cfg = client_config(&e);
            if (i == 1) cfg.method = "GET";
            if (i == 2) cfg.proxy = "https://proxy.test";
            c = visit(driver, urls[i], &cfg);
            run_out(&e);
            CHECK_INT(e.error, WS_ERR_NO_TLS);
            CHECK_SAYS(e.reason, "WS_USE_MBEDTLS");
            CHECK_SAYS(e.reason, "cfg.wrap");
            which(faults, driver, e.reason);
            leave(&e, c);
            over();
        }
}

/* A listener too, and what holds certificates. */
TEST(field_38_no_tls_for_a_listener)
{
    ws_tls *tls = ws_tls_new(NULL);
    ws_config cfg;

    begin();
    memset(&cfg, 0, sizeof cfg);
    cfg.tls = tls;
    CHECK_SAYS(ws_tls_error_text(tls), "WS_USE_MBEDTLS");
    CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_NO_TLS);
    CHECK_SAYS(ws_loop_error_text(loop), "WS_USE_MBEDTLS");
    CHECK_SAYS(ws_loop_error_text(loop), "cfg.wrap");
    ws_tls_free(tls);
    over();
}

#ifdef WS_NO_THREADS
TESTS(T(field_36_no_socket) T(field_36_other_faults_of_sockets)
      T(field_36_what_the_resolver_says) T(field_36_errno_of_something_else)
      T(field_36_comes_back))
#else
TESTS(T(field_27_empty_line_over_sockets) T(field_29_interim_answers_of_a_proxy)
      T(field_29_interim_answers_of_a_server) T(field_31_origins_of_listeners)
      T(field_32_long_logins_arrive) T(field_32_long_logins_of_proxies_arrive)
      T(field_32_zone_reaches_the_system) T(field_32_zone_is_no_name_for_tls)
      T(field_32_zone_of_loopback) T(field_33_protocol_optional)
      T(field_35_flooding_clients) T(field_35_flooding_servers)
      T(field_35_posts_without_end) T(field_35_the_others_have_their_turn)
      T(field_35_blocking_client_that_looks) T(field_36_no_socket)
      T(field_36_other_faults_of_sockets) T(field_36_lookup_cannot_begin)
      T(field_36_what_the_resolver_says) T(field_36_errno_of_something_else)
      T(field_36_listeners) T(field_36_comes_back) T(field_37_banners_of_others)
      T(field_37_banner_instead_of_a_proxy) T(field_37_urls)
      T(field_37_bad_escapes_of_logins) T(field_37_banners_for_a_server)
      T(field_37_reasons_without_counts) T(field_38_upgrade_removed)
      T(field_38_no_tls_says_what_helps) T(field_38_no_tls_for_a_listener))
#endif
#endif

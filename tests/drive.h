/* Servers, and clients of every driver, in one thread: while a blocking client waits, the
   others run (its poll is ours). The library's sockets and its clock can be made to misbehave.
   Include it instead of ws.h; it has the bodies. POSIX only. */
#ifndef DRIVE_H
#define DRIVE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
#include "test.h"
#include "loopback.h"

static int drive_poll(struct pollfd *p, nfds_t n, int ms);
static ssize_t drive_send(int fd, const void *p, size_t n, int flags);
static ssize_t drive_recv(int fd, void *p, size_t n, int flags);
static int drive_clock(clockid_t id, struct timespec *t);
#define poll drive_poll
#define send drive_send
#define recv drive_recv
#define clock_gettime drive_clock
#define WS_IMPLEMENTATION
#include "ws.h"
#undef poll
#undef send
#undef recv
#undef clock_gettime

/* ---- time: the clock of the machine, and what a test adds ---- */

static uint64_t skipped;        /* ms */

static int drive_clock(clockid_t id, struct timespec *t)
{
    int r = clock_gettime(id, t);
    t->tv_sec += (time_t)(skipped / 1000);
    t->tv_nsec += (long)(skipped % 1000) * 1000000;
    if (t->tv_nsec >= 1000000000) { t->tv_nsec -= 1000000000; t->tv_sec++; }
    return r;
}

/* Of the machine: it runs also while tests skip. */
static inline uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* Milliseconds of processor that this thread has used: others on the machine do not count. */
static inline double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline int open_files(void)
{
    int i, n = 0;
    for (i = 0; i < 4096; i++) n += fcntl(i, F_GETFD) >= 0;
    return n;
}

/* ---- random numbers of a seed (splitmix64) ---- */

static inline uint32_t dice(uint64_t *s, uint32_t below)
{
    uint64_t z = *s += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

/* ---- memory that is counted, and fails ---- */

/* What fails at its turn fail_at, and then, or afterwards too. */
typedef struct meter { long calls, fail_at, failed, live; int fail_all; } meter;

/* For cfg.alloc. */
static inline void *metered(void *user, void *old, size_t old_size, size_t new_size)
{
    meter *m = (meter *)user;

    if (new_size) {
        m->calls++;
        if (m->fail_at && (m->calls == m->fail_at || (m->fail_all && m->calls > m->fail_at))) {
            m->failed++;
            return NULL;
        }
    }
    m->live += (long)new_size - (long)old_size;
    if (new_size) return realloc(old, new_size);
    free(old);
    return NULL;
}

/* ---- the sockets of the library ---- */

static struct line {
    int fd;                     /* the client that cfg.on_socket = line_taken made last */
    long in, out;               /* bytes that went through it */
    long cut_in, cut_out;       /* after so many of them it ends, -1: never */
    int cut_error;              /* by this errno; 0: its input ends as if the peer had closed it */
    size_t most;                /* bytes per call, of every socket; 0: all */
    uint32_t busy;              /* so many calls in 100 find their socket busy */
    uint64_t seed;
} line = { -1, 0, 0, -1, -1, 0, 0, 0, 0 };

static inline void line_fresh(void)
{
    static const struct line fresh = { -1, 0, 0, -1, -1, 0, 0, 0, 0 };
    line = fresh;
}

static inline void line_taken(void *user, intptr_t fd)
{
    (void)user;
    line.fd = (int)fd;
    line.in = line.out = 0;
}

/* Bytes that a call may move, 0: none, with errno. */
static size_t line_some(size_t n)
{
    if (line.busy && dice(&line.seed, 100) < line.busy) { errno = EAGAIN; return 0; }
    if (!line.most || n <= line.most) return n;
    return line.busy ? 1 + dice(&line.seed, (uint32_t)line.most) : line.most;
}

static ssize_t drive_send(int fd, const void *p, size_t n, int flags)
{
    size_t k = line_some(n);
    ssize_t r;
    int counts = fd == line.fd;

    if (!k && n) return -1;
    if (counts && line.cut_out >= 0 && line.cut_out - line.out < (long)k)
        k = (size_t)(line.cut_out - line.out);
    if (!k && n) { errno = ECONNRESET; return -1; }
    r = send(fd, p, k, flags);
    if (counts && r > 0) line.out += (long)r;
    return r;
}

static ssize_t drive_recv(int fd, void *p, size_t n, int flags)
{
    static int peeked = -1;     /* what was seen can be taken */
    size_t k = fd == peeked ? n : line_some(n);
    ssize_t r;
    int counts = fd == line.fd;

    peeked = -1;
    if (!k && n) return -1;
    if (counts && line.cut_in >= 0 && line.cut_in - line.in < (long)k)
        k = (size_t)(line.cut_in - line.in);
    if (!k && n) {
        errno = line.cut_error;
        return errno ? -1 : 0;
    }
    r = recv(fd, p, k, flags);
    if (r > 0 && flags & MSG_PEEK) peeked = fd;
    else if (counts && r > 0) line.in += (long)r;
    return r;
}

/* ---- connections ---- */

enum { BLOCKING, OWN, LOOP, DRIVERS };      /* of clients; servers are of the loop */

/* What came out of one connection, or of all those of a listener: its cfg.user. */
typedef struct end {
    ws_conn *c;                 /* of the last event but CLOSE */
    int driver;                 /* of a client */
    int opens, messages, parts, pings, pongs, writables, https, requests, downs, closes;
    int code, clean, error, retry_in;   /* of the last CLOSE or DOWN */
    char reason[256], text[128], peer[256];     /* text: of the last message, peer: by TLS */
    size_t bytes;               /* of messages and parts */
} end;

static ws_loop *loop;
static end *clients[16];        /* not the loop's */
static void (*app)(end *e, const ws_event *ev);         /* NULL: servers echo, and answer 200 */
static void (*besides)(void);                           /* runs in each turn */

static inline void note(const ws_event *ev)
{
    end *e = (end *)ws_user(ev->conn);

    if (!e) return;
    e->c = ev->conn;
    switch (ev->type) {
    case WS_EV_OPEN: e->opens++; break;
    case WS_EV_REQUEST: e->requests++; break;
    case WS_EV_HTTP: e->https++; break;
    case WS_EV_PART:
    case WS_EV_MESSAGE:
        e->messages += ev->type == WS_EV_MESSAGE;
        e->parts += ev->type == WS_EV_PART;
        e->bytes += ev->size;
        snprintf(e->text, sizeof e->text, "%.*s", (int)(ev->size < 120 ? ev->size : 120),
                 (const char *)ev->data);
        break;
    case WS_EV_PING: e->pings++; break;
    case WS_EV_PONG: e->pongs++; break;
    case WS_EV_WRITABLE: e->writables++; break;
    case WS_EV_DOWN:
    case WS_EV_CLOSE:
        e->downs += ev->type == WS_EV_DOWN;
        e->closes += ev->type == WS_EV_CLOSE;
        e->code = ev->code;
        e->clean = ev->clean;
        e->error = ev->error;
        e->retry_in = ev->retry_in;
        snprintf(e->reason, sizeof e->reason, "%s", ev->reason);
        if (ev->type == WS_EV_CLOSE) e->c = NULL;
        break;
    default: break;
    }
    if (ev->type == WS_EV_OPEN || ev->type == WS_EV_HTTP || ev->type == WS_EV_REQUEST)
        ws_tls_peer(ev->conn, e->peer, sizeof e->peer);
    if (ev->type == WS_EV_CLOSE && !*e->peer) ws_tls_peer(ev->conn, e->peer, sizeof e->peer);
    if (app) { app(e, ev); return; }
    if (ws_is_client(ev->conn)) return;
    if (ev->type == WS_EV_MESSAGE) ws_send(ev->conn, ev->op, ev->data, ev->size);
    if (ev->type == WS_EV_HTTP) ws_http_reply(ev->conn, 200, NULL, "plain", 5);
}

static inline int serve(int ms)
{
    ws_event ev;
    int n = 0;

    while (ws_poll(loop, &ev, ms) > 0) {
        note(&ev);
        n++;
        ms = 0;
    }
    return n;
}

/* A blocking client waits: the others run. */
static int drive_poll(struct pollfd *p, nfds_t n, int ms)
{
    uint64_t start = now_ms();
    int r = poll(p, n, 0);

    while (!r && ms && (ms < 0 || now_ms() - start < (uint64_t)ms)) {
        if (besides) besides();
        serve(1);
        r = poll(p, n, 0);
    }
    return r;
}

/* Steps a client as its own loop would: only when the library says so. */
static inline int own_turn(ws_conn *c)
{
    struct pollfd p = { ws_fd(c), 0, 0 };
    ws_event ev;
    int n = 0;

    if (ws_wants(c) & WS_WANT_READ) p.events |= POLLIN;
    if (ws_wants(c) & WS_WANT_WRITE) p.events |= POLLOUT;
    if (ws_timeout(c) == 0 || (p.events && poll(&p, 1, 0) > 0)) ws_step(c);
    while (ws_next(c, &ev)) {
        note(&ev);
        n++;
    }
    return n;
}

/* Everybody runs once; sleeps a little if nothing happens. */
static inline void turn(void)
{
    ws_event ev;
    int i, any = 0;

    if (besides) besides();
    for (i = 0; i < 16; i++) {
        end *e = clients[i];
        if (!e || e->closes) continue;
        if (e->driver == OWN) any += own_turn(e->c);
        else while (ws_recv(e->c, &ev, 0) > 0) note(&ev), any++;
    }
    serve(any ? 0 : 1);
}

/* Runs until cond, which should come within ms; faults when it does not even on a machine that is
   ten times busier. */
#define UNTIL(cond, ms) \
    do { \
        uint64_t until_start = now_ms(); \
        while (!(cond) && now_ms() - until_start < (uint64_t)(ms) * 10) turn(); \
        CHECK(cond); \
    } while (0)

static inline void pass(int ms)
{
    uint64_t start = now_ms();
    while (now_ms() - start < (uint64_t)ms) turn();
}

static inline void to_loopback(void *user, ws_conn *c, const char *host)
{
    (void)user;
    (void)host;
    ws_resolved(c, "127.0.0.1");
}

/* A configuration for clients: every host name is this machine. */
static inline ws_config client_config(end *e)
{
    ws_config cfg;
    memset(&cfg, 0, sizeof cfg);
    cfg.resolve = to_loopback;
    cfg.on_socket = line_taken;
    cfg.user = e;
    return cfg;
}

/* Starts a client of a driver; e is its cfg.user. */
static inline ws_conn *visit(int driver, const char *url, const ws_config *cfg)
{
    end *e = (end *)cfg->user;
    int i;

    memset(e, 0, sizeof *e);
    e->driver = driver;
    e->c = driver == LOOP ? ws_dial(loop, url, cfg)
         : driver == OWN ? ws_open(url, cfg) : ws_connect(url, cfg);
    for (i = 0; driver != LOOP && i < 16; i++)
        if (!clients[i]) { clients[i] = e; break; }
    return e->c;
}

/* Ends a client that visit made; c: what it gave. */
static inline void leave(end *e, ws_conn *c)
{
    int i;
    for (i = 0; i < 16; i++) if (clients[i] == e) clients[i] = NULL;
    if (e->driver != LOOP || !e->closes) ws_free(c);
    e->c = NULL;
}

/* A listener on a port of this machine; e is its cfg.user. */
static inline int listen_on(const ws_config *cfg)
{
    int l;
    if (!loop) loop = ws_loop_new(NULL);
    l = ws_listen(loop, ":0", cfg);
    CHECK(l >= 0);
    if (l < 0) printf("    %s\n", ws_loop_error_text(loop));
    return l;
}

static inline const char *url_of(const char *scheme, const char *host, int listener)
{
    static char text[8][200];
    static int next;
    char *s = text[next++ % 8];
    snprintf(s, sizeof text[0], "%s://%s:%d/", scheme, host, ws_listen_port(loop, listener));
    return s;
}

/* ---- a peer played by hand: one connection, in TLS or without ---- */

typedef struct raw {
    int listener, fd, port;
    void (*wrap)(struct raw *r);        /* puts TLS around io; NULL: none */
    void (*turn)(struct raw *r);        /* its part; NULL: listens only */
    ws_io io;
    char in[32768];                     /* what came, with a NUL */
    size_t n;
    int ended;                          /* 1 by the end, -1 by an error */
    int done, port_asked;               /* for turn */
    char asked[300];
    struct raw *other;
} raw;

static inline ptrdiff_t raw_io_read(void *user, void *buf, size_t n)
{
    ptrdiff_t r = recv(((raw *)user)->fd, buf, n, 0);
    return r < 0 ? (errno == EAGAIN ? WS_IO_WANT_READ : WS_IO_ERROR) : r;
}

static inline ptrdiff_t raw_io_write(void *user, const void *buf, size_t n)
{
    ptrdiff_t r = send(((raw *)user)->fd, buf, n, MSG_NOSIGNAL);
    return r < 0 ? (errno == EAGAIN ? WS_IO_WANT_WRITE : WS_IO_ERROR) : r;
}

static inline void raw_take(raw *r, int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    memset(&r->io, 0, sizeof r->io);
    r->fd = fd;
    r->io.read = raw_io_read;
    r->io.write = raw_io_write;
    r->io.user = r;
    r->n = 0;
    r->in[0] = r->asked[0] = 0;
    r->ended = r->done = 0;
    if (r->wrap) r->wrap(r);
}

static inline void raw_connect(raw *r, int port)
{
    raw_take(r, loopback_connect(port));
}

static inline void raw_listen(raw *r)
{
    r->fd = -1;
    r->listener = loopback_listen(&r->port);
    fcntl(r->listener, F_SETFL, O_NONBLOCK);
}

/* Reads what is there. */
static inline void raw_read(raw *r)
{
    ptrdiff_t k = 1;

    while (r->fd >= 0 && k > 0 && !r->ended && r->n < sizeof r->in - 1) {
        k = r->io.read(r->io.user, r->in + r->n, sizeof r->in - 1 - r->n);
        if (k > 0) r->n += (size_t)k;
        if (k == 0) r->ended = 1;
        if (k == WS_IO_ERROR) r->ended = -1;
        r->in[r->n] = 0;
    }
}

/* Writes all of it, waiting as long as the peer reads. 0, or -1 when it cannot be. */
static inline int raw_write(raw *r, const void *data, size_t n)
{
    const char *p = (const char *)data;
    int patience = 2000;

    while (n && patience) {
        ptrdiff_t k = r->io.write(r->io.user, p, n < 16384 ? n : 16384);
        if (k == WS_IO_ERROR) return -1;
        if (k > 0) { p += k; n -= (size_t)k; continue; }
        patience--;
        serve(1);
    }
    return n ? -1 : 0;
}

static inline int raw_say(raw *r, const char *text) { return raw_write(r, text, strlen(text)); }

/* Ends the connection; rudely: without the goodbye of TLS. */
static inline void raw_end(raw *r, int rudely)
{
    int fd = r->fd;
    if (fd < 0) return;
    if (rudely) shutdown(fd, SHUT_WR);
    if (r->io.close) r->io.close(r->io.user);
    close(fd);
    r->fd = -1;
}

static inline void raw_turn(raw *r)
{
    int fd = r->fd < 0 && r->listener > 0 ? accept(r->listener, NULL, NULL) : -1;
    if (fd >= 0) raw_take(r, fd);
    if (r->fd < 0) return;
    raw_read(r);
    if (r->turn) r->turn(r);
}

static raw *raws[4];

/* For besides: all of them in one. */
static inline void raw_besides(void)
{
    static int inside;          /* a turn of theirs may wait, which is a turn of all */
    int i;
    for (i = 0; i < 4 && !inside; i++) {
        if (!raws[i]) continue;
        inside = 1;
        raw_turn(raws[i]);
        inside = 0;
    }
}

/* The first of them: listens, and plays its part in each turn; wrap may be NULL. */
static inline void raw_begin(raw *r, void (*part)(raw *r), void (*wrap)(raw *r))
{
    memset(r, 0, sizeof *r);
    r->turn = part;
    r->wrap = wrap;
    raw_listen(r);
    raws[0] = r;
    besides = raw_besides;
}

static inline void raw_over(raw *r)
{
    int i;
    for (i = 0; i < 4; i++) if (raws[i] == r) raws[i] = NULL;
    if (r->other) raw_end(r->other, 0);
    raw_end(r, 0);
    if (r->listener > 0) close(r->listener);
    memset(r, 0, sizeof *r);
    r->fd = -1;
}

/* ---- a proxy: CONNECT or SOCKS5, itself in TLS or not. Names are this machine. ---- */

static inline void proxy_open(raw *r)
{
    static raw to[4];
    static int next;

    r->other = &to[next++ % 4];
    memset(r->other, 0, sizeof *r->other);
    raw_connect(r->other, r->port_asked);
    r->n = 0;
    r->done = 1;
}

static inline void proxy_socks(raw *r)
{
    const unsigned char *p = (const unsigned char *)r->in;
    size_t greeting = 2u + p[1];

    if (r->n < greeting) return;
    if (!r->asked[0]) { raw_write(r, "\5\0", 2); r->asked[0] = '?'; }
    p += greeting;
    if (r->n < greeting + 5 || r->n < greeting + 7 + p[4]) return;
    CHECK(p[1] == 1 && p[3] == 3);
    snprintf(r->asked, sizeof r->asked, "%.*s", p[4], (const char *)p + 5);
    r->port_asked = p[5 + p[4]] << 8 | p[6 + p[4]];
    raw_write(r, "\5\0\0\1\0\0\0\0\0\0", 10);
    proxy_open(r);
}

static inline void proxy_carry(raw *from, raw *to)
{
    raw_read(from);
    if (from->n && to->fd >= 0) raw_write(to, from->in, from->n);
    from->n = 0;
    if (from->ended) raw_end(to, 0);
}

static inline void proxy_turn(raw *r)
{
    if (r->done) {
        proxy_carry(r, r->other);
        proxy_carry(r->other, r);
    } else if (r->n && r->in[0] == 5) {
        proxy_socks(r);
    } else if (strstr(r->in, "\r\n\r\n")) {
        if (sscanf(r->in, "CONNECT %255[^:]:%d HTTP/1.1", r->asked, &r->port_asked) != 2) {
            raw_say(r, "HTTP/1.1 405 Only CONNECT\r\n\r\n");
            raw_end(r, 0);
            return;
        }
        raw_say(r, "HTTP/1.1 200 OK\r\n\r\n");
        proxy_open(r);
    }
    if (r->ended || (r->done && r->other->fd < 0)) {
        if (r->other) raw_end(r->other, 0);
        raw_end(r, 0);
        r->done = 0;
        r->other = NULL;
    }
}

/* The end of a test: no descriptor is left. */
static inline void over(void)
{
    memset(clients, 0, sizeof clients);
    ws_loop_free(loop);
    loop = NULL;
    app = NULL;
    besides = NULL;
    memset(raws, 0, sizeof raws);
    line_fresh();
    skipped = 0;
}

#endif

/* Every driver of ws.h on real sockets of this machine: blocking client, own loop,
   loop. Raw sockets play the peers that misbehave. Needs only cc; sec_ names are rows
   of threats.md. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef _WIN32
/* The library's name lookup goes through here, so that a name can have the addresses
   that a test wants. */
#include <sys/types.h>
#include <sys/socket.h>
#include <netdb.h>
static int fake_lookup(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
static void fake_free(struct addrinfo *);
#define getaddrinfo fake_lookup
#define freeaddrinfo fake_free
#endif
#define WS_IMPLEMENTATION
#include "../ws.h"
#undef getaddrinfo
#undef freeaddrinfo
#include "test.h"

#ifdef _WIN32

int main(void)
{
    printf("SKIP test_net: it uses fork and raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "fixture/world.h"
#include "fixture/sockets.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- small things ---- */

/* open_files, once threads that look names up have ended: at most a few seconds from
   now. */
static int files_settle(int want)
{
    int i;
    for (i = 0; i < 3000 && open_files() != want; i++) sleep_ms(1);
    return open_files();
}

/* Payload byte i of message number k, so that a mix-up shows. */
static unsigned char pattern(size_t k, size_t i)
{
    return (unsigned char)(k * 131u + i * 7u + (i >> 8) * 13u + (i >> 16));
}

static void fill(unsigned char *p, size_t n, size_t k)
{
    size_t i;
    for (i = 0; i < n; i++) p[i] = pattern(k, i);
}

/* ---- what came out of the library: [0] server ends, [1] client ends ---- */

typedef struct seen {
    int open, message, ping, pong, writable, http, close;
    int code, clean, error, status;
    size_t bytes;
    char reason[200], remote[80], target[80], text[80];
    ws_conn *conn;              /* of the last OPEN */
} seen;

static seen V[2];
static int echoing = 1;                         /* server ends echo */
static void (*hook)(const ws_event *ev);        /* does more to an event */

static void note(const ws_event *ev)
{
    seen *v = &V[ws_is_client(ev->conn) != 0];

    switch (ev->type) {
    case WS_EV_OPEN:
        v->open++;
        v->conn = ev->conn;
        snprintf(v->target, sizeof v->target, "%s", ws_target(ev->conn));
        ws_remote(ev->conn, v->remote, sizeof v->remote);
        break;
    case WS_EV_MESSAGE:
        v->message++;
        v->bytes += ev->size;
        snprintf(v->text, sizeof v->text, "%.*s", (int)(ev->size < 79 ? ev->size : 79),
                 (const char *)ev->data);
        if (echoing && v == V) ws_send(ev->conn, ev->op, ev->data, ev->size);
        break;
    case WS_EV_PING: v->ping++; break;
    case WS_EV_PONG: v->pong++; break;
    case WS_EV_WRITABLE: v->writable++; break;
    case WS_EV_HTTP: v->http++; break;
    case WS_EV_CLOSE:
        v->close++;
        v->code = ev->code;
        v->clean = ev->clean;
        v->error = ev->error;
        v->status = ws_status(ev->conn);
        snprintf(v->reason, sizeof v->reason, "%s", ev->reason);
        break;
    default: break;
    }
    if (hook) hook(ev);
}

static void fresh(void)
{
    memset(V, 0, sizeof V);
    echoing = 1;
    hook = NULL;
}

static int turn(ws_loop *loop, int ms)
{
    ws_event ev;
    int r = ws_poll(loop, &ev, ms);
    if (r > 0) note(&ev);
    return r;
}

#define UNTIL(loop, cond, ms) \
    do { \
        uint64_t until_end = now_ms() + (uint64_t)(ms); \
        while (!(cond) && now_ms() < until_end) turn(loop, 2); \
        CHECK(cond); \
    } while (0)

/* Serves until nothing has happened for ms. */
static void settle(ws_loop *loop, int ms) { while (turn(loop, ms) > 0) { } }

static ws_loop *serve(const char *address, const ws_config *cfg, int *port)
{
    ws_loop *loop;
    int l;

    fresh();
    loop = ws_loop_new(cfg);
    CHECK(loop != NULL);
    l = ws_listen(loop, address, cfg);
    CHECK(l >= 0);
    if (l < 0) printf("    %s: %s\n", address, ws_loop_error_text(loop));
    *port = ws_listen_port(loop, l);
    return loop;
}

/* ---- raw peers ---- */

typedef struct raw { int fd; int eof; size_t n; unsigned char *buf; } raw;

#define RAW_MAX (3u << 20)

static int raw_socket(int rcvbuf)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (rcvbuf) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static raw raw_connect(int port, int rcvbuf)
{
    raw r;
    struct sockaddr_in a = loopback(port);

    memset(&r, 0, sizeof r);
    r.fd = raw_socket(rcvbuf);
    r.buf = (unsigned char *)malloc(RAW_MAX);
    if (connect(r.fd, (struct sockaddr *)&a, sizeof a))
        test_fault(__FILE__, __LINE__, "connect");
    nonblocking(r.fd);
    return r;
}

static void raw_close(raw *r)
{
    if (r->fd >= 0) close(r->fd);
    free(r->buf);
    r->fd = -1;
    r->buf = NULL;
}

static void raw_reset(raw *r)
{
    struct linger l = { 1, 0 };
    setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    raw_close(r);
}

/* Reads what is there. */
static void raw_pull(raw *r)
{
    while (r->n < RAW_MAX && !r->eof) {
        ssize_t k = recv(r->fd, r->buf + r->n, RAW_MAX - r->n, 0);
        if (k > 0) { r->n += (size_t)k; continue; }
        if (!k || (errno != EAGAIN && errno != EINTR)) r->eof = 1;
        break;
    }
}

static void raw_drop(raw *r, size_t n)
{
    memmove(r->buf, r->buf + n, r->n - n);
    r->n -= n;
}

static int raw_has(raw *r, const char *text)
{
    raw_pull(r);
    return memmem(r->buf, r->n, text, strlen(text)) != NULL;
}

static int raw_ended(raw *r) { raw_pull(r); return r->eof; }
static size_t raw_got(raw *r) { raw_pull(r); return r->n; }

static void raw_put(raw *r, const void *p, size_t n)
{
    ssize_t k = send(r->fd, p, n, MSG_NOSIGNAL);
    (void)k;
}

static void raw_puts(raw *r, const char *s) { raw_put(r, s, strlen(s)); }

/* Builds a frame: first byte, payload; masked as clients must unless key is NULL. */
static size_t raw_build(unsigned char *out, int first, const void *p, size_t n,
                        const unsigned char *key)
{
    size_t h = 0, i;

    out[h++] = (unsigned char)first;
    if (n < 126) out[h++] = (unsigned char)n;
    else if (n < 65536) {
        out[h++] = 126;
        out[h++] = (unsigned char)(n >> 8);
        out[h++] = (unsigned char)n;
    } else {
        out[h++] = 127;
        for (i = 8; i-- > 0;) out[h++] = (unsigned char)((uint64_t)n >> (8 * i));
    }
    if (key) {
        out[1] |= 0x80;
        memcpy(out + h, key, 4);
        h += 4;
    }
    for (i = 0; i < n; i++)
        out[h + i] = (unsigned char)(((const unsigned char *)p)[i] ^
                                     (key ? key[i & 3] : 0));
    return h + n;
}

static const unsigned char KEY[4] = { 0x37, 0xfa, 0x21, 0x3d };

static void raw_frame(raw *r, int first, const void *p, size_t n)
{
    unsigned char out[70000];
    raw_put(r, out, raw_build(out, first, p, n, KEY));
}

#define REQUEST_OF(target) \
    "GET " target " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
    "Sec-WebSocket-Version: 13\r\n\r\n"
#define REQUEST REQUEST_OF("/chat")

static raw raw_client(ws_loop *loop, int port, int rcvbuf)
{
    raw r = raw_connect(port, rcvbuf);
    int before = V[0].open;
    unsigned char *end;

    raw_puts(&r, REQUEST);
    UNTIL(loop, V[0].open > before && raw_has(&r, "\r\n\r\n"), 3000);
    CHECK(r.n > 12 && !memcmp(r.buf, "HTTP/1.1 101", 12));
    CHECK(raw_has(&r, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    end = (unsigned char *)memmem(r.buf, r.n, "\r\n\r\n", 4);
    if (end) raw_drop(&r, (size_t)(end + 4 - r.buf));
    return r;
}

/* A raw listener, and the server's part of a handshake on it. */
static int raw_listen(int *port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof a;
    int fd = raw_socket(0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16)) perror("raw_listen");
    getsockname(fd, (struct sockaddr *)&a, &n);
    *port = ntohs(a.sin_port);
    nonblocking(fd);
    return fd;
}

static void raw_answer(raw *r)
{
    char *key, accept_key[29], out[300];

    r->buf[r->n < RAW_MAX ? r->n : RAW_MAX - 1] = 0;
    key = strstr((char *)r->buf, "Sec-WebSocket-Key: ");
    CHECK(key != NULL);
    if (!key) return;
    ws_accept_key(key + 19, accept_key);
    snprintf(out, sizeof out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept_key);
    r->n = 0;
    raw_puts(r, out);
}

/* ---- own-loop clients ---- */

static int own_turn(ws_conn *c, int ms)
{
    ws_event ev;
    int k = 0, t = ws_timeout(c);
    struct pollfd p;

    p.fd = (int)ws_fd(c);
    p.events = 0;
    if (ws_wants(c) & WS_WANT_READ) p.events |= POLLIN;
    if (ws_wants(c) & WS_WANT_WRITE) p.events |= POLLOUT;
    poll(&p, 1, t >= 0 && t < ms ? t : ms);
    ws_step(c);
    while (ws_next(c, &ev) > 0) { note(&ev); k++; }
    return k;
}

/* Accepts on a raw listener while the client c steps, and shakes hands. */
static raw raw_accept(int listener, ws_conn *c)
{
    raw r;
    uint64_t end = now_ms() + 3000;

    memset(&r, 0, sizeof r);
    r.buf = (unsigned char *)malloc(RAW_MAX);
    while ((r.fd = accept(listener, NULL, NULL)) < 0 && now_ms() < end) own_turn(c, 2);
    CHECK(r.fd >= 0);
    nonblocking(r.fd);
    while (!raw_has(&r, "\r\n\r\n") && now_ms() < end) own_turn(c, 2);
    raw_answer(&r);
    while (!V[1].open && now_ms() < end) own_turn(c, 2);
    CHECK_INT(V[1].open, 1);
    return r;
}

/* ---- a server in another process, sharing a few numbers with this one ---- */

typedef struct shared {
    volatile int port, opens, closes, command, answer;
    volatile long polls, cpu_ms, rss;
} shared;

static shared *share(void)
{
    shared *s = (shared *)mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANON, -1, 0);
    memset((void *)s, 0, sizeof *s);
    return s;
}

static pid_t spawn_echo(const char *address, shared *s)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        ws_event ev;
        ws_loop *loop = ws_loop_new(NULL);
        int l = ws_listen(loop, address, NULL);
        alarm(60);
        s->port = l < 0 ? -1 : ws_listen_port(loop, l);
        s->answer = 1;
        while (ws_poll(loop, &ev, -1) >= 0) {
            if (ev.type == WS_EV_OPEN) s->opens++;
            if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
            if (ev.type == WS_EV_CLOSE) s->closes++;
        }
        _exit(0);
    }
    while (!s->answer) sleep_ms(1);
    return pid;
}

static void reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- blocking client ---- */

/* One conversation with an echo server at url. */
static void converse(const char *url)
{
    static unsigned char big[300000];
    ws_event ev;
    int got = 0, closed = 0, r;
    ws_conn *c = ws_connect(url, NULL);

    if (ws_error(c)) printf("    %s: %s\n", url, ws_error_text(c));
    CHECK_INT(ws_error(c), 0);
    CHECK_INT(ws_recv(c, &ev, 5000), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    CHECK_INT(ws_status(c), 101);
    CHECK_INT(ws_recv(c, &ev, 30), 0);

    fill(big, sizeof big, 1);
    CHECK_INT(ws_send_text(c, "h\xc3\xa4llo"), 0);
    CHECK_INT(ws_send(c, WS_OP_BINARY, big, 0), 0);
    CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
    CHECK_INT(ws_ping(c, "abc", 3), 0);
    while ((r = ws_recv(c, &ev, 5000)) > 0) {
        if (ev.type == WS_EV_CLOSE) {
            closed++;
            CHECK_INT(ev.code, 3001);
            CHECK_INT(ev.clean, 1);
            CHECK_INT(ev.error, 0);
            CHECK(!*ev.reason ||
                  !strcmp(ev.reason, "bye")); /* a peer may repeat the reason */
            continue;
        }
        CHECK_INT(closed, 0);
        switch (got++) {
        case 0:
            CHECK_INT(ev.type, WS_EV_MESSAGE);
            CHECK_INT(ev.op, WS_OP_TEXT);
            CHECK(ev.size == 6 && !memcmp(ev.data, "h\xc3\xa4llo", 6));
            break;
        case 1:
            CHECK_INT(ev.type, WS_EV_MESSAGE);
            CHECK_INT(ev.op, WS_OP_BINARY);
            CHECK(ev.size == 0 && ev.data);
            break;
        case 2:     /* the echo or the answer to the ping: controls may overtake */
        case 3:
            if (ev.type == WS_EV_PONG) CHECK(ev.size == 3 && !memcmp(ev.data, "abc", 3));
            else CHECK(ev.size == sizeof big && !memcmp(ev.data, big, sizeof big));
            if (got == 4) CHECK_INT(ws_close(c, 3001, "bye"), 0);
            break;
        default: CHECK(!"an event too many");
        }
    }
    CHECK_INT(r, WS_ERR_STATE);
    CHECK_INT(got, 4);
    CHECK_INT(closed, 1);
    CHECK_INT(ws_done(c), 1);
    CHECK_INT(ws_send_text(c, "late"), WS_ERR_STATE);
    CHECK_INT(ws_recv(c, &ev, 0), WS_ERR_STATE);
    ws_free(c);
}

static int have_ipv6(void)
{
    struct sockaddr_in6 a;
    int fd = socket(AF_INET6, SOCK_STREAM, 0), ok;

    memset(&a, 0, sizeof a);
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    ok = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a);
    if (fd >= 0) close(fd);
    if (!ok) printf("SKIP the IPv6 part: this machine has no [::1]\n");
    return ok;
}

TEST(blocking_client)
{
    shared *s = share();
    pid_t pid = spawn_echo("127.0.0.1:0", s);
    char url[80];
    int base = open_files(), i;

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/a?b", s->port);
    for (i = 0; i < 3; i++) converse(url);
    CHECK_INT(open_files(), base);
    reap(pid);
}

TEST(blocking_client_ipv6)
{
    shared *s;
    pid_t pid;
    char url[80];

    if (!have_ipv6()) return;
    s = share();
    pid = spawn_echo("[::1]:0", s);
    snprintf(url, sizeof url, "ws://[::1]:%d/", s->port);
    converse(url);
    reap(pid);
}

TEST(blocking_client_unix)
{
    shared *s = share();
    pid_t pid;
    char path[64], address[80], url[100];

    snprintf(path, sizeof path, "/tmp/ws_test_%ld.sock", (long)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    snprintf(url, sizeof url, "ws+unix:%s:/x", path);
    unlink(path);
    pid = spawn_echo(address, s);
    CHECK_INT(s->port, 0);
    converse(url);
    reap(pid);
    pid = spawn_echo(address, s);       /* the file of a dead server is in the way */
    unlink(path);
    reap(pid);
}

/* "several.test" is fake_live behind an IPv6 and an IPv4 address where nobody listens. */
static struct addrinfo fake_list[3];
static struct sockaddr_storage fake_address[3];
static const char *fake_live;
static int fake_port;

static int fake_lookup(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **list)
{
    const char *at[3];
    int i;

    if (!name || strcmp(name, "several.test"))
        return getaddrinfo(name, service, hints, list);
    at[0] = "::1";
    at[1] = "127.0.0.1";
    at[2] = fake_live;
    for (i = 0; i < 3; i++) {
        struct addrinfo h, *one = NULL;
        char port[12];
        memset(&h, 0, sizeof h);
        h.ai_socktype = SOCK_STREAM;
        h.ai_flags = AI_NUMERICHOST;
        snprintf(port, sizeof port, "%d", fake_port + (i == 2 ? 0 : 1));
        if (getaddrinfo(at[i], port, &h, &one)) return EAI_FAIL;
        memcpy(&fake_address[i], one->ai_addr, one->ai_addrlen);
        fake_list[i] = *one;
        fake_list[i].ai_addr = (struct sockaddr *)&fake_address[i];
        fake_list[i].ai_canonname = NULL;
        fake_list[i].ai_next = i < 2 ? &fake_list[i + 1] : NULL;
        freeaddrinfo(one);
    }
    *list = fake_list;
    return 0;
}

static void fake_free(struct addrinfo *list)
{
    if (list != fake_list)
        freeaddrinfo(list);
}

TEST(name_with_several_addresses)
{
    shared *s = share();
    pid_t pid = spawn_echo("127.0.0.1:0", s);
    char url[80];
    int base = open_files();
    ws_conn *c;
    uint64_t end = now_ms() + 3000;

    fake_live = "127.0.0.1";
    fake_port = s->port;
    converse("ws://several.test/");
    fresh();
    c = ws_open("ws://several.test/", NULL);
    while (!V[1].open && !V[1].close && now_ms() < end) own_turn(c, 100);
    CHECK_INT(V[1].open, 1);
    ws_free(c);
    snprintf(url, sizeof url, "ws://localhost:%d/", s->port);
    converse(url);
    reap(pid);

    fresh();                    /* nobody at all */
    c = ws_connect("ws://several.test/", NULL);
    CHECK_INT(ws_error(c), WS_ERR_CONNECT);
    ws_free(c);
    CHECK_INT(files_settle(base), base);
    if (!have_ipv6()) return;
    s->answer = 0;
    pid = spawn_echo("[::1]:0", s);
    fake_live = "::1";
    fake_port = s->port;
    converse("ws://several.test/");
    reap(pid);
}

TEST(connection_refused)
{
    char url[80];
    int port, fd = raw_listen(&port), base = open_files(), i;
    ws_event ev;
    ws_conn *c;
    ws_loop *loop;

    close(fd);
    base--;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    c = ws_connect(url, NULL);
    CHECK(c != NULL);
    CHECK_INT(ws_error(c), WS_ERR_CONNECT);
    CHECK(strstr(ws_error_text(c), "efused") != NULL);
    if (!strstr(ws_error_text(c), "efused")) printf("    text: %s\n", ws_error_text(c));
    CHECK_INT(ws_send_text(c, "x"), WS_ERR_STATE);
    CHECK_INT(ws_recv(c, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.code, WS_CLOSE_ABNORMAL);
    CHECK_INT(ev.error, WS_ERR_CONNECT);
    CHECK_INT(ws_recv(c, &ev, 0), WS_ERR_STATE);
    ws_free(c);

    c = ws_open(url, NULL);
    fresh();
    for (i = 0; i < 100 && !ws_done(c); i++) own_turn(c, 10);
    CHECK_INT(V[1].close, 1);
    CHECK_INT(V[1].error, WS_ERR_CONNECT);
    ws_free(c);

    loop = ws_loop_new(NULL);
    fresh();
    c = ws_dial(loop, url, NULL);
    CHECK(c != NULL);
    UNTIL(loop, V[1].close, 2000);
    CHECK_INT(V[1].error, WS_ERR_CONNECT);
    settle(loop, 5);
    CHECK_INT(ws_loop_count(loop), 0);

    fresh();
    CHECK(ws_dial(loop, "ws://nonexistent.invalid/", NULL) != NULL);
    CHECK(ws_dial(loop, "wss://127.0.0.1/", NULL) != NULL);
    CHECK(ws_dial(loop, "gopher://x/", NULL) != NULL);
    UNTIL(loop, V[1].close == 3, 8000);
    ws_loop_free(loop);
    CHECK_INT(files_settle(base), base);
}

static ptrdiff_t null_read(void *user, void *bytes, size_t n)
{
    (void)user;
    (void)bytes;
    (void)n;
    return 0;
}
static ptrdiff_t null_write(void *user, const void *bytes, size_t n)
{
    (void)user;
    (void)bytes;
    return (ptrdiff_t)n;
}

/* A fault of the settings names the field. */
static void see_socket(void *user, intptr_t socket) { (void)user; (void)socket; }

/* what is wrong, or whose it is */
TEST(faults_name_the_field)
{
    static const ws_header bad_header[] = { { "X", "a\r\nb" }, { NULL, NULL } };
    static const ws_route bad_route[] = { { "chat", NULL, 1 }, { NULL, NULL, 0 } };
    static const ws_extension nothing;
    static const ws_extension *const bad_extension[] = { &nothing, NULL };
    static const struct { const char *name, *whose;
    } fields[] = { { "protocols", "cs" },
                   { "headers", "cs" },
                   { "proxy_headers", "d" },
                   { "origin", "c" },
                   { "host", "c" },
                   { "routes", "s" },
                   { "trusted_proxies", "s" },
                   { "method", "c" },
                   { "body_size", "c" },
                   { "version", "c" },
                   { "io", "cs" },
                   { "extensions", "cs" },
                   { "deflate", "cs" },
                   { "io", "cs" },
                   { "memory", "cs" },
                   { "origins", "s" },
                   { "max_connections", "l" },
                   { "reconnect", "d" },
                   { "on_socket", "d" },
                   { "ask", "s" },
                   { "send_timeout", "c" } };
    static const char *const roles[] = { "c", "s", "cd", "sl" };
    static uint64_t block[2000];
    size_t i;
    int role;

    for (i = 0; i < sizeof fields / sizeof *fields; i++)
        for (role = 0; role < 4; role++) {
            ws_codec codec;
            ws_deflate deflate;
            ws_config cfg;
            ws_loop *loop;
            ws_conn *c;
            char text[160], words[80];
            int fits = strpbrk(fields[i].whose, roles[role]) != NULL;

            memset(&cfg, 0, sizeof cfg);
            memset(&codec, 0, sizeof codec);
            memset(&deflate, 0, sizeof deflate);
            deflate.codec = &codec;
            deflate.level = 10;
            switch (i) {
            case 0: cfg.protocols = "a b"; break;
            case 1: cfg.headers = bad_header; break;
            case 2: cfg.proxy_headers = bad_header; break;
            case 3: cfg.origin = ""; break;
            case 4: cfg.host = "a\nb"; break;
            case 5: cfg.routes = bad_route; break;
            case 6:
                cfg.memory = block;
                cfg.memory_size = sizeof block;
                cfg.trusted_proxies = 1;
                break;
            case 7: cfg.method = "GET it"; break;
            case 8: cfg.body_size = 1; break;
            case 9: cfg.version = 12; break;
            case 10: cfg.io.write = null_write; break;
            case 11: cfg.extensions = bad_extension; break;
            case 12: cfg.deflate = &deflate; break;
            case 13:
                cfg.io.write = null_write;
                cfg.io.read = null_read;
                if (role < 2)
                    continue;
                break;
            case 14:
                cfg.memory = block;
                cfg.memory_size = sizeof block;
                if (role < 2)
                    continue;
                break;
            case 15:
                cfg.origins = "same";
                if (fits)
                    continue;
                break;
            case 16:
                cfg.max_connections = 1;
                if (fits)
                    continue;
                break;
            case 17:
                cfg.reconnect = 1;
                if (fits)
                    continue;
                break;
            case 18:
                cfg.on_socket = see_socket;
                if (fits)
                    continue;
                break;
            case 19:
                cfg.ask = 1;
                if (fits)
                    continue;
                break;
            case 20:
                cfg.send_timeout = 1;
                if (fits)
                    continue;
                break;
            }
            sprintf(words, "%s%s%s", fields[i].name, fits ? "" : ": only for ",
                    fits                      ? ""
                    : *fields[i].whose == 'c' ? "clients"
                    : *fields[i].whose == 's' ? "servers"
                    : *fields[i].whose == 'l' ? "listeners"
                                              : "clients that connect by themselves");
            if (i == 6)
                strcpy(words, role % 2 ? "memory" : "trusted_proxies: only for servers");
            loop = ws_loop_new(NULL);
            if (role == 3) {
                CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_ARGUMENT);
                sprintf(text, "%s: 127.0.0.1:0: %s", ws_error_string(WS_ERR_ARGUMENT),
                        words);
                CHECK_STR(ws_loop_error_text(loop), text);
            } else {
                c = role == 0   ? ws_client_new("ws://h/", &cfg)
                    : role == 1 ? ws_server_new(&cfg)
                                : ws_dial(loop, "ws://127.0.0.1:1/", &cfg);
                sprintf(text, "%s: %s", ws_error_string(WS_ERR_ARGUMENT), words);
                CHECK_STR(ws_error_text(c), text);
                ws_free(c);
            }
            ws_loop_free(loop);
        }
}

TEST(listen_errors)
{
    static const char *const bad[] = {
        "",
        "nonsense",
        "127.0.0.1:",
        "127.0.0.1:70000",
        "127.0.0.1:-1",
        "127.0.0.1:x",
        "[::1:80",
        "256.0.0.1:0",
        "unix:",
        "unix:/nonexistent/dir/sock",
        ("unix:/tmp/"
          "0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789")
    };
    ws_loop *loop = ws_loop_new(NULL);
    int base = open_files(), port, other, l;
    size_t i;
    char address[80];

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        int r = ws_listen(loop, bad[i], NULL);
        CHECK(r < 0);
        if (r >= 0) printf("    listened on \"%s\"\n", bad[i]);
        CHECK(*ws_loop_error_text(loop));
        if (r == WS_ERR_ARGUMENT)
            CHECK(strstr(ws_loop_error_text(loop), "host:port") != NULL);
    }
    CHECK_INT(open_files(), base);
    other = raw_listen(&port);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    CHECK_INT(ws_listen(loop, address, NULL), WS_ERR_LISTEN);
    CHECK(strstr(ws_loop_error_text(loop), "in use") != NULL);
    close(other);
    l = ws_listen(loop, ":0", NULL);
    CHECK(l >= 0);
    CHECK(ws_listen_port(loop, l) > 0);
    ws_unlisten(loop, l);
    CHECK_INT(open_files(), base);
    CHECK(ws_listen(NULL, "127.0.0.1:0", NULL) < 0);
    ws_unlisten(loop, 77);
    ws_unlisten(loop, -1);
    ws_unlisten(NULL, 0);
    ws_loop_free(loop);
    ws_loop_free(NULL);
}

/* ---- own loop ---- */

TEST(own_loop)
{
    shared *s = share();
    pid_t pid = spawn_echo("127.0.0.1:0", s);
    char url[80];
    unsigned char big[50000];
    int base = open_files(), sent = 0;
    uint64_t end = now_ms() + 10000;
    ws_conn *c;

    fresh();
    fill(big, sizeof big, 3);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", s->port);
    c = ws_open(url, NULL);
    CHECK_INT(ws_send_text(c, "before open"), 0);
    while (!ws_done(c) && now_ms() < end) {
        own_turn(c, 100);
        if (V[1].open && sent < 20) {
            CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
            sent++;
        }
        if (V[1].message == 21) ws_close(c, 1000, "done");
    }
    CHECK_INT(V[1].message, 21);
    CHECK_INT(V[1].bytes, 20 * sizeof big + 11);
    CHECK_INT(V[1].close, 1);
    CHECK_INT(V[1].code, 1000);
    CHECK_INT(V[1].clean, 1);
    ws_free(c);
    CHECK_INT(open_files(), base);
    reap(pid);
}

TEST(adopt)
{
    int fd[2], base = open_files();
    ws_conn *c;
    raw r;
    uint64_t end = now_ms() + 3000;

    fresh();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    c = ws_adopt(NULL, fd[0], NULL, 0, NULL);
    CHECK_INT(ws_fd(c), fd[0]);
    memset(&r, 0, sizeof r);
    r.fd = fd[1];
    r.buf = (unsigned char *)malloc(RAW_MAX);
    nonblocking(r.fd);
    raw_puts(&r, REQUEST);
    while (!raw_has(&r, "\r\n\r\n") && now_ms() < end) own_turn(c, 5);
    r.n = 0;
    raw_frame(&r, 0x81, "one", 3);
    while (raw_got(&r) < 5 && now_ms() < end) own_turn(c, 5);
    CHECK(r.n == 5 && !memcmp(r.buf, "\x81\x03one", 5));
    raw_frame(&r, 0x88, "\x03\xe8", 2);
    while (!ws_done(c) && now_ms() < end) own_turn(c, 5);
    CHECK_INT(V[0].close, 1);
    CHECK_INT(V[0].clean, 1);
    ws_free(c);
    raw_close(&r);
    CHECK_INT(open_files(), base);
    CHECK_INT(ws_fd(NULL), -1);
    CHECK_INT(ws_wants(NULL), 0);
    ws_step(NULL);
}

/* ---- loop: listeners, accepted and dialled connections together ---- */

static int dial_echoes;

static void dial_hook(const ws_event *ev)
{
    if (!ws_is_client(ev->conn)) return;
    if (ev->type == WS_EV_OPEN) ws_send_text(ev->conn, "round");
    if (ev->type == WS_EV_MESSAGE) {
        dial_echoes++;
        if (dial_echoes <= 100) ws_send(ev->conn, WS_OP_BINARY, ev->data, ev->size);
        else ws_close(ev->conn, 1000, NULL);
    }
}

TEST(loop_of_everything)
{
    char url[100], path[64], address[80];
    int port, base = open_files(), i, l, six = have_ipv6();
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);
    ws_conn *c;

    hook = dial_hook;
    dial_echoes = 0;
    snprintf(path, sizeof path, "/tmp/ws_test_%ld.sock", (long)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    unlink(path);
    for (i = 0; i < 3; i++) {
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        CHECK(ws_dial(loop, url, NULL) != NULL);
    }
    if (six) {
        l = ws_listen(loop, "[::1]:0", NULL);
        snprintf(url, sizeof url, "ws://[::1]:%d/six", ws_listen_port(loop, l));
        CHECK(ws_dial(loop, url, NULL) != NULL);
        UNTIL(loop, V[0].open == 4, 3000);
    }
    l = ws_listen(loop, address, NULL);
    CHECK(l >= 0);
    CHECK_INT(ws_listen_port(loop, l), 0);
    snprintf(url, sizeof url, "ws+unix:%s:/there", path);
    c = ws_dial(loop, url, NULL);
    ws_set_user(c, &port);
    UNTIL(loop, V[0].open == 4 + six && V[1].open == 4 + six, 3000);
    CHECK_STR(V[0].target, "/there");
    CHECK_STR(V[0].remote, "unix");
    CHECK(ws_user(c) == &port);
    ws_unlisten(loop, l);       /* its connection stays */
    UNTIL(loop, V[1].close == 4 + six && V[0].close == 4 + six, 5000);
    CHECK_INT(V[0].clean, 1);
    CHECK_INT(V[1].clean, 1);
    CHECK(V[1].message >= 101);
    settle(loop, 5);
    CHECK_INT(ws_loop_count(loop), 0);

    fresh();                    /* remote address of an IPv4 client */
    {
        raw r = raw_client(loop, port, 0);
        CHECK(!strncmp(V[0].remote, "127.0.0.1:", 10));
        CHECK_INT(ws_loop_count(loop), 1);
        raw_close(&r);
    }
    UNTIL(loop, V[0].close == 1, 1000);
    ws_loop_free(loop);
    unlink(path);
    CHECK_INT(open_files(), base);
}

TEST(poll_times)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    uint64_t t = now_ms();
    int i;

    for (i = 0; i < 100; i++) CHECK_INT(ws_poll(loop, &ev, 0), 0);
    CHECK_INT(ev.type, WS_EV_NONE);
    CHECK(now_ms() - t < 100);
    t = now_ms();
    CHECK_INT(ws_poll(loop, &ev, 120), 0);
    CHECK(now_ms() - t >= 118 && now_ms() - t < 300);
    t = now_ms();
    CHECK_INT(ws_poll_until(loop, &ev, ws_loop_now(loop) + 120), 0);
    CHECK(now_ms() - t >= 118 && now_ms() - t < 300);
    t = now_ms();
    CHECK_INT(ws_poll_until(loop, &ev, ws_loop_now(loop)), 0);
    CHECK_INT(ws_poll_until(loop, &ev, 0), 0);
    CHECK(now_ms() - t < 50);
    CHECK(ws_poll(NULL, &ev, 0) < 0);
    CHECK_INT(ws_loop_count(NULL), 0);
    CHECK(*ws_loop_error_text(NULL) || 1);
    ws_loop_free(loop);
}

TEST(broadcast)
{
    enum { N = 10 };
    int port, i;
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);
    raw r[N];

    for (i = 0; i < N; i++) r[i] = raw_client(loop, port, 0);
    CHECK_INT(ws_broadcast(loop, NULL, WS_OP_TEXT, "all", 3), N);
    CHECK_INT(ws_broadcast(loop, V[0].conn, WS_OP_TEXT, "some", 4), N - 1);
    settle(loop, 20);
    for (i = 0; i < N; i++) {
        raw_pull(&r[i]);
        CHECK(r[i].n == (i < N - 1 ? 11u : 5u) && !memcmp(r[i].buf, "\x81\x03" "all", 5));
        if (i < N - 1) CHECK(!memcmp(r[i].buf + 5, "\x81\x04some", 6));
        raw_close(&r[i]);
    }
    UNTIL(loop, V[0].close == N, 2000);
    CHECK_INT(ws_broadcast(loop, NULL, WS_OP_TEXT, "none", 4), 0);
    ws_loop_free(loop);
}

/* ---- plain HTTP ---- */

static void http_hook(const ws_event *ev)
{
    static const ws_header headers[] = {
        { "Content-Type", "text/plain" }, { "X-Test", "yes" }, { NULL, NULL } };
    if (ev->type != WS_EV_HTTP) return;
    snprintf(V[0].target, sizeof V[0].target, "%s %s", ws_method(ev->conn),
             ws_target(ev->conn));
    if (!strcmp(ws_target(ev->conn), "/none")) return;
    CHECK_INT(ws_http_reply(ev->conn, 200, headers, "hello page", 10), 0);
    CHECK(ws_http_reply(ev->conn, 200, headers, "twice", 5) < 0);
}

static raw http_ask(ws_loop *loop, int port, const char *head, size_t body)
{
    raw r = raw_connect(port, 0);
    char zero[1024];
    uint64_t end = now_ms() + 3000;

    memset(zero, 'z', sizeof zero);
    raw_puts(&r, head);
    while (!raw_ended(&r) && now_ms() < end) {
        turn(loop, 1);
        if (body) {
            size_t n = body < sizeof zero ? body : sizeof zero;
            raw_put(&r, zero, n);
            body -= n;
        }
    }
    CHECK(r.eof);
    r.buf[r.n] = 0;
    return r;
}

TEST(http)
{
    int port, base = open_files(), i;
    ws_config cfg = { 0 };
    ws_loop *loop;
    raw r;

    cfg.body_parts = 1;
    loop = serve("127.0.0.1:0", &cfg, &port);
    hook = http_hook;
    r = http_ask(loop, port, "GET /page?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    CHECK(!strncmp((char *)r.buf, "HTTP/1.1 200 ", 13));
    CHECK(raw_has(&r, "\r\nContent-Length: 10\r\n"));
    CHECK(raw_has(&r, "\r\nConnection: close\r\n"));
    CHECK(raw_has(&r, "\r\nX-Test: yes\r\n"));
    CHECK(r.n > 14 && !memcmp(r.buf + r.n - 14, "\r\n\r\nhello page", 14));
    CHECK_STR(V[0].target, "GET /page?x=1");
    raw_close(&r);

    r = http_ask(loop, port, "HEAD /page HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    CHECK(!strncmp((char *)r.buf, "HTTP/1.1 200 ", 13));
    CHECK(raw_has(&r, "\r\nContent-Length: 10\r\n"));
    CHECK(r.n > 4 && !memcmp(r.buf + r.n - 4, "\r\n\r\n", 4));
    raw_close(&r);

    r = http_ask(loop, port, "GET /old HTTP/1.0\r\n\r\n", 0);
    CHECK(!strncmp((char *)r.buf, "HTTP/1.", 7));
    raw_close(&r);

    for (i = 0; i < 5; i++) {   /* the answer must survive a body that nobody reads */
        char head[120];
        int body = i * i * i * 3000 + 10;
        snprintf(head, sizeof head,
                 "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", body);
        r = http_ask(loop, port, head, (size_t)body);
        CHECK(raw_has(&r, "hello page"));
        CHECK(!strncmp(V[0].target, "POST ", 5));
        raw_close(&r);
    }

    r = http_ask(loop, port, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    CHECK(!strncmp((char *)r.buf, "HTTP/1.1 426 ", 13));
    raw_close(&r);
    r = http_ask(loop, port, "\x16\x03\x01\x02 not http at all\r\n\r\n", 0);
    CHECK(!r.n || !strncmp((char *)r.buf, "HTTP/1.1 400 ", 13));
    raw_close(&r);
    r = http_ask(loop, port, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Version: 8\r\n\r\n", 0);
    CHECK(!strncmp((char *)r.buf, "HTTP/1.1 426 ", 13));
    CHECK(raw_has(&r, "\r\nSec-WebSocket-Version: 13\r\n"));
    raw_close(&r);
    settle(loop, 20);
    CHECK_INT(ws_loop_count(loop), 0);
    ws_loop_free(loop);
    CHECK_INT(open_files(), base);
}

/* ---- freeing at the worst moment ---- */

#define LIVE_MAX 32
static ws_conn *live[LIVE_MAX], *freed[LIVE_MAX];
static int live_n, freed_n, free_when, free_whom, free_done;

static void live_drop(ws_conn *c)
{
    int i;
    for (i = 0; i < live_n; i++) if (live[i] == c) { live[i] = live[--live_n]; return; }
}

static void free_one(ws_conn *c)
{
    live_drop(c);
    freed[freed_n++] = c;
    ws_free(c);
}

static void free_hook(const ws_event *ev)
{
    int i, known = 0;

    for (i = 0; i < live_n; i++) known |= live[i] == ev->conn;
    for (i = 0; i < freed_n; i++) {
        if (freed[i] != ev->conn) continue;
        if (known || ev->type == WS_EV_OPEN || ev->type == WS_EV_HTTP) freed[i] = NULL;
        else CHECK(!"an event of a freed connection");
    }
    if (!known) live[live_n++] = ev->conn;
    if (ev->type == free_when && !free_done && (free_when != WS_EV_OPEN || live_n > 3)) {
        free_done = 1;
        if (free_whom == 0) { free_one(ev->conn); return; }
        if (free_whom == 1) {
            for (i = 0; i < live_n; i++)
                if (live[i] != ev->conn) {
                    free_one(live[i]);
                    break;
                }
        } else {
            while (live_n) free_one(live[0]);
            return;
        }
    }
    if (ev->type == WS_EV_CLOSE) live_drop(ev->conn);
}

TEST(free_inside_any_event)
{
    static const int when[] = { WS_EV_OPEN, WS_EV_MESSAGE, WS_EV_PING, WS_EV_PONG,
                                WS_EV_WRITABLE, WS_EV_HTTP, WS_EV_CLOSE };
    enum { N = 4 };
    int port, base = open_files(), w, k;
    static char block[60000];

    for (w = 0; w < (int)(sizeof when / sizeof *when); w++)
        for (free_whom = 0; free_whom < 3; free_whom++) {
            heap h = { 0 };
            ws_config cfg;
            ws_loop *loop;
            raw r[N], extra[N];
            char url[80];

            memset(&cfg, 0, sizeof cfg);
            cfg.alloc = heap_alloc;
            cfg.alloc_user = &h;
            cfg.max_backlog = 200000;
            loop = serve("127.0.0.1:0", &cfg, &port);
            live_n = freed_n = free_done = 0;
            free_when = -1;
            hook = free_hook;
            echoing = 0;
            for (k = 0; k < N; k++) r[k] = raw_client(loop, port, 0);
            snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
            ws_dial(loop, url, &cfg);
            UNTIL(loop, V[1].open == 1 && V[0].open == N + 1, 2000);
            CHECK_INT(live_n, N + 2);
            free_when = when[w];
            for (k = 0; k < N; k++) {
                extra[k].fd = -1;
                extra[k].buf = NULL;
                switch (when[w]) {
                case WS_EV_MESSAGE:
                    raw_frame(&r[k], 0x81, "first", 5);
                    raw_frame(&r[k], 0x82, "second", 6);
                    break;
                case WS_EV_PING: raw_frame(&r[k], 0x89, "p", 1); break;
                case WS_EV_PONG: raw_frame(&r[k], 0x8a, "p", 1); break;
                case WS_EV_CLOSE: raw_frame(&r[k], 0x88, "\x03\xe8", 2); break;
                case WS_EV_OPEN:
                case WS_EV_HTTP:
                    extra[k] = raw_connect(port, 0);
                    raw_puts(&extra[k], when[w] == WS_EV_OPEN ? REQUEST
                             : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    break;
                default: break;
                }
            }
            if (when[w] == WS_EV_WRITABLE) {
                int i, e = 0;
                for (k = 0; k < live_n; k++)
                    for (i = 0, e = 0; i < 500 && !e; i++) {
                        e = ws_send(live[k], WS_OP_BINARY, block, sizeof block);
                        if (i % 4 == 3) { /* nothing but what the client end was sent */
                            int before = V[1].message;
                            CHECK(turn(loop, 0) <= 0 || free_done ||
                                  V[1].message > before);
                        }
                        if (free_done) break;
                    }
                for (i = 0; i < 300 && !free_done; i++) {
                    for (k = 0; k < N; k++) { raw_pull(&r[k]); r[k].n = 0; }
                    turn(loop, 1);
                }
            }
            UNTIL(loop, free_done, 2000);
            for (k = 0; k < 60; k++) {
                int i;
                for (i = 0; i < N; i++) { raw_pull(&r[i]); r[i].n = 0; }
                if (k == 30 && when[w] == WS_EV_HTTP) /* else the loop lingers for them */
                    for (i = 0; i < N; i++) raw_close(&extra[i]);
                turn(loop, 1);
            }
            settle(loop, 5);
            CHECK_INT(ws_loop_count(loop), live_n);
            if (test_faults) printf("    event %d, whom %d\n", when[w], free_whom);
            ws_loop_free(loop);
            CHECK_INT(h.now, 0);
            for (k = 0; k < N; k++) { raw_close(&r[k]); raw_close(&extra[k]); }
            CHECK_INT(open_files(), base);
            if (test_faults) return;
        }
}

TEST(loop_free_with_live_connections)
{
    int port, base = open_files(), lp, lfd = raw_listen(&lp), i;
    heap h = { 0 };
    ws_config cfg;
    ws_loop *loop;
    raw r[6];
    char url[80];
    static char block[100000];

    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    loop = serve("127.0.0.1:0", &cfg, &port);
    echoing = 0;
    r[0] = raw_client(loop, port, 0);           /* idle */
    r[1] = raw_client(loop, port, 2048);        /* backlog */
    for (i = 0; i < 80; i++) {
        ws_send(V[0].conn, WS_OP_BINARY, block, sizeof block);
        turn(loop, 0);
    }
    r[2] = raw_client(loop, port, 0);           /* closing */
    ws_close(V[0].conn, 1000, NULL);
    r[3] = raw_client(loop, port, 0);           /* in mid message */
    raw_put(&r[3], "\x82\xfe\x10\x00", 4);
    r[4] = raw_connect(port, 0);                /* in mid head */
    raw_puts(&r[4], "GET / HT");
    r[5] = raw_client(loop, port, 0);           /* messages not pulled */
    for (i = 0; i < 50; i++) raw_frame(&r[5], 0x82, block, 1000);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", lp);
    ws_dial(loop, url, &cfg);                   /* connecting */
    for (i = 0; i < 10; i++) turn(loop, 2);
    CHECK_INT(ws_loop_count(loop), 7);
    ws_loop_free(loop);
    CHECK_INT(h.now, 0);
    for (i = 0; i < 6; i++) {
        int k;
        for (k = 0; k < 200 && !raw_ended(&r[i]); k++) { r[i].n = 0; sleep_ms(5); }
        CHECK(r[i].eof);
        raw_close(&r[i]);
    }
    close(lfd);
    CHECK_INT(open_files(), base);
}

/* ---- threats ---- */

/* A request that trickles in is cut at the deadline, whatever its pace. */
TEST(sec_A20_slow_handshake)
{
    int port, lfd, i = 0;
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    raw r;
    uint64_t t, next, took;
    char url[80];

    memset(&cfg, 0, sizeof cfg);
    cfg.handshake_timeout = 200;
    loop = serve("127.0.0.1:0", &cfg, &port);
    t = next = now_ms();
    r = raw_connect(port, 0);
    while (!raw_ended(&r) && now_ms() - t < 3000) {
        if (now_ms() >= next && i < (int)sizeof REQUEST - 20) {
            raw_put(&r, &REQUEST[i++], 1);
            next += 15;
        }
        turn(loop, 3);
    }
    took = now_ms() - t;
    CHECK(r.eof);
    CHECK(took >= 190 && took < 500);
    if (took < 190 || took >= 500) printf("    took %d ms\n", (int)took);
    UNTIL(loop, V[0].close == 1, 1000);
    CHECK_INT(V[0].error, WS_ERR_HANDSHAKE_TIMEOUT);
    CHECK_INT(V[0].open, 0);
    raw_close(&r);
    settle(loop, 5);
    CHECK_INT(ws_loop_count(loop), 0);

    fresh();                                    /* nothing sent at all */
    t = now_ms();
    r = raw_connect(port, 0);
    UNTIL(loop, raw_ended(&r), 1500);
    took = now_ms() - t;
    CHECK(took >= 190 && took < 500);
    raw_close(&r);
    ws_loop_free(loop);

    lfd = raw_listen(&port);                    /* a server that never answers a client */
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    t = now_ms();
    c = ws_connect(url, &cfg);
    took = now_ms() - t;
    CHECK_INT(ws_error(c), WS_ERR_HANDSHAKE_TIMEOUT);
    CHECK(took >= 190 && took < 500);
    ws_free(c);
    close(lfd);
}

/* A peer that has vanished is noticed; one that only answers pings stays. */
TEST(sec_D8_silent_peer)
{
    int port, lfd, pings = 0;
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    raw r, q;
    uint64_t t, took;
    char url[80];

    memset(&cfg, 0, sizeof cfg);
    cfg.ping_interval = 120;
    cfg.ping_timeout = 130;
    loop = serve("127.0.0.1:0", &cfg, &port);
    r = raw_client(loop, port, 0);
    t = now_ms();
    q = raw_client(loop, port, 0);
    while (now_ms() - t < 800) {
        turn(loop, 2);
        raw_pull(&q);
        while (q.n >= 2 && (q.buf[0] == 0x89) && q.n >= 2u + q.buf[1]) {
            raw_frame(&q, 0x8a, q.buf + 2, q.buf[1]);
            raw_drop(&q, 2u + q.buf[1]);
            pings++;
        }
    }
    CHECK_INT(V[0].close, 1);
    CHECK_INT(V[0].error, WS_ERR_PING_TIMEOUT);
    CHECK_INT(V[0].code, WS_CLOSE_ABNORMAL);
    CHECK(raw_ended(&r));
    CHECK(r.n >= 2 && r.buf[0] == 0x89);
    CHECK(pings >= 4 && pings <= 8);
    CHECK(!raw_ended(&q));
    CHECK_INT(ws_loop_count(loop), 1);
    raw_close(&r);
    raw_close(&q);
    ws_loop_free(loop);

    fresh();                                    /* the same for a client */
    lfd = raw_listen(&port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    c = ws_open(url, &cfg);
    r = raw_accept(lfd, c);
    t = now_ms();
    while (!ws_done(c) && now_ms() - t < 2000) own_turn(c, 500);
    took = now_ms() - t;
    CHECK_INT(V[1].error, WS_ERR_PING_TIMEOUT);
    CHECK(took >= 230 && took < 600);
    if (took < 230 || took >= 600) printf("    took %d ms\n", (int)took);
    ws_free(c);
    raw_close(&r);
    close(lfd);
}

/* Closing handshakes that stall, from either side, end in time with one CLOSE. */
TEST(sec_D4_close_stalls)
{
    int port, base = open_files(), lfd;
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    raw r;
    uint64_t t, took;
    char url[80];

    memset(&cfg, 0, sizeof cfg);
    cfg.close_timeout = 200;
    loop = serve("127.0.0.1:0", &cfg, &port);

    r = raw_client(loop, port, 0);              /* we close, the peer is silent */
    t = now_ms();
    CHECK_INT(ws_close(V[0].conn, 1001, "go"), 0);
    UNTIL(loop, V[0].close, 2000);
    took = now_ms() - t;
    CHECK(took >= 190 && took < 500);
    CHECK_INT(V[0].error, WS_ERR_CLOSE_TIMEOUT);
    CHECK_INT(V[0].code, WS_CLOSE_ABNORMAL);
    CHECK_INT(V[0].clean, 0);
    UNTIL(loop, raw_ended(&r), 500);
    CHECK(r.n == 6 && !memcmp(r.buf, "\x88\x04\x03\xe9go", 6));
    raw_close(&r);

    fresh();                                    /* the peer closes and leaves TCP open */
    r = raw_client(loop, port, 0);
    t = now_ms();
    raw_frame(&r, 0x88, "\x0b\xb8" "why", 5);
    UNTIL(loop, V[0].close, 2000);
    CHECK_INT(V[0].code, 3000);
    CHECK_STR(V[0].reason, "why");
    CHECK_INT(V[0].clean, 1);
    CHECK_INT(V[0].error, 0);
    UNTIL(loop, raw_ended(&r), 500);
    CHECK(now_ms() - t < 500);
    CHECK(r.n >= 4 && !memcmp(r.buf + 2, "\x0b\xb8", 2) && r.buf[0] == 0x88);
    raw_close(&r);

    fresh();                                    /* FIN without Close */
    r = raw_client(loop, port, 0);
    raw_close(&r);
    UNTIL(loop, V[0].close, 1000);
    CHECK_INT(V[0].code, WS_CLOSE_ABNORMAL);
    CHECK_INT(V[0].error, WS_ERR_EOF);
    CHECK_INT(V[0].clean, 0);

    fresh();                                    /* half close after a message */
    r = raw_client(loop, port, 0);
    raw_frame(&r, 0x81, "last", 4);
    shutdown(r.fd, SHUT_WR);
    UNTIL(loop, V[0].close, 1000);
    CHECK_INT(V[0].message, 1);
    CHECK_STR(V[0].text, "last");
    UNTIL(loop, raw_ended(&r), 1000);
    raw_close(&r);

    fresh();                                    /* Close frames cross */
    r = raw_client(loop, port, 0);
    raw_frame(&r, 0x88, "\x03\xe8", 2);
    ws_close(V[0].conn, 1001, NULL);
    UNTIL(loop, V[0].close, 1000);
    CHECK_INT(V[0].clean, 1);
    CHECK_INT(V[0].code, 1000);
    UNTIL(loop, raw_ended(&r), 500);
    CHECK_INT(r.n, 4);
    raw_close(&r);

    fresh();                                    /* FIN in mid head: no OPEN, one CLOSE */
    r = raw_connect(port, 0);
    raw_puts(&r, "GET / HTTP/1.1\r\nHo");
    turn(loop, 20);
    raw_close(&r);
    UNTIL(loop, V[0].close, 1000);
    CHECK_INT(V[0].open, 0);
    CHECK(V[0].error != 0);

    fresh(); /* we close, the peer sends on, never Close */
    r = raw_client(loop, port, 0);
    ws_close(V[0].conn, 1000, NULL);
    t = now_ms();
    while (!V[0].close && now_ms() - t < 1500) {
        raw_frame(&r, 0x81, "talk", 4);
        turn(loop, 5);
    }
    CHECK_INT(V[0].close, 1);
    CHECK(now_ms() - t < 500);
    raw_close(&r);
    settle(loop, 10);
    CHECK_INT(ws_loop_count(loop), 0);
    ws_loop_free(loop);

    lfd = raw_listen(&port); /* client: the server answers but no FIN */
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    fresh();
    c = ws_open(url, &cfg);
    r = raw_accept(lfd, c);
    ws_close(c, 1000, NULL);
    own_turn(c, 5);
    raw_put(&r, "\x88\x02\x03\xe8", 4);
    t = now_ms();
    while (!ws_done(c) && now_ms() - t < 2000) own_turn(c, 100);
    CHECK_INT(V[1].close, 1);
    CHECK_INT(V[1].clean, 1);
    CHECK_INT(V[1].code, 1000);
    CHECK(now_ms() - t < 500);
    ws_free(c);
    raw_close(&r);
    close(lfd);
    CHECK_INT(open_files(), base);
}

TEST(connect_and_close_1000_times)
{
    int port, base = open_files(), i, inside;
    heap h = { 0 };
    size_t level = 0;
    ws_config cfg;
    ws_loop *loop;
    char url[80];

    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    loop = serve("127.0.0.1:0", &cfg, &port);
    inside = open_files();
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    for (i = 0; i < 1000; i++) {
        raw r;
        fresh();
        switch (i % 5) {
        case 0:
            r = raw_client(loop, port, 0);
            raw_frame(&r, 0x88, "\x03\xe8", 2);
            UNTIL(loop, V[0].close == 1, 1000);
            raw_close(&r);
            break;
        case 1:
            r = raw_client(loop, port, 0);
            raw_frame(&r, 0x81, "x", 1);
            raw_reset(&r);
            UNTIL(loop, V[0].close == 1, 1000);
            break;
        case 2:
            r = raw_connect(port, 0);
            raw_close(&r);
            UNTIL(loop, V[0].close == 1, 1000);
            break;
        case 3:
            hook = dial_hook;
            dial_echoes = 100;
            ws_dial(loop, url, &cfg);
            UNTIL(loop, V[0].close == 1 && V[1].close == 1, 1000);
            break;
        default:
            r = raw_client(loop, port, 0);
            ws_free(V[0].conn);
            UNTIL(loop, raw_ended(&r), 1000);
            raw_close(&r);
        }
        if (i == 300) { settle(loop, 2); level = h.now; }    /* its cache is full now */
        if (test_faults) break;
    }
    settle(loop, 5);
    CHECK_INT(ws_loop_count(loop), 0);
    CHECK_INT(open_files(), inside);
    CHECK(h.now <= level + 4096);
    ws_loop_free(loop);
    CHECK_INT(h.now, 0);
    CHECK_INT(open_files(), base);
}

/* A peer that never reads: refused at the cap, heap flat, the others unharmed. */
TEST(sec_G2_slow_reader)
{
    enum { N = 20 };
    int port, i, e, refused = 0, taken = 0;
    heap h = { 0 };
    size_t flat, early = 0;
    ws_config cfg;
    ws_loop *loop;
    ws_conn *stuck;
    raw r, ok[N];
    static char block[1000];
    uint64_t t;

    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    cfg.max_backlog = 256 * 1024;
    loop = serve("127.0.0.1:0", &cfg, &port);
    r = raw_client(loop, port, 2048);
    stuck = V[0].conn;
    for (i = 0; i < N; i++) ok[i] = raw_client(loop, port, 0);
    flat = h.now;
    for (i = 0; i < 1000000; i++) {
        e = ws_send(stuck, WS_OP_BINARY, block, sizeof block);
        if (e == WS_ERR_BACKLOG) refused++;
        else { CHECK_INT(e, 0); taken++; }
        if (i % 64 == 63 && (refused < 1000 || i % 4096 == 4095)) turn(loop, 0);
        if (refused == 1000) early = h.peak;
    }
    CHECK(refused > 900000);
    CHECK(taken > 100);
    CHECK(h.peak == early);     /* flat from the first refusals on */
    CHECK(h.peak - flat <=
          4u * cfg.max_backlog); /* half of it: spare blocks of the loop */
    if (h.peak - flat > 4u * cfg.max_backlog)
        printf("    %d KiB heap for a backlog of 256 KiB\n",
               (int)((h.peak - flat) >> 10));
    CHECK_INT(ws_error(stuck), 0);
    CHECK(ws_buffered(stuck) <= cfg.max_backlog);
    for (i = 0; i < 10; i++)
        CHECK_INT(ws_broadcast(loop, NULL, WS_OP_TEXT, "news", 4) >= N, 1);
    settle(loop, 10);
    for (i = 0; i < N; i++) {
        CHECK_INT(raw_got(&ok[i]), 60);
        raw_close(&ok[i]);
    }
    CHECK_INT(V[0].writable, 0);
    t = now_ms();                               /* it starts to read: WRITABLE, once */
    while (!V[0].writable && now_ms() - t < 5000) {
        raw_pull(&r);
        r.n = 0;
        turn(loop, 1);
    }
    CHECK_INT(V[0].writable, 1);
    CHECK_INT(ws_send(stuck, WS_OP_BINARY, block, sizeof block), 0);
    raw_close(&r);
    UNTIL(loop, V[0].close == N + 1, 2000);
    ws_loop_free(loop);
    CHECK_INT(h.now, 0);

    /* The same peer floods us with messages and pings to be answered. */
    memset(&h, 0, sizeof h);
    loop = serve("127.0.0.1:0", &cfg, &port);
    r = raw_client(loop, port, 2048);
    flat = h.now;
    for (i = 0; i < 20000; i++) {
        raw_frame(&r, i & 1 ? 0x89 : 0x82, block, i & 1 ? 100 : 1000);
        if (i % 8 == 7) turn(loop, 0);
    }
    for (i = 0; i < 100; i++) turn(loop, 0);
    CHECK(h.peak - flat <= 3u * cfg.max_backlog);
    CHECK_INT(V[0].close, 0);
    raw_reset(&r);
    UNTIL(loop, V[0].close == 1, 2000);
    ws_loop_free(loop);
    CHECK_INT(h.now, 0);
}

/* Megabytes echoed through a receive window of a few KiB: short writes everywhere. */
TEST(echo_through_a_tiny_window)
{
    enum { COUNT = 3, SIZE = 1 << 20 };
    int port, k;
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);
    raw r = raw_client(loop, port, 4096);
    unsigned char *tx = (unsigned char *)malloc(COUNT * (SIZE + 14u));
    unsigned char *body = (unsigned char *)malloc(SIZE);
    size_t txn = 0, off = 0, got = 0, i;
    uint64_t end = now_ms() + 20000;
    int wrong = 0;

    for (k = 0; k < COUNT; k++) {
        fill(body, SIZE, (size_t)k);
        txn += raw_build(tx + txn, 0x82, body, SIZE, KEY);
    }
    while (got < COUNT * (SIZE + 10u) && now_ms() < end && !r.eof) {
        if (off < txn) {
            ssize_t w = send(r.fd, tx + off, txn - off, MSG_NOSIGNAL);
            if (w > 0) off += (size_t)w;
        }
        turn(loop, 0);
        raw_pull(&r);
        for (i = 0; i < r.n; i++, got++) {
            size_t at = got % (SIZE + 10u);
            if (at >= 10) wrong += r.buf[i] != pattern(got / (SIZE + 10u), at - 10);
            else wrong += r.buf[i] != (unsigned char)"\x82\x7f\0\0\0\0\0\x10\0\0"[at];
        }
        r.n = 0;
    }
    CHECK_INT(got, COUNT * (SIZE + 10u));
    CHECK_INT(wrong, 0);
    CHECK_INT(V[0].message, COUNT);
    raw_close(&r);
    ws_loop_free(loop);
    free(tx);
    free(body);
}

/* Frames of all sizes, cut at random, thousands pipelined. */
TEST(echo_of_many_sizes)
{
    int port, wrong = 0, k;
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);
    raw r = raw_client(loop, port, 0);
    enum { COUNT = 1500 };
    size_t *size = (size_t *)malloc(COUNT * sizeof *size), total = 0, txn = 0, off = 0,
           want = 0;
    unsigned char *tx, *body = (unsigned char *)malloc(70000), *expect;
    uint64_t end;
    uint32_t seed = 12345;

    for (k = 0; k < COUNT; k++) {
        seed = seed * 1664525u + 1013904223u;
        size[k] = (seed >> 8) % (k % 50 == 0 ? 69000u : k % 7 == 0 ? 5000u : 140u);
        total += size[k] + 14;
    }
    tx = (unsigned char *)malloc(total);
    expect = (unsigned char *)malloc(total);
    for (k = 0; k < COUNT; k++) {
        fill(body, size[k], (size_t)k);
        txn += raw_build(tx + txn, 0x82, body, size[k], KEY);
        want += raw_build(expect + want, 0x82, body, size[k], NULL);
    }
    CHECK(want < RAW_MAX);
    end = now_ms() + 20000;
    while (raw_got(&r) < want && now_ms() < end && !r.eof) {
        if (off < txn) {
            size_t n;
            ssize_t w;
            seed = seed * 1664525u + 1013904223u;
            n = (seed >> 8) % 40000u + 1;
            w = send(r.fd, tx + off, n < txn - off ? n : txn - off, MSG_NOSIGNAL);
            if (w > 0) off += (size_t)w;
        }
        turn(loop, 0);
    }
    CHECK_INT(r.n, want);
    wrong = r.n == want ? memcmp(r.buf, expect, want) : 1;
    CHECK_INT(wrong, 0);
    CHECK_INT(V[0].message, COUNT);
    raw_close(&r);
    ws_loop_free(loop);
    free(size);
    free(tx);
    free(expect);
    free(body);
}

/* A reset in mid frame with SIGPIPE at its default must not kill the process. */
TEST(sec_H3_reset_and_sigpipe)
{
    int port, i, lfd;
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);
    ws_conn *c;
    ws_event ev;
    static char block[60000];
    char url[80];

    signal(SIGPIPE, SIG_DFL);
    for (i = 0; i < 10; i++) {
        raw r = raw_client(loop, port, 0);
        ws_conn *s = V[0].conn;
        int k, closes = V[0].close;

        raw_put(&r, "\x82\xfe\x10\x00\x01\x02\x03\x04half", 12);
        if (i & 1) turn(loop, 5);
        raw_reset(&r);
        sleep_ms(2);
        for (k = 0; k < 5; k++) ws_send(s, WS_OP_BINARY, block, sizeof block);
        UNTIL(loop, V[0].close > closes, 1000);
        CHECK_INT(V[0].code, WS_CLOSE_ABNORMAL);
        CHECK(V[0].error == WS_ERR_IO || V[0].error == WS_ERR_EOF);
        settle(loop, 2);
    }
    CHECK_INT(ws_loop_count(loop), 0);
    ws_loop_free(loop);

    lfd = raw_listen(&port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    for (i = 0; i < 5; i++) {
        raw r;
        int k, closes = 0;
        fresh();
        c = ws_open(url, NULL);
        r = raw_accept(lfd, c);
        raw_put(&r, "\x82\x7e\x10\x00half", 8);
        raw_reset(&r);
        sleep_ms(2);
        for (k = 0; k < 20; k++) {
            ws_send(c, WS_OP_BINARY, block, sizeof block);
            ws_step(c);
            while (ws_next(c, &ev) > 0) closes += ev.type == WS_EV_CLOSE;
        }
        CHECK_INT(closes, 1);
        CHECK(ws_error(c) == WS_ERR_IO || ws_error(c) == WS_ERR_EOF);
        ws_free(c);
    }
    close(lfd);
}

/* Out of descriptors: no spinning, and service again as soon as some are free. */
TEST(sec_H4_accept_without_descriptors)
{
    enum { N = 200 };
    shared *s = share();
    pid_t pid;
    int fd[N], i, served;
    struct sockaddr_in a;
    uint64_t t;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        struct rlimit lim = { 64, 64 };
        struct rusage u0, u1;
        ws_event ev;
        ws_loop *loop = ws_loop_new(NULL);
        long polls = 0;
        int last = 0, l = ws_listen(loop, "127.0.0.1:0", NULL);

        alarm(60);
        setrlimit(RLIMIT_NOFILE, &lim);
        s->port = l < 0 ? -1 : ws_listen_port(loop, l);
        s->answer = 1;
        for (;;) {
            int r = ws_poll(loop, &ev, 50);
            if (r < 0) _exit(1);
            polls++;
            if (!r) ev.type = WS_EV_NONE;
            if (ev.type == WS_EV_OPEN) s->opens++;
            if (ev.type == WS_EV_CLOSE) s->closes++;
            if (s->command == last) continue;
            last = s->command;
            if (last == 1) { getrusage(RUSAGE_SELF, &u0); polls = 0; }
            else {
                getrusage(RUSAGE_SELF, &u1);
                s->cpu_ms = (u1.ru_utime.tv_sec - u0.ru_utime.tv_sec
                             + u1.ru_stime.tv_sec - u0.ru_stime.tv_sec) * 1000
                          + (u1.ru_utime.tv_usec - u0.ru_utime.tv_usec
                             + u1.ru_stime.tv_usec - u0.ru_stime.tv_usec) / 1000;
                s->polls = polls;
            }
            s->answer = last + 1;
        }
    }
    while (!s->answer) sleep_ms(1);
    a = loopback(s->port);
    for (i = 0; i < N; i++) {
        fd[i] = raw_socket(0);
        nonblocking(fd[i]);
        connect(fd[i], (struct sockaddr *)&a, sizeof a);
        send(fd[i], REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL);
    }
    for (t = now_ms(); s->opens < 40 && now_ms() - t < 3000;) sleep_ms(5);
    sleep_ms(100);
    served = s->opens;
    CHECK(served >= 40 && served < 64);
    s->command = 1;
    sleep_ms(1200);
    s->command = 2;
    for (t = now_ms(); s->answer != 3 && now_ms() - t < 3000;) sleep_ms(5);
    CHECK_INT(s->answer, 3);
    printf("  out of descriptors: %ld wakeups of ws_poll and %ld ms CPU in 1.2 s\n",
           s->polls, s->cpu_ms);
    CHECK(s->cpu_ms < 60);
    CHECK(s->polls < 200);
    CHECK_INT(waitpid(pid, NULL, WNOHANG), 0);
    for (i = 0; i < served; i++) close(fd[i]);
    for (t = now_ms(); s->opens < served + 30 && now_ms() - t < 3000;) sleep_ms(5);
    CHECK(s->opens >= served + 30);
    CHECK(now_ms() - t < 1200);
    for (i = served; i < N; i++) close(fd[i]);
    reap(pid);
}

/* Descriptor numbers that select() could not take. */
TEST(sec_H6_high_descriptors)
{
    struct rlimit lim;
    shared *s = share();
    pid_t pid = spawn_echo("127.0.0.1:0", s);
    int *held, n = 0, port, base = open_files();
    char url[80];
    ws_loop *loop;
    raw r;

    getrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_max != RLIM_INFINITY && lim.rlim_max < 1700) {
        printf("SKIP sec_H6: at most %ld descriptors here\n", (long)lim.rlim_max);
        reap(pid);
        return;
    }
    lim.rlim_cur = 1700;
    setrlimit(RLIMIT_NOFILE, &lim);
    held = (int *)malloc(1700 * sizeof *held);
    while (n < 1700) {
        held[n] = open("/dev/null", O_RDONLY);
        if (held[n] < 0 || held[n] > 1500) { n += held[n] >= 0; break; }
        n++;
    }
    CHECK(n > 1024);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", s->port);
    converse(url);
    loop = serve("127.0.0.1:0", NULL, &port);
    r = raw_client(loop, port, 0);
    CHECK(r.fd > 1024);
    raw_frame(&r, 0x81, "high", 4);
    UNTIL(loop, raw_got(&r) == 6, 1000);
    ws_dial(loop, url, NULL);
    UNTIL(loop, V[1].open == 1, 1000);
    raw_close(&r);
    ws_loop_free(loop);
    while (n) close(held[--n]);
    free(held);
    CHECK_INT(open_files(), base);
    reap(pid);
}

/* ---- cfg.io: a transport that misbehaves on purpose ---- */

/* Two byte queues between a client with cfg.io and a server engine. At call number `at`
   the transport does `what` instead of its work. */
enum {
    BAD_NONE,
    BAD_ERROR,
    BAD_END,
    BAD_SHORT,
    BAD_WANT_READ,
    BAD_WANT_WRITE,
    BAD_KINDS
};

typedef struct wire {
    ws_conn *server;
    unsigned char up[200000], down[200000];     /* to the server, to the client */
    size_t up_n, down_n;
    long calls, at;
    int what, closes, again; /* again: repeat `what` on every call after */
    int ended, flip;
} wire;

static void wire_carry(wire *w)
{
    ws_event ev;
    size_t n;
    const void *p;

    for (;;) {
        size_t k = ws_feed(w->server, w->up, w->up_n);
        memmove(w->up, w->up + k, w->up_n - k);
        w->up_n -= k;
        n = 0;
        while (ws_next(w->server, &ev) > 0) {
            n = 1;
            if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
        }
        if (!n && !k) break;
    }
    p = ws_output(w->server, &n);
    while (n) {
        if (n > sizeof w->down - w->down_n) n = sizeof w->down - w->down_n;
        if (!n) break;
        memcpy(w->down + w->down_n, p, n);
        w->down_n += n;
        ws_output_done(w->server, n);
        p = ws_output(w->server, &n);
    }
    if (ws_finished(w->server)) w->ended = 1;
}

/* The result instead of work for this call, or 1 to work. */
static int wire_fault(wire *w, size_t *n)
{
    long k = ++w->calls;
    int hit = k == w->at || (w->again && k > w->at && (k - w->at) % 3 == 0);

    if (!hit) return 1;
    switch (w->what) {
    case BAD_ERROR: return WS_IO_ERROR;
    case BAD_END: return 0;
    case BAD_SHORT: *n = 1; return 1;
    case BAD_WANT_READ: return WS_IO_WANT_READ;
    case BAD_WANT_WRITE: return WS_IO_WANT_WRITE;
    default: return 1;
    }
}

static ptrdiff_t wire_read(void *user, void *bytes, size_t n)
{
    wire *w = (wire *)user;
    int f = wire_fault(w, &n);

    if (f < 1) return f;
    wire_carry(w);
    if (!w->down_n) return w->ended ? 0 : WS_IO_WANT_READ;
    if (n > w->down_n) n = w->down_n;
    memcpy(bytes, w->down, n);
    memmove(w->down, w->down + n, w->down_n - n);
    w->down_n -= n;
    return (ptrdiff_t)n;
}

static ptrdiff_t wire_write(void *user, const void *bytes, size_t n)
{
    wire *w = (wire *)user;
    int f = wire_fault(w, &n);

    if (f < 1) return f;
    if (n > sizeof w->up - w->up_n) n = sizeof w->up - w->up_n;
    memcpy(w->up + w->up_n, bytes, n);
    w->up_n += n;
    wire_carry(w);
    return (ptrdiff_t)n;
}

static void wire_close(void *user) { ((wire *)user)->closes++; }

/* One conversation; returns the calls it took. own: driven by ws_step, else by
   ws_recv. */
static long wire_run(int what, long at, int again, int own)
{
    static wire w;
    static char block[3000];
    ws_config cfg;
    ws_conn *c;
    ws_event ev;
    heap h = { 0 };
    int i, closes = 0, late = 0, messages = 0, clean = 0, error = 0;

    memset(&w, 0, sizeof w);
    memset(&cfg, 0, sizeof cfg);
    w.what = what;
    w.at = at;
    w.again = again;
    w.server = ws_server_new(NULL);
    cfg.io.read = wire_read;
    cfg.io.write = wire_write;
    cfg.io.close = wire_close;
    cfg.io.user = &w;
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    cfg.close_timeout = 500;
    c = own ? ws_open("ws://in.memory/", &cfg) : ws_connect("ws://in.memory/", &cfg);
    CHECK(c != NULL);
    for (i = 0; i < 3000 && !ws_done(c); i++) {
        int r;
        if (own) { ws_step(c); r = ws_next(c, &ev); }
        else r = ws_recv(c, &ev, 20);
        if (r <= 0) { if (own) sleep_ms(ws_timeout(c) > 0 ? 1 : 0); continue; }
        late += closes;
        if (ev.type == WS_EV_OPEN) {
            ws_send_text(c, "small");
            ws_send(c, WS_OP_BINARY, block, sizeof block);
            ws_ping(c, "p", 1);
        }
        if (ev.type == WS_EV_MESSAGE && ++messages == 2) ws_close(c, 1000, NULL);
        if (ev.type == WS_EV_CLOSE) { closes++; clean = ev.clean; error = ev.error; }
    }
    CHECK_INT(closes, 1);
    CHECK_INT(late, 0);
    if (what != BAD_ERROR && what != BAD_END) {
        CHECK_INT(messages, 2);
        CHECK_INT(clean, 1);
        CHECK_INT(error, 0);
    } else if (!clean && w.calls >= at) CHECK(error < 0);
    ws_free(c);
    CHECK_INT(w.closes, 1);
    CHECK_INT(h.now, 0);
    ws_free(w.server);
    if (test_faults)
        printf("    fault kind %d at call %ld of %ld, again %d, own %d\n", what, at,
               w.calls, again, own);
    return w.calls;
}

TEST(sec_H5_io_faults_at_every_call)
{
    int own, what, again;
    long at, n;

    for (own = 0; own < 2; own++) {
        n = wire_run(BAD_NONE, 0, 0, own);
        CHECK(n >= 6);
        for (what = BAD_ERROR; what < BAD_KINDS; what++)
            for (again = 0; again < 2; again++)
                for (at = 1; at <= n && at < 60 && !test_faults; at++)
                    wire_run(what, at, again, own);
    }
}

/* A blocking read function over a socketpair: the library must not ask for more bytes
   than the protocol owes it, or this hangs. */
static ptrdiff_t pair_read(void *user, void *bytes, size_t n)
{
    ssize_t k = read(*(int *)user, bytes, n);
    return k < 0 ? WS_IO_ERROR : (ptrdiff_t)k;
}

static ptrdiff_t pair_write(void *user, const void *bytes, size_t n)
{
    ssize_t k = write(*(int *)user, bytes, n > 7 ? n / 2 : n);
    return k < 0 ? WS_IO_ERROR : (ptrdiff_t)k;
}

static void pair_close(void *user)
{
    close(*(int *)user);
    *(int *)user = -1;
}

TEST(io_blocking_over_socketpair)
{
    int fd[2], got = 0;
    pid_t pid;
    ws_config cfg;
    ws_conn *c;
    ws_event ev;
    static unsigned char big[200000];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    fflush(stdout);
    pid = fork();
    if (!pid) {
        ws_conn *s;
        close(fd[1]);
        alarm(30);
        s = ws_adopt(NULL, fd[0], NULL, 0, NULL);
        while (!ws_done(s)) own_turn(s, 1000);
        _exit(0);
    }
    close(fd[0]);
    fill(big, sizeof big, 9);
    memset(&cfg, 0, sizeof cfg);
    cfg.io.read = pair_read;
    cfg.io.write = pair_write;
    cfg.io.close = pair_close;
    cfg.io.user = &fd[1];
    alarm(20);                  /* a hang is a failure with a name */
    c = ws_connect("ws://pair/", &cfg);
    CHECK_INT(ws_error(c), 0);
    CHECK_INT(ws_send_text(c, "hi"), 0);
    while (ws_recv(c, &ev, 5000) > 0) {
        if (ev.type != WS_EV_MESSAGE) continue;
        if (got++ == 0) {
            CHECK_INT(ev.size, 2);
            ws_send(c, WS_OP_BINARY, big, sizeof big);
        } else {
            CHECK(ev.size == sizeof big && !memcmp(ev.data, big, sizeof big));
            ws_close(c, 1000, NULL);
        }
    }
    alarm(0);
    CHECK_INT(got, 2);
    CHECK_INT(ws_error(c), 0);
    ws_free(c);
    CHECK_INT(fd[1], -1);
    waitpid(pid, NULL, 0);
}

/* ---- cost ---- */

TEST(no_allocation_per_message)
{
    static const size_t sizes[] = { 20, 16384 };
    static unsigned char tx[17000], body[16384];
    int port, k, i;
    heap h = { 0 };
    ws_config cfg;
    ws_loop *loop;
    raw r;

    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &h;
    loop = serve("127.0.0.1:0", &cfg, &port);
    r = raw_client(loop, port, 0);
    for (k = 0; k < 2; k++) {
        size_t n = sizes[k], out, want = n + (n < 126 ? 2u : 4u);
        long before = 0;
        fill(body, n, 5);
        out = raw_build(tx, 0x82, body, n, KEY);
        for (i = 0; i < 1050; i++) {
            if (i == 50) before = h.calls;
            raw_put(&r, tx, out);
            UNTIL(loop, raw_got(&r) >= want, 1000);
            CHECK(r.n == want && !memcmp(r.buf + want - n, body, n));
            r.n = 0;
            if (test_faults) break;
        }
        CHECK_INT(h.calls - before, 0);
        if (h.calls != before)
            printf("    %ld calls for 1000 messages of %d bytes\n", h.calls - before,
                   (int)n);
    }
    raw_close(&r);
    ws_loop_free(loop);
    CHECK_INT(h.now, 0);
}

#ifdef __linux__
/* smaps_rollup counts pages one by one; statm may lag by whole batches. */
static long resident(void)
{
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %ld", &kb) == 1)
            break;
    if (f) fclose(f);
    return kb < 0 ? -1 : kb * 1024;
}

TEST(memory_of_an_idle_connection)
{
    enum { WARM = 300, N = 2000 };
    shared *s = share();
    struct rlimit lim;
    static int fd[WARM + N];
    long rss[2] = { 0, 0 };
    int i, step;
    pid_t pid;
    struct sockaddr_in a;

    getrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_max != RLIM_INFINITY && lim.rlim_max < WARM + N + 100) {
        printf("SKIP memory_of_an_idle_connection: at most %ld descriptors\n",
               (long)lim.rlim_max);
        return;
    }
    lim.rlim_cur = WARM + N + 100;
    setrlimit(RLIMIT_NOFILE, &lim);
    fflush(stdout);
    pid = fork();
    if (!pid) {
        ws_event ev;
        ws_loop *loop = ws_loop_new(NULL);
        int last = 0, l = ws_listen(loop, "127.0.0.1:0", NULL);
        alarm(60);
        resident();             /* stdio buffers */
        s->port = l < 0 ? -1 : ws_listen_port(loop, l);
        s->answer = 1;
        for (;;) {
            if (ws_poll(loop, &ev, 20) < 1) ev.type = WS_EV_NONE;
            if (ev.type == WS_EV_OPEN) s->opens++;
            if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
            if (s->command == last) continue;
            last = s->command;
            s->rss = resident();
            s->answer = last + 1;
        }
    }
    while (!s->answer) sleep_ms(1);
    a = loopback(s->port);
    for (i = step = 0; i < WARM + N; i++) {
        char bytes[600];
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd[i], (struct sockaddr *)&a, sizeof a)) { CHECK(!"connect"); break; }
        send(fd[i], REQUEST_OF("/"), sizeof REQUEST_OF("/") - 1, MSG_NOSIGNAL);
        CHECK(recv(fd[i], bytes, sizeof bytes, 0) > 100);
        send(fd[i], "\x81\x82\0\0\0\0hi", 8, MSG_NOSIGNAL);
        CHECK(recv(fd[i], bytes, sizeof bytes, 0) == 4);
        if (i + 1 == WARM || i + 1 == WARM + N) {
            uint64_t t = now_ms();
            sleep_ms(50);
            s->command = step + 1;
            while (s->answer != step + 2 && now_ms() - t < 5000) sleep_ms(5);
            rss[step++] = s->rss;
        }
    }
    printf("  idle connection: %ld bytes resident, %d connections\n",
           (rss[1] - rss[0]) / N, (int)s->opens);
    if (!SANITIZED) CHECK((rss[1] - rss[0]) / N <= 160);
    while (i--) close(fd[i]);
    reap(pid);
}
#define LINUX_TESTS T(memory_of_an_idle_connection)
#else
#define LINUX_TESTS
#endif

/* a client may choose the address it comes from */
static void bind_to_2(void *user, intptr_t fd)
{
    struct sockaddr_in a;
    ++*(int *)user;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(0x7F000002);
    CHECK_INT(bind((int)fd, (struct sockaddr *)&a, sizeof a), 0);
}

TEST(on_socket)
{
    ws_config cfg;
    ws_loop *loop;
    char url[64];
    int port, calls = 0;

    memset(&cfg, 0, sizeof cfg);
    fresh();
    loop = serve("127.0.0.1:0", &cfg, &port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.on_socket = bind_to_2;
    cfg.on_socket_user = &calls;
    ws_dial(loop, url, &cfg);
    UNTIL(loop, V[0].open && V[1].open, 1000);
    CHECK_INT(strncmp(V[0].remote, "127.0.0.2:", 10), 0);
    CHECK_INT(calls, 1);
    ws_loop_free(loop);
}

/* resuming what still connects, or was never paused, changes nothing */
TEST(resume_in_every_state)
{
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    char url[64];
    int port, refused;

    memset(&cfg, 0, sizeof cfg);
    loop = serve("127.0.0.1:0", &cfg, &port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    for (refused = 0; refused < 2; refused++) {
        fresh();
        c = ws_dial(loop, refused ? "ws://localhost:1/" : url, &cfg);
        ws_pause(c);
        ws_resume(c);
        ws_resume(c);
        UNTIL(loop, refused ? V[1].close : V[1].open, 3000);
        if (!refused) ws_resume(c);
        settle(loop, 2);
    }
    ws_loop_free(loop);
}

/* ws_pause says nothing about the opening handshake, and outlasts a new try */
TEST(paused_while_connecting)
{
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    char url[64];
    int port, round;

    memset(&cfg, 0, sizeof cfg);
    loop = serve("127.0.0.1:0", &cfg, &port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.reconnect = 1;
    c = ws_dial(loop, url, &cfg);
    ws_pause(c);
    for (round = 1; round < 4; round++) {
        UNTIL(loop, V[0].open == round && V[1].open == round, 3000);
        ws_send_text(V[0].conn, "x");
        settle(loop, 10);
        CHECK(ws_is_paused(c));
        CHECK_INT(V[1].message, round - 1);
        ws_resume(c);
        UNTIL(loop, V[1].message == round, 1000);
        ws_drop(V[0].conn);
        UNTIL(loop, ws_state(c) == WS_STATE_CONNECTING, 1000);
        ws_pause(c);
    }
    ws_loop_free(loop);
}

/* Nothing happens, and nothing is done meanwhile. */
#define RESTS(what) \
    do { \
        clock_t rests_from = clock(); \
        CHECK_INT(what, 0); \
        CHECK(clock() - rests_from < CLOCKS_PER_SEC / 20); \
    } while (0)

/* the reset of a peer that is not listened to waits */
TEST(paused_peer_resets)
{
    int port, listener = raw_listen(&port);
    ws_event ev;
    ws_conn *c;
    char url[64];
    raw r;

    fresh();
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    c = ws_open(url, NULL);
    r = raw_accept(listener, c);
    ws_pause(c);
    raw_reset(&r);
    sleep_ms(5);
    CHECK_INT(ws_wants(c), 0);
    RESTS(ws_recv(c, &ev, 100));
    ws_resume(c);
    CHECK_INT(ws_recv(c, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    ws_free(c);
    close(listener);
}

/* a copy of a socket, as a child process may have it, tells the loop nothing any more */
TEST(copies_of_sockets)
{
    int port, other, listener, i, copy[3];
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    char url[64];
    raw r[3];

    memset(&cfg, 0, sizeof cfg);
    loop = serve("127.0.0.1:0", &cfg, &port);

    r[0] = raw_client(loop, port, 0);           /* of a connection that was freed */
    copy[0] = dup((int)ws_fd(V[0].conn));
    ws_free(V[0].conn);
    settle(loop, 2);
    raw_frame(&r[0], 0x82, "x", 1);
    RESTS(turn(loop, 100));

    listener = raw_listen(&other);              /* of a client whose server has gone */
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", other);
    cfg.reconnect = 60000;
    c = ws_dial(loop, url, &cfg);
    settle(loop, 10);
    copy[1] = dup((int)ws_fd(c));
    r[1].fd = accept(listener, NULL, NULL);
    r[1].buf = NULL;
    raw_reset(&r[1]);
    settle(loop, 10);
    CHECK_INT(ws_fd(c), -1);
    RESTS(turn(loop, 100));

    copy[2] = dup((int)loop->listeners[0].fd);  /* of a listener that was closed */
    ws_unlisten(loop, 0);
    r[2] = raw_connect(port, 0);
    RESTS(turn(loop, 100));

    for (i = 0; i < 3; i++) close(copy[i]);
    raw_close(&r[0]);
    raw_close(&r[2]);
    close(listener);
    ws_loop_free(loop);
}

/* blocks go back to whom they came from, when a listener's memory is not the loop's */
TEST(two_heaps)
{
    static heap heaps[2];
    static char big[300000];
    ws_config cfg;
    ws_loop *loop;
    ws_conn *c;
    char url[64];
    int port;

    memset(&cfg, 0, sizeof cfg);
    memset(heaps, 0, sizeof heaps);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = &heaps[0];
    loop = ws_loop_new(&cfg);
    cfg.alloc_user = &heaps[1];
    port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
    fresh();
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    c = ws_dial(loop, url, NULL);
    UNTIL(loop, V[1].open, 1000);
    ws_send(c, WS_OP_BINARY, big, sizeof big);
    UNTIL(loop, V[1].message, 3000);
    ws_close(c, 1000, NULL);
    UNTIL(loop, V[0].close && V[1].close, 1000);
    settle(loop, 10);
    ws_unlisten(loop, 0);
    CHECK_INT(heaps[1].live, 0);
    ws_loop_free(loop);
    CHECK_INT(heaps[0].live, 0);
}

/* what the socket would take is no backlog, however much is sent between two polls */
TEST(backlog_is_what_cannot_leave)
{
    ws_config cfg;
    ws_loop *loop;
    char block[100];
    int port, i, taken = 0;
    raw r;

    memset(&cfg, 0, sizeof cfg);
    memset(block, 'x', sizeof block);
    cfg.max_backlog = 32768;
    fresh();
    loop = serve("127.0.0.1:0", &cfg, &port);
    r = raw_client(loop, port, 0);
    for (i = 0; i < 1000; i++)
        taken += !ws_send(V[0].conn, WS_OP_BINARY, block, sizeof block);
    CHECK_INT(taken, 1000);
    raw_close(&r);
    ws_loop_free(loop);
}

enum { FLOOD = 20000 };

/* As many empty messages as one peer can send without pausing. */
static void flood(raw *r)
{
    static unsigned char frames[FLOOD * 6];
    int i;

    for (i = 0; i < FLOOD; i++) memcpy(frames + 6 * i, "\x82\x80\0\0\0\0", 6);
    CHECK_INT(send(r->fd, frames, sizeof frames, 0), sizeof frames);
}

/* events without end do not make ws_poll_until late, nor are they lost */
TEST(poll_until_is_in_time)
{
    ws_config cfg;
    ws_loop *loop;
    ws_event ev;
    raw a;
    int port, n = 0, m = 0;

    memset(&cfg, 0, sizeof cfg);
    fresh();
    loop = serve("127.0.0.1:0", &cfg, &port);
    a = raw_client(loop, port, 0);
    flood(&a);
    CHECK_INT(ws_poll(loop, &ev, 1000), 1);
    while (ws_poll_until(loop, &ev, 1) > 0) n++;
    CHECK(n <= 64);
    while (1 + n + m < FLOOD && ws_poll(loop, &ev, 1000) > 0) m++;
    CHECK_INT(1 + n + m, FLOOD);
    raw_close(&a);
    ws_loop_free(loop);
}

/* a peer that sends without end gives others their turn, and loses nothing */
TEST(turns_end)
{
    ws_config cfg;
    ws_loop *loop;
    raw a, b;
    int port, i, when = -1;
    ws_event ev;

    memset(&cfg, 0, sizeof cfg);
    fresh();
    loop = serve("127.0.0.1:0", &cfg, &port);
    a = raw_client(loop, port, 0);
    b = raw_client(loop, port, 0);
    flood(&a);
    for (i = 0; i < FLOOD + 1 && ws_poll(loop, &ev, 1000) > 0; i++) {
        if (i == 10) raw_frame(&b, 0x81, "x", 1);
        if (ev.size) when = i;
    }
    CHECK_INT(i, FLOOD + 1);
    CHECK(when >= 0 && when <= 2 * 4096);
    raw_close(&a);
    raw_close(&b);
    ws_loop_free(loop);
}

/* ==== one call each, over sockets =================================================== */

/* A socket from elsewhere, with the request and a first frame already read. */
TEST(adopted_with_what_was_read)
{
    static const char early[] = REQUEST "\x81\x85\0\0\0\0hello";
    ws_loop *loop = ws_loop_new(NULL);
    char answer[500];
    ws_event ev;
    int fd[2], in_loop;

    for (in_loop = 0; in_loop < 2; in_loop++) {
        ws_conn *c;
        fresh();
        echoing = 0;
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        c = ws_adopt(in_loop ? loop : NULL, fd[0], early, sizeof early - 1, NULL);
        if (in_loop) UNTIL(loop, V[0].message, 5000);
        while (!V[0].message && !in_loop) {
            ws_step(c);
            while (ws_next(c, &ev) > 0) note(&ev);
        }
        CHECK_STR(V[0].target, "/chat");
        CHECK_STR(V[0].text, "hello");
        ws_send_text(c, "back");
        if (in_loop) turn(loop, 10);
        else ws_step(c);
        memset(answer, 0, sizeof answer);
        CHECK(recv(fd[1], answer, sizeof answer - 1, 0) > 12);
        CHECK(!strncmp(answer, "HTTP/1.1 101 ", 13));
        ws_free(c);
        close(fd[1]);
    }
    ws_loop_free(loop);
}

/* The client's address behind proxies, only as far as they are trusted. */
TEST(remote_behind_proxies)
{
    static const char *const want[] = { "127.0.0.1:", "192.0.2.7", "203.0.113.9" };
    static const ws_header via[] = {
        { "X-Forwarded-For", "203.0.113.9, 192.0.2.7" }, { NULL, NULL }
    };
    uint32_t trusted;

    for (trusted = 0; trusted < 3; trusted++) {
        ws_config server, client;
        char url[64];
        ws_loop *loop;
        int port;

        memset(&server, 0, sizeof server);
        memset(&client, 0, sizeof client);
        server.trusted_proxies = trusted;
        client.headers = via;
        loop = serve("127.0.0.1:0", &server, &port);
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        ws_dial(loop, url, &client);
        UNTIL(loop, V[0].open, 5000);
        CHECK(!strncmp(V[0].remote, want[trusted], strlen(want[trusted])));
        ws_loop_free(loop);
    }
}

/* Nobody answers here, and nothing is left. */
TEST(attempt_given_up)
{
    ws_loop *loop = ws_loop_new(NULL);
    int port, fd = raw_listen(&port);
    char url[64];
    ws_event ev;
    ws_conn *c;

    fresh();
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    c = ws_dial(loop, url, NULL);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    ws_close(c, WS_CLOSE_NORMAL, NULL);                 /* either way */
    UNTIL(loop, V[1].close, 5000);
    CHECK_INT(V[1].close, 1);
    c = ws_dial(loop, url, NULL);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    ws_free(c);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    CHECK_INT(ws_loop_count(loop), 0);
    ws_loop_free(loop);
    close(fd);
}

/* A loop with both ends of a WebSocket, open; *c: the client. */
static ws_loop *both_ends(ws_conn **c, const ws_config *cfg)
{
    char url[64];
    int port;
    ws_loop *loop = serve("127.0.0.1:0", NULL, &port);

    echoing = 0;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    *c = ws_dial(loop, url, cfg);
    UNTIL(loop, V[0].open && V[1].open, 5000);
    return loop;
}

/* The handshake only: raw bytes afterwards, on both ends. */
TEST(detached_on_both_ends)
{
    char text[16] = "";
    ws_socket fd[2];
    ws_conn *c;
    ws_loop *loop = both_ends(&c, NULL);
    const void *rest;
    size_t n;

    settle(loop, 20);
    fd[0] = ws_detach(c, &rest, &n);
    CHECK(fd[0] >= 0 && n == 0);
    fd[1] = ws_detach(V[0].conn, &rest, &n);
    CHECK(fd[1] >= 0 && n == 0);
    CHECK_INT(send(fd[0], "raw", 3, 0), 3);
    UNTIL(loop, V[0].close + V[1].close == 2, 5000);
    CHECK(recv(fd[1], text, sizeof text, 0) == 3 && !memcmp(text, "raw", 3));
    CHECK_INT(ws_loop_count(loop), 0);
    close(fd[0]);
    close(fd[1]);
    ws_loop_free(loop);
}

static int calm_came_as;        /* how many messages came before it, -1: it did not */

static void find_calm(const ws_event *ev)
{
    if (ev->type == WS_EV_MESSAGE && ev->size == 12) calm_came_as = V[0].message;
}

/* A burst on one connection lets the others through. */
TEST(burst_beside_a_calm_connection)
{
    enum { BURST = 100000 };
    char url[100];
    ws_config cfg;
    ws_loop *loop;
    ws_conn *busy, *calm;
    int i;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_backlog = 8 << 20;
    loop = both_ends(&busy, &cfg);
    snprintf(url, sizeof url, "ws://%s/", V[1].remote);
    calm = ws_dial(loop, url, &cfg);
    UNTIL(loop, V[0].open == 2 && V[1].open == 2, 5000);
    calm_came_as = -1;
    hook = find_calm;
    for (i = 0; i < BURST; i++) CHECK_INT(ws_send_text(busy, "one of very many"), 0);
    CHECK_INT(ws_send_text(calm, "the only one"), 0);
    UNTIL(loop, V[0].message == BURST + 1, 60000);
    CHECK(calm_came_as > 0 && calm_came_as < BURST);
    ws_loop_free(loop);
}

/* Nagle's delay is off on both ends. */
TEST(no_delay_on_both_ends)
{
    ws_conn *c;
    ws_loop *loop = both_ends(&c, NULL);
    int i;

    for (i = 0; i < 2; i++) {
        int on = 0;
        socklen_t size = sizeof on;
        int fd = (int)ws_fd(i ? c : V[0].conn);
        CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        CHECK(on != 0);
    }
    ws_loop_free(loop);
}

/* An ordinary request goes back to another server, with its bytes. */
TEST(http_goes_elsewhere)
{
    static const char form[] =
        "POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na=1&";
    ws_loop *loop = ws_loop_new(NULL);
    const void *rest = NULL;
    char text[16] = "";
    int fd[2];
    ws_conn *c;
    size_t n = 0;

    fresh();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    c = ws_adopt(loop, fd[0], NULL, 0, NULL);
    CHECK_INT(send(fd[1], form, sizeof form - 1, 0), sizeof form - 1);
    UNTIL(loop, V[0].http, 5000);
    CHECK_INT(ws_detach(c, &rest, &n), fd[0]);
    CHECK(n >= sizeof form - 5 && n <= sizeof form - 1 && !memcmp(rest, form, n));
    UNTIL(loop, V[0].close, 5000);
    CHECK_INT(send(fd[0], "mine", 4, 0), 4);
    CHECK_INT(recv(fd[1], text, sizeof text, 0), 4);
    close(fd[0]);
    close(fd[1]);
    ws_loop_free(loop);
}

/* wss:// without TLS: an error before any byte */
TEST(sec_B9_no_tls)
{
    ws_conn *c = ws_connect("wss://127.0.0.1:9/", NULL);
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;

    CHECK_INT(ws_error(c), WS_ERR_NO_TLS);
    CHECK(ws_fd(c) == (ws_socket)-1);
    ws_free(c);
    ws_dial(loop, "wss://127.0.0.1:9/", NULL);
    CHECK_INT(ws_poll(loop, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.error, WS_ERR_NO_TLS);
    ws_loop_free(loop);
}

/* a peer that says its last words and hangs up while we are paused is heard after
   ws_resume */
TEST(hang_up_while_paused)
{
    static const char last[] = "\x81\x85\0\0\0\0hello\x88\x82\0\0\0\0\x03\xe8";
    struct sockaddr_un at;
    char address[128];
    ws_conn *c;
    ws_loop *loop;
    int port, fd = socket(AF_UNIX, SOCK_STREAM, 0), i;

    memset(&at, 0, sizeof at);
    at.sun_family = AF_UNIX;
    sprintf(at.sun_path, "/tmp/ws_h_test_%d", (int)getpid());
    sprintf(address, "unix:%s", at.sun_path);
    loop = serve(address, NULL, &port);
    echoing = 0;
    CHECK(!connect(fd, (struct sockaddr *)&at, sizeof at));
    CHECK_INT(send(fd, REQUEST, sizeof REQUEST - 1, 0), sizeof REQUEST - 1);
    UNTIL(loop, V[0].open, 5000);
    c = V[0].conn;
    ws_pause(c);
    settle(loop, 20);
    CHECK_INT(send(fd, last, sizeof last - 1, 0), sizeof last - 1);
    close(fd);
    for (i = 0; i < 5; i++) CHECK_INT(turn(loop, 20), 0);
    ws_resume(c);
    UNTIL(loop, V[0].close, 5000);
    CHECK_INT(V[0].code, 1000);
    CHECK_INT(V[0].bytes, 5);
    CHECK_STR(V[0].text, "hello");
    ws_loop_free(loop);
    unlink(at.sun_path);
}

TESTS(T(on_socket) T(resume_in_every_state) T(paused_while_connecting)
      T(paused_peer_resets) T(copies_of_sockets) T(two_heaps)
      T(backlog_is_what_cannot_leave) T(poll_until_is_in_time) T(turns_end) LINUX_TESTS
      /* first, on a heap without holes */
      T(blocking_client) T(blocking_client_ipv6) T(blocking_client_unix)
      T(name_with_several_addresses) T(connection_refused) T(faults_name_the_field)
      T(listen_errors) T(own_loop) T(adopt) T(loop_of_everything) T(poll_times)
      T(broadcast) T(http) T(free_inside_any_event) T(loop_free_with_live_connections)
      T(sec_A20_slow_handshake) T(sec_D4_close_stalls) T(sec_D8_silent_peer)
      T(sec_G2_slow_reader) T(sec_H3_reset_and_sigpipe)
      T(sec_H4_accept_without_descriptors) T(sec_H6_high_descriptors)
      T(connect_and_close_1000_times) T(echo_through_a_tiny_window)
      T(echo_of_many_sizes) T(sec_H5_io_faults_at_every_call)
      T(io_blocking_over_socketpair) T(no_allocation_per_message)
      T(adopted_with_what_was_read) T(remote_behind_proxies) T(attempt_given_up)
      T(detached_on_both_ends) T(burst_beside_a_calm_connection)
      T(no_delay_on_both_ends) T(http_goes_elsewhere) T(sec_B9_no_tls)
      T(hang_up_while_paused))

#endif

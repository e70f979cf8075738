/* lwIP defines the calls of sockets as macros with arguments, before anybody includes ws.h. They
   serve where sockets are meant; functions of the same names in structs (ws_io, ws_extension)
   stay what they are. With WS_NO_SOCKETS none of them may be touched. */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef WS_NO_SOCKETS
#define USED(name, call) an_expansion_of_the_macro_##name)(
#else
static int used_sockets, used_reads, used_writes, used_closes;
#define USED(name, call) call
#endif

/* lwip/sockets.h, with LWIP_COMPAT_SOCKETS 1 and LWIP_POSIX_SOCKETS_IO_NAMES 1; and netdb.h */
#define accept(s, a, n) USED(accept, (accept)(s, a, n))
#define bind(s, a, n) USED(bind, (bind)(s, a, n))
#define shutdown(s, how) USED(shutdown, (shutdown)(s, how))
#define getpeername(s, a, n) USED(getpeername, (getpeername)(s, a, n))
#define getsockname(s, a, n) USED(getsockname, (getsockname)(s, a, n))
#define setsockopt(s, l, o, v, n) USED(setsockopt, (setsockopt)(s, l, o, v, n))
#define getsockopt(s, l, o, v, n) USED(getsockopt, (getsockopt)(s, l, o, v, n))
#define closesocket(s) USED(closesocket, (close)(s))
#define connect(s, a, n) USED(connect, (connect)(s, a, n))
#define listen(s, n) USED(listen, (listen)(s, n))
#define recvmsg(s, m, f) USED(recvmsg, (recvmsg)(s, m, f))
#define recv(s, p, n, f) USED(recv, (recv)(s, p, n, f))
#define recvfrom(s, p, n, f, a, k) USED(recvfrom, (recvfrom)(s, p, n, f, a, k))
#define send(s, p, n, f) USED(send, (send)(s, p, n, f))
#define sendmsg(s, m, f) USED(sendmsg, (sendmsg)(s, m, f))
#define sendto(s, p, n, f, a, k) USED(sendto, (sendto)(s, p, n, f, a, k))
#define socket(d, t, p) USED(socket, (used_sockets++, (socket)(d, t, p)))
#define select(n, r, w, e, t) USED(select, (select)(n, r, w, e, t))
#define poll(p, n, ms) USED(poll, (poll)(p, n, ms))
#define ioctlsocket(s, c, v) USED(ioctlsocket, (ioctl)(s, c, v))
#define inet_ntop(f, a, p, n) USED(inet_ntop, (inet_ntop)(f, a, p, n))
#define inet_pton(f, p, a) USED(inet_pton, (inet_pton)(f, p, a))
#define read(s, p, n) USED(read, (used_reads++, (read)(s, p, n)))
#define readv(s, v, n) USED(readv, (readv)(s, v, n))
#define write(s, p, n) USED(write, (used_writes++, (write)(s, p, n)))
#define writev(s, v, n) USED(writev, (writev)(s, v, n))
#define close(s) USED(close, (used_closes++, (close)(s)))
#define fcntl(s, c, v) USED(fcntl, (fcntl)(s, c, v))
#define ioctl(s, c, v) USED(ioctl, (ioctl)(s, c, v))
#define gethostbyname(n) USED(gethostbyname, (gethostbyname)(n))
#define freeaddrinfo(a) USED(freeaddrinfo, (freeaddrinfo)(a))
#define getaddrinfo(h, p, i, a) USED(getaddrinfo, (getaddrinfo)(h, p, i, a))

/* Other SDKs do the like with these; no such macro may change what ws.h calls through structs. */
#define wait(...) a_macro_named_wait(
#define begin(...) a_macro_named_begin(
#define end(...) a_macro_named_end(
#define offer(...) a_macro_named_offer(
#define confirm(...) a_macro_named_confirm(
#define encode(...) a_macro_named_encode(
#define decode(...) a_macro_named_decode(
#define state_size(...) a_macro_named_state_size(
#define pending(...) a_macro_named_pending(
#define why(...) a_macro_named_why(
#define wrap(...) a_macro_named_wrap(
#define resolve(...) a_macro_named_resolve(
#define alloc(...) a_macro_named_alloc(
#define flush(...) a_macro_named_flush(
#define wake(...) a_macro_named_wake(
#define fill(...) a_macro_named_fill(
#define put(...) a_macro_named_put(

#define WS_IMPLEMENTATION
#include "ws.h"
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"
#include "use.h"

/* An extension that changes nothing. */
static int same_offer(void *user, int i, char *buf, size_t n)
{
    (void)user; (void)n;
    *buf = 0;
    return i ? -1 : 0;
}

static int same_accept(void *user, ws_str asked, char *answer, size_t n, uint32_t *agreed)
{
    (void)asked; (void)n; (void)agreed;
    ++*(int *)user;
    *answer = 0;
    return 0;
}

static int same_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user; (void)answer; (void)agreed;
    return 0;
}

static size_t same_size(void *user, uint32_t agreed, int out, int *alone)
{
    (void)user; (void)agreed; (void)out;
    *alone = 0;
    return 8;
}

static int same_begin(void *user, uint32_t agreed, int out, void *state)
{
    (void)user; (void)agreed; (void)out; (void)state;
    return 0;
}

static int same_step(void *user, void *state, const void *in, size_t *in_size, void *out,
                     size_t *out_size, int last)
{
    size_t n = *in_size < *out_size ? *in_size : *out_size;
    int done = n == *in_size;

    (void)user; (void)state; (void)last;
    if (n) memcpy(out, in, n);
    *in_size = *out_size = n;
    return done;
}

static void same_end(void *user, int out, void *state) { (void)user; (void)out; (void)state; }

static int fixed(void *user, void *buf, size_t n)
{
    (void)user;
    memset(buf, 42, n);
    return 0;
}

/* Two engines whose extension has functions named accept, begin, end ... */
static int with_extension(void)
{
    ws_extension x;
    const ws_extension *all[2];
    ws_config cfg;
    int used = 0;

    memset(&x, 0, sizeof x);
    memset(&cfg, 0, sizeof cfg);
    x.name = "same";
    x.rsv = 4;
    x.user = &used;
    x.offer = same_offer;
    x.accept = same_accept;
    x.confirm = same_confirm;
    x.state_size = same_size;
    x.begin = same_begin;
    x.encode = x.decode = same_step;
    x.end = same_end;
    all[0] = &x;
    all[1] = NULL;
    cfg.extensions = all;
    cfg.random = fixed;
    return use_pipe(ws_client_new("ws://example.com/", &cfg), ws_server_new(&cfg)) || !used;
}

#ifdef WS_NO_SOCKETS

int main(void) { return with_extension(); }

#else

/* A transport in memory for a blocking client, and a server behind it. */
typedef struct behind { ws_conn *server; int reads, writes, closes; } behind;

static ptrdiff_t behind_read(void *user, void *buf, size_t n)
{
    behind *b = (behind *)user;
    ws_event ev;
    size_t waits;
    const void *p;

    b->reads++;
    while (ws_next(b->server, &ev) > 0)
        if (ev.type == WS_EV_MESSAGE) ws_send(b->server, ev.op, ev.data, ev.size);
    p = ws_output(b->server, &waits);
    if (waits > n) waits = n;
    if (!waits) return ws_finished(b->server) ? 0 : WS_IO_WANT_READ;
    memcpy(buf, p, waits);
    ws_output_done(b->server, waits);
    return (ptrdiff_t)waits;
}

static ptrdiff_t behind_write(void *user, const void *buf, size_t n)
{
    behind *b = (behind *)user;

    b->writes++;
    return (ptrdiff_t)ws_feed(b->server, buf, n);
}

static void behind_close(void *user) { ((behind *)user)->closes++; }

/* What users write: calls through a ws_io, parenthesised. */
static int own_call(const ws_io *io)
{
    char few[4];

    return (io->read)(io->user, few, 0) == WS_IO_ERROR;
}

static int with_io(void)
{
    behind b = { NULL, 0, 0, 0 };
    ws_config cfg;
    ws_event ev;
    ws_conn *c;
    int echoed = 0;

    memset(&cfg, 0, sizeof cfg);
    b.server = ws_server_new(NULL);
    cfg.io.read = behind_read;
    cfg.io.write = behind_write;
    cfg.io.close = behind_close;
    cfg.io.user = &b;
    c = ws_connect("ws://example.com/", &cfg);
    ws_send_text(c, "hello");
    while (ws_recv(c, &ev, 5000) > 0)
        if (ev.type == WS_EV_MESSAGE && ev.size == 5) {
            echoed++;
            ws_close(c, WS_CLOSE_NORMAL, NULL);
        }
    ws_free(c);
    ws_free(b.server);
    return echoed != 1 || !b.reads || !b.writes || b.closes != 1 || own_call(&cfg.io);
}

/* A server and a client of a loop, through the macros. */
static int with_sockets(void)
{
    ws_event ev;
    char url[64];
    int got = 0, closed = 0, turn;
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL);

    sprintf(url, "ws://127.0.0.1:%d/", ws_listen_port(loop, listener));
    ws_dial(loop, url, NULL);
    for (turn = 0; turn < 100 && closed < 2 && ws_poll(loop, &ev, 5000) > 0; turn++) {
        if (ev.type == WS_EV_OPEN && ws_is_client(ev.conn)) ws_send_text(ev.conn, "hello");
        if (ev.type == WS_EV_MESSAGE && !ws_is_client(ev.conn)) ws_post(loop, &got);
        if (ev.type == WS_EV_MESSAGE) got++;
        if (ev.type == WS_EV_POST) ws_shutdown(loop, WS_CLOSE_GOING_AWAY, NULL, 5000);
        closed += ev.type == WS_EV_CLOSE;
    }
    ws_loop_free(loop);
    return got != 1 || closed != 2 || !used_sockets || !used_reads || !used_writes ||
           !used_closes;
}

int main(void)
{
    int a = with_extension(), b = with_io(), c = with_sockets();

    if (a || b || c) fprintf(stderr, "extension %d, io %d, sockets %d\n", a, b, c);
    return a || b || c;
}

#endif

/* Every result the system may give (sec_H5, sec_H4). A conversation over real sockets
   is held again and again; each time one socket call of the library, at one of its
   turns, gives another result instead: an error, fewer bytes, the end. What is passing
   may change nothing at all; what is final ends that connection only. drivers blocking
   client, own loop, loop; the server is a loop the clock is ours: who would sleep with
   nothing to wait for gets the time at once test_faults_poll.c is the same with the
   poll driver. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_faults: it replaces POSIX socket calls\n0 passed, 0 failed\n");
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
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif
#include "test.h"

/* ---- the calls ---- */

enum {
    RECV,
    READV,
    SEND,
    SENDMSG,
    ACCEPT,
    CONNECT,
    SOCKET,
    BIND,
    LISTEN,
    FCNTL,
    SETSOCKOPT,
    GETSOCKOPT,
    GETSOCKNAME,
    PIPE,
    POLLER_NEW,
    POLLER_SET,
    POLLER_WAIT,
    POLL,
    SHUTDOWN,
    CLOSE,
    CALLS
};

static const char *const call_names[CALLS] = {
    "recv",       "readv",      "send",        "sendmsg",  "accept",
    "connect",    "socket",     "bind",        "listen",   "fcntl",
    "setsockopt", "getsockopt", "getsockname", "pipe",     "epoll_create1",
    "epoll_ctl",  "epoll_wait", "poll",        "shutdown", "close"
};

enum { ONE_BYTE = -1, NOTHING = -2 };   /* results that are no errno */
enum { CLIENT, SERVER };                /* whose call it is; a loop of both is CLIENT */
enum { CALLS_MAX = 30000 };             /* of one conversation: more is a spin */

static struct faults {
    int side, call, result;             /* the result to give, 0: none */
    long at, times; /* to calls number at .. at + times - 1 of that kind */
    long count[2][CALLS], fired, total, waits;
    int now_side, tcp, blocking;
    int fds;                            /* open */
    int deaf[2]; /* so often the poller does not stop, start watching */
    int takes; /* a failing accept takes the connection with it */
    uint64_t now;                       /* the clock, ms */
} f;

static void stuck(const char *what)
{
    printf("  %s: %s number %ld gives %d, %ld times, side %d, tcp %d, blocking %d\n"
           "0 passed, 1 failed\n",
           what, call_names[f.call], f.at, f.result, f.times, f.side, f.tcp, f.blocking);
    fflush(stdout);
    _exit(1);
}

/* What this call must give instead of working; 0: let it work. */
static int due(int call)
{
    long i = f.count[f.now_side][call]++;

    if (f.total++ > CALLS_MAX) stuck("spins");
    if (!f.result || call != f.call || f.now_side != f.side || i < f.at ||
        i >= f.at + f.times)
        return 0;
    f.fired++;
    return f.result;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static int opened(int fd)
{
    f.fds += fd >= 0;
    return fd;
}

static ssize_t f_recv(int s, void *p, size_t n, int flags)
{
    int r = due(RECV);
    if (r > 0) return fail(r);
    return r == NOTHING ? 0 : recv(s, p, r == ONE_BYTE && n ? 1 : n, flags);
}

static ssize_t f_readv(int s, const struct iovec *v, int n)
{
    int r = due(READV);
    if (r > 0) return fail(r);
    return r == NOTHING    ? 0
           : r == ONE_BYTE ? recv(s, v[0].iov_base, 1, 0)
                           : readv(s, v, n);
}

static ssize_t f_send(int s, const void *p, size_t n, int flags)
{
    int r = due(SEND);
    if (r > 0) return fail(r);
    return r == NOTHING ? 0 : send(s, p, r == ONE_BYTE && n ? 1 : n, flags);
}

static ssize_t f_sendmsg(int s, const struct msghdr *m, int flags)
{
    int r = due(SENDMSG);
    if (r > 0) return fail(r);
    if (r == NOTHING) return 0;
    return r == ONE_BYTE ? send(s, m->msg_iov[0].iov_base, 1, flags)
                         : sendmsg(s, m, flags);
}

#ifdef __linux__
static int f_accept4(int s, struct sockaddr *a, socklen_t *n, int flags)
{
    int r = due(ACCEPT), taken = -1;
    if (r > 0 && f.takes && (taken = accept(s, NULL, NULL)) < 0) return -1;
    if (taken >= 0) close(taken);
    if (r > 0) return fail(r);
    return opened(accept4(s, a, n, flags));
}
#else
static int f_accept(int s, struct sockaddr *a, socklen_t *n)
{
    int r = due(ACCEPT);
    if (r > 0) return fail(r);
    return opened(accept(s, a, n));
}
#endif

/* An interrupted connect goes on by itself (POSIX). */
static int f_connect(int s, const struct sockaddr *a, socklen_t n)
{
    int r = due(CONNECT);
    if (r > 0 && r != EINTR) return fail(r);
    if (!r) return connect(s, a, n);
    connect(s, a, n);
    return fail(r);
}

static int f_socket(int domain, int type, int protocol)
{
    int r = due(SOCKET);
    return r ? fail(r) : opened(socket(domain, type, protocol));
}

static int f_bind(int s, const struct sockaddr *a, socklen_t n)
{
    int r = due(BIND);
    return r ? fail(r) : bind(s, a, n);
}

static int f_listen(int s, int n)
{
    int r = due(LISTEN);
    return r ? fail(r) : listen(s, n);
}

static int f_fcntl(int s, int command, int value)
{
    int r = due(FCNTL);
    return r ? fail(r) : fcntl(s, command, value);
}

static int f_setsockopt(int s, int level, int name, const void *p, socklen_t n)
{
    int r = due(SETSOCKOPT);
    return r ? fail(r) : setsockopt(s, level, name, p, n);
}

static int f_getsockopt(int s, int level, int name, void *p, socklen_t *n)
{
    int r = due(GETSOCKOPT);
    return r ? fail(r) : getsockopt(s, level, name, p, n);
}

static int f_getsockname(int s, struct sockaddr *a, socklen_t *n)
{
    int r = due(GETSOCKNAME);
    return r ? fail(r) : getsockname(s, a, n);
}

static inline int f_pipe(int fd[2])     /* where there is no pipe2 */
{
    int r = due(PIPE);
    if (r) return fail(r);
    r = pipe(fd);
    f.fds += r ? 0 : 2;
    return r;
}

static int f_pipe2(int fd[2], int flags)
{
    int r = due(PIPE);
    if (r) return fail(r);
    r = pipe2(fd, flags);
    f.fds += r ? 0 : 2;
    return r;
}

static int f_shutdown(int s, int how)
{
    int r = due(SHUTDOWN);
    return r ? fail(r) : shutdown(s, how);
}

static int f_close(int s)
{
    int r = due(CLOSE);
    f.fds--;
    close(s);
    return r ? fail(r) : 0;
}

static int f_clock(clockid_t id, struct timespec *t)
{
    (void)id;
    t->tv_sec = (time_t)(f.now / 1000);
    t->tv_nsec = (long)(f.now % 1000) * 1000000;
    return 0;
}

/* Nothing came: then the time that was to be slept has passed. */
static void slept(int ms)
{
    if (ms < 0) stuck("would wait for ever");
    f.waits++;
    f.now += (uint64_t)ms;
}

#define SETTLE (f.tcp ? 20 : 0)         /* ms that a segment may need on its way */

#if defined(__linux__) && !defined(WS__POLLER_POLL)
static int f_epoll_create1(int flags)
{
    int r = due(POLLER_NEW);
    return r ? fail(r) : opened(epoll_create1(flags));
}

static int f_epoll_ctl(int poller, int op, int fd, struct epoll_event *e)
{
    int r = op == EPOLL_CTL_DEL ? 0 : due(POLLER_SET);
    if (op == EPOLL_CTL_MOD && f.deaf[e->events != 0])
        return f.deaf[e->events != 0]--, fail(ENOMEM);
    return r ? fail(r) : epoll_ctl(poller, op, fd, e);
}

static int f_epoll_wait(int poller, struct epoll_event *e, int n, int ms)
{
    int r = due(POLLER_WAIT);
    if (r) return fail(r);
    r = epoll_wait(poller, e, n, ms ? SETTLE : 0);
    if (!r && ms) slept(ms);
    return r;
}
#endif

static void serve_others(void);

static int f_poll(struct pollfd *p, nfds_t n, int ms)
{
    int r, alone = f.blocking && f.now_side == CLIENT;

    if (alone) serve_others();
    r = due(POLL);
    if (r > 0) return fail(r);
    if (r == NOTHING) return 0;
    r = poll(p, n, ms ? SETTLE : 0);
    if (!r && ms) slept(alone && (ms < 0 || ms > 50) ? 50 : ms);
    return r;
}

#define recv f_recv
#define readv f_readv
#define send f_send
#define sendmsg f_sendmsg
#define accept4 f_accept4
#define accept f_accept
#define connect f_connect
#define socket f_socket
#define bind f_bind
#define listen f_listen
#define fcntl f_fcntl
#define setsockopt f_setsockopt
#define getsockopt f_getsockopt
#define getsockname f_getsockname
#define pipe f_pipe
#define pipe2 f_pipe2
#define shutdown f_shutdown
#define close f_close
#define clock_gettime f_clock
#define epoll_create1 f_epoll_create1
#define epoll_ctl f_epoll_ctl
#define epoll_wait f_epoll_wait
#define poll f_poll
#define WS_STATIC
#define WS_IMPLEMENTATION
#include "../ws.h"
#undef recv
#undef readv
#undef send
#undef sendmsg
#undef accept4
#undef accept
#undef connect
#undef socket
#undef bind
#undef listen
#undef fcntl
#undef setsockopt
#undef getsockopt
#undef getsockname
#undef pipe
#undef pipe2
#undef shutdown
#undef close
#undef clock_gettime
#undef epoll_create1
#undef epoll_ctl
#undef epoll_wait
#undef poll

/* ---- the conversation ---- */

static const struct { int op; size_t size; } message[] = {
    { WS_OP_TEXT, 5 }, { WS_OP_BINARY, 0 }, { WS_OP_BINARY, 200 }, { WS_OP_TEXT, 65536 },
    { WS_OP_BINARY, 1 << 20 }
};
enum { MESSAGES = 5, BURST = 4, BIG = 1 << 20 };    /* the first four go out together */

static char *content;       /* message i begins at content + i */

enum { BLOCKING, OWN, LOOP };           /* the client's driver */

typedef struct setup {
    int driver, tcp;
    int server_closes;      /* else the client */
    int small;              /* without the last message */
    int bystander; /* a connection that must live on; faults come after it opened */
} setup;

typedef struct end { int opens, closes, got, pongs, code, clean, error, wrong; } end;

static struct world {
    setup set;
    ws_loop *loop;
    ws_conn *client, *bystander, *host; /* host: the bystander's server end */
    end at_client, at_server;
    int stood, errors, live,
        extra; /* echoes to the bystander, ws_poll < 0, heap blocks */
    int newcomer; /* 1: every other connection is one, and is not judged */
} w;

static void *counted(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user;
    (void)old_size;
    w.live += (new_size != 0) - (old != NULL);
    if (new_size) return realloc(old, new_size);
    free(old);
    return NULL;
}

static int last_message(void) { return w.set.small ? MESSAGES - 1 : MESSAGES; }

/* The messages must come whole, in order, each as it was sent. */
static void judge(end *e, const ws_event *ev)
{
    int i = e->got++;

    if (i >= last_message() || ev->op != message[i].op || ev->size != message[i].size ||
        memcmp(ev->data, content + i, ev->size))
        e->wrong++;
}

static void say(ws_conn *c, int i)
{
    ws_send(c, message[i].op, content + i, message[i].size);
}

static void count_close(end *e, const ws_event *ev)
{
    e->closes++;
    e->code = ev->code;
    e->clean = ev->clean;
    e->error = ev->error;
}

static void on_client(const ws_event *ev)
{
    end *e = &w.at_client;
    int i;

    if (ev->type == WS_EV_WAKE) return;         /* an interrupted wait says so */
    if (e->closes) e->wrong++;
    if (ev->type == WS_EV_CLOSE) { count_close(e, ev); return; }
    if (ev->type == WS_EV_PONG) e->pongs++;
    if (ev->type == WS_EV_OPEN) {
        e->opens++;
        for (i = 0; i < BURST; i++) say(ev->conn, i);
        ws_ping(ev->conn, "ping", 4);
    }
    if (ev->type != WS_EV_MESSAGE) return;
    judge(e, ev);
    if (e->got == BURST && !w.set.small) say(ev->conn, BURST);
    if (e->got != last_message()) return;
    if (w.set.server_closes) ws_send_text(ev->conn, "quit");
    else ws_close(ev->conn, 1000, "bye");
}

static void on_server(const ws_event *ev)
{
    end *e = &w.at_server;

    if (ev->type == WS_EV_WAKE) return;         /* an interrupted wait says so */
    if (e->closes) e->wrong++;
    if (ev->type == WS_EV_CLOSE) { count_close(e, ev); return; }
    if (ev->type == WS_EV_OPEN) e->opens++;
    if (ev->type != WS_EV_MESSAGE) return;
    if (ev->op == WS_OP_TEXT && ev->size == 4 && !memcmp(ev->data, "quit", 4)) {
        ws_close(ev->conn, 1000, "bye");
        return;
    }
    judge(e, ev);
    ws_send(ev->conn, ev->op, ev->data, ev->size);
}

/* An event of the loop, whose ever it is. */
static void dispatch(const ws_event *ev)
{
    ws_conn *c = ev->conn;

    if (c == w.bystander) {
        w.stood += ev->type == WS_EV_MESSAGE ? 100 : ev->type == WS_EV_OPEN;
        if (ev->type == WS_EV_CLOSE) w.bystander = NULL;
    } else if (c == w.host || (w.set.bystander && !w.host)) {
        if (ev->type == WS_EV_OPEN) w.host = c;
        if (ev->type == WS_EV_MESSAGE) ws_send(c, ev->op, ev->data, ev->size);
        if (ev->type == WS_EV_CLOSE) w.host = NULL;
    } else if (w.newcomer) {
        if (ev->type == WS_EV_OPEN) w.newcomer++;
        if (ev->type == WS_EV_OPEN && ws_is_client(c)) ws_close(c, 1000, "");
    } else if (c == w.client) {
        on_client(ev);
    } else {
        on_server(ev);
    }
}

/* Everything the loop can do without sleeping. Returns how many events came. */
static int loop_events(int timeout)
{
    ws_event ev;
    int r, n = 0, was = f.now_side;

    if (w.set.driver != LOOP) f.now_side = SERVER;
    while ((r = ws_poll(w.loop, &ev, timeout)) != 0) {
        if (r < 0 && ++w.errors > 10) break;
        if (r < 0) continue;
        dispatch(&ev);
        n++;
        if (timeout) break;
    }
    f.now_side = was;
    return n;
}

static void serve_others(void) { loop_events(0); }

/* One step of an application that has a poll loop of its own. */
static void own_step(void)
{
    struct pollfd p;
    ws_event ev;
    int wants = ws_wants(w.client), n, ms;

    p.fd = ws_fd(w.client);
    p.events = (short)((wants & WS_WANT_READ ? POLLIN : 0) |
                       (wants & WS_WANT_WRITE ? POLLOUT : 0));
    n = ws_timeout(w.client) == 0 || poll(&p, 1, 0) > 0;
    if (n) ws_step(w.client);
    while (ws_next(w.client, &ev)) { on_client(&ev); n++; }
    n += loop_events(0);
    if (n || poll(&p, 1, SETTLE) > 0 || loop_events(0)) return;
    ms = ws_timeout(w.client);
    slept(ms < 0 || ms > 50 ? 50 : ms);
}

/* Turns the world until the conversation is over at both ends. */
static void converse(void)
{
    uint64_t start = f.now;
    ws_event ev;
    size_t others = w.set.bystander ? 2 : 0;

    while (!w.at_client.closes || ws_loop_count(w.loop) > others) {
        if (f.now - start > 100000 || f.waits > 3000) stuck("hangs");
        if (w.at_client.closes && w.client && w.set.driver != LOOP) {
            ws_free(w.client);
            w.client = NULL;
        }
        if (w.at_client.closes) loop_events(w.set.driver == LOOP ? 1000 : 50);
        else if (w.set.driver == LOOP) loop_events(1000);
        else if (w.set.driver == OWN) own_step();
        else if (ws_recv(w.client, &ev, 1000) > 0) on_client(&ev);
    }
    CHECK(f.now - start < 6000);    /* told at once, or by the timeout of closing */
}

static void until_stood(int want)
{
    uint64_t start = f.now;
    while (w.bystander && w.stood < want && f.now - start < 100000) loop_events(1000);
}

static const char *unix_path(void)
{
    static char path[64];
    if (!*path) sprintf(path, "/tmp/ws_h_faults_%ld", (long)getpid());
    return path;
}

/* The loop, its listener, and the bystander; 0 when a fault has the better of it. */
static int begin(char *url, ws_config *cfg)
{
    char address[80];
    int r;

    unlink(unix_path());
    sprintf(address, "unix:%s", unix_path());
    w.loop = ws_loop_new(cfg);
    if (!w.loop) return 0;
    r = ws_listen(w.loop, w.set.tcp ? "127.0.0.1:0" : address, NULL);
    if (r < 0) CHECK(*ws_loop_error_text(w.loop) != 0);
    if (r < 0) return 0;
    if (w.set.tcp) sprintf(url, "ws://127.0.0.1:%d/", ws_listen_port(w.loop, r));
    else sprintf(url, "ws+%s:/", address);
    if (!w.set.bystander) return 1;
    w.bystander = ws_dial(w.loop, url, NULL);
    until_stood(1);
    CHECK_INT(w.stood, 1);
    CHECK(w.host != NULL);
    return 1;
}

/* After the conversation, without faults: who stood by is well, and others come in. */
static void afterwards(const char *url)
{
    uint64_t start = f.now;

    f.result = 0;
    if (w.set.bystander) {
        CHECK(w.bystander != NULL && w.host != NULL);
        ws_send_text(w.bystander, "still here");
        until_stood(101);
        CHECK_INT(w.stood, 101);
    }
    w.newcomer = 1;
    ws_dial(w.loop, url, NULL);
    while (w.newcomer < 3 && f.now - start < 30000) loop_events(1000);
    CHECK_INT(w.newcomer, 3);       /* OPEN at both its ends */
    CHECK(f.now - start < 1000);
}

/* One conversation with the fault of plan in it. Returns how often that struck. */
static long talk(const setup *set, const struct faults *plan)
{
    char url[128];
    ws_config cfg;

    memset(&w, 0, sizeof w);
    w.set = *set;
    memset(&f, 0, sizeof f);
    f.now = 1000000;
    f.tcp = set->tcp;
    memset(&cfg, 0, sizeof cfg);
    cfg.alloc = counted;
    if (!set->bystander) f = *plan, f.tcp = set->tcp, f.now = 1000000;
    if (begin(url, &cfg)) {
        if (set->bystander) {
            long waits = f.waits;
            int fds = f.fds;
            uint64_t now = f.now;
            f = *plan;
            f.fds = fds;
            f.now = now;
            f.waits = waits;
            f.tcp = set->tcp;
        }
        f.blocking = set->driver == BLOCKING;
        w.client = set->driver == LOOP ? ws_dial(w.loop, url, NULL)
                 : set->driver == OWN ? ws_open(url, &cfg) : ws_connect(url, &cfg);
        CHECK(w.client != NULL);
        converse();
        if (set->driver != LOOP) ws_free(w.client);
        w.client = NULL;
        f.blocking = 0;
        CHECK_INT(w.at_client.closes, 1);
        CHECK(w.at_server.closes <= 1 && w.at_server.opens <= w.at_server.closes);
        CHECK_INT(w.at_client.wrong + w.at_server.wrong, 0);
        CHECK(w.at_client.got <= w.at_server.got && w.at_server.got <= last_message());
        afterwards(url);
    } else {
        CHECK(f.fired > 0);
    }
    ws_loop_free(w.loop);
    unlink(unix_path());
    CHECK_INT(f.fds, 0);
    CHECK_INT(w.live, 0);
    return f.fired;
}

/* As if nothing had been. */
static void undisturbed(void)
{
    CHECK_INT(w.at_client.opens, 1);
    CHECK_INT(w.at_server.opens, 1);
    CHECK_INT(w.at_client.got, last_message());
    CHECK_INT(w.at_server.got, last_message());
    CHECK_INT(w.at_client.pongs, 1);
    CHECK_INT(w.at_client.closes, 1);
    CHECK_INT(w.at_server.closes, 1);
    CHECK(w.at_client.clean && w.at_server.clean && !w.at_client.error &&
          !w.at_server.error);
    CHECK(w.at_client.code == 1000 && w.at_server.code == 1000);
}

/* ---- every fault ---- */

/* Results of a call: first those that pass, then those that are final; 0 ends a list. */
typedef struct results { int call; int passing[20], final[14]; } results;

static const results every[] = {
    { RECV,
      { EINTR, EAGAIN, ENOBUFS, ONE_BYTE },
      { ECONNRESET, NOTHING, EPIPE, ETIMEDOUT, ENOMEM, ECONNABORTED, EBADF, EIO } },
    { READV,
      { EINTR, EAGAIN, ENOBUFS, ONE_BYTE },
      { ECONNRESET, NOTHING, EPIPE, ETIMEDOUT, ENOMEM, ECONNABORTED, EBADF, EIO } },
    { SEND,
      { EINTR, EAGAIN, ENOBUFS, ONE_BYTE, NOTHING },
      { ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM, EPROTO, EBADF, EACCES } },
    { SENDMSG,
      { EINTR, EAGAIN, ENOBUFS, ONE_BYTE, NOTHING },
      { ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM, EPROTO, EBADF, EMSGSIZE } },
    { ACCEPT,
      { EINTR, EAGAIN, ECONNABORTED, EPROTO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENETDOWN,
        ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM, EBADF },
      { 0 } },
    { CONNECT,
      { EINTR },
      { ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, ENOMEM, EAGAIN, EACCES } },
    { SOCKET, { 0 }, { EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT } },
    { BIND, { 0 }, { EADDRINUSE, EACCES, ENOMEM } },
    { LISTEN, { 0 }, { EADDRINUSE, ENOBUFS } },
    { FCNTL, { 0 }, { EBADF, EINVAL } },
    { SETSOCKOPT, { EINVAL, ENOMEM, ENOBUFS }, { 0 } },
    { GETSOCKOPT, { 0 }, { ENOBUFS, EBADF } },
    { GETSOCKNAME, { 0 }, { ENOBUFS, EBADF } },
    { PIPE, { 0 }, { EMFILE, ENFILE } },
    { POLLER_NEW, { 0 }, { EMFILE, ENFILE, ENOMEM } },
    { POLLER_SET, { 0 }, { ENOMEM, ENOSPC } },
    { POLLER_WAIT, { EINTR, EBADF }, { 0 } }, /* EBADF: ws_poll says so, once */
    { POLL, { EINTR, EAGAIN, ENOMEM, NOTHING }, { 0 } },
    { SHUTDOWN, { ENOTCONN, ENOBUFS }, { 0 } },
    { CLOSE, { EINTR, EIO }, { 0 } }
};

static long runs;

static void told(const setup *s, const struct faults *p)
{
    printf("    %s number %ld gives %d (%s), %ld times; driver %d, side %d, tcp %d, "
           "server closes %d\n", call_names[p->call], p->at, p->result,
           p->result > 0 ? strerror(p->result) : "", p->times, s->driver, p->side, s->tcp,
           s->server_closes);
}

/* One result at each turn of one call. */
static void each_turn(const setup *s, struct faults p, int result, long turns,
                      int passing)
{
    p.result = result;
    for (p.at = 0; p.at < turns && test_faults < 5; p.at++) {
        int had = test_faults;
        long fired = talk(s, &p);
        runs++;
        if (passing || !fired) undisturbed();
        if (!passing && fired && p.call == GETSOCKOPT) /* the address, or this machine */
            CHECK(w.at_client.error == WS_ERR_CONNECT ||
                  w.at_client.error == WS_ERR_SYSTEM);
        if (test_faults > had) told(s, &p);
    }
}

/* Every result of every call of one side; brief: only the commonest results. */
static void each_fault(const setup *s, int side, int brief)
{
    struct faults none, p;
    long turns[CALLS];
    size_t i;
    int k;

    memset(&none, 0, sizeof none);
    talk(s, &none);
    undisturbed();
    memcpy(turns, f.count[side], sizeof turns);
    for (i = 0; i < sizeof every / sizeof *every; i++) {
        const results *r = &every[i];
        long n = turns[r->call];
        p = none;
        p.side = side;
        p.call = r->call;
        for (p.times = 1; p.times <= (brief ? 1 : 3); p.times += 2)
            for (k = 0; r->passing[k]; k++) each_turn(s, p, r->passing[k], n, 1);
        p.times = 1;
        for (k = 0; r->final[k] && k < (brief ? 2 : 20); k++)
            each_turn(s, p, r->final[k], n, 0);
        p.times = CALLS_MAX;            /* and from then on always */
        if (r->final[0] && s->driver != LOOP) each_turn(s, p, r->final[brief], n, 0);
    }
}

static void fill(void)
{
    size_t i;
    if (content) return;
    content = (char *)malloc(BIG + MESSAGES);
    for (i = 0; i < BIG + MESSAGES; i++)
        content[i] = (char)('a' + (i * 7 + i / 26 + i / 4001) % 26);
}

static void each_setup(int driver, int side)
{
    setup s;

    fill();
    memset(&s, 0, sizeof s);
    s.driver = driver;
    s.bystander = 1;
    for (s.tcp = 0; s.tcp < 2; s.tcp++)
        for (s.server_closes = 0; s.server_closes < 2; s.server_closes++) {
            s.small = s.tcp || s.server_closes;
            each_fault(&s, side, s.small);
        }
    printf("# %ld conversations\n", runs);
}

TEST(sec_H5_loop) { each_setup(LOOP, CLIENT); }
TEST(sec_H5_own_loop) { each_setup(OWN, CLIENT); }
TEST(sec_H5_blocking) { each_setup(BLOCKING, CLIENT); }
TEST(sec_H5_server) { each_setup(OWN, SERVER); }

/* the loop's own making, its listener, the first connection */
TEST(sec_H5_beginnings)
{
    setup s;

    fill();
    memset(&s, 0, sizeof s);
    s.small = 1;
    for (s.tcp = 0; s.tcp < 2; s.tcp++) {
        s.driver = LOOP;
        each_fault(&s, CLIENT, 0);
        s.driver = OWN;
        each_fault(&s, SERVER, 0);
    }
}

/* ---- accepting while the system cannot ---- */

/* A loop that listens at unix_path(), and nothing else in the world. */
static void listen_alone(void)
{
    char address[80];

    memset(&w, 0, sizeof w);
    memset(&f, 0, sizeof f);
    f.now = 1000000;
    w.set.driver = LOOP;
    w.newcomer = 1;
    unlink(unix_path());
    sprintf(address, "unix:%s", unix_path());
    w.loop = ws_loop_new(NULL);
    CHECK(ws_listen(w.loop, address, NULL) >= 0);
}

static int knock(void)
{
    struct sockaddr_un a;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    strcpy(a.sun_path, unix_path());
    CHECK(!connect(fd, (struct sockaddr *)&a, sizeof a));
    return fd;
}

static void alone_over(void)
{
    ws_loop_free(w.loop);
    unlink(unix_path());
}

/* Three seconds of an accept that fails, then a client that must be let in at once. */
static void accept_fails(int error, int takes, int deaf)
{
    int fd[10], i;
    uint64_t start;
    char url[96];

    listen_alone();
    for (i = 0; i < 10; i++) fd[i] = knock();
    f.call = ACCEPT;
    f.result = error;
    f.times = CALLS_MAX;
    f.takes = takes;
    f.deaf[0] = f.deaf[1] = deaf;
    start = f.now;
    while (f.now - start < 3000) loop_events(50);
    CHECK(f.count[0][ACCEPT] > 0 && f.count[0][ACCEPT] <= 45); /* every 100 ms, no more */
    CHECK(f.waits <= 120);
    if (takes) CHECK_INT(f.count[0][ACCEPT], 11);                   /* all in one turn */
    f.result = 0;
    start = f.now;
    sprintf(url, "ws+unix:%s:/", unix_path());
    ws_dial(w.loop, url, NULL);
    while (w.newcomer < 3 && f.now - start < 3000) loop_events(50);
    CHECK_INT(w.newcomer, 3);
    CHECK(f.now - start <= 200);
    for (i = 0; i < 10; i++) close(fd[i]);
    alone_over();
    if (test_faults) printf("    accept gives %s, takes %d\n", strerror(error), takes);
}

TEST(sec_H4_accept_fails)
{
    static const int rest[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EBADF, EINVAL };
    static const int lost[] = {
        ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, EOPNOTSUPP,
        ENETUNREACH,
#ifdef ENONET
        ENONET,
#endif
    };
    size_t i;

    for (i = 0; i < sizeof rest / sizeof *rest; i++) {
        accept_fails(rest[i], 0, 0);
        accept_fails(rest[i], 0, 3);    /* and the poller cannot be told for a while */
    }
    for (i = 0; i < sizeof lost / sizeof *lost; i++) accept_fails(lost[i], 1, 0);
}

/* ---- what was sent to us before writing failed is heard ---- */

static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

/* Pulls what there is for a second; counts the messages, tells the error of CLOSE or
   0. */
static int pull(ws_conn *c, int *messages)
{
    ws_event ev;
    int turns;

    for (turns = 0; turns < 20 && !ws_done(c); turns++) {
        ws_step(c);
        while (ws_next(c, &ev)) {
            *messages += ev.type == WS_EV_MESSAGE;
            if (ev.type == WS_EV_CLOSE) return ev.error;
        }
        f.now += 50;
    }
    return 0;
}

/* A server's end without a loop, past its opening handshake; peer: the other end. */
static ws_conn *adopted(int *peer)
{
    int pair[2], messages = 0;
    ws_conn *c;

    memset(&f, 0, sizeof f);
    f.now = 1000000;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    c = ws_adopt(NULL, pair[0], NULL, 0, NULL);
    CHECK_INT(send(pair[1], request, sizeof request - 1, 0), sizeof request - 1);
    pull(c, &messages);
    CHECK_INT(messages, 0);
    *peer = pair[1];
    return c;
}

TEST(write_fails)
{
    static const char hello[] = "\x81\x85\0\0\0\0hello\x81\x85\0\0\0\0world";
    int paused;

    for (paused = 0; paused < 2; paused++) {
        int messages = 0, peer;
        ws_conn *c = adopted(&peer);
        if (paused) ws_pause(c);
        CHECK_INT(send(peer, hello, sizeof hello - 1, 0), sizeof hello - 1);
        f.call = SEND;
        f.result = ENETDOWN;
        f.times = CALLS_MAX;
        ws_send_text(c, "x");
        ws_step(c);
        CHECK_INT(f.fired, 1);
        if (paused) {
            CHECK_INT(pull(c, &messages), 0);
            CHECK_INT(messages, 0);
            ws_resume(c);
        } else {
            CHECK_INT(ws_timeout(c), 0);
        }
        CHECK_INT(pull(c, &messages), WS_ERR_IO);
        CHECK_INT(messages, 2);
        CHECK_INT(f.fired, 1);
        ws_free(c);
        close(peer);
    }
}

/* ---- raw peers of a loop ---- */

/* Opens a raw client of the loop, *fd: request sent, answer read. Returns its server
   end. */
static ws_conn *raw_open(int *fd)
{
    char answer[512];
    ws_event ev, none;
    int turns = 0;

    *fd = knock();
    CHECK_INT(send(*fd, request, sizeof request - 1, 0), sizeof request - 1);
    while (ws_poll(w.loop, &ev, 100) <= 0 && turns++ < 10) {}
    CHECK_INT(ev.type, WS_EV_OPEN);
    CHECK_INT(ws_poll(w.loop, &none, 0), 0);
    CHECK(recv(*fd, answer, sizeof answer, 0) > 100);
    return ev.conn;
}

static const char masked_hi[] = "\x81\x82\0\0\0\0hi", masked_yo[] = "\x81\x82\0\0\0\0yo";

/* What a connection was about to send in a turn dies with it; the next one's frames are
   alone. */
TEST(freed_with_output)
{
    char got[300];
    ws_event ev;
    ws_conn *a, *b;
    int fd[2], messages = 0;

    listen_alone();
    a = raw_open(&fd[0]);
    b = raw_open(&fd[1]);
    CHECK_INT(send(fd[0], masked_hi, 8, 0), 8);
    CHECK_INT(send(fd[1], masked_hi, 8, 0), 8);
    while (ws_poll(w.loop, &ev, 10) > 0) {
        if (ev.type != WS_EV_MESSAGE) continue;
        messages++;
        CHECK_INT(ws_send_text(ev.conn, ev.conn == a ? "secret" : "public"), 0);
        if (ev.conn == a) ws_free(a);
    }
    CHECK_INT(messages, 2);
    CHECK_INT(recv(fd[1], got, sizeof got, 0), 8);
    CHECK(!memcmp(got, "\x81\x06public", 8));
    CHECK_INT(recv(fd[0], got, sizeof got, 0), 0);
    CHECK_INT(ws_loop_count(w.loop), 1);
    CHECK_INT(ws_state(b), WS_STATE_OPEN);
    alone_over();
    close(fd[0]);
    close(fd[1]);
}

/* Input that waited while much was unsent is looked at as soon as the socket took
   that. */
TEST(held_within_a_turn)
{
    static char big[100000];
    char address[80], both[16];
    ws_config cfg;
    ws_event ev;
    int fd, messages = 0;

    listen_alone();
    ws_unlisten(w.loop, 0);
    memset(&cfg, 0, sizeof cfg);
    cfg.max_backlog = 20000;
    unlink(unix_path());
    sprintf(address, "unix:%s", unix_path());
    CHECK(ws_listen(w.loop, address, &cfg) >= 0);
    raw_open(&fd);
    memcpy(both, masked_hi, 8);
    memcpy(both + 8, masked_yo, 8);
    CHECK_INT(send(fd, both, 16, 0), 16);
    while (ws_poll(w.loop, &ev, 10) > 0)
        if (ev.type == WS_EV_MESSAGE && ++messages == 1) {
            CHECK_INT(ws_send(ev.conn, WS_OP_BINARY, big, 18000), 0);
            f.call = SEND;              /* the first try takes nothing, the next all */
            f.result = EAGAIN;
            f.at = f.count[0][SEND];
            f.times = 1;
            CHECK_INT(ws_send(ev.conn, WS_OP_BINARY, big, 1900), 0);
        }
    CHECK_INT(f.fired, 1);
    CHECK_INT(messages, 2);
    alone_over();
    close(fd);
}

/* After an error of the peer the socket stays, so that what the peer still sends does
   not turn our last words into a reset; but no longer than the timeout of closing. */
TEST(last_words)
{
    char got[300], waste[5000];
    ws_event ev;
    int fd, fds, silent;
    ssize_t n;
    uint64_t start;

    memset(waste, 'w', sizeof waste);
    for (silent = 0; silent < 2; silent++) {
        listen_alone();
        fds = f.fds;
        raw_open(&fd);
        CHECK_INT(f.fds, fds + 1);
        CHECK_INT(send(fd, "\xff\xff", 2, 0), 2);      /* reserved bits */
        CHECK_INT(ws_poll(w.loop, &ev, 1000), 1);
        CHECK_INT(ev.error, WS_ERR_RSV);
        CHECK_INT(ws_poll(w.loop, &ev, 0), 0);
        CHECK_INT(ws_loop_count(w.loop), 0);
        CHECK_INT(f.fds, fds + 1);
        start = f.now;
        if (!silent) {
            CHECK_INT(send(fd, waste, sizeof waste, MSG_NOSIGNAL), sizeof waste);
            CHECK_INT(ws_poll(w.loop, &ev, 0), 0);
            n = recv(fd, got, sizeof got, 0);
            CHECK(n > 4 && !memcmp(got, "\x88", 1) && got[2] == 3 &&
                  (uint8_t)got[3] == 0xEA);
            CHECK_INT(recv(fd, got, sizeof got, 0), 0);
            close(fd);
            for (n = 0; n < 4 && f.fds > fds; n++) CHECK_INT(ws_poll(w.loop, &ev, 0), 0);
        } else {
            while (f.fds > fds && f.now - start < 60000) ws_poll(w.loop, &ev, 100);
            CHECK(f.now - start >= 5000 && f.now - start < 5200);
            close(fd);
        }
        CHECK_INT(f.fds, fds);
        alone_over();
    }
}

/* ws_free with input unread: what was written before is not lost to a reset. */
TEST(free_with_input_unread)
{
    char got[300];
    int peer;
    ws_conn *c = adopted(&peer);

    CHECK(recv(peer, got, sizeof got, 0) > 100);
    ws_pause(c);
    CHECK_INT(ws_send_text(c, "last"), 0);
    ws_step(c);
    CHECK_INT(send(peer, masked_hi, 8, 0), 8);
    ws_free(c);
    CHECK_INT(recv(peer, got, sizeof got, 0), 6);
    CHECK_INT(recv(peer, got, sizeof got, 0), 0);
    close(peer);
}

/* A connection that was freed gives no event, though the poller had named it and input
   of it waited to be looked at. */
TEST(freed_while_ready)
{
    ws_event ev;
    ws_conn *a, *b;
    int fd[2], late = 0, hit = 0;

    listen_alone();
    a = raw_open(&fd[0]);
    b = raw_open(&fd[1]);
    CHECK_INT(send(fd[1], masked_hi, 8, 0), 8);
    CHECK_INT(send(fd[1], masked_yo, 8, 0), 8);
    CHECK_INT(ws_poll(w.loop, &ev, 0), 1);          /* hi; yo is read and waits */
    CHECK(ev.conn == b);
    ws_pause(b);
    CHECK_INT(ws_poll(w.loop, &ev, 0), 0);
    CHECK_INT(send(fd[0], masked_hi, 8, 0), 8);
    close(fd[1]);                                   /* both are ready now */
    while (ws_poll(w.loop, &ev, 10) > 0) {
        late += hit && ev.conn == b;
        if (ev.conn != a || hit++) continue;
        ws_resume(b);
        ws_free(b);
    }
    CHECK_INT(hit, 1);
    CHECK_INT(late, 0);
    CHECK_INT(ws_loop_count(w.loop), 1);
    alone_over();
    close(fd[0]);
}

/* Writing to a peer that is gone is no signal, by none of the ways in which bytes
   leave. */
TEST(sec_H3_pipe)
{
    static char echo[5000] = { (char)0x82, (char)0xFE, 4992 >> 8, (char)(4992 & 255) };
    ws_event ev;
    ws_conn *c;
    int fd, messages = 0, peer;

    signal(SIGPIPE, SIG_DFL);
    c = adopted(&peer);
    close(peer);
    ws_send_text(c, "x");
    CHECK(pull(c, &messages) < 0);
    CHECK_INT(f.count[0][SEND], 2);
    ws_free(c);

    listen_alone();
    raw_open(&fd);
    CHECK_INT(send(fd, echo, sizeof echo, 0), sizeof echo);
    close(fd);
    f.count[0][SEND] = 0;
    while (ws_poll(w.loop, &ev, 10) > 0) {
        messages += ev.type == WS_EV_MESSAGE;
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    }
    CHECK_INT(messages, 1);
    CHECK(f.count[0][SENDMSG] + f.count[0][SEND] > 0);
    CHECK_INT(ws_loop_count(w.loop), 0);
    alone_over();
}

/* a socket that cannot be made non-blocking is not taken: a read of it could last for
   ever */
TEST(adopt_fails)
{
    int in_loop, turn, pair[2];

    for (in_loop = 0; in_loop < 2; in_loop++)
        for (turn = 0; turn < 3; turn += 2) {       /* F_GETFL, F_SETFL */
            ws_event ev;
            ws_conn *c;
            char rest;

            memset(&w, 0, sizeof w);
            memset(&f, 0, sizeof f);
            f.now = 1000000;
            w.loop = in_loop ? ws_loop_new(NULL) : NULL;
            CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
            f.call = FCNTL;
            f.at = f.count[0][FCNTL] + turn;
            f.times = 1;
            f.result = EBADF;
            c = ws_adopt(w.loop, pair[0], NULL, 0, NULL);
            CHECK_INT(f.fired, 1);
            CHECK(c != NULL && ws_fd(c) == -1);
            CHECK_INT(in_loop ? ws_poll(w.loop, &ev, 1000) : ws_next(c, &ev), 1);
            CHECK_INT(ev.type, WS_EV_CLOSE);
            CHECK_INT(ev.error, WS_ERR_IO);
            CHECK_INT(recv(pair[1], &rest, 1, 0), 0);
            if (in_loop) ws_loop_free(w.loop);
            else ws_free(c);
            close(pair[1]);
        }
}

#ifndef WS__POLLER_POLL
/* closing is complete: what fails then is no fault of the connection */
TEST(poller_fails_behind_closing)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char closing[] = "\x88\x82\0\0\0\0\x03\xe8";
    ws_event ev;
    int pair[2];

    memset(&w, 0, sizeof w);
    memset(&f, 0, sizeof f);
    f.now = 1000000;
    w.loop = ws_loop_new(NULL);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK(ws_adopt(w.loop, pair[0], NULL, 0, NULL) != NULL);
    CHECK_INT(send(pair[1], request, sizeof request - 1, 0), sizeof request - 1);
    CHECK_INT(ws_poll(w.loop, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    CHECK_INT(ws_poll(w.loop, &ev, 0), 0);
    f.call = POLLER_SET;
    f.at = f.count[0][POLLER_SET];
    f.times = 100;
    f.result = ENOMEM;
    CHECK_INT(send(pair[1], closing, sizeof closing - 1, 0), sizeof closing - 1);
    CHECK_INT(ws_poll(w.loop, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(f.fired, 1);
    CHECK_INT(ev.error, 0);
    CHECK_INT(ev.code, 1000);
    CHECK(ev.clean);
    ws_loop_free(w.loop);
    close(pair[1]);
}
#define POLLER_TESTS T(poller_fails_behind_closing)
#else
#define POLLER_TESTS
#endif

/* ws_poll that cannot wait says why, and can be asked again */
TEST(poller_fails)
{
    ws_event ev;

    listen_alone();
    f.call = POLLER_WAIT;
#ifdef WS__POLLER_POLL
    f.call = POLL;
#endif
    f.result = ENOMEM;
    f.times = 1;
    CHECK_INT(ws_poll(w.loop, &ev, 1000), WS_ERR_POLLER);
    CHECK(strstr(ws_loop_error_text(w.loop), ws_error_string(WS_ERR_POLLER)) != NULL);
    CHECK_INT(ws_poll(w.loop, &ev, 1000), 0);
    CHECK_INT(f.now, 1001000);
    alone_over();
}

TESTS(T(sec_H5_beginnings) T(sec_H5_loop) T(sec_H5_own_loop) T(sec_H5_blocking)
      T(sec_H5_server) T(sec_H4_accept_fails) T(write_fails) T(adopt_fails)
      T(poller_fails) POLLER_TESTS T(freed_with_output) T(held_within_a_turn)
      T(last_words)
      T(free_with_input_unread) T(freed_while_ready) T(sec_H3_pipe))
#endif

/* Interrupted waits: a signal makes WS_EV_WAKE of ws_poll, ws_poll_until and ws_recv,
   never a 0 before the time has come; ws_wake does it from threads and signal
   handlers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"

#ifdef _WIN32

int main(void)
{
    printf("SKIP test_field_wake: it uses POSIX signals\n0 passed, 0 failed\n");
    return 0;
}

#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include "fixture/sockets.h"

#define LONG_AGO 15000          /* ms after which a wait has failed */

/* ---- a thread that interrupts another one, and ends what would wait for ever ---- */

typedef struct kicker {
    pthread_t self, target;
    volatile int stop, gave_up;
    int kicks;                  /* 0: it only watches */
    ws_loop *loop;              /* gets a post when it gives up */
    int fd;                     /* is shut down then, -1: none */
} kicker;

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

static void take_signals(int number, int flags, void (*handler)(int))
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = handler;
    a.sa_flags = flags;
    sigemptyset(&a.sa_mask);
    sigaction(number, &a, NULL);
}

static void *kick(void *p)
{
    kicker *k = (kicker *)p;
    struct timespec pause = { 0, 1000000 };
    uint64_t start = now_ms();

    while (!k->stop) {
        nanosleep(&pause, NULL);
        if (k->kicks) pthread_kill(k->target, SIGUSR1);
        if (k->gave_up || now_ms() - start < LONG_AGO) continue;
        k->gave_up = 1;
        k->kicks = 0;
        if (k->loop) ws_post(k->loop, NULL);
        if (k->fd >= 0) shutdown(k->fd, SHUT_RDWR);
    }
    return NULL;
}

/* A thread that takes no signals. */
static void thread_begin(pthread_t *t, void *(*run)(void *), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(!pthread_create(t, NULL, run, arg));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* flags: of sigaction; the signal reaches the thread that calls this alone. */
static void kick_begin(kicker *k, ws_loop *loop, int fd, int kicks, int flags)
{
    memset(k, 0, sizeof *k);
    k->target = pthread_self();
    k->loop = loop;
    k->fd = fd;
    k->kicks = kicks;
    signals = 0;
    take_signals(SIGUSR1, flags, on_signal);
    thread_begin(&k->self, kick, k);
}

static void kick_end(kicker *k)
{
    k->stop = 1;
    pthread_join(k->self, NULL);
    CHECK(!k->gave_up);
}

#define CHECK_WAKE(ev) \
    do { \
        CHECK_INT((ev).type, WS_EV_WAKE); \
        CHECK((ev).conn == NULL); \
        CHECK_INT((ev).size, 0); \
    } while (0)

/* ---- a server in a thread of its own, which echoes ---- */

typedef struct host {
    pthread_t self;
    ws_loop *loop;
    int port;
} host;

static void *host_run(void *p)
{
    host *h = (host *)p;
    ws_event ev;

    while (ws_poll(h->loop, &ev, -1) > 0 && ev.type != WS_EV_POST)
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    return NULL;
}

static void host_begin(host *h)
{
    int l;

    h->loop = ws_loop_new(NULL);
    l = ws_listen(h->loop, "127.0.0.1:0", NULL);
    CHECK(l >= 0);
    h->port = ws_listen_port(h->loop, l);
    thread_begin(&h->self, host_run, h);
}

static void host_end(host *h)
{
    ws_post(h->loop, NULL);
    pthread_join(h->self, NULL);
    ws_loop_free(h->loop);
}

static const char *host_url(const host *h)
{
    static char url[60];
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", h->port);
    return url;
}

/* ---- interrupted waits ---- */

/* Waits in the loop: for ever, long, until long from now, until the end of days. */
static int wait_in(ws_loop *loop, ws_event *ev, int how)
{
    switch (how) {
    case 0: return ws_poll(loop, ev, -1);
    case 1: return ws_poll(loop, ev, 3600000);
    case 2: return ws_poll_until(loop, ev, ws_loop_now(loop) + 3600000);
    default: return ws_poll_until(loop, ev, (uint64_t)-1 / 2);
    }
}

/* a signal comes out of every wait of a loop, each time, with SA_RESTART as well */
TEST(field_13_signals_come_out_of_the_loop)
{
    int restart, how, i;

    for (restart = 0; restart < 2; restart++) for (how = 0; how < 4; how++) {
        ws_loop *loop = ws_loop_new(NULL);
        kicker k;
        ws_event ev;
        kick_begin(&k, loop, -1, 1, restart ? SA_RESTART : 0);
        for (i = 0; i < 20 && !k.gave_up; i++) {
            memset(&ev, 0xA5, sizeof ev);
            CHECK_INT(wait_in(loop, &ev, how), 1);
            CHECK_WAKE(ev);
        }
        CHECK(signals > 0);
        kick_end(&k);
        ws_loop_free(loop);
        if (test_faults) return;
    }
}

/* the same by a timer, as programs have them, in a loop that listens */
TEST(field_13_a_timer_comes_out)
{
    static const struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
    static const struct itimerval off = { { 0, 0 }, { 0, 0 } };
    ws_loop *loop = ws_loop_new(NULL);
    kicker k;
    ws_event ev;
    int i;

    CHECK(ws_listen(loop, "127.0.0.1:0", NULL) >= 0);
    kick_begin(&k, loop, -1, 0, 0);
    take_signals(SIGALRM, 0, on_signal);
    setitimer(ITIMER_REAL, &often, NULL);
    for (i = 0; i < 20 && !k.gave_up; i++) {
        CHECK_INT(ws_poll(loop, &ev, -1), 1);
        CHECK_WAKE(ev);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    kick_end(&k);
    ws_loop_free(loop);
}

/* under a rain of signals a 0 means that the time has come, and it does come */
TEST(field_13_a_zero_means_the_time)
{
    int how, i;                         /* 0: ws_poll, 1: ws_poll_until */

    for (how = 0; how < 2; how++) {
        ws_loop *loop = ws_loop_new(NULL);
        kicker k;
        ws_event ev;
        int zeros = 0;
        kick_begin(&k, loop, -1, 1, 0);
        for (i = 0; i < 2000 && zeros < 3 && !k.gave_up; i++) {
            uint64_t before = ws_loop_now(loop), when = before + 30;
            int r = how ? ws_poll_until(loop, &ev, when) : ws_poll(loop, &ev, 30);
            if (r == 0) {
                zeros++;
                k.kicks = 1;
                CHECK(ws_loop_now(loop) >= when);
            } else {
                CHECK_INT(r, 1);
                CHECK_WAKE(ev);
                if (i % 50 == 49) k.kicks = 0;
            }
        }
        CHECK_INT(zeros, 3);
        kick_end(&k);
        ws_loop_free(loop);
    }
}

/* until a moment: waking and waiting again reaches it, with no 0 before */
TEST(field_13_until_is_reached)
{
    ws_loop *loop = ws_loop_new(NULL);
    kicker k;
    ws_event ev;
    uint64_t when = ws_loop_now(loop) + 100;
    int r;

    kick_begin(&k, loop, -1, 1, 0);
    while ((r = ws_poll_until(loop, &ev, when)) == 1) {
        CHECK_WAKE(ev);
        if (k.gave_up) break;
    }
    CHECK_INT(r, 0);
    CHECK(ws_loop_now(loop) >= when);
    kick_end(&k);
    ws_loop_free(loop);
}

/* a signal comes out of a blocking client that waits, and what is sent still goes and
   comes */
TEST(field_13_signals_come_out_of_a_client)
{
    int restart, i;

    for (restart = 0; restart < 2; restart++) {
        host h;
        kicker k;
        ws_event ev;
        ws_conn *c;
        int messages = 0, wakes = 0;
        host_begin(&h);
        kick_begin(&k, NULL, -1, 1, restart ? SA_RESTART : 0);
        c = ws_connect(host_url(&h), NULL);     /* under signals too: ws_recv goes on */
        CHECK_INT(ws_error(c), 0);
        CHECK_INT(ws_recv(c, &ev, -1), 1);
        while (ev.type == WS_EV_WAKE) CHECK_INT(ws_recv(c, &ev, -1), 1);
        CHECK_INT(ev.type, WS_EV_OPEN);
        k.fd = (int)ws_fd(c);
        for (i = 0; i < 20 && !k.gave_up; i++) {
            memset(&ev, 0xA5, sizeof ev);
            CHECK_INT(ws_recv(c, &ev, i % 2 ? -1 : 3600000), 1);
            CHECK_WAKE(ev);
        }
        for (i = 0; i < 50 && !k.gave_up; i++) {
            CHECK_INT(ws_send(c, WS_OP_BINARY, &i, sizeof i), 0);
            do CHECK(ws_recv(c, &ev, -1) > 0);
            while (ev.type == WS_EV_WAKE && !k.gave_up && ++wakes);
            messages += ev.type == WS_EV_MESSAGE;
            if (ev.type == WS_EV_MESSAGE) CHECK(!memcmp(ev.data, &i, sizeof i));
        }
        CHECK_INT(messages, 50);
        CHECK_INT(ws_error(c), 0);
        kick_end(&k);
        ws_close(c, 1000, NULL);
        while (ws_recv(c, &ev, LONG_AGO) > 0) {}
        ws_free(c);
        host_end(&h);
        if (test_faults) return;
    }
}

/* a client with a time to wait: 0 means that it has passed */
TEST(field_13_a_clients_zero_means_the_time)
{
    host h;
    kicker k;
    ws_event ev;
    ws_conn *c;
    int i, zeros = 0;

    host_begin(&h);
    c = ws_connect(host_url(&h), NULL);
    CHECK_INT(ws_recv(c, &ev, LONG_AGO), 1);
    kick_begin(&k, NULL, (int)ws_fd(c), 1, 0);
    for (i = 0; i < 2000 && zeros < 3 && !k.gave_up; i++) {
        uint64_t before = now_ms();
        int r = ws_recv(c, &ev, 30);
        if (r == 0) {
            zeros++;
            k.kicks = 1;
            CHECK(now_ms() - before >= 29);
        } else {
            CHECK_INT(r, 1);
            CHECK_WAKE(ev);
            if (i % 50 == 49) k.kicks = 0;
        }
    }
    CHECK_INT(zeros, 3);
    kick_end(&k);
    ws_free(c);
    host_end(&h);
}

/* a client between two tries has no socket to wait for, and wakes all the same */
TEST(field_13_a_client_that_is_down_wakes)
{
    ws_config cfg;
    kicker k;
    ws_event ev;
    ws_conn *c;
    char url[60];
    int port, fd = loopback_listen(&port);

    close(fd);                          /* nobody listens there now */
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    memset(&cfg, 0, sizeof cfg);
    cfg.reconnect = LONG_AGO;
    cfg.reconnect_max = LONG_AGO;
    c = ws_connect(url, &cfg);
    CHECK_INT(ws_recv(c, &ev, LONG_AGO), 1);
    CHECK_INT(ev.type, WS_EV_DOWN);
    kick_begin(&k, NULL, -1, 1, 0);
    CHECK_INT(ws_recv(c, &ev, -1), 1);
    CHECK_WAKE(ev);
    kick_end(&k);
    ws_free(c);
}

static ptrdiff_t none_to_read(void *user, void *data, size_t n)
{
    (void)user;
    (void)data;
    (void)n;
    return WS_IO_WANT_READ;
}

static ptrdiff_t all_written(void *user, const void *data, size_t n)
{
    (void)user;
    (void)data;
    return (ptrdiff_t)n;
}

/* one over functions of the application sleeps between its tries: that is interrupted
   as well */
TEST(field_13_a_sleeping_client_wakes)
{
    ws_config cfg;
    kicker k;
    ws_event ev;
    ws_conn *c;
    int r = 1;

    memset(&cfg, 0, sizeof cfg);
    cfg.io.read = none_to_read;
    cfg.io.write = all_written;
    cfg.handshake_timeout = 500;
    kick_begin(&k, NULL, -1, 1, 0);
    c = ws_connect("ws://example.com/", &cfg); /* signals do not put off its deadline */
    while (r > 0 && (r = ws_recv(c, &ev, LONG_AGO)) > 0 && ev.type == WS_EV_WAKE) {}
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.error, WS_ERR_HANDSHAKE_TIMEOUT);
    kick_end(&k);
    ws_free(c);
}

/* Connecting to a server that accepts and says nothing: a signal comes out of it,
   nothing has failed, and ws_recv goes on, to OPEN when the server answers. */
TEST(field_13_a_client_that_connects_wakes)
{
    int restart;

    for (restart = 0; restart < 2; restart++) {
        kicker k;
        ws_event ev;
        ws_conn *c;
        char url[60], in[4000] = "", accept_text[29], answer[200];
        const char *key;
        size_t n = 0;
        ssize_t r = 1;
        int port, fd, i, listener = loopback_listen(&port);
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        kick_begin(&k, NULL, -1, 1, restart ? SA_RESTART : 0);
        c = ws_connect(url, NULL);
        CHECK_INT(ws_error(c), 0);
        CHECK_INT(ws_state(c), WS_STATE_CONNECTING);
        for (i = 0; i < 5; i++) {       /* still silent */
            CHECK_INT(ws_recv(c, &ev, -1), 1);
            CHECK_WAKE(ev);
            CHECK_INT(ws_state(c), WS_STATE_CONNECTING);
        }
        do fd = accept(listener, NULL, NULL);
        while (fd < 0 && errno == EINTR);
        while (r > 0 && !strstr(in, "\r\n\r\n") && !k.gave_up) {
            ws_recv(c, &ev, 0);         /* sends the request, if it did not yet */
            r = recv(fd, in + n, sizeof in - 1 - n, MSG_DONTWAIT);
            if (r > 0) n += (size_t)r;
            if (r < 0 && (errno == EAGAIN || errno == EINTR)) r = 1;
            in[n] = 0;
        }
        key = strstr(in, "Sec-WebSocket-Key: ");
        CHECK(key != NULL);
        if (key) {
            ws_accept_key(key + 19, accept_text);
            r = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\n"
                         "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %s\r\n\r\n", accept_text);
            CHECK_INT(write(fd, answer, (size_t)r), r);
            do CHECK_INT(ws_recv(c, &ev, -1), 1);
            while (ev.type == WS_EV_WAKE && !k.gave_up);
            CHECK_INT(ev.type, WS_EV_OPEN);
            CHECK_INT(ws_state(c), WS_STATE_OPEN);
        }
        kick_end(&k);
        ws_free(c);
        close(fd);
        close(listener);
    }
}

/* ---- a send that waits ---- */

typedef struct reader {
    pthread_t self;
    int listener, port;
    long total;                 /* bytes behind the request */
} reader;

/* A server by hand that reads slowly, to the end. */
static void *read_slowly(void *p)
{
    reader *r = (reader *)p;
    struct timespec pause = { 0, 200000 };
    char in[4000], accept_text[29], answer[200];
    const char *key;
    size_t n = 0;
    ssize_t k = 1;
    int fd = accept(r->listener, NULL, NULL);

    for (in[0] = 0; k > 0 && !strstr(in, "\r\n\r\n"); in[n] = 0) {
        k = read(fd, in + n, sizeof in - 1 - n);
        if (k > 0) n += (size_t)k;
    }
    key = strstr(in, "Sec-WebSocket-Key: ");
    if (key) {
        ws_accept_key(key + 19, accept_text);
        k = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n", accept_text);
        k = write(fd, answer, (size_t)k);
    }
    while ((k = read(fd, in, sizeof in)) > 0) {
        r->total += k;
        nanosleep(&pause, NULL);
    }
    close(fd);
    return NULL;
}

/* signals do not end the wait of a send: nothing is refused, and nothing sent twice */
TEST(field_13_a_waiting_send_goes_on)
{
    static char data[60000];
    int i, bad = 0, room = 16384;
    kicker k;
    reader r;
    ws_config cfg;
    ws_conn *c;
    char url[60];

    memset(&cfg, 0, sizeof cfg);
    memset(&r, 0, sizeof r);
    r.listener = loopback_listen(&r.port);
    setsockopt(r.listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    thread_begin(&r.self, read_slowly, &r);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", r.port);
    c = ws_connect(url, &cfg);
    CHECK_INT(ws_state(c), WS_STATE_OPEN);
    kick_begin(&k, NULL, (int)ws_fd(c), 1, 0);
    for (i = 0; i < 100 && !k.gave_up; i++)
        bad += ws_send(c, WS_OP_BINARY, data, sizeof data) != 0;
    CHECK_INT(bad, 0);
    CHECK_INT(ws_error(c), 0);
    while (ws_buffered(c) && !k.gave_up) {
        ws_event ev;
        CHECK(ws_recv(c, &ev, 10) >= 0);
    }
    k.fd = -1;
    ws_free(c);
    pthread_join(r.self, NULL);
    kick_end(&k);
    CHECK_INT(r.total, 100 * (8 + 60000));
    close(r.listener);
}

/* ---- ws_wake ---- */

static int numbers[600];

/* The next event that is there; 0 when two looks in a row found none. */
static int there(ws_loop *loop, ws_event *ev)
{
    int r = ws_poll(loop, ev, 0);
    return r ? r : ws_poll(loop, ev, 0);
}

/* Posts the address of a number. */
static int post(ws_loop *loop, int number)
{
    numbers[number] = number;
    return ws_post(loop, &numbers[number]);
}

/* before the wait: it is not lost; many make one event; none is left */
TEST(field_13_wakes_make_one_event)
{
    static const int TIMES[] = { 1, 2, 100, 5000, 200000 };
    int i, k, how;

    for (how = 0; how < 4; how++) for (k = 0; k < 5; k++) {
        ws_loop *loop = ws_loop_new(NULL);
        kicker watch;
        ws_event ev;
        int bad = 0;
        kick_begin(&watch, loop, -1, 0, 0);
        for (i = 0; i < TIMES[k]; i++) bad += ws_wake(loop) != 0;
        CHECK_INT(bad, 0);
        memset(&ev, 0xA5, sizeof ev);
        CHECK_INT(wait_in(loop, &ev, how), 1);
        CHECK_WAKE(ev);
        CHECK_INT(there(loop, &ev), 0);
        CHECK_INT(ws_wake(loop), 0);            /* and the next one is another event */
        CHECK_INT(there(loop, &ev), 1);
        CHECK_WAKE(ev);
        CHECK_INT(there(loop, &ev), 0);
        kick_end(&watch);
        ws_loop_free(loop);
    }
}

/* posts around them keep their order, and are all there */
TEST(field_13_wakes_between_posts)
{
    int round, i;

    for (round = 0; round < 16; round++) {      /* a bit for each place where a wake is */
        ws_loop *loop = ws_loop_new(NULL);
        ws_event ev;
        int next = 0, wakes = 0;
        for (i = 0; i < 4; i++) {
            if (round >> i & 1) CHECK_INT(ws_wake(loop), 0);
            if (i < 3) CHECK_INT(post(loop, i), 0);
        }
        while (there(loop, &ev) > 0) {
            if (ev.type == WS_EV_WAKE) wakes++;
            else if (ev.type == WS_EV_POST) CHECK_INT(*(const int *)ev.data, next++);
            else test_fault(__FILE__, __LINE__, "neither");
        }
        CHECK_INT(next, 3);
        CHECK_INT(wakes, round != 0);
        ws_loop_free(loop);
    }
}

/* when no more posts fit, it wakes all the same, and takes no place from a post */
TEST(field_13_a_wake_always_fits)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    int i, n = 0, posts = 0, wakes = 0;

    for (i = 0; i < 20000; i++) CHECK_INT(ws_wake(loop), 0);
    while (n < 600 && !post(loop, n)) n++;
    CHECK(n > 500);                             /* so many are promised */
    for (i = 0; i < 20000; i++) CHECK_INT(ws_wake(loop), 0);
    while (there(loop, &ev) > 0) {
        wakes += ev.type == WS_EV_WAKE;
        if (ev.type == WS_EV_POST) CHECK_INT(*(const int *)ev.data, posts++);
    }
    CHECK_INT(posts, n);
    CHECK_INT(wakes, 1);
    CHECK_INT(there(loop, &ev), 0);
    ws_loop_free(loop);
    loop = ws_loop_new(NULL);                   /* the posts come first */
    for (n = 0; n < 600 && !post(loop, n); n++) {}
    CHECK_INT(ws_wake(loop), 0);
    for (wakes = 0; there(loop, &ev) > 0; wakes += ev.type == WS_EV_WAKE) {}
    CHECK_INT(wakes, 1);
    CHECK_INT(ws_wake(loop), 0);                /* one that nobody pulls */
    ws_loop_free(loop);
}

TEST(field_13_wake_of_nothing)
{
    CHECK_INT(ws_wake(NULL), WS_ERR_ARGUMENT);
}

/* a loop whose connections have much to say gives WAKE soon, and loses nothing of
   theirs */
TEST(field_13_a_busy_loop_wakes)
{
    ws_loop *loop = ws_loop_new(NULL);
    int l = ws_listen(loop, "127.0.0.1:0", NULL), i, wakes = 0, messages = 0, told = 0;
    char url[60];
    ws_conn *c;
    ws_event ev;

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ws_listen_port(loop, l));
    c = ws_dial(loop, url, NULL);
    for (i = 0; i < 3000; i++) CHECK_INT(ws_send_text(c, "x"), 0);
    while (messages < 3000 && ws_poll(loop, &ev, LONG_AGO) > 0) {
        wakes += ev.type == WS_EV_WAKE;
        if (ev.type == WS_EV_MESSAGE && messages++ % 100 == 0) {
            CHECK_INT(ws_wake(loop), 0);
            told++;
        }
    }
    while (there(loop, &ev) > 0) wakes += ev.type == WS_EV_WAKE;
    CHECK_INT(messages, 3000);
    CHECK(wakes >= 1 && wakes <= told);
    ws_loop_free(loop);
}

/* ---- from threads: a flag that is set before ws_wake is seen ---- */

typedef struct caller { pthread_t self; ws_loop *loop; int rounds; } caller;

static volatile int asked, seen;        /* by the threads, by the loop; with __sync */

static void *call_often(void *p)
{
    caller *t = (caller *)p;
    int i;

    for (i = 0; i < t->rounds; i++) {
        int mine = __sync_add_and_fetch(&asked, 1);
        if (ws_wake(t->loop)) test_fault(__FILE__, __LINE__, "ws_wake failed");
        while (__sync_add_and_fetch(&seen, 0) < mine) sched_yield();
    }
    return NULL;
}

TEST(field_13_no_wake_is_lost)
{
    enum { CALLERS = 3, ROUNDS = 1500 };
    ws_loop *loop = ws_loop_new(NULL);
    caller t[CALLERS];
    kicker watch;
    ws_event ev;
    int i;

    asked = seen = 0;
    kick_begin(&watch, loop, -1, 0, 0);
    for (i = 0; i < CALLERS; i++) {
        t[i].loop = loop;
        t[i].rounds = ROUNDS;
        thread_begin(&t[i].self, call_often, &t[i]);
    }
    while (seen < CALLERS * ROUNDS && !watch.gave_up) {
        CHECK_INT(ws_poll(loop, &ev, -1), 1);
        if (!watch.gave_up) CHECK_WAKE(ev);
        __sync_lock_test_and_set(&seen, __sync_add_and_fetch(&asked, 0));
    }
    __sync_lock_test_and_set(&seen, 1 << 30);   /* lets them go, whatever came */
    for (i = 0; i < CALLERS; i++) pthread_join(t[i].self, NULL);
    kick_end(&watch);
    ws_loop_free(loop);
}

/* ---- from a signal handler: how a server is stopped ---- */

static ws_loop *served;
static volatile sig_atomic_t stop;

static void on_stop(int number)
{
    (void)number;
    stop = 1;
    ws_wake(served);
}

static void on_stop_flag(int number)
{
    (void)number;
    stop = 1;
}

/* while (!stop) ws_poll(loop, &ev, -1) ends: when the signal comes while it waits, and
   with ws_wake in the handler also when it came between looking at the flag and
   waiting */
TEST(field_13_a_server_is_stopped)
{
    int early, rounds;

    for (early = 0; early < 2; early++) for (rounds = 0; rounds < 20; rounds++) {
        kicker k;
        ws_event ev;
        int turns = 0;
        served = ws_loop_new(NULL);
        CHECK(ws_listen(served, "127.0.0.1:0", NULL) >= 0);
        stop = 0;
        kick_begin(&k, served, -1, !early, 0);
        take_signals(SIGUSR1, 0, early ? on_stop : on_stop_flag);
        while (!stop && !k.gave_up) {
            if (early)
                raise(SIGUSR1); /* too late for the flag, too early for the wait */
            CHECK_INT(ws_poll(served, &ev, -1), 1);
            CHECK_WAKE(ev);
            turns++;
        }
        CHECK(turns == 1 || !early);
        kick_end(&k);
        ws_loop_free(served);
        if (test_faults) return;
    }
}

TESTS(T(field_13_signals_come_out_of_the_loop) T(field_13_a_timer_comes_out)
      T(field_13_a_zero_means_the_time) T(field_13_until_is_reached)
      T(field_13_signals_come_out_of_a_client) T(field_13_a_clients_zero_means_the_time)
      T(field_13_a_client_that_is_down_wakes) T(field_13_a_sleeping_client_wakes)
      T(field_13_a_client_that_connects_wakes) T(field_13_a_waiting_send_goes_on)
      T(field_13_wakes_make_one_event) T(field_13_wakes_between_posts)
      T(field_13_a_wake_always_fits) T(field_13_wake_of_nothing)
      T(field_13_a_busy_loop_wakes) T(field_13_no_wake_is_lost)
      T(field_13_a_server_is_stopped))

#endif

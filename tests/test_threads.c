/* What threads may do: one loop each, ws_post into another thread's loop, listeners
   that share a port. run.sh builds this with ThreadSanitizer where the compiler has
   it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"

#ifdef _WIN32

int main(void)
{
    printf("SKIP test_threads: it uses POSIX threads\n0 passed, 0 failed\n");
    return 0;
}

#else

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

enum { POSTERS = 4, POSTS = 20000 };

/* A message to the loop: who sent it, and its number there. */
typedef struct letter { int from, number; } letter;

typedef struct poster { ws_loop *loop; int id; long refused; } poster;

static void *post_many(void *p)
{
    poster *self = (poster *)p;
    int i;

    for (i = 0; i < POSTS; i++) {
        letter *m = (letter *)malloc(sizeof *m);
        m->from = self->id;
        m->number = i;
        while (ws_post(self->loop, m) == WS_ERR_BACKLOG) {
            self->refused++;
            sched_yield();
        }
    }
    return NULL;
}

/* every message of every thread comes out once, each thread's in order, and its
   contents are seen without a lock; the loop was asleep at first */
TEST(posts)
{
    ws_loop *loop = ws_loop_new(NULL);
    pthread_t t[POSTERS];
    poster p[POSTERS];
    int next[POSTERS] = { 0 }, i, got = 0;
    ws_event ev;

    for (i = 0; i < POSTERS; i++) {
        p[i].loop = loop;
        p[i].id = i;
        p[i].refused = 0;
        CHECK(!pthread_create(&t[i], NULL, post_many, &p[i]));
    }
    while (got < POSTERS * POSTS && ws_poll(loop, &ev, 20000) > 0) {
        letter *m = (letter *)(uintptr_t)ev.data;
        CHECK_INT(ev.type, WS_EV_POST);
        CHECK(!ev.conn);
        CHECK_INT(m->number, next[m->from]);
        next[m->from]++;
        got++;
        free(m);
    }
    CHECK_INT(got, POSTERS * POSTS);
    for (i = 0; i < POSTERS; i++) pthread_join(t[i], NULL);
    CHECK_INT(ws_poll(loop, &ev, 0), 0);
    ws_loop_free(loop);
}

/* a full pipe is refused, not waited for, and what was taken is complete */
TEST(posts_to_a_loop_that_sleeps)
{
    static int room[200000];
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    int n = 0, i, r = 0;

    while (n < 100000 && !(r = ws_post(loop, &room[2 * n]))) n++;
    CHECK_INT(r, WS_ERR_BACKLOG);
    CHECK(n > 500);
    for (i = 0; i < n; i++) {
        if (!ws_poll(loop, &ev, 0))
            CHECK_INT(ws_poll(loop, &ev, 0), 1); /* it looks once a 0 */
        CHECK(ev.data == &room[2 * i]);
    }
    CHECK_INT(ws_poll(loop, &ev, 0), 0);
    CHECK_INT(ws_post(loop, NULL), 0);
    CHECK_INT(ws_poll(loop, &ev, 0), 1);
    CHECK(ev.type == WS_EV_POST && !ev.data);
    CHECK_INT(ws_post(NULL, room), WS_ERR_ARGUMENT);
    CHECK_INT(ws_post(loop, room), 0);              /* forgotten */
    ws_loop_free(loop);
}

static ws_loop *alarmed;
static int alarms;

static void on_alarm(int signal)
{
    int kept = errno;
    (void)signal;
    if (!ws_post(alarmed, &alarms) && errno == kept) alarms++;
}

TEST(posts_from_a_signal_handler)
{
    struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };
    ws_event ev;
    int i;

    alarmed = ws_loop_new(NULL);
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &every, NULL);
    for (i = 0; i < 20; i++) {
        do CHECK_INT(ws_poll(alarmed, &ev, 5000), 1);
        while (ev.type == WS_EV_WAKE); /* of the wait that the signal interrupted */
        CHECK(ev.type == WS_EV_POST && ev.data == &alarms);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    signal(SIGALRM, SIG_DFL);
    CHECK(alarms >= 20);
    ws_loop_free(alarmed);
}

/* posts and connections share the loop: neither starves the other */
TEST(posts_beside_connections)
{
    ws_loop *loop = ws_loop_new(NULL);
    char url[64];
    ws_event ev;
    ws_conn *c;
    int posts = 0, messages = 0, here, k;

    sprintf(url, "ws://127.0.0.1:%d/",
            ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", NULL)));
    c = ws_dial(loop, url, NULL);
    for (k = 0; k < 1000; k++) ws_post(loop, &here);
    while ((posts < 20000 || messages < 100) && ws_poll(loop, &ev, 5000) > 0) {
        if (ev.type == WS_EV_OPEN && ev.conn == c) ws_send_text(c, "x");
        if (ev.type == WS_EV_MESSAGE) {
            messages += ev.conn == c;
            ws_send(ev.conn, ev.op, ev.data, ev.size);
        }
        if (ev.type == WS_EV_POST) {
            if (messages < 100) CHECK_INT(ws_post(loop, &here), 0);
            posts++;
        }
        if (messages >= 100 && posts < 20000) ws_post(loop, &here);
        if (posts >= 200000) break;
    }
    CHECK(messages >= 100);
    CHECK(posts >= 20000 && posts < 200000);
    ws_loop_free(loop);
}

/* ---- one port for many loops ---- */

typedef struct sharer { ws_loop *loop; int opens, messages; } sharer;

static void *serve_until_posted(void *p)
{
    sharer *self = (sharer *)p;
    ws_event ev;

    while (ws_poll(self->loop, &ev, 20000) > 0 && ev.type != WS_EV_POST) {
        self->opens += ev.type == WS_EV_OPEN;
        self->messages += ev.type == WS_EV_MESSAGE;
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    }
    return NULL;
}

/* two threads, a loop each, the same port: together they serve all, and each some */
TEST(shared_port)
{
    enum { CLIENTS = 60 };
    sharer s[2];
    pthread_t t[2];
    ws_config cfg;
    char address[64], url[64];
    ws_conn *c;
    ws_event ev;
    int i, got = 0, port = 0;
    ws_loop *alone = ws_loop_new(NULL);

    memset(&cfg, 0, sizeof cfg);
    memset(s, 0, sizeof s);
    for (i = 0; i < 2; i++) {
        int l;
        s[i].loop = ws_loop_new(NULL);
        sprintf(address, "127.0.0.1:%d", port);
        CHECK(i == 0 || ws_listen(alone, address, NULL) == WS_ERR_LISTEN);
        cfg.reuse_port = 1;
        l = ws_listen(s[i].loop, address, &cfg);
        CHECK(l >= 0);
        port = ws_listen_port(s[i].loop, l);
    }
    for (i = 0; i < 2; i++)
        CHECK(!pthread_create(&t[i], NULL, serve_until_posted, &s[i]));
    sprintf(url, "ws://127.0.0.1:%d/", port);
    for (i = 0; i < CLIENTS; i++) {
        c = ws_connect(url, NULL);
        ws_send_text(c, "hello");
        while (ws_recv(c, &ev, 5000) > 0)
            if (ev.type == WS_EV_MESSAGE) { got++; break; }
        ws_free(c);
    }
    for (i = 0; i < 2; i++) {
        CHECK_INT(ws_post(s[i].loop, &cfg), 0);
        pthread_join(t[i], NULL);
        ws_loop_free(s[i].loop);
        CHECK(s[i].opens > 0);
    }
    CHECK_INT(got, CLIENTS);
    CHECK_INT(s[0].opens + s[1].opens, CLIENTS);
    CHECK_INT(s[0].messages + s[1].messages, CLIENTS);
    ws_loop_free(alone);
}

/* ---- loops that share nothing ---- */

/* A loop and a client of its own, echoing. */
static void *one_thread(void *out)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    char url[64];
    int got = 0, port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", NULL));
    ws_conn *c;

    sprintf(url, "ws://127.0.0.1:%d/", port);
    c = ws_dial(loop, url, NULL);
    while (got < 2000 && ws_poll(loop, &ev, 5000) > 0) {
        if (ev.type == WS_EV_OPEN && ev.conn == c) ws_send_text(c, "x");
        if (ev.type == WS_EV_MESSAGE) {
            got += ev.conn == c;
            ws_send(ev.conn, ev.op, ev.data, ev.size);
        }
        if (ev.type == WS_EV_CLOSE) break;
    }
    ws_loop_free(loop);
    *(int *)out = got;
    return NULL;
}

/* the promise: one thread per loop, any number of loops, nothing shared */
TEST(sec_G4_a_loop_for_each_thread)
{
    pthread_t t[4];
    int got[4] = { 0, 0, 0, 0 }, i;

    for (i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, one_thread, &got[i]));
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        CHECK_INT(got[i], 2000);
    }
}

enum { SENDERS = 4, SENDS = 5000 };

typedef struct sender { ws_loop *loop; uint64_t to; int number; } sender;

static void *send_many(void *p)
{
    const sender *self = (const sender *)p;
    char text[32];
    int i;

    for (i = 0; i < SENDS; i++) {
        int n = snprintf(text, sizeof text, "%d %d", self->number, i);
        while (ws_post_to(self->loop, self->to, WS_OP_TEXT, text, (size_t)n))
            sched_yield();
    }
    while (ws_post(self->loop, NULL)) sched_yield();
    return NULL;
}

/* A visit in which the threads send to the server's end of it. Leaves after so many of
   their messages. */
static void visited(ws_loop *loop, const char *url, int most)
{
    ws_conn *client = ws_dial(loop, url, NULL);
    int next[SENDERS] = { 0 }, i, got = 0, ended = 0, who, number;
    pthread_t t[SENDERS];
    sender s[SENDERS];
    ws_event ev;

    while ((got < most || ended < SENDERS) && ws_poll(loop, &ev, 20000) > 0) {
        ended += ev.type == WS_EV_POST;
        for (i = 0; i < SENDERS && ev.type == WS_EV_OPEN && ev.conn != client; i++) {
            s[i].loop = loop;
            s[i].to = ws_id(ev.conn);
            s[i].number = i;
            CHECK(!pthread_create(&t[i], NULL, send_many, &s[i]));
        }
        if (ev.type != WS_EV_MESSAGE || ev.conn != client)
            continue;
        CHECK(sscanf((const char *)ev.data, "%d %d", &who, &number) == 2);
        CHECK_INT(number, next[who]);
        next[who]++;
        if (++got == most)
            ws_drop(client);
    }
    CHECK_INT(ended, SENDERS);
    CHECK(got >= most);
    for (i = 0; i < SENDERS; i++) pthread_join(t[i], NULL);
    CHECK_INT(ws_post_to(loop, s[0].to, WS_OP_TEXT, "to nobody", 9), 0);
}

/* threads send to a connection that they know by its number: all arrives, each thread's
   in order; when it is gone, what they still send goes nowhere */
TEST(threads_send_to_a_connection)
{
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL);
    char url[64];

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ws_listen_port(loop, listener));
    visited(loop, url, SENDERS * SENDS);
    visited(loop, url, 100);
    ws_loop_free(loop);
}

TESTS(T(shared_port) T(posts) T(posts_to_a_loop_that_sleeps)
      T(posts_from_a_signal_handler) T(posts_beside_connections)
      T(threads_send_to_a_connection)
      T(sec_G4_a_loop_for_each_thread))
#endif

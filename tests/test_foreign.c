/* Descriptors of others in a loop (ws_watch), a loop in others (ws_loop_fd,
   ws_loop_timeout, ws_loop_polls), and loops with small buffers. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_foreign: it uses pipes and files\n0 passed, 0 failed\n");
    return 0;
}
#else
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "../ws.h"
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/time.h>
#include "fixture/sockets.h"
#include "fixture/world.h"
#include "fixture/frames.h"
#include "fixture/heads.h"

#define LONG_AGO 10000          /* ms after which waiting has failed */

static ws_event ev;

/* ---- ws_watch ---- */

/* One round in which something comes, within ms: how many WS_EV_READY, the last of them
   in ev. */
static int readies(ws_loop *loop, int ms)
{
    uint64_t start = now_ms();
    ws_event last;
    int n = 0, more = 1;

    memset(&last, 0, sizeof last);
    while (more) {
        while (ws_poll(loop, &ev, 0) > 0) {
            if (ev.type == WS_EV_READY) {
                last = ev;
                n++;
            }
        }
        more = !n && now_ms() - start < (uint64_t)ms;
        if (more)
            sleep_ms(1);
    }
    ev = last;
    return n;
}

TEST(a_pipe_is_ready_as_long_as_it_has_bytes)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2], mark;
    char byte;

    CHECK(!pipe(sock));
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, &mark), 0);
    CHECK_INT(readies(loop, 0), 0);
    CHECK(write(sock[1], "x", 1) == 1);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.data == &mark && !ev.size && !ev.conn);
    CHECK(ev.fd == sock[0] && ev.wants == WS_WANT_READ);
    CHECK_INT(readies(loop, LONG_AGO), 1);          /* again: nobody has read */
    CHECK(read(sock[0], &byte, 1) == 1);
    CHECK_INT(readies(loop, 0), 0);
    CHECK(write(sock[1], "x", 1) == 1);
    CHECK_INT(ws_watch(loop, sock[0], 0, NULL), 0);
    CHECK_INT(readies(loop, 0), 0);
    CHECK_INT(ws_watch(loop, sock[1], WS_WANT_WRITE, NULL), 0);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.fd == sock[1] && ev.wants == WS_WANT_WRITE && !ev.data);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

TEST(wants_and_user_can_be_changed)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2], one, two;

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, &one), 0);
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ | WS_WANT_WRITE, &two), 0);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.wants == WS_WANT_WRITE && ev.data == &two);
    CHECK(write(sock[1], "x", 1) == 1);
    CHECK(readies(loop, LONG_AGO) >= 1);            /* kqueue tells of each alone */
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, &one), 0);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.wants == WS_WANT_READ && ev.data == &one);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

TEST(a_hang_up_is_ready_for_what_was_wanted)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2];

    CHECK(!pipe(sock));
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
    close(sock[1]);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.fd == sock[0] && ev.wants == WS_WANT_READ);
    ws_loop_free(loop);
    close(sock[0]);
}

/* Both were found ready; before the second is told, less is wanted of it. */
TEST(what_is_wanted_no_more_is_not_told)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2], i, other;

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
    for (i = 0; i < 2; i++)
        CHECK_INT(ws_watch(loop, sock[i], WS_WANT_READ | WS_WANT_WRITE, NULL), 0);
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    CHECK(ev.type == WS_EV_READY && ev.wants == WS_WANT_WRITE);
    other = ev.fd == sock[0] ? sock[1] : sock[0];
    CHECK_INT(ws_watch(loop, other, WS_WANT_READ, NULL), 0);
    for (i = 0; i < 5 && ws_poll(loop, &ev, 0) > 0; i++)
        CHECK(ev.fd != other);
    CHECK(write((int)(sock[0] + sock[1] - other), "x", 1) == 1);
    do CHECK(ws_poll(loop, &ev, LONG_AGO) > 0);
    while (ev.fd != other && ++i < 20);
    CHECK(ev.fd == other && ev.wants == WS_WANT_READ);
    for (i = 0; i < 2; i++) {
        ws_watch(loop, sock[i], 0, NULL);
        close(sock[i]);
    }
    ws_loop_free(loop);
}

/* A file is ready in each round, and holds nobody else up. */
TEST(regular_files_are_always_ready)
{
    ws_loop *loop = ws_loop_new(NULL);
    FILE *file = tmpfile();
    int null = open("/dev/null", O_RDONLY), sock[2], i, files = 0, nulls = 0, pipes = 0;

    CHECK(file && !pipe(sock));
    CHECK_INT(ws_watch(loop, fileno(file), WS_WANT_READ | WS_WANT_WRITE, file), 0);
    CHECK_INT(ws_watch(loop, null, WS_WANT_READ, NULL), 0);
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
    CHECK(write(sock[1], "x", 1) == 1);
    for (i = 0; i < 30; i++) {
        CHECK_INT(ws_poll(loop, &ev, -1), 1);
        CHECK_INT(ev.type, WS_EV_READY);
        files += ev.fd == fileno(file);
        nulls += ev.fd == null;
        pipes += ev.fd == sock[0];
        if (ev.fd == fileno(file))
            CHECK(ev.data == file && ev.wants == (WS_WANT_READ | WS_WANT_WRITE));
    }
    CHECK(files >= 9 && nulls >= 9 && pipes >= 9);
    CHECK(readies(loop, 0) >= 3);
    CHECK_INT(ws_loop_timeout(loop), 0);
    CHECK_INT(ws_watch(loop, fileno(file), 0, NULL), 0);
    CHECK_INT(ws_watch(loop, null, 0, NULL), 0);
    CHECK_INT(readies(loop, 0), 1);
    ws_loop_free(loop);
    fclose(file);
    close(null);
    close(sock[0]);
    close(sock[1]);
}

TEST(one_that_is_taken_out_is_not_told_any_more)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[8][2], i;

    for (i = 0; i < 8; i++) {
        CHECK(!pipe(sock[i]));
        CHECK_INT(ws_watch(loop, sock[i][0], WS_WANT_READ, NULL), 0);
        CHECK(write(sock[i][1], "x", 1) == 1);
    }
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);     /* the poller has told of all eight */
    for (i = 0; i < 8; i++)
        CHECK_INT(ws_watch(loop, sock[i][0], 0, NULL), 0);
    CHECK_INT(readies(loop, 0), 0);
    for (i = 0; i < 8; i++)
        CHECK_INT(ws_watch(loop, sock[i][0], WS_WANT_READ, NULL), 0);
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    for (i = 0; i < 8; i++) {                     /* closed, and the number used again */
        CHECK_INT(ws_watch(loop, sock[i][0], 0, NULL), 0);
        close(sock[i][0]);
        close(sock[i][1]);
        CHECK(!pipe(sock[i]));
        CHECK_INT(ws_watch(loop, sock[i][0], WS_WANT_READ, NULL), 0);
    }
    CHECK_INT(readies(loop, 0), 0);                 /* the new ones are empty */
    CHECK(write(sock[3][1], "x", 1) == 1);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.fd == sock[3][0]);
    ws_loop_free(loop);
    for (i = 0; i < 8; i++) {
        close(sock[i][0]);
        close(sock[i][1]);
    }
}

TEST(closed_without_a_word)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2], again[2], fd;

    CHECK(!pipe(sock));
    fd = sock[0];
    CHECK_INT(ws_watch(loop, fd, WS_WANT_READ, NULL), 0);
    close(sock[0]);
    close(sock[1]);
    readies(loop, 0);
    CHECK_INT(readies(loop, 20), 0);                /* at most once, and then never */
    CHECK_INT(ws_watch(loop, fd, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK(!pipe(again));
    CHECK(again[0] == fd || again[1] == fd);
    CHECK_INT(ws_watch(loop, again[0], WS_WANT_READ, &fd), 0);
    CHECK(write(again[1], "x", 1) == 1);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    CHECK(ev.fd == again[0] && ev.data == &fd);
    CHECK_INT(ws_watch(loop, again[0], 0, NULL), 0);
    CHECK_INT(ws_watch(loop, again[0], 0, NULL), 0);
    close(again[0]);
    CHECK_INT(ws_watch(loop, again[0], 0, NULL), 0);
    ws_loop_free(loop);
    close(again[1]);
}

/* A file was closed without a word, and its number is a pipe's now. */
TEST(a_number_of_another_kind)
{
    ws_loop *loop = ws_loop_new(NULL);
    FILE *file = tmpfile();
    int sock[2], fd;

    CHECK(file != NULL);
    fd = fileno(file);
    CHECK_INT(ws_watch(loop, fd, WS_WANT_READ, NULL), 0);
    CHECK(readies(loop, 0) >= 1);
    fclose(file);
    CHECK(!pipe(sock) && sock[0] == fd);
    CHECK_INT(ws_watch(loop, fd, WS_WANT_READ, NULL), 0);
    CHECK_INT(readies(loop, 0), 0);
    CHECK(write(sock[1], "x", 1) == 1);
    CHECK_INT(readies(loop, LONG_AGO), 1);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

/* The same of a file: it is told once more at most. */
TEST(a_file_closed_without_a_word)
{
    ws_loop *loop = ws_loop_new(NULL);
    FILE *file = tmpfile();

    CHECK(file != NULL);
    CHECK_INT(ws_watch(loop, fileno(file), WS_WANT_READ, NULL), 0);
    CHECK(readies(loop, 0) >= 1);
    fclose(file);
    CHECK(readies(loop, 0) <= 1);
    CHECK_INT(readies(loop, 20), 0);
    ws_loop_free(loop);
}

#define PAGE "GET / HTTP/1.1\r\n" HO E

/* A number that a connection of the loop has got: taking it out, or changing it, leaves
   the connection alone. */
TEST(a_number_of_a_connection)
{
    int changes;

    for (changes = 0; changes < 2; changes++) {
        ws_loop *loop = ws_loop_new(NULL);
        int port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", NULL));
        int client = loopback_connect(port), sock[2], fd;
        uint64_t start = now_ms();

        CHECK(!pipe(sock));
        fd = sock[0];
        CHECK_INT(ws_watch(loop, fd, WS_WANT_READ, NULL), 0);
        close(fd);
        while (!ws_loop_count(loop) && now_ms() - start < LONG_AGO)
            ws_poll(loop, &ev, 5);
        CHECK_INT(ws_fd(ws_each(loop, NULL)), fd);
        if (changes)
            CHECK_INT(ws_watch(loop, fd, WS_WANT_READ | WS_WANT_WRITE, NULL),
                      WS_ERR_ARGUMENT);
        CHECK_INT(ws_watch(loop, fd, 0, NULL), 0);
        CHECK(send(client, PAGE, sizeof PAGE - 1, 0) > 0);
        ev.type = WS_EV_NONE;
        while (ev.type == WS_EV_NONE && now_ms() - start < LONG_AGO)
            if (ws_poll(loop, &ev, 5) <= 0)
                ev.type = WS_EV_NONE;
        CHECK_INT(ev.type, WS_EV_HTTP);
        ws_loop_free(loop);
        close(client);
        close(sock[1]);
    }
}

/* A loop that is over is silent, whatever is ready. */
TEST(after_the_end_nothing_is_told)
{
    ws_loop *loop = ws_loop_new(NULL);
    FILE *file = tmpfile();
    int sock[2];

    CHECK(file && !pipe(sock));
    CHECK_INT(ws_watch(loop, fileno(file), WS_WANT_READ, NULL), 0);
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
    CHECK(write(sock[1], "x", 1) == 1);
    CHECK(readies(loop, 0) >= 2);
    ws_shutdown(loop, 1001, NULL, 0);
    CHECK_INT(ws_poll(loop, &ev, -1), 0);
    CHECK_INT(ws_poll(loop, &ev, 0), 0);
    CHECK_INT(ws_loop_timeout(loop), -1);
    ws_loop_free(loop);
    fclose(file);
    close(sock[0]);
    close(sock[1]);
}

/* One that the poller told of is not told yet, for another thread's wake comes first. */
TEST(taken_out_between_found_and_told)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2];

    CHECK(!pipe(sock));
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
    ws__watched_found(loop, WS__KEY_WATCHED(0), WS_WANT_READ);
    CHECK_INT(ws_loop_timeout(loop), 0);
    CHECK_INT(ws_watch(loop, sock[0], 0, NULL), 0);
    CHECK_INT(readies(loop, 0), 0);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

TEST(what_cannot_be_watched)
{
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL), sock[2];

    CHECK(listener >= 0 && !pipe(sock));
    CHECK_INT(ws_watch(NULL, sock[0], WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, -1, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, -1, 0, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, sock[0], 8, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, 1 << 20, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, loop->listeners[0].fd, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_watch(loop, loop->post_in, WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    if (ws_loop_fd(loop) >= 0)
        CHECK_INT(ws_watch(loop, ws_loop_fd(loop), WS_WANT_READ, NULL), WS_ERR_ARGUMENT);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

/* A loop whose memory is counted and can fail. */
static ws_loop *counted_loop(heap *h, ws_config *cfg)
{
    memset(h, 0, sizeof *h);
    memset(cfg, 0, sizeof *cfg);
    cfg->alloc = heap_alloc;
    cfg->alloc_user = h;
    return ws_loop_new(cfg);
}

TEST(places_are_used_again)
{
    heap h;
    ws_config cfg;
    ws_loop *loop = counted_loop(&h, &cfg);
    int sock[2], i;
    size_t before = 0;

    CHECK(!pipe(sock));
    for (i = 0; i < 100; i++) {
        CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
        CHECK_INT(ws_watch(loop, sock[0], 0, NULL), 0);
        if (!i)
            before = h.now;
    }
    CHECK_INT(h.now, before);
    ws_loop_free(loop);
    CHECK_INT(h.live, 0);
    close(sock[0]);
    close(sock[1]);
}

TEST(without_memory)
{
    heap h;
    ws_config cfg;
    ws_loop *loop;
    int sock[20][2], i;

    loop = counted_loop(&h, &cfg);
    for (i = 0; i < 20; i++) {
        int fault;
        CHECK(!pipe(sock[i]));
        CHECK(write(sock[i][1], "x", 1) == 1);
        h.fail_at = h.calls + 1;
        fault = ws_watch(loop, sock[i][0], WS_WANT_READ, NULL);
        CHECK_INT(fault, h.failed ? WS_ERR_MEMORY : 0);
        h.fail_at = h.failed = 0;
        CHECK_INT(ws_watch(loop, sock[i][0], WS_WANT_READ, NULL), 0);
        CHECK_INT(readies(loop, LONG_AGO), i + 1);
    }
    ws_loop_free(loop);
    CHECK_INT(h.live, 0);
    for (i = 0; i < 20; i++) {
        close(sock[i][0]);
        close(sock[i][1]);
    }
}

/* ---- a loop in others ---- */

/* Waits as a foreign loop does. Where the wait says that there is nothing to do, there is
   nothing to do. */
static void wait_outside(ws_loop *loop, int most)
{
    struct pollfd all[64];
    ws_polled list[64];
    int timeout = ws_loop_timeout(loop), n = 1, i, found;

    all[0].fd = ws_loop_fd(loop);
    all[0].events = POLLIN;
    if (ws_loop_fd(loop) < 0) {
        n = (int)ws_loop_polls(loop, list, 64);
        for (i = 0; i < n; i++) {
            all[i].fd = list[i].fd;
            all[i].events = (short)((list[i].wants & WS_WANT_READ ? POLLIN : 0) |
                                    (list[i].wants & WS_WANT_WRITE ? POLLOUT : 0));
        }
        CHECK(timeout >= 0 && timeout <= 10);
    }
    CHECK(n <= 64);
    found = poll(all, (nfds_t)n, 0);
    if (!found && (timeout < 0 || timeout > 200))
        CHECK_INT(ws_poll(loop, &ev, 0), 0);
    if (!found)
        poll(all, (nfds_t)n, timeout < 0 || timeout > most ? most : timeout);
}

typedef struct outside {
    int opens, messages, closes, pongs;
    size_t bytes;
    ws_conn *client;
} outside;

/* One round of a foreign loop in which a server echoes and a client counts. */
static void outside_round(ws_loop *loop, outside *is)
{
    wait_outside(loop, 50);
    while (ws_poll(loop, &ev, 0) > 0) {
        if (ev.type == WS_EV_MESSAGE && ev.conn != is->client)
            CHECK_INT(ws_send(ev.conn, ev.op, ev.data, ev.size), 0);
        if (ev.conn != is->client)
            continue;
        is->opens += ev.type == WS_EV_OPEN;
        is->closes += ev.type == WS_EV_CLOSE;
        is->pongs += ev.type == WS_EV_PONG;
        if (ev.type == WS_EV_MESSAGE) {
            is->messages++;
            is->bytes += ev.size;
        }
    }
}

#define ROUNDS(loop, is, cond) \
    do { \
        uint64_t rounds_start = now_ms(); \
        while (!(cond) && now_ms() - rounds_start < LONG_AGO) outside_round(loop, is); \
        CHECK(cond); \
    } while (0)

static ws_conn *dial_to(ws_loop *loop, int listener, const ws_config *cfg)
{
    char url[64];

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ws_listen_port(loop, listener));
    return ws_dial(loop, url, cfg);
}

TEST(nothing_is_forgotten_between_two_calls)
{
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL), i;
    static char text[200000];
    outside is;

    memset(&is, 0, sizeof is);
    memset(text, 'x', sizeof text);
    is.client = dial_to(loop, listener, NULL);
    ROUNDS(loop, &is, is.opens == 1);
    for (i = 0; i < 100; i++)
        CHECK_INT(ws_send(is.client, WS_OP_TEXT, text, (size_t)i * 17), 0);
    ROUNDS(loop, &is, is.messages == 100);
    for (i = 0; i < 4; i++)
        CHECK_INT(ws_send(is.client, WS_OP_BINARY, text, sizeof text), 0);
    ROUNDS(loop, &is, is.messages == 104);
    CHECK_INT(ws_ping(is.client, "p", 1), 0);
    ROUNDS(loop, &is, is.pongs == 1);
    ws_close(is.client, WS_CLOSE_NORMAL, "bye");
    ROUNDS(loop, &is, is.closes == 1);
    ws_loop_free(loop);
}

TEST(the_timeout_is_the_next_deadline)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_config cfg;
    outside is;
    int listener, timeout;

    CHECK_INT(ws_loop_timeout(NULL), -1);
    CHECK_INT(ws_loop_fd(NULL), -1);
    CHECK_INT(ws_loop_timeout(loop), ws_loop_fd(loop) < 0 ? 10 : -1);
    memset(&is, 0, sizeof is);
    memset(&cfg, 0, sizeof cfg);
    cfg.ping_interval = 60;
    listener = ws_listen(loop, "127.0.0.1:0", NULL);
    is.client = dial_to(loop, listener, &cfg);
    CHECK_INT(ws_loop_timeout(loop), 0);            /* the new one has its first turn */
    ROUNDS(loop, &is, is.opens == 1);
    timeout = ws_loop_timeout(loop);
    CHECK(timeout >= 0 && timeout <= 60);
    sleep_ms(70);
    CHECK_INT(ws_loop_timeout(loop), 0);            /* by the time that it is now */
    ROUNDS(loop, &is, is.pongs >= 3);               /* pings leave when they are due */
    ws_send(is.client, WS_OP_TEXT, "", 0);
    CHECK_INT(ws_loop_timeout(loop), 0);            /* it was called from outside */
    ROUNDS(loop, &is, is.messages == 1);
    ws_shutdown(loop, WS_CLOSE_GOING_AWAY, NULL, 5000);
    ROUNDS(loop, &is, is.closes == 1 && !ws_loop_count(loop));
    CHECK(ws_loop_timeout(loop) != 0);              /* over: nothing to come back for */
    ws_loop_free(loop);
}

/* One of two was told: the other must not wait for a descriptor. */
TEST(the_timeout_is_0_while_something_waits)
{
    ws_loop *loop = ws_loop_new(NULL);
    int sock[2][2], i;
    outside is;

    for (i = 0; i < 2; i++) {
        CHECK(!pipe(sock[i]));
        CHECK_INT(ws_watch(loop, sock[i][0], WS_WANT_READ, NULL), 0);
        CHECK(write(sock[i][1], "x", 1) == 1);
    }
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    CHECK_INT(ws_loop_timeout(loop), 0);
    for (i = 0; i < 2; i++)
        CHECK_INT(ws_watch(loop, sock[i][0], 0, NULL), 0);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK(ws_loop_timeout(loop) != 0);
    CHECK(!ws_post(loop, loop) && !ws_post(loop, loop));
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    CHECK_INT(ws_loop_timeout(loop), 0);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK(ws_loop_timeout(loop) != 0);
    ws_wake(loop);
    CHECK_INT(ws_loop_timeout(loop), 0);
    memset(&is, 0, sizeof is);
    is.client = dial_to(loop, ws_listen(loop, "127.0.0.1:0", NULL), NULL);
    ROUNDS(loop, &is, is.opens == 1);
    for (i = 0; i < 2; i++)
        CHECK_INT(ws_send(is.client, WS_OP_TEXT, "two", 3), 0);
    do {
        CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    } while (ev.type != WS_EV_MESSAGE);
    CHECK_INT(ws_loop_timeout(loop), 0);
    ws_loop_free(loop);
    for (i = 0; i < 2; i++) {
        close(sock[i][0]);
        close(sock[i][1]);
    }
}

/* A TLS that takes all it can from its socket, and gives it out piece by piece. */
typedef struct hoard {
    ws_io below;
    char bytes[65536];
    size_t at, n, most;
} hoard;

static ptrdiff_t hoard_read(void *user, void *to, size_t n)
{
    hoard *it = (hoard *)user;
    ptrdiff_t got;

    if (it->at == it->n) {
        got = (it->below.read)(it->below.user, it->bytes, sizeof it->bytes);
        if (got <= 0)
            return got;
        it->at = 0;
        it->n = (size_t)got;
    }
    if (n > it->most)
        n = it->most;
    if (n > it->n - it->at)
        n = it->n - it->at;
    memcpy(to, it->bytes + it->at, n);
    it->at += n;
    return (ptrdiff_t)n;
}

static ptrdiff_t hoard_write(void *user, const void *data, size_t n)
{
    hoard *it = (hoard *)user;

    return (it->below.write)(it->below.user, data, n);
}

static int hoard_pending(void *user)
{
    hoard *it = (hoard *)user;

    return it->at < it->n;
}

static int hoard_wrap(void *user, ws_conn *conn, ws_io *io, const char *host)
{
    hoard *it = (hoard *)user;

    (void)conn;
    (void)host;
    it->below = *io;
    io->user = it;
    io->read = hoard_read;
    io->write = hoard_write;
    io->pending = it->most % 2 ? NULL : hoard_pending;
    io->close = NULL;
    return 0;
}

/* What it holds makes nothing below readable: the loop asks to be called again. */
TEST(bytes_that_a_tls_holds_are_not_forgotten)
{
    static const size_t most[] = { 1, 6, 100, 101, 65536 };
    static hoard it;
    size_t k;

    for (k = 0; k < sizeof most / sizeof *most; k++) {
        ws_loop *loop = ws_loop_new(NULL);
        ws_config cfg;
        int sock[2], opens = 0, messages = 0, i, held = 0;
        buf sent = { 0 };
        uint64_t start = now_ms();

        memset(&it, 0, sizeof it);
        memset(&cfg, 0, sizeof cfg);
        it.most = most[k];
        cfg.wrap = hoard_wrap;
        cfg.wrap_user = &it;
        cfg.ping_interval = WS_NEVER;
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
        CHECK(ws_adopt(loop, sock[0], NULL, 0, &cfg) != NULL);
        buf_str(&sent, "GET / HTTP/1.1\r\n" HO UP CO KE VE "\r\n");
        for (i = 0; i < 300; i++)
            put_frames(&sent, "81'text'", 1);
        CHECK(write(sock[1], sent.p, sent.n) == (ptrdiff_t)sent.n);
        while (messages < 300 && now_ms() - start < LONG_AGO) {
            if (ws_poll(loop, &ev, 0) > 0) {
                opens += ev.type == WS_EV_OPEN;
                messages += ev.type == WS_EV_MESSAGE;
            }
            if (it.at == it.n)
                continue;
            CHECK_INT(ws_loop_timeout(loop), 0);
            held++;
        }
        CHECK(opens == 1 && messages == 300);
        CHECK(held > 0 || most[k] > sent.n);
        ws_loop_free(loop);
        close(sock[1]);
        buf_free(&sent);
    }
}

static void *call(void *loop)
{
    sleep_ms(30);
    ws_post((ws_loop *)loop, loop);
    ws_wake((ws_loop *)loop);
    return NULL;
}

TEST(posts_and_wakes_end_the_wait_of_a_foreign_loop)
{
    ws_loop *loop = ws_loop_new(NULL);
    uint64_t start = now_ms();
    int posts = 0, wakes = 0;
    pthread_t thread;

    CHECK(!pthread_create(&thread, NULL, call, loop));
    while (!(posts && wakes) && now_ms() - start < LONG_AGO) {
        wait_outside(loop, LONG_AGO);
        while (ws_poll(loop, &ev, 0) > 0) {
            posts += ev.type == WS_EV_POST;
            wakes += ev.type == WS_EV_WAKE;
        }
    }
    pthread_join(thread, NULL);
    CHECK(posts == 1 && wakes == 1 && now_ms() - start < LONG_AGO / 2);
    ws_loop_free(loop);
}

TEST(what_a_loop_waits_for)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_polled list[8];
    int sock[2], i, found = 0;
    size_t n;

    CHECK(!pipe(sock));
    CHECK(ws_listen(loop, "127.0.0.1:0", NULL) >= 0);
    n = ws_loop_polls(loop, NULL, 0);
    CHECK(n >= 2);
    CHECK_INT(ws_watch(loop, sock[0], WS_WANT_READ, NULL), 0);
    memset(list, 0xFF, sizeof list);
    CHECK_INT(ws_loop_polls(loop, list, 8), n + 1);
    for (i = 0; i <= (int)n; i++)
        found += list[i].fd == sock[0] && list[i].wants == WS_WANT_READ;
    CHECK_INT(found, 1);
    memset(list, 0xFF, sizeof list);
    CHECK_INT(ws_loop_polls(loop, list, 1), n + 1);
    CHECK(list[1].fd == -1);
    CHECK_INT(ws_loop_polls(NULL, list, 8), 0);
    CHECK_INT(ws_loop_polls(loop, NULL, 8), 0);
    ws_loop_free(loop);
    close(sock[0]);
    close(sock[1]);
}

/* What the loop waits for at a connection; -1: it does not list it. */
static int wants_at(ws_loop *loop, ws_conn *conn)
{
    ws_polled list[16];
    size_t n = ws_loop_polls(loop, list, 16), i;
    int wants = -1;

    CHECK(n <= 16);
    for (i = 0; i < n && i < 16; i++) {
        if (list[i].fd == ws_fd(conn))
            wants = list[i].wants;
    }
    return wants;
}

TEST(a_loop_waits_for_its_connections)
{
    ws_loop *loop = ws_loop_new(NULL);
    static char text[8 << 20];
    int sock[2];
    ws_conn *conn;

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
    conn = ws_adopt(loop, sock[0], NULL, 0, NULL);
    CHECK_INT(ws_begin(conn, NULL, NULL), 0);
    CHECK_INT(wants_at(loop, conn), -1);            /* it has its first turn first */
    CHECK_INT(ws_loop_timeout(loop), 0);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK_INT(wants_at(loop, conn), WS_WANT_READ);
    ws_pause(conn);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK_INT(wants_at(loop, conn), 0);
    CHECK_INT(ws_send(conn, WS_OP_BINARY, text, sizeof text), 0);
    while (ws_poll(loop, &ev, 0) > 0) {}
    CHECK_INT(wants_at(loop, conn), WS_WANT_WRITE);
    ws_loop_free(loop);
    close(sock[1]);
}

/* ---- small buffers, and what CLOSE says of OPEN ---- */

TEST(small_buffers_carry_everything)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 2000, 4095, 4096, 5000, 70000 };
    static const size_t buffers[] = { 1, 4096, 5000, 65536 };
    static char text[70000];
    size_t b, i, k;

    memset(text, 'x', sizeof text);
    for (b = 0; b < sizeof buffers / sizeof *buffers; b++) {
        ws_config cfg;
        outside is;
        ws_loop *loop;
        int sent = 0;
        size_t bytes = 0;
        memset(&cfg, 0, sizeof cfg);
        memset(&is, 0, sizeof is);
        cfg.loop_buffer = buffers[b];
        loop = ws_loop_new(&cfg);
        is.client = dial_to(loop, ws_listen(loop, "127.0.0.1:0", NULL), NULL);
        ROUNDS(loop, &is, is.opens == 1);
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (k = 0; k < 5; k++) {
                CHECK_INT(ws_send(is.client, WS_OP_TEXT, text, sizes[i]), 0);
                sent++;
                bytes += sizes[i];
            }
        ROUNDS(loop, &is, is.messages == sent);
        CHECK_INT(is.bytes, bytes);
        ws_loop_free(loop);
    }
}

/* A loop takes what it was told, and some ten kilobytes. */
TEST(buffers_are_as_large_as_told)
{
    static const struct { uint32_t told; size_t taken; } sizes[] = {
        { 0, 1 << 20 }, { 1, 4096 }, { 4096, 4096 }, { 65536, 65536 },
        { 8 << 20, 8 << 20 }
    };
    heap h;
    ws_config cfg;
    int i;

    for (i = 0; i < COUNT(sizes); i++) {
        ws_loop *loop;
        memset(&h, 0, sizeof h);
        memset(&cfg, 0, sizeof cfg);
        cfg.alloc = heap_alloc;
        cfg.alloc_user = &h;
        cfg.loop_buffer = sizes[i].told;
        loop = ws_loop_new(&cfg);
        CHECK(h.now >= sizes[i].taken && h.now <= sizes[i].taken + 11000);
        ws_loop_free(loop);
        CHECK_INT(h.live, 0);
    }
}

/* What a server says in a turn may be far more than its buffer holds. */
TEST(small_buffers_and_many_answers)
{
    static char text[1000];
    ws_config cfg;
    ws_loop *loop;
    ws_conn *client;
    uint64_t start = now_ms();
    int got = 0, i;

    memset(&cfg, 0, sizeof cfg);
    memset(text, 'x', sizeof text);
    cfg.loop_buffer = 4096;
    loop = ws_loop_new(&cfg);
    client = dial_to(loop, ws_listen(loop, "127.0.0.1:0", NULL), NULL);
    while (got < 50 && now_ms() - start < LONG_AGO) {
        if (ws_poll(loop, &ev, 100) <= 0)
            continue;
        if (ev.type == WS_EV_OPEN && ev.conn == client)
            CHECK_INT(ws_send_text(client, "say much"), 0);
        if (ev.type == WS_EV_MESSAGE && ev.conn == client)
            got += ev.size == sizeof text && !memcmp(ev.data, text, sizeof text);
        for (i = 0; i < 50 && ev.type == WS_EV_MESSAGE && ev.conn != client; i++)
            CHECK_INT(ws_send(ev.conn, WS_OP_TEXT, text, sizeof text), 0);
    }
    CHECK_INT(got, 50);
    ws_loop_free(loop);
}

TEST(the_buffer_is_the_loops)
{
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);

    memset(&cfg, 0, sizeof cfg);
    cfg.loop_buffer = 4096;
    CHECK_INT(ws_listen(loop, "127.0.0.1:0", &cfg), WS_ERR_ARGUMENT);
    CHECK(strstr(ws_loop_error_text(loop), "loop_buffer: only for loops") != NULL);
    ws_loop_free(loop);
}

TEST(close_says_whether_it_was_open)
{
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "127.0.0.1:0", NULL), closes = 0;
    ws_conn *client = dial_to(loop, listener, NULL);

    while (closes < 2 && ws_poll(loop, &ev, LONG_AGO) > 0) {
        if (ev.type == WS_EV_OPEN && ev.conn == client)
            ws_close(client, WS_CLOSE_NORMAL, NULL);
        if (ev.type == WS_EV_CLOSE) {
            CHECK_INT(ev.opened, 1);
            closes++;
        }
    }
    CHECK_INT(closes, 2);
    ws_unlisten(loop, listener);
    ws_dial(loop, "ws://127.0.0.1:1/", NULL);
    CHECK_INT(ws_poll(loop, &ev, LONG_AGO), 1);
    CHECK(ev.type == WS_EV_CLOSE && !ev.opened);
    ws_loop_free(loop);
}

TESTS(
    T(a_pipe_is_ready_as_long_as_it_has_bytes)
    T(wants_and_user_can_be_changed)
    T(a_hang_up_is_ready_for_what_was_wanted)
    T(what_is_wanted_no_more_is_not_told)
    T(regular_files_are_always_ready)
    T(one_that_is_taken_out_is_not_told_any_more)
    T(closed_without_a_word)
    T(a_number_of_another_kind)
    T(a_file_closed_without_a_word)
    T(a_number_of_a_connection)
    T(after_the_end_nothing_is_told)
    T(taken_out_between_found_and_told)
    T(what_cannot_be_watched)
    T(places_are_used_again)
    T(without_memory)
    T(nothing_is_forgotten_between_two_calls)
    T(the_timeout_is_the_next_deadline)
    T(the_timeout_is_0_while_something_waits)
    T(bytes_that_a_tls_holds_are_not_forgotten)
    T(posts_and_wakes_end_the_wait_of_a_foreign_loop)
    T(what_a_loop_waits_for)
    T(a_loop_waits_for_its_connections)
    T(small_buffers_carry_everything)
    T(buffers_are_as_large_as_told)
    T(small_buffers_and_many_answers)
    T(the_buffer_is_the_loops)
    T(close_says_whether_it_was_open)
)
#endif

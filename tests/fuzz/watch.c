/* Fuzz target: descriptors of others in a loop (ws_watch). Input: 1 byte of options, then steps of
   2 bytes: what is done, and to which of the ends. Proves: a round tells just those that are
   watched and ready by the system's own poll, each once, for what is wanted, with its pointer; what
   an event's handler takes out is told no more; what was closed without a word does no harm, and
   comes back when it is watched anew; no descriptor is left open. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define FUZZ_SOCKETS
#include "fuzz.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENDS = 6, REGULAR = ENDS, ALL };        /* pairs of sockets, and a file */
enum { WATCH_FILE = 1, IN_HANDLER = 2 };        /* options */

typedef struct end {
    int fd, peer;
    int wants;                  /* what the loop was asked to watch for, 0: it is not */
    int lost;                   /* closed without a word: it may be told, or not */
    int told;                   /* in this round */
} end;

typedef struct scene {
    ws_loop *loop;
    end ends[ALL];
    int changed;                /* in this round, by a handler */
} scene;

static void end_open(end *it)
{
    int fd[2];

    MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
    it->fd = fd[0];
    it->peer = fd[1];
}

static void end_close(end *it)
{
    close(it->fd);
    close(it->peer);
}

static void watch(scene *s, end *it, int wants)
{
    int r = ws_watch(s->loop, it->fd, wants, it);

    MUST(r == 0);
    it->wants = wants;
    it->lost = 0;
}

/* What poll says: is it ready for what is wanted of it? */
static int is_ready(const end *it)
{
    struct pollfd p;

    p.fd = it->fd;
    p.events = (short)((it->wants & WS_WANT_READ ? POLLIN : 0) |
                       (it->wants & WS_WANT_WRITE ? POLLOUT : 0));
    p.revents = 0;
    return it->wants && poll(&p, 1, 0) > 0;
}

/* A new pair in the place of an old one, whose numbers it may get. */
static void end_renew(scene *s, end *it, int with_a_word)
{
    if (with_a_word)
        watch(s, it, 0);                        /* and it is not lost any more */
    end_close(it);
    end_open(it);
    it->lost |= it->wants != 0;
    it->wants = 0;
}

static void step(scene *s, int what, end *it)
{
    char bytes[64] = {0};
    int regular = it == &s->ends[REGULAR];

    switch (what & 15) {
    case 0: case 1: watch(s, it, WS_WANT_READ); break;
    case 2: watch(s, it, WS_WANT_WRITE); break;
    case 3: watch(s, it, WS_WANT_READ | WS_WANT_WRITE); break;
    case 4: case 5: watch(s, it, 0); break;
    case 6: case 7: if (!regular) MUST(send(it->peer, "x", 1, MSG_NOSIGNAL) <= 1); break;
    case 8: if (!regular) MUST(read(it->fd, bytes, sizeof bytes) <= 64); break;
    case 9: if (!regular) end_renew(s, it, 1); break;
    case 10: if (!regular) end_renew(s, it, 0); break;
    case 11: if (!regular) shutdown(it->peer, SHUT_WR); break;
    case 12: while (!regular && send(it->fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0) {} break;
    case 13: ws_wake(s->loop); break;
    case 14: MUST(ws_watch(s->loop, 9999, WS_WANT_READ, it) == WS_ERR_ARGUMENT); break;
    default: break;
    }
}

static void told(scene *s, const ws_event *ev)
{
    end *it = (end *)(uintptr_t)ev->data;

    if (ev->type == WS_EV_WAKE)
        return;
    MUST(ev->type == WS_EV_READY && !ev->conn && !ev->size);
    MUST(it >= s->ends && it < s->ends + ALL);
    MUST(ev->wants && !(ev->wants & ~(WS_WANT_READ | WS_WANT_WRITE)));
    if (it->lost)
        return;
    MUST(it->wants && (int)ev->fd == it->fd && !(ev->wants & ~it->wants));
    it->told++;
    if (s->changed)
        return;
    MUST(is_ready(it));
    MUST(it->told == 1 || (it->told == 2 && it == &s->ends[REGULAR]));     /* at once, and in the round */
}

/* One round. hand: what a handler does in the first event, to which end. */
static void turn(scene *s, const uint8_t *hand)
{
    ws_event ev;
    int i, r, count = 0, due[ALL];

    for (i = 0; i < ALL; i++) {
        s->ends[i].told = 0;
        due[i] = is_ready(&s->ends[i]);
    }
    s->changed = 0;
    while ((r = ws_poll(s->loop, &ev, 0)) > 0) {
        MUST(++count <= 3 * ALL);
        told(s, &ev);
        if (hand) {
            step(s, hand[0], &s->ends[hand[1] % ALL]);
            s->changed = 1;
            hand = NULL;
        }
    }
    MUST(r == 0);
    for (i = 0; i < ALL && !s->changed; i++)
        MUST((s->ends[i].told > 0) == due[i] || s->ends[i].lost);
}

static int descriptors(void)
{
    int fd, n = 0;

    for (fd = 0; fd < 64; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *file;
    scene s;
    size_t at;
    int i, before;

    if (size < 1 || size > 400)
        return 0;
    if (!file)
        MUST((file = tmpfile()) != NULL);
    before = descriptors();
    memset(&s, 0, sizeof s);
    MUST((s.loop = ws_loop_new(NULL)) != NULL);
    for (i = 0; i < ENDS; i++)
        end_open(&s.ends[i]);
    s.ends[REGULAR].fd = fileno(file);
    if (data[0] & WATCH_FILE)
        watch(&s, &s.ends[REGULAR], WS_WANT_READ);
    for (at = 1; at + 1 < size; at += 2) {
        if (data[at] & 128)
            turn(&s, data[0] & IN_HANDLER ? data + at : NULL);
        else
            step(&s, data[at], &s.ends[data[at + 1] % ALL]);
    }
    turn(&s, NULL);
    for (i = 0; i < ENDS; i++)
        if (s.ends[i].wants)
            watch(&s, &s.ends[i], 0);
    for (i = 0; i < ENDS; i++)
        end_close(&s.ends[i]);
    ws_loop_free(s.loop);
    MUST(descriptors() == before);
    return 0;
}

/* kqueue by poll, as far as ws.h uses it, so that this poller of the BSDs and of macOS runs on
   Linux. By kqueue(2): what has no filter is not told of; EVFILT_READ fires while there is input
   or its end, EVFILT_WRITE while NOTE_LOWAT bytes fit (here with NOTE_LOWAT: never) or nobody
   reads any more, which is EV_EOF; EV_CLEAR: once; flags do not change after EV_ADD; to delete
   what is not there is ENOENT. */
#ifndef STUB_EVENT_H
#define STUB_EVENT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000
#define NOTE_LOWAT 0x0001

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(to, id, side, what, notes, number, user) do { \
        struct kevent *to_ = (to); \
        to_->ident = (id); \
        to_->filter = (side); \
        to_->flags = (unsigned short)(what); \
        to_->fflags = (notes); \
        to_->data = (number); \
        to_->udata = (user); \
    } while (0)

typedef struct kqueue_stub {
    int fd;                     /* 0: none */
    struct kevent *all;
    struct pollfd *fds;
    int count, room, first;     /* first: to look at next */
} kqueue_stub;

static kqueue_stub kqueue_stubs[64];

static kqueue_stub *kqueue_of(int fd)
{
    int i;

    for (i = 0; i < 64; i++) if (kqueue_stubs[i].fd == fd) return &kqueue_stubs[i];
    return NULL;
}

/* The memory is there from the start, so that a test of memory does not count it. */
static void kqueue_grow(kqueue_stub *q)
{
    int old = q->room;

    q->room = old ? 2 * old : 8192;
    q->all = (struct kevent *)realloc(q->all, (size_t)q->room * sizeof *q->all);
    q->fds = (struct pollfd *)realloc(q->fds, (size_t)q->room * sizeof *q->fds);
    if (!q->all || !q->fds) abort();
    memset(q->all + old, 1, (size_t)(q->room - old) * sizeof *q->all);
    memset(q->fds + old, 1, (size_t)(q->room - old) * sizeof *q->fds);
}

static int kqueue(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), i;
    kqueue_stub *q;

    if (fd <= 0) return -1;
    q = kqueue_of(fd);          /* it was closed meanwhile */
    if (!q) q = kqueue_of(0);
    for (i = 0; i < 64 && !q; i++)
        if (fcntl(kqueue_stubs[i].fd, F_GETFD) < 0) q = &kqueue_stubs[i];
    if (!q) abort();
    q->fd = fd;
    q->count = q->first = 0;
    if (!q->room) kqueue_grow(q);
    return fd;
}

static int kqueue_find(const kqueue_stub *q, const struct kevent *k)
{
    int i;

    for (i = 0; i < q->count; i++)
        if (q->all[i].ident == k->ident && q->all[i].filter == k->filter) return i;
    return -1;
}

static int kqueue_change(kqueue_stub *q, const struct kevent *k)
{
    int at = kqueue_find(q, k);

    if (k->flags & EV_DELETE) {
        if (at < 0) { errno = ENOENT; return -1; }
        q->all[at] = q->all[--q->count];
        return 0;
    }
    if (at >= 0) {
        q->all[at].fflags = k->fflags;
        q->all[at].data = k->data;
        q->all[at].udata = k->udata;
        return 0;
    }
    if (q->count == q->room) kqueue_grow(q);
    q->all[q->count++] = *k;
    return 0;
}

/* What poll is asked for. EV_ERROR marks what was told and is not told again. */
static struct pollfd kqueue_ask(const struct kevent *k)
{
    struct pollfd p;

    memset(&p, 0, sizeof p);
    p.fd = k->flags & EV_ERROR ? -1 : (int)k->ident;
    if (k->filter == EVFILT_READ) p.events = POLLIN | POLLRDHUP;
    else if (!(k->fflags & NOTE_LOWAT)) p.events = POLLOUT;
    return p;
}

static int kevent(int kq, const struct kevent *changes, int n, struct kevent *out, int room,
                  const struct timespec *t)
{
    kqueue_stub *q = kqueue_of(kq);
    int i, got = 0, seen;

    if (!q) { errno = EBADF; return -1; }
    for (i = 0; i < n; i++) if (kqueue_change(q, &changes[i])) return -1;
    if (!room) return 0;
    for (i = 0; i < q->count; i++) q->fds[i] = kqueue_ask(&q->all[i]);
    i = poll(q->fds, (nfds_t)q->count, t ? (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000)
                                         : -1);
    if (i < 0) return -1;
    for (seen = 0; seen < q->count && got < room; seen++) {
        struct kevent *k;
        short r;
        if (++q->first >= q->count) q->first = 0;
        k = &q->all[q->first];
        r = q->fds[q->first].revents;
        if (!r || r & POLLNVAL) continue;
        out[got] = *k;
        out[got].flags = r & (POLLHUP | POLLERR | POLLRDHUP) ? EV_EOF : 0;
        got++;
        if (k->flags & EV_CLEAR) k->flags |= EV_ERROR;
    }
    return got;
}

#endif

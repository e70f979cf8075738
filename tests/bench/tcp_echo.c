/* Bare TCP echo on epoll: one recv and one send per readiness. No WebSocket server that uses
   the same system calls can need less. Prints "listening on PORT". Linux. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 512 * 1024, BATCH = 1024 };

/* What the kernel did not take waits here. */
typedef struct peer { int fd; char *rest; size_t size, at; } peer;

static int poller;

static void watch(peer *p, int fd, int op, unsigned events)
{
    struct epoll_event e;
    memset(&e, 0, sizeof e);
    e.events = events;
    e.data.ptr = p;
    epoll_ctl(poller, op, fd, &e);
}

static void drop(peer *p)
{
    close(p->fd);
    free(p->rest);
    free(p);
}

/* Returns -1 when the peer is gone. */
static int flush_rest(peer *p)
{
    while (p->at < p->size) {
        ssize_t k = send(p->fd, p->rest + p->at, p->size - p->at, MSG_NOSIGNAL);
        if (k < 0) return errno == EAGAIN ? 0 : -1;
        p->at += (size_t)k;
    }
    p->at = p->size = 0;
    watch(p, p->fd, EPOLL_CTL_MOD, EPOLLIN);
    return 0;
}

static int echo(peer *p, const char *data, size_t n)
{
    ssize_t k = send(p->fd, data, n, MSG_NOSIGNAL);

    if (k < 0 && errno != EAGAIN) return -1;
    if (k < 0) k = 0;
    if ((size_t)k == n) return 0;
    p->size = n - (size_t)k;        /* stop reading until it is out */
    p->rest = (char *)realloc(p->rest, p->size);
    memcpy(p->rest, data + k, p->size);
    watch(p, p->fd, EPOLL_CTL_MOD, EPOLLOUT);
    return 0;
}

int main(void)
{
    static char buffer[BUFFER];
    static struct epoll_event got[BATCH];
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&a, &len);
    printf("listening on %d\n", ntohs(a.sin_port));
    fflush(stdout);
    poller = epoll_create1(0);
    watch(NULL, listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int i, n = epoll_wait(poller, got, BATCH, -1);
        for (i = 0; i < n; i++) {
            peer *p = (peer *)got[i].data.ptr;
            if (!p) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    p = (peer *)calloc(1, sizeof *p);
                    p->fd = fd;
                    watch(p, fd, EPOLL_CTL_ADD, EPOLLIN);
                }
            } else if (p->size) {
                if (flush_rest(p)) drop(p);
            } else {
                ssize_t k = recv(p->fd, buffer, BUFFER, 0);
                if (k < 0 && errno == EAGAIN) continue;
                if (k <= 0 || echo(p, buffer, (size_t)k)) drop(p);
            }
        }
    }
}

/* Echo server on libwslay's event interface and epoll, as its documentation shows it. One of
   the programs that bench/run.sh compares. Needs libwslay-dev and ws.h (only for the accept
   key of the handshake). Prints "listening on PORT". Linux. */
#define _GNU_SOURCE
#define WS_IMPLEMENTATION
#define WS_STATIC
#define WS_NO_SOCKETS
#include "../../ws.h"
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
#include <wslay/wslay.h>

enum { BATCH = 1024, HEAD = 4096 };

typedef struct peer {
    int fd, events;
    wslay_event_context_ptr ctx;    /* NULL until the handshake is done */
    char *head;
    size_t head_n;
} peer;

static int poller;

static void watch(peer *p, int fd, int op, int events)
{
    struct epoll_event e;
    if (p) p->events = events;
    memset(&e, 0, sizeof e);
    e.events = (unsigned)events;
    e.data.ptr = p;
    epoll_ctl(poller, op, fd, &e);
}

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t n, int flags, void *user)
{
    ssize_t k = recv(((peer *)user)->fd, buf, n, 0);
    (void)flags;
    if (k > 0) return k;
    wslay_event_set_error(ctx, k < 0 && errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK
                                                        : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *buf, size_t n, int flags,
                       void *user)
{
    ssize_t k = send(((peer *)user)->fd, buf, n,
                     MSG_NOSIGNAL | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));
    if (k >= 0) return k;
    wslay_event_set_error(ctx, errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK
                                               : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_message(wslay_event_context_ptr ctx,
                       const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    struct wslay_event_msg m;
    (void)user;
    if (wslay_is_ctrl_frame(arg->opcode)) return;
    m.opcode = arg->opcode;
    m.msg = arg->msg;
    m.msg_length = arg->msg_length;
    wslay_event_queue_msg(ctx, &m);
}

static int upgrade(peer *p)
{
    static const struct wslay_event_callbacks callbacks =
        { on_recv, on_send, NULL, NULL, NULL, NULL, on_message };
    char accept_key[29], out[300];
    char *key;
    ssize_t k;

    if (!p->head) p->head = (char *)malloc(HEAD);
    k = recv(p->fd, p->head + p->head_n, HEAD - 1 - p->head_n, 0);
    if (k <= 0) return k < 0 && errno == EAGAIN ? 0 : -1;
    p->head_n += (size_t)k;
    p->head[p->head_n] = 0;
    if (!strstr(p->head, "\r\n\r\n")) return p->head_n < HEAD - 1 ? 0 : -1;
    key = strcasestr(p->head, "\r\nSec-WebSocket-Key: ");
    if (!key) return -1;
    ws_accept_key(key + 21, accept_key);
    k = snprintf(out, sizeof out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept_key);
    if (send(p->fd, out, (size_t)k, MSG_NOSIGNAL) != k) return -1;
    free(p->head);
    p->head = NULL;
    if (wslay_event_context_server_init(&p->ctx, &callbacks, p)) return -1;
    wslay_event_config_set_max_recv_msg_length(p->ctx, 64u << 20);
    return 0;
}

static int ready(peer *p, unsigned events)
{
    int want = 0;

    if (!p->ctx) return upgrade(p);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && wslay_event_recv(p->ctx)) return -1;
    if (wslay_event_want_write(p->ctx) && wslay_event_send(p->ctx)) return -1;
    if (wslay_event_want_read(p->ctx)) want |= EPOLLIN;
    if (wslay_event_want_write(p->ctx)) want |= EPOLLOUT;
    if (!want) return -1;
    if (want != p->events) watch(p, p->fd, EPOLL_CTL_MOD, want);
    return 0;
}

int main(void)
{
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
            int fd;
            if (p) {
                if (!ready(p, got[i].events)) continue;
                close(p->fd);
                if (p->ctx) wslay_event_context_free(p->ctx);
                free(p->head);
                free(p);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                p = (peer *)calloc(1, sizeof *p);
                p->fd = fd;
                watch(p, fd, EPOLL_CTL_ADD, EPOLLIN);
            }
        }
    }
}

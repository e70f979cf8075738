/* A system without MSG_NOSIGNAL (macOS, iOS): SO_NOSIGPIPE must be set on every socket that is
   written to, of unix sockets too, or a peer that vanishes ends the program. Here the option is
   played: what it was not set on raises SIGPIPE. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char safe[4096];         /* by descriptor */

static int play_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    if (level != SOL_SOCKET || name != 0x1022) return setsockopt(fd, level, name, value, n);
    safe[fd] = 1;
    return 0;
}

static int play_close(int fd)
{
    if (fd >= 0) safe[fd] = 0;
    return close(fd);
}

static int play_flags(int fd, int flags)
{
    return (flags & ~MSG_NOSIGNAL) | (safe[fd] ? MSG_NOSIGNAL : 0);
}

static ssize_t play_send(int fd, const void *p, size_t n, int flags)
{
    return send(fd, p, n, play_flags(fd, flags));
}

static ssize_t play_sendmsg(int fd, const struct msghdr *m, int flags)
{
    return sendmsg(fd, m, play_flags(fd, flags));
}

#undef __linux__                /* there is no accept4 either */
#undef MSG_NOSIGNAL
#define SO_NOSIGPIPE 0x1022
#define setsockopt play_setsockopt
#define close play_close
#define send play_send
#define sendmsg play_sendmsg
#define WS_IMPLEMENTATION
#include "ws.h"

static const char request[] =
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: %s\r\n\r\n";
static char path[100], big[4000000];

/* A listening socket of our own: TCP on *port, or a unix socket at path. */
static int raw_listen(int is_unix, int *port)
{
    struct sockaddr_un u;
    struct sockaddr_in t;
    socklen_t n = sizeof t;
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

    memset(&u, 0, sizeof u);
    memset(&t, 0, sizeof t);
    u.sun_family = AF_UNIX;
    t.sin_family = AF_INET;
    t.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    strcpy(u.sun_path, path);
    unlink(path);
    *port = 0;
    if (is_unix) return bind(fd, (struct sockaddr *)&u, sizeof u) || listen(fd, 4) ? -1 : fd;
    if (bind(fd, (struct sockaddr *)&t, sizeof t) || listen(fd, 4) ||
        getsockname(fd, (struct sockaddr *)&t, &n))
        return -1;
    *port = ntohs(t.sin_port);
    return fd;
}

static int raw_connect(int is_unix, int port)
{
    struct sockaddr_un u;
    struct sockaddr_in t;
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

    memset(&u, 0, sizeof u);
    memset(&t, 0, sizeof t);
    u.sun_family = AF_UNIX;
    t.sin_family = AF_INET;
    t.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    t.sin_port = htons((uint16_t)port);
    strcpy(u.sun_path, path);
    if (is_unix ? connect(fd, (struct sockaddr *)&u, sizeof u)
                : connect(fd, (struct sockaddr *)&t, sizeof t)) return -1;
    return fd;
}

/* Sends until the connection has ended. */
static void send_for_ever(ws_loop *loop, ws_conn *c)
{
    ws_event ev;
    int i;

    for (i = 0; i < 200; i++) {
        ws_send(c, WS_OP_BINARY, big, 60000);
        if (ws_poll(loop, &ev, 10) > 0 && ev.type == WS_EV_CLOSE) return;
    }
}

/* A connection that the loop accepted (0) or adopted (1), whose peer vanishes. */
static int server(int is_unix, int adopted)
{
    ws_loop *loop = ws_loop_new(NULL);
    char address[120];
    ws_event ev;
    int fd, port, ours = -1, listener = -1;

    sprintf(address, is_unix ? "unix:%s" : "127.0.0.1:0", path);
    if (adopted) {
        int l = raw_listen(is_unix, &port);
        fd = raw_connect(is_unix, port);
        ours = accept(l, NULL, NULL);
        close(l);
        ws_adopt(loop, ours, request, sizeof request - 1, NULL);
    } else {
        unlink(path);
        listener = ws_listen(loop, address, NULL);
        fd = raw_connect(is_unix, ws_listen_port(loop, listener));
        if (send(fd, request, sizeof request - 1, 0) < 0) return 1;
    }
    while (ws_poll(loop, &ev, 5000) > 0 && ev.type != WS_EV_OPEN) {}
    if (ev.type != WS_EV_OPEN) return 2;
    (close)(fd);
    send_for_ever(loop, ev.conn);
    ws_loop_free(loop);
    return 0;
}

/* A client of a loop (0), of its own driver (1) or blocking (2), whose server vanishes. */
static int client(int is_unix, int driver)
{
    ws_loop *loop = ws_loop_new(NULL);
    char url[200], head[2000], accepts[29], out[300];
    const char *key;
    ws_config cfg;
    ws_conn *c;
    ws_event ev;
    int port, l = raw_listen(is_unix, &port), fd, i;
    size_t n = 0;

    memset(&cfg, 0, sizeof cfg);
    cfg.close_timeout = 2000;
    if (is_unix) sprintf(url, "ws+unix:%s:/", path);
    else sprintf(url, "ws://127.0.0.1:%d/", port);
    if (driver == 2 && !fork()) {       /* the server of a blocking client: another process */
        loop = NULL;
    } else if (driver == 2) {
        c = ws_connect(url, &cfg);
        while (ws_recv(c, &ev, 5000) > 0 && ev.type != WS_EV_OPEN) {}
        wait(NULL);
        for (i = 0; i < 50; i++) ws_send(c, WS_OP_BINARY, big, 60000);
        ws_free(c);
        close(l);
        return ev.type != WS_EV_OPEN;
    }
    c = driver == 0 ? ws_dial(loop, url, &cfg) : driver == 1 ? ws_open(url, &cfg) : NULL;
    for (i = 0; i < 10 && driver == 0; i++) ws_poll(loop, &ev, 10);
    for (i = 0; i < 10 && driver == 1; i++) { ws_step(c); usleep(1000); }
    fd = accept(l, NULL, NULL);
    while (n < sizeof head - 1 && (!n || !strstr(head, "\r\n\r\n"))) {
        ssize_t r = recv(fd, head + n, sizeof head - 1 - n, MSG_DONTWAIT);
        if (r > 0) n += (size_t)r;
        head[n] = 0;
        if (driver == 0) ws_poll(loop, &ev, 1);
        else if (driver == 1) ws_step(c);
    }
    key = strstr(head, "Sec-WebSocket-Key: ");
    ws_accept_key(key + 19, accepts);
    sprintf(out, answer, accepts);
    if (send(fd, out, strlen(out), 0) < 0) return 1;
    if (driver == 2) { usleep(100000); _exit(0); }
    for (i = 0, ev.type = 0; i < 500 && ev.type != WS_EV_OPEN; i++) {
        if (driver == 0) ws_poll(loop, &ev, 10);
        else { ws_step(c); ws_next(c, &ev); usleep(1000); }
    }
    if (ev.type != WS_EV_OPEN) return 2;
    (close)(fd);
    if (driver == 0) send_for_ever(loop, c);
    for (i = 0; i < 50 && driver == 1; i++) {
        ws_send(c, WS_OP_BINARY, big, 60000);
        ws_step(c);
    }
    if (driver == 1) ws_free(c);
    ws_loop_free(loop);
    close(l);
    return 0;
}

/* Runs one case in a process of its own: 0, or what it said, or by what signal it died. */
static int alone(int is_unix, int who, int how)
{
    int status;
    pid_t id;

    fflush(stdout);
    id = fork();
    if (!id) _exit(who ? client(is_unix, how) : server(is_unix, how));
    waitpid(id, &status, 0);
    if (!status) return 0;
    printf("field_46 %s, %s %d: %s %d\n", is_unix ? "unix" : "tcp", who ? "client" : "server", how,
           WIFSIGNALED(status) ? "killed by signal" : "exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 1;
}

int main(void)
{
    int is_unix, how, bad = 0;

    sprintf(path, "/tmp/ws_field_46_%d.sock", (int)getpid());
    signal(SIGPIPE, SIG_DFL);
    for (is_unix = 0; is_unix < 2; is_unix++) {
        for (how = 0; how < 2; how++) bad += alone(is_unix, 0, how);
        for (how = 0; how < 3; how++) bad += alone(is_unix, 1, how);
    }
    unlink(path);
    return bad != 0;
}

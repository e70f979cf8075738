/* Windows: what other programs of the machine could do to ours, and what older systems leave out.
   Its calls are watched, and some of them played. */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <stdio.h>
#include <string.h>

static int faults, exclusive, reused, intrudes, deaf;

/* Options of sockets are counted. */
static int play_setsockopt(SOCKET s, int level, int name, const char *value, int n)
{
    if (level == SOL_SOCKET && name == SO_EXCLUSIVEADDRUSE && *value) exclusive++;
    if (level == SOL_SOCKET && name == SO_REUSEADDR && *value) reused++;
    return setsockopt(s, level, name, value, n);
}

/* Before a datagram socket is connected, anybody may send to it. */
static int play_connect(SOCKET s, const struct sockaddr *to, int n)
{
    struct sockaddr_in own;
    int size = sizeof own, type = 0, type_size = sizeof type, i;
    char bad[64];
    SOCKET other;

    getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &type_size);
    if (intrudes && type == SOCK_DGRAM && !getsockname(s, (struct sockaddr *)&own, &size)) {
        other = socket(AF_INET, SOCK_DGRAM, 0);
        memset(bad, 0x41, sizeof bad);
        for (i = 0; i < 64; i++)
            sendto(other, bad, i, 0, (struct sockaddr *)&own, sizeof own);
        closesocket(other);
    }
    return connect(s, to, n);
}

/* Before Windows 10 2004 nothing is told of a connection that was refused. */
static int play_WSAPoll(WSAPOLLFD *p, ULONG n, int ms)
{
    ULONG i;
    int got = WSAPoll(p, n, deaf && (ms < 0 || ms > 100) ? 100 : ms), left = 0;

    for (i = 0; i < n && got > 0; i++) {
        if (deaf && p[i].revents & (POLLERR | POLLHUP) && !(p[i].revents & POLLIN))
            p[i].revents = 0;
        left += p[i].revents != 0;
    }
    if (deaf && !left && got > 0) Sleep(20);
    return got > 0 ? left : got;
}

#define setsockopt play_setsockopt
#define connect play_connect
#define WSAPoll play_WSAPoll
#define WS_IMPLEMENTATION
#include "ws.h"
#undef setsockopt
#undef connect
#undef WSAPoll

static void check(int good, const char *what)
{
    if (good) return;
    printf("field_45: %s\n", what);
    fflush(stdout);
    faults++;
}

static int inherits(SOCKET s)
{
    DWORD flags = HANDLE_FLAG_INHERIT;

    return !GetHandleInformation((HANDLE)s, &flags) || (flags & HANDLE_FLAG_INHERIT);
}

static SOCKET seen;

static void look(void *user, intptr_t s)
{
    (void)user;
    seen = (SOCKET)s;
    check(!inherits(seen), "a client's socket is inherited");
}

/* No child process gets a socket of ours. */
static void inheritance(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_config cfg;
    ws_event ev;
    ws_conn *c;
    ws__sock pair[2], raw[2];
    char url[64];
    int l = ws_listen(loop, "127.0.0.1:0", NULL), opened = 0, i;

    memset(&cfg, 0, sizeof cfg);
    cfg.on_socket = look;
    check(l >= 0 && !inherits(loop->listeners[l].fd), "a listener is inherited");
    check(!inherits(loop->post_in) && !inherits(loop->post_out), "the posts are inherited");
    check(!ws__pair_open(pair), "a pair");
    check(!inherits(pair[0]) && !inherits(pair[1]), "a pair is inherited");
    ws__sock_close(pair[0]);
    ws__sock_close(pair[1]);
    sprintf(url, "ws://127.0.0.1:%d/", ws_listen_port(loop, l));
    ws_dial(loop, url, &cfg);
    while (opened < 2 && ws_poll(loop, &ev, 20000) > 0) {
        opened += ev.type == WS_EV_OPEN;
        if (ev.type == WS_EV_OPEN) check(!inherits(ev.conn->fd), "a connection is inherited");
    }
    check(opened == 2, "a connection of the loop");
    c = ws_open(url, &cfg);
    check(c && !inherits(c->fd), "a client of an own loop is inherited");
    ws_free(c);
    raw[0] = socket(AF_INET, SOCK_STREAM, 0);
    c = ws_adopt(loop, raw[0], NULL, 0, NULL);
    check(c && !inherits(raw[0]), "an adopted socket is inherited");
    for (i = 0; i < 5; i++) ws_poll(loop, &ev, 0);
    ws_loop_free(loop);
}

/* No other program can listen on the port of ours. */
static void hijack(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int l;

    exclusive = reused = 0;
    l = ws_listen(loop, "127.0.0.1:0", NULL);
    check(l >= 0 && exclusive >= 1, "a listener is not exclusive");
    l = ws_listen(loop, ":0", NULL);
    check(l >= 0 && exclusive >= 2, "a listener on every address is not exclusive");
    check(!reused, "a listener lets others have its port");
    ws_loop_free(loop);
}

/* What others sent is no post, and wakes nobody for nothing. */
static void intrusion(void)
{
    ws_loop *loop;
    ws_event ev;
    int mine[300], posts = 0, strange = 0, i, sent = 0;

    intrudes = 1;
    loop = ws_loop_new(NULL);
    check(loop != NULL, "a loop");
    while (ws_poll(loop, &ev, 200) > 0) strange++;
    check(!strange, "a datagram of another program became an event");
    for (i = 0; i < 300; i++) {
        if (!ws_post(loop, &mine[i])) sent++;
        if (i % 100 != 99) continue;
        while (posts < sent && ws_poll(loop, &ev, 20000) > 0 && ev.type == WS_EV_POST)
            strange += (int *)ev.data < mine || (int *)ev.data >= mine + 300, posts++;
    }
    check(sent == 300 && posts == 300 && !strange, "posts after an intrusion");
    ws_loop_free(loop);
}

/* The same for the thread that looks a name up. */
static void intrusion_lookup(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int l = ws_listen(loop, "127.0.0.1:0", NULL), opened = 0;
    char url[64];
    ws_event ev;

    sprintf(url, "ws://localhost:%d/", ws_listen_port(loop, l));
    intrudes = 1;
    ws_dial(loop, url, NULL);
    while (opened < 2 && ws_poll(loop, &ev, 20000) > 0 && ev.type != WS_EV_CLOSE)
        opened += ev.type == WS_EV_OPEN;
    if (opened < 2 && ev.type == WS_EV_CLOSE) printf("    %s\n", ev.reason);
    check(opened == 2, "a lookup after an intrusion");
    intrudes = 0;
    ws_loop_free(loop);
}

/* An error of listening tells the system's reason. */
static void causes(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int l = ws_listen(loop, "127.0.0.1:0", NULL);
    char address[64];
    const char *text, *at;

    sprintf(address, "127.0.0.1:%d", ws_listen_port(loop, l));
    check(ws_listen(loop, address, NULL) == WS_ERR_LISTEN, "a port that is taken");
    text = ws_loop_error_text(loop);
    at = strstr(text, address);
    check(at && strlen(at) > strlen(address) + 3, "listening failed without a reason");
    if (!at || strlen(at) <= strlen(address) + 3) printf("    %s\n", text);
    ws_loop_free(loop);
}

/* A port where nobody listens. */
static int free_port(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", NULL));

    ws_loop_free(loop);
    return port;
}

static void two(void *user, ws_conn *c, const char *host)
{
    (void)user;
    (void)host;
    ws_resolved(c, "127.0.0.2, 127.0.0.1");
}

/* A refused connection is told long before the deadline, though WSAPoll says nothing. */
static void refused(int driver)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_config cfg;
    ws_event ev;
    ws_conn *c;
    char url[64];
    ULONGLONG start = GetTickCount64();

    memset(&cfg, 0, sizeof cfg);
    memset(&ev, 0, sizeof ev);
    cfg.handshake_timeout = 60000;
    sprintf(url, "ws://127.0.0.1:%d/", free_port());
    deaf = 1;
    c = driver == 0 ? ws_dial(loop, url, &cfg) : driver == 1 ? ws_open(url, &cfg)
                                                             : ws_connect(url, &cfg);
    while (driver == 0 && ws_poll(loop, &ev, 90000) > 0 && ev.type != WS_EV_CLOSE) {}
    while (driver == 1 && !ws_next(c, &ev)) { ws_step(c); Sleep(10); }
    if (driver == 2) ws_recv(c, &ev, 1000);
    deaf = 0;
    check(ev.type == WS_EV_CLOSE && ev.error == WS_ERR_CONNECT, "a refused connection is told");
    check(GetTickCount64() - start < 40000, "before the deadline");
    if (driver) ws_free(c);
    ws_loop_free(loop);
}

/* The next address is tried when the first refuses. */
static void next_address(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int l = ws_listen(loop, "127.0.0.1:0", NULL), opened = 0;
    ULONGLONG start = GetTickCount64();
    ws_config cfg;
    ws_event ev;
    char url[64];

    memset(&cfg, 0, sizeof cfg);
    cfg.handshake_timeout = 120000;
    cfg.resolve = two;
    sprintf(url, "ws://host.example:%d/", ws_listen_port(loop, l));
    deaf = 1;
    ws_dial(loop, url, &cfg);
    while (opened < 2 && ws_poll(loop, &ev, 90000) > 0 && ev.type != WS_EV_CLOSE)
        opened += ev.type == WS_EV_OPEN;
    deaf = 0;
    check(opened == 2, "the next address after one that refused");
    check(GetTickCount64() - start < 30000, "at once, and not after its share of the time");
    ws_loop_free(loop);
}

int main(void)
{
    inheritance();
    hijack();
    intrusion();
    intrusion_lookup();
    causes();
    refused(0);
    refused(1);
    refused(2);
    next_address();
    return faults != 0;
}

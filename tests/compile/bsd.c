/* What other systems do, played on this one. OpenBSD: a socket of IPv6 never takes IPv4, and
   IPV6_V6ONLY cannot be switched off, so that ":port" needs two sockets. Apple on a network of
   IPv6 alone: getaddrinfo makes an address of IPv6 of one of IPv4, but not with AI_NUMERICHOST. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static int play_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol), on = 1;

    if (fd >= 0 && family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return fd;
}

static int play_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    if (level != IPPROTO_IPV6 || name != IPV6_V6ONLY)
        return setsockopt(fd, level, name, value, n);
    errno = EINVAL;
    return *(const int *)value ? 0 : -1;
}

/* 192.0.2.33 (of documentation) leads to ::1, unless AI_NUMERICHOST wants it as it is. */
static int play_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                            struct addrinfo **found)
{
    struct addrinfo own = *hints;

    if (!host || strcmp(host, "192.0.2.33")) return getaddrinfo(host, port, hints, found);
    if (own.ai_flags & AI_NUMERICHOST) return getaddrinfo("127.0.0.1", port, hints, found);
    own.ai_flags |= AI_NUMERICHOST;
    return getaddrinfo("::1", port, &own, found);
}

#define socket play_socket
#define setsockopt play_setsockopt
#define getaddrinfo play_getaddrinfo
#define WS_IMPLEMENTATION
#include "ws.h"

static int faults;

static void check(int good, const char *what)
{
    if (good) return;
    printf("field_48: %s\n", what);
    faults++;
}

static int open_files(void)
{
    int i, n = 0;
    for (i = 0; i < 256; i++) n += fcntl(i, F_GETFD) >= 0;
    return n;
}

/* Turns the loop until a client of url opened (1) or closed (0). */
static int reaches(ws_loop *loop, const char *url, const ws_config *cfg)
{
    ws_conn *c = ws_dial(loop, url, cfg);
    ws_event ev;
    int opened = 0;

    while (ws_poll(loop, &ev, 10000) > 0) {
        if (ev.conn == c && ev.type == WS_EV_OPEN) { opened = 1; ws_free(c); break; }
        if (ev.conn == c && ev.type == WS_EV_CLOSE) break;
    }
    return opened;
}

static int reaches_port(ws_loop *loop, const char *host, int port)
{
    char url[64];

    sprintf(url, "ws://%s:%d/", host, port);
    return reaches(loop, url, NULL);
}

/* ":port" with a port of the system's choice, and with that one again. */
static void every_address(void)
{
    int before = open_files(), round, listener, port = 0, other;
    ws_loop *loop = ws_loop_new(NULL);
    int idle = open_files();
    char address[32];
    ws_event ev;

    for (round = 0; round < 3; round++) {
        sprintf(address, ":%d", port);
        listener = ws_listen(loop, address, NULL);
        check(listener >= 0, "listening on every address");
        if (listener < 0) printf("    %s\n", ws_loop_error_text(loop));
        check(!port || ws_listen_port(loop, listener) == port, "the port is the one asked for");
        port = ws_listen_port(loop, listener);
        check(port > 0, "there is a port");
        check(reaches_port(loop, "127.0.0.1", port), "IPv4 is served");
        check(reaches_port(loop, "[::1]", port), "IPv6 is served");
        other = ws_listen(loop, "127.0.0.1:0", NULL);
        check(other >= 0 && other != listener, "another listener beside it");
        ws_unlisten(loop, listener);
        check(!reaches_port(loop, "127.0.0.1", port), "IPv4 is no longer served");
        check(!reaches_port(loop, "[::1]", port), "IPv6 is no longer served");
        check(reaches_port(loop, "127.0.0.1", ws_listen_port(loop, other)), "the other one stays");
        ws_unlisten(loop, other);
    }
    while (ws_poll(loop, &ev, 50) > 0) {}
    check(open_files() == idle, "ws_unlisten closes all sockets of a listener");
    ws_listen(loop, ":0", NULL);
    ws_listen(loop, ":0", NULL);
    ws_loop_free(loop);
    check(open_files() == before, "ws_loop_free closes all");
}

/* The port is taken, for IPv4 alone: an error with its reason, and nothing is left open. */
static void half_taken(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int port = ws_listen_port(loop, ws_listen(loop, "0.0.0.0:0", NULL)), idle = open_files();
    char address[32];

    sprintf(address, ":%d", port);
    check(ws_listen(loop, address, NULL) == WS_ERR_LISTEN, "half of the addresses is an error");
    check(strstr(ws_loop_error_text(loop), "in use") != NULL, "the error tells why");
    check(open_files() == idle, "the failed listener closes its sockets");
    ws_loop_free(loop);
}

/* One limit for both sockets; ws_shutdown closes both. */
static void one_listener(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_config cfg;
    ws_event ev;
    int listener, port, opened = 0;
    char url[64];

    memset(&cfg, 0, sizeof cfg);
    cfg.max_connections = 1;
    listener = ws_listen(loop, ":0", &cfg);
    port = ws_listen_port(loop, listener);
    sprintf(url, "ws://127.0.0.1:%d/", port);
    ws_dial(loop, url, NULL);
    while (opened < 2 && ws_poll(loop, &ev, 10000) > 0) opened += ev.type == WS_EV_OPEN;
    check(opened == 2, "a connection over IPv4");
    check(!reaches_port(loop, "[::1]", port), "max_connections counts both");
    ws_shutdown(loop, 1001, NULL, 2000);
    while (ws_poll(loop, &ev, -1) > 0) {}
    check(ws_loop_count(loop) == 0, "ws_shutdown ends all");
    ws_loop_free(loop);
}

static void resolves(void *user, ws_conn *c, const char *host)
{
    (void)user;
    (void)host;
    ws_resolved(c, "192.0.2.33");
}

/* An address of IPv4 reaches a server of IPv6. */
static void nat64(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int listener = ws_listen(loop, "[::1]:0", NULL);
    ws_config cfg;
    char url[64];

    memset(&cfg, 0, sizeof cfg);
    check(reaches_port(loop, "192.0.2.33", ws_listen_port(loop, listener)),
          "getaddrinfo may make another address of one of IPv4");
    cfg.resolve = resolves;
    sprintf(url, "ws://host.example:%d/", ws_listen_port(loop, listener));
    check(reaches(loop, url, &cfg), "also of one that cfg.resolve gave");
    ws_loop_free(loop);
}

int main(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    int has6 = ws_listen(loop, "[::1]:0", NULL) >= 0;

    ws_loop_free(loop);
    if (!has6) { printf("no IPv6 on this machine\n"); return 0; }
    every_address();
    half_taken();
    one_listener();
    nat64();
    return faults != 0;
}

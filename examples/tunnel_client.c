/* Teaches: a transport of your own, here a blocking socket, through a proxy: ws_tunnel
            makes the way, by CONNECT or SOCKS5, and says what the proxy answered; the
            engine then speaks over the same socket. cfg.proxy does all that where ws.h
            may have the socket (proxy_client.c).
   Build:   cc -o build/tunnel_client examples/tunnel_client.c -I.       (POSIX)
   Run:     build/tunnel_client http://user:pass@127.0.0.1:3128 ws://127.0.0.1:9001/
            build/tunnel_client socks5://127.0.0.1:1080 ws://127.0.0.1:9001/
   You see: hello, closed 1000 bye; or: proxy answered 407, and the lines it sent */
#define _POSIX_C_SOURCE 200809L
#define WS_IMPLEMENTATION
#include "ws.h"
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct stream {
    int fd;
    size_t size;                /* what has come and is not used yet */
    char bytes[4096];
} stream;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Waits up to ms for at most room bytes. Returns 0 when the stream has ended. */
static int stream_read(stream *in, size_t room, int ms)
{
    struct pollfd ready;
    ssize_t got;

    if (room > sizeof in->bytes - in->size)
        room = sizeof in->bytes - in->size;
    ready.fd = in->fd;
    ready.events = POLLIN;
    if (!room || poll(&ready, 1, ms) == 0)
        return 1;
    got = read(in->fd, in->bytes + in->size, room);
    if (got <= 0)
        return 0;
    in->size += (size_t)got;
    return 1;
}

static void stream_used(stream *in, size_t size)
{
    in->size -= size;
    memmove(in->bytes, in->bytes + size, in->size);
}

/* Returns a socket that is connected to the proxy, or -1. */
static int dial(const char *proxy)
{
    const char *rest = strstr(proxy, "://");
    char text[512], host[256], port[6];
    struct addrinfo hints, *all, *one;
    int fd = -1;
    ws_url url;

    /* socks5:// is none of the schemes of ws_url_parse; behind it all is the same but for
       the port that is meant when none is there */
    if (!rest || strlen(rest) > sizeof text - 5)
        return -1;
    snprintf(text, sizeof text, "http%s", rest);
    if (ws_url_parse(text, strlen(text), &url) || url.host.size >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)url.host.size, url.host.data);
    snprintf(port, sizeof port, "%u", (unsigned)url.port);
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &all))
        return -1;
    for (one = all; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

/* Returns 0 when the way is open. What the server may have said by then is in the
   stream. */
static int way_through(stream *proxy, ws_tunnel *tunnel)
{
    uint64_t deadline = now() + 10000;

    while (!tunnel->result && now() < deadline) {
        size_t size;
        const void *out = ws_tunnel_output(tunnel, &size);

        if (size) {
            ssize_t put = write(proxy->fd, out, size);
            if (put < 0)
                ws_tunnel_feed_end(tunnel);
            else
                ws_tunnel_output_done(tunnel, (size_t)put);
            continue;
        }
        if (!stream_read(proxy, sizeof proxy->bytes, (int)(deadline - now())))
            ws_tunnel_feed_end(tunnel);
        stream_used(proxy, ws_tunnel_feed(tunnel, proxy->bytes, proxy->size));
    }
    return tunnel->result == 1 ? 0 : -1;
}

static void explain(const ws_tunnel *tunnel)
{
    ws_str head, name, value;
    size_t pos = 0;

    fprintf(stderr, "%s\n", tunnel->result ? tunnel->text : "proxy did not answer");
    head.data = tunnel->buf;
    head.size = tunnel->head_size;
    while (ws_head_field(head, &pos, &name, &value))
        fprintf(stderr, "    %.*s: %.*s\n", (int)name.size, name.data, (int)value.size,
                value.data);
}

static void on_event(const ws_event *ev)
{
    if (ev->type == WS_EV_OPEN)
        ws_send_text(ev->conn, "hello");
    if (ev->type == WS_EV_MESSAGE) {
        printf("%.*s\n", (int)ev->size, (const char *)ev->data);
        ws_close(ev->conn, WS_CLOSE_NORMAL, "bye");
    }
    if (ev->type == WS_EV_CLOSE)
        printf("closed %d %s\n", ev->code, ev->reason);
}

/* The engine over a blocking stream. Returns its first error, or 0. */
static int talk(stream *server, const char *url)
{
    ws_conn *conn = ws_client_new(url, NULL);
    ws_event ev;
    int error;

    while (!ws_done(conn)) {
        size_t size;
        const void *out;
        ssize_t put;

        ws_tick(conn, now());
        stream_used(server, ws_feed(conn, server->bytes, server->size));
        while (ws_next(conn, &ev) > 0)
            on_event(&ev);
        out = ws_output(conn, &size);
        put = size ? write(server->fd, out, size) : 0;
        if (put > 0)
            ws_output_done(conn, (size_t)put);
        else if (put < 0 || !stream_read(server, ws_feed_room(conn), ws_timeout(conn)))
            ws_feed_end(conn);
    }
    error = ws_error(conn);
    ws_free(conn);
    return error;
}

int main(int argc, char **argv)
{
    static stream line;
    static ws_tunnel tunnel;
    char host[256];
    ws_url url;

    if (argc != 3 || ws_url_parse(argv[2], strlen(argv[2]), &url) || url.secure ||
        url.host.size >= sizeof host || !strncmp(argv[1], "https", 5)) {
        fprintf(stderr, "usage: %s http://PROXY:PORT ws://HOST/ (or socks5:)\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(host, sizeof host, "%.*s", (int)url.host.size, url.host.data);
    if (ws_tunnel_init(&tunnel, argv[1], host, url.port, NULL)) {
        fprintf(stderr, "proxy: %s\n", ws_error_string(tunnel.result));
        return 2;
    }
    line.fd = dial(argv[1]);
    if (line.fd < 0) {
        fprintf(stderr, "proxy cannot be reached\n");
        return 1;
    }
    if (way_through(&line, &tunnel)) {
        explain(&tunnel);
        return 1;
    }
    return talk(&line, argv[2]) != 0;
}

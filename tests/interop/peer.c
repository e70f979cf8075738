/* The ws.h end of tests/interop/five.js. It does what the path of the connection says and
   prints every event, one line each, after that path:
     /echo...    sends every message back        /pong...    an unasked pong with payload
     /hello...   text, binary, two empty ones    /close...   Close 4001 "ws.h ends"
     /parts...   fragmented text and binary      /bare...    Close without a code
     /ping...    a ping with payload             /drop...    frees it at the first message
     /refuse...  403 (server)                    /late...    accepts after a while, then echoes
   and nothing for any other. A server adds "X-Answer: ws.h", a client "X-Asked: ws.h".
     peer server [PROTOCOLS]         prints "port N", serves until its input ends
     peer client URL [PROTOCOLS]     one connection, until it ends */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

static const char *path(ws_conn *c)
{
    const char *at = (const char *)ws_user(c);

    return at ? at : "/";
}

static void tell(ws_conn *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%s ", path(c));
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

static int is(ws_conn *c, const char *what)
{
    return !strncmp(path(c) + 1, what, strlen(what));
}

static void headers(ws_conn *c)
{
    ws_str name, value;
    size_t pos = 0;

    while (ws_header_next(c, &pos, &name, &value))
        tell(c, "header %.*s: %.*s", (int)name.size, name.data, (int)value.size, value.data);
}

/* Text with a ping in between, then binary in single bytes, then from a source. */
static ptrdiff_t source(void *user, void *buf, size_t n)
{
    int *left = (int *)user;

    if (*left <= 0) return 0;
    if (n > (size_t)*left) n = (size_t)*left;
    memset(buf, 's', n);
    *left -= (int)n;
    return (ptrdiff_t)n;
}

static void parts(ws_conn *c)
{
    static int left;
    const char *all = "one, two, three";
    size_t i;

    ws_send_part(c, WS_OP_TEXT, all, 5, 0);
    ws_ping(c, "between", 7);
    ws_send_part(c, WS_OP_TEXT, all + 5, 5, 0);
    ws_send_part(c, WS_OP_TEXT, all + 10, 5, 1);
    for (i = 0; i < 15; i++) ws_send_part(c, WS_OP_BINARY, all + i, 1, 0);
    ws_send_part(c, WS_OP_BINARY, "", 0, 1);
    left = 100000;
    ws_send_from(c, WS_OP_TEXT, source, &left);
}

/* What a message was: its kind, size and SHA-1. */
static void show(ws_conn *c, const ws_event *ev)
{
    uint8_t digest[20];
    char hex[41];
    int i;

    ws__sha1(ev->data, ev->size, digest);
    for (i = 0; i < 20; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
    tell(c, "%s %lu %s", ev->op == WS_OP_TEXT ? "text" : "binary", (unsigned long)ev->size, hex);
}

static void opened(ws_conn *c)
{
    headers(c);
    tell(c, "open %s", ws_protocol(c));
    if (is(c, "hello")) {
        ws_send_text(c, "h\303\244llo \342\202\254 \360\237\230\200");
        ws_send(c, WS_OP_BINARY, "\0\1\2\377", 4);
        ws_send(c, WS_OP_TEXT, "", 0);
        ws_send(c, WS_OP_BINARY, "", 0);
    }
    if (is(c, "parts")) parts(c);
    if (is(c, "ping")) ws_ping(c, "are you there", 13);
    if (is(c, "pong")) { ws_pong(c, "unasked", 7); ws_send_text(c, "after"); }
    if (is(c, "close")) ws_close(c, 4001, "ws.h ends");
    if (is(c, "bare")) ws_close(c, 0, NULL);
}

static ws_conn *late;           /* accepted when the loop has nothing to do */

static void asked(ws_conn *c)
{
    static const ws_header why[] = { { "X-Why", "closed today" }, { NULL, NULL } };

    if (is(c, "late")) late = c;
    else if (is(c, "refuse")) ws_reject(c, 403, why, "not here");
    else ws_accept(c, NULL);
}

/* Returns 1 when the connection is gone. */
static int play(ws_conn *c, const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_REQUEST:
        asked(c);
        return 0;
    case WS_EV_OPEN:
        opened(c);
        return 0;
    case WS_EV_MESSAGE:
        if (is(c, "drop")) {
            tell(c, "freed");
            free(ws_user(c));
            ws_free(c);
            return 1;
        }
        show(c, ev);
        if (is(c, "echo") || is(c, "late")) ws_send(c, ev->op, ev->data, ev->size);
        return 0;
    case WS_EV_PING:
        tell(c, "ping %.*s", (int)ev->size, (const char *)ev->data);
        return 0;
    case WS_EV_PONG:
        tell(c, "pong %.*s", (int)ev->size, (const char *)ev->data);
        return 0;
    case WS_EV_CLOSE:
        tell(c, "close %d %d %d %s", ev->code, ev->clean, ws_status(c), ev->reason);
        free(ws_user(c));
        return 1;
    default:
        return 0;
    }
}

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;

    return (char *)memcpy(malloc(n), text, n);
}

static int server(ws_config *cfg)
{
    static const ws_header answer[] = { { "X-Answer", "ws.h" }, { NULL, NULL } };
    struct pollfd input = { 0, POLLIN, 0 };
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    int listener, got;

    cfg->ask = 1;
    cfg->headers = answer;
    cfg->origins = "*";
    listener = ws_listen(loop, "127.0.0.1:0", cfg);
    if (listener < 0) return 1;
    printf("port %d\n", ws_listen_port(loop, listener));
    fflush(stdout);
    while ((got = ws_poll(loop, &ev, 50)) >= 0) {
        if (!got) {
            if (poll(&input, 1, 0) > 0) break;
            ws_accept(late, NULL);
            late = NULL;
            continue;
        }
        if (!ws_user(ev.conn)) ws_set_user(ev.conn, copy(ws_target(ev.conn)));
        play(ev.conn, &ev);
    }
    ws_loop_free(loop);
    return 0;
}

static int client(const char *url, ws_config *cfg)
{
    static const ws_header asked[] = { { "X-Asked", "ws.h" }, { NULL, NULL } };
    const char *at = strstr(url, "://");
    ws_event ev;
    ws_conn *c;

    cfg->headers = asked;
    cfg->user = copy(at && strchr(at + 3, '/') ? strchr(at + 3, '/') : "/");
    c = ws_connect(url, cfg);
    while (ws_recv(c, &ev, -1) > 0)
        if (play(c, &ev)) {
            if (ev.type == WS_EV_CLOSE) ws_free(c);
            return 0;
        }
    return 1;
}

int main(int argc, char **argv)
{
    ws_config cfg = {0};
    int is_client = argc > 2 && !strcmp(argv[1], "client");

    if (argc > 2 + is_client) cfg.protocols = argv[2 + is_client];
    if (is_client) return client(argv[2], &cfg);
    if (argc > 1 && !strcmp(argv[1], "server")) return server(&cfg);
    fprintf(stderr, "usage: %s server [PROTOCOLS] | client URL [PROTOCOLS]\n", argv[0]);
    return 2;
}

/* The ws.h end of tests/interop/deflate.js. Orders come in, a line each:
     listen SETTINGS         prints "port N" and serves there
     dial URL SETTINGS       one connection
   with SETTINGS as in examples/deflate.h. On every connection it sends the series of deflate.js,
   and prints what it sees after the connection's path: "extensions ANSWER", "text SIZE SHA1",
   "ping TEXT", "pong TEXT", "close CODE ERROR STATUS REASON". Ends with its input. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "examples/deflate.h"
#include <pthread.h>
#include <stdio.h>

enum { TEXT = 3000, BYTES = 2000 };

static char text[2][TEXT], bytes[BYTES];

/* What deflates to half its size, but for what came before; and what does not. */
static void make_series(void)
{
    uint32_t x = 1;
    int i, k;

    for (k = 0; k < 2; k++)
        for (i = 0; i < TEXT; i++) {
            x = x * 1664525u + 1013904223u;
            text[k][i] = "0123456789abcdef"[x >> 28];
        }
    for (i = 0; i < BYTES; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (char)(x >> 24);
    }
}

static void send_series(ws_conn *c)
{
    ws_send(c, WS_OP_TEXT, text[0], TEXT);
    ws_send(c, WS_OP_TEXT, text[0], TEXT);
    ws_send_text(c, "small");
    ws_send(c, WS_OP_TEXT, "", 0);
    ws_send(c, WS_OP_BINARY, "", 0);
    ws_send_part(c, WS_OP_TEXT, text[1], 1000, 0);
    ws_ping(c, "between", 7);
    ws_send_part(c, WS_OP_TEXT, text[1] + 1000, 1000, 0);
    ws_send_part(c, WS_OP_TEXT, text[1] + 2000, 1000, 1);
    ws_send(c, WS_OP_BINARY, bytes, BYTES);
}

static void tell(ws_conn *c, const ws_event *ev)
{
    const char *path = (const char *)ws_user(c);
    uint8_t digest[20];
    int i;

    printf("%s ", path ? path : "/");
    switch (ev->type) {
    case WS_EV_OPEN: printf("extensions %s", ws_extensions(c)); break;
    case WS_EV_MESSAGE:
        printf("%s %lu ", ev->op == WS_OP_TEXT ? "text" : "binary", (unsigned long)ev->size);
        ws__sha1(ev->data, ev->size, digest);
        for (i = 0; i < 20; i++) printf("%02x", digest[i]);
        break;
    case WS_EV_PING:
    case WS_EV_PONG:
        printf("%s %.*s", ev->type == WS_EV_PING ? "ping" : "pong", (int)ev->size,
               ev->size ? (const char *)ev->data : "");
        break;
    case WS_EV_CLOSE:
        printf("close %d %d %d %s", ev->code, ev->error, ws_status(c), ev->reason);
        break;
    default: printf("event %d", ev->type);
    }
    printf("\n");
    fflush(stdout);
}

static char *copy(const char *s)
{
    size_t n = strlen(s) + 1;

    return (char *)memcpy(malloc(n), s, n);
}

/* ---- orders ---- */

static void *read_orders(void *loop)
{
    char line[1000];

    while (fgets(line, sizeof line, stdin))
        while (ws_post((ws_loop *)loop, copy(line)) == WS_ERR_BACKLOG) {}
    ws_post((ws_loop *)loop, NULL);
    return NULL;
}

/* Returns -1 if it cannot be carried out. */
static int obey(ws_loop *loop, char *line)
{
    char *order = strtok(line, " \n"), *url = NULL, *settings;
    const char *path;
    ws_deflate d = {0};
    ws_config cfg = {0};
    int listener;

    if (order && !strcmp(order, "dial")) url = strtok(NULL, " \n");
    settings = strtok(NULL, " \n");
    if (!order || !settings || deflate_option(settings, &d) != 1) return -1;
    cfg.deflate = &d;
    cfg.ping_interval = WS_NEVER;
    if (url) {
        path = strchr(strstr(url, "://") + 3, '/');
        cfg.user = copy(path);
        return ws_dial(loop, url, &cfg) ? 0 : -1;
    }
    cfg.origins = "*";
    listener = ws_listen(loop, "127.0.0.1:0", &cfg);
    printf("port %d\n", listener < 0 ? -1 : ws_listen_port(loop, listener));
    fflush(stdout);
    return listener < 0 ? -1 : 0;
}

int main(void)
{
    ws_loop *loop = ws_loop_new(NULL);
    pthread_t reader;
    ws_event ev;

    make_series();
    if (!loop || pthread_create(&reader, NULL, read_orders, loop)) return 1;
    while (ws_poll(loop, &ev, -1) > 0) {
        if (ev.type == WS_EV_POST) {
            int failed = ev.data && obey(loop, (char *)(uintptr_t)ev.data);
            if (!ev.data) break;
            free((void *)(uintptr_t)ev.data);
            if (!failed) continue;
            printf("not obeyed\n");
            return 1;
        }
        if (!ws_user(ev.conn)) ws_set_user(ev.conn, copy(ws_target(ev.conn)));
        tell(ev.conn, &ev);
        if (ev.type == WS_EV_OPEN) send_series(ev.conn);
        if (ev.type == WS_EV_CLOSE) free(ws_user(ev.conn));
    }
    pthread_join(reader, NULL);
    ws_loop_free(loop);
    return 0;
}

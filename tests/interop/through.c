/* Goes through a proxy to an echo server, once in each driver: blocking, own loop, loop.
     through PROXY URL              70,000 bytes go there and back: "through"
     through PROXY URL STATUS       the proxy refuses with that HTTP status (0: not HTTP)
   Exits with 0 if all three did. */
#define WS_IMPLEMENTATION
#include "../../ws.h"
#include <poll.h>
#include <stdio.h>

static char big[70000];

typedef struct result { int echoed, closed, error, status; char reason[200]; } result;

static void note(result *r, const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_OPEN: ws_send(ev->conn, WS_OP_BINARY, big, sizeof big); break;
    case WS_EV_MESSAGE:
        r->echoed = ev->size == sizeof big && !memcmp(ev->data, big, sizeof big);
        ws_close(ev->conn, WS_CLOSE_NORMAL, NULL);
        break;
    case WS_EV_CLOSE:
        r->closed = 1;
        r->error = ev->error;
        r->status = ws_status(ev->conn);
        snprintf(r->reason, sizeof r->reason, "%s", ev->reason);
        break;
    default: break;
    }
}

static result own_loop(const char *url, const ws_config *cfg)
{
    result r = { 0, 0, 0, 0, "" };
    ws_event ev;
    ws_conn *c = ws_open(url, cfg);

    while (c && !r.closed) {
        struct pollfd p = { (int)ws_fd(c), 0, 0 };
        if (ws_wants(c) & WS_WANT_READ) p.events |= POLLIN;
        if (ws_wants(c) & WS_WANT_WRITE) p.events |= POLLOUT;
        poll(&p, 1, ws_timeout(c));
        ws_step(c);
        while (ws_next(c, &ev)) note(&r, &ev);
    }
    ws_free(c);
    return r;
}

static result visit(int driver, const char *url, const ws_config *cfg)
{
    result r = { 0, 0, 0, 0, "" };
    ws_loop *loop;
    ws_event ev;
    ws_conn *c;

    if (driver == 1) return own_loop(url, cfg);
    if (driver == 0) {
        c = ws_connect(url, cfg);
        while (ws_recv(c, &ev, 10000) > 0) note(&r, &ev);
        ws_free(c);
        return r;
    }
    loop = ws_loop_new(NULL);
    ws_dial(loop, url, cfg);
    while (!r.closed && ws_poll(loop, &ev, 10000) > 0) note(&r, &ev);
    ws_loop_free(loop);
    return r;
}

int main(int argc, char **argv)
{
    ws_config cfg;
    int driver, failed = 0;
    size_t i;

    if (argc < 3) return 2;
    for (i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
    memset(&cfg, 0, sizeof cfg);
    cfg.proxy = argv[1];
    for (driver = 0; driver < 3; driver++) {
        result r = visit(driver, argv[2], &cfg);
        int good = argc > 3 ? r.error == WS_ERR_PROXY && r.status == atoi(argv[3])
                            : r.echoed && r.closed && !r.error;
        if (!good) printf("driver %d: status %d, %s\n", driver, r.status, r.reason);
        failed |= !good;
    }
    return failed;
}

/* Goes to an echo server, perhaps through a proxy and in TLS, once in each driver: blocking, own
   loop, loop. Names under .test are this machine.
     through PROXY URL [OPTION VALUE]...         PROXY "-": none
   Texts and binary messages of 0 bytes to 1 MiB, one in fragments and a ping go there and back,
   then it closes. Prints the texts that came unasked, and "N echoes, CODE[, REASON]" last.
   Exits with 0 if all three did.
     --status N                  the proxy refuses with that HTTP status (0: not HTTP)
     --echoes N                  after so many it waits: the server must end it
     --ca F, --cert F, --key F   whom to trust, who we are, as in ws_tls_config */
#define WS_IMPLEMENTATION
#include "../../ws.h"
#include <poll.h>
#include <stdio.h>

static const size_t sizes[] = { 0, 1, 125, 126, 16383, 16385, 65535, 65536, 70000, 1 << 20 };
static char big[1 << 20];
static int enough;

enum { SIZES = sizeof sizes / sizeof *sizes, ALL = 2 * SIZES + 1 };     /* texts, binary, fragments */

typedef struct result {
    int echoes, ponged, closed, code, error, status;
    char reason[200];
} result;

static size_t size_of(int i) { return i < 2 * SIZES ? sizes[i / 2] : 3000; }
static int op_of(int i) { return i % 2 ? WS_OP_BINARY : WS_OP_TEXT; }

static void say_next(ws_conn *c, int i)
{
    size_t n = size_of(i);

    if (i < 2 * SIZES) {
        ws_send(c, op_of(i), big, n);
    } else {
        ws_send_part(c, op_of(i), big, 1000, 0);
        ws_ping(c, "between", 7);
        ws_send_part(c, op_of(i), big + 1000, 0, 0);
        ws_send_part(c, op_of(i), big + 1000, n - 1000, 1);
    }
}

static void heard(result *r, const ws_event *ev)
{
    int i = r->echoes;

    if (i < ALL && ev->op == op_of(i) && ev->size == size_of(i) && !memcmp(ev->data, big, ev->size)) {
        if (++r->echoes < enough) say_next(ev->conn, r->echoes);
    } else {
        printf("%.*s\n", ev->size < 200 ? (int)ev->size : 200, (const char *)ev->data);
    }
}

static void note(result *r, const ws_event *ev)
{
    switch (ev->type) {
    case WS_EV_OPEN: say_next(ev->conn, 0); break;
    case WS_EV_MESSAGE: heard(r, ev); break;
    case WS_EV_PONG: r->ponged |= ev->size == 7 && !memcmp(ev->data, "between", 7); break;
    case WS_EV_CLOSE:
        r->closed = 1;
        r->code = ev->code;
        r->error = ev->error;
        r->status = ws_status(ev->conn);
        snprintf(r->reason, sizeof r->reason, "%s", ev->reason);
        break;
    default: break;
    }
    if (r->echoes == ALL && r->ponged) ws_close(ev->conn, WS_CLOSE_NORMAL, NULL);
}

static result own_loop(const char *url, const ws_config *cfg)
{
    result r = {0};
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
    result r = {0};
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

static void here(void *user, ws_conn *c, const char *host)
{
    (void)user;
    (void)host;
    ws_resolved(c, "127.0.0.1");
}

int main(int argc, char **argv)
{
    ws_tls_config trust = {0};
    ws_config cfg = {0};
    const char *status = NULL, *echoes = NULL;
    int driver, failed = 0, i;

    for (i = 3; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--status")) status = argv[i + 1];
        else if (!strcmp(argv[i], "--echoes")) echoes = argv[i + 1];
        else if (!strcmp(argv[i], "--ca")) trust.ca = argv[i + 1];
        else if (!strcmp(argv[i], "--cert")) trust.cert = argv[i + 1];
        else if (!strcmp(argv[i], "--key")) trust.key = argv[i + 1];
        else return 2;
    }
    if (i != argc) return 2;
    for (i = 0; i < (int)sizeof big; i++) big[i] = (char)(' ' + (i * 7 + i / 251) % 95);
    enough = echoes ? atoi(echoes) : ALL;
    if (strcmp(argv[1], "-")) cfg.proxy = argv[1];
    if (strstr(argv[2], ".test")) cfg.resolve = here;
    if (trust.ca || trust.cert) cfg.tls = ws_tls_new(&trust);
    for (driver = 0; driver < 3; driver++) {
        result r = visit(driver, argv[2], &cfg);
        printf("%d echoes, %d%s%s\n", r.echoes, r.code, *r.reason ? ", " : "", r.reason);
        if (status) failed |= r.error != WS_ERR_PROXY || r.status != atoi(status);
        else failed |= r.echoes != ALL || r.code != WS_CLOSE_NORMAL || r.error;
    }
    ws_tls_free(cfg.tls);
    return failed;
}

/* A ws.h server of several names, for tests/interop/tls.sh.
     hosts CERTS NAME...     shows the first of these certificates, or that which names the host
                             a client asks for; clients may show one by "ca"
   Prints "listening on wss://localhost:PORT/". Tells each client first who it has proved to be,
   "you are CN=client"; then it echoes. */
#define WS_IMPLEMENTATION
#include "../../ws.h"
#include <stdio.h>

#define MOST 8

static const char *file(const char *dir, const char *name, const char *ending)
{
    static char text[2 * MOST + 1][300];
    static int next;
    char *at = text[next++];

    snprintf(at, sizeof text[0], "%s/%s%s", dir, name, ending);
    return at;
}

static void greet(ws_conn *c)
{
    char name[200] = "you are ";

    ws_tls_peer(c, name + 8, sizeof name - 8);
    ws_send_text(c, name[8] ? name : "you are nobody");
}

int main(int argc, char **argv)
{
    ws_tls_pair others[MOST + 1] = {{0}};
    ws_tls_config tls = {0};
    ws_config cfg = {0};
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    int i;

    if (argc < 3 || argc > 2 + MOST) return 2;
    for (i = 2; i < argc; i++) {
        others[i - 2].cert = file(argv[1], argv[i], ".pem");
        others[i - 2].key = file(argv[1], argv[i], ".key");
    }
    tls.cert = others[0].cert;
    tls.key = others[0].key;
    tls.others = others + 1;
    tls.ca = file(argv[1], "ca", ".pem");
    tls.client_may_be_unknown = 1;
    cfg.tls = ws_tls_new(&tls);
    if (ws_listen(loop, "127.0.0.1:0", &cfg) < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        return 1;
    }
    ws_tls_free(cfg.tls);
    printf("listening on wss://localhost:%d/\n", ws_listen_port(loop, 0));
    fflush(stdout);
    while (ws_poll(loop, &ev, -1) >= 0) {
        if (ev.type == WS_EV_OPEN) greet(ev.conn);
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    }
    ws_loop_free(loop);
    return 1;
}

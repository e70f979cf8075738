/* WS_USE_MBEDTLS without sockets: two engines in memory, TLS by ws_tls_wrap between them. Reads
   certificates of tests/tls/certs.sh from build/compile/certs. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>

#define CERTS "build/compile/certs/"

static struct { char bytes[65536]; size_t n; } line[2];     /* to the client, to the server */

static ptrdiff_t take(void *user, void *buf, size_t n)
{
    int i = *(int *)user;
    if (!line[i].n) return WS_IO_WANT_READ;
    if (n > line[i].n) n = line[i].n;
    memcpy(buf, line[i].bytes, n);
    line[i].n -= n;
    memmove(line[i].bytes, line[i].bytes + n, line[i].n);
    return (ptrdiff_t)n;
}

static ptrdiff_t give(void *user, const void *buf, size_t n)
{
    int i = !*(int *)user;
    size_t room = sizeof line[i].bytes - line[i].n;
    if (!room) return WS_IO_WANT_WRITE;
    if (n > room) n = room;
    memcpy(line[i].bytes + line[i].n, buf, n);
    line[i].n += n;
    return (ptrdiff_t)n;
}

static int count(void *user, void *buf, size_t n)
{
    memset(buf, ++*(int *)user, n);
    return 0;
}

/* Moves bytes between an engine and its TLS. */
static void carry(ws_conn *c, ws_io *io)
{
    char buf[1000];
    size_t n, room = ws_feed_room(c);
    const void *out = ws_output(c, &n);
    ptrdiff_t r;

    if (n) {
        r = io->write(io->user, out, n < 16384 ? n : 16384);
        if (r > 0) ws_output_done(c, (size_t)r);
    }
    r = io->read(io->user, buf, room < sizeof buf ? room : sizeof buf);
    if (r > 0) ws_feed(c, buf, (size_t)r);
    if (r == 0) ws_feed_end(c);
    if (r == WS_IO_ERROR) fprintf(stderr, "%s\n", io->why(io->user));
}

int main(void)
{
    static int self[2] = { 0, 1 };
    ws_tls_config set[2];
    ws_config cfg;
    ws_conn *c[2];
    ws_io io[2];
    ws_event ev;
    int i, turn, keys = 0, echoed = 0, clean = 0;

    memset(set, 0, sizeof set);
    memset(io, 0, sizeof io);
    memset(&cfg, 0, sizeof cfg);
    set[0].ca = CERTS "ca.pem";
    set[1].cert = CERTS "good.pem";
    set[1].key = CERTS "good.key";
    cfg.random = count;
    cfg.random_user = &keys;
    c[0] = ws_client_new("wss://localhost/", &cfg);
    c[1] = ws_server_new(NULL);
    for (i = 0; i < 2; i++) {
        ws_tls *tls = ws_tls_new(&set[i]);
        io[i].read = take;
        io[i].write = give;
        io[i].user = &self[i];
        if (ws_tls_wrap(tls, &io[i], i ? NULL : "localhost")) {
            fprintf(stderr, "%s\n", ws_tls_error_text(tls));
            return 2;
        }
        ws_tls_free(tls);
    }
    for (turn = 0; turn < 100 && clean < 2; turn++) for (i = 0; i < 2; i++) {
        carry(c[i], &io[i]);
        while (ws_next(c[i], &ev)) {
            if (ev.type == WS_EV_OPEN && !i) ws_send_text(c[0], "hello");
            if (ev.type == WS_EV_MESSAGE && i) ws_send(c[1], ev.op, ev.data, ev.size);
            if (ev.type == WS_EV_MESSAGE && !i) {
                echoed += ev.size == 5 && !memcmp(ev.data, "hello", 5);
                ws_close(c[0], WS_CLOSE_NORMAL, "bye");
            }
            if (ev.type == WS_EV_CLOSE) clean += ev.clean;
        }
    }
    for (i = 0; i < 2; i++) {
        io[i].close(io[i].user);
        ws_free(c[i]);
    }
    return echoed == 1 && clean == 2 ? 0 : 1;
}

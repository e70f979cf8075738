/* Teaches: a server for any number of clients in one thread. Every event of every connection
            comes out of ws_poll; the echo itself is one ws_send.
   Build:   cc -O2 -o build/echo_server examples/echo_server.c -I.
            for TLS: -DWS_USE_MBEDTLS, and -lmbedtls -lmbedx509 -lmbedcrypto at the end;
            to compress: -DWS_USE_ZLIB, and -lz
   Run:     build/echo_server [--port N] [--host H] [--max-message BYTES]
                              [--max-fragments N] [--any-origin]
                              [--tls-cert FILE --tls-key FILE] [--tls-ca FILE]
                              [--deflate[=SETTINGS]]      (see deflate.h)
   You see: listening on ws://127.0.0.1:9001/       (and nothing more, however busy it is) */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "deflate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#endif

/* As many connections as the system lets this process have. */
static void raise_descriptors(void)
{
#if defined(__unix__) || defined(__APPLE__)
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r)) return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
#endif
}

/* Decimal digits only, at most max. Returns 1 if text is such a number. */
static int number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (!text || !*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return 0;
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > max) return 0;
    }
    *out = (uint32_t)v;
    return 1;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--port N] [--host H] [--max-message BYTES]\n"
                    "       [--max-fragments N] [--any-origin]\n"
                    "       [--tls-cert FILE --tls-key FILE] [--tls-ca FILE]\n"
                    "       [--deflate[=SETTINGS]]\n", program);
    return 2;
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1";
    uint32_t port = 9001;
    char address[300], shown[260];
    ws_tls_config tls = {0};
    ws_deflate pmd = {0};
    ws_config cfg = {0};
    ws_loop *loop;
    ws_event ev;
    int i, listener, got;

    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--any-origin")) { cfg.origins = "*"; continue; }
        if (deflate_option(argv[i], &pmd) > 0) { cfg.deflate = &pmd; continue; }
        i++;
        if (!strcmp(argv[i - 1], "--port") && number(value, 65535, &port)) continue;
        if (!strcmp(argv[i - 1], "--max-message") &&
            number(value, 0x7FFFFFFF, &cfg.max_message)) continue;
        if (!strcmp(argv[i - 1], "--max-fragments") &&
            number(value, WS_NO_LIMIT, &cfg.max_fragments)) continue;
        if (!strcmp(argv[i - 1], "--host") && value && strlen(value) < 256) {
            host = value;
            continue;
        }
        if (!strcmp(argv[i - 1], "--tls-cert") && value) { tls.cert = value; continue; }
        if (!strcmp(argv[i - 1], "--tls-key") && value) { tls.key = value; continue; }
        if (!strcmp(argv[i - 1], "--tls-ca") && value) { tls.ca = value; continue; }
        return usage(argv[0]);
    }
    raise_descriptors();
    sprintf(shown, strchr(host, ':') && *host != '[' ? "[%s]" : "%s", host);    /* IPv6 */
    sprintf(address, "%s:%u", shown, (unsigned)port);
    if (tls.cert || tls.key || tls.ca) cfg.tls = ws_tls_new(&tls);
    loop = ws_loop_new(NULL);
    listener = ws_listen(loop, address, &cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        ws_tls_free(cfg.tls);
        ws_loop_free(loop);
        return 1;
    }
    ws_tls_free(cfg.tls);       /* the listener has its share */
    printf("listening on %s://%s:%d/\n", cfg.tls ? "wss" : "ws", shown,
           ws_listen_port(loop, listener));
    fflush(stdout);

    /* Unchecked is right: a client that does not read its echoes is not read from either,
       and ws_send always has room for the answer to the message just pulled. */
    while ((got = ws_poll(loop, &ev, -1)) >= 0)
        if (got && ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);

    fprintf(stderr, "%s\n", ws_loop_error_text(loop));
    ws_loop_free(loop);
    return 1;
}

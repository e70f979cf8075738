/* Teaches: a server for any number of clients in one thread. Every event of every
            connection comes out of ws_poll; the echo itself is one ws_send.
   Build:   cc -O2 -o build/echo_server examples/echo_server.c -I.
            for TLS: -DWS_USE_MBEDTLS, and -lmbedtls -lmbedx509 -lmbedcrypto at the end;
            to compress: -DWS_USE_ZLIB, and -lz
   Run:     build/echo_server [--port N] [--host H] [--max-message BYTES]
                              [--max-fragments N] [--any-origin]
                              [--tls-cert FILE --tls-key FILE] [--tls-ca FILE]
                              [--deflate[=SETTINGS]]      (see deflate.h)
   You see: listening on ws://127.0.0.1:9001/       (nothing more, however busy it is) */
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
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
#endif
}

typedef struct settings {
    const char *host;
    uint32_t port;
    ws_tls_config tls;
    ws_deflate deflate;
    ws_config cfg;
} settings;

/* Decimal digits only, at most max. Returns 1 if text is such a number. */
static int number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;

    if (!*text)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return 0;
    }
    *out = (uint32_t)value;
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

/* Takes one option. Returns the arguments that it is made of, 0: it is wrong. */
static int option(settings *set, const char *name, const char *value)
{
    uint32_t most;

    if (!strcmp(name, "--any-origin")) {
        set->cfg.origins = "*";
        return 1;
    }
    if (deflate_option(name, &set->deflate) > 0) {
        set->cfg.deflate = &set->deflate;
        return 1;
    }
    if (!value)
        return 0;
    if (!strcmp(name, "--port"))
        return number(value, 65535, &set->port) ? 2 : 0;
    if (!strcmp(name, "--max-message")) {
        if (!number(value, 0x7FFFFFFF, &most))
            return 0;
        set->cfg.max_message = most;
        return 2;
    }
    if (!strcmp(name, "--max-fragments"))
        return number(value, WS_NO_LIMIT, &set->cfg.max_fragments) ? 2 : 0;
    if (!strcmp(name, "--host"))
        set->host = value;
    else if (!strcmp(name, "--tls-cert"))
        set->tls.cert = value;
    else if (!strcmp(name, "--tls-key"))
        set->tls.key = value;
    else if (!strcmp(name, "--tls-ca"))
        set->tls.ca = value;
    else
        return 0;
    return 2;
}

int main(int argc, char **argv)
{
    char address[300], shown[260];
    settings set = {0};
    ws_loop *loop;
    ws_event ev;
    int at, used, listener, got, bare_ipv6;

    set.host = "127.0.0.1";
    set.port = 9001;
    for (at = 1; at < argc; at += used) {
        used = option(&set, argv[at], at + 1 < argc ? argv[at + 1] : NULL);
        if (!used)
            return usage(argv[0]);
    }
    if (strlen(set.host) > 255)
        return usage(argv[0]);
    raise_descriptors();
    bare_ipv6 = strchr(set.host, ':') && *set.host != '[';
    sprintf(shown, bare_ipv6 ? "[%s]" : "%s", set.host);
    sprintf(address, "%s:%u", shown, (unsigned)set.port);
    if (set.tls.cert || set.tls.key || set.tls.ca)
        set.cfg.tls = ws_tls_new(&set.tls);
    loop = ws_loop_new(NULL);
    listener = ws_listen(loop, address, &set.cfg);
    if (listener < 0) {
        fprintf(stderr, "%s\n", ws_loop_error_text(loop));
        ws_tls_free(set.cfg.tls);
        ws_loop_free(loop);
        return 1;
    }
    ws_tls_free(set.cfg.tls);       /* the listener has its share */
    printf("listening on %s://%s:%d/\n", set.cfg.tls ? "wss" : "ws", shown,
           ws_listen_port(loop, listener));
    fflush(stdout);

    /* Unchecked is right: a client that does not read its echoes is not read from either,
       and ws_send always has room for the answer to the message just pulled. */
    while ((got = ws_poll(loop, &ev, -1)) >= 0)
        if (got && ev.type == WS_EV_MESSAGE)
            ws_send(ev.conn, ev.op, ev.data, ev.size);

    fprintf(stderr, "%s\n", ws_loop_error_text(loop));
    ws_loop_free(loop);
    return 1;
}

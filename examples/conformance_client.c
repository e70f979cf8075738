/* Teaches: the blocking client against a hostile server. Speaks the client side of the
            usual fuzzing-server protocol: /getCaseCount says how many cases there are,
            each /runCase?case=I&agent=A sends frames of every kind and wants its
            messages echoed, /updateReports?agent=A writes the verdicts.
   Build:   cc -O2 -o build/conformance_client examples/conformance_client.c -I.
            to compress: -DWS_USE_ZLIB, and -lz at the end
   Run:     build/conformance_client ws://127.0.0.1:9001 my-agent [--deflate[=SETTINGS]]
            (see deflate.h)
   You see: case 1 of 301 ... (one line, counting), then
            301 cases done; verdicts: see the server */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "deflate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 120000 };     /* milliseconds without any event */

static ws_deflate pmd;          /* --deflate */
static int compresses;

static ws_config config(void)
{
    ws_config cfg = {0};

    cfg.max_message = 64u << 20;
    cfg.max_fragments = WS_NO_LIMIT;
    cfg.ping_interval = WS_NEVER;       /* the server counts our frames */
    if (compresses)
        cfg.deflate = &pmd;
    return cfg;
}

/* The number in a message of less than 8 bytes, or -1. */
static int number_of(const ws_event *ev)
{
    char text[8] = {0}, *end;
    long number;

    if (ev->op != WS_OP_TEXT || !ev->size || ev->size >= sizeof text)
        return -1;
    memcpy(text, ev->data, ev->size);
    number = strtol(text, &end, 10);
    return *end || number < 0 ? -1 : (int)number;
}

/* The fuzzing server's answer to /getCaseCount, or -1. */
static int case_count(const char *base)
{
    char url[1024];
    ws_config cfg = config();
    ws_event ev;
    ws_conn *conn;
    int count = -1;

    snprintf(url, sizeof url, "%s/getCaseCount", base);
    conn = ws_connect(url, &cfg);
    while (ws_recv(conn, &ev, PATIENCE) > 0)
        if (ev.type == WS_EV_MESSAGE && number_of(&ev) >= 0)
            count = number_of(&ev);
    if (count < 0)
        fprintf(stderr, "no case count from %s: %s\n", url, ws_error_text(conn));
    ws_free(conn);
    return count;
}

/* Opens one URL and echoes until the server ends the connection. Most cases are about
   errors: the server judges them. Returns 0, or -1 if no connection was made. */
static int echo_all(const char *url)
{
    ws_config cfg = config();
    ws_event ev;
    ws_conn *conn = ws_connect(url, &cfg);
    int opened = 0;

    while (ws_recv(conn, &ev, PATIENCE) > 0) {
        if (ev.type == WS_EV_OPEN)
            opened = 1;
        if (ev.type == WS_EV_MESSAGE)
            ws_send(conn, ev.op, ev.data, ev.size);
    }
    if (!opened)
        fprintf(stderr, "\n%s: %s\n", url, ws_error_text(conn));
    ws_free(conn);
    return opened ? 0 : -1;
}

/* Letters, digits and -._~ (RFC 3986 2.3). */
static int is_unreserved(unsigned char byte)
{
    return byte && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789-._~", byte);
}

/* Percent-encodes everything else. */
static void encode(char *out, size_t room, const char *in)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *in && room > 3; in++) {
        unsigned char byte = (unsigned char)*in;
        if (is_unreserved(byte)) {
            *out++ = (char)byte;
            room--;
        } else {
            *out++ = '%';
            *out++ = hex[byte >> 4];
            *out++ = hex[byte & 15];
            room -= 3;
        }
    }
    *out = 0;
}

int main(int argc, char **argv)
{
    char url[1024], base[512], agent[256];
    size_t size;
    int count, number, failed = 0;

    if (argc == 4)
        compresses = deflate_option(argv[3], &pmd) > 0;
    if (argc != (compresses ? 4 : 3) || strlen(argv[1]) >= sizeof base) {
        fprintf(stderr, "usage: %s ws://HOST:PORT AGENT [--deflate[=SETTINGS]]\n",
                argv[0]);
        return 2;
    }
    strcpy(base, argv[1]);
    for (size = strlen(base); size && base[size - 1] == '/'; size--)
        base[size - 1] = 0;
    encode(agent, sizeof agent, argv[2]);

    count = case_count(base);
    if (count < 0)
        return 1;
    for (number = 1; number <= count; number++) {
        printf("\rcase %d of %d", number, count);
        fflush(stdout);
        snprintf(url, sizeof url, "%s/runCase?case=%d&agent=%s", base, number, agent);
        if (echo_all(url))
            failed++;
    }
    snprintf(url, sizeof url, "%s/updateReports?agent=%s", base, agent);
    if (echo_all(url))
        failed++;
    printf("\r%d cases done; verdicts: see the server\n", count);
    return failed != 0;
}

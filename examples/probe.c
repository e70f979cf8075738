/* Teaches: frames of your own making: ws_connect does the opening handshake, ws_detach
            takes the socket out, and the leaves (ws_frame_encode, ws_mask,
            ws_frame_decode) speak over it.
   Build:   cc -o build/probe examples/probe.c -I.       (POSIX)
   Run:     build/probe ws://127.0.0.1:9001/     breaks each rule in a new connection
   You see: "closed 1002  reserved bit", a line for each rule that the server holds, and
            "TOOK IT" for one that it does not; the status is 0 when it holds all */
#define _POSIX_C_SOURCE 200809L
#define WS_IMPLEMENTATION
#include "ws.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 2000           /* ms that an answer may take */

/* A frame as it goes out. text: its payload, size bytes. */
typedef struct frame {
    int op, fin, rsv, masked;
    const char *text;
    size_t size;
} frame;

#define LAST(op, text) { op, 1, 0, 1, text, sizeof text - 1 }
#define FIRST(op, text) { op, 0, 0, 1, text, sizeof text - 1 }
#define NONE { 0, 0, 0, 0, NULL, 0 }

static const char long_ping[126];

static const struct rule {
    const char *what;           /* what is wrong with the frames */
    int code;                   /* RFC 6455 7.4.1: how to answer */
    frame frames[2];
} rules[] = {
    { "frame without a mask", 1002, { { 1, 1, 0, 0, "a", 1 }, NONE } },
    { "reserved bit", 1002, { { 1, 1, 4, 1, "a", 1 }, NONE } },
    { "reserved opcode 3", 1002, { LAST(3, "a"), NONE } },
    { "reserved opcode 11", 1002, { LAST(11, "a"), NONE } },
    { "ping of 126 bytes", 1002, { { 9, 1, 0, 1, long_ping, 126 }, NONE } },
    { "ping in two fragments", 1002, { FIRST(9, "a"), LAST(0, "b") } },
    { "continuation of nothing", 1002, { LAST(0, "a"), NONE } },
    { "text inside a message", 1002, { FIRST(1, "a"), LAST(1, "b") } },
    { "Close with half a code", 1002, { LAST(8, "\3"), NONE } },
    { "Close with code 1005", 1002, { LAST(8, "\3\355"), NONE } },
    { "Close with a reason that is not UTF-8", 1007, { LAST(8, "\3\350\377"), NONE } },
    { "text that is not UTF-8", 1007, { LAST(1, "\300\200"), NONE } },
    { "text that ends in a character", 1007, { FIRST(1, "\342\202"), LAST(0, "") } }
};

static int send_frame(int fd, const frame *from)
{
    char bytes[WS_FRAME_HEADER_MAX + sizeof long_ping];
    ws_frame header;
    int head;

    memset(&header, 0, sizeof header);
    header.op = (uint8_t)from->op;
    header.fin = (uint8_t)from->fin;
    header.rsv = (uint8_t)from->rsv;
    header.masked = (uint8_t)from->masked;
    header.size = from->size;
    if (header.masked)          /* else it is 0, and ws_mask leaves the text as it is */
        memcpy(header.key, "key!", 4);     /* a real client has a fresh one each time */
    head = ws_frame_encode(&header, bytes);
    if (head < 0)
        return 0;
    ws_mask(bytes + head, from->text, from->size, header.key, 0);
    return send(fd, bytes, (size_t)head + from->size, 0) == head + (int)from->size;
}

/* The code of the Close frame that comes; 0: the stream ends without one; -1: neither
   comes in time. */
static int answer(int fd)
{
    unsigned char bytes[1024];
    size_t have = 0;

    for (;;) {
        struct pollfd ready = { fd, POLLIN, 0 };
        ws_frame got;
        int head = ws_frame_decode(bytes, have, &got);
        ssize_t n;
        if (head > 0 && have >= (size_t)head + got.size) {
            if (got.op == WS_OP_CLOSE)
                return got.size < 2 ? 1005 : bytes[head] << 8 | bytes[head + 1];
            have -= (size_t)head + (size_t)got.size;        /* an echo, a pong */
            memmove(bytes, bytes + head + got.size, have);
            continue;
        }
        if (have == sizeof bytes || poll(&ready, 1, PATIENCE) != 1)
            return -1;
        n = recv(fd, bytes + have, sizeof bytes - have, 0);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
}

/* Returns 1 if the server holds the rule, 0 if not, -1 if it cannot be asked. */
static int probe(const char *url, const struct rule *rule)
{
    ws_conn *conn = ws_connect(url, NULL);
    const void *rest;
    size_t size;
    ws_event event;
    int fd = -1, code = 0, i;

    if (ws_recv(conn, &event, 0) == 1 && event.type == WS_EV_OPEN)
        fd = ws_detach(conn, &rest, &size);
    if (fd < 0)
        fprintf(stderr, "probe: %s\n", *ws_error_text(conn) ? ws_error_text(conn)
                                                            : "it must be plain ws://");
    ws_free(conn);
    if (fd < 0)
        return -1;
    for (i = 0; i < 2 && rule->frames[i].text; i++)
        send_frame(fd, &rule->frames[i]);
    code = answer(fd);
    close(fd);
    if (code < 0)
        printf("TOOK IT      %s\n", rule->what);
    else if (code == 0)
        printf("cut off      %s (the code is %d)\n", rule->what, rule->code);
    else
        printf("closed %d  %s%s\n", code, rule->what, code == rule->code ? "" : " (!)");
    return code == 0 || code == rule->code;
}

int main(int argc, char **argv)
{
    size_t i;
    int held = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: probe ws://HOST[:PORT]/PATH\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);           /* a server may close at the first frame of two */
    for (i = 0; i < sizeof rules / sizeof *rules; i++) {
        int holds = probe(argv[1], &rules[i]);
        if (holds < 0)
            return 2;
        held &= holds;
    }
    return held ? 0 : 1;
}

/* Teaches: messages larger than memory. Received, they come in pieces (WS_EV_PART) as the
            bytes arrive; sent, they are pulled from a function as the peer takes them
            (ws_send_from), or pushed in parts (ws_send_part). Nothing holds the whole.
   Build:   cc -O2 -o build/streaming examples/streaming.c -I.
   Run:     build/streaming [MEGABYTES]
   You see: up:   100000000 bytes in N parts, as sent
            down: 100000000 bytes in N parts, as sent
            at most 3151 KiB of memory                  (buffers of the loop, mostly) */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <stdio.h>
#include <stdlib.h>

/* A message that nobody stores: byte i is made from i, and checked the same way. */
static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 16));
}

typedef struct stream {
    uint64_t at, size;          /* bytes */
    unsigned parts, wrong;
} stream;

static ptrdiff_t make(void *user, void *buf, size_t size)
{
    stream *flow = (stream *)user;
    uint8_t *bytes = (uint8_t *)buf;
    size_t i;

    if (size > flow->size - flow->at)
        size = (size_t)(flow->size - flow->at);
    for (i = 0; i < size; i++)
        bytes[i] = byte_at(flow->at++);
    return (ptrdiff_t)size;                     /* 0: that was all */
}

static void check(stream *flow, const ws_event *ev)
{
    const uint8_t *bytes = (const uint8_t *)ev->data;
    size_t i;

    for (i = 0; i < ev->size; i++)
        flow->wrong += bytes[i] != byte_at(flow->at++);
    flow->parts++;
}

/* Pushes parts until the backlog is full; WS_EV_WRITABLE says when to go on. */
static void push(ws_conn *conn, stream *flow)
{
    uint8_t piece[4000];
    stream next = *flow;
    ptrdiff_t size;

    while ((size = make(&next, piece, sizeof piece)) > 0) {
        if (ws_send_part(conn, WS_OP_BINARY, piece, (size_t)size, next.at == next.size))
            return;
        *flow = next;                           /* taken */
    }
}

static void report(const char *way, const stream *flow)
{
    int same = flow->at == flow->size && !flow->wrong;

    printf("%-5s %lu bytes in %u parts, %s\n", way, (unsigned long)flow->at, flow->parts,
           same ? "as sent" : "DIFFERENT");
}

static size_t used, most;                       /* bytes, by the allocator below */

static void *counted(void *user, void *old, size_t old_size, size_t new_size)
{
    void *memory = NULL;

    (void)user;
    if (new_size) {
        memory = realloc(old, new_size);
        if (!memory)
            return NULL;
    } else {
        free(old);
    }
    used += new_size - old_size;
    if (used > most)
        most = used;
    return memory;
}

/* Sends a message, receives one, closes. */
static void on_client(const ws_event *ev, stream *sent, stream *down)
{
    if (ev->type == WS_EV_OPEN)
        ws_send_from(ev->conn, WS_OP_BINARY, make, sent);
    if (ev->type == WS_EV_PART)
        check(down, ev);
    if (ev->type == WS_EV_PART && ev->last)
        ws_close(ev->conn, WS_CLOSE_NORMAL, NULL);
}

/* Receives a message, then sends one back. */
static void on_server(const ws_event *ev, stream *up, stream *back)
{
    if (ev->type == WS_EV_PART)
        check(up, ev);
    if (ev->type == WS_EV_PART && ev->last)
        push(ev->conn, back);
    if (ev->type == WS_EV_WRITABLE)
        push(ev->conn, back);
}

int main(int argc, char **argv)
{
    uint64_t size = 1000000 * (uint64_t)(argc > 1 ? atoi(argv[1]) : 100);
    stream sent = { 0, 0, 0, 0 }, up = sent, back = sent, down = sent;
    ws_config cfg = {0};
    ws_loop *loop;
    ws_event ev;
    char url[64];
    int wrong;

    sent.size = up.size = back.size = down.size = size;
    cfg.alloc = counted;
    cfg.parts_over = 65536;                     /* bytes; smaller ones still come whole */
    cfg.max_message = WS_NO_LIMIT;
    cfg.max_fragments = WS_NO_LIMIT;
    loop = ws_loop_new(&cfg);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/",
             ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg)));
    ws_dial(loop, url, &cfg);

    while (ws_poll(loop, &ev, 5000) > 0 && ev.type != WS_EV_CLOSE) {
        if (ws_is_client(ev.conn))
            on_client(&ev, &sent, &down);
        else
            on_server(&ev, &up, &back);
    }
    report("up:", &up);
    report("down:", &down);
    printf("at most %lu KiB of memory\n", (unsigned long)(most / 1024));
    wrong = up.at != size || down.at != size || up.wrong || down.wrong;
    ws_loop_free(loop);
    return wrong;
}

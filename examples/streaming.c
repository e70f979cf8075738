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
static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 7 + (i >> 16)); }

typedef struct stream { uint64_t at, size; unsigned parts, wrong; } stream;

static ptrdiff_t make(void *user, void *buf, size_t n)
{
    stream *s = (stream *)user;
    uint8_t *p = (uint8_t *)buf;
    size_t i;

    if (n > s->size - s->at) n = (size_t)(s->size - s->at);
    for (i = 0; i < n; i++) p[i] = byte_at(s->at++);
    return (ptrdiff_t)n;                        /* 0: that was all */
}

static void check(stream *s, const ws_event *ev)
{
    const uint8_t *p = (const uint8_t *)ev->data;
    size_t i;

    for (i = 0; i < ev->size; i++) s->wrong += p[i] != byte_at(s->at++);
    s->parts++;
}

/* Pushes parts until the backlog is full; WS_EV_WRITABLE says when to go on. */
static void push(ws_conn *c, stream *s)
{
    uint8_t piece[4000];
    stream next = *s;
    ptrdiff_t n;

    while ((n = make(&next, piece, sizeof piece)) > 0) {
        if (ws_send_part(c, WS_OP_BINARY, piece, (size_t)n, next.at == next.size)) return;
        *s = next;                              /* taken */
    }
}

static void report(const char *way, const stream *s)
{
    printf("%-5s %lu bytes in %u parts, %s\n", way, (unsigned long)s->at, s->parts,
           s->at == s->size && !s->wrong ? "as sent" : "DIFFERENT");
}

static size_t used, most;                       /* bytes, by the allocator below */

static void *counted(void *user, void *old, size_t old_size, size_t new_size)
{
    void *p = NULL;

    (void)user;
    if (!new_size) free(old);
    else if (!(p = realloc(old, new_size))) return NULL;
    used += new_size - old_size;
    if (used > most) most = used;
    return p;
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
        if (ws_is_client(ev.conn)) {
            if (ev.type == WS_EV_OPEN) ws_send_from(ev.conn, WS_OP_BINARY, make, &sent);
            if (ev.type == WS_EV_PART) check(&down, &ev);
            if (ev.type == WS_EV_PART && ev.last) ws_close(ev.conn, WS_CLOSE_NORMAL, NULL);
        } else {
            if (ev.type == WS_EV_PART) check(&up, &ev);
            if (ev.type == WS_EV_PART && ev.last) push(ev.conn, &back);
            if (ev.type == WS_EV_WRITABLE) push(ev.conn, &back);
        }
    }
    report("up:", &up);
    report("down:", &down);
    printf("at most %lu KiB of memory\n", (unsigned long)(most / 1024));
    wrong = up.at != size || down.at != size || up.wrong || down.wrong;
    ws_loop_free(loop);
    return wrong;
}

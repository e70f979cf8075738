/* Teaches: WebSockets beside an HTTP server that you already have. It accepts and reads
            as ever; a request that ws_is_upgrade recognises is handed over, socket and
            bytes, to a ws.h loop: here on a thread of its own, told by ws_post.
   Build:   cc -o build/attach examples/attach.c -I. -pthread                  (POSIX)
   Run:     build/attach [PORT]
   You see: open http://127.0.0.1:8080/     the page counts who is there */
#define WS_IMPLEMENTATION
#include "ws.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* ---- WebSockets ---- */

typedef struct handover {
    int fd;
    size_t size;
    char bytes[8192];
} handover;

static void greet(ws_loop *loop)
{
    char line[64];
    int size = snprintf(line, sizeof line, "%d here", (int)ws_loop_count(loop));

    ws_broadcast(loop, NULL, WS_OP_TEXT, line, (size_t)size);
}

static void *websockets(void *arg)
{
    ws_loop *loop = (ws_loop *)arg;
    ws_event ev;

    while (ws_poll(loop, &ev, -1) >= 0) {
        switch (ev.type) {
        case WS_EV_POST: {
            handover *passed = (handover *)(uintptr_t)ev.data;
            if (!ws_adopt(loop, passed->fd, passed->bytes, passed->size, NULL))
                close(passed->fd);
            free(passed);
            break;
        }
        case WS_EV_MESSAGE:
            ws_send(ev.conn, ev.op, ev.data, ev.size);
            break;
        case WS_EV_OPEN: case WS_EV_CLOSE:
            greet(loop);
            break;
        default: break;
        }
    }
    return NULL;
}

/* ---- the HTTP server, one request at a time ---- */

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    "<!doctype html><title>attach</title><h1 id=n>...</h1><script>"
    "new WebSocket(location.href.replace('http', 'ws')).onmessage = "
    "e => n.innerText = e.data"
    "</script>";

/* Reads until the head is whole. Returns its bytes, or 0 or less if it never is. */
static int read_head(handover *passed)
{
    ws_head scan;
    int size = 0;

    memset(&scan, 0, sizeof scan);
    while (!size) {
        size_t room = sizeof passed->bytes - passed->size;
        ssize_t got = recv(passed->fd, passed->bytes + passed->size, room, 0);
        if (got <= 0)
            break;
        passed->size += (size_t)got;
        size = ws_head_scan(&scan, passed->bytes, passed->size);
    }
    return size;
}

static void serve(int fd, ws_loop *loop)
{
    handover *passed = (handover *)malloc(sizeof *passed);
    struct timeval patience = { 2, 0 };
    ws_str head;
    int size;

    if (!passed) {
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    passed->fd = fd;
    passed->size = 0;
    size = read_head(passed);
    head.data = passed->bytes;
    head.size = size > 0 ? (size_t)size : 0;
    if (ws_is_upgrade(head) && ws_post(loop, passed) == 0)
        return;                                 /* it is the loop's now */
    if (size > 0)
        send(fd, answer, sizeof answer - 1, 0);
    close(fd);
    free(passed);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;
    socklen_t at_size = sizeof at;
    ws_loop *loop = ws_loop_new(NULL);
    pthread_t thread;
    int one = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGPIPE, SIG_IGN);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8080));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!loop || bind(listener, (struct sockaddr *)&at, at_size) ||
        listen(listener, 64) || getsockname(listener, (struct sockaddr *)&at, &at_size) ||
        pthread_create(&thread, NULL, websockets, loop)) {
        perror("attach");
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        serve(fd, loop);
    return 1;
}

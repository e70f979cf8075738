/* Teaches: WebSockets beside an HTTP server that you already have. It accepts and reads as
            ever; a request that ws_is_upgrade recognises is handed over, socket and bytes, to
            a ws.h loop: here on a thread of its own, told by ws_post.
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

typedef struct handover { int fd; size_t size; char bytes[8192]; } handover;

static void greet(ws_loop *loop)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%d here", (int)ws_loop_count(loop));

    ws_broadcast(loop, NULL, WS_OP_TEXT, line, (size_t)n);
}

static void *websockets(void *arg)
{
    ws_loop *loop = (ws_loop *)arg;
    ws_event ev;

    while (ws_poll(loop, &ev, -1) >= 0) switch (ev.type) {
        case WS_EV_POST: {
            handover *h = (handover *)(uintptr_t)ev.data;
            if (!ws_adopt(loop, h->fd, h->bytes, h->size, NULL)) close(h->fd);
            free(h);
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
    return NULL;
}

/* ---- the HTTP server, one request at a time ---- */

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    "<!doctype html><title>attach</title><h1 id=n>...</h1><script>"
    "new WebSocket(location.href.replace('http', 'ws')).onmessage = e => n.innerText = e.data"
    "</script>";

static void serve(int fd, ws_loop *loop)
{
    handover *h = (handover *)malloc(sizeof *h);
    struct timeval patience = { 2, 0 };
    ws_head scan;
    ws_str head;
    ssize_t n;
    int size = 0;                               /* of the head, once it is whole */

    if (!h) { close(fd); return; }
    memset(&scan, 0, sizeof scan);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    h->fd = fd;
    h->size = 0;
    while (!size && (n = recv(fd, h->bytes + h->size, sizeof h->bytes - h->size, 0)) > 0) {
        h->size += (size_t)n;
        size = ws_head_scan(&scan, h->bytes, h->size);
    }
    head.data = h->bytes;
    head.size = size > 0 ? (size_t)size : 0;
    if (ws_is_upgrade(head) && ws_post(loop, h) == 0) return;   /* it is the loop's now */
    if (size > 0) send(fd, answer, sizeof answer - 1, 0);
    close(fd);
    free(h);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    ws_loop *loop = ws_loop_new(NULL);
    pthread_t thread;
    int one = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGPIPE, SIG_IGN);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8080));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!loop || bind(listener, (struct sockaddr *)&at, n) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&at, &n) ||
        pthread_create(&thread, NULL, websockets, loop)) {
        perror("attach");
        return 1;
    }
    printf("open http://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0) serve(fd, loop);
    return 1;
}

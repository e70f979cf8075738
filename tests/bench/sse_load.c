/* Reads event streams and counts: sse_load PORT PID READERS SECONDS. Prints events per second
   over all readers, and microseconds of the server's processor time per event and reader. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu(const char *pid)      /* seconds */
{
    char name[64], text[1000], *p;
    unsigned long user = 0, sys = 0;
    FILE *f;

    snprintf(name, sizeof name, "/proc/%s/stat", pid);
    f = fopen(name, "r");
    if (!f || !fgets(text, sizeof text, f)) exit(1);
    fclose(f);
    p = strrchr(text, ')');
    sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

/* Reads for so long; returns the events: each has 100 bytes 'x', and nothing else has any. */
static double read_for(int poller, double seconds)
{
    static char buf[65536];
    struct epoll_event ready[256];
    double end = now() + seconds;
    unsigned long bytes = 0;

    while (now() < end) {
        int n = epoll_wait(poller, ready, 256, 50);
        while (n-- > 0) {
            ssize_t k = read(ready[n].data.fd, buf, sizeof buf);
            ssize_t i;
            if (k <= 0) { fprintf(stderr, "a stream ended\n"); exit(1); }
            for (i = 0; i < k; i++) bytes += buf[i] == 'x';
        }
    }
    return (double)bytes / 100;
}

int main(int argc, char **argv)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    int poller = epoll_create1(0), i, n = argc > 4 ? atoi(argv[3]) : 0;
    double seconds = argc > 4 ? atof(argv[4]) : 1, events, busy, from;
    struct sockaddr_in to;

    if (argc != 5) return 2;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(argv[1]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < n; i++) {
        struct epoll_event e;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) || write(fd, get, sizeof get - 1) < 0) return 1;
        memset(&e, 0, sizeof e);
        e.events = EPOLLIN;
        e.data.fd = fd;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
    read_for(poller, 1);
    busy = cpu(argv[2]);
    from = now();
    events = read_for(poller, seconds);
    printf("%.0f %.3f\n", events / (now() - from), (cpu(argv[2]) - busy) / events * 1e6);
    return 0;
}

/* Load generator that does not use ws.h. Sends bursts of masked frames, waits until all of a
   burst came back, compares every byte, and divides the server's processor time by messages.
     load ws|tcp PORT PID CONNECTIONS SIZE DEPTH SECONDS
         tcp sends the same bytes without a handshake and wants exactly them back
         prints: messages/s, CPU us per message of PID (all threads), p50 us, p99 us of a
         burst, messages in all
     load fan PORT PID CONNECTIONS SIZE DEPTH SECONDS
         the first of the connections sends the bursts, all others must get them; prints as
         ws, per delivery
     load hs PORT PID CONCURRENCY 0 0 SECONDS     handshakes/s, CPU us per handshake
     load idle PORT PID CONNECTIONS 0 0 0         resident bytes of PID per connection
   An echo that differs ends the program with status 3. With LOAD_RT=1 in the environment (and
   the right to) both sides run SCHED_RR while measuring, so that other work on the machine
   does not get between. Linux. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, BATCH = 1024, SAMPLES = 1 << 20 };

typedef struct peer { int fd, blocked; size_t sent, got; double since; } peer;

static int poller, pid, is_tcp, is_fan, depth;
static peer *all;                           /* fan: [0] sends */
static int peers, missing;                  /* fan: that have not got all of the burst */
static struct sockaddr_in address;
static unsigned char *out, *want;           /* one burst, and its echo */
static size_t out_n, want_n, want_frame, size;
static double bytes_back;
static float *sample;
static size_t samples;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(3);
}

/* Seconds of processor time that all threads of the server have used. */
static double cpu(void)
{
    char path[600], line[128];
    double s = 0;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        FILE *f;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, e->d_name);
        f = fopen(path, "r");
        if (f && fgets(line, sizeof line, f)) s += strtod(line, NULL) * 1e-9;
        if (f) fclose(f);
    }
    if (d) closedir(d);
    return s;
}

/* Real-time priority for this process and every thread of the server, or none again. */
static void realtime(int on)
{
    struct sched_param p;
    char path[64];
    struct dirent *e;
    DIR *d;

    if (!getenv("LOAD_RT")) return;
    memset(&p, 0, sizeof p);
    p.sched_priority = on;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    d = opendir(path);
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            sched_setscheduler(atoi(e->d_name), on ? SCHED_RR : SCHED_OTHER, &p);
    if (d) closedir(d);
    sched_setscheduler(0, on ? SCHED_RR : SCHED_OTHER, &p);
}

static double resident(void)
{
    char path[64], line[200];
    double kb = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) if (sscanf(line, "Rss: %lf", &kb) == 1) break;
    if (f) fclose(f);
    return kb * 1024;
}

static const char request[] =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

static int dial(int flags)
{
    struct linger l = { 1, 0 };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | flags, 0);

    if (fd < 0) die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);    /* no TIME_WAIT */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect");
    return fd;
}

static void shake(int fd)
{
    char buf[2048];
    size_t n = 0;

    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) die("handshake");
    do {
        ssize_t k = recv(fd, buf + n, sizeof buf - 1 - n, 0);
        if (k <= 0) die("handshake");
        n += (size_t)k;
        buf[n] = 0;
    } while (!strstr(buf, "\r\n\r\n"));
    if (strncmp(buf, "HTTP/1.1 101", 12) || !strstr(buf, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        die("refused");
}

static size_t header(unsigned char *p, int masked)
{
    size_t h = 2, i;

    p[0] = 0x82;
    if (size < 126) p[1] = (unsigned char)size;
    else {
        h = size < 65536 ? 4 : 10;
        p[1] = h == 4 ? 126 : 127;
        for (i = 2; i < h; i++) p[i] = (unsigned char)((uint64_t)size >> 8 * (h - 1 - i));
    }
    if (masked) p[1] |= 0x80;
    return h;
}

static void build(void)
{
    static const unsigned char key[4] = { 0xa5, 0x17, 0x3c, 0xe9 };
    uint32_t x = 2463534242u;
    size_t i;
    int k;

    out = (unsigned char *)malloc((size + 14) * (size_t)depth);
    want = (unsigned char *)malloc((size + 14) * (size_t)depth);
    for (k = 0; k < depth; k++) {
        size_t h = header(out + out_n, 1), g = header(want + want_n, 0);
        memcpy(out + out_n + h, key, 4);
        for (i = 0; i < size; i++) {
            x ^= x << 13; x ^= x >> 17; x ^= x << 5;
            want[want_n + g + i] = (unsigned char)x;
            out[out_n + h + 4 + i] = (unsigned char)(x ^ key[i & 3]);
        }
        out_n += h + 4 + size;
        want_n += g + size;
    }
    if (is_tcp) { want = out; want_n = out_n; }
    want_frame = want_n / (size_t)depth;
}

static void watch(peer *p, int op, unsigned events)
{
    struct epoll_event e;
    memset(&e, 0, sizeof e);
    e.events = events;
    e.data.ptr = p;
    epoll_ctl(poller, op, p->fd, &e);
}

static void push(peer *p)
{
    while (p->sent < out_n) {
        ssize_t k = send(p->fd, out + p->sent, out_n - p->sent, MSG_NOSIGNAL);
        if (k < 0 && errno == EAGAIN) {
            if (!p->blocked) watch(p, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            p->blocked = 1;
            return;
        }
        if (k < 0) die("send");
        p->sent += (size_t)k;
    }
    if (p->blocked) watch(p, EPOLL_CTL_MOD, EPOLLIN);
    p->blocked = 0;
}

static void burst(peer *p)
{
    p->sent = p->got = 0;
    p->since = now();
    push(p);
}

static void pull(peer *p, unsigned char *buf)
{
    ssize_t k = recv(p->fd, buf, BUFFER, 0);

    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0) die("the server ended a connection");
    bytes_back += (double)k;
    if (p->got + (size_t)k > want_n || memcmp(buf, want + p->got, (size_t)k)) {
        errno = 0;
        die("the echo differs");
    }
    p->got += (size_t)k;
    if (p->got < want_n || (is_fan && --missing)) return;
    if (is_fan) {
        p = all;
        missing = peers - 1;
        for (k = 1; k < peers; k++) all[k].got = 0;
    }
    if (samples < SAMPLES) sample[samples++] = (float)(now() - p->since);
    burst(p);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void run(int connections, double seconds)
{
    static struct epoll_event got[BATCH];
    unsigned char *buf = (unsigned char *)malloc(BUFFER);
    double start, c0 = 0, t0 = 0, b0 = 0, warm = seconds * 0.3, t;
    int i, measuring = 0, raised = 0;

    all = (peer *)calloc((size_t)connections, sizeof *all);
    peers = connections;
    missing = connections - 1;
    sample = (float *)malloc(SAMPLES * sizeof *sample);
    build();
    for (i = 0; i < connections; i++) {
        all[i].fd = dial(0);
        if (!is_tcp) shake(all[i].fd);
        fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
        watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
    }
    for (i = 0; i < (is_fan ? 1 : connections); i++) burst(&all[i]);
    start = now();
    for (;;) {
        int n = epoll_wait(poller, got, BATCH, 0);      /* spins: it has a core of its own */
        for (i = 0; i < n; i++) {
            peer *p = (peer *)got[i].data.ptr;
            if (got[i].events & EPOLLOUT) push(p);
            if (got[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pull(p, buf);
        }
        t = now();
        if (!raised && t - start >= warm * 0.7) {
            raised = 1;
            realtime(1);
        }
        if (!measuring && t - start >= warm) {
            measuring = 1;
            c0 = cpu();
            t0 = now();
            b0 = bytes_back;
            samples = 0;
        }
        if (measuring && t - t0 >= seconds) break;
    }
    {
        double messages = (bytes_back - b0) / (double)want_frame, c = cpu() - c0;
        realtime(0);
        qsort(sample, samples, sizeof *sample, by_size);
        printf("%.0f %.4f %.1f %.1f %.0f\n", messages / (t - t0),
               messages > 0 ? c / messages * 1e6 : 0,
               samples ? (double)sample[samples / 2] * 1e6 : 0,
               samples ? (double)sample[samples * 99 / 100] * 1e6 : 0,
               bytes_back / (double)want_frame);
    }
}

/* Connects, shakes hands, resets, again. */
static void run_hs(int connections, double seconds)
{
    static struct epoll_event got[BATCH];
    char buf[2048];
    double start = now(), t0 = 0, c0 = 0, done = 0, t;
    int i, measuring = 0;

    all = (peer *)calloc((size_t)connections, sizeof *all);
    for (i = 0; i < connections; i++) {
        all[i].fd = dial(SOCK_NONBLOCK);
        watch(&all[i], EPOLL_CTL_ADD, EPOLLOUT);
    }
    for (;;) {
        int n = epoll_wait(poller, got, BATCH, 1);
        for (i = 0; i < n; i++) {
            peer *p = (peer *)got[i].data.ptr;
            if (!p->sent) {
                if (send(p->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) die("send");
                p->sent = 1;
                watch(p, EPOLL_CTL_MOD, EPOLLIN);
                continue;
            }
            if (recv(p->fd, buf, sizeof buf, 0) < 100) die("handshake");
            if (strncmp(buf, "HTTP/1.1 101", 12)) die("refused");
            done++;
            close(p->fd);
            p->fd = dial(SOCK_NONBLOCK);
            p->sent = 0;
            watch(p, EPOLL_CTL_ADD, EPOLLOUT);
        }
        t = now();
        if (!measuring && t - start > 0.2) { measuring = 1; t0 = t; c0 = cpu(); done = 0; }
        if (measuring && t - t0 >= seconds) break;
    }
    printf("%.0f %.2f\n", done / (t - t0), (cpu() - c0) / done * 1e6);
}

static void run_idle(int connections)
{
    double before = 0;
    int i, warm = connections / 10, echoed = 0;
    char buf[64];

    for (i = 0; i < connections + warm; i++) {
        int fd = dial(0);
        shake(fd);
        if (send(fd, "\x81\x82\0\0\0\0hi", 8, MSG_NOSIGNAL) == 8)
            echoed += recv(fd, buf, sizeof buf, 0) == 4;
        if (i + 1 == warm) { usleep(100000); before = resident(); }
    }
    usleep(200000);
    if (echoed != connections + warm) die("an echo is missing");
    printf("%.0f\n", (resident() - before) / connections);
}

int main(int argc, char **argv)
{
    struct rlimit lim;

    if (argc != 8) {
        fprintf(stderr, "usage: load ws|tcp|fan|hs|idle PORT PID CONNECTIONS SIZE DEPTH SECONDS\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    is_tcp = !strcmp(argv[1], "tcp");
    is_fan = !strcmp(argv[1], "fan");
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pid = atoi(argv[3]);
    size = strtoul(argv[5], NULL, 0);
    depth = atoi(argv[6]);
    poller = epoll_create1(0);
    if (!strcmp(argv[1], "hs")) run_hs(atoi(argv[4]), atof(argv[7]));
    else if (!strcmp(argv[1], "idle")) run_idle(atoi(argv[4]));
    else run(atoi(argv[4]), atof(argv[7]));
    return 0;
}

/* Many connections of one loop, over real sockets: groups, publishing, values that
   replace older ones, stuck readers, walking, limits, shutdown, lingering, corks. Raw
   sockets play the peers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"

#ifdef _WIN32

int main(void)
{
    printf("SKIP test_groups: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}

#else

#include <arpa/inet.h>
#include "fixture/world.h"

/* ---- a server and what came out of it ---- */

static heap H;
static ws_loop *L;
static int port, listener;
static int opens, closes, messages, http, errors[100];
static ws_conn *last_open;
static ws_event last_close;
static char last_reason[200], last_text[2000];
static uint64_t last_text_n;

static void serve(const char *address, const ws_config *cfg)
{
    ws_config bare, mine;

    memset(&bare, 0, sizeof bare);
    memset(&H, 0, sizeof H);
    mine = cfg ? *cfg : bare;
    mine.alloc = heap_alloc;
    mine.alloc_user = &H;
    opens = closes = messages = http = 0;
    memset(errors, 0, sizeof errors);
    L = ws_loop_new(&mine);
    listener = ws_listen(L, address, &mine);
    CHECK(listener >= 0);
    port = ws_listen_port(L, listener);
}

static void serve_end(void)
{
    ws_loop_free(L);
    CHECK_INT(H.now, 0);
}

static int turn(int ms)
{
    ws_event ev;
    int r = ws_poll(L, &ev, ms);

    if (r <= 0) return r;
    if (ev.type == WS_EV_OPEN) {
        opens++;
        if (!ws_is_client(ev.conn))
            last_open = ev.conn;
    }
    if (ev.type == WS_EV_HTTP) http++;
    if (ev.type == WS_EV_MESSAGE) {
        messages++;
        last_text_n = ev.size;
        if (ev.size < sizeof last_text) memcpy(last_text, ev.data, ev.size);
    }
    if (ev.type == WS_EV_CLOSE) {
        closes++;
        errors[-ev.error]++;
        last_close = ev;
        snprintf(last_reason, sizeof last_reason, "%s", ev.reason);
    }
    return r;
}

static void settle(int ms) { while (turn(ms) > 0) { } }

#define UNTIL(cond, ms) \
    do { \
        uint64_t until_end = ws__clock() + (ms); \
        while (!(cond) && ws__clock() < until_end) turn(2); \
        CHECK(cond); \
    } while (0)

/* ---- raw peers ---- */

static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

/* A socket connected from a local address (NULL: any), with a small window if small. */
static int raw(const char *from, int small)
{
    struct sockaddr_in a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), size = 4096;

    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    if (small) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (from) {
        inet_pton(AF_INET, from, &a.sin_addr);
        CHECK(!bind(fd, (struct sockaddr *)&a, sizeof a));
    }
    a.sin_port = htons((uint16_t)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(!connect(fd, (struct sockaddr *)&a, sizeof a));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Reads until the text is there (-1 if it does not come), or (NULL) until the stream
   ends or nothing has come for ms. */
static int raw_read(int fd, char *in, size_t room, const char *text, int ms)
{
    uint64_t end = ws__clock() + (uint64_t)ms;
    size_t n = 0;

    in[0] = 0;
    while (ws__clock() < end) {
        ssize_t r = recv(fd, in + n, room - 1 - n, 0);
        if (r == 0 || (r < 0 && errno != EAGAIN)) return text ? -1 : (int)n;
        if (r > 0) n += (size_t)r;
        if (r > 0 && !text) end = ws__clock() + (uint64_t)ms;
        in[n] = 0;
        if (text && memmem(in, n, text, strlen(text))) return (int)n;
        turn(1);
    }
    return text ? -1 : (int)n;
}

/* An open WebSocket; its server end is last_open. */
static int raw_open(const char *from, int small)
{
    char in[1000];
    int fd = raw(from, small);

    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    CHECK(raw_read(fd, in, sizeof in, "\r\n\r\n", 3000) > 0);
    CHECK(!strncmp(in, "HTTP/1.1 101", 12));
    return fd;
}

/* A peer whose side of the kernel's buffers is small as well. */
static int raw_stuck(void)
{
    int fd = raw_open(NULL, 1), size = 4096;

    CHECK(!setsockopt((int)ws_fd(last_open), SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    return fd;
}

/* Frames of a server in a buffer: counts data messages, keeps the last one's payload. */
typedef struct got { int data, op, pings, closes, code; size_t size; char text[64]; } got;

static got frames_of(const char *p, size_t n)
{
    got g;
    size_t at = 0;

    memset(&g, 0, sizeof g);
    while (at < n) {
        ws_frame f;
        int head = ws_frame_decode(p + at, n - at, &f);
        if (head <= 0 || n - at - (size_t)head < f.size) break;
        at += (size_t)head;
        if (f.op == 8) { g.closes++; g.code = (uint8_t)p[at] << 8 | (uint8_t)p[at + 1]; }
        if (f.op == 9) g.pings++;
        if (f.op < 8) {
            g.data++;
            g.op = f.op;
            g.size = (size_t)f.size;
            memset(g.text, 0, sizeof g.text);
            memcpy(g.text, p + at, f.size < 63 ? (size_t)f.size : 63);
        }
        at += (size_t)f.size;
    }
    CHECK_INT(at, n);
    return g;
}

static got raw_frames_within(int fd, int ms)
{
    static char in[4 << 20];
    int n = raw_read(fd, in, sizeof in, NULL, ms);
    return frames_of(in, (size_t)n);
}

static got raw_frames(int fd) { return raw_frames_within(fd, 50); }

/* ---- groups ---- */

/* who is in, who gets it: all subsets of groups for five connections */
TEST(membership)
{
    enum { N = 5 };
    static const char *const names[3] = { "a", "b", "a much longer name of a group" };
    int fd[N], i, g, round;
    ws_conn *c[N];
    unsigned in[N] = { 0 };
    uint32_t seed = 1;

    serve("127.0.0.1:0", NULL);
    for (i = 0; i < N; i++) { fd[i] = raw_open(NULL, 0); c[i] = last_open; }
    for (round = 0; round < 300; round++) {
        seed = seed * 1664525u + 1013904223u;
        i = (int)(seed >> 8) % N;
        g = (int)(seed >> 16) % 3;
        switch (seed >> 24 & 3) {
        case 0: case 1:
            CHECK_INT(ws_join(c[i], names[g]), 0);
            in[i] |= 1u << g;
            break;
        case 2:
            CHECK_INT(ws_leave(c[i], names[g]), 0);
            in[i] &= ~(1u << g);
            break;
        default:
            if (seed >> 26 & 3) break;
            CHECK_INT(ws_leave(c[i], NULL), 0);
            in[i] = 0;
        }
        for (g = 0; g < 3; g++) {
            int want = 0, except = round % (N + 1);
            for (i = 0; i < N; i++) want += i != except && (in[i] >> g & 1);
            CHECK_INT(ws_publish(L, names[g], except < N ? c[except] : NULL, WS_OP_TEXT,
                                 "x", 1),
                      want);
        }
        CHECK_INT(L->group_count, ((in[0] | in[1] | in[2] | in[3] | in[4]) & 1) +
                                      ((in[0] | in[1] | in[2] | in[3] | in[4]) >> 1 & 1) +
                                      ((in[0] | in[1] | in[2] | in[3] | in[4]) >> 2 & 1));
        turn(0);
    }
    for (g = 0; g < 3; g++) CHECK_INT(ws_join(c[0], names[g]), 0);
    for (g = 0; g < 3; g++) CHECK_INT(ws_join(c[1], names[g]), 0);
    ws_free(c[0]);                                      /* membership ends with it */
    for (g = 0; g < 3; g++)
        CHECK(ws_publish(L, names[g], c[1], WS_OP_TEXT, "x", 1) ==
              (g == 0) * 0 +
                  (int)((in[2] >> g & 1) + (in[3] >> g & 1) + (in[4] >> g & 1)));
    CHECK_INT(ws_close(c[1], 1000, NULL), 0);           /* closing: gets nothing more */
    CHECK_INT(ws_join(c[1], "late"), WS_ERR_STATE);
    for (i = 2; i < N; i++) CHECK_INT(ws_leave(c[i], NULL), 0);
    for (g = 0; g < 3; g++)
        CHECK_INT(ws_publish(L, names[g], NULL, WS_OP_TEXT, "x", 1), 0);
    settle(20);
    for (i = 0; i < N; i++) close(fd[i]);
    UNTIL(closes == N - 1, 2000);
    settle(5);
    CHECK_INT(L->group_count, 0);
    serve_end();
}

TEST(group_arguments)
{
    char name[300];
    int fd;
    ws_conn *own;

    serve("127.0.0.1:0", NULL);
    fd = raw_open(NULL, 0);
    memset(name, 'n', sizeof name);
    name[256] = 0;
    CHECK_INT(ws_join(last_open, name), WS_ERR_ARGUMENT);
    name[255] = 0;
    CHECK_INT(ws_join(last_open, name), 0);
    CHECK_INT(ws_join(last_open, name), 0);
    CHECK_INT(ws_publish(L, name, NULL, WS_OP_TEXT, "x", 1), 1);
    CHECK_INT(ws_publish(L, name, last_open, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_join(last_open, ""), WS_ERR_ARGUMENT);
    CHECK_INT(ws_join(last_open, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_join(NULL, "a"), WS_ERR_ARGUMENT);
    CHECK_INT(ws_leave(NULL, "a"), WS_ERR_ARGUMENT);
    CHECK_INT(ws_leave(last_open, ""), WS_ERR_ARGUMENT);
    CHECK_INT(ws_leave(last_open, "never joined"), 0);
    CHECK_INT(ws_publish(NULL, "a", NULL, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_publish(L, NULL, NULL, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_publish(L, name, NULL, WS_OP_PING, "x", 1), 0);
    CHECK_INT(ws_publish(L, name, NULL, WS_OP_TEXT, NULL, 1), 0);
    CHECK_INT(ws_publish_latest(L, name, -1, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_publish_latest(NULL, name, 0, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_broadcast(NULL, NULL, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_broadcast(L, NULL, 3, "x", 1), 0);
    own = ws_server_new(NULL);
    CHECK_INT(ws_join(own, "a"), WS_ERR_ARGUMENT);      /* no loop, no group */
    ws_free(own);
    close(fd);
    serve_end();
}

/* joining with the n-th allocation failing: in or not in, and nothing leaks */
TEST(join_without_memory)
{
    long at;
    int failed = 0;

    for (at = 1; at < 12; at++) {
        int fd, i, r;
        char name[20];
        serve("127.0.0.1:0", NULL);
        fd = raw_open(NULL, 0);
        for (i = 0; i < 16; i++) {                      /* the table is full then */
            sprintf(name, "g%d", i);
            if (at > 6) CHECK_INT(ws_join(last_open, name), 0);
        }
        H.fail_at = H.calls + (at - 1) % 6 + 1;
        r = ws_join(last_open, "one more");
        failed += r == WS_ERR_MEMORY;
        CHECK(r == 0 || r == WS_ERR_MEMORY);
        H.fail_at = 0;
        CHECK_INT(ws_publish(L, "one more", NULL, WS_OP_TEXT, "x", 1), r == 0);
        CHECK_INT(ws_join(last_open, "one more"), 0);
        CHECK_INT(ws_publish(L, "one more", NULL, WS_OP_TEXT, "x", 1), 1);
        close(fd);
        serve_end();
    }
    CHECK(failed >= 5);
}

/* memory of memberships as the manual says; ten thousand groups of one connection and
   back */
TEST(group_memory)
{
    enum { N = 10000 };
    int fd, i;
    size_t before;
    char name[20];

    serve("127.0.0.1:0", NULL);
    fd = raw_open(NULL, 0);
    settle(5);
    before = H.now;
    for (i = 0; i < N; i++) {
        sprintf(name, "g%07d", i);
        CHECK_INT(ws_join(last_open, name), 0);
    }
    CHECK(H.now - before <= N * (48 + 40 + 8) + 2 * N * sizeof(void *) + 1024);
    CHECK_INT(L->group_count, N);
    for (i = 0; i < N; i++) {
        sprintf(name, "g%07d", i);
        CHECK_INT(ws_publish(L, name, NULL, WS_OP_TEXT, "x", 1), i < 100000);
        CHECK_INT(ws_leave(last_open, name), 0);
    }
    CHECK_INT(L->group_count, 0);
    close(fd);
    serve_end();
}

/* clients of the loop in a group: each gets its own masked frame; large and latest too */
TEST(publish_to_clients)
{
    char url[64], big[3000];
    ws_conn *c[3];
    ws_config cfg;
    int i;

    memset(&cfg, 0, sizeof cfg);
    memset(big, 'b', sizeof big);
    serve("127.0.0.1:0", &cfg);
    sprintf(url, "ws://127.0.0.1:%d/", port);
    for (i = 0; i < 3; i++) {
        c[i] = ws_dial(L, url, NULL);
        CHECK_INT(ws_join(c[i], "up"), 0);              /* before OPEN */
    }
    CHECK_INT(ws_publish(L, "up", NULL, WS_OP_TEXT, "early", 5), 0);
    UNTIL(opens == 6, 3000);
    CHECK_INT(ws_publish(L, "up", NULL, WS_OP_TEXT, "hello", 5), 3);
    UNTIL(messages == 3, 3000);
    CHECK(last_text_n == 5 && !memcmp(last_text, "hello", 5));
    CHECK_INT(ws_publish(L, "up", c[0], WS_OP_TEXT, big, sizeof big), 2);
    UNTIL(messages == 5, 3000);
    CHECK_INT(last_text_n, sizeof big);
    CHECK_INT(ws_publish_latest(L, "up", 0, WS_OP_TEXT, "old", 3), 3);
    CHECK_INT(ws_publish_latest(L, "up", 0, WS_OP_TEXT, "new", 3), 3);
    UNTIL(messages == 8, 3000);
    settle(20);
    CHECK_INT(messages, 8);
    CHECK(!memcmp(last_text, "new", 3));
    CHECK_INT(ws_broadcast(L, NULL, WS_OP_TEXT, big, sizeof big),
              3); /* server ends only */
    UNTIL(messages == 11, 3000);
    CHECK_INT(errors[0], closes);
    serve_end();
}

/* a large message is kept once however many get it, and let go when the last has it */
TEST(one_frame_for_all)
{
    enum { N = 50, BIG = 100000 };
    static char big[BIG];
    int fd[N], i;
    size_t before;

    serve("127.0.0.1:0", NULL);
    for (i = 0; i < N; i++) { fd[i] = raw_open(NULL, 1); ws_join(last_open, "g"); }
    settle(5);
    before = H.now;
    CHECK_INT(ws_publish(L, "g", NULL, WS_OP_BINARY, big, BIG), N);
    CHECK(H.now - before < BIG + N * 1000);
    settle(5);
    CHECK_INT(ws_broadcast(L, NULL, WS_OP_BINARY, big, BIG), N);
    CHECK(H.now - before < 2 * BIG + N * 1000);
    for (i = 0; i < N; i++) {
        got g;
        size_t k;
        int tries = 0;
        for (k = 0; k < 2 * (BIG + 10) && tries < 3000; tries++) {
            char in[65536];
            ssize_t r = recv(fd[i], in, sizeof in, 0);
            if (r > 0) k += (size_t)r;
            else turn(1);
        }
        CHECK_INT(k, 2 * (BIG + 10));
        (void)g;
    }
    settle(5);
    for (i = 0; i < N; i++) close(fd[i]);
    UNTIL(closes == N, 2000);
    settle(5);
    serve_end();
}

/* ---- stuck readers ---- */

/* one stuck reader: the others get every value at once, its memory stays flat for 100,000
   publishes, and when it reads again it gets the newest */
static void stuck_among(int readers, int publishes)
{
    static char in[4 << 20];
    static int fd[1000];
    static size_t k[1000];
    int stuck, i;
    size_t flat = 0;
    ws_conn *slow;
    ws_config cfg;
    char value[200];
    got g;

    memset(&cfg, 0, sizeof cfg);
    cfg.ping_interval = WS_NEVER;
    memset(k, 0, sizeof k);
    serve("127.0.0.1:0", &cfg);
    for (i = 0; i < readers; i++) {
        fd[i] = raw_open(NULL, 0);
        CHECK_INT(ws_join(last_open, "arena"), 0);
    }
    stuck = raw_stuck();
    slow = last_open;
    CHECK_INT(ws_join(slow, "arena"), 0);
    memset(value, ' ', sizeof value);
    for (i = 1; i <= publishes; i++) {
        sprintf(value, "%d", i);
        CHECK_INT(ws_publish_latest(L, "arena", 1, WS_OP_TEXT, value, sizeof value),
                  readers + 1);
        turn(0);
        if (i % 100 == 0) {
            int j;
            for (j = 0; j < readers; j++) {
                ssize_t r = recv(fd[j], in, sizeof in, 0);
                if (r > 0) k[j] += (size_t)r;
            }
        }
        if (!flat && ws_buffered(slow) > 204) flat = H.now;
        if (flat && H.now > flat + 2000) break;
    }
    CHECK_INT(i, publishes + 1);
    CHECK(ws_buffered(slow) > 0 && ws_buffered(slow) <= 2 * 204);
    CHECK(flat != 0);
    for (i = 0; i < readers && !test_faults; i++) {
        int idle = 0;
        while (k[i] < (size_t)publishes * 204 && idle < 500) {
            ssize_t r = recv(fd[i], in, sizeof in, 0);
            if (r > 0) { k[i] += (size_t)r; idle = 0; }
            else { turn(1); idle++; }
        }
        CHECK_INT(k[i],
                  (size_t)publishes * 204); /* nothing was kept back from the others */
    }
    g = raw_frames_within(stuck, 600);
    CHECK(g.data > 0 && g.data < publishes);
    CHECK_INT(strtol(g.text, NULL, 10), publishes);
    CHECK_INT(ws_buffered(slow), 0);
    for (i = 0; i < readers; i++) close(fd[i]);
    close(stuck);
    serve_end();
}

TEST(stuck_reader_latest)
{
    stuck_among(3, 100000);
    stuck_among(400, 300);
}

/* the policies on a peer that does not read: what comes out in the end */
TEST(stuck_reader_policies)
{
    int policy;

    for (policy = 0; policy < 3; policy++) {
        static char data[2000];
        ws_config cfg;
        int fd, i, taken = 0, big = 0;
        ws_conn *c;
        got g;

        memset(&cfg, 0, sizeof cfg);
        cfg.max_backlog = 50000;
        cfg.drop_oldest = policy == 1;
        cfg.drop_slow = policy == 2;
        serve("127.0.0.1:0", &cfg);
        fd = raw_stuck();
        c = last_open;
        ws_join(c, "g");
        memset(data, ' ', sizeof data);
        for (i = 0; i < 20000; i++) {
            sprintf(data, "%d", i);
            big = i % 3 == 0;
            taken += ws_publish(L, "g", NULL, WS_OP_TEXT, data, big ? sizeof data : 100);
            turn(0);
            CHECK(ws_buffered(c) <= 53000);
            if (policy == 2 && ws_error(c)) break;
        }
        CHECK(H.now < 1600000);                         /* a loop's own MiB included */
        g = raw_frames_within(fd, 600);
        CHECK_INT(g.pings, 0);
        if (policy == 0) {
            CHECK(taken < 20000);
            CHECK_INT(g.data, taken);
        } else if (policy == 1) {
            CHECK_INT(taken, 20000);
            CHECK(g.data < 20000);
            CHECK_STR(g.text, "19999");
        } else {
            CHECK(i < 20000);
            CHECK_INT(g.closes, 1);
            CHECK_INT(g.code, 1013);
            CHECK_INT(ws_publish(L, "g", NULL, WS_OP_TEXT, "x", 1), 0);
        }
        close(fd);
        UNTIL(closes == 1, 3000);
        CHECK_INT(errors[policy == 2 ? -WS_ERR_SLOW : 0] + errors[-WS_ERR_EOF] +
                      errors[-WS_ERR_IO],
                  1);
        if (policy == 2) CHECK_INT(errors[-WS_ERR_SLOW], 1);
        settle(5);
        serve_end();
    }
}

/* ---- walking ---- */

/* each connection once, whatever is done to it on the way: sent to, closed, dropped,
   freed */
TEST(each)
{
    enum { N = 12 };
    int round;

    CHECK(!ws_each(NULL, NULL));
    for (round = 0; round < 40; round++) {
        int fd[N], i, seen = 0, left = 0;
        uint32_t seed = (uint32_t)round * 2654435761u + 1;
        ws_conn *c, *met[N + 8];
        char url[64];

        serve("127.0.0.1:0", NULL);
        CHECK(!ws_each(L, NULL));
        for (i = 0; i < N; i++) fd[i] = raw_open(NULL, 0);
        sprintf(url, "ws://127.0.0.1:%d/", port);
        for (c = ws_each(L, NULL); c; c = ws_each(L, c)) {
            CHECK(seen < N + 4);
            if (seen >= N + 4) break;
            for (i = 0; i < seen; i++) CHECK(met[i] != c);
            met[seen++] = c;
            seed = seed * 1664525u + 1013904223u;
            switch (seed >> 24 & 7) {
            case 0: ws_send_text(c, "x"); break;
            case 1: ws_close(c, 1000, NULL); break;
            case 2: ws_drop(c); break;
            case 3: case 4: ws_free(c); left--; break;
            case 5:
                if (seen > 1 && seen < N && round % 3 == 0) {
                    ws_free(met[seen - 2]);
                    ws_free(met[0]);
                }
                break;
            case 6:
                if (left > -90 && seen == 3) {
                    ws_dial(L, url, NULL);
                    left += 100;
                }
                break;
            default: break;
            }
        }
        CHECK_INT(seen, left > 50 ? N + 1 : N);
        settle(5);
        for (c = ws_each(L, NULL), i = 0; c; c = ws_each(L, c)) i++;
        CHECK_INT(i, ws_loop_count(L));
        CHECK(!ws_each(L, NULL) || ws_each(L, NULL)->loop == L);
        for (i = 0; i < N; i++) close(fd[i]);
        serve_end();
    }
}

/* ---- limits ---- */

static void refused(int fd)
{
    char in[2000];
    int n = raw_read(fd, in, sizeof in, NULL, 1000);

    CHECK(n > 0 && !strncmp(in, "HTTP/1.1 503 ", 13));
    CHECK(strstr(in, "\r\nRetry-After: 5\r\n") != NULL);
    close(fd);
}

TEST(max_connections)
{
    enum { MAX = 5 };
    int fd[MAX], i, extra, silent;
    ws_config cfg;
    ws_conn *c;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_connections = MAX;
    cfg.user = &cfg;
    serve("127.0.0.1:0", &cfg);
    for (i = 0; i < MAX - 1; i++) fd[i] = raw_open(NULL, 0);
    c = last_open;
    silent = raw(NULL, 0);                      /* handshakes count too */
    settle(10);
    extra = raw(NULL, 0);
    CHECK(write(extra, request, sizeof request - 1) > 0);
    refused(extra);
    UNTIL(closes == 1, 1000);
    CHECK_INT(errors[-WS_ERR_LIMIT], 1);
    CHECK_STR(last_reason, "too many connections");
    CHECK(ws_user(last_close.conn) == &cfg);
    close(silent);
    UNTIL(closes == 2, 1000);
    settle(5);
    fd[MAX - 1] = raw_open(NULL, 0);            /* its place is free again */
    refused(raw(NULL, 0));
    settle(5);
    ws_free(c);                                 /* freed: at once */
    close(fd[MAX - 2]);
    fd[MAX - 2] = raw_open(NULL, 0);
    refused(raw(NULL, 0));
    CHECK(write(fd[0], "\x01\x02\x03\x04", 4) == 4); /* a fault: it lingers, and counts */
    UNTIL(errors[-WS_ERR_MASK_MISSING] == 1, 1000);
    settle(5);
    refused(raw(NULL, 0));
    close(fd[0]);
    settle(5);
    fd[0] = raw_open(NULL, 0);
    CHECK_INT(ws_publish(L, "", NULL, WS_OP_TEXT, "x", 1), 0);
    for (i = 0; i < MAX; i++) close(fd[i]);
    settle(10);
    CHECK_INT(ws_loop_count(L), 0);
    serve_end();
}

/* a flood over the limit: few resources, and those inside are served meanwhile */
TEST(limit_flood)
{
    enum { FLOOD = 600 };
    static int flood[FLOOD];
    int fd, i, answered = 0;
    ws_config cfg;
    size_t before;
    char frame[] = "\x81\x81\0\0\0\0x", in[100];

    memset(&cfg, 0, sizeof cfg);
    cfg.max_connections = 1;
    serve("127.0.0.1:0", &cfg);
    fd = raw_open(NULL, 0);
    settle(5);
    before = H.now;
    for (i = 0; i < FLOOD; i++) {
        flood[i] = raw(NULL, 0);
        turn(0);
    }
    settle(5);
    CHECK(ws_loop_count(L) == 1);
    CHECK(L->gone <= WS__LINGER_MAX);
    CHECK(H.now - before < 400000);             /* buffers on their way back among them */
    CHECK(write(fd, frame, 7) == 7);
    UNTIL(messages == 1, 1000);
    for (i = 0; i < FLOOD; i++) {
        answered += recv(flood[i], in, sizeof in, 0) > 12 &&
                    !strncmp(in, "HTTP/1.1 503", 12);
        close(flood[i]);
    }
    CHECK_INT(answered, FLOOD);
    settle(5);
    close(fd);
    settle(10);
    fd = raw_open(NULL, 0);
    close(fd);
    serve_end();
}

/* per address: IPv4 alone and through an IPv6 socket; closing gives the place back */
TEST(max_per_address)
{
    static const char *const from[3] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
    static const char *const at[2] = { "0.0.0.0:0", "[::]:0" };
    ws_config cfg;
    int kind;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_per_address = 2;
    for (kind = 0; kind < 2; kind++) {
        int fd[6], i;
        if (kind && ws__bound_port(0) == 0) {       /* no IPv6 on this machine? */
            int probe = socket(AF_INET6, SOCK_STREAM, 0);
            if (probe < 0) continue;
            close(probe);
        }
        serve(at[kind], &cfg);
        for (i = 0; i < 6; i++) fd[i] = raw_open(from[i / 2], 0);
        for (i = 0; i < 3; i++) refused(raw(from[i], 0));
        UNTIL(closes == 3, 1000);
        CHECK_INT(errors[-WS_ERR_LIMIT], 3);
        CHECK_INT(ws_leave(last_open, NULL), 0);    /* does not leave the count */
        refused(raw(from[2], 0));
        close(fd[2]);
        UNTIL(errors[-WS_ERR_EOF] == 1, 1000);
        settle(5);
        refused(raw(from[0], 0));
        refused(raw(from[2], 0));
        fd[2] = raw_open(from[1], 0);
        for (i = 0; i < 6; i++) close(fd[i]);
        settle(10);
        CHECK_INT(L->group_count, 0);
        fd[0] = raw_open(from[0], 0);
        close(fd[0]);
        serve_end();
    }
}

/* a unix socket has no addresses to count by */
TEST(max_per_address_unix)
{
    char path[64], address[80];
    ws_config cfg;
    ws_conn *c[3];
    int i;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_per_address = 1;
    sprintf(path, "/tmp/ws_h_groups_%d", (int)getpid());
    sprintf(address, "unix:%s", path);
    serve(address, &cfg);
    sprintf(address, "ws+unix:%s:/", path);
    for (i = 0; i < 3; i++) c[i] = ws_dial(L, address, NULL);
    UNTIL(opens == 6, 2000);
    for (i = 0; i < 3; i++) CHECK(c[i] != NULL);
    unlink(path);
    serve_end();
}

/* ---- fairness ---- */

/* more connections that always have input than one wait reports: each has its turns */
TEST(fair_beyond_one_wait)
{
    enum { N = WS__READY_MAX + 50, ROUNDS = 4 };
    static int fd[N], turns[N];
    static const char frame[] = "\x82\x84\0\0\0\0";
    char out[10];
    int i, n, least;

    serve("127.0.0.1:0", NULL);
    for (i = 0; i < N;
         i++) { /* what is written to a pair is there at once, on a busy machine too */
        int pair[2];
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        CHECK(ws_adopt(L, pair[0], request, sizeof request - 1, NULL) != NULL);
        fd[i] = pair[1];
        turns[i] = 0;
    }
    UNTIL(opens == N, 3000);
    for (i = 0; i < N; i++) {
        memcpy(out, frame, 6);
        memcpy(out + 6, &i, 4);
        CHECK(write(fd[i], out, 10) == 10);
    }
    for (n = 0; n < ROUNDS * N; n++) {
        messages = 0;
        while (!messages && turn(1000) > 0) { }
        memcpy(&i, last_text, 4);
        CHECK(i >= 0 && i < N);
        if (i < 0 || i >= N) break;
        turns[i]++;
        memcpy(out + 6, &i, 4);
        CHECK(write(fd[i], out, 10) == 10);
    }
    for (i = 0, least = n; i < N; i++) {
        if (turns[i] < least) least = turns[i];
        close(fd[i]);
    }
    CHECK_INT(least, ROUNDS);
    serve_end();
}

/* ---- lingering ---- */

/* a refused peer that goes on sending is listened to until its time is over, and reads
   why */
TEST(linger_is_bounded)
{
    static char junk[65536];
    ws_config cfg;
    char answer[512];
    int fd, gone = 0;
    size_t sent = 0;
    ssize_t answered;
    uint64_t start;

    memset(&cfg, 0, sizeof cfg);
    cfg.close_timeout = 1000;
    serve("127.0.0.1:0", &cfg);
    fd = raw(NULL, 0);
    CHECK(write(fd, "junk\r\n\r\n", 8) == 8);
    UNTIL(closes == 1, 2000);
    start = ws__clock();
    while (!gone && ws__clock() - start < 60000) {
        ssize_t r = sent < 8u << 20 ? send(fd, junk, sizeof junk, MSG_NOSIGNAL) : 0;
        if (r > 0) sent += (size_t)r;
        turn(0);
        gone = L->heap_count == 0;
    }
    CHECK(gone);
    CHECK(sent >= 1u << 20);                /* far more than one read takes */
    CHECK(ws__clock() - start >= 900);
    answered = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
    CHECK(answered > 12 && !memcmp(answer, "HTTP/1.1 400", 12));
    close(fd);
    serve_end();
}

/* ---- shutdown ---- */

TEST(shutdown_polite)
{
    enum { N = 4 };
    int fd[N], i, half, silent;
    char in[1000];
    ws_event ev;
    uint64_t start;

    serve("127.0.0.1:0", NULL);
    for (i = 0; i < N; i++) fd[i] = raw_open(NULL, 0);
    half = raw(NULL, 0);
    CHECK(write(half, request, 30) == 30);
    silent = raw(NULL, 0);
    settle(10);
    CHECK_INT(ws_loop_count(L), N + 2);
    ws_shutdown(L, 1001, "bye", 60000);
    ws_shutdown(L, 1000, "twice", 0);           /* only the first counts */
    CHECK(ws_listen(L, "127.0.0.1:0", NULL) == WS_ERR_STATE);
    CHECK(ws_dial(L, "ws://127.0.0.1:1/", NULL) == NULL);
    UNTIL(closes == 2, 1000);
    CHECK_INT(errors[-WS_ERR_SHUTDOWN], 2);
    CHECK(raw_read(half, in, sizeof in, "503", 500) > 0);
    CHECK(strstr(in, "Retry-After") != NULL);
    CHECK(raw_read(silent, in, sizeof in, "503", 500) > 0);
    close(half);
    close(silent);
    for (i = 0; i < N; i++) {
        char answer[] = "\x88\x82\0\0\0\0\x03\xe9";
        got g = raw_frames(fd[i]);
        CHECK(g.closes == 1 && g.code == 1001);
        CHECK(write(fd[i], answer, 8) == 8);
    }
    start = ws__clock();
    while (ws_loop_count(L)) CHECK_INT(turn(5000), 1);
    CHECK_INT(closes, N + 2);
    CHECK_INT(errors[0], N);                    /* clean */
    CHECK_INT(last_close.clean, 1);
    CHECK_INT(ws_poll(L, &ev, -1), 0);          /* over: waits no more */
    CHECK_INT(ws_poll(L, &ev, -1), 0);
    CHECK(ws__clock() - start < 2000);
    for (i = 0; i < N; i++) close(fd[i]);
    serve_end();
}

/* who does not answer is ended at the deadline: the open, the closing, the parked, the
   refused */
TEST(shutdown_deadline)
{
    int kind;

    for (kind = 0; kind < 2; kind++) {
        int fd[5];
        ws_config cfg;
        ws_event ev;
        uint64_t start;
        char url[64];

        memset(&cfg, 0, sizeof cfg);
        cfg.close_timeout = 30000;
        cfg.ask = 1;
        serve("127.0.0.1:0", &cfg);
        fd[0] = raw(NULL, 0);                   /* a request that is not answered */
        CHECK(write(fd[0], request, sizeof request - 1) > 0);
        settle(20);
        fd[1] = raw(NULL, 0);                   /* refused, does not hang up */
        CHECK(write(fd[1], "junk\r\n\r\n", 8) == 8);
        UNTIL(closes == 1, 1000);
        ws_unlisten(L, listener);
        cfg.ask = 0;
        cfg.alloc = heap_alloc;
        cfg.alloc_user = &H;
        listener = ws_listen(L, "127.0.0.1:0", &cfg);
        port = ws_listen_port(L, listener);
        fd[2] = raw_open(NULL, 0);
        fd[3] = raw_open(NULL, 0);
        ws_close(last_open, 1000, NULL);        /* closing already */
        fd[4] = raw_stuck();                    /* stuck, with a backlog */
        while (ws_buffered(last_open) < 100000) {
            ws_send(last_open, WS_OP_BINARY, request, sizeof request);
            turn(0);
        }
        sprintf(url, "ws://127.0.0.1:%d/", port);
        ws_dial(L, url, NULL);                  /* connecting */
        start = ws__clock();
        ws_shutdown(L, kind ? 1005 : 1001, NULL,
                    kind ? 0 : 300); /* 1005 is no code to send: 1001 */
        while (ws_poll(L, &ev, -1) > 0)
            if (ev.type == WS_EV_CLOSE) {
                closes++;
                errors[-ev.error]++;
            }
        CHECK_INT(ws_loop_count(L), 0);
        CHECK_INT(L->heap_count, 0);
        CHECK(ws__clock() - start < 1500);
        if (!kind) CHECK(ws__clock() - start >= 290);
        CHECK_INT(closes, 6);
        CHECK_INT(errors[-WS_ERR_CLOSE_TIMEOUT], 3);
        CHECK_INT(errors[-WS_ERR_SHUTDOWN], 1);
        for (kind += 0; fd[0] >= 0; fd[0] = -1) {
            close(fd[0]);
            close(fd[1]);
            close(fd[2]);
            close(fd[3]);
            close(fd[4]);
        }
        serve_end();
    }
}

/* posts still come out of a loop that is over */
TEST(shutdown_and_posts)
{
    ws_event ev;
    int here;

    serve("127.0.0.1:0", NULL);
    ws_shutdown(L, 1001, NULL, 0);
    CHECK_INT(ws_poll(L, &ev, -1), 0);
    CHECK_INT(ws_post(L, &here), 0);
    CHECK_INT(ws_poll(L, &ev, -1), 1);
    CHECK(ev.type == WS_EV_POST && ev.data == &here);
    CHECK_INT(ws_poll(L, &ev, -1), 0);
    ws_shutdown(NULL, 1001, NULL, 0);
    serve_end();
}

/* ---- corks ---- */

static int writes;
static int pipe_fd;

static ptrdiff_t pipe_read(void *user, void *in, size_t n)
{
    ssize_t r = recv(pipe_fd, in, n, 0);
    (void)user;
    return r < 0 ? (ptrdiff_t)WS_IO_WANT_READ : r;
}

static ptrdiff_t pipe_write(void *user, const void *out, size_t n)
{
    (void)user;
    writes++;
    return send(pipe_fd, out, n, MSG_NOSIGNAL);
}

/* the blocking client writes each message at once; between cork and uncork, none; then
   all in one write */
TEST(cork)
{
    ws_config cfg;
    ws_conn *c, *s;
    ws_event ev;
    int pair[2], i, before, got_messages = 0;

    memset(&cfg, 0, sizeof cfg);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    pipe_fd = pair[0];
    s = ws_adopt(NULL, pair[1], NULL, 0, NULL);
    cfg.io.read = pipe_read;
    cfg.io.write = pipe_write;
    c = ws_open("ws://h/", &cfg);
    c->cfg->wake = ws__flush; /* as ws_connect does, which would wait for s */
    ws_cork(c);                             /* nothing before OPEN */
    for (i = 0; i < 100 && ws_state(c) != WS_STATE_OPEN; i++) {
        ws_step(c);
        ws_step(s);
        ws_next(s, &ev);
        ws_next(c, &ev);
    }
    CHECK_INT(ws_state(c), WS_STATE_OPEN);
    before = writes;
    for (i = 0; i < 10; i++) ws_send_text(c, "x");
    CHECK_INT(writes - before, 10);
    ws_cork(c);
    for (i = 0; i < 10; i++) ws_send_text(c, "x");
    ws_step(c);
    CHECK_INT(writes - before, 10);
    CHECK(!(ws_wants(c) & WS_WANT_WRITE));
    CHECK_INT(ws_buffered(c), 10 * 7);
    ws_uncork(c);
    CHECK_INT(writes - before, 11);
    CHECK_INT(ws_buffered(c), 0);
    ws_cork(c);
    ws_send_text(c, "last");
    ws_close(c, 1000, NULL);                /* closing uncorks */
    CHECK_INT(ws_buffered(c), 0);
    for (i = 0; i < 100 && !ws_done(s); i++) {
        ws_step(s);
        while (ws_next(s, &ev)) got_messages += ev.type == WS_EV_MESSAGE;
        ws_step(c);
        while (ws_next(c, &ev)) { }
    }
    CHECK_INT(got_messages, 21);
    ws_cork(NULL);
    ws_uncork(NULL);
    ws_free(s);
    ws_free(c);
    close(pair[0]);
}

/* in a loop: held over turns, other connections are not */
TEST(cork_in_a_loop)
{
    int a, b, i;
    ws_conn *ca, *cb;
    got g;

    serve("127.0.0.1:0", NULL);
    a = raw_open(NULL, 0);
    ca = last_open;
    b = raw_open(NULL, 0);
    cb = last_open;
    ws_cork(ca);
    for (i = 0; i < 5; i++) {
        CHECK_INT(ws_broadcast(L, NULL, WS_OP_TEXT, "x", 1), 2);
        settle(5);
    }
    CHECK_INT(ws_buffered(ca), 15);
    CHECK_INT(ws_buffered(cb), 0);
    g = raw_frames(b);
    CHECK_INT(g.data, 5);
    ws_uncork(ca);
    g = raw_frames(a);
    CHECK_INT(g.data, 5);
    close(a);
    close(b);
    serve_end();
}

/* How many, who, and which: groups can be asked, and the library's own do not show. */
TEST(groups_can_be_asked)
{
    ws_conn *ends[4], *each;
    int sock[4], i, seen = 0;
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_per_address = 100;
    serve("127.0.0.1:0", &cfg);
    for (i = 0; i < 4; i++) {
        sock[i] = raw_open(NULL, 0);
        ends[i] = last_open;
        CHECK(ws_id(ends[i]) != 0);
        CHECK(!ws_group_at(ends[i], 0).data);
        CHECK_INT(ws_join(ends[i], i & 1 ? "odd" : "even"), 0);
        CHECK_INT(ws_join(ends[i], "all"), 0);
    }
    CHECK_INT(ws_group_count(L, "all"), 4);
    CHECK_INT(ws_group_count(L, "odd"), 2);
    CHECK_INT(ws_group_count(L, "none"), 0);
    CHECK_INT(ws_group_count(NULL, "all"), 0);
    CHECK_INT(ws_group_count(L, NULL), 0);
    for (each = NULL; (each = ws_group_each(L, "odd", each)) != NULL; )
        for (i = 0; i < 4; i++) if (each == ends[i]) seen |= 1 << i;
    CHECK_INT(seen, 10);
    CHECK(!ws_group_each(L, "odd", ends[0]));
    CHECK(!ws_group_each(L, "none", NULL) && !ws_group_each(NULL, "all", NULL));
    CHECK(ws_str_is(ws_group_at(ends[1], 0), "all"));
    CHECK(ws_str_is(ws_group_at(ends[1], 1), "odd"));
    CHECK(!ws_group_at(ends[1], 2).data && !ws_group_at(ends[1], -1).data);
    CHECK(!ws_group_at(NULL, 0).data);
    ws_leave(ends[1], NULL);
    CHECK(!ws_group_at(ends[1], 0).data);
    CHECK(ws_find(L, ws_id(ends[1])) == ends[1]);     /* a number is not left */
    for (i = 0; i < 4; i++) close(sock[i]);
    serve_end();
}

TEST(numbers_of_connections)
{
    uint64_t first, second, third;
    int a, b, c, fails;
    ws_conn *alone = ws_server_new(NULL);
    got seen;

    CHECK(!ws_id(alone));                   /* no loop, no number */
    ws_free(alone);
    serve("127.0.0.1:0", NULL);
    a = raw_open(NULL, 0);
    first = ws_id(last_open);
    CHECK(first && ws_id(last_open) == first && ws_find(L, first) == last_open);
    b = raw_open(NULL, 0);
    second = ws_id(last_open);
    CHECK(second && second != first && ws_find(L, second) == last_open);
    close(a);
    UNTIL(closes == 1, 3000);
    CHECK(!ws_id(last_close.conn) && !ws_find(L, first));   /* its CLOSE was pulled */
    settle(5);
    CHECK(!ws_find(L, first));
    c = raw_open(NULL, 0);                  /* perhaps where the first one was */
    for (fails = 1; fails < 4; fails++) {
        H.fail_at = H.calls + fails;
        third = ws_id(last_open);
        CHECK(!third || ws_find(L, third) == last_open);
        if (third) break;
    }
    CHECK(fails > 1 && H.failed == fails - 1);
    H.fail_at = 0;
    CHECK(ws_id(last_open) != first && ws_id(last_open) != second);
    CHECK(!ws_find(L, first) && !ws_find(L, 0) && !ws_find(L, 12345));
    CHECK(!ws_find(NULL, second) && !ws_id(NULL));
    CHECK_INT(ws_post_to(L, second, WS_OP_TEXT, "x", 1), 0);
    CHECK_INT(ws_post_to(L, first, WS_OP_TEXT, "x", 1), 0);     /* to nobody */
    CHECK_INT(ws_post_to(L, 0, WS_OP_TEXT, "x", 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_post_to(NULL, second, WS_OP_TEXT, "x", 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_post_to(L, second, WS_OP_PING, "x", 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_post_to(L, second, WS_OP_TEXT, NULL, 1), WS_ERR_ARGUMENT);
    CHECK_INT(ws_post_to(L, second, WS_OP_TEXT, "x", (size_t)-1), WS_ERR_ARGUMENT);
    settle(5);
    seen = raw_frames(b);
    CHECK(seen.data == 1 && seen.op == WS_OP_TEXT);
    CHECK_INT(ws_post_to(L, second, WS_OP_BINARY, "bin", 3), 0);
    settle(5);
    seen = raw_frames(b);
    CHECK(seen.data == 1 && seen.op == WS_OP_BINARY && seen.size == 3);
    CHECK_STR(seen.text, "bin");
    CHECK_INT(ws_close(ws_find(L, second), 1000, NULL), 0);
    CHECK_INT(ws_post_to(L, second, WS_OP_TEXT, "too late", 8), 0);
    settle(5);
    close(b);
    UNTIL(closes == 2, 3000);
    CHECK_INT(last_close.refused, 1);
    CHECK_INT(ws_post_to(L, second, WS_OP_TEXT, "never sent", 10), 0);
    close(c);
    serve_end();
}

TESTS(T(membership) T(group_arguments) T(groups_can_be_asked) T(numbers_of_connections)
      T(join_without_memory) T(group_memory)
      T(publish_to_clients) T(one_frame_for_all) T(stuck_reader_latest)
      T(stuck_reader_policies) T(each) T(max_connections) T(limit_flood)
      T(max_per_address) T(max_per_address_unix) T(fair_beyond_one_wait)
      T(linger_is_bounded) T(shutdown_polite) T(shutdown_deadline) T(shutdown_and_posts)
      T(cork) T(cork_in_a_loop))
#endif

/* What strangers can do to a program, in every driver: what reading their heads costs,
   files in the place of a unix socket, blocks of the application's after they are free,
   descriptors in child processes, addresses that a client must not connect to.
   Messages: test_field_memory.c. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_field_security: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif
#include "test.h"
#include "fixture/sockets.h"

/* ---- descriptors that the library makes: seen right where they come from ---- */

static struct { int on, made, bare; char first[100]; } births;

#define PERHAPS __attribute__((unused))     /* the library need not call all of them */

static int born(const char *call, int fd)
{
    int flags = fd < 0 ? 0 : fcntl(fd, F_GETFD);

    if (!births.on || fd < 0) return fd;
    births.made++;
    if (flags & FD_CLOEXEC) return fd;
    if (!births.bare++) snprintf(births.first, sizeof births.first, "%s", call);
    return fd;
}

PERHAPS static int born_two(const char *call, int r, const int *two)
{
    if (r) return r;
    born(call, two[0]);
    born(call, two[1]);
    return 0;
}

PERHAPS static int born_socket(int family, int type, int protocol)
{
    return born("socket", socket(family, type, protocol));
}

PERHAPS static int born_socketpair(int family, int type, int protocol, int *two)
{
    return born_two("socketpair", socketpair(family, type, protocol, two), two);
}

PERHAPS static int born_pipe(int *two) { return born_two("pipe", pipe(two), two); }

PERHAPS static int born_accept(int fd, struct sockaddr *a, socklen_t *n)
{
    return born("accept", accept(fd, a, n));
}

PERHAPS static int born_dup(int fd) { return born("dup", dup(fd)); }

#ifdef __linux__
PERHAPS static int born_pipe2(int *two, int how)
{
    return born_two("pipe2", pipe2(two, how), two);
}

PERHAPS static int born_accept4(int fd, struct sockaddr *a, socklen_t *n, int how)
{
    return born("accept4", accept4(fd, a, n, how));
}

PERHAPS static int born_epoll(int how)
{
    return born("epoll_create1", epoll_create1(how));
}
PERHAPS static int born_eventfd(unsigned n, int how)
{
    return born("eventfd", eventfd(n, how));
}
#define pipe2 born_pipe2
#define accept4 born_accept4
#define epoll_create1 born_epoll
#define eventfd born_eventfd
#endif
#define socket born_socket
#define socketpair born_socketpair
#define pipe born_pipe
#define accept born_accept
#define dup born_dup
#define FIXTURE_SOCKETS
#include "fixture.h"
#undef socket
#undef socketpair
#undef pipe
#undef accept
#undef dup
#undef pipe2
#undef accept4
#undef epoll_create1
#undef eventfd
#define WS_SSE_IMPLEMENTATION
#include "ws_sse.h"


static int contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ==== 18: what it costs to read what a peer sent ==================================== */

enum { LITTLE = 1000, MUCH = 8 * LITTLE };

/* A head: before, and then unit as often as fits, and after. act: what is measured, at
   its event; NULL: taking it. step: bytes per ws_feed, 0: all. */
typedef struct cost {
    const char *name, *before, *unit, *after;
    void (*act)(ws_conn *c);
    int client;
    size_t step;
} cost;

/* ---- an extension and a codec that are asked, and never used ---- */

static int offers_nothing(void *user, int i, char *b, size_t n)
{
    (void)user; (void)i; (void)b; (void)n;
    return -1;
}

/* Reads all parameters, as extensions do. */
static int declines(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed)
{
    char value[64];
    ws_str name;

    (void)user; (void)answer; (void)n; (void)agreed;
    while (ws_param_next(&offer, &name, value, sizeof value) > 0) {}
    return -1;
}

static int confirms(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user; (void)answer; (void)agreed;
    return -1;
}

static size_t sized(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user; (void)agreed; (void)encode;
    *alone = 1;
    return 8;
}

static int begins(void *user, uint32_t agreed, int encode, void *state)
{
    (void)user; (void)agreed; (void)encode; (void)state;
    return 0;
}

static int codes(void *user, void *state, const void *in, size_t *n, void *out, size_t *m,
                 int end)
{
    (void)user; (void)state; (void)in; (void)n; (void)out; (void)m; (void)end;
    return WS_ERR_CODEC;
}

static size_t deflate_size(int bits, int level) { (void)bits; (void)level; return 64; }
static size_t inflate_size(int bits) { (void)bits; return 64; }

static int deflate_init(void *state, size_t n, int bits, int memory, int level)
{
    (void)state; (void)n; (void)bits; (void)memory; (void)level;
    return 0;
}

static int inflate_init(void *state, size_t n, int bits)
{
    (void)state; (void)n; (void)bits;
    return 0;
}

static int deflates(void *state, const void *in, size_t *n, void *out, size_t *m,
                    int flush)
{
    return codes(NULL, state, in, n, out, m, flush);
}

static int inflates(void *state, const void *in, size_t *n, void *out, size_t *m)
{
    return codes(NULL, state, in, n, out, m, 0);
}

static const ws_codec codec = {
    deflate_size, inflate_size, deflate_init, inflate_init, deflates, inflates
};

/* Whatever makes an end look at what a head says. */
static ws_config cost_config(int client)
{
    static const ws_extension x = {
        /* 8 letters: a ws_route may stand behind them */
        "x-none7", 2,        0,     0,      0,     NULL,  offers_nothing,
        declines,  confirms, sized, begins, codes, codes, NULL
    };
    static const ws_extension *const all[] = { &x, NULL };
    static ws_deflate deflate;
    static const ws_route routes[] = {
        { "/x", "p1", 1 }, { "/*", "p2", 2 }, { "/*/y", "p3", 3 }, { "/*", NULL, 4 },
        { NULL, NULL, 0 }
    };
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_headers = WS_NO_LIMIT;
    cfg.method = client ? "GET" : NULL;
    if (client) return cfg;
    deflate.codec = &codec;
    cfg.routes = routes;
    cfg.protocols = "p4, p5, p6, p7";
    cfg.extensions = all;
    cfg.deflate = &deflate;
    cfg.trusted_proxies = 1;
    cfg.origins = "https://a.example, https://b.example";
    return cfg;
}

/* Milliseconds of processor that it takes once. */
static double cost_once(const cost *k, const buf *b)
{
    ws_config cfg = cost_config(k->client);
    ws_conn *c = k->client ? ws_client_new("http://example.com/", &cfg)
                           : ws_server_new(&cfg);
    size_t at, step = k->step ? k->step : b->n;
    double from = cpu_ms(), t = 0;
    ws_event ev;
    int acted = 0;

    for (at = 0; at < b->n; at += step) {
        size_t n = b->n - at < step ? b->n - at : step;
        if (ws_feed(c, b->p + at, n) != n) break;
        while (ws_next(c, &ev)) {
            if (!k->act || acted++) continue;
            from = cpu_ms();
            k->act(c);
            t = cpu_ms() - from;
            break;
        }
    }
    if (k->act) CHECK(acted > 0);
    else t = cpu_ms() - from;
    ws_free(c);
    return t;
}

/* Of several tries the cheapest: others on the machine only ever add. */
static double cost_of(const cost *k, size_t n)
{
    double best = 1e9;
    buf b = { 0 };
    int i;

    buf_str(&b, k->before);
    while (b.n + strlen(k->unit) <= n) buf_str(&b, k->unit);
    buf_str(&b, k->after);
    for (i = 0; i < 7 && (i < 2 || best < 30); i++) {
        double sum = 0;
        int times = 0;
        for (; sum < 0.7; times++) sum += cost_once(k, &b);
        if (sum / times < best) best = sum / times;
    }
    buf_free(&b);
    return best;
}

/* Eight times as much costs about eight times as much: if it were quadratic, 64 times. */
static void costs_are_linear(const cost *all, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        double little = cost_of(&all[i], LITTLE), much = cost_of(&all[i], MUCH);
        CHECK(much < 24 * little);
        if (much >= 24 * little)
            printf("    %s: %.4f ms, %.4f ms\n", all[i].name, little, much);
    }
}

static void ask_sse(ws_conn *c) { CHECK(!ws_sse_requested(c)); }

static void walk_accept(ws_conn *c)
{
    ws_walk walk;
    ws_str item;

    memset(&walk, 0, sizeof walk);
    while (ws_header_walk(c, "Accept", &walk, &item)) {}
}

static void ask_cookie(ws_conn *c)
{
    char text[10];
    CHECK_INT(ws_cookie(c, "none", text, sizeof text), WS_ERR_ABSENT);
}

static void ask_query(ws_conn *c)
{
    char text[10];
    CHECK_INT(ws_query(c, "none", text, sizeof text), WS_ERR_ABSENT);
}

static void ask_header(ws_conn *c) { CHECK(!ws_header_value(c, "none").data); }

static void walk_lines(ws_conn *c)
{
    ws_str name, value;
    size_t pos = 0;

    while (ws_header_next(c, &pos, &name, &value)) {}
}

#define PLAIN "GET / HTTP/1.1\r\n" HO
#define WHOLE "GET / HTTP/1.1\r\n" ALL
#define END E E
#define EXTENDS WHOLE "Sec-WebSocket-Extensions: "
#define OK200 "HTTP/1.1 200 OK\r\n"

/* What an application asks about a request costs no more than the request is long. */
TEST(field_18_asking_costs_as_much_as_was_sent)
{
    static const cost all[] = {
        { "event stream, elements", PLAIN "Accept: ", "a,", END, ask_sse, 0, 0 },
        { "event stream, quotes", PLAIN "Accept: ", "\",\",", END, ask_sse, 0, 0 },
        { "event stream, types", PLAIN "Accept: ", "a/b;q=1, ", END, ask_sse, 0, 0 },
        { "event stream, one", PLAIN "Accept: ", "text/event-strea;", END, ask_sse, 0,
          0 },
        { "event stream, lines", PLAIN, "Accept: a\r\n", E, ask_sse, 0, 0 },
        { "elements", PLAIN "Accept: ", "a,", END, walk_accept, 0, 0 },
        { "empty elements", PLAIN "Accept: ", " ,", END, walk_accept, 0, 0 },
        { "lines of elements", PLAIN, "Accept: a,b\r\n", E, walk_accept, 0, 0 },
        { "lines", PLAIN, "A: b\r\n", E, walk_lines, 0, 0 },
        { "a line", PLAIN, "A: b\r\n", E, ask_header, 0, 0 },
        { "cookies", PLAIN "Cookie: ", "a=b;", END, ask_cookie, 0, 0 },
        { "lines of cookies", PLAIN, "Cookie: a=b\r\n", E, ask_cookie, 0, 0 },
        { "query", "GET /?", "a=b&", " HTTP/1.1\r\n" HO E, ask_query, 0, 0 }
    };
    costs_are_linear(all, COUNT(all));
}

/* So does the opening handshake of a server that uses all it can be told. */
TEST(field_18_handshakes_cost_as_much_as_was_sent)
{
    static const cost all[] = {
        { "lines", WHOLE, "A: b\r\n", E, NULL, 0, 0 },
        { "forwarded", WHOLE "X-Forwarded-For: ", "a,", END, NULL, 0, 0 },
        { "lines of forwarded", WHOLE, "X-Forwarded-For: a\r\n", E, NULL, 0, 0 },
        { "subprotocols", WHOLE "Sec-WebSocket-Protocol: ", "a,", END, NULL, 0, 0 },
        { "lines of subprotocols", WHOLE, "Sec-WebSocket-Protocol: a\r\n", E, NULL, 0,
          0 },
        { "extensions", EXTENDS, "a,", END, NULL, 0, 0 },
        { "lines of extensions", WHOLE, "Sec-WebSocket-Extensions: a\r\n", E, NULL, 0,
          0 },
        { "offers", EXTENDS, "x-none7;a,", END, NULL, 0, 0 },
        { "parameters", EXTENDS "x-none7", ";a", END, NULL, 0, 0 },
        { "blanks", EXTENDS "x-none7;a", " ", ";b" END, NULL, 0, 0 },
        { "offers of deflate", EXTENDS, "permessage-deflate; x,", END, NULL, 0, 0 },
        { "its parameters", EXTENDS "permessage-deflate", ";a", END, NULL, 0, 0 },
        { "one parameter", EXTENDS "permessage-deflate; a=", "b", END, NULL, 0, 0 },
        { "connection", WHOLE "Connection: ", "a,", END, NULL, 0, 0 },
        { "upgrade", WHOLE "Upgrade: ", "a,", END, NULL, 0, 0 },
        { "origin", WHOLE "Origin: http://", "a", END, NULL, 0, 0 },
        { "target", "GET /", "a/", " HTTP/1.1\r\n" ALL E, NULL, 0, 0 }
    };
    costs_are_linear(all, COUNT(all));
}

/* And however it is cut: here into bytes. Both roles. */
TEST(field_18_bytes_cost_the_same_each)
{
    static const cost all[] = {
        { "request, one line", WHOLE "A: ", "b", END, NULL, 0, 1 },
        { "request, lines", WHOLE, "A: b\r\n", E, NULL, 0, 1 },
        { "answer, one line", OK200 "A: ", "b", END, NULL, 1, 1 },
        { "answer, lines", OK200, "A: b\r\n", E, NULL, 1, 1 },
        { "interim answers", "", "HTTP/1.1 103 E\r\n\r\n", OK200 E, NULL, 1, 1 },
        { "body", OK200 "Content-Length: 9999\r\n\r\n", "b", "", NULL, 1, 1 },
        { "chunks", OK200 "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "0\r\n\r\n",
          NULL, 1, 1 }
    };
    costs_are_linear(all, COUNT(all));
}

/* A walk gives what the elements one by one are, and ends. */
TEST(field_18_walk_gives_each_element)
{
    static const char set[] = "a, \"";
    int number, lines;

    for (lines = 1; lines < 3; lines++) for (number = 0; number < 4096; number++) {
        buf b = { 0 };
        ws_config cfg;
        ws_conn *c;
        ws_event ev;
        ws_walk walk;
        ws_str item, other;
        int i, k;
        memset(&cfg, 0, sizeof cfg);
        buf_str(&b, PLAIN);
        for (k = 0; k < lines; k++) {
            buf_str(&b, "Accept: ");
            for (i = 0; i < 6; i++) buf_byte(&b, set[number >> 2 * i & 3]);
            buf_str(&b, "\r\nX: y,z\r\n");
        }
        buf_str(&b, E);
        c = ws_server_new(&cfg);
        CHECK_INT(ws_feed(c, b.p, b.n), b.n);
        CHECK(ws_next(c, &ev) && ev.type == WS_EV_HTTP);
        memset(&walk, 0, sizeof walk);
        for (i = 0; ws_header_walk(c, "accept", &walk, &item) && i < 20; i++) {
            other = ws_header_item(c, "Accept", i);
            CHECK(other.data == item.data && other.size == item.size && item.size);
        }
        CHECK(i < 20 && !ws_header_item(c, "Accept", i).data);
        CHECK(!ws_header_walk(c, "accept", &walk, &item));
        ws_free(c);
        buf_free(&b);
    }
}

/* ---- messages in many frames ---- */

static void ignores(end *e, const ws_event *ev) { (void)e; (void)ev; }

/* For cfg.resolve: the answer does not come. */
static void later_asks(void *user, ws_conn *c, const char *host)
{
    (void)user; (void)c; (void)host;
}

static size_t taken;        /* bytes that were asked for, in all */

static void *counts_all(void *user, void *old, size_t old_size, size_t new_size)
{
    taken += new_size;
    return heap_alloc(user, old, old_size, new_size);
}

/* A message in as many frames as may be is not copied again for each of them. */
TEST(field_18_fragments_cost_what_they_hold)
{
    enum { EACH = 250, FRAMES = 4000 };
    static char filling[EACH];
    static pair m;
    int kind, i;

    for (kind = 0; kind < KINDS; kind++) {
        heap h;
        buf b = { 0 };
        ws_config cfg;
        memset(&h, 0, sizeof h);
        memset(&cfg, 0, sizeof cfg);
        cfg.alloc = counts_all;
        cfg.alloc_user = &h;
        app = ignores;
        pair_open(&m, kind, &cfg);
        for (i = 0; i < FRAMES; i++)
            put_frame(&b, (i ? 0 : 2) | (i == FRAMES - 1 ? 0x80 : 0), pair_serves(&m),
                      filling, EACH, 0);
        taken = 0;
        CHECK_INT(pair_write(&m, b.p, b.n, 5000), 0);
        UNTIL(m.end.messages == 1, 2000);
        CHECK(taken < 12 * EACH * FRAMES);
        if (taken >= 12 * EACH * FRAMES)
            printf("    kind %d: %lu bytes\n", kind, (unsigned long)taken);
        buf_free(&b);
        pair_over(&m);
        CHECK_INT(h.live, 0);
    }
}

/* ==== 19: files in the place of a unix socket ======================================= */

static void place_gone(void);

/* Where the files of a test are. */
static const char *place(void)
{
    static char path[64];

    if (!*path) {
        snprintf(path, sizeof path, "/tmp/ws_h_field_%ld", (long)getpid());
        CHECK_INT(mkdir(path, 0700), 0);
        atexit(place_gone);
    }
    return path;
}

/* The path of a file there; "unix:" in front. */
static const char *path_of(const char *name)
{
    static char path[8][400];
    static int next;
    char *at = path[next++ % 8];

    snprintf(at, sizeof path[0], "%s/%s", place(), name);
    return at;
}

static const char *address_of(const char *name)
{
    static char text[4][410];
    static int next;
    char *at = text[next++ % 4];

    snprintf(at, sizeof text[0], "unix:%s", path_of(name));
    return at;
}

/* Takes all files there away. */
static void tidy(void)
{
    DIR *all = opendir(place());
    struct dirent *one;

    while (all && (one = readdir(all)) != NULL) {
        if (one->d_name[0] == '.') continue;
        if (unlink(path_of(one->d_name))) rmdir(path_of(one->d_name));
    }
    if (all) closedir(all);
}

static void place_gone(void)
{
    tidy();
    rmdir(place());
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un a;

    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    CHECK(strlen(path) < sizeof a.sun_path);
    strcpy(a.sun_path, path);
    return a;
}

/* A socket of somebody else's at a path; backlog -1: it does not listen. */
static int unix_listen(const char *path, int type, int backlog)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, type, 0);

    CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a));
    if (backlog >= 0) CHECK_INT(listen(fd, backlog), 0);
    return fd;
}

/* Connects without waiting; -1 if it cannot. */
static int unix_connect(const char *path)
{
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (!connect(fd, (struct sockaddr *)&a, sizeof a)) return fd;
    close(fd);
    return -1;
}

static void make_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int same_file(const char *path, const struct stat *was)
{
    struct stat is;

    return !lstat(path, &is) && is.st_dev == was->st_dev && is.st_ino == was->st_ino &&
           is.st_mode == was->st_mode && is.st_size == was->st_size;
}

/* What stands at a path stays, and ws_listen says which path and why not. */
static void refuses(const char *name)
{
    const char *text;
    struct stat was;
    int r;

    CHECK_INT(lstat(path_of(name), &was), 0);
    r = ws_listen(loop, address_of(name), NULL);
    CHECK_INT(r, WS_ERR_LISTEN);
    CHECK(same_file(path_of(name), &was));
    text = strstr(ws_loop_error_text(loop), address_of(name));
    CHECK(text && strlen(text) > strlen(address_of(name)) + 4);
    if (r >= 0) ws_unlisten(loop, r);
}

/* Only a socket may be replaced: files, directories, pipes and links stay as they are. */
TEST(field_19_nothing_but_a_socket_is_replaced)
{
    static const char *const names[] = { "file",    "empty",      "directory", "pipe",
                                         "to_file", "to_nothing", "to_socket", "to_stale",
                                         "socket",  "stale" };
    char text[16] = "";
    size_t i;
    int fd, answers;

    loop = ws_loop_new(NULL);
    make_file(path_of("file"), "precious");
    make_file(path_of("empty"), "");
    CHECK_INT(mkdir(path_of("directory"), 0700), 0);
    CHECK_INT(mkfifo(path_of("pipe"), 0600), 0);
    CHECK_INT(symlink(path_of("file"), path_of("to_file")), 0);
    CHECK_INT(symlink(path_of("nothing"), path_of("to_nothing")), 0);
    CHECK_INT(symlink(path_of("socket"), path_of("to_socket")), 0);
    CHECK_INT(symlink(path_of("stale"), path_of("to_stale")), 0);
    answers = unix_listen(path_of("socket"), SOCK_STREAM, 8);
    close(unix_listen(path_of("stale"), SOCK_STREAM, 8));
    for (i = 0; i < COUNT(names) - 1; i++) refuses(names[i]);
    fd = open(path_of("file"), O_RDONLY);
    CHECK_INT(fd < 0 ? -1 : read(fd, text, sizeof text - 1), 8);
    CHECK_STR(text, "precious");
    if (fd >= 0) close(fd);
    CHECK_INT(access(path_of("stale"), F_OK), 0);
    close(answers);
    tidy();
    over();
}

/* Nor a socket that somebody has: of any type, listened on by others or by the loop
   itself. */
TEST(field_19_sockets_in_use_stay)
{
    static const char *const names[] = { "stream", "datagrams", "packets", "own" };
    int fds[3], other, own, i;

    loop = ws_loop_new(NULL);
    fds[0] = unix_listen(path_of("stream"), SOCK_STREAM, 8);
    fds[1] = unix_listen(path_of("datagrams"), SOCK_DGRAM, -1);
    fds[2] = unix_listen(path_of("packets"), SOCK_SEQPACKET, 8);
    own = ws_listen(loop, address_of("own"), NULL);
    CHECK(own >= 0);
    for (i = 0; i < 4; i++) refuses(names[i]);
    other = unix_connect(path_of("stream"));
    CHECK(other >= 0);
    close(other);
    other = unix_connect(path_of("own"));
    CHECK(other >= 0);
    close(other);
    for (i = 0; i < 3; i++) close(fds[i]);
    over();
    tidy();
}

/* Runs f in a child process: what it returned (0..99), or -1 if it did not end in
   time. */
static int in_child(int (*f)(void))
{
    uint64_t start = now_ms();
    int status = 0, ended = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) _exit(f());
    while (!ended && now_ms() - start < 15000) {
        ended = waitpid(pid, &status, WNOHANG) == pid;
        if (!ended) usleep(1000);
    }
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int listens_on_full(void)
{
    ws_loop *l = ws_loop_new(NULL);
    int r = ws_listen(l, address_of("full"), NULL);

    ws_loop_free(l);
    return r == WS_ERR_LISTEN ? 1 : r >= 0 ? 2 : 3;
}

/* A server that is too busy to answer has its socket all the same, and is not waited
   for. */
TEST(field_19_a_full_queue_is_an_answer)
{
    int fd = unix_listen(path_of("full"), SOCK_STREAM, 0), waiting[8], n = 0;
    struct stat was;

    while (n < 8 && (waiting[n] = unix_connect(path_of("full"))) >= 0) n++;
    CHECK(n > 0 && n < 8 && errno == EAGAIN);
    CHECK_INT(lstat(path_of("full"), &was), 0);
    CHECK_INT(in_child(listens_on_full), 1);
    CHECK(same_file(path_of("full"), &was));
    while (n) close(waiting[--n]);
    close(fd);
    tidy();
}

/* The socket of a server that died is replaced, and serves. */
TEST(field_19_a_stale_socket_is_replaced)
{
    end s, c;
    int driver;

    for (driver = 0; driver < DRIVERS; driver++) {
        char url[420];
        ws_config cfg;
        ws_conn *x;
        memset(&s, 0, sizeof s);
        memset(&cfg, 0, sizeof cfg);
        cfg.user = &s;
        close(unix_listen(path_of("stale"), SOCK_STREAM, 8));
        loop = ws_loop_new(NULL);
        CHECK(ws_listen(loop, address_of("stale"), &cfg) >= 0);
        cfg = client_config(&c);
        snprintf(url, sizeof url, "ws+unix:%s:/x", path_of("stale"));
        x = visit(driver, url, &cfg);
        UNTIL(c.opens, 1000);
        CHECK_INT(ws_send_text(x, "hello"), 0);
        UNTIL(c.messages, 1000);
        CHECK_STR(c.text, "hello");
        leave(&c, x);
        over();
        unlink(path_of("stale"));
    }
    tidy();
}

enum { BY_UNLISTEN, BY_SHUTDOWN, BY_FREE, ENDS };

/* Ends the loop's listener l in one of the ways. */
static void listener_ends(int way, int l)
{
    if (way == BY_UNLISTEN) ws_unlisten(loop, l);
    if (way == BY_SHUTDOWN) ws_shutdown(loop, 1001, NULL, 1000);
    if (way != BY_FREE) return;
    ws_loop_free(loop);
    loop = NULL;
}

/* Our own socket goes when its listener ends, whichever way; so the next one finds no
   trace. */
TEST(field_19_our_socket_goes_with_its_listener)
{
    int way, times;

    for (way = 0; way < ENDS; way++) for (times = 0; times < 2; times++) {
        struct stat is;
        int l, other;
        loop = ws_loop_new(NULL);
        other = ws_listen(loop, address_of("other"), NULL);
        l = ws_listen(loop, address_of("own"), NULL);
        CHECK(l >= 0 && other >= 0);
        CHECK(!lstat(path_of("own"), &is) && S_ISSOCK(is.st_mode));
        listener_ends(way, l);
        CHECK(lstat(path_of("own"), &is) && errno == ENOENT);
        CHECK_INT(lstat(path_of("other"), &is) != 0, way != BY_UNLISTEN);
        over();
        CHECK(lstat(path_of("other"), &is) && errno == ENOENT);
        unlink(path_of("own"));
        unlink(path_of("other"));
    }
    tidy();
}

enum { NEW_FILE, NEW_SOCKET, NEW_LINK, NEW_DIRECTORY, NEWS };

/* Whatever somebody put in its place stays, also if our socket lives on under another
   name. */
TEST(field_19_what_took_its_place_stays)
{
    int way, what, moves;

    for (way = 0; way < ENDS; way++) for (what = 0; what < NEWS; what++)
        for (moves = 0; moves < 2; moves++) {
            struct stat was;
            int l, fd = -1;
            loop = ws_loop_new(NULL);
            l = ws_listen(loop, address_of("own"), NULL);
            CHECK(l >= 0);
            if (moves) CHECK_INT(rename(path_of("own"), path_of("moved")), 0);
            else CHECK_INT(unlink(path_of("own")), 0);
            if (what == NEW_FILE) make_file(path_of("own"), "new");
            if (what == NEW_SOCKET) fd = unix_listen(path_of("own"), SOCK_STREAM, 8);
            if (what == NEW_LINK) CHECK_INT(symlink(path_of("moved"), path_of("own")), 0);
            if (what == NEW_DIRECTORY) CHECK_INT(mkdir(path_of("own"), 0700), 0);
            CHECK_INT(lstat(path_of("own"), &was), 0);
            listener_ends(way, l);
            over();
            CHECK(same_file(path_of("own"), &was));
            if (fd >= 0) close(fd);
            tidy();
        }
}

/* Memory that runs out behind the bind leaves no socket behind. */
TEST(field_19_a_failed_listener_leaves_no_socket)
{
    int fail, failed = 0;

    for (fail = 1; fail < 4; fail++) {
        heap m;
        ws_config cfg;
        struct stat is;
        int r;
        memset(&m, 0, sizeof m);
        memset(&cfg, 0, sizeof cfg);
        cfg.alloc = heap_alloc;
        cfg.alloc_user = &m;
        loop = ws_loop_new(&cfg);
        m.fail_at = m.calls + fail;
        r = ws_listen(loop, address_of("own"), NULL);
        failed += r < 0;
        if (r < 0) CHECK(lstat(path_of("own"), &is) && errno == ENOENT);
        over();
        CHECK_INT(m.live, 0);
        unlink(path_of("own"));
    }
    CHECK(failed > 0);
    tidy();
}

static int frees_the_loop(void)
{
    ws_loop_free(loop);
    return 0;
}

/* A child process that frees its copy of the loop does not take the socket away. */
TEST(field_19_a_child_leaves_the_socket)
{
    struct stat was;
    int fd;

    loop = ws_loop_new(NULL);
    CHECK(ws_listen(loop, address_of("own"), NULL) >= 0);
    CHECK_INT(lstat(path_of("own"), &was), 0);
    CHECK_INT(in_child(frees_the_loop), 0);
    CHECK(same_file(path_of("own"), &was));
    fd = unix_connect(path_of("own"));
    CHECK(fd >= 0);
    close(fd);
    over();
    tidy();
}

/* A raw connection to an abstract name of Linux; -1 if nobody listens there. */
static int abstract_connect(const char *name)
{
    struct sockaddr_un a = unix_address("");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(a.sun_path + 1, name, strlen(name));
    if (!connect(fd, (struct sockaddr *)&a,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))))
        return fd;
    close(fd);
    return -1;
}

/* "unix:@name" is no file: an abstract socket of Linux, and an error elsewhere. */
TEST(field_19_abstract_names)
{
    char name[40], address[60], here[1000], longest[120];
    ws_config cfg;
    end s;
    peer r;
    int l, way;

    CHECK(getcwd(here, sizeof here) != NULL);
    CHECK_INT(chdir(place()), 0);           /* a file of that name would be here */
    snprintf(name, sizeof name, "ws_h_field_%ld", (long)getpid());
    snprintf(address, sizeof address, "unix:@%s", name);
    for (way = 0; way < ENDS; way++) {
        memset(&s, 0, sizeof s);
        memset(&r, 0, sizeof r);
        memset(&cfg, 0, sizeof cfg);
        cfg.user = &s;
        loop = ws_loop_new(NULL);
        l = ws_listen(loop, address, &cfg);
#ifdef __linux__
        CHECK(l >= 0 && access(address + 5, F_OK));
        CHECK_INT(ws_listen(loop, address, &cfg), WS_ERR_LISTEN);
        r.fd = abstract_connect(name);
        CHECK(r.fd >= 0);
        if (r.fd >= 0) {
            peer_take(&r, r.fd);
            peer_text(&r, REQUEST);
            UNTIL(s.opens, 1000);
            peer_end(&r, 0);
        }
        listener_ends(way, l);
        CHECK(abstract_connect(name) < 0);
        CHECK(ws_listen(loop, "unix:@", &cfg) < 0);
        memset(longest, 'x', sizeof longest);
        memcpy(longest, "unix:@", 6);
        longest[5 + 109] = 0;               /* a letter more than fits */
        if (way == BY_FREE) loop = ws_loop_new(NULL);
        if (way != BY_SHUTDOWN)
            CHECK_INT(ws_listen(loop, longest, &cfg), WS_ERR_ARGUMENT);
#else
        CHECK(l < 0 && l != WS_ERR_MEMORY);
#endif
        over();
    }
    unlink(address + 5);
    CHECK_INT(chdir(here), 0);
    tidy();
}

/* Where URLs have abstract names, clients get there. */
TEST(field_19_abstract_names_in_urls)
{
    char name[40], text[100];
    int driver;

    snprintf(name, sizeof name, "@ws_h_field_%ld", (long)getpid());
    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg;
        ws_url url;
        ws_conn *x;
        end s, c;
        snprintf(text, sizeof text, "ws+unix:%s:/x", name);
        if (ws_url_parse(text, strlen(text), &url)) return;
        memset(&s, 0, sizeof s);
        memset(&cfg, 0, sizeof cfg);
        cfg.user = &s;
        snprintf(text, sizeof text, "unix:%s", name);
        loop = ws_loop_new(NULL);
        CHECK(ws_listen(loop, text, &cfg) >= 0);
        cfg = client_config(&c);
        snprintf(text, sizeof text, "ws+unix:%s:/x", name);
        x = visit(driver, text, &cfg);
        UNTIL(c.opens && s.opens, 1000);
        leave(&c, x);
        over();
    }
}

/* ==== 20: whose memory it is, and until when ======================================== */

static int inside(const void *p, const void *block, size_t n)
{
    return (uintptr_t)p - (uintptr_t)block < n;
}

/* Does the loop know an address in the block? */
static int loop_holds(const ws_loop *l, const void *block, size_t n)
{
    const ws_conn *c;
    uint32_t i;

    for (i = 1; i <= l->heap_count; i++) if (inside(l->heap[i], block, n)) return 1;
    for (c = l->queue; c; c = inside(c, block, n) ? NULL : c->link)
        if (inside(c, block, n)) return 1;
    return 0;
}

/* The call has returned: the block is ours again, if the loop does not hold it. 1 if
   so. */
static int block_back(void *block, size_t n, const void *conn)
{
    int held = loop_holds(loop, block, n) || (conn && inside(conn, block, n));

    CHECK(!held);
    if (held) return 0;
    memset(block, 0xDD, n);
    free(block);
    return 1;
}

/* The loop goes on for a while. */
static void loop_runs(void)
{
    int i;

    for (i = 0; i < 3; i++) {
        serve(1);
        skipped += 20000;
    }
}

/* A connection of a loop with memory of the caller's is refused, in words; nothing of
   that block is used after the call. size: of the block; bytes: that were read
   already. */
static void adopts(size_t size, size_t bytes, int shift, int by_io)
{
    char *block = (char *)malloc(size + (size_t)shift),
         *data = (char *)calloc(1, bytes + 1);
    peer r;
    end s;
    ws_config cfg;
    ws_conn *c;
    int two[2], back;

    memset(&s, 0, sizeof s);
    memset(&r, 0, sizeof r);
    memset(&cfg, 0, sizeof cfg);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
    peer_take(&r, two[0]);
    cfg.user = &s;
    cfg.memory = block + shift;
    cfg.memory_size = size;
    if (by_io) cfg.io = r.io;
    if (bytes >= sizeof REQUEST - 1) memcpy(data, REQUEST, sizeof REQUEST - 1);
    loop = ws_loop_new(NULL);
    c = ws_adopt(loop, by_io ? -1 : two[1], data, bytes, &cfg);
    back = block_back(block, size + (size_t)shift, c);
    if (c && back) {
        UNTIL(s.closes, 1000);
        CHECK_INT(s.error, WS_ERR_ARGUMENT);
        CHECK(contains(s.reason, "memory") && !s.opens);
    } else if (!c) {
        CHECK(fcntl(two[1], F_GETFD) >= 0);
        CHECK(contains(ws_loop_error_text(loop), "memory"));
    }
    if (!c || by_io) close(two[1]);
    loop_runs();
    over();
    close(two[0]);
    if (!back) free(block);
    free(data);
}

TEST(field_20_a_loop_adopts_nothing_in_a_block)
{
    static const size_t sizes[] = {
        64, 1000, WS_MEMORY_SIZE(256, 256), WS_MEMORY_SIZE(4096, 4096)
    };
    size_t i;
    int by_io, shift;

    for (i = 0; i < COUNT(sizes); i++) for (by_io = 0; by_io < 2; by_io++)
        for (shift = 0; shift < 5; shift += 4) {
            adopts(sizes[i], 0, shift, by_io);
            adopts(sizes[i], sizeof REQUEST - 1, shift, by_io);
            adopts(sizes[i], 10000, shift, by_io);      /* more than fits into it */
        }
}

/* Nor does it dial with one; and it listens with none. */
TEST(field_20_a_loop_dials_with_no_block)
{
    static const char *const urls[] = {
        "ws://127.0.0.1:1/", "ws://name.example/", "ws+unix:/nowhere:/", "nonsense"
    };
    size_t i, n = WS_MEMORY_SIZE(4096, 4096);

    for (i = 0; i < COUNT(urls); i++) {
        void *block = malloc(n);
        ws_config cfg;
        ws_conn *c;
        end e;
        int back;
        loop = ws_loop_new(NULL);
        cfg = client_config(&e);
        cfg.memory = block;
        cfg.memory_size = n;
        c = visit(LOOP, urls[i], &cfg);
        back = block_back(block, n, c);
        if (c && back) UNTIL(e.closes, 1000);
        if (c && back && i < 3)
            CHECK(e.error == WS_ERR_ARGUMENT && contains(e.reason, "memory"));
        if (!c) CHECK(contains(ws_loop_error_text(loop), "memory"));
        loop_runs();
        over();
        if (!back) free(block);
    }
    loop = ws_loop_new(NULL);
    {
        void *block = malloc(n);
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.memory = block;
        cfg.memory_size = n;
        CHECK_INT(ws_listen(loop, ":0", &cfg), WS_ERR_ARGUMENT);
        CHECK(contains(ws_loop_error_text(loop), "memory"));
        block_back(block, n, NULL);
    }
    over();
}

/* A loop of one's own still adopts with a block, and ws_free gives it back. */
TEST(field_20_own_loops_adopt_in_a_block)
{
    static pair m;
    size_t n = WS_MEMORY_SIZE(4096, 4096);
    void *block = malloc(n);
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.memory = block;
    cfg.memory_size = n;
    pair_open(&m, ADOPTED, &cfg);
    pair_say(&m, "81'hello'");
    UNTIL(m.end.messages, 1000);
    CHECK_STR(m.end.text, "hello");
    ws_free(m.c);
    CHECK(block_back(block, n, NULL));
    clients[0] = NULL;
    pass(5);
    peer_over(&m.peer);
    over();
}

/* Where a client stands when it is freed. */
enum {
    AT_LOOKUP,
    AT_LOOKUP_OF_OURS,
    AT_CONNECT,
    AT_HANDSHAKE,
    AT_OPEN,
    AT_DOWN,
    AT_CLOSE,
    PLACES
};

/* Clients with a block: it is free when ws_free returns, whatever was under way. */
TEST(field_20_blocks_are_free_after_ws_free)
{
    int driver, at;

    for (driver = BLOCKING; driver <= OWN; driver++) for (at = 0; at < PLACES; at++) {
        size_t n = WS_MEMORY_SIZE(4096, 4096);
        void *block = malloc(n);
        ws_config cfg, serves;
        const char *url;
        ws_conn *x;
        end s, c;
        int l, named = at == AT_LOOKUP || at == AT_LOOKUP_OF_OURS;
        if (driver == BLOCKING && at < AT_OPEN) { free(block); continue; }
        memset(&s, 0, sizeof s);
        memset(&serves, 0, sizeof serves);
        serves.user = &s;
        l = listen_on(&serves);
        url = url_of("ws", named ? "localhost" : "127.0.0.1", l);
        cfg = client_config(&c);
        if (at == AT_LOOKUP) cfg.resolve = NULL;
        if (at == AT_LOOKUP_OF_OURS) cfg.resolve = later_asks;
        cfg.reconnect = at == AT_DOWN ? 60000 : 0;
        cfg.memory = block;
        cfg.memory_size = n;
        x = visit(driver, url, &cfg);
        if (at == AT_HANDSHAKE) ws_step(x);
        if (at >= AT_OPEN) UNTIL(c.opens && s.opens, 1000);
        if (at == AT_CLOSE) ws_close(x, 1000, "bye");
        if (at == AT_DOWN) ws_drop(s.c);
        if (at > AT_OPEN) UNTIL(at == AT_DOWN ? c.downs : c.closes, 1000);
        leave(&c, x);
        CHECK(block_back(block, n, NULL));
        pass(5);                            /* a thread may still look the name up */
        over();
    }
}

/* ==== 24: descriptors and child processes =========================================== */

/* No descriptor of the library's would stay open in a program that the application
   starts: not for a moment, as another thread may start one at any time. */
TEST(field_24_descriptors_close_on_exec)
{
    ws_config cfg, serves;
    char url[420];
    int before[256], i, l, driver, way;
    end s, c;

    close(unix_listen(path_of("stale"), SOCK_STREAM, 8));
    for (i = 0; i < 256; i++) before[i] = fcntl(i, F_GETFD) >= 0;
    memset(&births, 0, sizeof births);
    births.on = 1;
    memset(&s, 0, sizeof s);
    memset(&serves, 0, sizeof serves);
    serves.user = &s;
    serves.reuse_port = 1;
    l = listen_on(&serves);
    serves.reuse_port = 0;
    CHECK(ws_listen(loop, address_of("stale"), &serves) >= 0);
    snprintf(url, sizeof url, "ws+unix:%s:/x", path_of("stale"));
    for (driver = 0; driver < DRIVERS; driver++) for (way = 0; way < 3; way++) {
        ws_conn *x;
        cfg = client_config(&c);
        if (way == 1) cfg.resolve = NULL;       /* a thread looks the name up */
        memset(&s, 0, sizeof s);
        x = visit(driver, way == 2 ? url : url_of("ws", "localhost", l), &cfg);
        UNTIL(c.opens && s.opens, 2000);
        for (i = 3; i < 256; i++)
            if (!before[i] && fcntl(i, F_GETFD) >= 0)
                CHECK(fcntl(i, F_GETFD) & FD_CLOEXEC);
        leave(&c, x);
        UNTIL(s.closes, 1000);
    }
    births.on = 0;
    CHECK(births.made > 20);
    CHECK_INT(births.bare, 0);
    if (births.bare) printf("    the first by %s\n", births.first);
    over();
    tidy();
}

/* A server with a peer by hand, a client in the same loop, and a unix socket. */
typedef struct family {
    pair m;
    end c, u;
    ws_conn *x;
    int port;
} family;

static void family_new(family *f, const ws_config *set)
{
    ws_config cfg;

    pair_open(&f->m, ACCEPTED, set);
    cfg = client_config(&f->c);
    f->port = ws_listen_port(loop, 0);
    memset(&f->u, 0, sizeof f->u);
    memset(&f->c, 0, sizeof f->c);
    if (!set) {
        ws_config serves;
        memset(&serves, 0, sizeof serves);
        serves.user = &f->u;
        CHECK(ws_listen(loop, address_of("own"), &serves) == 1);
        f->x = visit(LOOP, url_of("ws", "127.0.0.1", 0), &cfg);
        UNTIL(f->c.opens && f->m.end.opens == 2, 1000);
        f->m.c = NULL;
    }
}

/* All of it is as before: peers were told nothing, old and new connections work. */
static void family_works(family *f)
{
    peer other;
    end u;
    int posted = 0, fd;
    ws_event ev;

    pass(20);
    CHECK(!f->m.peer.ended && f->m.peer.n == 0);
    pair_say(&f->m, "81'hello'");
    UNTIL(contains(f->m.peer.in, "hello"), 1000);
    f->m.peer.n = 0;
    if (f->x && !f->c.closes) CHECK_INT(ws_send_text(f->x, "echo"), 0);
    UNTIL(f->c.messages, 1000);
    CHECK_STR(f->c.text, "echo");
    memset(&other, 0, sizeof other);
    u = f->m.end;
    peer_connect(&other, f->port);
    peer_text(&other, REQUEST);
    UNTIL(f->m.end.opens == u.opens + 1, 1000);
    peer_end(&other, 0);
    CHECK_INT(ws_post(loop, &posted), 0);
    while (!posted && ws_poll(loop, &ev, 5000) > 0) {
        posted = ev.type == WS_EV_POST && ev.data == &posted;
        if (ev.conn) note(&ev);
    }
    CHECK(posted);
    fd = unix_connect(path_of("own"));
    CHECK(fd >= 0);
    if (fd >= 0) {
        peer_take(&other, fd);
        peer_text(&other, REQUEST);
        UNTIL(f->u.opens, 1000);
        peer_end(&other, 0);
    }
}

/* A child process may free its copy of the loop: the parent's goes on as if nothing had
   been. */
TEST(field_24_a_child_frees_its_loop)
{
    static family f;
    int times;

    family_new(&f, NULL);
    for (times = 0; times < 2; times++) {
        CHECK_INT(in_child(frees_the_loop), 0);
        family_works(&f);
        f.c.messages = f.u.opens = 0;
        if (test_faults) break;
    }
    leave(&f.c, f.x);
    pair_over(&f.m);
    tidy();
}

static ws_conn *queued_on;

/* What waits to be sent is the parent's to send. */
TEST(field_24_a_child_sends_nothing)
{
    static family f;
    buf want = { 0 };
    ws_config cfg;
    int big;

    for (big = 0; big < 2; big++) {
        static char filling[20000];
        memset(&cfg, 0, sizeof cfg);
        family_new(&f, &cfg);
        queued_on = f.m.c;
        buf_clear(&want);
        put_frame(&want, 0x81, 0, "once", 4, 0);
        if (big) put_frame(&want, 0x82, 0, filling, sizeof filling, 0);
        CHECK_INT(ws_send_text(queued_on, "once"), 0);
        if (big) CHECK_INT(ws_send(queued_on, WS_OP_BINARY, filling, sizeof filling), 0);
        CHECK_INT(in_child(frees_the_loop), 0);
        UNTIL(f.m.peer.n >= want.n, 1000);
        pass(10);
        CHECK(f.m.peer.n == want.n && !memcmp(f.m.peer.in, want.p, want.n) &&
              !f.m.peer.ended);
        pair_over(&f.m);
    }
    buf_free(&want);
}

/* ---- a wrap that says goodbye, as TLS does ---- */

static ws_io below;
static int goodbyes;

static ptrdiff_t through_read(void *user, void *b, size_t n)
{
    (void)user;
    return below.read(below.user, b, n);
}

static ptrdiff_t through_write(void *user, const void *b, size_t n)
{
    (void)user;
    return below.write(below.user, b, n);
}

static void through_close(void *user)
{
    (void)user;
    goodbyes++;
    below.write(below.user, "goodbye", 7);
}

static int wraps(void *user, ws_conn *c, ws_io *io, const char *host)
{
    (void)user; (void)c; (void)host;
    below = *io;
    io->read = through_read;
    io->write = through_write;
    io->close = through_close;
    return 0;
}

static int says_goodbye(void)
{
    goodbyes = 0;
    ws_loop_free(loop);
    return goodbyes;
}

/* TLS in the child is closed, but the peer does not hear of it. */
TEST(field_24_a_child_says_no_goodbye)
{
    static family f;
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.wrap = wraps;
    family_new(&f, &cfg);
    CHECK_INT(in_child(says_goodbye), 1);
    pass(20);
    CHECK(f.m.peer.n == 0 && !f.m.peer.ended);
    pair_say(&f.m, "81'hello'");
    UNTIL(contains(f.m.peer.in, "hello"), 1000);
    ws_free(f.m.c);
    UNTIL(contains(f.m.peer.in, "goodbye"), 1000);
    pair_over(&f.m);
}

/* ==== 25: addresses that the application refuses ==================================== */

/* What cfg.allow_address was asked, and which it refuses: those with that text in
   them. */
static struct {
    int asked, times;
    char seen[16][120];
    const char *refused;        /* NULL: none */
    int at_first;               /* so many are refused, whatever they are */
    const char *answer;         /* of cfg.resolve */
    ws_conn *waits;             /* for it */
    end *user;
} gate;

static int gate_opens(void *user, ws_conn *c, const char *address)
{
    CHECK(user == &gate && c && ws_is_client(c) && ws_user(c) == gate.user);
    if (gate.asked < 16)
        snprintf(gate.seen[gate.asked], sizeof gate.seen[0], "%s", address);
    gate.asked++;
    return gate.asked > gate.at_first &&
           !(gate.refused && contains(address, gate.refused));
}

static void gate_resolves(void *user, ws_conn *c, const char *host)
{
    (void)user; (void)host;
    if (gate.answer) CHECK_INT(ws_resolved(c, gate.answer), 0);
    else gate.waits = c;
}

static ws_config gated(end *e, const char *refused)
{
    ws_config cfg = client_config(e);

    memset(&gate, 0, sizeof gate);
    gate.user = e;
    gate.refused = refused;
    gate.answer = "127.0.0.1";
    cfg.allow_address = gate_opens;
    cfg.allow_address_user = &gate;
    cfg.resolve = gate_resolves;
    return cfg;
}

/* Was it asked for this address and no other? port 0: there is none in it. */
static void was_asked(const char *address, int port)
{
    char want[140];

    if (port) snprintf(want, sizeof want, "%s:%d", address, port);
    else snprintf(want, sizeof want, "%s", address);
    CHECK_INT(gate.asked, 1);
    CHECK_STR(gate.seen[0], want);
}

/* The words for a refusal: which address, and by whom. */
static void is_refused(const end *e, const ws_conn *c, const char *address)
{
    CHECK_INT(e->error, WS_ERR_CONNECT);
    CHECK(contains(e->reason, address));
    CHECK(contains(e->reason, "application") || contains(e->reason, "allow_address"));
    if (c) CHECK_STR(ws_error_text(c), e->reason);
}

static int serves_for(end *s)
{
    ws_config cfg;

    memset(s, 0, sizeof *s);
    memset(&cfg, 0, sizeof cfg);
    cfg.user = s;
    return listen_on(&cfg);
}

/* One visit to url in a driver, let in or refused. answer: of cfg.resolve; NULL: the
   system looks names up. */
static void gate_visit(int driver, const char *url, int refuses, const char *answer,
                       const char *address, int port)
{
    ws_config cfg;
    ws_conn *x;
    end c;

    cfg = gated(&c, refuses ? "" : NULL);
    gate.answer = answer;
    if (!answer) cfg.resolve = NULL;
    line_fresh();
    x = visit(driver, url, &cfg);
    UNTIL(refuses ? c.closes : c.opens, 2000);
    was_asked(address, port);
    if (refuses) {
        is_refused(&c, driver == LOOP ? NULL : x, gate.seen[0]);
        CHECK(!c.opens && line.fd < 0);     /* no socket was made for it */
    }
    leave(&c, x);
}

/* However an address is spelled, it is shown as what it is. */
TEST(field_25_every_spelling)
{
    static const struct { const char *host, *address;
    } all[] = { { "127.0.0.1", "127.0.0.1" },
                { "127.1", "127.0.0.1" },
                { "127.0.1", "127.0.0.1" },
                { "2130706433", "127.0.0.1" },
                { "0x7f.1", "127.0.0.1" },
                { "0x7f000001", "127.0.0.1" },
                { "0177.0.0.1", "127.0.0.1" },
                { "017700000001", "127.0.0.1" },
                { "127.2", "127.0.0.2" },
                { "0", "0.0.0.0" },
                { "[::ffff:127.0.0.1]", "127.0.0.1" },
                { "[::ffff:7f00:1]", "127.0.0.1" },
                { "[0:0:0:0:0:FFFF:127.0.0.3]", "127.0.0.3" },
                { "[::1]", "[::1]" },
                { "[0:0::0:1]", "[::1]" },
                { "name.example", "127.0.0.1" } };
    size_t i;
    int driver, refuses, ours;
    end s;

    for (i = 0; i < COUNT(all); i++) for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) for (ours = 0; ours < 2; ours++) {
            int l, ipv6 = *all[i].address == '[';
            if (!ours && contains(all[i].host, "name")) continue;
            l = serves_for(&s);
            gate_visit(driver, url_of("ws", all[i].host, l), refuses,
                       !ours ? NULL : ipv6 ? "::1" : all[i].address, all[i].address,
                       ws_listen_port(loop, l));
            CHECK(!refuses || !s.opens);
            over();
            if (test_faults) return;
        }
}

/* Ordinary HTTP, and what resolvers answer: also later, also IPv4 in IPv6. */
TEST(field_25_every_way_to_an_address)
{
    static const char *const answers[] = { "127.0.0.1", "::ffff:127.0.0.1", "::1" };
    int driver, refuses, later, http;
    size_t i;
    end s, c;

    for (i = 0; i < COUNT(answers); i++) for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) for (later = 0; later < 2; later++)
            for (http = 0; http < 2; http++) {
                ws_config cfg = gated(&c, refuses ? "" : NULL);
                int l = serves_for(&s);
                ws_conn *x;
                if (later && driver == BLOCKING) { over(); continue; }
                gate.answer = later ? NULL : answers[i];
                cfg.method = http ? "GET" : NULL;
                x = visit(driver, url_of(http ? "http" : "ws", "name.example", l), &cfg);
                if (later) CHECK(gate.waits == x && !gate.asked);
                if (later) CHECK_INT(ws_resolved(x, answers[i]), 0);
                UNTIL(refuses ? c.closes : http ? c.closes && c.clean : c.opens, 2000);
                was_asked(i == 2 ? "[::1]" : "127.0.0.1", ws_listen_port(loop, l));
                if (refuses) is_refused(&c, driver == LOOP ? NULL : x, gate.seen[0]);
                leave(&c, x);
                over();
                if (test_faults) return;
            }
}

/* Names that the system looks up, on a thread. */
TEST(field_25_names_of_the_system)
{
    int driver, refuses, i;
    end s, c;

    for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) {
            ws_config cfg = gated(&c, refuses ? "" : NULL);
            int l = serves_for(&s);
            ws_conn *x;
            cfg.resolve = NULL;
            x = visit(driver, url_of("ws", "localhost", l), &cfg);
            UNTIL(refuses ? c.closes : c.opens, 5000);
            CHECK(gate.asked > 0);
            for (i = 0; i < gate.asked; i++)
                CHECK(contains(gate.seen[i], "127.0.0.1:") ||
                      contains(gate.seen[i], "[::1]:"));
            i = gate.asked ? gate.asked - 1 : 0;
            if (refuses)
                is_refused(&c, driver == LOOP ? NULL : x, gate.seen[i]);
            leave(&c, x);
            over();
            if (test_faults)
                return;
        }
}

/* Of several addresses those that are allowed are tried. */
TEST(field_25_the_next_address)
{
    int driver;
    end s, c;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg = gated(&c, "127.0.0.2");
        int l = serves_for(&s);
        ws_conn *x;
        gate.answer = "127.0.0.2, ::ffff:127.0.0.2, 127.0.0.1";
        x = visit(driver, url_of("ws", "name.example", l), &cfg);
        UNTIL(c.opens, 2000);
        CHECK_INT(gate.asked, 3);
        CHECK(contains(gate.seen[0], "127.0.0.2:") &&
              contains(gate.seen[1], "127.0.0.2:"));
        CHECK(contains(gate.seen[2], "127.0.0.1:"));
        leave(&c, x);
        cfg = gated(&c, "127.0.0.");
        gate.answer = "127.0.0.2, 127.0.0.3, 127.0.0.1";
        x = visit(driver, url_of("ws", "name.example", l), &cfg);
        UNTIL(c.closes, 2000);
        CHECK_INT(gate.asked, 3);
        is_refused(&c, driver == LOOP ? NULL : x, "127.0.0.1:");
        leave(&c, x);
        over();
        if (test_faults) return;
    }
}

/* ---- redirects ---- */

static char moved_to[200];

/* The server of the first address sends everybody elsewhere. */
static void moves(end *e, const ws_event *ev)
{
    ws_header location[] = { { "Location", moved_to }, { NULL, NULL } };

    (void)e;
    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_reject(ev->conn, 302, location, NULL), 0);
    if (ev->type == WS_EV_HTTP)
        CHECK_INT(ws_http_reply(ev->conn, 302, location, NULL, 0), 0);
}

/* Where a redirect leads is asked too: nobody is sent to an address behind the gate. */
TEST(field_25_redirects)
{
    static const char *const hosts[] = { "127.0.0.3", "0x7f.3", "[::ffff:127.0.0.3]" };
    size_t i;
    int driver, refuses;
    end s, t, c;

    for (i = 0; i < COUNT(hosts); i++) for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) {
            ws_config cfg;
            ws_conn *x;
            int first, second;
            char want[60];
            memset(&s, 0, sizeof s);
            memset(&cfg, 0, sizeof cfg);
            cfg.user = &s;
            cfg.ask = 1;
            first = listen_on(&cfg);
            second = serves_for(&t);
            app = moves;
            snprintf(moved_to, sizeof moved_to, "ws://%s:%d/there", hosts[i],
                     ws_listen_port(loop, second));
            cfg = gated(&c, refuses ? "127.0.0.3" : NULL);
            cfg.resolve = NULL;         /* such a name is the system's to look up */
            cfg.max_redirects = 3;
            x = visit(driver, url_of("ws", "127.0.0.1", first), &cfg);
            UNTIL(refuses ? c.closes : c.opens && t.opens, 2000);
            snprintf(want, sizeof want, "127.0.0.3:%d", ws_listen_port(loop, second));
            CHECK_INT(gate.asked, 2);
            CHECK_STR(gate.seen[1], want);
            if (refuses) is_refused(&c, driver == LOOP ? NULL : x, want);
            CHECK_INT(t.opens, !refuses);
            leave(&c, x);
            over();
            if (test_faults) return;
        }
}

/* Each new try is asked for again, and may be let in later. */
TEST(field_25_new_tries)
{
    int driver;
    end s, c;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg = gated(&c, NULL);
        int l = serves_for(&s), asked;
        ws_conn *x;
        cfg.reconnect = 1;
        gate.at_first = 2;
        x = visit(driver, url_of("ws", "127.0.0.1", l), &cfg);
        UNTIL(c.downs, 2000);
        is_refused(&c, NULL, "127.0.0.1:");
        UNTIL(c.opens && s.opens, 2000);
        CHECK(c.downs == 2 && gate.asked == 3);
        gate.at_first = 0;
        asked = gate.asked;
        gate.refused = "";
        ws_drop(s.c);
        UNTIL(c.downs == 4, 2000);
        CHECK(gate.asked > asked && c.opens == 1);
        gate.refused = NULL;
        UNTIL(c.opens == 2, 2000);
        leave(&c, x);
        over();
        if (test_faults) return;
    }
}

/* Unix sockets are addresses as well. */
TEST(field_25_unix_sockets)
{
    char url[420];
    int driver, refuses;
    end s;

    snprintf(url, sizeof url, "ws+unix:%s:/x", path_of("own"));
    for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) {
            ws_config cfg;
            memset(&s, 0, sizeof s);
            memset(&cfg, 0, sizeof cfg);
            cfg.user = &s;
            loop = ws_loop_new(NULL);
            CHECK(ws_listen(loop, address_of("own"), &cfg) >= 0);
            gate_visit(driver, url, refuses, NULL, address_of("own"), 0);
            CHECK(!refuses || !s.opens);
            over();
            unlink(path_of("own"));
            if (test_faults)
                break;
        }
    tidy();
}

/* With a proxy it is the proxy's address that is asked; the server's is the proxy's to
   know. */
TEST(field_25_proxies)
{
    static const char *const forms[] = {
        "http://127.0.0.1:%d", "http://2130706433:%d", "socks5://0x7f.1:%d",
        "http://name.example:%d"
    };
    static peer r;
    size_t i;
    int driver, refuses;
    end s, c;

    for (i = 0; i < COUNT(forms); i++) for (driver = 0; driver < DRIVERS; driver++)
        for (refuses = 0; refuses < 2; refuses++) {
            ws_config cfg = gated(&c, refuses ? "" : NULL);
            int l = serves_for(&s);
            char proxy[60];
            ws_conn *x;
            peer_begin(&r, proxy_turn, NULL);
            snprintf(proxy, sizeof proxy, forms[i], r.port);
            cfg.proxy = proxy;
            x = visit(driver, url_of("ws", "server.example", l), &cfg);
            UNTIL(refuses ? c.closes : c.opens && s.opens, 2000);
            was_asked("127.0.0.1", r.port);
            if (refuses) is_refused(&c, driver == LOOP ? NULL : x, gate.seen[0]);
            if (refuses) CHECK(r.fd < 0 && !s.opens);
            leave(&c, x);
            peer_over(&r);
            over();
            if (test_faults) return;
        }
}

/* A client in a block of its own has the gate and the words too. */
TEST(field_25_clients_in_a_block)
{
    int driver, refuses;
    end s, c;

    for (driver = BLOCKING; driver <= OWN; driver++)
        for (refuses = 0; refuses < 2; refuses++) {
            size_t n = WS_MEMORY_SIZE(4096, 4096);
            void *block = malloc(n);
            ws_config cfg = gated(&c, refuses ? "" : NULL);
            int l = serves_for(&s);
            ws_conn *x;
            cfg.memory = block;
            cfg.memory_size = n;
            x = visit(driver, url_of("ws", "2130706433", l), &cfg);
            UNTIL(refuses ? c.closes : c.opens, 2000);
            was_asked("127.0.0.1", ws_listen_port(loop, l));
            if (refuses)
                is_refused(&c, x, gate.seen[0]);
            leave(&c, x);
            free(block);
            over();
            if (test_faults)
                return;
        }
}

TESTS(T(field_18_asking_costs_as_much_as_was_sent)
      T(field_18_handshakes_cost_as_much_as_was_sent) T(field_18_bytes_cost_the_same_each)
      T(field_18_walk_gives_each_element) T(field_18_fragments_cost_what_they_hold)
      T(field_19_nothing_but_a_socket_is_replaced) T(field_19_sockets_in_use_stay)
      T(field_19_a_full_queue_is_an_answer) T(field_19_a_stale_socket_is_replaced)
      T(field_19_our_socket_goes_with_its_listener) T(field_19_what_took_its_place_stays)
      T(field_19_a_failed_listener_leaves_no_socket) T(field_19_a_child_leaves_the_socket)
      T(field_19_abstract_names) T(field_19_abstract_names_in_urls)
      T(field_20_a_loop_adopts_nothing_in_a_block) T(field_20_a_loop_dials_with_no_block)
      T(field_20_own_loops_adopt_in_a_block) T(field_20_blocks_are_free_after_ws_free)
      T(field_24_descriptors_close_on_exec) T(field_24_a_child_frees_its_loop)
      T(field_24_a_child_sends_nothing) T(field_24_a_child_says_no_goodbye)
      T(field_25_every_spelling) T(field_25_every_way_to_an_address)
      T(field_25_names_of_the_system) T(field_25_the_next_address) T(field_25_redirects)
      T(field_25_new_tries) T(field_25_unix_sockets) T(field_25_proxies)
      T(field_25_clients_in_a_block))
#endif

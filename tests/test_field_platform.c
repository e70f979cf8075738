/* Faults of platforms that show on this one too: a block of memory at any address, and
   hang-ups that the poller must tell of although nothing is wanted. The compile matrix
   runs it once more with kqueue. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_field_platform: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}

#else

#include "fixture.h"
#include <sys/un.h>

#if defined(WS__POLLER_KQUEUE) && defined(WS__POLLER_EPOLL)
#error "kqueue was asked for"
#endif

/* ---- 39: cfg.memory ---- */

/* An extension that changes nothing, and looks where its states are. */
static int plain_offer(void *user, int i, char *out, size_t n)
{
    (void)user; (void)n;
    *out = 0;
    return i ? -1 : 0;
}

static int plain_accept(void *user, ws_str offer, char *answer, size_t n,
                        uint32_t *agreed)
{
    (void)user; (void)offer; (void)n; (void)agreed;
    *answer = 0;
    return 0;
}

static int plain_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user; (void)answer; (void)agreed;
    return 0;
}

static size_t plain_size(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user; (void)agreed; (void)encode;
    *alone = 0;
    return 24;
}

static int plain_begin(void *user, uint32_t agreed, int encode, void *state)
{
    (void)agreed; (void)encode;
    ++*(int *)user;
    CHECK((uintptr_t)state % 8 == 0);
    memset(state, 1, 24);
    return 0;
}

static int plain_step(void *user, void *state, const void *in, size_t *in_size,
                      void *out, size_t *out_size, int flush)
{
    size_t n = *in_size < *out_size ? *in_size : *out_size;
    int done = n == *in_size;

    (void)user; (void)state; (void)flush;
    if (n) memcpy(out, in, n);
    *in_size = *out_size = n;
    return done;
}

static ws_extension plain_extension(int *begun)
{
    ws_extension x;

    memset(&x, 0, sizeof x);
    x.name = "plain";
    x.rsv = 4;
    x.user = begun;
    x.offer = plain_offer;
    x.accept = plain_accept;
    x.confirm = plain_confirm;
    x.state_size = plain_size;
    x.begin = plain_begin;
    x.encode = x.decode = plain_step;
    return x;
}

#define PLAIN_REQUEST "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Extensions: plain\r\n\r\n"

enum { BLOCK_RECV = 600, BLOCK_SEND = 400, BLOCK_EXTRA = 2000, BLOCK_EDGE = 16 };

/* A connection in size bytes at block + BLOCK_EDGE + shift takes and sends what the
   size promises, and touches nothing besides. with: 1 with strings as many as promised,
   2 with an extension. */
static void block_talks(int client, size_t shift, size_t size, int with)
{
    static char text[300], data[BLOCK_RECV];
    const ws_header headers[] = { { "X-Long", text }, { NULL, NULL } };
    int begun = 0;
    ws_extension plain = plain_extension(&begun);
    const ws_extension *all[2] = { &plain, NULL };
    size_t whole = BLOCK_EDGE + shift + size + BLOCK_EDGE, i;
    uint8_t *block = (uint8_t *)malloc(whole);
    uint8_t *at = block + BLOCK_EDGE + shift;
    world w;
    side s;
    ws_config cfg;

    memset(block, 0xA5, whole);
    memset(text, 't', 240);
    memset(data, 'd', sizeof data);
    world_init(&w);
    cfg = world_config(&w);
    cfg.memory = at;
    cfg.memory_size = size;
    cfg.memory_send = BLOCK_SEND;
    if (with == 1) cfg.headers = headers;
    if (with == 2) cfg.extensions = all, cfg.memory_extension = BLOCK_EXTRA;
    w.h.forbid = 1;
    CHECK_INT(side_new(&s, &w, client, &cfg), 1);
    if (!s.c) { free(block); return; }
    CHECK_INT(ws_error(s.c), 0);
    side_pull(&s);
    w.h.forbid = 0; /* the test's own needs none of it, but side does */
    if (client) side_answer(&s, with == 2 ? "Sec-WebSocket-Extensions: plain\r\n" : NULL);
    else side_feed(&s, with == 2 ? PLAIN_REQUEST : REQUEST,
                   strlen(with == 2 ? PLAIN_REQUEST : REQUEST));
    s.head = client ? s.out.n : head_size(&s.out);
    CHECK_INT(s.opens, 1);
    side_frame(&s, with == 2 ? 0xC2 : 0x82, data, sizeof data - (with == 2 ? 8 : 0));
    CHECK_INT(s.messages, 1);
    CHECK_INT(ws_send(s.c, WS_OP_BINARY, data, BLOCK_SEND - 100), 0);
    side_pull(&s);
    CHECK_INT(s.error, 0);
    CHECK(s.out.n > s.head + BLOCK_SEND - 100);
    if (with == 2) CHECK(begun > 0);
    side_free(&s);
    for (i = 0; i < whole; i++)
        if ((i < BLOCK_EDGE + shift || i >= BLOCK_EDGE + shift + size) &&
            block[i] != 0xA5)
            break;
    CHECK_INT(i, whole);
    free(block);
}

/* a block of WS_MEMORY_SIZE bytes and a few more at every address, both roles */
TEST(field_39_block_at_any_address)
{
    int client, with;
    size_t shift, more;

    for (client = 0; client < 2; client++)
        for (with = 0; with < 3; with++)
            for (shift = 0; shift < 8; shift++)
                for (more = 0; more < 9; more++)
                    block_talks(client, shift,
                                WS_MEMORY_SIZE(BLOCK_RECV, BLOCK_SEND) + more +
                                    (with == 2 ? BLOCK_EXTRA : 0),
                                with);
}

/* a configuration that is wrong says so from any address */
TEST(field_39_fault_at_any_address)
{
    static uint8_t block[WS_MEMORY_SIZE(BLOCK_RECV, BLOCK_SEND) + 8];
    int client;
    size_t shift;

    for (client = 0; client < 2; client++)
        for (shift = 0; shift < 8; shift++) {
            ws_config cfg;
            ws_conn *c;
            int user;
            memset(&cfg, 0, sizeof cfg);
            cfg.memory = block + shift;
            cfg.memory_size = WS_MEMORY_SIZE(BLOCK_RECV, BLOCK_SEND);
            cfg.protocols = "not a token, \"";
            cfg.user = &user;
            c = client ? ws_client_new(URL, &cfg) : ws_server_new(&cfg);
            CHECK(c != NULL);
            CHECK_INT(ws_error(c), WS_ERR_ARGUMENT);
            CHECK(strstr(ws_error_text(c), "protocols") != NULL);
            CHECK(ws_user(c) == &user);
            ws_free(c);
        }
}

/* blocks that are too small are refused at every address, and never overrun */
TEST(field_39_small_blocks)
{
    int client, made = 0, refused = 0;
    size_t shift, size;

    for (client = 0; client < 2; client++)
        for (size = 0; size < 4000; size += size < 2900 ? 97 : 13)
            for (shift = 0; shift < 8; shift++) {
                uint8_t *block = (uint8_t *)malloc(shift + size +
                                                   !size); /* ends with it */
                ws_config cfg;
                ws_conn *c;
                memset(&cfg, 0, sizeof cfg);
                cfg.memory = block + shift;
                cfg.memory_size = size;
                c = client ? ws_client_new(URL, &cfg) : ws_server_new(&cfg);
                if (c) ws_feed(c, REQUEST, sizeof REQUEST - 1);
                made += c != NULL;
                refused += c == NULL;
                ws_free(c);
                free(block);
            }
    CHECK(made > 100);
    CHECK(refused > 100);
}

/* ---- 47: hang-ups while nothing is wanted ---- */

static ws_loop *loop;
static ws_conn *asking;         /* of the last REQUEST, HTTP or OPEN */
static int asked, opened, closed, close_error;

static void note(const ws_event *ev)
{
    if (ev->type == WS_EV_REQUEST || ev->type == WS_EV_HTTP) asked++;
    if (ev->type == WS_EV_OPEN) opened++;
    if (ev->type == WS_EV_CLOSE) {
        closed++;
        close_error = ev->error;
        asking = NULL;
    } else {
        asking = ev->conn;
    }
}

static void turn(void)
{
    ws_event ev;
    int ms = 5;

    while (ws_poll(loop, &ev, ms) > 0) {
        note(&ev);
        ms = 0;
    }
}

/* Turns the loop until cond; a fault after 20 s. */
#define UNTIL(cond) \
    do { \
        uint64_t until_start = ws_loop_now(loop); \
        while (!(cond) && ws_loop_now(loop) - until_start < 20000) turn(); \
        CHECK(cond); \
    } while (0)

static void begin(void)
{
    loop = ws_loop_new(NULL);
    asking = NULL;
    asked = opened = closed = close_error = 0;
}

static void over(void)
{
    ws_loop_free(loop);
    loop = NULL;
}

/* Everything waits for ever, so that no deadline ends what a hang-up should. */
static ws_config patient(void)
{
    ws_config cfg;

    memset(&cfg, 0, sizeof cfg);
    cfg.ask = 1;
    cfg.handshake_timeout = cfg.ping_interval = cfg.idle_timeout = WS_NEVER;
    return cfg;
}

static void say(int fd, const char *text)
{
    CHECK_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), (long long)strlen(text));
}

/* Closes so that the peer gets a reset. */
static void reset(int fd)
{
    struct linger l = { 1, 0 };

    CHECK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    close(fd);
}

static const char plain_get[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";

/* A connected peer of a listener of the loop: over TCP, or a unix socket at path. */
static int peer_of(const char *path)
{
    const ws_config cfg = patient();
    char address[120];
    struct sockaddr_un a;
    int listener, fd;

    if (!path) {
        listener = ws_listen(loop, "127.0.0.1:0", &cfg);
        CHECK(listener >= 0);
        return loopback_connect(ws_listen_port(loop, listener));
    }
    unlink(path);
    snprintf(address, sizeof address, "unix:%s", path);
    listener = ws_listen(loop, address, &cfg);
    CHECK(listener >= 0);
    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!connect(fd, (struct sockaddr *)&a, sizeof a));
    return fd;
}

/* Two ends of a TCP connection: *ours, and the peer's. */
static int pair_of(int *ours)
{
    int port, listener = loopback_listen(&port), fd = loopback_connect(port);

    *ours = accept(listener, NULL, NULL);
    CHECK(*ours >= 0);
    close(listener);
    return fd;
}

/* a request waits for the application's answer and its peer resets: CLOSE comes */
TEST(field_47_reset_while_asked)
{
    int http;

    for (http = 0; http < 2; http++) {
        int fd;
        begin();
        fd = peer_of(NULL);
        say(fd, http ? plain_get : REQUEST);
        UNTIL(asked);
        turn();                         /* the loop knows that nothing is wanted */
        reset(fd);
        UNTIL(closed);
        CHECK_INT(close_error, WS_ERR_IO);
        over();
    }
}

/* the same with more input behind the request, which is not read */
TEST(field_47_reset_behind_unread_input)
{
    int fd;

    begin();
    fd = peer_of(NULL);
    say(fd, REQUEST);
    UNTIL(asked);
    turn();
    say(fd, "what is not read");
    turn();
    reset(fd);
    UNTIL(closed);
    over();
}

/* the same for a connection that was adopted with its request */
TEST(field_47_reset_of_an_adopted_request)
{
    int http, loops;

    for (http = 0; http < 2; http++)
        for (loops = 0; loops < 2; loops++) {
            const char *head = http ? plain_get : REQUEST;
            const ws_config cfg = patient();
            int ours, fd;
            begin();
            fd = pair_of(&ours);
            ws_adopt(loop, ours, head, strlen(head), &cfg);
            UNTIL(asked);
            if (loops) turn();
            reset(fd);
            UNTIL(closed);
            over();
        }
}

/* a peer of a unix socket is gone without a reset */
TEST(field_47_unix_peer_leaves_while_asked)
{
    char path[64];
    int http;

    snprintf(path, sizeof path, "/tmp/ws_field_47_%d.sock", (int)getpid());
    for (http = 0; http < 2; http++) {
        int fd;
        begin();
        fd = peer_of(path);
        say(fd, http ? plain_get : REQUEST);
        UNTIL(asked);
        turn();
        close(fd);
        UNTIL(closed);
        over();
        unlink(path);
    }
}

/* a peer that ends only its own sending still gets its answer */
TEST(field_47_half_close_is_no_hang_up)
{
    char answer[2000];
    size_t n = 0;
    int fd, i;

    begin();
    fd = peer_of(NULL);
    say(fd, plain_get);
    UNTIL(asked);
    turn();
    shutdown(fd, SHUT_WR);
    for (i = 0; i < 20; i++) turn();
    CHECK_INT(closed, 0);
    CHECK_INT(ws_http_reply(asking, 200, NULL, "here", 4), 0);
    while (n < sizeof answer - 1) {
        ssize_t r;
        turn();
        r = recv(fd, answer + n, sizeof answer - 1 - n, MSG_DONTWAIT);
        if (!r || (r < 0 && errno != EAGAIN)) break;
        if (r > 0) n += (size_t)r;
    }
    answer[n] = 0;
    CHECK(strstr(answer, "200 OK") && strstr(answer, "here"));
    close(fd);
    UNTIL(closed);
    over();
}

/* paused, nothing to write, the peer resets: its CLOSE comes when reading goes on, and
   meanwhile the loop sleeps */
TEST(field_47_reset_while_paused)
{
    ws_event ev;
    int fd, woken = 0;

    begin();
    fd = peer_of(NULL);
    say(fd, REQUEST);
    UNTIL(asked);
    ws_accept(asking, NULL);
    UNTIL(opened);
    ws_pause(asking);
    turn();
    reset(fd);
    for (; woken < 20 && ws_poll(loop, &ev, 50) > 0; woken++) note(&ev);
    CHECK(woken < 20);
    CHECK_INT(closed, 0);
    ws_resume(asking);
    UNTIL(closed);
    over();
}

/* wanted again after nothing was: what comes then is told */
TEST(field_47_goes_on_after_the_answer)
{
    int fd, i;

    begin();
    fd = peer_of(NULL);
    say(fd, REQUEST);
    UNTIL(asked);
    for (i = 0; i < 3; i++) turn();
    ws_accept(asking, NULL);
    UNTIL(opened);
    for (i = 0; i < 3; i++) {
        ws_pause(asking);
        turn();
        ws_resume(asking);
        turn();
    }
    reset(fd);
    UNTIL(closed);
    over();
}

TESTS(T(field_39_block_at_any_address) T(field_39_fault_at_any_address)
      T(field_39_small_blocks) T(field_47_reset_while_asked)
      T(field_47_reset_behind_unread_input) T(field_47_reset_of_an_adopted_request)
      T(field_47_unix_peer_leaves_while_asked) T(field_47_half_close_is_no_hang_up)
      T(field_47_reset_while_paused) T(field_47_goes_on_after_the_answer))

#endif

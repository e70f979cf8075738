/* Threats that no other file shows, by the ID of their row; see also sec_ in the others. */
#define WS_IMPLEMENTATION
#include "../ws.h"
#include "test.h"
#ifndef _WIN32
#include <pthread.h>
#endif

static int pattern_random(void *user, void *buf, size_t n)
{
    unsigned char *p = (unsigned char *)buf;
    unsigned *state = (unsigned *)user;
    while (n--) *p++ = (unsigned char)((*state = *state * 1103515245u + 12345u) >> 16);
    return 0;
}

/* Feeds a client an answer that is right but for the extra lines. */
static ws_conn *answered(const char *first, const char *extra, ws_event *ev)
{
    char request_key[25], accept[29], answer[2048];
    size_t n;
    const char *out, *key;
    ws_conn *c = ws_client_new("ws://example.com/", NULL);

    out = (const char *)ws_output(c, &n);
    key = strstr(out, "Sec-WebSocket-Key: ");
    CHECK(key != NULL);
    memcpy(request_key, key + 19, 24);
    request_key[24] = 0;
    ws_output_done(c, n);
    ws_accept_key(request_key, accept);
    sprintf(answer, "%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\n%s\r\n", first, accept, extra);
    CHECK_INT(ws_feed(c, answer, strlen(answer)), strlen(answer));
    CHECK_INT(ws_next(c, ev), 1);
    return c;
}

static void refused_extension(const char *value)
{
    char line[256];
    ws_event ev;
    ws_conn *c;

    sprintf(line, "Sec-WebSocket-Extensions: %s\r\n", value);
    c = answered("HTTP/1.1 101 Switching Protocols", line, &ev);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.error, WS_ERR_EXTENSION);
    ws_free(c);
}

/* window bits that would reach zlib: nothing was offered, so every answer fails */
TEST(sec_B4)
{
    static const char *bits[] = { "1000", "7", "16", "\"\"", "08", "+9", "1e1", "8", "15" };
    char value[128];
    size_t i;

    for (i = 0; i < sizeof bits / sizeof *bits; i++) {
        sprintf(value, "permessage-deflate; server_max_window_bits=%s", bits[i]);
        refused_extension(value);
    }
}

/* the same extension or parameter twice */
TEST(sec_B5)
{
    refused_extension("permessage-deflate, permessage-deflate");
    refused_extension("permessage-deflate; a; a");
    refused_extension("x; y=\"unterminated");
}

/* Upgrade twice in the answer: whichever a proxy believed, we believe none */
TEST(sec_B1_upgrade)
{
    static const char *const first[] = {
        "HTTP/1.1 101 OK", "HTTP/1.1 101 OK\r\nUpgrade: h2c", "HTTP/1.1 101 OK\r\nUpgrade: websocket"
    };
    static const char *const extra[] = { "", "Upgrade: websocket\r\n", "Upgrade: h2c\r\n" };
    int i, k;

    for (i = 0; i < 3; i++) for (k = 0; k < 3; k++) {
        ws_event ev;
        ws_conn *c = answered(first[i], extra[k], &ev);
        CHECK_INT(ev.type, i || k ? WS_EV_CLOSE : WS_EV_OPEN);
        CHECK_INT(ev.error, i || k ? WS_ERR_UPGRADE : 0);
        ws_free(c);
    }
}

/* a redirect is an error with its status and target readable; nobody follows it */
TEST(sec_B8)
{
    static const int status[] = { 301, 302, 303, 307, 308 };
    size_t i, n;

    for (i = 0; i < 5; i++) {
        char first[64];
        ws_event ev;
        ws_conn *c;
        ws_str to;

        sprintf(first, "HTTP/1.1 %d Moved", status[i]);
        c = answered(first, "Location: ws://elsewhere.example/\r\nContent-Length: 0\r\n", &ev);
        CHECK_INT(ev.error, WS_ERR_STATUS);
        CHECK_INT(ws_status(c), status[i]);
        to = ws_header_value(c, "location");
        CHECK(to.size == 23 && !memcmp(to.data, "ws://elsewhere.example/", 23));
        ws_output(c, &n);
        CHECK_INT(n, 0);
        ws_free(c);
    }
}

/* wss:// without TLS: an error before any byte */
TEST(sec_B9)
{
    ws_conn *c = ws_connect("wss://127.0.0.1:9/", NULL);
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;

    CHECK_INT(ws_error(c), WS_ERR_NO_TLS);
    CHECK(ws_fd(c) == (ws_socket)-1);
    ws_free(c);
    ws_dial(loop, "wss://127.0.0.1:9/", NULL);
    CHECK_INT(ws_poll(loop, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ev.error, WS_ERR_NO_TLS);
    ws_loop_free(loop);
}

/* ---- C13 ---- */

static void *filling_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    void *p = NULL;
    if (new_size) {
        p = malloc(new_size);
        memset(p, *(int *)user, new_size);
        if (old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    }
    free(old);
    return p;
}

/* One conversation; everything both sides put on the wire. */
static size_t wire(int fill, char *out, size_t room)
{
    unsigned seed = 7;
    ws_config cfg;
    ws_conn *end[2];
    ws_event ev;
    size_t total = 0, n;
    int turn, i;
    char big[3000];

    memset(&cfg, 0, sizeof cfg);
    memset(big, 'x', sizeof big);
    cfg.alloc = filling_alloc;
    cfg.alloc_user = &fill;
    cfg.random = pattern_random;
    cfg.random_user = &seed;
    cfg.protocols = "a, b";
    end[0] = ws_client_new("ws://u:p@example.com/x?y", &cfg);
    end[1] = ws_server_new(&cfg);
    for (turn = 0; turn < 40; turn++) {
        for (i = 0; i < 2; i++) {
            const void *p = ws_output(end[i], &n);
            if (n > 700) n = 700;
            CHECK(total + n <= room);
            memcpy(out + total, p, n);
            total += n;
            ws_output_done(end[i], ws_feed(end[!i], p, n));
        }
        for (i = 0; i < 2; i++)
            while (ws_next(end[i], &ev))
                if (ev.type == WS_EV_OPEN) {
                    ws_send(end[i], WS_OP_BINARY, big, sizeof big);
                    ws_ping(end[i], "p", 1);
                    ws_send_text(end[i], "");
                } else if (ev.type == WS_EV_PONG) {
                    ws_close(end[i], i ? 1000 : 3001, "done");
                }
    }
    ws_free(end[0]);
    ws_free(end[1]);
    return total;
}

/* no byte on the wire depends on what the memory held before */
TEST(sec_C13)
{
    static char a[65536], b[65536];
    size_t n = wire(0x00, a, sizeof a);

    CHECK(n > 6000);
    CHECK_INT(wire(0xFF, b, sizeof b), n);
    CHECK(!memcmp(a, b, n));
    CHECK_INT(wire(0x5A, b, sizeof b), n);
    CHECK(!memcmp(a, b, n));
}

/* ---- G1 ---- */

static int by_value(const void *a, const void *b) { return memcmp(a, b, 4); }

/* keys from the system's source: none comes twice beyond chance, every byte is as good as any */
TEST(sec_G1_system)
{
    enum { N = 100000 };
    ws_event ev;
    ws_conn *c = answered("HTTP/1.1 101 Switching Protocols", "", &ev);
    unsigned char *keys = (unsigned char *)malloc(4 * N);
    long count[4][256], repeats = 0, i, k;

    CHECK_INT(ev.type, WS_EV_OPEN);
    memset(count, 0, sizeof count);
    for (i = 0; i < N; i++) {
        size_t n;
        const unsigned char *p;
        CHECK_INT(i % 2 ? ws_send_text(c, "same") : ws_ping(c, "same", 4), 0);
        p = (const unsigned char *)ws_output(c, &n);
        CHECK_INT(n, 10);
        memcpy(keys + 4 * i, p + 2, 4);
        for (k = 0; k < 4; k++) count[k][p[2 + k]]++;
        for (k = 0; k < 4; k++) CHECK_INT(p[6 + k] ^ p[2 + k], "same"[k]);
        ws_output_done(c, n);
    }
    qsort(keys, N, 4, by_value);
    for (i = 1; i < N; i++) repeats += !memcmp(keys + 4 * i, keys + 4 * i - 4, 4);
    CHECK(repeats < 12);                /* 1.2 expected */
    for (k = 0; k < 4; k++) {
        double sum = 0, want = N / 256.0;
        for (i = 0; i < 256; i++) sum += ((double)count[k][i] - want) * ((double)count[k][i] - want) / want;
        CHECK(sum > 120 && sum < 420);  /* chi squared with 255 degrees: 6 sigma and more */
    }
    free(keys);
    ws_free(c);
}

static ws_conn *open_server(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    ws_event ev;
    size_t n;
    ws_conn *c = ws_server_new(NULL);

    ws_feed(c, request, sizeof request - 1);
    CHECK_INT(ws_next(c, &ev), 1);
    ws_output(c, &n);
    ws_output_done(c, n);
    return c;
}

static int failing_random(void *user, void *buf, size_t n)
{
    memset(buf, 0x55, n);
    return *(int *)user;
}

/* a pong that waits is masked when it leaves: no key then, no pong */
TEST(sec_G1_late_pong)
{
    int fails, broken;

    for (fails = 0; fails < 2; fails++) {
        static const char answer[] = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\n\r\n";
        static char block[3000];
        char key[25], accept[29], text[256];
        uint8_t nonce[16];
        const char *p;
        ws_config cfg;
        ws_event ev;
        ws_conn *c;
        size_t n, seen = 0;

        broken = 0;
        memset(&cfg, 0, sizeof cfg);
        cfg.random = failing_random;
        cfg.random_user = &broken;
        memset(nonce, 0x55, sizeof nonce);
        ws_base64_encode(nonce, 16, key);
        ws_accept_key(key, accept);
        sprintf(text, answer, accept);
        c = ws_client_new("ws://h/", &cfg);
        ws_output(c, &n);
        ws_output_done(c, n);
        ws_feed(c, text, strlen(text));
        CHECK_INT(ws_next(c, &ev), 1);
        CHECK_INT(ev.type, WS_EV_OPEN);
        CHECK_INT(ws_send(c, WS_OP_BINARY, block, sizeof block), 0);
        CHECK_INT(ws_feed(c, "\x89\x04late", 6), 6);
        CHECK_INT(ws_next(c, &ev), 1);
        broken = fails;
        while ((p = (const char *)ws_output(c, &n)), n) {
            seen += n;
            ws_output_done(c, n);
        }
        CHECK_INT(seen, sizeof block + 8 + (fails ? 0 : 10));
        ws_free(c);
        CHECK(p != NULL);
    }
}

static ws_conn *open_with(const ws_config *cfg, uint64_t now)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    ws_event ev;
    ws_conn *c = ws_server_new(cfg);

    ws_tick(c, now);
    ws_feed(c, request, sizeof request - 1);
    CHECK_INT(ws_next(c, &ev), 1);
    return c;
}

/* What came out, and 1 if it closed. */
static int quiet(ws_conn *c, uint64_t now)
{
    ws_event ev;
    size_t n;

    ws_tick(c, now);
    ws_output(c, &n);
    ws_output_done(c, n);
    return ws_next(c, &ev) && ev.type == WS_EV_CLOSE;
}

/* the clock is set back an hour between our ping and the peer's answer, or between two
   messages: what has passed stays passed, what is left stays left */
TEST(sec_D9_back)
{
    static const uint64_t hour = 3600000;
    ws_config cfg;
    ws_conn *c;
    uint64_t t = 10 * hour;

    memset(&cfg, 0, sizeof cfg);
    cfg.idle_timeout = 25000;
    c = open_with(&cfg, t);
    CHECK_INT(quiet(c, t + 20000), 0);          /* the ping */
    CHECK_INT(ws_send_text(c, "x"), 0);         /* not idle, though the deadline stands at 25 s */
    CHECK_INT(quiet(c, t + 22000), 0);
    t -= hour;
    CHECK_INT(quiet(c, t + 22000), 0);
    CHECK_INT(quiet(c, t + 25000), 0);
    CHECK_INT(quiet(c, t + 39999), 0);
    CHECK_INT(quiet(c, t + 40001), 1);
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    ws_free(c);

    cfg.ping_interval = 1000;                   /* deadlines that come before the idle one */
    cfg.ping_timeout = WS_NEVER;
    t = 10 * hour;
    c = open_with(&cfg, t);
    CHECK_INT(quiet(c, t + 500), 0);
    t -= hour;
    CHECK_INT(quiet(c, t + 500), 0);
    CHECK_INT(quiet(c, t + 1000), 0);
    CHECK_INT(quiet(c, t + 24999), 0);
    CHECK_INT(ws_error(c), 0);
    quiet(c, t + 25001);
    CHECK_INT(ws_error(c), WS_ERR_IDLE_TIMEOUT);
    ws_free(c);
}

static const char masked_hi[] = "\x81\x82\0\0\0\0hi";

/* the peer's end is told after what it said before, also when that waits for us: paused, or
   while the peer does not read */
TEST(end_while_held)
{
    int paused;

    for (paused = 0; paused < 2; paused++) {
        static char big[700000];
        ws_conn *c = open_with(NULL, 1000);
        ws_event ev;
        size_t n;

        CHECK_INT(quiet(c, 1000), 0);
        if (paused) ws_pause(c);
        else CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
        CHECK_INT(ws_feed(c, masked_hi, 8), 8);
        ws_feed_end(c);
        CHECK_INT(ws_next(c, &ev), 0);
        CHECK_INT(ws_error(c), 0);
        if (paused) ws_resume(c);
        ws_output(c, &n);
        ws_output_done(c, n);
        CHECK_INT(ws_next(c, &ev), 1);
        CHECK_INT(ev.type, WS_EV_MESSAGE);
        CHECK_INT(ws_next(c, &ev), 1);
        CHECK_INT(ev.error, WS_ERR_EOF);
        ws_free(c);
    }
}

/* While we do not read, the peer's silence says nothing: paused, nobody is called dead; with
   much unsent no ping is added to it; and a peer that takes bytes, however slowly, lives. One
   that takes none does not. */
TEST(silence_while_held)
{
    static char big[1000000];
    ws_conn *c = open_with(NULL, 1000);
    uint64_t t;
    size_t n, waits;

    CHECK_INT(quiet(c, 1000), 0);
    ws_pause(c);
    for (t = 1000; t < 200000; t += 500) CHECK_INT(quiet(c, t), 0);
    ws_resume(c);
    for (; t < 200000 + 39000; t += 500) CHECK_INT(quiet(c, t), 0);
    for (; t < 200000 + 45000; t += 500) quiet(c, t);
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    ws_free(c);

    c = open_with(NULL, 1000);
    CHECK_INT(quiet(c, 1000), 0);
    CHECK_INT(ws_send(c, WS_OP_BINARY, big, sizeof big), 0);
    for (t = 1000; ws_buffered(c) > 600000; t += 5000) {
        size_t before = ws_buffered(c);
        ws_tick(c, t);
        CHECK_INT(ws_buffered(c), before);
        CHECK_INT(ws_error(c), 0);
        ws_output(c, &n);
        CHECK(n > 3000);
        ws_output_done(c, 3000);
    }
    CHECK(t > 600000);
    waits = ws_buffered(c);
    for (n = 0; n < 100 && !ws_error(c); n++) {
        CHECK_INT(ws_buffered(c), waits);
        ws_tick(c, t += 500);
    }
    CHECK_INT(ws_error(c), WS_ERR_PING_TIMEOUT);
    CHECK(n > 60);
    ws_free(c);
}

/* a flood of pings is never amplified: fewer bytes go out than came in */
TEST(sec_D2)
{
    static const char ping[] = "\x89\x84kkkk" "ping";
    ws_conn *c = open_server();
    ws_event ev;
    size_t in = 0, out = 0, n;
    int i;

    for (i = 0; i < 200000; i++) {
        in += ws_feed(c, ping, 10);
        while (ws_next(c, &ev)) CHECK_INT(ev.type, WS_EV_PING);
        CHECK(ws_buffered(c) <= 2048 + 131);
        if (i % 1000) continue;
        do {
            ws_output(c, &n);
            out += n;
            ws_output_done(c, n);
        } while (n);
    }
    CHECK(out > 0 && out < in);
    ws_free(c);
}

/* texts about bad text are plain ASCII, whatever the bytes were */
TEST(sec_E2)
{
    int b, k;

    for (b = 0x80; b < 0x100; b++) for (k = 1; k <= 4; k++) {
        char frame[10] = { (char)0x81, (char)0x80, 0, 0, 0, 0, 'a', 'a', 'a', 'a' };
        ws_conn *c = open_server();
        ws_event ev;
        const char *t;

        frame[1] = (char)(0x80 | k);
        frame[5 + k] = (char)b;
        ws_feed(c, frame, (size_t)(6 + k));
        while (ws_next(c, &ev)) CHECK(ev.type == WS_EV_CLOSE || ev.type == WS_EV_MESSAGE);
        CHECK_INT(ws_error(c), WS_ERR_UTF8);
        for (t = ws_error_text(c); *t; t++) CHECK(*t >= 32 && *t < 127);
        ws_free(c);
    }
}

/* limits hold from the first byte, before the application has seen anything of the peer */
TEST(sec_I2)
{
    static const char early[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n\x82\xff\0\0\0\0\x7f\xff\xff\xff" "kkkk";
    ws_event ev;
    ws_conn *c = ws_server_new(NULL);
    size_t n;

    CHECK_INT(ws_feed(c, early, sizeof early - 1), sizeof early - 1);
    CHECK_INT(ws_next(c, &ev), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    CHECK_INT(ws_next(c, &ev), 0);
    CHECK_INT(ws_error(c), WS_ERR_MESSAGE_SIZE);
    ws_output(c, &n);
    ws_output_done(c, n);
    CHECK_INT(ws_next(c, &ev), 1);
    CHECK_INT(ev.code, WS_CLOSE_TOO_BIG);
    ws_free(c);
}

#ifndef _WIN32
/* ---- G4 ---- */

/* A loop and a client of its own, echoing. */
static void *one_thread(void *out)
{
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    char url[64];
    int got = 0, port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", NULL));
    ws_conn *c;

    sprintf(url, "ws://127.0.0.1:%d/", port);
    c = ws_dial(loop, url, NULL);
    while (got < 2000 && ws_poll(loop, &ev, 5000) > 0) {
        if (ev.type == WS_EV_OPEN && ev.conn == c) ws_send_text(c, "x");
        if (ev.type == WS_EV_MESSAGE) {
            got += ev.conn == c;
            ws_send(ev.conn, ev.op, ev.data, ev.size);
        }
        if (ev.type == WS_EV_CLOSE) break;
    }
    ws_loop_free(loop);
    *(int *)out = got;
    return NULL;
}

/* the promise: one thread per loop, any number of loops, nothing shared */
TEST(sec_G4)
{
    pthread_t t[4];
    int got[4] = { 0, 0, 0, 0 }, i;

    for (i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, one_thread, &got[i]));
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        CHECK_INT(got[i], 2000);
    }
}
/* a peer that says its last words and hangs up while we are paused is heard after ws_resume */
TEST(hang_up_while_paused)
{
    static const char last[] = "\x81\x85\0\0\0\0hello\x88\x82\0\0\0\0\x03\xe8";
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_un a;
    char address[128];
    ws_loop *loop = ws_loop_new(NULL);
    ws_event ev;
    ws_conn *c = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), said = 0, i;

    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    sprintf(a.sun_path, "/tmp/ws_h_test_%d", (int)getpid());
    sprintf(address, "unix:%s", a.sun_path);
    CHECK(ws_listen(loop, address, NULL) >= 0);
    CHECK(!connect(fd, (struct sockaddr *)&a, sizeof a));
    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    CHECK_INT(ws_poll(loop, &ev, 2000), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    c = ev.conn;
    ws_pause(c);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    CHECK(write(fd, last, sizeof last - 1) == (ssize_t)sizeof last - 1);
    close(fd);
    for (i = 0; i < 5; i++) CHECK_INT(ws_poll(loop, &ev, 20), 0);
    ws_resume(c);
    while (ws_poll(loop, &ev, 1000) > 0) {
        if (ev.type == WS_EV_MESSAGE) said += ev.size == 5;
        if (ev.type != WS_EV_CLOSE) continue;
        CHECK_INT(ev.code, 1000);
        break;
    }
    CHECK_INT(said, 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    ws_loop_free(loop);
    unlink(a.sun_path);
}
#else
TEST(sec_G4) {}
TEST(hang_up_while_paused) {}
#endif

TESTS(T(sec_B1_upgrade) T(sec_B4) T(sec_B5) T(sec_B8) T(sec_B9) T(sec_C13) T(sec_G1_system) T(sec_G1_late_pong) T(sec_D9_back) T(end_while_held) T(silence_while_held)
      T(sec_D2) T(sec_E2) T(sec_I2) T(sec_G4) T(hang_up_while_paused))

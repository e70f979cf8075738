/* How a client gets to its server: name lookup without blocking, every address under
   one deadline, proxies, redirects, new tries. The tunnel engine is fed in memory; the
   rest runs on sockets of this machine in all three drivers, peers are child processes
   or played by hand. Names are looked up by fake_lookup, and time runs as now_ms says. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef _WIN32

#include <stdio.h>
int main(void)
{
    printf("SKIP test_dial: it uses fork and raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}

#else

#include <sys/types.h>
#include <sys/socket.h>
#include <netdb.h>
#include <time.h>
static int fake_lookup(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
static int fake_clock(clockid_t, struct timespec *);
#define getaddrinfo fake_lookup
#define clock_gettime fake_clock
#define WS_IMPLEMENTATION
#include "../ws.h"
#undef getaddrinfo
#undef clock_gettime
#include "test.h"
#include "fixture/world.h"
#ifdef LOOKUPS_ONLY
#undef TEST
#define TEST(name) static inline void test_##name(void)
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- time: the clock of the machine, and what a test adds ---- */

static uint64_t skipped;        /* ms */

static int fake_clock(clockid_t id, struct timespec *t)
{
    int r = clock_gettime(id, t);
    t->tv_sec += (time_t)(skipped / 1000);
    t->tv_nsec += (long)(skipped % 1000) * 1000000;
    if (t->tv_nsec >= 1000000000) { t->tv_nsec -= 1000000000; t->tv_sec++; }
    return r;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    fake_clock(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static void sleep_ms(int ms) { poll(NULL, 0, ms); }

static int open_files(void)
{
    int i, n = 0;
    for (i = 0; i < 1024; i++) n += fcntl(i, F_GETFD) >= 0;
    return n;
}

/* ---- names: "echo.test" is 127.0.0.1; "slow.test" too, but only when let_go says so;
   "three.test" is two addresses that stay silent and 127.0.0.1; "gone.test" is
   nobody ---- */

static struct gate {
    pthread_mutex_t lock;
    int open;           /* answer slow.test now */
    int waiting, asked, done;
} gate = { PTHREAD_MUTEX_INITIALIZER, 1, 0, 0, 0 };

static int gate_get(const int *what)
{
    int v;
    pthread_mutex_lock(&gate.lock);
    v = *what;
    pthread_mutex_unlock(&gate.lock);
    return v;
}

static void gate_add(int *what, int n)
{
    pthread_mutex_lock(&gate.lock);
    *what += n;
    pthread_mutex_unlock(&gate.lock);
}

static void gate_set(int open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_mutex_unlock(&gate.lock);
}

static int fake_lookup(const char *name, const char *service,
                       const struct addrinfo *hints, struct addrinfo **list)
{
    static const char *const silent[] = { "127.0.0.1", "192.0.2.2", "192.0.2.1" };
    struct addrinfo *one;
    size_t n = name ? strlen(name) : 0;
    int i, count = 1;

    if (n < 5 || strcmp(name + n - 5, ".test"))
        return getaddrinfo(name, service, hints, list);
    if (hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    gate_add(&gate.asked, 1);
    if (!strcmp(name, "gone.test")) return EAI_NONAME;
    if (!strcmp(name, "slow.test")) {
        gate_add(&gate.waiting, 1);
        while (!gate_get(&gate.open)) sleep_ms(1);
        gate_add(&gate.waiting, -1);
    }
    if (!strcmp(name, "three.test")) count = 3;
    for (*list = NULL, i = 0; i < count; i++) {
        if (getaddrinfo(silent[i], service, hints, &one)) return EAI_FAIL;
        one->ai_next = *list;
        *list = one;
    }
    gate_add(&gate.done, 1);
    return 0;
}

/* ---- configurations ---- */

static ws_config fresh_config(void)
{
    ws_config cfg;
    memset(&cfg, 0, sizeof cfg);
    return cfg;
}

/* A configuration whose memory is of h, which begins empty. */
static ws_config heap_config(heap *h)
{
    ws_config cfg = fresh_config();
    memset(h, 0, sizeof *h);
    cfg.alloc = heap_alloc;
    cfg.alloc_user = h;
    return cfg;
}

/* ---- the tunnel engine alone ---- */

typedef struct bytes { char p[2048]; size_t n; } bytes;

static void put(bytes *b, const void *p, size_t n)
{
    if (n > sizeof b->p - b->n) abort();
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* "|" ends a piece of the proxy's answer for which the client must have spoken before;
   hex after "=". What comes back is the whole answer, with the cuts in at[]. */
typedef struct script {
    const char *proxy, *host;
    int port;
    const char *answer[3];      /* text, or "=" and hex */
    const char *asked[3];       /* what the client says before each, likewise */
    int result, status;
    const char *text;
} script;

static void unhex(bytes *b, const char *s)
{
    unsigned v;
    if (*s != '=') { put(b, s, strlen(s)); return; }
    for (s++; sscanf(s, "%2x", &v) == 1; s += 2) {
        char c = (char)v;
        put(b, &c, 1);
    }
}

static const script SCRIPTS[] = {
    { "http://p",
      "example.org",
      80,
      { "HTTP/1.1 200 OK\r\n\r\n" },
      { "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n" },
      1,
      200,
      "" },
    { "http://u:p%40ss@p:3128/",
      "::1",
      443,
      { "HTTP/1.0 299 Fine\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n" },
      { "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
        "Proxy-Authorization: Basic dTpwQHNz\r\n\r\n" },
      1,
      299,
      "" },
    { "p:3128",
      "10.0.0.1",
      8080,
      { "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
        "Connection: keep-alive\r\nContent-Length: 3\r\n\r\n" },
      { "CONNECT 10.0.0.1:8080 HTTP/1.1\r\n"
        "Host: 10.0.0.1:8080\r\n\r\n" },
      WS_ERR_PROXY,
      407,
      "proxy answered 407" },
    { "HTTP://p",
      "a",
      1,
      { "HTTP/1.1 101 What\r\n\r\n" },
      { NULL },
      WS_ERR_PROXY,
      101,
      "proxy answered 101" },
    { "http://p",
      "a",
      1,
      { "HTTP/2.0 200 OK\r\n\r\n" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not HTTP" },
    { "http://p",
      "a",
      1,
      { "SSH-2.0 x\r\n\r\n" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not HTTP" },
    { "http://p",
      "a",
      1,
      { "HTTP/1.1 200 OK\r\na:b\n" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not HTTP" },
    { "socks5://p",
      "example.org",
      80,
      { "=0500", "=05000001c000020100" },
      { "=050100", "=050100030b6578616d706c652e6f72670050" },
      0,
      0,
      "" }, /* one byte short */
    { "socks5://p",
      "example.org",
      80,
      { "=0500", "=05000001c00002010050" },
      { "=050100", "=050100030b6578616d706c652e6f72670050" },
      1,
      0,
      "" },
    { "socks5h://p:1",
      "192.0.2.1",
      258,
      { "=0500", "=0500000302616200" },
      { "=050100", "=05010001c00002010102" },
      0,
      0,
      "" },
    { "socks5h://p:1",
      "192.0.2.1",
      258,
      { "=0500", "=050000030261620050" },
      { "=050100", "=05010001c00002010102" },
      1,
      0,
      "" },
    { "socks5://p",
      "2001:db8::1",
      80,
      { "=0500", "=05000004000102030405060708090a0b0c0d0e0f0050" },
      { "=050100", "=0501000420010db80000000000000000000000010050" },
      1,
      0,
      "" },
    { "socks5://user:p%00w@p",
      "a",
      80,
      { "=0502", "=0100", "=05000001000000000000" },
      { "=05020002", "=01047573657203700077", "=0501000301610050" },
      1,
      0,
      "" },
    { "socks5://user@p",
      "a",
      80,
      { "=0502", "=0500", "=05000001000000000000" },
      { "=05020002", "=01047573657200", "=0501000301610050" },
      1,
      0,
      "" },
    { "socks5://user:pw@p",
      "a",
      80,
      { "=0500", "=05000001000000000000" },
      { "=05020002", "=0501000301610050" },
      1,
      0,
      "" },
    { "socks5://user:pw@p",
      "a",
      80,
      { "=0502", "=0101" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "SOCKS5 proxy: wrong user or password" },
    { "socks5://p",
      "a",
      80,
      { "=0502" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "SOCKS5 proxy wants another way to log in" },
    { "socks5://p",
      "a",
      80,
      { "=05ff" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "SOCKS5 proxy wants another way to log in" },
    { "socks5://p",
      "a",
      80,
      { "=04" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not SOCKS5" },
    { "socks5://p",
      "a",
      80,
      { "=0500", "=0505" },
      { NULL },
      WS_ERR_PROXY,
      5,
      "SOCKS5 proxy: connection refused" },
    { "socks5://p",
      "a",
      80,
      { "=0500", "=0509" },
      { NULL },
      WS_ERR_PROXY,
      9,
      "SOCKS5 proxy: reply 9" },
    { "socks5://p",
      "a",
      80,
      { "=0500", "=050001" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not SOCKS5" },
    { "socks5://p",
      "a",
      80,
      { "=0500", "=05000002" },
      { NULL },
      WS_ERR_PROXY,
      0,
      "proxy's answer is not SOCKS5" },
};

#define SCRIPT_COUNT (sizeof SCRIPTS / sizeof *SCRIPTS)

/* Feeds piece [from, to) of what the proxy says, in its turn; returns how much was
   taken. */
typedef struct talk { ws_tunnel t; bytes said; int step; size_t in; } talk;

static void talk_begin(talk *k, const script *s)
{
    memset(k, 0, sizeof *k);
    CHECK_INT(ws_tunnel_init(&k->t, s->proxy, s->host, (uint16_t)s->port, NULL), 0);
}

/* Takes the output, out bytes at a time, into said. */
static void talk_out(talk *k, size_t out)
{
    size_t n;
    const void *p;

    while (p = ws_tunnel_output(&k->t, &n), n) {
        CHECK_INT(ws_tunnel_feed(&k->t, "x", 1),
                  0); /* it does not listen while it speaks */
        if (n > out) n = out;
        put(&k->said, p, n);
        ws_tunnel_output_done(&k->t, n);
    }
}

/* The whole conversation with the proxy's bytes cut after cut (0: byte by byte). */
static size_t talk_run(talk *k, const script *s, size_t cut, const char *rest)
{
    size_t taken = 0;
    int i;

    talk_begin(k, s);
    for (i = 0; i < 3 && s->answer[i]; i++) {
        bytes b = { "", 0 }, want = { "", 0 };
        size_t at = 0;
        k->said.n = 0;
        talk_out(k, cut ? cut : 1);
        if (s->asked[i]) {
            unhex(&want, s->asked[i]);
            CHECK_INT(k->said.n, want.n);
            CHECK(!memcmp(k->said.p, want.p, want.n));
        }
        unhex(&b, s->answer[i]);
        if (i == 2 || !s->answer[i + 1]) put(&b, rest, strlen(rest));
        while (at < b.n && !k->t.result) {
            size_t n = !cut ? 1 : at ? b.n - at : cut < b.n ? cut : b.n, r;
            char *exact = (char *)malloc(n);
            memcpy(exact, b.p + at, n);
            r = ws_tunnel_feed(&k->t, exact, n);
            free(exact);
            CHECK(r <= n);
            at += r;
            if (r < n) break;
        }
        taken += at;
        if (k->t.result) break;
    }
    return taken;
}

TEST(tunnel_scripts) /* every one, cut everywhere; what follows is never taken */
{
    static talk k;
    size_t i, cut;

    for (i = 0; i < SCRIPT_COUNT; i++) {
        const script *s = &SCRIPTS[i];
        size_t whole = talk_run(&k, s, 4000, "");
        int failed_early = k.t.result < 0;
        CHECK_INT(k.t.result, s->result);
        CHECK_INT(k.t.status, s->status);
        CHECK_STR(k.t.text, s->text);
        for (cut = 0; cut < 200; cut++) {
            CHECK_INT(talk_run(&k, s, cut, ""), whole);
            CHECK_INT(k.t.result, s->result);
            CHECK_INT(k.t.status, s->status);
            if (s->result == 0) continue;
            CHECK_INT(talk_run(&k, s, cut, "\x81\x02hi"), whole);
            CHECK_INT(k.t.result, s->result);
            CHECK_INT(ws_tunnel_feed(&k.t, "more", 4), 0);
        }
        (void)failed_early;
    }
}

TEST(tunnel_head)               /* the proxy's headers are there to be read */
{
    static talk k;
    ws_str name, value;
    size_t pos = 0;

    talk_run(&k, &SCRIPTS[2], 0, "");
    CHECK(ws_head_field(ws__str(k.t.buf, k.t.head_size), &pos, &name, &value));
    CHECK(ws_str_is(name, "Proxy-Authenticate"));
    CHECK(ws_str_is(value, "Basic realm=\"x\""));
}

TEST(tunnel_early_end)          /* at every byte */
{
    static talk k;
    size_t i, n;

    for (i = 0; i < SCRIPT_COUNT; i++) {
        script s = SCRIPTS[i];
        for (n = 0; n < 100; n++) {
            size_t left = n;
            int j;
            talk_begin(&k, &s);
            for (j = 0; j < 3 && s.answer[j] && !k.t.result; j++) {
                bytes b = { "", 0 };
                talk_out(&k, 4000);
                unhex(&b, s.answer[j]);
                if (b.n > left) b.n = left;
                left -= b.n;
                ws_tunnel_feed(&k.t, b.p, b.n);
            }
            if (k.t.result) break;
            ws_tunnel_feed_end(&k.t);
            CHECK_INT(k.t.result, WS_ERR_PROXY);
            CHECK_STR(k.t.text, "proxy ended the connection");
            ws_tunnel_feed_end(&k.t);
        }
    }
}

TEST(tunnel_arguments)
{
    static const struct { const char *proxy, *host; int port, want;
    } all[] = { { "http://p", "a", 80, 0 },
                { "http://p", "a", 0, WS_ERR_ARGUMENT },
                { "http://p", "", 80, WS_ERR_ARGUMENT },
                { "http://p", "a\rb", 80, WS_ERR_ARGUMENT },
                { "http://p", "a\nb", 80, WS_ERR_ARGUMENT },
                { "http://p", "a b", 80, WS_ERR_ARGUMENT },
                { "http://p", "u@a", 80, WS_ERR_ARGUMENT },
                { "http://p", "a/b", 80, WS_ERR_ARGUMENT },
                { "http://p", "a:1", 80, WS_ERR_ARGUMENT },
                { "http://p", "[::1]", 80, WS_ERR_ARGUMENT },
                { "http://p", "\xc3\xa4", 80, WS_ERR_ARGUMENT },
                { "http://p", "::1%eth0", 80, WS_ERR_ARGUMENT },
                { "socks5://p", "a b", 80, WS_ERR_ARGUMENT },
                { "socks5://p", "1::2::3", 80, WS_ERR_ARGUMENT },
                { "https://p", "a", 80, 0 },
                { "socks4://p", "a", 80, WS_ERR_URL },
                { "ftp://p", "a", 80, WS_ERR_URL },
                { "", "a", 80, WS_ERR_URL },
                { "http://", "a", 80, WS_ERR_URL },
                { "http://p:0", "a", 80, WS_ERR_URL },
                { "http://p:70000", "a", 80, WS_ERR_URL },
                { "http://p/x", "a", 80, WS_ERR_URL },
                { "http://p?x", "a", 80, WS_ERR_URL },
                { "http://p\r\n", "a", 80, WS_ERR_URL },
                { "http://u:p@q@p", "a", 80, WS_ERR_URL },
                { "http://u%4:p@p", "a", 80, WS_ERR_ARGUMENT },
                { "socks5://%zz@p", "a", 80, WS_ERR_ARGUMENT },
                { "socks5://:pw@p", "a", 80, WS_ERR_ARGUMENT },
                { "socks5://[::1]:1080", "a", 80, 0 },
                { "http://[::1]", "a", 80, 0 } };
    static char big[9000];
    ws_header bad = { "X", "a\r\nb" }, end = { NULL, NULL }, two[2];
    static ws_tunnel t;
    size_t i, n;

    for (i = 0; i < sizeof all / sizeof *all; i++) {
        int r = ws_tunnel_init(&t, all[i].proxy, all[i].host, (uint16_t)all[i].port,
                               NULL);
        if (r != all[i].want) printf("    %s %s\n", all[i].proxy, all[i].host);
        CHECK_INT(r, all[i].want);
        CHECK_INT(t.result, all[i].want);
        ws_tunnel_output(&t, &n);
        CHECK_INT(n > 0, r == 0);
    }
    two[0].name = "proxy-authorization";
    two[0].value = "Basic mine";
    two[1] = end;
    CHECK_INT(ws_tunnel_init(&t, "http://u:p@h", "a", 80, two), 0);
    CHECK_STR((const char *)ws_tunnel_output(&t, &n),
              "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n"
              "proxy-authorization: Basic mine\r\n\r\n");
    two[0] = bad;
    CHECK_INT(ws_tunnel_init(&t, "http://p", "a", 80, two), WS_ERR_ARGUMENT);
    memset(big, 'x', sizeof big - 1);
    two[0].value = big;
    CHECK_INT(ws_tunnel_init(&t, "http://p", "a", 80, two), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tunnel_init(&t, "http://p", big, 80, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tunnel_init(&t, NULL, "a", 80, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tunnel_init(&t, "http://p", NULL, 80, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tunnel_init(NULL, "http://p", "a", 80, NULL), WS_ERR_ARGUMENT);
    CHECK_INT(ws_tunnel_feed(NULL, "a", 1), 0);
    ws_tunnel_feed_end(NULL);
    ws_tunnel_output(NULL, &n);
    CHECK_INT(n, 0);
    ws_tunnel_output_done(NULL, 1);
}

TEST(tunnel_addresses)          /* IPv6 as inet_pton reads it */
{
    static const char *const texts[] = { "::",
                                         "::1",
                                         "1::",
                                         "1:2:3:4:5:6:7:8",
                                         "1:2:3:4:5:6:7::",
                                         "::2:3:4:5:6:7:8",
                                         "1::8",
                                         "::ffff:1.2.3.4",
                                         "1:2:3:4:5:6:1.2.3.4",
                                         "1:2:3:4:5::1.2.3.4",
                                         "::1.2.3.4",
                                         "fe80::ABCD:0:1",
                                         ":",
                                         ":::",
                                         "1:",
                                         ":1",
                                         "1:2:3:4:5:6:7",
                                         "1:2:3:4:5:6:7:8:9",
                                         "1:2:3:4:5:6:7:8::",
                                         "12345::",
                                         "g::",
                                         "1::2::3",
                                         "::1.2.3",
                                         "::1.2.3.256",
                                         "::1.2.3.4:5",
                                         "1:2:3:4:5:6:7:1.2.3.4",
                                         "",
                                         "1.2.3.4",
                                         "1.2.3.4.",
                                         "01.2.3.4",
                                         "1.2.3.400",
                                         "256.1.1.1",
                                         "1.2.3",
                                         "0.0.0.0",
                                         "1..2.3",
                                         "255.255.255.255",
                                         "1.2.3.4 ",
                                         "::0.0.0.00",
                                         "1:2:3:4::5:6:7:8",
                                         "0::0",
                                         "1:::2" };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t a[16], b[16];
        int want = inet_pton(AF_INET6, texts[i], a) == 1;
        int have = ws__ipv6_parse(ws__str(texts[i], strlen(texts[i])), b);
        if (strchr(texts[i], ':') && want != have) printf("    %s\n", texts[i]);
        if (strchr(texts[i], ':')) CHECK_INT(have, want);
        if (strchr(texts[i], ':') && have && want) CHECK(!memcmp(a, b, 16));
        want = inet_pton(AF_INET, texts[i], a) == 1;
        have = ws__ipv4_parse(ws__str(texts[i], strlen(texts[i])), b);
        CHECK_INT(have, want);
        if (have && want) CHECK(!memcmp(a, b, 4));
    }
}

TEST(tunnel_limits)             /* endless heads end */
{
    static ws_tunnel t;
    static char line[] = "X-Header: value\r\n";
    size_t n, i;

    ws_tunnel_init(&t, "http://p", "a", 80, NULL);
    ws_tunnel_output(&t, &n);
    ws_tunnel_output_done(&t, n);
    ws_tunnel_feed(&t, "HTTP/1.1 200 OK\r\n", 17);
    for (i = 0; i < 1000 && !t.result; i++) ws_tunnel_feed(&t, line, sizeof line - 1);
    CHECK_INT(t.result, WS_ERR_PROXY);
    CHECK_STR(t.text, "proxy's answer is too large");
    CHECK_INT(i, 65);
    ws_tunnel_init(&t, "http://p", "a", 80, NULL);
    ws_tunnel_output(&t, &n);
    ws_tunnel_output_done(&t, n);
    ws_tunnel_feed(&t, "HTTP/1.1 200 OK\r\nA:", 19);
    for (i = 19; i < 20000 && !t.result; i++) CHECK_INT(ws_tunnel_feed(&t, "x", 1), 1);
    CHECK_INT(i, WS_TUNNEL_SIZE);
    CHECK_STR(t.text, "proxy's answer is too large");
}

TEST(tunnel_garbage) /* every byte of every script changed to every value; noise */
{
    static talk k;
    uint32_t seed = 1;
    size_t i, at;
    int v, j, round;

    for (i = 0; i < SCRIPT_COUNT; i++) {
        const script *s = &SCRIPTS[i];
        for (at = 0; at < 60; at++)
            for (v = 0; v < 256; v++) {
                size_t past = at;
                talk_begin(&k, s);
                for (j = 0; j < 3 && s->answer[j] && !k.t.result; j++) {
                    bytes b = { "", 0 };
                    talk_out(&k, 4000);
                    unhex(&b, s->answer[j]);
                    if (past < b.n) b.p[past] = (char)v;
                    past -= past < b.n ? past : b.n;
                    if (!past) past = 1000;
                    CHECK(ws_tunnel_feed(&k.t, b.p, b.n) <= b.n);
                }
                CHECK(k.t.result == 0 || k.t.result == 1 || k.t.result == WS_ERR_PROXY);
                CHECK(k.t.result != 1 || k.t.status == 0 || k.t.status / 100 == 2);
            }
    }
    for (round = 0; round < 20000; round++) {
        talk_begin(&k, &SCRIPTS[round % (int)SCRIPT_COUNT]);
        for (i = 0; i < 40 && !k.t.result; i++) {
            char c = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
            if (round & 1) c = (char)((unsigned char)c % 6);
            talk_out(&k, 4000);
            ws_tunnel_feed(&k.t, &c, 1);
        }
        if (round % 2 == 0 && k.t.stage == 0) CHECK(k.t.result != 1);
    }
}

/* ---- peers in other processes ---- */

/* Shared with them. */
typedef struct shared {
    volatile int port, opens;           /* the echo server */
    volatile int other_port, requests;  /* the redirecting one's second door */
    volatile int proxy_port, connections;
    volatile int socks, need_login;     /* how the proxy behaves */
    volatile int byte_by_byte,
        stop_at; /* stop_at: ends after so many bytes of its answer, -1 */
    volatile int mute;                  /* never answers */
    char answer[600];                   /* instead of its own */
    char request[2000], inner[2000];    /* what it was told, and what passed through it */
    char addresses[200];
} shared;

static shared *sh;
static pid_t children[40];
static int child_count;

static void reap_all(void)
{
    while (child_count) {
        kill(children[--child_count], SIGKILL);
        waitpid(children[child_count], NULL, 0);
    }
}

static pid_t spawn(void (*run)(int fd), int fd)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        alarm(100);
        signal(SIGPIPE, SIG_IGN);
        run(fd);
        _exit(0);
    }
    if (fd >= 0) close(fd);
    children[child_count++] = pid;
    return pid;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

static int listener(int *port, int backlog)
{
    struct sockaddr_in a = loopback(*port);
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, backlog))
        perror("listener");
    getsockname(fd, (struct sockaddr *)&a, &n);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Echoes; tells a client of /head what its request's headers were. */
static void run_echo(int fd)
{
    ws_event ev;
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);

    (void)fd;
    memset(&cfg, 0, sizeof cfg);
    cfg.ask = 1;
    sh->port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
    while (ws_poll(loop, &ev, -1) >= 0) {
        if (ev.type == WS_EV_REQUEST) ws_accept(ev.conn, NULL);
        if (ev.type == WS_EV_OPEN) sh->opens++;
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    }
}

static size_t read_some(int fd, char *buf, size_t n)
{
    ssize_t r = recv(fd, buf, n, 0);
    if (r <= 0) _exit(0);
    return (size_t)r;
}

static void read_all(int fd, char *buf, size_t n)
{
    size_t got = 0;
    while (got < n) got += read_some(fd, buf + got, n - got);
}

/* What the proxy says: perhaps byte by byte, perhaps not all of it. */
static void say(int fd, const char *p, size_t n)
{
    static int said;
    size_t i;

    if (sh->mute) for (;;) sleep_ms(1000);
    for (i = 0; i < n; i += sh->byte_by_byte || sh->stop_at >= 0 ? 1 : n) {
        if (sh->stop_at >= 0 && said++ >= sh->stop_at) _exit(0);
        send(fd, p + i, sh->byte_by_byte || sh->stop_at >= 0 ? 1 : n, MSG_NOSIGNAL);
        if (sh->byte_by_byte) sleep_ms(1);
    }
}

static void relay(int client, int port)
{
    struct sockaddr_in a = loopback(port);
    struct pollfd p[2];
    char buf[4096];
    size_t seen = 0;

    p[0].fd = client;
    p[1].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(p[1].fd, (struct sockaddr *)&a, sizeof a)) _exit(0);
    p[0].events = p[1].events = POLLIN;
    while (poll(p, 2, -1) > 0) {
        int i;
        for (i = 0; i < 2; i++) {
            size_t n;
            if (!p[i].revents) continue;
            n = read_some(p[i].fd, buf, sizeof buf);
            if (!i && seen + n < sizeof sh->inner) {
                memcpy(sh->inner + seen, buf, n);
                seen += n;
            }
            send(p[1 - i].fd, buf, n, MSG_NOSIGNAL);
        }
    }
}

static void proxy_http(int fd)
{
    size_t n = 0;
    char *end = NULL;
    int port = 0;

    while (!end && n < sizeof sh->request - 1) {
        n += read_some(fd, sh->request + n, 1);
        sh->request[n] = 0;
        end = strstr(sh->request, "\r\n\r\n");
    }
    sscanf(sh->request, "CONNECT %*[^ :]:%d", &port);
    if (sh->need_login &&
        !strstr(sh->request, "\r\nProxy-Authorization: Basic dTpwQHNz\r\n")) {
        static const char no[] =
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n"
            "Connection: keep-alive\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\r\n"
            "no";
        say(fd, no, sizeof no - 1);
        read_some(fd, sh->inner, 1);            /* keep-alive: the client is to end it */
        return;
    }
    if (*sh->answer) say(fd, sh->answer, strlen(sh->answer));
    else say(fd, "HTTP/1.1 200 Connection established\r\n\r\n", 39);
    relay(fd, port);
}

static void proxy_socks(int fd)
{
    unsigned char b[600];
    int login = 0, port;
    size_t i;

    read_all(fd, (char *)b, 2);
    read_all(fd, (char *)b + 2, b[1]);
    for (i = 0; i < b[1]; i++) login |= b[2 + i] == 2;
    if (sh->need_login && !login) { say(fd, "\5\xff", 2); return; }
    say(fd, sh->need_login ? "\5\2" : "\5\0", 2);
    if (sh->need_login) {
        read_all(fd, (char *)b, 2);
        read_all(fd, (char *)b + 2, b[1] + 1u);
        read_all(fd, (char *)b + 3 + b[1], b[2 + b[1]]);
        login = b[1] == 1 && b[2] == 'u' && b[3] == 4 && !memcmp(b + 4, "p@ss", 4);
        say(fd, login ? "\1\0" : "\1\1", 2);
        if (!login) return;
    }
    read_all(fd, (char *)b, 5);
    i = b[3] == 1 ? 4 : b[3] == 4 ? 16 : b[4] + 1u;
    read_all(fd, (char *)b + 5, i + 1);
    port = b[4 + i] << 8 | b[5 + i];
    snprintf(sh->request, sizeof sh->request, "%d %.*s", b[3], b[3] == 3 ? (int)b[4] : 0,
             b + 5);
    say(fd, "\5\0\0\1\1\2\3\4\5\6", 10);
    relay(fd, port);
}

static void run_proxy(int fd)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int c = accept(fd, NULL, NULL);
        if (c < 0) continue;
        sh->connections++;
        if (!fork()) {
            alarm(60);
            close(fd);
            if (sh->socks) proxy_socks(c);
            else proxy_http(c);
            _exit(0);
        }
        close(c);
    }
}

/* An echo server and a proxy. */
static void peers(void)
{
    int proxy, port = 0;

    reap_all();
    memset((void *)sh, 0, sizeof *sh);
    sh->stop_at = -1;
    proxy = listener(&port, 64);
    sh->proxy_port = port;
    spawn(run_proxy, proxy);
    spawn(run_echo, -1);
    while (!sh->port) sleep_ms(1);
    sh->opens = sh->connections = 0;
}

/* ---- one visit in any driver ---- */

enum { BLOCKING, OWN, LOOP, DRIVERS };

typedef struct visit {
    int open, message, close, down, error, status, code;
    char reason[200], text[200], header[80], url[200];
} visit;

static const char *visit_header = "Proxy-Authenticate";

static void visit_note(visit *v, const ws_event *ev)
{
    ws_str h;

    switch (ev->type) {
    case WS_EV_OPEN:
        v->open++;
        if (ws_send_text(ev->conn, "through")) ws_drop(ev->conn);
        break;
    case WS_EV_MESSAGE:
        if (v->message++) break;
        snprintf(v->text, sizeof v->text, "%.*s", (int)ev->size, (const char *)ev->data);
        ws_close(ev->conn, 1000, "");
        break;
    case WS_EV_DOWN: v->down++; break;
    case WS_EV_CLOSE:
        v->close++;
        v->error = ev->error;
        v->code = ev->code;
        v->status = ws_status(ev->conn);
        snprintf(v->reason, sizeof v->reason, "%s", ev->reason);
        h = ws_header_value(ev->conn, visit_header);
        snprintf(v->header, sizeof v->header, "%.*s", (int)h.size, h.data ? h.data : "");
        snprintf(v->url, sizeof v->url, "%s", ws_url_of(ev->conn));
        break;
    default: break;
    }
}

/* Waits for what the connection wants, at most ms, and steps it. */
static void own_step(ws_conn *c, int ms)
{
    int t = ws_timeout(c);
    struct pollfd p;

    p.fd = (int)ws_fd(c);
    p.events = (short)((ws_wants(c) & WS_WANT_READ ? POLLIN : 0) |
                       (ws_wants(c) & WS_WANT_WRITE ? POLLOUT : 0));
    poll(&p, 1, t >= 0 && t < ms ? t : ms);
    ws_step(c);
}

static void own_turn(ws_conn *c, int ms, visit *v)
{
    ws_event ev;

    own_step(c, ms);
    while (ws_next(c, &ev) > 0) visit_note(v, &ev);
}

/* Goes to url, says "through", hears it, closes. */
static visit visit_url(int driver, const char *url, const ws_config *cfg)
{
    visit v;
    ws_event ev;
    uint64_t end = now_ms() + 20000;
    ws_conn *c = NULL;
    ws_loop *loop = NULL;

    memset(&v, 0, sizeof v);
    if (driver == BLOCKING) {
        c = ws_connect(url, cfg);
        while (ws_recv(c, &ev, 20000) > 0) visit_note(&v, &ev);
    } else if (driver == OWN) {
        c = ws_open(url, cfg);
        while (c && !v.close && now_ms() < end) own_turn(c, 1000, &v);
    } else {
        loop = ws_loop_new(cfg);
        if (ws_dial(loop, url, cfg))
            while (!v.close && now_ms() < end)
                if (ws_poll(loop, &ev, 1000) > 0)
                    visit_note(&v, &ev);
    }
    ws_free(c);
    ws_loop_free(loop);
    return v;
}

/* What the next client of the loop to end does from here on. */
static visit loop_visit(ws_loop *loop)
{
    visit v;
    ws_event ev;

    memset(&v, 0, sizeof v);
    while (!v.close && ws_poll(loop, &ev, 2000) > 0) visit_note(&v, &ev);
    return v;
}

/* What a visit must have been, and a visit that must be so. */
#define THROUGH(v) \
    do { \
        CHECK_INT((v).open, 1); \
        CHECK((v).message >= 1); \
        CHECK_STR((v).text, "through"); \
        CHECK_INT((v).close, 1); \
        CHECK_INT((v).error, 0); \
        CHECK_INT((v).code, 1000); \
        if ((v).error) printf("    %s\n", (v).reason); \
    } while (0)

#define GOES_THROUGH(driver, url, cfg) \
    do { \
        visit through = visit_url(driver, url, cfg); \
        THROUGH(through); \
    } while (0)

/* A visit that must end with this error for this reason, without an OPEN. */
#define FAILS(driver, url, cfg, why, text) \
    do { \
        visit failed = visit_url(driver, url, cfg); \
        CHECK_INT(failed.error, why); \
        CHECK_STR(failed.reason, text); \
        CHECK_INT(failed.open, 0); \
    } while (0)

/* A thread that is done may still have its descriptor for a moment. */
static void check_files(int base)
{
    int i;
    for (i = 0; i < 2000 && open_files() > base; i++) sleep_ms(1);
    CHECK(open_files() <= base);        /* less, when one was counted in base */
}

/* ---- names ---- */

TEST(lookup_in_every_driver)
{
    ws_config cfg = fresh_config();
    char url[80], real[80];
    int d, base = open_files();
    visit v;

    peers();
    base = open_files();
    snprintf(url, sizeof url, "ws://echo.test:%d/", sh->port);
    snprintf(real, sizeof real, "ws://localhost:%d/", sh->port);
    for (d = 0; d < DRIVERS; d++) {
        GOES_THROUGH(d, url, &cfg);
        GOES_THROUGH(d, real, &cfg);
        FAILS(d, "ws://gone.test/", &cfg, WS_ERR_LOOKUP,
              "host name not found: gone.test");
        v = visit_url(d, "ws://name.invalid/", &cfg);
        CHECK_INT(v.error, WS_ERR_LOOKUP);
    }
    check_files(base);
    reap_all();
}

#ifndef WS_NO_THREADS

/* A name that takes long: the loop goes on, the own loop can wait for it with poll. */
TEST(lookup_does_not_block)
{
    ws_config cfg = fresh_config();
    ws_event ev;
    ws_loop *loop;
    ws_conn *c;
    visit v;
    char url[80];
    uint64_t start;
    struct pollfd p;

    peers();
    snprintf(url, sizeof url, "ws://slow.test:%d/", sh->port);
    gate_set(0);
    memset(&v, 0, sizeof v);
    start = now_ms();
    c = ws_open(url, &cfg);
    CHECK(now_ms() - start < 200);
    CHECK_INT(ws_state(c), WS_STATE_CONNECTING);
    CHECK_INT(ws_wants(c), WS_WANT_READ);
    p.fd = (int)ws_fd(c);
    p.events = POLLIN;
    CHECK(p.fd >= 0);
    CHECK_INT(poll(&p, 1, 30), 0);
    while (!gate_get(&gate.waiting)) sleep_ms(1);
    ws_step(c);
    CHECK_INT(ws_state(c), WS_STATE_CONNECTING);
    gate_set(1);
    CHECK_INT(poll(&p, 1, 5000), 1);
    while (!v.close) own_turn(c, 100, &v);
    THROUGH(v);
    ws_free(c);

    gate_set(0);
    loop = ws_loop_new(NULL);
    start = now_ms();
    ws_dial(loop, url, &cfg);
    CHECK(now_ms() - start < 200);
    CHECK_INT(ws_poll(loop, &ev, 30), 0);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", sh->port);
    ws_dial(loop, url, &cfg);               /* numeric: needs no thread, passes it */
    v = loop_visit(loop);
    THROUGH(v);
    gate_set(1);
    v = loop_visit(loop);
    THROUGH(v);
    ws_loop_free(loop);
    reap_all();
}

/* The connection goes first, the thread follows; or they meet. */
TEST(lookup_abandoned)
{
    int i, base = open_files(), d;
    heap h;
    ws_config cfg = heap_config(&h);

    for (i = 0; i < 60; i++) {
        ws_loop *loop = ws_loop_new(NULL);
        ws_conn *own, *in;
        int done = gate_get(&gate.done);
        gate_set(i % 3 == 0);
        own = ws_open("ws://slow.test:1/", &cfg);
        in = ws_dial(loop, "ws://slow.test:1/", &cfg);
        CHECK_INT(ws_error(own), 0);
        if (i % 3 == 1) { gate_set(1); if (i & 1) sleep_ms(1); }
        if (i % 4 == 0) ws_free(in);
        if (i % 4 == 1) ws_close(in, 1000, NULL);
        ws_free(own);
        ws_loop_free(loop);
        gate_set(1);
        for (d = 0; d < 3000 && gate_get(&gate.done) < done + 2; d++) sleep_ms(1);
    }
    CHECK_INT(h.live, 0);
    check_files(base);
}

#endif

/* ---- cfg.resolve ---- */

static struct {
    int calls;
    char host[80];
    const char *now;
    int later;
    ws_conn *c;
    int bad;
} ask;

static void resolve(void *user, ws_conn *c, const char *host)
{
    CHECK(user == (void *)&ask);
    ask.calls++;
    ask.c = c;
    snprintf(ask.host, sizeof ask.host, "%s", host);
    if (ask.bad) CHECK_INT(ws_resolved(c, "127.0.0.1, not.an.address"), WS_ERR_ARGUMENT);
    if (!ask.later) CHECK_INT(ws_resolved(c, ask.now), 0);
}

TEST(own_resolver)
{
    ws_config cfg = fresh_config();
    char url[80];
    int d;
    visit v;
    ws_conn *c;
    ws_loop *loop;
    ws_event ev;

    peers();
    cfg.resolve = resolve;
    cfg.resolve_user = &ask;
    snprintf(url, sizeof url, "ws://any.thing:%d/", sh->port);
    for (d = 0; d < DRIVERS; d++) {
        memset(&ask, 0, sizeof ask);
        ask.now = "127.0.0.1";
        ask.bad = 1;
        GOES_THROUGH(d, url, &cfg);
        CHECK_INT(ask.calls, 1);
        CHECK_STR(ask.host, "any.thing");
        ask.bad = 0;
        ask.now = NULL;
        v = visit_url(d, url, &cfg);
        CHECK_INT(v.error, WS_ERR_LOOKUP);
        ask.now = "";
        v = visit_url(d, url, &cfg);
        CHECK_INT(v.error, WS_ERR_LOOKUP);
        ask.now = "::1, 127.0.0.1";         /* nobody at the first */
        GOES_THROUGH(d, url, &cfg);
        CHECK_INT(ask.calls, 4);
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", sh->port);
        GOES_THROUGH(d, url, &cfg);        /* numeric: not asked */
        CHECK_INT(ask.calls, 4);
        snprintf(url, sizeof url, "ws://any.thing:%d/", sh->port);
    }
    ask.later = 1;
    c = ws_open(url, &cfg);
    CHECK(ask.c == c);
    CHECK_INT(ws_wants(c), 0);
    CHECK(ws_timeout(c) > 9000);
    memset(&v, 0, sizeof v);
    own_turn(c, 5, &v);
    CHECK_INT(ws_resolved(c, "127.0.0.1"), 0);
    CHECK_INT(ws_resolved(c, "127.0.0.1"), WS_ERR_STATE);
    while (!v.close) own_turn(c, 100, &v);
    THROUGH(v);
    CHECK_INT(ws_resolved(c, "127.0.0.1"), WS_ERR_STATE);
    ws_free(c);
    loop = ws_loop_new(NULL);
    c = ws_dial(loop, url, &cfg);
    CHECK_INT(ws_poll(loop, &ev, 5), 0);
    CHECK_INT(ws_resolved(c, "127.0.0.1"), 0);
    v = loop_visit(loop);
    THROUGH(v);
    c = ws_dial(loop, url, &cfg);
    ws_close(c, 1000, NULL);
    CHECK_INT(ws_resolved(c, "127.0.0.1"), WS_ERR_STATE);
    ws_loop_free(loop);
    CHECK_INT(ws_resolved(NULL, "127.0.0.1"), WS_ERR_ARGUMENT);
    reap_all();
}

/* ---- through proxies ---- */

TEST(proxies_in_every_driver)
{
    static const struct {
        int socks;
        const char *proxy;
        int login, error, status;
    } all[] = { { 0, "http://127.0.0.1:%d", 0, 0, 0 },
                { 0, "http://u:p%%40ss@127.0.0.1:%d", 1, 0, 0 },
                { 0, "echo.test:%d", 0, 0, 0 },
                { 0, "http://127.0.0.1:%d", 1, WS_ERR_PROXY, 407 },
                { 1, "socks5://127.0.0.1:%d", 0, 0, 0 },
                { 1, "socks5://u:p%%40ss@127.0.0.1:%d", 1, 0, 0 },
                { 1, "socks5h://u:p%%40ss@echo.test:%d", 0, 0, 0 },
                { 1, "socks5://127.0.0.1:%d", 1, WS_ERR_PROXY, 0 },
                { 1, "socks5://u:no@127.0.0.1:%d", 1, WS_ERR_PROXY, 0 },
                { 0, "https://127.0.0.1:%d", 0, WS_ERR_NO_TLS, 0 },
                { 0, "gopher://127.0.0.1:%d", 0, WS_ERR_URL, 0 },
                { 0, "http://gone.test:%d", 0, WS_ERR_LOOKUP, 0 } };
    size_t i;
    int d, slow, base;
    visit v;

    peers();
    base = open_files();
    for (i = 0; i < sizeof all / sizeof *all; i++)
        for (d = 0; d < DRIVERS; d++)
            for (slow = 0; slow < 2; slow++) {
                heap h;
                ws_config cfg = heap_config(&h);
                char url[80], proxy[80];
                sh->socks = all[i].socks;
                sh->need_login = all[i].login;
                sh->byte_by_byte = slow;
                snprintf(proxy, sizeof proxy, all[i].proxy, sh->proxy_port);
                snprintf(url, sizeof url, "ws://the.server:%d/", sh->port);
                cfg.proxy = proxy;
                v = visit_url(d, url, &cfg);
                CHECK_INT(v.status, all[i].status  ? all[i].status
                                    : all[i].error ? 0
                                                   : 101);
                CHECK_INT(v.error, all[i].error);
                if (!all[i].error) {
                    THROUGH(v);
                    if (all[i].socks) CHECK_STR(sh->request, "3 the.server");
                } else if (v.error != all[i].error) {
                    printf("    %s: %s\n", proxy, v.reason);
                }
                if (all[i].status)
                    CHECK_STR(v.reason, "proxy refused: proxy answered 407");
                if (all[i].status) CHECK_STR(v.header, "Basic realm=\"test\"");
                CHECK_INT(h.live, 0);
            }
    check_files(base);
    reap_all();
}

/* The proxy's password goes to the proxy, never through it; the request never to the
   proxy. */
TEST(sec_B11_answers_of_proxies)
{
    static const ws_header proxy_headers[] = { { "Proxy-Authorization",
                                                 "Basic dTpwQHNz" },
                                               { "X-Proxy", "for you" },
                                               { NULL, NULL } };
    static const ws_header headers[] = { { "X-Server", "for it" }, { NULL, NULL } };
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 204 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
    };
    char url[80], proxy[80], want[400];
    ws_config cfg = fresh_config();
    int d, i;
    visit v;

    peers();
    cfg.headers = headers;
    cfg.proxy = proxy;
    sh->need_login = 1;
    for (d = 0; d < DRIVERS; d++) {
        for (i = 0; i < 3; i++) {
            int own = i == 1;           /* a login of its own goes instead of the URL's */
            snprintf(proxy, sizeof proxy, "http://u:%s@127.0.0.1:%d",
                     own ? "wrong" : "p%40ss", sh->proxy_port);
            cfg.proxy_headers = proxy_headers + !own;
            memset(sh->inner, 0, sizeof sh->inner);
            snprintf(sh->answer, sizeof sh->answer, "%s", answers[i]);
            snprintf(url, sizeof url, "ws://[::1]:%d/path", sh->port);
            sh->byte_by_byte = i == 2;
            if (d) snprintf(url, sizeof url, "ws://server.test:%d/path", sh->port);
            v = visit_url(d, url, &cfg);
            if (!d) continue;           /* the proxy of this test cannot read [::1] */
            THROUGH(v);
            snprintf(want, sizeof want,
                     "CONNECT server.test:%d HTTP/1.1\r\nHost: server.test:%d\r\n"
                     "Proxy-Authorization: Basic dTpwQHNz\r\nX-Proxy: for you\r\n\r\n",
                     sh->port, sh->port);
            CHECK_STR(sh->request, want);
            CHECK(!strncmp(sh->inner, "GET /path HTTP/1.1\r\n", 20));
            CHECK(strstr(sh->inner, "X-Server: for it\r\n") != NULL);
            CHECK(strstr(sh->inner, "Proxy-Authorization") == NULL);
            CHECK(strstr(sh->inner, "X-Proxy") == NULL);
        }
        if (!d) {
            snprintf(want, sizeof want, "CONNECT [::1]:%d HTTP/1.1\r\nHost: [::1]:%d\r\n",
                     sh->port, sh->port);
            CHECK(!strncmp(sh->request, want, strlen(want)));
        }
        sh->byte_by_byte = 0;
        snprintf(sh->answer, sizeof sh->answer, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n");
        FAILS(d, url, &cfg, WS_ERR_PROXY, "proxy refused: proxy's answer is not HTTP");
        sh->answer[0] = 0;
    }
    reap_all();
}

static int zero_random(void *user, void *buf, size_t n)
{
    (void)user;
    memset(buf, 0, n);
    return 0;
}

/* What stands right behind the proxy's answer is the server's: nothing of it is lost. */
TEST(bytes_behind_the_answer)
{
    char accept_key[29], url[80], proxy[80];
    ws_config cfg = fresh_config();
    int d, slow;
    visit v;

    peers();
    ws_accept_key("AAAAAAAAAAAAAAAAAAAAAA==", accept_key);
    cfg.random = zero_random;
    cfg.proxy = proxy;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", sh->proxy_port);
    snprintf(url, sizeof url, "ws://a:%d/", sh->port);
    snprintf(
        sh->answer, sizeof sh->answer,
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
        "\x81\x05"
        "early",
        accept_key);
    for (d = 0; d < DRIVERS; d++)
        for (slow = 0; slow < 2; slow++) {
            sh->byte_by_byte = slow;
            v = visit_url(d, url, &cfg);
            CHECK_INT(v.open, 1);
            CHECK(v.message >= 1);
            CHECK_STR(v.text, "early");
            if (!v.message) printf("    driver %d slow %d: %s\n", d, slow, v.reason);
        }
    reap_all();
}

TEST(proxy_ends_early)          /* after every byte of its answer, both kinds */
{
    char url[80], proxy[80];
    ws_config cfg = fresh_config();
    int d, n, socks;

    peers();
    cfg.proxy = proxy;
    snprintf(url, sizeof url, "ws://a:%d/", sh->port);
    for (socks = 0; socks < 2; socks++) {
        sh->socks = socks;
        snprintf(proxy, sizeof proxy, "%s://127.0.0.1:%d", socks ? "socks5" : "http",
                 sh->proxy_port);
        for (n = 0; n < (socks ? 12 : 39); n++) {
            d = n % DRIVERS;
            sh->stop_at = n;
            FAILS(d, url, &cfg, WS_ERR_PROXY,
                  "proxy refused: proxy ended the connection");
        }
    }
    reap_all();
}

/* ---- the environment ---- */

static const char *env_for(const char *url)
{
    ws_url u;
    const char *p;
    if (ws_url_parse(url, strlen(url), &u)) return "bad url";
    p = ws__proxy_env(&u);
    return p ? p : "direct";
}

TEST(proxy_environment)
{
    static const char *const names[] = { "http_proxy", "https_proxy", "all_proxy",
                                         "no_proxy",   "HTTP_PROXY",  "HTTPS_PROXY",
                                         "ALL_PROXY",  "NO_PROXY" };
    static const struct { const char *no, *url; int direct;
    } rules[] = { { "", "ws://a/", 0 },
                  { "*", "ws://a/", 1 },
                  { "a", "ws://a/", 1 },
                  { "A", "ws://a/", 1 },
                  { "a", "ws://ba/", 0 },
                  { "a.b", "ws://x.a.b/", 1 },
                  { "a.b", "ws://xa.b/", 0 },
                  { ".a.b", "ws://x.a.b/", 1 },
                  { ".a.b", "ws://a.b/", 1 },
                  { "*.a.b", "ws://x.a.b/", 1 },
                  { "x, a.b , y", "ws://a.b/", 1 },
                  { "a:80", "ws://a/", 1 },
                  { "a:81", "ws://a/", 0 },
                  { "a:81", "ws://a:81/", 1 },
                  { "a:", "ws://a/", 0 },
                  { ":80", "ws://a/", 0 },
                  { "::1", "ws://[::1]/", 1 },
                  { "[::1]", "ws://[::1]/", 1 },
                  { "[::1]:80", "ws://[::1]/", 1 },
                  { "[::1]:81", "ws://[::1]/", 0 },
                  { "127.0.0.1", "ws://127.0.0.1:9/", 1 },
                  { ",,", "ws://a/", 0 },
                  { "0.0.1", "ws://[::1]/", 0 },
                  { "[", "ws://a/", 0 },
                  { ".", "ws://a/", 0 },
                  { "a:99999", "ws://a/", 0 } };
    char url[80], proxy[80];
    ws_config cfg = fresh_config();
    size_t i;
    int d;

    for (i = 0; i < 8; i++) unsetenv(names[i]);
    CHECK_STR(env_for("ws://a/"), "direct");
    setenv("HTTP_PROXY", "http://cgi", 1);
    CHECK_STR(env_for("ws://a/"), "direct");
    setenv("ALL_PROXY", "http://ALL", 1);
    CHECK_STR(env_for("ws://a/"), "http://ALL");
    setenv("all_proxy", "http://all", 1);
    CHECK_STR(env_for("ws://a/"), "http://all");
    CHECK_STR(env_for("wss://a/"), "http://all");
    setenv("HTTPS_PROXY", "http://HS", 1);
    CHECK_STR(env_for("wss://a/"), "http://HS");
    CHECK_STR(env_for("ws://a/"), "http://all");
    setenv("https_proxy", "http://hs", 1);
    CHECK_STR(env_for("wss://a/"), "http://hs");
    setenv("http_proxy", "http://h", 1);
    CHECK_STR(env_for("ws://a/"), "http://h");
    setenv("http_proxy", "", 1);
    CHECK_STR(env_for("ws://a/"), "http://all");
    setenv("NO_PROXY", "a", 1);
    CHECK_STR(env_for("ws://a/"), "direct");
    for (i = 0; i < sizeof rules / sizeof *rules; i++) {
        setenv("no_proxy", rules[i].no, 1);
        d = !strcmp(env_for(rules[i].url), "direct");
        if (d != rules[i].direct) printf("    %s %s\n", rules[i].no, rules[i].url);
        CHECK_INT(d, rules[i].direct);
    }
    peers();
    cfg.proxy = "env";
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", sh->proxy_port);
    setenv("http_proxy", proxy, 1);
    snprintf(url, sizeof url, "ws://localhost:%d/", sh->port);
    for (d = 0; d < DRIVERS; d++) {
        GOES_THROUGH(d, url, &cfg);
        CHECK_INT(sh->connections, d + 1);
    }
    setenv("no_proxy", "localhost", 1);
    GOES_THROUGH(BLOCKING, url, &cfg);
    CHECK_INT(sh->connections, DRIVERS);
    for (i = 0; i < 8; i++) unsetenv(names[i]);
    reap_all();
}

/* ---- one deadline over all of it ---- */

TEST(deadline_names_the_stage)
{
    ws_config cfg = fresh_config();
    char url[80], proxy[80], want[200];
    int d, silent_port = 0, silent = listener(&silent_port, 16);

    peers();
    cfg.handshake_timeout = 150;
    for (d = 0; d < DRIVERS; d++) {
        uint64_t start = now_ms(), spent;
#ifndef WS_NO_THREADS
        gate_set(0);
        FAILS(d, "ws://slow.test/", &cfg, WS_ERR_HANDSHAKE_TIMEOUT,
              "opening handshake took too long: looking up slow.test");
        gate_set(1);
#endif
        cfg.resolve = resolve;
        cfg.resolve_user = &ask;
        memset(&ask, 0, sizeof ask);
        ask.later = 1;
        FAILS(d, "ws://other.test/", &cfg, WS_ERR_HANDSHAKE_TIMEOUT,
              "opening handshake took too long: looking up other.test");
        cfg.resolve = NULL;
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", silent_port);
        FAILS(d, url, &cfg, WS_ERR_HANDSHAKE_TIMEOUT,
              "opening handshake took too long: waiting for the answer");
        sh->mute = 1;
        cfg.proxy = proxy;
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", sh->proxy_port);
        FAILS(d, url, &cfg, WS_ERR_HANDSHAKE_TIMEOUT,
              "opening handshake took too long: waiting for the proxy");
        cfg.proxy = NULL;
        sh->mute = 0;
        spent = now_ms() - start;
        CHECK(spent >= 450 && spent < 5000);
    }
    /* an address that stays silent: a listener whose queue is full */
    {
        int port = 0, full = listener(&port, 0), i, fd[8];
        struct sockaddr_in a = loopback(port);
        for (i = 0; i < 8; i++) {
            fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            connect(fd[i], (struct sockaddr *)&a, sizeof a);
        }
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        snprintf(want, sizeof want,
                 "opening handshake took too long: connecting to 127.0.0.1:%d", port);
        for (d = 0; d < DRIVERS; d++) {
            FAILS(d, url, &cfg, WS_ERR_HANDSHAKE_TIMEOUT, want);
        }
        for (i = 0; i < 8; i++) close(fd[i]);
        close(full);
    }
    close(silent);
    reap_all();
}

/* ---- ending in the middle, and memory ---- */

/* Free, or close and then free, after every number of steps, with and without a proxy. */
TEST(ended_at_every_stage)
{
    char url[80], proxy[80];
    int steps, how, through, d, base;

    peers();
    base = open_files();
    snprintf(url, sizeof url, "ws://echo.test:%d/", sh->port);
    for (through = 0; through < 3; through++)
        for (how = 0; how < 3; how++)
            for (steps = 0; steps < 12; steps++)
                for (d = OWN; d <= LOOP; d++) {
                    heap h;
                    ws_config cfg = heap_config(&h);
                    ws_loop *loop = NULL;
                    ws_conn *c;
                    visit v;
                    ws_event ev;
                    int i;
                    sh->socks = through == 2;
                    snprintf(proxy, sizeof proxy, "%s://echo.test:%d",
                             through == 2 ? "socks5" : "http", sh->proxy_port);
                    if (through) cfg.proxy = proxy;
                    memset(&v, 0, sizeof v);
                    if (d == LOOP) loop = ws_loop_new(&cfg);
                    c = loop ? ws_dial(loop, url, &cfg) : ws_open(url, &cfg);
                    for (i = 0; i < steps; i++) {
                        if (!loop) own_turn(c, 2, &v);
                        else if (ws_poll(loop, &ev, 1) > 0) visit_note(&v, &ev);
                    }
                    if (how == 1 && !v.close) {
                        ws_close(c, 1000, NULL);
                        if (loop) while (ws_poll(loop, &ev, 500) > 0) visit_note(&v, &ev);
                        else for (i = 0; i < 100 && !v.close; i++) own_turn(c, 10, &v);
                        CHECK_INT(v.close, 1);
                        CHECK_INT(v.error, 0);
                    }
                    if (how == 0 && loop && !v.close) ws_free(c);
                    if (!loop) ws_free(c);
                    ws_loop_free(loop);
                    CHECK_INT(h.live, 0);
                }
    check_files(base);
    reap_all();
}

TEST(memory_fails_at_every_call)
{
    char url[80], proxy[80];
    int d, i;

    peers();
    snprintf(url, sizeof url, "ws://a:%d/", sh->port);
    snprintf(proxy, sizeof proxy, "http://u:p%%40ss@127.0.0.1:%d", sh->proxy_port);
    for (d = 0; d < DRIVERS; d++)
        for (i = 1; i < 40; i++) {
            heap h;
            ws_config cfg = heap_config(&h);
            visit v;
            cfg.proxy = proxy;
            h.fail_at = i;
            v = visit_url(d, url, &cfg);
            CHECK_INT(h.live, 0);
            if (h.calls < i) { THROUGH(v); break; }
            CHECK(v.error == WS_ERR_MEMORY || v.error == 0);
        }
    reap_all();
}

/* ---- redirects ---- */

TEST(locations)                 /* what a Location means, from where */
{
    static const struct { const char *from, *to, *want; int crossed;
    } all[] = { { "ws://a/x/y?q", "/z", "ws://a/z", 0 },
                { "ws://a/x/y?q", "z", "ws://a/x/z", 0 },
                { "ws://a/x/y?q", "?z", "ws://a/x/y?z", 0 },
                { "ws://a/x/y", "../z?a/../b", "ws://a/z?a/../b", 0 },
                { "ws://a/x/y", "./", "ws://a/x/", 0 },
                { "ws://a/x/y", "..", "ws://a/", 0 },
                { "ws://a/x/y", "../../../z", "ws://a/z", 0 },
                { "ws://a/x/y", "/a/./b/../c", "ws://a/a/c", 0 },
                { "ws://a", "z", "ws://a/z", 0 },
                { "ws://a", "?z", "ws://a/?z", 0 },
                { "ws://a?q", "z", "ws://a/z", 0 },
                { "ws://a/x", "/..a/.b/...", "ws://a/..a/.b/...", 0 },
                { "ws://a/", "z#part", "ws://a/z", 0 },
                { "ws://a:81/x", "/z", "ws://a:81/z", 0 },
                { "ws://[::1]:81/x", "/z", "ws://[::1]:81/z", 0 },
                { "http://a/x", "/z", "ws://a/z", 0 },
                { "ws://a/x", "http://a/z", "http://a/z", 0 },
                { "ws://a/x", "ws://A:80/z", "ws://A:80/z", 0 },
                { "ws://a/x", "ws://a:81/z", "ws://a:81/z", 1 },
                { "ws://a/x", "ws://b/z", "ws://b/z", 1 },
                { "ws://a/x", "//b/z", "ws://b/z", 1 },
                { "ws://a/x", "wss://a:80/z", "wss://a:80/z", 1 },
                { "wss://a/x", "//b/z", "wss://b/z", 1 },
                { "wss://a/x", "https://a/z", "https://a/z", 0 },
                { "wss://a/x", "ws://a/z", "from wss to ws", 0 },
                { "wss://a/x", "http://a/", "from wss to ws", 0 },
                { "ws://u:p@a/x", "/z", "ws://u:p@a/z", 0 },
                { "ws://u:p@a/x", "ws://a/z", "ws://u:p@a/z", 0 },
                { "ws://u@[::1]/x", "ws://[::1]/z", "ws://u@[::1]/z", 0 },
                { "ws://u:p@a/x", "ws://b/z", "ws://b/z", 1 },
                { "ws://u:p@a/x", "ws://v:q@a/z", "ws://v:q@a/z", 0 },
                { "ws://u:p@a/x", "ws://v:q@b/z", "ws://v:q@b/z", 1 },
                { "ws://a/x", "", "no Location", 0 },
                { "ws://a/x", "#z", "no Location", 0 },
                { "ws://a/x", "ftp://a/z", "bad Location", 0 },
                { "ws://a/x", "javascript:alert(1)", "bad Location", 0 },
                { "ws://a/x", "ws+unix:/run/s:/z", "bad Location", 0 },
                { "ws://a/x", "a b", "bad Location", 0 },
                { "ws://a/x", "//", "bad Location", 0 },
                { "ws://a/x", "ws://", "bad Location", 0 },
                { "ws://a/x", "\xc3\xa4", "bad Location", 0 },
                { "ws://a/x", "ws://b:99999/", "bad Location", 0 },
                { "ws+unix:/run/s:/x/y", "z", "ws+unix:/run/s:/x/z", 0 },
                { "ws+unix:/run/s:/x/y", "/z", "ws+unix:/run/s:/z", 0 },
                { "ws+unix:/run/s", "?z", "ws+unix:/run/s:/?z", 0 },
                { "ws+unix:/run/s:/x", "ws+unix:/run/t:/", "bad Location", 0 },
                { "ws+unix:/run/s:/x", "ws://a/z", "ws://a/z", 1 } };
    size_t i, room;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        for (room = 2; room < 100; room++) {        /* also when it does not fit */
            char *buf = (char *)malloc(room);
            ws__text t = ws__text_in(buf, room);
            const char *why;
            uint8_t crossed = 0;
            ws_url from;
            CHECK_INT(ws_url_parse(all[i].from, strlen(all[i].from), &from), 0);
            why = ws__location(&t, &from, ws__cstr(all[i].to), &crossed);
            if (room < 99 && why) { free(buf); continue; }
            CHECK_STR(why ? why : buf, all[i].want);
            if (!why) CHECK_INT(strlen(buf), t.at - buf);
            if (!why) CHECK_INT(crossed, all[i].crossed);
            free(buf);
        }
}

/* A server that redirects: "/to?STATUS,LOCATION" answers so, %p being its port, %o
   another one; "/gone" has no Location; anything else says what headers came. One for
   each port. */
static void say_headers(ws_conn *c)
{
    static const char *const names[] = { "Authorization", "Cookie", "Proxy-Authorization",
                                         "X-Own", "Host" };
    char text[600];
    size_t i, n = (size_t)snprintf(text, sizeof text, "%s", ws_target(c));

    for (i = 0; i < 5; i++) {
        ws_str v = ws_header_value(c, names[i]);
        if (v.data)
            n += (size_t)snprintf(text + n, sizeof text - n, " %s=%.*s", names[i],
                                  (int)v.size, v.data);
    }
    ws_send_text(c, text);
}

static void redirect(ws_conn *c, int port, int other)
{
    char to[300], *at = to;
    const char *p = strchr(ws_target(c), ',');
    ws_header location[] = { { "Location", to }, { NULL, NULL } };

    for (p = p ? p + 1 : ""; *p && at < to + sizeof to - 20; p++) {
        if (*p == '%' && p[1] == 'p') at += sprintf(at, "%d", port), p++;
        else if (*p == '%' && p[1] == 'o') at += sprintf(at, "%d", other), p++;
        else *at++ = *p;
    }
    *at = 0;
    ws_reject(c, atoi(ws_target(c) + 4), location, "elsewhere");
}

static void run_redirect(int fd)
{
    ws_event ev;
    ws_config cfg;
    int port, other;
    ws_loop *loop = ws_loop_new(NULL);

    (void)fd;
    memset(&cfg, 0, sizeof cfg);
    cfg.ask = 1;
    port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
    other = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
    sh->other_port = other;
    sh->port = port;
    while (ws_poll(loop, &ev, -1) >= 0) {
        if (ev.type == WS_EV_REQUEST) {
            sh->requests++;
            if (sh->mute) sleep_ms(150);
            if (!strncmp(ws_target(ev.conn), "/to?", 4)) redirect(ev.conn, port, other);
            else if (!strcmp(ws_target(ev.conn), "/gone"))
                ws_reject(ev.conn, 302, NULL, "where?");
            else ws_accept(ev.conn, NULL);
        }
        if (ev.type == WS_EV_OPEN) say_headers(ev.conn);
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
    }
}

/* That server alone. */
static void redirecting(void)
{
    reap_all();
    memset((void *)sh, 0, sizeof *sh);
    spawn(run_redirect, -1);
    while (!sh->port) sleep_ms(1);
}

TEST(redirects)
{
    static const ws_header own[] = { { "Cookie", "c" },
                                     { "X-Own", "x" },
                                     { "authorization", "secret" },
                                     { "Proxy-Authorization", "no" },
                                     { NULL, NULL } };
    static const struct {
        const char *target;
        int error;
        const char *want;
        int hops;
    } all[] = {
        { "/to?301,/end", 0,
          "/end Authorization=secret Cookie=c Proxy-Authorization=no X-Own=x Host=mine",
          1 },
        { "/to?302,end", 0,
          "/end Authorization=secret Cookie=c Proxy-Authorization=no X-Own=x Host=mine",
          1 },
        { "/to?303,ws://127.0.0.1:%p/end", 0,
          "/end Authorization=secret Cookie=c Proxy-Authorization=no X-Own=x Host=mine",
          1 },
        { "/to?307,ws://127.0.0.1:%o/end", 0, "/end X-Own=x Host=127.0.0.1:%o", 1 },
        { "/to?308,http://echo.test:%p/end", 0, "/end X-Own=x Host=echo.test:%p", 1 },
        { "/to?301,ws://127.0.0.1:%o/to?301,ws://127.0.0.1:%p/end", 0,
          "/end X-Own=x Host=127.0.0.1:%p", 2 },
        { "/to?301,/to?302,/to?307,/end", 0,
          "/end Authorization=secret Cookie=c Proxy-Authorization=no X-Own=x Host=mine",
          3 },
        { "/to?301,/to?301,/to?301,/to?301,/end", WS_ERR_REDIRECT,
          "redirect not followed: too many", 4 },
        { "/to?302,", WS_ERR_REDIRECT, "redirect not followed: no Location", 1 },
        { "/gone", WS_ERR_REDIRECT, "redirect not followed: no Location", 1 },
        { "/to?302,gopher://x/", WS_ERR_REDIRECT, "redirect not followed: bad Location",
          1 },
        { "/to?302,wss://127.0.0.1:%p/", WS_ERR_NO_TLS, NULL, 1 },
        { "/to?302,ws://gone.test/", WS_ERR_LOOKUP, "host name not found: gone.test", 1 },
        { "/to?304,/end", WS_ERR_STATUS, NULL, 1 },
        { "/to?300,/end", WS_ERR_STATUS, NULL, 1 }
    };
    heap h;
    ws_config cfg = heap_config(&h);
    char url[200], want[300];
    const char *p;
    size_t i;
    int d, base;
    visit v;

    redirecting();
    base = open_files();
    cfg.max_redirects = 3;
    cfg.headers = own;
    cfg.host = "mine";
    for (i = 0; i < sizeof all / sizeof *all; i++)
        for (d = 0; d < DRIVERS; d++) {
            char *at = want;
            sh->requests = 0;
            snprintf(url, sizeof url, "ws://127.0.0.1:%d%s", sh->port, all[i].target);
            v = visit_url(d, url, &cfg);
            CHECK_INT(v.error, all[i].error);
            CHECK_INT(v.close, 1);
            CHECK_INT(v.open, !all[i].error);
            for (p = all[i].want ? all[i].want : ""; *p; p++) {
                if (p[0] == '%')
                    at += sprintf(at, "%d", p[1] == 'p' ? sh->port : sh->other_port), p++;
                else *at++ = *p;
            }
            *at = 0;
            if (*want) CHECK_STR(all[i].error ? v.reason : v.text, want);
            CHECK_INT(sh->requests, all[i].hops + !all[i].error);
            if (all[i].error == WS_ERR_REDIRECT) CHECK_INT(v.status / 100, 3);
            if (!all[i].error) CHECK(strstr(v.url, "/end") && !strstr(v.url, "/to"));
            CHECK_INT(h.live, 0);
        }
    cfg.max_redirects = 0;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/to?302,/end", sh->port);
    for (d = 0; d < DRIVERS; d++) {
        visit_header = "Location";
        v = visit_url(d, url, &cfg);
        visit_header = "Proxy-Authenticate";
        CHECK_INT(v.error, WS_ERR_STATUS);
        CHECK_INT(v.status, 302);
        CHECK_STR(v.header, "/end");
        CHECK_STR(v.url, url);
    }
    cfg.max_redirects = 3;
    snprintf(url, sizeof url, "ws://u:p@127.0.0.1:%d/to?302,/end", sh->port);
    cfg.headers = NULL;
    cfg.host = NULL;
    v = visit_url(OWN, url, &cfg);              /* the URL's own credentials */
    snprintf(want, sizeof want, "/end Authorization=Basic dTpw Host=127.0.0.1:%d",
             sh->port);
    CHECK_STR(v.text, want);
    snprintf(url, sizeof url, "ws://u:p@127.0.0.1:%d/to?302,ws://127.0.0.1:%%o/end",
             sh->port);
    v = visit_url(OWN, url, &cfg);
    snprintf(want, sizeof want, "/end Host=127.0.0.1:%d", sh->other_port);
    CHECK_STR(v.text, want);
    CHECK_INT(h.live, 0);
    check_files(base);
    reap_all();
}

/* What was sent before OPEN arrives at the last server, in order, slots too. */
TEST(redirect_keeps_the_queue)
{
    char url[100], text[200] = "";
    int d, i, got, base;

    redirecting();
    base = open_files();
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/to?302,/to?301,/x", sh->port);
    for (d = OWN; d <= LOOP; d++) {
        heap h;
        ws_config cfg = heap_config(&h);
        ws_loop *loop;
        ws_conn *c;
        ws_event ev;
        cfg.max_redirects = 3;
        loop = d == LOOP ? ws_loop_new(&cfg) : NULL;
        c = loop ? ws_dial(loop, url, &cfg) : ws_open(url, &cfg);
        for (i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "%d", i);
            CHECK_INT(ws_send_text(c, text), 0);
            CHECK_INT(ws_send_latest(c, 1, WS_OP_TEXT, text, 1), 0);
        }
        text[0] = 0;
        for (got = 0, i = 0; got < 5 && i < 2000; i++) {
            int r;
            if (loop) r = ws_poll(loop, &ev, 10);
            else { own_step(c, 10); r = ws_next(c, &ev); }
            if (r > 0 && ev.type == WS_EV_CLOSE) { printf("    %s\n", ev.reason); break; }
            if (r <= 0 || ev.type != WS_EV_MESSAGE) continue;
            if (got++)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ",
                         (int)ev.size, (const char *)ev.data);
        }
        CHECK_STR(text, "0 2 1 2 ");
        if (!loop) ws_free(c);
        ws_loop_free(loop);
        CHECK_INT(h.live, 0);
    }
    check_files(base);
    reap_all();
}

TEST(redirects_under_one_deadline)
{
    ws_config cfg = fresh_config();
    char url[200];
    int port = 0, silent = listener(&port, 16), d;
    uint64_t start;
    visit v;

    redirecting();
    sh->mute = 1;               /* 150 ms for each */
    cfg.max_redirects = 5;
    cfg.handshake_timeout = 400;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/to?302,/to?302,ws://127.0.0.1:%d/",
             sh->port, port);
    for (d = 0; d < DRIVERS; d++) {
        start = now_ms();
        v = visit_url(d, url, &cfg);
        CHECK_INT(v.error, WS_ERR_HANDSHAKE_TIMEOUT);
        CHECK(now_ms() - start >= 395);
    }
    {                           /* the deadline stays where it was at the start */
        ws_conn *c = ws_open(url, &cfg);
        start = now_ms();
        memset(&v, 0, sizeof v);
        while (!v.close) {
            CHECK(now_ms() + (uint64_t)ws_timeout(c) <= start + 400);
            own_turn(c, 20, &v);
        }
        CHECK_INT(v.error, WS_ERR_HANDSHAKE_TIMEOUT);
        ws_free(c);
    }
    close(silent);
    reap_all();
}

TEST(redirect_memory)           /* fails at every call */
{
    char url[100];
    int d, i;

    redirecting();
    snprintf(url, sizeof url, "ws://u:p@127.0.0.1:%d/to?302,/to?301,/x", sh->port);
    for (d = 0; d < DRIVERS; d++)
        for (i = 1; i < 60; i++) {
            heap h;
            ws_config cfg = heap_config(&h);
            visit v;
            cfg.max_redirects = 3;
            h.fail_at = i;
            v = visit_url(d, url, &cfg);
            CHECK_INT(h.live, 0);
            if (h.calls < i) { CHECK_INT(v.error, 0); CHECK(v.message >= 1); break; }
        }
    reap_all();
}

/* ---- new tries ---- */

/* A server of this process on a port of its own, that comes and goes. */
static ws_loop *server_up(int *port)
{
    char address[40];
    ws_loop *loop = ws_loop_new(NULL);
    int i, l = -1;

    snprintf(address, sizeof address, "127.0.0.1:%d", *port);
    for (i = 0; i < 500 && (l = ws_listen(loop, address, NULL)) < 0; i++) sleep_ms(2);
    CHECK(l >= 0);
    *port = ws_listen_port(loop, l);
    return loop;
}

static void server_turn(ws_loop *loop)
{
    ws_event ev;
    while (loop && ws_poll(loop, &ev, 0) > 0)
        if (ev.type == WS_EV_MESSAGE) ws_send(ev.conn, ev.op, ev.data, ev.size);
}

/* One client in its own loop or in a loop, with everything it said. */
typedef struct lasting {
    ws_conn *c;
    ws_loop *loop;
    int opens, downs, closes, retry_in, error, code, clean, turns;
    char reason[100];
} lasting;

static void lasting_begin(lasting *k, int driver, const char *url, const ws_config *cfg)
{
    memset(k, 0, sizeof *k);
    if (driver == LOOP) k->loop = ws_loop_new(cfg);
    k->c = k->loop ? ws_dial(k->loop, url, cfg) : ws_open(url, cfg);
}

static void lasting_note(lasting *k, const ws_event *ev)
{
    if (ev->type == WS_EV_OPEN) k->opens++;
    if (ev->type != WS_EV_DOWN && ev->type != WS_EV_CLOSE) return;
    if (ev->type == WS_EV_DOWN) k->downs++;
    else k->closes++;
    k->retry_in = ev->retry_in;
    k->error = ev->error;
    k->code = ev->code;
    k->clean = ev->clean;
    snprintf(k->reason, sizeof k->reason, "%s", ev->reason);
    if (ev->type != WS_EV_DOWN) return;
    CHECK(ev->conn == k->c);
    CHECK_INT(ws_state(k->c), WS_STATE_CONNECTING);
    CHECK_INT(ws_done(k->c), 0);
    CHECK_INT(ws_error(k->c), ev->error);
    CHECK_INT(ws_send_text(k->c, "x"), WS_ERR_STATE);
    CHECK_INT(ws_wants(k->c), 0);
    CHECK_INT(ws_buffered(k->c), 0);
    if (!k->loop)
        CHECK(ws_timeout(k->c) <= ev->retry_in && ws_timeout(k->c) >= ev->retry_in - 200);
}

static void lasting_turn(lasting *k, int ms)
{
    ws_event ev;

    k->turns++;
    if (k->loop) {
        if (ws_poll(k->loop, &ev, ms) > 0) lasting_note(k, &ev);
    } else {
        own_step(k->c, ms);
        while (ws_next(k->c, &ev) > 0) lasting_note(k, &ev);
    }
}

static void lasting_end(lasting *k)
{
    if (!k->loop) ws_free(k->c);
    ws_loop_free(k->loop);
}

#define LAST(k, server, cond) \
    do { \
        uint64_t last_end = now_ms() + 5000; \
        while (!(cond) && now_ms() < last_end) { \
            lasting_turn(k, 2); \
            server_turn(server); \
        } \
        CHECK(cond); \
    } while (0)

TEST(reconnect)                 /* the server comes, goes, comes back; close in between */
{
    int d, base = open_files();

    for (d = OWN; d <= LOOP; d++) {
        heap h;
        ws_config cfg = heap_config(&h);
        ws_loop *server;
        lasting k;
        char url[80];
        int port = 0, i;

        cfg.reconnect = 4;
        cfg.reconnect_max = 20;
        server = server_up(&port);
        ws_loop_free(server);               /* nobody yet */
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        lasting_begin(&k, d, url, &cfg);
        LAST(&k, NULL, k.downs >= 3);
        CHECK_INT(k.error, WS_ERR_CONNECT);
        CHECK_INT(k.code, WS_CLOSE_ABNORMAL);
        CHECK_INT(k.opens, 0);
        for (i = 1; i <= 3; i++) {
            int downs;
            server = server_up(&port);
            LAST(&k, server, k.opens == i);
            CHECK_INT(ws_state(k.c), WS_STATE_OPEN);
            CHECK_INT(ws_error(k.c), 0);
            CHECK_INT(ws_send_text(k.c, "hello"), 0);
            downs = k.downs;
            if (i == 1) {                   /* the server says goodbye */
                ws_shutdown(server, 1001, "restart", 1000);
                LAST(&k, server, k.downs == downs + 1);
                CHECK_INT(k.code, 1001);
                CHECK_INT(k.clean, 1);
                CHECK_INT(k.error, 0);
                CHECK_STR(k.reason, "restart");
            }
            ws_loop_free(server);           /* or is gone */
            LAST(&k, NULL, k.downs > downs);
            CHECK_INT(k.closes, 0);
        }
        CHECK_INT(ws_close(k.c, 1000, "enough"), 0);
        LAST(&k, NULL, k.closes == 1);
        CHECK_INT(k.code, WS_CLOSE_ABNORMAL);
        CHECK_INT(ws_loop_count(k.loop), 0);
        lasting_end(&k);
        CHECK_INT(h.live, 0);
    }
    check_files(base);
}

TEST(reconnect_ends) /* by the application in every state; by faults that stay */
{
    static const struct { const char *url, *proxy; int error;
    } hopeless[] = { { "ws://", NULL, WS_ERR_URL },
                     { "wss://127.0.0.1/", NULL, WS_ERR_NO_TLS },
                     { "x", NULL, WS_ERR_URL },
                     { "ws://127.0.0.1:1/", "ftp://p", WS_ERR_URL },
                     { "ws://127.0.0.1:1/", "https://p", WS_ERR_NO_TLS } };
    int d, how, steps, base = open_files(), port = 0;
    size_t i;
    ws_loop *server = server_up(&port);
    char url[80];

    for (d = OWN; d <= LOOP; d++) {
        for (i = 0; i < sizeof hopeless / sizeof *hopeless; i++) {
            ws_config cfg = fresh_config();
            lasting k;
            cfg.reconnect = 1;
            cfg.proxy = hopeless[i].proxy;
            lasting_begin(&k, d, hopeless[i].url, &cfg);
            LAST(&k, NULL, k.closes == 1);
            CHECK_INT(k.error, hopeless[i].error);
            CHECK_INT(k.downs, 0);
            lasting_end(&k);
        }
        for (how = 0; how < 4; how++)
            for (steps = 0; steps < 14; steps++) {
                heap h;
                ws_config cfg = heap_config(&h);
                lasting k;
                int n;
                cfg.reconnect = 2;
                cfg.reconnect_max = 4;
                snprintf(url, sizeof url, "ws://%s:%d/",
                         steps & 1 ? "echo.test" : "127.0.0.1", steps % 3 ? port : 1);
                lasting_begin(&k, d, url, &cfg);
                for (n = 0; n < steps; n++) { lasting_turn(&k, 2); server_turn(server); }
                if (how == 1) ws_close(k.c, 1000, "bye");
                if (how == 2) ws_drop(k.c);
                if (how == 3 && k.loop) ws_free(k.c);
                if (how == 1 || how == 2) {
                    LAST(&k, server, k.closes == 1);
                    for (n = 0; n < 3; n++) lasting_turn(&k, 1);
                    CHECK_INT(k.closes, 1);
                }
                lasting_end(&k);
                CHECK_INT(h.live, 0);
            }
    }
    ws_loop_free(server);
    check_files(base);
}

/* A thousand tries by a clock that a test turns: the waits stay within their bounds and
   spread, nothing grows, nothing runs in circles. */
TEST(reconnect_a_thousand_times)
{
    heap h;
    ws_config cfg = heap_config(&h);
    lasting k;
    long low = 0, high = 0;
    size_t peak = 0;
    int i, base = open_files();
    uint32_t delay = 100;

    cfg.reconnect = 100;
    cfg.reconnect_max = 30000;
    lasting_begin(&k, OWN, "ws://127.0.0.1:1/", &cfg);
    for (i = 0; i < 1000; i++) {
        LAST(&k, NULL, k.downs == i + 1);
        CHECK_INT(k.error, WS_ERR_CONNECT);
        CHECK(k.retry_in >= (int)(delay / 2) && k.retry_in <= (int)delay);
        if (delay == 30000) {
            low += k.retry_in < 18750;
            high += k.retry_in >= 26250;
        }
        if (i == 10) peak = h.peak;
        CHECK(h.peak <= peak || i < 11);
        k.turns = 0;
        skipped += (uint64_t)k.retry_in /
                   2; /* not yet; a busy machine may take its time */
        ws_step(k.c);
        CHECK_INT(ws_state(k.c), WS_STATE_CONNECTING);
        CHECK_INT(ws_fd(k.c), -1);
        skipped += (uint64_t)(k.retry_in - k.retry_in / 2);
        CHECK(k.turns < 20);
        delay = delay * 2 < 30000 ? delay * 2 : 30000;
    }
    CHECK(low > 180 && low < 320);              /* a quarter each */
    CHECK(high > 180 && high < 320);
    lasting_end(&k);
    CHECK_INT(h.live, 0);
    check_files(base);
    skipped = 0;
}

/* The delay begins anew after a connection that lasted as long as it, and not before. */
TEST(reconnect_delay_begins_anew)
{
    ws_config cfg = fresh_config();
    lasting k;
    char url[80];
    int port = 0, round;
    ws_loop *server = server_up(&port);
    ws_event ev;

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.reconnect = 1000;
    cfg.ping_interval = WS_NEVER;
    lasting_begin(&k, OWN, url, &cfg);
    for (round = 0; round < 6; round++) {
        int want = round < 4 ? 1000 << round : 1000 << (round - 4);
        ws_conn *s = NULL;
        LAST(&k, server, k.opens == round + 1);
        while (!s) s = ws_each(server, NULL);
        if (round == 4) skipped += 8000;        /* it lasts */
        ws_step(k.c);
        ws_close(s, 1001, NULL);
        LAST(&k, server, k.downs == round + 1);
        CHECK(k.retry_in >= want / 2 && k.retry_in <= want);
        while (ws_loop_count(server)) ws_poll(server, &ev, 1);
        skipped += (uint64_t)k.retry_in;
    }
    lasting_end(&k);
    ws_loop_free(server);
    skipped = 0;
}

TEST(reconnect_blocking) /* ws_connect returns after the first try; ws_recv goes on */
{
    ws_config cfg = fresh_config();
    ws_event ev;
    char url[80];
    int i, downs = 0;
    ws_conn *c;

    peers();
    cfg.reconnect = 5;
    cfg.reconnect_max = 10;
    c = ws_connect("ws://127.0.0.1:1/", &cfg);
    CHECK_INT(ws_error(c), WS_ERR_CONNECT);
    for (i = 0; i < 200 && downs < 5; i++) {
        int r = ws_recv(c, &ev, 1000);
        CHECK_INT(r, 1);
        if (r > 0) CHECK_INT(ev.type, WS_EV_DOWN);
        downs++;
    }
    CHECK_INT(ws_recv(c, &ev, 0), 0);
    ws_close(c, 1000, NULL);
    CHECK_INT(ws_recv(c, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_CLOSE);
    CHECK_INT(ws_recv(c, &ev, 1000), WS_ERR_STATE);
    ws_free(c);

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", sh->port);
    c = ws_connect(url, &cfg);
    CHECK_INT(ws_recv(c, &ev, 1000), 1);
    CHECK_INT(ev.type, WS_EV_OPEN);
    kill(children[1], SIGKILL);                 /* the echo server */
    CHECK_INT(ws_recv(c, &ev, 3000), 1);
    CHECK_INT(ev.type, WS_EV_DOWN);
    CHECK_INT(ws_send_text(c, "x"), WS_ERR_STATE);
    for (i = 0; i < 100 && ev.error != WS_ERR_CONNECT;
         i++) { /* its listener may end after its connections */
        CHECK_INT(ws_recv(c, &ev, 3000), 1);
        CHECK_INT(ev.type, WS_EV_DOWN);
    }
    CHECK_INT(ev.error, WS_ERR_CONNECT);
    ws_free(c);
    reap_all();
}

/* before the first OPEN it does, never between DOWN and OPEN */
TEST(reconnect_refuses_to_queue)
{
    ws_config cfg = fresh_config();
    int port = 0, silent = listener(&port, 16);
    char url[80];
    lasting k;

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.reconnect = 1;
    cfg.handshake_timeout = 40;
    lasting_begin(&k, OWN, url, &cfg);
    CHECK_INT(ws_send_text(k.c, "queued"), 0);
    LAST(&k, NULL, k.downs == 1);
    LAST(&k, NULL, ws_fd(k.c) >= 0);
    CHECK_INT(ws_state(k.c), WS_STATE_CONNECTING);
    CHECK_INT(ws_send_text(k.c, "refused"), WS_ERR_STATE);
    CHECK_INT(ws_send_part(k.c, WS_OP_TEXT, "refused", 7, 0), WS_ERR_STATE);
    LAST(&k, NULL, k.downs == 2);
    lasting_end(&k);
    close(silent);
}

TEST(reconnect_lookup_fails)    /* that is a try, too */
{
    ws_config cfg = fresh_config();
    lasting k;
    int d;

    for (d = OWN; d <= LOOP; d++) {
        cfg = fresh_config();
        cfg.reconnect = 3;
        cfg.reconnect_max = 3;
        lasting_begin(&k, d, "ws://gone.test/", &cfg);
        LAST(&k, NULL, k.downs == 4);
        CHECK_INT(k.error, WS_ERR_LOOKUP);
        lasting_end(&k);
    }
}

TEST(reconnect_memory)          /* fails at every call: CLOSE, or nothing of it is seen */
{
    int d, i, port = 0, whole;
    ws_loop *server = server_up(&port);
    char url[80];

    snprintf(url, sizeof url, "ws://echo.test:%d/", port);
    for (d = OWN; d <= LOOP; d++)
        for (whole = 0, i = 1; i < 100 && !whole; i++) {
            heap h;
            ws_config cfg = heap_config(&h);
            lasting k;
            cfg.reconnect = 1;
            cfg.reconnect_max = 2;
            h.fail_at = i;
            lasting_begin(&k, d, url, &cfg);
            if (k.c) LAST(&k, server, k.opens == 1 || k.closes);
            if (k.opens && ws_each(server, NULL))
                ws_close(ws_each(server, NULL), 1001, "again");
            if (k.c) LAST(&k, server, k.opens == 2 || k.closes);
            CHECK(!k.closes || k.error == WS_ERR_MEMORY);
            whole = h.calls < i;
            lasting_end(&k);
            CHECK_INT(h.live, 0);
            while (ws_each(server, NULL)) server_turn(server);
        }
    CHECK(whole);
    ws_loop_free(server);
}

TEST(reconnect_detached)        /* whoever has taken the socket wants no other */
{
    ws_config cfg = fresh_config();
    int port = 0, fd;
    ws_loop *server = server_up(&port);
    const void *rest;
    char url[80];
    lasting k;
    size_t n;

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.reconnect = 1;
    lasting_begin(&k, OWN, url, &cfg);
    LAST(&k, server, k.opens == 1);
    fd = (int)ws_detach(k.c, &rest, &n);
    CHECK(fd >= 0);
    LAST(&k, server, k.closes == 1);
    CHECK_INT(k.downs, 0);
    lasting_end(&k);
    close(fd);
    ws_loop_free(server);
}

static void *no_alloc(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user; (void)old; (void)old_size;
    CHECK_INT(new_size, 0);
    return NULL;
}

TEST(reconnect_fixed_memory)
{
    static union { uint64_t align; char bytes[WS_MEMORY_SIZE(512, 1024)]; } room;
    ws_config cfg = fresh_config();
    lasting k;
    char url[80];
    int port = 0, round;
    ws_loop *server = server_up(&port);

    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    cfg.memory = &room;
    cfg.memory_size = sizeof room;
    cfg.memory_send = 1024;
    cfg.alloc = no_alloc;
    cfg.reconnect = 2;
    cfg.reconnect_max = 2;
    lasting_begin(&k, OWN, url, &cfg);
    for (round = 0; round < 5; round++) {
        LAST(&k, server, k.opens == round + 1);
        ws_close(ws_each(server, NULL), 1001, "again");
        LAST(&k, server, k.downs == round + 1);
        CHECK_INT(k.code, 1001);
        CHECK_STR(k.reason, "again");
    }
    lasting_end(&k);
    ws_loop_free(server);
}

/* Redirect, proxy and new tries together: each try starts at the first URL. */
TEST(reconnect_through_it_all)
{
    ws_config cfg = fresh_config();
    char url[100], proxy[80];
    lasting k;
    int d, port;

    peers();
    port = sh->proxy_port;
    sh->port = 0;
    spawn(run_redirect, -1);
    while (!sh->port) sleep_ms(1);
    cfg.max_redirects = 3;
    cfg.reconnect = 2;
    cfg.reconnect_max = 4;
    cfg.proxy = proxy;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", port);
    snprintf(url, sizeof url, "ws://first.test:%d/to?302,ws://second.test:%d/end",
             sh->port, sh->other_port);
    for (d = OWN; d <= LOOP; d++) {
        int before = sh->connections, round;
        lasting_begin(&k, d, url, &cfg);
        for (round = 1; round <= 3; round++) {
            LAST(&k, NULL, k.opens == round);
            CHECK(strstr(ws_url_of(k.c), "second.test") != NULL);
            ws_send(k.c, WS_OP_TEXT, "\xff", 1);            /* the server ends it: 1007 */
            LAST(&k, NULL, k.downs == round);
            CHECK_INT(k.code, 1007);
        }
        CHECK_INT(sh->connections - before, 6);
        lasting_end(&k);
    }
    reap_all();
}

static void prepare(void)
{
    sh = (shared *)mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON,
                        -1, 0);
    signal(SIGPIPE, SIG_DFL);
    atexit(reap_all);
}

#ifndef WS_NO_THREADS
#define LOOKUPS T(lookup_in_every_driver) T(lookup_does_not_block) T(lookup_abandoned) \
    T(ended_at_every_stage) T(reconnect_ends)
#else
#define LOOKUPS T(lookup_in_every_driver) T(ended_at_every_stage) T(reconnect_ends)
#endif

static const test_case all_tests[] = {
    LOOKUPS
#ifndef LOOKUPS_ONLY
    T(tunnel_scripts) T(tunnel_head) T(tunnel_early_end) T(tunnel_arguments)
    T(tunnel_addresses) T(tunnel_limits) T(tunnel_garbage) T(own_resolver)
    T(proxies_in_every_driver) T(sec_B11_answers_of_proxies) T(bytes_behind_the_answer)
    T(proxy_ends_early) T(proxy_environment) T(deadline_names_the_stage)
    T(memory_fails_at_every_call) T(locations) T(redirects) T(redirect_keeps_the_queue)
    T(redirects_under_one_deadline) T(redirect_memory) T(reconnect)
    T(reconnect_a_thousand_times) T(reconnect_delay_begins_anew) T(reconnect_blocking)
    T(reconnect_refuses_to_queue) T(reconnect_lookup_fails) T(reconnect_detached)
    T(reconnect_memory) T(reconnect_fixed_memory) T(reconnect_through_it_all)
#endif
};

int main(int argc, char **argv)
{
    prepare();
    return test_main(all_tests, sizeof all_tests / sizeof *all_tests, argc, argv);
}

#endif

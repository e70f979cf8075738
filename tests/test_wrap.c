/* cfg.wrap: TLS of another library, here a toy: records of a length and bytes that are
   changed, a greeting that must be answered before anything else, a goodbye. It demands
   what such libraries demand: that a write which was not finished comes again with the
   same bytes. Every driver, both roles; each wrap is closed exactly once, whatever
   happens. Needs no TLS library. */
#ifdef _WIN32
#include <stdio.h>
int main(void)
{
    printf("SKIP test_wrap: it uses raw POSIX sockets\n0 passed, 0 failed\n");
    return 0;
}
#else
#define FIXTURE_SOCKETS
#include "fixture.h"

/* ---- the toy ---- */

#define RECORD 4000

typedef struct toy {
    struct toy *next;
    ws_io below;
    ws_conn *c;
    char host[100];             /* client: whom to greet; "" a server */
    char greeted[100];          /* what the peer's greeting said */
    int number;                 /* of all wraps, 1.. */
    int shaken, failed, ended, closed;
    unsigned char out[RECORD + 3], offered[16384];
    size_t out_at, out_n;       /* of a record that goes out */
    size_t blocked;             /* bytes offered that were not all taken, 0: none */
    unsigned char in[RECORD + 3], plain[RECORD];
    size_t in_n, plain_at, plain_n;
    int turn;                   /* of cfg.every */
} toy;

static struct {
    toy *all;
    int wraps, closes, clients;
    int refuse; /* the first wrap fails of 1 a client, 2 a server; 0: none */
    int words;                  /* its io has why and pending */
    int stubborn;               /* every second write is refused at first */
    int order[64], order_n;     /* numbers: 1 wrapped, -1 closed */
    char hosts[16][100];        /* of the clients, in order */
    ws_conn *conns[16];
} toys;

static int toy_failed(toy *t) { t->failed = 1; return WS_IO_ERROR; }

/* Writes what is left of a record. 1, or WS_IO_. */
static ptrdiff_t toy_flush(toy *t)
{
    while (t->out_at < t->out_n) {
        ptrdiff_t r = t->below.write(t->below.user, t->out + t->out_at,
                                     t->out_n - t->out_at);
        if (r == WS_IO_ERROR) return toy_failed(t);
        if (r <= 0) return r ? r : (ptrdiff_t)WS_IO_WANT_WRITE;
        t->out_at += (size_t)r;
    }
    return 1;
}

static void toy_record(toy *t, int kind, const void *data, size_t n)
{
    size_t i;
    t->out[0] = (unsigned char)kind;
    t->out[1] = (unsigned char)(n >> 8);
    t->out[2] = (unsigned char)n;
    for (i = 0; i < n; i++)
        t->out[3 + i] = (unsigned char)(((const unsigned char *)data)[i] ^ (0x5A + i));
    t->out_at = 0;
    t->out_n = n + 3;
}

/* Reads one record: its kind, 0 at the end, or WS_IO_. */
static ptrdiff_t toy_take(toy *t)
{
    size_t i, n;
    int kind;

    for (;;) {
        size_t want = t->in_n < 3 ? 3 : 3u + (size_t)(t->in[1] << 8 | t->in[2]);
        ptrdiff_t r;
        if (t->in_n >= 3 && want > sizeof t->in) return toy_failed(t);
        if (t->in_n >= 3 && t->in_n == want) break;
        r = t->below.read(t->below.user, t->in + t->in_n, want - t->in_n);
        if (r == WS_IO_ERROR || (r == 0 && !t->ended)) return toy_failed(t);
        if (r <= 0) return r;
        t->in_n += (size_t)r;
    }
    kind = t->in[0];
    n = t->in_n - 3;
    for (i = 0; i < n; i++) t->plain[i] = (unsigned char)(t->in[3 + i] ^ (0x5A + i));
    t->in_n = 0;
    t->plain_at = 0;
    t->plain_n = n;
    if (kind == 'C') t->ended = 1;
    if (kind == 'H') {
        snprintf(t->greeted, sizeof t->greeted, "%.*s", (int)n, (const char *)t->plain);
        t->plain_n = 0;
    }
    return kind;
}

/* Client: greets, then waits; server: waits, then greets. 1 when that is done, or
   WS_IO_. */
static ptrdiff_t toy_shake(toy *t)
{
    ptrdiff_t r;

    CHECK(!t->closed);
    if (t->failed) return WS_IO_ERROR;
    if (!t->shaken && t->host[0]) {
        toy_record(t, 'H', t->host, strlen(t->host));
        t->shaken = 1;
    }
    while (t->shaken < 3) {
        if (t->shaken == (t->host[0] ? 1 : 2)) {        /* the own one is on its way */
            r = toy_flush(t);
            if (r <= 0) return r;
            t->shaken = t->host[0] ? 2 : 3;
        } else {
            r = toy_take(t);
            if (r <= 0) return r ? r : (ptrdiff_t)toy_failed(t);
            if (r != 'H') return toy_failed(t);
            if (!t->host[0]) toy_record(t, 'H', "ok", 2);
            t->shaken = t->host[0] ? 3 : 2;
        }
    }
    return 1;
}

static ptrdiff_t toy_read(void *user, void *buf, size_t n)
{
    toy *t = (toy *)user;
    ptrdiff_t r = toy_shake(t);

    if (r <= 0) return r;
    while (t->plain_at == t->plain_n && !t->ended) {
        r = toy_take(t);
        if (r <= 0) return r;
    }
    if (t->ended) return 0;
    if (n > t->plain_n - t->plain_at) n = t->plain_n - t->plain_at;
    memcpy(buf, t->plain + t->plain_at, n);
    t->plain_at += n;
    return (ptrdiff_t)n;
}

static ptrdiff_t toy_write(void *user, const void *buf, size_t n)
{
    toy *t = (toy *)user;
    ptrdiff_t r = toy_shake(t);
    size_t k = n < RECORD ? n : RECORD;

    CHECK(n > 0 && n <= 16384);
    if (t->blocked) { /* all of them again, at the same place; more may follow */
        CHECK(n >= t->blocked);
        CHECK(n < t->blocked || !memcmp(buf, t->offered, t->blocked));
    }
    if (r == WS_IO_ERROR) return r;
    if (r == 1 && toys.stubborn && !t->blocked && t->turn++ % 2 == 0)
        r = WS_IO_WANT_WRITE;
    if (r == 1 && t->out_at == t->out_n) toy_record(t, 'D', buf, k);
    if (r == 1) r = toy_flush(t);
    if (r != 1) {
        memcpy(t->offered, buf, n);
        t->blocked = n;
        return r;
    }
    t->blocked = 0;
    return (ptrdiff_t)(t->out_n - 3);
}

static void toy_close(void *user)
{
    toy *t = (toy *)user, **at;

    CHECK(!t->closed);
    t->closed = 1;
    if (!t->failed && t->shaken == 3 && t->out_at == t->out_n) {
        toy_record(t, 'C', "", 0);
        toy_flush(t);
    }
    toys.closes++;
    if (toys.order_n < 64) toys.order[toys.order_n++] = -t->number;
    for (at = &toys.all; *at != t; at = &(*at)->next) {}
    *at = t->next;
    free(t);
}

static int toy_pending(void *user)
{
    const toy *t = (const toy *)user;
    return t->plain_at < t->plain_n || t->ended;
}

static const char *toy_why(void *user)
{
    const toy *t = (const toy *)user;
    return t->shaken < 3 ? "the toy's greeting" : t->failed ? "the toy is broken" : NULL;
}

static int toy_wrap(void *user, ws_conn *c, ws_io *io, const char *host)
{
    toy *t;
    int i = toys.wraps++;

    CHECK(user == &toys);
    CHECK(c != NULL && io->read && io->write && !io->close);
    CHECK_INT(ws_is_client(c), host != NULL);
    if (host && toys.clients < 16) {
        snprintf(toys.hosts[toys.clients], sizeof toys.hosts[0], "%s", host);
        toys.conns[toys.clients++] = c;
    }
    if (toys.order_n < 64) toys.order[toys.order_n++] = i + 1;
    if (toys.refuse == (host ? 1 : 2)) {
        toys.refuse = 0;
        toys.closes++;
        return -1;
    }
    t = (toy *)calloc(1, sizeof *t);
    t->number = i + 1;
    t->below = *io;
    t->c = c;
    snprintf(t->host, sizeof t->host, "%s", host ? host : "");
    t->next = toys.all;
    toys.all = t;
    io->read = toy_read;
    io->write = toy_write;
    io->close = toy_close;
    io->pending = toys.words ? toy_pending : NULL;
    io->why = toys.words ? toy_why : NULL;
    io->user = t;
    return 0;
}

static void toys_fresh(int words)
{
    memset(&toys, 0, sizeof toys);
    toys.words = words;
}

/* The end of a test, and of all its toys. */
static void toys_over(void)
{
    over();
    CHECK_INT(toys.closes, toys.wraps);
    CHECK(toys.all == NULL);
}

static end s, c;

static ws_config toy_config(end *e)
{
    ws_config cfg;
    memset(&cfg, 0, sizeof cfg);
    cfg.user = e;
    cfg.wrap = toy_wrap;
    cfg.wrap_user = &toys;
    return cfg;
}

static ws_config toy_client(end *e)
{
    ws_config cfg = client_config(e);
    cfg.wrap = toy_wrap;
    cfg.wrap_user = &toys;
    return cfg;
}

static int toy_listen(void)
{
    ws_config cfg = toy_config(&s);
    memset(&s, 0, sizeof s);
    return listen_on(&cfg);
}

static void talk(ws_conn *x)
{
    UNTIL(c.opens == 1 || c.closes, 1000);
    CHECK_INT(c.opens, 1);
    if (!c.opens || c.closes) return;
    ws_send_text(x, "hello");
    UNTIL(c.messages == 1 || c.closes, 1000);
    CHECK_STR(c.text, "hello");
    ws_close(x, 1000, "bye");
    UNTIL(c.closes == 1 && s.closes >= 1, 1000);
    CHECK(c.clean && s.clean);
}

/* ---- tests ---- */

/* Who is asked for by which name; all that was said arrives. */
TEST(hosts)
{
    static const char *const hosts[][2] = { { "localhost", "localhost" },
                                            { "Example.TEST", "Example.TEST" },
                                            { "127.0.0.1", "127.0.0.1" },
                                            { "[::1]", "::1" } };
    int driver, words, i;

    for (i = 0; i < 4; i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (words = 0; words < 2; words++) {
                ws_config cfg = toy_client(&c);
                ws_conn *x;
                int l;
                toys_fresh(words);
                l = toy_listen();
                cfg.host = "something.else";
                x = visit(driver, url_of("wss", hosts[i][0], l), &cfg);
                talk(x);
                CHECK_INT(toys.wraps, 2);
                CHECK_INT(toys.clients, 1);
                CHECK_STR(toys.hosts[0], hosts[i][1]);
                CHECK(toys.conns[0] == x);
                leave(&c, x);
                toys_over();
            }
}

/* ws:// is not wrapped; wss:// and https:// are, ws+unix never. */
TEST(only_what_is_secure)
{
    ws_config cfg = toy_client(&c), plain;
    ws_conn *x;
    int l;

    toys_fresh(1);
    memset(&plain, 0, sizeof plain);
    memset(&s, 0, sizeof s);
    plain.user = &s;
    l = listen_on(&plain);
    x = visit(OWN, url_of("ws", "localhost", l), &cfg);
    talk(x);
    leave(&c, x);
    CHECK_INT(toys.wraps, 0);
    toys_over();
}

/* The hook says no: an error of TLS, before a byte of the request, and nobody else is
   harmed. */
TEST(refusals)
{
    int driver, side, reconnect;

    for (driver = 0; driver < DRIVERS; driver++)
        for (side = 0; side < 2; side++)
            for (reconnect = 0; reconnect < 2; reconnect++) {
                ws_config cfg = toy_client(&c);
                ws_conn *x;
                int l;
                toys_fresh(1);
                toys.refuse = side + 1;
                l = toy_listen();
                cfg.reconnect = reconnect ? 5 : 0;
                x = visit(driver, url_of("wss", "localhost", l), &cfg);
                if (side == 0) {
                    UNTIL(reconnect ? c.downs : c.closes, 1000);
                    CHECK_INT(c.error, WS_ERR_TLS);
                    CHECK_INT(c.code, WS_CLOSE_TLS);
                    CHECK_STR(c.reason, "TLS failed");
                } else {
                    UNTIL(s.closes == 1, 1000);
                    CHECK_INT(s.error, WS_ERR_TLS);
                    CHECK_INT(s.code, WS_CLOSE_TLS);
                    CHECK_INT(s.opens, 0);
                    UNTIL(c.closes || c.downs, 1000);
                    CHECK(c.error == WS_ERR_TLS &&
                          strstr(c.reason, "the toy's greeting"));
                }
                if (reconnect) { /* the next one is taken */
                    memset(&s, 0, sizeof s);
                    talk(x);
                }
                leave(&c, x);
                toys_over();
            }
}

/* However it ends, and after so many turns: each toy is closed once. */
TEST(closed_once)
{
    int how, driver, turns, words;

    for (how = 0; how < 9; how++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (turns = 0; turns < 8; turns++) {
                ws_config cfg = toy_client(&c);
                ws_conn *x, *k = NULL;
                int l, i, files;
                words = turns % 2;
                toys_fresh(words);
                if (driver == BLOCKING && (how > 4 || turns > 2))
                    continue;
                l = toy_listen();
                files = open_files();
                line.most = driver == BLOCKING ? 0 : 9;
                x = visit(driver, url_of("wss", "localhost", l), &cfg);
                for (i = 0; i < turns && !c.closes; i++) turn();
                switch (how) {
                case 0: break; /* freed */
                case 1:
                    if (!c.closes)
                        ws_drop(x);
                    break;
                case 2:
                    while ((k = ws_each(loop, k)) != NULL)
                        if (!ws_is_client(k))
                            ws_drop(k);
                    break;
                case 3:
                    while ((k = ws_each(loop, k)) != NULL)
                        if (!ws_is_client(k))
                            break;
                    ws_free(k);
                    break;
                case 4: ws_shutdown(loop, 1001, "bye", 50); break;
                case 5:
                    skipped += 11000;
                    break; /* the handshake is too late, or a ping is due */
                case 6:
                    skipped += 11000;
                    turn();
                    skipped += 41000;
                    break;
                case 7: line.busy = 100; break; /* the socket takes nothing any more */
                default: ws_unlisten(loop, l);
                }
                for (i = 0; i < 6; i++) turn();
                if (how == 7) {
                    skipped += 60000;
                    pass(3);
                }
                leave(&c, x);
                line.busy = 0;
                if (how < 4 && !words) {
                    pass(3);
                    CHECK(open_files() <= files + 1);
                }
                toys_over();
            }
}

static char target[200];        /* where a request for /there is sent */

static void asking_app(end *e, const ws_event *ev)
{
    ws_header h[2] = { { "Location", NULL }, { NULL, NULL } };
    (void)e;
    if (ws_is_client(ev->conn)) return;
    if (ev->type == WS_EV_REQUEST && !strcmp(ws_target(ev->conn), "/there")) {
        h[0].value = target;
        ws_reject(ev->conn, 302, h, NULL);
    } else if (ev->type == WS_EV_REQUEST) ws_accept(ev->conn, NULL);
    else if (ev->type == WS_EV_MESSAGE) ws_send(ev->conn, ev->op, ev->data, ev->size);
}

/* Whoever ends a connection says goodbye through the toy first: the peer sees an end,
   no cut. */
TEST(goodbye)
{
    int driver, who;

    for (driver = 0; driver < DRIVERS; driver++) for (who = 0; who < 4; who++) {
        ws_config cfg = toy_client(&c);
        ws_conn *x;
        int l;
        toys_fresh(1);
        l = toy_listen();
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        UNTIL(c.opens && s.opens, 1000);
        if (who == 0) leave(&c, x);
        if (who == 1) ws_free(s.c);
        if (who == 2) {
            ws_drop(x);
            UNTIL(c.closes, 1000);
            leave(&c, x);
        }
        if (who == 3) ws_drop(s.c);
        UNTIL(who % 2 ? c.closes : s.closes, 1000);
        CHECK_INT(who % 2 ? c.error : s.error, WS_ERR_EOF);
        if (who % 2) leave(&c, x);
        toys_over();
    }
}

/* From ws:// to wss://, from one server in TLS to another, never back. */
TEST(redirects)
{
    static const struct { const char *from, *to; int wraps; } rows[] = {
        { "ws", "wss", 2 }, { "wss", "wss", 4 }, { "wss", "ws", 2 }
    };
    int driver, i;

    for (i = 0; i < 3; i++) for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg, mine = toy_client(&c);
        char url[300];
        ws_conn *x;
        int l[2], k;
        toys_fresh(1);
        memset(&s, 0, sizeof s);
        for (k = 0; k < 2; k++) {               /* l[0] plain, l[1] wrapped */
            cfg = toy_config(&s);
            if (k == 0) cfg.wrap = NULL;
            cfg.ask = 1;
            l[k] = listen_on(&cfg);
        }
        app = asking_app;
        snprintf(target, sizeof target, "%s",
                 url_of(rows[i].to, "localhost", l[rows[i].to[2] == 's']));
        snprintf(url, sizeof url, "%sthere",
                 url_of(rows[i].from, "example.test", l[rows[i].from[2] == 's']));
        mine.max_redirects = 3;
        x = visit(driver, url, &mine);
        UNTIL(c.opens || c.closes, 1000);
        if (i == 2) {
            CHECK_INT(c.error, WS_ERR_REDIRECT);
        } else {
            ws_send_text(x, "hello");
            UNTIL(c.messages == 1, 1000);
            CHECK_STR(ws_url_of(x), target);
            CHECK_STR(toys.hosts[rows[i].wraps / 2 - 1], "localhost");
            ws_close(x, 1000, NULL);
            UNTIL(c.closes, 1000);
            CHECK(c.clean);
        }
        CHECK_INT(toys.wraps, rows[i].wraps);
        leave(&c, x);
        toys_over();
    }
}

TEST(reconnection)
{
    int driver, i;

    for (driver = 0; driver < DRIVERS; driver++) {
        ws_config cfg = toy_client(&c);
        ws_conn *x;
        int l;
        toys_fresh(driver % 2);
        l = toy_listen();
        cfg.reconnect = 5;
        x = visit(driver, url_of("wss", "localhost", l), &cfg);
        for (i = 1; i < 5; i++) {
            UNTIL(c.opens == i && s.opens == i, 1000);
            CHECK_INT(toys.wraps, 2 * i);
            ws_send_text(x, "hello");
            UNTIL(c.messages == i, 1000);
            if (i % 2) ws_free(s.c);            /* with a goodbye */
            else ws_drop(s.c);
            UNTIL(c.downs == i, 1000);
            CHECK_INT(toys.closes, toys.wraps);
            CHECK_INT(c.error, WS_ERR_EOF);
        }
        UNTIL(c.opens == 5, 1000);
        leave(&c, x);
        toys_over();
    }
}

/* ---- through proxies ---- */

static toy *proxy_toy;

static void proxy_wrap(peer *r)
{
    toy *t = (toy *)calloc(1, sizeof *t);
    t->below = r->io;
    t->shaken = 0;
    t->next = toys.all;
    toys.all = t;
    toys.wraps++;
    t->number = toys.wraps;
    r->io.read = toy_read;
    r->io.write = toy_write;
    r->io.close = toy_close;
    r->io.user = t;
    proxy_toy = t;
}

/* TLS to the proxy first, with the proxy's name; then TLS inside to the server. The
   inner one says goodbye through the outer one. */
TEST(proxies)
{
    static const struct { const char *proxy, *server; int wraps;
    } rows[] = { { "http", "wss", 2 },
                 { "socks5", "wss", 2 },
                 { "https", "wss", 4 },
                 { "https", "ws", 2 } };
    static peer r;
    int driver, i, way;

    for (i = 0; i < 4; i++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (way = 0; way < 4; way++) {
                ws_config cfg = toy_client(&c), set = toy_config(&s);
                char proxy[100];
                ws_conn *x;
                int l;
                toys_fresh(way % 2);
                memset(&s, 0, sizeof s);
                if (rows[i].server[2] != 's')
                    set.wrap = NULL;
                l = listen_on(&set);
                peer_begin(&r, proxy_turn,
                           !strcmp(rows[i].proxy, "https") ? proxy_wrap : NULL);
                snprintf(proxy, sizeof proxy, "%s://proxy.test:%d", rows[i].proxy,
                         r.port);
                cfg.proxy = proxy;
                cfg.max_redirects = 1;
                line.most = way / 2 ? 7 : 0;
                line.busy = way / 2 ? 20 : 0;
                x = visit(driver, url_of(rows[i].server, "server.test", l), &cfg);
                UNTIL(c.opens || c.closes, 3000);
                CHECK_INT(toys.clients, rows[i].wraps / 2);
                CHECK_STR(toys.hosts[0], i < 2 ? "server.test" : "proxy.test");
                if (i == 2) CHECK_STR(toys.hosts[1], "server.test");
        talk(x);
        CHECK_STR(r.asked, "server.test");
        CHECK_INT(toys.wraps, rows[i].wraps);
        toys.order_n = 0;
        leave(&c, x);
        if (rows[i].wraps == 4 && driver != LOOP)
            CHECK(toys.order_n >= 2 && toys.order[0] < toys.order[1] &&
                  toys.order[1] < 0);
        peer_over(&r);
        toys_over();
            }
}

/* ---- memory ---- */

/* An echo, or no more of the connection. */
static void echo_or_end(end *e, const ws_event *ev)
{
    (void)e;
    if (!ws_is_client(ev->conn) && ev->type == WS_EV_MESSAGE &&
        ws_send(ev->conn, ev->op, ev->data, ev->size))
        ws_drop(ev->conn);
}

/* Every allocation of a server and of a client fails once, or from then on. */
TEST(sec_H2_wrap)
{
    static peer r;
    int driver, side, all, proxy;
    long n;

    for (proxy = 0; proxy < 2; proxy++)
        for (driver = 0; driver < DRIVERS; driver++)
            for (side = 0; side < 2; side++)
                for (all = 0; all < 2; all++)
                    for (n = 1; n < 200; n++) {
                        ws_config cfg = toy_client(&c), set = toy_config(&s);
                        char url[100];
                        heap m;
                        ws_conn *x;
                        int l, files = open_files();
                        if (proxy && (!side || all))
                            continue;
                        memset(&m, 0, sizeof m);
                        memset(&s, 0, sizeof s);
                        toys_fresh(1);
                        if (side) {
                            cfg.alloc = heap_alloc;
                            cfg.alloc_user = &m;
                        } else {
                            set.alloc = heap_alloc;
                            set.alloc_user = &m;
                        }
                        m.fail_all = all;
                        app = echo_or_end;
                        l = listen_on(&set);
                        m.fail_at = n + (side ? 0 : m.calls);
                        if (proxy) {
                            peer_begin(&r, proxy_turn, proxy_wrap);
                            snprintf(url, sizeof url, "https://proxy.test:%d", r.port);
                            cfg.proxy = url;
                        }
                        x = visit(driver, url_of("wss", "localhost", l), &cfg);
                        if (x) {
                            UNTIL(c.opens || c.closes, 1000);
                            if (c.opens && !c.closes) {
                                if (ws_send_text(x, "hello"))
                                    ws_drop(x);
                                UNTIL(c.messages || c.closes, 1000);
                                if (!c.closes)
                                    ws_close(x, 1000, NULL);
                                UNTIL(c.closes, 1000);
                            }
                            if (!m.failed)
                                CHECK(c.clean && c.messages == 1);
                            leave(&c, x);
                        } else {
                            int i;
                            for (i = 0; i < 16; i++) clients[i] = NULL;
                            CHECK(side && m.failed);
                        }
                        if (proxy)
                            peer_over(&r);
                        toys_over();
                        CHECK_INT(m.live, 0);
                        CHECK_INT(open_files(), files);
                        if (!m.failed)
                            break;
                        CHECK(n < 199);
                    }
}

/* ---- the same bytes again ---- */

static int told;

static void flood_app(end *e, const ws_event *ev)
{
    int i;
    (void)e;
    if (ws_is_client(ev->conn)) return;
    if (ev->type == WS_EV_OPEN) ws_join(ev->conn, "all");
    if (ev->type == WS_EV_HTTP) {
        ws_http_begin(ev->conn, 200, NULL, 1);
        ws_join(ev->conn, "http");
    }
    if (ev->type != WS_EV_MESSAGE) return;
    for (i = 0; i < 3; i++) ws_send(ev->conn, ev->op, ev->data, ev->size);
}

/* Shared frames, values, pings, dropped messages and bodies while the peers are slow:
   the toy checks each write that comes again. */
TEST(same_bytes)
{
    static char data[40000];
    end watch[3];
    int round, i, k;

    for (i = 0; i < (int)sizeof data; i++) data[i] = (char)('a' + i % 23);
    for (round = 0; round < 36; round++) {
        uint64_t r = (uint64_t)round + 77;
        ws_config cfg = toy_config(&s);
        ws_conn *x[3];
        int l;
        toys_fresh(round % 2);
        toys.stubborn = round % 3 == 0;
        memset(&s, 0, sizeof s);
        cfg.max_backlog = 100000;
        cfg.drop_oldest = round % 4 < 2;
        app = flood_app;
        l = listen_on(&cfg);
        for (i = 0; i < 3; i++) {
            cfg = toy_client(&watch[i]);
            if (i == 2) cfg.method = "GET";
            x[i] = visit(i ? OWN : LOOP, url_of(i == 2 ? "https" : "wss", "localhost", l),
                         &cfg);
        }
        UNTIL(watch[0].opens && watch[1].opens && watch[2].opens, 1000);
        line.busy = 10 + dice(&r, 70);
        line.most = 1 + dice(&r, 4000);
        for (k = 0; k < 80; k++) {
            size_t n = dice(&r, 3) ? dice(&r, 200) : dice(&r, sizeof data);
            switch (dice(&r, 7)) {
            case 0:
            case 1: told += ws_publish(loop, "all", NULL, WS_OP_TEXT, data, n); break;
            case 2: ws_publish_latest(loop, "all", 0, WS_OP_TEXT, data, n); break;
            case 3: if (watch[0].c) ws_ping(watch[0].c, data, n % 126); break;
            case 4: ws_http_publish(loop, "http", NULL, data, n); break;
            case 5:
                if (watch[1].c) {
                    ws_send(watch[1].c, WS_OP_TEXT, data, n);
                    ws_ping(watch[1].c, data, n % 126);
                }
                break;
            default:
                if (watch[1].c) {
                    if (dice(&r, 2))
                        ws_pause(watch[1].c);
                    else
                        ws_resume(watch[1].c);
                }
            }
            if (k == 40 &&
                toys.stubborn) {    /* more pieces than a turn writes, half refused */
                line.busy = 0;
                line.most = 0;
                for (i = 0; i < 300; i++)
                    ws_publish(loop, "all", NULL, WS_OP_BINARY, data,
                               5000 + (size_t)i % 7);
                if (watch[0].c) ws_ping(watch[0].c, "now", 3);
            }
            if (dice(&r, 2)) turn();
        }
        ws_resume(watch[1].c);
        line.busy = 0;
        for (i = 0; i < 2; i++) ws_close(x[i], 1000, NULL);
        UNTIL(watch[0].closes && watch[1].closes, 3000);
        CHECK(watch[0].clean && watch[1].clean);
        if (!watch[0].clean || !watch[1].clean)
            printf("    round %d: %d \"%s\", %d \"%s\"\n", round, watch[0].error,
                   watch[0].reason, watch[1].error, watch[1].reason);
        for (i = 0; i < 3; i++) leave(&watch[i], x[i]);
        toys_over();
    }
}

/* ---- what cannot be ---- */

TEST(sec_B9_without)
{
    static union { char bytes[65536]; uint64_t align; } block;
    int driver, what;

    for (driver = 0; driver < DRIVERS; driver++) for (what = 0; what < 4; what++) {
        static peer r;
        ws_config cfg = client_config(&c);
        char url[100], proxy[100];
        ws_conn *x;
        toys_fresh(1);
        memset(&r, 0, sizeof r);
        loop = ws_loop_new(NULL);
        peer_listen(&r);
        peers[0] = &r;
        besides = peers_turn;
        snprintf(url, sizeof url, "%s://localhost:%d/",
                 what == 1   ? "https"
                 : what == 2 ? "ws"
                             : "wss",
                 r.port);
        snprintf(proxy, sizeof proxy, "https://localhost:%d", r.port);
        if (what == 1) cfg.method = "GET";
        if (what == 2) cfg.proxy = proxy;
        if (what == 3)
            cfg.reconnect = 5; /* nothing that could help: no DOWN */
        x = visit(driver, url, &cfg);
        UNTIL(c.closes == 1, 1000);
        pass(3);
        CHECK_INT(c.error, WS_ERR_NO_TLS);
        CHECK_INT(c.downs + c.opens, 0);
        CHECK(r.fd < 0 && r.n == 0);                    /* nobody was even called */
        leave(&c, x);
        peer_over(&r);
        over();
    }
    for (what = 0; what < 4; what++) {                  /* with what it cannot go with */
        ws_config cfg = toy_client(&c);
        ws_conn *x;
        toys_fresh(1);
        if (what % 2) { cfg.io.read = peer_io_read; cfg.io.write = peer_io_write; }
        else { cfg.memory = &block; cfg.memory_size = sizeof block; }
        loop = ws_loop_new(NULL);
        if (what < 2) {
            x = ws_open("wss://localhost:9/", &cfg);
            CHECK_INT(ws_error(x), WS_ERR_ARGUMENT);
            ws_free(x);
        } else CHECK_INT(ws_listen(loop, ":0", &cfg), WS_ERR_ARGUMENT);
        toys_over();
    }
    {                                                   /* without WS_USE_MBEDTLS */
        ws_tls *none = ws_tls_new(NULL);
        ws_config cfg;
        ws_io io;
        char name[9] = "x";
        memset(&cfg, 0, sizeof cfg);
        memset(&io, 0, sizeof io);
        CHECK(none != NULL && strstr(ws_tls_error_text(none), "WS_USE_MBEDTLS"));
        CHECK_INT(ws_tls_wrap(none, &io, "localhost"), WS_ERR_NO_TLS);
        CHECK_INT(ws_tls_peer(NULL, name, sizeof name), WS_ERR_ABSENT);
        CHECK_STR(name, "");
        loop = ws_loop_new(NULL);
        cfg.tls = none;
        CHECK_INT(ws_listen(loop, ":0", &cfg), WS_ERR_NO_TLS);
        CHECK(strstr(ws_loop_error_text(loop), "WS_USE_MBEDTLS") != NULL);
        ws_tls_free(none);
        over();
    }
}

/* ---- adopted sockets, limits ---- */

TEST(adopted)
{
    int way, in_loop, fd[2];

    for (way = 0; way < 3; way++) for (in_loop = 0; in_loop < 2; in_loop++) {
        ws_config cfg = toy_config(&s);
        const void *rest;
        size_t n;
        ws_conn *y;
        toys_fresh(1);
        toys.refuse = way == 1 ? 2 : 0;
        memset(&s, 0, sizeof s);
        loop = ws_loop_new(NULL);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        y = ws_adopt(in_loop ? loop : NULL, fd[0], "G", way == 2, &cfg);
        CHECK(y != NULL);
        CHECK_INT(toys.wraps, way != 2);
        CHECK_INT(ws_detach(y, &rest, &n), -1);
        if (!in_loop) { s.c = y; s.driver = OWN; clients[0] = &s; }
        if (way) {
            UNTIL(s.closes == 1, 1000);
            CHECK_INT(s.error, way == 1 ? WS_ERR_TLS : WS_ERR_ARGUMENT);
        } else {
            close(fd[1]);
            fd[1] = -1;
            UNTIL(s.closes == 1, 1000);
            CHECK(s.error == WS_ERR_TLS && strstr(s.reason, "the toy's greeting"));
        }
        if (!in_loop) ws_free(y);
        if (fd[1] >= 0) close(fd[1]);
        toys_over();
    }
}

/* Too many: they are sent away without plain words, and without being wrapped. */
TEST(too_many)
{
    ws_config cfg = toy_config(&s);
    ws_conn *x;
    peer r;
    int l, i;

    toys_fresh(1);
    memset(&s, 0, sizeof s);
    cfg.max_connections = 1;
    l = listen_on(&cfg);
    cfg = toy_client(&c);
    x = visit(OWN, url_of("wss", "localhost", l), &cfg);
    UNTIL(c.opens == 1, 1000);
    for (i = 0; i < 5; i++) {
        memset(&r, 0, sizeof r);
        peer_connect(&r, ws_listen_port(loop, l));
        UNTIL((peer_read(&r), r.ended), 1000);
        CHECK_INT(r.n, 0);
        peer_over(&r);
    }
    CHECK_INT(toys.wraps, 2);
    talk(x);
    leave(&c, x);
    toys_over();
}

TESTS(T(hosts) T(only_what_is_secure) T(refusals) T(closed_once) T(goodbye) T(redirects)
      T(reconnection) T(proxies) T(sec_H2_wrap) T(same_bytes) T(sec_B9_without)
      T(adopted) T(too_many))
#endif

/* What the five Node packages do, one test per row of tests/parity.md that no other test shows
   by itself; each is named after its row. Engines, fed and emptied by hand, or a loop that
   talks to itself. */
#include "fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- one end: a connection, what came out of it ---- */

typedef struct end end;
struct end {
    ws_conn *c;
    buf out, log;
    void (*on)(end *e, const ws_event *ev);
};

static void end_log(end *e, const ws_event *ev)
{
    static const char *const name[] = { "", "open", "message", "ping", "pong", "writable", "http",
                                        "close", "request", "part", "down", "post" };
    buf_str(&e->log, name[ev->type]);
    if (ev->type == WS_EV_MESSAGE || ev->type == WS_EV_PART || ev->type == WS_EV_PING ||
        ev->type == WS_EV_PONG) {
        buf_str(&e->log, ":");
        buf_add(&e->log, ev->data, ev->size);
    }
    if (ev->type == WS_EV_CLOSE) {
        buf_str(&e->log, ":");
        buf_int(&e->log, ev->code);
        buf_str(&e->log, ":");
        buf_str(&e->log, ev->error ? error_name(ev->error) : ev->reason);
    }
    buf_str(&e->log, " ");
}

static void end_pull(end *e)
{
    ws_event ev;
    const void *p;
    size_t n;
    int more = 1;

    while (more) {
        more = ws_next(e->c, &ev) > 0;
        if (more) end_log(e, &ev);
        if (more && e->on) e->on(e, &ev);
        p = ws_output(e->c, &n);
        if (n) { buf_add(&e->out, p, n); ws_output_done(e->c, n); more = 1; }
    }
}

static void end_feed(end *e, const char *text, size_t n)
{
    size_t k, done = 0;

    while (done < n) {
        k = ws_feed(e->c, text + done, n - done);
        end_pull(e);
        done += k;
        if (!k && !ws_feed_room(e->c)) break;
    }
    end_pull(e);
}

static void end_free(end *e)
{
    ws_free(e->c);
    buf_free(&e->out);
    buf_free(&e->log);
    memset(e, 0, sizeof *e);
}

#define GET(target, more) "GET " target " HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"

/* A server end that got the request; out has its answer. */
static end ask(const ws_config *cfg, const char *request, void (*on)(end *, const ws_event *))
{
    end e;

    memset(&e, 0, sizeof e);
    e.c = ws_server_new(cfg);
    e.on = on;
    ws_tick(e.c, 1000);
    end_feed(&e, request, strlen(request));
    buf_str(&e.out, "");
    buf_str(&e.log, "");
    return e;
}

/* A client end whose request is in out. */
static end client(const char *url, const ws_config *cfg)
{
    end e;

    memset(&e, 0, sizeof e);
    e.c = ws_client_new(url, cfg);
    ws_tick(e.c, 1000);
    end_pull(&e);
    buf_str(&e.out, "");
    return e;
}

/* Carries bytes both ways until nothing moves. */
static void carry(end *a, end *b)
{
    while (a->out.n || b->out.n) {
        buf x = a->out, y = b->out;
        memset(&a->out, 0, sizeof a->out);
        memset(&b->out, 0, sizeof b->out);
        if (x.n) end_feed(b, x.p, x.n);
        if (y.n) end_feed(a, y.p, y.n);
        buf_free(&x);
        buf_free(&y);
    }
}

static int has(const buf *b, const char *text) { return b->p && strstr(b->p, text) != NULL; }

static int str_is(ws_str s, const char *want)
{
    return s.data && s.size == strlen(want) && !memcmp(s.data, want, s.size);
}

static ws_str str(const char *s)
{
    ws_str r;
    r.data = s;
    r.size = strlen(s);
    return r;
}

/* ---- A: handshake, server ---- */

TEST(A1)
{
    static const struct { const char *head; int is; } t[] = {
        { GET("/", ""), 1 },
        { "GET / HTTP/1.1\r\nupgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n\r\n", 1 },
        { "GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 0 },
        { "POST / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 0 },
        { "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrades\r\n\r\n", 0 },
        { "nonsense", 0 }, { "", 0 }
    };
    static const ws_header parsed[] = { { "Upgrade", "websocket" }, { "Connection", "Upgrade" },
        { "Host", "example.com" }, { "Sec-WebSocket-Key", KEY }, { "Sec-WebSocket-Version", "13" },
        { NULL, NULL } };
    char head[400];
    size_t i;
    end e;

    for (i = 0; i < sizeof t / sizeof *t; i++) CHECK_INT(ws_is_upgrade(str(t[i].head)), t[i].is);
    i = ws_head_format(head, sizeof head - 1, "GET", "/chat", parsed);  /* parsed elsewhere */
    CHECK(i > 0);
    head[i] = 0;
    CHECK_INT(ws_is_upgrade(str(head)), 1);
    e = ask(NULL, head, NULL);
    CHECK_STR(e.log.p, "open ");
    end_free(&e);
}

static void a8_facts(end *e, const ws_event *ev)
{
    ws_str name, value;
    size_t pos = 0;
    int lines = 0;
    char v[32];

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_STR(ws_method(e->c), "GET");
    CHECK_STR(ws_target(e->c), "/a/b?x=1&name=a%20b+c");
    CHECK(str_is(ws_path(e->c), "/a/b"));
    CHECK_INT(ws_query(e->c, "name", v, sizeof v), 5);
    CHECK_STR(v, "a b c");
    CHECK_INT(ws_query(e->c, "nobody", v, sizeof v), -1);
    CHECK(str_is(ws_header_value(e->c, "hOsT"), "example.com"));
    CHECK(ws_header_value(e->c, "Cookie").data == NULL);
    CHECK(str_is(ws_header_value(e->c, "Origin"), "http://example.com"));
    CHECK(str_is(ws_header_item(e->c, "Sec-WebSocket-Protocol", 0), "one"));
    CHECK(str_is(ws_header_item(e->c, "Sec-WebSocket-Protocol", 1), "two"));
    CHECK(ws_header_item(e->c, "Sec-WebSocket-Protocol", 2).data == NULL);
    CHECK(str_is(ws_header_item(e->c, "Sec-WebSocket-Extensions", 0), "permessage-deflate; a=\"b,c\""));
    while (ws_header_next(e->c, &pos, &name, &value)) lines++;
    CHECK_INT(lines, 8);
    ws_accept(e->c, NULL);
}

TEST(A8)
{
    ws_config cfg = {0};
    end e;

    cfg.ask = 1;
    e = ask(&cfg, GET("/a/b?x=1&name=a%20b+c", "Origin: http://example.com\r\n"
        "Sec-WebSocket-Protocol: one, two\r\nSec-WebSocket-Extensions: permessage-deflate; a=\"b,c\"\r\n"), a8_facts);
    CHECK_STR(e.log.p, "request open ");
    end_free(&e);
}

/* parked as long as the handshake deadline allows; bytes that come meanwhile are kept */
TEST(A9)
{
    ws_config cfg = {0};
    buf first = { 0 };
    end e;

    cfg.ask = 1;
    e = ask(&cfg, GET("/", ""), NULL);
    CHECK_STR(e.log.p, "request ");
    CHECK_INT(e.out.n, 0);
    put_frame(&first, 0x81, 1, "early", 5, 0);
    end_feed(&e, first.p, first.n);
    ws_tick(e.c, 10900);
    end_pull(&e);
    CHECK_STR(e.log.p, "request ");
    CHECK_INT(ws_accept(e.c, NULL), 0);
    CHECK(ws_accept(e.c, NULL) < 0);
    CHECK(ws_reject(e.c, 403, NULL, NULL) < 0);
    end_pull(&e);
    end_feed(&e, first.p, first.n);
    CHECK(!strncmp(e.log.p, "request open message:early ", 27));
    end_free(&e);

    e = ask(&cfg, GET("/", ""), NULL);
    ws_tick(e.c, 1000);
    ws_tick(e.c, 11001);
    end_pull(&e);
    CHECK_STR(e.log.p, "request close:1006:HANDSHAKE_TIMEOUT ");
    CHECK(ws_accept(e.c, NULL) < 0);
    end_free(&e);
    buf_free(&first);
}

static void a10_accept(end *e, const ws_event *ev)
{
    static const ws_header more[] = { { "Set-Cookie", "seen=1; Path=/" }, { "X-Node", "7" }, { NULL, NULL } };
    ws_answer answer = { "two", more };

    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_accept(e->c, &answer), 0);
    if (ev->type == WS_EV_OPEN) CHECK_STR(ws_protocol(e->c), "two");
}

static void a10_foreign(end *e, const ws_event *ev)
{
    ws_answer answer = { "three", NULL };

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_INT(ws_accept(e->c, &answer), WS_ERR_ARGUMENT);
    answer.protocol = "";
    CHECK_INT(ws_accept(e->c, &answer), 0);
}

TEST(A10)
{
    static const char *request = GET("/", "Sec-WebSocket-Protocol: one, two\r\n");
    ws_config cfg = {0};
    end e;

    cfg.ask = 1;
    e = ask(&cfg, request, a10_accept);
    CHECK_STR(e.log.p, "request open ");
    CHECK(has(&e.out, "\r\nSec-WebSocket-Protocol: two\r\n"));
    CHECK(has(&e.out, "\r\nSet-Cookie: seen=1; Path=/\r\n"));
    CHECK(has(&e.out, "\r\nX-Node: 7\r\n"));
    end_free(&e);
    e = ask(&cfg, request, a10_foreign);
    CHECK_STR(e.log.p, "request open ");
    CHECK(!has(&e.out, "Sec-WebSocket-Protocol"));
    end_free(&e);
}

static void a11_reject(end *e, const ws_event *ev)
{
    static const ws_header why[] = { { "WWW-Authenticate", "Basic" }, { NULL, NULL } };

    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_reject(e->c, 401, why, "who are you?"), 0);
}

TEST(A11)
{
    ws_config cfg = {0};
    end e;

    cfg.ask = 1;
    e = ask(&cfg, GET("/", ""), a11_reject);
    CHECK(!strncmp(e.out.p, "HTTP/1.1 401 Unauthorized\r\n", 27));
    CHECK(has(&e.out, "\r\nWWW-Authenticate: Basic\r\n"));
    CHECK(has(&e.out, "\r\n\r\nwho are you?"));
    CHECK(has(&e.log, "request close:1006:REJECTED "));
    CHECK(strstr(ws_error_text(e.c), "who are you?") != NULL);
    end_free(&e);
}

/* without cfg.ask all good requests are accepted, with it none by itself */
TEST(A12)
{
    ws_config cfg = {0};
    end e = ask(&cfg, GET("/", ""), NULL);

    CHECK_STR(e.log.p, "open ");
    end_free(&e);
    cfg.ask = 1;
    e = ask(&cfg, GET("/", ""), NULL);
    CHECK_STR(e.log.p, "request ");
    CHECK_INT(e.out.n, 0);
    end_free(&e);
}

TEST(A13)
{
    static const struct { const char *origins, *origin; int ok; } t[] = {
        { NULL, "", 1 }, { NULL, "Origin: http://example.com\r\n", 1 },
        { NULL, "Origin: http://evil.example\r\n", 0 }, { "*", "Origin: http://evil.example\r\n", 1 },
        { "https://a.example, https://b.example", "Origin: https://b.example\r\n", 1 },
        { "https://a.example, https://b.example", "Origin: http://example.com\r\n", 0 }
    };
    size_t i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        ws_config cfg = {0};
        char request[600];
        end e;

        cfg.origins = t[i].origins;
        snprintf(request, sizeof request, "%.*s%s\r\n", (int)sizeof GET("/", "") - 3, GET("/", ""), t[i].origin);
        e = ask(&cfg, request, NULL);
        CHECK_STR(e.log.p, t[i].ok ? "open " : "close:1006:ORIGIN ");
        CHECK(t[i].ok || !strncmp(e.out.p, "HTTP/1.1 403 ", 13));
        end_free(&e);
    }
}

/* ---- J, K, L: subprotocols, cookies, routes ---- */

static void j3_choose(end *e, const ws_event *ev)
{
    ws_answer answer = { NULL, NULL };
    ws_str offered;
    char name[20];
    int i;

    if (ev->type != WS_EV_REQUEST) return;
    for (i = 0; (offered = ws_header_item(e->c, "Sec-WebSocket-Protocol", i)).data; i++)
        if (ws_str_is(offered, "chat.v2") && offered.size < sizeof name) {  /* without case */
            snprintf(name, sizeof name, "%.*s", (int)offered.size, offered.data);
            answer.protocol = name;
        }
    CHECK_INT(ws_accept(e->c, &answer), 0);
}

TEST(J2)        /* the client's order decides */
{
    ws_config cfg = {0};
    end e;

    cfg.protocols = "a, b";
    e = ask(&cfg, GET("/", "Sec-WebSocket-Protocol: x, b, a\r\n"), NULL);
    CHECK(has(&e.out, "\r\nSec-WebSocket-Protocol: b\r\n"));
    CHECK_STR(ws_protocol(e.c), "b");
    end_free(&e);
}

TEST(J3)
{
    ws_config cfg = {0};
    end e;

    cfg.ask = 1;
    e = ask(&cfg, GET("/", "Sec-WebSocket-Protocol: chat.v1, Chat.V2\r\n"), j3_choose);
    CHECK_STR(e.log.p, "request open ");
    CHECK(has(&e.out, "\r\nSec-WebSocket-Protocol: Chat.V2\r\n"));     /* as the client wrote it */
    end_free(&e);
}

static void k1_read(end *e, const ws_event *ev)
{
    char v[16];

    if (ev->type != WS_EV_REQUEST) return;
    CHECK_INT(ws_cookie(e->c, "session", v, sizeof v), 5);
    CHECK_STR(v, "a b=c");
    CHECK_INT(ws_cookie(e->c, "quoted", v, sizeof v), 3);
    CHECK_STR(v, "x y");
    CHECK_INT(ws_cookie(e->c, "empty", v, sizeof v), 0);
    CHECK_INT(ws_cookie(e->c, "Session", v, sizeof v), -1);
    CHECK_INT(ws_cookie(e->c, "session", v, 3), -1);
    ws_accept(e->c, NULL);
}

TEST(K1)
{
    ws_config cfg = {0};
    end e;

    cfg.ask = 1;
    e = ask(&cfg, GET("/", "Cookie: other=1; session=a%20b=c; quoted=\"x y\"; empty=\r\n"), k1_read);
    CHECK_STR(e.log.p, "request open ");
    end_free(&e);
}

TEST(K2)
{
    ws_set_cookie c;
    char line[120];
    int n;

    memset(&c, 0, sizeof c);
    c.name = "id";
    c.value = "a b;c\r\n";
    c.path = "/";
    c.domain = "example.com";
    c.same_site = "Lax";
    c.max_age = 60;
    c.secure = c.http_only = 1;
    n = ws_cookie_format(&c, line, sizeof line);
    CHECK_INT(n, strlen(line));
    CHECK(strstr(line, "id=a%20b%3Bc%0D%0A; ") == line);
    CHECK(strstr(line, "; Path=/") && strstr(line, "; Domain=example.com") && strstr(line, "; Max-Age=60") &&
          strstr(line, "; Secure") && strstr(line, "; HttpOnly") && strstr(line, "; SameSite=Lax"));
    CHECK_INT(ws_cookie_format(&c, line, 10), -1);
    c.path = "/\r\nX: y";
    CHECK_INT(ws_cookie_format(&c, line, sizeof line), -1);
    c.path = NULL;
    c.name = "i d";
    CHECK_INT(ws_cookie_format(&c, line, sizeof line), -1);
}

TEST(L2)
{
    static const ws_route routes[] = {
        { "/chat", "v1", 1 }, { "/chat", "v2", 2 }, { "/feed/*", NULL, 3 }, { "/*/log", NULL, 4 }, { NULL, NULL, 0 }
    };
    static const struct { const char *target, *protocols, *chosen; int id; } t[] = {
        { "/chat", "v1", "v1", 1 }, { "/chat", "v2", "v2", 2 }, { "/chat?x=/feed/", "v2, v1", "v2", 2 },
        { "/chat", "v3", "", 0 }, { "/chat", NULL, "", 0 }, { "/feed/", NULL, "", 3 }, { "/feed/a/b", NULL, "", 3 },
        { "/feed", NULL, "", 0 }, { "/ann/log", NULL, "", 4 }, { "/ann/bob/log", NULL, "", 0 },
        { "/", NULL, "", 0 }, { "/chat/", "v1", "", 0 }
    };
    ws_config cfg = {0};
    size_t i;

    cfg.routes = routes;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        char request[600];
        end e;

        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n", t[i].target,
                 t[i].protocols ? "Sec-WebSocket-Protocol: " : "", t[i].protocols ? t[i].protocols : "",
                 t[i].protocols ? "\r\n" : "");
        e = ask(&cfg, request, NULL);
        CHECK_STR(e.log.p, t[i].id ? "open " : "close:1006:ROUTE ");
        CHECK_INT(ws_route_id(e.c), t[i].id);
        if (t[i].id) CHECK_STR(ws_protocol(e.c), t[i].chosen);
        else CHECK(!strncmp(e.out.p, "HTTP/1.1 404 ", 13));
        end_free(&e);
    }
}

/* the two applications that libwebsockets' test page wants from one path */
TEST(T3)
{
    static const ws_route routes[] = {
        { "/", "dumb-increment-protocol", 1 }, { "/", "lws-mirror-protocol", 2 }, { NULL, NULL, 0 }
    };
    ws_config cfg = {0};
    end e;

    cfg.routes = routes;
    e = ask(&cfg, GET("/", "Sec-WebSocket-Protocol: lws-mirror-protocol\r\n"), NULL);
    CHECK_INT(ws_route_id(e.c), 2);
    end_free(&e);
    e = ask(&cfg, GET("/", "Sec-WebSocket-Protocol: dumb-increment-protocol\r\n"), NULL);
    CHECK_INT(ws_route_id(e.c), 1);
    CHECK_STR(ws_protocol(e.c), "dumb-increment-protocol");
    end_free(&e);
}

/* ---- B, J: handshake, client ---- */

TEST(B2)
{
    static const ws_header more[] = { { "X-Token", "t1" }, { NULL, NULL } };
    ws_config cfg = {0};
    end c, s;

    cfg.protocols = "one, two";
    cfg.origin = "https://page.example";
    cfg.headers = more;
    c = client("ws://user:pa%3Ass@[::1]:8080/p?q=1", &cfg);
    CHECK(!strncmp(c.out.p, "GET /p?q=1 HTTP/1.1\r\n", 21));
    CHECK(has(&c.out, "\r\nHost: [::1]:8080\r\n"));
    CHECK(has(&c.out, "\r\nOrigin: https://page.example\r\n"));
    CHECK(has(&c.out, "\r\nSec-WebSocket-Protocol: one, two\r\n"));
    CHECK(has(&c.out, "\r\nX-Token: t1\r\n"));
    CHECK(has(&c.out, "\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n"));        /* user:pa:ss */
    end_free(&c);

    cfg.host = "virtual.example";
    cfg.version = 8;
    c = client("ws://127.0.0.1/", &cfg);
    CHECK(has(&c.out, "\r\nHost: virtual.example\r\n"));
    CHECK(has(&c.out, "\r\nSec-WebSocket-Version: 8\r\n"));
    CHECK(has(&c.out, "\r\nSec-WebSocket-Origin: https://page.example\r\n"));
    CHECK_INT(ws_version(c.c), 8);
    end_free(&c);

    cfg.version = 0;
    cfg.host = NULL;
    cfg.origin = NULL;
    c = client("ws://example.com/", &cfg);
    CHECK_INT(ws_send_text(c.c, "before open"), 0);         /* A23: queued */
    memset(&s, 0, sizeof s);
    cfg.protocols = "two";
    s.c = ws_server_new(&cfg);
    ws_tick(s.c, 1000);
    carry(&c, &s);
    CHECK_STR(ws_protocol(c.c), "two");
    CHECK(has(&s.log, "open message:before open "));
    CHECK_INT(ws_version(c.c), 13);
    end_free(&c);
    end_free(&s);
}

TEST(B10)       /* the refusal: status, headers, body */
{
    end c = client("ws://example.com/", NULL);
    const char *no = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nlogin";
    ws_event ev;
    int closed = 0;

    ws_feed(c.c, no, strlen(no));
    ws_feed_end(c.c);
    while (ws_next(c.c, &ev) > 0) if (ev.type == WS_EV_CLOSE) {
        closed++;
        CHECK_INT(ev.error, WS_ERR_STATUS);
        CHECK_INT(ws_status(c.c), 401);
        CHECK(str_is(ws_header_value(c.c, "WWW-Authenticate"), "Basic"));
        CHECK(str_is(ws_body(c.c), "login"));
    }
    CHECK_INT(closed, 1);
    end_free(&c);
}

TEST(J6)        /* none, or a foreign one: the client fails */
{
    static const char *const answers[] = { "", "Sec-WebSocket-Protocol: c\r\n", "Sec-WebSocket-Protocol: B\r\n" };
    ws_config cfg = {0};
    size_t i;

    cfg.protocols = "a, b";
    for (i = 0; i < 3; i++) {
        end c = client("ws://example.com/", &cfg);
        buf answer = { 0 };
        put_answer(&answer, &c.out, answers[i]);
        end_feed(&c, answer.p, answer.n);
        CHECK(has(&c.log, "close:1006:SUBPROTOCOL "));
        buf_free(&answer);
        end_free(&c);
    }
}

/* ---- D, E, F: messages, control, closing ---- */

static void open_pair(end *c, end *s, const ws_config *cc, const ws_config *sc)
{
    *c = client("ws://example.com/", cc);
    memset(s, 0, sizeof *s);
    s->c = ws_server_new(sc);
    ws_tick(s->c, 1000);
    carry(c, s);
    CHECK_INT(ws_state(c->c), WS_STATE_OPEN);
    CHECK_INT(ws_state(s->c), WS_STATE_OPEN);
    buf_clear(&c->log);
    buf_clear(&s->log);
}

TEST(D14)       /* other messages are refused while one is being sent in parts, pings pass */
{
    end c, s;

    open_pair(&c, &s, NULL, NULL);
    CHECK_INT(ws_send_part(c.c, WS_OP_BINARY, "ab", 2, 0), 0);
    CHECK_INT(ws_send_text(c.c, "no"), WS_ERR_BUSY);
    CHECK_INT(ws_ping(c.c, "p", 1), 0);
    CHECK_INT(ws_send_part(c.c, WS_OP_BINARY, "cd", 2, 1), 0);
    CHECK_INT(ws_send_text(c.c, "yes"), 0);
    end_pull(&c);
    carry(&c, &s);
    CHECK_STR(s.log.p, "ping:p message:abcd message:yes ");
    CHECK_STR(c.log.p, "pong:p ");
    end_free(&c);
    end_free(&s);
}

TEST(E4)        /* before OPEN and after CLOSE a ping says that it was not sent */
{
    end c, s;

    CHECK(ws_ping(NULL, NULL, 0) < 0);
    open_pair(&c, &s, NULL, NULL);
    CHECK_INT(ws_ping(c.c, "x", 1), 0);
    ws_close(c.c, WS_CLOSE_NORMAL, NULL);
    end_pull(&c);
    carry(&c, &s);
    CHECK_INT(ws_ping(c.c, "x", 1), WS_ERR_STATE);
    CHECK_INT(ws_ping(s.c, "x", 1), WS_ERR_STATE);
    end_free(&c);
    end_free(&s);
}

TEST(D17)       /* the W3C numbers */
{
    end c = client("ws://example.com/", NULL), s;

    CHECK_INT(ws_state(c.c), 0);
    end_free(&c);
    open_pair(&c, &s, NULL, NULL);
    CHECK_INT(ws_state(c.c), 1);
    ws_close(c.c, 0, NULL);
    CHECK_INT(ws_state(c.c), 2);
    end_pull(&c);
    carry(&c, &s);
    ws_feed_end(c.c);
    end_pull(&c);
    CHECK_INT(ws_state(c.c), 3);
    CHECK_INT(ws_state(NULL), 3);
    end_free(&c);
    end_free(&s);
}

TEST(C13)       /* a frame into the caller's buffer, no connection anywhere */
{
    ws_frame f, back;
    uint8_t wire[32], text[8];
    size_t h;

    memset(&f, 0, sizeof f);
    f.fin = 1;
    f.op = WS_OP_TEXT;
    f.size = 5;
    f.masked = 1;
    memcpy(f.key, "\x37\xfa\x21\x3d", 4);
    h = ws_frame_encode(&f, wire);
    ws_mask(wire + h, "Hello", 5, f.key, 0);
    CHECK(h == 6 && !memcmp(wire, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11));    /* RFC 6455 5.7 */
    CHECK_INT(ws_frame_decode(wire, 11, &back), 6);
    ws_mask(text, wire + 6, 5, back.key, 0);
    CHECK(!memcmp(text, "Hello", 5) && back.size == 5 && back.fin && back.op == WS_OP_TEXT);
}

/* ---- over sockets: a loop that talks to itself ---- */

typedef struct seen { int open, message, http, close; ws_conn *server; char remote[80], text[80]; } seen;

static ws_loop *loop_with(const ws_config *cfg, char url[64])
{
    ws_loop *loop = ws_loop_new(NULL);

    snprintf(url, 64, "ws://127.0.0.1:%d/", ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", cfg)));
    return loop;
}

/* Pulls one event and notes what a server end said. Returns its type, 0 after a second. */
static int turn(ws_loop *loop, seen *v, ws_event *ev)
{
    if (ws_poll(loop, ev, 1000) <= 0) return 0;
    if (ev->type == WS_EV_CLOSE) v->close++;
    if (ws_is_client(ev->conn)) return ev->type;
    if (ev->type == WS_EV_OPEN) {
        v->open++;
        v->server = ev->conn;
        ws_remote(ev->conn, v->remote, sizeof v->remote);
    }
    if (ev->type == WS_EV_MESSAGE) {
        v->message++;
        snprintf(v->text, sizeof v->text, "%.*s", (int)ev->size, (const char *)ev->data);
    }
    return ev->type;
}

TEST(A6)        /* a socket from elsewhere, with the request and a first frame already read */
{
    static const char request[] = GET("/from/elsewhere", "");
    ws_loop *loop = ws_loop_new(NULL);
    buf bytes = { 0 };
    char answer[500];
    ws_event ev;
    seen v;
    int fd[2], in_loop;

    for (in_loop = 0; in_loop < 2; in_loop++) {
        ws_conn *c;
        memset(&v, 0, sizeof v);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        buf_clear(&bytes);
        buf_add(&bytes, request, sizeof request - 1);
        put_frame(&bytes, 0x81, 1, "hello", 5, 0);
        c = ws_adopt(in_loop ? loop : NULL, fd[0], bytes.p, bytes.n, NULL);
        while (!v.message) {
            if (in_loop) { if (!turn(loop, &v, &ev)) break; continue; }
            ws_step(c);
            while (ws_next(c, &ev) > 0) {
                if (ev.type == WS_EV_OPEN) CHECK_STR(ws_target(c), "/from/elsewhere");
                if (ev.type == WS_EV_MESSAGE) { v.message++; snprintf(v.text, sizeof v.text, "%.*s", 5, (const char *)ev.data); }
            }
        }
        CHECK_STR(v.text, "hello");
        ws_send_text(c, "back");
        if (in_loop) ws_poll(loop, &ev, 10);
        else ws_step(c);
        memset(answer, 0, sizeof answer);
        CHECK(recv(fd[1], answer, sizeof answer - 1, 0) > 12 && !strncmp(answer, "HTTP/1.1 101 ", 13));
        ws_free(c);
        close(fd[1]);
    }
    buf_free(&bytes);
    ws_loop_free(loop);
}

TEST(A25)       /* the client's address behind proxies, only as far as they are trusted */
{
    static const char *const want[] = { "127.0.0.1:", "192.0.2.7", "203.0.113.9" };
    static const ws_header via[] = { { "X-Forwarded-For", "203.0.113.9, 192.0.2.7" }, { NULL, NULL } };
    uint32_t trusted;

    for (trusted = 0; trusted < 3; trusted++) {
        ws_config cfg = {0}, cc = {0};
        char url[64];
        ws_loop *loop;
        ws_event ev;
        seen v = {0};

        cfg.trusted_proxies = trusted;
        cc.headers = via;
        loop = loop_with(&cfg, url);
        ws_dial(loop, url, &cc);
        while (!v.open && turn(loop, &v, &ev)) { }
        CHECK(!strncmp(v.remote, want[trusted], strlen(want[trusted])));
        ws_loop_free(loop);
    }
}

TEST(B14)       /* an attempt given up: nobody answers here, and nothing is left */
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ws_loop *loop = ws_loop_new(NULL);
    char url[64];
    ws_event ev;
    seen v = {0};
    ws_conn *c;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(!bind(fd, (struct sockaddr *)&at, n) && !listen(fd, 1) && !getsockname(fd, (struct sockaddr *)&at, &n));
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ntohs(at.sin_port));
    c = ws_dial(loop, url, NULL);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    ws_close(c, WS_CLOSE_NORMAL, NULL);                 /* either way */
    while (!v.close && turn(loop, &v, &ev)) { }
    CHECK_INT(v.close, 1);
    c = ws_dial(loop, url, NULL);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    ws_free(c);
    CHECK_INT(ws_poll(loop, &ev, 20), 0);
    CHECK_INT(ws_loop_count(loop), 0);
    ws_loop_free(loop);
    close(fd);
}

TEST(C12)       /* the handshake only: raw bytes afterwards, on both ends */
{
    char url[64], text[16] = "";
    ws_loop *loop = loop_with(NULL, url);
    ws_socket fd[2];
    ws_conn *c = ws_dial(loop, url, NULL);
    const void *rest;
    ws_event ev;
    seen v = {0};
    size_t n;
    int opens = 0;

    while (opens < 2 && turn(loop, &v, &ev)) opens += ev.type == WS_EV_OPEN;
    while (ws_poll(loop, &ev, 20) > 0) { }
    fd[0] = ws_detach(c, &rest, &n);
    CHECK(fd[0] >= 0 && n == 0);
    fd[1] = ws_detach(v.server, &rest, &n);
    CHECK(fd[1] >= 0 && n == 0);
    CHECK_INT(send(fd[0], "raw", 3, 0), 3);
    while (turn(loop, &v, &ev) == WS_EV_CLOSE) { }
    CHECK_INT(v.close, 2);
    CHECK(recv(fd[1], text, sizeof text, 0) == 3 && !memcmp(text, "raw", 3));
    CHECK_INT(ws_loop_count(loop), 0);
    close(fd[0]);
    close(fd[1]);
    ws_loop_free(loop);
}

TEST(D20)       /* a burst on one connection lets the others through */
{
    enum { BURST = 100000 };
    char url[64];
    ws_config cc = {0};
    ws_loop *loop;
    ws_conn *busy, *calm;
    ws_event ev;
    seen v = {0};
    int i, opens = 0, first = -1;

    cc.max_backlog = 8 << 20;
    loop = loop_with(NULL, url);
    busy = ws_dial(loop, url, &cc);
    calm = ws_dial(loop, url, &cc);
    while (opens < 4 && turn(loop, &v, &ev)) opens += ev.type == WS_EV_OPEN;
    for (i = 0; i < BURST; i++) CHECK_INT(ws_send_text(busy, "one of very many"), 0);
    CHECK_INT(ws_send_text(calm, "the only one"), 0);
    while (v.message <= BURST && turn(loop, &v, &ev))
        if (ev.type == WS_EV_MESSAGE && ev.size == 12) first = v.message;
    CHECK_INT(v.message, BURST + 1);
    CHECK(first > 0 && first < BURST);
    ws_loop_free(loop);
}

TEST(G9)        /* Nagle's delay is off on both ends */
{
    char url[64];
    ws_loop *loop = loop_with(NULL, url);
    ws_conn *c = ws_dial(loop, url, NULL);
    ws_event ev;
    seen v = {0};
    int i, opens = 0;

    while (opens < 2 && turn(loop, &v, &ev)) opens += ev.type == WS_EV_OPEN;
    for (i = 0; i < 2; i++) {
        int on = 0;
        socklen_t n = sizeof on;
        CHECK_INT(getsockopt((int)ws_fd(i ? c : v.server), IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
        CHECK(on != 0);
    }
    ws_loop_free(loop);
}

TEST(M1)        /* an ordinary request goes back to another server, with its bytes */
{
    static const char request[] = "POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na=1&";
    ws_loop *loop = ws_loop_new(NULL);
    const void *rest = NULL;
    char text[16] = "";
    int fd[2];
    ws_event ev;
    seen v = {0};
    size_t n = 0;

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    ws_adopt(loop, fd[0], NULL, 0, NULL);
    CHECK_INT(send(fd[1], request, sizeof request - 1, 0), sizeof request - 1);
    while (turn(loop, &v, &ev) && ev.type != WS_EV_HTTP) { }
    CHECK_INT(ev.type, WS_EV_HTTP);
    CHECK_INT(ws_detach(ev.conn, &rest, &n), fd[0]);
    CHECK(n >= sizeof request - 5 && n <= sizeof request - 1 && !memcmp(rest, request, n));
    while (!v.close && turn(loop, &v, &ev)) { }
    CHECK_INT(send(fd[0], "mine", 4, 0), 4);
    CHECK_INT(recv(fd[1], text, sizeof text, 0), 4);
    close(fd[0]);
    close(fd[1]);
    ws_loop_free(loop);
}

TESTS(
    T(A1) T(A8) T(A9) T(A10) T(A11) T(A12) T(A13)
    T(J2) T(J3) T(K1) T(K2) T(L2) T(T3) T(B2) T(B10) T(J6)
    T(D14) T(D17) T(E4) T(C13)
    T(A6) T(A25) T(B14) T(C12) T(D20) T(G9) T(M1))

/* The opening handshake, both roles, driven through the engine. sec_ names are rows of
   threats.md. */
#include "fixture.h"

#define G "GET /chat HTTP/1.1\r\n"

/* ---- helpers ---- */

/* Lines of a head; -1 if it holds a bare CR or LF, NUL or another control character. */
static int lines(const buf *b, size_t *size)
{
    size_t i;
    int n = 0;
    for (i = 0; i < b->n; i++) {
        uint8_t c = (uint8_t)b->p[i];
        if (c == '\r') {
            if (i + 1 >= b->n || b->p[i + 1] != '\n') return -1;
            n++;
            if (i + 3 < b->n && b->p[i + 2] == '\r' && b->p[i + 3] == '\n') {
                if (size)
                    *size = i + 4;
                return n;
            }
            i++;
        } else if ((c < 32 && c != '\t') || c == 127) return -1;
    }
    return -1;
}

/* A refusal says everything a proxy needs to forget the connection. */
static void check_refusal(side *s, int status)
{
    int n;
    size_t head = 0;
    const char *v;

    CHECK(lines(&s->out, &head) > 0);
    CHECK_INT(head_status(&s->out), status);
    CHECK_FIELD(&s->out, "Connection", status == 426 ? "close, Upgrade" : "close");
    v = head_field(&s->out, "Content-Length", &n);
    CHECK_INT(n, 1);
    if (v && s->out.n > head)
        CHECK_INT(atol(v), s->out.n - head); /* none for HEAD */
    if (status == 426) CHECK_FIELD(&s->out, "Sec-WebSocket-Version", "13");
    if (status == 405) CHECK_FIELD(&s->out, "Allow", "GET");
    CHECK_FIELD(&s->out, "Sec-WebSocket-Accept", NULL);
    head_field(&s->out, "Upgrade", &n);
    CHECK(n == 0 || status == 426);
    CHECK_INT(s->opens, 0);
}

static void check_101(side *s)
{
    CHECK_INT(head_status(&s->out), 101);
    CHECK(lines(&s->out, NULL) > 0);
    CHECK_FIELD(&s->out, "Sec-WebSocket-Accept", ACCEPT);
    CHECK_FIELD(&s->out, "Upgrade", "websocket");
    CHECK_FIELD(&s->out, "Connection", "Upgrade");
    CHECK_FIELD(&s->out, "Sec-WebSocket-Extensions", NULL);
    CHECK_FIELD(&s->out, "Content-Length", NULL);
    CHECK_INT(s->opens, 1);
}

static int asking;      /* 1: the application is asked, and accepts at once */

static void accepter(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_accept(s->c, NULL), 0);
}

/* Gives a server one request. step 0: whole. */
static void ask(side *s, world *w, const ws_config *with, const void *p, size_t n,
                size_t step)
{
    ws_config cfg;

    world_init(w);
    cfg = world_config_with(w, with);
    if (asking) cfg.ask = 1;
    side_new(s, w, 0, &cfg);
    if (asking) s->event = accepter;
    side_feed_by(s, p, n, step);
}

static void finish(side *s)     /* after a refusal: everything ends */
{
    side_end(s);
    side_time(s, 30000);
    CHECK_INT(s->closes, 1);
    CHECK_INT(ws_finished(s->c), 1);
    CHECK_INT(ws_state(s->c), WS_STATE_CLOSED);
    CHECK_INT(ws_timeout(s->c), -1);
}

/* ==== server ======================================================================== */

typedef struct request { const char *id, *text; int status, error, other; } request;
#define OK 101, 0, 0
#define R(e) 0, WS_ERR_##e, 0
#define R2(e, o) 0, WS_ERR_##e, WS_ERR_##o
#define HTTP -1, 0, 0

static const request requests[] = {
    { "ok", G ALL E, OK },
    { "A12", G HO KE VE "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" E,
      OK },
    { "A12", G HO KE VE "upgrade: WEBSOCKET\r\nCONNECTION: keep-alive,\tUPGRADE ,\r\n" E,
      OK },
    { "A12", G HO KE VE "Upgrade: h2c, websocket\r\n" CO E, OK },
    { "A12", G HO KE VE "Upgrade: websocketx\r\n" CO E, R2(UPGRADE, NOT_UPGRADE) },
    { "A12", G HO KE VE "Upgrade: xwebsocket\r\n" CO E, R2(UPGRADE, NOT_UPGRADE) },
    { "A12", G HO KE VE "Upgrade: web socket\r\n" CO E, R2(UPGRADE, NOT_UPGRADE) },
    { "A12", G HO KE VE UP "Connection: Upgraded\r\n" E, R2(CONNECTION, NOT_UPGRADE) },
    { "A12", G HO KE VE UP "Connection: no-upgrade\r\n" E, R2(CONNECTION, NOT_UPGRADE) },
    { "A12", G HO KE VE UP "Connection: keep-alive\r\n" E, R2(CONNECTION, NOT_UPGRADE) },
    { "A12", G HO KE VE UP "Connection: close\r\n" E, R2(CONNECTION, NOT_UPGRADE) },
    { "A12", G HO KE VE UP E, R2(CONNECTION, NOT_UPGRADE) },
    { "A10", G HO KE VE UP "Connection: keep-alive\r\nConnection: Upgrade\r\n" E, OK },
    { "A10", G HO KE VE "Upgrade: h2c\r\nUpgrade: websocket\r\n" CO E, OK },
    { "A10",
      G ALL "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b; c=\"d\"\r\n" E,
      OK },
    { "A10", G ALL "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b, c\r\n" E,
      OK },
    { "A10", G ALL KE E, R(KEY) },
    { "A10", G ALL "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" E, R(KEY) },
    { "A10", G ALL VE E, R2(VERSION, HEAD_SYNTAX) },
    { "A10", G ALL "Sec-WebSocket-Version: 8\r\n" E, R2(VERSION, HEAD_SYNTAX) },
    { "A10", G ALL HO E, R(HOST) },
    { "A10", G ALL "Host: evil.com\r\n" E, R(HOST) },
    { "A10", G ALL "Origin: http://example.com\r\nOrigin: http://example.com\r\n" E,
      R2(ORIGIN, HEAD_SYNTAX) },
    { "A10", G ALL "Origin: http://example.com\r\nOrigin: http://evil.com\r\n" E,
      R2(ORIGIN, HEAD_SYNTAX) },
    { "A11", G HO UP CO VE E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key:\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_-==\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: ========================\r\n" E, R(KEY) },
    { "A11", G HO UP CO VE "Sec-WebSocket-Key: \t" KEY " \t\r\n" E, OK },
    { "A13", G HO UP CO KE E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 1337\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 8\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 013\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 13, 8\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: +13\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 13x\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version:\r\n" E, R(VERSION) },
    { "A13", G HO UP CO KE "Sec-WebSocket-Version: 4294967309\r\n" E, R(VERSION) },
    { "A14", "POST /chat HTTP/1.1\r\n" ALL E, R(METHOD) },
    { "A14", "HEAD /chat HTTP/1.1\r\n" ALL E, R(METHOD) },
    { "A14", "get /chat HTTP/1.1\r\n" ALL E, R(METHOD) },
    { "A14", "GETX /chat HTTP/1.1\r\n" ALL E, R(METHOD) },
    { "A14", "CONNECT a:1 HTTP/1.1\r\n" ALL E, R2(METHOD, HEAD_SYNTAX) },
    { "A14", "GET /chat HTTP/1.0\r\n" ALL E, R(HTTP_VERSION) },
    { "A14", "GET /chat HTTP/0.9\r\n" ALL E, R2(HTTP_VERSION, HEAD_SYNTAX) },
    { "A14", "GET /chat HTTP/2.0\r\n" ALL E, R(HTTP_VERSION) },
    { "A14", "GET /chat HTTP/1.10\r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", "GET /chat HTTP/1.2\r\n" ALL E, 101, 0, WS_ERR_HTTP_VERSION },
    { "A14", "GET /chat http/1.1\r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", "GET /chat HTTP/1.1 \r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", "GET /chat\r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", "GET  /chat HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A14", "GET /cha t HTTP/1.1\r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", "GET HTTP/1.1\r\n" ALL E, R2(HEAD_SYNTAX, HTTP_VERSION) },
    { "A14", " GET /chat HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A14", "GET http://example.com/chat HTTP/1.1\r\n" ALL E, 101, 0,
      WS_ERR_HEAD_SYNTAX },
    { "A14", "GET chat HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A14", "GET * HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A14", "GET /chat#x HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A14", "GET /ch\xc3\xa4t HTTP/1.1\r\n" ALL E, R(HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: 5\r\n" E "hello", R(BODY) },
    { "A15", G ALL "Content-Length: -1\r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: +5\r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: 0x5\r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: \r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: 0, 5\r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: 0\r\nContent-Length: 5\r\n" E,
      R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Content-Length: 99999999999999999999\r\n" E, R2(BODY, HEAD_SYNTAX) },
    { "A15", G ALL "Transfer-Encoding: chunked\r\n" E "0\r\n\r\n", R(BODY) },
    { "A15", G ALL "Transfer-Encoding: identity\r\n" E, R(BODY) },
    { "A15", G ALL "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" E, R(BODY) },
    { "A15", G ALL "Content-Length: 0\r\n" E, OK },
    { "A16",
      G HO KE VE
      "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n" E,
      R2(UPGRADE, NOT_UPGRADE) },
    { "A16",
      G HO KE VE
      "Upgrade: h2c, websocket\r\nConnection: Upgrade, HTTP2-Settings\r\n"
      "HTTP2-Settings: AAM\r\n" E,
      OK },
    { "A16", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", R2(HTTP_VERSION, HEAD_SYNTAX) },
    { "A8", G "Host : example.com\r\n" UP CO KE VE E, R(HEAD_SYNTAX) },
    { "A8", G HO "Upgrade : websocket\r\n" CO KE VE E, R(HEAD_SYNTAX) },
    { "A8", G " Host: example.com\r\n" UP CO KE VE E, R(HEAD_SYNTAX) },
    { "A8", G ALL "X: a\r\n b\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G ALL "X: a\r\n\tb\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G "Host: example.com\n" UP CO KE VE E, R(HEAD_SYNTAX) },
    { "A8", "GET /chat HTTP/1.1\n" ALL E, R(HEAD_SYNTAX) },
    { "A8", G ALL "\n", R(HEAD_SYNTAX) },
    { "A8", G ALL "X: a\rb\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G ALL "X: a\r\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G ALL "\r\r\n", R(HEAD_SYNTAX) },
    { "A8", G ALL ": empty name\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G ALL "no colon\r\n" E, R(HEAD_SYNTAX) },
    { "A8", G ALL "X\r\n" E, R(HEAD_SYNTAX) },
    { "A5", G UP CO KE VE E, R(HOST) },
    { "A5", G "Host:\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: [\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: [::1\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: a b\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: :99999\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: a:99999\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: a:b\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: user@a\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: a/b\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: a, b\r\n" UP CO KE VE E, R(HOST) },
    { "A5", G "Host: [::1]:8080\r\n" UP CO KE VE E, OK },
    { "A5", G "Host: 127.0.0.1:1\r\n" UP CO KE VE E, OK },
    { "A2", G ALL "Sec-WebSocket-Extensions: permessage-deflate; a=\"\\c\\c\\c\r\n" E,
      OK },
    { "A2", G ALL "Sec-WebSocket-Extensions: ;;,,==\"\r\n" E, OK },
    { "A19",
      G ALL "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" E,
      OK },
    { "http", "GET / HTTP/1.1\r\n" HO E, HTTP },
    { "http", "HEAD /x HTTP/1.1\r\n" HO E, HTTP },
    { "http", "GET / HTTP/1.0\r\n\r\n", -1, 0, WS_ERR_HTTP_VERSION },
};
#define REQUESTS (sizeof requests / sizeof *requests)

static void run_requests(const char *id)
{
    size_t i;
    int step;

    CHECK(REQUESTS >= 60);
    for (i = 0; i < REQUESTS; i++) {
        const request *r = &requests[i];
        size_t n = strlen(r->text);
        buf log = { 0 }, out = { 0 };
        int faults = test_faults;

        if (strcmp(id, r->id)) continue;
        for (step = 0; step < 16; step++) {
            world w;
            side s;
            asking = step > 7 && r->status != -1;       /* nobody answers a page here */
            ask(&s, &w, NULL, r->text, n, (size_t)step % 8);
            if (r->status == 101 && !(r->other && s.error == r->other)) {
                check_101(&s);
                CHECK_INT(s.closes, 0);
            } else if (r->status == -1 && !(r->other && s.error == r->other)) {
                CHECK_INT(s.https, 1);
                CHECK(s.error == 0 || s.error == WS_ERR_NOT_UPGRADE);
                CHECK_INT(s.code, 0);
                check_refusal(&s, 426);
                finish(&s);
            } else {
                CHECK(s.error && (s.error == r->error || s.error == r->other));
                if (s.closes) check_refusal(&s, error_tell(s.error));
                finish(&s);
            }
            if (!step) { buf_str(&log, buf_c(&s.log)); buf_add(&out, s.out.p, s.out.n);
            } else {
                CHECK_STR(buf_c(&s.log) + 2 * s.requests, log.p);
                CHECK(buf_is(&s.out, &out));
            }
            CHECK_INT(s.requests,
                      asking && s.opens); /* faults are not the application's */
            asking = 0;
            if (test_faults > faults && !step)
                printf("  request %s %d: %s\n  -> %s %.60s\n", r->id, (int)i, r->text,
                       s.log.p, buf_c(&s.out));
            side_over(&s);
        }
        buf_free(&log);
        buf_free(&out);
    }
}

TEST(requests)
{
    run_requests("ok");
    run_requests("http");
    run_requests("A2");
    run_requests("A19");
}
TEST(sec_A5_bad_host) { run_requests("A5"); }
TEST(sec_A10_repeated_fields) { run_requests("A10"); }
TEST(sec_A11_bad_keys) { run_requests("A11"); }
TEST(sec_A12_tokens_in_lists) { run_requests("A12"); }
TEST(sec_A14_methods_and_targets) { run_requests("A14"); }
TEST(sec_A15_bodies) { run_requests("A15"); }
TEST(sec_A16_h2c) { run_requests("A16"); }

/* every 1-cut and 2-cut of a request with its first frames; each end of a piece is the
   end of an allocation, so that reading one byte past it faults */
TEST(sec_A7_every_cut)
{
    buf in = { 0 };
    size_t a, b;

    buf_str(&in, REQUEST);
    put_frames(&in, "81'hi' 01'a' 80'b' 88x03e8", 1);
    for (a = 0; a < in.n; a++) for (b = a; b < in.n; b += a % 8 ? in.n : 1) {
        world w;
        side s;
        ask(&s, &w, NULL, in.p, a, 0);
        side_feed(&s, in.p + a, b - a);
        side_feed(&s, in.p + b, in.n - b);
        CHECK_EVENTS(&s, "O T'hi' T'ab' C1000+'' ");
        side_over(&s);
    }
    buf_free(&in);
}

/* early data: request and frames in one piece, cut anywhere */
TEST(sec_A17_frames_behind_the_request)
{
    buf in = { 0 };
    size_t k, head;

    buf_str(&in, REQUEST);
    head = in.n;
    put_frames(&in, "81'first' 82#300 81'third'", 1);
    for (k = head; k <= in.n; k++) {
        world w;
        side s;
        ask(&s, &w, NULL, in.p, k, 0);
        CHECK_INT(s.opens, 1);
        side_feed(&s, in.p + k, in.n - k);
        CHECK_EVENTS(&s, "O T'first' B#300 T'third' ");
        side_over(&s);
    }
    buf_free(&in);
}

/* all 256 bytes in a name, a value, the target, the version, as the first byte */
TEST(sec_A8_every_byte_everywhere)
{
    int c, where;

    run_requests("A8");
    for (where = 0; where < 8; where++) for (c = 0; c < 256; c++) {
        world w;
        side s;
        buf b = { 0 };
        int token = (c >= '0' && c <= '9') ||
                    ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 128) ||
                    (c && c < 128 && strchr("!#$%&'*+-.^_`|~", c));
        int ok = 1;

        if (where == 6) buf_byte(&b, c);
        if (where == 4) {
            buf_str(&b, "GET /ch");
            buf_byte(&b, c);
            buf_str(&b, "at HTTP/1.1\r\n");
        } else
            buf_str(&b, G);
        buf_str(&b, ALL);
        if (where == 0) {
            buf_str(&b, "Xa");
            buf_byte(&b, c);
            buf_str(&b, "b: v\r\n");
            ok = token || c == ':';
        }
        if (where == 1) { buf_byte(&b, c); buf_str(&b, "Xab: v\r\n"); ok = token; }
        if (where == 2) {
            buf_str(&b, "Xab");
            buf_byte(&b, c);
            buf_str(&b, ": v\r\n");
            ok = token || c == ':';
        }
        if (where == 3) {
            buf_str(&b, "Xab: v");
            buf_byte(&b, c);
            buf_str(&b, "w\r\n");
            ok = c == '\t' || (c >= 32 && c != 127);
        }
        if (where == 5) {
            buf_str(&b, "Xab: vw");
            buf_byte(&b, c);
            buf_str(&b, "\r\n");
            ok = c == '\t' || (c >= 32 && c != 127);
        }
        if (where == 7) {
            buf_str(&b, "Xab:");
            buf_byte(&b, c);
            buf_str(&b, "vw\r\n");
            ok = c == '\t' || (c >= 32 && c != 127);
        }
        if (where == 4) ok = c > 32 && c < 127 && c != '#';
        if (where == 6)
            ok = 0; /* GET with a letter before it is another method */
        buf_str(&b, E);
        ask(&s, &w, NULL, b.p, b.n, 0);
        if (where == 6 && token) CHECK_INT(s.error, WS_ERR_METHOD);
        else if (where == 6 && (c == '\r' || c == '\n'))
            CHECK(s.opens || s.error == WS_ERR_HEAD_SYNTAX);
        else if (ok) {
            CHECK(s.opens == 1 || (where == 4 && s.error == WS_ERR_HEAD_SYNTAX &&
                                   strchr("\"<>\\^`{|}", c)));
        } else {
            CHECK_INT(s.error, WS_ERR_HEAD_SYNTAX);
            check_refusal(&s, 400);
        }
        if (!!s.opens != ok && test_faults) printf("    where %d byte %02x\n", where, c);
        buf_free(&b);
        side_over(&s);
    }
}

/* NUL, CR, LF in place of every byte of the request */
TEST(sec_A9_nul_cr_lf_everywhere)
{
    static const char text[] = G ALL "X-Other: value\r\n" E;
    static const char bad[] = { 0, '\r', '\n', 1, 127 };
    size_t i, k;

    for (k = 0; k < sizeof bad; k++) for (i = 0; i + 1 < sizeof text; i++) {
        world w;
        side s;
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        if (copy[i] == bad[k]) continue;
        copy[i] = bad[k];
        ask(&s, &w, NULL, copy, sizeof text - 1, 0);
        CHECK_INT(s.opens, 0);
        if (s.closes)
            CHECK(s.error == WS_ERR_HEAD_SYNTAX || s.error == WS_ERR_HTTP_VERSION);
        else CHECK(i + 4 >= sizeof text - 1);
        side_over(&s);
    }
}

/* limits of the head: bytes and lines, exactly; floods end and memory stays */
TEST(sec_A3_limits_of_the_head)
{
    static const uint32_t limits[] = { 200, 300, 1000, 8192, 20000 };
    size_t i, n;
    int k, first;

    for (i = 0; i < 5; i++) for (k = -2; k < 3; k++) for (first = 0; first < 3; first++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };

        memset(&cfg, 0, sizeof cfg);
        cfg.max_head = limits[i];
        buf_str(&b, G ALL "X: ");
        while (b.n + 4 < limits[i] + (size_t)(ptrdiff_t)k) buf_byte(&b, 'x');
        buf_str(&b, "\r\n\r\n");
        CHECK_INT(b.n, (int)limits[i] + k);
        ask(&s, &w, &cfg, b.p, b.n, (size_t)first);
        if (k <= 0) CHECK_INT(s.opens, 1);
        else { CHECK_INT(s.error, WS_ERR_HEAD_SIZE); check_refusal(&s, 431); }
        buf_free(&b);
        side_over(&s);
    }
    for (i = 0; i < 2; i++)
        for (k = 5; k < 2100; k += k < 70 ? 1 : 1000)
            for (first = 0; first < 2; first++) {
                world w;
                side s;
                ws_config cfg;
                buf b = { 0 };

                memset(&cfg, 0, sizeof cfg);
                cfg.max_head = 100000;
                if (i)
                    cfg.max_headers = 10;
                buf_str(&b, G);
                if (first)
                    buf_str(&b, ALL);
                for (n = 5; n < (size_t)k; n++) buf_str(&b, "X: y\r\n");
                if (!first) buf_str(&b, ALL);
        buf_str(&b, E);
        ask(&s, &w, &cfg, b.p, b.n, 0);
        if (k <= (i ? 10 : 64)) CHECK_INT(s.opens, 1);
        else { CHECK_INT(s.error, WS_ERR_HEAD_FIELDS); check_refusal(&s, 431); }
        buf_free(&b);
        side_over(&s);
            }
}

TEST(sec_A4_endless_heads)
{
    static const char *flood[] = {
        "X: y\r\n",
        "X: "
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
        "\r\n",
        "x",
        ":",
        "\r\n",
        " "
    };
    size_t k;
    int step, client;

    for (client = 0; client < 2; client++)
        for (k = 0; k < 6; k++)
            for (step = 0; step < 2; step++) {
                world w;
                side s;
                ws_config cfg = world_fresh(&w);
                size_t taken = 0, i, len = strlen(flood[k]), base;

                side_new(&s, &w, client, &cfg);
                side_pull(&s);
                base = heap_mark(&w.h);
                taken = side_feed(&s, client ? "HTTP/1.1 101 ok\r\n" : G,
                                  client ? 17 : sizeof G - 1);
                for (i = 0; i < 20000 && !s.closes; i++) {
                    size_t j;
                    if (!step)
                        taken += side_feed(&s, flood[k], len);
                    else
                        for (j = 0; j < len; j++) taken += side_feed(&s, flood[k] + j, 1);
                }
                CHECK_INT(s.closes, 1);
                CHECK(s.error == WS_ERR_HEAD_SIZE || s.error == WS_ERR_HEAD_FIELDS ||
                      s.error == WS_ERR_HEAD_SYNTAX || s.error == WS_ERR_HOST ||
                      s.error == WS_ERR_UPGRADE || s.error == WS_ERR_NOT_UPGRADE ||
                      s.https || client);
                CHECK(taken <= 8192 + 100);
                CHECK(w.h.peak <= base + 2 * 8192 + 4096);
                side_over(&s);
            }
}

/* long lists cost no more than their length (this would not end if it were quadratic and
   worse), unterminated quotes too */
TEST(sec_A2_long_lists)
{
    size_t n;
    int kind;

    for (n = 1000; n <= 400000; n *= 5) for (kind = 0; kind < 5; kind++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };
        size_t i;

        memset(&cfg, 0, sizeof cfg);
        cfg.max_head = 1000000;
        cfg.protocols = "chat, superchat";
        buf_str(&b, G ALL);
        buf_str(&b, kind < 2 ? "Sec-WebSocket-Protocol: b"
                             : "Sec-WebSocket-Extensions: a; b=\"");
        for (i = 0; i < n; i++)
            buf_str(&b, kind == 0   ? " "
                        : kind == 1 ? ","
                        : kind == 2 ? "\\c"
                        : kind == 3 ? ","
                                    : ";");
        buf_str(&b, "x\r\n" E);
        ask(&s, &w, &cfg, b.p, b.n, n < 10000);
        CHECK(s.opens || s.error == WS_ERR_HEAD_SYNTAX || s.error == WS_ERR_SUBPROTOCOL);
        if (s.opens) CHECK_STR(ws_protocol(s.c), "");
        buf_free(&b);
        side_over(&s);
    }
}

/* one byte at a time: a head of limit - 1 bytes, and one over */
TEST(sec_A1_byte_by_byte)
{
    int k;
    for (k = -1; k < 2; k++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };
        memset(&cfg, 0, sizeof cfg);
        cfg.max_head = 100000;
        buf_str(&b, G ALL "X: ");
        while (b.n + 4 < 100000 + (size_t)(ptrdiff_t)k) buf_byte(&b, 'x');
        buf_str(&b, "\r\n\r\n");
        ask(&s, &w, &cfg, b.p, b.n, 1);
        CHECK_INT(s.opens, k <= 0);
        buf_free(&b);
        side_over(&s);
    }
}

/* what follows a refused request is never looked at */
TEST(sec_A13_behind_a_refusal)
{
    size_t i;
    int more = 0;

    run_requests("A13");
    for (i = 0; i < REQUESTS; i++) {
        world w;
        side s;
        buf b = { 0 };
        int k;

        if (requests[i].status == 101) continue;
        buf_str(&b, requests[i].text);
        for (k = 0; k < 3; k++) buf_str(&b, REQUEST);
        ask(&s, &w, NULL, b.p, b.n, 0);
        for (k = 0; k < 3; k++) side_feed(&s, REQUEST, sizeof REQUEST - 1);
        CHECK_INT(s.opens, 0);
        CHECK_INT(s.closes, 1);
        for (k = 1, more = 0; (size_t)k + 9 < s.out.n; k++)
            more += !memcmp(s.out.p + k, "HTTP/1.1 ", 9);
        CHECK_INT(more, 0);
        side_over(&s);
        buf_free(&b);
    }
}

/* no recursion, little stack: nothing to see here but that the largest heads pass */
TEST(sec_A6_largest_heads)
{
    world w;
    side s;
    ws_config cfg;
    buf b = { 0 };
    size_t i;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_head = 4000000;
    cfg.max_headers = WS_NO_LIMIT;
    buf_str(&b, G ALL);
    for (i = 0; i < 200000; i++) buf_str(&b, "X: y, z\r\n");
    buf_str(&b, E);
    ask(&s, &w, &cfg, b.p, b.n, 0);
    CHECK_INT(s.opens, 1);
    buf_free(&b);
    side_over(&s);
}

/* the deadline of the opening handshake is absolute */
TEST(sec_A20_deadline_is_absolute)
{
    static const uint32_t limit[] = { 0, 1000, 77, 30000, 1 };
    size_t i;
    int client, step;

    for (client = 0; client < 2; client++)
        for (i = 0; i < 5; i++)
            for (step = 1; step < 12000; step = step * 3 + 1) {
                world w;
                side s;
                ws_config cfg;
                uint64_t t0, T = limit[i] ? limit[i] : 10000;
                const char *text = client ? "HTTP/1.1 101 Switching Protocols\r\nX: y"
                                          : G HO "X: y";
                size_t n = strlen(text), at = 0;

                cfg = world_fresh(&w);
                cfg.handshake_timeout = limit[i];
                side_new(&s, &w, client, &cfg);
                side_pull(&s);
                t0 = w.now;
                while (!s.closes && w.now < t0 + 2 * T + 60000) {
                    if (at < n) side_feed(&s, text + at++, 1);
            else side_feed(&s, "y", 1);
            if (s.closes) break;            /* the head limit may come first */
            side_time(&s, (uint64_t)step);
        }
        CHECK_INT(s.closes, 1);
        if (s.error != WS_ERR_HEAD_SIZE) {
            CHECK_INT(s.error, WS_ERR_HANDSHAKE_TIMEOUT);
            CHECK(w.now >= t0 + T && w.now <= t0 + T + (uint64_t)step + 1);
            if (!client) check_refusal(&s, 408);
        }
        CHECK_INT(s.opens, 0);
        finish(&s);
        side_over(&s);
            }
}

/* Origin */
TEST(sec_I1_origins)
{
    static const struct { const char *origins, *host, *origin; int ok;
    } t[] = {
        { NULL, "example.com", NULL, 1 },
        { NULL, "example.com", "http://example.com", 1 },
        { NULL, "example.com", "https://example.com", 1 },
        { NULL, "EXAMPLE.com", "http://example.COM", 1 },
        { NULL, "example.com:8080", "http://example.com:8080", 1 },
        { NULL, "[::1]:8080", "http://[::1]:8080", 1 },
        { NULL, "example.com", "null", 0 },
        { NULL, "example.com", "", 0 },
        { NULL, "example.com", "http://", 0 },
        { NULL, "example.com", "example.com", 0 },
        { NULL, "example.com", "//example.com", 0 },
        { NULL, "example.com", "http://example.com:8080", 0 },
        { NULL, "example.com:8080", "http://example.com", 0 },
        { NULL, "example.com:8080", "http://example.com:8081", 0 },
        { NULL, "example.com", "http://evil-example.com", 0 },
        { NULL, "example.com", "http://example.com.evil", 0 },
        { NULL, "example.com", "http://example.comevil", 0 },
        { NULL, "example.com", "http://example.co", 0 },
        { NULL, "example.com", "http://www.example.com", 0 },
        { NULL, "example.com", "http://example.com@evil.com", 0 },
        { NULL, "example.com", "http://evil.com/example.com", 0 },
        { NULL, "example.com", "http://evil.com#example.com", 0 },
        { NULL, "example.com", "http://evil.com?http://example.com", 0 },
        { NULL, "example.com", "http://example.com.", 0 },
        { NULL, "example.com", "http://example.com http://example.com", 0 },
        { NULL, "example.com", "http://example.com, http://evil.com", 0 },
        { NULL, "example.com", "http://exa\xcc\x88mple.com", 0 },
        { NULL, "example.com", "file://", 0 },
        { "*", "example.com", "http://evil.com", 1 },
        { "*", "example.com", "null", 1 },
        { "*", "example.com", NULL, 1 },
        { "https://a.example, https://b.example", "x", "https://a.example", 1 },
        { "https://a.example, https://b.example", "x", "https://b.example", 1 },
        { "https://a.example,https://b.example", "x", "https://B.example", 1 },
        { "https://a.example, https://b.example", "x", "http://a.example", 0 },
        { "https://a.example, https://b.example", "x", "https://a.example:444", 0 },
        { "https://a.example, https://b.example", "x", "https://a.example.evil", 0 },
        { "https://a.example, https://b.example", "x", "https://evil-a.example", 0 },
        { "https://a.example, https://b.example", "x", "https://a.exampl", 0 },
        { "https://a.example, https://b.example", "x", "https://", 0 },
        { "https://a.example, https://b.example", "x", "https://x", 0 },
        { "https://a.example, https://b.example", "x", "null", 0 },
        { "https://a.example, https://b.example", "x",
          "https://a.example, https://b.example", 0 },
        { "https://a.example, https://b.example", "x", "", 0 },
        { "https://a.example:8443", "x", "https://a.example:8443", 1 },
        { "https://a.example:8443", "x", "https://a.example", 0 },
    };
    size_t i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };

        memset(&cfg, 0, sizeof cfg);
        cfg.origins = t[i].origins;
        buf_str(&b, G UP CO KE VE "Host: ");
        buf_str(&b, t[i].host);
        if (t[i].origin) { buf_str(&b, "\r\nOrigin: "); buf_str(&b, t[i].origin); }
        buf_str(&b, "\r\n\r\n");
        ask(&s, &w, &cfg, b.p, b.n, 0);
        if (s.opens != t[i].ok)
            printf("    %s | %s | %s\n", t[i].origins ? t[i].origins : "-", t[i].host,
                   t[i].origin ? t[i].origin : "-");
        CHECK_INT(s.opens, t[i].ok);
        if (!t[i].ok) { CHECK_INT(s.error, WS_ERR_ORIGIN); check_refusal(&s, 403); }
        buf_free(&b);
        side_over(&s);
    }
}

/* subprotocols: the first of the client's offers that the server supports, once, or
   none */
TEST(sec_A19_first_offer_chosen)
{
    static const struct { const char *have, *offer, *chosen;
    } t[] = {
        { NULL, "a, b", "" },
        { "", "a, b", "" },
        { "c", "a, b", "" },
        { "a", "a", "a" },
        { "a", NULL, "" },
        { "b, a", "a, b", "a" },
        { "a, b", "b, a", "b" },
        { "b", "a, b", "b" },
        { "b", "a,b,c", "b" },
        { "ab", "a, b", "" },
        { "a", "ab, ba", "" },
        { "A", "a", "" },
        { "x.y", "q , x.y", "x.y" },
        { "a", ",,a,,", "a" },
        { "chat", "superchat, chat", "chat" },
        { "v1, v2, v3", "v9, v3, v1", "v3" },
    };
    size_t i;
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        side s;
        ws_config cfg;
        buf b = { 0 };

        memset(&cfg, 0, sizeof cfg);
        cfg.protocols = t[i].have;
        buf_str(&b, G ALL);
        if (t[i].offer) {
            buf_str(&b, "Sec-WebSocket-Protocol: ");
            buf_str(&b, t[i].offer);
            buf_str(&b, "\r\n");
        }
        buf_str(&b, E);
        ask(&s, &w, &cfg, b.p, b.n, 0);
        check_101(&s);
        CHECK_STR(ws_protocol(s.c), t[i].chosen);
        CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol",
                    t[i].chosen[0] ? t[i].chosen : NULL);
        buf_free(&b);
        side_over(&s);
    }
}

/* answers to plain HTTP */
static int reply_status;
static const ws_header *reply_headers;
static const char *reply_body;
static int reply_result;

static void replier(side *s, const ws_event *ev)
{
    if (ev->type != WS_EV_HTTP) return;
    CHECK_STR(ws_target(s->c), "/page?q=1");
    CHECK(!strcmp(ws_method(s->c), "GET") || !strcmp(ws_method(s->c), "HEAD") ||
          !strcmp(ws_method(s->c), "POST"));
    CHECK(ws_header_value(s->c, "hOsT").size == 11 &&
          !memcmp(ws_header_value(s->c, "host").data, "example.com", 11));
    CHECK(ws_header_value(s->c, "Absent").data == NULL);
    reply_result = ws_http_reply(s->c, reply_status, reply_headers, reply_body,
                                 reply_body ? strlen(reply_body) : 0);
}

TEST(http_reply)
{
    static const ws_header two[] = { { "Content-Type", "text/plain" },
                                     { "X-A", "b" },
                                     { NULL, NULL } };
    static const int status[] = { 200, 204, 301, 304, 404, 500, 599 };
    int k, head, b;

    for (k = 0; k < 7; k++) for (head = 0; head < 2; head++) for (b = 0; b < 2; b++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        size_t h = 0;
        const char *text = head ? "HEAD /page?q=1 HTTP/1.1\r\n" HO E
                                : "GET /page?q=1 HTTP/1.1\r\n" HO E;

        side_new(&s, &w, 0, &cfg);
        s.event = replier;
        reply_status = status[k];
        reply_headers = b ? two : NULL;
        reply_body = b ? "hello, reader" : NULL;
        side_feed(&s, text, strlen(text));
        CHECK_INT(reply_result, 0);
        CHECK_INT(head_status(&s.out), status[k]);
        CHECK(lines(&s.out, &h) > 0);
        if (status[k] != 204 && status[k] != 304) {
            CHECK_FIELD(&s.out, "Content-Length", b ? "13" : "0");
            CHECK_INT(s.out.n - h, !head && b ? 13 : 0);
        }
        CHECK_FIELD(&s.out, "Connection", status[k] == 426 ? "close, Upgrade" : "close");
        CHECK_FIELD(&s.out, "X-A", b ? "b" : NULL);
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.code, 0);
        CHECK_INT(s.clean, 1);
        CHECK_INT(s.error, 0);
        finish(&s);
        CHECK(ws_http_reply(s.c, 200, NULL, "x", 1) < 0);
        side_over(&s);
    }
}

/* no byte of the program's strings makes a line in a head: server side */
TEST(sec_A18_no_line_by_our_strings)
{
    int where, c, at;

    for (where = 0; where < 5; where++)
        for (at = 0; at < 3; at++)
            for (c = 1; c < 256; c++) {
                world w;
                side s;
                ws_config cfg;
                char text[16];
                ws_header h[2] = { { "X-Name", "value" }, { NULL, NULL } };
                int n, control = c < 32 || c == 127;

                sprintf(text, "%s", "abcd");
                text[at == 0 ? 0 : at == 1 ? 2 : 3] = (char)c;
                memset(&cfg, 0, sizeof cfg);
                if (where == 0) {
                    h[0].name = text;
                    cfg.headers = h;
                }
                if (where == 1) {
                    h[0].value = text;
                    cfg.headers = h;
                }
                if (where == 2)
                    cfg.protocols = text;
                if (where < 3) {
                    buf b = { 0 };
                    buf_str(&b, G ALL);
                    if (where == 2)
                        buf_str(&b, "Sec-WebSocket-Protocol: abcd, ab, cd, a, b, d\r\n");
                    buf_str(&b, E);
                    ask(&s, &w, &cfg, b.p, b.n, 0);
                    buf_free(&b);
                } else {
                    if (where == 3)
                        h[0].name = text;
                    if (where == 4)
                        h[0].value = text;
                    cfg = world_fresh(&w);
                    side_new(&s, &w, 0, &cfg);
                    s.event = replier;
                    reply_status = 200;
                    reply_headers = h;
                    reply_body = "x";
                    side_feed(&s, "GET /page?q=1 HTTP/1.1\r\n" HO E,
                              24 + 2 + sizeof HO - 1);
                    if (control && c != '\t')
                        CHECK(reply_result < 0);
                }
                if (s.out.n) {
                    n = lines(&s.out, NULL);
                    CHECK(n > 0); /* no bare CR, LF, control anywhere */
                    if (s.opens)
                        CHECK(n <= 6); /* status, 3 of ours, one of the program's */
                    if (control && c != '\t' && where < 2)
                        CHECK_INT(s.opens, 0);
                }
                side_free(&s);
                CHECK_INT(w.h.live, 0);
            }
    for (where = 0; where < 6; where++)
        for (at = 0; at < 3; at++)
            for (c = 1; c < 256; c++) { /* client side */
                world w;
                side s;
                ws_config cfg;
                char text[16], url[64];
                ws_header h[2] = { { "X-Name", "value" }, { NULL, NULL } };
                int n, control = c < 32 || c == 127;

                sprintf(text, "%s", "abcd");
                text[at == 0 ? 0 : at == 1 ? 2 : 3] = (char)c;
                cfg = world_fresh(&w);
                sprintf(url, "%s", "ws://example.com/path");
                if (where == 0) {
                    h[0].name = text;
                    cfg.headers = h;
                }
                if (where == 1) {
                    h[0].value = text;
                    cfg.headers = h;
                }
                if (where == 2)
                    cfg.protocols = text;
                if (where == 3)
                    cfg.origin = text;
                if (where == 4)
                    cfg.host = text;
                if (where == 5)
                    sprintf(url, "ws://example.com/%s", text);
                memset(&s, 0, sizeof s);
                s.w = &w;
                s.client = 1;
                s.c = ws_client_new(url, &cfg);
                CHECK(s.c != NULL);
                side_pull(&s);
                if (s.out.n) {
                    n = lines(&s.out, NULL);
                    CHECK(n > 0);
                    CHECK(n == 6 + (where < 4));
                    CHECK(!control || (c == '\t' && where != 5));
                } else {
                    CHECK(s.closes && s.error < 0 && ws_error(s.c) < 0);
                    CHECK(s.error == (where == 5 ? WS_ERR_URL : WS_ERR_ARGUMENT));
                }
                side_over(&s);
            }
}

/* disconnected, refused or freed at every byte */
TEST(sec_A21_gone_at_every_byte)
{
    size_t k, kind;
    for (kind = 0; kind < 3; kind++) for (k = 0; k < sizeof REQUEST; k++) {
        world w;
        side s;
        ask(&s, &w, NULL, REQUEST, k < sizeof REQUEST - 1 ? k : sizeof REQUEST - 1, 0);
        if (kind == 0) {
            side_end(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, WS_ERR_EOF);
            CHECK_INT(s.code, 1006);
        } else if (kind == 1) {
            ws_close(s.c, 1001, NULL);
            side_pull(&s);
            finish(&s);
        }
        side_over(&s);
    }
}

/* ==== client ======================================================================== */

#define A101 "HTTP/1.1 101 Switching Protocols\r\n"
#define ACC "Sec-WebSocket-Accept: \1\r\n"      /* \1: the right one */

typedef struct answer { const char *id, *protocols, *text; int error, other; } answer;

static const answer answers[] = {
    { "ok", NULL, A101 UP CO ACC E, 0, 0 },
    { "ok", NULL, "HTTP/1.1 101 \r\n" UP CO ACC E, 0, 0 },
    { "ok", NULL, "HTTP/1.1 101\r\n" UP CO ACC E, 0, WS_ERR_HEAD_SYNTAX },
    { "ok", NULL,
      "HTTP/1.1 101 Web Socket Protocol Handshake\r\nupgrade: WebSocket\r\n"
      "connection: keep-alive, upgrade\r\nsec-websocket-accept: \1\r\nServer: x\r\n" E,
      0, 0 },
    { "ok", "a, b", A101 UP CO ACC "Sec-WebSocket-Protocol: b\r\n" E, 0, 0 },
    { "B3", "a, b", A101 UP CO ACC E, WS_ERR_SUBPROTOCOL, 0 },
    { "B1", NULL, A101 UP CO E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept:\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: " ACCEPT "\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \1=\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: x\1\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \2\r\n" E, WS_ERR_ACCEPT,
      0 }, /* lower case */
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \3\r\n" E, WS_ERR_ACCEPT,
      0 }, /* 27 of it */
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \4\r\n" E, WS_ERR_ACCEPT,
      0 }, /* last bit */
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \"\1\"\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \1, \1\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO ACC ACC E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO ACC "Sec-WebSocket-Accept: x\r\n" E, WS_ERR_ACCEPT, 0 },
    { "B1", NULL, A101 UP CO "Sec-WebSocket-Accept: \5\r\n" E, WS_ERR_ACCEPT,
      0 }, /* the key itself */
    { "B2", NULL, "HTTP/1.1 200 OK\r\n" UP CO ACC E, WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.1 100 Continue\r\n" UP CO ACC E, WS_ERR_STATUS,
      WS_ERR_HEAD_SYNTAX },
    { "B2", NULL, "HTTP/1.1 102 Processing\r\n" UP CO ACC E, WS_ERR_STATUS,
      WS_ERR_HEAD_SYNTAX },
    { "B2", NULL, "HTTP/1.1 204 No Content\r\n" UP CO ACC E, WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.1 301 Moved\r\nLocation: ws://evil.com/\r\n" UP CO ACC E,
      WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.1 401 No\r\nContent-Length: 5\r\n" E "hello", WS_ERR_STATUS,
      0 },
    { "B2", NULL, "HTTP/1.1 407 No\r\n" UP CO ACC E, WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.1 426 No\r\n" UP CO ACC E, WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.1 500 No\r\n" UP CO ACC E, WS_ERR_STATUS, 0 },
    { "B2", NULL, "HTTP/1.0 101 Switching\r\n" UP CO ACC E, WS_ERR_HTTP_VERSION,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/2.0 101 Switching\r\n" UP CO ACC E, WS_ERR_HTTP_VERSION,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/1.1 1011 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/1.1 10 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/1.1  101 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/1.1 +101 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_STATUS },
    { "B2", NULL, "HTTP/1.1 1x1 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_STATUS },
    { "B2", NULL, "101 Switching\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_HTTP_VERSION },
    { "B2", NULL, "GET / HTTP/1.1\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      WS_ERR_HTTP_VERSION },
    { "B2", NULL, "SSH-2.0-OpenSSH_9.2\r\n\r\n", WS_ERR_HEAD_SYNTAX,
      WS_ERR_HTTP_VERSION },
    { "up", NULL, A101 CO ACC E, WS_ERR_UPGRADE, 0 },
    { "up", NULL, A101 "Upgrade: websocketx\r\n" CO ACC E, WS_ERR_UPGRADE, 0 },
    { "up", NULL, A101 "Upgrade: h2c\r\n" CO ACC E, WS_ERR_UPGRADE, 0 },
    { "up", NULL, A101 UP ACC E, WS_ERR_CONNECTION, 0 },
    { "up", NULL, A101 UP "Connection: close\r\n" ACC E, WS_ERR_CONNECTION, 0 },
    { "up", NULL, A101 UP "Connection: upgraded\r\n" ACC E, WS_ERR_CONNECTION, 0 },
    { "B3", NULL, A101 UP CO ACC "Sec-WebSocket-Protocol: a\r\n" E, WS_ERR_SUBPROTOCOL,
      0 },
    { "B3", "a, b", A101 UP CO ACC "Sec-WebSocket-Protocol: c\r\n" E, WS_ERR_SUBPROTOCOL,
      0 },
    { "B3", "a, b", A101 UP CO ACC "Sec-WebSocket-Protocol: a, b\r\n" E,
      WS_ERR_SUBPROTOCOL, 0 },
    { "B3", "a, b",
      A101 UP CO ACC "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n" E,
      WS_ERR_SUBPROTOCOL, 0 },
    { "B3", "a, b",
      A101 UP CO ACC "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n" E,
      WS_ERR_SUBPROTOCOL, 0 },
    { "B3", "a, b", A101 UP CO ACC "Sec-WebSocket-Protocol: A\r\n" E, WS_ERR_SUBPROTOCOL,
      0 },
    { "B3", "ab", A101 UP CO ACC "Sec-WebSocket-Protocol: a\r\n" E, WS_ERR_SUBPROTOCOL,
      0 },
    { "B3", "a, b", A101 UP CO ACC "Sec-WebSocket-Protocol:\r\n" E, WS_ERR_SUBPROTOCOL,
      -1 },
    { "B3", NULL, A101 UP CO ACC "Sec-WebSocket-Extensions: permessage-deflate\r\n" E,
      WS_ERR_EXTENSION, 0 },
    { "B3", NULL, A101 UP CO ACC "Sec-WebSocket-Extensions: x; y=\"\r\n" E,
      WS_ERR_EXTENSION, 0 },
    { "B3", NULL,
      A101 UP CO ACC
      "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n" E,
      WS_ERR_EXTENSION, 0 },
    { "B7", NULL, A101 "X : y\r\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX, 0 },
    { "B7", NULL, "HTTP/1.1 101 Switching Protocols\n" UP CO ACC E, WS_ERR_HEAD_SYNTAX,
      0 },
};
#define ANSWERS (sizeof answers / sizeof *answers)

static void client_key(const buf *request, char key[25], char accept[29])
{
    const char *v = head_field(request, "Sec-WebSocket-Key", NULL);
    memset(key, 0, 25);
    memset(accept, 0, 29);
    CHECK(v && strlen(v) == 24);
    if (v && strlen(v) == 24) { memcpy(key, v, 24); my_accept(key, 24, accept); }
}

/* The text with \1..\5 replaced. */
static void expand(buf *b, const char *text, const buf *request)
{
    char key[25], accept[29], t[29];
    size_t i;
    client_key(request, key, accept);
    for (; *text; text++) switch (*text) {
    case 1: buf_str(b, accept); break;
    case 2:
        for (i = 0; i < 29; i++)
            t[i] = (char)(accept[i] >= 'A' && accept[i] <= 'Z' ? accept[i] + 32
                                                               : accept[i]);
        buf_str(b, t);
        break;
    case 3: buf_add(b, accept, 27); break;
    case 4: memcpy(t, accept, 29); t[26]++; buf_str(b, t); break;
    case 5: buf_str(b, key); break;
    default: buf_byte(b, *text);
    }
}

static void client_start(side *s, world *w, const ws_config *with, const char *url)
{
    ws_config cfg;
    world_init(w);
    cfg = world_config_with(w, with);
    memset(s, 0, sizeof *s);
    s->w = w;
    s->client = 1;
    s->c = ws_client_new(url, &cfg);
    ws_tick(s->c, w->now);
    side_pull(s);
    s->head = s->out.n;
}

static void run_answers(const char *id)
{
    size_t i, step;

    CHECK(ANSWERS >= 30);
    for (i = 0; i < ANSWERS; i++) {
        const answer *a = &answers[i];
        buf log = { 0 };
        int faults = test_faults;

        if (strcmp(id, a->id)) continue;
        for (step = 0; step < 6; step++) {
            world w;
            side s;
            ws_config cfg;
            buf b = { 0 };

            memset(&cfg, 0, sizeof cfg);
            cfg.protocols = a->protocols;
            client_start(&s, &w, &cfg, URL);
            expand(&b, a->text, &s.out);
            put_frame(&b, 0x81, 0, "early", 5, 0);      /* never looked at if refused */
            side_feed_by(&s, b.p, b.n, step);
            if (a->error == WS_ERR_STATUS && !s.opens) side_end(&s);   /* ends the body */
            if (a->error == 0 && !(a->other && s.error == a->other)) {
                CHECK_EVENTS(&s, "O T'early' ");
                CHECK_INT(ws_error(s.c), 0);
                CHECK_INT(s.out.n, s.head);
            } else if (a->other == -1 &&
                       !s.error) { /* 1xx skipped, then no 101: not open */
                CHECK_INT(s.messages, s.opens);
            } else {
                CHECK_INT(s.closes, 1);
                CHECK_INT(s.opens, 0);
                CHECK(s.error == a->error || s.error == a->other);
                CHECK_INT(ws_error(s.c), s.error);
                CHECK_INT(s.code, 1006);
                CHECK_INT(s.clean, 0);
                CHECK_INT(s.messages, 0);
                CHECK_INT(s.out.n, s.head);             /* no frame of ours */
                finish(&s);
            }
            if (!step) buf_str(&log, buf_c(&s.log));
            else CHECK_EVENTS(&s, log.p);
            if (test_faults > faults && !step)
                printf("  answer %s %d: %s\n  -> %s\n", a->id, (int)i, a->text,
                       buf_c(&s.log));
            buf_free(&b);
            side_over(&s);
        }
        buf_free(&log);
    }
}

TEST(answers) { run_answers("ok"); run_answers("up"); }
TEST(sec_B1_wrong_accept)
{
    int i, bit;

    run_answers("B1");
    for (i = 0; i < 28; i++)
        for (bit = 0; bit < 7; bit++) { /* one bit wrong anywhere */
            world w;
            side s;
            buf b = { 0 };
            size_t at;
            client_start(&s, &w, NULL, URL);
            buf_str(&b, A101 UP CO "Sec-WebSocket-Accept: ");
            at = b.n + (size_t)i;
            expand(&b, "\1\r\n" E, &s.out);
            b.p[at] = (char)(b.p[at] ^ 1 << bit);
            side_feed(&s, b.p, b.n);
            CHECK_INT(s.opens, 0);
            CHECK(s.error == WS_ERR_ACCEPT || s.error == WS_ERR_HEAD_SYNTAX);
            buf_free(&b);
            side_over(&s);
        }
}
TEST(sec_B3_not_offered) { run_answers("B3"); }

static int seen_status;
static void status_seer(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_CLOSE || ev->type == WS_EV_OPEN) seen_status = ws_status(s->c);
}

/* the status is told: all of 100..999 */
TEST(sec_B2_every_status)
{
    int k;

    run_answers("B2");
    for (k = 0; k < 1100; k++) {
        world w;
        side s;
        buf b = { 0 };
        char t[64];
        client_start(&s, &w, NULL, URL);
        s.event = status_seer;
        seen_status = -1;
        sprintf(t, "HTTP/1.1 %03d Text\r\n", k);
        expand(&b, UP CO ACC E, &s.out);
        side_feed(&s, t, strlen(t));
        side_feed(&s, b.p, b.n);
        if (k != 101)
            side_end(&s); /* its body has no length: the end of the stream */
        CHECK_INT(s.opens, k == 101);
        if (k == 101) CHECK_INT(seen_status, 101);
        else if (k >= 200 && k < 600) {
            CHECK_INT(s.error, WS_ERR_STATUS);
            CHECK_INT(seen_status, k);
            CHECK(ws_error(s.c) == WS_ERR_STATUS);
        } else if (k / 100 == 1)
            CHECK_INT(s.error, WS_ERR_EOF); /* interim, and then no answer */
        else if (s.closes)
            CHECK(s.error == WS_ERR_STATUS || s.error == WS_ERR_HEAD_SYNTAX ||
                  s.error == WS_ERR_HTTP_VERSION);
        else CHECK(k > 100 - 1 && k < 200);
        buf_free(&b);
        side_over(&s);
    }
}

/* early server data at all cuts */
TEST(sec_B6_frames_behind_the_answer)
{
    static const struct { const char *spec, *log;
    } t[] = {
        { "81'now'", "O T'now' " },
        { "01'no' 80'w'", "O T'now' " },
        { "88x03e8'x'", "O C1000+'x' " },
        { "81'a' 89'b' 81'c'", "O T'a' p'b' T'c' " },
    };
    size_t i, k;
    for (i = 0; i < 4; i++) for (k = 1;; k++) {
        world w;
        side s;
        buf b = { 0 };
        int more;
        client_start(&s, &w, NULL, URL);
        expand(&b, A101 UP CO ACC E, &s.out);
        put_frames(&b, t[i].spec, 0);
        more = k < b.n;
        if (more) side_feed_cut(&s, &b, k);
        CHECK(!more || !strcmp(buf_c(&s.log), t[i].log));
        buf_free(&b);
        side_over(&s);
        if (!more) break;
    }
}

/* header flood, endless status line, endless body: finite, bounded */
TEST(sec_B7_endless_answers)
{
    static const char *start[] = {
        "", "HTTP/1.1 101 ", A101, "HTTP/1.1 401 No\r\nContent-Length: 99999999\r\n\r\n"
    };
    static const char *more[] = { "x", "x", "X: y\r\n", "body body body" };
    int k;

    run_answers("B7");
    for (k = 0; k < 4; k++) {
        world w;
        side s;
        size_t base, i, taken = 0;
        client_start(&s, &w, NULL, URL);
        base = heap_mark(&w.h);
        side_feed(&s, start[k], strlen(start[k]));
        for (i = 0; i < 100000 && !s.closes; i++)
            taken += side_feed(&s, more[k], strlen(more[k]));
        CHECK_INT(s.closes, 1);
        CHECK(taken < 9000);
        CHECK(w.h.peak <= base + 2 * 8192 + 4096);
        finish(&s);
        side_over(&s);
    }
}

/* what the client asks, for a table of URLs */
TEST(urls)
{
    static const struct {
        const char *url, *target, *host, *authorization;
        int error;
    } t[] = {
        { "ws://example.com", "/", "example.com", NULL, 0 },
        { "ws://example.com/", "/", "example.com", NULL, 0 },
        { "ws://example.com:80/a/b?c=d", "/a/b?c=d", "example.com", NULL, 0 },
        { "ws://example.com:8080/", "/", "example.com:8080", NULL, 0 },
        { "ws://example.com:443/", "/", "example.com:443", NULL, 0 },
        { "http://example.com/x", "/x", "example.com", NULL, 0 },
        { "WS://EXAMPLE.com/X", "/X", "EXAMPLE.com", NULL, 0 },
        { "ws://example.com?q=1", "/?q=1", "example.com", NULL, 0 },
        { "ws://example.com:81?q", "/?q", "example.com:81", NULL, 0 },
        { "ws://[::1]/", "/", "[::1]", NULL, 0 },
        { "ws://[::1]:9001/x", "/x", "[::1]:9001", NULL, 0 },
        { "ws://127.0.0.1:9001/%20%41", "/%20%41", "127.0.0.1:9001", NULL, 0 },
        { "ws://user:pass@example.com/", "/", "example.com", "Basic dXNlcjpwYXNz", 0 },
        { "ws://user@example.com/", "/", "example.com", "Basic dXNlcjo=", 0 },
        { "ws://us%65r:p%40ss@example.com/", "/", "example.com", "Basic dXNlcjpwQHNz",
          0 },
        { "ws://:x@example.com/", "/", "example.com", "Basic Ong=", 0 },
        { "ws://a.b/c//d/../e;f,g@h:i", "/c//d/../e;f,g@h:i", "a.b", NULL, 0 },
        { "wss://example.com/", NULL, NULL, NULL,
          1 }, /* TLS is the transport's: see below */
        { "", NULL, NULL, NULL, WS_ERR_URL },
        { "example.com", NULL, NULL, NULL, WS_ERR_URL },
        { "ftp://example.com", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://", NULL, NULL, NULL, WS_ERR_URL },
        { "ws:///x", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://:80/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a:0/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a:65536/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a:-1/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a:8x/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a b/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a/ b", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a/#f", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a/\xc3\xa4", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://[::1", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://[]/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a\r\nX: y/", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://a/\r\nX: y", NULL, NULL, NULL, WS_ERR_URL },
        { "ws://u:%0d%0aX@a/", "/", "a", "Basic dToNClg=", 0 },
        { " ws://a/", NULL, NULL, NULL, WS_ERR_URL },
    };
    size_t i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        world w;
        side s;
        buf want = { 0 };
        const char *v;
        int n, faults = test_faults;

        client_start(&s, &w, NULL, t[i].url);
        if (t[i].error == 1) { side_over(&s); continue; }
        if (t[i].error) {
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, t[i].error);
            CHECK_INT(s.out.n, 0);
            CHECK_INT(ws_finished(s.c), 1);
        } else {
            CHECK(lines(&s.out, NULL) > 0);
            buf_str(&want, "GET ");
            buf_str(&want, t[i].target);
            buf_str(&want, " HTTP/1.1\r\n");
            CHECK(s.out.n > want.n && !memcmp(s.out.p, want.p, want.n));
            CHECK_FIELD(&s.out, "Host", t[i].host);
            CHECK_FIELD(&s.out, "Authorization", t[i].authorization);
            CHECK_FIELD(&s.out, "Upgrade", "websocket");
            CHECK_FIELD(&s.out, "Connection", "Upgrade");
            CHECK_FIELD(&s.out, "Sec-WebSocket-Version", "13");
            v = head_field(&s.out, "Sec-WebSocket-Key", &n);
            CHECK(n == 1 && strlen(v) == 24);
            CHECK_FIELD(&s.out, "Origin", NULL);
            CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", NULL);
            CHECK_FIELD(&s.out, "Sec-WebSocket-Extensions", NULL);
            CHECK_FIELD(&s.out, "Content-Length", NULL);
        }
        if (test_faults > faults)
            printf("  url %s -> %s %s\n", t[i].url, buf_c(&s.log), buf_c(&s.out));
        buf_free(&want);
        side_over(&s);
    }
    {
        world w;
        side s;
        client_start(&s, &w, NULL, NULL);
        CHECK_INT(s.closes, 1);
        CHECK(s.error == WS_ERR_URL || s.error == WS_ERR_ARGUMENT);
        side_over(&s);
    }
    {                                       /* what the program adds */
        static const ws_header h[] = { { "Cookie", "a=b" },
                                       { "X-Empty", "" },
                                       { "User-Agent", "me/1" },
                                       { NULL, NULL } };
        world w;
        side s;
        ws_config cfg;
        memset(&cfg, 0, sizeof cfg);
        cfg.headers = h;
        cfg.host = "other.example:99";
        cfg.origin = "https://site.example";
        cfg.protocols = "chat, superchat";
        client_start(&s, &w, &cfg, "ws://example.com:1234/");
        CHECK_FIELD(&s.out, "Host", "other.example:99");
        CHECK_FIELD(&s.out, "Origin", "https://site.example");
        CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "chat, superchat");
        CHECK_FIELD(&s.out, "Cookie", "a=b");
        CHECK_FIELD(&s.out, "X-Empty", "");
        CHECK_FIELD(&s.out, "User-Agent", "me/1");
        side_over(&s);
    }
}

/* keys differ, come from the source, and decode to 16 bytes */
TEST(sec_B10_keys_of_clients)
{
    enum { N = 20000 };
    static char keys[N][25];
    world w;
    int i, same = 0;
    char again[25];

    world_init(&w);
    for (i = 0; i < N; i++) {
        side s;
        ws_config cfg = world_config(&w);
        char accept[29];
        uint8_t tape[64];
        w.r.tape = tape; w.r.tape_max = sizeof tape; w.r.tape_n = 0;
        memset(&s, 0, sizeof s);
        s.w = &w; s.client = 1;
        s.c = ws_client_new(URL, &cfg);
        side_pull(&s);
        client_key(&s.out, keys[i], accept);
        CHECK_INT(w.r.tape_n, 16);
        my_base64(tape, 16, again);
        CHECK(!memcmp(again, keys[i], 24));
        side_over(&s);
    }
    qsort(keys, N, 25, (int (*)(const void *, const void *))strcmp);
    for (i = 1; i < N; i++) same += !strcmp(keys[i], keys[i - 1]);
    CHECK_INT(same, 0);
}

/* both roles of this library agree, whatever the configuration; a client that offered
   subprotocols fails when none is chosen */
TEST(both)
{
    int k;
    for (k = 0; k < 64; k++) {
        world w, v;
        side c, s;
        ws_config cc, sc;
        static const ws_header h[] = { { "X-Extra", "1" }, { NULL, NULL } };

        cc = world_fresh(&w); sc = world_fresh(&v);
        if (k & 1) cc.protocols = "b, a";
        if (k & 2) sc.protocols = "a, b";
        if (k & 4) cc.headers = h;
        if (k & 8) sc.headers = h;
        if (k & 16) cc.origin = "http://example.com";
        if (k & 32) cc.host = "example.com";
        side_new(&c, &w, 1, &cc);
        side_new(&s, &v, 0, &sc);
        side_pull(&c);
        side_feed(&s, c.out.p, c.out.n);
        side_feed(&c, s.out.p, s.out.n);
        CHECK_INT(s.opens, 1);
        CHECK_INT(c.opens, (k & 3) != 1);          /* offered, and none chosen */
        CHECK_STR(ws_protocol(c.c), (k & 3) == 3 ? "b" : "");
        CHECK_STR(ws_protocol(s.c), (k & 3) == 3 ? "b" : "");
        side_over(&c);
        side_over(&s);
    }
}

static void open_facts(side *s, const ws_event *ev)
{
    if (ev->type == WS_EV_OPEN) {
        ws_str v = ws_header_value(s->c, "X-EXTRA");
        CHECK(v.size == 3 && !memcmp(v.data, "one", 3));
        if (!s->client) {
            CHECK_STR(ws_target(s->c), "/chat?x=1");
            CHECK_STR(ws_method(s->c), "GET");
        } else {
            CHECK_INT(ws_status(s->c), 101);
            CHECK_STR(ws_target(s->c), "");
        }
    } else {
        CHECK(ws_header_value(s->c, "X-Extra").data == NULL);
        CHECK_STR(ws_target(s->c), s->client ? "" : "/chat?x=1");
        CHECK_STR(ws_method(s->c), "");
    }
}

TEST(open_facts)
{
    int client;
    for (client = 0; client < 2; client++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        buf b = { 0 };

        side_new(&s, &w, client, &cfg);
        s.event = open_facts;
        side_pull(&s);
        if (client) put_answer(&b, &s.out, "X-Extra:  one \r\nX-Extra: two\r\n");
        else
            buf_str(&b, "GET /chat?x=1 HTTP/1.1\r\n" ALL
                        "X-Extra: one\r\nX-Extra: two\r\n\r\n");
        put_frames(&b, "81'x' 89'y'", !client);
        side_feed(&s, b.p, b.n);
        CHECK_EVENTS(&s, "O T'x' p'y' ");
        buf_free(&b);
        side_over(&s);
    }
}

/* A client that got an answer which is right but for its first line and the extra
   lines. */
static void answered(side *s, world *w, const char *first, const char *extra,
                     void (*event)(side *s, const ws_event *ev))
{
    buf answer = { 0 };

    client_start(s, w, NULL, URL);
    s->event = event;
    buf_str(&answer, first);
    put_answer(&answer, &s->out, extra);
    s->head = s->out.n;
    if (*first) {           /* instead of the right one */
        const char *lines = strchr(answer.p + strlen(first), '\n') + 1;
        size_t size = answer.n - (size_t)(lines - answer.p);
        memmove(answer.p + strlen(first), lines, size);
        answer.n = strlen(first) + size;
    }
    side_feed(s, answer.p, answer.n);
    buf_free(&answer);
}

static void refused_extension(const char *value)
{
    char line[256];
    world w;
    side s;

    sprintf(line, "Sec-WebSocket-Extensions: %s\r\n", value);
    answered(&s, &w, "", line, NULL);
    CHECK_EVENTS(&s, "C1006!EXTENSION ");
    side_over(&s);
}

/* window bits that would reach zlib: nothing was offered, so every answer fails */
TEST(sec_B4_not_offered)
{
    static const char *const bits[] = {
        "1000", "7", "16", "\"\"", "08", "+9", "1e1", "8", "15"
    };
    char value[128];
    int i;

    for (i = 0; i < COUNT(bits); i++) {
        sprintf(value, "permessage-deflate; server_max_window_bits=%s", bits[i]);
        refused_extension(value);
    }
}

/* the same extension or parameter twice */
TEST(sec_B5_not_offered)
{
    refused_extension("permessage-deflate, permessage-deflate");
    refused_extension("permessage-deflate; a; a");
    refused_extension("x; y=\"unterminated");
}

/* Upgrade twice in the answer: whichever a proxy believed, we believe none */
TEST(sec_B1_upgrade)
{
    static const char *const first[] = {
        "HTTP/1.1 101 OK\r\n", "HTTP/1.1 101 OK\r\nUpgrade: h2c\r\n",
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n"
    };
    static const char *const extra[] = { "", "Upgrade: websocket\r\n",
                                         "Upgrade: h2c\r\n" };
    int i, k;

    for (i = 0; i < 3; i++) for (k = 0; k < 3; k++) {
        world w;
        side s;
        answered(&s, &w, first[i], extra[k], NULL);
        CHECK_EVENTS(&s, i || k ? "C1006!UPGRADE " : "O ");
        side_over(&s);
    }
}

static void read_location(side *s, const ws_event *ev)
{
    ws_str to = ws_header_value(s->c, "location");

    CHECK_INT(ev->type, WS_EV_CLOSE);
    CHECK(to.size == 23 && !memcmp(to.data, "ws://elsewhere.example/", 23));
}

/* a redirect is an error with its status and target readable; nobody follows it */
TEST(sec_B8_redirects_are_told)
{
    static const int status[] = { 301, 302, 303, 307, 308 };
    int i;

    for (i = 0; i < COUNT(status); i++) {
        char first[64];
        world w;
        side s;

        sprintf(first, "HTTP/1.1 %d Moved\r\n", status[i]);
        answered(&s, &w, first,
                 "Location: ws://elsewhere.example/\r\nContent-Length: 0\r\n",
                 read_location);
        CHECK_EVENTS(&s, "C1006!STATUS ");
        CHECK_INT(ws_status(s.c), status[i]);
        CHECK_INT(s.out.n, s.head);
        side_over(&s);
    }
}

/* ==== a client's settings, and what it is told ====================================== */

TEST(request_of_a_client)
{
    static const ws_header lines[] = { { "X-Token", "t1" }, { NULL, NULL } };
    ws_config cfg;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "one, two";
    cfg.origin = "https://page.example";
    cfg.headers = lines;
    client_start(&s, &w, &cfg, "ws://user:pa%3Ass@[::1]:8080/p?q=1");
    CHECK(!strncmp(s.out.p, "GET /p?q=1 HTTP/1.1\r\n", 21));
    CHECK_FIELD(&s.out, "Host", "[::1]:8080");
    CHECK_FIELD(&s.out, "Origin", "https://page.example");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "one, two");
    CHECK_FIELD(&s.out, "X-Token", "t1");
    CHECK_FIELD(&s.out, "Authorization", "Basic dXNlcjpwYTpzcw==");     /* user:pa:ss */
    side_over(&s);

    cfg.host = "virtual.example";
    cfg.version = 8;
    client_start(&s, &w, &cfg, "ws://127.0.0.1/");
    CHECK_FIELD(&s.out, "Host", "virtual.example");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Version", "8");
    CHECK_FIELD(&s.out, "Sec-WebSocket-Origin", "https://page.example");
    CHECK_INT(ws_version(s.c), 8);
    side_over(&s);
}

/* and the server's choice among the subprotocols */
TEST(sent_before_it_is_open)
{
    ws_config cfg;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "one, two";
    client_start(&s, &w, &cfg, URL);
    CHECK_INT(ws_send_text(s.c, "before open"), 0);
    side_answer(&s, "Sec-WebSocket-Protocol: two\r\n");
    CHECK_EVENTS(&s, "O ");
    CHECK_SENT(&s, "81'before open' ");
    CHECK_STR(ws_protocol(s.c), "two");
    CHECK_INT(ws_version(s.c), 13);
    side_over(&s);
}

static void read_refusal(side *s, const ws_event *ev)
{
    ws_str why, body;

    if (ev->type != WS_EV_CLOSE) return;
    why = ws_header_value(s->c, "WWW-Authenticate");
    body = ws_body(s->c);
    CHECK_INT(ws_status(s->c), 401);
    CHECK(why.size == 5 && !memcmp(why.data, "Basic", 5));
    CHECK(body.size == 5 && !memcmp(body.data, "login", 5));
}

/* its status, headers and body */
TEST(refusal_is_told)
{
    world w;
    side s;

    client_start(&s, &w, NULL, URL);
    s.event = read_refusal;
    side_text(&s, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"
                  "Content-Length: 5\r\n\r\nlogin");
    side_end(&s);
    CHECK_EVENTS(&s, "C1006!STATUS ");
    side_over(&s);
}

TEST(subprotocol_that_was_not_offered)
{
    static const char *const answers[] = {
        "", "Sec-WebSocket-Protocol: c\r\n", "Sec-WebSocket-Protocol: B\r\n"
    };
    ws_config cfg;
    world w;
    side s;
    int i;

    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "a, b";
    for (i = 0; i < COUNT(answers); i++) {
        client_start(&s, &w, &cfg, URL);
        side_answer(&s, answers[i]);
        CHECK_EVENTS(&s, "C1006!SUBPROTOCOL ");
        side_over(&s);
    }
}

/* RFC 6455's forerunner, hybi-08 to 12: the same frames, another number and another
   name of Origin */
TEST(version_8)
{
    int version;

    CHECK_INT(ws_version(NULL), 13);
    for (version = 0; version <= 14; version++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);

        cfg.version = version;
        cfg.origin = "http://here";
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        if (version && version != 8 && version != 13) {
            CHECK_INT(s.error, WS_ERR_ARGUMENT);
        } else {
            const char *head = buf_c(&s.out);
            CHECK_INT(ws_version(s.c), version ? version : 13);
            CHECK((strstr(head, "\r\nSec-WebSocket-Version: 8\r\n") != NULL) ==
                  (version == 8));
            CHECK((strstr(head, "\r\nSec-WebSocket-Version: 13\r\n") != NULL) ==
                  (version != 8));
            CHECK((strstr(head, "\r\nSec-WebSocket-Origin: http://here\r\n") != NULL) ==
                  (version == 8));
            CHECK((strstr(head, "\r\nOrigin: http://here\r\n") != NULL) ==
                  (version != 8));
            side_answer(&s, NULL);
            CHECK_INT(s.opens, 1);
            ws_send_text(s.c, "x");
            side_frame(&s, 0x81, "y", 1);
            CHECK_INT(s.messages, 1);
            CHECK_INT(side_sent(&s, NULL).data, 1);
        }
        side_over(&s);
    }
}

/* version 8 asks with its own name for Origin, and is told */
TEST(versions_asked_for)
{
    static const int versions[] = { 0, 8, 13, 7, 14, -1, 80 };
    size_t i;

    for (i = 0; i < COUNT(versions); i++) {
        world w;
        side s;
        ws_config cfg = world_fresh(&w);
        buf b = { 0 };
        int v = versions[i] ? versions[i] : 13;

        cfg.version = versions[i];
        cfg.origin = "http://example.com";
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        if (v != 8 && v != 13) {
            CHECK_INT(s.error, WS_ERR_ARGUMENT);
            CHECK_INT(s.out.n, 0);
        } else {
            CHECK_INT(ws_version(s.c), v);
            CHECK_FIELD(&s.out, "Sec-WebSocket-Version", v == 8 ? "8" : "13");
            CHECK_FIELD(&s.out, "Origin", v == 13 ? cfg.origin : NULL);
            CHECK_FIELD(&s.out, "Sec-WebSocket-Origin", v == 8 ? cfg.origin : NULL);
            put_answer(&b, &s.out, NULL);
            put_frames(&b, "81'x'", 0);
            side_feed(&s, b.p, b.n);
            CHECK_EVENTS(&s, "O T'x' ");
        }
        buf_free(&b);
        side_over(&s);
    }
}

TESTS(T(requests) T(sec_A1_byte_by_byte) T(sec_A2_long_lists)
      T(sec_A3_limits_of_the_head) T(sec_A4_endless_heads) T(sec_A5_bad_host)
      T(sec_A6_largest_heads) T(sec_A7_every_cut) T(sec_A8_every_byte_everywhere)
      T(sec_A9_nul_cr_lf_everywhere) T(sec_A10_repeated_fields) T(sec_A11_bad_keys)
      T(sec_A12_tokens_in_lists) T(sec_A13_behind_a_refusal)
      T(sec_A14_methods_and_targets) T(sec_A15_bodies) T(sec_A16_h2c)
      T(sec_A17_frames_behind_the_request) T(sec_A18_no_line_by_our_strings)
      T(sec_A19_first_offer_chosen) T(sec_A20_deadline_is_absolute)
      T(sec_A21_gone_at_every_byte) T(sec_I1_origins) T(http_reply) T(answers)
      T(sec_B1_wrong_accept) T(sec_B2_every_status) T(sec_B3_not_offered)
      T(sec_B6_frames_behind_the_answer) T(sec_B7_endless_answers)
      T(sec_B10_keys_of_clients) T(urls) T(both) T(open_facts) T(request_of_a_client)
      T(sent_before_it_is_open) T(refusal_is_told) T(subprotocol_that_was_not_offered)
      T(sec_B4_not_offered) T(sec_B5_not_offered) T(sec_B1_upgrade)
      T(sec_B8_redirects_are_told) T(version_8) T(versions_asked_for))

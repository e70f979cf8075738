/* What real peers send, and the words in which their faults are told, through the
   engine alone: keys with loose bits, empty lines before requests, absolute targets,
   folded answers, interim answers, lists of origins, long passwords, zones,
   subprotocols that are optional. */
#include "fixture.h"

#define PAGE "GET /page?x=1 HTTP/1.1\r\n" HO E
#define UPGRADE_101 "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: %s\r\n"

/* ---- helpers ---- */

/* Ways in which a connection may be set up. */
enum { PLAIN, ASKED, FIXED, SETUPS };

/* What the application saw of a request or an answer, while it could be seen. */
typedef struct seen {
    int events;
    char method[20], target[200], path[200], host[100], query[50];
    int route;
    const char *name;           /* of the header to look at */
    char value[300];            /* what it says, runs of blanks as one; "-" without it */
    char items[300];            /* its elements, each followed by '|' */
    char protocol[50], body[300];
    int status, broken;         /* broken: a CR or LF in any value */
} seen;

static void copy_str(char *to, size_t n, ws_str s)
{
    size_t k = s.size < n - 1 ? s.size : n - 1;
    if (k) memcpy(to, s.data, k);
    to[k] = 0;
}

/* The text with each run of spaces and tabs as one space. */
static void copy_value(char *to, size_t n, ws_str s)
{
    size_t i, k = 0;

    for (i = 0; i < s.size && k + 1 < n; i++) {
        char c = s.data[i] == '\t' ? ' ' : s.data[i];
        if (c == ' ' && k && to[k - 1] == ' ') continue;
        to[k++] = c;
    }
    to[k] = 0;
}

static int has_break(ws_str s)
{
    size_t i;
    for (i = 0; i < s.size; i++) if (s.data[i] == '\r' || s.data[i] == '\n') return 1;
    return 0;
}

static void look_at_headers(seen *z, const ws_conn *c)
{
    ws_walk w = { 0, { NULL, 0 } };
    ws_str name, value, item;
    size_t pos = 0, n = 0;

    value = ws_header_value(c, z->name);
    if (value.data) copy_value(z->value, sizeof z->value, value);
    else strcpy(z->value, "-");
    z->items[0] = 0;
    while (ws_header_walk(c, z->name, &w, &item)) {
        copy_value(z->items + n, sizeof z->items - n - 1, item);
        n += strlen(z->items + n);
        strcpy(z->items + n++, "|");
    }
    while (ws_header_next(c, &pos, &name, &value))
        z->broken |= has_break(name) | has_break(value);
}

/* A side's event: keeps what can be seen, and accepts where it is asked. */
static void see(side *s, const ws_event *ev)
{
    seen *z = (seen *)s->user;

    if (ev->type == WS_EV_PART) {
        size_t n = strlen(z->body);
        copy_str(z->body + n, sizeof z->body - n,
                 (ws_str){ (const char *)ev->data, ev->size });
        return;
    }
    if (ev->type == WS_EV_CLOSE && z->events) return;
    if (ev->type == WS_EV_OPEN && s->requests) return;
    z->events++;
    snprintf(z->method, sizeof z->method, "%s", ws_method(s->c));
    snprintf(z->target, sizeof z->target, "%s", ws_target(s->c));
    copy_str(z->path, sizeof z->path, ws_path(s->c));
    copy_str(z->host, sizeof z->host, ws_header_value(s->c, "Host"));
    if (ws_query(s->c, "x", z->query, sizeof z->query) < 0) strcpy(z->query, "-");
    snprintf(z->protocol, sizeof z->protocol, "%s", ws_protocol(s->c));
    z->route = ws_route_id(s->c);
    z->status = ws_status(s->c);
    if (ev->type == WS_EV_CLOSE) copy_str(z->body, sizeof z->body, ws_body(s->c));
    if (z->name) look_at_headers(z, s->c);
    if (ev->type == WS_EV_REQUEST) CHECK_INT(ws_accept(s->c, NULL), 0);
}

static uint64_t block[2048];

/* The configuration of a set-up; with may be NULL. */
static ws_config setup_config(world *w, int setup, const ws_config *with)
{
    ws_config cfg;

    world_init(w);
    cfg = world_config_with(w, with);
    cfg.ask = setup == ASKED;
    if (setup == FIXED) {
        cfg.alloc = NULL;
        cfg.memory = block;
        cfg.memory_size = sizeof block;
    }
    return cfg;
}

/* A server of that set-up; z may be NULL. */
static void server_start(side *s, world *w, int setup, const ws_config *with, seen *z)
{
    ws_config cfg = setup_config(w, setup, with);

    side_new(s, w, 0, &cfg);
    if (!z) return;
    s->event = see;
    s->user = z;
}

/* A client of a URL that has said its request; z may be NULL. */
static void client_start(side *s, world *w, int setup, const ws_config *with,
                         const char *url, seen *z)
{
    ws_config cfg = setup_config(w, setup, with);

    memset(s, 0, sizeof *s);
    s->w = w;
    s->client = 1;
    if (z) {
        s->event = see;
        s->user = z;
    }
    s->c = ws_client_new(url, &cfg);
    CHECK(s->c != NULL);
    ws_tick(s->c, w->now);
    side_pull(s);
    s->head = s->out.n;
}

/* Writes an answer to a client's request: a format in which %s is the right accept
   value. */
static void put_answer_as(buf *b, const side *s, const char *format)
{
    const char *key = head_field(&s->out, "Sec-WebSocket-Key", NULL),
               *at = strstr(format, "%s");
    char accept[29];

    if (!at) { buf_str(b, format); return; }
    CHECK(key != NULL);
    if (key) my_accept(key, strlen(key), accept);
    buf_add(b, format, (size_t)(at - format));
    if (key) buf_str(b, accept);
    buf_str(b, at + 2);
}

static int status_by_name(const side *s) { return s->out.n ? head_status(&s->out) : 0; }

/* ==== 26: keys ====================================================================== */

#define BEFORE_KEY "GET /chat HTTP/1.1\r\n" HO UP CO VE "Sec-WebSocket-Key: "

static int is_letter(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '+' || c == '/';
}

/* 22 letters and "==": whatever bits the last letter has. */
static int is_key(const char *key, size_t n)
{
    size_t i;
    for (i = 0; i < 22 && i < n; i++) if (!is_letter((unsigned char)key[i])) return 0;
    return n == 24 && key[22] == '=' && key[23] == '=';
}

static void key_case(int setup, const char *key, size_t n)
{
    buf b = { 0 };
    char accept[29];
    int faults = test_faults;
    world w;
    side s;
    seen z;

    memset(&z, 0, sizeof z);
    buf_str(&b, BEFORE_KEY);
    buf_add(&b, key, n);
    buf_str(&b, "\r\n\r\n");
    server_start(&s, &w, setup, NULL, &z);
    side_feed(&s, b.p, b.n);
    if (is_key(key, n)) {
        my_accept(key, n, accept);
        CHECK_INT(s.opens, 1);
        CHECK_INT(status_by_name(&s), 101);
        CHECK_FIELD(&s.out, "Sec-WebSocket-Accept", accept);
    } else {
        CHECK_INT(s.opens, 0);
        CHECK_INT(status_by_name(&s), 400);
        CHECK(ws_error(s.c) == WS_ERR_KEY || ws_error(s.c) == WS_ERR_HEAD_SYNTAX);
    }
    if (test_faults > faults) printf("    key %.*s, set-up %d\n", (int)n, key, setup);
    side_over(&s);
    buf_free(&b);
}

/* Every key that decodes to 16 bytes is taken, answered as it came; every other is
   refused. */
TEST(field_26_key_with_loose_bits)
{
    static const char example[] = "AQIDBAUGBwgJCgsMDQ4PEC==";
    char key[41];
    int setup, c;
    size_t at, n;

    for (setup = 0; setup < SETUPS; setup++) {
        key_case(setup, example, 24);
        for (at = 0; at < 24; at++)
            for (c = 0; c < 256 && test_faults < 20; c++) {
                if (setup && at < 20) continue;
                memcpy(key, example, 25);
                key[at] = (char)c;
                if ((c == ' ' || c == '\t') && (at == 0 || at == 23)) continue;
                key_case(setup, key, 24);
            }
        for (n = 0; n <= 40; n++) {
            memset(key, 'A', 40);
            key_case(setup, key, n);
            if (n > 0) key[n - 1] = '=';
            key_case(setup, key, n);
            if (n > 1) key[n - 2] = '=';
            key_case(setup, key, n);
        }
    }
}

/* The decoder that applications use takes one spelling of each value, as before. */
TEST(field_26_decoder_stays_strict)
{
    static const char abc[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char key[25] = "AQIDBAUGBwgJCgsMDQ4PEC==";
    uint8_t out[18];
    int i, taken = 0;

    for (i = 0; i < 64; i++) {
        key[21] = abc[i];
        CHECK_INT(ws_base64_decode(key, 24, out), i % 16 ? (int)WS_ERR_ARGUMENT : 16);
        key_case(PLAIN, key, 24);
        taken++;
    }
    CHECK_INT(taken, 64);
}

/* ==== 27: empty lines, absolute targets ============================================= */

/* What a server makes of this, cut in two at k. */
static void facts_of(buf *facts, int setup, const char *text, size_t n, size_t k)
{
    world w;
    side s;
    seen z;

    memset(&z, 0, sizeof z);
    server_start(&s, &w, setup, NULL, &z);
    side_feed(&s, text, k);
    if (k == n) side_feed_by(&s, text, n, 0);
    else side_feed(&s, text + k, n - k);
    buf_clear(facts);
    buf_str(facts, buf_c(&s.log));
    buf_str(facts, " ");
    buf_str(facts, z.method);
    buf_str(facts, " ");
    buf_str(facts, z.target);
    buf_str(facts, " ");
    buf_str(facts, z.path);
    buf_str(facts, " ");
    buf_str(facts, z.host);
    buf_str(facts, " ");
    buf_str(facts, z.query);
    buf_str(facts, "\n");
    buf_add(facts, s.out.p, s.out.n);
    side_over(&s);
}

/* An empty line before a request of any kind changes nothing, however it is cut. */
TEST(field_27_empty_line_before_a_request)
{
    static const char *const requests[] = { REQUEST, PAGE, "HEAD / HTTP/1.0\r\n\r\n",
                                            "POST /form HTTP/1.1\r\n" HO E,
                                            REQUEST "frames" };
    buf text = { 0 }, want = { 0 }, have = { 0 };
    size_t i, k;
    int setup;

    for (i = 0; i < COUNT(requests); i++)
        for (setup = 0; setup < SETUPS; setup++) {
            if (setup == ASKED && i != 0 && i != 4)
                continue; /* nobody answers a page */
            buf_clear(&text);
            buf_str(&text, "\r\n");
            if (i < 4) buf_str(&text, requests[i]);
            else buf_str(&text, REQUEST), put_frames(&text, "81'hi' 89'p'", 1);
            facts_of(&want, setup, text.p + 2, text.n - 2, 0);
            for (k = 0; k < text.n && test_faults < 5; k++) {
                facts_of(&have, setup, text.p, text.n, k);
                CHECK_STR(buf_c(&have), buf_c(&want));
            }
        }
    buf_free(&text);
    buf_free(&want);
    buf_free(&have);
}

/* While no more than that has come nothing is said, and the deadline is the one it
   was. */
TEST(field_27_empty_line_alone_waits)
{
    static const char *const begun[] = { "\r", "\r\n" };
    size_t i, k;

    for (i = 0; i < 2; i++)
        for (k = 0; k <= i; k++) {
            world w;
            side s;
            server_start(&s, &w, PLAIN, NULL, NULL);
            side_feed(&s, begun[i], k);
            side_time(&s, 4000);
            side_feed(&s, begun[i] + k, strlen(begun[i]) - k);
            side_time(&s, 5999);
            CHECK_INT(ws_error(s.c), 0);
            CHECK_INT(s.out.n, 0);
            side_time(&s, 2);
            CHECK_INT(ws_error(s.c), WS_ERR_HANDSHAKE_TIMEOUT);
            CHECK_INT(status_by_name(&s), 408);
            side_over(&s);
        }
}

/* Every byte is a piece of its own. */
TEST(field_27_empty_line_byte_by_byte)
{
    int setup;

    for (setup = 0; setup < SETUPS; setup++) {
        static const char text[] = "\r\n" REQUEST;
        world w;
        side s;
        seen z;
        memset(&z, 0, sizeof z);
        server_start(&s, &w, setup, NULL, &z);
        side_feed_by(&s, text, sizeof text - 1, 1);
        CHECK_INT(s.opens, 1);
        CHECK_STR(z.method, "GET");
        CHECK_STR(z.path, "/chat");
        CHECK_STR(z.host, "example.com");
        CHECK_FIELD(&s.out, "Sec-WebSocket-Accept", ACCEPT);
        side_over(&s);
    }
}

/* One is let pass; many, and what only looks like one, are refused, and soon. */
TEST(field_27_empty_lines_have_an_end)
{
    static const char *const bad[] = { "\n",     "\r",    "\r\r\n", "\n\r",  "\r\n ",
                                       "\r\n\n", " \r\n", "\t\r\n", "\r\n\r" };
    size_t i, fed;
    world w;
    side s;
    buf b = { 0 };

    server_start(&s, &w, PLAIN, NULL, NULL);
    side_feed(&s, "\r\n" REQUEST, 2 + sizeof REQUEST - 1);
    CHECK_INT(s.opens, 1);
    side_over(&s);
    for (i = 0; i < COUNT(bad); i++) {
        buf_clear(&b);
        buf_str(&b, bad[i]);
        buf_str(&b, REQUEST);
        server_start(&s, &w, PLAIN, NULL, NULL);
        side_feed(&s, b.p, b.n);
        CHECK_INT(s.opens, 0);
        CHECK_INT(status_by_name(&s), 400);
        side_over(&s);
    }
    server_start(&s, &w, PLAIN, NULL, NULL);
    for (i = 0; i < 64; i++) side_feed(&s, E, 2);
    side_feed(&s, REQUEST, sizeof REQUEST - 1);
    CHECK_INT(s.opens, 0);
    CHECK(status_by_name(&s) == 400 || status_by_name(&s) == 431);
    side_over(&s);
    server_start(&s, &w, PLAIN, NULL, NULL);
    for (fed = 0; fed < 100000 && !ws_error(s.c); fed += 2) side_feed(&s, E, 2);
    CHECK(fed <= 8192 + 2);
    side_over(&s);
    buf_free(&b);
}

/* A target in absolute form is that of its path, under each scheme; routes see the
   path. */
TEST(field_27_absolute_targets)
{
    static const struct { const char *target, *path, *query; int route; } t[] = {
        { "/chat", "/chat", "-", 7 },
        { "ws://example.com/chat", "/chat", "-", 7 },
        { "wss://example.com/chat", "/chat", "-", 7 },
        { "WS://example.com/chat", "/chat", "-", 7 },
        { "Wss://EXAMPLE.com:443/chat?x=2", "/chat", "2", 7 },
        { "ws://example.com", "/", "-", 1 },
        { "ws://example.com/", "/", "-", 1 },
        { "wss://example.com?x=3", "/", "3", 1 },
        { "ws://example.com:8080/a/b?x=%2F&y=/z", "/a/b", "/", 1 },
        { "ws://[::1]:80/chat", "/chat", "-", 7 },
        { "ws://example.com/a?x=http://b/chat", "/a", "http://b/chat", 1 },
        { "http://example.com/chat", "/chat", "-", 7 },
        { "https://example.com/chat", "/chat", "-", 7 },
        { "/a?x=ws://b/chat", "/a", "ws://b/chat", 1 },
    };
    static const char *const bad[] = { "ws:/chat", "ws:",          "ws://",
                                       "wss://",   "ws:///",       "wsx://a/",
                                       "ws//a/",   "ftp://a/",     "ws://a/#b",
                                       "wss",      "ws+unix:/a:/b" };
    static const ws_route routes[] = { { "/chat", NULL, 7 },
                                       { "/*", NULL, 1 },
                                       { 0, 0, 0 } };
    ws_config cfg;
    buf b = { 0 };
    size_t i;
    int setup;

    memset(&cfg, 0, sizeof cfg);
    cfg.routes = routes;
    for (i = 0; i < COUNT(t) + COUNT(bad); i++)
        for (setup = 0; setup < SETUPS; setup++) {
            const char *target = i < COUNT(t) ? t[i].target : bad[i - COUNT(t)];
            int faults = test_faults;
            world w;
            side s;
            seen z;
            memset(&z, 0, sizeof z);
            buf_clear(&b);
            buf_str(&b, "GET ");
            buf_str(&b, target);
            buf_str(&b, " HTTP/1.1\r\n" ALL E);
            server_start(&s, &w, setup, &cfg, &z);
            side_feed(&s, b.p, b.n);
            if (i < COUNT(t)) {
                CHECK_INT(s.opens, 1);
                CHECK_STR(z.target, target);
                CHECK_STR(z.path, t[i].path);
                CHECK_STR(z.query, t[i].query);
                CHECK_INT(z.route, t[i].route);
            } else {
                CHECK_INT(s.opens, 0);
                CHECK_INT(status_by_name(&s), 400);
            }
            if (test_faults > faults) printf("    target %s, set-up %d\n", target, setup);
            side_over(&s);
        }
    buf_free(&b);
}

/* ==== 28: folded lines ============================================================== */

#define FOLDS(lines) UPGRADE_101 UP CO ACCEPTED lines E

typedef struct fold { const char *answer, *name, *value, *items; } fold;

static const fold folds[] = {
    { FOLDS("X-A: one\r\n two\r\n"), "X-A", "one two", "one two|" },
    { FOLDS("X-A: one\r\n\ttwo\r\n \t three\r\nX-B: 4\r\n"), "X-A", "one two three",
      "one two three|" },
    { FOLDS("X-A: one\r\n two\r\nX-B: 4\r\n"), "X-B", "4", "4|" },
    { FOLDS("X-A:\r\n one\r\n"), "X-A", "one", "one|" },
    { FOLDS("X-A:\r\n \r\n\t\r\n one\r\n"), "X-A", "one", "one|" },
    { FOLDS("X-A: one\r\n \r\n two\r\n"), "X-A", "one two", "one two|" },
    { FOLDS("X-A: one \r\n  two  \r\n"), "X-A", "one two", "one two|" },
    { FOLDS("X-A: one\r\n \r\n"), "X-A", "one", "one|" },
    { FOLDS("X-A: \r\n \r\n"), "X-A", "", "" },
    { FOLDS("X-A: one,\r\n two,\r\n\tthree\r\nX-A: four,\r\n five\r\n"), "X-A",
      "one, two, three", "one|two|three|four|five|" },
    { FOLDS("X-A: one\r\n X-B: two\r\n"), "X-B", "-", "" },
    { FOLDS("X-A: \"one,\r\n two\"\r\n"), "X-A", "\"one, two\"", "\"one, two\"|" },
    { UPGRADE_101 "Upgrade:\r\n websocket\r\n" CO ACCEPTED E, "Upgrade", "websocket",
      "websocket|" },
    { UPGRADE_101 "Upgrade: websocket\r\n \r\n" CO ACCEPTED E, "Upgrade", "websocket",
      "websocket|" },
    { UPGRADE_101 UP "Connection: keep-alive,\r\n\tUpgrade\r\n" ACCEPTED E, "Connection",
      "keep-alive, Upgrade", "keep-alive|Upgrade|" },
    { UPGRADE_101 UP CO "Sec-WebSocket-Accept:\r\n  %s\r\n" E, "Upgrade", "websocket",
      "websocket|" },
    { UPGRADE_101 UP CO "Sec-WebSocket-Accept: %s\r\n\t\r\n" E, "X-A", "-", "" },
    { "HTTP/1.1 103 Early Hints\r\nLink: </a>;\r\n rel=preload\r\n\r\n" FOLDS(""), "Link",
      "-", "" },
};

/* A client takes answers with folded lines, and shows each value on one line; cut
   anywhere. */
TEST(field_28_folded_answers)
{
    size_t i, k;
    int setup;

    for (i = 0; i < COUNT(folds); i++)
        for (setup = 0; setup < SETUPS; setup += FIXED) {
            buf b = { 0 };
            int faults = test_faults;
            for (k = 0; (!k || k < b.n) && test_faults < faults + 3; k++) {
                world w;
                side s;
                seen z;
                memset(&z, 0, sizeof z);
                z.name = folds[i].name;
                client_start(&s, &w, setup, NULL, URL, &z);
                buf_clear(&b);
                put_answer_as(&b, &s, folds[i].answer);
                side_feed_cut(&s, &b, k);
                CHECK_INT(s.opens, 1);
                CHECK_STR(z.value, folds[i].value);
                CHECK_STR(z.items, folds[i].items);
                CHECK_INT(z.broken, 0);
                side_frame(&s, 0x81, "hi", 2);
                CHECK_EVENTS(&s, "O T'hi' ");
                side_over(&s);
            }
            if (test_faults > faults) printf("    answer %d, set-up %d\n", (int)i, setup);
            buf_free(&b);
        }
}

/* The subprotocol too may stand behind a fold, and one byte may come at a time. */
TEST(field_28_folded_subprotocol)
{
    ws_config cfg;
    world w;
    side s;
    seen z;
    buf b = { 0 };

    memset(&z, 0, sizeof z);
    memset(&cfg, 0, sizeof cfg);
    cfg.protocols = "chat, talk";
    client_start(&s, &w, PLAIN, &cfg, URL, &z);
    put_answer_as(&b, &s, FOLDS("Sec-WebSocket-Protocol:\r\n\ttalk \r\n  \r\n"));
    side_feed_by(&s, b.p, b.n, 1);
    CHECK_INT(s.opens, 1);
    CHECK_STR(z.protocol, "talk");
    side_over(&s);
    buf_free(&b);
}

/* A refusal's headers and body, and ordinary answers, are read over folds. */
TEST(field_28_folded_refusals_and_bodies)
{
    static const struct {
        int http;
        const char *answer, *name, *value, *body;
        int status;
    } t[] = {
        { 0,
          "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n realm=\"a\"\r\n"
          "Content-Length:\r\n 6\r\n\r\ndenied",
          "WWW-Authenticate", "Basic realm=\"a\"", "denied", 401 },
        { 0,
          "HTTP/1.1 503 No\r\nTransfer-Encoding:\r\n\tchunked\r\nX: a\r\n b\r\n\r\n"
          "4\r\nbusy\r\n0\r\n\r\n",
          "X", "a b", "busy", 503 },
        { 1, "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\nX: a\r\n b\r\n\r\nhello", "X",
          "a b", "hello", 200 },
        { 1,
          "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\nX: a\r\n\tb\r\n\r\n"
          "5\r\nhello\r\n0\r\n\r\n",
          "X", "a b", "hello", 200 },
    };
    size_t i, k, n;

    for (i = 0; i < COUNT(t); i++)
        for (n = strlen(t[i].answer), k = 0; k <= n && test_faults < 10; k++) {
            ws_config cfg;
            world w;
            side s;
            seen z;
            memset(&cfg, 0, sizeof cfg);
            memset(&z, 0, sizeof z);
            if (t[i].http) cfg.method = "GET";
            z.name = t[i].name;
            client_start(&s, &w, PLAIN, &cfg, URL, &z);
            side_feed(&s, t[i].answer, k);
            side_feed(&s, t[i].answer + k, n - k);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, t[i].http ? 0 : WS_ERR_STATUS);
            CHECK_INT(z.status, t[i].status);
            CHECK_STR(z.value, t[i].value);
            CHECK_STR(z.body, t[i].body);
            CHECK_INT(z.broken, 0);
            side_over(&s);
        }
}

/* The answer of a proxy; its header fields are there to be read, on one line each. */
TEST(field_28_folded_answer_of_a_proxy)
{
    static const struct { const char *answer, *value; int result; } t[] = {
        { "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "a b", 1 },
        { "HTTP/1.1 200 OK\r\nX:\r\n\ta\r\n  b\r\nVia: c\r\n\r\n", "a b", 1 },
        { "HTTP/1.1 407 No\r\nX: Basic\r\n realm=\"p\"\r\n\r\n", "Basic realm=\"p\"",
          WS_ERR_PROXY },
        { "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", NULL, WS_ERR_PROXY },
        { "HTTP/1.1 200 OK\r\n\tX: a\r\n\r\n", NULL, WS_ERR_PROXY },
    };
    static ws_tunnel tunnel;
    size_t i, k, n, out;

    for (i = 0; i < COUNT(t); i++)
        for (n = strlen(t[i].answer), k = 0; k <= n; k++) {
            ws_str head, name, value;
            char text[100] = "-";
            size_t pos = 0;
            CHECK_INT(ws_tunnel_init(&tunnel, "http://proxy", "example.com", 80, NULL),
                      0);
            ws_tunnel_output(&tunnel, &out);
            ws_tunnel_output_done(&tunnel, out);
            pos = ws_tunnel_feed(&tunnel, t[i].answer, k);
            if (pos == k) pos += ws_tunnel_feed(&tunnel, t[i].answer + k, n - k);
            CHECK_INT(tunnel.result, t[i].result);
            if (!t[i].value) continue;
            CHECK_INT(pos, n);
            head.data = tunnel.buf;
            head.size = tunnel.head_size;
            pos = 0;
            while (ws_head_field(head, &pos, &name, &value)) {
                CHECK(!has_break(value));
                if (ws_str_is(name, "X")) copy_value(text, sizeof text, value);
            }
            CHECK_STR(text, t[i].value);
        }
}

/* Not before the first header line, not without end, and never from a client. */
TEST(field_28_folds_where_none_may_be)
{
    static const char *const first[] = {
        "HTTP/1.1 101 Switching Protocols\r\n x: y\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\t\r\n",
        "HTTP/1.1 200 OK\r\n x\r\n"
    };
    static const char *const server[] = { "X: a\r\n b\r\n", "X: a\r\n\tb\r\n",
                                          "X:\r\n \r\n" };
    size_t i, fed;
    world w;
    side s;
    buf b = { 0 };

    for (i = 0; i < COUNT(first); i++) {
        client_start(&s, &w, PLAIN, NULL, URL, NULL);
        side_feed(&s, first[i], strlen(first[i]));
        CHECK_INT(s.closes, 1);
        CHECK_INT(s.error, WS_ERR_HEAD_SYNTAX);
        side_over(&s);
    }
    client_start(&s, &w, PLAIN, NULL, URL, NULL);
    side_feed(&s, UPGRADE_101 "X: a\r\n", strlen(UPGRADE_101 "X: a\r\n"));
    for (fed = 0; fed < 100000 && !s.closes; fed += 4) side_feed(&s, " b\r\n", 4);
    CHECK_INT(s.error, WS_ERR_HEAD_SIZE);
    CHECK(fed > 7000 && fed <= 8192 + 4);
    side_over(&s);
    for (i = 0; i < COUNT(server); i++) {
        buf_clear(&b);
        buf_str(&b, "GET / HTTP/1.1\r\n" ALL);
        buf_str(&b, server[i]);
        buf_str(&b, E);
        server_start(&s, &w, PLAIN, NULL, NULL);
        side_feed(&s, b.p, b.n);
        CHECK_INT(status_by_name(&s), 400);
        CHECK_INT(ws_error(s.c), WS_ERR_HEAD_SYNTAX);
        side_over(&s);
    }
    buf_free(&b);
}

/* ==== 29: interim answers =========================================================== */

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
#define PROCESSING "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n"
#define HINTS "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n"

static void tunnel_begin(ws_tunnel *t, const char *proxy)
{
    size_t n;

    CHECK_INT(ws_tunnel_init(t, proxy, "example.com", 80, NULL), 0);
    ws_tunnel_output(t, &n);
    ws_tunnel_output_done(t, n);
}

/* What comes before a proxy's final answer is skipped; the final one is the one that is
   shown. */
TEST(field_29_interim_answers_of_a_proxy)
{
    static const char *const interim[] = {
        "", CONTINUE, PROCESSING, HINTS, CONTINUE HINTS, HINTS PROCESSING CONTINUE HINTS,
        "HTTP/1.0 100 \r\n\r\n", "HTTP/1.1 199 x\r\n\r\n"
    };
    static const struct {
        const char *head;
        int result, status;
        const char *text;
    } t[] = {
        { "HTTP/1.1 200 OK\r\nX: final\r\n\r\n", 1, 200, "" },
        { "HTTP/1.1 407 Login\r\nX: final\r\n\r\n", WS_ERR_PROXY, 407,
          "proxy answered 407" },
        { "HTTP/1.1 101 Odd\r\nX: final\r\n\r\n", WS_ERR_PROXY, 101,
          "proxy answered 101" },
        { "", 0, 0, "" },
    };
    static ws_tunnel tunnel;
    size_t i, j, k, pos;
    buf b = { 0 };

    for (i = 0; i < COUNT(interim); i++)
        for (j = 0; j < COUNT(t); j++) {
            size_t n;
            buf_clear(&b);
            buf_str(&b, interim[i]);
            buf_str(&b, t[j].head);
            n = b.n;
            buf_str(&b, "behind it");
            for (k = 0; k <= n && test_faults < 10; k++) {
                ws_str head, name, value = { NULL, 0 };
                tunnel_begin(&tunnel, "http://proxy");
                pos = ws_tunnel_feed(&tunnel, b.p, k);
                CHECK_INT(pos, k);
                if (!t[j].result) {
                    ws_tunnel_feed(&tunnel, b.p + k, n - k);
                    CHECK_INT(tunnel.result, 0);
                    ws_tunnel_feed_end(&tunnel);
                    CHECK_INT(tunnel.result, WS_ERR_PROXY);
                    continue;
                }
                pos += ws_tunnel_feed(&tunnel, b.p + k, b.n - k);
                CHECK_INT(pos, n);
                CHECK_INT(tunnel.result, t[j].result);
                CHECK_INT(tunnel.status, t[j].status);
                CHECK_STR(tunnel.text, t[j].text);
                head.data = tunnel.buf;
                head.size = tunnel.head_size;
                pos = 0;
                CHECK(ws_head_field(head, &pos, &name, &value) &&
                      ws_str_is(value, "final"));
                CHECK(!ws_head_field(head, &pos, &name, &value));
            }
        }
    buf_free(&b);
}

/* A proxy that never comes to an end with them is given up. */
TEST(field_29_interim_answers_of_a_proxy_have_an_end)
{
    static ws_tunnel tunnel;
    size_t fed = 0;

    tunnel_begin(&tunnel, "http://proxy");
    while (!tunnel.result && fed < 10 * WS_TUNNEL_SIZE)
        fed += ws_tunnel_feed(&tunnel, HINTS, strlen(HINTS));
    CHECK_INT(tunnel.result, WS_ERR_PROXY);
    CHECK(fed > 100 && fed <= WS_TUNNEL_SIZE);
    CHECK_SAYS_NOT(tunnel.text, "answered 103");
}

/* A few are skipped, however they are cut, and the final answer alone is shown. */
static void skip_interim_answers(void)
{
    static const char answer[] = CONTINUE HINTS HINTS PROCESSING FOLDS("X: final\r\n");
    size_t k;
    buf b = { 0 };
    int setup;

    for (setup = 0; setup < SETUPS; setup += FIXED)
        for (k = 0; !k || k < b.n; k++) {
            world w;
            side s;
            seen z;
            memset(&z, 0, sizeof z);
            z.name = "X";
            client_start(&s, &w, setup, NULL, URL, &z);
            buf_clear(&b);
            put_answer_as(&b, &s, answer);
            side_feed_cut(&s, &b, k);
            CHECK_EVENTS(&s, "O ");
            CHECK_STR(z.items, "final|");
            CHECK_INT(z.status, 101);
            side_over(&s);
        }
    buf_free(&b);
}

/* Those of a server are skipped; all heads together may have max_head bytes. */
TEST(field_29_interim_answers_of_a_server_have_an_end)
{
    static const uint32_t limits[] = { 0, 1000, 20000 };
    static const char *const heads[] = { CONTINUE, HINTS, PROCESSING };
    size_t i, j, fed;
    int http;

    skip_interim_answers();
    for (i = 0; i < COUNT(limits); i++)
        for (j = 0; j < COUNT(heads); j++)
            for (http = 0; http < 2; http++) {
                size_t n = strlen(heads[j]), most = limits[i] ? limits[i] : 8192;
                ws_config cfg;
                world w;
                side s;
                memset(&cfg, 0, sizeof cfg);
                cfg.max_head = limits[i];
                if (http) cfg.method = "GET";
                client_start(&s, &w, PLAIN, &cfg, URL, NULL);
                for (fed = 0; fed < 100000 && !s.closes; fed += n)
                    side_feed(&s, heads[j], n);
                CHECK_INT(s.error, WS_ERR_HEAD_SIZE);
                CHECK(fed >= most / 2 && fed <= most + n);
                side_over(&s);
            }
}

/* ==== 30: Upgrade Required ========================================================== */

/* The elements of all lines of Connection, in lower case, each between commas. */
static void connection_list(const buf *head, char *out, size_t n)
{
    const char *at = head->p, *end;
    size_t k = 0;

    out[k++] = ',';
    while ((at = strstr(at, "\r\nConnection:")) != NULL) {
        at += 13;
        end = strstr(at, "\r\n");
        for (; at < end && k + 2 < n; at++)
            if (*at != ' ') out[k++] = (char)(*at >= 'A' && *at <= 'Z' ? *at | 32 : *at);
        out[k++] = ',';
    }
    out[k] = 0;
}

static void check_upgrade_offered(const buf *head, int offered)
{
    char list[200];

    CHECK(head->n > 0);
    if (!head->n) return;
    connection_list(head, list, sizeof list);
    CHECK(strstr(list, ",close,") != NULL);
    CHECK((strstr(list, ",upgrade,") != NULL) == offered);
    if ((strstr(list, ",upgrade,") != NULL) != offered)
        printf("    Connection %s\n", list);
    CHECK_FIELD(head, "Upgrade", offered ? "websocket" : NULL);
}

static int reply_status, reply_how;     /* how: 0 not, 1 reply, 2 begin, 3 reject */

static void replier(side *s, const ws_event *ev)
{
    if (ev->type != WS_EV_HTTP && ev->type != WS_EV_REQUEST) return;
    if (reply_how == 1) CHECK_INT(ws_http_reply(s->c, reply_status, NULL, "text", 4), 0);
    if (reply_how == 2) CHECK_INT(ws_http_begin(s->c, reply_status, NULL, 0), 0);
    if (reply_how == 3) CHECK_INT(ws_reject(s->c, reply_status, NULL, "text"), 0);
}

/* The answer of a server to a request. */
static void reply_of(buf *out, const char *request, int status, int how, int ask)
{
    ws_config cfg;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    reply_status = status;
    reply_how = how;
    server_start(&s, &w, ask ? ASKED : PLAIN, &cfg, NULL);
    s.event = replier;
    side_feed(&s, request, strlen(request));
    buf_clear(out);
    buf_add(out, s.out.p, s.out.n);
    side_over(&s);
}

/* Whoever is told to upgrade is told so by both headers, in whatever way 426 is
   answered. */
TEST(field_30_426_names_upgrade_twice)
{
    static const char version[] = "GET / HTTP/1.1\r\n" HO UP CO KE
                                  "Sec-WebSocket-Version: 8\r\n" E;
    static const char without[] = "GET / HTTP/1.1\r\n" HO UP CO KE E;
    static const char head[] = "HEAD /page HTTP/1.1\r\n" HO E;
    static const struct { const char *request; int status, how, ask;
    } t[] = {
        { version, 426, 0, 0 }, { version, 426, 0, 1 }, { without, 426, 0, 0 },
        { PAGE, 426, 0, 0 },    { head, 426, 0, 0 },    { PAGE, 426, 1, 0 },
        { PAGE, 426, 1, 1 },    { PAGE, 426, 3, 0 },    { head, 426, 1, 0 },
        { REQUEST, 426, 3, 1 },
    };
    static const struct { const char *request; int status, how, ask; } others[] = {
        { "GET /\r\n\r\n", 400, 0, 0 }, { PAGE, 200, 1, 0 }, { PAGE, 404, 1, 0 },
        { PAGE, 400, 3, 0 },
        { REQUEST, 403, 3, 1 }, { PAGE, 200, 2, 0 },
    };
    buf out = { 0 };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        int faults = test_faults;
        reply_of(&out, t[i].request, t[i].status, t[i].how, t[i].ask);
        CHECK_INT(head_status(&out), 426);
        check_upgrade_offered(&out, 1);
        if (test_faults > faults) printf("    answer %d\n", (int)i);
    }
    for (i = 0; i < COUNT(others); i++) {
        reply_of(&out, others[i].request, others[i].status, others[i].how, others[i].ask);
        CHECK_INT(head_status(&out), others[i].status);
        check_upgrade_offered(&out, 0);
    }
    buf_free(&out);
}

/* The same of an answer whose body goes on: an application cannot write these headers
   itself. */
TEST(field_30_426_that_goes_on)
{
    buf out = { 0 };

    reply_of(&out, PAGE, 426, 2, 0);
    CHECK_INT(head_status(&out), 426);
    check_upgrade_offered(&out, 1);
    buf_free(&out);
}

/* ==== 31: origins =================================================================== */

/* What can match nobody is refused, by name; the rest is taken. */
TEST(field_31_origins_that_cannot_match)
{
    static const struct { const char *origins, *named, *not_named;
    } bad[] = {
        { "https://a.example/", "https://a.example/", NULL },
        { "*.a.example", "*.a.example", NULL },
        { "a.example", "a.example", NULL },
        { "a.example:443", "a.example:443", NULL },
        { "https://a.example; https://b.example", "b.example", NULL },
        { "https://a.example;https://b.example", "a.example;", NULL },
        { "https://a.example https://b.example", "a.example", NULL },
        { "https://a.example\nhttps://b.example", "a.example", NULL },
        { "https://*", "https://*", NULL },
        { "https://fine.test, bad.test", "bad.test", "fine.test" },
        { "bad.test, https://fine.test", "bad.test", "fine.test" },
        { "same, https://fine.test, https://bad.test/", "https://bad.test/",
          "fine.test" },
        { "*, a.example", "a.example", NULL },
        { "", "origins", NULL },
        { ",", "origins", NULL },
        { " , ", "origins", NULL },
        { "https://", "https://", NULL },
        { "https:a.example", "https:a.example", NULL },
        { "//a.example", "//a.example", NULL },
        { "://a.example", "://a.example", NULL },
        { "https://a.example/x", "https://a.example/x", NULL },
        { "https://a.example?x", "https://a.example?x", NULL },
        { "https://a.example#x", "https://a.example#x", NULL },
        { "https://u@a.example", "https://u@a.example", NULL },
        { "https://a.example:0", "https://a.example:0", NULL },
        { "https://a.example:99999", "https://a.example:99999", NULL },
        { "https://a.example:x", "https://a.example:x", NULL },
        { "https://a.*.example", "https://a.*.example", NULL },
        { "https://a*.example", "https://a*.example", NULL },
        { "https://*a.example", "https://*a.example", NULL },
        { "https://*.*.example", "https://*.*.example", NULL },
        { "https://*.", "https://*.", NULL },
        { "https://[::1", "https://[::1", NULL },
        { "*://a.example", "*://a.example", NULL },
        { "**", "**", NULL },
        { "self", "self", NULL },
        { "file:///", "file:///", NULL },
        { "null/", "null/", NULL },
        { "same;null", "same;null", NULL },
    };
    static const char *const good[] = {
        "*",
        "same",
        "null",
        "file://",
        "same, null, file://",
        "https://a.example",
        " https://a.example ,\thttp://b.example ",
        "http://localhost:3000",
        "https://*.a.example",
        "https://*.a.example:8443",
        "https://[::1]:8080",
        "http://127.0.0.1",
        "HTTPS://A.EXAMPLE:443",
        "chrome-extension://abcdef",
        "moz-extension://0a1b-2c",
        "capacitor://localhost",
        "same,*",
    };
    size_t i;

    for (i = 0; i < COUNT(bad) + COUNT(good); i++) {
        int faults = test_faults;
        ws_config cfg;
        world w;
        side s;
        memset(&cfg, 0, sizeof cfg);
        cfg.origins = i < COUNT(bad) ? bad[i].origins : good[i - COUNT(bad)];
        server_start(&s, &w, PLAIN, &cfg, NULL);
        CHECK(s.c != NULL);
        if (i < COUNT(bad)) {
            CHECK_INT(ws_error(s.c), WS_ERR_ARGUMENT);
            CHECK_SAYS(ws_error_text(s.c), "origins");
            CHECK_SAYS(ws_error_text(s.c), bad[i].named);
            if (bad[i].not_named) CHECK_SAYS_NOT(ws_error_text(s.c), bad[i].not_named);
            side_pull(&s);
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, WS_ERR_ARGUMENT);
        } else {
            CHECK_INT(ws_error(s.c), 0);
        }
        if (test_faults > faults) printf("    origins \"%s\"\n", cfg.origins);
        side_over(&s);
    }
}

/* 101 or what else a server answers to a request with these lines. */
static int origin_answer(const char *origins, uint32_t trusted, const char *host,
                         const char *lines, const char *origin, int setup)
{
    ws_config cfg;
    world w;
    side s;
    seen z;
    buf b = { 0 };
    int status;

    memset(&cfg, 0, sizeof cfg);
    memset(&z, 0, sizeof z);
    cfg.origins = origins;
    cfg.trusted_proxies = trusted;
    buf_str(&b, "GET / HTTP/1.1\r\n" UP CO KE VE "Host: ");
    buf_str(&b, host);
    buf_str(&b, E);
    buf_str(&b, lines);
    if (origin) {
        buf_str(&b, "Origin: ");
        buf_str(&b, origin);
        buf_str(&b, E);
    }
    buf_str(&b, E);
    server_start(&s, &w, setup, &cfg, &z);
    side_feed(&s, b.p, b.n);
    status = status_by_name(&s);
    if (status != 101) CHECK_INT(ws_error(s.c), WS_ERR_ORIGIN);
    side_over(&s);
    buf_free(&b);
    return status;
}

typedef struct origin_case { const char *origins, *origin; int yes; } origin_case;

static void run_origins(const origin_case *t, size_t n)
{
    size_t i;
    int setup;

    for (i = 0; i < n; i++)
        for (setup = 0; setup < SETUPS; setup++) {
            int have = origin_answer(t[i].origins, 0, "example.com", "", t[i].origin,
                                     setup);
            CHECK_INT(have, t[i].yes ? 101 : 403);
            if (have != (t[i].yes ? 101 : 403))
                printf("    origins \"%s\", Origin %s\n", t[i].origins, t[i].origin);
        }
}

/* The port that a scheme has by itself may be written or left out, on either side. */
TEST(field_31_default_ports)
{
    static const origin_case t[] = {
        { "https://a.example", "https://a.example", 1 },
        { "https://a.example:443", "https://a.example", 1 },
        { "https://a.example", "https://a.example:443", 1 },
        { "https://a.example:443", "https://a.example:443", 1 },
        { "HTTPS://A.example:443", "https://a.EXAMPLE", 1 },
        { "http://a.example:80", "http://a.example", 1 },
        { "http://a.example", "http://a.example:80", 1 },
        { "https://[::1]:443", "https://[::1]", 1 },
        { "https://b.example, http://a.example:80", "http://a.example", 1 },
        { "https://a.example:80", "https://a.example", 0 },
        { "http://a.example:443", "http://a.example", 0 },
        { "https://a.example", "https://a.example:80", 0 },
        { "https://a.example", "http://a.example", 0 },
        { "https://a.example", "http://a.example:443", 0 },
        { "https://a.example:8443", "https://a.example", 0 },
        { "https://a.example", "https://a.example.evil.test", 0 },
        { "https://a.example", "https://b.a.example", 0 },
        { "https://a.example", "https://a.exampl", 0 },
        { "https://a.example", "null", 0 },
        { "https://a.example", "https://example.com", 0 },
        { "https://a.example", NULL, 1 },
        { "chrome-extension://abcdef", "chrome-extension://abcdef", 1 },
        { "chrome-extension://abcdef", "chrome-extension://abcde", 0 },
        { "chrome-extension://abcdef", "moz-extension://abcdef", 0 },
        { "capacitor://localhost", "capacitor://localhost", 1 },
    };
    run_origins(t, COUNT(t));
}

/* A star in front stands for one label or more, and for nothing else. */
TEST(field_31_subdomains)
{
    static const origin_case t[] = {
        { "https://*.a.example", "https://x.a.example", 1 },
        { "https://*.a.example", "https://x.y.a.example", 1 },
        { "https://*.a.example", "https://X-1.A.Example", 1 },
        { "https://*.a.example", "https://x.a.example:443", 1 },
        { "https://*.a.example:443", "https://x.a.example", 1 },
        { "https://*.a.example:8443", "https://x.a.example:8443", 1 },
        { "https://b.example, https://*.a.example", "https://x.a.example", 1 },
        { "https://*.a.example", "https://a.example", 0 },
        { "https://*.a.example", "https://.a.example", 0 },
        { "https://*.a.example", "https://xa.example", 0 },
        { "https://*.a.example", "https://x-a.example", 0 },
        { "https://*.a.example", "http://x.a.example", 0 },
        { "https://*.a.example", "https://x.a.example:8443", 0 },
        { "https://*.a.example:8443", "https://x.a.example", 0 },
        { "https://*.a.example", "https://x.a.example.evil.test", 0 },
        { "https://*.a.example", "https://evil.test/.a.example", 0 },
        { "https://*.a.example", "https://evil.test?.a.example", 0 },
        { "https://*.a.example", "https://evil.test#.a.example", 0 },
        { "https://*.a.example", "https://evil.test:1/.a.example", 0 },
        { "https://*.a.example", "https://evil.test@x.a.example", 0 },
        { "https://*.a.example", "https://evil.test\\.a.example", 0 },
        { "https://*.a.example", "https://evil.test, https://x.a.example", 0 },
        { "https://*.a.example", "https://x.a.example/", 0 },
        { "https://*.a.example", "https://*.a.example/x", 0 },
        { "https://*.a.example", "null", 0 },
    };
    run_origins(t, COUNT(t));
}

/* "same" is the host of the request, whatever else stands in the list. */
TEST(field_31_same_in_a_list)
{
    static const origin_case t[] = {
        { "same", "http://example.com", 1 },
        { "same", "https://example.com", 1 },
        { "same", "http://example.com:80", 1 },
        { "same", "http://example.com:81", 0 },
        { "same", "http://x.example.com", 0 },
        { "same", "null", 0 },
        { "same", "same", 0 },
        { "same", NULL, 1 },
        { "same, null, file://", "https://example.com", 1 },
        { "same, null, file://", "null", 1 },
        { "same, null, file://", "file://", 1 },
        { "same, null, file://", "https://evil.test", 0 },
        { "same, null, file://", NULL, 1 },
        { "null, same", "http://example.com", 1 },
        { "https://b.example, same", "https://b.example", 1 },
        { "https://b.example, same", "http://example.com", 1 },
        { "https://b.example, same", "https://c.example", 0 },
        { "same, *", "https://c.example", 1 },
        { NULL, "http://example.com", 1 },
        { NULL, "null", 0 },
        { NULL, "file://", 0 },
    };
    run_origins(t, COUNT(t));
}

/* Behind proxies of our own the host is the one that they were asked for. */
TEST(field_31_forwarded_host)
{
    static const struct { uint32_t trusted; const char *lines, *origin; int yes;
    } t[] = {
        { 1, "X-Forwarded-Host: pub.example\r\n", "https://pub.example", 1 },
        { 1, "x-forwarded-host: PUB.example\r\n", "http://pub.example", 1 },
        { 1, "X-Forwarded-Host: pub.example:8443\r\n", "https://pub.example:8443", 1 },
        { 1, "X-Forwarded-Host: pub.example:8443\r\n", "https://pub.example", 0 },
        { 1, "X-Forwarded-Host: pub.example:443\r\n", "https://pub.example", 1 },
        { 1, "X-Forwarded-Host: evil.test, pub.example\r\n", "https://pub.example", 1 },
        { 1, "X-Forwarded-Host: evil.test, pub.example\r\n", "https://evil.test", 0 },
        { 1, "X-Forwarded-Host: evil.test\r\nX-Forwarded-Host: pub.example\r\n",
          "https://pub.example", 1 },
        { 1, "X-Forwarded-Host: evil.test\r\nX-Forwarded-Host: pub.example\r\n",
          "https://evil.test", 0 },
        { 1, "X-Forwarded-Host: \"evil.test, pub.example\r\n", "https://pub.example", 1 },
        { 2, "X-Forwarded-Host: pub.example, inner\r\n", "https://pub.example", 1 },
        { 2, "X-Forwarded-Host: pub.example\r\n", "https://pub.example", 1 },
        { 2, "X-Forwarded-Host: evil.test, pub.example, inner\r\n", "https://pub.example",
          1 },
        { 2, "X-Forwarded-Host: evil.test, pub.example, inner\r\n", "https://evil.test",
          0 },
        { 2, "X-Forwarded-Host: evil.test, pub.example, inner\r\n", "https://inner", 0 },
        { 1, "X-Forwarded-Host: pub.example/x\r\n", "https://pub.example", 0 },
        { 1, "X-Forwarded-Host: u@pub.example\r\n", "https://pub.example", 0 },
        { 1, "X-Forwarded-Host: pub.example:x\r\n", "https://pub.example", 0 },
        { 1, "X-Forwarded-Host: other.example\r\n", "https://pub.example", 0 },
        { 1, "", "https://pub.example", 0 },
        { 1, "", "http://backend:8080", 1 },
        { 0, "X-Forwarded-Host: pub.example\r\n", "https://pub.example", 0 },
        { 0, "X-Forwarded-Host: pub.example\r\n", "http://backend:8080", 1 },
        { 1, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: pub.example\r\n",
          "https://pub.example", 1 },
        { 1, "X-Forwarded-Host: pub.example\r\n", NULL, 1 },
    };
    static const char *const origins[] = { NULL, "same", "null, same" };
    size_t i, k;
    int setup;

    for (i = 0; i < COUNT(t); i++)
        for (k = 0; k < COUNT(origins); k++)
            for (setup = PLAIN; setup <= ASKED; setup++) {
                int want = t[i].yes ? 101 : 403;
                int have = origin_answer(origins[k], t[i].trusted, "backend:8080",
                                         t[i].lines, t[i].origin, setup);
                CHECK_INT(have, want);
                if (have != want) printf("    case %d, origins %d\n", (int)i, (int)k);
            }
    CHECK_INT(origin_answer("https://pub.example", 1, "backend:8080",
                            "X-Forwarded-Host: other.example\r\n", "https://pub.example",
                            0),
              101);
}

/* ==== 32: long logins, zones ======================================================== */

/* n bytes of a login, as they are or each as %xx; plain: they themselves. */
static void put_login(buf *url, buf *plain, size_t n, int escaped)
{
    char t[4];
    size_t i;

    for (i = 0; i < n; i++) {
        char c = (char)('a' + i % 26);
        buf_byte(plain, c);
        sprintf(t, "%%%02x", c);
        if (escaped) buf_str(url, t);
        else buf_byte(url, c);
    }
}

/* The header line that user and password make. */
static void put_basic(buf *line, const char *name, const buf *plain)
{
    char *code = (char *)malloc(plain->n * 2 + 10);

    my_base64((const uint8_t *)plain->p, plain->n, code);
    buf_str(line, "\r\n");
    buf_str(line, name);
    buf_str(line, ": Basic ");
    buf_str(line, code);
    buf_str(line, "\r\n");
    free(code);
}

static const size_t login_sizes[] = { 0,   1,   94,  95,  96,  97,  191,
                                      192, 255, 256, 500, 999, 1000 };

/* Any login of up to 1,000 bytes each goes with the request, of both kinds. */
TEST(field_32_long_logins)
{
    size_t i, j;
    int escaped, http;

    for (i = 1; i < COUNT(login_sizes); i++)
        for (j = 0; j < COUNT(login_sizes); j++)
            for (escaped = 0; escaped < 2; escaped++)
                for (http = 0; http < 2; http++) {
                    buf url = { 0 }, plain = { 0 }, line = { 0 };
                    ws_config cfg;
                    world w;
                    side s;
                    memset(&cfg, 0, sizeof cfg);
                    if (http) cfg.method = "GET";
                    buf_str(&url, "ws://");
                    put_login(&url, &plain, login_sizes[i], escaped);
                    buf_str(&url, ":");
                    buf_str(&plain, ":");
                    put_login(&url, &plain, login_sizes[j], escaped);
                    buf_str(&url, "@example.com/");
                    put_basic(&line, "Authorization", &plain);
                    client_start(&s, &w, PLAIN, &cfg, buf_c(&url), NULL);
                    CHECK_INT(ws_error(s.c), 0);
                    CHECK(strstr(buf_c(&s.out), buf_c(&line)) != NULL);
                    CHECK_FIELD(&s.out, "Host", "example.com");
                    side_over(&s);
                    buf_free(&url);
                    buf_free(&plain);
                    buf_free(&line);
                }
}

/* The same for proxies; SOCKS5 has room for 255 bytes each, by its RFC. */
TEST(field_32_long_logins_of_proxies)
{
    static const char *const schemes[] = { "http", "https", "socks5", "socks5h" };
    static ws_tunnel tunnel;
    size_t k, i, j, n;

    for (k = 0; k < COUNT(schemes); k++)
        for (i = 1; i < COUNT(login_sizes); i++)
            for (j = 0; j < COUNT(login_sizes); j++) {
                buf url = { 0 }, plain = { 0 }, line = { 0 }, out = { 0 };
                int long_one = login_sizes[i] > 255 || login_sizes[j] > 255, r;
                buf_str(&url, schemes[k]);
                buf_str(&url, "://");
                put_login(&url, &plain, login_sizes[i], 0);
                buf_str(&url, ":");
                buf_str(&plain, ":");
                put_login(&url, &plain, login_sizes[j], 0);
                buf_str(&url, "@proxy.example:3128");
                put_basic(&line, "Proxy-Authorization", &plain);
                r = ws_tunnel_init(&tunnel, buf_c(&url), "example.com", 80, NULL);
                if (k < 2) {
                    const char *p = (const char *)ws_tunnel_output(&tunnel, &n);
                    CHECK_INT(r, 0);
                    buf_add(&out, p, n);
                    CHECK(strstr(buf_c(&out), buf_c(&line)) != NULL);
                } else {
                    CHECK((r != 0) == long_one);
                }
                buf_free(&url);
                buf_free(&plain);
                buf_free(&line);
                buf_free(&out);
            }
}

/* A zone stands in the URL as RFC 6874 says, and never leaves this machine. */
TEST(field_32_zones)
{
    static const struct { const char *url, *host, *header; int port; } t[] = {
        { "ws://[fe80::1%25eth0]/", "fe80::1%25eth0", "[fe80::1]", 80 },
        { "ws://[fe80::1%25eth0]:8080/x?y", "fe80::1%25eth0", "[fe80::1]:8080", 8080 },
        { "ws://u:p@[fe80::1%25eth0]", "fe80::1%25eth0", "[fe80::1]", 80 },
        { "http://[fe80::1%251]:81/", "fe80::1%251", "[fe80::1]:81", 81 },
        { "ws://[FE80::A%25en-0.1_x~y]/", "FE80::A%25en-0.1_x~y", "[FE80::A]", 80 },
        { "ws://[fe80::1%25e%41h0]/", "fe80::1%25e%41h0", "[fe80::1]", 80 },
    };
    static const char *const bad[] = {
        "ws://[fe80::1%25]/",     "ws://[%25eth0]/",        "ws://[fe80::1%25eth0/",
        "ws://[fe80::1%25e/0]/",  "ws://[fe80::1%25e th]/", "ws://[fe80::1%25e@h]/",
        "ws://[fe80::1%25e\"h]/", "ws://[fe80::1%2]/",      "ws://[fe80::1%25e[h]/",
        "ws://[fe80::1%25e#h]/",  "ws://[fe80::1%25e%4]/",  "ws://[fe80::1%2eeth0]/",
        "ws://a%25eth0/",         "ws://127.0.0.1%25lo/",
    };
    ws_config cfg;
    ws_url url;
    size_t i;

    memset(&cfg, 0, sizeof cfg);
    for (i = 0; i < COUNT(t) + COUNT(bad); i++) {
        const char *text = i < COUNT(t) ? t[i].url : bad[i - COUNT(t)];
        int faults = test_faults, r = ws_url_parse(text, strlen(text), &url);
        world w;
        side s;
        client_start(&s, &w, PLAIN, &cfg, text, NULL);
        if (i < COUNT(t)) {
            CHECK_INT(r, 0);
            CHECK(ws_str_is(url.host, t[i].host));
            CHECK_INT(url.ipv6, 1);
            CHECK_INT(url.port, t[i].port);
            CHECK_INT(ws_error(s.c), 0);
            CHECK_FIELD(&s.out, "Host", t[i].header);
            CHECK_STR(ws_url_of(s.c), text);
        } else {
            CHECK_INT(r, WS_ERR_URL);
            CHECK_INT(ws_error(s.c), WS_ERR_URL);
        }
        if (test_faults > faults) printf("    %s\n", text);
        side_over(&s);
    }
}

/* ==== 33: subprotocols that are optional ============================================ */

/* A client that does not insist goes on without one; it insists on the rules all the
   same. */
TEST(field_33_protocol_optional)
{
    static const struct { const char *lines, *chosen; int error, by_default;
    } t[] = {
        { "", "", 0, WS_ERR_SUBPROTOCOL },
        { "Sec-WebSocket-Protocol: chat\r\n", "chat", 0, 0 },
        { "Sec-WebSocket-Protocol: talk\r\n", "talk", 0, 0 },
        { "Sec-WebSocket-Protocol: shout\r\n", "", WS_ERR_SUBPROTOCOL,
          WS_ERR_SUBPROTOCOL },
        { "Sec-WebSocket-Protocol: chat, talk\r\n", "", WS_ERR_SUBPROTOCOL,
          WS_ERR_SUBPROTOCOL },
        { "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n", "",
          WS_ERR_SUBPROTOCOL, WS_ERR_SUBPROTOCOL },
    };
    size_t i;
    int optional, setup;

    for (i = 0; i < COUNT(t); i++)
        for (optional = 0; optional < 2; optional++)
            for (setup = 0; setup < SETUPS; setup += FIXED) {
                int error = optional ? t[i].error : t[i].by_default;
                ws_config cfg;
                world w;
                side s;
                seen z;
                buf b = { 0 }, format = { 0 };
                memset(&cfg, 0, sizeof cfg);
                memset(&z, 0, sizeof z);
                cfg.protocols = "chat, talk";
                cfg.protocol_optional = optional;
                client_start(&s, &w, setup, &cfg, URL, &z);
                CHECK_FIELD(&s.out, "Sec-WebSocket-Protocol", "chat, talk");
                buf_str(&format, UPGRADE_101 UP CO ACCEPTED);
                buf_str(&format, t[i].lines);
                buf_str(&format, E);
                put_answer_as(&b, &s, buf_c(&format));
                side_feed(&s, b.p, b.n);
                CHECK_INT(s.opens, !error);
                CHECK_INT(ws_error(s.c), error);
                if (!error) CHECK_STR(z.protocol, t[i].chosen);
                side_over(&s);
                buf_free(&b);
                buf_free(&format);
            }
}

/* Without a list nothing changes: a subprotocol that was not offered is a fault. */
TEST(field_33_none_offered)
{
    ws_config cfg;
    world w;
    side s;
    buf b = { 0 };

    memset(&cfg, 0, sizeof cfg);
    cfg.protocol_optional = 1;
    client_start(&s, &w, PLAIN, &cfg, URL, NULL);
    put_answer_as(&b, &s, FOLDS("Sec-WebSocket-Protocol: chat\r\n"));
    side_feed(&s, b.p, b.n);
    CHECK_INT(s.error, WS_ERR_SUBPROTOCOL);
    side_over(&s);
    buf_clear(&b);
    cfg.protocols = "chat";
    client_start(&s, &w, PLAIN, &cfg, URL, NULL);
    put_answer_as(&b, &s, UPGRADE_101 UP CO ACCEPTED E);
    side_feed(&s, b.p, b.n);
    CHECK_INT(s.opens, 1);
    side_over(&s);
    buf_free(&b);
}

/* ==== 37: words ===================================================================== */

/* A client whose request is answered so: its error's text. */
static const char *answer_error(const char *format, int http, size_t step)
{
    static char text[300];
    ws_config cfg;
    world w;
    side s;
    buf b = { 0 };

    memset(&cfg, 0, sizeof cfg);
    if (http) cfg.method = "GET";
    client_start(&s, &w, PLAIN, &cfg, URL, NULL);
    put_answer_as(&b, &s, format);
    side_feed_by(&s, b.p, b.n, step);
    CHECK_INT(s.opens, 0);
    CHECK(ws_error(s.c) != 0);
    snprintf(text, sizeof text, "%s", ws_error_text(s.c));
    side_over(&s);
    buf_free(&b);
    return text;
}

/* A server that is asked so: its error's text. */
static const char *request_error(const char *request, int setup)
{
    static char text[300];
    world w;
    side s;
    seen z;

    memset(&z, 0, sizeof z);
    server_start(&s, &w, setup, NULL, &z);
    side_feed(&s, request, strlen(request));
    CHECK_INT(s.opens, 0);
    CHECK(ws_error(s.c) != 0);
    snprintf(text, sizeof text, "%s", ws_error_text(s.c));
    side_over(&s);
    return text;
}

/* The number behind "at byte" in a text, -1 without. */
static long byte_told(const char *text)
{
    const char *at = strstr(text, "at byte ");
    return at ? atol(at + 8) : -1;
}

/* An upgrade by HTTP/1.0 is no refusal. */
TEST(field_37_upgrade_by_http_1_0)
{
    const char *text = answer_error(
        "HTTP/1.0 101 Switching Protocols\r\n" UP CO ACCEPTED E, 0, 0);

    CHECK_SAYS(text, "HTTP/1.");
    CHECK_SAYS_NOT(text, "status 101");
    CHECK_SAYS_NOT(text, "refused");
    CHECK_SAYS(answer_error("HTTP/1.0 403 No\r\nContent-Length: 0\r\n\r\n", 0, 0),
               "status 403");
}

/* A field that came twice is called repeated, where it says the right thing too. */
TEST(field_37_repeated_fields_of_answers)
{
    CHECK_SAYS(answer_error(UPGRADE_101 UP UP CO ACCEPTED E, 0, 0), "repeated");
    CHECK_SAYS(answer_error(UPGRADE_101 UP UP CO ACCEPTED E, 0, 0), "Upgrade");
    CHECK_SAYS(answer_error(UPGRADE_101 UP "Upgrade: h2c\r\n" CO ACCEPTED E, 0, 0),
               "repeated");
    CHECK_SAYS(answer_error(UPGRADE_101 UP CO ACCEPTED ACCEPTED E, 0, 0), "repeated");
    CHECK_SAYS_NOT(answer_error(UPGRADE_101 "Upgrade: h2c\r\n" CO ACCEPTED E, 0, 0),
                   "repeated");
    CHECK_SAYS_NOT(answer_error(UPGRADE_101 CO ACCEPTED E, 0, 0), "repeated");
}

/* The same of requests, each by its name. */
TEST(field_37_repeated_fields_of_requests)
{
    static const char *const names[][2] = {
        { "Origin", "Origin: http://example.com\r\nOrigin: http://example.com\r\n" },
        { "Sec-WebSocket-Version", VE }, { "Host", HO }, { "Sec-WebSocket-Key", KE },
    };
    buf b = { 0 };
    size_t i;

    for (i = 0; i < COUNT(names); i++) {
        buf_clear(&b);
        buf_str(&b, "GET / HTTP/1.1\r\n" ALL);
        buf_str(&b, names[i][1]);
        buf_str(&b, E);
        CHECK_SAYS(request_error(b.p, PLAIN), "repeated");
        CHECK_SAYS(request_error(b.p, PLAIN), names[i][0]);
    }
    buf_free(&b);
}

/* Where that field's second value is, the text says; lines in front of it and blanks
   count. */
TEST(field_37_repeated_fields_say_where)
{
    static const char *const lines[] = {
        "Origin: http://example.com\r\nOrigin: http://second.test\r\n",
        "Origin: http://example.com\r\nX-Fill: x\r\norigin:   http://second.test\r\n",
        VE "Sec-WebSocket-Version: 8\r\n",
        VE VE,
        VE "X-Fill: x\r\nsec-websocket-version:\t13\r\n",
    };
    buf b = { 0 };
    size_t i, n;
    int setup;

    for (i = 0; i < COUNT(lines); i++) for (setup = PLAIN; setup < SETUPS; setup++) {
        const char *text;
        buf_clear(&b);
        buf_str(&b, "GET / HTTP/1.1\r\n" HO UP CO KE);
        if (lines[i][0] == 'O') buf_str(&b, VE);
        buf_str(&b, lines[i]);
        n = b.n - 2;
        while (b.p[n - 1] > ' ') n--; /* the last word of the lines begins here */
        buf_str(&b, "X-Fill: x\r\n" E);
        text = request_error(b.p, setup);
        CHECK_SAYS(text, "repeated");
        CHECK_INT(byte_told(text), n);
        if (byte_told(text) != (long)n) printf("    %s\n", text);
    }
    buf_free(&b);
}

/* The wrong method is told, and no proxy blamed, whether Connection is there or not. */
TEST(field_37_the_method_is_told)
{
    static const char *const methods[] = { "POST", "PUT", "OPTIONS", "get" };
    char whole[300], without[300];
    buf b = { 0 };
    size_t i;
    int setup, lost;

    for (i = 0; i < COUNT(methods); i++) for (setup = PLAIN; setup < SETUPS; setup++) {
        for (lost = 0; lost < 2; lost++) {
            buf_clear(&b);
            buf_str(&b, methods[i]);
            buf_str(&b, " / HTTP/1.1\r\n" HO UP);
            buf_str(&b, lost ? KE VE E : CO KE VE E);
            snprintf(lost ? without : whole, 300, "%s", request_error(b.p, setup));
        }
        CHECK_STR(without, whole);
        CHECK_STR(whole, ws_error_string(WS_ERR_METHOD));
        CHECK_SAYS_NOT(without, "proxy");
    }
    buf_free(&b);
}

/* An escape that is none in a login: where it is, and not the password. at: of the
   '%'. */
TEST(field_37_bad_escapes_of_logins)
{
    static const struct { const char *url; int at;
    } t[] = {
        { "ws://us%zz:x@h/", 7 },
        { "ws://us%4:x@h/", 7 },
        { "ws://u%@h/", 6 },
        { "ws://u:secret%@h/", 13 },
        { "ws://u:%41secret%g1@h/", 16 },
        { "wss://%%41@h/", 6 },
    };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        char number[40];
        ws_config cfg;
        world w;
        side s;
        memset(&cfg, 0, sizeof cfg);
        client_start(&s, &w, PLAIN, &cfg, t[i].url, NULL);
        CHECK_INT(ws_error(s.c), WS_ERR_URL);
        sprintf(number, "at byte %d", t[i].at);
        CHECK_SAYS(ws_error_text(s.c), number);
        CHECK_SAYS_NOT(ws_error_text(s.c), "secret");
        CHECK_INT(s.closes, 1);
        side_over(&s);
    }
}

/* Where there is no URL, there is no place in it. */
TEST(field_37_no_url_at_all)
{
    ws_conn *c = ws_client_new(NULL, NULL);

    CHECK_INT(ws_error(c), WS_ERR_URL);
    CHECK_SAYS_NOT(ws_error_text(c), "at byte");
    CHECK(strlen(ws_error_text(c)) > strlen(ws_error_string(WS_ERR_URL)) + 2);
    ws_free(c);
}

/* A server tells who speaks another protocol at the end of the first line, whatever the
   cuts: every one gives the same text. */
TEST(field_37_first_lines_that_are_no_request)
{
    static const char *const lines[] = {
        "SSH-2.0-OpenSSH_9.2\r\n", "GET /\r\n", "EHLO mail.test\r\n", "GET / FTP/1.1\r\n",
        "* OK IMAP4rev1\r\n"
    };
    size_t i, k;
    int setup;

    for (i = 0; i < COUNT(lines); i++) for (setup = PLAIN; setup < SETUPS; setup++) {
        size_t n = strlen(lines[i]);
        char first[300] = "";
        for (k = 0; k <= n; k++) {
            world w;
            side s;
            server_start(&s, &w, setup, NULL, NULL);
            if (k == n) {
                side_feed_by(&s, lines[i], n, 1);
            } else {
                side_feed(&s, lines[i], k);
                if (k < n - 1) CHECK_INT(s.closes, 0);
                side_feed(&s, lines[i] + k, n - k);
            }
            CHECK_INT(s.closes, 1);
            CHECK_INT(s.error, WS_ERR_HEAD_SYNTAX);
            CHECK_INT(status_by_name(&s), 400);
            if (!k) snprintf(first, sizeof first, "%s", ws_error_text(s.c));
            CHECK_STR(ws_error_text(s.c), first);
            CHECK(byte_told(first) >= 0);
            side_over(&s);
            if (test_faults) return;
        }
    }
}

/* What may still become a request is waited for: every beginning of good ones. */
TEST(field_37_beginnings_of_requests_wait)
{
    static const char *const good[] = {
        "GET /chat HTTP/1.1\r\n" ALL, "\r\nGET / HTTP/1.0\r\nHost: a\r\n",
        "GET http://example.com/x HTTP/1.1\r\nA: b\r\n", "OPTIONS * HTTP/1.1\r\n" HO,
    };
    size_t i, k;
    int setup;

    for (i = 0; i < COUNT(good); i++) for (setup = PLAIN; setup < SETUPS; setup++)
        for (k = 0; k <= strlen(good[i]); k++) {
            world w;
            side s;
            server_start(&s, &w, setup, NULL, NULL);
            side_feed(&s, good[i], k);
            CHECK_INT(s.closes, 0);
            CHECK_INT(s.out.n, 0);
            side_free(&s);
        }
}

/* A URL that is not understood: why, and where. at: index of the bad byte, -1: why is
   enough. */
TEST(field_37_urls_say_where_and_why)
{
    static const struct { const char *url, *why; int at;
    } t[] = {
        { "ftp://example.com/", "scheme", -1 },
        { "htp://example.com", "scheme", -1 },
        { "example.com", "scheme", -1 },
        { "", "scheme", -1 },
        { "://example.com/", "scheme", -1 },
        { "wsss://example.com/", "scheme", -1 },
        { "socks5://example.com/", "scheme", -1 },
        { "example.com:80/x", "scheme", -1 },
        { "ws:example.com", "//", -1 },
        { "ws:/example.com", "//", -1 },
        { "ws://", "host", -1 },
        { "ws:///x", "host", -1 },
        { "ws://:80/", "host", -1 },
        { "ws://u:p@/", "host", -1 },
        { "ws://?x", "host", -1 },
        { "ws://[]/", "host", -1 },
        { "ws://a:0/", "port", -1 },
        { "ws://a:65536/", "port", -1 },
        { "ws://a:8x/", "port", -1 },
        { "ws://a:-1/", "port", -1 },
        { "ws://a:99999999999/", "port", -1 },
        { "ws://[::1]:x/", "port", -1 },
        { "ws://a/ b", "space", 7 },
        { "ws://a/bcd ef", "space", 10 },
        { " ws://a/", "space", 0 },
        { "ws://a b/", "space", 6 },
        { "ws://a/ ", "space", 7 },
        { "ws://a/#f", "fragment", 7 },
        { "ws://a/bcdef#f", "fragment", 12 },
        { "ws://a#", "fragment", 6 },
        { "ws://a/b\r\nc", "byte", 8 },
        { "ws://a/\x01", "byte", 7 },
        { "ws://a/\xc3\xa4", "byte", 7 },
        { "ws://\xc3\xa4/", "byte", 5 },
        { "ws://a/b\x7f", "byte", 8 },
        { "ws://[::1/", "host", -1 },
        { "ws://[zz]/", "host", -1 },
        { "ws://a^b/", "host", -1 },
        { "ws+unix:a.sock", "path", -1 },
    };
    size_t i;

    for (i = 0; i < COUNT(t); i++) {
        int faults = test_faults;
        char zero[20], one[20];
        const char *text;
        ws_config cfg;
        world w;
        side s;
        memset(&cfg, 0, sizeof cfg);
        client_start(&s, &w, PLAIN, &cfg, t[i].url, NULL);
        text = ws_error_text(s.c);
        CHECK_INT(ws_error(s.c), WS_ERR_URL);
        CHECK_INT(s.closes, 1);
        CHECK_STR(s.reason, text);
        if (strcmp(t[i].why, "byte")) CHECK_SAYS(text, t[i].why);
        CHECK(strlen(text) > strlen(ws_error_string(WS_ERR_URL)) + 3);
        sprintf(zero, "%d", t[i].at);
        sprintf(one, "%d", t[i].at + 1);
        if (t[i].at >= 0) CHECK(says(text, zero) || says(text, one));
        if (test_faults > faults) printf("    URL \"%s\": \"%s\"\n", t[i].url, text);
        side_over(&s);
    }
}

/* Whatever is wrong with a URL, its password is not told to whoever reads the log. */
TEST(field_37_urls_keep_the_password)
{
    static const char *const urls[] = {
        "ws://user:secret@a:70000/", "ftp://user:secret@a/", "ws://user:secret@/",
        "ws://user:secret@a/ b",
        "ws://user:secret@a/#f", "ws://user:secret@[::1/", "ws://user:sec^ret-secret@a/",
    };
    size_t i;

    for (i = 0; i < COUNT(urls); i++) {
        ws_config cfg;
        world w;
        side s;
        memset(&cfg, 0, sizeof cfg);
        client_start(&s, &w, PLAIN, &cfg, urls[i], NULL);
        CHECK_INT(ws_error(s.c), WS_ERR_URL);
        CHECK_SAYS_NOT(ws_error_text(s.c), "secret");
        CHECK(strcmp(ws_error_text(s.c), ws_error_string(WS_ERR_URL)));
        side_over(&s);
    }
}

/* A bad start line is told where it is bad, not where the head ends. */
TEST(field_37_bad_start_lines_say_where)
{
    static const struct { const char *line; int from, to;
    } requests[] = {
        { "GET chat HTTP/1.1", 4, 9 },
        { "GET /chat#x HTTP/1.1", 4, 12 },
        { "GET * HTTP/1.1", 4, 6 },
        { "GET ftp://a/ HTTP/1.1", 4, 13 },
        { "GET /ch\xc3\xa4t HTTP/1.1", 4, 12 },
        { "GET /chat http/1.1", 0, 19 },
        { "GET /chat", 0, 10 },
        { "GET  /chat HTTP/1.1", 3, 12 },
        { "G(T /chat HTTP/1.1", 0, 5 },
        { "GET /chat HTTP/1.1 ", 0, 20 },
        { "GET /a b HTTP/1.1", 4, 18 },
    };
    static const struct { const char *line; int from, to; } answers[] = {
        { "HTTP/1.1 99 x", 8, 14 }, { "HTTP/1.1 2x0 OK", 8, 13 }, { "HTTP/1.1", 0, 10 },
        { "HTTP/1.1 2000 OK", 8, 14 }, { "HTTP/1.1  101 x", 8, 14 },
    };
    buf b = { 0 };
    size_t i;
    int setup;

    for (i = 0; i < COUNT(requests); i++)
        for (setup = PLAIN; setup < SETUPS; setup++) {
            const char *text;
            long at;
            int told;
            buf_clear(&b);
            buf_str(&b, requests[i].line);
            buf_str(&b, "\r\n" ALL E);
            text = request_error(b.p, setup);
            at = byte_told(text);
            told = (at >= requests[i].from && at <= requests[i].to) ||
                   says(text, "target");
            CHECK(told);
            if (!told) printf("    %s: \"%s\"\n", requests[i].line, text);
        }
    for (i = 0; i < COUNT(answers); i++) {
        const char *text;
        long at;
        buf_clear(&b);
        buf_str(&b, answers[i].line);
        buf_str(&b, "\r\n" UP CO ACCEPTED E);
        text = answer_error(b.p, 0, 0);
        at = byte_told(text);
        CHECK(at <= answers[i].to);
        if (at > answers[i].to) printf("    %s: \"%s\"\n", answers[i].line, text);
    }
    buf_free(&b);
}

/* The text of a fault of frames, behind it the reason of CLOSE; and what the peer was
   told. pad: bytes of head that only fill. */
static void frame_fault(int client, const char *spec, size_t pad, char *text, buf *told)
{
    buf b = { 0 }, fill = { 0 };
    ws_config cfg;
    frames f;
    world w;
    side s;

    memset(&cfg, 0, sizeof cfg);
    cfg.max_head = 20000;
    buf_str(&fill, "X-Fill: ");
    while (fill.n < pad + 8) buf_byte(&fill, 'x');
    buf_str(&fill, "\r\n");
    if (client) {
        client_start(&s, &w, PLAIN, &cfg, URL, NULL);
        side_answer(&s, fill.p);
    } else {
        server_start(&s, &w, PLAIN, &cfg, NULL);
        buf_str(&b, "GET / HTTP/1.1\r\n" ALL);
        buf_str(&b, fill.p);
        buf_str(&b, E);
        side_feed(&s, b.p, b.n);
        s.head = head_size(&s.out);
    }
    CHECK_INT(s.opens, 1);
    buf_clear(&b);
    put_frames(&b, spec, !client);
    side_feed(&s, b.p, b.n);
    CHECK_INT(s.closes, 1);
    CHECK(s.error != 0);
    snprintf(text, 500, "%s; %s", ws_error_text(s.c), s.reason);
    CHECK_SAYS_NOT(s.reason, "at byte");
    CHECK_SAYS(ws_error_text(s.c), s.reason);
    f = side_sent(&s, NULL);
    CHECK_INT(f.closes, 1);
    buf_clear(told);
    buf_add(told, f.reason, f.reason_n);
    side_over(&s);
    buf_free(&b);
    buf_free(&fill);
}

/* No text counts bytes from the first one of the HTTP head; the reason of CLOSE, which
   users are shown, and what the peer is told have no counts at all. */
TEST(field_37_no_counts_from_the_head)
{
    static const char *const specs[] = {
        "f1'x'",   "83'x'",   "80'x'",           "01'a' 01'b'", "09'x'",
        "88x00",   "88x03ed", "88x03e8ff",       "81xff",       "81:2'x'",
        "82:8'x'", "^81'x'",  "81'hello' 83'x'", "89#126",
    };
    size_t i;
    int client;

    for (i = 0; i < COUNT(specs); i++)
        for (client = 0; client < 2; client++) {
            char small[500], large[500];
            buf told = { 0 }, other = { 0 };
            frame_fault(client, specs[i], 0, small, &told);
            frame_fault(client, specs[i], 5000, large, &other);
            CHECK_STR(large, small);
            CHECK(buf_is(&told, &other));
            CHECK_SAYS_NOT(buf_c(&told), "at byte");
            CHECK(strlen(small) > 0);
            buf_free(&told);
            buf_free(&other);
        }
}

static void check_no_http(const char *text)
{
    int told = says(text, "no HTTP") || says(text, "not HTTP") ||
               says(text, "TLS is spoken");

    CHECK(told);
    if (!told) printf("    \"%s\" should say that this is no HTTP\n", text);
}

/* What is no HTTP is told at once, with its first bytes, in print. */
TEST(field_37_banners_of_others)
{
    static const struct { const char *banner; size_t n; const char *shown; } t[] = {
        { "SSH-2.0-OpenSSH_9\r\n", 19, "SSH-2.0" },
        { "SSH-2.0-OpenSSH_9", 17, "SSH-2.0" },
        { "220 mail.example ESMTP\r\n", 24, "220 mail" },
        { "RFB 003.008\n", 12, "RFB 003" },
        { "+OK POP3 ready\r\n", 16, "+OK POP3" },
        { "* OK IMAP4rev1\r\n", 16, "* OK IMAP" },
        { "<html><body>hi</body></html>", 28, "<html>" },
        { "-ERR unknown command\r\n", 22, "-ERR" },
        { "ICY 200 OK\r\n", 12, "ICY 200" },
        { "http/1.1 101 x\r\n", 16, "http/1.1" },
        { "\x15\x03\x01\x00\x02\x02\x46", 7, "" },
        { "\0\0\x12\x04\0\0\0\0\0", 9, "" },
        { "\xff\xfb\x01login: ", 10, "" },
        { "5\r\nhello", 8, "5" },
    };
    size_t i, k, step;
    int http;

    for (i = 0; i < COUNT(t); i++)
        for (http = 0; http < 2; http++)
            for (step = 0; step < 4; step++) {
                int faults = test_faults;
                const char *text;
                ws_config cfg;
                world w;
                side s;
                memset(&cfg, 0, sizeof cfg);
                if (http) cfg.method = "GET";
                client_start(&s, &w, PLAIN, &cfg, URL, NULL);
                side_feed_by(&s, t[i].banner, t[i].n, step);
                text = ws_error_text(s.c);
                CHECK_INT(s.closes, 1);
                CHECK(s.error != 0 && s.error != WS_ERR_HANDSHAKE_TIMEOUT);
                check_no_http(text);
                if (!step) CHECK_SAYS(text, t[i].shown);
                for (k = 0; text[k]; k++) CHECK(text[k] >= 32 && text[k] < 127);
                if (test_faults > faults)
                    printf("    banner %d by %d: \"%s\"\n", (int)i, (int)step, text);
                side_over(&s);
            }
}

/* What may still become an answer is waited for: every beginning of good ones. */
TEST(field_37_beginnings_wait)
{
    static const char *const good[] = { "HTTP/1.1 101 Switching Protocols\r\n",
                                        "HTTP/1.0 200 OK\r\n",
                                        "HTTP/1.1 403\r\n" };
    size_t i, k;

    for (i = 0; i < COUNT(good); i++)
        for (k = 0; k <= strlen(good[i]); k++) {
            world w;
            side s;
            client_start(&s, &w, PLAIN, NULL, URL, NULL);
            side_feed(&s, good[i], k);
            CHECK_INT(s.closes, 0);
            side_free(&s);
        }
    check_no_http(answer_error("SSH-2.0-x\r\n", 0, 1));
}

/* A proxy that is none is seen at once as well. */
TEST(field_37_banner_instead_of_a_proxy)
{
    static const char *const banners[] = { "SSH-2.0-OpenSSH_9\r\n", "220 mail ESMTP\r\n",
                                           "<html>\r\n",
                                           "RFB 003.008\n", "HTTX/1.1 200 OK\r\n" };
    static ws_tunnel tunnel;
    size_t i, k;

    for (i = 0; i < COUNT(banners); i++)
        for (k = 0; k <= strlen(banners[i]); k++) {
            size_t taken;
            tunnel_begin(&tunnel, "http://proxy");
            taken = ws_tunnel_feed(&tunnel, banners[i], k);
            if (taken == k)
                ws_tunnel_feed(&tunnel, banners[i] + k, strlen(banners[i]) - k);
            CHECK_INT(tunnel.result, WS_ERR_PROXY);
            check_no_http(tunnel.text);
            CHECK_INT(tunnel.status, 0);
        }
}

/* ==== 38: what proxies take away ==================================================== */

/* A request for a WebSocket without Upgrade has come through a proxy that does not know
   it. */
TEST(field_38_upgrade_removed)
{
    static const char *const requests[] = {
        "GET / HTTP/1.0\r\n" HO "Connection: close\r\n" KE VE E,
        "GET / HTTP/1.1\r\n" HO "Connection: close\r\n" KE VE E,
        "GET / HTTP/1.1\r\n" HO "Connection: keep-alive\r\n" KE VE E,
        "GET / HTTP/1.1\r\n" HO KE VE E,
        "GET / HTTP/1.0\r\n" HO "Connection: close\r\n" KE VE
        "Origin: http://example.com\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n" E,
        "GET / HTTP/1.0\r\n" HO
        "X-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n" VE KE E,
    };
    size_t i;
    int setup;

    for (i = 0; i < COUNT(requests); i++)
        for (setup = 0; setup < SETUPS; setup++) {
            CHECK_SAYS(request_error(requests[i], setup), "proxy");
            CHECK_SAYS(request_error(requests[i], setup), "removed");
            CHECK_SAYS(request_error(requests[i], setup), "Upgrade");
        }
}

/* Where only Connection is gone, that is what is told. */
TEST(field_38_connection_removed)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" HO UP "Connection: close\r\n" KE VE E,
        "GET / HTTP/1.0\r\n" HO UP "Connection: close\r\n" KE VE E,
        "GET / HTTP/1.1\r\n" HO UP KE VE E,
    };
    size_t i;

    for (i = 0; i < COUNT(requests); i++) {
        CHECK_SAYS(request_error(requests[i], PLAIN), "proxy");
        CHECK_SAYS(request_error(requests[i], PLAIN), "Connection");
    }
}

/* No proxy is blamed for what a client did itself. */
TEST(field_38_no_proxy_is_blamed)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" HO UP CO VE E,
        "GET / HTTP/1.1\r\n" HO UP CO KE E,
        "POST / HTTP/1.1\r\n" ALL E,
        "GET / HTTP/1.1\r\n" ALL KE E,
        "GET / HTTP/1.1\r\n" ALL "Origin: http://evil.test\r\n" E,
        "GET / HTTP/1.0\r\n" ALL E,
    };
    size_t i;
    world w;
    side s;

    for (i = 0; i < COUNT(requests); i++)
        CHECK_SAYS_NOT(request_error(requests[i], PLAIN), "removed");
    CHECK_SAYS(request_error("GET / HTTP/1.0\r\n" HO KE VE E, PLAIN), "removed");
    server_start(&s, &w, PLAIN, NULL, NULL);
    side_feed(&s, "GET / HTTP/1.0\r\n\r\n", 18);
    CHECK_INT(s.https, 1);
    CHECK_SAYS_NOT(ws_error_text(s.c), "proxy");
    side_over(&s);
}

/* Without TLS the error says what would bring it. */
TEST(field_38_no_tls_says_what_helps)
{
    CHECK_SAYS(ws_error_string(WS_ERR_NO_TLS), "WS_USE_MBEDTLS");
    CHECK_SAYS(ws_error_string(WS_ERR_NO_TLS), "cfg.wrap");
}

TESTS(T(field_26_key_with_loose_bits) T(field_26_decoder_stays_strict)
      T(field_27_empty_line_before_a_request) T(field_27_empty_line_alone_waits)
      T(field_27_empty_line_byte_by_byte) T(field_27_empty_lines_have_an_end)
      T(field_27_absolute_targets) T(field_28_folded_answers)
      T(field_28_folded_subprotocol) T(field_28_folded_refusals_and_bodies)
      T(field_28_folded_answer_of_a_proxy) T(field_28_folds_where_none_may_be)
      T(field_29_interim_answers_of_a_proxy)
      T(field_29_interim_answers_of_a_proxy_have_an_end)
      T(field_29_interim_answers_of_a_server_have_an_end)
      T(field_30_426_names_upgrade_twice) T(field_30_426_that_goes_on)
      T(field_31_origins_that_cannot_match) T(field_31_default_ports)
      T(field_31_subdomains) T(field_31_same_in_a_list) T(field_31_forwarded_host)
      T(field_32_long_logins) T(field_32_long_logins_of_proxies) T(field_32_zones)
      T(field_33_protocol_optional) T(field_33_none_offered)
      T(field_37_upgrade_by_http_1_0) T(field_37_repeated_fields_of_answers)
      T(field_37_repeated_fields_of_requests) T(field_37_repeated_fields_say_where)
      T(field_37_the_method_is_told) T(field_37_bad_escapes_of_logins)
      T(field_37_no_url_at_all) T(field_37_first_lines_that_are_no_request)
      T(field_37_beginnings_of_requests_wait) T(field_37_urls_say_where_and_why)
      T(field_37_urls_keep_the_password) T(field_37_bad_start_lines_say_where)
      T(field_37_no_counts_from_the_head) T(field_37_banners_of_others)
      T(field_37_beginnings_wait) T(field_37_banner_instead_of_a_proxy)
      T(field_38_upgrade_removed) T(field_38_connection_removed)
      T(field_38_no_proxy_is_blamed) T(field_38_no_tls_says_what_helps))

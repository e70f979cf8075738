/* permessage-deflate (RFC 7692) and the extension interface, over the engine:
   negotiation on both roles, messages both ways, what hostile peers, codecs and
   allocators do. Without WS_USE_ZLIB only what needs no compression is tested, and the
   rest says SKIP. */
#include "fixture.h"

/* ---- a client and a server of ours ---- */

typedef struct pair {
    world w;
    side client, server;
    size_t to_server, to_client;    /* bytes of each one's output that the other has */
    size_t step;                    /* bytes carried at a time, 0: all */
} pair;

static void carry(pair *p, side *from, side *to, size_t *at)
{
    while (*at < from->out.n) {
        size_t n = from->out.n - *at;
        if (p->step && n > p->step) n = p->step;
        *at += n;
        side_feed(to, from->out.p + *at - n, n);
    }
}

static void pair_run(pair *p)
{
    size_t before;

    do {
        before = p->client.out.n + p->server.out.n;
        side_pull(&p->client);
        carry(p, &p->client, &p->server, &p->to_server);
        side_pull(&p->server);
        carry(p, &p->server, &p->client, &p->to_client);
    } while (p->client.out.n + p->server.out.n != before);
}

/* A settings pair; NULL: off. */
static void pair_open(pair *p, const ws_deflate *client, const ws_deflate *server,
                      void (*more)(ws_config *client, ws_config *server))
{
    ws_config a, b;

    memset(p, 0, sizeof *p);
    world_init(&p->w);
    a = b = world_config(&p->w);
    a.deflate = client;
    b.deflate = server;
    if (more) more(&a, &b);
    side_new(&p->client, &p->w, 1, &a);
    side_new(&p->server, &p->w, 0, &b);
    pair_run(p);
    p->client.head = head_size(&p->client.out);
    p->server.head = head_size(&p->server.out);
}

static void pair_done(pair *p)
{
    side_free(&p->client);
    side_free(&p->server);
    CHECK_INT(p->w.h.live, 0);
    CHECK_INT(p->w.h.now, 0);
}

/* ---- an extension of one's own ---- */

/* Writes each byte as two hex digits, added to a running count: a state that messages
   share. */
typedef struct doubling { int wants, begun, ended, stop_at; } doubling;

static int dbl_offer(void *user, int i, char *buf, size_t n)
{
    (void)user;
    if (i == 2) return -1;
    snprintf(buf, n, i ? "; key=\"7\"; quick" : "; key=5");
    return 0;
}
static int dbl_key(ws_str params, uint32_t *key)
{
    char value[20];
    ws_str name;
    int r;
    *key = 0;
    while ((r = ws_param_next(&params, &name, value, sizeof value)) > 0)
        if (ws_str_is(name, "key")) *key = (uint32_t)atoi(value);
        else if (!ws_str_is(name, "quick") || *value) return -1;
    return r;
}
static int dbl_accept(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed)
{
    if (dbl_key(offer, agreed) || (int)*agreed != ((doubling *)user)->wants) return -1;
    snprintf(answer, n, "; key=%u", (unsigned)*agreed);
    return 0;
}
static int dbl_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user;
    return dbl_key(answer, agreed) || (*agreed != 5 && *agreed != 7) ? -1 : 0;
}
static size_t dbl_size(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user; (void)encode;
    *alone = agreed == 5;
    return 2;
}
static int dbl_begin(void *user, uint32_t agreed, int encode, void *state)
{
    (void)encode;
    ((uint8_t *)state)[0] = (uint8_t)agreed;
    ((uint8_t *)state)[1] = 0;
    ((doubling *)user)->begun++;
    return 0;
}
static int dbl_encode(void *user, void *state, const void *in, size_t *n, void *out,
                      size_t *m, int flush)
{
    uint8_t *s = (uint8_t *)state, *to = (uint8_t *)out;
    size_t i, most = *m / 2, have = *n;
    (void)user;
    if (most > have) most = have;
    for (i = 0; i < most; i++) {
        unsigned v = (((const uint8_t *)in)[i] + s[0]++) & 255;
        to[2 * i] = (uint8_t)"0123456789abcdef"[v >> 4];
        to[2 * i + 1] = (uint8_t)"0123456789abcdef"[v & 15];
    }
    *n = most;
    *m = 2 * most;
    return flush && most == have;
}
static int dbl_decode(void *user, void *state, const void *in, size_t *n, void *out,
                      size_t *m, int last)
{
    uint8_t *s = (uint8_t *)state, *to = (uint8_t *)out;
    size_t i, have = *n, made = 0;
    (void)user;
    for (i = 0; i < have && made < *m; i++) {
        int v = hex(((const uint8_t *)in)[i]);
        if (v < 0) return WS_ERR_DECODE;
        if (s[1]) { to[made++] = (uint8_t)((s[1] & 15) * 16 + v - s[0]++); s[1] = 0; }
        else s[1] = (uint8_t)(0x80 | v);
    }
    *n = i;
    *m = made;
    if (last && i == have && s[1]) return WS_ERR_DECODE;
    return last && i == have;
}
static void dbl_end(void *user, int encode, void *state)
{
    (void)encode; (void)state;
    ((doubling *)user)->ended++;
}

static ws_extension dbl(doubling *d)
{
    ws_extension x = { "x-double", 2,          0,          3,           0,
                       NULL,       dbl_offer,  dbl_accept, dbl_confirm, dbl_size,
                       dbl_begin,  dbl_encode, dbl_decode, dbl_end };
    x.user = d;
    return x;
}

static const ws_extension *more_list[2][3];
static void more_extensions(ws_config *a, ws_config *b)
{
    a->extensions = more_list[0];
    b->extensions = more_list[1];
}

TEST(extension_of_ones_own)
{
    static const int keys[] = { 5, 7, 9 };
    int i;

    for (i = 0; i < 3; i++) {
        doubling d[2] = { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } };
        ws_extension x = dbl(&d[0]), y = dbl(&d[1]);
        char want[40];
        pair p;
        d[1].wants = keys[i];
        memset(more_list, 0, sizeof more_list);
        more_list[0][0] = &x;
        more_list[1][0] = &y;
        pair_open(&p, NULL, NULL, more_extensions);
        CHECK(
            strstr(
                buf_c(&p.client.out),
                "\r\nSec-WebSocket-Extensions: x-double; "
                "key=5, x-double; key=\"7\"; quick\r\n") !=
            NULL);
        sprintf(want, i < 2 ? "x-double; key=%d" : "", keys[i]);
        CHECK_STR(ws_extensions(p.client.c), want);
        CHECK_STR(ws_extensions(p.server.c), want);
        ws_send_text(p.client.c, "hello");
        ws_send_text(p.client.c, "hi");                 /* below its threshold */
        ws_send_text(p.client.c, "hello");
        ws_send(p.client.c, WS_OP_TEXT | WS_OP_PLAIN, "plain", 5);
        ws_send_part(p.server.c, WS_OP_TEXT, "a", 1, 0);
        ws_send_part(p.server.c, WS_OP_TEXT, "b", 1, 0);
        ws_send_part(p.server.c, WS_OP_TEXT, "c", 1, 1);
        pair_run(&p);
        CHECK_STR(buf_c(&p.server.log), "O T'hello' T'hi' T'hello' T'plain' ");
        CHECK_STR(buf_c(&p.client.log), "O T'abc' ");
        CHECK_INT((uint8_t)p.client.out.p[p.client.head], i < 2 ? 0xA1 : 0x81);
        if (i == 0)
            CHECK(!memcmp(p.server.out.p + p.server.head,
                          "\x21\x02"
                          "66\0\2"
                          "68\x80\2"
                          "6a",
                          12));
        side_frame(&p.server, 0xA1, "0z", 2);
        CHECK_INT(p.server.error, i < 2 ? WS_ERR_DECODE : WS_ERR_RSV);
        pair_done(&p);
        CHECK_INT(d[0].begun, d[0].ended);
        CHECK_INT(d[1].begun, d[1].ended);
        CHECK(i == 2 || d[0].begun > 0);
    }
}

/* An answer that finds no memory, at every allocation, leaves nothing behind: not the
   subprotocol it named, which may have been kept before the extension failed. */
TEST(accept_again)
{
    static const char *const then[] = { "two", "three", "", NULL };
    static const char *const want[] = { "two", "three", "",
                                        "three" }; /* configured: three */
    int i, n;

    for (i = 0; i < 4; i++) for (n = 1;; n++) {
        doubling d = { 5, 0, 0, 0 };
        ws_extension x = dbl(&d);
        world w;
        ws_config cfg = world_fresh(&w);
        ws_answer a = { "one", NULL };
        buf request = { 0 };
        side s;
        int r;

        memset(more_list, 0, sizeof more_list);
        more_list[0][0] = &x;
        cfg.extensions = more_list[0];
        cfg.protocols = "three";
        cfg.ask = 1;
        side_new(&s, &w, 0, &cfg);
        buf_add(&request, REQUEST, strlen(REQUEST) - 2);
        buf_str(
            &request,
            "Sec-WebSocket-Protocol: one, two, three\r\n"
            "Sec-WebSocket-Extensions: x-double; key=5\r\n\r\n");
        side_feed(&s, request.p, request.n);
        buf_free(&request);
        CHECK_INT(s.requests, 1);
        w.h.fail_at = w.h.calls + n;
        r = ws_accept(s.c, &a);
        if (r) {
            CHECK_INT(r, WS_ERR_MEMORY);
            CHECK_STR(ws_protocol(s.c), "");
            CHECK_INT(ws_buffered(s.c), 0);
            a.protocol = then[i];
            CHECK_INT(ws_accept(s.c, &a), 0);
        }
        w.h.fail_at = 0;
        side_pull(&s);
        CHECK_INT(s.opens, 1);
        CHECK_STR(ws_protocol(s.c), r ? want[i] : "one");
        CHECK_STR(ws_extensions(s.c), "x-double; key=5");
        side_over(&s);
        if (!r) break;
    }
    CHECK(n > 4);
}

/* Broken ones, and the codec that is missing, are named at once. */
TEST(configurations)
{
    doubling d = { 7, 0, 0, 0 };
    world w;
    ws_config cfg;
    int i;

    for (i = 0; i < 12; i++) {
        ws_extension x = dbl(&d);
        side s;
        if (i == 0) x.name = NULL;
        if (i == 1) x.name = "a b";
        if (i == 2) x.rsv = 0;
        if (i == 3) x.rsv = 6;
        if (i == 4) x.offer = NULL;
        if (i == 5) x.accept = NULL;
        if (i == 6) x.confirm = NULL;
        if (i == 7) x.state_size = NULL;
        if (i == 8) x.begin = NULL;
        if (i == 9) x.encode = NULL;
        if (i == 10) x.decode = NULL;
        if (i == 11) x.end = NULL;
        memset(more_list, 0, sizeof more_list);
        more_list[0][0] = &x;
        world_init(&w);
        cfg = world_config(&w);
        cfg.extensions = more_list[0];
        side_new(&s, &w, i & 1, &cfg);
        side_pull(&s);
        CHECK_INT(s.error, i < 11 ? WS_ERR_ARGUMENT : 0);
        side_over(&s);
    }
    for (i = 0; i < 14; i++) {
        ws_deflate z = { 0 };
        side s;
        if (i == 0) z.level = 10;
        if (i == 1) z.level = -1;
        if (i == 2) z.mem_level = 10;
        if (i == 3) z.mem_level = -2;
        if (i == 4) z.server_max_window_bits = 16;
        if (i == 5) z.server_max_window_bits = 7;
        if (i == 6) z.client_max_window_bits = 16;
        if (i == 7) z.client_max_window_bits = 1;
        if (i == 8) z.client_max_window_bits = -1;
        world_init(&w);
        cfg = world_config(&w);
        cfg.deflate = &z;
        side_new(&s, &w, i & 1, &cfg);
        side_pull(&s);
#ifdef WS_USE_ZLIB
        CHECK_INT(s.error, i < 9 ? WS_ERR_ARGUMENT : 0);
#else
        CHECK_INT(s.error, WS_ERR_NO_CODEC);
        CHECK(strstr(s.reason, "codec") != NULL);
#endif
        side_over(&s);
    }
}

/* A list of parameters, taken apart. */
TEST(parameters)
{
    static const struct { const char *text, *want;
    } all[] = {
        { "", "." },
        { " ", "." },
        { "; a", "a|." },
        { ";a;b=1 ; c=\"x\"", "a|b=1|c=x|." },
        { "; a=\"q\\uo\\te\"", "a=quote|." },
        { "; a=\"\"", "!" },
        { "; a=", "!" },
        { "a", "!" },
        { "; a b", "!" },
        { ";", "!" },
        { ";;", "!" },
        { "; a;", "a|!" },
        { "; a=\"b", "!" },
        { "; a=\"b\\", "!" },
        { "; a=\"b\"c", "!" },
        { "; a=b,c", "!" },
        { "; a=\"b c\"", "!" },
        { "; a\t=\tb\t", "a=b|." },
        { "; =b", "!" },
        { "; a=1234567", "a=1234567|." },
        { "; a=12345678", "!" },
        { "; a=\"1234567\"", "a=1234567|." },
        { "; a=\"12345678\"", "!" },
    };
    size_t i, k;

    for (i = 0; i < sizeof all / sizeof *all; i++)
        for (k = 0; k < 2; k++) {
            size_t n = strlen(all[i].text);
            char *copy = (char *)malloc(n + 1), value[8];
            ws_str text, name;
            buf b = { 0 };
            int r;
            memcpy(copy, all[i].text, n);
            text.data = copy;
            text.size = n;
            while ((r = ws_param_next(&text, &name, k ? NULL : value,
                                      k ? 0 : sizeof value)) > 0) {
                buf_add(&b, name.data, name.size);
                if (!k && *value) { buf_str(&b, "="); buf_str(&b, value); }
                buf_str(&b, "|");
            }
            buf_str(&b, r ? "!" : ".");
            if (!k) CHECK_STR(b.p, all[i].want);
            else
                CHECK_INT(b.p[b.n - 1], strstr(all[i].text, "12345678")
                                            ? '.'
                                            : all[i].want[strlen(all[i].want) - 1]);
            if (test_faults) printf("  %s\n", all[i].text);
            buf_free(&b);
            free(copy);
        }
}

#ifdef WS_USE_ZLIB

/* A server end with permessage-deflate agreed by an offer. */
static void server_open(side *s, world *w, const ws_config *more, const char *offer)
{
    static const ws_deflate plain;
    ws_config cfg = more ? *more : world_config(w);
    buf b = { 0 };

    if (!cfg.deflate) cfg.deflate = &plain;
    side_new(s, w, 0, &cfg);
    buf_str(&b, "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY
                "\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Extensions: ");
    buf_str(&b, offer);
    buf_str(&b, "\r\n\r\n");
    side_feed(s, b.p, b.n);
    s->head = head_size(&s->out);
    buf_free(&b);
}

/* ---- RFC 7692 7.2.3: what others send ---- */

typedef struct example { const char *title, *frames, *log; } example;

static const example examples[] = {
    { "7.2.3.1", "c1xf248cdc9c90700", "O T'Hello' " },
    { "7.2.3.1 fragmented", "41xf248cd 80xc9c90700", "O T'Hello' " },
    { "7.2.3.2", "c1xf248cdc9c90700 c1xf200110000 c1xf200110000",
      "O T'Hello' T'Hello' T'Hello' " },
    { "cut by a byte", "c1xf248cdc9c90700 c1xf2001100", "O T'Hello' C1007!DECODE " },
    { "7.2.3.3 stored", "c1x000500faff48656c6c6f00", "O T'Hello' " },
    { "7.2.3.4 BFINAL", "c1xf348cdc9c9070000", "O T'Hello' " },
    { "7.2.3.4 and on", "c1xf348cdc9c9070000 c1xf200110000", "O T'Hello' T'Hello' " },
    { "7.2.3.5 two blocks", "c1xf248050000 00", "O C1007!DECODE " },
    { "7.2.3.5", "c1xf24805000000ffffcac9c90700", "O T'Hello' " },
    { "7.2.3.6 empty", "c1x00", "O T'' " },
    { "empty, then Hello", "c1x00 c1xf248cdc9c90700", "O T'' T'Hello' " },
    { "not a byte", "c1 c1xf248cdc9c90700 c2", "O T'' T'Hello' B'' " },
    { "not a byte in frames", "41 00 80 c1xf248cdc9c90700", "O T'' T'Hello' " },
    { "plain among them", "c1xf248cdc9c90700 81'plain' 82x00 c1xf200110000",
      "O T'Hello' T'plain' Bx00 T'Hello' " },
    { "control between", "41xf248cd 89'hi' 80xc9c90700", "O p'hi' T'Hello' " },
    { "every byte a frame", "41xf2 00x48 00xcd 00 00xc9 89 00xc9 00x07 80x00",
      "O p'' T'Hello' " },
    { "end without a byte", "41xf248cdc9c90700 80", "O T'Hello' " },
};

TEST(rfc_examples_at_every_split)
{
    size_t i, k;

    for (i = 0; i < sizeof examples / sizeof *examples; i++) {
        buf in = { 0 };
        put_frames(&in, examples[i].frames, 1);
        for (k = 0; k <= in.n; k++) {
            world w;
            side s;
            world_init(&w);
            server_open(&s, &w, NULL, "permessage-deflate");
            side_feed(&s, in.p, k);
            side_feed(&s, in.p + k, in.n - k);
            if (strcmp(buf_c(&s.log), examples[i].log)) {
                printf("%s, split at %d: %s\n", examples[i].title, (int)k, s.log.p);
                CHECK_STR(s.log.p, examples[i].log);
            }
            side_over(&s);
        }
        buf_free(&in);
    }
}

/* What we send, byte for byte. */
TEST(rfc_examples_sent)
{
    ws_deflate d = { 0 };
    ws_config cfg;
    world w;
    side s;
    buf text = { 0 };
    int alone;

    for (alone = 0; alone < 2; alone++) {
        world_init(&w);
        cfg = world_config(&w);
        d.threshold = 1;
        d.server_no_context_takeover = alone;
        cfg.deflate = &d;
        server_open(&s, &w, &cfg, "permessage-deflate");
        CHECK_STR(ws_extensions(s.c),
                  alone ? "permessage-deflate; server_no_context_takeover"
                        : "permessage-deflate");
        CHECK_INT(ws_send_text(s.c, "Hello"), 0);
        CHECK_INT(ws_send_text(s.c, "Hello"), 0);
        CHECK_INT(ws_send(s.c, WS_OP_TEXT | WS_OP_PLAIN, "Hello", 5), 0);
        CHECK_INT(ws_send(s.c, WS_OP_TEXT, "", 0), 0);
        CHECK_INT(ws_ping(s.c, "Hello", 5), 0);
        side_pull(&s);
        buf_clear(&text);
        buf_add(&text, s.out.p + s.head, s.out.n - s.head);
        if (alone)
            CHECK(text.n == 7 + 7 + 7 + 2 + 7 && !memcmp(text.p,
                "\x81\5Hello\x81\5Hello\x81\5Hello\x81\0\x89\5Hello", text.n));
        else
            CHECK(
                text.n == 9 + 7 + 7 + 2 + 7 &&
                !memcmp(
                    text.p,
                    "\xc1\7\xf2\x48\xcd\xc9\xc9\7\0\xc1\5\xf2\0\x11\0\0"
                     "\x81\5Hello\x81\0\x89\5Hello",
                    text.n));
        side_over(&s);
    }
    buf_free(&text);
}

/* ---- parameters ---- */

typedef struct offer_case {
    const char *offer;
    int server_bits, client_bits, server_alone, client_alone;
    const char *answer;
} offer_case;

#define PMD "permessage-deflate"
#define SNC "server_no_context_takeover"
#define CNC "client_no_context_takeover"
#define SMW "server_max_window_bits"
#define CMW "client_max_window_bits"

/* NULL: declined. "400": refused. */
static const offer_case offers[] = {
    { PMD, 0, 0, 0, 0, PMD },
    { PMD "; " CMW, 0, 0, 0, 0, PMD },
    { PMD ";" CMW ";" SNC, 0, 0, 0, 0, PMD "; " SNC },
    { PMD "; " SNC "; " CNC, 0, 0, 0, 0, PMD "; " SNC "; " CNC },
    { PMD "; " CNC, 0, 0, 1, 0, PMD "; " SNC "; " CNC },
    { PMD, 0, 0, 1, 1, PMD "; " SNC "; " CNC },
    { PMD "; " SMW "=10", 0, 0, 0, 0, PMD "; " SMW "=10" },
    { PMD "; " SMW "=\"10\"", 0, 0, 0, 0, PMD "; " SMW "=10" },
    { PMD "; " SMW "=\"\\1\\0\"", 0, 0, 0, 0, PMD "; " SMW "=10" },
    { PMD " ; " SMW " = 10 ", 0, 0, 0, 0, PMD "; " SMW "=10" },
    { PMD "; " SMW "=15", 0, 0, 0, 0, PMD "; " SMW "=15" },
    { PMD "; " SMW "=9", 12, 0, 0, 0, PMD "; " SMW "=9" },
    { PMD "; " SMW "=14", 12, 0, 0, 0, PMD "; " SMW "=12" },
    { PMD, 12, 0, 0, 0, PMD "; " SMW "=12" },
    { PMD "; " CMW "=10", 0, 0, 0, 0, PMD "; " CMW "=10" },
    { PMD "; " CMW "=8", 0, 0, 0, 0, PMD "; " CMW "=8" },
    { PMD "; " CMW "=14", 0, 11, 0, 0, PMD "; " CMW "=11" },
    { PMD "; " CMW "=9", 0, 11, 0, 0, PMD "; " CMW "=9" },
    { PMD "; " CMW, 0, 11, 0, 0, PMD "; " CMW "=11" },
    { PMD "; " CMW, 0, 8, 0, 0, PMD "; " CMW "=8" },
    { PMD, 0, 11, 0, 0, NULL },                         /* it could not be told */
    { PMD "; " SMW "=8", 0, 0, 0, 0, NULL },            /* zlib would use 9 */
    { PMD "; " SMW "=8, " PMD, 0, 0, 0, 0, PMD },       /* the second offer will do */
    { PMD "; " SMW "=8, " PMD "; " SMW "=9", 0, 0, 0, 0, PMD "; " SMW "=9" },
    { "x-other, " PMD, 0, 0, 0, 0, PMD },
    { "x-other; a=1; b=\"c\"; " SMW ", foo", 0, 0, 0, 0, NULL },
    { PMD "; " CMW "; x=1", 0, 0, 0, 0, NULL },
    { PMD "; x", 0, 0, 0, 0, NULL },
    { PMD "2", 0, 0, 0, 0, NULL },
    { "permessage-bzip2", 0, 0, 0, 0, NULL },
    { "perMessage-Deflate", 0, 0, 0, 0, NULL },
    { PMD "; " SNC "=1", 0, 0, 0, 0, NULL },
    { PMD "; " SNC "=8", 0, 0, 0, 0, NULL },
    { PMD "; " CNC "=true", 0, 0, 0, 0, NULL },
    { PMD "; " SNC "; " SNC, 0, 0, 0, 0, NULL },
    { PMD "; " CMW "; " CMW, 0, 0, 0, 0, NULL },
    { PMD "; " CMW "=9; " CMW "=9", 0, 0, 0, 0, NULL },
    { PMD "; " SMW, 0, 0, 0, 0, NULL },
    { PMD "; " SMW "=", 0, 0, 0, 0, "400" },
    { PMD "; " SMW "=\"\"", 0, 0, 0, 0, "400" },
    { PMD "; " SMW "=\"10", 0, 0, 0, 0, "400" },
    { PMD "; " SMW "=\"1 0\"", 0, 0, 0, 0, "400" },
    { PMD "; " SMW "=10 11", 0, 0, 0, 0, "400" },
    { PMD "; " SMW "=10;", 0, 0, 0, 0, "400" },
    { PMD ";", 0, 0, 0, 0, "400" },
    { PMD ";;" CMW, 0, 0, 0, 0, "400" },
    { PMD "; =10", 0, 0, 0, 0, "400" },
    { PMD " " CMW, 0, 0, 0, 0, "400" },
    { "; " CMW, 0, 0, 0, 0, "400" },
    { PMD ", x-b@d", 0, 0, 0, 0, "400" },
    { ", ," PMD ",,", 0, 0, 0, 0, PMD },
};

static const char *const bad_bits[] = { "7",
                                        "16",
                                        "0",
                                        "1",
                                        "1000",
                                        "08",
                                        "015",
                                        "+9",
                                        "-9",
                                        "1e1",
                                        "9.0",
                                        "0x9",
                                        "99999999999999999999",
                                        "9a",
                                        "a",
                                        "10\"",
                                        "18446744073709551625",
                                        "255",
                                        "256" };

static void offer_check(const offer_case *o)
{
    ws_deflate d = { 0 };
    ws_config cfg;
    world w;
    side s;

    world_init(&w);
    cfg = world_config(&w);
    d.server_max_window_bits = o->server_bits;
    d.client_max_window_bits = o->client_bits;
    d.server_no_context_takeover = o->server_alone;
    d.client_no_context_takeover = o->client_alone;
    cfg.deflate = &d;
    server_open(&s, &w, &cfg, o->offer);
    if (o->answer && !strcmp(o->answer, "400")) {
        CHECK(!strncmp(buf_c(&s.out), "HTTP/1.1 400 ", 13));
        CHECK_INT(s.error, WS_ERR_EXTENSION);
        CHECK(strstr(s.reason, "malformed") != NULL);
    } else {
        buf want = { 0 };
        buf_str(&want, "\r\nSec-WebSocket-Extensions: ");
        if (o->answer) buf_str(&want, o->answer);
        if (o->answer) buf_str(&want, "\r\n");
        CHECK_INT(s.opens, 1);
        CHECK_STR(ws_extensions(s.c), o->answer ? o->answer : "");
        CHECK_INT(strstr(buf_c(&s.out), want.p) != NULL, o->answer != NULL);
        buf_free(&want);
    }
    if (test_faults) printf("  offer %s: %s\n", o->offer, s.out.p);
    side_over(&s);
}

/* An offer that is not valid is declined (RFC 7692 7.1), one that is no offer at all
   refused (RFC 6455 9.1). */
TEST(sec_B4_B5_offers)
{
    size_t i;
    char text[200];

    for (i = 0; i < sizeof offers / sizeof *offers && !test_faults; i++)
        offer_check(&offers[i]);
    for (i = 0; i < 2 * (sizeof bad_bits / sizeof *bad_bits) && !test_faults; i++) {
        offer_case o = { text, 0, 0, 0, 0, NULL };
        const char *bits = bad_bits[i / 2];
        sprintf(text, PMD "; %s=%s", i & 1 ? SMW : CMW, bits);
        if (strchr(bits, '"')) o.answer = "400";
        offer_check(&o);
    }
}

typedef struct answer_case {
    const char *offer, *answer;
    int server_bits, client_bits, server_alone, client_alone;
    const char *why;
} answer_case;

static const answer_case answers[] = {
    { PMD "; " CMW, PMD, 0, 0, 0, 0, NULL },
    { PMD "; " CMW, "", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SNC "; " CNC, 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SMW "=9; " CMW "=\"9\"", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SMW "=8", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " CMW "=8", 0, 0, 0, 0,
      NULL }, /* then nothing is compressed */
    { PMD "; " CMW, PMD "; " CMW "=15", 0, 0, 0, 0, NULL },
    { PMD "; " SNC "; " CNC "; " CMW, PMD "; " SNC, 0, 0, 1, 1, NULL },
    { PMD "; " SNC "; " CMW, PMD, 0, 0, 1, 0, "parameters" },
    { PMD "; " SMW "=12; " CMW, PMD "; " SMW "=12", 12, 0, 0, 0, NULL },
    { PMD "; " SMW "=12; " CMW, PMD "; " SMW "=9", 12, 0, 0, 0, NULL },
    { PMD "; " SMW "=12; " CMW, PMD "; " SMW "=13", 12, 0, 0, 0, "parameters" },
    { PMD "; " SMW "=12; " CMW, PMD, 12, 0, 0, 0, "parameters" },
    { PMD "; " SMW "=8; " CMW "=9", PMD "; " SMW "=8", 8, 9, 0, 0, NULL },
    { PMD "; " CMW "=10", PMD "; " CMW "=10", 0, 10, 0, 0, NULL },
    { PMD "; " CMW "=10", PMD "; " CMW "=12", 0, 10, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SMW, 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD "; " CMW, 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD "; x", 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD "; " SNC "=1", 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD "; " SNC "; " SNC, 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD "; " SMW "=10; " SMW "=10", 0, 0, 0, 0, "parameters" },
    { PMD "; " CMW, PMD ", " PMD, 0, 0, 0, 0, "more than one" },
    { PMD "; " CMW, PMD "\r\nSec-WebSocket-Extensions: " PMD, 0, 0, 0, 0,
      "more than one" },
    { PMD "; " CMW, PMD ", x", 0, 0, 0, 0, "not offered" },
    { PMD "; " CMW, "x", 0, 0, 0, 0, "not offered" },
    { PMD "; " CMW, "Permessage-deflate", 0, 0, 0, 0, "not offered" },
    { PMD "; " CMW, PMD "; " SMW "=", 0, 0, 0, 0, "malformed" },
    { PMD "; " CMW, PMD ";", 0, 0, 0, 0, "malformed" },
    { PMD "; " CMW, "; x", 0, 0, 0, 0, "malformed" },
    { PMD "; " CMW, PMD "; " SMW "=\"9", 0, 0, 0, 0, "malformed" },
};

static void answer_check(const answer_case *a)
{
    ws_deflate d = { 0 };
    ws_config cfg;
    buf answer = { 0 }, want = { 0 };
    char line[400];
    world w;
    side s;

    world_init(&w);
    cfg = world_config(&w);
    d.server_max_window_bits = a->server_bits;
    d.client_max_window_bits = a->client_bits;
    d.server_no_context_takeover = a->server_alone;
    d.client_no_context_takeover = a->client_alone;
    cfg.deflate = &d;
    side_new(&s, &w, 1, &cfg);
    side_pull(&s);
    buf_str(&want, "\r\nSec-WebSocket-Extensions: ");
    buf_str(&want, a->offer);
    buf_str(&want, "\r\n");
    CHECK(strstr(buf_c(&s.out), want.p) != NULL);
    sprintf(line, "%s%s%s", *a->answer ? "Sec-WebSocket-Extensions: " : "", a->answer,
            *a->answer ? "\r\n" : "");
    put_answer(&answer, &s.out, line);
    side_feed(&s, answer.p, answer.n);
    if (a->why) {
        CHECK_INT(s.error, WS_ERR_EXTENSION);
        CHECK(strstr(s.reason, a->why) != NULL);
        CHECK_INT(s.opens, 0);
    } else {
        CHECK_INT(s.opens, 1);
        if (!strchr(a->answer, '"')) CHECK_STR(ws_extensions(s.c), a->answer);
        CHECK_INT(ws_send_text(s.c, "still works"), 0);
    }
    if (test_faults) printf("  answer %s: %s %s\n", a->answer, s.out.p, s.reason);
    buf_free(&answer);
    buf_free(&want);
    side_over(&s);
}

TEST(sec_B4_B5_answers)
{
    size_t i;
    char text[200];

    for (i = 0; i < sizeof answers / sizeof *answers && !test_faults; i++)
        answer_check(&answers[i]);
    for (i = 0; i < 2 * (sizeof bad_bits / sizeof *bad_bits) && !test_faults; i++) {
        const char *bits = bad_bits[i / 2];
        answer_case a = {
            PMD "; " CMW, text, 0, 0, 0, 0, strchr(bits, '"') ? "malformed" : "parameters"
        };
        sprintf(text, PMD "; %s=%s", i & 1 ? SMW : CMW, bits);
        answer_check(&a);
    }
}

/* ---- both ways, every combination of parameters ---- */

/* The i-th of a few messages: small and large, of all kinds of bytes. */
static size_t message(char *to, int i)
{
    static const size_t sizes[] = { 0,    1,     5,     63,    64, 65,    1000,
                                    4096, 20000, 65536, 70001, 3,  300000 };
    size_t n = sizes[i % 13], k;
    uint64_t r = (uint64_t)i + 99;

    for (k = 0; k < n; k++)
        to[k] = i % 5 == 4 ? (char)rng_next(&r) : fill_at(k * (size_t)(i + 1) / 7);
    return n;
}

typedef struct got { buf all; int op, ops[100], n; size_t sizes[100]; } got;

static void got_event(side *s, const ws_event *ev)
{
    got *g = (got *)s->user;

    if (ev->type != WS_EV_MESSAGE && ev->type != WS_EV_PART) return;
    if (g->n >= 100) return;
    buf_add(&g->all, ev->data, ev->size);
    g->sizes[g->n] += ev->size;
    g->ops[g->n] = ev->op;
    if (ev->last) g->n++;
}

/* Sends the messages from one to the other, in one of five ways each; adds to want. */
static void send_all(side *from, got *want, int count, int how)
{
    char *p = (char *)malloc(300000);
    int i;

    for (i = 0; i < count; i++) {
        size_t n = message(p, i), third = n / 3;
        ws_str v[4];
        int op = i % 5 == 4 ? WS_OP_BINARY : WS_OP_TEXT, r = 0;
        switch ((how + i) % 5) {
        case 0: r = ws_send(from->c, op, p, n); break;
        case 1:
            r = ws_send_part(from->c, op, p, third, 0);
            if (!r) r = ws_ping(from->c, "between", 7);
            if (!r) r = ws_send_part(from->c, op, p + third, 0, 0);
            if (!r) r = ws_send_part(from->c, op, p + third, n - third, 1);
            break;
        case 2: r = ws_send(from->c, op | WS_OP_PLAIN, p, n); break;
        case 3:
            v[0].data = NULL; v[0].size = 0;
            v[1].data = p; v[1].size = third;
            v[2].data = p + third; v[2].size = n - third;
            v[3].data = ""; v[3].size = 0;
            r = ws_sendv(from->c, op, v, 4);
            break;
        default:
            r = ws_send_part(from->c, op, p, n, 0);
            if (!r) r = ws_send_part(from->c, op, NULL, 0, 1);
        }
        CHECK_INT(r, 0);
        buf_add(&want->all, p, n);
        want->sizes[want->n] = n;
        want->ops[want->n++] = op;
    }
    free(p);
}

static void got_check(const got *have, const got *want)
{
    CHECK_INT(have->n, want->n);
    CHECK(!memcmp(have->sizes, want->sizes, sizeof have->sizes));
    CHECK(!memcmp(have->ops, want->ops, sizeof have->ops));
    CHECK(buf_is(&have->all, &want->all));
}

static uint32_t more_fragment, more_parts;
static int more_frames;
static void more_limits(ws_config *a, ws_config *b)
{
    a->max_backlog = b->max_backlog = 64u << 20;
    a->max_fragments = b->max_fragments = WS_NO_LIMIT;
    a->fragment = b->fragment = more_fragment;
    a->parts_over = b->parts_over = more_parts;
    a->frames = b->frames = more_frames;
}

static void both_ways(const ws_deflate *client, const ws_deflate *server, size_t step,
                      int how, int count)
{
    got to_client = { { 0 }, 0, { 0 }, 0, { 0 } }, to_server = to_client,
        want = to_client, want_back = to_client;
    pair p;

    pair_open(&p, client, server, more_limits);
    p.step = step;
    p.client.quiet = p.server.quiet = 1;
    p.client.event = p.server.event = got_event;
    p.client.user = &to_client;
    p.server.user = &to_server;
    send_all(&p.client, &want, count, how);
    pair_run(&p);
    send_all(&p.server, &want_back, count, how + 1);
    pair_run(&p);
    got_check(&to_server, &want);
    got_check(&to_client, &want_back);
    CHECK_INT(ws_close(p.client.c, 1000, "done"), 0);
    pair_run(&p);
    CHECK(p.client.clean && p.server.clean);
    buf_free(&to_client.all);
    buf_free(&to_server.all);
    buf_free(&want.all);
    buf_free(&want_back.all);
    pair_done(&p);
}

TEST(sec_F5_every_combination)
{
    int i, how;

    more_fragment = more_parts = 0;
    for (i = 0; i < 64 && !test_faults; i++) {
        ws_deflate d = { 0 }, client;
        d.server_no_context_takeover = i & 1;
        d.client_no_context_takeover = i >> 1 & 1;
        d.server_max_window_bits = i & 4 ? 9 : 0;
        d.client_max_window_bits = i & 8 ? 10 : 0;
        d.threshold = 1;
        d.mem_level = i & 16 ? 1 : 9;
        d.level = i & 16 ? 1 : 9;
        client = d;
        if (i & 32)
            memset(&client, 0, sizeof client); /* the server wants all of it */
        for (how = 0; how < 5; how++) both_ways(&client, &d, how == 3 ? 977 : 0, how, 11);
        if (test_faults) printf("  combination %d\n", i);
    }
}

TEST(fragments_parts_and_frames)
{
    static const uint32_t fragments[] = { 0, 1, 2, 7, 63, 1000, 65536 };
    static const uint32_t parts[] = { 0, 1, 64, 5000, 100000 };
    ws_deflate d = { 0 };
    int i, k, alone;

    d.threshold = 1;
    for (alone = 0; alone < 2; alone++)
        for (i = 0; i < 7; i++)
            for (k = 0; k < 6 && !test_faults; k++) {
                d.server_no_context_takeover = d.client_no_context_takeover = alone;
                more_fragment = fragments[i];
                more_parts = k < 5 ? parts[k] : 0;
                more_frames = k == 5;
                both_ways(&d, &d, i == 3 ? 100 : 0, k, i == 1 || i == 2 ? 8 : 11);
                if (test_faults)
                    printf("  fragment %d parts %d\n", (int)more_fragment, k);
            }
    more_fragment = more_parts = 0;
    more_frames = 0;
}

/* ---- hostile peers ---- */

/* DEFLATE of n bytes at p by zlib alone, as a message (7.2.1). */
static void squeeze(buf *b, const void *p, size_t n, int bits, int flush)
{
    z_stream z;
    size_t cap = n + n / 100 + 100;
    char *out = (char *)malloc(cap);

    memset(&z, 0, sizeof z);
    deflateInit2(&z, 9, Z_DEFLATED, -bits, 9, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    deflate(&z, flush);
    buf_add(b, out, (size_t)z.total_out - (flush == Z_SYNC_FLUSH ? 4 : 0));
    deflateEnd(&z);
    free(out);
}

/* zlib's codec, counting. */
typedef struct counts {
    long inits, ends, steps;
    size_t out, in, most_out; /* most_out: bytes decoded at the first error or so far */
    int fail_init;
} counts;

static counts tally;
static const ws_codec *real_codec(void)
{
    static const ws_deflate none;
    return ws__codec(&none);
}

static size_t count_deflate_size(int bits, int mem)
{
    return real_codec()->deflate_size(bits, mem);
}
static size_t count_inflate_size(int bits) { return real_codec()->inflate_size(bits); }
static int count_deflate_init(void *s, size_t n, int bits, int mem, int level)
{
    tally.inits++;
    return tally.fail_init & 1 ? -1 : real_codec()->deflate_init(s, n, bits, mem, level);
}
static int count_inflate_init(void *s, size_t n, int bits)
{
    tally.inits++;
    return tally.fail_init & 2 ? 7 : real_codec()->inflate_init(s, n, bits);
}
static int count_deflate(void *s, const void *in, size_t *n, void *out, size_t *m,
                         int flush)
{
    int r = real_codec()->deflate(s, in, n, out, m, flush);
    tally.steps++;
    tally.in += *n;
    return r;
}
static int count_inflate(void *s, const void *in, size_t *n, void *out, size_t *m)
{
    int r = real_codec()->inflate(s, in, n, out, m);
    tally.steps++;
    if (r >= 0) tally.out += *m;
    return r;
}
static const ws_codec counting = {
    count_deflate_size, count_inflate_size, count_deflate_init, count_inflate_init,
    count_deflate, count_inflate
};

/* A bomb: 1009 after the limit and one step at most, in memory of that order, however
   it comes. */
TEST(sec_F1_bombs)
{
    static const size_t limits[] = { 1, 100, 1024, 100000, 1 << 20 };
    int i, k, how;

    for (i = 0; i < 5; i++)
        for (k = -1; k < 4; k++)
            for (how = 0; how < 5; how++) {
                size_t limit = limits[i],
                       n = k < 2 ? limit + (size_t)k : limit * (k == 2 ? 20 : 200), at;
                char *zeros = (char *)calloc(1, n + 1);
                ws_deflate d = { 0 };
                buf z = { 0 }, in = { 0 };
                ws_config cfg;
                world w;
                side s;
                memset(zeros, 'a', n);
                squeeze(&z, zeros, n, 15, Z_SYNC_FLUSH);
                if (how == 1)
                    for (at = 0; at < z.n; at += 7)
                        put_frame(&in, (at ? 0 : 0x41) | (at + 7 < z.n ? 0 : 0x80), 1,
                                  z.p + at, z.n - at < 7 ? z.n - at : 7, 0);
                else put_frame(&in, 0xC1, 1, z.p, z.n, 0);
                world_init(&w);
                cfg = world_config(&w);
                cfg.max_message = (uint32_t)limit;
                cfg.parts_over = how == 2 ? (uint32_t)(limit / 3 + 1) : how == 3 ? 1 : 0;
                cfg.frames = how == 4;
                cfg.max_fragments = WS_NO_LIMIT;
                d.codec = &counting;
                cfg.deflate = &d;
                memset(&tally, 0, sizeof tally);
                server_open(&s, &w, &cfg, "permessage-deflate");
                w.h.peak = w.h.now;
                side_feed(&s, in.p, in.n);
                CHECK_INT(s.closes, n > limit);
                CHECK(tally.out <= limit + 64);
                CHECK(w.h.peak < 3 * (limit + in.n) + 65536 + 16384);
                if (n > limit) {
                    CHECK_INT(s.error, WS_ERR_MESSAGE_SIZE);
                    CHECK_INT(s.code, 1009);
                } else if (!how) CHECK_INT(s.messages, 1);
                if (test_faults > 5) {
                    printf("  limit %d n %d how %d\n", (int)limit, (int)n, how);
                    i = k = how = 9;
                }
                side_over(&s);
                buf_free(&z);
                buf_free(&in);
                free(zeros);
            }
}

/* Many small messages of one large frame each stay apart: the limit is of one message. */
TEST(limit_is_of_one_message)
{
    char text[1000];
    buf z = { 0 };
    ws_config cfg;
    world w;
    side s;
    int i;

    world_init(&w);
    cfg = world_config(&w);
    cfg.max_message = 1000;
    memset(text, 'x', sizeof text);
    squeeze(&z, text, sizeof text, 15, Z_SYNC_FLUSH);
    server_open(&s, &w, &cfg, "permessage-deflate");
    for (i = 0; i < 1000; i++) side_frame(&s, 0xC1, z.p, z.n);
    CHECK_INT(s.messages, 1000);
    CHECK(w.h.peak < 100000);
    side_over(&s);
    buf_free(&z);
}

/* Every payload of up to two bytes, and what follows it. */
TEST(sec_F2_shortest_payloads)
{
    int i, ok = 0;

    for (i = 0; i < 1 + 256 + 65536 && test_faults < 5; i++) {
        char p[2];
        size_t n = i == 0 ? 0 : i < 257 ? 1 : 2;
        world w;
        side s;
        p[0] = (char)(n == 1 ? i - 1 : i - 257);
        p[1] = (char)((i - 257) >> 8);
        world_init(&w);
        server_open(&s, &w, NULL, "permessage-deflate");
        side_frame(&s, 0xC2, p, n);
        CHECK(s.closes ? s.error == WS_ERR_DECODE && s.code == 1007 : s.messages == 1);
        ok += !s.closes;
        side_over(&s);
    }
    printf("  %d of these are messages\n", ok);
    CHECK(ok > 1 && ok < 1000);
}

/* Garbage, and good streams with a few bytes changed: what zlib says by itself is what
   we say. */
TEST(sec_F2_garbage_like_zlib)
{
    uint64_t r = 5;
    int i, good = 0;

    for (i = 0; i < 4000 && test_faults < 5; i++) {
        char plain[600], *want = (char *)malloc(1 << 20);
        size_t n = rng_to(&r, sizeof plain), k, want_n;
        buf z = { 0 };
        z_stream zs;
        world w;
        side s;
        ws_config cfg;
        int fault, border, ended = 0;
        for (k = 0; k < n; k++)
            plain[k] = (char)(rng_next(&r) & 3 ? fill_at(k) : (int)rng_next(&r));
        if (i % 4 == 3)
            for (k = 0; k < n; k++) buf_byte(&z, (int)(rng_next(&r) >> 30) & 255);
        else squeeze(&z, plain, n, 9 + i % 7, Z_SYNC_FLUSH);
        for (k = rng_to(&r, 3); i % 4 && k > 0 && z.n; k--)
            z.p[rng_to(&r, (uint32_t)z.n)] ^= (char)(1 << (rng_next(&r) >> 40 & 7));
        memset(&zs, 0, sizeof zs);
        inflateInit2(&zs, -15);
        zs.next_out = (Bytef *)want;
        zs.avail_out = 1 << 20;
        buf_add(&z, "\0\0\xff\xff", 4);
        zs.next_in = (Bytef *)z.p;
        zs.avail_in = (uInt)z.n;
        do {
            fault = inflate(&zs, Z_SYNC_FLUSH);
            if (fault == Z_STREAM_END && zs.avail_in == 4)
                ended = 1; /* with the message */
        } while (fault == Z_STREAM_END && !inflateResetKeep(&zs) && zs.avail_in);
        border = ended || (fault == Z_OK && !zs.avail_in && zs.data_type & 128);
        want_n = (1 << 20) - zs.avail_out;
        z.n -= 4;
        inflateEnd(&zs);
        world_init(&w);
        cfg = world_config(&w);
        server_open(&s, &w, &cfg, "permessage-deflate");
        s.mode = (int)want_n;
        { got g = { { 0 }, 0, { 0 }, 0, { 0 } };
          s.event = got_event; s.user = &g;
          side_frame(&s, 0xC2, z.p, z.n);
          if (!z.n) CHECK_INT(s.messages, 1);
          else if (border) {
              CHECK_INT(s.messages, 1);
              CHECK(g.all.n == want_n && !memcmp(buf_c(&g.all), want, want_n));
              good++;
          } else CHECK(s.error == WS_ERR_DECODE || s.error == WS_ERR_MESSAGE_SIZE);
          buf_free(&g.all); }
        side_over(&s);
        buf_free(&z);
        free(want);
    }
    CHECK(good > 900 && good < 3900);
}

typedef struct rsv_case { const char *frames, *log; } rsv_case;
static const rsv_case rsvs[] = {
    { "41xf248 c0xcdc9c90700", "O C1002!RSV " }, { "01'a' c0x00", "O C1002!RSV " },
    { "c9'x'", "O C1002!RSV " }, { "c8", "O C1002!RSV " }, { "ca", "O C1002!RSV " },
    { "a1'x'", "O C1002!RSV " }, { "91'x'", "O C1002!RSV " }, { "e1x00", "O C1002!RSV " },
    { "d1x00", "O C1002!RSV " }, { "f1x00", "O C1002!RSV " }, { "c3x00", "O C1002!RSV " },
    { "c0x00", "O C1002!RSV " }, { "41xf248 c1x00", "O C1002!INTERLEAVED " },
    { "41x00 81'x'", "O C1002!INTERLEAVED " }, { "01'x' c1x00", "O C1002!INTERLEAVED " },
    { "c1x8a0200", "O C1007!UTF8 " }, { "c1x00 81'x' 88x03e8", "O T'' T'x' C1000+'' " },
};

TEST(reserved_bits)
{
    size_t i;

    for (i = 0; i < sizeof rsvs / sizeof *rsvs; i++) {
        buf in = { 0 };
        world w;
        side s;
        world_init(&w);
        server_open(&s, &w, NULL, "permessage-deflate");
        put_frames(&in, rsvs[i].frames, 1);
        side_feed(&s, in.p, in.n);
        if (strcmp(rsvs[i].frames, "c1x8a0200")) CHECK_EVENTS(&s, rsvs[i].log);
        side_over(&s);
        world_init(&w);
        server_open(&s, &w, NULL, "x-none");        /* nothing agreed: no bit at all */
        buf_clear(&in);
        put_frames(&in, "c1x00", 1);
        side_feed(&s, in.p, in.n);
        CHECK_EVENTS(&s, "O C1002!RSV ");
        side_over(&s);
        buf_free(&in);
    }
}

/* Text that is not UTF-8 is refused where it goes wrong, before the message is whole. */
TEST(utf8_of_decoded_text)
{
    static const char bad[] = "abc\xc3\x28";
    buf z = { 0 };
    world w;
    side s;
    int i;

    for (i = 0; i < 3; i++) {
        world_init(&w);
        server_open(&s, &w, NULL, "permessage-deflate");
        buf_clear(&z);
        squeeze(&z, i == 2 ? "abc\xc3" : bad, i == 2 ? 4 : 5, 15, Z_SYNC_FLUSH);
        side_frame(&s, i == 1 ? 0x41 : i == 2 ? 0xC1 : 0xC1, z.p, z.n);
        CHECK_EVENTS(&s, "O C1007!UTF8 ");
        side_over(&s);
    }
    buf_free(&z);
}

/* ---- 34: streams with a final block, and without the last 00 of 7.2.3.4 ---- */

static const example finals[] = {
    { "7.2.3.4 without its last byte", "c1xf348cdc9c90700", "O T'Hello' " },
    { "7.2.3.4 as it stands", "c1xf348cdc9c9070000", "O T'Hello' " },
    { "one after another", "c1xf348cdc9c90700 c1xf348cdc9c90700",
      "O T'Hello' T'Hello' " },
    { "one as usual behind it", "c1xf348cdc9c90700 c1xf248cdc9c90700 c1xf200110000",
      "O T'Hello' T'Hello' T'Hello' " },
    { "one as usual before it", "c1xf248cdc9c90700 c1xf348cdc9c90700 81'plain'",
      "O T'Hello' T'Hello' T'plain' " },
    { "in two frames", "41xf348cd 80xc9c90700", "O T'Hello' " },
    { "every byte a frame", "41xf3 00x48 00xcd 00 00xc9 89 00xc9 00x07 80x00",
      "O p'' T'Hello' " },
    { "the end without a byte", "41xf348cdc9c90700 80", "O T'Hello' " },
    { "stored", "c1x010500faff48656c6c6f", "O T'Hello' " },
    { "empty", "c1x0300 c1xf348cdc9c90700", "O T'' T'Hello' " },
    { "empty, stored", "c2x010000ffff", "O B'' " },
    { "behind a flush", "c1xf248cdc9c907000000ffff0300", "O T'Hello' " },
    { "two of them", "c1xf348cdc9c90700f348cdc9c90700", "O T'HelloHello' " },
    { "a byte less", "c1xf348cdc9c907", "O C1007!DECODE " },
    { "two bytes less", "c1xf348cdc9c9", "O C1007!DECODE " },
    { "stored, a byte less", "c1x010500faff48656c6c", "O C1007!DECODE " },
    { "something behind it", "c1xf348cdc9c90700ff", "O C1007!DECODE " },
    { "no final block, no end", "c1xf248050000", "O C1007!DECODE " },
    { "not UTF-8", "c1x010200fdffc328", "O C1007!UTF8 " },
};

/* A client with permessage-deflate agreed. */
static void client_open(side *s, world *w, const ws_config *more)
{
    static const ws_deflate plain;
    ws_config cfg = more ? *more : world_config(w);

    if (!cfg.deflate) cfg.deflate = &plain;
    side_new(s, w, 1, &cfg);
    side_pull(s);
    side_answer(s, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
}

/* A message whose last block is a final one ends with that block; cut anywhere, in both
   roles. */
TEST(field_34_final_block_ends_the_message)
{
    size_t i, k;
    int client;

    for (i = 0; i < sizeof finals / sizeof *finals; i++)
        for (client = 0; client < 2; client++) {
            buf in = { 0 };
            int faults = test_faults;
            put_frames(&in, finals[i].frames, !client);
            for (k = 0; k <= in.n && test_faults < faults + 2; k++) {
                world w;
                side s;
                world_init(&w);
                if (client) client_open(&s, &w, NULL);
                else server_open(&s, &w, NULL, "permessage-deflate");
                side_feed_cut(&s, &in, k);
                CHECK_EVENTS(&s, finals[i].log);
                side_over(&s);
            }
            if (test_faults > faults)
                printf("    %s, client %d\n", finals[i].title, client);
            buf_free(&in);
        }
}

/* All of a message by zlib alone with Z_FINISH; how: level and strategy. */
static void squeeze_final(buf *b, const void *p, size_t n, int how)
{
    static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE,
                                      Z_FIXED };
    z_stream z;
    size_t cap = n + n / 10 + 200;
    char *out = (char *)malloc(cap);

    memset(&z, 0, sizeof z);
    deflateInit2(&z, how % 10, Z_DEFLATED, -(9 + how % 7), 1 + how % 9,
                 strategies[how / 10 % 4]);
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_add(b, out, (size_t)z.total_out);
    deflateEnd(&z);
    free(out);
}

/* Puts a message into frames of at most step bytes, 0: one. */
static void put_coded(buf *b, int op, const buf *z, size_t step, int masked)
{
    size_t at = 0, n;
    int begins = 0x40 | op;

    do {
        n = step && z->n - at > step ? step : z->n - at;
        put_frame(b, (at + n == z->n ? 0x80 : 0) | begins, masked, z->p + at, n, 0);
        at += n;
        begins = 0;
    } while (at < z->n);
}

/* Peers that finish each message, or only some, by every level and strategy of zlib. */
TEST(field_34_peers_that_finish_each_message)
{
    static const size_t steps[] = { 0, 1, 7, 1000 };
    char *plain = (char *)malloc(300000);
    int how, client;

    for (how = 0; how < 40 && !test_faults; how++)
        for (client = 0; client < 2; client++) {
            got want = { { 0 }, 0, { 0 }, 0, { 0 } }, have = want;
            ws_config cfg;
            world w;
            side s;
            buf in = { 0 }, z = { 0 };
            int i;
            world_init(&w);
            cfg = world_config(&w);
            cfg.max_fragments = WS_NO_LIMIT;
            cfg.frames = how % 3 == 1;
            cfg.parts_over = how % 3 == 2 ? 100 : 0;
            if (client) client_open(&s, &w, &cfg);
            else server_open(&s, &w, &cfg, "permessage-deflate");
            s.event = got_event;
            s.user = &have;
            s.quiet = 1;
            for (i = 0; i < 12; i++) {
                size_t n = message(plain, i);
                int op = i % 5 == 4 ? WS_OP_BINARY : WS_OP_TEXT;
                if (n > 70000) n = 70000;
                buf_clear(&z);
                if (i % 4 == 3) squeeze(&z, plain, n, 15, Z_SYNC_FLUSH);
                else squeeze_final(&z, plain, n, how);
                put_coded(&in, op, &z, z.n < 2000 ? steps[(how + i) % 4] : 0, !client);
                buf_add(&want.all, plain, n);
                want.sizes[want.n] = n;
                want.ops[want.n++] = op;
            }
            side_feed_by(&s, in.p, in.n, how % 2 ? 1000 : 0);
            CHECK_INT(s.error, 0);
            got_check(&have, &want);
            if (test_faults)
                printf("    how %d, client %d: %s\n", how, client, ws_error_text(s.c));
            buf_free(&want.all);
            buf_free(&have.all);
            buf_free(&in);
            buf_free(&z);
            side_over(&s);
        }
    free(plain);
}

/* In a block of the caller's as well; and what is too large stays too large. */
TEST(field_34_limits_hold)
{
    static uint64_t block[20000];
    static char zeros[100000];
    ws_deflate d = { 0 };
    ws_config cfg;
    world w;
    side s;
    buf z = { 0 };
    int fixed;

    d.server_max_window_bits = d.client_max_window_bits = 9;
    d.mem_level = 1;
    squeeze_final(&z, zeros, sizeof zeros, 9);
    CHECK(z.n < 1000);
    for (fixed = 0; fixed < 2; fixed++) {
        world_init(&w);
        cfg = world_config(&w);
        cfg.deflate = &d;
        cfg.max_message = 99999;
        if (fixed) {
            cfg.alloc = NULL;
            cfg.memory = block;
            cfg.memory_size = sizeof block;
            cfg.memory_extension = 100000;
        }
        server_open(&s, &w, &cfg, "permessage-deflate; client_max_window_bits");
        side_frame(&s, 0xC1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
        side_frame(&s, 0xC1, "\xf3\x48\xcd\xc9\xc9\x07\x00", 7);
        CHECK_EVENTS(&s, "O T'Hello' T'Hello' ");
        side_frame(&s, 0xC2, z.p, z.n);
        CHECK_INT(s.error, WS_ERR_MESSAGE_SIZE);
        side_over(&s);
    }
    buf_free(&z);
}

/* A peer told 8 bits whose zlib used 9, and our own direction told 8. */
TEST(sec_F4_window_of_256)
{
    char text[2000];
    buf z = { 0 };
    world w;
    side s;
    ws_deflate d = { 0 };
    size_t i;

    for (i = 0; i < sizeof text; i++) text[i] = (char)('a' + (i * i + i / 300) % 23);
    for (i = 300; i < sizeof text; i++) if (i % 400 < 200) text[i] = text[i - 260];
    squeeze(&z, text, sizeof text, 9, Z_SYNC_FLUSH);
    world_init(&w);
    server_open(&s, &w, NULL, "permessage-deflate; client_max_window_bits=8");
    CHECK_STR(ws_extensions(s.c), "permessage-deflate; client_max_window_bits=8");
    side_frame(&s, 0xC1, z.p, z.n);
    CHECK_INT(s.messages, 1);
    side_over(&s);
    buf_free(&z);

    {   /* a server that answers 8 gets messages as they are */
        ws_config cfg;
        buf answer = { 0 };
        world_init(&w);
        cfg = world_config(&w);
        d.threshold = 1;
        cfg.deflate = &d;
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        put_answer(
            &answer, &s.out,
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8\r\n");
        s.head = s.out.n;
        side_feed(&s, answer.p, answer.n);
        CHECK_INT(s.opens, 1);
        CHECK_INT(ws_send(s.c, WS_OP_TEXT, text, sizeof text), 0);
        side_pull(&s);
        CHECK_INT((uint8_t)s.out.p[s.head], 0x81);
        buf_clear(&answer);
        put_frames(&answer, "c1xf248cdc9c90700", 0);
        side_feed(&s, answer.p, answer.n);
        CHECK_EVENTS(&s, "O T'Hello' ");
        side_over(&s);
        buf_free(&answer);
    }
    d.server_max_window_bits = 8;           /* and as a setting it is refused */
    {
        ws_config cfg;
        world_init(&w);
        cfg = world_config(&w);
        cfg.deflate = &d;
        side_new(&s, &w, 0, &cfg);
        side_pull(&s);
        CHECK_INT(s.error, WS_ERR_ARGUMENT);
        side_over(&s);
    }
}

/* ---- codecs that fail, and lie ---- */

TEST(codec_that_cannot_begin)
{
    ws_deflate d = { 0 };
    int i;

    d.codec = &counting;
    d.threshold = 1;
    for (i = 1; i < 3; i++) {
        pair p;
        memset(&tally, 0, sizeof tally);
        pair_open(&p, &d, &d, NULL);
        tally.fail_init = i;
        CHECK_INT(ws_send_text(p.client.c, "hello, hello, hello"),
                  i == 1 ? WS_ERR_CODEC : 0);
        pair_run(&p);
        if (i == 1) {
            CHECK_INT(p.client.error, WS_ERR_CODEC);
            CHECK_INT(p.server.code, 1011);
        } else {
            CHECK_INT(p.server.error, WS_ERR_CODEC);
            CHECK_INT(p.client.code, 1011);
        }
        CHECK_INT(p.server.messages, 0);
        pair_done(&p);
    }
}

static uint64_t liar;
static int lie(size_t *n, size_t *m, void *out, int honest)
{
    size_t have = *n, room = *m;
    uint32_t v = rng_to(&liar, 1000);
    static const int results[] = { 0, 1, -1, -5, 2, 100, WS_ERR_DECODE, WS_ERR_MEMORY,
                                   0, 1 };

    *n = v & 1    ? have
         : v & 2  ? have / 2
         : v & 4  ? 0
         : v & 8  ? have + 1
         : v & 16 ? (size_t)-1
         : have   ? 1
                  : 0;
    v = rng_to(&liar, 1000);
    *m = v & 1    ? 0
         : v & 2  ? (room < 3 ? room : 3)
         : v & 4  ? room
         : v & 8  ? room + 1
         : v & 16 ? (size_t)-1
                  : room / 2;
    if (honest && *n > have) *n = have;
    if (honest && *m > room) *m = room;
    if (*m <= room && *m) memset(out, "\0\xff" "ab"[rng_to(&liar, 4)], *m);
    return results[rng_to(&liar, 10)];
}
static int lie_deflate(void *s, const void *in, size_t *n, void *out, size_t *m,
                       int flush)
{
    (void)s; (void)in; (void)flush;
    return lie(n, m, out, liar & 1);
}
static int lie_inflate(void *s, const void *in, size_t *n, void *out, size_t *m)
{
    (void)s; (void)in;
    return lie(n, m, out, liar & 1);
}
static size_t lie_size(int bits) { return (size_t)bits; }
static size_t lie_deflate_size(int bits, int mem) { return (size_t)(bits + mem); }
static int lie_init(void *s, size_t n, int bits)
{
    memset(s, 1, n);
    (void)bits;
    return rng_to(&liar, 50) == 0;
}
static int lie_deflate_init(void *s, size_t n, int bits, int mem, int level)
{
    (void)mem;
    (void)level;
    return lie_init(s, n, bits);
}
static const ws_codec lying = { lie_deflate_size, lie_size,    lie_deflate_init,
                                lie_init,         lie_deflate, lie_inflate };

/* Ends well, or in 1011, 1007 or 1009 of the other; never a hang, never past a buffer. */
static void lying_run(const ws_deflate *d, void (*more)(ws_config *, ws_config *),
                      uint64_t seed)
{
    got none = { { 0 }, 0, { 0 }, 0, { 0 } };
    char text[3000];
    pair p;
    int i;

    liar = seed;
    memset(text, 'x', sizeof text);
    pair_open(&p, d, d, more);
    for (i = 0; i < 6; i++) {
        ws_send(p.client.c, WS_OP_BINARY, text, rng_to(&liar, sizeof text));
        ws_send_part(p.server.c, WS_OP_BINARY, text, rng_to(&liar, sizeof text), i & 1);
        pair_run(&p);
    }
    for (i = 0; i < 2; i++) {
        side *s = i ? &p.client : &p.server;
        if (!s->closes) continue;
        CHECK(s->error == 0 || s->error == WS_ERR_CODEC || s->error == WS_ERR_DECODE ||
              s->error == WS_ERR_MEMORY || s->error == WS_ERR_MESSAGE_SIZE);
        CHECK(s->code == 1011 || s->code == 1007 || s->code == 1009);
    }
    pair_done(&p);
    buf_free(&none.all);
}

/* A codec whose flush does not end as it must: what is cut off would be content. */
static int tailless_deflate(void *s, const void *in, size_t *n, void *out, size_t *m,
                            int flush)
{
    (void)s;
    (void)in;
    (void)n;
    if (*m > 6) *m = 6;
    memcpy(out, "\0\0\xff\xfe\xff\xff", *m);
    return flush;
}

TEST(codec_without_a_tail)
{
    ws_codec codec = counting;
    ws_deflate d = { 0 };
    pair p;

    codec.deflate = tailless_deflate;
    d.codec = &codec;
    d.threshold = 1;
    pair_open(&p, &d, &d, NULL);
    CHECK_INT(ws_send_text(p.client.c, "hello"), WS_ERR_CODEC);
    pair_run(&p);
    CHECK_INT(p.server.code, 1011);
    CHECK_INT(p.server.messages, 0);
    pair_done(&p);
}

/* 7.2.3.6, when the encoder has nothing to flush. */
TEST(empty_after_another)
{
    ws_deflate d = { 0 };
    pair p;

    d.threshold = 1;
    pair_open(&p, &d, &d, NULL);
    CHECK_INT(ws_send_part(p.server.c, WS_OP_TEXT, "Hello", 5, 1), 0);
    CHECK_INT(ws_send_part(p.server.c, WS_OP_TEXT, "", 0, 1), 0);
    pair_run(&p);
    CHECK(p.server.out.n - p.server.head == 12 &&
          !memcmp(p.server.out.p + p.server.head,
                  "\xc1\7\xf2\x48\xcd\xc9\xc9\7\0\xc1\1\0", 12));
    CHECK_STR(buf_c(&p.client.log), "O T'Hello' T'' ");
    pair_done(&p);
}

TEST(sec_F3_lying_codec)
{
    ws_deflate d = { 0 };
    int i;

    d.codec = &lying;
    d.threshold = 1;
    more_fragment = more_parts = 0;
    for (i = 0; i < 20000 && test_faults < 5; i++) {
        d.server_no_context_takeover = i >> 1 & 1;
        more_frames = i >> 2 & 1;
        more_parts = i >> 3 & 1 ? 100 : 0;
        lying_run(&d, more_limits, (uint64_t)i * 77 + (uint64_t)(i & 1));
    }
    more_parts = 0;
    more_frames = 0;
}

static int lie_step(void *user, void *s, const void *in, size_t *n, void *out, size_t *m,
                    int end)
{
    (void)user; (void)s; (void)in;
    (void)end;
    return lie(n, m, out, liar & 1);
}
static void lying_extension(ws_config *a, ws_config *b)
{
    more_limits(a, b);
    more_extensions(a, b);
}

/* The same without permessage-deflate in between. */
TEST(sec_F3_lying_extension)
{
    doubling user = { 5, 0, 0, 0 };
    ws_extension x = dbl(&user), y;
    int i;

    x.encode = x.decode = lie_step;
    y = x;
    memset(more_list, 0, sizeof more_list);
    more_list[0][0] = &x;
    more_list[1][0] = &y;
    more_fragment = more_parts = 0;
    for (i = 0; i < 10000 && test_faults < 5; i++) {
        user.wants = i & 2 ? 5 : 7;         /* alone, or not */
        more_frames = i >> 2 & 1;
        more_parts = i >> 3 & 1 ? 100 : 0;
        x.only_smaller = y.only_smaller = i >> 4 & 1;
        lying_run(NULL, lying_extension, (uint64_t)i * 91 + (uint64_t)(i & 1));
    }
    CHECK_INT(user.begun, user.ended);
    more_parts = 0;
    more_frames = 0;
}

/* ---- allocations that fail ---- */

static void failing_pair(const ws_deflate *d, long at, int all, long *calls)
{
    got to_server = { { 0 }, 0, { 0 }, 0, { 0 } }, want = to_server;
    char text[5000];
    pair p;
    ws_config cfg;
    uint64_t seed = 4;
    size_t i;
    int sent = 0, k;

    /* it grows while the encoder is under way; what follows must not refer to what
       never went */
    for (i = 0; i < sizeof text; i++) text[i] = (char)(rng_next(&seed) >> 40);
    memset(&p, 0, sizeof p);
    world_init(&p.w);
    cfg = world_config(&p.w);
    cfg.deflate = d;
    p.w.h.fail_at = at;
    p.w.h.fail_all = all;
    side_new(&p.client, &p.w, 1, &cfg);
    side_new(&p.server, &p.w, 0, &cfg);
    if (p.client.c && p.server.c) {
        p.server.event = got_event;
        p.server.user = &to_server;
        pair_run(&p);
        for (k = 0; k < 4; k++) {
            int r = k == 2 ? ws_send_part(p.client.c, 2, text, 100, 0)
                           : ws_send(p.client.c, 2, text, sizeof text - (size_t)k);
            if (k == 2 && !r) r = ws_send_part(p.client.c, 2, text, 4000, 1);
            if (!r) {
                buf_add(&want.all, text, k == 2 ? 100 : sizeof text - (size_t)k);
                if (k == 2) buf_add(&want.all, text, 4000);
                sent++;
            }
            pair_run(&p);
        }
        /* what was taken is there, in order, or the connection says so */
        CHECK(p.server.error != WS_ERR_DECODE && p.server.error != WS_ERR_CODEC);
        if (!p.client.closes && !p.server.closes && p.server.opens) {
            CHECK_INT(to_server.n, sent);
            CHECK(buf_is(&to_server.all, &want.all));
        }
    }
    *calls = p.w.h.calls;
    pair_done(&p);
    buf_free(&to_server.all);
    buf_free(&want.all);
}

TEST(nth_allocation)
{
    ws_deflate d = { 0 };
    long at, calls, ignored;
    int i;

    d.threshold = 1;
    for (i = 0; i < 4; i++) {
        d.client_no_context_takeover = i & 1;
        failing_pair(&d, 0, 0, &calls);
        CHECK(calls > 15);
        for (at = 1; at <= calls && test_faults < 5; at++)
            failing_pair(&d, at, i >> 1, &ignored);
        if (test_faults) printf("  allocation %ld of %ld\n", at - 1, calls);
    }
}

/* ---- one write, byte by byte ---- */

TEST(sec_F6_one_byte_writes)
{
    ws_deflate d = { 0 };
    int alone, how;

    d.threshold = 1;
    for (alone = 0; alone < 2; alone++)
        for (how = 0; how < 5; how++) {
            got to_client = { { 0 }, 0, { 0 }, 0, { 0 } }, to_server = to_client,
                want = to_client, back = to_client;
            pair p;
            d.server_no_context_takeover = d.client_no_context_takeover = alone;
            pair_open(&p, &d, &d, more_limits);
            p.client.budget = p.server.budget = 1;
            p.client.quiet = p.server.quiet = 1;
            p.client.event = p.server.event = got_event;
            p.client.user = &to_client;
            p.server.user = &to_server;
            send_all(&p.client, &want, 9, how);
            send_all(&p.server, &back, 9, how + 2);
            pair_run(&p);
            got_check(&to_server, &want);
            got_check(&to_client, &back);
            buf_free(&to_client.all);
            buf_free(&to_server.all);
            buf_free(&want.all);
            buf_free(&back.all);
            pair_done(&p);
        }
}

/* ---- what is dropped, or replaced, must not be missed by the decoder ---- */

static int more_drop;
static void more_dropping(ws_config *a, ws_config *b)
{
    a->max_backlog = 3000;
    a->drop_oldest = more_drop;
    (void)b;
}

TEST(dropped_and_replaced_messages)
{
    int alone, round, drop;

    for (drop = 0; drop < 2; drop++)
        for (alone = 0; alone < 2; alone++) {
            got have = { { 0 }, 0, { 0 }, 0, { 0 } };
            ws_deflate d = { 0 };
            uint64_t r = 3;
            pair p;
            long sent = 0, before;
            d.threshold = 1;
            d.client_no_context_takeover = alone;
            more_drop = drop;
            pair_open(&p, &d, &d, more_dropping);
            p.server.event = got_event;
            p.server.user = &have;
            for (round = 0; round < 300; round++) {
                char text[700];
                size_t n = 200 + rng_to(&r, 400), i;
                int e;
                memset(text, 'a' + round % 20, sizeof text);
                for (i = 0; i < 20; i++)
                    text[rng_to(&r, (uint32_t)n)] = (char)('a' + rng_to(&r, 20));
                e = round % 3
                        ? ws_send(p.client.c, WS_OP_TEXT, text, n)
                        : ws_send_latest(p.client.c, round % 9, WS_OP_TEXT, text, n);
                CHECK(!e || (!drop && e == WS_ERR_BACKLOG));
                sent += !e;
                p.client.hold = round % 50 != 49;       /* the peer reads now and then */
                pair_run(&p);
                have.n = 0;
            }
            before = p.server.messages;
            CHECK(before > 20 && before <= sent);
            CHECK(!p.server.closes && !p.client.closes);
            buf_free(&have.all);
            pair_done(&p);
        }
}

/* ---- required ---- */

TEST(required)
{
    ws_deflate d = { 0 };
    pair p;

    d.required = 1;
    pair_open(&p, &d, NULL, NULL);          /* 7.4.1 */
    CHECK_INT(p.client.error, WS_ERR_EXTENSION_MISSING);
    CHECK_INT(p.client.code, 1010);
    CHECK_INT(p.client.opens, 0);
    CHECK(strstr(p.client.reason, "permessage-deflate") != NULL);
    CHECK_INT(p.server.code, 1010);
    CHECK_STR(p.server.reason, "permessage-deflate");
    pair_done(&p);
    pair_open(&p, NULL, &d, NULL);          /* a server refuses the handshake instead */
    CHECK_INT(p.server.error, WS_ERR_EXTENSION);
    CHECK(!strncmp(buf_c(&p.server.out), "HTTP/1.1 400 ", 13));
    CHECK(strstr(p.server.reason, "permessage-deflate") != NULL);
    CHECK_INT(p.client.error, WS_ERR_STATUS);
    pair_done(&p);
    pair_open(&p, &d, &d, NULL);
    CHECK(p.client.opens && p.server.opens && !p.client.closes && !p.server.closes);
    pair_done(&p);
    {   /* what waited for OPEN is not sent without it */
        ws_config cfg;
        memset(&p, 0, sizeof p);
        world_init(&p.w);
        cfg = world_config(&p.w);
        side_new(&p.server, &p.w, 0, &cfg);
        cfg.deflate = &d;
        side_new(&p.client, &p.w, 1, &cfg);
        CHECK_INT(ws_send_text(p.client.c, "secret"), 0);
        pair_run(&p);
        CHECK_INT(p.server.code, 1010);
        CHECK_INT(p.server.messages, 0);
        pair_done(&p);
    }
}

/* interim answers are counted where a refusal's body is: they are none */
TEST(field_29_interim_answers_are_no_body)
{
    ws_deflate d = { 0 };
    int interim;

    d.required = 1;
    for (interim = 0; interim < 5; interim++) {
        world w;
        side s;
        buf b = { 0 };
        ws_config cfg;
        ws_event ev;
        char accept[29];
        int i;

        world_init(&w);
        cfg = world_config(&w);
        cfg.deflate = &d;
        side_new(&s, &w, 1, &cfg);
        side_pull(&s);
        ws_accept_key(strstr(buf_c(&s.out), "Sec-WebSocket-Key: ") + 19, accept);
        for (i = 0; i < interim; i++)
            buf_str(&b, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        buf_str(
            &b,
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: ");
        buf_str(&b, accept);
        buf_str(&b, "\r\n\r\n");
        ws_feed(s.c, b.p, b.n);
        CHECK_INT(ws_next(s.c, &ev), 0);        /* CLOSE comes when ours has gone */
        CHECK_INT(ws_error(s.c), WS_ERR_EXTENSION_MISSING);
        CHECK_INT(ws_body(s.c).size, 0);
        buf_free(&b);
        side_over(&s);
    }
}

/* ---- memory ---- */

TEST(memory_of_a_connection)
{
    static const struct { int bits, mem; } sets[] = { { 15, 8 }, { 12, 5 }, { 9, 1 } };
    char text[60000], mixed[2000];
    int i, alone;
    size_t k;

    for (k = 0; k < sizeof text; k++) text[k] = fill_at(k / 3);
    for (k = 0; k < sizeof mixed; k++) mixed[k] = fill_at(k);
    for (i = 0; i < 3; i++)
        for (alone = 0; alone < 2; alone++) {
            size_t out = ((size_t)1 << (sets[i].bits + 2)) +
                         ((size_t)1 << (sets[i].mem + 9)) +
                         ((size_t)1 << (sets[i].mem + 6)) + 8192;
            size_t in = ((size_t)1 << sets[i].bits) + 8192, idle, plain;
            ws_deflate d = { 0 };
            pair p;
            pair_open(&p, NULL, NULL, NULL);
            plain = p.w.h.now;
            pair_done(&p);
            d.server_max_window_bits = d.client_max_window_bits = sets[i].bits;
            d.mem_level = sets[i].mem;
            d.server_no_context_takeover = d.client_no_context_takeover = alone;
            pair_open(&p, &d, &d, NULL);
            idle = p.w.h.now - plain;
            CHECK(idle < 2 * 560);          /* with the settings, once for each here */
            CHECK(sizeof(ws__more) + sizeof(ws__ext) + sizeof "permessage-deflate" <=
                  256);
            for (k = 0; k < 3; k++) {
                CHECK_INT(ws_send(p.client.c, WS_OP_BINARY, k ? text : mixed,
                                  k ? sizeof text : sizeof mixed),
                          0);
                CHECK_INT(ws_send(p.server.c, WS_OP_BINARY, k ? text : mixed,
                                  k ? sizeof text : sizeof mixed),
                          0);
                pair_run(&p);
            }
            CHECK_INT(p.server.messages, 3);
            CHECK_INT(p.client.messages, 3);
            side_next(&p.server);
            side_next(&p.client);
            if (alone) CHECK_INT(p.w.h.now - plain, idle);
            else CHECK(p.w.h.now - plain - idle > 2 * (out + in - 16384) &&
                       p.w.h.now - plain - idle <= 2 * (out + in + 512));
            printf("  bits %d, mem_level %d, %s: %d + %d bytes for each end\n",
                   sets[i].bits, sets[i].mem, alone ? "alone" : "takeover", (int)idle / 2,
                   (int)(p.w.h.now - plain - idle) / 2);
            pair_done(&p);
        }
}

/* One block of the caller's, and nothing else. */
TEST(memory_of_the_caller)
{
    static uint64_t blocks[2][16000];
    static char text[2500];
    ws_deflate d = { 0 };
    size_t k, ext;
    int alone, fits = 0, short_ones = 0;

    for (k = 0; k < sizeof text; k++) text[k] = fill_at(k / 2);
    d.server_max_window_bits = d.client_max_window_bits = 9;
    d.mem_level = 1;
    d.threshold = 1;
    for (alone = 0; alone < 2; alone++)
        for (ext = 0; ext <= 40000; ext += ext < 30000 ? 1000 : 100) {
            const size_t published = 11392 + 8704 + 1024 + sizeof text; /* README.md */
            pair p;
            ws_config a;
            int i;
            memset(&p, 0, sizeof p);
            world_init(&p.w);
            d.server_no_context_takeover = d.client_no_context_takeover = alone;
            a = world_config(&p.w);
            a.alloc = NULL;
            a.deflate = &d;
            a.memory_extension = ext;
            a.memory_size = WS_MEMORY_SIZE(4000, 4000) + ext;
            a.memory_send = 4000;
            a.memory = blocks[0];
            side_new(&p.client, &p.w, 1, &a);
            a.memory = blocks[1];
            side_new(&p.server, &p.w, 0, &a);
            pair_run(&p);
            if (p.client.opens && p.server.opens) {
                for (i = 0; i < 6; i++) {
                    int r = ws_send(p.client.c, WS_OP_TEXT, text,
                                    i & 1 ? sizeof text : 900);
                    CHECK(!r || p.client.closes);
                    pair_run(&p);
                    r = ws_send(p.server.c, WS_OP_TEXT, text, 700);
                    CHECK(!r || p.server.closes || p.client.closes);
                    pair_run(&p);
                }
                if (p.server.messages == 6 && p.client.messages == 6) fits++;
                else if (ext >= published) test_fault(__FILE__, __LINE__, "as published");
                else {
                    short_ones++;
                    CHECK_INT(p.server.error ? p.server.error : p.client.error,
                              WS_ERR_MESSAGE_SIZE);
                }
            } else {
                int e = p.client.error ? p.client.error : p.server.error;
                CHECK(ext < 30000 &&
                      (!p.client.c || e == WS_ERR_ARGUMENT || e == WS_ERR_MEMORY ||
                       e == WS_ERR_EOF || e == WS_ERR_STATUS || !e));
            }
            CHECK_INT(p.w.h.calls, 0);
            side_free(&p.client);
            side_free(&p.server);
        }
    CHECK(fits > 50 && short_ones > 2);
    printf("  %d fit, %d met too large a message\n", fits, short_ones);
}

/* A message larger than the block comes in parts, and parts_over may be more than there
   is room. */
TEST(parts_in_memory_of_the_caller)
{
    static uint64_t block[6000];
    static char text[60000];
    static const uint32_t over[] = { 1, 500, 2400, 5000 };
    ws_deflate d = { 0 };
    size_t k;
    int i;

    for (k = 0; k < sizeof text; k++) text[k] = fill_at(k);
    d.server_max_window_bits = d.client_max_window_bits = 9;
    d.mem_level = 1;
    d.threshold = 1;
    for (i = 0; i < 4; i++) {
        got have = { { 0 }, 0, { 0 }, 0, { 0 } };
        pair p;
        ws_config a;
        memset(&p, 0, sizeof p);
        world_init(&p.w);
        a = world_config(&p.w);
        a.deflate = &d;
        side_new(&p.server, &p.w, 0, &a);
        a.alloc = NULL;
        a.memory = block;
        a.memory_extension = 11392 + 8704 + 1024 + 2500;
        a.memory_size = WS_MEMORY_SIZE(6000, 2000) + a.memory_extension;
        a.memory_send = 2000;
        a.parts_over = over[i];
        CHECK(a.memory_size <= sizeof block);
        side_new(&p.client, &p.w, 1, &a);
        p.client.event = got_event;
        p.client.user = &have;
        pair_run(&p);
        CHECK_INT(ws_send(p.server.c, WS_OP_TEXT, text, sizeof text), 0);
        CHECK_INT(ws_send(p.server.c, WS_OP_TEXT, text, 300), 0);
        pair_run(&p);
        CHECK_INT(p.client.error, 0);
        CHECK_INT(have.n, 2);
        CHECK(have.all.n == sizeof text + 300 && !memcmp(have.all.p, text, sizeof text));
        buf_free(&have.all);
        side_free(&p.client);
        side_free(&p.server);
    }
}

/* What fits as it is goes, also where its compressed form does not; a part that might
   not is refused before the encoder sees it. */
TEST(tight_memory_of_the_caller)
{
    static uint64_t block[6000];
    static char text[9000];
    ws_deflate d = { 0 };
    uint64_t r = 5;
    size_t n;
    int how, whole = 0;

    for (n = 0; n < sizeof text; n++) text[n] = (char)(rng_next(&r) >> 40);
    d.server_max_window_bits = d.client_max_window_bits = 9;
    d.mem_level = 1;
    d.threshold = 1;
    for (how = 0; how < 4; how++)
        for (n = 3600; n < 4100; n += 7) {
            got have = { { 0 }, 0, { 0 }, 0, { 0 } };
            pair p;
            ws_config a;
            int i, e = 0, sent = 0;
            memset(&p, 0, sizeof p);
            world_init(&p.w);
            d.client_no_context_takeover = how & 1;
            a = world_config(&p.w);
            a.deflate = &d;
            side_new(&p.server, &p.w, 0, &a);
            p.server.event = got_event;
            p.server.user = &have;
            a.alloc = NULL;
            a.memory = block;
            a.memory_extension = 11392 + 8704 + 1024 + 1000;
            a.memory_size = WS_MEMORY_SIZE(6000, 4000) + a.memory_extension;
            a.memory_send = 4000;
            CHECK(a.memory_size <= sizeof block);
            side_new(&p.client, &p.w, 1, &a);
            pair_run(&p);
            for (i = 0; i < 3; i++) {
                const char *from = text + 1000 * i;
                e = how < 2 ? ws_send(p.client.c, 2, from, n)
                    : i     ? ws_send_part(p.client.c, 2, from, n, 0)
                            : ws_send_part(p.client.c, 2, "hello, hello", 12, 0);
                CHECK(!e ||
                      (e == WS_ERR_ARGUMENT && (how < 2 ? n > 3980 : i > 0 && n > 3600)));
                if (!e && (how < 2 || i)) sent++;
                pair_run(&p);
            }
            if (how > 1) CHECK_INT(ws_send_part(p.client.c, 2, "", 0, 1), 0);
            pair_run(&p);
            CHECK_INT(ws_error(p.client.c), 0);
            CHECK_INT(p.server.error, 0);
            CHECK_INT(have.all.n, (size_t)sent * n + (how < 2 ? 0 : 12));
            whole += sent == (how < 2 ? 3 : 2);
            buf_free(&have.all);
            side_free(&p.client);
            side_free(&p.server);
            if (test_faults > 5) return;
        }
    CHECK(whole > 140);
    printf("  %d went whole\n", whole);
}

/* The state in is given back when the one out cannot begin. */
static int half_begin(void *user, uint32_t agreed, int encode, void *state)
{
    return encode ? WS_ERR_MEMORY : dbl_begin(user, agreed, encode, state);
}
static size_t huge_size(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user; (void)agreed;
    *alone = 0;
    return (size_t)0 - (encode ? 3 : 5000);
}
static size_t huge_deflate(int bits, int mem_level)
{
    return (size_t)0 - (size_t)(bits + mem_level) / 8;
}
static size_t huge_inflate(int bits) { return (size_t)0 - (size_t)bits / 8; }

TEST(states_that_cannot_be)
{
    static uint64_t block[4000];
    int i;

    for (i = 0; i < 5; i++) {
        doubling user = { 5, 0, 0, 0 };
        ws_extension x = dbl(&user);
        ws_codec codec = counting;
        ws_deflate d = { 0 };
        ws_config cfg;
        world w;
        side s;
        if (i == 0) x.begin = half_begin;
        else x.state_size = huge_size;
        codec.deflate_size = huge_deflate;
        codec.inflate_size = huge_inflate;
        d.codec = &codec;
        d.threshold = 1;
        memset(more_list, 0, sizeof more_list);
        more_list[0][0] = &x;
        world_init(&w);
        cfg = world_config(&w);
        if (i < 3) cfg.extensions = more_list[0];
        else cfg.deflate = &d;
        if (i == 0 || i == 2 || i == 4) {
            cfg.alloc = NULL;
            cfg.memory = block;
            cfg.memory_extension = 8000;
            cfg.memory_size = WS_MEMORY_SIZE(4000, 4000) + 8000;
        }
        server_open(&s, &w, &cfg, i < 3 ? "x-double; key=5" : "permessage-deflate");
        if (s.opens) {
            int r = ws_send_text(s.c, "hello, hello");
            CHECK(i == 3 ? r == 0 : r == WS_ERR_MEMORY);
            side_frame(&s, i < 3 ? 0xA1 : 0xC1, "6868", 4);
            CHECK(s.error == WS_ERR_CODEC || s.error == WS_ERR_MEMORY);
        } else {
            CHECK(i != 1 && i != 3 && s.error != 0);
        }
        side_over(&s);
        CHECK_INT(user.begun, user.ended);
    }
}

#ifndef _WIN32
#include <sys/socket.h>
#include <unistd.h>

/* ---- many receivers ---- */

static void loop_turns(ws_loop *loop, int ms, got *g, int *opened)
{
    ws_event ev;
    uint64_t end = ws_loop_now(loop) + (uint64_t)ms;

    while (ws_poll_until(loop, &ev, end) > 0) {
        if (ev.type == WS_EV_OPEN && ws_is_client(ev.conn)) ++*opened;
        if (ev.type == WS_EV_CLOSE) CHECK_INT(ev.error, 0);
        if (ev.type == WS_EV_MESSAGE && ws_is_client(ev.conn)) {
            got *mine = &g[(intptr_t)ws_user(ev.conn)];
            buf_add(&mine->all, ev.data, ev.size);
            mine->n++;
        }
    }
}

TEST(broadcast_encodes_once)
{
    enum { N = 12 };
    char text[9000], random[3000], address[40];
    uint64_t r = 1;
    size_t i;
    int alone;

    for (i = 0; i < sizeof text; i++) text[i] = fill_at(i / 5);
    for (i = 0; i < sizeof random; i++) random[i] = (char)(rng_next(&r) >> 40);
    for (alone = 0; alone < 2; alone++) {
        ws_deflate server = { 0 }, client = { 0 }, narrow = { 0 };
        ws_config cfg, with, other, none;
        ws_loop *loop = ws_loop_new(NULL);
        ws_conn *c = NULL;
        got g[N];
        int port, opened = 0, k;
        long inits;
        memset(g, 0, sizeof g);
        memset(&cfg, 0, sizeof cfg);
        server.codec = client.codec = narrow.codec = &counting;
        server.server_no_context_takeover = alone;
        narrow.server_max_window_bits = 10;
        cfg.deflate = &server;
        port = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
        with = other = none = cfg;
        with.deflate = &client;
        other.deflate = &narrow;
        none.deflate = NULL;
        sprintf(address, "ws://127.0.0.1:%d/", port);
        for (k = 0; k < N; k++) {
            ws_config *use = k % 3 == 0 ? &with : k % 3 == 1 ? &other : &none;
            use->user = (void *)(intptr_t)k;
            ws_dial(loop, address, use);
        }
        loop_turns(loop, 300, g, &opened);
        CHECK_INT(opened, N);
        while ((c = ws_each(loop, c)) != NULL) if (!ws_is_client(c)) ws_join(c, "all");
        memset(&tally, 0, sizeof tally);
        CHECK_INT(ws_broadcast(loop, NULL, WS_OP_BINARY, text, sizeof text), N);
        inits = tally.inits;
        CHECK_INT(tally.in,
                  (alone ? 2 : 8) * sizeof text); /* two sets, or eight connections */
        CHECK_INT(inits, alone ? 2 : 8);
        CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_BINARY, random, sizeof random), N);
        CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_BINARY | WS_OP_PLAIN, text, 5000),
                  N);
        CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_BINARY, text, 100), N);
        CHECK_INT(ws_publish_latest(loop, "all", 3, WS_OP_BINARY, text, 2000), N);
        loop_turns(loop, 300, g, &opened);
        for (k = 0; k < N; k++) {
            CHECK_INT(g[k].n, 5);
            CHECK_INT(g[k].all.n, sizeof text + sizeof random + 5000 + 100 + 2000);
            CHECK(g[k].all.n > sizeof text && !memcmp(g[k].all.p, text, sizeof text) &&
                  !memcmp(g[k].all.p + sizeof text, random, sizeof random));
            buf_free(&g[k].all);
        }
        ws_loop_free(loop);
    }
}

/* Whoever agrees to something else each makes the server encode once more, not once for
   each. */
TEST(broadcast_to_many_sets)
{
    enum { N = 24 };
    char text[9000], address[40];
    size_t i;
    int first;

    for (i = 0; i < sizeof text; i++) text[i] = fill_at(i / 5);
    for (first = 0; first < 2; first++) {
        ws_deflate server = { 0 };
        ws_config cfg;
        ws_loop *loop = ws_loop_new(NULL);
        got g[N];
        int opened = 0, k;
        ws_conn *c = NULL;
        memset(g, 0, sizeof g);
        memset(&cfg, 0, sizeof cfg);
        server.codec = &counting;
        server.server_no_context_takeover = 1;
        cfg.deflate = &server;
        sprintf(address, "ws://127.0.0.1:%d/",
                ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg)));
        for (k = 0; k < N; k++) {
            ws_deflate client = { 0 };
            ws_config one = cfg;
            client.codec = &counting;
            client.server_max_window_bits = k < 6 ? 9 + k : 15;
            one.deflate = &client;
            one.user = (void *)(intptr_t)k;
            ws_dial(loop, address, &one);
        }
        loop_turns(loop, 300, g, &opened);
        CHECK_INT(opened, N);
        memset(&tally, 0, sizeof tally);
        for (k = 0; k < 2; k++)         /* the odd ones stand first, or last */
            while ((c = ws_each(loop, c)) != NULL)
                if (!ws_is_client(c) &&
                    (strstr(ws_extensions(c), "bits") != NULL) == (k != first))
                    ws_join(c, "all");
        CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_BINARY, text, sizeof text), N);
        CHECK(tally.inits >= 7 && tally.inits <= 9);
        loop_turns(loop, 300, g, &opened);
        for (k = 0; k < N; k++) {
            CHECK(g[k].n == 1 && g[k].all.n == sizeof text &&
                  !memcmp(g[k].all.p, text, sizeof text));
            buf_free(&g[k].all);
        }
        ws_loop_free(loop);
    }
}

/* Listeners whose settings compress alike share what was encoded; others do not. */
TEST(broadcast_over_listeners)
{
    enum { LISTENERS = 7, EACH = 2, N = LISTENERS * EACH };
    static const struct {
        int differs, sets;
    } of[] = { { 0, 1 }, { 1, 2 }, { 2, 2 }, { 3, 2 }, { 4, 2 }, { 5, 1 } };
    ws_codec second = counting;
    char text[9000];
    size_t i, k;

    for (i = 0; i < sizeof text; i++) text[i] = fill_at(i / 5);
    for (i = 0; i < sizeof of / sizeof *of; i++) {
        ws_loop *loop = ws_loop_new(NULL);
        ws_conn *c = NULL;
        got g[N];
        int port[LISTENERS], opened = 0;
        memset(g, 0, sizeof g);
        for (k = 0; k < LISTENERS; k++) {
            ws_deflate server = { 0 };
            ws_config cfg;
            memset(&cfg, 0, sizeof cfg);
            server.codec = &counting;
            server.server_no_context_takeover = 1;
            server.level = 6;
            if (k % 2) switch (of[i].differs) {
            case 1: server.level = 1; break;
            case 2: server.mem_level = 1; break;
            case 3: server.codec = &second; break;
            case 4: server.server_max_window_bits = 10; break;
            case 5: server.threshold = 100; server.level = 0; break;    /* 6 it is */
            }
            cfg.deflate = &server;
            port[k] = ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg));
        }
        for (k = 0; k < N; k++) {
            ws_deflate client = { 0 };
            ws_config cfg;
            char address[40];
            memset(&cfg, 0, sizeof cfg);
            client.codec = &counting;
            cfg.deflate = &client;
            cfg.user = (void *)k;
            sprintf(address, "ws://127.0.0.1:%d/", port[k % LISTENERS]);
            ws_dial(loop, address, &cfg);
        }
        loop_turns(loop, 300, g, &opened);
        CHECK_INT(opened, N);
        while ((c = ws_each(loop, c)) != NULL) if (!ws_is_client(c)) ws_join(c, "all");
        memset(&tally, 0, sizeof tally);
        CHECK_INT(ws_publish(loop, "all", NULL, WS_OP_BINARY, text, sizeof text), N);
        CHECK_INT(tally.inits, of[i].sets);
        loop_turns(loop, 300, g, &opened);
        for (k = 0; k < N; k++) {
            CHECK(g[k].n == 1 && g[k].all.n == sizeof text &&
                  !memcmp(g[k].all.p, text, sizeof text));
            buf_free(&g[k].all);
        }
        ws_loop_free(loop);
    }
}

/* A kilobyte that is a megabyte counts as one: others have their turn in between. */
TEST(sec_F1_bombs_take_turns)
{
    char *zeros = (char *)calloc(1, 1 << 20);
    ws_deflate d = { 0 };
    buf z = { 0 }, bombs = { 0 }, hello = { 0 };
    int i, parts;

    squeeze(&z, zeros, 1 << 20, 15, Z_SYNC_FLUSH);
    for (i = 0; i < 12; i++) put_frame(&bombs, 0xC2, 1, z.p, z.n, 0);
    put_frame(&hello, 0x81, 1, "hello", 5, 0);
    for (parts = 0; parts < 2; parts++) {
        static const char request[] =
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: " KEY
            "\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        ws_loop *loop = ws_loop_new(NULL);
        size_t at_once = 0, most = 0, all = 0;
        int ends[2][2], opened = 0, greeted = 0;
        ws_config cfg;
        ws_event ev;
        uint64_t end = ws_loop_now(loop) + 5000;
        memset(&cfg, 0, sizeof cfg);
        cfg.deflate = &d;
        cfg.parts_over = parts ? 1000 : 0;
        for (i = 0; i < 2; i++) {
            CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
            CHECK(ws_adopt(loop, ends[i][0], NULL, 0, &cfg) != NULL);
            CHECK(write(ends[i][1], request, sizeof request - 1) > 0);
        }
        while (opened < 2 && ws_poll_until(loop, &ev, end) > 0)
            opened += ev.type == WS_EV_OPEN;
        CHECK_INT(opened, 2);
        CHECK_INT(write(ends[0][1], bombs.p, bombs.n), bombs.n);
        for (i = 0; i < 12; i++) CHECK(write(ends[1][1], hello.p, hello.n) > 0);
        while ((all < (12u << 20) || greeted < 12) && ws_poll_until(loop, &ev, end) > 0) {
            if (ev.size == 5) { at_once = 0; greeted++; continue; }
            all += ev.size;
            at_once += greeted < 12 ? ev.size : 0;
            if (at_once > most) most = at_once;
        }
        CHECK_INT(all, 12 << 20);
        CHECK(most < (1 << 20) + 65536);
        if (test_faults) printf("  %d bytes before others\n", (int)most);
        ws_loop_free(loop);
        close(ends[0][1]);
        close(ends[1][1]);
    }
    buf_free(&z);
    buf_free(&bombs);
    buf_free(&hello);
    free(zeros);
}

/* More than the backlog holds, sent at one event: what is compressed leaves in
   between. */
TEST(many_messages_in_one_turn)
{
    ws_deflate d = { 0 };
    ws_config cfg;
    ws_loop *loop = ws_loop_new(NULL);
    char text[4000], address[40];
    int refused = 0, sent = 0, got_n = 0, i;
    ws_event ev;
    uint64_t r = 1, end;

    memset(&cfg, 0, sizeof cfg);
    d.threshold = 1;
    cfg.deflate = &d;
    cfg.max_backlog = 60000;
    sprintf(address, "ws://127.0.0.1:%d/",
            ws_listen_port(loop, ws_listen(loop, "127.0.0.1:0", &cfg)));
    ws_dial(loop, address, &cfg);
    end = ws_loop_now(loop) + 3000;
    while ((!sent || got_n < sent) && ws_poll_until(loop, &ev, end) > 0) {
        if (ev.type == WS_EV_MESSAGE) got_n++;
        if (ev.type == WS_EV_OPEN && !ws_is_client(ev.conn))
            for (i = 0; i < 60; i++) {
                int e, k;
                for (k = 0; k < 4000; k++) text[k] = (char)('a' + (rng_next(&r) >> 60));
                e = ws_send(ev.conn, WS_OP_TEXT, text, sizeof text);
                refused += e != 0;
                sent += !e;
            }
    }
    CHECK_INT(refused, 0);
    CHECK_INT(got_n, 60);
    ws_loop_free(loop);
}
#endif

#ifdef _WIN32
#define SOCKET_TESTS
#else
#define SOCKET_TESTS T(broadcast_encodes_once) T(broadcast_to_many_sets) \
    T(broadcast_over_listeners) T(sec_F1_bombs_take_turns) \
    T(many_messages_in_one_turn)
#endif
TESTS(T(parameters) T(configurations) T(extension_of_ones_own) T(accept_again)
      T(rfc_examples_at_every_split) T(rfc_examples_sent) T(sec_B4_B5_offers)
      T(sec_B4_B5_answers) T(sec_F5_every_combination) T(fragments_parts_and_frames)
      T(sec_F1_bombs) T(limit_is_of_one_message) T(sec_F2_shortest_payloads)
      T(sec_F2_garbage_like_zlib) T(reserved_bits) T(utf8_of_decoded_text)
      T(field_34_final_block_ends_the_message)
      T(field_34_peers_that_finish_each_message) T(field_34_limits_hold)
      T(sec_F4_window_of_256) T(codec_that_cannot_begin) T(codec_without_a_tail)
      T(empty_after_another) T(sec_F3_lying_codec) T(sec_F3_lying_extension)
      T(nth_allocation) T(sec_F6_one_byte_writes) T(dropped_and_replaced_messages)
      T(required) T(field_29_interim_answers_are_no_body) T(memory_of_a_connection)
      T(memory_of_the_caller) T(parts_in_memory_of_the_caller)
      T(tight_memory_of_the_caller) T(states_that_cannot_be) SOCKET_TESTS)

#else
int main(int argc, char **argv)
{
    static const test_case all[] = { T(parameters) T(configurations)
                                         T(extension_of_ones_own) T(accept_again) };

    printf("SKIP test_deflate: no zlib here; what compresses is not tested\n");
    return test_main(all, sizeof all / sizeof *all, argc, argv);
}
#endif

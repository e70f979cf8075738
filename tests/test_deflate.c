/* permessage-deflate (RFC 7692) and the extension interface, over the engine: negotiation on
   both roles, messages both ways, what hostile peers, codecs and allocators do. Without
   WS_USE_ZLIB only what needs no compression is tested, and the rest says SKIP. */
#define WS_IMPLEMENTATION
#include "ws.h"
#include "test.h"
#include "engine.h"

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
                "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"
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
    { "7.2.3.2", "c1xf248cdc9c90700 c1xf200110000 c1xf200110000", "O T'Hello' T'Hello' T'Hello' " },
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
    { "every byte a frame", "41xf2 00x48 00xcd 00 00xc9 89 00xc9 00x07 80x00", "O p'' T'Hello' " },
    { "end without a byte", "41xf248cdc9c90700 80", "O T'Hello' " },
};

TEST(rfc_examples_at_every_split)
{
    size_t i, k;

    for (i = 0; i < sizeof examples / sizeof *examples; i++) {
        buf in = { 0 };
        put_spec(&in, examples[i].frames, 1);
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
            side_done(&s);
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
        CHECK_STR(ws_extensions(s.c), alone ? "permessage-deflate; server_no_context_takeover"
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
            CHECK(text.n == 9 + 7 + 7 + 2 + 7 && !memcmp(text.p,
                "\xc1\7\xf2\x48\xcd\xc9\xc9\7\0\xc1\5\xf2\0\x11\0\0\x81\5Hello\x81\0\x89\5Hello", text.n));
        side_done(&s);
    }
    buf_free(&text);
}

/* ---- parameters ---- */

typedef struct offer_case { const char *offer; int server_bits, client_bits, server_alone, client_alone; const char *answer; } offer_case;

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

static const char *const bad_bits[] = {
    "7", "16", "0", "1", "1000", "08", "015", "+9", "-9", "1e1", "9.0", "0x9", "99999999999999999999",
    "9a", "a", "10\"", "18446744073709551625", "255", "256"
};

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
        CHECK_INT(s.opened, 1);
        CHECK_STR(ws_extensions(s.c), o->answer ? o->answer : "");
        CHECK_INT(strstr(buf_c(&s.out), want.p) != NULL, o->answer != NULL);
        buf_free(&want);
    }
    if (test_faults) printf("  offer %s: %s\n", o->offer, s.out.p);
    side_done(&s);
}

/* An offer that is not valid is declined (RFC 7692 7.1), one that is no offer at all refused
   (RFC 6455 9.1). */
TEST(sec_B4_B5_offers)
{
    size_t i;
    char text[200];

    for (i = 0; i < sizeof offers / sizeof *offers && !test_faults; i++) offer_check(&offers[i]);
    for (i = 0; i < 2 * (sizeof bad_bits / sizeof *bad_bits) && !test_faults; i++) {
        offer_case o = { text, 0, 0, 0, 0, NULL };
        const char *bits = bad_bits[i / 2];
        sprintf(text, PMD "; %s=%s", i & 1 ? SMW : CMW, bits);
        if (strchr(bits, '"')) o.answer = "400";
        offer_check(&o);
    }
}

typedef struct answer_case { const char *offer, *answer; int server_bits, client_bits, server_alone, client_alone; const char *why; } answer_case;

static const answer_case answers[] = {
    { PMD "; " CMW, PMD, 0, 0, 0, 0, NULL },
    { PMD "; " CMW, "", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SNC "; " CNC, 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SMW "=9; " CMW "=\"9\"", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " SMW "=8", 0, 0, 0, 0, NULL },
    { PMD "; " CMW, PMD "; " CMW "=8", 0, 0, 0, 0, NULL },      /* then nothing is compressed */
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
    { PMD "; " CMW, PMD "\r\nSec-WebSocket-Extensions: " PMD, 0, 0, 0, 0, "more than one" },
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
    side_client_answer(&answer, &s.out, line);
    side_feed(&s, answer.p, answer.n);
    if (a->why) {
        CHECK_INT(s.error, WS_ERR_EXTENSION);
        CHECK(strstr(s.reason, a->why) != NULL);
        CHECK_INT(s.opened, 0);
    } else {
        CHECK_INT(s.opened, 1);
        if (!strchr(a->answer, '"')) CHECK_STR(ws_extensions(s.c), a->answer);
        CHECK_INT(ws_send_text(s.c, "still works"), 0);
    }
    if (test_faults) printf("  answer %s: %s %s\n", a->answer, s.out.p, s.reason);
    buf_free(&answer);
    buf_free(&want);
    side_done(&s);
}

TEST(sec_B4_B5_answers)
{
    size_t i;
    char text[200];

    for (i = 0; i < sizeof answers / sizeof *answers && !test_faults; i++) answer_check(&answers[i]);
    for (i = 0; i < 2 * (sizeof bad_bits / sizeof *bad_bits) && !test_faults; i++) {
        const char *bits = bad_bits[i / 2];
        answer_case a = { PMD "; " CMW, text, 0, 0, 0, 0, strchr(bits, '"') ? "malformed" : "parameters" };
        sprintf(text, PMD "; %s=%s", i & 1 ? SMW : CMW, bits);
        answer_check(&a);
    }
}

/* ---- both ways, every combination of parameters ---- */

/* The i-th of a few messages: small and large, of all kinds of bytes. */
static size_t message(char *to, int i)
{
    static const size_t sizes[] = { 0, 1, 5, 63, 64, 65, 1000, 4096, 20000, 65536, 70001, 3, 300000 };
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

static void both_ways(const ws_deflate *client, const ws_deflate *server, size_t step, int how, int count)
{
    got to_client = { { 0 }, 0, { 0 }, 0, { 0 } }, to_server = to_client, want = to_client, want_back = to_client;
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
        if (i & 32) memset(&client, 0, sizeof client);      /* the server wants all of it */
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
                if (test_faults) printf("  fragment %d parts %d\n", (int)more_fragment, k);
            }
    more_fragment = more_parts = 0;
    more_frames = 0;
}

TESTS(T(rfc_examples_at_every_split) T(rfc_examples_sent) T(sec_B4_B5_offers) T(sec_B4_B5_answers)
      T(sec_F5_every_combination) T(fragments_parts_and_frames))

#else
TEST(nothing) { printf("SKIP deflate: built without zlib\n"); }
TESTS(T(nothing))
#endif

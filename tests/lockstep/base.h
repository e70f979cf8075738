/* Of both sides: the log, the dice, an end and what is set for it. Include after the bodies. */
#ifndef LOCKSTEP_BASE_H
#define LOCKSTEP_BASE_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "script.h"

static void test_fault(const char *file, int line, const char *what);

#define CHECK(cond) ((cond) ? (void)0 : test_fault(__FILE__, __LINE__, #cond))
#define CHECK_INT(have, want) CHECK((long long)(have) == (long long)(want))
#define CHECK_STR(have, want) CHECK(!strcmp(have, want))
#include "fixture/world.h"
#include "fixture/frames.h"

/* ---- the log ---- */

static buf out;

static void say(const char *format, ...)
{
    char line[600];
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    buf_add(&out, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

static void say_data(const char *name, const void *data, size_t n)
{
    say("  %s %u ", name, (unsigned)n);
    show(&out, data, n);
    say("\n");
}

static void say_text(const char *name, const char *text)
{
    say_data(name, text, strlen(text));
}

static void say_result(const char *name, long long result)
{
    say("  %s -> %lld\n", name, result);
}

/* Of what is a length or a fault: 0.1 had 0 or -1 for every fault. */
static size_t length_of(long long result) { return result < 0 ? 0 : (size_t)result; }

static void say_length(const char *name, long long result)
{
    say_result(name, result < 0 ? -1 : result);
}

static void test_fault(const char *file, int line, const char *what)
{
    say("  fault at %s:%d: %s\n", file, line, what);
}

/* ---- the dice ---- */

static uint64_t seed;           /* of the group that is played: each has its own */

/* Never twice in one expression: the order would be the compiler's. */
static uint32_t dice(uint32_t below)
{
    return rng_to(&seed, below);
}

static int seldom(uint32_t one_in)
{
    return !dice(one_in);
}

#define PICK(array) ((array)[dice((uint32_t)(sizeof(array) / sizeof *(array)))])

static void dice_of(const uint8_t *group)
{
    int i;

    for (seed = 0xCBF29CE484222325u, i = 0; i < GROUP; i++) {
        seed = (seed ^ group[i]) * 0x100000001B3u;
    }
}

/* ---- an end ---- */

typedef struct end end;
struct end {
    ws_conn *c;
    const profile *p;
    world w;
    int client;
    int over;                   /* its CLOSE was pulled */
    end *other;                 /* NULL: the peer is made up */
    void *block;
    buf in;                     /* from the peer, from at on not yet taken */
    size_t at;
    int in_over;                /* and no more will come */
    buf sent;                   /* all it gave out */
    int answered;               /* client: the answer to its request was made */
    int part_op;                /* of the peer's message that goes on, 0: none */
    size_t source_left;         /* of the message that is pulled from a function */
    uint64_t source_seed;
    size_t read_most, write_most, read_room, write_room;    /* of the transport, until refilled */
    int read_then, write_then;  /* what it says when there is no room */
};

static const uint8_t *file_bytes;
static size_t file_left;

/* Runs of letters: the same for all sizes, and smaller when packed. */
static const char *filling_at(size_t from)
{
    static char text[80000];
    size_t i;

    if (!text[0]) {
        for (i = 0; i < sizeof text; i++) text[i] = (char)('a' + i / 7 % 26);
    }
    return text + from;
}

static const char *filling(void)
{
    return filling_at(dice(64));
}

static void put_filling(buf *b, size_t n)
{
    buf_add(b, filling(), n);
}

static size_t any_size(void)
{
    static const uint32_t edges[] = {
        0, 1, 2, 123, 124, 125, 126, 127, 128, 1023, 1024, 2048, 4095, 4096, 4097, 16384, 65535,
        65536, 70000
    };

    if (seldom(8)) return PICK(edges);
    if (seldom(4)) return dice(3000);
    return dice(60);
}

/* ---- a codec: runs of bytes as (1..255, byte), flushed by 00 00 FF FF ---- */

typedef struct runs { uint32_t stage, count, byte; } runs;

static size_t runs_deflate_size(int bits, int level)
{
    (void)level;
    return bits < 9 ? 0 : sizeof(runs);
}

static size_t runs_inflate_size(int bits)
{
    (void)bits;
    return sizeof(runs);
}

static int runs_deflate_init(void *state, size_t size, int bits, int mem_level, int level)
{
    (void)bits;
    (void)mem_level;
    (void)level;
    memset(state, 0, size);
    return 0;
}

static int runs_inflate_init(void *state, size_t size, int bits)
{
    return runs_deflate_init(state, size, bits, 0, 0);
}

static int runs_deflate(void *state, const void *data, size_t *in_size, void *to,
                        size_t *out_size, int flush)
{
    const uint8_t *in = (const uint8_t *)data;
    uint8_t *at = (uint8_t *)to;
    size_t taken = 0, made = 0;
    int done;

    (void)state;
    while (taken < *in_size && *out_size - made >= 2) {
        size_t n = 1;
        while (n < 255 && taken + n < *in_size && in[taken + n] == in[taken]) n++;
        at[made++] = (uint8_t)n;
        at[made++] = in[taken];
        taken += n;
    }
    done = taken == *in_size && (!flush || *out_size - made >= 4);
    if (done && flush) {
        memcpy(at + made, "\0\0\xFF\xFF", 4);
        made += 4;
    }
    *in_size = taken;
    *out_size = made;
    return done;
}

static int runs_inflate(void *state, const void *data, size_t *in_size, void *to,
                        size_t *out_size)
{
    static const uint8_t mark[4] = { 0, 0, 0xFF, 0xFF };
    const uint8_t *in = (const uint8_t *)data;
    uint8_t *at = (uint8_t *)to;
    runs *r = (runs *)state;
    size_t taken = 0, made = 0;
    int bad = 0;

    for (;;) {
        while (r->count && r->stage == 0 && made < *out_size) {
            at[made++] = (uint8_t)r->byte;
            r->count--;
        }
        if (taken == *in_size || made == *out_size || bad) break;
        if (r->stage == 0) {
            r->count = in[taken++];
            r->stage = r->count ? 9 : 1;
        } else if (r->stage == 9) {
            r->byte = in[taken++];
            r->stage = 0;
        } else {
            bad = in[taken++] != mark[r->stage];
            r->stage = (r->stage + 1) % 4;
        }
    }
    *in_size = taken;
    *out_size = made;
    return bad ? WS_ERR_DECODE : made < *out_size && r->stage == 0;
}

static const ws_codec runs_codec = {
    runs_deflate_size, runs_inflate_size, runs_deflate_init, runs_inflate_init, runs_deflate,
    runs_inflate
};

/* ---- an extension: every byte changed by one bit, RSV2 ---- */

static int flip_offer(void *user, int i, char *text, size_t n)
{
    (void)user;
    if (i > 1) return -1;
    snprintf(text, n, i ? "" : "; level=1");
    return 0;
}

static int flip_accept(void *user, ws_str offer, char *answer, size_t n, uint32_t *agreed)
{
    (void)user;
    *agreed = offer.size > 0;
    snprintf(answer, n, offer.size ? "; level=1" : "");
    return 0;
}

static int flip_confirm(void *user, ws_str answer, uint32_t *agreed)
{
    (void)user;
    *agreed = answer.size > 0;
    return answer.size > 12 ? -1 : 0;
}

static size_t flip_state_size(void *user, uint32_t agreed, int encode, int *alone)
{
    (void)user;
    (void)encode;
    *alone = agreed == 0;
    return 8;
}

static int flip_begin(void *user, uint32_t agreed, int encode, void *state)
{
    (void)user;
    (void)agreed;
    (void)encode;
    memset(state, 0, 8);
    return 0;
}

static int flip_encode(void *user, void *state, const void *in, size_t *in_size, void *to,
                       size_t *out_size, int flush)
{
    size_t n = *in_size < *out_size ? *in_size : *out_size, i;
    int all = n == *in_size;

    (void)user;
    (void)state;
    (void)flush;
    for (i = 0; i < n; i++) ((uint8_t *)to)[i] = ((const uint8_t *)in)[i] ^ 1;
    *in_size = *out_size = n;
    return all;
}

static int flip_decode(void *user, void *state, const void *in, size_t *in_size, void *to,
                       size_t *out_size, int last)
{
    if (*in_size && *(const uint8_t *)in == 0xEE) return WS_ERR_DECODE;
    return flip_encode(user, state, in, in_size, to, out_size, last);
}

static const ws_extension flip = {
    "x-flip", 2, 0, 0, 0, NULL, flip_offer, flip_accept, flip_confirm, flip_state_size,
    flip_begin, flip_encode, flip_decode, NULL
};
static const ws_extension flip_smaller = {
    "x-flip", 2, 1, 10, 1, NULL, flip_offer, flip_accept, flip_confirm, flip_state_size,
    flip_begin, flip_encode, flip_decode, NULL
};

/* ---- the application's transport: room for so many bytes in each call of the script ---- */

static void peer_answers(end *e);

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void transport_refill(end *e)
{
    static const int pauses[] = {
        WS_IO_WANT_READ, WS_IO_WANT_READ, WS_IO_WANT_READ, WS_IO_WANT_WRITE
    };
    static const size_t mosts[] = { 1, 7, 100, 4096, 100000, 100000 };

    e->read_most = PICK(mosts);
    e->write_most = PICK(mosts);
    e->read_room = seldom(3) ? dice(60) : 100000;
    e->write_room = seldom(3) ? dice(60) : 100000;
    e->read_then = seldom(60) ? WS_IO_ERROR : PICK(pauses);
    e->write_then = seldom(60) ? WS_IO_ERROR : seldom(20) ? WS_IO_WANT_READ : WS_IO_WANT_WRITE;
}

static ptrdiff_t transport_read(void *user, void *to, size_t n)
{
    end *e = (end *)user;
    size_t have;

    if (e->p->driver == BLOCKING) peer_answers(e);
    have = e->in.n - e->at;
    if (!e->read_room) return e->read_then;
    if (!have) return e->in_over ? 0 : (ptrdiff_t)WS_IO_WANT_READ;
    n = least(least(n, have), least(e->read_most, e->read_room));
    memcpy(to, e->in.p + e->at, n);
    e->at += n;
    e->read_room -= n;
    return (ptrdiff_t)n;
}

/* Bytes that the end gave out: its peer gets them. */
static void gives(end *e, const void *data, size_t n)
{
    buf_add(&e->sent, data, n);
    if (e->other) buf_add(&e->other->in, data, n);
}

static ptrdiff_t transport_write(void *user, const void *data, size_t n)
{
    end *e = (end *)user;

    if (!e->write_room) return e->write_then;
    n = least(n, least(e->write_most, e->write_room));
    gives(e, data, n);
    e->write_room -= n;
    return (ptrdiff_t)n;
}

static void transport_close(void *user)
{
    end *e = (end *)user;

    say("  transport closed\n");
    if (e->other) e->other->in_over = 1;
}

/* A blocking client waits: the time goes on, and the transport has room again. */
static void transport_wait(void *user, int wants, int ms)
{
    end *e = (end *)user;

    say("  waits for %d\n", wants);
    now += ms < 0 || ms > 400 ? 400u : ms ? (unsigned)ms : 1u;
    e->read_room = e->write_room = 300;
}

static const char *transport_why(void *user)
{
    (void)user;
    return "the line is broken";
}

/* ---- settings ---- */

static const ws_header good_lines[] = {
    { "X-One", "1" }, { "Content-Type", "text/plain" }, { "Set-Cookie", "a=b" }, { NULL, NULL }
};
static const ws_header few_lines[] = { { "Origin", "http://example.com" }, { NULL, NULL } };
static const ws_header sized_lines[] = { { "Content-Length", "5" }, { NULL, NULL } };
static const ws_header bad_lines[] = { { "X-One", "a\r\nb" }, { NULL, NULL } };
static const ws_header ours_lines[] = { { "Upgrade", "x" }, { NULL, NULL } };

static const ws_header *any_lines(void)
{
    static const ws_header *const lines[] = {
        NULL, NULL, NULL, NULL, good_lines, good_lines, good_lines, few_lines
    };

    if (seldom(30)) return bad_lines;
    if (seldom(30)) return ours_lines;
    if (seldom(20)) return sized_lines;
    return PICK(lines);
}

static void set_limits(ws_config *cfg)
{
    static const uint32_t messages[] = { 0, 0, 0, 300, 2000, 70000 };
    static const uint32_t backlogs[] = { 0, 0, 512, 3000, 40000 };
    static const uint32_t parts[] = { 1, 40, 1000 };
    static const uint32_t cuts[] = { 1, 30, 125, 126, 1000 };

    cfg->max_message = PICK(messages);
    cfg->max_backlog = PICK(backlogs);
    if (seldom(5)) cfg->max_fragments = 1 + dice(5);
    if (seldom(12)) cfg->max_head = 150 + dice(300);
    if (seldom(12)) cfg->max_headers = 3 + dice(8);
    if (seldom(8)) cfg->max_frame = 250;
    if (seldom(4)) cfg->parts_over = PICK(parts);
    if (seldom(8)) cfg->frames = 1;
    if (seldom(4)) cfg->fragment = PICK(cuts);
    cfg->manual_pong = seldom(6);
    cfg->drop_oldest = seldom(8);
    cfg->drop_slow = seldom(8);
}

static void set_times(ws_config *cfg)
{
    if (seldom(3)) cfg->handshake_timeout = 500;
    if (seldom(3)) cfg->ping_interval = seldom(4) ? WS_NEVER : 1000;
    if (seldom(3)) cfg->ping_timeout = 700;
    if (seldom(3)) cfg->close_timeout = 300;
    if (seldom(3)) cfg->idle_timeout = 3000;
    if (seldom(2)) cfg->send_timeout = 900;
}

static void set_server(ws_config *cfg)
{
    static const ws_route routes[] = {
        { "/chat", NULL, 3 }, { "/", "chat", 4 }, { "/a/*", "two", 5 }, { "/*/b", NULL, 6 },
        { NULL, NULL, 0 }
    };
    static const ws_route bad_routes[] = { { "x", NULL, 3 }, { NULL, NULL, 0 } };
    static const char *const origins[] = {
        "*", "same", "null", "http://example.com, https://*.example.org:8443", "file://, same",
        "nonsense", ""
    };

    cfg->ask = seldom(3);
    if (seldom(6)) cfg->routes = routes;
    if (seldom(60)) cfg->routes = bad_routes;
    if (seldom(8) && !cfg->memory) cfg->trusted_proxies = 1 + dice(2);
    if (seldom(3)) cfg->origins = PICK(origins);
}

static void set_client(ws_config *cfg, const profile *p)
{
    static const char *const methods[] = { "GET", "GET", "POST", "HEAD", "PUT", "BAD METHOD" };

    if (seldom(10)) cfg->version = seldom(3) ? 7 : 8;
    if (seldom(6)) cfg->origin = seldom(8) ? "" : "http://example.com";
    if (seldom(8)) cfg->host = seldom(8) ? "a\nb" : "other.example:81";
    if (seldom(60)) cfg->reconnect = 5;
    cfg->protocol_optional = seldom(2);
    if (!p->http) return;
    cfg->method = PICK(methods);
    if (seldom(2)) cfg->body = "a body";
    if (cfg->body || seldom(30)) cfg->body_size = 6;
}

static void set_extensions(ws_config *cfg, ws_deflate *d)
{
    static const ws_extension *const own[] = { &flip, NULL };
    static const ws_extension *const smaller[] = { &flip_smaller, NULL };

    memset(d, 0, sizeof *d);
    d->codec = &runs_codec;
#ifdef WS_USE_ZLIB
    if (!seldom(3)) d->codec = NULL;
#endif
    if (seldom(60)) d->codec = NULL;
    d->server_no_context_takeover = seldom(3);
    d->client_no_context_takeover = seldom(3);
    if (seldom(4)) d->server_max_window_bits = 8 + (int)dice(8);
    if (seldom(4)) d->client_max_window_bits = 8 + (int)dice(8);
    d->required = seldom(6);
    d->threshold = seldom(4) ? 0 : 1 + dice(40);
    d->mem_level = 1 + (int)dice(2);
    if (!seldom(5)) cfg->deflate = d;
    if (!cfg->deflate || seldom(8)) cfg->extensions = seldom(4) ? smaller : own;
}

/* What of a block is not room for input: found out, since it is not the same on both sides. */
static size_t block_overhead(int client)
{
    static size_t overheads[2];
    static uint64_t block[WS_MEMORY_SIZE(3000, 3000) / 8];
    ws_config cfg;
    ws_conn *c;

    if (overheads[client]) return overheads[client];
    memset(&cfg, 0, sizeof cfg);
    cfg.memory = block;
    cfg.memory_size = sizeof block;
    cfg.memory_send = 3000;
    c = client ? ws_client_new("ws://example.com/", &cfg) : ws_server_new(&cfg);
    overheads[client] = sizeof block - 3000 - ws_feed_room(c);
    ws_free(c);
    return overheads[client];
}

static void set_block(end *e, ws_config *cfg)
{
    size_t in = 1024 + dice(400) * 8, send = 300 + dice(300) * 8, size;

    if (cfg->deflate || cfg->extensions) cfg->memory_extension = 2000 + dice(3) * 40000;
    if (seldom(40)) cfg->memory_extension = 0;
    size = block_overhead(e->client) + in + send + cfg->memory_extension;
    if (!cfg->max_message || cfg->max_message > in - 900) cfg->max_message = (uint32_t)in - 900;
    if (cfg->frames) cfg->max_frame = cfg->max_message;
    if (seldom(30)) size = dice(1000);
    cfg->memory_send = send;
    e->block = malloc(size + 8);
    cfg->memory = (char *)e->block + (seldom(3) ? dice(8) : 0);
    cfg->memory_size = size;
}

static void configure(end *e, ws_config *cfg, ws_deflate *d)
{
    static const char *const protocols[] = { "chat", "chat, superchat", "two", "bad one" };

    memset(cfg, 0, sizeof *cfg);
    if (!seldom(4)) set_limits(cfg);
    set_times(cfg);
    if (!e->client) cfg->send_timeout = 0;
    if (e->p->deflate || seldom(8)) set_extensions(cfg, d);
    if (seldom(3)) cfg->protocols = PICK(protocols);
    if (seldom(3)) cfg->headers = any_lines();
    if (e->p->block) set_block(e, cfg);
    if (e->client) set_client(cfg, e->p);
    else set_server(cfg);
    *cfg = world_config_with(&e->w, cfg);
    if (!e->p->failing && seldom(20)) cfg->alloc = NULL;
    cfg->user = e;
    if (e->p->driver == ENGINE) return;
    cfg->io.read = transport_read;
    cfg->io.write = transport_write;
    cfg->io.close = transport_close;
    cfg->io.wait = transport_wait;
    cfg->io.why = seldom(2) ? transport_why : NULL;
    cfg->io.user = e;
}

#endif

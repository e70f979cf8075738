/* Fuzz target: ws_begin, both roles. Input: 1 byte of options, 4 bytes that cut what the peer sends,
   1 byte of settings of permessage-deflate, 1 byte each for the sizes of the two texts that follow,
   the subprotocol and the extensions; the rest is what the peer sends.
   Proves: what is refused is refused for its reason and changes nothing, neither for another ws_begin
   nor for an opening handshake; what was begun does not depend on the cuts, and is what the same
   bytes make behind an opening handshake that agreed to the same: events and output; their grammar;
   what is sent is legal frames; it always moves on. Needs zlib. */
#define WS_USE_ZLIB
#define FUZZ_DEFLATE
#include "fuzz.h"

enum {
    AS_CLIENT = 1, SMALL_LIMITS = 2, ECHO = 4, SLOW_READER = 8, DEFLATE = 16,
    EARLY = 32,             /* bytes come before ws_begin; SHAKES: it is refused after bytes */
    CLOSE_FIRST = 64,
    SHAKES = 128            /* after a refusal comes an opening handshake, not another ws_begin */
};

enum { EXTENSION_MEMORY = 90000 };

typedef struct input {
    int options;
    const uint8_t *cuts;
    unsigned settings;
    char *protocol, *extensions;        /* NULL: none */
    const uint8_t *data;
    size_t size;
} input;

typedef struct run {
    ws_conn *c;
    fuzz_log log;
    fuzz_wire wire;
    int options, fault;     /* fault: what ws_begin said first */
    uint32_t seed;
    uint64_t sent;          /* a hash of it */
    uint64_t memory[(WS_MEMORY_SIZE(1024, 1024) + EXTENSION_MEMORY) / 8];
} run;

/* A text of its own memory, so that one byte too far is found; it ends at its first NUL. */
static char *text_copy(const uint8_t *data, size_t size)
{
    char *text;

    if (!size) return NULL;
    while (memchr(data, 0, size)) size--;
    text = (char *)malloc(size + 1);
    MUST(text);
    memcpy(text, data, size);
    text[size] = 0;
    return text;
}

static void drain(run *r, size_t most)
{
    size_t n;
    const void *p = ws_output(r->c, &n);

    MUST(p);
    if (n > most) n = most;
    r->sent = fuzz_hash(r->sent, p, n);
    fuzz_sent(&r->wire, r->options & AS_CLIENT, (uint64_t)-1, (const uint8_t *)p, n);
    ws_output_done(r->c, n);
    if (r->wire.closed && (r->c->core.is & WS__CLOSE_GOT) && !ws_buffered(r->c)) r->wire.over = 1;
}

static void pull(run *r)
{
    ws_event ev;

    while (ws_next(r->c, &ev)) {
        fuzz_event(&r->log, &ev, r->c);
        if (ev.type == WS_EV_MESSAGE && r->options & ECHO) ws_send(r->c, ev.op, ev.data, ev.size);
    }
}

static ws_deflate settings(unsigned v)
{
    ws_deflate d;

    memset(&d, 0, sizeof d);
    d.server_no_context_takeover = (int)(v & 1);
    d.client_no_context_takeover = (int)(v >> 1 & 1);
    d.server_max_window_bits = v >> 2 & 7 ? 8 + (int)(v >> 2 & 7) : 0;
    d.client_max_window_bits = v >> 5 & 7 ? 8 + (int)(v >> 5 & 7) : 0;
    d.mem_level = 1;
    d.threshold = 1;
    return d;
}

static void make(run *r, const input *in)
{
    ws_deflate d = settings(in->settings);
    ws_config cfg;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    r->options = in->options;
    cfg.random = fuzz_random;
    cfg.random_user = &r->seed;
    cfg.protocols = "chat, dots";
    cfg.protocol_optional = in->options & AS_CLIENT;
    if (in->options & DEFLATE) cfg.deflate = &d;
    if (in->options & SMALL_LIMITS) {
        cfg.max_message = 300;
        cfg.max_fragments = 5;
        cfg.max_backlog = 512;
    }
    if (in->options & SMALL_LIMITS && in->options & SLOW_READER) {
        cfg.memory = r->memory;
        cfg.memory_size = sizeof r->memory;
        cfg.memory_extension = EXTENSION_MEMORY;
    }
    r->c = in->options & AS_CLIENT ? ws_client_new("ws://a/", &cfg) : ws_server_new(&cfg);
    MUST(r->c && !ws_error(r->c));
}

static void feed_text(run *r, const char *text)
{
    MUST(ws_feed(r->c, text, strlen(text)) == strlen(text));
}

static void feed_line(run *r, const char *name, const char *value)
{
    if (!value) return;
    feed_text(r, name);
    feed_text(r, ": ");
    feed_text(r, value);
    feed_text(r, "\r\n");
}

/* The opening handshake itself, at whose end both sides agree to that. */
static void shake(run *r, const char *protocol, const char *extensions)
{
    const char *out, *key;
    char accept[29];
    size_t n;

    if (r->options & AS_CLIENT) {
        out = (const char *)ws_output(r->c, &n);
        for (key = out; key + 43 < out + n && memcmp(key, "Sec-WebSocket-Key: ", 19); key++) {}
        MUST(key + 43 < out + n);
        ws_accept_key(key + 19, accept);
        ws_output_done(r->c, n);
        feed_text(r, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        feed_line(r, "Sec-WebSocket-Accept", accept);
    } else {
        feed_text(r, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
    }
    feed_line(r, "Sec-WebSocket-Protocol", protocol);
    feed_line(r, "Sec-WebSocket-Extensions", extensions);
    feed_text(r, "\r\n");
    pull(r);
    MUST(r->log.opened);
    ws_output(r->c, &n);
    if (!(r->options & AS_CLIENT)) ws_output_done(r->c, n);
}

/* How much was agreed to, whatever its order, blanks and quotes. */
static size_t agreed(const run *r)
{
    const char *p;
    size_t n = 0;

    for (p = ws_extensions(r->c); *p; p++) n += !strchr(" \t\"\\", *p);
    return n;
}

static int is_token(const char *text)
{
    return !text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static int is_list(const char *text)        /* has it an item? */
{
    return text[strspn(text, " \t,")] != 0;
}

/* It was refused: is that right, and as if nothing had been? */
static void refused(run *r, const input *in, int early)
{
    const char *protocol = in->protocol ? in->protocol : "";
    const char *extensions = in->extensions ? in->extensions : "";
    size_t n;

    MUST(r->fault == (is_token(protocol) ? WS_ERR_EXTENSION : WS_ERR_ARGUMENT) ||
         (r->fault == WS_ERR_MEMORY && r->options & SMALL_LIMITS && r->options & SLOW_READER));
    MUST(r->fault != WS_ERR_EXTENSION || is_list(extensions));
    MUST(!ws_error(r->c) && ws_state(r->c) == WS_STATE_CONNECTING);
    MUST(!*ws_protocol(r->c) && !*ws_extensions(r->c));
    ws_output(r->c, &n);
    MUST(!n == !(r->options & AS_CLIENT));
    if (r->options & SHAKES && !early) {
        shake(r, NULL, NULL);
        return;
    }
    MUST(!ws_begin(r->c, NULL, NULL));
    MUST(!*ws_protocol(r->c) && !*ws_extensions(r->c));
}

/* Begins, with the first bytes of the peer before that or not. Returns how many those are. */
static size_t begin(run *r, const input *in)
{
    size_t early = in->options & EARLY ? (size_t)(in->cuts[0] % 64) : 0, n;
    char *protocol = NULL, *extensions = NULL;

    if (early > in->size) early = in->size;
    make(r, in);
    MUST(fuzz_feed(r->c, in->data, early) == early);
    if (in->protocol) protocol = text_copy((const uint8_t *)in->protocol, strlen(in->protocol));
    if (in->extensions) extensions = text_copy((const uint8_t *)in->extensions, strlen(in->extensions));
    r->fault = ws_begin(r->c, protocol, extensions);
    free(protocol);
    free(extensions);
    if (r->fault) {
        refused(r, in, early > 0);
    } else {
        MUST(!strcmp(ws_protocol(r->c), in->protocol ? in->protocol : ""));
        MUST(!*ws_extensions(r->c) == !(in->extensions && is_list(in->extensions)));
        MUST(in->options & DEFLATE || !*ws_extensions(r->c));
    }
    ws_output(r->c, &n);
    MUST(!n && ws_state(r->c) == WS_STATE_OPEN);
    MUST(ws_begin(r->c, NULL, NULL) == WS_ERR_STATE);
    pull(r);
    MUST(r->log.opened);
    return early;
}

/* Feeds what is behind early, however many calls it takes; cuts NULL: as much as it wants. */
static void play(run *r, const input *in, size_t at, const uint8_t *cuts)
{
    size_t turn = 0, stuck = 0, most, took, room;

    if (r->options & CLOSE_FIRST) ws_close(r->c, WS_CLOSE_NORMAL, "bye");
    while (at < in->size && !ws_done(r->c)) {
        most = fuzz_cut(cuts, turn++, in->size - at);
        room = ws_feed_room(r->c);
        took = fuzz_feed(r->c, in->data + at, most);
        MUST(took <= most && took >= (room < most ? room : most));
        at += took;
        pull(r);
        drain(r, cuts && r->options & SLOW_READER ? 7 : (size_t)-1);
        stuck = took || ws_buffered(r->c) ? 0 : stuck + 1;
        MUST(stuck < 4);
    }
    for (turn = 0; turn < 4000 && !ws_done(r->c); turn++) {
        if (turn == 3999 || !ws_buffered(r->c)) ws_feed_end(r->c);
        pull(r);
        drain(r, 4096);
    }
    MUST(r->log.closed && ws_done(r->c) && ws_feed_room(r->c) == 0);
    MUST(ws_begin(r->c, NULL, NULL) == WS_ERR_STATE);
    drain(r, (size_t)-1);
    MUST(ws_finished(r->c));
    MUST(ws_error(r->c) == r->log.error);
    ws_free(r->c);
}

/* zlib finds distances beyond a window or not, as the output is cut: with a smaller one of the
   peer the events behind bad data depend on the cuts. */
static int is_comparable(const run *r)
{
    return !strstr(ws_extensions(r->c), r->options & AS_CLIENT ? "server_max" : "client_max");
}

/* Can an opening handshake agree to the same? A line of a head has no control characters. */
static int can_shake(const input *in)
{
    const char *p;

    if (in->protocol && strcmp(in->protocol, "chat") && strcmp(in->protocol, "dots")) return 0;
    for (p = in->extensions ? in->extensions : ""; *p; p++)
        if ((unsigned char)*p < 32 ? *p != '\t' : *p == 127) return 0;
    return 1;
}

/* What a server begins with, a client that minds nothing does, too. */
static void begin_peer(const input *in)
{
    static run peer;
    input its = *in;

    its.options = (in->options & DEFLATE) | AS_CLIENT;
    its.settings = 0;
    make(&peer, &its);
    MUST(!ws_begin(peer.c, in->protocol, in->extensions));
    ws_free(peer.c);
}

/* The same after a pull that found nothing, and after a part of the request has gone: too late, or it
   makes no difference. */
static void compare_late(const input *in, const run *pieces, size_t early)
{
    static run late;
    size_t n;
    int fault;

    make(&late, in);
    MUST(fuzz_feed(late.c, in->data, early) == early);
    pull(&late);
    ws_output(late.c, &n);
    ws_output_done(late.c, n / 2);
    fault = ws_begin(late.c, in->protocol, in->extensions);
    if (fault == WS_ERR_STATE) MUST(early);
    else MUST(fault == pieces->fault && (fault || !late.log.events));
    if (fault) {
        ws_free(late.c);
        return;
    }
    pull(&late);
    play(&late, in, early, in->cuts);
    fuzz_same(&pieces->log, &late.log);
    MUST(pieces->sent == late.sent);
}

static void compare(const input *in)
{
    static run whole, pieces, shaken;
    int comparable;
    size_t early, all;

    early = begin(&whole, in);
    comparable = is_comparable(&whole);
    play(&whole, in, early, NULL);
    early = begin(&pieces, in);
    all = agreed(&pieces);
    play(&pieces, in, early, in->cuts);
    MUST(whole.fault == pieces.fault);
    if (comparable) fuzz_same(&whole.log, &pieces.log);
    compare_late(in, &pieces, early);
    if (!pieces.fault && !(in->options & AS_CLIENT)) begin_peer(in);
    if (pieces.fault || !can_shake(in)) return;
    make(&shaken, in);
    shake(&shaken, in->protocol, in->extensions);
    MUST(agreed(&shaken) == all);
    MUST(fuzz_feed(shaken.c, in->data, early) == early);
    pull(&shaken);
    play(&shaken, in, early, in->cuts);
    fuzz_same(&pieces.log, &shaken.log);
    MUST(pieces.sent == shaken.sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t protocol, extensions;
    input in;

    if (size < 8 || size > 20000) return 0;
    in.options = data[0];
    in.cuts = data + 1;
    in.settings = data[5];
    protocol = data[6];
    extensions = data[7];
    data += 8;
    size -= 8;
    if (protocol > size) protocol = size;
    if (extensions > size - protocol) extensions = size - protocol;
    in.protocol = text_copy(data, protocol);
    in.extensions = text_copy(data + protocol, extensions);
    in.data = data + protocol + extensions;
    in.size = size - protocol - extensions;
    compare(&in);
    free(in.protocol);
    free(in.extensions);
    return 0;
}

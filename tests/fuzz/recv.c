/* Fuzz target: frames in, both roles, after a completed opening handshake.
   Input: 1 byte of options, 4 bytes that cut the rest into pieces, then what the peer sends.
   Proves: the events do not depend on the cuts; their grammar; what is sent is legal frames;
   the engine always moves on. */
#include "fuzz.h"

/* inflate.c: the same with permessage-deflate, whose parameters the last of the 4 bytes says. */
#ifdef FUZZ_DEFLATE
#define EXTENSION_MEMORY 90000
#else
#define EXTENSION_MEMORY 0
#endif

enum {
    AS_CLIENT = 1, SMALL_LIMITS = 2, ECHO = 4, SLOW_READER = 8, PAUSES = 16, CLOSE_FIRST = 32,
    PARTS = 64,             /* parts_over, fragment; echo in pieces and parts, pings bring a source */
    FRAMES = 128            /* frames, max_frame */
};

typedef struct run {
    ws_conn *c;
    fuzz_log log;
    int options;
    uint32_t seed;
    fuzz_wire wire;
    size_t source;          /* bytes that it has left */
    uint64_t memory[(WS_MEMORY_SIZE(1024, 1024) + EXTENSION_MEMORY) / 8];
} run;

#ifdef FUZZ_DEFLATE
/* The peer's window is the largest: zlib finds distances beyond a smaller one or not, as the
   output is cut. */
static void compress_with(ws_config *cfg, ws_deflate *d, int as_client, int parameters,
                          char extension[200])
{
    memset(d, 0, sizeof *d);
    d->server_no_context_takeover = parameters >> 7 & 1;
    d->client_no_context_takeover = parameters >> 6 & 1;
    *(as_client ? &d->client_max_window_bits : &d->server_max_window_bits) = 9;
    d->mem_level = 1;
    d->threshold = 1;
    cfg->deflate = d;
    cfg->memory_extension = EXTENSION_MEMORY;
    sprintf(extension, "Sec-WebSocket-Extensions: permessage-deflate%s%s\r\n",
            d->server_no_context_takeover ? "; server_no_context_takeover" : "",
            d->client_no_context_takeover ? "; client_no_context_takeover" : "");
}
#endif

static void drain(run *r, size_t most)
{
    size_t n;
    const void *p = ws_output(r->c, &n);

    MUST(p);
    if (n > most) n = most;
    /* pieces of a source are longer than fragment, which is for messages known whole, and those
       that cannot be compressed become longer */
    fuzz_sent(&r->wire, r->options & AS_CLIENT, r->options & PARTS ? 4096 * 2 : (uint64_t)-1,
              (const uint8_t *)p, n);
    ws_output_done(r->c, n);
    if (r->wire.closed && (r->c->core.is & WS__CLOSE_GOT) && !ws_buffered(r->c)) r->wire.over = 1;
}

static ptrdiff_t source_read(void *user, void *buf, size_t n)
{
    run *r = (run *)user;
    size_t k = r->source % 37 + 1;

    if (r->source % 11 == 3) { r->source--; return WS_IO_WANT_READ; }
    if (k > r->source) k = r->source;
    MUST(k <= n);
    memset(buf, 's', k);
    r->source -= k;
    return (ptrdiff_t)k;
}

/* Answers in the ways that PARTS stands for. */
static void reply(run *r, const ws_event *ev)
{
    const char *p = (const char *)ev->data;
    ws_str v[3];

    v[0].data = p;                  v[0].size = ev->size / 3;
    v[1].data = NULL;               v[1].size = 0;
    v[2].data = p + ev->size / 3;   v[2].size = ev->size - ev->size / 3;
    if (ev->type == WS_EV_MESSAGE) ws_sendv(r->c, ev->op, v, 3);
    if (ev->type == WS_EV_PART) {
        ws_send_part(r->c, ev->op, ev->data, ev->size < 4096 ? ev->size : 4096, ev->last);
        ws_want_writable(r->c);
    }
    if (ev->type == WS_EV_PING && !r->source) r->source = ev->size * 50 + 1;
    if (ev->type == WS_EV_PING || ev->type == WS_EV_PONG)
        ws_send_from(r->c, WS_OP_TEXT, source_read, r);
}

static void pull(run *r)
{
    ws_event ev;

    while (ws_next(r->c, &ev)) {
        fuzz_event(&r->log, &ev, r->c);
        if (r->options & ECHO && r->options & PARTS) reply(r, &ev);
        else if (ev.type == WS_EV_MESSAGE && (r->options & ECHO))
            ws_send(r->c, ev.op, ev.data, ev.size);
    }
}

static void start(run *r, int options, int parameters)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    ws_config cfg;
    char answer[400], accept[29], extension[200] = "";
#ifdef FUZZ_DEFLATE
    ws_deflate d;
#endif
    size_t n;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    r->options = options;
#ifdef FUZZ_DEFLATE
    compress_with(&cfg, &d, options & AS_CLIENT, parameters, extension);
#else
    (void)parameters;
#endif
    cfg.random = fuzz_random;
    cfg.random_user = &r->seed;
    if (options & PARTS) {
        cfg.parts_over = 40;
        cfg.fragment = 30;
    }
    if (options & FRAMES) {
        cfg.frames = r->log.exact = 1;
        cfg.max_frame = 250;
    }
    if (options & SMALL_LIMITS) {
        cfg.max_message = 300;
        cfg.max_fragments = 5;
        cfg.max_backlog = 512;
    }
    if ((options & SMALL_LIMITS) && (options & SLOW_READER)) {
        cfg.memory = r->memory;
        cfg.memory_size = sizeof r->memory;
    }
    if (options & AS_CLIENT) {
        const char *out, *key;
        MUST((r->c = ws_client_new("ws://a/", &cfg)) != NULL);
        out = (const char *)ws_output(r->c, &n);
        for (key = out; key + 43 < out + n && memcmp(key, "Sec-WebSocket-Key: ", 19); key++) {}
        MUST(key + 43 < out + n);
        ws_accept_key(key + 19, accept);
        sprintf(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n", accept, extension);
        ws_output_done(r->c, n);
        n = strlen(answer);
        MUST(ws_feed(r->c, answer, n) == n);
    } else {
        MUST((r->c = ws_server_new(&cfg)) != NULL);
        MUST(ws_feed(r->c, request, sizeof request - 1) == sizeof request - 1);
        MUST(ws_feed(r->c, extension, strlen(extension)) == strlen(extension));
        MUST(ws_feed(r->c, "\r\n", 2) == 2);
    }
    pull(r);
    MUST(r->log.opened && !*extension == !*ws_extensions(r->c));
    if (!(options & AS_CLIENT)) { ws_output(r->c, &n); ws_output_done(r->c, n); }
    if (options & CLOSE_FIRST) ws_close(r->c, WS_CLOSE_NORMAL, NULL);
}

/* Feeds n bytes however many calls it takes; cuts NULL: as much as it wants. */
static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts)
{
    size_t at = 0, turn = 0, stuck = 0;

    while (at < n && !ws_done(r->c)) {
        size_t most = fuzz_cut(cuts, turn, n - at), took, room = ws_feed_room(r->c);
        uint8_t *piece;

        piece = fuzz_copy(data + at, most);
        if ((r->options & PAUSES) && cuts && cuts[turn % 4] == 7) {
            ws_pause(r->c);
            MUST(ws_feed(r->c, piece, most) <= most);
            pull(r);
            ws_resume(r->c);
            free(piece);
            break;
        }
        took = ws_feed(r->c, piece, most);
        free(piece);
        MUST(took <= most);
        MUST(took >= (room < most ? room : most));
        at += took;
        pull(r);
        drain(r, cuts && (r->options & SLOW_READER) ? 7 : (size_t)-1);
        stuck = took || ws_buffered(r->c) ? 0 : stuck + 1;
        MUST(stuck < 4);
        turn++;
    }
    if (at < n && !ws_done(r->c)) r->options |= 1 << 30;    /* paused: not comparable */
    for (turn = 0; turn < 4000 && !ws_done(r->c); turn++) {
        if (turn == 3999 || !ws_buffered(r->c)) ws_feed_end(r->c);
        pull(r);
        drain(r, 4096);
    }
    MUST(r->log.closed && ws_done(r->c) && ws_feed_room(r->c) == 0);
    drain(r, (size_t)-1);
    MUST(ws_finished(r->c));
    MUST(ws_error(r->c) == r->log.error);
    ws_free(r->c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces;

    if (size < 5) return 0;
    start(&whole, data[0], data[4]);
    play(&whole, data + 5, size - 5, NULL);
    start(&pieces, data[0], data[4]);
    play(&pieces, data + 5, size - 5, data + 1);
    if (!(pieces.options >> 30)) fuzz_same(&whole.log, &pieces.log);
    if (data[0] & (PARTS | FRAMES)) {           /* and the same messages as without parts */
        start(&pieces, data[0] & ~(PARTS | FRAMES), data[4]);
        play(&pieces, data + 5, size - 5, NULL);
        MUST(pieces.log.error != whole.log.error || pieces.log.message_hash == whole.log.message_hash);
    }
    return 0;
}

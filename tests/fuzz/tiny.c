/* Fuzz target: WS_TINY, both roles: what the peer sends, from its first byte on or after a completed
   opening handshake. Input: 1 byte of options, 4 bytes that cut the rest into pieces, the rest.
   Proves: the events do not depend on the cuts; their grammar; what is sent is legal frames; it
   always moves on; nothing outside the block is touched. */
#define WS_TINY
#include "fuzz.h"

enum { AS_CLIENT = 1, FROM_HEAD = 2, ECHO = 4, SLOW_READER = 8, CLOSE_FIRST = 16, SMALL = 32,
       TICKS = 64 };

typedef struct run {
    ws_conn *c;
    fuzz_log log;
    fuzz_wire wire;
    int options;
    uint32_t seed, now;
    uint8_t *block;
} run;

static void drain(run *r, size_t most)
{
    size_t n;
    const void *p = ws_output(r->c, &n);

    MUST(p);
    if (n > most) n = most;
    if (r->log.opened)
        fuzz_sent(&r->wire, r->options & AS_CLIENT, (uint64_t)-1, (const uint8_t *)p, n);
    ws_output_done(r->c, n);
}

static void pull(run *r)
{
    ws_event ev;

    while (ws_next(r->c, &ev)) {
        fuzz_event(&r->log, &ev, r->c);
        if (ev.type == WS_EV_OPEN) {            /* what answers the request is not frames */
            size_t n;
            ws_output(r->c, &n);
            ws_output_done(r->c, n);
        }
        if (ev.type != WS_EV_MESSAGE && ev.type != WS_EV_PART) continue;
        MUST(!((const char *)ev.data)[ev.size]);
        if (r->options & ECHO && ev.type == WS_EV_MESSAGE) ws_send(r->c, ev.op, ev.data, ev.size);
        else if (r->options & ECHO) ws_send_part(r->c, ev.op, ev.data, ev.size, ev.last);
    }
}

static void feed_all(run *r, const char *text)
{
    MUST(ws_feed(r->c, text, strlen(text)) == strlen(text));
    pull(r);
}

static void start(run *r, int options)
{
    char answer[300], accept[29];
    size_t n, place = (size_t)options % 5, size;
    ws_config cfg;
    const char *out, *key;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    r->options = options;
    r->log.exact = 1;
    size = options & SMALL ? WS_MEMORY_SIZE(120, 240) : WS_MEMORY_SIZE(700, 500);
    r->block = (uint8_t *)malloc(size + place);
    MUST(r->block);
    cfg.memory = r->block + place;
    cfg.memory_size = size;
    cfg.memory_send = options & SMALL ? 240 : 0;
    cfg.max_message = options & SMALL ? 3000 : 0;
    cfg.random = fuzz_random;
    cfg.random_user = &r->seed;
    r->c = options & AS_CLIENT ? ws_client_new("ws://a/", &cfg) : ws_server_new(&cfg);
    MUST(r->c);
    if (options & FROM_HEAD) return;
    if (options & AS_CLIENT) {
        out = (const char *)ws_output(r->c, &n);
        for (key = out; key + 43 < out + n && memcmp(key, "Sec-WebSocket-Key: ", 19); key++) {}
        MUST(key + 43 < out + n);
        ws_accept_key(key + 19, accept);
        ws_output_done(r->c, n);
        sprintf(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
        feed_all(r, answer);
    } else {
        feed_all(r, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    }
    MUST(r->log.opened);
    if (options & CLOSE_FIRST) ws_close(r->c, WS_CLOSE_NORMAL, "bye");
}

/* Feeds n bytes however many calls it takes; cuts NULL: as much as it wants. */
static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts)
{
    size_t at = 0, turn = 0, stuck = 0, took;

    while (at < n && !ws_done(r->c)) {
        size_t most = fuzz_cut(cuts, turn, n - at), room = ws_feed_room(r->c);

        took = fuzz_feed(r->c, data + at, most);
        MUST(took <= most && took >= (room < most ? room : most));
        at += took;
        if (r->options & TICKS) ws_tick(r->c, ++r->now);
        pull(r);
        drain(r, cuts && (r->options & SLOW_READER) ? 7 : (size_t)-1);
        pull(r);
        stuck = took ? 0 : stuck + 1;
        MUST(stuck < 200);
        turn++;
    }
    ws_feed_end(r->c);
    for (turn = 0; turn < 400 && !ws_done(r->c); turn++) {
        pull(r);
        drain(r, 64);
    }
    MUST(r->log.closed && ws_done(r->c) && ws_feed_room(r->c) == 0);
    drain(r, (size_t)-1);
    MUST(ws_finished(r->c));
    MUST(ws_error(r->c) == r->log.error);
    ws_free(r->c);
    free(r->block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces;

    if (size < 5) return 0;
    start(&whole, data[0]);
    play(&whole, data + 5, size - 5, NULL);
    start(&pieces, data[0]);
    play(&pieces, data + 5, size - 5, data + 1);
    fuzz_same(&whole.log, &pieces.log);
    return 0;
}

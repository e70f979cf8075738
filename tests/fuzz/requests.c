/* Fuzz target: many requests on one connection, perhaps a WebSocket behind them. Input: 1 byte of
   options, 4 bytes that cut the rest into pieces, what the client sends.
   Proves: requests, bodies, answers and the error do not depend on the cuts, nor on how slowly the
   answers are taken; there is one answer for a request, in order; behind a last answer nothing is
   found; no more requests than allowed. */
#include "server.h"

enum { FEW = 1, SLOW_READER = 2, FILES = 4, BLOCK = 8, SMALL = 16, ASK = 32 };

typedef struct run {
    ws_conn *c;
    int options, requests, opened, ended, error, waits;
    uint64_t seen, said;        /* hashes: of requests and bodies, of the answers */
} run;

static ptrdiff_t give(void *user, uint64_t at, void *buf, size_t n)
{
    (void)user;
    if (!n) return 0;
    MUST(at + n <= 6000);
    memset(buf, 'f', n);
    return (ptrdiff_t)n;
}

static void reply(run *r)
{
    int fault = WS_ERR_MEMORY;

    if (r->options & FILES) fault = ws_http_file(r->c, NULL, 6000, give, r);
    if (fault) fault = ws_http_reply(r->c, 200, NULL, "hi", 2);
    MUST(!fault);
    MUST(ws_http_reply(r->c, 200, NULL, "hi", 2) == WS_ERR_STATE);
}

static void look(run *r)
{
    ws_event ev;

    while (ws_next(r->c, &ev)) {
        MUST(!r->ended && ev.conn == r->c && !r->waits);
        if (ev.type == WS_EV_HTTP) {
            MUST(!r->opened && ev.last);
            r->requests++;
            r->seen = fuzz_hash(r->seen, ws_method(r->c), strlen(ws_method(r->c)) + 1);
            r->seen = fuzz_hash(r->seen, ws_target(r->c), strlen(ws_target(r->c)) + 1);
            r->seen = fuzz_hash(r->seen, ev.data, ev.size);
            MUST(((const char *)ev.data)[ev.size] == 0);
            if (r->options & ASK) r->waits = 1;
            else reply(r);
        } else if (ev.type == WS_EV_REQUEST) {
            ws_accept(r->c, NULL);
        } else if (ev.type == WS_EV_OPEN) {
            MUST(!r->opened++);
        } else if (ev.type == WS_EV_CLOSE) {
            r->ended = 1;
            r->error = ev.error;
        }
    }
}

static size_t drain(run *r, size_t most)
{
    size_t n;
    const void *p = ws_output(r->c, &n);

    if (n > most) n = most;
    r->said = fuzz_hash(r->said, p, n);
    ws_output_done(r->c, n);
    return n;
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options)
{
    static uint64_t block[WS_MEMORY_SIZE(30000, 2000) / 8];
    ws_config cfg;
    size_t at = 0, turn, took, idle = 0;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    r->options = options;
    cfg.max_requests = options & FEW ? 3 : WS_NO_LIMIT;
    cfg.max_body = options & SMALL ? 50 : 25000;
    cfg.max_head = options & SMALL ? 500 : 0;
    cfg.ask = (options & ASK) != 0;
    if (options & BLOCK) {
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 2000;
    }
    MUST((r->c = ws_server_new(&cfg)) != NULL);
    for (turn = 0; !ws_done(r->c) && idle < 8; turn++) {
        took = fuzz_feed(r->c, data + at, fuzz_cut(cuts, turn, n - at));
        at += took;
        look(r);
        if (r->waits) {
            r->waits = 0;
            reply(r);
            took++;
        }
        took += drain(r, cuts && options & SLOW_READER ? 700 : (size_t)-1);
        look(r);
        idle = took ? 0 : idle + 1;
        if (at == n && idle == 4) ws_feed_end(r->c);
        if (r->opened) break;           /* a WebSocket: not our subject */
    }
    while (drain(r, (size_t)-1)) look(r);
    MUST(r->opened || (ws_done(r->c) && r->ended));
    MUST(r->opened || ws_finished(r->c));
    MUST(!(options & FEW) || r->requests <= 3);
    ws_free(r->c);
}

/* Does a client perhaps wait for a 100? Whether one is sent depends on the cuts. */
static int may_wait(const uint8_t *data, size_t size)
{
    size_t i;

    for (i = 0; i + 4 <= size; i++)
        if (!memcmp(data + i, "100-", 4)) return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces;

    if (size < 5 || size > 20000) return 0;
    play(&whole, data + 5, size - 5, NULL, data[0]);
    play(&pieces, data + 5, size - 5, data + 1, data[0]);
    MUST(whole.requests == pieces.requests && whole.seen == pieces.seen);
    MUST(whole.opened == pieces.opened);
    if (whole.opened) return 0;         /* its frames may come in the same piece */
    MUST(whole.error == pieces.error);
    MUST(whole.said == pieces.said || may_wait(data, size));
    return 0;
}

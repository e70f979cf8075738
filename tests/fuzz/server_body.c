/* Fuzz target: the body of an ordinary request, however it is framed. Input: 1 byte of options, 4
   bytes that cut the rest into pieces, the request; or, with CHUNKS, what follows the head of one in
   chunks. Proves: body, error and answer do not depend on the cuts, nor on whether the body is given
   whole, in parts or in a block; what has two lengths is never given; no more than max_body is
   given whole; the body in ws_body and in the event are one; a NUL stands behind it. */
#include "server.h"

enum { CHUNKS = 1, SMALL = 2, ASK = 4, EARLY = 8, BLOCK = 16 };

typedef struct run {
    uint8_t body[20001];
    size_t n;
    int http, whole, ended, error, status;
    fuzz_answer answer;
} run;

static void take(run *r, const ws_event *ev, ws_conn *c)
{
    int64_t all;
    uint64_t got = ws_body_got(c, &all);

    MUST(((const char *)ev->data)[ev->size] == 0);
    MUST(r->n + ev->size <= sizeof r->body);
    memcpy(r->body + r->n, ev->data, ev->size);
    r->n += ev->size;
    MUST(got == r->n && (all < 0 || r->n <= (uint64_t)all));
    MUST(!ev->last || all < 0 || r->n == (uint64_t)all);
}

static void look(run *r, ws_conn *c, int options)
{
    ws_event ev;

    while (ws_next(c, &ev)) {
        MUST(!r->ended && ev.conn == c);
        if (ev.type == WS_EV_HTTP) {
            MUST(!r->http++);
            MUST(!ws_header_value(c, "Transfer-Encoding").data || !ws_header_value(c, "Content-Length").data);
            r->whole = ev.last;
            MUST(ev.last || !ev.size);
            MUST(ws_body(c).size == ev.size && (!ev.size || ws_body(c).data == ev.data));
            take(r, &ev, c);
        } else if (ev.type == WS_EV_PART) {
            MUST(r->http && !r->whole && ev.op == WS_OP_BINARY);
            MUST(ev.first == (r->n == 0));
            take(r, &ev, c);
            MUST(*ws_target(c));
        } else if (ev.type == WS_EV_CLOSE) {
            r->ended = 1;
            r->error = ev.error;
        }
        if ((ev.type == WS_EV_HTTP || ev.type == WS_EV_PART) && (ev.last || options & EARLY))
            MUST(ws_http_reply(c, 200, NULL, "hi", 2) == 0 || (options & EARLY));
    }
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options, int parts)
{
    static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    static uint64_t block[WS_MEMORY_SIZE(60000, 2000) / 8];
    ws_config cfg;
    ws_conn *c;
    const char *final;
    size_t at = 0, turn, got;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    cfg.max_body = parts ? 1 : options & SMALL ? 50 : WS_NO_LIMIT;
    cfg.body_parts = parts;
    cfg.ask = (options & ASK) != 0;
    if (options & BLOCK) {
        cfg.memory = block;
        cfg.memory_size = sizeof block;
        cfg.memory_send = 2000;
    }
    MUST((c = ws_server_new(&cfg)) != NULL);
    if (options & CHUNKS) MUST(ws_feed(c, head, sizeof head - 1) == sizeof head - 1);
    for (turn = 0; turn < 2 * n + 100 && !ws_done(c); turn++) {
        at += fuzz_feed(c, data + at, fuzz_cut(cuts, turn, n - at));
        look(r, c, options);
        got = fuzz_answer_take(&r->answer, c);
        look(r, c, options);
        if (at == n && !got) ws_feed_end(c);
        if (ws_state(c) == WS_STATE_OPEN) ws_drop(c);       /* a WebSocket: not our subject */
    }
    look(r, c, options);
    MUST(ws_done(c) && r->ended);
    final = fuzz_answer_final(&r->answer);
    r->status = *final ? atoi(final + 9) : 0;
    MUST(parts || !(options & SMALL) || r->n <= 50);
    ws_free(c);
}

static void same(const run *a, const run *b)
{
    MUST(a->error == b->error && a->status == b->status && a->http == b->http);
    MUST(a->n == b->n && !memcmp(a->body, b->body, a->n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces, parts, parts_too;
    int options;

    if (size < 5 || size > 20000) return 0;
    options = data[0] & ~EARLY;
    play(&whole, data + 5, size - 5, NULL, options, 0);
    play(&pieces, data + 5, size - 5, data + 1, options, 0);
    same(&whole, &pieces);
    play(&parts, data + 5, size - 5, NULL, options, 1);
    play(&parts_too, data + 5, size - 5, data + 1, options, 1);
    MUST(parts.error == parts_too.error && parts.status == parts_too.status);
    MUST(parts.n == parts_too.n && !memcmp(parts.body, parts_too.body, parts.n));
    if (whole.error == WS_ERR_BODY_SIZE) MUST(options & (SMALL | BLOCK));
    else MUST(whole.error == parts.error && whole.status == parts.status);
    if (!whole.error) MUST(whole.n == parts.n && !memcmp(whole.body, parts.body, whole.n));
    play(&parts, data + 5, size - 5, data + 1, data[0] | EARLY, 1);
    return 0;
}

/* Fuzz target: what a client makes of a server's answer.
   Input: 1 byte of options, 4 bytes that cut the rest into pieces, then the answer, in which
   '@' stands for the Sec-WebSocket-Accept that fits.
   Proves: the events, and the headers and body of a refusal, do not depend on the cuts; OPEN only
   with that value in the answer. */
#include "fuzz.h"

typedef struct run {
    fuzz_log log;
    uint32_t seed;
} run;

static void look(run *r, ws_conn *c)
{
    ws_event ev;

    while (ws_next(c, &ev)) {
        int status = ws_status(c);
        fuzz_event(&r->log, &ev, c);
        fuzz_mix(&r->log, &status, sizeof status);
        fuzz_mix(&r->log, ws_protocol(c), strlen(ws_protocol(c)));
        if (ev.type == WS_EV_CLOSE) {
            ws_str body = ws_body(c), name, value;
            size_t pos = 0;
            MUST(body.data && body.size <= WS_BODY_MAX && (!body.size || !r->log.opened));
            fuzz_mix(&r->log, body.data, body.size);
            fuzz_mix(&r->log, &body.size, sizeof body.size);
            while (ws_header_next(c, &pos, &name, &value)) {
                MUST(!r->log.opened);
                fuzz_mix(&r->log, value.data, value.size);
            }
        }
        if (ev.type == WS_EV_OPEN) {
            ws_str v = ws_header_value(c, "sec-websocket-accept");
            MUST(v.data && v.size == 28 && status == 101);
        }
    }
}

static ws_conn *start(run *r, int options, char accept[29])
{
    ws_config cfg;
    ws_conn *c;
    const char *out, *key;
    size_t n;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    cfg.random = fuzz_random;
    cfg.random_user = &r->seed;
    if (options & 1) cfg.protocols = "chat, superchat";
    if (options & 2) { cfg.max_head = 200; cfg.max_headers = 4; }
    MUST((c = ws_client_new("ws://user:pw@a.example:81/x?y", &cfg)) != NULL);
    out = (const char *)ws_output(c, &n);
    for (key = out; key + 43 < out + n && memcmp(key, "Sec-WebSocket-Key: ", 19); key++) {}
    MUST(key + 43 < out + n);
    ws_accept_key(key + 19, accept);
    ws_output_done(c, n);
    return c;
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options)
{
    char accept[29];
    ws_conn *c = start(r, options, accept);
    uint8_t *wire = (uint8_t *)malloc(n * 28 + 1);
    size_t i, size = 0, at = 0, turn, got;

    MUST(wire);
    for (i = 0; i < n; i++) {
        if (data[i] == '@' && size < 4096) { memcpy(wire + size, accept, 28); size += 28; }
        else wire[size++] = data[i];
    }
    for (turn = 0; turn < size + 100 && !ws_done(c); turn++) {
        at += fuzz_feed(c, wire + at, fuzz_cut(cuts, turn, size - at));
        look(r, c);
        ws_output(c, &got);
        ws_output_done(c, got);
        if (at == size && !got) ws_feed_end(c);
    }
    look(r, c);
    MUST(ws_done(c) && r->log.closed);
    if (r->log.opened) {
        for (i = 0; i + 28 <= size && memcmp(wire + i, accept, 28); i++) {}
        MUST(i + 28 <= size);
    } else {
        MUST(r->log.error && ws_error_text(c)[0]);
    }
    free(wire);
    ws_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces;

    if (size < 5) return 0;
    play(&whole, data + 5, size - 5, NULL, data[0]);
    play(&pieces, data + 5, size - 5, data + 1, data[0]);
    fuzz_same(&whole.log, &pieces.log);
    return 0;
}

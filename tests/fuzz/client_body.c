/* Fuzz target: what a client of ordinary HTTP makes of an answer and its body.
   Input: 1 byte of options, 4 bytes that cut the rest into pieces, then the answer.
   Proves: status, body, its end and the error do not depend on the cuts; a body that is told
   to be whole was; nothing of the answer is added to. */
#include "fuzz.h"

typedef struct run {
    uint64_t body;          /* hash of its bytes */
    size_t size;
    int status, error, opened, closed, ended;
    uint32_t seed;
} run;

static void look(run *r, ws_conn *c)
{
    ws_event ev;

    while (ws_next(c, &ev)) {
        MUST(!r->closed && ev.conn == c);
        if (ev.type == WS_EV_OPEN) {
            MUST(!r->opened);
            r->opened = 1;
            r->status = ws_status(c);
            MUST(r->status >= 200 && r->status <= 299);
        } else if (ev.type == WS_EV_PART) {
            MUST(r->opened && !r->ended && ev.op == WS_OP_BINARY && (ev.size || ev.last));
            MUST(ev.first == !r->size || !ev.size);
            r->body = fuzz_hash(r->body, ev.data, ev.size);
            r->size += ev.size;
            r->ended = ev.last;
        } else {
            ws_str body = ws_body(c);
            MUST(ev.type == WS_EV_CLOSE);
            MUST(!body.size || !r->opened);
            r->closed = 1;
            r->error = ev.error;
            r->status = ws_status(c);
            if (!r->opened) r->body = fuzz_hash(r->body, body.data, body.size);
            if (!r->opened) r->size = body.size;
            MUST(ev.clean == !ev.error && r->ended == (r->opened && !ev.error));
        }
    }
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options)
{
    static const char *const methods[] = { "GET", "POST", "HEAD", "GET" };
    ws_config cfg;
    ws_conn *c;
    size_t at = 0, turn, out;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    cfg.random = fuzz_random;
    cfg.random_user = &r->seed;
    cfg.method = methods[options & 3];
    if (options & 4) { cfg.max_head = 200; cfg.max_headers = 4; }
    MUST((c = ws_client_new("http://a.example/x", &cfg)) != NULL);
    ws_output(c, &out);
    ws_output_done(c, out);
    for (turn = 0; turn < 2 * n + 100 && !ws_done(c); turn++) {
        at += fuzz_feed(c, data + at, fuzz_cut(cuts, turn, n - at));
        look(r, c);
        if (at == n) ws_feed_end(c);
    }
    look(r, c);
    MUST(ws_done(c) && r->closed && r->size <= n);
    MUST(r->opened || (r->error && ws_error_text(c)[0]));
    ws_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run whole, pieces;

    if (size < 5) return 0;
    play(&whole, data + 5, size - 5, NULL, data[0]);
    play(&pieces, data + 5, size - 5, data + 1, data[0]);
    MUST(whole.status == pieces.status && whole.error == pieces.error);
    MUST(whole.opened == pieces.opened && whole.ended == pieces.ended);
    MUST(whole.size == pieces.size && whole.body == pieces.body);
    return 0;
}

/* Fuzz target: what a server does with whatever comes first.
   Input: 1 byte of options, 4 bytes that cut the rest into pieces, then the request.
   Proves: the events and the answer do not depend on the cuts; the answer is a complete HTTP
   head with the status of the error; the engine always ends. */
#include "fuzz.h"

enum { LIST = 1, ANY = 2, SMALL = 4, REPLY = 8 };

typedef struct run {
    fuzz_log log;
    char answer[2048];
    size_t answered;
} run;

static void look(run *r, ws_conn *c, int options)
{
    static const ws_header extra[] = { { "X-Test", "1" }, { NULL, NULL } };
    ws_event ev;

    while (ws_next(c, &ev)) {
        fuzz_event(&r->log, &ev, c);
        MUST(ws_method(c) && ws_target(c) && ws_protocol(c));
        fuzz_mix(&r->log, ws_target(c), strlen(ws_target(c)));
        fuzz_mix(&r->log, ws_protocol(c), strlen(ws_protocol(c)));
        if (ev.type == WS_EV_OPEN || ev.type == WS_EV_HTTP) {
            ws_str host = ws_header_value(c, "host");
            MUST(ws_header_value(c, "No-Such-Header").data == NULL);
            if (ev.type == WS_EV_OPEN) MUST(host.data && !strcmp(ws_method(c), "GET"));
            if (host.data) fuzz_mix(&r->log, host.data, host.size);
        }
        if (ev.type == WS_EV_HTTP && (options & REPLY))
            MUST(ws_http_reply(c, 200, extra, "hi", 2) == 0);
    }
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options)
{
    static const char head[] = "HTTP/1.1 ";
    ws_config cfg;
    ws_conn *c;
    size_t at = 0, turn, got;

    memset(r, 0, sizeof *r);
    memset(&cfg, 0, sizeof cfg);
    if (options & LIST) cfg.origins = "https://a.example, http://b.example:81";
    if (options & ANY) cfg.origins = "*";
    if (options & SMALL) { cfg.max_head = 200; cfg.max_headers = 4; }
    cfg.protocols = "chat, superchat";
    MUST((c = ws_server_new(&cfg)) != NULL);
    for (turn = 0; turn < n + 100 && !ws_done(c); turn++) {
        size_t most = n - at;
        uint8_t *piece;
        const void *out;

        if (cuts && most > (size_t)(cuts[turn % 4] % 64) + 1) most = (size_t)(cuts[turn % 4] % 64) + 1;
        piece = fuzz_copy(data + at, most);
        at += ws_feed(c, piece, most);
        free(piece);
        look(r, c, options);
        out = ws_output(c, &got);
        if (r->answered + got < sizeof r->answer) {
            memcpy(r->answer + r->answered, out, got);
            r->answered += got;
        }
        ws_output_done(c, got);
        if (at == n && !got) ws_feed_end(c);
    }
    look(r, c, options);
    MUST(ws_done(c));
    if (r->log.error) MUST(ws_error_text(c)[0]);
    if (r->log.opened || r->log.http) {
        MUST(r->answered > 16 && !memcmp(r->answer, head, 9));
    }
    if (r->answered) {
        char *end;
        r->answer[r->answered < sizeof r->answer ? r->answered : sizeof r->answer - 1] = 0;
        MUST(!memcmp(r->answer, head, 9));
        MUST((end = strstr(r->answer, "\r\n\r\n")) != NULL);
        fuzz_mix(&r->log, r->answer, (size_t)(end - r->answer));
        MUST((memcmp(r->answer + 9, "101 ", 4) == 0) == r->log.opened);
    }
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

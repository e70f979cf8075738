/* Fuzz target: what a server does with whatever comes first, and with what the application then
   asks about it. Input: 1 byte of options, 4 bytes that cut the rest into pieces, the request.
   Proves: the events, the answers of the accessors and what is sent do not depend on the cuts;
   the answer is a complete HTTP head with the status of the error; the application is asked about
   good requests alone and may answer at once or at the end; a cookie that was read can be written
   and read again; ws_is_upgrade agrees; the engine always ends. */
#include "server.h"

enum { LIST = 1, ANY = 2, SMALL = 4, REPLY = 8, ASK = 16, ROUTES = 32, NO = 64, LATE = 128 };

typedef struct run {
    fuzz_log log;
    fuzz_answer answer;
} run;

static const ws_header extra[] = { { "X-Test", "1" }, { NULL, NULL } };

/* Every buffer size gives the same, or no room; nothing is written past it. */
static void look_up(run *r, ws_conn *c, const char *name, int query)
{
    char all[20001], again[20001];
    int n = query ? ws_query(c, name, all, sizeof all) : ws_cookie(c, name, all, sizeof all), size;

    fuzz_mix(&r->log, &n, sizeof n);
    MUST((n >= 0 && n < (int)sizeof all) || n == WS_ERR_ABSENT || n == WS_ERR_ARGUMENT);
    if (n < 0) return;
    MUST((int)strlen(all) == n);
    fuzz_mix(&r->log, all, (size_t)n);
    for (size = 0; size < n + 3; size++) {
        char *exact;
        int k;
        if (size == 8 && n > 12) size = n - 2;
        exact = (char *)malloc(size ? (size_t)size : 1);
        MUST(exact);
        k = query ? ws_query(c, name, exact, (size_t)size) : ws_cookie(c, name, exact, (size_t)size);
        MUST(k == (size > n ? n : (int)WS_ERR_ARGUMENT));
        if (k >= 0) MUST(!memcmp(exact, all, (size_t)n + 1));
        free(exact);
    }
    if (!query && n < 3000) {
        ws_set_cookie set = { "c", NULL, "/", NULL, NULL, NULL, 0, 0, 0 };
        char head[20001] = "GET / HTTP/1.1\r\nHost: h\r\nCookie: ";
        size_t at = strlen(head);
        ws_conn *reader = ws_server_new(NULL);
        ws_event ev;
        set.value = all;
        size = ws_cookie_format(&set, head + at, 3u * 3000 + 20);
        MUST(size == (int)strlen(head + at));
        strcpy(head + at + (size_t)size, "\r\n\r\n");
        if (strlen(head) <= 8192) {
            ws_feed(reader, head, strlen(head));
            MUST(ws_next(reader, &ev) && ev.type == WS_EV_HTTP);
            MUST(ws_cookie(reader, "c", again, sizeof again) == n && !strcmp(again, all));
        }
        ws_free(reader);
    }
}

/* All that can be asked while the head is there. */
static void examine(run *r, ws_conn *c)
{
    static const char *const lists[] = { "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection", "X-Forwarded-For" };
    ws_str name, value, path = ws_path(c), item;
    size_t pos = 0, fields = 0, i;
    int k;

    MUST(path.data && path.size <= strlen(ws_target(c)) + 1 && !memchr(path.data, '?', path.size));
    fuzz_mix(&r->log, path.data, path.size);
    while (ws_header_next(c, &pos, &name, &value)) {
        MUST(name.size && value.data && ++fields <= 64);
        fuzz_mix(&r->log, name.data, name.size);
        fuzz_mix(&r->log, value.data, value.size);
    }
    for (i = 0; i < sizeof lists / sizeof *lists; i++)
        for (k = 0; k < 5 && (item = ws_header_item(c, lists[i], k)).data; k++)
            fuzz_mix(&r->log, item.data, item.size);
    look_up(r, c, "a", 1);
    look_up(r, c, "", 1);
    look_up(r, c, "a", 0);
    look_up(r, c, "session", 0);
    MUST(ws_header_value(c, "No-Such-Header").data == NULL);
    fuzz_mix(&r->log, ws_body(c).data, ws_body(c).size);
    MUST(ws_status(c) == 0);
    k = ws_route_id(c);
    fuzz_mix(&r->log, &k, sizeof k);
}

static int is_ascii(const char *s)
{
    while (*s > 0) s++;
    return !*s;
}

static void answer(run *r, ws_conn *c, int options)
{
    char wanted[64];
    ws_answer a = { NULL, extra };
    ws_str offered = ws_header_item(c, "Sec-WebSocket-Protocol", 1);

    if (options & NO) {
        MUST(ws_reject(c, 403, extra, "no") == 0);
        return;
    }
    a.protocol = "never offered";
    MUST(ws_accept(c, &a) == WS_ERR_ARGUMENT);
    MUST(ws_buffered(c) == 0 && ws_state(c) == WS_STATE_CONNECTING);
    a.protocol = NULL;
    if (offered.data && offered.size < sizeof wanted) {     /* the second one */
        memcpy(wanted, offered.data, offered.size);
        wanted[offered.size] = 0;
        a.protocol = wanted;
    }
    if (a.protocol && ws_accept(c, &a) != 0) {              /* which is not a token, then */
        MUST(strcspn(wanted, " \t\"(),/:;<=>?@[\\]{}") < strlen(wanted) || !is_ascii(wanted));
        a.protocol = NULL;
    }
    if (!a.protocol) MUST(ws_accept(c, &a) == 0);
    else MUST(!strcmp(ws_protocol(c), wanted));
    MUST(ws_accept(c, &a) == WS_ERR_STATE);
    fuzz_mix(&r->log, ws_protocol(c), strlen(ws_protocol(c)));
}

static void look(run *r, ws_conn *c, int options)
{
    ws_event ev;

    while (ws_next(c, &ev)) {
        fuzz_event(&r->log, &ev, c);
        MUST(ws_method(c) && ws_target(c) && ws_protocol(c));
        fuzz_mix(&r->log, ws_target(c), strlen(ws_target(c)));
        fuzz_mix(&r->log, ws_protocol(c), strlen(ws_protocol(c)));
        if (ev.type == WS_EV_REQUEST || ev.type == WS_EV_OPEN) {
            MUST(ws_header_value(c, "host").data && !strcmp(ws_method(c), "GET"));
            MUST(!(options & ROUTES) || ws_route_id(c));
        }
        if (ev.type == WS_EV_REQUEST || ev.type == WS_EV_OPEN || ev.type == WS_EV_HTTP) examine(r, c);
        if (ev.type == WS_EV_REQUEST && !(options & LATE)) answer(r, c, options);
        if (ev.type == WS_EV_HTTP && (options & (REPLY | ASK)))
            MUST(ws_http_reply(c, 200, extra, "hi", 2) == 0);
    }
}

static ws_conn *serve(int options)
{
    static const ws_route routes[] = {
        { "/chat", "chat", 1 }, { "/*/x", NULL, 2 }, { "/*", "superchat", 3 }, { "/c*", NULL, 4 }, { NULL, NULL, 0 }
    };
    ws_config cfg;
    ws_conn *c;

    memset(&cfg, 0, sizeof cfg);
    if (options & LIST) cfg.origins = "https://a.example, http://b.example:81";
    if (options & ANY) cfg.origins = "*";
    if (options & SMALL) { cfg.max_head = 200; cfg.max_headers = 4; }
    if (options & ASK) cfg.ask = 1;
    if (options & ROUTES) { cfg.routes = routes; cfg.trusted_proxies = 2; }
    cfg.protocols = "chat, superchat";
    MUST((c = ws_server_new(&cfg)) != NULL);
    return c;
}

static void play(run *r, const uint8_t *data, size_t n, const uint8_t *cuts, int options)
{
    ws_conn *c = serve(options);
    const char *final;
    size_t at = 0, turn, got;

    memset(r, 0, sizeof *r);
    for (turn = 0; turn < n + 100 && !ws_done(c); turn++) {
        at += fuzz_feed(c, data + at, fuzz_cut(cuts, turn, n - at));
        look(r, c, options);
        if (at == n && r->log.asked && ws_state(c) == WS_STATE_CONNECTING) answer(r, c, options);
        got = fuzz_answer_take(&r->answer, c);
        look(r, c, options);
        if (at == n && !got) ws_feed_end(c);
    }
    look(r, c, options);
    MUST(ws_done(c));
    if (r->log.error) MUST(ws_error_text(c)[0]);
    final = fuzz_answer_final(&r->answer);
    if (r->log.opened || r->log.http) MUST(r->answer.size > 16);
    if (r->answer.size) {
        const char *end = strstr(final, "\r\n\r\n");
        if (!*final) fuzz_mix(&r->log, "ended", 5);     /* after its 100 */
        MUST(end || !*final);
        if (end) fuzz_mix(&r->log, final, (size_t)(end - final));
        MUST((end && !memcmp(final + 9, "101 ", 4)) == r->log.opened);
    }
    ws_free(c);
}

/* What ws_is_upgrade says of the head, and what the server made of it. */
static void upgrade(const run *r, const uint8_t *data, size_t n)
{
    ws_head h;
    uint8_t *exact;
    ws_str head;
    int size, yes;

    memset(&h, 0, sizeof h);
    size = ws_head_scan(&h, data, n);
    exact = fuzz_copy(data, size > 0 ? (size_t)size : n);
    head.data = (const char *)exact;
    head.size = size > 0 ? (size_t)size : n;
    yes = ws_is_upgrade(head);      /* also of what is no head */
    if (size > 0) {
        MUST(!r->log.asked || yes);
        MUST(!r->log.opened || yes);
        MUST(!r->log.http || !yes);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run whole, pieces;

    if (size < 5) return 0;
    play(&whole, data + 5, size - 5, NULL, data[0]);
    play(&pieces, data + 5, size - 5, data + 1, data[0]);
    fuzz_same(&whole.log, &pieces.log);
    upgrade(&whole, data + 5, size - 5);
    return 0;
}
